// SPDX-License-Identifier: GPL-2.0
/*
 * socketpair(2): two connected sockets of one node. The oracle is AF_UNIX.
 *
 * weft-roads: local
 */
#include "weft_test.h"

FIXTURE(pair)
{
	int fd[2];
};

FIXTURE_VARIANT(pair)
{
	int type;
};

FIXTURE_VARIANT_ADD(pair, stream) { .type = SOCK_STREAM };
FIXTURE_VARIANT_ADD(pair, seqpacket) { .type = SOCK_SEQPACKET };
FIXTURE_VARIANT_ADD(pair, dgram) { .type = SOCK_DGRAM };

static int pair_family(void)
{
	return road()->oracle ? AF_UNIX : road()->family;
}

FIXTURE_SETUP(pair)
{
	ROAD_OR_SKIP();
	ASSERT_EQ(0, socketpair(pair_family(), variant->type, 0, self->fd));
}

FIXTURE_TEARDOWN(pair)
{
	close(self->fd[0]);
	close(self->fd[1]);
}

TEST_F(pair, both_directions)
{
	ASSERT_EQ(4, SEND(self->fd[0], "ping"));
	EXPECT_MESSAGE(self->fd[1], "ping");
	ASSERT_EQ(4, SEND(self->fd[1], "pong"));
	EXPECT_MESSAGE(self->fd[0], "pong");
}

TEST_F(pair, idle_is_writable_only)
{
	EXPECT_EQ(POLLOUT, events_now(self->fd[0], POLLIN | POLLOUT));
	EXPECT_EQ(POLLOUT, events_now(self->fd[1], POLLIN | POLLOUT));
}

TEST_F(pair, boundaries)
{
	char got[8];

	ASSERT_EQ(2, SEND(self->fd[0], "ab"));
	ASSERT_EQ(2, SEND(self->fd[0], "cd"));
	EXPECT_EQ(variant->type == SOCK_STREAM ? 4 : 2,
		  recv(self->fd[1], got, sizeof(got), 0));
}

TEST_F(pair, end_of_the_peer)
{
	ASSERT_EQ(4, SEND(self->fd[0], "last"));
	CLOSE(self->fd[0]);
	EXPECT_MESSAGE(self->fd[1], "last");
	if (variant->type == SOCK_DGRAM)
		return;
	EXPECT_EOF(self->fd[1]);
	EXPECT_EQ(EPIPE, ERR(SEND(self->fd[1], "x")));
}

TEST_F(pair, half_close)
{
	char got;

	ASSERT_EQ(0, shutdown(self->fd[0], SHUT_WR));
	EXPECT_EQ(EPIPE, ERR(SEND(self->fd[0], "x")));
	ASSERT_EQ(1, SEND(self->fd[1], "y"));
	EXPECT_MESSAGE(self->fd[0], "y");
	if (variant->type != SOCK_DGRAM)
		EXPECT_EQ(0, recv(self->fd[1], &got, 1, 0));
}

TEST_F(pair, connect_of_it_is_EISCONN)
{
	struct addr addr;

	if (variant->type == SOCK_DGRAM)
		return;
	ASSERT_EQ(0, own_addr(self->fd[0], &addr));
	addr.len = road()->oracle ? 8 : addr.len;
	EXPECT_EQ(expected(EX_PAIR_CONNECT),
		  ERR(connect_to(self->fd[0], &addr)));
}

TEST_F(pair, has_names)
{
	struct addr own, peer;

	ASSERT_EQ(0, own_addr(self->fd[0], &own));
	ASSERT_EQ(0, peer_addr(self->fd[1], &peer));
	EXPECT_EQ(pair_family(), own.sa.sa_family);
	EXPECT_TRUE(addr_equal(&own, &peer));
}

TEST_F(pair, bulk_both_ways)
{
	unsigned char buf[1000], got[1000];
	int i, j;

	for (i = 0; i < 1000; i++) {
		for (j = 0; j < 2; j++) {
			pattern_fill(buf, sizeof(buf), j, i);
			ASSERT_EQ(1000, send(self->fd[j], buf, 1000, 0));
		}
		for (j = 0; j < 2; j++) {
			ASSERT_EQ(1000, recv_exactly(self->fd[!j], got, 1000));
			ASSERT_EQ(1000, pattern_check(got, 1000, j, i));
		}
	}
}

TEST(flags_of_the_type)
{
	int fd[2];

	ROAD_OR_SKIP();
	ASSERT_EQ(0, socketpair(pair_family(), SOCK_STREAM | SOCK_NONBLOCK |
				SOCK_CLOEXEC, 0, fd));
	EXPECT_EQ(O_NONBLOCK, fcntl(fd[1], F_GETFL) & O_NONBLOCK);
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd[0], F_GETFD));
	close(fd[0]);
	close(fd[1]);
}

TEST(unread_data_resets)
{
	char got;
	int fd[2];

	ROAD_OR_SKIP();
	ASSERT_EQ(0, socketpair(pair_family(), SOCK_STREAM, 0, fd));
	ASSERT_EQ(1, SEND(fd[0], "x"));
	close(fd[1]);
	EXPECT_EQ(ECONNRESET, ERR(recv(fd[0], &got, 1, 0)));
	close(fd[0]);
}

TEST_HARNESS_MAIN
