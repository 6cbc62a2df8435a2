// SPDX-License-Identifier: GPL-2.0
#include <kunit/test.h>
#include <linux/bitops.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include "../proto/packet.h"
#include "sim.h"

/* For the longest header and a few bytes behind it. */
#define ROOM	160

struct kind_case {
	const char	*name;
	u8		kind;
	u8		flags;
	u16		hlen;
	u16		plen;
};

static const struct kind_case kinds[] = {
	{ "WHO", WEFT_WHO, 0, 72, 0 },
	{ "HERE", WEFT_HERE, 0, 72, 0 },
	{ "OPEN", WEFT_OPEN, WEFT_F_OPENER, 80, 100 },
	{ "OPEN with hello", WEFT_OPEN, WEFT_F_OPENER | WEFT_F_INTRO, 128, 9 },
	{ "OPENED", WEFT_OPENED, 0, 80, 0 },
	{ "DATA", WEFT_DATA, WEFT_F_OPENER, 64, 1436 },
	{ "DATA with hello", WEFT_DATA, WEFT_F_INTRO, 112, 1 },
	{ "ACK", WEFT_ACK, 0, 64, 0 },
	{ "CLOSE", WEFT_CLOSE, 0, 64, 3 },
	{ "CLOSED", WEFT_CLOSED, 0, 40, 0 },
	{ "RESET", WEFT_RESET, WEFT_F_OPENER, 40, 0 },
	{ "PROBE", WEFT_PROBE, 0, 64, 0 },
	{ "DGRAM", WEFT_DGRAM, 0, 40, 800 },
	{ "BADSESSION", WEFT_BADSESSION, 0, 32, 0 },
};

