// SPDX-License-Identifier: GPL-2.0
/*
 * Socket options, names and ioctls: their values, and that not a byte more
 * than asked for is written, nor one left as it was in the kernel.
 *
 * weft-cflags: -pthread
 */
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "weft_test.h"
#include "peer.h"

CONN_FIXTURE()
CONN_VARIANT(stream_client, SOCK_STREAM, false);
CONN_VARIANT(stream_server, SOCK_STREAM, true);
CONN_VARIANT(seqpacket_client, SOCK_SEQPACKET, false);
CONN_VARIANT(seqpacket_server, SOCK_SEQPACKET, true);

TEST_F(conn, what_it_is)
{
	int family = is_unix(variant->type) ? AF_UNIX : road()->family;
	bool tcp = road()->oracle && variant->type == SOCK_STREAM;

	EXPECT_EQ(variant->type, get_int(self->near, SO_TYPE));
	EXPECT_EQ(family, get_int(self->near, SO_DOMAIN));
	EXPECT_EQ(tcp ? IPPROTO_TCP : 0, get_int(self->near, SO_PROTOCOL));
	EXPECT_EQ(0, get_int(self->near, SO_ERROR));
}

TEST_F(conn, ACCEPTCONN_is_the_listeners)
{
	EXPECT_EQ(0, get_int(self->near, SO_ACCEPTCONN));
	EXPECT_EQ(1, get_int(self->conn.listener, SO_ACCEPTCONN));
}

TEST_F(conn, buffer_sizes_are_doubled_and_bounded)
{
	const int options[] = { SO_RCVBUF, SO_SNDBUF };
	int i, old;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, set_int(self->near, options[i], 50000));
		EXPECT_EQ(100000, get_int(self->near, options[i]));
		ASSERT_EQ(0, set_int(self->near, options[i], 1));
		EXPECT_LT(1000, get_int(self->near, options[i]));
		old = get_int(self->near, options[i]);
		ASSERT_EQ(0, set_int(self->near, options[i], INT_MAX));
		EXPECT_LT(old, get_int(self->near, options[i]));
	}
}

TEST_F(conn, small_buffers_still_carry)
{
	ASSERT_EQ(0, set_int(self->near, SO_SNDBUF, 1));
	ASSERT_EQ(0, set_int(self->far, SO_RCVBUF, 1));
	ASSERT_EQ(4, SEND(self->near, "text"));
	EXPECT_MESSAGE(self->far, "text");
}

TEST_F(conn, switches_are_kept)
{
	const int options[] = { SO_REUSEADDR, SO_KEEPALIVE, SO_OOBINLINE,
				SO_TIMESTAMP };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(options); i++) {
		EXPECT_EQ(0, get_int(self->near, options[i]));
		EXPECT_EQ(0, ERR(set_int(self->near, options[i], 1)));
		EXPECT_EQ(1, get_int(self->near, options[i]));
		EXPECT_EQ(0, ERR(set_int(self->near, options[i], 0)));
		EXPECT_EQ(0, get_int(self->near, options[i]));
	}
}

TEST_F(conn, priority_and_mark_are_kept)
{
	ASSERT_EQ(0, set_int(self->near, SO_PRIORITY, 5));
	EXPECT_EQ(5, get_int(self->near, SO_PRIORITY));
	ASSERT_EQ(0, set_int(self->near, SO_MARK, 77));
	EXPECT_EQ(77, get_int(self->near, SO_MARK));
	ASSERT_EQ(4, SEND(self->near, "text"));
	EXPECT_MESSAGE(self->far, "text");
}

TEST_F(conn, RCVTIMEO_ends_recv)
{
	/* An emulated clock may jump by some ticks: half of it is proof. */
	struct timeval tv = { .tv_usec = 400000 }, got;
	socklen_t len = sizeof(got);
	long long start = now_ms();
	char byte;

	ASSERT_EQ(0, setsockopt(self->near, SOL_SOCKET, SO_RCVTIMEO, &tv,
				sizeof(tv)));
	EXPECT_EQ(EAGAIN, ERR(recv(self->near, &byte, 1, 0)));
	EXPECT_LE(200, now_ms() - start);
	ASSERT_EQ(0, getsockopt(self->near, SOL_SOCKET, SO_RCVTIMEO, &got,
				&len));
	EXPECT_EQ(0, got.tv_sec);
	EXPECT_LE(400000, got.tv_usec);
}

