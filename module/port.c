// SPDX-License-Identifier: GPL-2.0
/* Bound sockets by class and port; a socket is in at most once. */
#include <linux/random.h>
#include <linux/rhashtable.h>
#include <net/ip.h>
#include <net/sock.h>

#include "listen.h"
#include "port.h"
#include "sock.h"

/* Class and port make the key, so that one table serves both classes. */
static u32 port_key(bool dgram, u16 port)
{
	return (dgram ? 0x10000 : 0) | port;
}

static u32 hash_key(const void *data, u32 len, u32 seed)
{
	return jhash_1word(*(const u32 *)data, seed);
}

static u32 hash_sock(const void *data, u32 len, u32 seed)
{
	const struct weft_sock *wsk = data;
	u32 key = port_key(weft_is_dgram(&wsk->sk), wsk->port);

	return hash_key(&key, sizeof(key), seed);
}

static int differs(struct rhashtable_compare_arg *arg, const void *obj)
{
	const struct weft_sock *wsk = obj;

	return port_key(weft_is_dgram(&wsk->sk), wsk->port) !=
	       *(const u32 *)arg->key;
}

static const struct rhashtable_params port_params = {
	.head_offset = offsetof(struct weft_sock, port_node),
	.key_len = sizeof(u32),
	.hashfn = hash_key,
	.obj_hashfn = hash_sock,
	.obj_cmpfn = differs,
	.automatic_shrinking = true,
};

int weft_port_init_net(struct weft_net *wn)
{
	spin_lock_init(&wn->ports_lock);
	atomic_set(&wn->next_port, get_random_u32());
	return rhltable_init(&wn->ports, &port_params);
}

void weft_port_exit_net(struct weft_net *wn)
{
	rhltable_destroy(&wn->ports);
}

static bool overlaps(const struct in6_addr *a, const struct in6_addr *b)
{
	return ipv6_addr_any(a) || ipv6_addr_any(b) || ipv6_addr_equal(a, b);
}

/*
 * May something come over one device for both? Not asked again when a bound
 * socket gets another device, as TCP and UDP do not: one of them hears it then.
 */
static bool meets(const struct sock *a, const struct sock *b)
{
	int one = READ_ONCE(a->sk_bound_dev_if);
	int two = READ_ONCE(b->sk_bound_dev_if);

	return !one || !two || one == two;
}

/* SO_REUSEADDR: as TCP without TIME_WAIT, and as UDP. */
static bool may_share(const struct sock *a, const struct sock *b)
{
	return a->sk_reuse && b->sk_reuse &&
	       a->sk_state != TCP_LISTEN && b->sk_state != TCP_LISTEN;
}

/* @shares: SO_REUSEADDR of both lets them have it together. */
static bool is_taken(struct weft_net *wn, struct sock *sk,
		     const struct in6_addr *addr, u16 port, bool shares)
{
	u32 key = port_key(weft_is_dgram(sk), port);
	struct rhlist_head *list, *pos;
	struct weft_sock *other;
	bool taken = false;

	rcu_read_lock();
	list = rhltable_lookup(&wn->ports, &key, port_params);
	rhl_for_each_entry_rcu(other, pos, list, port_node)
		if (&other->sk != sk && overlaps(&other->addr, addr) &&
		    meets(&other->sk, sk) &&
		    !(shares && may_share(&other->sk, sk))) {
			taken = true;
			break;
		}
	rcu_read_unlock();
	return taken;
}

/* One socket more, or less, has @port. */
static void count_bound(struct weft_net *wn, u16 port, int one)
{
	lockdep_assert_held(&wn->ports_lock);
	if (port >= WEFT_PORT_EPHEMERAL_MIN && port <= WEFT_PORT_EPHEMERAL_MAX)
		WRITE_ONCE(wn->ephemeral_bound, wn->ephemeral_bound + one);
}

