// SPDX-License-Identifier: GPL-2.0
/* The family: sockets are made, named, connected, accepted and closed here. */
#include <linux/hash.h>
#include <linux/module.h>
#include <linux/net.h>
#include <linux/wait_bit.h>
#include <linux/poll.h>
#include <linux/security.h>
#include <linux/swap.h>
#include <net/sock.h>
#include <net/tcp_states.h>

#include "af.h"
#include "conn.h"
#include "fault.h"
#include "listen.h"
#include "local.h"
#include "memcg.h"
#include "node.h"
#include "pool.h"
#include "port.h"
#include "sock.h"

/* One node's are at most such a part of all that may be. */
#define ORPHANS_PART		4

static atomic_long_t memory_allocated;
static DEFINE_PER_CPU(int, memory_per_cpu);
long weft_sysctl_mem[3] __read_mostly;
/* The core's form of that, see weft_af_set_mem(). */
static long mem_limits[3] __read_mostly;
/*
 * Never any: without these the core would take the first limit for the last.
 * 6.1 asks the number of sockets, too, when a control group is short of memory.
 */
static unsigned long memory_pressure;
static struct percpu_counter sockets_allocated;
static int weft_wmem[3] = { 4096, 65536, 4194304 };
static int weft_rmem[3] = { 4096, 65536, 4194304 };

WEFT_PROTO_IOCTL_ADAPTER(weft_sock_ioctl);

static struct proto weft_proto = {
	.name			= "WEFT",
	/* No owner: a reference per socket is one line that all CPUs share.
	 * weft_live counts sockets instead, and weft_af_exit() waits for it.
	 */
	.owner			= NULL,
	.obj_size		= sizeof(struct weft_sock),
	.ioctl			= weft_proto_ioctl_adapt(weft_sock_ioctl),
	.release_cb		= weft_conn_release_cb,
	.keepalive		= weft_conn_set_keep,
	.memory_allocated	= &memory_allocated,
	.per_cpu_fw_alloc	= &memory_per_cpu,
	.memory_pressure	= &memory_pressure,
	.sockets_allocated	= &sockets_allocated,
	.sysctl_mem		= mem_limits,
	.sysctl_wmem		= weft_wmem,
	.sysctl_rmem		= weft_rmem,
};

void weft_sock_purge(struct sock *sk)
{
	struct sk_buff_head *q = &sk->sk_receive_queue;
	struct weft_sock *wsk = weft_sk(sk);
	struct sk_buff_head all;
	struct sk_buff *skb;
	u32 truesize = 0;

	weft_pool_end(sk);
	/* Nothing comes any more: what is empty stays so. */
	if (skb_queue_empty(&wsk->reader) && skb_queue_empty_lockless(q))
		return;
	__skb_queue_head_init(&all);
	spin_lock_bh(&q->lock);
	skb_queue_splice_init(&wsk->reader, &all);
	skb_queue_splice_tail_init(q, &all);
	skb_queue_walk(&all, skb)
		truesize += skb->truesize;
	weft_rmem_uncharge(sk, truesize);
	wsk->rx_bytes = 0;
	wsk->rx_whole = 0;
	wsk->rx_records = 0;
	wsk->rx_read = 0;
	wsk->rx_records_read = 0;
	wsk->reader_bytes = 0;
	spin_unlock_bh(&q->lock);
	__skb_queue_purge(&all);
}

static void destruct(struct sock *sk)
{
	struct weft_sock *wsk = weft_sk(sk);

	weft_sock_purge(sk);
	weft_conn_free(sk);
	if (wsk->peer)
		sock_put(wsk->peer);
	consume_skb(wsk->spent);
	__skb_queue_purge(&sk->sk_error_queue);
	sk_mem_reclaim_final(sk);
	WARN_ON_ONCE(atomic_read(&sk->sk_rmem_alloc));
	WARN_ON_ONCE(sk->sk_wmem_queued);
	WARN_ON_ONCE(sk->sk_forward_alloc);
	if (atomic_dec_and_test(&weft_live))
		wake_up_var(&weft_live);
}

/*
 * Writers wait for half a buffer; whoever found no room set SOCK_NOSPACE. May
 * run in the peer's context: struct socket is freed by RCU.
 */
static void write_space(struct sock *sk)
{
	const __poll_t out = EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
	struct socket_wq *wq;
	struct socket *sock;

	rcu_read_lock();
	sock = READ_ONCE(sk->sk_socket);
	wq = rcu_dereference(sk->sk_wq);
	if (sock && test_and_clear_bit(SOCK_NOSPACE, &sock->flags)) {
		if (skwq_has_sleeper(wq))
			wake_up_interruptible_poll(&wq->wait, out);
		sk_wake_async(sk, SOCK_WAKE_SPACE, POLL_OUT);
	}
	rcu_read_unlock();
}

/* Where it is listed. */
static struct weft_bucket *bucket_of(struct sock *sk)
{
	return &weft_sock_net(sk)->socks[hash_ptr(sk, WEFT_SOCK_BUCKET_BITS)];
}

