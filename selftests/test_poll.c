// SPDX-License-Identifier: GPL-2.0
/*
 * Readiness: poll, select, epoll by level and by edge, SIGIO, and the calls
 * that do not block.
 *
 * weft-cflags: -pthread
 */
#include <sys/epoll.h>
#include <sys/select.h>

#include "weft_test.h"

#define ALL_EVENTS	(POLLIN | POLLOUT | POLLRDHUP)

CONN_FIXTURE()
CONN_VARIANT(stream_client, SOCK_STREAM, false);
CONN_VARIANT(stream_server, SOCK_STREAM, true);
CONN_VARIANT(seqpacket_client, SOCK_SEQPACKET, false);
CONN_VARIANT(seqpacket_server, SOCK_SEQPACKET, true);

TEST_F(conn, idle_is_writable_only)
{
	EXPECT_EQ(POLLOUT, events_now(self->near, ALL_EVENTS));
	EXPECT_EQ(POLLOUT, events_now(self->far, ALL_EVENTS));
}

TEST_F(conn, readable_while_there_is_data)
{
	ASSERT_EQ(2, SEND(self->far, "ab"));
	ASSERT_EQ(POLLIN, wait_events(self->near, POLLIN));
	EXPECT_EQ(POLLIN | POLLOUT, events_now(self->near, ALL_EVENTS));
	EXPECT_MESSAGE(self->near, "ab");
	EXPECT_EQ(POLLOUT, events_now(self->near, ALL_EVENTS));
}

/* Bytes one by one, which fit into any buffer. */
#define TRICKLE		10000

struct trickle {
	int fd;
	volatile bool over;
};

static long trickle(void *arg)
{
	struct trickle *t = arg;
	long sent = 0;

	while (sent < TRICKLE && send(t->fd, "x", 1, MSG_NOSIGNAL) == 1)
		sent++;
	t->over = true;
	return sent;
}

/* Whoever looks without a lock, while another writes, sees no other state. */
TEST_F(conn, readable_while_more_comes)
{
	struct trickle t = { .fd = self->far };
	struct task task;
	long looks = 0;

	ASSERT_EQ(0, task_start(&task, trickle, &t));
	ASSERT_EQ(POLLIN, wait_events(self->near, POLLIN));
	do {
		ASSERT_EQ(POLLIN | POLLOUT, events_now(self->near, ALL_EVENTS));
		looks++;
	} while (!t.over);
	ASSERT_TRUE(task_join(&task));
	EXPECT_EQ(TRICKLE, task.result);
	EXPECT_LT(1, looks);
}

TEST_F(conn, normal_data_events)
{
	const short normal = POLLRDNORM | POLLWRNORM;

	EXPECT_EQ(POLLWRNORM, events_now(self->near, normal));
	ASSERT_EQ(1, SEND(self->far, "x"));
	ASSERT_EQ(POLLIN, wait_events(self->near, POLLIN));
	EXPECT_EQ(normal, events_now(self->near, normal));
}

TEST_F(conn, unwritable_while_full)
{
	long sent = fill_up_for_good(self->near, 4000);

	ASSERT_LT(0, sent);
	EXPECT_EQ(0, events_now(self->near, ALL_EVENTS));
	ASSERT_EQ(sent, drain(self->far, sent));
	EXPECT_EQ(POLLOUT, wait_events(self->near, POLLOUT));
}

TEST_F(conn, half_closed_by_the_peer)
{
	ASSERT_EQ(0, shutdown(self->far, SHUT_WR));
	EXPECT_TRUE(wait_all_events(self->near, POLLIN | POLLRDHUP));
	EXPECT_EQ(ALL_EVENTS, events_now(self->near, ALL_EVENTS));
}

/* AF_UNIX hangs up at once; TCP when both halves are closed. */
TEST_F(conn, closed_by_the_peer)
{
	short hup = variant->type == SOCK_SEQPACKET ?
		    expected(EX_SEQPACKET_PEER_CLOSED) : 0;

	CLOSE(self->far);
	EXPECT_TRUE(wait_all_events(self->near, POLLIN | POLLRDHUP | hup));
	EXPECT_EQ(ALL_EVENTS | hup, events_now(self->near, ALL_EVENTS));
}

TEST_F(conn, closed_by_both)
{
	CLOSE(self->far);
	ASSERT_TRUE(wait_all_events(self->near, POLLIN | POLLRDHUP));
	ASSERT_EQ(0, shutdown(self->near, SHUT_WR));
	EXPECT_TRUE(wait_all_events(self->near, POLLIN | POLLRDHUP | POLLHUP));
}

