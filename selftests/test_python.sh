#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Python's socket module, through INET6 naming and a helper that opens the fd.
#
# weft-roads: local veth bridge tap
. "$WEFT_LIB"
program=$(dirname "$0")/test_python.py

echo_and_back()
{
	local server
	ip netns exec "$WEFT_NS_B" timeout 90 python3 "$program" server 7002 2>server.err &
	server=$!
	ip netns exec "$WEFT_NS_A" timeout 90 python3 "$program" client "$WEFT_ADDR_B" 7002 ||
		{ cat server.err; return 1; }
	wait $server || { cat server.err; return 1; }
}

tap_case "echo_server_and_client" echo_and_back
tap_done
