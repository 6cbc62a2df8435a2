// SPDX-License-Identifier: GPL-2.0
/*
 * A frame, as bytes: what parses must be built again to the same bytes, and
 * must obey what receive.c relies on. Then its payload, as ranges. Each input
 * is tried with many changes of its fields, too: those that it says itself, so
 * that the same input is always the same executions.
 */
#include "fuzz.h"
#include <linux/minmax.h>

#include "packet.h"

/* Parsed host form and the bytes of it: only what nobody reads may differ. */
static void compare_bytes(const u8 *was, const u8 *is,
			  const struct weft_pkt *pkt, unsigned int hlen)
{
	struct weft_wire_start *start = (struct weft_wire_start *)was;
	unsigned int i;

	fuzz_check(start->version_kind == is[0]);
	for (i = 4; i < hlen; i++) {
		bool unread = false;

		/* An ACK's payload is counted in ranges. */
		if (i < 6 && pkt->kind == WEFT_ACK)
			unread = true;
		/* The reserved fields of OPEN and OPENED. */
		if (pkt->kind == WEFT_OPEN || pkt->kind == WEFT_OPENED)
			unread |= (i >= 69 && i < 72) || (i >= 76 && i < 80);
		if (!unread && was[i] != is[i])
			fuzz_fail("byte %u of kind %u: %02x is built as %02x",
				  i, pkt->kind, was[i], is[i]);
	}
}

static void check_promises(const struct weft_pkt *pkt, unsigned int len,
			   unsigned int total)
{
	unsigned int need = weft_packet_hlen(pkt->kind, pkt->flags);

	fuzz_check(pkt->kind < WEFT_KINDS);
	fuzz_check(need && need <= WEFT_HLEN_MAX && need <= len);
	fuzz_check(pkt->hlen >= need);
	fuzz_check((unsigned int)pkt->hlen + pkt->plen <= total);
	fuzz_check(!(pkt->flags & WEFT_F_CRITICAL & ~WEFT_F_KNOWN));
	if (pkt->kind == WEFT_OPEN || pkt->kind == WEFT_DATA ||
	    pkt->kind == WEFT_CLOSE || pkt->kind == WEFT_OPENED)
		fuzz_check(pkt->flow && pkt->offset + pkt->plen >= pkt->offset);
	if (pkt->kind == WEFT_DGRAM)
		fuzz_check(pkt->offset + pkt->plen <= pkt->total);
}

static void build_again(const struct weft_pkt *pkt, const u8 *data)
{
	u8 built[WEFT_HLEN_MAX + 16];
	struct weft_pkt copy = *pkt, again;
	unsigned int hlen;

	memset(built, 0xa5, sizeof(built));
	hlen = weft_packet_build(&copy, built);
	fuzz_check(hlen == weft_packet_hlen(pkt->kind, pkt->flags));
	fuzz_check(built[hlen] == 0xa5 && !built[2] && !built[3]);
	/* What a newer sender added is not built. */
	built[1] = data[1];
	compare_bytes(data, built, pkt, hlen);
	built[1] = hlen;
	fuzz_check(weft_packet_parse(&again, built, hlen, hlen + copy.plen) ==
		   WEFT_PARSE_OK);
	again.hlen = pkt->hlen;
	again.plen = pkt->plen;
	fuzz_check(!memcmp(&again, pkt, sizeof(again)));
}

static void ranges_again(struct weft_pkt *pkt, const u8 *data,
			 unsigned int len)
{
	struct weft_range ranges[WEFT_RANGES_MAX], again[WEFT_RANGES_MAX];
	u8 bytes[WEFT_RANGES_MAX * sizeof(struct weft_wire_range)];
	unsigned int nr, i;

	nr = weft_packet_get_ranges(pkt, data, len, ranges);
	fuzz_check(nr <= WEFT_RANGES_MAX);
	for (i = 0; i < nr; i++)
		fuzz_check(ranges[i].start >= pkt->ack &&
			   ranges[i].end > ranges[i].start);
	pkt->ranges = ranges;
	pkt->nr_ranges = nr;
	len = weft_packet_put_ranges(pkt, bytes);
	fuzz_check(len == nr * sizeof(struct weft_wire_range));
	fuzz_check(weft_packet_get_ranges(pkt, bytes, len, again) == nr);
	fuzz_check(!memcmp(ranges, again, nr * sizeof(*ranges)));
}

