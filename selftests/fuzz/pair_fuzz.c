// SPDX-License-Identifier: GPL-2.0
/*
 * Two honest engines, and a network that the input commands: which frame comes
 * next, which comes twice or never, how long all of it takes, and what the
 * programs write and read meanwhile. Whatever it does, no byte is lost or
 * invented and neither end gives up; and when it is done and the network loses
 * nothing any more, both come to a good end.
 */
#include <linux/errno.h>
#include <linux/minmax.h>

#include "engine.h"
#include "fuzz.h"
#include "rtx.h"
#include "sim.h"

#define STEPS_MAX	300
#define WRITTEN_MAX	40000U
#define BUFFER		8192U
#define FRAMES		128
#define RECORDS_MAX	256
#define BURST_MAX	20000
/* Of the last part, where nothing is lost. */
#define DELAY_NS	(5 * WEFT_NS_PER_MS)
#define ROUNDS_MAX	20000

struct frame {
	u8	data[WEFT_HLEN_MAX + WEFT_RANGES_MAX * 8];
	u8	to;
	u64	at_ns;
};

/**
 * struct end - one end
 * @born: there is, or was, an engine
 * @over: its flow is DONE and forgotten
 * @store: what came
 * @up: WEFT_DO_UP came
 * @eof: WEFT_DO_EOF came
 */
struct end {
	struct weft_engine	e;
	struct weft_tx		tx;
	bool			born;
	bool			over;
	struct fuzz_store	store;
	bool			up;
	bool			eof;
};

/**
 * struct net - both ends and what is between them
 * @frames: under way, in order of sending
 * @cc: algorithm of congestion control
 * @late: the last part: frames arrive in order after DELAY_NS, and ends shut
 *	down and read all
 */
struct net {
	struct fuzz_in	in;
	u64		now;
	u64		number;
	struct end	end[2];
	struct frame	frames[FRAMES];
	unsigned int	nr_frames;
	u32		mss;
	const struct weft_cc_ops *cc;
	bool		late;
};

static void transmit(struct net *net, unsigned int from, const u8 *data)
{
	struct frame *frame = &net->frames[net->nr_frames];

	/* A network that is full loses. */
	if (net->nr_frames == FRAMES)
		return;
	net->nr_frames++;
	memcpy(frame->data, data, sizeof(frame->data));
	frame->to = !from;
	frame->at_ns = net->now + DELAY_NS;
}

static void send_segments(struct net *net, unsigned int from, u8 *data,
			  u32 plen, u32 mss)
{
	u8 one[sizeof(net->frames[0].data)];
	u32 done, index = 0;

	for (done = 0; done < plen; done += mss, index++) {
		memcpy(one, data, sizeof(one));
		weft_wire_patch((struct weft_wire_start *)one, index, done,
				min(mss, plen - done));
		transmit(net, from, one);
	}
}

static void send_packet(struct net *net, unsigned int from,
			struct weft_pkt *pkt)
{
	u8 data[sizeof(net->frames[0].data)] = {};
	u32 mss = net->end[from].e.params.mss;
	unsigned int hlen;

	pkt->version = WEFT_VERSION_MAX;
	pkt->flow = 1;
	pkt->number = net->number++;
	pkt->type = WEFT_TYPE_STREAM;
	hlen = weft_packet_build(pkt, data);
	if (pkt->kind == WEFT_ACK)
		weft_packet_put_ranges(pkt, data + hlen);
	if (pkt->kind == WEFT_DATA && pkt->plen > mss)
		send_segments(net, from, data, pkt->plen, mss);
	else
		transmit(net, from, data);
}

/* The shell's part. */

static void lend(struct end *end)
{
	unsigned int recs, ranges;

	if (weft_engine_wants_tx(&end->e))
		weft_engine_lend_tx(&end->e, &end->tx);
	recs = weft_engine_wants_records(&end->e);
	ranges = weft_engine_wants_ranges(&end->e);
	if (recs && recs <= RECORDS_MAX)
		free(weft_engine_lend_records(&end->e, calloc(recs,
					      sizeof(*end->e.recs)), recs));
	if (ranges && ranges <= RECORDS_MAX)
		free(weft_engine_lend_ranges(&end->e, calloc(ranges,
					     sizeof(*end->e.ranges)), ranges));
}

static void forget(struct end *end)
{
	free(weft_engine_lend_records(&end->e, NULL, 0));
	free(weft_engine_lend_ranges(&end->e, NULL, 0));
}

