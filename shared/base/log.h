/*
 * What a process has to say.  Everybody logs through here; who writes where is decided once at start:
 *  - default: "[LVL] text" lines to descriptor 2 (tests, tools, master before its own log is open);
 *  - children: log_to_pipe, one record per line into the pipe that master reads;
 *  - master: log_backend set to its own writer.
 * Never with secrets.  A text may hold any bytes; master escapes control bytes, a line feed becomes a blank here.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level {
	LOG_LEVEL_NOTICE = 'I',
	LOG_LEVEL_ERROR = 'E',
	LOG_LEVEL_WARN = 'W',
	LOG_LEVEL_DEBUG = 'D',
	LOG_LEVEL_TRACE = 'T',
	LOG_LEVEL_FATAL = 'F'
};

/* Switches for the two noisy levels; read before anything is formatted. */
extern bool log_level_debug;
extern bool log_level_trace;

/* Gets each line: its level, and n bytes without line feed (not NUL-ended). */
extern void (*log_backend)(enum log_level level, const char *text, size_t n);

#define log_notice(...) log_at(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_error(...) log_at(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_at(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_debug(...) (__builtin_expect(log_level_debug, 0) ? log_at(LOG_LEVEL_DEBUG, __VA_ARGS__) : (void)0)
#define log_trace(...) (__builtin_expect(log_level_trace, 0) ? log_at(LOG_LEVEL_TRACE, __VA_ARGS__) : (void)0)

/* Says why the server must end. It returns: master ends the server when it reads the record, a caller in master ends it itself. */
#define log_fatal(...) log_at(LOG_LEVEL_FATAL, __VA_ARGS__)

/* Formats and hands over one line. Debug and trace go through the macros above, or test the switch first. Keeps errno. */
void log_at(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* One line given as bytes, unformatted. Keeps errno. */
void log_text(enum log_level level, const char *text, size_t n);

/* The backend for children: record = level character, text, '\n' in one write() to fd, which is made non-blocking.
 * A full pipe drops the line and counts it; a trace line, and the rest of a line begun, waits with poll(). */
void log_to_pipe(int fd);

/* Lines dropped because the pipe was full. */
uint64_t log_dropped(void);

/* The default backend, to go back to. */
void log_to_stderr(enum log_level level, const char *text, size_t n);

#endif
