/*
 * sandbox.c: the layers in their order.  Called once by role_start.  See sandbox.h.
 */
#include "ipc/sandbox.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "ipc/sandbox_layers.h"

#define GIGABYTE (UINT64_C(1) << 30)
#define MEGABYTE (UINT64_C(1) << 20)

static bool
layer_no_new_privs(const struct sandbox_plan *plan)
{
	(void)plan;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

static bool
limit(__rlimit_resource_t resource, uint64_t value)
{
	struct rlimit old, new = { (rlim_t)value, (rlim_t)value };

	if (getrlimit(resource, &old) != 0)
		return false;
	if (old.rlim_max != RLIM_INFINITY && new.rlim_max > old.rlim_max)
		new.rlim_cur = new.rlim_max = old.rlim_max;
	return setrlimit(resource, &new) == 0;
}

static bool
layer_limits(const struct sandbox_plan *plan)
{
	bool good = limit(RLIMIT_FSIZE, 0) && limit(RLIMIT_CORE, 0) && limit(RLIMIT_STACK, MEGABYTE);

	if (plan->descriptors > 0)
		good = limit(RLIMIT_NOFILE, plan->descriptors) && good;
#ifndef NATSD_SANITIZED
	good = limit(RLIMIT_NPROC, 0) && good;
	good = limit(RLIMIT_AS, plan->role == ROLE_AUTHD ? 512 * MEGABYTE : 4 * GIGABYTE) && good;
	good = prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 && good;
#endif
	return good;
}

static bool
layer_network(const struct sandbox_plan *plan)
{
	/* Without root a user namespace is the way to a network namespace; many systems forbid it. */
	return unshare(plan->root ? CLONE_NEWNET : CLONE_NEWUSER | CLONE_NEWNET) == 0;
}

static bool
layer_root(const struct sandbox_plan *plan)
{
	if (plan->empty_fd < 0) {
		errno = EPERM;
		return false;
	}
	return fchdir(plan->empty_fd) == 0 && chroot(".") == 0 && chdir("/") == 0;
}

/* The bounding set while there still is the right to empty it, the rest after the change of user (which keeps what this leaves). */
static bool
drop_bounding_set(void)
{
	for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0)
			return false;
	return true;
}

static bool
layer_user(const struct sandbox_plan *plan)
{
	if (!plan->root) {
		errno = EPERM;
		return false;
	}
	CHECK(plan->uid != 0 && plan->gid != 0);
	return drop_bounding_set() && setgroups(0, NULL) == 0 && setresgid(plan->gid, plan->gid, plan->gid) == 0 &&
	    setresuid(plan->uid, plan->uid, plan->uid) == 0;
}

static bool
layer_capabilities(const struct sandbox_plan *plan)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	if (!plan->root)
		(void)drop_bounding_set(); /* possible only inside a user namespace of our own */
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capset, &header, data) != 0)
		return false;
	/* The change of user has cleared it, and made the process dumpable again. */
	return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0;
}

/* What master keeps: to read and write files of others, to bind low ports, and to make sandboxes. */
static const unsigned master_capabilities[] = { CAP_DAC_OVERRIDE, CAP_KILL, CAP_SETGID, CAP_SETUID, CAP_SETPCAP,
	CAP_NET_BIND_SERVICE, CAP_SYS_CHROOT, CAP_SYS_ADMIN };

static bool
is_of_master(unsigned long cap)
{
	for (size_t i = 0; i < sizeof(master_capabilities) / sizeof(master_capabilities[0]); i++)
		if (master_capabilities[i] == cap)
			return true;
	return false;
}

bool
sandbox_master(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];
	bool good = true;

	for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (!is_of_master(cap))
			(void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0); /* only root may */
	if (syscall(SYS_capget, &header, data) != 0)
		return false;
	for (unsigned cap = 0; cap < 64; cap++)
		if (!is_of_master(cap)) {
			data[cap / 32].effective &= ~(1u << cap % 32);
			data[cap / 32].permitted &= ~(1u << cap % 32);
			data[cap / 32].inheritable &= ~(1u << cap % 32);
		}
	good = syscall(SYS_capset, &header, data) == 0;
	good = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && good;
#ifndef NATSD_SANITIZED
	good = sandbox_seccomp_master() && good;
#endif
	return good;
}

static bool
layer_landlock(const struct sandbox_plan *plan)
{
	(void)plan;
#ifdef NATSD_SANITIZED
	errno = ENOTSUP;
	return false;
#else
	return sandbox_landlock();
#endif
}

static bool
layer_seccomp(const struct sandbox_plan *plan)
{
#ifdef NATSD_SANITIZED
	(void)plan;
	errno = ENOTSUP;
	return false;
#else
	return sandbox_seccomp(plan->role);
#endif
}

static const struct layer {
	enum sandbox_layer layer;
	const char *name;
	bool needs_root; /* without root its absence is no failure to speak of */
	bool (*enter)(const struct sandbox_plan *plan);
} layers[] = {
	{ SANDBOX_NETWORK, "network namespace", false, layer_network },
	{ SANDBOX_ROOT, "empty root", true, layer_root },
	{ SANDBOX_USER, "user", true, layer_user },
	{ SANDBOX_CAPABILITIES, "no capabilities", false, layer_capabilities },
	{ SANDBOX_LIMITS, "resource limits", false, layer_limits },
	{ SANDBOX_NO_NEW_PRIVS, "no new privileges", false, layer_no_new_privs },
	{ SANDBOX_LANDLOCK, "Landlock", false, layer_landlock },
	{ SANDBOX_SECCOMP, "seccomp", false, layer_seccomp },
};

#define LAYERS (sizeof(layers) / sizeof(layers[0]))

unsigned
sandbox_enter(const struct sandbox_plan *plan, char *reason, size_t size)
{
	unsigned active = 0;

	CHECK(plan != NULL && size > 0);
	reason[0] = '\0';
	for (size_t i = 0; i < LAYERS; i++) {
		if ((plan->without & layers[i].layer) != 0)
			continue;
		if (layers[i].enter(plan))
			active |= layers[i].layer;
		else if (reason[0] == '\0' && (plan->root || !layers[i].needs_root))
			snprintf(reason, size, "%s: %s", layers[i].name, strerror(errno));
	}
	return active;
}

const char *
sandbox_layers_text(unsigned active, char *out, size_t size)
{
	size_t at = 0;

	CHECK(size > 0);
	out[0] = '\0';
	for (size_t i = 0; i < LAYERS && at < size; i++)
		if ((active & layers[i].layer) != 0)
			at += (size_t)snprintf(out + at, size - at, "%s%s", at > 0 ? ", " : "", layers[i].name);
	return out;
}
