// SPDX-License-Identifier: GPL-2.0
/* Range sets. Arrivals mostly touch the last range, so searches start there. */
#include <linux/minmax.h>
#include <linux/string.h>

#include "range.h"

/* Index of the first range that ends at or behind @offset. */
static unsigned int first_reaching(const struct weft_range_set *set,
				   u64 offset)
{
	unsigned int low = 0, high = set->nr;

	if (high && set->at[high - 1].end < offset)
		return high;
	while (low < high) {
		unsigned int mid = low + (high - low) / 2;

		if (set->at[mid].end < offset)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

bool weft_range_trim(const struct weft_range_set *set,
		     struct weft_range *range)
{
	unsigned int i = first_reaching(set, range->start);
	u64 start = range->start;
	u64 end = range->end;

	if (i < set->nr && set->at[i].start <= start) {
		if (set->at[i].end >= end)
			return false;
		start = set->at[i].end;
	}
	i = first_reaching(set, end);
	if (i < set->nr && set->at[i].start < end)
		end = set->at[i].start;
	range->start = start;
	range->end = end;
	return true;
}

bool weft_range_add(struct weft_range_set *set, const struct weft_range *range,
		    unsigned int *where)
{
	unsigned int first = first_reaching(set, range->start);
	unsigned int behind = first;
	struct weft_range sum = *range;

	while (behind < set->nr && set->at[behind].start <= range->end)
		behind++;
	if (behind == first && set->nr == set->max)
		return false;
	if (behind > first) {
		sum.start = min(sum.start, set->at[first].start);
		sum.end = max(sum.end, set->at[behind - 1].end);
	}
	if (behind != first + 1)
		memmove(&set->at[first + 1], &set->at[behind],
			(set->nr - behind) * sizeof(sum));
	set->at[first] = sum;
	set->nr = set->nr - (behind - first) + 1;
	*where = first;
	return true;
}

void weft_range_absorb(struct weft_range_set *set, u64 *floor)
{
	unsigned int n = 0;

	while (n < set->nr && set->at[n].start <= *floor) {
		*floor = max(*floor, set->at[n].end);
		n++;
	}
	if (!n)
		return;
	set->nr -= n;
	memmove(set->at, set->at + n, set->nr * sizeof(*set->at));
}
