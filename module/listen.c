// SPDX-License-Identifier: GPL-2.0
/*
 * Listeners. A child is a whole socket from the moment its OPEN comes: an OPEN
 * counts only in a session, whose handshake proved the sender's address, so
 * there is no half-open state to keep small, and the backlog bounds the rest.
 */
#include <linux/wait_bit.h>
#include <net/sock.h>
#include <net/tcp_states.h>

#include "conn.h"
#include "listen.h"
#include "node.h"
#include "path.h"
#include "port.h"
#include "sock.h"

void weft_listen_start(struct sock *listener, int backlog)
{
	struct sk_buff_head *q = &listener->sk_receive_queue;

	spin_lock_bh(&q->lock);
	weft_sk(listener)->rx_dead = false;
	WRITE_ONCE(listener->sk_shutdown, 0);
	if (listener->sk_state != TCP_LISTEN)
		INIT_LIST_HEAD(&weft_sk(listener)->accept_q);
	WRITE_ONCE(listener->sk_max_ack_backlog, backlog);
	WRITE_ONCE(listener->sk_state, TCP_LISTEN);
	spin_unlock_bh(&q->lock);
}

static bool is_listening(const struct sock *listener)
{
	lockdep_assert_held(&listener->sk_receive_queue.lock);
	return !weft_sk(listener)->rx_dead && listener->sk_state == TCP_LISTEN;
}

/* One less; of a socket that listens anew, none of before is counted. */
static void uncount(struct sock *listener)
{
	lockdep_assert_held(&listener->sk_receive_queue.lock);
	if (listener->sk_ack_backlog)
		sk_acceptq_removed(listener);
}

static void enqueue(struct sock *listener, struct sock *child)
{
	lockdep_assert_held(&listener->sk_receive_queue.lock);
	list_add_tail(&weft_sk(child)->accept_link,
		      &weft_sk(listener)->accept_q);
}

int weft_listen_add(struct sock *listener, struct sock *child)
{
	struct sk_buff_head *q = &listener->sk_receive_queue;
	int err = 0;

	spin_lock_bh(&q->lock);
	if (!is_listening(listener)) {
		err = -ECONNREFUSED;
	} else if (sk_acceptq_is_full(listener)) {
		err = -EAGAIN;
	} else {
		sk_acceptq_added(listener);
		enqueue(listener, child);
	}
	spin_unlock_bh(&q->lock);
	return err;
}

/* A place in the queue, before an opener hears that it has one. */
static bool reserve(struct sock *listener)
{
	struct sk_buff_head *q = &listener->sk_receive_queue;
	bool has;

	spin_lock_bh(&q->lock);
	has = is_listening(listener) && !sk_acceptq_is_full(listener);
	if (has)
		sk_acceptq_added(listener);
	spin_unlock_bh(&q->lock);
	return has;
}

/* Somebody on this node may have found the queue full meanwhile. */
static void give_back(struct sock *listener)
{
	spin_lock_bh(&listener->sk_receive_queue.lock);
	uncount(listener);
	spin_unlock_bh(&listener->sk_receive_queue.lock);
	weft_listen_changed(listener);
}

/* At the place that was reserved; false when nobody listens any more. */
static bool fill_place(struct sock *listener, struct sock *child)
{
	struct sk_buff_head *q = &listener->sk_receive_queue;
	bool listens;

	spin_lock_bh(&q->lock);
	listens = is_listening(listener);
	if (listens)
		enqueue(listener, child);
	spin_unlock_bh(&q->lock);
	return listens;
}

bool weft_listen_is_full(const struct sock *listener)
{
	return sk_acceptq_is_full(listener);
}

struct sock *weft_listen_take(struct sock *listener)
{
	struct sk_buff_head *q = &listener->sk_receive_queue;
	struct weft_sock *child = NULL;
	bool listens;

	spin_lock_bh(&q->lock);
	listens = listener->sk_state == TCP_LISTEN;
	if (listens)
		child = list_first_entry_or_null(&weft_sk(listener)->accept_q,
						 struct weft_sock, accept_link);
	if (child) {
		list_del(&child->accept_link);
		uncount(listener);
	}
	spin_unlock_bh(&q->lock);
	if (!listens)
		return ERR_PTR(-EINVAL);
	return child ? &child->sk : NULL;
}

