// SPDX-License-Identifier: GPL-2.0
/*
 * Messages of 64 bytes in one direction. So that a family which drops cannot win by that, and
 * none overruns the reader, the sender waits after each batch for the reader to have all of it:
 * the same pipe byte for every family, a few hundredths of the cost.
 */
#include <errno.h>
#include <sys/socket.h>

#include "bench.h"

#define BATCH	100u

static void read_messages(struct run *run, int fd, unsigned int n)
{
	size_t size = run->w->bytes;
	unsigned int i;

	for (i = 0; i < n; i++) {
		errno = 0;
		if (recv(fd, run->got + i * size, size, 0) != (ssize_t)size)
			fail(run, "recv of a message");
		if (i % BATCH == BATCH - 1)
			tell(run);
	}
}

static void write_messages(struct run *run, int fd, unsigned int n)
{
	size_t size = run->w->bytes;
	unsigned int i;

	for (i = 0; i < n; i++) {
		send_all(run, fd, run->sent + i * size, size);
		if (i % BATCH == BATCH - 1)
			await(run);
	}
}

static void take(struct run *run)
{
	size_t bytes = (size_t)run->n * run->w->bytes;
	int fd;

	prepare_memory(run, 0, bytes);
	fd = meet(run);
	read_messages(run, fd, run->warm);
	read_messages(run, fd, run->n);
	mark_end(run);
	verify(run, run->got, run->sent, bytes);
	tell(run);
}

static void give(struct run *run)
{
	int fd;

	prepare_memory(run, (size_t)run->n * run->w->bytes, 0);
	fd = meet(run);
	write_messages(run, fd, run->warm);
	mark_start(run);
	write_messages(run, fd, run->n);
	await(run);
}

#define MESSAGES(text, set_defaults) {						\
	.name = text, .kinds = SEQ | DGRAM, .roads = 1u << LOCAL | 1u << VETH,	\
	.bytes = 64, .n = 2000, .defaults = set_defaults, .warm_share = 2,	\
	.metric = "cost per message", .unit = "/message", .divisor = 1,		\
	.passive = take, .active = give }

const struct work rate_works[] = {
	MESSAGES("messages-64", false),
	MESSAGES("messages-64-defaults", true),
	{ NULL }
};
