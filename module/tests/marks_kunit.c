// SPDX-License-Identifier: GPL-2.0
#include <kunit/test.h>

#include "../proto/marks.h"
#include "sim.h"

#define WINDOW	WEFT_FLOW_WINDOW

static struct weft_marks *marks_alloc(struct kunit *test)
{
	struct weft_marks *marks = kunit_kzalloc(test, sizeof(*marks),
						 GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, marks);
	return marks;
}

static void marks_get__all_are_new_at_first(struct kunit *test)
{
	struct weft_marks *marks = marks_alloc(test);

	KUNIT_EXPECT_EQ(test, weft_marks_get(marks, 0), WEFT_MARK_NEW);
	KUNIT_EXPECT_EQ(test, weft_marks_get(marks, 1), WEFT_MARK_NEW);
	KUNIT_EXPECT_EQ(test, weft_marks_get(marks, 1ULL << 60),
			WEFT_MARK_NEW);
}

static void marks_get__the_last_id_is_never_new(struct kunit *test)
{
	struct weft_marks *marks = marks_alloc(test);

	weft_marks_set(marks, ~0ULL, WEFT_MARK_OPEN);
	KUNIT_EXPECT_EQ(test, marks->top, 0);
	KUNIT_EXPECT_EQ(test, weft_marks_get(marks, ~0ULL), WEFT_MARK_RESET);
	weft_marks_set(marks, ~0ULL - 1, WEFT_MARK_OPEN);
	KUNIT_EXPECT_EQ(test, weft_marks_get(marks, ~0ULL - 1),
			WEFT_MARK_OPEN);
}

static void marks_set__each_mark_by_itself(struct kunit *test)
{
	struct weft_marks *marks = marks_alloc(test);
	u64 id;

	for (id = 0; id < WINDOW; id++)
		weft_marks_set(marks, id, id % 4);
	for (id = 0; id < WINDOW; id++)
		KUNIT_EXPECT_EQ(test, weft_marks_get(marks, id), id % 4);
	for (id = 0; id < WINDOW; id++)
		weft_marks_set(marks, id, 3 - id % 4);
	for (id = 0; id < WINDOW; id++)
		KUNIT_EXPECT_EQ(test, weft_marks_get(marks, id), 3 - id % 4);
}

static void marks_set__skipped_ids_are_new(struct kunit *test)
{
	struct weft_marks *marks = marks_alloc(test);

	weft_marks_set(marks, 10, WEFT_MARK_OPEN);
	weft_marks_set(marks, 100, WEFT_MARK_CLOSED);
	KUNIT_EXPECT_EQ(test, weft_marks_get(marks, 10), WEFT_MARK_OPEN);
	KUNIT_EXPECT_EQ(test, weft_marks_get(marks, 50), WEFT_MARK_NEW);
	KUNIT_EXPECT_EQ(test, weft_marks_get(marks, 100), WEFT_MARK_CLOSED);
	KUNIT_EXPECT_EQ(test, weft_marks_get(marks, 101), WEFT_MARK_NEW);
}

static void marks_set__what_leaves_the_window_is_reset(struct kunit *test)
{
	struct weft_marks *marks = marks_alloc(test);

	weft_marks_set(marks, 5, WEFT_MARK_CLOSED);
	weft_marks_set(marks, 6, WEFT_MARK_CLOSED);
	weft_marks_set(marks, 5 + WINDOW, WEFT_MARK_OPEN);
	KUNIT_EXPECT_EQ(test, weft_marks_get(marks, 5), WEFT_MARK_RESET);
	KUNIT_EXPECT_EQ(test, weft_marks_get(marks, 6), WEFT_MARK_CLOSED);
	/* It cannot come back. */
	weft_marks_set(marks, 5, WEFT_MARK_OPEN);
	KUNIT_EXPECT_EQ(test, weft_marks_get(marks, 5), WEFT_MARK_RESET);
	KUNIT_EXPECT_EQ(test, weft_marks_get(marks, 5 + WINDOW),
			WEFT_MARK_OPEN);
}

static void marks_set__a_far_jump_forgets_all(struct kunit *test)
{
	struct weft_marks *marks = marks_alloc(test);
	u64 far = 1ULL << 50, id;

	for (id = 0; id < WINDOW; id++)
		weft_marks_set(marks, id, WEFT_MARK_OPEN);
	weft_marks_set(marks, far, WEFT_MARK_OPEN);
	for (id = far - WINDOW + 1; id < far; id++)
		KUNIT_EXPECT_EQ(test, weft_marks_get(marks, id),
				WEFT_MARK_NEW);
	KUNIT_EXPECT_EQ(test, weft_marks_get(marks, far), WEFT_MARK_OPEN);
	KUNIT_EXPECT_EQ(test, weft_marks_get(marks, far - WINDOW),
			WEFT_MARK_RESET);
}

/* Against a model that remembers everything. */
static void marks_set__as_the_model_says(struct kunit *test)
{
	enum { IDS = 20000 };
	struct weft_marks *marks = marks_alloc(test);
	u8 *model = kunit_kzalloc(test, IDS, GFP_KERNEL);
	u64 state = 3, top = 0, id;
	unsigned int n;

	KUNIT_ASSERT_NOT_NULL(test, model);
	for (n = 0; n < 50000; n++) {
		u8 mark = sim_random(&state) >> 62;

		id = top + (sim_random(&state) >> 40) % 200;
		id = id < 150 ? 0 : id - 150;
		if (id >= IDS)
			break;
		weft_marks_set(marks, id, mark);
		model[id] = mark;
		top = id + 1 > top ? id + 1 : top;
	}
	for (id = 0; id < top; id++)
		KUNIT_EXPECT_EQ(test, weft_marks_get(marks, id),
				id + WINDOW < top ? WEFT_MARK_RESET :
						    model[id]);
}

static struct kunit_case marks_cases[] = {
	KUNIT_CASE(marks_get__all_are_new_at_first),
	KUNIT_CASE(marks_get__the_last_id_is_never_new),
	KUNIT_CASE(marks_set__each_mark_by_itself),
	KUNIT_CASE(marks_set__skipped_ids_are_new),
	KUNIT_CASE(marks_set__what_leaves_the_window_is_reset),
	KUNIT_CASE(marks_set__a_far_jump_forgets_all),
	KUNIT_CASE(marks_set__as_the_model_says),
	{}
};

static struct kunit_suite marks_suite = {
	.name = "weft_marks",
	.test_cases = marks_cases,
};

kunit_test_suite(marks_suite);
