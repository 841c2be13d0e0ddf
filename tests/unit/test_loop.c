/*
 * The loop: descriptors, removal inside callbacks, signals, clocks and chance.  Timers alone are in test_loop_timer.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <sys/socket.h>

#include "base/loop.h"

struct end {
	struct loop_io io;
	struct loop *loop;
	uint32_t seen;
	int calls;
	struct end *victim; /* removed by the callback */
};

static void
ready(struct loop_io *io, uint32_t events)
{
	struct end *end = io->arg;
	char buffer[64];

	end->seen |= events;
	end->calls++;
	if ((events & LOOP_READ) != 0)
		(void)!read(io->fd, buffer, sizeof(buffer));
	if (end->victim != NULL && end->victim->io.events != 0)
		loop_io_remove(end->loop, &end->victim->io);
}

static void
watch(struct loop *loop, struct end *end, int fd, uint32_t events)
{
	memset(end, 0, sizeof(*end));
	end->loop = loop;
	end->io = (struct loop_io){ .fd = fd, .ready = ready, .arg = end };
	assert_int_equal(loop_io_add(loop, &end->io, events), 0);
}

static void
make_pair(int fds[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
}

static void
test_events(void **state)
{
	struct loop *loop = loop_create();
	struct end end;
	int fds[2];

	(void)state;
	assert_non_null(loop);
	make_pair(fds);
	watch(loop, &end, fds[0], LOOP_READ);
	assert_int_equal(loop_wait(loop, 0), 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(loop_wait(loop, LOOP_FOREVER), 1);
	assert_int_equal(end.seen, LOOP_READ);
	assert_int_equal(loop_wait(loop, 0), 0);
	loop_io_set(loop, &end.io, LOOP_READ | LOOP_WRITE);
	assert_int_equal(loop_wait(loop, LOOP_FOREVER), 1);
	assert_int_equal(end.seen, LOOP_READ | LOOP_WRITE);
	loop_io_set(loop, &end.io, 0);
	assert_int_equal(loop_wait(loop, 0), 0);
	close(fds[1]);
	assert_int_equal(loop_wait(loop, LOOP_FOREVER), 1);
	assert_true((end.seen & LOOP_HANGUP) != 0);
	loop_io_remove(loop, &end.io);
	assert_int_equal(loop_wait(loop, 0), 0);
	assert_int_equal(end.calls, 3);
	close(fds[0]);
	loop_free(loop);
	loop_free(NULL);
}

/* Two are ready; the first one called removes the other, which must not be called any more. */
static void
test_remove_what_is_fetched(void **state)
{
	struct loop *loop = loop_create();
	struct end a, b;
	int first[2], second[2];

	(void)state;
	make_pair(first);
	make_pair(second);
	watch(loop, &a, first[0], LOOP_READ);
	watch(loop, &b, second[0], LOOP_READ);
	a.victim = &b;
	b.victim = &a;
	assert_int_equal(write(first[1], "x", 1), 1);
	assert_int_equal(write(second[1], "x", 1), 1);
	assert_int_equal(loop_wait(loop, LOOP_FOREVER), 1);
	assert_int_equal(a.calls + b.calls, 1);
	assert_int_equal(loop_wait(loop, 0), 0);
	loop_io_remove(loop, a.io.events != 0 ? &a.io : &b.io);
	for (int i = 0; i < 2; i++) {
		close(first[i]);
		close(second[i]);
	}
	loop_free(loop);
}

static void
fire(struct loop_timer *timer)
{
	(*(int *)timer->arg)++;
}

static void
test_timer_ends_wait(void **state)
{
	struct loop *loop = loop_create();
	int fired = 0;
	struct loop_timer timer = { .fire = fire, .arg = &fired };
	int64_t start = clock_monotonic();

	(void)state;
	assert_int_equal(loop_next_deadline(loop), INT64_MAX);
	assert_true(loop_timer_set(loop, &timer, start + 3 * LOOP_MILLISECOND));
	assert_true(loop_timer_is_set(&timer));
	assert_int_equal(loop_timer_count(loop), 1);
	assert_true(loop_next_deadline(loop) == start + 3 * LOOP_MILLISECOND);
	assert_int_equal(loop_wait(loop, LOOP_FOREVER), 1);
	assert_true(loop_now(loop) >= start + 3 * LOOP_MILLISECOND);
	assert_int_equal(fired, 1);
	assert_false(loop_timer_is_set(&timer));
	/* A timeout before the deadline ends the wait without it. */
	assert_true(loop_timer_set(loop, &timer, loop_now(loop) + 1000 * LOOP_SECOND));
	assert_int_equal(loop_wait(loop, LOOP_MILLISECOND), 0);
	loop_timer_stop(loop, &timer);
	assert_int_equal(loop_timer_count(loop), 0);
	assert_true(loop_update_now(loop) >= loop_now(loop));
	loop_free(loop);
}

static int caught_number;
static pid_t caught_sender;

static void
caught(struct loop_signals *signals, int number, pid_t sender)
{
	(void)signals;
	caught_number = number;
	caught_sender = sender;
}

static void
test_signals(void **state)
{
	struct loop *loop = loop_create();
	struct loop_signals signals = { .caught = caught };
	sigset_t mask;

	(void)state;
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	assert_int_equal(loop_signals_open(loop, &signals, &mask), 0);
	assert_int_equal(kill(getpid(), SIGUSR1), 0);
	assert_int_equal(loop_wait(loop, LOOP_FOREVER), 1);
	assert_int_equal(caught_number, SIGUSR1);
	assert_int_equal(caught_sender, getpid());
	assert_int_equal(loop_wait(loop, 0), 0);
	loop_signals_close(loop, &signals);
	loop_signals_close(loop, &signals);
	loop_free(loop);
}

static void
test_clocks(void **state)
{
	int64_t before = clock_monotonic();
	int64_t wall = clock_wall();

	(void)state;
	for (int i = 0; i < 1000; i++) {
		int64_t now = clock_monotonic();

		assert_true(now >= before);
		before = now;
	}
	assert_true(wall > INT64_C(1700000000) * LOOP_SECOND);
}

static void
test_chance(void **state)
{
	uint8_t bytes[64] = { 0 };
	uint64_t first;
	uint32_t counts[7] = { 0 };
	double chi = 0;

	(void)state;
	random_bytes(bytes, sizeof(bytes));
	random_bytes(bytes, 0);
	assert_true(memcmp(bytes, bytes + 32, 32) != 0);
	assert_true(random_u64() != random_u64());
	assert_true(random_fast() != random_fast());
	random_fast_seed(7);
	first = random_fast();
	random_fast_seed(7);
	assert_true(random_fast() == first);
	assert_int_equal(random_fast_below(1), 0);
	for (int i = 0; i < 70000; i++)
		counts[random_fast_below(7)]++;
	for (int i = 0; i < 7; i++)
		chi += ((double)counts[i] - 10000) * ((double)counts[i] - 10000) / 10000;
	assert_true(chi < 22.5); /* 6 degrees of freedom, 1 in 1,000 (and the seed is fixed) */
	/* A bound that does not divide 2^32 and is large enough for a bias to show. */
	for (int i = 0; i < 1000; i++)
		assert_true(random_fast_below(3000000000U) < 3000000000U);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_remove_what_is_fetched),
		cmocka_unit_test(test_timer_ends_wait),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_clocks),
		cmocka_unit_test(test_chance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
