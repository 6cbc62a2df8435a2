/* SPDX-License-Identifier: GPL-2.0 */
/* Counters of a namespace, and the reasons why packets are dropped. */
#ifndef WEFT_STATS_H
#define WEFT_STATS_H

#include <linux/percpu.h>
#include <linux/types.h>

struct net;
struct sk_buff;
struct weft_net;

/*
 * Each X(name) is a counter in /proc/net/weft_stat. Names are never reused.
 * Drops come first: the enum of a drop reason is the enum of its counter.
 */
#define WEFT_DROPS(X)							\
	X(drop_short)		/* fewer bytes than the lengths say */	\
	X(drop_check)		/* the checksum is wrong */		\
	X(drop_version)							\
	X(drop_kind)							\
	X(drop_flag)		/* unknown critical flag */		\
	X(drop_header)		/* header too short for its kind */	\
	X(drop_field)		/* a value that none may have */	\
	X(drop_hello)		/* introduction or answer not asked for */ \
	X(drop_session)		/* unknown session id */		\
	X(drop_flow)		/* flow unknown or not of this kind */	\
	X(drop_port)		/* nobody listens there */		\
	X(drop_backlog)		/* listener's or socket's backlog full */ \
	X(drop_rcvbuf)		/* receive buffer full */		\
	X(drop_memory)		/* no memory */				\
	X(drop_filter)		/* the socket's own filter */		\
	X(drop_fragment)	/* of a datagram: contradicts, or late */ \
	X(drop_limit)		/* a limit of the namespace */		\
	X(drop_rate)		/* rate limit */			\
	X(drop_state)		/* duplicate, or late for its flow */	\
	X(drop_device)		/* device not enabled, or gone */	\
	X(drop_unreachable)	/* the node did not answer */		\
	X(drop_conflict)	/* a second place claims a live address */ \
	X(drop_foreign)		/* not addressed to this host */

#define WEFT_COUNTS(X)							\
	X(in_packets)							\
	X(in_bytes)							\
	X(out_packets)		/* super-packets count as one */	\
	X(out_bytes)							\
	X(out_who)							\
	X(out_here)							\
	X(out_badsession)						\
	X(out_reset)							\
	X(out_closed)							\
	X(out_retransmits)						\
	X(local_bytes)							\
	X(handovers)		/* of out_packets: given, and not sent */ \
	X(dgrams_cut)		/* sent in pieces */			\
	X(dgrams_joined)	/* that came in pieces, and are whole */ \
	X(opens_active)							\
	X(opens_passive)						\
	X(opens_early)		/* of these, with bytes in OPEN */	\
	X(orphans_reset)	/* closed, and there were too many */	\
	X(resets_in)							\
	X(timeouts)							\
	X(node_conflicts)

#define WEFT_STAT_ENUM(name) WEFT_STAT_##name,
enum weft_stat {
	WEFT_DROPS(WEFT_STAT_ENUM)
	WEFT_COUNTS(WEFT_STAT_ENUM)
	WEFT_STATS
};

struct weft_stats {
	u64	value[WEFT_STATS];
};

/** weft_count() - add to a counter of a namespace; any context */
void weft_count(struct weft_net *wn, enum weft_stat stat, u64 n);

/**
 * weft_drop() - the only way a packet is dropped: count, trace, free
 *
 * Consumes skb (which may be NULL: then only counted).
 */
void weft_drop(struct weft_net *wn, struct sk_buff *skb, enum weft_stat why);

int weft_stats_init_net(struct weft_net *wn);
void weft_stats_exit_net(struct weft_net *wn);

#endif /* WEFT_STATS_H */