void weft_listen_stop(struct sock *listener, struct list_head *children)
{
	struct sk_buff_head *q = &listener->sk_receive_queue;

	spin_lock_bh(&q->lock);
	weft_sk(listener)->rx_dead = true;
	list_splice_init(&weft_sk(listener)->accept_q, children);
	WRITE_ONCE(listener->sk_ack_backlog, 0);
	WRITE_ONCE(listener->sk_state, TCP_CLOSE);
	spin_unlock_bh(&q->lock);
}

void weft_listen_drop(struct sock *listener, struct list_head *children)
{
	struct weft_sock *child, *next;

	list_for_each_entry_safe(child, next, children, accept_link)
		weft_sock_destroy(&child->sk);
	weft_listen_changed(listener);
}

void weft_listen_changed(const struct sock *listener)
{
	atomic_t *changes = &weft_sock_net(listener)->accepts;

	atomic_inc(changes);
	smp_mb__after_atomic();	/* before the waiters are looked for */
	wake_up_var(changes);
}

/* A listener that takes this OPEN, with a reference, or NULL. */
static struct sock *find_listener(struct weft_node *node, int ifindex,
				  const struct weft_pkt *pkt)
{
	struct in6_addr self = weft_net_address(node->wn);
	struct sock *listener;
	int type;

	type = pkt->type == WEFT_TYPE_STREAM ? SOCK_STREAM : SOCK_SEQPACKET;
	listener = weft_port_lookup(node->wn, false, &self, pkt->dport,
				    &node->addr, pkt->sport, ifindex);
	if (listener && listener->sk_type != type) {
		sock_put(listener);
		return NULL;
	}
	return listener;
}

/* At the place of reserve(): two references, the queue's to be and ours. */
static struct sock *make_child(struct sock *listener)
{
	struct sock *child = weft_sock_child(listener, GFP_ATOMIC);

	if (child)
		sock_hold(child);
	else
		give_back(listener);
	return child;
}

/* It takes the place, or that is free again; @flow: it has one. */
static void seat(struct sock *listener, struct sock *child, bool flow)
{
	if (flow && fill_place(listener, child)) {
		listener->sk_data_ready(listener);
	} else {
		weft_sock_destroy(child);
		give_back(listener);
	}
	sock_put(child);
}

/* Takes skb. */
static void accept_for(struct sock *listener, struct weft_node *node,
		       struct sk_buff *skb, const struct weft_pkt *pkt)
{
	struct sock *child = make_child(listener);

	if (child)
		seat(listener, child,
		     !weft_conn_accept(child, node, skb, pkt));
	else
		weft_drop(node->wn, skb, WEFT_STAT_drop_memory);
}

/* With a reference to @node. */
static void accept_open(struct weft_node *node, struct sk_buff *skb,
			const struct weft_pkt *pkt)
{
	struct sock *listener = find_listener(node, skb->dev->ifindex, pkt);
	struct weft_net *wn = node->wn;

	if (!listener) {
		/* Should the answer be lost, the OPEN comes again. */
		weft_node_set_mark(node, pkt->flow, false, WEFT_MARK_RESET);
		weft_conn_refuse(node, pkt, WEFT_RESET_REFUSED);
		weft_drop(wn, skb, WEFT_STAT_drop_port);
		return;
	}
	if (reserve(listener))
		accept_for(listener, node, skb, pkt);
	else
		weft_drop(wn, skb, WEFT_STAT_drop_backlog);
	sock_put(listener);
}

void weft_listen_open(struct weft_node *node, struct sk_buff *skb,
		      const struct weft_pkt *pkt)
{
	/* Found by its session, but another CPU may have killed it since. */
	if (!weft_node_tryhold(node)) {
		weft_drop(node->wn, skb, WEFT_STAT_drop_state);
		return;
	}
	accept_open(node, skb, pkt);
	weft_node_put(node);
}

static u32 hand_child(struct sock *listener, struct weft_node *node,
		      struct weft_engine *opener, const struct weft_pkt *open)
{
	struct sock *child = make_child(listener);
	u32 todo = 0;

	if (child) {
		todo = weft_conn_accept_hand(child, node, opener, open);
		seat(listener, child, todo);
	}
	return todo;
}

u32 weft_listen_hand(struct weft_node *node, int ifindex,
		     struct weft_engine *opener, const struct weft_pkt *open)
{
	struct sock *listener;
	u32 todo = 0;

	if (!weft_node_tryhold(node))
		return 0;
	listener = find_listener(node, ifindex, open);
	if (listener) {
		if (reserve(listener))
			todo = hand_child(listener, node, opener, open);
		sock_put(listener);
	}
	weft_node_put(node);
	return todo;
}
