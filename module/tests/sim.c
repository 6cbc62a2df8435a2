// SPDX-License-Identifier: GPL-2.0
/* The simulator. */
#include <linux/errno.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include "../proto/rtx.h"
#include "sim.h"

/* Packets that may come of one event, and events that one instant may have. */
#define BURST_MAX	20000

#define FIRST_FLOW	1

u64 sim_random(u64 *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 2685821657736338717ULL;
}

static u64 below(struct sim *sim, u64 limit)
{
	u64 r = sim_random(&sim->random) >> 16;

	return limit ? r - div64_u64(r, limit) * limit : 0;
}

static bool chance(struct sim *sim, u32 parts)
{
	return parts && below(sim, SIM_SURE) < parts;
}

static void fail(struct sim *sim, const char *fault)
{
	if (sim->fault)
		return;
	sim->fault = fault;
	sim->fault_at = sim->now;
}

static void expect(struct sim *sim, bool ok, const char *fault)
{
	if (!ok)
		fail(sim, fault);
}

/* A copy arrives at @at_ns; when too many are under way it is lost. */
static void post(struct sim *sim, const struct sim_frame *frame, u64 at_ns)
{
	int slot = agenda_add(&sim->under_way, at_ns);

	if (slot >= 0)
		sim->frames[slot] = *frame;
}

static u32 ns_per_byte(const struct sim *sim)
{
	const struct sim_link *link = &sim->p.link;

	if (link->change_ns && div64_u64(sim->now, link->change_ns) % 2)
		return link->changed_ns_per_byte;
	return link->ns_per_byte;
}

/* When a frame that is sent now leaves the bottleneck; 0 when it is dropped. */
static u64 through_bottleneck(struct sim *sim, struct sim_end *from, u32 len)
{
	const struct sim_link *link = &sim->p.link;
	u64 start = max(sim->now, from->busy_until);
	u32 rate = ns_per_byte(sim);

	if (!rate)
		return sim->now;
	if (link->queue && start - sim->now > (u64)link->queue * rate)
		return 0;
	from->busy_until = start + (u64)len * rate;
	return from->busy_until;
}

static bool is_dead(const struct sim *sim)
{
	const struct sim_link *link = &sim->p.link;

	return link->dead_ns && sim->now >= link->dead_ns &&
	       (!link->alive_ns || sim->now < link->alive_ns);
}

static bool is_in_hole(const struct sim *sim, const struct sim_side *side,
		       u32 plen)
{
	return side->hole && plen > side->hole &&
	       (!side->hole_ns || sim->now < side->hole_ns);
}

static bool is_dropped(struct sim *sim, unsigned int from, u8 kind, u32 plen)
{
	struct sim_side *side = &sim->p.side[from];
	u64 n;

	if (!sim->p.drop_since || sim->p.drop_since == kind)
		sim->counting = true;
	n = sim->counting ? sim->end[from].counted++ : 64;
	if (side->drop_kinds && side->drop_kind == kind) {
		side->drop_kinds--;
		return true;
	}
	return (n < 64 && (side->drop >> n & 1)) ||
	       is_dead(sim) || is_in_hole(sim, side, plen) ||
	       chance(sim, sim->p.link.loss);
}

static void transmit(struct sim *sim, unsigned int from,
		     struct sim_frame *frame)
{
	const struct sim_link *link = &sim->p.link;
	u64 at;

	sim->end[from].frames++;
	frame->to = !from;
	if (is_dropped(sim, from, frame->data[0] & 0x0f, frame->plen))
		return;
	at = through_bottleneck(sim, &sim->end[from], frame->len + frame->plen);
	if (!at)
		return;
	at += link->delay_ns + below(sim, link->jitter_ns + 1);
	if (chance(sim, link->overtake))
		at += link->overtake_ns;
	post(sim, frame, at);
	if (chance(sim, link->twice))
		post(sim, frame, at + below(sim, SIM_MS));
	if (chance(sim, link->late))
		post(sim, frame, at + below(sim, link->late_ns));
}

