/* SPDX-License-Identifier: GPL-2.0 */
/* How long an answer takes. */
#ifndef WEFT_PROTO_RTT_H
#define WEFT_PROTO_RTT_H

#include <linux/types.h>

#define WEFT_NS_PER_US		1000U
#define WEFT_NS_PER_MS		1000000ULL
#define WEFT_NS_PER_SEC		1000000000ULL

/* Retransmission timeout before there is a sample; its bounds afterwards. */
#define WEFT_RTO_FIRST_NS	WEFT_NS_PER_SEC
#define WEFT_RTO_MIN_NS		(200 * WEFT_NS_PER_MS)
#define WEFT_RTO_MAX_NS		(60 * WEFT_NS_PER_SEC)

/*
 * It is doubled up to this, or up to four times itself. Who asks a dead link
 * with one segment a second does no harm, and sees soon that it lives again.
 */
#define WEFT_RTO_BACKOFF_NS	WEFT_NS_PER_SEC
#define WEFT_RTO_BACKOFF_TIMES	4

/*
 * An acknowledgment that the reader will send is awaited for at most so long:
 * less than any peer waits before it probes for a loss.
 */
#define WEFT_ACK_READ_NS	(500 * WEFT_NS_PER_US)
/* Any other is held back for at most so long. */
#define WEFT_ACK_DELAY_NS	(25 * WEFT_NS_PER_MS)
/* And its timer may be late by so much, which nobody takes for a loss. */
#define WEFT_ACK_LATE_NS	(15 * WEFT_NS_PER_MS)
/* What is believed of a peer that was even later. */
#define WEFT_ACK_HELD_MAX_NS	(200 * WEFT_NS_PER_MS)

/* The least round-trip time is that of the last so many seconds. */
#define WEFT_RTT_MIN_AGE_NS	(10 * WEFT_NS_PER_SEC)

/**
 * struct weft_rtt - round-trip time, RFC 6298 with ns
 * @srtt_ns: smoothed, 0 before the first sample
 * @var_ns: mean deviation
 * @min_ns: least of late
 * @min_at_ns: when that was seen
 * @latest_ns: last sample
 * @first_ns: the timeout before the first sample, 0 for WEFT_RTO_FIRST_NS
 */
struct weft_rtt {
	u64	srtt_ns;
	u64	var_ns;
	u64	min_ns;
	u64	min_at_ns;
	u64	latest_ns;
	u64	first_ns;
};

/** weft_rtt_sample() - an answer came after @sample_ns */
void weft_rtt_sample(struct weft_rtt *rtt, u64 sample_ns, u64 now);

/**
 * weft_rtt_rto() - how long to wait before sending again
 * @backoff: times that was done without an answer since
 */
u64 weft_rtt_rto(const struct weft_rtt *rtt, unsigned int backoff);

/**
 * weft_rtt_backoff() - @first_ns doubled @times times, at most @max_ns
 */
u64 weft_rtt_backoff(u64 first_ns, unsigned int times, u64 max_ns);

#endif /* WEFT_PROTO_RTT_H */
