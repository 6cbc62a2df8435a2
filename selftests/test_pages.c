// SPDX-License-Identifier: GPL-2.0
/*
 * Pages that are somebody else's: a file that is sent by whatever call is
 * afterwards, in the page cache, the bytes it was; a buffer may be written
 * again when send() has returned; and bytes go out of a socket by splice().
 * As root, and as a user who may only read the file.
 */
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "weft_test.h"

#define FILE_BYTES	300001L
#define FILE_SEED	42
#define NOBODY		65534
/* Of a pipe as it is made: more cannot be spliced without a reader. */
#define PIPE_BYTES	65536

enum way { SENDFILE, SPLICE, VMSPLICE, VMSPLICE_GIFT, TEE, WRITE_MAPPED,
	   WRITEV_MAPPED, WAYS };

static const char *const way_names[] = {
	"sendfile", "splice", "vmsplice", "vmsplice as a gift", "tee",
	"send of a mapping", "writev of a mapping",
};

FIXTURE(pages)
{
	struct conn conn;
	int near;
	int far;
	int openers[WAYS];
	int file;
	int pipe[2];
	int pipe2[2];
	unsigned char *map;
	unsigned char *got;
};

FIXTURE_VARIANT(pages)
{
	int type;
	int uid;
};

FIXTURE_VARIANT_ADD(pages, stream) { .type = SOCK_STREAM };
FIXTURE_VARIANT_ADD(pages, seqpacket) { .type = SOCK_SEQPACKET };
FIXTURE_VARIANT_ADD(pages, dgram) { .type = SOCK_DGRAM };
FIXTURE_VARIANT_ADD(pages, stream_user) { .type = SOCK_STREAM, .uid = NOBODY };
FIXTURE_VARIANT_ADD(pages, seqpacket_user) { .type = SOCK_SEQPACKET, .uid = NOBODY };
FIXTURE_VARIANT_ADD(pages, dgram_user) { .type = SOCK_DGRAM, .uid = NOBODY };

/* A file of the pattern; its name is gone at once, as it is open read-only. */
static int make_file(void)
{
	unsigned char *bytes = malloc(FILE_BYTES);
	int out = open("pages", O_WRONLY | O_CREAT | O_TRUNC, 0444), in;
	ssize_t n;

	pattern_fill(bytes, FILE_BYTES, FILE_SEED, 0);
	n = write(out, bytes, FILE_BYTES);
	free(bytes);
	in = open("pages", O_RDONLY);
	close(out);
	unlink("pages");
	return n == FILE_BYTES ? in : -1;
}

/* Of datagrams, too, each end is connected to the other. */
static int open_pair(struct conn *conn, int type)
{
	struct addr addr;

	if (type != SOCK_DGRAM)
		return conn_open(conn, type, false);
	conn->listener = -1;
	conn->far = bound_socket(END_B, type, &conn->addr);
	conn->near = bound_socket(END_A, type, &addr);
	if (conn->far < 0 || conn->near < 0)
		return -1;
	return connect_to(conn->near, &conn->addr) ?: connect_to(conn->far, &addr);
}

/* Not connected; a user who is nobody could not go to their namespace. */
static void open_sockets(int fds[WAYS], int type)
{
	enum way way;

	for (way = 0; way < WAYS; way++)
		fds[way] = end_socket(END_A, type);
}

