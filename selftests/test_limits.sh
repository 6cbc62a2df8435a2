#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What net.weft.* says of new connections: an algorithm by its name, and how far buffers grow.
#
# weft-roads: none
# weft-timeout: 60
. "$WEFT_LIB"

net_bridge A B

ctl() { NS A sysctl -n "net.weft.$1"; }
set_ctl() { NS A sysctl -q -w "net.weft.$1=$2"; }

every_algorithm()
{
	local name names
	names=$(ctl available_congestion_control)
	[ "$names" = "rate cubic delay" ] || return 1
	[ "$(ctl congestion_control)" = rate ] || return 1
	for name in $names; do
		set_ctl congestion_control "$name" && [ "$(ctl congestion_control)" = "$name" ] || return 1
	done
	set_ctl congestion_control rate
}

no_other()
{
	local name
	for name in reno '' 'rate cubic' ratee a-name-that-is-longer-than-any; do
		if set_ctl congestion_control "$name"; then echo "took '$name'"; return 1; fi
	done
	[ "$(ctl congestion_control)" = rate ]
}

own_namespace()
{
	set_ctl congestion_control cubic || return 1
	[ "$(NS B sysctl -n net.weft.congestion_control)" = rate ] && set_ctl congestion_control rate
}

bounds()
{
	local name
	for name in limits.rmem limits.wmem; do
		if set_ctl $name 4095; then echo "$name took 4095"; return 1; fi
		if set_ctl $name 1073741825; then echo "$name took more than 2^30"; return 1; fi
		set_ctl $name 1000000 && [ "$(ctl $name)" = 1000000 ] || return 1
	done
}

tap_case "every_algorithm_can_be_chosen" every_algorithm
tap_case "no_other_name_is_taken" no_other
tap_case "each_namespace_chooses_for_itself" own_namespace
tap_case "buffers_have_bounds" bounds
tap_done