TEST_F(conn, SNDTIMEO_ends_send)
{
	static const char big[1 << 20];
	struct timeval tv = { .tv_usec = 50000 };
	size_t piece = variant->type == SOCK_STREAM ? sizeof(big) : 4000;
	ssize_t n;

	ASSERT_EQ(0, setsockopt(self->near, SOL_SOCKET, SO_SNDTIMEO, &tv,
				sizeof(tv)));
	do {
		n = send(self->near, big, piece, MSG_NOSIGNAL);
	} while (n > 0);
	EXPECT_EQ(-1, n);
	EXPECT_EQ(EAGAIN, errno);
}

TEST_F(conn, RCVLOWAT_holds_poll_back)
{
	ASSERT_EQ(0, set_int(self->near, SO_RCVLOWAT, 4));
	EXPECT_EQ(4, get_int(self->near, SO_RCVLOWAT));
	if (variant->type != SOCK_STREAM)
		return;
	ASSERT_EQ(3, SEND(self->far, "abc"));
	EXPECT_EQ(0, poll(&(struct pollfd){ self->near, POLLIN, 0 }, 1, 50));
	ASSERT_EQ(1, SEND(self->far, "d"));
	EXPECT_EQ(POLLIN, wait_events(self->near, POLLIN));
	EXPECT_MESSAGE(self->near, "abcd");
}

struct receiving {
	int fd;
	char buf[16];
};

static long recv_some(void *arg)
{
	struct receiving *r = arg;

	return recv(r->fd, r->buf, sizeof(r->buf), 0);
}

TEST_F(conn, RCVLOWAT_holds_recv_back)
{
	struct receiving r = { .fd = self->near };
	struct task task;

	ONLY_IF(variant->type == SOCK_STREAM);
	ASSERT_EQ(0, set_int(self->near, SO_RCVLOWAT, 4));
	ASSERT_EQ(0, task_start(&task, recv_some, &r));
	ASSERT_TRUE(task_wait_asleep(&task));
	ASSERT_EQ(3, SEND(self->far, "abc"));
	ASSERT_TRUE(task_wait_asleep(&task));
	ASSERT_EQ(1, SEND(self->far, "d"));
	ASSERT_TRUE(task_join(&task));
	EXPECT_EQ(4, task.result);
}

static long send_for_long(void *arg)
{
	static const char zeros[4 << 20];

	return send(*(int *)arg, zeros, sizeof(zeros), MSG_NOSIGNAL);
}

/*
 * Of a buffer that was small when it was filled: what is waited for comes. TCP's
 * window does not open without a reader where the program has set SO_RCVBUF.
 */
TEST_F(conn, RCVLOWAT_of_a_buffer_that_became_larger)
{
	struct task task;

	ONLY_IF(variant->type == SOCK_STREAM && !road()->oracle);
	ASSERT_EQ(0, set_int(self->far, SO_RCVBUF, 8192));
	ASSERT_EQ(0, task_start(&task, send_for_long, &self->near));
	ASSERT_TRUE(task_wait_asleep(&task));
	ASSERT_EQ(0, set_int(self->far, SO_RCVBUFFORCE, 4 << 20));
	ASSERT_EQ(0, set_int(self->far, SO_RCVLOWAT, 1 << 20));
	EXPECT_EQ(POLLIN, wait_events(self->far, POLLIN));
	/* The rest is less. */
	ASSERT_EQ(0, set_int(self->far, SO_RCVLOWAT, 1));
	EXPECT_EQ(4 << 20, drain(self->far, 4 << 20));
	ASSERT_TRUE(task_join(&task));
	EXPECT_EQ(4 << 20, task.result);
}

/* As getpeername(), of what was never connected. */
TEST_F(conn, PEERNAME_is_that_of_a_connection)
{
	int fd = end_socket(END_A, variant->type);
	struct addr peer, name = { .len = sizeof(name.bytes) };

	EXPECT_EQ(ENOTCONN, ERR(getsockopt(fd, SOL_SOCKET, SO_PEERNAME,
					   name.bytes, &name.len)));
	ASSERT_EQ(0, peer_addr(self->near, &peer));
	name.len = peer.len;
	EXPECT_EQ(0, getsockopt(self->near, SOL_SOCKET, SO_PEERNAME,
				name.bytes, &name.len));
	EXPECT_TRUE(addr_equal(&peer, &name));
	close(fd);
}

/*
 * Else writer and reader would wait for each other: writes to two sockets in
 * turn need more memory than they have bytes.
 */
