/* SPDX-License-Identifier: GPL-2.0 */
#ifndef WEFT_INFO_H
#define WEFT_INFO_H

struct sock;
struct weft_info;

/** weft_info_fill() - all of @info; sk owned, not of datagrams */
void weft_info_fill(struct sock *sk, struct weft_info *info);

#endif /* WEFT_INFO_H */
