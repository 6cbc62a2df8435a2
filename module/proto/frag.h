/* SPDX-License-Identifier: GPL-2.0 */
/* Datagrams in pieces: which of them are here. */
#ifndef WEFT_PROTO_FRAG_H
#define WEFT_PROTO_FRAG_H

#include "range.h"

/* Gaps between the pieces of one datagram. */
#define WEFT_FRAG_GAPS		32
/* A piece is as large as this, or it is the last. */
#define WEFT_FRAG_MIN		(WEFT_FRAME_MIN - WEFT_HLEN_DGRAM)

/**
 * struct weft_frag - a datagram that is not whole yet
 * @id: of it, among those of its sender
 * @total: bytes of it
 * @sport: of its sender
 * @dport: of its receiver
 * @have: bytes that are here
 * @nr: of @held in use
 * @held: where they are
 */
struct weft_frag {
	u32	id;
	u32	total;
	u16	sport;
	u16	dport;
	u32	have;
	unsigned int nr;
	struct weft_range held[WEFT_FRAG_GAPS];
};

enum weft_frag_verdict {
	WEFT_FRAG_KEEP = 0,	/* it is new: keep it */
	WEFT_FRAG_WHOLE,	/* keep it, and the datagram is whole */
	WEFT_FRAG_AGAIN,	/* all of it is here */
	WEFT_FRAG_WRONG,	/* it contradicts what is here, or none sends such */
	WEFT_FRAG_FULL,		/* there are too many gaps */
};

/** weft_frag_is_whole() - is this DGRAM a datagram, and not a piece of one? */
static inline bool weft_frag_is_whole(const struct weft_pkt *pkt)
{
	return !pkt->offset && pkt->total == pkt->plen;
}

/** weft_frag_init() - of the datagram that @pkt is a piece of, nothing is here */
void weft_frag_init(struct weft_frag *f, const struct weft_pkt *pkt);

/** weft_frag_add() - a piece with the id of @f came; only KEEP and WHOLE change it */
enum weft_frag_verdict weft_frag_add(struct weft_frag *f,
				     const struct weft_pkt *pkt);

#endif /* WEFT_PROTO_FRAG_H */
