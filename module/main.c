// SPDX-License-Identifier: GPL-2.0
/* Start and end of the module, its parameters, and all its global state. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/if_ether.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/weft.h>

#include "af.h"
#include "conn.h"
#include "fault.h"
#include "net.h"
#include "node.h"
#include "path.h"

atomic_t weft_live = ATOMIC_INIT(0);
int weft_family_number __read_mostly = AF_WEFT;
module_param_named(family, weft_family_number, int, 0444);
MODULE_PARM_DESC(family, "number of the socket family: 18 (default), 22, 13 or 14");

unsigned int weft_ethertype __read_mostly = ETH_P_802_EX1;
module_param_named(ethertype, weft_ethertype, uint, 0444);
MODULE_PARM_DESC(ethertype, "Ethertype of our frames: 0x88b5 (default), the same on all nodes");

bool weft_check __read_mostly = true;
module_param_named(check, weft_check, bool, 0644);
MODULE_PARM_DESC(check, "verify the checksum of received packets (default Y; N is a test aid)");

unsigned int weft_net_id __read_mostly;

/* Numbers that no kernel registers, in order of preference. */
static const int families[] = { AF_WEFT, 22, 13, 14 };

static bool is_family_usable(int family)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(families); i++)
		if (families[i] == family)
			return true;
	return false;
}

static bool is_ethertype_usable(unsigned int type)
{
	switch (type) {
	case ETH_P_IP:
	case ETH_P_IPV6:
	case ETH_P_ARP:
	case ETH_P_8021Q:
	case ETH_P_8021AD:
		return false;
	default:
		return type >= ETH_P_802_3_MIN && type <= U16_MAX;
	}
}

static int check_parameters(void)
{
	if (!is_family_usable(weft_family_number)) {
		pr_err("family=%d cannot be used: give 18, 22, 13 or 14, or nothing\n",
		       weft_family_number);
		return -EINVAL;
	}
	if (!is_ethertype_usable(weft_ethertype)) {
		pr_err("ethertype=0x%04x cannot be used: give 0x88b5, nothing, or another free one from 0x0600 to 0xffff\n",
		       weft_ethertype);
		return -EINVAL;
	}
	return 0;
}

/* sock_register() logs success whatever it returns, so we have to speak. */
static int register_family(void)
{
	int err = weft_af_register(weft_family_number);

	if (err == -EEXIST)
		pr_err("family %d is taken by another module: load with `insmod weft.ko family=%d`\n",
		       weft_family_number,
		       families[weft_family_number == families[0]]);
	else if (err)
		pr_err("family %d cannot be registered: error %d\n",
		       weft_family_number, err);
	return err;
}

static void say_hello(void)
{
	struct in6_addr own = weft_net_address(weft_net(&init_net));

	pr_info("family %d, ethertype 0x%04x, node %pI6c; in the initial namespace only lo, veth and tap devices and bridges of these are used until net.weft.devices is set\n",
		weft_family_number, weft_ethertype, &own);
}

static int __init weft_init(void)
{
	int err;

	err = check_parameters();
	if (err)
		return err;
	err = weft_node_init();
	if (err)
		return err;
	err = weft_conn_init();
	if (err)
		goto err_node;
	err = weft_af_init();
	if (err)
		goto err_conn;
	err = weft_net_init();
	if (err)
		goto err_af;
	weft_offload_init();
	weft_receive_init();
	err = register_family();
	if (err)
		goto err_family;
	weft_fault_init();
	say_hello();
	return 0;

err_family:
	weft_receive_exit();
	weft_offload_exit();
	weft_net_exit();
err_af:
	weft_af_exit();
err_conn:
	weft_conn_exit();
err_node:
	weft_node_exit();
	return err;
}

static void __exit weft_exit(void)
{
	weft_fault_exit();
	weft_af_unregister();
	weft_receive_exit();
	weft_offload_exit();
	/* Sockets that were closed end in callbacks, and need their namespace. */
	rcu_barrier();
	weft_net_exit();
	weft_af_exit();
	weft_conn_exit();
	weft_node_exit();
}

module_init(weft_init);
module_exit(weft_exit);
MODULE_DESCRIPTION("weft: sockets from process to process, container to container, machine to machine");
MODULE_LICENSE("GPL");
