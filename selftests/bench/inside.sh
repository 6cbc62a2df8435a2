#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Inside the VM: load every family, make each road, run the scoreboard's program over it.
#
#   inside.sh OUT KO BIN BENCH     OUT/raw.csv gets the lines that selftests/bench/main.c describes
#
# BENCH_PROFILE leaves OUT/kallsyms as well, and OUT/raw.csv alone. BENCH_ROADS, BENCH_WORKLOADS,
# BENCH_FAMILIES, BENCH_SKIP and BENCH_RUNS choose.
out=$1 ko=$2 bench=$4
export WEFT_BIN=$3
here=$(cd "$(dirname "$0")/.." && pwd)
. "$here/lib.sh"
. "$here/wait.sh"

# A family whose module is missing becomes a dash.
for module in tipc sctp vsock_loopback rds rds_tcp tls aesni_intel wireguard; do
	modprobe "$module" 2>/dev/null || echo "no module $module" >&2
done
insmod "$ko" || exit 1
echo never >/sys/kernel/mm/transparent_hugepage/enabled
ulimit -n 1000000

# Everything that a peer needs and weft does not.
configure_peers() # configure_peers NAME DEV IP
{
	_full "$1"
	ip -n "$REPLY" addr add "$3/24" dev "$2"
	ip netns exec "$REPLY" tipc bearer enable media eth device "$2" 2>/dev/null
}

tipc_is_up() { NS A tipc link list 2>/dev/null | grep -q ': up'; }

# A tunnel over the veth pair: TCP through it is the sealed peer.
make_tunnel_end() # make_tunnel_end NAME ADDRESS KEY PEER-PUBLIC-KEY PEER-IP
{
	_full "$1"
	ip -n "$REPLY" link add wg0 type wireguard &&
		NS "$1" wg set wg0 listen-port 51820 private-key "$3" \
			peer "$4" allowed-ips 0.0.0.0/0 endpoint "$5:51820" &&
		ip -n "$REPLY" addr add "$2/24" dev wg0 &&
		ip -n "$REPLY" link set wg0 up
}

make_tunnel()
{
	local d=/tmp/wg
	mkdir -p "$d"
	(umask 077; wg genkey >"$d/a" && wg genkey >"$d/b") || return
	make_tunnel_end A 10.8.0.1 "$d/a" "$(wg pubkey <"$d/b")" 10.7.0.2 &&
		make_tunnel_end B 10.8.0.2 "$d/b" "$(wg pubkey <"$d/a")" 10.7.0.1 || return
	export BENCH_WG_A=10.8.0.1 BENCH_WG_B=10.8.0.2
}

make_road()
{
	export WEFT_ROAD=$1
	case "$1" in
	local)
		net_local A
		export BENCH_IP_A=127.0.0.1 BENCH_IP_B=127.0.0.1
		;;
	veth)
		net_veth A B
		configure_peers A a0 10.7.0.1
		configure_peers B b0 10.7.0.2
		export BENCH_IP_A=10.7.0.1 BENCH_IP_B=10.7.0.2
		until_true 20000 tipc_is_up || echo "TIPC has no link" >&2
		make_tunnel || echo "no WireGuard tunnel" >&2
		;;
	esac
}

export BENCH_OUT=$out
lines=$out/raw.csv
if [ -n "$BENCH_PROFILE" ]; then
	cat /proc/kallsyms >"$out/kallsyms"
	lines=/dev/null
fi
for road in ${BENCH_ROADS:-local veth}; do
	make_road "$road"
	# What it says goes to our output, not among the lines.
	"$bench" 3>&1 >>"$lines" 2>&3 || exit 1
	weft_clean
done
