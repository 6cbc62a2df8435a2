// SPDX-License-Identifier: GPL-2.0
/*
 * Ends of a connection between two nodes: what goes on after close(), and what
 * whoever was refused sees.
 *
 * weft-roads: veth
 * weft-cflags: -pthread
 */
#include <sys/sendfile.h>

#include "weft_test.h"
#include "peer.h"

#define ORPHAN_SEC	"/proc/sys/net/weft/limits/orphan_sec"
#define USUAL		"60"
/* More than the window takes at first, and read in more than two seconds. */
#define PIECE		4096
#define PIECES		60
#define PAUSE_MS	100

FIXTURE(wire)
{
	struct conn conn;
	int near;
	int far;
};

FIXTURE_VARIANT(wire)
{
	int type;
};

FIXTURE_VARIANT_ADD(wire, stream)
{
	.type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(wire, seqpacket)
{
	.type = SOCK_SEQPACKET,
};

static int set_orphan_sec(const char *text)
{
	int err;

	if (enter_end(END_A))
		return -1;
	err = write_file(ORPHAN_SEC, text);
	return leave_end(END_A) ?: err;
}

FIXTURE_SETUP(wire)
{
	if (road()->oracle)
		SKIP(return, "the time is weft's own setting");
	ROAD_OR_SKIP();
	ASSERT_EQ(0, conn_open(&self->conn, variant->type, false));
	self->near = self->conn.near;
	self->far = self->conn.far;
}

FIXTURE_TEARDOWN(wire)
{
	set_orphan_sec(USUAL);
	close(self->near);
	close(self->far);
	close(self->conn.listener);
}

/* Sockets of A that have the peer's port @port. */
static int sockets_to(unsigned int port)
{
	char line[512], wanted[16];
	int nr = 0;
	FILE *file;

	snprintf(wanted, sizeof(wanted), "%u", port);
	if (enter_end(END_A))
		return -1;
	file = fopen("/proc/net/weft", "r");
	while (file && fgets(line, sizeof(line), file))
		nr += strstr(line, wanted) != NULL;
	if (file)
		fclose(file);
	return leave_end(END_A) ?: nr;
}

static bool is_gone(void *port)
{
	return sockets_to(*(unsigned int *)port) == 0;
}

/* Who closed has forgotten the connection by then, and who reads late has not. */
TEST_F(wire, a_late_reader_loses_nothing)
{
	unsigned int port = addr_port(&self->conn.addr);

	ASSERT_EQ(0, set_orphan_sec("1"));
	ASSERT_EQ(5, SEND(self->near, "first"));
	ASSERT_EQ(4, SEND(self->near, "last"));
	ASSERT_EQ(1, sockets_to(port));
	CLOSE(self->near);
	ASSERT_TRUE(eventually(is_gone, &port));
	EXPECT_EQ(0, events_now(self->far, POLLIN) & (POLLERR | POLLHUP));
	EXPECT_EQ(0, get_int(self->far, SO_ERROR));
	if (variant->type == SOCK_SEQPACKET) {
		EXPECT_MESSAGE(self->far, "first");
		EXPECT_MESSAGE(self->far, "last");
	} else {
		EXPECT_TEXT(self->far, "firstlast");
	}
	EXPECT_EOF(self->far);
	/* What it sends now nobody knows of. */
	EXPECT_EQ(1, SEND(self->far, "x"));
	EXPECT_EQ(POLLERR, wait_events(self->far, 0) & POLLERR);
	EXPECT_EQ(EPIPE, get_int(self->far, SO_ERROR));
}

/*
 * Takes some of it in each part of the time, and all in more than that: what is
 * waited for here is time itself.
 */
TEST_F(wire, a_slow_reader_gets_all_of_it)
{
	static char zeros[PIECE];
	int i;

	ASSERT_EQ(0, set_int(self->near, SO_SNDBUFFORCE, 4 * PIECES * PIECE));
	ASSERT_EQ(0, set_int(self->far, SO_RCVBUF, PIECE));
	ASSERT_EQ(0, set_orphan_sec("2"));
	for (i = 0; i < PIECES; i++)
		ASSERT_EQ(PIECE, send(self->near, zeros, PIECE, 0));
	CLOSE(self->near);
	for (i = 0; i < PIECES; i++) {
		ASSERT_EQ(PIECE, recv_exactly(self->far, zeros, PIECE));
		poll(NULL, 0, PAUSE_MS);
	}
	EXPECT_EOF(self->far);
	EXPECT_EQ(0, get_int(self->far, SO_ERROR));
}

static long close_it(void *fd)
{
	return close(*(int *)fd);
}

/* Whether a reset has come: told by this call, or by the next. */
static bool was_reset(int fd, ssize_t n)
{
	if (n < 0)
		return errno == EPIPE || errno == ECONNRESET;
	return wait_events(fd, 0) & POLLERR;
}

/* They have arrived, and nobody will read them: who sent them hears of it. */
TEST_F(wire, bytes_that_come_while_close_lingers)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 20 };
	static char sink[65536];
	struct task task;
	ssize_t n;

	ASSERT_EQ(0, setsockopt(self->near, SOL_SOCKET, SO_LINGER, &linger,
				sizeof(linger)));
	ASSERT_LT(0, fill_up_for_good(self->near, 4096));
	ASSERT_EQ(0, task_start(&task, close_it, &self->near));
	ASSERT_TRUE(task_wait_asleep(&task));
	EXPECT_EQ(4, SEND(self->far, "late"));
	do {
		n = recv_one(self->far, sink, sizeof(sink));
	} while (n > 0);
	EXPECT_TRUE(was_reset(self->far, n));
	EXPECT_TRUE(task_join(&task));
	self->near = -1;
}

