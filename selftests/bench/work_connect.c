// SPDX-License-Identifier: GPL-2.0
/*
 * Connections that live for a moment. The server closes first and the client waits for that, as
 * HTTP/1.0 does, so that nobody runs ahead.
 */
#include <unistd.h>

#include "bench.h"

static void accept_and_close(struct run *run)
{
	int listener = listen_here(run, 64);
	unsigned int i;

	for (i = 0; i < run->warm + run->n; i++)
		close(accept_one(run, listener));
	await(run);
}

static void connect_and_wait(struct run *run)
{
	int fd = connect_there(run);

	await_end(run, fd);
	close(fd);
}

static void connect_often(struct run *run)
{
	unsigned int i;

	await(run);
	for (i = 0; i < run->warm; i++)
		connect_and_wait(run);
	mark_start(run);
	for (i = 0; i < run->n; i++)
		connect_and_wait(run);
	mark_end(run);
	tell(run);
}

static void serve_requests(struct run *run)
{
	int listener = listen_here(run, 64), fd;
	size_t size = run->w->bytes;
	unsigned int i;

	prepare_memory(run, 0, size);
	for (i = 0; i < run->warm + run->n; i++) {
		fd = accept_one(run, listener);
		recv_all(run, fd, run->got, size);
		send_all(run, fd, run->got, size);
		close(fd);
	}
	await(run);
}

static void request_once(struct run *run, unsigned int i)
{
	size_t size = run->w->bytes;
	int fd = connect_there(run);

	send_all(run, fd, run->sent + i * size, size);
	recv_all(run, fd, run->got + (i + 1) * size, size);
	await_end(run, fd);
	close(fd);
}

static void request_often(struct run *run)
{
	size_t size = run->w->bytes;
	unsigned int i;

	prepare_memory(run, run->n * size, (run->n + 1) * size);
	await(run);
	for (i = 0; i < run->warm; i++)
		request_once(run, i);
	mark_start(run);
	for (i = 0; i < run->n; i++)
		request_once(run, i);
	mark_end(run);
	verify(run, run->got + size, run->sent, run->n * size);
	tell(run);
}

const struct work connect_works[] = {
	{ .name = "connect", .kinds = STREAM | SEQ, .roads = 1u << LOCAL | 1u << VETH,
	  .defaults = true, .n = 150, .warm_share = 2,
	  .metric = "cost per connection", .unit = "/connection", .divisor = 1,
	  .passive = accept_and_close, .active = connect_often },
	{ .name = "request", .kinds = STREAM | SEQ, .roads = 1u << LOCAL | 1u << VETH,
	  .bytes = 64, .hurry = true, .defaults = true, .n = 150, .warm_share = 2,
	  .metric = "cost per connection", .unit = "/connection", .divisor = 1,
	  .passive = serve_requests, .active = request_often },
	{ NULL }
};
