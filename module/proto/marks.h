/* SPDX-License-Identifier: GPL-2.0 */
/* What became of the flows that a peer opened: new, open, closed or reset. */
#ifndef WEFT_PROTO_MARKS_H
#define WEFT_PROTO_MARKS_H

#include "wire.h"

enum weft_mark {
	WEFT_MARK_NEW = 0,
	WEFT_MARK_OPEN,
	WEFT_MARK_CLOSED,
	WEFT_MARK_RESET,
};

/**
 * struct weft_marks - marks of the last WEFT_FLOW_WINDOW ids
 * @top: ids below it are in the window or forgotten; none at or above it was
 *	ever marked
 * @bits: two bits an id, a ring
 *
 * The same structure serves the ids of the opening end, which marks each id
 * open when it hands it out.
 */
struct weft_marks {
	u64	top;
	u64	bits[WEFT_FLOW_WINDOW / 32];
};

/**
 * weft_marks_get() - what became of an id
 *
 * Return: its mark; WEFT_MARK_RESET for an id that fell out of the window:
 * whoever still speaks of it may not be told that all was received.
 */
enum weft_mark weft_marks_get(const struct weft_marks *marks, u64 id);

/**
 * weft_marks_set() - mark an id
 *
 * An id at or above @top moves the window; one below the window is ignored.
 * Ids skipped by the move are new.
 */
void weft_marks_set(struct weft_marks *marks, u64 id, enum weft_mark mark);

#endif /* WEFT_PROTO_MARKS_H */
