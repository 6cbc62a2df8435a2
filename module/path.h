/* SPDX-License-Identifier: GPL-2.0 */
/* The road of a packet: send.c, receive.c, offload.c, and who gets it. */
#ifndef WEFT_PATH_H
#define WEFT_PATH_H

#include <linux/skbuff.h>
#include <net/checksum.h>

#include "proto/packet.h"

struct in6_addr;
struct net_device;
struct weft_net;
struct weft_node;

/* Headroom of an skb given to weft_send(): link header and ours. */
#define WEFT_HEADROOM	(LL_MAX_HEADER + WEFT_HLEN_MAX)

/* The sum of all bytes from our start on, folded. */
static inline __sum16 weft_path_sum(const struct sk_buff *skb)
{
	if (skb_is_nonlinear(skb))
		return csum_fold(skb_checksum(skb, 0, skb->len, 0));
	return csum_fold(csum_partial(skb->data, skb->len, 0));
}

/* send.c */

/**
 * weft_send() - send a packet to a node
 * @node: UP; or ASKING or without a place, then a DGRAM waits in
 *	node->pending and any other kind is -EHOSTUNREACH or -ENETDOWN
 * @skb: payload alone (linear or frags), WEFT_HEADROOM in front; consumed
 * @pkt: all but version, session, number, plen, hlen and the introduction,
 *	which are filled here
 * @mss: payload of one segment of DATA; of a DGRAM it is what the path takes.
 *	An skb with more payload than this leaves as a super-packet
 *
 * Counts what leaves: out_packets and out_bytes.
 *
 * BH or process context; no lock but a socket's ownership may be held.
 *
 * Return: 0 or negative errno (-EMSGSIZE, -ENETDOWN, -EHOSTUNREACH; of a DEAD
 * node what it died of). A queue that dropped it is 0, as loss on the way is, and
 * so is a node that was idle and forgotten.
 */
int weft_send(struct weft_node *node, struct sk_buff *skb,
	      struct weft_pkt *pkt, u32 mss);

/**
 * weft_send_reply() - send a packet of no session, or of none that counts,
 * to where a received frame came from
 * @to: the received skb, mac header set, in the call of receive.c that brought
 *	it (its device is borrowed); not consumed
 * @pkt: all but version, hlen and plen, which are filled here
 */
void weft_send_reply(struct weft_net *wn, const struct sk_buff *to,
		     struct weft_pkt *pkt);

/** weft_send_frame() - build and send a packet without payload to a MAC */
int weft_send_frame(struct net_device *dev, const u8 *mac,
		    struct weft_pkt *pkt);

/** weft_send_bare() - weft_send() of a packet without payload */
int weft_send_bare(struct weft_node *node, struct weft_pkt *pkt);

/** weft_send_answer() - RESET or CLOSED to a stray packet, not too often */
void weft_send_answer(struct weft_node *node, struct weft_pkt *pkt);

/**
 * weft_send_pending() - send, or fail to, the datagrams that waited
 *
 * The caller has set node->flushing, and nobody else had: what is sent
 * meanwhile comes behind them. No lock may be held.
 */
void weft_send_pending(struct weft_node *node);

/**
 * weft_hello_fill() - fill pkt->hello: this node, as it is on @dev, to @to
 * @id: our id of the session
 */
void weft_hello_fill(const struct net_device *dev, const struct in6_addr *to,
		     u64 id, struct weft_pkt *pkt);

/** weft_send_probe() - may the path be used? any answer will do */
void weft_send_probe(struct weft_node *node);

/* receive.c */
void weft_receive_init(void);	/* dev_add_pack */
void weft_receive_exit(void);

/**
 * weft_receive_is_alone() - does nobody else get our frames of all devices?
 *
 * False as well where somebody else's frames are looked for together with ours.
 */
bool weft_receive_is_alone(void);

/**
 * weft_receive_parse() - the header of an skb whose data is at our start
 *
 * Of an skb that went through receive.c (trimmed, summed and checked there).
 * May reallocate the head: pointers into it are void afterwards. Pulls
 * nothing; pkt->hlen tells what to pull.
 *
 * Return: false when memory is short.
 */
bool weft_receive_parse(struct sk_buff *skb, struct weft_pkt *pkt);

/* offload.c */
void weft_offload_init(void);
void weft_offload_exit(void);

/* Upcalls of receive.c and node.c; conn.c and dgram.c have them. BH, RCU. */

/**
 * weft_conn_receive() - a packet of a flow (pkt->flow is not 0, or OPEN)
 * @skb: data at our start; consumed
 */
void weft_conn_receive(struct weft_node *node, struct sk_buff *skb,
		       const struct weft_pkt *pkt);

/** weft_dgram_receive() - DGRAM, or RESET of one; skb as above, consumed */
void weft_dgram_receive(struct weft_node *node, struct sk_buff *skb,
			const struct weft_pkt *pkt);

/** weft_conn_node_up() - packets to the node may be sent now; no locks held */
void weft_conn_node_up(struct weft_node *node);

/** weft_conn_node_down() - node is DEAD: end all its flows with node->error */
void weft_conn_node_down(struct weft_node *node);

#endif /* WEFT_PATH_H */
