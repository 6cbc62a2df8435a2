// SPDX-License-Identifier: GPL-2.0
/*
 * On one node, pages and buffers that were read are written into again. What
 * arrives is what was sent all the same, everybody who waits is woken, and an
 * idle connection keeps nothing.
 *
 * weft-roads: local
 * weft-timeout: 300
 * weft-cflags: -pthread
 */
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "weft_test.h"

/* Longer than a page frag, shorter than a buffer. */
#define CHUNK		50000

FIXTURE(pair)
{
	int near;
	int far;
	unsigned char *sent;
	unsigned char *got;
};

FIXTURE_VARIANT(pair)
{
	int type;
};

FIXTURE_VARIANT_ADD(pair, stream) { .type = SOCK_STREAM };
FIXTURE_VARIANT_ADD(pair, seqpacket) { .type = SOCK_SEQPACKET };
FIXTURE_VARIANT_ADD(pair, dgram) { .type = SOCK_DGRAM };

FIXTURE_SETUP(pair)
{
	int fd[2];

	ROAD_OR_SKIP();
	if (road()->oracle)
		SKIP(return, "about weft's own memory");
	ASSERT_EQ(0, socketpair(weft_family(), variant->type, 0, fd));
	self->near = fd[0];
	self->far = fd[1];
	self->sent = malloc(CHUNK);
	self->got = malloc(CHUNK);
}

FIXTURE_TEARDOWN(pair)
{
	close(self->near);
	close(self->far);
	free(self->sent);
	free(self->got);
}

/* The next @len bytes of a pattern; the buffer is overwritten at once. */
static bool send_next(int fd, unsigned char *buf, size_t len, uint64_t seed)
{
	ssize_t n;

	pattern_fill(buf, len, seed, 0);
	n = send(fd, buf, len, MSG_NOSIGNAL);
	memset(buf, 0xee, len);
	return n == (ssize_t)len;
}

static bool recv_next(int fd, unsigned char *buf, size_t len, uint64_t seed)
{
	return recv_exactly(fd, buf, len) == (ssize_t)len &&
	       pattern_is(buf, len, seed);
}

/* Sizes around those of heads, pages and frags. */
static size_t size_of(unsigned int i)
{
	static const size_t sizes[] = {
		1, 31, 64, 4092, 128, 4096, 129, 4100, 32764, 127, 32768, 32772,
		CHUNK,
	};

	return sizes[i % 13];
}

TEST_F(pair, what_was_read_is_used_again_and_nothing_shows)
{
	unsigned int i;

	for (i = 0; i < 100; i++) {
		size_t len = size_of(i * 7 + i / 10);

		ASSERT_TRUE(send_next(self->near, self->sent, len, i));
		ASSERT_TRUE(recv_next(self->far, self->got, len, i));
	}
}

/* One chunk always waits while the next is written. */
TEST_F(pair, what_waits_is_not_written_over)
{
	unsigned int i;

	ASSERT_TRUE(send_next(self->near, self->sent, size_of(0), 0));
	for (i = 1; i < 100; i++) {
		ASSERT_TRUE(send_next(self->near, self->sent, size_of(i), i));
		ASSERT_TRUE(recv_next(self->far, self->got, size_of(i - 1),
				      i - 1));
	}
}

TEST_F(pair, what_was_peeked_is_not_written_over)
{
	unsigned int i;

	for (i = 0; i < 100; i++) {
		size_t len = size_of(i);

		ASSERT_TRUE(send_next(self->near, self->sent, len, i));
		ASSERT_EQ((ssize_t)len, recv(self->far, self->got, len,
					     MSG_PEEK | MSG_WAITALL));
		ASSERT_TRUE(pattern_is(self->got, len, i));
		ASSERT_TRUE(send_next(self->near, self->sent, 64, ~i));
		ASSERT_TRUE(recv_next(self->far, self->got, len, i));
		ASSERT_TRUE(recv_next(self->far, self->got, 64, ~i));
	}
}

/* Both write into the page that the task has in hand. */
TEST_F(pair, sockets_of_one_task_share_no_byte)
{
	unsigned int i;
	int other[2];

	ASSERT_EQ(0, socketpair(weft_family(), variant->type, 0, other));
	for (i = 0; i < 99; i++) {
		ASSERT_TRUE(send_next(self->near, self->sent, 700, i));
		ASSERT_TRUE(send_next(other[0], self->sent, 300, ~i));
		if (i % 3)
			continue;
		ASSERT_TRUE(recv_next(self->far, self->got, 700, i / 3));
		ASSERT_TRUE(recv_next(other[1], self->got, 300, ~(i / 3)));
	}
	close(other[0]);
	close(other[1]);
}

