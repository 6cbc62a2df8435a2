// SPDX-License-Identifier: GPL-2.0
/*
 * Datagrams of all sizes over a wire that loses, repeats and reorders frames:
 * what comes is what was sent, whole; what lost a piece does not come.
 *
 * weft-roads: bridge
 * weft-timeout: 240
 */
#include "pattern.h"
#include "weft_test.h"

#define DATAGRAMS	400
/* Each begins with its number. */
#define HEAD		4
#define MARK		0xffffffffU

static size_t size_of(unsigned int i)
{
	static const size_t sizes[] = { 100, 1460, 1461, 4000, 16000, 65000 };

	return sizes[i % ARRAY_SIZE(sizes)];
}

FIXTURE(lossy)
{
	int a;
	int b;
	struct addr addr_b;
	unsigned int came[DATAGRAMS];
	unsigned int of_size[6];
	bool marked;
};

static int run(const char *format, const char *ns, const char *what)
{
	char command[256];

	snprintf(command, sizeof(command), format, ns, what);
	return system(command);
}

/* On the switch's port to B, where each frame is an skb of its own. */
static int disturb(const char *netem)
{
	return run("ip netns exec %s ethtool -K %s tso off gso off tx-sctp-segmentation off >/dev/null",
		   getenv("WEFT_NS_A"), getenv("WEFT_DEV_A")) ?:
	       run("tc -n %s qdisc replace dev p-b root netem %s",
		   getenv("WEFT_NS_SW"), netem);
}

FIXTURE_SETUP(lossy)
{
	struct addr addr_a;

	if (road()->oracle)
		SKIP(return, "whose pieces go another way");
	ROAD_OR_SKIP();
	self->a = bound_socket(END_A, SOCK_DGRAM, &addr_a);
	self->b = bound_socket(END_B, SOCK_DGRAM, &self->addr_b);
	ASSERT_LE(0, self->a);
	ASSERT_LE(0, self->b);
}

FIXTURE_TEARDOWN(lossy)
{
	EXPECT_EQ(0, disturb("limit 1000"));
	close(self->a);
	close(self->b);
}

static void send_one(struct __test_metadata *_metadata, int fd, unsigned int i,
		     size_t len, const struct addr *to)
{
	static unsigned char bytes[WEFT_DGRAM_MAX];
	unsigned int head = htonl(i);

	pattern_fill(bytes, len, i, 0);
	memcpy(bytes, &head, HEAD);
	ASSERT_EQ((ssize_t)len, send_to(fd, bytes, len, to));
}

/* All that has come: each is one that was sent, every byte of it. */
static void take_all(struct __test_metadata *_metadata,
		     FIXTURE_DATA(lossy) *self)
{
	static unsigned char got[WEFT_DGRAM_MAX + 1], want[WEFT_DGRAM_MAX];
	unsigned int i;
	ssize_t n;

	while ((n = recv(self->b, got, sizeof(got), MSG_DONTWAIT)) >= 0) {
		ASSERT_LE(HEAD, n);
		memcpy(&i, got, HEAD);
		i = ntohl(i);
		if (i == MARK) {
			self->marked = true;
			continue;
		}
		ASSERT_GT(DATAGRAMS, i);
		ASSERT_EQ((ssize_t)size_of(i), n);
		pattern_fill(want, n, i, 0);
		EXPECT_EQ(0, memcmp(got + HEAD, want + HEAD, n - HEAD));
		if (!self->came[i]++)
			self->of_size[i % 6]++;
	}
}

TEST_F(lossy, what_comes_is_what_was_sent)
{
	unsigned int i;

	ASSERT_EQ(0, set_int(self->b, SO_RCVBUF, 200000));
	ASSERT_EQ(0, disturb("delay 1ms loss 1% reorder 5% duplicate 2% limit 100000"));
	for (i = 0; i < DATAGRAMS; i++) {
		send_one(_metadata, self->a, i, size_of(i), &self->addr_b);
		take_all(_metadata, self);
	}
	/* What was sent last comes last, but for a frame's delay. */
	while (!self->marked) {
		send_one(_metadata, self->a, MARK, HEAD, &self->addr_b);
		ASSERT_TRUE(wait_events(self->b, POLLIN));
		take_all(_metadata, self);
	}
	for (i = 0; i < DATAGRAMS; i++)
		/* A datagram of several frames is never made of copies. */
		if (size_of(i) > 1461)
			EXPECT_GE(1, self->came[i]);
	/* Of 66 of one frame 65 come, of 66 of 45 frames 42. */
	EXPECT_LE(50, self->of_size[0]);
	EXPECT_LE(50, self->of_size[1]);
	EXPECT_LE(15, self->of_size[5]);
	EXPECT_GT(66, self->of_size[5]);
}

TEST_HARNESS_MAIN
