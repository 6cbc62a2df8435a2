// SPDX-License-Identifier: GPL-2.0
/*
 * The module goes while the ends of sockets that were closed are still to come:
 * where the kernel is told rcu_nocbs=all, as on laptops, they are callbacks that
 * may be seconds late.
 *
 * weft-roads: none
 * weft-append: rcu_nocbs=all
 */
#include <sys/wait.h>

#include "weft_test.h"
#include "ko.h"

#define SOCKETS		20
/* So many, and a socket has what those get that read much. */
#define READS		8
#define ROUNDS		10

static int used_socket(int from)
{
	struct addr own;
	int fd = end_socket(END_B, SOCK_DGRAM), i;
	char c;

	end_addr(&own, END_B, SOCK_DGRAM, 0);
	if (bind_to(fd, &own) || own_addr(fd, &own))
		return -1;
	for (i = 0; i < READS; i++)
		if (sendto(from, "x", 1, 0, &own.sa, own.len) != 1 ||
		    recv(fd, &c, 1, 0) != 1)
			return -1;
	return fd;
}

/* All are closed when their process ends, on another processor than ours. */
static int use_sockets(void)
{
	int from = end_socket(END_A, SOCK_DGRAM), i;

	if (run_on(1))
		return errno;
	for (i = 0; i < SOCKETS; i++)
		if (used_socket(from) < 0)
			return errno;
	return 0;
}

TEST(unloading_behind_sockets_that_were_closed)
{
	int i, status;
	pid_t pid;

	if (road()->oracle)
		SKIP(return, "it is weft that is unloaded");
	ASSERT_EQ(0, run_on(0));
	for (i = 0; i < ROUNDS; i++) {
		pid = fork();
		if (!pid)
			exit(use_sockets());
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		ASSERT_EQ(0, status);
		ASSERT_EQ(0, ko_unload());
		ASSERT_EQ(0, ko_load());
	}
}

TEST_HARNESS_MAIN
