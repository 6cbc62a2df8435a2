// SPDX-License-Identifier: GPL-2.0
/*
 * The local road. The sender's bytes go into the receiver's receive queue,
 * charged to the receiver, under that queue's lock; the sender waits for the
 * receiver's buffer. Bytes once queued are never touched again: small writes
 * make the tail longer, and the reader takes whole skbs out of the queue before
 * it looks at them.
 */
#include <net/flow.h>
#include <net/sock.h>

#include "fault.h"
#include "listen.h"
#include "local.h"
#include "pause.h"
#include "pieces.h"
#include "pool.h"
#include "port.h"
#include "sock.h"

static void take_peer(struct sock *sk, struct sock *peer)
{
	struct weft_sock *wsk = weft_sk(sk);

	sock_hold(peer);
	WRITE_ONCE(wsk->peer, peer);
	wsk->road = WEFT_ROAD_LOCAL;
	wsk->peer_addr = weft_sk(peer)->addr;
	wsk->peer_port = weft_sk(peer)->port;
	wsk->peer_max_message = weft_sk(peer)->max_message;
	/* Whoever sees it connected sees what it is connected to. */
	smp_store_release(&sk->sk_state, TCP_ESTABLISHED);
}

static void set_max_message(struct sock *sk)
{
	weft_sk(sk)->max_message = max_t(u32, READ_ONCE(sk->sk_rcvbuf) / 2,
					 WEFT_MAX_MESSAGE_MIN);
}

void weft_local_pair(struct sock *a, struct sock *b)
{
	weft_sk(a)->paired = true;
	weft_sk(b)->paired = true;
	set_max_message(a);
	set_max_message(b);
	take_peer(a, b);
	take_peer(b, a);
}

static void unpair(struct sock *sk)
{
	struct weft_sock *wsk = weft_sk(sk);
	struct sock *peer = wsk->peer;

	wsk->peer = NULL;
	wsk->road = WEFT_ROAD_NONE;
	wsk->peer_port = 0;
	sk->sk_state = TCP_CLOSE;
	sock_put(peer);
}

int weft_local_connect(struct sock *sk, const struct in6_addr *to, u16 port,
		       struct sock **wake)
{
	struct weft_net *wn = weft_sock_net(sk);
	struct sock *listener, *child;
	int err;

	listener = weft_port_lookup(wn, false, to, port, &weft_sk(sk)->addr,
				    weft_sk(sk)->port, LOOPBACK_IFINDEX);
	if (!listener)
		return -ECONNREFUSED;
	err = -ECONNREFUSED;
	if (listener->sk_type != sk->sk_type)
		goto put;
	err = -EAGAIN;
	if (weft_listen_is_full(listener))
		goto put;
	err = -ENOMEM;
	child = weft_sock_child(listener, GFP_KERNEL);
	if (!child)
		goto put;
	weft_sk(child)->addr = *to;
	set_max_message(sk);
	set_max_message(child);
	/*
	 * Once it is in the queue the child may be accepted, written to and
	 * closed before we know it; and what is written to us looks for our
	 * pool, in whose place a former listener has its list.
	 */
	weft_sk(sk)->pool = NULL;
	weft_sk(sk)->had_pool = false;
	take_peer(child, sk);
	sock_hold(child);
	err = weft_listen_add(listener, child);
	if (err) {
		unpair(child);
		weft_sock_destroy(child);
		sock_put(child);
		goto put;
	}
	weft_fault_delay();
	take_peer(sk, child);
	sock_put(child);
	*wake = listener;
	return 0;
put:
	sock_put(listener);
	return err;
}

/* One write, or one message, more to read; *@tell: the reader is to hear of it. */
static void count_queued(struct sock *peer, u32 len, bool *tell)
{
	struct weft_sock *wsk = weft_sk(peer);

	lockdep_assert_held(&peer->sk_receive_queue.lock);
	WRITE_ONCE(wsk->rx_bytes, wsk->rx_bytes + len);
	WRITE_ONCE(wsk->rx_whole, wsk->rx_bytes);
	wsk->rx_records++;
	if (weft_pause_tells(peer))
		*tell = true;
}

/* The tail grows by the pieces; false when a new skb is needed. */
static bool append_tail(struct sock *peer, struct weft_pieces *pieces)
{
	struct sk_buff *tail = skb_peek_tail(&peer->sk_receive_queue);
	u32 len = pieces->len;

	if (!tail || !weft_rmem_may(peer, len) ||
	    !weft_pieces_append(pieces, tail))
		return false;
	weft_rmem_charge(peer, len);
	return true;
}

/* @spare, or one that was read before, takes the pieces. */
static int append_new(struct sock *peer, struct weft_pieces *pieces,
		      struct sk_buff **spare)
{
	struct sk_buff *skb = *spare ?: weft_pool_skb(peer);

