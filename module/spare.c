// SPDX-License-Identifier: GPL-2.0
/*
 * Pages that a wire connection's writes go into again. A kernel that zeroes what
 * it allocates zeroes each page that a user then overwrites. So the sender keeps
 * the pages that it has filled, and goes on in one to which nobody else has a
 * reference any more: not the write queue, not a device, and not the receiver,
 * who has the very page where a veth leads to another namespace. An old byte is
 * never seen, since a frag covers written bytes only.
 */
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <net/proto_memory.h>
#include <net/sock.h>

#include "fault.h"
#include "sock.h"
#include "spare.h"

/* Pages that were not used for so long are given back. */
#define SPARE_IDLE_NS	NSEC_PER_SEC
/* So many of the oldest are looked at for one that is free. */
#define SPARE_LOOK	4

static struct page **nth(struct weft_spare *spare, unsigned int n)
{
	return &spare->pages[(spare->first + n) % WEFT_SPARE_PAGES];
}

/* The @n-th oldest leaves; those before it keep their order. */
static struct page *remove(struct sock *sk, struct weft_spare *spare,
			   unsigned int n)
{
	struct page *page = *nth(spare, n);

	for (; n; n--)
		*nth(spare, n) = *nth(spare, n - 1);
	spare->first = (spare->first + 1) % WEFT_SPARE_PAGES;
	spare->nr--;
	spare->charged -= page_size(page);
	sk_mem_uncharge(sk, page_size(page));
	return page;
}

/*
 * What was written first is read first: the others need not be looked at. Where
 * somebody does not read the oldest, all of them go for want of use.
 */
static struct page *take(struct sock *sk, struct weft_spare *spare)
{
	unsigned int n;

	for (n = 0; n < min_t(u32, spare->nr, SPARE_LOOK); n++) {
		if (page_ref_count(*nth(spare, n)) == 1) {
			spare->used = true;
			return remove(sk, spare, n);
		}
	}
	return NULL;
}

/* Sockets that have much between them keep nothing that they can do without. */
static bool is_memory_plenty(const struct sock *sk)
{
	return sk_memory_allocated(sk) <= sk_prot_mem_limits(sk, 0);
}

static struct weft_spare *make(struct sock *sk, struct weft_spare **at)
{
	if (*at || weft_fault(WEFT_FAULT_ALLOC))
		return *at;
	*at = kzalloc(sizeof(**at), sk->sk_allocation | __GFP_NOWARN);
	if (*at)
		(*at)->end = ktime_get_ns() + SPARE_IDLE_NS;
	return *at;
}

static bool keep(struct sock *sk, struct weft_spare **at, struct page *page)
{
	u32 size = page_size(page);
	struct weft_spare *spare;

	if (!is_memory_plenty(sk))
		return false;
	spare = make(sk, at);
	if (!spare || spare->nr == WEFT_SPARE_PAGES ||
	    !sk_wmem_schedule(sk, size))
		return false;
	sk_mem_charge(sk, size);
	spare->charged += size;
	*nth(spare, spare->nr++) = page;
	return true;
}

struct page *weft_spare_swap(struct sock *sk, struct weft_spare **at,
			     struct page *full)
{
	struct page *page = *at ? take(sk, *at) : NULL;

	if (full && !keep(sk, at, full))
		put_page(full);
	return page;
}

void weft_spare_drop(struct sock *sk, struct weft_spare **at)
{
	struct weft_spare *spare = *at;

	if (!spare)
		return;
	while (spare->nr)
		put_page(*nth(spare, --spare->nr));
	sk_mem_uncharge(sk, spare->charged);
	kfree(spare);
	*at = NULL;
}

void weft_spare_look(struct sock *sk, struct weft_spare **at, u64 now)
{
	struct weft_spare *spare = *at;

	if (!spare || now < spare->end)
		return;
	if (!spare->used) {
		weft_spare_drop(sk, at);
		return;
	}
	spare->used = false;
	spare->end = now + SPARE_IDLE_NS;
}
