// SPDX-License-Identifier: GPL-2.0
/*
 * By rate: a flow measures how fast its bytes arrive and how short its round
 * trip is, and keeps under way the product of both and a little more. Loss says
 * nothing about either: it slows nothing down until it is more than links have.
 *
 *	STARTUP --no growth, or a queue--> DRAIN --queue gone--> CRUISE
 *	CRUISE --time--> UP --no growth--> DOWN --queue gone--> CRUISE
 *	UP --much growth--> STARTUP
 *	any --a new age--> EMPTY --nothing under way--> LOOK
 *	LOOK --a round trip--> CRUISE, or STARTUP where it was that
 *
 * Note "Cycle": in UP the flow asks for more than its share for a round trip,
 * in DOWN it takes back the queue that this made, in CRUISE it goes on at the
 * rate that it measured. The rate is the largest of this cycle and the last,
 * so that what UP found lasts until the next UP.
 *
 * Note "Share": beyond what the empty path holds, each flow may have the same
 * few segments in the queue. All flows of a bottleneck wait equally long in it,
 * so that equal parts of the queue are equal rates: who has more than its share
 * finds its window full, who has less has room.
 *
 * Note "Loss": the rate is that of bytes which arrived. To fill a link that loses
 * some, the flow sends those as well. If it is a queue that loses them, this is
 * more than its share; so it is a sixteenth at most, and the window bounds it.
 *
 * Note "Age": a flow that begins while others' bytes stand in the queue takes
 * their wait for the path's own time. So a flow that has not seen its least
 * round-trip time for an age lets its part of the queue run empty, and looks.
 * Others see by their own times that the queue is short, and look an age later,
 * as it does: soon all do so together, and it does run empty.
 *
 * Note "Shuffle": where packets go several ways, the least round-trip time is that
 * of the few that went the shortest way both times, and what is under way is by the
 * mean. So once a flow has seen, in two rounds, that packets overtake others and
 * take far less time than the mean, the path's own time is the least mean of a
 * round, less the usual spread; a queue shows in the mean; and a round is no shorter
 * than the smoothed round-trip time, for one swift packet would end it. A mean, too,
 * has an age, a longer one. Jitter alone, whose least time is not far from its
 * mean, is none of this: the spread does for it.
 */
#include <linux/math64.h>
#include <linux/minmax.h>

#include "cc.h"
#include "rtt.h"

enum phase {
	STARTUP = 0,
	DRAIN,
	CRUISE,
	UP,
	DOWN,
	EMPTY,
	LOOK,
};

/* Gains are parts of 256. */
#define ONE		256U

static const u16 pace_gain[] = {
	[STARTUP] = 710, [DRAIN] = 90, [CRUISE] = ONE, [UP] = 320,
	[DOWN] = 192, [EMPTY] = ONE, [LOOK] = ONE / 2,
};

static const u16 window_gain[] = {
	[STARTUP] = 2 * ONE, [DRAIN] = 2 * ONE, [CRUISE] = ONE, [UP] = 320,
	[DOWN] = ONE, [EMPTY] = 0, [LOOK] = ONE,
};

/* Start-up is over after so many rounds with less growth than a quarter. */
#define STALLED_ROUNDS	3

/* Rounds of CRUISE: at least, and up to so many more. */
#define CRUISE_ROUNDS	3
#define CRUISE_SPREAD	4

/* The least round-trip time is looked for when it was not seen for so long. */
#define AGE_NS		(1000 * WEFT_NS_PER_MS)
#define AGE_ROUNDS	25
/* The same where packets go several ways, in ages; so many rounds tell that. */
#define SHUFFLED_AGES	3
#define SHUFFLES_MIN	2
#define EMPTY_MAX_NS	(200 * WEFT_NS_PER_MS)

/* Of so many segments: more than a sixth lost is no accident of the link. */
#define LOSS_SEGMENTS	32
#define LOSS_PARTS	6
#define LOSS_MIN	6
#define LOSS_GAIN	218U

/* Of what leaves, parts of 1024 that are lost: no more is made up for. */
#define LOSSY_MAX	64
/* A sixteenth of those, so that the mean of eight measurements is exact. */
#define LOSSY_ONE	16

