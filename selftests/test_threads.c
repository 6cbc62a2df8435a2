// SPDX-License-Identifier: GPL-2.0
/*
 * Several threads make calls by chance, each with any socket of a few, while the
 * others do so with the same ones, over one node or two: any call beside any
 * other, in every state. There is nothing to expect of a single one but that it
 * ends, and with an error that it may have. What is wrong inside, the kernel
 * says: kernel A about memory and locks, kernel B about data races.
 *
 * WEFT_CALLS: calls of each thread, 5,000 by default.
 * WEFT_SEED: of chance; it is told, and a run with the same is alike, but for
 * the moments.
 *
 * weft-roads: local veth
 * weft-cflags: -pthread
 */
#include <limits.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include <linux/sockios.h>

#include "weft_test.h"

#define THREADS		4
#define SLOTS		8
#define PORT		7100
#define PORTS		3
/* No call sleeps for longer, so that nobody waits for what nobody does. */
#define PATIENCE_US	20000

/* The sockets that all threads share; -1: none. */
static atomic_int slots[SLOTS];

/**
 * struct caller - one of the threads
 * @prng: its chance
 * @fds: one end of a pipe each, an epoll, a file, all its own
 * @calls: that it made of each kind; @good: that succeeded
 * @odd: errno that no call should have, of call @odd_call
 */
struct caller {
	struct prng prng;
	int pipe[2];
	int epoll;
	int file;
	char bytes[70000];
	unsigned long calls[64];
	unsigned long good[64];
	int odd;
	int odd_call;
};

static uint32_t below(struct caller *c, uint32_t bound)
{
	return prng_below(&c->prng, bound);
}

static bool once_in(struct caller *c, uint32_t n)
{
	return !below(c, n);
}

static size_t any_length(struct caller *c)
{
	static const size_t most[] = { 2, 200, 5000, sizeof(c->bytes) };

	return below(c, most[below(c, 4)]);
}

static int any_flags(struct caller *c)
{
	static const int flags[] = {
		MSG_PEEK, MSG_WAITALL, MSG_TRUNC, MSG_MORE, MSG_EOR,
		MSG_ZEROCOPY, MSG_ERRQUEUE, MSG_OOB,
	};
	int some = once_in(c, 2) ? MSG_DONTWAIT : 0;

	if (once_in(c, 3))
		some |= flags[below(c, sizeof(flags) / sizeof(*flags))];
	return some | MSG_NOSIGNAL;
}

static void any_address(struct caller *c, struct addr *addr)
{
	set_addr(addr, &road()->node[below(c, 2)], PORT + below(c, PORTS));
	if (once_in(c, 8))
		addr->in6.sin6_addr = in6addr_any;
	if (once_in(c, 8))
		addr->in6.sin6_port = 0;
	if (once_in(c, 16))
		addr->in6.sin6_family = AF_UNSPEC;
}

/* --- sockets come and go --- */

static int new_socket(struct caller *c)
{
	static const int types[] = { SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM };
	struct timeval patience = { .tv_usec = PATIENCE_US };
	int type = types[below(c, 8) % 3];
	int fd = end_socket(below(c, 2), type | (once_in(c, 4) ? SOCK_NONBLOCK : 0));

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	return fd;
}

/* It takes the place of another, which is closed under whoever uses it. */
static long put_in_slot(struct caller *c, int fd)
{
	if (fd < 0)
		return -1;
	fd = atomic_exchange(&slots[below(c, SLOTS)], fd);
	return fd < 0 ? 0 : close(fd);
}

static long do_socket(struct caller *c, int unused)
{
	(void)unused;
	return put_in_slot(c, new_socket(c));
}

static long do_listener(struct caller *c, int unused)
{
	int fd = new_socket(c), one = 1;
	struct addr addr;

	(void)unused;
	if (fd < 0)
		return -1;
	any_address(c, &addr);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (!bind_to(fd, &addr))
		listen(fd, below(c, 4));
	return put_in_slot(c, fd);
}

static long do_client(struct caller *c, int unused)
{
	int fd = new_socket(c);
	struct addr addr;

	(void)unused;
	if (fd < 0)
		return -1;
	any_address(c, &addr);
	connect_to(fd, &addr);
	return put_in_slot(c, fd);
}

static long do_accept(struct caller *c, int fd)
{
	fd = accept4(fd, NULL, NULL, once_in(c, 2) ? SOCK_NONBLOCK : 0);
	return put_in_slot(c, fd);
}

