// SPDX-License-Identifier: GPL-2.0
#include <kunit/test.h>
#include <linux/string.h>

#include "../proto/range.h"
#include "sim.h"

#define PLACES	4

/* Three ranges, [10,20) [30,40) [50,60), and one place more. */
#define THREE	{ { 10, 20 }, { 30, 40 }, { 50, 60 } }

static const struct {
	struct weft_range add;
	unsigned int	nr;	/* afterwards */
	struct weft_range want[PLACES];
} adds[] = {
	{ { 0, 5 }, 4, { { 0, 5 }, { 10, 20 }, { 30, 40 }, { 50, 60 } } },
	{ { 22, 28 }, 4, { { 10, 20 }, { 22, 28 }, { 30, 40 }, { 50, 60 } } },
	{ { 70, 80 }, 4, { { 10, 20 }, { 30, 40 }, { 50, 60 }, { 70, 80 } } },
	{ { 5, 10 }, 3, { { 5, 20 }, { 30, 40 }, { 50, 60 } } },
	{ { 20, 25 }, 3, { { 10, 25 }, { 30, 40 }, { 50, 60 } } },
	{ { 60, 61 }, 3, { { 10, 20 }, { 30, 40 }, { 50, 61 } } },
	{ { 12, 18 }, 3, THREE },
	{ { 10, 20 }, 3, THREE },
	{ { 20, 30 }, 2, { { 10, 40 }, { 50, 60 } } },
	{ { 15, 55 }, 1, { { 10, 60 } } },
	{ { 0, 100 }, 1, { { 0, 100 } } },
	{ { 35, 70 }, 2, { { 10, 20 }, { 30, 70 } } },
};

static void range_add__merges_what_it_meets(struct kunit *test)
{
	unsigned int i, where;

	for (i = 0; i < ARRAY_SIZE(adds); i++) {
		struct weft_range at[PLACES] = THREE;
		struct weft_range_set set = { at, 3, PLACES };

		KUNIT_EXPECT_TRUE(test, weft_range_add(&set, &adds[i].add,
						       &where));
		KUNIT_ASSERT_EQ_MSG(test, set.nr, adds[i].nr, "case %u", i);
		KUNIT_EXPECT_MEMEQ(test, at, adds[i].want,
				   set.nr * sizeof(*at));
		KUNIT_EXPECT_TRUE(test, at[where].start <= adds[i].add.start &&
				  at[where].end >= adds[i].add.end);
	}
}

static void range_add__full_takes_only_what_merges(struct kunit *test)
{
	struct weft_range at[3] = THREE;
	struct weft_range_set set = { at, 3, 3 };
	const struct weft_range apart = { 22, 25 }, next = { 40, 45 };
	unsigned int where;

	KUNIT_EXPECT_FALSE(test, weft_range_add(&set, &apart, &where));
	KUNIT_EXPECT_EQ(test, set.nr, 3);
	KUNIT_EXPECT_TRUE(test, weft_range_add(&set, &next, &where));
	KUNIT_EXPECT_EQ(test, at[1].end, 45);
}

static void range_add__none_at_all(struct kunit *test)
{
	struct weft_range_set set = {};
	const struct weft_range any = { 1, 2 };
	unsigned int where;

	KUNIT_EXPECT_FALSE(test, weft_range_add(&set, &any, &where));
}

static const struct {
	struct weft_range in;
	bool		ok;
	struct weft_range want;
} trims[] = {
	{ { 0, 5 }, true, { 0, 5 } },
	{ { 0, 10 }, true, { 0, 10 } },
	{ { 20, 30 }, true, { 20, 30 } },
	{ { 60, 70 }, true, { 60, 70 } },
	{ { 10, 20 }, false, { 10, 20 } },
	{ { 12, 15 }, false, { 12, 15 } },
	{ { 5, 15 }, true, { 5, 10 } },
	{ { 15, 25 }, true, { 20, 25 } },
	{ { 15, 35 }, true, { 20, 30 } },
	{ { 10, 60 }, true, { 20, 50 } },
	{ { 0, 100 }, true, { 0, 100 } },
	{ { 5, 60 }, true, { 5, 50 } },
};

