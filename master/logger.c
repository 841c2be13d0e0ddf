/*
 * logger.c: formats lines and hands them to standard error, logger_file.c or logger_syslog.c.  See logger.h.
 */
#include "logger.h"

#include <sys/stat.h>

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/text.h"
#include "model/options.h"

enum sink { SINK_STDERR, SINK_FILE, SINK_SYSLOG };

static struct {
	enum sink sink;
	bool times, utc, colours, json;
} logger = { SINK_STDERR, true, false, false, false };

static const struct label {
	enum log_level level;
	const char *name, *colour, *json;
} labels[] = {
	{ LOG_LEVEL_NOTICE, "INF", "32", "info" },
	{ LOG_LEVEL_ERROR, "ERR", "31", "error" },
	{ LOG_LEVEL_WARN, "WRN", "0;93", "warn" },
	{ LOG_LEVEL_DEBUG, "DBG", "36", "debug" },
	{ LOG_LEVEL_TRACE, "TRC", "33", "trace" },
	{ LOG_LEVEL_FATAL, "FTL", "31", "fatal" },
};

static const struct label *
label_of(enum log_level level)
{
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++)
		if (labels[i].level == level)
			return &labels[i];
	return &labels[1];
}

const char *
go_error(int number)
{
	static char text[128];

	snprintf(text, sizeof(text), "%s", strerror(number));
	text[0] = (char)tolower((unsigned char)text[0]);
	return text;
}

struct logger_clock
logger_clock(bool utc)
{
	static time_t last;
	static bool last_utc;
	static struct tm calendar;
	int64_t now = clock_wall();
	time_t second = (time_t)(now / LOOP_SECOND);

	if (second != last || utc != last_utc) {
		last = second;
		last_utc = utc;
		if (utc)
			gmtime_r(&second, &calendar);
		else
			localtime_r(&second, &calendar);
	}
	return (struct logger_clock){ calendar, (long)(now % LOOP_SECOND) };
}

size_t
logger_prefix(enum log_level level, char *out, size_t size)
{
	const struct label *label = label_of(level);
	size_t at = (size_t)snprintf(out, size, "[%d] ", (int)getpid());

	if (logger.times) {
		struct logger_clock now = logger_clock(logger.utc);

		at += (size_t)snprintf(out + at, size - at, "%04d/%02d/%02d %02d:%02d:%02d.%06ld ", now.calendar.tm_year + 1900,
		    now.calendar.tm_mon + 1, now.calendar.tm_mday, now.calendar.tm_hour, now.calendar.tm_min, now.calendar.tm_sec,
		    now.nanoseconds / 1000);
	}
	if (logger.colours)
		at += (size_t)snprintf(out + at, size - at, "[\x1b[%sm%s\x1b[0m] ", label->colour, label->name);
	else
		at += (size_t)snprintf(out + at, size - at, "[%s] ", label->name);
	CHECK(at < size);
	return at;
}

/* The text as it may stand in a log: bytes that could steer a terminal are spelled out, the rest (UTF-8 too) stays. */
static size_t
sanitize(char *out, size_t size, const char *text, size_t n)
{
	size_t at = 0, from = 0;

	while (from < n && at + 8 < size) {
		uint32_t rune;
		size_t length = text_rune(text + from, n - from, &rune);
		uint8_t byte = (uint8_t)text[from];

		if ((byte < 0x20 && byte != '\t') || byte == 0x7f || (byte >= 0x80 && length == 1))
			at += (size_t)snprintf(out + at, size - at, "\\x%02x", byte);
		else if (rune >= 0x80 && rune < 0xa0)
			at += (size_t)snprintf(out + at, size - at, "\\u%04x", rune);
		else {
			memcpy(out + at, text + from, length);
			at += length;
		}
		from += length;
	}
	return at;
}