TEST_F(conn, RCVLOWAT_gives_way_to_a_full_buffer)
{
	struct conn other;
	ssize_t n = 1;
	char got[64];

	ONLY_IF(variant->type == SOCK_STREAM);
	ASSERT_EQ(0, conn_open(&other, variant->type, variant->accepting));
	ASSERT_EQ(0, set_int(self->near, SO_RCVBUF, 16384));
	ASSERT_EQ(0, set_int(self->near, SO_RCVLOWAT, 8192));
	while (n == 1 && !(events_now(self->near, POLLIN) & POLLIN)) {
		n = send(self->far, "a", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
		send(other.far, "b", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
		recv(other.near, got, sizeof(got), MSG_DONTWAIT);
	}
	EXPECT_EQ(POLLIN, wait_events(self->near, POLLIN));
	close(other.near);
	close(other.far);
	close(other.listener);
}

TEST_F(conn, RCVLOWAT_gives_way_to_the_end)
{
	ASSERT_EQ(0, set_int(self->near, SO_RCVLOWAT, 100));
	ASSERT_EQ(3, SEND(self->far, "abc"));
	ASSERT_EQ(0, shutdown(self->far, SHUT_WR));
	EXPECT_EQ(POLLIN, wait_events(self->near, POLLIN));
	EXPECT_MESSAGE(self->near, "abc");
	EXPECT_EOF(self->near);
}

static long poll_in(void *arg)
{
	return wait_events(*(int *)arg, POLLIN);
}

/* Whoever waits for more hears when it is enough. */
TEST_F(conn, lower_RCVLOWAT_wakes_poll)
{
	struct task task;

	ONLY_IF(variant->type == SOCK_STREAM);
	ASSERT_EQ(0, set_int(self->near, SO_RCVLOWAT, 4));
	ASSERT_EQ(3, SEND(self->far, "abc"));
	ASSERT_EQ(0, task_start(&task, poll_in, &self->near));
	ASSERT_TRUE(task_wait_asleep(&task));
	ASSERT_EQ(0, set_int(self->near, SO_RCVLOWAT, 3));
	ASSERT_TRUE(task_join(&task));
	EXPECT_EQ(POLLIN, task.result);
}

TEST_F(conn, RCVLOWAT_of_0_is_1)
{
	ONLY_IF(variant->type == SOCK_STREAM);
	ASSERT_EQ(0, set_int(self->near, SO_RCVLOWAT, 0));
	EXPECT_EQ(1, get_int(self->near, SO_RCVLOWAT));
	EXPECT_EQ(0, events_now(self->near, POLLIN));
}

static int inq(int fd)
{
	int n = -1;

	return ioctl(fd, SIOCINQ, &n) ? -1 : n;
}

static int outq(int fd)
{
	int n = -1;

	return ioctl(fd, SIOCOUTQ, &n) ? -1 : n;
}

static bool has_8(void *arg)
{
	return inq(*(int *)arg) == 8;
}

TEST_F(conn, SIOCINQ_counts_what_is_unread)
{
	EXPECT_EQ(0, inq(self->near));
	ASSERT_EQ(5, SEND(self->far, "first"));
	ASSERT_EQ(3, SEND(self->far, "two"));
	EXPECT_TRUE(eventually(has_8, &self->near));
	EXPECT_TEXT(self->near, "first");
	EXPECT_EQ(3, inq(self->near));
	EXPECT_TEXT(self->near, "two");
	EXPECT_EQ(0, inq(self->near));
}

TEST_F(conn, SIOCINQ_of_a_listener_is_EINVAL)
{
	int n;

	EXPECT_EQ(EINVAL, ERR(ioctl(self->conn.listener, SIOCINQ, &n)));
}

static bool all_is_out(void *arg)
{
	return outq(*(int *)arg) == 0;
}

TEST_F(conn, SIOCOUTQ_counts_what_is_not_acknowledged)
{
	long sent;

	EXPECT_EQ(0, outq(self->near));
	sent = fill_up_for_good(self->near, 4000);
	ASSERT_LT(0, sent);
	/* On one node what was sent is the receiver's. */
	EXPECT_LE(road()->oracle || road()->wire, outq(self->near));
	ASSERT_EQ(sent, drain(self->far, sent));
	EXPECT_TRUE(eventually(all_is_out, &self->near));
}

/* Return: bytes that have not left, as TCP says it; -1 with errno. */
static int unsent(int fd)
{
	int n = -1;

	return ioctl(fd, SIOCOUTQNSD, &n) ? -1 : n;
}

static bool all_has_left(void *arg)
{
	return unsent(*(int *)arg) == 0;
}

TEST_F(conn, SIOCOUTQNSD_counts_what_has_not_left)
{
	long sent;

	ONLY_IF(!is_unix(variant->type));
	EXPECT_EQ(0, unsent(self->near));
	sent = fill_up_for_good(self->near, 4000);
	ASSERT_LT(0, sent);
	/* On one node all that was written has left. */
	EXPECT_EQ(road()->oracle || road()->wire, unsent(self->near) > 0);
	EXPECT_LE(unsent(self->near), outq(self->near));
	ASSERT_EQ(sent, drain(self->far, sent));
	EXPECT_TRUE(eventually(all_has_left, &self->near));
	EXPECT_EQ(EINVAL, ERR(unsent(self->conn.listener)));
}

/* An int with nothing behind it: whoever asks gives room for no more. */
static int *last_int(void)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	mprotect(page + 4096, 4096, PROT_NONE);
	return (int *)(page + 4096) - 1;
}

/* sockatmark(): nothing is urgent. Messages are asked nothing of the kind. */
TEST_F(conn, SIOCATMARK_of_a_stream_is_0)
{
	int *at = last_int();

	*at = 1;
	if (variant->type != SOCK_STREAM) {
		EXPECT_EQ(EOPNOTSUPP, ERR(ioctl(self->near, SIOCATMARK, at)));
		return;
	}
	EXPECT_EQ(0, ERR(ioctl(self->near, SIOCATMARK, at)));
	EXPECT_EQ(0, *at);
	ASSERT_EQ(4, SEND(self->far, "text"));
	ASSERT_EQ(POLLIN, wait_events(self->near, POLLIN));
	*at = 1;
	EXPECT_EQ(0, ERR(ioctl(self->near, SIOCATMARK, at)));
	EXPECT_EQ(0, *at);
	*at = 1;
	EXPECT_EQ(0, ERR(ioctl(self->conn.listener, SIOCATMARK, at)));
	EXPECT_EQ(0, *at);
}

/* The C library's struct tcp_info ends before what came later. */
struct newer_tcp_info {
	struct tcp_info	old;
	__u64		pacing_rate;
	__u64		max_pacing_rate;
};

static __u64 max_pacing_rate(int fd)
{
	struct newer_tcp_info info;
	socklen_t len = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) ||
	    len != sizeof(info))
		return 0;
	return info.max_pacing_rate;
}

