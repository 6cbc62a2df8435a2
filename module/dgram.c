// SPDX-License-Identifier: GPL-2.0
/*
 * DGRAM: one message, one skb, no promise. A receiver whose buffer is full
 * loses the newest, as with UDP.
 */
#include <linux/filter.h>
#include <linux/net.h>
#include <net/sock.h>

#include "frags.h"
#include "node.h"
#include "path.h"
#include "pause.h"
#include "pieces.h"
#include "pool.h"
#include "port.h"
#include "proto/frag.h"
#include "sock.h"

/* Where a datagram goes. */
struct target {
	struct in6_addr	node;
	u16		port;
	u32		scope;
};

/* --- receiving side of both roads --- */

/* As UDP: one more than the buffer holds, so that a small one is not deaf. */
static bool has_buffer(const struct sock *sk)
{
	return atomic_read(&sk->sk_rmem_alloc) <= READ_ONCE(sk->sk_rcvbuf);
}

/*
 * To a socket's queue. Takes skb, whose data is the payload; WEFT_STATS when
 * it was queued, else why it was dropped.
 */
static enum weft_stat queue_dgram(struct sock *sk, struct sk_buff *skb)
{
	struct sk_buff_head *q = &sk->sk_receive_queue;
	enum weft_stat why = WEFT_STATS;
	bool tell = false;

	if (sk_filter(sk, skb)) {
		weft_drop(weft_sock_net(sk), skb, WEFT_STAT_drop_filter);
		return WEFT_STAT_drop_filter;
	}
	spin_lock_bh(&q->lock);
	if (weft_sk(sk)->rx_dead)
		why = WEFT_STAT_drop_port;
	else if (!has_buffer(sk))
		why = WEFT_STAT_drop_rcvbuf;
	else if (!weft_rmem_may(sk, skb->truesize))
		why = WEFT_STAT_drop_memory;
	if (why == WEFT_STATS) {
		skb->dev = NULL;
		weft_rmem_charge(sk, skb->truesize);
		weft_sk(sk)->rx_bytes += skb->len;
		weft_sk(sk)->rx_records++;
		sock_skb_set_dropcount(sk, skb);
		__skb_queue_tail(q, skb);
		tell = weft_pause_tells(sk);
	} else {
		atomic_inc(&sk->sk_drops);
	}
	spin_unlock_bh(&q->lock);
	if (tell)
		sk->sk_data_ready(sk);
	if (why != WEFT_STATS)
		weft_drop(weft_sock_net(sk), skb, why);
	return why;
}

static void name_sender(struct sk_buff *skb, const struct in6_addr *from,
			u16 port, u32 scope)
{
	*weft_dgram_cb(skb) = (struct weft_dgram_cb){
		.from = *from,
		.port = port,
		.scope = scope,
	};
}

/* Bytes in pages, in an skb that the receiver has read, or a new one. */
static struct sk_buff *make_paged(struct sock *sk, struct sock *peer,
				  struct msghdr *msg, size_t len, int *err)
{
	struct weft_pieces pieces __uninitialized;
	struct sk_buff *skb;

	*err = weft_pieces_fill(sk, &pieces, &msg->msg_iter, len, -1);
	if (*err)
		return NULL;
	skb = weft_pool_skb(peer) ?: alloc_skb(0, GFP_KERNEL);
	if (!skb) {
		*err = -ENOBUFS;
		weft_pieces_drop(&pieces);
		return NULL;
	}
	/* A filter may look behind any header: let that be the payload. */
	skb_reset_mac_header(skb);
	skb_reset_network_header(skb);
	skb_reset_transport_header(skb);
	weft_pieces_into(&pieces, skb);
	return skb;
}

/* Tell the sender that nobody has the port; the ports are turned round. */
static void refuse(struct weft_node *node, const struct weft_pkt *to)
{
	struct weft_pkt pkt = {
		.kind = WEFT_RESET,
		.sport = to->dport,
		.dport = to->sport,
		.reason = WEFT_RESET_REFUSED,
	};

	weft_send_answer(node, &pkt);
}

/*
 * Nobody has the port. As UDP: this send was fine, and the socket learns of it
 * if it is connected.
 */
