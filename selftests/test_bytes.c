// SPDX-License-Identifier: GPL-2.0
/*
 * Every byte that a call returns was written on purpose, and none behind it was
 * written: names, messages and what comes with them, options, ioctls and files
 * of /proc, asked for twice over two fillings.
 *
 * weft-roads: local veth
 * weft-cflags: -pthread
 */
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include "fills.h"
#include "weft_test.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD	77
#endif
#ifndef SO_RCVMARK
#define SO_RCVMARK	75
#endif

FIXTURE(bytes)
{
	struct conn conn;
	int unbound;
	int bound;
};

FIXTURE_VARIANT(bytes)
{
	int type;
	int protocol;
};

FIXTURE_VARIANT_ADD(bytes, stream) { SOCK_STREAM, WEFT_PROTO_DEFAULT };
FIXTURE_VARIANT_ADD(bytes, seqpacket) { SOCK_SEQPACKET, WEFT_PROTO_DEFAULT };
FIXTURE_VARIANT_ADD(bytes, dgram) { SOCK_DGRAM, WEFT_PROTO_DEFAULT };
FIXTURE_VARIANT_ADD(bytes, stream_inet6) { SOCK_STREAM, WEFT_PROTO_INET6 };
FIXTURE_VARIANT_ADD(bytes, seqpacket_inet6) { SOCK_SEQPACKET, WEFT_PROTO_INET6 };
FIXTURE_VARIANT_ADD(bytes, dgram_inet6) { SOCK_DGRAM, WEFT_PROTO_INET6 };

static int bound_proto(enum end end, int type, int protocol, struct addr *addr)
{
	int fd = end_socket_proto(end, type, protocol);

	any_addr(addr, type, 0);
	if (fd < 0 || bind_to(fd, addr) || own_addr(fd, addr))
		return -1;
	end_addr(addr, end, type, addr_port(addr));
	return fd;
}

static int open_dgrams(struct conn *conn, int protocol)
{
	struct addr near;

	conn->listener = -1;
	conn->far = bound_proto(END_B, SOCK_DGRAM, protocol, &conn->addr);
	conn->near = bound_proto(END_A, SOCK_DGRAM, protocol, &near);
	if (conn->far < 0 || conn->near < 0)
		return -1;
	return connect_to(conn->near, &conn->addr) ?: connect_to(conn->far, &near);
}

static int open_listening(struct conn *conn, int type, int protocol)
{
	conn->listener = bound_proto(END_B, type, protocol, &conn->addr);
	conn->near = end_socket_proto(END_A, type, protocol);
	if (conn->listener < 0 || listen(conn->listener, 8) ||
	    connect_to(conn->near, &conn->addr))
		return -1;
	conn->far = accepted(conn->listener);
	return conn->far < 0 ? -1 : 0;
}

FIXTURE_SETUP(bytes)
{
	struct addr addr;

	ROAD_OR_SKIP();
	if (road()->oracle)
		SKIP(return, "about the bytes of weft");
	ASSERT_EQ(0, variant->type == SOCK_DGRAM ?
		  open_dgrams(&self->conn, variant->protocol) :
		  open_listening(&self->conn, variant->type, variant->protocol));
	self->unbound = end_socket_proto(END_A, variant->type, variant->protocol);
	self->bound = bound_proto(END_A, variant->type, variant->protocol, &addr);
	ASSERT_LE(0, self->unbound);
	ASSERT_LE(0, self->bound);
}

FIXTURE_TEARDOWN(bytes)
{
	conn_close(&self->conn);
	close(self->unbound);
	close(self->bound);
}

#define SOCKETS	5

static void list_sockets(const FIXTURE_DATA(bytes) *self, int fds[SOCKETS])
{
	fds[0] = self->conn.near;
	fds[1] = self->conn.far;
	fds[2] = self->unbound;
	fds[3] = self->bound;
	fds[4] = self->conn.listener;
}

/* --- names --- */

typedef int (*name_call)(int fd, struct sockaddr *sa, socklen_t *len);

/* Return: -1, or the first byte that is not as it should be; -2 for a length. */
static long bad_name(int fd, name_call call, socklen_t room)
{
	socklen_t one = room, two = room;
	struct fills f;
	int err;

	fills_begin(&f);
	dirty_stack(FILL_ONE);
	err = ERR(call(fd, (void *)f.one, &one));
	dirty_stack(FILL_TWO);
	if (ERR(call(fd, (void *)f.two, &two)) != err || one != two)
		return -2;
	if (!err && one != sizeof(struct sockaddr_weft))
		return -2;
	return fills_bad(&f, err ? 0 : one < room ? one : room);
}

