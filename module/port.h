/* SPDX-License-Identifier: GPL-2.0 */
/* Bound sockets by port. */
#ifndef WEFT_PORT_H
#define WEFT_PORT_H

#include <linux/atomic.h>
#include <linux/in6.h>
#include <linux/types.h>

#include "net.h"

struct sock;

#define WEFT_PORT_EPHEMERAL_MIN	32768
#define WEFT_PORT_EPHEMERAL_MAX	60999

int weft_port_init_net(struct weft_net *wn);
void weft_port_exit_net(struct weft_net *wn);

/**
 * weft_port_bind() - put an owned socket into the table
 * @addr: any, ::1 or this node's address
 * @port: 0 for a free ephemeral one
 *
 * Sets addr and port of the socket, and SOCK_BINDPORT_LOCK if the port was
 * asked for. The socket must leave with weft_port_unbind() before it is released.
 *
 * Return: 0, -EADDRINUSE, -EACCES, -ENOMEM.
 */
int weft_port_bind(struct sock *sk, const struct in6_addr *addr, u16 port);
void weft_port_unbind(struct sock *sk);

/**
 * weft_port_name() - a port for a socket that connects: names it, reserves
 * nothing; not one that is bound at this moment
 */
u16 weft_port_name(struct weft_net *wn);

/**
 * weft_port_listen() - a bound, owned socket begins to listen
 *
 * Return: 0, -EADDRINUSE when another of an overlapping address does.
 */
int weft_port_listen(struct sock *sk, int backlog);

/**
 * weft_port_lookup() - the socket for something addressed to a port
 * @dgram: class
 * @to: this node's address, or ::1
 * @port: ours
 * @from: sender, for connected datagram sockets
 * @from_port: likewise
 * @dif: device it came over, LOOPBACK_IFINDEX on the local road
 *
 * Return: a strong reference, or NULL.
 */
struct sock *weft_port_lookup(struct weft_net *wn, bool dgram,
			      const struct in6_addr *to, u16 port,
			      const struct in6_addr *from, u16 from_port,
			      int dif);

/** weft_port_find() - the same without a reference; RCU */
struct sock *weft_port_find(struct weft_net *wn, bool dgram,
			    const struct in6_addr *to, u16 port,
			    const struct in6_addr *from, u16 from_port,
			    int dif);

/**
 * weft_port_version() - changes whenever a datagram may find another socket,
 * but for devices that sockets are bound to
 *
 * What weft_port_find() gave after it was read is what it would give again, and
 * may be used under RCU, as long as it is the same; see weft_port_is_single().
 */
static inline u64 weft_port_version(struct weft_net *wn)
{
	/* Pairs with weft_port_changed(). */
	return atomic64_read_acquire(&wn->ports_version);
}

/**
 * weft_port_changed() - called after a change of bound datagram sockets
 *
 * And before one that left drops its reference: then a grace period covers all
 * that saw the version before.
 */
static inline void weft_port_changed(struct weft_net *wn)
{
	/* Pairs with weft_port_version(). */
	atomic64_inc_return_release(&wn->ports_version);
}

/**
 * weft_port_is_single() - is one socket alone bound to this port of datagrams?
 *
 * Then nothing but the version decides whether that socket is found: between
 * several, their devices do as well.
 */
bool weft_port_is_single(struct weft_net *wn, u16 port);

#endif /* WEFT_PORT_H */
