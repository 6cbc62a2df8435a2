// SPDX-License-Identifier: GPL-2.0
#include "bed.h"

static struct bed *bed_alloc(struct kunit *test)
{
	struct bed *bed = kunit_kzalloc(test, sizeof(*bed), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, bed);
	return bed;
}

static struct bed *bed_for(struct kunit *test, enum weft_state state)
{
	struct bed *bed = bed_alloc(test);

	bed_in(bed, state);
	KUNIT_ASSERT_EQ(test, bed->e.state, state);
	return bed;
}

/* --- the handshake --- */

static void engine_open__is_repeated_until_its_time(struct kunit *test)
{
	static const u32 gaps_ms[] = { 200, 400, 800, 1600, 2000, 2000, 2000 };
	struct bed *bed = bed_alloc(test);
	unsigned int i;
	u64 before;

	bed_init(bed);
	before = bed->now;
	weft_engine_open(&bed->e, bed->now);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_OPEN);
	KUNIT_EXPECT_EQ(test, bed->pkt.window, BED_WINDOW);
	KUNIT_EXPECT_EQ(test, bed->pkt.max_message, 100000);
	for (i = 0; i < ARRAY_SIZE(gaps_ms); i++) {
		KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
		KUNIT_EXPECT_EQ(test, bed_sleep(bed), 0);
		KUNIT_EXPECT_EQ(test, bed->now - before, gaps_ms[i] * SIM_MS);
		before = bed->now;
		KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_OPEN);
	}
	KUNIT_EXPECT_EQ(test, bed_sleep(bed), WEFT_DO_DEAD);
	KUNIT_EXPECT_EQ(test, bed->e.error, ETIMEDOUT);
	KUNIT_EXPECT_EQ(test, bed->now, (1000 + 10) * SIM_SEC);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_RESET);
	KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
	KUNIT_EXPECT_EQ(test, weft_engine_deadline(&bed->e), WEFT_NEVER);
}

static void engine_kick__sends_open_at_once(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPENING);

	KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
	weft_engine_kick(&bed->e, bed->now);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_OPEN);
	KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
}

static void engine_input__opened_makes_open(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPENING);
	u32 time = weft_rtx_clock(bed->now);

	bed->now += BED_RTT;
	KUNIT_EXPECT_EQ(test, bed_hear(bed, .kind = WEFT_OPENED, .echo = time,
				       .max_message = 1),
			WEFT_DO_UP | WEFT_DO_ROOM);
	KUNIT_EXPECT_EQ(test, bed->e.state, WEFT_ST_OPEN);
	KUNIT_EXPECT_EQ(test, bed->e.rtt.srtt_ns, BED_RTT);
	KUNIT_EXPECT_EQ(test, bed->e.peer_max_message, WEFT_MAX_MESSAGE_MIN);
	/* The peer hears of it with the first bytes, or soon, and only once. */
	KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
	KUNIT_EXPECT_EQ(test, weft_engine_deadline(&bed->e),
			bed->now + WEFT_ACK_DELAY_NS);
	bed_sleep(bed);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_ACK);
	KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
	KUNIT_EXPECT_EQ(test, weft_engine_deadline(&bed->e), WEFT_NEVER);
}

static void engine_input__opened_is_acked_by_bytes(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPENING);

	bed_hear(bed, .kind = WEFT_OPENED);
	bed_write(bed, 100);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_DATA);
	KUNIT_EXPECT_FALSE(test, weft_engine_hurry(&bed->e));
	KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
	KUNIT_EXPECT_EQ(test, bed->e.ack_ns, WEFT_NEVER);
}

static void engine_hurry__sends_what_is_held_back(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPENING);

	KUNIT_EXPECT_FALSE(test, weft_engine_hurry(&bed->e));
	KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
	bed_hear(bed, .kind = WEFT_OPENED);
	KUNIT_EXPECT_TRUE(test, weft_engine_hurry(&bed->e));
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_ACK);
	KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
	KUNIT_EXPECT_EQ(test, weft_engine_deadline(&bed->e), WEFT_NEVER);
}

static void engine_input__opened_once_more_is_acked(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);

	KUNIT_EXPECT_EQ(test, bed_hear(bed, .kind = WEFT_OPENED), 0);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_ACK);
}

static void engine_accept__opened_is_repeated(struct kunit *test)
{
	struct bed *bed = bed_alloc(test);

	bed_accept(bed);
	KUNIT_EXPECT_EQ(test, bed->e.peer_max_message, 100000);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_OPENED);
	KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
	bed_sleep(bed);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_OPENED);
	/* By timer, and whenever OPEN comes. */
	bed_hear(bed, .kind = WEFT_OPEN);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_OPENED);
	while (bed->e.state != WEFT_ST_DEAD) {
		bed_sleep(bed);
		bed_drain(bed);
	}
	KUNIT_EXPECT_EQ(test, bed->e.error, ETIMEDOUT);
	KUNIT_EXPECT_EQ(test, bed->now, 1010 * SIM_SEC);
}

static void engine_input__any_packet_ends_accepted(struct kunit *test)
{
	static const u8 kinds[] = { WEFT_DATA, WEFT_ACK, WEFT_PROBE };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct bed *bed = bed_for(test, WEFT_ST_ACCEPTED);

		KUNIT_EXPECT_TRUE(test, WEFT_DO_UP &
				  bed_hear(bed, .kind = kinds[i]));
		KUNIT_EXPECT_EQ(test, bed->e.state, WEFT_ST_OPEN);
		/* An OPEN that comes late then changes nothing. */
		bed_drain(bed);
		KUNIT_EXPECT_EQ(test, bed_hear(bed, .kind = WEFT_OPEN), 0);
		KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
	}
}

static void engine_open__carries_what_is_written(struct kunit *test)
{
	struct bed *bed = bed_alloc(test);

	bed_init(bed);
	bed_write(bed, 5000);
	weft_engine_open(&bed->e, bed->now);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_OPEN);
	KUNIT_EXPECT_EQ(test, bed->pkt.plen, BED_MSS - 64);
	bed_sleep(bed);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_OPEN);
	KUNIT_EXPECT_EQ(test, bed->pkt.plen, BED_MSS - 64);
	KUNIT_EXPECT_EQ(test, bed->e.nr_recs, 1);
	/* The peer did not take it: it goes at once as DATA. */
	bed_hear(bed, .kind = WEFT_OPENED);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_DATA);
	KUNIT_EXPECT_EQ(test, bed->pkt.offset, 0);
	KUNIT_EXPECT_TRUE(test, !sim_check(&bed->e));
}

static void engine_open__fits_a_path_that_shrank(struct kunit *test)
{
	struct bed *bed = bed_alloc(test);

	bed_init(bed);
	bed_write(bed, 5000);
	weft_engine_open(&bed->e, bed->now);
	bed_next(bed);
	weft_engine_set_mss(&bed->e, BED_MSS / 2, BED_MSS / 2);
	bed_sleep(bed);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_OPEN);
	KUNIT_EXPECT_EQ(test, bed->pkt.plen, BED_MSS / 2 - 64);
	KUNIT_EXPECT_TRUE(test, !sim_check(&bed->e));
	/* What it no longer had room for counts as sent and lost. */
	bed_hear(bed, .kind = WEFT_OPENED, .ack = BED_MSS / 2 - 64);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_DATA);
	KUNIT_EXPECT_EQ(test, bed->pkt.offset, BED_MSS / 2 - 64);
	KUNIT_EXPECT_TRUE(test, !sim_check(&bed->e));
}

static void engine_accept__takes_what_open_carries(struct kunit *test)
{
	struct bed *bed = bed_alloc(test);

	bed_accept(bed);
	KUNIT_EXPECT_EQ(test, bed_hear(bed, .kind = WEFT_OPEN, .plen = 100),
			WEFT_DO_STORE | WEFT_DO_DELIVER);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_OPENED);
	KUNIT_EXPECT_EQ(test, bed->pkt.ack, 100);
	KUNIT_EXPECT_EQ(test, bed_hear(bed, .kind = WEFT_OPEN, .plen = 100),
			0);
}

static const struct {
	u8	state;
	u8	kind;
	u8	reason;
	int	error;		/* 0: DONE */
} ends[] = {
	{ WEFT_ST_OPENING, WEFT_RESET, WEFT_RESET_REFUSED, ECONNREFUSED },
	{ WEFT_ST_OPENING, WEFT_RESET, WEFT_RESET_UNKNOWN, ECONNREFUSED },
	{ WEFT_ST_OPENING, WEFT_RESET, WEFT_RESET_ABORTED, ECONNRESET },
	{ WEFT_ST_OPENING, WEFT_CLOSED, 0, ECONNRESET },
	{ WEFT_ST_ACCEPTED, WEFT_RESET, WEFT_RESET_REFUSED, ECONNRESET },
	{ WEFT_ST_OPEN, WEFT_RESET, WEFT_RESET_UNKNOWN, ECONNRESET },
	{ WEFT_ST_OPEN, WEFT_CLOSED, 0, ECONNRESET },
	{ WEFT_ST_SENT_CLOSE, WEFT_RESET, WEFT_RESET_ABORTED, ECONNRESET },
	{ WEFT_ST_SENT_CLOSE, WEFT_CLOSED, 0, ECONNRESET },
	{ WEFT_ST_GOT_CLOSE, WEFT_RESET, WEFT_RESET_UNKNOWN, ECONNRESET },
	{ WEFT_ST_GOT_CLOSE, WEFT_CLOSED, 0, ECONNRESET },
	{ WEFT_ST_CLOSING, WEFT_RESET, WEFT_RESET_UNKNOWN, 0 },
	{ WEFT_ST_CLOSING, WEFT_CLOSED, 0, 0 },
};

static void engine_input__reset_and_closed(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ends); i++) {
		struct bed *bed = bed_for(test, ends[i].state);
		u32 todo = bed_hear(bed, .kind = ends[i].kind,
				    .reason = ends[i].reason);

		KUNIT_EXPECT_EQ_MSG(test, bed->e.state, ends[i].error ?
				    WEFT_ST_DEAD : WEFT_ST_DONE, "case %u", i);
		KUNIT_EXPECT_EQ_MSG(test, bed->e.error, ends[i].error,
				    "case %u", i);
		KUNIT_EXPECT_TRUE(test, todo & (ends[i].error ? WEFT_DO_DEAD :
							       WEFT_DO_DONE));
		/* What ends a flow is never answered. */
		KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
	}
}

static void engine_input__reset_with_data_unacked_is_an_error(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_GOT_CLOSE);

	bed_write(bed, 10);
	weft_engine_shutdown(&bed->e);
	bed_drain(bed);
	KUNIT_EXPECT_EQ(test, bed->e.state, WEFT_ST_CLOSING);
	bed_hear(bed, .kind = WEFT_RESET, .reason = WEFT_RESET_UNKNOWN);
	KUNIT_EXPECT_EQ(test, bed->e.error, ECONNRESET);
}

