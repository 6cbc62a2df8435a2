// SPDX-License-Identifier: GPL-2.0
/*
 * Names, ports, listeners: bind, listen, connect, accept and their errors,
 * second calls in wrong states included.
 *
 * weft-cflags: -pthread
 */
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "weft_test.h"

FIXTURE(listen)
{
	int lis;
	int fd;
	struct addr addr;
};

FIXTURE_VARIANT(listen)
{
	int type;
};

FIXTURE_VARIANT_ADD(listen, stream) { .type = SOCK_STREAM };
FIXTURE_VARIANT_ADD(listen, seqpacket) { .type = SOCK_SEQPACKET };

FIXTURE_SETUP(listen)
{
	ROAD_OR_SKIP();
	self->lis = listener(END_B, variant->type, 8, &self->addr);
	self->fd = end_socket(END_A, variant->type);
	ASSERT_LE(0, self->lis);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(listen)
{
	close(self->fd);
	close(self->lis);
}

/* The answer of each type, where TCP and AF_UNIX differ on purpose. */
static int by_type(int type, int stream, int seqpacket)
{
	return type == SOCK_STREAM ? stream : seqpacket;
}

/* What it sent before can be read: TCP and AF_UNIX. */
TEST_F(listen, accept_names_who_has_reset)
{
	struct linger hard = { .l_onoff = 1 };
	struct addr from = { .len = sizeof(from.bytes) }, own;
	int fd;

	ASSERT_EQ(0, connect_to(self->fd, &self->addr));
	ASSERT_EQ(0, own_addr(self->fd, &own));
	ASSERT_EQ(2, SEND(self->fd, "hi"));
	ASSERT_EQ(0, setsockopt(self->fd, SOL_SOCKET, SO_LINGER, &hard,
				sizeof(hard)));
	CLOSE(self->fd);
	ASSERT_EQ(POLLIN, wait_events(self->lis, POLLIN));
	fd = accept(self->lis, &from.sa, &from.len);
	ASSERT_LE(0, fd);
	EXPECT_EQ(own.len, from.len);
	EXPECT_EQ(0, memcmp(own.bytes, from.bytes, own.len));
	close(fd);
}

TEST_F(listen, nobody_listens_is_ECONNREFUSED)
{
	struct addr addr;
	int bound = bound_socket(END_B, variant->type, &addr);

	EXPECT_EQ(ECONNREFUSED, ERR(connect_to(self->fd, &addr)));
	close(bound);
}

TEST_F(listen, closed_listener_is_ECONNREFUSED)
{
	CLOSE(self->lis);
	EXPECT_EQ(ECONNREFUSED, ERR(connect_to(self->fd, &self->addr)));
}

TEST_F(listen, connect_after_a_refusal)
{
	struct addr addr;
	int bound = bound_socket(END_B, variant->type, &addr);

	ASSERT_EQ(ECONNREFUSED, ERR(connect_to(self->fd, &addr)));
	EXPECT_EQ(0, ERR(connect_to(self->fd, &self->addr)));
	close(bound);
}

TEST_F(listen, unbound_takes_a_port)
{
	int error = by_type(variant->type, 0, expected(EX_SEQPACKET_LISTEN_UNBOUND));
	struct addr addr;

	EXPECT_EQ(error, ERR(listen(self->fd, 1)));
	ASSERT_EQ(0, own_addr(self->fd, &addr));
	if (!error)
		EXPECT_NE(0, addr_port(&addr));
}

TEST_F(listen, again_is_fine)
{
	EXPECT_EQ(0, ERR(listen(self->lis, 1)));
	EXPECT_EQ(0, ERR(listen(self->lis, 100)));
	EXPECT_EQ(0, ERR(connect_to(self->fd, &self->addr)));
}

TEST_F(listen, on_connected_is_EINVAL)
{
	ASSERT_EQ(0, connect_to(self->fd, &self->addr));
	EXPECT_EQ(EINVAL, ERR(listen(self->fd, 1)));
}

TEST_F(listen, accept_before_listen_is_EINVAL)
{
	EXPECT_EQ(EINVAL, ERR(accept(self->fd, NULL, NULL)));
}

TEST_F(listen, accept_on_connected_is_EINVAL)
{
	ASSERT_EQ(0, connect_to(self->fd, &self->addr));
	EXPECT_EQ(EINVAL, ERR(accept(self->fd, NULL, NULL)));
}

TEST_F(listen, nobody_to_accept_is_EAGAIN)
{
	ASSERT_EQ(0, set_nonblock(self->lis));
	EXPECT_EQ(EAGAIN, ERR(accept(self->lis, NULL, NULL)));
}

TEST_F(listen, accept4_flags_are_the_new_sockets)
{
	int fd;

	ASSERT_EQ(0, connect_to(self->fd, &self->addr));
	ASSERT_EQ(POLLIN, wait_events(self->lis, POLLIN));
	fd = accept4(self->lis, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ(O_NONBLOCK, fcntl(fd, F_GETFL) & O_NONBLOCK);
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	close(fd);
}

TEST_F(listen, accept_inherits_no_flags)
{
	int fd;

	ASSERT_EQ(0, set_nonblock(self->lis));
	ASSERT_EQ(0, connect_to(self->fd, &self->addr));
	fd = accepted(self->lis);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, fcntl(fd, F_GETFL) & O_NONBLOCK);
	EXPECT_EQ(0, fcntl(fd, F_GETFD));
	close(fd);
}

TEST_F(listen, unknown_accept4_flag_is_EINVAL)
{
	EXPECT_EQ(EINVAL, ERR(accept4(self->lis, NULL, NULL, 1)));
}

TEST_F(listen, accept_gives_the_clients_address)
{
	struct addr from = { .len = sizeof(from.bytes) }, own;
	int fd;

	ASSERT_EQ(0, connect_to(self->fd, &self->addr));
	ASSERT_EQ(POLLIN, wait_events(self->lis, POLLIN));
	fd = accept(self->lis, &from.sa, &from.len);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, own_addr(self->fd, &own));
	EXPECT_TRUE(addr_equal(&from, &own));
	close(fd);
}

