#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Inside the VM: load weft.ko, run every line of a plan on its road, unload weft.ko.
#
#   run.sh OUT N KO BIN    OUT/plan.N has lines: TEST ROAD SECONDS PROGRAM
#
# Several VMs may work at one plan: who makes the directory OUT/taken.TEST.ROAD runs it. WEFT_RUNS is
# how many one VM may take.
#
# Leaves OUT/TEST.ROAD.tap and .err, and in OUT/index.N a line TEST ROAD STATUS SECONDS for
# each run. OUT/running.N names the test that is running. tools/kselftest counts; nothing is judged here.
#
# With WEFT_UNLOAD_EACH the module is unloaded behind each test, which counts everything that the
# test left: unloading waits for every socket, and the slab allocator reports each object that
# is left in one of the module's caches.
out=$1 vm=$2
export WEFT_KO=$3 WEFT_BIN=$4
here=$(cd "$(dirname "$0")" && pwd)
export WEFT_LIB=$here/lib.sh
. "$WEFT_LIB"

is_loaded() { [ -d /sys/module/weft ]; }

note() # note TEST ROAD STATUS SECONDS
{
	printf '%s %s %s %s\n' "$@" >>"$out/index.$vm"
	if [ "$3" = 0 ]; then
		printf '  %-8s %-24s %4s s\n' "$2" "$1" "$4"
	else
		printf '  %-8s %-24s %4s s  status %s\n' "$2" "$1" "$4" "$3"
	fi
}

# step NAME cmd...: something of the runner's own, reported like a test of one case.
step()
{
	local name=$1.$vm rc=0 start=$SECONDS
	shift
	"$@" >"$out/$name.runner.err" 2>&1 || rc=$?
	{
		echo "TAP version 13"
		if [ $rc -eq 0 ]; then echo "ok 1 $name"; else echo "not ok 1 $name"; fi
		echo "1..1"
	} >"$out/$name.runner.tap"
	note "$name" runner $rc $((SECONDS - start))
	return $rc
}

make_road()
{
	export WEFT_ROAD=$1
	case "$1" in
	local) net_local A ;;
	veth) net_veth A B ;;
	bridge) net_bridge A B C ;;
	tap) net_tap A B ;;
	none) ;;
	esac
}

run_one() # run_one TEST ROAD SECONDS PROGRAM
{
	local rc=0 start=$SECONDS enter=() base="$out/$1.$2" scratch="/tmp/weft.$1.$2" pid
	echo "$1 $2" >"$out/running.$vm"
	mkdir -p "$scratch"
	if ! make_road "$2" 2>"$base.err"; then
		echo "cannot make the road $2" >>"$base.err"
		rc=126
	else
		[ "$2" = none ] || enter=(ip netns exec "$WEFT_NS_A")
		(cd "$scratch" && exec timeout -k 5 "$3" "${enter[@]}" "$4" \
			>"$base.tap" 2>>"$base.err" </dev/null) &
		pid=$!
		wait $pid || rc=$?
		# timeout leads a process group; what the test left in it goes too.
		kill -9 -- -$pid 2>/dev/null
	fi
	weft_clean
	# The machine's, and what a test that was killed has left of it.
	if is_loaded && [ -n "$mem" ]; then echo "$mem" >/proc/sys/net/weft/mem; fi
	note "$1" "$2" $rc $((SECONDS - start))
	[ -z "$WEFT_UNLOAD_EACH" ] || ! is_loaded || step "unload-after-$1-$2" unload
	rm "$out/running.$vm"
}

# Every socket is gone by now, so unloading may take no more than its two seconds. What is left
# behind, a signal cannot end it.
unload()
{
	local n
	rmmod weft &
	for ((n = 0; n < 100; n++)); do
		is_loaded || return 0
		[ -e "/proc/$!/status" ] || break
		sleep 0.1
	done
	! is_loaded
}

# On a kernel with GCOV: what was run of the module, in OUT/gcov.N, for tools/coverage. The kernel
# adds up over all times that it was loaded.
save_gcov()
{
	local file name built
	built=/sys/kernel/debug/gcov$(realpath "$(dirname "$WEFT_KO")")
	[ -d "$built" ] || return 0
	find "$built" -name '*.gcda' | while read -r file; do
		name=$out/gcov.$vm${file#"$built"}
		mkdir -p "${name%/*}"
		cat "$file" >"$name"
	done
}

# One memory cgroup and one clsact stay for as long as the machine runs. With the first of them, and
# with the last, the kernel patches its own code, and an emulated processor may come to the
# breakpoint of that when nobody knows of it any more: the kernel dies of int3, in
# mem_cgroup_sk_alloc() for one. Kernels of ours may have neither.
keep_what_patches()
{
	tc qdisc add dev lo clsact
	mkdir -p /tmp/weft-kept && mount -t cgroup2 none /tmp/weft-kept &&
		echo +memory >/tmp/weft-kept/cgroup.subtree_control && mkdir /tmp/weft-kept/kept
}

keep_what_patches 2>/dev/null
step load insmod "$WEFT_KO" || exit 1
mem=$(cat /proc/sys/net/weft/mem)
runs=0
while [ "$runs" -lt "${WEFT_RUNS:-1000}" ] && read -r test road seconds program _; do
	mkdir "$out/taken.$test.$road" 2>/dev/null || continue
	runs=$((runs + 1))
	is_loaded || step "load-before-$test-$road" insmod "$WEFT_KO" || exit 1
	run_one "$test" "$road" "$seconds" "$program"
done <"$out/plan.$vm"
is_loaded && step unload unload
save_gcov
exit 0