static void engine_abort__resets_whoever_may_know(struct kunit *test)
{
	u8 state;

	for (state = WEFT_ST_IDLE; state < WEFT_ST_COUNT; state++) {
		struct bed *bed = bed_for(test, state);
		bool over = state >= WEFT_ST_DONE;

		bed_drain(bed);
		KUNIT_EXPECT_EQ(test, weft_engine_abort(&bed->e, -ENODEV),
				over ? 0 : WEFT_DO_DEAD);
		KUNIT_EXPECT_EQ(test, bed_next(bed),
				over || state == WEFT_ST_IDLE ? BED_NONE :
								WEFT_RESET);
		KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
		if (!over)
			KUNIT_EXPECT_EQ(test, bed->e.error, ENODEV);
	}
}

static void engine_abort__nobody_knows_of_an_unsent_open(struct kunit *test)
{
	struct bed *bed = bed_alloc(test);

	bed_init(bed);
	weft_engine_open(&bed->e, bed->now);
	weft_engine_abort(&bed->e, ECANCELED);
	KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
}

/* --- receiving --- */

static void engine_input__second_segment_is_acked(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);

	KUNIT_EXPECT_EQ(test, WEFT_DO_STORE | WEFT_DO_DELIVER,
			bed_hear(bed, .kind = WEFT_DATA, .plen = BED_MSS));
	KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
	bed_hear(bed, .kind = WEFT_DATA, .offset = BED_MSS, .plen = BED_MSS);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_ACK);
	KUNIT_EXPECT_EQ(test, bed->pkt.ack, 2 * BED_MSS);
	KUNIT_EXPECT_EQ(test, bed->pkt.window, BED_WINDOW - 2 * BED_MSS);
	bed_hear(bed, .kind = WEFT_DATA, .offset = 2 * BED_MSS,
		 .plen = 2 * BED_MSS);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_ACK);
}

static void engine_tick__lone_segment_is_acked_in_25_ms(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);
	u64 came = bed->now;

	bed_hear(bed, .kind = WEFT_DATA, .plen = 10, .time = 77);
	KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
	bed_sleep(bed);
	KUNIT_EXPECT_EQ(test, bed->now, came + 25 * SIM_MS);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_ACK);
	KUNIT_EXPECT_EQ(test, bed->pkt.echo, 77);
	KUNIT_EXPECT_EQ(test, bed->pkt.delay, 25000);
}

static void engine_next__data_carries_the_ack(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);

	bed_hear(bed, .kind = WEFT_DATA, .plen = 3 * BED_MSS);
	bed_write(bed, 10);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_DATA);
	KUNIT_EXPECT_EQ(test, bed->pkt.ack, 3 * BED_MSS);
	KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
	/* But not which bytes came out of order. */
	bed_hear(bed, .kind = WEFT_DATA, .offset = 9000, .plen = 10);
	bed_write(bed, 10);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_DATA);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_ACK);
	KUNIT_EXPECT_EQ(test, bed->pkt.nr_ranges, 1);
}

static void engine_input__prompt_is_acked_at_once(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);

	bed_hear(bed, .kind = WEFT_DATA, .flags = WEFT_F_PROMPT, .plen = 10);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_ACK);
	KUNIT_EXPECT_EQ(test, bed->pkt.ack, 10);
	KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
}

/* What behind a gap only goes on is told as what is in order. */
static void engine_input__behind_a_gap_every_second_is_acked(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);
	unsigned int i;

	bed_hear(bed, .kind = WEFT_DATA, .offset = BED_MSS, .plen = BED_MSS);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_ACK);
	for (i = 2; i < 20; i++) {
		bed_hear(bed, .kind = WEFT_DATA, .offset = i * BED_MSS,
			 .plen = BED_MSS);
		KUNIT_EXPECT_EQ(test, bed_next(bed),
				i % 2 ? WEFT_ACK : BED_NONE);
	}
	/* The gap closes. */
	bed_hear(bed, .kind = WEFT_DATA, .plen = BED_MSS);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_ACK);
	KUNIT_EXPECT_EQ(test, bed->pkt.ack, 20 * BED_MSS);
}

static void engine_input__out_of_order_is_told_at_once(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);

	KUNIT_EXPECT_EQ(test, WEFT_DO_STORE,
			bed_hear(bed, .kind = WEFT_DATA, .offset = 2000,
				 .plen = 500));
	KUNIT_EXPECT_EQ(test, bed->e.take.start, 2000);
	KUNIT_EXPECT_EQ(test, bed->e.take.end, 2500);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_ACK);
	KUNIT_EXPECT_EQ(test, bed->pkt.ack, 0);
	KUNIT_EXPECT_EQ(test, bed->pkt.ranges[0].start, 2000);
	KUNIT_EXPECT_EQ(test, bed->pkt.ranges[0].end, 2500);
	/* What then comes into the gap is told at once too, be it little. */
	bed_hear(bed, .kind = WEFT_DATA, .plen = 10);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_ACK);
	KUNIT_EXPECT_EQ(test, WEFT_DO_STORE | WEFT_DO_DELIVER,
			bed_hear(bed, .kind = WEFT_DATA, .plen = 2200));
	KUNIT_EXPECT_EQ(test, bed->e.take.start, 10);
	KUNIT_EXPECT_EQ(test, bed->e.take.end, 2000);
	KUNIT_EXPECT_EQ(test, bed->e.rcv_nxt, 2500);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_ACK);
	KUNIT_EXPECT_EQ(test, bed->pkt.ack, 2500);
	KUNIT_EXPECT_EQ(test, bed->pkt.nr_ranges, 0);
}

/* More gaps than one ACK tells of: all are told of, in a few of them. */
static void engine_next__every_range_is_told_in_turn(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);
	struct weft_range *ranges;
	bool told[150] = {};
	unsigned int i, k;

	ranges = kunit_kcalloc(test, 200, sizeof(*ranges), GFP_KERNEL);
	weft_engine_lend_ranges(&bed->e, ranges, 200);
	for (i = 0; i < 150; i++)
		bed_hear(bed, .kind = WEFT_DATA, .offset = 100 + 20 * i,
			 .plen = 10);
	for (i = 0; i < 24; i++) {
		bed_hear(bed, .kind = WEFT_PROBE);
		KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_ACK);
		KUNIT_EXPECT_EQ(test, bed->pkt.nr_ranges, WEFT_RANGES_MAX);
		for (k = 0; k < bed->pkt.nr_ranges; k++)
			told[(bed->pkt.ranges[k].start - 100) / 20] = true;
	}
	for (i = 0; i < 150; i++)
		KUNIT_EXPECT_TRUE(test, told[i]);
}

static void engine_input__duplicates_are_acked_and_not_stored(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);

	bed_hear(bed, .kind = WEFT_DATA, .plen = 3000);
	bed_hear(bed, .kind = WEFT_DATA, .offset = 5000, .plen = 1000);
	bed_drain(bed);
	KUNIT_EXPECT_EQ(test, 0, bed_hear(bed, .kind = WEFT_DATA,
					  .plen = 3000));
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_ACK);
	KUNIT_EXPECT_EQ(test, 0, bed_hear(bed, .kind = WEFT_DATA,
					  .offset = 5500, .plen = 500));
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_ACK);
}

static void engine_input__gaps_beyond_its_memory_are_dropped(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);
	unsigned int i;

	for (i = 1; i <= BED_RANGES; i++)
		KUNIT_EXPECT_EQ(test, WEFT_DO_STORE,
				bed_hear(bed, .kind = WEFT_DATA,
					 .offset = 1000 * i, .plen = 10));
	KUNIT_EXPECT_EQ(test, 0, bed_hear(bed, .kind = WEFT_DATA,
					  .offset = 20000, .plen = 10));
	KUNIT_EXPECT_EQ(test, weft_engine_wants_ranges(&bed->e),
			2 * BED_RANGES);
}

static void engine_input__nothing_beyond_the_limit(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);

	KUNIT_EXPECT_EQ(test, WEFT_DO_STORE,
			bed_hear(bed, .kind = WEFT_DATA,
				 .offset = BED_WINDOW - 100, .plen = 200));
	KUNIT_EXPECT_EQ(test, bed->e.take.end, BED_WINDOW);
	KUNIT_EXPECT_EQ(test, 0, bed_hear(bed, .kind = WEFT_DATA,
					  .offset = BED_WINDOW, .plen = 1));
	KUNIT_EXPECT_EQ(test, 0, bed_hear(bed, .kind = WEFT_CLOSE,
					  .offset = BED_WINDOW, .plen = 1));
	KUNIT_EXPECT_EQ(test, bed->e.rcv_fin, WEFT_NEVER);
	/* The end itself takes no room. */
	bed_hear(bed, .kind = WEFT_CLOSE, .offset = BED_WINDOW);
	KUNIT_EXPECT_EQ(test, bed->e.rcv_fin, BED_WINDOW);
}

static void engine_input__offsets_that_wrap_are_ignored(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);

	KUNIT_EXPECT_EQ(test, 0, bed_hear(bed, .kind = WEFT_DATA,
					  .offset = ~0ULL - 5, .plen = 100));
	KUNIT_EXPECT_EQ(test, 0, bed_hear(bed, .kind = WEFT_CLOSE,
					  .offset = ~0ULL - 9, .plen = 10));
	KUNIT_EXPECT_EQ(test, bed->e.rcv_fin, WEFT_NEVER);
}

static void engine_input__one_end_only(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);

	bed_hear(bed, .kind = WEFT_DATA, .offset = 50, .plen = 50);
	/* Not before bytes that are here. */
	bed_hear(bed, .kind = WEFT_CLOSE, .offset = 0, .plen = 60);
	KUNIT_EXPECT_EQ(test, bed->e.rcv_fin, WEFT_NEVER);
	bed_hear(bed, .kind = WEFT_CLOSE, .offset = 100, .plen = 100);
	KUNIT_EXPECT_EQ(test, bed->e.rcv_fin, 200);
	bed_hear(bed, .kind = WEFT_CLOSE, .offset = 100, .plen = 50);
	bed_hear(bed, .kind = WEFT_CLOSE, .offset = 100, .plen = 150);
	KUNIT_EXPECT_EQ(test, bed->e.rcv_fin, 200);
	/* Nor bytes behind the end. */
	KUNIT_EXPECT_EQ(test, 0, bed_hear(bed, .kind = WEFT_DATA,
					  .offset = 190, .plen = 20));
	KUNIT_EXPECT_EQ(test, bed->e.state, WEFT_ST_OPEN);
	KUNIT_EXPECT_EQ(test, WEFT_DO_STORE | WEFT_DO_DELIVER | WEFT_DO_EOF,
			bed_hear(bed, .kind = WEFT_DATA, .plen = 50));
	KUNIT_EXPECT_EQ(test, bed->e.state, WEFT_ST_GOT_CLOSE);
	KUNIT_EXPECT_EQ(test, bed->e.rcv_nxt, 200);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_ACK);
	KUNIT_EXPECT_EQ(test, bed->pkt.ack, 201);
}

