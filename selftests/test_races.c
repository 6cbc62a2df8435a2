// SPDX-License-Identifier: GPL-2.0
/*
 * Calls of two threads on the same connection, or on both ends of it, over and
 * over, where an unlucky moment once did harm: what was allowed before must be
 * so after, and the kernel has nothing to say.
 *
 * weft-roads: local veth
 * weft-cflags: -pthread
 */
#include <sched.h>
#include <stdatomic.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "weft_test.h"

#define ROUNDS		2000

FIXTURE(races) {};

FIXTURE_SETUP(races)
{
	ROAD_OR_SKIP();
}

FIXTURE_TEARDOWN(races) {}

/* Who connected is written to before connect() has returned. */
struct greeter {
	int lis;
	atomic_long greeted;
};

static long accept_and_greet(void *arg)
{
	struct greeter *g = arg;

	for (;;) {
		int fd = accept(g->lis, NULL, NULL);

		if (fd < 0)
			return errno;
		if (send(fd, "hello", 5, MSG_NOSIGNAL) == 5)
			atomic_fetch_add(&g->greeted, 1);
		close(fd);
	}
}

/* It was a listener, whose list of children nobody needs any more. */
static int former_listener(void)
{
	int fd = end_socket(END_A, SOCK_STREAM);

	if (listen(fd, 1) || shutdown(fd, SHUT_RD))
		return -1;
	return fd;
}

TEST_F(races, a_former_listener_is_greeted_while_it_connects)
{
	long long end = now_ms() + DEADLINE_MS;
	struct greeter g = {};
	struct addr addr;
	struct task task;
	int i;

	g.lis = listener(END_B, SOCK_STREAM, 8, &addr);
	ASSERT_LE(0, g.lis);
	ASSERT_EQ(0, task_start(&task, accept_and_greet, &g));
	/* A slow machine makes fewer. */
	for (i = 0; i < ROUNDS && now_ms() < end; i++) {
		int fd = former_listener();

		ASSERT_LE(0, fd);
		ASSERT_EQ(0, connect_to(fd, &addr));
		EXPECT_TEXT(fd, "hello");
		EXPECT_EOF(fd);
		close(fd);
	}
	shutdown(g.lis, SHUT_RD);
	ASSERT_TRUE(task_join(&task));
	EXPECT_EQ(i, atomic_load(&g.greeted));
	close(g.lis);
}

/* The error is taken by another call than the one that it was for. */
struct thief {
	atomic_int fd;
	atomic_bool over;
	atomic_long taken;
};

static long take_errors(void *arg)
{
	struct thief *t = arg;

	while (!atomic_load(&t->over)) {
		int error = 0;
		socklen_t len = sizeof(error);

		if (!getsockopt(atomic_load(&t->fd), SOL_SOCKET, SO_ERROR,
				&error, &len) && error)
			atomic_fetch_add(&t->taken, 1);
	}
	return 0;
}

/* Shut while it was connecting; nobody answers there. */
static int broken_socket(struct addr *nobody)
{
	int fd = end_socket(END_A, SOCK_STREAM);

	fcntl(fd, F_SETFL, O_NONBLOCK);
	connect_to(fd, nobody);
	shutdown(fd, SHUT_RDWR);
	return fd;
}

TEST_F(races, nothing_is_sent_where_an_error_was_taken)
{
	long long end = now_ms() + DEADLINE_MS;
	struct thief t = { .fd = -1 };
	struct addr nobody;
	struct task task;
	int i;

	if (road()->oracle)
		SKIP(return, "it is refused at once there");
	any_addr(&nobody, SOCK_STREAM, 4000);
	ASSERT_EQ(1, inet_pton(AF_INET6, "fd77:6566:7400::1:2:3",
			       nobody.weft.sw_node));
	ASSERT_EQ(0, task_start(&task, take_errors, &t));
	/* On a machine that has much to do the thief may be late for all of them. */
	for (i = 0; i < ROUNDS || (!atomic_load(&t.taken) && now_ms() < end);
	     i++) {
		int fd = broken_socket(&nobody);

		ASSERT_LE(0, fd);
		atomic_store(&t.fd, fd);
		EXPECT_EQ(-1, send(fd, "x", 1, MSG_NOSIGNAL));
		EXPECT_EQ(-1, send(fd, "x", 1, MSG_NOSIGNAL));
		close(fd);
	}
	atomic_store(&t.over, true);
	ASSERT_TRUE(task_join(&task));
	EXPECT_LT(0, atomic_load(&t.taken));
}

