// SPDX-License-Identifier: GPL-2.0
/* Note "Hand-over": two engines, and nothing between them. */
#include "bed.h"

struct pair {
	struct bed a;
	struct bed b;
};

/* Both are OPEN, and neither has said anything. */
static struct pair *pair_alloc(struct kunit *test)
{
	struct pair *pair = kunit_kzalloc(test, sizeof(*pair), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, pair);
	bed_in(&pair->a, WEFT_ST_OPEN);
	bed_in(&pair->b, WEFT_ST_OPEN);
	KUNIT_ASSERT_EQ(test, pair->a.e.state, WEFT_ST_OPEN);
	KUNIT_ASSERT_EQ(test, pair->b.e.state, WEFT_ST_OPEN);
	return pair;
}

/* What is written below @end, by hand; false: it cannot be. */
static bool hand(struct bed *from, struct bed *to, u64 end)
{
	if (!weft_engine_may_hand(&from->e, end))
		return false;
	weft_engine_look(&from->e, &to->e);
	if (!weft_engine_may_take(&to->e, from->e.snd_nxt, end))
		return false;
	weft_engine_hand(&from->e, end, &from->pkt);
	to->in = from->pkt;
	bed_input(to);
	weft_engine_took(&to->e);
	from->todo = weft_engine_handed(&from->e, &from->pkt, from->now);
	return true;
}

static bool hand_all(struct bed *from, struct bed *to)
{
	return hand(from, to, from->e.write_end);
}

/* The packet that @from has just sent comes. */
static u32 carry(const struct bed *from, struct bed *to)
{
	to->in = from->pkt;
	return bed_input(to);
}

/* Neither has anything to say, nor waits for anything. */
static void expect_quiet(struct kunit *test, struct bed *bed)
{
	KUNIT_EXPECT_TRUE(test, weft_engine_is_idle(&bed->e));
	KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
	KUNIT_EXPECT_EQ(test, weft_engine_deadline(&bed->e), WEFT_NEVER);
}

static void hand__bytes_are_there_and_known_to_be(struct kunit *test)
{
	struct pair *pair = pair_alloc(test);

	bed_write(&pair->a, 100);
	KUNIT_EXPECT_TRUE(test, hand_all(&pair->a, &pair->b));
	KUNIT_EXPECT_EQ(test, pair->b.todo, WEFT_DO_STORE | WEFT_DO_DELIVER);
	KUNIT_EXPECT_EQ(test, pair->b.e.take.start, 0);
	KUNIT_EXPECT_EQ(test, pair->b.e.take.end, 100);
	KUNIT_EXPECT_EQ(test, pair->b.e.rcv_nxt, 100);
	KUNIT_EXPECT_EQ(test, pair->a.e.snd_una, 100);
	expect_quiet(test, &pair->a);
	expect_quiet(test, &pair->b);
	/* And what is sent goes on from there. */
	bed_write(&pair->a, 50);
	KUNIT_EXPECT_EQ(test, bed_next(&pair->a), WEFT_DATA);
	KUNIT_EXPECT_EQ(test, pair->a.pkt.offset, 100);
	KUNIT_EXPECT_EQ(test, carry(&pair->a, &pair->b),
			WEFT_DO_STORE | WEFT_DO_DELIVER);
}

/* Before that they would come out of order, or twice. */
static void hand__not_before_all_has_arrived(struct kunit *test)
{
	struct pair *pair = pair_alloc(test);

	bed_write(&pair->a, 100);
	KUNIT_EXPECT_EQ(test, bed_next(&pair->a), WEFT_DATA);
	bed_write(&pair->a, 100);
	KUNIT_EXPECT_FALSE(test, hand_all(&pair->a, &pair->b));
	carry(&pair->a, &pair->b);
	KUNIT_EXPECT_FALSE(test, hand_all(&pair->a, &pair->b));
	bed_sleep(&pair->b);
	KUNIT_EXPECT_EQ(test, bed_next(&pair->b), WEFT_ACK);
	carry(&pair->b, &pair->a);
	KUNIT_EXPECT_TRUE(test, hand_all(&pair->a, &pair->b));
	KUNIT_EXPECT_EQ(test, pair->b.e.rcv_nxt, 200);
}

static void hand__no_more_than_is_written(struct kunit *test)
{
	struct pair *pair = pair_alloc(test);

	KUNIT_EXPECT_FALSE(test, hand_all(&pair->a, &pair->b));
	bed_write(&pair->a, 100);
	KUNIT_EXPECT_FALSE(test, hand(&pair->a, &pair->b, 101));
	KUNIT_EXPECT_TRUE(test, hand(&pair->a, &pair->b, 60));
	KUNIT_EXPECT_TRUE(test, hand_all(&pair->a, &pair->b));
	KUNIT_EXPECT_FALSE(test, hand_all(&pair->a, &pair->b));
}

