// SPDX-License-Identifier: GPL-2.0
/*
 * STREAM and SEQPACKET: send and receive. Both are bytes in order; a SEQPACKET
 * message is its length and then its bytes.
 */
#include <linux/net.h>
#include <linux/splice.h>
#include <net/sock.h>

#include "conn.h"
#include "fault.h"
#include "local.h"
#include "pause.h"
#include "pieces.h"
#include "pool.h"
#include "proto/wire.h"
#include "sock.h"

static bool is_seqpacket(const struct sock *sk)
{
	return sk->sk_type == SOCK_SEQPACKET;
}

/* Is somebody to be told of what was queued, or read? Clears it; sk owned. */
static bool take_flag(bool *flag)
{
	bool was = *flag;

	*flag = false;
	return was;
}

/* The local peer has news; sk is not owned. */
static void wake_reader(struct sock *sk)
{
	struct sock *peer = READ_ONCE(weft_sk(sk)->peer);

	if (peer)
		peer->sk_data_ready(peer);
}

void weft_sock_wake_writer(struct sock *sk)
{
	struct sock *peer = READ_ONCE(weft_sk(sk)->peer);

	/* Pairs with poll_writable() and wait_room(): room is made, then the
	 * bit is looked at.
	 */
	smp_mb();
	if (peer && weft_sock_is_drained(sk))
		peer->sk_write_space(peer);
}

/* Ownership is given back; then the local peer hears of what was queued. */
static void release_sender(struct sock *sk)
{
	bool tell = take_flag(&weft_sk(sk)->tell);

	release_sock(sk);
	if (tell)
		wake_reader(sk);
}

/* The same of what was read. */
static void release_reader(struct sock *sk)
{
	bool made_room = take_flag(&weft_sk(sk)->made_room);

	release_sock(sk);
	if (made_room)
		weft_sock_wake_writer(sk);
}

/* --- sending --- */

/* Let the wire have what is queued for it; sk owned. */
static void flush_bytes(struct sock *sk, enum weft_flush how)
{
	if (weft_sk(sk)->road == WEFT_ROAD_WIRE && weft_sk(sk)->conn)
		weft_conn_flush(sk, how);
}

void weft_sock_flush(struct sock *sk)
{
	if (sk->sk_state == TCP_ESTABLISHED)
		flush_bytes(sk, WEFT_FLUSH_ALL);
}

/* Acquire: who sees it connected sees to what; pairs with take_peer(). */
static bool may_go_on(struct sock *sk)
{
	return sk->sk_err || sk->sk_shutdown & SEND_SHUTDOWN ||
	       (smp_load_acquire(&sk->sk_state) == TCP_ESTABLISHED &&
		(weft_sock_has_room(sk) || weft_sock_is_deaf(sk)));
}

static void want_space(struct sock *sk)
{
	sk_set_bit(SOCKWQ_ASYNC_NOSPACE, sk);
	if (sk->sk_socket)
		set_bit(SOCK_NOSPACE, &sk->sk_socket->flags);
	/* Said before room is looked for once more: see write_space(). */
	smp_mb__after_atomic();
}

/*
 * Sleep until bytes may be sent or never will be; the receiver of those sent
 * so far is woken first. What follows is not for the next connection of the
 * socket, if another thread has made one meanwhile.
 */
static int sleep_for_room(struct sock *sk, long *timeo)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	int connection = sk->sk_disconnects;

	if (!*timeo)
		return -EAGAIN;
	if (signal_pending(current))
		return sock_intr_errno(*timeo);
	flush_bytes(sk, WEFT_FLUSH_ALL);
	add_wait_queue(sk_sleep(sk), &wait);
	want_space(sk);
	release_sender(sk);
	if (!may_go_on(sk))
		*timeo = wait_woken(&wait, TASK_INTERRUPTIBLE, *timeo);
	remove_wait_queue(sk_sleep(sk), &wait);
	lock_sock(sk);
	return connection == sk->sk_disconnects ? 0 : -EPIPE;
}

/*
 * All that weft sockets may use together is used up (net.weft.mem). Nobody
 * tells when there is some again, so this is a matter of time, as with TCP.
 */
