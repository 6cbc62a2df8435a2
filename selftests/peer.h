/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A scripted node: it speaks weft through a packet socket on a device whose
 * kernel does not use it (net.weft.devices=none), byte by byte as
 * Documentation/protocol.rst draws it, and so can also say what no node would.
 *
 * It is written from the drawings and shares no code with the module.
 */
#ifndef WEFT_PEER_H
#define WEFT_PEER_H

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "road.h"

#define ETHERTYPE_WEFT	0x88b5

enum { WHO, HERE, OPEN, OPENED, DATA, ACK, CLOSE, CLOSED, RESET, PROBE, DGRAM,
       BADSESSION, KINDS };

#define F_OPENER	0x01
#define F_INTRO		0x10

#define ETH_BYTES	14
#define START_BYTES	24
#define HELLO_BYTES	48
#define FLOW_BYTES	40
#define OPEN_BYTES	16
#define END_BYTES	16
#define DGRAM_BYTES	16
#define BAD_BYTES	8

/* Places in a frame. */
#define AT_VERSION_KIND	14
#define AT_HLEN		15
#define AT_CHECK	16
#define AT_PLEN		18
#define AT_FLAGS	21
#define AT_SESSION	22
#define AT_PARTS	38

struct frame {
	unsigned char bytes[2048];
	size_t len;
	size_t header_end;
};

/**
 * struct peer - the scripted node and the node it speaks to
 * @fd: packet socket
 * @mac: of our device
 * @their_mac: where frames go
 * @addr: our node address
 * @their_addr: the node's
 * @session: our id of the session
 * @their_session: theirs, 0 before HERE
 * @version: that our packets are of
 * @version_min: that we offer
 * @version_max: likewise
 * @number: of the next packet
 * @in: what came last
 */
struct peer {
	int fd;
	unsigned char mac[6];
	unsigned char their_mac[6];
	struct in6_addr addr;
	struct in6_addr their_addr;
	uint64_t session;
	uint64_t their_session;
	unsigned char version;
	unsigned char version_min;
	unsigned char version_max;
	uint64_t number;
	struct frame in;
};

static const unsigned char group_mac[6] = { 0x03, 0x77, 0x65, 0x66, 0x74, 0 };

static inline void put(struct frame *f, const void *bytes, size_t len)
{
	memcpy(f->bytes + f->len, bytes, len);
	f->len += len;
}

static inline void put_int(struct frame *f, uint64_t value, int bytes)
{
	while (bytes--)
		f->bytes[f->len++] = value >> (8 * bytes);
}

static inline uint64_t get_int_at(const struct frame *f, size_t at, int bytes)
{
	uint64_t value = 0;

	while (bytes--)
		value = value << 8 | f->bytes[at++];
	return value;
}

static inline unsigned int kind_of(const struct frame *f)
{
	return f->bytes[AT_VERSION_KIND] & 0xf;
}

static inline unsigned int version_of(const struct frame *f)
{
	return f->bytes[AT_VERSION_KIND] >> 4;
}

