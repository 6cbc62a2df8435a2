// SPDX-License-Identifier: GPL-2.0
/*
 * SEQPACKET messages of every size, from none to the largest the peer takes,
 * arrive whole and apart.
 *
 * weft-cflags: -pthread
 * weft-timeout: 300
 */
#include <net/if.h>
#include <sys/ioctl.h>

#include "weft_test.h"
#include "peer.h"

#define ROOM	(4 << 20)

CONN_FIXTURE()
CONN_VARIANT(client, SOCK_SEQPACKET, false);
CONN_VARIANT(server, SOCK_SEQPACKET, true);

/* The largest message that @fd sends: AF_UNIX keeps a little for itself. */
static int largest(int fd)
{
	int sndbuf = get_int(fd, SO_SNDBUF), peer = 0;
	socklen_t len = sizeof(peer);

	if (road()->oracle)
		return sndbuf - 32;
	if (getsockopt(fd, SOL_WEFT, WEFT_PEER_MAX_MESSAGE, &peer, &len))
		return -1;
	return peer < sndbuf ? peer : sndbuf;
}

struct message {
	int fd;
	int len;
	int seed;
};

static long send_message(void *arg)
{
	struct message *m = arg;
	unsigned char *buf = malloc(m->len + 1);
	long n;

	pattern_fill(buf, m->len, m->seed, 0);
	n = send(m->fd, buf, m->len, MSG_NOSIGNAL);
	free(buf);
	return n;
}

/* One message there, while it is being sent: it may exceed what is queued. */
static bool crosses(int from, int to, int len, int seed)
{
	struct message m = { from, len, seed };
	unsigned char *got = malloc(ROOM);
	struct task task;
	bool good;

	good = !task_start(&task, send_message, &m) &&
	       recv_one(to, got, ROOM) == len && pattern_is(got, len, seed) &&
	       task_join(&task) && task.result == len;
	free(got);
	return good;
}

TEST_F(conn, every_small_size)
{
	int len;

	for (len = 0; len < 300; len++)
		ASSERT_TRUE(crosses(self->near, self->far, len, len));
}

TEST_F(conn, sizes_around_powers_of_2)
{
	int len, off;

	for (len = 512; len <= 65536; len *= 2)
		for (off = -1; off <= 1; off++)
			ASSERT_TRUE(crosses(self->near, self->far, len + off,
					    len + off));
}

TEST_F(conn, sizes_around_frames)
{
	int frames, off;

	for (frames = 1; frames <= 4; frames++)
		for (off = -80; off <= 8; off += 4)
			ASSERT_TRUE(crosses(self->near, self->far,
					    1500 * frames + off, frames));
}

TEST_F(conn, largest_arrives)
{
	int len = largest(self->near);

	ASSERT_LE(65536, len);
	EXPECT_TRUE(crosses(self->near, self->far, len - 1, 1));
	EXPECT_TRUE(crosses(self->near, self->far, len, 2));
	EXPECT_TRUE(crosses(self->near, self->far, 0, 3));
}

static int set_mtu_of(enum end end, const char *dev, int mtu)
{
	struct ifreq ifr = { .ifr_mtu = mtu };
	int fd, err = enter_end(end);

	snprintf(ifr.ifr_name, IFNAMSIZ, "%s", dev);
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	err = err ?: ioctl(fd, SIOCSIFMTU, &ifr);
	close(fd);
	return leave_end(end) ?: err;
}

/* Of both, which then ask each other what the other has. */
static int set_mtu(int mtu)
{
	return set_mtu_of(END_A, getenv("WEFT_DEV_A"), mtu) ?:
	       set_mtu_of(END_B, getenv("WEFT_DEV_B"), mtu) ?:
	       lose_devices(END_A) ?: lose_devices(END_B);
}

static int mss_of(int fd)
{
	struct weft_info info = {};
	socklen_t len = sizeof(info);

	return getsockopt(fd, SOL_WEFT, WEFT_INFO, &info, &len) ? -1 : info.mss;
}

/* What was read before it and is not told of yet does not keep it back. */
TEST_F(conn, largest_arrives_behind_small_ones_in_large_frames)
{
	const char *name = getenv("WEFT_ROAD");
	struct conn conn;
	int i, len;

	ONLY_IF(road()->wire && name && !strcmp(name, "veth"));
	ASSERT_EQ(0, set_mtu(9000));
	EXPECT_EQ(0, conn_open(&conn, SOCK_SEQPACKET, false));
	EXPECT_LE(8000, mss_of(conn.near));
	EXPECT_LE(8000, mss_of(conn.far));
	len = largest(conn.near);
	for (i = 0; i < 10; i++)
		EXPECT_TRUE(crosses(conn.near, conn.far, 1000, i));
	EXPECT_TRUE(crosses(conn.near, conn.far, len, i));
	conn_close(&conn);
	ASSERT_EQ(0, set_mtu(1500));
}

