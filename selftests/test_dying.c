// SPDX-License-Identifier: GPL-2.0
/*
 * A node dies on one processor while another has found it and handles a packet
 * of it. The module's own point makes that moment long (module/fault.h). Who then
 * makes a reference of a node that is only borrowed is seen by the kernel: its
 * counts complain of what was nought, and KASAN of what was freed.
 *
 * weft-roads: veth
 * weft-kernels: debug
 * weft-cflags: -pthread
 */
#include "weft_test.h"
#include "faults.h"
#include "peer.h"

/* Who dies is slow by chance, too, so not every round comes to it. */
#define PERCENT		"50"
/* Pieces that are kept in all are more. */
#define MOST_ROUNDS	250
#define ENOUGH		10

#define LATER_FLOW	(FLOW + 1)
/* Where nobody listens. */
#define NOBODYS_PORT	9

/**
 * struct shot - a frame that goes when another one goes, from another processor
 * @together: both wait here
 */
struct shot {
	struct peer *peer;
	struct frame frame;
	pthread_barrier_t *together;
	int cpu;
};

static long fire(void *arg)
{
	struct shot *shot = arg;
	int err = run_on(shot->cpu);

	pthread_barrier_wait(shot->together);
	return err ?: emit(shot->peer, &shot->frame);
}

/* Two frames at once. Return: 0 when both have left. */
static int fire_both(struct shot *a, struct shot *b)
{
	pthread_barrier_t together;
	struct task task;
	int err;

	a->cpu = 0;
	b->cpu = 1;
	a->together = &together;
	b->together = &together;
	pthread_barrier_init(&together, NULL, 2);
	err = task_start(&task, fire, a) || fire(b) || !task_join(&task) ||
	      task.result;
	pthread_barrier_destroy(&together);
	return err;
}

static void build_later_open(struct peer *p, struct frame *f, unsigned int port)
{
	begin(p, f, OPEN, F_OPENER);
	put_flow(f, LATER_FLOW, 0, 0);
	put_open(f, 99, port, SOCK_STREAM);
	seal(f);
}

static void build_first_piece(struct peer *p, struct frame *f,
			      unsigned int port)
{
	begin(p, f, DGRAM, 0);
	put_piece(f, 99, port, 7, 0, 3000);
	memset(f->bytes + f->len, 'x', 1000);
	f->len += 1000;
	seal(f);
}

/* A node of B's that has been used, and which nothing holds. */
static int make_idle_node(struct peer *p)
{
	struct frame f;

	if (peer_open(p) || !ask(p))
		return -1;
	build_flow_open(p, &f, NOBODYS_PORT, SOCK_STREAM, "");
	return emit(p, &f) || !await(p, RESET);
}

FIXTURE(dying)
{
	struct peer peer;
	struct addr addr;	/* of a socket at B that takes datagrams */
	int dgram;
};

FIXTURE_VARIANT(dying)
{
	void (*build)(struct peer *p, struct frame *f, unsigned int port);
	/* What B counts when the node was dead for the second look. */
	const char *late;
};

FIXTURE_VARIANT_ADD(dying, under_an_open)
{
	.build = build_later_open, .late = "drop_state",
};

FIXTURE_VARIANT_ADD(dying, under_a_piece)
{
	.build = build_first_piece, .late = "drop_limit",
};

FIXTURE_SETUP(dying)
{
	if (road()->oracle)
		SKIP(return, "frames of weft have no oracle");
	ROAD_OR_SKIP();
	self->dgram = bound_socket(END_B, SOCK_DGRAM, &self->addr);
	ASSERT_LE(0, self->dgram);
	ASSERT_EQ(0, mount_debug());
	ASSERT_EQ(0, set_point("delay", "times", "-1"));
	ASSERT_EQ(0, set_point("delay", "probability", PERCENT));
}

FIXTURE_TEARDOWN(dying)
{
	set_point("delay", "probability", "0");
	umount(DEBUGFS);
	close(self->dgram);
}

TEST_F_TIMEOUT(dying, a_borrowed_node_is_not_held, 600)
{
	long long before = count_of(variant->late), late = 0;
	struct shot packet, end;
	int round;

	for (round = 0; round < MOST_ROUNDS && late < ENOUGH; round++) {
		struct peer *peer = &self->peer;

		ASSERT_EQ(0, make_idle_node(peer));
		packet.peer = peer;
		end.peer = peer;
		variant->build(peer, &packet.frame, addr_port(&self->addr));
		build_badsession(peer, &end.frame, peer->session);
		ASSERT_EQ(0, fire_both(&packet, &end));
		close(peer->fd);
		late = count_of(variant->late) - before;
	}
	TH_LOG("%lld of %d came to a node that was dead", late, round);
	EXPECT_LE(ENOUGH, late);
}

TEST_HARNESS_MAIN
