/* SPDX-License-Identifier: GPL-2.0 */
/* One engine in a named state, and a peer that is the test itself. */
#ifndef WEFT_TESTS_BED_H
#define WEFT_TESTS_BED_H

#include <kunit/test.h>
#include <linux/bitops.h>
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include "../proto/range.h"
#include "../proto/rtx.h"
#include "sim.h"

#define BED_MSS		1000U
#define BED_SUPER	(10 * BED_MSS)
#define BED_WINDOW	65536U
#define BED_RECORDS	64
#define BED_RANGES	8
#define BED_RTT		(20 * SIM_MS)
#define BED_NONE	0xff

/**
 * struct bed - an engine under test
 * @now: moved by the test
 * @pkt: the last packet that it sent
 * @in: the last packet that it got
 * @todo: the last verdict
 * @late: after a tick there was still a deadline in the past
 */
struct bed {
	struct weft_engine	e;
	struct weft_tx		tx;
	struct weft_record	recs[BED_RECORDS];
	struct weft_range	ranges[BED_RANGES];
	u64			now;
	struct weft_pkt		pkt;
	struct weft_pkt		in;
	u32			todo;
	bool			late;
};

static inline void bed_init(struct bed *bed)
{
	const struct weft_params params = {
		.mss = BED_MSS, .super_max = BED_SUPER,
		.rcv_window = BED_WINDOW, .max_message = 100000,
		.cc = &weft_cc_cubic,
		.user_timeout_ns = 100 * SIM_SEC,
		.open_timeout_ns = 10 * SIM_SEC,
	};

	memset(bed, 0, sizeof(*bed));
	bed->now = 1000 * SIM_SEC;
	weft_engine_init(&bed->e, &params);
	weft_engine_lend_tx(&bed->e, &bed->tx);
	weft_engine_lend_records(&bed->e, bed->recs, BED_RECORDS);
	weft_engine_lend_ranges(&bed->e, bed->ranges, BED_RANGES);
}

/* The kind of the next packet, which leaves; BED_NONE when there is none. */
static inline u8 bed_next(struct bed *bed)
{
	if (!weft_engine_next(&bed->e, bed->now, &bed->pkt))
		return BED_NONE;
	weft_engine_sent(&bed->e, &bed->pkt, bed->pkt.plen, bed->now);
	return bed->pkt.kind;
}

/* All that it wants to send leaves; how many packets that were. */
static inline unsigned int bed_drain(struct bed *bed)
{
	unsigned int n = 0;

	while (n < 1000 && bed_next(bed) != BED_NONE)
		n++;
	return n;
}

/* Gives the engine @bed->in. */
static inline u32 bed_input(struct bed *bed)
{
	bed->todo = weft_engine_input(&bed->e, &bed->in, NULL, 0, bed->now);
	return bed->todo;
}

/* A packet that grants no window, and one that grants the usual one. */
#define bed_hear_tight(bed, ...) \
	((bed)->in = (struct weft_pkt){ __VA_ARGS__ }, bed_input(bed))
#define bed_hear(bed, ...) \
	bed_hear_tight(bed, .window = BED_WINDOW, __VA_ARGS__)

/* An ACK with one range. */
static inline u32 bed_sack(struct bed *bed, u64 ack, u64 start, u64 end)
{
	const struct weft_range range = { start, end };

	bed->in = (struct weft_pkt){
		.kind = WEFT_ACK, .ack = ack, .window = BED_WINDOW,
	};
	bed->todo = weft_engine_input(&bed->e, &bed->in, &range, 1, bed->now);
	return bed->todo;
}

static inline u32 bed_tick(struct bed *bed)
{
	bed->todo = weft_engine_tick(&bed->e, bed->now);
	bed->late |= weft_engine_deadline(&bed->e) <= bed->now;
	return bed->todo;
}

/* Time goes on to the next deadline. */
static inline u32 bed_sleep(struct bed *bed)
{
	bed->now = weft_engine_deadline(&bed->e);
	return bed_tick(bed);
}

static inline void bed_write(struct bed *bed, u64 bytes)
{
	weft_engine_write(&bed->e, bed->e.write_end + bytes);
}

/* An acknowledgment that is held back was so long enough. */
static inline void bed_answer(struct bed *bed)
{
	bed->e.ack_now |= bed->e.ack_ns != WEFT_NEVER;
	bed->e.ack_ns = WEFT_NEVER;
}

/* An OPEN that was answered after BED_RTT. */
static inline void bed_connect(struct bed *bed)
{
	bed_init(bed);
	weft_engine_open(&bed->e, bed->now);
	bed_next(bed);
	bed->now += BED_RTT;
	bed_hear(bed, .kind = WEFT_OPENED, .echo = bed->pkt.time,
		 .max_message = 100000);
	bed_answer(bed);
	bed_drain(bed);
}

/* An OPEN that came; OPENED is due. */
static inline void bed_accept(struct bed *bed)
{
	bed_init(bed);
	bed->in = (struct weft_pkt){
		.kind = WEFT_OPEN, .window = BED_WINDOW,
		.max_message = 100000,
	};
	weft_engine_accept(&bed->e, &bed->in, bed->now);
	bed_input(bed);
}

/* A flow in a state, with nothing under way but what the state says. */
static inline void bed_in(struct bed *bed, enum weft_state state)
{
	if (state == WEFT_ST_ACCEPTED)
		bed_accept(bed);
	else if (state > WEFT_ST_ACCEPTED)
		bed_connect(bed);
	else
		bed_init(bed);
	if (state == WEFT_ST_OPENING)
		weft_engine_open(&bed->e, bed->now);
	if (state == WEFT_ST_GOT_CLOSE || state == WEFT_ST_CLOSING ||
	    state == WEFT_ST_DONE)
		bed_hear(bed, .kind = WEFT_CLOSE);
	if (state == WEFT_ST_SENT_CLOSE || state == WEFT_ST_CLOSING ||
	    state == WEFT_ST_DONE)
		weft_engine_shutdown(&bed->e);
	if (state == WEFT_ST_DEAD)
		weft_engine_abort(&bed->e, ECONNABORTED);
	bed_answer(bed);
	bed_drain(bed);
	if (state == WEFT_ST_DONE)
		bed_hear(bed, .kind = WEFT_ACK, .ack = 1);
}

#endif /* WEFT_TESTS_BED_H */
