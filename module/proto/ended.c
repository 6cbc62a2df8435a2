// SPDX-License-Identifier: GPL-2.0
#include <linux/string.h>

#include "ended.h"

/* Where @id is in a table, or may be put. There is always a free slot. */
static unsigned int find_slot(const u64 *ids, u64 id)
{
	unsigned int at = id % WEFT_ENDED_SLOTS;

	while (ids[at] && ids[at] != id)
		at = (at + 1) % WEFT_ENDED_SLOTS;
	return at;
}

bool weft_ended_has(const struct weft_ended *ended, u64 id)
{
	return ended->ids[0][find_slot(ended->ids[0], id)] ||
	       ended->ids[1][find_slot(ended->ids[1], id)];
}

void weft_ended_add(struct weft_ended *ended, u64 id)
{
	u64 *ids;

	if (weft_ended_has(ended, id))
		return;
	if (ended->nr == WEFT_ENDED_MAX) {
		ended->generation++;
		ended->nr = 0;
		memset(ended->ids[ended->generation % 2], 0,
		       sizeof(ended->ids[0]));
	}
	ids = ended->ids[ended->generation % 2];
	ids[find_slot(ids, id)] = id;
	ended->nr++;
}
