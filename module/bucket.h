/* SPDX-License-Identifier: GPL-2.0 */
/* What strangers can cause, at most, in a second. */
#ifndef WEFT_BUCKET_H
#define WEFT_BUCKET_H

#include <linux/atomic.h>
#include <linux/hash.h>
#include <linux/ktime.h>
#include <linux/unaligned.h>

#include "proto/bucket.h"

/**
 * struct weft_quota - a limit that all CPUs share
 * @at: see weft_quota_next()
 *
 * The kernel's own (6.12) takes two CPUs at once for one too many.
 */
struct weft_quota {
	atomic64_t	at;
};

/** weft_quota_allow() - may it happen once more? any context */
static inline bool weft_quota_allow(struct weft_quota *quota, u32 per_sec)
{
	u32 gap_ns = NSEC_PER_SEC / per_sec;
	s64 at = atomic64_read(&quota->at);
	u64 now = ktime_get_ns(), next;

	do {
		next = weft_quota_next(at, now, gap_ns, NSEC_PER_SEC);
		if (!next)
			return false;
	} while (!atomic64_try_cmpxchg(&quota->at, &at, next));
	return true;
}

#define WEFT_QUOTA_PARTS_BITS	4
#define WEFT_QUOTA_PARTS	(1 << WEFT_QUOTA_PARTS_BITS)
/* Of what is allowed, one station has at most such a part. */
#define WEFT_QUOTA_SHARE	4

/**
 * struct weft_shared_quota - a limit that no station can use up alone
 * @all: of all stations
 * @part: of those whose MAC addresses have the same hash
 *
 * All bytes zero is one of which nothing has been used.
 */
struct weft_shared_quota {
	struct weft_quota	all;
	struct weft_quota	part[WEFT_QUOTA_PARTS];
};

/**
 * weft_shared_quota_allow() - may the station @mac once more? any context
 * @per_sec: all stations together; at least WEFT_QUOTA_SHARE
 */
static inline bool weft_shared_quota_allow(struct weft_shared_quota *quota,
					   const u8 *mac, u32 per_sec)
{
	u32 part = hash_32(get_unaligned((const u32 *)(mac + 2)),
			   WEFT_QUOTA_PARTS_BITS);

	return weft_quota_allow(&quota->part[part],
				per_sec / WEFT_QUOTA_SHARE) &&
	       weft_quota_allow(&quota->all, per_sec);
}

#endif /* WEFT_BUCKET_H */
