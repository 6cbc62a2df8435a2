// SPDX-License-Identifier: GPL-2.0
/* Many flows, one bottleneck. */
#include <linux/errno.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include "../proto/rtx.h"
#include "crowd.h"
#include "sim.h"

enum what {
	FRAME,
	START,
	ASK,
	CHANGE,
};

/* Something that happens to an end, or to the bottleneck. */
struct crowd_event {
	u8			what;
	u8			flow;
	u8			to;
	u8			nr_ranges;
	struct weft_pkt		pkt;
	struct weft_range	ranges[WEFT_RANGES_MAX];
};

static u64 below(struct crowd *c, u64 limit)
{
	u64 r = sim_random(&c->random) >> 16;

	return limit ? r - div64_u64(r, limit) * limit : 0;
}

/* What the machines of a flow take the time to be. */
static u64 clock_of(const struct crowd *c, unsigned int flow)
{
	return c->now + c->p.flow[flow].skew_ns;
}

/* A new event, on the agenda; its packet is still to be filled. */
static struct crowd_event *post(struct crowd *c, u8 what, unsigned int flow,
				unsigned int to, u64 at_ns)
{
	int slot = agenda_add(&c->agenda, at_ns);
	struct crowd_event *event;

	if (slot < 0) {
		c->fault = "too much under way";
		return &c->events[CROWD_EVENTS];
	}
	event = &c->events[slot];
	event->what = what;
	event->flow = flow;
	event->to = to;
	event->nr_ranges = 0;
	return event;
}

static bool is_measured(const struct crowd *c)
{
	return c->now >= c->begin + c->p.from_ns;
}

/* When a frame that comes now leaves the bottleneck; 0 when it is dropped. */
static u64 through_bottleneck(struct crowd *c, u32 bytes)
{
	u64 start = max(c->now, c->busy_until);
	u64 wait = start - c->now;

	if (!c->ns_per_byte ||
	    wait > (u64)c->p.queue * c->ns_per_byte) {
		c->dropped += is_measured(c);
		return 0;
	}
	if (is_measured(c)) {
		c->queue_most_ns = max(c->queue_most_ns, wait);
		c->queue_sum_ns += wait;
		c->queue_frames++;
	}
	c->busy_until = start + (u64)bytes * c->ns_per_byte;
	return c->busy_until;
}

/* What goes first waits for the frame that is being sent, and others for it. */
static u64 before_others(struct crowd *c, u32 bytes)
{
	u64 frame = (u64)(c->p.mss + CROWD_OVERHEAD) * c->ns_per_byte;
	u64 own = (u64)bytes * c->ns_per_byte;
	u64 start = max(c->now, c->busy_until);

	c->busy_until = start + own;
	return min(start, c->now + frame) + own;
}

static void put_on_road(struct crowd *c, unsigned int flow, unsigned int from,
			const struct weft_pkt *pkt, bool first)
{
	u64 at = c->now;
	struct crowd_event *event;

	if (!from) {
		at = first ? before_others(c, pkt->plen + CROWD_OVERHEAD) :
			through_bottleneck(c, pkt->plen + CROWD_OVERHEAD);
		if (!at || below(c, SIM_SURE) < c->p.loss)
			return;
		at += below(c, c->p.jitter_ns + 1);
	} else {
		at += below(c, c->p.back_jitter_ns + 1);
	}
	if (!c->p.swift || below(c, SIM_SURE) >= c->p.swift)
		at += c->p.delay_ns;
	if (from && c->p.heap_ns)
		at += c->p.heap_ns - 1 -
		      (at - div64_u64(at, c->p.heap_ns) * c->p.heap_ns);
	event = post(c, FRAME, flow, !from, at);
	event->pkt = *pkt;
	event->nr_ranges = min_t(u32, pkt->nr_ranges, WEFT_RANGES_MAX);
	if (event->nr_ranges)
		memcpy(event->ranges, pkt->ranges,
		       event->nr_ranges * sizeof(struct weft_range));
}

static void send(struct crowd *c, unsigned int flow, unsigned int from,
		 struct weft_pkt *pkt, bool first)
{
	struct crowd_end *end = &c->end[flow][from];
	u32 mss = end->e.params.mss;
	u32 left = pkt->plen;

	pkt->flow = 1;
	if (pkt->kind == WEFT_ACK) {
		end->acks++;
		put_on_road(c, flow, from, pkt, first);
		return;
	}
	do {
		pkt->plen = min(left, mss);
		end->frames += pkt->plen > 0;
		end->sent += pkt->plen;
		put_on_road(c, flow, from, pkt, first);
		pkt->offset += pkt->plen;
		left -= pkt->plen;
	} while (left);
}

