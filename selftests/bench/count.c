// SPDX-License-Identifier: GPL-2.0
/*
 * The clock, and counters of what the kernel did.
 *
 * Under `qemu -icount shift=1` the time-stamp counter advances by the instructions that ran, and
 * BENCH_ICOUNT is set: time is told in instructions. How many ticks an instruction has is not
 * believed but measured, with a loop of known length. Otherwise time is told in nanoseconds.
 *
 * The counters are tracepoints counted on every CPU. They cost time, so they run in a run of
 * their own, whose time is thrown away.
 */
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define LOOPS	2000000u

bool is_icount;
static double ticks_per_instruction;

static unsigned long long read_tsc(void)
{
#ifdef __x86_64__
	return __builtin_ia32_rdtsc();
#else
	return 0;
#endif
}

unsigned long long now(void)
{
	struct timespec t;

	if (is_icount)
		return read_tsc();
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* Two instructions a turn; the shortest of several, as a tick of the kernel may fall into one. */
static double ticks_of_loop(void)
{
	unsigned long long best = ~0ull, from, ticks;
	unsigned long turns;
	int i;

	for (i = 0; i < 5; i++) {
		turns = LOOPS;
		from = read_tsc();
#ifdef __x86_64__
		asm volatile("1: dec %0; jnz 1b" : "+r"(turns) : : "cc");
#endif
		ticks = read_tsc() - from;
		if (ticks < best)
			best = ticks;
	}
	return (double)best / (2.0 * LOOPS);
}

void clock_init(void)
{
	is_icount = getenv("BENCH_ICOUNT") != NULL;
	if (!is_icount)
		return;
	ticks_per_instruction = ticks_of_loop();
	fprintf(stderr, "bench: %.4f ticks of the clock are one instruction\n",
		ticks_per_instruction);
}

double ticks_to_unit(double ticks)
{
	return is_icount ? ticks / ticks_per_instruction : ticks;
}

const char *unit_of_time(void)
{
	return is_icount ? "instructions" : "ns";
}

const char *const counter_names[COUNTERS] = { "skbs", "pages", "objects", "switches" };

static int counter_fd[COUNTERS] = { -1, -1, -1, -1 };
static const char *const events[COUNTERS] = {
	[SKBS] = "kmem/kmem_cache_alloc",
	[PAGES] = "kmem/mm_page_alloc",
	[OBJECTS] = "kmem/kmalloc",
	[SWITCHES] = "sched/sched_switch",
};

/* A number in a file of one, or -1. */
static long read_number(const char *path)
{
	char text[32] = "";
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		return -1;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = 0;
	close(fd);
	return atol(text);
}

/* The event tells the size of an object, and no other cache has an sk_buff's. */
static void count_skbs_alone(int fd)
{
	char filter[128];

	snprintf(filter, sizeof(filter), "bytes_req == %ld || bytes_req == %ld",
		 read_number("/sys/kernel/slab/skbuff_head_cache/object_size"),
		 read_number("/sys/kernel/slab/skbuff_fclone_cache/object_size"));
	ioctl(fd, PERF_EVENT_IOC_SET_FILTER, filter);
}

static int open_counter(int i, int leader)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT, .size = sizeof(attr), .disabled = leader < 0,
	};
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/tracing/events/%s/id", events[i]);
	attr.config = read_number(path);
	fd = syscall(SYS_perf_event_open, &attr, -1, 0, leader, 0);
	if (fd >= 0 && i == SKBS)
		count_skbs_alone(fd);
	return fd;
}

bool counters_open(void)
{
	int i;

	for (i = 0; i < COUNTERS; i++) {
		counter_fd[i] = open_counter(i, i ? counter_fd[0] : -1);
		if (counter_fd[i] < 0)
			return false;
	}
	return true;
}

void counters_start(void)
{
	ioctl(counter_fd[0], PERF_EVENT_IOC_ENABLE, PERF_IOC_FLAG_GROUP);
}

void counters_stop(void)
{
	ioctl(counter_fd[0], PERF_EVENT_IOC_DISABLE, PERF_IOC_FLAG_GROUP);
}

void counters_read(unsigned long long *values)
{
	int i;

	for (i = 0; i < COUNTERS; i++)
		if (read(counter_fd[i], &values[i], sizeof(values[i])) != sizeof(values[i]))
			values[i] = 0;
}

void counters_close(void)
{
	int i;

	for (i = COUNTERS - 1; i >= 0; i--) {
		if (counter_fd[i] >= 0)
			close(counter_fd[i]);
		counter_fd[i] = -1;
	}
}

long available_kb(void)
{
	char line[128];
	long kb = 0;
	FILE *f = fopen("/proc/meminfo", "r");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %ld kB", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb;
}
