/* SPDX-License-Identifier: GPL-2.0 */
/* How often something may happen: a bucket of tokens, kept as one time. */
#ifndef WEFT_PROTO_BUCKET_H
#define WEFT_PROTO_BUCKET_H

#include <linux/minmax.h>
#include <linux/types.h>

/**
 * weft_quota_next() - may it happen once more?
 * @at: up to here all is used, ns; 0 at first
 * @now: ns, not 0
 * @gap_ns: between two of them in the long run
 * @burst_ns: what was not used of so much time may be used at once
 *
 * Return: @at from now on; 0 when it may not happen, and nothing changes.
 */
static inline u64 weft_quota_next(u64 at, u64 now, u64 gap_ns, u64 burst_ns)
{
	u64 next = max(at, now) + gap_ns;

	return next - now <= burst_ns ? next : 0;
}

#endif /* WEFT_PROTO_BUCKET_H */
