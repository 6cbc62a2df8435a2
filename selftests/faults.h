/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Faults on demand, for kernel A: the kernel's own in a task that has asked for
 * the nth, and those of the module (module/fault.h) by chance.
 */
#ifndef WEFT_FAULTS_H
#define WEFT_FAULTS_H

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEBUGFS		"/tmp/weft-debugfs"
/* Where modules are, on x86 without a random base. */
#define MODULES_START	"0xffffffffa0000000"
#define MODULES_END	"0xffffffffff000000"
/* No call has so many places. */
#define MOST_FAULTS	2000

static const char * const injectors[] = {
	"failslab", "fail_page_alloc", "fail_usercopy",
};

static inline int set_debug(const char *dir, const char *name,
			    const char *value)
{
	char path[128];
	int fd, n;

	snprintf(path, sizeof(path), DEBUGFS "/%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_TRUNC);
	n = fd < 0 ? -1 : write(fd, value, strlen(value));
	close(fd);
	return n < 0 ? -1 : 0;
}

static inline long get_debug(const char *dir, const char *name)
{
	char path[128], text[32] = "";
	int fd;

	snprintf(path, sizeof(path), DEBUGFS "/%s/%s", dir, name);
	fd = open(path, O_RDONLY);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		text[0] = 0;
	close(fd);
	return strtol(text, NULL, 10);
}

static inline int set_injectors(const char *name, const char *value)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(injectors); i++)
		err |= set_debug(injectors[i], name, value);
	return err;
}

/* /sys is a new mount in the namespace that we run in. */
static inline int mount_debug(void)
{
	mkdir(DEBUGFS, 0700);
	umount(DEBUGFS);
	return mount("debugfs", DEBUGFS, "debugfs", 0, NULL);
}

static inline int prepare_injection(void)
{
	int err = 0;

	if (mount_debug())
		return -1;
	err |= set_injectors("verbose", "0");
	err |= set_injectors("stacktrace-depth", "32");
	err |= set_injectors("require-start", MODULES_START);
	err |= set_injectors("require-end", MODULES_END);
	err |= set_injectors("reject-start", "0");
	err |= set_injectors("reject-end", "0");
	err |= set_debug("failslab", "ignore-gfp-wait", "N");
	err |= set_debug("fail_page_alloc", "ignore-gfp-wait", "N");
	err |= set_debug("fail_page_alloc", "min-order", "0");
	return err;
}

static inline int open_nth(void)
{
	return open("/proc/thread-self/fail-nth", O_RDWR);
}

static inline int arm(unsigned int nth)
{
	int fd = open_nth(), n;

	n = fd < 0 ? -1 : dprintf(fd, "%u", nth);
	close(fd);
	return n < 0 ? -1 : 0;
}

/* Return: whether it had come to the fault. */
static inline bool disarm(void)
{
	int error = errno, fd = open_nth();
	char text[16] = "";

	if (fd < 0 || pread(fd, text, sizeof(text) - 1, 0) < 1 ||
	    pwrite(fd, "0", 1, 0) != 1) {
		perror("fail-nth");
		exit(1);
	}
	close(fd);
	errno = error;
	return atoi(text) == 0;
}

static inline bool is_clean(int error)
{
	return error == ENOMEM || error == ENOBUFS || error == EFAULT ||
	       error == EAGAIN;
}

static inline int rounds(void)
{
	const char *text = getenv("WEFT_FAULT_ROUNDS");

	return text ? atoi(text) : 1;
}

/* --- the points of the module --- */

static inline long points_left(const char *name)
{
	char dir[64];

	snprintf(dir, sizeof(dir), "weft/%s", name);
	return get_debug(dir, "times");
}

static inline int set_point(const char *name, const char *what,
			    const char *value)
{
	char dir[64];

	snprintf(dir, sizeof(dir), "weft/%s", name);
	return set_debug(dir, what, value);
}

/*
 * No fault below a function of the kernel. Return: 0, or -1: there is no such
 * function.
 */
static inline int spare_function(const char *name)
{
	unsigned long start = 0, end = ULONG_MAX, at;
	char line[256], text[32], symbol[128];
	FILE *file = fopen("/proc/kallsyms", "r");
	int err;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "%lx %*c %127s", &at, symbol) == 2 &&
		    !strcmp(symbol, name))
			start = at;
	if (file)
		rewind(file);
	while (start && fgets(line, sizeof(line), file))
		if (sscanf(line, "%lx", &at) == 1 && at > start && at < end)
			end = at;
	if (file)
		fclose(file);
	if (!start)
		return -1;
	snprintf(text, sizeof(text), "0x%lx", start);
	err = set_injectors("reject-start", text);
	snprintf(text, sizeof(text), "0x%lx", end);
	return err | set_injectors("reject-end", text);
}

#endif /* WEFT_FAULTS_H */
