/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The transport engine of one flow: arithmetic on offsets and times.
 *
 * The shell (conn.c and its queues, or the simulator) owns the bytes, the socket,
 * the clock and the memory. It tells the engine what happened, obeys the
 * WEFT_DO_* bits of the answer, then takes packets with weft_engine_next() until
 * there is none, and calls weft_engine_tick() no earlier than
 * weft_engine_deadline().
 *
 * Offsets are 64-bit stream positions that never wrap; each direction starts
 * at 0. The end of a stream counts as one byte behind its last one. Times are
 * ns of one monotonic clock. All calls on one engine are serialised by the
 * caller. The states are drawn in states.h.
 */
#ifndef WEFT_PROTO_ENGINE_H
#define WEFT_PROTO_ENGINE_H

#include "alive.h"
#include "cc.h"
#include "mss.h"
#include "packet.h"
#include "rtt.h"
#include "window.h"
#include "states.h"

#define WEFT_STATE_ENUM(state)	WEFT_ST_##state,
enum weft_state {
	WEFT_STATES(WEFT_STATE_ENUM)
	WEFT_ST_COUNT
};

/* What the shell must do after a call, in this order. */
#define WEFT_DO_STORE	0x01	/* keep payload bytes e->take of this packet */
#define WEFT_DO_DELIVER	0x02	/* bytes below e->rcv_nxt are in order */
#define WEFT_DO_FREE	0x04	/* bytes below e->snd_una may be freed */
#define WEFT_DO_UP	0x08	/* the flow is open: connect() ends */
#define WEFT_DO_EOF	0x10	/* the peer's stream ended at e->rcv_fin */
#define WEFT_DO_DONE	0x20	/* state is DONE: forget the flow, mark closed */
#define WEFT_DO_DEAD	0x40	/* state is DEAD: e->error tells; mark reset */
#define WEFT_DO_ROOM	0x80	/* the window the peer grants has grown */

#define WEFT_NEVER	(~0ULL)

/* OPEN and OPENED are repeated after this, doubled each time up to the last. */
#define WEFT_OPEN_RETRY_NS	(200 * WEFT_NS_PER_MS)
#define WEFT_OPEN_RETRY_MAX_NS	(2 * WEFT_NS_PER_SEC)

/* A closed window is asked for at least so often. */
#define WEFT_PROBE_MAX_NS	(5 * WEFT_NS_PER_SEC)

/* What a short conversation needs of records. */
#define WEFT_FEW_RECORDS	4

/* Records and ranges that one flow may ask for. */
#define WEFT_RECORDS_MIN	32
#define WEFT_RECORDS_MAX	16384
#define WEFT_HELD_MIN		8
#define WEFT_HELD_MAX		1024

/**
 * struct weft_record - something that was sent and is not acknowledged
 * @start: first byte
 * @end: behind the last byte
 * @sent_ns: when it was last sent
 * @delivered: @delivered of the engine when it was last sent, bytes
 * @delivered_ns: @delivered_ns of struct weft_tx at that time
 * @first_ns: @first_ns of it at that time
 * @origin_us: when it was first sent, by the protocol's clock, if that was taken
 *	for lost because others overtook it; 0 otherwise
 * @flags: WEFT_REC_*
 * @tries: times sent
 */
struct weft_record {
	u64	start;
	u64	end;
	u64	sent_ns;
	u64	delivered;
	u64	delivered_ns;
	u64	first_ns;
	u32	origin_us;
	u8	flags;
	u8	tries;
};

#define WEFT_REC_SACKED	0x01
#define WEFT_REC_LOST	0x02	/* to be sent again */
#define WEFT_REC_SLACK	0x04	/* the program, not the path, set the rate */

/**
 * struct weft_sample - what one packet tells of the rate of delivery
 * @sent_ns: when the latest sent of the records that it acks was sent
 * @end: where that record ended
 * @delivered: of the engine then, bytes
 * @delivered_ns: of struct weft_tx then
 * @first_ns: likewise
 * @slack: WEFT_REC_SLACK of it
 * @rtt_ns: round-trip time, 0 for none
 * @late_ns: how long ago the records were first sent that it acks and that
 *	others overtook, added up
 * @nr_late: of these
 * @rack_sent_ns: @rack_sent_ns of struct weft_tx before it
 * @rack_end: likewise
 * @shuffled: the path was seen to change the order
 * @vague: this or the packet before had no room for all that arrived: what is
 *	told late need not have come late
 */
