#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Ask the compiler what this kernel's headers offer; print a header of WEFT_HAVE_* lines.
#
#   probe.sh COMPILER FLAGS...
#
# Versions lie: stable series take new interfaces in, vendors take them back. A probe is a line
#   NAME: HEADER... | STATEMENTS
# and holds when a function with these statements compiles without a warning.
set -eu

probes()
{
	cat <<'EOF'
PROTO_ACCEPT_ARG: net/sock.h | struct proto_accept_arg a = { .flags = 0, .kern = true }; (void)a;
MEMCG_FROM_SK: net/sock.h | struct sock *sk = NULL; (void)mem_cgroup_from_sk(sk);
SPLICE_EOF: linux/net.h | extern void f(struct socket *); struct proto_ops o = { .splice_eof = f }; (void)o;
PROTO_IOCTL_KARG: net/sock.h | extern int f(struct sock *, int, int *); struct proto p = { .ioctl = f }; (void)p;
SOCKADDR_UNSIZED: linux/net.h net/sock.h | extern int f(struct socket *, struct sockaddr_unsized *, int); struct proto_ops o = { .bind = f }; (void)o;
HRTIMER_SETUP: linux/hrtimer.h | extern enum hrtimer_restart f(struct hrtimer *); struct hrtimer t; hrtimer_setup(&t, f, CLOCK_MONOTONIC, HRTIMER_MODE_REL_SOFT);
TIMER_DELETE: linux/timer.h | struct timer_list t; timer_delete(&t);
TIMER_SHUTDOWN_SYNC: linux/timer.h | struct timer_list t; timer_shutdown_sync(&t);
CTL_TABLE_CONST: linux/sysctl.h | extern int f(const struct ctl_table *, int, void *, size_t *, loff_t *); struct ctl_table t = { .proc_handler = f }; (void)t;
REGISTER_NET_SYSCTL_SZ: linux/sysctl.h net/net_namespace.h | static struct ctl_table t[1]; (void)register_net_sysctl_sz(&init_net, "x", t, 1);
SKB_CLOCK: linux/skbuff.h | struct sk_buff *s = NULL; skb_set_delivery_time(s, 0, SKB_CLOCK_MONOTONIC);
GET_RANDOM_U32_BELOW: linux/random.h | (void)get_random_u32_below(5);
NET_PASSIVE_INC: net/net_namespace.h | net_passive_inc(&init_net);
NETNS_TRACKER_ALLOC_REFCNT: net/net_namespace.h | netns_tracker t; __netns_tracker_alloc(&init_net, &t, false, GFP_KERNEL);
PCPU_STAT_TYPE: linux/netdevice.h | struct net_device *d = NULL; (void)(d->pcpu_stat_type == NETDEV_PCPU_STAT_TSTATS);
TCX: linux/netdevice.h | struct net_device *d = NULL; (void)d->tcx_ingress; (void)d->tcx_egress;
NET_PTYPE: net/net_namespace.h | (void)&init_net.ptype_specific;
MINIQ: linux/netdevice.h | struct net_device *d = NULL; (void)d->miniq_ingress; (void)d->miniq_egress;
ITER_PIPE: linux/uio.h | struct iov_iter *i = NULL; (void)iov_iter_is_pipe(i);
EOF
}

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# try NAME HEADERS STATEMENTS COMPILER...: leaves NAME.yes when it compiles.
try()
{
	name=$1 headers=$2 body=$3
	shift 3
	{
		for h in $headers; do printf '#include <%s>\n' "$h"; done
		printf 'void probe(void);\nvoid probe(void) { %s }\n' "$body"
	} >"$dir/$name.c"
	if "$@" -Werror -Wno-unused -Wno-missing-declarations -Wno-nested-externs -Wno-uninitialized \
		-Wno-maybe-uninitialized -Wno-declaration-after-statement \
		-fsyntax-only "$dir/$name.c" >"$dir/$name.log" 2>&1; then
		: >"$dir/$name.yes"
	fi
}

# Without this one every answer would be a wrong "no".
try base "linux/module.h net/sock.h" "" "$@"
if [ ! -e "$dir/base.yes" ]; then
	cat "$dir/base.log" >&2
	echo "probe.sh: the kernel's headers do not compile at all (above); are they complete? Compiler: $1" >&2
	exit 1
fi

probes >"$dir/list"
while IFS=: read -r name rest; do
	try "$name" "${rest%%|*}" "${rest#*|}" "$@" &
done <"$dir/list"
wait

echo '/* Made by probe.sh from the headers of the kernel being built for. */'
while IFS=: read -r name rest; do
	if [ -e "$dir/$name.yes" ]; then
		echo "#define WEFT_HAVE_$name 1"
	else
		echo "/* no $name */"
	fi
done <"$dir/list"
