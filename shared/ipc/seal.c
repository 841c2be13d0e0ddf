/*
 * seal.c: see seal.h.  Called by master (create) and by role_start (checks).
 */
#include "ipc/seal.h"

#include <sys/mman.h>

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "base/check.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* Linux 6.3 */
#endif

#define SEALS_SIZE (F_SEAL_SHRINK | F_SEAL_GROW)

static int
seal_open(const char *name)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return fd;
}

static int
seal_fail(int fd)
{
	int saved = errno;

	close(fd);
	errno = saved;
	return -1;
}

int
seal_create(const char *name, size_t size)
{
	int fd = seal_open(name);

	CHECK(size > 0 && size <= INT32_MAX);
	if (fd < 0)
		return -1;
	if (ftruncate(fd, (off_t)size) != 0 || fcntl(fd, F_ADD_SEALS, SEALS_SIZE | F_SEAL_SEAL) != 0)
		return seal_fail(fd);
	return fd;
}

int
seal_create_with(const char *name, const void *data, size_t size)
{
	const uint8_t *at = data;
	size_t left = size;
	int fd = seal_open(name);

	CHECK(size > 0 && size <= INT32_MAX);
	if (fd < 0)
		return -1;
	while (left > 0) {
		ssize_t written = write(fd, at, left);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return seal_fail(fd);
		at += written;
		left -= (size_t)written;
	}
	if (fcntl(fd, F_ADD_SEALS, SEALS_SIZE | F_SEAL_WRITE | F_SEAL_SEAL) != 0)
		return seal_fail(fd);
	return fd;
}

int
seal_reopen(int fd)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_RDONLY | O_CLOEXEC);
}

bool
seal_is_constant(int fd, size_t *size)
{
	off_t end;
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals < 0 || (seals & (SEALS_SIZE | F_SEAL_WRITE)) != (SEALS_SIZE | F_SEAL_WRITE))
		return false;
	end = lseek(fd, 0, SEEK_END);
	if (end <= 0)
		return false;
	*size = (size_t)end;
	return true;
}
