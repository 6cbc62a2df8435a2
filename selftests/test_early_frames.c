// SPDX-License-Identifier: GPL-2.0
/*
 * What early data looks like on the wire, seen by a scripted node. That it
 * takes one round trip is a matter of who sends what before it hears what, so
 * the test is about packets, and not about time.
 *
 * weft-roads: veth
 * weft-cflags: -pthread
 */
#include <sys/epoll.h>

#include "weft_test.h"
#include "peer.h"

#define PORT	4001
#define AT_ACK		(AT_PARTS + 16)

FIXTURE(early)
{
	struct peer peer;
	struct addr addr;	/* of the scripted node */
	struct addr own;	/* of the listener at B */
	int lis;
	int fd;			/* a socket of B */
};

FIXTURE_SETUP(early)
{
	if (road()->oracle)
		SKIP(return, "frames of weft have no oracle");
	ROAD_OR_SKIP();
	ASSERT_EQ(0, peer_open(&self->peer));
	set_addr(&self->addr, &self->peer.addr, PORT);
	self->lis = listener(END_B, SOCK_STREAM, 4, &self->own);
	self->fd = end_socket(END_B, SOCK_STREAM);
	ASSERT_LE(0, self->lis);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(early)
{
	close(self->peer.fd);
	close(self->lis);
	close(self->fd);
}

static void build_opened(struct peer *peer, struct frame *f, uint64_t ack,
			 const char *text)
{
	begin(peer, f, OPENED, 0);
	put_flow(f, FLOW, 0, ack);
	put_open(f, PORT, 0, SOCK_STREAM);
	put_text(f, text);
	seal(f);
}

/* A socket of B that need not wait sends and opens in one. */
static bool sends_early(int fd, const struct addr *addr, const char *text)
{
	return sendto(fd, text, strlen(text),
		      MSG_FASTOPEN | MSG_DONTWAIT | MSG_NOSIGNAL, &addr->sa,
		      addr->len) == (ssize_t)strlen(text);
}

static bool payload_is(const struct frame *f, const char *text)
{
	size_t at = ETH_BYTES + f->bytes[AT_HLEN];

	return get_int_at(f, AT_PLEN, 2) == strlen(text) &&
	       !memcmp(f->bytes + at, text, strlen(text));
}

/* As an opener: one packet out, and the answer comes. */
TEST_F(early, a_server_answers_the_first_packet)
{
	long long before = count_of("opens_early");
	struct frame f;
	int sock;

	ASSERT_TRUE(ask(&self->peer));
	build_flow_open(&self->peer, &f, addr_port(&self->own), SOCK_STREAM,
			"request");
	ASSERT_EQ(0, emit(&self->peer, &f));
	sock = accepted(self->lis);
	ASSERT_LE(0, sock);
	EXPECT_TEXT(sock, "request");
	ASSERT_EQ(6, SEND(sock, "answer"));
	ASSERT_TRUE(await(&self->peer, OPENED));
	EXPECT_EQ(7, get_int_at(&self->peer.in, AT_ACK, 8));
	ASSERT_TRUE(await(&self->peer, DATA));
	EXPECT_TRUE(payload_is(&self->peer.in, "answer"));
	EXPECT_EQ(before + 1, count_of("opens_early"));
	close(sock);
}

/* As an acceptor: the first packet of the flow has the request. */
TEST_F(early, a_client_asks_with_the_first_packet)
{
	struct frame f;

	ASSERT_TRUE(sends_early(self->fd, &self->addr, "request"));
	ASSERT_TRUE(answer(&self->peer));
	ASSERT_TRUE(await_any(&self->peer));
	ASSERT_EQ(OPEN, kind_of(&self->peer.in));
	EXPECT_TRUE(payload_is(&self->peer.in, "request"));
	build_opened(&self->peer, &f, 7, "answer");
	ASSERT_EQ(0, emit(&self->peer, &f));
	EXPECT_TEXT(self->fd, "answer");
	/* And not once more. */
	ASSERT_TRUE(await_any(&self->peer));
	EXPECT_EQ(ACK, kind_of(&self->peer.in));
}

TEST_F(early, a_deferred_connect_is_silent)
{
	int one = 1;

	ASSERT_EQ(0, setsockopt(self->fd, SOL_WEFT, WEFT_DEFER_CONNECT, &one,
				sizeof(one)));
	ASSERT_EQ(0, connect_to(self->fd, &self->addr));
	/* The node is asked for, so that the request need not wait for that. */
	ASSERT_TRUE(answer(&self->peer));
	ASSERT_EQ(0, set_nonblock(self->fd));
	ASSERT_EQ(7, SEND(self->fd, "request"));
	ASSERT_TRUE(await_any(&self->peer));
	ASSERT_EQ(OPEN, kind_of(&self->peer.in));
	EXPECT_TRUE(payload_is(&self->peer.in, "request"));
}

static bool has_heard_more(void *arg)
{
	return count_of("in_packets") > *(long long *)arg;
}

/* A connection that was accepted is one: that its opener has heard so is no edge. */
TEST_F(early, the_first_ack_of_the_opener_is_no_event)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLET };
	int sock, ep = epoll_create1(EPOLL_CLOEXEC);
	long long heard;
	struct frame f;

	ASSERT_TRUE(ask(&self->peer));
	build_flow_open(&self->peer, &f, addr_port(&self->own), SOCK_STREAM, "");
	ASSERT_EQ(0, emit(&self->peer, &f));
	sock = accepted(self->lis);
	ASSERT_LE(0, sock);
	ASSERT_TRUE(await(&self->peer, OPENED));
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, sock, &event));
	ASSERT_EQ(1, epoll_wait(ep, &event, 1, DEADLINE_MS));
	EXPECT_EQ(EPOLLOUT, event.events);
	heard = count_of("in_packets");
	begin(&self->peer, &f, ACK, F_OPENER);
	put_flow(&f, FLOW, 0, 0);
	seal(&f);
	ASSERT_EQ(0, emit(&self->peer, &f));
	ASSERT_TRUE(eventually(has_heard_more, &heard));
	EXPECT_EQ(0, epoll_wait(ep, &event, 1, 0));
	close(ep);
	close(sock);
}

