// SPDX-License-Identifier: GPL-2.0
#include "bed.h"

/* An open flow that sent @n records of one segment, 1 ms apart. */
static struct weft_engine *sent(struct kunit *test, unsigned int n)
{
	struct bed *bed = kunit_kzalloc(test, sizeof(*bed), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, bed);
	bed_connect(bed);
	for (i = 0; i < n; i++)
		weft_rtx_sent(&bed->e, bed->e.snd_nxt + BED_MSS,
			      i * SIM_MS);
	bed->e.write_end = bed->e.snd_nxt;
	KUNIT_EXPECT_EQ(test, bed->e.rtt.srtt_ns, BED_RTT);
	return &bed->e;
}

static unsigned int count(const struct weft_engine *e, u8 flag)
{
	unsigned int i, n = 0;

	for (i = 0; i < e->nr_recs; i++)
		n += !!(weft_rtx_at(e, i)->flags & flag);
	return n;
}

static void sack(struct weft_engine *e, u64 start, u64 end, u64 now)
{
	const struct weft_range range = { start, end };

	weft_rtx_sacked(e, &range, 0, now);
}

static void rtx_acked__whole_and_in_part(struct kunit *test)
{
	struct weft_engine *e = sent(test, 4);

	weft_rtx_acked(e, 2 * BED_MSS + 300, 0, 20 * SIM_MS);
	KUNIT_EXPECT_EQ(test, e->nr_recs, 2);
	KUNIT_EXPECT_EQ(test, weft_rtx_at(e, 0)->start, 2 * BED_MSS + 300);
	KUNIT_EXPECT_EQ(test, e->in_flight, 2 * BED_MSS - 300);
	KUNIT_EXPECT_EQ(test, e->delivered, 2 * BED_MSS + 300);
	KUNIT_EXPECT_EQ(test, e->tx->rack_end, 2 * BED_MSS + 300);
	KUNIT_EXPECT_TRUE(test, !sim_check(e));
}

static void rtx_acked__the_ring_goes_round(struct kunit *test)
{
	struct weft_engine *e = sent(test, 40);
	unsigned int i;

	for (i = 1; i < 200; i++) {
		weft_rtx_acked(e, i * BED_MSS, 0, (20 + i) * SIM_MS);
		weft_rtx_sent(e, e->snd_nxt + BED_MSS, (40 + i) * SIM_MS);
		e->write_end = e->snd_nxt;
		KUNIT_ASSERT_TRUE(test, !sim_check(e));
	}
	KUNIT_EXPECT_EQ(test, e->nr_recs, 40);
}

static void rtx_sacked__splits_at_both_edges(struct kunit *test)
{
	struct weft_engine *e = sent(test, 4);

	sack(e, BED_MSS + 200, 2 * BED_MSS + 500, 20 * SIM_MS);
	KUNIT_EXPECT_EQ(test, e->nr_recs, 5);
	KUNIT_EXPECT_EQ(test, count(e, WEFT_REC_SACKED), 1);
	KUNIT_EXPECT_EQ(test, e->delivered, BED_MSS + 300);
	KUNIT_EXPECT_TRUE(test, !sim_check(e));
	/* The same once more is nothing new. */
	sack(e, BED_MSS + 200, 2 * BED_MSS + 500, 21 * SIM_MS);
	KUNIT_EXPECT_EQ(test, e->delivered, BED_MSS + 300);
	KUNIT_EXPECT_EQ(test, e->nr_recs, 5);
}

/* In any order: what arrived side by side is one record. */
static void rtx_sacked__neighbours_become_one(struct kunit *test)
{
	u64 state = 5;
	unsigned int round, n, at, i;
	u8 both;

	for (round = 0; round < 50; round++) {
		struct weft_engine *e = sent(test, 20);

		weft_rtx_acked(e, round % 10 * BED_MSS, 0, SIM_SEC);
		while (e->nr_recs < 20)
			weft_rtx_sent(e, e->snd_nxt + BED_MSS, SIM_SEC);
		e->write_end = e->snd_nxt;
		for (n = 0; n < 30; n++) {
			at = 1 + (u32)(sim_random(&state) >> 40) % 19;
			sack(e, e->snd_una + at * BED_MSS,
			     e->snd_una + (at + 1) * BED_MSS, SIM_SEC);
			KUNIT_ASSERT_TRUE(test, !sim_check(e));
			for (i = 1, both = 0; i < e->nr_recs; i++)
				both |= weft_rtx_at(e, i)->flags &
					weft_rtx_at(e, i - 1)->flags;
			KUNIT_ASSERT_EQ(test, both, 0);
		}
	}
}

