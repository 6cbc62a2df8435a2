# SPDX-License-Identifier: GPL-2.0
# Every source file, once. Read by Kbuild, module/tests/Kbuild and selftests/host/Makefile.

# module/
weft-module-files := \
	main.c \
	net.c \
	stats.c \
	trace.c \
	sysctl.c \
	af.c \
	name.c \
	poll.c \
	stream.c \
	dgram.c \
	frags.c \
	sockopt.c \
	info.c \
	proc.c \
	port.c \
	conn.c \
	outqueue.c \
	inqueue.c \
	handover.c \
	listen.c \
	local.c \
	pause.c \
	pieces.c \
	pool.c \
	spare.c \
	record.c \
	node.c \
	session.c \
	send.c \
	receive.c \
	offload.c \
	link.c

# module/, on kernels with fault injection
weft-fault-files := \
	fault.c

# module/proto/
weft-proto-files := \
	packet.c \
	marks.c \
	ended.c \
	engine.c \
	rtx.c \
	range.c \
	rtt.c \
	window.c \
	cc.c \
	cc_rate.c \
	cc_cubic.c \
	cc_delay.c \
	alive.c \
	gather.c \
	frag.c \
	mss.c

# module/tests/: one file per file of proto/, and the simulator
weft-kunit-files := \
	packet_kunit.c \
	marks_kunit.c \
	ended_kunit.c \
	range_kunit.c \
	rtt_kunit.c \
	window_kunit.c \
	cc_kunit.c \
	alive_kunit.c \
	gather_kunit.c \
	frag_kunit.c \
	mss_kunit.c \
	bucket_kunit.c \
	rtx_kunit.c \
	engine_kunit.c \
	hand_kunit.c \
	sim.c \
	sim_kunit.c \
	crowd.c \
	crowd_kunit.c \
	masks_kunit.c
