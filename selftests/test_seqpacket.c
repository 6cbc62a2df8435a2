// SPDX-License-Identifier: GPL-2.0
/*
 * SOCK_SEQPACKET answers as AF_UNIX SEQPACKET does.
 *
 * weft-cflags: -pthread
 */
#include "weft_test.h"

CONN_FIXTURE()
CONN_VARIANT(client, SOCK_SEQPACKET, false);
CONN_VARIANT(server, SOCK_SEQPACKET, true);

TEST_F(conn, message_arrives)
{
	ASSERT_EQ(5, SEND(self->near, "hello"));
	EXPECT_MESSAGE(self->far, "hello");
}

TEST_F(conn, both_directions)
{
	ASSERT_EQ(4, SEND(self->near, "ping"));
	EXPECT_MESSAGE(self->far, "ping");
	ASSERT_EQ(4, SEND(self->far, "pong"));
	EXPECT_MESSAGE(self->near, "pong");
}

TEST_F(conn, messages_stay_apart)
{
	ASSERT_EQ(3, SEND(self->near, "one"));
	ASSERT_EQ(5, SEND(self->near, "three"));
	ASSERT_EQ(1, SEND(self->near, "x"));
	EXPECT_MESSAGE(self->far, "one");
	EXPECT_MESSAGE(self->far, "three");
	EXPECT_MESSAGE(self->far, "x");
}

TEST_F(conn, waitall_does_not_join_messages)
{
	char got[8];

	ASSERT_EQ(3, SEND(self->near, "one"));
	ASSERT_EQ(3, SEND(self->near, "two"));
	EXPECT_EQ(3, recv(self->far, got, sizeof(got), MSG_WAITALL));
	EXPECT_MESSAGE(self->far, "two");
}

TEST_F(conn, short_buffer_cuts_the_message)
{
	char got[3];

	ASSERT_EQ(8, SEND(self->near, "longtext"));
	ASSERT_EQ(4, SEND(self->near, "next"));
	ASSERT_EQ(3, recv_one(self->far, got, 3));
	EXPECT_EQ(0, memcmp(got, "lon", 3));
	EXPECT_MESSAGE(self->far, "next");
}