/* As receive.c does: a few bytes at hand, of a frame that may be longer. */
static void try_frame(const u8 *data, unsigned int left, unsigned int padding)
{
	unsigned int total = left + padding;
	unsigned int len = min_t(unsigned int, left, WEFT_HLEN_MAX);
	enum weft_parse result;
	struct weft_pkt pkt;

	/* All of a short frame is there. */
	if (total < WEFT_HLEN_MAX)
		total = left;
	result = weft_packet_parse(&pkt, data, len, total);
	fuzz_check(result <= WEFT_PARSE_FIELD);
	if (result != WEFT_PARSE_OK)
		return;
	check_promises(&pkt, len, total);
	build_again(&pkt, data);
	if (pkt.kind == WEFT_ACK && pkt.hlen <= left)
		ranges_again(&pkt, data + pkt.hlen,
			     min_t(size_t, pkt.plen, left - pkt.hlen));
}

/* --- the same frame, changed --- */

/* Of one input; tools/fuzz divides by it. */
#define VARIANTS	499

static unsigned long executions;

static void say_executions(void)
{
	fprintf(stderr, "stat::parser_executions: %lu\n", executions);
}

static u64 roll(u64 *dice)
{
	u64 z = *dice += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

static u64 hash_of(const u8 *data, unsigned int len)
{
	u64 hash = 0xcbf29ce484222325ULL;

	while (len--)
		hash = (hash ^ *data++) * 0x100000001b3ULL;
	return hash;
}

/* What a field may be: nothing, all, a half, near what it was, anything. */
static u64 odd_value(u64 was, u64 r)
{
	switch (r & 7) {
	case 0:
		return 0;
	case 1:
		return ~0ULL;
	case 2:
		return 1ULL << (r >> 8 & 63);
	case 3:
		return (1ULL << (r >> 8 & 63)) - 1;
	case 4:
		return was + 1 + (r >> 8 & 7);
	case 5:
		return was - 1 - (r >> 8 & 7);
	case 6:
		return r >> 8 & 255;
	default:
		return r >> 3;
	}
}

/* Fields lie where their size divides their place, all but few. */
static void change_field(u8 *data, unsigned int len, u64 r)
{
	unsigned int bytes = 1U << (r & 3), i, at;
	u64 value = 0;

	if (len < bytes)
		return;
	at = (r >> 2 & 1023) % (len - bytes + 1) & ~(bytes - 1);
	for (i = 0; i < bytes; i++)
		value = value << 8 | data[at + i];
	value = odd_value(value, r >> 12);
	for (i = bytes; i--; value >>= 8)
		data[at + i] = value;
}

/* Another kind, with the flags, header and payload length that it may have. */
static void change_kind(u8 *data, unsigned int len, u64 r)
{
	struct weft_wire_start *start = (void *)data;
	u8 kind = (r & 255) % WEFT_KINDS;
	unsigned int hlen;

	if (len < sizeof(*start))
		return;
	start->version_kind = WEFT_VERSION_MAX << 4 | kind;
	start->flags = r >> 8 & WEFT_F_KNOWN;
	hlen = weft_packet_hlen(kind, start->flags);
	start->hlen = hlen + (r >> 16 & 15 ? 0 : r >> 20 & 7);
	if (len >= hlen)
		start->plen = cpu_to_be16(len - hlen - (r >> 24 & 15 ? 0 : 1));
}

/* Between one and four changes of a frame, which may become shorter. */
static unsigned int change(u8 *data, unsigned int len, u64 *dice)
{
	unsigned int n = 1 + (roll(dice) & 3);
	u64 r;

	while (n--) {
		r = roll(dice);
		switch (r >> 60) {
		case 0:
		case 1:
			change_kind(data, len, r);
			break;
		case 2:
			len = r % (len + 1);
			break;
		default:
			change_field(data, len, r);
		}
	}
	return len;
}

/* In a block of its own, so that a byte too far is seen. */
static void try_alone(const u8 *frame, unsigned int len, unsigned int padding)
{
	u8 *data = malloc(len ?: 1);

	memcpy(data, frame, len);
	try_frame(data, len, padding);
	free(data);
	executions++;
}

static void try_variants(const u8 *frame, unsigned int len,
			 unsigned int padding)
{
	u64 dice = hash_of(frame, len) ^ padding;
	u8 *changed = malloc(len ?: 1);
	unsigned int n, left;

	for (n = 0; n < VARIANTS; n++) {
		memcpy(changed, frame, len);
		left = change(changed, len, &dice);
		try_alone(changed, left, roll(&dice) & 1 ? padding : 0);
	}
	free(changed);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	atexit(say_executions);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct fuzz_in in = { input, size };
	unsigned int padding = fuzz_u8(&in);

	try_alone(in.at, in.left, padding);
	try_variants(in.at, in.left, padding);
	return 0;
}
