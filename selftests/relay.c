// SPDX-License-Identifier: GPL-2.0
/*
 * Two taps in two namespaces and a wire between them: what the kernel sends on one arrives on the
 * other. A tap takes no offloads, so every frame here has its final size and sum.
 *
 *   relay NS_A DEV_A NS_B DEV_B [pad=BYTES] [fill=BYTE] [stats=FILE]
 *
 * Frames shorter than pad (60) are filled up with the byte fill (0xA5), as cards pad. Prints
 * "ready" once the devices are there. SIGUSR1 and the end (SIGTERM) write counters to FILE, a
 * `name value` a line. hop.c is its sister that spoils frames.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_ether.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static struct {
	unsigned int pad;
	unsigned int fill;
	const char *stats;
} options = { .pad = ETH_ZLEN, .fill = 0xA5 };

static struct {
	unsigned long frames;
	unsigned long bytes;
	unsigned long largest;
	unsigned long padded;
} counts;

static volatile sig_atomic_t wanted_stats;
static volatile sig_atomic_t wanted_end;

static void on_signal(int sig)
{
	wanted_stats = 1;
	if (sig != SIGUSR1)
		wanted_end = 1;
}

static void write_stats(void)
{
	FILE *f = options.stats ? fopen(options.stats, "w") : NULL;

	wanted_stats = 0;
	if (!f)
		return;
	fprintf(f, "frames %lu\nbytes %lu\nlargest %lu\npadded %lu\n",
		counts.frames, counts.bytes, counts.largest, counts.padded);
	fclose(f);
}

static void fail(const char *what, const char *which)
{
	fprintf(stderr, "relay: %s %s: %s\n", what, which, strerror(errno));
	exit(1);
}

static int make_tap(const char *ns, const char *name)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", ns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
		fail("cannot enter namespace", ns);
	close(fd);
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		fail("cannot open", "/dev/net/tun");
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &ifr) < 0)
		fail("cannot make tap", name);
	return fd;
}

static size_t pad(unsigned char *frame, size_t len)
{
	if (len >= options.pad)
		return len;
	memset(frame + len, options.fill, options.pad - len);
	counts.padded++;
	return options.pad;
}

static void carry(int from, int to)
{
	static unsigned char frame[70000];
	ssize_t len = read(from, frame, sizeof(frame) - 256);

	if (len <= 0)
		return;
	counts.frames++;
	counts.bytes += len;
	if ((unsigned long)len > counts.largest)
		counts.largest = len;
	len = pad(frame, len);
	/* A device that is down refuses; so does a cut wire. */
	if (write(to, frame, len) < 0 && errno != EIO)
		fail("cannot write to", "tap");
}

static void parse(const char *arg)
{
	if (!strncmp(arg, "pad=", 4))
		options.pad = strtoul(arg + 4, NULL, 0) % 257;
	else if (!strncmp(arg, "fill=", 5))
		options.fill = strtoul(arg + 5, NULL, 0);
	else if (!strncmp(arg, "stats=", 6))
		options.stats = arg + 6;
	else
		fail("unknown argument", arg);
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct pollfd ends[2];
	int i;

	if (argc < 5) {
		fprintf(stderr, "usage: relay NS_A DEV_A NS_B DEV_B [pad=] [fill=] [stats=]\n");
		return 2;
	}
	for (i = 5; i < argc; i++)
		parse(argv[i]);
	sigaction(SIGUSR1, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	ends[0] = (struct pollfd){ .fd = make_tap(argv[1], argv[2]), .events = POLLIN };
	ends[1] = (struct pollfd){ .fd = make_tap(argv[3], argv[4]), .events = POLLIN };
	puts("ready");
	fflush(stdout);
	while (!wanted_end) {
		if (wanted_stats)
			write_stats();
		if (poll(ends, 2, 500) <= 0)
			continue;
		for (i = 0; i < 2; i++)
			if (ends[i].revents & POLLIN)
				carry(ends[i].fd, ends[!i].fd);
	}
	write_stats();
	return 0;
}
