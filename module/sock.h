/* SPDX-License-Identifier: GPL-2.0 */
/* struct weft_sock: what every weft socket has, and who guards it. */
#ifndef WEFT_SOCK_H
#define WEFT_SOCK_H

#include <linux/in6.h>
#include <linux/net.h>
#include <linux/poll.h>
#include <linux/rhashtable.h>
#include <linux/seqlock.h>
#include <linux/weft.h>
#include <net/sock.h>
#include <net/tcp_states.h>

#include "net.h"

struct weft_cc_ops;
struct weft_conn;
struct weft_pool;

/* Which road a connected socket's bytes take. */
enum weft_road {
	WEFT_ROAD_NONE = 0,
	WEFT_ROAD_LOCAL,
	WEFT_ROAD_WIRE,
};

/* Of an idle connection with SO_KEEPALIVE, unless set. */
#define WEFT_KEEPIDLE_SEC	7200
#define WEFT_KEEPINTVL_SEC	75
#define WEFT_KEEPCNT_PROBES	9

/**
 * struct weft_keep_opts - the options of liveness, 0 where not set
 * @idle_s: WEFT_KEEPIDLE, s
 * @interval_s: WEFT_KEEPINTVL, s
 * @count: WEFT_KEEPCNT
 * @user_timeout_ms: WEFT_USER_TIMEOUT, ms
 */
struct weft_keep_opts {
	u32	idle_s;
	u32	interval_s;
	u32	count;
	u32	user_timeout_ms;
};

/**
 * struct weft_sock - a weft socket
 *
 * Guards. "Own": lock_sock(), or bh_lock_sock() and nobody owns it. "Queue":
 * sk_receive_queue.lock, a leaf that other sockets' owners may take to hand
 * over bytes, wake nobody under it.
 *
 * Receive memory (sk_rmem_alloc with sk_forward_alloc): of a wire connection
 * under Own, of any other socket under Queue. A socket is connected over one
 * road for all its life, so the two never meet.
 *
 * @sk: sk_state takes TCP_CLOSE, TCP_SYN_SENT, TCP_ESTABLISHED, TCP_LISTEN
 * @wn: of its namespace, which sk_net keeps; never changes
 * @addr: bound or own address; Own, constant while in a table
 * @peer_addr: of a connected socket; Own
 * @port: 0 while unbound; Own, constant while in a table; that of a connection
 *	which is in none (not @hashed) may be bound anew when it has broken, and
 *	that of a DGRAM goes with its peer, unless bind() named it
 * @peer_port: 0 while not connected, or an end of a pair whose other end has
 *	gone; Own, and of a DGRAM Queue as well
 * @scope: interface index given with @peer_addr
 * @peer_seq: of a DGRAM, which may be connected anew while it sends: of the
 *	three, sk_state, @found and @found_at; Queue, read without
 * @road: Own, constant once sk_state is TCP_ESTABLISHED
 * @inet6: answers addresses in AF_INET6 form; never changes
 * @hashed: in the port table
 * @named: @addr was any and was set by connect()
 * @paired: made by socketpair(); never changes afterwards
 * @defers: WEFT_DEFER_CONNECT: the first send opens the connection; Own
 * @held: WIRE, TCP_SYN_SENT: OPEN waits for the first send; Own
 * @corked: TCP_CORK: less than a segment waits for more; Own
 * @nodelay: TCP_NODELAY: small writes are not held; Own
 * @refuses_early: WEFT_EARLY_DATA is 0: a listener, and the children that it
 *	gets, take no bytes from OPEN; Own
 * @rx_seldom: the reader pauses (pause.c): whoever sleeps is woken only when
 *	much waits; the reader sets it, looked at under Queue
 * @answers: something was sent since the reader slept; a hint
 * @cc: WEFT_CONGESTION, or the namespace's; Own
 * @keep: how an idle or silent peer is dealt with; Own
 * @max_message: largest message we take; set when connected
 * @peer_max_message: largest message the peer takes
 * @port_node: in weft_net.ports
 * @accept_link: child in the listener's @accept_q, and so not in weft_net.ports
 * @net_node: in weft_net.socks
 * @peer: LOCAL: the other end, a strong reference; Own
 * @conn: WIRE: the flow; Own, freed when the socket dies
 *
 * @reader: skbs taken from sk_receive_queue by the reader; Own
 * @reader_bytes: what the reader may read of them (whole messages); Own
 * Counters of bytes only grow, modulo 2^32, records' lengths included: what came
 * less what was read is what waits. weft_sock_unread() and weft_sock_whole().
 * @rx_bytes: came; Queue. Of a DGRAM: waits
 * @rx_whole: of them, what may be read: all but a message that is not complete;
 *	Queue, looked at without
 * @rx_records: whole messages, or writes, or datagrams, that came; Queue, means
 *	nothing on a STREAM over the wire
 * @rx_read: bytes that were read; Own, looked at without
 * @rx_records_read: messages that were read; Own
 * @rx_eof: the peer said that it sends no more; Queue
 * @was_reset: LOCAL: the peer reset the connection; Queue
 * @rx_dead: we take no more: closed, or no longer listening; Queue
 * @rx_wanted: LOCAL and DGRAM: a reader sleeps, or is about to, since it has
 *	nothing more; whoever queues bytes clears it and wakes; Queue
 * @pause_in: sleeps until the next is a pause; reader's, a hint
 * @pause_step: log2 of those that come after the next pause in vain; as above
 * @pause_from: @rx_records when the pause began; as above
 * @polled: .poll was called: every append is told; never cleared; Queue
 * @tell: LOCAL: the peer is to be told of what we queued; Own
 * @made_room: LOCAL: what we read made room for the peer; Own
 * @awaited: DGRAM, paired: the other end waits until much was read; Queue
 * @reads: skbs that were read without a pool; Own
 * @found: DGRAM: who got the last to the connected peer, or NULL. No reference: to
 *	be followed under RCU alone, while weft_port_version() is @found_at; written
 *	by senders as well, as @peer_seq says
 * @found_at: that version
 * @spent: DGRAM: an skb that was read, for the pool to have at the next reading;
 *	without bytes and without a charge; taken and left by xchg()
 * @pool: LOCAL and DGRAM: recycled pages and skbs for the peer to use, or NULL; Queue
 *
 * @had_pool: there was one, and who gives it back may still be at it: see
 *	weft_pool_end(); Queue
 *
 * @accept_q: LISTEN: children not accepted yet, each with a reference; Queue.
 *	In the place of @pool, so each is looked at in its own state only
 *
 * On stock kernels it has 1,024 bytes: one more costs each socket 64.
 */
