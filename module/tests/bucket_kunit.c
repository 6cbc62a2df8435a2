// SPDX-License-Identifier: GPL-2.0
#include <kunit/test.h>

#include "../proto/bucket.h"

#define SEC	1000000000ULL
#define GAP	(SEC / 100)

/* How many of a hundred thousand may happen at one moment. */
static u32 at_once(u64 *at, u64 now)
{
	u32 n = 0, tries;
	u64 next;

	for (tries = 0; tries < 100000; tries++) {
		next = weft_quota_next(*at, now, GAP, SEC);
		if (!next)
			continue;
		*at = next;
		n++;
	}
	return n;
}

static void bucket_next__a_burst_and_no_more(struct kunit *test)
{
	u64 at = 0;

	KUNIT_EXPECT_EQ(test, at_once(&at, 5 * SEC), 100);
	KUNIT_EXPECT_EQ(test, at_once(&at, 5 * SEC + GAP - 1), 0);
	KUNIT_EXPECT_EQ(test, at_once(&at, 5 * SEC + GAP), 1);
	KUNIT_EXPECT_EQ(test, at_once(&at, 5 * SEC + 31 * GAP), 30);
}

/* What was not used for long is a burst again, and not two. */
static void bucket_next__does_not_save_up(struct kunit *test)
{
	u64 at = 0;

	KUNIT_EXPECT_EQ(test, at_once(&at, 5 * SEC), 100);
	KUNIT_EXPECT_EQ(test, at_once(&at, 500 * SEC), 100);
	KUNIT_EXPECT_EQ(test, at_once(&at, 500 * SEC), 0);
}

static void bucket_next__keeps_its_pace(struct kunit *test)
{
	u64 at = 0, now, n = 0, next;

	for (now = SEC; now < 11 * SEC; now += GAP / 3) {
		next = weft_quota_next(at, now, GAP, SEC);
		if (next)
			at = next;
		n += !!next;
	}
	KUNIT_EXPECT_GE(test, n, 1000);
	KUNIT_EXPECT_LE(test, n, 1100);
}

static struct kunit_case bucket_cases[] = {
	KUNIT_CASE(bucket_next__a_burst_and_no_more),
	KUNIT_CASE(bucket_next__does_not_save_up),
	KUNIT_CASE(bucket_next__keeps_its_pace),
	{}
};

static struct kunit_suite bucket_suite = {
	.name = "weft_quota",
	.test_cases = bucket_cases,
};

kunit_test_suite(bucket_suite);
