// SPDX-License-Identifier: GPL-2.0
/*
 * The state machine of one flow. What came in is judged by weft_engine_input(),
 * time by weft_engine_tick(); both only change the books. weft_engine_next()
 * reads from the books what is to be sent, weft_engine_sent() enters that.
 */
#include <linux/bitops.h>
#include <linux/errno.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include "engine.h"
#include "range.h"
#include "rtx.h"

#define IN(state)	WEFT_IN(state)
#define CARRYING	WEFT_CARRYING
#define RECEIVING	WEFT_RECEIVING
#define SENDING		WEFT_SENDING

/* A 32-bit clock in us orders two times that are not further apart. */
#define CLOCK_TRUST_NS	(1000 * WEFT_NS_PER_SEC)

/*
 * A time that was kept for longer is not brought back: two clocks that run apart
 * by 100 ppm would make 0.1 ms of it.
 */
#define ECHO_MAX_NS	WEFT_NS_PER_SEC

/* Acknowledge at least every second full segment (RFC 5681 section 4.2). */
#define ACK_SEGMENTS	2
#define SEGMENT_MIN	536
/* Of a window below this, the segment that fills it is acknowledged at once. */
#define SMALL_WINDOW_SEGMENTS	4

/* What of the window is worth a packet at its sender, bytes, if not a segment. */
#define SILLY_MAX	2048U

#define BACKOFF_MAX	16

struct input {
	const struct weft_pkt	*pkt;
	const struct weft_range	*ranges;
	unsigned int		nr_ranges;
	u64			now;
};

static bool is_in(const struct weft_engine *e, u16 states)
{
	return BIT(e->state) & states;
}

#define ARROW(from, to)	[WEFT_ST_##from] = (to),
static const u16 allowed_next[WEFT_ST_COUNT] = {
	WEFT_ARROWS(ARROW)
};

/* The only writer of the state. A wrong turn is our own fault and fatal. */
static void set_state(struct weft_engine *e, enum weft_state state)
{
	if (!(allowed_next[e->state] & BIT(state))) {
		e->error = EPROTO;
		state = WEFT_ST_DEAD;
	}
	e->state = state;
	e->open_ns = WEFT_NEVER;
	e->open_due = false;
}

static u32 die(struct weft_engine *e, int error)
{
	e->error = error;
	set_state(e, WEFT_ST_DEAD);
	e->ack_now = false;
	return WEFT_DO_DEAD;
}

static u32 enter_done(struct weft_engine *e)
{
	set_state(e, WEFT_ST_DONE);
	return WEFT_DO_DONE;
}

static u32 enter_open(struct weft_engine *e, u64 now)
{
	set_state(e, WEFT_ST_OPEN);
	e->tries = 0;
	e->alive_ns = now;
	e->loss_base_ns = now;
	weft_alive_heard(&e->alive, now);
	return WEFT_DO_UP;
}

void weft_engine_init(struct weft_engine *e, const struct weft_params *params)
{
	memset(e, 0, sizeof(*e));
	e->params = *params;
	e->rcv_limit = params->rcv_window;
	e->rcv_room = params->rcv_window;
	e->window.bytes = params->rcv_window;
	e->window.most = params->rcv_window_max;
	e->rcv_fin = WEFT_NEVER;
	e->lost_from = WEFT_NEVER;
	e->reorder_ns = WEFT_NEVER;
	e->open_ns = WEFT_NEVER;
	e->probe_ns = WEFT_NEVER;
	e->ack_ns = WEFT_NEVER;
	if (!e->params.cc)
		e->params.cc = weft_cc_at(0);
	weft_engine_set_mss(e, params->mss, params->super_max);
}

/* Segments have another size from now on. */
static void use_mss(struct weft_engine *e)
{
	u32 mss = e->seg.now;

	e->params.mss = mss;
	e->params.super_max = max(e->path_super / mss, 1U) * mss;
	e->rcv_segment = min_t(u32, mss, SEGMENT_MIN);
	if (e->tx)
		weft_cc_resize(&e->tx->cc, mss);
}

void weft_engine_set_mss(struct weft_engine *e, u32 mss, u32 super_max)
{
	bool news;

	mss = clamp_t(u32, mss, 1, WEFT_SUPER_MAX);
	super_max = clamp_t(u32, super_max, mss, WEFT_SUPER_MAX);
	news = weft_mss_set_path(&e->seg, mss);
	if (!news && super_max == e->path_super)
		return;
	e->path_super = super_max;
	e->rcv_super = 0;
	use_mss(e);
}

void weft_engine_set_ahead(struct weft_engine *e, u64 ns)
{
	e->ahead_ns = ns;
}

void weft_engine_set_cc(struct weft_engine *e, const struct weft_cc_ops *cc)
{
	e->params.cc = cc;
	if (e->tx && cc != e->tx->cc.ops)
		weft_cc_switch(&e->tx->cc, cc);
}

void weft_engine_lend_tx(struct weft_engine *e, struct weft_tx *tx)
{
	memset(tx, 0, offsetof(struct weft_tx, few));
	tx->reorder_steps = 1;
	weft_cc_init(&tx->cc, e->params.cc, e->params.mss);
	e->tx = tx;
	weft_rtx_lend(e, tx->few, WEFT_FEW_RECORDS);
}

struct weft_record *weft_engine_lend_records(struct weft_engine *e,
					     struct weft_record *recs,
					     unsigned int max)
{
	struct weft_record *old = e->recs;

	weft_rtx_lend(e, recs, max);
	return e->tx && old == e->tx->few ? NULL : old;
}

struct weft_range *weft_engine_lend_ranges(struct weft_engine *e,
					   struct weft_range *ranges,
					   unsigned int max)
{
	struct weft_range *old = e->ranges;

	e->nr_ranges = min(e->nr_ranges, max);
	if (e->nr_ranges)
		memcpy(ranges, old, e->nr_ranges * sizeof(*ranges));
	e->ranges = ranges;
	e->max_ranges = max;
	return old;
}

static unsigned int grown(unsigned int nr, unsigned int max,
			  unsigned int least, unsigned int most)
{
	if (max >= most || (max && nr <= max / 2))
		return 0;
	return clamp(2 * max, least, most);
}

unsigned int weft_engine_wants_records(const struct weft_engine *e)
{
	if (!e->tx)
		return 0;
	return grown(e->nr_recs, e->max_recs, WEFT_RECORDS_MIN,
		     WEFT_RECORDS_MAX);
}

unsigned int weft_engine_wants_ranges(const struct weft_engine *e)
{
	return grown(e->nr_ranges, e->max_ranges, WEFT_HELD_MIN,
		     WEFT_HELD_MAX);
}

static void raise_limit(struct weft_engine *e, const struct weft_pkt *pkt)
{
	/* The right edge of the window never moves back. */
	e->snd_limit = max(e->snd_limit, pkt->ack + pkt->window);
	e->max_window = max(e->max_window, pkt->window);
}

