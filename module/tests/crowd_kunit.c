// SPDX-License-Identifier: GPL-2.0
/*
 * What flows get of a bad path and of each other: the numbers that this
 * transport promises, each with the room that other seeds need.
 */
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/string.h>

#include "crowd.h"
#include "sim.h"

#define MSS		1436
#define PERCENT		10000

/* A build may ask for longer runs. */
#ifndef CROWD_SECONDS
#define CROWD_SECONDS	8
#endif

/* 100 Mbit/s, 50 ms of queue, one flow, measured after the first 2 s. */
static struct crowd_params *link(struct kunit *test, u32 rtt_ms)
{
	struct crowd_params *p = kunit_kzalloc(test, sizeof(*p), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	p->seed = 1;
	p->mss = MSS;
	p->window = 4 << 20;
	p->ns_per_byte = 80;
	p->queue = 625000;
	p->delay_ns = rtt_ms * SIM_MS / 2;
	p->from_ns = 2 * SIM_SEC;
	p->to_ns = (2 + CROWD_SECONDS) * SIM_SEC;
	p->nr_flows = 1;
	return p;
}

static struct crowd *ran(struct kunit *test, const struct crowd_params *p)
{
	struct crowd *c = crowd_alloc(test);
	const char *fault = crowd_run(c, p);