static size_t
format_json(enum log_level level, const char *text, size_t n, char *out, size_t size)
{
	struct logger_clock now = logger_clock(true);
	struct json_writer w;
	char stamp[64];

	snprintf(stamp, sizeof(stamp), "%04d-%02d-%02dT%02d:%02d:%02d.%06ldZ", now.calendar.tm_year + 1900, now.calendar.tm_mon + 1,
	    now.calendar.tm_mday, now.calendar.tm_hour, now.calendar.tm_min, now.calendar.tm_sec, now.nanoseconds / 1000);
	json_writer_init(&w, out, size - 1, 0);
	json_object_begin(&w);
	json_member_string(&w, "time", stamp);
	json_member_string(&w, "level", label_of(level)->json);
	json_member_i64(&w, "pid", getpid());
	json_member_string_n(&w, "message", text, n);
	json_object_end(&w);
	if (w.failed)
		return 0;
	n = json_written(&w);
	out[n] = '\n';
	return n + 1;
}

static size_t
format_text(enum log_level level, const char *text, size_t n, char *out, size_t size)
{
	size_t at = logger_prefix(level, out, size);

	memcpy(out + at, text, n);
	out[at + n] = '\n';
	return at + n + 1;
}

static void
write_stderr(const char *line, size_t n)
{
	while (n > 0) {
		ssize_t done = write(STDERR_FILENO, line, n);

		if (done < 0 && errno == EINTR)
			continue;
		/* Somebody made it non-blocking, and does not read: wait a little, then the line is cut. */
		if (done < 0 && errno == EAGAIN && poll(&(struct pollfd){ .fd = STDERR_FILENO, .events = POLLOUT }, 1, 1000) > 0)
			continue;
		if (done <= 0)
			return;
		line += done;
		n -= (size_t)done;
	}
}

void
logger_write(enum log_level level, const char *text, size_t n)
{
	static char clean[LOGGER_LINE_MAX], line[LOGGER_LINE_MAX * 2];
	size_t length;

	n = sanitize(clean, sizeof(clean), text, n);
	if (logger.sink == SINK_SYSLOG) {
		logger_syslog_write(level, clean, n);
		return;
	}
	if (logger.json)
		length = format_json(level, clean, n, line, sizeof(line));
	else
		length = format_text(level, clean, n, line, sizeof(line));
	CHECK(length <= sizeof(line));
	if (logger.sink == SINK_FILE)
		logger_file_write(line, length);
	else
		write_stderr(line, length);
}

/* Colours where standard error is a character device, as nats-server decides it. */
static bool
stderr_has_colours(void)
{
	struct stat st;

	return fstat(STDERR_FILENO, &st) == 0 && S_ISCHR(st.st_mode);
}

bool
logger_open(const struct options *options, const char *program, char *error, size_t size)
{
	enum sink sink = SINK_STDERR;

	if (options->log_file != NULL && options->log_file[0] != '\0')
		sink = SINK_FILE;
	else if ((options->remote_syslog != NULL && options->remote_syslog[0] != '\0') || options->syslog)
		sink = SINK_SYSLOG;
	if (sink == SINK_FILE && !logger_file_open(options, false, error, size))
		return false;
	if (sink == SINK_SYSLOG && !logger_syslog_open(options->remote_syslog, program, error, size))
		return false;
	if (sink != SINK_FILE)
		logger_file_close();
	if (sink != SINK_SYSLOG)
		logger_syslog_close();
	logger.sink = sink;
	logger.times = options->logtime;
	logger.utc = options->logtime_utc;
	logger.json = options->log_format == OPTIONS_LOG_JSON;
	logger.colours = sink == SINK_STDERR && stderr_has_colours();
	log_level_debug = options->debug;
	log_level_trace = options->trace;
	log_backend = logger_write;
	return true;
}

void
logger_reopen(const struct options *options)
{
	char error[512];

	if (logger.sink != SINK_FILE)
		log_notice("File log re-open ignored, not a file logger");
	else if (logger_file_open(options, true, error, sizeof(error)))
		log_notice("File log re-opened");
	else
		log_error("File log not re-opened: %s", error);
}
