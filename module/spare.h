/* SPDX-License-Identifier: GPL-2.0 */
/* Pages that a wire connection's writes go into again. */
#ifndef WEFT_SPARE_H
#define WEFT_SPARE_H

#include <linux/types.h>

struct page;
struct sock;

/* Pages that one connection keeps; of 32 KiB, where memory is not in pieces. */
#define WEFT_SPARE_PAGES	120

/**
 * struct weft_spare - what a connection's sender keeps, once it has filled a page
 * @pages: a ring, the oldest first; each with one reference
 * @first: index of the oldest
 * @nr: of them
 * @used: since @end was set
 * @charged: bytes of the socket's memory that they count for
 * @end: when they go, if they were not used, ns
 *
 * All of it belongs to the owner of the socket.
 */
struct weft_spare {
	struct page	*pages[WEFT_SPARE_PAGES];
	u8		first;
	u8		nr;
	bool		used;
	u32		charged;
	u64		end;
};

/**
 * weft_spare_swap() - a page to write into, for one that is full
 * @at: where the connection has its spare pages, NULL for none
 * @full: takes the caller's reference; may be NULL
 *
 * Return: a page with one reference, which is the caller's, or NULL.
 */
struct page *weft_spare_swap(struct sock *sk, struct weft_spare **at,
			     struct page *full);

/** weft_spare_look() - time has passed: they go, or stay for another while */
void weft_spare_look(struct sock *sk, struct weft_spare **at, u64 now);

/** weft_spare_drop() - all of them go */
void weft_spare_drop(struct sock *sk, struct weft_spare **at);

#endif /* WEFT_SPARE_H */
