# SPDX-License-Identifier: GPL-2.0
# weft, an out-of-tree kernel module.
#
#   make               build/KERNEL/weft.ko for the running kernel, or KDIR=/path/to/headers
#   make demo          watch two hosts talk, in a virtual machine
#   make check         every test there is; ends with `N passed, N failed, N skipped`
#
# Parts of it:
#   make layers        the include order and the length of functions
#   make unit          proto/ and its tests in user space; RUNS= is how many random networks
#   make fuzz          fuzz proto/ in user space; FUZZ_RUNS= TARGETS= choose, see tools/fuzz
#   make lint          sparse, W=1 and shellcheck; LINT_DEEP=1 for checkpatch, coccinelle and clang
#   make kunit         the tests of proto/ as a KUnit module under User-Mode Linux
#   make kselftest     socket tests in virtual machines; KERNELS="VERSION..." TESTS= ROADS= choose
#   make faults        no memory, at every place, on the debug kernel
#   make planted       plant each classic bug in a copy of the tree: a test has to see it; see tools/planted
#
# And what it leaves out:
#   make debug         the socket tests on a kernel with KASAN, lockdep, kmemleak and more (built once)
#   make soak          the long forms of some of them, for hours; SOAK= chooses, see tools/soak
#   make oracle        does what judges a run in a virtual machine turn it red?
#   make model         every order of events of a flow, with Spin
#   make coverage      lines and branches that the tests run, as HTML in build/coverage; see tools/coverage
#   make bench         the scoreboard, side by side with every peer; tools/bench tells the choices
#   make netbench      weft beside TCP on bad networks; NETBENCH_CASES= NETBENCH_RUNS= see tools/netbench
#
#   make clean
#
# WEFT_CFLAGS=-D... goes to the compiler; OUT= builds somewhere else than build/KERNEL.

KDIR ?= $(firstword $(wildcard /lib/modules/$(shell uname -r)/build) \
	$(shell ls -d /lib/modules/*/build 2>/dev/null | sort -rV))
KVER := $(shell sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' $(KDIR)/include/generated/utsrelease.h 2>/dev/null)
OUT ?= build/$(KVER)
override OUT := $(abspath $(OUT))

# BTF needs a vmlinux, which headers packages do not have; without this every build says so.
KBUILD = +$(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc)) -C $(KDIR) CONFIG_DEBUG_INFO_BTF_MODULES= \
	WEFT_CFLAGS="$(WEFT_CFLAGS)" WEFT_GCOV="$(WEFT_GCOV)"

.PHONY: module kdir check demo unit fuzz kunit kselftest debug faults soak oracle bench netbench planted coverage model \
	layers lint clean

module: kdir
	@tools/link-tree $(OUT)
	$(KBUILD) M=$(OUT) modules
	@echo "built $(patsubst $(CURDIR)/%,%,$(OUT))/$(if $(WEFT_KUNIT),module/tests/weft_kunit.ko,weft.ko)"

kdir:
	@test -n "$(KVER)" || { echo "make: no kernel headers in '$(KDIR)'. \
	Install them (\`sudo tools/setup\` does), or give KDIR=/path/to/headers." >&2; exit 1; }
	@test "$(origin KDIR)" != file || test "$(KDIR)" = "/lib/modules/$$(uname -r)/build" || \
	echo "make: there are no headers of the running kernel, $$(uname -r): building for $(KVER) instead" >&2

check:
	@tools/check

demo:
	@tools/demo

unit:
	@tools/unit

fuzz:
	@tools/fuzz

kunit:
	@tools/kunit

kselftest:
	@tools/kselftest

bench:
	@tools/bench

debug:
	@tools/debug

faults:
	@tools/faults

soak:
	@tools/soak

oracle:
	@tools/oracle

netbench:
	@tools/netbench

planted:
	@tools/planted

coverage:
	@tools/coverage

model:
	@tools/model

layers:
	@tools/layers

lint:
	@tools/lint

clean:
	rm -rf build
