/* SPDX-License-Identifier: GPL-2.0 */
/* A wire connection: the shell of one engine. */
#ifndef WEFT_CONN_H
#define WEFT_CONN_H

#include <linux/hrtimer.h>
#include <linux/list.h>
#include <linux/rhashtable.h>
#include <linux/skbuff.h>

#include "proto/engine.h"
#include "proto/gather.h"
#include "record.h"

struct sock;
struct weft_net;
struct weft_node;
struct weft_pieces;
struct weft_spare;
struct iov_iter;

/* What a short conversation needs of ranges. */
#define WEFT_FEW_RANGES		2

/* A flow's name: whose counter, and the number. */
struct weft_flow_key {
	u64			node;	/* its address; no padding in a key */
	u64			flow;
	u64			ours;
};

/**
 * struct weft_conn - what a socket has while it is connected over the wire
 *
 * Life: made by weft_conn_start(), for a child by weft_conn_accept() or
 * weft_conn_accept_hand(), freed by RCU when the socket is destroyed. In
 * weft_net.flows and node->flows until the flow is DONE or DEAD (@linked). All
 * fields belong to the owner of the socket, except @events (atomic bits) and what
 * the tables' locks guard.
 *
 * @events: WEFT_EV_* that came while the socket was owned by a process
 * @timer: runs to weft_engine_deadline(); has no reference to the socket,
 *	whose end waits for it
 * @timer_at: when it fires, ns, WEFT_NEVER while it need not
 * @ooo: stored packets beyond the next byte to deliver, by offset
 * @rx_next: stream offset that goes into the receive queue next
 * @rx_read: stream offset that the reader has consumed
 * @pack_frag: page that small payloads are packed into
 * @scan: where records end in what was delivered (SEQPACKET)
 * @batch: packets of the backlog are being taken, and answered together
 * @linked: in the tables; the engine is asked no more when it is not
 * @is_left: an orphan that its node has counted; the node's lock
 * @spare: pages that writes go into again, or NULL
 * @tx_end: stream offset behind the write queue
 * @tx_cursor: skb of the write queue where the next new byte is, or NULL
 * @orphan_node: in weft_net.orphans; orphans_lock
 * @cork_end: when less than a segment goes, though more was to come (MSG_MORE),
 *	ns; 0 while nothing waits for that
 * @gather: small writes, and how long what was not sent of them is held
 * @orphan_end: when an orphan is given up, ns; 0 while there is an fd
 * @few_ranges: lent to the engine until it wants more
 */
struct weft_conn {
	struct rhash_head	hash;
	struct weft_flow_key	key;
	struct rcu_head		rcu;
	struct sock		*sk;
	struct weft_node	*node;
	struct list_head	node_link;
	unsigned long		events;
	struct hrtimer		timer;
	u64			timer_at;

	struct sk_buff_head	ooo;
	u64			rx_next;
	u64			rx_read;
	struct page_frag	pack_frag;
	struct weft_scan	scan;
	bool			batch;
	bool			linked;
	bool			is_left;

	struct weft_spare	*spare;
	u64			tx_end;
	struct sk_buff		*tx_cursor;
	struct hlist_node	orphan_node;
	u64			cork_end;
	struct weft_gather	gather;
	u64			orphan_end;

	/* weft_engine_init() clears it, and says what of the rest is in use. */
	struct weft_engine	engine;
	struct weft_range	few_ranges[WEFT_FEW_RANGES];
};

/* Bits of weft_conn.events. */
#define WEFT_EV_TIMER		0
#define WEFT_EV_NODE_UP		1
#define WEFT_EV_NODE_DOWN	2

/** weft_conn_init() - at load; weft_conn_exit() when no RCU callback is left */
int weft_conn_init(void);
void weft_conn_exit(void);

int weft_conn_init_net(struct weft_net *wn);
void weft_conn_exit_net(struct weft_net *wn);

/**
 * weft_conn_start() - connect an owned socket over the wire
 * @hold: OPEN does not leave before weft_conn_open(): bytes shall go with it
 *
 * The socket is TCP_SYN_SENT afterwards; TCP_ESTABLISHED, or TCP_CLOSE
 * with sk_err, follows. Where it was handed over it is TCP_ESTABLISHED at once.
 */
int weft_conn_start(struct sock *sk, struct weft_node *node, bool hold);

/** weft_conn_open() - OPEN of a held flow may leave, with what was queued */
void weft_conn_open(struct sock *sk);

/**
 * weft_conn_accept() - the flow of a new child; BH
 *
 * @skb: the OPEN; consumed
 *
 * The child, owned by nobody yet, is in the tables afterwards; OPENED has been
 * sent.
 */
