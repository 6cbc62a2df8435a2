// SPDX-License-Identifier: GPL-2.0
/* Other nodes: who is known, in which state, and for how long. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/etherdevice.h>
#include <linux/jhash.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <net/sch_generic.h>

#include "fault.h"
#include "link.h"
#include "net.h"
#include "node.h"
#include "path.h"
#include "proto/ended.h"
#include "trace.h"

/* Nobody has spoken for so long, and no flow needs the node: forget it. */
#define IDLE_NS		(600LL * NSEC_PER_SEC)
#define AGEING_DELAY	(60 * HZ)
/* A node that we speak to, and hear nothing of from there, may have moved. */
#define DEAF_NS		(3LL * NSEC_PER_SEC)
/* A probed node answers within this time, to one of some probes, or is gone. */
#define PROBE_DELAY	HZ
#define PROBES		4
/* Of all nodes at most so many parts may be such as nobody has answered for. */
#define ASKING_PART	4
/* When there are too many, one in so many is forgotten at a time. */
#define VICTIMS_PART	128
#define VICTIMS_MAX	32
/* Of two idle ones the wanted one counts as heard of so much later. */
#define WANTED_NS	(60LL * NSEC_PER_SEC)
/* A question is not opened again before; less often where there is a place. */
#define ASK_AGAIN_DELAY	HZ
#define ASK_WHERE_DELAY	(5 * HZ)

static const u16 ask_ms[] = WEFT_ASK_SCHEDULE_MS;

static const struct rhashtable_params by_addr_params = {
	.key_len	= sizeof_field(struct weft_node, addr),
	.key_offset	= offsetof(struct weft_node, addr),
	.head_offset	= offsetof(struct weft_node, by_addr),
	.automatic_shrinking = true,
};

/* Each packet of a session looks for it: cheaper than by bytes. */
static u32 hash_id(const void *key, u32 len, u32 seed)
{
	u64 id = *(const u64 *)key;

	return jhash_2words(lower_32_bits(id), upper_32_bits(id), seed);
}

static int is_other_id(struct rhashtable_compare_arg *arg, const void *obj)
{
	const struct weft_node *node = obj;

	return READ_ONCE(node->local_id) != *(const u64 *)arg->key;
}

static const struct rhashtable_params by_id_params = {
	.key_len	= sizeof_field(struct weft_node, local_id),
	.hashfn		= hash_id,
	.obj_cmpfn	= is_other_id,
	.key_offset	= offsetof(struct weft_node, local_id),
	.head_offset	= offsetof(struct weft_node, by_id),
	.automatic_shrinking = true,
};

struct weft_node *weft_node_find(struct weft_net *wn,
				 const struct in6_addr *addr)
{
	return rhashtable_lookup_fast(&wn->nodes, addr, by_addr_params);
}

struct weft_node *weft_node_find_id(struct weft_net *wn, u64 local_id)
{
	return rhashtable_lookup_fast(&wn->sessions, &local_id, by_id_params);
}

/* Whoever chooses ids can fill the list of a place of its own alone. */
static struct hlist_head *remote_list(struct weft_net *wn, const u8 *mac,
				      u64 remote_id)
{
	u64 hash = siphash_2u64(ether_addr_to_u64(mac), remote_id,
				&wn->secret);

	return &wn->remotes[hash >> (64 - WEFT_REMOTE_BITS)];
}

struct weft_node *weft_node_find_remote(struct weft_net *wn,
					const struct net_device *dev,
					const u8 *mac, u64 remote_id)
{
	struct weft_node *node;

	hlist_for_each_entry_rcu(node, remote_list(wn, mac, remote_id),
				 by_remote) {
		bool match;

		if (READ_ONCE(node->remote_id) != remote_id)
			continue;
		spin_lock_bh(&node->lock);
		match = node->state == WEFT_NODE_UP &&
			node->remote_id == remote_id && node->dev == dev &&
			ether_addr_equal(node->mac, mac);
		spin_unlock_bh(&node->lock);
		if (match)
			return node;
	}
	return NULL;
}

/* The other end's id or its place is another: both locks are held. */
static void set_remote(struct weft_node *node, u64 remote_id)
{
	struct weft_net *wn = node->wn;

	lockdep_assert_held(&wn->nodes_lock);
	lockdep_assert_held(&node->lock);
	WRITE_ONCE(node->remote_id, remote_id);
	hlist_del_init_rcu(&node->by_remote);
	hlist_add_head_rcu(&node->by_remote,
			   remote_list(wn, node->mac, remote_id));
}

/* A cache of its own: the allocator reports every node that a bug leaves. */
static struct kmem_cache *node_cache;

int __init weft_node_init(void)
{
	node_cache = KMEM_CACHE(weft_node, 0);
	return node_cache ? 0 : -ENOMEM;
}

void weft_node_exit(void)
{
	kmem_cache_destroy(node_cache);
}

