// SPDX-License-Identifier: GPL-2.0
/*
 * A wire connection: asks the engine, carries out its verdict. Everything here
 * runs in the ownership of the socket, unless said otherwise.
 */
#include <linux/hrtimer.h>
#include <linux/pkt_sched.h>
#include <linux/rhashtable.h>
#include <linux/skbuff_ref.h>
#include <linux/slab.h>
#include <net/proto_memory.h>
#include <net/sock.h>

#include "af.h"
#include "conn.h"
#include "fault.h"
#include "listen.h"
#include "node.h"
#include "path.h"
#include "pieces.h"
#include "sock.h"
#include "spare.h"

/* The peer acknowledges nothing for so long: ETIMEDOUT; unless it is set. */
#define WEFT_USER_TIMEOUT_SEC	120
/* Nobody answers OPEN for so long. */
#define WEFT_OPEN_TIMEOUT_SEC	30
/* Payload up to this size is packed into pages of our own, bytes. */
#define WEFT_PACK_MAX		1024
/*
 * Packets kept out of order: half of what a hostile peer makes us search through.
 * As many frames are more than the window that limits.rmem allows.
 */
#define WEFT_OOO_MAX		8192
/* What MSG_MORE holds back waits for so long, as TCP's. */
#define WEFT_CORK_NS		(200 * NSEC_PER_MSEC)
/* Room that is announced beyond the largest message, bytes. */
#define WEFT_WINDOW_SPARE	4096
/* SO_RCVBUF of a connection is at least this: room for the least max_message. */
#define WEFT_RCVBUF_MIN		(2 * WEFT_MAX_MESSAGE_MIN)
/* A device that paces (fq) gets packets so long before they are to leave. */
#define WEFT_AHEAD_NS		(4 * NSEC_PER_MSEC)

static struct weft_conn *conn_of(const struct sock *sk)
{
	return weft_sk(sk)->conn;
}

static const struct rhashtable_params flow_params = {
	.head_offset = offsetof(struct weft_conn, hash),
	.key_offset = offsetof(struct weft_conn, key),
	.key_len = sizeof(struct weft_flow_key),
	.automatic_shrinking = true,
};

/* A cache of its own: the allocator reports every flow that a bug leaves. */
static struct kmem_cache *conn_cache;

int __init weft_conn_init(void)
{
	conn_cache = KMEM_CACHE(weft_conn, 0);
	return conn_cache ? 0 : -ENOMEM;
}

void weft_conn_exit(void)
{
	kmem_cache_destroy(conn_cache);
}

int weft_conn_init_net(struct weft_net *wn)
{
	return rhashtable_init(&wn->flows, &flow_params);
}

void weft_conn_exit_net(struct weft_net *wn)
{
	rhashtable_destroy(&wn->flows);
}

/* --- making and ending --- */

/* What the window is at first: one whole message always has room. */
static u32 first_window(const struct sock *sk)
{
	return weft_sk(sk)->max_message + WEFT_WINDOW_SPARE;
}

/* Beyond this, buffers do not grow. */
static bool is_memory_short(const struct sock *sk)
{
	return sk_memory_allocated(sk) > READ_ONCE(weft_sysctl_mem[1]);
}

/*
 * Note "Receive buffer": sk_rcvbuf bounds the memory of what came and is not
 * read. Bytes occupy up to twice as much memory as they are, so the window is
 * half of it. A program that has set SO_RCVBUF has the last word; else the
 * window grows with the flow, and sk_rcvbuf with the window, as TCP's does.
 */
static u32 most_window(const struct sock *sk)
{
	u32 most = READ_ONCE(sk->sk_rcvbuf);

	if (!(sk->sk_userlocks & SOCK_RCVBUF_LOCK) && !is_memory_short(sk))
		most = max_t(u32, most,
			     READ_ONCE(weft_sock_net(sk)->limits.rmem));
	return most / 2 + WEFT_WINDOW_SPARE;
}

static void grow_rcvbuf(struct sock *sk)
{
	u32 want = 2 * (conn_of(sk)->engine.window.bytes - WEFT_WINDOW_SPARE);

	if (want > sk->sk_rcvbuf && !(sk->sk_userlocks & SOCK_RCVBUF_LOCK))
		WRITE_ONCE(sk->sk_rcvbuf, want);
}

static u64 in_ns(u32 sec)
{
	return sec * (u64)NSEC_PER_SEC;
}

/* What the options of the socket, and of SO_KEEPALIVE @on, make of it. */
static void set_keep(struct weft_engine *e, const struct weft_keep_opts *opts,
		     bool on)
{
	u64 limit = opts->user_timeout_ms * (u64)NSEC_PER_MSEC;
	struct weft_keep keep = { .limit_ns = limit };

	if (on) {
		keep.idle_ns = in_ns(opts->idle_s ?: WEFT_KEEPIDLE_SEC);
		keep.interval_ns = in_ns(opts->interval_s ?:
					 WEFT_KEEPINTVL_SEC);
		keep.count = opts->count ?: WEFT_KEEPCNT_PROBES;
	}
	weft_engine_set_keep(e, &keep, limit ?: in_ns(WEFT_USER_TIMEOUT_SEC));
}

