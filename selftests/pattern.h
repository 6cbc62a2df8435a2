/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Bytes that can be told from any other: a stream's byte depends on its seed
 * and on its offset alone, so that a reader verifies what it got without
 * knowing how the writer cut it.
 */
#ifndef WEFT_PATTERN_H
#define WEFT_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* splitmix64: a good hash of a counter. */
static inline uint64_t pattern_word(uint64_t seed, uint64_t index)
{
	uint64_t z = seed * 0x9e3779b97f4a7c15ULL + index * 0xd1342543de82ef95ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

/* Byte by byte up to a word's beginning, then a word's hash for eight bytes. */
static inline void pattern_fill(void *buf, size_t len, uint64_t seed,
				uint64_t offset)
{
	unsigned char *p = buf;
	uint64_t word = 0;
	size_t i;

	for (i = 0; i < len; i++, offset++) {
		if (i == 0 || offset % 8 == 0)
			word = pattern_word(seed, offset / 8);
		p[i] = word >> (8 * (offset % 8));
	}
}

/* Return: offset in @buf of the first wrong byte, @len when there is none. */
static inline size_t pattern_check(const void *buf, size_t len, uint64_t seed,
				   uint64_t offset)
{
	const unsigned char *p = buf;
	uint64_t word = 0;
	size_t i;

	for (i = 0; i < len; i++, offset++) {
		if (i == 0 || offset % 8 == 0)
			word = pattern_word(seed, offset / 8);
		if (p[i] != (unsigned char)(word >> (8 * (offset % 8))))
			return i;
	}
	return len;
}

static inline bool pattern_is(const void *buf, size_t len, uint64_t seed)
{
	return pattern_check(buf, len, seed, 0) == len;
}

/* A sequence of numbers that is the same in every run. */
struct prng {
	uint64_t seed;
	uint64_t index;
};

static inline uint64_t prng_next(struct prng *prng)
{
	return pattern_word(prng->seed, prng->index++);
}

/* Return: 0..@bound - 1 */
static inline uint32_t prng_below(struct prng *prng, uint32_t bound)
{
	return (prng_next(prng) >> 32) % bound;
}

#endif /* WEFT_PATTERN_H */
