/* SPDX-License-Identifier: GPL-2.0 */
/* Tracepoints: what became of packets and of nodes. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM weft

#if !defined(WEFT_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define WEFT_TRACE_H

#include <linux/in6.h>
#include <linux/tracepoint.h>

#include "node.h"
#include "stats.h"

#define WEFT_DROP_ENUM(name) TRACE_DEFINE_ENUM(WEFT_STAT_##name);
#define WEFT_DROP_TEXT(name) { WEFT_STAT_##name, #name },

WEFT_DROPS(WEFT_DROP_ENUM)
TRACE_DEFINE_ENUM(WEFT_STATS);
TRACE_DEFINE_ENUM(WEFT_NODE_ASKING);
TRACE_DEFINE_ENUM(WEFT_NODE_UP);
TRACE_DEFINE_ENUM(WEFT_NODE_DEAD);

TRACE_EVENT(weft_drop,
	TP_PROTO(unsigned int netns, unsigned int why, unsigned int len),
	TP_ARGS(netns, why, len),
	TP_STRUCT__entry(
		__field(unsigned int, netns)
		__field(unsigned int, why)
		__field(unsigned int, len)
	),
	TP_fast_assign(
		__entry->netns = netns;
		__entry->why = why;
		__entry->len = len;
	),
	TP_printk("netns=%u why=%s len=%u", __entry->netns,
		  __print_symbolic(__entry->why,
				   WEFT_DROPS(WEFT_DROP_TEXT)
				   { WEFT_STATS, "none" }),
		  __entry->len)
);

TRACE_EVENT(weft_node_state,
	TP_PROTO(const struct in6_addr *addr, unsigned int old,
		 unsigned int new),
	TP_ARGS(addr, old, new),
	TP_STRUCT__entry(
		__array(__u8, addr, 16)
		__field(unsigned int, old)
		__field(unsigned int, new)
	),
	TP_fast_assign(
		memcpy(__entry->addr, addr, 16);
		__entry->old = old;
		__entry->new = new;
	),
	TP_printk("node=%pI6c %s -> %s", __entry->addr,
		  __print_symbolic(__entry->old,
				   { WEFT_NODE_ASKING, "ASKING" },
				   { WEFT_NODE_UP, "UP" },
				   { WEFT_NODE_DEAD, "DEAD" }),
		  __print_symbolic(__entry->new,
				   { WEFT_NODE_ASKING, "ASKING" },
				   { WEFT_NODE_UP, "UP" },
				   { WEFT_NODE_DEAD, "DEAD" }))
);

#endif /* WEFT_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