TEST_F(bytes, of_names)
{
	int fds[SOCKETS], i;
	socklen_t room;

	list_sockets(self, fds);
	for (i = 0; i < SOCKETS; i++) {
		for (room = 0; room < 64; room++) {
			EXPECT_EQ(-1, bad_name(fds[i], getsockname, room));
			EXPECT_EQ(-1, bad_name(fds[i], getpeername, room));
		}
	}
}

/* accept() tells the same name as getpeername(), and no more of it than fits. */
TEST_F(bytes, of_accepted_names)
{
	unsigned char name[FILL_BYTES];
	socklen_t room, len, whole;
	struct fills f;
	int client, fd, i;

	ONLY_IF(variant->type != SOCK_DGRAM);
	for (room = 0; room <= 32; room++) {
		fills_begin(&f);
		for (i = 0; i < 2; i++) {
			client = end_socket_proto(END_A, variant->type,
						  variant->protocol);
			ASSERT_EQ(0, connect_to(client, &self->conn.addr));
			ASSERT_NE(0, wait_events(self->conn.listener, POLLIN));
			len = room;
			dirty_stack(i ? FILL_TWO : FILL_ONE);
			fd = accept(self->conn.listener,
				    (void *)(i ? f.two : f.one), &len);
			ASSERT_LE(0, fd);
			EXPECT_EQ(sizeof(struct sockaddr_weft), len);
			whole = sizeof(name);
			ASSERT_EQ(0, getpeername(fd, (void *)name, &whole));
			if (len > room)
				len = room;
			EXPECT_EQ(0, memcmp(i ? f.two : f.one, name, len));
			memset(i ? f.two : f.one, 0, len);
			close(fd);
			close(client);
		}
		EXPECT_EQ(-1, fills_bad(&f, len));
	}
}

/* --- messages --- */

/**
 * struct received - one recvmsg() over one filling
 * @data: of the message
 * @name: of the sender
 * @control: what comes with it
 */
struct received {
	unsigned char *data;
	unsigned char *name;
	unsigned char *control;
	struct msghdr msg;
	ssize_t n;
};

static void receive(int fd, struct received *r, size_t data_room,
		    size_t name_room, size_t control_room)
{
	struct iovec iov = { r->data, data_room };

	r->msg = (struct msghdr){
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_name = name_room ? r->name : NULL,
		.msg_namelen = name_room,
		.msg_control = control_room ? r->control : NULL,
		.msg_controllen = control_room,
	};
	r->n = recvmsg(fd, &r->msg, MSG_PEEK | MSG_DONTWAIT);
}

/* Between two pieces of control data is what the program had there. */
static void forget_padding(struct fills *f, struct msghdr *msg)
{
	struct cmsghdr *c;
	size_t from, to;

	for (c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		from = (unsigned char *)c - f->one + c->cmsg_len;
		to = (unsigned char *)c - f->one + CMSG_ALIGN(c->cmsg_len);
		for (; from < to && from < msg->msg_controllen; from++)
			if (is_untouched(f, from))
				f->one[from] = f->two[from] = 0;
	}
}

struct rooms {
	size_t data;
	size_t name;
	size_t control;
};

static const char *bad_message(int fd, const struct rooms *rooms)
{
	struct fills data, name, control;
	struct received one = { data.one, name.one, control.one };
	struct received two = { data.two, name.two, control.two };
	size_t len;

	fills_begin(&data);
	fills_begin(&name);
	fills_begin(&control);
	dirty_stack(FILL_ONE);
	receive(fd, &one, rooms->data, rooms->name, rooms->control);
	dirty_stack(FILL_TWO);
	receive(fd, &two, rooms->data, rooms->name, rooms->control);
	if (one.n < 0 || one.n != two.n || one.msg.msg_flags != two.msg.msg_flags)
		return "what was returned";
	if (one.msg.msg_namelen != two.msg.msg_namelen ||
	    one.msg.msg_controllen != two.msg.msg_controllen ||
	    one.msg.msg_controllen > rooms->control)
		return "a length";
	if (fills_bad(&data, one.n) >= 0)
		return "the data";
	len = one.msg.msg_namelen;
	if (fills_bad(&name, len < rooms->name ? len : rooms->name) >= 0)
		return "the name";
	forget_padding(&control, &one.msg);
	if (fills_bad(&control, one.msg.msg_controllen) >= 0)
		return "the control data";
	return NULL;
}

