#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Do the scoreboard's programs work? Each workload of weft and its nearest peers, few operations.
# weft-roads: local veth
# weft-timeout: 120
. "$WEFT_LIB"

export BENCH_SMOKE=1
export BENCH_WORKLOADS="stream-64 stream-64K pingpong-64 messages-64 connect request epoll-1 bind-2"
export BENCH_FAMILIES="weft weft-seq weft-dgram unix unix-dgram"

for f in weft weft-seq weft-dgram; do
	for w in $BENCH_WORKLOADS; do
		case "$WEFT_ROAD $w $f" in
		*stream*-seq|*stream*-dgram|*messages*weft|*connect*-dgram|*request*-dgram|*epoll*-dgram) ;;
		*bind*weft|*bind*-seq|veth*bind*) ;;
		*) echo "run,$w,$WEFT_ROAD,$f" ;;
		esac
	done
done >expected

"$WEFT_BIN/bench" >lines
cat lines >&2
tap_case "no row failed" bash -c '! grep ^none lines'
tap_case "every row of weft was run" bash -c 'cut -d, -f1-4 lines | sort -u | comm -13 - <(sort expected) | (! grep .)'
tap_done
