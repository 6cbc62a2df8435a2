// SPDX-License-Identifier: GPL-2.0
/*
 * Bytes in the first packet of a connection: MSG_FASTOPEN, WEFT_DEFER_CONNECT
 * and WEFT_EARLY_DATA. The oracle is TCP's fast open, which its namespace has
 * to allow without cookies: net.ipv4.tcp_fastopen=0x607.
 *
 * weft-cflags: -pthread
 */
#include <netinet/tcp.h>

#include "weft_test.h"

#define BIG	(1 << 20)

FIXTURE(early)
{
	int lis;
	int fd;
	int other;
	struct addr addr;
};

FIXTURE_VARIANT(early)
{
	int type;
};

FIXTURE_VARIANT_ADD(early, stream) { .type = SOCK_STREAM };
FIXTURE_VARIANT_ADD(early, seqpacket) { .type = SOCK_SEQPACKET };

FIXTURE_SETUP(early)
{
	ROAD_OR_SKIP();
	if (is_unix(variant->type))
		SKIP(return, "AF_UNIX has no such flag");
	self->lis = listener(END_B, variant->type, 8, &self->addr);
	self->fd = end_socket(END_A, variant->type);
	self->other = -1;
	ASSERT_LE(0, self->lis);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(early)
{
	close(self->other);
	close(self->fd);
	close(self->lis);
}

static ssize_t send_open(int fd, const char *text, const struct addr *addr,
			 int flags)
{
	return sendto(fd, text, strlen(text),
		      MSG_FASTOPEN | MSG_NOSIGNAL | flags, &addr->sa,
		      addr->len);
}

static int set_option(int fd, int weft, int tcp, int value)
{
	return setsockopt(fd, road()->oracle ? IPPROTO_TCP : SOL_WEFT,
			  road()->oracle ? tcp : weft, &value, sizeof(value));
}

static int get_option(int fd, int weft, int tcp)
{
	socklen_t len = sizeof(int);
	int value = -1;

	if (getsockopt(fd, road()->oracle ? IPPROTO_TCP : SOL_WEFT,
		       road()->oracle ? tcp : weft, &value, &len))
		return -1;
	return value;
}

static int set_defer(int fd, int value)
{
	return set_option(fd, WEFT_DEFER_CONNECT, TCP_FASTOPEN_CONNECT, value);
}

/* The road where connect() has nothing to wait for connects in the call. */
static bool waits(void)
{
	return road()->oracle || road()->wire;
}

static bool is_connected(void *arg)
{
	struct addr addr;

	return !peer_addr(*(int *)arg, &addr);
}

TEST_F(early, request_and_answer)
{
	ASSERT_EQ(7, send_open(self->fd, "request", &self->addr, 0));
	self->other = accepted(self->lis);
	ASSERT_LE(0, self->other);
	EXPECT_MESSAGE(self->other, "request");
	ASSERT_EQ(6, SEND(self->other, "answer"));
	EXPECT_MESSAGE(self->fd, "answer");
	ASSERT_EQ(4, SEND(self->fd, "more"));
	EXPECT_MESSAGE(self->other, "more");
}

TEST_F(early, without_waiting)
{
	ASSERT_EQ(7, send_open(self->fd, "request", &self->addr, MSG_DONTWAIT));
	self->other = accepted(self->lis);
	ASSERT_LE(0, self->other);
	EXPECT_MESSAGE(self->other, "request");
	EXPECT_TRUE(eventually(is_connected, &self->fd));
	EXPECT_EQ(POLLOUT, wait_events(self->fd, POLLOUT));
	ASSERT_EQ(4, SEND(self->fd, "more"));
	EXPECT_MESSAGE(self->other, "more");
	CLOSE(self->fd);
	EXPECT_EOF(self->other);
}

TEST_F(early, connect_afterwards_says_how_it_went)
{
	ASSERT_EQ(0, set_nonblock(self->fd));
	ASSERT_EQ(7, send_open(self->fd, "request", &self->addr, 0));
	EXPECT_EQ(POLLOUT, wait_events(self->fd, POLLOUT));
	EXPECT_EQ(waits() ? 0 : EISCONN,
		  ERR(connect_to(self->fd, &self->addr)));
	EXPECT_EQ(EISCONN, ERR(connect_to(self->fd, &self->addr)));
}

TEST_F(early, refused)
{
	CLOSE(self->lis);
	EXPECT_EQ(ECONNREFUSED,
		  ERR(send_open(self->fd, "request", &self->addr, 0)));
}

TEST_F(early, refused_without_waiting)
{
	CLOSE(self->lis);
	if (!waits()) {
		EXPECT_EQ(ECONNREFUSED,
			  ERR(send_open(self->fd, "request", &self->addr,
					MSG_DONTWAIT)));
		return;
	}
	ASSERT_EQ(7, send_open(self->fd, "request", &self->addr, MSG_DONTWAIT));
	ASSERT_TRUE(wait_all_events(self->fd, POLLERR | POLLHUP));
	EXPECT_EQ(ECONNREFUSED, get_int(self->fd, SO_ERROR));
}

TEST_F(early, again_after_a_refusal)
{
	struct addr addr;
	int bound = bound_socket(END_B, variant->type, &addr);

	ASSERT_EQ(ECONNREFUSED, ERR(send_open(self->fd, "lost", &addr, 0)));
	ASSERT_EQ(7, send_open(self->fd, "request", &self->addr, 0));
	self->other = accepted(self->lis);
	EXPECT_MESSAGE(self->other, "request");
	close(bound);
}

TEST_F(early, connected_is_EISCONN)
{
	int of_listener = variant->type == SOCK_STREAM ? EISCONN : EINVAL;

	ASSERT_EQ(0, connect_to(self->fd, &self->addr));
	EXPECT_EQ(EISCONN, ERR(send_open(self->fd, "no", &self->addr, 0)));
	EXPECT_EQ(of_listener, ERR(send_open(self->lis, "no", &self->addr, 0)));
}

TEST_F(early, unspecified_family_is_EOPNOTSUPP)
{
	struct addr addr = { .len = sizeof(addr.in6) };

	EXPECT_EQ(EOPNOTSUPP, ERR(send_open(self->fd, "no", &addr, 0)));
}

TEST_F(early, short_address_is_EINVAL)
{
	self->addr.len = 1;
	EXPECT_EQ(EINVAL, ERR(send_open(self->fd, "no", &self->addr, 0)));
	self->addr.len = 8;
	EXPECT_EQ(EINVAL, ERR(send_open(self->fd, "no", &self->addr, 0)));
}

/* Where nothing waits it connects first; else it may with another message. */
TEST_F(early, message_larger_than_SNDBUF_is_EMSGSIZE)
{
	char text[30000] = "";

	ONLY_IF(variant->type == SOCK_SEQPACKET);
	memset(text, 'x', sizeof(text) - 1);
	ASSERT_EQ(0, set_int(self->fd, SO_SNDBUF, 8192));
	EXPECT_EQ(EMSGSIZE, ERR(send_open(self->fd, text, &self->addr, 0)));
	EXPECT_EQ(7, waits() ? send_open(self->fd, "request", &self->addr, 0) :
			       SEND(self->fd, "request"));
	self->other = accepted(self->lis);
	EXPECT_TEXT(self->other, "request");
}

TEST_F(early, no_address_is_EINVAL)
{
	EXPECT_EQ(EINVAL, ERR(send(self->fd, "no", 2,
				   MSG_FASTOPEN | MSG_NOSIGNAL)));
}

TEST_F(early, nothing_opens_as_connect_does)
{
	bool message = variant->type == SOCK_SEQPACKET;
	int error = ERR(send_open(self->fd, "", &self->addr, MSG_DONTWAIT));

	EXPECT_EQ(waits() && !message ? EINPROGRESS : 0, error);
	self->other = accepted(self->lis);
	ASSERT_LE(0, self->other);
	ASSERT_TRUE(eventually(is_connected, &self->fd));
	if (message) {
		char got[4];

		EXPECT_EQ(0, recv_one(self->other, got, sizeof(got)));
	}
	ASSERT_EQ(4, SEND(self->fd, "text"));
	EXPECT_MESSAGE(self->other, "text");
}

struct sending {
	int fd;
	const struct addr *addr;
	size_t len;
	char *bytes;
};

static long send_big(void *arg)
{
	struct sending *s = arg;

	return sendto(s->fd, s->bytes, s->len, MSG_FASTOPEN | MSG_NOSIGNAL,
		      &s->addr->sa, s->addr->len);
}

/* Much more than the first packet carries, in one call. */
TEST_F(early, big)
{
	size_t len = variant->type == SOCK_STREAM ? BIG : 100000;
	struct sending s = { self->fd, &self->addr, len };
	char *got = malloc(len);
	struct task task;
	size_t i;

	s.bytes = malloc(len);
	ASSERT_NE(NULL, got);
	ASSERT_NE(NULL, s.bytes);
	for (i = 0; i < len; i++)
		s.bytes[i] = i * 7 ^ i >> 8;
	ASSERT_EQ(0, task_start(&task, send_big, &s));
	self->other = accepted(self->lis);
	ASSERT_LE(0, self->other);
	ASSERT_EQ(len, recv_exactly(self->other, got, len));
	ASSERT_TRUE(task_join(&task));
	EXPECT_EQ(len, task.result);
	EXPECT_EQ(0, memcmp(s.bytes, got, len));
	free(got);
	free(s.bytes);
}

TEST_F(early, defer_is_an_option)
{
	EXPECT_EQ(0, get_option(self->fd, WEFT_DEFER_CONNECT,
				TCP_FASTOPEN_CONNECT));
	EXPECT_EQ(EINVAL, ERR(set_defer(self->fd, 2)));
	EXPECT_EQ(EINVAL, ERR(set_defer(self->fd, -1)));
	EXPECT_EQ(0, ERR(set_defer(self->fd, 1)));
	EXPECT_EQ(1, get_option(self->fd, WEFT_DEFER_CONNECT,
				TCP_FASTOPEN_CONNECT));
	ASSERT_EQ(0, set_defer(self->fd, 0));
	ASSERT_EQ(0, connect_to(self->fd, &self->addr));
	EXPECT_EQ(EINVAL, ERR(set_defer(self->fd, 1)));
}

TEST_F(early, deferred_connect_opens_with_the_first_send)
{
	struct addr addr;

	ASSERT_EQ(0, set_defer(self->fd, 1));
	ASSERT_EQ(0, connect_to(self->fd, &self->addr));
	EXPECT_EQ(POLLOUT, events_now(self->fd, POLLIN | POLLOUT));
	EXPECT_EQ(waits() ? ENOTCONN : 0, ERR(peer_addr(self->fd, &addr)));
	EXPECT_EQ(waits() ? 0 : POLLIN, events_now(self->lis, POLLIN));
	ASSERT_EQ(7, SEND(self->fd, "request"));
	self->other = accepted(self->lis);
	ASSERT_LE(0, self->other);
	EXPECT_MESSAGE(self->other, "request");
	ASSERT_EQ(6, SEND(self->other, "answer"));
	EXPECT_MESSAGE(self->fd, "answer");
}

TEST_F(early, deferred_without_waiting)
{
	ASSERT_EQ(0, set_nonblock(self->fd));
	ASSERT_EQ(0, set_defer(self->fd, 1));
	ASSERT_EQ(0, connect_to(self->fd, &self->addr));
	EXPECT_EQ(EISCONN, ERR(connect_to(self->fd, &self->addr)));
	ASSERT_EQ(7, SEND(self->fd, "request"));
	self->other = accepted(self->lis);
	ASSERT_LE(0, self->other);
	EXPECT_MESSAGE(self->other, "request");
	ASSERT_TRUE(eventually(is_connected, &self->fd));
}

TEST_F(early, deferred_and_refused)
{
	CLOSE(self->lis);
	ASSERT_EQ(0, set_defer(self->fd, 1));
	if (!waits()) {
		EXPECT_EQ(ECONNREFUSED, ERR(connect_to(self->fd, &self->addr)));
		return;
	}
	ASSERT_EQ(0, connect_to(self->fd, &self->addr));
	EXPECT_EQ(ECONNREFUSED, ERR(SEND(self->fd, "request")));
}

TEST_F(early, deferred_and_never_sent)
{
	ASSERT_EQ(0, set_defer(self->fd, 1));
	ASSERT_EQ(0, connect_to(self->fd, &self->addr));
	CLOSE(self->fd);
	self->fd = connected(variant->type, &self->addr);
	ASSERT_EQ(3, SEND(self->fd, "two"));
	self->other = accepted(self->lis);
	if (!waits()) {
		close(self->other);
		self->other = accepted(self->lis);
	}
	EXPECT_MESSAGE(self->other, "two");
}

TEST_F(early, deferred_and_shut_down)
{
	ASSERT_EQ(0, set_defer(self->fd, 1));
	ASSERT_EQ(0, connect_to(self->fd, &self->addr));
	ASSERT_EQ(0, shutdown(self->fd, SHUT_RDWR));
	EXPECT_LT(0, ERR(SEND(self->fd, "no")));
}

/* What was refused comes all the same, once, and in order. */
TEST_F(early, listener_that_takes_no_early_data)
{
	if (road()->oracle)
		SKIP(return, "TCP's is one option for both ends");
	EXPECT_EQ(1, get_option(self->lis, WEFT_EARLY_DATA, 0));
	EXPECT_EQ(EINVAL, ERR(set_option(self->lis, WEFT_EARLY_DATA, 0, 2)));
	ASSERT_EQ(0, set_option(self->lis, WEFT_EARLY_DATA, 0, 0));
	EXPECT_EQ(0, get_option(self->lis, WEFT_EARLY_DATA, 0));
	ASSERT_EQ(5, send_open(self->fd, "first", &self->addr, 0));
	ASSERT_EQ(6, SEND(self->fd, "second"));
	self->other = accepted(self->lis);
	ASSERT_LE(0, self->other);
	EXPECT_TEXT(self->other, "first");
	EXPECT_TEXT(self->other, "second");
	ASSERT_EQ(6, SEND(self->other, "answer"));
	EXPECT_MESSAGE(self->fd, "answer");
}

TEST(early_options_are_not_of_datagrams)
{
	int fd;

	if (road()->oracle)
		SKIP(return, "options of weft");
	ROAD_OR_SKIP();
	fd = end_socket(END_A, SOCK_DGRAM);
	EXPECT_EQ(EINVAL, ERR(set_option(fd, WEFT_DEFER_CONNECT, 0, 1)));
	EXPECT_EQ(EINVAL, ERR(set_option(fd, WEFT_EARLY_DATA, 0, 1)));
	close(fd);
}

TEST_HARNESS_MAIN
