// SPDX-License-Identifier: GPL-2.0
/*
 * The window of a connection: it grows as a long path needs it, SO_RCVBUF tells
 * how far, net.weft.limits.rmem bounds that, and a reader that stops costs no
 * more. What is sent back for bulk is a packet for two segments.
 *
 * weft-roads: veth bridge tap
 * weft-cflags: -pthread
 * weft-timeout: 240
 */
#include "peer.h"
#include "weft_test.h"

#define LIMIT	"/proc/sys/net/weft/limits/rmem"
#define LIMIT_DEFAULT	"16777216"
#define SEGMENT	1400
/* Slow machines carry little in a round trip; this is more than they need. */
#define GROWTH_MS	60000

FIXTURE(window)
{
	struct conn conn;
	int first;
	long sent;
	long got;
};

FIXTURE_SETUP(window)
{
	struct conn *c = &self->conn;

	if (road()->oracle)
		SKIP(return, "what weft itself promises");
	ROAD_OR_SKIP();
	ASSERT_EQ(0, conn_open(c, SOCK_STREAM, false));
	self->first = get_int(c->far, SO_RCVBUF);
}

FIXTURE_TEARDOWN(window)
{
	conn_close(&self->conn);
}

/* Both devices hold each packet back for so long, "" for not. */
static int delay(const char *by)
{
	char command[256];

	snprintf(command, sizeof(command),
		 "tc -n %s qdisc replace dev %s root %s && tc -n %s qdisc replace dev %s root %s",
		 getenv("WEFT_NS_A"), getenv("WEFT_DEV_A"), by,
		 getenv("WEFT_NS_B"), getenv("WEFT_DEV_B"), by);
	return system(command);
}

static int set_limit(const char *value)
{
	int err;

	if (enter_end(END_B))
		return -1;
	err = write_file(LIMIT, value);
	return leave_end(END_B) ?: err;
}

/* Bytes go and are read, until @bytes were or, if it is to, SO_RCVBUF grew. */
static void carry(FIXTURE_DATA(window) *self, long bytes, bool until_grown)
{
	static char buf[65536];
	struct pollfd pfd = { .fd = self->conn.far, .events = POLLIN };
	long long end = now_ms() + GROWTH_MS;
	long until = self->got + bytes;
	ssize_t n;

	while (self->got < until && now_ms() < end) {
		if (until_grown &&
		    get_int(self->conn.far, SO_RCVBUF) > self->first)
			return;
		n = send(self->conn.near, buf, sizeof(buf),
			 MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0)
			self->sent += n;
		poll(&pfd, 1, 10);
		n = recv(self->conn.far, buf, sizeof(buf), MSG_DONTWAIT);
		if (n > 0)
			self->got += n;
	}
}

/* Nobody reads any more: what comes is held, and is all there afterwards. */
#define EXPECT_BOUNDED(limit) do {					\
	long n_ = fill_up_for_good(self->conn.near, 65536);		\
	int now_ = get_int(self->conn.far, SO_RCVBUF);			\
	ASSERT_LE(0, n_);						\
	EXPECT_LE(now_, limit);						\
	EXPECT_LE(held(self->conn.far), (unsigned int)now_);		\
	EXPECT_LE(self->first / 2, (int)held(self->conn.far));		\
	self->sent += n_;						\
	EXPECT_EQ(self->sent - self->got,				\
		  drain(self->conn.far, self->sent - self->got));	\
} while (0)

#define LONG_PATH	"netem delay 100ms limit 100000"
#define SHORT_PATH	"netem limit 1000"

TEST_F(window, grows_with_the_path)
{
	ASSERT_EQ(0, delay(LONG_PATH));
	carry(self, 64 << 20, true);
	EXPECT_LT(self->first, get_int(self->conn.far, SO_RCVBUF));
	EXPECT_BOUNDED(16777216);
	ASSERT_EQ(0, delay(SHORT_PATH));
}

TEST_F(window, grows_no_further_than_the_limit)
{
	ASSERT_EQ(0, set_limit("230000"));
	ASSERT_EQ(0, delay(LONG_PATH));
	carry(self, 64 << 20, true);
	EXPECT_LT(self->first, get_int(self->conn.far, SO_RCVBUF));
	carry(self, 500000, false);
	EXPECT_BOUNDED(230000);
	ASSERT_EQ(0, delay(SHORT_PATH));
	ASSERT_EQ(0, set_limit(LIMIT_DEFAULT));
}

TEST_F(window, that_the_program_has_set_stays)
{
	ASSERT_EQ(0, set_int(self->conn.far, SO_RCVBUF, self->first / 2));
	ASSERT_EQ(0, delay(LONG_PATH));
	carry(self, 1000000, false);
	EXPECT_LE(1000000, self->got);
	EXPECT_BOUNDED(self->first);
	ASSERT_EQ(0, delay(SHORT_PATH));
}

/*
 * A packet for two segments, and some at the beginning; more where a machine is
 * so slow that a lone segment's time is over before the next comes. What it is
 * exactly, crowd_kunit.c counts.
 */
TEST_F(window, bulk_is_answered_by_halves)
{
	long long before = count_of("out_packets");

	carry(self, 4 << 20, false);
	EXPECT_LE(4 << 20, self->got);
	EXPECT_GE(self->got / SEGMENT * 2 / 3 + 100,
		  count_of("out_packets") - before);
	EXPECT_LT(10, count_of("out_packets") - before);
}

TEST_HARNESS_MAIN
