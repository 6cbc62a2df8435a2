/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kernel differences. The code is written for the newest kernel; this header, included before
 * every source file, emulates the newer interfaces on older kernels. It is the only place that
 * knows about them. What a kernel offers is found by compiling (probe.sh), never by version.
 *
 * As written for the newest kernel; nothing to do:
 *	struct sockaddr_unsized * in proto_ops.bind and .connect (6.19)
 *	hrtimer_setup(timer, function, clock, mode) (6.13)
 *	timer_delete(), timer_shutdown_sync()
 *	skb_set_delivery_time(skb, time, SKB_CLOCK_MONOTONIC) (6.12), and
 *	skb_set_delivery_type_by_clockid(skb, time, clockid)
 *	get_random_u32_below()
 *	#include <linux/unaligned.h> (6.12), <net/gso.h> (6.5), <net/proto_memory.h> (6.10)
 *
 * With a word from here:
 *
 * proto_ops.accept takes a struct proto_accept_arg * (6.10). Write the function so, then, at
 * file scope after it, once, and name it in the operations through the same word:
 *	static int weft_accept(struct socket *sock, struct socket *new,
 *			       struct proto_accept_arg *arg) ...
 *	WEFT_ACCEPT_ADAPTER(weft_accept);
 *	.accept = weft_accept_adapt(weft_accept),
 *
 * proto.ioctl takes an int * in kernel memory (6.5):
 *	static int proto_ioctl(struct sock *sk, int cmd, int *karg) ...
 *	WEFT_PROTO_IOCTL_ADAPTER(proto_ioctl);
 *	.ioctl = weft_proto_ioctl_adapt(proto_ioctl),
 *
 * proc_handler takes a const table (6.11), and tables have no empty last entry (6.6):
 *	static int set_node(WEFT_CTL_CONST struct ctl_table *table, int write, ...)
 *	static struct ctl_table template[] = { { ... }, { ... }, WEFT_CTL_END };
 *	register_net_sysctl_sz(net, "net/weft", table, ARRAY_SIZE(template))
 * WEFT_CTL_ENTRIES(template) is the number of entries without the end.
 *
 * proto_ops.splice_eof (6.5) is an entry of its own, and before that nothing:
 *	static void __maybe_unused weft_splice_eof(struct socket *sock) ...
 *	WEFT_SPLICE_EOF(weft_splice_eof)
 *
 * struct proto has no recvmsg of ours (it lost addr_len in 7.1), and sendpage is not
 * implemented (gone in 6.5; before, the core falls back to sendmsg).
 */
#ifndef WEFT_COMPAT_H
#define WEFT_COMPAT_H

#include <linux/compiler.h>
#include <linux/types.h>
#include "probes.h"

/* mem_cgroup_from_sk() where sk_memcg has flags as well (6.18). */
#ifdef WEFT_HAVE_MEMCG_FROM_SK
#define weft_memcg_of(sk)	mem_cgroup_from_sk(sk)
#else
#define weft_memcg_of(sk)	((sk)->sk_memcg)
#endif

/*
 * Does a device keep the counters that dev_sw_netstats_tx_add() adds to? A kernel
 * that does not say so (before 6.7; some stable series do) hands nothing over.
 */
#ifdef WEFT_HAVE_PCPU_STAT_TYPE
#define WEFT_CAN_HAND_OVER	1
#define weft_dev_has_tstats(dev) \
	((dev)->pcpu_stat_type == NETDEV_PCPU_STAT_TSTATS)
#else
#define WEFT_CAN_HAND_OVER	0
#define weft_dev_has_tstats(dev)	((void)(dev), false)
#endif

/*
 * Programs on what a device sends and gets, each where the kernel is built for
 * it: of tc, which are elsewhere since 6.6, and of netfilter.
 */
#if defined(WEFT_HAVE_TCX)
#define weft_dev_has_tc(dev)						\
	(rcu_access_pointer((dev)->tcx_ingress) ||			\
	 rcu_access_pointer((dev)->tcx_egress))
#elif defined(WEFT_HAVE_MINIQ)
#define weft_dev_has_tc(dev)						\
	(rcu_access_pointer((dev)->miniq_ingress) ||			\
	 rcu_access_pointer((dev)->miniq_egress))
#else
#define weft_dev_has_tc(dev)		((void)(dev), false)
#endif

/* Packet sockets of no device are in lists of their namespace (6.15), or NULL. */
#ifdef WEFT_HAVE_NET_PTYPE
#define weft_net_ptypes(net)		(&(net)->ptype_specific)
#else
#define weft_net_ptypes(net)		((void)(net), (struct list_head *)NULL)
#endif

#ifdef CONFIG_NETFILTER_INGRESS
#define weft_dev_has_nf_ingress(dev) \
	rcu_access_pointer((dev)->nf_hooks_ingress)
#else
#define weft_dev_has_nf_ingress(dev)	((void)(dev), false)
#endif

#ifdef CONFIG_NETFILTER_EGRESS
#define weft_dev_has_nf_egress(dev) \
	rcu_access_pointer((dev)->nf_hooks_egress)
#else
#define weft_dev_has_nf_egress(dev)	((void)(dev), false)
#endif

