// SPDX-License-Identifier: GPL-2.0
/*
 * Every byte of a frame was written on purpose: the same things are said twice
 * between two nodes, with other bytes in the memory that the kernel uses again,
 * and frames of one form have to be the same, but for the fields that are named
 * here and have a cause to be different.
 *
 * weft-roads: veth
 * weft-cflags: -pthread
 */
#include <linux/if_ether.h>

#include "fills.h"
#include "peer.h"
#include "weft_test.h"

#define FRAMES_MAX	512
#define DGRAM_LARGE	5000
#define DIRTY_SKBS	128

/* Of a frame that is sent, and one that came. */
struct seen {
	struct frame frame;
	bool out;
};

struct run {
	struct seen frames[FRAMES_MAX];
	int nr;
};

/* Fields that are different with cause, from the start of their part. */
struct field {
	const char *name;
	int at;
	int len;
};

static const struct field of_start[] = {
	{ "the check is of all of it", AT_CHECK, 2 },
	{ "an id of a session is drawn", AT_SESSION, 8 },
	{ "packets are counted", AT_SESSION + 8, 8 },
	{ NULL }
};

static const struct field of_hello[] = {
	{ "an id of a session is drawn", 32, 8 },
	{ NULL }
};

static const struct field of_flow[] = {
	{ "flows are counted", 0, 8 },
	{ "bytes are counted", 8, 16 },
	{ "the window follows the reader", 24, 4 },
	{ "clocks", 28, 12 },
	{ NULL }
};

static const struct field of_open[] = {
	{ "a client's port is drawn", 0, 4 },
	{ NULL }
};

static const struct field of_end[] = {
	{ "flows are counted", 0, 8 },
	{ "a client's port is drawn", 8, 4 },
	{ NULL }
};

static const struct field of_dgram[] = {
	{ "a client's port is drawn", 0, 4 },
	{ "pieces are numbered", 4, 4 },
	{ NULL }
};

static const struct field of_bad[] = {
	{ "an id of a session is drawn", 0, 8 },
	{ NULL }
};

/* The parts of each kind; an introduction is a hello behind them. */
static const struct part {
	int len;
	const struct field *fields;
} hello = { HELLO_BYTES, of_hello }, parts[KINDS][2] = {
	[WHO]		= { { HELLO_BYTES, of_hello } },
	[HERE]		= { { HELLO_BYTES, of_hello } },
	[OPEN]		= { { FLOW_BYTES, of_flow }, { OPEN_BYTES, of_open } },
	[OPENED]	= { { FLOW_BYTES, of_flow }, { OPEN_BYTES, of_open } },
	[DATA]		= { { FLOW_BYTES, of_flow } },
	[ACK]		= { { FLOW_BYTES, of_flow } },
	[CLOSE]		= { { FLOW_BYTES, of_flow } },
	[CLOSED]	= { { END_BYTES, of_end } },
	[RESET]		= { { END_BYTES, of_end } },
	[PROBE]		= { { FLOW_BYTES, of_flow } },
	[DGRAM]		= { { DGRAM_BYTES, of_dgram } },
	[BADSESSION]	= { { BAD_BYTES, of_bad } },
};

/* --- the two runs --- */

/*
 * Freed memory of every class that a small skb's head is taken from, with @fill
 * in it, is what the kernel takes next: more of it than a conversation needs,
 * since the watcher keeps what it has seen.
 */
static int dirty_heap(int fill)
{
	static const size_t sizes[] = { 192, 320, 640, 1600, 3600 };
	static unsigned char bytes[4096];
	int fds[2], sent;
	size_t i;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds))
		return -1;
	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		memset(bytes, fill, sizeof(bytes));
		for (sent = 0; sent < DIRTY_SKBS; sent++)
			if (send(fds[0], bytes, sizes[i], MSG_DONTWAIT) < 0)
				break;
		if (!sent)
			return -1;
		while (recv(fds[1], bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
			continue;
	}
	close(fds[0]);
	close(fds[1]);
	dirty_stack(fill);
	return 0;
}

/* A packet socket that also sees what leaves. */
static int watch(const char *dev)
{
	struct sockaddr_ll sll = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
	};
	int fd;

	if (enter_end(END_A))
		return -1;
	sll.sll_ifindex = if_nametoindex(dev);
	fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
	set_int(fd, SO_RCVBUFFORCE, 8 << 20);
	if (bind(fd, (void *)&sll, sizeof(sll)))
		fd = -1;
	return leave_end(END_A) ?: fd;
}

/* What was seen and not taken yet. */
static void take_all(int fd, struct run *run)
{
	struct sockaddr_ll from;
	struct seen *seen;
	socklen_t len;
	ssize_t n;

	while (run->nr < FRAMES_MAX) {
		seen = &run->frames[run->nr];
		len = sizeof(from);
		n = recvfrom(fd, seen->frame.bytes, sizeof(seen->frame.bytes),
			     MSG_DONTWAIT | MSG_TRUNC, (void *)&from, &len);
		if (n < 0)
			break;
		if (from.sll_protocol != htons(ETHERTYPE_WEFT) ||
		    n < ETH_BYTES + START_BYTES || n > (ssize_t)sizeof(seen->frame.bytes))
			continue;
		seen->frame.len = n;
		seen->out = from.sll_pkttype == PACKET_OUTGOING;
		run->nr++;
	}
}

