// SPDX-License-Identifier: GPL-2.0
/*
 * One engine, and a peer that may say anything: the input is a list of packets
 * with any field, of writes, reads, shutdowns, aborts, ticks. The target is the
 * shell that conn.c is, and holds the engine to what engine.h promises it.
 */
#include <linux/errno.h>
#include <linux/minmax.h>

#include "engine.h"
#include "fuzz.h"
#include "marks.h"
#include "rtx.h"
#include "sim.h"

/* Steps of one input, bytes written, bytes the reader takes at once. */
#define STEPS_MAX	400
#define WRITTEN_MAX	(1U << 20)
#define BUFFER		(1U << 14)
/* Packets that one instant may bring. */
#define BURST_MAX	20000
#define SETTLE_MAX	8
/* The records that the shell can get, so that running out is tried too. */
#define RECORDS_MAX	256

/**
 * struct shell - what conn.c is to an engine
 * @starve: times that there is no memory for @tx
 * @now: ns
 * @store: what came
 * @una: engine's snd_una when it was last told to free
 * @edge: highest byte that the peer admits, by what it was told
 * @announced: right edge of the window, at first and in packets sent
 * @up: WEFT_DO_UP came
 * @eof: WEFT_DO_EOF came
 * @over: WEFT_DO_DONE or _DEAD came
 * @resets: RESETs sent
 */
struct shell {
	struct weft_engine	e;
	struct weft_tx		tx;
	unsigned int		starve;
	struct fuzz_in		in;
	u64			now;
	struct fuzz_store	store;
	u64			una;
	u64			edge;
	u64			announced;
	bool			up;
	bool			eof;
	bool			over;
	unsigned int		resets;
};

/* Fields */

/* A number that stands close to one the engine knows, or anywhere. */
static u64 pick_offset(struct shell *sh)
{
	const struct weft_engine *e = &sh->e;
	const u64 known[] = {
		e->snd_una, e->snd_nxt, e->snd_limit, e->write_end,
		e->rcv_nxt, e->rcv_limit, e->rcv_fin, 0,
	};
	u8 how = fuzz_u8(&sh->in);
	u64 near = known[how % 8];

	switch (how / 8 % 4) {
	case 0:
		return near;
	case 1:
		return near + (s8)fuzz_u8(&sh->in);
	case 2:
		return near + (s16)fuzz_u16(&sh->in);
	}
	return how & 0x80 ? fuzz_u64(&sh->in) : near + fuzz_u32(&sh->in);
}

static u32 pick_u32(struct shell *sh)
{
	u8 how = fuzz_u8(&sh->in);

	switch (how % 4) {
	case 0:
		return 0;
	case 1:
		return BUFFER;
	case 2:
		return fuzz_u16(&sh->in);
	}
	return fuzz_u32(&sh->in);
}

static const struct weft_cc_ops *pick_cc(struct shell *sh)
{
	return weft_cc_at(fuzz_u8(&sh->in) % 4) ?: weft_cc_at(0);
}

/* A time of our own clock, not long ago, or any. */
static u32 pick_echo(struct shell *sh)
{
	u8 how = fuzz_u8(&sh->in);

	if (how & 1)
		return 0;
	if (how & 2)
		return fuzz_u32(&sh->in);
	return weft_rtx_clock(sh->now) - fuzz_u16(&sh->in) * (how / 4);
}

static u32 pick_time(struct shell *sh)
{
	u8 how = fuzz_u8(&sh->in);

	return how & 1 ? weft_rtx_clock(sh->now) + how : fuzz_u32(&sh->in);
}

/* Verdicts */

static void store(struct shell *sh, const struct weft_pkt *pkt)
{
	const struct weft_range *take = &sh->e.take;

	fuzz_check(take->start >= pkt->offset);
	fuzz_check(take->end <= pkt->offset + pkt->plen);
	fuzz_check(take->end <= sh->announced);
	fuzz_check(take->end <= sh->e.rcv_fin && !sh->eof);
	fuzz_store_take(&sh->store, take->start, take->end);
}