TEST_F(listen, accept_in_order_of_arrival)
{
	int clients[4], fd;
	char text[2] = "0";
	int i;

	for (i = 0; i < 4; i++) {
		clients[i] = connected(variant->type, &self->addr);
		ASSERT_LE(0, clients[i]);
		text[0] = '0' + i;
		ASSERT_EQ(1, SEND(clients[i], text));
	}
	for (i = 0; i < 4; i++) {
		fd = accepted(self->lis);
		ASSERT_LE(0, fd);
		ASSERT_EQ(1, recv_one(fd, text, 1));
		EXPECT_EQ('0' + i, text[0]);
		close(fd);
		close(clients[i]);
	}
}

static long accept_one(void *arg)
{
	return accept(*(int *)arg, NULL, NULL);
}

TEST_F(listen, blocked_accept_is_woken)
{
	struct task task;

	ASSERT_EQ(0, task_start(&task, accept_one, &self->lis));
	ASSERT_TRUE(task_wait_asleep(&task));
	ASSERT_EQ(0, connect_to(self->fd, &self->addr));
	ASSERT_TRUE(task_join(&task));
	EXPECT_LE(0, task.result);
	close(task.result);
}

TEST_F(listen, blocked_accept_ends_with_shutdown)
{
	struct task task;

	ASSERT_EQ(0, task_start(&task, accept_one, &self->lis));
	ASSERT_TRUE(task_wait_asleep(&task));
	ASSERT_EQ(0, shutdown(self->lis, SHUT_RDWR));
	ASSERT_TRUE(task_join(&task));
	EXPECT_EQ(-1, task.result);
	EXPECT_EQ(EINVAL, task.error);
}

TEST_F(listen, accept_gives_up_after_RCVTIMEO)
{
	struct timeval tv = { .tv_usec = 30000 };

	ASSERT_EQ(0, setsockopt(self->lis, SOL_SOCKET, SO_RCVTIMEO, &tv,
				sizeof(tv)));
	EXPECT_EQ(EAGAIN, ERR(accept(self->lis, NULL, NULL)));
}

TEST_F(listen, connect_again_is_EISCONN)
{
	ASSERT_EQ(0, connect_to(self->fd, &self->addr));
	EXPECT_EQ(EISCONN, ERR(connect_to(self->fd, &self->addr)));
}

