#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What `make demo` shows, inside its virtual machine:  demo.sh KO BIN
# Fails when anything that it shows does not work.
set -eu
ko=$1
export WEFT_BIN=$2
. "$(dirname "$0")/lib.sh"
xfer=$WEFT_BIN/xfer
tmp=$(mktemp -d)

title() { printf '\n\033[1m%s\033[0m\n' "$*"; }
text() { printf '   %s\n' "$@"; }
indent() { sed -u 's/^/      /'; }

# on NAME cmd...: show the command with the node's prompt, and run it there.
on()
{
	local node=$1 shown
	shift
	shown=$*
	printf '   %s$ %s\n' "$node" "${shown//$WEFT_BIN\//}"
	NS "$node" "$@" 2>&1 | indent
	return "${PIPESTATUS[0]}"
}

# serve NAME OUTPUT cmd...: the same in the background; its process id is in $server.
serve()
{
	local node=$1 output=$2 shown
	shift 2
	shown=$*
	printf '   %s$ %s &\n' "$node" "${shown//$WEFT_BIN\//}"
	NS "$node" "$@" >"$output" 2>&1 &
	server=$!
}

meet()
{
	title "1. Load the module. That is all the configuration there is."
	text "$(uname -n)\$ insmod weft.ko"
	insmod "$ko"
	dmesg | grep 'weft: ' | grep -v taint | sed 's/^\[[^]]*\] //' | fold -s -w 90 | indent || true
	net_veth A B
	text "" "Two network namespaces, joined by a cable (a veth pair), stand for two hosts." \
		"Neither has an IP address. Each has a weft node address from its birth:"
	on A sysctl net.weft.node
	on B sysctl net.weft.node
}

messages()
{
	title "2. A server on B, a client on A: messages that keep their boundaries (SOCK_SEQPACKET)"
	serve B "$tmp/echo" "$xfer" -q -n 1 echo-server 4000
	on A "$xfer" -q echo-client "$WEFT_ADDR_B" 4000 "hello, other host" "a second message" "and good-bye"
	text "Each message came back from B, whole and in order."
	wait "$server"
}

datagrams()
{
	title "3. Datagrams (SOCK_DGRAM): no connection, one packet each"
	serve B "$tmp/dgrams" "$xfer" dgram-recv 4001 2
	waiting 4001
	on A "$xfer" dgram-send "$WEFT_ADDR_B" 4001 "first datagram" "second datagram"
	wait "$server"
	text "B says who sent them, and what:"
	indent <"$tmp/dgrams"
}

# Until a socket of B is bound to a port.
waiting()
{
	local n=0
	until NS B grep -q "]:$1 " /proc/net/weft; do
		n=$((n + 1))
		[ $n -lt 100 ] || { echo "nobody took port $1 on B" >&2; return 1; }
		sleep 0.1
	done
}

local_pair()
{
	title "4. Two sockets in one program (socketpair), from Python, with nothing added to it"
	cat >"$tmp/pair.py" <<-EOF
		import socket
		AF_WEFT = $(cat /sys/module/weft/parameters/family)
		a, b = socket.socketpair(AF_WEFT, socket.SOCK_SEQPACKET)
		a.send(b"from one end")
		print("the other end got:", b.recv(100).decode())
	EOF
	indent <"$tmp/pair.py"
	cd "$tmp"
	on A python3 pair.py
}

file_over_loss()
{
	title "5. A 64 MiB file over a link that loses 1 % of its packets (SOCK_STREAM)"
	weft_clean
	net_path C D
	path_disturb delay 1ms loss 1%
	text "Two more hosts, C and D, with two switches between them; the second switch drops packets:"
	printf '   switch$ tc qdisc show dev right\n'
	NS R2 tc qdisc show dev right | indent
	head -c 64M /dev/urandom >/dev/shm/file
	text "C$ sha256sum file"
	sent=$(sha256sum </dev/shm/file)
	printf '%s\n' "${sent%% *}" | indent
	serve D "$tmp/recv" "$xfer" -n 1 recv 4002 /dev/shm/copy
	on C "$xfer" -p send "$WEFT_ADDR_D" 4002 /dev/shm/file
	wait "$server"
	text "D$ sha256sum copy"
	got=$(sha256sum </dev/shm/copy)
	printf '%s\n' "${got%% *}" | indent
	[ "$sent" = "$got" ] || { echo "the copy differs" >&2; return 1; }
	text "The same. On the way, C had to send again:"
	NS C grep retransmit /proc/net/weft_stat | indent
	rm -f /dev/shm/file /dev/shm/copy
}

table()
{
	title "6. What is open right now: /proc/net/weft, on D while C is connected to it"
	sleep 30 | NS D "$xfer" -n 1 keep 4003 >"$tmp/keep" 2>&1 &
	NS C "$xfer" watch "$WEFT_ADDR_D" 4003 >"$tmp/watch" 2>&1 </dev/null &
	local n=0
	until NS D grep -q OPEN /proc/net/weft; do
		n=$((n + 1))
		[ $n -lt 100 ] || { cat "$tmp/keep" "$tmp/watch"; return 1; }
		sleep 0.1
	done
	on D cat /proc/net/weft
	disown -a
}

meet
messages
datagrams
local_pair
file_over_loss
table
weft_clean
title "7. Unload it. Nothing stays behind."
text "$(uname -n)\$ rmmod weft"
rmmod weft
rm -rf "$tmp"
printf '\nThat was weft: one address from process to process and host to host, no IP, no configuration.\n'
