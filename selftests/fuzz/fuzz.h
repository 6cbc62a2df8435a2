/* SPDX-License-Identifier: GPL-2.0 */
/* What the targets of this directory share: an input that is read in pieces. */
#ifndef WEFT_FUZZ_H
#define WEFT_FUZZ_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/types.h>

/* One execution; called by libFuzzer. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/**
 * struct fuzz_in - what is left of the input
 *
 * An input that has come to its end goes on with zeros, so that every input
 * means something.
 */
struct fuzz_in {
	const uint8_t	*at;
	size_t		left;
};

static inline u64 fuzz_bytes(struct fuzz_in *in, unsigned int n)
{
	u64 value = 0;

	while (n--) {
		value <<= 8;
		if (!in->left)
			continue;
		value |= *in->at++;
		in->left--;
	}
	return value;
}

static inline u8 fuzz_u8(struct fuzz_in *in)
{
	return fuzz_bytes(in, 1);
}

static inline u16 fuzz_u16(struct fuzz_in *in)
{
	return fuzz_bytes(in, 2);
}

static inline u32 fuzz_u32(struct fuzz_in *in)
{
	return fuzz_bytes(in, 4);
}

static inline u64 fuzz_u64(struct fuzz_in *in)
{
	return fuzz_bytes(in, 8);
}

/* A fault is a crash, whose input libFuzzer keeps. */
#define fuzz_fail(fmt, ...) do {					\
	fprintf(stderr, "%s:%d: " fmt "\n", __FILE__, __LINE__,	\
		##__VA_ARGS__);						\
	abort();							\
} while (0)

#define fuzz_check(cond) do {						\
	if (!(cond))							\
		fuzz_fail("not true: %s", #cond);			\
} while (0)

/* What a receive buffer may be at most, bytes. */
#define FUZZ_BUFFER_MAX	(1U << 14)

/**
 * struct fuzz_store - what a shell keeps of the bytes that an engine takes
 * @size: of the buffer, at most FUZZ_BUFFER_MAX
 * @held: a flag for each byte of the buffer: stored, not delivered
 * @delivered: bytes in order
 * @read: bytes read
 */
struct fuzz_store {
	u32	size;
	bool	held[FUZZ_BUFFER_MAX];
	u64	delivered;
	u64	read;
};

/* Bytes [@from, @to) are stored: new ones, that the buffer has room for. */
static inline void fuzz_store_take(struct fuzz_store *store, u64 from, u64 to)
{
	fuzz_check(from < to && from >= store->delivered);
	fuzz_check(to <= store->read + store->size);
	fuzz_check(!store->held[from % store->size]);
	for (; from < to; from++)
		store->held[from % store->size] = true;
}

/* All below @to is in order now, and some of it was not before. */
static inline void fuzz_store_deliver(struct fuzz_store *store, u64 to)
{
	fuzz_check(to > store->delivered);
	for (; store->delivered < to; store->delivered++) {
		fuzz_check(store->held[store->delivered % store->size]);
		store->held[store->delivered % store->size] = false;
	}
}

/* The reader takes up to @n bytes. */
static inline void fuzz_store_read(struct fuzz_store *store, u64 n)
{
	n += store->read;
	store->read = n < store->delivered ? n : store->delivered;
}

#endif /* WEFT_FUZZ_H */