	if (!skb)
		return -EAGAIN;
	*spare = skb;
	if (!weft_rmem_may(peer, skb->truesize + pieces->len))
		return -ENOMEM;
	*spare = NULL;
	weft_pieces_into(pieces, skb);
	weft_rmem_charge(peer, skb->truesize);
	__skb_queue_tail(&peer->sk_receive_queue, skb);
	return 0;
}

/*
 * -EAGAIN when it takes a new skb, which *@spare then is to be; -ESHUTDOWN when
 * we have told our end, which another thread may do: nothing comes behind it.
 */
static int try_pieces(struct sock *peer, struct weft_pieces *pieces,
		      struct sk_buff **spare, bool *tell)
{
	struct sk_buff_head *q = &peer->sk_receive_queue;
	u32 len = pieces->len;
	int err = 0;

	spin_lock_bh(&q->lock);
	if (weft_sk(peer)->rx_eof)
		err = -ESHUTDOWN;
	else if (weft_sk(peer)->rx_dead)
		err = -EPIPE;
	else if (!append_tail(peer, pieces))
		err = append_new(peer, pieces, spare);
	if (!err)
		count_queued(peer, len, tell);
	spin_unlock_bh(&q->lock);
	return err;
}

/*
 * Bytes for a stream's peer that has closed: they are gone, and the connection
 * is over, as TCP's is when such bytes are answered with a reset.
 */
static void lose_connection(struct sock *sk)
{
	struct sk_buff_head *q = &sk->sk_receive_queue;

	spin_lock_bh(&q->lock);
	WRITE_ONCE(sk->sk_err, EPIPE);
	WRITE_ONCE(weft_sk(sk)->was_reset, true);
	spin_unlock_bh(&q->lock);
	sk_error_report(sk);
}

int weft_local_queue(struct sock *sk, struct weft_pieces *pieces, bool *tell)
{
	struct sock *peer = weft_sk(sk)->peer;
	struct sk_buff *spare = NULL;
	u32 len = pieces->len;
	int err;

	err = try_pieces(peer, pieces, &spare, tell);
	if (err == -EAGAIN) {
		spare = alloc_skb(0, sk->sk_allocation);
		err = spare ? try_pieces(peer, pieces, &spare, tell) : -ENOMEM;
	}
	if (!err)
		weft_count(weft_sock_net(sk), WEFT_STAT_local_bytes, len);
	else
		weft_pieces_drop(pieces);
	consume_skb(spare);
	if (err == -EPIPE && !weft_sock_hears_end(sk)) {
		lose_connection(sk);
		err = 0;
	}
	return err;
}

static int queue_to_peer(struct sock *sk, struct sock *peer,
			 struct sk_buff_head *list, u32 len)
{
	struct sk_buff *skb;
	u32 truesize = 0;

	skb_queue_walk(list, skb)
		truesize += skb->truesize;
	if (!weft_rmem_may(peer, truesize))
		return -ENOMEM;
	weft_rmem_charge(peer, truesize);
	skb_queue_splice_tail_init(list, &peer->sk_receive_queue);
	count_queued(peer, len, &weft_sk(sk)->tell);
	return 0;
}

int weft_local_queue_list(struct sock *sk, struct sk_buff_head *list)
{
	struct sock *peer = weft_sk(sk)->peer;
	struct sk_buff_head *q = &peer->sk_receive_queue;
	struct sk_buff *skb;
	int err = -EPIPE;
	u32 len = 0;

	skb_queue_walk(list, skb)
		len += skb->len;
	spin_lock_bh(&q->lock);
	if (!weft_sk(peer)->rx_dead)
		err = queue_to_peer(sk, peer, list, len);
	spin_unlock_bh(&q->lock);
	if (!err)
		weft_count(weft_sock_net(sk), WEFT_STAT_local_bytes, len);
	__skb_queue_purge(list);
	return err;
}

static void tell_end(struct sock *peer, bool reset)
{
	struct sk_buff_head *q = &peer->sk_receive_queue;

	spin_lock_bh(&q->lock);
	if (reset) {
		/* As TCP: EPIPE when the end had come before. */
		bool ended = weft_sk(peer)->rx_eof &&
			     peer->sk_type == SOCK_STREAM;

		WRITE_ONCE(peer->sk_err, ended ? EPIPE : ECONNRESET);
		WRITE_ONCE(weft_sk(peer)->was_reset, true);
	} else {
		WRITE_ONCE(weft_sk(peer)->rx_eof, true);
	}
	spin_unlock_bh(&q->lock);
}

void weft_local_shutdown(struct sock *sk)
{
	tell_end(weft_sk(sk)->peer, false);
}

void weft_local_close(struct sock *sk, bool reset)
{
	struct weft_sock *wsk = weft_sk(sk);
	struct sk_buff_head *q = &sk->sk_receive_queue;

	spin_lock_bh(&q->lock);
	WRITE_ONCE(wsk->rx_dead, true);
	/* Bytes that nobody will read: the peer learns it, as TCP's would. */
	if (weft_sock_unread(sk))
		reset = true;
	spin_unlock_bh(&q->lock);
	weft_sock_purge(sk);
	tell_end(wsk->peer, reset);
}