/* As segmentation does: each frame a copy of the header, patched. */
static void transmit_segments(struct sim *sim, unsigned int from,
			      const struct sim_frame *frame, u32 mss)
{
	u32 done, index = 0;

	for (done = 0; done < frame->plen; done += mss, index++) {
		struct sim_frame *one = &sim->frames[SIM_FRAMES];
		u32 plen = min_t(u32, mss, frame->plen - done);

		*one = *frame;
		one->plen = plen;
		weft_wire_patch((struct weft_wire_start *)one->data, index,
				done, plen);
		transmit(sim, from, one);
	}
	sim->end[from].number += index;
}

static void send_packet(struct sim *sim, unsigned int from,
			struct weft_pkt *pkt, u64 flow)
{
	struct sim_frame *frame = &sim->frames[SIM_FRAMES + 1];
	struct sim_end *end = &sim->end[from];
	u32 mss = pkt->segment;

	pkt->version = WEFT_VERSION_MAX;
	pkt->flow = flow;
	pkt->number = end->number++;
	pkt->type = WEFT_TYPE_STREAM;
	pkt->flags |= from ? 0 : WEFT_F_OPENER;
	frame->len = weft_packet_build(pkt, frame->data);
	frame->plen = pkt->plen;
	frame->segment = 0;
	if (pkt->kind == WEFT_ACK) {
		expect(sim, pkt->plen == pkt->nr_ranges * 8, "plen of ACK");
		weft_packet_put_ranges(pkt, frame->data + frame->len);
		end->acks++;
	}
	if (pkt->kind == WEFT_DATA && pkt->plen > mss && !sim->p.link.whole) {
		transmit_segments(sim, from, frame, mss);
		return;
	}
	if (pkt->plen > mss)
		frame->segment = mss;
	transmit(sim, from, frame);
}

/* The shell's part: memory. */

/* As conn.c: what is not there is asked for again, by the timer if need be. */
static void lend_tx(struct sim *sim, struct sim_end *end)
{
	end->starved_until = WEFT_NEVER;
	if (!weft_engine_wants_tx(&end->e))
		return;
	if (!chance(sim, sim->p.starve)) {
		weft_engine_lend_tx(&end->e, &end->tx);
		return;
	}
	end->starved_until = sim->now + 100 * SIM_MS;
	end->starved++;
}

static void lend(struct sim *sim, struct sim_end *end)
{
	u32 limit = sim->p.max_records, recs, ranges;
	void *array;

	lend_tx(sim, end);
	recs = weft_engine_wants_records(&end->e);
	ranges = weft_engine_wants_ranges(&end->e);
	if (recs && !(limit && recs > limit)) {
		array = kunit_kcalloc(sim->test, recs,
				      sizeof(struct weft_record), GFP_KERNEL);
		array = weft_engine_lend_records(&end->e, array, recs);
		kunit_kfree(sim->test, array);
	}
	if (ranges) {
		array = kunit_kcalloc(sim->test, ranges,
				      sizeof(struct weft_range), GFP_KERNEL);
		array = weft_engine_lend_ranges(&end->e, array, ranges);
		kunit_kfree(sim->test, array);
	}
}

static u32 max_message(const struct sim_side *side)
{
	return side->messages ? (side->window ?: side->buffer) - 4096 -
				WEFT_RECORD_BYTES : WEFT_MAX_MESSAGE_MIN;
}

static void begin(struct sim *sim, unsigned int i, u64 flow)
{
	struct weft_params params = {
		.mss = sim->p.mss,
		.super_max = sim->p.super_max,
		.rcv_window = sim->p.side[i].window ?:
			      sim->p.side[i].buffer,
		.max_message = max_message(&sim->p.side[i]),
		.user_timeout_ns = sim->p.limit_ns,
		.open_timeout_ns = 120 * SIM_SEC,
	};
	struct sim_end *end = &sim->end[i];

	if (sim->p.side[i].messages)
		params.whole = params.max_message + WEFT_RECORD_BYTES;
	weft_engine_init(&end->e, &params);
	weft_engine_set_keep(&end->e, &sim->p.side[i].keep,
			     sim->p.limit_ns);
	end->live = true;
	end->flow = flow;
	end->delivered = 0;
	end->read = 0;
	end->eof = false;
	end->up = false;
	end->stopped = false;
	end->read_next = WEFT_NEVER;
	end->write_next = WEFT_NEVER;
	weft_marks_set(&end->marks, flow, WEFT_MARK_OPEN);
	memset(end->held, 0, sim->p.side[i].buffer);
	lend(sim, end);
}