static void engine_input__an_end_is_acked_by_an_end(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);

	KUNIT_EXPECT_EQ(test, WEFT_DO_EOF, bed_hear(bed, .kind = WEFT_CLOSE));
	KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
	weft_engine_shutdown(&bed->e);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_CLOSE);
	KUNIT_EXPECT_EQ(test, bed->pkt.ack, 1);
	KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
	KUNIT_EXPECT_EQ(test, bed->e.ack_ns, WEFT_NEVER);
}

static void engine_input__an_end_is_acked_soon(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);

	bed_hear(bed, .kind = WEFT_CLOSE);
	KUNIT_EXPECT_EQ(test, weft_engine_deadline(&bed->e),
			bed->now + WEFT_ACK_DELAY_NS);
	bed_sleep(bed);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_ACK);
	KUNIT_EXPECT_EQ(test, bed->pkt.ack, 1);
}

static void hear_super(struct bed *bed, u32 offset)
{
	u32 mss = bed->e.params.mss;

	bed_hear(bed, .kind = WEFT_DATA, .offset = offset, .plen = 3 * mss,
		 .segment = mss);
}

/* What no link has carried is acknowledged together with the room it leaves. */
static void engine_input__a_super_packet_waits_for_the_reader(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);
	u32 mss = bed->e.params.mss, at, end;

	hear_super(bed, 0);
	KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
	weft_engine_read(&bed->e, 3 * mss - 1, bed->now);
	KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
	weft_engine_read(&bed->e, 3 * mss, bed->now);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_ACK);
	KUNIT_EXPECT_EQ(test, bed->pkt.ack, 3 * mss);

	/* A reader that has better things to do is not awaited for long. */
	hear_super(bed, 3 * mss);
	KUNIT_EXPECT_FALSE(test, weft_engine_is_calm(&bed->e));
	KUNIT_EXPECT_EQ(test, weft_engine_deadline(&bed->e),
			bed->now + WEFT_ACK_READ_NS);
	bed_sleep(bed);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_ACK);

	/* Nor when half of the window has come. */
	at = 6 * mss;
	end = at + bed->e.window.bytes / 2;
	for (; at + 3 * mss <= end; at += 3 * mss) {
		hear_super(bed, at);
		KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
	}
	KUNIT_EXPECT_GT(test, at, 6 * mss);
	hear_super(bed, at);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_ACK);
	KUNIT_EXPECT_EQ(test, bed->e.ack_ns, WEFT_NEVER);
}

/* Nothing waits for a reader that cannot read, or has read what there is. */
static void engine_input__a_super_packet_without_a_reader(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);
	u32 mss = bed->e.params.mss;

	hear_super(bed, 0);
	weft_engine_ack_held(&bed->e);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_ACK);
	weft_engine_ack_held(&bed->e);
	KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
	hear_super(bed, 3 * mss);
	KUNIT_EXPECT_TRUE(test, weft_engine_hurry(&bed->e));
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_ACK);
	/* Behind a gap, which it does not fill. */
	hear_super(bed, 9 * mss);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_ACK);
	hear_super(bed, 12 * mss);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_ACK);
	/* As large, but a frame of a link whose segments are larger than ours. */
	hear_super(bed, 6 * mss);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_ACK);
	bed_hear(bed, .kind = WEFT_DATA, .offset = 15 * mss, .plen = 3 * mss);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_ACK);
}

static void engine_input__an_end_that_is_awaited(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);
	struct bed *peer = bed_for(test, WEFT_ST_OPEN);

	weft_engine_await(&bed->e);
	weft_engine_shutdown(&bed->e);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_CLOSE);
	KUNIT_EXPECT_TRUE(test, bed->pkt.flags & WEFT_F_PROMPT);
	bed_hear(peer, .kind = WEFT_CLOSE, .flags = WEFT_F_PROMPT);
	KUNIT_EXPECT_EQ(test, bed_next(peer), WEFT_ACK);
}

/* A timer that is set is good enough: nothing that begins is nearer. */
static void engine_calm__no_deadline_is_nearer(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);
	unsigned int i;

	for (i = 0; i < 20; i++) {
		u32 time;

		bed_write(bed, 64);
		KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_DATA);
		KUNIT_EXPECT_TRUE(test, weft_engine_is_calm(&bed->e));
		KUNIT_EXPECT_GE(test, weft_engine_deadline(&bed->e),
				bed->now + WEFT_ACK_DELAY_NS);
		time = bed->pkt.time;
		bed->now += BED_RTT / (i + 1);
		bed_hear(bed, .kind = WEFT_DATA, .offset = 64 * i, .plen = 64,
			 .ack = 64 * (i + 1), .echo = time);
		KUNIT_EXPECT_TRUE(test, weft_engine_is_calm(&bed->e));
		KUNIT_EXPECT_GE(test, weft_engine_deadline(&bed->e),
				bed->now + WEFT_ACK_DELAY_NS);
	}
}

static void engine_calm__not_where_time_is_short(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPENING);

	KUNIT_EXPECT_FALSE(test, weft_engine_is_calm(&bed->e));
	bed = bed_for(test, WEFT_ST_OPEN);
	bed_write(bed, 4 * BED_MSS);
	bed_drain(bed);
	KUNIT_EXPECT_FALSE(test, weft_engine_is_calm(&bed->e));
	bed = bed_for(test, WEFT_ST_OPEN);
	bed->e.snd_limit = 0;
	bed_write(bed, 4 * BED_MSS);
	bed_drain(bed);
	KUNIT_EXPECT_FALSE(test, weft_engine_is_calm(&bed->e));
}

/* Whatever wants more is tight; what has plenty is not. */
static void engine_tight__before_more_is_wanted(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);
	struct weft_engine *e = &bed->e;

	e->nr_recs = 0;
	e->nr_ranges = 0;
	KUNIT_EXPECT_FALSE(test, weft_engine_is_tight(e));
	for (e->max_recs = 0; e->max_recs <= 9; e->max_recs++)
		for (e->nr_recs = 0; e->nr_recs <= e->max_recs; e->nr_recs++)
			KUNIT_EXPECT_TRUE(test,
					  weft_engine_is_tight(e) ||
					  !weft_engine_wants_records(e));
	e->nr_recs = 0;
	e->max_recs = BED_RECORDS;
	for (e->max_ranges = 0; e->max_ranges <= 9; e->max_ranges++)
		for (e->nr_ranges = 0; e->nr_ranges <= e->max_ranges;
		     e->nr_ranges++)
			KUNIT_EXPECT_TRUE(test,
					  weft_engine_is_tight(e) ||
					  !weft_engine_wants_ranges(e));
}

/* After the last byte the engine has nothing to be asked. */
static void engine_sent__leaves_it_idle(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);
	unsigned int i;

	for (i = 0; i < 3; i++) {
		bed_write(bed, 64);
		KUNIT_EXPECT_FALSE(test, weft_engine_is_idle(&bed->e));
		KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_DATA);
		KUNIT_EXPECT_TRUE(test, weft_engine_is_idle(&bed->e));
		bed_hear(bed, .kind = WEFT_ACK, .ack = 64 * (i + 1));
		KUNIT_EXPECT_TRUE(test, weft_engine_is_idle(&bed->e));
	}
}

static void engine_input__probe_is_answered_at_once(struct kunit *test)
{
	u8 state;

	for (state = WEFT_ST_OPEN; state < WEFT_ST_DONE; state++) {
		struct bed *bed = bed_for(test, state);

		bed_hear(bed, .kind = WEFT_PROBE);
		KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_ACK);
		KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
	}
}

static void engine_admit__is_told_when_worth_a_packet(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);
	u64 at;

	for (at = 0; at < 60000; at += 6000)
		bed_hear(bed, .kind = WEFT_DATA, .offset = at, .plen = 6000);
	bed_drain(bed);
	weft_engine_admit(&bed->e, BED_WINDOW + 1999);
	KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
	weft_engine_admit(&bed->e, BED_WINDOW + 2000);
	KUNIT_EXPECT_EQ(test, bed->e.rcv_limit, BED_WINDOW);
	weft_engine_admit(&bed->e, BED_WINDOW + 10000);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_ACK);
	KUNIT_EXPECT_EQ(test, bed->pkt.window, BED_WINDOW + 10000 - 60000);
	/* It never shrinks. */
	weft_engine_admit(&bed->e, BED_WINDOW);
	KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
	KUNIT_EXPECT_EQ(test, bed->e.rcv_limit, BED_WINDOW + 10000);
}

/* Reads 20,000 bytes of @unread, and then the rest. */
static void read_in_parts(struct bed *bed, u32 unread)
{
	bed_drain(bed);
	weft_engine_admit(&bed->e, BED_WINDOW + 20000);
	bed->in.kind = bed_next(bed);
	weft_engine_admit(&bed->e, BED_WINDOW + unread);
}

/*
 * Whoever sends many segments in one packet is told of room for as many, and not
 * of a little more, or else sends what there is room for, in smaller packets.
 */
static void engine_admit__a_super_packet_is_made_room_for(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);

	bed_hear(bed, .kind = WEFT_DATA, .plen = 30000, .segment = BED_MSS);
	bed_hear(bed, .kind = WEFT_DATA, .offset = 30000, .plen = 20000,
		 .segment = BED_MSS);
	read_in_parts(bed, 40000);
	KUNIT_EXPECT_EQ(test, bed->in.kind, BED_NONE);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_ACK);
	KUNIT_EXPECT_EQ(test, bed->pkt.window, BED_WINDOW + 30000 - 50000);
	/* But of half of one more. */
	bed_hear(bed, .kind = WEFT_DATA, .offset = 50000, .plen = 30000,
		 .segment = BED_MSS);
	bed_drain(bed);
	weft_engine_admit(&bed->e, BED_WINDOW + 30000 + 45000);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_ACK);
	KUNIT_EXPECT_EQ(test, bed->pkt.window, BED_WINDOW + 75000 - 80000);
}

/* As SO_RCVLOWAT may need half of the window, and the peer keeps back a segment. */
static void engine_admit__nearly_half_of_the_window_is_told(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);
	u32 super = BED_WINDOW - BED_WINDOW % BED_MSS;
	u32 worth = BED_WINDOW / 2 - 2 * BED_MSS;

	bed_hear(bed, .kind = WEFT_DATA, .plen = super, .segment = BED_MSS);
	bed_drain(bed);
	weft_engine_admit(&bed->e, BED_WINDOW + worth - 1);
	KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
	weft_engine_admit(&bed->e, BED_WINDOW + worth);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_ACK);
	KUNIT_EXPECT_EQ(test, bed->pkt.window, BED_WINDOW + worth - super);
}