/* sendfile() is told to send more than there is: the last bytes leave. */
TEST_F(wire, sendfile_beyond_the_end_of_the_file)
{
	struct weft_info info;
	socklen_t len = sizeof(info);
	FILE *file = tmpfile();

	ONLY_IF(variant->type == SOCK_STREAM);
	ASSERT_NE(NULL, file);
	ASSERT_EQ(5, fprintf(file, "bytes"));
	ASSERT_EQ(0, fflush(file));
	rewind(file);
	EXPECT_EQ(5, sendfile(self->near, fileno(file), NULL, 4096));
	ASSERT_EQ(0, getsockopt(self->near, SOL_WEFT, WEFT_INFO, &info, &len));
	/* Before, kernels do not say that a file has ended. */
	if (is_kernel_6(5))
		EXPECT_EQ(5, info.bytes_sent);
	EXPECT_TEXT(self->far, "bytes");
	fclose(file);
}

/* As TCP: a failed connection can be read, and is at its end. */
TEST(who_was_refused_reads_the_end)
{
	struct addr nobody;
	int lis, fd;
	char byte;

	if (road()->oracle)
		SKIP(return, "on one node TCP says it at once");
	ROAD_OR_SKIP();
	lis = listener(END_B, SOCK_STREAM, 1, &nobody);
	close(lis);
	fd = end_socket(END_A, SOCK_STREAM | SOCK_NONBLOCK);
	ASSERT_EQ(EINPROGRESS, ERR(connect_to(fd, &nobody)));
	ASSERT_TRUE(wait_all_events(fd, POLLERR));
	EXPECT_EQ(POLLIN | POLLOUT | POLLRDHUP | POLLERR | POLLHUP,
		  events_now(fd, POLLIN | POLLOUT | POLLRDHUP));
	EXPECT_EQ(ECONNREFUSED, ERR(recv(fd, &byte, 1, 0)));
	EXPECT_EQ(0, recv(fd, &byte, 1, 0));
	close(fd);
}

TEST_HARNESS_MAIN
