// SPDX-License-Identifier: GPL-2.0
/*
 * Counts the frames of one Ethertype that a device carries, as a packet socket
 * sees them: a super-packet is one. While it runs, every skb of the device is
 * cloned.
 *
 *	sniff DEV		prints "ready", and on SIGTERM or SIGINT
 *				"frames N largest BYTES"
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define ETHERTYPE_WEFT	0x88b5
#define FRAME_BYTES	65536

static volatile sig_atomic_t ended;

static void end(int sig)
{
	(void)sig;
	ended = 1;
}

static int packet_socket(const char *dev)
{
	struct sockaddr_ll sll = {
		.sll_family = AF_PACKET,
		/* ETH_P_ALL: what leaves is seen too */
		.sll_protocol = htons(0x0003),
		.sll_ifindex = if_nametoindex(dev),
	};
	int fd = socket(AF_PACKET, SOCK_RAW, htons(0x0003));

	if (fd < 0 || !sll.sll_ifindex)
		err(1, "%s", dev);
	if (bind(fd, (void *)&sll, sizeof(sll)))
		err(1, "bind to %s", dev);
	return fd;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = end };
	static unsigned char frame[FRAME_BYTES];
	unsigned long frames = 0;
	ssize_t n, largest = 0;
	int fd;

	if (argc != 2)
		errx(1, "usage: sniff DEV");
	fd = packet_socket(argv[1]);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	printf("ready\n");
	fflush(stdout);
	while (!ended) {
		n = recv(fd, frame, sizeof(frame), MSG_TRUNC);
		if (n < 14 || frame[12] != ETHERTYPE_WEFT >> 8 ||
		    frame[13] != (ETHERTYPE_WEFT & 0xff))
			continue;
		frames++;
		if (n > largest)
			largest = n;
	}
	printf("frames %lu largest %zd\n", frames, largest);
	return 0;
}
