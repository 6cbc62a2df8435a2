// SPDX-License-Identifier: GPL-2.0
/*
 * Records of what was sent, and loss detection by time (RACK, RFC 8985).
 *
 * Note "Order of the records": they are sorted by offset. First transmissions
 * were sent in that order too; only a retransmission is later than what stands
 * behind it. So a walk that looks for old records may stop at the first record
 * that was sent once and is recent: an acknowledgment that finds everything
 * in order costs the records that it takes out, and one more.
 */
#include <linux/minmax.h>

#include "rtt.h"
#include "rtx.h"

/* The reordering window grows to four times the least round trip. */
#define REORDER_STEPS_MAX	16
/* No segment is smaller, but the last of a write. */
#define PART_MIN		128

/* How long the slowest counts, at least; and what is too slow to. */
#define SLOWEST_PERIOD_NS	(2 * WEFT_NS_PER_SEC)
#define SLOWEST_MAX_NS		(WEFT_NS_PER_SEC / 2)

/* RFC 8985 section 6.2, RACK_sent_after() */
static bool is_after(u64 a_ns, u64 a_end, u64 b_ns, u64 b_end)
{
	return a_ns > b_ns || (a_ns == b_ns && a_end > b_end);
}

static u64 length(const struct weft_record *rec)
{
	return rec->end - rec->start;
}

bool weft_rtx_has_room(const struct weft_engine *e)
{
	return e->nr_recs < e->max_recs - e->max_recs / 4;
}

