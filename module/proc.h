/* SPDX-License-Identifier: GPL-2.0 */
/* /proc/net/weft: the table of sockets. */
#ifndef WEFT_PROC_H
#define WEFT_PROC_H

struct weft_net;

int weft_proc_init_net(struct weft_net *wn);
void weft_proc_exit_net(struct weft_net *wn);

#endif /* WEFT_PROC_H */
