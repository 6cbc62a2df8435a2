// SPDX-License-Identifier: GPL-2.0
/* Socket options, ioctls and the receive low-water mark. */
#include <asm/ioctls.h>
#include <linux/in6.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/sock.h>

#include "conn.h"
#include "proto/cc.h"
#include "info.h"
#include "proto/wire.h"
#include "sock.h"

/* As TCP's ranges of the same options. */
#define KEEPIDLE_MAX_SEC	32767
#define KEEPINTVL_MAX_SEC	32767
#define KEEPCNT_MAX		127
/* What a frame carries with an MTU of 1,500, bytes. */
#define MSS_USUAL		1460
#define SYNCNT_MAX		127
#define MSS_LEAST		88
#define MSS_MAX			32767
/* What IPv6 says of packets that nobody set it for. */
#define HOPS_USUAL		64

static u32 get_max_message(struct sock *sk)
{
	return weft_sk(sk)->max_message;
}

static u32 get_peer_max_message(struct sock *sk)
{
	return weft_sk(sk)->peer_max_message;
}

static u32 get_defer_connect(struct sock *sk)
{
	return weft_sk(sk)->defers;
}

static int set_defer_connect(struct sock *sk, int value)
{
	if (value < 0 || value > 1 || weft_is_dgram(sk) ||
	    sk->sk_state != TCP_CLOSE)
		return -EINVAL;
	WRITE_ONCE(weft_sk(sk)->defers, value);
	return 0;
}

static u32 get_early_data(struct sock *sk)
{
	return !weft_sk(sk)->refuses_early;
}

static int set_early_data(struct sock *sk, int value)
{
	if (value < 0 || value > 1 || weft_is_dgram(sk))
		return -EINVAL;
	weft_sk(sk)->refuses_early = !value;
	return 0;
}

/* An option of liveness was set; sk owned. */
static int set_keep(struct sock *sk, u32 *field, int value, int least,
		    int most)
{
	if (value < least || value > most || weft_is_dgram(sk))
		return -EINVAL;
	*field = value;
	weft_conn_set_keep(sk, sock_flag(sk, SOCK_KEEPOPEN));
	return 0;
}

static u32 get_keepidle(struct sock *sk)
{
	return weft_sk(sk)->keep.idle_s ?: WEFT_KEEPIDLE_SEC;
}

static int set_keepidle(struct sock *sk, int value)
{
	return set_keep(sk, &weft_sk(sk)->keep.idle_s, value, 1,
			KEEPIDLE_MAX_SEC);
}

static u32 get_keepintvl(struct sock *sk)
{
	return weft_sk(sk)->keep.interval_s ?: WEFT_KEEPINTVL_SEC;
}

static int set_keepintvl(struct sock *sk, int value)
{
	return set_keep(sk, &weft_sk(sk)->keep.interval_s, value, 1,
			KEEPINTVL_MAX_SEC);
}

static u32 get_keepcnt(struct sock *sk)
{
	return weft_sk(sk)->keep.count ?: WEFT_KEEPCNT_PROBES;
}

static int set_keepcnt(struct sock *sk, int value)
{
	return set_keep(sk, &weft_sk(sk)->keep.count, value, 1,
			KEEPCNT_MAX);
}

static u32 get_user_timeout(struct sock *sk)
{
	return weft_sk(sk)->keep.user_timeout_ms;
}

static int set_user_timeout(struct sock *sk, int value)
{
	return set_keep(sk, &weft_sk(sk)->keep.user_timeout_ms, value, 0,
			INT_MAX);
}

static u32 get_nodelay(struct sock *sk)
{
	return weft_sk(sk)->nodelay;
}

/* As TCP: what is held back leaves, for a cork's sake as well. */
static int set_nodelay(struct sock *sk, int value)
{
	weft_sk(sk)->nodelay = value;
	if (value)
		weft_sock_flush(sk);
	return 0;
}

static u32 get_cork(struct sock *sk)
{
	return weft_sk(sk)->corked;
}