static void free_node(struct rcu_head *rcu)
{
	kmem_cache_free(node_cache, container_of(rcu, struct weft_node, rcu));
}

void weft_node_put(struct weft_node *node)
{
	if (refcount_dec_and_test(&node->ref))
		call_rcu(&node->rcu, free_node);
}

/* The one place that writes the state; the node's lock is held. */
static void set_state(struct weft_node *node, enum weft_node_state state)
{
	lockdep_assert_held(&node->lock);
	trace_weft_node_state(&node->addr, node->state, state);
	if (node->is_counted)
		atomic_dec(&node->wn->nr_asking);
	node->is_counted = false;
	WRITE_ONCE(node->state, state);
}

/* One more of the tables' that nobody has answered for. */
static void count_asking(struct weft_node *node)
{
	lockdep_assert_held(&node->lock);
	atomic_inc(&node->wn->nr_asking);
	node->is_counted = true;
}

/* The timer holds a reference while it runs. */
static void arm_timer(struct weft_node *node, unsigned long delay)
{
	lockdep_assert_held(&node->lock);
	if (!mod_timer(&node->timer, jiffies + delay))
		weft_node_hold(node);
}

static void arm_next(struct weft_node *node)
{
	unsigned long delay = AGEING_DELAY;

	if (node->asked)
		delay = msecs_to_jiffies(ask_ms[node->asked] -
					 ask_ms[node->asked - 1]);
	else if (node->probing)
		delay = PROBE_DELAY / PROBES;
	arm_timer(node, delay);
}

static void open_question(struct weft_node *node)
{
	node->asked = 1;
	node->asked_at = jiffies;
	node->stranger = false;
	arm_next(node);
}

static void leave_place(struct weft_node *node)
{
	struct net_device *dev = node->dev;

	lockdep_assert_held(&node->lock);
	if (!dev)
		return;
	WRITE_ONCE(node->dev, NULL);
	netdev_put(dev, &node->dev_tracker);
}

/*
 * Return: shall the caller send what waited for a place? Not where somebody is
 * at it.
 */
static bool take_place(struct weft_node *node, const struct weft_place *place)
{
	bool flush = !node->flushing && !skb_queue_empty(&node->pending);

	lockdep_assert_held(&node->lock);
	memcpy(node->mac, place->mac, sizeof(node->mac));
	node->mac_ifindex = place->dev->ifindex;
	set_remote(node, place->remote_id);
	WRITE_ONCE(node->frame, place->frame);
	WRITE_ONCE(node->version, place->version);
	if (place->confirmed)
		WRITE_ONCE(node->confirmed, true);
	leave_place(node);
	netdev_hold(place->dev, &node->dev_tracker, GFP_ATOMIC);
	WRITE_ONCE(node->dev, place->dev);
	node->asked = 0;
	node->stranger = false;
	WRITE_ONCE(node->waiting, 0);
	WRITE_ONCE(node->probing, false);
	if (node->state != WEFT_NODE_UP)
		set_state(node, WEFT_NODE_UP);
	arm_next(node);
	node->flushing |= flush;
	return flush;
}

void weft_node_take_pending(struct weft_node *node,
			    struct sk_buff_head *pending)
{
	lockdep_assert_held(&node->lock);
	atomic_sub(node->nr_pending, &node->wn->nr_pending);
	node->nr_pending = 0;
	skb_queue_splice_init(&node->pending, pending);
}

static void drop_pending(struct weft_net *wn, struct sk_buff_head *pending)
{
	struct sk_buff *skb;

	while ((skb = __skb_dequeue(pending)))
		weft_drop(wn, skb, WEFT_STAT_drop_unreachable);
}

/* Who is to die: anybody, who does not answer, is left alone, or is idle. */
enum victim {
	VICTIM_ANY,
	VICTIM_SILENT,
	VICTIM_LEFT,
	VICTIM_IDLE,
};

static bool is_probe_over(const struct weft_node *node)
{
	return node->probing &&
	       time_after_eq(jiffies, node->probed_at + PROBE_DELAY);
}

/* Nobody answered, and that is its end; until it is, somebody may. Locked. */
static bool is_silent(const struct weft_node *node)
{
	return is_probe_over(node) ||
	       (!node->asked && (node->state == WEFT_NODE_ASKING ||
				 node->stranger));
}

/* No flow needs it; @victim: or none but such as no file has any more. */
static bool is_victim(const struct weft_node *node, enum victim victim)
{
	unsigned int left = READ_ONCE(node->nr_left);

	if (victim == VICTIM_ANY)
		return true;
	if (victim == VICTIM_SILENT)
		return is_silent(node);
	return READ_ONCE(node->nr_flows) ==
	       (victim == VICTIM_LEFT ? left : 0) &&
	       READ_ONCE(node->state) == WEFT_NODE_UP &&
	       skb_queue_empty_lockless(&node->pending);
}

