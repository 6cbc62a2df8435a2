/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Every byte that weft puts on a wire, and every constant of the protocol.
 * The normative text is Documentation/protocol.rst; names here are names there.
 *
 * A packet is a start, the parts of its kind, then payload:
 *
 *	kind		parts after the start		payload
 *	WHO, HERE	hello				-
 *	BADSESSION	bad				-
 *	OPEN, OPENED	flow, open			stream bytes
 *	DATA, CLOSE	flow				stream bytes
 *	ACK		flow				ranges received out of order
 *	PROBE		flow				-
 *	CLOSED, RESET	end				-
 *	DGRAM		dgram				the datagram
 *
 * A packet with WEFT_F_INTRO has a hello after those parts. Header length is
 * the sum of all parts and of whatever a newer sender added behind them, which
 * an older receiver skips.
 */
#ifndef WEFT_PROTO_WIRE_H
#define WEFT_PROTO_WIRE_H

#include <linux/build_bug.h>
#include <linux/string.h>
#include <linux/types.h>
#include <asm/byteorder.h>

/* Versions this build speaks. A build may be told others, to test refusal. */
#ifndef WEFT_VERSION_MIN
#define WEFT_VERSION_MIN	1
#endif
#ifndef WEFT_VERSION_MAX
#define WEFT_VERSION_MAX	1
#endif

enum weft_kind {
	WEFT_WHO	= 0,	/* who has this address? */
	WEFT_HERE	= 1,	/* I have; my session id is ... */
	WEFT_OPEN	= 2,	/* start a flow */
	WEFT_OPENED	= 3,	/* the flow is started */
	WEFT_DATA	= 4,
	WEFT_ACK	= 5,
	WEFT_CLOSE	= 6,	/* as DATA, and nothing follows this payload */
	WEFT_CLOSED	= 7,	/* this flow is over: everything was received */
	WEFT_RESET	= 8,	/* this flow is void */
	WEFT_PROBE	= 9,	/* answer with an ACK */
	WEFT_DGRAM	= 10,
	WEFT_BADSESSION	= 11,	/* I know no session of this id */
	WEFT_KINDS
};

/*
 * Flags. Those of the upper half are critical: a receiver that does not know
 * one drops the packet. Those of the lower half may be ignored.
 */
#define WEFT_F_OPENER		0x01	/* from the end that opened the flow */
#define WEFT_F_PROMPT		0x02	/* the sender waits: acknowledge at once */
#define WEFT_F_INTRO		0x10	/* a hello ends the header */
#define WEFT_F_CRITICAL		0xf0
#define WEFT_F_KNOWN		(WEFT_F_OPENER | WEFT_F_PROMPT | WEFT_F_INTRO)

/*
 *  0                   1                   2                   3
 *  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 * +-------+-------+---------------+-------------------------------+
 * |version| kind  | header length |             check             |
 * +-------+-------+---------------+---------------+---------------+
 * |        payload length         |     path      |     flags     |
 * +-------------------------------+---------------+---------------+
 * |                   receiver's session id                       |
 * |                                                               |
 * +---------------------------------------------------------------+
 * |                       packet number                           |
 * |                                                               |
 * +---------------------------------------------------------------+
 *
 * check is the Internet checksum (RFC 1071) over header and payload. Lengths
 * are bytes; what a frame carries beyond them is padding.
 */
struct weft_wire_start {
	u8	version_kind;
	u8	hlen;
	__sum16	check;
	__be16	plen;
	u8	path;
	u8	flags;
	__be64	session;
	__be64	number;
};

/*
 * The body of WHO and HERE, and the introduction in the first packets of a
 * session: who speaks to whom, the speaker's id of the session, the versions
 * and features it offers, the largest frame it takes (bytes behind the
 * Ethernet header).
 */
struct weft_wire_hello {
	u8	from[16];
	u8	to[16];
	__be64	session;
	u8	version_min;
	u8	version_max;
	__be16	features;
	__be32	frame;
};

/*
 * flow: counter of the opening end (WEFT_F_OPENER tells whose).
 * offset: of the first payload byte; where there is no payload, of the next
 * byte to be sent. ack: all bytes below it have been received; the end of the
 * stream (CLOSE) counts as one byte. window: bytes beyond ack that may be sent.
 * time: clock of the sender, us. echo: the latest time heard from the receiver,
 * delay: us since then; 0 and 0 before any.
 */
struct weft_wire_flow {
	__be64	flow;
	__be64	offset;
	__be64	ack;
	__be32	window;
	__be32	time;
	__be32	echo;
	__be32	delay;
};

/* type: 1 STREAM, 5 SEQPACKET. Ports are the sender's and the receiver's. */
struct weft_wire_open {
	__be16	sport;
	__be16	dport;
	u8	type;
	u8	reserved[3];
	__be32	max_message;
	__be32	reserved2;
};