/* Whoever waits for more than was told, at either end, is told of all. */
static void engine_hurry__all_the_room_is_told(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);

	bed_hear(bed, .kind = WEFT_DATA, .plen = 30000, .segment = BED_MSS);
	bed_hear(bed, .kind = WEFT_DATA, .offset = 30000, .plen = 25000,
		 .segment = BED_MSS);
	bed_drain(bed);
	weft_engine_read(&bed->e, 20000, bed->now);
	KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
	KUNIT_EXPECT_TRUE(test, weft_engine_hurry(&bed->e));
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_ACK);
	KUNIT_EXPECT_EQ(test, bed->pkt.window, BED_WINDOW + 20000 - 55000);

	/* Once: what is read a little at a time is not told so. */
	weft_engine_read(&bed->e, 20100, bed->now);
	KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
	KUNIT_EXPECT_EQ(test, bed->e.rcv_limit, BED_WINDOW + 20000);
	bed_hear(bed, .kind = WEFT_PROBE);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_ACK);
	KUNIT_EXPECT_EQ(test, bed->pkt.window, BED_WINDOW + 20000 - 55000);

	weft_engine_read(&bed->e, 20000 + 2 * BED_MSS, bed->now);
	KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
	bed_hear(bed, .kind = WEFT_PROBE);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_ACK);
	KUNIT_EXPECT_EQ(test, bed->pkt.window, BED_WINDOW + 22000 - 55000);

	/* Nor where all was read, or the peer has room enough. */
	weft_engine_read(&bed->e, 55000, bed->now);
	bed_drain(bed);
	KUNIT_EXPECT_FALSE(test, weft_engine_hurry(&bed->e));
	bed_hear(bed, .kind = WEFT_DATA, .offset = 55000, .plen = 100);
	weft_engine_read(&bed->e, 55050, bed->now);
	KUNIT_EXPECT_FALSE(test, weft_engine_hurry(&bed->e));
}

/* It tells all where a multiple of a super-packet would do for others. */
static void engine_hurry__leaves_no_remainder(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);

	bed_hear(bed, .kind = WEFT_DATA, .plen = 10000, .segment = BED_MSS);
	bed_hear(bed, .kind = WEFT_DATA, .offset = 10000, .plen = 50000,
		 .segment = 0);
	bed->e.rcv_super = 10000;
	bed_drain(bed);
	bed->e.rcv_room += 12000;
	KUNIT_EXPECT_TRUE(test, weft_engine_hurry(&bed->e));
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_ACK);
	KUNIT_EXPECT_EQ(test, bed->pkt.window, BED_WINDOW + 12000 - 60000);
}

/* Enough was read to tell of it, though not all. */
static void engine_read__tells_of_what_is_worth_it(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);

	bed_hear(bed, .kind = WEFT_DATA, .plen = 31000, .segment = BED_MSS);
	KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
	weft_engine_read(&bed->e, BED_WINDOW / 2 - 2 * BED_MSS - 1, bed->now);
	KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
	weft_engine_read(&bed->e, BED_WINDOW / 2 - 2 * BED_MSS, bed->now);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_ACK);
}

/* After two segments again when the path is another, or packets come cut. */
static void engine_admit__super_packets_are_forgotten(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);
	u32 at;

	bed_hear(bed, .kind = WEFT_DATA, .plen = 10000, .segment = BED_MSS);
	KUNIT_EXPECT_EQ(test, bed->e.rcv_super, 10000);
	for (at = 10000; at <= 30000; at += BED_MSS) {
		KUNIT_EXPECT_EQ(test, bed->e.rcv_super, 10000);
		bed_hear(bed, .kind = WEFT_DATA, .offset = at, .plen = BED_MSS);
	}
	KUNIT_EXPECT_EQ(test, bed->e.rcv_super, 0);

	bed_hear(bed, .kind = WEFT_DATA, .offset = at, .plen = 5000,
		 .segment = BED_MSS);
	KUNIT_EXPECT_EQ(test, bed->e.rcv_super, 5000);
	weft_engine_set_mss(&bed->e, BED_MSS, BED_MSS);
	KUNIT_EXPECT_EQ(test, bed->e.rcv_super, 0);
}

/* The reader of messages may not get far enough with less. */
static void engine_admit__a_message_is_made_room_for(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);

	bed->e.params.whole = BED_WINDOW - 4096;
	bed_hear(bed, .kind = WEFT_DATA, .plen = 50000, .segment = BED_MSS);
	read_in_parts(bed, 50000);
	KUNIT_EXPECT_EQ(test, bed->in.kind, WEFT_ACK);
	KUNIT_EXPECT_EQ(test, bed->pkt.window, BED_WINDOW + 20000 - 50000);
	/* Without a remainder. */
	KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
	weft_engine_admit(&bed->e, BED_WINDOW + 20000 + 53000);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_ACK);
	KUNIT_EXPECT_EQ(test, bed->pkt.window, BED_WINDOW + 73000 - 50000);
}

static void engine_input__a_gap_presses_the_window(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);
	u64 last = bed->e.rcv_limit - BED_MSS;

	bed_hear(bed, .kind = WEFT_DATA, .offset = last - BED_MSS,
		 .plen = BED_MSS);
	KUNIT_EXPECT_FALSE(test, bed->e.window.pressed);
	bed_hear(bed, .kind = WEFT_DATA, .offset = last, .plen = BED_MSS);
	KUNIT_EXPECT_TRUE(test, bed->e.window.pressed);
}

static void engine_input__a_slow_reader_presses_nothing(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);

	bed_hear(bed, .kind = WEFT_DATA, .plen = BED_MSS);
	bed_hear(bed, .kind = WEFT_DATA, .offset = bed->e.rcv_limit - BED_MSS,
		 .plen = BED_MSS);
	KUNIT_EXPECT_EQ(test, bed->e.nr_ranges, 1);
	KUNIT_EXPECT_FALSE(test, bed->e.window.pressed);
}

static void engine_admit__a_wide_window_can_wait(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);

	bed_hear(bed, .kind = WEFT_DATA, .plen = 10000);
	bed_drain(bed);
	weft_engine_admit(&bed->e, BED_WINDOW + 10000);
	KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
	/* What is acked anyway tells it. */
	bed_hear(bed, .kind = WEFT_PROBE);
	bed_next(bed);
	KUNIT_EXPECT_EQ(test, bed->pkt.window, BED_WINDOW);
}

/* --- sending --- */

static void engine_next__whole_segments_then_the_rest(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);

	bed->e.tx->cc.cwnd = 100 * BED_MSS;
	bed_write(bed, BED_SUPER + 2345);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_DATA);
	KUNIT_EXPECT_EQ(test, bed->pkt.plen, BED_SUPER);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_DATA);
	KUNIT_EXPECT_EQ(test, bed->pkt.offset, BED_SUPER);
	KUNIT_EXPECT_EQ(test, bed->pkt.plen, 2345);
	KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
	bed_write(bed, 1);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_DATA);
	KUNIT_EXPECT_EQ(test, bed->pkt.plen, 1);
}

static void engine_next__never_more_than_cwnd(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);

	bed_write(bed, 60000);
	bed->e.tx->cc.cwnd = 4 * BED_MSS + 999;
	KUNIT_EXPECT_EQ(test, bed_drain(bed), 1);
	KUNIT_EXPECT_EQ(test, bed->e.in_flight, 4 * BED_MSS);
	bed_hear(bed, .kind = WEFT_ACK, .ack = 2 * BED_MSS);
	bed_drain(bed);
	KUNIT_EXPECT_LE(test, bed->e.in_flight, bed->e.tx->cc.cwnd);
}

/* 1 MB/s: two segments, the least burst, take 2 ms; one of them is ahead. */
static void engine_next__bytes_wait_for_their_time(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);
	u64 began = bed->now;
	unsigned int i;

	bed->e.tx->cc.cwnd = 100000;
	bed->e.tx->cc.pacing_rate = 1000000;
	bed_write(bed, 10 * BED_MSS);
	for (i = 0; i < 5; i++) {
		KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_DATA);
		KUNIT_EXPECT_EQ(test, bed->pkt.plen, 2 * BED_MSS);
		KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
		if (i < 4)
			bed_sleep(bed);
	}
	KUNIT_EXPECT_EQ(test, bed->now - began, 7 * SIM_MS);
	KUNIT_EXPECT_FALSE(test, bed->late);
}

/* SO_MAX_PACING_RATE: as slow, and nothing that shows what the path carries. */
static void engine_next__a_program_sets_the_pace(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);
	u64 began = bed->now;
	unsigned int i;

	bed->e.tx->cc.cwnd = 100000;
	bed->e.tx->cc.pacing_rate = 50000000;
	bed->e.tx->cc.max_rate = 1000000;
	bed_write(bed, 10 * BED_MSS);
	for (i = 0; i < 5; i++) {
		KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_DATA);
		KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
		KUNIT_EXPECT_FALSE(test, bed->e.cwnd_limited);
		if (i < 4)
			bed_sleep(bed);
	}
	KUNIT_EXPECT_EQ(test, bed->now - began, 7 * SIM_MS);
	KUNIT_EXPECT_GE(test, bed->e.slack_until, bed->e.in_flight);
}

/* What has no bytes is not paced. */
static void engine_next__acks_do_not_wait(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);

	bed->e.tx->cc.pacing_rate = 1000;
	bed_write(bed, 10 * BED_MSS);
	bed_drain(bed);
	bed_hear(bed, .kind = WEFT_PROBE);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_ACK);
}

/* A device that keeps them gets 4 ms of packets, and more when 2 ms are left. */
static void engine_set_ahead__packets_say_when_they_leave(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);
	u64 began = bed->now;

	bed->e.tx->cc.cwnd = 100000;
	bed->e.tx->cc.pacing_rate = 1000000;
	weft_engine_set_ahead(&bed->e, 4 * SIM_MS);
	bed_write(bed, 20 * BED_MSS);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_DATA);
	KUNIT_EXPECT_EQ(test, bed->e.depart_ns, began);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_DATA);
	KUNIT_EXPECT_EQ(test, bed->e.depart_ns, began + SIM_MS);
	KUNIT_EXPECT_EQ(test, bed->pkt.time,
			weft_rtx_clock(began + SIM_MS));
	KUNIT_EXPECT_EQ(test, bed_drain(bed), 1);
	bed_sleep(bed);
	KUNIT_EXPECT_EQ(test, bed->now, began + 3 * SIM_MS);
	KUNIT_EXPECT_EQ(test, bed_drain(bed), 2);
	KUNIT_EXPECT_FALSE(test, bed->late);
}

static void engine_next__one_segment_whatever_cwnd_is(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);

	bed_write(bed, 9000);
	bed->e.tx->cc.cwnd = 10;
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_DATA);
	KUNIT_EXPECT_EQ(test, bed->pkt.plen, BED_MSS);
	KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
}

static void engine_next__lost_bytes_go_before_new_ones(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);

	bed_write(bed, 4 * BED_MSS);
	bed_drain(bed);
	bed->now += BED_RTT;
	bed_sack(bed, 0, 2 * BED_MSS, 3 * BED_MSS);
	bed_sleep(bed);
	KUNIT_EXPECT_EQ(test, bed->e.lost_bytes, 2 * BED_MSS);
	/* Room for a few new bytes and not for a lost segment: neither. */
	bed->e.tx->cc.cwnd = bed->e.in_flight + 500;
	bed_write(bed, 100);
	KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
	bed->e.tx->cc.cwnd = bed->e.in_flight + 5000;
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_DATA);
	KUNIT_EXPECT_EQ(test, bed->pkt.offset, 0);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_DATA);
	KUNIT_EXPECT_EQ(test, bed->pkt.offset, 4 * BED_MSS);
}