static u32 believable(u32 max_message)
{
	return clamp_t(u32, max_message, WEFT_MAX_MESSAGE_MIN,
		       WEFT_MAX_MESSAGE_MAX);
}

void weft_engine_open(struct weft_engine *e, u64 now)
{
	e->opener = true;
	e->opened_ns = now;
	set_state(e, WEFT_ST_OPENING);
	e->open_due = true;
}

void weft_engine_accept(struct weft_engine *e, const struct weft_pkt *pkt,
			u64 now)
{
	e->opened_ns = now;
	set_state(e, WEFT_ST_ACCEPTED);
	e->open_due = true;
	e->peer_max_message = believable(pkt->max_message);
}

/*
 * Note "Times": each packet carries its sender's clock, and the peer brings
 * the latest of them back with how long it kept it. Only a time that is newer
 * than the last counts, on both ends: a packet that was delivered late or once
 * more says nothing about the path of now.
 */
static void note_time(struct weft_engine *e, const struct weft_pkt *pkt,
		      u64 now)
{
	if (!pkt->time)
		return;
	if (e->echo_time && now - e->echo_at_ns < CLOCK_TRUST_NS &&
	    !weft_rtx_is_before(e->echo_time, pkt->time))
		return;
	e->echo_time = pkt->time;
	e->echo_at_ns = now;
}

/* Did our packet of @time carry something that is not acknowledged yet? */
static bool is_of_flight(const struct weft_engine *e, u32 time)
{
	return e->nr_recs &&
	       !weft_rtx_is_before(time,
				   weft_rtx_clock(weft_rtx_at(e, 0)->sent_ns));
}

static void note_held(struct weft_engine *e, u64 ns)
{
	e->peer_held_ns = max(e->peer_held_ns - e->peer_held_ns / 64,
			      min(ns, WEFT_ACK_HELD_MAX_NS));
}

static void take_rtt(struct weft_engine *e, const struct weft_pkt *pkt,
		     u64 now)
{
	u32 us;

	if (!pkt->echo)
		return;
	if (e->echoed && now - e->echoed_ns < CLOCK_TRUST_NS &&
	    !weft_rtx_is_before(e->echoed, pkt->echo))
		return;
	us = weft_rtx_clock(now) - pkt->echo - pkt->delay;
	if ((s32)us < 0)
		return;
	e->echoed = pkt->echo;
	e->echoed_ns = now;
	if (is_of_flight(e, pkt->echo))
		note_held(e, (u64)pkt->delay * WEFT_NS_PER_US);
	weft_rtt_sample(&e->rtt, (u64)us * WEFT_NS_PER_US, now);
	if (e->tx)
		e->tx->sample.rtt_ns = e->rtt.latest_ns;
}

static void take_ranges(struct weft_engine *e, const struct input *in)
{
	unsigned int i;

	for (i = 0; i < in->nr_ranges; i++) {
		struct weft_range range = in->ranges[i];

		range.start = max(range.start, e->snd_una);
		if (range.start < range.end && range.end <= e->snd_nxt)
			weft_rtx_sacked(e, &range, in->pkt->echo, in->now);
	}
}

/* Was it cwnd that held us back before this acknowledgment? RFC 7661. */
static bool was_limited(const struct weft_engine *e, u64 flight)
{
	const struct weft_cc *cc = &e->tx->cc;

	return e->cwnd_limited ||
	       (cc->cwnd < cc->ssthresh && 2 * flight > cc->cwnd);
}

static void tell_cc(struct weft_engine *e, u64 bytes, u64 flight, u64 now)
{
	const struct weft_sample *s = &e->tx->sample;
	const struct weft_cc_ack ack = {
		.now = now,
		.acked = bytes,
		.in_flight = e->in_flight,
		.prior_in_flight = flight,
		.delivered = e->delivered,
		.lost = e->lost,
		.rate = weft_rtx_rate(e, now),
		.prior_delivered = s->end ? s->delivered : 0,
		.rtt_ns = s->rtt_ns,
		.late_ns = s->late_ns,
		.nr_late = s->nr_late,
		.srtt_ns = e->rtt.srtt_ns,
		.shuffled = s->shuffled,
		.rate_limited = s->slack,
		.limited = was_limited(e, flight),
	};

	e->rate = ack.rate ? ack.rate : e->rate;
	weft_cc_delivered(&e->tx->cc, &ack, e->snd_una);
}

/* Of @flight bytes @bytes arrived: all timers start anew. */
static void progress(struct weft_engine *e, u64 bytes, u64 flight, u64 now)
{
	/* RFC 6298 (5.3) */
	e->loss_base_ns = now;
	e->alive_ns = now;
	e->backoff = 0;
	e->tail_used = false;
	e->tail_due = false;
	e->small_due = false;
	e->small_at = 0;
	if (weft_mss_acked(&e->seg, e->snd_una, now))
		use_mss(e);
	weft_rtx_learn(e, now);
	weft_rtx_detect(e, now);
	if (e->slack_until && e->delivered > e->slack_until)
		e->slack_until = 0;
	tell_cc(e, bytes, flight, now);
}

static u32 take_ack(struct weft_engine *e, const struct input *in)
{
	const struct weft_pkt *pkt = in->pkt;
	u64 delivered = e->delivered;
	u64 flight = e->in_flight;
	u64 limit = e->snd_limit;
	u64 una = e->snd_una;
	u32 todo = 0;

	if (pkt->ack > e->snd_nxt)
		return 0;
	raise_limit(e, pkt);
	if (e->snd_limit > limit)
		todo |= WEFT_DO_ROOM;
	if (pkt->ack > una) {
		weft_rtx_acked(e, pkt->ack, pkt->echo, in->now);
		todo |= WEFT_DO_FREE;
	}
	take_ranges(e, in);
	if (e->delivered != delivered || e->snd_una != una)
		progress(e, e->delivered - delivered, flight, in->now);
	else if (!e->nr_recs)
		e->alive_ns = in->now;
	return todo;
}

/*
 * Note "Black holes": when the retransmission timer has expired twice, a small
 * packet goes with what is sent again. If that is answered, and nothing of the
 * rest is, the path takes small packets alone.
 */
static bool is_hole(const struct weft_engine *e, const struct weft_pkt *pkt)
{
	return e->small_at && pkt->echo &&
	       !weft_rtx_is_before(pkt->echo, e->small_at);
}

static void meet_hole(struct weft_engine *e, u64 now)
{
	weft_mss_blocked(&e->seg, now);
	use_mss(e);
	e->small_at = 0;
	e->backoff = 0;
	e->loss_base_ns = now;
	weft_rtx_timeout(e, now);
}

static void begin_sample(struct weft_engine *e, const struct input *in)
{
	bool vague = in->nr_ranges == WEFT_RANGES_MAX;
	struct weft_tx *tx = e->tx;

	if (!tx)
		return;
	tx->sample = (struct weft_sample){
		.rack_sent_ns = tx->rack_sent_ns,
		.rack_end = tx->rack_end,
		.vague = vague || tx->was_vague,
	};
	/* Others tell nothing that is out of order. */
	if (in->pkt->kind == WEFT_ACK)
		tx->was_vague = vague;
}

