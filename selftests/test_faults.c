// SPDX-License-Identifier: GPL-2.0
/*
 * No memory, or a user page that is not there, at every place where a call of a
 * program can meet that: /proc/thread-self/fail-nth lets the first such place
 * fail, then the second, and so on to the last. The call fails cleanly, and
 * works when it is made again; what was sent arrives, once. Only such places
 * count as have our code on their stack: on these kernels nothing else is a
 * module.
 *
 * fail-nth does not reach softirq. There, the module's own points fail by chance
 * while flows come and go (module/fault.h).
 *
 * WEFT_FAULT_ROUNDS: every call so many times over a wire, and twice as often on
 * one node, where that takes a fifth of the time; and the points, which wait for
 * timers, up to four times.
 *
 * weft-roads: local veth
 * weft-kernels: debug
 * weft-cflags: -pthread
 * weft-timeout: 900
 */
#include <linux/filter.h>
#include <linux/sockios.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "weft_test.h"
#include "faults.h"
#include "peer.h"

#define SMALL		1000
#define LARGE		70000

/* What a call needs to be made. */
enum state {
	NOTHING,
	UNBOUND,
	BOUND,
	LISTENING,
	QUEUED,		/* and somebody waits for accept() */
	CONNECTED,
	FILLED,		/* and there is something to read */
};

/**
 * struct scene - the sockets of a call
 * @type: SOCK_
 * @fd: that the call is about
 * @far: its peer
 * @lis: a listener of end B, at @addr
 * @made: what the call made, or -1
 * @sent: so much of the pattern was taken from us, and @got so much came
 */
struct scene {
	int type;
	int fd;
	int far;
	int lis;
	struct addr addr;
	int made;
	size_t sent;
	size_t got;
};

static unsigned char pattern[LARGE], heard[LARGE + 1];

/* --- calls --- */

static bool is_dgram(const struct scene *s)
{
	return s->type == SOCK_DGRAM;
}

/*
 * A datagram whose bytes had nowhere to go is lost, as it is with UDP: then the
 * peer sends it again.
 */
static void make_up_for_lost(struct scene *s, enum state from)
{
	int error = errno;
	char c;

	if (is_dgram(s) && from == FILLED && error == EFAULT &&
	    recv(s->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
	    (send(s->far, pattern, SMALL, 0) != SMALL ||
	     !(wait_events(s->fd, POLLIN) & POLLIN)))
		error = errno;
	errno = error;
}

/* Whole messages, or as much of the pattern as is left. */
static long give(struct scene *s, size_t len)
{
	ssize_t n;

	if (s->type == SOCK_STREAM)
		len -= s->sent;
	n = send(s->fd, pattern + s->sent, len, MSG_NOSIGNAL);
	if (n > 0)
		s->sent += n;
	return n;
}

static long take(struct scene *s, int flags)
{
	ssize_t n = recv(s->fd, heard + s->got, LARGE - s->got, flags);

	if (n > 0 && !(flags & MSG_PEEK))
		s->got += n;
	return n;
}

static long call_socket(struct scene *s)
{
	return s->made = socket(road()->family, s->type, 0);
}

static long call_socketpair(struct scene *s)
{
	int fds[2], n = socketpair(road()->family, s->type, 0, fds);

	if (n)
		return n;
	close(fds[0]);
	return s->made = fds[1];
}

static long call_bind(struct scene *s)
{
	struct addr addr;

	any_addr(&addr, s->type, 0);
	return bind_to(s->fd, &addr);
}

static long call_listen(struct scene *s) { return listen(s->fd, 4); }
static long call_connect(struct scene *s) { return connect_to(s->fd, &s->addr); }

static long call_connect_anew(struct scene *s)
{
	int fd = socket(road()->family, s->type, 0), n;

	if (fd < 0)
		return -1;
	n = connect_to(fd, &s->addr);
	s->made = fd;
	return n;
}

static long call_fastopen(struct scene *s)
{
	ssize_t n = sendto(s->fd, pattern, SMALL, MSG_FASTOPEN | MSG_NOSIGNAL,
			   &s->addr.sa, s->addr.len);

	/* It may have come as far as to connect. */
	if (n < 0 && errno == EISCONN)
		n = send(s->fd, pattern, SMALL, MSG_NOSIGNAL);
	return n;
}

static long call_accept(struct scene *s)
{
	return s->made = accept(s->fd, NULL, NULL);
}

static long call_send_small(struct scene *s) { return give(s, SMALL); }
static long call_send_large(struct scene *s) { return give(s, LARGE / 2); }
static long call_recv(struct scene *s) { return take(s, 0); }
static long call_peek(struct scene *s) { return take(s, MSG_PEEK); }

static long call_sendmsg(struct scene *s)
{
	struct iovec iov[8];
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 8 };
	ssize_t n;
	int i;

	for (i = 0; i < 8; i++)
		iov[i] = (struct iovec){ pattern + s->sent + i * 100, 100 };
	n = sendmsg(s->fd, &msg, MSG_NOSIGNAL);
	if (n > 0)
		s->sent += n;
	return n;
}

