// SPDX-License-Identifier: GPL-2.0
/*
 * Sessions: a question to all is answered by one, and both know an id of the
 * other then. A question costs the answerer no state: its id is a keyed hash,
 * and the asker proves with its first packets that it got the answer.
 */
#include <linux/completion.h>
#include <linux/etherdevice.h>
#include <linux/if_arp.h>
#include <linux/random.h>

#include "link.h"
#include "net.h"
#include "node.h"
#include "path.h"
#include "proto/ended.h"

/* An address that is asked for before we take it: asked twice, this long. */
#define TRIAL_DELAY	msecs_to_jiffies(150)
#define TRIAL_QUESTIONS	2

/*
 * Sessions that strangers begin, in a second: an id is then good for as long as
 * it takes to use it, see note "Ended sessions".
 */
#define NEW_PER_SEC	4000

/**
 * struct weft_trial - the address that net.weft.node shall have
 * @addr: asked for
 * @id: session id of the question
 * @taken: somebody answered
 *
 * On the writer's stack; in weft_net.trial under nodes_lock.
 */
struct weft_trial {
	struct in6_addr		addr;
	u64			id;
	struct completion	taken;
};

/*
 * A session id that we can tell again from what the asker will send. @ago:
 * generations.
 */
static u64 derive_id(struct weft_net *wn, const struct in6_addr *own,
		     const struct in6_addr *asker, u64 asker_id, u32 ago)
{
	struct {
		struct in6_addr	own;
		struct in6_addr	asker;
		u64		asker_id;
		u64		generation;
	} __aligned(SIPHASH_ALIGNMENT) pair = {
		.own		= *own,
		.asker		= *asker,
		.asker_id	= asker_id,
		.generation	= READ_ONCE(wn->ended->generation) - ago,
	};

	return siphash(&pair, sizeof(pair), &wn->secret) ?: 1;
}

static struct in6_addr hello_addr(const u8 *bytes)
{
	struct in6_addr addr;

	memcpy(&addr, bytes, sizeof(addr));
	return addr;
}

/* Can this hello be from another node to us? */
static bool is_hello_sound(const struct weft_hello *hello,
			   const struct in6_addr *own)
{
	struct in6_addr from = hello_addr(hello->from);
	struct in6_addr to = hello_addr(hello->to);

	return ipv6_addr_equal(&to, own) && weft_addr_is_plain(&from) &&
	       !ipv6_addr_equal(&from, own) && hello->session &&
	       hello->frame >= WEFT_FRAME_MIN;
}

/* The version that both ends speak, 0 if there is none. */
static u8 common_version(const struct weft_hello *hello)
{
	u8 version = min_t(u8, hello->version_max, WEFT_VERSION_MAX);

	if (version < hello->version_min || version < WEFT_VERSION_MIN)
		return 0;
	return version;
}

static void fill_place(struct weft_place *place, const struct sk_buff *skb,
		       const struct weft_hello *hello)
{
	place->remote_id = hello->session;
	place->dev = skb->dev;
	memcpy(place->mac, eth_hdr(skb)->h_source, sizeof(place->mac));
	place->version = common_version(hello);
	place->confirmed = false;
	place->frame = min_t(u32, hello->frame, U16_MAX);
}

/* A question on one device, or on all but lo, where nobody else is. */
static void ask_for(struct weft_net *wn, const struct in6_addr *addr, u64 id,
		    int ifindex)
{
	static const u8 group_mac[ETH_ALEN] = WEFT_GROUP_MAC;
	struct weft_link *link;
	unsigned long index;

	rcu_read_lock();
	xa_for_each(&wn->links, index, link) {
		struct weft_pkt pkt = { .kind = WEFT_WHO };

		if (ifindex ? index != ifindex :
			      link->dev->type == ARPHRD_LOOPBACK)
			continue;
		weft_hello_fill(link->dev, addr, id, &pkt);
		weft_send_frame(link->dev, group_mac, &pkt);
	}
	rcu_read_unlock();
}

void weft_session_ask(struct weft_node *node)
{
	ask_for(node->wn, &node->addr, READ_ONCE(node->local_id),
		node->ifindex);
}

/*
 * The id that an asker shall use with us. Of two that ask each other at the
 * same time both answer with the id of their own question, so that they end up
 * with one session and not with two.
 */
static u64 answer_id(struct weft_net *wn, const struct in6_addr *own,
		     const struct weft_hello *hello)
{
	struct in6_addr from = hello_addr(hello->from);
	struct weft_node *node = weft_node_find(wn, &from);
	u64 id = 0;

	if (node) {
		spin_lock_bh(&node->lock);
		if (node->state == WEFT_NODE_ASKING ||
		    (node->state == WEFT_NODE_UP &&
		     node->remote_id == hello->session))
			id = node->local_id;
		spin_unlock_bh(&node->lock);
	}
	return id ?: derive_id(wn, own, &from, hello->session, 0);
}

