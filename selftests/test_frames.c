// SPDX-License-Identifier: GPL-2.0
/*
 * Frames that no node would send: each is taken for exactly what it says, or
 * dropped for a reason that a counter shows.
 *
 * weft-roads: veth
 * weft-cflags: -pthread
 */
#include "weft_test.h"
#include "peer.h"

FIXTURE(frames)
{
	struct peer peer;
	struct addr addr;	/* of the datagram socket at B */
	int sock;
	unsigned int port;
};

static void build_text(struct peer *peer, struct frame *f, unsigned int flags,
		       unsigned int port, const char *text)
{
	begin(peer, f, DGRAM, flags);
	put_dgram(f, 99, port, strlen(text));
	if (flags & F_INTRO)
		put_hello(peer, f);
	put_text(f, text);
	seal(f);
}

FIXTURE_SETUP(frames)
{
	struct frame f;

	if (road()->oracle)
		SKIP(return, "frames of weft have no oracle");
	ROAD_OR_SKIP();
	ASSERT_EQ(0, peer_open(&self->peer));
	self->sock = bound_socket(END_B, SOCK_DGRAM, &self->addr);
	ASSERT_LE(0, self->sock);
	self->port = addr_port(&self->addr);
	ASSERT_TRUE(ask(&self->peer));
	build_text(&self->peer, &f, F_INTRO, self->port, "intro");
	ASSERT_EQ(0, emit(&self->peer, &f));
	EXPECT_MESSAGE(self->sock, "intro");
}

FIXTURE_TEARDOWN(frames)
{
	close(self->peer.fd);
	close(self->sock);
}

/* A waited-for change of the sum of all drops. */
struct drops {
	long long before;
};

static bool one_more_drop(void *arg)
{
	return count_of("drop_") > ((struct drops *)arg)->before;
}

/*
 * Send @len bytes of a frame.
 * Return: whether it was dropped, once, and for this reason or @other's.
 */
static bool is_dropped(struct peer *peer, const struct frame *f, size_t len,
		       const char *why, const char *other)
{
	struct drops drops = { count_of("drop_") };
	long long here = count_of(why), there = other ? count_of(other) : 0;

	if (emit_len(peer, f, len) || !eventually(one_more_drop, &drops))
		return false;
	if (count_of("drop_") != drops.before + 1)
		return false;
	return count_of(why) > here || (other && count_of(other) > there);
}

/* Send a frame; whether the datagram @text came of it, and no drop. */
static bool is_taken(struct peer *peer, const struct frame *f, int sock,
		     const char *text)
{
	long long before = count_of("drop_");
	char got[256];
	ssize_t n;

	if (emit(peer, f))
		return false;
	n = recv_one(sock, got, sizeof(got));
	return n == (ssize_t)strlen(text) && !memcmp(got, text, n) &&
	       count_of("drop_") == before;
}

/* A whole header of any kind. */
static void build(struct peer *peer, struct frame *f, int kind,
		  unsigned int flags)
{
	begin(peer, f, kind, flags);
	if (kind == WHO || kind == HERE)
		put_hello(peer, f);
	else if (kind == BADSESSION)
		put_int(f, 0x1234, BAD_BYTES);
	else if (kind == CLOSED || kind == RESET)
		put_end(f, 777, 9, 9, 0);
	else if (kind == DGRAM)
		put_dgram(f, 9, 9, 0);
	else
		put_flow(f, 777, 0, 0);
	if (kind == OPEN || kind == OPENED)
		put_open(f, 9, 9, SOCK_STREAM);
	if (flags & F_INTRO)
		put_hello(peer, f);
	f->header_end = f->len;
	seal(f);
}

static bool may_introduce(int kind)
{
	return kind != WHO && kind != HERE && kind != BADSESSION;
}

TEST_F_TIMEOUT(frames, cut_at_every_byte, 300)
{
	struct frame f;
	unsigned int flags;
	size_t len;
	int kind;

	for (kind = 0; kind < KINDS; kind++) {
		for (flags = 0; flags <= F_INTRO; flags += F_INTRO) {
			if (flags && !may_introduce(kind))
				continue;
			build(&self->peer, &f, kind, flags);
			for (len = ETH_BYTES; len < f.len; len++)
				EXPECT_TRUE(is_dropped(&self->peer, &f, len,
						       "drop_short", NULL)) {
					TH_LOG("kind %d flags %x length %zu",
					       kind, flags, len);
				}
		}
	}
}