static int insert_port(struct weft_net *wn, struct sock *sk,
		       const struct in6_addr *addr, u16 port, bool shares)
{
	u32 key = port_key(weft_is_dgram(sk), port);
	struct weft_sock *wsk = weft_sk(sk);
	int err;

	if (is_taken(wn, sk, addr, port, shares))
		return -EADDRINUSE;
	wsk->addr = *addr;
	WRITE_ONCE(wsk->port, port);
	/* From here on it is found without a reference. */
	sock_set_flag(sk, SOCK_RCU_FREE);
	/* rhltable_insert() would look for a key in the socket itself. */
	err = rhltable_insert_key(&wn->ports, &key, &wsk->port_node, port_params);
	if (err) {
		WRITE_ONCE(wsk->port, 0);
		return err;
	}
	if (weft_is_dgram(sk))
		weft_port_changed(wn);
	/* Pairs with prepare() of dgram.c: then the name is there to be read. */
	smp_store_release(&wsk->hashed, true);
	count_bound(wn, port, 1);
	weft_net_use_address(wn);
	return 0;
}

static u16 next_ephemeral(struct weft_net *wn)
{
	const u32 span = WEFT_PORT_EPHEMERAL_MAX - WEFT_PORT_EPHEMERAL_MIN + 1;

	return WEFT_PORT_EPHEMERAL_MIN +
	       (u32)atomic_inc_return(&wn->next_port) % span;
}

static int bind_one(struct weft_net *wn, struct sock *sk,
		    const struct in6_addr *addr, u16 port, bool shares)
{
	int err;

	spin_lock_bh(&wn->ports_lock);
	err = insert_port(wn, sk, addr, port, shares);
	spin_unlock_bh(&wn->ports_lock);
	return err;
}

/*
 * A port that nobody has; as UDP, a DGRAM is content with one that it may share.
 * Where all are taken that is a long search, in which others have their turn.
 */
static int bind_ephemeral(struct weft_net *wn, struct sock *sk,
			  const struct in6_addr *addr)
{
	u16 port = next_ephemeral(wn), first = port;
	int err;

	/* All of them once, whoever else is searching. */
	do {
		err = bind_one(wn, sk, addr, port, weft_is_dgram(sk));
		if (err != -EADDRINUSE)
			return err;
		cond_resched();
		port = port < WEFT_PORT_EPHEMERAL_MAX ?
		       port + 1 : WEFT_PORT_EPHEMERAL_MIN;
	} while (port != first);
	return err;
}

/* A kernel without IP has the header, and nobody who sets the limit. */
static bool is_privileged(struct net *net, u16 port)
{
	return IS_ENABLED(CONFIG_INET) ?
	       inet_port_requires_bind_service(net, port) : port < PROT_SOCK;
}

int weft_port_bind(struct sock *sk, const struct in6_addr *addr, u16 port)
{
	struct weft_net *wn = weft_sock_net(sk);
	int err;

	if (port && is_privileged(sock_net(sk), port) &&
	    !ns_capable(sock_net(sk)->user_ns, CAP_NET_BIND_SERVICE))
		return -EACCES;
	err = port ? bind_one(wn, sk, addr, port, true) :
		     bind_ephemeral(wn, sk, addr);
	if (!err && port)
		sk->sk_userlocks |= SOCK_BINDPORT_LOCK;
	return err;
}

void weft_port_unbind(struct sock *sk)
{
	struct weft_net *wn = weft_sock_net(sk);
	struct weft_sock *wsk = weft_sk(sk);

	if (!wsk->hashed)
		return;
	/* Before the port can be somebody else's. */
	if (weft_is_dgram(sk))
		weft_dgram_part(sk);
	spin_lock_bh(&wn->ports_lock);
	rhltable_remove(&wn->ports, &wsk->port_node, port_params);
	count_bound(wn, wsk->port, -1);
	spin_unlock_bh(&wn->ports_lock);
	/* Before the reference is dropped: see weft_port_changed(). */
	if (weft_is_dgram(sk))
		weft_port_changed(wn);
	WRITE_ONCE(wsk->hashed, false);
	sk->sk_userlocks &= ~SOCK_BINDPORT_LOCK;
	weft_net_unuse_address(wn);
}

u16 weft_port_name(struct weft_net *wn)
{
	int tries = 64;
	u16 port;
	u32 key;

	/* One that is bound meanwhile may get the same: names are not unique. */
	if (!READ_ONCE(wn->ephemeral_bound))
		return next_ephemeral(wn);
	rcu_read_lock();
	do {
		port = next_ephemeral(wn);
		key = port_key(false, port);
	} while (rhltable_lookup(&wn->ports, &key, port_params) && --tries);
	rcu_read_unlock();
	return port;
}