struct weft_sample {
	u64	sent_ns;
	u64	end;
	u64	delivered;
	u64	delivered_ns;
	u64	first_ns;
	u64	rtt_ns;
	u64	late_ns;
	u32	nr_late;
	u64	rack_sent_ns;
	u64	rack_end;
	bool	shuffled;
	bool	vague;
	bool	slack;
};

/**
 * struct weft_params - what a flow starts with
 * @mss: payload of one frame, bytes
 * @super_max: payload of one super-packet, bytes, a multiple of @mss or @mss
 * @rcv_window: bytes the reader takes at first
 * @rcv_window_max: and at most, when the flow needs them; 0 for no more
 * @max_message: largest message we take, announced in OPEN and OPENED
 * @whole: what the reader may have to have in one piece, bytes; 0 for a stream,
 *	whose readers seldom wait for more than half of the window (SO_RCVLOWAT)
 * @cc: algorithm of congestion control, NULL for the default
 * @user_timeout_ns: give up when the peer acknowledges nothing for so long
 * @open_timeout_ns: give up an OPEN after so long
 */
struct weft_params {
	u32	mss;
	u32	super_max;
	u32	rcv_window;
	u32	rcv_window_max;
	u32	max_message;
	u32	whole;
	const struct weft_cc_ops *cc;
	u64	user_timeout_ns;
	u64	open_timeout_ns;
};

/**
 * struct weft_tx - what an engine keeps of bytes that it sends as packets
 * @cc: congestion control
 * @sample: of the packet that is being judged
 * @rack_sent_ns: when the latest sent of all delivered bytes was sent
 * @rack_end: where that record ended
 * @rack_rtt_ns: how long its acknowledgment took
 * @slowest_ns: the longest time of something that was overtaken, in this period
 *	and in the one before, 0 for none; note "Patience" of rtx.c
 * @slowest_at_ns: when this period began
 * @reorder_round: only records sent when so much was delivered widen it again
 * @delivered_ns: when @delivered of the engine last grew
 * @first_ns: when the record that it grew by was sent
 * @reorder_steps: of the reordering window, in quarters of the least rtt
 * @was_vague: the last packet had no room for all that arrived
 * @few: the first records, until more are lent
 *
 * Half of an engine's memory, and a flow that is idle, or whose bytes are
 * handed over, needs none of it.
 */
struct weft_tx {
	struct weft_cc		cc;
	struct weft_sample	sample;
	u64			rack_sent_ns;
	u64			rack_end;
	u64			rack_rtt_ns;
	u64			slowest_ns[2];
	u64			slowest_at_ns;
	u64			reorder_round;
	u64			delivered_ns;
	u64			first_ns;
	u8			reorder_steps;
	bool			was_vague;
	struct weft_record	few[WEFT_FEW_RECORDS];
};

