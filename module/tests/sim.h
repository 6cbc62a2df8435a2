/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Two engines, a link that loses, repeats, delays and reorders, and a clock
 * that jumps from event to event. Everything random comes from one seed, so
 * that a failure can be played again.
 *
 * An end of the simulation is what conn.c and its queues are in the module: it
 * owns records, ranges and the bytes received, keeps the marks, answers for
 * flows that it forgot, and cuts super-packets into frames. A flow's bytes have
 * no values: that each is delivered once and in order is checked by offset.
 */
#ifndef WEFT_TESTS_SIM_H
#define WEFT_TESTS_SIM_H

#include <kunit/test.h>
#include <linux/types.h>

#include "../proto/engine.h"
#include "../proto/marks.h"
#include "agenda.h"

/* Chances are parts of a million. */
#define SIM_SURE	1000000

#define SIM_MS		1000000ULL
#define SIM_SEC		1000000000ULL

/* When a run begins: the 32-bit clock wraps soon, and 0 is not a special time. */
#define SIM_BEGIN	(4294 * SIM_SEC)

/**
 * struct sim_link - the road between the ends, the same in both directions
 * @delay_ns: of every frame
 * @jitter_ns: at most so much more; frames overtake each other
 * @ns_per_byte: of the bottleneck, 0 for none
 * @change_ns: after so long the bottleneck has another rate, and after as long
 *	again its own, and so on; 0 for never
 * @changed_ns_per_byte: that rate
 * @queue: bytes that wait for the bottleneck, 0 for any number
 * @loss: chance that a frame is lost
 * @twice: chance that a frame comes twice
 * @late: chance that a frame comes once more up to @late_ns later
 * @late_ns: that is
 * @overtake: chance that a frame waits for @overtake_ns more
 * @overtake_ns: that is
 * @whole: super-packets travel in one piece
 * @dead_ns: from then on everything is lost, 0 for never
 * @alive_ns: until then, 0 for ever
 */
struct sim_link {
	u64	delay_ns;
	u64	jitter_ns;
	u32	ns_per_byte;
	u64	change_ns;
	u32	changed_ns_per_byte;
	u32	queue;
	u32	loss;
	u32	twice;
	u32	late;
	u64	late_ns;
	u32	overtake;
	u64	overtake_ns;
	bool	whole;
	u64	dead_ns;
	u64	alive_ns;
};

/**
 * struct sim_side - what the program at one end does
 * @bytes: to write
 * @piece: bytes a write, 0 for as many as fit
 * @write_gap_ns: between two writes
 * @buffer: receive buffer, and limit of unsent bytes, a power of 2
 * @window: receive window, 0 for the buffer
 * @stop_at: stops reading when so many bytes are read, if @stop_ns
 * @stop_ns: for so long
 * @chunk: it reads at most so much at once, 0 for all there is
 * @read_ns: and that takes so long
 * @need: it reads nothing unless so much is there, or the end, as with SO_RCVLOWAT
 * @sleeps: it waits for that in a call of recv(), and not in poll()
 * @messages: it reads such, with their records and up to a 0, as are whole, and
 *	then whatever there is; the buffer takes the largest that may be, and 4,096
 *	bytes more; NULL for none
 * @early: the first write is before connect(): it goes with OPEN
 * @drop: bit n: the n-th frame sent by this end is lost, for n below 64
 * @drop_kind: the first @drop_kinds packets of this kind are lost
 * @drop_kinds: see there
 * @refuse: (accepting end) nobody listens
 * @keep: how an idle peer is asked
 * @hole: frames of this end with more payload are lost, 0 for none
 * @hole_ns: until then, 0 for ever
 */
struct sim_side {
	u64	bytes;
	u32	piece;
	u64	write_gap_ns;
	u32	buffer;
	u32	window;
	u64	stop_at;
	u64	stop_ns;
	u32	chunk;
	u32	read_ns;
	const u32 *messages;
	u32	need;
	bool	sleeps;
	bool	early;
	u64	drop;
	u8	drop_kind;
	u32	drop_kinds;
	bool	refuse;
	struct weft_keep keep;
	u32	hole;
	u64	hole_ns;
};