static bool is_idle(const struct weft_node *node)
{
	return is_victim(node, VICTIM_IDLE);
}

static void remove_node(struct weft_net *wn, struct weft_node *node)
{
	lockdep_assert_held(&wn->nodes_lock);
	/* See note "Ended sessions". */
	if (node->theirs.top) {
		weft_ended_add(wn->ended, node->local_id);
		if (node->other_id)
			weft_ended_add(wn->ended, node->other_id);
	}
	rhashtable_remove_fast(&wn->sessions, &node->by_id, by_id_params);
	rhashtable_remove_fast(&wn->nodes, &node->by_addr, by_addr_params);
	hlist_del_init_rcu(&node->by_remote);
	list_del_rcu(&node->list);
	atomic_dec(&wn->nr_nodes);
}

/* What is left to do for a node when the locks are released. */
struct estate {
	struct sk_buff_head	pending;
	struct net_device	*dev;		/* borrowed under RCU */
	u8			mac[ETH_ALEN];
	bool			was_armed;
};

/* From now on nothing is added to the node, and nobody finds it. */
static bool mark_dead(struct weft_node *node, int error, enum victim victim,
		      struct estate *estate)
{
	struct weft_net *wn = node->wn;
	bool dies;

	spin_lock_bh(&wn->nodes_lock);
	spin_lock(&node->lock);
	dies = node->state != WEFT_NODE_DEAD && is_victim(node, victim);
	if (dies) {
		WRITE_ONCE(node->error, error);
		set_state(node, WEFT_NODE_DEAD);
		estate->dev = node->dev;
		memcpy(estate->mac, node->mac, sizeof(estate->mac));
		leave_place(node);
		weft_node_take_pending(node, &estate->pending);
		estate->was_armed = timer_delete(&node->timer);
	}
	spin_unlock(&node->lock);
	if (dies)
		remove_node(wn, node);
	spin_unlock_bh(&wn->nodes_lock);
	return dies;
}

/* It was not the node's fault: let it forget us, too, and not find out later. */
static void say_goodbye(const struct weft_node *node,
			const struct estate *estate)
{
	struct weft_pkt pkt = {
		.kind	= WEFT_BADSESSION,
		.bad	= node->local_id,
	};

	if (estate->dev)
		weft_send_frame(estate->dev, estate->mac, &pkt);
}

/* Kill a node, if it is a @victim. */
static bool bury(struct weft_node *node, int error, enum victim victim)
{
	struct weft_net *wn = node->wn;
	struct estate estate = {};

	__skb_queue_head_init(&estate.pending);
	/* Of a node that has been dead for long, the namespace may be, too. */
	if (READ_ONCE(node->state) == WEFT_NODE_DEAD)
		return false;
	rcu_read_lock();
	if (!mark_dead(node, error, victim, &estate)) {
		rcu_read_unlock();
		return false;
	}
	if (!error || error == ENETDOWN)
		say_goodbye(node, &estate);
	rcu_read_unlock();

	weft_fault_delay();
	drop_pending(wn, &estate.pending);
	weft_conn_node_down(node);
	weft_net_unuse_address(wn);
	if (estate.was_armed)
		weft_node_put(node);
	weft_node_put(node);
	return true;
}

void weft_node_kill(struct weft_node *node, int error)
{
	bury(node, error, VICTIM_ANY);
}

bool weft_node_forget(struct weft_node *node)
{
	return bury(node, 0, VICTIM_IDLE);
}

/*
 * The next question of an open one is due. Returns true when it shall be sent;
 * else nobody answered, and *@error is set when that is the node's end.
 */
static bool take_next_question(struct weft_node *node, int *error,
			       struct sk_buff_head *pending)
{
	lockdep_assert_held(&node->lock);
	if (node->asked < ARRAY_SIZE(ask_ms) - 1) {
		node->asked++;
		return true;
	}
	node->asked = 0;
	weft_node_take_pending(node, pending);
	if (node->state == WEFT_NODE_ASKING)
		*error = EHOSTUNREACH;
	else if (node->stranger)
		*error = ECONNRESET;
	return false;
}

/* Others write such times meanwhile: then it was just now, or less. */
static s64 ns_since(u64 then)
{
	return ktime_get_coarse_boottime_ns() - then;
}

static bool is_forgotten(const struct weft_node *node)
{
	return is_idle(node) &&
	       ns_since(READ_ONCE(node->used)) >= IDLE_NS;
}

/* Of long ago; where jiffies have 32 bits, that would be to come one day. */
static void age_stamps(struct weft_node *node)
{
	unsigned long old = jiffies - AGEING_DELAY;

	lockdep_assert_held(&node->lock);
	if (time_before(node->asked_at, old))
		node->asked_at = old;
	if (time_before(node->probed_at, old))
		node->probed_at = old;
}