static void describe(const struct kind_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(kinds, kinds, describe);

/* A packet of a kind with a value in every field that the kind has. */
static struct weft_pkt sample(const struct kind_case *c)
{
	struct weft_pkt pkt = {
		.version = WEFT_VERSION_MAX, .kind = c->kind,
		.flags = c->flags, .path = 7, .plen = c->plen,
		.session = 0x1122334455667788ULL,
		.number = 0x99aabbccddeeff01ULL,
	};

	if (c->hlen >= 64 && c->kind > WEFT_HERE) {
		pkt.flow = 0x0102030405060708ULL;
		pkt.offset = 0x1112131415161718ULL;
		pkt.ack = 0x2122232425262728ULL;
		pkt.window = 0x31323334;
		pkt.time = 0x41424344;
		pkt.echo = 0x51525354;
		pkt.delay = 0x61626364;
	}
	if (c->kind == WEFT_OPEN || c->kind == WEFT_OPENED) {
		pkt.sport = 0x7172;
		pkt.dport = 0x8182;
		pkt.type = WEFT_TYPE_SEQPACKET;
		pkt.max_message = 0x91929394;
	}
	if (c->kind == WEFT_CLOSED || c->kind == WEFT_RESET) {
		pkt.flow = 0xa1a2a3a4a5a6a7a8ULL;
		pkt.sport = 0xb1b2;
		pkt.dport = 0xc1c2;
		pkt.reason = 0xd1d2d3d4;
	}
	if (c->kind == WEFT_DGRAM) {
		pkt.sport = 1;
		pkt.dport = 2;
		pkt.id = 3;
		pkt.offset = 4000;
		pkt.total = 4890;
	}
	if (c->kind == WEFT_BADSESSION)
		pkt.bad = 0xe1e2e3e4e5e6e7e8ULL;
	if (c->kind <= WEFT_HERE || c->flags & WEFT_F_INTRO) {
		memset(pkt.hello.from, 0xf1, 16);
		memset(pkt.hello.to, 0xf2, 16);
		pkt.hello.session = 0x0908070605040302ULL;
		pkt.hello.version_min = 1;
		pkt.hello.version_max = 3;
		pkt.hello.features = 0x0a0b;
		pkt.hello.frame = 1500;
	}
	return pkt;
}

static enum weft_parse reparse(struct weft_pkt *pkt, const u8 *data)
{
	return weft_packet_parse(pkt, data, WEFT_HLEN_MAX, ROOM + 2000);
}

static void packet_hlen__is_that_of_the_drawing(struct kunit *test)
{
	const struct kind_case *c = test->param_value;

	KUNIT_EXPECT_EQ(test, weft_packet_hlen(c->kind, c->flags), c->hlen);
	KUNIT_EXPECT_EQ(test, weft_packet_hlen(WEFT_KINDS, 0), 0);
}

static void packet_build__round_trip(struct kunit *test)
{
	const struct kind_case *c = test->param_value;
	struct weft_pkt pkt = sample(c), back;
	u8 data[ROOM];

	KUNIT_EXPECT_EQ(test, weft_packet_build(&pkt, data), c->hlen);
	KUNIT_EXPECT_EQ(test, pkt.hlen, c->hlen);
	KUNIT_ASSERT_EQ(test, reparse(&back, data), WEFT_PARSE_OK);
	KUNIT_EXPECT_MEMEQ(test, &pkt, &back, sizeof(pkt));
}

static void packet_build__writes_every_byte(struct kunit *test)
{
	const struct kind_case *c = test->param_value;
	struct weft_pkt pkt = sample(c);
	u8 a[ROOM], b[ROOM];

	memset(a, 0xaa, sizeof(a));
	memset(b, 0x55, sizeof(b));
	weft_packet_build(&pkt, a);
	weft_packet_build(&pkt, b);
	KUNIT_EXPECT_MEMEQ(test, a, b, c->hlen);
	KUNIT_EXPECT_EQ(test, a[c->hlen], 0xaa);
	KUNIT_EXPECT_EQ(test, a[2] | a[3], 0);
}

static void packet_build__bytes_of_data(struct kunit *test)
{
	static const u8 want[] = {
		0x14, 64, 0, 0, 0x05, 0x9c, 7, 0x01,
		0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88,
		0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff, 0x01,
		0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08,
		0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18,
		0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28,
		0x31, 0x32, 0x33, 0x34, 0x41, 0x42, 0x43, 0x44,
		0x51, 0x52, 0x53, 0x54, 0x61, 0x62, 0x63, 0x64,
	};
	static const struct kind_case c = {
		"", WEFT_DATA, WEFT_F_OPENER, 64, 1436
	};
	struct weft_pkt pkt = sample(&c);
	u8 data[ROOM];

	pkt.version = 1;
	weft_packet_build(&pkt, data);
	KUNIT_EXPECT_MEMEQ(test, data, want, sizeof(want));
}

static void packet_parse__cut_at_every_byte(struct kunit *test)
{
	const struct kind_case *c = test->param_value;
	struct weft_pkt pkt = sample(c), back;
	unsigned int n;
	u8 data[ROOM];

	weft_packet_build(&pkt, data);
	for (n = 0; n < c->hlen + c->plen; n++) {
		KUNIT_EXPECT_EQ(test, WEFT_PARSE_SHORT,
				weft_packet_parse(&back, data,
						  min(n, 128U), n));
		/* More than fits in the frame is not there. */
		KUNIT_EXPECT_EQ(test, WEFT_PARSE_SHORT,
				weft_packet_parse(&back, data, 128, n));
	}
	KUNIT_EXPECT_EQ(test, WEFT_PARSE_OK,
			weft_packet_parse(&back, data, min(n, 128U), n));
	/* And where only the start of the header is contiguous. */
	for (n = 0; n < c->hlen; n++)
		KUNIT_EXPECT_EQ(test, WEFT_PARSE_SHORT,
				weft_packet_parse(&back, data, n, 2000));
}

static void packet_parse__padding_is_ignored(struct kunit *test)
{
	const struct kind_case *c = test->param_value;
	struct weft_pkt pkt = sample(c), back;
	u8 data[ROOM];

	memset(data, 0xa5, sizeof(data));
	weft_packet_build(&pkt, data);
	KUNIT_EXPECT_EQ(test, WEFT_PARSE_OK,
			weft_packet_parse(&back, data, 128,
					  c->hlen + c->plen + 200));
	KUNIT_EXPECT_EQ(test, back.plen, c->plen);
}

/* What a newer sender put behind the parts that we know. */
static void packet_parse__unknown_bytes_are_skipped(struct kunit *test)
{
	const struct kind_case *c = test->param_value;
	struct weft_pkt pkt = sample(c), back;
	static const u8 more[] = { 1, 8, 127 };
	unsigned int i;
	u8 data[ROOM];

	memset(data, 0xa5, sizeof(data));
	weft_packet_build(&pkt, data);
	for (i = 0; i < ARRAY_SIZE(more); i++) {
		data[1] = c->hlen + more[i];
		KUNIT_EXPECT_EQ(test, reparse(&back, data), WEFT_PARSE_OK);
		KUNIT_EXPECT_EQ(test, back.hlen, c->hlen + more[i]);
		back.hlen = c->hlen;
		KUNIT_EXPECT_MEMEQ(test, &pkt, &back, sizeof(pkt));
	}
	data[1] = c->hlen - 1;
	KUNIT_EXPECT_EQ(test, reparse(&back, data), WEFT_PARSE_HEADER);
}

static void packet_parse__versions(struct kunit *test)
{
	const struct kind_case *c = test->param_value;
	bool any = c->kind <= WEFT_HERE || c->kind == WEFT_BADSESSION;
	struct weft_pkt pkt = sample(c), back;
	unsigned int version;
	u8 data[ROOM];

	weft_packet_build(&pkt, data);
	for (version = 0; version < 16; version++) {
		bool ours = version >= WEFT_VERSION_MIN &&
			    version <= WEFT_VERSION_MAX;

		data[0] = version << 4 | c->kind;
		KUNIT_EXPECT_EQ(test, reparse(&back, data),
				any || ours ? WEFT_PARSE_OK :
					      WEFT_PARSE_VERSION);
	}
}

static void packet_parse__flags(struct kunit *test)
{
	static const struct kind_case c = { "", WEFT_DATA, 0, 112, 0 };
	struct weft_pkt pkt = sample(&c), back;
	unsigned int bit;
	u8 data[ROOM];

	pkt.flags = WEFT_F_INTRO;
	pkt.hello.version_max = 1;
	weft_packet_build(&pkt, data);
	for (bit = 0; bit < 8; bit++) {
		bool fine = !(BIT(bit) & WEFT_F_CRITICAL & ~WEFT_F_KNOWN);

		data[7] = BIT(bit);
		KUNIT_EXPECT_EQ(test, reparse(&back, data),
				fine ? WEFT_PARSE_OK : WEFT_PARSE_FLAG);
	}
}

static void packet_parse__kinds(struct kunit *test)
{
	struct weft_pkt back;
	u8 data[ROOM] = { [1] = 128 };
	unsigned int kind;

	for (kind = WEFT_KINDS; kind < 16; kind++) {
		data[0] = WEFT_VERSION_MAX << 4 | kind;
		KUNIT_EXPECT_EQ(test, reparse(&back, data), WEFT_PARSE_KIND);
	}
}

static const struct {
	u8	kind;
	u8	flags;
	u8	at;	/* first byte of the field in the header */
	u8	len;
	u8	value;	/* of all of its bytes */
	enum weft_parse want;
} fields[] = {
	{ WEFT_DATA, 0, 24, 8, 0x00, WEFT_PARSE_FIELD },	/* flow */
	{ WEFT_CLOSE, 0, 24, 8, 0x00, WEFT_PARSE_FIELD },
	{ WEFT_PROBE, 0, 24, 8, 0x00, WEFT_PARSE_OK },
	{ WEFT_ACK, 0, 24, 8, 0x00, WEFT_PARSE_OK },
	{ WEFT_DATA, 0, 32, 8, 0xff, WEFT_PARSE_FIELD },	/* offset */
	{ WEFT_CLOSE, 0, 32, 8, 0xff, WEFT_PARSE_FIELD },
	{ WEFT_ACK, 0, 32, 8, 0xff, WEFT_PARSE_OK },
	{ WEFT_OPEN, 0, 68, 1, 0, WEFT_PARSE_FIELD },		/* type */
	{ WEFT_OPEN, 0, 68, 1, 2, WEFT_PARSE_FIELD },
	{ WEFT_OPENED, 0, 68, 1, 1, WEFT_PARSE_OK },
	{ WEFT_OPEN, 0, 69, 3, 0xff, WEFT_PARSE_OK },		/* reserved */
	{ WEFT_OPEN, 0, 76, 4, 0xff, WEFT_PARSE_OK },
	{ WEFT_DGRAM, 0, 36, 4, 0, WEFT_PARSE_FIELD },		/* total */
	{ WEFT_DGRAM, 0, 32, 4, 0xff, WEFT_PARSE_FIELD },	/* offset */
	{ WEFT_DGRAM, 0, 34, 2, 0x13, WEFT_PARSE_FIELD },	/* 4883 + 10 */
	{ WEFT_DGRAM, 0, 34, 2, 0x12, WEFT_PARSE_OK },
	{ WEFT_RESET, 0, 24, 8, 0, WEFT_PARSE_OK },		/* flow */
	{ WEFT_HERE, 0, 64, 1, 4, WEFT_PARSE_FIELD },		/* versions */
	{ WEFT_DATA, WEFT_F_INTRO, 104, 1, 4, WEFT_PARSE_FIELD },
};

static void packet_parse__fields(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(fields); i++) {
		struct kind_case c = { "", fields[i].kind, fields[i].flags,
			weft_packet_hlen(fields[i].kind, fields[i].flags), 10 };
		struct weft_pkt pkt = sample(&c), back;
		u8 data[ROOM];

		weft_packet_build(&pkt, data);
		/* An ACK has as many bytes as it has ranges. */
		data[5] = 10;
		memset(data + fields[i].at, fields[i].value, fields[i].len);
		KUNIT_EXPECT_EQ_MSG(test, reparse(&back, data), fields[i].want,
				    "case %u", i);
	}
}