static inline unsigned int internet_sum(const unsigned char *p, size_t len)
{
	unsigned long sum = 0;
	size_t i;

	for (i = 0; i < len; i++)
		sum += i % 2 ? p[i] : p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* Lengths and check of a frame whose header ends at header_end. */
static inline void seal(struct frame *f)
{
	size_t hlen = f->header_end - ETH_BYTES, plen = f->len - f->header_end;
	unsigned int check;

	f->bytes[AT_HLEN] = hlen;
	f->bytes[AT_PLEN] = plen >> 8;
	f->bytes[AT_PLEN + 1] = plen;
	f->bytes[AT_CHECK] = 0;
	f->bytes[AT_CHECK + 1] = 0;
	check = ~internet_sum(f->bytes + ETH_BYTES, hlen + plen);
	f->bytes[AT_CHECK] = check >> 8;
	f->bytes[AT_CHECK + 1] = check;
}

/* As seal(), the check alone: for frames whose lengths lie. */
static inline void seal_check(struct frame *f)
{
	unsigned int check;

	f->bytes[AT_CHECK] = 0;
	f->bytes[AT_CHECK + 1] = 0;
	check = ~internet_sum(f->bytes + ETH_BYTES, f->len - ETH_BYTES);
	f->bytes[AT_CHECK] = check >> 8;
	f->bytes[AT_CHECK + 1] = check;
}

static inline void begin(struct peer *p, struct frame *f, int kind,
			 unsigned int flags)
{
	memset(f, 0, sizeof(*f));
	put(f, kind == WHO ? group_mac : p->their_mac, 6);
	put(f, p->mac, 6);
	put_int(f, ETHERTYPE_WEFT, 2);
	put_int(f, p->version << 4 | kind, 1);
	put_int(f, 0, 6);		/* lengths, check, path */
	put_int(f, flags, 1);
	put_int(f, kind == WHO ? 0 : p->their_session, 8);
	put_int(f, p->number++, 8);
	f->header_end = f->len;
}

static inline void put_hello(struct peer *p, struct frame *f)
{
	put(f, &p->addr, 16);
	put(f, &p->their_addr, 16);
	put_int(f, p->session, 8);
	put_int(f, p->version_min, 1);
	put_int(f, p->version_max, 1);
	put_int(f, 0, 2);
	put_int(f, 1500, 4);
	f->header_end = f->len;
}

static inline void put_flow(struct frame *f, uint64_t flow, uint64_t offset,
			    uint64_t ack)
{
	put_int(f, flow, 8);
	put_int(f, offset, 8);
	put_int(f, ack, 8);
	put_int(f, 65536, 4);	/* window */
	put_int(f, 1, 4);	/* time */
	put_int(f, 0, 4);	/* echo */
	put_int(f, 0, 4);	/* delay */
	f->header_end = f->len;
}

static inline void put_open(struct frame *f, unsigned int sport,
			    unsigned int dport, unsigned int type)
{
	put_int(f, sport, 2);
	put_int(f, dport, 2);
	put_int(f, type, 1);
	put_int(f, 0, 3);
	put_int(f, 65536, 4);
	put_int(f, 0, 4);
	f->header_end = f->len;
}

static inline void put_end(struct frame *f, uint64_t flow, unsigned int sport,
			   unsigned int dport, unsigned int reason)
{
	put_int(f, flow, 8);
	put_int(f, sport, 2);
	put_int(f, dport, 2);
	put_int(f, reason, 4);
	f->header_end = f->len;
}

/* The piece at @offset of the datagram @id of @total bytes. */
static inline void put_piece(struct frame *f, unsigned int sport,
			     unsigned int dport, unsigned int id,
			     unsigned int offset, unsigned int total)
{
	put_int(f, sport, 2);
	put_int(f, dport, 2);
	put_int(f, id, 4);
	put_int(f, offset, 4);
	put_int(f, total, 4);
	f->header_end = f->len;
}

static inline void put_dgram(struct frame *f, unsigned int sport,
			     unsigned int dport, unsigned int total)
{
	put_piece(f, sport, dport, 0, 0, total);
}

static inline void put_text(struct frame *f, const char *text)
{
	put(f, text, strlen(text));
}

/* The flow that a scripted node opens. */
#define FLOW	1

static inline void build_flow_open(struct peer *peer, struct frame *f,
				   unsigned int port, unsigned int type,
				   const char *text)
{
	begin(peer, f, OPEN, F_OPENER | F_INTRO);
	put_flow(f, FLOW, 0, 0);
	put_open(f, 99, port, type);
	put_hello(peer, f);
	put_text(f, text);
	seal(f);
}

/* And its end. */
static inline void build_flow_reset(struct peer *peer, struct frame *f,
				    unsigned int port)
{
	begin(peer, f, RESET, F_OPENER);
	put_end(f, FLOW, 99, port, 0);
	seal(f);
}

/* Of no flow, with what @peer says of itself. */
static inline void build_introduction(struct peer *peer, struct frame *f,
				      unsigned int flags)
{
	begin(peer, f, PROBE, flags);
	put_flow(f, 0, 0, 0);
	if (flags & F_INTRO)
		put_hello(peer, f);
	seal(f);
}

/* The scripted node does not know the session @id. */
static inline void build_badsession(struct peer *peer, struct frame *f,
				    uint64_t id)
{
	begin(peer, f, BADSESSION, 0);
	put_int(f, id, BAD_BYTES);
	f->header_end = f->len;
	seal(f);
}

/* Bytes behind the packet, as cards pad. */
static inline void pad_to(struct frame *f, size_t len)
{
	while (f->len < len)
		f->bytes[f->len++] = 0xa5;
}

/* Return: 0, or -1 with errno. */
static inline int emit_len(struct peer *p, const struct frame *f, size_t len)
{
	return send(p->fd, f->bytes, len, 0) == (ssize_t)len ? 0 : -1;
}

static inline int emit(struct peer *p, const struct frame *f)
{
	return emit_len(p, f, f->len);
}

/* A frame that came within @ms lands in @in; false: none, or one of our own. */
static inline bool take_frame(struct peer *p, int ms)
{
	struct sockaddr_ll from;
	socklen_t len = sizeof(from);
	ssize_t n;

	if (poll(&(struct pollfd){ p->fd, POLLIN, 0 }, 1, ms) <= 0)
		return false;
	n = recvfrom(p->fd, p->in.bytes, sizeof(p->in.bytes), 0, (void *)&from,
		     &len);
	if (n < ETH_BYTES + START_BYTES || from.sll_pkttype == PACKET_OUTGOING)
		return false;
	p->in.len = n;
	return true;
}

/* The next frame of our session, of any kind, lands in @in: none of another's. */
static inline bool await_any(struct peer *p)
{
	long long end = now_ms() + DEADLINE_MS;

	while (now_ms() < end)
		if (take_frame(p, 100) &&
		    get_int_at(&p->in, AT_SESSION, 8) == p->session)
			return true;
	return false;
}

/* The next frame of a kind that is for us lands in @in. Others are ignored. */
static inline bool await(struct peer *p, unsigned int kind)
{
	long long end = now_ms() + DEADLINE_MS;

	while (now_ms() < end)
		if (take_frame(p, 100) && kind_of(&p->in) == kind)
			return true;
	return false;
}

/* The node's next OPEN in the session that is @session to us. */
static inline bool await_open(struct peer *p, uint64_t session)
{
	do {
		if (!await(p, OPEN))
			return false;
	} while (get_int_at(&p->in, AT_SESSION, 8) != session);
	return true;
}

/* The node's OPEN is answered: its socket @fd is connected. */
static inline bool open_up(struct peer *p, int fd, unsigned int port)
{
	struct frame f;

	if (!await_open(p, p->session))
		return false;
	begin(p, &f, OPENED, 0);
	put_flow(&f, get_int_at(&p->in, AT_PARTS, 8), 0, 0);
	put_open(&f, port, 0, SOCK_STREAM);
	seal(&f);
	return !emit(p, &f) && wait_events(fd, POLLOUT) == POLLOUT &&
	       !get_int(fd, SO_ERROR);
}

/* The node's question for us, and its answer to ours, tell who it is. */
static inline void learn(struct peer *p)
{
	memcpy(p->their_mac, p->in.bytes + 6, 6);
	memcpy(&p->their_addr, p->in.bytes + AT_PARTS, 16);
	p->their_session = get_int_at(&p->in, AT_PARTS + 32, 8);
}

/* Ask the node who it is. */
static inline bool ask(struct peer *p)
{
	struct frame f;

	begin(p, &f, WHO, 0);
	put_hello(p, &f);
	seal(&f);
	if (emit(p, &f) || !await(p, HERE))
		return false;
	learn(p);
	return p->their_session != 0;
}

/* The node's question for us: we know its session, and do not answer. */
static inline bool hear_question(struct peer *p)
{
	do {
		if (!await(p, WHO))
			return false;
	} while (memcmp(p->in.bytes + AT_PARTS + 16, &p->addr, 16));
	learn(p);
	return true;
}

static inline int say_here(struct peer *p)
{
	struct frame f;

	begin(p, &f, HERE, 0);
	put_hello(p, &f);
	seal(&f);
	return emit(p, &f);
}

/* Answer the node's question for us. */
static inline bool answer(struct peer *p)
{
	return hear_question(p) && !say_here(p);
}

static inline int open_packet_socket(struct peer *p, const char *dev)
{
	struct sockaddr_ll sll = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETHERTYPE_WEFT),
		.sll_ifindex = if_nametoindex(dev),
	};
	struct ifreq ifr = { 0 };

	p->fd = socket(AF_PACKET, SOCK_RAW, htons(ETHERTYPE_WEFT));
	snprintf(ifr.ifr_name, IFNAMSIZ, "%s", dev);
	if (p->fd < 0 || ioctl(p->fd, SIOCGIFHWADDR, &ifr))
		return -1;
	memcpy(p->mac, ifr.ifr_hwaddr.sa_data, 6);
	return bind(p->fd, (void *)&sll, sizeof(sll));
}

