// SPDX-License-Identifier: GPL-2.0
/*
 * The write queue of a wire connection, until the peer has what is in it, and the
 * packets that are made of it. Everything here runs in the ownership of the
 * socket.
 */
#include <linux/pkt_sched.h>
#include <linux/skbuff_ref.h>
#include <net/sock.h>

#include "conn.h"
#include "conn_impl.h"
#include "fault.h"
#include "handover.h"
#include "node.h"
#include "path.h"
#include "pieces.h"
#include "sock.h"

/* Payload up to this size is packed into pages of our own, bytes. */
#define WEFT_PACK_MAX		1024
/* What MSG_MORE holds back waits for so long, as TCP's. */
#define WEFT_CORK_NS		(200 * NSEC_PER_MSEC)
/* A device that paces (fq) gets packets so long before they are to leave. */
#define WEFT_AHEAD_NS		(4 * NSEC_PER_MSEC)

/* Reference [@skip, @skip + @len) of a queue skb; bytes that found room. */
static u32 attach_frags(struct sk_buff *to, struct sk_buff *from, u32 skip,
			u32 len)
{
	struct skb_shared_info *shinfo = skb_shinfo(from);
	u32 done = 0;
	int i;

	for (i = 0; i < shinfo->nr_frags && done < len; i++) {
		skb_frag_t *frag = &shinfo->frags[i];
		u32 size = skb_frag_size(frag), n;
		int at = skb_shinfo(to)->nr_frags;

		if (skip >= size) {
			skip -= size;
			continue;
		}
		n = min(size - skip, len - done);
		if (skb_can_coalesce(to, at, skb_frag_page(frag),
				     skb_frag_off(frag) + skip)) {
			skb_frag_size_add(&skb_shinfo(to)->frags[at - 1], n);
		} else if (at < MAX_SKB_FRAGS) {
			skb_frag_ref(from, i);
			skb_fill_page_desc(to, at, skb_frag_page(frag),
					   skb_frag_off(frag) + skip, n);
		} else {
			break;
		}
		skip = 0;
		done += n;
	}
	to->len += done;
	to->data_len += done;
	to->truesize += done;
	return done;
}

/* The queue skb where @offset is. */
static struct sk_buff *find_queued(struct sock *sk, u64 offset)
{
	struct weft_conn *conn = conn_of(sk);
	struct sk_buff *skb = conn->tx_cursor;

	if (!skb || weft_cb(skb)->offset > offset)
		skb = skb_peek(&sk->sk_write_queue);
	while (skb && weft_cb(skb)->offset + skb->len <= offset)
		skb = skb_peek_next(skb, &sk->sk_write_queue);
	return skb;
}

static void attach_payload(struct sock *sk, struct sk_buff *to, u64 offset,
			   u32 len)
{
	struct sk_buff *from = find_queued(sk, offset);

	while (from && len) {
		u32 skip = offset - weft_cb(from)->offset;
		u32 want = min(len, from->len - skip);
		u32 done = attach_frags(to, from, skip, want);

		offset += done;
		len -= done;
		if (done < want)
			break;
		conn_of(sk)->tx_cursor = from;
		from = skb_peek_next(from, &sk->sk_write_queue);
	}
}

static void mark_packet(const struct sock *sk, struct sk_buff *skb)
{
	skb->priority = READ_ONCE(sk->sk_priority);
	skb->mark = READ_ONCE(sk->sk_mark);
}

static struct sk_buff *alloc_packet(struct sock *sk, u32 linear)
{
	struct sk_buff *skb;

	if (weft_fault(WEFT_FAULT_ALLOC))
		return NULL;
	skb = alloc_skb(WEFT_HEADROOM + linear, GFP_ATOMIC | __GFP_NOWARN);
	if (!skb)
		return NULL;
	skb_reserve(skb, WEFT_HEADROOM);
	mark_packet(sk, skb);
	return skb;
}

/* A small segment, or one in more pieces than an skb has frags for: copied. */
static struct sk_buff *copy_payload(struct sock *sk, u64 offset, u32 len)
{
	struct sk_buff *from = find_queued(sk, offset);
	struct sk_buff *skb = alloc_packet(sk, len);

	while (skb && from && len) {
		u32 skip = offset - weft_cb(from)->offset;
		u32 part = min(len, from->len - skip);

		if (skb_copy_bits(from, skip, skb_put(skb, part), part))
			break;
		conn_of(sk)->tx_cursor = from;
		offset += part;
		len -= part;
		from = skb_peek_next(from, &sk->sk_write_queue);
	}
	if (skb && len) {
		kfree_skb(skb);
		skb = NULL;
	}
	return skb;
}

/*
 * A small write that is a packet by itself leaves as it is: its header goes in
 * front of it, where nothing else was. Not while another such packet is still
 * on its way: that has its own header there.
 */
