// SPDX-License-Identifier: GPL-2.0
/*
 * Recycled pages and skbs of a local connection, one pool for each direction,
 * kept by the receiver; of datagrams the skbs. A fresh page is zeroed and a
 * fresh skb is set up; both cost about as much as the copy of a small message. A
 * page enters the pool when nobody else has a reference to it, and what was
 * written into it before is never shown again: a frag covers written bytes only.
 *
 * A pool is made when bytes keep coming, and ends when none came for a while.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include <net/proto_memory.h>
#include <net/sock.h>

#include "fault.h"
#include "pool.h"
#include "sock.h"

/* Pages are those of page frags: this order, where memory is not in pieces. */
#define POOL_ORDER		get_order(32768)
#define POOL_PAGE_BYTES		(PAGE_SIZE << POOL_ORDER)
#define POOL_PAGES		12
#define POOL_SKBS		256
/* Skbs that are read before there is a pool. */
#define POOL_AFTER		4
/* A pool that was not used in such a period is given back. */
#define POOL_IDLE		HZ
/* Pools looked at under one hold of the lock. */
#define POOL_BATCH		64

/**
 * struct weft_pool - what a receiver keeps for its sender
 *
 * Life: made by the reader, under ownership of @sk. Ends with the connection or
 * when it was idle; whoever takes it out of sk's weft_sock, under the queue
 * lock, frees it.
 *
 * @link: in weft_net.pools; pools_lock
 * @sk: the receiver, which outlives it
 * @used: since it was last looked at; Queue, as the rest
 * @nr_pages: in use of @pages
 * @nr_skbs: in @skbs
 * @charged: bytes that it holds of the socket's memory
 * @pages: each with one reference
 * @skbs: empty, linked by next
 */
struct weft_pool {
	struct list_head	link;
	struct sock		*sk;
	bool			used;
	u8			nr_pages;
	u16			nr_skbs;
	u32			charged;
	struct page		*pages[POOL_PAGES];
	struct sk_buff		*skbs;
};

static spinlock_t *queue_lock(struct sock *sk)
{
	return &sk->sk_receive_queue.lock;
}

/* @skb has no bytes. */
static void keep_skb(struct weft_pool *pool, struct sk_buff *skb)
{
	skb->next = pool->skbs;
	pool->skbs = skb;
	pool->nr_skbs++;
}

static void free_pool(struct weft_pool *pool)
{
	struct sk_buff *skb;

	while (pool->nr_pages)
		put_page(pool->pages[--pool->nr_pages]);
	while ((skb = pool->skbs)) {
		pool->skbs = skb->next;
		skb->next = NULL;
		kfree_skb(skb);
	}
	kfree(pool);
}

/* Nobody finds it any more; the memory is the socket's. */
static void detach(struct weft_pool *pool)
{
	struct sock *sk = pool->sk;
	struct sk_buff *spent;

	lockdep_assert_held(queue_lock(sk));
	weft_sk(sk)->pool = NULL;
	sk_mem_uncharge(sk, pool->charged);
	spent = xchg(&weft_sk(sk)->spent, NULL);
	if (spent)
		keep_skb(pool, spent);
}

/* --- idle pools --- */

/* True when it is out of use and detached. */
static bool detach_if_idle(struct weft_pool *pool)
{
	bool over;

	spin_lock(queue_lock(pool->sk));
	over = !pool->used;
	pool->used = false;
	if (over) {
		detach(pool);
		weft_fault_delay();
	}
	spin_unlock(queue_lock(pool->sk));
	return over;
}

/* Some of @seen go back to the namespace's list, or to @over. */
static void sort_some(struct weft_net *wn, struct list_head *seen,
		      struct list_head *over)
{
	struct weft_pool *pool;
	int n = POOL_BATCH;

	while (n-- && !list_empty(seen)) {
		pool = list_first_entry(seen, struct weft_pool, link);
		list_move_tail(&pool->link,
			       detach_if_idle(pool) ? over : &wn->pools);
	}
}