static void enter_table(struct sock *sk)
{
	struct weft_bucket *bucket = bucket_of(sk);

	spin_lock_bh(&bucket->lock);
	hlist_add_head(&weft_sk(sk)->net_node, &bucket->socks);
	spin_unlock_bh(&bucket->lock);
}

static void leave_table(struct sock *sk)
{
	struct weft_bucket *bucket = bucket_of(sk);

	spin_lock_bh(&bucket->lock);
	hlist_del_init(&weft_sk(sk)->net_node);
	spin_unlock_bh(&bucket->lock);
}

struct sock *weft_sock_alloc(struct net *net, struct socket *sock, int type,
			     bool inet6, gfp_t gfp, int kern)
{
	struct weft_sock *wsk;
	struct sock *sk;

	if (weft_fault(WEFT_FAULT_ALLOC))
		return NULL;
	sk = sk_alloc(net, weft_family_number, gfp, &weft_proto, kern);
	if (!sk)
		return NULL;
	atomic_inc(&weft_live);
	sock_init_data(sock, sk);
	sk->sk_type = type;
	sk->sk_protocol = inet6 ? WEFT_PROTO_INET6 : WEFT_PROTO_DEFAULT;
	sk->sk_destruct = destruct;
	sk->sk_backlog_rcv = weft_conn_backlog_rcv;
	if (type != SOCK_DGRAM)
		sk->sk_write_space = write_space;
	wsk = weft_sk(sk);
	wsk->wn = weft_net(net);
	wsk->inet6 = inet6;
	wsk->cc = READ_ONCE(wsk->wn->cc);
	__skb_queue_head_init(&wsk->reader);
	seqcount_spinlock_init(&wsk->peer_seq, &sk->sk_receive_queue.lock);
	enter_table(sk);
	return sk;
}

struct sock *weft_sock_child(struct sock *listener, gfp_t gfp)
{
	struct weft_sock *from = weft_sk(listener), *wsk;
	struct sock *sk;

	sk = weft_sock_alloc(sock_net(listener), NULL, listener->sk_type,
			     from->inet6, gfp, 0);
	if (!sk)
		return NULL;
	wsk = weft_sk(sk);
	wsk->addr = from->addr;
	wsk->port = from->port;
	wsk->cc = READ_ONCE(from->cc);
	sk->sk_rcvbuf = READ_ONCE(listener->sk_rcvbuf);
	sk->sk_sndbuf = READ_ONCE(listener->sk_sndbuf);
	sk->sk_userlocks = listener->sk_userlocks;
	sk->sk_rcvtimeo = READ_ONCE(listener->sk_rcvtimeo);
	sk->sk_sndtimeo = READ_ONCE(listener->sk_sndtimeo);
	sk->sk_rcvlowat = READ_ONCE(listener->sk_rcvlowat);
	sk->sk_priority = READ_ONCE(listener->sk_priority);
	sk->sk_mark = READ_ONCE(listener->sk_mark);
	sk->sk_max_pacing_rate = READ_ONCE(listener->sk_max_pacing_rate);
	WRITE_ONCE(sk->sk_incoming_cpu, raw_smp_processor_id());
	sk->sk_bound_dev_if = READ_ONCE(listener->sk_bound_dev_if);
	sk->sk_uid = listener->sk_uid;
	sk->sk_reuse = listener->sk_reuse;
	wsk->refuses_early = from->refuses_early;
	wsk->keep = from->keep;
	wsk->nodelay = from->nodelay;
	if (sock_flag(listener, SOCK_LINGER)) {
		sock_set_flag(sk, SOCK_LINGER);
		sk->sk_lingertime = listener->sk_lingertime;
	}
	if (sock_flag(listener, SOCK_KEEPOPEN))
		sock_set_flag(sk, SOCK_KEEPOPEN);
	weft_memcg_inherit(sk, listener);
	security_sk_clone(listener, sk);
	return sk;
}

static void wake_peer(struct sock *peer)
{
	if (READ_ONCE(peer->sk_err))
		sk_error_report(peer);
	weft_sock_wake_end(peer);
}

/* Ends the circle of references of a local pair; sk is closed, not owned. */
static void let_peer_go(struct sock *sk)
{
	struct sock *peer = weft_sk(sk)->peer;

	if (!peer)
		return;
	weft_fault_delay();
	WRITE_ONCE(weft_sk(sk)->peer, NULL);
	wake_peer(peer);
	sock_put(peer);
}

void weft_sock_destroy(struct sock *sk)
{
	struct weft_sock *wsk = weft_sk(sk);

	local_bh_disable();
	bh_lock_sock(sk);
	if (wsk->road == WEFT_ROAD_LOCAL) {
		/* A connection that nobody took is reset, data or none. */
		weft_local_close(sk, true);
	} else if (wsk->conn) {
		weft_conn_abort(sk, ECONNRESET);
	}
	sk->sk_shutdown = SHUTDOWN_MASK;
	sock_set_flag(sk, SOCK_DEAD);
	bh_unlock_sock(sk);
	local_bh_enable();
	let_peer_go(sk);
	leave_table(sk);
	sock_put(sk);
}

