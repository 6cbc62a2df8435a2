// SPDX-License-Identifier: GPL-2.0
/*
 * Two nodes that ask for each other at about the same time have one session in
 * the end; and what nobody answers for is limited. A scripted node plays the
 * other one.
 *
 * weft-roads: veth
 * weft-cflags: -pthread
 */
#include "weft_test.h"
#include "peer.h"

#define PORT	4001
FIXTURE(crossed)
{
	struct peer peer;
	struct addr addr;	/* of the scripted node */
	int fd;			/* a socket of B */
	uint64_t ours;		/* our id of the session that we asked for */
	uint64_t theirs;	/* the node's of that */
	uint64_t other;		/* our id of the one that the node asked for */
	uint64_t others;
};

/* The address of the scripted node is below that of any other, or above. */
FIXTURE_VARIANT(crossed)
{
	const char *addr;
	bool ours_counts;
};

FIXTURE_VARIANT_ADD(crossed, lower)
{
	.addr = "fd77:6566:7400::",
	.ours_counts = true,
};

FIXTURE_VARIANT_ADD(crossed, higher)
{
	.addr = "fd77:6566:7400:ffff:ffff:ffff:ffff:0",
	.ours_counts = false,
};

/* We ask, and the node, which keeps nothing, asks before it hears of us. */
FIXTURE_SETUP(crossed)
{
	if (road()->oracle)
		SKIP(return, "sessions of weft have no oracle");
	ROAD_OR_SKIP();
	ASSERT_EQ(0, peer_open(&self->peer));
	inet_pton(AF_INET6, variant->addr, &self->peer.addr);
	self->peer.addr.s6_addr[14] = getpid() >> 8;
	self->peer.addr.s6_addr[15] = getpid();
	set_addr(&self->addr, &self->peer.addr, PORT);
	self->fd = end_socket(END_B, SOCK_STREAM | SOCK_NONBLOCK);
	ASSERT_LE(0, self->fd);

	self->ours = self->peer.session;
	self->other = self->ours ^ 0xff00;
	ASSERT_TRUE(ask(&self->peer));
	self->theirs = self->peer.their_session;
	ASSERT_EQ(EINPROGRESS, ERR(connect_to(self->fd, &self->addr)));
	self->peer.session = self->other;
	ASSERT_TRUE(answer(&self->peer));
	self->others = self->peer.their_session;
	ASSERT_TRUE(await(&self->peer, OPEN));
	ASSERT_EQ(self->other, get_int_at(&self->peer.in, AT_SESSION, 8));
}

FIXTURE_TEARDOWN(crossed)
{
	close(self->peer.fd);
	close(self->fd);
}

/* We introduce ourselves in the session that we asked for. */
static int introduce(struct peer *peer, uint64_t ours, uint64_t theirs)
{
	struct frame f;

	peer->session = ours;
	peer->their_session = theirs;
	build_introduction(peer, &f, F_INTRO);
	return emit(peer, &f);
}

TEST_F(crossed, there_is_one_session_in_the_end)
{
	long long conflicts = count_of("node_conflicts");
	uint64_t counts = variant->ours_counts ? self->ours : self->other;
	struct frame f;

	ASSERT_EQ(0, introduce(&self->peer, self->ours, self->theirs));
	ASSERT_TRUE(await_open(&self->peer, counts));
	self->peer.session = counts;
	self->peer.their_session = variant->ours_counts ? self->theirs :
							  self->others;
	begin(&self->peer, &f, OPENED, 0);
	put_flow(&f, FLOW, 0, 0);
	put_open(&f, PORT, 0, SOCK_STREAM);
	seal(&f);
	ASSERT_EQ(0, emit(&self->peer, &f));
	EXPECT_EQ(POLLOUT, wait_events(self->fd, POLLOUT));
	EXPECT_EQ(0, get_int(self->fd, SO_ERROR));
	EXPECT_EQ(conflicts, count_of("node_conflicts"));
}