static int set_cork(struct sock *sk, int value)
{
	weft_sk(sk)->corked = value;
	if (!value)
		weft_sock_flush(sk);
	return 0;
}

/* What one packet carries; on one node, what one usually would. */
static u32 get_mss(struct sock *sk)
{
	const struct weft_conn *conn = weft_sk(sk)->conn;

	return conn ? conn->engine.params.mss : MSS_USUAL;
}

/* No address of IPv4 is ever heard. */
static u32 get_v6only(struct sock *sk)
{
	return 1;
}

/* As IPv6: before the socket has a name. */
static int set_v6only(struct sock *sk, int value)
{
	return weft_sk(sk)->port ? -EINVAL : 0;
}

/* What is read of an option that has no effect. */
static u32 get_nothing(struct sock *sk)
{
	return 0;
}

static u32 get_hops(struct sock *sk)
{
	return HOPS_USUAL;
}

/* Of what no frame of weft has a field for; -1 is "the usual". */
static int ignore_byte(struct sock *sk, int value)
{
	return value < -1 || value > U8_MAX ? -EINVAL : 0;
}

/* As ignore_byte(), of IPv4, where 0 is nothing. */
static int ignore_ttl(struct sock *sk, int value)
{
	return value ? ignore_byte(sk, value) : -EINVAL;
}

static int ignore_any(struct sock *sk, int value)
{
	return 0;
}

static int ignore_discover(struct sock *sk, int value)
{
	return value < IPV6_PMTUDISC_DONT || value > IPV6_PMTUDISC_OMIT ?
	       -EINVAL : 0;
}

static int ignore_syncnt(struct sock *sk, int value)
{
	return value < 1 || value > SYNCNT_MAX ? -EINVAL : 0;
}

static int ignore_fastopen(struct sock *sk, int value)
{
	return value < 0 || (sk->sk_state != TCP_CLOSE &&
			     sk->sk_state != TCP_LISTEN) ? -EINVAL : 0;
}

static int ignore_mss(struct sock *sk, int value)
{
	return value && (value < MSS_LEAST || value > MSS_MAX) ? -EINVAL : 0;
}

/*
 * One row an option of SOL_WEFT. Programs written for TCP set the likes of
 * these on whatever they take for TCP: a STREAM knows them by @tcp as well, and
 * some by that name alone.
 */
static const struct option {
	int	name;
	int	tcp;
	u32	(*get)(struct sock *sk);
	int	(*set)(struct sock *sk, int value);
} options[] = {
	{ WEFT_MAX_MESSAGE,	 0, get_max_message },
	{ WEFT_PEER_MAX_MESSAGE, 0, get_peer_max_message },
	{ WEFT_DEFER_CONNECT,	 TCP_FASTOPEN_CONNECT, get_defer_connect,
	  set_defer_connect },
	{ WEFT_EARLY_DATA,	 0, get_early_data, set_early_data },
	{ WEFT_KEEPIDLE,	 TCP_KEEPIDLE, get_keepidle, set_keepidle },
	{ WEFT_KEEPINTVL,	 TCP_KEEPINTVL, get_keepintvl, set_keepintvl },
	{ WEFT_KEEPCNT,		 TCP_KEEPCNT, get_keepcnt, set_keepcnt },
	{ WEFT_USER_TIMEOUT,	 TCP_USER_TIMEOUT, get_user_timeout,
	  set_user_timeout },
	{ 0,			 TCP_NODELAY, get_nodelay, set_nodelay },
	{ 0,			 TCP_CORK, get_cork, set_cork },
	{ 0,			 TCP_MAXSEG, get_mss, ignore_mss },
	{ 0,			 TCP_DEFER_ACCEPT, get_nothing, ignore_any },
	{ 0,			 TCP_FASTOPEN, get_nothing, ignore_fastopen },
	{ 0,			 TCP_LINGER2, get_nothing, ignore_any },
	{ 0,			 TCP_NOTSENT_LOWAT, get_nothing, ignore_any },
	{ 0,			 TCP_QUICKACK, get_nothing, ignore_any },
	{ 0,			 TCP_SYNCNT, get_nothing, ignore_syncnt },
	{ 0,			 TCP_WINDOW_CLAMP, get_nothing, ignore_any },
};