TEST_F(conn, own_half_close)
{
	ASSERT_EQ(0, shutdown(self->near, SHUT_WR));
	EXPECT_EQ(POLLOUT, events_now(self->near, ALL_EVENTS));
}

TEST_F(conn, own_shutdown)
{
	ASSERT_EQ(0, shutdown(self->near, SHUT_RDWR));
	EXPECT_EQ(ALL_EVENTS | POLLHUP, events_now(self->near, ALL_EVENTS));
}

TEST_F(conn, reset_by_the_peer)
{
	ASSERT_EQ(6, SEND(self->near, "unread"));
	ASSERT_EQ(POLLIN, wait_events(self->far, POLLIN));
	CLOSE(self->far);
	EXPECT_TRUE(wait_all_events(self->near, POLLERR | POLLHUP | POLLIN));
	EXPECT_EQ(ECONNRESET, get_int(self->near, SO_ERROR));
	EXPECT_EQ(0, events_now(self->near, ALL_EVENTS) & POLLERR);
}

static long poll_in(void *arg)
{
	return wait_events(*(int *)arg, POLLIN);
}

TEST_F(conn, blocked_poll_is_woken_by_data)
{
	struct task task;

	ASSERT_EQ(0, task_start(&task, poll_in, &self->near));
	ASSERT_TRUE(task_wait_asleep(&task));
	ASSERT_EQ(1, SEND(self->far, "x"));
	ASSERT_TRUE(task_join(&task));
	EXPECT_EQ(POLLIN, task.result);
}

static long poll_rdhup(void *arg)
{
	return wait_events(*(int *)arg, POLLRDHUP);
}

TEST_F(conn, blocked_poll_is_woken_by_the_end)
{
	struct task task;

	ASSERT_EQ(0, task_start(&task, poll_rdhup, &self->near));
	ASSERT_TRUE(task_wait_asleep(&task));
	ASSERT_EQ(0, shutdown(self->far, SHUT_WR));
	ASSERT_TRUE(task_join(&task));
	EXPECT_EQ(POLLRDHUP, task.result);
}

static long poll_out(void *arg)
{
	return wait_events(*(int *)arg, POLLOUT);
}

TEST_F(conn, blocked_poll_is_woken_by_room)
{
	struct task task;
	long sent = fill_up_for_good(self->near, 4000);

	ASSERT_LT(0, sent);
	ASSERT_EQ(0, task_start(&task, poll_out, &self->near));
	ASSERT_TRUE(task_wait_asleep(&task));
	ASSERT_EQ(sent, drain(self->far, sent));
	ASSERT_TRUE(task_join(&task));
	EXPECT_EQ(POLLOUT, task.result);
}

TEST_F(conn, select_agrees)
{
	struct timeval none = { 0 };
	fd_set in, out;

	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(self->near, &in);
	FD_SET(self->near, &out);
	EXPECT_EQ(1, select(self->near + 1, &in, &out, NULL, &none));
	EXPECT_FALSE(FD_ISSET(self->near, &in));
	EXPECT_TRUE(FD_ISSET(self->near, &out));
	ASSERT_EQ(1, SEND(self->far, "x"));
	FD_SET(self->near, &in);
	none.tv_sec = DEADLINE_MS / 1000;
	EXPECT_EQ(1, select(self->near + 1, &in, NULL, NULL, &none));
	EXPECT_TRUE(FD_ISSET(self->near, &in));
}

/* An epoll instance that watches @fd. */
static int watch(int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.fd = fd };
	int ep = epoll_create1(EPOLL_CLOEXEC);

	return epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event) ? -1 : ep;
}

static int next_event(int ep, int timeout)
{
	struct epoll_event event = { 0 };
	int n = epoll_wait(ep, &event, 1, timeout);

	return n == 1 ? (int)event.events : n;
}

TEST_F(conn, epoll_by_level_tells_again)
{
	int ep = watch(self->near, EPOLLIN);

	EXPECT_EQ(0, next_event(ep, 0));
	ASSERT_EQ(2, SEND(self->far, "ab"));
	EXPECT_EQ(EPOLLIN, next_event(ep, DEADLINE_MS));
	EXPECT_EQ(EPOLLIN, next_event(ep, 0));
	EXPECT_MESSAGE(self->near, "ab");
	EXPECT_EQ(0, next_event(ep, 0));
	close(ep);
}

