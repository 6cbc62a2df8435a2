#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Something between two nodes drops large frames without a word: connections find that out, whether it
# was so from the first or begins in the middle.
#
# weft-roads: none
# weft-kernels: 6.12
# weft-timeout: 300
. "$WEFT_LIB"
. "$(dirname "$0")/wait.sh"
bytes=300000

net_path A B

# A bridge does not forward what is larger than its port's MTU, and tells nobody.
narrow() { ip -n "$WEFT_NS_R2" link set "$1" mtu "$2"; }

cross() # cross FROM TO
{
	local to_addr="WEFT_ADDR_$2" server
	start "$2" timeout 100 "$XFER" recv 7000 - >received 2>recv.err
	server=$started
	NS "$1" timeout 100 "$XFER" send "${!to_addr}" 7000 "@$bytes" >sent || return 1
	wait $server || { cat recv.err; return 1; }
	cat sent received
	[ "$(cut -d' ' -f2 received)" = $bytes ] && [ "$(cut -d' ' -f1 sent)" = "$(cut -d' ' -f1 received)" ]
}

in_hole() { narrow right 1000 && cross A B; }

# The nodes know each other, and that large frames pass, before there is a hole.
tap_case "without_a_hole" cross A B
tap_case "with_a_hole" in_hole
tap_case "with_a_hole_the_other_way" cross B A
tap_done
