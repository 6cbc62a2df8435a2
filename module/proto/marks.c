// SPDX-License-Identifier: GPL-2.0
/* A ring of two-bit marks; top moves up and leaves the new places NEW. */
#include <linux/string.h>

#include "marks.h"

#define IDS_PER_WORD	32

/* Has no id above it, so it could never be marked. */
#define NO_ID		(~0ULL)

static unsigned int word_of(u64 id)
{
	return (id % WEFT_FLOW_WINDOW) / IDS_PER_WORD;
}

static unsigned int shift_of(u64 id)
{
	return (id % IDS_PER_WORD) * 2;
}

static bool is_forgotten(const struct weft_marks *marks, u64 id)
{
	return marks->top > WEFT_FLOW_WINDOW &&
	       id < marks->top - WEFT_FLOW_WINDOW;
}

/* Makes @top the id behind @id; places it passes over become NEW. */
static void raise_top(struct weft_marks *marks, u64 id)
{
	if (id - marks->top >= WEFT_FLOW_WINDOW) {
		memset(marks->bits, 0, sizeof(marks->bits));
		marks->top = id + 1;
		return;
	}
	while (marks->top <= id) {
		marks->bits[word_of(marks->top)] &=
			~(3ULL << shift_of(marks->top));
		marks->top++;
	}
}

enum weft_mark weft_marks_get(const struct weft_marks *marks, u64 id)
{
	if (is_forgotten(marks, id) || id == NO_ID)
		return WEFT_MARK_RESET;
	if (id >= marks->top)
		return WEFT_MARK_NEW;
	return (marks->bits[word_of(id)] >> shift_of(id)) & 3;
}

void weft_marks_set(struct weft_marks *marks, u64 id, enum weft_mark mark)
{
	if (is_forgotten(marks, id) || id == NO_ID)
		return;
	if (id >= marks->top)
		raise_top(marks, id);
	marks->bits[word_of(id)] &= ~(3ULL << shift_of(id));
	marks->bits[word_of(id)] |= (u64)mark << shift_of(id);
}