/* What a flow may have in the queue: see note "Share". */
#define QUEUE_SEGMENTS	3
/* And for so long, whatever it is. */
#define SLACK_NS	(1 * WEFT_NS_PER_MS)
#define SLACK_PARTS	8

/* A mean of fewer round-trip times says little. */
#define MEAN_MIN	8

#define SPREAD_MAX_NS	(20 * WEFT_NS_PER_MS)

static u64 rate_of(const struct weft_cc *cc)
{
	return max(cc->rate.bw[0], cc->rate.bw[1]);
}

/* The path's own time: what a round trip takes without a queue. */
static u64 own_rtt(const struct weft_cc *cc)
{
	const struct weft_rate *r = &cc->rate;

	if (!r->shuffled)
		return r->min_rtt_ns;
	return max(r->min_rtt_ns, r->own_ns - min(r->own_ns, r->spread_ns));
}

static u64 scale(u64 x, u32 gain)
{
	return x / ONE * gain + x % ONE * gain / ONE;
}

/* Bytes that arrive at the flow's rate in @ns. */
static u64 bytes_in(const struct weft_cc *cc, u64 ns)
{
	u64 us = div_u64(ns, WEFT_NS_PER_US);

	return div_u64(min_t(u64, rate_of(cc), 1ULL << 40) *
		       min_t(u64, us, 1U << 23), 1000000);
}

/* What is under way when the path is full and no queue stands. */
static u64 pipe(const struct weft_cc *cc)
{
	return bytes_in(cc, own_rtt(cc));
}

/* Round-trip times above the least that are no queue. */
static u64 slack_ns(const struct weft_cc *cc)
{
	return max(own_rtt(cc) / SLACK_PARTS, SLACK_NS) +
	       2 * cc->rate.spread_ns;
}

/* Does a queue stand that is more than noise? By all of the last round. */
static bool is_queued(const struct weft_cc *cc)
{
	const struct weft_rate *r = &cc->rate;
	u64 rtt = r->shuffled ? r->mean_rtt_ns : r->last_rtt_ns;

	return rtt > own_rtt(cc) + own_rtt(cc) / 4 + 2 * slack_ns(cc);
}

static void enter(struct weft_cc *cc, enum phase phase, u64 now)
{
	struct weft_rate *r = &cc->rate;

	r->phase = phase;
	r->phase_ns = now;
	r->rounds = 0;
}

static void init(struct weft_cc *cc)
{
	cc->rate = (struct weft_rate){ .ceiling = WEFT_CWND_MAX };
}

static void note_rtt(struct weft_cc *cc, const struct weft_cc_ack *ack)
{
	struct weft_rate *r = &cc->rate;
	u64 rtt = ack->rtt_ns;

	r->overtaken |= ack->shuffled;
	if (r->shuffled && ack->shuffled && !rtt) {
		r->sum_rtt_ns += ack->late_ns;
		r->nr_rtt += ack->nr_late;
	}
	if (!rtt)
		return;
	if (!r->round_rtt_ns || rtt < r->round_rtt_ns)
		r->round_rtt_ns = rtt;
	r->sum_rtt_ns += rtt + ack->late_ns;
	r->nr_rtt += 1 + ack->nr_late;
	if (!r->min_rtt_ns || rtt <= r->min_rtt_ns) {
		r->min_rtt_ns = rtt;
		r->min_at_ns = ack->now;
	}
	if (!r->look_rtt_ns || rtt < r->look_rtt_ns)
		r->look_rtt_ns = rtt;
}

static void note_bw(struct weft_cc *cc, const struct weft_cc_ack *ack)
{
	struct weft_rate *r = &cc->rate;

	/* What the program held back says only that more is possible. */
	if (ack->rate && (!ack->rate_limited || ack->rate >= rate_of(cc)))
		r->bw[0] = max(r->bw[0], ack->rate);
}

/* The next cycle of probing: what was measured before the last is void. */
static void turn_cycle(struct weft_cc *cc)
{
	struct weft_rate *r = &cc->rate;

	r->full_bw = rate_of(cc);
	/* A program that wrote little measured nothing. */
	if (!r->bw[0])
		return;
	r->bw[1] = r->bw[0];
	r->bw[0] = 0;
}

