// SPDX-License-Identifier: GPL-2.0
#include <kunit/test.h>
#include <linux/bitops.h>
#include <linux/string.h>

#include "../proto/frag.h"
#include "sim.h"

#define PIECE	1000U
#define TOTAL	(10 * PIECE + 10)

/* The piece that comes next; too large for a stack of the kernel. */
static struct weft_pkt pkt;

static const struct weft_pkt *piece_at(u32 offset, u32 plen)
{
	pkt.kind = WEFT_DGRAM;
	pkt.id = 7;
	pkt.total = TOTAL;
	pkt.sport = 1;
	pkt.dport = 2;
	pkt.offset = offset;
	pkt.plen = plen;
	return &pkt;
}

/* The n-th of eleven pieces; the last has ten bytes. */
static const struct weft_pkt *piece(unsigned int n)
{
	return piece_at(n * PIECE, n < 10 ? PIECE : 10);
}

static void begin(struct weft_frag *f)
{
	weft_frag_init(f, piece(0));
}

static void frag_add__in_order(struct kunit *test)
{
	struct weft_frag f;
	unsigned int n;

	begin(&f);
	for (n = 0; n < 10; n++) {
		KUNIT_EXPECT_EQ(test, weft_frag_add(&f, piece(n)), WEFT_FRAG_KEEP);
		KUNIT_EXPECT_EQ(test, f.nr, 1);
	}
	KUNIT_EXPECT_EQ(test, weft_frag_add(&f, piece(10)), WEFT_FRAG_WHOLE);
	KUNIT_EXPECT_EQ(test, f.have, TOTAL);
}

/* Whatever their order, and however often: whole with the last, once. */
static void frag_add__in_any_order(struct kunit *test)
{
	struct weft_frag f;
	u64 random = 1;
	unsigned int run, n, left;
	u16 came;

	for (run = 0; run < 500; run++) {
		begin(&f);
		came = 0;
		for (left = 11; left;) {
			enum weft_frag_verdict want = WEFT_FRAG_KEEP;

			n = (u32)(sim_random(&random) >> 32) % 11;
			if (came & BIT(n))
				want = WEFT_FRAG_AGAIN;
			else if (!--left)
				want = WEFT_FRAG_WHOLE;
			came |= BIT(n);
			KUNIT_ASSERT_EQ(test, weft_frag_add(&f, piece(n)), want);
		}
		KUNIT_EXPECT_EQ(test, f.nr, 1);
	}
}

static void frag_add__overlaps_are_wrong(struct kunit *test)
{
	static const struct {
		u32 offset;
		u32 plen;
		enum weft_frag_verdict want;
	} cases[] = {
		{ 2000, 1000, WEFT_FRAG_AGAIN },
		{ 2000, 500, WEFT_FRAG_AGAIN },
		{ 2300, 500, WEFT_FRAG_AGAIN },
		{ 1500, 1000, WEFT_FRAG_WRONG },
		{ 2500, 1000, WEFT_FRAG_WRONG },
		{ 1000, 3000, WEFT_FRAG_WRONG },
		{ 1001, 1000, WEFT_FRAG_WRONG },
		{ 2999, 1000, WEFT_FRAG_WRONG },
		{ 1000, 1000, WEFT_FRAG_KEEP },
		{ 3000, 1000, WEFT_FRAG_KEEP },
	};
	struct weft_frag f;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct weft_pkt *again;

		begin(&f);
		KUNIT_EXPECT_EQ(test, weft_frag_add(&f, piece(2)), WEFT_FRAG_KEEP);
		again = piece_at(cases[i].offset, cases[i].plen);
		KUNIT_EXPECT_EQ(test, weft_frag_add(&f, again), cases[i].want);
		if (cases[i].want == WEFT_FRAG_KEEP)
			continue;
		KUNIT_EXPECT_EQ(test, f.have, PIECE);
		KUNIT_EXPECT_EQ(test, f.nr, 1);
	}
}

