/* SPDX-License-Identifier: GPL-2.0 */
/* Another node, and the session with it. */
#ifndef WEFT_NODE_H
#define WEFT_NODE_H

#include <linux/hrtimer.h>
#include <linux/if_ether.h>
#include <linux/in6.h>
#include <linux/list.h>
#include <linux/netdevice.h>
#include <linux/rculist.h>
#include <linux/refcount.h>
#include <linux/rhashtable.h>
#include <linux/skbuff.h>
#include <linux/spinlock.h>
#include <linux/timekeeping.h>
#include <linux/timer.h>

#include "proto/marks.h"
#include "proto/packet.h"
#include "stats.h"

struct weft_net;

/*
 * States of a node.
 *
 *	ASKING --HERE, or an introduction--> UP --reborn, too old, exit--> DEAD
 *	ASKING --nobody answered---------------------------------------> DEAD
 *	UP --it forgot us before it ever spoke---------------------> ASKING
 *
 * UP without a place (@dev is NULL: the device went away) stays UP and asks
 * again when something is sent; its flows do not notice but by the loss.
 */
enum weft_node_state {
	WEFT_NODE_ASKING = 0,
	WEFT_NODE_UP,
	WEFT_NODE_DEAD,
};

/**
 * struct weft_place - what an answer or an introduction tells about a node
 * @remote_id: its session id
 * @dev: where the frame came in; borrowed
 * @mac: where it came from
 * @version: the one we both speak
 * @frame: largest frame it takes, bytes behind the link header
 * @confirmed: it knows our session id
 */
struct weft_place {
	u64			remote_id;
	struct net_device	*dev;
	u8			mac[ETH_ALEN];
	u8			version;
	bool			confirmed;
	u32			frame;
};

/**
 * struct weft_node - another node and our session with it
 *
 * Life: created by weft_node_get() (we ask) or by a verified introduction
 * (they ask), hashed by address and by @local_id. The tables hold one
 * reference, each flow one, each running timer one. weft_node_kill() takes it
 * out of the tables, resets its flows and drops the tables' reference; it is
 * freed by RCU after the last put. A node is one session: a peer that was
 * reborn is a new struct weft_node. What outlives its namespace (a socket's
 * reference) is DEAD by then, and @wn is not touched any more.
 *
 * @addr and @wn never change; @local_id may, while the peer has not used it
 * (rehashed under nodes_lock and @lock).
 *
 * @lock (leaf below nodes_lock, BH) guards state, place (@dev, @mac, @frame),
 * @remote_id, @version, @confirmed, @pending, @flows, @ours, @theirs, @asked
 * and all up to @probed_at. Nothing is sent and no socket is touched under it.
 * @state, @dev, @frame, @version, @confirmed and @probing are also read
 * without it, each for itself.
 *
 * @error: errno (positive) of DEAD; 0: it was idle and forgotten.
 * @ifindex: ask only there; 0: everywhere.
 * @dev: NULL: no place; a reference, given back in weft_node_leave_device().
 * @mac_ifindex: of the device where @mac was, which may be gone; 0: none yet.
 * @frame: what the peer announced; the device's MTU bounds it too.
 * @confirmed: the peer has used @local_id, so introductions may end.
 * @is_counted: in weft_net.nr_asking.
 * @asked: questions sent; 0: no question is open.
 * @asked_at: jiffies of the first of them.
 * @other_id: our id by which the peer has introduced itself, where that is not
 *	@local_id, or 0: see weft_node_by_other_name(); nodes_lock
 * @stranger: while we asked again, somebody else answered.
 * @probing: somebody else claims @addr, and this one has not answered since.
 * @probed_at: jiffies when it was asked to.
 * @warned: that claim was logged.
 * @number: next packet number.
 * @theirs: marks of the flows that the peer opened; @ours: of ours.
 * @flows: struct weft_conn.node_link; @nr_flows of them, @nr_left of which no
 *	file has any more. None is added to a DEAD node.
 * @pending: datagrams that wait for a place, bounded by limits.pending and
 *	weft_net.nr_pending; counted in frames they are @nr_pending.
 * @flushing: they are being sent; a datagram that comes meanwhile waits behind
 *	them.
 * @dgram_id: of the last datagram that was sent in pieces
 * @frags: datagrams of the node that are not whole (frags.c), @nr_frags of them
 *	in @frag_bytes of memory; weft_net.frags_lock
 * @timer: next question while one is open; else the end of a probe; else
 *	ageing.
 * @used: coarse ns since boot (sleep counts) of the last packet either way;
 *	racy, for ageing, and to find who was silent longest.
 * @waiting: likewise, of the first packet sent since one came from the node's
 *	place; 0: none was.
 * @wanted: a program of ours has sought it, or accepted a connection of it
 */