/**
 * struct weft_engine - one flow
 * @state: enum weft_state; one function writes it
 * @error: errno (positive) why the state is DEAD
 * @peer_max_message: 0 before OPENED
 * @params: as given to weft_engine_init(); @mss and @super_max follow
 *	weft_engine_set_mss() and what is found to pass, @cc weft_engine_set_cc()
 *
 * @write_end: bytes below it may be sent
 * @fin: the stream ends at @write_end
 * @awaited: somebody waits until the peer knows
 * @snd_una: bytes below it are acked; one more than @write_end when the end is
 * @snd_nxt: next byte never sent
 * @snd_limit: bytes below it the peer admits
 * @recs: records of [@snd_una, @snd_nxt), a ring, sorted, without gap; owned
 *	by the shell, replaced by weft_engine_lend_records()
 * @nr_recs: in use
 * @max_recs: there are
 * @rtt: round-trip time
 * @tx: what sending needs, or NULL: nothing leaves but OPEN, acknowledgments
 *	and what is handed over; owned by the shell, weft_engine_lend_tx()
 * @delivered: bytes that arrived, in or out of order
 * @lost: bytes that were taken for lost, each time
 * @rate: at which bytes arrived of late, bytes/s, 0 if unknown
 * @in_flight: bytes sent of which nothing is known
 *
 * @rcv_nxt: bytes below it are received in order; at most @rcv_fin
 * @rcv_limit: bytes below it we admit, as announced; never moves back
 * @window: how much we admit beyond what was read
 * @rcv_fin: offset of the peer's end, WEFT_NEVER until known
 * @ranges: received beyond @rcv_nxt, sorted, disjoint; owned by the shell
 * @nr_ranges: in use
 * @max_ranges: there are
 * @take: with WEFT_DO_STORE: the bytes of this packet that are new. They
 *	are one contiguous range of the packet's payload; where a packet would
 *	fill several gaps, bytes already held may lie inside it.
 * @retransmitted: bytes sent more than once
 * @depart_ns: when the packet of weft_engine_next() is to leave
 *
 * @opener: this end sent OPEN
 * @open_due: OPEN or OPENED is to be sent
 * @reset_due: RESET is to be sent
 * @ack_now: an acknowledgment is to be sent
 * @opened_held: and that of OPENED is, but later
 * @ack_read: and one is when the reader has read, or at @ack_ns
 * @tell_all: the next packet tells of all the room there is
 * @tail_due: the tail-loss probe is to be sent
 * @tail_used: it was sent, and nothing was acked since
 * @probe_due: the window probe is to be sent
 * @cwnd_limited: cwnd, and nothing else, held back the last new byte
 * @backoff: retransmission timeouts since something was acked
 * @tries: OPEN or OPENED sent; window probes sent, once the flow is open
 *
 * @lost_bytes: in records that are to be sent again
 * @lost_from: no byte below it is in such a record
 * @reorder_ns: when the next record counts as lost, or WEFT_NEVER
 * @first_rec: index of the first record
 * @spurious: times that bytes were found to be sent again without need
 * @max_window: largest window the peer granted, bytes
 * @small_due: a small packet is to be sent
 *
 * @slack_until: @delivered up to which samples are WEFT_REC_SLACK, 0 for none
 * @ahead_ns: packets are given so long before they are to leave
 * @pace_ns: no stream byte leaves before
 * @pace_waits: and there are some
 *
 * @seg: what size of segment passes
 * @path_super: @super_max of weft_engine_set_mss()
 * @small_at: our time in a small packet: does that pass? 0 for none
 *
 * @loss_base_ns: the retransmission timeout counts from here
 * @last_sent_ns: when stream bytes were last sent
 * @alive: of an idle flow: is the peer still there?
 * @alive_ns: when the peer last acked, or was first asked to
 * @opened_ns: when this end entered OPENING or ACCEPTED
 * @open_ns: when OPEN or OPENED is repeated
 * @probe_ns: when the window is probed, or WEFT_NEVER
 * @ack_ns: when an acknowledgment that is held back is sent, or WEFT_NEVER
 *
 * @rcv_room: bytes below it the reader takes; announced in steps
 * @rcv_unacked: bytes received since an acknowledgment was sent
 * @rcv_segment: largest payload received, up to @mss
 * @rcv_super: largest received in a packet of many segments, 0 before any
 * @rcv_cut: bytes received since the last such packet
 * @last_range: index of the range that was last added to
 * @ack_turn: acknowledgments with ranges sent
 * @echo_time: time in the latest packet, 0 before any
 * @echoed: latest of our times that came back, 0 before any
 * @echo_at_ns: when @echo_time came
 * @echoed_ns: when @echoed came
 * @peer_held_ns: longest that the peer held an acknowledgment back, of late
 */
struct weft_engine {
	u8	state;
	u8	error;
	u32	peer_max_message;
	struct weft_params params;
	u64	write_end;
	u64	snd_una;
	u64	snd_nxt;
	u64	snd_limit;
	struct weft_record *recs;
	unsigned int nr_recs;
	unsigned int max_recs;
	struct weft_rtt rtt;
	struct weft_tx *tx;
	u64	delivered;
	u64	lost;
	u64	rate;
	u64	in_flight;

	u64	rcv_nxt;
	u64	rcv_limit;
	struct weft_window window;
	u64	rcv_fin;
	struct weft_range *ranges;
	unsigned int nr_ranges;
	unsigned int max_ranges;
	struct weft_range take;
	u64	retransmitted;
	u64	depart_ns;
	bool	fin;
	bool	awaited;

