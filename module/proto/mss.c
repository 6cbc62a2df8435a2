// SPDX-License-Identifier: GPL-2.0
/*
 * Black holes: a path that drops large frames without a word (RFC 4821). Sizes
 * that are common come first on the way down; on the way up halves, until what
 * passes and what does not are near each other.
 */
#include <linux/kernel.h>
#include <linux/minmax.h>

#include "mss.h"
#include "wire.h"

/* Payload of frames of 1500, 1024, 512 bytes, and of the least there is. */
static const u32 common[] = {
	1500 - WEFT_HLEN_DATA, 1024 - WEFT_HLEN_DATA, 512 - WEFT_HLEN_DATA,
	WEFT_FRAME_MIN - WEFT_HLEN_DATA,
};

bool weft_mss_set_path(struct weft_mss *m, u32 path)
{
	if (m->path == path)
		return false;
	m->path = path;
	m->now = path;
	m->high = 0;
	m->trial = 0;
	return true;
}

void weft_mss_blocked(struct weft_mss *m, u64 now)
{
	unsigned int i;

	m->trial = 0;
	for (i = 0; i < ARRAY_SIZE(common); i++) {
		if (common[i] >= m->now)
			continue;
		m->high = m->now;
		m->now = common[i];
		m->try_ns = now + WEFT_MSS_TRY_NS;
		m->whole = false;
		return;
	}
}

u32 weft_mss_to_try(const struct weft_mss *m, u64 now)
{
	if (m->now == m->path || m->trial || now < m->try_ns)
		return 0;
	return m->whole ? m->path : m->now + (m->high - m->now) / 2;
}

void weft_mss_tried(struct weft_mss *m, u64 start, u32 payload)
{
	m->trial = payload;
	m->trial_start = start;
}

/* The next trial: at once, or late when there is not much to be found. */
static void plan(struct weft_mss *m, u64 now)
{
	m->trial = 0;
	m->whole = m->high - m->now <= WEFT_MSS_NEAR;
	m->try_ns = m->whole ? now + WEFT_MSS_AGAIN_NS : now;
}

bool weft_mss_acked(struct weft_mss *m, u64 una, u64 now)
{
	if (!m->trial || una < m->trial_start + m->trial)
		return false;
	m->now = m->trial;
	m->high = max(m->high, m->now + 1);
	plan(m, now);
	return true;
}

void weft_mss_lost(struct weft_mss *m, u64 start, u64 now)
{
	if (!m->trial || start != m->trial_start)
		return;
	m->high = min(m->high, m->trial);
	plan(m, now);
}
