#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A few seconds of each disturbance of the network bench, for correctness alone: every byte of every
# flow arrives, in order and once, and no connection is reset. How fast is `make netbench`'s matter.
#
# weft-roads: none
# weft-kernels: 6.12
# weft-timeout: 600
. "$WEFT_LIB"
ms=${WEFT_DISTURB_MS:-3000}
net_path A B

# flows N [options]: so many from A to B while the network does what it does.
flows()
{
	local n=$1
	shift
	timeout 120 "$WEFT_BIN/netload" bulk -p "$WEFT_NS_A,$WEFT_NS_B,$WEFT_ADDR_B" -n "$n" -w 0 -d "$ms" "$@"
}

# disturbed N NETEM...: N flows over a slow link that does so.
disturbed()
{
	local n=$1
	shift
	path_shape 20mbit 6000 50000
	path_disturb "$@"
	flows "$n"
}

slower_and_faster()
{
	local at="for d in left right; do tc -n $WEFT_NS_R1 qdisc change dev \$d root tbf burst 6000 limit 50000 rate"
	path_shape 20mbit 6000 50000
	path_disturb delay 5ms
	flows 2 -x "$((ms / 3)):$at 2mbit; done" -x "$((ms * 2 / 3)):$at 20mbit; done"
}

down_and_up()
{
	path_shape 20mbit 6000 50000
	path_disturb delay 5ms
	flows 2 -x "$((ms / 3)):ip -n $WEFT_NS_R1 link set right down" \
		-x "$((ms * 2 / 3)):ip -n $WEFT_NS_R1 link set right up"
}

# What it holds meanwhile is for `make netbench` to report.
reader_stops()
{
	path_shape 100mbit 6000 250000
	path_disturb delay 1ms
	flows 2 -r "$((ms / 4)),$((ms / 2))"
}

requests_too()
{
	path_shape 20mbit 6000 50000
	path_disturb delay 2ms loss 1%
	flows 4 -e "$WEFT_NS_A,$WEFT_NS_B,$WEFT_ADDR_B"
}

tap_case loss_of_5_percent disturbed 3 delay 5ms loss 5%
tap_case jitter_and_reordering disturbed 3 delay 5ms 3ms loss 0.1%
tap_case duplicates disturbed 3 delay 2ms duplicate 5%
tap_case the_rate_falls_and_rises slower_and_faster
tap_case the_link_goes_down_and_up down_and_up
tap_case a_reader_stops_and_resumes reader_stops
tap_case requests_beside_bulk requests_too
tap_case new_connections_over_loss timeout 120 "$WEFT_BIN/netload" connect \
	-p "$WEFT_NS_A,$WEFT_NS_B,$WEFT_ADDR_B" -k 20
tap_done
