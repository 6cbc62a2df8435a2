// SPDX-License-Identifier: GPL-2.0
/* Super-packets become frames, where the core cannot carry them any further. */
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <net/checksum.h>
#include <net/gso.h>

#include "net.h"
#include "path.h"
#include "proto/wire.h"

/*
 * The header of one segment. skb_segment() left the sum of its payload and a
 * private copy of the header; no device sees an unfinished sum of ours.
 */
static void finish_segment(struct sk_buff *seg, unsigned int hlen,
			   unsigned int index, unsigned int offset)
{
	struct weft_wire_start *start = (void *)skb_network_header(seg);
	unsigned int plen = seg->len - skb_network_offset(seg) - hlen;
	__wsum sum;

	weft_wire_patch(start, index, offset, plen);
	sum = csum_block_add(csum_partial(start, hlen, 0),
			     SKB_GSO_CB(seg)->csum, hlen);
	start->check = csum_fold(sum);
	seg->ip_summed = CHECKSUM_NONE;
}

/* Header bytes of a super-packet of ours, contiguous; 0: it is none. */
static unsigned int super_hlen(struct sk_buff *skb)
{
	const struct weft_wire_start *start;
	unsigned int hlen, least;

	if (!(skb_shinfo(skb)->gso_type & SKB_GSO_SCTP) ||
	    !pskb_may_pull(skb, WEFT_HLEN_DGRAM))
		return 0;
	start = (void *)skb->data;
	hlen = start->hlen;
	least = (start->version_kind & 0x0f) == WEFT_DGRAM ? WEFT_HLEN_DGRAM :
							     WEFT_HLEN_DATA;
	if (hlen < least || !pskb_may_pull(skb, hlen))
		return 0;
	return hlen;
}

static struct sk_buff *segment(struct sk_buff *skb, netdev_features_t features)
{
	unsigned int mss = skb_shinfo(skb)->gso_size;
	unsigned int hlen = super_hlen(skb);
	struct sk_buff *segs, *seg;
	unsigned int index = 0;

	if (!hlen || mss == GSO_BY_FRAGS)
		return ERR_PTR(-EINVAL);
	skb_reset_network_header(skb);
	__skb_pull(skb, hlen);
	skb_reset_transport_header(skb);

	/* Without a checksum feature it sums each payload for us. */
	features &= ~(NETIF_F_CSUM_MASK | NETIF_F_GSO_PARTIAL);
	segs = skb_segment(skb, features);
	if (IS_ERR(segs))
		return segs;
	for (seg = segs; seg; seg = seg->next, index++)
		finish_segment(seg, hlen, index, index * mss);
	return segs;
}

static struct packet_offload offload __read_mostly = {
	.callbacks = {
		.gso_segment = segment,
	},
};

void weft_offload_init(void)
{
	offload.type = cpu_to_be16(weft_ethertype);
	dev_add_offload(&offload);
}

void weft_offload_exit(void)
{
	dev_remove_offload(&offload);
}