/* So that a close() is not the last, and the next one is. */
static long do_dup(struct caller *c, int fd)
{
	return put_in_slot(c, dup(fd));
}

static long do_close(struct caller *c, int unused)
{
	int fd = atomic_exchange(&slots[below(c, SLOTS)], -1);

	(void)unused;
	return fd < 0 ? 0 : close(fd);
}

/* --- names --- */

static long do_bind(struct caller *c, int fd)
{
	struct addr addr;

	any_address(c, &addr);
	return bind_to(fd, &addr);
}

static long do_listen(struct caller *c, int fd)
{
	return listen(fd, below(c, 4));
}

static long do_connect(struct caller *c, int fd)
{
	struct addr addr;

	any_address(c, &addr);
	return connect_to(fd, &addr);
}

static long do_own_name(struct caller *c, int fd)
{
	struct addr addr;

	(void)c;
	return own_addr(fd, &addr);
}

static long do_peer_name(struct caller *c, int fd)
{
	struct addr addr;

	(void)c;
	return peer_addr(fd, &addr);
}

static long do_shutdown(struct caller *c, int fd)
{
	return shutdown(fd, below(c, 3));
}

/* --- bytes --- */

static long do_send(struct caller *c, int fd)
{
	return send(fd, c->bytes, any_length(c), any_flags(c));
}

static long do_sendto(struct caller *c, int fd)
{
	struct addr addr;

	any_address(c, &addr);
	return sendto(fd, c->bytes, any_length(c), any_flags(c), &addr.sa,
		      addr.len);
}

static long do_sendmmsg(struct caller *c, int fd)
{
	struct iovec iov[4];
	struct mmsghdr msgs[4] = { 0 };
	int i;

	for (i = 0; i < 4; i++) {
		iov[i].iov_base = c->bytes;
		iov[i].iov_len = any_length(c);
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
	return sendmmsg(fd, msgs, 4, any_flags(c));
}

static long do_sendfile(struct caller *c, int fd)
{
	off_t at = below(c, 4096);

	return sendfile(fd, c->file, &at, any_length(c));
}

static long do_splice_to(struct caller *c, int fd)
{
	ssize_t n = write(c->pipe[1], c->bytes, any_length(c) % 4096);

	if (n > 0)
		n = splice(c->pipe[0], NULL, fd, NULL, n, SPLICE_F_NONBLOCK);
	while (read(c->pipe[0], c->bytes, sizeof(c->bytes)) > 0)
		continue;
	return n;
}

static long do_splice_from(struct caller *c, int fd)
{
	ssize_t n = splice(fd, NULL, c->pipe[1], NULL, any_length(c),
			   SPLICE_F_NONBLOCK);
	int error = errno;

	while (read(c->pipe[0], c->bytes, sizeof(c->bytes)) > 0)
		continue;
	errno = error;
	return n;
}

static long do_recv(struct caller *c, int fd)
{
	return recv(fd, c->bytes, any_length(c), any_flags(c));
}

static long do_recvmmsg(struct caller *c, int fd)
{
	struct timespec patience = { .tv_nsec = PATIENCE_US * 1000 };
	struct iovec iov[4];
	struct mmsghdr msgs[4] = { 0 };
	char control[128];
	struct addr from;
	int i;

	for (i = 0; i < 4; i++) {
		iov[i].iov_base = c->bytes;
		iov[i].iov_len = any_length(c);
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
		msgs[i].msg_hdr.msg_name = &from;
		msgs[i].msg_hdr.msg_namelen = sizeof(from.bytes);
		msgs[i].msg_hdr.msg_control = control;
		msgs[i].msg_hdr.msg_controllen = sizeof(control);
	}
	return recvmmsg(fd, msgs, 4, any_flags(c), &patience);
}

/* --- what a socket is, and what happens to it --- */

static long do_poll(struct caller *c, int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN | POLLOUT };

	return poll(&pfd, 1, below(c, 2));
}

static long do_epoll(struct caller *c, int fd)
{
	struct epoll_event event = {
		.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
	};

	/* It may be in there already, or have left by being closed. */
	epoll_ctl(c->epoll, EPOLL_CTL_ADD, fd, &event);
	return epoll_wait(c->epoll, &event, 1, 0);
}

static long do_ioctl(struct caller *c, int fd)
{
	static const unsigned long requests[] = { FIONREAD, SIOCOUTQ };
	int value;

	return ioctl(fd, requests[below(c, 2)], &value);
}

