// SPDX-License-Identifier: GPL-2.0
/*
 * socketpair(2): two connected sockets of one node. The oracle is AF_UNIX.
 *
 * weft-roads: local
 * weft-cflags: -pthread
 */
#include "weft_test.h"

FIXTURE(pair)
{
	int fd[2];
};

FIXTURE_VARIANT(pair)
{
	int type;
};

FIXTURE_VARIANT_ADD(pair, stream) { .type = SOCK_STREAM };
FIXTURE_VARIANT_ADD(pair, seqpacket) { .type = SOCK_SEQPACKET };
FIXTURE_VARIANT_ADD(pair, dgram) { .type = SOCK_DGRAM };

static int pair_family(void)
{
	return road()->oracle ? AF_UNIX : road()->family;
}

FIXTURE_SETUP(pair)
{
	ROAD_OR_SKIP();
	ASSERT_EQ(0, socketpair(pair_family(), variant->type, 0, self->fd));
}

FIXTURE_TEARDOWN(pair)
{
	close(self->fd[0]);
	close(self->fd[1]);
}

TEST_F(pair, both_directions)
{
	ASSERT_EQ(4, SEND(self->fd[0], "ping"));
	EXPECT_MESSAGE(self->fd[1], "ping");
	ASSERT_EQ(4, SEND(self->fd[1], "pong"));
	EXPECT_MESSAGE(self->fd[0], "pong");
}

TEST_F(pair, idle_is_writable_only)
{
	EXPECT_EQ(POLLOUT, events_now(self->fd[0], POLLIN | POLLOUT));
	EXPECT_EQ(POLLOUT, events_now(self->fd[1], POLLIN | POLLOUT));
}

TEST_F(pair, boundaries)
{
	char got[8];

	ASSERT_EQ(2, SEND(self->fd[0], "ab"));
	ASSERT_EQ(2, SEND(self->fd[0], "cd"));
	EXPECT_EQ(variant->type == SOCK_STREAM ? 4 : 2,
		  recv(self->fd[1], got, sizeof(got), 0));
}

TEST_F(pair, end_of_the_peer)
{
	ASSERT_EQ(4, SEND(self->fd[0], "last"));
	CLOSE(self->fd[0]);
	EXPECT_MESSAGE(self->fd[1], "last");
	if (variant->type == SOCK_DGRAM)
		return;
	EXPECT_EOF(self->fd[1]);
	EXPECT_EQ(EPIPE, ERR(SEND(self->fd[1], "x")));
}

TEST_F(pair, half_close)
{
	char got;

	ASSERT_EQ(0, shutdown(self->fd[0], SHUT_WR));
	EXPECT_EQ(EPIPE, ERR(SEND(self->fd[0], "x")));
	ASSERT_EQ(1, SEND(self->fd[1], "y"));
	EXPECT_MESSAGE(self->fd[0], "y");
	if (variant->type != SOCK_DGRAM)
		EXPECT_EQ(0, recv(self->fd[1], &got, 1, 0));
}

TEST_F(pair, connect_of_it_is_EISCONN)
{
	struct addr addr;

	ONLY_IF(variant->type != SOCK_DGRAM);
	ASSERT_EQ(0, own_addr(self->fd[0], &addr));
	addr.len = road()->oracle ? 8 : addr.len;
	EXPECT_EQ(expected(EX_PAIR_CONNECT),
		  ERR(connect_to(self->fd[0], &addr)));
}

TEST_F(pair, has_names)
{
	struct addr own, peer;

	ASSERT_EQ(0, own_addr(self->fd[0], &own));
	ASSERT_EQ(0, peer_addr(self->fd[1], &peer));
	EXPECT_EQ(pair_family(), own.sa.sa_family);
	EXPECT_TRUE(addr_equal(&own, &peer));
}

TEST_F(pair, bulk_both_ways)
{
	unsigned char buf[1000], got[1000];
	int i, j;

	for (i = 0; i < 1000; i++) {
		for (j = 0; j < 2; j++) {
			pattern_fill(buf, sizeof(buf), j, i);
			ASSERT_EQ(1000, send(self->fd[j], buf, 1000, 0));
		}
		for (j = 0; j < 2; j++) {
			ASSERT_EQ(1000, recv_exactly(self->fd[!j], got, 1000));
			ASSERT_EQ(1000, pattern_check(got, 1000, j, i));
		}
	}
}

#define PIECE	1000

static ssize_t send_piece(int fd, int flags)
{
	static const char zeros[PIECE];

	return send(fd, zeros, PIECE, flags | MSG_NOSIGNAL);
}

/* Send until no more is taken. Return: bytes taken, or -1 if that has no end. */
static long fill_pair(int fd)
{
	long total = 0;
	ssize_t n;

	while (total < 64 << 20) {
		n = send_piece(fd, MSG_DONTWAIT);
		if (n < 0)
			return errno == EAGAIN ? total : -1;
		total += n;
	}
	return -1;
}