static int wait_memory(struct sock *sk, long *timeo)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	long pause = min_t(long, *timeo, 2 + get_random_u32_below(HZ / 5));
	int connection = sk->sk_disconnects;
	long left = pause;

	if (!*timeo)
		return -EAGAIN;
	if (signal_pending(current))
		return sock_intr_errno(*timeo);
	flush_bytes(sk, WEFT_FLUSH_ALL);
	release_sender(sk);
	lock_sock(sk);
	add_wait_queue(sk_sleep(sk), &wait);
	sk_wait_event(sk, &left, sk->sk_err || sk->sk_shutdown & SEND_SHUTDOWN,
		      &wait);
	remove_wait_queue(sk_sleep(sk), &wait);
	if (*timeo != MAX_SCHEDULE_TIMEOUT)
		*timeo -= pause - left;
	return connection == sk->sk_disconnects ? 0 : -EPIPE;
}

/*
 * Until the socket may send; sk owned. @begun: the call has sent something, and
 * tells that: an error is left for the next one.
 */
static int wait_room(struct sock *sk, bool begun, long *timeo)
{
	for (;;) {
		int err;

		if (begun && READ_ONCE(sk->sk_err))
			return -ECONNRESET;
		err = weft_sock_may_send(sk);
		/* What nobody hears needs no room, and is lost. */
		if (!err && (weft_sock_has_room(sk) || weft_sock_is_deaf(sk)))
			return 0;
		if (err && err != -EAGAIN)
			return err;
		want_space(sk);
		if (may_go_on(sk))
			continue;
		err = sleep_for_room(sk, timeo);
		if (err)
			return err;
	}
}

static int queue_pieces(struct sock *sk, struct weft_pieces *pieces)
{
	struct sk_buff_head none;

	if (weft_sk(sk)->road == WEFT_ROAD_LOCAL)
		return weft_local_queue(sk, pieces, &weft_sk(sk)->tell);
	__skb_queue_head_init(&none);
	return weft_conn_queue(sk, pieces, &none);
}

static int queue_list(struct sock *sk, struct sk_buff_head *list)
{
	struct weft_pieces none __uninitialized;

	if (weft_sk(sk)->road == WEFT_ROAD_LOCAL)
		return weft_local_queue_list(sk, list);
	none.n = 0;
	none.len = 0;
	return weft_conn_queue(sk, &none, list);
}

static int send_chunk(struct sock *sk, struct msghdr *msg, size_t len)
{
	struct weft_pieces pieces __uninitialized;
	int err;

	if (weft_conn_takes_small(sk, len))
		return weft_conn_queue_small(sk, &msg->msg_iter, len, -1);
	err = weft_pieces_fill(sk, &pieces, &msg->msg_iter, len, -1);
	if (err)
		return err;
	err = queue_pieces(sk, &pieces);
	if (err)
		iov_iter_revert(&msg->msg_iter, len);
	return err;
}

/* What may leave of a stream's send when all of it is queued. */
static enum weft_flush last_flush(const struct sock *sk,
				  const struct msghdr *msg, size_t len)
{
	if (msg->msg_flags & MSG_MORE || weft_sk(sk)->corked)
		return WEFT_FLUSH_SEGMENTS;
	return len < WEFT_GATHER_BYTES && !weft_sk(sk)->nodelay ?
	       WEFT_FLUSH_SMALL : WEFT_FLUSH_ALL;
}

/* @begun: it was not the first part of what the call sends. */
static int send_bytes(struct sock *sk, struct msghdr *msg, size_t len,
		      bool begun, long timeo)
{
	enum weft_flush last = last_flush(sk, msg, len);
	size_t sent = 0;
	int err = 0;

	while (sent < len || !len) {
		size_t n = min_t(size_t, len - sent, WEFT_CHUNK_BYTES);

		err = len ? wait_room(sk, begun || sent, &timeo) :
			    weft_sock_may_send(sk);
		if (err || !len)
			break;
		err = send_chunk(sk, msg, n);
		if (err == -ENOMEM)
			err = wait_memory(sk, &timeo);
		else if (!err)
			sent += n;
		if (err)
			break;
		flush_bytes(sk, sent < len ? WEFT_FLUSH_SUPERS : last);
	}
	if (sent && err)
		flush_bytes(sk, WEFT_FLUSH_ALL);
	return sent ? (int)sent : err;
}