/* The header says that it is shorter than its kind's; the check is right. */
TEST_F_TIMEOUT(frames, short_header_length_of_every_kind, 300)
{
	struct frame f, cut;
	size_t len;
	int kind;

	for (kind = 0; kind < KINDS; kind++) {
		build(&self->peer, &f, kind, 0);
		for (len = ETH_BYTES; len < f.len; len++) {
			cut = f;
			cut.len = len < AT_PARTS ? AT_PARTS : len;
			cut.bytes[AT_HLEN] = len - ETH_BYTES;
			seal_check(&cut);
			EXPECT_TRUE(is_dropped(&self->peer, &cut, cut.len,
					       "drop_header", "drop_short")) {
				TH_LOG("kind %d length %zu", kind, len);
			}
		}
	}
}

TEST_F(frames, good_one_is_taken)
{
	struct frame f;

	build_text(&self->peer, &f, 0, self->port, "text");
	EXPECT_TRUE(is_taken(&self->peer, &f, self->sock, "text"));
}

TEST_F(frames, padded_datagram_is_cut_to_its_length)
{
	const size_t sizes[] = { 60, 200, 1500 };
	struct frame f;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		build_text(&self->peer, &f, 0, self->port, "x");
		pad_to(&f, sizes[i]);
		EXPECT_TRUE(is_taken(&self->peer, &f, self->sock, "x"));
	}
}

TEST_F(frames, padded_empty_datagram_is_empty)
{
	struct frame f;

	build_text(&self->peer, &f, 0, self->port, "");
	pad_to(&f, 200);
	EXPECT_TRUE(is_taken(&self->peer, &f, self->sock, ""));
}

TEST_F(frames, padded_question_is_answered)
{
	const size_t sizes[] = { 60, 200 };
	struct frame f;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		build(&self->peer, &f, WHO, 0);
		pad_to(&f, sizes[i]);
		ASSERT_EQ(0, emit(&self->peer, &f));
		EXPECT_TRUE(await(&self->peer, HERE));
	}
}

TEST_F(frames, question_for_somebody_else_is_not_answered)
{
	long long before = count_of("out_here");
	struct frame f;

	begin(&self->peer, &f, WHO, 0);
	self->peer.their_addr.s6_addr[15] ^= 1;
	put_hello(&self->peer, &f);
	seal(&f);
	ASSERT_EQ(0, emit(&self->peer, &f));
	build_text(&self->peer, &f, 0, self->port, "behind it");
	ASSERT_EQ(0, emit(&self->peer, &f));
	EXPECT_MESSAGE(self->sock, "behind it");
	EXPECT_EQ(before, count_of("out_here"));
}

TEST_F(frames, unknown_version)
{
	struct frame f;
	int version;

	for (version = 0; version < 16; version++) {
		if (version == 1)
			continue;
		self->peer.version = version;
		build_text(&self->peer, &f, 0, self->port, "text");
		EXPECT_TRUE(is_dropped(&self->peer, &f, f.len, "drop_version",
				       NULL));
	}
}

TEST_F(frames, unknown_kind)
{
	struct frame f;
	int kind;

	for (kind = KINDS; kind < 16; kind++) {
		build_text(&self->peer, &f, 0, self->port, "text");
		f.bytes[AT_VERSION_KIND] = 1 << 4 | kind;
		seal(&f);
		EXPECT_TRUE(is_dropped(&self->peer, &f, f.len, "drop_kind",
				       NULL));
	}
}

TEST_F(frames, unknown_flags)
{
	struct frame f;
	unsigned int flag;

	for (flag = 0x02; flag <= 0x80; flag <<= 1) {
		if (flag == F_INTRO)
			continue;
		build_text(&self->peer, &f, flag, self->port, "text");
		if (flag > F_INTRO) {
			EXPECT_TRUE(is_dropped(&self->peer, &f, f.len,
					       "drop_flag", NULL));
		} else {
			EXPECT_TRUE(is_taken(&self->peer, &f, self->sock,
					     "text"));
		}
	}
}

TEST_F(frames, unknown_session_is_answered_with_its_id)
{
	struct frame f;

	self->peer.their_session ^= 0x5555;
	build_text(&self->peer, &f, 0, self->port, "text");
	EXPECT_TRUE(is_dropped(&self->peer, &f, f.len, "drop_session", NULL));
	ASSERT_TRUE(await(&self->peer, BADSESSION));
	EXPECT_EQ(self->peer.their_session,
		  get_int_at(&self->peer.in, AT_PARTS, 8));
}

