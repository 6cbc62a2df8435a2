// SPDX-License-Identifier: GPL-2.0
/*
 * Ends of a conversation: half-close, close, linger, broken pipes, resets.
 *
 * weft-cflags: -pthread
 */
#include "weft_test.h"
#include "peer.h"

CONN_FIXTURE()
CONN_VARIANT(stream_client, SOCK_STREAM, false);
CONN_VARIANT(stream_server, SOCK_STREAM, true);
CONN_VARIANT(seqpacket_client, SOCK_SEQPACKET, false);
CONN_VARIANT(seqpacket_server, SOCK_SEQPACKET, true);

TEST_F(conn, half_close_leaves_the_other_half)
{
	ASSERT_EQ(4, SEND(self->near, "mine"));
	ASSERT_EQ(0, shutdown(self->near, SHUT_WR));
	EXPECT_MESSAGE(self->far, "mine");
	EXPECT_EOF(self->far);
	ASSERT_EQ(5, SEND(self->far, "yours"));
	EXPECT_MESSAGE(self->near, "yours");
	CLOSE(self->far);
	EXPECT_EOF(self->near);
}

TEST_F(conn, half_close_of_both)
{
	ASSERT_EQ(0, shutdown(self->near, SHUT_WR));
	ASSERT_EQ(0, shutdown(self->far, SHUT_WR));
	EXPECT_EOF(self->near);
	EXPECT_EOF(self->far);
}

static bool is_not_connected(void *arg)
{
	return ERR(shutdown(*(int *)arg, SHUT_WR)) == ENOTCONN;
}

/* Then TCP's connection is none any more, while AF_UNIX's still is. */
TEST_F(conn, shutdown_when_both_are_over)
{
	struct addr addr;

	ASSERT_EQ(0, shutdown(self->near, SHUT_WR));
	ASSERT_EQ(0, shutdown(self->far, SHUT_WR));
	EXPECT_EOF(self->near);
	EXPECT_EOF(self->far);
	if (variant->type != SOCK_STREAM) {
		EXPECT_EQ(0, ERR(shutdown(self->near, SHUT_WR)));
		return;
	}
	EXPECT_TRUE(eventually(is_not_connected, &self->near));
	EXPECT_TRUE(eventually(is_not_connected, &self->far));
	EXPECT_EQ(ENOTCONN, ERR(peer_addr(self->near, &addr)));
}

TEST_F(conn, send_after_half_close_is_EPIPE)
{
	ASSERT_EQ(0, shutdown(self->near, SHUT_WR));
	EXPECT_EQ(EPIPE, ERR(SEND(self->near, "x")));
	EXPECT_EQ(EPIPE, ERR(SEND(self->near, "x")));
}

static volatile int pipes_broken;

static void count_pipe(int sig)
{
	(void)sig;
	pipes_broken++;
}

/* AF_UNIX sends no signal for SEQPACKET, and so do we not. */
TEST_F(conn, EPIPE_of_a_stream_comes_with_SIGPIPE)
{
	int signals = variant->type == SOCK_STREAM;
	struct sigaction action = { .sa_handler = count_pipe };

	ASSERT_EQ(0, sigaction(SIGPIPE, &action, NULL));
	ASSERT_EQ(0, shutdown(self->near, SHUT_WR));
	EXPECT_EQ(EPIPE, ERR(send(self->near, "x", 1, 0)));
	EXPECT_EQ(signals, pipes_broken);
	EXPECT_EQ(EPIPE, ERR(write(self->near, "x", 1)));
	EXPECT_EQ(2 * signals, pipes_broken);
}

TEST_F(conn, MSG_NOSIGNAL_spares_SIGPIPE)
{
	struct sigaction action = { .sa_handler = count_pipe };

	ASSERT_EQ(0, sigaction(SIGPIPE, &action, NULL));
	ASSERT_EQ(0, shutdown(self->near, SHUT_WR));
	EXPECT_EQ(EPIPE, ERR(send(self->near, "x", 1, MSG_NOSIGNAL)));
	EXPECT_EQ(0, pipes_broken);
}

TEST_F(conn, shutdown_twice)
{
	EXPECT_EQ(0, ERR(shutdown(self->near, SHUT_WR)));
	EXPECT_EQ(0, ERR(shutdown(self->near, SHUT_WR)));
	EXPECT_EQ(0, ERR(shutdown(self->near, SHUT_RD)));
	EXPECT_EQ(0, ERR(shutdown(self->near, SHUT_RD)));
}

TEST_F(conn, shutdown_of_reading_is_the_end)
{
	char got;

	ASSERT_EQ(0, shutdown(self->near, SHUT_RD));
	EXPECT_EQ(0, recv(self->near, &got, 1, 0));
	EXPECT_EQ(POLLIN | POLLRDHUP,
		  events_now(self->near, POLLIN | POLLRDHUP));
}

