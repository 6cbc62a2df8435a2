/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How much may be under way, and how fast it leaves: a table of algorithms.
 *
 * The engine tells cc.c what happened; cc.c keeps the episodes of loss, which
 * all algorithms have in common, and asks the algorithm of the flow for its
 * verdict: @cwnd and @pacing_rate.
 */
#ifndef WEFT_PROTO_CC_H
#define WEFT_PROTO_CC_H

#include <linux/types.h>

/* RFC 6928 */
#define WEFT_CWND_INITIAL_SEGMENTS	10
#define WEFT_CWND_MIN_SEGMENTS		2
#define WEFT_CWND_MAX			(1U << 30)

/* Longest name of an algorithm, with its end. */
#define WEFT_CC_NAME_BYTES		16

/* What leaves at once when a flow is paced: so much time at its rate. */
#define WEFT_BURST_NS			1000000U
#define WEFT_BURST_MIN_SEGMENTS		2

/**
 * struct weft_cc_ack - what an acknowledgment told
 * @now: ns
 * @acked: bytes that it tells of for the first time
 * @in_flight: bytes sent of which nothing is known now
 * @prior_in_flight: the same before it
 * @delivered: bytes that arrived since the flow began
 * @lost: bytes taken for lost since the flow began
 * @rate: at which bytes arrived of late, bytes/s, 0 where it says nothing
 * @prior_delivered: @delivered when what it tells of was sent
 * @rtt_ns: round-trip time, 0 when it tells none
 * @srtt_ns: smoothed round-trip time
 * @late_ns: how long ago what it tells of and others overtook was sent, added
 *	up: @rtt_ns is the time of those that overtake
 * @nr_late: of these
 * @shuffled: it shows that the path changes the order of packets
 * @rate_limited: the program, not the path, set @rate
 * @limited: @cwnd (or the pace) was what held the flow back
 */
struct weft_cc_ack {
	u64	now;
	u64	acked;
	u64	in_flight;
	u64	prior_in_flight;
	u64	delivered;
	u64	lost;
	u64	rate;
	u64	prior_delivered;
	u64	rtt_ns;
	u64	srtt_ns;
	u64	late_ns;
	u32	nr_late;
	bool	shuffled;
	bool	rate_limited;
	bool	limited;
};

struct weft_cc;

/**
 * struct weft_cc_ops - an algorithm
 * @name: as in net.weft.congestion_control
 * @init: a new flow, or another algorithm had it: @cwnd is set
 * @acked: bytes arrived
 * @reduce: an episode of loss begins (RFC 5681), with @timeout by the
 *	retransmission timer; must set @cwnd
 * @undo: the last episode was none; cc.c has put @cwnd and @ssthresh back;
 *	may be NULL
 * @idle: nothing was sent for longer than the timeout; may be NULL
 * @resize: cc->mss has changed; may be NULL
 */
struct weft_cc_ops {
	const char	*name;
	void		(*init)(struct weft_cc *cc);
	void		(*acked)(struct weft_cc *cc,
				 const struct weft_cc_ack *ack);
	void		(*reduce)(struct weft_cc *cc, bool timeout, u64 now);
	void		(*undo)(struct weft_cc *cc);
	void		(*idle)(struct weft_cc *cc);
	void		(*resize)(struct weft_cc *cc);
};

/**
 * struct weft_cubic - state of cc_cubic.c
 * @epoch_ns: when this epoch of growth began, 0 before its first byte; later by
 *	the time in which the program limited the flow
 * @acked_ns: of the last acknowledgment
 * @origin: of the curve, bytes
 * @k_ms: when the curve reaches @origin, ms after @epoch_ns
 * @w_max: @cwnd before the last episode
 * @reno: what NewReno's rules would allow, bytes
 * @srtt_ns: smoothed round-trip time
 * @base_ns: least round-trip time
 * @round_end: @delivered that ends this round trip
 * @round_rtt_ns: least round-trip time in this round, 0 before any
 * @last_rtt_ns: of the round before
 * @css_rounds: rounds of conservative slow start that are left, 0 outside
 */
