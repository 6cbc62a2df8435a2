#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A file crosses the network under test with loss, reordering and duplicates and arrives exactly:
# alone, and with a packet socket at both ends, so that every skb is cloned.
# WEFT_XFER_MB is its size, 32 by default.
#
# weft-roads: none
# weft-kernels: 6.12
# weft-timeout: 1200
. "$WEFT_LIB"
. "$(dirname "$0")/wait.sh"
mb=${WEFT_XFER_MB:-32}
bytes=$((mb << 20))

net_path A B
path_disturb delay 1ms loss 1% reorder 1% duplicate 0.5%

# The road must have been bad, or the test has shown nothing.
was_lossy() { [ "$(stat_of A out_retransmits)" -gt 0 ]; }

sniffed()
{
	local a b rc=0
	start A "$WEFT_BIN/sniff" a0 >sniff.a
	a=$started
	start B "$WEFT_BIN/sniff" b0 >sniff.b
	b=$started
	until_true 10000 has_line sniff.a ready && until_true 10000 has_line sniff.b ready || rc=1
	cross A B @$bytes 500 || rc=1
	kill $a $b
	wait $a $b
	cat sniff.a sniff.b
	[ $rc = 0 ] && [ "$(field frames sniff.a)" -gt 0 ] && [ "$(field frames sniff.b)" -gt 0 ]
}

tap_case "${mb}_MiB_arrive_exactly" cross A B @$bytes 500
tap_case "frames_were_lost_on_the_way" was_lossy
tap_case "${mb}_MiB_arrive_exactly_the_other_way" cross B A @$bytes 500
tap_case "${mb}_MiB_arrive_exactly_with_every_skb_cloned" sniffed
tap_done
