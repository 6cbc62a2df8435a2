// SPDX-License-Identifier: GPL-2.0
/*
 * Do pairs of sockets that have nothing to do with each other stand in each other's way? What one
 * pair moves in a second, and what two move on two processors, side by side.
 */
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define PAIRS_MAX	2u

/* One pair in processes of its own; its bytes for each tick of the clock go to @to. */
static void start_pair(const struct run *run, unsigned int i, double *to)
{
	struct run own = *run;
	cpu_set_t cpu;

	if (fork())
		return;
	/* A pair has one processor, both ends of it, so that two pairs can have two. */
	CPU_ZERO(&cpu);
	CPU_SET(i, &cpu);
	sched_setaffinity(0, sizeof(cpu), &cpu);
	own.s = share_memory(sizeof(*own.s));
	own.got = share_memory(ARENA_BYTES);
	own.port += i;
	if (run_once(&own))
		to[i] = (double)own.n * own.w->bytes / own.s->sample[0];
	else
		fprintf(stderr, "bench: a pair of %s: %s\n", own.f->name, own.s->why);
	_exit(0);
}

/* Return: what @pairs move together, 0 when one of them failed. */
static double speed_of(const struct run *run, unsigned int pairs, double *to)
{
	double sum = 0;
	unsigned int i;

	memset(to, 0, PAIRS_MAX * sizeof(*to));
	for (i = 0; i < pairs; i++)
		start_pair(run, i, to);
	while (wait(NULL) > 0)
		;
	for (i = 0; i < pairs; i++) {
		if (!to[i])
			return 0;
		sum += to[i];
	}
	return sum;
}

double pairs_ratio(const struct run *run)
{
	double *to = share_memory(PAIRS_MAX * sizeof(*to));
	double one = speed_of(run, 1, to);

	return one ? speed_of(run, 2, to) / one : 0;
}
