/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Buffers that the kernel is to write: each call is made twice, over two
 * fillings. A byte of the returned length that differs was never written; one
 * behind it that is not its filling any more should not have been.
 */
#ifndef WEFT_FILLS_H
#define WEFT_FILLS_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>

#define FILL_ONE	0xa5
#define FILL_TWO	0x5a
#define FILL_BYTES	1024

struct fills {
	unsigned char one[FILL_BYTES];
	unsigned char two[FILL_BYTES];
};

/* What the kernel's stack holds from an earlier call is not always zero. */
static inline void dirty_stack(int fill)
{
	struct timeval now = { 0 };
	fd_set sets[3];
	int i;

	memset(sets, fill, sizeof(sets));
	/* No such files: EBADF, once the sets are on the stack. */
	select(320, &sets[0], &sets[1], &sets[2], &now);
	for (i = 0; i < 3; i++)
		setsockopt(-1, i, i, sets, sizeof(sets));
}

static inline void fills_begin(struct fills *f)
{
	memset(f->one, FILL_ONE, sizeof(f->one));
	memset(f->two, FILL_TWO, sizeof(f->two));
}

static inline bool is_untouched(const struct fills *f, size_t at)
{
	return f->one[at] == FILL_ONE && f->two[at] == FILL_TWO;
}

/**
 * fills_bad() - compare after both calls
 * @len: bytes that were returned
 *
 * Return: -1, or the first byte that is not as it should be.
 */
static inline long fills_bad(const struct fills *f, size_t len)
{
	size_t i;

	for (i = 0; i < FILL_BYTES; i++)
		if (i < len ? f->one[i] != f->two[i] : !is_untouched(f, i))
			return i;
	return -1;
}

#endif /* WEFT_FILLS_H */
