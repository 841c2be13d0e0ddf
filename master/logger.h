/*
 * logger.h: where the lines of all processes end up: standard error, a file, the local or a remote syslog.
 *
 * Only master writes logs.  Its own lines come through the backend of base/log.h, those of children from their pipes (children.c).
 * The text format is nats-server's to the byte (logger/log.go, logger/syslog.go); control bytes are escaped here, for all.
 */
#ifndef MASTER_LOGGER_H
#define MASTER_LOGGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/log.h"

struct options;

/* Opens what the options ask for, then lets go of what was open. False: why in error, the old log stays. */
bool logger_open(const struct options *options, const char *program, char *error, size_t size);

/* SIGUSR1: opens the file again; says so in the log. */
void logger_reopen(const struct options *options);

/* One line of some process. */
void logger_write(enum log_level level, const char *text, size_t n);

/* strerror as Go has it: with a small first letter. */
const char *go_error(int number);

/* ---- between logger*.c ---- */

#define LOGGER_LINE_MAX 65536

struct logger_clock {
	struct tm calendar;
	long nanoseconds;
};

/* The wall clock as a calendar, local or UTC. */
struct logger_clock logger_clock(bool utc);

/* "[pid] 2026/11/24 12:00:00.123456 [INF] " into out; returns its length. */
size_t logger_prefix(enum log_level level, char *out, size_t size);

bool logger_file_open(const struct options *options, bool again, char *error, size_t size);
void logger_file_write(const char *line, size_t n);
void logger_file_close(void);

bool logger_syslog_open(const char *remote, const char *tag, char *error, size_t size); /* remote NULL: the local one */
void logger_syslog_write(enum log_level level, const char *text, size_t n);
void logger_syslog_close(void);

#endif
