// SPDX-License-Identifier: GPL-2.0
/*
 * SOCK_DGRAM answers as UDP does.
 *
 * weft-cflags: -pthread
 */
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <linux/net_tstamp.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/udp.h>
#include <sys/ioctl.h>

#include "weft_test.h"

#ifndef SO_RCVMARK
#define SO_RCVMARK	75
#endif

/* UDP over IPv6: 65535 less its header; weft's contract says 65,000. */
#define UDP_MAX		65527

FIXTURE(dgram)
{
	int a;
	int b;
	struct addr addr_a;
	struct addr addr_b;
};

FIXTURE_SETUP(dgram)
{
	ROAD_OR_SKIP();
	self->a = bound_socket(END_A, SOCK_DGRAM, &self->addr_a);
	self->b = bound_socket(END_B, SOCK_DGRAM, &self->addr_b);
	ASSERT_LE(0, self->a);
	ASSERT_LE(0, self->b);
}

FIXTURE_TEARDOWN(dgram)
{
	close(self->a);
	close(self->b);
}

static size_t largest(void)
{
	return road()->oracle ? UDP_MAX : WEFT_DGRAM_MAX;
}

TEST_F(dgram, datagram_arrives)
{
	ASSERT_EQ(5, send_to(self->a, "hello", 5, &self->addr_b));
	EXPECT_MESSAGE(self->b, "hello");
}

TEST_F(dgram, source_address_is_the_senders)
{
	struct addr from = { .len = sizeof(from.bytes) };
	char got[8];

	ASSERT_EQ(1, send_to(self->a, "x", 1, &self->addr_b));
	ASSERT_EQ(POLLIN, wait_events(self->b, POLLIN));
	ASSERT_EQ(1, recvfrom(self->b, got, sizeof(got), 0, &from.sa,
			      &from.len));
	EXPECT_TRUE(addr_equal(&from, &self->addr_a));
}

TEST_F(dgram, answer_goes_to_the_source_address)
{
	struct addr from = { .len = sizeof(from.bytes) };
	char got[8];

	ASSERT_EQ(4, send_to(self->a, "ping", 4, &self->addr_b));
	ASSERT_EQ(POLLIN, wait_events(self->b, POLLIN));
	ASSERT_EQ(4, recvfrom(self->b, got, sizeof(got), 0, &from.sa,
			      &from.len));
	ASSERT_EQ(4, send_to(self->b, "pong", 4, &from));
	EXPECT_MESSAGE(self->a, "pong");
}

TEST_F(dgram, datagrams_stay_apart)
{
	ASSERT_EQ(3, send_to(self->a, "one", 3, &self->addr_b));
	ASSERT_EQ(5, send_to(self->a, "three", 5, &self->addr_b));
	EXPECT_MESSAGE(self->b, "one");
	EXPECT_MESSAGE(self->b, "three");
}

TEST_F(dgram, short_buffer_cuts_the_datagram)
{
	char got[3];
	struct iovec iov = { got, sizeof(got) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	ASSERT_EQ(8, send_to(self->a, "longtext", 8, &self->addr_b));
	ASSERT_EQ(4, send_to(self->a, "next", 4, &self->addr_b));
	ASSERT_EQ(POLLIN, wait_events(self->b, POLLIN));
	ASSERT_EQ(3, recvmsg(self->b, &msg, 0));
	EXPECT_EQ(MSG_TRUNC, msg.msg_flags & MSG_TRUNC);
	EXPECT_MESSAGE(self->b, "next");
}

TEST_F(dgram, trunc_asks_for_the_whole_length)
{
	char got[3];

	ASSERT_EQ(8, send_to(self->a, "longtext", 8, &self->addr_b));
	ASSERT_EQ(POLLIN, wait_events(self->b, POLLIN));
	EXPECT_EQ(8, recv(self->b, got, 3, MSG_TRUNC | MSG_PEEK));
	EXPECT_EQ(8, recv(self->b, got, 3, MSG_TRUNC));
}

TEST_F(dgram, empty_datagram_arrives)
{
	char got;

	ASSERT_EQ(0, send_to(self->a, "", 0, &self->addr_b));
	ASSERT_EQ(4, send_to(self->a, "next", 4, &self->addr_b));
	EXPECT_EQ(0, recv_one(self->b, &got, 1));
	EXPECT_MESSAGE(self->b, "next");
}

TEST_F(dgram, largest_arrives)
{
	size_t len = largest();
	char *buf = malloc(UDP_MAX), *got = malloc(UDP_MAX);

	pattern_fill(buf, len, 3, 0);
	ASSERT_EQ((ssize_t)len, send_to(self->a, buf, len, &self->addr_b));
	ASSERT_EQ((ssize_t)len, recv_one(self->b, got, UDP_MAX));
	EXPECT_TRUE(pattern_is(got, len, 3));
	free(buf);
	free(got);
}

TEST_F(dgram, larger_is_EMSGSIZE)
{
	char *buf = calloc(1, UDP_MAX + 1);

	EXPECT_EQ(EMSGSIZE, ERR(send_to(self->a, buf, largest() + 1,
					&self->addr_b)));
	EXPECT_EQ(EMSGSIZE, ERR(send_to(self->a, buf, UDP_MAX + 1,
					&self->addr_b)));
	free(buf);
}

TEST_F(dgram, every_size_up_to_a_frame_arrives)
{
	unsigned char buf[1500], got[1500];
	ssize_t len;

	for (len = 0; len <= 1460; len += len < 64 ? 1 : 37) {
		pattern_fill(buf, len, len, 0);
		ASSERT_EQ(len, send_to(self->a, buf, len, &self->addr_b));
		ASSERT_EQ(len, recv_one(self->b, got, sizeof(got)));
		ASSERT_TRUE(pattern_is(got, len, len));
	}
}

/* What no frame holds goes in pieces, both ways, whatever is left over. */
TEST_F(dgram, larger_than_a_frame_arrives)
{
	const size_t sizes[] = { 1461, 2920, 2921, 4096, 9000, 20000, 32768,
				 60000, 64800, 64801, 64999 };
	char *buf = malloc(UDP_MAX), *got = malloc(UDP_MAX);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		pattern_fill(buf, sizes[i], i, 0);
		ASSERT_EQ(sizes[i], send_to(self->a, buf, sizes[i],
					    &self->addr_b));
		ASSERT_EQ(sizes[i], recv_one(self->b, got, UDP_MAX));
		ASSERT_TRUE(pattern_is(got, sizes[i], i));
		ASSERT_EQ(sizes[i], send_to(self->b, buf, sizes[i],
					    &self->addr_a));
		ASSERT_EQ(sizes[i], recv_one(self->a, got, UDP_MAX));
		ASSERT_TRUE(pattern_is(got, sizes[i], i));
	}
	free(buf);
	free(got);
}