static void engine_next__never_more_than_the_window(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);

	bed->e.tx->cc.cwnd = 200000;
	bed_write(bed, 100000);
	bed_drain(bed);
	KUNIT_EXPECT_EQ(test, bed->e.snd_nxt, 65000);
	/* The rest is less than a segment and waits for more. */
	KUNIT_EXPECT_TRUE(test, WEFT_DO_ROOM &
			  bed_hear_tight(bed, .kind = WEFT_ACK, .ack = 10000,
					 .window = 65535));
	bed_drain(bed);
	KUNIT_EXPECT_EQ(test, bed->e.snd_nxt, 75000);
	/* A window that shrinks takes nothing back. */
	bed_hear_tight(bed, .kind = WEFT_ACK, .ack = 10000, .window = 1);
	KUNIT_EXPECT_EQ(test, bed->e.snd_limit, 10000 + 65535);
}

static void engine_tick__closed_window_is_probed(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);
	unsigned int i;
	u64 before;

	bed->e.tx->cc.cwnd = 200000;
	bed_write(bed, 70000);
	bed_drain(bed);
	bed_hear_tight(bed, .kind = WEFT_ACK, .ack = 65000, .window = 0);
	KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
	/* The 536 bytes that are left of the first window go after a wait. */
	bed_sleep(bed);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_DATA);
	KUNIT_EXPECT_EQ(test, bed->pkt.plen, 536);
	bed_hear_tight(bed, .kind = WEFT_ACK, .ack = 65536, .window = 0);
	for (i = 0; i < 40; i++) {
		KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
		before = bed->now;
		KUNIT_EXPECT_EQ(test, bed_sleep(bed), 0);
		KUNIT_EXPECT_EQ(test, bed->now - before,
				min_t(u64, i > 8 ? 5 * SIM_SEC :
					   (200 * SIM_MS) << i, 5 * SIM_SEC));
		KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_PROBE);
		/* A peer that answers is alive. */
		bed_hear_tight(bed, .kind = WEFT_ACK, .ack = 65536, .window = 0);
	}
	bed_hear_tight(bed, .kind = WEFT_ACK, .ack = 65536, .window = 5000);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_DATA);
	KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
}

static void engine_next__does_not_put_off_the_probe(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);
	u64 due;

	bed->e.snd_limit = 0;
	bed_write(bed, 10);
	bed_drain(bed);
	due = weft_engine_deadline(&bed->e);
	bed->now += 100 * SIM_MS;
	bed_write(bed, 10);
	bed_drain(bed);
	KUNIT_EXPECT_EQ(test, weft_engine_deadline(&bed->e), due);
}

static void engine_tick__probes_unanswered_end_it(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);
	unsigned int i;

	bed->e.snd_limit = 0;
	bed_write(bed, 10);
	bed_drain(bed);
	for (i = 0; i < 200 && bed->e.state != WEFT_ST_DEAD; i++) {
		bed_sleep(bed);
		bed_drain(bed);
	}
	KUNIT_EXPECT_EQ(test, bed->e.error, ETIMEDOUT);
	KUNIT_EXPECT_EQ(test, bed->now, 1100 * SIM_SEC + BED_RTT);
}

static void engine_tick__tail_is_probed_after_two_rtt(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);
	u64 left = bed->now;

	bed_write(bed, 3 * BED_MSS);
	bed_drain(bed);
	bed_sleep(bed);
	KUNIT_EXPECT_EQ(test, bed->now - left, 2 * BED_RTT);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_DATA);
	KUNIT_EXPECT_EQ(test, bed->pkt.offset, 2 * BED_MSS);
	KUNIT_EXPECT_EQ(test, bed->pkt.plen, BED_MSS);
	KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
	/* Once; then it is the timeout's turn. */
	left = bed->now;
	bed_sleep(bed);
	KUNIT_EXPECT_EQ(test, bed->now - left, 200 * SIM_MS);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_DATA);
	KUNIT_EXPECT_EQ(test, bed->pkt.offset, 0);
	KUNIT_EXPECT_EQ(test, bed->pkt.plen, BED_MSS);
	KUNIT_EXPECT_EQ(test, bed->e.tx->cc.cwnd, BED_MSS);
}

static void engine_tick__tail_probe_prefers_new_bytes(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);

	bed_write(bed, 20 * BED_MSS);
	bed_drain(bed);
	KUNIT_EXPECT_EQ(test, bed->e.snd_nxt, 10 * BED_MSS);
	bed_sleep(bed);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_DATA);
	KUNIT_EXPECT_EQ(test, bed->pkt.offset, 10 * BED_MSS);
	KUNIT_EXPECT_EQ(test, bed->pkt.plen, BED_MSS);
	KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
}

static void engine_tick__timeouts_double_until_the_end(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);
	unsigned int i;
	u64 before;

	bed_write(bed, 10);
	bed_drain(bed);
	bed_sleep(bed);
	bed_drain(bed);
	for (i = 0; i < 101; i++) {
		before = bed->now;
		KUNIT_EXPECT_EQ(test, bed_sleep(bed), 0);
		KUNIT_EXPECT_EQ(test, bed->now - before,
				i < 3 ? (200 * SIM_MS) << i : SIM_SEC);
		KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_DATA);
	}
	KUNIT_EXPECT_EQ(test, bed_sleep(bed), WEFT_DO_DEAD);
	KUNIT_EXPECT_EQ(test, bed->e.error, ETIMEDOUT);
	KUNIT_EXPECT_EQ(test, bed->now, 1100 * SIM_SEC + BED_RTT);
}

static void engine_input__sack_brings_the_hole_again(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);

	bed_write(bed, 8 * BED_MSS);
	KUNIT_EXPECT_EQ(test, bed_drain(bed), 1);
	bed->now += BED_RTT;
	bed_sack(bed, BED_MSS, 3 * BED_MSS, 8 * BED_MSS);
	KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
	bed_sleep(bed);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_DATA);
	KUNIT_EXPECT_EQ(test, bed->pkt.offset, BED_MSS);
	KUNIT_EXPECT_EQ(test, bed->pkt.plen, 2 * BED_MSS);
	KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
	KUNIT_EXPECT_EQ(test, bed->e.retransmitted, 2 * BED_MSS);
	/* It had grown by the 6 segments that arrived. */
	KUNIT_EXPECT_EQ(test, bed->e.tx->cc.cwnd, (10 + 6) * 7 * BED_MSS / 10);
	KUNIT_EXPECT_EQ(test, WEFT_DO_FREE | WEFT_DO_ROOM,
			bed_hear(bed, .kind = WEFT_ACK, .ack = 8 * BED_MSS));
	KUNIT_EXPECT_EQ(test, weft_engine_deadline(&bed->e), WEFT_NEVER);
}

static void engine_input__lies_about_acks_are_ignored(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);

	bed_write(bed, 2000);
	bed_drain(bed);
	KUNIT_EXPECT_EQ(test, 0, bed_hear(bed, .kind = WEFT_ACK, .ack = 2001));
	KUNIT_EXPECT_EQ(test, 0, bed_hear(bed, .kind = WEFT_ACK, .ack = ~0ULL));
	KUNIT_EXPECT_EQ(test, 0, bed_sack(bed, 0, 1000, 2001));
	KUNIT_EXPECT_EQ(test, 0, bed_sack(bed, 0, 1000, 1000));
	KUNIT_EXPECT_EQ(test, bed->e.delivered, 0);
	KUNIT_EXPECT_EQ(test, bed->e.snd_una, 0);
}

static void engine_sent__a_part_of_it_left(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);

	bed_write(bed, 5 * BED_MSS);
	weft_engine_next(&bed->e, bed->now, &bed->pkt);
	KUNIT_EXPECT_EQ(test, bed->pkt.plen, 5 * BED_MSS);
	weft_engine_sent(&bed->e, &bed->pkt, 2 * BED_MSS, bed->now);
	KUNIT_EXPECT_EQ(test, bed->e.snd_nxt, 2 * BED_MSS);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_DATA);
	KUNIT_EXPECT_EQ(test, bed->pkt.offset, 2 * BED_MSS);
	KUNIT_EXPECT_EQ(test, bed->pkt.plen, 3 * BED_MSS);
}

static void engine_sent__nothing_left_is_as_lost(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);

	bed_write(bed, 10);
	weft_engine_next(&bed->e, bed->now, &bed->pkt);
	weft_engine_sent(&bed->e, &bed->pkt, 0, bed->now);
	KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
	bed_sleep(bed);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_DATA);
	KUNIT_EXPECT_EQ(test, bed->pkt.plen, 10);
}

static void engine_next__stops_short_of_the_last_records(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);
	unsigned int n = 0;

	do {
		bed_write(bed, 1);
	} while (bed_next(bed) == WEFT_DATA && ++n < 1000);
	KUNIT_EXPECT_EQ(test, n, BED_RECORDS * 3 / 4);
	/* What waited meanwhile goes as one. */
	bed_write(bed, 100);
	bed_hear(bed, .kind = WEFT_ACK, .ack = 10);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_DATA);
	KUNIT_EXPECT_EQ(test, bed->pkt.plen, 101);
}

static void engine_set_mss__lost_bytes_go_in_smaller_pieces(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);

	bed_write(bed, 8 * BED_MSS);
	bed_drain(bed);
	weft_engine_set_mss(&bed->e, 400, 800);
	bed_sleep(bed);
	bed_drain(bed);
	bed_sleep(bed);
	bed->e.tx->cc.cwnd = 100000;
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_DATA);
	KUNIT_EXPECT_EQ(test, bed->pkt.plen, 800);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_DATA);
	KUNIT_EXPECT_EQ(test, bed->pkt.offset, 800);
	KUNIT_EXPECT_TRUE(test, !sim_check(&bed->e));
}

static void engine_input__cwnd_rests_while_the_program_does(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);
	u32 cwnd = bed->e.tx->cc.cwnd;
	unsigned int i;

	for (i = 1; i < 50; i++) {
		bed_write(bed, 100);
		bed_drain(bed);
		bed->now += BED_RTT;
		bed_hear(bed, .kind = WEFT_ACK, .ack = 100 * i);
	}
	KUNIT_EXPECT_EQ(test, bed->e.tx->cc.cwnd, cwnd);
}

/* --- times --- */