/* A message that one skb cannot hold: whole in a list before it is queued. */
static int gather(struct sock *sk, struct msghdr *msg, size_t len,
		  struct sk_buff_head *list)
{
	s64 record = len;

	while (len) {
		size_t n = min_t(size_t, len, WEFT_RECORD_CHUNK);
		struct weft_pieces pieces;
		struct sk_buff *skb;
		int err;

		err = weft_pieces_fill(sk, &pieces, &msg->msg_iter, n, record);
		if (err)
			return err;
		skb = weft_pieces_skb(&pieces, sk->sk_allocation);
		if (!skb) {
			weft_pieces_drop(&pieces);
			return -ENOMEM;
		}
		__skb_queue_tail(list, skb);
		len -= n;
		record = -1;
	}
	return 0;
}

static bool is_too_large(const struct sock *sk, size_t len)
{
	return len > READ_ONCE(sk->sk_sndbuf) ||
	       (sk->sk_state == TCP_ESTABLISHED &&
		len > weft_sk(sk)->peer_max_message);
}

static int queue_large(struct sock *sk, struct msghdr *msg, size_t len)
{
	struct sk_buff_head list;
	int err;

	__skb_queue_head_init(&list);
	err = gather(sk, msg, len, &list);
	if (!err)
		return queue_list(sk, &list);
	__skb_queue_purge(&list);
	return err;
}

static int queue_message(struct sock *sk, struct msghdr *msg, size_t len)
{
	size_t before = iov_iter_count(&msg->msg_iter);
	struct weft_pieces pieces __uninitialized;
	int err;

	if (weft_conn_takes_small(sk, len)) {
		err = weft_conn_queue_small(sk, &msg->msg_iter, len, len);
	} else if (len > WEFT_RECORD_CHUNK) {
		err = queue_large(sk, msg, len);
	} else {
		err = weft_pieces_fill(sk, &pieces, &msg->msg_iter, len, len);
		if (!err)
			err = queue_pieces(sk, &pieces);
	}
	if (err)
		iov_iter_revert(&msg->msg_iter,
				before - iov_iter_count(&msg->msg_iter));
	return err;
}

static int send_message(struct sock *sk, struct msghdr *msg, size_t len,
			long timeo)
{
	int err;

	for (;;) {
		if (is_too_large(sk, len))
			return -EMSGSIZE;
		err = wait_room(sk, false, &timeo);
		if (err)
			return err;
		/* While the flow opened, nobody knew what the peer takes. */
		if (is_too_large(sk, len))
			return -EMSGSIZE;
		err = queue_message(sk, msg, len);
		if (err == -ENOMEM)
			err = wait_memory(sk, &timeo);
		else if (!err)
			break;
		if (err)
			return err;
	}
	flush_bytes(sk, WEFT_FLUSH_ALL);
	return len;
}

/*
 * What may go before it is known what the peer takes: a part of a stream, or a
 * message that every peer takes. Bytes queued, or negative errno; *@queued
 * tells a message without bytes from none.
 */
static int queue_early(struct sock *sk, struct msghdr *msg, size_t len,
		       bool *queued)
{
	size_t n = min_t(size_t, len, WEFT_CHUNK_BYTES);
	int err;

	*queued = is_seqpacket(sk) ? len <= WEFT_MAX_MESSAGE_MIN : len;
	if (!*queued)
		return 0;
	if (is_seqpacket(sk))
		n = len;
	err = is_seqpacket(sk) ? queue_message(sk, msg, len) :
				 send_chunk(sk, msg, n);
	return err ?: (int)n;
}

/* The first send of a held connection; what it sends goes with OPEN. */
static int send_early(struct socket *sock, struct msghdr *msg, size_t len,
		      long timeo)
{
	struct sock *sk = sock->sk;
	bool queued;
	int n, err;

	if (is_seqpacket(sk) && is_too_large(sk, len))
		return -EMSGSIZE;
	n = queue_early(sk, msg, len, &queued);
	if (n == -ENOMEM) {
		/* It may wait for memory once it is connected. */
		queued = false;
		n = 0;
	}
	if (n < 0)
		return n;
	weft_conn_open(sk);
	err = weft_connect_wait(sock, &timeo);
	/* Time or a signal ended the wait, and not the connection. */
	if (err && queued && weft_sk(sk)->conn)
		return n;
	if (err || n == len)
		return err ?: n;
	err = is_seqpacket(sk) ? send_message(sk, msg, len, timeo) :
				 send_bytes(sk, msg, len - n, n, timeo);
	return n && err < 0 ? n : n + err;
}

