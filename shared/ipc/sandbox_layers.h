/*
 * sandbox_layers.h: the layers that have a file of their own, for sandbox.c only.  Each returns false with errno.
 */
#ifndef IPC_SANDBOX_LAYERS_H
#define IPC_SANDBOX_LAYERS_H

#include <stdbool.h>

#include "ipc/sandbox.h"

/* Denies every file, TCP, signals and abstract sockets outside, as far as the kernel knows them. Needs no_new_privs. */
bool sandbox_landlock(void);

/* Kills the process at the first call that sandbox.def does not give to the role. Needs no_new_privs. */
bool sandbox_seccomp(enum role_kind role);

/* Denies master what stands under DENY. Children inherit it. */
bool sandbox_seccomp_master(void);

#endif