static void obey(struct shell *sh, u32 todo, const struct weft_pkt *pkt)
{
	struct weft_engine *e = &sh->e;

	fuzz_check(!todo || !sh->over);
	if (todo & WEFT_DO_STORE)
		store(sh, pkt);
	if (todo & WEFT_DO_DELIVER)
		fuzz_store_deliver(&sh->store, e->rcv_nxt);
	fuzz_check(e->rcv_nxt == sh->store.delivered);
	if (todo & WEFT_DO_FREE)
		sh->una = e->snd_una;
	fuzz_check(e->snd_una == sh->una);
	if (todo & WEFT_DO_UP) {
		fuzz_check(!sh->up);
		sh->up = true;
	}
	if (todo & WEFT_DO_EOF) {
		fuzz_check(!sh->eof && e->rcv_fin == sh->store.delivered);
		sh->eof = true;
	}
	fuzz_check(!!(todo & WEFT_DO_DONE) ==
		   (e->state == WEFT_ST_DONE && !sh->over));
	fuzz_check(!!(todo & WEFT_DO_DEAD) ==
		   (e->state == WEFT_ST_DEAD && !sh->over));
	if (todo & WEFT_DO_DONE)
		fuzz_check(sh->eof && e->fin && e->snd_una > e->write_end);
	if (todo & WEFT_DO_DEAD)
		fuzz_check(e->error);
	sh->over |= e->state == WEFT_ST_DONE || e->state == WEFT_ST_DEAD;
}

/* Packets that leave */

static void lend(struct shell *sh)
{
	unsigned int recs, ranges;

	if (weft_engine_wants_tx(&sh->e)) {
		if (sh->starve)
			sh->starve--;
		else
			weft_engine_lend_tx(&sh->e, &sh->tx);
	}
	recs = weft_engine_wants_records(&sh->e);
	ranges = weft_engine_wants_ranges(&sh->e);
	if (recs && recs <= RECORDS_MAX)
		free(weft_engine_lend_records(&sh->e,
					      calloc(recs, sizeof(*sh->e.recs)),
					      recs));
	if (ranges && ranges <= RECORDS_MAX)
		free(weft_engine_lend_ranges(&sh->e,
					     calloc(ranges,
						    sizeof(*sh->e.ranges)),
					     ranges));
}

static void check_parses(const struct weft_pkt *pkt)
{
	u8 bytes[WEFT_HLEN_MAX + WEFT_RANGES_MAX * 8];
	struct weft_pkt out = *pkt, back;
	unsigned int hlen;

	out.flow = 1;
	out.type = WEFT_TYPE_STREAM;
	hlen = weft_packet_build(&out, bytes);
	fuzz_check(out.plen == pkt->plen);
	if (pkt->kind == WEFT_ACK)
		fuzz_check(weft_packet_put_ranges(&out, bytes + hlen) ==
			   pkt->plen);
	fuzz_check(weft_packet_parse(&back, bytes, hlen, hlen + out.plen) ==
		   WEFT_PARSE_OK);
	fuzz_check(back.kind == pkt->kind && back.offset == pkt->offset &&
		   back.ack == pkt->ack && back.window == pkt->window);
}

static void check_stream(struct shell *sh, const struct weft_pkt *pkt)
{
	const struct weft_engine *e = &sh->e;
	u64 end = pkt->offset + pkt->plen;

	/* A segment that tries whether more passes may be all that the path is
	 * said to take.
	 */
	fuzz_check(pkt->segment <= e->seg.path);
	fuzz_check(pkt->plen <= max(e->params.super_max, pkt->segment));
	fuzz_check(pkt->kind == WEFT_DATA || pkt->plen <= e->params.mss);
	fuzz_check(pkt->offset >= e->snd_una && pkt->offset <= e->snd_nxt);
	fuzz_check(end <= e->write_end);
	/* An OPEN goes before any window is known. */
	fuzz_check(pkt->kind == WEFT_OPEN || end <= max(sh->edge, e->snd_nxt));
	if (pkt->kind == WEFT_CLOSE)
		fuzz_check(e->fin && end == e->write_end);
	else
		fuzz_check(pkt->plen || pkt->kind == WEFT_OPEN);
}

