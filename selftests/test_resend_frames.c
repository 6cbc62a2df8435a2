// SPDX-License-Identifier: GPL-2.0
/*
 * Bytes that are sent again while the frame that had them first is still held
 * by somebody: a small write leaves as it is, and its header is in front of it.
 * Neither frame may change what the other says.
 *
 * weft-roads: veth
 */
#include "weft_test.h"
#include "peer.h"

#define AT_NUMBER	(ETH_BYTES + 16)
#define TEXT	"a small write that is a packet by itself"
#define FRAMES	3

FIXTURE(resend)
{
	struct peer peer;
	struct addr own;	/* of the listener at B */
	int lis;
	int sock;		/* B's end */
};

FIXTURE_VARIANT(resend)
{
	int type;
	int head;		/* bytes before each message */
};

FIXTURE_VARIANT_ADD(resend, stream) { .type = SOCK_STREAM };
FIXTURE_VARIANT_ADD(resend, seqpacket) { .type = SOCK_SEQPACKET, .head = 4 };

/* The scripted node opens a flow, and has heard of it. */
FIXTURE_SETUP(resend)
{
	struct frame f;

	if (road()->oracle)
		SKIP(return, "frames of weft have no oracle");
	ROAD_OR_SKIP();
	ASSERT_EQ(0, peer_open(&self->peer));
	self->lis = listener(END_B, variant->type, 4, &self->own);
	ASSERT_LE(0, self->lis);
	ASSERT_TRUE(ask(&self->peer));
	build_flow_open(&self->peer, &f, addr_port(&self->own), variant->type,
			"");
	ASSERT_EQ(0, emit(&self->peer, &f));
	self->sock = accepted(self->lis);
	ASSERT_LE(0, self->sock);
	ASSERT_TRUE(await(&self->peer, OPENED));
	begin(&self->peer, &f, ACK, F_OPENER);
	put_flow(&f, FLOW, 0, 0);
	seal(&f);
	ASSERT_EQ(0, emit(&self->peer, &f));
}

FIXTURE_TEARDOWN(resend)
{
	close(self->sock);
	close(self->lis);
	close(self->peer.fd);
}

/* Until B has sent so many packets again. */
static bool is_resent(long long times)
{
	long long end = now_ms() + DEADLINE_MS;

	while (count_of("out_retransmits") < times && now_ms() < end)
		poll(NULL, 0, 10);
	return count_of("out_retransmits") >= times;
}

static bool is_sum_right(const struct frame *f)
{
	size_t len = f->bytes[AT_HLEN] + get_int_at(f, AT_PLEN, 2);

	return internet_sum(f->bytes + ETH_BYTES, len) == 0xffff;
}

TEST_F(resend, frames_that_are_held_do_not_change)
{
	long long before = count_of("out_retransmits");
	uint64_t number, last = 0;
	struct frame *in = &self->peer.in;
	int i;

	ASSERT_EQ((int)strlen(TEXT), SEND(self->sock, TEXT));
	/* Nobody takes the frames meanwhile. */
	ASSERT_TRUE(is_resent(before + FRAMES - 1));
	for (i = 0; i < FRAMES; i++) {
		size_t at;

		ASSERT_TRUE(await(&self->peer, DATA));
		EXPECT_TRUE(is_sum_right(in));
		number = get_int_at(in, AT_NUMBER, 8);
		EXPECT_TRUE(!i || number > last);
		last = number;
		at = ETH_BYTES + in->bytes[AT_HLEN];
		EXPECT_EQ(strlen(TEXT) + variant->head,
			  get_int_at(in, AT_PLEN, 2));
		EXPECT_EQ(0, memcmp(in->bytes + at + variant->head, TEXT,
				    strlen(TEXT)));
	}
}

TEST_HARNESS_MAIN