static long call_recvmsg(struct scene *s)
{
	struct iovec iov = { heard + s->got, LARGE - s->got };
	struct addr from;
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_name = from.bytes, .msg_namelen = sizeof(from.bytes),
	};
	ssize_t n = recvmsg(s->fd, &msg, 0);

	if (n > 0)
		s->got += n;
	return n;
}

static long call_sendfile(struct scene *s)
{
	static int file;
	off_t at = s->sent;
	ssize_t n;

	if (!file) {
		file = memfd_create("pattern", 0);
		if (write(file, pattern, LARGE) != LARGE)
			return -1;
	}
	n = sendfile(s->fd, file, &at, SMALL);
	if (n > 0)
		s->sent += n;
	return n;
}

static long call_splice(struct scene *s)
{
	int pipe_fds[2];
	ssize_t n;

	if (pipe(pipe_fds))
		return -1;
	n = splice(s->fd, NULL, pipe_fds[1], NULL, LARGE, 0);
	if (n > 0 && read(pipe_fds[0], heard + s->got, n) != n)
		n = -1;
	if (n > 0)
		s->got += n;
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	return n;
}

static long call_set_buffer(struct scene *s)
{
	return set_int(s->fd, SO_RCVBUF, 100000);
}

static long call_set_congestion(struct scene *s)
{
	return setsockopt(s->fd, SOL_WEFT, WEFT_CONGESTION, "cubic", 5);
}

static long call_set_keepidle(struct scene *s)
{
	int seconds = 100;

	return setsockopt(s->fd, SOL_WEFT, WEFT_KEEPIDLE, &seconds, 4) ?:
	       set_int(s->fd, SO_KEEPALIVE, 1);
}

static long call_filter(struct scene *s)
{
	struct sock_filter all = BPF_STMT(BPF_RET | BPF_K, 0xffffffff);
	struct sock_fprog prog = { 1, &all };

	return setsockopt(s->fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog,
			  sizeof(prog));
}

static long call_info(struct scene *s)
{
	struct weft_info info;
	socklen_t len = sizeof(info);

	return getsockopt(s->fd, SOL_WEFT, WEFT_INFO, &info, &len);
}

static long call_names(struct scene *s)
{
	struct addr addr;

	return own_addr(s->fd, &addr) ?: peer_addr(s->fd, &addr);
}

static long call_ioctl(struct scene *s)
{
	int n;

	return ioctl(s->fd, SIOCINQ, &n) ?: ioctl(s->fd, SIOCOUTQ, &n);
}

static long call_poll(struct scene *s)
{
	struct pollfd p = { s->fd, POLLOUT, 0 };

	return poll(&p, 1, 0);
}

static long call_epoll(struct scene *s)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int ep = epoll_create1(0), n;

	n = epoll_ctl(ep, EPOLL_CTL_ADD, s->fd, &event);
	if (!n)
		n = epoll_wait(ep, &event, 1, 0);
	close(ep);
	return n;
}

