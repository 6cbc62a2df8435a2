# SPDX-License-Identifier: GPL-2.0
# Topologies and TAP for test scripts. Sourced by bash, as root; selftests/README says what each
# function is for. Under emulation an exec costs 0.1 s and more, so everything that `ip` does in
# one namespace is one batch.
# shellcheck shell=bash

_weft_all=()
_weft_pids=()
_weft_n=0
_weft_bad=0

# _name NAME...: name namespaces, to be made: known from here on as NAME and $WEFT_NS_NAME.
_name()
{
	local n
	for n; do
		export "WEFT_NS_$n=weft-$$-$n"
		_weft_all+=("weft-$$-$n")
	done
}

# _full NAME: the namespace's own name, in $REPLY. A name that is unknown stands for itself.
_full() { local v="WEFT_NS_$1"; REPLY=${!v-$1}; }

# _add NAME...: the batch lines that make namespaces.
_add() { local n; for n; do _full "$n"; echo "netns add $REPLY"; done; }

# _net_ns NAME...: make namespaces with nothing in them but lo, which is up.
_net_ns()
{
	local n
	_name "$@"
	_add "$@" | ip -batch -
	for n; do _up "$n" lo; done
}

# _up NAME DEV...: set devices up.
_up()
{
	local ns dev
	_full "$1"
	ns=$REPLY
	shift
	for dev; do echo "link set $dev up"; done | ip -n "$ns" -batch -
}

# _wire NAME DEV NAME2 DEV2: the batch line that joins two namespaces.
_wire()
{
	local a
	_full "$1"; a=$REPLY
	_full "$3"
	echo "link add $2 netns $a type veth peer name $4 netns $REPLY"
}

# _switch NAME DEV...: make a namespace's devices the ports of a bridge.
_switch()
{
	local ns dev
	_full "$1"
	ns=$REPLY
	shift
	{
		echo "link add br0 type bridge"
		echo "link set br0 up"
		for dev; do
			echo "link set $dev master br0"
			echo "link set $dev up"
		done
	} | ip -n "$ns" -batch -
}

# _know DEV-A DEV-B NAME...: what a test is told.
_know()
{
	export WEFT_MTU=1500 "WEFT_DEV_$3=$1" "WEFT_DEV_$4=$2"
	shift 2
	_addresses "$@"
}

# _addresses NAME...: the nodes' addresses become WEFT_ADDR_NAME.
_addresses()
{
	local n full=() addr
	for n; do _full "$n"; full+=("$REPLY"); done
	mapfile -t addr < <("$WEFT_BIN/addrs" "${full[@]}")
	for n; do
		export "WEFT_ADDR_$n=${addr[0]-}"
		addr=("${addr[@]:1}")
	done
}

# NS NAME cmd...: run cmd in a namespace.
NS() { _full "$1"; shift; ip netns exec "$REPLY" "$@"; }

addr_of() { _full "$1"; "$WEFT_BIN/addrs" "$REPLY"; }

net_local()
{
	_net_ns "$1"
	_know lo lo "$1" "$1"
	export WEFT_NS_B=$WEFT_NS_A WEFT_ADDR_B=$WEFT_ADDR_A
	unset WEFT_MTU WEFT_DEV_A WEFT_DEV_B
}

net_veth()
{
	_name "$1" "$2"
	{ _add "$1" "$2"; _wire "$1" a0 "$2" b0; } | ip -batch -
	_up "$1" lo a0
	_up "$2" lo b0
	_know a0 b0 "$1" "$2"
}

net_bridge()
{
	local n ports=()
	for n; do ports+=("p-${n,,}"); done
	_name "$@" SW
	{
		_add "$@" SW
		for n; do _wire "$n" "${n,,}0" SW "p-${n,,}"; done
	} | ip -batch -
	_switch SW "${ports[@]}"
	for n; do
		_up "$n" lo "${n,,}0"
		export "WEFT_DEV_$n=${n,,}0"
	done
	_know "${1,,}0" "${2,,}0" "$@"
}

