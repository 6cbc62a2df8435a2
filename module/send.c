// SPDX-License-Identifier: GPL-2.0
/* Packets out: header, sum, and the device. */
#include <linux/etherdevice.h>
#include <linux/hash.h>
#include <linux/netdevice.h>
#include <linux/sctp.h>
#include <linux/skbuff.h>
#include <net/checksum.h>

#include "fault.h"
#include "net.h"
#include "node.h"
#include "path.h"

/* All nodes together hold at most as many datagrams as so many full ones. */
#define PENDING_NODES	16

/* What a datagram that waits counts for: one for each so many bytes. */
#define PENDING_BYTES	2048

/* Behind the header of a packet without payload: short frames are padded. */
#define BARE_TAILROOM	64

/*
 * Where a packet goes: a copy of what a node's lock guards.
 * @dev is borrowed under RCU.
 */
struct way {
	struct net_device	*dev;
	u8			mac[ETH_ALEN];
	u8			version;
	bool			introduce;
	u32			frame;
	u64			local_id;
	u64			remote_id;
};

/*
 * How often weft_send_pending() looks for datagrams that came behind those it
 * has sent: what comes then may overtake the last of them.
 */
#define PENDING_ROUNDS	8

/* What of a datagram's struct weft_pkt must be kept while it waits. */
struct waiting {
	u16	sport;
	u16	dport;
	u32	id;
	u32	offset;
	u32	total;
};

static struct waiting *waiting_cb(struct sk_buff *skb)
{
	BUILD_BUG_ON(sizeof(struct waiting) > sizeof(skb->cb));
	return (struct waiting *)skb->cb;
}

static void count_out(struct weft_net *wn, const struct sk_buff *skb, u8 kind)
{
	static const u8 stat_of[WEFT_KINDS] = {
		[WEFT_WHO]		= WEFT_STAT_out_who,
		[WEFT_HERE]		= WEFT_STAT_out_here,
		[WEFT_BADSESSION]	= WEFT_STAT_out_badsession,
	};

	weft_count(wn, WEFT_STAT_out_packets, 1);
	weft_count(wn, WEFT_STAT_out_bytes, skb->len);
	if (stat_of[kind])
		weft_count(wn, stat_of[kind], 1);
}

/* Packets of one flow, and they alone, share a queue of the device. */
static u32 hash_flow(const struct weft_pkt *pkt)
{
	u64 flow = pkt->flow << 1 | (pkt->flags & WEFT_F_OPENER);

	if (pkt->kind == WEFT_DGRAM)
		flow = (u64)pkt->sport << 16 | pkt->dport;
	return hash_64(pkt->session ^ hash_64(flow, 64), 32) ?: 1;
}

/* The core carries it whole as far as it can, and segment() cuts it there. */
static void mark_super(struct sk_buff *skb, u32 mss)
{
	struct skb_shared_info *shinfo = skb_shinfo(skb);
	unsigned int plen = skb->len - skb_transport_offset(skb);

	shinfo->gso_size = mss;
	shinfo->gso_segs = DIV_ROUND_UP(plen, mss);
	shinfo->gso_type = SKB_GSO_SCTP;
	skb->ip_summed = CHECKSUM_PARTIAL;
	/*
	 * Behind it the core takes a header of SCTP's for a part of each segment,
	 * when it asks how long one is. For that it counts the sum of them short
	 * by as much, as it does SCTP's.
	 */
	skb->transport_header -= sizeof(struct sctphdr);
	skb->csum_start = skb_headroom(skb);
	skb->csum_offset = offsetof(struct weft_wire_start, check);
}

/*
 * Put the header in front of the payload. It is written here once and for all:
 * clones of the frame share it from now on.
 */
static void put_header(struct sk_buff *skb, struct weft_pkt *pkt, u32 mss)
{
	unsigned int hlen = weft_packet_hlen(pkt->kind, pkt->flags);
	unsigned int plen = skb->len;
	struct weft_wire_start *start;

	pkt->plen = plen;
	start = skb_push(skb, hlen);
	weft_packet_build(pkt, (u8 *)start);
	skb_reset_network_header(skb);
	skb_set_transport_header(skb, hlen);
	if (plen > mss) {
		mark_super(skb, mss);
		return;
	}
	start->check = weft_path_sum(skb);
	skb->ip_summed = CHECKSUM_NONE;
}

