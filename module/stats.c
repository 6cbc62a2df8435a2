// SPDX-License-Identifier: GPL-2.0
/* Counters, and the one way in which a packet is dropped. */
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/skbuff.h>

#include "net.h"
#include "stats.h"
#include "trace.h"

#define WEFT_STAT_NAME(name) #name,
static const char * const stat_names[] = {
	WEFT_DROPS(WEFT_STAT_NAME)
	WEFT_COUNTS(WEFT_STAT_NAME)
};

void weft_count(struct weft_net *wn, enum weft_stat stat, u64 n)
{
	this_cpu_add(wn->stats->value[stat], n);
}

void weft_drop(struct weft_net *wn, struct sk_buff *skb, enum weft_stat why)
{
	weft_count(wn, why, 1);
	trace_weft_drop(wn->net->ns.inum, why, skb ? skb->len : 0);
	kfree_skb(skb);
}

static u64 sum_of(struct weft_net *wn, enum weft_stat stat)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu_ptr(wn->stats, cpu)->value[stat]);
	return sum;
}

static int show_stats(struct seq_file *seq, void *v)
{
	struct weft_net *wn = weft_net(seq_file_single_net(seq));
	unsigned int i;

	static_assert(ARRAY_SIZE(stat_names) == WEFT_STATS);
	for (i = 0; i < WEFT_STATS; i++)
		seq_printf(seq, "%s %llu\n", stat_names[i], sum_of(wn, i));
	return 0;
}

int weft_stats_init_net(struct weft_net *wn)
{
	wn->stats = alloc_percpu(struct weft_stats);
	if (!wn->stats)
		return -ENOMEM;
	if (!proc_create_net_single("weft_stat", 0444, wn->net->proc_net,
				    show_stats, NULL)) {
		free_percpu(wn->stats);
		return -ENOMEM;
	}
	return 0;
}

void weft_stats_exit_net(struct weft_net *wn)
{
	remove_proc_entry("weft_stat", wn->net->proc_net);
	free_percpu(wn->stats);
}