static void engine_input__rtt_is_net_of_the_delay(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);
	u32 time;

	bed_write(bed, 10);
	bed_next(bed);
	time = bed->pkt.time;
	bed->now += 60 * SIM_MS;
	bed_hear(bed, .kind = WEFT_ACK, .ack = 10, .echo = time,
		 .delay = 25000);
	KUNIT_EXPECT_EQ(test, bed->e.rtt.latest_ns, 35 * SIM_MS);
	/* The same echo once more, later, says nothing. */
	bed->now += SIM_SEC;
	bed_hear(bed, .kind = WEFT_ACK, .ack = 10, .echo = time);
	KUNIT_EXPECT_EQ(test, bed->e.rtt.latest_ns, 35 * SIM_MS);
	/* Nor do times that cannot be. */
	bed_hear(bed, .kind = WEFT_ACK, .ack = 10,
		 .echo = weft_rtx_clock(bed->now + SIM_SEC));
	bed_hear(bed, .kind = WEFT_ACK, .ack = 10,
		 .echo = weft_rtx_clock(bed->now), .delay = 1);
	KUNIT_EXPECT_EQ(test, bed->e.rtt.latest_ns, 35 * SIM_MS);
}

static void engine_input__only_newer_times_are_echoed(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);

	bed_hear(bed, .kind = WEFT_PROBE, .time = 0xfffffff0);
	bed_drain(bed);
	bed->now += SIM_MS;
	/* The clock wraps. */
	bed_hear(bed, .kind = WEFT_PROBE, .time = 20);
	bed_next(bed);
	KUNIT_EXPECT_EQ(test, bed->pkt.echo, 20);
	bed->now += SIM_MS;
	bed_hear(bed, .kind = WEFT_PROBE, .time = 0xfffffff5);
	bed_hear(bed, .kind = WEFT_PROBE, .time = 0);
	bed_next(bed);
	KUNIT_EXPECT_EQ(test, bed->pkt.echo, 20);
	KUNIT_EXPECT_EQ(test, bed->pkt.delay, 1000);
	/* After an hour of silence any time is new. */
	bed->now += 3600 * SIM_SEC;
	bed_hear(bed, .kind = WEFT_PROBE, .time = 0xfffffff5);
	bed_next(bed);
	KUNIT_EXPECT_EQ(test, bed->pkt.echo, 0xfffffff5);
}

/* The clocks of two nodes do not run alike. */
static void engine_next__a_time_of_long_ago_is_not_echoed(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);
	u64 heard = bed->now;

	bed_hear(bed, .kind = WEFT_PROBE, .time = 20);
	bed_drain(bed);
	bed->now = heard + 900 * SIM_MS;
	bed_write(bed, 10);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_DATA);
	KUNIT_EXPECT_EQ(test, bed->pkt.echo, 20);
	KUNIT_EXPECT_EQ(test, bed->pkt.delay, 900000);
	bed_hear(bed, .kind = WEFT_ACK, .ack = 10);
	bed->now = heard + 2 * SIM_SEC;
	bed_write(bed, 10);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_DATA);
	KUNIT_EXPECT_EQ(test, bed->pkt.echo, 0);
	KUNIT_EXPECT_EQ(test, bed->pkt.delay, 0);
	bed_hear(bed, .kind = WEFT_ACK, .ack = 20);
	/* Nor later, when the time it was kept for has more than 32 bits. */
	bed->now = heard + 80 * 60 * SIM_SEC;
	bed_write(bed, 10);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_DATA);
	KUNIT_EXPECT_EQ(test, bed->pkt.echo, 0);
}

/* What is said after a pause is no acknowledgment that was held back for it. */
static void engine_input__a_pause_is_no_held_ack(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);
	u32 time;

	bed_write(bed, 10);
	bed_next(bed);
	time = bed->pkt.time;
	bed->now += 25 * SIM_MS;
	bed_hear(bed, .kind = WEFT_ACK, .ack = 10, .echo = time,
		 .delay = 5000);
	KUNIT_EXPECT_EQ(test, bed->e.peer_held_ns, 5 * SIM_MS);
	bed_write(bed, 10);
	bed_next(bed);
	bed_hear(bed, .kind = WEFT_ACK, .ack = 20);
	time = bed->pkt.time;
	bed->now += SIM_SEC;
	bed_hear(bed, .kind = WEFT_DATA, .ack = 20, .plen = 10, .echo = time,
		 .delay = 980000);
	KUNIT_EXPECT_EQ(test, bed->e.rtt.latest_ns, 20 * SIM_MS);
	KUNIT_EXPECT_EQ(test, bed->e.peer_held_ns, 5 * SIM_MS);
}

/* Nor when it crosses what was sent after the pause. */
static void engine_input__a_crossing_is_no_held_ack(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);
	u32 time;

	bed_write(bed, 10);
	bed_next(bed);
	time = bed->pkt.time;
	bed_hear(bed, .kind = WEFT_ACK, .ack = 10);
	bed->now += SIM_SEC;
	bed_write(bed, 10);
	bed_next(bed);
	bed->now += SIM_MS;
	bed_hear(bed, .kind = WEFT_DATA, .ack = 10, .plen = 10, .echo = time,
		 .delay = 980000);
	KUNIT_EXPECT_EQ(test, bed->e.rtt.latest_ns, 21 * SIM_MS);
	KUNIT_EXPECT_EQ(test, bed->e.peer_held_ns, 0);
}

/* --- the end --- */

static void engine_shutdown__last_bytes_go_with_close(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);

	bed_write(bed, 2 * BED_MSS + 10);
	weft_engine_shutdown(&bed->e);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_DATA);
	KUNIT_EXPECT_EQ(test, bed->pkt.plen, 2 * BED_MSS);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_CLOSE);
	KUNIT_EXPECT_EQ(test, bed->pkt.plen, 10);
	KUNIT_EXPECT_EQ(test, bed->e.state, WEFT_ST_SENT_CLOSE);
	KUNIT_EXPECT_EQ(test, bed->e.snd_nxt, 2 * BED_MSS + 11);
	/* Lost, all of it: the same once more. */
	bed_sleep(bed);
	bed_drain(bed);
	bed_sleep(bed);
	bed->e.tx->cc.cwnd = 100000;
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_DATA);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_CLOSE);
	KUNIT_EXPECT_EQ(test, bed->pkt.plen, 10);
	KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
}

static void engine_shutdown__close_carries_one_segment(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);

	bed_write(bed, 3 * BED_MSS);
	weft_engine_shutdown(&bed->e);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_DATA);
	KUNIT_EXPECT_EQ(test, bed->pkt.plen, 2 * BED_MSS);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_CLOSE);
	KUNIT_EXPECT_EQ(test, bed->pkt.plen, BED_MSS);
}

static void engine_shutdown__needs_no_window(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);

	bed->e.snd_limit = 0;
	weft_engine_shutdown(&bed->e);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_CLOSE);
	KUNIT_EXPECT_EQ(test, bed->pkt.plen, 0);
}

static void engine_shutdown__waits_until_the_peer_is_heard(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_ACCEPTED);

	bed_write(bed, 10);
	weft_engine_shutdown(&bed->e);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_OPENED);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_DATA);
	KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
	bed_hear(bed, .kind = WEFT_ACK);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_CLOSE);
	KUNIT_EXPECT_EQ(test, bed->e.state, WEFT_ST_SENT_CLOSE);
}

static void engine_input__we_close_first(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_SENT_CLOSE);

	KUNIT_EXPECT_EQ(test, WEFT_DO_FREE | WEFT_DO_ROOM,
			bed_hear(bed, .kind = WEFT_ACK, .ack = 1));
	KUNIT_EXPECT_EQ(test, bed->e.state, WEFT_ST_SENT_CLOSE);
	bed_hear(bed, .kind = WEFT_DATA, .ack = 1, .plen = 5);
	KUNIT_EXPECT_EQ(test, WEFT_DO_EOF | WEFT_DO_DONE,
			bed_hear(bed, .kind = WEFT_CLOSE, .ack = 1,
				 .offset = 5));
	/* The peer needs to know, before the flow is forgotten. */
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_ACK);
	KUNIT_EXPECT_EQ(test, bed->pkt.ack, 6);
	KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
	KUNIT_EXPECT_EQ(test, weft_engine_deadline(&bed->e), WEFT_NEVER);
}

static void engine_input__they_close_first(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_GOT_CLOSE);

	bed_write(bed, 10);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_DATA);
	weft_engine_shutdown(&bed->e);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_CLOSE);
	KUNIT_EXPECT_EQ(test, bed->e.state, WEFT_ST_CLOSING);
	bed_hear(bed, .kind = WEFT_ACK, .ack = 10);
	KUNIT_EXPECT_EQ(test, bed->e.state, WEFT_ST_CLOSING);
	KUNIT_EXPECT_TRUE(test, WEFT_DO_DONE &
			  bed_hear(bed, .kind = WEFT_ACK, .ack = 11));
}

static void engine_input__both_close_at_once(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_SENT_CLOSE);

	KUNIT_EXPECT_EQ(test, WEFT_DO_EOF, bed_hear(bed, .kind = WEFT_CLOSE));
	KUNIT_EXPECT_EQ(test, bed->e.state, WEFT_ST_CLOSING);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_ACK);
	KUNIT_EXPECT_TRUE(test, WEFT_DO_DONE &
			  bed_hear(bed, .kind = WEFT_ACK, .ack = 1));
}

static void engine_input__close_is_acked_each_time(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_GOT_CLOSE);

	KUNIT_EXPECT_EQ(test, 0, bed_hear(bed, .kind = WEFT_CLOSE));
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_ACK);
	KUNIT_EXPECT_EQ(test, bed->pkt.ack, 1);
}

/* What no state of a flow has a use for. */
static void engine_input__other_kinds_are_ignored(struct kunit *test)
{
	static const u16 taken[WEFT_ST_COUNT] = {
		[WEFT_ST_OPENING] = BIT(WEFT_OPENED) | BIT(WEFT_CLOSED) |
				    BIT(WEFT_RESET),
	};
	u8 kind, state;

	for (state = 0; state < WEFT_ST_COUNT; state++)
		for (kind = 0; kind < 255; kind++) {
			bool stream = kind >= WEFT_OPEN && kind <= WEFT_PROBE;
			struct bed *bed;

			if (stream && state >= WEFT_ST_ACCEPTED &&
			    state <= WEFT_ST_CLOSING)
				continue;
			if (kind < 16 && taken[state] & BIT(kind))
				continue;
			if (kind > 16 && kind < 250)
				continue;
			bed = bed_for(test, state);
			bed_drain(bed);
			KUNIT_EXPECT_EQ(test, 0, bed_hear(bed, .kind = kind));
			KUNIT_EXPECT_EQ(test, bed->e.state, state);
			KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
		}
}

/* --- whatever a peer may say --- */

#define HOSTILE_STEPS	100000

static u64 near(u64 *state, u64 at)
{
	u64 r = sim_random(state);

	switch (r >> 61) {
	case 0:
		return r;
	case 1:
		return 0;
	case 2:
		return at;
	default:
		return at + (s64)((r >> 8) % 6000) - 3000;
	}
}