static void lend(struct crowd *c, struct crowd_end *end)
{
	void *array;
	u32 n;

	if (weft_engine_wants_tx(&end->e))
		weft_engine_lend_tx(&end->e, &end->tx);
	n = weft_engine_wants_records(&end->e);
	if (n) {
		array = kunit_kcalloc(c->test, n, sizeof(struct weft_record),
				      GFP_KERNEL);
		array = weft_engine_lend_records(&end->e, array, n);
		kunit_kfree(c->test, array);
	}
	n = weft_engine_wants_ranges(&end->e);
	if (n) {
		array = kunit_kcalloc(c->test, n, sizeof(struct weft_range),
				      GFP_KERNEL);
		array = weft_engine_lend_ranges(&end->e, array, n);
		kunit_kfree(c->test, array);
	}
}

static void arm(struct crowd *c, unsigned int flow, unsigned int side)
{
	struct crowd_end *end = &c->end[flow][side];
	u64 at = weft_engine_deadline(&end->e);

	if (at != WEFT_NEVER)
		at -= c->p.flow[flow].skew_ns;
	/* As conn.c: never moved to a later time. */
	if (at >= end->timer_ns)
		return;
	end->timer_ns = at;
	end->fire_ns = max(at, c->now) + below(c, c->p.late_ns + 1);
}

static void pump(struct crowd *c, unsigned int flow, unsigned int side)
{
	struct crowd_end *end = &c->end[flow][side];
	const struct crowd_flow *f = &c->p.flow[flow];
	struct weft_pkt pkt;
	bool first;

	/* More than any window of these runs is always written. */
	if (!side && !f->ask)
		weft_engine_write(&end->e, end->e.snd_una + (16U << 20));
	for (;;) {
		lend(c, end);
		if (!weft_engine_next(&end->e, clock_of(c, flow), &pkt))
			break;
		first = c->p.bands && weft_engine_is_short(&end->e, &pkt);
		weft_engine_sent(&end->e, &pkt, pkt.plen, clock_of(c, flow));
		send(c, flow, side, &pkt, first);
	}
	arm(c, flow, side);
}

static void note_answer(struct crowd *c, unsigned int flow)
{
	struct crowd_end *end = &c->end[flow][0];

	if (is_measured(c) && c->nr_answers < CROWD_ANSWERS)
		c->answers[c->nr_answers++] = c->now - end->asked_ns;
	post(c, ASK, flow, 0, c->now + c->p.flow[flow].gap_ns);
}

static void ask(struct crowd *c, unsigned int flow)
{
	struct crowd_end *end = &c->end[flow][0];

	end->asked_ns = c->now;
	weft_engine_write(&end->e, end->e.write_end + c->p.flow[flow].ask);
	pump(c, flow, 0);
}

/* Bytes came in order: read them, and do what the program does with them. */
static void deliver(struct crowd *c, unsigned int flow, unsigned int side,
		    u64 before)
{
	const struct crowd_flow *f = &c->p.flow[flow];
	struct crowd_end *end = &c->end[flow][side];
	u64 tenth = div64_u64(c->now - c->begin, 100 * SIM_MS);

	if (is_measured(c))
		end->got += end->e.rcv_nxt - before;
	if (side)
		c->tenths[min_t(u64, tenth, 999)] += end->e.rcv_nxt - before;
	weft_engine_read(&end->e, end->e.rcv_nxt, clock_of(c, flow));
	if (!f->ask || end->e.rcv_nxt % f->ask)
		return;
	if (side)
		weft_engine_write(&end->e, end->e.write_end + f->ask);
	else
		note_answer(c, flow);
}

static void begin(struct crowd *c, unsigned int flow, unsigned int side)
{
	const struct weft_params params = {
		.mss = c->p.mss,
		.super_max = WEFT_SUPER_MAX / c->p.mss * c->p.mss,
		.rcv_window = CROWD_WINDOW,
		.rcv_window_max = c->p.window,
		.max_message = WEFT_MAX_MESSAGE_MIN,
		.user_timeout_ns = 120 * SIM_SEC,
		.open_timeout_ns = 120 * SIM_SEC,
		.cc = c->p.flow[flow].cc,
	};
	struct crowd_end *end = &c->end[flow][side];

	weft_engine_init(&end->e, &params);
	end->live = true;
	end->timer_ns = WEFT_NEVER;
	end->fire_ns = WEFT_NEVER;
	lend(c, end);
}

