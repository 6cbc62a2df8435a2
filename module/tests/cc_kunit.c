// SPDX-License-Identifier: GPL-2.0
#include <kunit/test.h>
#include <linux/minmax.h>

#include "../proto/cc.h"
#include "../proto/rtt.h"

#define MSS	1000U
#define RTT	(20 * WEFT_NS_PER_MS)
#define START	(1000 * WEFT_NS_PER_SEC)

/* A flow's congestion control, and the path that answers it. */
struct path {
	struct weft_cc	cc;
	u64		now;
	u64		delivered;
	u64		lost;
	u64		una;
	u32		least;	/* cwnd after any of the acknowledgments */
};

static struct path fresh(const struct weft_cc_ops *ops)
{
	struct path p = { .now = START, .least = WEFT_CWND_MAX };

	weft_cc_init(&p.cc, ops, MSS);
	return p;
}

/* In congestion avoidance with a window of so many segments. */
static struct path steady(const struct weft_cc_ops *ops, u32 segments)
{
	struct path p = fresh(ops);

	p.cc.cwnd = segments * MSS;
	p.cc.ssthresh = p.cc.cwnd;
	return p;
}

/* @bytes arrive, which had left when @prior had arrived. */
static void tell(struct path *p, u64 bytes, u64 prior, u64 rtt_ns, u64 rate)
{
	const struct weft_cc_ack ack = {
		.now = p->now, .acked = bytes, .in_flight = p->cc.cwnd,
		.prior_in_flight = p->cc.cwnd + bytes,
		.delivered = p->delivered += bytes, .lost = p->lost,
		.rate = rate, .prior_delivered = prior, .rtt_ns = rtt_ns,
		.limited = true,
	};

	p->una += bytes;
	weft_cc_delivered(&p->cc, &ack, p->una);
	p->least = min(p->least, p->cc.cwnd);
}

/* A round trip in which the whole window arrives, segment after segment. */
static void go_round(struct path *p, u64 rtt_ns, u64 rate)
{
	u32 segments = max(p->cc.cwnd / MSS, 1U), i;
	u64 prior = p->delivered;

	for (i = 0; i < segments; i++) {
		p->now += rtt_ns / segments;
		tell(p, MSS, prior, rtt_ns, rate);
	}
}

static void lose(struct path *p, u64 bytes, u64 snd_nxt)
{
	p->lost += bytes;
	weft_cc_lost(&p->cc, p->una, bytes, snd_nxt, p->now);
}

static void cc_find__by_name(struct kunit *test)
{
	unsigned int i;

	KUNIT_EXPECT_TRUE(test, weft_cc_at(0) == &weft_cc_rate);
	KUNIT_EXPECT_TRUE(test, weft_cc_find("cubic") == &weft_cc_cubic);
	KUNIT_EXPECT_TRUE(test, !weft_cc_find("reno"));
	KUNIT_EXPECT_TRUE(test, !weft_cc_find(""));
	for (i = 0; weft_cc_at(i); i++) {
		KUNIT_EXPECT_TRUE(test, weft_cc_find(weft_cc_at(i)->name) ==
					weft_cc_at(i));
		KUNIT_EXPECT_LT(test, strlen(weft_cc_at(i)->name),
				WEFT_CC_NAME_BYTES);
	}
	KUNIT_EXPECT_EQ(test, i, 3);
}

static void cc_init__ten_segments(struct kunit *test)
{
	unsigned int i;

	for (i = 0; weft_cc_at(i); i++) {
		struct path p = fresh(weft_cc_at(i));

		KUNIT_EXPECT_EQ(test, p.cc.cwnd, 10 * MSS);
		KUNIT_EXPECT_EQ(test, p.cc.pacing_rate, 0);
	}
}