struct weft_node {
	struct rhash_head	by_addr;
	struct rhash_head	by_id;
	struct list_head	list;		/* weft_net.node_list */
	struct hlist_node	by_remote;	/* weft_net.remotes */
	refcount_t		ref;
	struct rcu_head		rcu;
	struct weft_net		*wn;
	struct in6_addr		addr;
	u64			local_id;
	u64			remote_id;
	u64			other_id;
	atomic64_t		number;

	spinlock_t		lock;
	u8			state;
	u8			asked;
	u8			version;
	bool			confirmed;
	bool			stranger;
	bool			probing;
	bool			warned;
	bool			is_counted;
	bool			flushing;
	bool			wanted;
	int			error;
	int			ifindex;
	struct net_device	*dev;
	netdevice_tracker	dev_tracker;
	u8			mac[ETH_ALEN];
	int			mac_ifindex;
	u32			frame;
	unsigned long		asked_at;
	unsigned long		probed_at;
	struct sk_buff_head	pending;
	unsigned int		nr_pending;
	struct list_head	flows;
	unsigned int		nr_flows;
	unsigned int		nr_left;
	u64			used;
	u64			waiting;
	struct timer_list	timer;
	atomic_t		dgram_id;
	struct list_head	frags;
	unsigned int		nr_frags;
	u32			frag_bytes;

	struct weft_marks	ours;
	struct weft_marks	theirs;
};

/**
 * weft_node_get() - the node of an address, asked for if unknown
 * @ifindex: device to ask on, 0 for all
 *
 * Process context or BH. Never sleeps.
 *
 * Return: a strong reference; the node may still be ASKING. ERR_PTR(-ENOMEM),
 * ERR_PTR(-EHOSTUNREACH) when @ifindex is no enabled device, ERR_PTR(-ENOBUFS) when
 * limits.nodes is reached by nodes in use, or a quarter of it by unanswered ones.
 */
struct weft_node *weft_node_get(struct weft_net *wn,
				const struct in6_addr *addr, int ifindex);

/**
 * weft_node_take_pending() - move the datagrams that wait behind @pending
 *
 * node->lock is held; the caller sends or frees them without it.
 */
void weft_node_take_pending(struct weft_node *node,
			    struct sk_buff_head *pending);

/** weft_node_find() - by address, borrowed under RCU */
struct weft_node *weft_node_find(struct weft_net *wn,
				 const struct in6_addr *addr);

/**
 * weft_node_hold() - one more reference
 *
 * The caller has one, or the lock of a node that is not DEAD.
 */
static inline void weft_node_hold(struct weft_node *node)
{
	refcount_inc(&node->ref);
}

/**
 * weft_node_tryhold() - make a reference of a node that is borrowed under RCU
 *
 * Return: false when its last reference is gone: it is about to be freed.
 */
static inline bool weft_node_tryhold(struct weft_node *node)
{
	return refcount_inc_not_zero(&node->ref);
}

void weft_node_put(struct weft_node *node);