static void arrive(struct crowd *c, const struct crowd_event *event)
{
	struct crowd_end *end = &c->end[event->flow][event->to];
	u64 before;
	u32 todo;

	if (!end->live && event->pkt.kind == WEFT_OPEN) {
		begin(c, event->flow, event->to);
		weft_engine_accept(&end->e, &event->pkt,
				   clock_of(c, event->flow));
	}
	if (!end->live)
		return;
	lend(c, end);
	before = end->e.rcv_nxt;
	todo = weft_engine_input(&end->e, &event->pkt, event->ranges,
				 event->nr_ranges, clock_of(c, event->flow));
	if (event->pkt.kind == WEFT_DATA && event->pkt.plen &&
	    !(todo & WEFT_DO_STORE))
		end->twice += event->pkt.plen;
	if (todo & WEFT_DO_DELIVER)
		deliver(c, event->flow, event->to, before);
	if (todo & WEFT_DO_UP && !event->to && c->p.flow[event->flow].ask)
		ask(c, event->flow);
	if (todo & WEFT_DO_DEAD)
		c->fault = "a flow died";
	pump(c, event->flow, event->to);
}

static void change_rate(struct crowd *c, unsigned int i)
{
	u32 was = c->ns_per_byte, is = c->p.change[i].ns_per_byte;
	u64 left = c->busy_until > c->now ? c->busy_until - c->now : 0;

	/* What waits goes at the new rate; what waits for no rate is lost. */
	if (was && is)
		c->busy_until = c->now + div_u64(left, was) * is;
	c->ns_per_byte = is;
}

static void happen(struct crowd *c, const struct crowd_event *event)
{
	struct crowd_end *end = &c->end[event->flow][event->to];

	switch (event->what) {
	case FRAME:
		arrive(c, event);
		break;
	case START:
		begin(c, event->flow, 0);
		weft_engine_open(&end->e, clock_of(c, event->flow));
		pump(c, event->flow, 0);
		break;
	case ASK:
		ask(c, event->flow);
		break;
	case CHANGE:
		change_rate(c, event->flow);
		break;
	}
}

static void fire(struct crowd *c, struct crowd_end *end)
{
	unsigned int at = end - &c->end[0][0];

	end->timer_ns = WEFT_NEVER;
	end->fire_ns = WEFT_NEVER;
	if (clock_of(c, at / 2) >= weft_engine_deadline(&end->e) &&
	    weft_engine_tick(&end->e, clock_of(c, at / 2)) & WEFT_DO_DEAD)
		c->fault = "a flow died of old age";
	pump(c, at / 2, at % 2);
}

/* The end whose timer fires next, NULL when none runs. */
static struct crowd_end *next_timer(struct crowd *c)
{
	struct crowd_end *first = NULL;
	unsigned int i;

	for (i = 0; i < 2 * c->p.nr_flows; i++) {
		struct crowd_end *end = &c->end[i / 2][i % 2];

		if (end->live && end->fire_ns != WEFT_NEVER &&
		    (!first || end->fire_ns < first->fire_ns))
			first = end;
	}
	return first;
}

/* False when the run is over. */
static bool advance(struct crowd *c)
{
	u64 at = agenda_next(&c->agenda);
	struct crowd_end *end = next_timer(c);
	bool is_timer = end && end->fire_ns < at;
	u16 event;

	if (is_timer)
		at = end->fire_ns;
	if (at >= c->begin + c->p.to_ns || c->fault)
		return false;
	c->now = at;
	if (is_timer) {
		fire(c, end);
		return true;
	}
	event = agenda_take(&c->agenda);
	happen(c, &c->events[event]);
	agenda_free(&c->agenda, event);
	return true;
}

static void reset(struct crowd *c, const struct crowd_params *params)
{
	struct crowd_event *events = c->events;
	struct kunit *test = c->test;
	struct agenda agenda = c->agenda;
	u64 *answers = c->answers;
	unsigned int i;

	memset(c, 0, sizeof(*c));
	c->test = test;
	c->events = events;
	c->agenda = agenda;
	agenda_clear(&c->agenda);
	c->answers = answers;
	c->p = *params;
	c->random = params->seed;
	c->begin = 4000 * SIM_SEC;
	c->now = c->begin;
	c->ns_per_byte = params->ns_per_byte;
	for (i = 0; i < params->nr_flows; i++)
		post(c, START, i, 0, c->begin + params->flow[i].start_ns);
	for (i = 0; i < CROWD_CHANGES; i++)
		if (params->change[i].at_ns)
			post(c, CHANGE, i, 0,
			     c->begin + params->change[i].at_ns);
}

