// SPDX-License-Identifier: GPL-2.0
/*
 * DGRAM: one message, one skb, no promise. A receiver whose buffer is full
 * loses the newest, as with UDP; but a pair of socketpair() loses nothing, as
 * AF_UNIX's.
 */
#include <linux/filter.h>
#include <linux/net.h>
#include <net/flow.h>
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

/* Bytes of a datagram that fit into the head of an skb. */
#define DGRAM_SMALL	128

/*
 * Where a datagram goes, and whether the socket is connected to that. @found:
 * who got the last one there, when weft_port_version() was @found_at. @own_port:
 * the sender's, which may lose it, and get another, while it sends. @control:
 * what goes with it: mark, and when it is to leave. @is_sure: the other end of a
 * pair has room for it.
 */
struct target {
	struct in6_addr	node;
	u16		port;
	bool		is_peer;
	u32		scope;
	struct sock	*found;
	u64		found_at;
	u16		own_port;
	struct sockcm_cookie control;
	bool		is_sure;
};

/* --- receiving side of both roads --- */

/* As UDP: one more than the buffer holds, so that a small one is not deaf. */
static bool has_buffer(const struct sock *sk)
{
	return atomic_read(&sk->sk_rmem_alloc) <= READ_ONCE(sk->sk_rcvbuf);
}

/* May it be queued? WEFT_STATS, or why not. */
static enum weft_stat why_not_queued(struct sock *sk, struct sk_buff *skb)
{
	lockdep_assert_held(&sk->sk_receive_queue.lock);
	if (weft_sk(sk)->rx_dead)
		return WEFT_STAT_drop_port;
	/* Writers that asked at the same time each bring one. */
	if (!weft_dgram_cb(skb)->sure && !has_buffer(sk))
		return WEFT_STAT_drop_rcvbuf;
	if (!weft_rmem_may(sk, skb->truesize))
		return WEFT_STAT_drop_memory;
	return WEFT_STATS;
}

/* WEFT_STATS when it was queued, and *@tell: the reader is to hear of it. */
static enum weft_stat add_dgram(struct sock *sk, struct sk_buff *skb,
				bool *tell)
{
	enum weft_stat why = why_not_queued(sk, skb);

	if (why != WEFT_STATS) {
		atomic_inc(&sk->sk_drops);
		return why;
	}
	weft_rmem_charge(sk, skb->truesize);
	weft_sk(sk)->rx_bytes += skb->len;
	weft_sk(sk)->rx_records++;
	sock_skb_set_dropcount(sk, skb);
	__skb_queue_tail(&sk->sk_receive_queue, skb);
	*tell = weft_pause_tells(sk);
	return WEFT_STATS;
}

/* What follows add_dgram(), without the lock. Takes skb if that did not. */
static void was_added(struct sock *sk, struct sk_buff *skb, enum weft_stat why,
		      bool tell)
{
	if (tell)
		sk->sk_data_ready(sk);
	if (why != WEFT_STATS)
		weft_drop(weft_sock_net(sk), skb, why);
}

/*
 * To a socket's queue (WEFT_STATS), or dropped. Takes skb, whose data is the
 * payload.
 */
static enum weft_stat queue_dgram(struct sock *sk, struct sk_buff *skb)
{
	struct sk_buff_head *q = &sk->sk_receive_queue;
	enum weft_stat why;
	bool tell = false;

	if (sk_filter(sk, skb)) {
		weft_drop(weft_sock_net(sk), skb, WEFT_STAT_drop_filter);
		return WEFT_STAT_drop_filter;
	}
	skb->dev = NULL;
	spin_lock_bh(&q->lock);
	why = add_dgram(sk, skb, &tell);
	spin_unlock_bh(&q->lock);
	was_added(sk, skb, why, tell);
	return why;
}