TEST_F(pair, bytes_in_a_pipe_outlive_their_pages)
{
	int pipe_fd[2], copy[2];
	unsigned int i;

	ASSERT_EQ(0, pipe(pipe_fd));
	ASSERT_EQ(0, pipe(copy));
	for (i = 0; i < 20; i++) {
		ASSERT_TRUE(send_next(self->near, self->sent, CHUNK, i));
		ASSERT_TRUE(recv_next(self->far, self->got, CHUNK, i));
	}
	ASSERT_TRUE(send_next(self->near, self->sent, 4096, 1000));
	ASSERT_EQ(4096, splice(self->far, NULL, pipe_fd[1], NULL, 4096, 0));
	ASSERT_EQ(4096, tee(pipe_fd[0], copy[1], 4096, 0));
	for (i = 0; i < 40; i++) {
		ASSERT_TRUE(send_next(self->near, self->sent, CHUNK, i));
		ASSERT_TRUE(recv_next(self->far, self->got, CHUNK, i));
	}
	ASSERT_EQ(4096, read(pipe_fd[0], self->got, 4096));
	EXPECT_TRUE(pattern_is(self->got, 4096, 1000));
	ASSERT_EQ(4096, read(copy[0], self->got, 4096));
	EXPECT_TRUE(pattern_is(self->got, 4096, 1000));
	close(pipe_fd[0]);
	close(pipe_fd[1]);
	close(copy[0]);
	close(copy[1]);
}

TEST_F(pair, bytes_from_a_pipe_are_copied)
{
	int pipe_fd[2];
	unsigned int i;

	ASSERT_EQ(0, pipe(pipe_fd));
	for (i = 0; i < 100; i++) {
		pattern_fill(self->sent, 4096, i, 0);
		ASSERT_EQ(4096, write(pipe_fd[1], self->sent, 4096));
		ASSERT_EQ(4096, splice(pipe_fd[0], NULL, self->near, NULL,
				       4096, 0));
		ASSERT_TRUE(recv_next(self->far, self->got, 4096, i));
	}
	close(pipe_fd[0]);
	close(pipe_fd[1]);
}

TEST_F(pair, a_bad_pointer_shows_no_old_byte)
{
	unsigned int i;

	for (i = 0; i < 20; i++) {
		ASSERT_TRUE(send_next(self->near, self->sent, CHUNK, i));
		ASSERT_TRUE(recv_next(self->far, self->got, CHUNK, i));
	}
	EXPECT_EQ(EFAULT, ERR(send(self->near, (void *)8, CHUNK,
				   MSG_NOSIGNAL)));
	EXPECT_EQ(EAGAIN, ERR(recv(self->far, self->got, CHUNK,
				   MSG_DONTWAIT)));
	ASSERT_TRUE(send_next(self->near, self->sent, 100, 7));
	ASSERT_TRUE(recv_next(self->far, self->got, 100, 7));
}

/* --- waking --- */

static long recv_some(void *arg)
{
	char got[8];

	return recv(*(int *)arg, got, 1, 0);
}

/* Neither reader may keep the news of an arrival from the other. */
TEST_F(pair, two_readers_are_woken)
{
	struct task one, two;
	unsigned int i;

	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, task_start(&one, recv_some, &self->far));
		ASSERT_EQ(0, task_start(&two, recv_some, &self->far));
		ASSERT_TRUE(task_wait_asleep(&one));
		ASSERT_TRUE(task_wait_asleep(&two));
		ASSERT_EQ(1, SEND(self->near, "a"));
		ASSERT_EQ(1, SEND(self->near, "b"));
		ASSERT_TRUE(task_join(&one));
		ASSERT_TRUE(task_join(&two));
		ASSERT_EQ(1, one.result);
		ASSERT_EQ(1, two.result);
	}
}

#define BURSTS		400
#define BURST_MAX	30

/* Reads bytes one by one until the last, which is a zero. */
struct counter {
	int fd;
	unsigned int got;
	unsigned int sent;
};

static long count_bytes(void *arg)
{
	struct counter *c = arg;
	char byte;

	for (;;) {
		if (recv(c->fd, &byte, 1, 0) != 1)
			return -1;
		if (!byte)
			return 0;
		__atomic_add_fetch(&c->got, 1, __ATOMIC_SEQ_CST);
	}
}

static bool is_all_counted(void *arg)
{
	struct counter *c = arg;

	return __atomic_load_n(&c->got, __ATOMIC_SEQ_CST) == c->sent;
}

/*
 * Readers that only read pause, and are not told of each write then. All of a
 * burst is read all the same, whoever pauses, and without anything behind it.
 */
TEST_F(pair, a_pause_misses_nothing)
{
	struct counter c = { .fd = self->far };
	struct task one, two;
	unsigned int i, k;

	ASSERT_EQ(0, task_start(&one, count_bytes, &c));
	ASSERT_EQ(0, task_start(&two, count_bytes, &c));
	for (i = 0; i < BURSTS; i++) {
		for (k = 0; k <= i % BURST_MAX; k++)
			ASSERT_EQ(1, SEND(self->near, "x"));
		c.sent += k;
		ASSERT_TRUE(eventually(is_all_counted, &c));
	}
	ASSERT_EQ(1, send(self->near, "", 1, 0));
	ASSERT_EQ(1, send(self->near, "", 1, 0));
	ASSERT_TRUE(task_join(&one));
	ASSERT_TRUE(task_join(&two));
	EXPECT_EQ(0, one.result);
	EXPECT_EQ(0, two.result);
}