/*
 * From now on the socket is kept by its flow, not by a file, and must not keep
 * its namespace: weft_af_exit_net() ends it when the namespace goes.
 */
static void become_orphan(struct sock *sk)
{
	struct weft_net *wn = weft_sock_net(sk);
	struct weft_conn *conn = weft_sk(sk)->conn;

	weft_conn_renew_orphan(sk);
	spin_lock_bh(&wn->orphans_lock);
	hlist_add_head(&conn->orphan_node, &wn->orphans);
	WRITE_ONCE(wn->nr_orphans, wn->nr_orphans + 1);
	spin_unlock_bh(&wn->orphans_lock);
	weft_conn_leave(sk);
	weft_conn_push(sk);
}

static void drop_net(struct sock *sk)
{
	struct net *net = sock_net(sk);

	if (!sk->sk_net_refcnt)
		return;
	sk->sk_net_refcnt = 0;
	weft_untrack_net(sk, net);
}

void weft_sock_orphan_end(struct sock *sk)
{
	struct weft_net *wn = weft_sock_net(sk);
	struct weft_conn *conn = weft_sk(sk)->conn;
	bool was;

	spin_lock_bh(&wn->orphans_lock);
	was = !hlist_unhashed(&conn->orphan_node);
	if (was) {
		hlist_del_init(&conn->orphan_node);
		WRITE_ONCE(wn->nr_orphans, wn->nr_orphans - 1);
	}
	spin_unlock_bh(&wn->orphans_lock);
	if (!was)
		return;
	leave_table(sk);
	/* Our caller has a reference of its own: not the last. */
	sock_put(sk);
}

/* Take a reference to some orphan, or NULL. */
static struct sock *some_orphan(struct weft_net *wn)
{
	struct sock *sk = NULL;

	spin_lock_bh(&wn->orphans_lock);
	if (!hlist_empty(&wn->orphans)) {
		sk = hlist_entry(wn->orphans.first, struct weft_conn,
				 orphan_node)->sk;
		sock_hold(sk);
	}
	spin_unlock_bh(&wn->orphans_lock);
	return sk;
}

void weft_af_exit_net(struct weft_net *wn)
{
	struct sock *sk;

	while ((sk = some_orphan(wn))) {
		lock_sock(sk);
		weft_conn_abort(sk, ENETDOWN);
		release_sock(sk);
		weft_sock_orphan_end(sk);
		sock_put(sk);
	}
}

static bool has_unread(const struct sock *sk)
{
	return weft_sock_unread(sk) > 0;
}

/* SO_LINGER: wait until the peer has everything. sk owned. */
static void linger(struct sock *sk)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	long timeo = sk->sk_lingertime;

	if (!sock_flag(sk, SOCK_LINGER) || (current->flags & PF_EXITING))
		return;
	add_wait_queue(sk_sleep(sk), &wait);
	while (timeo && !weft_conn_is_sent(sk) && !signal_pending(current))
		sk_wait_event(sk, &timeo, weft_conn_is_sent(sk), &wait);
	remove_wait_queue(sk_sleep(sk), &wait);
}

/* SO_LINGER of 0: close resets. */
static bool discards(const struct sock *sk)
{
	return sock_flag(sk, SOCK_LINGER) && !sk->sk_lingertime;
}

/*
 * A peer that never closes must not fill the memory of who does: one node has at
 * most a part of all that may go on. Flows of sockets that are closed at the
 * same time may each find the last place.
 */
static bool is_room_for_orphan(struct weft_net *wn, const struct sock *sk)
{
	int most = READ_ONCE(wn->limits.orphans);

	return READ_ONCE(wn->nr_orphans) < most &&
	       READ_ONCE(weft_sk(sk)->conn->node->nr_left) <
	       DIV_ROUND_UP(most, ORPHANS_PART);
}

/* True when the flow goes on without the file. */
static bool close_wire(struct sock *sk)
{
	struct weft_net *wn = weft_sock_net(sk);

	if (has_unread(sk) || discards(sk) || sk->sk_state == TCP_SYN_SENT) {
		weft_conn_abort(sk, ECONNRESET);
		return false;
	}
	weft_conn_shutdown(sk);
	linger(sk);
	if (weft_conn_is_over(sk))
		return false;
	/* What came meanwhile was acknowledged, and will not be read. */
	if (has_unread(sk)) {
		weft_conn_abort(sk, ECONNRESET);
		return false;
	}
	if (is_room_for_orphan(wn, sk))
		return true;
	weft_count(wn, WEFT_STAT_orphans_reset, 1);
	weft_conn_abort(sk, ECONNRESET);
	return false;
}

void weft_sock_close(struct sock *sk)
{
	struct weft_sock *wsk = weft_sk(sk);
	bool listener, orphan = false;
	LIST_HEAD(children);

	lock_sock(sk);
	listener = sk->sk_state == TCP_LISTEN;
	weft_port_unbind(sk);
	if (listener)
		weft_listen_stop(sk, &children);
	else if (wsk->road == WEFT_ROAD_LOCAL)
		weft_local_close(sk, discards(sk));
	else if (wsk->conn)
		orphan = close_wire(sk);
	WRITE_ONCE(sk->sk_shutdown, SHUTDOWN_MASK);
	sock_orphan(sk);
	if (orphan) {
		sock_hold(sk);
		become_orphan(sk);
	}
	release_sock(sk);
	if (listener)
		weft_listen_drop(sk, &children);
	let_peer_go(sk);
	if (orphan)
		drop_net(sk);
	else
		leave_table(sk);
	sock_put(sk);
}