static void was_not_taken(struct sock *sk)
{
	if (READ_ONCE(sk->sk_state) != TCP_ESTABLISHED)
		return;
	WRITE_ONCE(sk->sk_err, ECONNREFUSED);
	sk_error_report(sk);
}

/* RESET of a datagram: the connected socket that sent it has an error. */
static void was_refused(struct weft_node *node, struct sk_buff *skb,
			const struct weft_pkt *pkt)
{
	struct in6_addr self = weft_net_address(node->wn);
	struct sock *sk;

	sk = weft_port_lookup(node->wn, true, &self, pkt->dport, &node->addr,
			      pkt->sport, skb->dev->ifindex);
	weft_count(node->wn, WEFT_STAT_resets_in, 1);
	if (sk) {
		was_not_taken(sk);
		sock_put(sk);
	}
	consume_skb(skb);
}

/* The datagram, when all of it is here. Takes skb. */
static struct sk_buff *take_payload(struct weft_node *node,
				    struct sk_buff *skb,
				    const struct weft_pkt *pkt)
{
	if (!pskb_may_pull(skb, pkt->hlen)) {
		weft_drop(node->wn, skb, WEFT_STAT_drop_memory);
		return NULL;
	}
	if (!weft_frag_is_whole(pkt))
		return weft_frags_add(node, skb, pkt);
	__skb_pull(skb, pkt->hlen);
	return skb;
}

void weft_dgram_receive(struct weft_node *node, struct sk_buff *skb,
			const struct weft_pkt *pkt)
{
	struct in6_addr self = weft_net_address(node->wn);
	u32 scope = skb->dev->ifindex;
	struct sock *sk;

	if (pkt->kind == WEFT_RESET) {
		was_refused(node, skb, pkt);
		return;
	}
	sk = weft_port_lookup(node->wn, true, &self, pkt->dport, &node->addr,
			      pkt->sport, scope);
	if (!sk) {
		/* Once for all of its pieces. */
		if (!pkt->offset)
			refuse(node, pkt);
		weft_drop(node->wn, skb, WEFT_STAT_drop_port);
		return;
	}
	skb = take_payload(node, skb, pkt);
	if (skb) {
		name_sender(skb, &node->addr, pkt->sport, 0);
		queue_dgram(sk, skb);
	}
	sock_put(sk);
}

/* --- sending --- */

/* Where the socket is connected to. Not owned: all of it, or of one before. */
static int find_peer(struct sock *sk, struct target *to)
{
	struct weft_sock *wsk = weft_sk(sk);
	unsigned int seq;
	int state;

	do {
		seq = read_seqcount_begin(&wsk->peer_seq);
		state = sk->sk_state;
		to->node = wsk->peer_addr;
		to->port = wsk->peer_port;
		to->scope = wsk->scope;
	} while (read_seqcount_retry(&wsk->peer_seq, seq));
	return state == TCP_ESTABLISHED ? 0 : -EDESTADDRREQ;
}

/* @to: where it goes, from the call or from the connection. */
static int find_target(struct sock *sk, struct msghdr *msg, struct target *to)
{
	struct sockaddr_weft sw;
	int err;

	if (!msg->msg_name)
		return find_peer(sk, to);
	err = weft_addr_read(sk, msg->msg_name, msg->msg_namelen, &sw);
	if (err)
		return err;
	to->node = weft_addr_node(&sw);
	to->port = be16_to_cpu(sw.sw_port);
	to->scope = sw.sw_scope;
	if (!to->port)
		return -EINVAL;
	if (ipv6_addr_any(&to->node))
		to->node = in6addr_loopback;
	return 0;
}

/* The user's bytes into @skb, whose linear part is @linear long. */
static int fill_dgram(struct sk_buff *skb, struct msghdr *msg, size_t linear,
		      size_t len)
{
	/* A filter may look behind any header: let that be the payload. */
	skb_reset_mac_header(skb);
	skb_reset_network_header(skb);
	skb_reset_transport_header(skb);
	skb_put(skb, linear);
	skb->data_len = len - linear;
	skb->len = len;
	return skb_copy_datagram_from_iter(skb, 0, &msg->msg_iter, len);
}

