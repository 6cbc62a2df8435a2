// SPDX-License-Identifier: GPL-2.0
/*
 * Datagrams in pieces, as a scripted node sends them: in any order, twice,
 * contradicting each other, never whole, and far too many.
 *
 * weft-roads: veth
 * weft-cflags: -pthread
 */
#include "weft_test.h"
#include "peer.h"

#define PIECE	1000
#define SMALL_PIECE 300
#define LEAST_PIECE 216		/* of the smallest frame */
#define SPORT	99

FIXTURE(frags)
{
	struct peer peer;
	struct peer other;
	struct addr addr;	/* of the datagram socket at B */
	int sock;
	unsigned int port;
};

/* A piece whose bytes are those of a pattern at its place. */
static void build_piece(struct peer *peer, struct frame *f, unsigned int port,
			unsigned int id, unsigned int offset, unsigned int len,
			unsigned int total)
{
	begin(peer, f, DGRAM, 0);
	put_piece(f, SPORT, port, id, offset, total);
	pattern_fill(f->bytes + f->len, len, id, offset);
	f->len += len;
	seal(f);
}

/* A session with a node that has sent a word. */
static bool meet(struct peer *peer, int sock, unsigned int port)
{
	char got[8];
	struct frame f;

	if (peer_open(peer) || !ask(peer))
		return false;
	begin(peer, &f, DGRAM, F_INTRO);
	put_dgram(&f, SPORT, port, 5);
	put_hello(peer, &f);
	put_text(&f, "intro");
	seal(&f);
	return !emit(peer, &f) && recv_one(sock, got, sizeof(got)) == 5;
}

FIXTURE_SETUP(frags)
{
	if (road()->oracle)
		SKIP(return, "frames of weft have no oracle");
	ROAD_OR_SKIP();
	self->other.fd = -1;
	self->sock = bound_socket(END_B, SOCK_DGRAM, &self->addr);
	ASSERT_LE(0, self->sock);
	self->port = addr_port(&self->addr);
	ASSERT_TRUE(meet(&self->peer, self->sock, self->port));
}

FIXTURE_TEARDOWN(frags)
{
	close(self->peer.fd);
	close(self->other.fd);
	close(self->sock);
}

#define SEND_PIECE(peer, id, offset, len, total) do {			\
	struct frame f_;						\
	build_piece(peer, &f_, self->port, id, offset, len, total);	\
	ASSERT_EQ(0, emit(peer, &f_));					\
} while (0)

/* The next datagram is the whole of the one named @id. */
#define EXPECT_WHOLE(id, total) do {					\
	static char got_[65536];					\
	EXPECT_EQ(total, recv_one(self->sock, got_, sizeof(got_)));	\
	EXPECT_TRUE(pattern_is(got_, total, id));			\
} while (0)

struct counting {
	const char *name;
	long long until;
};

static bool has_counted(void *arg)
{
	struct counting *c = arg;

	return count_of(c->name) >= c->until;
}

/* Whether a counter comes to be @n more than @before. */
static bool counts(const char *name, long long before, int n)
{
	struct counting c = { name, before + n };

	return eventually(has_counted, &c) && count_of(name) == before + n;
}

TEST_F(frags, in_order)
{
	long long before = count_of("dgrams_joined");

	SEND_PIECE(&self->peer, 1, 0, PIECE, 2500);
	SEND_PIECE(&self->peer, 1, 1000, PIECE, 2500);
	EXPECT_EQ(0, events_now(self->sock, POLLIN));
	SEND_PIECE(&self->peer, 1, 2000, 500, 2500);
	EXPECT_WHOLE(1, 2500);
	EXPECT_EQ(before + 1, count_of("dgrams_joined"));
}

TEST_F(frags, in_any_order)
{
	static const unsigned char orders[][3] = {
		{ 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 },
	};
	size_t i, k;

	for (i = 0; i < ARRAY_SIZE(orders); i++) {
		for (k = 0; k < 3; k++)
			SEND_PIECE(&self->peer, 10 + i, orders[i][k] * PIECE,
				   orders[i][k] == 2 ? 1 : PIECE, 2001);
		EXPECT_WHOLE(10 + i, 2001);
	}
}

TEST_F(frags, of_two_datagrams_in_turn)
{
	SEND_PIECE(&self->peer, 1, 0, PIECE, 2000);
	SEND_PIECE(&self->peer, 2, 0, PIECE, 2000);
	SEND_PIECE(&self->peer, 2, 1000, PIECE, 2000);
	SEND_PIECE(&self->peer, 1, 1000, PIECE, 2000);
	EXPECT_WHOLE(2, 2000);
	EXPECT_WHOLE(1, 2000);
}

