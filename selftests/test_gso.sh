#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A large write crosses veth as one skb; on a tap it leaves as frames of the MTU's size whose sums
# are right.
#
# weft-roads: none
# weft-kernels: 6.12
# weft-timeout: 300
. "$WEFT_LIB"
. "$(dirname "$0")/wait.sh"
mtu=1500
bytes=12000000

over_veth()
{
	local pid rc=0
	start B "$WEFT_BIN/sniff" b0 >sniffed
	pid=$started
	until_true 10000 has_line sniffed ready || rc=1
	cross A B @$bytes 200 -w 60000 || rc=1
	kill $pid
	wait $pid
	cat sniffed
	[ $rc = 0 ] && [ "$(field largest sniffed)" -ge 60000 ] && [ "$(field largest sniffed)" -le 65000 ]
}

over_tap()
{
	local rc=0
	cross A B @$bytes 200 -w 60000 || rc=1
	kill $hop
	wait $hop
	cat hopped
	[ $rc = 0 ] && [ "$(field frames hopped)" -gt 8000 ] &&
		[ "$(field largest hopped)" -le $((mtu + 14)) ] && [ "$(field badsums hopped)" = 0 ]
}

net_veth A B
tap_case "a_60000_byte_write_crosses_veth_as_one_skb" over_veth
weft_clean
net_hop
tap_case "on_a_tap_it_leaves_as_frames_with_right_sums" over_tap
tap_done
