/* SPDX-License-Identifier: GPL-2.0 */
/* What test programs share: the harness, the road, waiting, patterns. */
#ifndef WEFT_TEST_H
#define WEFT_TEST_H

#include "kselftest_harness.h"

#include <limits.h>
#include <linux/sock_diag.h>
#include <signal.h>

#include "pattern.h"
#include "road.h"
#include "waiting.h"

/* An emulated machine with a debug kernel is slow. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	90

/* For what the environment may make longer: the runner's own limit ends it. */
#define TEST_TIMEOUT_RUNNER	1000000

/* Short texts: sent without their end. */
#define SEND(fd, text)	send(fd, text, strlen(text), MSG_NOSIGNAL)

/* Memory of what waits to be read, bytes. */
static inline unsigned int held(int fd)
{
	__u32 mem[SK_MEMINFO_VARS] = {};
	socklen_t len = sizeof(mem);

	getsockopt(fd, SOL_SOCKET, SO_MEMINFO, mem, &len);
	return mem[SK_MEMINFO_RMEM_ALLOC];
}

/* Control data that means nothing to any family, in @control. */
static inline void put_unknown_control(struct msghdr *msg, void *control,
				       size_t room)
{
	struct cmsghdr *cmsg;

	msg->msg_control = control;
	msg->msg_controllen = room;
	cmsg = CMSG_FIRSTHDR(msg);
	cmsg->cmsg_len = CMSG_LEN(4);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = 0x7777;
}

/* The next bytes of @fd are @text. */
#define EXPECT_TEXT(fd, text) do {					\
	char got_[sizeof(text)] = "";					\
	EXPECT_EQ((ssize_t)strlen(text),				\
		  recv_exactly(fd, got_, strlen(text)));		\
	EXPECT_EQ(0, memcmp(text, got_, strlen(text)));			\
} while (0)

/* The next message of @fd is @text. */
#define EXPECT_MESSAGE(fd, text) do {					\
	char got_[256] = "";						\
	EXPECT_EQ((ssize_t)strlen(text),				\
		  recv_one(fd, got_, sizeof(got_)));			\
	EXPECT_EQ(0, memcmp(text, got_, strlen(text)));			\
} while (0)

/* The stream of @fd has ended. */
#define EXPECT_EOF(fd) do {						\
	char got_;							\
	EXPECT_EQ(0, recv_one(fd, &got_, 1));				\
} while (0)

/* A fixture of two connected sockets; its variant has a type and a role. */
#define CONN_FIXTURE()							\
FIXTURE(conn)								\
{									\
	struct conn conn;						\
	int near;							\
	int far;							\
};									\
FIXTURE_VARIANT(conn)							\
{									\
	int type;							\
	bool accepting;							\
};									\
FIXTURE_SETUP(conn)							\
{									\
	ROAD_OR_SKIP();							\
	ASSERT_EQ(0, conn_open(&self->conn, variant->type,		\
			       variant->accepting));			\
	self->near = self->conn.near;					\
	self->far = self->conn.far;					\
}									\
FIXTURE_TEARDOWN(conn)							\
{									\
	close(self->near);						\
	close(self->far);						\
	close(self->conn.listener);					\
}

#define CONN_VARIANT(name, type_, accepting_)				\
FIXTURE_VARIANT_ADD(conn, name)						\
{									\
	.type = type_,							\
	.accepting = accepting_,					\
}

/* Close an end of the fixture's pair in the middle of a test. */
#define CLOSE(fd) do {							\
	close(fd);							\
	(fd) = -1;							\
} while (0)

#endif /* WEFT_TEST_H */
