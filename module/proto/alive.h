/* SPDX-License-Identifier: GPL-2.0 */
/* Is the other end still there, though neither has anything to say? */
#ifndef WEFT_PROTO_ALIVE_H
#define WEFT_PROTO_ALIVE_H

#include <linux/types.h>

/**
 * struct weft_keep - how an idle peer is asked
 * @idle_ns: it is, when nothing was heard for so long; 0: it is not
 * @interval_ns: between two questions
 * @count: so many without an answer, and it is gone
 * @limit_ns: if not 0, it is gone when nothing was heard for so long and a
 *	question was asked, and @count does not matter
 */
struct weft_keep {
	u64	idle_ns;
	u64	interval_ns;
	u64	limit_ns;
	u8	count;
};

/**
 * struct weft_alive - what is known of that
 * @heard_ns: when the peer was last heard
 * @asked: questions since
 * @due: one is to be sent
 */
struct weft_alive {
	struct weft_keep keep;
	u64	heard_ns;
	u8	asked;
	bool	due;
};

enum weft_alive_verdict {
	WEFT_ALIVE_WAIT = 0,
	WEFT_ALIVE_ASK,		/* @due is set */
	WEFT_ALIVE_GONE,
};

/** weft_alive_set() - from now on by these rules */
void weft_alive_set(struct weft_alive *a, const struct weft_keep *keep);

/** weft_alive_heard() - anything came from the peer */
void weft_alive_heard(struct weft_alive *a, u64 now);

/** weft_alive_asked() - the question left */
void weft_alive_asked(struct weft_alive *a);

/** weft_alive_deadline() - when to look again, ns, or ~0 */
u64 weft_alive_deadline(const struct weft_alive *a);

/** weft_alive_tick() - time has passed */
enum weft_alive_verdict weft_alive_tick(struct weft_alive *a, u64 now);

#endif /* WEFT_PROTO_ALIVE_H */
