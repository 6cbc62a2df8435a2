/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One flow from open to close, over a wire that loses, repeats and reorders:
 * a model for Spin. Which states follow which, and which kinds of packet count
 * in which state, comes from module/proto/states.h, as it does in engine.c; what
 * a handler here does is what that of the same name does there, with segments in
 * place of bytes.
 *
 * What an end answers it answers at once, and the wire delays it: that is the
 * same as a later answer, but that one answer to two packets is modelled as two
 * of which the first comes after the second. An acknowledgment that can change
 * nothing any more is taken off the wire.
 *
 * The opener writes SEGMENTS0 segments, the first of which goes with OPEN and is
 * a request that must not be executed twice; the acceptor writes SEGMENTS1; the
 * end of a stream is one more segment, which goes with CLOSE. Each end may have
 * WINDOW of them under way. LOSSES packets are lost, DUPLICATES come twice, at
 * any time; PREMATURE times something is sent again though nothing is lost.
 *
 * Checked: no state but by an arrow of the table; no flow is accepted, and no
 * request executed, twice; everything that was written is delivered; neither
 * end dies; and both get to DONE, always (no deadlock; with NP, no livelock).
 */
#include "states.h"

#ifndef SEGMENTS0
#define SEGMENTS0	5
#endif
#ifndef SEGMENTS1
#define SEGMENTS1	1
#endif
#ifndef WINDOW
#define WINDOW		4
#endif
#ifndef LOSSES
#define LOSSES		3
#endif
#ifndef DUPLICATES
#define DUPLICATES	2
#endif
#ifndef PREMATURE
#define PREMATURE	0
#endif
/* Packets that one direction of the wire holds; TURN() knows of these. */
#define CAPACITY	5

#define STATE_NAME(state)		WEFT_ST_##state,
#define KIND_NAME(kind, handler, in)	KIND_##kind,
mtype = { WEFT_STATES(STATE_NAME) }
mtype = { WEFT_FLOW_KINDS(KIND_NAME) }

#define IS_IN(i, set)		((((set)) >> e[i].state) & 1)
#define SEGMENTS(i)		((i) == 0 -> SEGMENTS0 : SEGMENTS1)
#define PEER(i)			(1 - (i))

/* What acknowledges: the stream's end counts one. */
#define ACK(i)	(e[i].rcv + ((e[i].fin && e[i].rcv == SEGMENTS(PEER(i))) -> 1 : 0))

typedef End {
	byte state;
	byte una;	/* segments below it are acknowledged */
	byte nxt;	/* next one never sent */
	byte rcv;	/* next one expected */
	byte held;	/* a bit for each that came out of order */
	bit fin		/* where the peer's stream ends is known */
}

/* Packets under way, sorted: in which order they were sent matters nothing. */
typedef Wire {
	short packet[CAPACITY];
	byte nr
}

End e[2];
Wire w[2];
byte losses = LOSSES;
byte duplicates = DUPLICATES;
byte premature = PREMATURE;
byte created;
byte executed;

/* Says an ACK nothing to @i, now and for ever? */
#define IS_INERT(i, ack)	(e[i].state == WEFT_ST_DONE || \
	((ack) <= e[i].una && e[i].state != WEFT_ST_ACCEPTED && \
	 e[i].state != WEFT_ST_IDLE))

/* Within one step; 0 between two. */
byte at;
short kind;
short seq;
short ack;
short word;
byte answer;	/* kind of the packet that answers */

#define PACK(k, s, a)	((k) * 256 + (s) * 16 + (a))

inline put(i)
{
	at = w[i].nr;
	do
	:: at > 0 && w[i].packet[at - 1] > word ->
		w[i].packet[at] = w[i].packet[at - 1];
		at--
	:: else -> break
	od;
	w[i].packet[at] = word;
	w[i].nr++;
	at = 0;
	word = 0
}

/* A packet leaves, or is @lost at once: no one can tell when it was. */
inline post(i, k, s, lost)
{
	word = PACK(k, s, ACK(i));
	if
	:: lost ->
		losses--;
		word = 0
	:: !lost && k == KIND_ACK && IS_INERT(PEER(i), ACK(i)) ->
		word = 0
	:: else ->
		put(i)
	fi
}

#define ARROW(from, to)	|| (e[i].state == WEFT_ST_##from && (((to) >> next) & 1))
inline set_state(i, next)
{
	assert(false WEFT_ARROWS(ARROW));
	e[i].state = next
}

/* All acknowledged packets of ours are; an ACCEPTED end knows the peer is there. */
inline hear(i)
{
	if
	:: e[i].state == WEFT_ST_ACCEPTED -> set_state(i, WEFT_ST_OPEN)
	:: else
	fi;
	if
	:: ack <= e[i].nxt && ack > e[i].una -> e[i].una = ack
	:: else
	fi
}

