/* SPDX-License-Identifier: GPL-2.0 */
/* How much a receiver admits beyond what was read: as much as the path needs. */
#ifndef WEFT_PROTO_WINDOW_H
#define WEFT_PROTO_WINDOW_H

#include <linux/types.h>

/**
 * struct weft_window - a receiver's window, which grows with the flow
 * @bytes: admitted beyond what was read
 * @most: it grows up to this; not at all when @bytes are as many
 * @since_ns: when the round trip began that is looked at, 0 before any
 * @since: bytes read before it
 * @pressed: since then the sender used all of the window, and a gap, not the
 *	reader, was what held it back
 */
struct weft_window {
	u32	bytes;
	u32	most;
	u64	since_ns;
	u64	since;
	bool	pressed;
};

/**
 * weft_window_read() - @read bytes were read since the flow began
 * @rtt_ns: smoothed round-trip time, 0 when it is not known
 *
 * What is read in a round trip is what the sender's window was in the one
 * before. When it is more than half of ours, ours may be what holds the sender
 * back: twice as much is admitted. Where the path changes the order of packets,
 * reading halts at each gap, and round trips that are seen are those of the
 * fastest; there, what shows it is a window that is used up.
 */
void weft_window_read(struct weft_window *w, u64 read, u64 rtt_ns, u64 now);

#endif /* WEFT_PROTO_WINDOW_H */
