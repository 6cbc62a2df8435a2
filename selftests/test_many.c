// SPDX-License-Identifier: GPL-2.0
/*
 * Many connections on one node: all open, are listed, and close; one that a
 * walk over the others made slow would run into the time that this test has.
 * What each costs is a matter of `make bench`, whose clock counts instructions.
 * WEFT_MANY= says how many (default 4,000).
 *
 * weft-roads: local
 * weft-timeout: 300
 */
#include <sys/resource.h>

#include "weft_test.h"

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

TEST_F(many, open_are_listed_and_close)
{
	int before = list_all();

	for (; self->n < how_many(); self->n++)
		ASSERT_TRUE(open_one(self->listener, &self->addr,
				     &self->fd[2 * self->n]));
	EXPECT_EQ(before + 2 * self->n, list_all());
	while (self->n > 0) {
		self->n--;
		EXPECT_EQ(0, close(self->fd[2 * self->n]));
		EXPECT_EQ(0, close(self->fd[2 * self->n + 1]));
	}
	EXPECT_EQ(before, list_all());
}

TEST_HARNESS_MAIN