static void timer_expired(struct timer_list *timer)
{
	struct weft_node *node = container_of(timer, struct weft_node, timer);
	struct sk_buff_head pending;
	bool ask = false, probe = false, forget = false;
	int error = 0;

	__skb_queue_head_init(&pending);
	spin_lock_bh(&node->lock);
	if (node->state != WEFT_NODE_DEAD) {
		if (is_probe_over(node))
			error = ETIMEDOUT;
		else if (node->asked)
			ask = take_next_question(node, &error, &pending);
		else if (node->probing)
			probe = true;
		else
			forget = is_forgotten(node);
		age_stamps(node);
		arm_next(node);
	}
	spin_unlock_bh(&node->lock);

	drop_pending(node->wn, &pending);
	if (ask)
		weft_session_ask(node);
	if (probe)
		weft_send_probe(node);
	if (error || forget)
		bury(node, error, forget ? VICTIM_IDLE : VICTIM_SILENT);
	weft_node_put(node);
}

static struct weft_node *alloc_node(struct weft_net *wn,
				    const struct in6_addr *addr, u64 local_id)
{
	struct weft_node *node;

	if (weft_fault(WEFT_FAULT_ALLOC))
		return NULL;
	node = kmem_cache_zalloc(node_cache, GFP_ATOMIC | __GFP_NOWARN);
	if (!node)
		return NULL;
	refcount_set(&node->ref, 1);
	node->wn = wn;
	node->addr = *addr;
	node->local_id = local_id;
	node->asked_at = jiffies - ASK_WHERE_DELAY;
	node->probed_at = jiffies - PROBE_DELAY;
	spin_lock_init(&node->lock);
	__skb_queue_head_init(&node->pending);
	INIT_LIST_HEAD(&node->flows);
	INIT_LIST_HEAD(&node->frags);
	timer_setup(&node->timer, timer_expired, 0);
	node->used = ktime_get_coarse_boottime_ns();
	weft_net_use_address(wn);
	return node;
}

/* A node that did not get into the tables; into one, perhaps, for a moment. */
static void give_up_node(struct weft_node *node)
{
	struct sk_buff_head pending;

	__skb_queue_head_init(&pending);
	spin_lock_bh(&node->lock);
	if (node->state != WEFT_NODE_DEAD)
		set_state(node, WEFT_NODE_DEAD);
	weft_node_take_pending(node, &pending);
	spin_unlock_bh(&node->lock);
	drop_pending(node->wn, &pending);
	weft_net_unuse_address(node->wn);
	weft_node_put(node);
}

/*
 * Takes the caller's reference, the tables' from now on, when it succeeds. Who
 * finds the node meanwhile waits for its lock, which is held until the caller
 * has said what it is: ASKING, UP, or, where this fails, DEAD.
 */
static int insert_node(struct weft_net *wn, struct weft_node *node)
{
	int err;

	lockdep_assert_held(&wn->nodes_lock);
	lockdep_assert_held(&node->lock);
	if (wn->exiting)
		return -EHOSTUNREACH;
	if (weft_node_find_id(wn, node->local_id))
		return -EEXIST;
	err = rhashtable_insert_fast(&wn->sessions, &node->by_id, by_id_params);
	if (err)
		return err;
	/* Last: by its address it is found at once, and flows are linked to it. */
	err = rhashtable_insert_fast(&wn->nodes, &node->by_addr,
				     by_addr_params);
	if (err) {
		rhashtable_remove_fast(&wn->sessions, &node->by_id,
				       by_id_params);
		set_state(node, WEFT_NODE_DEAD);
		return err;
	}
	list_add_tail_rcu(&node->list, &wn->node_list);
	atomic_inc(&wn->nr_nodes);
	return 0;
}

/*
 * Those @most that were silent longest, in this order, each with a reference.
 * One that a program had to do with counts as heard of later than it was: else
 * whoever makes up enough names would have it forgotten.
 */
struct victims {
	struct weft_node	*nodes[VICTIMS_MAX];
	unsigned int		nr;
	unsigned int		most;
};

static u64 used_for(const struct weft_node *node)
{
	u64 used = READ_ONCE(node->used);

	return READ_ONCE(node->wanted) ? used + WANTED_NS : used;
}

static void note_victim(struct victims *v, struct weft_node *node)
{
	u64 used = used_for(node);
	unsigned int i;

	if (v->nr < v->most)
		v->nr++;
	else if (used >= used_for(v->nodes[v->nr - 1]))
		return;
	for (i = v->nr - 1; i && used < used_for(v->nodes[i - 1]); i--)
		v->nodes[i] = v->nodes[i - 1];
	v->nodes[i] = node;
}

static void hold_victims(struct victims *v)
{
	unsigned int i, nr = 0;

	for (i = 0; i < v->nr; i++)
		if (weft_node_tryhold(v->nodes[i]))
			v->nodes[nr++] = v->nodes[i];
	v->nr = nr;
}

