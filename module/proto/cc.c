// SPDX-License-Identifier: GPL-2.0
/* What all algorithms of congestion control have in common. */
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include "cc.h"
#include "rtt.h"

/* A window is sent in a fraction of its round trip: RFC 9002 section 7.7. */
#define PACE_SLOW_START		2
#define PACE_QUARTERS		5

/*
 * A round trip that is shorter than half a burst is shaped by the window alone:
 * no pace is finer than that.
 */
#define PACE_MIN_RTT_NS		(WEFT_BURST_NS / 2)

static const struct weft_cc_ops *const algorithms[] = {
	&weft_cc_rate, &weft_cc_cubic, &weft_cc_delay,
};

const struct weft_cc_ops *weft_cc_at(unsigned int i)
{
	return i < ARRAY_SIZE(algorithms) ? algorithms[i] : NULL;
}

const struct weft_cc_ops *weft_cc_find(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(algorithms); i++)
		if (!strcmp(algorithms[i]->name, name))
			return algorithms[i];
	return NULL;
}

void weft_cc_init(struct weft_cc *cc, const struct weft_cc_ops *ops, u32 mss)
{
	*cc = (struct weft_cc){
		.ops = ops,
		.mss = mss,
		.cwnd = WEFT_CWND_INITIAL_SEGMENTS * mss,
		.ssthresh = WEFT_CWND_MAX,
	};
	ops->init(cc);
}

void weft_cc_switch(struct weft_cc *cc, const struct weft_cc_ops *ops)
{
	u64 recover = cc->recover;
	u32 cwnd = cc->cwnd;

	weft_cc_init(cc, ops, cc->mss);
	cc->cwnd = max(cwnd, WEFT_CWND_MIN_SEGMENTS * cc->mss);
	cc->recover = recover;
}

void weft_cc_resize(struct weft_cc *cc, u32 mss)
{
	cc->mss = mss;
	if (cc->ops->resize)
		cc->ops->resize(cc);
}

/* A new episode: what there was is kept until it is over. */
static void begin_episode(struct weft_cc *cc, bool timeout, u64 now)
{
	cc->suspect = 0;
	cc->prior_cwnd = cc->cwnd;
	cc->prior_ssthresh = cc->ssthresh;
	cc->acked = 0;
	cc->ops->reduce(cc, timeout, now);
}

void weft_cc_delivered(struct weft_cc *cc, const struct weft_cc_ack *ack,
		       u64 una)
{
	if (una >= cc->recover) {
		cc->recovering = false;
		cc->prior_cwnd = 0;
	}
	cc->ops->acked(cc, ack);
}

void weft_cc_lost(struct weft_cc *cc, u64 start, u64 bytes, u64 snd_nxt,
		  u64 now)
{
	if (start >= cc->recover) {
		begin_episode(cc, false, now);
		cc->recovering = true;
		cc->recover = snd_nxt;
	}
	weft_cc_suspect(cc, bytes);
}

void weft_cc_timeout(struct weft_cc *cc, u64 snd_una, u64 snd_nxt, u64 now)
{
	/* RFC 5681 (4): once for what was under way, however often it fails. */
	if (snd_una >= cc->recover)
		begin_episode(cc, true, now);
	cc->cwnd = cc->mss;
	cc->recovering = false;
	cc->recover = snd_nxt;
}

void weft_cc_suspect(struct weft_cc *cc, u64 bytes)
{
	cc->suspect += bytes;
}

void weft_cc_spurious(struct weft_cc *cc, u64 bytes)
{
	cc->suspect -= min(cc->suspect, bytes);
	if (cc->suspect || !cc->prior_cwnd)
		return;
	/* RFC 4015, with the peer's echo of times for evidence (RFC 3522). */
	cc->cwnd = max(cc->cwnd, cc->prior_cwnd);
	cc->ssthresh = cc->prior_ssthresh;
	cc->prior_cwnd = 0;
	cc->recovering = false;
	if (cc->ops->undo)
		cc->ops->undo(cc);
}

void weft_cc_idle(struct weft_cc *cc)
{
	if (cc->ops->idle) {
		cc->ops->idle(cc);
		return;
	}
	/* RFC 5681 section 4.1: the path may have changed meanwhile. */
	cc->cwnd = min(cc->cwnd, WEFT_CWND_INITIAL_SEGMENTS * cc->mss);
}

u32 weft_cc_burst(const struct weft_cc *cc, u32 most)
{
	u64 rate = weft_cc_pace(cc), bytes;

	if (!rate)
		return most;
	bytes = div_u64(rate, WEFT_NS_PER_SEC / WEFT_BURST_NS);
	bytes = max_t(u64, bytes, WEFT_BURST_MIN_SEGMENTS * cc->mss);
	return min_t(u64, bytes, most);
}

u64 weft_cc_gap_ns(const struct weft_cc *cc, u32 bytes)
{
	u64 rate = weft_cc_pace(cc);

	return rate ? div64_u64(bytes * WEFT_NS_PER_SEC, rate) : 0;
}

void weft_cc_slow_start(struct weft_cc *cc, u64 bytes)
{
	u32 room = cc->ssthresh > cc->cwnd ? cc->ssthresh - cc->cwnd : 0;
	u32 step = min_t(u64, bytes, room);

	/* What leads beyond ssthresh is not spent. */
	cc->cwnd = min(cc->cwnd + step, WEFT_CWND_MAX);
}

void weft_cc_avoid(struct weft_cc *cc, u64 bytes, u32 window)
{
	/* By counting bytes, RFC 5681 section 3.1. */
	cc->acked += min_t(u64, bytes, WEFT_CWND_MAX);
	if (cc->acked < window)
		return;
	cc->acked = min(cc->acked - window, window);
	cc->cwnd = min(cc->cwnd + cc->mss, WEFT_CWND_MAX);
}

void weft_cc_pace_window(struct weft_cc *cc, u64 srtt_ns)
{
	u64 rate;

	/* Before the first loss there is no model of a bottleneck. */
	if (srtt_ns < PACE_MIN_RTT_NS || cc->ssthresh == WEFT_CWND_MAX) {
		cc->pacing_rate = 0;
		return;
	}
	rate = div64_u64(cc->cwnd * WEFT_NS_PER_SEC, srtt_ns);
	cc->pacing_rate = cc->cwnd < cc->ssthresh ? rate * PACE_SLOW_START :
						    rate * PACE_QUARTERS / 4;
}

u64 weft_cc_smooth(u64 srtt_ns, u64 sample_ns)
{
	return srtt_ns ? srtt_ns - srtt_ns / 8 + sample_ns / 8 : sample_ns;
}
