// SPDX-License-Identifier: GPL-2.0
/*
 * Much data: every byte of a pattern arrives in its place, however writer and
 * reader cut the stream.
 *
 * weft-cflags: -pthread
 * weft-timeout: 400
 */
#include "weft_test.h"

/* WEFT_BULK_KB: size of a transfer with large writes. */
static long bulk_bytes(size_t piece)
{
	const char *kb = getenv("WEFT_BULK_KB");
	long most = (kb ? atol(kb) : 4096) * 1024;
	long by_pieces = piece * 4000;

	return by_pieces < most ? by_pieces : most;
}

struct stream {
	int fd;
	size_t piece;
	long total;
	uint64_t seed;
	const char *end;	/* why it ended before the total */
};

static long write_all(void *arg)
{
	struct stream *s = arg;
	unsigned char *buf = malloc(s->piece);
	long done = 0;

	while (done < s->total) {
		size_t len = s->piece;
		ssize_t n;

		if ((long)len > s->total - done)
			len = s->total - done;
		pattern_fill(buf, len, s->seed, done);
		n = send(s->fd, buf, len, MSG_NOSIGNAL);
		if (n <= 0)
			break;
		done += n;
	}
	free(buf);
	return done;
}

static long read_all(void *arg)
{
	struct stream *s = arg;
	unsigned char *buf = malloc(s->piece);
	long done = 0;
	ssize_t n;

	while (done < s->total) {
		n = recv_one(s->fd, buf, s->piece);
		s->end = n < 0 ? strerror(errno) : n ? "a wrong byte" : "EOF";
		if (n <= 0 || pattern_check(buf, n, s->seed, done) != n)
			break;
		done += n;
	}
	free(buf);
	return done;
}

FIXTURE(bulk)
{
	struct conn conn;
};

FIXTURE_VARIANT(bulk)
{
	size_t write;
	size_t read;
};

#define BULK_VARIANT(name, write_, read_)				\
FIXTURE_VARIANT_ADD(bulk, name)						\
{									\
	.write = write_, .read = read_,					\
}

BULK_VARIANT(write_1, 1, 65536);
BULK_VARIANT(write_7, 7, 1000);
BULK_VARIANT(write_1396, 1396, 65536);
BULK_VARIANT(write_4096, 4096, 4096);
BULK_VARIANT(write_60000, 60000, 65536);
BULK_VARIANT(write_1048576, 1048576, 1048576);
BULK_VARIANT(read_100, 65536, 100);

FIXTURE_SETUP(bulk)
{
	ROAD_OR_SKIP();
	ASSERT_EQ(0, conn_open(&self->conn, SOCK_STREAM, false));
}

FIXTURE_TEARDOWN(bulk)
{
	conn_close(&self->conn);
}

static long bulk_total(size_t write, size_t read)
{
	return bulk_bytes(write < read ? write : read);
}

TEST_F_TIMEOUT(bulk, one_way, 180)
{
	long total = bulk_total(variant->write, variant->read);
	struct stream out = { self->conn.near, variant->write, total, 1 };
	struct stream in = { self->conn.far, variant->read, total, 1 };
	struct task task;

	ASSERT_EQ(0, task_start(&task, write_all, &out));
	EXPECT_EQ(total, read_all(&in)) {
		TH_LOG("%s", in.end);
	}
	ASSERT_TRUE(task_join(&task));
	EXPECT_EQ(total, task.result);
}

TEST_F_TIMEOUT(bulk, both_ways_at_once, 180)
{
	long total = bulk_total(variant->write, variant->read) / 2;
	struct stream out = { self->conn.near, variant->write, total, 1 };
	struct stream in = { self->conn.far, variant->read, total, 1 };
	struct stream back = { self->conn.far, variant->write, total, 2 };
	struct stream home = { self->conn.near, variant->read, total, 2 };
	struct task writer, answerer, reader;

	ASSERT_EQ(0, task_start(&writer, write_all, &out));
	ASSERT_EQ(0, task_start(&answerer, write_all, &back));
	ASSERT_EQ(0, task_start(&reader, read_all, &home));
	EXPECT_EQ(total, read_all(&in));
	ASSERT_TRUE(task_join(&writer));
	ASSERT_TRUE(task_join(&answerer));
	ASSERT_TRUE(task_join(&reader));
	EXPECT_EQ(total, reader.result);
}

TEST_F_TIMEOUT(bulk, ends_with_its_last_byte, 180)
{
	long total = bulk_total(variant->write, variant->read) / 4 + 3;
	struct stream out = { self->conn.near, variant->write, total, 3 };
	struct stream in = { self->conn.far, variant->read, total + 1, 3 };

	if (!fork()) {
		close(self->conn.far);
		_exit(write_all(&out) != total);
	}
	CLOSE(self->conn.near);
	EXPECT_EQ(total, read_all(&in));
	EXPECT_EQ(0, recv(self->conn.far, &out, 1, 0));
}

/* Several conversations of one pair of nodes do not disturb each other. */
TEST_F_TIMEOUT(bulk, four_at_once, 180)
{
	long total = bulk_total(variant->write, variant->read) / 4;
	struct task writers[4], readers[4];
	struct stream out[4], in[4];
	struct conn conns[4];
	int i;

	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, conn_open(&conns[i], SOCK_STREAM, i % 2));
		out[i] = (struct stream){ conns[i].near, variant->write, total,
					  i };
		in[i] = (struct stream){ conns[i].far, variant->read, total, i };
		ASSERT_EQ(0, task_start(&writers[i], write_all, &out[i]));
		ASSERT_EQ(0, task_start(&readers[i], read_all, &in[i]));
	}
	for (i = 0; i < 4; i++) {
		ASSERT_TRUE(task_join(&writers[i]));
		ASSERT_TRUE(task_join(&readers[i]));
		EXPECT_EQ(total, readers[i].result);
		conn_close(&conns[i]);
	}
}

TEST_HARNESS_MAIN