static const struct {
	int level;
	int name;
	int most;
} options[] = {
	{ SOL_SOCKET, SO_SNDBUF, 300000 },
	{ SOL_SOCKET, SO_RCVBUF, 300000 },
	{ SOL_SOCKET, SO_RCVLOWAT, 5000 },
	{ SOL_SOCKET, SO_KEEPALIVE, 2 },
	{ SOL_SOCKET, SO_REUSEADDR, 2 },
	{ SOL_SOCKET, SO_REUSEPORT, 2 },
	{ SOL_SOCKET, SO_TIMESTAMP, 2 },
	{ SOL_SOCKET, SO_ERROR, 2 },
	{ SOL_SOCKET, SO_PRIORITY, 7 },
	{ SOL_SOCKET, SO_ZEROCOPY, 2 },
	{ SOL_SOCKET, SO_BROADCAST, 2 },
	{ SOL_SOCKET, SO_PEEK_OFF, 100 },
	{ SOL_WEFT, WEFT_MAX_MESSAGE, 2 },
	{ SOL_WEFT, WEFT_PEER_MAX_MESSAGE, 2 },
	{ SOL_WEFT, WEFT_DEFER_CONNECT, 2 },
	{ SOL_WEFT, WEFT_EARLY_DATA, 2 },
	{ SOL_WEFT, WEFT_KEEPIDLE, 3 },
	{ SOL_WEFT, WEFT_KEEPINTVL, 3 },
	{ SOL_WEFT, WEFT_KEEPCNT, 3 },
	{ SOL_WEFT, WEFT_USER_TIMEOUT, 1000 },
};

static long do_set(struct caller *c, int fd)
{
	int i = below(c, sizeof(options) / sizeof(*options));
	int value = below(c, options[i].most);

	return setsockopt(fd, options[i].level, options[i].name, &value,
			  sizeof(value));
}

