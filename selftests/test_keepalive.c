// SPDX-License-Identifier: GPL-2.0
/*
 * A peer that says nothing: SO_KEEPALIVE, its options, and the user timeout.
 * With the oracle the options are TCP's.
 *
 * weft-roads: local veth
 * weft-cflags: -pthread
 */
#include <netinet/tcp.h>

#include "weft_test.h"
#include "peer.h"

enum { IDLE, INTERVAL, COUNT, TIMEOUT };

static const struct {
	int weft;
	int tcp;
	int first;
	int least;
	int most;
} options[] = {
	[IDLE]	   = { WEFT_KEEPIDLE, TCP_KEEPIDLE, 7200, 1, 32767 },
	[INTERVAL] = { WEFT_KEEPINTVL, TCP_KEEPINTVL, 75, 1, 32767 },
	[COUNT]	   = { WEFT_KEEPCNT, TCP_KEEPCNT, 9, 1, 127 },
	[TIMEOUT]  = { WEFT_USER_TIMEOUT, TCP_USER_TIMEOUT, 0, 0, INT_MAX },
};

static int level(void)
{
	return road()->oracle ? IPPROTO_TCP : SOL_WEFT;
}

static int set(int fd, int which, int value)
{
	return setsockopt(fd, level(),
			  road()->oracle ? options[which].tcp :
					   options[which].weft,
			  &value, sizeof(value));
}

static int get(int fd, int which)
{
	socklen_t len = sizeof(int);
	int value = -1;

	if (getsockopt(fd, level(), road()->oracle ? options[which].tcp :
						     options[which].weft,
		       &value, &len))
		return -1;
	return value;
}

/* Asked every second from the first one on, and gone after two of them. */
static int be_impatient(int fd)
{
	return set(fd, IDLE, 1) ?: set(fd, INTERVAL, 1) ?: set(fd, COUNT, 2) ?:
	       set_int(fd, SO_KEEPALIVE, 1);
}

CONN_FIXTURE()
CONN_VARIANT(stream_client, SOCK_STREAM, false);
CONN_VARIANT(stream_server, SOCK_STREAM, true);
CONN_VARIANT(seqpacket_client, SOCK_SEQPACKET, false);

#define NOT_UNIX() do {							\
	if (is_unix(variant->type))					\
		SKIP(return, "AF_UNIX has no such options");		\
} while (0)

TEST_F(conn, options_have_tcps_ranges)
{
	size_t i;

	NOT_UNIX();
	for (i = 0; i < ARRAY_SIZE(options); i++) {
		EXPECT_EQ(options[i].first, get(self->near, i));
		EXPECT_EQ(EINVAL, ERR(set(self->near, i, options[i].least - 1)));
		EXPECT_EQ(0, ERR(set(self->near, i, options[i].least)));
		EXPECT_EQ(0, ERR(set(self->near, i, options[i].most)));
		EXPECT_EQ(options[i].most, get(self->near, i));
		if (options[i].most == INT_MAX)
			continue;
		EXPECT_EQ(EINVAL, ERR(set(self->near, i, options[i].most + 1)));
		EXPECT_EQ(options[i].most, get(self->near, i));
	}
}

/* Programs for TCP find them under TCP's names. */
TEST_F(conn, stream_knows_tcps_names)
{
	int value = 5, error = variant->type == SOCK_STREAM ? 0 : ENOPROTOOPT;
	size_t i;

	NOT_UNIX();
	for (i = 0; i < ARRAY_SIZE(options); i++)
		EXPECT_EQ(error, ERR(setsockopt(self->near, IPPROTO_TCP,
						options[i].tcp, &value,
						sizeof(value))));
	if (!error)
		EXPECT_EQ(5, get(self->near, COUNT));
}

TEST_F(conn, children_inherit)
{
	int client, child;

	NOT_UNIX();
	ASSERT_EQ(0, set(self->conn.listener, IDLE, 11));
	ASSERT_EQ(0, set(self->conn.listener, INTERVAL, 12));
	ASSERT_EQ(0, set(self->conn.listener, COUNT, 13));
	ASSERT_EQ(0, set(self->conn.listener, TIMEOUT, 14000));
	client = connected(variant->type, &self->conn.addr);
	child = accepted(self->conn.listener);
	ASSERT_LE(0, child);
	EXPECT_EQ(11, get(child, IDLE));
	EXPECT_EQ(12, get(child, INTERVAL));
	EXPECT_EQ(13, get(child, COUNT));
	EXPECT_EQ(14000, get(child, TIMEOUT));
	close(client);
	close(child);
}