static void rtx_sacked__a_part_needs_a_free_record(struct kunit *test)
{
	struct weft_engine *e = sent(test, BED_RECORDS);

	sack(e, 200, 500, 20 * SIM_MS);
	KUNIT_EXPECT_EQ(test, e->delivered, 0);
	sack(e, 200, 2 * BED_MSS + 1, 20 * SIM_MS);
	KUNIT_EXPECT_EQ(test, e->delivered, BED_MSS);
	KUNIT_EXPECT_TRUE(test, !sim_check(e));
}

/* Nobody makes many records of one by acknowledging single bytes. */
static void rtx_sacked__less_than_a_segment_splits_nothing(struct kunit *test)
{
	struct weft_engine *e = sent(test, 4);
	u64 at;

	for (at = 1; at < 100; at += 2) {
		sack(e, at, at + 1, 20 * SIM_MS);
		sack(e, 2 * BED_MSS - at - 1, 2 * BED_MSS - at, 20 * SIM_MS);
	}
	KUNIT_EXPECT_EQ(test, e->nr_recs, 4);
	KUNIT_EXPECT_EQ(test, e->delivered, 0);
	KUNIT_EXPECT_TRUE(test, !sim_check(e));
}

/* Of a super-packet each segment is acknowledged, the short last one, too. */
static void rtx_sacked__segments_of_a_super_packet(struct kunit *test)
{
	struct weft_engine *e = sent(test, 1);

	weft_rtx_sent(e, e->snd_nxt + 3 * BED_MSS + 1, SIM_MS);
	e->write_end = e->snd_nxt;
	sack(e, 4 * BED_MSS, 4 * BED_MSS + 1, 20 * SIM_MS);
	sack(e, 2 * BED_MSS, 3 * BED_MSS, 20 * SIM_MS);
	KUNIT_EXPECT_EQ(test, e->delivered, BED_MSS + 1);
	KUNIT_EXPECT_EQ(test, e->nr_recs, 5);
	KUNIT_EXPECT_TRUE(test, !sim_check(e));
}

static void rtx_sacked__all_splits_of_a_ring(struct kunit *test)
{
	unsigned int turn, at;

	for (turn = 0; turn < 20; turn++)
		for (at = 0; at < 10; at++) {
			struct weft_engine *e = sent(test, 10);

			e->first_rec = 0;
			weft_rtx_acked(e, turn % 10 * BED_MSS, 0, SIM_SEC);
			while (e->nr_recs < 10)
				weft_rtx_sent(e, e->snd_nxt + BED_MSS,
					      SIM_SEC);
			e->write_end = e->snd_nxt;
			sack(e, e->snd_una + at * BED_MSS + 200,
			     e->snd_una + at * BED_MSS + 400, SIM_SEC);
			KUNIT_ASSERT_TRUE(test, !sim_check(e));
			KUNIT_ASSERT_EQ(test, e->nr_recs, 12);
		}
}

static void rtx_detect__in_order_finds_nothing(struct kunit *test)
{
	struct weft_engine *e = sent(test, 10);

	weft_rtx_acked(e, 3 * BED_MSS, 0, 30 * SIM_MS);
	weft_rtx_detect(e, SIM_SEC);
	KUNIT_EXPECT_EQ(test, e->lost_bytes, 0);
	KUNIT_EXPECT_EQ(test, e->reorder_ns, WEFT_NEVER);
}

