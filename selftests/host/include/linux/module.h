/* SPDX-License-Identifier: GPL-2.0 */
#ifndef WEFT_HOST_MODULE_H
#define WEFT_HOST_MODULE_H

/* A parameter is an argument NAME=NUMBER of the program. */
void kunit_add_param(const char *name, unsigned int *value);

#define module_param(name, type, perm)					\
static void __attribute__((constructor)) add_param_##name(void)		\
{									\
	kunit_add_param(#name, &(name));				\
}									\
struct weft_host_unused

#define MODULE_LICENSE(text)		struct weft_host_unused
#define MODULE_DESCRIPTION(text)	struct weft_host_unused

#endif /* WEFT_HOST_MODULE_H */
