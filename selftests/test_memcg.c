// SPDX-License-Identifier: GPL-2.0
/*
 * What a server has not read is its own memory, by its control group, whoever
 * sent it and wherever the connection was made.
 *
 * weft-roads: local veth
 */
#include <sys/mount.h>
#include <sys/stat.h>

#include "weft_test.h"
#include "peer.h"

#define ROOT	"/tmp/weft-cgroup"
#define GROUP	ROOT "/server"
#define BYTES	60000

static int join(const char *procs)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", getpid());
	return write_file(procs, pid);
}

/* Bytes of sockets that are charged to the group; -1: it does not say. */
static long charged(void)
{
	FILE *file = fopen(GROUP "/memory.stat", "r");
	char name[64];
	long value, found = -1;

	while (file && fscanf(file, "%63s %ld", name, &value) == 2)
		if (!strcmp(name, "sock"))
			found = value;
	if (file)
		fclose(file);
	return found;
}

/* The kernel adds such numbers up every other second. */
static bool is_charged(void *unused)
{
	(void)unused;
	return charged() >= BYTES;
}

FIXTURE(memcg)
{
	struct addr addr;
	int lis;
};

FIXTURE_VARIANT(memcg)
{
	int type;
};

FIXTURE_VARIANT_ADD(memcg, stream) { .type = SOCK_STREAM };
FIXTURE_VARIANT_ADD(memcg, seqpacket) { .type = SOCK_SEQPACKET };

FIXTURE_SETUP(memcg)
{
	if (road()->oracle)
		SKIP(return, "the group is the virtual machine's");
	ROAD_OR_SKIP();
	mkdir(ROOT, 0700);
	ASSERT_EQ(0, mount("none", ROOT, "cgroup2", 0, NULL));
	ASSERT_EQ(0, write_file(ROOT "/cgroup.subtree_control", "+memory"));
	ASSERT_EQ(0, mkdir(GROUP, 0700));
	/* The server is in it, and the client is not. */
	ASSERT_EQ(0, join(GROUP "/cgroup.procs"));
	self->lis = listener(END_B, variant->type, 8, &self->addr);
	ASSERT_EQ(0, join(ROOT "/cgroup.procs"));
	ASSERT_LE(0, self->lis);
}

FIXTURE_TEARDOWN(memcg)
{
	close(self->lis);
	EXPECT_EQ(0, rmdir(GROUP));
	EXPECT_EQ(0, umount(ROOT));
	EXPECT_EQ(0, rmdir(ROOT));
}

static bool has_all(void *fd)
{
	struct weft_info info;
	socklen_t len = sizeof(info);

	return !getsockopt(*(int *)fd, SOL_WEFT, WEFT_INFO, &info, &len) &&
	       info.unread >= BYTES;
}

/* The ends know of each other, and a flow may begin in the client's task. */
static bool both_have_spoken(struct conn *conn)
{
	char c;

	return SEND(conn->near, "x") == 1 && recv_one(conn->far, &c, 1) == 1 &&
	       SEND(conn->far, "x") == 1 && recv_one(conn->near, &c, 1) == 1;
}

TEST_F(memcg, unread_bytes_are_the_servers)
{
	struct conn first = { .listener = -1 };
	static char bytes[BYTES / 10];
	int fd, got, i;

	first.near = connected(variant->type, &self->addr);
	first.far = accepted(self->lis);
	ASSERT_TRUE(both_have_spoken(&first));
	fd = connected(variant->type, &self->addr);
	ASSERT_LE(0, fd);
	got = accepted(self->lis);
	ASSERT_LE(0, got);
	for (i = 0; i < 10; i++)
		ASSERT_EQ((ssize_t)sizeof(bytes),
			  send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL));
	ASSERT_TRUE(eventually(has_all, &got));
	EXPECT_TRUE(eventually(is_charged, NULL)) {
		TH_LOG("%ld bytes", charged());
	}
	close(fd);
	close(got);
	conn_close(&first);
}

TEST_HARNESS_MAIN