static void rtx_detect__waits_a_quarter_of_the_least_rtt(struct kunit *test)
{
	struct weft_engine *e = sent(test, 3);
	u64 due = 22 * SIM_MS + BED_RTT / 4 - 2 * SIM_MS;

	/* Of what was sent at 0, 1 and 2 ms the last is here 20 ms later. */
	sack(e, 2 * BED_MSS, 3 * BED_MSS, 22 * SIM_MS);
	weft_rtx_detect(e, 22 * SIM_MS);
	KUNIT_EXPECT_EQ(test, e->lost_bytes, 0);
	KUNIT_EXPECT_EQ(test, e->reorder_ns, due);
	weft_rtx_detect(e, due);
	KUNIT_EXPECT_EQ(test, e->lost_bytes, BED_MSS);
	KUNIT_EXPECT_EQ(test, e->reorder_ns, due + SIM_MS);
	weft_rtx_detect(e, due + SIM_MS);
	KUNIT_EXPECT_EQ(test, e->lost_bytes, 2 * BED_MSS);
	KUNIT_EXPECT_EQ(test, e->reorder_ns, WEFT_NEVER);
	KUNIT_EXPECT_TRUE(test, !sim_check(e));
}

static void rtx_detect__parts_of_one_super_packet(struct kunit *test)
{
	struct weft_engine *e = sent(test, 0);

	weft_rtx_sent(e, BED_SUPER, 0);
	e->write_end = e->snd_nxt;
	sack(e, 4 * BED_MSS, 5 * BED_MSS, 20 * SIM_MS);
	weft_rtx_detect(e, SIM_SEC);
	/* What was before it is lost; what was behind may still come. */
	KUNIT_EXPECT_EQ(test, e->lost_bytes, 4 * BED_MSS);
	KUNIT_EXPECT_TRUE(test, !sim_check(e));
}

static void rtx_detect__finds_a_lost_retransmission(struct kunit *test)
{
	struct weft_engine *e = sent(test, 3);

	sack(e, BED_MSS, 2 * BED_MSS, 21 * SIM_MS);
	weft_rtx_detect(e, 40 * SIM_MS);
	KUNIT_EXPECT_EQ(test, e->lost_bytes, BED_MSS);
	weft_rtx_resent(e, 0, BED_MSS, 40 * SIM_MS);
	weft_rtx_sent(e, 4 * BED_MSS, 41 * SIM_MS);
	e->write_end = e->snd_nxt;
	sack(e, 3 * BED_MSS, 4 * BED_MSS, 61 * SIM_MS);
	weft_rtx_detect(e, 90 * SIM_MS);
	KUNIT_EXPECT_TRUE(test, weft_rtx_at(e, 0)->flags & WEFT_REC_LOST);
}

/* What was sent again is recent; what stands behind it is not. */
static void rtx_detect__looks_behind_a_retransmission(struct kunit *test)
{
	struct weft_engine *e = sent(test, 4);

	weft_rtx_timeout(e, 0);
	KUNIT_EXPECT_EQ(test, e->lost_bytes, BED_MSS);
	weft_rtx_resent(e, 0, BED_MSS, 40 * SIM_MS);
	sack(e, 3 * BED_MSS, 4 * BED_MSS, 41 * SIM_MS);
	weft_rtx_detect(e, 60 * SIM_MS);
	KUNIT_EXPECT_EQ(test, e->lost_bytes, 2 * BED_MSS);
	KUNIT_EXPECT_EQ(test, e->lost_from, BED_MSS);
}

static void rtx_resent__in_pieces(struct kunit *test)
{
	struct weft_engine *e = sent(test, 0);

	weft_rtx_sent(e, BED_SUPER, 0);
	e->write_end = e->snd_nxt;
	weft_rtx_timeout(e, SIM_SEC);
	KUNIT_EXPECT_EQ(test, e->lost_bytes, BED_SUPER);
	weft_rtx_resent(e, 0, 2 * BED_MSS, SIM_SEC);
	KUNIT_EXPECT_EQ(test, e->in_flight, 2 * BED_MSS);
	KUNIT_EXPECT_EQ(test, weft_rtx_find_lost(e)->start, 2 * BED_MSS);
	KUNIT_EXPECT_EQ(test, e->retransmitted, 2 * BED_MSS);
	weft_rtx_resent(e, 2 * BED_MSS, BED_SUPER, SIM_SEC);
	KUNIT_EXPECT_TRUE(test, !weft_rtx_find_lost(e));
	KUNIT_EXPECT_TRUE(test, !sim_check(e));
}

