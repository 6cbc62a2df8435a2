#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The KUnit suites on more than one processor; `make kunit` runs them under UML, which has one.
#
# weft-roads: none
# weft-kernels: debug
# weft-timeout: 300
. "$WEFT_LIB"

results=/sys/kernel/debug/kunit
ko=${WEFT_KO%/*}/kunit/module/tests/weft_kunit.ko

# insmod's status says nothing about the cases. Suites' own lines are not indented, cases' are.
passed() { sed -n 's/^    ok [0-9]* \([^ ]*\).*/\1/p' "$1"; }
failed() { sed -n 's/^    not ok [0-9]* \([^ ]*\).*/\1/p' "$1"; }

# blame RESULTS CASE: what it says of a failed case; never true.
blame() { grep -A 12 "# $2: " "$1"; return 1; }

tap_case load insmod "$ko"
tap_case results_are_told ls "$results"/weft_engine/results
for suite in "$results"/*/results; do
	name=${suite%/results} name=${name##*/}
	for c in $(passed "$suite"); do tap_case "$name.$c" true; done
	for c in $(failed "$suite"); do tap_case "$name.$c" blame "$suite" "$c"; done
done
tap_case unload rmmod weft_kunit
tap_done
