/*
 * sandbox_landlock.c: a Landlock ruleset without any rule: no file, no TCP, no signal and no abstract socket outside the process.
 * The C library has no functions for it, and older headers lack the newer rights: numbers are from linux/landlock.h.
 */
#include "ipc/sandbox_layers.h"

#include <sys/syscall.h>

#include <errno.h>
#include <stdint.h>
#include <unistd.h>

#include "base/check.h"

#define SYS_CREATE_RULESET 444
#define SYS_RESTRICT_SELF 446
#define VERSION_FLAG 1u

struct ruleset {
	uint64_t files;
	uint64_t network; /* ABI 4 */
	uint64_t scoped;  /* ABI 6 */
};

/* All rights of an ABI: ones from bit 0 up to the newest. */
static const struct {
	unsigned files, network, scoped;
	size_t size;
} abis[] = {
	[1] = { 13, 0, 0, 8 },  /* execute ... make_sym */
	[2] = { 14, 0, 0, 8 },  /* refer */
	[3] = { 15, 0, 0, 8 },  /* truncate */
	[4] = { 15, 2, 0, 16 }, /* bind, connect */
	[5] = { 16, 2, 0, 16 }, /* ioctl_dev */
	[6] = { 16, 2, 2, 24 }, /* abstract sockets, signals */
};

#define ABIS (sizeof(abis) / sizeof(abis[0]))

static uint64_t
ones(unsigned count)
{
	CHECK(count < 64);
	return (UINT64_C(1) << count) - 1;
}

bool
sandbox_landlock(void)
{
	long abi = syscall(SYS_CREATE_RULESET, NULL, 0, VERSION_FLAG);
	struct ruleset ruleset;
	int fd, saved;
	bool good;

	if (abi < 1)
		return false;
	if ((size_t)abi >= ABIS)
		abi = (long)ABIS - 1;
	ruleset = (struct ruleset){ ones(abis[abi].files), ones(abis[abi].network), ones(abis[abi].scoped) };
	fd = (int)syscall(SYS_CREATE_RULESET, &ruleset, abis[abi].size, 0);
	if (fd < 0)
		return false;
	good = syscall(SYS_RESTRICT_SELF, fd, 0) == 0;
	saved = errno;
	close(fd);
	errno = saved;
	return good;
}
