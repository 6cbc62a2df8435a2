/* SPDX-License-Identifier: GPL-2.0 */
/* What strangers can cause, at most, in a second. */
#ifndef WEFT_BUCKET_H
#define WEFT_BUCKET_H

#include <linux/atomic.h>
#include <linux/ktime.h>

#include "proto/bucket.h"

/**
 * struct weft_quota - a limit that all CPUs share
 * @at: see weft_quota_next()
 * @gap_ns: likewise
 *
 * The kernel's own (6.12) takes two CPUs at once for one too many.
 */
struct weft_quota {
	atomic64_t	at;
	u32		gap_ns;
};

static inline void weft_quota_init(struct weft_quota *bucket, u32 per_sec)
{
	atomic64_set(&bucket->at, 0);
	bucket->gap_ns = NSEC_PER_SEC / per_sec;
}

/** weft_quota_allow() - may it happen once more? any context */
static inline bool weft_quota_allow(struct weft_quota *bucket)
{
	s64 at = atomic64_read(&bucket->at);
	u64 now = ktime_get_ns(), next;

	do {
		next = weft_quota_next(at, now, bucket->gap_ns, NSEC_PER_SEC);
		if (!next)
			return false;
	} while (!atomic64_try_cmpxchg(&bucket->at, &at, next));
	return true;
}

#endif /* WEFT_BUCKET_H */