/* The sessions end with the devices: the nodes ask for each other again. */
static int forget_sessions(void)
{
	enum end end;
	int err = 0;

	for (end = END_A; end <= END_B && !err; end++) {
		if (enter_end(end))
			return -1;
		err = write_file("/proc/sys/net/weft/devices", "none") ?:
		      write_file("/proc/sys/net/weft/devices", "all");
		err = leave_end(end) ?: err;
	}
	return err;
}

/* One message each way at a time, so that both runs say the same. */
static int speak(int type, int fill)
{
	unsigned char bytes[300];
	struct conn conn;
	int i, fd;

	memset(bytes, 'w', sizeof(bytes));
	if (conn_open(&conn, type, false))
		return -1;
	for (i = 0; i < 6; i++) {
		fd = i % 2 ? conn.far : conn.near;
		dirty_heap(fill);
		if (send(fd, bytes, 100, MSG_NOSIGNAL) != 100 ||
		    drain(i % 2 ? conn.near : conn.far, 100) != 100)
			return -1;
	}
	/* To the end of both ways. */
	shutdown(conn.near, SHUT_WR);
	if (recv_one(conn.far, bytes, 1) != 0)
		return -1;
	close(conn.far);
	if (recv_one(conn.near, bytes, 1) != 0)
		return -1;
	conn_close(&conn);
	return 0;
}

static int send_dgrams(void)
{
	static unsigned char bytes[DGRAM_LARGE];
	struct addr to, nobody;
	int a, b, closed;

	memset(bytes, 'w', sizeof(bytes));
	b = bound_socket(END_B, SOCK_DGRAM, &to);
	closed = bound_socket(END_B, SOCK_DGRAM, &nobody);
	close(closed);
	a = end_socket(END_A, SOCK_DGRAM);
	if (send_to(a, bytes, 100, &to) != 100 || drain(b, 100) != 100 ||
	    send_to(a, bytes, sizeof(bytes), &to) != sizeof(bytes) ||
	    drain(b, sizeof(bytes)) != sizeof(bytes))
		return -1;
	/* A RESET comes back. */
	if (connect_to(a, &nobody) || send(a, bytes, 100, 0) != 100 ||
	    !(wait_events(a, POLLERR) & POLLERR))
		return -1;
	close(a);
	close(b);
	return 0;
}

static bool is_refused(void)
{
	struct addr nobody;
	int lis = listener(END_B, SOCK_STREAM, 1, &nobody);
	int fd = end_socket(END_A, SOCK_STREAM);
	bool refused;

	close(lis);
	refused = ERR(connect_to(fd, &nobody)) == ECONNREFUSED;
	close(fd);
	return refused;
}

static const struct seen *last_of(const struct run *run, unsigned int kind,
				  bool out)
{
	int i;

	for (i = run->nr; i--;)
		if (kind_of(&run->frames[i].frame) == kind &&
		    run->frames[i].out == out)
			return &run->frames[i];
	return NULL;
}

/* Until such a frame was seen. */
static bool await_kind(int fd, struct run *run, unsigned int kind)
{
	long long end = now_ms() + DEADLINE_MS;

	while (now_ms() < end) {
		take_all(fd, run);
		if (last_of(run, kind, true) || last_of(run, kind, false))
			return true;
		poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, 100);
	}
	return false;
}

/* A connection that is asked whether it lives. */
static bool is_probed(int fd, struct run *run)
{
	int one = 1;
	struct conn conn;
	bool probed;

	if (conn_open(&conn, SOCK_STREAM, false) ||
	    setsockopt(conn.near, SOL_WEFT, WEFT_KEEPIDLE, &one, sizeof(one)) ||
	    set_int(conn.near, SO_KEEPALIVE, 1))
		return false;
	probed = await_kind(fd, run, PROBE);
	conn_close(&conn);
	return probed;
}

/* A frame of a session that B never had, otherwise as A sent it. */
static bool is_bad_session(int fd, struct run *run)
{
	const struct seen *data = last_of(run, DATA, true);
	struct frame f;

	if (!data)
		return false;
	f = data->frame;
	f.bytes[AT_SESSION] ^= 0xff;
	seal_check(&f);
	return send(fd, f.bytes, f.len, 0) == (ssize_t)f.len &&
	       await_kind(fd, run, BADSESSION);
}

/* The end of a flow that both have forgotten comes once more. */
static bool is_closed(int fd, struct run *run)
{
	const struct seen *end;

	take_all(fd, run);
	end = last_of(run, CLOSE, true);
	return end && send(fd, end->frame.bytes, end->frame.len, 0) ==
		      (ssize_t)end->frame.len && await_kind(fd, run, CLOSED);
}

