# SPDX-License-Identifier: GPL-2.0
# Waiting for conditions in scripts, and what several of them ask. Sourced after lib.sh.
# shellcheck shell=bash disable=SC2034

# A builtin's answer: under emulation a program takes 0.1 s to start.
now_ms() { echo $((${EPOCHREALTIME/[.,]/} / 1000)); }

# until_true MS cmd...: run cmd until it succeeds, at most so long.
until_true()
{
	local end=$(($(now_ms) + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(now_ms)" -lt $end ] || return 1
		sleep 0.02
	done
}

# within MS cmd...: run cmd, which has to succeed within so many ms.
within()
{
	local most=$1 start took
	shift
	start=$(now_ms)
	"$@" || return 1
	took=$(($(now_ms) - start))
	echo "took $took ms of $most"
	[ $took -le "$most" ]
}

# listens NAME PORT: somebody listens there in the namespace (a name of lib.sh).
listens() { NS "$1" grep -q "LISTEN.*]:$2 " /proc/net/weft; }

# stat_of NAME COUNTER
stat_of() { NS "$1" awk -v name="$2" '$1 == name { print $2 }' /proc/net/weft_stat; }

# has_line FILE TEXT: a program in the background has said so.
has_line() { grep -q "$2" "$1"; }

# field NAME FILE: the number behind a word in a line of `word number` pairs.
field() { awk -v name="$1" '{ for (i = 1; i < NF; i++) if ($i == name) print $(i + 1) }' "$2"; }

# start NAME cmd...: run cmd in a namespace in the background; $started is its process itself, to be
# killed and waited for. Its standard input is ours, which bash would otherwise take away.
start()
{
	local ns="WEFT_NS_$1"
	shift
	ip netns exec "${!ns}" "$@" <&0 &
	started=$!
}

# cross FROM TO @BYTES|FILE SECONDS [OPTION...]: they arrive exactly; the options are the sender's.
cross()
{
	local from=$1 to=$2 to_addr="WEFT_ADDR_$2" what=$3 seconds=$4 bytes=${3#@} server
	shift 4
	[ "$what" != "$bytes" ] || bytes=$(stat -c %s "$what")
	start "$to" timeout "$seconds" "$XFER" recv 7000 - >received 2>recv.err
	server=$started
	NS "$from" timeout "$seconds" "$XFER" "$@" send "${!to_addr}" 7000 "$what" >sent || return 1
	wait $server || { cat recv.err; return 1; }
	cat sent received
	[ "$(cut -d' ' -f2 received)" = "$bytes" ] && [ "$(cut -d' ' -f1 sent)" = "$(cut -d' ' -f1 received)" ]
}

# net_hop [ARGUMENTS...]: A and B on two taps with hop between them; see hop.c. $hop is its process,
# whose report lands in the file hopped when it is stopped.
net_hop()
{
	_net_ns A
	_net_ns B
	"$WEFT_BIN/hop" "$@" "$WEFT_NS_A/a0" "$WEFT_NS_B/b0" >hopped &
	hop=$!
	until_true 10000 has_line hopped ready || return 1
	NS A ip link set a0 up
	NS B ip link set b0 up
	WEFT_ADDR_A=$(addr_of A) WEFT_ADDR_B=$(addr_of B)
}

XFER=$WEFT_BIN/xfer
