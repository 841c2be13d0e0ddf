/*
 * sandbox_seccomp.c: the layer that decides which system calls a role may still make: rows of sandbox.def through libseccomp.
 * Called by sandbox_enter, last of all layers.
 */
#include "ipc/sandbox_layers.h"

#include <sys/mman.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <seccomp.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"

enum { WORKER = 1 << ROLE_WORKER, AUTHD = 1 << ROLE_AUTHD, EVERY = WORKER | AUTHD };

enum comparison { COMPARE_EQUAL, COMPARE_MASKED, COMPARE_OWN };

struct argument {
	enum comparison comparison;
	unsigned index;
	uint64_t value, mask;
};

static const struct call {
	const char *name;
	int number;
	unsigned roles;
	unsigned arguments; /* looked at: none or one */
	struct argument argument;
} calls[] = {
#define ANY \
	0, \
	{ \
		0 \
	}
#define EQUAL(n, value) \
	1, \
	{ \
		COMPARE_EQUAL, n, value, 0 \
	}
#define MASKED(n, mask, value) \
	1, \
	{ \
		COMPARE_MASKED, n, value, mask \
	}
#define OWN(n) \
	1, \
	{ \
		COMPARE_OWN, n, 0, 0 \
	}
#define CALL(name, roles, arguments, reason) { #name, SCMP_SYS(name), roles, arguments },
#define DENY(name)
#include "ipc/sandbox.def"
#undef CALL
#undef DENY
};

static const int denied[] = {
#define CALL(name, roles, arguments, reason)
#define DENY(name) SCMP_SYS(name),
#include "ipc/sandbox.def"
#undef CALL
#undef DENY
};

#define CALLS (sizeof(calls) / sizeof(calls[0]))

static struct scmp_arg_cmp
compare(const struct argument *argument)
{
	struct scmp_arg_cmp c = { .arg = argument->index, .op = SCMP_CMP_EQ, .datum_a = argument->value };

	CHECK(argument->index < 6);
	if (argument->comparison == COMPARE_OWN)
		c.datum_a = (scmp_datum_t)getpid();
	if (argument->comparison == COMPARE_MASKED) {
		c.op = SCMP_CMP_MASKED_EQ;
		c.datum_a = argument->mask;
		c.datum_b = argument->value;
	}
	return c;
}

static int
add_rule(scmp_filter_ctx filter, const struct call *call)
{
	struct scmp_arg_cmp comparison = compare(&call->argument);

	CHECK(call->arguments <= 1);
	return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call->number, call->arguments, &comparison);
}

/* Loads and frees it; result is 0 or the negative number of an error before. */
static bool
load(scmp_filter_ctx filter, int result)
{
	/* As a binary tree: an optimisation that old versions of the library do not have. */
	if (result == 0) {
		(void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
		result = seccomp_load(filter);
	}
	if (filter != NULL)
		seccomp_release(filter);
	errno = -result;
	return result == 0;
}

bool
sandbox_seccomp_master(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int result = filter == NULL ? -ENOMEM : 0;

	for (size_t i = 0; result == 0 && i < sizeof(denied) / sizeof(denied[0]); i++)
		result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), denied[i], 0);
	return load(filter, result);
}

bool
sandbox_seccomp(enum role_kind role)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int result = filter == NULL ? -ENOMEM : 0;

	CHECK(role == ROLE_WORKER || role == ROLE_AUTHD);
	if (result == 0)
		result = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	for (size_t i = 0; result == 0 && i < CALLS; i++)
		if ((calls[i].roles & 1u << role) != 0)
			result = add_rule(filter, &calls[i]);
	return load(filter, result);
}

size_t
sandbox_calls(enum role_kind role, const char **names, size_t max)
{
	size_t count = 0;

	CHECK(role < ROLE_KINDS);
	for (size_t i = 0; i < CALLS; i++) {
		if ((calls[i].roles & 1u << role) == 0)
			continue;
		if (count > 0 && strcmp(names[count - 1], calls[i].name) == 0)
			continue;
		CHECK(count < max);
		names[count++] = calls[i].name;
	}
	return count;
}
