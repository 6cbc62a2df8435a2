// SPDX-License-Identifier: GPL-2.0
/*
 * Datagrams that wait for a node to answer, and those that are sent while the
 * answer is handled on another processor, leave in the order of their calls.
 * The module's own point (module/fault.h) makes that moment long.
 *
 * weft-roads: veth
 * weft-kernels: debug
 * weft-cflags: -pthread
 */
#include "weft_test.h"
#include "faults.h"
#include "peer.h"

/* Datagrams that wait before the answer; others follow while it is handled. */
#define WAITING		4
/* As many as are looked for before the queue is left, were each found alone. */
#define ALL		11
#define ROUNDS		30
#define PORT		7

/**
 * struct answerer - who answers from another processor
 * @together: both wait here
 */
struct answerer {
	struct peer *peer;
	pthread_barrier_t together;
};

static long answer_there(void *arg)
{
	struct answerer *answerer = arg;
	int err = run_on(1);

	pthread_barrier_wait(&answerer->together);
	return err ?: say_here(answerer->peer);
}

static bool send_numbers(int fd, int first, int end)
{
	for (; first < end; first++)
		if (send(fd, &first, sizeof(first), MSG_NOSIGNAL) !=
		    sizeof(first))
			return false;
	return true;
}

/*
 * What is in the datagrams, in the order in which B numbered their packets: the
 * devices of two processors hand them over as they like. Return: 0, or -1.
 */
static int take_numbers(struct peer *p, int *numbers)
{
	uint64_t packets[ALL], packet;
	int number, i, nr;

	for (nr = 0; nr < ALL; nr++) {
		if (!await(p, DGRAM))
			return -1;
		packet = get_int_at(&p->in, AT_SESSION + 8, 8);
		memcpy(&number, p->in.bytes + ETH_BYTES + p->in.bytes[AT_HLEN],
		       sizeof(number));
		for (i = nr; i && packets[i - 1] > packet; i--) {
			packets[i] = packets[i - 1];
			numbers[i] = numbers[i - 1];
		}
		packets[i] = packet;
		numbers[i] = number;
	}
	return 0;
}

FIXTURE(order)
{
	struct answerer answerer;
	struct peer peer;
	int fd;
};

FIXTURE_SETUP(order)
{
	if (road()->oracle)
		SKIP(return, "frames of weft have no oracle");
	ROAD_OR_SKIP();
	ASSERT_EQ(0, run_on(0));
	self->answerer.peer = &self->peer;
	pthread_barrier_init(&self->answerer.together, NULL, 2);
	ASSERT_EQ(0, mount_debug());
	ASSERT_EQ(0, set_point("delay", "times", "-1"));
	ASSERT_EQ(0, set_point("delay", "probability", "100"));
}

FIXTURE_TEARDOWN(order)
{
	set_point("delay", "probability", "0");
	umount(DEBUGFS);
	pthread_barrier_destroy(&self->answerer.together);
}

TEST_F(order, none_overtakes_those_that_wait)
{
	struct peer *peer = &self->peer;
	struct addr to;
	struct task task;
	int numbers[ALL], round, i;

	for (round = 0; round < ROUNDS; round++) {
		ASSERT_EQ(0, peer_open(peer));
		set_addr(&to, &peer->addr, PORT);
		self->fd = end_socket(END_B, SOCK_DGRAM);
		ASSERT_EQ(0, connect_to(self->fd, &to));
		ASSERT_TRUE(send_numbers(self->fd, 0, WAITING));
		ASSERT_TRUE(hear_question(peer));
		ASSERT_EQ(0, task_start(&task, answer_there, &self->answerer));
		pthread_barrier_wait(&self->answerer.together);
		EXPECT_TRUE(send_numbers(self->fd, WAITING, ALL));
		ASSERT_TRUE(task_join(&task));
		ASSERT_EQ(0, task.result);
		ASSERT_EQ(0, take_numbers(peer, numbers));
		for (i = 0; i < ALL; i++)
			ASSERT_EQ(i, numbers[i]);
		close(self->fd);
		close(peer->fd);
	}
}

TEST_HARNESS_MAIN
