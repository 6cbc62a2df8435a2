// SPDX-License-Identifier: GPL-2.0
/*
 * What came for a wire connection: payload in order goes into the receive queue,
 * and what is ahead of its turn is kept until then. Everything here runs in the
 * ownership of the socket.
 */
#include <net/sock.h>

#include "conn.h"
#include "conn_impl.h"
#include "fault.h"
#include "pieces.h"
#include "record.h"
#include "sock.h"

/*
 * Packets kept out of order: half of what a hostile peer makes us search through.
 * As many frames are more than the window that limits.rmem allows.
 */
#define WEFT_OOO_MAX		8192

/*
 * Copy a payload that is small for its truesize into pages of our own: to the
 * end of @tail, which the payload continues, or into an skb of its own. NULL:
 * @skb stays as it is.
 */
static struct sk_buff *pack(struct sock *sk, struct sk_buff *skb,
			    struct sk_buff *tail)
{
	struct weft_cb *cb = weft_cb(skb);
	struct page_frag *pfrag = &conn_of(sk)->pack_frag;
	struct weft_pieces piece __uninitialized;
	bool own = tail && weft_cb(tail)->own;
	struct sk_buff *to = NULL;

	if (weft_fault(WEFT_FAULT_ALLOC))
		return NULL;
	if (cb->len > PAGE_SIZE || skb->truesize <= 2 * cb->len ||
	    cb->own || !skb_page_frag_refill(cb->len, pfrag, GFP_ATOMIC | __GFP_NOWARN))
		return NULL;
	if (skb_copy_bits(skb, cb->pos,
			  page_address(pfrag->page) + pfrag->offset, cb->len))
		return NULL;
	piece.n = 1;
	piece.len = cb->len;
	piece.at[0].page = pfrag->page;
	piece.at[0].off = pfrag->offset;
	piece.at[0].len = cb->len;
	get_page(pfrag->page);
	if (own && weft_pieces_append(&piece, tail))
		to = tail;
	else
		to = weft_pieces_skb(&piece, GFP_ATOMIC | __GFP_NOWARN);
	if (!to) {
		weft_pieces_drop(&piece);
		return NULL;
	}
	pfrag->offset += cb->len;
	if (to != tail) {
		weft_cb(to)->offset = cb->offset;
		weft_cb(to)->own = true;
	}
	weft_rmem_uncharge(sk, skb->truesize);
	weft_rmem_charge(sk, to == tail ? cb->len : to->truesize);
	consume_skb(skb);
	return to;
}

/*
 * The bytes of @skb, in order, to the reader. Takes skb, which is charged.
 * @partial, @records: what is whole with them.
 */
static void append(struct sock *sk, struct sk_buff *skb, u32 partial,
		   u32 records)
{
	struct sk_buff_head *q = &sk->sk_receive_queue;
	struct sk_buff *tail, *to;
	u32 len = weft_cb(skb)->len;

	spin_lock_bh(&q->lock);
	tail = skb_peek_tail(q);
	/* A reader that keeps up gets it as it is. */
	to = (tail ? pack(sk, skb, tail) : NULL) ?: skb;
	if (to != tail)
		__skb_queue_tail(q, to);
	WRITE_ONCE(weft_sk(sk)->rx_bytes, weft_sk(sk)->rx_bytes + len);
	WRITE_ONCE(weft_sk(sk)->rx_whole, weft_sk(sk)->rx_bytes - partial);
	weft_sk(sk)->rx_records += records;
	spin_unlock_bh(&q->lock);
}

/* Cut what the reader has already from the front; false when nothing is left */
static bool trim_front(struct weft_conn *conn, struct sk_buff *skb)
{
	struct weft_cb *cb = weft_cb(skb);
	u64 old;

	if (cb->offset + cb->len <= conn->rx_next)
		return false;
	if (cb->offset < conn->rx_next) {
		old = conn->rx_next - cb->offset;
		cb->offset += old;
		cb->pos += old;
		cb->len -= old;
	}
	return true;
}

/* One skb whose turn it is. False: its records are broken. */
static bool deliver_one(struct sock *sk, struct sk_buff *skb)
{
	struct weft_conn *conn = conn_of(sk);
	struct weft_sock *wsk = weft_sk(sk);
	struct weft_cb *cb = weft_cb(skb);
	u32 partial = wsk->rx_bytes - wsk->rx_whole;
	u32 records = 0;
	bool ok = true;

	if (!trim_front(conn, skb)) {
		weft_rmem_uncharge(sk, skb->truesize);
		consume_skb(skb);
		return true;
	}
	conn->rx_next += cb->len;
	if (sk->sk_type == SOCK_SEQPACKET) {
		ok = weft_scan_skb(&conn->scan, skb, cb->pos, cb->len,
				   wsk->max_message, &partial, &records);
	}
	if (!ok) {
		/* What no reader can make sense of is not shown to one. */
		weft_rmem_uncharge(sk, skb->truesize);
		weft_drop(weft_sock_net(sk), skb, WEFT_STAT_drop_field);
		return false;
	}
	append(sk, skb, partial, records);
	return true;
}

