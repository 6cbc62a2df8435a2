/* SPDX-License-Identifier: GPL-2.0 */
#ifndef WEFT_HOST_BITOPS_H
#define WEFT_HOST_BITOPS_H

#define BIT(n)		(1UL << (n))
#define BIT_ULL(n)	(1ULL << (n))
#define hweight64(n)	((unsigned int)__builtin_popcountll(n))

#endif /* WEFT_HOST_BITOPS_H */
