// SPDX-License-Identifier: GPL-2.0
/*
 * SOCK_STREAM answers as TCP does.
 *
 * weft-cflags: -pthread
 */
#include "weft_test.h"

CONN_FIXTURE()
CONN_VARIANT(client, SOCK_STREAM, false);
CONN_VARIANT(server, SOCK_STREAM, true);

TEST_F(conn, bytes_arrive)
{
	ASSERT_EQ(5, SEND(self->near, "hello"));
	EXPECT_TEXT(self->far, "hello");
}

TEST_F(conn, both_directions)
{
	ASSERT_EQ(4, SEND(self->near, "ping"));
	EXPECT_TEXT(self->far, "ping");
	ASSERT_EQ(4, SEND(self->far, "pong"));
	EXPECT_TEXT(self->near, "pong");
}

TEST_F(conn, read_and_write)
{
	char got[5];

	ASSERT_EQ(5, write(self->near, "hello", 5));
	ASSERT_EQ(POLLIN, wait_events(self->far, POLLIN));
	ASSERT_EQ(5, read(self->far, got, 5));
	EXPECT_EQ(0, memcmp(got, "hello", 5));
}

TEST_F(conn, writes_join)
{
	char got[9];

	ASSERT_EQ(3, SEND(self->near, "one"));
	ASSERT_EQ(3, SEND(self->near, "two"));
	ASSERT_EQ(3, SEND(self->near, "six"));
	ASSERT_EQ(9, recv(self->far, got, 9, MSG_WAITALL));
	EXPECT_EQ(0, memcmp(got, "onetwosix", 9));
}

TEST_F(conn, short_read_leaves_the_rest)
{
	char got[3];

	ASSERT_EQ(8, SEND(self->near, "longtext"));
	ASSERT_EQ(3, recv_exactly(self->far, got, 3));
	EXPECT_EQ(0, memcmp(got, "lon", 3));
	EXPECT_TEXT(self->far, "gtext");
}

TEST_F(conn, empty_send_sends_nothing)
{
	char got[4];

	ASSERT_EQ(0, send(self->near, "", 0, 0));
	ASSERT_EQ(1, SEND(self->near, "x"));
	ASSERT_EQ(POLLIN, wait_events(self->far, POLLIN));
	EXPECT_EQ(1, recv(self->far, got, sizeof(got), 0));
}

TEST_F(conn, empty_recv_takes_nothing)
{
	char got;

	ASSERT_EQ(1, SEND(self->near, "x"));
	ASSERT_EQ(POLLIN, wait_events(self->far, POLLIN));
	EXPECT_EQ(0, recv(self->far, &got, 0, 0));
	EXPECT_TEXT(self->far, "x");
}

TEST_F(conn, no_data_is_EAGAIN)
{
	char got;

	EXPECT_EQ(EAGAIN, ERR(recv(self->near, &got, 1, MSG_DONTWAIT)));
	ASSERT_EQ(0, set_nonblock(self->near));
	EXPECT_EQ(EAGAIN, ERR(recv(self->near, &got, 1, 0)));
}

TEST_F(conn, full_is_EAGAIN_and_nothing_is_lost)
{
	long sent, got;

	sent = fill_up_for_good(self->near, 10000);
	ASSERT_LT(0, sent);
	/* What is too much in one piece may still fit byte by byte. */
	sent += fill_up(self->near, 1);
	EXPECT_EQ(EAGAIN, ERR(send(self->near, "x", 1, MSG_DONTWAIT)));
	got = drain(self->far, sent);
	EXPECT_EQ(sent, got);
	EXPECT_EQ(POLLOUT, wait_events(self->near, POLLOUT));
}

static long recv_byte(void *arg)
{
	char got;

	return recv(*(int *)arg, &got, 1, 0);
}

TEST_F(conn, blocked_recv_is_woken_by_data)
{
	struct task task;

	ASSERT_EQ(0, task_start(&task, recv_byte, &self->far));
	ASSERT_TRUE(task_wait_asleep(&task));
	ASSERT_EQ(1, SEND(self->near, "x"));
	ASSERT_TRUE(task_join(&task));
	EXPECT_EQ(1, task.result);
}

TEST_F(conn, blocked_recv_is_woken_by_the_end)
{
	struct task task;

	ASSERT_EQ(0, task_start(&task, recv_byte, &self->far));
	ASSERT_TRUE(task_wait_asleep(&task));
	CLOSE(self->near);
	ASSERT_TRUE(task_join(&task));
	EXPECT_EQ(0, task.result);
}

TEST_F(conn, blocked_recv_is_woken_by_own_shutdown)
{
	struct task task;

	ASSERT_EQ(0, task_start(&task, recv_byte, &self->near));
	ASSERT_TRUE(task_wait_asleep(&task));
	ASSERT_EQ(0, shutdown(self->near, SHUT_RDWR));
	ASSERT_TRUE(task_join(&task));
	EXPECT_EQ(0, task.result);
}

TEST_F(conn, blocked_recv_is_interrupted_by_a_signal)
{
	struct task task;

	ASSERT_EQ(0, task_start(&task, recv_byte, &self->near));
	ASSERT_TRUE(task_interrupt(&task));
	EXPECT_EQ(-1, task.result);
	EXPECT_EQ(EINTR, task.error);
}

#define BIG	(8 << 20)