static void cc_switch__keeps_the_window(struct kunit *test)
{
	struct path p = steady(&weft_cc_cubic, 40);

	lose(&p, MSS, 40 * MSS);
	weft_cc_switch(&p.cc, &weft_cc_rate);
	KUNIT_EXPECT_EQ(test, p.cc.cwnd, 28 * MSS);
	/* The episode is not answered once more. */
	weft_cc_switch(&p.cc, &weft_cc_cubic);
	lose(&p, MSS, 40 * MSS);
	KUNIT_EXPECT_EQ(test, p.cc.cwnd, 28 * MSS);
}

static void cc_burst__a_millisecond(struct kunit *test)
{
	struct path p = fresh(&weft_cc_rate);

	KUNIT_EXPECT_EQ(test, weft_cc_burst(&p.cc, 60000), 60000);
	KUNIT_EXPECT_EQ(test, weft_cc_gap_ns(&p.cc, 60000), 0);
	p.cc.pacing_rate = 10000000;
	KUNIT_EXPECT_EQ(test, weft_cc_burst(&p.cc, 60000), 10000);
	KUNIT_EXPECT_EQ(test, weft_cc_gap_ns(&p.cc, 10000), 1000000);
	/* The program wants less, and more. */
	p.cc.max_rate = 5000000;
	KUNIT_EXPECT_EQ(test, weft_cc_burst(&p.cc, 60000), 5000);
	KUNIT_EXPECT_EQ(test, weft_cc_gap_ns(&p.cc, 10000), 2000000);
	p.cc.max_rate = 20000000;
	KUNIT_EXPECT_EQ(test, weft_cc_gap_ns(&p.cc, 10000), 1000000);
	/* Also where the path has not shown one. */
	p.cc.pacing_rate = 0;
	KUNIT_EXPECT_EQ(test, weft_cc_gap_ns(&p.cc, 10000), 500000);
	p.cc.max_rate = 0;
	p.cc.pacing_rate = 100;
	KUNIT_EXPECT_EQ(test, weft_cc_burst(&p.cc, 60000), 2 * MSS);
}

static void cc_cubic__slow_start_doubles(struct kunit *test)
{
	struct path p = fresh(&weft_cc_cubic);

	go_round(&p, RTT, 0);
	KUNIT_EXPECT_EQ(test, p.cc.cwnd, 20 * MSS);
}

static void cc_cubic__slow_start_ends_at_ssthresh(struct kunit *test)
{
	struct path p = fresh(&weft_cc_cubic);

	p.cc.ssthresh = 12 * MSS;
	tell(&p, 10 * MSS, 0, RTT, 0);
	KUNIT_EXPECT_EQ(test, p.cc.cwnd, 12 * MSS);
}

/* RFC 9406: a longer round trip slows it, five such rounds end it. */
static void cc_cubic__slow_start_ends_with_a_queue(struct kunit *test)
{
	struct path p = fresh(&weft_cc_cubic);
	unsigned int i;

	for (i = 0; i < 3; i++)
		go_round(&p, RTT, 0);
	KUNIT_EXPECT_EQ(test, p.cc.ssthresh, WEFT_CWND_MAX);
	for (i = 0; i < 8; i++)
		go_round(&p, RTT + 5 * WEFT_NS_PER_MS, 0);
	KUNIT_EXPECT_LT(test, p.cc.ssthresh, WEFT_CWND_MAX);
}

/* Noise is no queue: it goes on at full speed when the next round is short. */
static void cc_cubic__slow_start_survives_a_slow_round(struct kunit *test)
{
	struct path p = fresh(&weft_cc_cubic);
	unsigned int i;

	for (i = 0; i < 8; i++)
		go_round(&p, i == 2 ? RTT + 5 * WEFT_NS_PER_MS : RTT, 0);
	KUNIT_EXPECT_EQ(test, p.cc.ssthresh, WEFT_CWND_MAX);
}

