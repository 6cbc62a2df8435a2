/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Waiting for conditions, never for time: every wait ends with the condition,
 * and has a deadline that only a failure meets. Deadlines are generous because
 * an emulated machine is slow.
 */
#ifndef WEFT_WAITING_H
#define WEFT_WAITING_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define DEADLINE_MS	10000

/* Errno of a call, 0 when it succeeded. */
#define ERR(call) ({ errno = 0; (call) < 0 ? errno : 0; })

static inline long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

/* Return: what poll says of @fd at this moment. */
static inline int events_now(int fd, short events)
{
	struct pollfd pfd = { .fd = fd, .events = events };

	return poll(&pfd, 1, 0) < 0 ? -1 : pfd.revents;
}

/* Return: revents once there are any, 0 at the deadline. */
static inline int wait_events(int fd, short events)
{
	struct pollfd pfd = { .fd = fd, .events = events };

	return poll(&pfd, 1, DEADLINE_MS) < 0 ? -1 : pfd.revents;
}

/* Return: whether poll came to report all of @wanted. */
static inline bool wait_all_events(int fd, short wanted)
{
	long long end = now_ms() + DEADLINE_MS;

	while ((events_now(fd, wanted) & wanted) != wanted) {
		if (now_ms() > end)
			return false;
		poll(NULL, 0, 1);
	}
	return true;
}

/* Return: whether @cond came true. For conditions that no fd announces. */
static inline bool eventually(bool (*cond)(void *arg), void *arg)
{
	long long end = now_ms() + DEADLINE_MS;

	while (!cond(arg)) {
		if (now_ms() > end)
			return false;
		poll(NULL, 0, 1);
	}
	return true;
}

/* The calling thread stays on this processor. */
static inline int run_on(int cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	return sched_setaffinity(0, sizeof(one), &one);
}

/**
 * struct task - a call that blocks, made by a second thread
 * @fn: the call
 * @arg: for it
 * @result: what it returned
 * @error: errno it left
 */
struct task {
	long (*fn)(void *arg);
	void *arg;
	long result;
	int error;
	pthread_t thread;
	volatile pid_t tid;
};

static void *task_main(void *arg)
{
	struct task *task = arg;

	task->tid = syscall(SYS_gettid);
	errno = 0;
	task->result = task->fn(task->arg);
	task->error = errno;
	return NULL;
}

static inline int task_start(struct task *task, long (*fn)(void *), void *arg)
{
	memset(task, 0, sizeof(*task));
	task->fn = fn;
	task->arg = arg;
	return pthread_create(&task->thread, NULL, task_main, task);
}

/* A thread that sleeps has a syscall's number here, else "running". */
static inline bool task_is_asleep(void *arg)
{
	const struct task *task = arg;
	char path[64], text[16] = "";
	int fd;

	if (!task->tid)
		return false;
	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", task->tid);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return false;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = 0;
	close(fd);
	if (text[0] < '0' || text[0] > '9')
		return false;
	switch (atoi(text)) {
	case SYS_futex:
	case SYS_mmap:		/* its first malloc(), on a busy machine */
	case SYS_munmap:
	case SYS_mprotect:
		return false;
	}
	return true;
}

static inline bool task_wait_asleep(struct task *task)
{
	return eventually(task_is_asleep, task);
}

/* Return: whether the call returned within @ms. */
static inline bool task_join_within(struct task *task, int ms)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += ms / 1000;
	end.tv_nsec += ms % 1000 * 1000000L;
	if (end.tv_nsec >= 1000000000L) {
		end.tv_nsec -= 1000000000L;
		end.tv_sec++;
	}
	return !pthread_timedjoin_np(task->thread, NULL, &end);
}

/* Return: whether the call returned. */
static inline bool task_join(struct task *task)
{
	return task_join_within(task, 2 * DEADLINE_MS);
}

static inline void no_action(int sig)
{
	(void)sig;
}

/*
 * A signal ends the call once it sleeps; another does, when it was just then
 * awake. Return: whether the call returned.
 */
static inline bool task_interrupt(struct task *task)
{
	struct sigaction action = { .sa_handler = no_action };
	long long end = now_ms() + DEADLINE_MS;

	if (sigaction(SIGUSR1, &action, NULL) || !task_wait_asleep(task))
		return false;
	do {
		pthread_kill(task->thread, SIGUSR1);
		if (task_join_within(task, 200))
			return true;
	} while (now_ms() < end);
	return false;
}

#endif /* WEFT_WAITING_H */