/* What every packet of an open flow says, whatever its kind. */
static u32 hear(struct weft_engine *e, const struct input *in)
{
	u32 todo = 0;

	if (e->state == WEFT_ST_ACCEPTED)
		todo |= enter_open(e, in->now);
	weft_alive_heard(&e->alive, in->now);
	note_time(e, in->pkt, in->now);
	begin_sample(e, in);
	take_rtt(e, in->pkt, in->now);
	todo |= take_ack(e, in);
	if (is_hole(e, in->pkt))
		meet_hole(e, in->now);
	return todo;
}

/* May the peer's stream end at @end? */
static bool accept_fin(struct weft_engine *e, u64 end)
{
	if (e->rcv_fin != WEFT_NEVER)
		return end == e->rcv_fin;
	if (end < e->rcv_nxt || end > e->rcv_limit)
		return false;
	if (e->nr_ranges && end < e->ranges[e->nr_ranges - 1].end)
		return false;
	e->rcv_fin = end;
	return true;
}

/* An acknowledgment may wait for something that goes the same way. */
static void hold_ack(struct weft_engine *e, u64 now)
{
	if (e->ack_ns == WEFT_NEVER)
		e->ack_ns = now + WEFT_ACK_DELAY_NS;
}

/*
 * Most programs answer the peer's end with their own, which then acknowledges
 * it. When ours is out nothing will follow.
 */
static u32 take_eof(struct weft_engine *e, u64 now)
{
	if (e->rcv_nxt != e->rcv_fin || !is_in(e, IN(OPEN) | IN(SENT_CLOSE)))
		return 0;
	if (e->state == WEFT_ST_OPEN) {
		set_state(e, WEFT_ST_GOT_CLOSE);
		hold_ack(e, now);
	} else {
		set_state(e, WEFT_ST_CLOSING);
		e->ack_now = true;
	}
	return WEFT_DO_EOF;
}

/*
 * The limit that may be announced. Whoever sends super-packets is told of whole
 * ones where that leaves little untold: it sends what it is told of, and the rest
 * would be a packet.
 */
static u64 limit_to_tell(const struct weft_engine *e)
{
	u32 growth = e->rcv_room - e->rcv_limit, rest;

	if (e->tell_all || e->params.whole || !e->rcv_super ||
	    growth < e->rcv_super)
		return e->rcv_room;
	rest = growth % e->rcv_super;
	return e->rcv_room - (rest < e->rcv_super / 2 ? rest : 0);
}

/* What the peer's avoidance of silly windows holds back, and one byte more. */
static u32 silly(const struct weft_engine *e)
{
	return min(e->params.mss, SILLY_MAX);
}

/*
 * Growth of the window that is worth telling (RFC 9293 section 3.8.6.2.2). What
 * is not told, and what the peer holds back of what is, never keeps from a reader
 * what it may wait for: half of the window, or the largest message.
 */
static bool is_worth_telling(const struct weft_engine *e)
{
	u32 two = ACK_SEGMENTS * e->params.mss;
	u32 half = e->window.bytes / 2;
	u32 worth = min(max(two, e->rcv_super), half - min(two, half / 2));
	u64 growth = e->rcv_room - e->rcv_limit;

	if (e->params.whole && e->window.bytes > e->params.whole) {
		u32 rest = e->window.bytes - e->params.whole;

		worth = min(worth, rest - min(silly(e), rest / 2));
	}
	return growth && (growth >= worth || e->tell_all);
}

/* The peer has no more than half of what it might have. */
static bool is_half_used(const struct weft_engine *e)
{
	return 2 * (e->rcv_limit - e->rcv_nxt) <= e->rcv_room - e->rcv_nxt;
}

/*
 * Is the growth worth a packet of its own? While the peer has more than half of
 * the window left, what is acked anyway tells it soon enough.
 */
static bool is_worth_a_packet(const struct weft_engine *e)
{
	return is_in(e, RECEIVING) && e->rcv_fin == WEFT_NEVER &&
	       is_worth_telling(e) && is_half_used(e);
}

static bool is_super(const struct weft_engine *e, const struct weft_pkt *pkt)
{
	return pkt->segment && pkt->plen > ACK_SEGMENTS * e->params.mss;
}

/*
 * A packet of many segments has not been on a link, and its reader is near: what
 * comes from it on is acknowledged when that has read, in one packet that tells
 * of the bytes and of the room; or when half of a window has come.
 */
static bool is_for_reader(const struct weft_engine *e,
			  const struct weft_pkt *pkt)
{
	if (e->nr_ranges || e->rcv_unacked > e->window.bytes / 2)
		return false;
	return e->ack_read ||
	       (e->rcv_unacked == pkt->plen && is_super(e, pkt));
}

/* A peer whose packets are cut now has moved. */
static void note_super(struct weft_engine *e, const struct weft_pkt *pkt)
{
	e->rcv_cut += pkt->plen;
	if (is_super(e, pkt)) {
		e->rcv_super = max_t(u32, e->rcv_super, pkt->plen);
		e->rcv_cut = 0;
	} else if (e->rcv_cut > 2 * e->rcv_super) {
		e->rcv_super = 0;
		e->rcv_cut = 0;
	}
}

static void hold_for_reader(struct weft_engine *e, u64 now)
{
	if (!e->ack_read)
		e->ack_ns = min(e->ack_ns, now + WEFT_ACK_READ_NS);
	e->ack_read = true;
}

/* RFC 5681 section 4.2: what is in order may wait for its like. */
static void delay_ack(struct weft_engine *e, const struct weft_pkt *pkt,
		      u64 now)
{
	u32 mss = e->params.mss;

	/* The peer's segments may be smaller than ours. */
	e->rcv_segment = clamp_t(u32, pkt->plen, e->rcv_segment, mss);
	e->rcv_unacked += pkt->plen;
	note_super(e, pkt);
	if (is_worth_a_packet(e))
		e->ack_now = true;
	else if (is_for_reader(e, pkt))
		hold_for_reader(e, now);
	else if (e->rcv_unacked >= ACK_SEGMENTS * e->rcv_segment)
		e->ack_now = true;
	else
		hold_ack(e, now);
}

/*
 * The sender has come to the end of the window while a gap, not the reader,
 * holds back what is in it.
 */
static void note_pressure(struct weft_engine *e)
{
	if (e->take.end + e->params.mss > e->rcv_limit &&
	    e->rcv_room >= e->rcv_nxt + e->window.bytes)
		e->window.pressed = true;
}

/*
 * RFC 5681 section 4.2: a gap that opens, or that something comes into, is
 * news. What comes behind one is counted as what is in order: RACK needs no
 * more.
 */