int weft_conn_accept(struct sock *child, struct weft_node *node,
		     struct sk_buff *skb, const struct weft_pkt *pkt);

/**
 * weft_conn_accept_hand() - as weft_conn_accept(), without a packet; BH
 * @opener: the engine of the other end, owned by the caller
 * @open: of weft_engine_hand_open(), with its names
 *
 * Return: WEFT_DO_* bits for @opener, and both engines are OPEN; or 0: the node is
 * dead, the flow is known, or there is no memory.
 */
u32 weft_conn_accept_hand(struct sock *child, struct weft_node *node,
			  struct weft_engine *opener,
			  const struct weft_pkt *open);

/* Bytes out: outqueue.c */

/**
 * weft_conn_queue() - bytes to send; sk owned; as weft_local_queue()
 *
 * They leave with weft_conn_flush().
 */
int weft_conn_queue(struct sock *sk, struct weft_pieces *pieces,
		    struct sk_buff_head *list);

/**
 * weft_conn_takes_small() - may @len bytes be queued by weft_conn_queue_small()?
 *
 * A small write where nothing waits is a packet by itself.
 */
bool weft_conn_takes_small(const struct sock *sk, size_t len);

/**
 * weft_conn_queue_small() - bytes of a user, in one piece
 * @record: not negative: put this length of a record in front
 *
 * sk owned. May sleep. Return: 0, -ENOMEM, -EFAULT, with @from where it was.
 */
int weft_conn_queue_small(struct sock *sk, struct iov_iter *from, size_t len,
			  s64 record);

/* How much of what was queued may be sent. */
enum weft_flush {
	WEFT_FLUSH_ALL,
	WEFT_FLUSH_SMALL,	/* all, or it is held with the next: proto/gather.h */
	WEFT_FLUSH_SUPERS,	/* whole super-packets: more is coming at once */
	WEFT_FLUSH_SEGMENTS,	/* whole segments: the rest waits for a while */
	WEFT_FLUSH_LATE,	/* all, from the timer: the others are for tasks */
};

/** weft_conn_flush() - what was queued may be sent */
void weft_conn_flush(struct sock *sk, enum weft_flush how);

/** weft_conn_push() - send what may be sent, arm the timer; sk owned */
void weft_conn_push(struct sock *sk);

/* Options, the reader, the end: conn.c */

/**
 * weft_conn_set_keep() - options of liveness changed; sk owned
 * @on: SO_KEEPALIVE
 */
void weft_conn_set_keep(struct sock *sk, int on);

/** weft_conn_wait() - the reader is about to sleep; sk owned */
void weft_conn_wait(struct sock *sk);

/** weft_conn_read() - the reader has consumed @bytes; sk owned */
void weft_conn_read(struct sock *sk, u32 bytes);

/** weft_conn_set_cc() - the socket's congestion control was chosen; sk owned */
void weft_conn_set_cc(struct sock *sk);

/** weft_conn_max_rate() - SO_MAX_PACING_RATE for the engine, 0: no limit */
u64 weft_conn_max_rate(const struct sock *sk);

void weft_conn_shutdown(struct sock *sk);
/** weft_conn_abort() - RESET, and the socket is dead with @error */
void weft_conn_abort(struct sock *sk, int error);
/** weft_conn_disconnect() - after a connect that failed: as never connected */
void weft_conn_disconnect(struct sock *sk);
/** weft_conn_is_over() - neither end has anything to send any more */
bool weft_conn_is_over(const struct sock *sk);
/** weft_conn_is_sent() - the peer has everything, our end included */
bool weft_conn_is_sent(const struct sock *sk);
/** weft_conn_unsent() - bytes written and not acknowledged */
u64 weft_conn_unsent(const struct sock *sk);

/**
 * weft_conn_renew_orphan() - an orphan has limits.orphan_sec from now on; sk owned
 */
void weft_conn_renew_orphan(struct sock *sk);

/** weft_conn_leave() - no file has it any more; sk owned */
void weft_conn_leave(struct sock *sk);

/** weft_conn_release_cb() - what came while a process owned the socket */
void weft_conn_release_cb(struct sock *sk);
int weft_conn_backlog_rcv(struct sock *sk, struct sk_buff *skb);
/** weft_conn_free() - with the socket, when its flow is over */
void weft_conn_free(struct sock *sk);

/** weft_conn_stray() - answer a packet of a flow that is not there; BH */
void weft_conn_stray(struct weft_node *node, struct sk_buff *skb,
		     const struct weft_pkt *pkt);

/** weft_conn_refuse() - RESET for a flow without a socket */
void weft_conn_refuse(struct weft_node *node, const struct weft_pkt *pkt,
		      enum weft_reset reason);

#endif /* WEFT_CONN_H */