/* May a small write of @len bytes go without ownership? */
static bool may_send_at_once(struct sock *sk, size_t len)
{
	/* Pairs with take_peer(): then the peer is there to be seen. */
	if (smp_load_acquire(&sk->sk_state) != TCP_ESTABLISHED ||
	    weft_sk(sk)->road != WEFT_ROAD_LOCAL ||
	    READ_ONCE(sk->sk_err) || READ_ONCE(weft_sk(sk)->was_reset) ||
	    READ_ONCE(sk->sk_shutdown) & SEND_SHUTDOWN ||
	    sk->sk_allocation != GFP_KERNEL || len > PAGE_SIZE)
		return false;
	return is_seqpacket(sk) ? !is_too_large(sk, len) : len;
}

/*
 * A small write to a socket of this node takes the lock of the peer's queue and
 * no ownership: it lies in the task's page before, is queued whole, and the peer
 * stays as long as our file does. When anything is out of the ordinary it is
 * -EAGAIN, and the long way knows why, and how to wait.
 */
static int send_at_once(struct sock *sk, struct msghdr *msg, size_t len)
{
	struct weft_pieces pieces __uninitialized;
	bool tell = false;
	int err;

	if (!weft_sock_has_room(sk))
		return -EAGAIN;
	err = weft_pieces_fill(sk, &pieces, &msg->msg_iter, len,
			       is_seqpacket(sk) ? (s64)len : -1);
	if (err)
		return err == -ENOMEM ? -EAGAIN : err;
	if (weft_local_queue(sk, &pieces, &tell)) {
		iov_iter_revert(&msg->msg_iter, len);
		return -EAGAIN;
	}
	if (tell)
		wake_reader(sk);
	return len;
}

int weft_stream_sendmsg(struct socket *sock, struct msghdr *msg, size_t len)
{
	struct sock *sk = sock->sk;
	long timeo = sock_sndtimeo(sk, msg->msg_flags & MSG_DONTWAIT);
	int ret;

	if (msg->msg_flags & MSG_OOB)
		return -EOPNOTSUPP;
	ret = weft_sock_check_control(sk, msg);
	if (ret)
		return ret;
	if (msg->msg_flags & MSG_FASTOPEN)
		ret = weft_connect_early(sock, msg);
	if (ret)
		return ret;
	sk_clear_bit(SOCKWQ_ASYNC_NOSPACE, sk);
	weft_pause_answer(sk);
	if (may_send_at_once(sk, len)) {
		ret = send_at_once(sk, msg, len);
		if (ret != -EAGAIN)
			return ret;
	}
	len = min_t(size_t, len, INT_MAX);
	lock_sock(sk);
	if (weft_sock_is_held(sk))
		ret = send_early(sock, msg, len, timeo);
	else if (is_seqpacket(sk))
		ret = send_message(sk, msg, len, timeo);
	else
		ret = send_bytes(sk, msg, len, false, timeo);
	if (ret < 0 && !is_seqpacket(sk))
		ret = sk_stream_error(sk, msg->msg_flags, ret);
	release_sender(sk);
	return ret;
}

/* --- receiving --- */

/*
 * Everything that came is the reader's from now on. Where that is no more than
 * @beyond and the reader will sleep, the next append wakes it.
 */
static void take_all(struct sock *sk, u32 beyond, bool sleeps)
{
	struct sk_buff_head *q = &sk->sk_receive_queue;
	struct weft_sock *wsk = weft_sk(sk);

	smp_rmb();	/* an end that the caller has seen came behind what is queued */
	/* What comes over the wire is queued under ownership, and wakes always. */
	if ((!sleeps || wsk->road == WEFT_ROAD_WIRE) &&
	    skb_queue_empty_lockless(q))
		return;
	spin_lock_bh(&q->lock);
	skb_queue_splice_tail_init(q, &wsk->reader);
	wsk->reader_bytes = wsk->rx_whole - wsk->rx_read;
	if (sleeps && wsk->reader_bytes <= beyond &&
	    wsk->road == WEFT_ROAD_LOCAL)
		WRITE_ONCE(wsk->rx_wanted, true);
	spin_unlock_bh(&q->lock);
}