/* Once more, by the station that the frame came from? */
static bool is_allowed(struct weft_shared_quota *quota,
		       const struct sk_buff *skb, u32 per_sec)
{
	return weft_shared_quota_allow(quota, eth_hdr(skb)->h_source, per_sec);
}

static enum weft_stat answer_who(struct weft_net *wn, const struct sk_buff *skb,
				 const struct weft_hello *hello)
{
	struct in6_addr own = weft_net_address(wn);
	struct in6_addr from = hello_addr(hello->from);
	struct weft_pkt answer = {
		.kind		= WEFT_HERE,
		.session	= hello->session,
	};

	if (memcmp(hello->to, &own, sizeof(own)))
		return WEFT_STAT_drop_foreign;
	if (!is_hello_sound(hello, &own))
		return WEFT_STAT_drop_hello;
	if (!is_allowed(&wn->rate_who, skb, READ_ONCE(wn->limits.answers)))
		return WEFT_STAT_drop_rate;
	weft_hello_fill(skb->dev, &from, answer_id(wn, &own, hello), &answer);
	weft_send_reply(wn, skb, &answer);
	return WEFT_STATS;
}

void weft_session_who(struct weft_net *wn, struct sk_buff *skb,
		      const struct weft_pkt *pkt)
{
	enum weft_stat why = answer_who(wn, skb, &pkt->hello);

	if (why == WEFT_STATS)
		consume_skb(skb);
	else
		weft_drop(wn, skb, why);
}

/* Has somebody the address that we want? */
static bool ends_trial(struct weft_net *wn, const struct weft_pkt *pkt)
{
	struct weft_trial *trial;
	bool ends;

	spin_lock_bh(&wn->nodes_lock);
	trial = wn->trial;
	ends = trial && trial->id == pkt->session &&
	       !memcmp(pkt->hello.from, &trial->addr, sizeof(trial->addr));
	if (ends)
		complete(&trial->taken);
	spin_unlock_bh(&wn->nodes_lock);
	return ends;
}

/* Is this the peer that we have a session with? It is not, if it was reborn. */
static bool hear_answerer(struct weft_node *node, u64 remote_id)
{
	bool same;

	spin_lock_bh(&node->lock);
	same = node->state == WEFT_NODE_ASKING || node->remote_id == remote_id;
	if (!same && node->asked)
		node->stranger = true;
	spin_unlock_bh(&node->lock);
	return same;
}

static enum weft_stat take_answer(struct weft_net *wn, struct sk_buff *skb,
				  const struct weft_pkt *pkt)
{
	struct in6_addr own = weft_net_address(wn);
	struct weft_place place;
	struct weft_node *node;

	if (!is_hello_sound(&pkt->hello, &own))
		return WEFT_STAT_drop_hello;
	node = weft_node_find_id(wn, pkt->session);
	if (!node)
		return ends_trial(wn, pkt) ? WEFT_STATS : WEFT_STAT_drop_hello;
	if (memcmp(pkt->hello.from, &node->addr, sizeof(node->addr)) ||
	    !hear_answerer(node, pkt->hello.session))
		return WEFT_STAT_drop_hello;
	fill_place(&place, skb, &pkt->hello);
	if (!place.version) {
		if (!weft_node_is_up(node))
			weft_node_kill(node, EPROTONOSUPPORT);
		return WEFT_STAT_drop_version;
	}
	return weft_node_settle(node, pkt->session, &place) ?
	       WEFT_STATS : WEFT_STAT_drop_hello;
}

void weft_session_here(struct weft_net *wn, struct sk_buff *skb,
		       const struct weft_pkt *pkt)
{
	enum weft_stat why = take_answer(wn, skb, pkt);

	if (why == WEFT_STATS)
		consume_skb(skb);
	else
		weft_drop(wn, skb, why);
}

void weft_session_bad(struct weft_net *wn, struct sk_buff *skb,
		      const struct weft_pkt *pkt)
{
	struct weft_node *node = NULL;

	if (pkt->bad)
		node = weft_node_find_remote(wn, skb->dev,
					     eth_hdr(skb)->h_source, pkt->bad);
	if (!node) {
		weft_drop(wn, skb, WEFT_STAT_drop_session);
		return;
	}
	if (READ_ONCE(node->confirmed))
		weft_node_kill(node, ECONNRESET);
	else
		weft_node_ask_anew(node);
	consume_skb(skb);
}