/* Give a finished packet to its device; consumes skb. RCU. */
static int transmit(struct weft_net *wn, struct sk_buff *skb,
		    struct net_device *dev, const u8 *mac,
		    const struct weft_pkt *pkt)
{
	int err;

	count_out(wn, skb, pkt->kind);
	skb->dev = dev;
	skb->protocol = cpu_to_be16(weft_ethertype);
	skb_set_hash(skb, hash_flow(pkt), PKT_HASH_TYPE_L4);
	err = dev_hard_header(skb, dev, weft_ethertype, mac, NULL, skb->len);
	if (err < 0) {
		kfree_skb(skb);
		return err;
	}
	if (weft_fault(WEFT_FAULT_TX)) {
		kfree_skb(skb);
		return 0;
	}
	err = dev_queue_xmit(skb);
	return err == -ENETDOWN ? err : 0;
}

void weft_hello_fill(const struct net_device *dev, const struct in6_addr *to,
		     u64 id, struct weft_pkt *pkt)
{
	struct in6_addr own = weft_net_address(weft_net(dev_net(dev)));
	struct weft_hello *hello = &pkt->hello;

	BUILD_BUG_ON(sizeof(own) != sizeof(hello->from));
	memcpy(hello->from, &own, sizeof(hello->from));
	memcpy(hello->to, to, sizeof(hello->to));
	hello->session = id;
	hello->version_min = WEFT_VERSION_MIN;
	hello->version_max = WEFT_VERSION_MAX;
	hello->features = 0;
	hello->frame = READ_ONCE(dev->mtu);
}

static struct sk_buff *alloc_bare(void)
{
	struct sk_buff *skb;

	if (weft_fault(WEFT_FAULT_ALLOC))
		return NULL;
	skb = alloc_skb(WEFT_HEADROOM + BARE_TAILROOM,
			GFP_ATOMIC | __GFP_NOWARN);
	if (skb)
		skb_reserve(skb, WEFT_HEADROOM);
	return skb;
}

int weft_send_frame(struct net_device *dev, const u8 *mac,
		    struct weft_pkt *pkt)
{
	struct weft_net *wn = weft_net(dev_net(dev));
	struct sk_buff *skb = alloc_bare();

	if (!skb) {
		weft_drop(wn, NULL, WEFT_STAT_drop_memory);
		return -ENOMEM;
	}
	pkt->version = WEFT_VERSION_MAX;
	put_header(skb, pkt, U32_MAX);
	return transmit(wn, skb, dev, mac, pkt);
}

void weft_send_reply(struct weft_net *wn, const struct sk_buff *to,
		     struct weft_pkt *pkt)
{
	weft_send_frame(to->dev, eth_hdr(to)->h_source, pkt);
}

/* A datagram waits for a way. Returns false, and takes nothing, when full. */
static bool queue_pending(struct weft_node *node, struct sk_buff *skb,
			  const struct weft_pkt *pkt)
{
	struct waiting *waiting = waiting_cb(skb);
	int most = READ_ONCE(node->wn->limits.pending);
	int frames = skb->len / PENDING_BYTES + 1;

	lockdep_assert_held(&node->lock);
	if (node->nr_pending + frames > most ||
	    atomic_read(&node->wn->nr_pending) + frames > most * PENDING_NODES)
		return false;
	node->nr_pending += frames;
	atomic_add(frames, &node->wn->nr_pending);
	waiting->sport = pkt->sport;
	waiting->dport = pkt->dport;
	waiting->id = pkt->id;
	waiting->offset = pkt->offset;
	waiting->total = pkt->total;
	__skb_queue_tail(&node->pending, skb);
	return true;
}

static void fill_way(const struct weft_node *node, struct way *way)
{
	lockdep_assert_held(&node->lock);
	way->dev = node->dev;
	memcpy(way->mac, node->mac, sizeof(way->mac));
	way->version = node->version;
	way->introduce = !node->confirmed;
	way->frame = min(node->frame, READ_ONCE(node->dev->mtu));
	way->local_id = node->local_id;
	way->remote_id = node->remote_id;
}

/*
 * What becomes of a packet: a way is filled, or there is none now (a datagram
 * then waits, if it may), or never will be. Behind others that waited and are
 * being sent it waits as well.
 */