static void trim(struct work_struct *work)
{
	struct weft_net *wn = container_of(to_delayed_work(work),
					   struct weft_net, pools_work);
	struct weft_pool *pool, *next;
	bool more, again;
	LIST_HEAD(seen);

	spin_lock_bh(&wn->pools_lock);
	list_splice_init(&wn->pools, &seen);
	spin_unlock_bh(&wn->pools_lock);
	do {
		LIST_HEAD(over);

		spin_lock_bh(&wn->pools_lock);
		sort_some(wn, &seen, &over);
		more = !list_empty(&seen);
		again = !list_empty(&wn->pools);
		spin_unlock_bh(&wn->pools_lock);
		list_for_each_entry_safe(pool, next, &over, link)
			free_pool(pool);
		cond_resched();
	} while (more);
	if (again)
		schedule_delayed_work(&wn->pools_work, POOL_IDLE);
}

void weft_pool_init_net(struct weft_net *wn)
{
	INIT_LIST_HEAD(&wn->pools);
	spin_lock_init(&wn->pools_lock);
	INIT_DELAYED_WORK(&wn->pools_work, trim);
}

void weft_pool_exit_net(struct weft_net *wn)
{
	/* No socket is left, and so no pool that would start it again. */
	cancel_delayed_work_sync(&wn->pools_work);
	WARN_ON_ONCE(!list_empty(&wn->pools));
}

/* --- the receiver --- */

/* NULL, or @pool when another reader of datagrams was first. */
static struct weft_pool *install(struct sock *sk, struct weft_pool *pool)
{
	spin_lock(queue_lock(sk));
	swap(weft_sk(sk)->pool, pool);
	if (pool)
		swap(weft_sk(sk)->pool, pool);
	WRITE_ONCE(weft_sk(sk)->had_pool, true);
	spin_unlock(queue_lock(sk));
	return pool;
}

void weft_pool_prepare(struct sock *sk)
{
	struct weft_net *wn = weft_sock_net(sk);
	struct weft_sock *wsk = weft_sk(sk);
	struct weft_pool *pool;

	/* One that ends meanwhile is missed once. */
	if (READ_ONCE(wsk->pool) || ++wsk->reads < POOL_AFTER)
		return;
	wsk->reads = 0;
	pool = kzalloc(sizeof(*pool), GFP_KERNEL | __GFP_NOWARN);
	if (!pool)
		return;
	pool->sk = sk;
	pool->used = true;
	spin_lock_bh(&wn->pools_lock);
	pool = install(sk, pool);
	if (!pool && list_empty(&wn->pools))
		schedule_delayed_work(&wn->pools_work, POOL_IDLE);
	if (!pool)
		list_add_tail(&wsk->pool->link, &wn->pools);
	spin_unlock_bh(&wn->pools_lock);
	kfree(pool);
}

void weft_pool_end(struct sock *sk)
{
	struct weft_net *wn = weft_sock_net(sk);
	struct weft_pool *pool;

	/* A listener has its children there. */
	if (weft_sk(sk)->road != WEFT_ROAD_LOCAL && !weft_is_dgram(sk))
		return;
	/*
	 * Who has taken the pool from the socket still works on that, in a hold
	 * of both locks: that there is none now does not say that it is over.
	 */
	if (!READ_ONCE(weft_sk(sk)->had_pool))
		return;
	spin_lock_bh(&wn->pools_lock);
	spin_lock(queue_lock(sk));
	pool = weft_sk(sk)->pool;
	if (pool) {
		detach(pool);
		list_del(&pool->link);
	}
	spin_unlock(queue_lock(sk));
	spin_unlock_bh(&wn->pools_lock);
	if (pool)
		free_pool(pool);
}

/*
 * May the pool hold so much more? What all sockets have together counts too:
 * below the first threshold of net.weft.mem nobody is missing it.
 */