/*
 * Of IPPROTO_IPV6, for sockets that answer by names of IPv6: programs that know
 * these names give up when one of these is refused.
 */
static const struct option ipv6_options[] = {
	{ IPV6_V6ONLY,		 0, get_v6only, set_v6only },
	{ IPV6_TCLASS,		 0, get_nothing, ignore_byte },
	{ IPV6_UNICAST_HOPS,	 0, get_hops, ignore_byte },
	{ IPV6_MTU_DISCOVER,	 0, get_nothing, ignore_discover },
	{ IPV6_DONTFRAG,	 0, get_nothing, ignore_any },
	{ IPV6_RECVERR,		 0, get_nothing, ignore_any },
	{ IPV6_RECVHOPLIMIT,	 0, get_nothing, ignore_any },
	{ IPV6_RECVPKTINFO,	 0, get_nothing, ignore_any },
	{ IPV6_RECVTCLASS,	 0, get_nothing, ignore_any },
};

/* And of IPPROTO_IP, which a socket of IPv6 takes as well. */
static const struct option ip_options[] = {
	{ IP_TOS,		 0, get_nothing, ignore_any },
	{ IP_TTL,		 0, get_hops, ignore_ttl },
	{ IP_MTU_DISCOVER,	 0, get_nothing, ignore_discover },
	{ IP_PKTINFO,		 0, get_nothing, ignore_any },
	{ IP_RECVERR,		 0, get_nothing, ignore_any },
	{ IP_RECVTOS,		 0, get_nothing, ignore_any },
	{ IP_RECVTTL,		 0, get_nothing, ignore_any },
};

/* Is it one of ours, or of TCP's that a STREAM has under that name? */
static bool is_called(const struct sock *sk, int level, int name, int ours,
		      int tcp)
{
	if (level == SOL_WEFT)
		return name == ours;
	return level == IPPROTO_TCP && sk->sk_type == SOCK_STREAM &&
	       name == tcp;
}

static const struct option *find_named(const struct option *rows,
				       unsigned int n, int name)
{
	for (; n; n--, rows++)
		if (rows->name == name)
			return rows;
	return NULL;
}

/* Of a socket with names of IPv6. */
static const struct option *find_ip_option(int level, int name)
{
	if (level == IPPROTO_IP)
		return find_named(ip_options, ARRAY_SIZE(ip_options), name);
	return find_named(ipv6_options, ARRAY_SIZE(ipv6_options), name);
}

static const struct option *find_option(const struct sock *sk, int level,
					int name)
{
	unsigned int i;

	if (level == IPPROTO_IPV6 || level == IPPROTO_IP)
		return weft_sk(sk)->inet6 ? find_ip_option(level, name) : NULL;
	for (i = 0; name && i < ARRAY_SIZE(options); i++)
		if (is_called(sk, level, name, options[i].name, options[i].tcp))
			return &options[i];
	return NULL;
}

/* As much of a value as the program has room for, and how much that is. */
static int put_value(char __user *val, int __user *optlen, const void *value,
		     size_t size)
{
	int len;

	if (get_user(len, optlen))
		return -EFAULT;
	if (len < 0)
		return -EINVAL;
	len = min_t(size_t, len, size);
	if (put_user(len, optlen) || copy_to_user(val, value, len))
		return -EFAULT;
	return 0;
}

static int put_int(char __user *val, int __user *optlen, int value)
{
	return put_value(val, optlen, &value, sizeof(value));
}

static int put_info(struct sock *sk, char __user *val, int __user *optlen)
{
	struct weft_info info;

	if (weft_is_dgram(sk))
		return -EOPNOTSUPP;
	lock_sock(sk);
	weft_info_fill(sk, &info);
	release_sock(sk);
	return put_value(val, optlen, &info, sizeof(info));
}

static int put_tcp_info(struct sock *sk, char __user *val, int __user *optlen)
{
	struct tcp_info info;

	lock_sock(sk);
	weft_info_fill_tcp(sk, &info);
	release_sock(sk);
	return put_value(val, optlen, &info, sizeof(info));
}