static void packet_parse__any_alignment(struct kunit *test)
{
	const struct kind_case *c = test->param_value;
	struct weft_pkt pkt = sample(c), back;
	u8 data[ROOM + 8];
	unsigned int n;

	for (n = 0; n < 8; n++) {
		weft_packet_build(&pkt, data + n);
		KUNIT_ASSERT_EQ(test, reparse(&back, data + n), WEFT_PARSE_OK);
		KUNIT_EXPECT_MEMEQ(test, &pkt, &back, sizeof(pkt));
	}
}

static void packet_parse__random_bytes(struct kunit *test)
{
	static struct weft_pkt pkt, again;
	static u8 data[ROOM], copy[ROOM];
	u64 state = 7;
	unsigned int i, n, fine = 0;

	for (n = 0; n < 100000; n++) {
		unsigned int total = sim_random(&state) >> 56;
		unsigned int len = min(total, 128U);

		for (i = 0; i < sizeof(data); i++)
			data[i] = sim_random(&state) >> 40;
		data[0] = WEFT_VERSION_MAX << 4 | (data[0] & 15);
		data[4] = 0;
		if (weft_packet_parse(&pkt, data, len, total))
			continue;
		fine++;
		/* What parses says the same when it is built again. */
		if (pkt.kind == WEFT_ACK)
			pkt.plen = 0;
		weft_packet_build(&pkt, copy);
		KUNIT_ASSERT_EQ(test, WEFT_PARSE_OK,
				weft_packet_parse(&again, copy, 128, 65535));
		KUNIT_EXPECT_MEMEQ(test, &pkt, &again, sizeof(pkt));
	}
	KUNIT_EXPECT_GT(test, fine, 100);
}

