/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * weft: one socket family from process to process, to container, to machine.
 *
 * This comment is the contract with user programs.
 *
 * Sockets
 *	socket(weft_family(), SOCK_STREAM | SOCK_SEQPACKET | SOCK_DGRAM, protocol)
 *	STREAM is a reliable byte stream and answers as TCP does; SEQPACKET is a
 *	reliable sequence of messages and answers as AF_UNIX SEQPACKET does;
 *	DGRAM is unreliable messages and answers as UDP does. socketpair() gives
 *	two connected sockets of one node.
 *
 * Addresses
 *	struct sockaddr_weft has the layout of struct sockaddr_in6, and bind,
 *	connect and sendto take either family value in it. With protocol 0 the
 *	kernel answers (getsockname, getpeername, accept, recvfrom) with
 *	weft_family() in sw_family; with protocol WEFT_PROTO_INET6 it answers
 *	with AF_INET6, so that programs and run-times which know IPv6 addresses
 *	only can use the socket. Nodes are written like IPv6 addresses:
 *
 *	::			any address of this node (bind)
 *	::1			this node; never reachable from a wire
 *	fd77:6566:7400::/48	a plain node: 80 random bits. A plain address is a
 *				name and proves nothing.
 *
 *	Every network namespace is a node; its address is net.weft.node.
 *	sw_scope is 0, or the index of the device to ask on.
 *
 * Ports
 *	16 bits, one space for STREAM and SEQPACKET and another for DGRAM.
 *	bind to port 0 takes a free one of 32768..60999; ports below
 *	net.ipv4.ip_unprivileged_port_start, 1024 unless set, need
 *	CAP_NET_BIND_SERVICE in the user namespace of the network namespace. A
 *	connecting socket needs no bind: it is named with an ephemeral port,
 *	which names it to its peer and reserves nothing.
 *
 * Sizes
 *	A SEQPACKET message may be as large as the smaller of the sender's
 *	SO_SNDBUF and the peer's max_message (WEFT_PEER_MAX_MESSAGE: half the
 *	peer's receive buffer when it connected, at least 65536); a larger one is
 *	EMSGSIZE. A datagram is at most WEFT_DGRAM_MAX bytes; a larger one is
 *	EMSGSIZE. What one frame does not carry (1460 bytes for an MTU of 1500)
 *	goes to another node in pieces, and is lost when one of them is.
 *
 * Errors
 *	As TCP, AF_UNIX and UDP give them. connect: ENOBUFS too many nodes are
 *	known (net.weft.limits.nodes), ECONNREFUSED nobody listens,
 *	EHOSTUNREACH no such node answered within WEFT_ASK_TIMEOUT_MS,
 *	EPROTONOSUPPORT the node speaks no common version, ETIMEDOUT the node
 *	stopped answering, EAGAIN the listener's backlog on this node is full and
 *	the socket does not block. ECONNRESET the peer closed with our data
 *	unread, or was restarted.
 */
#ifndef _UAPI_LINUX_WEFT_H
#define _UAPI_LINUX_WEFT_H

#include <linux/types.h>

/* The default family number; programs ask weft_family(), which knows. */
#ifndef AF_WEFT
#define AF_WEFT			18
#endif
#ifndef PF_WEFT
#define PF_WEFT			AF_WEFT
#endif

/* Level of the socket options below. */
#define SOL_WEFT		22341

/*
 * Protocols of socket(2): how the kernel names addresses to this socket.
 * IPPROTO_TCP of a STREAM and IPPROTO_UDP of a DGRAM are taken for the first.
 */
#define WEFT_PROTO_DEFAULT	0
#define WEFT_PROTO_INET6	41

/**
 * struct sockaddr_weft - an address of a weft socket
 * @sw_family: weft_family(), or AF_INET6
 * @sw_port: port, network order
 * @sw_reserved: 0
 * @sw_node: node, 16 bytes, as an IPv6 address is laid out
 * @sw_scope: 0, or an interface index, host order
 */
struct sockaddr_weft {
	__u16	sw_family;
	__be16	sw_port;
	__be32	sw_reserved;
	__u8	sw_node[16];
	__u32	sw_scope;
};

/* Options of SOL_WEFT; each is an int unless said otherwise. */
#define WEFT_MAX_MESSAGE	1	/* get: the largest message this socket takes */
#define WEFT_PEER_MAX_MESSAGE	2	/* get: the largest message its peer takes */
/*
 * Before connect: 1: connect() returns at once, and the first send opens the
 * connection, with its bytes in the first packet; as TCP_FASTOPEN_CONNECT.
 * sendto() and sendmsg() with MSG_FASTOPEN do both in one call.
 */
#define WEFT_DEFER_CONNECT	3
/*
 * Of a listener: 0: connections do not begin with bytes in the first packet;
 * the opener has to send these again. 1 at first.
 */
#define WEFT_EARLY_DATA		4
#define WEFT_CONGESTION		16	/* a string: one of net.weft.available_congestion_control */
/* get: struct weft_info. Not of datagrams (EOPNOTSUPP). */
#define WEFT_INFO		5

/*
 * With SO_KEEPALIVE, of a connection over a wire that neither end has anything
 * to say on: how long until the peer is asked, s; between two questions, s; and
 * how many without an answer end it with ETIMEDOUT. As TCP_KEEPIDLE,
 * TCP_KEEPINTVL and TCP_KEEPCNT, with their ranges.
 */
