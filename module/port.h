/* SPDX-License-Identifier: GPL-2.0 */
/* Bound sockets by port. */
#ifndef WEFT_PORT_H
#define WEFT_PORT_H

#include <linux/in6.h>
#include <linux/types.h>

struct sock;
struct weft_net;

#define WEFT_PORT_EPHEMERAL_MIN	32768
#define WEFT_PORT_EPHEMERAL_MAX	60999

int weft_port_init_net(struct weft_net *wn);
void weft_port_exit_net(struct weft_net *wn);

/**
 * weft_port_bind() - put an owned socket into the table
 * @addr: any, ::1 or this node's address
 * @port: 0 for a free ephemeral one
 *
 * Sets addr and port of the socket. The socket must leave with
 * weft_port_unbind() before it is released.
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
 * @dif: device it came over, 0 on the local road
 *
 * Return: a strong reference, or NULL.
 */
struct sock *weft_port_lookup(struct weft_net *wn, bool dgram,
			      const struct in6_addr *to, u16 port,
			      const struct in6_addr *from, u16 from_port,
			      int dif);

#endif /* WEFT_PORT_H */