static void forget(struct sim *sim, struct sim_end *end, enum weft_mark mark)
{
	end->live = false;
	end->retransmitted += end->e.retransmitted;
	end->mss = end->e.params.mss;
	weft_marks_set(&end->marks, end->flow, mark);
	kunit_kfree(sim->test, weft_engine_lend_records(&end->e, NULL, 0));
	kunit_kfree(sim->test, end->e.ranges);
	end->e.ranges = NULL;
}

/* The shell's part: bytes. */

static void store(struct sim *sim, unsigned int i)
{
	const struct weft_range *take = &sim->end[i].e.take;
	struct sim_end *end = &sim->end[i];
	u32 size = sim->p.side[i].buffer;
	u64 o = take->start;

	expect(sim, take->start < take->end, "stored nothing");
	expect(sim, take->start >= end->delivered, "stored what was delivered");
	expect(sim, take->end <= end->read + size, "stored beyond the buffer");
	expect(sim, take->end <= sim->p.side[!i].bytes, "stored invented bytes");
	if (sim->fault)
		return;
	expect(sim, !end->held[o & (size - 1)], "stored twice: first byte");
	for (; o < take->end; o++)
		end->held[o & (size - 1)] = 1;
}

static void deliver(struct sim *sim, unsigned int i)
{
	struct sim_end *end = &sim->end[i];
	u32 mask = sim->p.side[i].buffer - 1;

	expect(sim, end->e.rcv_nxt > end->delivered, "delivered nothing");
	for (; end->delivered < end->e.rcv_nxt && !sim->fault;
	     end->delivered++) {
		expect(sim, end->held[end->delivered & mask],
		       "delivered a byte that never came");
		end->held[end->delivered & mask] = 0;
	}
}

static void meet_eof(struct sim *sim, unsigned int i)
{
	struct sim_end *end = &sim->end[i];

	expect(sim, !end->eof, "second end of stream");
	expect(sim, end->delivered == sim->p.side[!i].bytes,
	       "end of stream too soon");
	expect(sim, end->e.rcv_fin == end->delivered, "wrong rcv_fin");
	end->eof = true;
}

/* Of @bytes that have come, those that the program can read. */
static u64 readable(const struct sim_side *side, u64 bytes)
{
	const u32 *message;
	u64 end = 0;

	for (message = side->messages; message && *message; message++) {
		if (end + *message > bytes)
			return end;
		end += *message;
	}
	return bytes;
}

static void read_bytes(struct sim *sim, unsigned int i)
{
	const struct sim_side *side = &sim->p.side[i];
	struct sim_end *end = &sim->end[i];
	u64 until = readable(side, end->delivered);

	if (sim->now >= end->read_next)
		end->read_next = WEFT_NEVER;
	if (end->read_next != WEFT_NEVER)
		return;
	if (side->stop_ns && !end->stopped && until >= side->stop_at) {
		until = max(end->read, side->stop_at);
		end->stopped = true;
		end->read_next = sim->now + side->stop_ns;
	}
	if (until - end->read < side->need && !end->eof) {
		if (side->sleeps)
			weft_engine_hurry(&end->e);
		return;
	}
	if (side->chunk)
		until = min(until, end->read + side->chunk);
	if (until == end->read)
		return;
	end->read = until;
	weft_engine_read(&end->e, end->read, sim->now);
	if (side->read_ns)
		end->read_next = sim->now + side->read_ns;
}

static void write_bytes(struct sim *sim, unsigned int i)
{
	const struct sim_side *side = &sim->p.side[i];
	struct sim_end *end = &sim->end[i];
	struct weft_engine *e = &end->e;
	u64 room = side->buffer - (e->write_end - min(e->snd_una,
						      e->write_end));
	u64 left = side->bytes - e->write_end;
	u64 piece = min(left, room);

	if (sim->now >= end->write_next)
		end->write_next = WEFT_NEVER;
	if (!(end->up || side->early) || e->fin || end->write_next != WEFT_NEVER)
		return;
	if (side->piece)
		piece = min_t(u64, piece, side->piece);
	weft_engine_write(e, e->write_end + piece);
	if (e->write_end == side->bytes)
		weft_engine_shutdown(e);
	else if (side->write_gap_ns)
		end->write_next = sim->now + side->write_gap_ns;
}