static bool is_losing(const struct weft_cc *cc, const struct weft_cc_ack *ack)
{
	const struct weft_rate *r = &cc->rate;
	u64 lost = ack->lost - r->lost;
	u64 known = ack->lost + ack->delivered - r->known;

	return lost >= LOSS_MIN * (u64)cc->mss && lost * LOSS_PARTS > known;
}

static u32 first_window(const struct weft_cc *cc)
{
	return WEFT_CWND_INITIAL_SEGMENTS * cc->mss;
}

/* Whose program writes little has no part in the queue that it sees. */
static bool is_small(const struct weft_cc *cc, const struct weft_cc_ack *ack)
{
	return ack->rate_limited && ack->prior_in_flight < first_window(cc);
}

static void judge_startup(struct weft_cc *cc, const struct weft_cc_ack *ack)
{
	struct weft_rate *r = &cc->rate;
	u64 bw = rate_of(cc);

	if (is_losing(cc, ack) || (is_queued(cc) && !is_small(cc, ack))) {
		enter(cc, DRAIN, ack->now);
	} else if (bw >= r->full_bw + r->full_bw / 4) {
		r->full_bw = bw;
		r->stalled = 0;
	} else if (!ack->rate_limited && ++r->stalled >= STALLED_ROUNDS) {
		enter(cc, DRAIN, ack->now);
	}
}

static void judge_up(struct weft_cc *cc, const struct weft_cc_ack *ack)
{
	struct weft_rate *r = &cc->rate;
	u64 bw = rate_of(cc);

	if (r->rounds < 2 && !is_losing(cc, ack))
		return;
	/* It grew by much, and no queue did: the path is better than it was. */
	if (bw >= r->full_bw + r->full_bw / 8 && !is_losing(cc, ack) &&
	    !is_queued(cc)) {
		r->full_bw = bw;
		r->stalled = 0;
		enter(cc, STARTUP, ack->now);
	} else {
		enter(cc, DOWN, ack->now);
	}
}

static void judge_cruise(struct weft_cc *cc, const struct weft_cc_ack *ack)
{
	struct weft_rate *r = &cc->rate;

	if (r->rounds < CRUISE_ROUNDS + r->spin % CRUISE_SPREAD)
		return;
	r->spin = r->spin * 5 + 1 + (u8)div_u64(ack->now, 1000);
	turn_cycle(cc);
	enter(cc, UP, ack->now);
}

/* See note "Loss"; a mean, for a link that loses does so all the time. */
static void note_loss(struct weft_rate *r, u64 lost, u64 known)
{
	u64 part = min_t(u64, div64_u64(lost * 1024 * LOSSY_ONE, known),
			 LOSSY_MAX * LOSSY_ONE);

	r->lossy = r->lossy - r->lossy / 8 + (u16)part / 8;
}

/* Small windows are judged by the losses of several rounds. */
static void judge_loss(struct weft_cc *cc, const struct weft_cc_ack *ack)
{
	struct weft_rate *r = &cc->rate;
	u64 known = ack->lost + ack->delivered;
	u64 ceiling = r->ceiling;

	if (known - r->known < LOSS_SEGMENTS * (u64)cc->mss)
		return;
	/* An outage, or a window that is closed, says nothing of the queue. */
	if (r->regrows || r->phase == EMPTY || r->phase == LOOK)
		goto judged;
	note_loss(r, ack->lost - r->lost, known - r->known);
	if (is_losing(cc, ack))
		ceiling = scale(cc->cwnd, LOSS_GAIN);
	else if (ceiling < WEFT_CWND_MAX)
		ceiling += ceiling / 8 + cc->mss;
judged:
	r->ceiling = clamp_t(u64, ceiling, WEFT_CWND_MIN_SEGMENTS * cc->mss,
			     WEFT_CWND_MAX);
	r->lost = ack->lost;
	r->known = known;
}

/*
 * See note "Shuffle": did a few, in this round or the last, take far less than the
 * mean, and overtake others? Where a queue grows quickly that is no sign.
 */
static void note_order(struct weft_rate *r, u64 mean)
{
	u64 least = r->round_rtt_ns ? r->round_rtt_ns : mean;

	if (r->last_rtt_ns)
		least = min(least, r->last_rtt_ns);
	if (r->overtaken && 4 * least < 3 * mean && r->phase != STARTUP &&
	    r->phase != DRAIN && r->phase != UP && r->shuffles < SHUFFLES_MIN)
		r->shuffled |= ++r->shuffles == SHUFFLES_MIN;
	r->overtaken = false;
}