TEST_F(conn, shutdown_of_reading_keeps_what_came)
{
	ASSERT_EQ(4, SEND(self->far, "text"));
	ASSERT_EQ(POLLIN, wait_events(self->near, POLLIN));
	ASSERT_EQ(0, shutdown(self->near, SHUT_RD));
	EXPECT_MESSAGE(self->near, "text");
	EXPECT_EOF(self->near);
}

TEST_F(conn, shutdown_of_both)
{
	ASSERT_EQ(0, shutdown(self->near, SHUT_RDWR));
	EXPECT_EOF(self->near);
	EXPECT_EOF(self->far);
	EXPECT_EQ(EPIPE, ERR(SEND(self->near, "x")));
}

TEST_F(conn, unknown_how_is_EINVAL)
{
	EXPECT_EQ(EINVAL, ERR(shutdown(self->near, 3)));
	EXPECT_EQ(EINVAL, ERR(shutdown(self->near, -1)));
}

struct sending {
	int fd;
	int error;
};

/* On a wire the first of them may leave before the peer's end is known. */
static bool send_fails(void *arg)
{
	struct sending *s = arg;

	s->error = ERR(SEND(s->fd, "x"));
	return s->error;
}

TEST_F(conn, send_after_the_peer_closed_is_EPIPE)
{
	struct sending s = { .fd = self->near };

	CLOSE(self->far);
	ASSERT_TRUE(eventually(send_fails, &s));
	EXPECT_EQ(EPIPE, s.error);
	EXPECT_EQ(EPIPE, ERR(SEND(self->near, "x")));
}

/* TCP's request whose answer came before it was all written. */
TEST_F(conn, a_stream_loses_one_write_to_a_closed_peer)
{
	ONLY_IF(variant->type == SOCK_STREAM);
	ASSERT_EQ(6, SEND(self->far, "answer"));
	CLOSE(self->far);
	ASSERT_TRUE(wait_all_events(self->near, POLLIN | POLLRDHUP));
	EXPECT_EQ(POLLOUT, events_now(self->near, POLLOUT | POLLHUP | POLLERR));
	EXPECT_EQ(4, SEND(self->near, "late"));
	EXPECT_TRUE(wait_all_events(self->near, POLLHUP | POLLERR));
	EXPECT_MESSAGE(self->near, "answer");
	EXPECT_EOF(self->near);
	EXPECT_EQ(EPIPE, ERR(SEND(self->near, "x")));
}

TEST_F(conn, close_with_unread_data_is_ECONNRESET)
{
	char got;

	ASSERT_EQ(6, SEND(self->near, "unread"));
	ASSERT_EQ(POLLIN, wait_events(self->far, POLLIN));
	CLOSE(self->far);
	ASSERT_NE(0, wait_events(self->near, POLLIN));
	EXPECT_EQ(ECONNRESET, ERR(recv(self->near, &got, 1, 0)));
	EXPECT_EQ(0, recv(self->near, &got, 1, 0));
	EXPECT_EQ(EPIPE, ERR(SEND(self->near, "x")));
}

static long send_until_it_fails(void *arg)
{
	static const char zeros[4000];

	while (send(*(int *)arg, zeros, sizeof(zeros), MSG_NOSIGNAL) > 0)
		;
	return -1;
}

TEST_F(conn, reset_ends_a_blocked_send)
{
	struct task task;

	ASSERT_EQ(0, task_start(&task, send_until_it_fails, &self->near));
	ASSERT_TRUE(task_wait_asleep(&task));
	/* What is sent is unread: closing resets. */
	ASSERT_EQ(POLLIN, wait_events(self->far, POLLIN));
	CLOSE(self->far);
	ASSERT_TRUE(task_join(&task));
	if (task.error != EPIPE)
		EXPECT_EQ(ECONNRESET, task.error);
}

TEST_F(conn, everything_sent_arrives_after_close)
{
	long sent = fill_up_for_good(self->near, 4000);

	ASSERT_LT(0, sent);
	CLOSE(self->near);
	EXPECT_EQ(sent, drain(self->far, sent));
	EXPECT_EOF(self->far);
}

TEST_F(conn, everything_sent_arrives_after_exit)
{
	int status, report[2];
	long sent;
	pid_t pid;

	ASSERT_EQ(0, pipe(report));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		close(self->far);
		sent = fill_up_for_good(self->near, 4000);
		_exit(write(report[1], &sent, sizeof(sent)) < 0);
	}
	CLOSE(self->near);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	ASSERT_EQ(sizeof(sent), read(report[0], &sent, sizeof(sent)));
	EXPECT_EQ(sent, drain(self->far, sent));
	EXPECT_EOF(self->far);
}

