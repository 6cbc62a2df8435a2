/* SPDX-License-Identifier: GPL-2.0 */
/* What weft keeps for one network namespace. */
#ifndef WEFT_NET_H
#define WEFT_NET_H

#include <linux/in6.h>
#include <linux/notifier.h>
#include <linux/rhashtable.h>
#include <linux/seqlock.h>
#include <linux/siphash.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <net/ipv6.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>

#include "bucket.h"
#include "stats.h"

struct ctl_table_header;
struct weft_cc_ops;
struct weft_trial;

/* Parameters of the module, constant once it is loaded but for check. main.c */
extern int weft_family_number;
extern unsigned int weft_ethertype;
extern bool weft_check;

/* Limits of a namespace: net.weft.limits.* */
struct weft_limits {
	int	nodes;		/* other nodes known at once */
	int	pending;	/* datagrams that wait for one node's answer */
	int	rmem;		/* most that a window grows to, bytes */
	int	wmem;		/* most that a write queue grows to, bytes */
	int	fragments;	/* memory of datagrams not whole yet, bytes */
	int	orphans;	/* connections that go on without a file */
	int	orphan_sec;	/* and how long without progress, s */
	int	answers;	/* to strangers in a second, of each kind */
};

/* One list of sockets, so that those of one namespace do not share a lock. */
struct weft_bucket {
	spinlock_t		lock;
	struct hlist_head	socks;
};

/* Lists of nodes by place and by their id of the session. */
#define WEFT_REMOTE_BITS	8

#define WEFT_SOCK_BUCKET_BITS	8
#define WEFT_SOCK_BUCKETS	(1 << WEFT_SOCK_BUCKET_BITS)

/**
 * struct weft_net - a namespace's node
 * @net: back pointer; this struct dies before it
 * @address: this node's address; @address_lock guards it, readers retry
 * @address_users: bound sockets and nodes that use @address; it is constant
 *	while there are any
 * @trial: the address that net.weft.node is asking for, or NULL; @nodes_lock
 * @stats: per cpu
 * @secret: keys the session ids; never changes
 * @ended: sessions whose ids are not good again; @nodes_lock, its generation is
 *	looked at without
 * @nodes: other nodes by address (node.c); RCU, writers under @nodes_lock
 * @sessions: the same by our session id (node.c)
 * @remotes: those that have a place, by that and their session id (node.c);
 *	RCU, writers under @nodes_lock
 * @node_list: the same, oldest first
 * @nr_nodes: entries of @nodes
 * @nr_asking: of these, such as nobody has answered for
 * @nr_pending: datagrams that wait for nodes, in all, in frames
 * @frags: datagrams that are not whole (frags.c), oldest first, @nr_frags of
 *	them in @frag_bytes of memory; guarded by @frags_lock
 * @frags_timer: the oldest of them is given up
 * @links: enabled devices by ifindex (link.c); RTNL writes, RCU reads
 * @notifier: of the namespace's devices
 * @exiting: no node is made any more; @nodes_lock
 * @ports_version: of the datagram sockets in @ports; see weft_port_version()
 * @ports: bound sockets (port.c)
 * @flows: wire connections (conn.c)
 * @socks: all sockets, for /proc/net/weft, by their place in memory
 * @orphans: closed sockets whose flow is not over, @nr_orphans; they hold no
 *	reference to @net; guarded by @orphans_lock
 * @pools: what local connections keep to write into (pool.c); @pools_lock
 * @pools_work: ends those that were idle
 * @next_port: where the search for an ephemeral port starts
 * @ephemeral_bound: sockets bound to such a port; @ports_lock, looked at without
 * @accepts: changes of listeners' backlogs: a connect() that found one full
 *	waits for the next
 * @cc: congestion control of new connections; atomic pointer
 * @devices: words of net.weft.devices, NULL while the default holds; RTNL
 */