static u32 store_out_of_order(struct weft_engine *e,
			      struct weft_range_set *held,
			      const struct weft_pkt *pkt, u64 now)
{
	bool added = weft_range_add(held, &e->take, &e->last_range);

	note_pressure(e);
	if (!added || held->nr != e->nr_ranges)
		e->ack_now = true;
	else
		delay_ack(e, pkt, now);
	e->nr_ranges = held->nr;
	return added ? WEFT_DO_STORE : 0;
}

static u32 store_in_order(struct weft_engine *e, struct weft_range_set *held,
			  const struct weft_pkt *pkt, u64 now)
{
	if (e->nr_ranges)
		e->ack_now = true;
	e->rcv_nxt = e->take.end;
	weft_range_absorb(held, &e->rcv_nxt);
	e->nr_ranges = held->nr;
	delay_ack(e, pkt, now);
	return WEFT_DO_STORE | WEFT_DO_DELIVER;
}

static u32 take_bytes(struct weft_engine *e, const struct weft_pkt *pkt,
		      u64 now)
{
	struct weft_range_set held = {
		.at = e->ranges, .nr = e->nr_ranges, .max = e->max_ranges,
	};
	u64 end = pkt->offset + pkt->plen;

	if (!pkt->plen || end > e->rcv_fin)
		return 0;
	e->take.start = max(pkt->offset, e->rcv_nxt);
	e->take.end = min(end, e->rcv_limit);
	if (e->take.start >= e->take.end || !weft_range_trim(&held, &e->take)) {
		e->ack_now = true;
		return 0;
	}
	if (e->take.start > e->rcv_nxt)
		return store_out_of_order(e, &held, pkt, now);
	return store_in_order(e, &held, pkt, now);
}

static u32 take_payload(struct weft_engine *e, const struct weft_pkt *pkt,
			u64 now)
{
	bool ends = pkt->kind == WEFT_CLOSE;
	u32 todo;

	/* Offsets never wrap. */
	if (pkt->offset + pkt->plen < pkt->offset)
		return 0;
	if (ends && !accept_fin(e, pkt->offset + pkt->plen)) {
		e->ack_now = true;
		return 0;
	}
	todo = take_bytes(e, pkt, now) | take_eof(e, now);
	/* An end that comes early or once more. */
	if (pkt->flags & WEFT_F_PROMPT || (ends && !(todo & WEFT_DO_EOF)))
		e->ack_now = true;
	return todo;
}

/* Our OPENED was lost, or this is the OPEN of weft_engine_accept(). */
static u32 on_open(struct weft_engine *e, const struct input *in)
{
	if (e->opener)
		return 0;
	note_time(e, in->pkt, in->now);
	if (!in->pkt->ack)
		raise_limit(e, in->pkt);
	e->open_due = true;
	return take_payload(e, in->pkt, in->now);
}

static u32 on_opened(struct weft_engine *e, const struct input *in)
{
	u32 todo = 0;

	if (!e->opener)
		return 0;
	if (e->state == WEFT_ST_OPENING) {
		todo |= enter_open(e, in->now);
		e->peer_max_message = believable(in->pkt->max_message);
		/* The first bytes tell it, where there are some soon. */
		hold_ack(e, in->now);
		e->opened_held = true;
	} else {
		/* The peer repeats OPENED until it hears from us. */
		e->ack_now = true;
	}
	todo |= hear(e, in);
	/* Bytes that came with OPEN and were not taken go once more. */
	if (todo & WEFT_DO_UP)
		weft_rtx_timeout(e, in->now);
	return todo | take_payload(e, in->pkt, in->now);
}

static u32 on_data(struct weft_engine *e, const struct input *in)
{
	u32 todo = hear(e, in);

	return todo | take_payload(e, in->pkt, in->now);
}

static u32 on_ack(struct weft_engine *e, const struct input *in)
{
	return hear(e, in);
}

/* The peer may have come to the end of what it was told of. */
static u32 on_probe(struct weft_engine *e, const struct input *in)
{
	u32 worth = min(ACK_SEGMENTS * e->params.mss, e->window.bytes / 2);

	e->ack_now = true;
	e->tell_all |= e->rcv_room - e->rcv_limit >= worth;
	return hear(e, in);
}

/* The peer had all we sent, and forgot the flow. */
static u32 on_closed(struct weft_engine *e, const struct input *in)
{
	if (e->state != WEFT_ST_CLOSING)
		return die(e, ECONNRESET);
	weft_rtx_acked(e, e->snd_nxt, 0, in->now);
	return WEFT_DO_FREE;
}

static u32 on_reset(struct weft_engine *e, const struct input *in)
{
	/*
	 * A listener that refuses marks the flow reset: when its answer was
	 * lost, the repeated OPEN is answered with UNKNOWN.
	 */
	if (e->state == WEFT_ST_OPENING)
		return die(e, in->pkt->reason == WEFT_RESET_ABORTED ?
			      ECONNRESET : ECONNREFUSED);
	/*
	 * Both streams are complete and only the acknowledgment of our end is
	 * missing: a peer that remembers too little to say CLOSED.
	 */
	if (e->state == WEFT_ST_CLOSING && e->snd_una == e->write_end)
		return on_closed(e, in);
	return die(e, ECONNRESET);
}

#define KIND(kind, handler, in)	[WEFT_##kind] = { (in), on_##handler },
static const struct {
	u16	states;
	u32	(*handle)(struct weft_engine *e, const struct input *in);
} kinds[WEFT_KINDS] = {
	WEFT_FLOW_KINDS(KIND)
};

u32 weft_engine_input(struct weft_engine *e, const struct weft_pkt *pkt,
		      const struct weft_range *ranges, unsigned int nr_ranges,
		      u64 now)
{
	const struct input in = {
		.pkt = pkt, .ranges = ranges, .nr_ranges = nr_ranges,
		.now = now,
	};
	u32 todo;

	if (pkt->kind >= WEFT_KINDS || !is_in(e, kinds[pkt->kind].states))
		return 0;
	todo = kinds[pkt->kind].handle(e, &in);
	if (e->state == WEFT_ST_CLOSING && e->snd_una > e->write_end)
		todo |= enter_done(e);
	return todo;
}

void weft_engine_write(struct weft_engine *e, u64 end)
{
	if (!e->fin)
		e->write_end = max(e->write_end, end);
}

void weft_engine_shutdown(struct weft_engine *e)
{
	/* A second OPENED is acknowledged at once, and then CLOSE may go. */
	if (!e->fin && e->state == WEFT_ST_ACCEPTED)
		e->open_due = true;
	e->fin = true;
}

void weft_engine_await(struct weft_engine *e)
{
	e->awaited = true;
}

bool weft_engine_hurry(struct weft_engine *e)
{
	/*
	 * Who waits for more than there is may wait for more than was told.
	 * Where all was read, so much was that it has been told.
	 */
	e->tell_all |= e->rcv_room > e->rcv_limit && is_half_used(e);
	if (!e->opened_held && !e->ack_read && !e->tell_all)
		return false;
	e->opened_held = false;
	e->ack_now = true;
	return true;
}

void weft_engine_ack_held(struct weft_engine *e)
{
	if (e->ack_read)
		e->ack_now = true;
}

