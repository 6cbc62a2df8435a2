// SPDX-License-Identifier: GPL-2.0
/* Keepalive, by the rules of RFC 9293 section 3.8.4. */
#include "alive.h"

#define ASKED_MAX	255

void weft_alive_set(struct weft_alive *a, const struct weft_keep *keep)
{
	a->keep = *keep;
	a->asked = 0;
	a->due = false;
}

void weft_alive_heard(struct weft_alive *a, u64 now)
{
	a->heard_ns = now;
	a->asked = 0;
	a->due = false;
}

void weft_alive_asked(struct weft_alive *a)
{
	a->due = false;
	if (a->asked < ASKED_MAX)
		a->asked++;
}

u64 weft_alive_deadline(const struct weft_alive *a)
{
	if (!a->keep.idle_ns || a->due)
		return ~0ULL;
	return a->heard_ns + a->keep.idle_ns + a->asked * a->keep.interval_ns;
}

static bool is_gone(const struct weft_alive *a, u64 now)
{
	if (!a->asked)
		return false;
	if (a->keep.limit_ns)
		return now - a->heard_ns >= a->keep.limit_ns;
	return a->asked >= a->keep.count;
}

enum weft_alive_verdict weft_alive_tick(struct weft_alive *a, u64 now)
{
	if (now < weft_alive_deadline(a))
		return WEFT_ALIVE_WAIT;
	if (is_gone(a, now))
		return WEFT_ALIVE_GONE;
	a->due = true;
	return WEFT_ALIVE_ASK;
}
