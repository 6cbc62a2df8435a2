// SPDX-License-Identifier: GPL-2.0
/*
 * Flags of send and receive, vectors, the mm calls, sendfile and splice.
 *
 * weft-cflags: -pthread
 */
#include <linux/sockios.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include <netinet/tcp.h>

#include "weft_test.h"
#include "peer.h"

CONN_FIXTURE()
CONN_VARIANT(stream_client, SOCK_STREAM, false);
CONN_VARIANT(stream_server, SOCK_STREAM, true);
CONN_VARIANT(seqpacket_client, SOCK_SEQPACKET, false);
CONN_VARIANT(seqpacket_server, SOCK_SEQPACKET, true);

TEST_F(conn, PEEK_takes_nothing)
{
	char got[8];
	int i;

	ASSERT_EQ(4, SEND(self->near, "text"));
	ASSERT_EQ(POLLIN, wait_events(self->far, POLLIN));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(4, recv(self->far, got, sizeof(got), MSG_PEEK));
		EXPECT_EQ(0, memcmp(got, "text", 4));
	}
	EXPECT_MESSAGE(self->far, "text");
	EXPECT_EQ(EAGAIN, ERR(recv(self->far, got, 1,
				   MSG_PEEK | MSG_DONTWAIT)));
}

TEST_F(conn, PEEK_of_less)
{
	char got[2];

	ASSERT_EQ(4, SEND(self->near, "text"));
	ASSERT_EQ(POLLIN, wait_events(self->far, POLLIN));
	EXPECT_EQ(2, recv(self->far, got, 2, MSG_PEEK));
	EXPECT_EQ(0, memcmp(got, "te", 2));
	EXPECT_MESSAGE(self->far, "text");
}

TEST_F(conn, PEEK_of_the_end)
{
	char got;

	CLOSE(self->near);
	ASSERT_TRUE(wait_all_events(self->far, POLLIN | POLLRDHUP));
	EXPECT_EQ(0, recv(self->far, &got, 1, MSG_PEEK));
	EXPECT_EOF(self->far);
}

/* A stream is peeked across the pieces it came in; a message ends. */
TEST_F(conn, PEEK_and_WAITALL)
{
	bool stream = variant->type == SOCK_STREAM;
	char got[8];

	ASSERT_EQ(4, SEND(self->near, "long"));
	ASSERT_EQ(4, SEND(self->near, "text"));
	EXPECT_EQ(stream ? 8 : 4,
		  recv(self->far, got, 8, MSG_PEEK | MSG_WAITALL));
	EXPECT_EQ(0, memcmp(got, "longtext", stream ? 8 : 4));
	EXPECT_TEXT(self->far, "longtext");
}

TEST_F(conn, PEEK_and_TRUNC)
{
	char got[2];

	ONLY_IF(variant->type != SOCK_STREAM);
	ASSERT_EQ(8, SEND(self->near, "longtext"));
	ASSERT_EQ(POLLIN, wait_events(self->far, POLLIN));
	EXPECT_EQ(8, recv(self->far, got, 2, MSG_PEEK | MSG_TRUNC));
	EXPECT_EQ(8, recv(self->far, NULL, 0, MSG_PEEK | MSG_TRUNC));
	EXPECT_MESSAGE(self->far, "longtext");
}

/* TCP throws bytes away unseen. */
TEST_F(conn, TRUNC_of_a_stream_discards)
{
	ONLY_IF(variant->type == SOCK_STREAM);
	ASSERT_EQ(8, SEND(self->near, "longtext"));
	ASSERT_EQ(POLLIN, wait_events(self->far, POLLIN));
	EXPECT_EQ(4, recv(self->far, NULL, 4, MSG_TRUNC));
	EXPECT_TEXT(self->far, "text");
}

struct receiving {
	int fd;
	int flags;
	char buf[16];
};

static long recv_flags(void *arg)
{
	struct receiving *r = arg;

	return recv(r->fd, r->buf, 8, r->flags);
}

TEST_F(conn, WAITALL_waits_for_all_of_a_stream)
{
	struct receiving r = { .fd = self->far, .flags = MSG_WAITALL };
	struct task task;

	ONLY_IF(variant->type == SOCK_STREAM);
	ASSERT_EQ(0, task_start(&task, recv_flags, &r));
	ASSERT_EQ(4, SEND(self->near, "long"));
	ASSERT_TRUE(task_wait_asleep(&task));
	ASSERT_EQ(4, SEND(self->near, "text"));
	ASSERT_TRUE(task_join(&task));
	EXPECT_EQ(8, task.result);
	EXPECT_EQ(0, memcmp(r.buf, "longtext", 8));
}