/* Read all that is there. Return: how much it was. */
static long empty_pair(int fd)
{
	char got[PIECE];
	long total = 0;
	ssize_t n;

	while ((n = recv(fd, got, sizeof(got), MSG_DONTWAIT)) > 0)
		total += n;
	return total;
}

TEST_F(pair, full_is_EAGAIN_and_loses_nothing)
{
	long sent;
	int i;

	for (i = 0; i < 3; i++) {
		sent = fill_pair(self->fd[0]);
		ASSERT_LT(0, sent);
		EXPECT_EQ(sent, empty_pair(self->fd[1]));
	}
}

TEST_F(pair, full_is_writable_when_it_is_read)
{
	long sent = fill_pair(self->fd[0]);

	ASSERT_LT(0, sent);
	EXPECT_EQ(0, events_now(self->fd[0], POLLOUT));
	EXPECT_EQ(sent, empty_pair(self->fd[1]));
	EXPECT_EQ(POLLOUT, wait_events(self->fd[0], POLLOUT));
}

static long call_send(void *arg)
{
	return send_piece(*(int *)arg, 0);
}

/* A writer that has filled the pair, and sleeps in its next send(). */
static bool waits_for_room(struct task *writer, int *fd)
{
	return fill_pair(*fd) > 0 && !task_start(writer, call_send, fd) &&
	       task_wait_asleep(writer);
}

static long call_poll_out(void *arg)
{
	return wait_events(*(int *)arg, POLLOUT);
}

TEST_F(pair, who_waits_for_room_is_woken_by_the_reader)
{
	struct task writer, poller;
	long sent = fill_pair(self->fd[0]);

	ASSERT_LT(0, sent);
	ASSERT_EQ(0, task_start(&writer, call_send, &self->fd[0]));
	ASSERT_EQ(0, task_start(&poller, call_poll_out, &self->fd[0]));
	ASSERT_TRUE(task_wait_asleep(&writer));
	ASSERT_TRUE(task_wait_asleep(&poller));
	EXPECT_LE(sent, empty_pair(self->fd[1]));
	ASSERT_TRUE(task_join(&writer));
	ASSERT_TRUE(task_join(&poller));
	EXPECT_EQ(PIECE, writer.result);
	EXPECT_EQ(POLLOUT, poller.result);
}

static int gone(int type)
{
	return type == SOCK_DGRAM ? ECONNREFUSED : EPIPE;
}

TEST_F(pair, who_waits_for_room_hears_that_the_peer_has_closed)
{
	bool resets = variant->type != SOCK_DGRAM;
	struct task writer;

	ASSERT_TRUE(waits_for_room(&writer, &self->fd[0]));
	CLOSE(self->fd[1]);
	ASSERT_TRUE(task_join(&writer));
	EXPECT_EQ(-1, writer.result);
	EXPECT_EQ(resets ? ECONNRESET : ECONNREFUSED, writer.error);
}

TEST_F(pair, who_waits_for_room_may_be_interrupted)
{
	struct timeval tv = { .tv_usec = 1000 };
	struct task writer;

	ASSERT_LT(0, fill_pair(self->fd[0]));
	ASSERT_EQ(0, task_start(&writer, call_send, &self->fd[0]));
	ASSERT_TRUE(task_interrupt(&writer));
	EXPECT_EQ(EINTR, writer.error);
	ASSERT_EQ(0, setsockopt(self->fd[0], SOL_SOCKET, SO_SNDTIMEO, &tv,
				sizeof(tv)));
	EXPECT_EQ(EAGAIN, ERR(send_piece(self->fd[0], 0)));
}

TEST_F(pair, closed_peer_is_known_at_once)
{
	CLOSE(self->fd[1]);
	EXPECT_EQ(gone(variant->type), ERR(SEND(self->fd[0], "x")));
	EXPECT_EQ(0, get_int(self->fd[0], SO_ERROR));
}

/* Somebody has the port where end 1 was, and is no end for that. */
static bool is_no_end(const int *fd, const struct addr *place, int thief)
{
	struct addr other;

	return !own_addr(fd[0], &other) && !bind_to(thief, place) &&
	       send_to(thief, "x", 1, &other) == 1 &&
	       !events_now(fd[0], POLLIN) &&
	       ERR(send(fd[0], "y", 1, MSG_NOSIGNAL)) == ECONNREFUSED &&
	       !events_now(thief, POLLIN);
}

TEST_F(pair, nobody_takes_the_place_of_an_end)
{
	int thief = end_socket(END_A, SOCK_DGRAM);
	struct addr place;

	ONLY_IF(!road()->oracle && variant->type == SOCK_DGRAM);
	ASSERT_EQ(0, own_addr(self->fd[1], &place));
	close(self->fd[1]);
	self->fd[1] = thief;
	EXPECT_TRUE(is_no_end(self->fd, &place, thief));
}

TEST_F(pair, nobody_takes_the_place_of_an_end_that_left)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	int thief = end_socket(END_A, SOCK_DGRAM);
	struct addr place;

	ONLY_IF(!road()->oracle && variant->type == SOCK_DGRAM);
	ASSERT_EQ(0, own_addr(self->fd[1], &place));
	ASSERT_EQ(0, connect(self->fd[1], &none, sizeof(none)));
	EXPECT_TRUE(is_no_end(self->fd, &place, thief));
	close(thief);
}