/* Tell the sender that its session is not one of ours. */
static enum weft_stat refuse_session(struct weft_net *wn,
				     const struct sk_buff *skb,
				     const struct weft_pkt *pkt)
{
	struct weft_pkt answer = {
		.kind	= WEFT_BADSESSION,
		.bad	= pkt->session,
	};

	if (!is_allowed(&wn->rate_bad, skb, READ_ONCE(wn->limits.answers)))
		return WEFT_STAT_drop_rate;
	weft_send_reply(wn, skb, &answer);
	return WEFT_STAT_drop_session;
}

/* Does the frame come from where the node is? */
static bool is_at_place(const struct weft_node *node, const struct sk_buff *skb)
{
	if (READ_ONCE(node->dev) != skb->dev)
		return false;
	/* A guess while it is moving. */
	return data_race(ether_addr_equal(node->mac, eth_hdr(skb)->h_source));
}

/*
 * Note "Crossed questions": a node that answers keeps nothing, so it may ask in
 * its turn before the asker's first packet comes, or because that was lost. Then
 * both have a session that the other does not know. The one that counts is that
 * of the lower address; the other end learns of it by the next introduction.
 */
static bool is_theirs_to_keep(const struct in6_addr *own,
			      const struct in6_addr *theirs)
{
	return memcmp(theirs, own, sizeof(*own)) < 0;
}

/*
 * A verified introduction of somebody whose address we know. It answers a
 * question of ours; or it is the same session by another name, because our
 * answers crossed (it will use the id that our own introductions tell); or it
 * is one who forgot us while nothing was going on; or each has asked after the
 * other had answered, and there are two sessions of which neither has been used:
 * see note "Crossed questions"; or it is a rival, and the one we know is asked
 * first whether it still lives.
 *
 * Return: whether the introduction is the node's. Else it was forgotten, or is
 * DEAD, or its place is being probed, or it will learn that our session counts.
 */
static bool recognise(struct weft_node *node, const struct sk_buff *skb,
		      const struct weft_pkt *pkt, const struct in6_addr *own,
		      const struct weft_place *place)
{
	if (!weft_node_is_up(node) &&
	    weft_node_settle(node, pkt->session, place))
		return true;
	if (READ_ONCE(node->remote_id) == pkt->hello.session)
		return true;
	if (!is_at_place(node, skb)) {
		weft_node_doubt(node);
		return false;
	}
	if (weft_node_forget(node))
		return false;
	if (!READ_ONCE(node->confirmed))
		return is_theirs_to_keep(own, &node->addr) &&
		       weft_node_adopt(node, pkt->session, place);
	weft_node_doubt(node);
	return false;
}

/* The node of a verified introduction: the sender has our answer. */
static struct weft_node *meet(struct weft_net *wn, const struct sk_buff *skb,
			      const struct weft_pkt *pkt,
			      const struct in6_addr *own, enum weft_stat *why)
{
	struct in6_addr from = hello_addr(pkt->hello.from);
	struct weft_node *node = weft_node_find(wn, &from);
	struct weft_place place;

	fill_place(&place, skb, &pkt->hello);
	place.confirmed = true;
	*why = WEFT_STAT_drop_version;
	if (!place.version || place.version != pkt->version)
		return NULL;
	if (node) {
		if (recognise(node, skb, pkt, own, &place)) {
			if (pkt->session != READ_ONCE(node->local_id))
				weft_node_by_other_name(node, pkt->session);
			return node;
		}
		*why = READ_ONCE(node->confirmed) ? WEFT_STAT_drop_conflict :
						    WEFT_STAT_drop_session;
		if (weft_node_find(wn, &from))
			return NULL;
	}
	*why = WEFT_STAT_drop_rate;
	if (!is_allowed(&wn->rate_new, skb, NEW_PER_SEC))
		return NULL;
	return weft_node_make(wn, &from, own, pkt->session, &place, why);
}

/* Is the packet's session id what we would have answered to its hello? */
static bool has_our_id(struct weft_net *wn, const struct in6_addr *own,
		       const struct weft_pkt *pkt)
{
	const struct weft_hello *hello = &pkt->hello;
	struct in6_addr from = hello_addr(hello->from);

	return pkt->session == derive_id(wn, own, &from, hello->session, 0) ||
	       pkt->session == derive_id(wn, own, &from, hello->session, 1);
}

/*
 * Note "Ended sessions": an introduction that comes late, or is said again by
 * somebody, would begin its session anew when that has been forgotten, and with
 * it do once more what its flows asked for. So the ids of sessions in which the
 * peer has opened a flow are kept for as long as they would be good: an id is of
 * a generation, and that lasts until so many have ended.
 */