/* As TCP_CONGESTION: a name, with or without its end. */
static int set_congestion(struct sock *sk, sockptr_t val, unsigned int len)
{
	char name[WEFT_CC_NAME_BYTES] = "";
	const struct weft_cc_ops *cc;

	if (!len)
		return -EINVAL;
	len = min_t(unsigned int, len, sizeof(name) - 1);
	if (copy_from_sockptr(name, val, len))
		return -EFAULT;
	cc = weft_cc_find(name);
	if (!cc)
		return -ENOENT;
	lock_sock(sk);
	WRITE_ONCE(weft_sk(sk)->cc, cc);
	weft_conn_set_cc(sk);
	release_sock(sk);
	return 0;
}

static int get_congestion(struct sock *sk, char __user *val,
			  int __user *optlen)
{
	char name[WEFT_CC_NAME_BYTES] = "";

	strscpy(name, READ_ONCE(weft_sk(sk)->cc)->name, sizeof(name));
	return put_value(val, optlen, name, sizeof(name));
}

/* An int; of IPPROTO_IP also a byte, as IP takes it. */
static int read_value(int level, sockptr_t val, unsigned int len, int *value)
{
	u8 byte;

	if (level == IPPROTO_IP && len && len < sizeof(*value)) {
		if (copy_from_sockptr(&byte, val, sizeof(byte)))
			return -EFAULT;
		*value = byte;
		return 0;
	}
	if (len < sizeof(*value))
		return -EINVAL;
	return copy_from_sockptr(value, val, sizeof(*value)) ? -EFAULT : 0;
}

int weft_setsockopt(struct socket *sock, int level, int name, sockptr_t val,
		    unsigned int len)
{
	const struct option *option = find_option(sock->sk, level, name);
	int value, err;

	if (is_called(sock->sk, level, name, WEFT_CONGESTION, TCP_CONGESTION))
		return set_congestion(sock->sk, val, len);
	if (!option || !option->set)
		return -ENOPROTOOPT;
	err = read_value(level, val, len, &value);
	if (err)
		return err;
	lock_sock(sock->sk);
	err = option->set(sock->sk, value);
	release_sock(sock->sk);
	return err;
}

int weft_getsockopt(struct socket *sock, int level, int name,
		    char __user *val, int __user *len)
{
	struct sock *sk = sock->sk;
	const struct option *option = find_option(sk, level, name);
	u32 value;

	if (is_called(sk, level, name, WEFT_CONGESTION, TCP_CONGESTION))
		return get_congestion(sk, val, len);
	if (is_called(sk, level, name, WEFT_INFO, TCP_INFO))
		return level == SOL_WEFT ? put_info(sk, val, len) :
					   put_tcp_info(sk, val, len);
	if (!option)
		return -ENOPROTOOPT;
	lock_sock(sk);
	value = option->get(sk);
	release_sock(sk);
	return put_int(val, len, value);
}

/*
 * What says that the bytes are several datagrams must not be overlooked: a
 * program that hears EIO, as of a device that cannot do it, sends them one by one.
 */
static int check_udp_control(struct msghdr *msg)
{
	struct cmsghdr *cmsg;

	for_each_cmsghdr(cmsg, msg) {
		if (!CMSG_OK(msg, cmsg))
			return -EINVAL;
		if (cmsg->cmsg_level == SOL_UDP)
			return cmsg->cmsg_type == UDP_SEGMENT ? -EIO : -EINVAL;
	}
	return 0;
}

int weft_sock_read_control(struct sock *sk, struct msghdr *msg,
			   struct sockcm_cookie *cookie)
{
	int err = 0;

	*cookie = (struct sockcm_cookie) {
		.mark = READ_ONCE(sk->sk_mark),
	};
	if (!msg->msg_controllen)
		return 0;
	if (weft_is_dgram(sk))
		err = check_udp_control(msg);
	return err ?: sock_cmsg_send(sk, msg, cookie);
}

