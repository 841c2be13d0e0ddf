/*
 * The heap of timers against a model: order, stopping, moving, timers that touch others while they fire.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/loop_timer.h"

#define TIMERS 5000

static struct loop_heap heap;
static struct loop_timer timers[TIMERS];
static int64_t last_fired;
static size_t fired;

static void
fire(struct loop_timer *timer)
{
	assert_int_equal(timer->position, 0);
	assert_true(timer->deadline >= last_fired);
	last_fired = timer->deadline;
	fired++;
}

static int
setup(void **state)
{
	(void)state;
	loop_heap_init(&heap);
	for (int i = 0; i < TIMERS; i++)
		timers[i] = (struct loop_timer){ .fire = fire };
	fired = 0;
	last_fired = INT64_MIN;
	random_fast_seed(3);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	loop_heap_free(&heap);
	return 0;
}

static void
check_heap(void)
{
	for (uint32_t i = 0; i < heap.count; i++) {
		assert_int_equal(heap.entries[i].timer->position, i + 1);
		assert_true(heap.entries[i].deadline == heap.entries[i].timer->deadline);
		if (i > 0)
			assert_true(heap.entries[(i - 1) / 4].deadline <= heap.entries[i].deadline);
	}
}

static void
test_random(void **state)
{
	int64_t now = 0;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		struct loop_timer *timer = &timers[random_fast_below(TIMERS)];

		if (random_fast_below(3) == 0)
			loop_heap_stop(&heap, timer);
		else
			assert_true(loop_heap_set(&heap, timer, now + 1 + (int64_t)random_fast_below(1000)));
		if (i % 1000 == 0) {
			size_t due = 0;

			check_heap();
			now += 100;
			for (int k = 0; k < TIMERS; k++)
				due += timers[k].position != 0 && timers[k].deadline <= now ? 1 : 0;
			fired = 0;
			assert_int_equal(loop_heap_fire(&heap, now), due);
			assert_int_equal(fired, due);
			assert_true(loop_heap_next(&heap) > now);
		}
	}
	for (int k = 0; k < TIMERS; k++)
		loop_heap_stop(&heap, &timers[k]);
	assert_int_equal(heap.count, 0);
	assert_true(heap.room <= 64);
	assert_true(loop_heap_next(&heap) == INT64_MAX);
}

static void
fire_again(struct loop_timer *timer)
{
	fired++;
	assert_true(loop_heap_set(&heap, timer, 0));
}

static void
test_set_for_the_past_waits_a_turn(void **state)
{
	(void)state;
	timers[0].fire = fire_again;
	assert_true(loop_heap_set(&heap, &timers[0], 5));
	assert_int_equal(loop_heap_fire(&heap, 10), 1);
	assert_int_equal(loop_heap_fire(&heap, 10), 0);
	assert_int_equal(loop_heap_fire(&heap, 11), 1);
	assert_int_equal(fired, 2);
	assert_int_equal(heap.count, 1);
}

static void
fire_and_stop(struct loop_timer *timer)
{
	fired++;
	for (int i = 0; i < 10; i++)
		if (&timers[i] != timer)
			loop_heap_stop(&heap, &timers[i]);
}

static void
test_stop_others(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++) {
		timers[i].fire = fire_and_stop;
		assert_true(loop_heap_set(&heap, &timers[i], 5));
	}
	assert_int_equal(loop_heap_fire(&heap, 5), 1);
	assert_int_equal(fired, 1);
	assert_int_equal(heap.count, 0);
	loop_heap_stop(&heap, &timers[0]);
}

static void
test_wait(void **state)
{
	(void)state;
	assert_int_equal(loop_heap_wait(&heap, 100, -1), -1);
	assert_int_equal(loop_heap_wait(&heap, 100, 7), 7);
	assert_true(loop_heap_set(&heap, &timers[0], 105));
	assert_int_equal(loop_heap_wait(&heap, 100, -1), 5);
	assert_int_equal(loop_heap_wait(&heap, 100, 7), 5);
	assert_int_equal(loop_heap_wait(&heap, 100, 3), 3);
	assert_int_equal(loop_heap_wait(&heap, 100, 0), 0);
	assert_int_equal(loop_heap_wait(&heap, 200, -1), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_random, setup, teardown),
		cmocka_unit_test_setup_teardown(test_set_for_the_past_waits_a_turn, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stop_others, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wait, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
