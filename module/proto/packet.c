// SPDX-License-Identifier: GPL-2.0
/* Packets between bytes and host form. The drawings are in wire.h. */
#include <linux/minmax.h>
#include <linux/string.h>

#include "packet.h"

#define PART_HELLO	0x01
#define PART_FLOW	0x02
#define PART_OPEN	0x04
#define PART_END	0x08
#define PART_DGRAM	0x10
#define PART_BAD	0x20

/* What a header of each kind consists of, in the order of these bits' walk. */
static const u8 kind_parts[WEFT_KINDS] = {
	[WEFT_WHO]		= PART_HELLO,
	[WEFT_HERE]		= PART_HELLO,
	[WEFT_OPEN]		= PART_FLOW | PART_OPEN,
	[WEFT_OPENED]		= PART_FLOW | PART_OPEN,
	[WEFT_DATA]		= PART_FLOW,
	[WEFT_ACK]		= PART_FLOW,
	[WEFT_CLOSE]		= PART_FLOW,
	[WEFT_CLOSED]		= PART_END,
	[WEFT_RESET]		= PART_END,
	[WEFT_PROBE]		= PART_FLOW,
	[WEFT_DGRAM]		= PART_DGRAM,
	[WEFT_BADSESSION]	= PART_BAD,
};

static bool is_stream_kind(u8 kind)
{
	return kind == WEFT_OPEN || kind == WEFT_OPENED || kind == WEFT_DATA ||
	       kind == WEFT_CLOSE;
}

/* The form of these never changes: they are how versions are agreed upon. */
static bool is_versionless(u8 kind)
{
	return kind == WEFT_WHO || kind == WEFT_HERE || kind == WEFT_BADSESSION;
}

static enum weft_parse parse_flow(struct weft_pkt *pkt, const u8 *data)
{
	struct weft_wire_flow flow;

	memcpy(&flow, data, sizeof(flow));
	pkt->flow = be64_to_cpu(flow.flow);
	pkt->offset = be64_to_cpu(flow.offset);
	pkt->ack = be64_to_cpu(flow.ack);
	pkt->window = be32_to_cpu(flow.window);
	pkt->time = be32_to_cpu(flow.time);
	pkt->echo = be32_to_cpu(flow.echo);
	pkt->delay = be32_to_cpu(flow.delay);

	/* Offsets never wrap; flow 0 is the session itself, which is probed. */
	if (!pkt->flow && pkt->kind != WEFT_PROBE && pkt->kind != WEFT_ACK)
		return WEFT_PARSE_FIELD;
	if (is_stream_kind(pkt->kind) && pkt->offset + pkt->plen < pkt->offset)
		return WEFT_PARSE_FIELD;
	return WEFT_PARSE_OK;
}

static enum weft_parse parse_open(struct weft_pkt *pkt, const u8 *data)
{
	struct weft_wire_open open;

	memcpy(&open, data, sizeof(open));
	pkt->sport = be16_to_cpu(open.sport);
	pkt->dport = be16_to_cpu(open.dport);
	pkt->type = open.type;
	pkt->max_message = be32_to_cpu(open.max_message);

	if (pkt->type != WEFT_TYPE_STREAM && pkt->type != WEFT_TYPE_SEQPACKET)
		return WEFT_PARSE_FIELD;
	return WEFT_PARSE_OK;
}

static enum weft_parse parse_end(struct weft_pkt *pkt, const u8 *data)
{
	struct weft_wire_end end;

	memcpy(&end, data, sizeof(end));
	pkt->flow = be64_to_cpu(end.flow);
	pkt->sport = be16_to_cpu(end.sport);
	pkt->dport = be16_to_cpu(end.dport);
	pkt->reason = be32_to_cpu(end.reason);
	return WEFT_PARSE_OK;
}

static enum weft_parse parse_dgram(struct weft_pkt *pkt, const u8 *data)
{
	struct weft_wire_dgram dgram;

	memcpy(&dgram, data, sizeof(dgram));
	pkt->sport = be16_to_cpu(dgram.sport);
	pkt->dport = be16_to_cpu(dgram.dport);
	pkt->id = be32_to_cpu(dgram.id);
	pkt->offset = be32_to_cpu(dgram.offset);
	pkt->total = be32_to_cpu(dgram.total);

	if (pkt->offset + pkt->plen > pkt->total)
		return WEFT_PARSE_FIELD;
	return WEFT_PARSE_OK;
}

static enum weft_parse parse_bad(struct weft_pkt *pkt, const u8 *data)
{
	struct weft_wire_bad bad;

	memcpy(&bad, data, sizeof(bad));
	pkt->bad = be64_to_cpu(bad.session);
	return WEFT_PARSE_OK;
}

static enum weft_parse parse_hello(struct weft_pkt *pkt, const u8 *data)
{
	struct weft_wire_hello hello;

	memcpy(&hello, data, sizeof(hello));
	memcpy(pkt->hello.from, hello.from, sizeof(hello.from));
	memcpy(pkt->hello.to, hello.to, sizeof(hello.to));
	pkt->hello.session = be64_to_cpu(hello.session);
	pkt->hello.version_min = hello.version_min;
	pkt->hello.version_max = hello.version_max;
	pkt->hello.features = be16_to_cpu(hello.features);
	pkt->hello.frame = be32_to_cpu(hello.frame);

