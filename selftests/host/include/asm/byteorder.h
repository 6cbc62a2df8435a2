/* SPDX-License-Identifier: GPL-2.0 */
#ifndef WEFT_HOST_BYTEORDER_H
#define WEFT_HOST_BYTEORDER_H

#include <endian.h>
#include <linux/types.h>

#define cpu_to_be16(v)	((__be16)htobe16(v))
#define cpu_to_be32(v)	((__be32)htobe32(v))
#define cpu_to_be64(v)	((__be64)htobe64(v))
#define be16_to_cpu(v)	be16toh((u16)(v))
#define be32_to_cpu(v)	be32toh((u32)(v))
#define be64_to_cpu(v)	be64toh((u64)(v))

#endif /* WEFT_HOST_BYTEORDER_H */