static struct sk_buff *make_dgram(struct sock *sk, struct msghdr *msg,
				  size_t len, int *err)
{
	size_t linear = min_t(size_t, len, SKB_MAX_HEAD(WEFT_HEADROOM));
	struct sk_buff *skb;

	skb = sock_alloc_send_pskb(sk, WEFT_HEADROOM + linear, len - linear,
				   msg->msg_flags & MSG_DONTWAIT, err,
				   PAGE_ALLOC_COSTLY_ORDER);
	if (!skb)
		return NULL;
	skb_reserve(skb, WEFT_HEADROOM);
	*err = fill_dgram(skb, msg, linear, len);
	if (*err) {
		kfree_skb(skb);
		return NULL;
	}
	skb->priority = READ_ONCE(sk->sk_priority);
	skb->mark = READ_ONCE(sk->sk_mark);
	/* Not ours any more: a queue may keep it longer than we live. */
	skb_orphan(skb);
	return skb;
}

/*
 * A small one that stays on the node: the receiver alone is charged for it, and
 * without room there it goes at once.
 */
static struct sk_buff *make_local(struct sock *sk, struct sock *peer,
				  struct msghdr *msg, size_t len, int *err)
{
	struct sk_buff *skb;

	/* Whoever must not enter file systems would write into sk's own page. */
	if (len <= PAGE_SIZE && sk->sk_allocation == GFP_KERNEL)
		return make_paged(sk, peer, msg, len, err);
	if (len > SKB_MAX_HEAD(0))
		return make_dgram(sk, msg, len, err);
	skb = alloc_skb(len, sk->sk_allocation);
	*err = skb ? fill_dgram(skb, msg, len, len) : -ENOBUFS;
	if (*err) {
		kfree_skb(skb);
		return NULL;
	}
	return skb;
}

static int send_local(struct sock *sk, struct msghdr *msg, size_t len,
		      const struct target *to)
{
	struct weft_sock *wsk = weft_sk(sk);
	struct in6_addr from = wsk->addr;
	struct sk_buff *skb;
	struct sock *peer;
	bool paged;
	int err = 0;

	if (ipv6_addr_any(&from))
		from = to->node;
	peer = weft_port_lookup(weft_sock_net(sk), true, &to->node, to->port,
				&from, wsk->port, 0);
	if (!peer) {
		weft_drop(weft_sock_net(sk), NULL, WEFT_STAT_drop_port);
		was_not_taken(sk);
		return 0;
	}
	skb = make_local(sk, peer, msg, len, &err);
	if (skb) {
		/* Until here its cb is that of pieces. */
		paged = !skb_headlen(skb);
		name_sender(skb, &from, wsk->port, 0);
		weft_dgram_cb(skb)->paged = paged;
		if (sock_flag(peer, SOCK_RCVTSTAMP))
			__net_timestamp(skb);
		weft_count(weft_sock_net(sk), WEFT_STAT_local_bytes, len);
		queue_dgram(peer, skb);
	}
	sock_put(peer);
	return err;
}

static int send_wire(struct sock *sk, struct msghdr *msg, size_t len,
		     const struct target *to)
{
	struct weft_sock *wsk = weft_sk(sk);
	struct weft_pkt pkt = {
		.kind = WEFT_DGRAM,
		.sport = wsk->port,
		.dport = to->port,
		.total = len,
	};
	struct weft_node *node;
	struct sk_buff *skb;
	int err = 0;

	BUILD_BUG_ON(WEFT_DGRAM_BYTES != WEFT_DGRAM_MAX);
	if (ipv6_addr_loopback(&wsk->addr))
		return -EINVAL;
	if (!weft_addr_is_plain(&to->node))
		return -EHOSTUNREACH;
	node = weft_node_get(weft_sock_net(sk), &to->node,
			     to->scope ?: sk->sk_bound_dev_if);
	if (IS_ERR(node))
		return PTR_ERR(node);
	skb = make_dgram(sk, msg, len, &err);
	if (skb)
		err = weft_send(node, skb, &pkt, 0);
	weft_node_put(node);
	return err;
}

/* A socket that sends has a port, so that it can be answered; sk owned. */
static int autobind(struct sock *sk)
{
	struct weft_sock *wsk = weft_sk(sk);

	return wsk->port ? 0 : weft_port_bind(sk, &wsk->addr, 0);
}

