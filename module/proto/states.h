/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The state table of a flow, as lists. engine.c obeys it, and the model in
 * selftests/model is checked against it: both are made from these lines, so
 * there is nothing here but macros and comments, which Spin reads as well.
 *
 *	IDLE --open--> OPENING --OPENED--> OPEN <--any packet-- ACCEPTED <-- IDLE
 *	OPEN --our end sent--> SENT_CLOSE --peer's end--> CLOSING
 *	OPEN --peer's end--> GOT_CLOSE --our end sent--> CLOSING
 *	CLOSING --our end acked--> DONE;   any --RESET, abort, give up--> DEAD
 */
#ifndef WEFT_PROTO_STATES_H
#define WEFT_PROTO_STATES_H

/*
 * OPENING	OPEN sent
 * ACCEPTED	OPENED sent, nothing heard since
 * OPEN		data flows both ways
 * SENT_CLOSE	our end was sent (acked or not)
 * GOT_CLOSE	all of the peer's stream is here
 * CLOSING	both; our end is not acked yet
 * DONE		both; nothing more to send but CLOSED
 */
#define WEFT_STATES(X)							\
	X(IDLE)								\
	X(OPENING)							\
	X(ACCEPTED)							\
	X(OPEN)								\
	X(SENT_CLOSE)							\
	X(GOT_CLOSE)							\
	X(CLOSING)							\
	X(DONE)								\
	X(DEAD)

/* A set of states is a mask. */
#define WEFT_IN(state)	(1 << WEFT_ST_##state)

/* Both ends know of the flow. */
#define WEFT_FLOWING	(WEFT_IN(OPEN) | WEFT_IN(SENT_CLOSE) |		\
			 WEFT_IN(GOT_CLOSE) | WEFT_IN(CLOSING))
/* Stream bytes come and go. */
#define WEFT_CARRYING	(WEFT_IN(ACCEPTED) | WEFT_FLOWING)
/* The peer's end is not here yet. */
#define WEFT_RECEIVING	(WEFT_IN(ACCEPTED) | WEFT_IN(OPEN) | WEFT_IN(SENT_CLOSE))
/* Our end has not been sent. */
#define WEFT_SENDING	(WEFT_IN(ACCEPTED) | WEFT_IN(OPEN) | WEFT_IN(GOT_CLOSE))

/* The arrows of the drawing: X(from, mask of those it may lead to). */
#define WEFT_ARROWS(X)							\
	X(IDLE, WEFT_IN(OPENING) | WEFT_IN(ACCEPTED) | WEFT_IN(DEAD))	\
	X(OPENING, WEFT_IN(OPEN) | WEFT_IN(DEAD))			\
	X(ACCEPTED, WEFT_IN(OPEN) | WEFT_IN(DEAD))			\
	X(OPEN, WEFT_IN(SENT_CLOSE) | WEFT_IN(GOT_CLOSE) | WEFT_IN(DEAD)) \
	X(SENT_CLOSE, WEFT_IN(CLOSING) | WEFT_IN(DEAD))			\
	X(GOT_CLOSE, WEFT_IN(CLOSING) | WEFT_IN(DEAD))			\
	X(CLOSING, WEFT_IN(DONE) | WEFT_IN(DEAD))

/* X(kind of packet, what handles it, mask of the states in which it counts) */
#define WEFT_FLOW_KINDS(X)						\
	X(OPEN, open, WEFT_IN(ACCEPTED))				\
	X(OPENED, opened, WEFT_IN(OPENING) | WEFT_FLOWING)		\
	X(DATA, data, WEFT_CARRYING)					\
	X(ACK, ack, WEFT_CARRYING)					\
	X(CLOSE, data, WEFT_CARRYING)					\
	X(CLOSED, closed, WEFT_IN(OPENING) | WEFT_CARRYING)		\
	X(RESET, reset, WEFT_IN(OPENING) | WEFT_CARRYING)		\
	X(PROBE, probe, WEFT_CARRYING)

#endif /* WEFT_PROTO_STATES_H */