struct weft_sock {
	struct sock		sk;

	struct weft_net		*wn;
	struct in6_addr		addr;
	struct in6_addr		peer_addr;
	u16			port;
	u16			peer_port;
	u32			scope;
	seqcount_spinlock_t	peer_seq;
	u8			road;
	bool			inet6;
	bool			hashed;
	bool			named;
	bool			paired;
	bool			defers;
	bool			held;
	bool			corked;
	bool			nodelay;
	bool			refuses_early;
	bool			rx_seldom;
	bool			answers;
	const struct weft_cc_ops *cc;
	struct weft_keep_opts	keep;
	u32			max_message;
	u32			peer_max_message;
	union {
		struct rhlist_head	port_node;
		struct list_head	accept_link;
	};
	struct hlist_node	net_node;
	struct sock		*peer;
	struct weft_conn	*conn;

	struct sk_buff_head	reader;
	u32			reader_bytes;
	u32			rx_bytes;
	u32			rx_whole;
	u32			rx_records;
	u32			rx_read;
	u32			rx_records_read;
	bool			rx_eof;
	bool			was_reset;
	bool			rx_dead;
	bool			rx_wanted;
	bool			polled;
	bool			tell;
	bool			made_room;
	bool			awaited;
	u8			reads;
	u8			pause_step;
	u16			pause_in;
	u32			pause_from;
	struct sock		*found;
	u64			found_at;
	struct sk_buff		*spent;

	union {
		struct list_head	accept_q;
		struct {
			struct weft_pool	*pool;
			bool			had_pool;
		};
	};
};

static inline struct weft_sock *weft_sk(const struct sock *sk)
{
	return (struct weft_sock *)sk;
}

static inline struct weft_net *weft_sock_net(const struct sock *sk)
{
	return weft_sk(sk)->wn;
}

/* Is there a connection? A reset on one node leaves sk_state; sk owned. */
static inline bool weft_sock_is_open(const struct sock *sk)
{
	return sk->sk_state == TCP_ESTABLISHED &&
	       !READ_ONCE(weft_sk(sk)->was_reset);
}

/* What waits for the reader: all bytes, and those that it may have. */
static inline u32 weft_sock_unread(const struct sock *sk)
{
	u32 read = READ_ONCE(weft_sk(sk)->rx_read);

	/* Read before came: what is read in between counts as unread. */
	smp_rmb();
	return READ_ONCE(weft_sk(sk)->rx_bytes) - read;
}