/* Return: NULL, or what went wrong. */
static const char *do_run(struct run *run, int fill)
{
	const char *dev = getenv("WEFT_DEV_A") ?: "a0";
	int fd = watch(dev);

	if (fd < 0 || forget_sessions() || dirty_heap(fill))
		return "the beginning";
	if (speak(SOCK_STREAM, fill) || speak(SOCK_SEQPACKET, fill))
		return "a conversation";
	if (dirty_heap(fill) || !is_closed(fd, run))
		return "a late end";
	if (dirty_heap(fill) || send_dgrams())
		return "datagrams";
	if (dirty_heap(fill) || !is_refused())
		return "a refusal";
	if (dirty_heap(fill) || !is_probed(fd, run))
		return "a probe";
	if (dirty_heap(fill) || !is_bad_session(fd, run))
		return "a session that is not known";
	take_all(fd, run);
	close(fd);
	return NULL;
}

/* --- comparing --- */

static size_t hlen_of(const struct frame *f)
{
	return f->bytes[AT_HLEN];
}

static size_t plen_of(const struct frame *f)
{
	return get_int_at(f, AT_PLEN, 2);
}

/* Frames of one form: kind, flags, lengths and direction. */
static bool same_form(const struct seen *a, const struct seen *b)
{
	return a->out == b->out &&
	       a->frame.bytes[AT_VERSION_KIND] == b->frame.bytes[AT_VERSION_KIND] &&
	       a->frame.bytes[AT_FLAGS] == b->frame.bytes[AT_FLAGS] &&
	       hlen_of(&a->frame) == hlen_of(&b->frame) &&
	       plen_of(&a->frame) == plen_of(&b->frame);
}

static void mask(struct frame *f, const struct field *field, size_t at)
{
	for (; field->name; field++)
		memset(f->bytes + at + field->at, 0, field->len);
}

static void mask_all(struct frame *f)
{
	size_t at = AT_PARTS, i;

	mask(f, of_start, 0);
	for (i = 0; i < 2 && parts[kind_of(f)][i].len; i++) {
		mask(f, parts[kind_of(f)][i].fields, at);
		at += parts[kind_of(f)][i].len;
	}
	if (f->bytes[AT_FLAGS] & F_INTRO)
		mask(f, hello.fields, at);
}

/* Return: -1, or the first byte that differs. */
static long differs(const struct seen *a, const struct seen *b)
{
	struct frame one = a->frame, two = b->frame;
	size_t i;

	mask_all(&one);
	mask_all(&two);
	if (one.len != two.len)
		return one.len;
	for (i = 0; i < one.len; i++)
		if (one.bytes[i] != two.bytes[i])
			return i;
	return -1;
}

/**
 * best_match() - the frame of @run that is like this one
 * @at: -1, or the first byte in which even that one differs
 *
 * Return: NULL when no frame of @run has this form.
 */
static const struct seen *best_match(const struct run *run,
				     const struct seen *like, long *at)
{
	const struct seen *best = NULL;
	long here;
	int i;

	for (i = 0; i < run->nr; i++) {
		if (!same_form(&run->frames[i], like))
			continue;
		here = differs(&run->frames[i], like);
		if (!best || here < 0 || here > *at) {
			best = &run->frames[i];
			*at = here;
		}
		if (here < 0)
			break;
	}
	return best;
}

static struct run runs[2];

/* Nothing stands behind the packet that it says it is. */
static bool ends_with_its_packet(const struct frame *f)
{
	return f->len == ETH_BYTES + hlen_of(f) + plen_of(f);
}

TEST(frames_of_two_runs_are_the_same)
{
	bool compared[KINDS] = { false };
	const struct seen *seen;
	const char *bad;
	long at = -1;
	int i;

	ROAD_OR_SKIP();
	for (i = 0; i < 2; i++) {
		bad = do_run(&runs[i], i ? FILL_TWO : FILL_ONE);
		ASSERT_EQ(NULL, bad) {
			TH_LOG("%s went wrong", bad);
		}
		ASSERT_GT(FRAMES_MAX, runs[i].nr);
	}
	for (i = 0; i < runs[0].nr; i++) {
		seen = &runs[0].frames[i];
		EXPECT_TRUE(ends_with_its_packet(&seen->frame));
		if (!best_match(&runs[1], seen, &at))
			continue;
		compared[kind_of(&seen->frame)] = true;
		EXPECT_EQ(-1, at) {
			TH_LOG("byte %ld of kind %u, flags %x", at,
			       kind_of(&seen->frame), seen->frame.bytes[AT_FLAGS]);
		}
	}
	for (i = 0; i < KINDS; i++) {
		EXPECT_TRUE(compared[i]) {
			TH_LOG("no two frames of kind %d", i);
		}
	}
}

TEST_HARNESS_MAIN