static long call_shutdown(struct scene *s) { return shutdown(s->fd, SHUT_WR); }

/* Not to be made again. */
static long call_close(struct scene *s)
{
	int n = close(s->fd);

	s->fd = -1;
	return n;
}

static long read_all(const char *path)
{
	char buf[4096];
	int fd = open(path, O_RDONLY);
	ssize_t n = -1;

	while (fd >= 0 && (n = read(fd, buf, sizeof(buf))) > 0)
		;
	close(fd);
	return n;
}

static long call_list(struct scene *s)
{
	return read_all("/proc/net/weft") ?: read_all("/proc/net/weft_stat");
}

static long call_sysctl(struct scene *s)
{
	int fd = open("/proc/sys/net/weft/devices", O_WRONLY), n;

	n = fd < 0 ? -1 : write(fd, "all", 3);
	close(fd);
	return n < 0 ? -1 : read_all("/proc/sys/net/weft/devices");
}

static long call_namespace(struct scene *s)
{
	int n = unshare(CLONE_NEWNET), error = errno;

	if (setns(road()->home, CLONE_NEWNET))
		return -1;
	errno = error;
	return n;
}

/* --- what must hold afterwards --- */

static bool reads(int fd, size_t len)
{
	size_t got = 0;
	ssize_t n;

	while (got < len) {
		n = recv_one(fd, heard + got, LARGE - got);
		if (n <= 0)
			return false;
		got += n;
	}
	return got == len && !memcmp(heard, pattern, len);
}

static bool says(int from, int to)
{
	char c = 0;

	return send(from, "x", 1, MSG_NOSIGNAL) == 1 &&
	       recv_one(to, &c, 1) == 1 && c == 'x';
}

/* Every byte that was taken arrives, and both ends go on. */
static bool talks(struct scene *s)
{
	return reads(s->far, s->sent) && says(s->fd, s->far) &&
	       says(s->far, s->fd);
}

/* What was there to read has been read, or still is. */
static bool has_read(struct scene *s)
{
	ssize_t n;

	while (s->got < SMALL) {
		n = recv_one(s->fd, heard + s->got, LARGE - s->got);
		if (n <= 0)
			return false;
		s->got += n;
	}
	return s->got == SMALL && !memcmp(heard, pattern, SMALL) &&
	       says(s->fd, s->far) && says(s->far, s->fd);
}

static bool is_connected(struct scene *s)
{
	if (is_dgram(s))
		return says(s->fd, s->lis);
	s->far = accepted(s->lis);
	return s->far >= 0 && says(s->fd, s->far) && says(s->far, s->fd);
}

static bool is_connected_early(struct scene *s)
{
	s->far = accepted(s->lis);
	return s->far >= 0 && reads(s->far, SMALL) && says(s->far, s->fd);
}

static bool is_accepted(struct scene *s)
{
	return says(s->made, s->far) && says(s->far, s->made);
}

static bool has_ended(struct scene *s)
{
	char c;

	return recv_one(s->far, &c, 1) == 0;
}

typedef bool after_fn(struct scene *s);

