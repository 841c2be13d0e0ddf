/*
 * Linked into the variants that tests/sim/promises.sh builds: between the steps of the mesh, now and then let another process run.
 */
#include <sched.h>

#ifndef MESH_TEST
#define MESH_TEST
#endif
#include "ipc/mesh_private.h"

void
mesh_test_pause(void)
{
	static unsigned passed;

	if (++passed % 7 == 0)
		sched_yield();
}
