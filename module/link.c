// SPDX-License-Identifier: GPL-2.0
/* Devices: which of a namespace's we use, and how they come and go. */
#include <linux/if_arp.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <net/rtnetlink.h>
#include <net/sch_generic.h>

#include "link.h"
#include "net.h"
#include "node.h"
#include "path.h"
#include "proto/wire.h"

#define WORD_ALL	"all"
#define WORD_NONE	"none"
#define WORD_DEFAULT	"default"

static const u8 group_mac[ETH_ALEN] = WEFT_GROUP_MAC;

struct weft_link *weft_link_find(struct weft_net *wn,
				 const struct net_device *dev)
{
	struct weft_link *link = xa_load(&wn->links, dev->ifindex);

	/* One that moves between namespaces has another's number for a moment. */
	return link && link->dev == dev ? link : NULL;
}

static bool is_kind(const struct net_device *dev, const char *kind)
{
	return dev->rtnl_link_ops && !strcmp(dev->rtnl_link_ops->kind, kind);
}

/* Of several queues each may have a qdisc, and the device's is none of them. */
static bool is_without_qdisc(struct net_device *dev)
{
	const struct Qdisc *qdisc = rcu_dereference(dev->qdisc);

	return qdisc == rcu_access_pointer(netdev_get_tx_queue(dev, 0)->qdisc) &&
	       !qdisc->enqueue;
}

static bool takes_ours(const struct list_head *types)
{
	const struct packet_type *type;

	list_for_each_entry_rcu(type, types, list)
		if (type->type == cpu_to_be16(weft_ethertype))
			return true;
	return false;
}

/* Do packet sockets get frames of this device, or ours alone? */
static bool is_tapped(struct net_device *dev)
{
	const struct list_head *of_net = weft_net_ptypes(dev_net(dev));

	return dev_nit_active(dev) || takes_ours(&dev->ptype_specific) ||
	       (of_net && takes_ours(of_net));
}

/* Does nothing meet what it sends and gets, but its driver and the stack? */
static bool is_bare(struct net_device *dev)
{
	return netif_running(dev) && netif_carrier_ok(dev) && !is_tapped(dev) &&
	       !rcu_access_pointer(dev->rx_handler) &&
	       !weft_dev_has_tc(dev) && !weft_dev_has_nf_ingress(dev) &&
	       !weft_dev_has_nf_egress(dev) && !dev_xdp_prog_count(dev) &&
	       is_without_qdisc(dev);
}

struct net_device *weft_link_across(struct net_device *dev)
{
	struct net_device *peer;

	if (!is_kind(dev, "veth") || !weft_dev_has_tstats(dev) ||
	    !weft_receive_is_alone())
		return NULL;
	peer = dev->netdev_ops->ndo_get_peer_dev(dev);
	return peer && is_bare(dev) && is_bare(peer) ? peer : NULL;
}

u32 weft_link_frame(struct weft_net *wn, int ifindex)
{
	struct weft_link *link;
	unsigned long index;
	u32 frame = 0;

	rcu_read_lock();
	xa_for_each(&wn->links, index, link) {
		if (ifindex ? index == ifindex : link->dev->type != ARPHRD_LOOPBACK)
			frame = max(frame, READ_ONCE(link->dev->mtu));
	}
	rcu_read_unlock();
	return frame;
}

/* Frames on a port are its upper device's; of a VRF they stay the port's. */
static bool is_port(struct net_device *dev)
{
	struct net_device *master = netdev_master_upper_dev_get(dev);

	return master && !netif_is_l3_master(master);
}

/* Can it carry our frames at all? */
static bool is_usable(struct net_device *dev)
{
	if (dev->type != ARPHRD_ETHER && dev->type != ARPHRD_LOOPBACK)
		return false;
	return dev->header_ops && dev->addr_len == ETH_ALEN &&
	       dev->mtu >= WEFT_FRAME_MIN && (dev->flags & IFF_UP) &&
	       !netif_is_l3_master(dev) && !is_port(dev);
}

static bool is_veth_or_tap(const struct net_device *dev)
{
	return is_kind(dev, "veth") || is_kind(dev, "tun");
}

/*
 * The machine's own wires, which nobody but this kernel's users can reach: not
 * a bridge with a cable in it.
 */
static bool is_virtual(struct net_device *dev)
{
	struct net_device *port;
	struct list_head *pos;

	if (dev->type == ARPHRD_LOOPBACK || is_veth_or_tap(dev))
		return true;
	if (!is_kind(dev, "bridge"))
		return false;
	netdev_for_each_lower_dev(dev, port, pos)
		if (!is_veth_or_tap(port))
			return false;
	return true;
}

/* Is @name one of the words, which single blanks separate? */
static bool is_named(const char *words, const char *name)
{
	size_t len = strlen(name);

	while (*words) {
		const char *end = strchrnul(words, ' ');

		if (end - words == len && !memcmp(words, name, len))
			return true;
		words = *end ? end + 1 : end;
	}
	return false;
}

static bool is_wanted(struct weft_net *wn, struct net_device *dev)
{
	if (!is_usable(dev))
		return false;
	if (!wn->devices)
		return !net_eq(wn->net, &init_net) || is_virtual(dev);
	if (!strcmp(wn->devices, WORD_ALL))
		return true;
	return is_named(wn->devices, dev->name);
}

