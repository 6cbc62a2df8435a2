// SPDX-License-Identifier: GPL-2.0
#include <kunit/test.h>

#include "../proto/ended.h"

static struct weft_ended *ended_alloc(struct kunit *test)
{
	struct weft_ended *ended = kunit_kzalloc(test, sizeof(*ended),
						 GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, ended);
	return ended;
}

/* Ids that want the same slot, and others. */
static u64 nth_id(u64 n)
{
	return n % 3 ? 1 + n * WEFT_ENDED_SLOTS : 1 + n * 7;
}

static void ended__nothing_at_first(struct kunit *test)
{
	struct weft_ended *ended = ended_alloc(test);

	KUNIT_EXPECT_FALSE(test, weft_ended_has(ended, 1));
	KUNIT_EXPECT_FALSE(test, weft_ended_has(ended, ~0ULL));
}

static void ended__twice_is_once(struct kunit *test)
{
	struct weft_ended *ended = ended_alloc(test);

	weft_ended_add(ended, 5);
	weft_ended_add(ended, 5);
	KUNIT_EXPECT_EQ(test, ended->nr, 1);
	KUNIT_EXPECT_TRUE(test, weft_ended_has(ended, 5));
	KUNIT_EXPECT_FALSE(test, weft_ended_has(ended, 5 + WEFT_ENDED_SLOTS));
}

/*
 * Whatever ends while an id of generation g is made, or of g - 1, is remembered
 * until neither is good any more.
 */
static void ended__as_long_as_it_would_be_good(struct kunit *test)
{
	struct weft_ended *ended = ended_alloc(test);
	const u64 all = 5 * WEFT_ENDED_MAX;
	u64 n, i;

	for (n = 0; n < all; n++) {
		weft_ended_add(ended, nth_id(n));
		KUNIT_ASSERT_LE(test, ended->nr, WEFT_ENDED_MAX);
		KUNIT_ASSERT_EQ(test, ended->generation, n / WEFT_ENDED_MAX);
		if (n % 100)
			continue;
		for (i = 0; i <= n; i++)
			KUNIT_ASSERT_EQ(test, weft_ended_has(ended, nth_id(i)),
					i / WEFT_ENDED_MAX + 1 >=
					n / WEFT_ENDED_MAX);
	}
	KUNIT_EXPECT_FALSE(test, weft_ended_has(ended, nth_id(all)));
}

static struct kunit_case ended_cases[] = {
	KUNIT_CASE(ended__nothing_at_first),
	KUNIT_CASE(ended__twice_is_once),
	KUNIT_CASE(ended__as_long_as_it_would_be_good),
	{}
};

static struct kunit_suite ended_suite = {
	.name = "weft_ended",
	.test_cases = ended_cases,
};

kunit_test_suite(ended_suite);
