#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A window grows as a long path needs it, SO_RCVBUF tells how far, net.weft.limits.rmem bounds that,
# and a reader that stops then costs no more.
#
# weft-roads: none
# weft-timeout: 240
. "$WEFT_LIB"

net_path A B
path_disturb delay 20ms
pair=$WEFT_NS_A,$WEFT_NS_B,$WEFT_ADDR_B
first=212992

# bulk OPTIONS...: a flow whose reader stops for a second; sets held, limit: the most unread bytes
# against SO_RCVBUF then.
bulk()
{
	"$WEFT_BIN/netload" bulk -p "$pair" -w 500 -d 4000 -r 2500,1000 "$@" >report || { cat report; return 1; }
	grep ^peak report
	read -r held limit <<<"$(awk '/^peak/ { print $3, $5 }' report)"
	[ "$held" -gt 0 ]
}

grows() { bulk && [ "$held" -le "$limit" ] && [ "$limit" -gt $first ] && [ "$limit" -le 6291456 ]; }

no_further()
{
	NS B sysctl -q -w net.weft.limits.rmem=300000 || return 1
	bulk && [ "$held" -le "$limit" ] && [ "$limit" -gt $first ] && [ "$limit" -le 300000 ]
}

stays() { bulk -b 150000 && [ "$held" -le "$limit" ] && [ "$limit" -eq 300000 ]; }

tap_case "it_grows_with_the_path" grows
tap_case "no_further_than_limits_rmem" no_further
NS B sysctl -q -w net.weft.limits.rmem=6291456
tap_case "not_where_the_program_has_set_it" stays
tap_done
