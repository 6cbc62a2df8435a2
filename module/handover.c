// SPDX-License-Identifier: GPL-2.0
/*
 * Note "Hand-over" of Documentation/design.rst. The sender owns its socket, and
 * takes the spinlock of its peer's, never its own: two that write to each other
 * find each other owned, and send packets. So does an opener, whose peer is a
 * child that nobody else has.
 */
#include <linux/if_ether.h>
#include <linux/netdevice.h>
#include <net/sock.h>

#include "conn.h"
#include "conn_impl.h"
#include "fault.h"
#include "handover.h"
#include "listen.h"
#include "node.h"

/**
 * struct far_end - the peer; valid under RCU
 * @conn: its flow
 * @sk: its socket; a reference
 * @node: what we are to it
 * @wire: what leads there
 */
struct far_end {
	struct weft_conn	*conn;
	struct sock		*sk;
	struct weft_node	*node;
	struct weft_wire	wire;
};

static bool find_far(const struct weft_conn *conn, struct far_end *far)
{
	far->node = weft_node_across(conn->node, &far->wire);
	if (!far->node)
		return false;
	far->conn = weft_conn_lookup(far->node, conn->key.flow,
				     !conn->key.ours);
	if (!far->conn)
		return false;
	far->sk = far->conn->sk;
	return true;
}

/*
 * The spinlock is ours: may it be given anything at all? It was found without:
 * since then its flow may have begun anew, and be another's.
 */
static bool is_at_home(const struct weft_conn *conn, const struct far_end *far)
{
	return !sock_owned_by_user(far->sk) && conn_of(far->sk) == far->conn &&
	       far->conn->node == far->node && far->conn->linked &&
	       far->conn->key.flow == conn->key.flow &&
	       far->conn->key.ours != conn->key.ours;
}

/* Bytes for a socket that nobody reads go as a packet, which is answered. */
static bool would_take(const struct far_end *far, const struct sk_buff *skb,
		       const struct weft_engine *from, u64 end)
{
	const struct weft_pkt pkt = { .offset = from->snd_nxt };

	if (!weft_engine_may_take(&far->conn->engine, from->snd_nxt, end))
		return false;
	return !skb || (!sock_flag(far->sk, SOCK_DEAD) &&
			weft_inqueue_can_keep(far->sk, skb, &pkt));
}

/* As the packet of @len bytes that it might have been, by @dev. */
static void count(struct weft_net *from, struct weft_net *to,
		  struct net_device *dev, u32 len)
{
	weft_count(from, WEFT_STAT_handovers, 1);
	weft_count(from, WEFT_STAT_out_packets, 1);
	weft_count(from, WEFT_STAT_out_bytes, len);
	weft_count(to, WEFT_STAT_in_packets, 1);
	weft_count(to, WEFT_STAT_in_bytes, len);
	dev_sw_netstats_tx_add(dev, 1, ETH_HLEN + len);
}

static void heard(struct weft_node *node, struct weft_node *far)
{
	weft_node_heard(node, true);
	weft_node_heard(far, true);
}

static u64 end_of(const struct weft_engine *from, const struct sk_buff *skb)
{
	return from->snd_nxt + (skb ? skb->len : 0);
}

/* The first of the write queue, or the end of the stream where there is none. */
static bool hand_one(struct sock *sk, struct far_end *far, u64 now, u32 *todo)
{
	struct weft_engine *from = &conn_of(sk)->engine;
	struct weft_engine *to = &far->conn->engine;
	struct sk_buff *skb = weft_outqueue_next(sk);
	u64 end = end_of(from, skb);
	struct weft_pkt pkt;
	u32 todo_far;

	if (!weft_engine_may_hand(from, end))
		return false;
	weft_engine_look(from, to);
	if (!would_take(far, skb, from, end))
		return false;
	if (skb)
		weft_outqueue_take(sk, skb);
	weft_engine_hand(from, end, &pkt);
	count(weft_sock_net(sk), far->node->wn, far->wire.ours,
	      WEFT_HLEN_DATA + pkt.plen);
	todo_far = weft_engine_input(to, &pkt, NULL, 0, now);
	weft_conn_obey_payload(far->sk, skb, &pkt, &todo_far, now);
	weft_engine_took(to);
	*todo |= weft_engine_handed(from, &pkt, now);
	if (todo_far & ~WEFT_DO_TOOK || !weft_engine_is_idle(to))
		weft_conn_obey(far->sk, todo_far, now);
	return true;
}