TEST_F(conn, MAX_PACING_RATE_is_told)
{
	ONLY_IF(variant->type == SOCK_STREAM);
	EXPECT_EQ(~0ULL, max_pacing_rate(self->near));
	ASSERT_EQ(0, set_int(self->near, SO_MAX_PACING_RATE, 1000000));
	EXPECT_EQ(1000000, get_int(self->near, SO_MAX_PACING_RATE));
	EXPECT_EQ(1000000, max_pacing_rate(self->near));
	ASSERT_EQ(0, set_int(self->near, SO_MAX_PACING_RATE, -1));
	EXPECT_EQ(~0ULL, max_pacing_rate(self->near));
}

TEST_F(conn, MAX_PACING_RATE_is_inherited)
{
	struct conn conn = { -1, -1, -1 };
	struct addr addr;

	conn.listener = listener(END_B, variant->type, 1, &addr);
	ASSERT_LE(0, conn.listener);
	ASSERT_EQ(0, set_int(conn.listener, SO_MAX_PACING_RATE, 1000000));
	conn.near = end_socket(END_A, variant->type);
	ASSERT_EQ(0, connect_to(conn.near, &addr));
	conn.far = accepted(conn.listener);
	ASSERT_LE(0, conn.far);
	EXPECT_EQ(is_unix(variant->type) ? -1 : 1000000,
		  get_int(conn.far, SO_MAX_PACING_RATE));
	conn_close(&conn);
}