static int copy_skb(struct sock *sk, struct sk_buff *skb, u32 pos,
		    struct msghdr *msg, u32 n)
{
	if (weft_sk(sk)->road == WEFT_ROAD_LOCAL)
		return weft_pieces_read(skb, pos, msg, n);
	return skb_copy_datagram_msg(skb, pos, msg, n);
}

/* Bytes [@seek, @seek + @n) of what the reader has, to the user. */
static int copy_to_user_msg(struct sock *sk, struct msghdr *msg, u32 seek,
			    u32 n)
{
	struct sk_buff *skb;
	int err = 0;

	if (!n)
		return 0;
	skb_queue_walk(&weft_sk(sk)->reader, skb) {
		struct weft_cb *cb = weft_cb(skb);
		u32 part;

		if (seek >= cb->len) {
			seek -= cb->len;
			continue;
		}
		part = min(n, cb->len - seek);
		err = copy_skb(sk, skb, cb->pos + seek, msg, part);
		n -= part;
		seek = 0;
		if (err || !n)
			break;
	}
	return err;
}

/* A record's length that may be anywhere; bytes of it that are there. */
static u32 gather_head(struct sock *sk, u8 head[WEFT_RECORD_BYTES])
{
	struct sk_buff *skb;
	u32 have = 0;

	skb_queue_walk(&weft_sk(sk)->reader, skb) {
		struct weft_cb *cb = weft_cb(skb);
		u32 part = min_t(u32, WEFT_RECORD_BYTES - have, cb->len);

		if (skb_copy_bits(skb, cb->pos, head + have, part))
			break;
		have += part;
		if (have == WEFT_RECORD_BYTES)
			break;
	}
	return have;
}

/* Of a local skb it is in one frag: see fill_record(). */
static void copy_head(const struct sk_buff *skb, u32 pos,
		      u8 head[WEFT_RECORD_BYTES])
{
	const skb_frag_t *frag = skb_shinfo(skb)->frags;

	while (pos >= skb_frag_size(frag))
		pos -= skb_frag_size(frag++);
	memcpy(head, skb_frag_address(frag) + pos, WEFT_RECORD_BYTES);
}

/* The length of the message that the reader has first, whole. */
static int first_record(struct sock *sk)
{
	struct weft_sock *wsk = weft_sk(sk);
	struct sk_buff *first = skb_peek(&wsk->reader);
	u8 head[WEFT_RECORD_BYTES];
	u32 len;

	if (wsk->road == WEFT_ROAD_LOCAL)
		copy_head(first, weft_cb(first)->pos, head);
	else if (gather_head(sk, head) < sizeof(head))
		return -EPROTO;
	/* Pages that came over a wire may be written to by who sent them. */
	len = get_unaligned_be32(head);
	if (wsk->reader_bytes < sizeof(head) || len > wsk->max_message ||
	    len > wsk->reader_bytes - sizeof(head))
		return -EPROTO;
	return len;
}

/* Skbs that are read to their end leave the reader for @done. */
static void advance(struct sock *sk, u32 left, struct sk_buff_head *done)
{
	struct sk_buff_head *reader = &weft_sk(sk)->reader;
	struct sk_buff *skb;

	while (left && (skb = skb_peek(reader))) {
		struct weft_cb *cb = weft_cb(skb);
		u32 part = min(left, cb->len);

		cb->pos += part;
		cb->len -= part;
		left -= part;
		if (cb->len)
			break;
		__skb_unlink(skb, reader);
		__skb_queue_tail(done, skb);
	}
}

/* What was read is uncharged, and recycled or freed. */
static void release_read(struct sock *sk, struct sk_buff_head *done)
{
	struct weft_sock *wsk = weft_sk(sk);
	struct sk_buff *skb;
	u32 truesize = 0;

	if (wsk->road == WEFT_ROAD_LOCAL)
		weft_pool_prepare(sk);
	skb_queue_walk(done, skb)
		truesize += skb->truesize;
	spin_lock_bh(&sk->sk_receive_queue.lock);
	/* Only what the pool leaves is given back: the rest is needed soon. */
	weft_rmem_uncharge_some(sk, truesize);
	if (wsk->road == WEFT_ROAD_LOCAL)
		weft_pool_keep(sk, done);
	sk_mem_uncharge(sk, 0);
	spin_unlock_bh(&sk->sk_receive_queue.lock);
	wsk->made_room = true;
	while ((skb = __skb_dequeue(done)))
		consume_skb(skb);
}