static bool is_fresh(struct weft_net *wn, const struct in6_addr *own,
		     const struct weft_pkt *pkt)
{
	bool fresh;

	spin_lock_bh(&wn->nodes_lock);
	fresh = has_our_id(wn, own, pkt) &&
		!weft_ended_has(wn->ended, pkt->session);
	spin_unlock_bh(&wn->nodes_lock);
	return fresh;
}

static struct weft_node *find_stranger(struct weft_net *wn,
				       const struct sk_buff *skb,
				       const struct weft_pkt *pkt,
				       enum weft_stat *why)
{
	struct in6_addr own = weft_net_address(wn);

	/* The lock is not for every packet of a stranger. */
	if ((pkt->flags & WEFT_F_INTRO) && is_hello_sound(&pkt->hello, &own) &&
	    has_our_id(wn, &own, pkt) && is_fresh(wn, &own, pkt))
		return meet(wn, skb, pkt, &own, why);
	*why = refuse_session(wn, skb, pkt);
	return NULL;
}

/* A packet came before the answer to our question: it is the answer. */
static bool settle_by_packet(struct weft_net *wn, struct weft_node *node,
			     const struct sk_buff *skb,
			     const struct weft_pkt *pkt)
{
	struct in6_addr own = weft_net_address(wn);
	struct weft_place place;

	if (!(pkt->flags & WEFT_F_INTRO) ||
	    !is_hello_sound(&pkt->hello, &own) ||
	    memcmp(pkt->hello.from, &node->addr, sizeof(node->addr)))
		return false;
	fill_place(&place, skb, &pkt->hello);
	place.confirmed = true;
	return place.version == pkt->version &&
	       weft_node_settle(node, pkt->session, &place);
}

/* The peer uses our id for the first time, and may tell its own anew. */
static void confirm(struct weft_net *wn, struct weft_node *node,
		    const struct sk_buff *skb, const struct weft_pkt *pkt)
{
	struct in6_addr own = weft_net_address(wn);
	u64 remote_id = 0;

	/* Questions are heard by all: only its own place names the peer anew. */
	if ((pkt->flags & WEFT_F_INTRO) && is_at_place(node, skb) &&
	    is_hello_sound(&pkt->hello, &own) &&
	    !memcmp(pkt->hello.from, &node->addr, sizeof(node->addr)))
		remote_id = pkt->hello.session;
	weft_node_confirm(node, remote_id);
}

struct weft_node *weft_session_find(struct weft_net *wn, struct sk_buff *skb,
				    const struct weft_pkt *pkt,
				    enum weft_stat *why)
{
	struct weft_node *node = weft_node_find_id(wn, pkt->session);

	if (!node) {
		node = find_stranger(wn, skb, pkt, why);
	} else if (weft_node_is_up(node)) {
		*why = WEFT_STAT_drop_version;
		if (pkt->version != READ_ONCE(node->version))
			return NULL;
		if (!READ_ONCE(node->confirmed))
			confirm(wn, node, skb, pkt);
	} else if (!settle_by_packet(wn, node, skb, pkt)) {
		*why = WEFT_STAT_drop_session;
		return NULL;
	}
	if (!node)
		return NULL;
	if (READ_ONCE(node->probing) && pkt->session == node->local_id)
		weft_node_alive(node);
	weft_node_heard(node, is_at_place(node, skb));
	return node;
}

void weft_session_probe(struct weft_node *node, struct sk_buff *skb,
			const struct weft_pkt *pkt)
{
	struct weft_pkt answer = { .kind = WEFT_ACK };

	if (pkt->kind == WEFT_PROBE)
		weft_send_bare(node, &answer);
	consume_skb(skb);
}

static int begin_trial(struct weft_net *wn, struct weft_trial *trial)
{
	int err = 0;

	spin_lock_bh(&wn->nodes_lock);
	if (wn->trial)
		err = -EBUSY;
	else
		wn->trial = trial;
	spin_unlock_bh(&wn->nodes_lock);
	return err;
}

static void end_trial(struct weft_net *wn)
{
	spin_lock_bh(&wn->nodes_lock);
	wn->trial = NULL;
	spin_unlock_bh(&wn->nodes_lock);
}

int weft_session_claim(struct weft_net *wn, const struct in6_addr *addr)
{
	struct weft_trial trial = { .addr = *addr, .id = get_random_u64() | 1 };
	int question, err;
	long left = 0;

	init_completion(&trial.taken);
	err = begin_trial(wn, &trial);
	if (err)
		return err;
	for (question = 0; question < TRIAL_QUESTIONS && !left; question++) {
		ask_for(wn, addr, trial.id, 0);
		left = wait_for_completion_interruptible_timeout(&trial.taken,
								 TRIAL_DELAY);
	}
	end_trial(wn);
	if (left)
		return left < 0 ? left : -EADDRINUSE;
	return weft_net_set_address(wn, addr);
}