/* What TCP ends a connection with; here it is no address, and ends nothing. */
TEST_F(listen, connect_to_AF_UNSPEC_ends_nothing)
{
	struct addr none = { .len = sizeof(none.in6) };
	int fd;

	ONLY_IF(!road()->oracle);
	ASSERT_EQ(0, connect_to(self->fd, &self->addr));
	EXPECT_EQ(EAFNOSUPPORT, ERR(connect_to(self->fd, &none)));
	fd = accepted(self->lis);
	ASSERT_EQ(4, SEND(self->fd, "text"));
	EXPECT_MESSAGE(fd, "text");
	close(fd);
}

TEST_F(listen, connect_of_a_listener_fails)
{
	int error = by_type(variant->type, EISCONN, EINVAL);

	EXPECT_EQ(error, ERR(connect_to(self->lis, &self->addr)));
}

TEST_F(listen, bind_again_is_EINVAL)
{
	struct addr addr;

	any_addr(&addr, variant->type, 0);
	if (is_unix(variant->type))
		any_addr(&addr, variant->type, 5);
	EXPECT_EQ(EINVAL, ERR(bind_to(self->lis, &addr)));
}

/* One that does not listen, nor has a peer: only its name stands against it. */
TEST_F(listen, bind_of_bound_is_EINVAL)
{
	struct addr first, addr;
	int fd = bound_socket(END_B, variant->type, &first);

	ASSERT_LE(0, fd);
	any_addr(&addr, variant->type, is_unix(variant->type) ? 6 : 0);
	EXPECT_EQ(EINVAL, ERR(bind_to(fd, &addr)));
	ASSERT_EQ(0, own_addr(fd, &addr));
	if (!is_unix(variant->type))
		EXPECT_EQ(addr_port(&first), addr_port(&addr));
	close(fd);
}

TEST_F(listen, bind_of_connected_fails)
{
	int error = by_type(variant->type, EINVAL,
			    expected(EX_SEQPACKET_BIND_CONNECTED));
	struct addr addr;

	ASSERT_EQ(0, connect_to(self->fd, &self->addr));
	any_addr(&addr, variant->type, 0);
	EXPECT_EQ(error, ERR(bind_to(self->fd, &addr)));
}

TEST_F(listen, taken_name_is_EADDRINUSE)
{
	int fd = end_socket(END_B, variant->type);
	struct addr addr;

	ASSERT_EQ(0, own_addr(self->lis, &addr));
	EXPECT_EQ(EADDRINUSE, ERR(bind_to(fd, &addr)));
	close(fd);
}

TEST_F(listen, taken_port_is_EADDRINUSE_for_every_address)
{
	int fd = end_socket(END_B, variant->type);
	struct addr addr;

	if (is_unix(variant->type)) {
		addr = self->addr;
	} else {
		set_addr(&addr, &in6addr_loopback, addr_port(&self->addr));
		EXPECT_EQ(EADDRINUSE, ERR(bind_to(fd, &addr)));
		end_addr(&addr, END_B, variant->type, addr_port(&self->addr));
	}
	EXPECT_EQ(EADDRINUSE, ERR(bind_to(fd, &addr)));
	close(fd);
}

TEST_F(listen, name_is_free_after_close)
{
	int fd = end_socket(END_B, variant->type);
	struct addr addr;

	ASSERT_EQ(0, own_addr(self->lis, &addr));
	CLOSE(self->lis);
	EXPECT_EQ(0, ERR(bind_to(fd, &addr)));
	EXPECT_EQ(0, ERR(listen(fd, 1)));
	EXPECT_EQ(0, ERR(connect_to(self->fd, &self->addr)));
	close(fd);
}

TEST_F(listen, bound_client_keeps_its_port)
{
	struct addr from, peer;
	int client = bound_socket(END_A, variant->type, &from);
	int fd;

	ASSERT_LE(0, client);
	ASSERT_EQ(0, connect_to(client, &self->addr));
	fd = accepted(self->lis);
	ASSERT_EQ(0, peer_addr(fd, &peer));
	EXPECT_TRUE(addr_equal(&peer, &from));
	close(fd);
	close(client);
}

