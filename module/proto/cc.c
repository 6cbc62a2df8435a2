// SPDX-License-Identifier: GPL-2.0
/* NewReno on bytes: RFC 5681, one reduction per loss episode (RFC 6582). */
#include <linux/minmax.h>

#include "cc.h"

static void reduce(struct weft_cc *cc, u32 mss)
{
	cc->suspect = 0;
	cc->prior_cwnd = cc->cwnd;
	cc->prior_ssthresh = cc->ssthresh;
	/* RFC 5681 (4), with cwnd for FlightSize: it grows only when used. */
	cc->ssthresh = max(cc->cwnd / 2, WEFT_CWND_MIN_SEGMENTS * mss);
	cc->acked = 0;
}

void weft_cc_init(struct weft_cc *cc, u32 mss)
{
	*cc = (struct weft_cc){
		.cwnd = WEFT_CWND_INITIAL_SEGMENTS * mss,
		.ssthresh = WEFT_CWND_MAX,
	};
}

void weft_cc_delivered(struct weft_cc *cc, u32 mss, u64 bytes)
{
	if (cc->recovering)
		return;
	bytes = min_t(u64, bytes, WEFT_CWND_MAX);
	if (cc->cwnd < cc->ssthresh) {
		/* Slow start; what leads beyond ssthresh is not spent. */
		u32 step = min_t(u32, bytes, cc->ssthresh - cc->cwnd);

		cc->cwnd = min(cc->cwnd + step, WEFT_CWND_MAX);
		return;
	}
	/* Congestion avoidance by counting bytes, RFC 5681 section 3.1. */
	cc->acked += bytes;
	if (cc->acked < cc->cwnd)
		return;
	cc->acked = min(cc->acked - cc->cwnd, cc->cwnd);
	cc->cwnd = min(cc->cwnd + mss, WEFT_CWND_MAX);
}

void weft_cc_acked(struct weft_cc *cc, u64 una)
{
	if (una < cc->recover)
		return;
	cc->recovering = false;
	cc->prior_cwnd = 0;
}

void weft_cc_lost(struct weft_cc *cc, u32 mss, u64 start, u64 bytes,
		  u64 snd_nxt)
{
	if (start >= cc->recover) {
		reduce(cc, mss);
		cc->cwnd = cc->ssthresh;
		cc->recovering = true;
		cc->recover = snd_nxt;
	}
	weft_cc_suspect(cc, bytes);
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
}

void weft_cc_timeout(struct weft_cc *cc, u32 mss, u64 snd_una, u64 snd_nxt)
{
	/* RFC 5681 (4): once for what was under way, however often it fails. */
	if (snd_una >= cc->recover)
		reduce(cc, mss);
	cc->cwnd = mss;
	cc->recovering = false;
	cc->recover = snd_nxt;
}

void weft_cc_idle(struct weft_cc *cc, u32 mss)
{
	/* RFC 5681 section 4.1: the path may have changed meanwhile. */
	cc->cwnd = min(cc->cwnd, WEFT_CWND_INITIAL_SEGMENTS * mss);
}