static void lookup_idlest(struct weft_net *wn, enum victim victim,
			  struct victims *v)
{
	struct weft_node *node;

	v->nr = 0;
	rcu_read_lock();
	list_for_each_entry_rcu(node, &wn->node_list, list)
		if (is_victim(node, victim))
			note_victim(v, node);
	hold_victims(v);
	rcu_read_unlock();
}

/*
 * Is there room for one node more? Forgets some if need be: idle ones, or
 * @victim. Those that others left behind are many when somebody opens what we
 * then close, and does not answer. Several at a time, for he who introduces
 * himself again and again must not make us look at all of them each time.
 */
static bool make_room(struct weft_net *wn, enum victim victim)
{
	int most = READ_ONCE(wn->limits.nodes);
	struct victims v;
	bool made = false;
	unsigned int i;

	if (atomic_read(&wn->nr_nodes) < most)
		return true;
	v.most = clamp(most / VICTIMS_PART, 1, VICTIMS_MAX);
	lookup_idlest(wn, VICTIM_IDLE, &v);
	/* Of those left behind one, since some may have bytes to bring yet. */
	if (!v.nr && victim != VICTIM_IDLE) {
		v.most = 1;
		lookup_idlest(wn, victim, &v);
	}
	for (i = 0; i < v.nr; i++) {
		made |= bury(v.nodes[i], 0, victim);
		weft_node_put(v.nodes[i]);
	}
	return made;
}

static u64 draw_id(void)
{
	u64 id;

	do {
		id = get_random_u64();
	} while (!id);
	return id;
}

static struct weft_node *lookup_node(struct weft_net *wn,
				     const struct in6_addr *addr)
{
	struct weft_node *node;

	rcu_read_lock();
	node = weft_node_find(wn, addr);
	if (node && !weft_node_tryhold(node))
		node = NULL;
	rcu_read_unlock();
	return node;
}

/*
 * Hash @fresh and open its question, or find that somebody else was quicker.
 * ERR_PTR, or a reference for the caller: to @fresh, or to the other.
 */
static struct weft_node *publish_asking(struct weft_net *wn,
					struct weft_node *fresh)
{
	struct weft_node *node;
	int err;

	spin_lock_bh(&wn->nodes_lock);
	node = lookup_node(wn, &fresh->addr);
	spin_lock(&fresh->lock);
	if (!node) {
		err = insert_node(wn, fresh);
		node = err ? ERR_PTR(err) : fresh;
	}
	if (node == fresh) {
		weft_node_hold(fresh);
		count_asking(fresh);
		open_question(fresh);
	}
	spin_unlock(&fresh->lock);
	spin_unlock_bh(&wn->nodes_lock);
	return node;
}

/* Who asked first on one device does not narrow what others ask. */
static void widen_question(struct weft_node *node, int ifindex)
{
	if (READ_ONCE(node->ifindex) && READ_ONCE(node->ifindex) != ifindex)
		WRITE_ONCE(node->ifindex, 0);
}

/* Programs may ask for any address: that must not cost those that exist. */
static bool asks_too_many(const struct weft_net *wn)
{
	int most = READ_ONCE(wn->limits.nodes) / ASKING_PART;

	return atomic_read(&wn->nr_asking) >= max(most, 1);
}

struct weft_node *weft_node_get(struct weft_net *wn,
				const struct in6_addr *addr, int ifindex)
{
	struct weft_node *node, *fresh;

	if (ifindex && !weft_link_frame(wn, ifindex))
		return ERR_PTR(-EHOSTUNREACH);
	node = lookup_node(wn, addr);
	if (node) {
		weft_node_want(node);
		widen_question(node, ifindex);
		return node;
	}
	if (!weft_addr_is_plain(addr))
		return ERR_PTR(-EHOSTUNREACH);
	/* Our caller may own a socket: no other's lock is taken. */
	if (asks_too_many(wn) || !make_room(wn, VICTIM_IDLE))
		return ERR_PTR(-ENOBUFS);
	fresh = alloc_node(wn, addr, draw_id());
	if (!fresh)
		return ERR_PTR(-ENOMEM);
	fresh->ifindex = ifindex;
	fresh->wanted = true;
	node = publish_asking(wn, fresh);
	if (node == fresh)
		weft_session_ask(node);
	else
		give_up_node(fresh);
	return node;
}

struct weft_node *weft_node_make(struct weft_net *wn,
				 const struct in6_addr *addr,
				 const struct in6_addr *own, u64 local_id,
				 const struct weft_place *place,
				 enum weft_stat *why)
{
	struct in6_addr now;
	struct weft_node *node;
	int err = -EEXIST;

	*why = WEFT_STAT_drop_limit;
	if (!make_room(wn, VICTIM_LEFT))
		return NULL;
	*why = WEFT_STAT_drop_memory;
	node = alloc_node(wn, addr, local_id);
	if (!node)
		return NULL;

