// SPDX-License-Identifier: GPL-2.0
/*
 * What sockets keep for the next datagram is given back when none came for a
 * while, by a worker that goes through them, while they are closed. The module's
 * own point (module/fault.h) makes it slow at each; KASAN sees whom it is late
 * for.
 *
 * weft-roads: local
 * weft-kernels: debug
 * weft-cflags: -pthread
 */
#include <sys/resource.h>

#include "weft_test.h"
#include "faults.h"

#define SOCKETS		600
#define ROUNDS		4
/* With so many that were read a socket begins to keep something. */
#define DATAGRAMS	4
/* More than the worker, and all that happens beside it, is slow. */
#define TIMES		1000000

/**
 * struct own - a socket that sends to itself
 * @addr: its own
 */
struct own {
	int fd;
	struct addr addr;
};

FIXTURE(trim)
{
	struct own owns[SOCKETS];
};

static int allow_files(rlim_t nr)
{
	struct rlimit limit = { .rlim_cur = nr, .rlim_max = nr };

	return setrlimit(RLIMIT_NOFILE, &limit);
}

FIXTURE_SETUP(trim)
{
	char times[16];

	if (road()->oracle)
		SKIP(return, "there is no such worker");
	ROAD_OR_SKIP();
	ASSERT_EQ(0, allow_files(SOCKETS + 64));
	ASSERT_EQ(0, mount_debug());
	snprintf(times, sizeof(times), "%d", TIMES);
	ASSERT_EQ(0, set_point("delay", "times", times));
}

FIXTURE_TEARDOWN(trim)
{
	set_point("delay", "probability", "0");
	set_point("delay", "times", "-1");
	umount(DEBUGFS);
}

static int read_some(const struct own *own, int nr)
{
	char byte;

	while (nr--)
		if (send_to(own->fd, "x", 1, &own->addr) != 1 ||
		    recv_one(own->fd, &byte, 1) != 1)
			return -1;
	return 0;
}

/* All of them begin to keep something at about the same time. */
static int open_all(struct own *owns)
{
	int i;

	for (i = 0; i < SOCKETS; i++) {
		owns[i].fd = bound_socket(END_A, SOCK_DGRAM, &owns[i].addr);
		if (read_some(&owns[i], DATAGRAMS - 1))
			return -1;
	}
	for (i = 0; i < SOCKETS; i++)
		if (read_some(&owns[i], 1))
			return -1;
	return 0;
}

/* In an order that is not the worker's. */
static void close_all(const struct own *owns)
{
	struct prng prng = { .seed = now_ms() };
	int first = prng_below(&prng, SOCKETS), i;

	for (i = 0; i < SOCKETS; i++)
		close(owns[(first + i * 7L) % SOCKETS].fd);
}

static bool has_begun(void *left)
{
	return points_left("delay") < *(long *)left;
}

TEST_F_TIMEOUT(trim, a_socket_that_is_closed_meanwhile, 600)
{
	int round;
	long left;

	for (round = 0; round < ROUNDS; round++) {
		ASSERT_EQ(0, open_all(self->owns));
		left = points_left("delay");
		ASSERT_EQ(0, set_point("delay", "probability", "100"));
		ASSERT_TRUE(eventually(has_begun, &left));
		close_all(self->owns);
		ASSERT_EQ(0, set_point("delay", "probability", "0"));
	}
}

TEST_HARNESS_MAIN