enum outlook {
	OUTLOOK_WAY,
	OUTLOOK_WAITS,
	OUTLOOK_BEHIND,
	OUTLOOK_FULL,
	OUTLOOK_NO_PLACE,
	OUTLOOK_ASKING,
	OUTLOOK_DEAD,
};

static bool has_place(const struct weft_node *node)
{
	return node->state == WEFT_NODE_UP && node->dev;
}

/* @waited: it is one of those that weft_send_pending() sends. */
static enum outlook find_way(struct weft_node *node, struct way *way,
			     struct sk_buff *skb, const struct weft_pkt *pkt,
			     bool waited)
{
	bool waits = pkt->kind == WEFT_DGRAM && !waited && node->flushing;

	lockdep_assert_held(&node->lock);
	if (node->state == WEFT_NODE_DEAD)
		return OUTLOOK_DEAD;
	if (has_place(node) && !waits) {
		fill_way(node, way);
		return OUTLOOK_WAY;
	}
	if (pkt->kind == WEFT_DGRAM && !queue_pending(node, skb, pkt))
		return OUTLOOK_FULL;
	if (pkt->kind == WEFT_DGRAM)
		return has_place(node) ? OUTLOOK_BEHIND : OUTLOOK_WAITS;
	return node->state == WEFT_NODE_UP ? OUTLOOK_NO_PLACE : OUTLOOK_ASKING;
}

static void introduce(struct weft_node *node, const struct way *way,
		      struct weft_pkt *pkt)
{
	pkt->flags |= WEFT_F_INTRO;
	weft_hello_fill(way->dev, &node->addr, way->local_id, pkt);
}

static void number_packet(struct weft_node *node, const struct way *way,
			  struct weft_pkt *pkt, unsigned int segs)
{
	pkt->version = way->version;
	pkt->session = way->remote_id;
	pkt->number = atomic64_fetch_add(segs, &node->number);
}

/* A packet too big for its introduction follows one that carries it. */
static void introduce_ahead(struct weft_node *node, const struct way *way)
{
	struct weft_pkt pkt = { .kind = WEFT_PROBE };
	struct sk_buff *skb = alloc_bare();

	if (!skb) {
		weft_drop(node->wn, NULL, WEFT_STAT_drop_memory);
		return;
	}
	introduce(node, way, &pkt);
	number_packet(node, way, &pkt, 1);
	put_header(skb, &pkt, U32_MAX);
	transmit(node->wn, skb, way->dev, way->mac, &pkt);
}

/* Payload of each frame that the packet becomes. */
static u32 segment_of(const struct way *way, const struct sk_buff *skb,
		      const struct weft_pkt *pkt, u32 mss)
{
	/* A device may shrink at any moment; it is then left, but not yet. */
	if (pkt->kind == WEFT_DGRAM && way->frame > WEFT_HLEN_DGRAM)
		mss = way->frame - WEFT_HLEN_DGRAM;
	else if (pkt->kind != WEFT_DATA)
		mss = skb->len;
	return min(skb->len, mss);
}

/* A datagram that leaves in pieces has a name that tells them from others. */
static void name_dgram(struct weft_node *node, struct weft_pkt *pkt)
{
	do {
		pkt->id = atomic_inc_return(&node->dgram_id);
	} while (!pkt->id);
	weft_count(node->wn, WEFT_STAT_dgrams_cut, 1);
}

/* Send over a way; consumes skb. RCU. */
static int send_along(struct weft_node *node, const struct way *way,
		      struct sk_buff *skb, struct weft_pkt *pkt, u32 mss)
{
	u32 most = pkt->kind == WEFT_DGRAM ? WEFT_DGRAM_BYTES : WEFT_SUPER_MAX;
	u32 segment = segment_of(way, skb, pkt, mss);
	u32 room = way->frame - min(way->frame, segment);
	int err;

	if (room < weft_packet_hlen(pkt->kind, 0) || skb->len > most ||
	    WARN_ON_ONCE(skb_headroom(skb) < WEFT_HEADROOM)) {
		kfree_skb(skb);
		return -EMSGSIZE;
	}
	pkt->flags &= ~WEFT_F_INTRO;
	if (way->introduce) {
		if (room >= weft_packet_hlen(pkt->kind, WEFT_F_INTRO))
			introduce(node, way, pkt);
		else
			introduce_ahead(node, way);
	}
	if (pkt->kind == WEFT_DGRAM && skb->len > segment)
		name_dgram(node, pkt);
	number_packet(node, way, pkt,
		      segment ? DIV_ROUND_UP(skb->len, segment) : 1);
	put_header(skb, pkt, segment ?: U32_MAX);
	err = transmit(node->wn, skb, way->dev, way->mac, pkt);
	weft_node_spoke(node);
	return err;
}