	*why = WEFT_STAT_drop_hello;
	spin_lock_bh(&wn->nodes_lock);
	spin_lock(&node->lock);
	now = weft_net_address(wn);
	/* A copy of this introduction may have had its session meanwhile. */
	if (ipv6_addr_equal(&now, own) && weft_link_find(wn, place->dev) &&
	    !weft_node_find(wn, addr) && !weft_ended_has(wn->ended, local_id))
		err = insert_node(wn, node);
	if (!err)
		take_place(node, place);
	spin_unlock(&node->lock);
	spin_unlock_bh(&wn->nodes_lock);
	if (err) {
		give_up_node(node);
		return NULL;
	}
	return node;
}

/* Change our id of a session; both locks are held. */
static bool rehash(struct weft_node *node, u64 local_id)
{
	struct weft_net *wn = node->wn;

	lockdep_assert_held(&wn->nodes_lock);
	lockdep_assert_held(&node->lock);
	if (local_id == node->local_id)
		return true;
	if (weft_node_find_id(wn, local_id))
		return false;
	rhashtable_remove_fast(&wn->sessions, &node->by_id, by_id_params);
	WRITE_ONCE(node->local_id, local_id);
	/* Without memory for it the session is deaf, and will be asked anew. */
	return !rhashtable_insert_fast(&wn->sessions, &node->by_id,
				       by_id_params);
}

/* Is a question about this node open? */
static bool is_open(const struct weft_node *node)
{
	return node->state == WEFT_NODE_ASKING ||
	       (node->state == WEFT_NODE_UP && (node->asked || !node->dev));
}

/* The time is over that a node has to answer from where it was. */
static bool has_asked_again(const struct weft_node *node)
{
	return node->asked &&
	       time_after_eq(jiffies, node->asked_at +
				      msecs_to_jiffies(ask_ms[1]));
}

/*
 * May this be the place of the node? Anybody can say again what was said before,
 * so that one who was at another MAC address of the device has the time to
 * answer from there.
 */
static bool is_believable(const struct weft_node *node,
			  const struct weft_place *place)
{
	return node->mac_ifindex != place->dev->ifindex ||
	       ether_addr_equal(node->mac, place->mac) ||
	       has_asked_again(node);
}

bool weft_node_settle(struct weft_node *node, u64 local_id,
		      const struct weft_place *place)
{
	struct weft_net *wn = node->wn;
	bool open, doubtful, settled, flush = false;

	spin_lock_bh(&wn->nodes_lock);
	spin_lock(&node->lock);
	open = is_open(node) && weft_link_find(wn, place->dev);
	doubtful = open && !is_believable(node, place);
	settled = open && !doubtful && rehash(node, local_id);
	if (settled)
		flush = take_place(node, place);
	spin_unlock(&node->lock);
	spin_unlock_bh(&wn->nodes_lock);
	/* It may have moved: whoever answers then is believed. */
	if (doubtful)
		weft_node_seek(node);
	if (!settled)
		return false;
	if (flush)
		weft_send_pending(node);
	weft_conn_node_up(node);
	return true;
}

bool weft_node_adopt(struct weft_node *node, u64 local_id,
		     const struct weft_place *place)
{
	struct weft_net *wn = node->wn;
	bool adopted, flush = false;

	spin_lock_bh(&wn->nodes_lock);
	spin_lock(&node->lock);
	adopted = node->state == WEFT_NODE_UP && !node->confirmed &&
		  weft_link_find(wn, place->dev) && rehash(node, local_id);
	if (adopted)
		flush = take_place(node, place);
	spin_unlock(&node->lock);
	spin_unlock_bh(&wn->nodes_lock);
	if (flush)
		weft_send_pending(node);
	if (adopted)
		weft_conn_node_up(node);
	return adopted;
}

void weft_node_confirm(struct weft_node *node, u64 remote_id)
{
	struct weft_net *wn = node->wn;

	spin_lock_bh(&wn->nodes_lock);
	spin_lock(&node->lock);
	if (node->state == WEFT_NODE_UP && !node->confirmed) {
		if (remote_id && remote_id != node->remote_id)
			set_remote(node, remote_id);
		WRITE_ONCE(node->confirmed, true);
	}
	spin_unlock(&node->lock);
	spin_unlock_bh(&wn->nodes_lock);
}

void weft_node_by_other_name(struct weft_node *node, u64 id)
{
	struct weft_net *wn = node->wn;

	if (READ_ONCE(node->other_id) == id)
		return;
	spin_lock_bh(&wn->nodes_lock);
	/* There is place for one; that of before is not needed any more. */
	if (node->other_id && node->other_id != id)
		weft_ended_add(wn->ended, node->other_id);
	WRITE_ONCE(node->other_id, id);
	spin_unlock_bh(&wn->nodes_lock);
}