/* Servers set these on whatever they take for TCP. */
TEST_F(conn, options_of_TCP_are_taken_in_its_ranges)
{
	const struct {
		int name;
		int good;
		int bad;
	} options[] = {
		{ TCP_DEFER_ACCEPT, 5 }, { TCP_LINGER2, 30 },
		{ TCP_NOTSENT_LOWAT, 16384 }, { TCP_QUICKACK, 1 },
		{ TCP_WINDOW_CLAMP, 65536 }, { TCP_SYNCNT, 127, 128 },
		{ TCP_SYNCNT, 1, -1 }, { TCP_MAXSEG, 1000, 87 },
		{ TCP_MAXSEG, 0, 32768 },
	};
	int fd = end_socket(END_A, variant->type);
	const int some = 16, less = -1, none = 0;
	size_t i;

	ONLY_IF(variant->type == SOCK_STREAM);
	for (i = 0; i < ARRAY_SIZE(options); i++) {
		EXPECT_EQ(0, ERR(setsockopt(fd, IPPROTO_TCP, options[i].name,
					    &options[i].good, sizeof(int)))) {
			TH_LOG("option %d", options[i].name);
		}
		if (options[i].bad)
			EXPECT_EQ(EINVAL,
				  ERR(setsockopt(fd, IPPROTO_TCP,
						 options[i].name,
						 &options[i].bad,
						 sizeof(int))));
	}
	EXPECT_EQ(0, ERR(setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN, &some,
				    sizeof(some))));
	EXPECT_EQ(EINVAL, ERR(setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN, &less,
					 sizeof(less))));
	EXPECT_EQ(EINVAL, ERR(setsockopt(fd, IPPROTO_TCP, TCP_SYNCNT, &none,
					 sizeof(none))));
	/* Of a connection it is too late. */
	EXPECT_EQ(EINVAL, ERR(setsockopt(self->near, IPPROTO_TCP, TCP_FASTOPEN,
					 &some, sizeof(some))));
	close(fd);
}

#define PACED_RATE	200000
#define PACED_BYTES	200000

/* As slow as that, less what leaves at once; a machine may be slower still. */
TEST_F(conn, MAX_PACING_RATE_is_obeyed_over_a_wire)
{
	static char bytes[PACED_BYTES];
	long long begun = now_ms();

	ONLY_IF(road()->wire && variant->type == SOCK_STREAM);
	ASSERT_EQ(0, set_int(self->near, SO_MAX_PACING_RATE, PACED_RATE));
	ASSERT_EQ(PACED_BYTES, send(self->near, bytes, sizeof(bytes), 0));
	EXPECT_EQ(PACED_BYTES, drain(self->far, PACED_BYTES));
	EXPECT_LT(900LL * PACED_BYTES / PACED_RATE, now_ms() - begun);
}

TEST_F(conn, unknown_ioctl_is_ENOTTY)
{
	int n;

	EXPECT_EQ(ENOTTY, ERR(ioctl(self->near, 0x6666, &n)));
}

TEST_F(conn, BINDTODEVICE)
{
	char name[16] = "";
	socklen_t len = sizeof(name);

	ASSERT_EQ(0, setsockopt(self->near, SOL_SOCKET, SO_BINDTODEVICE, "lo",
				3));
	ASSERT_EQ(0, getsockopt(self->near, SOL_SOCKET, SO_BINDTODEVICE, name,
				&len));
	EXPECT_EQ(0, strcmp("lo", name));
	EXPECT_EQ(ENODEV, ERR(setsockopt(self->near, SOL_SOCKET,
					 SO_BINDTODEVICE, "absent", 7)));
}

typedef int (*name_call)(int fd, struct sockaddr *sa, socklen_t *len);

/*
 * Ask for a name over two different fillings: what differs was never written,
 * what changed behind the length should not have been.
 */
static bool name_is_whole(int fd, name_call call, socklen_t room)
{
	unsigned char one[128], two[128];
	socklen_t len = room, again = room, i;

	memset(one, 0xa5, sizeof(one));
	memset(two, 0x5a, sizeof(two));
	if (call(fd, (void *)one, &len) || call(fd, (void *)two, &again))
		return false;
	if (len != again)
		return false;
	for (i = 0; i < sizeof(one); i++) {
		if (i < len && i < room && one[i] != two[i])
			return false;
		if (i >= len || i >= room)
			if (one[i] != 0xa5 || two[i] != 0x5a)
				return false;
	}
	return true;
}

static const socklen_t rooms[] = { 0, 1, 2, 3, 7, 8, 15, 27, 28, 29, 128 };

TEST_F(conn, names_are_whole)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rooms); i++) {
		EXPECT_TRUE(name_is_whole(self->near, getsockname, rooms[i]));
		EXPECT_TRUE(name_is_whole(self->near, getpeername, rooms[i]));
		EXPECT_TRUE(name_is_whole(self->conn.listener, getsockname,
					  rooms[i]));
	}
}

TEST_F(conn, names_tell_their_whole_length)
{
	struct addr addr;
	socklen_t len = 2;

	ASSERT_EQ(0, own_addr(self->near, &addr));
	ASSERT_EQ(0, getsockname(self->near, &addr.sa, &len));
	EXPECT_EQ(addr.len, len);
	if (!is_unix(variant->type))
		EXPECT_EQ(28, len);
	len = -1;
	EXPECT_EQ(EINVAL, ERR(getsockname(self->near, &addr.sa, &len)));
	len = -1;
	EXPECT_EQ(EINVAL, ERR(getpeername(self->near, &addr.sa, &len)));
}

