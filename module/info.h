/* SPDX-License-Identifier: GPL-2.0 */
#ifndef WEFT_INFO_H
#define WEFT_INFO_H

struct sock;
struct tcp_info;
struct weft_info;

/** weft_info_fill() - all of @info; sk owned, not of datagrams */
void weft_info_fill(struct sock *sk, struct weft_info *info);

/** weft_info_fill_tcp() - the same as TCP_INFO tells it; what TCP alone has is 0 */
void weft_info_fill_tcp(struct sock *sk, struct tcp_info *tcp);

#endif /* WEFT_INFO_H */