static void check_packet(struct shell *sh, const struct weft_pkt *pkt)
{
	check_parses(pkt);
	if (pkt->kind == WEFT_RESET) {
		fuzz_check(!sh->resets++ && sh->e.state == WEFT_ST_DEAD);
		return;
	}
	fuzz_check(!sh->over || sh->e.state == WEFT_ST_DONE);
	fuzz_check(pkt->ack + pkt->window >= sh->announced);
	fuzz_check(pkt->ack <= sh->store.delivered + sh->eof);
	sh->announced = pkt->ack + pkt->window;
	if (pkt->kind == WEFT_DATA || pkt->kind == WEFT_CLOSE ||
	    pkt->kind == WEFT_OPEN)
		check_stream(sh, pkt);
	else
		fuzz_check(pkt->kind == WEFT_ACK || pkt->kind == WEFT_PROBE ||
			   pkt->kind == WEFT_OPENED);
}

/* Of a packet may leave less than it holds, or nothing. */
static u32 cut(struct shell *sh, const struct weft_pkt *pkt, u8 how)
{
	u32 mss = sh->e.params.mss;

	if (how & 1 || !pkt->plen || pkt->kind == WEFT_ACK)
		return pkt->plen;
	if (pkt->kind != WEFT_DATA || pkt->plen <= mss)
		return how & 2 ? 0 : pkt->plen;
	return how / 2 % (pkt->plen / mss) * mss;
}

static bool send_one(struct shell *sh, u8 how)
{
	struct weft_pkt pkt;

	lend(sh);
	if (!weft_engine_next(&sh->e, sh->now, &pkt))
		return false;
	check_packet(sh, &pkt);
	weft_engine_sent(&sh->e, &pkt, cut(sh, &pkt, how), sh->now);
	return true;
}

/* A packet can bring a deadline that is past already; a tick cannot. */
static void send_all(struct shell *sh)
{
	unsigned int n = 0;

	while (send_one(sh, 1))
		fuzz_check(n++ < BURST_MAX);
}

/* Steps */

static unsigned int pick_ranges(struct shell *sh, struct weft_pkt *pkt,
				struct weft_range *ranges)
{
	u8 bytes[WEFT_RANGES_MAX * 8];
	unsigned int nr = 0;

	for (; nr < WEFT_RANGES_MAX && fuzz_u8(&sh->in) & 1; nr++) {
		ranges[nr].start = pick_offset(sh);
		ranges[nr].end = pick_offset(sh);
	}
	pkt->ranges = ranges;
	pkt->nr_ranges = nr;
	/* What the wire cannot say is not said. */
	nr = weft_packet_put_ranges(pkt, bytes);
	return weft_packet_get_ranges(pkt, bytes, nr, ranges);
}

static void hear(struct shell *sh)
{
	struct weft_range ranges[WEFT_RANGES_MAX];
	struct weft_pkt pkt = { .kind = fuzz_u8(&sh->in) };
	unsigned int nr = 0;

	pkt.offset = pick_offset(sh);
	pkt.ack = pick_offset(sh);
	pkt.plen = fuzz_u8(&sh->in) & 1 ? fuzz_u16(&sh->in) :
					  fuzz_u8(&sh->in);
	pkt.window = pick_u32(sh);
	pkt.time = pick_time(sh);
	pkt.echo = pick_echo(sh);
	pkt.delay = pick_u32(sh);
	pkt.max_message = pick_u32(sh);
	pkt.reason = fuzz_u8(&sh->in) % 4;
	if (pkt.kind == WEFT_ACK)
		nr = pick_ranges(sh, &pkt, ranges);
	/* It admits what it says when it is no nonsense. */
	if (pkt.ack <= sh->e.snd_nxt)
		sh->edge = max(sh->edge, pkt.ack + pkt.window);
	lend(sh);
	obey(sh, weft_engine_input(&sh->e, &pkt, ranges, nr, sh->now), &pkt);
}

static void tick(struct shell *sh, u64 at)
{
	sh->now = max(sh->now, at);
	obey(sh, weft_engine_tick(&sh->e, sh->now), NULL);
	fuzz_check(weft_engine_deadline(&sh->e) > sh->now);
}

/* Nothing but time, or the peer, can make it send more. */
static void settle(struct shell *sh)
{
	unsigned int n = 0;

	send_all(sh);
	while (weft_engine_deadline(&sh->e) <= sh->now) {
		fuzz_check(n++ < SETTLE_MAX);
		tick(sh, sh->now);
		send_all(sh);
	}
}

