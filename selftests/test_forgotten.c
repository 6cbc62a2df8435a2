// SPDX-License-Identifier: GPL-2.0
/*
 * A node that forgets the session, seen by a scripted node that does: what was
 * open ends with it, and what was not yet goes on in the next one, unless the
 * other end may have read something of it already.
 *
 * weft-roads: veth
 * weft-cflags: -pthread
 */
#include "weft_test.h"
#include "peer.h"

#define PORT	4001

FIXTURE(forgotten)
{
	struct peer peer;
	struct addr addr;	/* of the scripted node */
	int open;		/* sockets of B: connected to it, */
	int fd;			/* and not yet */
};

/* The session is over, and another that is asked for is another. */
static int forget(struct peer *peer)
{
	struct frame f;

	build_badsession(peer, &f, peer->session);
	peer->session ^= 0xff00;
	return emit(peer, &f);
}

FIXTURE_SETUP(forgotten)
{
	if (road()->oracle)
		SKIP(return, "sessions of weft have no oracle");
	ROAD_OR_SKIP();
	ASSERT_EQ(0, peer_open(&self->peer));
	set_addr(&self->addr, &self->peer.addr, PORT);
	self->open = end_socket(END_B, SOCK_STREAM | SOCK_NONBLOCK);
	self->fd = end_socket(END_B, SOCK_STREAM | SOCK_NONBLOCK);
	ASSERT_EQ(EINPROGRESS, ERR(connect_to(self->open, &self->addr)));
	ASSERT_TRUE(answer(&self->peer));
	ASSERT_TRUE(open_up(&self->peer, self->open, PORT));
}

FIXTURE_TEARDOWN(forgotten)
{
	close(self->peer.fd);
	close(self->open);
	close(self->fd);
}

/* Any number of those that are not does not hide one that is. */
TEST_F(forgotten, among_many_that_are_forged)
{
	struct frame f;
	int i;

	for (i = 0; i < 1000; i++) {
		build_badsession(&self->peer, &f,
				 self->peer.session ^ (i + 1));
		ASSERT_EQ(0, emit(&self->peer, &f));
	}
	ASSERT_EQ(0, forget(&self->peer));
	ASSERT_TRUE(wait_all_events(self->open, POLLERR));
	EXPECT_EQ(ECONNRESET, get_int(self->open, SO_ERROR));
}

TEST_F(forgotten, what_was_not_open_opens_in_the_next_session)
{
	ASSERT_EQ(EINPROGRESS, ERR(connect_to(self->fd, &self->addr)));
	ASSERT_TRUE(await(&self->peer, OPEN));
	ASSERT_EQ(0, forget(&self->peer));
	ASSERT_TRUE(answer(&self->peer));
	EXPECT_TRUE(open_up(&self->peer, self->fd, PORT));
	EXPECT_EQ(ECONNRESET, get_int(self->open, SO_ERROR));
}

/* Nothing was said of it at all, not even its bytes. */
TEST_F(forgotten, what_was_held_opens_in_the_next_session)
{
	int one = 1;

	ASSERT_EQ(0, setsockopt(self->fd, SOL_WEFT, WEFT_DEFER_CONNECT, &one,
				sizeof(one)));
	ASSERT_EQ(0, connect_to(self->fd, &self->addr));
	ASSERT_EQ(0, forget(&self->peer));
	ASSERT_TRUE(wait_all_events(self->open, POLLERR));
	ASSERT_EQ(4, SEND(self->fd, "text"));
	ASSERT_TRUE(answer(&self->peer));
	EXPECT_TRUE(open_up(&self->peer, self->fd, PORT));
}

TEST_F(forgotten, a_request_is_not_made_twice)
{
	ASSERT_EQ(4, sendto(self->fd, "text", 4, MSG_FASTOPEN | MSG_NOSIGNAL,
			    &self->addr.sa, self->addr.len));
	ASSERT_TRUE(await(&self->peer, OPEN));
	ASSERT_EQ(0, forget(&self->peer));
	ASSERT_TRUE(wait_all_events(self->fd, POLLERR));
	EXPECT_EQ(ECONNRESET, get_int(self->fd, SO_ERROR));
}

TEST_HARNESS_MAIN