#ifdef WEFT_HAVE_SPLICE_EOF
#define WEFT_SPLICE_EOF(fn)	.splice_eof = (fn),
#else
#define WEFT_SPLICE_EOF(fn)
#endif

#ifdef WEFT_HAVE_PROTO_ACCEPT_ARG
#define WEFT_ACCEPT_ADAPTER(fn) \
	static_assert(1)
#define weft_accept_adapt(fn)	fn
#else
struct proto_accept_arg {
	int flags;
	int err;
	int is_empty;
	bool kern;
};

#define WEFT_ACCEPT_ADAPTER(fn)						\
	static int fn##_adapted(struct socket *sock, struct socket *new,\
				int flags, bool kern)			\
	{								\
		struct proto_accept_arg arg = {				\
			.flags = flags,					\
			.kern = kern,					\
		};							\
									\
		return fn(sock, new, &arg);				\
	}								\
	static_assert(1)
#define weft_accept_adapt(fn)	fn##_adapted
#endif

#ifdef WEFT_HAVE_PROTO_IOCTL_KARG
#define WEFT_PROTO_IOCTL_ADAPTER(fn) \
	static_assert(1)
#define weft_proto_ioctl_adapt(fn)	fn
#else
#define WEFT_PROTO_IOCTL_ADAPTER(fn)					\
	static int fn##_adapted(struct sock *sk, int cmd,		\
				unsigned long arg)			\
	{								\
		int karg = 0;						\
		int err = fn(sk, cmd, &karg);				\
									\
		return err ? err : put_user(karg, (int __user *)arg);	\
	}								\
	static_assert(1)
#define weft_proto_ioctl_adapt(fn)	fn##_adapted
#endif

#ifndef WEFT_HAVE_SOCKADDR_UNSIZED
#define sockaddr_unsized sockaddr
#endif

#ifndef WEFT_HAVE_HRTIMER_SETUP
#define hrtimer_setup(timer, fn, clock, mode)				\
do {									\
	hrtimer_init(timer, clock, mode);				\
	(timer)->function = (fn);					\
} while (0)
#endif

#ifndef WEFT_HAVE_TIMER_DELETE
#define timer_delete(timer)		del_timer(timer)
#endif

#ifndef WEFT_HAVE_TIMER_SHUTDOWN_SYNC
#define timer_shutdown_sync(timer)	del_timer_sync(timer)
#endif

#ifdef WEFT_HAVE_CTL_TABLE_CONST
#define WEFT_CTL_CONST const
#else
#define WEFT_CTL_CONST
#endif

#ifdef WEFT_HAVE_REGISTER_NET_SYSCTL_SZ
#define WEFT_CTL_END
#define WEFT_CTL_ENTRIES(table)	ARRAY_SIZE(table)
#else
#define WEFT_CTL_END		{ }
#define WEFT_CTL_ENTRIES(table)	(ARRAY_SIZE(table) - 1)
#define register_net_sysctl_sz(net, path, table, size)			\
({									\
	(void)(size);							\
	register_net_sysctl(net, path, table);				\
})
#endif

#ifndef WEFT_HAVE_SKB_CLOCK
/* The third argument was a bool: is it monotonic? */
#define SKB_CLOCK_REALTIME	0
#define SKB_CLOCK_MONOTONIC	1
#define skb_set_delivery_type_by_clockid(skb, time, clockid) \
	skb_set_delivery_time(skb, time, (clockid) == CLOCK_MONOTONIC)
#endif

#ifndef WEFT_HAVE_GET_RANDOM_U32_BELOW
#define get_random_u32_below(ceil)	prandom_u32_max(ceil)
#endif

/*
 * weft_copy_page_to_iter(): as copy_page_to_iter(), which before 6.5 gave a pipe
 * the page itself, that its owner may write to again.
 */
#ifdef WEFT_HAVE_ITER_PIPE
#define weft_copy_page_to_iter(page, offset, bytes, i)			\
	(iov_iter_is_pipe(i) ?						\
	 copy_to_iter(page_address(page) + (offset), bytes, i) :	\
	 copy_page_to_iter(page, offset, bytes, i))
#else
#define weft_copy_page_to_iter(page, offset, bytes, i) \
	copy_page_to_iter(page, offset, bytes, i)
#endif

/*
 * weft_untrack_net(sk, net): drop a socket's reference to its namespace, as if
 * it had been made a kernel socket. What such a socket holds instead has grown:
 * a tracker (6.2), then a passive reference too (6.12.y).
 */
#ifdef WEFT_HAVE_NET_PASSIVE_INC
#define weft_net_passive_inc(net)	net_passive_inc(net)
#else
#define weft_net_passive_inc(net)	do { } while (0)
#endif
#ifdef WEFT_HAVE_NETNS_TRACKER_ALLOC_REFCNT
#define weft_net_track_passive(sk, net) \
	__netns_tracker_alloc(net, &(sk)->ns_tracker, false, GFP_KERNEL)
#else
#define weft_net_track_passive(sk, net)	do { } while (0)
#endif
#define weft_untrack_net(sk, net)					\
do {									\
	weft_net_passive_inc(net);					\
	sock_inuse_add(net, -1);					\
	put_net_track(net, &(sk)->ns_tracker);				\
	weft_net_track_passive(sk, net);				\
} while (0)

#endif /* WEFT_COMPAT_H */