TEST_F(listen, accepted_has_the_listeners_port)
{
	struct addr own, peer;
	int fd;

	ASSERT_EQ(0, connect_to(self->fd, &self->addr));
	fd = accepted(self->lis);
	ASSERT_EQ(0, own_addr(fd, &own));
	ASSERT_EQ(0, peer_addr(self->fd, &peer));
	EXPECT_TRUE(addr_equal(&own, &self->addr));
	EXPECT_TRUE(addr_equal(&peer, &self->addr));
	close(fd);
}

/* Return: connections that came about before one did not. */
static int connect_many(int type, const struct addr *addr, int *fds, int max)
{
	int i;

	for (i = 0; i < max; i++) {
		fds[i] = end_socket(END_A, type | SOCK_NONBLOCK);
		if (connect_to(fds[i], addr) && errno != EINPROGRESS)
			break;
		/* Short: silence is what a full backlog answers on a wire. */
		if (!(poll(&(struct pollfd){ fds[i], POLLOUT, 0 }, 1, 300)))
			break;
	}
	return i;
}

TEST_F(listen, backlog_is_honoured)
{
	int fds[16], n;

	ASSERT_EQ(0, listen(self->lis, 3));
	n = connect_many(variant->type, &self->addr, fds, 16);
	EXPECT_LE(3, n);
	EXPECT_GE(4, n);
}

TEST_F(listen, backlog_of_nothing_takes_one)
{
	ASSERT_EQ(0, listen(self->lis, 0));
	EXPECT_EQ(0, ERR(connect_to(self->fd, &self->addr)));
}

TEST_F(listen, full_backlog_of_a_nonblocking_connect)
{
	int error = by_type(variant->type, expected(EX_STREAM_CONNECT_FULL),
			    expected(EX_SEQPACKET_CONNECT_FULL));
	int fds[16];

	ASSERT_EQ(0, listen(self->lis, 3));
	ASSERT_GT(16, connect_many(variant->type, &self->addr, fds, 16));
	ASSERT_EQ(0, set_nonblock(self->fd));
	EXPECT_EQ(error, ERR(connect_to(self->fd, &self->addr)));
	/* Who polls then shall not believe that it is connected. */
	if (error == EAGAIN && variant->type == SOCK_STREAM) {
		EXPECT_NE(0, events_now(self->fd, POLLERR) & POLLERR);
		EXPECT_EQ(ECONNREFUSED, get_int(self->fd, SO_ERROR));
		EXPECT_EQ(EAGAIN, ERR(connect_to(self->fd, &self->addr)));
		close(accept(self->lis, NULL, NULL));
		EXPECT_EQ(0, ERR(connect_to(self->fd, &self->addr)));
		EXPECT_EQ(0, get_int(self->fd, SO_ERROR));
	}
}

struct connecting {
	int fd;
	struct addr *addr;
};

static long connect_one(void *arg)
{
	struct connecting *c = arg;

	return connect_to(c->fd, c->addr);
}

TEST_F(listen, full_backlog_blocks_until_accept)
{
	struct connecting c = { self->fd, &self->addr };
	int fds[16], n, i;
	struct task task;

	ASSERT_EQ(0, listen(self->lis, 1));
	n = connect_many(variant->type, &self->addr, fds, 16);
	ASSERT_GT(16, n);
	close(fds[n]);
	ASSERT_EQ(0, task_start(&task, connect_one, &c));
	ASSERT_TRUE(task_wait_asleep(&task));
	for (i = 0; i < n; i++)
		ASSERT_LE(0, accepted(self->lis));
	ASSERT_TRUE(task_join(&task));
	EXPECT_EQ(0, task.result);
	EXPECT_LE(0, accepted(self->lis));
}

/* A connect that sleeps before a backlog that is full. */
static bool begin_to_wait(struct connecting *c, struct task *task)
{
	return !task_start(task, connect_one, c) && task_wait_asleep(task);
}