/* Carries out a verdict, in the order of its bits. */
static void obey(struct sim *sim, unsigned int i, u32 todo)
{
	struct sim_end *end = &sim->end[i];

	if (todo & WEFT_DO_STORE)
		store(sim, i);
	if (todo & WEFT_DO_DELIVER)
		deliver(sim, i);
	if (todo & WEFT_DO_UP) {
		expect(sim, !end->up, "connected twice");
		end->up = true;
	}
	if (todo & WEFT_DO_EOF)
		meet_eof(sim, i);
}

/* What the shell makes of one packet: less than it holds, at times. */
static u32 cut(struct sim *sim, unsigned int i, const struct weft_pkt *pkt)
{
	u32 mss = sim->end[i].e.params.mss;

	if (pkt->kind != WEFT_DATA || !chance(sim, sim->p.cut))
		return pkt->plen;
	if (pkt->plen <= mss)
		return 0;
	return below(sim, pkt->plen / mss) * mss;
}

static void pump(struct sim *sim, unsigned int i)
{
	struct sim_end *end = &sim->end[i];
	struct weft_pkt pkt;
	u32 n;

	for (n = 0; n < BURST_MAX; n++) {
		bool idle = weft_engine_is_idle(&end->e);
		u32 plen;

		lend(sim, end);
		if (!weft_engine_next(&end->e, sim->now, &pkt))
			break;
		expect(sim, !idle, "is idle and sends");
		plen = cut(sim, i, &pkt);
		weft_engine_sent(&end->e, &pkt, plen, sim->now);
		if (pkt.plen && !plen)
			continue;
		pkt.plen = plen;
		send_packet(sim, i, &pkt, end->flow);
	}
	expect(sim, n < BURST_MAX, "sends without end");
	end->peak_records = max(end->peak_records, end->e.nr_recs);
	end->peak_ranges = max(end->peak_ranges, end->e.nr_ranges);
}

static void settle(struct sim *sim, unsigned int i, u32 todo);

/* Up to where: all that is written, or a part; or the end of the stream alone. */
static u64 end_to_hand(struct sim *sim, const struct weft_engine *e)
{
	u64 left = e->write_end - min(e->snd_nxt, e->write_end);

	if (!left || sim->p.hand == SIM_SURE)
		return e->snd_nxt + left;
	return e->snd_nxt + 1 + below(sim, min_t(u64, left, 0xffff));
}

/* Nothing is to be sent, nor is anything due before the timer, set to @at, fires. */
static void expect_quiet(struct sim *sim, const struct weft_engine *e, u64 at)
{
	struct weft_pkt pkt;

	expect(sim, weft_engine_deadline(e) >= at,
	       "a deadline that no timer is set to");
	sim->copy = *e;
	if (e->tx) {
		sim->copy_tx = *e->tx;
		sim->copy.tx = &sim->copy_tx;
	}
	expect(sim, !weft_engine_next(&sim->copy, sim->now, &pkt),
	       "is quiet, and has something to send");
}

/* Bytes, or the end, by hand, at times. Return: WEFT_DO_* for @i. */
static u32 hand_over(struct sim *sim, unsigned int i)
{
	struct sim_end *from = &sim->end[i], *to = &sim->end[!i];
	u64 to_at = weft_engine_deadline(&to->e);
	u64 from_at = weft_engine_deadline(&from->e);
	u64 end = end_to_hand(sim, &from->e);
	struct weft_pkt pkt;
	u32 todo, todo_from;

	if (sim->handing || !chance(sim, sim->p.hand) || !to->live ||
	    to->flow != from->flow || !weft_engine_may_hand(&from->e, end))
		return 0;
	weft_engine_look(&from->e, &to->e);
	if (!weft_engine_may_take(&to->e, from->e.snd_nxt, end))
		return 0;
	weft_engine_hand(&from->e, end, &pkt);
	todo = weft_engine_input(&to->e, &pkt, NULL, 0, sim->now);
	expect(sim, !pkt.plen || todo & WEFT_DO_STORE, "took none by hand");
	expect(sim, pkt.plen || todo & WEFT_DO_EOF, "took no end by hand");
	weft_engine_took(&to->e);
	todo_from = weft_engine_handed(&from->e, &pkt, sim->now);
	weft_engine_look(&from->e, &to->e);
	if (!(todo & ~WEFT_DO_TOOK) && weft_engine_is_idle(&to->e))
		expect_quiet(sim, &to->e, to_at);
	if (todo_from == WEFT_DO_FREE && !from->e.fin &&
	    weft_engine_is_idle(&from->e))
		expect_quiet(sim, &from->e, from_at);
	from->handed++;
	sim->handing = true;
	settle(sim, !i, todo);
	sim->handing = false;
	return todo_from;
}