bool weft_inqueue_deliver(struct sock *sk)
{
	struct weft_conn *conn = conn_of(sk);
	struct sk_buff *skb;
	bool ok = true;

	while (ok && (skb = skb_peek(&conn->ooo)) &&
	       weft_cb(skb)->offset < conn->engine.rcv_nxt) {
		__skb_unlink(skb, &conn->ooo);
		ok = deliver_one(sk, skb);
	}
	return ok;
}

/* @before, if it is one of the queue and @take goes on where it ends. */
static struct sk_buff *find_continued(struct sk_buff_head *q,
				      struct sk_buff *before,
				      const struct weft_range *take)
{
	if (before == (struct sk_buff *)q ||
	    weft_cb(before)->offset + weft_cb(before)->len != take->start)
		return NULL;
	return before;
}

/*
 * Behind which of what is kept out of order do bytes from @offset on belong? New
 * ones come at the end, those that fill a gap most often at the beginning.
 */
static struct sk_buff *find_before(struct sk_buff_head *q, u64 offset)
{
	struct sk_buff *first = skb_peek(q), *last = skb_peek_tail(q), *skb;

	if (!first || weft_cb(first)->offset > offset)
		return (struct sk_buff *)q;
	if (weft_cb(last)->offset > offset &&
	    offset - weft_cb(first)->offset <
	    weft_cb(last)->offset - offset) {
		skb_queue_walk(q, skb)
			if (weft_cb(skb)->offset > offset)
				break;
		return skb->prev;
	}
	skb_queue_reverse_walk(q, skb)
		if (weft_cb(skb)->offset <= offset)
			break;
	return skb;
}

/* Keep the new bytes of a packet, in order of offset. Takes skb. */
void weft_inqueue_store(struct sock *sk, struct sk_buff *skb,
			const struct weft_pkt *pkt)
{
	struct weft_conn *conn = conn_of(sk);
	const struct weft_range *take = &conn->engine.take;
	struct sk_buff *before, *to;

	*weft_cb(skb) = (struct weft_cb){
		.offset = take->start,
		.pos = pkt->hlen + (take->start - pkt->offset),
		.len = take->end - take->start,
	};
	skb->dev = NULL;
	weft_rmem_charge(sk, skb->truesize);
	before = find_before(&conn->ooo, take->start);
	if (take->start > conn->rx_next) {
		to = pack(sk, skb, find_continued(&conn->ooo, before, take));
		if (to && to == before)
			return;
		skb = to ?: skb;
	}
	__skb_queue_after(&conn->ooo, before, skb);
}

/* Has the reader nothing to read but what comes next? */
static bool is_awaited(const struct sock *sk, const struct weft_pkt *pkt)
{
	return pkt->offset <= conn_of(sk)->engine.rcv_nxt &&
	       !weft_sock_whole(sk);
}

/*
 * May the payload be kept? Its truesize is what counts. What is awaited is kept
 * whatever SO_RCVBUF says, so that a gap can always be filled; the next bytes of
 * a stream, which are read at once, also when the memory of all sockets is used
 * up. Of a message more would have to be, before it is read.
 */
bool weft_inqueue_can_keep(struct sock *sk, const struct sk_buff *skb,
			   const struct weft_pkt *pkt)
{
	u64 used = (u64)atomic_read(&sk->sk_rmem_alloc) + skb->truesize;
	struct weft_conn *conn = conn_of(sk);
	bool awaited = is_awaited(sk, pkt);

	if (pkt->offset > conn->engine.rcv_nxt &&
	    skb_queue_len(&conn->ooo) >= WEFT_OOO_MAX)
		return false;
	if (used > most_memory(sk) && !awaited)
		return false;
	return weft_rmem_may(sk, skb->truesize) ||
	       (awaited && sk->sk_type == SOCK_STREAM);
}

void weft_inqueue_purge(struct sock *sk)
{
	struct sk_buff *skb;

	while ((skb = __skb_dequeue(&conn_of(sk)->ooo))) {
		weft_rmem_uncharge(sk, skb->truesize);
		kfree_skb(skb);
	}
}
