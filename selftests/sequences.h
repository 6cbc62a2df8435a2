/* SPDX-License-Identifier: GPL-2.0 */
/*
 * All sequences of so many calls and events, by number, and a way to wait until
 * what they have sent is there: for tests that compare weft with its oracles.
 */
#ifndef WEFT_SEQUENCES_H
#define WEFT_SEQUENCES_H

#include "weft_test.h"

#define LENGTH_MAX	6

/* WEFT_SEQ_LENGTH, or @length without. */
static inline int length_wanted(int length)
{
	const char *text = getenv("WEFT_SEQ_LENGTH");

	if (text)
		length = atoi(text);
	return length < LENGTH_MAX ? length : LENGTH_MAX;
}

/* How many sequences of @length there are, where each step is one of @steps. */
static inline int sequences_of(int steps, int length)
{
	int n = 1;

	while (length--)
		n *= steps;
	return n;
}

/* That of number @n: depth-first, those that begin alike side by side. */
static inline void nth_sequence(int n, int steps, int length, int *sequence)
{
	while (length--) {
		sequence[length] = n % steps;
		n /= steps;
	}
}

/* Of what many sequences begin with: shown already? All bytes 0xff at first. */
struct shown {
	int prefix[LENGTH_MAX + 1];
};

/* Is it step @at, by the beginning that the sequence has in common? Notes it. */
static inline bool show_once(struct shown *shown, int at, int prefix)
{
	bool first = shown->prefix[at] != prefix;

	shown->prefix[at] = prefix;
	return first;
}

/* Sockets of end A and B, whose bytes overtake nobody's; -1 for none. */
struct fence {
	int fd[2];
};

/* Datagrams make the cheapest one. */
static inline int fence_open(struct fence *fence)
{
	struct addr near, far;

	fence->fd[0] = bound_socket(END_A, SOCK_DGRAM, &near);
	fence->fd[1] = bound_socket(END_B, SOCK_DGRAM, &far);
	if (fence->fd[0] < 0 || fence->fd[1] < 0)
		return -1;
	return connect_to(fence->fd[0], &far) ?:
	       connect_to(fence->fd[1], &near);
}

static inline void fence_close(struct fence *fence)
{
	close(fence->fd[0]);
	close(fence->fd[1]);
}

/*
 * All that is under way has arrived when a byte there and one back have: this
 * process stays on one CPU, whose queue of packets is first in, first out.
 */
static inline void fence_pass(const struct fence *fence)
{
	char byte = 0;

	if (write(fence->fd[0], &byte, 1) != 1 ||
	    read(fence->fd[1], &byte, 1) != 1 ||
	    write(fence->fd[1], &byte, 1) != 1 ||
	    read(fence->fd[0], &byte, 1) != 1) {
		fprintf(stderr, "# the fence broke: %s\n", strerror(errno));
		abort();
	}
}

#endif /* WEFT_SEQUENCES_H */