/* Segment @seq, once; what was held behind it goes with it. */
inline take_segment(i)
{
	if
	:: seq < e[i].rcv || ((e[i].held >> seq) & 1) -> skip
	:: else ->
		assert(seq < e[i].rcv + WINDOW && seq < SEGMENTS(PEER(i)));
		e[i].held = e[i].held | (1 << seq);
		do
		:: (e[i].held >> e[i].rcv) & 1 ->
			e[i].held = e[i].held & ~(1 << e[i].rcv);
			executed = executed + (i == 1 && e[i].rcv == 0 -> 1 : 0);
			e[i].rcv++
		:: else -> break
		od;
		assert(executed <= 1)
	fi
}

inline take_eof(i)
{
	if
	:: e[i].fin && e[i].rcv == SEGMENTS(PEER(i)) &&
	   e[i].state == WEFT_ST_OPEN ->
		set_state(i, WEFT_ST_GOT_CLOSE)
	:: e[i].fin && e[i].rcv == SEGMENTS(PEER(i)) &&
	   e[i].state == WEFT_ST_SENT_CLOSE ->
		set_state(i, WEFT_ST_CLOSING)
	:: else
	fi
}

inline on_open(i)
{
	answer = KIND_OPENED;
	take_segment(i)
}

inline on_opened(i)
{
	answer = KIND_ACK;
	if
	:: e[i].state == WEFT_ST_OPENING ->
		set_state(i, WEFT_ST_OPEN);
		hear(i);
		/* What went with OPEN and was not taken goes once more. */
		if
		:: e[i].una < e[i].nxt -> answer = KIND_DATA
		:: else
		fi
	:: else ->
		hear(i)
	fi
}

inline on_data(i)
{
	answer = KIND_ACK;
	hear(i);
	if
	:: kind == KIND_CLOSE ->
		assert(seq == SEGMENTS(PEER(i)));
		e[i].fin = 1
	:: else ->
		take_segment(i)
	fi;
	take_eof(i)
}

inline on_ack(i) { hear(i) }

inline on_probe(i)
{
	answer = KIND_ACK;
	hear(i)
}

/* Nobody aborts here, so that nobody may die. */
inline on_closed(i)
{
	assert(e[i].state == WEFT_ST_CLOSING);
	e[i].una = e[i].nxt
}

inline on_reset(i)
{
	assert(e[i].state == WEFT_ST_CLOSING && e[i].una == SEGMENTS(i));
	e[i].una = e[i].nxt
}

/* The shell's part: a packet of a flow that has no engine, answered by its mark. */
inline stray(i)
{
	if
	:: kind == KIND_CLOSED || kind == KIND_RESET -> skip
	:: else ->
		if
		:: e[i].state == WEFT_ST_IDLE && i == 1 && kind == KIND_OPEN ->
			created++;
			assert(created == 1);
			set_state(i, WEFT_ST_ACCEPTED);
			on_open(i)
		:: e[i].state == WEFT_ST_DONE && kind != KIND_ACK ->
			answer = KIND_CLOSED
		:: e[i].state == WEFT_ST_DONE && kind == KIND_ACK -> skip
		:: else ->
			answer = KIND_RESET
		fi
	fi
}

#define COUNTS(k, handler, in)	|| (kind == KIND_##k && IS_IN(i, in))
#define HANDLE(k, handler, in)	:: kind == KIND_##k -> on_##handler(i)
inline input(i)
{
	if
	:: e[i].state == WEFT_ST_IDLE || e[i].state == WEFT_ST_DONE ->
		stray(i)
	:: else ->
		if
		:: false WEFT_FLOW_KINDS(COUNTS) ->
			if
			WEFT_FLOW_KINDS(HANDLE)
			fi
		:: else
		fi;
		if
		:: e[i].state == WEFT_ST_CLOSING && e[i].una > SEGMENTS(i) ->
			assert(e[i].rcv == SEGMENTS(PEER(i)));
			set_state(i, WEFT_ST_DONE)
		:: else
		fi
	fi
}

/* The packet at @at of the wire to @i. */
inline take_off(i)
{
	w[PEER(i)].nr--;
	word = at;
	do
	:: word < w[PEER(i)].nr ->
		w[PEER(i)].packet[word] = w[PEER(i)].packet[word + 1];
		word++
	:: else -> break
	od;
	w[PEER(i)].packet[word] = 0;
	word = 0
}

/* What can change nothing any more leaves the wire to @i. */
inline purge(i)
{
	at = 0;
	do
	:: at < w[PEER(i)].nr && w[PEER(i)].packet[at] / 256 == KIND_ACK &&
	   IS_INERT(i, w[PEER(i)].packet[at] % 16) ->
		take_off(i)
	:: at < w[PEER(i)].nr && !(w[PEER(i)].packet[at] / 256 == KIND_ACK &&
	   IS_INERT(i, w[PEER(i)].packet[at] % 16)) ->
		at++
	:: at >= w[PEER(i)].nr -> break
	od;
	at = 0
}

/*
 * The packet at @at of the wire to @i arrives, and an answer leaves; @repeated:
 * the packet stays there; @lost: the answer is lost.
 */
inline arrive(i, repeated, lost)
{
	word = w[PEER(i)].packet[at];
	kind = word / 256;
	seq = (word / 16) % 16;
	ack = word % 16;
	word = 0;
	if
	:: !repeated -> take_off(i)
	:: else -> duplicates--
	fi;
	at = 0;
	input(i);
	if
	:: answer != 0 -> post(i, answer, 0, lost)
	:: else
	fi;
	purge(i);
	kind = 0;
	seq = 0;
	ack = 0;
	answer = 0
}