static void range_trim__cuts_both_edges(struct kunit *test)
{
	struct weft_range at[PLACES] = THREE;
	const struct weft_range_set set = { at, 3, PLACES };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(trims); i++) {
		struct weft_range range = trims[i].in;

		KUNIT_EXPECT_EQ_MSG(test, weft_range_trim(&set, &range),
				    trims[i].ok, "case %u", i);
		KUNIT_EXPECT_MEMEQ(test, &range, &trims[i].want,
				   sizeof(range));
	}
}

static const struct {
	u64 floor, want;
	unsigned int nr;
} absorbs[] = {
	{ 5, 5, 3 }, { 10, 20, 2 }, { 15, 20, 2 }, { 20, 20, 2 },
	{ 30, 40, 1 }, { 35, 40, 1 }, { 45, 45, 1 }, { 55, 60, 0 },
	{ 99, 99, 0 },
};

static void range_absorb__raises_the_floor(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(absorbs); i++) {
		struct weft_range at[PLACES] = THREE;
		struct weft_range_set set = { at, 3, PLACES };
		u64 floor = absorbs[i].floor;

		weft_range_absorb(&set, &floor);
		KUNIT_EXPECT_EQ(test, floor, absorbs[i].want);
		KUNIT_EXPECT_EQ(test, set.nr, absorbs[i].nr);
		if (set.nr)
			KUNIT_EXPECT_EQ(test, at[set.nr - 1].end, 60);
	}
}

/* Against a map of bytes. */
static void range_add__as_the_map_says(struct kunit *test)
{
	enum { BYTES = 300, RANGES = 40 };
	u8 *map = kunit_kzalloc(test, BYTES + 1, GFP_KERNEL);
	struct weft_range *at = kunit_kcalloc(test, RANGES, sizeof(*at),
					      GFP_KERNEL);
	u64 state = 11;
	unsigned int n, round, i, where;

	KUNIT_ASSERT_NOT_NULL(test, map);
	KUNIT_ASSERT_NOT_NULL(test, at);
	for (round = 0; round < 300; round++) {
		struct weft_range_set set = { at, 0, RANGES };

		memset(map, 0, BYTES + 1);
		for (n = 0; n < 60; n++) {
			struct weft_range r;
			unsigned int runs = 0;

			r.start = (sim_random(&state) >> 40) % (BYTES - 9);
			r.end = r.start + 1 + (sim_random(&state) >> 40) % 9;
			if (!weft_range_add(&set, &r, &where))
				continue;
			memset(map + r.start, 1, r.end - r.start);
			for (i = 0; i < BYTES; i++)
				runs += map[i] && !map[i + 1];
			KUNIT_ASSERT_EQ(test, runs, set.nr);
			for (i = 0; i < set.nr; i++) {
				u64 o;

				for (o = at[i].start; o < at[i].end; o++)
					KUNIT_ASSERT_TRUE(test, map[o]);
				KUNIT_ASSERT_FALSE(test, map[at[i].end]);
			}
		}
	}
}

static struct kunit_case range_cases[] = {
	KUNIT_CASE(range_add__merges_what_it_meets),
	KUNIT_CASE(range_add__full_takes_only_what_merges),
	KUNIT_CASE(range_add__none_at_all),
	KUNIT_CASE(range_trim__cuts_both_edges),
	KUNIT_CASE(range_absorb__raises_the_floor),
	KUNIT_CASE(range_add__as_the_map_says),
	{}
};

static struct kunit_suite range_suite = {
	.name = "weft_range",
	.test_cases = range_cases,
};

kunit_test_suite(range_suite);