static void cc_cubic__never_beyond_the_maximum(struct kunit *test)
{
	struct path p = fresh(&weft_cc_cubic);
	unsigned int i;

	for (i = 0; i < 3; i++)
		tell(&p, 1ULL << 50, 0, RTT, 0);
	KUNIT_EXPECT_EQ(test, p.cc.cwnd, WEFT_CWND_MAX);
	p.cc.ssthresh = MSS;
	tell(&p, 1ULL << 60, 0, RTT, 0);
	KUNIT_EXPECT_EQ(test, p.cc.cwnd, WEFT_CWND_MAX);
}

static void cc_cubic__seven_tenths_an_episode(struct kunit *test)
{
	struct path p = steady(&weft_cc_cubic, 20);

	p.una = 5 * MSS;
	lose(&p, MSS, 25 * MSS);
	KUNIT_EXPECT_EQ(test, p.cc.cwnd, 14 * MSS);
	p.una = 24 * MSS;
	lose(&p, MSS, 30 * MSS);
	KUNIT_EXPECT_EQ(test, p.cc.cwnd, 14 * MSS);
	p.una = 23 * MSS;
	tell(&p, MSS, 0, RTT, 0);
	KUNIT_EXPECT_EQ(test, p.cc.cwnd, 14 * MSS);
	KUNIT_EXPECT_TRUE(test, p.cc.recovering);
	tell(&p, MSS, 0, RTT, 0);
	KUNIT_EXPECT_FALSE(test, p.cc.recovering);
	lose(&p, MSS, 35 * MSS);
	KUNIT_EXPECT_LE(test, p.cc.cwnd, 10 * MSS);
}

static void cc_cubic__two_segments_remain(struct kunit *test)
{
	struct path p = steady(&weft_cc_cubic, 2);

	lose(&p, MSS, 3 * MSS);
	KUNIT_EXPECT_EQ(test, p.cc.cwnd, 2 * MSS);
}

/*
 * RFC 9438 section 4.2: 70 of 100 segments remain, the curve is back at 100
 * after cbrt(30 / 0.4) = 4.2 s, is flat there, and rises beyond.
 */
static void cc_cubic__the_curve(struct kunit *test)
{
	struct path p = steady(&weft_cc_cubic, 100);

	lose(&p, MSS, p.una);
	while (p.now < START + 3 * WEFT_NS_PER_SEC)
		go_round(&p, RTT * 5, 0);
	KUNIT_EXPECT_GT(test, p.cc.cwnd, 94 * MSS);
	KUNIT_EXPECT_LT(test, p.cc.cwnd, 101 * MSS);
	while (p.now < START + 5 * WEFT_NS_PER_SEC)
		go_round(&p, RTT * 5, 0);
	KUNIT_EXPECT_GT(test, p.cc.cwnd, 99 * MSS);
	KUNIT_EXPECT_LT(test, p.cc.cwnd, 103 * MSS);
	while (p.now < START + 8 * WEFT_NS_PER_SEC)
		go_round(&p, RTT * 5, 0);
	KUNIT_EXPECT_GT(test, p.cc.cwnd, 115 * MSS);
}

/* Section 4.3: never slower than NewReno with the same share of losses. */
static void cc_cubic__as_fast_as_reno_on_a_short_path(struct kunit *test)
{
	struct path p = steady(&weft_cc_cubic, 10);
	unsigned int i;

	lose(&p, MSS, p.una);
	for (i = 0; i < 100; i++)
		go_round(&p, WEFT_NS_PER_MS, 0);
	/* 9/17 of a segment in each of 100 round trips, in a tenth of a second. */
	KUNIT_EXPECT_GT(test, p.cc.cwnd, (7 + 45) * MSS);
}

/* Section 4.7: who loses again below its last window makes room. */
static void cc_cubic__fast_convergence(struct kunit *test)
{
	struct path p = steady(&weft_cc_cubic, 100);

	lose(&p, MSS, p.una);
	KUNIT_EXPECT_EQ(test, p.cc.cubic.w_max, 100 * MSS);
	tell(&p, MSS, 0, RTT, 0);
	lose(&p, MSS, p.una);
	KUNIT_EXPECT_LT(test, p.cc.cubic.w_max, 61 * MSS);
}

