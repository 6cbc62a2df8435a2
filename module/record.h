/* SPDX-License-Identifier: GPL-2.0 */
/* SEQPACKET: messages in a byte stream, each behind its length. */
#ifndef WEFT_RECORD_H
#define WEFT_RECORD_H

#include <linux/types.h>

struct sk_buff;

/**
 * struct weft_scan - how far a record reaches
 * @left: bytes of the current record still to come
 * @have: bytes of its length that are here; all of them while @left counts
 * @head: those bytes
 */
struct weft_scan {
	u32	left;
	u8	have;
	u8	head[4];
};

/**
 * weft_scan_skb() - walk over bytes that were put in order
 * @skb: bytes [@pos, @pos + @len) of it
 * @max: largest record allowed
 * @partial: bytes since the last end of a record, in and out
 * @records: whole records, in and out
 *
 * Return: false when a record is larger than @max: the peer is broken.
 */
bool weft_scan_skb(struct weft_scan *scan, const struct sk_buff *skb, u32 pos,
		   u32 len, u32 max, u32 *partial, u32 *records);

#endif /* WEFT_RECORD_H */