#define WEFT_TYPE_STREAM	1
#define WEFT_TYPE_SEQPACKET	5

/* flow 0 and ports: the datagram from dport to sport had no receiver. */
struct weft_wire_end {
	__be64	flow;
	__be16	sport;
	__be16	dport;
	__be32	reason;
};

enum weft_reset {
	WEFT_RESET_ABORTED	= 0,	/* the other end gave up */
	WEFT_RESET_REFUSED	= 1,	/* nobody listens there */
	WEFT_RESET_UNKNOWN	= 2,	/* never opened, or reset before */
};

/* One datagram, or the fragment of one that begins at offset. */
struct weft_wire_dgram {
	__be16	sport;
	__be16	dport;
	__be32	id;
	__be32	offset;
	__be32	total;
};

/* The id that the receiver of a packet did not know. */
struct weft_wire_bad {
	__be64	session;
};

/* In an ACK's payload: bytes [ack + start, ack + end) have been received. */
struct weft_wire_range {
	__be32	start;
	__be32	end;
};

static_assert(sizeof(struct weft_wire_start) == 24);
static_assert(sizeof(struct weft_wire_hello) == 48);
static_assert(sizeof(struct weft_wire_flow) == 40);
static_assert(sizeof(struct weft_wire_open) == 16);
static_assert(sizeof(struct weft_wire_end) == 16);
static_assert(sizeof(struct weft_wire_dgram) == 16);
static_assert(sizeof(struct weft_wire_bad) == 8);
static_assert(sizeof(struct weft_wire_range) == 8);

/* The longest header this build makes: OPEN with its introduction. */
#define WEFT_HLEN_MAX		128
/* Header of the packets that carry a stream. */
#define WEFT_HLEN_DATA		(sizeof(struct weft_wire_start) + \
				 sizeof(struct weft_wire_flow))
#define WEFT_HLEN_DGRAM		(sizeof(struct weft_wire_start) + \
				 sizeof(struct weft_wire_dgram))

/* Smallest frame that a node may announce, bytes behind the Ethernet header. */
#define WEFT_FRAME_MIN		256

/* The largest datagram. */
#define WEFT_DGRAM_BYTES	65000

/* Payload of a super-packet: MAC header and all stay below 65,000 bytes. */
#define WEFT_SUPER_MAX		64800

/* Out-of-order ranges in one ACK. */
#define WEFT_RANGES_MAX		32

/* Least max_message that an end may announce, bytes; most that is believed. */
#define WEFT_MAX_MESSAGE_MIN	65536
#define WEFT_MAX_MESSAGE_MAX	(1U << 30)

/* SEQPACKET: each message follows its length, be32, in the byte stream. */
#define WEFT_RECORD_BYTES	4

/* Ids that an accepting end remembers below the highest it saw. */
#define WEFT_FLOW_WINDOW	4096

/* Questions: sent at these ms after the first; given up at the last. */
#define WEFT_ASK_SCHEDULE_MS	{ 0, 100, 300, 700, 1500 }

/* MAC group that questions are sent to. */
#define WEFT_GROUP_MAC		{ 0x03, 0x77, 0x65, 0x66, 0x74, 0x00 }

/* A header stands where the link header ends, which suits no u64. */
static inline void weft_wire_add64(__be64 *field, u64 n)
{
	__be64 value;

	memcpy(&value, field, sizeof(value));
	value = cpu_to_be64(be64_to_cpu(value) + n);
	memcpy(field, &value, sizeof(value));
}

static inline void weft_wire_add32(__be32 *field, u32 n)
{
	__be32 value;

	memcpy(&value, field, sizeof(value));
	value = cpu_to_be32(be32_to_cpu(value) + n);
	memcpy(field, &value, sizeof(value));
}

/**
 * weft_wire_patch() - make the header of one segment of a super-packet
 * @start: header, copied from the super-packet's
 * @index: of the segment, from 0
 * @offset: of the segment's payload in that of the super-packet, bytes
 * @plen: payload of the segment, bytes
 *
 * The only place that knows how segments of one DATA packet, and the pieces of
 * one datagram, differ. The check is left to the caller.
 */
static inline void weft_wire_patch(struct weft_wire_start *start,
				   unsigned int index, unsigned int offset,
				   unsigned int plen)
{
	struct weft_wire_flow *flow = (struct weft_wire_flow *)(start + 1);
	struct weft_wire_dgram *dgram = (struct weft_wire_dgram *)(start + 1);

	start->plen = cpu_to_be16(plen);
	weft_wire_add64(&start->number, index);
	if ((start->version_kind & 0x0f) == WEFT_DGRAM)
		weft_wire_add32(&dgram->offset, offset);
	else
		weft_wire_add64(&flow->offset, offset);
	start->check = 0;
}

#endif /* WEFT_PROTO_WIRE_H */