struct weft_cubic {
	u64	epoch_ns;
	u64	acked_ns;
	u32	origin;
	u32	k_ms;
	u32	w_max;
	u32	reno;
	u64	srtt_ns;
	u64	base_ns;
	u64	round_end;
	u64	round_rtt_ns;
	u64	last_rtt_ns;
	u8	css_rounds;
};

/**
 * struct weft_delay - state of cc_delay.c
 * @srtt_ns: smoothed round-trip time
 * @base_ns: least round-trip time
 * @base_at_ns: when that was seen
 * @round_end: @delivered that ends this round trip
 * @round_rtt_ns: least round-trip time in this round, 0 before any
 */
struct weft_delay {
	u64	srtt_ns;
	u64	base_ns;
	u64	base_at_ns;
	u64	round_end;
	u64	round_rtt_ns;
};

/**
 * struct weft_rate - state of cc_rate.c
 * @bw: largest rate of delivery in this cycle of probing and the one before
 * @full_bw: rate that start-up, or UP, must beat
 * @min_rtt_ns: least round-trip time of late, 0 before any
 * @min_at_ns: when that was last seen
 * @own_ns: least mean of a round of late, 0 before any; note "Shuffle"
 * @own_at_ns: when that was last seen
 * @look_rtt_ns: EMPTY, LOOK: least round-trip time since, 0 before any
 * @round_end: @delivered that ends this round trip
 * @round_at_ns: when this round began
 * @round_rtt_ns: least round-trip time in this round, 0 before any
 * @last_rtt_ns: of the round before
 * @mean_rtt_ns: mean of that
 * @sum_rtt_ns: of all round-trip times in this round
 * @nr_rtt: of them
 * @last_nr_rtt: of the round before
 * @spread_ns: by how much the mean of a round is above its least
 * @lost: bytes lost before losses were last judged
 * @known: bytes lost or delivered before that
 * @phase_ns: when the phase began
 * @ceiling: of bytes under way, by losses; WEFT_CWND_MAX without
 * @lossy: mean part of what was sent that is lost; note "Loss" of cc_rate.c
 * @phase: enum of cc_rate.c
 * @phase_before: EMPTY
 * @cwnd_before: likewise
 * @rounds: ended in this phase
 * @stalled: rounds of start-up without growth
 * @regrows: a timeout closed the window, and it is not open again
 * @shuffled: packets go several ways, or did before the last LOOK
 * @shuffles: rounds since that showed it
 * @overtaken: packets overtook others in this round
 * @spin: what makes cycles of several flows differ
 */
struct weft_rate {
	u64	bw[2];
	u64	full_bw;
	u64	min_rtt_ns;
	u64	min_at_ns;
	u64	own_ns;
	u64	own_at_ns;
	u64	look_rtt_ns;
	u64	round_end;
	u64	round_at_ns;
	u64	round_rtt_ns;
	u64	last_rtt_ns;
	u64	mean_rtt_ns;
	u64	sum_rtt_ns;
	u64	spread_ns;
	u64	lost;
	u64	known;
	u64	phase_ns;
	u32	nr_rtt;
	u32	last_nr_rtt;
	u32	ceiling;
	u32	cwnd_before;
	u16	lossy;
	u8	phase;
	u8	phase_before;
	u8	rounds;
	u8	stalled;
	bool	regrows;
	bool	shuffled;
	u8	shuffles;
	bool	overtaken;
	u8	spin;
};

/**
 * struct weft_cc - congestion control of one flow
 * @ops: never NULL
 * @mss: bytes
 * @cwnd: bytes that may be under way
 * @ssthresh: bytes, where slow start ends; for those that have one
 * @pacing_rate: bytes/s, 0 when the flow knows of no bottleneck
 * @max_rate: bytes/s, the most that the program wants (SO_MAX_PACING_RATE); 0: as
 *	fast as the path allows
 * @acked: bytes acked since cwnd last grew (congestion avoidance)
 * @recovering: a loss episode is being repaired
 * @recover: losses below this offset belong to an episode answered already
 * @suspect: bytes that were taken for lost in this episode and did not arrive
 *	all the same
 * @prior_cwnd: before this episode, 0 outside of one
 * @prior_ssthresh: likewise
 */
