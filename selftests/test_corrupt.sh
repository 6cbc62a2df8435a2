#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A middle hop inverts a byte of 1 % of the frames, anywhere in header or payload: a file arrives
# exactly. With the check switched off it does not: the check is what protects it.
# WEFT_CORRUPT_MB is its size, 64 by default.
#
# weft-roads: none
# weft-kernels: 6.12
# weft-timeout: 1200
. "$WEFT_LIB"
. "$(dirname "$0")/wait.sh"
mb=${WEFT_CORRUPT_MB:-64}

hits_in_both()
{
	kill $hop
	wait $hop
	cat hopped
	[ "$(field hits_header hopped)" -gt 0 ] && [ "$(field hits_payload hopped)" -gt 0 ]
}

checks_failed()
{
	echo "drop_check of A $(stat_of A drop_check), of B $(stat_of B drop_check)"
	[ "$(stat_of A drop_check)" -gt 0 ] && [ "$(stat_of B drop_check)" -gt 0 ]
}

check=/sys/module/weft/parameters/check

# Wrong bytes, or no end: anything but the file.
red_without_the_check()
{
	! cross A B @$((8 << 20)) 60
}

# Pages of a file that are sent, lost, and sent again, are nobody's to write to.
file_is_whole() { [ "$(sha256sum <file)" = "$sum" ]; }

head -c 4000001 /dev/urandom >file
chmod 444 file
sum=$(sha256sum <file)

net_hop -r 100 -s 7
tap_case "${mb}_MiB_arrive_exactly" cross A B @$((mb << 20)) 500
tap_case "a_file_by_sendfile_arrives_exactly" cross A B file 500 -f
tap_case "the_file_is_what_it_was" file_is_whole
tap_case "drop_check_counts_at_both_ends" checks_failed
echo N >$check
tap_case "without_the_check_they_do_not" red_without_the_check
echo Y >$check
tap_case "headers_and_payload_were_hit" hits_in_both
tap_done