TEST_F(conn, WAITALL_ends_with_the_stream)
{
	char got[8];

	ASSERT_EQ(4, SEND(self->near, "long"));
	CLOSE(self->near);
	EXPECT_EQ(4, recv(self->far, got, 8, MSG_WAITALL));
	EXPECT_EOF(self->far);
}

/* What was peeked is still there, but nothing comes behind it. */
TEST_F(conn, PEEK_and_WAITALL_end_with_the_stream)
{
	struct receiving r = {
		.fd = self->far, .flags = MSG_PEEK | MSG_WAITALL
	};
	struct task task;

	ASSERT_EQ(4, SEND(self->near, "long"));
	CLOSE(self->near);
	ASSERT_EQ(0, task_start(&task, recv_flags, &r));
	ASSERT_TRUE(task_join(&task));
	EXPECT_EQ(4, task.result);
	EXPECT_TEXT(self->far, "long");
	EXPECT_EOF(self->far);
}

TEST_F(conn, PEEK_of_less_than_RCVLOWAT_ends_with_the_stream)
{
	struct receiving r = { .fd = self->far, .flags = MSG_PEEK };
	struct task task;

	ASSERT_EQ(0, set_int(self->far, SO_RCVLOWAT, 6));
	ASSERT_EQ(4, SEND(self->near, "long"));
	CLOSE(self->near);
	ASSERT_EQ(0, task_start(&task, recv_flags, &r));
	ASSERT_TRUE(task_join(&task));
	EXPECT_EQ(4, task.result);
}

static long send_half_a_mib(void *arg)
{
	static const char zeros[512 << 10];

	return send(*(int *)arg, zeros, sizeof(zeros), MSG_NOSIGNAL);
}

static long peek_all(void *arg)
{
	static char got[60000];

	return recv(*(int *)arg, got, sizeof(got), MSG_PEEK | MSG_WAITALL);
}

/*
 * A reader that has read a part of what came, and then looks without reading: what
 * it waits for comes, although it reads nothing. With TCP's buffers it may not.
 */
TEST_F(conn, PEEK_and_WAITALL_of_what_has_not_come)
{
	struct task writer, reader;
	long long begun = now_ms();
	static char got[60000];
	int round;

	ONLY_IF(variant->type == SOCK_STREAM && !road()->oracle);
	ASSERT_EQ(0, task_start(&writer, send_half_a_mib, &self->near));
	for (round = 0; round < 20; round++) {
		ASSERT_EQ(20000, recv_exactly(self->far, got, 20000));
		ASSERT_EQ(0, task_start(&reader, peek_all, &self->far));
		ASSERT_TRUE(task_join(&reader));
		EXPECT_EQ(60000, reader.result);
	}
	/* Nor does a timer bring it, of 200 ms and more each time. */
	EXPECT_GT(3000, now_ms() - begun);
	ASSERT_EQ(60000, recv_exactly(self->far, got, 60000));
	ASSERT_TRUE(task_join(&writer));
	EXPECT_EQ(512 << 10, writer.result);
}

struct trickle {
	int fd;
	atomic_bool over;
};

static long send_and_send(void *arg)
{
	struct trickle *t = arg;

	while (!atomic_load(&t->over) && send(t->fd, "x", 1, MSG_NOSIGNAL) == 1)
		;
	return 0;
}