struct weft_cc {
	const struct weft_cc_ops *ops;
	u32	mss;
	u32	cwnd;
	u32	ssthresh;
	u64	pacing_rate;
	u64	max_rate;
	u32	acked;
	bool	recovering;
	u64	recover;
	u64	suspect;
	u32	prior_cwnd;
	u32	prior_ssthresh;
	union {
		struct weft_cubic	cubic;
		struct weft_delay	delay;
		struct weft_rate	rate;
	};
};

extern const struct weft_cc_ops weft_cc_rate;	/* the default */
extern const struct weft_cc_ops weft_cc_cubic;
extern const struct weft_cc_ops weft_cc_delay;

/** weft_cc_at() - the algorithms in turn, the default first; NULL behind them */
const struct weft_cc_ops *weft_cc_at(unsigned int i);

/** weft_cc_find() - by name, NULL when there is none */
const struct weft_cc_ops *weft_cc_find(const char *name);

void weft_cc_init(struct weft_cc *cc, const struct weft_cc_ops *ops, u32 mss);

/** weft_cc_switch() - another algorithm goes on with a flow */
void weft_cc_switch(struct weft_cc *cc, const struct weft_cc_ops *ops);

/** weft_cc_resize() - segments are of another size */
void weft_cc_resize(struct weft_cc *cc, u32 mss);

/** weft_cc_delivered() - bytes arrived; all below @una did */
void weft_cc_delivered(struct weft_cc *cc, const struct weft_cc_ack *ack,
		       u64 una);

/**
 * weft_cc_lost() - @bytes from @start on are taken for lost
 * @snd_nxt: next byte never sent, the end of the episode that this opens
 */
void weft_cc_lost(struct weft_cc *cc, u64 start, u64 bytes, u64 snd_nxt,
		  u64 now);

/**
 * weft_cc_timeout() - the retransmission timer expired
 *
 * What is taken for lost then is told with weft_cc_suspect().
 */
void weft_cc_timeout(struct weft_cc *cc, u64 snd_una, u64 snd_nxt, u64 now);

/** weft_cc_suspect() - @bytes more are taken for lost in this episode */
void weft_cc_suspect(struct weft_cc *cc, u64 bytes);

/**
 * weft_cc_spurious() - @bytes that were taken for lost had arrived
 *
 * When that is true of all bytes of an episode, it is as if it had not been.
 */
void weft_cc_spurious(struct weft_cc *cc, u64 bytes);

/** weft_cc_idle() - nothing was sent for longer than the timeout */
void weft_cc_idle(struct weft_cc *cc);

/** weft_cc_burst() - bytes that may leave in one go, at most @most */
u32 weft_cc_burst(const struct weft_cc *cc, u32 most);

/** weft_cc_is_bounded() - is the pace the program's, and not the path's? */
static inline bool weft_cc_is_bounded(const struct weft_cc *cc)
{
	return cc->max_rate &&
	       (!cc->pacing_rate || cc->max_rate < cc->pacing_rate);
}

/** weft_cc_pace() - bytes/s at which the flow may send, 0: at once */
static inline u64 weft_cc_pace(const struct weft_cc *cc)
{
	return weft_cc_is_bounded(cc) ? cc->max_rate : cc->pacing_rate;
}

/** weft_cc_gap_ns() - how long @bytes take at the flow's pace */
u64 weft_cc_gap_ns(const struct weft_cc *cc, u32 bytes);

/* For the algorithms. */

/** weft_cc_avoid() - congestion avoidance by RFC 5681: a segment a window */
void weft_cc_avoid(struct weft_cc *cc, u64 bytes, u32 window);

/** weft_cc_slow_start() - cwnd grows by @bytes, up to ssthresh */
void weft_cc_slow_start(struct weft_cc *cc, u64 bytes);

/** weft_cc_pace_window() - the pace that a window and its round trip make */
void weft_cc_pace_window(struct weft_cc *cc, u64 srtt_ns);

/** weft_cc_smooth() - RFC 6298's smoothed time */
u64 weft_cc_smooth(u64 srtt_ns, u64 sample_ns);

#endif /* WEFT_PROTO_CC_H */
