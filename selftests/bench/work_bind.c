// SPDX-License-Identifier: GPL-2.0
/*
 * What the N-th bound socket costs: made, bound to a name of its own, closed, while N - 1 others
 * stand. Where a family has fewer ports than that, the crowd takes a second address (IP) or the
 * ports of the other kind of socket (weft).
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench.h"

#define SAMPLES		5u
#define FIRST_PORT	2000u
#define PORTS		60000u

/* The name of socket number @k, made before the clock runs. */
static void fill_name(const struct run *run, unsigned int k, struct address *a)
{
	struct sockaddr_in *ip = (struct sockaddr_in *)&a->to;
	struct run nth = *run;

	nth.port = FIRST_PORT + k % PORTS;
	if (run->f->domain && run->f->domain != AF_INET)
		nth.port = FIRST_PORT + k;
	fill_address(&nth, a, false);
	if (run->f->domain == AF_INET)
		ip->sin_addr.s_addr = htonl(ntohl(ip->sin_addr.s_addr) + k / PORTS);
}

/* Socket number @k, bound to @a. */
static int bound_socket(struct run *run, unsigned int k, const struct address *a)
{
	struct family f = *run->f;
	struct run nth = *run;
	int fd;

	nth.f = &f;
	if (!f.domain && k >= PORTS)
		f.type = f.type == SOCK_DGRAM ? SOCK_STREAM : SOCK_DGRAM;
	fd = make_socket(&nth);
	if (bind(fd, (struct sockaddr *)&a->to, a->len) < 0)
		fail(run, "bind");
	return fd;
}

static void nobody_listens(struct run *run)
{
}

static void bind_many(struct run *run)
{
	unsigned int k, s, crowd = run->w->idle;
	struct address *names = calloc(run->n, sizeof(*names)), a;

	for (k = 0; k + 1 < crowd; k++) {
		fill_name(run, k, &a);
		bound_socket(run, k, &a);
	}
	for (k = 0; k < run->n; k++)
		fill_name(run, crowd + k, &names[k]);
	for (k = 0; k < run->warm; k++)
		close(bound_socket(run, crowd + k, &names[k]));
	for (s = 0; s <= SAMPLES; s++) {
		if (s == SAMPLES)
			count_from_here(run);
		mark_start(run);
		for (k = 0; k < run->n; k++)
			close(bound_socket(run, crowd + k, &names[k]));
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
