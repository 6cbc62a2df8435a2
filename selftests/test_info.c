// SPDX-License-Identifier: GPL-2.0
/*
 * WEFT_INFO: that it says what happened, and that it is whole at any length.
 * It has no oracle: what TCP_INFO would say of TCP is no rule for it.
 *
 * weft-cflags: -pthread
 */
#include <netinet/tcp.h>

#include "weft_test.h"
#include "peer.h"

#define ROOM	(sizeof(struct weft_info) + 64)

CONN_FIXTURE()
CONN_VARIANT(stream_client, SOCK_STREAM, false);
CONN_VARIANT(stream_server, SOCK_STREAM, true);
CONN_VARIANT(seqpacket_client, SOCK_SEQPACKET, false);
CONN_VARIANT(seqpacket_server, SOCK_SEQPACKET, true);

#define WEFT_ONLY() do {						\
	if (road()->oracle)						\
		SKIP(return, "an option of weft");			\
} while (0)

static struct weft_info info_of(int fd)
{
	struct weft_info info;
	socklen_t len = sizeof(info);

	memset(&info, 0xa5, sizeof(info));
	if (getsockopt(fd, SOL_WEFT, WEFT_INFO, &info, &len) ||
	    len != sizeof(info))
		info.state = 0xff;
	return info;
}

/* Filled over two patterns: what keeps both was not written; numbers may change. */
TEST_F(conn, is_whole_at_any_length)
{
	unsigned char one[ROOM], two[ROOM];
	socklen_t len, got;
	size_t i;

	WEFT_ONLY();
	for (len = 0; len <= ROOM; len++) {
		memset(one, 0xa5, sizeof(one));
		memset(two, 0x5a, sizeof(two));
		got = len;
		ASSERT_EQ(0, getsockopt(self->near, SOL_WEFT, WEFT_INFO, one,
					&got));
		ASSERT_EQ(len < sizeof(struct weft_info) ? len :
			  sizeof(struct weft_info), got);
		got = len;
		ASSERT_EQ(0, getsockopt(self->near, SOL_WEFT, WEFT_INFO, two,
					&got));
		for (i = 0; i < got; i++)
			ASSERT_FALSE(one[i] == 0xa5 && two[i] == 0x5a);
		for (; i < sizeof(one); i++) {
			ASSERT_EQ(0xa5, one[i]);
			ASSERT_EQ(0x5a, two[i]);
		}
	}
	got = -1;
	EXPECT_EQ(EINVAL, ERR(getsockopt(self->near, SOL_WEFT, WEFT_INFO, one,
					 &got)));
	EXPECT_EQ(ENOPROTOOPT, ERR(setsockopt(self->near, SOL_WEFT, WEFT_INFO,
					      one, sizeof(one))));
}

static bool got_close(void *arg)
{
	return info_of(*(int *)arg).state == WEFT_STATE_GOT_CLOSE;
}

/* For programs that were written for TCP: iperf3 and web servers ask it. */
TEST_F(conn, a_stream_tells_it_in_words_of_TCP)
{
	socklen_t len = sizeof(struct tcp_info);
	struct weft_info info;
	struct tcp_info tcp;

	WEFT_ONLY();
	memset(&tcp, 0xa5, sizeof(tcp));
	if (variant->type != SOCK_STREAM) {
		EXPECT_EQ(ENOPROTOOPT, ERR(getsockopt(self->near, IPPROTO_TCP,
						      TCP_INFO, &tcp, &len)));
		return;
	}
	ASSERT_EQ(5, SEND(self->near, "bytes"));
	EXPECT_MESSAGE(self->far, "bytes");
	ASSERT_EQ(0, getsockopt(self->near, IPPROTO_TCP, TCP_INFO, &tcp, &len));
	EXPECT_EQ(sizeof(tcp), len);
	info = info_of(self->near);
	EXPECT_EQ(TCP_ESTABLISHED, tcp.tcpi_state);
	EXPECT_EQ(info.mss, tcp.tcpi_snd_mss);
	EXPECT_EQ(info.rto_us, tcp.tcpi_rto);
	EXPECT_EQ(!road()->wire, !tcp.tcpi_snd_cwnd);
	len = 1;
	ASSERT_EQ(0, getsockopt(self->conn.listener, IPPROTO_TCP, TCP_INFO,
				&tcp, &len));
	EXPECT_EQ(1, len);
	EXPECT_EQ(TCP_LISTEN, tcp.tcpi_state);
	ASSERT_EQ(0, shutdown(self->far, SHUT_WR));
	EXPECT_TRUE(eventually(got_close, &self->near));
	ASSERT_EQ(0, getsockopt(self->near, IPPROTO_TCP, TCP_INFO, &tcp, &len));
	EXPECT_EQ(TCP_CLOSE_WAIT, tcp.tcpi_state);
}

TEST_F(conn, state_follows_the_connection)
{
	WEFT_ONLY();
	EXPECT_EQ(WEFT_STATE_OPEN, info_of(self->near).state);
	EXPECT_EQ(WEFT_STATE_LISTEN, info_of(self->conn.listener).state);
	ASSERT_EQ(0, shutdown(self->far, SHUT_WR));
	EXPECT_EQ(WEFT_STATE_SENT_CLOSE, info_of(self->far).state);
	EXPECT_TRUE(eventually(got_close, &self->near));
	ASSERT_EQ(0, shutdown(self->near, SHUT_WR));
	EXPECT_EQ(WEFT_STATE_CLOSING, info_of(self->near).state);
}