/* The length of a packet has 16 bits. */
static void hand__no_more_than_a_packet_can_say(struct kunit *test)
{
	struct pair *pair = pair_alloc(test);

	weft_engine_admit(&pair->b.e, 1000000);
	bed_write(&pair->a, 200000);
	KUNIT_EXPECT_FALSE(test, hand(&pair->a, &pair->b, 65536));
	KUNIT_EXPECT_FALSE(test, hand(&pair->a, &pair->b, WEFT_SUPER_MAX + 1));
	KUNIT_EXPECT_TRUE(test, hand(&pair->a, &pair->b, WEFT_SUPER_MAX));
	KUNIT_EXPECT_EQ(test, pair->b.e.rcv_nxt, WEFT_SUPER_MAX);
}

/* And the sender learns of it where it has not been told. */
static void hand__no_more_than_the_reader_admits(struct kunit *test)
{
	struct pair *pair = pair_alloc(test);

	bed_write(&pair->a, 2 * BED_WINDOW);
	KUNIT_EXPECT_TRUE(test, hand(&pair->a, &pair->b, BED_WINDOW - 2000));
	KUNIT_EXPECT_FALSE(test, hand(&pair->a, &pair->b, BED_WINDOW + 1));
	KUNIT_EXPECT_EQ(test, pair->a.e.snd_limit, BED_WINDOW);
	weft_engine_admit(&pair->b.e, BED_WINDOW + 5000);
	KUNIT_EXPECT_TRUE(test, hand(&pair->a, &pair->b, BED_WINDOW + 5000));
	KUNIT_EXPECT_FALSE(test, hand(&pair->a, &pair->b, BED_WINDOW + 5001));
	KUNIT_EXPECT_EQ(test, pair->a.e.snd_limit, BED_WINDOW + 5000);
	KUNIT_EXPECT_EQ(test, bed_next(&pair->a), BED_NONE);
	/* A sender that waits for room asks for it as ever. */
	KUNIT_EXPECT_NE(test, weft_engine_deadline(&pair->a.e), WEFT_NEVER);
}

/* What lies behind a gap came as packets, and so does what fills it. */
static void hand__not_into_a_gap(struct kunit *test)
{
	struct pair *pair = pair_alloc(test);

	bed_hear(&pair->b, .kind = WEFT_DATA, .offset = 1000, .plen = 100);
	bed_write(&pair->a, 100);
	KUNIT_EXPECT_FALSE(test, hand_all(&pair->a, &pair->b));
}

/* An acknowledgment that waited for such bytes goes with them. */
static void hand__brings_an_acknowledgment(struct kunit *test)
{
	struct pair *pair = pair_alloc(test);

	bed_write(&pair->b, 100);
	KUNIT_EXPECT_EQ(test, bed_next(&pair->b), WEFT_DATA);
	carry(&pair->b, &pair->a);
	KUNIT_EXPECT_NE(test, pair->a.e.ack_ns, WEFT_NEVER);
	bed_write(&pair->a, 100);
	KUNIT_EXPECT_TRUE(test, hand_all(&pair->a, &pair->b));
	KUNIT_EXPECT_TRUE(test, pair->b.todo & WEFT_DO_FREE);
	KUNIT_EXPECT_EQ(test, pair->b.e.snd_una, 100);
	expect_quiet(test, &pair->a);
	expect_quiet(test, &pair->b);
}

static void hand__opens_an_end_that_was_not_sure(struct kunit *test)
{
	struct pair *pair = pair_alloc(test);

	bed_in(&pair->b, WEFT_ST_ACCEPTED);
	bed_write(&pair->a, 100);
	KUNIT_EXPECT_TRUE(test, hand_all(&pair->a, &pair->b));
	KUNIT_EXPECT_TRUE(test, pair->b.todo & WEFT_DO_UP);
	KUNIT_EXPECT_EQ(test, pair->b.e.state, WEFT_ST_OPEN);
	expect_quiet(test, &pair->b);
	/* That end itself does not know yet whether the opener is there. */
	bed_in(&pair->a, WEFT_ST_ACCEPTED);
	bed_write(&pair->a, 100);
	KUNIT_EXPECT_FALSE(test, hand_all(&pair->a, &pair->b));
}

/* A flow from a to b begins. */
static void meet_as_it_is(struct pair *pair)
{
	struct bed *a = &pair->a, *b = &pair->b;

	bed_in(b, WEFT_ST_IDLE);
	weft_engine_open(&a->e, a->now);
	weft_engine_hand_open(&a->e, &a->pkt);
	weft_engine_accept(&b->e, &a->pkt, b->now);
	a->todo = weft_engine_meet(&a->e, &b->e, &a->pkt, a->now);
}