static void rtx_resent__whole_when_no_record_is_free(struct kunit *test)
{
	struct weft_engine *e = sent(test, BED_RECORDS);

	weft_rtx_timeout(e, SIM_SEC);
	weft_rtx_resent(e, 0, 10, SIM_SEC);
	KUNIT_EXPECT_EQ(test, e->in_flight, BED_MSS);
	KUNIT_EXPECT_TRUE(test, !sim_check(e));
}

/* The peer echoes a time from before the retransmission. */
static void rtx_acked__too_soon_was_spurious(struct kunit *test)
{
	struct weft_engine *e = sent(test, 3);
	u64 base = 50 * SIM_SEC;

	weft_rtx_timeout(e, base);
	weft_rtx_resent(e, 0, BED_MSS, base);
	weft_rtx_acked(e, BED_MSS, weft_rtx_clock(base - SIM_MS),
		       base + SIM_MS);
	KUNIT_EXPECT_EQ(test, e->spurious, 1);
	KUNIT_EXPECT_EQ(test, e->tx->reorder_steps, 2);

	weft_rtx_resent(e, BED_MSS, 2 * BED_MSS, base);
	weft_rtx_acked(e, 2 * BED_MSS, weft_rtx_clock(base),
		       base + SIM_MS);
	KUNIT_EXPECT_EQ(test, e->spurious, 1);
}

static void rtx_timeout__recent_ones_may_still_come(struct kunit *test)
{
	struct weft_engine *e = sent(test, 3);

	weft_rtx_acked(e, BED_MSS, 0, 20 * SIM_MS);
	weft_rtx_sent(e, e->snd_nxt + BED_MSS, 990 * SIM_MS);
	e->write_end = e->snd_nxt;
	weft_rtx_timeout(e, SIM_SEC);
	KUNIT_EXPECT_EQ(test, e->lost_bytes, 2 * BED_MSS);
	KUNIT_EXPECT_EQ(test, e->in_flight, BED_MSS);
}

static void rtx_timeout__a_peer_that_broke_its_word(struct kunit *test)
{
	struct weft_engine *e = sent(test, 3);

	sack(e, 0, 3 * BED_MSS, 20 * SIM_MS);
	KUNIT_EXPECT_EQ(test, e->in_flight, 0);
	weft_rtx_timeout(e, SIM_SEC);
	KUNIT_EXPECT_EQ(test, e->lost_bytes, 3 * BED_MSS);
	KUNIT_EXPECT_TRUE(test, !sim_check(e));
}

static void rtx_lend__keeps_what_is_there(struct kunit *test)
{
	struct weft_engine *e = sent(test, 50);
	struct weft_record *more = kunit_kcalloc(test, 200, sizeof(*more),
						 GFP_KERNEL);
	struct weft_record *old = e->recs;

	KUNIT_ASSERT_NOT_NULL(test, more);
	weft_rtx_acked(e, 40 * BED_MSS, 0, SIM_SEC);
	while (e->nr_recs < BED_RECORDS)
		weft_rtx_sent(e, e->snd_nxt + BED_MSS, SIM_SEC);
	e->write_end = e->snd_nxt;
	KUNIT_EXPECT_EQ(test, weft_engine_wants_records(e), 2 * BED_RECORDS);
	KUNIT_EXPECT_TRUE(test, weft_engine_lend_records(e, more, 200) == old);
	KUNIT_EXPECT_EQ(test, weft_engine_wants_records(e), 0);
	KUNIT_EXPECT_TRUE(test, !sim_check(e));
	/* And back at the end of its life. */
	KUNIT_EXPECT_TRUE(test, weft_engine_lend_records(e, NULL, 0) == more);
}