static const struct call {
	const char *name;
	enum state from;
	long (*make)(struct scene *s);
	after_fn *after;
} calls[] = {
	{ "socket",		NOTHING,	call_socket },
	{ "socketpair",		NOTHING,	call_socketpair },
	{ "namespace",		NOTHING,	call_namespace },
	{ "list",		LISTENING,	call_list },
	{ "sysctl",		NOTHING,	call_sysctl },
	{ "bind",		UNBOUND,	call_bind },
	{ "connect",		UNBOUND,	call_connect, is_connected },
	{ "connect anew",	NOTHING,	call_connect_anew },
	{ "listen",		BOUND,		call_listen },
	{ "listen unbound",	UNBOUND,	call_listen },
	{ "fastopen",		UNBOUND,	call_fastopen, is_connected_early },
	{ "accept",		QUEUED,		call_accept, is_accepted },
	{ "send small",		CONNECTED,	call_send_small, talks },
	{ "send large",		CONNECTED,	call_send_large, talks },
	{ "sendmsg",		CONNECTED,	call_sendmsg, talks },
	{ "sendfile",		CONNECTED,	call_sendfile, talks },
	{ "recv",		FILLED,		call_recv, has_read },
	{ "recvmsg",		FILLED,		call_recvmsg, has_read },
	{ "peek",		FILLED,		call_peek, has_read },
	{ "splice",		FILLED,		call_splice, has_read },
	{ "buffer",		CONNECTED,	call_set_buffer, talks },
	{ "congestion",		CONNECTED,	call_set_congestion, talks },
	{ "keepidle",		CONNECTED,	call_set_keepidle, talks },
	{ "filter",		CONNECTED,	call_filter, talks },
	{ "info",		CONNECTED,	call_info, talks },
	{ "names",		CONNECTED,	call_names, talks },
	{ "ioctl",		FILLED,		call_ioctl, has_read },
	{ "poll",		CONNECTED,	call_poll, talks },
	{ "epoll",		CONNECTED,	call_epoll, talks },
	{ "shutdown",		CONNECTED,	call_shutdown, has_ended },
	{ "close",		CONNECTED,	call_close, has_ended },
};

/* What datagrams do not have, and what is the same for all types. */
static bool is_made_of(const struct call *call, int type)
{
	static const char * const none[] = {
		"listen", "listen unbound", "fastopen", "accept", "congestion",
		"keepidle", "info", "shutdown", "close", "splice", "ioctl",
	};
	static const char * const once[] = { "namespace", "list", "sysctl" };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(once); i++)
		if (type != SOCK_STREAM && !strcmp(call->name, once[i]))
			return false;
	for (i = 0; i < ARRAY_SIZE(none); i++)
		if (type == SOCK_DGRAM && !strcmp(call->name, none[i]))
			return false;
	return true;
}

/* --- scenes --- */

static int set_listener(struct scene *s)
{
	if (is_dgram(s))
		s->lis = bound_socket(END_B, s->type, &s->addr);
	else
		s->lis = listener(END_B, s->type, 8, &s->addr);
	return s->lis < 0;
}

/* Two datagram sockets that know each other. */
static int set_dgram_pair(struct scene *s)
{
	struct addr own;

	s->fd = bound_socket(END_A, s->type, &own);
	s->far = dup(s->lis);
	return connect_to(s->fd, &s->addr) ?: connect_to(s->far, &own);
}

static int set_connected(struct scene *s)
{
	if (is_dgram(s))
		return set_dgram_pair(s);
	s->fd = connected(s->type, &s->addr);
	s->far = accepted(s->lis);
	return s->fd < 0 || s->far < 0;
}

static int set_queued(struct scene *s)
{
	s->far = connected(s->type, &s->addr);
	s->fd = dup(s->lis);
	return s->far < 0 || !(wait_events(s->lis, POLLIN) & POLLIN);
}

static int set_own(struct scene *s, enum state state)
{
	struct addr own;

	if (state == UNBOUND)
		s->fd = end_socket(END_A, s->type);
	else if (state == BOUND)
		s->fd = bound_socket(END_A, s->type, &own);
	return s->fd < 0;
}

static int set_scene(struct scene *s, int type, enum state state)
{
	*s = (struct scene){ .type = type, .fd = -1, .far = -1, .made = -1 };
	if (set_listener(s))
		return -1;
	switch (state) {
	case NOTHING:
	case LISTENING:
		return 0;
	case UNBOUND:
	case BOUND:
		return set_own(s, state);
	case QUEUED:
		return set_queued(s);
	case CONNECTED:
		return set_connected(s);
	case FILLED:
		return set_connected(s) ||
		       send(s->far, pattern, SMALL, 0) != SMALL ||
		       !(wait_events(s->fd, POLLIN) & POLLIN);
	}
	return -1;
}

static void clear_scene(struct scene *s)
{
	close(s->fd);
	close(s->far);
	close(s->lis);
	close(s->made);
}

/* --- all of it --- */

static unsigned long faults_met;