/* Cut by a reader without room, seen twice, and its length asked for. */
TEST_F(dgram, parts_of_one_in_pieces)
{
	char buf[5000], got[5000];

	pattern_fill(buf, sizeof(buf), 9, 0);
	ASSERT_EQ(5000, send_to(self->a, buf, 5000, &self->addr_b));
	ASSERT_EQ(3, send_to(self->a, "end", 3, &self->addr_b));
	ASSERT_EQ(POLLIN, wait_events(self->b, POLLIN));
	ASSERT_EQ(5000, recv(self->b, got, 5000, MSG_PEEK));
	EXPECT_TRUE(pattern_is(got, 5000, 9));
	EXPECT_EQ(5000, recv(self->b, got, 2000, MSG_TRUNC));
	EXPECT_TRUE(pattern_is(got, 2000, 9));
	EXPECT_MESSAGE(self->b, "end");
}

TEST_F(dgram, unconnected_send_is_EDESTADDRREQ)
{
	EXPECT_EQ(EDESTADDRREQ, ERR(SEND(self->a, "x")));
}

TEST_F(dgram, bad_names_are_EINVAL)
{
	struct addr addr = self->addr_b;

	addr.len = 8;
	EXPECT_EQ(EINVAL, ERR(send_to(self->a, "x", 1, &addr)));
	addr = self->addr_b;
	addr.in6.sin6_port = 0;
	EXPECT_EQ(EINVAL, ERR(send_to(self->a, "x", 1, &addr)));
}

TEST_F(dgram, any_address_is_this_node)
{
	int c = end_socket(END_B, SOCK_DGRAM);
	struct addr addr;

	any_addr(&addr, SOCK_DGRAM, addr_port(&self->addr_b));
	ASSERT_EQ(4, send_to(c, "text", 4, &addr));
	EXPECT_MESSAGE(self->b, "text");
	ASSERT_EQ(0, connect_to(c, &addr));
	ASSERT_EQ(0, peer_addr(c, &addr));
	EXPECT_EQ(0, memcmp(&addr.in6.sin6_addr, &in6addr_loopback, 16));
	close(c);
}

TEST_F(dgram, OOB_is_refused)
{
	char got;

	EXPECT_EQ(expected(EX_DGRAM_OOB),
		  ERR(sendto(self->a, "x", 1, MSG_OOB, &self->addr_b.sa,
			     self->addr_b.len)));
	ASSERT_EQ(1, send_to(self->a, "x", 1, &self->addr_b));
	ASSERT_EQ(POLLIN, wait_events(self->b, POLLIN));
	EXPECT_EQ(expected(EX_DGRAM_OOB),
		  ERR(recv(self->b, &got, 1, MSG_OOB | MSG_DONTWAIT)));
}

TEST_F(dgram, error_queue_is_empty)
{
	char got;

	ASSERT_EQ(1, send_to(self->a, "x", 1, &self->addr_b));
	ASSERT_EQ(POLLIN, wait_events(self->b, POLLIN));
	EXPECT_EQ(EAGAIN, ERR(recv(self->b, &got, 1,
				   MSG_ERRQUEUE | MSG_DONTWAIT)));
	EXPECT_MESSAGE(self->b, "x");
}

TEST_F(dgram, unknown_control_data_is_EINVAL)
{
	char control[CMSG_SPACE(4)] = "";
	struct iovec iov = { "x", 1 };
	struct msghdr msg = {
		.msg_name = &self->addr_b.sa, .msg_namelen = self->addr_b.len,
		.msg_iov = &iov, .msg_iovlen = 1,
	};

	put_unknown_control(&msg, control, sizeof(control));
	EXPECT_EQ(EINVAL, ERR(sendmsg(self->a, &msg, MSG_NOSIGNAL)));
	EXPECT_EQ(0, events_now(self->b, POLLIN));
}

/* Send "marked" with a control message. */
static ssize_t send_with_control(int fd, const struct addr *to, int level,
				 int type, const void *value, size_t len)
{
	char control[CMSG_SPACE(8)] = "";
	struct iovec iov = { "marked", 6 };
	struct msghdr msg = {
		.msg_name = (void *)&to->sa, .msg_namelen = to->len,
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = CMSG_SPACE(len),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_len = CMSG_LEN(len);
	cmsg->cmsg_level = level;
	cmsg->cmsg_type = type;
	memcpy(CMSG_DATA(cmsg), value, len);
	return sendmsg(fd, &msg, MSG_NOSIGNAL);
}

static ssize_t send_with(int fd, const struct addr *to, int type,
			 const void *value, size_t len)
{
	return send_with_control(fd, to, SOL_SOCKET, type, value, len);
}

/* Bytes that are to be several datagrams are not sent as one. */
TEST_F(dgram, UDP_SEGMENT_is_not_overlooked)
{
	const uint16_t size = 3;

	ssize_t n = send_with_control(self->a, &self->addr_b, SOL_UDP,
				      UDP_SEGMENT, &size, sizeof(size));

	EXPECT_EQ(road()->oracle ? 6 : -EIO, n < 0 ? -errno : n);
	EXPECT_EQ(EINVAL, ERR(send_with_control(self->a, &self->addr_b, SOL_UDP,
						9999, &size, sizeof(size))));
	if (!road()->oracle)
		EXPECT_EQ(0, events_now(self->b, POLLIN));
}

/* What marks are seen at: the receiver, or where end A's frames leave. */
static int watch_marks(int receiver)
{
	struct sockaddr_ll sll = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
	};
	int fd = receiver;

	if (road()->wire) {
		if (enter_end(END_A))
			return -1;
		sll.sll_ifindex = if_nametoindex(getenv("WEFT_DEV_A") ?: "a0");
		fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
		if (leave_end(END_A) || bind(fd, (void *)&sll, sizeof(sll)))
			return -1;
	}
	return set_int(fd, SO_RCVMARK, 1) ? -1 : fd;
}