static long send_big(void *arg)
{
	char *buf = malloc(BIG);
	long n;

	pattern_fill(buf, BIG, 1, 0);
	n = send(*(int *)arg, buf, BIG, MSG_NOSIGNAL);
	free(buf);
	return n;
}

TEST_F(conn, blocked_send_is_woken_by_room)
{
	char *got = malloc(BIG);
	struct task task;

	ASSERT_EQ(0, task_start(&task, send_big, &self->near));
	ASSERT_TRUE(task_wait_asleep(&task));
	ASSERT_EQ(BIG, recv_exactly(self->far, got, BIG));
	ASSERT_TRUE(task_join(&task));
	EXPECT_EQ(BIG, task.result);
	EXPECT_EQ((size_t)BIG, pattern_check(got, BIG, 1, 0));
	free(got);
}

TEST_F(conn, blocked_send_tells_what_it_sent_when_the_peer_closes)
{
	struct task task;

	ASSERT_EQ(0, task_start(&task, send_big, &self->near));
	ASSERT_TRUE(task_wait_asleep(&task));
	CLOSE(self->far);
	ASSERT_TRUE(task_join(&task));
	EXPECT_LT(task.result, BIG);
	if (task.result < 0)
		EXPECT_EQ(ECONNRESET, task.error);
}

TEST_F(conn, blocked_send_is_interrupted_by_a_signal)
{
	struct task task;

	ASSERT_EQ(0, task_start(&task, send_big, &self->near));
	ASSERT_TRUE(task_interrupt(&task));
	EXPECT_LT(0, task.result);
	EXPECT_GT(BIG, task.result);
}

TEST_F(conn, data_then_the_end)
{
	ASSERT_EQ(4, SEND(self->near, "last"));
	CLOSE(self->near);
	EXPECT_TEXT(self->far, "last");
	EXPECT_EOF(self->far);
	EXPECT_EOF(self->far);
}

TEST_F(conn, address_of_sendto_is_ignored)
{
	struct addr addr;

	end_addr(&addr, END_B, SOCK_STREAM, 7);
	ASSERT_EQ(1, send_to(self->near, "x", 1, &addr));
	EXPECT_TEXT(self->far, "x");
}

TEST_F(conn, recvfrom_gives_no_address)
{
	struct addr addr = { .len = sizeof(addr.bytes) };
	char got;

	ASSERT_EQ(1, SEND(self->near, "x"));
	ASSERT_EQ(POLLIN, wait_events(self->far, POLLIN));
	ASSERT_EQ(1, recvfrom(self->far, &got, 1, 0, &addr.sa, &addr.len));
	EXPECT_EQ(0, addr.len);
}

TEST_F(conn, old_bytes_are_sent_when_the_buffer_changes)
{
	char text[] = "before";

	ASSERT_EQ(6, SEND(self->near, text));
	memcpy(text, "after!", 6);
	EXPECT_TEXT(self->far, "before");
}

TEST_F(conn, bad_pointers_are_EFAULT)
{
	/* A kernel address: access_ok() refuses it whatever is mapped. */
	void *bad = (void *)-4096L;

	EXPECT_EQ(EFAULT, ERR(send(self->near, bad, 10, MSG_NOSIGNAL)));
	ASSERT_EQ(4, SEND(self->far, "text"));
	ASSERT_EQ(POLLIN, wait_events(self->near, POLLIN));
	EXPECT_EQ(EFAULT, ERR(recv(self->near, bad, 4, 0)));
	EXPECT_TEXT(self->near, "text");
}

TEST(unconnected_send_is_EPIPE)
{
	int fd;

	ROAD_OR_SKIP();
	fd = end_socket(END_A, SOCK_STREAM);
	ASSERT_LE(0, fd);
	EXPECT_EQ(EPIPE, ERR(SEND(fd, "x")));
	close(fd);
}

TEST(unconnected_recv_is_ENOTCONN)
{
	char got;
	int fd;

	ROAD_OR_SKIP();
	fd = end_socket(END_A, SOCK_STREAM);
	ASSERT_LE(0, fd);
	EXPECT_EQ(ENOTCONN, ERR(recv(fd, &got, 1, 0)));
	close(fd);
}

TEST(data_before_accept_is_kept)
{
	struct addr addr;
	int lis, near, far;

	ROAD_OR_SKIP();
	lis = listener(END_B, SOCK_STREAM, 8, &addr);
	ASSERT_LE(0, lis);
	near = connected(SOCK_STREAM, &addr);
	ASSERT_LE(0, near);
	ASSERT_EQ(5, SEND(near, "early"));
	far = accepted(lis);
	ASSERT_LE(0, far);
	EXPECT_TEXT(far, "early");
	close(near);
	close(far);
	close(lis);
}

TEST(data_and_close_before_accept_are_kept)
{
	struct addr addr;
	int lis, near, far;

	ROAD_OR_SKIP();
	lis = listener(END_B, SOCK_STREAM, 8, &addr);
	ASSERT_LE(0, lis);
	near = connected(SOCK_STREAM, &addr);
	ASSERT_LE(0, near);
	ASSERT_EQ(5, SEND(near, "early"));
	close(near);
	far = accepted(lis);
	ASSERT_LE(0, far);
	EXPECT_TEXT(far, "early");
	EXPECT_EOF(far);
	close(far);
	close(lis);
}

TEST_HARNESS_MAIN
