/* SPDX-License-Identifier: GPL-2.0 */
/* Network devices that weft uses. */
#ifndef WEFT_LINK_H
#define WEFT_LINK_H

#include <linux/netdevice.h>

struct weft_net;

/**
 * struct weft_link - an enabled device of a namespace that is up
 *
 * Created and removed under RTNL (notifier, net.weft.devices); in
 * weft_net.links, read under RCU; holds a reference to @dev and the group
 * address on it; freed by RCU. The reference is given back when the link is
 * removed: an RCU reader who found the link may still use @dev, because a
 * device lives on for a grace period after it has left its namespace.
 */
struct weft_link {
	struct net_device	*dev;
	netdevice_tracker	tracker;
	struct rcu_head		rcu;
};

int weft_link_init_net(struct weft_net *wn);
void weft_link_exit_net(struct weft_net *wn);

/** weft_link_find() - is this device enabled? borrowed under RCU */
struct weft_link *weft_link_find(struct weft_net *wn,
				 const struct net_device *dev);

/**
 * weft_link_across() - the other end of a virtual wire with nothing on it
 *
 * The device that gets whatever @dev sends, where nobody could see, keep, change
 * or refuse it on its way, and both are up: a veth pair without packet sockets,
 * qdiscs, programs and upper devices. It need not be enabled. There is none on
 * kernels without WEFT_CAN_HAND_OVER.
 *
 * Return: borrowed under RCU, or NULL.
 */
struct net_device *weft_link_across(struct net_device *dev);

/**
 * weft_link_frame() - largest frame that a question's answer may allow
 * @ifindex: the device asked on; 0: all
 */
u32 weft_link_frame(struct weft_net *wn, int ifindex);

/**
 * weft_link_set_devices() - net.weft.devices was written; takes RTNL
 * @words: "all", "none", "default", or names
 */
int weft_link_set_devices(struct weft_net *wn, const char *words);

/** weft_link_devices() - the words of net.weft.devices; RTNL */
const char *weft_link_devices(struct weft_net *wn);

#endif /* WEFT_LINK_H */