TEST_F(frames, eight_unknown_bytes_in_the_header)
{
	struct frame f;

	begin(&self->peer, &f, DGRAM, 0);
	put_dgram(&f, 99, self->port, 4);
	put_int(&f, 0xa5a5a5a5a5a5a5a5ULL, 8);
	f.header_end = f.len;
	put_text(&f, "text");
	seal(&f);
	EXPECT_TRUE(is_taken(&self->peer, &f, self->sock, "text"));
}

TEST_F(frames, longest_header)
{
	struct frame f;

	begin(&self->peer, &f, DGRAM, 0);
	put_dgram(&f, 99, self->port, 4);
	while (f.len < ETH_BYTES + 255)
		put_int(&f, 0xa5, 1);
	f.header_end = f.len;
	put_text(&f, "text");
	seal(&f);
	EXPECT_TRUE(is_taken(&self->peer, &f, self->sock, "text"));
}

TEST_F(frames, wrong_check)
{
	struct frame f;

	build_text(&self->peer, &f, 0, self->port, "text");
	f.bytes[f.len - 1] ^= 1;
	EXPECT_TRUE(is_dropped(&self->peer, &f, f.len, "drop_check", NULL));
}

/* One byte wrong, anywhere: whatever it says now, nobody may hear it. */
TEST_F(frames, one_byte_wrong_anywhere)
{
	struct frame f;
	size_t at;

	for (at = ETH_BYTES; at < ETH_BYTES + START_BYTES + DGRAM_BYTES + 4;
	     at++) {
		build_text(&self->peer, &f, 0, self->port, "text");
		f.bytes[at] ^= 0xff;
		EXPECT_TRUE(is_dropped(&self->peer, &f, f.len, "drop_", NULL)) {
			TH_LOG("byte %zu", at);
		}
	}
	EXPECT_EQ(0, events_now(self->sock, POLLIN));
}

TEST_F(frames, more_payload_than_there_is)
{
	struct frame f;

	build_text(&self->peer, &f, 0, self->port, "text");
	f.bytes[AT_PLEN + 1] = 5;
	seal_check(&f);
	EXPECT_TRUE(is_dropped(&self->peer, &f, f.len, "drop_short", NULL));
}

TEST_F(frames, more_than_the_whole_datagram)
{
	struct frame f;

	begin(&self->peer, &f, DGRAM, 0);
	put_dgram(&f, 99, self->port, 3);
	put_text(&f, "text");
	seal(&f);
	EXPECT_TRUE(is_dropped(&self->peer, &f, f.len, "drop_field", NULL));
}

TEST_F(frames, datagram_for_nobody)
{
	struct frame f;

	CLOSE(self->sock);
	build_text(&self->peer, &f, 0, self->port, "text");
	EXPECT_TRUE(is_dropped(&self->peer, &f, f.len, "drop_port", NULL));
	EXPECT_TRUE(await(&self->peer, RESET));
}

TEST_F(frames, impossible_versions_in_a_hello)
{
	struct frame f;

	self->peer.version_min = 3;
	self->peer.version_max = 2;
	build(&self->peer, &f, WHO, 0);
	EXPECT_TRUE(is_dropped(&self->peer, &f, f.len, "drop_field", NULL));
}

TEST_F(frames, answer_that_nobody_asked_for)
{
	struct frame f;

	self->peer.session++;
	build(&self->peer, &f, HERE, 0);
	EXPECT_TRUE(is_dropped(&self->peer, &f, f.len, "drop_hello", NULL));
}

/* Flows. */
FIXTURE(flow)
{
	struct peer peer;
	struct addr addr;
	int lis;
	int sock;
};

static void build_flow(struct peer *peer, struct frame *f, int kind,
		       uint64_t offset, const char *text)
{
	begin(peer, f, kind, F_OPENER);
	put_flow(f, FLOW, offset, 0);
	put_text(f, text);
	seal(f);
}

FIXTURE_SETUP(flow)
{
	struct frame f;

	if (road()->oracle)
		SKIP(return, "frames of weft have no oracle");
	ROAD_OR_SKIP();
	ASSERT_EQ(0, peer_open(&self->peer));
	self->lis = listener(END_B, SOCK_STREAM, 4, &self->addr);
	ASSERT_LE(0, self->lis);
	ASSERT_TRUE(ask(&self->peer));
	build_flow_open(&self->peer, &f, addr_port(&self->addr), SOCK_STREAM,
			"hello");
	ASSERT_EQ(0, emit(&self->peer, &f));
	ASSERT_TRUE(await(&self->peer, OPENED));
	self->sock = accepted(self->lis);
	ASSERT_LE(0, self->sock);
	EXPECT_TEXT(self->sock, "hello");
}

FIXTURE_TEARDOWN(flow)
{
	close(self->peer.fd);
	close(self->sock);
	close(self->lis);
}