struct packets {
	long long before;
};

static bool three_more(void *arg)
{
	return count_of("in_packets") >= ((struct packets *)arg)->before + 3;
}

TEST(options_are_not_of_datagrams)
{
	size_t i;
	int fd;

	if (road()->oracle)
		SKIP(return, "UDP has no such options");
	ROAD_OR_SKIP();
	fd = end_socket(END_A, SOCK_DGRAM);
	ASSERT_LE(0, fd);
	for (i = 0; i < ARRAY_SIZE(options); i++)
		EXPECT_EQ(EINVAL, ERR(set(fd, i, options[i].least)));
	close(fd);
}

/* Nobody says anything; both ends hear that they are there. */
TEST_F(conn, idle_connection_stays)
{
	struct packets packets;

	ONLY_IF(road()->wire);
	ASSERT_EQ(0, be_impatient(self->near));
	packets.before = count_of("in_packets");
	EXPECT_TRUE(eventually(three_more, &packets));
	ASSERT_EQ(4, SEND(self->near, "text"));
	EXPECT_MESSAGE(self->far, "text");
	EXPECT_EQ(0, get_int(self->near, SO_ERROR));
}

/* The wire between the ends is cut, and joined again. */
static int join_wire(bool up)
{
	struct ifreq ifr = { 0 };
	int fd, err;

	if (enter_end(END_A))
		return -1;
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	snprintf(ifr.ifr_name, IFNAMSIZ, "%s", getenv("WEFT_DEV_A"));
	err = ioctl(fd, SIOCGIFFLAGS, &ifr);
	if (up)
		ifr.ifr_flags |= IFF_UP;
	else
		ifr.ifr_flags &= ~IFF_UP;
	err = err ?: ioctl(fd, SIOCSIFFLAGS, &ifr);
	close(fd);
	return leave_end(END_A) ?: err;
}

FIXTURE(cut)
{
	struct conn conn;
	int near;
};

FIXTURE_SETUP(cut)
{
	ROAD_OR_SKIP();
	ASSERT_EQ(0, conn_open(&self->conn, SOCK_STREAM, true));
	self->near = self->conn.near;
}

FIXTURE_TEARDOWN(cut)
{
	conn_close(&self->conn);
	if (road()->wire)
		EXPECT_EQ(0, join_wire(true));
}

TEST_F(cut, idle_peer_that_is_gone_is_ETIMEDOUT)
{
	char byte;

	ONLY_IF(road()->wire);
	ASSERT_EQ(0, join_wire(false));
	ASSERT_EQ(0, be_impatient(self->near));
	EXPECT_TRUE(wait_all_events(self->near, POLLERR | POLLHUP));
	EXPECT_EQ(ETIMEDOUT, ERR(recv(self->near, &byte, 1, 0)));
	EXPECT_EQ(0, recv(self->near, &byte, 1, 0));
}

TEST_F(cut, user_timeout_ends_what_is_not_acknowledged)
{
	char byte;

	ONLY_IF(road()->wire);
	ASSERT_EQ(0, set(self->near, TIMEOUT, 1000));
	ASSERT_EQ(0, join_wire(false));
	ASSERT_EQ(4, SEND(self->near, "text"));
	EXPECT_TRUE(wait_all_events(self->near, POLLERR | POLLHUP));
	EXPECT_EQ(ETIMEDOUT, ERR(recv(self->near, &byte, 1, 0)));
}

/* It may be set while something waits already. */
TEST_F(cut, user_timeout_set_later)
{
	ONLY_IF(road()->wire);
	ASSERT_EQ(0, join_wire(false));
	ASSERT_EQ(4, SEND(self->near, "text"));
	ASSERT_EQ(0, set(self->near, TIMEOUT, 1000));
	EXPECT_TRUE(wait_all_events(self->near, POLLERR | POLLHUP));
	EXPECT_EQ(ETIMEDOUT, get_int(self->near, SO_ERROR));
}

TEST_HARNESS_MAIN
