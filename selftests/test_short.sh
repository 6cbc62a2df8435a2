#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Short messages go before bulk between the same two nodes, where the queue is that of the sender's own
# device: by their priority where the device knows that, by their flow where it knows flows. A
# queue that knows neither is what they are compared with. A kernel of ours is too slow to fill one.
#
# weft-kernels: stock
# weft-roads: none
# weft-timeout: 240
. "$WEFT_LIB"

net_veth A B
NS A sysctl -q net.weft.congestion_control=cubic # which fills any queue
NS A ethtool -K a0 tso off gso off tx-sctp-segmentation off >/dev/null
tc -n "$WEFT_NS_A" qdisc add dev a0 root handle 1: tbf rate 20mbit burst 3000 limit 200000
pair=$WEFT_NS_A,$WEFT_NS_B,$WEFT_ADDR_B

# ask_beside_bulk: requests beside four flows of bulk; half of them took no longer than $us.
ask_beside_bulk()
{
	"$WEFT_BIN/netload" bulk -p "$pair" -n 4 -e "$pair" -w 1500 -d 4500 >report || { cat report; return 1; }
	grep ^times report
	us=$(awk '/^times/ { print $5 }' report)
}

queue_stands() { ask_beside_bulk && [ "$us" -ge 20000 ] && echo "$us" >fifo; }

goes_before() # goes_before QDISC...
{
	tc -n "$WEFT_NS_A" qdisc replace dev a0 parent 1:1 "$@" || return 1
	ask_beside_bulk && [ "$us" -le $(($(cat fifo) / 5)) ]
}

tap_case "they_wait_in_a_queue_without_order" queue_stands
tap_case "they_go_first_by_priority" goes_before handle 10: prio
tap_case "they_go_first_by_flow" goes_before handle 20: fq_codel
tap_done