TEST_F(conn, epoll_by_edge_tells_once)
{
	int ep = watch(self->near, EPOLLIN | EPOLLET);

	ASSERT_EQ(2, SEND(self->far, "ab"));
	EXPECT_EQ(EPOLLIN, next_event(ep, DEADLINE_MS));
	EXPECT_EQ(0, next_event(ep, 0));
	close(ep);
}

TEST_F(conn, epoll_by_edge_tells_of_every_arrival)
{
	int ep = watch(self->near, EPOLLIN | EPOLLET);
	int i;

	for (i = 0; i < 100; i++) {
		ASSERT_EQ(1, SEND(self->far, "x"));
		ASSERT_EQ(EPOLLIN, next_event(ep, DEADLINE_MS));
	}
	close(ep);
}

TEST_F(conn, epoll_by_edge_drains_to_EAGAIN)
{
	int ep = watch(self->near, EPOLLIN | EPOLLET);
	char got[16];
	int i;

	for (i = 0; i < 300; i++) {
		ASSERT_EQ(1, SEND(self->far, "x"));
		ASSERT_EQ(EPOLLIN, next_event(ep, DEADLINE_MS));
		ASSERT_EQ(1, recv(self->near, got, 16, MSG_DONTWAIT));
		ASSERT_EQ(-1, recv(self->near, got, 16, MSG_DONTWAIT));
	}
	close(ep);
}

TEST_F(conn, epoll_by_edge_tells_of_room)
{
	int ep = watch(self->near, EPOLLOUT | EPOLLET);
	long sent;

	EXPECT_EQ(EPOLLOUT, next_event(ep, DEADLINE_MS));
	sent = fill_up_for_good(self->near, 4000);
	while (next_event(ep, 0) > 0)
		sent += fill_up_for_good(self->near, 4000);
	ASSERT_EQ(sent, drain(self->far, sent));
	EXPECT_EQ(EPOLLOUT, next_event(ep, DEADLINE_MS));
	close(ep);
}

TEST_F(conn, epoll_by_edge_tells_of_the_end)
{
	int ep = watch(self->near, EPOLLIN | EPOLLRDHUP | EPOLLET);

	ASSERT_EQ(0, shutdown(self->far, SHUT_WR));
	EXPECT_EQ(EPOLLIN | EPOLLRDHUP, next_event(ep, DEADLINE_MS));
	close(ep);
}

