// SPDX-License-Identifier: GPL-2.0
/*
 * Nodes of other versions: those that have one in common with us speak it,
 * those that have none refuse, before anything is opened. Our version is 1.
 *
 * weft-roads: veth
 * weft-cflags: -pthread
 */
#include "weft_test.h"
#include "peer.h"

FIXTURE(version)
{
	struct peer peer;
	int fd;
};

FIXTURE_SETUP(version)
{
	if (road()->oracle)
		SKIP(return, "versions of weft have no oracle");
	ROAD_OR_SKIP();
	ASSERT_EQ(0, peer_open(&self->peer));
	self->fd = end_socket(END_B, SOCK_STREAM | SOCK_NONBLOCK);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(version)
{
	close(self->peer.fd);
	close(self->fd);
}

static int connect_to_peer(struct peer *peer, int fd)
{
	struct addr addr;

	set_addr(&addr, &peer->addr, 7);
	return ERR(connect_to(fd, &addr));
}

static bool answer_open(struct peer *peer)
{
	unsigned int port;
	uint64_t flow;
	struct frame f;

	if (!await(peer, OPEN))
		return false;
	flow = get_int_at(&peer->in, AT_PARTS, 8);
	port = get_int_at(&peer->in, AT_PARTS + FLOW_BYTES, 2);
	begin(peer, &f, OPENED, 0);
	put_flow(&f, flow, 0, 0);
	put_open(&f, 7, port, SOCK_STREAM);
	seal(&f);
	return !emit(peer, &f);
}

TEST_F(version, none_in_common_is_EPROTONOSUPPORT)
{
	self->peer.version_min = 2;
	self->peer.version_max = 3;
	ASSERT_EQ(EINPROGRESS, connect_to_peer(&self->peer, self->fd));
	ASSERT_TRUE(answer(&self->peer));
	ASSERT_NE(0, wait_events(self->fd, POLLOUT));
	EXPECT_EQ(EPROTONOSUPPORT, get_int(self->fd, SO_ERROR));
}

TEST_F(version, newer_node_that_speaks_ours)
{
	self->peer.version_min = 1;
	self->peer.version_max = 2;
	ASSERT_EQ(EINPROGRESS, connect_to_peer(&self->peer, self->fd));
	ASSERT_TRUE(answer(&self->peer));
	ASSERT_TRUE(answer_open(&self->peer));
	EXPECT_EQ(1, version_of(&self->peer.in));
	EXPECT_EQ(POLLOUT, wait_events(self->fd, POLLOUT));
	EXPECT_EQ(0, get_int(self->fd, SO_ERROR));
}

TEST_F(version, question_of_a_newer_node_is_answered_with_our_range)
{
	self->peer.version = 2;
	self->peer.version_min = 2;
	self->peer.version_max = 3;
	ASSERT_TRUE(ask(&self->peer));
	EXPECT_EQ(1, get_int_at(&self->peer.in, AT_PARTS + 40, 1));
	EXPECT_EQ(1, get_int_at(&self->peer.in, AT_PARTS + 41, 1));
}

TEST_F(version, packet_of_a_newer_version_is_dropped)
{
	long long before = count_of("drop_version");
	struct frame f;

	ASSERT_TRUE(ask(&self->peer));
	self->peer.version = 2;
	begin(&self->peer, &f, PROBE, F_INTRO);
	put_flow(&f, 0, 0, 0);
	put_hello(&self->peer, &f);
	seal(&f);
	ASSERT_EQ(0, emit(&self->peer, &f));
	/* A second question is answered after it. */
	ASSERT_TRUE(ask(&self->peer));
	EXPECT_EQ(before + 1, count_of("drop_version"));
}

TEST_HARNESS_MAIN