static void note_spread(struct weft_cc *cc, u64 now)
{
	struct weft_rate *r = &cc->rate;
	u64 mean, spread;

	if (!r->nr_rtt)
		return;
	mean = div_u64(r->sum_rtt_ns, r->nr_rtt);
	note_order(r, mean);
	r->mean_rtt_ns = mean;
	r->last_nr_rtt = r->nr_rtt;
	if (!r->own_ns || (mean <= r->own_ns && r->nr_rtt >= MEAN_MIN)) {
		r->own_ns = mean;
		r->own_at_ns = now;
	}
	spread = min(mean - min(mean, r->round_rtt_ns), SPREAD_MAX_NS);
	/* Elsewhere the queue itself grows or falls within a round. */
	if (r->phase == CRUISE)
		r->spread_ns = r->spread_ns - r->spread_ns / 4 + spread / 4;
	r->last_rtt_ns = r->round_rtt_ns;
	r->round_rtt_ns = 0;
	r->sum_rtt_ns = 0;
	r->nr_rtt = 0;
}

/* What was seen is the path's own time, whatever it was before. */
static void end_look(struct weft_cc *cc, u64 now)
{
	struct weft_rate *r = &cc->rate;

	if (r->look_rtt_ns) {
		r->min_rtt_ns = r->look_rtt_ns;
		r->min_at_ns = now;
	}
	if (r->last_nr_rtt >= MEAN_MIN || r->mean_rtt_ns < r->own_ns)
		r->own_ns = r->mean_rtt_ns;
	r->own_at_ns = now;
	r->shuffled = r->shuffles == SHUFFLES_MIN;
	r->shuffles = 0;
	enter(cc, r->phase_before, now);
}

/* See note "Shuffle"; LOOK has to see the slow ones, too. */
static bool is_round_over(const struct weft_rate *r,
			  const struct weft_cc_ack *ack)
{
	u64 least = (r->phase == LOOK ? 2 : 1) * ack->srtt_ns;

	return ack->prior_delivered >= r->round_end &&
	       (!r->shuffled || ack->now - r->round_at_ns >= least);
}

static void begin_round(struct weft_rate *r, const struct weft_cc_ack *ack)
{
	r->round_end = ack->delivered;
	r->round_at_ns = ack->now;
}

static void note_round(struct weft_cc *cc, const struct weft_cc_ack *ack)
{
	struct weft_rate *r = &cc->rate;

	if (!is_round_over(r, ack))
		return;
	begin_round(r, ack);
	note_spread(cc, ack->now);
	if (r->rounds < 255 && !r->regrows)
		r->rounds++;
	if (r->phase == STARTUP)
		judge_startup(cc, ack);
	else if (r->phase == UP)
		judge_up(cc, ack);
	else if (r->phase == CRUISE)
		judge_cruise(cc, ack);
	else if (r->phase == LOOK)
		end_look(cc, ack->now);
	judge_loss(cc, ack);
}

/* How long an age is: so long that looking costs little. */
static u64 age_ns(const struct weft_cc *cc)
{
	return max(AGE_NS, AGE_ROUNDS * own_rtt(cc));
}

/*
 * See note "Age". Nothing is under way: what may be is as before, at half the
 * pace for a round trip, which meets no queue.
 */
static void look(struct weft_cc *cc, const struct weft_cc_ack *ack)
{
	struct weft_rate *r = &cc->rate;

	cc->cwnd = r->cwnd_before;
	begin_round(r, ack);
	if (r->shuffled) {
		r->sum_rtt_ns = 0;
		r->nr_rtt = 0;
	}
	enter(cc, LOOK, ack->now);
}

static bool is_aged(const struct weft_cc *cc, u64 now)
{
	const struct weft_rate *r = &cc->rate;

	return (r->min_rtt_ns && now - r->min_at_ns >= age_ns(cc)) ||
	       (r->shuffled && now - r->own_at_ns >= SHUFFLED_AGES * age_ns(cc));
}