/* The mark of the next that ends with "marked", or -1. */
static int next_mark(int fd)
{
	char control[256], got[2048];
	struct iovec iov = { got, sizeof(got) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cmsg;
	ssize_t n;
	int mark;

	do {
		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		if (wait_events(fd, POLLIN) != POLLIN)
			return -1;
		n = recvmsg(fd, &msg, MSG_DONTWAIT);
	} while (n < 6 || !memmem(got, n, "marked", 6));
	cmsg = CMSG_FIRSTHDR(&msg);
	if (!cmsg || cmsg->cmsg_type != SO_MARK)
		return -1;
	memcpy(&mark, CMSG_DATA(cmsg), sizeof(mark));
	return mark;
}

/* The socket's, unless a control message says otherwise for this one. */
TEST_F(dgram, mark_is_that_of_the_socket_or_of_the_call)
{
	const unsigned int mark = 4711;
	int eye = watch_marks(self->b);

	ASSERT_LE(0, eye);
	ASSERT_EQ(0, set_int(self->a, SO_MARK, 77));
	ASSERT_EQ(6, send_to(self->a, "marked", 6, &self->addr_b));
	EXPECT_EQ(77, next_mark(eye));
	ASSERT_EQ(6, send_with(self->a, &self->addr_b, SO_MARK, &mark, 4));
	EXPECT_EQ(4711, next_mark(eye));
	ASSERT_EQ(6, send_to(self->a, "marked", 6, &self->addr_b));
	EXPECT_EQ(77, next_mark(eye));
	if (eye != self->b)
		close(eye);
}

#define HELD_NS		300000000LL

static long long ns_of(const struct timespec *ts)
{
	return ts->tv_sec * 1000000000LL + ts->tv_nsec;
}

static unsigned long long monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ns_of(&ts);
}

/* Have end A's device hold frames until they are due. */
static int queue_by_time(bool on)
{
	const char *dev = getenv("WEFT_DEV_A") ?: "a0";
	char command[128];
	int err;

	snprintf(command, sizeof(command), "tc qdisc %s dev %s root%s",
		 on ? "replace" : "del", dev, on ? " fq" : "");
	if (enter_end(END_A))
		return -1;
	err = system(command);
	return leave_end(END_A) ?: err;
}

static int take_times(int fd)
{
	struct sock_txtime txtime = { .clockid = CLOCK_MONOTONIC };

	return setsockopt(fd, SOL_SOCKET, SO_TXTIME, &txtime, sizeof(txtime));
}

TEST_F(dgram, time_to_leave_is_kept)
{
	unsigned long long due = monotonic_ns();

	EXPECT_EQ(EINVAL, ERR(send_with(self->a, &self->addr_b, SCM_TXTIME,
					&due, 8)));
	ASSERT_EQ(0, take_times(self->a));
	/* Late already; and the nodes meet. */
	ASSERT_EQ(6, send_with(self->a, &self->addr_b, SCM_TXTIME, &due, 8));
	EXPECT_MESSAGE(self->b, "marked");
	if (!road()->wire)
		return;
	ASSERT_EQ(0, queue_by_time(true));
	due = monotonic_ns() + HELD_NS;
	ASSERT_EQ(6, send_with(self->a, &self->addr_b, SCM_TXTIME, &due, 8));
	ASSERT_EQ(POLLIN, wait_events(self->b, POLLIN));
	EXPECT_LE(due, monotonic_ns());
	EXPECT_MESSAGE(self->b, "marked");
	EXPECT_EQ(0, queue_by_time(false));
}

/* Receive one with SO_TIMESTAMP, and when it came. */
static bool recv_stamped(int fd, struct timeval *came)
{
	char control[256], got[16];
	struct iovec iov = { got, sizeof(got) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;

	if (wait_events(fd, POLLIN) != POLLIN || recvmsg(fd, &msg, 0) < 0)
		return false;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (!cmsg || cmsg->cmsg_type != SCM_TIMESTAMP)
		return false;
	memcpy(came, CMSG_DATA(cmsg), sizeof(*came));
	return true;
}

/* When it came is told, and not when it was to leave, by another clock. */
TEST_F(dgram, time_to_leave_is_not_that_of_arrival)
{
	unsigned long long due = monotonic_ns();
	struct timeval came;

	ASSERT_EQ(0, take_times(self->a));
	ASSERT_EQ(6, send_with(self->a, &self->addr_b, SCM_TXTIME, &due, 8));
	EXPECT_MESSAGE(self->b, "marked");
	ASSERT_EQ(0, set_int(self->b, SO_TIMESTAMP, 1));
	ASSERT_EQ(6, send_with(self->a, &self->addr_b, SCM_TXTIME, &due, 8));
	ASSERT_TRUE(recv_stamped(self->b, &came));
	EXPECT_GE(5, labs(time(NULL) - came.tv_sec));
}

TEST_F(dgram, connected_send_needs_no_address)
{
	ASSERT_EQ(0, connect_to(self->a, &self->addr_b));
	ASSERT_EQ(5, SEND(self->a, "hello"));
	EXPECT_MESSAGE(self->b, "hello");
}

TEST_F(dgram, connected_hears_its_peer_only)
{
	struct addr addr;
	int other = bound_socket(END_B, SOCK_DGRAM, &addr);

	ASSERT_LE(0, other);
	ASSERT_EQ(0, connect_to(self->a, &self->addr_b));
	ASSERT_EQ(8, send_to(other, "stranger", 8, &self->addr_a));
	ASSERT_EQ(6, send_to(self->b, "friend", 6, &self->addr_a));
	EXPECT_MESSAGE(self->a, "friend");
	EXPECT_EQ(0, events_now(self->a, POLLIN));
	close(other);
}

TEST_F(dgram, connected_may_send_elsewhere)
{
	struct addr addr;
	int other = bound_socket(END_B, SOCK_DGRAM, &addr);

	ASSERT_LE(0, other);
	ASSERT_EQ(0, connect_to(self->a, &self->addr_b));
	ASSERT_EQ(5, send_to(self->a, "aside", 5, &addr));
	EXPECT_MESSAGE(other, "aside");
	close(other);
}

TEST_F(dgram, connect_again_changes_the_peer)
{
	struct addr addr, peer;
	int other = bound_socket(END_B, SOCK_DGRAM, &addr);

	ASSERT_LE(0, other);
	ASSERT_EQ(0, connect_to(self->a, &self->addr_b));
	ASSERT_EQ(0, connect_to(self->a, &addr));
	ASSERT_EQ(0, peer_addr(self->a, &peer));
	EXPECT_TRUE(addr_equal(&peer, &addr));
	ASSERT_EQ(3, SEND(self->a, "you"));
	EXPECT_MESSAGE(other, "you");
	close(other);
}

TEST_F(dgram, connect_to_AF_UNSPEC_ends_it)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	struct addr peer;

	ASSERT_EQ(0, connect_to(self->a, &self->addr_b));
	ASSERT_EQ(0, connect(self->a, &none, sizeof(none)));
	EXPECT_EQ(ENOTCONN, ERR(peer_addr(self->a, &peer)));
	EXPECT_EQ(EDESTADDRREQ, ERR(SEND(self->a, "x")));
}

