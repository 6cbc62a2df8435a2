// SPDX-License-Identifier: GPL-2.0
/* /proc/net/weft: one line a socket. */
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/seq_file_net.h>
#include <net/sock.h>
#include <net/tcp_states.h>

#include "conn.h"
#include "proc.h"
#include "sock.h"

static const char *type_name(const struct sock *sk)
{
	switch (sk->sk_type) {
	case SOCK_STREAM:
		return "stream";
	case SOCK_SEQPACKET:
		return "seqpacket";
	default:
		return "dgram";
	}
}

static const char *state_name(const struct sock *sk)
{
	switch (READ_ONCE(sk->sk_state)) {
	case TCP_LISTEN:
		return "LISTEN";
	case TCP_SYN_SENT:
		return "OPENING";
	case TCP_ESTABLISHED:
		return "OPEN";
	default:
		return "CLOSED";
	}
}

static const char *road_name(const struct weft_sock *wsk)
{
	static const char * const names[] = { "-", "local", "wire" };

	return names[wsk->road];
}

static void show_sock(struct seq_file *seq, struct weft_sock *wsk)
{
	struct sock *sk = &wsk->sk;
	char own[64], peer[64];

	snprintf(own, sizeof(own), "[%pI6c]:%u", &wsk->addr, wsk->port);
	snprintf(peer, sizeof(peer), "[%pI6c]:%u", &wsk->peer_addr,
		 wsk->peer_port);
	seq_printf(seq, "%-9s %-7s %-5s %8u %8u %6u %8lu %-44s %s\n",
		   type_name(sk), state_name(sk), road_name(wsk),
		   weft_sock_unread(sk), READ_ONCE(sk->sk_wmem_queued),
		   from_kuid_munged(seq_user_ns(seq), sk->sk_uid), sock_i_ino(sk),
		   own, wsk->peer_port ? peer : "-");
}

/* A step is a bucket, so that to go on where a read ended costs nothing. */
static void *bucket_at(struct seq_file *seq, loff_t pos)
{
	struct weft_net *wn = weft_net(seq_file_net(seq));

	if (!pos)
		return SEQ_START_TOKEN;
	return pos <= WEFT_SOCK_BUCKETS ? &wn->socks[pos - 1] : NULL;
}

static void *socks_start(struct seq_file *seq, loff_t *pos)
{
	return bucket_at(seq, *pos);
}

static void *socks_next(struct seq_file *seq, void *v, loff_t *pos)
{
	return bucket_at(seq, ++*pos);
}

static void socks_stop(struct seq_file *seq, void *v)
{
}

static int socks_show(struct seq_file *seq, void *v)
{
	struct weft_bucket *bucket = v;
	struct weft_sock *wsk;

	if (v == SEQ_START_TOKEN) {
		seq_puts(seq, "type      state   road     unread   unsent    uid    inode own                                          peer\n");
		return 0;
	}
	spin_lock_bh(&bucket->lock);
	hlist_for_each_entry(wsk, &bucket->socks, net_node)
		show_sock(seq, wsk);
	spin_unlock_bh(&bucket->lock);
	return 0;
}

static const struct seq_operations socks_ops = {
	.start	= socks_start,
	.next	= socks_next,
	.stop	= socks_stop,
	.show	= socks_show,
};

int weft_proc_init_net(struct weft_net *wn)
{
	if (!proc_create_net("weft", 0444, wn->net->proc_net, &socks_ops,
			     sizeof(struct seq_net_private)))
		return -ENOMEM;
	return 0;
}

void weft_proc_exit_net(struct weft_net *wn)
{
	remove_proc_entry("weft", wn->net->proc_net);
}