void weft_engine_set_keep(struct weft_engine *e, const struct weft_keep *keep,
			  u64 user_timeout_ns)
{
	weft_alive_set(&e->alive, keep);
	e->params.user_timeout_ns = user_timeout_ns;
}

/* Does the peer know of this flow, or may it? */
static bool is_known(const struct weft_engine *e)
{
	return is_in(e, CARRYING) || (e->state == WEFT_ST_OPENING && e->tries);
}

u32 weft_engine_abort(struct weft_engine *e, int error)
{
	if (is_in(e, IN(DONE) | IN(DEAD)))
		return 0;
	e->reset_due = is_known(e);
	return die(e, error < 0 ? -error : error);
}

void weft_engine_admit(struct weft_engine *e, u64 limit)
{
	/* The window is a field of 32 bits. */
	limit = min(limit, e->rcv_nxt + (u32)~0U);
	if (limit <= e->rcv_room)
		return;
	e->rcv_room = limit;
	if (is_worth_a_packet(e))
		e->ack_now = true;
}

void weft_engine_read(struct weft_engine *e, u64 offset, u64 now)
{
	weft_window_read(&e->window, offset, e->rtt.srtt_ns, now);
	weft_engine_admit(e, offset + e->window.bytes);
	/* Of what is read in parts the last tells. */
	if (offset >= e->rcv_nxt || is_worth_telling(e))
		weft_engine_ack_held(e);
}

void weft_engine_kick(struct weft_engine *e, u64 now)
{
	if (is_in(e, IN(OPENING) | IN(ACCEPTED))) {
		e->open_due = true;
		e->open_ns = WEFT_NEVER;
		e->tries = min_t(u8, e->tries, 1);
	}
	if (e->probe_ns != WEFT_NEVER) {
		e->probe_due = true;
		e->probe_ns = WEFT_NEVER;
	}
	if (is_in(e, CARRYING) && e->backoff) {
		e->backoff = 0;
		e->loss_base_ns = now;
		weft_rtx_timeout(e, now);
	}
}

/* What an acknowledgment may announce; raises @rcv_limit in steps. */
static u32 announce(struct weft_engine *e, u64 ack)
{
	if (is_worth_telling(e))
		e->rcv_limit = limit_to_tell(e);
	return e->rcv_limit > ack ?
	       min_t(u64, e->rcv_limit - ack, (u32)~0U) : 0;
}

/* Where the streams are. */
static void fill_books(struct weft_engine *e, struct weft_pkt *pkt, u8 kind)
{
	pkt->kind = kind;
	pkt->offset = e->snd_nxt;
	pkt->ack = e->rcv_nxt + (e->rcv_nxt == e->rcv_fin);
	pkt->window = announce(e, pkt->ack);
}

static bool fill(struct weft_engine *e, struct weft_pkt *pkt, u8 kind, u64 now)
{
	fill_books(e, pkt, kind);
	pkt->time = weft_rtx_clock(now);
	if (e->echo_time && now - e->echo_at_ns < ECHO_MAX_NS) {
		pkt->echo = e->echo_time;
		pkt->delay = div_u64(now - e->echo_at_ns, WEFT_NS_PER_US);
	}
	return true;
}

/* OPEN carries what fits behind the longest header, each time the same bytes. */
static u32 open_room(const struct weft_engine *e)
{
	u32 extra = WEFT_HLEN_MAX - WEFT_HLEN_DATA;

	if (e->params.mss <= extra || (!e->snd_nxt && !weft_rtx_has_room(e)))
		return 0;
	return min_t(u64, e->snd_nxt ?: e->write_end, e->params.mss - extra);
}

static bool fill_open(struct weft_engine *e, struct weft_pkt *pkt, u64 now)
{
	if (!e->open_due)
		return false;
	fill(e, pkt, WEFT_OPEN, now);
	pkt->max_message = e->params.max_message;
	pkt->offset = 0;
	pkt->plen = open_room(e);
	return true;
}

static bool fill_opened(struct weft_engine *e, struct weft_pkt *pkt, u64 now)
{
	if (e->state != WEFT_ST_ACCEPTED || !e->open_due)
		return false;
	fill(e, pkt, WEFT_OPENED, now);
	pkt->max_message = e->params.max_message;
	return true;
}

/*
 * The segment that fills a small window, and one that asks whether the path
 * still lives, are not to wait for the peer's acknowledgment timer.
 */
static bool is_prompt(const struct weft_engine *e, u32 plen)
{
	u32 mss = e->params.mss;

	if (plen > mss)
		return false;
	return e->tail_due || e->backoff ||
	       (e->tx->cc.cwnd < SMALL_WINDOW_SEGMENTS * mss &&
		e->in_flight + plen + mss > e->tx->cc.cwnd);
}

/* Bytes [start, end) as one packet; the stream's end goes with one segment. */
static bool fill_bytes(struct weft_engine *e, struct weft_pkt *pkt,
		       const struct weft_range *bytes, u64 now)
{
	u32 mss = e->params.mss;
	u32 plen = min(bytes->end, e->write_end) - bytes->start;
	bool ends = bytes->end > e->write_end;

	fill(e, pkt, ends && plen <= mss ? WEFT_CLOSE : WEFT_DATA, now);
	pkt->segment = mss;
	pkt->offset = bytes->start;
	if (ends && plen > mss) {
		plen--;
		plen -= plen % mss;
	}
	pkt->plen = plen;
	if (is_prompt(e, plen) || (ends && e->awaited))
		pkt->flags |= WEFT_F_PROMPT;
	return true;
}

/* What leaves at once, bytes. */
static u32 burst(const struct weft_engine *e)
{
	return weft_cc_burst(&e->tx->cc, e->params.super_max);
}

/* What cwnd admits; one segment in any case when nothing is under way. */
static u32 cwnd_room(const struct weft_engine *e)
{
	u32 cwnd = e->tx->cc.cwnd;
	u32 room = cwnd > e->in_flight ? cwnd - e->in_flight : 0;

	return e->in_flight ? room : max(room, e->params.mss);
}

/* What is more than @room is cut to whole segments. */
static u32 whole_segments(const struct weft_engine *e, u64 left, u32 room)
{
	room = min(room, burst(e));
	return left > room ? room - room % e->params.mss : left;
}

static bool pick_lost(struct weft_engine *e, struct weft_range *bytes, u64 now)
{
	struct weft_record *rec;
	u32 len;

	if (!e->lost_bytes)
		return false;
	rec = weft_rtx_find_lost(e);
	if (!rec)
		return false;
	weft_mss_lost(&e->seg, rec->start, now);
	len = whole_segments(e, rec->end - rec->start, cwnd_room(e));
	bytes->start = rec->start;
	bytes->end = rec->start + len;
	return len;
}

/*
 * What the peer's window admits now of @left bytes. A remainder below a
 * segment, or SILLY_MAX, waits, unless it is half of the largest window the peer
 * ever had, or has waited for the probe's time (RFC 9293 section 3.8.6.2.1).
 */