static void pump(struct net *net, unsigned int i)
{
	struct end *end = &net->end[i];
	struct weft_pkt pkt;
	unsigned int n;

	for (n = 0; n < BURST_MAX; n++) {
		lend(end);
		if (!weft_engine_next(&end->e, net->now, &pkt))
			break;
		fuzz_check(pkt.kind != WEFT_RESET);
		weft_engine_sent(&end->e, &pkt, pkt.plen, net->now);
		send_packet(net, i, &pkt);
	}
	fuzz_check(n < BURST_MAX);
}

static void store(struct net *net, unsigned int i)
{
	const struct weft_range *take = &net->end[i].e.take;

	fuzz_check(take->end <= net->end[!i].e.write_end);
	fuzz_store_take(&net->end[i].store, take->start, take->end);
}

static void obey(struct net *net, unsigned int i, u32 todo)
{
	struct end *end = &net->end[i];
	struct end *peer = &net->end[!i];
	const char *fault = sim_check(&end->e);

	if (fault)
		fuzz_fail("end %u: %s", i, fault);
	fuzz_check(!(todo & WEFT_DO_DEAD));
	if (todo & WEFT_DO_STORE)
		store(net, i);
	if (todo & WEFT_DO_DELIVER)
		fuzz_store_deliver(&end->store, end->e.rcv_nxt);
	if (todo & WEFT_DO_UP) {
		fuzz_check(!end->up);
		end->up = true;
	}
	if (todo & WEFT_DO_EOF) {
		fuzz_check(!end->eof && peer->e.fin);
		fuzz_check(end->store.delivered == peer->e.write_end);
		end->eof = true;
	}
	pump(net, i);
	if (!(todo & WEFT_DO_DONE))
		return;
	fuzz_check(end->eof && peer->eof);
	end->over = true;
	forget(end);
}

static void begin(struct net *net, unsigned int i, const struct weft_pkt *open)
{
	const struct weft_params params = {
		.mss = net->mss, .super_max = 10 * net->mss,
		.rcv_window = BUFFER, .max_message = WEFT_MAX_MESSAGE_MIN,
		.open_timeout_ns = WEFT_NEVER / 4,
	};
	struct end *end = &net->end[i];

	weft_engine_init(&end->e, &params);
	end->store.size = BUFFER;
	end->born = true;
	lend(end);
	if (open) {
		weft_engine_accept(&end->e, open, net->now);
		return;
	}
	weft_engine_open(&end->e, net->now);
}

/* A packet of a flow that is not there, or not any more. */
static void answer_stray(struct net *net, unsigned int i,
			 const struct weft_pkt *pkt)
{
	struct weft_pkt closed = { .kind = WEFT_CLOSED };

	if (pkt->kind == WEFT_ACK || pkt->kind == WEFT_CLOSED)
		return;
	/* The opener is there before the first packet is. */
	fuzz_check(net->end[i].over);
	send_packet(net, i, &closed);
}

static void arrive(struct net *net, const struct frame *frame)
{
	struct end *end = &net->end[frame->to];
	struct weft_range ranges[WEFT_RANGES_MAX];
	unsigned int nr = 0;
	struct weft_pkt pkt;

	fuzz_check(weft_packet_parse(&pkt, frame->data, WEFT_HLEN_MAX,
				     WEFT_HLEN_MAX + 65535) == WEFT_PARSE_OK);
	if (!end->born && pkt.kind == WEFT_OPEN)
		begin(net, frame->to, &pkt);
	if (!end->born || end->over) {
		answer_stray(net, frame->to, &pkt);
		return;
	}
	if (pkt.kind == WEFT_ACK)
		nr = weft_packet_get_ranges(&pkt, frame->data + pkt.hlen,
					    pkt.plen, ranges);
	lend(end);
	obey(net, frame->to, weft_engine_input(&end->e, &pkt, ranges, nr,
					       net->now));
}

/* The network's part. */

static void take_out(struct net *net, unsigned int i, bool keep, bool lose)
{
	struct frame frame;

	if (i >= net->nr_frames)
		return;
	frame = net->frames[i];
	if (!keep)
		memmove(&net->frames[i], &net->frames[i + 1],
			(--net->nr_frames - i) * sizeof(frame));
	if (!lose)
		arrive(net, &frame);
}