static void hostile_packet(struct bed *bed, u64 *state)
{
	struct weft_engine *e = &bed->e;
	struct weft_range ranges[4];
	unsigned int i, nr = sim_random(state) >> 62;
	struct weft_pkt pkt = {};

	pkt.kind = (sim_random(state) >> 40) % (WEFT_KINDS + 2);
	/* The end of the flow would end the test too often. */
	if ((pkt.kind == WEFT_RESET || pkt.kind == WEFT_CLOSED) &&
	    sim_random(state) >> 58)
		pkt.kind = WEFT_DATA;
	pkt.offset = near(state, e->rcv_nxt);
	pkt.plen = sim_random(state) >> (sim_random(state) & 1 ? 48 : 54);
	pkt.ack = near(state, e->snd_una);
	pkt.window = near(state, 3000);
	pkt.time = near(state, weft_rtx_clock(bed->now));
	pkt.echo = near(state, weft_rtx_clock(bed->now));
	pkt.delay = near(state, 1000);
	pkt.max_message = sim_random(state);
	pkt.reason = sim_random(state) >> 61;
	for (i = 0; i < nr; i++) {
		ranges[i].start = near(state, e->snd_una + 1000);
		ranges[i].end = near(state, e->snd_nxt);
	}
	bed->todo = weft_engine_input(e, &pkt, ranges, nr, bed->now);
	if (bed->todo & WEFT_DO_DELIVER)
		weft_engine_admit(e, near(state, e->rcv_nxt + BED_WINDOW));
}

static void hostile_step(struct bed *bed, u64 *state)
{
	u64 at;

	switch (sim_random(state) >> 61) {
	case 0:
		at = weft_engine_deadline(&bed->e);
		if (at != WEFT_NEVER && at > bed->now)
			bed->now = at;
		bed_tick(bed);
		break;
	case 1:
		bed->now += sim_random(state) >> 38;
		bed_tick(bed);
		break;
	case 2:
		bed_write(bed, (sim_random(state) >> 40) % 5000);
		if (sim_random(state) >> 57 == 0)
			weft_engine_shutdown(&bed->e);
		break;
	default:
		hostile_packet(bed, state);
	}
	if (sim_random(state) >> 63)
		bed_drain(bed);
	else
		bed_next(bed);
}

static void engine_input__whatever_a_peer_may_say(struct kunit *test)
{
	struct bed *bed = bed_alloc(test);
	u64 state = 17;
	unsigned int n;
	u8 start = 0;

	bed_in(bed, WEFT_ST_IDLE);
	for (n = 0; n < HOSTILE_STEPS; n++) {
		const char *fault;

		if (bed->e.state >= WEFT_ST_DONE || sim_random(&state) >> 56 == 0)
			bed_in(bed, ++start % WEFT_ST_COUNT);
		hostile_step(bed, &state);
		fault = sim_check(&bed->e);
		if (fault) {
			KUNIT_FAIL(test, "step %u: %s", n, fault);
			return;
		}
		KUNIT_ASSERT_LE(test, bed->e.snd_una, bed->e.snd_nxt);
		KUNIT_ASSERT_LE(test, bed->e.rcv_nxt, bed->e.rcv_limit);
		/* A timer that is set to the past again would never rest. */
		KUNIT_ASSERT_FALSE(test, bed->late);
	}
}

/* --- an idle peer --- */

static const struct weft_keep keep = {
	.idle_ns = 10 * SIM_SEC, .interval_ns = 2 * SIM_SEC, .count = 3,
};

static struct bed *bed_keeping(struct kunit *test, enum weft_state state)
{
	struct bed *bed = bed_for(test, state);

	weft_engine_set_keep(&bed->e, &keep, 100 * SIM_SEC);
	return bed;
}

static void engine_tick__idle_peer_is_asked_and_gone(struct kunit *test)
{
	static const enum weft_state states[] = {
		WEFT_ST_OPEN, WEFT_ST_GOT_CLOSE,
	};
	unsigned int i, n;

	for (i = 0; i < ARRAY_SIZE(states); i++) {
		struct bed *bed = bed_keeping(test, states[i]);
		u64 heard = bed->now;

		for (n = 0; n < 3; n++) {
			KUNIT_EXPECT_EQ(test, bed_sleep(bed), 0);
			KUNIT_EXPECT_EQ(test, bed->now - heard,
					(10 + 2 * n) * SIM_SEC);
			KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_PROBE);
			KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
		}
		KUNIT_EXPECT_EQ(test, bed_sleep(bed), WEFT_DO_DEAD);
		KUNIT_EXPECT_EQ(test, bed->now - heard, 16 * SIM_SEC);
		KUNIT_EXPECT_EQ(test, bed->e.error, ETIMEDOUT);
		KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_RESET);
		KUNIT_EXPECT_FALSE(test, bed->late);
	}
}

static void engine_tick__an_answer_keeps_the_flow(struct kunit *test)
{
	struct bed *bed = bed_keeping(test, WEFT_ST_OPEN);
	unsigned int n;

	for (n = 0; n < 20; n++) {
		bed_sleep(bed);
		KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_PROBE);
		bed->now += BED_RTT;
		KUNIT_EXPECT_EQ(test, bed_hear(bed, .kind = WEFT_ACK), 0);
	}
	KUNIT_EXPECT_EQ(test, bed->e.state, WEFT_ST_OPEN);
}

/* Bytes under way have timers of their own; keepalive waits for its turn. */
static void engine_tick__no_question_with_bytes_under_way(struct kunit *test)
{
	struct bed *bed = bed_keeping(test, WEFT_ST_OPEN);
	u64 end = bed->now + 40 * SIM_SEC;

	bed_write(bed, 10);
	bed_drain(bed);
	while (bed->now < end) {
		bed_sleep(bed);
		while (weft_engine_next(&bed->e, bed->now, &bed->pkt)) {
			KUNIT_EXPECT_NE(test, bed->pkt.kind, WEFT_PROBE);
			weft_engine_sent(&bed->e, &bed->pkt, bed->pkt.plen,
					 bed->now);
		}
	}
	KUNIT_EXPECT_EQ(test, bed->e.state, WEFT_ST_OPEN);
}

static void engine_set_keep__a_user_timeout_ends_what_waits(struct kunit *test)
{
	const struct weft_keep off = {};
	struct bed *bed = bed_for(test, WEFT_ST_OPEN);
	u64 sent = bed->now;

	weft_engine_set_keep(&bed->e, &off, 3 * SIM_SEC);
	bed_write(bed, 10);
	bed_drain(bed);
	while (bed->e.state == WEFT_ST_OPEN) {
		bed_sleep(bed);
		bed_drain(bed);
	}
	KUNIT_EXPECT_EQ(test, bed->e.error, ETIMEDOUT);
	KUNIT_EXPECT_EQ(test, bed->now - sent, 3 * SIM_SEC);
}

/* accept() and close(): the opener, which may wait with its ACK, is asked. */
static void engine_shutdown__asks_an_opener_that_is_silent(struct kunit *test)
{
	struct bed *bed = bed_for(test, WEFT_ST_ACCEPTED);

	bed_write(bed, 10);
	bed_drain(bed);
	weft_engine_shutdown(&bed->e);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_OPENED);
	KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
	weft_engine_shutdown(&bed->e);
	KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
	bed_hear(bed, .kind = WEFT_ACK, .ack = 10);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_CLOSE);
}

/* Cut off right after accept(): the opener is not heard a second time. */
static void engine_set_keep__patience_with_an_opener(struct kunit *test)
{
	static const struct {
		struct weft_keep keep;
		u64 end_ns;
	} rows[] = {
		{ { .limit_ns = 3 * SIM_SEC }, 3 * SIM_SEC },
		{ { .limit_ns = 60 * SIM_SEC }, 10 * SIM_SEC },
		{ { .idle_ns = SIM_SEC, .interval_ns = 2 * SIM_SEC, .count = 3 },
		  7 * SIM_SEC },
		{ { .idle_ns = SIM_SEC, .interval_ns = 2 * SIM_SEC, .count = 3,
		    .limit_ns = 2 * SIM_SEC }, 2 * SIM_SEC },
		{ {}, 10 * SIM_SEC },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct bed *bed = bed_for(test, WEFT_ST_ACCEPTED);
		u64 opened = bed->e.opened_ns;

		weft_engine_set_keep(&bed->e, &rows[i].keep, 100 * SIM_SEC);
		bed_write(bed, 10);
		bed_drain(bed);
		while (bed->e.state == WEFT_ST_ACCEPTED) {
			bed_sleep(bed);
			bed_drain(bed);
		}
		KUNIT_EXPECT_EQ(test, bed->e.error, ETIMEDOUT);
		KUNIT_EXPECT_EQ(test, bed->now - opened, rows[i].end_ns);
	}
}

/* The shell had no memory yet for what sending needs. */
static struct bed *without_tx(struct kunit *test, enum weft_state state)
{
	struct bed *bed = bed_for(test, state);

	bed->e.tx = NULL;
	weft_engine_lend_records(&bed->e, NULL, 0);
	return bed;
}

static void engine_lend_tx__only_who_sends_needs_it(struct kunit *test)
{
	struct bed *bed = without_tx(test, WEFT_ST_OPEN);

	KUNIT_EXPECT_FALSE(test, weft_engine_wants_tx(&bed->e));
	bed_hear(bed, .kind = WEFT_DATA, .plen = BED_MSS);
	bed_hear(bed, .kind = WEFT_DATA, .offset = BED_MSS, .plen = BED_MSS);
	KUNIT_EXPECT_EQ(test, bed->todo & WEFT_DO_STORE, WEFT_DO_STORE);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_ACK);
	bed_hear(bed, .kind = WEFT_PROBE, .offset = 2 * BED_MSS);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_ACK);
	KUNIT_EXPECT_FALSE(test, weft_engine_wants_tx(&bed->e));
	KUNIT_EXPECT_FALSE(test, weft_engine_is_tight(&bed->e));
	KUNIT_EXPECT_EQ(test, weft_engine_wants_records(&bed->e), 0);
	KUNIT_EXPECT_EQ(test, weft_engine_deadline(&bed->e), WEFT_NEVER);
	/* Nothing was sent that these could be about. */
	bed_sack(bed, 0, 1, 2);
	bed_hear(bed, .kind = WEFT_ACK, .ack = 1);
	weft_engine_kick(&bed->e, bed->now);
	bed->now += 3600 * SIM_SEC;
	bed_tick(bed);
	KUNIT_EXPECT_EQ(test, bed->todo, 0);
	KUNIT_EXPECT_TRUE(test, !sim_check(&bed->e));
	/* The peer's end, and ours waits. */
	bed_hear(bed, .kind = WEFT_CLOSE, .offset = 2 * BED_MSS);
	KUNIT_EXPECT_EQ(test, bed->todo & WEFT_DO_EOF, WEFT_DO_EOF);
	weft_engine_shutdown(&bed->e);
	KUNIT_EXPECT_TRUE(test, weft_engine_wants_tx(&bed->e));
}

