// SPDX-License-Identifier: GPL-2.0
/* The receive window: dynamic right-sizing by the reader's round trips. */
#include <linux/minmax.h>

#include "window.h"

void weft_window_read(struct weft_window *w, u64 read, u64 rtt_ns, u64 now)
{
	u64 took = now - w->since_ns;
	u64 bytes = read - w->since;
	u64 want = w->bytes;

	if (w->bytes >= w->most || !rtt_ns)
		return;
	if (w->since_ns && took < rtt_ns)
		return;
	/* A reader that paused reads more than came in a round trip. */
	if (w->since_ns && took < 2 * rtt_ns && bytes > w->bytes / 2)
		want = max(want, 2 * bytes);
	if (w->pressed)
		want = max_t(u64, want, w->bytes + (u64)w->bytes / 2);
	w->bytes = min_t(u64, want, w->most);
	w->pressed = false;
	w->since_ns = now;
	w->since = read;
}
