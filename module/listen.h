/* SPDX-License-Identifier: GPL-2.0 */
/* Listeners and their children. */
#ifndef WEFT_LISTEN_H
#define WEFT_LISTEN_H

#include <linux/list.h>
#include <linux/types.h>

#include "proto/packet.h"

struct sk_buff;
struct sock;
struct weft_net;
struct weft_node;

/** weft_listen_start() - to TCP_LISTEN, or with another backlog; sk owned */
void weft_listen_start(struct sock *listener, int backlog);

/**
 * weft_listen_add() - put a child into the accept queue
 *
 * Takes the caller's reference to @child when it returns 0. Wakes nobody.
 *
 * Return: 0, -ECONNREFUSED no longer listening, -EAGAIN backlog full.
 */
int weft_listen_add(struct sock *listener, struct sock *child);

/** weft_listen_is_full() - would weft_listen_add() say -EAGAIN? A hint. */
bool weft_listen_is_full(const struct sock *listener);

/**
 * weft_listen_take() - the oldest child, with its reference
 *
 * Return: NULL when there is none, -EINVAL when the socket does not listen.
 */
struct sock *weft_listen_take(struct sock *listener);

/** weft_listen_changed() - who waits for a backlog may look again */
void weft_listen_changed(const struct sock *listener);

/**
 * weft_listen_stop() - to TCP_CLOSE; sk owned
 * @children: gets those that nobody took, for weft_listen_drop()
 */
void weft_listen_stop(struct sock *listener, struct list_head *children);

/** weft_listen_drop() - reset children that nobody took; listener not owned */
void weft_listen_drop(struct sock *listener, struct list_head *children);

/**
 * weft_listen_open() - an OPEN of a new flow came; BH, under RCU
 *
 * Consumes skb. Answers OPENED or RESET, or nothing when the backlog is full.
 */
void weft_listen_open(struct weft_node *node, struct sk_buff *skb,
		      const struct weft_pkt *pkt);

/**
 * weft_listen_find() - the listener that an OPEN is for; RCU
 * @ifindex: of the device that it came by, or would have
 *
 * Return: with a reference; NULL: nobody listens there, or with another type.
 */
struct sock *weft_listen_find(struct weft_node *node, int ifindex,
			      const struct weft_pkt *open);

/**
 * weft_listen_prepare() - a child for an opener of this machine; may sleep
 * @node: what the opener's node is to the listener; the caller has a reference
 * @open: of weft_engine_hand_open(), with its names
 *
 * Return: for weft_listen_seat(), with a place in the queue; NULL: there is no
 * room, or no memory.
 */
struct sock *weft_listen_prepare(struct sock *listener, struct weft_node *node,
				 const struct weft_pkt *open);

/**
 * weft_listen_seat() - accept() finds the child from now on
 * @flow: it has one; else, or where nobody listens any more, it ends here, and
 *	its place is free
 *
 * Takes the caller's reference to @child. Wakes nobody.
 *
 * Return: true when the listener is to be woken.
 */
bool weft_listen_seat(struct sock *listener, struct sock *child, bool flow);

#endif /* WEFT_LISTEN_H */