TEST_F(conn, names_agree)
{
	struct addr own, peer;

	ASSERT_EQ(0, own_addr(self->near, &own));
	ASSERT_EQ(0, peer_addr(self->far, &peer));
	EXPECT_TRUE(addr_equal(&own, &peer));
	ASSERT_EQ(0, own_addr(self->far, &own));
	ASSERT_EQ(0, peer_addr(self->near, &peer));
	EXPECT_TRUE(addr_equal(&own, &peer));
}

TEST_F(conn, no_peer_is_ENOTCONN)
{
	int fd = end_socket(END_A, variant->type);
	struct addr addr;

	EXPECT_EQ(ENOTCONN, ERR(peer_addr(fd, &addr)));
	EXPECT_EQ(ENOTCONN, ERR(peer_addr(self->conn.listener, &addr)));
	close(fd);
}

/* accept() fills a name too. */
TEST_F(conn, accepted_name_is_whole)
{
	unsigned char name[128];
	socklen_t len, i;
	int client, fd;

	for (len = 0; len <= 40; len += 8) {
		socklen_t room = len;

		client = connected(variant->type, &self->conn.addr);
		ASSERT_EQ(POLLIN, wait_events(self->conn.listener, POLLIN));
		memset(name, 0xa5, sizeof(name));
		fd = accept(self->conn.listener, (void *)name, &room);
		ASSERT_LE(0, fd);
		for (i = len < room ? len : room; i < sizeof(name); i++)
			EXPECT_EQ(0xa5, name[i]);
		close(fd);
		close(client);
	}
}

static const struct {
	int level;
	int option;
	socklen_t size;
} options[] = {
	{ SOL_SOCKET, SO_TYPE, 4 },
	{ SOL_SOCKET, SO_DOMAIN, 4 },
	{ SOL_SOCKET, SO_PROTOCOL, 4 },
	{ SOL_SOCKET, SO_ERROR, 4 },
	{ SOL_SOCKET, SO_ACCEPTCONN, 4 },
	{ SOL_SOCKET, SO_RCVBUF, 4 },
	{ SOL_SOCKET, SO_SNDBUF, 4 },
	{ SOL_SOCKET, SO_RCVLOWAT, 4 },
	{ SOL_SOCKET, SO_REUSEADDR, 4 },
	{ SOL_SOCKET, SO_LINGER, 8 },
	{ SOL_SOCKET, SO_RCVTIMEO, 16 },
	{ SOL_SOCKET, SO_SNDTIMEO, 16 },
	{ SOL_WEFT, WEFT_MAX_MESSAGE, 4 },
	{ SOL_WEFT, WEFT_PEER_MAX_MESSAGE, 4 },
	{ SOL_WEFT, WEFT_CONGESTION, 16 },
};

/* Return: whether getsockopt wrote @room bytes at most, all of them defined. */
static bool option_is_whole(int fd, size_t which, socklen_t room)
{
	unsigned char one[64], two[64];
	socklen_t len = room, again = room, i;

	memset(one, 0xa5, sizeof(one));
	memset(two, 0x5a, sizeof(two));
	if (getsockopt(fd, options[which].level, options[which].option, one,
		       &len))
		return room < options[which].size && errno == EINVAL;
	if (getsockopt(fd, options[which].level, options[which].option, two,
		       &again))
		return false;
	if (len > room || len != again)
		return false;
	for (i = 0; i < sizeof(one); i++)
		if (i < len ? one[i] != two[i] : one[i] != 0xa5 || two[i] != 0x5a)
			return false;
	return true;
}

TEST_F(conn, getsockopt_of_odd_lengths)
{
	socklen_t room;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(options); i++) {
		if (road()->oracle && options[i].level == SOL_WEFT)
			continue;
		for (room = 0; room <= 2 * options[i].size; room++)
			EXPECT_TRUE(option_is_whole(self->near, i, room));
		EXPECT_EQ(EINVAL, ERR(getsockopt(self->near, options[i].level,
						 options[i].option, &room,
						 &(socklen_t){ -1 })));
	}
}

TEST_F(conn, setsockopt_of_short_lengths_is_EINVAL)
{
	const int settable[] = { SO_RCVBUF, SO_SNDBUF, SO_RCVLOWAT,
				 SO_REUSEADDR, SO_LINGER, SO_RCVTIMEO };
	char zeros[16] = "";
	socklen_t len;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(settable); i++)
		for (len = 0; len < 4; len++)
			EXPECT_EQ(EINVAL, ERR(setsockopt(self->near, SOL_SOCKET,
							 settable[i], zeros,
							 len)));
}