static int disconnect(int fd)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };

	return connect(fd, &none, sizeof(none));
}

static bool is_unnamed(int fd)
{
	struct addr own;

	return !own_addr(fd, &own) && !addr_port(&own) &&
	       !memcmp(&own.in6.sin6_addr, &in6addr_any, 16);
}

/* A port that nobody asked for by its number goes back, and another may come. */
TEST_F(dgram, connect_to_AF_UNSPEC_gives_the_port_back)
{
	int c = end_socket(END_A, SOCK_DGRAM), d = end_socket(END_A, SOCK_DGRAM);
	struct addr own;
	unsigned int port;

	ASSERT_EQ(0, connect_to(c, &self->addr_b));
	ASSERT_EQ(0, own_addr(c, &own));
	port = addr_port(&own);
	ASSERT_EQ(0, disconnect(c));
	EXPECT_TRUE(is_unnamed(c));
	any_addr(&own, SOCK_DGRAM, port);
	EXPECT_EQ(0, ERR(bind_to(d, &own)));
	any_addr(&own, SOCK_DGRAM, 0);
	EXPECT_EQ(0, ERR(bind_to(c, &own)));
	ASSERT_EQ(0, own_addr(c, &own));
	end_addr(&own, END_A, SOCK_DGRAM, addr_port(&own));
	ASSERT_EQ(5, send_to(self->b, "hello", 5, &own));
	EXPECT_MESSAGE(c, "hello");
	ASSERT_EQ(0, connect_to(c, &self->addr_b));
	ASSERT_EQ(0, disconnect(c));
	EXPECT_TRUE(is_unnamed(c));
	ASSERT_EQ(5, send_to(c, "again", 5, &self->addr_b));
	EXPECT_MESSAGE(self->b, "again");
	close(c);
	close(d);
}

TEST_F(dgram, connect_to_AF_UNSPEC_keeps_what_bind_named)
{
	struct addr own;
	int c;

	/* A number that is free. */
	CLOSE(self->a);
	c = end_socket(END_A, SOCK_DGRAM);
	any_addr(&own, SOCK_DGRAM, addr_port(&self->addr_a));
	ASSERT_EQ(0, bind_to(c, &own));
	ASSERT_EQ(0, connect_to(c, &self->addr_b));
	ASSERT_EQ(0, disconnect(c));
	ASSERT_EQ(0, own_addr(c, &own));
	EXPECT_EQ(addr_port(&self->addr_a), addr_port(&own));
	EXPECT_EQ(EINVAL, ERR(bind_to(c, &own)));
	ASSERT_EQ(4, send_to(self->b, "text", 4, &self->addr_a));
	EXPECT_MESSAGE(c, "text");
	close(c);
}

/* The address was asked for, the port was not. */
TEST_F(dgram, connect_to_AF_UNSPEC_keeps_the_address)
{
	int c = end_socket(END_A, SOCK_DGRAM);
	struct addr addr, own;

	set_addr(&addr, &in6addr_loopback, 0);
	ASSERT_EQ(0, bind_to(c, &addr));
	set_addr(&own, &in6addr_loopback, addr_port(&self->addr_a));
	ASSERT_EQ(0, connect_to(c, &own));
	ASSERT_EQ(0, disconnect(c));
	ASSERT_EQ(0, own_addr(c, &own));
	EXPECT_TRUE(addr_equal(&addr, &own));
	close(c);
}

