// SPDX-License-Identifier: GPL-2.0
/*
 * Print the node address of each network namespace that is named, a line each. What
 * `ip netns exec NAME sysctl -n net.weft.node` prints, in one process for all: under emulation
 * every exec costs.
 *
 * weft-cflags: -static
 */
#include <err.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char text[256];
	ssize_t n;
	int fd, i;

	for (i = 1; i < argc; i++) {
		snprintf(text, sizeof(text), "/run/netns/%s", argv[i]);
		fd = open(text, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
			err(1, "cannot enter namespace %s", argv[i]);
		close(fd);
		fd = open("/proc/sys/net/weft/node", O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			err(1, "cannot read net.weft.node in %s; is weft loaded?", argv[i]);
		n = read(fd, text, sizeof(text));
		close(fd);
		if (n <= 0 || write(1, text, n) != n)
			err(1, "cannot pass on net.weft.node of %s", argv[i]);
	}
	return 0;
}