/* The scripted node opens; what it opened is heard, and gone again. */
static bool opens(struct peer *peer, const struct frame *open, int lis,
		  unsigned int port)
{
	char got[5] = "";
	struct frame f;
	bool heard;
	int fd;

	build_flow_reset(peer, &f, port);
	if (emit(peer, open))
		return false;
	fd = accepted(lis);
	heard = recv_exactly(fd, got, 5) == 5 && !memcmp(got, "hello", 5) &&
		!emit(peer, &f) && wait_events(fd, POLLERR);
	close(fd);
	return heard;
}

/*
 * A session may be known by the id that the node told in its answer, while its
 * own is that of its question: when it is over, both are.
 */
TEST(an_open_by_the_other_name_is_done_once)
{
	unsigned int port;
	struct addr addr, far;
	struct peer peer, again;
	struct frame old, f;
	int fd, lis;

	if (road()->oracle)
		SKIP(return, "sessions of weft have no oracle");
	ROAD_OR_SKIP();
	ASSERT_EQ(0, peer_open(&peer));
	lis = listener(END_B, SOCK_STREAM, 8, &addr);
	port = addr_port(&addr);
	fd = end_socket(END_B, SOCK_STREAM | SOCK_NONBLOCK);
	ASSERT_TRUE(ask(&peer));
	build_flow_open(&peer, &old, port, SOCK_STREAM, "hello");
	again = peer;
	set_addr(&far, &peer.addr, PORT);
	ASSERT_EQ(EINPROGRESS, ERR(connect_to(fd, &far)));
	ASSERT_TRUE(answer(&peer));
	ASSERT_NE(again.their_session, peer.their_session);
	ASSERT_TRUE(await(&peer, OPEN));
	EXPECT_TRUE(opens(&peer, &old, lis, port));
	close(fd);

	/* It was restarted, and the session of before is over. */
	peer.session ^= 1ULL << 40;
	ASSERT_TRUE(ask(&peer));
	build_flow_open(&peer, &f, port, SOCK_STREAM, "hello");
	EXPECT_TRUE(opens(&peer, &f, lis, port));

	ASSERT_EQ(0, emit(&again, &old));
	EXPECT_TRUE(await(&again, BADSESSION));
	EXPECT_EQ(0, events_now(lis, POLLIN));
	close(lis);
	close(peer.fd);
}

/* Addresses that nobody has do not use up what there is for those that exist. */
TEST(unanswered_questions_are_limited)
{
	struct addr addr;
	struct peer peer;
	int fds[4], i;

	if (road()->oracle)
		SKIP(return, "weft's own limit");
	ROAD_OR_SKIP();
	ASSERT_EQ(0, peer_open(&peer));
	ASSERT_EQ(0, enter_end(END_B));
	ASSERT_EQ(0, write_file("/proc/sys/net/weft/limits/nodes", "8"));
	ASSERT_EQ(0, leave_end(END_B));
	for (i = 0; i < 4; i++) {
		set_addr(&addr, &peer.addr, PORT);
		addr.in6.sin6_addr.s6_addr[10] = i + 1;
		fds[i] = end_socket(END_B, SOCK_STREAM | SOCK_NONBLOCK);
		EXPECT_EQ(i < 2 ? EINPROGRESS : ENOBUFS,
			  ERR(connect_to(fds[i], &addr)));
	}
	/* Whoever asks for us is answered, and met. */
	EXPECT_TRUE(ask(&peer));
	EXPECT_EQ(0, introduce(&peer, peer.session, peer.their_session));
	EXPECT_TRUE(await(&peer, ACK));
	/* When nobody has answered there is room again. */
	EXPECT_TRUE(wait_all_events(fds[0], POLLERR));
	EXPECT_TRUE(wait_all_events(fds[1], POLLERR));
	EXPECT_EQ(EINPROGRESS, ERR(connect_to(fds[2], &addr)));
	for (i = 0; i < 4; i++)
		close(fds[i]);
	close(peer.fd);
}

TEST_HARNESS_MAIN
