// SPDX-License-Identifier: GPL-2.0
/*
 * What the N-th bound socket costs: made, bound to a name of its own, closed, while N - 1 others
 * stand. Where a family has fewer ports than that, the crowd takes a second address (IP) or the
 * ports of the other kind of socket (weft).
 */
#include <errno.h>
#include <netinet/in.h>
#include <unistd.h>

#include "bench.h"

#define SAMPLES		5u
#define FIRST_PORT	2000u
#define PORTS		60000u

/* The socket number @k, bound. */
static int bound_socket(struct run *run, unsigned int k)
{
	struct family f = *run->f;
	struct run nth = *run;
	struct sockaddr_in *ip;
	struct address a;
	int fd;

	nth.f = &f;
	nth.port = FIRST_PORT + k % PORTS;
	if (!f.domain && k >= PORTS)
		f.type = f.type == SOCK_DGRAM ? SOCK_STREAM : SOCK_DGRAM;
	else if (f.domain != AF_INET)
		nth.port = FIRST_PORT + k;
	fd = make_socket(&nth);
	fill_address(&nth, &a, false);
	ip = (struct sockaddr_in *)&a.to;
	if (f.domain == AF_INET)
		ip->sin_addr.s_addr = htonl(ntohl(ip->sin_addr.s_addr) + k / PORTS);
	if (bind(fd, (struct sockaddr *)&a.to, a.len) < 0)
		fail(run, "bind");
	return fd;
}

static void nobody_listens(struct run *run)
{
}

static void bind_many(struct run *run)
{
	unsigned int k, s, crowd = run->w->idle;

	for (k = 0; k + 1 < crowd; k++)
		bound_socket(run, k);
	for (k = 0; k < run->warm; k++)
		close(bound_socket(run, crowd + k));
	for (s = 0; s < SAMPLES; s++) {
		mark_start(run);
		for (k = 0; k < run->n; k++)
			close(bound_socket(run, crowd + k));
		mark_end(run);
	}
}

#define BIND(text, nth) {							\
	.name = "bind-" text, .kinds = DGRAM, .roads = 1u << LOCAL,		\
	.defaults = true, .n = 200, .idle = nth, .warm_share = 2, .once = true,	\
	.metric = "cost per socket", .unit = "/socket", .divisor = 1,		\
	.passive = nobody_listens, .active = bind_many }

const struct work bind_works[] = {
	BIND("2", 2),
	BIND("1000", 1000),
	BIND("100000", 100000),
	{ NULL }
};