static void meet(struct pair *pair)
{
	bed_in(&pair->a, WEFT_ST_IDLE);
	meet_as_it_is(pair);
}

/* It does for both what the packets do, and is over at once. */
static void hand__a_flow_begins(struct kunit *test)
{
	struct pair *pair = pair_alloc(test);
	struct bed *a = &pair->a, *b = &pair->b;

	meet(pair);
	KUNIT_EXPECT_EQ(test, a->pkt.kind, WEFT_OPEN);
	KUNIT_EXPECT_EQ(test, a->pkt.max_message, 100000);
	KUNIT_EXPECT_EQ(test, a->pkt.plen, 0);
	KUNIT_EXPECT_EQ(test, a->pkt.time, 0);
	KUNIT_EXPECT_TRUE(test, a->todo & WEFT_DO_UP);
	KUNIT_EXPECT_EQ(test, a->e.state, WEFT_ST_OPEN);
	KUNIT_EXPECT_EQ(test, b->e.state, WEFT_ST_OPEN);
	KUNIT_EXPECT_EQ(test, a->e.peer_max_message, 100000);
	KUNIT_EXPECT_EQ(test, b->e.peer_max_message, 100000);
	KUNIT_EXPECT_EQ(test, a->e.snd_limit, BED_WINDOW);
	KUNIT_EXPECT_EQ(test, b->e.snd_limit, BED_WINDOW);
	expect_quiet(test, a);
	expect_quiet(test, b);
	/* No time was taken, and none is learnt. */
	KUNIT_EXPECT_EQ(test, a->e.rtt.srtt_ns, 0);
	KUNIT_EXPECT_EQ(test, b->e.rtt.srtt_ns, 0);
	bed_write(a, 100);
	bed_write(b, 200);
	KUNIT_EXPECT_TRUE(test, hand_all(a, b));
	KUNIT_EXPECT_EQ(test, bed_next(b), WEFT_DATA);
	KUNIT_EXPECT_EQ(test, carry(b, a), WEFT_DO_STORE | WEFT_DO_DELIVER);
}

/* The first that goes as a packet, and is lost, goes again soon. */
static void hand__a_flow_that_began_is_near(struct kunit *test)
{
	struct pair *pair = pair_alloc(test);
	struct bed *ends[] = { &pair->a, &pair->b };
	unsigned int i;

	meet(pair);
	for (i = 0; i < 2; i++) {
		bed_write(ends[i], 100);
		KUNIT_EXPECT_EQ(test, bed_next(ends[i]), WEFT_DATA);
		KUNIT_EXPECT_EQ(test, weft_engine_deadline(&ends[i]->e),
				ends[i]->now + WEFT_RTO_MIN_NS);
		bed_sleep(ends[i]);
		KUNIT_EXPECT_EQ(test, bed_next(ends[i]), WEFT_DATA);
	}
}

/* What was written before it waits for the flow to begin, and goes then. */
static void hand__a_flow_begins_with_bytes(struct kunit *test)
{
	struct pair *pair = pair_alloc(test);
	struct bed *a = &pair->a, *b = &pair->b;

	bed_in(a, WEFT_ST_IDLE);
	bed_write(a, 100);
	weft_engine_shutdown(&a->e);
	meet_as_it_is(pair);
	KUNIT_EXPECT_EQ(test, bed_next(a), WEFT_CLOSE);
	KUNIT_EXPECT_EQ(test, a->pkt.plen, 100);
	KUNIT_EXPECT_EQ(test, carry(a, b), WEFT_DO_STORE | WEFT_DO_DELIVER |
					   WEFT_DO_EOF);
}

/* Where nobody has taken it, OPEN goes as a packet. */
static void hand__a_flow_that_nobody_takes(struct kunit *test)
{
	struct pair *pair = pair_alloc(test);
	struct bed *a = &pair->a;

	bed_in(a, WEFT_ST_IDLE);
	weft_engine_open(&a->e, a->now);
	weft_engine_hand_open(&a->e, &a->pkt);
	KUNIT_EXPECT_FALSE(test, weft_engine_is_idle(&a->e));
	KUNIT_EXPECT_EQ(test, bed_next(a), WEFT_OPEN);
	KUNIT_EXPECT_NE(test, a->pkt.time, 0);
}

