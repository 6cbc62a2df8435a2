// SPDX-License-Identifier: GPL-2.0
/* Addresses between the user's form and ours. */
#include <linux/build_bug.h>
#include <net/ipv6.h>

#include "sock.h"

static_assert(sizeof(struct sockaddr_weft) == sizeof(struct sockaddr_in6));
static_assert(offsetof(struct sockaddr_weft, sw_node) ==
	      offsetof(struct sockaddr_in6, sin6_addr));
static_assert(offsetof(struct sockaddr_weft, sw_scope) ==
	      offsetof(struct sockaddr_in6, sin6_scope_id));

/* AF_INET6's flow label is nothing to us; our own reserved field must be 0. */
int weft_addr_read(const struct sock *sk, const void *uaddr, int len,
		   struct sockaddr_weft *sw)
{
	if (len < (int)sizeof(*sw))
		return -EINVAL;
	memcpy(sw, uaddr, sizeof(*sw));
	if (sw->sw_family == AF_INET6)
		return 0;
	if (sw->sw_family != sk->sk_family)
		return -EAFNOSUPPORT;
	return sw->sw_reserved ? -EINVAL : 0;
}

int weft_addr_fill(const struct sock *sk, void *to, const struct in6_addr *node,
		   u16 port, u32 scope)
{
	struct sockaddr_weft sw = {
		.sw_family = weft_sk(sk)->inet6 ? AF_INET6 : sk->sk_family,
		.sw_port = cpu_to_be16(port),
		.sw_scope = scope,
	};

	memcpy(sw.sw_node, node, sizeof(sw.sw_node));
	memcpy(to, &sw, sizeof(sw));
	return sizeof(sw);
}
