/*
 * Formatting of log lines and the two backends that need no other room: stderr, and the pipe of a child (see log.h).
 * Lines up to 1 KiB are formatted on the stack; longer ones (traced payloads) take memory for the moment.
 */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/memory.h"

#define LOG_LINE 1024 /* formatted without memory */
#define LOG_WAIT 1000 /* milliseconds a trace line waits for room at a time */
#define LOG_WAITS 10

bool log_level_debug;
bool log_level_trace;
void (*log_backend)(enum log_level level, const char *text, size_t n) = log_to_stderr;

static int log_pipe = -1;
static uint64_t log_drops;

static const char *
log_label(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_NOTICE: return "INF";
	case LOG_LEVEL_ERROR: return "ERR";
	case LOG_LEVEL_WARN: return "WRN";
	case LOG_LEVEL_DEBUG: return "DBG";
	case LOG_LEVEL_TRACE: return "TRC";
	case LOG_LEVEL_FATAL: return "FTL";
	}
	return "???";
}

void
log_to_stderr(enum log_level level, const char *text, size_t n)
{
	fprintf(stderr, "[%s] %.*s\n", log_label(level), (int)(n > INT_MAX ? INT_MAX : n), text);
}

void
log_text(enum log_level level, const char *text, size_t n)
{
	int saved = errno;

	CHECK(text != NULL || n == 0);
	CHECK(log_backend != NULL);
	log_backend(level, text, n);
	errno = saved;
}

/* Hands over a line of our own memory; line feeds become blanks so that one line stays one line. */
static void
log_line(enum log_level level, char *text, size_t n)
{
	for (char *at = text; (at = memchr(at, '\n', n - (size_t)(at - text))) != NULL;)
		*at = ' ';
	log_text(level, text, n);
}

void
log_at(enum log_level level, const char *format, ...)
{
	int saved = errno;
	char line[LOG_LINE];
	char *text = line;
	va_list args;
	int length;
	size_t n;

	va_start(args, format);
	length = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	n = length > 0 ? (size_t)length : 0;
	if (n >= sizeof(line)) {
		text = memory_alloc(n + 1);
		if (text != NULL) {
			va_start(args, format);
			vsnprintf(text, n + 1, format, args);
			va_end(args);
		} else {
			text = line;
			n = sizeof(line) - 1;
		}
	}
	log_line(level, text, n);
	if (text != line)
		memory_free(text);
	errno = saved;
}

/* Waits until the pipe takes bytes again; false when it does not for long (master is gone or stuck). */
static bool
log_pipe_wait(void)
{
	struct pollfd pipe = { .fd = log_pipe, .events = POLLOUT };

	for (int i = 0; i < LOG_WAITS; i++)
		if (poll(&pipe, 1, LOG_WAIT) > 0)
			return (pipe.revents & POLLOUT) != 0;
	return false;
}

/* Writes all of it. The first write may be given up when the pipe is full; a line once begun is finished. */
static bool
log_pipe_write(const char *data, size_t n, bool begun, bool patient)
{
	while (n > 0) {
		ssize_t done = write(log_pipe, data, n);

		if (done > 0) {
			data += done;
			n -= (size_t)done;
			begun = true;
		} else if (done < 0 && errno == EINTR) {
			continue;
		} else if (done < 0 && errno == EAGAIN && (begun || patient)) {
			if (!log_pipe_wait())
				return false;
		} else {
			return false;
		}
	}
	return true;
}

/* A record of up to PIPE_BUF bytes goes out in one write, whole or not at all. */
static void
log_pipe_backend(enum log_level level, const char *text, size_t n)
{
	bool patient = level == LOG_LEVEL_TRACE || level == LOG_LEVEL_FATAL;
	char record[PIPE_BUF];
	bool written;

	CHECK(log_pipe >= 0);
	record[0] = (char)level;
	if (n <= sizeof(record) - 2) {
		if (n > 0)
			memcpy(record + 1, text, n);
		record[n + 1] = '\n';
		written = log_pipe_write(record, n + 2, false, patient);
	} else {
		size_t head = sizeof(record) - 1;

		memcpy(record + 1, text, head);
		written = log_pipe_write(record, sizeof(record), false, patient) &&
		    log_pipe_write(text + head, n - head, true, true) && log_pipe_write("\n", 1, true, true);
	}
	if (!written)
		log_drops++;
}

static void
log_check_hook(const char *text)
{
	log_text(LOG_LEVEL_ERROR, text, strlen(text));
}

void
log_to_pipe(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	CHECK(fd >= 0 && flags >= 0);
	CHECK(fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0);
	log_pipe = fd;
	log_backend = log_pipe_backend;
	check_hook = log_check_hook;
}

uint64_t
log_dropped(void)
{
	return log_drops;
}
