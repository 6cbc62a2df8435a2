/* SPDX-License-Identifier: GPL-2.0 */
/* How much may be under way: NewReno's rules on bytes. */
#ifndef WEFT_PROTO_CC_H
#define WEFT_PROTO_CC_H

#include <linux/types.h>

/* RFC 6928 */
#define WEFT_CWND_INITIAL_SEGMENTS	10
#define WEFT_CWND_MIN_SEGMENTS		2
#define WEFT_CWND_MAX			(1U << 30)

/**
 * struct weft_cc - congestion control, NewReno's rules on bytes (RFC 5681)
 * @cwnd: bytes
 * @ssthresh: bytes
 * @acked: bytes acked since cwnd last grew (congestion avoidance)
 * @recovering: a loss episode is being repaired and cwnd does not grow
 * @recover: losses below this offset belong to an episode answered already
 * @suspect: bytes that were taken for lost in this episode and did not arrive
 *	all the same
 * @prior_cwnd: before this episode, 0 outside of one
 * @prior_ssthresh: likewise
 */
struct weft_cc {
	u32	cwnd;
	u32	ssthresh;
	u32	acked;
	bool	recovering;
	u64	recover;
	u64	suspect;
	u32	prior_cwnd;
	u32	prior_ssthresh;
};

void weft_cc_init(struct weft_cc *cc, u32 mss);

/** weft_cc_delivered() - @bytes arrived while cwnd was what held us back */
void weft_cc_delivered(struct weft_cc *cc, u32 mss, u64 bytes);

/** weft_cc_acked() - all bytes below @una arrived */
void weft_cc_acked(struct weft_cc *cc, u64 una);

/**
 * weft_cc_lost() - @bytes from @start on are taken for lost
 * @snd_nxt: next byte never sent, the end of the episode that this opens
 */
void weft_cc_lost(struct weft_cc *cc, u32 mss, u64 start, u64 bytes,
		  u64 snd_nxt);

/**
 * weft_cc_timeout() - the retransmission timer expired
 *
 * What is taken for lost then is told with weft_cc_suspect().
 */
void weft_cc_timeout(struct weft_cc *cc, u32 mss, u64 snd_una, u64 snd_nxt);

/** weft_cc_suspect() - @bytes more are taken for lost in this episode */
void weft_cc_suspect(struct weft_cc *cc, u64 bytes);

/**
 * weft_cc_spurious() - @bytes that were taken for lost had arrived
 *
 * When that is true of all bytes of an episode, it is as if it had not been.
 */
void weft_cc_spurious(struct weft_cc *cc, u64 bytes);

/** weft_cc_idle() - nothing was sent for longer than the timeout */
void weft_cc_idle(struct weft_cc *cc, u32 mss);

#endif /* WEFT_PROTO_CC_H */