static u32 window_room(const struct weft_engine *e, u64 left)
{
	u64 window = 0;

	if (e->snd_limit > e->snd_nxt)
		window = min_t(u64, e->snd_limit - e->snd_nxt, (u32)~0U);
	if (window >= left || window >= silly(e) ||
	    window >= e->max_window / 2 || e->probe_due)
		return window;
	return 0;
}

static bool pick_new(struct weft_engine *e, struct weft_range *bytes, u32 room)
{
	u64 left = e->write_end - e->snd_nxt;
	u32 window = window_room(e, left);
	u32 len;

	if (!is_in(e, SENDING) || !weft_rtx_has_room(e))
		return false;
	/* A window below a segment that may be used is used up. */
	if (window < e->params.mss && window <= room)
		len = min_t(u64, left, window);
	else
		len = whole_segments(e, left, min(room, window));
	bytes->start = e->snd_nxt;
	bytes->end = e->snd_nxt + len;
	if (len == left && e->fin && e->state != WEFT_ST_ACCEPTED)
		bytes->end++;
	return bytes->end > bytes->start;
}

/*
 * One segment that is larger than the others: does it pass? Only where nothing
 * else is wrong, so that its loss has one reason.
 */
static bool pick_trial(struct weft_engine *e, struct weft_range *bytes,
		       u64 now)
{
	u32 size = weft_mss_to_try(&e->seg, now);
	u64 left = e->write_end - e->snd_nxt;

	if (!size || left < size || !is_in(e, SENDING) || e->backoff ||
	    e->tx->cc.recovering || window_room(e, left) < size ||
	    cwnd_room(e) < size || !weft_rtx_has_room(e))
		return false;
	bytes->start = e->snd_nxt;
	bytes->end = e->snd_nxt + size;
	return true;
}

/*
 * RFC 8985 section 7.3: a new segment, or else the last one once more. Where the
 * window has no room for what was lost, that comes first.
 */
static bool pick_tail(struct weft_engine *e, struct weft_range *bytes)
{
	unsigned int i = e->nr_recs;
	struct weft_record *lost;

	if (!e->tail_due)
		return false;
	lost = weft_rtx_find_lost(e);
	if (lost) {
		bytes->start = lost->start;
		bytes->end = min(lost->end, lost->start + e->params.mss);
		return true;
	}
	if (pick_new(e, bytes, e->params.mss))
		return true;
	while (i--) {
		struct weft_record *rec = weft_rtx_at(e, i);

		if (rec->flags & (WEFT_REC_SACKED | WEFT_REC_LOST))
			continue;
		bytes->end = rec->end;
		bytes->start = rec->start;
		if (rec->end - rec->start > e->params.mss)
			bytes->start = rec->end - e->params.mss;
		return true;
	}
	e->tail_due = false;
	return false;
}

/* The pace holds the flow back; one that its program set tells of no path. */
static void note_pace(struct weft_engine *e)
{
	e->cwnd_limited = !weft_cc_is_bounded(&e->tx->cc);
	if (!e->cwnd_limited)
		e->slack_until = e->delivered + e->in_flight;
}

/* Nothing (more) is sent now: for want of bytes, of window or of cwnd? */
static void note_why(struct weft_engine *e, u64 now)
{
	u64 left = e->write_end - e->snd_nxt;
	bool stalled = is_in(e, SENDING) && left && !window_room(e, left);

	e->cwnd_limited = e->lost_bytes ||
			  (is_in(e, SENDING) && left && !stalled);
	if (!e->cwnd_limited)
		e->slack_until = e->delivered + e->in_flight;
	if (!stalled || e->nr_recs) {
		e->probe_ns = WEFT_NEVER;
		return;
	}
	if (e->probe_ns != WEFT_NEVER || e->probe_due)
		return;
	/* RFC 9293 section 3.8.6.1 */
	if (!e->tries)
		e->alive_ns = now;
	e->probe_ns = now + weft_rtt_backoff(weft_rtt_rto(&e->rtt, 0),
					     e->tries, WEFT_PROBE_MAX_NS);
}

static bool fill_stream(struct weft_engine *e, struct weft_pkt *pkt, u64 now)
{
	struct weft_range bytes;
	bool trial = false;

	if (!e->tx) {
		note_why(e, now);
		return false;
	}
	/* RFC 5681 section 4.1 */
	if (!e->nr_recs && now - e->last_sent_ns > WEFT_RTO_MIN_NS &&
	    e->last_sent_ns &&
	    now - e->last_sent_ns > weft_rtt_rto(&e->rtt, 0))
		weft_cc_idle(&e->tx->cc);
	if (!pick_lost(e, &bytes, now) && !pick_tail(e, &bytes)) {
		/* What was lost goes first. */
		trial = !e->lost_bytes && pick_trial(e, &bytes, now);
		if (!trial &&
		    (e->lost_bytes || !pick_new(e, &bytes, cwnd_room(e)))) {
			note_why(e, now);
			return false;
		}
	}
	e->pace_waits = now + e->ahead_ns < e->pace_ns;
	e->cwnd_limited = false;
	if (e->pace_waits) {
		note_pace(e);
		return false;
	}
	e->depart_ns = max(now, e->pace_ns);
	fill_bytes(e, pkt, &bytes, e->depart_ns);
	if (trial)
		pkt->segment = pkt->plen;
	return true;
}

/*
 * Where there are more ranges than an ACK carries, it tells of the lowest, of
 * the latest, of the lowest again, and of each in turn: none is told only once.
 */
static unsigned int first_told(const struct weft_engine *e)
{
	unsigned int first = 0;

	if (e->nr_ranges <= WEFT_RANGES_MAX)
		return 0;
	if (e->ack_turn % 4 == 1)
		first = e->last_range - min_t(u32, e->last_range,
					      WEFT_RANGES_MAX / 2);
	else if (e->ack_turn % 4 == 3)
		first = e->ack_turn / 4 * WEFT_RANGES_MAX % e->nr_ranges;
	return min(first, e->nr_ranges - WEFT_RANGES_MAX);
}

static bool fill_ack(struct weft_engine *e, struct weft_pkt *pkt, u64 now)
{
	fill(e, pkt, WEFT_ACK, now);
	pkt->ranges = e->ranges + first_told(e);
	pkt->nr_ranges = min_t(u32, e->nr_ranges, WEFT_RANGES_MAX);
	pkt->plen = pkt->nr_ranges * sizeof(struct weft_wire_range);
	return true;
}

bool weft_engine_is_idle(const struct weft_engine *e)
{
	return e->snd_nxt == e->write_end + e->fin && !e->ack_now &&
	       !e->lost_bytes && !e->open_due && !e->reset_due &&
	       !e->tail_due && !e->probe_due && !e->alive.due && !e->small_due &&
	       /* Or what note_why() noted is out of date. */
	       !e->cwnd_limited && e->probe_ns == WEFT_NEVER &&
	       e->slack_until == e->delivered + e->in_flight;
}