static long recv_hundred(void *arg)
{
	char got[200];

	return recv(*(int *)arg, got, sizeof(got), 0);
}

TEST_F(pair, RCVLOWAT_is_reached_in_parts)
{
	int lowat = 100, i;
	struct task task;

	ONLY_IF(variant->type == SOCK_STREAM);
	ASSERT_EQ(0, setsockopt(self->far, SOL_SOCKET, SO_RCVLOWAT, &lowat,
				sizeof(lowat)));
	ASSERT_EQ(0, task_start(&task, recv_hundred, &self->far));
	for (i = 0; i < 10; i++) {
		ASSERT_TRUE(task_wait_asleep(&task));
		ASSERT_EQ(10, SEND(self->near, "0123456789"));
	}
	ASSERT_TRUE(task_join(&task));
	EXPECT_EQ(100, task.result);
}

/* The reader that sleeps is told even where a poller has been before. */
TEST_F(pair, a_reader_that_has_polled_is_woken)
{
	struct task task;
	int i;

	ASSERT_EQ(0, events_now(self->far, POLLIN));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, task_start(&task, recv_some, &self->far));
		ASSERT_TRUE(task_wait_asleep(&task));
		ASSERT_EQ(1, SEND(self->near, "x"));
		ASSERT_TRUE(task_join(&task));
		EXPECT_EQ(1, task.result);
	}
}

TEST_F(pair, INQ_counts_down_message_by_message)
{
	int i, bytes;

	/* Of datagrams it tells of the first alone. */
	ONLY_IF(variant->type != SOCK_DGRAM);
	for (i = 0; i < 10; i++)
		ASSERT_EQ(5, SEND(self->near, "12345"));
	for (i = 10; i; i--) {
		ASSERT_EQ(0, ioctl(self->far, FIONREAD, &bytes));
		EXPECT_EQ(5 * i, bytes);
		EXPECT_EQ(POLLIN, events_now(self->far, POLLIN));
		ASSERT_EQ(5, recv(self->far, self->got, 5, 0));
	}
	EXPECT_EQ(0, events_now(self->far, POLLIN));
}

/* --- memory --- */

/* Pages that all weft sockets are charged for. */
static long charged_pages(void)
{
	char line[512];
	long pages = -1;
	FILE *f = fopen("/proc/net/protocols", "r");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "WEFT %*d %*d %ld", &pages) == 1)
			break;
	if (f)
		fclose(f);
	return pages;
}

/* What each CPU may hold back from that count, with some room: 1 MB. */
static long slack_pages(void)
{
	return (1 << 20) / sysconf(_SC_PAGESIZE) * sysconf(_SC_NPROCESSORS_CONF);
}

/* A connection through which so much went that it holds pages. */
static bool warm_pair(int fd[2])
{
	static unsigned char buf[CHUNK];
	unsigned int i;

	if (socketpair(weft_family(), SOCK_STREAM, 0, fd))
		return false;
	for (i = 0; i < 8; i++) {
		if (send(fd[0], buf, CHUNK, MSG_NOSIGNAL) != CHUNK ||
		    send(fd[0], buf, CHUNK, MSG_NOSIGNAL) != CHUNK ||
		    recv_exactly(fd[1], buf, CHUNK) != CHUNK ||
		    recv_exactly(fd[1], buf, CHUNK) != CHUNK)
			return false;
	}
	return true;
}

struct wanted {
	long pages;
};

static bool is_charged_less(void *arg)
{
	const struct wanted *wanted = arg;

	return charged_pages() <= wanted->pages;
}

#define PAIRS	100

/* Many at once, so that what they hold shows above the counters' slack. */
TEST(an_idle_connection_gives_its_pages_back)
{
	struct wanted wanted;
	int fd[PAIRS][2], i;

	ROAD_OR_SKIP();
	if (road()->oracle)
		SKIP(return, "about weft's own memory");
	wanted.pages = charged_pages() + slack_pages();
	for (i = 0; i < PAIRS; i++)
		ASSERT_TRUE(warm_pair(fd[i]));
	EXPECT_TRUE(eventually(is_charged_less, &wanted));
	for (i = 0; i < PAIRS; i++) {
		/* It still works, and begins anew. */
		EXPECT_EQ(1, SEND(fd[i][0], "x"));
		EXPECT_TEXT(fd[i][1], "x");
		close(fd[i][0]);
		close(fd[i][1]);
	}
}

TEST(a_closed_connection_leaves_no_charge)
{
	struct wanted wanted;
	int fd[2], i;

	ROAD_OR_SKIP();
	if (road()->oracle)
		SKIP(return, "about weft's own memory");
	wanted.pages = charged_pages() + slack_pages();
	for (i = 0; i < PAIRS; i++) {
		ASSERT_TRUE(warm_pair(fd));
		/* Some go with bytes that nobody has read. */
		if (i % 2)
			ASSERT_EQ(1, SEND(fd[0], "x"));
		close(fd[i % 4 / 2]);
		close(fd[1 - i % 4 / 2]);
	}
	EXPECT_TRUE(eventually(is_charged_less, &wanted));
}

TEST_HARNESS_MAIN