# net_tap A B [relay arguments]: see relay.c.
net_tap()
{
	local a=$1 b=$2 fd
	shift 2
	_net_ns "$a" "$b"
	_full "$a"; set -- "$REPLY" "$@"
	_full "$b"
	exec {fd}< <(exec "$WEFT_BIN/relay" "$1" a0 "$REPLY" b0 "${@:2}")
	export WEFT_RELAY=$!
	_weft_pids+=("$WEFT_RELAY")
	read -r -t 20 <&"$fd" || { echo "# the relay did not start" >&2; return 1; }
	exec {fd}<&-
	_up "$a" a0
	_up "$b" b0
	_know a0 b0 "$a" "$b"
}

# _ready NAME DEV: an end of a path: up, and its frames are those of a wire.
_ready()
{
	_up "$1" lo "$2"
	NS "$1" ethtool -K "$2" tso off gso off tx-sctp-segmentation off >/dev/null
}

# The network under test: A - R1 - R2 - B. Frames leave A and B as the wire has them, MTU-size.
net_path()
{
	_name "$1" "$2" R1 R2
	{
		_add "$1" "$2" R1 R2
		_wire "$1" a0 R1 left
		_wire R1 right R2 left
		_wire R2 right "$2" b0
	} | ip -batch -
	_switch R1 left right
	_switch R2 left right
	_ready "$1" a0
	_ready "$2" b0
	_know a0 b0 "$1" "$2"
}

# _both NAME QDISC...: the same queue discipline on both ports of a switch of net_path.
_both()
{
	_full "$1"
	shift
	printf 'qdisc replace dev %s root %s\n' left "$*" right "$*" | tc -n "$REPLY" -batch -
}

# path_shape RATE BURST-BYTES LIMIT-BYTES: R1 is a bottleneck in both directions.
path_shape() { _both R1 tbf rate "$1" burst "$2" limit "$3"; }

# path_disturb NETEM-ARGUMENTS...: R2 disturbs both directions. No rate here: netem then keeps order.
path_disturb() { _both R2 netem "$@" limit 100000; }

# Remove every namespace that this process made, and end what runs in them or from here.
weft_clean()
{
	local pids
	pids="${_weft_pids[*]} $(jobs -p)"
	# shellcheck disable=SC2086 # a list of process ids
	[ -z "${pids// /}" ] || kill -9 $pids 2>/dev/null
	if [ ${#_weft_all[@]} -gt 0 ]; then
		"$WEFT_BIN/nskill" "${_weft_all[@]}" || echo "# a process in ${_weft_all[*]} does not die" >&2
		printf 'netns del %s\n' "${_weft_all[@]}" | ip -force -batch - 2>/dev/null
	fi
	_weft_all=() _weft_pids=()
	unset "${!WEFT_NS_@}" "${!WEFT_ADDR_@}" "${!WEFT_DEV_@}" WEFT_MTU WEFT_RELAY
}

_tap_line() { _weft_n=$((_weft_n + 1)); printf '%s %d %s\n' "$1" "$_weft_n" "$2"; }

# tap_case NAME cmd...: one case; what cmd says is shown when it fails.
tap_case()
{
	local name=$1 said rc=0
	shift
	[ $_weft_n -gt 0 ] || echo "TAP version 13"
	said=$("$@" 2>&1) || rc=$?
	if [ $rc -eq 0 ]; then
		_tap_line ok "$name"
		return 0
	fi
	[ -z "$said" ] || printf '%s\n' "$said" | sed 's/^/# /'
	echo "# '$*' ended with status $rc"
	_weft_bad=1
	_tap_line "not ok" "$name"
}

tap_skip()
{
	[ $_weft_n -gt 0 ] || echo "TAP version 13"
	_tap_line ok "$1 # SKIP $2"
}

tap_done() { echo "1..$_weft_n"; exit $_weft_bad; }

trap weft_clean EXIT