/* What is sure to be there some time although nothing is read, bytes. */
static int most_unread(const struct sock *sk)
{
	const struct weft_conn *conn = weft_sk(sk)->conn;
	int most = READ_ONCE(sk->sk_rcvbuf) / 4;

	/* The window is as large as the buffer was, and grows by reading. */
	return conn ? min_t(u32, most, conn->engine.window.bytes / 2) : most;
}

int weft_set_rcvlowat(struct sock *sk, int val)
{
	val = min(val, most_unread(sk));
	WRITE_ONCE(sk->sk_rcvlowat, val ?: 1);
	if (weft_sock_is_readable(sk))
		sk->sk_data_ready(sk);
	/* A peer that sleeps has seen the buffer as it was before. */
	else if (weft_sk(sk)->road == WEFT_ROAD_LOCAL)
		weft_sock_wake_writer(sk);
	return 0;
}

/* Bytes to read; of datagrams the next, as UDP says it. */
static int get_inq(struct sock *sk)
{
	struct weft_sock *wsk = weft_sk(sk);
	struct sk_buff_head *q = &sk->sk_receive_queue;
	struct sk_buff *skb;
	u32 bytes;

	spin_lock_bh(&q->lock);
	bytes = weft_sock_whole(sk);
	if (sk->sk_type == SOCK_SEQPACKET)
		bytes -= (wsk->rx_records - wsk->rx_records_read) *
			 WEFT_RECORD_BYTES;
	if (weft_is_dgram(sk)) {
		skb = skb_peek(q);
		bytes = skb ? skb->len : 0;
	}
	spin_unlock_bh(&q->lock);
	return min_t(u32, bytes, INT_MAX);
}

static int get_outq(struct sock *sk)
{
	struct weft_sock *wsk = weft_sk(sk);

	switch (wsk->road) {
	case WEFT_ROAD_LOCAL:
		return weft_sock_unread(wsk->peer);
	case WEFT_ROAD_WIRE:
		return min_t(u64, weft_conn_unsent(sk), INT_MAX);
	default:
		return sk_wmem_alloc_get(sk);
	}
}

/* Of those, what never left: on one node it leaves when it is written. */
static int get_outq_unsent(struct sock *sk)
{
	const struct weft_conn *conn = weft_sk(sk)->conn;
	u64 sent;

	if (weft_sk(sk)->road != WEFT_ROAD_WIRE || !conn->linked)
		return 0;
	sent = min(conn->engine.snd_nxt, conn->tx_end);
	return min_t(u64, conn->tx_end - sent, INT_MAX);
}

/* As TCP's, where nothing urgent ever comes; AF_UNIX's messages have none. */
static int answer_atmark(const struct sock *sk, int *karg)
{
	if (weft_is_dgram(sk))
		return -ENOIOCTLCMD;
	if (sk->sk_type != SOCK_STREAM)
		return -EOPNOTSUPP;
	*karg = 0;
	return 0;
}

/* Does it ask this socket for a number of bytes? */
static bool is_count(const struct sock *sk, int cmd)
{
	return cmd == SIOCINQ || cmd == SIOCOUTQ ||
	       (cmd == SIOCOUTQNSD && !weft_is_dgram(sk));
}

int weft_sock_ioctl(struct sock *sk, int cmd, int *karg)
{
	int err = 0;

	if (cmd == SIOCATMARK)
		return answer_atmark(sk, karg);
	if (!is_count(sk, cmd))
		return -ENOIOCTLCMD;
	lock_sock(sk);
	if (sk->sk_state == TCP_LISTEN)
		err = -EINVAL;
	else if (cmd == SIOCINQ)
		*karg = get_inq(sk);
	else if (cmd == SIOCOUTQ)
		*karg = get_outq(sk);
	else
		*karg = get_outq_unsent(sk);
	release_sock(sk);
	return err;
}

int weft_ioctl(struct socket *sock, unsigned int cmd, unsigned long arg)
{
	int value, err;

	err = weft_sock_ioctl(sock->sk, cmd, &value);
	return err ?: put_user(value, (int __user *)arg);
}