TEST_F(listen, full_backlog_and_shutdown_by_another_thread)
{
	struct connecting c = { self->fd, &self->addr };
	struct task task;
	int fds[16], n;

	ASSERT_EQ(0, listen(self->lis, 1));
	n = connect_many(variant->type, &self->addr, fds, 16);
	ASSERT_GT(16, n);
	ASSERT_TRUE(begin_to_wait(&c, &task));
	shutdown(self->fd, SHUT_RDWR);
	ASSERT_TRUE(task_join(&task));
	EXPECT_EQ(-1, task.result);
	EXPECT_EQ(ECONNRESET, task.error);
	/* It may be connected as if nothing had been. */
	while (n--)
		ASSERT_LE(0, accepted(self->lis));
	EXPECT_EQ(0, ERR(connect_to(self->fd, &self->addr)));
	EXPECT_LE(0, accepted(self->lis));
}

TEST_F(listen, full_backlog_and_a_listener_that_closes)
{
	struct connecting c = { self->fd, &self->addr };
	struct task task;
	int fds[16];

	ASSERT_EQ(0, listen(self->lis, 1));
	ASSERT_GT(16, connect_many(variant->type, &self->addr, fds, 16));
	ASSERT_TRUE(begin_to_wait(&c, &task));
	CLOSE(self->lis);
	ASSERT_TRUE(task_join(&task));
	EXPECT_EQ(-1, task.result);
	EXPECT_EQ(ECONNREFUSED, task.error);
}

TEST_F(listen, closing_resets_who_was_not_accepted)
{
	char got;

	ASSERT_EQ(0, connect_to(self->fd, &self->addr));
	/* On a wire the client may be first to know. */
	ASSERT_EQ(POLLIN, wait_events(self->lis, POLLIN));
	CLOSE(self->lis);
	ASSERT_NE(0, wait_events(self->fd, POLLIN));
	EXPECT_EQ(ECONNRESET, ERR(recv(self->fd, &got, 1, 0)));
}

TEST_F(listen, closing_leaves_accepted_ones_alone)
{
	int fd;

	ASSERT_EQ(0, connect_to(self->fd, &self->addr));
	fd = accepted(self->lis);
	ASSERT_LE(0, fd);
	CLOSE(self->lis);
	ASSERT_EQ(5, SEND(self->fd, "still"));
	EXPECT_MESSAGE(fd, "still");
	close(fd);
}

TEST_F(listen, children_inherit_linger_and_keepalive)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 7 }, got = { 0 };
	socklen_t len = sizeof(got);
	int fd;

	ONLY_IF(!is_unix(variant->type));
	ASSERT_EQ(0, setsockopt(self->lis, SOL_SOCKET, SO_LINGER, &linger,
				sizeof(linger)));
	ASSERT_EQ(0, set_int(self->lis, SO_KEEPALIVE, 1));
	ASSERT_EQ(0, connect_to(self->fd, &self->addr));
	fd = accepted(self->lis);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, getsockopt(fd, SOL_SOCKET, SO_LINGER, &got, &len));
	EXPECT_EQ(1, got.l_onoff);
	EXPECT_EQ(7, got.l_linger);
	EXPECT_EQ(1, get_int(fd, SO_KEEPALIVE));
	close(fd);
}

TEST_F(listen, shutdown_of_sending_goes_on_listening)
{
	EXPECT_EQ(0, ERR(shutdown(self->lis, SHUT_WR)));
	ASSERT_EQ(0, connect_to(self->fd, &self->addr));
	EXPECT_LE(0, accepted(self->lis));
}

TEST_F(listen, listener_is_no_connection)
{
	char got;

	EXPECT_EQ(ENOTCONN, ERR(recv(self->lis, &got, 1, 0)));
	EXPECT_EQ(by_type(variant->type, EPIPE, ENOTCONN),
		  ERR(SEND(self->lis, "x")));
}

TEST_F(listen, short_address_is_EINVAL)
{
	EXPECT_EQ(EINVAL, ERR(connect(self->fd, &self->addr.sa, 2)));
	EXPECT_EQ(EINVAL, ERR(connect(self->fd, &self->addr.sa, 1)));
	EXPECT_EQ(EINVAL, ERR(bind(self->fd, &self->addr.sa, 1)));
}

/* Ports: AF_UNIX has none, so that its oracle ends here. */
FIXTURE(port)
{
	int fd;
};

