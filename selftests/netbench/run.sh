#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Inside the VM: the cases of the network bench, each for each family, each in namespaces of its
# own.
#
#	run.sh OUT KO BIN RUNS "CASE..." "FAMILY..."
#
# A family is weft (what it does by itself), weft-NAME (that congestion control), tcp-cubic or
# tcp-bbr. Leaves OUT/CASE.FAMILY.RUN: what netload says, and the counters of both ends. Nothing
# is judged here; report.py does that. While a case runs nothing is read from or written to this
# machine: a guest that counts its time in instructions would see minutes pass.
out=$1 runs=$4
export WEFT_KO=$2 WEFT_BIN=$3
read -ra cases <<<"$5"
read -ra families <<<"$6"
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib.sh"

rate=${NETBENCH_RATE:-100} # Mbit/s
burst=6000
loaded=0

# load NAME [options]: netload as the family in hand, its report to $log.
load()
{
	local what=$1
	shift
	"$WEFT_BIN/netload" "$what" "${as[@]}" ${NETBENCH_BUFFER:+-b "$NETBENCH_BUFFER"} "$@" >>"$log" 2>>"$log.err"
}

# shape BYTES NETEM...: the bottleneck with so much buffer behind it, and what R2 does.
shape()
{
	path_shape "${rate}mbit" $burst "$1"
	shift
	path_disturb "$@"
}

# The buffer of MS at the bottleneck's rate, bytes.
buffer() { echo $((rate * 125 * $1)); }

# use NAME...: what the ends need for the family in hand. TCP has buffers as for a long path, so that
# no case is one of small windows. A frame of TCP's keeps its socket as long as it is in this
# kernel, and TSQ would see the queue in R1 as if it were that of the sender's own device, which no
# real network shows it: netem lets go of the socket where the frame leaves.
use()
{
	local n i=0
	for n; do
		i=$((i + 1))
		_full "$n"
		tc -n "$REPLY" qdisc replace dev "${n,,}0" root netem delay 1us limit 100000
		case "$family" in
		tcp-*) NS "$n" ip addr add "10.0.0.$i/24" dev "${n,,}0"
			wide "$n"
			eval "WEFT_ADDR_$n=10.0.0.$i" ;;
		weft-*) NS "$n" sysctl -q "net.weft.congestion_control=${family#weft-}" || return 1 ;;
		esac
	done
}

wide() { NS "$1" sysctl -q "net.ipv4.tcp_rmem=4096 1048576 6291456" "net.ipv4.tcp_wmem=4096 1048576 4194304"; }

pair() { local a=WEFT_NS_$1 b=WEFT_NS_$2 to=WEFT_ADDR_$2; echo "${!a},${!b},${!to}"; }
watched() { local ns=WEFT_NS_$1; echo "${!ns},$2"; }

path() { net_path A B && use A B; }

# Two pairs of nodes on the same path: A - R1 - R2 - B, and C and D beside them.
path_of_two()
{
	net_path A B
	_name C D
	{ _add C D; _wire C c0 R1 left2; _wire D d0 R2 right2; } | ip -batch -
	_join R1 left2
	_join R2 right2
	_ready C c0
	_ready D d0
	_addresses A B C D
	use A B C D
}

# _join NAME DEV...: more ports for a switch.
_join()
{
	local ns dev
	_full "$1"
	ns=$REPLY
	shift
	for dev; do printf 'link set %s master br0\nlink set %s up\n' "$dev" "$dev"; done | ip -n "$ns" -batch -
}

# Ten senders, ten receivers, one bottleneck between the two switches.
path_of_ten()
{
	local i left=() right=() all=()
	for i in 0 1 2 3 4 5 6 7 8 9; do left+=("S$i") right+=("D$i"); done
	all=("${left[@]}" "${right[@]}")
	_name "${all[@]}" R1 R2
	{
		_add "${all[@]}" R1 R2
		_wire R1 right R2 left
		for i in 0 1 2 3 4 5 6 7 8 9; do
			_wire "S$i" "s${i}0" R1 "left$i"
			_wire "D$i" "d${i}0" R2 "right$i"
		done
	} | ip -batch -
	_switch R1 right left{0..9}
	_switch R2 left right{0..9}
	for i in "${all[@]}"; do _ready "$i" "${i,,}0"; done
	_addresses "${all[@]}"
	use "${all[@]}"
}