static bool may_charge(struct weft_pool *pool, u32 size)
{
	struct sock *sk = pool->sk;

	if (sk_memory_allocated(sk) > sk_prot_mem_limits(sk, 0) ||
	    pool->charged + size > READ_ONCE(sk->sk_rcvbuf) + POOL_PAGE_BYTES ||
	    !weft_rmem_may(sk, size))
		return false;
	sk_mem_charge(sk, size);
	pool->charged += size;
	return true;
}

/* The page is nobody else's: its only reference is the frag's. */
static bool is_ours(struct page *page)
{
	return page_ref_count(page) == 1 && compound_order(page) == POOL_ORDER &&
	       !page_is_pfmemalloc(page);
}

/* Pages of @skb that the pool takes leave it. */
static void keep_pages(struct weft_pool *pool, struct sk_buff *skb)
{
	struct skb_shared_info *shinfo = skb_shinfo(skb);
	unsigned int i, left = 0;

	for (i = 0; i < shinfo->nr_frags; i++) {
		struct page *page = skb_frag_page(&shinfo->frags[i]);

		if (pool->nr_pages < POOL_PAGES && is_ours(page) &&
		    may_charge(pool, POOL_PAGE_BYTES))
			pool->pages[pool->nr_pages++] = page;
		else
			shinfo->frags[left++] = shinfo->frags[i];
	}
	shinfo->nr_frags = left;
}

void weft_pool_strip(struct sk_buff *skb)
{
	struct skb_shared_info *shinfo = skb_shinfo(skb);

	while (shinfo->nr_frags)
		put_page(skb_frag_page(&shinfo->frags[--shinfo->nr_frags]));
	skb->truesize -= skb->data_len;
	skb->len = 0;
	skb->data_len = 0;
	skb_reset_tail_pointer(skb);
}

void weft_pool_keep(struct sock *sk, struct sk_buff_head *done)
{
	struct weft_pool *pool = weft_sk(sk)->pool;
	struct sk_buff *skb, *next;

	lockdep_assert_held(queue_lock(sk));
	if (!pool)
		return;
	pool->used = true;
	skb_queue_walk_safe(done, skb, next) {
		keep_pages(pool, skb);
		if (pool->nr_skbs < POOL_SKBS &&
		    may_charge(pool, skb->truesize - skb->data_len)) {
			__skb_unlink(skb, done);
			weft_pool_strip(skb);
			keep_skb(pool, skb);
		}
	}
}

bool weft_pool_keep_one(struct sock *sk, struct sk_buff *skb)
{
	struct weft_pool *pool = weft_sk(sk)->pool;

	lockdep_assert_held(queue_lock(sk));
	if (!pool || pool->nr_skbs >= POOL_SKBS ||
	    !may_charge(pool, skb->truesize))
		return false;
	pool->used = true;
	keep_skb(pool, skb);
	return true;
}

/* --- the sender --- */

/* What was the pool's is free for what the socket receives next. */
static void uncharge(struct weft_pool *pool, u32 size)
{
	pool->charged -= size;
	pool->used = true;
	sk_mem_charge(pool->sk, -(int)size);
}

struct sk_buff *weft_pool_skb(struct sock *sk)
{
	struct weft_pool *pool = weft_sk(sk)->pool;
	struct sk_buff *skb;

	lockdep_assert_held(queue_lock(sk));
	if (!pool || !pool->skbs)
		return NULL;
	skb = pool->skbs;
	pool->skbs = skb->next;
	skb->next = NULL;
	pool->nr_skbs--;
	uncharge(pool, skb->truesize);
	return skb;
}

struct page *weft_pool_page(struct sock *sk)
{
	struct page *page = NULL;
	struct weft_pool *pool;

	if (!READ_ONCE(weft_sk(sk)->pool))
		return NULL;
	spin_lock_bh(queue_lock(sk));
	pool = weft_sk(sk)->pool;
	if (pool && pool->nr_pages) {
		page = pool->pages[--pool->nr_pages];
		uncharge(pool, POOL_PAGE_BYTES);
	}
	spin_unlock_bh(queue_lock(sk));
	return page;
}