TEST_F(conn, close_of_a_copy_ends_nothing)
{
	int copy = dup(self->near);

	ASSERT_LE(0, copy);
	close(copy);
	ASSERT_EQ(5, SEND(self->near, "still"));
	EXPECT_MESSAGE(self->far, "still");
}

static void linger_for(int fd, int seconds)
{
	struct linger linger = { .l_onoff = 1, .l_linger = seconds };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

struct reader {
	int fd;
	long want;
};

static long call_drain(void *arg)
{
	const struct reader *reader = arg;

	return drain(reader->fd, reader->want);
}

/* And no longer than until everything is there. */
TEST_F(conn, linger_ends_when_all_is_delivered)
{
	struct reader reader = { .fd = self->far };
	struct task task;

	linger_for(self->near, 1000);
	reader.want = fill_up(self->near, 1000);
	ASSERT_LT(0, reader.want);
	ASSERT_EQ(0, task_start(&task, call_drain, &reader));
	EXPECT_EQ(0, close(self->near));
	self->near = -1;
	ASSERT_TRUE(task_join(&task));
	EXPECT_EQ(reader.want, task.result);
	EXPECT_EOF(self->far);
}

/* What AF_UNIX and one node have to send is the receiver's already. */
static bool lingers(int type)
{
	return road()->wire || (road()->oracle && type == SOCK_STREAM);
}

/* Something is left to send, however little both ends have room for. */
static bool leave_unsent(int fd, int far)
{
	return !set_int(fd, SO_SNDBUF, 8192) && !set_int(far, SO_RCVBUF, 8192) &&
	       fill_up_for_good(fd, 1000) > 0;
}

TEST_F(conn, linger_ends_with_its_time)
{
	long long begun;

	linger_for(self->near, 1);
	ASSERT_TRUE(leave_unsent(self->near, self->far));
	begun = now_ms();
	EXPECT_EQ(0, close(self->near));
	self->near = -1;
	/* An emulated clock may jump by some ticks: half of it is proof. */
	if (lingers(variant->type))
		EXPECT_LE(500, now_ms() - begun);
	EXPECT_GT(DEADLINE_MS, now_ms() - begun);
}

static long call_close(void *arg)
{
	return close(*(int *)arg);
}

TEST_F(conn, linger_ends_with_a_signal)
{
	struct task task;

	linger_for(self->near, 1000);
	ASSERT_TRUE(leave_unsent(self->near, self->far));
	ASSERT_EQ(0, task_start(&task, call_close, &self->near));
	ASSERT_TRUE(lingers(variant->type) ? task_interrupt(&task) :
					     task_join(&task));
	EXPECT_EQ(0, task.result);
	self->near = -1;
}

/* A process that ends does not wait for anybody. */
TEST_F(conn, linger_is_not_for_an_exit)
{
	long long begun;
	int sync[2], status;
	char c;

	linger_for(self->near, 1000);
	ASSERT_EQ(0, pipe(sync));
	ASSERT_TRUE(leave_unsent(self->near, self->far));
	if (!fork()) {
		close(sync[1]);
		_exit(read(sync[0], &c, 1));
	}
	/* From here on it is the child's alone. */
	CLOSE(self->near);
	begun = now_ms();
	close(sync[1]);
	ASSERT_LT(0, wait(&status));
	EXPECT_EQ(0, status);
	EXPECT_GT(DEADLINE_MS, now_ms() - begun);
	close(sync[0]);
}

TEST(linger_of_0_resets)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };
	struct conn conn;
	char got;

	ROAD_OR_SKIP();
	ASSERT_EQ(0, conn_open(&conn, SOCK_STREAM, false));
	ASSERT_EQ(0, setsockopt(conn.near, SOL_SOCKET, SO_LINGER, &linger,
				sizeof(linger)));
	CLOSE(conn.near);
	ASSERT_NE(0, wait_events(conn.far, POLLIN));
	EXPECT_EQ(ECONNRESET, ERR(recv(conn.far, &got, 1, 0)));
	conn_close(&conn);
}

/* The port that the system chose goes with it; another may be asked for, once. */
TEST(a_broken_connection_may_be_bound)
{
	struct linger hard = { .l_onoff = 1 };
	struct addr addr;
	struct conn c;

	ROAD_OR_SKIP();
	ASSERT_EQ(0, conn_open(&c, SOCK_STREAM, false));
	ASSERT_EQ(0, setsockopt(c.far, SOL_SOCKET, SO_LINGER, &hard,
				sizeof(hard)));
	CLOSE(c.far);
	ASSERT_TRUE(wait_all_events(c.near, POLLHUP));
	EXPECT_EQ(ECONNRESET, get_int(c.near, SO_ERROR));
	any_addr(&addr, SOCK_STREAM, 0);
	EXPECT_EQ(expected(EX_STREAM_BIND_BROKEN), ERR(bind_to(c.near, &addr)));
	EXPECT_EQ(EINVAL, ERR(bind_to(c.near, &addr)));
	conn_close(&c);
}

