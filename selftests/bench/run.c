// SPDX-License-Identifier: GPL-2.0
/*
 * One run: two processes, each in its namespace, that meet over pipes and mark what is timed.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

const char *const road_names[ROADS] = { "local", "veth" };

/* A run that takes longer has failed, s. */
#define RUN_TIMEOUT	60

void fail(struct run *run, const char *what)
{
	if (!run->s->why[0])
		snprintf(run->s->why, sizeof(run->s->why), "%s: %s (%s end)", what,
			 errno ? strerror(errno) : "wrong",
			 run->is_active ? "active" : "passive");
	_exit(1);
}

/* Meeting points: each end tells and awaits the other. */
void tell(struct run *run)
{
	if (write(run->meet[run->is_active][1], "x", 1) != 1)
		fail(run, "telling the other end");
}

void await(struct run *run)
{
	char c;

	errno = 0;
	if (read(run->meet[!run->is_active][0], &c, 1) != 1)
		fail(run, "waiting for the other end");
}

/* A file in BENCH_OUT, through which tools/bench-profile on the host is told. */
static void leave_note(struct run *run, const char *name, const char *text)
{
	char path[512], final[512];
	int fd, len = strlen(text);

	snprintf(path, sizeof(path), "%s/profile.%s.new", getenv("BENCH_OUT"), name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (fd < 0 || write(fd, text, len) != len || close(fd) < 0)
		fail(run, "writing a note");
	snprintf(final, sizeof(final), "%s/profile.%s", getenv("BENCH_OUT"), name);
	if (rename(path, final) < 0)
		fail(run, "writing a note");
}

static void await_profiler(struct run *run)
{
	char path[512], row[128];

	snprintf(row, sizeof(row), "%s-%s-%s\n", run->w->name, run->f->name,
		 road_names[run->road]);
	leave_note(run, "start", row);
	snprintf(path, sizeof(path), "%s/profile.go", getenv("BENCH_OUT"));
	while (access(path, F_OK) < 0)
		poll(NULL, 0, 100);
	unlink(path);
}

static void end_profile(struct run *run)
{
	char ops[16];

	snprintf(ops, sizeof(ops), "%u\n", run->n);
	leave_note(run, "end", ops);
}

void mark_start(struct run *run)
{
	if (run->profiling)
		await_profiler(run);
	if (run->counting)
		counters_start();
	run->s->from = now();
}

void mark_end(struct run *run)
{
	unsigned long long end = now();

	if (run->counting) {
		counters_stop();
		counters_read(run->s->count);
		run->s->counted = true;
		return;
	}
	if (run->profiling)
		end_profile(run);
	if (run->s->samples < SAMPLES_MAX)
		run->s->sample[run->s->samples++] = end - run->s->from;
}

/* The next sample of a run that takes its own is counted, where it begins and ends in one process. */
void count_from_here(struct run *run)
{
	if (!run->profiling && counters_open())
		run->counting = true;
}

/* Memory that all processes of a run see. */
void *share_memory(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		perror("bench: mmap");
		exit(2);
	}
	return p;
}

/* Nothing that is timed may be the first to touch its memory. */
void prepare_memory(struct run *run, size_t sent, size_t got)
{
	if (sent > ARENA_BYTES || got > ARENA_BYTES) {
		errno = E2BIG;
		fail(run, "memory of a run");
	}
	if ((sent && madvise(run->sent, sent, MADV_POPULATE_WRITE) < 0) ||
	    (got && madvise(run->got, got, MADV_POPULATE_WRITE) < 0))
		fail(run, "madvise");
}

void verify(struct run *run, const unsigned char *got, const unsigned char *sent, size_t bytes)
{
	errno = 0;
	if (memcmp(got, sent, bytes) != 0)
		fail(run, "comparing what came with what was sent");
	run->s->verified += bytes;
}

void send_all(struct run *run, int fd, const unsigned char *from, size_t bytes)
{
	ssize_t n;

	while (bytes) {
		n = send(fd, from, bytes, MSG_NOSIGNAL);
		if (n <= 0)
			fail(run, "send");
		from += n;
		bytes -= n;
	}
}