/**
 * weft_node_kill() - DEAD with @error: flows are reset, pending dropped
 *
 * Idempotent. BH or process context; takes sockets' locks (through
 * weft_conn_node_down()), so no lock may be held.
 */
void weft_node_kill(struct weft_node *node, int error);

/**
 * weft_node_seek() - ask again where an UP node is
 *
 * For one that has no place, or does not answer there: its machine may have
 * got another MAC or moved to another device. Only the answer of the same
 * session moves it. Asks once in a while, however often it is called; BH or
 * process context, no lock but a socket's ownership may be held.
 */
void weft_node_seek(struct weft_node *node);

/** weft_node_is_up() - can packets be sent? */
static inline bool weft_node_is_up(const struct weft_node *node)
{
	return READ_ONCE(node->state) == WEFT_NODE_UP;
}

/**
 * weft_node_mss() - payload of one DATA frame to this node, bytes
 * @super_max: set to the payload of one super-packet: a multiple of the mss
 *	not above WEFT_SUPER_MAX nor the device's GSO limits
 */
u32 weft_node_mss(const struct weft_node *node, u32 *super_max);

/* The devices of weft_node_across(), borrowed as it is. */
struct weft_wire {
	struct net_device	*ours;
	struct net_device	*theirs;
};

/**
 * weft_node_across() - the node that we are to @node, in another namespace
 * @wire: set to what leads there, where there is one
 *
 * Where nothing is between the two but weft_link_across(), both have used the
 * session, and neither is in doubt about the other.
 *
 * BH or process context; no lock but a socket's ownership may be held.
 *
 * Return: borrowed under RCU, or NULL.
 */
struct weft_node *weft_node_across(struct weft_node *node,
				   struct weft_wire *wire);

/** weft_node_has_fq() - does its device keep packets until they are to leave? */
bool weft_node_has_fq(const struct weft_node *node);

/**
 * weft_node_new_flow() - take the next id of our own and mark it open
 */
u64 weft_node_new_flow(struct weft_node *node);

/** weft_node_get_mark() - read or set the mark of a flow; @ours: we opened it */
enum weft_mark weft_node_get_mark(struct weft_node *node, u64 flow, bool ours);
void weft_node_set_mark(struct weft_node *node, u64 flow, bool ours,
			enum weft_mark mark);

/** weft_node_heard() - a packet of the node came; from its place? */
static inline void weft_node_heard(struct weft_node *node, bool at_place)
{
	u64 now = ktime_get_coarse_boottime_ns();

	if (READ_ONCE(node->used) != now)
		WRITE_ONCE(node->used, now);
	if (at_place && READ_ONCE(node->waiting))
		WRITE_ONCE(node->waiting, 0);
}

/** weft_node_want() - a program of ours has to do with it; any context */
static inline void weft_node_want(struct weft_node *node)
{
	if (!READ_ONCE(node->wanted))
		WRITE_ONCE(node->wanted, true);
}

/** weft_node_spoke() - a packet went to the node's place */
void weft_node_spoke(struct weft_node *node);

/** weft_node_init() - at load; weft_node_exit() when no RCU callback is left */
int weft_node_init(void);
void weft_node_exit(void);

int weft_node_init_net(struct weft_net *wn);
/**
 * weft_node_exit_net() - kill all nodes and let none be made any more
 *
 * A timer that is expiring on another CPU may still touch the namespace until
 * a grace period has passed; weft_node_free_net() must wait for it.
 */
void weft_node_exit_net(struct weft_net *wn);
void weft_node_free_net(struct weft_net *wn);

/** weft_node_enter_device() - nodes without a place may find one now; RTNL */
void weft_node_enter_device(struct weft_net *wn);

/** weft_node_leave_device() - forget a device that is going away; RTNL */
void weft_node_leave_device(struct weft_net *wn, struct net_device *dev);

/* Between node.c, session.c and send.c. */

/** weft_node_find_id() - by our session id, borrowed under RCU */
struct weft_node *weft_node_find_id(struct weft_net *wn, u64 local_id);