#define WEFT_KEEPIDLE		6
#define WEFT_KEEPINTVL		7
#define WEFT_KEEPCNT		8
/*
 * How long what was sent may wait for an acknowledgment until the connection
 * ends with ETIMEDOUT, ms; 0: the default, 120 s. As TCP_USER_TIMEOUT.
 */
#define WEFT_USER_TIMEOUT	9

/* States of a connection: weft_info.state. */
enum {
	WEFT_STATE_CLOSED,	/* never connected, reset, or timed out */
	WEFT_STATE_LISTEN,
	WEFT_STATE_OPENING,	/* not answered yet */
	WEFT_STATE_OPEN,
	WEFT_STATE_SENT_CLOSE,	/* we have ended our way */
	WEFT_STATE_GOT_CLOSE,	/* the peer has ended its way */
	WEFT_STATE_CLOSING	/* both */
};

/* Roads: weft_info.road. */
enum {
	WEFT_INFO_NO_ROAD,
	WEFT_INFO_LOCAL,
	WEFT_INFO_WIRE
};

/**
 * struct weft_info - what the kernel knows of a STREAM or SEQPACKET
 *
 * Fields are only ever added at the end. getsockopt() writes as many bytes as
 * there is room for and it knows of, and says how many. What does not apply,
 * most of it on one node, is 0. SEQPACKET counts the four bytes before each
 * message wherever bytes are counted.
 *
 * @state: WEFT_STATE_*
 * @road: WEFT_INFO_*
 * @backoff: times that the retransmission timer expired in a row
 * @reserved: 0
 * @mss: payload of one frame, bytes
 * @rtt_us: smoothed round-trip time, us; 0, as the next two, while no packet has told it
 * @rttvar_us: its mean deviation, us
 * @min_rtt_us: the least of late, us
 * @rto_us: retransmission timeout, us
 * @max_message: largest message this socket takes, bytes
 * @peer_max_message: largest message its peer takes, bytes
 * @sndbuf: SO_SNDBUF, bytes
 * @rcvbuf: SO_RCVBUF, bytes
 * @backlog: connections that wait for accept()
 * @backlog_max: most of them
 * @held_ranges: gaps in what came
 * @spurious: times that something was found to be sent again without need
 * @cwnd: congestion window, bytes
 * @ssthresh: where it grows slowly, bytes
 * @pacing_rate: bytes/s, 0 while nothing is paced
 * @delivery_rate: bytes/s at which bytes arrived of late, 0 if unknown
 * @in_flight: bytes sent of which nothing is known
 * @lost: bytes taken for lost now, to be sent again
 * @lost_total: bytes taken for lost so far, each time that they were
 * @retransmitted: bytes sent again so far
 * @delivered: bytes that arrived at the peer, in order or not
 * @bytes_sent: bytes sent, those sent again included
 * @bytes_acked: bytes that the peer has acknowledged in order
 * @bytes_received: bytes that came in order
 * @snd_window: bytes beyond @bytes_acked that the peer takes
 * @rcv_window: bytes beyond @bytes_received that we take, as announced
 * @unsent: bytes written that are not acknowledged
 * @unread: bytes that came and were not read
 * @congestion: name of the algorithm of congestion control, padded with 0
 */
struct weft_info {
	__u8	state;
	__u8	road;
	__u8	backoff;
	__u8	reserved;
	__u32	mss;
	__u32	rtt_us;
	__u32	rttvar_us;
	__u32	min_rtt_us;
	__u32	rto_us;
	__u32	max_message;
	__u32	peer_max_message;
	__u32	sndbuf;
	__u32	rcvbuf;
	__u32	backlog;
	__u32	backlog_max;
	__u32	held_ranges;
	__u32	spurious;
	__u64	cwnd;
	__u64	ssthresh;
	__u64	pacing_rate;
	__u64	delivery_rate;
	__u64	in_flight;
	__u64	lost;
	__u64	lost_total;
	__u64	retransmitted;
	__u64	delivered;
	__u64	bytes_sent;
	__u64	bytes_acked;
	__u64	bytes_received;
	__u64	snd_window;
	__u64	rcv_window;
	__u64	unsent;
	__u64	unread;
	char	congestion[16];
};

/* The largest datagram, bytes. */
#define WEFT_DGRAM_MAX		65000

/* A node that does not answer for so long is unreachable, ms. */
#define WEFT_ASK_TIMEOUT_MS	1500

#if defined(__cplusplus)
static_assert(sizeof(struct sockaddr_weft) == 28, "sockaddr_weft is sockaddr_in6");
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
_Static_assert(sizeof(struct sockaddr_weft) == 28, "sockaddr_weft is sockaddr_in6");
#endif

#ifndef __KERNEL__
#include <fcntl.h>
#include <unistd.h>

/**
 * weft_family() - the number the family has on this machine
 *
 * It reads a file: a program that makes many sockets asks once.
 *
 * Return: the number, or -1 when the module is not loaded.
 */
static inline int weft_family(void)
{
	char text[8];
	int fd = open("/sys/module/weft/parameters/family", O_RDONLY);
	int family = 0;
	ssize_t n, i;

	if (fd < 0)
		return -1;
	n = read(fd, text, sizeof(text));
	close(fd);
	for (i = 0; i < n && text[i] >= '0' && text[i] <= '9'; i++)
		family = family * 10 + (text[i] - '0');
	return family > 0 ? family : -1;
}
#endif /* !__KERNEL__ */

#endif /* _UAPI_LINUX_WEFT_H */
