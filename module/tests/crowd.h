/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Many flows over one bottleneck: what they get of it, how long its queue is,
 * and what it costs. Where sim.c proves that nothing is lost, this measures.
 *
 * The bottleneck is in the way from side 0 to side 1; back, there is only the
 * delay. Packets are passed as the engines made them; super-packets are cut to
 * frames before they come to the queue, as on a real card.
 */
#ifndef WEFT_TESTS_CROWD_H
#define WEFT_TESTS_CROWD_H

#include <kunit/test.h>
#include <linux/types.h>

#include "../proto/engine.h"
#include "agenda.h"

#define CROWD_FLOWS	100
#define CROWD_CHANGES	4
#define CROWD_EVENTS	4096
#define CROWD_ANSWERS	8192

/* The receive window at first, as the module has it. */
#define CROWD_WINDOW	(106496 + 4096)

/* What a frame has besides payload: headers of weft and of Ethernet. */
#define CROWD_OVERHEAD	(64 + 14)

/**
 * struct crowd_flow - one connection
 * @start_ns: when it is opened
 * @cc: algorithm, NULL for the default
 * @ask: 0: side 0 writes as fast as it may; else bytes of a question, which
 *	side 1 answers with as many
 * @gap_ns: from an answer to the next question
 * @skew_ns: its machines' clocks are so far ahead
 */
struct crowd_flow {
	u64	start_ns;
	const struct weft_cc_ops *cc;
	u32	ask;
	u64	gap_ns;
	u64	skew_ns;
};

/** struct crowd_change - from @at_ns on the bottleneck takes so long a byte */
struct crowd_change {
	u64	at_ns;
	u32	ns_per_byte;	/* 0: nothing passes */
};

/**
 * struct crowd_params - one run
 * @seed: not 0
 * @delay_ns: one way
 * @jitter_ns: up to so much more from side 0 to 1, each frame for itself
 * @back_jitter_ns: the same from side 1 to 0
 * @swift: chance that a frame needs no time on the road, parts of a million, both
 *	ways: it overtakes all that are under way
 * @ns_per_byte: of the bottleneck
 * @queue: bytes that wait for it at most
 * @loss: chance that a frame is lost, parts of a million, side 0 to 1
 * @late_ns: timers of both sides fire up to so much too late
 * @heap_ns: acknowledgments arrive together at multiples of this
 * @bands: the bottleneck is the sender's own device, and sends first what
 *	weft_engine_is_short(), as pfifo_fast does
 * @window: receive window at most
 * @from_ns: measured from here
 * @to_ns: up to here, where the run ends
 */
struct crowd_params {
	u64	seed;
	u32	mss;
	u64	delay_ns;
	u64	jitter_ns;
	u64	back_jitter_ns;
	u32	swift;
	u32	ns_per_byte;
	u32	queue;
	u32	loss;
	u64	late_ns;
	u64	heap_ns;
	bool	bands;
	u32	window;
	u64	from_ns;
	u64	to_ns;
	u32	nr_flows;
	struct crowd_flow flow[CROWD_FLOWS];
	struct crowd_change change[CROWD_CHANGES];
};

/**
 * struct crowd_end - one end of a flow
 * @timer_ns: when its timer is to fire, WEFT_NEVER while it does not run
 * @fire_ns: when it does
 * @frames: of stream bytes sent
 * @acks: pure ones sent
 * @sent: stream bytes sent, each time
 * @twice: stream bytes that came and were here already
 * @got: bytes delivered between from_ns and to_ns
 * @asked_ns: when the last question was asked
 */
struct crowd_end {
	struct weft_engine	e;
	struct weft_tx		tx;
	bool			live;
	u64			timer_ns;
	u64			fire_ns;
	u64			frames;
	u64			acks;
	u64			sent;
	u64			twice;
	u64			got;
	u64			asked_ns;
};

struct crowd_event;

/**
 * struct crowd - a run and what came of it
 * @answers: ns each took, of all questions answered in the measured time
 * @queue_most_ns: longest time in the queue, measured
 * @queue_sum_ns: of all frames, for the mean
 * @queue_frames: so many
 * @dropped: frames that found the queue full, measured
 * @tenths: bytes delivered in each 100 ms, all flows
 */
struct crowd {
	struct kunit		*test;
	struct crowd_params	p;
	u64			random;
	u64			now;
	u64			begin;
	u64			busy_until;
	u32			ns_per_byte;
	u64			down_until;
	struct crowd_end	end[CROWD_FLOWS][2];
	struct crowd_event	*events;
	struct agenda		agenda;
	u64			*answers;
	u32			nr_answers;
	u64			queue_most_ns;
	u64			queue_sum_ns;
	u64			queue_frames;
	u64			dropped;
	u64			tenths[1000];
	const char		*fault;
};

/** crowd_alloc() - memory for runs, freed with the test */
struct crowd *crowd_alloc(struct kunit *test);

/** crowd_run() - one run. Return: NULL, or what went wrong. */
const char *crowd_run(struct crowd *crowd, const struct crowd_params *params);

/** crowd_goodput() - per mille of what the bottleneck carries of payload */
u32 crowd_goodput(const struct crowd *crowd);

/** crowd_part() - what flows from @from up to @to get of that, per mille */
u32 crowd_part(const struct crowd *crowd, u32 from, u32 to);

/** crowd_jain() - fairness of the bulk flows, per mille */
u32 crowd_jain(const struct crowd *crowd);

/** crowd_least() - what the poorest bulk flow got, per mille of its share */
u32 crowd_least(const struct crowd *crowd);

/** crowd_spurious() - stream bytes that came twice, per million of those sent */
u32 crowd_spurious(const struct crowd *crowd);

/** crowd_answer_us() - the time that so many per mille of answers kept, us */
u32 crowd_answer_us(struct crowd *crowd, u32 mille);

/** crowd_full_ns() - from @at_ns, until 100 ms carry @mille of the link */
u64 crowd_full_ns(const struct crowd *crowd, u64 at_ns, u32 mille);

#endif /* WEFT_TESTS_CROWD_H */
