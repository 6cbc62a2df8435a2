// SPDX-License-Identifier: GPL-2.0
/*
 * Question and answer of one size over one connection (or, without connections, between two
 * sockets that know each other). The answer is the question; every round has bytes of its own.
 */
#include "bench.h"

static void answer(struct run *run)
{
	size_t size = run->w->bytes;
	unsigned int i;
	int fd;

	prepare_memory(run, 0, size);
	fd = meet(run);
	for (i = 0; i < run->warm + run->n; i++) {
		recv_all(run, fd, run->got, size);
		send_all(run, fd, run->got, size);
	}
	await(run);
}

static void ask(struct run *run)
{
	/* The answering end has the first part of the arena to itself. */
	unsigned char *got = run->got + run->w->bytes;
	size_t size = run->w->bytes;
	unsigned int i;
	int fd;

	prepare_memory(run, run->n * size, (run->n + 1) * size);
	fd = meet(run);
	for (i = 0; i < run->warm; i++) {
		send_all(run, fd, run->sent + i * size, size);
		recv_all(run, fd, got + i * size, size);
	}
	mark_start(run);
	for (i = 0; i < run->n; i++) {
		send_all(run, fd, run->sent + i * size, size);
		recv_all(run, fd, got + i * size, size);
	}
	mark_end(run);
	verify(run, got, run->sent, run->n * size);
	tell(run);
}

#define PINGPONG(text, size, times) {						\
	.name = "pingpong-" text, .kinds = STREAM | SEQ | DGRAM,		\
	.roads = 1u << LOCAL | 1u << VETH, .hurry = true,			\
	.bytes = size, .n = times, .warm_share = 2,				\
	.metric = "cost per round", .unit = "/round", .divisor = 1,		\
	.passive = answer, .active = ask }

const struct work pingpong_works[] = {
	PINGPONG("1", 1, 400),
	PINGPONG("64", 64, 400),
	PINGPONG("1K", 1024, 400),
	PINGPONG("64K", 65536, 64),
	{ NULL }
};