static bool has_more(const struct sock *sk)
{
	return !skb_queue_empty(&sk->sk_write_queue) ||
	       conn_of(sk)->engine.fin;
}

/*
 * @now: set to the time of it. Time does not go back for the peer's engine, which
 * may have been asked while we waited for it.
 *
 * Return: what our engine wants done for it, 0: nothing was given.
 */
static u32 hand_all(struct sock *sk, struct far_end *far, u64 *now)
{
	u32 todo = 0;

	bh_lock_sock(far->sk);
	*now = ktime_get_ns();
	if (is_at_home(conn_of(sk), far))
		while (hand_one(sk, far, *now, &todo) && has_more(sk))
			;
	/* Room that the peer would have told of, had it answered. */
	if (todo)
		weft_engine_look(&conn_of(sk)->engine, &far->conn->engine);
	bh_unlock_sock(far->sk);
	if (todo)
		heard(conn_of(sk)->node, far->node);
	return todo;
}

/* A pace that the program has set is kept by what is sent. */
static bool is_paced(const struct sock *sk)
{
	return READ_ONCE(sk->sk_max_pacing_rate) != ~0UL;
}

/* Of what only we were given no packet and no timer can come. */
static bool is_quiet(const struct weft_conn *conn, u32 todo)
{
	return todo == WEFT_DO_FREE && !conn->engine.fin && !conn->spare &&
	       !conn->cork_end && weft_engine_is_idle(&conn->engine);
}

bool weft_handover(struct sock *sk)
{
	struct weft_conn *conn = conn_of(sk);
	struct far_end far;
	u32 todo = 0;
	u64 now;

	if (is_paced(sk) ||
	    !weft_engine_may_hand(&conn->engine,
				  end_of(&conn->engine, weft_outqueue_next(sk))))
		return false;
	local_bh_disable();
	rcu_read_lock();
	if (find_far(conn, &far)) {
		weft_fault_delay();
		todo = hand_all(sk, &far, &now);
		sock_put(far.sk);
	}
	rcu_read_unlock();
	local_bh_enable();
	weft_fault_delay();
	if (is_quiet(conn, todo))
		weft_outqueue_free_acked(sk);
	else if (todo)
		weft_conn_obey(sk, todo, now);
	return todo;
}

/* OPEN there, and OPENED back; what acknowledges that are the first bytes. */
static u32 hand_open(struct weft_conn *conn, const struct weft_pkt *open)
{
	struct weft_net *ours = conn->node->wn, *theirs;
	u32 todo, len = weft_packet_hlen(WEFT_OPEN, 0);
	struct weft_wire wire;
	struct weft_node *far;

	far = weft_node_across(conn->node, &wire);
	if (!far)
		return 0;
	weft_fault_delay();
	theirs = far->wn;
	todo = weft_listen_hand(far, wire.theirs->ifindex, &conn->engine, open);
	if (todo) {
		count(ours, theirs, wire.ours, len);
		count(theirs, ours, wire.theirs, len);
		heard(conn->node, far);
	}
	return todo;
}

bool weft_handover_open(struct sock *sk)
{
	struct weft_conn *conn = conn_of(sk);
	struct weft_pkt open;
	u32 todo;

	weft_engine_hand_open(&conn->engine, &open);
	weft_conn_fill_names(sk, &open);
	/* Nobody sleeps, or is preempted, while he keeps a namespace of others. */
	local_bh_disable();
	rcu_read_lock();
	todo = hand_open(conn, &open);
	rcu_read_unlock();
	local_bh_enable();
	if (todo)
		weft_conn_obey(sk, todo, ktime_get_ns());
	return todo;
}