static void cc_timeout__one_segment_then_slow_start(struct kunit *test)
{
	struct path p = steady(&weft_cc_cubic, 20);

	weft_cc_timeout(&p.cc, 0, 20 * MSS, p.now);
	KUNIT_EXPECT_EQ(test, p.cc.cwnd, MSS);
	KUNIT_EXPECT_EQ(test, p.cc.ssthresh, 14 * MSS);
	/* The same bytes fail once more: ssthresh was reduced for them. */
	weft_cc_timeout(&p.cc, 0, 20 * MSS, p.now);
	KUNIT_EXPECT_EQ(test, p.cc.ssthresh, 14 * MSS);
	tell(&p, MSS, 0, RTT, 0);
	KUNIT_EXPECT_EQ(test, p.cc.cwnd, 2 * MSS);
}

static void cc_spurious__takes_the_reduction_back(struct kunit *test)
{
	struct path p = steady(&weft_cc_cubic, 20);

	lose(&p, MSS, 25 * MSS);
	lose(&p, 2 * MSS, 25 * MSS);
	weft_cc_spurious(&p.cc, 2 * MSS);
	KUNIT_EXPECT_EQ(test, p.cc.cwnd, 14 * MSS);
	weft_cc_spurious(&p.cc, MSS);
	KUNIT_EXPECT_EQ(test, p.cc.cwnd, 20 * MSS);
	KUNIT_EXPECT_FALSE(test, p.cc.recovering);
	/* Once. */
	p.cc.cwnd = 5 * MSS;
	weft_cc_spurious(&p.cc, MSS);
	KUNIT_EXPECT_EQ(test, p.cc.cwnd, 5 * MSS);
}

static void cc_spurious__a_timeout_too(struct kunit *test)
{
	struct path p = steady(&weft_cc_cubic, 20);

	weft_cc_timeout(&p.cc, 0, 20 * MSS, p.now);
	weft_cc_suspect(&p.cc, 20 * MSS);
	weft_cc_spurious(&p.cc, 20 * MSS);
	KUNIT_EXPECT_EQ(test, p.cc.cwnd, 20 * MSS);
	KUNIT_EXPECT_EQ(test, p.cc.ssthresh, 20 * MSS);
}

static void cc_spurious__not_after_the_episode(struct kunit *test)
{
	struct path p = steady(&weft_cc_cubic, 20);

	lose(&p, MSS, MSS);
	tell(&p, MSS, 0, RTT, 0);
	weft_cc_spurious(&p.cc, MSS);
	KUNIT_EXPECT_LE(test, p.cc.cwnd, 15 * MSS);
}

static void cc_idle__back_to_ten_segments(struct kunit *test)
{
	struct path p = steady(&weft_cc_cubic, 20);

	weft_cc_idle(&p.cc);
	KUNIT_EXPECT_EQ(test, p.cc.cwnd, 10 * MSS);
	p.cc.cwnd = 3 * MSS;
	weft_cc_idle(&p.cc);
	KUNIT_EXPECT_EQ(test, p.cc.cwnd, 3 * MSS);
}

static void cc_delay__a_few_segments_wait(struct kunit *test)
{
	struct path p = steady(&weft_cc_delay, 20);
	unsigned int i;

	/* No queue: one segment a round. */
	for (i = 0; i < 10; i++)
		go_round(&p, RTT, 0);
	KUNIT_EXPECT_GE(test, p.cc.cwnd, 30 * MSS);
	KUNIT_EXPECT_LE(test, p.cc.cwnd, 31 * MSS);
	/* 4 of 30 segments wait: just right. */
	for (i = 0; i < 10; i++)
		go_round(&p, RTT * 30 / 26, 0);
	KUNIT_EXPECT_GE(test, p.cc.cwnd, 30 * MSS);
	KUNIT_EXPECT_LE(test, p.cc.cwnd, 32 * MSS);
	/* Half of them wait: too many. */
	for (i = 0; i < 10; i++)
		go_round(&p, RTT * 2, 0);
	KUNIT_EXPECT_LT(test, p.cc.cwnd, 12 * MSS);
	KUNIT_EXPECT_GE(test, p.cc.cwnd, 2 * MSS);
}