static void packet_ranges__round_trip(struct kunit *test)
{
	static struct weft_range in[WEFT_RANGES_MAX + 1], out[WEFT_RANGES_MAX];
	static u8 data[WEFT_HLEN_MAX + WEFT_RANGES_MAX * 8];
	struct weft_pkt pkt = { .kind = WEFT_ACK, .ack = 1ULL << 40 };
	unsigned int i, len;

	for (i = 0; i <= WEFT_RANGES_MAX; i++) {
		in[i].start = pkt.ack + 10 + 100ULL * i;
		in[i].end = in[i].start + 50;
	}
	pkt.ranges = in;
	for (i = 0; i <= WEFT_RANGES_MAX + 1; i++) {
		unsigned int want = min_t(u32, i, WEFT_RANGES_MAX);

		pkt.nr_ranges = i;
		weft_packet_build(&pkt, data);
		len = weft_packet_put_ranges(&pkt, data);
		KUNIT_EXPECT_EQ(test, len, want * 8);
		KUNIT_EXPECT_EQ(test, pkt.plen, len);
		KUNIT_ASSERT_EQ(test, want, weft_packet_get_ranges(&pkt, data,
								   len, out));
		KUNIT_EXPECT_MEMEQ(test, in, out, want * sizeof(*in));
	}
}