	/* From here on private to engine.c and rtx.c. */
	bool	opener;
	bool	open_due;
	bool	reset_due;
	bool	ack_now;
	bool	opened_held;
	bool	ack_read;
	bool	tell_all;
	bool	tail_due;
	bool	tail_used;
	bool	probe_due;
	bool	cwnd_limited;
	bool	pace_waits;
	u8	backoff;
	u8	tries;

	u64	lost_bytes;
	u64	lost_from;
	u64	reorder_ns;
	unsigned int first_rec;
	u32	spurious;
	u32	max_window;
	bool	small_due;

	u64	slack_until;
	u64	ahead_ns;
	u64	pace_ns;
	struct weft_mss seg;
	u32	path_super;
	u32	small_at;

	u64	loss_base_ns;
	u64	last_sent_ns;
	struct weft_alive alive;
	u64	alive_ns;
	u64	opened_ns;
	u64	open_ns;
	u64	probe_ns;
	u64	ack_ns;

	u64	rcv_room;
	u64	rcv_unacked;
	u32	rcv_segment;
	u32	rcv_super;
	u32	rcv_cut;
	unsigned int last_range;
	u32	ack_turn;
	u32	echo_time;
	u32	echoed;
	u64	echo_at_ns;
	u64	echoed_ns;
	u64	peer_held_ns;
};

void weft_engine_init(struct weft_engine *e, const struct weft_params *params);

/** weft_engine_wants_tx() - something is to be sent, and there is no @tx */
static inline bool weft_engine_wants_tx(const struct weft_engine *e)
{
	return !e->tx && e->snd_nxt < e->write_end + e->fin;
}

/** weft_engine_lend_tx() - what sending needs; once, for the engine's life */
void weft_engine_lend_tx(struct weft_engine *e, struct weft_tx *tx);

/**
 * weft_engine_lend_records() - give the engine a larger array
 * @recs: array of @max, not smaller than the one in use; or NULL and 0, to take
 *	back the array of an engine that will not be used again
 *
 * Return: the array that was in use, the caller's again; NULL for @few of @tx.
 * When three quarters of the records are in use the engine sends no new bytes;
 * the rest is for parts of super-packets.
 */
struct weft_record *weft_engine_lend_records(struct weft_engine *e,
					     struct weft_record *recs,
					     unsigned int max);

/** weft_engine_lend_ranges() - likewise; without ranges it takes no gaps */
struct weft_range *weft_engine_lend_ranges(struct weft_engine *e,
					   struct weft_range *ranges,
					   unsigned int max);
/** weft_engine_is_tight() - may one of these want more? cheap */
static inline bool weft_engine_is_tight(const struct weft_engine *e)
{
	return weft_engine_wants_tx(e) ||
	       (e->tx && 2 * e->nr_recs >= e->max_recs) ||
	       2 * e->nr_ranges >= e->max_ranges;
}

/** weft_engine_wants_records() - records it would like to have, 0 if enough */
unsigned int weft_engine_wants_records(const struct weft_engine *e);
unsigned int weft_engine_wants_ranges(const struct weft_engine *e);

/** weft_engine_open() - IDLE to OPENING: the opening end */
void weft_engine_open(struct weft_engine *e, u64 now);

/**
 * weft_engine_accept() - IDLE to ACCEPTED: the accepting end
 * @pkt: the OPEN; give it to weft_engine_input() afterwards for its payload
 */
void weft_engine_accept(struct weft_engine *e, const struct weft_pkt *pkt,
			u64 now);

/**
 * weft_engine_input() - a packet of this flow came
 * @pkt: its header; any kind
 * @ranges: of an ACK, from weft_packet_get_ranges()
 * @nr_ranges: of them
 *
 * Nothing that a peer can put into a packet breaks the engine: what is out of
 * bounds is ignored.
 *
 * Return: WEFT_DO_* bits.
 */
u32 weft_engine_input(struct weft_engine *e, const struct weft_pkt *pkt,
		      const struct weft_range *ranges, unsigned int nr_ranges,
		      u64 now);

/** weft_engine_tick() - time has passed. Return: WEFT_DO_* bits. */
u32 weft_engine_tick(struct weft_engine *e, u64 now);

