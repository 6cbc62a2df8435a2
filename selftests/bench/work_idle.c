// SPDX-License-Identifier: GPL-2.0
/*
 * An epoll server with many idle connections beside one active: what a round of question and
 * answer costs, and what the idle ones cost in memory, both ends together, before epoll knows
 * them.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

#define SAMPLES		5u
/* The client runs ahead by no more connections than that, so no backlog overflows. */
#define STEP		50u
/* How often memory is looked at, and how long after it was given back. */
#define LOOKS		20
#define LOOK_MS		100
#define GIVE_BACK_PAGES	256

/*
 * Connections before those whose memory is looked at: they take the places that
 * were left free in slabs by the families before, which else had whoever comes
 * next. A multiple of STEP, or 0 where nobody looks.
 */
static unsigned int nr_before(const struct run *run)
{
	return run->w->idle < 1000 ? 0 : run->w->idle / 2 / STEP * STEP;
}

static unsigned int nr_in_all(const struct run *run)
{
	return nr_before(run) + run->w->idle + 1;
}

/* Tables of descriptors grow before memory is looked at. */
static void make_room(struct run *run)
{
	int fd = fcntl(0, F_DUPFD, nr_in_all(run) + 64);

	if (fd < 0)
		fail(run, "F_DUPFD");
	close(fd);
}

static void write_to(struct run *run, const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		fail(run, path);
	close(fd);
}

/*
 * What is cached, and the slabs in which nothing is: a family that closed its
 * connections before had them taken from whoever came next.
 */
static void forget_caches(struct run *run)
{
	glob_t caches;
	size_t i;

	/* 4: without a word in the log. */
	write_to(run, "/proc/sys/vm/drop_caches", "4");
	write_to(run, "/proc/sys/vm/drop_caches", "3");
	if (glob("/sys/kernel/slab/*/shrink", 0, NULL, &caches))
		fail(run, "/sys/kernel/slab");
	for (i = 0; i < caches.gl_pathc; i++)
		write_to(run, caches.gl_pathv[i], "1");
	globfree(&caches);
}

/*
 * Free pages that a processor keeps for itself are not counted as free, and may
 * be an eighth of the memory: whoever comes next takes them, and seems to need
 * none. The limit holds when pages are freed, so some are.
 */
static void give_back_pages(struct run *run)
{
	static const char limit[] = "/proc/sys/vm/percpu_pagelist_high_fraction";
	size_t i, size = GIVE_BACK_PAGES * getpagesize();
	char *pages = mmap(NULL, size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (pages == MAP_FAILED)
		fail(run, "pages to give back");
	write_to(run, limit, "1000000");
	for (i = 0; i < size; i += getpagesize())
		madvise(pages + i, getpagesize(), MADV_DONTNEED);
	munmap(pages, size);
	write_to(run, limit, "0");
}

/*
 * What there is when all is given back. Sockets that were closed are freed much
 * later, by RCU and by those who do so with files, and the kernel takes some pages
 * now and then: the most of several looks.
 */
static long settled_kb(struct run *run)
{
	long most = 0, kb;
	int i;

	for (i = 0; i < LOOKS; i++) {
		forget_caches(run);
		give_back_pages(run);
		poll(NULL, 0, LOOK_MS);
		kb = available_kb();
		if (kb > most)
			most = kb;
	}
	return most;
}

static void watch(struct run *run, int epoll, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		fail(run, "epoll_ctl");
}

static void serve_rounds(struct run *run, int epoll, unsigned int rounds)
{
	struct epoll_event events[64];
	size_t size = run->w->bytes;
	int n, i;

	while (rounds) {
		n = epoll_wait(epoll, events, 64, -1);
		for (i = 0; i < n; i++, rounds--) {
			recv_all(run, events[i].data.fd, run->got, size);
			send_all(run, events[i].data.fd, run->got, size);
		}
	}
}

static void serve_many(struct run *run)
{
	unsigned int i, total = nr_in_all(run);
	int *fds = calloc(total, sizeof(*fds));
	int listener, epoll;

	prepare_memory(run, 0, run->w->bytes);
	make_room(run);
	listener = listen_here(run, 2 * STEP);
	for (i = 0; i < total; i++) {
		fds[i] = accept_one(run, listener);
		if (i % STEP == STEP - 1)
			tell(run);
	}
	tell(run);
	await(run);
	epoll = epoll_create1(0);
	for (i = 0; i < total; i++)
		watch(run, epoll, fds[i]);
	tell(run);
	serve_rounds(run, epoll, run->warm + (SAMPLES + 1) * run->n);
	await(run);
}

/* Return: the active one, opened in the middle. */
static int open_many(struct run *run)
{
	unsigned int i, total = nr_in_all(run);
	int active = -1, fd;
	long before = 0;

	make_room(run);
	await(run);
	for (i = 0; i < total; i++) {
		if (i && i == nr_before(run))
			before = settled_kb(run);
		fd = connect_there(run);
		if (i == total / 2)
			active = fd;
		if (i % STEP == STEP - 1)
			await(run);
	}
	await(run);
	run->s->kb = before ? before - settled_kb(run) : 0;
	tell(run);
	await(run);
	return active;
}

static void ask_once(struct run *run, int fd, unsigned int i)
{
	size_t size = run->w->bytes;

	send_all(run, fd, run->sent + i * size, size);
	recv_all(run, fd, run->got + (i + 1) * size, size);
}

static void ask_one(struct run *run)
{
	size_t size = run->w->bytes;
	unsigned int i, s;
	int fd;

	prepare_memory(run, run->n * size, (run->n + 1) * size);
	fd = open_many(run);
	for (i = 0; i < run->warm; i++)
		ask_once(run, fd, i);
	for (s = 0; s <= SAMPLES; s++) {
		if (s == SAMPLES)
			count_from_here(run);
		mark_start(run);
		for (i = 0; i < run->n; i++)
			ask_once(run, fd, i);
		mark_end(run);
		verify(run, run->got + size, run->sent, run->n * size);
	}
	tell(run);
}

#define EPOLL(text, beside) {							\
	.name = "epoll-" text, .kinds = STREAM | SEQ,				\
	.roads = 1u << LOCAL | 1u << VETH, .hurry = true, .defaults = true,	\
	.bytes = 64, .n = 400, .idle = beside, .warm_share = 2, .once = true,	\
	.metric = "cost per round", .unit = "/round", .divisor = 1,		\
	.passive = serve_many, .active = ask_one }

const struct work idle_works[] = {
	EPOLL("1", 1),
	EPOLL("10", 10),
	EPOLL("100", 100),
	EPOLL("10000", 10000),
	{ NULL }
};
