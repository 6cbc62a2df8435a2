// SPDX-License-Identifier: GPL-2.0
/* SEQPACKET: finding the ends of messages in a byte stream. */
#include <linux/minmax.h>
#include <linux/skbuff.h>
#include <linux/string.h>

#include "proto/wire.h"
#include "record.h"

/* Take bytes of a record's length; false when it is too large. */
static bool take_head(struct weft_scan *scan, const struct sk_buff *skb,
		      u32 pos, u32 n, u32 max)
{
	__be32 length;

	if (skb_copy_bits(skb, pos, scan->head + scan->have, n))
		return false;
	scan->have += n;
	if (scan->have < WEFT_RECORD_BYTES)
		return true;
	memcpy(&length, scan->head, sizeof(length));
	scan->left = be32_to_cpu(length);
	return scan->left <= max;
}

bool weft_scan_skb(struct weft_scan *scan, const struct sk_buff *skb, u32 pos,
		   u32 len, u32 max, u32 *partial, u32 *records)
{
	while (len) {
		bool in_head = scan->have < WEFT_RECORD_BYTES;
		u32 n = min_t(u32, len, in_head ?
			      WEFT_RECORD_BYTES - scan->have : scan->left);

		if (!in_head)
			scan->left -= n;
		else if (!take_head(scan, skb, pos, n, max))
			return false;
		*partial += n;
		pos += n;
		len -= n;
		if (scan->have == WEFT_RECORD_BYTES && !scan->left) {
			scan->have = 0;
			*partial = 0;
			(*records)++;
		}
	}
	return true;
}