/* Return: what is wrong, or NULL; @fired: the fault was met. */
static const char *make_with_fault(const struct call *call, int type,
				   unsigned int nth, bool *fired)
{
	const char *wrong = NULL;
	struct scene s;
	long result;

	if (set_scene(&s, type, call->from))
		return "the scene";
	if (arm(nth))
		return "fail-nth";
	errno = 0;
	result = call->make(&s);
	*fired = disarm();
	if (result < 0)
		make_up_for_lost(&s, call->from);
	if (result < 0 && !(*fired && is_clean(errno)))
		wrong = "the call";
	else if (result < 0 && call->make(&s) < 0)
		wrong = "the call, made again";
	else if (call->after && !call->after(&s))
		wrong = "what comes after it";
	if (!wrong)
		clear_scene(&s);
	return wrong;
}

static bool stands_faults(const struct call *call, int type)
{
	const char *wrong = NULL;
	bool fired = true;
	unsigned int nth;

	for (nth = 1; fired && nth < MOST_FAULTS; nth++) {
		wrong = make_with_fault(call, type, nth, &fired);
		if (wrong)
			break;
		faults_met += fired;
	}
	if (wrong)
		fprintf(stderr, "# %s, type %d, fault %u: %s: %s\n", call->name,
			type, nth, wrong, strerror(errno));
	return !wrong && nth < MOST_FAULTS;
}

FIXTURE(faults) {};
FIXTURE_VARIANT(faults) { int type; };
FIXTURE_VARIANT_ADD(faults, stream) { .type = SOCK_STREAM };
FIXTURE_VARIANT_ADD(faults, seqpacket) { .type = SOCK_SEQPACKET };
FIXTURE_VARIANT_ADD(faults, dgram) { .type = SOCK_DGRAM };

FIXTURE_SETUP(faults)
{
	if (road()->oracle)
		SKIP(return, "faults are weft's own");
	ROAD_OR_SKIP();
	pattern_fill(pattern, LARGE, 1, 0);
	ASSERT_EQ(0, prepare_injection());
	/* This kernel's own, which says at length that it finds no memory. */
	ASSERT_EQ(0, spare_function("ref_tracker_alloc"));
}

FIXTURE_TEARDOWN(faults)
{
	umount(DEBUGFS);
}

TEST_F_TIMEOUT(faults, of_every_call, TEST_TIMEOUT_RUNNER)
{
	int round, most = rounds() * (road()->wire ? 1 : 2);
	unsigned int i;

	for (round = 0; round < most; round++)
		for (i = 0; i < ARRAY_SIZE(calls); i++)
			if (is_made_of(&calls[i], variant->type))
				EXPECT_TRUE(stands_faults(&calls[i],
							  variant->type));
	TH_LOG("%lu faults met", faults_met);
	EXPECT_LT(20, faults_met);
}

/* --- softirq --- */

#define CHANCES		2000

/* A conversation under faults; without memory a call may fail, and is made again. */
static bool converses(int type)
{
	struct scene s;
	bool good;

	while (set_scene(&s, type, NOTHING))
		if (!is_clean(errno))
			return false;
	do {
		close(s.fd);
		s.fd = connected(type, &s.addr);
		if (s.fd < 0 && !is_clean(errno))
			return false;
	} while (s.fd < 0);
	s.far = accepted(s.lis);
	while (s.sent < LARGE / 2)
		if (give(&s, LARGE / 2) < 0 && !is_clean(errno))
			return false;
	good = s.far >= 0 && reads(s.far, s.sent);
	clear_scene(&s);
	return good;
}

FIXTURE(points) {};
FIXTURE_VARIANT(points)
{
	const char *name;
	const char *percent;
	bool packets;	/* nothing is handed over */
};
FIXTURE_VARIANT_ADD(points, no_memory) { "fail_alloc", "10" };
FIXTURE_VARIANT_ADD(points, no_memory_for_packets) { "fail_alloc", "10", true };
FIXTURE_VARIANT_ADD(points, nothing_comes) { "drop_rx", "10", true };
FIXTURE_VARIANT_ADD(points, nothing_leaves) { "drop_tx", "10", true };
FIXTURE_VARIANT_ADD(points, slow) { "delay", "20" };