static void name_sender(struct sk_buff *skb, const struct in6_addr *from,
			u16 port)
{
	*weft_dgram_cb(skb) = (struct weft_dgram_cb){
		.from = *from,
		.port = port,
	};
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

/* Nobody on this node has the port. */
static void nobody_is_there(struct sock *sk, struct sk_buff *skb)
{
	weft_drop(weft_sock_net(sk), skb, WEFT_STAT_drop_port);
	was_not_taken(sk);
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
	int ifindex = skb->dev->ifindex;
	struct sock *sk;

	if (pkt->kind == WEFT_RESET) {
		was_refused(node, skb, pkt);
		return;
	}
	/* A virtual device gives us the frame itself, with its time to leave. */
	skb_clear_delivery_time(skb);
	sk = weft_port_lookup(node->wn, true, &self, pkt->dport, &node->addr,
			      pkt->sport, ifindex);
	if (!sk) {
		/* Once for all of its pieces. */
		if (!pkt->offset)
			refuse(node, pkt);
		weft_drop(node->wn, skb, WEFT_STAT_drop_port);
		return;
	}
	skb = take_payload(node, skb, pkt);
	if (skb) {
		name_sender(skb, &node->addr, pkt->sport);
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
		to->found = wsk->found;
		to->found_at = wsk->found_at;
	} while (read_seqcount_retry(&wsk->peer_seq, seq));
	return state == TCP_ESTABLISHED ? 0 : -EDESTADDRREQ;
}

/* @to: where it goes, from the call or from the connection. */
static int find_target(struct sock *sk, struct msghdr *msg, struct target *to)
{
	struct sockaddr_weft sw;
	int err;

	to->is_peer = !msg->msg_name;
	if (to->is_peer)
		return find_peer(sk, to);
	to->found = NULL;
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

/* A filter may look behind any header: let that be the payload. */
static void reset_headers(struct sk_buff *skb)
{
	skb_reset_mac_header(skb);
	skb_reset_network_header(skb);
	skb_reset_transport_header(skb);
}

/* The user's bytes into @skb, whose linear part is @linear long. */
static int fill_dgram(struct sk_buff *skb, struct msghdr *msg, size_t linear,
		      size_t len)
{
	reset_headers(skb);
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
	/* Not ours any more: a queue may keep it longer than we live. */
	skb_orphan(skb);
	return skb;
}

/* What an unbound sender of this node is called. */
static struct in6_addr local_name(const struct sock *sk, const struct target *to)
{
	/* One that loses its name and is bound anew may send under any. */
	struct in6_addr addr = data_race(weft_sk(sk)->addr);

	return ipv6_addr_any(&addr) ? to->node : addr;
}

/*
 * Is what find_peer() knew still so? A socket that was bound to a device since
 * gets nothing over this road. RCU.
 */
static bool is_known_target(const struct target *to, u64 version)
{
	return to->found && to->found_at == version &&
	       !READ_ONCE(to->found->sk_bound_dev_if);
}

/* Whom the connected peer's name led to, for the next datagram. */
static void remember(struct sock *sk, const struct target *to,
		     struct sock *found, u64 version)
{
	struct sk_buff_head *q = &sk->sk_receive_queue;
	struct weft_sock *wsk = weft_sk(sk);

	spin_lock_bh(&q->lock);
	if (wsk->peer_port == to->port &&
	    ipv6_addr_equal(&wsk->peer_addr, &to->node)) {
		write_seqcount_begin(&wsk->peer_seq);
		wsk->found = found;
		wsk->found_at = version;
		write_seqcount_end(&wsk->peer_seq);
	}
	spin_unlock_bh(&q->lock);
}

/* The receiver on this node, or NULL; RCU. */
static struct sock *find_receiver(struct sock *sk, const struct target *to)
{
	struct weft_net *wn = weft_sock_net(sk);
	u64 version = weft_port_version(wn);
	struct in6_addr from;
	struct sock *peer;

	if (is_known_target(to, version))
		return to->found;
	from = local_name(sk, to);
	peer = weft_port_find(wn, true, &to->node, to->port, &from,
			      to->own_port, LOOPBACK_IFINDEX);
	if (peer && to->is_peer && weft_port_is_single(wn, to->port))
		remember(sk, to, peer, version);
	return peer;
}

/* Before its receiver gets it; @ours: see struct weft_dgram_cb. */
static void name_local(struct sock *sk, struct sock *peer,
		       const struct target *to, struct sk_buff *skb, bool ours)
{
	struct in6_addr from = local_name(sk, to);

	name_sender(skb, &from, to->own_port);
	skb->mark = to->control.mark;
	weft_dgram_cb(skb)->ours = ours;
	weft_dgram_cb(skb)->sure = to->is_sure;
	/* As netif_rx() would: for a control message, or for SIOCGSTAMP. */
	if (READ_ONCE(peer->sk_flags) & SK_FLAGS_TIMESTAMP)
		__net_timestamp(skb);
	weft_count(weft_sock_net(sk), WEFT_STAT_local_bytes, skb->len);
}

/* --- pairs --- */

/* Is it one of two ends, which hears of the other alone? */
static bool is_paired(const struct sock *sk)
{
	return weft_sk(sk)->paired &&
	       READ_ONCE(sk->sk_state) == TCP_ESTABLISHED;
}

/* Whom a paired socket is connected to, or NULL; RCU. */
static struct sock *find_end(struct sock *sk)
{
	struct target to = {
		.is_peer = true,
		.own_port = READ_ONCE(weft_sk(sk)->port),
	};

	if (!is_paired(sk) || find_peer(sk, &to) ||
	    !ipv6_addr_loopback(&to.node))
		return NULL;
	return find_receiver(sk, &to);
}

/*
 * The same. One that was bound to a device is in no pair any more: the other end
 * would not find it.
 */
static struct sock *find_mate(struct sock *sk)
{
	return READ_ONCE(sk->sk_bound_dev_if) ? NULL : find_end(sk);
}

/* Whoever waits for room at @mate looks again; RCU. */
static void wake_writers(struct sock *mate)
{
	if (mate)
		mate->sk_write_space(mate);
}

void weft_dgram_wake_mate(struct sock *sk)
{
	rcu_read_lock();
	wake_writers(find_mate(sk));
	rcu_read_unlock();
}

/* It stays connected, to a port that nobody has. */
static void forget_peer(struct sock *sk, u16 port)
{
	struct sk_buff_head *q = &sk->sk_receive_queue;
	struct weft_sock *wsk = weft_sk(sk);

	spin_lock_bh(&q->lock);
	write_seqcount_begin(&wsk->peer_seq);
	if (wsk->peer_port == port) {
		WRITE_ONCE(wsk->peer_port, 0);
		wsk->found = NULL;
	}
	write_seqcount_end(&wsk->peer_seq);
	spin_unlock_bh(&q->lock);
}

/* @sk is @mate's peer no more, and its port may be anybody's. */
static void leave_mate(struct sock *sk, struct sock *mate)
{
	if (mate && is_paired(mate))
		forget_peer(mate, READ_ONCE(weft_sk(sk)->port));
	wake_writers(mate);
}

void weft_dgram_part(struct sock *sk)
{
	rcu_read_lock();
	leave_mate(sk, find_end(sk));
	rcu_read_unlock();
}

/* As AF_UNIX: then a writer hears EPIPE, and waits for nothing. */
static bool reads_no_more(const struct sock *mate)
{
	return READ_ONCE(mate->sk_shutdown) & RCV_SHUTDOWN;
}

/* Does @mate's queue hold no more than @most? Else its reader tells us later. */
static bool is_room_at(struct sock *mate, int most)
{
	struct sk_buff_head *q = &mate->sk_receive_queue;
	bool room;

	spin_lock_bh(&q->lock);
	room = atomic_read(&mate->sk_rmem_alloc) <= most;
	if (!room)
		weft_sk(mate)->awaited = true;
	spin_unlock_bh(&q->lock);
	return room;
}

/* Was so much read that the other end is told? Queue. */
static bool ends_wait(struct sock *sk)
{
	struct weft_sock *wsk = weft_sk(sk);

	if (!wsk->awaited || !weft_sock_is_drained(sk))
		return false;
	wsk->awaited = false;
	return true;
}

bool weft_dgram_has_room(struct sock *sk)
{
	struct sock *mate;
	bool room;

	if (!weft_sk(sk)->paired)
		return true;
	rcu_read_lock();
	mate = find_mate(sk);
	room = !mate || !is_paired(mate) || reads_no_more(mate) ||
	       is_room_at(mate, READ_ONCE(mate->sk_rcvbuf) / 2);
	rcu_read_unlock();
	return room;
}

/* Does it still send to where it is connected to, under the same name? */
static bool is_to_peer(struct sock *sk, const struct target *to)
{
	struct target now;

	return READ_ONCE(weft_sk(sk)->port) == to->own_port &&
	       !find_peer(sk, &now) && now.port == to->port &&
	       ipv6_addr_equal(&now.node, &to->node);
}

/* May a paired socket send now? 0; -EAGAIN: its reader will tell. RCU. */
static int why_not_sent(struct sock *sk, struct target *to)
{
	struct sock *mate = NULL;

	if (READ_ONCE(sk->sk_shutdown) & SEND_SHUTDOWN)
		return -EPIPE;
	if (is_to_peer(sk, to))
		mate = find_receiver(sk, to);
	if (!mate)
		return to->is_peer ? -ECONNREFUSED : 0;
	if (!is_paired(mate) || READ_ONCE(sk->sk_bound_dev_if))
		return 0;
	if (reads_no_more(mate))
		return -EPIPE;
	to->is_sure = is_room_at(mate, READ_ONCE(mate->sk_rcvbuf));
	return to->is_sure ? 0 : -EAGAIN;
}

static int ask_mate(struct sock *sk, struct target *to)
{
	int err;

	rcu_read_lock();
	err = why_not_sent(sk, to);
	rcu_read_unlock();
	return err;
}

/* Wait until a paired socket may send; not owned. */
static int wait_mate(struct sock *sk, struct target *to, long timeo)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	int err = ask_mate(sk, to);

	if (err != -EAGAIN || !timeo)
		return err;
	/* Whoever makes room after our look finds us: both take the lock. */
	add_wait_queue(sk_sleep(sk), &wait);
	while ((err = ask_mate(sk, to)) == -EAGAIN && timeo) {
		if (signal_pending(current)) {
			err = sock_intr_errno(timeo);
			break;
		}
		timeo = wait_woken(&wait, TASK_INTERRUPTIBLE, timeo);
	}
	remove_wait_queue(sk_sleep(sk), &wait);
	return err;
}

/* What the sender hears: of what there was room for nothing gets lost. */
static int error_of(const struct target *to, enum weft_stat why)
{
	return to->is_sure && why == WEFT_STAT_drop_memory ? -ENOBUFS : 0;
}

/* --- on one node --- */

/*
 * A short one that stays on the node. The receiver alone is charged for it, and
 * without room there it goes at once. It is in pages, or where it has room there
 * in the head of the skb: one that the receiver has read, or a new one.
 */
struct local {
	struct sock		*sk;
	const struct target	*to;
	struct sk_buff		*spare;
	size_t			len;
	union {
		u8			bytes[DGRAM_SMALL];
		struct weft_pieces	pieces;
	};
};

static bool is_small(const struct local *l)
{
	return l->len <= DGRAM_SMALL;
}

static void into_skb(struct local *l, struct sock *peer, struct sk_buff *skb)
{
	reset_headers(skb);
	if (is_small(l))
		skb_put_data(skb, l->bytes, l->len);
	else
		weft_pieces_into(&l->pieces, skb);
	/* Until here its cb is that of pieces. */
	name_local(l->sk, peer, l->to, skb, true);
}

static struct sk_buff *take_skb(struct local *l, struct sock *peer)
{
	struct sk_buff *skb = l->spare ?: weft_pool_skb(peer);

	l->spare = NULL;
	return skb;
}

/* A program of the user's runs without the lock, unless it comes meanwhile. */
static int queue_filtered(struct local *l, struct sock *peer)
{
	struct sk_buff_head *q = &peer->sk_receive_queue;
	struct sk_buff *skb;

	spin_lock_bh(&q->lock);
	skb = take_skb(l, peer);
	spin_unlock_bh(&q->lock);
	if (!skb)
		return -EAGAIN;
	into_skb(l, peer, skb);
	return error_of(l->to, queue_dgram(peer, skb));
}

/* All under one hold of the lock; -EAGAIN when it takes a spare skb. RCU. */
static int queue_short(struct local *l, struct sock *peer)
{
	struct sk_buff_head *q = &peer->sk_receive_queue;
	struct sk_buff *skb;
	enum weft_stat why;
	bool tell = false;

	if (rcu_access_pointer(peer->sk_filter))
		return queue_filtered(l, peer);
	spin_lock_bh(&q->lock);
	skb = take_skb(l, peer);
	if (!skb) {
		spin_unlock_bh(&q->lock);
		return -EAGAIN;
	}
	into_skb(l, peer, skb);
	why = sk_filter(peer, skb) ? WEFT_STAT_drop_filter :
				     add_dgram(peer, skb, &tell);
	spin_unlock_bh(&q->lock);
	was_added(peer, skb, why, tell);
	return error_of(l->to, why);
}

static int offer(struct local *l)
{
	struct sock *peer;
	int err = 0;

	rcu_read_lock();
	peer = find_receiver(l->sk, l->to);
	if (peer)
		err = queue_short(l, peer);
	else
		nobody_is_there(l->sk, NULL);
	rcu_read_unlock();
	return err;
}

static int fill_local(struct local *l, struct msghdr *msg)
{
	if (!is_small(l))
		return weft_pieces_fill(l->sk, &l->pieces, &msg->msg_iter,
					l->len, -1);
	return copy_from_iter_full(l->bytes, l->len, &msg->msg_iter) ? 0 :
								-EFAULT;
}

static int send_short(struct sock *sk, struct msghdr *msg, size_t len,
		      const struct target *to)
{
	struct local l __uninitialized;
	int err;

	l.sk = sk;
	l.to = to;
	l.spare = NULL;
	l.len = len;
	err = fill_local(&l, msg);
	if (err)
		return err;
	err = offer(&l);
	if (err == -EAGAIN) {
		l.spare = alloc_skb(DGRAM_SMALL, GFP_KERNEL);
		err = l.spare ? offer(&l) : -ENOBUFS;
	}
	consume_skb(l.spare);
	if (!is_small(&l))
		weft_pieces_drop(&l.pieces);
	return err;
}

/* The same in memory of its own. */
static struct sk_buff *make_local(struct sock *sk, struct msghdr *msg,
				  size_t len, int *err)
{
	struct sk_buff *skb;

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
		      struct target *to)
{
	struct sk_buff *skb;
	struct sock *peer;
	int err;

	if (weft_sk(sk)->paired) {
		err = wait_mate(sk, to, sock_sndtimeo(sk, msg->msg_flags &
						      MSG_DONTWAIT));
		if (err)
			return err;
	}
	/* Whoever must not enter file systems would write into sk's own page. */
	if (len <= PAGE_SIZE && sk->sk_allocation == GFP_KERNEL)
		return send_short(sk, msg, len, to);
	skb = make_local(sk, msg, len, &err);
	if (!skb)
		return err;
	rcu_read_lock();
	peer = find_receiver(sk, to);
	if (peer) {
		name_local(sk, peer, to, skb, false);
		err = error_of(to, queue_dgram(peer, skb));
	} else {
		nobody_is_there(sk, skb);
	}
	rcu_read_unlock();
	return err;
}

/* --- over the wire --- */

/* As UDP's: for the device's queue, which may hold it until it is to leave. */
static void set_control(struct sock *sk, struct sk_buff *skb,
			const struct sockcm_cookie *control)
{
	skb->mark = control->mark;
	if (control->transmit_time)
		skb_set_delivery_type_by_clockid(skb, control->transmit_time,
						 sk->sk_clockid);
}

/* May the socket send to what is not this node? */
static int why_unreachable(const struct sock *sk, const struct in6_addr *node)
{
	if (ipv6_addr_loopback(&weft_sk(sk)->addr))
		return -EINVAL;
	return weft_addr_is_plain(node) ? 0 : -EHOSTUNREACH;
}

static int send_wire(struct sock *sk, struct msghdr *msg, size_t len,
		     const struct target *to)
{
	struct weft_pkt pkt = {
		.kind = WEFT_DGRAM,
		.sport = to->own_port,
		.dport = to->port,
		.total = len,
	};
	struct weft_node *node;
	struct sk_buff *skb;
	int err;

	BUILD_BUG_ON(WEFT_DGRAM_BYTES != WEFT_DGRAM_MAX);
	err = why_unreachable(sk, &to->node);
	if (err)
		return err;
	node = weft_node_get(weft_sock_net(sk), &to->node,
			     to->scope ?: sk->sk_bound_dev_if);
	if (IS_ERR(node))
		return PTR_ERR(node);
	skb = make_dgram(sk, msg, len, &err);
	if (skb) {
		set_control(sk, skb, &to->control);
		err = weft_send(node, skb, &pkt, 0);
	}
	weft_node_put(node);
	return err;
}

/* Give the port back; sk owned. */
static void unbind(struct sock *sk)
{
	weft_port_unbind(sk);
	WRITE_ONCE(weft_sk(sk)->port, 0);
}

/* A socket that sends has a port, so that it can be answered; sk owned. */
static int autobind(struct sock *sk)
{
	struct weft_sock *wsk = weft_sk(sk);
	struct in6_addr addr = wsk->addr;
	int err;

	if (wsk->port)
		return 0;
	err = weft_port_bind(sk, &addr, 0);
	/* One without a port keeps the address of bind(), but not the node's. */
	if (!err && !ipv6_addr_any(&addr) &&
	    !weft_net_is_self(weft_sock_net(sk), &addr)) {
		unbind(sk);
		err = -EADDRNOTAVAIL;
	}
	return err;
}

static noinline int own_and_autobind(struct sock *sk, u16 *port)
{
	int err;

	lock_sock(sk);
	err = autobind(sk);
	*port = weft_sk(sk)->port;
	release_sock(sk);
	return err;
}

/*
 * Before anything is sent: why not, or where to. As UDP: even a send that fails
 * names the socket, and one without a target says so before all else. One that
 * is bound is not owned.
 */
static int prepare(struct sock *sk, struct msghdr *msg, struct target *to)
{
	struct weft_sock *wsk = weft_sk(sk);
	int err = 0;

	to->is_sure = false;
	/* Pairs with insert_port(). */
	to->own_port = smp_load_acquire(&wsk->hashed) ? READ_ONCE(wsk->port) : 0;
	if (!to->own_port)
		err = own_and_autobind(sk, &to->own_port);
	if (!err)
		err = find_target(sk, msg, to);
	if (!err)
		err = sock_error(sk);
	if (!err && READ_ONCE(sk->sk_shutdown) & SEND_SHUTDOWN)
		err = -EPIPE;
	return err;
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
	err = weft_sock_read_control(sk, msg, &to.control);
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
 * What was read before goes to the pool, which may be full: then it is the
 * caller's, to be freed without the lock.
 */
static struct sk_buff *give_spent(struct sock *sk)
{
	struct sk_buff *skb;

	if (!READ_ONCE(weft_sk(sk)->spent))
		return NULL;
	skb = xchg(&weft_sk(sk)->spent, NULL);
	return skb && !weft_pool_keep_one(sk, skb) ? skb : NULL;
}

/*
 * Take the first, or with MSG_PEEK a reference to it. Where there is none, and the
 * reader will sleep, the next wakes it.
 */
static struct sk_buff *take_dgram(struct sock *sk, int flags, bool sleeps)
{
	struct sk_buff_head *q = &sk->sk_receive_queue;
	struct sk_buff *skb, *spent;
	bool wake;

	spin_lock_bh(&q->lock);
	spent = give_spent(sk);
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
	wake = ends_wait(sk);
	spin_unlock_bh(&q->lock);
	if (wake)
		weft_dgram_wake_mate(sk);
	consume_skb(spent);
	return skb;
}

/*
 * Nothing is there: 1 wait, 0 the end, or negative errno. As UDP: whoever does
 * not wait is not told of the end.
 */
static int why_none(struct sock *sk, long timeo)
{
	if (!timeo)
		return -EAGAIN;
	if (READ_ONCE(sk->sk_shutdown) & RCV_SHUTDOWN)
		return 0;
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
		weft_pause_sleep(sk, &wait, has_ended, timeo);
		return NULL;
	}
	if (!skb && !has_ended(sk))
		*timeo = wait_woken(&wait, TASK_INTERRUPTIBLE, *timeo);
	remove_wait_queue(sk_sleep(sk), &wait);
	return skb;
}

/* As UDP: an error comes before what is there. */
static struct sk_buff *wait_dgram(struct sock *sk, int flags, int *err)
{
	long timeo = sock_rcvtimeo(sk, flags & MSG_DONTWAIT);
	struct sk_buff *skb;

	do {
		*err = sock_error(sk);
		if (*err)
			return NULL;
		skb = take_dgram(sk, flags, false);
		if (skb)
			break;
		*err = why_none(sk, timeo);
		if (*err <= 0)
			return NULL;
		skb = sleep_dgram(sk, flags, &timeo);
	} while (!skb);
	return skb;
}

/* Is it as into_skb() made it, and nobody else's? */
static bool is_reusable(const struct sk_buff *skb)
{
	return weft_dgram_cb((struct sk_buff *)skb)->ours &&
	       refcount_read(&skb->users) == 1 && !skb_cloned(skb) &&
	       skb->data == skb->head &&
	       (!skb_headlen(skb) || !skb->data_len) && !skb_pfmemalloc(skb) &&
	       skb->truesize - skb->data_len ==
		SKB_TRUESIZE(skb_end_offset(skb));
}

/* It was read; takes skb. The next reading gives it to the pool. */
static void recycle(struct sock *sk, struct sk_buff *skb)
{
	if (is_reusable(skb)) {
		weft_pool_prepare(sk);
		if (READ_ONCE(weft_sk(sk)->pool)) {
			skb->tstamp = 0;
			weft_pool_strip(skb);
			skb = xchg(&weft_sk(sk)->spent, skb);
		}
	}
	consume_skb(skb);
}

/* In the head of an skb of ours, and mostly within one page proper. */
static int copy_small(const struct sk_buff *skb, struct msghdr *msg, u32 n)
{
	u32 off = offset_in_page(skb->data);

	if (n > skb_headlen(skb) || off + n > PAGE_SIZE)
		return skb_copy_datagram_msg(skb, 0, msg, n);
	return weft_copy_page_to_iter(virt_to_page(skb->data), off, n,
				      &msg->msg_iter) == n ? 0 : -EFAULT;
}

static int copy_dgram(struct sk_buff *skb, struct msghdr *msg, u32 n)
{
	if (!weft_dgram_cb(skb)->ours)
		return skb_copy_datagram_msg(skb, 0, msg, n);
	return skb_headlen(skb) ? copy_small(skb, msg, n) :
				  weft_pieces_read(skb, 0, msg, n);
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
							  0);
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
	wsk->found = NULL;
	if (to) {
		wsk->peer_addr = to->node;
		wsk->peer_port = to->port;
		wsk->scope = to->scope;
		/* Whoever sees it connected sees what it is connected to. */
		smp_store_release(&sk->sk_state, TCP_ESTABLISHED);
	}
	write_seqcount_end(&wsk->peer_seq);
	spin_unlock_bh(&q->lock);
	weft_port_changed(weft_sock_net(sk));
}