static int send_now(struct weft_node *node, struct sk_buff *skb,
		    struct weft_pkt *pkt, u32 mss, bool waited)
{
	enum outlook outlook;
	struct way way;
	int err = 0;

	rcu_read_lock();
	spin_lock_bh(&node->lock);
	outlook = find_way(node, &way, skb, pkt, waited);
	spin_unlock_bh(&node->lock);

	switch (outlook) {
	case OUTLOOK_WAY:
		err = send_along(node, &way, skb, pkt, mss);
		break;
	case OUTLOOK_WAITS:
		weft_node_seek(node);
		break;
	case OUTLOOK_BEHIND:
		break;
	case OUTLOOK_FULL:
		weft_drop(node->wn, skb, WEFT_STAT_drop_limit);
		break;
	case OUTLOOK_NO_PLACE:
		weft_drop(node->wn, skb, WEFT_STAT_drop_device);
		weft_node_seek(node);
		err = -ENETDOWN;
		break;
	case OUTLOOK_ASKING:
		kfree_skb(skb);
		err = -EHOSTUNREACH;
		break;
	case OUTLOOK_DEAD:
		/* One forgotten while idle (no error) lost a packet, no more. */
		weft_drop(node->wn, skb, WEFT_STAT_drop_unreachable);
		err = -node->error;
		break;
	}
	rcu_read_unlock();
	return err;
}

int weft_send(struct weft_node *node, struct sk_buff *skb,
	      struct weft_pkt *pkt, u32 mss)
{
	return send_now(node, skb, pkt, mss, false);
}

int weft_send_bare(struct weft_node *node, struct weft_pkt *pkt)
{
	struct sk_buff *skb = alloc_bare();

	if (!skb)
		return -ENOMEM;
	return weft_send(node, skb, pkt, U32_MAX);
}

/* May this node be answered once more? See struct weft_shared_quota. */
static bool may_answer(struct weft_node *node)
{
	u8 mac[ETH_ALEN];

	spin_lock_bh(&node->lock);
	memcpy(mac, node->mac, sizeof(mac));
	spin_unlock_bh(&node->lock);
	return weft_shared_quota_allow(&node->wn->rate_bad, mac,
				       READ_ONCE(node->wn->limits.answers));
}

void weft_send_answer(struct weft_node *node, struct weft_pkt *pkt)
{
	if (!may_answer(node)) {
		weft_drop(node->wn, NULL, WEFT_STAT_drop_rate);
		return;
	}
	weft_count(node->wn, pkt->kind == WEFT_RESET ? WEFT_STAT_out_reset :
						       WEFT_STAT_out_closed, 1);
	weft_send_bare(node, pkt);
}

void weft_send_probe(struct weft_node *node)
{
	struct weft_pkt pkt = { .kind = WEFT_PROBE };

	weft_send_bare(node, &pkt);
}

static void send_waiting(struct weft_node *node, struct sk_buff *skb)
{
	const struct waiting *waiting = waiting_cb(skb);
	struct weft_pkt pkt = {
		.kind	= WEFT_DGRAM,
		.sport	= waiting->sport,
		.dport	= waiting->dport,
		.id	= waiting->id,
		.offset	= waiting->offset,
		.total	= waiting->total,
	};

	if (send_now(node, skb, &pkt, U32_MAX, true))
		weft_drop(node->wn, NULL, WEFT_STAT_drop_unreachable);
}

void weft_send_pending(struct weft_node *node)
{
	struct sk_buff_head pending;
	int rounds = PENDING_ROUNDS;
	struct sk_buff *skb;
	bool more;

	__skb_queue_head_init(&pending);
	do {
		spin_lock_bh(&node->lock);
		weft_node_take_pending(node, &pending);
		more = !skb_queue_empty(&pending) && --rounds;
		node->flushing = more;
		spin_unlock_bh(&node->lock);

		weft_fault_delay();
		while ((skb = __skb_dequeue(&pending)))
			send_waiting(node, skb);
	} while (more);
}