/*
 * The base is renewed when nothing has been as fast for long, here by a sample
 * that is slower than another of its round.
 */
static void renew_base(struct kunit *test, u64 fast_ns)
{
	struct path p = steady(&weft_cc_delay, 20);
	u32 segments, before, i;
	u64 prior, end;

	go_round(&p, RTT, 0);
	for (end = p.now + 15 * WEFT_NS_PER_SEC; p.now < end;) {
		before = p.cc.cwnd;
		segments = max(before / MSS, 1U);
		prior = p.delivered;
		for (i = 0; i < segments; i++) {
			p.now += 2 * RTT / segments;
			tell(&p, MSS, prior, i == 1 ? fast_ns : 2 * RTT, 0);
		}
		KUNIT_ASSERT_LE(test, p.cc.cwnd, before + MSS);
	}
}

static void cc_delay__a_base_that_is_renewed(struct kunit *test)
{
	unsigned int i;

	for (i = 1; i < 50; i++)
		renew_base(test, RTT + RTT * i / 50);
}

static void cc_delay__loss_halves(struct kunit *test)
{
	struct path p = steady(&weft_cc_delay, 20);

	lose(&p, MSS, 25 * MSS);
	KUNIT_EXPECT_EQ(test, p.cc.cwnd, 10 * MSS);
}

/* What the path carries, bytes/s: 50 segments a round trip. */
#define CARRIES	(50 * MSS * 50ULL)

/* A flow that has found its path. */
static struct path found(u64 rtt_ns)
{
	struct path p = fresh(&weft_cc_rate);
	unsigned int i;

	p.now += WEFT_NS_PER_SEC;
	for (i = 0; i < 30; i++)
		go_round(&p, rtt_ns, min(p.cc.cwnd * WEFT_NS_PER_SEC / rtt_ns,
					 CARRIES));
	return p;
}

static void cc_rate__finds_the_rate(struct kunit *test)
{
	struct path p = found(RTT);

	KUNIT_EXPECT_GT(test, p.cc.pacing_rate, CARRIES * 7 / 10);
	KUNIT_EXPECT_LT(test, p.cc.pacing_rate, CARRIES * 13 / 10);
	KUNIT_EXPECT_GE(test, p.cc.cwnd, 50 * MSS);
	KUNIT_EXPECT_LT(test, p.cc.cwnd, 75 * MSS);
}

/* No pace is finer than the window of so short a round trip. */
static void cc_rate__a_short_path_is_not_paced(struct kunit *test)
{
	struct path p = found(WEFT_BURST_NS / 4);

	KUNIT_EXPECT_EQ(test, p.cc.pacing_rate, 0);
}

static void cc_rate__five_percent_lost_is_nothing(struct kunit *test)
{
	struct path p = found(RTT);
	unsigned int i;

	for (i = 0; i < 100; i++) {
		lose(&p, 3 * MSS, p.una + 50 * MSS);
		go_round(&p, RTT, CARRIES);
		KUNIT_EXPECT_GE(test, p.cc.cwnd, 50 * MSS);
	}
}

static void cc_rate__a_third_lost_is_too_much(struct kunit *test)
{
	struct path p = found(RTT);
	unsigned int i;

	for (i = 0; i < 5; i++) {
		lose(&p, p.cc.cwnd / 2, p.una + 50 * MSS);
		go_round(&p, RTT, CARRIES);
	}
	KUNIT_EXPECT_LT(test, p.cc.cwnd, 40 * MSS);
	/* And it comes back when that is over. */
	for (i = 0; i < 20; i++)
		go_round(&p, RTT, CARRIES);
	KUNIT_EXPECT_GE(test, p.cc.cwnd, 50 * MSS);
}