static long recv_end(void *fd)
{
	char byte;

	return recv(*(int *)fd, &byte, 1, 0);
}

/* Who is about to sleep hears of a reset whose error another has taken. */
TEST_F(races, a_reader_hears_of_a_reset_whose_error_was_taken)
{
	struct thief t = { .fd = -1 };
	struct task task, reader;
	int fds[2], i;

	ONLY_IF(!road()->oracle && !road()->wire);
	ASSERT_EQ(0, task_start(&task, take_errors, &t));
	for (i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(0, socketpair(weft_family(), SOCK_STREAM, 0, fds));
		atomic_store(&t.fd, fds[0]);
		ASSERT_EQ(1, SEND(fds[0], "x"));
		ASSERT_EQ(0, task_start(&reader, recv_end, &fds[0]));
		/* With that byte unread. */
		close(fds[1]);
		ASSERT_TRUE(task_join(&reader));
		EXPECT_GE(0, reader.result);
		close(fds[0]);
	}
	atomic_store(&t.over, true);
	ASSERT_TRUE(task_join(&task));
}

struct reading {
	int fd;
	char text[11];
};

static long recv_all_of_it(void *arg)
{
	struct reading *r = arg;

	return recv(r->fd, r->text, 10, MSG_WAITALL);
}

/* What @conn's far end sent is there, and was read. */
static bool all_is_read(void *arg)
{
	const struct conn *conn = arg;
	int out = -1, in = -1;

	return !ioctl(conn->far, SIOCOUTQ, &out) && !out &&
	       !ioctl(conn->near, SIOCINQ, &in) && !in;
}

/* Whoever is awake goes first, and sleeps before others of this CPU run. */
static int be_first(void)
{
	const struct sched_param first = { .sched_priority = 1 };

	return sched_setscheduler(0, SCHED_FIFO, &first);
}

/*
 * A reader sleeps in a connection that ends, and before it has had the time to
 * see that, the socket has another one.
 */
TEST_F(races, a_call_ends_with_the_connection_that_it_began_in)
{
	struct linger hard = { .l_onoff = 1 };
	struct reading reading;
	struct addr addr;
	struct conn conn;
	struct task task;
	int lis, far;

	/* Within a node connect() has seen that it is connected, for good. */
	ONLY_IF(road()->oracle || road()->wire);
	lis = listener(END_B, SOCK_STREAM, 4, &addr);
	ASSERT_LE(0, lis);
	reading = (struct reading){ .fd = end_socket(END_A, SOCK_STREAM) };
	ASSERT_EQ(0, run_on(sched_getcpu()));
	/* As programs of an event loop connect. */
	ASSERT_EQ(0, set_nonblock(reading.fd));
	connect_to(reading.fd, &addr);
	ASSERT_NE(0, wait_events(reading.fd, POLLOUT));
	ASSERT_EQ(0, get_int(reading.fd, SO_ERROR));
	far = accepted(lis);
	ASSERT_LE(0, far);
	ASSERT_EQ(0, fcntl(reading.fd, F_SETFL, 0));
	ASSERT_EQ(0, task_start(&task, recv_all_of_it, &reading));
	ASSERT_EQ(3, SEND(far, "old"));
	conn = (struct conn){ .near = reading.fd, .far = far };
	ASSERT_TRUE(eventually(all_is_read, &conn));
	ASSERT_TRUE(task_wait_asleep(&task));

	ASSERT_EQ(0, be_first());
	ASSERT_EQ(0, setsockopt(far, SOL_SOCKET, SO_LINGER, &hard,
				sizeof(hard)));
	close(far);
	ASSERT_NE(0, wait_events(reading.fd, POLLERR) & POLLERR);
	EXPECT_EQ(ECONNRESET, ERR(connect_to(reading.fd, &addr)));
	ASSERT_EQ(0, set_nonblock(reading.fd));
	connect_to(reading.fd, &addr);
	far = accepted(lis);
	ASSERT_LE(0, far);
	ASSERT_EQ(7, SEND(far, "another"));
	ASSERT_TRUE(task_join(&task));
	EXPECT_EQ(3, task.result);
	EXPECT_STREQ("old", reading.text);
	EXPECT_EQ(0, get_int(reading.fd, SO_ERROR));
	EXPECT_MESSAGE(reading.fd, "another");
	close(far);
	close(reading.fd);
	close(lis);
}

TEST_HARNESS_MAIN