# Loss: the goodput over 20 s after the first 2 s.
case_loss()
{
	path && shape "$(buffer 20)" delay 5ms loss "$1" || return 1
	load bulk -p "$(pair A B)" -w 2000 -d 22000 -F "$(watched R1 left)" -F "$(watched B b0)"
}

case_loss1() { case_loss 1%; }
case_loss5() { case_loss 5%; }

case_jitter()
{
	path && shape "$(buffer 20)" delay 5ms 3ms loss 0.1% || return 1
	load bulk -p "$(pair A B)" -w 2000 -d 22000 -F "$(watched R1 left)" -F "$(watched B b0)"
}

case_fair()
{
	local i pairs=() dev
	path_of_ten || return 1
	{
		echo "qdisc replace dev right root tbf rate ${rate}mbit burst $burst limit $(buffer 20)"
	} | tc -n "$WEFT_NS_R1" -batch -
	for dev in left right{0..9}; do
		echo "qdisc replace dev $dev root netem delay 5ms limit 100000"
	done | tc -n "$WEFT_NS_R2" -batch -
	for i in 0 1 2 3 4 5 6 7 8 9; do pairs+=(-p "$(pair "S$i" "D$i")" -n $((i + 1))); done
	load bulk "${pairs[@]}" -g 500 -w 6000 -d 66000 -F "$(watched R1 left0)"
}

# 64 B requests beside four flows of the same pair; or of another pair behind the same queue.
case_mixed()
{
	shape "$(buffer 50)" delay 1ms || return 1
	load bulk -p "$1" -n 4 -e "$2" -w 4000 -d 24000 -F "$(watched R1 left)"
}

case_mixed1() { path && case_mixed "$(pair A B)" "$(pair A B)"; }
case_mixed2() { path_of_two && case_mixed "$(pair A B)" "$(pair C D)"; }

case_connect()
{
	path && path_disturb delay 10ms || return 1
	load connect -p "$(pair A B)" -k 21
}

slower() # slower RATE: the command that makes the bottleneck of both directions so fast
{
	echo "for d in left right; do tc -n $WEFT_NS_R1 qdisc change dev \$d root tbf rate $1mbit burst $burst limit $(buffer 20); done"
}

case_rate()
{
	path && shape "$(buffer 20)" delay 5ms || return 1
	load bulk -p "$(pair A B)" -w 2000 -d 20000 -F "$(watched R1 left)" \
		-x "5000:$(slower $((rate / 10)))" -x "10000:$(slower "$rate")"
}

case_down()
{
	path && shape "$(buffer 20)" delay 5ms || return 1
	load bulk -p "$(pair A B)" -w 2000 -d 25000 -F "$(watched R1 left)" \
		-x "5000:ip -n $WEFT_NS_R1 link set right down" \
		-x "10000:ip -n $WEFT_NS_R1 link set right up"
}

# With buffers that the program has set: a limit that does not grow.
case_stop()
{
	path && shape "$(buffer 20)" delay 5ms || return 1
	load bulk -b 262144 -p "$(pair A B)" -w 2000 -d 68000 -r 3000,60000 -F "$(watched R1 left)"
}

# How the family shares with TCP's default: two flows of each, of two pairs of nodes.
case_share()
{
	path_of_two && shape "$(buffer 20)" delay 5ms || return 1
	NS C ip addr replace 10.0.0.3/24 dev c0
	NS D ip addr replace 10.0.0.4/24 dev d0
	wide C
	wide D
	load bulk -p "$(pair A B)" -n 2 -t -c cubic -p "$WEFT_NS_C,$WEFT_NS_D,10.0.0.4" -n 2 \
		-w 5000 -d 35000 -F "$(watched R1 left)"
}

