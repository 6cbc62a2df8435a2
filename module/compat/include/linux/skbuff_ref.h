/* SPDX-License-Identifier: GPL-2.0 */
/* Before 6.10 what it has was in linux/skbuff.h. */
#include <linux/skbuff.h>