static inline int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY), n = -1;

	if (fd >= 0)
		n = write(fd, text, strlen(text));
	close(fd);
	return n < 0 ? -1 : 0;
}

/*
 * "0": what @end's sockets send to the other end goes as packets, "1": that is not
 * needed. Return: 0, or -1 where the kernel knows but one.
 */
static inline int set_handover(enum end end, const char *text)
{
	int err = enter_end(end) ?:
		  write_file("/proc/sys/net/weft/handover", text);

	return leave_end(end) ?: err;
}

/* The end's devices are away, and back: it has to ask where others are. */
static inline int lose_devices(enum end end)
{
	int err = enter_end(end) ?:
		  write_file("/proc/sys/net/weft/devices", "none") ?:
		  write_file("/proc/sys/net/weft/devices", "all");

	return leave_end(end) ?: err;
}

/*
 * A node that was never seen, each time another, on A's device, which A's own
 * weft leaves alone. It is to speak to B.
 */
static inline int peer_open(struct peer *p)
{
	static unsigned int nr;
	const char *dev = getenv("WEFT_DEV_A") ?: "a0";
	int err;

	memset(p, 0, sizeof(*p));
	p->version = 1;
	p->version_min = 1;
	p->version_max = 1;
	p->session = 0x7765667400000000ULL + getpid();
	p->session += (uint64_t)nr << 32;
	p->their_addr = road()->node[END_B];
	inet_pton(AF_INET6, "fd77:6566:7400::beef:0:0", &p->addr);
	p->addr.s6_addr32[3] = htonl(getpid());
	p->addr.s6_addr[11] = nr++;
	if (enter_end(END_A))
		return -1;
	err = write_file("/proc/sys/net/weft/devices", "none") ?:
	      open_packet_socket(p, dev);
	return leave_end(END_A) ?: err;
}

/* Counters of B whose names begin with @prefix, summed. -1: there is none. */
static inline long long count_of(const char *prefix)
{
	long long sum = 0, value;
	bool found = false;
	char name[64];
	FILE *file;

	if (enter_end(END_B))
		return -1;
	file = fopen("/proc/net/weft_stat", "r");
	while (file && fscanf(file, "%63s %lld", name, &value) == 2) {
		if (strncmp(name, prefix, strlen(prefix)))
			continue;
		found = true;
		sum += value;
	}
	if (file)
		fclose(file);
	leave_end(END_B);
	return found ? sum : -1;
}

#endif /* WEFT_PEER_H */
