/* SPDX-License-Identifier: GPL-2.0 */
/* Listeners and their children. */
#ifndef WEFT_LISTEN_H
#define WEFT_LISTEN_H

#include <linux/list.h>
#include <linux/types.h>

#include "proto/packet.h"

struct sk_buff;
struct sock;
struct weft_engine;
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
 * weft_listen_hand() - an OPEN of another namespace, by hand; BH, under RCU
 * @node: what the opener's node is to the listener
 * @ifindex: of the device that a packet would have come by
 * @opener: its engine, owned by the caller
 * @open: of weft_engine_hand_open(), with its names
 *
 * Where nobody listens, or has room, a packet finds out why.
 *
 * Return: WEFT_DO_* bits for @opener, which is OPEN then; or 0: nothing was done.
 */
u32 weft_listen_hand(struct weft_node *node, int ifindex,
		     struct weft_engine *opener, const struct weft_pkt *open);

#endif /* WEFT_LISTEN_H */