struct weft_net {
	struct net		*net;
	struct in6_addr		address;
	seqlock_t		address_lock;
	atomic_t		address_users;
	struct weft_trial	*trial;
	struct weft_stats __percpu *stats;
	siphash_key_t		secret;
	struct weft_ended	*ended;

	struct rhashtable	nodes;
	struct rhashtable	sessions;
	struct hlist_head	remotes[1 << WEFT_REMOTE_BITS];
	struct list_head	node_list;
	spinlock_t		nodes_lock;
	atomic_t		nr_nodes;
	atomic_t		nr_asking;
	atomic_t		nr_pending;
	struct list_head	frags;
	unsigned int		nr_frags;
	u32			frag_bytes;
	spinlock_t		frags_lock;
	struct timer_list	frags_timer;
	bool			exiting;
	struct xarray		links;
	struct notifier_block	notifier;
	char			*devices;

	atomic64_t		ports_version;
	struct rhltable		ports;
	struct rhashtable	flows;
	spinlock_t		ports_lock;
	atomic_t		next_port;
	unsigned int		ephemeral_bound;
	atomic_t		accepts;

	struct weft_bucket	socks[WEFT_SOCK_BUCKETS];
	struct hlist_head	orphans;
	spinlock_t		orphans_lock;
	int			nr_orphans;

	struct list_head	pools;
	spinlock_t		pools_lock;
	struct delayed_work	pools_work;

	const struct weft_cc_ops *cc;
	int			handover;	/* net.weft.handover */
	struct weft_limits	limits;
	struct weft_shared_quota rate_who;	/* questions answered */
	struct weft_shared_quota rate_bad;	/* BADSESSION, RESET, CLOSED sent */
	struct weft_shared_quota rate_new;	/* nodes made by introductions */
	struct ctl_table_header	*sysctl;
	struct ctl_table_header	*sysctl_limits;
};

extern unsigned int weft_net_id;	/* main.c */

static inline struct weft_net *weft_net(const struct net *net)
{
	return net_generic(net, weft_net_id);
}

/** weft_addr_is_plain() - is this the address of a plain node? */
static inline bool weft_addr_is_plain(const struct in6_addr *addr)
{
	return addr->s6_addr32[0] == htonl(0xfd776566) &&
	       addr->s6_addr16[2] == htons(0x7400);
}

/** weft_net_address() - copy this node's address */
static inline struct in6_addr weft_net_address(struct weft_net *wn)
{
	struct in6_addr address;
	unsigned int seq;

	do {
		seq = read_seqbegin(&wn->address_lock);
		address = wn->address;
	} while (read_seqretry(&wn->address_lock, seq));
	return address;
}

/** weft_net_is_self() - is this the node's own address, or ::1? */
static inline bool weft_net_is_self(struct weft_net *wn,
				    const struct in6_addr *addr)
{
	struct in6_addr own;

	if (ipv6_addr_loopback(addr))
		return true;
	own = weft_net_address(wn);
	return ipv6_addr_equal(addr, &own);
}

/**
 * weft_net_use_address() - this node's address, which stays until
 * weft_net_unuse_address()
 */
static inline struct in6_addr weft_net_use_address(struct weft_net *wn)
{
	atomic_inc(&wn->address_users);
	/* Pairs with weft_net_set_address(): either it sees a user, or we see
	 * its sequence and read what it wrote.
	 */
	smp_mb__after_atomic();
	return weft_net_address(wn);
}

static inline void weft_net_unuse_address(struct weft_net *wn)
{
	atomic_dec(&wn->address_users);
}

/** weft_net_set_address() - 0, or -EBUSY while anything uses the old one */
int weft_net_set_address(struct weft_net *wn, const struct in6_addr *addr);

int weft_net_init(void);	/* register_pernet_subsys; net.c */
void weft_net_exit(void);

int weft_sysctl_init(struct weft_net *wn);	/* sysctl.c */
void weft_sysctl_exit(struct weft_net *wn);

#endif /* WEFT_NET_H */
