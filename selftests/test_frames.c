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
			for (len = ETH_BYTES; len < f.len; len++) {
				EXPECT_TRUE(is_dropped(&self->peer, &f, len,
						       "drop_short", NULL)) {
					TH_LOG("kind %d flags %x length %zu",
					       kind, flags, len);
				}
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

/* A card may hear more than its own, and a switch send more than it should. */
TEST_F(frames, for_other_machines_are_dropped)
{
	static const unsigned char others[][6] = {
		{ 0x02, 0x66, 0x01, 0x02, 0x03, 0x05 },
		{ 0x03, 0x77, 0x65, 0x66, 0x74, 0x00 },
		{ 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
	};
	struct frame f;
	size_t i;

	build_text(&self->peer, &f, 0, self->port, "text");
	for (i = 0; i < ARRAY_SIZE(others); i++) {
		memcpy(f.bytes, others[i], 6);
		EXPECT_TRUE(is_dropped(&self->peer, &f, f.len, "drop_foreign",
				       NULL));
	}
}

TEST_F(frames, from_a_group_are_dropped)
{
	struct frame f;

	build_text(&self->peer, &f, 0, self->port, "text");
	f.bytes[6] |= 1;
	EXPECT_TRUE(is_dropped(&self->peer, &f, f.len, "drop_foreign", NULL));
}

TEST_F(frames, question_to_everybody_is_answered)
{
	struct frame f;

	build(&self->peer, &f, WHO, 0);
	memset(f.bytes, 0xff, 6);
	ASSERT_EQ(0, emit(&self->peer, &f));
	EXPECT_TRUE(await(&self->peer, HERE));
}

/* Of no flow, but of the session itself. */
static void build_bare(struct peer *peer, struct frame *f, int kind)
{
	begin(peer, f, kind, 0);
	put_flow(f, 0, 0, 0);
	if (kind == OPENED)
		put_open(f, 9, 9, SOCK_STREAM);
	seal(f);
}

TEST_F(frames, of_no_flow)
{
	static const int kinds[] = { OPENED, DATA, CLOSE };
	long long before;
	struct frame f;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		build_bare(&self->peer, &f, kinds[i]);
		EXPECT_TRUE(is_dropped(&self->peer, &f, f.len, "drop_field",
				       NULL));
	}
	/* An acknowledgement is taken; a probe is answered with one. */
	before = count_of("drop_");
	build_bare(&self->peer, &f, ACK);
	ASSERT_EQ(0, emit(&self->peer, &f));
	build_bare(&self->peer, &f, PROBE);
	ASSERT_EQ(0, emit(&self->peer, &f));
	EXPECT_TRUE(await(&self->peer, ACK));
	EXPECT_EQ(before, count_of("drop_"));
}

/* Another node's, that B has answered and does not know yet. */
static bool be_another(struct peer *other, const struct peer *peer)
{
	*other = *peer;
	other->addr.s6_addr[10] ^= 1;
	other->session ^= 1ULL << 41;
	return ask(other);
}

static void say_another_address(struct peer *p)
{
	p->addr.s6_addr[0] = 0x20;
}

static void say_its_own_address(struct peer *p)
{
	p->addr = p->their_addr;
}

static void say_no_session(struct peer *p)
{
	p->session = 0;
}

/* What no node would say of itself makes none, asked or told. */
TEST_F(frames, hellos_that_cannot_be)
{
	static void (* const lies[])(struct peer *p) = {
		say_another_address, say_its_own_address, say_no_session,
	};
	struct peer liar, other;
	struct frame f;
	size_t i;

	ASSERT_TRUE(be_another(&other, &self->peer));
	for (i = 0; i < ARRAY_SIZE(lies); i++) {
		liar = other;
		lies[i](&liar);
		build(&liar, &f, WHO, 0);
		EXPECT_TRUE(is_dropped(&liar, &f, f.len, "drop_hello", NULL));
		build(&liar, &f, HERE, 0);
		EXPECT_TRUE(is_dropped(&liar, &f, f.len, "drop_hello", NULL));
		build_text(&liar, &f, F_INTRO, self->port, "text");
		EXPECT_TRUE(is_dropped(&liar, &f, f.len, "drop_session", NULL));
	}
	EXPECT_EQ(0, events_now(self->sock, POLLIN));
}

/* 255 bytes are less than any frame may be limited to. */
TEST_F(frames, hello_of_too_small_a_frame)
{
	struct frame f;

	build(&self->peer, &f, WHO, 0);
	f.bytes[AT_PARTS + 46] = 0;
	f.bytes[AT_PARTS + 47] = 255;
	seal(&f);
	EXPECT_TRUE(is_dropped(&self->peer, &f, f.len, "drop_hello", NULL));
	f.bytes[AT_PARTS + 46] = 1;
	f.bytes[AT_PARTS + 47] = 0;
	seal(&f);
	ASSERT_EQ(0, emit(&self->peer, &f));
	EXPECT_TRUE(await(&self->peer, HERE));
}

/* Whoever speaks no version of ours cannot speak to us, whatever it has heard. */
TEST_F(frames, introduction_of_no_version_in_common)
{
	static const unsigned char ranges[][2] = { { 2, 3 }, { 0, 0 } };
	struct peer other;
	struct frame f;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ranges); i++) {
		ASSERT_TRUE(be_another(&other, &self->peer));
		other.version_min = ranges[i][0];
		other.version_max = ranges[i][1];
		build_text(&other, &f, F_INTRO, self->port, "text");
		EXPECT_TRUE(is_dropped(&other, &f, f.len, "drop_version", NULL));
	}
}

