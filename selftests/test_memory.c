// SPDX-License-Identifier: GPL-2.0
/*
 * When all that weft sockets may use together is used up (net.weft.mem), a
 * send waits or says EAGAIN, as with TCP; and goes on when there is some again.
 *
 * weft-roads: local veth
 * weft-cflags: -pthread
 */
#include "weft_test.h"
#include "peer.h"

#define MEM	"/proc/sys/net/weft/mem"
/* More than buffers grow to, and than the pages that each CPU may hold back. */
#define BYTES	8000000
#define MESSAGE	4000

/* The limit is the machine's, and is set where the machine began. */
static int set_mem(const char *value, char *old, size_t len)
{
	int home = open("/proc/self/ns/net", O_RDONLY);
	int ns = open("/proc/1/ns/net", O_RDONLY);
	int fd, err = -1;
	ssize_t n;

	if (ns < 0 || home < 0 || setns(ns, CLONE_NEWNET))
		return -1;
	fd = open(MEM, O_RDONLY);
	n = old ? read(fd, old, len - 1) : 0;
	close(fd);
	if (n >= 0) {
		if (old)
			old[n] = 0;
		err = write_file(MEM, value);
	}
	close(ns);
	return setns(home, CLONE_NEWNET) ?: (close(home), err);
}

FIXTURE(memory)
{
	struct conn conn;
	char old[128];
};

FIXTURE_VARIANT(memory)
{
	int type;
};

FIXTURE_VARIANT_ADD(memory, stream) { .type = SOCK_STREAM };
FIXTURE_VARIANT_ADD(memory, seqpacket) { .type = SOCK_SEQPACKET };

FIXTURE_SETUP(memory)
{
	if (road()->oracle)
		SKIP(return, "weft's own limit");
	ROAD_OR_SKIP();
	ASSERT_EQ(0, conn_open(&self->conn, variant->type, false));
	ASSERT_EQ(0, set_mem("0 0 1", self->old, sizeof(self->old)));
}

FIXTURE_TEARDOWN(memory)
{
	EXPECT_EQ(0, set_mem(self->old, NULL, 0));
	conn_close(&self->conn);
}

TEST_F(memory, send_that_may_not_wait_is_EAGAIN)
{
	static const char zeros[MESSAGE];
	long sent = 0;
	ssize_t n;

	while ((n = send(self->conn.near, zeros, sizeof(zeros),
			 MSG_DONTWAIT | MSG_NOSIGNAL)) > 0)
		sent += n;
	EXPECT_EQ(-1, n);
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_LT(sent, 16 << 20);
}

/* The first two numbers refuse nobody. */
TEST_F(memory, the_third_number_is_the_limit)
{
	long sent;

	ASSERT_EQ(0, set_mem("0 0 1000000", NULL, 0));
	sent = fill_up(self->conn.near, MESSAGE);
	EXPECT_LT(100000, sent);
	EXPECT_EQ(sent, drain(self->conn.far, sent));
}

/* Messages until one cannot be sent. */
static long send_messages(void *arg)
{
	static const char zeros[MESSAGE];

	while (send(*(int *)arg, zeros, sizeof(zeros), MSG_NOSIGNAL) > 0)
		;
	return -1;
}

TEST_F(memory, wait_ends_with_a_signal)
{
	struct task task;

	ASSERT_EQ(0, task_start(&task, send_messages, &self->conn.near));
	EXPECT_TRUE(task_interrupt(&task));
	EXPECT_EQ(EINTR, task.error);
}

TEST_F(memory, wait_ends_with_its_time)
{
	struct timeval tv = { .tv_usec = 400000 };
	long long begun = now_ms();

	ASSERT_EQ(0, setsockopt(self->conn.near, SOL_SOCKET, SO_SNDTIMEO, &tv,
				sizeof(tv)));
	EXPECT_EQ(-1, send_messages(&self->conn.near));
	EXPECT_EQ(EAGAIN, errno);
	/* An emulated clock may jump by some ticks: half of it is proof. */
	EXPECT_LE(200, now_ms() - begun);
}

/* As one that finds its receiver's buffer full; here that is large. */
TEST_F(memory, datagrams_are_lost_without)
{
	static const char zeros[MESSAGE];
	struct addr addr;
	int b = bound_socket(END_B, SOCK_DGRAM, &addr), i;
	int a = end_socket(END_A, SOCK_DGRAM);
	long long before = count_of("drop_memory");

	ASSERT_EQ(0, set_int(b, SO_RCVBUFFORCE, 4 * BYTES));
	for (i = 0; i < 2 * BYTES / MESSAGE; i++)
		ASSERT_EQ(MESSAGE, send_to(a, zeros, MESSAGE, &addr));
	EXPECT_LT(before, count_of("drop_memory"));
	ASSERT_EQ(0, set_mem(self->old, NULL, 0));
	while (recv(b, (char[8]){}, 8, MSG_DONTWAIT) > 0)
		;
	ASSERT_EQ(4, send_to(a, "next", 4, &addr));
	EXPECT_MESSAGE(b, "next");
	close(a);
	close(b);
}

struct sending {
	int fd;
	bool messages;
	char bytes[BYTES];
};

static long send_all_of_it(void *arg)
{
	struct sending *s = arg;
	size_t done = 0, piece = s->messages ? MESSAGE : BYTES;
	ssize_t n;

	while (done < BYTES) {
		n = send(s->fd, s->bytes + done, piece, MSG_NOSIGNAL);
		if (n < 0)
			return -1;
		done += n;
	}
	return done;
}

/* It waits, and what was taken comes once and in order. */
TEST_F(memory, send_waits_for_memory)
{
	struct sending *s = calloc(1, sizeof(*s));
	char *got = malloc(BYTES);
	struct task task;

	s->fd = self->conn.near;
	s->messages = variant->type == SOCK_SEQPACKET;
	pattern_fill(s->bytes, BYTES, 5, 0);
	ASSERT_EQ(0, task_start(&task, send_all_of_it, s));
	ASSERT_TRUE(task_wait_asleep(&task));
	ASSERT_EQ(0, set_mem(self->old, NULL, 0));
	EXPECT_EQ(BYTES, recv_exactly(self->conn.far, got, BYTES));
	EXPECT_TRUE(pattern_is(got, BYTES, 5));
	ASSERT_TRUE(task_join(&task));
	EXPECT_EQ(BYTES, task.result);
	free(got);
	free(s);
}

TEST_HARNESS_MAIN
