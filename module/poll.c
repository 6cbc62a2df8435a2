// SPDX-License-Identifier: GPL-2.0
/* Readiness of a socket, by one set of rules for poll and for blocking calls. */
#include <linux/poll.h>
#include <net/sock.h>

#include "sock.h"

/* Bytes that wait in the buffer that a sender fills, and how many may. */
static void get_fill(const struct sock *sk, int *used, int *limit)
{
	const struct weft_sock *wsk = weft_sk(sk);

	*used = READ_ONCE(sk->sk_wmem_queued);
	*limit = READ_ONCE(sk->sk_sndbuf);
	if (wsk->road == WEFT_ROAD_LOCAL) {
		*used = atomic_read(&wsk->peer->sk_rmem_alloc);
		*limit = READ_ONCE(wsk->peer->sk_rcvbuf);
	}
}

/*
 * A buffer that is not full takes any message: it holds at most one too many,
 * and a message is at most half a buffer.
 */
bool weft_sock_has_room(const struct sock *sk)
{
	int used, limit;

	get_fill(sk, &used, &limit);
	return used < limit;
}

bool weft_sock_is_writable(const struct sock *sk)
{
	int used, limit;

	get_fill(sk, &used, &limit);
	return used <= limit / 2;
}

bool weft_sock_is_drained(const struct sock *sk)
{
	return atomic_read(&sk->sk_rmem_alloc) <= READ_ONCE(sk->sk_rcvbuf) / 2;
}

bool weft_sock_is_readable(const struct sock *sk)
{
	u32 whole;

	if (weft_is_dgram(sk))
		return !skb_queue_empty_lockless(&sk->sk_receive_queue);
	whole = weft_sock_whole(sk);
	if (sk->sk_type == SOCK_SEQPACKET)
		return whole > 0;
	/* What has no room to become more is enough. */
	return (int)whole >= sock_rcvlowat(sk, 0, INT_MAX) ||
	       (whole && !weft_sock_is_drained(sk));
}

bool weft_sock_is_deaf(const struct sock *sk)
{
	const struct weft_sock *wsk = weft_sk(sk);

	return wsk->road == WEFT_ROAD_LOCAL &&
	       (READ_ONCE(wsk->was_reset) ||
		READ_ONCE(weft_sk(wsk->peer)->rx_dead));
}

int weft_sock_may_send(struct sock *sk)
{
	bool stream = sk->sk_type == SOCK_STREAM;
	int err = sock_error(sk);

	/* SO_ERROR may take it at any time: then the state tells. */
	if (err)
		return err;
	if (!stream && !weft_sk(sk)->road)
		return -ENOTCONN;
	if (sk->sk_shutdown & SEND_SHUTDOWN)
		return -EPIPE;
	if (sk->sk_state == TCP_SYN_SENT)
		return -EAGAIN;
	if (sk->sk_state != TCP_ESTABLISHED)
		return stream ? -EPIPE : -ENOTCONN;
	if (READ_ONCE(weft_sk(sk)->was_reset))
		return -EPIPE;
	return weft_sock_hears_end(sk) && weft_sock_is_deaf(sk) ? -EPIPE : 0;
}

void weft_sock_wake_end(struct sock *sk)
{
	int shut = READ_ONCE(sk->sk_shutdown) | RCV_SHUTDOWN;

	sk->sk_state_change(sk);
	sk_wake_async(sk, SOCK_WAKE_WAITD,
		      shut == SHUTDOWN_MASK ? POLL_HUP : POLL_IN);
}

static bool has_children(const struct sock *sk)
{
	return !list_empty_careful(&weft_sk(sk)->accept_q);
}