/* Where the peer of these tests is not. */
static const unsigned char elsewhere[6] = { 0x02, 0x66, 0x01, 0x02, 0x03, 0x04 };

/* Answer the first question for @p as @other; false: too late for that. */
static bool answer_first(struct peer *p, struct peer *other)
{
	long long begun = now_ms();

	while (take_frame(p, 0))
		;
	return !lose_devices(END_B) && answer(other) && now_ms() < begun + 100;
}

/* What @sock, whose peer is @p, sends goes to the MAC address of @p. */
static bool speaks_to(struct peer *p, int sock)
{
	return send(sock, "x", 1, 0) == 1 && await(p, DATA) &&
	       !memcmp(p->in.bytes, p->mac, 6);
}

/* A node that was believed wrongly, and does not answer, is asked for so late. */
#define DEAF_MS	3000

/*
 * Whoever repeats an old answer from another place is not believed before the
 * one that is known there has had the time to answer.
 */
TEST_F(flow, the_old_place_is_waited_for)
{
	struct peer other = self->peer;
	long long end = now_ms() + DEADLINE_MS, begun;

	memcpy(other.mac, elsewhere, 6);
	while (begun = now_ms(), !answer_first(&self->peer, &other)) {
		ASSERT_LT(now_ms(), end);
		ASSERT_EQ(0, lose_devices(END_B));
		ASSERT_TRUE(answer(&self->peer));
	}
	ASSERT_TRUE(answer(&self->peer));
	EXPECT_LT(now_ms() - begun, DEAF_MS);
	EXPECT_TRUE(speaks_to(&self->peer, self->sock));
}

/* One that has moved is believed when nobody answered from the old place. */
TEST_F(flow, a_new_place_is_believed)
{
	long long begun = now_ms();

	memcpy(self->peer.mac, elsewhere, 6);
	ASSERT_EQ(0, lose_devices(END_B));
	ASSERT_TRUE(answer(&self->peer));
	ASSERT_TRUE(answer(&self->peer));
	EXPECT_LT(now_ms() - begun, DEAF_MS);
	EXPECT_TRUE(speaks_to(&self->peer, self->sock));
}

static void build_reset(struct peer *peer, struct frame *f, unsigned int port)
{
	begin(peer, f, RESET, F_OPENER);
	put_end(f, FLOW, 99, port, 0);
	seal(f);
}

/* Whoever says a whole session again does not have it executed again. */
TEST_F(flow, an_ended_session_does_not_begin_anew)
{
	unsigned int port = addr_port(&self->addr);
	struct peer again = self->peer;
	struct frame old, f;
	int sock;

	build_flow_open(&again, &old, port, SOCK_STREAM, "hello");
	build_reset(&self->peer, &f, port);
	ASSERT_EQ(0, emit(&self->peer, &f));
	ASSERT_NE(0, wait_events(self->sock, POLLERR));

	/* The node was restarted, and has a session of its own now. */
	self->peer.session ^= 1ULL << 40;
	ASSERT_TRUE(ask(&self->peer));
	build_flow_open(&self->peer, &f, port, SOCK_STREAM, "next");
	ASSERT_EQ(0, emit(&self->peer, &f));
	sock = accepted(self->lis);
	ASSERT_LE(0, sock);
	EXPECT_TEXT(sock, "next");
	build_reset(&self->peer, &f, port);
	ASSERT_EQ(0, emit(&self->peer, &f));
	ASSERT_NE(0, wait_events(sock, POLLERR));
	close(sock);

	ASSERT_EQ(0, emit(&again, &old));
	EXPECT_TRUE(await(&again, BADSESSION));
	EXPECT_EQ(0, events_now(self->lis, POLLIN));
}

TEST_F(flow, padded_data_is_cut_to_its_length)
{
	const size_t sizes[] = { 60, 200 };
	struct frame f;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		build_flow(&self->peer, &f, DATA, 5 + i, "x");
		pad_to(&f, sizes[i]);
		ASSERT_EQ(0, emit(&self->peer, &f));
		EXPECT_TEXT(self->sock, "x");
	}
	build_flow(&self->peer, &f, CLOSE, 7, "");
	pad_to(&f, 200);
	ASSERT_EQ(0, emit(&self->peer, &f));
	EXPECT_EOF(self->sock);
}

TEST_F(flow, data_twice_is_heard_once)
{
	struct frame f;

	build_flow(&self->peer, &f, DATA, 5, "abc");
	ASSERT_EQ(0, emit(&self->peer, &f));
	ASSERT_EQ(0, emit(&self->peer, &f));
	build_flow(&self->peer, &f, DATA, 6, "bcd");
	ASSERT_EQ(0, emit(&self->peer, &f));
	EXPECT_TEXT(self->sock, "abcd");
	EXPECT_EQ(0, events_now(self->sock, POLLIN));
}

