/* SPDX-License-Identifier: GPL-2.0 */
/* min() and max() refuse mixed types here too, as the oldest kernel does. */
#ifndef WEFT_HOST_MINMAX_H
#define WEFT_HOST_MINMAX_H

#define __pick(x, y, a, op, b) __extension__({				\
	__typeof__(a) x = (a);						\
	__typeof__(b) y = (b);						\
	_Static_assert(__builtin_types_compatible_p(			\
		__typeof__(x), __typeof__(y)), "mixed types");		\
	x op y ? x : y; })
#define __pick_t(t, x, y, a, op, b) __extension__({			\
	t x = (t)(a);							\
	t y = (t)(b);							\
	x op y ? x : y; })

/* Names that no nested use has. */
#define __paste(a, b)		a##b
#define __name(a, b)		__paste(a, b)
#define __pick_n(n, a, op, b) \
	__pick(__name(__l, n), __name(__r, n), a, op, b)
#define __pick_t_n(n, t, a, op, b) \
	__pick_t(t, __name(__l, n), __name(__r, n), a, op, b)

#define min(a, b)		__pick_n(__COUNTER__, a, <, b)
#define max(a, b)		__pick_n(__COUNTER__, a, >, b)
#define min3(a, b, c)		__min3(min(a, b), c)
#define max3(a, b, c)		__max3(max(a, b), c)
#define __min3(ab, c)		__pick_n(__COUNTER__, ab, <, c)
#define __max3(ab, c)		__pick_n(__COUNTER__, ab, >, c)
#define min_t(t, a, b)		__pick_t_n(__COUNTER__, t, a, <, b)
#define max_t(t, a, b)		__pick_t_n(__COUNTER__, t, a, >, b)
#define clamp(v, lo, hi)	__min3(max(v, lo), hi)
#define clamp_t(t, v, lo, hi) \
	__pick_t_n(__COUNTER__, t, \
		   __pick_t_n(__COUNTER__, t, v, >, lo), <, hi)

#define swap(a, b) do {							\
	__typeof__(a) __kept = (a);					\
									\
	(a) = (b);							\
	(b) = __kept;							\
} while (0)

#endif /* WEFT_HOST_MINMAX_H */
