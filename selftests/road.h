/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The road a test travels: which namespaces its two ends live in, how they
 * address each other, and which family makes their sockets.
 *
 * With WEFT_ORACLE=1 in the environment the same tests run against the
 * families that weft answers like: TCP for STREAM and UDP for DGRAM on ::1,
 * AF_UNIX for SEQPACKET. That proves the expectations themselves. Where weft
 * means to differ, the table below says so and why; tests ask it by name.
 *
 * End A connects, end B listens.
 */
#ifndef WEFT_ROAD_H
#define WEFT_ROAD_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <linux/weft.h>

#include "waiting.h"

enum end { END_A, END_B };

/* An address as the calls take it. */
struct addr {
	socklen_t len;
	union {
		struct sockaddr sa;
		struct sockaddr_weft weft;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
		unsigned char bytes[128];
	};
};

/**
 * struct road - what the environment says
 * @oracle: run against the families that weft answers like
 * @wire: the ends are different nodes
 * @family: of STREAM and DGRAM sockets
 * @mtu: of the devices, 0 without
 * @ns: namespace of each end, -1 where it is the one we are in
 * @home: the namespace we started in
 * @node: address of each end
 */
struct road {
	bool oracle;
	bool wire;
	int family;
	int mtu;
	int ns[2];
	int home;
	struct in6_addr node[2];
};

/* Is the running kernel 6.@least or later? */
static inline bool is_kernel_6(int least)
{
	int major = 0, minor = 0;
	struct utsname name;

	return !uname(&name) &&
	       sscanf(name.release, "%d.%d", &major, &minor) == 2 &&
	       (major > 6 || (major == 6 && minor >= least));
}

