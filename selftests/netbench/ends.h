/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sockets of either family at the two ends of a pair of namespaces. The
 * namespaces are entered to make a socket and left again: one process owns all
 * sockets of a run, and one clock times them.
 */
#ifndef WEFT_NETBENCH_ENDS_H
#define WEFT_NETBENCH_ENDS_H

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/weft.h>

#define PAIRS_MAX	16
#define FIRST_PORT	5000
#define ns_PER_MS	1000000LL

/**
 * struct pair - a node that sends and one that receives
 * @ns: namespaces of the sender and of the receiver
 * @addr: of the receiver
 * @tcp: over TCP, not weft
 * @cc: its congestion control, or NULL
 * @flows: from the one to the other
 * @listener: of the receiver
 */
struct pair {
	int ns[2];
	const char *addr;
	bool tcp;
	const char *cc;
	unsigned int flows;
	int listener;
};

/* @tcp and @cc are of the pairs to come. */
static struct {
	bool tcp;
	const char *cc;
	int buffer;
	int home;
	unsigned int nr_pairs;
	struct pair pairs[PAIRS_MAX];
} ends;

/* Any sockaddr that is needed here. */
struct addr {
	socklen_t len;
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_weft weft;
	};
};

static inline long long clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static inline int ns_open(const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		err(1, "%s", path);
	return fd;
}

static inline void ns_enter(int ns)
{
	if (setns(ns, CLONE_NEWNET))
		err(1, "setns");
}

/* FROM,TO,ADDRESS */
static inline void pair_add(char *text)
{
	struct pair *pair = &ends.pairs[ends.nr_pairs++];
	char *to = strchr(text, ','), *addr = to ? strchr(to + 1, ',') : NULL;

	if (!addr || ends.nr_pairs == PAIRS_MAX)
		errx(2, "not a pair, or too many: %s", text);
	*to = *addr = 0;
	pair->ns[0] = ns_open(text);
	pair->ns[1] = ns_open(to + 1);
	pair->addr = addr + 1;
	pair->tcp = ends.tcp;
	pair->cc = ends.cc;
	pair->flows = 1;
	pair->listener = -1;
}

/* A port of a pair's receiver, or with @any of whatever node binds to it. */
static inline void addr_set(struct addr *a, const struct pair *pair, bool any,
			    int port)
{
	const char *node = any ? NULL : pair->addr;

	memset(a, 0, sizeof(*a));
	if (pair->tcp) {
		a->len = sizeof(a->in);
		a->in.sin_family = AF_INET;
		a->in.sin_port = htons(port);
		if (node && inet_pton(AF_INET, node, &a->in.sin_addr) != 1)
			errx(2, "not an address: %s", node);
		return;
	}
	a->len = sizeof(a->weft);
	a->weft.sw_family = weft_family();
	a->weft.sw_port = htons(port);
	if (node && inet_pton(AF_INET6, node, a->weft.sw_node) != 1)
		errx(2, "not an address: %s", node);
}

static inline void set_option(int fd, int level, int name, int value)
{
	if (setsockopt(fd, level, name, &value, sizeof(value)))
		err(1, "setsockopt %d %d", level, name);
}

/* A stream socket of the pair's sender (0) or receiver (1). */
static inline int end_socket(const struct pair *pair, int end, int flags)
{
	int fd;

	ns_enter(pair->ns[end]);
	fd = socket(pair->tcp ? AF_INET : weft_family(), SOCK_STREAM | flags, 0);
	if (fd < 0)
		err(1, "socket");
	ns_enter(ends.home);
	if (ends.buffer) {
		set_option(fd, SOL_SOCKET, SO_SNDBUF, ends.buffer);
		set_option(fd, SOL_SOCKET, SO_RCVBUF, ends.buffer);
	}
	if (!pair->tcp)
		return fd;
	set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (pair->cc && setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, pair->cc,
				   strlen(pair->cc)))
		err(1, "congestion control %s", pair->cc);
	return fd;
}

static inline void pair_listen(struct pair *pair, int port, int flags)
{
	struct addr any;

	pair->listener = end_socket(pair, 1, flags);
	set_option(pair->listener, SOL_SOCKET, SO_REUSEADDR, 1);
	addr_set(&any, pair, true, port);
	if (bind(pair->listener, &any.sa, any.len) || listen(pair->listener, 64))
		err(1, "listen on port %d", port);
}

#endif /* WEFT_NETBENCH_ENDS_H */
