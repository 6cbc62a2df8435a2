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

# What takes frames of the MTU and no larger ones gets them.
through_a_narrow_bucket()
{
	NS A tc qdisc replace dev a0 root tbf rate 1gbit burst 1520 limit 4000000 &&
		cross A B @1000000 60 -w 60000 || return 1
	NS A tc -s qdisc show dev a0 | tee bucket
	grep -q 'dropped 0,' bucket
}

net_veth A B
tap_case "a_60000_byte_write_crosses_veth_as_one_skb" over_veth
tap_case "a_bucket_of_one_frame_is_no_obstacle" through_a_narrow_bucket
weft_clean
net_hop
tap_case "on_a_tap_it_leaves_as_frames_with_right_sums" over_tap
tap_done