TEST_F(conn, larger_is_EMSGSIZE)
{
	int len = largest(self->near);
	char *buf = calloc(2, len);

	EXPECT_EQ(EMSGSIZE, ERR(send(self->near, buf, len + 1, MSG_NOSIGNAL)));
	EXPECT_EQ(EMSGSIZE, ERR(send(self->near, buf, 2 * len, MSG_NOSIGNAL)));
	EXPECT_TRUE(crosses(self->near, self->far, 5, 1));
	free(buf);
}

TEST_F(conn, larger_never_blocks)
{
	char *buf;
	int len;

	ASSERT_LT(0, fill_up_for_good(self->near, 4000));
	/* Only now: buffers may have grown. */
	len = largest(self->near);
	buf = calloc(1, len + 1);
	EXPECT_EQ(EMSGSIZE, ERR(send(self->near, buf, len + 1, MSG_NOSIGNAL)));
	free(buf);
}

TEST_F(conn, small_sndbuf_bounds_it)
{
	int len;
	char *buf;

	ASSERT_EQ(0, set_int(self->near, SO_SNDBUF, 8192));
	len = largest(self->near);
	buf = calloc(1, len + 1);
	EXPECT_EQ(EMSGSIZE, ERR(send(self->near, buf, len + 1, MSG_NOSIGNAL)));
	EXPECT_TRUE(crosses(self->near, self->far, len, 1));
	free(buf);
}

#define MESSAGES	400

static int size_of(int i)
{
	struct prng prng = { .seed = 17, .index = i };
	uint32_t kind = prng_below(&prng, 10);

	if (kind == 0)
		return 0;
	return prng_below(&prng, kind < 6 ? 100 : kind < 9 ? 5000 : 60000);
}

static long send_messages(void *arg)
{
	int fd = *(int *)arg;
	int i;

	for (i = 0; i < MESSAGES; i++) {
		struct message m = { fd, size_of(i), i };

		if (send_message(&m) != m.len)
			return i;
	}
	return MESSAGES;
}

TEST_F(conn, boundaries_of_many_sizes)
{
	unsigned char *got = malloc(ROOM);
	struct task task;
	int i;

	ASSERT_EQ(0, task_start(&task, send_messages, &self->near));
	for (i = 0; i < MESSAGES; i++) {
		ASSERT_EQ(size_of(i), recv_one(self->far, got, ROOM));
		ASSERT_TRUE(pattern_is(got, size_of(i), i));
	}
	ASSERT_TRUE(task_join(&task));
	EXPECT_EQ(MESSAGES, task.result);
	free(got);
}

TEST_F(conn, both_directions_at_once)
{
	unsigned char *got = malloc(ROOM);
	struct task one, two;
	int i;

	ASSERT_EQ(0, task_start(&one, send_messages, &self->near));
	ASSERT_EQ(0, task_start(&two, send_messages, &self->far));
	for (i = 0; i < MESSAGES; i++) {
		ASSERT_EQ(size_of(i), recv_one(self->far, got, ROOM));
		ASSERT_TRUE(pattern_is(got, size_of(i), i));
		ASSERT_EQ(size_of(i), recv_one(self->near, got, ROOM));
		ASSERT_TRUE(pattern_is(got, size_of(i), i));
	}
	ASSERT_TRUE(task_join(&one) && task_join(&two));
	EXPECT_EQ(MESSAGES, one.result);
	EXPECT_EQ(MESSAGES, two.result);
	free(got);
}

/* Many small ones: each is told from the next however they are packed. */
TEST_F(conn, many_small_ones)
{
	char text[16], got[64];
	int i, len;

	for (i = 0; i < 2000; i++) {
		len = snprintf(text, sizeof(text), "%d", i);
		ASSERT_EQ(len, send(self->near, text, len, 0));
		if (i % 50 != 49)
			continue;
		for (int j = i - 49; j <= i; j++) {
			len = snprintf(text, sizeof(text), "%d", j);
			ASSERT_EQ(len, recv_one(self->far, got, sizeof(got)));
			ASSERT_EQ(0, memcmp(text, got, len));
		}
	}
}

TEST_HARNESS_MAIN
