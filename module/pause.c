// SPDX-License-Identifier: GPL-2.0
/*
 * Pauses. A reader that is woken by each small write of a stream costs more than
 * the writes: the scheduler lets it run at once, it finds one, and sleeps again.
 * So a reader that does nothing but read sleeps for PAUSE_NS, not to be woken
 * before unless much waits, as long as such pauses find PAUSE_WRITES or more. A
 * pause that found fewer was in vain, and the next comes only after many sleeps,
 * each time after more: where writes are seldom, or where the writer waits for
 * what the reader does, there are next to none.
 */
#include <linux/hrtimer.h>
#include <linux/wait.h>
#include <net/sock.h>

#include "pause.h"

#define PAUSE_NS	(50 * NSEC_PER_USEC)
#define PAUSE_WRITES	4
/* Sleeps before a pause is tried, at first, at most, and how they grow; log2. */
#define PAUSE_FIRST	4
#define PAUSE_LAST	14
#define PAUSE_GROWTH	2

/* Sleeps are counted in the reader's context; two readers may miscount. */
static bool count_sleep(struct weft_sock *wsk)
{
	u16 in = READ_ONCE(wsk->pause_in);

	if (READ_ONCE(wsk->answers)) {
		WRITE_ONCE(wsk->answers, false);
		return false;
	}
	if (!READ_ONCE(wsk->pause_step)) {
		WRITE_ONCE(wsk->pause_step, PAUSE_FIRST);
		in = 1 << PAUSE_FIRST;
	}
	if (in)
		WRITE_ONCE(wsk->pause_in, --in);
	return !in;
}

bool weft_pause_begin(struct sock *sk)
{
	struct weft_sock *wsk = weft_sk(sk);

	/* A poller hears of each append, and so do those who sleep beside it. */
	if (wsk->road == WEFT_ROAD_WIRE || READ_ONCE(wsk->polled) ||
	    !count_sleep(wsk))
		return false;
	WRITE_ONCE(wsk->pause_from, READ_ONCE(wsk->rx_records));
	WRITE_ONCE(wsk->rx_seldom, true);
	return true;
}

static void learn(struct weft_sock *wsk)
{
	u32 writes = READ_ONCE(wsk->rx_records) - READ_ONCE(wsk->pause_from);
	int step = READ_ONCE(wsk->pause_step);

	if (writes >= PAUSE_WRITES) {
		WRITE_ONCE(wsk->pause_step, PAUSE_FIRST);
		return;
	}
	WRITE_ONCE(wsk->pause_in, 1 << step);
	WRITE_ONCE(wsk->pause_step, min(step + PAUSE_GROWTH, PAUSE_LAST));
}

void weft_pause_sleep(struct sock *sk, struct wait_queue_entry *wait,
		      bool (*is_over)(const struct sock *sk), long *timeo)
{
	ktime_t timeout = ns_to_ktime(PAUSE_NS);
	unsigned long begun = jiffies;

	/* As wait_woken(), whose end this has no need of. */
	set_current_state(TASK_INTERRUPTIBLE);
	if (!is_over(sk) && !(READ_ONCE(wait->flags) & WQ_FLAG_WOKEN))
		schedule_hrtimeout(&timeout, HRTIMER_MODE_REL);
	__set_current_state(TASK_RUNNING);
	remove_wait_queue(sk_sleep(sk), wait);
	if (*timeo != MAX_SCHEDULE_TIMEOUT)
		*timeo -= min_t(long, *timeo, jiffies - begun);
	WRITE_ONCE(weft_sk(sk)->rx_seldom, false);
	learn(weft_sk(sk));
	/* Those who sleep beside us were not told either. */
	if (wq_has_sleeper(sk_sleep(sk)))
		sk->sk_data_ready(sk);
}
