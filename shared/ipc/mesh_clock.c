/*
 * The check that stamps can be trusted: is CLOCK_MONOTONIC one clock on all processors?  Called by master, once, at start.
 *
 * Two threads on two processors send each other the time, each by one store; whoever receives a time must find its own clock
 * later than that.  That is what rule 2 of the mesh relies on, measured at the speed of a cache line.
 */
#include <pthread.h>
#include <sched.h>

#include "base/check.h"
#include "ipc/mesh.h"
#include "ipc/mesh_private.h"

#define MESH_CLOCK_ROUNDS 1000

struct mesh_clock_pair {
	alignas(RING_LINE) _Atomic uint64_t ball; /* the time at the last throw */
	alignas(RING_LINE) _Atomic bool over;
	int processor; /* of the second thread */
	int64_t deadline;
	bool wrong[2];
};

static cpu_set_t
mesh_clock_only(int processor)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)processor, &set);
	return set;
}

/* Catch what the other threw, and throw back. false: the game is over. */
static bool
mesh_clock_turn(struct mesh_clock_pair *pair, uint64_t *thrown, bool *wrong)
{
	uint64_t caught, now;

	do {
		caught = atomic_load_explicit(&pair->ball, memory_order_acquire);
		if (atomic_load_explicit(&pair->over, memory_order_relaxed))
			return false;
		if (caught == *thrown && clock_monotonic() > pair->deadline) {
			atomic_store_explicit(&pair->over, true, memory_order_relaxed);
			return false;
		}
	} while (caught == *thrown);
	now = mesh_time();
	if (now <= caught)
		*wrong = true;
	/* A value the other can tell from its own, even with a broken clock. */
	*thrown = now != caught ? now : now + 1;
	atomic_store_explicit(&pair->ball, *thrown, memory_order_release);
	return (int64_t)now <= pair->deadline;
}

static void *
mesh_clock_second(void *arg)
{
	struct mesh_clock_pair *pair = arg;
	uint64_t thrown = 0;

	while (mesh_clock_turn(pair, &thrown, &pair->wrong[1]))
		;
	return NULL;
}

/* It must begin on its own processor: on ours it would wait until we stop waiting for it. */
static bool
mesh_clock_start(struct mesh_clock_pair *pair, pthread_t *thread)
{
	cpu_set_t set = mesh_clock_only(pair->processor);
	pthread_attr_t attributes;
	bool started;

	if (pthread_attr_init(&attributes) != 0)
		return false;
	started = pthread_attr_setaffinity_np(&attributes, sizeof(set), &set) == 0 &&
	    pthread_create(thread, &attributes, mesh_clock_second, pair) == 0;
	(void)pthread_attr_destroy(&attributes);
	return started;
}

/* This thread against one on that processor. */
static bool
mesh_clock_play(int processor, int64_t budget, unsigned *rounds)
{
	struct mesh_clock_pair pair = { .processor = processor, .deadline = clock_monotonic() + budget };
	uint64_t thrown = mesh_time();
	pthread_t thread;

	atomic_store_explicit(&pair.ball, thrown, memory_order_relaxed);
	*rounds = 0;
	if (!mesh_clock_start(&pair, &thread))
		return true;
	while (*rounds < MESH_CLOCK_ROUNDS && mesh_clock_turn(&pair, &thrown, &pair.wrong[0]))
		++*rounds;
	atomic_store_explicit(&pair.over, true, memory_order_relaxed);
	(void)pthread_join(thread, NULL);
	return !pair.wrong[0] && !pair.wrong[1];
}

bool
mesh_clock_check(int64_t budget)
{
	cpu_set_t before, set;
	int count, first = -1;
	unsigned rounds;
	bool good = true;

	if (pthread_getaffinity_np(pthread_self(), sizeof(before), &before) != 0 || (count = CPU_COUNT(&before)) < 2)
		return true;
	for (int processor = 0; processor < CPU_SETSIZE && good; processor++) {
		if (!CPU_ISSET((size_t)processor, &before))
			continue;
		if (first != -1) {
			good = mesh_clock_play(processor, budget / (count - 1), &rounds);
			continue;
		}
		set = mesh_clock_only(processor);
		if (pthread_setaffinity_np(pthread_self(), sizeof(set), &set) == 0)
			first = processor;
	}
	(void)pthread_setaffinity_np(pthread_self(), sizeof(before), &before);
	return good;
}
