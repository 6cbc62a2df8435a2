// SPDX-License-Identifier: GPL-2.0
/*
 * Datagrams that come in pieces. proto/frag.c says which pieces belong
 * together; here they are kept, for a time, and within limits that are fair: a
 * node has at most a part of what there is, and when all is used, whoever has
 * most gives up its oldest.
 *
 * Everything is guarded by weft_net.frags_lock, a leaf; what is to be dropped
 * is collected under it and dropped afterwards.
 */
#include <linux/skbuff.h>
#include <linux/slab.h>

#include "frags.h"
#include "net.h"
#include "node.h"
#include "proto/frag.h"
#include "sock.h"

/* A datagram is whole within this time, or never. */
#define FRAGS_DELAY	(5 * HZ)
/* Datagrams of one node, and of all, that are not whole. */
#define FRAGS_PER_NODE	32
#define FRAGS_IN_ALL	256
/* The part of net.weft.limits.fragments that one node may have. */
#define FRAGS_SHARE	4

/**
 * struct assembly - a datagram that is not whole
 * @of_node: in weft_node.frags, oldest first
 * @of_net: in weft_net.frags, oldest first
 * @node: its sender; a reference
 * @expires: jiffies when it is given up
 * @bytes: memory of it and of @pieces
 * @pieces: by offset
 * @books: which they are
 */
struct assembly {
	struct list_head	of_node;
	struct list_head	of_net;
	struct weft_node	*node;
	unsigned long		expires;
	u32			bytes;
	struct sk_buff_head	pieces;
	struct weft_frag	books;
};

/* Memory of one assembly more or less, and of its pieces. */
static void account(struct assembly *a, int bytes)
{
	a->bytes += bytes;
	a->node->frag_bytes += bytes;
	a->node->wn->frag_bytes += bytes;
}

/* Out of the lists; its pieces go to @dropped. Gives its node back. */
static void discard(struct assembly *a, struct sk_buff_head *dropped)
{
	struct weft_net *wn = a->node->wn;

	lockdep_assert_held(&wn->frags_lock);
	account(a, -(int)a->bytes);
	a->node->nr_frags--;
	wn->nr_frags--;
	list_del(&a->of_node);
	list_del(&a->of_net);
	skb_queue_splice_tail_init(&a->pieces, dropped);
	weft_node_put(a->node);
	kfree(a);
}

static void drop_all(struct weft_net *wn, struct sk_buff_head *dropped,
		     enum weft_stat why)
{
	struct sk_buff *skb;

	while ((skb = __skb_dequeue(dropped)))
		weft_drop(wn, skb, why);
}

static struct assembly *find(const struct weft_node *node, u32 id)
{
	struct assembly *a;

	list_for_each_entry(a, &node->frags, of_node)
		if (a->books.id == id)
			return a;
	return NULL;
}

/* How much of what is short a node has: of memory, or @nr of datagrams. */
static u32 has(const struct weft_node *node, bool nr)
{
	return nr ? node->nr_frags : node->frag_bytes;
}

/*
 * The oldest of the node that has most; NULL when that has no more than @node.
 * Many nodes with a small piece each are no reason to take a large datagram
 * from one.
 */
static struct assembly *find_greediest(struct weft_node *node, bool nr)
{
	struct assembly *a, *most = NULL;
	u32 least = has(node, nr);

	list_for_each_entry(a, &node->wn->frags, of_net) {
		if (has(a->node, nr) <= least)
			continue;
		least = has(a->node, nr);
		most = a;
	}
	return most;
}

static struct assembly *find_own(struct weft_node *node)
{
	return list_first_entry_or_null(&node->frags, struct assembly, of_node);
}

/* May @node have @need bytes more, and @one datagram? */
static bool node_may(const struct weft_node *node, u32 need, bool one)
{
	u32 limit = READ_ONCE(node->wn->limits.fragments);

	return node->frag_bytes + need <= limit / FRAGS_SHARE &&
	       node->nr_frags + one <= FRAGS_PER_NODE;
}

static bool all_may_hold(const struct weft_net *wn, u32 need)
{
	return wn->frag_bytes + need <= READ_ONCE(wn->limits.fragments);
}

static bool all_may_begin(const struct weft_net *wn, bool one)
{
	return wn->nr_frags + one <= FRAGS_IN_ALL;
}

/* Room for a piece of @a, or of a new datagram (NULL). It never costs @a. */
static bool make_room(struct weft_node *node, const struct assembly *a,
		      u32 need, struct sk_buff_head *dropped)
{
	struct assembly *victim;

	for (;;) {
		if (!node_may(node, need, !a))
			victim = find_own(node);
		else if (!all_may_hold(node->wn, need))
			victim = find_greediest(node, false) ?: find_own(node);
		else if (!all_may_begin(node->wn, !a))
			victim = find_greediest(node, true) ?: find_own(node);
		else
			return true;
		if (!victim || victim == a)
			return false;
		discard(victim, dropped);
	}
}

