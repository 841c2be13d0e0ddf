/*
 * probe.h: proofs of the sandbox, only in builds with NATSD_SANDBOX_PROBES.  Number n tries what the role must not be able to do,
 * right after the sandbox has closed, and ends the process with a status that says what happened (PROBE_OPEN: the sandbox let it
 * through).
 */
#ifndef IPC_PROBE_H
#define IPC_PROBE_H

#include <stdint.h>

struct role;

#define PROBE_DENIED 70 /* the call came back with an error */
#define PROBE_OPEN 71   /* the call did what it should not */

#ifdef NATSD_SANDBOX_PROBES
void probe_run(uint32_t number, struct role *role);
#else
static inline void
probe_run(uint32_t number, struct role *role)
{
	(void)number;
	(void)role;
}
#endif

#endif
