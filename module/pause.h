/* SPDX-License-Identifier: GPL-2.0 */
/* A reader of many small writes sleeps for a while rather than until the next. */
#ifndef WEFT_PAUSE_H
#define WEFT_PAUSE_H

#include <linux/types.h>

#include "sock.h"

struct wait_queue_entry;

/**
 * weft_pause_begin() - is the reader's next sleep to be a pause?
 *
 * Of a STREAM or SEQPACKET sk is owned; of a DGRAM nobody need be.
 *
 * Return: true: from now on weft_pause_hides() may be, and weft_pause_sleep()
 * has to follow.
 */
bool weft_pause_begin(struct sock *sk);

/**
 * weft_pause_sleep() - until the pause is over; sk not owned
 * @wait: on sk's queue; taken off
 * @is_over: is there a reason to end it that lies not in what came?
 * @timeo: jiffies that are left to wait; less the pause's, unless without end
 */
void weft_pause_sleep(struct sock *sk, struct wait_queue_entry *wait,
		      bool (*is_over)(const struct sock *sk), long *timeo);

/** weft_pause_hides() - do sleeping readers not want to hear of this? Queue */
static inline bool weft_pause_hides(const struct sock *sk)
{
	return READ_ONCE(weft_sk(sk)->rx_seldom) &&
	       atomic_read(&sk->sk_rmem_alloc) < READ_ONCE(sk->sk_rcvbuf) / 4;
}

/**
 * weft_pause_tells() - is somebody to hear of what was queued?
 *
 * A reader that sleeps is woken once; a poller hears of each. Queue.
 */
static inline bool weft_pause_tells(struct sock *sk)
{
	struct weft_sock *wsk = weft_sk(sk);

	if ((!wsk->rx_wanted || weft_pause_hides(sk)) && !wsk->polled &&
	    !sock_flag(sk, SOCK_FASYNC))
		return false;
	WRITE_ONCE(wsk->rx_wanted, false);
	return true;
}

/** weft_pause_answer() - the reader sends as well: it is a conversation */
static inline void weft_pause_answer(struct sock *sk)
{
	if (!READ_ONCE(weft_sk(sk)->answers))
		WRITE_ONCE(weft_sk(sk)->answers, true);
}

#endif /* WEFT_PAUSE_H */
