// SPDX-License-Identifier: GPL-2.0
#include <linux/minmax.h>

#include "gather.h"

bool weft_gather_holds(struct weft_gather *g, u64 now)
{
	if (g->end) {
		g->writes = min(g->writes + 1, WEFT_GATHER_WRITES);
		return true;
	}
	if (!g->step) {
		g->step = WEFT_GATHER_FIRST;
		g->in = WEFT_GATHER_FIRST;
	}
	if (g->in) {
		g->in--;
		return false;
	}
	g->end = now + WEFT_GATHER_NS;
	g->writes = 1;
	return true;
}

void weft_gather_over(struct weft_gather *g)
{
	if (!g->end)
		return;
	g->end = 0;
	if (g->writes >= WEFT_GATHER_WRITES) {
		g->step = WEFT_GATHER_FIRST;
		return;
	}
	g->in = g->step;
	g->step = min(g->step * 4, WEFT_GATHER_LAST);
}

void weft_gather_read(struct weft_gather *g)
{
	if (g->step)
		g->in = max_t(u16, g->in, WEFT_GATHER_FIRST);
}
