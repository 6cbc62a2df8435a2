// SPDX-License-Identifier: GPL-2.0
/*
 * Many connections on one node: what one costs must not depend on how many
 * there are. WEFT_MANY= says how many (default 4,000).
 *
 * weft-roads: local
 * weft-timeout: 300
 */
#include <sys/resource.h>

#include "weft_test.h"

#define FEW		10
#define BATCH		20

/* CPU time of this process, ns: others on the machine do not count. */
static long long cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static int how_many(void)
{
	const char *text = getenv("WEFT_MANY");

	return text ? atoi(text) : 4000;
}

FIXTURE(many)
{
	struct addr addr;
	int listener;
	int n;
	int *fd;
};

FIXTURE_SETUP(many)
{
	struct rlimit limit;

	ROAD_OR_SKIP();
	if (road()->oracle)
		SKIP(return, "about weft's own tables");
	limit.rlim_cur = limit.rlim_max = 2 * how_many() + 1000;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	self->listener = listener(END_B, SOCK_STREAM, 16, &self->addr);
	ASSERT_LE(0, self->listener);
	self->fd = calloc(2 * how_many(), sizeof(int));
	ASSERT_NE(NULL, self->fd);
}

FIXTURE_TEARDOWN(many)
{
	int i;

	for (i = 0; i < 2 * self->n; i++)
		close(self->fd[i]);
	close(self->listener);
	free(self->fd);
}

static bool open_one(int lis, const struct addr *addr, int fd[2])
{
	fd[0] = connected(SOCK_STREAM, addr);
	fd[1] = accept(lis, NULL, NULL);
	return fd[0] >= 0 && fd[1] >= 0;
}

/* What an open and close costs now: the cheapest of some batches. */
static long long cost_of_one(int lis, const struct addr *addr)
{
	long long best = -1;
	int try, i, fd[2];

	for (try = 0; try < 40; try++) {
		long long start = cpu_ns(), took;

		for (i = 0; i < BATCH; i++) {
			if (!open_one(lis, addr, fd))
				return -1;
			close(fd[0]);
			close(fd[1]);
		}
		took = (cpu_ns() - start) / BATCH;
		if (best < 0 || took < best)
			best = took;
	}
	return best;
}

/* Lines of the table. */
static int list_all(void)
{
	char buf[4096];
	int lines = 0;
	ssize_t n, i;
	int fd;

	fd = open("/proc/self/net/weft", O_RDONLY);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		for (i = 0; i < n; i++)
			lines += buf[i] == '\n';
	close(fd);
	return n < 0 ? -1 : lines;
}

/* What it costs to read the table: the cheapest of some times. */
static long long cost_of_list(void)
{
	long long best = -1;
	int try;

	for (try = 0; try < 5; try++) {
		long long start = cpu_ns(), took;

		if (list_all() < 0)
			return -1;
		took = cpu_ns() - start;
		if (best < 0 || took < best)
			best = took;
	}
	return best;
}

TEST_F(many, cost_does_not_grow_with_their_number)
{
	long long few, many, list_few, list_many;

	for (; self->n < FEW; self->n++)
		ASSERT_TRUE(open_one(self->listener, &self->addr,
				     &self->fd[2 * self->n]));
	few = cost_of_one(self->listener, &self->addr);
	ASSERT_LT(0, few);
	for (; self->n < how_many() / 10; self->n++)
		ASSERT_TRUE(open_one(self->listener, &self->addr,
				     &self->fd[2 * self->n]));
	EXPECT_LE(2 * self->n, list_all());
	list_few = cost_of_list();
	ASSERT_LT(0, list_few);
	for (; self->n < how_many(); self->n++)
		ASSERT_TRUE(open_one(self->listener, &self->addr,
				     &self->fd[2 * self->n]));
	many = cost_of_one(self->listener, &self->addr);
	ASSERT_LT(0, many);
	EXPECT_LE(2 * self->n, list_all());
	list_many = cost_of_list();
	TH_LOG("open and close: %lld ns of %d, %lld ns of %d", few, FEW, many,
	       self->n);
	TH_LOG("list: %lld us, of ten times as many %lld us",
	       list_few / 1000, list_many / 1000);
	/* A walk over them would take many times as long as the calls. */
	EXPECT_GT(4 * few, many);
	/* Ten times as many lines; a list that begins anew would be 100. */
	EXPECT_GT(40 * list_few, list_many);
}

TEST_HARNESS_MAIN