FIXTURE_VARIANT(port)
{
	int type;
};

FIXTURE_VARIANT_ADD(port, stream) { .type = SOCK_STREAM };
FIXTURE_VARIANT_ADD(port, seqpacket) { .type = SOCK_SEQPACKET };
FIXTURE_VARIANT_ADD(port, dgram) { .type = SOCK_DGRAM };

FIXTURE_SETUP(port)
{
	ROAD_OR_SKIP();
	if (is_unix(variant->type))
		SKIP(return, "AF_UNIX has no ports");
	self->fd = end_socket(END_B, variant->type);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(port)
{
	close(self->fd);
}

/* Give up a capability, for good. */
static int drop_capability(int which)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data))
		return -1;
	data[which / 32].effective &= ~(1U << (which % 32));
	data[which / 32].permitted &= ~(1U << (which % 32));
	return syscall(SYS_capset, &head, data);
}

TEST_F(port, below_1024_needs_a_capability)
{
	struct addr addr;

	any_addr(&addr, variant->type, 1023);
	ASSERT_EQ(0, drop_capability(CAP_NET_BIND_SERVICE));
	EXPECT_EQ(EACCES, ERR(bind_to(self->fd, &addr)));
	any_addr(&addr, variant->type, 1024);
	EXPECT_NE(EACCES, ERR(bind_to(self->fd, &addr)));
}

static int set_unprivileged_start(const char *port)
{
	int fd = open("/proc/sys/net/ipv4/ip_unprivileged_port_start",
		      O_WRONLY | O_CLOEXEC);
	ssize_t n = write(fd, port, strlen(port));

	close(fd);
	return n < 0 ? -1 : 0;
}

/* Of a namespace of its own: the oracle's is the machine's. */
static int bind_without_capability(int type, unsigned int port)
{
	struct addr addr;
	int fd = socket(road()->family, type, 0), err;

	any_addr(&addr, type, port);
	err = ERR(bind_to(fd, &addr));
	close(fd);
	return err;
}

TEST_F(port, below_what_the_namespace_says_need_a_capability)
{
	ASSERT_EQ(0, unshare(CLONE_NEWNET));
	ASSERT_EQ(0, set_unprivileged_start("80"));
	ASSERT_EQ(0, drop_capability(CAP_NET_BIND_SERVICE));
	EXPECT_EQ(0, bind_without_capability(variant->type, 1023));
	EXPECT_EQ(0, bind_without_capability(variant->type, 80));
	EXPECT_EQ(EACCES, bind_without_capability(variant->type, 79));
	EXPECT_EQ(EACCES, bind_without_capability(variant->type, 1));
	ASSERT_EQ(0, set_unprivileged_start("2000"));
	EXPECT_EQ(EACCES, bind_without_capability(variant->type, 1999));
	EXPECT_EQ(0, bind_without_capability(variant->type, 2000));
	/* A port that was not asked for needs nothing. */
	ASSERT_EQ(0, set_unprivileged_start("32768"));
	EXPECT_EQ(0, bind_without_capability(variant->type, 0));
}

TEST_F(port, below_1024_with_the_capability)
{
	struct addr addr;

	any_addr(&addr, variant->type, 1021);
	EXPECT_EQ(0, ERR(bind_to(self->fd, &addr)));
}

TEST_F(port, ephemeral_ones_are_different)
{
	bool seen[65536] = { false };
	struct addr addr;
	int i;

	for (i = 0; i < 64; i++) {
		ASSERT_LE(0, bound_socket(END_B, variant->type, &addr));
		EXPECT_LE(32768, addr_port(&addr));
		EXPECT_GE(60999, addr_port(&addr));
		EXPECT_FALSE(seen[addr_port(&addr)]);
		seen[addr_port(&addr)] = true;
	}
}

TEST_F(port, any_address_shows_as_any)
{
	struct addr addr, own;

	any_addr(&addr, variant->type, 0);
	ASSERT_EQ(0, bind_to(self->fd, &addr));
	ASSERT_EQ(0, own_addr(self->fd, &own));
	EXPECT_EQ(sizeof(struct sockaddr_weft), own.len);
	EXPECT_EQ(0, memcmp(&own.in6.sin6_addr, &in6addr_any, 16));
}

