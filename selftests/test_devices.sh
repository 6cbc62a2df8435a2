#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Which devices are used: those that can carry frames, and of these the ones that net.weft.devices
# chooses. Of a device that is used the card listens to the group of questions.
#
# weft-roads: none
# weft-timeout: 120
. "$WEFT_LIB"
. "$(dirname "$0")/wait.sh"

# In the namespace of the test, or in the initial one.
in_a() { NS A "$@"; }
in_b() { NS B "$@"; }
in_init() { "$@"; }

listed() { "$1" ip maddr show dev "$2" | grep -q 03:77:65:66:74:00; }

# used WHERE DEVICE..., unused WHERE DEVICE...: each of them.
used()
{
	local where=$1 dev
	shift
	for dev; do listed "$where" "$dev" || { echo "$dev is not used"; return 1; }; done
}

unused()
{
	local where=$1 dev
	shift
	for dev; do ! listed "$where" "$dev" || { echo "$dev is used"; return 1; }; done
}

# choose WHERE TEXT
# shellcheck disable=SC2016 # it is the inner shell's
choose() { "$1" bash -c 'printf %s "$1" >/proc/sys/net/weft/devices' _ "$2" 2>/dev/null; }
chosen() { [ "$("$1" cat /proc/sys/net/weft/devices)" = "$2" ]; }

# links WHERE: devices of several kinds, all up.
links()
{
	"$1" ip -batch - <<-'EOT'
		link add v0 type veth peer name v1
		link add d0 type dummy
		link add v01 type dummy
		link add b0 type bridge
		tuntap add dev tap0 mode tap
		tuntap add dev tun0 mode tun
	EOT
	for dev in v0 v1 d0 v01 b0 tap0 tun0; do echo "link set $dev up"; done | "$1" ip -batch -
}

unlink_all()
{
	for dev in v0 d0 v01 b0 tap0 tun0; do echo "link del $dev"; done | "$1" ip -batch -
}

ethernet_alone() { used in_a lo v0 v1 d0 b0 tap0 && unused in_a tun0; }

down_and_up()
{
	in_a ip link set d0 down && unused in_a d0 && in_a ip link set d0 up && used in_a d0
}

port_of_a_bridge()
{
	in_a ip link set d0 master b0 && unused in_a d0 && used in_a b0 || return 1
	in_a ip link set d0 nomaster && used in_a d0
}

small_mtu()
{
	in_a ip link set v0 mtu 255 && unused in_a v0 && in_a ip link set v0 mtu 256 && used in_a v0 &&
		in_a ip link set v0 mtu 1500
}

by_name()
{
	choose in_a $'  v0\t\tlater \n' && chosen in_a "v0 later" || return 1
	used in_a v0 && unused in_a lo v1 d0 v01 b0 || return 1
	in_a ip link set d0 down && in_a ip link set d0 name later && in_a ip link set later up || return 1
	used in_a later && in_a ip link set later down && in_a ip link set later name d0 &&
		in_a ip link set d0 up && unused in_a d0
}

no_device() { choose in_a none && chosen in_a none && unused in_a lo v0 v1 d0 b0 tap0; }
default_of_a_namespace() { choose in_a default && chosen in_a all && used in_a lo v0 v1 d0 b0 tap0; }

no_such_name()
{
	local name
	choose in_a "v0 d0" || return 1
	for name in a/b . a-name-of-16-char "v0 a:b" "$(printf 'v0 %.0s' {1..2000})"; do
		if choose in_a "$name"; then echo "took '$name'"; return 1; fi
		chosen in_a "v0 d0" || return 1
	done
}

# What others can reach is used when somebody says so, and not before.
initial_namespace()
{
	links in_init
	chosen in_init default && used in_init v0 v1 b0 tap0 && unused in_init d0 v01 tun0 || return 1
	choose in_init all && chosen in_init all && used in_init d0 v0 || return 1
	choose in_init default && chosen in_init default && unused in_init d0 && used in_init v0
}

# An upper device that lives, and ends, elsewhere is nobody's here.
upper_device_of_another_namespace()
{
	in_a ip link add link v0 name vlan5 type vlan id 5 && in_a ip link set vlan5 netns "$WEFT_NS_B" || return 1
	NS B ip link set vlan5 up && used in_b vlan5 && NS B ip link del vlan5
}

# d0 stands for a card, with a network behind it.
bridge_with_a_cable()
{
	in_init ip link set v1 master b0 && used in_init b0 && unused in_init v1 || return 1
	in_init ip link set d0 master b0 && unused in_init b0 d0 v1 || return 1
	in_init ip link set d0 nomaster && used in_init b0 || return 1
	in_init ip link set v1 nomaster && used in_init b0 v1
}

_net_ns A
_net_ns B
links in_a
tap_case "of_ethernet_are_used" ethernet_alone
tap_case "that_are_down_are_not" down_and_up
tap_case "in_a_bridge_are_not" port_of_a_bridge
tap_case "of_a_small_mtu_are_not" small_mtu
tap_case "may_be_chosen_by_name" by_name
tap_case "may_be_none_at_all" no_device
tap_case "are_all_in_a_namespace" default_of_a_namespace
tap_case "on_top_of_others_are_their_namespaces" upper_device_of_another_namespace
tap_case "have_names_that_can_be" no_such_name
tap_case "of_the_initial_namespace_are_its_own_wires" initial_namespace
tap_case "of_the_initial_namespace_are_no_bridge_with_a_cable" bridge_with_a_cable
unlink_all in_init
tap_done
