// SPDX-License-Identifier: GPL-2.0
/*
 * A stream in one direction: writes of one size, reads of at least 64 KiB, as a program that
 * wants throughput does. From the first write of the sender to the last byte at the reader.
 */
#include <errno.h>

#include "bench.h"

#define READ_BYTES	65536u

/* A connected pair for both ends; the reader's is accepted. */
static size_t recv_some(struct run *run, int fd, unsigned char *to, size_t left)
{
	size_t most = run->w->bytes > READ_BYTES ? run->w->bytes : READ_BYTES;
	ssize_t n;

	errno = 0;
	n = recv(fd, to, left < most ? left : most, 0);
	if (n <= 0)
		fail(run, "recv");
	return n;
}

static void read_stream(struct run *run)
{
	size_t bytes = (size_t)run->n * run->w->bytes, warm = (size_t)run->warm * run->w->bytes;
	int listener, fd;
	size_t at;

	prepare_memory(run, 0, bytes > warm ? bytes : warm);
	listener = listen_here(run, 1);
	fd = accept_one(run, listener);
	for (at = 0; at < warm; )
		at += recv_some(run, fd, run->got + at, warm - at);
	tell(run);
	for (at = 0; at < bytes; )
		at += recv_some(run, fd, run->got + at, bytes - at);
	mark_end(run);
	verify(run, run->got, run->sent, bytes);
	tell(run);
}

static void write_stream(struct run *run)
{
	size_t size = run->w->bytes;
	unsigned int i;
	int fd;

	prepare_memory(run, (size_t)run->n * size, 0);
	await(run);
	fd = connect_there(run);
	for (i = 0; i < run->warm; i++)
		send_all(run, fd, run->sent + i * size, size);
	await(run);
	mark_start(run);
	for (i = 0; i < run->n; i++)
		send_all(run, fd, run->sent + i * size, size);
	await(run);
}

#define STREAM_WORK(text, size, times, set_defaults) {				\
	.name = "stream-" text, .kinds = STREAM, .roads = 1u << LOCAL | 1u << VETH,	\
	.bytes = size, .n = times, .defaults = set_defaults, .warm_share = 2,	\
	.metric = "cost per byte", .unit = "/B", .divisor = size,		\
	.passive = read_stream, .active = write_stream }

#define STREAM_WORKS(text, size, times)						\
	STREAM_WORK(text, size, times, false), STREAM_WORK(text "-defaults", size, times, true)

const struct work stream_works[] = {
	STREAM_WORKS("64", 64, 4000),
	STREAM_WORKS("512", 512, 4000),
	STREAM_WORKS("4K", 4096, 1000),
	STREAM_WORKS("64K", 65536, 96),
	STREAM_WORKS("1M", 1048576, 8),
	{ NULL }
};