static void init_engine(struct sock *sk, struct weft_conn *conn)
{
	u32 user_ms = weft_sk(sk)->keep.user_timeout_ms;
	struct weft_params params = {
		.rcv_window = first_window(sk),
		.rcv_window_max = most_window(sk),
		.max_message = weft_sk(sk)->max_message,
		.cc = weft_sk(sk)->cc,
		.open_timeout_ns = in_ns(WEFT_OPEN_TIMEOUT_SEC),
	};

	if (user_ms)
		params.open_timeout_ns = user_ms * (u64)NSEC_PER_MSEC;
	params.mss = weft_node_mss(conn->node, &params.super_max);
	weft_engine_init(&conn->engine, &params);
	weft_engine_lend_records(&conn->engine, conn->few_records,
				 WEFT_FEW_RECORDS);
	weft_engine_lend_ranges(&conn->engine, conn->few_ranges,
				WEFT_FEW_RANGES);
	set_keep(&conn->engine, &weft_sk(sk)->keep,
		 sock_flag(sk, SOCK_KEEPOPEN));
}

void weft_conn_set_keep(struct sock *sk, int on)
{
	struct weft_conn *conn = conn_of(sk);

	if (!conn || !conn->linked)
		return;
	set_keep(&conn->engine, &weft_sk(sk)->keep, on);
	weft_conn_push(sk);
}

static enum hrtimer_restart expired(struct hrtimer *timer);

static struct weft_conn *alloc_conn(struct sock *sk, struct weft_node *node,
				    u64 flow, bool ours, gfp_t gfp)
{
	struct weft_conn *conn;

	if (weft_fault(WEFT_FAULT_ALLOC))
		return NULL;
	conn = kmem_cache_zalloc(conn_cache, gfp);
	if (!conn)
		return NULL;
	conn->key.node = (unsigned long)node;
	conn->key.flow = flow;
	conn->key.ours = ours;
	conn->sk = sk;
	conn->timer_at = WEFT_NEVER;
	conn->node = node;
	weft_node_hold(node);
	INIT_LIST_HEAD(&conn->node_link);
	__skb_queue_head_init(&conn->ooo);
	hrtimer_setup(&conn->timer, expired, CLOCK_MONOTONIC,
		      HRTIMER_MODE_ABS_SOFT);
	if (sk->sk_rcvbuf < WEFT_RCVBUF_MIN)
		WRITE_ONCE(sk->sk_rcvbuf, WEFT_RCVBUF_MIN);
	weft_sk(sk)->max_message = sk->sk_rcvbuf / 2;
	init_engine(sk, conn);
	return conn;
}

static void free_by_rcu(struct rcu_head *rcu)
{
	kmem_cache_free(conn_cache, container_of(rcu, struct weft_conn, rcu));
}

static void free_records(struct weft_conn *conn, struct weft_record *recs)
{
	if (recs != conn->few_records)
		kfree(recs);
}

static void free_ranges(struct weft_conn *conn, struct weft_range *ranges)
{
	if (ranges != conn->few_ranges)
		kfree(ranges);
}

static void free_conn(struct weft_conn *conn)
{
	free_records(conn, weft_engine_lend_records(&conn->engine, NULL, 0));
	free_ranges(conn, weft_engine_lend_ranges(&conn->engine, NULL, 0));
	if (conn->pack_frag.page)
		put_page(conn->pack_frag.page);
	weft_node_put(conn->node);
	call_rcu(&conn->rcu, free_by_rcu);
}

/* A flow that the peer opens is begun once, whatever comes twice. */
static bool begin_once(struct weft_conn *conn)
{
	struct weft_marks *marks = &conn->node->theirs;

	lockdep_assert_held(&conn->node->lock);
	if (conn->key.ours)
		return true;
	if (weft_marks_get(marks, conn->key.flow) != WEFT_MARK_NEW)
		return false;
	weft_marks_set(marks, conn->key.flow, WEFT_MARK_OPEN);
	return true;
}

/* Into the table and onto the node's list. */
static int link_conn(struct weft_conn *conn)
{
	struct weft_node *node = conn->node;
	int err;

	/* From here on it is found without a reference. */
	sock_set_flag(conn->sk, SOCK_RCU_FREE);
	err = rhashtable_lookup_insert_fast(&node->wn->flows, &conn->hash,
					    flow_params);
	if (err)
		return err;
	weft_fault_delay();
	spin_lock_bh(&node->lock);
	if (node->state == WEFT_NODE_DEAD) {
		/* Died since it was looked up: the caller asks anew. */
		err = -ESTALE;
	} else if (!begin_once(conn)) {
		err = -EEXIST;
	} else {
		list_add_tail(&conn->node_link, &node->flows);
		WRITE_ONCE(node->nr_flows, node->nr_flows + 1);
		conn->linked = true;
	}
	spin_unlock_bh(&node->lock);
	if (err)
		rhashtable_remove_fast(&node->wn->flows, &conn->hash,
				       flow_params);
	return err;
}

static void unlink_conn(struct weft_conn *conn, enum weft_mark mark)
{
	struct weft_node *node = conn->node;

	if (!conn->linked)
		return;
	conn->linked = false;
	weft_node_set_mark(node, conn->key.flow, conn->key.ours, mark);
	rhashtable_remove_fast(&node->wn->flows, &conn->hash, flow_params);
	spin_lock_bh(&node->lock);
	list_del_init(&conn->node_link);
	WRITE_ONCE(node->nr_flows, node->nr_flows - 1);
	WRITE_ONCE(node->nr_left, node->nr_left - conn->is_left);
	conn->is_left = false;
	spin_unlock_bh(&node->lock);
}

void weft_conn_leave(struct sock *sk)
{
	struct weft_conn *conn = conn_of(sk);
	struct weft_node *node = conn->node;

	if (!conn->linked)
		return;
	spin_lock_bh(&node->lock);
	WRITE_ONCE(node->nr_left, node->nr_left + !conn->is_left);
	conn->is_left = true;
	spin_unlock_bh(&node->lock);
}