static int weft_release(struct socket *sock)
{
	struct sock *sk = sock->sk;

	if (!sk)
		return 0;
	sock->sk = NULL;
	weft_sock_close(sk);
	return 0;
}

static int weft_bind(struct socket *sock, struct sockaddr_unsized *uaddr, int len)
{
	struct sock *sk = sock->sk;
	struct sockaddr_weft sw;
	struct in6_addr node;
	int err;

	err = weft_addr_read(sk, uaddr, len, &sw);
	if (err)
		return err;
	node = weft_addr_node(&sw);
	if (!ipv6_addr_any(&node) &&
	    !weft_net_is_self(weft_sock_net(sk), &node))
		return -EADDRNOTAVAIL;
	lock_sock(sk);
	/* A name without a place in the table was of a connection that broke. */
	if (weft_sk(sk)->hashed || sk->sk_state != TCP_CLOSE)
		err = -EINVAL;
	else
		err = weft_port_bind(sk, &node, be16_to_cpu(sw.sw_port));
	/* The address cannot change any more; had it by then? */
	if (!err && !ipv6_addr_any(&node) &&
	    !weft_net_is_self(weft_sock_net(sk), &node)) {
		weft_port_unbind(sk);
		weft_sk(sk)->port = 0;
		weft_sk(sk)->addr = in6addr_any;
		err = -EADDRNOTAVAIL;
	}
	if (!err)
		weft_sk(sk)->named = false;
	release_sock(sk);
	return err;
}

/* Own name of a socket that connects unbound. */
static void name_self(struct sock *sk, const struct in6_addr *to)
{
	struct weft_net *wn = weft_sock_net(sk);
	struct weft_sock *wsk = weft_sk(sk);

	if (!wsk->port)
		wsk->port = weft_port_name(wn);
	if (ipv6_addr_any(&wsk->addr)) {
		wsk->addr = ipv6_addr_loopback(to) ? *to : weft_net_address(wn);
		wsk->named = true;
	}
}

/* A connect failed: the socket is as it was before; sk owned. */
static void connect_failed(struct socket *sock)
{
	struct weft_sock *wsk = weft_sk(sock->sk);

	sock->state = SS_UNCONNECTED;
	weft_conn_disconnect(sock->sk);
	if (!wsk->hashed)
		wsk->port = 0;
	if (wsk->named)
		wsk->addr = in6addr_any;
	wsk->named = false;
}

static int connect_wire(struct sock *sk, const struct sockaddr_weft *to,
			bool hold)
{
	struct weft_net *wn = weft_sock_net(sk);
	struct in6_addr node = weft_addr_node(to);
	struct weft_node *peer;
	int err;

	if (ipv6_addr_loopback(&weft_sk(sk)->addr))
		return -EINVAL;
	if (!weft_addr_is_plain(&node))
		return -EHOSTUNREACH;
	name_self(sk, &node);
	do {
		peer = weft_node_get(wn, &node,
				     to->sw_scope ?: sk->sk_bound_dev_if);
		if (IS_ERR(peer))
			return PTR_ERR(peer);
		weft_sk(sk)->peer_addr = node;
		weft_sk(sk)->peer_port = be16_to_cpu(to->sw_port);
		weft_sk(sk)->scope = to->sw_scope;
		err = weft_conn_start(sk, peer, hold);
		weft_node_put(peer);
	} while (err == -ESTALE);
	return err;
}

/* For a new connection; what was shut stays so. */
static void begin_reading(struct sock *sk)
{
	bool deaf = sk->sk_type == SOCK_SEQPACKET &&
		    sk->sk_shutdown & RCV_SHUTDOWN;

	if (READ_ONCE(weft_sk(sk)->rx_dead) != deaf) {
		spin_lock_bh(&sk->sk_receive_queue.lock);
		WRITE_ONCE(weft_sk(sk)->rx_dead, deaf);
		spin_unlock_bh(&sk->sk_receive_queue.lock);
	}
	/* TCP forgets an error that nobody asked for. */
	if (sk->sk_type == SOCK_STREAM)
		WRITE_ONCE(sk->sk_err, 0);
}

/* The peer of a connect; any means this node. */
static int start_connect(struct sock *sk, const struct sockaddr_weft *to,
			 bool hold, struct sock **wake)
{
	struct weft_net *wn = weft_sock_net(sk);
	struct in6_addr node = weft_addr_node(to);
	int err;

	begin_reading(sk);
	if (!to->sw_port)
		return -ECONNREFUSED;
	if (ipv6_addr_any(&node))
		node = in6addr_loopback;
	if (!weft_net_is_self(wn, &node))
		return connect_wire(sk, to, hold);
	name_self(sk, &node);
	err = weft_local_connect(sk, &node, be16_to_cpu(to->sw_port), wake);
	if (!err)
		weft_sk(sk)->peer_addr = node;
	return err;
}