static inline int open_ns(const char *name)
{
	char path[256];

	if (!name)
		return -1;
	snprintf(path, sizeof(path), "/run/netns/%s", name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static inline void read_node(struct in6_addr *node, const char *text)
{
	if (!text || inet_pton(AF_INET6, text, node) != 1)
		*node = in6addr_loopback;
}

/* What the node of the namespace that we are in is called. */
static inline int own_node(struct in6_addr *node)
{
	int fd = open("/proc/sys/net/weft/node", O_RDONLY | O_CLOEXEC);
	char text[64] = "";
	ssize_t n = read(fd, text, sizeof(text) - 1);

	close(fd);
	text[strcspn(text, "\n")] = 0;
	return n > 0 && inet_pton(AF_INET6, text, node) == 1 ? 0 : -1;
}

static inline void road_read(struct road *road)
{
	const char *name = getenv("WEFT_ROAD");
	const char *mtu = getenv("WEFT_MTU");

	road->oracle = getenv("WEFT_ORACLE") != NULL;
	road->wire = !road->oracle && name && strcmp(name, "local") != 0;
	road->family = road->oracle ? AF_INET6 : weft_family();
	road->mtu = mtu ? atoi(mtu) : 1500;
	road->ns[END_A] = road->wire ? open_ns(getenv("WEFT_NS_A")) : -1;
	road->ns[END_B] = road->wire ? open_ns(getenv("WEFT_NS_B")) : -1;
	road->home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	read_node(&road->node[END_A], road->oracle ? NULL : getenv("WEFT_ADDR_A"));
	read_node(&road->node[END_B], road->oracle ? NULL : getenv("WEFT_ADDR_B"));
}

static inline struct road *the_road(void)
{
	static struct road the_road;
	static bool read;

	if (!read)
		road_read(&the_road);
	read = true;
	return &the_road;
}

static inline const struct road *road(void)
{
	return the_road();
}

/* For tests that compare: go on on one node, both ends in end A's. */
static inline void road_stay_local(bool oracle)
{
	struct road *road = the_road();

	road->oracle = oracle;
	road->wire = false;
	road->family = oracle ? AF_INET6 : weft_family();
	road->ns[END_A] = -1;
	road->ns[END_B] = -1;
	read_node(&road->node[END_A], oracle ? NULL : getenv("WEFT_ADDR_A"));
	road->node[END_B] = road->node[END_A];
}

/* And back to the road of the environment. */
static inline void road_take(void)
{
	road_read(the_road());
}

/* Return: NULL when tests can run, else why not. */
static inline const char *road_missing(void)
{
	if (road()->family < 0)
		return "weft is not loaded";
	if (road()->wire && (road()->ns[END_A] < 0 || road()->ns[END_B] < 0))
		return "no namespaces for this road";
	return NULL;
}

#define ROAD_OR_SKIP() do {						\
	const char *missing = road_missing();				\
	if (missing)							\
		SKIP(return, "%s", missing);				\
} while (0)

/*
 * A case of which there is nothing to say on this road, or of this type: it has
 * neither passed nor been skipped, and tools/tap-count leaves it out.
 */
#define ONLY_IF(applies) do {						\
	if (!(applies))							\
		SKIP(return, "nothing to say: only if %s", #applies);	\
} while (0)

/*
 * Where weft answers differently from its oracle, and why. The first number is
 * weft's answer, the second the oracle's; the wire's answer is the third where
 * it differs from that of one node.
 */
#define EXCEPTIONS(X)							\
	/* TCP leaves the second SYN unanswered; a node knows itself */	\
	X(STREAM_CONNECT_FULL, EAGAIN, EINPROGRESS, EINPROGRESS)	\
	/* Over a wire a full backlog is only known by silence */	\
	X(SEQPACKET_CONNECT_FULL, EAGAIN, EAGAIN, EINPROGRESS)		\
	/* AF_UNIX has no ports to take from */				\
	X(SEQPACKET_LISTEN_UNBOUND, 0, EINVAL, 0)			\
	/* AF_UNIX clients have no name; ours are named by connect() */	\
	X(SEQPACKET_BIND_CONNECTED, EINVAL, 0, EINVAL)			\
	/* AF_UNIX looks for the listener first */			\
	X(PAIR_CONNECT, EISCONN, ECONNREFUSED, EISCONN)			\
	/* No urgent data: a byte out of band is a second stream */	\
	X(STREAM_OOB, EOPNOTSUPP, 0, EOPNOTSUPP)			\
	/* TCP says that nothing urgent came */				\
	X(STREAM_RECV_OOB, EOPNOTSUPP, EINVAL, EOPNOTSUPP)		\
	/* UDP over IPv6 does not look at it */				\
	X(DGRAM_OOB, EOPNOTSUPP, 0, EOPNOTSUPP)				\
	/* A port that TCP chose goes when the connection breaks */	\
	X(STREAM_BIND_BROKEN, EINVAL, 0, 0)				\
	/* A wire tells that the peer sends no more, not that it is gone */ \
	X(SEQPACKET_PEER_CLOSED, POLLHUP, POLLHUP, 0)

enum exception {
#define X(name, weft, oracle, wire) EX_##name,
	EXCEPTIONS(X)
#undef X
};

static inline int expected(enum exception which)
{
	static const struct {
		int weft;
		int oracle;
		int wire;
	} table[] = {
#define X(name, weft, oracle, wire) { weft, oracle, wire },
		EXCEPTIONS(X)
#undef X
	};

	if (road()->oracle)
		return table[which].oracle;
	return road()->wire ? table[which].wire : table[which].weft;
}

/* Go to the namespace of @end. Return: 0, or -1 with errno. */
static inline int enter_end(enum end end)
{
	if (road()->ns[end] < 0)
		return 0;
	return setns(road()->ns[end], CLONE_NEWNET);
}

static inline int leave_end(enum end end)
{
	if (road()->ns[end] < 0)
		return 0;
	return setns(road()->home, CLONE_NEWNET);
}

static inline int type_of(int type)
{
	return type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static inline bool is_unix(int type)
{
	return road()->oracle && type_of(type) == SOCK_SEQPACKET;
}

/* A socket at @end that names addresses as @protocol says. */
static inline int end_socket_proto(enum end end, int type, int protocol)
{
	int family = is_unix(type) ? AF_UNIX : road()->family;
	int fd, error;

	if (enter_end(end))
		return -1;
	fd = socket(family, type, road()->oracle ? 0 : protocol);
	error = errno;
	if (leave_end(end))
		return -1;
	errno = error;
	return fd;
}

static inline int end_socket(enum end end, int type)
{
	return end_socket_proto(end, type, WEFT_PROTO_DEFAULT);
}

static inline void set_addr(struct addr *addr, const struct in6_addr *node,
			    unsigned int port)
{
	memset(addr, 0, sizeof(*addr));
	addr->len = sizeof(addr->in6);
	addr->in6.sin6_family = road()->family;
	addr->in6.sin6_port = htons(port);
	addr->in6.sin6_addr = *node;
}

/* Names of this process alone: tests may run side by side. */
static inline void set_unix_addr(struct addr *addr, unsigned int port)
{
	memset(addr, 0, sizeof(*addr));
	addr->un.sun_family = AF_UNIX;
	addr->len = offsetof(struct sockaddr_un, sun_path);
	if (port)
		addr->len += 1 + snprintf(addr->un.sun_path + 1,
					  sizeof(addr->un.sun_path) - 1,
					  "weft-%d-%u", getpid(), port);
}

/* To bind to: any address of an end. */
static inline void any_addr(struct addr *addr, int type, unsigned int port)
{
	if (is_unix(type))
		set_unix_addr(addr, port);
	else
		set_addr(addr, &in6addr_any, port);
}

/* To connect to: the port @port at @end, seen from the other. */
static inline void end_addr(struct addr *addr, enum end end, int type,
			    unsigned int port)
{
	if (is_unix(type))
		set_unix_addr(addr, port);
	else
		set_addr(addr, &road()->node[end], port);
}

static inline unsigned int addr_port(const struct addr *addr)
{
	return ntohs(addr->in6.sin6_port);
}

static inline bool addr_equal(const struct addr *a, const struct addr *b)
{
	return a->len == b->len && !memcmp(a->bytes, b->bytes, a->len);
}

static inline int own_addr(int fd, struct addr *addr)
{
	memset(addr, 0, sizeof(*addr));
	addr->len = sizeof(addr->bytes);
	return getsockname(fd, &addr->sa, &addr->len);
}

static inline int peer_addr(int fd, struct addr *addr)
{
	memset(addr, 0, sizeof(*addr));
	addr->len = sizeof(addr->bytes);
	return getpeername(fd, &addr->sa, &addr->len);
}

static inline int bind_to(int fd, const struct addr *addr)
{
	return bind(fd, &addr->sa, addr->len);
}

static inline int connect_to(int fd, const struct addr *addr)
{
	return connect(fd, &addr->sa, addr->len);
}

static inline ssize_t send_to(int fd, const void *buf, size_t len,
			      const struct addr *addr)
{
	return sendto(fd, buf, len, MSG_NOSIGNAL, &addr->sa, addr->len);
}

/* What led here is told, and not what close() says. Return: -1. */
static inline int give_up(int fd)
{
	int error = errno;

	if (fd >= 0)
		close(fd);
	errno = error;
	return -1;
}

/* A socket bound to a free port of @end; @addr: where the other end finds it */
static inline int bound_socket(enum end end, int type, struct addr *addr)
{
	int fd = end_socket(end, type);

	any_addr(addr, type, 0);
	if (fd < 0 || bind_to(fd, addr) || own_addr(fd, addr))
		return give_up(fd);
	if (!is_unix(type))
		end_addr(addr, end, type, addr_port(addr));
	return fd;
}

static inline int listener(enum end end, int type, int backlog,
			   struct addr *addr)
{
	int fd = bound_socket(end, type, addr);

	return fd >= 0 && listen(fd, backlog) ? give_up(fd) : fd;
}

/* A socket of end A, connected. */
static inline int connected(int type, const struct addr *addr)
{
	int fd = end_socket(END_A, type);

	return fd >= 0 && connect_to(fd, addr) ? give_up(fd) : fd;
}

/* accept() with a deadline. */
static inline int accepted(int fd)
{
	if (!(wait_events(fd, POLLIN) & POLLIN)) {
		errno = ETIMEDOUT;
		return -1;
	}
	return accept(fd, NULL, NULL);
}

/**
 * struct conn - two connected sockets, seen from one of them
 * @listener: that accepted one of them
 * @near: the socket that a test is about
 * @far: its peer
 * @addr: of the listener
 */
struct conn {
	int listener;
	int near;
	int far;
	struct addr addr;
};

/* @accepting: near is the accepted socket. Return: 0 or -1. */
static inline int conn_open(struct conn *conn, int type, bool accepting)
{
	int client, server;

	conn->near = -1;
	conn->far = -1;
	conn->listener = listener(END_B, type, 8, &conn->addr);
	if (conn->listener < 0)
		return -1;
	client = connected(type, &conn->addr);
	server = client < 0 ? -1 : accepted(conn->listener);
	conn->near = accepting ? server : client;
	conn->far = accepting ? client : server;
	return server < 0 ? -1 : 0;
}

static inline void conn_close(struct conn *conn)
{
	close(conn->near);
	close(conn->far);
	close(conn->listener);
}

static inline int set_nonblock(int fd)
{
	return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

static inline int set_int(int fd, int option, int value)
{
	return setsockopt(fd, SOL_SOCKET, option, &value, sizeof(value));
}

/* Return: the option's value, INT_MIN when there is none. */
static inline int get_int(int fd, int option)
{
	socklen_t len = sizeof(int);
	int value;

	if (getsockopt(fd, SOL_SOCKET, option, &value, &len))
		return -0x7fffffff - 1;
	return value;
}

/* Write until the socket takes no more. Return: bytes taken, or -1. */
static inline long fill_up(int fd, size_t piece)
{
	static const char zeros[65536];
	long total = 0;
	ssize_t n;

	for (;;) {
		n = send(fd, zeros, piece, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN ? total : -1;
		total += n;
	}
}

/*
 * Write until no more is taken and stays so: on a wire, what is under way
 * makes room again when it arrives. While something is taken it goes on.
 */
static inline long fill_up_for_good(int fd, size_t piece)
{
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };
	long long end = now_ms() + DEADLINE_MS;
	int quiet_ms = road()->wire ? 500 : 50;
	long total = 0, n;

	do {
		n = fill_up(fd, piece);
		if (n < 0 || (!n && now_ms() > end))
			return -1;
		if (n)
			end = now_ms() + DEADLINE_MS;
		total += n;
	} while (poll(&pfd, 1, quiet_ms) > 0);
	return total;
}

/* Read @len bytes of a stream. Return: bytes read before EOF, error, deadline. */
static inline ssize_t recv_exactly(int fd, void *buf, size_t len)
{
	size_t got = 0;
	ssize_t n;

	while (got < len) {
		if (!wait_events(fd, POLLIN))
			break;
		n = recv(fd, (char *)buf + got, len - got, MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			continue;
		if (n <= 0)
			break;
		got += n;
	}
	return got;
}

/* Receive one message, with a deadline. */
static inline ssize_t recv_one(int fd, void *buf, size_t len)
{
	if (!wait_events(fd, POLLIN)) {
		errno = ETIMEDOUT;
		return -1;
	}
	return recv(fd, buf, len, MSG_DONTWAIT);
}

/* Read and forget @len bytes, or say what ended it. Return: bytes read. */
static inline long drain(int fd, long len)
{
	static char sink[65536];
	long got = 0;
	ssize_t n;

	while (got < len) {
		n = recv_one(fd, sink, sizeof(sink));
		if (n <= 0) {
			fprintf(stderr, "# after %ld of %ld bytes: %s\n", got,
				len, n ? strerror(errno) : "the end");
			break;
		}
		got += n;
	}
	return got;
}

#endif /* WEFT_ROAD_H */