/* It may run once more, and finds the flow unlinked. */
static void stop_timer(struct weft_conn *conn)
{
	hrtimer_try_to_cancel(&conn->timer);
	conn->timer_at = WEFT_NEVER;
}

static void purge_write_queue(struct sock *sk)
{
	struct sk_buff *skb;

	conn_of(sk)->tx_cursor = NULL;
	while ((skb = __skb_dequeue(&sk->sk_write_queue))) {
		sk_wmem_queued_add(sk, -skb->truesize);
		sk_mem_uncharge(sk, skb->truesize);
		kfree_skb(skb);
	}
}

static void purge_ooo(struct sock *sk)
{
	struct sk_buff *skb;

	while ((skb = __skb_dequeue(&conn_of(sk)->ooo))) {
		weft_rmem_uncharge(sk, skb->truesize);
		kfree_skb(skb);
	}
}

void weft_conn_free(struct sock *sk)
{
	struct weft_conn *conn = conn_of(sk);

	if (!conn)
		return;
	hrtimer_cancel(&conn->timer);
	purge_write_queue(sk);
	purge_ooo(sk);
	weft_spare_drop(sk, &conn->spare);
	WARN_ON_ONCE(conn->linked);
	weft_sk(sk)->conn = NULL;
	free_conn(conn);
}

/* Give the engine room before it is asked; less room is only less speed. */
static void grow_arrays(struct weft_conn *conn)
{
	struct weft_engine *e = &conn->engine;
	unsigned int n;
	void *array;

	if (!weft_engine_is_tight(e) || weft_fault(WEFT_FAULT_ALLOC))
		return;
	n = weft_engine_wants_records(e);
	if (n) {
		array = kmalloc_array(n, sizeof(struct weft_record),
				      GFP_ATOMIC | __GFP_NOWARN);
		if (array)
			free_records(conn,
				     weft_engine_lend_records(e, array, n));
	}
	n = weft_engine_wants_ranges(e);
	if (n) {
		array = kmalloc_array(n, sizeof(struct weft_range),
				      GFP_ATOMIC | __GFP_NOWARN);
		if (array)
			free_ranges(conn,
				    weft_engine_lend_ranges(e, array, n));
	}
}

/* --- sending --- */

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

static void fill_names(struct sock *sk, struct weft_pkt *pkt)
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
	fill_names(sk, pkt);
	weft_send(conn->node, skb, pkt, pkt->segment);
}

/* Unless it fires before that anyway. */
static void fire_at(struct weft_conn *conn, u64 at)
{
	if (at >= conn->timer_at)
		return;
	conn->timer_at = at;
	hrtimer_start(&conn->timer, ns_to_ktime(at), HRTIMER_MODE_ABS_SOFT);
}

/* One that fires too early is asked again; that is cheaper. */
static void arm_engine_timer(struct weft_conn *conn, u64 now)
{
	u64 at;

	/* The shell's own times are further away as well. */
	if (conn->timer_at <= now + WEFT_ACK_DELAY_NS &&
	    weft_engine_is_calm(&conn->engine))
		return;
	at = weft_engine_deadline(&conn->engine);
	if (conn->orphan_end)
		at = min(at, conn->orphan_end);
	if (conn->cork_end)
		at = min(at, conn->cork_end);
	if (conn->gather.end)
		at = min(at, conn->gather.end);
	if (conn->spare)
		at = min(at, conn->spare->end);
	if (conn->linked)
		fire_at(conn, at);
}

static void update_mss(struct weft_conn *conn)
{
	u32 mss, super_max;

	mss = weft_node_mss(conn->node, &super_max);
	weft_engine_set_mss(&conn->engine, mss, super_max);
}

/* SO_MAX_PACING_RATE as the engine has it: 0 is no limit. */
static u64 max_rate_of(const struct sock *sk)
{
	unsigned long rate = READ_ONCE(sk->sk_max_pacing_rate);

	return rate == ~0UL ? 0 : rate;
}

/* Everything the engine wants sent. */
static void send_all(struct sock *sk, u64 now)
{
	struct weft_conn *conn = conn_of(sk);
	u64 retransmitted = conn->engine.retransmitted;
	struct weft_pkt pkt __uninitialized;

	if (weft_engine_is_idle(&conn->engine) || !weft_node_is_up(conn->node))
		return;
	update_mss(conn);
	conn->engine.cc.max_rate = max_rate_of(sk);
	if (weft_cc_pace(&conn->engine.cc))
		weft_engine_set_ahead(&conn->engine,
				      weft_node_has_fq(conn->node) ?
				      WEFT_AHEAD_NS : 0);
	do {
		grow_arrays(conn);
		if (!weft_engine_next(&conn->engine, now, &pkt))
			break;
		send_packet(sk, &pkt, now);
	} while (!weft_engine_is_idle(&conn->engine));
	if (conn->engine.retransmitted != retransmitted)
		weft_count(conn->node->wn, WEFT_STAT_out_retransmits, 1);
}

static void push(struct sock *sk, u64 now)
{
	send_all(sk, now);
	arm_engine_timer(conn_of(sk), now);
}

void weft_conn_push(struct sock *sk)
{
	if (conn_of(sk)->linked)
		push(sk, ktime_get_ns());
}

void weft_conn_wait(struct sock *sk)
{
	struct weft_conn *conn = conn_of(sk);

	if (!conn->linked)
		return;
	if (conn->gather.end)
		weft_conn_flush(sk, WEFT_FLUSH_ALL);
	if (weft_engine_hurry(&conn->engine))
		weft_conn_push(sk);
}