FIXTURE_SETUP(pages)
{
	ROAD_OR_SKIP();
	self->file = make_file();
	ASSERT_LE(0, self->file);
	ASSERT_EQ(0, open_pair(&self->conn, variant->type));
	self->near = self->conn.near;
	self->far = self->conn.far;
	open_sockets(self->openers, variant->type);
	ASSERT_EQ(0, pipe(self->pipe));
	ASSERT_EQ(0, pipe(self->pipe2));
	if (variant->uid)
		ASSERT_EQ(0, setresuid(variant->uid, variant->uid, variant->uid));
	self->map = mmap(NULL, FILE_BYTES, PROT_READ, MAP_SHARED, self->file, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	self->got = malloc(PIPE_BYTES);
}

FIXTURE_TEARDOWN(pages)
{
	enum way way;

	for (way = 0; way < WAYS; way++)
		close(self->openers[way]);
	free(self->got);
	conn_close(&self->conn);
}

/* From the pipe to the socket. */
static ssize_t pipe_to(int pipe, int fd, size_t len)
{
	return splice(pipe, NULL, fd, NULL, len, 0);
}

static ssize_t by_vmsplice(int pipe[2], int fd, void *bytes, size_t len,
			   unsigned int flags)
{
	struct iovec iov = { bytes, len };
	ssize_t n = vmsplice(pipe[1], &iov, 1, flags);

	return n < 0 ? n : pipe_to(pipe[0], fd, n);
}

/* A second reader of the same pages forgets them. */
static ssize_t by_tee(int pipe[2], int pipe2[2], int fd, size_t len)
{
	int null = open("/dev/null", O_WRONLY);
	ssize_t n = tee(pipe[0], pipe2[1], len, 0);

	if (n > 0)
		n = pipe_to(pipe2[0], fd, n);
	if (n > 0 && splice(pipe[0], NULL, null, NULL, n, 0) != n)
		n = -1;
	close(null);
	return n;
}

/*
 * One write of bytes [@at, @at + @len) of the file.
 * Return: bytes taken, or -1.
 */
static ssize_t send_piece(FIXTURE_DATA(pages) *self, enum way way, off_t at,
			  size_t len)
{
	unsigned char *bytes = self->map + at;
	struct iovec iov[2] = { { bytes, len / 2 },
				{ bytes + len / 2, len - len / 2 } };
	off_t off = at;
	ssize_t n;

	switch (way) {
	case SENDFILE:
		return sendfile(self->near, self->file, &off, len);
	case SPLICE:
	case TEE:
		n = splice(self->file, &off, self->pipe[1], NULL, len, 0);
		if (n <= 0)
			return n;
		if (way == TEE)
			return by_tee(self->pipe, self->pipe2, self->near, n);
		return pipe_to(self->pipe[0], self->near, n);
	case VMSPLICE:
		return by_vmsplice(self->pipe, self->near, bytes, len, 0);
	case VMSPLICE_GIFT:
		return by_vmsplice(self->pipe, self->near, bytes, len,
				   SPLICE_F_GIFT);
	case WRITE_MAPPED:
		return send(self->near, bytes, len, MSG_NOSIGNAL);
	default:
		return writev(self->near, iov, 2);
	}
}

/* Receive @len bytes in as many reads as it takes. */
static size_t receive(int fd, unsigned char *to, size_t len)
{
	size_t got = 0;
	ssize_t n;

	while (got < len) {
		n = recv_one(fd, to + got, len - got);
		if (n <= 0)
			break;
		got += n;
	}
	return got;
}

/* What one write may carry; large datagrams of weft go over a wire in pieces. */
static size_t piece_of(int type, off_t at)
{
	static const size_t sizes[] = { 1, 4095, 4096, 4097, 65536, 12345 };
	static const size_t dgrams[] = { 1400, 1461, 9000, 20000, 4096, 1 };
	size_t n = sizes[at % 6];

	if (type == SOCK_DGRAM)
		n = road()->oracle ? 1400 : dgrams[at % 6];

	return n < (size_t)(FILE_BYTES - at) ? n : (size_t)(FILE_BYTES - at);
}

static bool file_is_whole(int file)
{
	unsigned char *bytes = malloc(FILE_BYTES);
	bool whole;

	whole = pread(file, bytes, FILE_BYTES, 0) == FILE_BYTES &&
		pattern_check(bytes, FILE_BYTES, FILE_SEED, 0) == FILE_BYTES;
	free(bytes);
	return whole;
}

/* Send the file by @way. Return: bytes that arrived as they are. */
static off_t send_file(FIXTURE_DATA(pages) *self, int type, enum way way)
{
	off_t at = 0;
	ssize_t n;

	while (at < FILE_BYTES) {
		n = send_piece(self, way, at, piece_of(type, at));
		if (n <= 0 || receive(self->far, self->got, n) != (size_t)n ||
		    pattern_check(self->got, n, FILE_SEED, at) != (size_t)n)
			break;
		at += n;
	}
	return at;
}

TEST_F(pages, of_a_file_that_is_sent_stay_as_they_are)
{
	enum way way;

	for (way = 0; way < WAYS; way++) {
		EXPECT_EQ(FILE_BYTES, send_file(self, variant->type, way)) {
			TH_LOG("by %s: %s", way_names[way], strerror(errno));
		}
		EXPECT_TRUE(file_is_whole(self->file)) {
			TH_LOG("after %s", way_names[way]);
		}
	}
}

/* With the first bytes in OPEN: kept until the connection is there. */
TEST_F(pages, of_a_file_that_opens_a_connection_stay_as_they_are)
{
	int one = 1, near = self->near, far = self->far;
	enum way way;
	ssize_t n;

	ONLY_IF(variant->type != SOCK_DGRAM && !road()->oracle);
	for (way = 0; way < WAYS; way++) {
		self->near = self->openers[way];
		ASSERT_EQ(0, setsockopt(self->near, SOL_WEFT, WEFT_DEFER_CONNECT,
					&one, sizeof(one)));
		ASSERT_EQ(0, connect_to(self->near, &self->conn.addr));
		n = send_piece(self, way, 4097, 12345);
		EXPECT_EQ(12345, n) {
			TH_LOG("by %s: %s", way_names[way], strerror(errno));
		}
		self->far = accepted(self->conn.listener);
		ASSERT_LE(0, self->far);
		ASSERT_EQ(n, receive(self->far, self->got, n));
		EXPECT_EQ(n, pattern_check(self->got, n, FILE_SEED, 4097));
		close(self->far);
		EXPECT_TRUE(file_is_whole(self->file)) {
			TH_LOG("after %s", way_names[way]);
		}
	}
	self->near = near;
	self->far = far;
}

/* What was written is what was there when the call returned. */
TEST_F(pages, may_be_written_again_after_send)
{
	size_t len = variant->type == SOCK_DGRAM ? 1400 : 50000, at;
	unsigned char *bytes;
	enum way way;

	bytes = mmap(NULL, PIPE_BYTES, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, bytes);
	self->map = bytes;
	for (way = VMSPLICE; way < WAYS; way++) {
		/* TCP and UDP send a pipe's pages themselves; we never do. */
		if (way == TEE || (road()->oracle && way < WRITE_MAPPED))
			continue;
		pattern_fill(bytes, len, way, 0);
		ASSERT_EQ((ssize_t)len, send_piece(self, way, 0, len));
		memset(bytes, 0xee, len);
		ASSERT_EQ(len, receive(self->far, self->got, len));
		at = pattern_check(self->got, len, way, 0);
		EXPECT_EQ(len, at) {
			TH_LOG("%s", way_names[way]);
		}
	}
}

/*
 * Many small writes from one buffer, which land side by side in pages; no more
 * than the datagrams that wait for a node's first answer.
 */
TEST_F(pages, may_be_written_again_after_small_sends)
{
	unsigned char byte;
	int i;

	for (i = 0; i < 60; i++) {
		byte = i;
		ASSERT_EQ(1, send(self->near, &byte, 1, MSG_NOSIGNAL));
		byte = 0xee;
	}
	for (i = 0; i < 60; i++) {
		ASSERT_EQ(1u, receive(self->far, self->got, 1));
		ASSERT_EQ(i, self->got[0]);
	}
}

/* splice() from the socket, through a pipe, to a file. */
TEST_F(pages, go_out_of_a_socket_by_splice)
{
	int out = memfd_create("out", 0);
	off_t at = 0;
	ssize_t n, m;

	ASSERT_LE(0, out);
	while (at < FILE_BYTES) {
		ASSERT_LT(0, n = send_piece(self, SENDFILE, at,
					    piece_of(variant->type, at)));
		while (n) {
			ASSERT_NE(0, wait_events(self->far, POLLIN));
			m = splice(self->far, NULL, self->pipe[1], NULL,
				   PIPE_BYTES, 0);
			ASSERT_LT(0, m);
			ASSERT_EQ(m, splice(self->pipe[0], NULL, out, NULL, m,
					    0));
			n -= m;
			at += m;
		}
	}
	EXPECT_TRUE(file_is_whole(out));
	EXPECT_TRUE(file_is_whole(self->file));
}

/* And from a socket to a socket: what comes back is the file. */
TEST_F(pages, go_round_by_splice)
{
	off_t at = 0;
	ssize_t n, m;

	while (at < FILE_BYTES) {
		n = send_piece(self, SPLICE, at, piece_of(variant->type, at));
		ASSERT_LT(0, n);
		for (; n; n -= m, at += m) {
			ASSERT_NE(0, wait_events(self->far, POLLIN));
			m = splice(self->far, NULL, self->pipe[1], NULL,
				   PIPE_BYTES, 0);
			ASSERT_LT(0, m);
			ASSERT_EQ(m, pipe_to(self->pipe[0], self->far, m));
			ASSERT_EQ((size_t)m, receive(self->near, self->got, m));
			EXPECT_EQ((size_t)m, pattern_check(self->got, m,
							   FILE_SEED, at));
		}
	}
	EXPECT_TRUE(file_is_whole(self->file));
}

TEST(splice_out_tells_the_end_and_that_nothing_is_there)
{
	struct conn conn;
	int fds[2];

	ROAD_OR_SKIP();
	ASSERT_EQ(0, pipe(fds));
	ASSERT_EQ(0, conn_open(&conn, SOCK_STREAM, false));
	ASSERT_EQ(0, set_nonblock(conn.far));
	EXPECT_EQ(EAGAIN, ERR(splice(conn.far, NULL, fds[1], NULL, 100, 0)));
	ASSERT_EQ(3, SEND(conn.near, "end"));
	ASSERT_EQ(0, shutdown(conn.near, SHUT_WR));
	ASSERT_TRUE(wait_all_events(conn.far, POLLRDHUP));
	EXPECT_EQ(3, splice(conn.far, NULL, fds[1], NULL, 100, 0));
	EXPECT_EQ(0, splice(conn.far, NULL, fds[1], NULL, 100, 0));
	conn_close(&conn);
}

TEST_HARNESS_MAIN