TEST_F(port, own_address_binds)
{
	struct addr addr, own;

	end_addr(&addr, END_B, variant->type, 0);
	ASSERT_EQ(0, bind_to(self->fd, &addr));
	ASSERT_EQ(0, own_addr(self->fd, &own));
	EXPECT_EQ(0, memcmp(&own.in6.sin6_addr, &addr.in6.sin6_addr, 16));
	EXPECT_NE(0, addr_port(&own));
}

TEST_F(port, foreign_address_is_EADDRNOTAVAIL)
{
	struct in6_addr node;
	struct addr addr;

	ASSERT_EQ(1, inet_pton(AF_INET6, "fd77:6566:7400::dead:1", &node));
	set_addr(&addr, &node, 0);
	EXPECT_EQ(EADDRNOTAVAIL, ERR(bind_to(self->fd, &addr)));
}

TEST_F(port, unknown_family_is_refused)
{
	struct addr addr;

	any_addr(&addr, variant->type, 0);
	addr.sa.sa_family = AF_APPLETALK;
	EXPECT_EQ(EAFNOSUPPORT, ERR(bind_to(self->fd, &addr)));
	EXPECT_EQ(EAFNOSUPPORT, ERR(connect_to(self->fd, &addr)));
}

TEST_F(port, unbound_is_any_address_and_port_0)
{
	struct addr own;

	ASSERT_EQ(0, own_addr(self->fd, &own));
	EXPECT_EQ(road()->family, own.sa.sa_family);
	EXPECT_EQ(0, addr_port(&own));
	EXPECT_EQ(0, memcmp(&own.in6.sin6_addr, &in6addr_any, 16));
}

TEST_F(port, stream_and_seqpacket_share_their_ports)
{
	int other = variant->type == SOCK_STREAM ? SOCK_SEQPACKET : SOCK_STREAM;
	struct addr addr;
	int fd;

	ONLY_IF(!road()->oracle && variant->type != SOCK_DGRAM);
	ASSERT_LE(0, bound_socket(END_B, variant->type, &addr));
	any_addr(&addr, other, addr_port(&addr));
	fd = end_socket(END_B, other);
	EXPECT_EQ(EADDRINUSE, ERR(bind_to(fd, &addr)));
	close(fd);
}

TEST_F(port, wrong_type_of_listener_is_ECONNREFUSED)
{
	int other = variant->type == SOCK_STREAM ? SOCK_SEQPACKET : SOCK_STREAM;
	struct addr addr;
	int fd;

	ONLY_IF(!road()->oracle && variant->type != SOCK_DGRAM);
	ASSERT_LE(0, listener(END_B, variant->type, 1, &addr));
	fd = end_socket(END_A, other);
	EXPECT_EQ(ECONNREFUSED, ERR(connect_to(fd, &addr)));
	close(fd);
}

TEST(unknown_protocol_is_EPROTONOSUPPORT)
{
	ROAD_OR_SKIP();
	EXPECT_EQ(EPROTONOSUPPORT, ERR(socket(road()->family, SOCK_STREAM, 253)));
}

TEST(unknown_type_is_ESOCKTNOSUPPORT)
{
	ROAD_OR_SKIP();
	EXPECT_EQ(ESOCKTNOSUPPORT, ERR(socket(road()->family, SOCK_RDM, 0)));
}

TEST(names_of_one_node_reach_each_other)
{
	struct addr addr;
	int lis, fd;

	ROAD_OR_SKIP();
	lis = listener(END_B, SOCK_STREAM, 1, &addr);
	ASSERT_LE(0, lis);
	fd = end_socket(END_B, SOCK_STREAM);
	set_addr(&addr, &in6addr_loopback, addr_port(&addr));
	EXPECT_EQ(0, ERR(connect_to(fd, &addr)));
	close(fd);
	fd = end_socket(END_B, SOCK_STREAM);
	end_addr(&addr, END_B, SOCK_STREAM, addr_port(&addr));
	EXPECT_EQ(0, ERR(connect_to(fd, &addr)));
	close(fd);
	close(lis);
}

TEST_HARNESS_MAIN
