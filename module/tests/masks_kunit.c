// SPDX-License-Identifier: GPL-2.0
/*
 * Every way to lose frames: of the first 16 that one end sends in a phase of a
 * flow, each subset is lost once, and of the first 6 of both ends, each pair of
 * subsets.
 */
#include <linux/bitops.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/string.h>

#include "sim.h"

#define MSS		100
#define BYTES		(18 * MSS)
#define BUFFER		4096
#define DELAY_NS	(5 * SIM_MS)

#define ALONE_FRAMES	16
#define JOINT_FRAMES	6

/* Each so many-th mask: under a sanitizer, all of them take too long. */
static unsigned int masks_step = 1021;
module_param(masks_step, uint, 0);

/* A phase begins with the first packet of a kind; its frames are counted. */
static const struct phase {
	const char	*name;
	u8		since;
} phases[] = {
	{ "handshake", WEFT_OPEN },
	{ "transfer", WEFT_DATA },
	{ "close", WEFT_CLOSE },
};

static void describe(const struct phase *phase, char *desc)
{
	strscpy(desc, phase->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(phases, phases, describe);

/*
 * With @lost frames lost a flow takes at most this: twenty round trips, and for
 * each lost frame a timeout twice as long as the one before, as if all of them
 * had been the same bytes, sent again and again before there was a round-trip
 * time to go by.
 */
static u64 bound_ns(unsigned int lost)
{
	u64 sum = 40 * DELAY_NS, rto = WEFT_RTO_FIRST_NS;

	while (lost--) {
		sum += rto;
		rto = min_t(u64, 2 * rto, WEFT_RTO_MAX_NS);
	}
	return sum;
}

/* Return: whether all went well, within the time, in bounded memory. */
static bool run_masks(struct kunit *test, struct sim *sim,
		      const struct phase *phase, u64 first, u64 second)
{
	const struct sim_params p = {
		.seed = 1, .mss = MSS, .super_max = 4 * MSS,
		.link = { .delay_ns = DELAY_NS },
		.drop_since = phase->since,
		.limit_ns = bound_ns(hweight64(first) + hweight64(second)),
		.side = {
			{ .bytes = BYTES, .buffer = BUFFER, .drop = first,
			  .early = true },
			{ .bytes = BYTES, .buffer = BUFFER, .drop = second },
		},
	};

	sim_run(sim, &p);
	if (!sim->fault && sim->end[0].over == 1 && sim->end[1].over == 1 &&
	    sim->end[1].created == 1 &&
	    max(sim->end[0].peak_records, sim->end[1].peak_records) <= 2 * BYTES / MSS &&
	    max(sim->end[0].peak_ranges, sim->end[1].peak_ranges) <= BYTES / MSS)
		return true;
	KUNIT_FAIL(test, "%s, masks %#llx and %#llx: %s after %llu us; over %u %u, failed %u %u, records %u %u, ranges %u %u",
		   phase->name, first, second,
		   sim->fault ? sim->fault : "a flow failed or took too much",
		   (sim->now - SIM_BEGIN) / 1000, sim->end[0].over,
		   sim->end[1].over, sim->end[0].failed, sim->end[1].failed,
		   sim->end[0].peak_records, sim->end[1].peak_records,
		   sim->end[0].peak_ranges, sim->end[1].peak_ranges);
	return false;
}

static void masks__opener_alone(struct kunit *test)
{
	struct sim *sim = sim_alloc(test);
	u64 mask;

	for (mask = 0; mask < BIT_ULL(ALONE_FRAMES); mask += masks_step)
		if (!run_masks(test, sim, test->param_value, mask, 0))
			return;
}

static void masks__acceptor_alone(struct kunit *test)
{
	struct sim *sim = sim_alloc(test);
	u64 mask;

	for (mask = 0; mask < BIT_ULL(ALONE_FRAMES); mask += masks_step)
		if (!run_masks(test, sim, test->param_value, 0, mask))
			return;
}

static void masks__both(struct kunit *test)
{
	unsigned int step = masks_step / 16 | 1;
	struct sim *sim = sim_alloc(test);
	u64 both, first, second;

	for (both = 0; both < BIT_ULL(2 * JOINT_FRAMES); both += step) {
		first = both & (BIT_ULL(JOINT_FRAMES) - 1);
		second = both >> JOINT_FRAMES;
		if (!run_masks(test, sim, test->param_value, first, second))
			return;
	}
}

/* The masks mean what they say: all of the first frames were lost. */
static void masks__all_lost(struct kunit *test)
{
	const u64 all = BIT_ULL(ALONE_FRAMES) - 1;
	struct sim *sim = sim_alloc(test);

	run_masks(test, sim, test->param_value, all, 0);
	KUNIT_EXPECT_GT(test, sim->end[0].counted, ALONE_FRAMES);
	run_masks(test, sim, test->param_value, 0, all);
	KUNIT_EXPECT_GT(test, sim->end[1].counted, ALONE_FRAMES);
}

static struct kunit_case masks_cases[] = {
	KUNIT_CASE_PARAM(masks__opener_alone, phases_gen_params),
	KUNIT_CASE_PARAM(masks__acceptor_alone, phases_gen_params),
	KUNIT_CASE_PARAM(masks__both, phases_gen_params),
	KUNIT_CASE_PARAM(masks__all_lost, phases_gen_params),
	{}
};

static struct kunit_suite masks_suite = {
	.name = "weft_masks",
	.test_cases = masks_cases,
};

kunit_test_suite(masks_suite);
