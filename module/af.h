/* SPDX-License-Identifier: GPL-2.0 */
/* The family: what main.c and net.c call. */
#ifndef WEFT_AF_H
#define WEFT_AF_H

#include <linux/atomic.h>

struct weft_net;

int weft_af_init(void);
/** weft_af_exit() - waits for the last socket: frames of ours may hold some */
void weft_af_exit(void);
int weft_af_register(int family);
void weft_af_unregister(void);
/** weft_af_exit_net() - end the orphans of a namespace that goes away */
void weft_af_exit_net(struct weft_net *wn);

extern long weft_sysctl_mem[3];
/** weft_af_set_mem() - @weft_sysctl_mem has changed, and counts from now on */
void weft_af_set_mem(void);

/* main.c: sockets that exist, and the family's number. */
extern atomic_t weft_live;
extern int weft_family_number;

#endif /* WEFT_AF_H */
