/* SPDX-License-Identifier: GPL-2.0 */
/* Whose memory a socket's is, where the kernel has control groups. */
#ifndef WEFT_MEMCG_H
#define WEFT_MEMCG_H

#include <linux/memcontrol.h>
#include <net/sock.h>

#ifdef CONFIG_MEMCG

/**
 * weft_memcg_inherit() - a child's memory is its listener's
 * @child: to which nothing was charged yet: made in a softirq, in the name of
 *	nobody, or in that of the client
 *
 * The kernel's own (mem_cgroup_sk_alloc()) is not exported. sk_free() gives the
 * reference back.
 */
static inline void weft_memcg_inherit(struct sock *child,
				      const struct sock *listener)
{
	struct mem_cgroup *old = weft_memcg_of(child);
	struct mem_cgroup *memcg = weft_memcg_of(listener);

	if (memcg == old)
		return;
	/* With the flags that newer kernels keep there. */
	child->sk_memcg = memcg && css_tryget(&memcg->css) ?
			  listener->sk_memcg : NULL;
	if (old)
		css_put(&old->css);
}

#else

static inline void weft_memcg_inherit(struct sock *child,
				      const struct sock *listener) { }

#endif

#endif /* WEFT_MEMCG_H */