static void hand__both_ends_of_the_stream(struct kunit *test)
{
	struct pair *pair = pair_alloc(test);

	KUNIT_EXPECT_FALSE(test, hand_all(&pair->a, &pair->b));
	weft_engine_shutdown(&pair->a.e);
	KUNIT_EXPECT_TRUE(test, hand_all(&pair->a, &pair->b));
	KUNIT_EXPECT_EQ(test, pair->b.todo, WEFT_DO_EOF);
	KUNIT_EXPECT_EQ(test, pair->a.e.state, WEFT_ST_SENT_CLOSE);
	KUNIT_EXPECT_EQ(test, pair->b.e.state, WEFT_ST_GOT_CLOSE);
	KUNIT_EXPECT_FALSE(test, hand_all(&pair->a, &pair->b));
	expect_quiet(test, &pair->a);
	expect_quiet(test, &pair->b);

	bed_write(&pair->b, 100);
	weft_engine_shutdown(&pair->b.e);
	KUNIT_EXPECT_TRUE(test, hand_all(&pair->b, &pair->a));
	KUNIT_EXPECT_TRUE(test, hand_all(&pair->b, &pair->a));
	KUNIT_EXPECT_TRUE(test, pair->b.todo & WEFT_DO_DONE);
	KUNIT_EXPECT_TRUE(test, pair->a.todo & WEFT_DO_DONE);
	KUNIT_EXPECT_EQ(test, pair->a.e.state, WEFT_ST_DONE);
	KUNIT_EXPECT_EQ(test, pair->b.e.state, WEFT_ST_DONE);
	expect_quiet(test, &pair->a);
	expect_quiet(test, &pair->b);
}

/* The peer was asked whether it is there, and has been heard of by hand. */
static void hand__keeps_the_flow(struct kunit *test)
{
	static const struct weft_keep keep = {
		.idle_ns = 10 * SIM_SEC, .interval_ns = SIM_SEC, .count = 3,
	};
	struct pair *pair = pair_alloc(test);

	weft_engine_set_keep(&pair->a.e, &keep, 0);
	bed_sleep(&pair->a);
	KUNIT_EXPECT_EQ(test, bed_next(&pair->a), WEFT_PROBE);
	pair->b.now = pair->a.now;
	bed_write(&pair->a, 1);
	KUNIT_EXPECT_TRUE(test, hand_all(&pair->a, &pair->b));
	KUNIT_EXPECT_EQ(test, weft_engine_deadline(&pair->a.e),
			pair->a.now + 10 * SIM_SEC);
}

/* An ACK that was on its way before comes late, and the packet once more. */
static void hand__late_packets_do_no_harm(struct kunit *test)
{
	struct pair *pair = pair_alloc(test);
	struct weft_pkt data, ack;

	bed_write(&pair->a, 100);
	bed_next(&pair->a);
	data = pair->a.pkt;
	carry(&pair->a, &pair->b);
	bed_sleep(&pair->b);
	bed_next(&pair->b);
	ack = pair->b.pkt;
	carry(&pair->b, &pair->a);
	bed_write(&pair->a, 100);
	KUNIT_EXPECT_TRUE(test, hand_all(&pair->a, &pair->b));
	pair->a.in = ack;
	KUNIT_EXPECT_EQ(test, bed_input(&pair->a), 0);
	pair->b.in = data;
	KUNIT_EXPECT_EQ(test, bed_input(&pair->b), 0);
	KUNIT_EXPECT_EQ(test, pair->a.e.snd_una, 200);
	KUNIT_EXPECT_EQ(test, pair->b.e.rcv_nxt, 200);
	KUNIT_EXPECT_EQ(test, bed_next(&pair->b), WEFT_ACK);
	KUNIT_EXPECT_EQ(test, pair->b.pkt.ack, 200);
}

static struct kunit_case hand_cases[] = {
	KUNIT_CASE(hand__bytes_are_there_and_known_to_be),
	KUNIT_CASE(hand__not_before_all_has_arrived),
	KUNIT_CASE(hand__no_more_than_is_written),
	KUNIT_CASE(hand__no_more_than_a_packet_can_say),
	KUNIT_CASE(hand__no_more_than_the_reader_admits),
	KUNIT_CASE(hand__not_into_a_gap),
	KUNIT_CASE(hand__brings_an_acknowledgment),
	KUNIT_CASE(hand__opens_an_end_that_was_not_sure),
	KUNIT_CASE(hand__a_flow_begins),
	KUNIT_CASE(hand__a_flow_begins_with_bytes),
	KUNIT_CASE(hand__a_flow_that_began_is_near),
	KUNIT_CASE(hand__a_flow_that_nobody_takes),
	KUNIT_CASE(hand__both_ends_of_the_stream),
	KUNIT_CASE(hand__keeps_the_flow),
	KUNIT_CASE(hand__late_packets_do_no_harm),
	{}
};

static struct kunit_suite hand_suite = {
	.name = "weft_hand",
	.test_cases = hand_cases,
};

kunit_test_suite(hand_suite);