bool weft_engine_next(struct weft_engine *e, u64 now, struct weft_pkt *pkt)
{
	memset(pkt, 0, sizeof(*pkt));
	pkt->version = WEFT_VERSION_MAX;
	e->pace_waits = false;
	e->depart_ns = now;
	if (e->reset_due) {
		pkt->kind = WEFT_RESET;
		pkt->reason = WEFT_RESET_ABORTED;
		return true;
	}
	if (e->state == WEFT_ST_OPENING)
		return fill_open(e, pkt, now);
	if (is_in(e, CARRYING)) {
		if (fill_opened(e, pkt, now) || fill_stream(e, pkt, now))
			return true;
		if (e->probe_due || e->alive.due || e->small_due)
			return fill(e, pkt, WEFT_PROBE, now);
	}
	if (e->ack_now)
		return fill_ack(e, pkt, now);
	return false;
}

static void ack_left(struct weft_engine *e, u8 kind)
{
	e->ack_ns = WEFT_NEVER;
	e->opened_held = false;
	e->ack_read = false;
	e->tell_all = false;
	e->rcv_unacked = 0;
	/* Only an ACK can tell of bytes out of order. */
	if (kind == WEFT_ACK || !e->nr_ranges)
		e->ack_now = false;
	if (kind == WEFT_ACK)
		e->ack_turn++;
}

static void open_left(struct weft_engine *e, const struct weft_pkt *pkt,
		      u64 now)
{
	e->open_due = false;
	e->open_ns = now + weft_rtt_backoff(WEFT_OPEN_RETRY_NS, e->tries,
					    WEFT_OPEN_RETRY_MAX_NS);
	if (e->tries < BACKOFF_MAX)
		e->tries++;
	if (!pkt->plen)
		return;
	if (!e->snd_nxt)
		weft_rtx_sent(e, pkt->plen, now);
	else
		weft_rtx_resent(e, 0, pkt->plen, now);
}

static void end_left(struct weft_engine *e)
{
	set_state(e, e->state == WEFT_ST_OPEN ? WEFT_ST_SENT_CLOSE :
						WEFT_ST_CLOSING);
}

static void new_bytes_left(struct weft_engine *e, u64 end, u64 now)
{
	if (!e->nr_recs) {
		e->loss_base_ns = now;
		e->alive_ns = now;
	}
	weft_rtx_sent(e, end, now);
	e->probe_due = false;
	e->probe_ns = WEFT_NEVER;
	e->tries = 0;
	if (end > e->write_end)
		end_left(e);
}

/*
 * When the next bytes leave. A timer that was late by less than a burst is made
 * up for.
 */
static void pace(struct weft_engine *e, u32 bytes, u64 now)
{
	if (!weft_cc_pace(&e->tx->cc))
		return;
	e->pace_ns = max(e->pace_ns, now - WEFT_BURST_NS) +
		     weft_cc_gap_ns(&e->tx->cc, bytes);
}

static void bytes_left(struct weft_engine *e, const struct weft_pkt *pkt,
		       u32 plen, u64 now)
{
	u64 end;

	if (plen == pkt->plen && pkt->segment > e->params.mss)
		weft_mss_tried(&e->seg, pkt->offset, plen);
	/* What could not leave is as good as lost on the way. */
	if (!plen)
		plen = pkt->plen;
	end = pkt->offset + plen;
	if (pkt->kind == WEFT_CLOSE && plen == pkt->plen)
		end++;
	if (pkt->offset == e->snd_nxt)
		new_bytes_left(e, end, now);
	else
		weft_rtx_resent(e, pkt->offset, end, now);
	e->last_sent_ns = now;
	pace(e, end - pkt->offset, now);
	if (e->tail_due) {
		e->tail_due = false;
		e->tail_used = true;
		e->loss_base_ns = now;
	}
	/* That was all: weft_engine_next() need not find out. */
	if (e->snd_nxt == e->write_end + e->fin && !e->lost_bytes)
		note_why(e, now);
}

static void probe_left(struct weft_engine *e, const struct weft_pkt *pkt,
		       u64 now)
{
	if (e->small_due)
		e->small_at = pkt->time;
	e->small_due = false;
	if (e->alive.due)
		weft_alive_asked(&e->alive);
	if (e->probe_due && e->tries < BACKOFF_MAX)
		e->tries++;
	e->probe_due = false;
	note_why(e, now);
}

void weft_engine_sent(struct weft_engine *e, const struct weft_pkt *pkt,
		      u32 plen, u64 now)
{
	switch (pkt->kind) {
	case WEFT_RESET:
		e->reset_due = false;
		return;
	case WEFT_OPEN:
	case WEFT_OPENED:
		open_left(e, pkt, now);
		break;
	case WEFT_DATA:
	case WEFT_CLOSE:
		bytes_left(e, pkt, plen, max(now, e->depart_ns));
		break;
	case WEFT_PROBE:
		probe_left(e, pkt, now);
		break;
	}
	ack_left(e, pkt->kind);
}

bool weft_engine_may_hand(const struct weft_engine *e, u64 end)
{
	if (!is_in(e, IN(OPEN) | IN(GOT_CLOSE)) || e->snd_una != e->snd_nxt ||
	    e->nr_recs || e->reset_due)
		return false;
	if (end == e->snd_nxt)
		return e->fin && end == e->write_end;
	return end <= e->write_end && end - e->snd_nxt <= WEFT_SUPER_MAX;
}

bool weft_engine_may_take(const struct weft_engine *e, u64 start, u64 end)
{
	return is_in(e, RECEIVING) && e->rcv_fin == WEFT_NEVER &&
	       !e->nr_ranges && start == e->rcv_nxt && end <= e->rcv_limit;
}

/* As weft_engine_next() would, but that it tells no times: it is not on the path. */
static void hand_books(struct weft_engine *e, struct weft_pkt *pkt, u8 kind)
{
	memset(pkt, 0, sizeof(*pkt));
	pkt->version = WEFT_VERSION_MAX;
	pkt->max_message = e->params.max_message;
	fill_books(e, pkt, kind);
}

void weft_engine_hand(struct weft_engine *e, u64 end, struct weft_pkt *pkt)
{
	hand_books(e, pkt, end > e->snd_nxt ? WEFT_DATA : WEFT_CLOSE);
	pkt->plen = end - e->snd_nxt;
}

void weft_engine_hand_open(struct weft_engine *e, struct weft_pkt *pkt)
{
	hand_books(e, pkt, WEFT_OPEN);
}

u32 weft_engine_meet(struct weft_engine *e, struct weft_engine *peer,
		     const struct weft_pkt *open, u64 now)
{
	struct weft_pkt pkt;
	u32 todo;

	weft_engine_sent(e, open, 0, now);
	weft_engine_input(peer, open, NULL, 0, now);
	hand_books(peer, &pkt, WEFT_OPENED);
	weft_engine_sent(peer, &pkt, 0, now);
	todo = weft_engine_input(e, &pkt, NULL, 0, now);
	hand_books(e, &pkt, WEFT_ACK);
	weft_engine_took(e);
	weft_engine_input(peer, &pkt, NULL, 0, now);
	/* They are near, whatever the first packet will tell. */
	e->rtt.first_ns = WEFT_RTO_MIN_NS;
	peer->rtt.first_ns = WEFT_RTO_MIN_NS;
	return todo;
}

