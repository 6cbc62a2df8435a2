// SPDX-License-Identifier: GPL-2.0
/*
 * The books of a datagram in pieces. Pieces that overlap without being the
 * same come from nobody who means well: the first that came counts (RFC 5722
 * tells what else may happen).
 */
#include "frag.h"

void weft_frag_init(struct weft_frag *f, const struct weft_pkt *pkt)
{
	f->id = pkt->id;
	f->total = pkt->total;
	f->sport = pkt->sport;
	f->dport = pkt->dport;
	f->have = 0;
	f->nr = 0;
}

/* Would a sender of this datagram send such a piece? */
static bool is_sound(const struct weft_frag *f, const struct weft_pkt *pkt)
{
	u64 end = pkt->offset + pkt->plen;

	if (pkt->total != f->total || f->total > WEFT_DGRAM_BYTES ||
	    pkt->sport != f->sport || pkt->dport != f->dport)
		return false;
	if (!pkt->plen || end > f->total)
		return false;
	return pkt->plen >= WEFT_FRAG_MIN || end == f->total;
}

enum weft_frag_verdict weft_frag_add(struct weft_frag *f,
				     const struct weft_pkt *pkt)
{
	struct weft_range piece = { pkt->offset, pkt->offset + pkt->plen };
	struct weft_range_set held = {
		.at = f->held, .nr = f->nr, .max = WEFT_FRAG_GAPS,
	};
	unsigned int i;

	if (!is_sound(f, pkt))
		return WEFT_FRAG_WRONG;
	for (i = 0; i < f->nr; i++) {
		const struct weft_range *at = &f->held[i];

		if (piece.start >= at->end || piece.end <= at->start)
			continue;
		return piece.start >= at->start && piece.end <= at->end ?
		       WEFT_FRAG_AGAIN : WEFT_FRAG_WRONG;
	}
	if (!weft_range_add(&held, &piece, &i))
		return WEFT_FRAG_FULL;
	f->nr = held.nr;
	f->have += pkt->plen;
	return f->have == f->total ? WEFT_FRAG_WHOLE : WEFT_FRAG_KEEP;
}