static void wait_for_deadline(struct shell *sh)
{
	u64 at = weft_engine_deadline(&sh->e);

	if (at != WEFT_NEVER)
		tick(sh, at);
}

static void write_bytes(struct shell *sh, u32 n)
{
	if (!sh->e.fin && sh->e.write_end + n <= WRITTEN_MAX)
		weft_engine_write(&sh->e, sh->e.write_end + n);
}

static void read_bytes(struct shell *sh, u32 n)
{
	fuzz_store_read(&sh->store, n);
	weft_engine_admit(&sh->e, sh->store.read + BUFFER);
}

static void step(struct shell *sh)
{
	u8 what = fuzz_u8(&sh->in);

	switch (what % 16) {
	case 0:
		tick(sh, sh->now + fuzz_u16(&sh->in) * WEFT_NS_PER_US);
		break;
	case 1:
		tick(sh, sh->now + fuzz_u32(&sh->in) * WEFT_NS_PER_US);
		break;
	case 2:
		wait_for_deadline(sh);
		break;
	case 3:
		write_bytes(sh, fuzz_u16(&sh->in));
		break;
	case 4:
		read_bytes(sh, fuzz_u16(&sh->in));
		break;
	case 5:
		send_one(sh, fuzz_u8(&sh->in));
		break;
	case 6:
	case 7:
		settle(sh);
		break;
	case 8:
		weft_engine_shutdown(&sh->e);
		break;
	case 9:
		if (what & 0x10)
			obey(sh, weft_engine_abort(&sh->e, ECONNABORTED), NULL);
		else
			weft_engine_kick(&sh->e, sh->now);
		break;
	case 10:
		if (what & 0x10)
			weft_engine_set_mss(&sh->e, fuzz_u16(&sh->in),
					    fuzz_u16(&sh->in));
		else
			weft_engine_set_cc(&sh->e, pick_cc(sh));
		break;
	default:
		hear(sh);
	}
}

static void begin(struct shell *sh)
{
	u8 how = fuzz_u8(&sh->in);
	struct weft_params params = {
		.mss = how & 1 ? 1000 : fuzz_u16(&sh->in),
		.super_max = how & 2 ? 10000 : fuzz_u16(&sh->in),
		.rcv_window = how & 4 ? BUFFER :
					fuzz_u16(&sh->in) % BUFFER,
		.max_message = WEFT_MAX_MESSAGE_MIN,
		.cc = how & 0x40 ? pick_cc(sh) : NULL,
		.user_timeout_ns = how & 8 ? 120 * WEFT_NS_PER_SEC : 0,
		.open_timeout_ns = 30 * WEFT_NS_PER_SEC,
	};
	struct weft_pkt open = { .kind = WEFT_OPEN };

	sh->now = 4294 * WEFT_NS_PER_SEC;
	weft_engine_init(&sh->e, &params);
	sh->starve = how & 0x80 ? 4 : 0;
	lend(sh);
	sh->announced = params.rcv_window;
	if (how & 0x10) {
		weft_engine_open(&sh->e, sh->now);
		if (how & 0x20)
			write_bytes(sh, fuzz_u16(&sh->in));
		return;
	}
	open.window = sh->edge = pick_u32(sh);
	open.max_message = pick_u32(sh);
	open.plen = fuzz_u16(&sh->in);
	weft_engine_accept(&sh->e, &open, sh->now);
	obey(sh, weft_engine_input(&sh->e, &open, NULL, 0, sh->now), &open);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	static struct shell shell;
	struct shell *sh = &shell;
	unsigned int n;

	memset(sh, 0, sizeof(*sh));
	sh->store.size = BUFFER;
	sh->in = (struct fuzz_in){ input, size };
	begin(sh);
	for (n = 0; sh->in.left && n < STEPS_MAX; n++) {
		const char *fault;

		step(sh);
		fault = sim_check(&sh->e);
		if (fault)
			fuzz_fail("after step %u: %s", n, fault);
	}
	settle(sh);
	free(weft_engine_lend_records(&sh->e, NULL, 0));
	free(weft_engine_lend_ranges(&sh->e, NULL, 0));
	return 0;
}
