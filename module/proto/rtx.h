/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What was sent and is not acknowledged: the records of an engine, and the
 * judgement which of them are lost (RFC 8985).
 */
#ifndef WEFT_PROTO_RTX_H
#define WEFT_PROTO_RTX_H

#include <linux/math64.h>

#include "engine.h"

/* The protocol's clock: us, never 0 so that 0 can say "none". */
static inline u32 weft_rtx_clock(u64 ns)
{
	u32 us = (u32)div_u64(ns, WEFT_NS_PER_US);

	return us ? us : 1;
}

/* Is the first of two times of that clock the earlier one? It wraps. */
static inline bool weft_rtx_is_before(u32 a, u32 b)
{
	return (s32)(a - b) < 0;
}

/** weft_rtx_at() - the record of index @i, 0 the first */
static inline struct weft_record *weft_rtx_at(const struct weft_engine *e,
					      unsigned int i)
{
	unsigned int at = e->first_rec + i;

	return &e->recs[at < e->max_recs ? at : at - e->max_recs];
}

/**
 * weft_rtx_has_room() - may new bytes be sent?
 *
 * A quarter of the records stays free: acknowledged parts of super-packets
 * need them.
 */
bool weft_rtx_has_room(const struct weft_engine *e);

/** weft_rtx_sent() - new bytes up to @end left; there is room */
void weft_rtx_sent(struct weft_engine *e, u64 end, u64 now);

/** weft_rtx_resent() - bytes [@start, @end) of one record left once more */
void weft_rtx_resent(struct weft_engine *e, u64 start, u64 end, u64 now);

/**
 * weft_rtx_acked() - all bytes below @ack arrived
 * @echo: our time that came back in the packet that says so
 */
void weft_rtx_acked(struct weft_engine *e, u64 ack, u32 echo, u64 now);

/** weft_rtx_sacked() - the bytes of @range arrived; likewise */
void weft_rtx_sacked(struct weft_engine *e, const struct weft_range *range,
		     u32 echo, u64 now);

/**
 * weft_rtx_rate() - the rate of delivery that the packet just taken tells of
 *
 * Return: bytes/s, 0 when it tells of none.
 */
u64 weft_rtx_rate(const struct weft_engine *e, u64 now);

/** weft_rtx_learn() - the packet just taken told of round trips that others hide */
void weft_rtx_learn(struct weft_engine *e, u64 now);

/** weft_rtx_detect() - mark what counts as lost by now, set @reorder_ns */
void weft_rtx_detect(struct weft_engine *e, u64 now);

/** weft_rtx_timeout() - nothing was heard for too long: mark what is lost */
void weft_rtx_timeout(struct weft_engine *e, u64 now);

/** weft_rtx_find_lost() - the first record to be sent again, or NULL */
struct weft_record *weft_rtx_find_lost(struct weft_engine *e);

/** weft_rtx_lend() - move the records to a larger array */
void weft_rtx_lend(struct weft_engine *e, struct weft_record *recs,
		   unsigned int max);

#endif /* WEFT_PROTO_RTX_H */