/**
 * weft_node_find_remote() - by its session id, of a node that is UP at a place
 *
 * Costs little, however many are asked for that are none. BH.
 *
 * Return: borrowed under RCU.
 */
struct weft_node *weft_node_find_remote(struct weft_net *wn,
					const struct net_device *dev,
					const u8 *mac, u64 remote_id);

/**
 * weft_node_make() - a node that introduced itself, UP at once; BH
 * @own: our address, as it was introduced to
 *
 * Return: borrowed under RCU; NULL with @why.
 */
struct weft_node *weft_node_make(struct weft_net *wn,
				 const struct in6_addr *addr,
				 const struct in6_addr *own, u64 local_id,
				 const struct weft_place *place,
				 enum weft_stat *why);

/**
 * weft_node_settle() - an open question is answered: UP, and has a place
 * @local_id: our session id from now on
 *
 * Sends what was pending and tells the flows; no lock may be held.
 *
 * Return: false when no question is open (any more).
 */
bool weft_node_settle(struct weft_node *node, u64 local_id,
		      const struct weft_place *place);

/** weft_node_confirm() - the peer used our session id, and has @remote_id */
void weft_node_confirm(struct weft_node *node, u64 remote_id);

/**
 * weft_node_adopt() - of two sessions with a node, the other one counts
 * @local_id: our id of that
 *
 * Only while the node has not used the one that we know. Tells the flows; no
 * lock may be held.
 */
bool weft_node_adopt(struct weft_node *node, u64 local_id,
		     const struct weft_place *place);

/**
 * weft_node_by_other_name() - the peer introduced itself in our session @id
 *
 * Which it got as an answer, while ours is that of our question. When this
 * session is over both ids have ended: see note "Ended sessions".
 */
void weft_node_by_other_name(struct weft_node *node, u64 id);

/** weft_node_alive() - a node that was being probed has sent something */
void weft_node_alive(struct weft_node *node);

/**
 * weft_node_doubt() - somebody else claims the address of an UP node: probe it
 */
void weft_node_doubt(struct weft_node *node);

/** weft_node_forget() - kill a node that is UP and that no flow needs */
bool weft_node_forget(struct weft_node *node);

/**
 * weft_node_ask_anew() - the peer does not know the session that it never
 * used: ask for a new one, keeping the flows
 */
void weft_node_ask_anew(struct weft_node *node);

/* session.c: packets of the handshake. Each consumes skb. */
void weft_session_who(struct weft_net *wn, struct sk_buff *skb,
		      const struct weft_pkt *pkt);
void weft_session_here(struct weft_net *wn, struct sk_buff *skb,
		       const struct weft_pkt *pkt);
void weft_session_bad(struct weft_net *wn, struct sk_buff *skb,
		      const struct weft_pkt *pkt);

/**
 * weft_session_find() - the node of a received packet, borrowed under RCU
 *
 * By session id; an unknown id with a valid introduction makes a node.
 *
 * Return: NULL when there is none: the packet was answered or not, and the
 * caller drops it with @why.
 */
struct weft_node *weft_session_find(struct weft_net *wn, struct sk_buff *skb,
				    const struct weft_pkt *pkt,
				    enum weft_stat *why);

/** weft_session_ask() - send a WHO for this node on its devices */
void weft_session_ask(struct weft_node *node);

/** weft_session_probe() - PROBE or ACK of flow 0: the session itself */
void weft_session_probe(struct weft_node *node, struct sk_buff *skb,
			const struct weft_pkt *pkt);

/**
 * weft_session_claim() - give this node an address that nobody else has
 *
 * Process context; asks for it for 300 ms.
 *
 * Return: 0, -EADDRINUSE, -EBUSY (the old one is in use, or somebody else is
 * setting one), -ERESTARTSYS.
 */
int weft_session_claim(struct weft_net *wn, const struct in6_addr *addr);

#endif /* WEFT_NODE_H */
