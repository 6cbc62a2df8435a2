#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Who is not there: an absent node, a live node where nobody listens, and a node that went away
# without a word and came back as a new one, with its old address and MAC.
#
# weft-roads: none
# weft-kernels: 6.12
# weft-timeout: 180
. "$WEFT_LIB"
. "$(dirname "$0")/wait.sh"
EHOSTUNREACH=113 ECONNREFUSED=111 ECONNRESET=104

net_bridge A B

status_is() # status_is STATUS cmd...
{
	local want=$1 rc=0
	shift
	"$@" </dev/null || rc=$?
	echo "status $rc"
	[ $rc = "$want" ]
}

connect() { NS A "$XFER" -1 watch "$1" "$2"; }

absent() { within 5000 status_is $EHOSTUNREACH connect fd77:6566:7400::dead:3 7; }
refused() { status_is $ECONNREFUSED connect "$WEFT_ADDR_B" 7; }

# B's machine loses its power: nothing of it reaches the wire any more.
power_off()
{
	NS SW ip link set p-b down
	ip netns pids "$WEFT_NS_B" | xargs -r kill -9
	ip netns del "$WEFT_NS_B"
	until_true 10000 no_port || return 1
}

no_port() { ! NS SW ip link show p-b; }

power_on()
{
	ip netns add "$WEFT_NS_B"
	ip -n "$WEFT_NS_B" link set lo up
	ip -n "$WEFT_NS_B" link add b0 address "$mac" type veth peer name p-b netns "$WEFT_NS_SW"
	NS SW ip link set p-b master br0 up
	NS B sysctl -q -w "net.weft.node=$WEFT_ADDR_B"
	ip -n "$WEFT_NS_B" link set b0 up
}

port_forwards() { [ "$(NS SW cat /sys/class/net/p-b/brport/state)" = 3 ]; }

# A speaks to the peer it knows; the new node has never heard of it.
reborn()
{
	local watcher rc=0
	mac=$(NS B cat /sys/class/net/b0/address)
	start B "$XFER" keep 7003 >kept 2>&1
	until_true 10000 listens B 7003 || return 1
	mkfifo says
	exec 9<>says
	start A timeout 30 "$XFER" watch "$WEFT_ADDR_B" 7003 <&9 >watched 2>&1
	watcher=$started
	until_true 10000 has_line watched connected || return 1
	power_off && power_on && until_true 10000 port_forwards || return 1
	echo hello >&9
	wait $watcher || rc=$?
	echo "status $rc"
	cat watched
	[ $rc = $ECONNRESET ] && [ "$(field after watched)" -le 1000 ]
}

tap_case "an_absent_node_is_EHOSTUNREACH" absent
tap_case "a_live_node_without_listener_is_ECONNREFUSED" refused
tap_case "a_node_that_came_back_is_ECONNRESET_at_once" reborn
tap_done