TEST_F(conn, cut_is_told_in_msg_flags)
{
	char got[3];
	struct iovec iov = { got, sizeof(got) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	ASSERT_EQ(8, SEND(self->near, "longtext"));
	ASSERT_EQ(POLLIN, wait_events(self->far, POLLIN));
	ASSERT_EQ(3, recvmsg(self->far, &msg, 0));
	EXPECT_EQ(MSG_TRUNC, msg.msg_flags & MSG_TRUNC);
}

TEST_F(conn, whole_message_is_not_told_as_cut)
{
	char got[4];
	struct iovec iov = { got, sizeof(got) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	ASSERT_EQ(4, SEND(self->near, "text"));
	ASSERT_EQ(POLLIN, wait_events(self->far, POLLIN));
	ASSERT_EQ(4, recvmsg(self->far, &msg, 0));
	EXPECT_EQ(0, msg.msg_flags & MSG_TRUNC);
}

TEST_F(conn, trunc_asks_for_the_whole_length)
{
	char got[3];

	ASSERT_EQ(8, SEND(self->near, "longtext"));
	ASSERT_EQ(POLLIN, wait_events(self->far, POLLIN));
	EXPECT_EQ(8, recv(self->far, got, 3, MSG_TRUNC));
	EXPECT_EQ(EAGAIN, ERR(recv(self->far, got, 3, MSG_DONTWAIT)));
}

TEST_F(conn, empty_message_arrives)
{
	char got;

	ASSERT_EQ(0, send(self->near, "", 0, 0));
	ASSERT_EQ(4, SEND(self->near, "next"));
	EXPECT_EQ(0, recv_one(self->far, &got, 1));
	EXPECT_MESSAGE(self->far, "next");
}

TEST_F(conn, empty_recv_takes_the_message)
{
	char got;

	ASSERT_EQ(3, SEND(self->near, "one"));
	ASSERT_EQ(3, SEND(self->near, "two"));
	EXPECT_EQ(0, recv_one(self->far, &got, 0));
	EXPECT_MESSAGE(self->far, "two");
}

TEST_F(conn, no_message_is_EAGAIN)
{
	char got;

	EXPECT_EQ(EAGAIN, ERR(recv(self->near, &got, 1, MSG_DONTWAIT)));
}

TEST_F(conn, full_is_EAGAIN_and_nothing_is_lost)
{
	long sent, got;

	sent = fill_up_for_good(self->near, 5000);
	ASSERT_LT(0, sent);
	EXPECT_EQ(0, sent % 5000);
	got = drain(self->far, sent);
	EXPECT_EQ(sent, got);
	EXPECT_TRUE(wait_all_events(self->near, POLLOUT));
}

TEST_F(conn, larger_than_sndbuf_is_EMSGSIZE)
{
	size_t len = get_int(self->near, SO_SNDBUF) + 1;
	char *buf = calloc(1, len);

	EXPECT_EQ(EMSGSIZE, ERR(send(self->near, buf, len, MSG_NOSIGNAL)));
	EXPECT_EQ(4, SEND(self->near, "next"));
	EXPECT_MESSAGE(self->far, "next");
	free(buf);
}

/* More messages than any buffer takes. */
#define MANY		4000
#define MANY_BYTES	(MANY * 4000L)

static long send_many(void *arg)
{
	static const char zeros[4000];
	int i;

	for (i = 0; i < MANY; i++)
		if (send(*(int *)arg, zeros, 4000, MSG_NOSIGNAL) != 4000)
			break;
	return i;
}

TEST_F(conn, blocked_send_is_woken_by_room)
{
	struct task task;

	ASSERT_EQ(0, task_start(&task, send_many, &self->near));
	ASSERT_TRUE(task_wait_asleep(&task));
	ASSERT_EQ(MANY_BYTES, drain(self->far, MANY_BYTES));
	ASSERT_TRUE(task_join(&task));
	EXPECT_EQ(MANY, task.result);
}

static long recv_byte(void *arg)
{
	char got;

	return recv(*(int *)arg, &got, 1, 0);
}

TEST_F(conn, blocked_recv_is_woken_by_a_message)
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

TEST_F(conn, messages_then_the_end)
{
	ASSERT_EQ(3, SEND(self->near, "one"));
	ASSERT_EQ(3, SEND(self->near, "two"));
	CLOSE(self->near);
	EXPECT_MESSAGE(self->far, "one");
	EXPECT_MESSAGE(self->far, "two");
	EXPECT_EOF(self->far);
	EXPECT_EOF(self->far);
}

TEST_F(conn, address_of_sendto_is_ignored)
{
	struct addr addr;

	end_addr(&addr, END_B, SOCK_SEQPACKET, 7);
	ASSERT_EQ(1, send_to(self->near, "x", 1, &addr));
	EXPECT_MESSAGE(self->far, "x");
}

TEST_F(conn, bad_pointer_of_send_sends_nothing)
{
	void *bad = (void *)-4096L;

	EXPECT_EQ(EFAULT, ERR(send(self->near, bad, 10, MSG_NOSIGNAL)));
	ASSERT_EQ(4, SEND(self->near, "next"));
	EXPECT_MESSAGE(self->far, "next");
}

TEST(unconnected_is_ENOTCONN)
{
	char got;
	int fd;

	ROAD_OR_SKIP();
	fd = end_socket(END_A, SOCK_SEQPACKET);
	ASSERT_LE(0, fd);
	EXPECT_EQ(ENOTCONN, ERR(SEND(fd, "x")));
	EXPECT_EQ(ENOTCONN, ERR(recv(fd, &got, 1, 0)));
	close(fd);
}

/* What was shut before stays so. */
TEST(shut_before_it_connects_hears_nothing)
{
	struct addr addr;
	int lis, fd, far;
	char got;

	ROAD_OR_SKIP();
	lis = listener(END_B, SOCK_SEQPACKET, 1, &addr);
	fd = end_socket(END_A, SOCK_SEQPACKET);
	ASSERT_EQ(0, shutdown(fd, SHUT_RD));
	ASSERT_EQ(0, connect_to(fd, &addr));
	far = accepted(lis);
	ASSERT_LE(0, far);
	/* A wire does not tell that. */
	if (!road()->wire)
		EXPECT_EQ(EPIPE, ERR(SEND(far, "x")));
	EXPECT_EQ(0, recv(fd, &got, 1, 0));
	ASSERT_EQ(4, SEND(fd, "text"));
	EXPECT_MESSAGE(far, "text");
	close(far);
	close(fd);
	close(lis);
}

TEST(messages_before_accept_are_kept)
{
	struct addr addr;
	int lis, near, far;

	ROAD_OR_SKIP();
	lis = listener(END_B, SOCK_SEQPACKET, 8, &addr);
	ASSERT_LE(0, lis);
	near = connected(SOCK_SEQPACKET, &addr);
	ASSERT_LE(0, near);
	ASSERT_EQ(5, SEND(near, "early"));
	ASSERT_EQ(3, SEND(near, "two"));
	close(near);
	far = accepted(lis);
	ASSERT_LE(0, far);
	EXPECT_MESSAGE(far, "early");
	EXPECT_MESSAGE(far, "two");
	EXPECT_EOF(far);
	close(far);
	close(lis);
}

/* Its own name may be none, as that of AF_UNIX's clients; a server's is there. */
TEST(a_message_tells_who_sent_it)
{
	struct addr from, peer;
	struct conn conn;
	char byte;

	ROAD_OR_SKIP();
	ASSERT_EQ(0, conn_open(&conn, SOCK_SEQPACKET, false));
	ASSERT_EQ(1, SEND(conn.far, "x"));
	ASSERT_EQ(POLLIN, wait_events(conn.near, POLLIN));
	memset(&from, 0, sizeof(from));
	from.len = sizeof(from.bytes);
	EXPECT_EQ(1, recvfrom(conn.near, &byte, 1, 0, &from.sa, &from.len));
	ASSERT_EQ(0, peer_addr(conn.near, &peer));
	EXPECT_TRUE(addr_equal(&peer, &from));
	conn_close(&conn);
}

TEST_HARNESS_MAIN