/**
 * struct sim_params - one run
 * @seed: of everything random, not 0
 * @side: 0 opens the flows
 * @flows: one after the other, 0 for one
 * @cut: chance that the shell cannot send a packet, or only a part of it
 * @max_records: limit of the records that the shell can get, 0 for none
 * @starve: chance that it gets no struct weft_tx
 * @drop_since: frames are counted for the sides' @drop from the first packet of
 *	this kind on, whichever end sends it; 0: from the first packet
 * @shrink_at: bytes acked after which the path's mss is halved, 0 for never
 * @limit_ns: by then all is over
 * @hand: chance that what could be sent, or a part of it, is handed over; all of
 *	it where that is sure
 */
struct sim_params {
	u64		seed;
	u32		mss;
	u32		super_max;
	struct sim_link	link;
	struct sim_side	side[2];
	u32		flows;
	u32		cut;
	u32		max_records;
	u32		starve;
	u8		drop_since;
	u64		shrink_at;
	u64		limit_ns;
	u32		hand;
};

/* Segments are patched in place, as aligned words. */
struct sim_frame {
	u8	data[WEFT_HLEN_MAX + WEFT_RANGES_MAX * 8] __aligned(8);
	u16	len;
	u16	plen;
	u16	segment;
	u8	to;
};

#define SIM_FRAMES	8192

/**
 * struct sim_end - one end
 * @live: the engine belongs to a flow that is not forgotten
 * @flow: its id
 * @held: a flag for each byte of the receive buffer: stored, not read
 * @delivered: bytes in order
 * @read: bytes read
 * @eof: the peer's end was seen
 * @up: connected
 * @stopped: the reader stopped once
 * @read_next: when it goes on, or WEFT_NEVER
 * @write_next: when the next write is, or WEFT_NEVER when room decides
 * @starved_until: when memory is asked for again, or WEFT_NEVER
 * @starved: times that it was not there
 * @busy_until: when the last frame leaves the bottleneck
 * @over: flows forgotten after DONE
 * @failed: flows forgotten after DEAD
 * @error: of the last of these
 * @created: flows accepted
 * @frames: sent
 * @counted: of them since @drop_since
 * @acks: pure ones
 * @retransmitted: bytes of forgotten flows
 * @mss: of the last of them
 * @peak_records: most in use
 * @peak_ranges: likewise
 * @handed: packets that were handed over and not sent
 */
struct sim_end {
	struct weft_engine	e;
	struct weft_tx		tx;
	bool			live;
	u64			flow;
	u8			*held;
	u64			delivered;
	u64			read;
	bool			eof;
	bool			up;
	bool			stopped;
	u64			read_next;
	u64			write_next;
	u64			starved_until;
	u32			starved;
	u64			busy_until;
	struct weft_marks	marks;
	u64			number;
	u32			over;
	u32			failed;
	int			error;
	u32			created;
	u64			frames;
	u64			counted;
	u64			acks;
	u64			retransmitted;
	u32			mss;
	u32			peak_records;
	u32			peak_ranges;
	u64			handed;
};

struct sim {
	struct kunit		*test;
	struct sim_params	p;
	u64			random;
	u64			now;
	u32			steps;
	bool			counting;
	bool			handing;
	struct weft_engine	copy;
	struct weft_tx		copy_tx;
	struct sim_end		end[2];
	struct sim_frame	*frames;
	struct agenda		under_way;
	const char		*fault;
	u64			fault_at;
};

/** sim_alloc() - memory for runs, freed with the test */
struct sim *sim_alloc(struct kunit *test);

/**
 * sim_run() - one run
 *
 * Return: NULL, or what went wrong (also in @sim->fault, with the time).
 */
const char *sim_run(struct sim *sim, const struct sim_params *params);

/** sim_random() - xorshift64* */
u64 sim_random(u64 *state);

/** sim_check() - NULL, or which invariant of the engine is broken */
const char *sim_check(const struct weft_engine *e);

#endif /* WEFT_TESTS_SIM_H */
