// SPDX-License-Identifier: GPL-2.0
/* Runs the suites that are linked in and prints KTAP; 0 when all passed. */
#include <stdarg.h>

#include <kunit/test.h>
#include <linux/module.h>

#define PARAMS_MAX	8

/* Expectations that one run may miss before it is ended. */
#define REPORTS_MAX	10

struct kunit_block {
	struct kunit_block	*next;
	/* What follows is the caller's, aligned for anything. */
	_Alignas(16) unsigned char bytes[];
};

static struct kunit_suite *suites;
static struct {
	const char	*name;
	unsigned int	*value;
} params[PARAMS_MAX];
static unsigned int nr_params;
static unsigned int passed, failed;
static int reports;

void kunit_add_suite(struct kunit_suite *suite)
{
	struct kunit_suite **at = &suites;

	while (*at && strcmp((*at)->name, suite->name) < 0)
		at = &(*at)->next;
	suite->next = *at;
	*at = suite;
}

void kunit_add_param(const char *name, unsigned int *value)
{
	if (nr_params == PARAMS_MAX)
		abort();
	params[nr_params].name = name;
	params[nr_params++].value = value;
}

static bool set_param(const char *arg)
{
	const char *value = strchr(arg, '=');
	unsigned int i;

	for (i = 0; value && i < nr_params; i++)
		if (strlen(params[i].name) == value - arg &&
		    !strncmp(params[i].name, arg, value - arg)) {
			*params[i].value = strtoul(value + 1, NULL, 0);
			return true;
		}
	return false;
}

void *kunit_kzalloc(struct kunit *test, size_t size, int flags)
{
	struct kunit_block *block = calloc(1, sizeof(*block) + size);

	(void)flags;
	if (!block)
		return NULL;
	block->next = test->blocks;
	test->blocks = block;
	return block->bytes;
}

void *kunit_kmalloc(struct kunit *test, size_t size, int flags)
{
	return kunit_kzalloc(test, size, flags);
}

void *kunit_kcalloc(struct kunit *test, size_t n, size_t size, int flags)
{
	return kunit_kzalloc(test, n * size, flags);
}

void kunit_kfree(struct kunit *test, const void *at)
{
	struct kunit_block **link = &test->blocks;

	for (; *link; link = &(*link)->next) {
		struct kunit_block *block = *link;

		if (block->bytes != at)
			continue;
		*link = block->next;
		free(block);
		return;
	}
}

void kunit_report(struct kunit *test, const char *file, int line,
		  const char *fmt, ...)
{
	va_list args;

	test->failed = true;
	printf("    # %s: %s:%d: ", test->name, file, line);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
	if (++reports >= REPORTS_MAX)
		longjmp(test->stop, 1);
}

static bool run_once(const struct kunit_case *c, const void *param)
{
	struct kunit test = { .name = c->name, .param_value = param };

	reports = 0;
	if (!setjmp(test.stop))
		c->run_case(&test);
	while (test.blocks)
		kunit_kfree(&test, test.blocks->bytes);
	return !test.failed;
}

static bool run_case(const struct kunit_case *c, unsigned int number)
{
	char desc[KUNIT_PARAM_DESC_SIZE] = "";
	const void *param = NULL;
	bool ok = true;

	if (!c->generate_params)
		ok = run_once(c, NULL);
	else
		while ((param = c->generate_params(param, desc))) {
			bool one = run_once(c, param);

			printf("        %sok - %s\n", one ? "" : "not ", desc);
			ok = ok && one;
		}
	printf("    %sok %u %s\n", ok ? "" : "not ", number, c->name);
	fflush(stdout);
	return ok;
}

static bool run_suite(const struct kunit_suite *suite, unsigned int number)
{
	const struct kunit_case *c;
	unsigned int n = 0, bad = 0;

	for (c = suite->test_cases; c->run_case; c++)
		n++;
	printf("    KTAP version 1\n    # Subtest: %s\n    1..%u\n",
	       suite->name, n);
	for (n = 0, c = suite->test_cases; c->run_case; c++)
		if (!run_case(c, ++n))
			bad++;
	printf("%sok %u %s\n", bad ? "not " : "", number, suite->name);
	passed += n - bad;
	failed += bad;
	return !bad;
}

/* An argument sets a parameter, or selects the suites whose name holds it. */
static const char *read_arguments(int argc, char **argv)
{
	const char *chosen = "";

	while (--argc > 0) {
		argv++;
		if (!strchr(*argv, '=')) {
			chosen = *argv;
		} else if (!set_param(*argv)) {
			fprintf(stderr, "no such parameter: %s\n", *argv);
			exit(2);
		}
	}
	return chosen;
}

int main(int argc, char **argv)
{
	const char *chosen = read_arguments(argc, argv);
	struct kunit_suite *suite;
	unsigned int n = 0;

	for (suite = suites; suite; suite = suite->next)
		n += strstr(suite->name, chosen) != NULL;
	printf("KTAP version 1\n1..%u\n", n);
	for (n = 0, suite = suites; suite; suite = suite->next)
		if (strstr(suite->name, chosen))
			run_suite(suite, ++n);
	printf("# Totals: pass:%u fail:%u skip:0 total:%u\n", passed, failed,
	       passed + failed);
	return failed || !passed;
}