static void note_age(struct weft_cc *cc, const struct weft_cc_ack *ack)
{
	struct weft_rate *r = &cc->rate;

	if (r->phase == EMPTY && (ack->in_flight < 2 * cc->mss ||
				  ack->now - r->phase_ns > EMPTY_MAX_NS))
		look(cc, ack);
	if (r->phase == EMPTY || r->phase == LOOK ||
	    is_small(cc, ack) || !is_aged(cc, ack->now))
		return;
	r->look_rtt_ns = 0;
	r->phase_before = r->phase == STARTUP ? STARTUP : CRUISE;
	r->cwnd_before = cc->cwnd;
	enter(cc, EMPTY, ack->now);
}

/* Phases that end with the queue. */
static void note_flight(struct weft_cc *cc, const struct weft_cc_ack *ack)
{
	struct weft_rate *r = &cc->rate;

	if ((r->phase == DRAIN && r->rounds > 4) ||
	    (r->phase == DOWN && r->rounds > 1) ||
	    ((r->phase == DRAIN || r->phase == DOWN) &&
	     ack->in_flight <= pipe(cc)))
		enter(cc, CRUISE, ack->now);
}

static u64 target(const struct weft_cc *cc)
{
	const struct weft_rate *r = &cc->rate;
	u64 window = scale(pipe(cc), window_gain[r->phase]);

	if (r->phase == EMPTY)
		return 0;
	window += bytes_in(cc, slack_ns(cc)) + QUEUE_SEGMENTS * cc->mss;
	return min_t(u64, window, r->ceiling);
}

static void set_window(struct weft_cc *cc, const struct weft_cc_ack *ack)
{
	u64 most = target(cc);
	u64 cwnd = cc->cwnd;

	/* Start-up does not shrink what it has no better number for. */
	if (cwnd + ack->acked >= most && cc->rate.phase != EMPTY)
		cc->rate.regrows = false;
	if (cc->rate.phase == STARTUP) {
		/* What the program limits says nothing of the path. */
		if (cwnd < most || (ack->limited && ack->delivered < 3 * cwnd))
			cwnd += ack->acked;
	} else {
		cwnd = min(cwnd + ack->acked, most);
	}
	cc->cwnd = clamp_t(u64, cwnd, cc->rate.phase == EMPTY ? 1 :
					WEFT_CWND_MIN_SEGMENTS * cc->mss,
			   WEFT_CWND_MAX);
}

/* What a flow may do that knows nothing yet: its first window a round trip. */
static u64 least_pace(const struct weft_cc *cc)
{
	const struct weft_rate *r = &cc->rate;

	if (r->phase != STARTUP)
		return 1;
	return div64_u64(first_window(cc) * WEFT_NS_PER_SEC, own_rtt(cc));
}

static void set_pace(struct weft_cc *cc)
{
	struct weft_rate *r = &cc->rate;
	u64 bw = rate_of(cc);
	u64 lost = bw / 1024 * r->lossy / LOSSY_ONE;

	if (!bw || own_rtt(cc) < WEFT_BURST_NS / 2) {
		cc->pacing_rate = 0;
		return;
	}
	/* A little below what was measured: no queue is to stand. */
	cc->pacing_rate = max(scale(bw - bw / 128 + lost, pace_gain[r->phase]),
			      least_pace(cc));
}

static void acked(struct weft_cc *cc, const struct weft_cc_ack *ack)
{
	note_rtt(cc, ack);
	note_bw(cc, ack);
	note_round(cc, ack);
	note_flight(cc, ack);
	note_age(cc, ack);
	set_pace(cc);
	set_window(cc, ack);
}

/* An episode of loss alone is nothing; what is too much, a round trip tells. */
static void reduce(struct weft_cc *cc, bool timeout, u64 now)
{
	/* Rates of a window that a timeout closed are not those of the path. */
	cc->rate.regrows |= timeout;
}

static void undo(struct weft_cc *cc)
{
	cc->rate.regrows = false;
}

/* What is known of the path is paced, so that it may be used at once. */
static void idle(struct weft_cc *cc)
{
}

const struct weft_cc_ops weft_cc_rate = {
	.name	= "rate",
	.init	= init,
	.acked	= acked,
	.reduce	= reduce,
	.undo	= undo,
	.idle	= idle,
};