void weft_node_alive(struct weft_node *node)
{
	bool warn = false;

	spin_lock_bh(&node->lock);
	if (node->probing) {
		WRITE_ONCE(node->probing, false);
		warn = !node->warned;
		node->warned = true;
	}
	spin_unlock_bh(&node->lock);
	if (warn)
		net_notice_ratelimited("two machines use the address %pI6c: change net.weft.node of one\n",
				       &node->addr);
}

void weft_node_doubt(struct weft_node *node)
{
	bool probe, placed;

	spin_lock_bh(&node->lock);
	placed = node->dev;
	probe = node->state == WEFT_NODE_UP && placed && !node->probing &&
		time_after_eq(jiffies, node->probed_at + PROBE_DELAY);
	if (probe) {
		WRITE_ONCE(node->probing, true);
		node->probed_at = jiffies;
		arm_next(node);
	}
	spin_unlock_bh(&node->lock);
	/* One without a place is asked for: an answer tells as much. */
	if (!placed)
		weft_node_seek(node);
	if (!probe)
		return;
	weft_count(node->wn, WEFT_STAT_node_conflicts, 1);
	weft_send_probe(node);
}

void weft_node_seek(struct weft_node *node)
{
	unsigned long delay;
	bool ask;

	spin_lock_bh(&node->lock);
	delay = node->dev ? ASK_WHERE_DELAY : ASK_AGAIN_DELAY;
	ask = node->state == WEFT_NODE_UP && !node->asked &&
	      time_after_eq(jiffies, node->asked_at + delay);
	if (ask)
		open_question(node);
	spin_unlock_bh(&node->lock);
	if (ask)
		weft_session_ask(node);
}

void weft_node_spoke(struct weft_node *node)
{
	u64 now = ktime_get_coarse_boottime_ns();
	u64 since = READ_ONCE(node->waiting);

	if (READ_ONCE(node->used) != now)
		WRITE_ONCE(node->used, now);
	if (!since)
		WRITE_ONCE(node->waiting, now);
	else if (ns_since(since) >= DEAF_NS)
		weft_node_seek(node);
}

void weft_node_ask_anew(struct weft_node *node)
{
	struct weft_net *wn = node->wn;
	bool ask;

	spin_lock_bh(&wn->nodes_lock);
	spin_lock(&node->lock);
	ask = node->state == WEFT_NODE_UP && !node->confirmed &&
	      time_after_eq(jiffies, node->asked_at + ASK_AGAIN_DELAY) &&
	      rehash(node, draw_id());
	if (ask) {
		leave_place(node);
		set_remote(node, 0);
		set_state(node, WEFT_NODE_ASKING);
		count_asking(node);
		open_question(node);
	}
	spin_unlock(&node->lock);
	spin_unlock_bh(&wn->nodes_lock);
	if (ask)
		weft_session_ask(node);
}

static u32 frame_of(const struct weft_node *node, const struct net_device *dev)
{
	u32 frame = READ_ONCE(node->frame);

	if (!frame)
		frame = weft_link_frame(node->wn, node->ifindex);
	if (dev)
		frame = min(frame, READ_ONCE(dev->mtu));
	return max_t(u32, frame, WEFT_FRAME_MIN);
}

u32 weft_node_mss(const struct weft_node *node, u32 *super_max)
{
	u32 most = WEFT_SUPER_MAX, segs = U16_MAX;
	const struct net_device *dev;
	u32 mss;

	rcu_read_lock();
	dev = READ_ONCE(node->dev);
	mss = min_t(u32, frame_of(node, dev) - WEFT_HLEN_DATA, most);
	if (dev) {
		most = min_t(u32, most, READ_ONCE(dev->gso_max_size) -
					LL_MAX_HEADER - WEFT_HLEN_DATA);
		segs = min_t(u32, segs, READ_ONCE(dev->gso_max_segs));
	}
	rcu_read_unlock();
	*super_max = max(min(most / mss, segs), 1U) * mss;
	return mss;
}

/*
 * Is the node at @mac, behind @dev, and do we speak to it as @remote_id? A node
 * that moves at this moment is seen before that, or after, or in between: as it
 * is with a packet that is on its way.
 */
static bool is_settled_at(const struct weft_node *node,
			  const struct net_device *dev, const u8 *mac,
			  u64 remote_id)
{
	return READ_ONCE(node->state) == WEFT_NODE_UP &&
	       READ_ONCE(node->confirmed) && !READ_ONCE(node->probing) &&
	       READ_ONCE(node->dev) == dev &&
	       READ_ONCE(node->remote_id) == remote_id &&
	       data_race(ether_addr_equal(node->mac, mac));
}

struct weft_node *weft_node_across(struct weft_node *node,
				   struct weft_wire *wire)
{
	struct net_device *ours = READ_ONCE(node->dev), *theirs;
	struct weft_net *wn = node->wn, *there;
	struct weft_node *far;