# Beyond the table: networks as they are met. road MBIT BUFFER-MS NETEM...: bulk over such a
# path, to be seen beside TCP's over the same. A buffer is of the bottleneck, netem of R2, both ways.
road()
{
	local rate=$1 ms=$2
	shift 2
	path && shape "$(buffer "$ms")" "$@" || return 1
}

carry() { load bulk -p "$(pair A B)" -w 2000 -d "${1:-12000}" -F "$(watched R1 left)"; }

# Packets go two ways, one of which takes no time: netem's own example.
case_shuffled() { road 50 40 delay 20ms reorder 25% 50% && carry; }
# Losses come in bursts (Gilbert and Elliott).
case_burst() { road 50 40 delay 15ms loss gemodel 0.3% 20% 70% 0% && carry; }
# Long and fat; longer, by way of a satellite.
case_fat() { road 300 40 delay 40ms loss 0.01% && carry; }
case_far() { road 20 100 delay 300ms loss 0.1% && carry 22000; }
# A policer: no buffer.
case_policed() { road 50 1 delay 20ms && carry; }
# Much down, little up: acknowledgments have 1 Mbit/s.
case_askew()
{
	road 50 40 delay 10ms || return 1
	tc -n "$WEFT_NS_R1" qdisc replace dev left root tbf rate 1mbit burst $burst limit 25000
	carry
}

# counters NAME: those that say what was sent without need.
counters()
{
	_full "$1"
	ip netns exec "$REPLY" awk -v at="$1" '
		FNR == 1 { keep = "" }
		FILENAME ~ /weft_stat/ { print "counter", at, $1, $2; next }
		$1 == keep { for (i = 2; i <= NF; i++) print "counter", at, $1 name[i], $i; keep = ""; next }
		{ keep = $1; for (i = 2; i <= NF; i++) name[i] = $i }
	' /proc/net/weft_stat /proc/net/snmp /proc/net/netstat 2>/dev/null |
		grep -E ' (out_packets|out_retransmits|drop_state|drop_[a-z]*|TcpExt:TCPDSACK(Ofo)?Recv|Tcp:(OutSegs|RetransSegs)) ' |
		grep -v ' 0$' >>"$log"
}

one() # one CASE FAMILY RUN
{
	local case=$1 rc=0 said
	family=$2
	log=$scratch/$case.$family.$3
	as=()
	case "$family" in tcp-*) as=(-t -c "${family#tcp-}") ;; esac
	: >"$log"
	: >"$log.err"
	"case_$case" 2>>"$log.err" || rc=$?
	case "$case" in
	fair|mixed2) ;;
	*) counters A; counters B ;;
	esac
	weft_clean
	echo "status $rc" >>"$log"
	cp "$log" "$log.err" "$out"
	loaded=$((loaded + 1))
	said=$(awk '/^total/ { printf "%.1f Mbit/s, idle %d %%", $3 * 8 / $5 / 1000, $7 }
		/^times/ { printf "p50 %d us p99 %d us ", $5, $7 }' "$log")
	printf '%3d/%d  %-8s %-10s run %d  %s%s\n' $loaded "$total" "$case" "$family" "$3" \
		"$said" "$([ $rc = 0 ] || echo "  FAILED: $(tail -n 1 "$log.err")")"
}

scratch=$(mktemp -d)
insmod "$WEFT_KO" || exit 1
modprobe -q -a tcp_bbr sch_tbf sch_netem
plan=()
for ((i = 1; i <= runs; i++)); do
	for case in "${cases[@]}"; do
		for f in "${families[@]}"; do
			plan+=("$case $f $i")
		done
	done
done
total=${#plan[@]}
for line in "${plan[@]}"; do
	read -r case f i <<<"$line"
	one "$case" "$f" "$i"
done
rmmod weft