static void rtx_clock__wraps_and_is_never_0(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, weft_rtx_clock(0), 1);
	KUNIT_EXPECT_EQ(test, weft_rtx_clock(4294967296000ULL), 1);
	KUNIT_EXPECT_EQ(test, weft_rtx_clock(4294967295000ULL), 0xffffffff);
	KUNIT_EXPECT_TRUE(test, weft_rtx_is_before(0xffffffff, 1));
	KUNIT_EXPECT_FALSE(test, weft_rtx_is_before(1, 0xffffffff));
	KUNIT_EXPECT_FALSE(test, weft_rtx_is_before(5, 5));
}

/*
 * Ten segments, of which the last needs a millisecond and the others 46: those that
 * cwnd allows are sent again, in vain, as one packet. Returns the flow when all arrived, and eight more have left.
 */
static struct bed *shuffled(struct kunit *test)
{
	struct bed *bed = kunit_kzalloc(test, sizeof(*bed), GFP_KERNEL);
	u32 time;

	KUNIT_ASSERT_NOT_NULL(test, bed);
	bed_connect(bed);
	bed_write(bed, 10 * BED_MSS);
	bed_next(bed);
	time = bed->pkt.time;
	bed_drain(bed);
	bed->now += SIM_MS;
	bed_sack(bed, 0, 9 * BED_MSS, 10 * BED_MSS);
	bed_sleep(bed);
	KUNIT_EXPECT_EQ(test, bed->e.lost_bytes, 9 * BED_MSS);
	bed_drain(bed);
	bed->now += 40 * SIM_MS;
	bed_hear(bed, .kind = WEFT_ACK, .ack = 10 * BED_MSS, .echo = time);
	KUNIT_EXPECT_EQ(test, bed->e.spurious, 2);
	bed_write(bed, 8 * BED_MSS);
	bed_drain(bed);
	bed->now += SIM_MS;
	bed_sack(bed, 10 * BED_MSS, 14 * BED_MSS, 15 * BED_MSS);
	return bed;
}

/* RACK's steps of the least round trip alone would be over in some ms. */
static void rtx_detect__waits_for_what_is_slow(struct kunit *test)
{
	struct bed *bed = shuffled(test);

	bed->now += 39 * SIM_MS;
	weft_rtx_detect(&bed->e, bed->now);
	KUNIT_EXPECT_EQ(test, bed->e.lost_bytes, 0);
	bed->now += 15 * SIM_MS;
	weft_rtx_detect(&bed->e, bed->now);
	KUNIT_EXPECT_EQ(test, bed->e.lost_bytes, 4 * BED_MSS);
}

/* Of a period without such, and the next, nothing is left. */
static void rtx_detect__forgets_what_was_slow(struct kunit *test)
{
	struct bed *bed = shuffled(test);
	unsigned int i;

	KUNIT_EXPECT_EQ(test, bed->e.tx->slowest_ns[0], 46 * SIM_MS);
	for (i = 0; i < 2; i++) {
		bed->now += 2100 * SIM_MS;
		weft_rtx_detect(&bed->e, bed->now);
		KUNIT_EXPECT_EQ(test, bed->e.tx->slowest_ns[0], 0);
		KUNIT_EXPECT_EQ(test, bed->e.tx->slowest_ns[1],
				i ? 0 : 46 * SIM_MS);
	}
}

/* Likewise after a pause; what was slow then counts from then on. */
static void rtx_detect__what_is_slow_later_is_something_else(struct kunit *test)
{
	struct bed *bed = shuffled(test);
	unsigned int i;

	bed->now += 40 * SIM_MS;
	bed_hear(bed, .kind = WEFT_ACK, .ack = 18 * BED_MSS,
		 .echo = weft_rtx_clock(bed->now));
	for (i = 0; i < 2; i++) {
		u64 una = bed->e.snd_una;

		bed->now += 5 * SIM_SEC;
		bed_write(bed, 3 * BED_MSS);
		bed_drain(bed);
		bed->now += 20 * SIM_MS;
		/* The order changes by a little. */
		bed_sack(bed, una, una + BED_MSS, una + 2 * BED_MSS);
		bed->now += SIM_MS;
		bed_hear(bed, .kind = WEFT_ACK, .ack = bed->e.snd_nxt,
			 .echo = weft_rtx_clock(bed->now));
	}
	KUNIT_EXPECT_LE(test, bed->e.tx->slowest_ns[0], 22 * SIM_MS);
	KUNIT_EXPECT_LE(test, bed->e.tx->slowest_ns[1], 22 * SIM_MS);
	KUNIT_EXPECT_GT(test, bed->e.tx->slowest_ns[0], 0);
}

