// SPDX-License-Identifier: GPL-2.0
/*
 * SO_RCVBUF is what a reader that does not read costs: whatever the sizes of
 * what comes, its memory stays below, and nothing of it is lost.
 *
 * weft-roads: veth bridge tap
 */
#include "weft_test.h"

#define RCVBUF_MIN	131072
#define SMALLEST	16

FIXTURE(rcvbuf)
{
	struct conn conn;
	struct addr addr;
};

FIXTURE_VARIANT(rcvbuf)
{
	int type;
	int rcvbuf;	/* as it is set; 0 for not */
	size_t piece;
};

#define VARIANT(name, type_, rcvbuf_, piece_)				\
FIXTURE_VARIANT_ADD(rcvbuf, name)					\
{									\
	.type = type_, .rcvbuf = rcvbuf_, .piece = piece_,		\
}

VARIANT(stream_of_tiny, SOCK_STREAM, 70000, SMALLEST);
VARIANT(stream_of_small, SOCK_STREAM, 100000, 200);
VARIANT(stream_of_segments, SOCK_STREAM, 100000, 1300);
VARIANT(stream_of_large, SOCK_STREAM, 100000, 65536);
VARIANT(stream_that_is_not_set, SOCK_STREAM, 0, 65536);
VARIANT(stream_of_the_least, SOCK_STREAM, 1, 1000);
VARIANT(seqpacket_of_tiny, SOCK_SEQPACKET, 70000, SMALLEST);
VARIANT(seqpacket_of_segments, SOCK_SEQPACKET, 100000, 1300);
VARIANT(seqpacket_of_large, SOCK_SEQPACKET, 100000, 65536);
VARIANT(seqpacket_of_the_least, SOCK_SEQPACKET, 1, 65536);

/* A child has the buffer of its listener: set before there is a window. */
FIXTURE_SETUP(rcvbuf)
{
	struct conn *c = &self->conn;

	if (road()->oracle)
		SKIP(return, "a limit of weft's own");
	ROAD_OR_SKIP();
	c->listener = listener(END_B, variant->type, 8, &c->addr);
	ASSERT_LE(0, c->listener);
	if (variant->rcvbuf)
		ASSERT_EQ(0, set_int(c->listener, SO_RCVBUF, variant->rcvbuf));
	c->near = connected(variant->type, &c->addr);
	ASSERT_LE(0, c->near);
	c->far = accepted(c->listener);
	ASSERT_LE(0, c->far);
}

FIXTURE_TEARDOWN(rcvbuf)
{
	conn_close(&self->conn);
}

TEST_F(rcvbuf, is_the_most_that_waits)
{
	int size = get_int(self->conn.far, SO_RCVBUF), i;
	long sent = 0, n;

	if (variant->rcvbuf)
		EXPECT_EQ(variant->rcvbuf < RCVBUF_MIN / 2 ? RCVBUF_MIN :
			  2 * variant->rcvbuf, size);
	ASSERT_EQ(0, set_int(self->conn.near, SO_SNDBUF, 40000));
	for (i = 0; i < 2; i++) {
		n = fill_up_for_good(self->conn.near, variant->piece);
		ASSERT_LT(0, n);
		sent += n;
		/* A window of bytes is there, and occupies no more than it may. */
		EXPECT_LE(held(self->conn.far), (unsigned int)size);
		EXPECT_GE(sent, size / 2);
		EXPECT_EQ(size, get_int(self->conn.far, SO_RCVBUF));
		/* Half of it is read, so that more comes behind what is left. */
		if (!i)
			ASSERT_LE(n / 2, drain(self->conn.far, n / 2));
	}
}

/* What was held back or dropped comes when it is read. */
TEST_F(rcvbuf, loses_nothing)
{
	long n;

	n = fill_up_for_good(self->conn.near, variant->piece);
	ASSERT_LT(0, n);
	EXPECT_EQ(n, drain(self->conn.far, n));
	EXPECT_EQ(0, ERR(set_int(self->conn.far, SO_RCVBUF, 1)));
	n = fill_up_for_good(self->conn.near, variant->piece);
	ASSERT_LT(0, n);
	EXPECT_EQ(n, drain(self->conn.far, n));
	EXPECT_EQ(0, held(self->conn.far));
}

TEST_HARNESS_MAIN