/* An id is that of one node: another's is another's. */
TEST_F(frags, of_two_nodes_with_one_id)
{
	ASSERT_TRUE(meet(&self->other, self->sock, self->port));
	SEND_PIECE(&self->peer, 1, 0, PIECE, 2000);
	SEND_PIECE(&self->other, 1, 1000, PIECE, 2000);
	EXPECT_EQ(0, events_now(self->sock, POLLIN));
	SEND_PIECE(&self->other, 1, 0, PIECE, 2000);
	EXPECT_WHOLE(1, 2000);
	SEND_PIECE(&self->peer, 1, 1000, PIECE, 2000);
	EXPECT_WHOLE(1, 2000);
}

TEST_F(frags, twice_is_heard_once)
{
	long long before = count_of("drop_fragment");
	int i;

	for (i = 0; i < 2; i++)
		SEND_PIECE(&self->peer, 1, 0, PIECE, 2000);
	EXPECT_TRUE(counts("drop_fragment", before, 1));
	SEND_PIECE(&self->peer, 1, 1000, PIECE, 2000);
	EXPECT_WHOLE(1, 2000);
	EXPECT_EQ(0, events_now(self->sock, POLLIN));
}

/* Each of these is dropped, and the datagram is whole all the same. */
TEST_F(frags, contradictions_are_dropped)
{
	static const struct {
		unsigned int offset;
		unsigned int len;
		unsigned int total;
	} wrong[] = {
		{ 500, 1000, 3000 },	/* overlaps */
		{ 900, 300, 3000 },
		{ 0, 1001, 3000 },
		{ 1000, 1000, 3001 },	/* another total */
		{ 1000, 1000, 2000 },
		{ 1000, 10, 3000 },	/* smaller than any frame makes them */
		{ 1000, 0, 3000 },
	};
	size_t i;

	SEND_PIECE(&self->peer, 1, 0, PIECE, 3000);
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		long long before = count_of("drop_fragment");

		SEND_PIECE(&self->peer, 1, wrong[i].offset, wrong[i].len,
			   wrong[i].total);
		EXPECT_TRUE(counts("drop_fragment", before, 1)) {
			TH_LOG("case %zu", i);
		}
	}
	SEND_PIECE(&self->peer, 1, 1000, PIECE, 3000);
	SEND_PIECE(&self->peer, 1, 2000, PIECE, 3000);
	EXPECT_WHOLE(1, 3000);
}

TEST_F(frags, larger_than_any_datagram)
{
	long long before = count_of("drop_fragment");

	SEND_PIECE(&self->peer, 1, 0, PIECE, 65001);
	EXPECT_TRUE(counts("drop_fragment", before, 1));
	SEND_PIECE(&self->peer, 2, 4000000, PIECE, 4001000);
	EXPECT_TRUE(counts("drop_fragment", before, 2));
}

TEST_F(frags, for_nobody_are_refused_once)
{
	long long before = count_of("drop_port"), resets = count_of("out_reset");

	CLOSE(self->sock);
	SEND_PIECE(&self->peer, 1, 0, PIECE, 2000);
	SEND_PIECE(&self->peer, 1, 1000, PIECE, 2000);
	EXPECT_TRUE(counts("drop_port", before, 2));
	EXPECT_EQ(resets + 1, count_of("out_reset"));
}

TEST_F(frags, never_whole_are_given_up)
{
	long long before = count_of("drop_fragment");

	SEND_PIECE(&self->peer, 1, 0, PIECE, 3000);
	SEND_PIECE(&self->peer, 1, 2000, PIECE, 3000);
	EXPECT_TRUE(counts("drop_fragment", before, 2));
	/* The rest comes too late. */
	SEND_PIECE(&self->peer, 1, 1000, PIECE, 3000);
	SEND_PIECE(&self->peer, 2, 0, PIECE, 2000);
	SEND_PIECE(&self->peer, 2, 1000, PIECE, 2000);
	EXPECT_WHOLE(2, 2000);
	EXPECT_EQ(0, events_now(self->sock, POLLIN));
}

/* A node that fills what it may have costs another nothing. */
static int limit_fragments(const char *bytes)
{
	int err = enter_end(END_B) ?:
		  write_file("/proc/sys/net/weft/limits/fragments", bytes);

	return leave_end(END_B) ?: err;
}