static struct assembly *begin(struct weft_node *node,
			      const struct weft_pkt *pkt)
{
	struct assembly *a = kmalloc(sizeof(*a), GFP_ATOMIC | __GFP_NOWARN);
	struct weft_net *wn = node->wn;

	if (!a)
		return NULL;
	/* The caller borrows it, and it may have died since it was found. */
	if (!weft_node_tryhold(node)) {
		kfree(a);
		return NULL;
	}
	a->node = node;
	a->expires = jiffies + FRAGS_DELAY;
	a->bytes = 0;
	__skb_queue_head_init(&a->pieces);
	weft_frag_init(&a->books, pkt);
	list_add_tail(&a->of_node, &node->frags);
	list_add_tail(&a->of_net, &wn->frags);
	node->nr_frags++;
	wn->nr_frags++;
	account(a, sizeof(*a));
	if (!timer_pending(&wn->frags_timer))
		mod_timer(&wn->frags_timer, a->expires);
	return a;
}

/* Into its place; almost always the last. Takes skb. */
static void keep(struct assembly *a, struct sk_buff *skb,
		 const struct weft_pkt *pkt)
{
	struct sk_buff *before;

	__skb_pull(skb, pkt->hlen);
	*weft_cb(skb) = (struct weft_cb){ .offset = pkt->offset };
	skb->dev = NULL;
	skb->ip_summed = CHECKSUM_NONE;
	skb_queue_reverse_walk(&a->pieces, before)
		if (weft_cb(before)->offset < pkt->offset)
			break;
	__skb_queue_after(&a->pieces, before, skb);
	account(a, skb->truesize);
}

/* Pieces in order become one skb, or NULL without memory; takes them. */
static struct sk_buff *join(struct sk_buff_head *pieces)
{
	struct sk_buff *head = __skb_dequeue(pieces), *skb, **tail;

	if ((skb_has_frag_list(head) && skb_linearize(head)) ||
	    skb_unclone(head, GFP_ATOMIC)) {
		kfree_skb(head);
		return NULL;
	}
	tail = &skb_shinfo(head)->frag_list;
	while ((skb = __skb_dequeue(pieces))) {
		*tail = skb;
		tail = &skb->next;
		head->len += skb->len;
		head->data_len += skb->len;
		head->truesize += skb->truesize;
	}
	*tail = NULL;
	return head;
}

/*
 * The books and the piece itself. Takes skb; when it was not kept it is in
 * @wrong, and what made room for it in @evicted.
 */
static void add_piece(struct weft_node *node, struct sk_buff *skb,
		      const struct weft_pkt *pkt, struct sk_buff_head *whole,
		      struct sk_buff_head *wrong, struct sk_buff_head *evicted)
{
	struct assembly *a = find(node, pkt->id);
	bool fresh = !a;

	if (!make_room(node, a, skb->truesize + (a ? 0 : sizeof(*a)),
		       evicted)) {
		__skb_queue_tail(evicted, skb);
		return;
	}
	a = a ?: begin(node, pkt);
	if (!a) {
		__skb_queue_tail(evicted, skb);
		return;
	}
	switch (weft_frag_add(&a->books, pkt)) {
	case WEFT_FRAG_KEEP:
		keep(a, skb, pkt);
		break;
	case WEFT_FRAG_WHOLE:
		keep(a, skb, pkt);
		discard(a, whole);
		break;
	default:
		__skb_queue_tail(wrong, skb);
		if (fresh)
			discard(a, wrong);
	}
}

struct sk_buff *weft_frags_add(struct weft_node *node, struct sk_buff *skb,
			       const struct weft_pkt *pkt)
{
	struct sk_buff_head whole, wrong, evicted;
	struct weft_net *wn = node->wn;

	__skb_queue_head_init(&whole);
	__skb_queue_head_init(&wrong);
	__skb_queue_head_init(&evicted);
	spin_lock_bh(&wn->frags_lock);
	add_piece(node, skb, pkt, &whole, &wrong, &evicted);
	spin_unlock_bh(&wn->frags_lock);
	drop_all(wn, &wrong, WEFT_STAT_drop_fragment);
	drop_all(wn, &evicted, WEFT_STAT_drop_limit);
	if (skb_queue_empty(&whole))
		return NULL;
	skb = join(&whole);
	weft_count(wn, skb ? WEFT_STAT_dgrams_joined : WEFT_STAT_drop_memory,
		   1);
	__skb_queue_purge(&whole);
	return skb;
}

/* All that is older than its time; the timer goes on for the next. */
static void expire(struct timer_list *timer)
{
	struct weft_net *wn = container_of(timer, struct weft_net, frags_timer);
	struct sk_buff_head late;
	struct assembly *a;

	__skb_queue_head_init(&late);
	spin_lock_bh(&wn->frags_lock);
	while ((a = list_first_entry_or_null(&wn->frags, struct assembly,
					     of_net))) {
		if (time_before(jiffies, a->expires)) {
			mod_timer(&wn->frags_timer, a->expires);
			break;
		}
		discard(a, &late);
	}
	spin_unlock_bh(&wn->frags_lock);
	drop_all(wn, &late, WEFT_STAT_drop_fragment);
}

void weft_frags_init_net(struct weft_net *wn)
{
	spin_lock_init(&wn->frags_lock);
	INIT_LIST_HEAD(&wn->frags);
	timer_setup(&wn->frags_timer, expire, 0);
}

void weft_frags_exit_net(struct weft_net *wn)
{
	struct sk_buff_head left;
	struct assembly *a, *next;

	timer_shutdown_sync(&wn->frags_timer);
	__skb_queue_head_init(&left);
	spin_lock_bh(&wn->frags_lock);
	list_for_each_entry_safe(a, next, &wn->frags, of_net)
		discard(a, &left);
	spin_unlock_bh(&wn->frags_lock);
	__skb_queue_purge(&left);
}