TEST_F(conn, limits_are_the_sockets)
{
	struct weft_info info;

	WEFT_ONLY();
	info = info_of(self->near);
	EXPECT_EQ(road()->wire ? WEFT_INFO_WIRE : WEFT_INFO_LOCAL, info.road);
	EXPECT_EQ(get_int(self->near, SO_SNDBUF), info.sndbuf);
	EXPECT_EQ(get_int(self->near, SO_RCVBUF), info.rcvbuf);
	EXPECT_LE(65536, info.max_message);
	EXPECT_EQ(info_of(self->far).max_message, info.peer_max_message);
	EXPECT_EQ(0, info.reserved);
	if (road()->wire)
		EXPECT_EQ(road()->mtu - 64, info.mss);
}

static bool all_is_acked(void *arg)
{
	struct weft_info info = info_of(*(int *)arg);

	return !info.unsent && !info.in_flight;
}

TEST_F(conn, counts_what_was_sent)
{
	size_t head = variant->type == SOCK_SEQPACKET ? 4 : 0;
	struct weft_info info;

	WEFT_ONLY();
	ASSERT_EQ(5, SEND(self->near, "bytes"));
	EXPECT_MESSAGE(self->far, "bytes");
	ASSERT_EQ(4, SEND(self->far, "back"));
	ASSERT_NE(0, wait_events(self->near, POLLIN));
	info = info_of(self->near);
	EXPECT_EQ(4 + head, info.unread);
	EXPECT_MESSAGE(self->near, "back");
	EXPECT_EQ(0, info_of(self->near).unread);
	if (!road()->wire)
		return;
	ASSERT_TRUE(eventually(all_is_acked, &self->near));
	info = info_of(self->near);
	EXPECT_LE(5 + head, info.bytes_sent);
	EXPECT_EQ(5 + head, info.bytes_sent - info.retransmitted);
	EXPECT_EQ(5 + head, info.bytes_acked);
	EXPECT_EQ(5 + head, info.delivered);
	EXPECT_EQ(4 + head, info.bytes_received);
	EXPECT_EQ(5 + head, info_of(self->far).bytes_received);
	EXPECT_EQ(0, info.lost);
	EXPECT_EQ(0, info.held_ranges);
}

TEST_F(conn, tells_the_path)
{
	struct weft_info info;

	WEFT_ONLY();
	ONLY_IF(road()->wire);
	/* What is handed over tells nothing of it. */
	set_handover(END_A, "0");
	EXPECT_EQ(5, SEND(self->near, "bytes"));
	set_handover(END_A, "1");
	EXPECT_MESSAGE(self->far, "bytes");
	ASSERT_TRUE(eventually(all_is_acked, &self->near));
	info = info_of(self->near);
	EXPECT_LT(0, info.rtt_us);
	EXPECT_LT(0, info.min_rtt_us);
	EXPECT_LE(info.min_rtt_us, info.rtt_us + 1);
	EXPECT_LE(200000, info.rto_us);
	EXPECT_LE(2ULL * info.mss, info.cwnd);
	EXPECT_LT(0, info.ssthresh);
	EXPECT_LE(65536, info.snd_window);
	EXPECT_LE(65536, info.rcv_window);
	EXPECT_LT(0, strnlen(info.congestion, sizeof(info.congestion)));
}

/* A client may know of its connection before the listener does. */
static bool two_wait(void *arg)
{
	return info_of(*(int *)arg).backlog == 2;
}

TEST(info_of_a_listener)
{
	struct addr addr;
	int lis, one, two;

	WEFT_ONLY();
	ROAD_OR_SKIP();
	lis = listener(END_B, SOCK_STREAM, 5, &addr);
	one = connected(SOCK_STREAM, &addr);
	two = connected(SOCK_STREAM, &addr);
	ASSERT_LE(0, one);
	ASSERT_LE(0, two);
	EXPECT_TRUE(eventually(two_wait, &lis));
	EXPECT_EQ(5, info_of(lis).backlog_max);
	close(accepted(lis));
	EXPECT_EQ(1, info_of(lis).backlog);
	close(lis);
	close(one);
	close(two);
}

TEST(info_of_what_is_not_connected)
{
	struct weft_info info;
	socklen_t len = sizeof(info);
	int fd, dgram;

	WEFT_ONLY();
	ROAD_OR_SKIP();
	fd = end_socket(END_A, SOCK_STREAM);
	dgram = end_socket(END_A, SOCK_DGRAM);
	EXPECT_EQ(WEFT_STATE_CLOSED, info_of(fd).state);
	EXPECT_EQ(0, info_of(fd).mss);
	EXPECT_EQ(EOPNOTSUPP, ERR(getsockopt(dgram, SOL_WEFT, WEFT_INFO, &info,
					     &len)));
	close(fd);
	close(dgram);
}

TEST_HARNESS_MAIN