static void packet_ranges__lies_are_left_out(struct kunit *test)
{
	static const u8 data[] = {
		0, 0, 0, 5, 0, 0, 0, 5,			/* empty */
		0, 0, 0, 6, 0, 0, 0, 5,			/* reversed */
		0xff, 0xff, 0xff, 0xfe, 0xff, 0xff, 0xff, 0xff,	/* wraps */
		0, 0, 0, 1, 0, 0, 0, 2,			/* good */
		0, 0, 0, 1, 0, 0, 0,			/* cut */
	};
	struct weft_pkt pkt = { .ack = ~0ULL - 1000 };
	static struct weft_range out[WEFT_RANGES_MAX];

	KUNIT_EXPECT_EQ(test, 1, weft_packet_get_ranges(&pkt, data,
							sizeof(data), out));
	KUNIT_EXPECT_EQ(test, out[0].start, pkt.ack + 1);
	KUNIT_EXPECT_EQ(test, 0, weft_packet_get_ranges(&pkt, data, 7, out));
}

static void packet_ranges__beyond_32_bits_go_out_empty(struct kunit *test)
{
	const struct weft_range far = { 1ULL << 33, 1ULL << 34 };
	struct weft_pkt pkt = { .kind = WEFT_ACK, .ranges = &far,
				.nr_ranges = 1 };
	static struct weft_range out[WEFT_RANGES_MAX];
	u8 data[8];

	KUNIT_EXPECT_EQ(test, weft_packet_put_ranges(&pkt, data), 8);
	KUNIT_EXPECT_EQ(test, 0, weft_packet_get_ranges(&pkt, data, 8, out));
}

static void wire_patch__makes_the_segments_header(struct kunit *test)
{
	static const struct kind_case c = { "", WEFT_DATA, 0, 64, 4000 };
	struct weft_pkt pkt = sample(&c), want = pkt;
	static struct weft_pkt back;
	static u64 data[ROOM / 8];

	weft_packet_build(&pkt, (u8 *)data);
	weft_wire_patch((struct weft_wire_start *)data, 2, 2872, 1128);
	KUNIT_ASSERT_EQ(test, reparse(&back, (u8 *)data), WEFT_PARSE_OK);
	want.hlen = 64;
	want.number += 2;
	want.offset += 2872;
	want.plen = 1128;
	KUNIT_EXPECT_MEMEQ(test, &want, &back, sizeof(want));
}

static struct kunit_case packet_cases[] = {
	KUNIT_CASE_PARAM(packet_hlen__is_that_of_the_drawing, kinds_gen_params),
	KUNIT_CASE_PARAM(packet_build__round_trip, kinds_gen_params),
	KUNIT_CASE_PARAM(packet_build__writes_every_byte, kinds_gen_params),
	KUNIT_CASE(packet_build__bytes_of_data),
	KUNIT_CASE_PARAM(packet_parse__cut_at_every_byte, kinds_gen_params),
	KUNIT_CASE_PARAM(packet_parse__padding_is_ignored, kinds_gen_params),
	KUNIT_CASE_PARAM(packet_parse__unknown_bytes_are_skipped,
			 kinds_gen_params),
	KUNIT_CASE_PARAM(packet_parse__versions, kinds_gen_params),
	KUNIT_CASE(packet_parse__flags),
	KUNIT_CASE(packet_parse__kinds),
	KUNIT_CASE(packet_parse__fields),
	KUNIT_CASE_PARAM(packet_parse__any_alignment, kinds_gen_params),
	KUNIT_CASE(packet_parse__random_bytes),
	KUNIT_CASE(packet_ranges__round_trip),
	KUNIT_CASE(packet_ranges__lies_are_left_out),
	KUNIT_CASE(packet_ranges__beyond_32_bits_go_out_empty),
	KUNIT_CASE(wire_patch__makes_the_segments_header),
	{}
};

static struct kunit_suite packet_suite = {
	.name = "weft_packet",
	.test_cases = packet_cases,
};

kunit_test_suite(packet_suite);
