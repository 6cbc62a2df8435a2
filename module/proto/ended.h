/* SPDX-License-Identifier: GPL-2.0 */
/* Sessions that are over: their ids are not good once more. */
#ifndef WEFT_PROTO_ENDED_H
#define WEFT_PROTO_ENDED_H

#include "wire.h"

/* Of each generation; more than half of the slots are never in use. */
#define WEFT_ENDED_MAX		512
#define WEFT_ENDED_SLOTS	(2 * WEFT_ENDED_MAX)

/**
 * struct weft_ended - ids of sessions in which something was done
 * @generation: of the ids that are made now; such ids, and those of the
 *	generation before, are good, and no others
 * @nr: ids of this generation
 * @ids: of this generation and of the one before, each in a table with open
 *	addressing; 0 is free
 *
 * An id that ended stays here as long as it would be good. A generation lasts
 * until it has as many as it can, so that none is ever forgotten too soon.
 *
 * The caller serialises; all zero is empty.
 */
struct weft_ended {
	u32		generation;
	unsigned int	nr;
	u64		ids[2][WEFT_ENDED_SLOTS];
};

/** weft_ended_has() - did a session with this id end, as far as is remembered? */
bool weft_ended_has(const struct weft_ended *ended, u64 id);

/** weft_ended_add() - a session has ended; @id is random, and not 0 */
void weft_ended_add(struct weft_ended *ended, u64 id);

#endif /* WEFT_PROTO_ENDED_H */
