// SPDX-License-Identifier: GPL-2.0
/* A namespace's node: how it is born, and how it goes. */
#include <linux/random.h>

#include "af.h"
#include "conn.h"
#include "frags.h"
#include "link.h"
#include "net.h"
#include "node.h"
#include "pool.h"
#include "port.h"
#include "proc.h"

#define LIMIT_NODES	4096
#define LIMIT_PENDING	64
#define LIMIT_RMEM	(16 << 20)
#define LIMIT_WMEM	(16 << 20)
#define LIMIT_FRAGMENTS	(4 << 20)
#define LIMIT_ORPHANS	32768
#define LIMIT_ORPHAN_SEC	60
#define LIMIT_ANSWERS	250000

static void draw_address(struct in6_addr *addr)
{
	*addr = (struct in6_addr){
		.s6_addr = { 0xfd, 0x77, 0x65, 0x66, 0x74, 0x00 },
	};
	get_random_bytes(&addr->s6_addr[6], sizeof(*addr) - 6);
}

int weft_net_set_address(struct weft_net *wn, const struct in6_addr *addr)
{
	int err = 0;

	write_seqlock_bh(&wn->address_lock);
	/* Pairs with weft_net_use_address(). */
	smp_mb();
	if (atomic_read(&wn->address_users))
		err = -EBUSY;
	else
		wn->address = *addr;
	write_sequnlock_bh(&wn->address_lock);
	return err;
}

static void init_values(struct weft_net *wn, struct net *net)
{
	unsigned int i;

	wn->net = net;
	seqlock_init(&wn->address_lock);
	draw_address(&wn->address);
	get_random_bytes(&wn->secret, sizeof(wn->secret));
	spin_lock_init(&wn->orphans_lock);
	for (i = 0; i < WEFT_SOCK_BUCKETS; i++)
		spin_lock_init(&wn->socks[i].lock);
	weft_pool_init_net(wn);
	wn->limits.nodes = LIMIT_NODES;
	wn->limits.pending = LIMIT_PENDING;
	wn->limits.rmem = LIMIT_RMEM;
	wn->limits.wmem = LIMIT_WMEM;
	wn->cc = weft_cc_at(0);
	wn->handover = WEFT_CAN_HAND_OVER;
	wn->limits.fragments = LIMIT_FRAGMENTS;
	wn->limits.orphans = LIMIT_ORPHANS;
	wn->limits.orphan_sec = LIMIT_ORPHAN_SEC;
	wn->limits.answers = LIMIT_ANSWERS;
	/* Before the sysctls are there, one of which adds links. */
	xa_init(&wn->links);
	weft_frags_init_net(wn);
}

/* The links come last: with them packets come. */
static int __net_init init_net_state(struct net *net)
{
	struct weft_net *wn = weft_net(net);
	int err;

	init_values(wn, net);
	err = weft_stats_init_net(wn);
	if (err)
		return err;
	err = weft_port_init_net(wn);
	if (err)
		goto err_stats;
	err = weft_conn_init_net(wn);
	if (err)
		goto err_port;
	err = weft_node_init_net(wn);
	if (err)
		goto err_conn;
	err = weft_proc_init_net(wn);
	if (err)
		goto err_node;
	err = weft_sysctl_init(wn);
	if (err)
		goto err_proc;
	err = weft_link_init_net(wn);
	if (err)
		goto err_sysctl;
	return 0;

err_sysctl:
	weft_sysctl_exit(wn);
err_proc:
	weft_proc_exit_net(wn);
err_node:
	weft_node_free_net(wn);
err_conn:
	weft_conn_exit_net(wn);
err_port:
	weft_port_exit_net(wn);
err_stats:
	weft_stats_exit_net(wn);
	return err;
}

/*
 * Death in two steps. Here everything ends while there are still devices to
 * tell the peers over; the core then waits for a grace period, and with it for
 * every packet and timer that found us before.
 */
static void __net_exit end_net_state(struct net *net)
{
	struct weft_net *wn = weft_net(net);

	weft_sysctl_exit(wn);
	weft_af_exit_net(wn);
	weft_node_exit_net(wn);
	weft_link_exit_net(wn);
}

static void __net_exit exit_net_state(struct net *net)
{
	struct weft_net *wn = weft_net(net);

	weft_pool_exit_net(wn);
	weft_proc_exit_net(wn);
	weft_frags_exit_net(wn);
	weft_node_free_net(wn);
	weft_conn_exit_net(wn);
	weft_port_exit_net(wn);
	weft_stats_exit_net(wn);
	memzero_explicit(&wn->secret, sizeof(wn->secret));
}

static struct pernet_operations net_ops = {
	.init		= init_net_state,
	.pre_exit	= end_net_state,
	.exit		= exit_net_state,
	.id		= &weft_net_id,
	.size		= sizeof(struct weft_net),
};

int weft_net_init(void)
{
	return register_pernet_subsys(&net_ops);
}

void weft_net_exit(void)
{
	unregister_pernet_subsys(&net_ops);
}
