/* SPDX-License-Identifier: GPL-2.0 */
/* What a local reader has read becomes what its peer writes into. */
#ifndef WEFT_POOL_H
#define WEFT_POOL_H

#include <linux/types.h>

struct page;
struct sk_buff;
struct sk_buff_head;
struct sock;
struct weft_net;

void weft_pool_init_net(struct weft_net *wn);
void weft_pool_exit_net(struct weft_net *wn);

/**
 * weft_pool_prepare() - have a pool where bytes keep coming; sk owned, or DGRAM
 *
 * To be called once for each skb read. Without memory there is none.
 */
void weft_pool_prepare(struct sock *sk);

/**
 * weft_pool_keep() - recycle what was read; queue lock held
 * @done: local skbs without a charge; what the pool does not take stays, for
 *	the caller to free
 */
void weft_pool_keep(struct sock *sk, struct sk_buff_head *done);

/**
 * weft_pool_keep_one() - recycle an skb without bytes or charge; queue lock held
 *
 * Return: whether the pool took it.
 */
bool weft_pool_keep_one(struct sock *sk, struct sk_buff *skb);

/** weft_pool_skb() - an empty skb of @sk's pool, or NULL; queue lock held */
struct sk_buff *weft_pool_skb(struct sock *sk);

/** weft_pool_strip() - an skb whose data begins where its head does loses its bytes */
void weft_pool_strip(struct sk_buff *skb);

/** weft_pool_page() - a page of @sk's pool with its reference, or NULL */
struct page *weft_pool_page(struct sock *sk);

/** weft_pool_end() - give everything back; sk owned or dead */
void weft_pool_end(struct sock *sk);

#endif /* WEFT_POOL_H */
