// SPDX-License-Identifier: GPL-2.0
/* net.weft.*: what the administrator of a namespace sets. */
#include <linux/inet.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <linux/sysctl.h>

#include "af.h"
#include "link.h"
#include "net.h"
#include "node.h"
#include "proto/cc.h"

/* Longest list of devices, bytes. */
#define DEVICES_BYTES	4096

static const int most_handover = WEFT_CAN_HAND_OVER;
static const int most_nodes = 1 << 20;
static const int most_pending = 1 << 12;
static const int least_mem = 1 << 12;
static const int most_mem = 1 << 30;
static const int least_fragments = 1 << 20;
static const int most_fragments = 1 << 30;
static const int most_orphans = 1 << 20;
static const int most_orphan_sec = 3600;
static const int least_answers = WEFT_QUOTA_SHARE;
static const int most_answers = 10000000;

static int do_node(WEFT_CTL_CONST struct ctl_table *table, int write,
		   void *buffer, size_t *lenp, loff_t *ppos)
{
	struct weft_net *wn = table->data;
	struct in6_addr own = weft_net_address(wn);
	char text[INET6_ADDRSTRLEN + 1];
	struct ctl_table line = {
		.data	= text,
		.maxlen	= sizeof(text),
	};
	struct in6_addr addr;
	int err;

	snprintf(text, sizeof(text), "%pI6c", &own);
	err = proc_dostring(&line, write, buffer, lenp, ppos);
	if (err || !write)
		return err;
	if (in6_pton(strim(text), -1, addr.s6_addr, '\0', NULL) != 1 ||
	    !weft_addr_is_plain(&addr))
		return -EINVAL;
	if (ipv6_addr_equal(&addr, &own))
		return 0;
	if (atomic_read(&wn->address_users))
		return -EBUSY;
	return weft_session_claim(wn, &addr);
}

static int do_devices(WEFT_CTL_CONST struct ctl_table *table, int write,
		      void *buffer, size_t *lenp, loff_t *ppos)
{
	struct weft_net *wn = table->data;
	struct ctl_table line = {
		.maxlen	= DEVICES_BYTES,
	};
	char *text = kzalloc(DEVICES_BYTES, GFP_KERNEL);
	int err;

	if (!text)
		return -ENOMEM;
	rtnl_lock();
	strscpy(text, weft_link_devices(wn), DEVICES_BYTES);
	rtnl_unlock();
	line.data = text;
	err = proc_dostring(&line, write, buffer, lenp, ppos);
	if (!err && write)
		err = strlen(text) < DEVICES_BYTES - 1 ?
		      weft_link_set_devices(wn, text) : -EINVAL;
	kfree(text);
	return err;
}

static int do_congestion(WEFT_CTL_CONST struct ctl_table *table, int write,
			 void *buffer, size_t *lenp, loff_t *ppos)
{
	struct weft_net *wn = table->data;
	char text[WEFT_CC_NAME_BYTES + 1];
	struct ctl_table line = {
		.data	= text,
		.maxlen	= sizeof(text),
	};
	const struct weft_cc_ops *cc;
	int err;

	strscpy(text, READ_ONCE(wn->cc)->name, sizeof(text));
	err = proc_dostring(&line, write, buffer, lenp, ppos);
	if (err || !write)
		return err;
	cc = weft_cc_find(strim(text));
	if (!cc)
		return -ENOENT;
	WRITE_ONCE(wn->cc, cc);
	return 0;
}

static int do_available(WEFT_CTL_CONST struct ctl_table *table, int write,
			void *buffer, size_t *lenp, loff_t *ppos)
{
	char text[8 * WEFT_CC_NAME_BYTES] = "";
	struct ctl_table line = {
		.data	= text,
		.maxlen	= sizeof(text),
	};
	unsigned int i;

	for (i = 0; weft_cc_at(i); i++) {
		if (i)
			strlcat(text, " ", sizeof(text));
		strlcat(text, weft_cc_at(i)->name, sizeof(text));
	}
	return proc_dostring(&line, write, buffer, lenp, ppos);
}

static int do_mem(WEFT_CTL_CONST struct ctl_table *table, int write,
		  void *buffer, size_t *lenp, loff_t *ppos)
{
	int err = proc_doulongvec_minmax(table, write, buffer, lenp, ppos);

	if (!err && write)
		weft_af_set_mem();
	return err;
}

/* Data of the first four are the namespace's; of the others the machine's. */
enum {
	CTL_NODE, CTL_DEVICES, CTL_CONGESTION, CTL_HANDOVER, CTL_AVAILABLE,
	CTL_MEM
};

static const struct ctl_table template[] = {
	[CTL_NODE] = {
		.procname	= "node",
		.mode		= 0644,
		.proc_handler	= do_node,
	},
	[CTL_DEVICES] = {
		.procname	= "devices",
		.mode		= 0644,
		.proc_handler	= do_devices,
	},
	[CTL_CONGESTION] = {
		.procname	= "congestion_control",
		.mode		= 0644,
		.proc_handler	= do_congestion,
	},
	[CTL_HANDOVER] = {
		.procname	= "handover",
		.maxlen		= sizeof(int),
		.mode		= 0644,
		.proc_handler	= proc_dointvec_minmax,
		.extra1		= SYSCTL_ZERO,
		.extra2		= (void *)&most_handover,
	},
	[CTL_AVAILABLE] = {
		.procname	= "available_congestion_control",
		.mode		= 0444,
		.proc_handler	= do_available,
	},
	[CTL_MEM] = {
		.procname	= "mem",
		.data		= weft_sysctl_mem,
		.maxlen		= sizeof(weft_sysctl_mem),
		.mode		= 0444,
		.proc_handler	= do_mem,
	},
	WEFT_CTL_END
};

