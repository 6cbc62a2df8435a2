/* SPDX-License-Identifier: GPL-2.0 */
/* Packets in host form: parsed once at the door, built once at the exit. */
#ifndef WEFT_PROTO_PACKET_H
#define WEFT_PROTO_PACKET_H

#include "wire.h"

/* Bytes [start, end) of a flow. */
struct weft_range {
	u64	start;
	u64	end;
};

struct weft_hello {
	u8	from[16];
	u8	to[16];
	u64	session;
	u8	version_min;
	u8	version_max;
	u16	features;
	u32	frame;
};

/**
 * struct weft_pkt - a packet in host form
 * @version: of the wire format
 * @kind: enum weft_kind
 * @flags: WEFT_F_*
 * @path: number of the sender's path
 * @hlen: header, bytes, with what the sender added that we do not know
 * @plen: payload, bytes
 * @session: receiver's id of the session
 * @number: packet number
 * @hello: WHO, HERE, and any kind with WEFT_F_INTRO
 * @flow: flow kinds, CLOSED and RESET
 * @offset: flow kinds
 * @ack: flow kinds
 * @window: flow kinds, bytes
 * @segment: DATA: payload of each frame that it becomes, where it is being
 *	built, or that it was to become; 0 of one that came as a frame
 * @time: flow kinds, us
 * @echo: flow kinds, us
 * @delay: flow kinds, us
 * @ranges: ACK being built: out-of-order ranges, borrowed
 * @nr_ranges: ACK being built
 * @sport: OPEN, OPENED, DGRAM, CLOSED, RESET
 * @dport: likewise
 * @type: OPEN, OPENED
 * @max_message: OPEN, OPENED
 * @reason: RESET, enum weft_reset
 * @id: DGRAM
 * @total: DGRAM, bytes; @offset is the fragment's
 * @bad: BADSESSION
 */
struct weft_pkt {
	u8	version;
	u8	kind;
	u8	flags;
	u8	path;
	u16	hlen;
	u16	plen;
	u64	session;
	u64	number;

	u64	flow;
	u64	offset;
	u64	ack;
	u32	window;
	u32	segment;
	u32	time;
	u32	echo;
	u32	delay;
	const struct weft_range *ranges;
	unsigned int nr_ranges;

	u16	sport;
	u16	dport;
	u8	type;
	u32	max_message;
	u32	reason;
	u32	id;
	u32	total;
	u64	bad;

	struct weft_hello hello;
};

/* Why a packet is not one of ours. */
enum weft_parse {
	WEFT_PARSE_OK = 0,
	WEFT_PARSE_SHORT,	/* fewer bytes than the headers or lengths say */
	WEFT_PARSE_VERSION,
	WEFT_PARSE_KIND,
	WEFT_PARSE_FLAG,	/* an unknown critical flag */
	WEFT_PARSE_HEADER,	/* header length below that of its kind */
	WEFT_PARSE_FIELD,	/* a field has a value that none may have */
};

/**
 * weft_packet_hlen() - header bytes of a packet of this kind and these flags
 * @kind: enum weft_kind
 * @flags: WEFT_F_*
 *
 * Return: bytes, as this build makes and needs them; 0 for an unknown kind.
 */
unsigned int weft_packet_hlen(u8 kind, u8 flags);

/**
 * weft_packet_parse() - bytes to host form
 * @pkt: filled wholly when the answer is WEFT_PARSE_OK
 * @data: header bytes, contiguous
 * @len: contiguous bytes at @data, at least min(@total, WEFT_HLEN_MAX)
 * @total: bytes of the whole frame behind the link header, padding included
 *
 * Checks everything that can be checked without knowing the session: version
 * (not of WHO, HERE and BADSESSION, whose form never changes), kind, critical
 * flags, lengths, fields. The check is the caller's. Parts behind the known
 * ones are skipped. A header longer than WEFT_HLEN_MAX is fine as long as the
 * known parts lie within @len.
 */
enum weft_parse weft_packet_parse(struct weft_pkt *pkt, const u8 *data,
				  unsigned int len, unsigned int total);

/**
 * weft_packet_build() - host form to header bytes
 * @pkt: packet; @hlen is set here, @plen must be set (of an ACK with ranges it
 *	is set here too)
 * @data: at least WEFT_HLEN_MAX bytes
 *
 * Every byte of the header is written; the check is 0.
 *
 * Return: header bytes.
 */
unsigned int weft_packet_build(struct weft_pkt *pkt, u8 *data);

/**
 * weft_packet_put_ranges() - payload of an ACK
 * @pkt: packet with @ranges and @nr_ranges (at most WEFT_RANGES_MAX are used)
 * @data: room for sizeof(struct weft_wire_range) bytes a range
 *
 * Return: bytes written.
 */
unsigned int weft_packet_put_ranges(const struct weft_pkt *pkt, u8 *data);

/**
 * weft_packet_get_ranges() - ranges from the payload of an ACK
 * @pkt: the ACK's header
 * @data: its payload
 * @len: bytes of it, any number
 * @ranges: room for WEFT_RANGES_MAX
 *
 * Ranges that are empty, reversed or overflow are left out.
 *
 * Return: ranges written.
 */
unsigned int weft_packet_get_ranges(const struct weft_pkt *pkt, const u8 *data,
				    unsigned int len,
				    struct weft_range *ranges);

#endif /* WEFT_PROTO_PACKET_H */
