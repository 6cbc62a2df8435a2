// SPDX-License-Identifier: GPL-2.0
/*
 * User bytes in pages. Writes of one socket land side by side in the pages of
 * its page_frag, so that a small write costs a copy and a longer frag of the
 * tail skb, not an skb.
 */
#include <linux/uio.h>
#include <net/sock.h>

#include "pieces.h"
#include "sock.h"

/* Room in the socket's current page; a new page when there is none. */
static struct page_frag *refill(struct sock *sk)
{
	struct page_frag *pfrag = &sk->sk_frag;

	return sk_page_frag_refill(sk, pfrag) ? pfrag : NULL;
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
		if (copy_page_from_iter(pfrag->page, pfrag->offset, n,
					from) != n)
			return -EFAULT;
		add_piece(pieces, pfrag, n);
		len -= n;
	}
	return 0;
}

/*
 * The length of a record; it never straddles pages, so that the reader finds
 * it in one frag. The page has room: refill() leaves at least 32 bytes.
 */
static int fill_record(struct sock *sk, struct weft_pieces *pieces, u32 length)
{
	struct page_frag *pfrag = refill(sk);
	__be32 head = cpu_to_be32(length);

	if (!pfrag)
		return -ENOMEM;
	memcpy(page_address(pfrag->page) + pfrag->offset, &head, sizeof(head));
	add_piece(pieces, pfrag, sizeof(head));
	return 0;
}

/* Pieces that touch become one: the record's length and its first bytes. */
static void join_first(struct weft_pieces *pieces)
{
	if (pieces->n < 2 || pieces->at[0].page != pieces->at[1].page ||
	    pieces->at[0].off + pieces->at[0].len != pieces->at[1].off)
		return;
	put_page(pieces->at[1].page);
	pieces->at[0].len += pieces->at[1].len;
	pieces->n--;
	memmove(&pieces->at[1], &pieces->at[2],
		(pieces->n - 1) * sizeof(pieces->at[0]));
}

int weft_pieces_fill(struct sock *sk, struct weft_pieces *pieces,
		     struct iov_iter *from, size_t len, s64 record)
{
	size_t before = iov_iter_count(from);
	int err = 0;

	pieces->n = 0;
	pieces->len = 0;
	if (record >= 0)
		err = fill_record(sk, pieces, record);
	if (!err)
		err = fill_some(sk, pieces, from, len);
	if (err) {
		iov_iter_revert(from, before - iov_iter_count(from));
		weft_pieces_drop(pieces);
		return err;
	}
	if (record >= 0)
		join_first(pieces);
	return 0;
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

struct sk_buff *weft_pieces_skb(struct weft_pieces *pieces, gfp_t gfp)
{
	struct sk_buff *skb = alloc_skb(0, gfp);

	if (!skb)
		return NULL;
	*weft_cb(skb) = (struct weft_cb){};
	weft_pieces_append(pieces, skb);
	return skb;
}