static int add_link(struct weft_net *wn, struct net_device *dev)
{
	struct weft_link *link = kzalloc(sizeof(*link), GFP_KERNEL);
	int err;

	if (!link)
		return -ENOMEM;
	link->dev = dev;
	err = dev_mc_add(dev, group_mac);
	if (err)
		goto err_link;
	err = xa_insert(&wn->links, dev->ifindex, link, GFP_KERNEL);
	if (err)
		goto err_group;
	netdev_hold(dev, &link->tracker, GFP_KERNEL);
	weft_node_enter_device(wn);
	return 0;

err_group:
	dev_mc_del(dev, group_mac);
err_link:
	kfree(link);
	return err;
}

/* Once it is out of the table no node can take it for its place any more. */
static void del_link(struct weft_net *wn, struct weft_link *link)
{
	struct net_device *dev = link->dev;

	xa_erase(&wn->links, dev->ifindex);
	weft_node_leave_device(wn, dev);
	dev_mc_del(dev, group_mac);
	netdev_put(dev, &link->tracker);
	kfree_rcu(link, rcu);
}

/* Make a device a link, or none, as it shall be. */
static int update_link(struct weft_net *wn, struct net_device *dev, bool want)
{
	struct weft_link *link;

	ASSERT_RTNL();
	link = weft_link_find(wn, dev);
	if (want && !link)
		return add_link(wn, dev);
	if (!want && link)
		del_link(wn, link);
	return 0;
}

/* A port came or went: the bridge may be a wire of the machine's own, or not. */
static int update_upper(struct weft_net *wn,
			const struct netdev_notifier_changeupper_info *info)
{
	struct net_device *upper = info->upper_dev;

	/* Others may be in another namespace, whose notifier tells of their end. */
	if (!is_kind(upper, "bridge") || !net_eq(dev_net(upper), wn->net))
		return 0;
	return update_link(wn, upper, is_wanted(wn, upper));
}

/*
 * A device that leaves its namespace, or whose notifier leaves it, may still
 * look usable when it says so.
 */
static int handle_event(struct notifier_block *nb, unsigned long event,
			void *info)
{
	struct weft_net *wn = container_of(nb, struct weft_net, notifier);
	struct net_device *dev = netdev_notifier_info_to_dev(info);
	int err = 0;

	switch (event) {
	case NETDEV_GOING_DOWN:
	case NETDEV_DOWN:
	case NETDEV_UNREGISTER:
		update_link(wn, dev, false);
		break;
	case NETDEV_CHANGEUPPER:
		err = update_upper(wn, info);
		fallthrough;
	case NETDEV_REGISTER:
	case NETDEV_UP:
	case NETDEV_CHANGENAME:
	case NETDEV_CHANGEMTU:
	case NETDEV_POST_TYPE_CHANGE:
		err = update_link(wn, dev, is_wanted(wn, dev)) ?: err;
		break;
	}
	/* A device without memory for us is a device without us. */
	if (err)
		netdev_warn(dev, "weft cannot use it: error %d\n", err);
	return NOTIFY_DONE;
}

static bool is_word_valid(const char *word, size_t len)
{
	char name[IFNAMSIZ];

	if (!len || len >= sizeof(name))
		return false;
	memcpy(name, word, len);
	name[len] = '\0';
	return dev_valid_name(name);
}

/* Copy words, one blank between them. */
static char *tidy_words(const char *words)
{
	char *tidy = kzalloc(strlen(words) + 2, GFP_KERNEL);
	char *at = tidy;

	if (!tidy)
		return ERR_PTR(-ENOMEM);
	for (words = skip_spaces(words); *words; words = skip_spaces(words)) {
		size_t len = strcspn(words, " \t\n");

		if (!is_word_valid(words, len)) {
			kfree(tidy);
			return ERR_PTR(-EINVAL);
		}
		if (at != tidy)
			*at++ = ' ';
		memcpy(at, words, len);
		at += len;
		words += len;
	}
	return tidy;
}

int weft_link_set_devices(struct weft_net *wn, const char *words)
{
	char *tidy = tidy_words(words);
	struct net_device *dev;
	int err = 0;

	if (IS_ERR(tidy))
		return PTR_ERR(tidy);
	if (!strcmp(tidy, WORD_NONE))
		*tidy = '\0';
	if (!strcmp(tidy, WORD_DEFAULT)) {
		kfree(tidy);
		tidy = NULL;
	}
	rtnl_lock();
	swap(wn->devices, tidy);
	for_each_netdev(wn->net, dev)
		err = update_link(wn, dev, is_wanted(wn, dev)) ?: err;
	rtnl_unlock();
	kfree(tidy);
	return err;
}

const char *weft_link_devices(struct weft_net *wn)
{
	ASSERT_RTNL();
	if (!wn->devices)
		return net_eq(wn->net, &init_net) ? WORD_DEFAULT : WORD_ALL;
	return *wn->devices ? wn->devices : WORD_NONE;
}

int weft_link_init_net(struct weft_net *wn)
{
	wn->notifier.notifier_call = handle_event;
	return register_netdevice_notifier_net(wn->net, &wn->notifier);
}

/* Unregistering the notifier takes the links away one by one. */
void weft_link_exit_net(struct weft_net *wn)
{
	unregister_netdevice_notifier_net(wn->net, &wn->notifier);
	kfree(wn->devices);
	wn->devices = NULL;
	xa_destroy(&wn->links);
}