static bool is_opening(const struct sock *sk)
{
	return sk->sk_state == TCP_SYN_SENT;
}

/* Wait for the answer to OPEN; sk owned. */
static int wait_open(struct sock *sk, long *timeo)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	int attempt = sk->sk_disconnects;

	if (!*timeo)
		return -EINPROGRESS;
	add_wait_queue(sk_sleep(sk), &wait);
	while (is_opening(sk) && attempt == sk->sk_disconnects && *timeo &&
	       !signal_pending(current))
		sk_wait_event(sk, timeo, !is_opening(sk), &wait);
	remove_wait_queue(sk_sleep(sk), &wait);
	/* It failed or was shut, and another thread has begun the next. */
	if (attempt != sk->sk_disconnects && sk->sk_state != TCP_CLOSE)
		return -EPIPE;
	if (is_opening(sk))
		return *timeo ? sock_intr_errno(*timeo) : -EINPROGRESS;
	return 0;
}

int weft_connect_wait(struct socket *sock, long *timeo)
{
	struct sock *sk = sock->sk;
	int err;

	if (is_opening(sk)) {
		err = wait_open(sk, timeo);
		if (err)
			return err;
	}
	if (sk->sk_state != TCP_ESTABLISHED) {
		connect_failed(sock);
		return sock_error(sk) ?: -ECONNABORTED;
	}
	sock->state = SS_CONNECTED;
	return 0;
}

/*
 * A backlog on this node that is full: wait until a child is taken, or the
 * socket is shut down. sk is not owned.
 */
static int wait_backlog(struct sock *sk, int seen, long *timeo)
{
	atomic_t *accepts = &weft_sock_net(sk)->accepts;
	long before = *timeo;

	if (!*timeo)
		return -EAGAIN;
	/* The kernel has no such wait that both a signal and a time end. */
	*timeo = ___wait_var_event(accepts,
				   ___wait_cond_timeout(atomic_read(accepts) !=
							seen),
				   TASK_INTERRUPTIBLE, 0, *timeo,
				   __ret = schedule_timeout(__ret));
	if (*timeo < 0)
		return sock_intr_errno(before);
	return *timeo ? 0 : -EAGAIN;
}

/* -EAGAIN: the backlog is full. sk owned. */
static int connect_once(struct socket *sock, const struct sockaddr_weft *to,
			bool hold, long timeo, struct sock **wake)
{
	struct sock *sk = sock->sk;
	int err;

	if (sock->state == SS_CONNECTED || weft_sock_is_held(sk))
		return -EISCONN;
	if (sock->state == SS_DISCONNECTING)
		return -EINVAL;
	if (sock->state == SS_CONNECTING && is_opening(sk) && !timeo)
		return -EALREADY;
	if (sock->state == SS_UNCONNECTED) {
		if (sk->sk_state != TCP_CLOSE)
			return sk->sk_type == SOCK_STREAM ? -EISCONN : -EINVAL;
		err = start_connect(sk, to, hold, wake);
		if (err) {
			connect_failed(sock);
			return err;
		}
		sock->state = SS_CONNECTING;
		/* Also where it was handed over: nobody could tell. */
		if (weft_sk(sk)->conn && !hold && !timeo)
			return -EINPROGRESS;
	}
	return weft_sock_is_held(sk) ? 0 : weft_connect_wait(sock, &timeo);
}

/*
 * While connect() waited for room in a backlog: an attempt that failed leaves
 * nothing shut, so what is shut now ends the wait. sk owned.
 */
static bool end_if_shut_down(struct socket *sock)
{
	if (!sock->sk->sk_shutdown || sock->state != SS_UNCONNECTED)
		return false;
	connect_failed(sock);
	return true;
}

/*
 * EAGAIN of a stream's connect(): who takes that for TCP's EINPROGRESS polls, and
 * shall not be told that there is a connection. The next connect() forgets it.
 */
static void leave_refused(struct socket *sock)
{
	struct sock *sk = sock->sk;
	bool refused;

	if (sk->sk_type != SOCK_STREAM)
		return;
	lock_sock(sk);
	refused = sock->state == SS_UNCONNECTED && sk->sk_state == TCP_CLOSE;
	if (refused)
		WRITE_ONCE(sk->sk_err, ECONNREFUSED);
	release_sock(sk);
	if (refused)
		sk_error_report(sk);
}

/* @hold: the first send sends OPEN, wherever it is sent over a wire. */
static int connect_stream(struct socket *sock, const struct sockaddr_weft *to,
			  bool hold, bool nonblock)
{
	struct sock *sk = sock->sk, *wake = NULL;
	long timeo = sock_sndtimeo(sk, nonblock);
	bool waited = false;
	int err;

	for (;;) {
		int seen = atomic_read(&weft_sock_net(sk)->accepts);

		lock_sock(sk);
		err = waited && end_if_shut_down(sock) ? -ECONNRESET :
		      connect_once(sock, to, hold, timeo, &wake);
		release_sock(sk);
		if (err != -EAGAIN)
			break;
		err = wait_backlog(sk, seen, &timeo);
		if (err)
			break;
		waited = true;
	}
	if (err == -EAGAIN && nonblock)
		leave_refused(sock);
	if (wake) {
		wake->sk_data_ready(wake);
		sock_put(wake);
	}
	return err;
}