TEST_F(conn, sigio_tells_of_data)
{
	struct timespec deadline = { DEADLINE_MS / 1000, 0 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	ASSERT_EQ(0, sigprocmask(SIG_BLOCK, &set, NULL));
	ASSERT_EQ(0, fcntl(self->near, F_SETOWN, getpid()));
	ASSERT_EQ(0, fcntl(self->near, F_SETFL, O_ASYNC | O_NONBLOCK));
	ASSERT_EQ(1, SEND(self->far, "x"));
	EXPECT_EQ(SIGIO, sigtimedwait(&set, NULL, &deadline));
	EXPECT_MESSAGE(self->near, "x");
}

/* Sockets that are not connected. */
FIXTURE(lone)
{
	struct addr addr;
	int lis;
	int fd;
};

FIXTURE_VARIANT(lone)
{
	int type;
};

FIXTURE_VARIANT_ADD(lone, stream) { .type = SOCK_STREAM };
FIXTURE_VARIANT_ADD(lone, seqpacket) { .type = SOCK_SEQPACKET };

FIXTURE_SETUP(lone)
{
	ROAD_OR_SKIP();
	self->lis = listener(END_B, variant->type | SOCK_NONBLOCK, 4,
			     &self->addr);
	self->fd = end_socket(END_A, variant->type | SOCK_NONBLOCK);
	ASSERT_LE(0, self->lis);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(lone)
{
	close(self->fd);
	close(self->lis);
}

TEST_F(lone, unconnected_is_hung_up)
{
	EXPECT_EQ(POLLOUT | POLLHUP, events_now(self->fd, ALL_EVENTS));
}

TEST_F(lone, listener_is_readable_while_somebody_waits)
{
	int fd;

	EXPECT_EQ(0, events_now(self->lis, ALL_EVENTS));
	fd = connected(variant->type, &self->addr);
	ASSERT_EQ(POLLIN, wait_events(self->lis, POLLIN));
	EXPECT_EQ(POLLIN, events_now(self->lis, ALL_EVENTS));
	close(accept(self->lis, NULL, NULL));
	EXPECT_EQ(0, events_now(self->lis, ALL_EVENTS));
	close(fd);
}

TEST_F(lone, epoll_by_edge_tells_of_every_client)
{
	int ep = watch(self->lis, EPOLLIN | EPOLLET);
	int i;

	for (i = 0; i < 3; i++) {
		ASSERT_LE(0, connected(variant->type, &self->addr));
		ASSERT_EQ(EPOLLIN, next_event(ep, DEADLINE_MS));
	}
	close(ep);
}

TEST_F(lone, nonblocking_connect_comes_about)
{
	int error = ERR(connect_to(self->fd, &self->addr));

	if (error)
		EXPECT_EQ(EINPROGRESS, error);
	EXPECT_EQ(POLLOUT, wait_events(self->fd, POLLOUT));
	EXPECT_EQ(0, get_int(self->fd, SO_ERROR));
	EXPECT_EQ(EISCONN, ERR(connect_to(self->fd, &self->addr)) ?: EISCONN);
	ASSERT_EQ(1, SEND(self->fd, "x"));
}

TEST_F(lone, nonblocking_connect_is_refused)
{
	struct addr addr;
	int bound = bound_socket(END_B, variant->type, &addr);
	int error = ERR(connect_to(self->fd, &addr));

	if (error == EINPROGRESS) {
		EXPECT_TRUE(wait_all_events(self->fd, POLLOUT | POLLERR));
		error = get_int(self->fd, SO_ERROR);
	}
	EXPECT_EQ(ECONNREFUSED, error);
	EXPECT_EQ(0, get_int(self->fd, SO_ERROR));
	close(bound);
}

/*
 * An address that does not answer, as long as this test needs: a node that is
 * not there; where there is no wire to ask on, a listener with a full backlog.
 */
static void go_silent(int lis, struct addr *addr, int type)
{
	struct in6_addr node;
	int i, fd;

	if (road()->wire) {
		inet_pton(AF_INET6, "fd77:6566:7400::dead:2", &node);
		set_addr(addr, &node, 1);
		return;
	}
	listen(lis, 0);
	for (i = 0; i < 4; i++) {
		fd = end_socket(END_A, type | SOCK_NONBLOCK);
		connect_to(fd, addr);
		wait_all_events(lis, POLLIN);
	}
}

TEST_F(lone, connect_under_way_is_EALREADY)
{
	/* On one node a connect that cannot be is not begun. */
	ONLY_IF(!is_unix(variant->type) && (road()->oracle || road()->wire));
	go_silent(self->lis, &self->addr, variant->type);
	EXPECT_EQ(EINPROGRESS, ERR(connect_to(self->fd, &self->addr)));
	EXPECT_EQ(EALREADY, ERR(connect_to(self->fd, &self->addr)));
	EXPECT_EQ(0, events_now(self->fd, ALL_EVENTS));
	EXPECT_EQ(0, get_int(self->fd, SO_ERROR));
}

TEST_F(lone, connect_gives_up_after_SNDTIMEO)
{
	int error = variant->type == SOCK_STREAM ?
		    expected(EX_STREAM_CONNECT_FULL) :
		    expected(EX_SEQPACKET_CONNECT_FULL);
	struct timeval tv = { .tv_usec = 30000 };
	int fd = end_socket(END_A, variant->type);

	go_silent(self->lis, &self->addr, variant->type);
	ASSERT_EQ(0, setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)));
	EXPECT_EQ(error, ERR(connect_to(fd, &self->addr)));
	close(fd);
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

TEST_F(lone, connect_is_interrupted_by_a_signal)
{
	struct connecting c = { end_socket(END_A, variant->type), &self->addr };
	struct task task;

	go_silent(self->lis, &self->addr, variant->type);
	ASSERT_EQ(0, task_start(&task, connect_one, &c));
	ASSERT_TRUE(task_interrupt(&task));
	EXPECT_EQ(EINTR, task.error);
	close(c.fd);
}

/* On one node, and of AF_UNIX, a connect that has no room is not begun. */
static bool begins_without_room(int type)
{
	return !is_unix(type) && (road()->oracle || road()->wire);
}

/*
 * A connection of @fd that is begun, and comes about when @first, who has all
 * of the backlog, is accepted. Return: errno of the connect, or 0.
 */
static int begin_connecting(int lis, int fd, const struct addr *addr, int type,
			    int *first)
{
	int error;

	listen(lis, 0);
	*first = connected(type, addr);
	wait_events(lis, POLLIN);
	error = ERR(connect_to(fd, addr));
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	return error;
}

/* The second of those that wait. */
static int accept_two(int lis)
{
	close(accepted(lis));
	return accepted(lis);
}

TEST_F(lone, connect_waits_for_one_that_was_begun)
{
	struct connecting c = { self->fd, &self->addr };
	struct task task;
	int first, fd;

	ONLY_IF(begins_without_room(variant->type));
	ASSERT_EQ(EINPROGRESS, begin_connecting(self->lis, self->fd,
						&self->addr, variant->type,
						&first));
	ASSERT_EQ(0, task_start(&task, connect_one, &c));
	ASSERT_TRUE(task_wait_asleep(&task));
	fd = accept_two(self->lis);
	ASSERT_LE(0, fd);
	ASSERT_TRUE(task_join(&task));
	EXPECT_EQ(0, task.result);
	close(fd);
	close(first);
}

static long send_text(void *arg)
{
	return SEND(*(int *)arg, "text");
}

TEST_F(lone, send_waits_for_a_connect_that_was_begun)
{
	struct task task;
	int first, fd;

	ONLY_IF(begins_without_room(variant->type));
	ASSERT_EQ(EINPROGRESS, begin_connecting(self->lis, self->fd,
						&self->addr, variant->type,
						&first));
	EXPECT_EQ(EAGAIN, ERR(send(self->fd, "x", 1, MSG_DONTWAIT)));
	ASSERT_EQ(0, task_start(&task, send_text, &self->fd));
	ASSERT_TRUE(task_wait_asleep(&task));
	fd = accept_two(self->lis);
	ASSERT_LE(0, fd);
	ASSERT_TRUE(task_join(&task));
	EXPECT_EQ(4, task.result);
	EXPECT_MESSAGE(fd, "text");
	close(fd);
	close(first);
}

static long recv_byte(void *arg)
{
	char got;

	return recv(*(int *)arg, &got, 1, 0);
}

TEST_F(lone, recv_waits_for_a_connect_that_was_begun)
{
	struct task task;
	int first, fd;
	char got;

	ONLY_IF(begins_without_room(variant->type));
	ASSERT_EQ(EINPROGRESS, begin_connecting(self->lis, self->fd,
						&self->addr, variant->type,
						&first));
	EXPECT_EQ(EAGAIN, ERR(recv(self->fd, &got, 1, MSG_DONTWAIT)));
	ASSERT_EQ(0, task_start(&task, recv_byte, &self->fd));
	ASSERT_TRUE(task_wait_asleep(&task));
	fd = accept_two(self->lis);
	ASSERT_LE(0, fd);
	ASSERT_EQ(1, SEND(fd, "x"));
	ASSERT_TRUE(task_join(&task));
	EXPECT_EQ(1, task.result);
	close(fd);
	close(first);
}

/* Shut down before anybody asked how it went, it connects no more. */
TEST_F(lone, refused_and_shut_down_is_EINVAL)
{
	int not_connected = variant->type == SOCK_STREAM ? ENOTCONN : 0;
	struct addr addr;
	int bound = bound_socket(END_B, variant->type, &addr);

	if (!begins_without_room(variant->type) ||
	    (road()->oracle && variant->type == SOCK_STREAM)) {
		/* It is refused at once. */
		EXPECT_EQ(ECONNREFUSED, ERR(connect_to(self->fd, &addr)));
	} else {
		ASSERT_EQ(EINPROGRESS, ERR(connect_to(self->fd, &addr)));
		ASSERT_TRUE(wait_all_events(self->fd, POLLOUT | POLLERR));
		EXPECT_EQ(not_connected, ERR(shutdown(self->fd, SHUT_RDWR)));
		EXPECT_EQ(EINVAL, ERR(connect_to(self->fd, &self->addr)));
	}
	close(bound);
}

TEST_F(lone, nonblocking_accept)
{
	int fd;

	EXPECT_EQ(EAGAIN, ERR(accept(self->lis, NULL, NULL)));
	fd = connected(variant->type, &self->addr);
	ASSERT_EQ(POLLIN, wait_events(self->lis, POLLIN));
	EXPECT_LE(0, accept(self->lis, NULL, NULL));
	EXPECT_EQ(EAGAIN, ERR(accept(self->lis, NULL, NULL)));
	close(fd);
}

TEST_HARNESS_MAIN