/* Nothing is acknowledged, neither of the first OPEN nor of its repetition. */
TEST_F(early, refused_early_data_is_not_acknowledged)
{
	long long before = count_of("opens_early");
	int zero = 0, sock, i;
	struct frame f;

	ASSERT_EQ(0, setsockopt(self->lis, SOL_WEFT, WEFT_EARLY_DATA, &zero,
				sizeof(zero)));
	ASSERT_TRUE(ask(&self->peer));
	build_flow_open(&self->peer, &f, addr_port(&self->own), SOCK_STREAM,
			"early");
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, emit(&self->peer, &f));
		ASSERT_TRUE(await(&self->peer, OPENED));
		EXPECT_EQ(0, get_int_at(&self->peer.in, AT_ACK, 8));
	}
	sock = accepted(self->lis);
	ASSERT_LE(0, sock);
	EXPECT_EQ(0, events_now(sock, POLLIN));
	begin(&self->peer, &f, DATA, F_OPENER);
	put_flow(&f, FLOW, 0, 0);
	put_text(&f, "later");
	seal(&f);
	ASSERT_EQ(0, emit(&self->peer, &f));
	EXPECT_TEXT(sock, "later");
	EXPECT_EQ(before, count_of("opens_early"));
	close(sock);
}

TEST_F(early, refused_early_data_is_sent_again)
{
	struct frame f;

	ASSERT_TRUE(sends_early(self->fd, &self->addr, "request"));
	ASSERT_TRUE(answer(&self->peer));
	ASSERT_TRUE(await(&self->peer, OPEN));
	build_opened(&self->peer, &f, 0, "");
	ASSERT_EQ(0, emit(&self->peer, &f));
	ASSERT_TRUE(await(&self->peer, DATA));
	EXPECT_TRUE(payload_is(&self->peer.in, "request"));
}

TEST_HARNESS_MAIN
