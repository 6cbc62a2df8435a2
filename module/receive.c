// SPDX-License-Identifier: GPL-2.0
/* Frames in: what they must be before anything looks at them, and who does. */
#include <linux/etherdevice.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <net/checksum.h>
#include <net/dst.h>

#include "fault.h"
#include "link.h"
#include "net.h"
#include "node.h"
#include "path.h"

static const u8 parse_stats[] = {
	[WEFT_PARSE_OK]		= WEFT_STATS,
	[WEFT_PARSE_SHORT]	= WEFT_STAT_drop_short,
	[WEFT_PARSE_VERSION]	= WEFT_STAT_drop_version,
	[WEFT_PARSE_KIND]	= WEFT_STAT_drop_kind,
	[WEFT_PARSE_FLAG]	= WEFT_STAT_drop_flag,
	[WEFT_PARSE_HEADER]	= WEFT_STAT_drop_header,
	[WEFT_PARSE_FIELD]	= WEFT_STAT_drop_field,
};

/*
 * The checks below answer with the reason for which the frame is dropped, or
 * with WEFT_STATS, which is none.
 */

static enum weft_stat check_frame(struct weft_net *wn,
				  const struct sk_buff *skb)
{
	if (!weft_link_find(wn, skb->dev))
		return WEFT_STAT_drop_device;
	if (skb->pkt_type != PACKET_HOST &&
	    skb->pkt_type != PACKET_MULTICAST &&
	    skb->pkt_type != PACKET_BROADCAST)
		return WEFT_STAT_drop_foreign;
	if (!skb_mac_header_was_set(skb) ||
	    is_multicast_ether_addr(eth_hdr(skb)->h_source))
		return WEFT_STAT_drop_foreign;
	return WEFT_STATS;
}

/* Parse what is in front, and have all of the header in the linear part. */
static enum weft_stat parse_header(struct sk_buff *skb, struct weft_pkt *pkt)
{
	unsigned int len = min_t(unsigned int, skb->len, WEFT_HLEN_MAX);
	enum weft_parse result;

	if (!pskb_may_pull(skb, len))
		return WEFT_STAT_drop_memory;
	result = weft_packet_parse(pkt, skb->data, len, skb->len);
	if (result != WEFT_PARSE_OK)
		return parse_stats[result];
	if (!pskb_may_pull(skb, pkt->hlen))
		return WEFT_STAT_drop_memory;
	/* Not what the packet says: only a frame that was not cut has one. */
	pkt->segment = skb_shinfo(skb)->gso_size;
	return WEFT_STATS;
}

/*
 * PARTIAL has never left a kernel. COMPLETE is the device's sum of all bytes
 * that we still have; a device that is wrong about it does not get the last
 * word. No device can know that a sum of ours is right in another way.
 */
static bool is_sum_right(const struct sk_buff *skb)
{
	if (!READ_ONCE(weft_check) || skb->ip_summed == CHECKSUM_PARTIAL)
		return true;
	if (skb->ip_summed == CHECKSUM_COMPLETE && !csum_fold(skb->csum))
		return true;
	return !weft_path_sum(skb);
}

/* From a frame to a packet: without padding, with a right sum, in host form. */
static enum weft_stat open_frame(struct sk_buff *skb, struct weft_pkt *pkt)
{
	enum weft_stat why = parse_header(skb, pkt);

	if (why != WEFT_STATS)
		return why;
	if (pskb_trim_rcsum(skb, pkt->hlen + pkt->plen))
		return WEFT_STAT_drop_memory;
	if (!is_sum_right(skb))
		return WEFT_STAT_drop_check;
	if (skb->pkt_type != PACKET_HOST && pkt->kind != WEFT_WHO)
		return WEFT_STAT_drop_foreign;
	return WEFT_STATS;
}

/* The packet is ours now: nothing of the road that it came stays with it. */
static void clean(struct sk_buff *skb)
{
	memset(skb->cb, 0, sizeof(skb->cb));
	skb_orphan(skb);
	skb_dst_drop(skb);
	nf_reset_ct(skb);
}

