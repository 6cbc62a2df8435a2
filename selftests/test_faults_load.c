// SPDX-License-Identifier: GPL-2.0
/*
 * The module is loaded while the first, then the second, and so on to the last
 * of the places fails where that can find no memory: it is not loaded then, and
 * leaves nothing.
 *
 * weft-roads: none
 * weft-kernels: debug
 * weft-timeout: 900
 */
#include "weft_test.h"
#include "faults.h"
#include "ko.h"

FIXTURE(module) {};

FIXTURE_SETUP(module)
{
	ASSERT_EQ(0, prepare_injection());
	/* It leaks a cache's name when it fails, and says so at length. */
	ASSERT_EQ(0, spare_function("__kmem_cache_create_args"));
}

FIXTURE_TEARDOWN(module)
{
	umount(DEBUGFS);
}

TEST_F_TIMEOUT(module, is_loaded_under_faults, TEST_TIMEOUT_RUNNER)
{
	unsigned int nth;
	bool fired = true;

	ASSERT_EQ(0, unshare(CLONE_NEWNET));
	ASSERT_EQ(0, ko_unload());
	for (nth = 1; fired && nth < MOST_FAULTS; nth++) {
		int n;

		ASSERT_EQ(0, arm(nth));
		n = ko_load();
		fired = disarm();
		if (!n) {
			ASSERT_EQ(0, ko_unload());
			continue;
		}
		ASSERT_TRUE(fired && is_clean(errno))
			TH_LOG("fault %u: %s", nth, strerror(errno));
	}
	EXPECT_FALSE(fired);
	TH_LOG("%u faults met", nth - 2);
	EXPECT_LT(20, nth);
	ASSERT_EQ(0, ko_load());
}

TEST_HARNESS_MAIN
