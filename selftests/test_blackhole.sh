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

in_hole() { narrow right 1000 && cross A B @$bytes 100; }

# The nodes know each other, and that large frames pass, before there is a hole.
tap_case "without_a_hole" cross A B @$bytes 100
tap_case "with_a_hole" in_hole
tap_case "with_a_hole_the_other_way" cross B A @$bytes 100
tap_done