/* What is sent is lost, or close() waits for a moment. */
static long do_linger(struct caller *c, int fd)
{
	struct linger linger = { .l_onoff = below(c, 2) };

	return setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

static long do_congestion(struct caller *c, int fd)
{
	char name[16];
	socklen_t len = sizeof(name);

	(void)c;
	if (getsockopt(fd, SOL_WEFT, WEFT_CONGESTION, name, &len))
		return -1;
	return setsockopt(fd, SOL_WEFT, WEFT_CONGESTION, name, len);
}

static long do_get(struct caller *c, int fd)
{
	int i = below(c, sizeof(options) / sizeof(*options)), value;
	socklen_t len = sizeof(value);

	return getsockopt(fd, options[i].level, options[i].name, &value, &len);
}

static long do_info(struct caller *c, int fd)
{
	struct weft_info info;
	socklen_t len = sizeof(info);

	(void)c;
	return getsockopt(fd, SOL_WEFT, WEFT_INFO, &info, &len);
}

/* All of them, by /proc. */
static long do_list(struct caller *c, int unused)
{
	enum end end = below(c, 2);
	ssize_t n = -1;
	int fd;

	(void)unused;
	if (enter_end(end))
		return -1;
	fd = open("/proc/net/weft", O_RDONLY);
	while (fd >= 0 && (n = read(fd, c->bytes, sizeof(c->bytes))) > 0)
		continue;
	close(fd);
	return leave_end(end) ?: n;
}

/* @weight: how often, against the others */
static const struct {
	const char *name;
	long (*fn)(struct caller *c, int fd);
	int weight;
} calls[] = {
#define CALL(name, weight) { #name, do_##name, weight }
	CALL(socket, 1), CALL(listener, 6), CALL(client, 12), CALL(accept, 12),
	CALL(dup, 2), CALL(close, 3), CALL(bind, 2), CALL(listen, 2),
	CALL(connect, 5), CALL(own_name, 1), CALL(peer_name, 1),
	CALL(shutdown, 3), CALL(send, 16), CALL(sendto, 6), CALL(sendmmsg, 4),
	CALL(sendfile, 4), CALL(splice_to, 3), CALL(splice_from, 3),
	CALL(recv, 20), CALL(recvmmsg, 4), CALL(poll, 3), CALL(epoll, 3),
	CALL(ioctl, 2), CALL(set, 6), CALL(linger, 1), CALL(congestion, 1),
	CALL(get, 4), CALL(info, 2), CALL(list, 1),
#undef CALL
};

#define CALLS	((int)(sizeof(calls) / sizeof(*calls)))

static int any_call(struct caller *c)
{
	int i, sum = 0, chosen;

	for (i = 0; i < CALLS; i++)
		sum += calls[i].weight;
	chosen = below(c, sum);
	for (i = 0; chosen >= calls[i].weight; i++)
		chosen -= calls[i].weight;
	return i;
}

/* Nothing is broken in such a way here, whatever the others do. */
static bool is_odd(int error)
{
	static const int odd[] = {
		EFAULT, ENOMEM, EIO, ENOSYS, EPERM, EACCES, ENXIO, ENODEV,
		EPROTO, EOVERFLOW,
	};
	size_t i;

	for (i = 0; i < sizeof(odd) / sizeof(*odd); i++)
		if (error == odd[i])
			return true;
	/* Those of the kernel's own, which no program should see. */
	return error >= 512;
}

static void make_a_call(struct caller *c)
{
	int i = any_call(c);
	int fd = atomic_load(&slots[below(c, SLOTS)]);
	int error = ERR(calls[i].fn(c, fd));

	c->calls[i]++;
	if (!error)
		c->good[i]++;
	if (is_odd(error)) {
		c->odd = error;
		c->odd_call = i;
	}
}

static unsigned long how_many(void)
{
	const char *text = getenv("WEFT_CALLS");

	return text ? strtoul(text, NULL, 10) : 5000;
}

static long make_calls(void *arg)
{
	unsigned long left = how_many();

	while (left--)
		make_a_call(arg);
	return 0;
}

static int open_caller(struct caller *c, uint64_t seed)
{
	c->prng.seed = seed;
	c->epoll = epoll_create1(0);
	c->file = open("/proc/self/exe", O_RDONLY);
	if (c->epoll < 0 || c->file < 0)
		return -1;
	return pipe2(c->pipe, O_NONBLOCK);
}

static void close_caller(struct caller *c)
{
	close(c->epoll);
	close(c->file);
	close(c->pipe[0]);
	close(c->pipe[1]);
}

static uint64_t the_seed(void)
{
	const char *text = getenv("WEFT_SEED");

	return text ? strtoull(text, NULL, 10) : (uint64_t)time(NULL) << 20 | getpid();
}

FIXTURE(threads)
{
	struct caller callers[THREADS];
	struct task tasks[THREADS];
	uint64_t seed;
	int timed;
};

/*
 * For the first socket that wants times, and when the last one goes, the kernel
 * changes its own code while others run it: an emulated machine of two
 * processors can stumble over that. This one is the first, and the last.
 */
static int timed_socket(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	return set_int(fd, SO_TIMESTAMP, 1) ? -1 : fd;
}

FIXTURE_SETUP(threads)
{
	int i;

	if (road()->oracle)
		SKIP(return, "there are options of weft among the calls");
	ROAD_OR_SKIP();
	/* sendfile() and splice() cannot be told not to send it. */
	signal(SIGPIPE, SIG_IGN);
	self->timed = timed_socket();
	ASSERT_LE(0, self->timed);
	self->seed = the_seed();
	for (i = 0; i < SLOTS; i++)
		atomic_store(&slots[i], -1);
	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(0, open_caller(&self->callers[i], self->seed + i));
}

FIXTURE_TEARDOWN(threads)
{
	int i;

	for (i = 0; i < THREADS; i++)
		close_caller(&self->callers[i]);
	for (i = 0; i < SLOTS; i++)
		close(atomic_load(&slots[i]));
	close(self->timed);
}

TEST_F_TIMEOUT(threads, any_call_beside_any_other, TEST_TIMEOUT_RUNNER)
{
	unsigned long made, good;
	int i, call;

	TH_LOG("WEFT_SEED=%llu", (unsigned long long)self->seed);
	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(0, task_start(&self->tasks[i], make_calls,
					&self->callers[i]));
	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_join(self->tasks[i].thread, NULL));
	for (i = 0; i < THREADS; i++) {
		EXPECT_EQ(0, self->callers[i].odd) {
			TH_LOG("of %s", calls[self->callers[i].odd_call].name);
		}
	}
	/* None was in vain, or chance has forgotten one. */
	for (call = 0; call < CALLS; call++) {
		made = 0;
		good = 0;
		for (i = 0; i < THREADS; i++) {
			made += self->callers[i].calls[call];
			good += self->callers[i].good[call];
		}
		EXPECT_LT(0, good) {
			TH_LOG("%s: none of %lu", calls[call].name, made);
		}
	}
}

TEST_HARNESS_MAIN
