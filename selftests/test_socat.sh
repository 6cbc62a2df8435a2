#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Unmodified socat, told the family's number, exchanges a file in both directions.
#
# weft-roads: local veth bridge tap
# weft-timeout: 120
. "$WEFT_LIB"
. "$(dirname "$0")/wait.sh"
family=$(cat /sys/module/weft/parameters/family)
port=7001

# What follows the family in a struct sockaddr_weft, in socat's hexadecimal.
hex_of() # hex_of ADDR PORT
{
	python3 - "$1" "$2" <<-'EOP'
	import socket, struct, sys
	node = socket.inet_pton(socket.AF_INET6, sys.argv[1])
	print("x" + (struct.pack("!HI", int(sys.argv[2]), 0) + node + bytes(4)).hex())
	EOP
}

in_ns() { ip netns exec "$@"; }

exchange()
{
	local server lis con
	lis=$(hex_of :: $port)
	con=$(hex_of "$WEFT_ADDR_B" $port)
	in_ns "$WEFT_NS_B" timeout 60 socat -t 30 "SOCKET-LISTEN:$family:0:$lis" \
		'OPEN:b.in,rdonly!!CREATE:b.out' 2>server.err &
	server=$!
	until_true 20000 in_ns "$WEFT_NS_B" grep -q "LISTEN.*]:$port " /proc/net/weft || return 1
	in_ns "$WEFT_NS_A" timeout 60 socat -t 30 'OPEN:a.in,rdonly!!CREATE:a.out' \
		"SOCKET-CONNECT:$family:0:$con" || { cat server.err; return 1; }
	wait $server || { cat server.err; return 1; }
	cmp a.in b.out && cmp b.in a.out
}

head -c 1000000 /dev/urandom >a.in
head -c 700001 /dev/urandom >b.in
tap_case "a_file_in_both_directions" exchange
tap_done
