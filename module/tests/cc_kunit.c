// SPDX-License-Identifier: GPL-2.0
#include <kunit/test.h>

#include "../proto/cc.h"

#define MSS	1000

static struct weft_cc fresh(void)
{
	struct weft_cc cc;

	weft_cc_init(&cc, MSS);
	return cc;
}

/* In congestion avoidance with a window of so many segments. */
static struct weft_cc steady(u32 segments)
{
	struct weft_cc cc = fresh();

	cc.cwnd = segments * MSS;
	cc.ssthresh = cc.cwnd;
	return cc;
}

static void cc_init__ten_segments(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, fresh().cwnd, 10 * MSS);
}

static void cc_delivered__slow_start_doubles(struct kunit *test)
{
	struct weft_cc cc = fresh();

	weft_cc_delivered(&cc, MSS, 10 * MSS);
	KUNIT_EXPECT_EQ(test, cc.cwnd, 20 * MSS);
}

static void cc_delivered__slow_start_ends_at_ssthresh(struct kunit *test)
{
	struct weft_cc cc = fresh();

	cc.ssthresh = 12 * MSS;
	weft_cc_delivered(&cc, MSS, 10 * MSS);
	KUNIT_EXPECT_EQ(test, cc.cwnd, 12 * MSS);
}

static void cc_delivered__then_one_segment_a_window(struct kunit *test)
{
	struct weft_cc cc = steady(20);
	unsigned int i;

	for (i = 0; i < 19; i++)
		weft_cc_delivered(&cc, MSS, MSS);
	KUNIT_EXPECT_EQ(test, cc.cwnd, 20 * MSS);
	weft_cc_delivered(&cc, MSS, MSS);
	KUNIT_EXPECT_EQ(test, cc.cwnd, 21 * MSS);
}

static void cc_delivered__never_beyond_the_maximum(struct kunit *test)
{
	struct weft_cc cc = fresh();

	weft_cc_delivered(&cc, MSS, ~0ULL);
	KUNIT_EXPECT_EQ(test, cc.cwnd, WEFT_CWND_MAX);
	weft_cc_delivered(&cc, MSS, ~0ULL);
	weft_cc_delivered(&cc, MSS, ~0ULL);
	KUNIT_EXPECT_EQ(test, cc.cwnd, WEFT_CWND_MAX);
}

static void cc_lost__halves_once_an_episode(struct kunit *test)
{
	struct weft_cc cc = steady(20);

	weft_cc_lost(&cc, MSS, 5 * MSS, MSS, 25 * MSS);
	KUNIT_EXPECT_EQ(test, cc.cwnd, 10 * MSS);
	weft_cc_lost(&cc, MSS, 24 * MSS, MSS, 30 * MSS);
	KUNIT_EXPECT_EQ(test, cc.cwnd, 10 * MSS);
	weft_cc_delivered(&cc, MSS, 20 * MSS);
	KUNIT_EXPECT_EQ(test, cc.cwnd, 10 * MSS);
	weft_cc_acked(&cc, 24 * MSS);
	KUNIT_EXPECT_TRUE(test, cc.recovering);
	weft_cc_acked(&cc, 25 * MSS);
	KUNIT_EXPECT_FALSE(test, cc.recovering);
	weft_cc_lost(&cc, MSS, 25 * MSS, MSS, 35 * MSS);
	KUNIT_EXPECT_EQ(test, cc.cwnd, 5 * MSS);
}

static void cc_lost__two_segments_remain(struct kunit *test)
{
	struct weft_cc cc = steady(3);

	weft_cc_lost(&cc, MSS, 0, MSS, 3 * MSS);
	KUNIT_EXPECT_EQ(test, cc.cwnd, 2 * MSS);
}