/* Is what was written last to wait for what is written next? */
static bool holds_small(struct weft_conn *conn, u64 now)
{
	if (!weft_gather_holds(&conn->gather, now))
		return false;
	/* Not arm_engine_timer(), to which so short a time is nothing. */
	fire_at(conn, conn->gather.end);
	return true;
}

void weft_conn_flush(struct sock *sk, enum weft_flush how)
{
	struct weft_conn *conn = conn_of(sk);
	struct weft_engine *e = &conn->engine;
	u64 end = conn->tx_end, now = ktime_get_ns();

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
	if (conn->linked)
		push(sk, now);
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
 * The write queue holds what is under way eight times, unless the program chose
 * its size. A byte stays in it until all before it have arrived, and one that is
 * lost thrice takes four round trips to do so; memory is up to twice the bytes;
 * and a writer is woken when half of it is free.
 */
static void grow_sndbuf(struct sock *sk)
{
	u64 want = 8ULL * conn_of(sk)->engine.cc.cwnd + WEFT_WINDOW_SPARE;
	int most = READ_ONCE(weft_sock_net(sk)->limits.wmem);

	if (want <= sk->sk_sndbuf || sk->sk_sndbuf >= most ||
	    sk->sk_userlocks & SOCK_SNDBUF_LOCK || is_memory_short(sk))
		return;
	WRITE_ONCE(sk->sk_sndbuf, (int)min_t(u64, want, most));
}

/* Bytes below snd_una are at the peer. */
static void free_acked(struct sock *sk)
{
	struct weft_conn *conn = conn_of(sk);
	struct sk_buff *skb;

	while ((skb = skb_peek(&sk->sk_write_queue)) &&
	       weft_cb(skb)->offset + skb->len <= conn->engine.snd_una) {
		if (conn->tx_cursor == skb)
			conn->tx_cursor = NULL;
		__skb_unlink(skb, &sk->sk_write_queue);
		sk_wmem_queued_add(sk, -skb->truesize);
		sk_mem_uncharge(sk, skb->truesize);
		consume_skb(skb);
	}
	grow_sndbuf(sk);
	smp_mb();	/* room is made, then SOCK_NOSPACE is looked at */
	if (weft_sock_is_writable(sk))
		sk->sk_write_space(sk);
}

/* --- receiving --- */

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

static bool deliver(struct sock *sk)
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
static void store(struct sock *sk, struct sk_buff *skb,
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

/* See note "Receive buffer"; one that was made smaller since has its least. */
static u32 most_memory(const struct sock *sk)
{
	return max_t(u32, READ_ONCE(sk->sk_rcvbuf), WEFT_RCVBUF_MIN);
}

/*
 * May the payload be kept? Its truesize is what counts. A reader that has
 * nothing to read waits for the next bytes: they are kept in any case, so that a
 * gap can always be filled.
 */
static bool can_keep(struct sock *sk, const struct sk_buff *skb,
		     const struct weft_pkt *pkt)
{
	u64 used = (u64)atomic_read(&sk->sk_rmem_alloc) + skb->truesize;
	struct weft_conn *conn = conn_of(sk);
	bool next = pkt->offset <= conn->engine.rcv_nxt;

	if (!next && skb_queue_len(&conn->ooo) >= WEFT_OOO_MAX)
		return false;
	if (used > most_memory(sk) && (!next || weft_sock_whole(sk)))
		return false;
	return weft_rmem_may(sk, skb->truesize);
}

/* --- what the engine says --- */

static void forget(struct sock *sk, enum weft_mark mark)
{
	struct weft_conn *conn = conn_of(sk);

	unlink_conn(conn, mark);
	stop_timer(conn);
	purge_write_queue(sk);
	purge_ooo(sk);
	weft_spare_drop(sk, &conn->spare);
	if (sock_flag(sk, SOCK_DEAD))
		weft_sock_orphan_end(sk);
}

static void die(struct sock *sk)
{
	struct weft_conn *conn = conn_of(sk);
	bool opening = sk->sk_state == TCP_SYN_SENT;
	int error = conn->engine.error;

	/* A peer that had said all it would: as TCP in CLOSE_WAIT. */
	if (error == ECONNRESET && READ_ONCE(weft_sk(sk)->rx_eof))
		error = EPIPE;
	if (error == ETIMEDOUT)
		weft_count(conn->node->wn, WEFT_STAT_timeouts, 1);
	WRITE_ONCE(sk->sk_err, error);
	smp_wmb();	/* who sees that it is over sees why: poll_stream() */
	WRITE_ONCE(sk->sk_state, TCP_CLOSE);
	/* As TCP, also where it was refused; AF_UNIX is as it was before. */
	if (!opening || sk->sk_type == SOCK_STREAM)
		WRITE_ONCE(sk->sk_shutdown, SHUTDOWN_MASK);
	forget(sk, WEFT_MARK_RESET);
	if (!sock_flag(sk, SOCK_DEAD)) {
		sk_error_report(sk);
		sk->sk_state_change(sk);
	}
}

static void become_open(struct sock *sk)
{
	struct weft_conn *conn = conn_of(sk);

	weft_sk(sk)->peer_max_message = conn->engine.peer_max_message;
	/* A child has been so since it was made: to its program this is no event. */
	if (sk->sk_state == TCP_ESTABLISHED)
		return;
	/* Whoever sees it connected sees what it is connected to. */
	smp_store_release(&sk->sk_state, TCP_ESTABLISHED);
	if (!sock_flag(sk, SOCK_DEAD)) {
		sk->sk_state_change(sk);
		sk_wake_async(sk, SOCK_WAKE_IO, POLL_OUT);
	}
}

static void see_end(struct sock *sk)
{
	spin_lock_bh(&sk->sk_receive_queue.lock);
	WRITE_ONCE(weft_sk(sk)->rx_eof, true);
	spin_unlock_bh(&sk->sk_receive_queue.lock);
	if (!sock_flag(sk, SOCK_DEAD))
		weft_sock_wake_end(sk);
}

void weft_conn_renew_orphan(struct sock *sk)
{
	u64 sec = READ_ONCE(weft_sock_net(sk)->limits.orphan_sec);

	conn_of(sk)->orphan_end = ktime_get_ns() + sec * NSEC_PER_SEC;
}

/* All that WEFT_DO_* asks for but the payload; may forget the flow. */
static void obey(struct sock *sk, u32 todo, u64 now)
{
	if (todo & WEFT_DO_FREE)
		free_acked(sk);
	if (todo & WEFT_DO_FREE && conn_of(sk)->orphan_end)
		weft_conn_renew_orphan(sk);
	if (todo & WEFT_DO_UP)
		become_open(sk);
	if (todo & WEFT_DO_EOF)
		see_end(sk);
	/* One answer to all packets of a batch: weft_conn_release_cb(). */
	if (!conn_of(sk)->batch || todo & (WEFT_DO_DEAD | WEFT_DO_DONE))
		send_all(sk, now);
	if (todo & WEFT_DO_DEAD)
		die(sk);
	else if (todo & WEFT_DO_DONE)
		forget(sk, WEFT_MARK_CLOSED);
	arm_engine_timer(conn_of(sk), now);
	/* Whoever lingers until the peer has it all. */
	if (todo & WEFT_DO_FREE && weft_conn_is_sent(sk) &&
	    !sock_flag(sk, SOCK_DEAD))
		sk->sk_state_change(sk);
}

void weft_conn_abort(struct sock *sk, int error)
{
	struct weft_conn *conn = conn_of(sk);

	if (conn->linked)
		obey(sk, weft_engine_abort(&conn->engine, error),
		     ktime_get_ns());
}

/* Bytes for a socket that nobody will read again: as TCP, reset. */
static bool is_unwanted(const struct sock *sk)
{
	return sock_flag(sk, SOCK_DEAD);
}

static void obey_payload(struct sock *sk, struct sk_buff *skb,
			 const struct weft_pkt *pkt, u32 *todo, u64 now)
{
	if (*todo & WEFT_DO_STORE && is_unwanted(sk)) {
		weft_drop(weft_sock_net(sk), skb, WEFT_STAT_drop_state);
		/* Our end first, if it could not go before: as TCP's FIN. */
		send_all(sk, now);
		*todo |= weft_engine_abort(&conn_of(sk)->engine, ECONNRESET);
		return;
	}
	if (*todo & WEFT_DO_STORE)
		store(sk, skb, pkt);
	else if (pkt->plen && pkt->kind != WEFT_ACK)
		weft_drop(conn_of(sk)->node->wn, skb, WEFT_STAT_drop_state);
	else
		consume_skb(skb);
	if (!(*todo & WEFT_DO_DELIVER))
		return;
	if (!deliver(sk))
		*todo |= weft_engine_abort(&conn_of(sk)->engine, EPROTO);
	/* Part of a message, too few bytes, or not accepted yet. */
	if (!sk->sk_socket || !weft_sock_is_readable(sk))
		weft_engine_ack_held(&conn_of(sk)->engine);
	sk->sk_data_ready(sk);
}

/* An ACK with ranges. They need much stack, which no other packet shall pay. */
static noinline u32 ask_about_ranges(struct weft_conn *conn,
				     const struct sk_buff *skb,
				     const struct weft_pkt *pkt, u64 now)
{
	u8 raw[sizeof(struct weft_wire_range) * WEFT_RANGES_MAX];
	u32 len = min_t(u32, pkt->plen, sizeof(raw));
	struct weft_range ranges[WEFT_RANGES_MAX];
	unsigned int nr = 0;

	if (!skb_copy_bits(skb, pkt->hlen, raw, len))
		nr = weft_packet_get_ranges(pkt, raw, len, ranges);
	return weft_engine_input(&conn->engine, pkt, ranges, nr, now);
}

/* What a packet was looked up for; also skb->cb in a socket's backlog. */
struct backlog_cb {
	const struct weft_conn *conn;
	const struct weft_node *node;
};

/* Is the flow still the one that the packet was for? */
static bool is_same_flow(const struct weft_conn *conn,
			 const struct backlog_cb *of,
			 const struct weft_pkt *pkt)
{
	return conn && conn == of->conn && conn->node == of->node &&
	       conn->linked && conn->key.flow == pkt->flow;
}

/*
 * May the payload be taken? Where it may not, the packet is as if it had brought
 * none, and comes once more.
 */
static bool is_welcome(struct sock *sk, const struct sk_buff *skb,
		       const struct weft_pkt *pkt)
{
	if (pkt->kind == WEFT_OPEN && weft_sk(sk)->refuses_early)
		return false;
	if (can_keep(sk, skb, pkt))
		return true;
	weft_drop(weft_sock_net(sk), NULL, WEFT_STAT_drop_rcvbuf);
	return false;
}

/* The rest of @pkt into @less: what it acknowledges still counts. */
static noinline void without_payload(struct weft_pkt *less,
				     const struct weft_pkt *pkt)
{
	*less = *pkt;
	less->plen = 0;
	if (pkt->kind != WEFT_OPEN && pkt->kind != WEFT_OPENED)
		less->kind = WEFT_ACK;
}

/*
 * A packet of @of's flow. Takes skb. Since it was looked up a failed connect
 * may have ended that flow, and another begun a new one, or the flow may have
 * moved to another session: what @of points to may be void and is only compared.
 */
static void input(struct sock *sk, const struct backlog_cb *of,
		  struct sk_buff *skb, const struct weft_pkt *pkt)
{
	struct weft_pkt less __uninitialized;
	struct weft_conn *conn = conn_of(sk);
	u64 now = ktime_get_ns();
	u32 todo;

	if (!is_same_flow(conn, of, pkt)) {
		weft_drop(weft_sock_net(sk), skb, WEFT_STAT_drop_flow);
		return;
	}
	if (pkt->plen && pkt->kind != WEFT_ACK && !is_welcome(sk, skb, pkt)) {
		without_payload(&less, pkt);
		pkt = &less;
	}
	if (pkt->kind == WEFT_RESET)
		weft_count(conn->node->wn, WEFT_STAT_resets_in, 1);
	grow_arrays(conn);
	if (pkt->kind == WEFT_ACK && pkt->plen)
		todo = ask_about_ranges(conn, skb, pkt, now);
	else
		todo = weft_engine_input(&conn->engine, pkt, NULL, 0, now);
	obey_payload(sk, skb, pkt, &todo, now);
	obey(sk, todo, now);
}

static struct backlog_cb *backlog_cb(struct sk_buff *skb)
{
	return (struct backlog_cb *)skb->cb;
}

int weft_conn_backlog_rcv(struct sock *sk, struct sk_buff *skb)
{
	const struct backlog_cb of = *backlog_cb(skb);
	struct weft_conn *conn = conn_of(sk);
	struct weft_pkt pkt __uninitialized;

	if (conn)
		conn->batch = true;

	if (!weft_receive_parse(skb, &pkt)) {
		weft_drop(weft_sock_net(sk), skb, WEFT_STAT_drop_memory);
		return 0;
	}
	input(sk, &of, skb, &pkt);
	return 0;
}

/* A flow, with a reference to its socket, or NULL; under RCU. */
static struct weft_conn *lookup_flow(struct weft_node *node,
				     const struct weft_pkt *pkt)
{
	struct weft_flow_key key = {
		.node = (unsigned long)node,
		.flow = pkt->flow,
		.ours = !(pkt->flags & WEFT_F_OPENER),
	};
	struct weft_conn *conn;

	conn = rhashtable_lookup(&node->wn->flows, &key, flow_params);
	if (!conn || !refcount_inc_not_zero(&conn->sk->sk_refcnt))
		return NULL;
	return conn;
}

static void receive_owned(struct weft_conn *conn, struct weft_node *node,
			  struct sk_buff *skb, const struct weft_pkt *pkt)
{
	const struct backlog_cb of = { .conn = conn, .node = node };
	struct sock *sk = conn->sk;
	/* Bytes of a window, and acknowledgments of what is sent meanwhile. */
	u32 limit = min_t(u64, INT_MAX, 2 * (u64)most_memory(sk) +
					READ_ONCE(sk->sk_sndbuf));

	weft_fault_delay();
	bh_lock_sock(sk);
	*backlog_cb(skb) = of;
	if (!sock_owned_by_user(sk))
		input(sk, &of, skb, pkt);
	else if (sk_add_backlog(sk, skb, limit))
		weft_drop(node->wn, skb, WEFT_STAT_drop_backlog);
	bh_unlock_sock(sk);
}

void weft_conn_receive(struct weft_node *node, struct sk_buff *skb,
		       const struct weft_pkt *pkt)
{
	struct weft_conn *conn = lookup_flow(node, pkt);
	struct sock *sk;

	if (conn) {
		sk = conn->sk;
		receive_owned(conn, node, skb, pkt);
		sock_put(sk);
		return;
	}
	if (pkt->kind == WEFT_OPEN && pkt->flags & WEFT_F_OPENER &&
	    weft_node_get_mark(node, pkt->flow, false) == WEFT_MARK_NEW)
		weft_listen_open(node, skb, pkt);
	else
		weft_conn_stray(node, skb, pkt);
}

/* --- flows without a socket --- */

static void answer(struct weft_node *node, const struct weft_pkt *to, u8 kind,
		   enum weft_reset reason)
{
	struct weft_pkt pkt = {
		.kind = kind,
		.flags = ~to->flags & WEFT_F_OPENER,
		.flow = to->flow,
		.reason = reason,
	};

	weft_send_answer(node, &pkt);
}

void weft_conn_refuse(struct weft_node *node, const struct weft_pkt *pkt,
		      enum weft_reset reason)
{
	answer(node, pkt, WEFT_RESET, reason);
}

void weft_conn_stray(struct weft_node *node, struct sk_buff *skb,
		     const struct weft_pkt *pkt)
{
	bool ours = !(pkt->flags & WEFT_F_OPENER);

	if (pkt->kind == WEFT_RESET || pkt->kind == WEFT_CLOSED)
		goto drop;
	switch (weft_node_get_mark(node, pkt->flow, ours)) {
	case WEFT_MARK_CLOSED:
		/* Only our last ACK can be missing; an ACK misses nothing. */
		if (pkt->kind != WEFT_ACK)
			answer(node, pkt, WEFT_CLOSED, 0);
		break;
	case WEFT_MARK_OPEN:
		break;
	case WEFT_MARK_NEW:
	case WEFT_MARK_RESET:
		answer(node, pkt, WEFT_RESET, WEFT_RESET_UNKNOWN);
	}
drop:
	weft_drop(node->wn, skb, WEFT_STAT_drop_flow);
}

/* --- time and nodes --- */

/*
 * Nobody waits for its end here. A peer that has all, and may still be reading,
 * is told nothing, as TCP's in FIN_WAIT_2: what it sends is answered by RESET.
 */
static void give_up_orphan(struct sock *sk)
{
	if (weft_conn_is_sent(sk))
		forget(sk, WEFT_MARK_RESET);
	else
		weft_conn_abort(sk, ETIMEDOUT);
}

/*
 * The timer has fired. Where the socket was owned then, this comes later, and
 * until then @timer_at is a time that has passed: nobody need arm anything.
 */
static void tick(struct sock *sk)
{
	struct weft_conn *conn = conn_of(sk);
	u64 now = ktime_get_ns();

	conn->timer_at = WEFT_NEVER;
	if (!conn->linked)
		return;
	if (conn->orphan_end && now >= conn->orphan_end) {
		give_up_orphan(sk);
		return;
	}
	if ((conn->cork_end && now >= conn->cork_end) ||
	    (conn->gather.end && now >= conn->gather.end))
		weft_conn_flush(sk, WEFT_FLUSH_ALL);
	weft_spare_look(sk, &conn->spare, now);
	if (now >= weft_engine_deadline(&conn->engine))
		obey(sk, weft_engine_tick(&conn->engine, now), now);
	else
		arm_engine_timer(conn, now);
}

static void node_is_up(struct sock *sk)
{
	struct weft_conn *conn = conn_of(sk);

	if (!conn->linked)
		return;
	weft_engine_kick(&conn->engine, ktime_get_ns());
	weft_conn_push(sk);
}

/* Has the other end forgotten us before it can have done anything for us? */
static bool can_start_anew(const struct weft_conn *conn)
{
	switch (conn->engine.state) {
	case WEFT_ST_IDLE:
		break;
	case WEFT_ST_OPENING:
		/* Bytes of OPEN may have been taken: not twice. */
		if (conn->tx_end)
			return false;
		break;
	default:
		return false;
	}
	return READ_ONCE(conn->node->error) == ECONNRESET;
}

/* A flow that is not open yet goes on in a new session with the same node. */
static int start_anew(struct sock *sk)
{
	struct weft_conn *conn = conn_of(sk);
	struct weft_node *old = conn->node, *node;
	int err;

	node = weft_node_get(old->wn, &old->addr,
			     weft_sk(sk)->scope ?: sk->sk_bound_dev_if);
	if (IS_ERR(node))
		return PTR_ERR(node);
	unlink_conn(conn, WEFT_MARK_RESET);
	conn->key.node = (unsigned long)node;
	conn->key.flow = weft_node_new_flow(node);
	conn->node = node;
	err = link_conn(conn);
	weft_node_put(old);
	if (err)
		return err;
	weft_engine_kick(&conn->engine, ktime_get_ns());
	weft_conn_push(sk);
	return 0;
}

/* The node is gone, and with it every way to tell the peer. */
static void node_is_down(struct sock *sk)
{
	struct weft_conn *conn = conn_of(sk);
	int error;

	if (!conn->linked ||
	    READ_ONCE(conn->node->state) != WEFT_NODE_DEAD)
		return;
	error = READ_ONCE(conn->node->error);
	if (can_start_anew(conn) && !start_anew(sk))
		return;
	weft_engine_abort(&conn->engine, error);
	die(sk);
}

/*
 * Run now what came, or leave it to the owner's release_sock(). The flow that
 * it was for may be gone (see input()), or be another: that does no harm.
 */
static void event(struct sock *sk, int bit)
{
	struct weft_conn *conn;

	weft_fault_delay();
	bh_lock_sock(sk);
	conn = conn_of(sk);
	if (!conn)
		goto out;
	if (sock_owned_by_user(sk))
		set_bit(bit, &conn->events);
	else if (bit == WEFT_EV_TIMER)
		tick(sk);
	else if (bit == WEFT_EV_NODE_UP)
		node_is_up(sk);
	else
		node_is_down(sk);
out:
	bh_unlock_sock(sk);
}

static enum hrtimer_restart expired(struct hrtimer *timer)
{
	struct weft_conn *conn = container_of(timer, struct weft_conn, timer);
	struct sock *sk = conn->sk;

	/* The timer has no reference: weft_conn_free() waits for us. */
	if (!refcount_inc_not_zero(&sk->sk_refcnt))
		return HRTIMER_NORESTART;
	event(sk, WEFT_EV_TIMER);
	sock_put(sk);
	return HRTIMER_NORESTART;
}

void weft_conn_release_cb(struct sock *sk)
{
	struct weft_conn *conn = conn_of(sk);

	if (!conn || (!READ_ONCE(conn->events) && !conn->batch))
		return;
	if (test_and_clear_bit(WEFT_EV_NODE_DOWN, &conn->events))
		node_is_down(sk);
	if (test_and_clear_bit(WEFT_EV_NODE_UP, &conn->events))
		node_is_up(sk);
	if (test_and_clear_bit(WEFT_EV_TIMER, &conn->events))
		tick(sk);
	if (!conn->batch)
		return;
	conn->batch = false;
	weft_conn_push(sk);
}

/* The next flow of a node's list, which goes to the end or leaves it. */
static struct sock *next_flow(struct weft_node *node, bool leave)
{
	struct weft_conn *conn;
	struct sock *sk = NULL;

	spin_lock_bh(&node->lock);
	conn = list_first_entry_or_null(&node->flows, struct weft_conn,
					node_link);
	if (conn) {
		if (leave)
			list_del_init(&conn->node_link);
		else
			list_move_tail(&conn->node_link, &node->flows);
		if (refcount_inc_not_zero(&conn->sk->sk_refcnt))
			sk = conn->sk;
	}
	spin_unlock_bh(&node->lock);
	return sk;
}

void weft_conn_node_up(struct weft_node *node)
{
	unsigned int n = READ_ONCE(node->nr_flows);
	struct sock *sk;

	local_bh_disable();
	while (n-- && (sk = next_flow(node, false))) {
		event(sk, WEFT_EV_NODE_UP);
		sock_put(sk);
	}
	local_bh_enable();
}

void weft_conn_node_down(struct weft_node *node)
{
	struct sock *sk;

	local_bh_disable();
	while ((sk = next_flow(node, true))) {
		event(sk, WEFT_EV_NODE_DOWN);
		sock_put(sk);
	}
	local_bh_enable();
}

/* --- calls of the socket --- */

int weft_conn_start(struct sock *sk, struct weft_node *node, bool hold)
{
	struct weft_sock *wsk = weft_sk(sk);
	struct weft_conn *conn;
	int err;

	conn = alloc_conn(sk, node, weft_node_new_flow(node), true,
			  GFP_KERNEL);
	if (!conn)
		return -ENOMEM;
	WARN_ON_ONCE(wsk->conn);
	wsk->conn = conn;
	wsk->road = WEFT_ROAD_WIRE;
	WRITE_ONCE(wsk->held, hold);
	/* Pairs with poll_stream(), to which a socket that is held is writable. */
	smp_store_release(&sk->sk_state, TCP_SYN_SENT);
	err = link_conn(conn);
	if (err) {
		WRITE_ONCE(sk->sk_state, TCP_CLOSE);
		weft_conn_disconnect(sk);
		return err;
	}
	if (!hold)
		weft_conn_open(sk);
	return 0;
}

void weft_conn_open(struct sock *sk)
{
	struct weft_conn *conn = conn_of(sk);

	WRITE_ONCE(weft_sk(sk)->held, false);
	weft_count(conn->node->wn, WEFT_STAT_opens_active, 1);
	weft_engine_write(&conn->engine, conn->tx_end);
	weft_engine_open(&conn->engine, ktime_get_ns());
	weft_conn_push(sk);
}

void weft_conn_disconnect(struct sock *sk)
{
	struct weft_sock *wsk = weft_sk(sk);

	weft_conn_free(sk);
	weft_sock_purge(sk);
	wsk->road = WEFT_ROAD_NONE;
	wsk->peer_port = 0;
	wsk->rx_eof = false;
	WRITE_ONCE(wsk->held, false);
	WRITE_ONCE(sk->sk_shutdown, 0);
}

int weft_conn_accept(struct sock *child, struct weft_node *node,
		     struct sk_buff *skb, const struct weft_pkt *pkt)
{
	struct backlog_cb of = { .node = node };
	struct weft_sock *wsk = weft_sk(child);
	struct weft_conn *conn;
	int err;

	conn = alloc_conn(child, node, pkt->flow, false,
			  GFP_ATOMIC | __GFP_NOWARN);
	if (!conn) {
		weft_drop(node->wn, skb, WEFT_STAT_drop_memory);
		return -ENOMEM;
	}
	of.conn = conn;
	wsk->conn = conn;
	wsk->road = WEFT_ROAD_WIRE;
	wsk->addr = weft_net_address(node->wn);
	wsk->peer_addr = node->addr;
	wsk->peer_port = pkt->sport;
	bh_lock_sock(child);
	weft_engine_accept(&conn->engine, pkt, ktime_get_ns());
	wsk->peer_max_message = conn->engine.peer_max_message;
	WRITE_ONCE(child->sk_state, TCP_ESTABLISHED);
	err = link_conn(conn);
	if (err) {
		weft_drop(node->wn, skb, WEFT_STAT_drop_state);
	} else {
		weft_count(node->wn, WEFT_STAT_opens_passive, 1);
		input(child, &of, skb, pkt);
		if (conn->engine.rcv_nxt)
			weft_count(node->wn, WEFT_STAT_opens_early, 1);
	}
	bh_unlock_sock(child);
	return err;
}

void weft_conn_set_cc(struct sock *sk)
{
	struct weft_conn *conn = conn_of(sk);

	if (conn && conn->linked)
		weft_engine_set_cc(&conn->engine, weft_sk(sk)->cc);
}

void weft_conn_read(struct sock *sk, u32 bytes)
{
	struct weft_conn *conn = conn_of(sk);
	u64 now;

	conn->rx_read += bytes;
	weft_gather_read(&conn->gather);
	if (!conn->linked)
		return;
	now = ktime_get_ns();
	conn->engine.window.most = most_window(sk);
	weft_engine_read(&conn->engine, conn->rx_read, now);
	grow_rcvbuf(sk);
	if (!weft_engine_is_idle(&conn->engine))
		push(sk, now);
}

void weft_conn_shutdown(struct sock *sk)
{
	struct weft_conn *conn = conn_of(sk);

	if (!conn->linked)
		return;
	/* A close that will linger. */
	if (sock_flag(sk, SOCK_LINGER))
		weft_engine_await(&conn->engine);
	weft_engine_write(&conn->engine, conn->tx_end);
	weft_engine_shutdown(&conn->engine);
	weft_conn_push(sk);
}

bool weft_conn_is_over(const struct sock *sk)
{
	return !conn_of(sk)->linked;
}

bool weft_conn_is_sent(const struct sock *sk)
{
	const struct weft_conn *conn = conn_of(sk);

	return !conn->linked || conn->engine.snd_una > conn->tx_end;
}

u64 weft_conn_unsent(const struct sock *sk)
{
	const struct weft_conn *conn = conn_of(sk);
	u64 una = conn->engine.snd_una;

	return conn->linked && una < conn->tx_end ? conn->tx_end - una : 0;
}