TEST_F(conn, unknown_options_are_refused)
{
	int value = 1;
	socklen_t len = sizeof(value);

	EXPECT_EQ(ENOPROTOOPT, ERR(getsockopt(self->near, SOL_SOCKET, 9999,
					      &value, &len)));
	EXPECT_EQ(ENOPROTOOPT, ERR(setsockopt(self->near, SOL_SOCKET, 9999,
					      &value, len)));
	if (road()->oracle)
		return;
	EXPECT_EQ(ENOPROTOOPT, ERR(getsockopt(self->near, SOL_WEFT, 9999,
					      &value, &len)));
	EXPECT_EQ(ENOPROTOOPT, ERR(setsockopt(self->near, SOL_WEFT, 9999,
					      &value, len)));
	EXPECT_EQ(ENOPROTOOPT, ERR(setsockopt(self->near, 12345, 1, &value,
					      len)));
}

/* An option that is the family's, and not the core's. */
static int own_level(int type)
{
	return type == SOCK_STREAM ? IPPROTO_TCP : SOL_WEFT;
}

static int own_option(int type)
{
	return type == SOCK_STREAM ? TCP_NODELAY : WEFT_EARLY_DATA;
}

/* A page that is there, and may not be written. */
static void *read_only(void)
{
	socklen_t *len = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	*len = sizeof(int);
	mprotect(len, 4096, PROT_READ);
	return len;
}

TEST_F(conn, bad_pointers_of_options_are_EFAULT)
{
	int level = own_level(variant->type), option = own_option(variant->type);
	socklen_t len = sizeof(int), *fixed = read_only();
	void *nowhere = (void *)1;
	int value;

	ONLY_IF(!is_unix(variant->type));
	EXPECT_EQ(EFAULT, ERR(getsockopt(self->near, level, option, nowhere,
					 &len)));
	EXPECT_EQ(EFAULT, ERR(getsockopt(self->near, level, option, &value,
					 nowhere)));
	EXPECT_EQ(EFAULT, ERR(getsockopt(self->near, level, option, &value,
					 fixed)));
	EXPECT_EQ(EFAULT, ERR(setsockopt(self->near, level, option, nowhere,
					 sizeof(value))));
	munmap(fixed, 4096);
}

TEST_F(conn, short_lengths_of_own_options_are_EINVAL)
{
	int level = own_level(variant->type), option = own_option(variant->type);
	int zero = 0;
	socklen_t len;

	ONLY_IF(!is_unix(variant->type));
	for (len = 0; len < sizeof(zero); len++)
		EXPECT_EQ(EINVAL, ERR(setsockopt(self->near, level, option,
						 &zero, len)));
	EXPECT_EQ(0, ERR(setsockopt(self->near, level, option, &zero, len)));
}

static bool is_congestion(int fd, const char *name)
{
	char text[16] = "";
	socklen_t len = sizeof(text);

	return !getsockopt(fd, SOL_WEFT, WEFT_CONGESTION, text, &len) &&
	       len == sizeof(text) && !strcmp(text, name);
}

/* On a connection that carries, before and after. */
TEST_F(conn, congestion_control_is_chosen_by_name)
{
	const char *const names[] = { "cubic", "delay", "rate" };
	size_t i;

	ONLY_IF(!road()->oracle);
	EXPECT_TRUE(is_congestion(self->near, "rate"));
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		ASSERT_EQ(0, setsockopt(self->near, SOL_WEFT, WEFT_CONGESTION,
					names[i], strlen(names[i])));
		EXPECT_TRUE(is_congestion(self->near, names[i]));
		ASSERT_EQ(4, SEND(self->near, "text"));
		EXPECT_MESSAGE(self->far, "text");
	}
	EXPECT_EQ(ENOENT, ERR(setsockopt(self->near, SOL_WEFT, WEFT_CONGESTION,
					 "vegas", 5)));
	EXPECT_EQ(EINVAL, ERR(setsockopt(self->near, SOL_WEFT, WEFT_CONGESTION,
					 "", 0)));
	EXPECT_TRUE(is_congestion(self->near, "rate"));
}

static int weft_option(int fd, int option)
{
	int value = -1;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_WEFT, option, &value, &len) ? -1 : value;
}