/** weft_engine_write() - bytes below @end may be sent; @end never falls */
void weft_engine_write(struct weft_engine *e, u64 end);

/** weft_engine_shutdown() - the stream ends at what was written so far */
void weft_engine_shutdown(struct weft_engine *e);

/** weft_engine_await() - somebody waits until the peer has all, and the end */
void weft_engine_await(struct weft_engine *e);

/**
 * weft_engine_ack_held() - no acknowledgment waits for the reader any more
 *
 * What came is no reason for the program to read.
 */
void weft_engine_ack_held(struct weft_engine *e);

/**
 * weft_engine_hurry() - the program waits for the peer
 *
 * Of OPENED the peer is to hear with the first bytes; none are coming now. What
 * came has been read as far as it can be; and where some of it has not, and half
 * of the window is used up, the peer hears of all the room there is.
 *
 * Return: true when an acknowledgment is to be sent for that reason.
 */
bool weft_engine_hurry(struct weft_engine *e);

/**
 * weft_engine_abort() - to DEAD with @error; a RESET is the next packet, when
 * the peer knows of the flow or may know
 */
u32 weft_engine_abort(struct weft_engine *e, int error);

/**
 * weft_engine_admit() - the reader takes bytes below @limit
 *
 * The announced window grows in steps that are worth a packet (silly-window
 * avoidance, RFC 9293 section 3.8.6.2.2): two segments, or the largest packet of
 * more that came uncut; less where the window is small.
 */
void weft_engine_admit(struct weft_engine *e, u64 limit);

/**
 * weft_engine_read() - the reader has read all bytes below @offset
 *
 * As weft_engine_admit(), with a window that grows as the flow needs it, up to
 * @window.most, which the shell may change at any time.
 */
void weft_engine_read(struct weft_engine *e, u64 offset, u64 now);

/**
 * weft_engine_set_keep() - how a peer that says nothing is dealt with
 * @keep: while there is nothing to send or to wait for
 * @user_timeout_ns: as in struct weft_params
 */
void weft_engine_set_keep(struct weft_engine *e, const struct weft_keep *keep,
			  u64 user_timeout_ns);

/** weft_engine_set_mss() - the path's frame; cheap when it has not changed */
void weft_engine_set_mss(struct weft_engine *e, u32 mss, u32 super_max);

/**
 * weft_engine_set_ahead() - the device keeps packets until they are to leave
 * @ns: so long before that weft_engine_next() gives them, with @depart_ns; 0
 *	when they leave at once
 */
void weft_engine_set_ahead(struct weft_engine *e, u64 ns);

/** weft_engine_set_cc() - another algorithm controls congestion from now on */
void weft_engine_set_cc(struct weft_engine *e, const struct weft_cc_ops *cc);

/**
 * weft_engine_kick() - the path is (again) usable: what waits for an answer
 * may be sent at once (OPEN after discovery)
 */
void weft_engine_kick(struct weft_engine *e, u64 now);

/**
 * weft_engine_next() - the next packet to send
 * @pkt: filled: kind, WEFT_F_PROMPT, flow fields, offset, plen (up to super_max: the shell
 *	may have to cut it: see weft_engine_sent(); or one segment that tries
 *	whether more passes, up to the path's mss), segment, ranges. Not filled:
 *	session, number, flow id, ports, type, WEFT_F_OPENER.
 *
 * Return: false when nothing is to be sent now.
 */
bool weft_engine_next(struct weft_engine *e, u64 now, struct weft_pkt *pkt);

/**
 * weft_engine_is_idle() - weft_engine_next() would find nothing, at any time
 *
 * Cheap: most calls of a shell are followed by it.
 */
bool weft_engine_is_idle(const struct weft_engine *e);

/**
 * weft_engine_is_short() - is a packet of weft_engine_next() to go before bulk?
 *
 * See note "Short before long" in Documentation/design.rst. It is no more than a
 * message, and follows nothing of its own flow that it could overtake; so is
 * every acknowledgment of a flow that sends nothing.
 */
static inline bool weft_engine_is_short(const struct weft_engine *e,
					const struct weft_pkt *pkt)
{
	return e->in_flight + pkt->plen <= 2 * e->params.mss;
}