/* Index of the first record that ends behind @offset; nr_recs if none. */
static unsigned int find(const struct weft_engine *e, u64 offset)
{
	unsigned int low = 0, high = e->nr_recs;

	while (low < high) {
		unsigned int mid = low + (high - low) / 2;

		if (weft_rtx_at(e, mid)->end <= offset)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/*
 * Makes two records of one, the second from @offset on. Of the others the
 * smaller half moves. False when no record is free.
 */
static bool split(struct weft_engine *e, unsigned int i, u64 offset)
{
	unsigned int k;

	if (e->nr_recs == e->max_recs)
		return false;
	e->nr_recs++;
	if (i < e->nr_recs / 2) {
		e->first_rec = (e->first_rec ? e->first_rec : e->max_recs) - 1;
		for (k = 0; k <= i; k++)
			*weft_rtx_at(e, k) = *weft_rtx_at(e, k + 1);
	} else {
		for (k = e->nr_recs - 1; k > i; k--)
			*weft_rtx_at(e, k) = *weft_rtx_at(e, k - 1);
	}
	weft_rtx_at(e, i)->end = offset;
	weft_rtx_at(e, i + 1)->start = offset;
	return true;
}

/*
 * At the end of a segment, where alone a peer that means well acknowledges. Each
 * split moves records: somebody who acknowledged every other byte would make us
 * do that, and keep records, without end. Segments may have had another size
 * when they left, but not less than PART_MIN.
 */
static bool split_at_segment(struct weft_engine *e, unsigned int i, u64 offset)
{
	const struct weft_record *rec = weft_rtx_at(e, i);
	u32 head = offset - rec->start, tail = rec->end - offset;

	if (head % e->params.mss && min(head, tail) < PART_MIN)
		return false;
	return split(e, i, offset);
}

/* Takes out one record; of the others the smaller half moves. */
static void take_out(struct weft_engine *e, unsigned int i)
{
	e->nr_recs--;
	if (i < e->nr_recs / 2) {
		for (; i > 0; i--)
			*weft_rtx_at(e, i) = *weft_rtx_at(e, i - 1);
		if (++e->first_rec == e->max_recs)
			e->first_rec = 0;
		return;
	}
	for (; i < e->nr_recs; i++)
		*weft_rtx_at(e, i) = *weft_rtx_at(e, i + 1);
}

/*
 * Neighbours that both arrived become one record, so that there are no more of
 * these than there are holes. Returns the index of what @i became.
 */
static unsigned int merge_sacked(struct weft_engine *e, unsigned int i)
{
	if (i + 1 < e->nr_recs &&
	    weft_rtx_at(e, i + 1)->flags & WEFT_REC_SACKED) {
		weft_rtx_at(e, i)->end = weft_rtx_at(e, i + 1)->end;
		take_out(e, i + 1);
	}
	if (i > 0 && weft_rtx_at(e, i - 1)->flags & WEFT_REC_SACKED) {
		weft_rtx_at(e, i - 1)->end = weft_rtx_at(e, i)->end;
		take_out(e, i--);
	}
	return i;
}

/*
 * Note "Rate of delivery" (draft-cheng-iccrg-delivery-rate-estimation): each
 * record remembers what had arrived when it left. When it is acknowledged, what
 * arrived since, by the time that this took to arrive or to leave, whichever
 * was longer, is a rate that the path has shown to carry.
 */
static void stamp(struct weft_engine *e, struct weft_record *rec, u64 now)
{
	if (!e->in_flight) {
		e->tx->first_ns = now;
		e->tx->delivered_ns = now;
	}
	rec->sent_ns = now;
	rec->delivered = e->delivered;
	rec->delivered_ns = e->tx->delivered_ns;
	rec->first_ns = e->tx->first_ns;
	rec->flags &= ~WEFT_REC_SLACK;
	if (e->slack_until)
		rec->flags |= WEFT_REC_SLACK;
}

/* Of the records that one packet acks, the latest sent tells of the rate. */
static void take_sample(struct weft_engine *e, const struct weft_record *rec,
			u64 end)
{
	struct weft_sample *s = &e->tx->sample;

	if (s->end && !is_after(rec->sent_ns, end, s->sent_ns, s->end))
		return;
	s->sent_ns = rec->sent_ns;
	s->end = end;
	s->delivered = rec->delivered;
	s->delivered_ns = rec->delivered_ns;
	s->first_ns = rec->first_ns;
	s->slack = rec->flags & WEFT_REC_SLACK;
	e->tx->first_ns = rec->sent_ns;
}

u64 weft_rtx_rate(const struct weft_engine *e, u64 now)
{
	const struct weft_sample *s = &e->tx->sample;
	u64 took;

	if (!s->end)
		return 0;
	took = max(s->sent_ns - s->first_ns, now - s->delivered_ns);
	/* Less than a round trip: an acknowledgment that came in a heap. */
	if (!took || took < e->rtt.min_ns)
		return 0;
	return div64_u64(min(e->delivered - s->delivered, 1ULL << 33) *
			 WEFT_NS_PER_SEC, took);
}

void weft_rtx_sent(struct weft_engine *e, u64 end, u64 now)
{
	struct weft_record *rec = weft_rtx_at(e, e->nr_recs);

	e->nr_recs++;
	rec->start = e->snd_nxt;
	rec->end = end;
	rec->origin_us = 0;
	rec->flags = 0;
	rec->tries = 1;
	stamp(e, rec, now);
	e->in_flight += length(rec);
	e->snd_nxt = end;
}

static void forget_lost(struct weft_engine *e, const struct weft_record *rec)
{
	e->lost_bytes -= length(rec);
	if (!e->lost_bytes)
		e->lost_from = WEFT_NEVER;
}

void weft_rtx_resent(struct weft_engine *e, u64 start, u64 end, u64 now)
{
	unsigned int i = find(e, start);
	struct weft_record *rec;

	if (i == e->nr_recs)
		return;
	/* Without a free record the whole one counts as sent again. */
	if (weft_rtx_at(e, i)->start < start && split(e, i, start))
		i++;
	if (weft_rtx_at(e, i)->end > end)
		split(e, i, end);
	rec = weft_rtx_at(e, i);
	stamp(e, rec, now);
	if (rec->flags & WEFT_REC_LOST) {
		rec->flags &= ~WEFT_REC_LOST;
		e->in_flight += length(rec);
		forget_lost(e, rec);
	}
	if (rec->tries < 255)
		rec->tries++;
	e->retransmitted += length(rec);
}

/*
 * Did an earlier transmission of this record arrive, not the last? The peer
 * echoes the latest time it saw; it cannot have seen the last one's yet.
 */
static bool is_early(const struct weft_record *rec, u32 echo)
{
	return rec->tries > 1 && echo &&
	       weft_rtx_is_before(echo, weft_rtx_clock(rec->sent_ns));
}

/*
 * What was taken for lost was not: be more patient from now on. RFC 8985
 * section 6.2, step 4: by one step in a round trip.
 */
static void note_spurious(struct weft_engine *e, const struct weft_record *rec,
			  u64 bytes)
{
	struct weft_tx *tx = e->tx;

	e->spurious++;
	weft_cc_spurious(&tx->cc, bytes);
	if (rec->delivered < tx->reorder_round ||
	    tx->reorder_steps == REORDER_STEPS_MAX)
		return;
	tx->reorder_steps++;
	tx->reorder_round = e->delivered;
}

/*
 * Note "Patience". RFC 8985 widens its window by steps of the least round trip,
 * which is nothing where some packets go a way that is much shorter. So what was
 * overtaken and arrived tells how long one has to wait: an eighth more than the
 * slowest of late. What is told late need not have come late: an acknowledgment
 * has room for so many ranges. The first byte that was missing has always come.
 */
static bool is_news(const struct weft_engine *e, const struct weft_record *rec)
{
	bool vague = e->tx->sample.vague;

	return (!vague || rec->start == e->snd_una) && !e->backoff;
}

/* Another period begins; what was slow before the last is forgotten. */
static void age_slowest(struct weft_tx *tx, u64 now)
{
	u64 age = now - tx->slowest_at_ns;

	if (age <= SLOWEST_PERIOD_NS)
		return;
	tx->slowest_ns[1] = age <= 2 * SLOWEST_PERIOD_NS ? tx->slowest_ns[0] :
							   0;
	tx->slowest_ns[0] = 0;
	tx->slowest_at_ns = now;
}

static void note_slow(struct weft_engine *e, u64 took_ns, u64 now)
{
	struct weft_tx *tx = e->tx;

	/* What came so late was held up, not overtaken. */
	if (took_ns > max(SLOWEST_MAX_NS, 2 * e->rtt.srtt_ns))
		return;
	age_slowest(tx, now);
	tx->slowest_ns[0] = max(tx->slowest_ns[0], took_ns);
	tx->sample.shuffled = true;
}

/*
 * What was sent later came earlier: the wait of this one, too, is the path's.
 * But it may have come in the same packet; and a second try of what is before it
 * may have been sent later.
 */
static void note_overtaken(struct weft_engine *e,
			   const struct weft_record *rec, u64 end, u64 now)
{
	struct weft_sample *s = &e->tx->sample;

	if (rec->tries > 1)
		return;
	s->late_ns += now - rec->sent_ns;
	s->nr_late++;
	if (is_news(e, rec) && end < s->rack_end &&
	    !is_after(rec->sent_ns, end, s->rack_sent_ns, s->rack_end))
		note_slow(e, now - rec->sent_ns, now);
}

/* It was sent again because it had been overtaken, and then it came. */
static void note_early(struct weft_engine *e, const struct weft_record *rec,
		       u64 now)
{
	u64 took_ns;

	if (rec->tries != 2 || !rec->origin_us || !is_news(e, rec))
		return;
	took_ns = (u32)(weft_rtx_clock(now) - rec->origin_us) *
		  (u64)WEFT_NS_PER_US;
	e->tx->sample.late_ns += took_ns;
	e->tx->sample.nr_late++;
	note_slow(e, took_ns, now);
}

void weft_rtx_learn(struct weft_engine *e, u64 now)
{
	const struct weft_sample *s = &e->tx->sample;

	/* Times that the peer echoes are those of the fastest alone. */
	if (s->shuffled)
		weft_rtt_sample(&e->rtt, div_u64(s->late_ns, s->nr_late), now);
}

/* RFC 8985 section 6.2, steps 1 and 2 */
static void learn(struct weft_engine *e, const struct weft_record *rec,
		  u64 end, u32 echo, u64 now)
{
	struct weft_tx *tx = e->tx;

	if (is_early(rec, echo)) {
		note_spurious(e, rec, end - rec->start);
		note_early(e, rec, now);
		return;
	}
	if (rec->flags & WEFT_REC_LOST)
		note_spurious(e, rec, end - rec->start);
	if (now < rec->sent_ns ||
	    (rec->tries > 1 && now - rec->sent_ns < e->rtt.min_ns))
		return;
	take_sample(e, rec, end);
	if (!is_after(rec->sent_ns, end, tx->rack_sent_ns, tx->rack_end)) {
		note_overtaken(e, rec, end, now);
		return;
	}
	tx->rack_sent_ns = rec->sent_ns;
	tx->rack_end = end;
	tx->rack_rtt_ns = now - rec->sent_ns;
}

/* The bytes of a record below @end arrived. */
static void deliver(struct weft_engine *e, const struct weft_record *rec,
		    u64 end, u32 echo, u64 now)
{
	u64 bytes = end - rec->start;

	if (rec->flags & WEFT_REC_LOST)
		e->lost_bytes -= bytes;
	else
		e->in_flight -= bytes;
	if (!e->lost_bytes)
		e->lost_from = WEFT_NEVER;
	e->delivered += bytes;
	e->tx->delivered_ns = now;
	learn(e, rec, end, echo, now);
}

void weft_rtx_acked(struct weft_engine *e, u64 ack, u32 echo, u64 now)
{
	while (e->nr_recs && weft_rtx_at(e, 0)->start < ack) {
		struct weft_record *rec = weft_rtx_at(e, 0);
		u64 end = min(ack, rec->end);

		if (!(rec->flags & WEFT_REC_SACKED))
			deliver(e, rec, end, echo, now);
		rec->start = end;
		if (end < rec->end)
			break;
		e->nr_recs--;
		if (++e->first_rec == e->max_recs)
			e->first_rec = 0;
	}
	e->snd_una = ack;
}

void weft_rtx_sacked(struct weft_engine *e, const struct weft_range *range,
		     u32 echo, u64 now)
{
	unsigned int i;

	for (i = find(e, range->start); i < e->nr_recs; i++) {
		struct weft_record *rec = weft_rtx_at(e, i);

		if (rec->start >= range->end)
			break;
		if (rec->flags & WEFT_REC_SACKED)
			continue;
		/* What cannot be split is acked later, when all of it is. */
		if (rec->start < range->start) {
			split_at_segment(e, i, range->start);
			continue;
		}
		if (rec->end > range->end) {
			if (!split_at_segment(e, i, range->end))
				break;
			rec = weft_rtx_at(e, i);
		}
		deliver(e, rec, rec->end, echo, now);
		rec->flags = WEFT_REC_SACKED;
		i = merge_sacked(e, i);
	}
}

static void mark_lost(struct weft_engine *e, struct weft_record *rec)
{
	if (rec->flags & (WEFT_REC_SACKED | WEFT_REC_LOST))
		return;
	rec->flags |= WEFT_REC_LOST;
	e->in_flight -= length(rec);
	e->lost_bytes += length(rec);
	e->lost += length(rec);
	e->lost_from = min(e->lost_from, rec->start);
}

/*
 * RFC 8985 section 6.2, step 4, RACK_update_reo_wnd(), which stops at one srtt.
 * Where frames wait each for itself, some take twice as long as they do on the
 * mean.
 */
static u64 reorder_window(const struct weft_engine *e)
{
	return min(e->rtt.min_ns / 4 * e->tx->reorder_steps,
		   2 * e->rtt.srtt_ns);
}

/* How long after it was sent a record is lost; see note "Patience". */
static u64 patience_of(struct weft_engine *e, u64 now)
{
	struct weft_tx *tx = e->tx;
	u64 slowest;

	age_slowest(tx, now);
	slowest = max(tx->slowest_ns[0], tx->slowest_ns[1]);
	return max(tx->rack_rtt_ns + reorder_window(e), slowest + slowest / 8);
}

/* RFC 8985 section 6.2, step 5, RACK_detect_loss() */
void weft_rtx_detect(struct weft_engine *e, u64 now)
{
	u64 patience = patience_of(e, now);
	struct weft_tx *tx = e->tx;
	unsigned int i;

	e->reorder_ns = WEFT_NEVER;
	if (!tx->rack_end)
		return;
	for (i = 0; i < e->nr_recs; i++) {
		struct weft_record *rec = weft_rtx_at(e, i);

		if (!is_after(tx->rack_sent_ns, tx->rack_end, rec->sent_ns,
			      rec->end)) {
			/* See note "Order of the records". */
			if (rec->tries == 1)
				break;
			continue;
		}
		if (rec->flags & (WEFT_REC_SACKED | WEFT_REC_LOST))
			continue;
		if (rec->sent_ns + patience > now) {
			e->reorder_ns = min(e->reorder_ns,
					    rec->sent_ns + patience);
			continue;
		}
		if (rec->tries == 1)
			rec->origin_us = weft_rtx_clock(rec->sent_ns);
		mark_lost(e, rec);
		weft_cc_lost(&tx->cc, rec->start, length(rec), e->snd_nxt, now);
	}
}

/*
 * A peer that acked its next byte as out of order broke its word, or lost its
 * memory: believe none of what it acked out of order.
 */
static void distrust(struct weft_engine *e)
{
	unsigned int i;

	for (i = 0; i < e->nr_recs; i++) {
		struct weft_record *rec = weft_rtx_at(e, i);

		if (!(rec->flags & WEFT_REC_SACKED))
			continue;
		rec->flags = 0;
		e->in_flight += length(rec);
	}
}

/* RFC 8985 section 6.3, RACK_mark_losses_on_RTO() */
void weft_rtx_timeout(struct weft_engine *e, u64 now)
{
	u64 lost = e->lost_bytes;
	unsigned int i;
	u64 patience;

	if (!e->nr_recs)
		return;
	patience = e->tx->rack_rtt_ns + reorder_window(e);
	if (weft_rtx_at(e, 0)->flags & WEFT_REC_SACKED)
		distrust(e);
	mark_lost(e, weft_rtx_at(e, 0));
	for (i = 1; i < e->nr_recs; i++) {
		struct weft_record *rec = weft_rtx_at(e, i);

		if (rec->sent_ns + patience <= now)
			mark_lost(e, rec);
	}
	weft_cc_suspect(&e->tx->cc, e->lost_bytes - lost);
	e->reorder_ns = WEFT_NEVER;
}

struct weft_record *weft_rtx_find_lost(struct weft_engine *e)
{
	unsigned int i;

	if (!e->lost_bytes)
		return NULL;
	for (i = find(e, e->lost_from); i < e->nr_recs; i++) {
		struct weft_record *rec = weft_rtx_at(e, i);

		if (!(rec->flags & WEFT_REC_LOST))
			continue;
		e->lost_from = rec->start;
		return rec;
	}
	return NULL;
}

void weft_rtx_lend(struct weft_engine *e, struct weft_record *recs,
		   unsigned int max)
{
	unsigned int i;

	e->nr_recs = min(e->nr_recs, max);
	for (i = 0; i < e->nr_recs; i++)
		recs[i] = *weft_rtx_at(e, i);
	e->recs = recs;
	e->max_recs = max;
	e->first_rec = 0;
}