enum {
	CTL_NODES, CTL_PENDING, CTL_RMEM, CTL_WMEM, CTL_FRAGMENTS, CTL_ORPHANS,
	CTL_ORPHAN_SEC,
	CTL_ANSWERS
};

static const struct ctl_table limits_template[] = {
	[CTL_NODES] = {
		.procname	= "nodes",
		.maxlen		= sizeof(int),
		.mode		= 0644,
		.proc_handler	= proc_dointvec_minmax,
		.extra1		= SYSCTL_ONE,
		.extra2		= (void *)&most_nodes,
	},
	[CTL_PENDING] = {
		.procname	= "pending",
		.maxlen		= sizeof(int),
		.mode		= 0644,
		.proc_handler	= proc_dointvec_minmax,
		.extra1		= SYSCTL_ONE,
		.extra2		= (void *)&most_pending,
	},
	[CTL_RMEM] = {
		.procname	= "rmem",
		.maxlen		= sizeof(int),
		.mode		= 0644,
		.proc_handler	= proc_dointvec_minmax,
		.extra1		= (void *)&least_mem,
		.extra2		= (void *)&most_mem,
	},
	[CTL_WMEM] = {
		.procname	= "wmem",
		.maxlen		= sizeof(int),
		.mode		= 0644,
		.proc_handler	= proc_dointvec_minmax,
		.extra1		= (void *)&least_mem,
		.extra2		= (void *)&most_mem,
	},
	[CTL_FRAGMENTS] = {
		.procname	= "fragments",
		.maxlen		= sizeof(int),
		.mode		= 0644,
		.proc_handler	= proc_dointvec_minmax,
		.extra1		= (void *)&least_fragments,
		.extra2		= (void *)&most_fragments,
	},
	[CTL_ORPHANS] = {
		.procname	= "orphans",
		.maxlen		= sizeof(int),
		.mode		= 0644,
		.proc_handler	= proc_dointvec_minmax,
		.extra1		= SYSCTL_ONE,
		.extra2		= (void *)&most_orphans,
	},
	[CTL_ORPHAN_SEC] = {
		.procname	= "orphan_sec",
		.maxlen		= sizeof(int),
		.mode		= 0644,
		.proc_handler	= proc_dointvec_minmax,
		.extra1		= SYSCTL_ONE,
		.extra2		= (void *)&most_orphan_sec,
	},
	[CTL_ANSWERS] = {
		.procname	= "answers",
		.maxlen		= sizeof(int),
		.mode		= 0644,
		.proc_handler	= proc_dointvec_minmax,
		.extra1		= (void *)&least_answers,
		.extra2		= (void *)&most_answers,
	},
	WEFT_CTL_END
};

static struct ctl_table_header *register_main(struct weft_net *wn)
{
	struct ctl_table_header *header;
	struct ctl_table *table;

	table = kmemdup(template, sizeof(template), GFP_KERNEL);
	if (!table)
		return NULL;
	table[CTL_NODE].data = wn;
	table[CTL_DEVICES].data = wn;
	table[CTL_CONGESTION].data = wn;
	table[CTL_HANDOVER].data = &wn->handover;
	if (net_eq(wn->net, &init_net))
		table[CTL_MEM].mode = 0644;
	header = register_net_sysctl_sz(wn->net, "net/weft", table,
					WEFT_CTL_ENTRIES(template));
	if (!header)
		kfree(table);
	return header;
}

static struct ctl_table_header *register_limits(struct weft_net *wn)
{
	struct ctl_table_header *header;
	struct ctl_table *table;

	table = kmemdup(limits_template, sizeof(limits_template), GFP_KERNEL);
	if (!table)
		return NULL;
	table[CTL_NODES].data = &wn->limits.nodes;
	table[CTL_PENDING].data = &wn->limits.pending;
	table[CTL_RMEM].data = &wn->limits.rmem;
	table[CTL_WMEM].data = &wn->limits.wmem;
	table[CTL_FRAGMENTS].data = &wn->limits.fragments;
	table[CTL_ORPHANS].data = &wn->limits.orphans;
	table[CTL_ORPHAN_SEC].data = &wn->limits.orphan_sec;
	table[CTL_ANSWERS].data = &wn->limits.answers;
	header = register_net_sysctl_sz(wn->net, "net/weft/limits", table,
					WEFT_CTL_ENTRIES(limits_template));
	if (!header)
		kfree(table);
	return header;
}

static void unregister(struct ctl_table_header *header)
{
	const struct ctl_table *table = header->ctl_table_arg;

	unregister_net_sysctl_table(header);
	kfree(table);
}

int weft_sysctl_init(struct weft_net *wn)
{
	wn->sysctl = register_main(wn);
	if (!wn->sysctl)
		return -ENOMEM;
	wn->sysctl_limits = register_limits(wn);
	if (!wn->sysctl_limits) {
		unregister(wn->sysctl);
		return -ENOMEM;
	}
	return 0;
}

void weft_sysctl_exit(struct weft_net *wn)
{
	unregister(wn->sysctl_limits);
	unregister(wn->sysctl);
}
