// SPDX-License-Identifier: GPL-2.0
/* Faults on demand: their files in debugfs. */
#include <linux/debugfs.h>
#include <linux/fault-inject.h>
#include <linux/kernel.h>

#include "fault.h"

/* Without a probability, until the files are there, none is ever due. */
static struct fault_attr faults[WEFT_FAULTS];
static struct dentry *fault_dir;

static const char * const fault_names[WEFT_FAULTS] = {
	[WEFT_FAULT_ALLOC]	= "fail_alloc",
	[WEFT_FAULT_RX]		= "drop_rx",
	[WEFT_FAULT_TX]		= "drop_tx",
	[WEFT_FAULT_DELAY]	= "delay",
};

void weft_fault_init(void)
{
	unsigned int i;

	fault_dir = debugfs_create_dir("weft", NULL);
	for (i = 0; i < WEFT_FAULTS; i++) {
		faults[i] = (struct fault_attr)FAULT_ATTR_INITIALIZER;
		/* The log is for what is wrong. */
		faults[i].verbose = 0;
		fault_create_debugfs_attr(fault_names[i], fault_dir,
					  &faults[i]);
	}
}

void weft_fault_exit(void)
{
	debugfs_remove(fault_dir);
}

bool weft_fault(enum weft_fault point)
{
	/* Unasked, these do not count for a task's fail-nth. */
	return READ_ONCE(faults[point].probability) &&
	       should_fail(&faults[point], 1);
}