void weft_engine_look(struct weft_engine *e, struct weft_engine *peer)
{
	const struct weft_pkt told = {
		.ack	= peer->rcv_nxt,
		.window	= announce(peer, peer->rcv_nxt),
	};

	raise_limit(e, &told);
}

void weft_engine_took(struct weft_engine *e)
{
	ack_left(e, WEFT_ACK);
}

u32 weft_engine_handed(struct weft_engine *e, const struct weft_pkt *pkt,
		       u64 now)
{
	e->snd_nxt = pkt->offset + pkt->plen + (pkt->kind == WEFT_CLOSE);
	e->delivered += e->snd_nxt - e->snd_una;
	e->snd_una = e->snd_nxt;
	weft_alive_heard(&e->alive, now);
	e->alive_ns = now;
	e->tries = 0;
	e->probe_due = false;
	ack_left(e, pkt->kind);
	if (e->snd_nxt > e->write_end)
		end_left(e);
	note_why(e, now);
	if (e->state == WEFT_ST_CLOSING)
		return WEFT_DO_FREE | enter_done(e);
	return WEFT_DO_FREE;
}

/*
 * How long an OPEN, or an OPENED, is repeated without an answer. A program that
 * was given the flow before the opener spoke again may have less patience.
 */
static u64 open_patience_ns(const struct weft_engine *e)
{
	const struct weft_keep *keep = &e->alive.keep;
	u64 patience = e->params.open_timeout_ns;

	if (keep->limit_ns)
		return min(patience, keep->limit_ns);
	if (e->state == WEFT_ST_ACCEPTED && keep->idle_ns)
		return min(patience, keep->idle_ns +
				     keep->count * keep->interval_ns);
	return patience;
}

/* When the peer has been silent for too long. */
static u64 give_up_ns(const struct weft_engine *e)
{
	if (is_in(e, IN(OPENING) | IN(ACCEPTED)))
		return e->opened_ns + open_patience_ns(e);
	if (!e->params.user_timeout_ns)
		return WEFT_NEVER;
	if (!e->nr_recs && e->probe_ns == WEFT_NEVER && !e->probe_due)
		return WEFT_NEVER;
	return e->alive_ns + e->params.user_timeout_ns;
}

/* While anything is under way, its own timers find out. */
static u64 keep_ns(const struct weft_engine *e)
{
	if (!is_in(e, WEFT_FLOWING) || e->nr_recs || e->probe_due ||
	    e->probe_ns != WEFT_NEVER)
		return WEFT_NEVER;
	return weft_alive_deadline(&e->alive);
}

static u64 timeout_ns(const struct weft_engine *e)
{
	return e->loss_base_ns + weft_rtt_rto(&e->rtt, e->backoff);
}

/*
 * RFC 8985 section 7.2: two round trips; a lone segment's ACK may be late. In
 * recovery, too: a flow that does not slow down for losses is always in it.
 */
static u64 tail_ns(const struct weft_engine *e)
{
	u64 wait = 2 * e->rtt.srtt_ns;

	if (e->tail_used || e->tail_due || e->backoff || !e->rtt.srtt_ns ||
	    !e->in_flight)
		return WEFT_NEVER;
	if (e->in_flight < ACK_SEGMENTS * e->params.mss)
		wait += max(WEFT_ACK_DELAY_NS, e->peer_held_ns) +
			WEFT_ACK_LATE_NS;
	return max(e->loss_base_ns, e->last_sent_ns) +
	       max_t(u64, wait, WEFT_NS_PER_MS);
}

static u64 loss_ns(const struct weft_engine *e)
{
	if (!e->nr_recs || !is_in(e, CARRYING))
		return WEFT_NEVER;
	return min3(timeout_ns(e), tail_ns(e), e->reorder_ns);
}

/* May it be its size that keeps a record from arriving? */
static bool is_large(const struct weft_engine *e, const struct weft_record *rec)
{
	return min_t(u64, rec->end - rec->start, e->params.mss) >
	       WEFT_FRAME_MIN - WEFT_HLEN_DATA;
}

static void expire_loss(struct weft_engine *e, u64 now)
{
	if (now >= e->reorder_ns)
		weft_rtx_detect(e, now);
	if (now >= tail_ns(e))
		e->tail_due = true;
	if (now < timeout_ns(e))
		return;
	/* RFC 6298 (5.4) to (5.6) */
	e->tail_due = false;
	weft_cc_timeout(&e->tx->cc, e->snd_una, e->snd_nxt, now);
	weft_rtx_timeout(e, now);
	e->loss_base_ns = now;
	if (e->backoff < BACKOFF_MAX)
		e->backoff++;
	/* See note "Black holes". */
	e->small_due = e->backoff > 1 && is_large(e, weft_rtx_at(e, 0));
}

/* Half of what the device may keep is left when it gets more. */
static u64 wake_ns(const struct weft_engine *e)
{
	return e->pace_waits ? e->pace_ns - e->ahead_ns / 2 : WEFT_NEVER;
}

u32 weft_engine_tick(struct weft_engine *e, u64 now)
{
	if (!is_in(e, IN(OPENING) | CARRYING))
		return 0;
	if (now >= give_up_ns(e))
		return weft_engine_abort(e, ETIMEDOUT);
	if (now >= keep_ns(e) &&
	    weft_alive_tick(&e->alive, now) == WEFT_ALIVE_GONE)
		return weft_engine_abort(e, ETIMEDOUT);
	if (now >= e->open_ns) {
		e->open_due = true;
		e->open_ns = WEFT_NEVER;
	}
	if (now >= e->ack_ns) {
		e->ack_now = true;
		e->ack_ns = WEFT_NEVER;
	}
	if (now >= e->probe_ns) {
		e->probe_due = true;
		e->probe_ns = WEFT_NEVER;
	}
	if (now >= wake_ns(e))
		e->pace_waits = false;
	if (now >= loss_ns(e))
		expire_loss(e, now);
	return 0;
}

/* All other times are further away when they begin. */
bool weft_engine_is_calm(const struct weft_engine *e)
{
	return is_in(e, WEFT_FLOWING) && e->reorder_ns == WEFT_NEVER &&
	       e->probe_ns == WEFT_NEVER && !e->pace_waits && !e->ack_read &&
	       e->in_flight < ACK_SEGMENTS * e->params.mss;
}

u64 weft_engine_deadline(const struct weft_engine *e)
{
	if (!is_in(e, IN(OPENING) | CARRYING))
		return WEFT_NEVER;
	return min3(min3(give_up_ns(e), e->open_ns, e->ack_ns),
		    min3(e->probe_ns, loss_ns(e), keep_ns(e)),
		    wake_ns(e));
}
