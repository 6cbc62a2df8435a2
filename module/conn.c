// SPDX-License-Identifier: GPL-2.0
/*
 * A wire connection: asks the engine, carries out its verdict; outqueue.c and
 * inqueue.c have its bytes. Everything here runs in the ownership of the socket,
 * unless said otherwise.
 */
#include <linux/hrtimer.h>
#include <linux/jhash.h>
#include <linux/rhashtable.h>
#include <linux/slab.h>
#include <net/sock.h>

#include "conn.h"
#include "conn_impl.h"
#include "fault.h"
#include "handover.h"
#include "listen.h"
#include "node.h"
#include "path.h"
#include "sock.h"
#include "spare.h"

/* The peer acknowledges nothing for so long: ETIMEDOUT; unless it is set. */
#define WEFT_USER_TIMEOUT_SEC	120
/* Nobody answers OPEN for so long. */
#define WEFT_OPEN_TIMEOUT_SEC	30
/* Memory that was not there is asked for again after so long. */
#define WEFT_STARVED_NS		(100 * NSEC_PER_MSEC)

/* Each packet of a flow looks for it: cheaper than by bytes. */
static u32 hash_key(const void *data, u32 len, u32 seed)
{
	const struct weft_flow_key *key = data;

	return jhash_3words(lower_32_bits(key->flow),
			    upper_32_bits(key->flow) << 1 | key->ours,
			    lower_32_bits(key->node) ^ upper_32_bits(key->node),
			    seed);
}

static int differs(struct rhashtable_compare_arg *arg, const void *obj)
{
	const struct weft_flow_key *key = arg->key;
	const struct weft_conn *conn = obj;

	/* start_anew() changes it while others still look at it. */
	return READ_ONCE(conn->key.flow) != key->flow ||
	       READ_ONCE(conn->key.node) != key->node ||
	       conn->key.ours != key->ours;
}

static const struct rhashtable_params flow_params = {
	.head_offset = offsetof(struct weft_conn, hash),
	.key_offset = offsetof(struct weft_conn, key),
	.key_len = sizeof(struct weft_flow_key),
	.hashfn = hash_key,
	.obj_cmpfn = differs,
	.automatic_shrinking = true,
};

/* Caches of their own: the allocator reports every flow that a bug leaves. */
static struct kmem_cache *conn_cache, *tx_cache;

int __init weft_conn_init(void)
{
	conn_cache = KMEM_CACHE(weft_conn, 0);
	tx_cache = KMEM_CACHE(weft_tx, 0);
	if (conn_cache && tx_cache)
		return 0;
	weft_conn_exit();
	return -ENOMEM;
}