int weft_connect_early(struct socket *sock, struct msghdr *msg)
{
	struct sock *sk = sock->sk;
	struct sockaddr_weft to;
	u16 family;
	int err;

	if (weft_sock_is_held(sk))
		return 0;
	if (msg->msg_name && msg->msg_namelen >= (int)sizeof(family)) {
		memcpy(&family, msg->msg_name, sizeof(family));
		if (family == AF_UNSPEC)
			return -EOPNOTSUPP;
	}
	err = msg->msg_name ? weft_addr_read(sk, msg->msg_name,
					     msg->msg_namelen, &to) : -EINVAL;
	if (err)
		return err;
	return connect_stream(sock, &to, true, msg->msg_flags & MSG_DONTWAIT);
}

static int weft_connect(struct socket *sock, struct sockaddr_unsized *uaddr, int len,
			int flags)
{
	struct sock *sk = sock->sk;
	struct sockaddr_weft to;
	u16 family;
	int err;

	if (len < (int)sizeof(family))
		return -EINVAL;
	memcpy(&family, uaddr, sizeof(family));
	if (family == AF_UNSPEC && weft_is_dgram(sk)) {
		lock_sock(sk);
		err = weft_dgram_connect(sk, NULL);
		release_sock(sk);
		return err;
	}
	err = weft_addr_read(sk, uaddr, len, &to);
	if (err)
		return err;
	if (!weft_is_dgram(sk))
		return connect_stream(sock, &to, READ_ONCE(weft_sk(sk)->defers),
				      flags & O_NONBLOCK);
	lock_sock(sk);
	err = weft_dgram_connect(sk, &to);
	release_sock(sk);
	return err;
}

static int weft_socketpair(struct socket *one, struct socket *two)
{
	struct in6_addr self = in6addr_loopback;
	struct sock *a = one->sk, *b = two->sk;

	weft_sk(a)->addr = self;
	weft_sk(b)->addr = self;
	if (weft_is_dgram(a))
		return weft_dgram_pair(a, b);
	weft_sk(a)->port = weft_port_name(weft_sock_net(a));
	weft_sk(b)->port = weft_port_name(weft_sock_net(b));
	weft_local_pair(a, b);
	one->state = SS_CONNECTED;
	two->state = SS_CONNECTED;
	return 0;
}

static int weft_listen(struct socket *sock, int backlog)
{
	struct sock *sk = sock->sk;
	int err = 0;

	if (weft_is_dgram(sk))
		return -EOPNOTSUPP;
	lock_sock(sk);
	if (sock->state != SS_UNCONNECTED ||
	    (sk->sk_state != TCP_CLOSE && sk->sk_state != TCP_LISTEN))
		err = -EINVAL;
	else if (!weft_sk(sk)->port)
		err = weft_port_bind(sk, &in6addr_any, 0);
	if (!err)
		err = weft_port_listen(sk, backlog);
	release_sock(sk);
	weft_listen_changed(sk);
	return err;
}

static bool is_acceptable(struct sock *sk)
{
	return !list_empty_careful(&weft_sk(sk)->accept_q) ||
	       READ_ONCE(sk->sk_state) != TCP_LISTEN;
}

/* The listener is not owned: the lock of its queue does. */
static struct sock *wait_child(struct sock *sk, long timeo, int *err)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	struct sock *child;

	*err = 0;
	add_wait_queue_exclusive(sk_sleep(sk), &wait);
	smp_mb();	/* on the queue before looking: see skwq_has_sleeper() */
	while (!(child = weft_listen_take(sk))) {
		if (!timeo)
			*err = -EAGAIN;
		else if (signal_pending(current))
			*err = sock_intr_errno(timeo);
		if (*err)
			break;
		timeo = wait_woken(&wait, TASK_INTERRUPTIBLE, timeo);
	}
	remove_wait_queue(sk_sleep(sk), &wait);
	if (IS_ERR(child)) {
		*err = PTR_ERR(child);
		child = NULL;
	}
	return child;
}

static int weft_accept(struct socket *sock, struct socket *newsock,
		       struct proto_accept_arg *arg)
{
	struct sock *sk = sock->sk, *child;
	bool slow;
	int err;

	if (weft_is_dgram(sk))
		return -EOPNOTSUPP;
	child = wait_child(sk, sock_rcvtimeo(sk, arg->flags & O_NONBLOCK),
			   &err);
	arg->is_empty = !is_acceptable(sk);
	arg->err = err;
	if (!child)
		return err;
	weft_listen_changed(sk);
	slow = lock_sock_fast(child);
	sock_graft(child, newsock);
	newsock->state = SS_CONNECTED;
	if (weft_sk(child)->conn)
		weft_node_want(weft_sk(child)->conn->node);
	unlock_sock_fast(child, slow);
	return 0;
}

