/* SPDX-License-Identifier: GPL-2.0 */
/* Listeners and their children. */
#ifndef WEFT_LISTEN_H
#define WEFT_LISTEN_H

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

/** weft_listen_take() - the oldest child, with its reference, or NULL */
struct sock *weft_listen_take(struct sock *listener);

/** weft_listen_changed() - who waits for a backlog may look again */
void weft_listen_changed(const struct sock *listener);

/** weft_listen_close() - no more children; the queued ones are reset */
void weft_listen_close(struct sock *listener);

/**
 * weft_listen_open() - an OPEN of a new flow came; BH, under RCU
 *
 * Consumes skb. Answers OPENED or RESET, or nothing when the backlog is full.
 */
void weft_listen_open(struct weft_node *node, struct sk_buff *skb,
		      const struct weft_pkt *pkt);

#endif /* WEFT_LISTEN_H */
