// SPDX-License-Identifier: GPL-2.0
/*
 * Kill every process in the network namespaces that are named, and wait until they are gone. What
 * `ip netns pids NAME | xargs kill -9` does, in one process for all.
 *
 * weft-cflags: -static
 */
#include <dirent.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static ino_t inode_of(const char *format, const char *name)
{
	char path[300];
	struct stat st;

	snprintf(path, sizeof(path), format, name);
	return stat(path, &st) ? 0 : st.st_ino;
}

static bool is_one_of(ino_t ns, const ino_t *those, int n)
{
	while (n--)
		if (those[n] && those[n] == ns)
			return true;
	return false;
}

/* Return: how many there were. */
static int kill_all(const ino_t *those, int n)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int found = 0;
	pid_t pid;

	while (proc && (entry = readdir(proc))) {
		pid = atoi(entry->d_name);
		if (pid <= 1 || pid == getpid())
			continue;
		if (!is_one_of(inode_of("/proc/%s/ns/net", entry->d_name), those, n))
			continue;
		kill(pid, SIGKILL);
		found++;
	}
	if (proc)
		closedir(proc);
	return found;
}

int main(int argc, char **argv)
{
	ino_t those[64] = { 0 };
	int i, tries = 100;

	for (i = 1; i < argc && i < 64; i++)
		those[i] = inode_of("/run/netns/%s", argv[i]);
	while (kill_all(those, 64) && tries--)
		usleep(20000);
	return tries < 0;
}