/**
 * weft_engine_sent() - what became of the packet of weft_engine_next()
 * @pkt: as filled by weft_engine_next()
 * @plen: payload bytes that left: @pkt->plen, or less, a multiple of mss or
 *	0, where the shell could not carry more in one packet. With 0 nothing
 *	left (no memory, no path): the engine treats the packet as sent and
 *	lost on the way, so that its timers bring it again.
 *
 * Only DATA is ever larger than mss: OPEN and CLOSE carry one segment or less
 * and leave whole or not at all.
 *
 * Must follow each weft_engine_next() that returned true.
 */
void weft_engine_sent(struct weft_engine *e, const struct weft_pkt *pkt,
		      u32 plen, u64 now);

/*
 * Note "Hand-over": where both ends of a flow are in one machine, bytes may go
 * from one engine to the other without being sent:
 *
 *	if (weft_engine_may_hand(from, end)) {
 *		weft_engine_look(from, to);
 *		if (weft_engine_may_take(to, from->snd_nxt, end)) {
 *			weft_engine_hand(from, end, &pkt);
 *			todo = weft_engine_input(to, &pkt, NULL, 0, now);
 *			weft_engine_took(to);
 *			todo = weft_engine_handed(from, &pkt, now);
 *		}
 *	}
 *	weft_engine_look(from, to);
 *
 * with nothing in between that either engine is asked. What is sent before and
 * after goes as ever, and late packets of before do no harm. When no more than
 * WEFT_DO_TOOK comes of it for an engine that is idle, no timer is to be set.
 */
#define WEFT_DO_TOOK	(WEFT_DO_STORE | WEFT_DO_DELIVER | WEFT_DO_ROOM)

/**
 * weft_engine_may_hand() - has the peer all that was sent, and is there more?
 * @end: of the bytes, which were written; @snd_nxt: the end of the stream alone
 */
bool weft_engine_may_hand(const struct weft_engine *e, u64 end);

/** weft_engine_look() - @e learns what its peer admits, as if that had told it */
void weft_engine_look(struct weft_engine *e, struct weft_engine *peer);

/** weft_engine_may_take() - are these the next bytes, and is there room? */
bool weft_engine_may_take(const struct weft_engine *e, u64 start, u64 end);

/**
 * weft_engine_hand() - what these bytes, or the end, would be sent with
 * @pkt: filled as by weft_engine_next(), but that it tells no times: it is not
 *	on the path. It must come to the peer's engine.
 */
void weft_engine_hand(struct weft_engine *e, u64 end, struct weft_pkt *pkt);

/** weft_engine_took() - that packet was put in: @e's peer knows, without an ACK */
void weft_engine_took(struct weft_engine *e);

/**
 * weft_engine_handed() - and so does @e. Return: WEFT_DO_* bits.
 *
 * No time was taken, and nothing is learnt of the path.
 */
u32 weft_engine_handed(struct weft_engine *e, const struct weft_pkt *pkt,
		       u64 now);

/**
 * weft_engine_hand_open() - what OPEN would be sent with, without bytes
 * @e: OPENING, and has sent nothing yet
 */
void weft_engine_hand_open(struct weft_engine *e, struct weft_pkt *pkt);

/**
 * weft_engine_meet() - OPEN, the peer's OPENED and its ACK, by hand
 * @peer: has accepted @open, which is of weft_engine_hand_open(), and no more
 *
 * Both are OPEN then, and neither waits for the other. Nothing is learnt of the
 * path but that it is short: the first timeout is WEFT_RTO_MIN_NS.
 *
 * Return: WEFT_DO_* bits for @e, WEFT_DO_UP among them, which is all for @peer.
 */
u32 weft_engine_meet(struct weft_engine *e, struct weft_engine *peer,
		     const struct weft_pkt *open, u64 now);

/**
 * weft_engine_is_calm() - is a timer good enough that is set?
 *
 * When true, a timer that was set for an earlier weft_engine_deadline() and
 * fires within WEFT_ACK_DELAY_NS from now need not be set anew: no time that
 * began since then is nearer.
 */
bool weft_engine_is_calm(const struct weft_engine *e);

/** weft_engine_deadline() - when to call weft_engine_tick(), ns or WEFT_NEVER */
u64 weft_engine_deadline(const struct weft_engine *e);

#endif /* WEFT_PROTO_ENGINE_H */