	if (pkt->hello.version_min > pkt->hello.version_max)
		return WEFT_PARSE_FIELD;
	return WEFT_PARSE_OK;
}

static void build_flow(const struct weft_pkt *pkt, u8 *data)
{
	struct weft_wire_flow flow = {
		.flow	= cpu_to_be64(pkt->flow),
		.offset	= cpu_to_be64(pkt->offset),
		.ack	= cpu_to_be64(pkt->ack),
		.window	= cpu_to_be32(pkt->window),
		.time	= cpu_to_be32(pkt->time),
		.echo	= cpu_to_be32(pkt->echo),
		.delay	= cpu_to_be32(pkt->delay),
	};

	memcpy(data, &flow, sizeof(flow));
}

static void build_open(const struct weft_pkt *pkt, u8 *data)
{
	struct weft_wire_open open = {
		.sport		= cpu_to_be16(pkt->sport),
		.dport		= cpu_to_be16(pkt->dport),
		.type		= pkt->type,
		.max_message	= cpu_to_be32(pkt->max_message),
	};

	memcpy(data, &open, sizeof(open));
}

static void build_end(const struct weft_pkt *pkt, u8 *data)
{
	struct weft_wire_end end = {
		.flow	= cpu_to_be64(pkt->flow),
		.sport	= cpu_to_be16(pkt->sport),
		.dport	= cpu_to_be16(pkt->dport),
		.reason	= cpu_to_be32(pkt->reason),
	};

	memcpy(data, &end, sizeof(end));
}

static void build_dgram(const struct weft_pkt *pkt, u8 *data)
{
	struct weft_wire_dgram dgram = {
		.sport	= cpu_to_be16(pkt->sport),
		.dport	= cpu_to_be16(pkt->dport),
		.id	= cpu_to_be32(pkt->id),
		.offset	= cpu_to_be32((u32)pkt->offset),
		.total	= cpu_to_be32(pkt->total),
	};

	memcpy(data, &dgram, sizeof(dgram));
}

static void build_bad(const struct weft_pkt *pkt, u8 *data)
{
	struct weft_wire_bad bad = {
		.session = cpu_to_be64(pkt->bad),
	};

	memcpy(data, &bad, sizeof(bad));
}

static void build_hello(const struct weft_pkt *pkt, u8 *data)
{
	struct weft_wire_hello hello = {
		.session	= cpu_to_be64(pkt->hello.session),
		.version_min	= pkt->hello.version_min,
		.version_max	= pkt->hello.version_max,
		.features	= cpu_to_be16(pkt->hello.features),
		.frame		= cpu_to_be32(pkt->hello.frame),
	};

	memcpy(hello.from, pkt->hello.from, sizeof(hello.from));
	memcpy(hello.to, pkt->hello.to, sizeof(hello.to));
	memcpy(data, &hello, sizeof(hello));
}

/* The parts in the order in which they follow the start. */
static const struct {
	u8	part;
	u8	len;
	enum weft_parse (*parse)(struct weft_pkt *pkt, const u8 *data);
	void	(*build)(const struct weft_pkt *pkt, u8 *data);
} parts[] = {
	{ PART_FLOW, sizeof(struct weft_wire_flow), parse_flow, build_flow },
	{ PART_OPEN, sizeof(struct weft_wire_open), parse_open, build_open },
	{ PART_END, sizeof(struct weft_wire_end), parse_end, build_end },
	{ PART_DGRAM, sizeof(struct weft_wire_dgram), parse_dgram,
	  build_dgram },
	{ PART_BAD, sizeof(struct weft_wire_bad), parse_bad, build_bad },
	{ PART_HELLO, sizeof(struct weft_wire_hello), parse_hello,
	  build_hello },
};

static u8 parts_of(u8 kind, u8 flags)
{
	return kind_parts[kind] | (flags & WEFT_F_INTRO ? PART_HELLO : 0);
}

unsigned int weft_packet_hlen(u8 kind, u8 flags)
{
	unsigned int hlen = sizeof(struct weft_wire_start);
	unsigned int i;
	u8 have;

	if (kind >= WEFT_KINDS)
		return 0;
	have = parts_of(kind, flags);
	/* Nearly all packets. */
	if (have == PART_FLOW)
		return hlen + sizeof(struct weft_wire_flow);
	for (i = 0; have; i++) {
		if (have & parts[i].part)
			hlen += parts[i].len;
		have &= ~parts[i].part;
	}
	return hlen;
}

static void parse_start(struct weft_pkt *pkt, const u8 *data)
{
	struct weft_wire_start start;

	memcpy(&start, data, sizeof(start));
	pkt->version = start.version_kind >> 4;
	pkt->kind = start.version_kind & 0x0f;
	pkt->flags = start.flags;
	pkt->path = start.path;
	pkt->hlen = start.hlen;
	pkt->plen = be16_to_cpu(start.plen);
	pkt->session = be64_to_cpu(start.session);
	pkt->number = be64_to_cpu(start.number);
}

