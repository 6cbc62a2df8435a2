/* SPDX-License-Identifier: GPL-2.0 */
/* The module is loaded and unloaded by a test; selftests/run.sh says where it is. */
#ifndef WEFT_KO_H
#define WEFT_KO_H

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline int ko_load(void)
{
	int fd = open(getenv("WEFT_KO"), O_RDONLY | O_CLOEXEC);
	int n = syscall(SYS_finit_module, fd, "", 0), error = errno;

	close(fd);
	errno = error;
	return n;
}

/* Without waiting for anybody. */
static inline int ko_unload(void)
{
	return syscall(SYS_delete_module, "weft", O_NONBLOCK);
}

#endif /* WEFT_KO_H */
