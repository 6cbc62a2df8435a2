/* SPDX-License-Identifier: GPL-2.0 */
/* The local road: bytes go into the peer's receive queue. */
#ifndef WEFT_LOCAL_H
#define WEFT_LOCAL_H

#include <linux/types.h>

struct in6_addr;
struct sk_buff_head;
struct sock;
struct weft_pieces;

/** weft_local_pair() - connect two sockets to each other; both owned or new */
void weft_local_pair(struct sock *a, struct sock *b);

/**
 * weft_local_connect() - to a listener of this node; sk owned
 * @wake: set to the listener with a reference, to be woken and put by the
 *	caller once it does not own sk any more
 *
 * Return: 0, -ECONNREFUSED, -EAGAIN backlog full, -ENOMEM.
 */
int weft_local_connect(struct sock *sk, const struct in6_addr *to, u16 port,
		       struct sock **wake);

/**
 * weft_local_queue() - hand bytes to the peer; sk connected, its file in use
 * @tell: set when the peer is to be woken, which the caller does, not owning sk
 *
 * Takes the pieces in any case.
 *
 * A stream that was connected, whose peer has closed, loses them, and is reset.
 *
 * Return: 0, -EPIPE, -ESHUTDOWN shut down by another thread, -ENOMEM.
 */
int weft_local_queue(struct sock *sk, struct weft_pieces *pieces, bool *tell);

/**
 * weft_local_queue_list() - the same for a message that needs several skbs; sk
 * owned; sets weft_sock.tell
 */
int weft_local_queue_list(struct sock *sk, struct sk_buff_head *list);

/** weft_local_shutdown() - we send no more */
void weft_local_shutdown(struct sock *sk);

/**
 * weft_local_close() - the socket is closed; sk owned; wakes nobody
 * @reset: the peer shall see ECONNRESET, which unread bytes tell it too
 */
void weft_local_close(struct sock *sk, bool reset);

#endif /* WEFT_LOCAL_H */
