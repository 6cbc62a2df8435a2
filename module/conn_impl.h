/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What conn.c, outqueue.c, inqueue.c and handover.c share, and nobody else needs.
 * Whoever calls it owns the socket; what ends a connection may find one that is
 * dead.
 */
#ifndef WEFT_CONN_IMPL_H
#define WEFT_CONN_IMPL_H

#include <linux/hrtimer.h>
#include <linux/skbuff.h>
#include <net/proto_memory.h>
#include <net/sock.h>

#include "af.h"
#include "conn.h"
#include "sock.h"

/* Room that is announced beyond the largest message, bytes. */
#define WEFT_WINDOW_SPARE	4096
/* SO_RCVBUF of a connection is at least this: room for the least max_message. */
#define WEFT_RCVBUF_MIN		(2 * WEFT_MAX_MESSAGE_MIN)

static inline struct weft_conn *conn_of(const struct sock *sk)
{
	return weft_sk(sk)->conn;
}

/* Beyond this, buffers do not grow. */
static inline bool is_memory_short(const struct sock *sk)
{
	return sk_memory_allocated(sk) > READ_ONCE(weft_sysctl_mem[1]);
}

/* See note "Receive buffer"; one that was made smaller since has its least. */
static inline u32 most_memory(const struct sock *sk)
{
	return max_t(u32, READ_ONCE(sk->sk_rcvbuf), WEFT_RCVBUF_MIN);
}

/* Unless it fires before that anyway. */
static inline void fire_at(struct weft_conn *conn, u64 at)
{
	if (at >= conn->timer_at)
		return;
	conn->timer_at = at;
	hrtimer_start(&conn->timer, ns_to_ktime(at), HRTIMER_MODE_ABS_SOFT);
}

/* conn.c */

/**
 * weft_conn_arm_timer() - set the timer to what is due next
 *
 * What is due within WEFT_ACK_DELAY_NS may be late: fire_at() is for that.
 */
void weft_conn_arm_timer(struct weft_conn *conn, u64 now);

/**
 * weft_conn_obey() - all that WEFT_DO_* asks for but the payload
 *
 * Sends what is to be sent, arms the timer, may forget the flow.
 */
void weft_conn_obey(struct sock *sk, u32 todo, u64 now);

/**
 * weft_conn_obey_payload() - what it asks for of the payload
 * @skb: consumed; or NULL for none
 * @todo: WEFT_DO_* of weft_engine_input(); more may come of it
 *
 * To be followed by weft_conn_obey().
 */
void weft_conn_obey_payload(struct sock *sk, struct sk_buff *skb,
			    const struct weft_pkt *pkt, u32 *todo, u64 now);

/**
 * weft_conn_lookup() - a flow of a node; @ours: this end has opened it
 *
 * RCU. Return: NULL, or one whose socket has a reference for the caller.
 */
struct weft_conn *weft_conn_lookup(struct weft_node *node, u64 flow, bool ours);

/** weft_conn_grow() - before each call of the engine that needs the memory */
void weft_conn_grow(struct weft_conn *conn);

/* outqueue.c */

/**
 * weft_conn_send_all() - everything the engine wants sent
 *
 * Arms no timer: weft_conn_arm_timer() is to follow.
 */
void weft_conn_send_all(struct sock *sk, u64 now);

/** weft_conn_fill_names() - what every packet says of the flow and the socket */
void weft_conn_fill_names(const struct sock *sk, struct weft_pkt *pkt);

/** weft_conn_push_at() - weft_conn_push() of a flow that is linked, at @now */
void weft_conn_push_at(struct sock *sk, u64 now);

/** weft_outqueue_free_acked() - free what the peer has; may wake the writer */
void weft_outqueue_free_acked(struct sock *sk);

/** weft_outqueue_next() - the first of the queue, NULL if any of it was sent */
struct sk_buff *weft_outqueue_next(struct sock *sk);

/** weft_outqueue_take() - it leaves the queue, and is the caller's */
void weft_outqueue_take(struct sock *sk, struct sk_buff *skb);

/** weft_outqueue_purge() - free all of it; sk owned or dead */
void weft_outqueue_purge(struct sock *sk);

/* inqueue.c */

/**
 * weft_inqueue_can_keep() - may the payload of @skb be kept?
 *
 * Asked before the engine is told of the packet; nothing is charged yet.
 */
bool weft_inqueue_can_keep(struct sock *sk, const struct sk_buff *skb,
			   const struct weft_pkt *pkt);

/**
 * weft_inqueue_store() - keep what the engine takes of a packet's payload
 * @skb: data at our start; consumed
 *
 * It is charged to the socket.
 */
void weft_inqueue_store(struct sock *sk, struct sk_buff *skb,
			const struct weft_pkt *pkt);

/**
 * weft_inqueue_deliver() - what is in order goes into the receive queue
 *
 * Takes that queue's lock; wakes nobody.
 *
 * Return: false when the peer's records are broken.
 */
bool weft_inqueue_deliver(struct sock *sk);

/**
 * weft_inqueue_purge() - free what is out of order; sk owned or dead
 *
 * What is in the receive queue is weft_sock_purge()'s.
 */
void weft_inqueue_purge(struct sock *sk);

#endif /* WEFT_CONN_IMPL_H */
