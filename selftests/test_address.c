// SPDX-License-Identifier: GPL-2.0
/*
 * The address of a node, set by net.weft.node: what may be one, when, and that
 * it is nobody else's, whom a scripted node plays.
 *
 * weft-roads: veth
 * weft-cflags: -pthread
 */
#include "weft_test.h"
#include "peer.h"

#define NODE	"/proc/sys/net/weft/node"

FIXTURE(address)
{
	struct peer peer;
	char wanted[INET6_ADDRSTRLEN];	/* which nobody has */
};

FIXTURE_SETUP(address)
{
	if (road()->oracle)
		SKIP(return, "addresses of weft have no oracle");
	ROAD_OR_SKIP();
	ASSERT_EQ(0, peer_open(&self->peer));
	self->peer.addr.s6_addr[9] = 0xad;
	inet_ntop(AF_INET6, &self->peer.addr, self->wanted,
		  sizeof(self->wanted));
}

FIXTURE_TEARDOWN(address)
{
	close(self->peer.fd);
}

/* Of node B; a call of a thread's own, too. */
static long set_node(void *text)
{
	int err = enter_end(END_B) ?: write_file(NODE, text);

	return leave_end(END_B) ?: err;
}

static bool is_node(const char *text)
{
	struct in6_addr want, is;
	int err = enter_end(END_B) ?: own_node(&is);

	return !leave_end(END_B) && !err &&
	       inet_pton(AF_INET6, text, &want) == 1 &&
	       !memcmp(&want, &is, sizeof(is));
}

/* The question whether anybody has it. */
static bool hear_trial(struct peer *p)
{
	if (!await(p, WHO))
		return false;
	learn(p);
	return !memcmp(p->in.bytes + AT_PARTS + 16, &p->addr, 16);
}

TEST_F(address, may_be_set)
{
	ASSERT_EQ(0, set_node(self->wanted));
	EXPECT_TRUE(is_node(self->wanted));
}

TEST_F(address, is_one_of_a_plain_node)
{
	static char * const texts[] = {
		" ", "nonsense", "::1", "2001:db8::1", "ff02::1",
		"fd77:6566:7401::1", "fd77:6566:7400::1 and more",
	};
	size_t i;

	ASSERT_EQ(0, set_node(self->wanted));
	for (i = 0; i < ARRAY_SIZE(texts); i++) {
		EXPECT_EQ(EINVAL, ERR(set_node(texts[i]))) {
			TH_LOG("text %zu", i);
		}
	}
	EXPECT_TRUE(is_node(self->wanted));
}

TEST_F(address, stays_while_it_is_used)
{
	struct addr addr;
	int fd;

	ASSERT_EQ(0, set_node(self->wanted));
	fd = bound_socket(END_B, SOCK_STREAM, &addr);
	ASSERT_LE(0, fd);
	EXPECT_EQ(EBUSY, ERR(set_node("fd77:6566:7400::ad:1")));
	/* It has this one. */
	EXPECT_EQ(0, ERR(set_node(self->wanted)));
	close(fd);
	EXPECT_EQ(0, ERR(set_node("fd77:6566:7400::ad:1")));
	EXPECT_TRUE(is_node("fd77:6566:7400::ad:1"));
}

TEST_F(address, of_somebody_else_is_EADDRINUSE)
{
	struct task task;

	ASSERT_EQ(0, task_start(&task, set_node, self->wanted));
	ASSERT_TRUE(hear_trial(&self->peer));
	ASSERT_EQ(0, say_here(&self->peer));
	ASSERT_TRUE(task_join(&task));
	EXPECT_EQ(EADDRINUSE, task.error);
	EXPECT_FALSE(is_node(self->wanted));
}

/* Whoever says that of another address, or was not asked, does not have it. */
TEST_F(address, other_answers_mean_nothing)
{
	struct peer liar;
	struct task task;

	ASSERT_EQ(0, task_start(&task, set_node, self->wanted));
	ASSERT_TRUE(hear_trial(&self->peer));
	liar = self->peer;
	liar.addr.s6_addr[8] ^= 1;
	ASSERT_EQ(0, say_here(&liar));
	liar = self->peer;
	liar.their_session ^= 1;
	ASSERT_EQ(0, say_here(&liar));
	ASSERT_TRUE(task_join(&task));
	EXPECT_EQ(0, task.result);
	EXPECT_TRUE(is_node(self->wanted));
}

TEST_F(address, is_set_by_one_at_a_time)
{
	struct task task;

	ASSERT_EQ(0, task_start(&task, set_node, self->wanted));
	ASSERT_TRUE(hear_trial(&self->peer));
	EXPECT_EQ(EBUSY, ERR(set_node("fd77:6566:7400::ad:2")));
	ASSERT_TRUE(task_join(&task));
	EXPECT_EQ(0, task.result);
	EXPECT_TRUE(is_node(self->wanted));
}

TEST_F(address, is_not_set_when_a_signal_comes)
{
	struct task task;

	ASSERT_EQ(0, task_start(&task, set_node, self->wanted));
	ASSERT_TRUE(hear_trial(&self->peer));
	ASSERT_TRUE(task_interrupt(&task));
	EXPECT_EQ(EINTR, task.error);
	EXPECT_FALSE(is_node(self->wanted));
}

TEST_HARNESS_MAIN