/* @n bytes, @records whole messages, have been read. */
static void consume(struct sock *sk, u32 n, u32 records)
{
	struct weft_sock *wsk = weft_sk(sk);
	struct sk_buff_head done;

	__skb_queue_head_init(&done);
	advance(sk, n, &done);
	WRITE_ONCE(wsk->rx_read, wsk->rx_read + n);
	wsk->rx_records_read += records;
	wsk->reader_bytes -= n;
	if (!skb_queue_empty(&done))
		release_read(sk, &done);
	if (wsk->road == WEFT_ROAD_WIRE)
		weft_conn_read(sk, n);
}

/*
 * Not owned: is there a reason to look that lies not in what came? An append
 * that somebody else's reading hid is one.
 */
static bool has_ended(const struct sock *sk)
{
	const struct weft_sock *wsk = weft_sk(sk);

	if (wsk->road == WEFT_ROAD_LOCAL && !READ_ONCE(wsk->rx_wanted))
		return true;
	/* SO_ERROR may have taken the error of a reset. */
	return READ_ONCE(wsk->rx_eof) || READ_ONCE(sk->sk_err) ||
	       READ_ONCE(wsk->was_reset) ||
	       READ_ONCE(sk->sk_shutdown) & RCV_SHUTDOWN ||
	       (READ_ONCE(sk->sk_state) != TCP_ESTABLISHED &&
		READ_ONCE(sk->sk_state) != TCP_SYN_SENT);
}

static bool has_news(const struct sock *sk)
{
	return weft_sock_whole(sk) > READ_ONCE(weft_sk(sk)->reader_bytes) ||
	       has_ended(sk);
}

/*
 * Sleep until something changed; sk owned, released meanwhile. The next
 * connection's bytes are not those that were waited for.
 */
static int wait_news(struct sock *sk, long *timeo)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	int connection = sk->sk_disconnects;
	bool pause;

	if (!*timeo)
		return -EAGAIN;
	if (signal_pending(current))
		return sock_intr_errno(*timeo);
	if (weft_sk(sk)->road == WEFT_ROAD_WIRE)
		weft_conn_wait(sk);
	weft_fault_delay();
	add_wait_queue(sk_sleep(sk), &wait);
	sk_set_bit(SOCKWQ_ASYNC_WAITDATA, sk);
	pause = weft_pause_begin(sk);
	release_reader(sk);
	smp_mb();	/* on the queue before looking: see skwq_has_sleeper() */
	if (pause) {
		weft_pause_sleep(sk, &wait, has_ended, timeo);
	} else {
		if (!has_news(sk))
			*timeo = wait_woken(&wait, TASK_INTERRUPTIBLE, *timeo);
		remove_wait_queue(sk_sleep(sk), &wait);
	}
	lock_sock(sk);
	sk_clear_bit(SOCKWQ_ASYNC_WAITDATA, sk);
	return connection == sk->sk_disconnects ? 0 : -ENOTCONN;
}

/*
 * Nothing is there to read beyond what was peeked: why?
 *
 * Return: 1 wait and look again, 0 end of the stream, or negative errno.
 */
static int why_nothing(struct sock *sk, u32 beyond)
{
	struct weft_sock *wsk = weft_sk(sk);
	bool ended = READ_ONCE(wsk->rx_eof);
	int err;

	/* An end that the peer told comes before what happened after it. */
	err = ended && !is_seqpacket(sk) ? 0 : sock_error(sk);
	if (err)
		return err;
	if (ended || READ_ONCE(wsk->was_reset) ||
	    sk->sk_shutdown & RCV_SHUTDOWN) {
		/* The end may have come behind bytes: look once more. */
		take_all(sk, beyond, false);
		return wsk->reader_bytes > beyond ? 1 : 0;
	}
	if (sk->sk_state == TCP_CLOSE || sk->sk_state == TCP_LISTEN)
		return -ENOTCONN;
	return 1;
}

