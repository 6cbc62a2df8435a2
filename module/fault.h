/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Faults on demand, where the kernel's own injection does not reach: fail-nth
 * counts in process context alone, and most of ours happens in softirq. In
 * debugfs below weft/, on kernels with CONFIG_FAULT_INJECTION_DEBUG_FS; on all
 * others these are nothing.
 */
#ifndef WEFT_FAULT_H
#define WEFT_FAULT_H

#include <linux/delay.h>
#include <linux/types.h>

/**
 * enum weft_fault - where a fault may be asked for
 *
 * @WEFT_FAULT_ALLOC: an allocation of the path of a packet has no memory
 * @WEFT_FAULT_RX: a frame that was received is lost
 * @WEFT_FAULT_TX: a frame that is sent is lost
 * @WEFT_FAULT_DELAY: whoever has found something, and no lock of it yet, is
 *	slow
 */
enum weft_fault {
	WEFT_FAULT_ALLOC,
	WEFT_FAULT_RX,
	WEFT_FAULT_TX,
	WEFT_FAULT_DELAY,
	WEFT_FAULTS
};

#if IS_ENABLED(CONFIG_FAULT_INJECTION_DEBUG_FS)

/** weft_fault_init() - make the files; no failure is one of the module's */
void weft_fault_init(void);
void weft_fault_exit(void);

/** weft_fault() - is this one to fail? Any context */
bool weft_fault(enum weft_fault point);

#else

static inline void weft_fault_init(void) { }
static inline void weft_fault_exit(void) { }
static inline bool weft_fault(enum weft_fault point) { return false; }

#endif

/* How slow, in us: longer than another CPU's softirq, also under emulation. */
#define WEFT_FAULT_DELAY_US	1000

/** weft_fault_delay() - let others get here first; any context */
static inline void weft_fault_delay(void)
{
	if (weft_fault(WEFT_FAULT_DELAY))
		udelay(WEFT_FAULT_DELAY_US);
}

#endif /* WEFT_FAULT_H */