/*
 * The order matters: the kinds and flags of a version that we do not speak
 * mean nothing to us, except those three kinds that are the same in all.
 */
static enum weft_parse check_start(const struct weft_pkt *pkt,
				   unsigned int len, unsigned int total)
{
	unsigned int need;

	if (!is_versionless(pkt->kind) && (pkt->version < WEFT_VERSION_MIN ||
					   pkt->version > WEFT_VERSION_MAX))
		return WEFT_PARSE_VERSION;
	if (pkt->kind >= WEFT_KINDS)
		return WEFT_PARSE_KIND;
	if (pkt->flags & WEFT_F_CRITICAL & ~WEFT_F_KNOWN)
		return WEFT_PARSE_FLAG;
	need = weft_packet_hlen(pkt->kind, pkt->flags);
	if (pkt->hlen < need)
		return WEFT_PARSE_HEADER;
	if (len < need || total < pkt->hlen + pkt->plen)
		return WEFT_PARSE_SHORT;
	return WEFT_PARSE_OK;
}

enum weft_parse weft_packet_parse(struct weft_pkt *pkt, const u8 *data,
				  unsigned int len, unsigned int total)
{
	enum weft_parse err;
	unsigned int i;
	u8 have;

	memset(pkt, 0, sizeof(*pkt));
	len = min(len, total);
	if (len < sizeof(struct weft_wire_start))
		return WEFT_PARSE_SHORT;
	parse_start(pkt, data);
	err = check_start(pkt, len, total);
	if (err)
		return err;

	have = parts_of(pkt->kind, pkt->flags);
	data += sizeof(struct weft_wire_start);
	if (have == PART_FLOW)
		return parse_flow(pkt, data);
	for (i = 0; have; i++) {
		if (!(have & parts[i].part))
			continue;
		err = parts[i].parse(pkt, data);
		if (err)
			return err;
		data += parts[i].len;
		have &= ~parts[i].part;
	}
	return WEFT_PARSE_OK;
}

static unsigned int sendable_ranges(const struct weft_pkt *pkt)
{
	return min_t(unsigned int, pkt->nr_ranges, WEFT_RANGES_MAX);
}

unsigned int weft_packet_build(struct weft_pkt *pkt, u8 *data)
{
	u8 have = parts_of(pkt->kind, pkt->flags);
	struct weft_wire_start start = {};
	unsigned int i;
	u8 *at = data + sizeof(start);

	if (pkt->kind == WEFT_ACK)
		pkt->plen = sendable_ranges(pkt) *
			    sizeof(struct weft_wire_range);
	pkt->hlen = weft_packet_hlen(pkt->kind, pkt->flags);

	start.version_kind = pkt->version << 4 | pkt->kind;
	start.hlen = pkt->hlen;
	start.plen = cpu_to_be16(pkt->plen);
	start.path = pkt->path;
	start.flags = pkt->flags;
	start.session = cpu_to_be64(pkt->session);
	start.number = cpu_to_be64(pkt->number);
	memcpy(data, &start, sizeof(start));

	if (have == PART_FLOW) {
		build_flow(pkt, at);
		return pkt->hlen;
	}
	for (i = 0; have; i++) {
		if (!(have & parts[i].part))
			continue;
		parts[i].build(pkt, at);
		at += parts[i].len;
		have &= ~parts[i].part;
	}
	return pkt->hlen;
}

/*
 * A range that 32 bits cannot express goes out empty: the payload's length was
 * fixed when the header was built, and receivers leave empty ranges out.
 */
unsigned int weft_packet_put_ranges(const struct weft_pkt *pkt, u8 *data)
{
	unsigned int nr = sendable_ranges(pkt);
	unsigned int i;

	for (i = 0; i < nr; i++) {
		const struct weft_range *range = &pkt->ranges[i];
		struct weft_wire_range wire = {};

		if (range->start >= pkt->ack && range->end > range->start &&
		    range->end - pkt->ack <= (u32)~0U) {
			wire.start = cpu_to_be32(range->start - pkt->ack);
			wire.end = cpu_to_be32(range->end - pkt->ack);
		}
		memcpy(data + i * sizeof(wire), &wire, sizeof(wire));
	}
	return nr * sizeof(struct weft_wire_range);
}

unsigned int weft_packet_get_ranges(const struct weft_pkt *pkt, const u8 *data,
				    unsigned int len,
				    struct weft_range *ranges)
{
	unsigned int nr = 0;

	while (len >= sizeof(struct weft_wire_range) && nr < WEFT_RANGES_MAX) {
		struct weft_wire_range wire;
		u64 start, end;

		memcpy(&wire, data, sizeof(wire));
		data += sizeof(wire);
		len -= sizeof(wire);
		start = pkt->ack + be32_to_cpu(wire.start);
		end = pkt->ack + be32_to_cpu(wire.end);
		if (start < pkt->ack || start >= end)
			continue;
		ranges[nr].start = start;
		ranges[nr].end = end;
		nr++;
	}
	return nr;
}