static void receive_flow(struct weft_node *node, struct sk_buff *skb,
			 const struct weft_pkt *pkt)
{
	if (pkt->flow)
		weft_conn_receive(node, skb, pkt);
	else if (pkt->kind == WEFT_RESET)
		weft_dgram_receive(node, skb, pkt);
	else if (pkt->kind == WEFT_PROBE || pkt->kind == WEFT_ACK)
		weft_session_probe(node, skb, pkt);
	else
		weft_drop(node->wn, skb, WEFT_STAT_drop_field);
}

typedef void receive_fn(struct weft_node *node, struct sk_buff *skb,
			const struct weft_pkt *pkt);
typedef void handshake_fn(struct weft_net *wn, struct sk_buff *skb,
			  const struct weft_pkt *pkt);

/* Each kind is of a session, or of the handshake that makes one. */
static const struct {
	receive_fn	*receive;
	handshake_fn	*handshake;
} handlers[WEFT_KINDS] = {
	[WEFT_WHO]		= { .handshake = weft_session_who },
	[WEFT_HERE]		= { .handshake = weft_session_here },
	[WEFT_BADSESSION]	= { .handshake = weft_session_bad },
	[WEFT_OPEN]		= { .receive = receive_flow },
	[WEFT_OPENED]		= { .receive = receive_flow },
	[WEFT_DATA]		= { .receive = receive_flow },
	[WEFT_ACK]		= { .receive = receive_flow },
	[WEFT_CLOSE]		= { .receive = receive_flow },
	[WEFT_CLOSED]		= { .receive = receive_flow },
	[WEFT_RESET]		= { .receive = receive_flow },
	[WEFT_PROBE]		= { .receive = receive_flow },
	[WEFT_DGRAM]		= { .receive = weft_dgram_receive },
};

static void dispatch(struct weft_net *wn, struct sk_buff *skb,
		     const struct weft_pkt *pkt)
{
	struct weft_node *node;
	enum weft_stat why;

	weft_count(wn, WEFT_STAT_in_packets, 1);
	weft_count(wn, WEFT_STAT_in_bytes, skb->len);
	if (handlers[pkt->kind].handshake) {
		handlers[pkt->kind].handshake(wn, skb, pkt);
		return;
	}
	node = weft_session_find(wn, skb, pkt, &why);
	if (!node) {
		weft_drop(wn, skb, why);
		return;
	}
	/* It is only borrowed: another CPU may kill it now. */
	weft_fault_delay();
	handlers[pkt->kind].receive(node, skb, pkt);
}

/* BH, RCU. Consumes skb. */
static int receive_frame(struct sk_buff *skb, struct net_device *dev,
			 struct packet_type *type, struct net_device *orig_dev)
{
	struct weft_net *wn = weft_net(dev_net(dev));
	struct weft_pkt pkt __uninitialized;
	enum weft_stat why;

	skb = skb_share_check(skb, GFP_ATOMIC);
	if (!skb) {
		weft_drop(wn, NULL, WEFT_STAT_drop_memory);
		return NET_RX_DROP;
	}
	why = check_frame(wn, skb);
	if (why == WEFT_STATS)
		why = open_frame(skb, &pkt);
	if (why != WEFT_STATS) {
		weft_drop(wn, skb, why);
		return NET_RX_DROP;
	}
	if (weft_fault(WEFT_FAULT_RX)) {
		weft_drop(wn, skb, WEFT_STAT_drop_memory);
		return NET_RX_DROP;
	}
	clean(skb);
	dispatch(wn, skb, &pkt);
	return NET_RX_SUCCESS;
}

bool weft_receive_parse(struct sk_buff *skb, struct weft_pkt *pkt)
{
	return parse_header(skb, pkt) == WEFT_STATS;
}

/* One for the whole machine: one of a namespace would get all others' frames. */
static struct packet_type packets __read_mostly = {
	.func	= receive_frame,
};

void weft_receive_init(void)
{
	packets.type = cpu_to_be16(weft_ethertype);
	dev_add_pack(&packets);
}

/* The list's head is the kernel's own; we are in it from loading on. */
bool weft_receive_is_alone(void)
{
	/* Whoever comes or goes at this moment is seen or not, as on any frame. */
	return data_race(packets.list.next == packets.list.prev);
}

void weft_receive_exit(void)
{
	dev_remove_pack(&packets);
}
