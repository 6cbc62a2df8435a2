// SPDX-License-Identifier: GPL-2.0
/* A range set, against a flag for each byte. */
#include "fuzz.h"
#include "range.h"

#define BYTES		256
#define MAX		24

/**
 * struct model - a flag for each byte of a stream
 * @base: offset of the first, so that large offsets are tried as well
 * @has: the set holds it
 */
struct model {
	u64	base;
	bool	has[BYTES];
};

static void check_set(const struct weft_range_set *set, const struct model *m)
{
	unsigned int i, at = 0;

	fuzz_check(set->nr <= set->max);
	for (i = 0; i < set->nr; i++) {
		u64 start = set->at[i].start - m->base;
		u64 end = set->at[i].end - m->base;

		/* Sorted, not empty, not touching. */
		fuzz_check(start < end && end <= BYTES && (!i || start > at));
		for (; at < start; at++)
			fuzz_check(!m->has[at]);
		for (; at < end; at++)
			fuzz_check(m->has[at]);
	}
	for (; at < BYTES; at++)
		fuzz_check(!m->has[at]);
}

static void trim(const struct weft_range_set *set, const struct model *m,
		 struct weft_range range)
{
	u64 start = range.start - m->base, end = range.end - m->base;

	while (start < end && m->has[start])
		start++;
	while (start < end && m->has[end - 1])
		end--;
	if (!weft_range_trim(set, &range)) {
		fuzz_check(start == end);
		return;
	}
	fuzz_check(range.start == m->base + start);
	fuzz_check(range.end == m->base + end);
}

static void add(struct weft_range_set *set, struct model *m,
		const struct weft_range *range)
{
	unsigned int where = ~0U, was = set->nr;
	u64 at;

	if (!weft_range_add(set, range, &where)) {
		fuzz_check(was == set->max && set->nr == was);
		return;
	}
	fuzz_check(where < set->nr);
	fuzz_check(set->at[where].start <= range->start &&
		   set->at[where].end >= range->end);
	for (at = range->start; at < range->end; at++)
		m->has[at - m->base] = true;
}

/* What begins at or below the floor goes, and the floor rises behind it. */
static void absorb(struct weft_range_set *set, struct model *m, u64 floor)
{
	u64 want = floor - m->base, i;

	for (i = 0; i < want || (i < BYTES && m->has[i]); i++) {
		/* A range that reaches beyond the floor is taken whole. */
		if (i >= want)
			want = i + 1;
		m->has[i] = false;
	}
	weft_range_absorb(set, &floor);
	fuzz_check(floor - m->base == want);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct fuzz_in in = { input, size };
	struct model m = { .base = fuzz_u8(&in) * (~0ULL / 256) };
	struct weft_range_set set = { .max = fuzz_u8(&in) % (MAX + 1) };

	set.at = malloc(set.max ? set.max * sizeof(*set.at) : 1);
	while (in.left) {
		u8 what = fuzz_u8(&in);
		struct weft_range range;

		range.start = m.base + fuzz_u8(&in) % (BYTES - 1);
		range.end = range.start + 1 + fuzz_u8(&in);
		if (range.end > m.base + BYTES)
			range.end = m.base + BYTES;
		trim(&set, &m, range);
		if (what % 8)
			add(&set, &m, &range);
		else
			absorb(&set, &m, range.start);
		check_set(&set, &m);
	}
	free(set.at);
	return 0;
}
