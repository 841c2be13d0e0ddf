/*
 * sandbox.h: what each role may still do once it has started.  All of it stands in sandbox.def, one row per system call.
 *
 * role_start calls sandbox_enter once, after everything is mapped and before the first byte from outside.  There is no way back.
 * Layers (each on its own; the more the better): no_new_privs, resource limits, user change, empty root, network namespace,
 * capabilities dropped, Landlock (denies all files, TCP, signals and abstract sockets), seccomp (kills the process at the first
 * call that is not in the table).  In sanitizer builds (NATSD_SANITIZED) seccomp, Landlock and the address space limit are left
 * out.
 */
#ifndef IPC_SANDBOX_H
#define IPC_SANDBOX_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc/messages.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define NATSD_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define NATSD_SANITIZED 1
#endif
#endif

enum sandbox_layer {
	SANDBOX_NO_NEW_PRIVS = 1,
	SANDBOX_LIMITS = 2,
	SANDBOX_USER = 4,
	SANDBOX_ROOT = 8,     /* chroot into an empty folder */
	SANDBOX_NETWORK = 16, /* network namespace without interfaces */
	SANDBOX_CAPABILITIES = 32,
	SANDBOX_LANDLOCK = 64,
	SANDBOX_SECCOMP = 128,
	SANDBOX_ALL = 255
};

struct sandbox_plan {
	enum role_kind role;
	bool root; /* started as root: user change, empty root, network namespace are possible */
	uid_t uid;
	gid_t gid;
	int empty_fd;         /* an empty folder, for chroot; -1 if not root */
	unsigned descriptors; /* RLIMIT_NOFILE */
	unsigned without;     /* layers to leave out: probe builds only */
};

/* Enters; returns the layers that are active. *reason says what failed first, or is "". */
unsigned sandbox_enter(const struct sandbox_plan *plan, char *reason, size_t size);

/*
 * Master: no new privileges, only the capabilities it needs (if root), and never again what sandbox.def denies it.  False with
 * errno: it goes on all the same, its children are what is exposed.
 */
bool sandbox_master(void);

/* "network namespace, empty root, user, ..." of a set of layers. Returns out. */
const char *sandbox_layers_text(unsigned layers, char *out, size_t size);

/* The numbers of the calls a role may make, for tests (P14): returns how many, at most max. */
size_t sandbox_calls(enum role_kind role, const char **names, size_t max);

#endif