static bool is_at(const struct sock *mate, const struct target *to)
{
	return ipv6_addr_loopback(&to->node) &&
	       READ_ONCE(weft_sk(mate)->port) == to->port;
}

/*
 * The same. As UDP: with its peer a port goes that nobody asked for by its
 * number. Then, and not before, writers of either end of a pair look whether it
 * is one any more. sk owned.
 */
static void change_peer(struct sock *sk, const struct target *to)
{
	struct sock *mate;

	rcu_read_lock();
	mate = find_end(sk);
	set_peer(sk, to);
	if (mate && to && is_at(mate, to))
		wake_writers(mate);
	else
		leave_mate(sk, mate);
	if (!to && !(sk->sk_userlocks & SOCK_BINDPORT_LOCK))
		unbind(sk);
	rcu_read_unlock();
	if (weft_sk(sk)->paired)
		sk->sk_write_space(sk);
}

int weft_dgram_connect(struct sock *sk, const struct sockaddr_weft *to)
{
	struct target target;
	int err;

	if (!to) {
		WRITE_ONCE(sk->sk_bound_dev_if, 0);
		change_peer(sk, NULL);
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
	if (!weft_net_is_self(weft_sock_net(sk), &target.node)) {
		err = why_unreachable(sk, &target.node);
		if (err)
			return err;
	}
	change_peer(sk, &target);
	return 0;
}

static void set_deaf(struct sock *sk, bool deaf)
{
	spin_lock_bh(&sk->sk_receive_queue.lock);
	weft_sk(sk)->rx_dead = deaf;
	spin_unlock_bh(&sk->sk_receive_queue.lock);
}

int weft_dgram_pair(struct sock *a, struct sock *b)
{
	struct sockaddr_weft to = {};
	int err;

	/* Until both are connected anybody could write to their ports. */
	set_deaf(a, true);
	set_deaf(b, true);
	weft_sk(a)->paired = true;
	weft_sk(b)->paired = true;
	to.sw_node[15] = 1;
	err = autobind(a) ?: autobind(b);
	if (err)
		return err;
	to.sw_port = cpu_to_be16(weft_sk(b)->port);
	err = weft_dgram_connect(a, &to);
	to.sw_port = cpu_to_be16(weft_sk(a)->port);
	err = err ?: weft_dgram_connect(b, &to);
	set_deaf(a, false);
	set_deaf(b, false);
	return err;
}