static inline u32 weft_sock_whole(const struct sock *sk)
{
	u32 read = READ_ONCE(weft_sk(sk)->rx_read);

	/* As above. */
	smp_rmb();
	return READ_ONCE(weft_sk(sk)->rx_whole) - read;
}

/* Type classes: ports of streams and of datagrams are apart. */
static inline bool weft_is_dgram(const struct sock *sk)
{
	return sk->sk_type == SOCK_DGRAM;
}

/**
 * struct weft_cb - skb->cb of skbs in write and receive queues
 * @offset: WIRE: stream offset of the first byte
 * @pos: where that byte is in the skb
 * @len: bytes from there
 * @own: made by us: its frags may be added to
 */
struct weft_cb {
	u64	offset;
	u32	pos;
	u32	len;
	bool	own;
};

/* skb->cb of a received datagram. */
struct weft_dgram_cb {
	struct in6_addr	from;
	u16		port;
	bool		ours;		/* of this node: all in pages or in the head */
	bool		sure;		/* of a pair: there was room for it */
};

static inline struct weft_cb *weft_cb(struct sk_buff *skb)
{
	BUILD_BUG_ON(sizeof(struct weft_cb) > SOCK_SKB_CB_OFFSET);
	return (struct weft_cb *)skb->cb;
}

static inline struct weft_dgram_cb *weft_dgram_cb(struct sk_buff *skb)
{
	BUILD_BUG_ON(sizeof(struct weft_dgram_cb) > SOCK_SKB_CB_OFFSET);
	return (struct weft_dgram_cb *)skb->cb;
}

/*
 * Receive memory; the guard is told above. weft_rmem_may(): does the memory of
 * all weft sockets (net.weft.mem) allow @size more?
 */
static inline bool weft_rmem_may(struct sock *sk, u32 size)
{
	int delta = (int)size - sk->sk_forward_alloc;

	return delta <= 0 || __sk_mem_schedule(sk, delta, SK_MEM_RECV);
}

static inline void weft_rmem_charge(struct sock *sk, u32 size)
{
	atomic_add(size, &sk->sk_rmem_alloc);
	sk_mem_charge(sk, size);
}

static inline void weft_rmem_uncharge(struct sock *sk, u32 size)
{
	atomic_sub(size, &sk->sk_rmem_alloc);
	sk_mem_uncharge(sk, size);
}

/* The same, but what becomes free stays the socket's, for what comes next. */
static inline void weft_rmem_uncharge_some(struct sock *sk, u32 size)
{
	atomic_sub(size, &sk->sk_rmem_alloc);
	sk_mem_charge(sk, -(int)size);
}

/* Names: user's form and ours. name.c */

/**
 * weft_addr_read() - a user's address
 *
 * Return: 0, -EINVAL (short, reserved not 0), -EAFNOSUPPORT.
 */
int weft_addr_read(const struct sock *sk, const void *uaddr, int len,
		   struct sockaddr_weft *sw);

/** weft_addr_fill() - an address for the user: 28 bytes, all written */
int weft_addr_fill(const struct sock *sk, void *to, const struct in6_addr *node,
		   u16 port, u32 scope);

static inline struct in6_addr weft_addr_node(const struct sockaddr_weft *sw)
{
	struct in6_addr node;

	memcpy(&node, sw->sw_node, sizeof(node));
	return node;
}

/**
 * weft_sock_alloc() - a socket of this family, hashed nowhere
 * @kern: as sk_alloc()
 *
 * Return: NULL without memory.
 */
struct sock *weft_sock_alloc(struct net *net, struct socket *sock, int type,
			     bool inet6, gfp_t gfp, int kern);

/**
 * weft_sock_child() - the socket of a connection that a listener got
 *
 * Takes type, naming, options and @addr, @port from the listener.
 */
struct sock *weft_sock_child(struct sock *listener, gfp_t gfp);

/**
 * weft_sock_destroy() - end a child that no program has seen
 *
 * Takes the caller's reference. BH or process context, no lock held.
 */
void weft_sock_destroy(struct sock *sk);

/** weft_sock_purge() - free what came and was not read; sk owned or dead */
void weft_sock_purge(struct sock *sk);

/** weft_sock_close() - the fd is closed; takes its reference; may linger */
void weft_sock_close(struct sock *sk);

/** weft_sock_wake_writer() - the local peer may write, if our buffer has room */
void weft_sock_wake_writer(struct sock *sk);

/** weft_sock_orphan_end() - an orphan's flow is over; its owner calls */
void weft_sock_orphan_end(struct sock *sk);

