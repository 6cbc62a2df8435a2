/* SPDX-License-Identifier: GPL-2.0 */
/* Sorted, disjoint, non-touching ranges: what arrived out of order. */
#ifndef WEFT_PROTO_RANGE_H
#define WEFT_PROTO_RANGE_H

#include "packet.h"

/**
 * struct weft_range_set - a set of bytes above a floor
 * @at: the ranges, sorted, disjoint, not touching; borrowed
 * @nr: in use
 * @max: there are
 */
struct weft_range_set {
	struct weft_range	*at;
	unsigned int		nr;
	unsigned int		max;
};

/**
 * weft_range_trim() - cut from both edges of a range what the set holds
 *
 * Return: false when the set holds all of it; @range is then unchanged.
 */
bool weft_range_trim(const struct weft_range_set *set,
		     struct weft_range *range);

/**
 * weft_range_add() - add a range, merging it with those it meets
 * @where: index of the range that holds it now
 *
 * Return: false when there is no room; the set is then unchanged.
 */
bool weft_range_add(struct weft_range_set *set, const struct weft_range *range,
		    unsigned int *where);

/**
 * weft_range_absorb() - take out what begins at or below a floor
 * @floor: raised to the end of what was taken out
 */
void weft_range_absorb(struct weft_range_set *set, u64 *floor);

#endif /* WEFT_PROTO_RANGE_H */