static void engine_lend_tx__what_waits_for_it_leaves(struct kunit *test)
{
	struct bed *bed = without_tx(test, WEFT_ST_OPEN);

	weft_engine_write(&bed->e, 3 * BED_MSS);
	weft_engine_shutdown(&bed->e);
	KUNIT_EXPECT_TRUE(test, weft_engine_wants_tx(&bed->e));
	KUNIT_EXPECT_TRUE(test, weft_engine_is_tight(&bed->e));
	KUNIT_EXPECT_FALSE(test, weft_engine_is_idle(&bed->e));
	KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
	/* A program that is heard meanwhile, and has no window, is answered. */
	bed_hear_tight(bed, .kind = WEFT_PROBE);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_ACK);
	bed_tick(bed);
	KUNIT_EXPECT_EQ(test, bed_next(bed), BED_NONE);
	weft_engine_lend_tx(&bed->e, &bed->tx);
	KUNIT_EXPECT_FALSE(test, weft_engine_wants_tx(&bed->e));
	KUNIT_EXPECT_FALSE(test, weft_engine_is_tight(&bed->e));
	KUNIT_EXPECT_EQ(test, bed->e.max_recs, WEFT_FEW_RECORDS);
	KUNIT_EXPECT_GT(test, bed_drain(bed), 0);
	KUNIT_EXPECT_EQ(test, bed->e.snd_nxt, 3 * BED_MSS + 1);
	KUNIT_EXPECT_EQ(test, bed->e.in_flight, 3 * BED_MSS + 1);
	KUNIT_EXPECT_TRUE(test, !sim_check(&bed->e));
}

/* OPEN goes without the bytes that were to go with it; these follow. */
static void engine_lend_tx__open_needs_none(struct kunit *test)
{
	struct bed *bed = without_tx(test, WEFT_ST_IDLE);

	weft_engine_write(&bed->e, 100);
	weft_engine_open(&bed->e, bed->now);
	KUNIT_EXPECT_TRUE(test, weft_engine_wants_tx(&bed->e));
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_OPEN);
	KUNIT_EXPECT_EQ(test, bed->pkt.plen, 0);
	bed_hear(bed, .kind = WEFT_OPENED, .max_message = 100000);
	KUNIT_EXPECT_NE(test, bed_next(bed), WEFT_DATA);
	weft_engine_lend_tx(&bed->e, &bed->tx);
	KUNIT_EXPECT_EQ(test, bed_next(bed), WEFT_DATA);
	KUNIT_EXPECT_EQ(test, bed->pkt.offset, 0);
	KUNIT_EXPECT_EQ(test, bed->pkt.plen, 100);
}

/* What was said before there was anybody to tell. */
static void engine_lend_tx__begins_as_the_flow_is(struct kunit *test)
{
	struct bed *bed = without_tx(test, WEFT_ST_OPEN);

	weft_engine_set_cc(&bed->e, &weft_cc_delay);
	weft_engine_set_mss(&bed->e, BED_MSS / 2, BED_MSS / 2);
	memset(&bed->tx, 0xa5, sizeof(bed->tx));
	weft_engine_write(&bed->e, 100 * BED_MSS);
	weft_engine_lend_tx(&bed->e, &bed->tx);
	KUNIT_EXPECT_TRUE(test, bed->e.tx->cc.ops == &weft_cc_delay);
	KUNIT_EXPECT_EQ(test, bed->e.tx->cc.mss, BED_MSS / 2);
	KUNIT_EXPECT_EQ(test, bed->e.tx->cc.cwnd,
			WEFT_CWND_INITIAL_SEGMENTS * BED_MSS / 2);
	KUNIT_EXPECT_FALSE(test, bed->e.tx->was_vague);
	KUNIT_EXPECT_EQ(test, bed->e.tx->rack_end, 0);
	weft_engine_lend_records(&bed->e, bed->recs, BED_RECORDS);
	bed_drain(bed);
	KUNIT_EXPECT_EQ(test, bed->e.in_flight, bed->e.tx->cc.cwnd);
}

static struct kunit_case engine_cases[] = {
	KUNIT_CASE(engine_open__is_repeated_until_its_time),
	KUNIT_CASE(engine_kick__sends_open_at_once),
	KUNIT_CASE(engine_input__opened_makes_open),
	KUNIT_CASE(engine_input__opened_is_acked_by_bytes),
	KUNIT_CASE(engine_hurry__sends_what_is_held_back),
	KUNIT_CASE(engine_input__opened_once_more_is_acked),
	KUNIT_CASE(engine_accept__opened_is_repeated),
	KUNIT_CASE(engine_input__any_packet_ends_accepted),
	KUNIT_CASE(engine_open__carries_what_is_written),
	KUNIT_CASE(engine_open__fits_a_path_that_shrank),
	KUNIT_CASE(engine_accept__takes_what_open_carries),
	KUNIT_CASE(engine_input__reset_and_closed),
	KUNIT_CASE(engine_input__reset_with_data_unacked_is_an_error),
	KUNIT_CASE(engine_abort__resets_whoever_may_know),
	KUNIT_CASE(engine_abort__nobody_knows_of_an_unsent_open),
	KUNIT_CASE(engine_input__second_segment_is_acked),
	KUNIT_CASE(engine_tick__lone_segment_is_acked_in_25_ms),
	KUNIT_CASE(engine_next__data_carries_the_ack),
	KUNIT_CASE(engine_input__prompt_is_acked_at_once),
	KUNIT_CASE(engine_input__behind_a_gap_every_second_is_acked),
	KUNIT_CASE(engine_input__out_of_order_is_told_at_once),
	KUNIT_CASE(engine_next__every_range_is_told_in_turn),
	KUNIT_CASE(engine_input__duplicates_are_acked_and_not_stored),
	KUNIT_CASE(engine_input__gaps_beyond_its_memory_are_dropped),
	KUNIT_CASE(engine_input__nothing_beyond_the_limit),
	KUNIT_CASE(engine_input__offsets_that_wrap_are_ignored),
	KUNIT_CASE(engine_input__one_end_only),
	KUNIT_CASE(engine_input__an_end_is_acked_by_an_end),
	KUNIT_CASE(engine_input__an_end_is_acked_soon),
	KUNIT_CASE(engine_input__a_super_packet_waits_for_the_reader),
	KUNIT_CASE(engine_input__a_super_packet_without_a_reader),
	KUNIT_CASE(engine_input__an_end_that_is_awaited),
	KUNIT_CASE(engine_calm__no_deadline_is_nearer),
	KUNIT_CASE(engine_calm__not_where_time_is_short),
	KUNIT_CASE(engine_tight__before_more_is_wanted),
	KUNIT_CASE(engine_sent__leaves_it_idle),
	KUNIT_CASE(engine_input__probe_is_answered_at_once),
	KUNIT_CASE(engine_admit__is_told_when_worth_a_packet),
	KUNIT_CASE(engine_admit__a_super_packet_is_made_room_for),
	KUNIT_CASE(engine_admit__nearly_half_of_the_window_is_told),
	KUNIT_CASE(engine_hurry__all_the_room_is_told),
	KUNIT_CASE(engine_hurry__leaves_no_remainder),
	KUNIT_CASE(engine_read__tells_of_what_is_worth_it),
	KUNIT_CASE(engine_admit__super_packets_are_forgotten),
	KUNIT_CASE(engine_admit__a_message_is_made_room_for),
	KUNIT_CASE(engine_input__a_gap_presses_the_window),
	KUNIT_CASE(engine_input__a_slow_reader_presses_nothing),
	KUNIT_CASE(engine_admit__a_wide_window_can_wait),
	KUNIT_CASE(engine_next__whole_segments_then_the_rest),
	KUNIT_CASE(engine_next__never_more_than_cwnd),
	KUNIT_CASE(engine_next__bytes_wait_for_their_time),
	KUNIT_CASE(engine_next__a_program_sets_the_pace),
	KUNIT_CASE(engine_next__acks_do_not_wait),
	KUNIT_CASE(engine_set_ahead__packets_say_when_they_leave),
	KUNIT_CASE(engine_next__one_segment_whatever_cwnd_is),
	KUNIT_CASE(engine_next__lost_bytes_go_before_new_ones),
	KUNIT_CASE(engine_next__never_more_than_the_window),
	KUNIT_CASE(engine_tick__closed_window_is_probed),
	KUNIT_CASE(engine_next__does_not_put_off_the_probe),
	KUNIT_CASE(engine_tick__probes_unanswered_end_it),
	KUNIT_CASE(engine_tick__tail_is_probed_after_two_rtt),
	KUNIT_CASE(engine_tick__tail_probe_prefers_new_bytes),
	KUNIT_CASE(engine_tick__timeouts_double_until_the_end),
	KUNIT_CASE(engine_input__sack_brings_the_hole_again),
	KUNIT_CASE(engine_input__lies_about_acks_are_ignored),
	KUNIT_CASE(engine_sent__a_part_of_it_left),
	KUNIT_CASE(engine_sent__nothing_left_is_as_lost),
	KUNIT_CASE(engine_next__stops_short_of_the_last_records),
	KUNIT_CASE(engine_set_mss__lost_bytes_go_in_smaller_pieces),
	KUNIT_CASE(engine_input__cwnd_rests_while_the_program_does),
	KUNIT_CASE(engine_input__rtt_is_net_of_the_delay),
	KUNIT_CASE(engine_input__only_newer_times_are_echoed),
	KUNIT_CASE(engine_next__a_time_of_long_ago_is_not_echoed),
	KUNIT_CASE(engine_input__a_pause_is_no_held_ack),
	KUNIT_CASE(engine_input__a_crossing_is_no_held_ack),
	KUNIT_CASE(engine_shutdown__last_bytes_go_with_close),
	KUNIT_CASE(engine_shutdown__close_carries_one_segment),
	KUNIT_CASE(engine_shutdown__needs_no_window),
	KUNIT_CASE(engine_shutdown__waits_until_the_peer_is_heard),
	KUNIT_CASE(engine_input__we_close_first),
	KUNIT_CASE(engine_input__they_close_first),
	KUNIT_CASE(engine_input__both_close_at_once),
	KUNIT_CASE(engine_input__close_is_acked_each_time),
	KUNIT_CASE(engine_input__other_kinds_are_ignored),
	KUNIT_CASE(engine_tick__idle_peer_is_asked_and_gone),
	KUNIT_CASE(engine_tick__an_answer_keeps_the_flow),
	KUNIT_CASE(engine_tick__no_question_with_bytes_under_way),
	KUNIT_CASE(engine_set_keep__a_user_timeout_ends_what_waits),
	KUNIT_CASE(engine_shutdown__asks_an_opener_that_is_silent),
	KUNIT_CASE(engine_lend_tx__only_who_sends_needs_it),
	KUNIT_CASE(engine_lend_tx__what_waits_for_it_leaves),
	KUNIT_CASE(engine_lend_tx__open_needs_none),
	KUNIT_CASE(engine_lend_tx__begins_as_the_flow_is),
	KUNIT_CASE(engine_set_keep__patience_with_an_opener),
	KUNIT_CASE(engine_input__whatever_a_peer_may_say),
	{}
};

static struct kunit_suite engine_suite = {
	.name = "weft_engine",
	.test_cases = engine_cases,
};

kunit_test_suite(engine_suite);