/* A program that writes little says nothing about the path. */
static void cc_rate__what_the_program_limits_does_not_count(struct kunit *test)
{
	struct path p = found(RTT);
	unsigned int i;

	for (i = 0; i < 100; i++) {
		const struct weft_cc_ack ack = {
			.now = p.now += RTT, .acked = MSS,
			.delivered = p.delivered += MSS,
			.prior_delivered = p.delivered - MSS,
			.rate = MSS * 50, .rtt_ns = RTT, .rate_limited = true,
		};

		weft_cc_delivered(&p.cc, &ack, p.una += MSS);
	}
	KUNIT_EXPECT_GE(test, p.cc.cwnd, 50 * MSS);
}

/* An answer, of which the window was never full. */
static void tell_answer(struct path *p, u32 bytes)
{
	const struct weft_cc_ack ack = {
		.now = p->now += RTT, .acked = bytes,
		.delivered = p->delivered += bytes,
		.prior_delivered = p->delivered - bytes,
		.rate = bytes * 50ULL, .rtt_ns = RTT, .rate_limited = true,
	};

	weft_cc_delivered(&p->cc, &ack, p->una += bytes);
}

/* From the first byte on; nothing is learnt of the path that it could fill. */
static void cc_rate__a_window_that_is_not_used_does_not_grow(struct kunit *test)
{
	struct path p = fresh(&weft_cc_rate);
	unsigned int i;

	for (i = 0; i < 3000; i++)
		tell_answer(&p, 14 * MSS);
	KUNIT_EXPECT_LE(test, p.cc.cwnd, 100 * MSS);
}

/* RFC 9438 section 5.8: nor does the time that passes meanwhile. */
static void cc_cubic__a_window_that_is_not_used_does_not_grow(struct kunit *test)
{
	struct path busy = steady(&weft_cc_cubic, 100), idle;
	unsigned int i;

	lose(&busy, MSS, 101 * MSS);
	go_round(&busy, RTT, 0);
	go_round(&busy, RTT, 0);
	idle = busy;
	for (i = 0; i < 3000; i++)
		tell_answer(&idle, MSS);
	for (i = 0; i < 10; i++) {
		go_round(&busy, RTT, 0);
		go_round(&idle, RTT, 0);
	}
	KUNIT_EXPECT_LE(test, idle.cc.cwnd, busy.cc.cwnd + 2 * MSS);
	KUNIT_EXPECT_GE(test, idle.cc.cwnd, busy.cc.cwnd - 2 * MSS);
}

/*
 * Questions and answers measure a low rate, and a queue that is others': what
 * comes after them, be it long, leaves as at the start of a flow.
 */
static void cc_rate__a_long_message_after_short_ones(struct kunit *test)
{
	struct path p = fresh(&weft_cc_rate);
	unsigned int i;

	for (i = 0; i < 500; i++) {
		const struct weft_cc_ack ack = {
			.now = p.now += RTT, .acked = 64,
			.delivered = p.delivered += 64,
			.prior_delivered = p.delivered - 64, .rate = 64 * 50,
			.rtt_ns = i < 10 ? RTT : RTT * 2, .rate_limited = true,
		};

		weft_cc_delivered(&p.cc, &ack, p.una += 64);
		KUNIT_EXPECT_GE(test, p.cc.cwnd, 10 * MSS);
		KUNIT_EXPECT_GE(test, p.cc.pacing_rate, 10 * MSS * 50ULL);
	}
}