static bool may_listen(struct sock *sk)
{
	struct weft_sock *wsk = weft_sk(sk), *other;
	struct weft_net *wn = weft_sock_net(sk);
	u32 key = port_key(false, wsk->port);
	struct rhlist_head *list, *pos;
	bool may = true;

	rcu_read_lock();
	list = rhltable_lookup(&wn->ports, &key, port_params);
	rhl_for_each_entry_rcu(other, pos, list, port_node)
		if (other != wsk && overlaps(&other->addr, &wsk->addr) &&
		    meets(&other->sk, sk) &&
		    READ_ONCE(other->sk.sk_state) == TCP_LISTEN)
			may = false;
	rcu_read_unlock();
	return may;
}

int weft_port_listen(struct sock *sk, int backlog)
{
	struct weft_net *wn = weft_sock_net(sk);
	int err = -EADDRINUSE;

	spin_lock_bh(&wn->ports_lock);
	if (may_listen(sk)) {
		weft_listen_start(sk, backlog);
		err = 0;
	}
	spin_unlock_bh(&wn->ports_lock);
	return err;
}

/*
 * How well a socket suits: -1 not at all; connected to just this sender beats
 * bound to an address, which beats bound to the device, which beats bound to
 * neither.
 */
static int score(struct weft_sock *wsk, const struct in6_addr *to,
		 const struct in6_addr *from, u16 from_port, int dif)
{
	int bound = READ_ONCE(wsk->sk.sk_bound_dev_if);
	/* A DGRAM that has left the table may just be bound anew. */
	struct in6_addr addr = data_race(wsk->addr);
	int points = 0;

	if (!ipv6_addr_any(&addr)) {
		if (!ipv6_addr_equal(&addr, to))
			return -1;
		points = 2;
	}
	if (bound && bound != dif)
		return -1;
	if (bound)
		points++;
	if (weft_is_dgram(&wsk->sk)) {
		if (READ_ONCE(wsk->sk.sk_state) != TCP_ESTABLISHED)
			return points;
		if (wsk->peer_port != from_port ||
		    !ipv6_addr_equal(&wsk->peer_addr, from))
			return -1;
		return points + 4;
	}
	return READ_ONCE(wsk->sk.sk_state) == TCP_LISTEN ? points : -1;
}

struct sock *weft_port_find(struct weft_net *wn, bool dgram,
			    const struct in6_addr *to, u16 port,
			    const struct in6_addr *from, u16 from_port,
			    int dif)
{
	u32 key = port_key(dgram, port);
	struct rhlist_head *list, *pos;
	struct sock *best = NULL;
	struct weft_sock *wsk;
	int points = -1;

	list = rhltable_lookup(&wn->ports, &key, port_params);
	rhl_for_each_entry_rcu(wsk, pos, list, port_node) {
		int own;

		/* It may have been unbound, and bound again, meanwhile. */
		if (READ_ONCE(wsk->port) != port)
			continue;
		own = score(wsk, to, from, from_port, dif);
		if (own > points) {
			points = own;
			best = &wsk->sk;
		}
	}
	return best;
}

struct sock *weft_port_lookup(struct weft_net *wn, bool dgram,
			      const struct in6_addr *to, u16 port,
			      const struct in6_addr *from, u16 from_port,
			      int dif)
{
	struct sock *sk;

	rcu_read_lock();
	sk = weft_port_find(wn, dgram, to, port, from, from_port, dif);
	if (sk && !refcount_inc_not_zero(&sk->sk_refcnt))
		sk = NULL;
	rcu_read_unlock();
	return sk;
}

bool weft_port_is_single(struct weft_net *wn, u16 port)
{
	u32 key = port_key(true, port);
	struct rhlist_head *list;
	bool single;

	rcu_read_lock();
	list = rhltable_lookup(&wn->ports, &key, port_params);
	single = list && !rcu_access_pointer(list->next);
	rcu_read_unlock();
	return single;
}