TEST_F(dgram, connect_to_AF_UNSPEC_forgets_the_device)
{
	char name[IFNAMSIZ] = "";
	socklen_t len = sizeof(name);
	int c = end_socket(END_A, SOCK_DGRAM);

	ASSERT_EQ(0, setsockopt(c, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
	ASSERT_EQ(0, disconnect(c));
	ASSERT_EQ(0, getsockopt(c, SOL_SOCKET, SO_BINDTODEVICE, name, &len));
	EXPECT_EQ(0, strcmp("", name));
	close(c);
}

/* Is a socket that connects to @to called what @b sees as the sender? */
static bool is_named_as_seen(int b, const struct addr *to)
{
	struct addr own, from = { .len = sizeof(from.bytes) };
	int c = connected(SOCK_DGRAM, to);
	char got[8];
	bool same;

	same = c >= 0 && !own_addr(c, &own) && SEND(c, "x") == 1 &&
	       wait_events(b, POLLIN) == POLLIN &&
	       recvfrom(b, got, sizeof(got), 0, &from.sa, &from.len) == 1 &&
	       addr_equal(&own, &from);
	same = same && !disconnect(c) && is_unnamed(c);
	close(c);
	return same;
}

TEST_F(dgram, connected_knows_its_address)
{
	struct addr self_b;

	EXPECT_TRUE(is_named_as_seen(self->b, &self->addr_b));
	if (road()->wire)
		return;
	set_addr(&self_b, &in6addr_loopback, addr_port(&self->addr_b));
	EXPECT_TRUE(is_named_as_seen(self->b, &self_b));
	set_addr(&self_b, &in6addr_any, addr_port(&self->addr_b));
	EXPECT_TRUE(is_named_as_seen(self->b, &self_b));
}

/* UDP asks its routes, which are the machine's; the peer from before stays. */
TEST_F(dgram, connect_to_no_node_is_EHOSTUNREACH)
{
	struct in6_addr node = { .s6_addr = { 0x20, 0x01, 0x0d, 0xb8, 1 } };
	struct addr to;

	ONLY_IF(!road()->oracle);
	set_addr(&to, &node, 1);
	EXPECT_EQ(EHOSTUNREACH, ERR(send_to(self->a, "x", 1, &to)));
	ASSERT_EQ(0, connect_to(self->a, &self->addr_b));
	EXPECT_EQ(EHOSTUNREACH, ERR(connect_to(self->a, &to)));
	ASSERT_EQ(4, SEND(self->a, "text"));
	EXPECT_MESSAGE(self->b, "text");
}

TEST_F(dgram, connect_of_one_bound_to_loopback_is_EINVAL)
{
	struct in6_addr node = { .s6_addr = { 0xfd, 'w', 'e', 'f', 't', 0, 1 } };
	int c = end_socket(END_A, SOCK_DGRAM);
	struct addr to;

	ONLY_IF(!road()->oracle);
	set_addr(&to, &in6addr_loopback, 0);
	ASSERT_EQ(0, bind_to(c, &to));
	set_addr(&to, &node, 1);
	EXPECT_EQ(EINVAL, ERR(send_to(c, "x", 1, &to)));
	EXPECT_EQ(EINVAL, ERR(connect_to(c, &to)));
	EXPECT_EQ(ENOTCONN, ERR(peer_addr(c, &to)));
	close(c);
}

/* A datagram came, and then an answer that nobody is there. */
TEST_F(dgram, an_error_comes_before_data)
{
	char got[8];

	ASSERT_EQ(0, connect_to(self->a, &self->addr_b));
	ASSERT_EQ(4, send_to(self->b, "data", 4, &self->addr_a));
	ASSERT_EQ(POLLIN, wait_events(self->a, POLLIN));
	CLOSE(self->b);
	ASSERT_EQ(1, SEND(self->a, "x"));
	ASSERT_TRUE(wait_all_events(self->a, POLLERR));
	EXPECT_EQ(ECONNREFUSED, ERR(recv(self->a, got, sizeof(got), MSG_PEEK)));
	EXPECT_MESSAGE(self->a, "data");
	ASSERT_EQ(1, SEND(self->a, "x"));
	ASSERT_TRUE(wait_all_events(self->a, POLLERR));
	EXPECT_EQ(ECONNREFUSED, ERR(recv(self->a, got, sizeof(got), 0)));
}

TEST_F(dgram, connected_to_nobody_is_ECONNREFUSED_once)
{
	CLOSE(self->b);
	ASSERT_EQ(0, connect_to(self->a, &self->addr_b));
	ASSERT_EQ(1, SEND(self->a, "x"));
	EXPECT_EQ(POLLERR, wait_events(self->a, 0) & POLLERR);
	EXPECT_EQ(ECONNREFUSED, get_int(self->a, SO_ERROR));
	EXPECT_EQ(0, get_int(self->a, SO_ERROR));
}

TEST_F(dgram, large_to_nobody_is_ECONNREFUSED)
{
	static const char zeros[5000];

	CLOSE(self->b);
	ASSERT_EQ(0, connect_to(self->a, &self->addr_b));
	ASSERT_EQ(5000, send(self->a, zeros, sizeof(zeros), 0));
	ASSERT_EQ(POLLERR, wait_events(self->a, 0) & POLLERR);
	EXPECT_EQ(ECONNREFUSED, ERR(SEND(self->a, "x")));
}

TEST_F(dgram, blocked_recv_learns_ECONNREFUSED)
{
	char got;

	CLOSE(self->b);
	ASSERT_EQ(0, connect_to(self->a, &self->addr_b));
	ASSERT_EQ(1, SEND(self->a, "x"));
	EXPECT_EQ(ECONNREFUSED, ERR(recv(self->a, &got, 1, 0)));
}

TEST_F(dgram, unconnected_to_nobody_is_silent)
{
	int c = end_socket(END_A, SOCK_DGRAM);
	struct addr addr = self->addr_b;

	CLOSE(self->b);
	ASSERT_EQ(1, send_to(c, "x", 1, &addr));
	/* a's round trip proves that the answer, if any, is here */
	ASSERT_EQ(0, connect_to(self->a, &addr));
	ASSERT_EQ(1, SEND(self->a, "x"));
	ASSERT_EQ(POLLERR, wait_events(self->a, 0) & POLLERR);
	EXPECT_EQ(0, get_int(c, SO_ERROR));
	close(c);
}

TEST_F(dgram, first_send_names_the_socket)
{
	int c = end_socket(END_A, SOCK_DGRAM);
	struct addr addr;

	ASSERT_EQ(0, own_addr(c, &addr));
	EXPECT_EQ(0, addr_port(&addr));
	ASSERT_EQ(1, send_to(c, "x", 1, &self->addr_b));
	ASSERT_EQ(0, own_addr(c, &addr));
	EXPECT_NE(0, addr_port(&addr));
	close(c);
}

TEST_F(dgram, full_receiver_drops_and_never_blocks)
{
	char buf[1000] = "";
	long got = 0;
	int i;

	ASSERT_EQ(0, set_int(self->b, SO_RCVBUF, 8192));
	for (i = 0; i < 1000; i++) {
		ssize_t n = send_to(self->a, buf, sizeof(buf), &self->addr_b);

		ASSERT_EQ((ssize_t)sizeof(buf), n);
	}
	ASSERT_EQ(POLLIN, wait_events(self->b, POLLIN));
	while (recv(self->b, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		got++;
	EXPECT_LT(0, got);
	EXPECT_GT(1000, got);
	ASSERT_EQ(4, send_to(self->a, "next", 4, &self->addr_b));
	EXPECT_LT(0, recv_one(self->b, buf, sizeof(buf)));
}

TEST_F(dgram, two_senders_are_told_apart)
{
	struct addr from = { .len = sizeof(from.bytes) }, addr;
	int other = bound_socket(END_A, SOCK_DGRAM, &addr);
	char got;

	ASSERT_EQ(1, send_to(other, "o", 1, &self->addr_b));
	ASSERT_EQ(POLLIN, wait_events(self->b, POLLIN));
	ASSERT_EQ(1, recvfrom(self->b, &got, 1, 0, &from.sa, &from.len));
	EXPECT_TRUE(addr_equal(&from, &addr));
	EXPECT_FALSE(addr_equal(&from, &self->addr_a));
	close(other);
}

TEST_F(dgram, no_datagram_is_EAGAIN)
{
	char got;

	EXPECT_EQ(EAGAIN, ERR(recv(self->a, &got, 1, MSG_DONTWAIT)));
	EXPECT_EQ(EAGAIN, ERR(recv(self->a, &got, 1, MSG_DONTWAIT | MSG_PEEK)));
}

TEST_F(dgram, poll_says_readable_and_writable)
{
	EXPECT_EQ(POLLOUT, events_now(self->b, POLLIN | POLLOUT));
	ASSERT_EQ(1, send_to(self->a, "x", 1, &self->addr_b));
	ASSERT_EQ(POLLIN, wait_events(self->b, POLLIN));
	EXPECT_MESSAGE(self->b, "x");
	EXPECT_EQ(POLLOUT, events_now(self->b, POLLIN | POLLOUT));
}

static long recv_byte(void *arg)
{
	char got;

	return recv(*(int *)arg, &got, 1, 0);
}

TEST_F(dgram, blocked_recv_is_woken)
{
	struct task task;

	ASSERT_EQ(0, task_start(&task, recv_byte, &self->b));
	ASSERT_TRUE(task_wait_asleep(&task));
	ASSERT_EQ(1, send_to(self->a, "x", 1, &self->addr_b));
	ASSERT_TRUE(task_join(&task));
	EXPECT_EQ(1, task.result);
}

#define READERS	4

/* Whoever sleeps is woken once: each must look again for itself. */
TEST_F(dgram, several_readers_get_one_each)
{
	struct task readers[READERS] = {};
	int round, i;

	for (round = 0; round < 20; round++) {
		for (i = 0; i < READERS; i++)
			ASSERT_EQ(0, task_start(&readers[i], recv_byte,
						&self->b));
		for (i = 0; i < READERS; i++)
			ASSERT_TRUE(task_wait_asleep(&readers[i]));
		for (i = 0; i < READERS; i++)
			ASSERT_EQ(1, send_to(self->a, "x", 1, &self->addr_b));
		for (i = 0; i < READERS; i++) {
			ASSERT_TRUE(task_join(&readers[i]));
			EXPECT_EQ(1, readers[i].result);
		}
	}
}

struct turns {
	int fd;
	struct addr to[2];
	volatile bool stop;
};

static long call_connect_in_turn(void *arg)
{
	struct turns *turns = arg;
	unsigned int n = 0;

	while (!turns->stop)
		if (connect_to(turns->fd, &turns->to[n++ % 2]))
			return -1;
	return n;
}

/* A send goes to one peer or to the other, and is never without. */
TEST_F(dgram, connecting_anew_while_it_sends)
{
	struct turns turns = { .fd = self->a };
	struct task task = {};
	int c, n, failed = 0;

	c = bound_socket(END_B, SOCK_DGRAM, &turns.to[1]);
	ASSERT_LE(0, c);
	turns.to[0] = self->addr_b;
	ASSERT_EQ(0, connect_to(self->a, &turns.to[0]));
	ASSERT_EQ(0, task_start(&task, call_connect_in_turn, &turns));
	for (n = 0; n < 20000; n++)
		failed += send(self->a, "x", 1, 0) != 1;
	turns.stop = true;
	ASSERT_TRUE(task_join(&task));
	EXPECT_LT(0, task.result);
	EXPECT_EQ(0, failed);
	EXPECT_MESSAGE(self->b, "x");
	EXPECT_MESSAGE(c, "x");
	close(c);
}

/* A connected sender knows its receiver from the last time; another is there now. */
TEST_F(dgram, who_has_the_port_now_gets_it)
{
	ASSERT_EQ(0, connect_to(self->a, &self->addr_b));
	ASSERT_EQ(3, send(self->a, "one", 3, 0));
	ASSERT_EQ(3, send(self->a, "two", 3, 0));
	EXPECT_MESSAGE(self->b, "one");
	EXPECT_MESSAGE(self->b, "two");
	close(self->b);
	self->b = end_socket(END_B, SOCK_DGRAM);
	ASSERT_EQ(0, bind_to(self->b, &self->addr_b));
	ASSERT_EQ(5, send(self->a, "three", 5, 0));
	EXPECT_MESSAGE(self->b, "three");
	EXPECT_EQ(EAGAIN, ERR(recv(self->b, (char[8]){}, 8, MSG_DONTWAIT)));
}

TEST_F(dgram, who_has_left_gets_it_no_more)
{
	int i;

	ASSERT_EQ(0, connect_to(self->a, &self->addr_b));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(3, send(self->a, "one", 3, 0));
		EXPECT_MESSAGE(self->b, "one");
	}
	close(self->b);
	self->b = -1;
	ASSERT_EQ(4, send(self->a, "lost", 4, 0));
	ASSERT_EQ(POLLERR, wait_events(self->a, POLLERR) & POLLERR);
	EXPECT_EQ(ECONNREFUSED, ERR(SEND(self->a, "x")));
}

/* A filter that comes after the first datagrams sees the next: odd ones pass. */
TEST_F(dgram, who_filters_gets_what_passes)
{
	struct sock_filter odd[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 1, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, ~0U),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog fprog = { .len = ARRAY_SIZE(odd), .filter = odd };
	int i;

	ASSERT_EQ(0, connect_to(self->a, &self->addr_b));
	for (i = 0; i < 8; i++) {
		ASSERT_EQ(4, send(self->a, "even", 4, 0));
		EXPECT_MESSAGE(self->b, "even");
	}
	ASSERT_EQ(0, setsockopt(self->b, SOL_SOCKET, SO_ATTACH_FILTER, &fprog,
				sizeof(fprog)));
	for (i = 0; i < 8; i++) {
		ASSERT_EQ(4, send(self->a, "lost", 4, 0));
		ASSERT_EQ(3, send(self->a, "odd", 3, 0));
		EXPECT_MESSAGE(self->b, "odd");
	}
}

/* What a filter leaves of it is all that there is; UDP's sees the header, too. */
TEST_F(dgram, who_filters_may_cut_it)
{
	unsigned int header = road()->oracle ? 8 : 0;
	struct sock_filter three[] = { BPF_STMT(BPF_RET | BPF_K, header + 3) };
	struct sock_fprog fprog = { .len = 1, .filter = three };
	char got[8];
	int i;

	ASSERT_EQ(0, setsockopt(self->b, SOL_SOCKET, SO_ATTACH_FILTER, &fprog,
				sizeof(fprog)));
	for (i = 0; i < 8; i++) {
		ASSERT_EQ(8, send_to(self->a, "longtext", 8, &self->addr_b));
		ASSERT_EQ(POLLIN, wait_events(self->b, POLLIN));
		EXPECT_EQ(3, recv(self->b, got, sizeof(got), MSG_TRUNC));
		EXPECT_EQ(0, memcmp(got, "lon", 3));
	}
}

static int reusing_socket(enum end end)
{
	int fd = end_socket(end, SOCK_DGRAM);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	return fd;
}

/* One that is connected to the sender suits it better than one that is not. */
TEST_F(dgram, who_suits_better_gets_it_from_then_on)
{
	int c = reusing_socket(END_B);

	close(self->b);
	self->b = reusing_socket(END_B);
	ASSERT_EQ(0, bind_to(self->b, &self->addr_b));
	ASSERT_EQ(0, connect_to(self->a, &self->addr_b));
	ASSERT_EQ(3, send(self->a, "one", 3, 0));
	EXPECT_MESSAGE(self->b, "one");
	ASSERT_EQ(0, bind_to(c, &self->addr_b));
	ASSERT_EQ(0, connect_to(c, &self->addr_a));
	ASSERT_EQ(3, send(self->a, "two", 3, 0));
	EXPECT_MESSAGE(c, "two");
	close(c);
	ASSERT_EQ(5, send(self->a, "three", 5, 0));
	EXPECT_MESSAGE(self->b, "three");
}

TEST_F(dgram, who_turned_to_another_gets_it_no_more)
{
	struct addr addr_c;
	int c = bound_socket(END_A, SOCK_DGRAM, &addr_c);

	ASSERT_LE(0, c);
	ASSERT_EQ(0, connect_to(self->a, &self->addr_b));
	ASSERT_EQ(3, send(self->a, "one", 3, 0));
	EXPECT_MESSAGE(self->b, "one");
	ASSERT_EQ(0, connect_to(self->b, &addr_c));
	ASSERT_EQ(4, send(self->a, "lost", 4, 0));
	ASSERT_EQ(3, send_to(c, "two", 3, &self->addr_b));
	EXPECT_MESSAGE(self->b, "two");
	EXPECT_EQ(EAGAIN, ERR(recv(self->b, (char[8]){}, 8, MSG_DONTWAIT)));
	close(c);
}

struct guests {
	struct addr addr;
	volatile bool stop;
};

/* Sockets that have the port one after the other, as fast as they can. */
static long call_come_and_go(void *arg)
{
	struct guests *guests = arg;
	unsigned int n = 0;
	int fd;

	while (!guests->stop) {
		fd = end_socket(END_B, SOCK_DGRAM);
		if (fd < 0 || bind_to(fd, &guests->addr))
			return -1;
		recv(fd, (char[8]){}, 8, MSG_DONTWAIT);
		close(fd);
		n++;
	}
	return n;
}

/* What was under way may come to whoever is there; the last of them is found. */
TEST_F(dgram, receivers_come_and_go_while_it_sends)
{
	struct guests guests = { .addr = self->addr_b };
	long long end = now_ms() + 3000;
	struct task task = {};
	int n, failed = 0;
	char got[8];

	ASSERT_EQ(0, connect_to(self->a, &self->addr_b));
	close(self->b);
	ASSERT_EQ(0, task_start(&task, call_come_and_go, &guests));
	for (n = 0; n < 20000 && now_ms() < end; n++)
		failed += send(self->a, "x", 1, 0) != 1 &&
			  errno != ECONNREFUSED;
	guests.stop = true;
	ASSERT_TRUE(task_join(&task));
	EXPECT_LT(0, task.result);
	EXPECT_EQ(0, failed);
	self->b = end_socket(END_B, SOCK_DGRAM);
	ASSERT_EQ(0, bind_to(self->b, &self->addr_b));
	/* There may have been no room for one. */
	do {
		while (send(self->a, "last", 4, 0) != 4)
			ASSERT_EQ(ECONNREFUSED, errno);
		n = recv_one(self->b, got, sizeof(got));
	} while (n == 1);
	EXPECT_EQ(4, n);
}

TEST_F(dgram, shutdown_of_unconnected_is_ENOTCONN)
{
	EXPECT_EQ(ENOTCONN, ERR(shutdown(self->a, SHUT_WR)));
}

TEST_F(dgram, shutdown_of_sending_is_EPIPE)
{
	ASSERT_EQ(0, connect_to(self->a, &self->addr_b));
	ASSERT_EQ(0, shutdown(self->a, SHUT_WR));
	EXPECT_EQ(EPIPE, ERR(SEND(self->a, "x")));
}

TEST_F(dgram, shutdown_of_receiving_is_the_end)
{
	struct task task;

	ASSERT_EQ(0, connect_to(self->b, &self->addr_a));
	ASSERT_EQ(0, task_start(&task, recv_byte, &self->b));
	ASSERT_TRUE(task_wait_asleep(&task));
	ASSERT_EQ(0, shutdown(self->b, SHUT_RD));
	ASSERT_TRUE(task_join(&task));
	EXPECT_EQ(0, task.result);
}

/* It is the end for who waits; who does not wait is told that nothing is there. */
TEST_F(dgram, nothing_after_shutdown_of_receiving)
{
	char got[8];

	ASSERT_EQ(0, connect_to(self->b, &self->addr_a));
	ASSERT_EQ(0, shutdown(self->b, SHUT_RD));
	EXPECT_EQ(EAGAIN, ERR(recv(self->b, got, sizeof(got), MSG_DONTWAIT)));
	EXPECT_EQ(0, recv(self->b, got, sizeof(got), 0));
	ASSERT_EQ(4, send_to(self->a, "text", 4, &self->addr_b));
	EXPECT_EQ(4, recv_exactly(self->b, got, 4));
	EXPECT_EQ(EAGAIN, ERR(recv(self->b, got, sizeof(got), MSG_DONTWAIT)));
}

TEST_F(dgram, listen_and_accept_are_EOPNOTSUPP)
{
	EXPECT_EQ(EOPNOTSUPP, ERR(listen(self->a, 1)));
	EXPECT_EQ(EOPNOTSUPP, ERR(accept(self->a, NULL, NULL)));
}

TEST_F(dgram, taken_port_is_EADDRINUSE)
{
	int c = end_socket(END_A, SOCK_DGRAM);
	struct addr addr;

	any_addr(&addr, SOCK_DGRAM, addr_port(&self->addr_a));
	EXPECT_EQ(EADDRINUSE, ERR(bind_to(c, &addr)));
	close(c);
}

TEST_F(dgram, bind_again_is_EINVAL)
{
	struct addr addr;

	any_addr(&addr, SOCK_DGRAM, 0);
	EXPECT_EQ(EINVAL, ERR(bind_to(self->a, &addr)));
}

TEST_F(dgram, stream_ports_are_another_space)
{
	struct addr addr;
	int fd = end_socket(END_A, SOCK_STREAM);

	any_addr(&addr, SOCK_STREAM, addr_port(&self->addr_a));
	EXPECT_EQ(0, ERR(bind_to(fd, &addr)));
	close(fd);
}

TEST_F(dgram, arrival_time_is_told)
{
	char got[8], control[256];
	struct iovec iov = { got, sizeof(got) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;

	ASSERT_EQ(0, set_int(self->b, SO_TIMESTAMP, 1));
	ASSERT_EQ(1, send_to(self->a, "x", 1, &self->addr_b));
	ASSERT_EQ(POLLIN, wait_events(self->b, POLLIN));
	ASSERT_EQ(1, recvmsg(self->b, &msg, 0));
	cmsg = CMSG_FIRSTHDR(&msg);
	ASSERT_NE(NULL, cmsg);
	EXPECT_EQ(SOL_SOCKET, cmsg->cmsg_level);
	EXPECT_EQ(SCM_TIMESTAMP, cmsg->cmsg_type);
}

/**
 * struct stamping - a datagram from @a to @b, and what is told of its arrival
 * @level: as struct cmsghdr
 * @type: likewise
 */
struct stamping {
	int a;
	int b;
	const struct addr *to;
	int level;
	int type;
};

/* The kernel begins to look at the clock some time after it was told to. */
static bool is_stamped(void *arg)
{
	const struct stamping *st = arg;
	char control[256], got;
	struct iovec iov = { &got, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;

	if (send_to(st->a, "x", 1, st->to) != 1 ||
	    wait_events(st->b, POLLIN) != POLLIN || recvmsg(st->b, &msg, 0) != 1)
		return false;
	cmsg = CMSG_FIRSTHDR(&msg);
	return cmsg && cmsg->cmsg_level == st->level &&
	       cmsg->cmsg_type == st->type;
}

TEST_F(dgram, arrival_time_is_told_by_TIMESTAMPING)
{
	struct stamping st = { self->a, self->b, &self->addr_b,
			       SOL_SOCKET, SCM_TIMESTAMPING };

	ASSERT_EQ(0, set_int(self->b, SO_TIMESTAMPING,
			     SOF_TIMESTAMPING_RX_SOFTWARE |
			     SOF_TIMESTAMPING_SOFTWARE));
	EXPECT_TRUE(eventually(is_stamped, &st));
}

/* Does the socket say that it came before it was read? */
static bool is_stamped_before(void *arg)
{
	const struct stamping *st = arg;
	struct timespec came, read;
	char got;

	if (send_to(st->a, "x", 1, st->to) != 1 ||
	    wait_events(st->b, POLLIN) != POLLIN)
		return false;
	clock_gettime(CLOCK_REALTIME, &read);
	return recv(st->b, &got, 1, 0) == 1 &&
	       !ioctl(st->b, SIOCGSTAMPNS, &came) && ns_of(&came) <= ns_of(&read);
}

TEST_F(dgram, arrival_time_is_told_by_an_ioctl)
{
	struct stamping st = { .a = self->a, .b = self->b, .to = &self->addr_b };
	struct timespec ts;

	EXPECT_EQ(ENOENT, ERR(ioctl(self->b, SIOCGSTAMPNS, &ts)));
	EXPECT_TRUE(eventually(is_stamped_before, &st));
}

TEST(own_loopback_address)
{
	struct addr addr, to;
	int a, b;

	ROAD_OR_SKIP();
	b = bound_socket(END_B, SOCK_DGRAM, &addr);
	a = end_socket(END_B, SOCK_DGRAM);
	ASSERT_LE(0, a);
	set_addr(&to, &in6addr_loopback, addr_port(&addr));
	ASSERT_EQ(5, send_to(a, "hello", 5, &to));
	EXPECT_MESSAGE(b, "hello");
	close(a);
	close(b);
}

TEST(bound_to_loopback_hears_its_node_only)
{
	struct addr addr, own;
	int a, b;

	ROAD_OR_SKIP();
	b = end_socket(END_B, SOCK_DGRAM);
	set_addr(&addr, &in6addr_loopback, 0);
	ASSERT_EQ(0, bind_to(b, &addr));
	ASSERT_EQ(0, own_addr(b, &own));
	a = end_socket(END_A, SOCK_DGRAM);
	if (road()->wire)
		end_addr(&own, END_B, SOCK_DGRAM, addr_port(&own));
	ASSERT_EQ(0, connect_to(a, &own));
	ASSERT_EQ(1, SEND(a, "x"));
	if (road()->wire) {
		EXPECT_EQ(ECONNREFUSED, ERR(recv(a, &own, 1, 0)));
		EXPECT_EQ(0, events_now(b, POLLIN));
	} else {
		EXPECT_MESSAGE(b, "x");
	}
	close(a);
	close(b);
}

TEST_HARNESS_MAIN