/* See note "Age" in cc_rate.c: the window closes, and opens at once after. */
static void cc_rate__looks_at_the_empty_path(struct kunit *test)
{
	struct path p = found(RTT);
	unsigned int i;

	/* While it is seen all the time there is no need. */
	p.least = p.cc.cwnd;
	for (i = 0; i < 200; i++)
		go_round(&p, RTT, CARRIES);
	KUNIT_EXPECT_GE(test, p.least, 50 * MSS);
	for (i = 0; i < 60 && p.least >= 50 * MSS; i++)
		go_round(&p, RTT + WEFT_NS_PER_MS, CARRIES);
	KUNIT_EXPECT_LT(test, p.least, 2 * MSS);
	for (i = 0; i < 60; i++)
		go_round(&p, RTT, CARRIES);
	KUNIT_EXPECT_GE(test, p.cc.cwnd, 50 * MSS);
}

/* An acknowledgment by hand tells of bytes, and of no time. */
static void cc_rate__nothing_is_old_that_was_not_seen(struct kunit *test)
{
	struct path p = fresh(&weft_cc_rate);
	const struct weft_cc_ack ack = {
		.now = p.now + 100 * WEFT_NS_PER_SEC, .acked = 10 * MSS,
		.prior_in_flight = 10 * MSS, .delivered = 10 * MSS,
	};

	weft_cc_delivered(&p.cc, &ack, 10 * MSS);
	KUNIT_EXPECT_GE(test, p.cc.cwnd, 10 * MSS);
}

static struct kunit_case cc_cases[] = {
	KUNIT_CASE(cc_find__by_name),
	KUNIT_CASE(cc_init__ten_segments),
	KUNIT_CASE(cc_switch__keeps_the_window),
	KUNIT_CASE(cc_burst__a_millisecond),
	KUNIT_CASE(cc_timeout__one_segment_then_slow_start),
	KUNIT_CASE(cc_spurious__takes_the_reduction_back),
	KUNIT_CASE(cc_spurious__a_timeout_too),
	KUNIT_CASE(cc_spurious__not_after_the_episode),
	KUNIT_CASE(cc_idle__back_to_ten_segments),
	KUNIT_CASE(cc_cubic__slow_start_doubles),
	KUNIT_CASE(cc_cubic__slow_start_ends_at_ssthresh),
	KUNIT_CASE(cc_cubic__slow_start_ends_with_a_queue),
	KUNIT_CASE(cc_cubic__slow_start_survives_a_slow_round),
	KUNIT_CASE(cc_cubic__never_beyond_the_maximum),
	KUNIT_CASE(cc_cubic__seven_tenths_an_episode),
	KUNIT_CASE(cc_cubic__two_segments_remain),
	KUNIT_CASE(cc_cubic__the_curve),
	KUNIT_CASE(cc_cubic__as_fast_as_reno_on_a_short_path),
	KUNIT_CASE(cc_cubic__fast_convergence),
	KUNIT_CASE(cc_cubic__a_window_that_is_not_used_does_not_grow),
	KUNIT_CASE(cc_delay__a_few_segments_wait),
	KUNIT_CASE(cc_delay__loss_halves),
	KUNIT_CASE(cc_delay__a_base_that_is_renewed),
	KUNIT_CASE(cc_rate__finds_the_rate),
	KUNIT_CASE(cc_rate__a_short_path_is_not_paced),
	KUNIT_CASE(cc_rate__five_percent_lost_is_nothing),
	KUNIT_CASE(cc_rate__a_third_lost_is_too_much),
	KUNIT_CASE(cc_rate__what_the_program_limits_does_not_count),
	KUNIT_CASE(cc_rate__a_long_message_after_short_ones),
	KUNIT_CASE(cc_rate__a_window_that_is_not_used_does_not_grow),
	KUNIT_CASE(cc_rate__looks_at_the_empty_path),
	KUNIT_CASE(cc_rate__nothing_is_old_that_was_not_seen),
	{}
};

static struct kunit_suite cc_suite = {
	.name = "weft_cc",
	.test_cases = cc_cases,
};

kunit_test_suite(cc_suite);
