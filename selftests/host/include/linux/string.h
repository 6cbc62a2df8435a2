/* SPDX-License-Identifier: GPL-2.0 */
#ifndef WEFT_HOST_STRING_H
#define WEFT_HOST_STRING_H

#include <string.h>
#include <stdio.h>

#define strscpy(to, from, size)	snprintf(to, size, "%s", from)

#endif /* WEFT_HOST_STRING_H */
