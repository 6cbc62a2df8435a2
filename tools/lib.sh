# SPDX-License-Identifier: GPL-2.0
# Shared by the scripts in tools/: messages, the cache, progress. Sourced, not run.
# shellcheck shell=bash

WEFT_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# What takes minutes to make lives outside the tree, so that a fresh clone finds it again.
WEFT_CACHE=${WEFT_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/weft}
export WEFT_CACHE
# sudo and cron hand over a PATH without these.
case ":$PATH:" in
*:/usr/sbin:*) ;;
*) PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin; export PATH ;;
esac

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { say "$@"; exit 1; }

# The first line of standard input, or as many as it is told. Unlike head it reads the rest as well:
# a writer that is left alone dies of SIGPIPE, and with pipefail whoever asked dies with it.
first() { sed -n "1,${1:-1}p"; }

# need_cmd PROGRAM...: stop unless every program is installed.
need_cmd()
{
	local c
	for c; do
		command -v "$c" >/dev/null 2>&1 ||
			die "'$c' is not installed. Run \`sudo tools/setup\`, which installs everything that is needed."
	done
}

# hash_of FILE|STRING...: a short key made from files and strings.
hash_of()
{
	local a
	for a; do
		if [ -f "$a" ]; then cat "$a"; else printf '%s\n' "$a"; fi
	done | sha256sum | cut -c1-16
}

# quietly LABEL LOG CMD...: run CMD with its output in LOG; say that it goes on every
# 20 seconds, how long it took, and the end of LOG when it failed.
quietly()
{
	local label=$1 log=$2 start=$SECONDS pid rc=0
	shift 2
	mkdir -p "$(dirname "$log")"
	"$@" >"$log" 2>&1 </dev/null &
	pid=$!
	tell_progress "$label" "$pid" &
	local ticker=$!
	wait "$pid" || rc=$?
	kill "$ticker" 2>/dev/null || true
	wait "$ticker" 2>/dev/null || true
	if [ "$rc" -ne 0 ]; then
		tail -n 25 "$log" >&2
		say "$label: failed with status $rc; the last lines are above, all of them in $log"
		return "$rc"
	fi
	say "$label: done in $((SECONDS - start)) s"
}

tell_progress()
{
	local start=$SECONDS n=0
	while kill -0 "$2" 2>/dev/null; do
		sleep 1
		n=$((n + 1))
		[ $((n % 20)) -ne 0 ] || say "$1: still at it after $((SECONDS - start)) s"
	done
}

# with_lock NAME CMD...: one process at a time makes the cached thing NAME.
with_lock()
{
	local lock="$WEFT_CACHE/$1.lock"
	shift
	mkdir -p "$WEFT_CACHE"
	(
		flock -n 9 || { say "waiting for another run that makes the same thing ($lock)"; flock 9; }
		"$@" 9>&-
	) 9>"$lock"
}

# Virtual machines that run at a time.
vm_width() { local n; n=$(nproc); echo $((n < 4 ? n : 4)); }

# How many times longer things take then: the machines take each other's time.
vm_slowness() { echo $(($(vm_width) > 1 ? 2 : 1)); }

# start_job CMD...: in the background, when a place is free; its process is noted in started. A
# process group of its own, so that end_jobs, which belongs into a trap, ends all of it.
started=()
start_job()
{
	while [ "$(jobs -rp | wc -l)" -ge "$(vm_width)" ]; do wait -n || true; done
	set -m
	"$@" </dev/null &
	set +m
	started+=("$!")
}

end_jobs()
{
	local pid
	for pid in "${started[@]}"; do kill -TERM -- "-$pid" 2>/dev/null || true; done
}

# run_counted LOG CMD...: run what ends with `N passed, N failed, N skipped`; the rest is shown as it
# comes, and all of it is in LOG. The numbers are left in n_passed, n_failed and n_skipped.
run_counted()
{
	local log=$1 count rc=0
	shift
	mkdir -p "$(dirname "$log")"
	"$@" 2>&1 </dev/null | tee "$log" | { grep --line-buffered -vE '^[0-9]+ passed, ' || true; } || rc=$?
	count=$(grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$log" | tail -n 1 || true)
	read -r n_passed n_failed n_skipped < <(printf '%s\n' "${count:-0 0 0}" | tr -dc '0-9 \n')
	# Without a count, or with a status that the count does not explain, something went wrong.
	if [ -z "$count" ] || { [ $rc -ne 0 ] && [ "$n_failed" -eq 0 ]; }; then n_failed=$((n_failed + 1)); fi
}
