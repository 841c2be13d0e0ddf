/*
 * The real file system and environment as struct options_source. Callers that may use them (master, its checker) pass it along; all
 * other files of the options room see files through it only.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/check.h"
#include "model/options.h"

#define SYSTEM_FILE_MAX ((off_t)64 << 20)

/* The system's reason as Go words it: in small letters. */
static void
system_reason(char *error, size_t size, const char *operation, const char *path, int number)
{
	char reason[128];

	snprintf(reason, sizeof(reason), "%s", strerror(number));
	if (reason[0] >= 'A' && reason[0] <= 'Z')
		reason[0] = (char)(reason[0] | 0x20);
	snprintf(error, size, "%s %s: %s", operation, path, reason);
}

static bool
system_read(int file, const char *path, struct arena *arena, const char **data, size_t *length, char *error, size_t size)
{
	struct stat status;
	char *buffer;
	size_t at = 0, room;
	ssize_t got = 0;

	CHECK(file >= 0);
	if (fstat(file, &status) == -1 || S_ISDIR(status.st_mode)) {
		system_reason(error, size, "read", path, S_ISDIR(status.st_mode) ? EISDIR : errno);
		return false;
	}
	room = status.st_size > 0 && status.st_size <= SYSTEM_FILE_MAX ? (size_t)status.st_size : 65536;
	buffer = arena_alloc(arena, room + 1);
	while (buffer != NULL && at < room && (got = read(file, buffer + at, room - at)) != 0) {
		if (got == -1 && errno != EINTR) {
			system_reason(error, size, "read", path, errno);
			return false;
		}
		at += got > 0 ? (size_t)got : 0;
	}
	if (buffer == NULL || status.st_size > SYSTEM_FILE_MAX || (at == room && read(file, buffer + room, 1) > 0)) {
		snprintf(error, size, "read %s: file is too large", path);
		return false;
	}
	*data = buffer;
	*length = at;
	return true;
}

static bool
system_read_file(void *arg, const char *path, struct arena *arena, const char **data, size_t *length, char *error, size_t size)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	bool good;

	(void)arg;
	CHECK(size > 0);
	if (file == -1) {
		system_reason(error, size, "open", path, errno);
		return false;
	}
	good = system_read(file, path, arena, data, length, error, size);
	close(file);
	return good;
}

static const char *
system_get_variable(void *arg, const char *name)
{
	(void)arg;
	return getenv(name);
}

static int
system_check_directory(void *arg, const char *path)
{
	struct stat status;

	(void)arg;
	if (stat(path, &status) == -1)
		return -1;
	return S_ISDIR(status.st_mode) && (status.st_mode & S_IWUSR) != 0 ? 1 : 0;
}

const struct options_source options_source_system = {
	.conf = { .read_file = system_read_file, .get_variable = system_get_variable },
	.check_directory = system_check_directory,
};
