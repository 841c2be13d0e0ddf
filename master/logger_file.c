/*
 * logger_file.c: the log file: append, rotate at log_size_limit, keep log_max_num files, open again.
 * Owned by logger.c.  Names of backups and the rule about which are removed are nats-server's (logger/log.go).
 */
#include "logger.h"

#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/options.h"

#define STAMP ".2026.11.24.12.00.00.000000000" /* what a backup has behind the name of the log */

static struct {
	int fd;
	char *name;
	int64_t size, limit, configured_limit, files;
} file = { .fd = -1 };

static int
open_log(const char *name)
{
	return open(name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
}

static void
write_all(const char *line, size_t n)
{
	while (n > 0) {
		ssize_t done = write(file.fd, line, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return;
		file.size += done;
		line += done;
		n -= (size_t)done;
	}
}

/* A line about the log itself, as nats-server ends them. */
__attribute__((format(printf, 2, 3))) static void
write_direct(enum log_level level, const char *format, ...)
{
	char line[4096];
	size_t at = logger_prefix(level, line, sizeof(line)), room = sizeof(line) - at - 2;
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(line + at, room, format, arguments);
	va_end(arguments);
	if (n < 0)
		return;
	at += (size_t)n < room ? (size_t)n : room - 1;
	line[at++] = '\r';
	line[at++] = '\n';
	write_all(line, at);
}

/* Is this the name of a backup of the log `base`: the name, and digits where STAMP has them? */
static bool
is_backup(const char *name, const char *base)
{
	size_t n = strlen(base);

	if (strncmp(name, base, n) != 0 || strlen(name + n) != sizeof(STAMP) - 1)
		return false;
	for (size_t i = 0; i < sizeof(STAMP) - 1; i++) {
		char expected = STAMP[i], c = name[n + i];

		if (expected == '.' ? c != '.' : c < '0' || c > '9')
			return false;
	}
	return true;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Backups of the log in its folder, oldest first; each to be freed, and the list. */
static char **
list_backups(DIR *folder, const char *base, size_t *count)
{
	char **names = NULL;
	struct dirent *entry;

	*count = 0;
	while ((entry = readdir(folder)) != NULL) {
		char **more, *name;

		if (!is_backup(entry->d_name, base))
			continue;
		more = memory_realloc(names, (*count + 1) * sizeof(*names));
		name = memory_string(entry->d_name, strlen(entry->d_name));
		if (more == NULL || name == NULL) {
			memory_free(name);
			names = more != NULL ? more : names;
			break;
		}
		names = more;
		names[(*count)++] = name;
	}
	if (*count > 1)
		qsort(names, *count, sizeof(*names), by_name);
	return names;
}

/* log_max_num counts the current file, too. */
static void
purge(void)
{
	const char *slash = strrchr(file.name, '/'), *base = slash == NULL ? file.name : slash + 1;
	char path[4096], quoted[4200];
	size_t count, keep = (size_t)file.files - 1;
	DIR *folder;
	char **names;

	CHECK(file.files > 0);
	snprintf(path, sizeof(path), "%.*s", slash == NULL ? 1 : (int)(slash - file.name + 1), slash == NULL ? "." : file.name);
	folder = opendir(path);
	if (folder == NULL) {
		write_direct(LOG_LEVEL_ERROR, "Unable to read directory \"%s\" for log purge (%s), will attempt next rotation",
		    path, go_error(errno));
		return;
	}
	names = list_backups(folder, base, &count);
	for (size_t i = 0; i < count; i++) {
		bool surplus = i + keep < count;

		text_quote(quoted, sizeof(quoted), names[i], strlen(names[i]));
		if (surplus && unlinkat(dirfd(folder), names[i], 0) == 0)
			write_direct(LOG_LEVEL_NOTICE, "Purged log file %s", quoted);
		else if (surplus)
			write_direct(LOG_LEVEL_ERROR, "Unable to remove backup log file %s (%s), will attempt next rotation",
			    quoted, go_error(errno));
		memory_free(names[i]);
	}
	memory_free(names);
	closedir(folder);
}

static void
rotate(void)
{
	struct logger_clock now = logger_clock(false);
	char backup[4096], quoted[4200];
	int fd;

	snprintf(backup, sizeof(backup), "%s.%04d.%02d.%02d.%02d.%02d.%02d.%09ld", file.name, now.calendar.tm_year + 1900,
	    now.calendar.tm_mon + 1, now.calendar.tm_mday, now.calendar.tm_hour, now.calendar.tm_min, now.calendar.tm_sec,
	    now.nanoseconds);
	if (rename(file.name, backup) != 0 || (fd = open_log(file.name)) < 0) {
		file.limit *= 2; /* no line is lost: go on in the old file */
		write_direct(LOG_LEVEL_ERROR, "Unable to rotate the log (%s), will attempt next rotation at size %lld",
		    go_error(errno), (long long)file.limit);
		return;
	}
	close(file.fd);
	file.fd = fd;
	file.size = 0;
	file.limit = file.configured_limit;
	text_quote(quoted, sizeof(quoted), backup, strlen(backup));
	write_direct(LOG_LEVEL_NOTICE, "Rotated log, backup saved as %s", quoted);
	if (file.files > 0)
		purge();
}

bool
logger_file_open(const struct options *options, bool again, char *error, size_t size)
{
	struct stat st;
	char *name = memory_string(options->log_file, strlen(options->log_file));
	int fd = name == NULL ? -1 : open_log(name);

	if (fd < 0 || fstat(fd, &st) != 0) {
		snprintf(error, size, "error opening file: open %s: %s", options->log_file, go_error(errno));
		memory_free(name);
		return false;
	}
	logger_file_close();
	file.fd = fd;
	file.name = name;
	file.size = st.st_size;
	file.limit = file.configured_limit = options->log_size_limit;
	file.files = options->log_max_num;
	if (!again && file.limit > 0 && file.size > file.limit)
		write_direct(LOG_LEVEL_NOTICE, "Rotating logfile...");
	return true;
}

void
logger_file_write(const char *line, size_t n)
{
	CHECK(file.fd >= 0);
	write_all(line, n);
	if (file.limit > 0 && file.size > file.limit)
		rotate();
}

void
logger_file_close(void)
{
	if (file.fd >= 0)
		close(file.fd);
	memory_free(file.name);
	file.fd = -1;
	file.name = NULL;
}
