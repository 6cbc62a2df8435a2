/* SPDX-License-Identifier: GPL-2.0 */
#ifndef WEFT_HOST_BUILD_BUG_H
#define WEFT_HOST_BUILD_BUG_H

#define __one_assert(expr, msg, ...)	_Static_assert(expr, msg)
#define static_assert(expr, ...) __one_assert(expr, ##__VA_ARGS__, #expr)
#define BUILD_BUG_ON(cond)		_Static_assert(!(cond), #cond)

#endif /* WEFT_HOST_BUILD_BUG_H */
