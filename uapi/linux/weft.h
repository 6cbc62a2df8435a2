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
 *	bind to port 0 takes a free one of 32768..60999; ports below 1024 need
 *	CAP_NET_BIND_SERVICE in the user namespace of the network namespace. A
 *	connecting socket needs no bind: it is named with an ephemeral port,
 *	which names it to its peer and reserves nothing.
 *
 * Sizes
 *	A SEQPACKET message may be as large as the smaller of the sender's
 *	SO_SNDBUF and the peer's max_message (WEFT_PEER_MAX_MESSAGE: half the
 *	peer's receive buffer when it connected, at least 65536); a larger one is
 *	EMSGSIZE. A datagram is at most WEFT_DGRAM_MAX bytes on one node, and at
 *	most what one frame carries between nodes (1460 bytes for an MTU of
 *	1500); a larger one is EMSGSIZE.
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

/* Protocols of socket(2): how the kernel names addresses to this socket. */
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
