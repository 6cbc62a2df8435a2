/* SPDX-License-Identifier: GPL-2.0 */
#ifndef WEFT_HOST_MODULE_H
#define WEFT_HOST_MODULE_H

#define MODULE_LICENSE(text)		struct weft_host_unused
#define MODULE_DESCRIPTION(text)	struct weft_host_unused

#endif /* WEFT_HOST_MODULE_H */