static struct sk_buff *share_payload(struct sock *sk, u64 offset, u32 len)
{
	struct sk_buff *from = find_queued(sk, offset), *skb;

	if (!from || skb_is_nonlinear(from) || from->len != len ||
	    weft_cb(from)->offset != offset || skb_cloned(from) ||
	    weft_fault(WEFT_FAULT_ALLOC))
		return NULL;
	conn_of(sk)->tx_cursor = from;
	skb = skb_clone(from, GFP_ATOMIC | __GFP_NOWARN);
	if (!skb)
		return NULL;
	memset(skb->cb, 0, sizeof(skb->cb));
	/* What it was cut into before; segments may be larger now. */
	skb_gso_reset(skb);
	mark_packet(sk, skb);
	return skb;
}

/*
 * Stream bytes as one packet. What is in too many pieces is cut to whole
 * segments, and a segment that still is, is copied.
 */
static struct sk_buff *make_data(struct sock *sk, const struct weft_pkt *pkt)
{
	u32 mss = conn_of(sk)->engine.params.mss;
	struct sk_buff *skb;
	u32 cut;

	/* Cheaper than a page's reference, and in one piece for the reader. */
	if (pkt->plen <= WEFT_PACK_MAX)
		return share_payload(sk, pkt->offset, pkt->plen) ?:
		       copy_payload(sk, pkt->offset, pkt->plen);
	skb = alloc_packet(sk, 0);
	if (!skb)
		return NULL;
	attach_payload(sk, skb, pkt->offset, pkt->plen);
	if (skb->len == pkt->plen)
		return skb;
	cut = rounddown(skb->len, mss);
	if (cut && !pskb_trim(skb, cut))
		return skb;
	kfree_skb(skb);
	return copy_payload(sk, pkt->offset, min_t(u32, pkt->plen, mss));
}

static struct sk_buff *make_ack(struct sock *sk, const struct weft_pkt *pkt)
{
	u32 linear = min_t(u32, pkt->nr_ranges, WEFT_RANGES_MAX) *
		     sizeof(struct weft_wire_range);
	struct sk_buff *skb = alloc_packet(sk, linear);

	if (skb && linear)
		weft_packet_put_ranges(pkt, skb_put(skb, linear));
	return skb;
}

/* An skb for what the engine wants sent; *plen may be less than it asked. */
static struct sk_buff *make_packet(struct sock *sk, const struct weft_pkt *pkt,
				   u32 *plen)
{
	struct sk_buff *skb;

	*plen = 0;
	if (pkt->kind == WEFT_ACK || !pkt->plen)
		return make_ack(sk, pkt);
	skb = make_data(sk, pkt);
	if (skb)
		*plen = skb->len;
	return skb;
}

void weft_conn_fill_names(const struct sock *sk, struct weft_pkt *pkt)
{
	struct weft_conn *conn = conn_of(sk);
	struct weft_sock *wsk = weft_sk(sk);

	pkt->flow = conn->key.flow;
	if (conn->key.ours)
		pkt->flags |= WEFT_F_OPENER;
	pkt->sport = wsk->port;
	pkt->dport = wsk->peer_port;
	pkt->max_message = wsk->max_message;
	pkt->type = sk->sk_type == SOCK_STREAM ? WEFT_TYPE_STREAM :
						 WEFT_TYPE_SEQPACKET;
}

static void dress(struct sock *sk, struct sk_buff *skb,
		  const struct weft_pkt *pkt, u64 now)
{
	const struct weft_engine *e = &conn_of(sk)->engine;

	if (!skb->priority && weft_engine_is_short(e, pkt))
		skb->priority = TC_PRIO_INTERACTIVE;
	if (e->depart_ns > now)
		skb_set_delivery_time(skb, ns_to_ktime(e->depart_ns),
				      SKB_CLOCK_MONOTONIC);
}

/* Send a packet of weft_engine_next(), which is void afterwards. */
static void send_packet(struct sock *sk, struct weft_pkt *pkt, u64 now)
{
	struct weft_conn *conn = conn_of(sk);
	struct sk_buff *skb;
	u32 plen;

	skb = make_packet(sk, pkt, &plen);
	if (!skb) {
		weft_drop(conn->node->wn, NULL, WEFT_STAT_drop_memory);
		weft_engine_sent(&conn->engine, pkt, 0, now);
		return;
	}
	dress(sk, skb, pkt, now);
	if (pkt->kind == WEFT_RESET)
		weft_count(conn->node->wn, WEFT_STAT_out_reset, 1);
	/* Told before it leaves: an answer may come on this very CPU. */
	weft_engine_sent(&conn->engine, pkt, plen, now);
	weft_conn_fill_names(sk, pkt);
	weft_send(conn->node, skb, pkt, pkt->segment);
}

