/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a device carries. Until a second after the first payload every frame is
 * looked at: how large, how much of it is payload, and whether it was sent after
 * one that came before it. From then on only frames that are too large are seen,
 * which costs nothing while there are none.
 */
#ifndef WEFT_NETBENCH_WATCH_H
#define WEFT_NETBENCH_WATCH_H

#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>

#include "ends.h"

#define ETHERTYPE_WEFT	0x88b5
#define FRAME_LARGEST	(1500 + ETH_HLEN)
#define KIND_DATA	4

/**
 * struct watch - a device that is looked at
 * @every: socket that sees every frame, closed after a while
 * @large: socket that sees what is too large
 * @frames: seen
 * @data: of them frames with stream bytes
 * @late: of them sent before one that was seen before
 * @oversize: larger than the MTU
 * @payload: of the largest frame with stream bytes
 * @until_ms: when @every is closed, since the start; 0 while no payload came
 * @order: of the latest sent of the frames seen
 * @name: for the report
 */
struct watch {
	int every;
	int large;
	unsigned long frames;
	unsigned long data;
	unsigned long late;
	unsigned long oversize;
	unsigned int payload;
	long long until_ms;
	uint64_t order;
	const char *name;
};

static inline int watch_socket(int ns, const char *dev)
{
	struct sockaddr_ll sll = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
	};
	int fd, most = 4 << 20;

	ns_enter(ns);
	sll.sll_ifindex = if_nametoindex(dev);
	/* Nothing is seen before bind(). */
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || !sll.sll_ifindex)
		err(1, "watching %s", dev);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &most, sizeof(most));
	if (bind(fd, (void *)&sll, sizeof(sll)))
		err(1, "watching %s", dev);
	ns_enter(ends.home);
	return fd;
}

/* NAMESPACE,DEVICE */
static inline void watch_start(struct watch *w, char *text)
{
	struct sock_filter too_large[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, FRAME_LARGEST, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, ETH_HLEN),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	const struct sock_fprog program = { 4, too_large };
	char *dev = strchr(text, ',');
	int ns;

	if (!dev)
		errx(2, "not NAMESPACE,DEVICE: %s", text);
	*dev++ = 0;
	memset(w, 0, sizeof(*w));
	w->name = dev;
	ns = ns_open(text);
	w->every = watch_socket(ns, dev);
	w->large = watch_socket(ns, dev);
	if (setsockopt(w->large, SOL_SOCKET, SO_ATTACH_FILTER, &program,
		       sizeof(program)))
		err(1, "filter");
	close(ns);
}

static inline uint64_t big_endian(const unsigned char *at, int bytes)
{
	uint64_t value = 0;

	while (bytes--)
		value = value << 8 | *at++;
	return value;
}

/* In which order frames were sent: packet numbers of weft, TCP's timestamps. */
static inline void watch_weft(struct watch *w, const unsigned char *p)
{
	uint64_t number = big_endian(p + 16, 8);

	if ((p[0] & 0x0f) != KIND_DATA)
		return;
	w->data++;
	w->late += number < w->order;
	if (number > w->order)
		w->order = number;
	if (big_endian(p + 4, 2) > w->payload)
		w->payload = big_endian(p + 4, 2);
}

static inline void watch_tcp(struct watch *w, const unsigned char *ip)
{
	const unsigned char *tcp = ip + 4 * (ip[0] & 0x0f);
	int payload = big_endian(ip + 2, 2) - (tcp - ip) - 4 * (tcp[12] >> 4);
	uint32_t stamp = big_endian(tcp + 24, 4);

	if (ip[9] != IPPROTO_TCP || payload <= 0)
		return;
	if (payload > (int)w->payload)
		w->payload = payload;
	/* no-op, no-op, timestamps: as every segment of Linux after the SYN */
	if (big_endian(tcp + 20, 4) != 0x0101080a)
		return;
	w->data++;
	w->late += w->order && (int32_t)(stamp - (uint32_t)w->order) < 0;
	if (!w->order || (int32_t)(stamp - (uint32_t)w->order) > 0)
		w->order = stamp;
}

static inline void watch_every(struct watch *w)
{
	unsigned char frame[FRAME_LARGEST + 2] = "";
	struct sockaddr_ll from;
	socklen_t len = sizeof(from);
	unsigned int type;
	ssize_t got;

	while ((got = recvfrom(w->every, frame, sizeof(frame), 0, (void *)&from,
			       &len)) >= 0) {
		type = big_endian(frame + 12, 2);
		len = sizeof(from);
		if (from.sll_pkttype == PACKET_OUTGOING || got < ETH_HLEN + 54)
			continue;
		w->frames++;
		if (type == ETHERTYPE_WEFT)
			watch_weft(w, frame + ETH_HLEN);
		else if (type == ETH_P_IP)
			watch_tcp(w, frame + ETH_HLEN);
	}
}

static inline void watch_large(struct watch *w)
{
	char frame[ETH_HLEN];

	while (recv(w->large, frame, sizeof(frame), 0) > 0)
		w->oversize++;
}

static inline void watch_less(struct watch *w)
{
	if (w->every >= 0)
		close(w->every);
	w->every = -1;
}

static inline void watch_tell(struct watch *w)
{
	watch_large(w);
	printf("watch_%s frames %lu data %lu late %lu oversize %lu payload %u\n",
	       w->name, w->frames, w->data, w->late, w->oversize, w->payload);
}

#endif /* WEFT_NETBENCH_WATCH_H */
