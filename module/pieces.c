// SPDX-License-Identifier: GPL-2.0
/*
 * User bytes in pages. Writes land side by side in the pages of a page_frag, so
 * that a small write costs a copy and a longer frag of the tail skb, not an skb.
 */
#include <linux/uio.h>
#include <net/sock.h>

#include "conn.h"
#include "pieces.h"
#include "pool.h"
#include "sock.h"
#include "spare.h"

/* Room that a page has, or it is used no more; holds a record's length. */
#define ROOM_MIN	32

/*
 * A socket writes into the page that its task has in hand for all its sockets,
 * so that one that is idle holds none, and a connection of a few bytes needs
 * none of its own. One that must not enter file systems may be written to amid
 * another write of the same task.
 */
static struct page_frag *frag_of(struct sock *sk)
{
	return sk->sk_allocation == GFP_KERNEL ? &current->task_frag :
						 &sk->sk_frag;
}

/* Room in the current page, again from its start if all was read. */
static bool has_room(struct page_frag *pfrag)
{
	if (!pfrag->page)
		return false;
	if (page_ref_count(pfrag->page) == 1) {
		pfrag->offset = 0;
		return true;
	}
	return pfrag->offset + ROOM_MIN <= pfrag->size;
}

/* A page that the peer has read; the full one of @pfrag is given for it. */
static struct page *swap_page(struct sock *sk, struct page_frag *pfrag)
{
	struct weft_sock *wsk = weft_sk(sk);
	struct page *full = pfrag->page, *page;

	if (wsk->road == WEFT_ROAD_WIRE && wsk->conn) {
		pfrag->page = NULL;
		return weft_spare_swap(sk, &wsk->conn->spare, full);
	}
	if (wsk->road != WEFT_ROAD_LOCAL)
		return NULL;
	page = weft_pool_page(wsk->peer);
	if (page && full)
		put_page(full);
	return page;
}

/* What was written before goes on as ours. */
static bool take_recycled(struct sock *sk, struct page_frag *pfrag)
{
	struct page *page = swap_page(sk, pfrag);

	if (!page)
		return false;
	pfrag->page = page;
	pfrag->offset = 0;
	pfrag->size = page_size(page);
	return true;
}

/*
 * Room in the current page; another page when there is none. Without one
 * sk_page_frag_refill() would make SO_SNDBUF smaller, which not all may do that
 * come here, and which does not help.
 */
static struct page_frag *refill(struct sock *sk)
{
	struct page_frag *pfrag = frag_of(sk);

	if (has_room(pfrag) || take_recycled(sk, pfrag) ||
	    skb_page_frag_refill(32, pfrag, sk->sk_allocation))
		return pfrag;
	return NULL;
}

static void add_piece(struct weft_pieces *pieces, struct page_frag *pfrag,
		      u32 len)
{
	unsigned int n = pieces->n;

	get_page(pfrag->page);
	pieces->at[n].page = pfrag->page;
	pieces->at[n].off = pfrag->offset;
	pieces->at[n].len = len;
	pieces->n = n + 1;
	pieces->len += len;
	pfrag->offset += len;
}

/*
 * @n bytes of the user's to @off of the page. Most lie within one page proper,
 * where nothing need be looked up to see that they may.
 */
static bool copy_in(struct page_frag *pfrag, u32 off, size_t n,
		    struct iov_iter *from)
{
	if (offset_in_page(off) + n <= PAGE_SIZE)
		return copy_page_from_iter(pfrag->page + off / PAGE_SIZE,
					   offset_in_page(off), n, from) == n;
	return copy_from_iter(page_address(pfrag->page) + off, n, from) == n;
}

static int fill_some(struct sock *sk, struct weft_pieces *pieces,
		     struct iov_iter *from, size_t len)
{
	while (len) {
		struct page_frag *pfrag;
		size_t n;

		if (pieces->n == WEFT_PIECES_MAX)
			return -ENOMEM;
		pfrag = refill(sk);
		if (!pfrag)
			return -ENOMEM;
		n = min_t(size_t, len, pfrag->size - pfrag->offset);
		if (!copy_in(pfrag, pfrag->offset, n, from))
			return -EFAULT;
		add_piece(pieces, pfrag, n);
		len -= n;
	}
	return 0;
}

