// SPDX-License-Identifier: GPL-2.0
/*
 * A frame, as bytes: what parses must be built again to the same bytes, and
 * must obey what receive.c relies on. Then its payload, as ranges.
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
int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct fuzz_in in = { input, size };
	unsigned int padding = fuzz_u8(&in);
	unsigned int total = in.left + padding;
	unsigned int len = min_t(unsigned int, in.left, WEFT_HLEN_MAX);
	/* A block of its own, so that a byte too far is seen. */
	u8 *data = malloc(in.left ?: 1);
	enum weft_parse result;
	struct weft_pkt pkt;

	memcpy(data, in.at, in.left);
	/* All of a short frame is there. */
	if (total < WEFT_HLEN_MAX)
		total = in.left;
	result = weft_packet_parse(&pkt, data, len, total);
	fuzz_check(result <= WEFT_PARSE_FIELD);
	if (result == WEFT_PARSE_OK) {
		check_promises(&pkt, len, total);
		build_again(&pkt, data);
		if (pkt.kind == WEFT_ACK && pkt.hlen <= in.left)
			ranges_again(&pkt, data + pkt.hlen,
				     min_t(size_t, pkt.plen,
					   in.left - pkt.hlen));
	}
	free(data);
	return 0;
}