static void frag_add__contradictions_are_wrong(struct kunit *test)
{
	struct weft_frag f;

	begin(&f);
	KUNIT_EXPECT_EQ(test, weft_frag_add(&f, piece(0)), WEFT_FRAG_KEEP);
	piece(1);
	pkt.total++;
	KUNIT_EXPECT_EQ(test, weft_frag_add(&f, &pkt), WEFT_FRAG_WRONG);
	piece(1);
	pkt.sport++;
	KUNIT_EXPECT_EQ(test, weft_frag_add(&f, &pkt), WEFT_FRAG_WRONG);
	piece(1);
	pkt.dport++;
	KUNIT_EXPECT_EQ(test, weft_frag_add(&f, &pkt), WEFT_FRAG_WRONG);
	KUNIT_EXPECT_EQ(test, weft_frag_add(&f, piece_at(10 * PIECE, 11)),
			WEFT_FRAG_WRONG);
	KUNIT_EXPECT_EQ(test, weft_frag_add(&f, piece_at(1000, 0)), WEFT_FRAG_WRONG);
	KUNIT_EXPECT_EQ(test, weft_frag_add(&f, piece(1)), WEFT_FRAG_KEEP);
}

/* Small pieces cost as much as large ones and bring less. */
static void frag_add__only_the_last_is_small(struct kunit *test)
{
	struct weft_frag f;

	begin(&f);
	KUNIT_EXPECT_EQ(test, weft_frag_add(&f, piece_at(0, WEFT_FRAG_MIN - 1)),
			WEFT_FRAG_WRONG);
	KUNIT_EXPECT_EQ(test, weft_frag_add(&f, piece_at(0, WEFT_FRAG_MIN)),
			WEFT_FRAG_KEEP);
	KUNIT_EXPECT_EQ(test, weft_frag_add(&f, piece_at(TOTAL - 1, 1)),
			WEFT_FRAG_KEEP);
}

static void frag_add__too_large(struct kunit *test)
{
	struct weft_frag f;

	piece(0);
	pkt.total = WEFT_DGRAM_BYTES;
	weft_frag_init(&f, &pkt);
	KUNIT_EXPECT_EQ(test, weft_frag_add(&f, &pkt), WEFT_FRAG_KEEP);
	pkt.total++;
	weft_frag_init(&f, &pkt);
	KUNIT_EXPECT_EQ(test, weft_frag_add(&f, &pkt), WEFT_FRAG_WRONG);
}

static void frag_add__too_many_gaps(struct kunit *test)
{
	struct weft_frag f;
	unsigned int n;

	piece_at(0, WEFT_FRAG_MIN);
	pkt.total = WEFT_DGRAM_BYTES;
	weft_frag_init(&f, &pkt);
	for (n = 0; n < WEFT_FRAG_GAPS; n++) {
		pkt.offset = 2 * n * WEFT_FRAG_MIN;
		KUNIT_EXPECT_EQ(test, weft_frag_add(&f, &pkt), WEFT_FRAG_KEEP);
	}
	pkt.offset = 2 * n * WEFT_FRAG_MIN;
	KUNIT_EXPECT_EQ(test, weft_frag_add(&f, &pkt), WEFT_FRAG_FULL);
	/* One that fills a gap makes room. */
	pkt.offset = WEFT_FRAG_MIN;
	KUNIT_EXPECT_EQ(test, weft_frag_add(&f, &pkt), WEFT_FRAG_KEEP);
	pkt.offset = 2 * n * WEFT_FRAG_MIN;
	KUNIT_EXPECT_EQ(test, weft_frag_add(&f, &pkt), WEFT_FRAG_KEEP);
}

static struct kunit_case frag_cases[] = {
	KUNIT_CASE(frag_add__in_order),
	KUNIT_CASE(frag_add__in_any_order),
	KUNIT_CASE(frag_add__overlaps_are_wrong),
	KUNIT_CASE(frag_add__contradictions_are_wrong),
	KUNIT_CASE(frag_add__only_the_last_is_small),
	KUNIT_CASE(frag_add__too_large),
	KUNIT_CASE(frag_add__too_many_gaps),
	{}
};

static struct kunit_suite frag_suite = {
	.name = "weft_frag",
	.test_cases = frag_cases,
};

kunit_test_suite(frag_suite);