static noinline int own_and_autobind(struct sock *sk)
{
	int err;

	lock_sock(sk);
	err = autobind(sk);
	release_sock(sk);
	return err;
}

/* Before anything is sent: why not, or where to. One bound for good is not owned. */
static int prepare(struct sock *sk, struct msghdr *msg, struct target *to)
{
	int err = sock_error(sk);

	if (err)
		return err;
	if (READ_ONCE(sk->sk_shutdown) & SEND_SHUTDOWN)
		return -EPIPE;
	err = find_target(sk, msg, to);
	if (err)
		return err;
	/* Pairs with insert_port(). */
	return smp_load_acquire(&weft_sk(sk)->hashed) ? 0 : own_and_autobind(sk);
}

int weft_dgram_sendmsg(struct socket *sock, struct msghdr *msg, size_t len)
{
	struct sock *sk = sock->sk;
	struct target to;
	int err;

	if (msg->msg_flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (len > WEFT_DGRAM_MAX)
		return -EMSGSIZE;
	err = weft_sock_check_control(sk, msg);
	if (err)
		return err;
	weft_pause_answer(sk);
	err = prepare(sk, msg, &to);
	if (err)
		return err;
	if (weft_net_is_self(weft_sock_net(sk), &to.node))
		err = send_local(sk, msg, len, &to);
	else
		err = send_wire(sk, msg, len, &to);
	return err ?: (int)len;
}

/* --- receiving --- */

static bool has_ended(const struct sock *sk)
{
	return READ_ONCE(sk->sk_err) ||
	       READ_ONCE(sk->sk_shutdown) & RCV_SHUTDOWN;
}

/*
 * Take the first, or with MSG_PEEK a reference to it. Where there is none, and the
 * reader will sleep, the next wakes it.
 */
static struct sk_buff *take_dgram(struct sock *sk, int flags, bool sleeps)
{
	struct sk_buff_head *q = &sk->sk_receive_queue;
	struct sk_buff *skb;

	spin_lock_bh(&q->lock);
	skb = skb_peek(q);
	if (skb && flags & MSG_PEEK) {
		refcount_inc(&skb->users);
	} else if (skb) {
		__skb_unlink(skb, q);
		weft_rmem_uncharge_some(sk, skb->truesize);
		/* More comes where there is a pool; its end gives all back. */
		if (skb_queue_empty(q) && !weft_sk(sk)->pool)
			sk_mem_uncharge(sk, 0);
		weft_sk(sk)->rx_bytes -= skb->len;
	} else if (sleeps) {
		weft_sk(sk)->rx_wanted = true;
	}
	spin_unlock_bh(&q->lock);
	return skb;
}

/* Nothing is there: 1 wait, 0 the end, or negative errno. */
static int why_none(struct sock *sk, long timeo)
{
	int err = sock_error(sk);

	if (err)
		return err;
	if (READ_ONCE(sk->sk_shutdown) & RCV_SHUTDOWN)
		return 0;
	if (!timeo)
		return -EAGAIN;
	return signal_pending(current) ? sock_intr_errno(timeo) : 1;
}

/* Sleep until something came, unless it came meanwhile. */
static struct sk_buff *sleep_dgram(struct sock *sk, int flags, long *timeo)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	struct sk_buff *skb;

	add_wait_queue(sk_sleep(sk), &wait);
	smp_mb();	/* on the queue before looking: see skwq_has_sleeper() */
	skb = take_dgram(sk, flags, true);
	if (!skb && weft_pause_begin(sk)) {
		weft_pause_sleep(sk, &wait, has_ended);
		return NULL;
	}
	if (!skb && !has_ended(sk))
		*timeo = wait_woken(&wait, TASK_INTERRUPTIBLE, *timeo);
	remove_wait_queue(sk_sleep(sk), &wait);
	return skb;
}

static struct sk_buff *wait_dgram(struct sock *sk, int flags, int *err)
{
	long timeo = sock_rcvtimeo(sk, flags & MSG_DONTWAIT);
	struct sk_buff *skb;

	*err = 0;
	skb = take_dgram(sk, flags, false);
	while (!skb) {
		*err = why_none(sk, timeo);
		if (*err <= 0)
			break;
		skb = sleep_dgram(sk, flags, &timeo) ?:
		      take_dgram(sk, flags, false);
	}
	return skb;
}