TEST_F(bytes, of_messages)
{
	const int switches[] = { 0, SO_TIMESTAMP, SO_TIMESTAMPNS, SO_RXQ_OVFL,
				 SO_RCVMARK, SO_PASSCRED };
	static const char text[] = "the bytes of a message";
	struct rooms rooms;
	const char *bad;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(switches); i++)
		if (switches[i])
			set_int(self->conn.near, switches[i], 1);
	ASSERT_EQ(sizeof(text), send(self->conn.far, text, sizeof(text), 0));
	ASSERT_NE(0, wait_events(self->conn.near, POLLIN));
	for (rooms.control = 0; rooms.control < 160; rooms.control += 1 + rooms.control / 40) {
		for (i = 0; i < 12; i++) {
			rooms.data = (size_t[]){ 0, 1, 22, 23, 24, 200 }[i % 6];
			rooms.name = i < 6 ? 64 : i;
			bad = bad_message(self->conn.near, &rooms);
			EXPECT_EQ(NULL, bad) {
				TH_LOG("%s, with room for %zu, %zu and %zu", bad,
				       rooms.data, rooms.name, rooms.control);
			}
		}
	}
}

static ssize_t by_recv(int fd, unsigned char *to)
{
	return recv(fd, to, 300, 0);
}

static ssize_t by_read(int fd, unsigned char *to)
{
	return read(fd, to, 300);
}

static ssize_t by_readv(int fd, unsigned char *to)
{
	struct iovec iov[2] = { { to, 3 }, { to + 3, 200 } };

	return readv(fd, iov, 2);
}

/* Without MSG_PEEK, and by the calls that return nothing but bytes. */
TEST_F(bytes, behind_a_message_are_not_written)
{
	ssize_t (*const take[])(int, unsigned char *) = { by_recv, by_read, by_readv };
	struct fills f;
	int i;

	for (i = 0; i < 6; i++) {
		unsigned char *to = i % 2 ? f.two : f.one;

		if (i % 2 == 0)
			fills_begin(&f);
		ASSERT_EQ(7, SEND(self->conn.far, "message"));
		ASSERT_NE(0, wait_events(self->conn.near, POLLIN));
		ASSERT_EQ(7, take[i / 2](self->conn.near, to));
		if (i % 2)
			EXPECT_EQ(-1, fills_bad(&f, 7));
	}
}

/* --- options and ioctls --- */

static const struct level {
	int level;
	int options;
} levels[] = {
	{ SOL_SOCKET, 128 },
	{ SOL_WEFT, 32 },
	{ IPPROTO_TCP, 64 },
	{ IPPROTO_IPV6, 80 },
};

/* Return: -1, or the first byte that is not as it should be; -2 for a length. */
static long bad_option(int fd, int level, int option, int room)
{
	socklen_t one = room, two = room;
	struct fills f;
	int err;

	fills_begin(&f);
	dirty_stack(FILL_ONE);
	err = ERR(getsockopt(fd, level, option, f.one, &one));
	dirty_stack(FILL_TWO);
	if (ERR(getsockopt(fd, level, option, f.two, &two)) != err || one != two)
		return -2;
	if (!err && room >= 0 && one > (socklen_t)room)
		return -2;
	return fills_bad(&f, err ? 0 : one);
}

/* What the peer acknowledges late has come, and the numbers stand still. */
static bool stands_still(void *arg)
{
	struct weft_info one, two;
	socklen_t len = sizeof(one);

	if (getsockopt(*(int *)arg, SOL_WEFT, WEFT_INFO, &one, &len))
		return errno == EOPNOTSUPP;
	poll(NULL, 0, 100);
	return !getsockopt(*(int *)arg, SOL_WEFT, WEFT_INFO, &two, &len) &&
	       !memcmp(&one, &two, sizeof(one));
}

static int next_room(int room)
{
	if (room < 40)
		return room + 1;
	return room < 200 ? room + 37 : room + 300;
}

static bool is_unknown(int fd, int level, int option)
{
	unsigned char value[FILL_BYTES];
	socklen_t len = sizeof(value);

	return ERR(getsockopt(fd, level, option, value, &len)) == ENOPROTOOPT;
}

/* Return: NULL, or the room for which the option is not as it should be. */
static const int *bad_room(int fd, int level, int option)
{
	static int room;

	for (room = -1; room < FILL_BYTES; room = next_room(room)) {
		if (bad_option(fd, level, option, room) != -1)
			return &room;
		/* Whatever room there is. */
		if (is_unknown(fd, level, option))
			break;
	}
	return NULL;
}

TEST_F(bytes, of_options)
{
	int fds[SOCKETS], i, option;
	const struct level *level;
	const int *bad;

	list_sockets(self, fds);
	ASSERT_TRUE(eventually(stands_still, &self->conn.near));
	ASSERT_TRUE(eventually(stands_still, &self->conn.far));
	for (level = levels; level < levels + ARRAY_SIZE(levels); level++) {
		for (i = 0; i < SOCKETS * level->options; i++) {
			option = i / SOCKETS;
			/* Each call makes a file. */
			if (level->level == SOL_SOCKET && option == SO_PEERPIDFD)
				continue;
			bad = bad_room(fds[i % SOCKETS], level->level, option);
			EXPECT_EQ(NULL, bad) {
				TH_LOG("level %d, option %d, socket %d, room for %d",
				       level->level, option, i % SOCKETS,
				       bad ? *bad : 0);
			}
		}
	}
}