TEST_F(frags, flood_of_one_node_is_its_own_loss)
{
	long long before = count_of("drop_limit");
	unsigned int i;

	ASSERT_TRUE(meet(&self->other, self->sock, self->port));
	/* So small that the flood is over before our own is too old. */
	ASSERT_EQ(0, limit_fragments("1048576"));
	SEND_PIECE(&self->peer, 1, 0, PIECE, 2000);
	for (i = 0; i < 500; i++)
		SEND_PIECE(&self->other, 100 + i, 0, PIECE, 65000);
	for (i = 0; i < 60; i++)
		SEND_PIECE(&self->other, 5000, i * PIECE, PIECE, 65000);
	SEND_PIECE(&self->peer, 1, 1000, PIECE, 2000);
	EXPECT_WHOLE(1, 2000);
	EXPECT_LT(before, count_of("drop_limit"));
	EXPECT_EQ(0, limit_fragments("4194304"));
}

/* A datagram in so many pieces that it takes more than one node may have. */
TEST_F(frags, of_more_memory_than_a_node_may_have)
{
	long long before = count_of("drop_limit");
	unsigned int i;

	ASSERT_EQ(0, limit_fragments("1048576"));
	for (i = 0; i < 300; i++)
		SEND_PIECE(&self->peer, 1, i * LEAST_PIECE, LEAST_PIECE, 64800);
	SEND_PIECE(&self->peer, 2, 0, PIECE, 2000);
	SEND_PIECE(&self->peer, 2, 1000, PIECE, 2000);
	EXPECT_WHOLE(2, 2000);
	EXPECT_LT(before, count_of("drop_limit"));
	EXPECT_EQ(0, events_now(self->sock, POLLIN));
	EXPECT_EQ(0, limit_fragments("4194304"));
}

/* Some pieces of a large datagram: about 140 kB of memory. */
#define MANY_PIECES	60
#define HAS_ALL		65

#define SEND_PIECES(peer, id, from, to) do {				\
	unsigned int k_;						\
	for (k_ = from; k_ < to; k_++)					\
		SEND_PIECE(peer, id, k_ * PIECE, PIECE, HAS_ALL * PIECE); \
} while (0)

/* Other nodes that have so many pieces each. */
#define FILL_WITH(others) do {						\
	size_t i_;							\
	ASSERT_EQ(0, limit_fragments("1048576"));			\
	for (i_ = 0; i_ < ARRAY_SIZE(others); i_++)			\
		ASSERT_TRUE(meet(&(others)[i_], self->sock, self->port)); \
	for (i_ = 0; i_ < ARRAY_SIZE(others); i_++)			\
		SEND_PIECES(&(others)[i_], 1, 0, MANY_PIECES);		\
} while (0)

/* When all memory is used, whoever has most loses its oldest. */
TEST_F(frags, of_whom_has_most_are_given_up)
{
	long long before = count_of("drop_limit");
	struct peer others[8];
	unsigned int i;

	FILL_WITH(others);
	SEND_PIECES(&self->peer, 1, 0, HAS_ALL);
	EXPECT_WHOLE(1, HAS_ALL * PIECE);
	EXPECT_LE(before + MANY_PIECES, count_of("drop_limit"));
	EXPECT_EQ(0, limit_fragments("4194304"));
	for (i = 0; i < ARRAY_SIZE(others); i++)
		close(others[i].fd);
}

/* And when that is the sender itself, it loses its own. */
TEST_F(frags, of_its_own_are_given_up_by_who_has_most)
{
	struct peer others[6];
	unsigned int i;

	FILL_WITH(others);
	SEND_PIECES(&self->peer, 1, 0, MANY_PIECES);
	SEND_PIECES(&self->peer, 2, 0, HAS_ALL);
	EXPECT_WHOLE(2, HAS_ALL * PIECE);
	for (i = 0; i < ARRAY_SIZE(others); i++) {
		SEND_PIECES(&others[i], 1, MANY_PIECES, HAS_ALL);
		EXPECT_WHOLE(1, HAS_ALL * PIECE);
		close(others[i].fd);
	}
	EXPECT_EQ(0, limit_fragments("4194304"));
}

/* Of many that have little each, none has as much as may be taken from one. */
TEST_F(frags, flood_of_many_nodes_is_their_own_loss)
{
	struct peer others[8];
	unsigned int i, k;

	for (i = 0; i < 20; i++)
		SEND_PIECE(&self->peer, 1, i * PIECE, PIECE, 21000);
	for (i = 0; i < ARRAY_SIZE(others); i++) {
		ASSERT_TRUE(meet(&others[i], self->sock, self->port));
		for (k = 0; k < 32; k++)
			SEND_PIECE(&others[i], 100 + k, 0, SMALL_PIECE, 65000);
	}
	SEND_PIECE(&self->peer, 1, 20 * PIECE, PIECE, 21000);
	EXPECT_WHOLE(1, 21000);
	for (i = 0; i < ARRAY_SIZE(others); i++)
		close(others[i].fd);
}

TEST_HARNESS_MAIN
