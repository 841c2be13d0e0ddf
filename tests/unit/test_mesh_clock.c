/*
 * mesh_clock.c: the clock of this machine passes, and one that runs apart on another processor does not.  The file is included,
 * with a clock that can be put out of step on the second thread.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/loop.h"

static _Thread_local bool first_thread;
static _Atomic int64_t second_is_ahead; /* ns */

static int64_t
test_clock(void)
{
	return (clock_monotonic)() + (first_thread ? 0 : second_is_ahead);
}

#define clock_monotonic() test_clock()
#include "ipc/mesh_clock.c"

static int
processors(void)
{
	cpu_set_t set;

	assert_int_equal(pthread_getaffinity_np(pthread_self(), sizeof(set), &set), 0);
	return CPU_COUNT(&set);
}

static void
this_machine(void **state)
{
	cpu_set_t before, after;

	(void)state;
	first_thread = true;
	second_is_ahead = 0;
	assert_int_equal(pthread_getaffinity_np(pthread_self(), sizeof(before), &before), 0);
	assert_true(mesh_clock_check(20 * LOOP_MILLISECOND));
	assert_int_equal(pthread_getaffinity_np(pthread_self(), sizeof(after), &after), 0);
	assert_true(CPU_EQUAL(&before, &after));
}

/* A check that never got to play would be worth nothing. */
static void
it_plays(void **state)
{
	cpu_set_t before, first;
	unsigned rounds = 0;
	int a = 0, b;

	(void)state;
	if (processors() < 2)
		skip(); /* nothing to compare */
	first_thread = true;
	second_is_ahead = 0;
	assert_int_equal(pthread_getaffinity_np(pthread_self(), sizeof(before), &before), 0);
	while (!CPU_ISSET((size_t)a, &before))
		a++;
	for (b = a + 1; !CPU_ISSET((size_t)b, &before); b++)
		;
	first = mesh_clock_only(a);
	assert_int_equal(pthread_setaffinity_np(pthread_self(), sizeof(first), &first), 0);
	assert_true(mesh_clock_play(b, 2 * LOOP_SECOND, &rounds));
	assert_true(rounds > 10);
	assert_int_equal(pthread_setaffinity_np(pthread_self(), sizeof(before), &before), 0);
}

static void
out_of_step(void **state)
{
	static const int64_t offsets[] = { -LOOP_SECOND, -LOOP_MILLISECOND, LOOP_MILLISECOND, LOOP_SECOND };

	(void)state;
	if (processors() < 2)
		skip(); /* nothing to compare */
	first_thread = true;
	for (size_t i = 0; i < sizeof(offsets) / sizeof(*offsets); i++) {
		second_is_ahead = offsets[i];
		assert_false(mesh_clock_check(4 * LOOP_SECOND));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(this_machine),
		cmocka_unit_test(it_plays),
		cmocka_unit_test(out_of_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
