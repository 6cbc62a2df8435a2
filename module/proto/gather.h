/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Small writes of a stream, made into larger packets.
 *
 * A packet for each costs many times what the write does. Nagle's rule (RFC 896)
 * holds the second back until the first is acknowledged, and a writer that then
 * waits for an answer waits for the peer's delayed acknowledgment as well. Here
 * nobody waits but a writer that does nothing but write: after WEFT_GATHER_FIRST
 * small writes without a read among them what follows is held, for
 * WEFT_GATHER_NS. A hold that found less than WEFT_GATHER_WRITES was in vain, and
 * the next comes only after many writes, each time after more.
 */
#ifndef WEFT_PROTO_GATHER_H
#define WEFT_PROTO_GATHER_H

#include <linux/types.h>

#define WEFT_GATHER_NS		50000ULL
#define WEFT_GATHER_WRITES	4
#define WEFT_GATHER_FIRST	16
#define WEFT_GATHER_LAST	16384

/* A write is small below this, bytes. */
#define WEFT_GATHER_BYTES	16384

/**
 * struct weft_gather - a stream's writer, by what it did; all 0: nothing yet
 * @end: until when small writes are held, ns; 0: they are not
 * @writes: what this hold has found
 * @in: so many writes go by themselves before the next hold
 * @step: what @in becomes when one was in vain; 0: not one write was made
 */
struct weft_gather {
	u64	end;
	u16	writes;
	u16	in;
	u16	step;
};

/** weft_gather_holds() - a small write was made: is it to wait? */
bool weft_gather_holds(struct weft_gather *g, u64 now);

/** weft_gather_over() - what was held leaves, in time or before; or none was */
void weft_gather_over(struct weft_gather *g);

/** weft_gather_read() - the writer has read something: it may wait for answers */
void weft_gather_read(struct weft_gather *g);

#endif /* WEFT_PROTO_GATHER_H */