void weft_conn_exit(void)
{
	kmem_cache_destroy(tx_cache);
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

	if (sk->sk_type == SOCK_SEQPACKET)
		params.whole = params.max_message + WEFT_RECORD_BYTES;
	if (user_ms)
		params.open_timeout_ns = user_ms * (u64)NSEC_PER_MSEC;
	params.mss = weft_node_mss(conn->node, &params.super_max);
	weft_engine_init(&conn->engine, &params);
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
	conn = kmem_cache_alloc(conn_cache, gfp);
	if (!conn)
		return NULL;
	memset(conn, 0, offsetof(struct weft_conn, engine));
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

static void free_ranges(struct weft_conn *conn, struct weft_range *ranges)
{
	if (ranges != conn->few_ranges)
		kfree(ranges);
}

static void free_conn(struct weft_conn *conn)
{
	kfree(weft_engine_lend_records(&conn->engine, NULL, 0));
	free_ranges(conn, weft_engine_lend_ranges(&conn->engine, NULL, 0));
	if (conn->engine.tx)
		kmem_cache_free(tx_cache, conn->engine.tx);
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

void weft_conn_free(struct sock *sk)
{
	struct weft_conn *conn = conn_of(sk);

	if (!conn)
		return;
	hrtimer_cancel(&conn->timer);
	weft_outqueue_purge(sk);
	weft_inqueue_purge(sk);
	weft_spare_drop(sk, &conn->spare);
	WARN_ON_ONCE(conn->linked);
	weft_sk(sk)->conn = NULL;
	free_conn(conn);
}

u64 weft_conn_max_rate(const struct sock *sk)
{
	unsigned long rate = READ_ONCE(sk->sk_max_pacing_rate);

	return rate == ~0UL ? 0 : rate;
}

/* Maybe in the midst of weft_conn_send_all(): it is paced from the first on. */
static void lend_tx(struct weft_conn *conn)
{
	struct weft_tx *tx = kmem_cache_alloc(tx_cache,
					      GFP_ATOMIC | __GFP_NOWARN);

	if (!tx)
		return;
	weft_engine_lend_tx(&conn->engine, tx);
	tx->cc.max_rate = weft_conn_max_rate(conn->sk);
}

/*
 * Give the engine room before it is asked. Less room is only less speed;
 * without any it waits, see weft_conn_arm_timer().
 */
void weft_conn_grow(struct weft_conn *conn)
{
	struct weft_engine *e = &conn->engine;
	unsigned int n;
	void *array;

	if (!weft_engine_is_tight(e) || weft_fault(WEFT_FAULT_ALLOC))
		return;
	if (weft_engine_wants_tx(e))
		lend_tx(conn);
	n = weft_engine_wants_records(e);
	if (n) {
		array = kmalloc_array(n, sizeof(struct weft_record),
				      GFP_ATOMIC | __GFP_NOWARN);
		if (array)
			kfree(weft_engine_lend_records(e, array, n));
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

/* --- what the engine says --- */

static void forget(struct sock *sk, enum weft_mark mark)
{
	struct weft_conn *conn = conn_of(sk);

	unlink_conn(conn, mark);
	stop_timer(conn);
	weft_outqueue_purge(sk);
	weft_inqueue_purge(sk);
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

void weft_conn_obey(struct sock *sk, u32 todo, u64 now)
{
	if (todo & WEFT_DO_FREE)
		weft_outqueue_free_acked(sk);
	if (todo & WEFT_DO_FREE && conn_of(sk)->orphan_end)
		weft_conn_renew_orphan(sk);
	if (todo & WEFT_DO_UP)
		become_open(sk);
	if (todo & WEFT_DO_EOF)
		see_end(sk);
	/* One answer to all packets of a batch: weft_conn_release_cb(). */
	if (!conn_of(sk)->batch || todo & (WEFT_DO_DEAD | WEFT_DO_DONE))
		weft_conn_send_all(sk, now);
	if (todo & WEFT_DO_DEAD)
		die(sk);
	else if (todo & WEFT_DO_DONE)
		forget(sk, WEFT_MARK_CLOSED);
	weft_conn_arm_timer(conn_of(sk), now);
	/* Whoever lingers until the peer has it all. */
	if (todo & WEFT_DO_FREE && weft_conn_is_sent(sk) &&
	    !sock_flag(sk, SOCK_DEAD))
		sk->sk_state_change(sk);
}

void weft_conn_abort(struct sock *sk, int error)
{
	struct weft_conn *conn = conn_of(sk);

	if (conn->linked)
		weft_conn_obey(sk, weft_engine_abort(&conn->engine, error),
			       ktime_get_ns());
}

/* Bytes for a socket that nobody will read again: as TCP, reset. */
static bool is_unwanted(const struct sock *sk)
{
	return sock_flag(sk, SOCK_DEAD);
}

void weft_conn_obey_payload(struct sock *sk, struct sk_buff *skb,
			    const struct weft_pkt *pkt, u32 *todo, u64 now)
{
	if (*todo & WEFT_DO_STORE && is_unwanted(sk)) {
		weft_drop(weft_sock_net(sk), skb, WEFT_STAT_drop_state);
		/* Our end first, if it could not go before: as TCP's FIN. */
		weft_conn_send_all(sk, now);
		*todo |= weft_engine_abort(&conn_of(sk)->engine, ECONNRESET);
		return;
	}
	if (*todo & WEFT_DO_STORE)
		weft_inqueue_store(sk, skb, pkt);
	else if (pkt->plen && pkt->kind != WEFT_ACK)
		weft_drop(conn_of(sk)->node->wn, skb, WEFT_STAT_drop_state);
	else
		consume_skb(skb);
	if (!(*todo & WEFT_DO_DELIVER))
		return;
	if (!weft_inqueue_deliver(sk))
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
	if (weft_inqueue_can_keep(sk, skb, pkt))
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
	weft_conn_grow(conn);
	if (pkt->kind == WEFT_ACK && pkt->plen)
		todo = ask_about_ranges(conn, skb, pkt, now);
	else
		todo = weft_engine_input(&conn->engine, pkt, NULL, 0, now);
	weft_conn_obey_payload(sk, skb, pkt, &todo, now);
	weft_conn_obey(sk, todo, now);
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

struct weft_conn *weft_conn_lookup(struct weft_node *node, u64 flow, bool ours)
{
	struct weft_flow_key key = {
		.node = (unsigned long)node,
		.flow = flow,
		.ours = ours,
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
	bool ours = !(pkt->flags & WEFT_F_OPENER);
	struct weft_conn *conn = weft_conn_lookup(node, pkt->flow, ours);
	struct sock *sk;

	if (conn) {
		sk = conn->sk;
		receive_owned(conn, node, skb, pkt);
		sock_put(sk);
		return;
	}
	if (pkt->kind == WEFT_OPEN && !ours &&
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

/* There was no memory for what sending needs. */
static bool is_starved(const struct weft_conn *conn)
{
	return weft_engine_wants_tx(&conn->engine) &&
	       weft_node_is_up(conn->node);
}

/* One that fires too early is asked again; that is cheaper. */
void weft_conn_arm_timer(struct weft_conn *conn, u64 now)
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
	if (is_starved(conn))
		at = min(at, now + WEFT_STARVED_NS);
	if (conn->linked)
		fire_at(conn, at);
}

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
		weft_conn_flush(sk, WEFT_FLUSH_LATE);
	weft_spare_look(sk, &conn->spare, now);
	if (now >= weft_engine_deadline(&conn->engine))
		weft_conn_obey(sk, weft_engine_tick(&conn->engine, now), now);
	else if (is_starved(conn))
		weft_conn_push_at(sk, now);
	else
		weft_conn_arm_timer(conn, now);
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
	WRITE_ONCE(conn->key.node, (unsigned long)node);
	WRITE_ONCE(conn->key.flow, weft_node_new_flow(node));
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

static void begin_opening(struct weft_conn *conn)
{
	weft_count(conn->node->wn, WEFT_STAT_opens_active, 1);
	weft_engine_write(&conn->engine, conn->tx_end);
	weft_engine_open(&conn->engine, ktime_get_ns());
}

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
	if (hold)
		return 0;
	begin_opening(conn);
	if (!weft_handover_open(sk))
		weft_conn_push(sk);
	return 0;
}

void weft_conn_open(struct sock *sk)
{
	WRITE_ONCE(weft_sk(sk)->held, false);
	begin_opening(conn_of(sk));
	weft_conn_push(sk);
}

void weft_conn_disconnect(struct sock *sk)
{
	struct weft_sock *wsk = weft_sk(sk);

	/* Who sleeps in this connection does not go on in the next. */
	sk->sk_disconnects++;
	weft_conn_free(sk);
	weft_sock_purge(sk);
	wsk->road = WEFT_ROAD_NONE;
	wsk->peer_port = 0;
	wsk->rx_eof = false;
	WRITE_ONCE(wsk->held, false);
	WRITE_ONCE(sk->sk_shutdown, 0);
}

/* The flow of a child, which @open has come for; nobody can find it yet. */
static struct weft_conn *make_accepted(struct sock *child,
				       struct weft_node *node,
				       const struct weft_pkt *open)
{
	struct weft_sock *wsk = weft_sk(child);
	struct weft_conn *conn;

	conn = alloc_conn(child, node, open->flow, false,
			  GFP_ATOMIC | __GFP_NOWARN);
	if (!conn)
		return NULL;
	wsk->conn = conn;
	wsk->road = WEFT_ROAD_WIRE;
	wsk->addr = weft_net_address(node->wn);
	wsk->peer_addr = node->addr;
	wsk->peer_port = open->sport;
	return conn;
}

/* The child's spinlock is ours: whoever finds it waits. */
static int begin_accepted(struct sock *child, const struct weft_pkt *open,
			  u64 now)
{
	struct weft_conn *conn = conn_of(child);
	int err;

	weft_engine_accept(&conn->engine, open, now);
	weft_sk(child)->peer_max_message = conn->engine.peer_max_message;
	WRITE_ONCE(child->sk_state, TCP_ESTABLISHED);
	err = link_conn(conn);
	if (!err)
		weft_count(conn->node->wn, WEFT_STAT_opens_passive, 1);
	return err;
}

int weft_conn_accept(struct sock *child, struct weft_node *node,
		     struct sk_buff *skb, const struct weft_pkt *pkt)
{
	struct weft_conn *conn = make_accepted(child, node, pkt);
	const struct backlog_cb of = { .conn = conn, .node = node };
	int err;

	if (!conn) {
		weft_drop(node->wn, skb, WEFT_STAT_drop_memory);
		return -ENOMEM;
	}
	bh_lock_sock(child);
	err = begin_accepted(child, pkt, ktime_get_ns());
	if (err) {
		weft_drop(node->wn, skb, WEFT_STAT_drop_state);
	} else {
		input(child, &of, skb, pkt);
		if (conn->engine.rcv_nxt)
			weft_count(node->wn, WEFT_STAT_opens_early, 1);
	}
	bh_unlock_sock(child);
	return err;
}

u32 weft_conn_accept_hand(struct sock *child, struct weft_node *node,
			  struct weft_engine *opener,
			  const struct weft_pkt *open)
{
	struct weft_conn *conn = make_accepted(child, node, open);
	u32 todo = 0;
	u64 now;

	if (!conn)
		return 0;
	bh_lock_sock(child);
	now = ktime_get_ns();
	if (!begin_accepted(child, open, now)) {
		todo = weft_engine_meet(opener, &conn->engine, open, now);
		weft_conn_arm_timer(conn, now);
	}
	bh_unlock_sock(child);
	return todo;
}

void weft_conn_set_cc(struct sock *sk)
{
	struct weft_conn *conn = conn_of(sk);

	if (conn && conn->linked)
		weft_engine_set_cc(&conn->engine, weft_sk(sk)->cc);
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
		weft_conn_push_at(sk, now);
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
	if (!weft_handover(sk))
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