/* How much of the conversation is over: RCV_SHUTDOWN, SEND_SHUTDOWN bits. */
static int what_is_shut(const struct sock *sk, int state)
{
	const struct weft_sock *wsk = weft_sk(sk);
	int shut = READ_ONCE(sk->sk_shutdown);

	if (READ_ONCE(wsk->rx_eof))
		shut |= RCV_SHUTDOWN;
	if (READ_ONCE(wsk->was_reset))
		shut = SHUTDOWN_MASK;
	/* AF_UNIX's messages end both ways when the peer is gone. */
	if (sk->sk_type == SOCK_SEQPACKET && state == TCP_ESTABLISHED &&
	    weft_sock_is_deaf(sk))
		shut = SHUTDOWN_MASK;
	return shut;
}

static bool can_write(struct sock *sk)
{
	if (weft_sock_is_writable(sk))
		return true;
	sk_set_bit(SOCKWQ_ASYNC_NOSPACE, sk);
	set_bit(SOCK_NOSPACE, &sk->sk_socket->flags);
	/* Room made before the bit was seen: look again; pairs with the
	 * barrier in weft_sock_wake_writer().
	 */
	smp_mb__after_atomic();
	return weft_sock_is_writable(sk);
}

static __poll_t poll_dgram(struct sock *sk)
{
	__poll_t mask = 0;

	if (READ_ONCE(sk->sk_err))
		mask |= EPOLLERR;
	if (READ_ONCE(sk->sk_shutdown) & RCV_SHUTDOWN)
		mask |= EPOLLRDHUP | EPOLLIN | EPOLLRDNORM;
	if (READ_ONCE(sk->sk_shutdown) == SHUTDOWN_MASK)
		mask |= EPOLLHUP;
	if (weft_sock_is_readable(sk))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (sock_writeable(sk) && weft_dgram_has_room(sk))
		mask |= EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
	else
		sk_set_bit(SOCKWQ_ASYNC_NOSPACE, sk);
	return mask;
}

/* AF_UNIX calls a writable socket WRBAND as well, TCP does not. */
static __poll_t mask_of_writable(const struct sock *sk)
{
	__poll_t mask = EPOLLOUT | EPOLLWRNORM;

	return sk->sk_type == SOCK_SEQPACKET ? mask | EPOLLWRBAND : mask;
}

static __poll_t poll_stream(struct sock *sk)
{
	/* Pairs with whoever connects it: what is looked at next is there. */
	int state = smp_load_acquire(&sk->sk_state);
	int shut = what_is_shut(sk, state);
	__poll_t mask = 0;

	smp_rmb();	/* pairs with die() of conn.c */
	if (READ_ONCE(sk->sk_err))
		mask |= EPOLLERR;
	if (shut == SHUTDOWN_MASK || state == TCP_CLOSE)
		mask |= EPOLLHUP;
	if (shut & RCV_SHUTDOWN)
		mask |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
	if (state == TCP_SYN_SENT)
		return READ_ONCE(weft_sk(sk)->held) ?
		       mask | EPOLLOUT | EPOLLWRNORM : mask;
	if (weft_sock_is_readable(sk))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (shut & SEND_SHUTDOWN || state != TCP_ESTABLISHED || can_write(sk))
		mask |= mask_of_writable(sk);
	return mask;
}

/*
 * From now on every append is told, so that an edge-triggered poller sees one
 * event for each. Under the lock that appends hold: one that does not see it
 * came before our look at the queue.
 */
static void note_polled(struct sock *sk)
{
	struct sk_buff_head *q = &sk->sk_receive_queue;

	if (READ_ONCE(weft_sk(sk)->polled))
		return;
	spin_lock_bh(&q->lock);
	WRITE_ONCE(weft_sk(sk)->polled, true);
	spin_unlock_bh(&q->lock);
}

__poll_t weft_poll(struct file *file, struct socket *sock, poll_table *wait)
{
	struct sock *sk = sock->sk;

	sock_poll_wait(file, sock, wait);
	note_polled(sk);
	if (weft_is_dgram(sk))
		return poll_dgram(sk);
	if (READ_ONCE(sk->sk_state) == TCP_LISTEN)
		return has_children(sk) ? EPOLLIN | EPOLLRDNORM : 0;
	return poll_stream(sk);
}
