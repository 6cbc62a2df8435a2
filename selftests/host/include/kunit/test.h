/* SPDX-License-Identifier: GPL-2.0 */
/*
 * As much of KUnit as the suites of module/tests use, for user space. The
 * suites compile unchanged against the kernel's header of this name.
 */
#ifndef WEFT_HOST_KUNIT_TEST_H
#define WEFT_HOST_KUNIT_TEST_H

#include <inttypes.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/types.h>

#define KUNIT_PARAM_DESC_SIZE	128
#define GFP_KERNEL		0

struct kunit_block;

/**
 * struct kunit - a running case
 * @name: of the case
 * @param_value: parameter of this run, or NULL
 * @failed: an expectation was not met
 * @stop: where a failed assertion goes
 * @blocks: memory that dies with the run
 */
struct kunit {
	const char		*name;
	const void		*param_value;
	void			*priv;
	bool			failed;
	jmp_buf			stop;
	struct kunit_block	*blocks;
};

struct kunit_case {
	void		(*run_case)(struct kunit *test);
	const char	*name;
	const void	*(*generate_params)(const void *prev, char *desc);
};

struct kunit_suite {
	const char		*name;
	struct kunit_case	*test_cases;
	struct kunit_suite	*next;
};

void *kunit_kmalloc(struct kunit *test, size_t size, int flags);
void *kunit_kzalloc(struct kunit *test, size_t size, int flags);
void *kunit_kcalloc(struct kunit *test, size_t n, size_t size, int flags);
void kunit_kfree(struct kunit *test, const void *at);
void kunit_add_suite(struct kunit_suite *suite);
__attribute__((format(printf, 4, 5)))
void kunit_report(struct kunit *test, const char *file, int line,
		  const char *fmt, ...);

#define KUNIT_CASE(fn)			{ .run_case = (fn), .name = #fn }
#define KUNIT_CASE_SLOW(fn)		KUNIT_CASE(fn)
#define KUNIT_CASE_PARAM(fn, gen) \
	{ .run_case = (fn), .name = #fn, .generate_params = (gen) }

#define KUNIT_ARRAY_PARAM(id, array, describe)				\
static const void *id##_gen_params(const void *prev, char *desc)	\
{									\
	__typeof__((array)[0]) *next = prev ?				\
		((__typeof__(next))prev) + 1 : (array);			\
	void (*get_desc)(__typeof__(next), char *) = (describe);	\
									\
	if (next - (array) >= (ptrdiff_t)ARRAY_SIZE(array))		\
		return NULL;						\
	if (get_desc)							\
		get_desc(next, desc);					\
	return next;							\
}

#define kunit_test_suite(suite)						\
static void __attribute__((constructor)) add_##suite(void)		\
{									\
	kunit_add_suite(&(suite));					\
}

#define kunit_info(test, fmt, ...) \
	printf("# %s: " fmt, (test)->name, ##__VA_ARGS__)

#define KUNIT_FAIL(test, fmt, ...) \
	kunit_report(test, __FILE__, __LINE__, fmt, ##__VA_ARGS__)

#define __KUNIT_CHECK(test, ok, after, what, fmt, ...) do {		\
	if (!(ok)) {							\
		KUNIT_FAIL(test, "%s " fmt, what, ##__VA_ARGS__);	\
		after;							\
	}								\
} while (0)

/* Each side is evaluated once, as KUnit does. */
#define __KUNIT_CMP(test, l, op, r, after, fmt, ...) do {		\
	__auto_type __left = (l);					\
	__auto_type __right = (r);					\
									\
	__KUNIT_CHECK(test, __left op __right, after,			\
		      #l " " #op " " #r, "(%lld, %lld) " fmt,		\
		      (long long)__left, (long long)__right,		\
		      ##__VA_ARGS__);					\
} while (0)

#define __STOP(test)	longjmp((test)->stop, 1)

#define KUNIT_EXPECT_TRUE_MSG(test, c, fmt, ...) \
	__KUNIT_CHECK(test, c, , #c, fmt, ##__VA_ARGS__)
#define KUNIT_EXPECT_TRUE(test, c)	KUNIT_EXPECT_TRUE_MSG(test, c, "")
#define KUNIT_EXPECT_FALSE(test, c)	KUNIT_EXPECT_TRUE_MSG(test, !(c), "")
#define KUNIT_EXPECT_FALSE_MSG(test, c, fmt, ...) \
	KUNIT_EXPECT_TRUE_MSG(test, !(c), fmt, ##__VA_ARGS__)
#define KUNIT_ASSERT_TRUE_MSG(test, c, fmt, ...) \
	__KUNIT_CHECK(test, c, __STOP(test), #c, fmt, ##__VA_ARGS__)
#define KUNIT_ASSERT_TRUE(test, c)	KUNIT_ASSERT_TRUE_MSG(test, c, "")
#define KUNIT_ASSERT_FALSE(test, c)	KUNIT_ASSERT_TRUE_MSG(test, !(c), "")

#define KUNIT_EXPECT_EQ(test, l, r)	__KUNIT_CMP(test, l, ==, r, , "")
#define KUNIT_EXPECT_NE(test, l, r)	__KUNIT_CMP(test, l, !=, r, , "")
#define KUNIT_EXPECT_LT(test, l, r)	__KUNIT_CMP(test, l, <, r, , "")
#define KUNIT_EXPECT_LE(test, l, r)	__KUNIT_CMP(test, l, <=, r, , "")
#define KUNIT_EXPECT_GT(test, l, r)	__KUNIT_CMP(test, l, >, r, , "")
#define KUNIT_EXPECT_GE(test, l, r)	__KUNIT_CMP(test, l, >=, r, , "")
#define KUNIT_EXPECT_EQ_MSG(test, l, r, fmt, ...) \
	__KUNIT_CMP(test, l, ==, r, , fmt, ##__VA_ARGS__)
#define KUNIT_EXPECT_GE_MSG(test, l, r, fmt, ...) \
	__KUNIT_CMP(test, l, >=, r, , fmt, ##__VA_ARGS__)
#define KUNIT_EXPECT_LE_MSG(test, l, r, fmt, ...) \
	__KUNIT_CMP(test, l, <=, r, , fmt, ##__VA_ARGS__)
#define KUNIT_ASSERT_EQ(test, l, r) \
	__KUNIT_CMP(test, l, ==, r, __STOP(test), "")
#define KUNIT_ASSERT_LE(test, l, r) \
	__KUNIT_CMP(test, l, <=, r, __STOP(test), "")
#define KUNIT_ASSERT_EQ_MSG(test, l, r, fmt, ...) \
	__KUNIT_CMP(test, l, ==, r, __STOP(test), fmt, ##__VA_ARGS__)
#define KUNIT_ASSERT_NOT_NULL(test, p) \
	KUNIT_ASSERT_TRUE(test, (p) != NULL)
#define KUNIT_ASSERT_NOT_ERR_OR_NULL(test, p) \
	KUNIT_ASSERT_TRUE(test, (p) != NULL)
#define KUNIT_EXPECT_MEMEQ(test, l, r, n) \
	__KUNIT_CHECK(test, !memcmp(l, r, n), , #l " differs from " #r, "")
#define KUNIT_EXPECT_STREQ(test, l, r) \
	__KUNIT_CHECK(test, !strcmp(l, r), , #l " differs from " #r, "")

#endif /* WEFT_HOST_KUNIT_TEST_H */
