// SPDX-License-Identifier: GPL-2.0
#include <kunit/test.h>
#include <linux/minmax.h>

#include "../proto/gather.h"

/* Write until one is held; how many were not. */
static unsigned int writes_until_held(struct weft_gather *g, u64 now)
{
	unsigned int n = 0;

	while (!weft_gather_holds(g, now))
		n++;
	return n;
}

static void gather__first_writes_leave_at_once(struct kunit *test)
{
	struct weft_gather g = {};

	KUNIT_EXPECT_EQ(test, writes_until_held(&g, 7), WEFT_GATHER_FIRST);
	KUNIT_EXPECT_EQ(test, g.end, 7 + WEFT_GATHER_NS);
}

static void gather__goes_on_while_it_finds_much(struct kunit *test)
{
	struct weft_gather g = {};
	int i, hold;

	writes_until_held(&g, 0);
	for (hold = 1; hold < 10; hold++) {
		for (i = 1; i < WEFT_GATHER_WRITES; i++)
			KUNIT_EXPECT_TRUE(test, weft_gather_holds(&g, hold));
		weft_gather_over(&g);
		KUNIT_EXPECT_EQ(test, g.end, 0);
		KUNIT_EXPECT_EQ(test, writes_until_held(&g, hold), 0);
		KUNIT_EXPECT_EQ(test, g.end, hold + WEFT_GATHER_NS);
	}
}

/* A writer that writes seldom is all but never held. */
static void gather__in_vain_it_comes_less_often(struct kunit *test)
{
	struct weft_gather g = {};
	unsigned int expected = WEFT_GATHER_FIRST, n;
	int i;

	for (i = 0; i < 10; i++) {
		n = writes_until_held(&g, 0);
		KUNIT_EXPECT_EQ(test, n, expected);
		weft_gather_over(&g);
		if (i)
			expected = min_t(unsigned int, expected * 4,
					 WEFT_GATHER_LAST);
	}
	KUNIT_EXPECT_EQ(test, n, WEFT_GATHER_LAST);
}

static void gather__who_reads_is_never_held(struct kunit *test)
{
	struct weft_gather g = {};
	int i, j;

	for (i = 0; i < 1000; i++) {
		for (j = 0; j < WEFT_GATHER_FIRST; j++)
			KUNIT_EXPECT_FALSE(test, weft_gather_holds(&g, 0));
		weft_gather_read(&g);
	}
	/* Nor does that shorten what was learned. */
	g = (struct weft_gather){ .in = 100, .step = 1024 };
	weft_gather_read(&g);
	KUNIT_EXPECT_EQ(test, g.in, 100);
}

static void gather__over_without_a_hold_is_nothing(struct kunit *test)
{
	struct weft_gather g = { .in = 5, .step = 64, .writes = 1 };

	weft_gather_over(&g);
	KUNIT_EXPECT_EQ(test, g.in, 5);
	KUNIT_EXPECT_EQ(test, g.step, 64);
}

static struct kunit_case gather_cases[] = {
	KUNIT_CASE(gather__first_writes_leave_at_once),
	KUNIT_CASE(gather__goes_on_while_it_finds_much),
	KUNIT_CASE(gather__in_vain_it_comes_less_often),
	KUNIT_CASE(gather__who_reads_is_never_held),
	KUNIT_CASE(gather__over_without_a_hold_is_nothing),
	{}
};

static struct kunit_suite gather_suite = {
	.name = "weft_gather",
	.test_cases = gather_cases,
};

kunit_test_suite(gather_suite);
