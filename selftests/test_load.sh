#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What the module is loaded with: a family or an ethertype that is somebody else's is refused, and
# with another that is free it works.
#
# weft-roads: none
# weft-timeout: 120
. "$WEFT_LIB"
. "$(dirname "$0")/wait.sh"

loaded() { [ -d /sys/module/weft ]; }
load() { insmod "$WEFT_KO" "$@"; }
away() { ! loaded || rmmod weft; }

# refused PARAMETER VALUE...: each of them, with a word of the kernel's about it.
refused()
{
	local name=$1 value
	shift
	for value; do
		echo "weft test: $name=$value" >/dev/kmsg
		if load "$name=$value"; then echo "took $name=$value"; return 1; fi
		! loaded && dmesg | sed "1,/weft test: $name=$value\$/d" | grep "weft: $name=.* cannot be used" || return 1
	done
}

# loads_with PARAMETER VALUE: and says so.
loads_with() { load "$1=$2" && [ "$(cat "/sys/module/weft/parameters/$1")" = "$2" ]; }

other_family()
{
	loads_with family 22 || return 1
	_net_ns A
	NS A env WEFT_ROAD=local "$WEFT_BIN/test_pair" >paired || { cat paired; return 1; }
	weft_clean
	away
}

# Nodes of one ethertype hear each other, and no others.
other_ethertype()
{
	loads_with ethertype 34998 || return 1
	net_veth A B
	cross A B @100000 60 || return 1
	weft_clean
	away
}

away
tap_case "families_of_others_are_refused" refused family 0 2 10 17 21 46 -1
tap_case "ethertypes_of_others_are_refused" refused ethertype 0x0800 0x86dd 0x0806 0x8100 0x88a8 0x05ff 0x10000
tap_case "another_free_family_works" other_family
tap_case "another_free_ethertype_works" other_ethertype
away
tap_case "it_loads_again_without_any" load
tap_done