TEST_F(pair, nobody_takes_the_place_of_an_end_that_went_elsewhere)
{
	int thief = end_socket(END_A, SOCK_DGRAM);
	struct addr place, elsewhere;
	int fd = bound_socket(END_A, SOCK_DGRAM, &elsewhere);

	ONLY_IF(!road()->oracle && variant->type == SOCK_DGRAM);
	ASSERT_EQ(0, own_addr(self->fd[1], &place));
	ASSERT_EQ(0, connect_to(self->fd[1], &elsewhere));
	close(self->fd[1]);
	self->fd[1] = thief;
	EXPECT_TRUE(is_no_end(self->fd, &place, thief));
	close(fd);
}

/* Who is no end of the pair any more takes nothing, and keeps nobody waiting. */
TEST_F(pair, who_waits_for_room_hears_that_the_peer_has_left)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	struct task writer;

	ONLY_IF(!road()->oracle && variant->type == SOCK_DGRAM);
	ASSERT_TRUE(waits_for_room(&writer, &self->fd[0]));
	ASSERT_EQ(0, connect(self->fd[1], &none, sizeof(none)));
	ASSERT_TRUE(task_join(&writer));
	EXPECT_EQ(ECONNREFUSED, writer.error);
}

TEST_F(pair, who_waits_for_room_may_leave)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	struct task writer;

	ONLY_IF(!road()->oracle && variant->type == SOCK_DGRAM);
	ASSERT_TRUE(waits_for_room(&writer, &self->fd[0]));
	ASSERT_EQ(0, connect(self->fd[0], &none, sizeof(none)));
	ASSERT_TRUE(task_join(&writer));
	EXPECT_EQ(ECONNREFUSED, writer.error);
}

TEST_F(pair, who_waits_for_room_hears_of_shutdown)
{
	struct task writer;

	ONLY_IF(!road()->oracle && variant->type == SOCK_DGRAM);
	ASSERT_TRUE(waits_for_room(&writer, &self->fd[0]));
	ASSERT_EQ(0, shutdown(self->fd[0], SHUT_WR));
	ASSERT_TRUE(task_join(&writer));
	EXPECT_EQ(EPIPE, writer.error);
}

TEST_F(pair, who_waits_for_room_hears_that_nobody_reads)
{
	struct task writer;

	ONLY_IF(!road()->oracle && variant->type == SOCK_DGRAM);
	ASSERT_TRUE(waits_for_room(&writer, &self->fd[0]));
	ASSERT_EQ(0, shutdown(self->fd[1], SHUT_RD));
	ASSERT_TRUE(task_join(&writer));
	EXPECT_EQ(EPIPE, writer.error);
	EXPECT_EQ(POLLOUT, events_now(self->fd[0], POLLOUT));
}

#define WRITERS	3
#define EACH	20000

static long call_send_many(void *arg)
{
	int i;

	for (i = 0; i < EACH; i++)
		if (send(*(int *)arg, &i, sizeof(i), 0) != sizeof(i))
			return -1;
	return 0;
}

/* Small ones, from several threads, to a reader who is slower than they. */
TEST_F(pair, many_writers_lose_nothing)
{
	struct task writers[WRITERS];
	long got = 0;
	int i;

	ONLY_IF(variant->type != SOCK_STREAM);
	for (i = 0; i < WRITERS; i++)
		ASSERT_EQ(0, task_start(&writers[i], call_send_many,
					&self->fd[0]));
	while (got < WRITERS * EACH && wait_events(self->fd[1], POLLIN))
		got += empty_pair(self->fd[1]) / sizeof(int);
	for (i = 0; i < WRITERS; i++) {
		ASSERT_TRUE(task_join(&writers[i]));
		EXPECT_EQ(0, writers[i].result);
	}
	EXPECT_EQ(WRITERS * EACH, got);
}

TEST(flags_of_the_type)
{
	int fd[2];

	ROAD_OR_SKIP();
	ASSERT_EQ(0, socketpair(pair_family(), SOCK_STREAM | SOCK_NONBLOCK |
				SOCK_CLOEXEC, 0, fd));
	EXPECT_EQ(O_NONBLOCK, fcntl(fd[1], F_GETFL) & O_NONBLOCK);
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd[0], F_GETFD));
	close(fd[0]);
	close(fd[1]);
}

TEST(unread_data_resets)
{
	char got;
	int fd[2];

	ROAD_OR_SKIP();
	ASSERT_EQ(0, socketpair(pair_family(), SOCK_STREAM, 0, fd));
	ASSERT_EQ(1, SEND(fd[0], "x"));
	close(fd[1]);
	EXPECT_EQ(ECONNRESET, ERR(recv(fd[0], &got, 1, 0)));
	close(fd[0]);
}

TEST_HARNESS_MAIN