	if (!ours || !READ_ONCE(wn->handover))
		return NULL;
	theirs = weft_link_across(ours);
	if (!theirs)
		return NULL;
	there = weft_net(dev_net(theirs));
	if (!READ_ONCE(there->handover) || !weft_link_find(there, theirs))
		return NULL;
	far = weft_node_find_id(there, READ_ONCE(node->remote_id));
	if (!far ||
	    !is_settled_at(node, ours, theirs->dev_addr,
			   READ_ONCE(far->local_id)) ||
	    !is_settled_at(far, theirs, ours->dev_addr,
			   READ_ONCE(node->local_id)))
		return NULL;
	*wire = (struct weft_wire){ .ours = ours, .theirs = theirs };
	return far;
}

bool weft_node_has_fq(const struct weft_node *node)
{
	const struct net_device *dev;
	const struct Qdisc *qdisc;
	bool has = false;

	rcu_read_lock();
	dev = READ_ONCE(node->dev);
	if (dev) {
		qdisc = rcu_dereference(netdev_get_tx_queue(dev, 0)->qdisc);
		has = qdisc && !strcmp(qdisc->ops->id, "fq");
	}
	rcu_read_unlock();
	return has;
}

u64 weft_node_new_flow(struct weft_node *node)
{
	u64 flow;

	spin_lock_bh(&node->lock);
	flow = max(node->ours.top, 1ULL);
	weft_marks_set(&node->ours, flow, WEFT_MARK_OPEN);
	spin_unlock_bh(&node->lock);
	return flow;
}

static struct weft_marks *marks_of(struct weft_node *node, bool ours)
{
	return ours ? &node->ours : &node->theirs;
}

enum weft_mark weft_node_get_mark(struct weft_node *node, u64 flow, bool ours)
{
	enum weft_mark mark;

	spin_lock_bh(&node->lock);
	mark = weft_marks_get(marks_of(node, ours), flow);
	spin_unlock_bh(&node->lock);
	return mark;
}

void weft_node_set_mark(struct weft_node *node, u64 flow, bool ours,
			enum weft_mark mark)
{
	spin_lock_bh(&node->lock);
	weft_marks_set(marks_of(node, ours), flow, mark);
	spin_unlock_bh(&node->lock);
}

int weft_node_init_net(struct weft_net *wn)
{
	int err;

	INIT_LIST_HEAD(&wn->node_list);
	spin_lock_init(&wn->nodes_lock);
	wn->ended = kvzalloc(sizeof(*wn->ended), GFP_KERNEL);
	if (!wn->ended)
		return -ENOMEM;
	err = rhashtable_init(&wn->nodes, &by_addr_params);
	if (err)
		goto err_ended;
	err = rhashtable_init(&wn->sessions, &by_id_params);
	if (err)
		goto err_nodes;
	return 0;

err_nodes:
	rhashtable_destroy(&wn->nodes);
err_ended:
	kvfree(wn->ended);
	return err;
}

static struct weft_node *lookup_first(struct weft_net *wn)
{
	struct weft_node *node;

	spin_lock_bh(&wn->nodes_lock);
	wn->exiting = true;
	node = list_first_entry_or_null(&wn->node_list, struct weft_node, list);
	if (node)
		weft_node_hold(node);
	spin_unlock_bh(&wn->nodes_lock);
	return node;
}

void weft_node_exit_net(struct weft_net *wn)
{
	struct weft_node *node;

	while ((node = lookup_first(wn))) {
		weft_node_kill(node, ENETDOWN);
		timer_shutdown_sync(&node->timer);
		weft_node_put(node);
	}
}

void weft_node_free_net(struct weft_net *wn)
{
	rhashtable_destroy(&wn->sessions);
	rhashtable_destroy(&wn->nodes);
	kvfree(wn->ended);
}

/* Asking is left to the timers: nothing is sent under a lock. */
void weft_node_enter_device(struct weft_net *wn)
{
	struct weft_node *node;

	spin_lock_bh(&wn->nodes_lock);
	list_for_each_entry(node, &wn->node_list, list) {
		spin_lock(&node->lock);
		if (node->state == WEFT_NODE_UP && !node->dev &&
		    (node->nr_flows || node->asked)) {
			open_question(node);
			arm_timer(node, 0);
		}
		spin_unlock(&node->lock);
	}
	spin_unlock_bh(&wn->nodes_lock);
}

void weft_node_leave_device(struct weft_net *wn, struct net_device *dev)
{
	struct weft_node *node;

	spin_lock_bh(&wn->nodes_lock);
	list_for_each_entry(node, &wn->node_list, list) {
		spin_lock(&node->lock);
		if (node->dev == dev) {
			leave_place(node);
			/* That the last question was answered is long ago. */
			node->asked_at = jiffies - ASK_WHERE_DELAY;
		}
		spin_unlock(&node->lock);
	}
	spin_unlock_bh(&wn->nodes_lock);
}
