// SPDX-License-Identifier: GPL-2.0
/* Round-trip time and retransmission timeout, RFC 6298. */
#include <linux/minmax.h>

#include "rtt.h"

/* No timeout is less than what the scheduler of either end may add. */
#define GRANULARITY_NS	WEFT_NS_PER_MS

void weft_rtt_sample(struct weft_rtt *rtt, u64 sample_ns, u64 now)
{
	u64 off;

	/* Keeps 0 for "no sample", and hostile clocks from overflowing. */
	sample_ns = clamp_t(u64, sample_ns, 1, WEFT_RTO_MAX_NS);
	rtt->latest_ns = sample_ns;
	if (!rtt->srtt_ns || sample_ns <= rtt->min_ns ||
	    now - rtt->min_at_ns > WEFT_RTT_MIN_AGE_NS) {
		rtt->min_ns = sample_ns;
		rtt->min_at_ns = now;
	}
	if (!rtt->srtt_ns) {
		/* RFC 6298 (2.2) */
		rtt->srtt_ns = sample_ns;
		rtt->var_ns = sample_ns / 2;
		return;
	}
	/* RFC 6298 (2.3), alpha = 1/8, beta = 1/4 */
	off = rtt->srtt_ns > sample_ns ? rtt->srtt_ns - sample_ns :
					 sample_ns - rtt->srtt_ns;
	rtt->var_ns = rtt->var_ns - rtt->var_ns / 4 + off / 4;
	rtt->srtt_ns = rtt->srtt_ns - rtt->srtt_ns / 8 + sample_ns / 8;
	rtt->srtt_ns = max_t(u64, rtt->srtt_ns, 1);
}

u64 weft_rtt_backoff(u64 first_ns, unsigned int times, u64 max_ns)
{
	/* Nothing that is waited for here needs more to reach its maximum. */
	return min(first_ns << min(times, 16U), max_ns);
}

u64 weft_rtt_rto(const struct weft_rtt *rtt, unsigned int backoff)
{
	u64 rto = rtt->first_ns ? rtt->first_ns : WEFT_RTO_FIRST_NS;

	/*
	 * RFC 6298 (2.3); samples are net of the peer's delay, so that what it
	 * may hold back an acknowledgment comes on top.
	 */
	if (rtt->srtt_ns)
		rto = rtt->srtt_ns + WEFT_ACK_DELAY_NS +
		      max_t(u64, GRANULARITY_NS, 4 * rtt->var_ns);
	rto = clamp_t(u64, rto, WEFT_RTO_MIN_NS, WEFT_RTO_MAX_NS);
	/* RFC 6298 (5.5), but for the maximum */
	return weft_rtt_backoff(rto, backoff,
				clamp_t(u64, rto * WEFT_RTO_BACKOFF_TIMES,
					WEFT_RTO_BACKOFF_NS, WEFT_RTO_MAX_NS));
}
