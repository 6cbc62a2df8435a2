#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A device whose queue knows when frames are due (fq) gets them ahead of time, and holds them.
#
# weft-roads: none
# weft-kernels: 6.12
# weft-timeout: 120
. "$WEFT_LIB"
. "$(dirname "$0")/wait.sh"

# How often it had something to hold.
held() { NS A tc -s qdisc show dev a0 | grep ' gc ' >queue; field throttled queue; }

by_fq()
{
	path_shape 20mbit 10000 100000
	NS A tc qdisc replace dev a0 root fq || return 1
	cross A B @2000000 100 || return 1
	echo "held $(held) times"
	[ "$(held)" -gt 0 ]
}

net_path A B
tap_case "frames_are_held_until_they_are_due" by_fq
tap_done