/* The writer goes on with the room that this makes. */
static u32 hand_over_all(struct sim *sim, unsigned int i)
{
	u32 todo = 0, more;

	while ((more = hand_over(sim, i))) {
		todo |= more;
		if (!(more & (WEFT_DO_DONE | WEFT_DO_DEAD)))
			write_bytes(sim, i);
	}
	return todo;
}

static void settle(struct sim *sim, unsigned int i, u32 todo)
{
	struct sim_end *end = &sim->end[i];

	obey(sim, i, todo);
	if (!(todo & (WEFT_DO_DONE | WEFT_DO_DEAD))) {
		read_bytes(sim, i);
		write_bytes(sim, i);
		todo |= hand_over_all(sim, i);
	}
	pump(sim, i);
	if (todo & WEFT_DO_DONE) {
		expect(sim, end->eof, "done without the peer's end");
		end->over++;
		forget(sim, end, WEFT_MARK_CLOSED);
	}
	if (todo & WEFT_DO_DEAD) {
		end->failed++;
		end->error = end->e.error;
		forget(sim, end, WEFT_MARK_RESET);
	}
}

/* The shell's part: packets of flows that it has no engine for. */

static void answer(struct sim *sim, unsigned int i, u8 kind, u32 reason,
		   u64 flow)
{
	struct weft_pkt pkt = { .kind = kind, .reason = reason };

	send_packet(sim, i, &pkt, flow);
}

static void accept_flow(struct sim *sim, unsigned int i,
			const struct weft_pkt *pkt)
{
	struct sim_end *end = &sim->end[i];

	if (sim->p.side[i].refuse) {
		weft_marks_set(&end->marks, pkt->flow, WEFT_MARK_RESET);
		answer(sim, i, WEFT_RESET, WEFT_RESET_REFUSED, pkt->flow);
		return;
	}
	end->created++;
	begin(sim, i, pkt->flow);
	weft_engine_accept(&end->e, pkt, sim->now);
	settle(sim, i, weft_engine_input(&end->e, pkt, NULL, 0, sim->now));
}

static void handle_stray(struct sim *sim, unsigned int i,
			 const struct weft_pkt *pkt)
{
	enum weft_mark mark = weft_marks_get(&sim->end[i].marks, pkt->flow);

	if (pkt->kind == WEFT_CLOSED || pkt->kind == WEFT_RESET)
		return;
	expect(sim, mark != WEFT_MARK_OPEN, "open mark without a flow");
	/* What only acknowledges needs no answer: all is acknowledged. */
	if (mark == WEFT_MARK_CLOSED && pkt->kind == WEFT_ACK)
		return;
	if (mark == WEFT_MARK_CLOSED)
		answer(sim, i, WEFT_CLOSED, 0, pkt->flow);
	else if (mark == WEFT_MARK_NEW && pkt->kind == WEFT_OPEN && i == 1)
		accept_flow(sim, i, pkt);
	else
		answer(sim, i, WEFT_RESET, WEFT_RESET_UNKNOWN, pkt->flow);
}

