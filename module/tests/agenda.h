/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is to happen in a simulation, and when: a heap by time, and at the same
 * time in the order in which it was added. What happens stands in an array of
 * the simulation's own, in the slot that agenda_add() names.
 */
#ifndef WEFT_TESTS_AGENDA_H
#define WEFT_TESTS_AGENDA_H

#include <kunit/test.h>
#include <linux/minmax.h>
#include <linux/types.h>

#include "../proto/engine.h"

struct agenda_entry {
	u64	at_ns;
	u64	order;
	u16	slot;
};

/**
 * struct agenda - a heap, and the slots that are free
 * @size: slots in all
 * @order: entries added so far
 */
struct agenda {
	struct agenda_entry	*heap;
	u32			nr;
	u16			*spare;
	u32			nr_spare;
	u32			size;
	u64			order;
};

static inline void agenda_clear(struct agenda *a)
{
	u32 i;

	a->nr = 0;
	a->order = 0;
	a->nr_spare = 0;
	for (i = 0; i < a->size; i++)
		a->spare[a->nr_spare++] = i;
}

/* Freed with the test. */
static inline void agenda_alloc(struct kunit *test, struct agenda *a, u32 size)
{
	a->size = size;
	a->heap = kunit_kcalloc(test, size, sizeof(*a->heap), GFP_KERNEL);
	a->spare = kunit_kcalloc(test, size, sizeof(*a->spare), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, a->heap);
	KUNIT_ASSERT_NOT_NULL(test, a->spare);
	agenda_clear(a);
}

static inline bool agenda_is_sooner(const struct agenda *a, u32 one, u32 two)
{
	const struct agenda_entry *x = &a->heap[one], *y = &a->heap[two];

	return x->at_ns < y->at_ns ||
	       (x->at_ns == y->at_ns && x->order < y->order);
}

/* When the first is due; WEFT_NEVER: there is none. */
static inline u64 agenda_next(const struct agenda *a)
{
	return a->nr ? a->heap[0].at_ns : WEFT_NEVER;
}

/* Return: the slot, or -1: all are in use. */
static inline int agenda_add(struct agenda *a, u64 at_ns)
{
	u32 i = a->nr;

	if (!a->nr_spare)
		return -1;
	a->heap[a->nr++] = (struct agenda_entry){
		.at_ns = at_ns,
		.order = a->order++,
		.slot = a->spare[--a->nr_spare],
	};
	for (; i && agenda_is_sooner(a, i, (i - 1) / 2); i = (i - 1) / 2)
		swap(a->heap[i], a->heap[(i - 1) / 2]);
	return a->spare[a->nr_spare];
}

/* The slot of the first, which stays in use until agenda_free(). */
static inline u16 agenda_take(struct agenda *a)
{
	u16 slot = a->heap[0].slot;
	u32 i = 0;

	a->heap[0] = a->heap[--a->nr];
	for (;;) {
		u32 least = i, child;

		for (child = 2 * i + 1; child <= 2 * i + 2; child++)
			if (child < a->nr && agenda_is_sooner(a, child, least))
				least = child;
		if (least == i)
			return slot;
		swap(a->heap[i], a->heap[least]);
		i = least;
	}
}

static inline void agenda_free(struct agenda *a, u16 slot)
{
	a->spare[a->nr_spare++] = slot;
}

#endif /* WEFT_TESTS_AGENDA_H */