TEST_F(frames, question_of_a_known_node_is_answered_as_before)
{
	uint64_t session = self->peer.their_session;

	ASSERT_TRUE(ask(&self->peer));
	EXPECT_EQ(session, self->peer.their_session);
}

/* An answer to a question that nobody has asked again changes nothing. */
TEST_F(frames, answers_for_a_node_that_is_known)
{
	struct peer liar = self->peer;
	struct frame f;

	liar.addr.s6_addr[10] ^= 1;
	build(&liar, &f, HERE, 0);
	EXPECT_TRUE(is_dropped(&liar, &f, f.len, "drop_hello", NULL));
	build(&self->peer, &f, HERE, 0);
	EXPECT_TRUE(is_dropped(&self->peer, &f, f.len, "drop_hello", NULL));
	liar = self->peer;
	liar.version_min = 2;
	liar.version_max = 2;
	build(&liar, &f, HERE, 0);
	EXPECT_TRUE(is_dropped(&liar, &f, f.len, "drop_version", NULL));
	build_text(&self->peer, &f, 0, self->port, "text");
	EXPECT_TRUE(is_taken(&self->peer, &f, self->sock, "text"));
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

/* A node that was never seen opens a flow to a new listener, and says hello. */
static bool begin_flow(FIXTURE_DATA(flow) *flow)
{
	struct peer *peer = &flow->peer;
	struct frame f;

	flow->lis = listener(END_B, SOCK_STREAM, 4, &flow->addr);
	if (flow->lis < 0 || peer_open(peer) || !ask(peer))
		return false;
	build_flow_open(peer, &f, addr_port(&flow->addr), SOCK_STREAM, "hello");
	if (emit(peer, &f) || !await(peer, OPENED))
		return false;
	flow->sock = accepted(flow->lis);
	return flow->sock >= 0;
}

static void end_flow(FIXTURE_DATA(flow) *flow)
{
	close(flow->peer.fd);
	close(flow->sock);
	close(flow->lis);
}

FIXTURE_SETUP(flow)
{
	if (road()->oracle)
		SKIP(return, "frames of weft have no oracle");
	ROAD_OR_SKIP();
	ASSERT_TRUE(begin_flow(self));
	EXPECT_TEXT(self->sock, "hello");
}

FIXTURE_TEARDOWN(flow)
{
	end_flow(self);
}

/* Where the peer of these tests is not. */
static const unsigned char elsewhere[6] = { 0x02, 0x66, 0x01, 0x02, 0x03, 0x04 };

/* So long only he is believed who answers from the old place. */
#define ANSWERS_MS	100

/* Answer the first question for @p as @other; false: too late for that. */
static bool answer_first(struct peer *p, struct peer *other)
{
	long long begun = now_ms();

	while (take_frame(p, 0))
		;
	return !lose_devices(END_B) && answer(other) &&
	       now_ms() < begun + ANSWERS_MS;
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

/* Who comes with the address of @p from elsewhere, and has our answer. */
static bool be_rival(struct peer *rival, const struct peer *p)
{
	*rival = *p;
	memcpy(rival->mac, elsewhere, 6);
	rival->session ^= 1ULL << 42;
	return ask(rival);
}

/* A connection to @port that a rival opens is none yet. */
static bool is_doubted(struct peer *rival, unsigned int port)
{
	struct frame f;

	build_flow_open(rival, &f, port, SOCK_STREAM, "rival");
	return is_dropped(rival, &f, f.len, "drop_conflict", NULL);
}

/* The address is his who answers from where it was. */
TEST_F(flow, a_rival_is_not_heard_while_the_old_one_answers)
{
	long long conflicts = count_of("node_conflicts");
	unsigned int port = addr_port(&self->addr);
	struct peer rival;
	struct frame f;

	ASSERT_TRUE(be_rival(&rival, &self->peer));
	EXPECT_TRUE(is_doubted(&rival, port));
	ASSERT_TRUE(await(&self->peer, PROBE));
	EXPECT_EQ(0, memcmp(self->peer.in.bytes, self->peer.mac, 6));
	build_bare(&self->peer, &f, ACK);
	ASSERT_EQ(0, emit(&self->peer, &f));
	/* One probe is enough for some time. */
	EXPECT_TRUE(is_doubted(&rival, port));
	EXPECT_EQ(conflicts + 1, count_of("node_conflicts"));
	EXPECT_EQ(0, poll(&(struct pollfd){ self->sock, POLLIN, 0 }, 1, 1500));
	build_flow(&self->peer, &f, DATA, 5, "on");
	ASSERT_EQ(0, emit(&self->peer, &f));
	EXPECT_TEXT(self->sock, "on");
	EXPECT_EQ(0, events_now(self->lis, POLLIN));
}

TEST_F(flow, a_rival_is_heard_when_the_old_one_is_silent)
{
	unsigned int port = addr_port(&self->addr);
	struct peer rival;
	struct frame f;
	char got;
	int sock;

	ASSERT_TRUE(be_rival(&rival, &self->peer));
	EXPECT_TRUE(is_doubted(&rival, port));
	ASSERT_NE(0, wait_events(self->sock, POLLIN));
	EXPECT_EQ(ETIMEDOUT, ERR(recv(self->sock, &got, 1, 0)));
	ASSERT_TRUE(ask(&rival));
	build_flow_open(&rival, &f, port, SOCK_STREAM, "rival");
	ASSERT_EQ(0, emit(&rival, &f));
	sock = accepted(self->lis);
	ASSERT_LE(0, sock);
	EXPECT_TEXT(sock, "rival");
	close(sock);
}

/*
 * B has lost the place of @flow's peer, and hears a rival.
 * Return: whether it did before the peer's time to answer was over.
 */
static bool hears_in_time(FIXTURE_DATA(flow) *flow, struct peer *rival,
			  bool *doubted)
{
	long long begun = now_ms();

	*doubted = !lose_devices(END_B) &&
		   is_doubted(rival, addr_port(&flow->addr));
	return now_ms() < begun + ANSWERS_MS;
}

/* While the old place is asked for, nobody else's is it. */
TEST_F(flow, a_rival_while_its_place_is_not_known)
{
	long long end = now_ms() + DEADLINE_MS;
	struct peer rival;
	bool doubted;

	ASSERT_TRUE(be_rival(&rival, &self->peer));
	while (!hears_in_time(self, &rival, &doubted)) {
		/* The place may be the rival's now, as it should. */
		ASSERT_LT(now_ms(), end);
		end_flow(self);
		ASSERT_TRUE(begin_flow(self));
		ASSERT_TRUE(be_rival(&rival, &self->peer));
	}
	EXPECT_TRUE(doubted);
	ASSERT_TRUE(answer(&self->peer));
	EXPECT_TRUE(speaks_to(&self->peer, self->sock));
}

/* Who has its address and not its session answers in vain. */
TEST_F(flow, another_with_its_address_is_ECONNRESET)
{
	struct peer other = self->peer;
	char got;

	other.session ^= 1ULL << 43;
	ASSERT_EQ(0, lose_devices(END_B));
	ASSERT_TRUE(answer(&other));
	ASSERT_NE(0, wait_events(self->sock, POLLIN));
	EXPECT_EQ(ECONNRESET, ERR(recv(self->sock, &got, 1, 0)));
}

/* Whoever says a whole session again does not have it executed again. */
TEST_F(flow, an_ended_session_does_not_begin_anew)
{
	unsigned int port = addr_port(&self->addr);
	struct peer again = self->peer;
	struct frame old, f;
	int sock;

	build_flow_open(&again, &old, port, SOCK_STREAM, "hello");
	build_flow_reset(&self->peer, &f, port);
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
	build_flow_reset(&self->peer, &f, port);
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

	build_flow_reset(&self->peer, &f, addr_port(&self->addr));
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

/* Only who opens a flow says OPEN. */
TEST_F(flow, open_of_a_flow_of_ours_is_reset)
{
	struct frame f;

	begin(&self->peer, &f, OPEN, 0);
	put_flow(&f, FLOW + 50, 0, 0);
	put_open(&f, 99, addr_port(&self->addr), SOCK_STREAM);
	seal(&f);
	EXPECT_TRUE(is_dropped(&self->peer, &f, f.len, "drop_flow", NULL));
	EXPECT_TRUE(await(&self->peer, RESET));
	EXPECT_EQ(0, events_now(self->lis, POLLIN));
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

/* No reader can make sense of what comes behind the length that it says. */
TEST_F(flow, message_longer_than_any)
{
	struct addr addr;
	struct frame f;
	int lis, sock;
	char got;

	lis = listener(END_B, SOCK_SEQPACKET, 1, &addr);
	ASSERT_LE(0, lis);
	begin(&self->peer, &f, OPEN, F_OPENER);
	put_flow(&f, FLOW + 1, 0, 0);
	put_open(&f, 99, addr_port(&addr), SOCK_SEQPACKET);
	seal(&f);
	ASSERT_EQ(0, emit(&self->peer, &f));
	sock = accepted(lis);
	ASSERT_LE(0, sock);
	begin(&self->peer, &f, DATA, F_OPENER);
	put_flow(&f, FLOW + 1, 0, 0);
	put_int(&f, 0xffffffff, 4);
	put_text(&f, "text");
	seal(&f);
	ASSERT_EQ(0, emit(&self->peer, &f));
	ASSERT_NE(0, wait_events(sock, POLLIN));
	EXPECT_EQ(EPROTO, ERR(recv(sock, &got, 1, 0)));
	EXPECT_TRUE(await(&self->peer, RESET));
	close(sock);
	close(lis);
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