static void tick(struct net *net, unsigned int i)
{
	struct end *end = &net->end[i];

	if (!end->born || end->over)
		return;
	obey(net, i, weft_engine_tick(&end->e, net->now));
}

static u64 deadline(const struct net *net)
{
	u64 at = WEFT_NEVER;
	unsigned int i;

	for (i = 0; i < 2; i++)
		if (net->end[i].born && !net->end[i].over)
			at = min(at, weft_engine_deadline(&net->end[i].e));
	return at;
}

static void advance(struct net *net, u64 at)
{
	unsigned int i;

	net->now = max(net->now, at);
	for (i = 0; i < 2; i++)
		tick(net, i);
}

/* The programs' part. */

static void write_bytes(struct net *net, unsigned int i, u32 n)
{
	struct weft_engine *e = &net->end[i].e;

	if (!net->end[i].up || net->end[i].over || e->fin)
		return;
	weft_engine_write(e, min_t(u64, e->write_end + n, WRITTEN_MAX));
	pump(net, i);
}

static void read_bytes(struct net *net, unsigned int i, u32 n)
{
	struct end *end = &net->end[i];

	fuzz_store_read(&end->store, n);
	if (!end->born || end->over)
		return;
	weft_engine_admit(&end->e, end->store.read + BUFFER);
	pump(net, i);
}

static void shut_down(struct net *net, unsigned int i)
{
	struct end *end = &net->end[i];

	if (!end->up || end->over || end->e.fin)
		return;
	weft_engine_shutdown(&end->e);
	pump(net, i);
}

static void step(struct net *net)
{
	u8 what = fuzz_u8(&net->in);
	unsigned int i = what >> 7;

	switch (what % 16) {
	case 0:
		advance(net, net->now + fuzz_u16(&net->in) * WEFT_NS_PER_US);
		break;
	case 1:
		advance(net, net->now + fuzz_u8(&net->in) * WEFT_NS_PER_SEC);
		break;
	case 2:
		if (deadline(net) != WEFT_NEVER)
			advance(net, deadline(net));
		break;
	case 3:
	case 4:
		write_bytes(net, i, fuzz_u16(&net->in));
		break;
	case 5:
		read_bytes(net, i, fuzz_u16(&net->in));
		break;
	case 6:
		shut_down(net, i);
		break;
	case 7:
		take_out(net, fuzz_u8(&net->in) % FRAMES, false, true);
		break;
	case 8:
		take_out(net, fuzz_u8(&net->in) % FRAMES, true, false);
		break;
	case 9:
		take_out(net, fuzz_u8(&net->in) % FRAMES, false, false);
		break;
	case 10:
		net->nr_frames = 0;
		break;
	case 11:
		net->mss = 300 + fuzz_u8(&net->in) * 8;
		for (i = 0; i < 2; i++)
			if (net->end[i].born && !net->end[i].over)
				weft_engine_set_mss(&net->end[i].e, net->mss,
						    10 * net->mss);
		break;
	default:
		take_out(net, 0, false, false);
	}
}

/* Time goes on by itself, frames arrive, the programs come to their end. */
static void finish(struct net *net)
{
	unsigned int n, i;
	u64 at;

	net->late = true;
	for (n = 0; !net->end[0].over || !net->end[1].over; n++) {
		fuzz_check(n < ROUNDS_MAX);
		for (i = 0; i < 2; i++) {
			shut_down(net, i);
			read_bytes(net, i, BUFFER);
		}
		at = deadline(net);
		if (net->nr_frames && net->frames[0].at_ns <= at) {
			advance(net, net->frames[0].at_ns);
			take_out(net, 0, false, false);
			continue;
		}
		/* Nothing will ever happen again? */
		fuzz_check(at != WEFT_NEVER);
		advance(net, at);
	}
	for (i = 0; i < 2; i++)
		fuzz_check(net->end[i].store.delivered == net->end[!i].e.write_end);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	static struct net state;
	struct net *net = &state;
	unsigned int n;

	memset(net, 0, sizeof(*net));
	net->in = (struct fuzz_in){ input, size };
	net->now = 4294 * WEFT_NS_PER_SEC;
	net->mss = 1000;
	net->cc = weft_cc_at(fuzz_u8(&net->in) % 4);
	begin(net, 0, NULL);
	pump(net, 0);
	for (n = 0; net->in.left && n < STEPS_MAX; n++)
		step(net);
	finish(net);
	return 0;
}