WEFT_ACCEPT_ADAPTER(weft_accept);

/*
 * Did both streams of a connection end? As TCP's, it is none any more. What was
 * shut before there was a connection ended nothing.
 */
static bool is_over(const struct sock *sk)
{
	const struct weft_sock *wsk = weft_sk(sk);

	if (sk->sk_type != SOCK_STREAM || !READ_ONCE(wsk->rx_eof))
		return false;
	if (wsk->road == WEFT_ROAD_LOCAL)
		return READ_ONCE(weft_sk(wsk->peer)->rx_eof);
	return weft_conn_is_over(sk);
}

static bool is_connected(const struct sock *sk)
{
	return weft_sock_is_open(sk) && !is_over(sk);
}

/* What getname() is asked for: by accept() and SO_PEERNAME the last. */
enum { OWN, OF_CONNECTED, OF_ACCEPTED };

/* accept() wants a name whatever became of the connection. */
static bool has_peer_name(const struct sock *sk, int peer)
{
	if (sk->sk_type == SOCK_STREAM && peer == OF_CONNECTED)
		return is_connected(sk);
	if (weft_is_dgram(sk) || peer == OF_CONNECTED)
		return sk->sk_state == TCP_ESTABLISHED;
	return weft_sk(sk)->road != WEFT_ROAD_NONE;
}

/* As UDP: a DGRAM that is connected is called what its peer sees; sk owned. */
static struct in6_addr own_name(const struct sock *sk)
{
	const struct weft_sock *wsk = weft_sk(sk);

	if (!weft_is_dgram(sk) || sk->sk_state != TCP_ESTABLISHED ||
	    !ipv6_addr_any(&wsk->addr))
		return wsk->addr;
	return ipv6_addr_loopback(&wsk->peer_addr) ?
	       wsk->peer_addr : weft_net_address(wsk->wn);
}

static int weft_getname(struct socket *sock, struct sockaddr *uaddr, int peer)
{
	struct sock *sk = sock->sk;
	struct weft_sock *wsk = weft_sk(sk);
	struct in6_addr own;
	int len;

	lock_sock(sk);
	own = own_name(sk);
	if (peer == OWN)
		len = weft_addr_fill(sk, uaddr, &own, wsk->port, 0);
	else if (has_peer_name(sk, peer))
		len = weft_addr_fill(sk, uaddr, &wsk->peer_addr,
				     READ_ONCE(wsk->peer_port), wsk->scope);
	else
		len = -ENOTCONN;
	release_sock(sk);
	return len;
}

/* Nothing is queued from now on, not even a child. */
static void shut_reading(struct sock *sk)
{
	struct sk_buff_head *q = &sk->sk_receive_queue;

	spin_lock_bh(&q->lock);
	WRITE_ONCE(weft_sk(sk)->rx_dead, true);
	spin_unlock_bh(&q->lock);
}

static int shut_stream(struct sock *sk, int how)
{
	struct weft_sock *wsk = weft_sk(sk);
	bool connected = is_connected(sk);

	WRITE_ONCE(sk->sk_shutdown, sk->sk_shutdown | how);
	if (!connected)
		return sk->sk_type == SOCK_STREAM ? -ENOTCONN : 0;
	/* AF_UNIX's messages tell the sender, TCP's bytes do not. */
	if (how & RCV_SHUTDOWN && sk->sk_type == SOCK_SEQPACKET)
		shut_reading(sk);
	if (!(how & SEND_SHUTDOWN))
		return 0;
	if (wsk->road == WEFT_ROAD_LOCAL)
		weft_local_shutdown(sk);
	else if (wsk->road == WEFT_ROAD_WIRE)
		weft_conn_shutdown(sk);
	return 0;
}

/* As UDP: it works without a connection, and says that there is none. */
static int shut_dgram(struct sock *sk, int how)
{
	WRITE_ONCE(sk->sk_shutdown, sk->sk_shutdown | how);
	weft_dgram_wake_mate(sk);
	return sk->sk_state == TCP_ESTABLISHED ? 0 : -ENOTCONN;
}

/* True when the socket listens no more. */
static bool shut_listener(struct sock *sk, int how, struct list_head *children)
{
	if (!(how & RCV_SHUTDOWN))
		return false;
	weft_listen_stop(sk, children);
	return true;
}

/* A connect that its caller has not followed up is so no more, as with TCP. */
static void end_connecting(struct socket *sock)
{
	if (sock->state == SS_CONNECTING)
		sock->state = sock->sk->sk_state == TCP_ESTABLISHED ?
			      SS_CONNECTED : SS_DISCONNECTING;
}

static void stop_opening(struct socket *sock)
{
	weft_conn_abort(sock->sk, ECONNRESET);
	connect_failed(sock);
}