/* However often it is told that there is more. */
TEST_F(conn, RCVTIMEO_ends_WAITALL_that_gets_a_little)
{
	struct trickle t = { .fd = self->near };
	struct timeval tv = { .tv_usec = 300000 };
	size_t len = 1UL << 30;
	long long begun = now_ms();
	struct task task;
	char *got;

	ONLY_IF(variant->type == SOCK_STREAM);
	got = mmap(NULL, len, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ASSERT_NE(MAP_FAILED, got);
	ASSERT_EQ(0, setsockopt(self->far, SOL_SOCKET, SO_RCVTIMEO, &tv,
				sizeof(tv)));
	ASSERT_EQ(0, task_start(&task, send_and_send, &t));
	EXPECT_LT(0, recv(self->far, got, len, MSG_WAITALL));
	EXPECT_GT(DEADLINE_MS, now_ms() - begun);
	atomic_store(&t.over, true);
	CLOSE(self->far);
	EXPECT_TRUE(task_join(&task));
	munmap(got, len);
}

static bool all_is_taken(void *arg)
{
	struct conn *conn = arg;
	int out = -1, in = -1;

	return !ioctl(conn->near, SIOCOUTQ, &out) && !out &&
	       !ioctl(conn->far, SIOCINQ, &in) && !in;
}

/* What came first is told first, and the error by the next call. */
TEST_F(conn, WAITALL_ends_with_a_reset)
{
	struct receiving r = { .fd = self->far, .flags = MSG_WAITALL };
	struct conn conn = { .near = self->near, .far = self->far };
	struct linger hard = { .l_onoff = 1 };
	struct task task;

	ONLY_IF(variant->type == SOCK_STREAM);
	ASSERT_EQ(0, task_start(&task, recv_flags, &r));
	ASSERT_EQ(4, SEND(self->near, "long"));
	ASSERT_TRUE(eventually(all_is_taken, &conn));
	ASSERT_EQ(0, setsockopt(self->near, SOL_SOCKET, SO_LINGER, &hard,
				sizeof(hard)));
	CLOSE(self->near);
	ASSERT_TRUE(task_join(&task));
	EXPECT_EQ(4, task.result);
	EXPECT_EQ(0, memcmp(r.buf, "long", 4));
	EXPECT_EQ(ECONNRESET, ERR(recv(self->far, r.buf, 1, 0)));
}

TEST_F(conn, DONTWAIT_of_a_blocking_socket)
{
	char got;

	EXPECT_EQ(EAGAIN, ERR(recv(self->near, &got, 1, MSG_DONTWAIT)));
	EXPECT_EQ(0, fcntl(self->near, F_GETFL) & O_NONBLOCK);
}

TEST_F(conn, MORE_is_sent_in_the_end)
{
	ASSERT_EQ(4, send(self->near, "more", 4, MSG_MORE));
	EXPECT_TEXT(self->far, "more");
}

TEST_F(conn, MORE_then_the_rest)
{
	ASSERT_EQ(4, send(self->near, "long", 4, MSG_MORE));
	ASSERT_EQ(4, send(self->near, "text", 4, 0));
	EXPECT_TEXT(self->far, "longtext");
}

/* Many small ones that belong together leave in few packets. */
TEST_F(conn, MORE_saves_packets)
{
	long long before;
	char got[1000];
	int i;

	ONLY_IF(road()->wire && variant->type == SOCK_STREAM);
	before = count_of("in_packets");
	for (i = 0; i < 100; i++)
		ASSERT_EQ(10, send(self->near, "0123456789", 10,
				   i < 99 ? MSG_MORE : 0));
	ASSERT_EQ(1000, recv_exactly(self->far, got, 1000));
	EXPECT_GT(before + 50, count_of("in_packets"));
}

static int set_cork(int fd, int on)
{
	return setsockopt(fd, IPPROTO_TCP, TCP_CORK, &on, sizeof(on));
}

/* As MSG_MORE with each: what web servers do about a header and a file. */
TEST_F(conn, a_cork_saves_packets)
{
	long long before = 0;
	char got[1000];
	int i;

	ONLY_IF(variant->type == SOCK_STREAM);
	ASSERT_EQ(0, ERR(set_cork(self->near, 1)));
	if (road()->wire)
		before = count_of("in_packets");
	for (i = 0; i < 100; i++)
		ASSERT_EQ(10, SEND(self->near, "0123456789"));
	ASSERT_EQ(0, set_cork(self->near, 0));
	ASSERT_EQ(1000, recv_exactly(self->far, got, 1000));
	if (road()->wire)
		EXPECT_GT(before + 50, count_of("in_packets"));
}

TEST_F(conn, a_cork_holds_nothing_back_for_long)
{
	int on = 0;
	socklen_t len = sizeof(on);

	ONLY_IF(variant->type == SOCK_STREAM);
	ASSERT_EQ(0, ERR(set_cork(self->near, 1)));
	EXPECT_EQ(0, getsockopt(self->near, IPPROTO_TCP, TCP_CORK, &on, &len));
	EXPECT_EQ(1, on);
	ASSERT_EQ(4, SEND(self->near, "time"));
	EXPECT_TEXT(self->far, "time");
	ASSERT_EQ(3, SEND(self->near, "end"));
	CLOSE(self->near);
	EXPECT_TEXT(self->far, "end");
	EXPECT_EOF(self->far);
}

TEST_F(conn, MORE_then_the_end)
{
	ASSERT_EQ(4, send(self->near, "more", 4, MSG_MORE));
	CLOSE(self->near);
	EXPECT_TEXT(self->far, "more");
	EXPECT_EOF(self->far);
}

#define SMALL	7

/* Who only writes may be held back, for a while: nothing is lost, and the end comes. */
TEST_F(conn, many_small_writes)
{
	static char out[SMALL * 4000], in[sizeof(out)];
	size_t i;

	ONLY_IF(variant->type == SOCK_STREAM);
	pattern_fill(out, sizeof(out), 5, 0);
	for (i = 0; i < sizeof(out); i += SMALL)
		ASSERT_EQ(SMALL, send(self->near, out + i, SMALL, 0));
	ASSERT_EQ((ssize_t)sizeof(in), recv_exactly(self->far, in, sizeof(in)));
	EXPECT_EQ(0, memcmp(in, out, sizeof(out)));
	/* Each comes, though nothing follows it. */
	for (i = 0; i < 100; i++) {
		ASSERT_EQ(SMALL, send(self->near, out + i, SMALL, 0));
		ASSERT_EQ(SMALL, recv_exactly(self->far, in, SMALL));
		ASSERT_EQ(0, memcmp(in, out + i, SMALL));
	}
}

TEST_F(conn, NODELAY_is_kept)
{
	socklen_t len = sizeof(int);
	int on = 0;

	ONLY_IF(variant->type == SOCK_STREAM);
	ASSERT_EQ(0, getsockopt(self->near, IPPROTO_TCP, TCP_NODELAY, &on, &len));
	EXPECT_EQ(0, on);
	on = 1;
	ASSERT_EQ(0, setsockopt(self->near, IPPROTO_TCP, TCP_NODELAY, &on, len));
	on = 0;
	ASSERT_EQ(0, getsockopt(self->near, IPPROTO_TCP, TCP_NODELAY, &on, &len));
	EXPECT_EQ(1, on);
	on = 0;
	ASSERT_EQ(0, setsockopt(self->near, IPPROTO_TCP, TCP_NODELAY, &on, len));
	on = 1;
	ASSERT_EQ(0, getsockopt(self->near, IPPROTO_TCP, TCP_NODELAY, &on, &len));
	EXPECT_EQ(0, on);
}

TEST_F(conn, EOR_is_taken)
{
	ASSERT_EQ(3, send(self->near, "one", 3, MSG_EOR));
	ASSERT_EQ(3, send(self->near, "two", 3, MSG_EOR));
	EXPECT_TEXT(self->far, "one");
	EXPECT_TEXT(self->far, "two");
}

TEST_F(conn, OOB_is_refused)
{
	int error = variant->type == SOCK_STREAM ? expected(EX_STREAM_OOB) :
						   EOPNOTSUPP;

	EXPECT_EQ(error, ERR(send(self->near, "x", 1, MSG_OOB)));
}

TEST_F(conn, OOB_is_not_received)
{
	int error = variant->type == SOCK_STREAM ? expected(EX_STREAM_RECV_OOB) :
						   EOPNOTSUPP;
	char got;

	EXPECT_EQ(error, ERR(recv(self->near, &got, 1,
				  MSG_OOB | MSG_DONTWAIT)));
}

TEST_F(conn, error_queue_is_empty)
{
	char got;

	EXPECT_EQ(EAGAIN, ERR(recv(self->near, &got, 1,
				   MSG_ERRQUEUE | MSG_DONTWAIT)) ?: EAGAIN);
}

TEST_F(conn, writev_gathers)
{
	struct iovec iov[] = {
		{ "lo", 2 }, { NULL, 0 }, { "ngt", 3 }, { "ext", 3 },
	};

	ASSERT_EQ(8, writev(self->near, iov, 4));
	EXPECT_MESSAGE(self->far, "longtext");
}

TEST_F(conn, readv_scatters)
{
	char one[3], two[2], three[8];
	struct iovec iov[] = { { one, 3 }, { two, 2 }, { three, 8 } };

	ASSERT_EQ(8, SEND(self->near, "longtext"));
	ASSERT_EQ(POLLIN, wait_events(self->far, POLLIN));
	ASSERT_EQ(8, readv(self->far, iov, 3));
	EXPECT_EQ(0, memcmp(one, "lon", 3));
	EXPECT_EQ(0, memcmp(two, "gt", 2));
	EXPECT_EQ(0, memcmp(three, "ext", 3));
}

TEST_F(conn, vector_of_1024)
{
	struct iovec iov[1024];
	unsigned char buf[1024 * 7], got[sizeof(buf)];
	int i;

	pattern_fill(buf, sizeof(buf), 5, 0);
	for (i = 0; i < 1024; i++)
		iov[i] = (struct iovec){ buf + 7 * i, 7 };
	ASSERT_EQ(sizeof(buf), writev(self->near, iov, 1024));
	ASSERT_EQ(sizeof(got), recv_exactly(self->far, got, sizeof(got)));
	EXPECT_TRUE(pattern_is(got, sizeof(got), 5));
}

TEST_F(conn, sendmsg_with_unknown_control_data)
{
	char control[CMSG_SPACE(4)] = "";
	struct iovec iov = { "x", 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	put_unknown_control(&msg, control, sizeof(control));
	EXPECT_EQ(EINVAL, ERR(sendmsg(self->near, &msg, MSG_NOSIGNAL)));
}

#define MANY	64

TEST_F(conn, sendmmsg_and_recvmmsg)
{
	struct timespec deadline = { DEADLINE_MS / 1000, 0 };
	struct mmsghdr msgs[MANY];
	struct iovec iovs[MANY];
	unsigned char bufs[MANY][100];
	int i, n;

	for (i = 0; i < MANY; i++) {
		pattern_fill(bufs[i], 100, i, 0);
		iovs[i] = (struct iovec){ bufs[i], 100 };
		msgs[i] = (struct mmsghdr){
			.msg_hdr = { .msg_iov = &iovs[i], .msg_iovlen = 1 },
		};
	}
	ASSERT_EQ(MANY, sendmmsg(self->near, msgs, MANY, MSG_NOSIGNAL));
	if (variant->type == SOCK_STREAM) {
		ASSERT_EQ(MANY * 100, drain(self->far, MANY * 100));
		return;
	}
	memset(bufs, 0, sizeof(bufs));
	for (n = 0; n < MANY; n += i) {
		i = recvmmsg(self->far, msgs + n, MANY - n, MSG_WAITFORONE,
			     &deadline);
		ASSERT_LT(0, i);
	}
	for (i = 0; i < MANY; i++) {
		EXPECT_EQ(100, msgs[i].msg_len);
		EXPECT_TRUE(pattern_is(bufs[i], 100, i));
	}
}

/* A file of our own with @len bytes of pattern @seed. */
static int pattern_file(size_t len, uint64_t seed)
{
	char name[] = "/tmp/weft-flags-XXXXXX";
	unsigned char *buf = malloc(len);
	int fd = mkstemp(name);

	unlink(name);
	pattern_fill(buf, len, seed, 0);
	if (write(fd, buf, len) != (ssize_t)len || lseek(fd, 0, SEEK_SET))
		fd = -1;
	free(buf);
	return fd;
}

#define FILE_LEN	40000

static bool file_is_intact(int fd)
{
	unsigned char buf[FILE_LEN];

	return pread(fd, buf, sizeof(buf), 0) == sizeof(buf) &&
	       pattern_is(buf, sizeof(buf), 9);
}

TEST_F(conn, sendfile_sends_a_file)
{
	unsigned char got[FILE_LEN];
	int file = pattern_file(FILE_LEN, 9);
	size_t sent = 0;
	ssize_t n;

	ASSERT_LE(0, file);
	while (sent < FILE_LEN) {
		n = sendfile(self->near, file, NULL, FILE_LEN - sent);
		ASSERT_LT(0, n);
		sent += n;
	}
	ASSERT_EQ(FILE_LEN, recv_exactly(self->far, got, FILE_LEN));
	EXPECT_TRUE(pattern_is(got, FILE_LEN, 9));
	EXPECT_TRUE(file_is_intact(file));
	close(file);
}

TEST_F(conn, splice_from_a_pipe)
{
	unsigned char buf[4096], got[4096];
	int p[2];

	ASSERT_EQ(0, pipe(p));
	pattern_fill(buf, sizeof(buf), 11, 0);
	ASSERT_EQ(sizeof(buf), write(p[1], buf, sizeof(buf)));
	ASSERT_EQ(sizeof(buf), splice(p[0], NULL, self->near, NULL,
				      sizeof(buf), 0));
	ASSERT_EQ(sizeof(got), recv_exactly(self->far, got, sizeof(got)));
	EXPECT_TRUE(pattern_is(got, sizeof(got), 11));
	close(p[0]);
	close(p[1]);
}

TEST_F(conn, splice_of_a_file_page_leaves_it_alone)
{
	unsigned char got[4096];
	int file = pattern_file(FILE_LEN, 9);
	int p[2];

	ASSERT_LE(0, file);
	ASSERT_EQ(0, pipe(p));
	ASSERT_EQ(4096, splice(file, NULL, p[1], NULL, 4096, 0));
	ASSERT_EQ(4096, splice(p[0], NULL, self->near, NULL, 4096, 0));
	ASSERT_EQ(4096, recv_exactly(self->far, got, 4096));
	EXPECT_TRUE(pattern_is(got, 4096, 9));
	EXPECT_TRUE(file_is_intact(file));
	close(p[0]);
	close(p[1]);
	close(file);
}

TEST_F(conn, splice_to_a_pipe)
{
	unsigned char buf[4096], got[4096];
	size_t have = 0;
	ssize_t n;
	int p[2];

	ONLY_IF(variant->type == SOCK_STREAM);
	ASSERT_EQ(0, pipe(p));
	pattern_fill(buf, sizeof(buf), 13, 0);
	ASSERT_EQ(sizeof(buf), send(self->near, buf, sizeof(buf), 0));
	while (have < sizeof(got)) {
		n = splice(self->far, NULL, p[1], NULL, sizeof(got) - have, 0);
		ASSERT_LT(0, n);
		ASSERT_EQ(n, read(p[0], got + have, n));
		have += n;
	}
	EXPECT_TRUE(pattern_is(got, sizeof(got), 13));
	close(p[0]);
	close(p[1]);
}

TEST_F(conn, splice_to_a_pipe_sees_the_end)
{
	int p[2];

	ONLY_IF(variant->type == SOCK_STREAM);
	ASSERT_EQ(0, pipe(p));
	CLOSE(self->near);
	ASSERT_TRUE(wait_all_events(self->far, POLLIN | POLLRDHUP));
	EXPECT_EQ(0, splice(self->far, NULL, p[1], NULL, 4096, 0));
	close(p[0]);
	close(p[1]);
}

TEST_F(conn, received_control_data_is_none)
{
	char got[4], control[64];
	struct iovec iov = { got, 4 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};

	ASSERT_EQ(4, SEND(self->near, "text"));
	ASSERT_EQ(POLLIN, wait_events(self->far, POLLIN));
	ASSERT_EQ(4, recvmsg(self->far, &msg, 0));
	EXPECT_EQ(0, msg.msg_controllen);
	EXPECT_EQ(0, msg.msg_flags & (MSG_CTRUNC | MSG_OOB | MSG_ERRQUEUE));
}

/* As TCP: to ask for no bytes is to ask how it stands. */
TEST(no_bytes_of_a_stream)
{
	struct linger hard = { .l_onoff = 1 };
	struct conn conn;
	char byte;

	ROAD_OR_SKIP();
	ASSERT_EQ(0, conn_open(&conn, SOCK_STREAM, false));
	EXPECT_EQ(EAGAIN, ERR(recv(conn.near, &byte, 0, MSG_DONTWAIT)));
	ASSERT_EQ(1, SEND(conn.far, "x"));
	ASSERT_EQ(POLLIN, wait_events(conn.near, POLLIN));
	EXPECT_EQ(0, recv(conn.near, &byte, 0, MSG_DONTWAIT));
	EXPECT_TEXT(conn.near, "x");
	ASSERT_EQ(0, setsockopt(conn.far, SOL_SOCKET, SO_LINGER, &hard,
				sizeof(hard)));
	CLOSE(conn.far);
	ASSERT_TRUE(wait_all_events(conn.near, POLLERR));
	EXPECT_EQ(ECONNRESET, ERR(recv(conn.near, &byte, 0, MSG_DONTWAIT)));
	conn_close(&conn);
}

TEST_HARNESS_MAIN