static void update_mss(struct weft_conn *conn)
{
	u32 mss, super_max;

	mss = weft_node_mss(conn->node, &super_max);
	weft_engine_set_mss(&conn->engine, mss, super_max);
}

static void update_pace(const struct sock *sk, struct weft_conn *conn)
{
	struct weft_cc *cc = &conn->engine.tx->cc;

	cc->max_rate = weft_conn_max_rate(sk);
	if (weft_cc_pace(cc))
		weft_engine_set_ahead(&conn->engine,
				      weft_node_has_fq(conn->node) ?
				      WEFT_AHEAD_NS : 0);
}

/* Everything the engine wants sent. */
void weft_conn_send_all(struct sock *sk, u64 now)
{
	struct weft_conn *conn = conn_of(sk);
	u64 retransmitted = conn->engine.retransmitted;
	struct weft_pkt pkt __uninitialized;

	if (weft_engine_is_idle(&conn->engine) || !weft_node_is_up(conn->node))
		return;
	update_mss(conn);
	weft_conn_grow(conn);
	if (conn->engine.tx)
		update_pace(sk, conn);
	while (weft_engine_next(&conn->engine, now, &pkt)) {
		send_packet(sk, &pkt, now);
		if (weft_engine_is_idle(&conn->engine))
			break;
		weft_conn_grow(conn);
	}
	if (conn->engine.retransmitted != retransmitted)
		weft_count(conn->node->wn, WEFT_STAT_out_retransmits, 1);
}

void weft_conn_push_at(struct sock *sk, u64 now)
{
	weft_conn_send_all(sk, now);
	weft_conn_arm_timer(conn_of(sk), now);
}

void weft_conn_push(struct sock *sk)
{
	if (conn_of(sk)->linked)
		weft_conn_push_at(sk, ktime_get_ns());
}

/* Is what was written last to wait for what is written next? */
static bool holds_small(struct weft_conn *conn, u64 now)
{
	if (!weft_gather_holds(&conn->gather, now))
		return false;
	/* Not weft_conn_arm_timer(), to which so short a time is nothing. */
	fire_at(conn, conn->gather.end);
	return true;
}

void weft_conn_flush(struct sock *sk, enum weft_flush how)
{
	struct weft_conn *conn = conn_of(sk);
	struct weft_engine *e = &conn->engine;
	u64 end = conn->tx_end, now = ktime_get_ns();
	bool late = how == WEFT_FLUSH_LATE;

	if (late)
		how = WEFT_FLUSH_ALL;
	if (how == WEFT_FLUSH_SMALL)
		how = holds_small(conn, now) ? WEFT_FLUSH_SUPERS : WEFT_FLUSH_ALL;
	else if (how != WEFT_FLUSH_SUPERS)
		weft_gather_over(&conn->gather);
	if (how != WEFT_FLUSH_ALL) {
		u64 unsent = end - e->snd_nxt;

		if (how == WEFT_FLUSH_SUPERS && unsent < e->params.super_max)
			return;
		end = e->snd_nxt + rounddown((u32)unsent, e->params.mss);
	}
	if (end == conn->tx_end)
		conn->cork_end = 0;
	else if (how == WEFT_FLUSH_SEGMENTS && !conn->cork_end)
		conn->cork_end = now + WEFT_CORK_NS;
	weft_engine_write(e, max(end, e->write_end));
	if (conn->linked && (late || !weft_handover(sk)))
		weft_conn_push_at(sk, now);
}

static void queue_skb(struct sock *sk, struct sk_buff *skb)
{
	struct weft_conn *conn = conn_of(sk);

	weft_cb(skb)->offset = conn->tx_end;
	conn->tx_end += skb->len;
	__skb_queue_tail(&sk->sk_write_queue, skb);
	sk_wmem_queued_add(sk, skb->truesize);
	sk_mem_charge(sk, skb->truesize);
}

static int queue_wire_pieces(struct sock *sk, struct weft_pieces *pieces)
{
	struct sk_buff *tail = skb_peek_tail(&sk->sk_write_queue);
	u32 len = pieces->len;

	if (!sk_wmem_schedule(sk, len + SKB_TRUESIZE(0)))
		return -ENOMEM;
	if (tail && !skb_headlen(tail) && weft_pieces_append(pieces, tail)) {
		conn_of(sk)->tx_end += len;
		sk_wmem_queued_add(sk, len);
		sk_mem_charge(sk, len);
		return 0;
	}
	tail = weft_pieces_skb(pieces, sk->sk_allocation);
	if (!tail)
		return -ENOMEM;
	queue_skb(sk, tail);
	return 0;
}

static int queue_wire_list(struct sock *sk, struct sk_buff_head *list)
{
	struct sk_buff *skb;
	u32 truesize = 0;

	skb_queue_walk(list, skb)
		truesize += skb->truesize;
	if (!sk_wmem_schedule(sk, truesize))
		return -ENOMEM;
	while ((skb = __skb_dequeue(list)))
		queue_skb(sk, skb);
	return 0;
}