static void arrive(struct sim *sim, const struct sim_frame *frame)
{
	struct weft_range ranges[WEFT_RANGES_MAX];
	struct sim_end *end = &sim->end[frame->to];
	unsigned int nr = 0;
	struct weft_pkt pkt;

	expect(sim, weft_packet_parse(&pkt, frame->data, WEFT_HLEN_MAX,
				      frame->len + frame->plen) ==
	       WEFT_PARSE_OK, "a packet of ours does not parse");
	pkt.segment = frame->segment;
	if (!end->live || pkt.flow != end->flow) {
		handle_stray(sim, frame->to, &pkt);
		return;
	}
	if (pkt.kind == WEFT_ACK)
		nr = weft_packet_get_ranges(&pkt, frame->data + pkt.hlen,
					    pkt.plen, ranges);
	lend(sim, end);
	settle(sim, frame->to, weft_engine_input(&end->e, &pkt, ranges, nr,
						 sim->now));
}

/* Time. */

static u64 wake_ns(const struct sim_end *end)
{
	if (!end->live)
		return WEFT_NEVER;
	return min(min3(weft_engine_deadline(&end->e), end->read_next,
			end->write_next), end->starved_until);
}

static u64 next_ns(const struct sim *sim)
{
	return min3(wake_ns(&sim->end[0]), wake_ns(&sim->end[1]),
		    agenda_next(&sim->under_way));
}

static void shrink_path(struct sim *sim, struct sim_end *end)
{
	if (sim->p.shrink_at && end->e.params.mss == sim->p.mss &&
	    end->e.snd_una >= sim->p.shrink_at)
		weft_engine_set_mss(&end->e, sim->p.mss / 2,
				    sim->p.super_max / 2);
}

static void step_ends(struct sim *sim)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		struct sim_end *end = &sim->end[i];

		if (!end->live || wake_ns(end) > sim->now)
			continue;
		shrink_path(sim, end);
		settle(sim, i, weft_engine_tick(&end->e, sim->now));
	}
}

static void step_frames(struct sim *sim)
{
	while (agenda_next(&sim->under_way) <= sim->now && !sim->fault) {
		u16 slot = agenda_take(&sim->under_way);

		arrive(sim, &sim->frames[slot]);
		agenda_free(&sim->under_way, slot);
	}
}

static void check_ends(struct sim *sim)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		const char *fault = NULL;

		if (sim->end[i].live)
			fault = sim_check(&sim->end[i].e);
		if (fault)
			fail(sim, fault);
	}
}

static bool is_quiet(const struct sim *sim)
{
	return !sim->end[0].live && !sim->end[1].live;
}

/* OPEN and OPENED by hand, at times. */
static bool open_by_hand(struct sim *sim)
{
	struct sim_end *from = &sim->end[0], *to = &sim->end[1];
	struct weft_pkt open;

	if (sim->p.side[1].refuse || !chance(sim, sim->p.hand))
		return false;
	weft_engine_hand_open(&from->e, &open);
	to->created++;
	begin(sim, 1, from->flow);
	weft_engine_accept(&to->e, &open, sim->now);
	from->handed++;
	settle(sim, 0, weft_engine_meet(&from->e, &to->e, &open, sim->now));
	settle(sim, 1, WEFT_DO_UP);
	return true;
}

static void open_flow(struct sim *sim)
{
	struct sim_end *end = &sim->end[0];

	begin(sim, 0, end->flow + FIRST_FLOW);
	write_bytes(sim, 0);
	weft_engine_open(&end->e, sim->now);
	if (!open_by_hand(sim))
		pump(sim, 0);
}

/* One flow after the other; late packets may outlive all of them. */
static void advance(struct sim *sim)
{
	u64 at;

	if (is_quiet(sim) && sim->end[0].flow < sim->p.flows)
		open_flow(sim);
	at = next_ns(sim);
	if (at == WEFT_NEVER) {
		expect(sim, is_quiet(sim), "nothing will ever happen again");
		return;
	}
	sim->steps = at > sim->now ? 0 : sim->steps + 1;
	expect(sim, sim->steps < BURST_MAX, "time stands still");
	sim->now = max(at, sim->now);
	expect(sim, sim->now < sim->p.limit_ns, "took too long");
	step_frames(sim);
	step_ends(sim);
	if (sim_random(&sim->random) % 16 == 0)
		check_ends(sim);
}