/* Is it as make_paged() made it, and nobody else's? */
static bool is_reusable(const struct sk_buff *skb)
{
	return weft_dgram_cb((struct sk_buff *)skb)->paged &&
	       refcount_read(&skb->users) == 1 && !skb_headlen(skb) &&
	       !skb_pfmemalloc(skb) &&
	       skb->truesize - skb->len == SKB_TRUESIZE(skb_end_offset(skb));
}

/* It was read; takes skb. */
static void recycle(struct sock *sk, struct sk_buff *skb)
{
	if (is_reusable(skb)) {
		weft_pool_prepare(sk);
		skb->tstamp = 0;
		if (weft_pool_keep_one(sk, skb))
			return;
	}
	consume_skb(skb);
}

static int copy_dgram(struct sk_buff *skb, struct msghdr *msg, u32 n)
{
	if (weft_dgram_cb(skb)->paged && !skb_headlen(skb))
		return weft_pieces_read(skb, 0, msg, n);
	return skb_copy_datagram_msg(skb, 0, msg, n);
}

int weft_dgram_recvmsg(struct socket *sock, struct msghdr *msg, size_t len,
		       int flags)
{
	struct sock *sk = sock->sk;
	struct weft_dgram_cb *cb;
	struct sk_buff *skb;
	size_t n;
	int err;

	if (flags & (MSG_OOB | MSG_ERRQUEUE))
		return flags & MSG_OOB ? -EOPNOTSUPP : -EAGAIN;
	skb = wait_dgram(sk, flags, &err);
	if (!skb)
		return err;
	n = min_t(size_t, len, skb->len);
	if (n < skb->len)
		msg->msg_flags |= MSG_TRUNC;
	err = copy_dgram(skb, msg, n);
	if (!err) {
		cb = weft_dgram_cb(skb);
		sock_recv_cmsgs(msg, sk, skb);
		if (msg->msg_name)
			msg->msg_namelen = weft_addr_fill(sk, msg->msg_name,
							  &cb->from, cb->port,
							  cb->scope);
		err = flags & MSG_TRUNC ? skb->len : n;
	}
	if (flags & MSG_PEEK)
		consume_skb(skb);
	else
		recycle(sk, skb);
	return err;
}

/* @to: NULL is nobody. Senders and the port table look on without a lock. */
static void set_peer(struct sock *sk, const struct target *to)
{
	struct sk_buff_head *q = &sk->sk_receive_queue;
	struct weft_sock *wsk = weft_sk(sk);

	spin_lock_bh(&q->lock);
	write_seqcount_begin(&wsk->peer_seq);
	WRITE_ONCE(sk->sk_state, TCP_CLOSE);
	wsk->peer_port = 0;
	if (to) {
		wsk->peer_addr = to->node;
		wsk->peer_port = to->port;
		wsk->scope = to->scope;
		/* Whoever sees it connected sees what it is connected to. */
		smp_store_release(&sk->sk_state, TCP_ESTABLISHED);
	}
	write_seqcount_end(&wsk->peer_seq);
	spin_unlock_bh(&q->lock);
}

int weft_dgram_connect(struct sock *sk, const struct sockaddr_weft *to)
{
	struct target target;
	int err;

	if (!to) {
		set_peer(sk, NULL);
		return 0;
	}
	err = autobind(sk);
	if (err)
		return err;
	target.node = weft_addr_node(to);
	target.port = be16_to_cpu(to->sw_port);
	target.scope = to->sw_scope;
	if (ipv6_addr_any(&target.node))
		target.node = in6addr_loopback;
	set_peer(sk, &target);
	return 0;
}

int weft_dgram_pair(struct sock *a, struct sock *b)
{
	struct sockaddr_weft to = {};
	int err;

	to.sw_node[15] = 1;
	err = autobind(a) ?: autobind(b);
	if (err)
		return err;
	to.sw_port = cpu_to_be16(weft_sk(b)->port);
	err = weft_dgram_connect(a, &to);
	to.sw_port = cpu_to_be16(weft_sk(a)->port);
	return err ?: weft_dgram_connect(b, &to);
}