void recv_all(struct run *run, int fd, unsigned char *to, size_t bytes)
{
	ssize_t n;

	while (bytes) {
		errno = 0;
		n = recv(fd, to, bytes, 0);
		if (n <= 0)
			fail(run, "recv");
		to += n;
		bytes -= n;
	}
}

/* The peer has closed, and nothing came before that; TIPC says so with ECONNRESET. */
void await_end(struct run *run, int fd)
{
	ssize_t n;
	char c;

	errno = 0;
	n = recv(fd, &c, 1, 0);
	if (n != 0 && !(n < 0 && errno == ECONNRESET && run->f->domain == AF_TIPC))
		fail(run, "waiting for the end");
}

int listen_here(struct run *run, int backlog)
{
	int fd = make_socket(run);

	name_socket(run, fd, false);
	if (listen(fd, backlog) < 0)
		fail(run, "listen");
	tell(run);
	return fd;
}

static void seal_socket(struct run *run, int fd)
{
	if (run->f->seal && run->f->seal(fd) < 0)
		fail(run, "sealing a connection");
}

int accept_one(struct run *run, int listener)
{
	int fd = accept(listener, NULL, NULL);

	if (fd < 0)
		fail(run, "accept");
	tune_socket(run, fd);
	seal_socket(run, fd);
	return fd;
}

/* The address is made once: no row is to measure how text becomes one. */
int connect_there(struct run *run)
{
	int fd = make_socket(run);
	static struct address a;

	if (!a.len)
		fill_address(run, &a, false);
	if (connect(fd, (struct sockaddr *)&a.to, a.len) < 0)
		fail(run, "connect");
	seal_socket(run, fd);
	return fd;
}

/* The two sockets of a family without connections: each is bound and knows the other. */
static int meet_unconnected(struct run *run)
{
	int fd = make_socket(run);
	struct address a;

	name_socket(run, fd, run->is_active);
	tell(run);
	await(run);
	fill_address(run, &a, !run->is_active);
	if (connect(fd, (struct sockaddr *)&a.to, a.len) < 0)
		fail(run, "connect");
	tell(run);
	await(run);
	return fd;
}

/* Return: each end's socket of one pair. */
int meet(struct run *run)
{
	if (run->f->kind == DGRAM)
		return meet_unconnected(run);
	if (!run->is_active)
		return accept_one(run, listen_here(run, 1));
	await(run);
	return connect_there(run);
}

static void enter_namespace(struct run *run)
{
	const char *name = getenv(run->is_active ? "WEFT_NS_A" : "WEFT_NS_B");
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", name ? name : "");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
		fail(run, "entering the namespace");
	close(fd);
}

static pid_t start_end(struct run *run, bool active)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	run->is_active = active;
	/* The other end's death must be an end of file. */
	close(run->meet[active][0]);
	close(run->meet[!active][1]);
	alarm(RUN_TIMEOUT);
	enter_namespace(run);
	if (active)
		run->w->active(run);
	else
		run->w->passive(run);
	_exit(0);
}

static void close_meeting(struct run *run)
{
	int i;

	for (i = 0; i < 4; i++)
		close(run->meet[i / 2][i % 2]);
}

/* Return: whether both ends did all they should; else run->s->why says what failed. */
bool run_once(struct run *run)
{
	int status, bad = 0, i;
	pid_t pid[2], dead;

	memset(run->s, 0, sizeof(*run->s));
	if (pipe(run->meet[0]) < 0 || pipe(run->meet[1]) < 0)
		exit(2);
	for (i = 0; i < 2; i++)
		pid[i] = start_end(run, i);
	close_meeting(run);
	for (i = 0; i < 2; i++) {
		dead = wait(&status);
		if (status == 0)
			continue;
		bad++;
		if (WIFSIGNALED(status) && !run->s->why[0])
			snprintf(run->s->why, sizeof(run->s->why), "the %s end got signal %d",
				 dead == pid[1] ? "active" : "passive", WTERMSIG(status));
		kill(dead == pid[0] ? pid[1] : pid[0], SIGKILL);
	}
	return !bad && (run->s->samples || run->s->counted);
}