/* Until the reader has unread bytes. As why_nothing(), 1: it has. */
static int wait_bytes(struct sock *sk, u32 beyond, long *timeo)
{
	for (;;) {
		int why;

		if (weft_sk(sk)->reader_bytes > beyond)
			return 1;
		take_all(sk, beyond, *timeo);
		if (weft_sk(sk)->reader_bytes > beyond)
			return 1;
		why = why_nothing(sk, beyond);
		if (why <= 0)
			return why;
		if (weft_sk(sk)->reader_bytes > beyond)
			return 1;
		why = wait_news(sk, timeo);
		if (why)
			return why;
	}
}

static int recv_bytes(struct sock *sk, struct msghdr *msg, size_t len,
		      int flags, long timeo)
{
	int target = sock_rcvlowat(sk, flags & MSG_WAITALL, len);
	struct weft_sock *wsk = weft_sk(sk);
	u32 copied = 0, seek = 0, n;
	int ret = 0;

	/* Once in any case: to ask for no bytes is to ask how it stands. */
	do {
		if (copied >= target && wsk->reader_bytes == seek)
			take_all(sk, seek, false);
		if (copied >= target && wsk->reader_bytes == seek)
			break;
		ret = wait_bytes(sk, seek, &timeo);
		if (ret <= 0)
			break;
		n = min_t(size_t, len - copied, wsk->reader_bytes - seek);
		ret = flags & MSG_TRUNC ? 0 :
		      copy_to_user_msg(sk, msg, seek, n);
		if (ret)
			break;
		if (flags & MSG_PEEK)
			seek += n;
		else
			consume(sk, n, 0);
		copied += n;
	} while (copied < len);
	/* That there is no connection, the next call sees for itself. */
	if (copied && ret < 0 && ret != -EAGAIN && ret != -EFAULT &&
	    ret != -EINTR && ret != -ERESTARTSYS && ret != -ENOTCONN)
		WRITE_ONCE(sk->sk_err, -ret);
	return copied ? (int)copied : ret;
}

static int recv_message(struct sock *sk, struct msghdr *msg, size_t len,
			int flags, long timeo)
{
	u32 length, n;
	int ret;

	/* As AF_UNIX: an error comes before what is there to read. */
	ret = sock_error(sk);
	if (ret)
		return ret;
	ret = wait_bytes(sk, 0, &timeo);
	if (ret <= 0)
		return ret;
	ret = first_record(sk);
	if (ret < 0)
		return ret;
	length = ret;
	n = min_t(size_t, len, length);
	ret = copy_to_user_msg(sk, msg, WEFT_RECORD_BYTES, n);
	if (ret)
		return ret;
	if (length > len)
		msg->msg_flags |= MSG_TRUNC;
	/* As AF_UNIX it tells who sent it. */
	if (msg->msg_name)
		msg->msg_namelen = weft_addr_fill(sk, msg->msg_name,
						  &weft_sk(sk)->peer_addr,
						  weft_sk(sk)->peer_port,
						  weft_sk(sk)->scope);
	if (!(flags & MSG_PEEK))
		consume(sk, WEFT_RECORD_BYTES + length, 1);
	return flags & MSG_TRUNC ? length : n;
}

/* TCP looks at what is shut before it looks for a connection. */
static int why_unconnected(struct sock *sk)
{
	int err = sock_error(sk);

	if (!err && !is_seqpacket(sk) && sk->sk_shutdown & RCV_SHUTDOWN)
		return 0;
	return err ?: -ENOTCONN;
}

int weft_stream_recvmsg(struct socket *sock, struct msghdr *msg, size_t len,
			int flags)
{
	struct sock *sk = sock->sk;
	long timeo = sock_rcvtimeo(sk, flags & MSG_DONTWAIT);
	int ret;

	if (flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (flags & MSG_ERRQUEUE)
		return -EAGAIN;
	len = min_t(size_t, len, INT_MAX);
	msg->msg_namelen = 0;
	lock_sock(sk);
	if (sk->sk_state == TCP_CLOSE && !weft_sk(sk)->road)
		ret = why_unconnected(sk);
	else if (is_seqpacket(sk))
		ret = recv_message(sk, msg, len, flags, timeo);
	else
		ret = recv_bytes(sk, msg, len, flags, timeo);
	release_reader(sk);
	return ret;
}