const char *crowd_run(struct crowd *c, const struct crowd_params *params)
{
	unsigned int i, side;

	reset(c, params);
	while (advance(c))
		;
	for (i = 0; i < c->p.nr_flows; i++)
		for (side = 0; side < 2; side++) {
			struct weft_engine *e = &c->end[i][side].e;
			const char *fault = c->end[i][side].live ?
					    sim_check(e) : NULL;

			if (fault && !c->fault)
				c->fault = fault;
			kunit_kfree(c->test,
				    weft_engine_lend_records(e, NULL, 0));
			kunit_kfree(c->test, e->ranges);
		}
	return c->fault;
}

struct crowd *crowd_alloc(struct kunit *test)
{
	struct crowd *c = kunit_kzalloc(test, sizeof(*c), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, c);
	c->test = test;
	c->events = kunit_kcalloc(test, CROWD_EVENTS + 1, sizeof(*c->events),
				  GFP_KERNEL);
	c->answers = kunit_kcalloc(test, CROWD_ANSWERS, sizeof(*c->answers),
				   GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, c->events);
	agenda_alloc(test, &c->agenda, CROWD_EVENTS);
	KUNIT_ASSERT_NOT_NULL(test, c->answers);
	return c;
}

/* Payload that the bottleneck carries in @ns. */
static u64 capacity(const struct crowd *c, u64 ns)
{
	u64 frames = div64_u64(ns, (u64)(c->p.mss + CROWD_OVERHEAD) *
				   c->p.ns_per_byte);

	return frames * c->p.mss;
}

static u64 bulk_bytes(const struct crowd *c, u32 *flows)
{
	u64 sum = 0;
	u32 i;

	*flows = 0;
	for (i = 0; i < c->p.nr_flows; i++) {
		if (c->p.flow[i].ask)
			continue;
		sum += c->end[i][1].got;
		++*flows;
	}
	return sum;
}

u32 crowd_goodput(const struct crowd *c)
{
	u32 flows;

	return div64_u64(bulk_bytes(c, &flows) * 1000,
			 capacity(c, c->p.to_ns - c->p.from_ns));
}

u32 crowd_part(const struct crowd *c, u32 from, u32 to)
{
	u64 sum = 0;

	for (; from < to; from++)
		sum += c->end[from][1].got;
	return div64_u64(sum * 1000, capacity(c, c->p.to_ns - c->p.from_ns));
}

u32 crowd_jain(const struct crowd *c)
{
	u64 sum, squares = 0;
	u32 flows, i;

	/* In KiB, so that squares of sums fit. */
	sum = bulk_bytes(c, &flows) >> 10;
	for (i = 0; i < c->p.nr_flows; i++)
		if (!c->p.flow[i].ask)
			squares += (c->end[i][1].got >> 10) *
				   (c->end[i][1].got >> 10);
	return div64_u64(sum * sum, max_t(u64, div_u64(squares * flows, 1000), 1));
}

u32 crowd_least(const struct crowd *c)
{
	u64 sum, least = WEFT_NEVER;
	u32 flows, i;

	sum = bulk_bytes(c, &flows);
	for (i = 0; i < c->p.nr_flows; i++)
		if (!c->p.flow[i].ask)
			least = min(least, c->end[i][1].got);
	return div64_u64(least * 1000 * flows, max_t(u64, sum, 1));
}

u32 crowd_spurious(const struct crowd *c)
{
	u64 sent = 0, twice = 0;
	u32 i;

	for (i = 0; i < c->p.nr_flows; i++) {
		sent += c->end[i][0].sent;
		twice += c->end[i][1].twice;
	}
	return div64_u64(twice * SIM_SURE, max_t(u64, sent, 1));
}

u32 crowd_answer_us(struct crowd *c, u32 mille)
{
	u32 i, k, gap;

	/* Shell sort: there are few. */
	for (gap = c->nr_answers / 2; gap; gap /= 2)
		for (i = gap; i < c->nr_answers; i++) {
			u64 one = c->answers[i];

			for (k = i; k >= gap && c->answers[k - gap] > one;
			     k -= gap)
				c->answers[k] = c->answers[k - gap];
			c->answers[k] = one;
		}
	if (!c->nr_answers)
		return ~0U;
	return div_u64(c->answers[(u64)(c->nr_answers - 1) * mille / 1000],
		       1000);
}

u64 crowd_full_ns(const struct crowd *c, u64 at_ns, u32 mille)
{
	u64 full = div_u64(capacity(c, 100 * SIM_MS) * mille, 1000);
	u32 first = div64_u64(at_ns, 100 * SIM_MS), i;

	for (i = first; i < 1000; i++)
		if (c->tenths[i] >= full)
			return (i + 1 - first) * 100 * SIM_MS;
	return WEFT_NEVER;
}
