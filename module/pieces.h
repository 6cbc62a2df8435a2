/* SPDX-License-Identifier: GPL-2.0 */
/* User bytes in pages, on their way into a queue of skbs. */
#ifndef WEFT_PIECES_H
#define WEFT_PIECES_H

#include <linux/skbuff.h>
#include <linux/uio.h>

struct sock;

/* Bytes that one struct weft_pieces, and so one skb of a queue, may hold. */
#define WEFT_PIECES_BYTES	65536
#define WEFT_PIECES_MAX		MAX_SKB_FRAGS

/*
 * Bytes to fill at once, so that single pages that begin and end anywhere do;
 * less where the length of a record comes before them.
 */
#define WEFT_CHUNK_BYTES	(min_t(size_t, MAX_SKB_FRAGS - 1, 16) * 4096)
#define WEFT_RECORD_CHUNK	(min_t(size_t, MAX_SKB_FRAGS - 3, 14) * 4096)

/**
 * struct weft_pieces - ranges of pages, a reference to each
 * @n: in use
 * @len: bytes in all
 */
struct weft_pieces {
	unsigned int	n;
	u32		len;
	struct {
		struct page	*page;
		u32		off;
		u32		len;
	} at[WEFT_PIECES_MAX];
};

/**
 * weft_pieces_fill() - copy from the user; may sleep
 *
 * sk is owned, or its sk_allocation is GFP_KERNEL: then the page is the task's.
 *
 * @record: not negative: put this length of a record in front
 * @len: bytes of @from, at most WEFT_PIECES_BYTES with the record's
 *
 * Return: 0, or -ENOMEM, -EFAULT with nothing held and @from where it was.
 */
int weft_pieces_fill(struct sock *sk, struct weft_pieces *pieces,
		     struct iov_iter *from, size_t len, s64 record);
void weft_pieces_drop(struct weft_pieces *pieces);

/** weft_pieces_append() - to an skb of a queue; false when it is full */
bool weft_pieces_append(struct weft_pieces *pieces, struct sk_buff *skb);

/** weft_pieces_into() - to an empty skb, which has room for them */
void weft_pieces_into(struct weft_pieces *pieces, struct sk_buff *skb);

/**
 * weft_pieces_read() - bytes [@pos, @pos + @n) of an skb that is pages alone
 *
 * Return: 0, -EFAULT.
 */
int weft_pieces_read(struct sk_buff *skb, u32 pos, struct msghdr *msg, u32 n);

/** weft_pieces_skb() - a new skb; takes the pieces when it is not NULL */
struct sk_buff *weft_pieces_skb(struct weft_pieces *pieces, gfp_t gfp);

#endif /* WEFT_PIECES_H */
