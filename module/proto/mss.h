/* SPDX-License-Identifier: GPL-2.0 */
/* How large a segment passes, where nobody says so. */
#ifndef WEFT_PROTO_MSS_H
#define WEFT_PROTO_MSS_H

#include <linux/types.h>

/* After segments were made smaller, larger ones are tried again; once more when
 * the largest that passes has been found.
 */
#define WEFT_MSS_TRY_NS		(10 * 1000000000ULL)
#define WEFT_MSS_AGAIN_NS	(600 * 1000000000ULL)
/* Near enough to the largest that passes, bytes. */
#define WEFT_MSS_NEAR		64

/**
 * struct weft_mss - payload of a segment
 * @path: what both ends say that the path takes, bytes
 * @now: in use, bytes; less than @path when that does not pass
 * @high: least that is known not to pass, bytes; 0: all that were sent did
 * @trial: payload of the larger segment that is under way, 0 for none
 * @trial_start: where it begins in the stream
 * @try_ns: a larger one is not tried before
 * @whole: the next trial is @path itself
 */
struct weft_mss {
	u32	path;
	u32	now;
	u32	high;
	u32	trial;
	u64	trial_start;
	u64	try_ns;
	bool	whole;
};

/** weft_mss_set_path() - the ends say that the path takes @path; true: news */
bool weft_mss_set_path(struct weft_mss *m, u32 path);

/** weft_mss_blocked() - segments do not pass, while small packets do */
void weft_mss_blocked(struct weft_mss *m, u64 now);

/** weft_mss_to_try() - payload of a segment that is worth a trial, or 0 */
u32 weft_mss_to_try(const struct weft_mss *m, u64 now);

/** weft_mss_tried() - it left, from @start on */
void weft_mss_tried(struct weft_mss *m, u64 start, u32 payload);

/** weft_mss_acked() - all below @una arrived; true: @now has grown */
bool weft_mss_acked(struct weft_mss *m, u64 una, u64 now);

/** weft_mss_lost() - what begins at @start is taken for lost */
void weft_mss_lost(struct weft_mss *m, u64 start, u64 now);

#endif /* WEFT_PROTO_MSS_H */