TEST_F(bytes, of_ioctls)
{
	static const int commands[] = { SIOCINQ, SIOCOUTQ, SIOCATMARK, SIOCGPGRP,
					FIOGETOWN, SIOCOUTQNSD };
	int fds[SOCKETS], i, err;
	struct fills f;
	size_t c;

	list_sockets(self, fds);
	ASSERT_EQ(7, SEND(self->conn.far, "message"));
	ASSERT_NE(0, wait_events(self->conn.near, POLLIN));
	for (i = 0; i < SOCKETS; i++) {
		for (c = 0; c < ARRAY_SIZE(commands); c++) {
			fills_begin(&f);
			dirty_stack(FILL_ONE);
			err = ERR(ioctl(fds[i], commands[c], f.one));
			dirty_stack(FILL_TWO);
			EXPECT_EQ(err, ERR(ioctl(fds[i], commands[c], f.two)));
			EXPECT_EQ(-1, fills_bad(&f, err ? 0 : sizeof(int))) {
				TH_LOG("command %x of socket %d", commands[c], i);
			}
		}
	}
}

/* --- files --- */

#define TEXT_BYTES	65536

/*
 * Read a file in pieces, over a filling.
 * Return: bytes, or -1 when one behind a piece was written.
 */
static long read_over(const char *path, int fill, size_t piece, char *text)
{
	unsigned char buf[FILL_BYTES];
	int fd = open(path, O_RDONLY);
	long len = 0;
	ssize_t n, i;

	if (fd < 0)
		return -1;
	for (;;) {
		memset(buf, fill, sizeof(buf));
		n = read(fd, buf, piece);
		for (i = n < 0 ? 0 : n; i < (ssize_t)sizeof(buf); i++)
			if (buf[i] != fill)
				n = -1;
		if (n <= 0 || len + n > TEXT_BYTES)
			break;
		memcpy(text + len, buf, n);
		len += n;
	}
	close(fd);
	return n < 0 ? -1 : len;
}

static bool is_text(const char *text, long len)
{
	long i;

	for (i = 0; i < len; i++)
		if ((text[i] < ' ' || text[i] > '~') && text[i] != '\n' &&
		    text[i] != '\t')
			return false;
	return true;
}

/* Lines that count frames need not be the same a moment later. */
static bool moves(const char *path)
{
	return strstr(path, "weft_stat") != NULL;
}

static const char *bad_file(const char *path, size_t piece)
{
	static char one[TEXT_BYTES], two[TEXT_BYTES];
	long len, again;

	dirty_stack(FILL_ONE);
	len = read_over(path, FILL_ONE, piece, one);
	dirty_stack(FILL_TWO);
	again = read_over(path, FILL_TWO, piece, two);
	if (len < 0 || again < 0)
		return "is not there, or is written beyond what was read";
	if (!is_text(one, len) || !is_text(two, again))
		return "has bytes that are no text";
	if (!moves(path) && (len != again || memcmp(one, two, len)))
		return "is different the second time";
	return NULL;
}

TEST_F(bytes, of_files)
{
	static const char *const paths[] = {
		"/proc/net/weft",
		"/proc/net/weft_stat",
		"/proc/sys/net/weft/node",
		"/proc/sys/net/weft/devices",
		"/proc/sys/net/weft/congestion_control",
		"/proc/sys/net/weft/available_congestion_control",
		"/proc/sys/net/weft/mem",
		"/proc/sys/net/weft/limits/nodes",
		"/proc/sys/net/weft/limits/pending",
		"/proc/sys/net/weft/limits/rmem",
		"/proc/sys/net/weft/limits/wmem",
		"/proc/sys/net/weft/limits/fragments",
		"/proc/sys/net/weft/limits/orphans",
		"/proc/sys/net/weft/limits/orphan_sec",
		"/proc/sys/net/weft/limits/answers",
		"/sys/module/weft/parameters/family",
		"/sys/module/weft/parameters/ethertype",
		"/sys/module/weft/parameters/check",
	};
	static const size_t pieces[] = { 1, 2, 3, 7, 100, FILL_BYTES };
	const char *bad;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(paths) * ARRAY_SIZE(pieces); i++) {
		bad = bad_file(paths[i / ARRAY_SIZE(pieces)],
			       pieces[i % ARRAY_SIZE(pieces)]);
		EXPECT_EQ(NULL, bad) {
			TH_LOG("%s %s, %zu bytes at once", paths[i / ARRAY_SIZE(pieces)],
			       bad, pieces[i % ARRAY_SIZE(pieces)]);
		}
	}
}

TEST_HARNESS_MAIN