int weft_conn_queue(struct sock *sk, struct weft_pieces *pieces,
		    struct sk_buff_head *list)
{
	int err;

	err = skb_queue_empty(list) ? queue_wire_pieces(sk, pieces) :
				      queue_wire_list(sk, list);
	weft_pieces_drop(pieces);
	__skb_queue_purge(list);
	return err;
}

bool weft_conn_takes_small(const struct sock *sk, size_t len)
{
	return len <= WEFT_PACK_MAX - WEFT_RECORD_BYTES &&
	       weft_sk(sk)->road == WEFT_ROAD_WIRE &&
	       sk->sk_state == TCP_ESTABLISHED &&
	       skb_queue_empty(&sk->sk_write_queue);
}

int weft_conn_queue_small(struct sock *sk, struct iov_iter *from, size_t len,
			  s64 record)
{
	__be32 head = cpu_to_be32(record);
	u32 extra = record < 0 ? 0 : sizeof(head);
	struct sk_buff *skb = NULL;

	if (!weft_fault(WEFT_FAULT_ALLOC))
		skb = alloc_skb_fclone(WEFT_HEADROOM + extra + len,
				       sk->sk_allocation);
	if (!skb || !sk_wmem_schedule(sk, skb->truesize)) {
		kfree_skb(skb);
		return -ENOMEM;
	}
	skb_reserve(skb, WEFT_HEADROOM);
	/* Whoever has a clone may change what is in front of the bytes. */
	__skb_header_release(skb);
	memcpy(skb_put(skb, extra), &head, extra);
	if (!copy_from_iter_full(skb_put(skb, len), len, from)) {
		kfree_skb(skb);
		return -EFAULT;
	}
	*weft_cb(skb) = (struct weft_cb){ .len = skb->len };
	queue_skb(sk, skb);
	return 0;
}

/*
 * The write queue holds eight times the @flight that an acknowledgment has found
 * under way, unless the program chose its size. A byte stays in it until all
 * before it have arrived, and one that is lost thrice takes four round trips to
 * do so; memory is up to twice the bytes; and a writer is woken when half of it is
 * free. cwnd is more than is ever under way where the peer's window is less.
 */
static void grow_sndbuf(struct sock *sk, u64 flight)
{
	u32 cwnd = conn_of(sk)->engine.tx->cc.cwnd;
	u64 want = 8 * min_t(u64, flight, cwnd) + WEFT_WINDOW_SPARE;
	int most = READ_ONCE(weft_sock_net(sk)->limits.wmem);

	if (want <= sk->sk_sndbuf || sk->sk_sndbuf >= most ||
	    sk->sk_userlocks & SOCK_SNDBUF_LOCK || is_memory_short(sk))
		return;
	WRITE_ONCE(sk->sk_sndbuf, (int)min_t(u64, want, most));
}

struct sk_buff *weft_outqueue_next(struct sock *sk)
{
	struct sk_buff *skb = skb_peek(&sk->sk_write_queue);

	if (!skb || weft_cb(skb)->offset != conn_of(sk)->engine.snd_nxt ||
	    skb_cloned(skb))
		return NULL;
	return skb;
}

void weft_outqueue_take(struct sock *sk, struct sk_buff *skb)
{
	if (conn_of(sk)->tx_cursor == skb)
		conn_of(sk)->tx_cursor = NULL;
	__skb_unlink(skb, &sk->sk_write_queue);
	sk_wmem_queued_add(sk, -skb->truesize);
	sk_mem_uncharge(sk, skb->truesize);
}

/* Bytes below snd_una are at the peer. */
void weft_outqueue_free_acked(struct sock *sk)
{
	struct weft_engine *e = &conn_of(sk)->engine;
	struct sk_buff *skb = skb_peek(&sk->sk_write_queue);

	if (skb && e->tx)
		grow_sndbuf(sk, e->snd_nxt - weft_cb(skb)->offset);
	while (skb && weft_cb(skb)->offset + skb->len <= e->snd_una) {
		weft_outqueue_take(sk, skb);
		consume_skb(skb);
		skb = skb_peek(&sk->sk_write_queue);
	}
	smp_mb();	/* room is made, then SOCK_NOSPACE is looked at */
	if (weft_sock_is_writable(sk))
		sk->sk_write_space(sk);
}

void weft_outqueue_purge(struct sock *sk)
{
	struct sk_buff *skb;

	conn_of(sk)->tx_cursor = NULL;
	while ((skb = __skb_dequeue(&sk->sk_write_queue))) {
		sk_wmem_queued_add(sk, -skb->truesize);
		sk_mem_uncharge(sk, skb->truesize);
		kfree_skb(skb);
	}
}
