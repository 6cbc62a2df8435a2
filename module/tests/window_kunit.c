// SPDX-License-Identifier: GPL-2.0
#include <kunit/test.h>

#include "../proto/window.h"

#define MS	1000000ULL
#define RTT	(10 * MS)

struct reader {
	struct weft_window	w;
	u64			read;
	u64			now;
};

static struct reader fresh(u32 bytes, u32 most)
{
	return (struct reader){
		.w = { .bytes = bytes, .most = most }, .now = 1000 * MS,
	};
}

/* @bytes in a round trip, in ten parts. */
static void read_round(struct reader *r, u32 bytes)
{
	unsigned int i;

	for (i = 0; i < 10; i++) {
		r->now += RTT / 10;
		r->read += bytes / 10;
		weft_window_read(&r->w, r->read, RTT, r->now);
	}
}

static void window_read__grows_while_it_is_used(struct kunit *test)
{
	struct reader r = fresh(100000, 1000000);
	unsigned int i;

	for (i = 0; i < 3; i++)
		read_round(&r, r.w.bytes);
	KUNIT_EXPECT_GE(test, r.w.bytes, 200000);
	for (i = 0; i < 10; i++)
		read_round(&r, r.w.bytes);
	KUNIT_EXPECT_EQ(test, r.w.bytes, 1000000);
}

static void window_read__twice_what_the_path_carries(struct kunit *test)
{
	struct reader r = fresh(100000, 1000000);
	unsigned int i;

	for (i = 0; i < 100; i++)
		read_round(&r, 150000);
	KUNIT_EXPECT_GE(test, r.w.bytes, 300000);
	KUNIT_EXPECT_LE(test, r.w.bytes, 350000);
}

static void window_read__half_of_it_is_enough(struct kunit *test)
{
	struct reader r = fresh(100000, 1000000);
	unsigned int i;

	for (i = 0; i < 100; i++)
		read_round(&r, 40000);
	KUNIT_EXPECT_EQ(test, r.w.bytes, 100000);
}

/* All that came in a second, at once: the path did not carry that in 10 ms. */
static void window_read__a_pause_says_nothing(struct kunit *test)
{
	struct reader r = fresh(100000, 1000000);
	unsigned int i;

	for (i = 0; i < 100; i++) {
		r.now += 1000 * MS;
		r.read += 100000;
		weft_window_read(&r.w, r.read, RTT, r.now);
	}
	KUNIT_EXPECT_EQ(test, r.w.bytes, 100000);
}

/* Behind gaps reading halts; the sender that used all of it gets more. */
static void window_read__a_gap_that_fills_it_is_room_to_grow(struct kunit *test)
{
	struct reader r = fresh(100000, 1000000);
	unsigned int i;

	for (i = 0; i < 3; i++) {
		r.w.pressed = true;
		read_round(&r, 10000);
		KUNIT_EXPECT_FALSE(test, r.w.pressed);
	}
	KUNIT_EXPECT_EQ(test, r.w.bytes, 337500);
	read_round(&r, 10000);
	KUNIT_EXPECT_EQ(test, r.w.bytes, 337500);
	for (i = 0; i < 10; i++) {
		r.w.pressed = true;
		read_round(&r, 10000);
	}
	KUNIT_EXPECT_EQ(test, r.w.bytes, 1000000);
}

static void window_read__not_beyond_the_most(struct kunit *test)
{
	struct reader r = fresh(100000, 50000);
	unsigned int i;

	for (i = 0; i < 10; i++)
		read_round(&r, 1 << 30);
	KUNIT_EXPECT_EQ(test, r.w.bytes, 100000);
	r.w.most = ~0U;
	for (i = 0; i < 10; i++)
		read_round(&r, ~0U);
	KUNIT_EXPECT_EQ(test, r.w.bytes, ~0U);
}

static struct kunit_case window_cases[] = {
	KUNIT_CASE(window_read__grows_while_it_is_used),
	KUNIT_CASE(window_read__twice_what_the_path_carries),
	KUNIT_CASE(window_read__half_of_it_is_enough),
	KUNIT_CASE(window_read__a_pause_says_nothing),
	KUNIT_CASE(window_read__a_gap_that_fills_it_is_room_to_grow),
	KUNIT_CASE(window_read__not_beyond_the_most),
	{}
};

static struct kunit_suite window_suite = {
	.name = "weft_window",
	.test_cases = window_cases,
};

kunit_test_suite(window_suite);