/* One place is left for answers. */
#define HAS_ROOM(i)	(w[i].nr < CAPACITY - 1)
#define IS_ANSWERED(p)	((p) / 256 != KIND_ACK && (p) / 256 != KIND_CLOSED && \
			 (p) / 256 != KIND_RESET)
#define HAS_ROOM_TO_ANSWER(i, p)	(w[i].nr < CAPACITY || !IS_ANSWERED(p))
#define WAITS(i)	(IS_IN(i, WEFT_IN(OPENING) | WEFT_IN(ACCEPTED)) || \
			 (IS_IN(i, WEFT_CARRYING) && e[i].una < e[i].nxt))

/* What a timeout brings: an answer that is missing, or the first segment. */
inline send_again(i, lost)
{
	if
	:: e[i].state == WEFT_ST_OPENING -> post(i, KIND_OPEN, 0, lost)
	:: e[i].state == WEFT_ST_ACCEPTED -> post(i, KIND_OPENED, 0, lost)
	:: IS_IN(i, WEFT_CARRYING) && e[i].una < e[i].nxt &&
	   e[i].una < SEGMENTS(i) ->
		post(i, KIND_DATA, e[i].una, lost)
	:: IS_IN(i, WEFT_CARRYING) && e[i].una < e[i].nxt &&
	   e[i].una == SEGMENTS(i) ->
		post(i, KIND_CLOSE, e[i].una, lost)
	fi
}

/* What an end may send by itself; with @lost it does not arrive. */
#define SEND(i, lost)							\
:: d_step { IS_IN(i, WEFT_SENDING) && e[i].nxt < SEGMENTS(i) &&		\
   e[i].nxt < e[i].una + WINDOW && HAS_ROOM(i) && (!lost || losses > 0) -> \
	e[i].nxt++;							\
	post(i, KIND_DATA, e[i].nxt - 1, lost) }			\
:: d_step { IS_IN(i, WEFT_SENDING & ~WEFT_IN(ACCEPTED)) &&		\
   e[i].nxt == SEGMENTS(i) && HAS_ROOM(i) && (!lost || losses > 0) ->	\
	e[i].nxt++;							\
	if								\
	:: e[i].state == WEFT_ST_OPEN -> set_state(i, WEFT_ST_SENT_CLOSE) \
	:: else -> set_state(i, WEFT_ST_CLOSING)			\
	fi;								\
	post(i, KIND_CLOSE, SEGMENTS(i), lost) }			\
:: d_step { premature > 0 && WAITS(i) && HAS_ROOM(i) && (!lost || losses > 0) -> \
	premature--;							\
	send_again(i, lost) }

/* The packet at @j arrives; of two that are the same, one is enough. */
#define COMES(i, j)							\
	(w[PEER(i)].nr > j && HAS_ROOM_TO_ANSWER(i, w[PEER(i)].packet[j]) && \
	 (j == 0 || w[PEER(i)].packet[j] != w[PEER(i)].packet[j - (j > 0)]))
#define ARRIVE(i, j)							\
:: d_step { COMES(i, j) -> at = j; arrive(i, false, false) }		\
:: d_step { duplicates > 0 && COMES(i, j) -> at = j; arrive(i, true, false) } \
:: d_step { losses > 0 && COMES(i, j) && IS_ANSWERED(w[PEER(i)].packet[j]) -> \
	at = j; arrive(i, false, true) }				\
:: d_step { losses > 0 && duplicates > 0 && COMES(i, j) &&		\
   IS_ANSWERED(w[PEER(i)].packet[j]) -> at = j; arrive(i, true, true) }

#define TURN(i)								\
	SEND(i, false)							\
	SEND(i, true)							\
	ARRIVE(i, 0)							\
	ARRIVE(i, 1)							\
	ARRIVE(i, 2)							\
	ARRIVE(i, 3)							\
	ARRIVE(i, 4)

/* Nothing else can happen: the time of a timeout has come, or it is over. */
#define TIME(i)								\
:: d_step { timeout && WAITS(i) -> send_again(i, false) }		\
:: d_step { timeout && WAITS(i) && losses > 0 -> send_again(i, true) }

init {
	atomic {
		e[0].state = WEFT_ST_IDLE;
		e[1].state = WEFT_ST_IDLE;
		set_state(0, WEFT_ST_OPENING);
		e[0].nxt = 1
	}
	if
	:: d_step { true -> post(0, KIND_OPEN, 0, false) }
	:: d_step { losses > 0 -> post(0, KIND_OPEN, 0, true) }
	fi;
	do
	TURN(0)
	TURN(1)
	TIME(0)
	TIME(1)
	:: timeout && !WAITS(0) && !WAITS(1) -> break
	od;
	assert(e[0].state == WEFT_ST_DONE && e[1].state == WEFT_ST_DONE);
	assert(e[0].rcv == SEGMENTS1 && e[1].rcv == SEGMENTS0 && executed == 1)
}