static int weft_shutdown(struct socket *sock, int how)
{
	struct sock *sk = sock->sk;
	LIST_HEAD(children);
	bool ended = false;
	int err = 0;

	if (how < SHUT_RD || how > SHUT_RDWR)
		return -EINVAL;
	lock_sock(sk);
	end_connecting(sock);
	if (weft_is_dgram(sk))
		err = shut_dgram(sk, how + 1);
	else if (sk->sk_state == TCP_LISTEN)
		ended = shut_listener(sk, how + 1, &children);
	else if (sk->sk_state == TCP_SYN_SENT)
		stop_opening(sock);
	else
		err = shut_stream(sk, how + 1);
	release_sock(sk);
	if (ended)
		weft_listen_drop(sk, &children);
	else if (sk->sk_state == TCP_CLOSE)
		weft_listen_changed(sk);	/* it may wait in connect() */
	sk->sk_state_change(sk);
	if (!err && weft_sk(sk)->peer)
		wake_peer(weft_sk(sk)->peer);
	return err;
}

/* sendfile() said that more would come, and found the end of its file. */
static void __maybe_unused weft_splice_eof(struct socket *sock)
{
	lock_sock(sock->sk);
	if (!weft_sk(sock->sk)->corked)
		weft_sock_flush(sock->sk);
	release_sock(sock->sk);
}

#define WEFT_OPS_COMMON						\
	.owner		= THIS_MODULE,				\
	.release	= weft_release,				\
	.bind		= weft_bind,				\
	.connect	= weft_connect,				\
	.socketpair	= weft_socketpair,			\
	.accept		= weft_accept_adapt(weft_accept),	\
	.getname	= weft_getname,				\
	.poll		= weft_poll,				\
	.ioctl		= weft_ioctl,				\
	.gettstamp	= sock_gettstamp,			\
	.listen		= weft_listen,				\
	.shutdown	= weft_shutdown,			\
	.setsockopt	= weft_setsockopt,			\
	.getsockopt	= weft_getsockopt,			\
	.mmap		= sock_no_mmap

static const struct proto_ops stream_ops = {
	WEFT_OPS_COMMON,
	WEFT_SPLICE_EOF(weft_splice_eof)
	.sendmsg	= weft_stream_sendmsg,
	.recvmsg	= weft_stream_recvmsg,
	.set_rcvlowat	= weft_set_rcvlowat,
};

static const struct proto_ops dgram_ops = {
	WEFT_OPS_COMMON,
	.sendmsg	= weft_dgram_sendmsg,
	.recvmsg	= weft_dgram_recvmsg,
};

/* Programs pass what getaddrinfo() gave them, which knows the models alone. */
static bool is_default(int type, int protocol)
{
	return protocol == WEFT_PROTO_DEFAULT ||
	       (type == SOCK_STREAM && protocol == IPPROTO_TCP) ||
	       (type == SOCK_DGRAM && protocol == IPPROTO_UDP);
}

static int weft_create(struct net *net, struct socket *sock, int protocol,
		       int kern)
{
	if (!is_default(sock->type, protocol) && protocol != WEFT_PROTO_INET6)
		return -EPROTONOSUPPORT;
	switch (sock->type) {
	case SOCK_STREAM:
	case SOCK_SEQPACKET:
		sock->ops = &stream_ops;
		break;
	case SOCK_DGRAM:
		sock->ops = &dgram_ops;
		break;
	default:
		return -ESOCKTNOSUPPORT;
	}
	sock->state = SS_UNCONNECTED;
	if (!weft_sock_alloc(net, sock, sock->type,
			     protocol == WEFT_PROTO_INET6, GFP_KERNEL, kern))
		return -ENOMEM;
	return 0;
}

/*
 * From where on memory is short is the core's for SO_RESERVE_MEM alone, as no
 * protocol of ours is told of it (.enter_memory_pressure): it refuses (ENOMEM)
 * what would get there. It always would: the option changes sk_forward_alloc
 * under ownership, which of most sockets is not the guard. Newer kernels keep
 * it for TCP. Our own code looks at weft_sysctl_mem.
 */
void weft_af_set_mem(void)
{
	WRITE_ONCE(mem_limits[0], READ_ONCE(weft_sysctl_mem[0]));
	WRITE_ONCE(mem_limits[1], LONG_MIN);
	WRITE_ONCE(mem_limits[2], READ_ONCE(weft_sysctl_mem[2]));
}

int weft_af_init(void)
{
	unsigned long pages = nr_free_buffer_pages() / 8;

	weft_sysctl_mem[0] = max(pages / 4 * 3, 128UL);
	weft_sysctl_mem[1] = max(pages, 192UL);
	weft_sysctl_mem[2] = max(pages / 2 * 3, 256UL);
	weft_af_set_mem();
	return proto_register(&weft_proto, 1);
}

void weft_af_exit(void)
{
	wait_var_event(&weft_live, !atomic_read(&weft_live));
	rcu_barrier();
	proto_unregister(&weft_proto);
}

static struct net_proto_family weft_family_ops __ro_after_init = {
	.create	= weft_create,
	.owner	= THIS_MODULE,
};

int weft_af_register(int family)
{
	weft_family_ops.family = family;
	return sock_register(&weft_family_ops);
}

void weft_af_unregister(void)
{
	sock_unregister(weft_family_ops.family);
}