static void reset(struct sim *sim, const struct sim_params *params)
{
	struct kunit *test = sim->test;
	struct sim_frame *frames = sim->frames;
	struct agenda under_way = sim->under_way;
	unsigned int i;

	memset(sim, 0, sizeof(*sim));
	sim->test = test;
	sim->frames = frames;
	sim->under_way = under_way;
	agenda_clear(&sim->under_way);
	sim->p = *params;
	sim->p.flows = max_t(u32, params->flows, 1);
	sim->random = params->seed;
	sim->now = SIM_BEGIN;
	sim->p.limit_ns += sim->now;
	if (sim->p.link.dead_ns)
		sim->p.link.dead_ns += sim->now;
	if (sim->p.link.alive_ns)
		sim->p.link.alive_ns += sim->now;
	for (i = 0; i < 2; i++)
		if (sim->p.side[i].hole_ns)
			sim->p.side[i].hole_ns += sim->now;
	for (i = 0; i < 2; i++)
		sim->end[i].held = kunit_kzalloc(test, params->side[i].buffer,
						 GFP_KERNEL);
}

const char *sim_run(struct sim *sim, const struct sim_params *params)
{
	unsigned int i;

	reset(sim, params);
	do {
		advance(sim);
	} while (!sim->fault && (sim->under_way.nr || !is_quiet(sim) ||
				 sim->end[0].flow < sim->p.flows));
	for (i = 0; i < 2; i++) {
		if (sim->end[i].live)
			forget(sim, &sim->end[i], WEFT_MARK_RESET);
		kunit_kfree(sim->test, sim->end[i].held);
	}
	expect(sim, sim->end[1].created <= sim->p.flows,
	       "a flow was accepted twice");
	return sim->fault;
}

struct sim *sim_alloc(struct kunit *test)
{
	struct sim *sim = kunit_kzalloc(test, sizeof(*sim), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, sim);
	sim->test = test;
	/* Two more to build in. */
	sim->frames = kunit_kcalloc(test, SIM_FRAMES + 2,
				    sizeof(*sim->frames), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, sim->frames);
	agenda_alloc(test, &sim->under_way, SIM_FRAMES);
	return sim;
}

static const char *check_records(const struct weft_engine *e)
{
	u64 at = e->snd_una, flight = 0, lost = 0;
	unsigned int i;

	for (i = 0; i < e->nr_recs; i++) {
		const struct weft_record *rec = weft_rtx_at(e, i);

		if (rec->start != at || rec->end <= rec->start)
			return "records have gaps or overlap";
		if ((rec->flags & WEFT_REC_LOST) &&
		    (rec->flags & WEFT_REC_SACKED))
			return "a record is both lost and here";
		if ((rec->flags & WEFT_REC_LOST) && rec->start < e->lost_from)
			return "a lost record below lost_from";
		if (rec->flags & WEFT_REC_LOST)
			lost += rec->end - rec->start;
		else if (!(rec->flags & WEFT_REC_SACKED))
			flight += rec->end - rec->start;
		at = rec->end;
	}
	if (at != e->snd_nxt)
		return "records end before snd_nxt";
	if (flight != e->in_flight)
		return "in_flight is not what the records say";
	if (lost != e->lost_bytes)
		return "lost_bytes is not what the records say";
	return NULL;
}

static const char *check_ranges(const struct weft_engine *e)
{
	u64 at = e->rcv_nxt;
	unsigned int i;

	for (i = 0; i < e->nr_ranges; i++) {
		if (e->ranges[i].start <= at)
			return "ranges touch or are out of order";
		if (e->ranges[i].end <= e->ranges[i].start)
			return "an empty range";
		at = e->ranges[i].end;
	}
	if (at > e->rcv_limit || at > e->rcv_fin)
		return "received beyond the limit";
	return NULL;
}

const char *sim_check(const struct weft_engine *e)
{
	const char *fault;

	if (e->state >= WEFT_ST_COUNT)
		return "no such state";
	if (e->error == EPROTO)
		return "a forbidden change of state";
	if (e->nr_recs > e->max_recs || e->nr_ranges > e->max_ranges)
		return "more in use than there are";
	if (e->snd_una > e->snd_nxt || e->snd_nxt > e->write_end + 1)
		return "offsets out of order";
	if (e->tx && !e->tx->cc.cwnd)
		return "cwnd is 0";
	fault = check_records(e);
	return fault ? fault : check_ranges(e);
}
