/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Devices by rtnetlink, for tests that make and remove thousands: a program
 * takes 0.1 s to start on an emulated machine. All in the namespace of the
 * calling thread.
 */
#ifndef WEFT_RTNL_H
#define WEFT_RTNL_H

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A request that is being built. */
struct rtnl {
	struct {
		struct nlmsghdr head;
		struct ifinfomsg link;
	} msg;
	char attrs[512];
};

static inline void *rtnl_end(struct rtnl *r)
{
	return (char *)r + NLMSG_ALIGN(r->msg.head.nlmsg_len);
}

static inline void rtnl_begin(struct rtnl *r, int type, int flags)
{
	memset(r, 0, sizeof(*r));
	r->msg.head.nlmsg_len = sizeof(r->msg);
	r->msg.head.nlmsg_type = type;
	r->msg.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	r->msg.link.ifi_family = AF_UNSPEC;
}

/* Return: the attribute, which rtnl_close() ends when it holds others. */
static inline struct rtattr *rtnl_put(struct rtnl *r, int type,
				      const void *data, size_t len)
{
	struct rtattr *attr = rtnl_end(r);

	attr->rta_type = type;
	attr->rta_len = RTA_LENGTH(len);
	if (len)
		memcpy(RTA_DATA(attr), data, len);
	r->msg.head.nlmsg_len = NLMSG_ALIGN(r->msg.head.nlmsg_len) +
				RTA_ALIGN(attr->rta_len);
	return attr;
}

static inline void rtnl_close(struct rtnl *r, struct rtattr *attr)
{
	attr->rta_len = (char *)rtnl_end(r) - (char *)attr;
}

static inline void rtnl_put_text(struct rtnl *r, int type, const char *text)
{
	rtnl_put(r, type, text, strlen(text) + 1);
}

/* Return: 0, or -1 with errno. */
static inline int rtnl_ask(struct rtnl *r)
{
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
		char rest[512];
	} answer = { .error.error = -EPROTO };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0)
		return -1;
	if (send(fd, r, r->msg.head.nlmsg_len, 0) < 0 ||
	    recv(fd, &answer, sizeof(answer), 0) < 0)
		answer.error.error = -errno;
	close(fd);
	errno = -answer.error.error;
	return errno ? -1 : 0;
}

static inline int rtnl_set(const char *dev, bool up)
{
	struct rtnl r;

	rtnl_begin(&r, RTM_NEWLINK, 0);
	r.msg.link.ifi_index = if_nametoindex(dev);
	r.msg.link.ifi_change = IFF_UP;
	r.msg.link.ifi_flags = up ? IFF_UP : 0;
	return rtnl_ask(&r);
}

static inline int rtnl_del(const char *dev)
{
	struct rtnl r;

	rtnl_begin(&r, RTM_DELLINK, 0);
	r.msg.link.ifi_index = if_nametoindex(dev);
	return rtnl_ask(&r);
}

/* A pair: @dev here, and @peer in the namespace @ns. */
static inline int rtnl_add_veth(const char *dev, const char *peer, int ns)
{
	struct ifinfomsg none = { 0 };
	struct rtattr *info, *data, *other;
	struct rtnl r;

	rtnl_begin(&r, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
	rtnl_put_text(&r, IFLA_IFNAME, dev);
	info = rtnl_put(&r, IFLA_LINKINFO, NULL, 0);
	rtnl_put(&r, IFLA_INFO_KIND, "veth", 4);
	data = rtnl_put(&r, IFLA_INFO_DATA, NULL, 0);
	other = rtnl_put(&r, VETH_INFO_PEER, &none, sizeof(none));
	rtnl_put_text(&r, IFLA_IFNAME, peer);
	rtnl_put(&r, IFLA_NET_NS_FD, &ns, sizeof(ns));
	rtnl_close(&r, other);
	rtnl_close(&r, data);
	rtnl_close(&r, info);
	return rtnl_ask(&r);
}

#endif /* WEFT_RTNL_H */