	KUNIT_EXPECT_TRUE_MSG(test, !fault, "%s", fault ? fault : "");
	return c;
}

/* One flow, and what is at least to arrive, per mille of the link. */
static const struct alone {
	const char	*name;
	u32		goodput;
	u32		rtt_ms;
	u32		loss;
	u64		jitter_ns;
	u64		back_jitter_ns;
	u64		late_ns;
	u64		heap_ns;
	u32		swift;
} paths[] = {
	{ .name = "clean", .goodput = 970, .rtt_ms = 10 },
	{ .name = "loss 1 percent", .goodput = 980, .rtt_ms = 10,
	  .loss = PERCENT },
	{ .name = "loss 5 percent", .goodput = 936, .rtt_ms = 10,
	  .loss = 5 * PERCENT },
	{ .name = "loss 1 percent, late timers", .goodput = 960, .rtt_ms = 10,
	  .loss = PERCENT, .late_ns = 2 * SIM_MS },
	{ .name = "jitter, loss 0.1 percent", .goodput = 960, .rtt_ms = 10,
	  .loss = PERCENT / 10, .jitter_ns = 3 * SIM_MS },
	/* What netem makes of 5 ms and 3 ms of jitter, there and back. */
	{ .name = "jitter both ways, loss 0.1 percent", .goodput = 900,
	  .rtt_ms = 4, .loss = PERCENT / 10, .jitter_ns = 6 * SIM_MS,
	  .back_jitter_ns = 6 * SIM_MS },
	{ .name = "acknowledgments in heaps", .goodput = 950, .rtt_ms = 10,
	  .heap_ns = 5 * SIM_MS },
	{ .name = "100 ms, loss 1 percent", .goodput = 880, .rtt_ms = 100,
	  .loss = PERCENT },
	{ .name = "2 ms, loss 1 percent", .goodput = 960, .rtt_ms = 2,
	  .loss = PERCENT },
	{ .name = "1 percent overtake all", .goodput = 900, .rtt_ms = 40,
	  .swift = PERCENT },
	{ .name = "5 percent overtake all", .goodput = 650, .rtt_ms = 40,
	  .swift = 5 * PERCENT },
	{ .name = "25 percent overtake all", .goodput = 920, .rtt_ms = 20,
	  .swift = 25 * PERCENT },
	{ .name = "1 percent overtake all, loss 1 percent", .goodput = 880,
	  .rtt_ms = 40, .swift = PERCENT, .loss = PERCENT },
	{ .name = "25 percent overtake all, loss 1 percent", .goodput = 900,
	  .rtt_ms = 20, .swift = 25 * PERCENT, .loss = PERCENT },
};

static void describe(const struct alone *path, char *desc)
{
	strscpy(desc, path->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(paths, paths, describe);

static void crowd__alone(struct kunit *test)
{
	const struct alone *path = test->param_value;
	struct crowd_params *p = link(test, path->rtt_ms);
	struct crowd *c;

	p->loss = path->loss;
	p->jitter_ns = path->jitter_ns;
	p->back_jitter_ns = path->back_jitter_ns;
	p->late_ns = path->late_ns;
	p->heap_ns = path->heap_ns;
	p->swift = path->swift;
	c = ran(test, p);
	KUNIT_EXPECT_GE(test, crowd_goodput(c), path->goodput);
	KUNIT_EXPECT_LT(test, crowd_spurious(c), PERCENT);
}

/* The alternatives fill a clean link, too. */
static void crowd__alone_by_other_algorithms(struct kunit *test)
{
	unsigned int i;

	for (i = 1; weft_cc_at(i); i++) {
		struct crowd_params *p = link(test, 10);
		struct crowd *c;

		p->flow[0].cc = weft_cc_at(i);
		c = ran(test, p);
		KUNIT_EXPECT_GE_MSG(test, crowd_goodput(c), 950, "%s",
				    weft_cc_at(i)->name);
	}
}

static struct crowd_params *staggered(struct kunit *test, u32 flows,
				      u64 gap_ns)
{
	struct crowd_params *p = link(test, 10);
	u32 i;

	p->nr_flows = flows;
	for (i = 0; i < flows; i++)
		p->flow[i].start_ns = i * gap_ns;
	return p;
}

/* Per mille: the link, and of its share the flow that has least, at least. */
static struct crowd *shared(struct kunit *test, const struct crowd_params *p,
			    u32 goodput, u32 least)
{
	struct crowd *c = ran(test, p);

	KUNIT_EXPECT_GE(test, crowd_goodput(c), goodput);
	KUNIT_EXPECT_GE(test, crowd_jain(c), 970);
	KUNIT_EXPECT_GE(test, crowd_least(c), least);
	return c;
}

/* Those that come late get as much as those that were there. */
static void crowd__ten_flows_share(struct kunit *test)
{
	struct crowd_params *p = staggered(test, 10, 500 * SIM_MS);
	struct crowd *c;
	u32 i;

	/* Of ten machines, whose clocks have nothing in common. */
	for (i = 0; i < 10; i++)
		p->flow[i].skew_ns = i * 777 * SIM_MS;
	p->from_ns = 10 * SIM_SEC;
	p->to_ns = 20 * SIM_SEC;
	c = shared(test, p, 980, 800);
	KUNIT_EXPECT_LE(test, c->queue_most_ns, 25 * SIM_MS);
}

/* Jitter, and frames that overtake each other, are no reason to take more. */
static void crowd__ten_flows_share_a_path_with_jitter(struct kunit *test)
{
	struct crowd_params *p = staggered(test, 10, 50 * SIM_MS);
	struct crowd *c;

	p->jitter_ns = 3 * SIM_MS;
	p->from_ns = 4 * SIM_SEC;
	p->to_ns = 12 * SIM_SEC;
	c = ran(test, p);
	KUNIT_EXPECT_GE(test, crowd_goodput(c), 970);
	KUNIT_EXPECT_GE(test, crowd_jain(c), 900);
	KUNIT_EXPECT_LE(test, crowd_spurious(c), PERCENT / 100);
}

/* Less than a segment a round trip for each: nobody starves. */
static void crowd__many_flows_share(struct kunit *test)
{
	struct crowd_params *p = staggered(test, 55, 90 * SIM_MS);

	p->from_ns = 20 * SIM_SEC;
	p->to_ns = 30 * SIM_SEC;
	shared(test, p, 980, 700);
}

/*
 * The case `fair` of netbench: ten pairs of machines with one to ten flows each,
 * a pair more every half a second, and a queue that has room for three
 * segments of each flow.
 */
static void crowd__ten_pairs_share(struct kunit *test)
{
	struct crowd_params *p = staggered(test, 55, 0);
	u32 pair, i, n = 0;

	for (pair = 0; pair < 10; pair++)
		for (i = 0; i <= pair; i++, n++) {
			p->flow[n].start_ns = pair * 500 * SIM_MS;
			p->flow[n].skew_ns = pair * 777 * SIM_MS;
		}
	p->queue = 250000;
	p->from_ns = 6 * SIM_SEC;
	p->to_ns = 66 * SIM_SEC;
	shared(test, p, 970, 500);
}

/* Two flows of @cc beside two of CUBIC. */
static struct crowd *beside_cubic(struct kunit *test,
				  const struct weft_cc_ops *cc, u32 queue_ms)
{
	struct crowd_params *p = staggered(test, 4, 10 * SIM_MS);

	p->flow[0].cc = cc;
	p->flow[1].cc = cc;
	p->flow[2].cc = weft_cc_find("cubic");
	p->flow[3].cc = weft_cc_find("cubic");
	p->queue = queue_ms * 12500;
	p->from_ns = 5 * SIM_SEC;
	p->to_ns = (5 + 2 * CROWD_SECONDS) * SIM_SEC;
	return ran(test, p);
}

/*
 * CUBIC is what TCP does. In queues of one path's length to ten, neither kind
 * takes more than four fifths; but for `delay`, which makes room.
 * What is measured is told: the table in Documentation/weft.rst.
 */
static void crowd__beside_cubic(struct kunit *test)
{
	static const u32 queues_ms[] = { 10, 20, 50, 100 };
	const struct weft_cc_ops *cc;
	unsigned int a, i;

	for (a = 0; (cc = weft_cc_at(a)); a++)
		for (i = 0; i < ARRAY_SIZE(queues_ms); i++) {
			struct crowd *c = beside_cubic(test, cc, queues_ms[i]);
			u32 theirs = crowd_part(c, 2, 4);
			u32 ours = crowd_part(c, 0, 2);
			bool yields = cc == &weft_cc_delay;

			kunit_info(test, "%s %u : cubic %u per mille, %u ms\n",
				   cc->name, ours, theirs, queues_ms[i]);
			KUNIT_EXPECT_GE(test, ours, yields ? 1 : 200);
			KUNIT_EXPECT_GE(test, theirs, yields ? 700 : 200);
		}
}

/* 64 bytes there and back while four others fill the link; 2 ms are empty. */
static struct crowd_params *beside_bulk(struct kunit *test,
					const struct weft_cc_ops *cc)
{
	struct crowd_params *p = link(test, 2);
	u32 i;

	p->nr_flows = 5;
	for (i = 0; i < 4; i++)
		p->flow[i].cc = cc;
	p->flow[4].ask = 64;
	p->flow[4].gap_ns = 5 * SIM_MS;
	p->flow[4].start_ns = SIM_SEC;
	return p;
}

static void crowd__short_messages_beside_bulk(struct kunit *test)
{
	struct crowd *c = ran(test, beside_bulk(test, NULL));

	KUNIT_EXPECT_GE(test, crowd_goodput(c), 960);
	/* A fifth of what a full queue would make of it. */
	KUNIT_EXPECT_LE(test, crowd_answer_us(c, 990), 10400);
	KUNIT_EXPECT_LE(test, crowd_answer_us(c, 500), 7000);
}

/*
 * Bulk that fills any queue, that of the machine's own device: short messages
 * wait for no more than the frame that is being sent, each way one. Without that
 * order they would wait for the queue.
 */
static void crowd__short_messages_go_before_bulk(struct kunit *test)
{
	struct crowd_params *p = beside_bulk(test, weft_cc_find("cubic"));
	struct crowd *c;

	c = ran(test, p);
	KUNIT_EXPECT_GE(test, crowd_answer_us(c, 500), 20000);
	p->bands = true;
	c = ran(test, p);
	KUNIT_EXPECT_GE(test, crowd_goodput(c), 950);
	KUNIT_EXPECT_LE(test, crowd_answer_us(c, 990), 2300);
	KUNIT_EXPECT_GE(test, c->nr_answers, CROWD_SECONDS * 100);
}

/* All that a receiver says to bulk: a packet for two full segments. */
static void crowd__bulk_of_four_flows_is_answered_by_halves(struct kunit *test)
{
	struct crowd_params *p = beside_bulk(test, NULL);
	struct crowd *c;
	u32 loss, i;

	for (loss = 0; loss <= PERCENT; loss += PERCENT) {
		p->loss = loss;
		c = ran(test, p);
		for (i = 0; i < 4; i++) {
			u64 frames = c->end[i][0].frames;

			/* Beside that, what opens a gap and what closes it. */
			KUNIT_EXPECT_LE(test, c->end[i][1].acks, frames / 2 +
					3 * frames * loss / SIM_SURE + 50);
			KUNIT_EXPECT_GE(test, frames, 1000);
		}
	}
}

static void crowd__the_rate_changes(struct kunit *test)
{
	struct crowd_params *p = link(test, 10);
	struct crowd *c;

	p->to_ns = 16 * SIM_SEC;
	p->change[0] = (struct crowd_change){ 4 * SIM_SEC, 800 };
	p->change[1] = (struct crowd_change){ 10 * SIM_SEC, 80 };
	c = ran(test, p);
	KUNIT_EXPECT_LE(test, crowd_full_ns(c, 10 * SIM_SEC, 930), 2 * SIM_SEC);
	/* A tenth of the link is enough in between, and two seconds later. */
	KUNIT_EXPECT_LE(test, crowd_full_ns(c, 6 * SIM_SEC, 93), 200 * SIM_MS);
}

static void crowd__the_link_is_down_for_5_s(struct kunit *test)
{
	struct crowd_params *p = link(test, 10);
	struct crowd *c;

	p->to_ns = 16 * SIM_SEC;
	p->change[0] = (struct crowd_change){ 4 * SIM_SEC, 0 };
	p->change[1] = (struct crowd_change){ 9 * SIM_SEC, 80 };
	c = ran(test, p);
	KUNIT_EXPECT_LE(test, crowd_full_ns(c, 9 * SIM_SEC, 930), 2 * SIM_SEC);
}

/* One packet for two full segments; besides, some at both ends of the flow. */
static void crowd__acknowledgments_are_few(struct kunit *test)
{
	struct crowd *c = ran(test, link(test, 10));

	KUNIT_EXPECT_LE(test, c->end[0][1].acks,
			c->end[0][0].frames / 2 + 100);
}

/*
 * A question every 40 ms, so that each answer is acknowledged by a timer, and
 * timers that are late, as those of a busy machine are: nothing is lost, and
 * nothing is sent twice.
 */
static void crowd__an_idle_echo_is_sent_once(struct kunit *test)
{
	struct crowd_params *p = link(test, 0);
	struct crowd *c;

	p->delay_ns = SIM_MS / 10;
	p->late_ns = 8 * SIM_MS;
	p->flow[0].ask = 64;
	p->flow[0].gap_ns = 40 * SIM_MS;
	c = ran(test, p);
	KUNIT_EXPECT_GE(test, c->nr_answers, CROWD_SECONDS * 20);
	KUNIT_EXPECT_EQ(test, c->end[0][0].e.retransmitted, 0);
	KUNIT_EXPECT_EQ(test, c->end[0][1].e.retransmitted, 0);
}

static struct kunit_case crowd_cases[] = {
	KUNIT_CASE_PARAM(crowd__alone, paths_gen_params),
	KUNIT_CASE(crowd__alone_by_other_algorithms),
	KUNIT_CASE(crowd__ten_flows_share),
	KUNIT_CASE(crowd__ten_flows_share_a_path_with_jitter),
	KUNIT_CASE(crowd__many_flows_share),
	KUNIT_CASE(crowd__ten_pairs_share),
	KUNIT_CASE(crowd__beside_cubic),
	KUNIT_CASE(crowd__short_messages_beside_bulk),
	KUNIT_CASE(crowd__short_messages_go_before_bulk),
	KUNIT_CASE(crowd__bulk_of_four_flows_is_answered_by_halves),
	KUNIT_CASE(crowd__the_rate_changes),
	KUNIT_CASE(crowd__the_link_is_down_for_5_s),
	KUNIT_CASE(crowd__acknowledgments_are_few),
	KUNIT_CASE(crowd__an_idle_echo_is_sent_once),
	{}
};

static struct kunit_suite crowd_suite = {
	.name = "weft_crowd",
	.test_cases = crowd_cases,
};

kunit_test_suite(crowd_suite);