/*
 * The length of a record and the bytes that have room beside it, at most @len,
 * as one piece; returns how many bytes those are. A length never straddles
 * pages, so that the reader finds it in one frag: refill() leaves ROOM_MIN
 * bytes at least.
 */
static ssize_t fill_record(struct sock *sk, struct weft_pieces *pieces,
			   struct iov_iter *from, size_t len, u32 length)
{
	struct page_frag *pfrag = refill(sk);
	__be32 head = cpu_to_be32(length);
	size_t n;

	if (!pfrag)
		return -ENOMEM;
	n = min_t(size_t, len, pfrag->size - pfrag->offset - sizeof(head));
	if (n && !copy_in(pfrag, pfrag->offset + sizeof(head), n, from))
		return -EFAULT;
	memcpy(page_address(pfrag->page) + pfrag->offset, &head, sizeof(head));
	add_piece(pieces, pfrag, sizeof(head) + n);
	return n;
}

int weft_pieces_fill(struct sock *sk, struct weft_pieces *pieces,
		     struct iov_iter *from, size_t len, s64 record)
{
	size_t before = iov_iter_count(from);
	ssize_t n = 0;
	int err;

	pieces->n = 0;
	pieces->len = 0;
	if (record >= 0)
		n = fill_record(sk, pieces, from, len, record);
	err = n < 0 ? n : fill_some(sk, pieces, from, len - n);
	if (err) {
		iov_iter_revert(from, before - iov_iter_count(from));
		weft_pieces_drop(pieces);
	}
	return err;
}

void weft_pieces_drop(struct weft_pieces *pieces)
{
	while (pieces->n)
		put_page(pieces->at[--pieces->n].page);
	pieces->len = 0;
}

static void grow(struct sk_buff *skb, u32 len)
{
	skb->len += len;
	skb->data_len += len;
	skb->truesize += len;
	weft_cb(skb)->len += len;
}

bool weft_pieces_append(struct weft_pieces *pieces, struct sk_buff *skb)
{
	struct skb_shared_info *shinfo = skb_shinfo(skb);
	unsigned int i, first = 0;

	if (skb->len + pieces->len > WEFT_PIECES_BYTES)
		return false;
	if (shinfo->nr_frags &&
	    skb_can_coalesce(skb, shinfo->nr_frags, pieces->at[0].page,
			     pieces->at[0].off))
		first = 1;
	if (shinfo->nr_frags + pieces->n - first > MAX_SKB_FRAGS)
		return false;
	if (first) {
		skb_frag_size_add(&shinfo->frags[shinfo->nr_frags - 1],
				  pieces->at[0].len);
		put_page(pieces->at[0].page);
	}
	for (i = first; i < pieces->n; i++)
		skb_fill_page_desc(skb, shinfo->nr_frags, pieces->at[i].page,
				   pieces->at[i].off, pieces->at[i].len);
	grow(skb, pieces->len);
	pieces->n = 0;
	return true;
}

void weft_pieces_into(struct weft_pieces *pieces, struct sk_buff *skb)
{
	*weft_cb(skb) = (struct weft_cb){};
	weft_pieces_append(pieces, skb);
}

struct sk_buff *weft_pieces_skb(struct weft_pieces *pieces, gfp_t gfp)
{
	struct sk_buff *skb = alloc_skb(0, gfp);

	if (skb)
		weft_pieces_into(pieces, skb);
	return skb;
}

/* As copy_in(), the other way. */
static bool copy_out(const skb_frag_t *frag, u32 off, size_t n,
		     struct iov_iter *to)
{
	u32 at = skb_frag_off(frag) + off;

	if (offset_in_page(at) + n <= PAGE_SIZE)
		return weft_copy_page_to_iter(skb_frag_page(frag) + at / PAGE_SIZE,
					      offset_in_page(at), n, to) == n;
	return copy_to_iter(skb_frag_address(frag) + off, n, to) == n;
}

int weft_pieces_read(struct sk_buff *skb, u32 pos, struct msghdr *msg, u32 n)
{
	const skb_frag_t *frag = skb_shinfo(skb)->frags;

	if (!n)
		return 0;
	while (pos >= skb_frag_size(frag))
		pos -= skb_frag_size(frag++);
	while (n) {
		u32 part = min(n, skb_frag_size(frag) - pos);

		if (!copy_out(frag, pos, part, &msg->msg_iter))
			return -EFAULT;
		n -= part;
		pos = 0;
		frag++;
	}
	return 0;
}