static void cc_timeout__one_segment_then_slow_start(struct kunit *test)
{
	struct weft_cc cc = steady(20);

	weft_cc_timeout(&cc, MSS, 0, 20 * MSS);
	KUNIT_EXPECT_EQ(test, cc.cwnd, MSS);
	KUNIT_EXPECT_EQ(test, cc.ssthresh, 10 * MSS);
	/* The same bytes fail once more: ssthresh was reduced for them. */
	weft_cc_timeout(&cc, MSS, 0, 20 * MSS);
	KUNIT_EXPECT_EQ(test, cc.ssthresh, 10 * MSS);
	weft_cc_delivered(&cc, MSS, MSS);
	KUNIT_EXPECT_EQ(test, cc.cwnd, 2 * MSS);
}

static void cc_spurious__takes_the_reduction_back(struct kunit *test)
{
	struct weft_cc cc = steady(20);

	weft_cc_lost(&cc, MSS, 5 * MSS, MSS, 25 * MSS);
	weft_cc_lost(&cc, MSS, 7 * MSS, 2 * MSS, 25 * MSS);
	weft_cc_spurious(&cc, 2 * MSS);
	KUNIT_EXPECT_EQ(test, cc.cwnd, 10 * MSS);
	weft_cc_spurious(&cc, MSS);
	KUNIT_EXPECT_EQ(test, cc.cwnd, 20 * MSS);
	KUNIT_EXPECT_FALSE(test, cc.recovering);
	/* Once. */
	cc.cwnd = 5 * MSS;
	weft_cc_spurious(&cc, MSS);
	KUNIT_EXPECT_EQ(test, cc.cwnd, 5 * MSS);
}

static void cc_spurious__a_timeout_too(struct kunit *test)
{
	struct weft_cc cc = steady(20);

	weft_cc_timeout(&cc, MSS, 0, 20 * MSS);
	weft_cc_suspect(&cc, 20 * MSS);
	weft_cc_spurious(&cc, 20 * MSS);
	KUNIT_EXPECT_EQ(test, cc.cwnd, 20 * MSS);
	KUNIT_EXPECT_EQ(test, cc.ssthresh, 20 * MSS);
}

static void cc_spurious__not_after_the_episode(struct kunit *test)
{
	struct weft_cc cc = steady(20);

	weft_cc_lost(&cc, MSS, 5 * MSS, MSS, 25 * MSS);
	weft_cc_acked(&cc, 25 * MSS);
	weft_cc_spurious(&cc, MSS);
	KUNIT_EXPECT_EQ(test, cc.cwnd, 10 * MSS);
}

static void cc_idle__back_to_ten_segments(struct kunit *test)
{
	struct weft_cc cc = steady(20);

	weft_cc_idle(&cc, MSS);
	KUNIT_EXPECT_EQ(test, cc.cwnd, 10 * MSS);
	cc.cwnd = 3 * MSS;
	weft_cc_idle(&cc, MSS);
	KUNIT_EXPECT_EQ(test, cc.cwnd, 3 * MSS);
}

static struct kunit_case cc_cases[] = {
	KUNIT_CASE(cc_init__ten_segments),
	KUNIT_CASE(cc_delivered__slow_start_doubles),
	KUNIT_CASE(cc_delivered__slow_start_ends_at_ssthresh),
	KUNIT_CASE(cc_delivered__then_one_segment_a_window),
	KUNIT_CASE(cc_delivered__never_beyond_the_maximum),
	KUNIT_CASE(cc_lost__halves_once_an_episode),
	KUNIT_CASE(cc_lost__two_segments_remain),
	KUNIT_CASE(cc_timeout__one_segment_then_slow_start),
	KUNIT_CASE(cc_spurious__takes_the_reduction_back),
	KUNIT_CASE(cc_spurious__a_timeout_too),
	KUNIT_CASE(cc_spurious__not_after_the_episode),
	KUNIT_CASE(cc_idle__back_to_ten_segments),
	{}
};

static struct kunit_suite cc_suite = {
	.name = "weft_cc",
	.test_cases = cc_cases,
};

kunit_test_suite(cc_suite);