TEST_F(flow, data_out_of_order)
{
	struct frame f;

	build_flow(&self->peer, &f, DATA, 8, "def");
	ASSERT_EQ(0, emit(&self->peer, &f));
	build_flow(&self->peer, &f, DATA, 5, "abc");
	ASSERT_EQ(0, emit(&self->peer, &f));
	EXPECT_TEXT(self->sock, "abcdef");
}

TEST_F(flow, open_twice_opens_once)
{
	struct frame f;

	build_flow_open(&self->peer, &f, addr_port(&self->addr), SOCK_STREAM,
			"hello");
	ASSERT_EQ(0, emit(&self->peer, &f));
	build_flow(&self->peer, &f, DATA, 5, "on");
	ASSERT_EQ(0, emit(&self->peer, &f));
	EXPECT_TEXT(self->sock, "on");
	EXPECT_EQ(0, events_now(self->lis, POLLIN));
}

TEST_F(flow, reset_is_ECONNRESET)
{
	struct frame f;
	char got;

	build_reset(&self->peer, &f, addr_port(&self->addr));
	ASSERT_EQ(0, emit(&self->peer, &f));
	ASSERT_NE(0, wait_events(self->sock, POLLIN));
	EXPECT_EQ(ECONNRESET, ERR(recv(self->sock, &got, 1, 0)));
}

/* A forged one must not end what it cannot know the id of. */
TEST_F(flow, BADSESSION_of_another_id_ends_nothing)
{
	struct frame f;

	begin(&self->peer, &f, BADSESSION, 0);
	put_int(&f, self->peer.session ^ 1, BAD_BYTES);
	f.header_end = f.len;
	seal(&f);
	ASSERT_EQ(0, emit(&self->peer, &f));
	build_flow(&self->peer, &f, DATA, 5, "on");
	ASSERT_EQ(0, emit(&self->peer, &f));
	EXPECT_TEXT(self->sock, "on");
}

TEST_F(flow, BADSESSION_of_our_id_is_ECONNRESET)
{
	struct frame f;
	char got;

	begin(&self->peer, &f, BADSESSION, 0);
	put_int(&f, self->peer.session, BAD_BYTES);
	f.header_end = f.len;
	seal(&f);
	ASSERT_EQ(0, emit(&self->peer, &f));
	ASSERT_NE(0, wait_events(self->sock, POLLIN));
	EXPECT_EQ(ECONNRESET, ERR(recv(self->sock, &got, 1, 0)));
}

TEST_F(flow, data_of_a_flow_never_opened_is_reset)
{
	struct frame f;

	begin(&self->peer, &f, DATA, F_OPENER);
	put_flow(&f, FLOW + 50, 0, 0);
	put_text(&f, "text");
	seal(&f);
	EXPECT_TRUE(is_dropped(&self->peer, &f, f.len, "drop_flow", NULL));
	EXPECT_TRUE(await(&self->peer, RESET));
}

TEST_F(flow, open_for_nobody_is_refused)
{
	struct frame f;

	begin(&self->peer, &f, OPEN, F_OPENER);
	put_flow(&f, FLOW + 1, 0, 0);
	put_open(&f, 99, 1, SOCK_STREAM);
	seal(&f);
	EXPECT_TRUE(is_dropped(&self->peer, &f, f.len, "drop_port", NULL));
	ASSERT_TRUE(await(&self->peer, RESET));
	/* reason: nobody listens there */
	EXPECT_EQ(1, get_int_at(&self->peer.in, AT_PARTS + 12, 4));
}

TEST_F(flow, offsets_that_wrap)
{
	struct frame f;

	build_flow(&self->peer, &f, DATA, UINT64_MAX - 1, "text");
	EXPECT_TRUE(is_dropped(&self->peer, &f, f.len, "drop_field", NULL));
}

TEST_F(flow, data_beyond_the_window_is_not_kept)
{
	struct frame f;

	build_flow(&self->peer, &f, DATA, 1ULL << 40, "text");
	ASSERT_EQ(0, emit(&self->peer, &f));
	build_flow(&self->peer, &f, DATA, 5, "on");
	ASSERT_EQ(0, emit(&self->peer, &f));
	EXPECT_TEXT(self->sock, "on");
	EXPECT_EQ(0, events_now(self->sock, POLLIN));
}

TEST_HARNESS_MAIN
