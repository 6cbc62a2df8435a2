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
