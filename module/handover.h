/* SPDX-License-Identifier: GPL-2.0 */
/* From one namespace of this machine to another, without a packet. */
#ifndef WEFT_HANDOVER_H
#define WEFT_HANDOVER_H

#include <linux/types.h>

struct sock;

/**
 * weft_handover() - give what may be sent to the peer's socket, if that can be
 *
 * Note "Hand-over": all of the write queue, and the end of the stream, that the
 * peer takes, where that is a socket of this machine, and nothing on the way
 * could tell. What is left goes as packets do.
 *
 * sk is owned by the calling task, and its spinlock not held: not for BH, and not
 * for release_sock()'s callback.
 *
 * Return: true when something was given; then what is left was sent, the timer is
 * set, and the flow may be over.
 */
bool weft_handover(struct sock *sk);

/**
 * weft_handover_open() - begin a flow with a listener of this machine, if so
 *
 * As weft_handover(), for one whose engine was told to open it, without bytes.
 * Where nobody listens, or has room, a packet is answered as ever.
 *
 * Return: true when it is open now, and needs no OPEN.
 */
bool weft_handover_open(struct sock *sk);

#endif /* WEFT_HANDOVER_H */
