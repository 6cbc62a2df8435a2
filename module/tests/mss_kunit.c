// SPDX-License-Identifier: GPL-2.0
#include <kunit/test.h>
#include <linux/string.h>

#include "../proto/mss.h"

#define PATH	8936U
#define SEC	1000000000ULL

static struct weft_mss mss_of(u32 path)
{
	struct weft_mss m = {};

	weft_mss_set_path(&m, path);
	return m;
}

static void mss_set_path__news_only_once(struct kunit *test)
{
	struct weft_mss m = {};

	KUNIT_EXPECT_TRUE(test, weft_mss_set_path(&m, PATH));
	KUNIT_EXPECT_EQ(test, m.now, PATH);
	KUNIT_EXPECT_FALSE(test, weft_mss_set_path(&m, PATH));
	weft_mss_blocked(&m, 0);
	KUNIT_EXPECT_FALSE(test, weft_mss_set_path(&m, PATH));
	KUNIT_EXPECT_EQ(test, m.now, 1436);
	/* The ends know better than what was found out. */
	KUNIT_EXPECT_TRUE(test, weft_mss_set_path(&m, 4000));
	KUNIT_EXPECT_EQ(test, m.now, 4000);
	KUNIT_EXPECT_EQ(test, weft_mss_to_try(&m, 1000 * SEC), 0);
}

static void mss_blocked__goes_down_to_the_least(struct kunit *test)
{
	static const u32 steps[] = { 1436, 960, 448, 192, 192 };
	struct weft_mss m = mss_of(PATH);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		weft_mss_blocked(&m, 0);
		KUNIT_EXPECT_EQ(test, m.now, steps[i]);
	}
	m = mss_of(1436);
	weft_mss_blocked(&m, 0);
	KUNIT_EXPECT_EQ(test, m.now, 960);
}

/* Trials until @hole is found; how many there were. */
static unsigned int search(struct weft_mss *m, u32 hole, u64 *now)
{
	unsigned int n = 0;
	u64 start = 1000;
	u32 size;

	while ((size = weft_mss_to_try(m, *now)) && n < 100) {
		weft_mss_tried(m, start, size);
		*now += SEC / 50;
		if (size <= hole)
			weft_mss_acked(m, start + size, *now);
		else
			weft_mss_lost(m, start, *now);
		start += size;
		n++;
	}
	return n;
}

static void mss_to_try__finds_what_passes(struct kunit *test)
{
	static const u32 holes[] = { 1436, 1500, 2000, 4000, 8000, 8935 };
	unsigned int i, n;

	for (i = 0; i < ARRAY_SIZE(holes); i++) {
		struct weft_mss m = mss_of(PATH);
		u64 now = 0;

		weft_mss_blocked(&m, now);
		KUNIT_EXPECT_EQ(test, search(&m, holes[i], &now), 0);
		now = WEFT_MSS_TRY_NS;
		n = search(&m, holes[i], &now);
		KUNIT_EXPECT_LE(test, n, 8);
		KUNIT_EXPECT_LE(test, m.now, holes[i]);
		KUNIT_EXPECT_GE(test, m.now + WEFT_MSS_NEAR, holes[i]);
	}
}

static void mss_to_try__tries_the_whole_again_at_times(struct kunit *test)
{
	struct weft_mss m = mss_of(PATH);
	u64 now = WEFT_MSS_TRY_NS;

	weft_mss_blocked(&m, 0);
	search(&m, 2000, &now);
	/* Each time but one trial, as long as the hole is there. */
	now += WEFT_MSS_AGAIN_NS;
	KUNIT_EXPECT_EQ(test, weft_mss_to_try(&m, now), PATH);
	KUNIT_EXPECT_EQ(test, search(&m, 2000, &now), 1);
	KUNIT_EXPECT_LE(test, m.now, 2000);
	now += WEFT_MSS_AGAIN_NS;
	KUNIT_EXPECT_EQ(test, search(&m, PATH, &now), 1);
	KUNIT_EXPECT_EQ(test, m.now, PATH);
	KUNIT_EXPECT_EQ(test, weft_mss_to_try(&m, ~0ULL), 0);
}

/* A trial is judged by its own fate. */
static void mss_lost__other_losses_say_nothing(struct kunit *test)
{
	struct weft_mss m = mss_of(PATH);
	u64 now = WEFT_MSS_TRY_NS;
	u32 size;

	weft_mss_blocked(&m, 0);
	size = weft_mss_to_try(&m, now);
	weft_mss_tried(&m, 5000, size);
	KUNIT_EXPECT_EQ(test, weft_mss_to_try(&m, now), 0);
	weft_mss_lost(&m, 4000, now);
	KUNIT_EXPECT_FALSE(test, weft_mss_acked(&m, 5000 + size - 1, now));
	KUNIT_EXPECT_EQ(test, m.trial, size);
	KUNIT_EXPECT_TRUE(test, weft_mss_acked(&m, 5000 + size, now));
	KUNIT_EXPECT_EQ(test, m.now, size);
}

static struct kunit_case mss_cases[] = {
	KUNIT_CASE(mss_set_path__news_only_once),
	KUNIT_CASE(mss_blocked__goes_down_to_the_least),
	KUNIT_CASE(mss_to_try__finds_what_passes),
	KUNIT_CASE(mss_to_try__tries_the_whole_again_at_times),
	KUNIT_CASE(mss_lost__other_losses_say_nothing),
	{}
};

static struct kunit_suite mss_suite = {
	.name = "weft_mss",
	.test_cases = mss_cases,
};

kunit_test_suite(mss_suite);