/* An acknowledgment that is late: what went again was not overtaken. */
static void rtx_detect__a_tail_probe_in_vain_is_no_order(struct kunit *test)
{
	struct bed *bed = kunit_kzalloc(test, sizeof(*bed), GFP_KERNEL);
	u32 time;

	KUNIT_ASSERT_NOT_NULL(test, bed);
	bed_connect(bed);
	bed_write(bed, BED_MSS);
	bed_next(bed);
	time = bed->pkt.time;
	bed_drain(bed);
	bed_sleep(bed);
	KUNIT_EXPECT_EQ(test, bed_drain(bed), 1);
	bed->now += SIM_MS;
	bed_hear(bed, .kind = WEFT_ACK, .ack = BED_MSS, .echo = time);
	KUNIT_EXPECT_EQ(test, bed->e.spurious, 1);
	KUNIT_EXPECT_EQ(test, bed->e.tx->slowest_ns[0], 0);
}

/* Nothing was heard for so long that all of it is lost. */
static void rtx_timeout__does_not_wait_for_what_is_slow(struct kunit *test)
{
	struct bed *bed = shuffled(test);

	bed->e.tx->slowest_ns[0] = SIM_SEC / 2;
	weft_rtx_timeout(&bed->e, bed->now + 300 * SIM_MS);
	KUNIT_EXPECT_EQ(test, bed->e.lost_bytes, 7 * BED_MSS);
}

static struct kunit_case rtx_cases[] = {
	KUNIT_CASE(rtx_acked__whole_and_in_part),
	KUNIT_CASE(rtx_acked__the_ring_goes_round),
	KUNIT_CASE(rtx_sacked__splits_at_both_edges),
	KUNIT_CASE(rtx_sacked__neighbours_become_one),
	KUNIT_CASE(rtx_sacked__a_part_needs_a_free_record),
	KUNIT_CASE(rtx_sacked__less_than_a_segment_splits_nothing),
	KUNIT_CASE(rtx_sacked__segments_of_a_super_packet),
	KUNIT_CASE(rtx_sacked__all_splits_of_a_ring),
	KUNIT_CASE(rtx_detect__in_order_finds_nothing),
	KUNIT_CASE(rtx_detect__waits_a_quarter_of_the_least_rtt),
	KUNIT_CASE(rtx_detect__parts_of_one_super_packet),
	KUNIT_CASE(rtx_detect__finds_a_lost_retransmission),
	KUNIT_CASE(rtx_detect__looks_behind_a_retransmission),
	KUNIT_CASE(rtx_resent__in_pieces),
	KUNIT_CASE(rtx_resent__whole_when_no_record_is_free),
	KUNIT_CASE(rtx_acked__too_soon_was_spurious),
	KUNIT_CASE(rtx_timeout__recent_ones_may_still_come),
	KUNIT_CASE(rtx_timeout__a_peer_that_broke_its_word),
	KUNIT_CASE(rtx_lend__keeps_what_is_there),
	KUNIT_CASE(rtx_clock__wraps_and_is_never_0),
	KUNIT_CASE(rtx_detect__waits_for_what_is_slow),
	KUNIT_CASE(rtx_detect__forgets_what_was_slow),
	KUNIT_CASE(rtx_detect__what_is_slow_later_is_something_else),
	KUNIT_CASE(rtx_detect__a_tail_probe_in_vain_is_no_order),
	KUNIT_CASE(rtx_timeout__does_not_wait_for_what_is_slow),
	{}
};

static struct kunit_suite rtx_suite = {
	.name = "weft_rtx",
	.test_cases = rtx_cases,
};

kunit_test_suite(rtx_suite);
