// SPDX-License-Identifier: GPL-2.0
/* CUBIC, RFC 9438, on bytes; slow start ends by HyStart++, RFC 9406. */
#include <linux/math64.h>
#include <linux/minmax.h>

#include "cc.h"
#include "rtt.h"

/* RFC 9438 section 4.6, beta: 7/10 of the window remain. */
#define BETA		7
#define TENTHS		10

/* No curve is looked at further than so from its middle. */
#define CURVE_MS_MAX	100000U

/* RFC 9406 section 4.3 */
#define ETA_MIN_NS	(4 * WEFT_NS_PER_MS)
#define ETA_MAX_NS	(16 * WEFT_NS_PER_MS)
#define CSS_DIVISOR	4
#define CSS_ROUNDS	5

/* The largest whole number whose cube is not more than @x; @x below 2^63. */
static u32 cube_root(u64 x)
{
	u32 root = 0, bit;

	for (bit = 1U << 20; bit; bit >>= 1) {
		u64 next = root | bit;

		if (next * next * next <= x)
			root |= bit;
	}
	return root;
}

static void init(struct weft_cc *cc)
{
	cc->cubic = (struct weft_cubic){};
}

/* Section 4.2: K = cbrt((W_max - cwnd_epoch) / C), with C = 0.4, in ms. */
static void begin_epoch(struct weft_cc *cc, u64 now)
{
	struct weft_cubic *c = &cc->cubic;
	u64 below = c->w_max > cc->cwnd ? c->w_max - cc->cwnd : 0;

	c->epoch_ns = now;
	c->reno = cc->cwnd;
	c->origin = max(c->w_max, cc->cwnd);
	c->k_ms = cube_root(div_u64(below * 2500000000ULL, cc->mss));
}

/* Section 4.2: W(t) = C (t - K)^3 + W_max, in bytes. */
static u32 curve(const struct weft_cc *cc, u64 t_ms)
{
	const struct weft_cubic *c = &cc->cubic;
	bool before = t_ms < c->k_ms;
	u64 d = min_t(u64, before ? c->k_ms - t_ms : t_ms - c->k_ms,
		      CURVE_MS_MAX);
	u64 rise = div_u64(d * d * d, 1000000) * cc->mss;

	/* C is 4/10 segments/s^3. */
	rise = div_u64(rise * 4, 1000 * 10);
	if (before)
		return c->origin - min_t(u64, rise, c->origin);
	return min_t(u64, c->origin + rise, WEFT_CWND_MAX);
}

/* Section 4.3: alpha = 3 (1 - beta) / (1 + beta) = 9/17 segments a window. */
static void grow_reno(struct weft_cc *cc, u64 bytes)
{
	struct weft_cubic *c = &cc->cubic;
	u64 step = div_u64(bytes * cc->mss * 9, 17);

	c->reno = min_t(u64, c->reno + div_u64(step, max(cc->cwnd, 1U)),
			WEFT_CWND_MAX);
}

static void avoid(struct weft_cc *cc, u64 bytes, u64 now)
{
	struct weft_cubic *c = &cc->cubic;
	u32 target;
	u64 t;

	bytes = min_t(u64, bytes, WEFT_CWND_MAX);
	if (!c->epoch_ns)
		begin_epoch(cc, now);
	grow_reno(cc, bytes);
	t = div_u64(now - c->epoch_ns + c->srtt_ns, WEFT_NS_PER_MS);
	target = min_t(u64, curve(cc, t), (u64)cc->cwnd * 3 / 2);
	if (target > cc->cwnd)
		weft_cc_avoid(cc, bytes,
			      max_t(u64, div_u64((u64)cc->cwnd * cc->mss,
						 target - cc->cwnd), 1));
	cc->cwnd = max(cc->cwnd, c->reno);
}

/* RFC 9406 section 4.2, at the end of a round trip of slow start. */
static void judge_round(struct weft_cc *cc)
{
	struct weft_cubic *c = &cc->cubic;
	u64 eta = clamp_t(u64, c->last_rtt_ns / 8, ETA_MIN_NS, ETA_MAX_NS);

	if (!c->last_rtt_ns || !c->round_rtt_ns)
		return;
	if (c->css_rounds && c->round_rtt_ns < c->base_ns) {
		c->css_rounds = 0;
	} else if (c->css_rounds) {
		if (!--c->css_rounds)
			cc->ssthresh = cc->cwnd;
	} else if (c->round_rtt_ns >= c->last_rtt_ns + eta) {
		c->css_rounds = CSS_ROUNDS;
		c->base_ns = c->round_rtt_ns;
	}
}

static void note_rtt(struct weft_cc *cc, const struct weft_cc_ack *ack)
{
	struct weft_cubic *c = &cc->cubic;

	if (ack->rtt_ns) {
		c->srtt_ns = weft_cc_smooth(c->srtt_ns, ack->rtt_ns);
		if (!c->round_rtt_ns || ack->rtt_ns < c->round_rtt_ns)
			c->round_rtt_ns = ack->rtt_ns;
	}
	if (ack->prior_delivered < c->round_end)
		return;
	c->round_end = ack->delivered;
	if (cc->cwnd < cc->ssthresh)
		judge_round(cc);
	c->last_rtt_ns = c->round_rtt_ns;
	c->round_rtt_ns = 0;
}

/* Section 5.8: time in which the window was not used is none of the curve's. */
static void note_time(struct weft_cubic *c, const struct weft_cc_ack *ack)
{
	if (!ack->limited && c->epoch_ns)
		c->epoch_ns += ack->now - c->acked_ns;
	c->acked_ns = ack->now;
}

static void acked(struct weft_cc *cc, const struct weft_cc_ack *ack)
{
	note_time(&cc->cubic, ack);
	note_rtt(cc, ack);
	if (!cc->recovering && ack->limited) {
		if (cc->cwnd >= cc->ssthresh)
			avoid(cc, ack->acked, ack->now);
		else
			weft_cc_slow_start(cc, cc->cubic.css_rounds ?
					       ack->acked / CSS_DIVISOR :
					       ack->acked);
	}
	weft_cc_pace_window(cc, cc->cubic.srtt_ns);
}

static void reduce(struct weft_cc *cc, bool timeout, u64 now)
{
	struct weft_cubic *c = &cc->cubic;
	u32 kept = (u64)cc->cwnd * BETA / TENTHS;

	/* Section 4.7, fast convergence: room for those that come. */
	c->w_max = cc->cwnd < c->w_max ?
		   (u64)cc->cwnd * (TENTHS + BETA) / (2 * TENTHS) : cc->cwnd;
	c->epoch_ns = 0;
	c->css_rounds = 0;
	cc->ssthresh = max(kept, WEFT_CWND_MIN_SEGMENTS * cc->mss);
	cc->cwnd = cc->ssthresh;
}

static void undo(struct weft_cc *cc)
{
	cc->cubic.w_max = max(cc->cubic.w_max, cc->cwnd);
	cc->cubic.epoch_ns = 0;
}

static void idle(struct weft_cc *cc)
{
	/* RFC 5681 section 4.1: the path may have changed meanwhile. */
	cc->cwnd = min(cc->cwnd, WEFT_CWND_INITIAL_SEGMENTS * cc->mss);
	cc->cubic.epoch_ns = 0;
}

const struct weft_cc_ops weft_cc_cubic = {
	.name	= "cubic",
	.init	= init,
	.acked	= acked,
	.reduce	= reduce,
	.undo	= undo,
	.idle	= idle,
};