FIXTURE_SETUP(points)
{
	if (road()->oracle)
		SKIP(return, "faults are weft's own");
	ROAD_OR_SKIP();
	if (!road()->wire && variant->packets)
		SKIP(return, "there is no frame on one node");
	pattern_fill(pattern, LARGE, 1, 0);
	ASSERT_EQ(0, prepare_injection());
	if (variant->packets) {
		ASSERT_EQ(0, set_handover(END_A, "0"));
	}
}

/* What fails here is not to fail in the next case. */
FIXTURE_TEARDOWN(points)
{
	set_handover(END_A, "1");
	set_point(variant->name, "probability", "0");
	umount(DEBUGFS);
}

TEST_F_TIMEOUT(points, of_softirq, TEST_TIMEOUT_RUNNER)
{
	long most = 250L * (rounds() < 4 ? rounds() : 4);
	char text[16];
	int i;

	snprintf(text, sizeof(text), "%ld", most);
	ASSERT_EQ(0, set_point(variant->name, "times", text));
	ASSERT_EQ(0, set_point(variant->name, "probability", variant->percent));
	for (i = 0; i < CHANCES && points_left(variant->name); i++) {
		ASSERT_TRUE(converses(SOCK_STREAM));
		ASSERT_TRUE(converses(SOCK_SEQPACKET));
	}
	TH_LOG("%ld faults met", most - points_left(variant->name));
	EXPECT_EQ(0, set_point(variant->name, "probability", "0"));
	EXPECT_TRUE(converses(SOCK_STREAM));
	EXPECT_GT(most, points_left(variant->name));
}

static bool is_acknowledged(void *arg)
{
	const struct scene *s = arg;
	int n;

	return !ioctl(s->far, SIOCOUTQ, &n) && !n;
}

/*
 * A flow that has sent nothing yet, and finds no memory for it: no packet will
 * come, nor another call, and all the same it leaves when there is memory. Its
 * end has acknowledged all that its peer sent: no timer runs for that either.
 */
FIXTURE(starved) { struct scene s; };
FIXTURE_VARIANT(starved) { long (*call)(struct scene *s); };
FIXTURE_VARIANT_ADD(starved, bytes) { call_send_large };
FIXTURE_VARIANT_ADD(starved, end) { call_shutdown };

FIXTURE_SETUP(starved)
{
	if (road()->oracle)
		SKIP(return, "faults are weft's own");
	ROAD_OR_SKIP();
	if (!road()->wire)
		SKIP(return, "nothing is sent on one node");
	pattern_fill(pattern, LARGE, 1, 0);
	ASSERT_EQ(0, prepare_injection());
	ASSERT_EQ(0, set_handover(END_A, "0"));
	ASSERT_EQ(0, set_scene(&self->s, SOCK_STREAM, FILLED));
	ASSERT_TRUE(reads(self->s.fd, SMALL));
	ASSERT_TRUE(eventually(is_acknowledged, &self->s));
}

FIXTURE_TEARDOWN(starved)
{
	set_point("fail_alloc", "probability", "0");
	set_handover(END_A, "1");
	clear_scene(&self->s);
	umount(DEBUGFS);
}

TEST_F(starved, goes_on_by_itself)
{
	long long begun = now_ms();

	ASSERT_EQ(0, set_point("fail_alloc", "times", "6"));
	ASSERT_EQ(0, set_point("fail_alloc", "probability", "100"));
	ASSERT_LE(0, variant->call(&self->s));
	ASSERT_EQ(POLLIN, wait_events(self->s.far, POLLIN) & POLLIN);
	EXPECT_LT(50, now_ms() - begun);
	EXPECT_EQ(0, points_left("fail_alloc"));
	EXPECT_TRUE(!self->s.sent || reads(self->s.far, self->s.sent));
}

TEST_HARNESS_MAIN
