/* SPDX-License-Identifier: GPL-2.0 */
/* The kernel's names for the types of the uapi header that this one hides. */
#ifndef WEFT_HOST_TYPES_H
#define WEFT_HOST_TYPES_H

#include_next <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef unsigned long long u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef long long s64;

#define __aligned(n)	__attribute__((aligned(n)))
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#endif /* WEFT_HOST_TYPES_H */
