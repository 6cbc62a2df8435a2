// SPDX-License-Identifier: GPL-2.0
#include <kunit/test.h>

#include "../proto/rtt.h"
#include "sim.h"

static void rtt_sample__first_one_counts_whole(struct kunit *test)
{
	struct weft_rtt rtt = {};

	weft_rtt_sample(&rtt, 80 * SIM_MS, SIM_SEC);
	KUNIT_EXPECT_EQ(test, rtt.srtt_ns, 80 * SIM_MS);
	KUNIT_EXPECT_EQ(test, rtt.var_ns, 40 * SIM_MS);
	KUNIT_EXPECT_EQ(test, rtt.min_ns, 80 * SIM_MS);
	KUNIT_EXPECT_EQ(test, rtt.latest_ns, 80 * SIM_MS);
}

static void rtt_sample__second_one_counts_an_eighth(struct kunit *test)
{
	struct weft_rtt rtt = {};

	weft_rtt_sample(&rtt, 80 * SIM_MS, SIM_SEC);
	weft_rtt_sample(&rtt, 160 * SIM_MS, SIM_SEC);
	KUNIT_EXPECT_EQ(test, rtt.srtt_ns, 90 * SIM_MS);
	KUNIT_EXPECT_EQ(test, rtt.var_ns, 50 * SIM_MS);
	KUNIT_EXPECT_EQ(test, rtt.min_ns, 80 * SIM_MS);
}

static void rtt_sample__steady_ones_end_the_doubt(struct kunit *test)
{
	struct weft_rtt rtt = {};
	unsigned int i;

	weft_rtt_sample(&rtt, 500 * SIM_MS, SIM_SEC);
	for (i = 0; i < 200; i++)
		weft_rtt_sample(&rtt, 300 * SIM_MS, SIM_SEC);
	KUNIT_EXPECT_LE(test, rtt.var_ns, SIM_MS);
	KUNIT_EXPECT_LE(test, rtt.srtt_ns, 301 * SIM_MS);
	KUNIT_EXPECT_GE(test, rtt.srtt_ns, 299 * SIM_MS);
}

static void rtt_sample__least_one_ages(struct kunit *test)
{
	struct weft_rtt rtt = {};

	weft_rtt_sample(&rtt, 10 * SIM_MS, SIM_SEC);
	weft_rtt_sample(&rtt, 50 * SIM_MS, 10 * SIM_SEC);
	KUNIT_EXPECT_EQ(test, rtt.min_ns, 10 * SIM_MS);
	weft_rtt_sample(&rtt, 50 * SIM_MS, 12 * SIM_SEC);
	KUNIT_EXPECT_EQ(test, rtt.min_ns, 50 * SIM_MS);
}

static void rtt_sample__absurd_ones_are_bounded(struct kunit *test)
{
	struct weft_rtt rtt = {};

	weft_rtt_sample(&rtt, 0, SIM_SEC);
	KUNIT_EXPECT_EQ(test, rtt.srtt_ns, 1);
	weft_rtt_sample(&rtt, ~0ULL, SIM_SEC);
	KUNIT_EXPECT_LE(test, rtt.srtt_ns, WEFT_RTO_MAX_NS);
	KUNIT_EXPECT_LE(test, weft_rtt_rto(&rtt, 0), WEFT_RTO_MAX_NS);
}

static void rtt_rto__before_and_after_a_sample(struct kunit *test)
{
	struct weft_rtt rtt = {};

	KUNIT_EXPECT_EQ(test, weft_rtt_rto(&rtt, 0), WEFT_RTO_FIRST_NS);
	weft_rtt_sample(&rtt, SIM_MS, SIM_SEC);
	KUNIT_EXPECT_EQ(test, weft_rtt_rto(&rtt, 0), WEFT_RTO_MIN_NS);
	rtt.srtt_ns = 0;
	weft_rtt_sample(&rtt, 400 * SIM_MS, SIM_SEC);
	KUNIT_EXPECT_EQ(test, weft_rtt_rto(&rtt, 0),
			1200 * SIM_MS + WEFT_ACK_DELAY_NS);
}

static void rtt_rto__doubles_up_to_a_second(struct kunit *test)
{
	struct weft_rtt rtt = {};

	weft_rtt_sample(&rtt, SIM_MS, SIM_SEC);
	KUNIT_EXPECT_EQ(test, weft_rtt_rto(&rtt, 0), 200 * SIM_MS);
	KUNIT_EXPECT_EQ(test, weft_rtt_rto(&rtt, 1), 400 * SIM_MS);
	KUNIT_EXPECT_EQ(test, weft_rtt_rto(&rtt, 2), 800 * SIM_MS);
	KUNIT_EXPECT_EQ(test, weft_rtt_rto(&rtt, 3), SIM_SEC);
	KUNIT_EXPECT_EQ(test, weft_rtt_rto(&rtt, 255), SIM_SEC);
}

/* A long path is not asked more often than it may answer. */
static void rtt_rto__of_a_long_path_doubles_twice(struct kunit *test)
{
	struct weft_rtt rtt = {};
	u64 first;

	weft_rtt_sample(&rtt, SIM_SEC, SIM_SEC);
	first = weft_rtt_rto(&rtt, 0);
	KUNIT_EXPECT_GT(test, first, 2 * SIM_SEC);
	KUNIT_EXPECT_EQ(test, weft_rtt_rto(&rtt, 1), 2 * first);
	KUNIT_EXPECT_EQ(test, weft_rtt_rto(&rtt, 2), 4 * first);
	KUNIT_EXPECT_EQ(test, weft_rtt_rto(&rtt, 255), 4 * first);
	weft_rtt_sample(&rtt, 90 * SIM_SEC, 2 * SIM_SEC);
	KUNIT_EXPECT_EQ(test, weft_rtt_rto(&rtt, 255), 60 * SIM_SEC);
}

static struct kunit_case rtt_cases[] = {
	KUNIT_CASE(rtt_sample__first_one_counts_whole),
	KUNIT_CASE(rtt_sample__second_one_counts_an_eighth),
	KUNIT_CASE(rtt_sample__steady_ones_end_the_doubt),
	KUNIT_CASE(rtt_sample__least_one_ages),
	KUNIT_CASE(rtt_sample__absurd_ones_are_bounded),
	KUNIT_CASE(rtt_rto__before_and_after_a_sample),
	KUNIT_CASE(rtt_rto__doubles_up_to_a_second),
	KUNIT_CASE(rtt_rto__of_a_long_path_doubles_twice),
	{}
};

static struct kunit_suite rtt_suite = {
	.name = "weft_rtt",
	.test_cases = rtt_cases,
};

kunit_test_suite(rtt_suite);