TEST(unconnected_is_ENOTCONN)
{
	int fd;

	ROAD_OR_SKIP();
	fd = end_socket(END_A, SOCK_STREAM);
	EXPECT_EQ(ENOTCONN, ERR(shutdown(fd, SHUT_RDWR)));
	EXPECT_EQ(ENOTCONN, ERR(shutdown(fd, SHUT_WR)));
	close(fd);
}

/*
 * A peer that does not close leaves something behind with each connection that
 * B closes. Of 4 that may go on it gets one; the next are reset. @stays: A's end.
 * Return: how many were reset, -1: there was none.
 */
static int end_of_b_goes(const struct addr *addr, int lis, int *stays)
{
	long long before = count_of("orphans_reset");
	char got[4];
	int goes;

	*stays = connected(SOCK_STREAM, addr);
	goes = accepted(lis);
	if (*stays < 0 || goes < 0 || SEND(goes, "last") != 4 ||
	    recv_exactly(*stays, got, 4) != 4)
		return -1;
	close(goes);
	return count_of("orphans_reset") - before;
}

static int limit_orphans_of_b(const char *text)
{
	int err = enter_end(END_B) ?:
		  write_file("/proc/sys/net/weft/limits/orphans", text);

	leave_end(END_B);
	return err;
}

struct going {
	struct addr addr;
	int lis;
};

static bool goes_on(void *arg)
{
	struct going *going = arg;
	int fd, nr_reset = end_of_b_goes(&going->addr, going->lis, &fd);

	close(fd);
	return !nr_reset;
}

TEST(closed_connections_that_go_on_are_limited)
{
	struct going going;
	int fds[3], i;

	ROAD_OR_SKIP();
	if (!road()->wire)
		return;	/* nothing goes on there */
	going.lis = listener(END_B, SOCK_STREAM, 8, &going.addr);
	ASSERT_LE(0, going.lis);
	ASSERT_EQ(0, limit_orphans_of_b("4"));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(!!i, end_of_b_goes(&going.addr, going.lis, &fds[i]));
		EXPECT_TRUE(wait_all_events(fds[i], i ? POLLHUP : POLLIN));
	}
	for (i = 0; i < 3; i++)
		close(fds[i]);
	EXPECT_TRUE(eventually(goes_on, &going));
	EXPECT_EQ(0, limit_orphans_of_b("32768"));
	close(going.lis);
}

/* What is shut is looked at before the connection that is not there. */
TEST(unconnected_and_shut_is_the_end)
{
	char got;
	int fd;

	ROAD_OR_SKIP();
	fd = end_socket(END_A, SOCK_STREAM);
	EXPECT_EQ(ENOTCONN, ERR(recv(fd, &got, 1, 0)));
	EXPECT_EQ(ENOTCONN, ERR(shutdown(fd, SHUT_RD)));
	EXPECT_EQ(0, recv(fd, &got, 1, 0));
	close(fd);
}

/* A large write, by a thread. */
struct writer {
	int fd;
	size_t len;
};

static long write_all(void *arg)
{
	static const char zeros[1 << 20];
	struct writer *w = arg;

	return send(w->fd, zeros, w->len, MSG_NOSIGNAL);
}

/* Who wrote a part is told so, and the next call what happened. */
TEST(an_error_in_the_middle_of_a_write_is_not_lost)
{
	struct writer w = { .len = 1 << 20 };
	struct conn conn;
	struct task task;

	ROAD_OR_SKIP();
	ASSERT_EQ(0, conn_open(&conn, SOCK_STREAM, false));
	ASSERT_EQ(0, set_int(conn.near, SO_SNDBUF, 65536));
	ASSERT_EQ(0, set_int(conn.far, SO_RCVBUF, 65536));
	w.fd = conn.near;
	ASSERT_EQ(0, task_start(&task, write_all, &w));
	ASSERT_TRUE(task_wait_asleep(&task));
	/* With bytes unread. */
	CLOSE(conn.far);
	ASSERT_TRUE(task_join(&task));
	EXPECT_LT(0, task.result);
	EXPECT_GT((long)w.len, task.result);
	EXPECT_EQ(POLLERR, events_now(conn.near, 0) & POLLERR);
	EXPECT_EQ(ECONNRESET, get_int(conn.near, SO_ERROR));
	conn_close(&conn);
}

TEST_HARNESS_MAIN