TEST_F(conn, max_message_is_told)
{
	int one = 1;

	ONLY_IF(!road()->oracle);
	EXPECT_LE(65536, weft_option(self->near, WEFT_MAX_MESSAGE));
	EXPECT_EQ(weft_option(self->far, WEFT_MAX_MESSAGE),
		  weft_option(self->near, WEFT_PEER_MAX_MESSAGE));
	EXPECT_EQ(-1, setsockopt(self->near, SOL_WEFT, WEFT_MAX_MESSAGE, &one,
				 sizeof(one)));
}

TEST(SIOCINQ_of_datagrams_is_the_next_ones_size)
{
	struct addr addr;
	int a, b;

	ROAD_OR_SKIP();
	b = bound_socket(END_B, SOCK_DGRAM, &addr);
	a = end_socket(END_A, SOCK_DGRAM);
	ASSERT_EQ(7, send_to(a, "seven77", 7, &addr));
	/* Before the nodes have met, the second may overtake it. */
	ASSERT_EQ(POLLIN, wait_events(b, POLLIN));
	ASSERT_EQ(3, send_to(a, "two", 3, &addr));
	EXPECT_EQ(7, inq(b));
	EXPECT_MESSAGE(b, "seven77");
	EXPECT_MESSAGE(b, "two");
	EXPECT_EQ(0, inq(b));
	close(a);
	close(b);
}

/* As UDP's. */
TEST(ioctls_of_streams_are_not_of_datagrams)
{
	char room[64];		/* as large as what devices are asked with */
	int fd;

	ROAD_OR_SKIP();
	fd = end_socket(END_A, SOCK_DGRAM);
	memset(room, 0, sizeof(room));
	EXPECT_EQ(ENOTTY, ERR(ioctl(fd, SIOCATMARK, room)));
	EXPECT_EQ(ENOTTY, ERR(ioctl(fd, SIOCOUTQNSD, room)));
	close(fd);
}

/*
 * Go where memory is accounted: the kernel reserves some for such sockets
 * alone. Return: 0 or -1.
 */
static int enter_cgroup(void)
{
	if (unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mkdir("cgroup", 0700) ||
	    mount("cgroup2", "cgroup", "cgroup2", 0, NULL) ||
	    write_file("cgroup/cgroup.subtree_control", "+memory") ||
	    mkdir("cgroup/weft", 0700))
		return -1;
	return write_file("cgroup/weft/cgroup.procs", "0");
}

static void leave_cgroup(void)
{
	write_file("cgroup/cgroup.procs", "0");
	rmdir("cgroup/weft");
	umount("cgroup");
	rmdir("cgroup");
}

/* Memory of weft is charged by whoever queues, which the core knows nothing of. */
TEST(RESERVE_MEM_is_refused)
{
	const int types[] = { SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM };
	size_t i;
	int fd;

	if (road()->oracle)
		SKIP(return, "TCP has it");
	ROAD_OR_SKIP();
	ASSERT_EQ(0, enter_cgroup());
	for (i = 0; i < ARRAY_SIZE(types); i++) {
		fd = end_socket(END_A, types[i]);
		EXPECT_EQ(-1, set_int(fd, SO_RESERVE_MEM, 65536));
		EXPECT_EQ(-1, set_int(fd, SO_RESERVE_MEM, 1));
		EXPECT_EQ(0, get_int(fd, SO_RESERVE_MEM));
		close(fd);
	}
	leave_cgroup();
}

TEST(recvfrom_name_is_whole)
{
	unsigned char name[128];
	struct addr addr;
	socklen_t len, room, i;
	char got;
	int a, b;

	ROAD_OR_SKIP();
	b = bound_socket(END_B, SOCK_DGRAM, &addr);
	a = end_socket(END_A, SOCK_DGRAM);
	for (room = 0; room <= 40; room += 4) {
		len = room;
		memset(name, 0xa5, sizeof(name));
		ASSERT_EQ(1, send_to(a, "x", 1, &addr));
		ASSERT_EQ(POLLIN, wait_events(b, POLLIN));
		ASSERT_EQ(1, recvfrom(b, &got, 1, 0, (void *)name, &len));
		EXPECT_EQ(28, len);
		for (i = room < 28 ? room : 28; i < sizeof(name); i++)
			EXPECT_EQ(0xa5, name[i]);
		if (room >= 8)
			EXPECT_EQ(0, memcmp(name + 4, "\0\0\0", 4));
		if (room >= 28)
			EXPECT_EQ(0, memcmp(name + 24, "\0\0\0", 4));
	}
	close(a);
	close(b);
}

TEST_HARNESS_MAIN
