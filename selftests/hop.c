// SPDX-License-Identifier: GPL-2.0
/*
 * The middle hop: two taps and a wire between them that spoils frames. Of some
 * frames it inverts one byte at a random place behind the Ethernet header, and
 * tells whether that was in weft's header or in its payload. Of every frame it
 * verifies length and sum as it comes from the kernel.
 *
 *	hop [-r N] [-s SEED] NS/DEV NS/DEV
 *
 *	-r	spoil N of 10,000 frames (default 0)
 *	-s	of the random numbers (default 1)
 *
 * It makes the devices, prints "ready", and on SIGTERM or SIGINT
 * "frames N largest BYTES badsums N hits_header N hits_payload N hits_padding N".
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "pattern.h"
#include "waiting.h"

#define ETHERTYPE_WEFT	0x88b5
#define ETH_BYTES	14
#define START_BYTES	24
#define FRAME_BYTES	65536

static struct {
	unsigned long frames;
	unsigned long badsums;
	unsigned long hits_header;
	unsigned long hits_payload;
	unsigned long hits_padding;
	ssize_t largest;
} stats;

static struct prng prng = { .seed = 1 };
static unsigned int rate;
static volatile sig_atomic_t ended;

static void end(int sig)
{
	(void)sig;
	ended = 1;
}

static void enter_ns(const char *name, size_t len)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%.*s", (int)len, name);
	fd = open(path, O_RDONLY);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		err(1, "%s", path);
	close(fd);
}

/* Without a virtio header the kernel segments and sums before we read. */
static int open_tap(const char *name)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	const char *dev = strchr(name, '/');
	int fd;

	if (!dev)
		errx(1, "not NS/DEV: %s", name);
	enter_ns(name, dev - name);
	snprintf(ifr.ifr_name, IFNAMSIZ, "%.15s", dev + 1);
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr))
		err(1, "%s", name);
	return fd;
}

/* Sum of 16-bit words, ones' complement; 0xffff over a packet and its check. */
static unsigned int sum_of(const unsigned char *p, size_t len)
{
	unsigned long sum = 0;
	size_t i;

	for (i = 0; i + 1 < len; i += 2)
		sum += p[i] << 8 | p[i + 1];
	if (len % 2)
		sum += p[len - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static bool is_weft(const unsigned char *frame, ssize_t len)
{
	return len >= ETH_BYTES + START_BYTES &&
	       (frame[12] << 8 | frame[13]) == ETHERTYPE_WEFT;
}

static void examine(const unsigned char *frame, ssize_t len)
{
	const unsigned char *start = frame + ETH_BYTES;
	ssize_t packet = start[1] + (start[4] << 8 | start[5]);

	stats.frames++;
	if (len > stats.largest)
		stats.largest = len;
	if (packet > len - ETH_BYTES || sum_of(start, packet) != 0xffff)
		stats.badsums++;
}

static void spoil(unsigned char *frame, ssize_t len)
{
	const unsigned char *start = frame + ETH_BYTES;
	unsigned int hlen = start[1], plen = start[4] << 8 | start[5];
	unsigned int at = prng_below(&prng, len - ETH_BYTES);

	if (at < hlen)
		stats.hits_header++;
	else if (at < hlen + plen)
		stats.hits_payload++;
	else
		stats.hits_padding++;
	frame[ETH_BYTES + at] ^= 0xff;
}

/* One frame across; a tap that is full drops it, as a wire does. */
static void carry(int from, int to)
{
	static unsigned char frame[FRAME_BYTES];
	ssize_t len = read(from, frame, sizeof(frame));

	if (len < 0)
		return;
	if (is_weft(frame, len)) {
		examine(frame, len);
		if (prng_below(&prng, 10000) < rate)
			spoil(frame, len);
	}
	if (write(to, frame, len) < 0 && errno != EAGAIN && errno != EIO &&
	    errno != ENOBUFS)
		err(1, "write");
}

static void parse_options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "r:s:")) != -1) {
		if (c == 'r')
			rate = atoi(optarg);
		else if (c == 's')
			prng.seed = strtoull(optarg, NULL, 0);
		else
			errx(1, "usage: hop [-r N] [-s SEED] NS/DEV NS/DEV");
	}
	if (argc - optind != 2)
		errx(1, "usage: hop [-r N] [-s SEED] NS/DEV NS/DEV");
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = end };
	struct pollfd pfds[2];
	int i;

	parse_options(argc, argv);
	for (i = 0; i < 2; i++)
		pfds[i] = (struct pollfd){ open_tap(argv[optind + i]), POLLIN, 0 };
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	printf("ready\n");
	fflush(stdout);
	while (!ended) {
		if (poll(pfds, 2, -1) < 0)
			continue;
		for (i = 0; i < 2; i++)
			if (pfds[i].revents & POLLIN)
				carry(pfds[i].fd, pfds[!i].fd);
	}
	printf("frames %lu largest %zd badsums %lu hits_header %lu hits_payload %lu hits_padding %lu\n",
	       stats.frames, stats.largest, stats.badsums, stats.hits_header,
	       stats.hits_payload, stats.hits_padding);
	return 0;
}
