/* SPDX-License-Identifier: GPL-2.0 */
/* For kernels without this header: what it declares was here. */
#include <net/sock.h>