/* Readiness, as poll and the blocking calls see it. poll.c */
/* May a connected socket send now; is so much room that a poller is told? */
bool weft_sock_has_room(const struct sock *sk);
bool weft_sock_is_writable(const struct sock *sk);
/*
 * LOCAL: does a write fail at once when the peer is gone, as AF_UNIX's? To a
 * stream that was connected the first is lost, as to TCP's.
 */
static inline bool weft_sock_hears_end(const struct sock *sk)
{
	return sk->sk_type == SOCK_SEQPACKET || weft_sk(sk)->paired;
}

/* LOCAL: does the peer take no more, ever? For the socket's own calls. */
bool weft_sock_is_deaf(const struct sock *sk);
/* LOCAL: has the reader made so much room that the writer is told? */
bool weft_sock_is_drained(const struct sock *sk);
bool weft_sock_is_readable(const struct sock *sk);
/** weft_sock_wake_end() - the peer sends no more; may run in its context */
void weft_sock_wake_end(struct sock *sk);
__poll_t weft_poll(struct file *file, struct socket *sock, poll_table *wait);

/** weft_sock_is_held() - is the first send to open the connection? */
static inline bool weft_sock_is_held(const struct sock *sk)
{
	return READ_ONCE(sk->sk_state) == TCP_SYN_SENT &&
	       READ_ONCE(weft_sk(sk)->held);
}

/**
 * weft_connect_early() - begin what MSG_FASTOPEN asks for; sk not owned
 *
 * Return: 0: the socket is held, or connected (on one node); or negative errno.
 */
int weft_connect_early(struct socket *sock, struct msghdr *msg);

/**
 * weft_connect_wait() - wait for the answer to OPEN; sk owned
 * @timeo: what is left of it is written back
 *
 * Return: 0, -EINPROGRESS after @timeo, or why it failed, with the socket as it
 * was before it connected.
 */
int weft_connect_wait(struct socket *sock, long *timeo);

/**
 * weft_sock_read_control() - control messages of a send
 * @cookie: filled: what they say, or the socket where they say nothing
 *
 * Return: 0, -EINVAL, -EPERM (SO_MARK without CAP_NET_RAW and CAP_NET_ADMIN).
 */
int weft_sock_read_control(struct sock *sk, struct msghdr *msg,
			   struct sockcm_cookie *cookie);

/** weft_sock_check_control() - the same where only the errors count */
static inline int weft_sock_check_control(struct sock *sk, struct msghdr *msg)
{
	struct sockcm_cookie cookie;

	return weft_sock_read_control(sk, msg, &cookie);
}

/** weft_sock_may_send() - 0, or the error a send gets; sk owned */
int weft_sock_may_send(struct sock *sk);

/* The proto_ops calls that a type has for itself. */
int weft_stream_sendmsg(struct socket *sock, struct msghdr *msg, size_t len);
int weft_stream_recvmsg(struct socket *sock, struct msghdr *msg, size_t len,
			int flags);
int weft_dgram_sendmsg(struct socket *sock, struct msghdr *msg, size_t len);
int weft_dgram_recvmsg(struct socket *sock, struct msghdr *msg, size_t len,
		       int flags);
/** weft_dgram_connect() - @to NULL: disconnect; sk owned */
int weft_dgram_connect(struct sock *sk, const struct sockaddr_weft *to);
int weft_dgram_pair(struct sock *a, struct sock *b);
/** weft_dgram_has_room() - of a pair: is it to be said that it is writable? */
bool weft_dgram_has_room(struct sock *sk);
/**
 * weft_dgram_part() - the other end of a pair, if it is one, has no peer any
 * more, and who waits there for room hears of it
 *
 * To be called while @sk still has its port.
 */
void weft_dgram_part(struct sock *sk);

/**
 * weft_dgram_wake_mate() - the other end of a pair, if it is one, looks again
 * whether it may write: @sk was read, or is shut
 *
 * BH or process context; @sk owned or not, no queue's lock held.
 */
void weft_dgram_wake_mate(struct sock *sk);
/** weft_sock_flush() - what MSG_MORE or a cork holds back leaves; sk owned */
void weft_sock_flush(struct sock *sk);
int weft_setsockopt(struct socket *sock, int level, int name, sockptr_t val,
		    unsigned int len);
int weft_getsockopt(struct socket *sock, int level, int name,
		    char __user *val, int __user *len);
int weft_ioctl(struct socket *sock, unsigned int cmd, unsigned long arg);
/** weft_sock_ioctl() - what io_uring calls, and weft_ioctl() */
int weft_sock_ioctl(struct sock *sk, int cmd, int *karg);
int weft_set_rcvlowat(struct sock *sk, int val);

#endif /* WEFT_SOCK_H */
