#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The end of the module and of a namespace: EBUSY while a file is open, two seconds otherwise,
# whatever is still under way.
#
# weft-roads: none
# weft-timeout: 300
. "$WEFT_LIB"
. "$(dirname "$0")/wait.sh"

loaded() { [ -d /sys/module/weft ]; }
load() { loaded || insmod "$WEFT_KO"; }

is_refused()
{
	local said
	said=$(rmmod weft 2>&1) && return 1
	echo "$said"
	loaded && echo "$said" | grep -qi 'in use\|busy\|temporarily unavailable'
}

stop()
{
	kill -9 "$@"
	wait "$@" 2>/dev/null
	true
}

# busy_with_an_open_socket [OPTION]: STREAM, or with -q SEQPACKET
busy_with_an_open_socket()
{
	local rc=0
	start A "$XFER" "$@" hold >held 2>&1
	until_true 10000 has_line held ready && is_refused || rc=1
	stop $started
	return $rc
}

busy_with_an_accepted_socket()
{
	local keeper watcher rc=0
	start B "$XFER" keep 7004 >kept 2>&1
	keeper=$started
	start A "$XFER" watch "$WEFT_ADDR_B" 7004 </dev/null >watched 2>&1
	watcher=$started
	until_true 10000 has_line kept ready && is_refused || rc=1
	stop $keeper $watcher
	return $rc
}

# Frames that netem holds for seconds, of streams and of datagrams, when the last file closes.
traffic_in_netem()
{
	local pids
	NS A tc qdisc replace dev a0 root netem delay 2s limit 100000
	NS B tc qdisc replace dev b0 root netem delay 2s limit 100000
	start B "$XFER" recv 7005 - >/dev/null 2>&1
	pids=$started
	start B "$XFER" dgram-recv 7005 1000000 >/dev/null 2>&1
	pids="$pids $started"
	until_true 10000 listens B 7005 || return 1
	start A "$XFER" send "$WEFT_ADDR_B" 7005 @100000000 >/dev/null 2>&1
	pids="$pids $started"
	start A "$XFER" dgram-flood "$WEFT_ADDR_B" 7005 >/dev/null 2>&1
	pids="$pids $started"
	until_true 20000 queued a0 || return 1
	# shellcheck disable=SC2086 # a list of process ids
	stop $pids
	queued a0
}

queued() { [ "$(NS A tc -s qdisc show dev "$1" | awk '/backlog/ { print $3 + 0 }')" -gt 20 ]; }

unload_under_traffic()
{
	traffic_in_netem || return 1
	within 2000 rmmod weft && ! loaded
}

# Runs in B, and says when the device is gone; asks nothing that waits for other devices.
tell_when_gone()
{
	start B bash -c '
		while [[ $(</proc/net/dev) == *b0:* ]]; do sleep 0.02; done
		echo "gone at $((${EPOCHREALTIME/[.,]/} / 1000))"' >told
	teller=$started
}

# The data of a killed process is an orphan's; it must not keep its namespace.
# That the namespace is freed is seen by its device's other end going away.
namespace_with_an_orphan()
{
	local keeper teller begun rc=0
	start B "$XFER" keep 7006 >kept 2>&1
	keeper=$started
	start A "$XFER" send "$WEFT_ADDR_B" 7006 @100000000 >/dev/null 2>&1
	until_true 10000 has_line kept ready && until_true 10000 unread_in_b || rc=1
	stop $started
	tell_when_gone
	begun=$(now_ms)
	ip netns del "$WEFT_NS_A"
	if until_true 20000 has_line told gone; then
		echo "took $(($(field at told) - begun)) ms"
		[ "$(field at told)" -le $((begun + 2000)) ] || rc=1
	else
		echo "the device is still there after 20 s"
		rc=1
	fi
	stop $keeper $teller
	return $rc
}

unread_in_b() { NS B awk '$2 == "OPEN" && $4 > 0 { found = 1 } END { exit !found }' /proc/net/weft; }

load || exit 1
net_veth A B
tap_case "open_stream_is_EBUSY" busy_with_an_open_socket
tap_case "open_seqpacket_is_EBUSY" busy_with_an_open_socket -q
tap_case "accepted_socket_is_EBUSY" busy_with_an_accepted_socket
tap_case "unload_under_traffic_in_2_s" unload_under_traffic
weft_clean
tap_case "load_again" load
net_veth A B
tap_case "namespace_with_an_orphan_goes_in_2_s" namespace_with_an_orphan
weft_clean
tap_case "unload_with_nothing_left_in_2_s" within 2000 rmmod weft
load
tap_done
