/* SPDX-License-Identifier: GPL-2.0 */
/* Pieces of datagrams, until all of them are here. */
#ifndef WEFT_FRAGS_H
#define WEFT_FRAGS_H

struct sk_buff;
struct weft_net;
struct weft_node;
struct weft_pkt;

void weft_frags_init_net(struct weft_net *wn);

/**
 * weft_frags_exit_net() - let go what waits; no packet comes any more
 */
void weft_frags_exit_net(struct weft_net *wn);

/**
 * weft_frags_add() - a piece of a datagram came; BH
 * @skb: data at our start, header linear; consumed
 *
 * Return: the datagram, whole, its payload from the data on, or NULL.
 */
struct sk_buff *weft_frags_add(struct weft_node *node, struct sk_buff *skb,
			       const struct weft_pkt *pkt);

#endif /* WEFT_FRAGS_H */
