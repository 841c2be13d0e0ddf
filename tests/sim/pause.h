/*
 * Forced into the variants that tests/sim/promises.sh builds: between the steps of the mesh, now and then let another process run.
 */
#include <sched.h>

#define MESH_TEST_PAUSE() mesh_test_pause()

static inline void
mesh_test_pause(void)
{
	static unsigned passed;

	if (++passed % 7 == 0)
		sched_yield();
}
