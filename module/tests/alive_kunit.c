// SPDX-License-Identifier: GPL-2.0
#include <kunit/test.h>

#include "../proto/alive.h"

#define SEC	1000000000ULL

static const struct weft_keep usual = {
	.idle_ns = 10 * SEC, .interval_ns = 2 * SEC, .count = 3,
};

static struct weft_alive alive_at(u64 now, const struct weft_keep *keep)
{
	struct weft_alive a = {};

	weft_alive_set(&a, keep);
	weft_alive_heard(&a, now);
	return a;
}

/* Time goes on to the next deadline, and a question that is due leaves. */
static enum weft_alive_verdict next(struct weft_alive *a, u64 *now)
{
	enum weft_alive_verdict verdict;

	*now = weft_alive_deadline(a);
	verdict = weft_alive_tick(a, *now);
	if (verdict == WEFT_ALIVE_ASK)
		weft_alive_asked(a);
	return verdict;
}

static void alive_tick__asks_and_then_gives_up(struct kunit *test)
{
	struct weft_alive a = alive_at(100 * SEC, &usual);
	u64 now;

	KUNIT_EXPECT_EQ(test, weft_alive_tick(&a, 110 * SEC - 1),
			WEFT_ALIVE_WAIT);
	KUNIT_EXPECT_EQ(test, next(&a, &now), WEFT_ALIVE_ASK);
	KUNIT_EXPECT_EQ(test, now, 110 * SEC);
	KUNIT_EXPECT_EQ(test, next(&a, &now), WEFT_ALIVE_ASK);
	KUNIT_EXPECT_EQ(test, now, 112 * SEC);
	KUNIT_EXPECT_EQ(test, next(&a, &now), WEFT_ALIVE_ASK);
	KUNIT_EXPECT_EQ(test, next(&a, &now), WEFT_ALIVE_GONE);
	KUNIT_EXPECT_EQ(test, now, 116 * SEC);
}

static void alive_tick__an_answer_begins_anew(struct kunit *test)
{
	struct weft_alive a = alive_at(0, &usual);
	u64 now;

	KUNIT_EXPECT_EQ(test, next(&a, &now), WEFT_ALIVE_ASK);
	KUNIT_EXPECT_EQ(test, next(&a, &now), WEFT_ALIVE_ASK);
	weft_alive_heard(&a, 50 * SEC);
	KUNIT_EXPECT_EQ(test, a.asked, 0);
	KUNIT_EXPECT_EQ(test, weft_alive_deadline(&a), 60 * SEC);
}

static void alive_tick__a_question_that_cannot_leave_waits(struct kunit *test)
{
	struct weft_alive a = alive_at(0, &usual);

	KUNIT_EXPECT_EQ(test, weft_alive_tick(&a, 10 * SEC), WEFT_ALIVE_ASK);
	KUNIT_EXPECT_TRUE(test, a.due);
	KUNIT_EXPECT_EQ(test, weft_alive_deadline(&a), ~0ULL);
	KUNIT_EXPECT_EQ(test, weft_alive_tick(&a, 99 * SEC), WEFT_ALIVE_WAIT);
	weft_alive_heard(&a, 99 * SEC);
	KUNIT_EXPECT_FALSE(test, a.due);
}

static void alive_tick__off_never_asks(struct kunit *test)
{
	const struct weft_keep off = { .interval_ns = SEC, .count = 1 };
	struct weft_alive a = alive_at(0, &off);

	KUNIT_EXPECT_EQ(test, weft_alive_deadline(&a), ~0ULL);
	KUNIT_EXPECT_EQ(test, weft_alive_tick(&a, 1ULL << 62),
			WEFT_ALIVE_WAIT);
}

/* A user timeout takes the place of the count, but one question is asked. */
static void alive_tick__limit_instead_of_count(struct kunit *test)
{
	struct weft_keep keep = usual;
	struct weft_alive a;
	u64 now;

	keep.limit_ns = 20 * SEC;
	a = alive_at(0, &keep);
	for (now = 0; now < 18 * SEC;)
		KUNIT_EXPECT_EQ(test, next(&a, &now), WEFT_ALIVE_ASK);
	KUNIT_EXPECT_EQ(test, next(&a, &now), WEFT_ALIVE_GONE);
	KUNIT_EXPECT_EQ(test, now, 20 * SEC);

	keep.limit_ns = SEC;
	a = alive_at(0, &keep);
	KUNIT_EXPECT_EQ(test, next(&a, &now), WEFT_ALIVE_ASK);
	KUNIT_EXPECT_EQ(test, next(&a, &now), WEFT_ALIVE_GONE);
}

static struct kunit_case alive_cases[] = {
	KUNIT_CASE(alive_tick__asks_and_then_gives_up),
	KUNIT_CASE(alive_tick__an_answer_begins_anew),
	KUNIT_CASE(alive_tick__a_question_that_cannot_leave_waits),
	KUNIT_CASE(alive_tick__off_never_asks),
	KUNIT_CASE(alive_tick__limit_instead_of_count),
	{}
};

static struct kunit_suite alive_suite = {
	.name = "weft_alive",
	.test_cases = alive_cases,
};

kunit_test_suite(alive_suite);
