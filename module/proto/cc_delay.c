// SPDX-License-Identifier: GPL-2.0
/*
 * By delay: a flow keeps a few segments of its own in the bottleneck's queue,
 * and no more. All flows of a bottleneck see the same delay, so that each gets
 * the same share. Loss halves the window, as with NewReno.
 */
#include <linux/math64.h>
#include <linux/minmax.h>

#include "cc.h"
#include "rtt.h"

/* Segments of one flow that may wait: fewer, the window grows; more, it falls */
#define QUEUED_MIN	3
#define QUEUED_MAX	5

static void init(struct weft_cc *cc)
{
	cc->delay = (struct weft_delay){};
}

static void note_rtt(struct weft_cc *cc, const struct weft_cc_ack *ack)
{
	struct weft_delay *d = &cc->delay;

	if (!ack->rtt_ns)
		return;
	d->srtt_ns = weft_cc_smooth(d->srtt_ns, ack->rtt_ns);
	if (!d->base_ns || ack->rtt_ns <= d->base_ns ||
	    ack->now - d->base_at_ns > WEFT_RTT_MIN_AGE_NS) {
		d->base_ns = ack->rtt_ns;
		d->base_at_ns = ack->now;
	}
	if (!d->round_rtt_ns || ack->rtt_ns < d->round_rtt_ns)
		d->round_rtt_ns = ack->rtt_ns;
}

/* Bytes of this flow that wait, by the least round trip of the round. */
static u32 queued(const struct weft_cc *cc)
{
	const struct weft_delay *d = &cc->delay;
	/* A base that has just been renewed may be more than the round's least. */
	u64 wait = d->round_rtt_ns - min(d->round_rtt_ns, d->base_ns);

	return div64_u64(div_u64(wait, WEFT_NS_PER_US) * cc->cwnd,
			 max_t(u64, div_u64(d->round_rtt_ns, WEFT_NS_PER_US), 1));
}

static void judge_round(struct weft_cc *cc, bool limited)
{
	u32 least = WEFT_CWND_MIN_SEGMENTS * cc->mss;
	u32 wait = queued(cc);

	if (cc->cwnd < cc->ssthresh) {
		if (wait > QUEUED_MIN * cc->mss)
			cc->ssthresh = cc->cwnd;
	} else if (wait > QUEUED_MAX * cc->mss) {
		cc->cwnd = max(cc->cwnd - (wait - QUEUED_MAX * cc->mss + 1) / 2,
			       least);
		cc->ssthresh = min(cc->ssthresh, cc->cwnd);
	} else if (wait < QUEUED_MIN * cc->mss && limited) {
		cc->cwnd = min(cc->cwnd + cc->mss, WEFT_CWND_MAX);
	}
}

static void acked(struct weft_cc *cc, const struct weft_cc_ack *ack)
{
	struct weft_delay *d = &cc->delay;

	note_rtt(cc, ack);
	if (!cc->recovering && ack->limited && cc->cwnd < cc->ssthresh)
		weft_cc_slow_start(cc, ack->acked);
	if (ack->prior_delivered >= d->round_end) {
		d->round_end = ack->delivered;
		if (d->round_rtt_ns && !cc->recovering)
			judge_round(cc, ack->limited);
		d->round_rtt_ns = 0;
	}
	weft_cc_pace_window(cc, d->srtt_ns);
}

static void reduce(struct weft_cc *cc, bool timeout, u64 now)
{
	cc->ssthresh = max(cc->cwnd / 2, WEFT_CWND_MIN_SEGMENTS * cc->mss);
	cc->cwnd = cc->ssthresh;
}

const struct weft_cc_ops weft_cc_delay = {
	.name	= "delay",
	.init	= init,
	.acked	= acked,
	.reduce	= reduce,
};
