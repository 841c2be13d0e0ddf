/*
 * logger*.c: the text format to the byte, what cannot get into a line, files that rotate, and syslog as collectors know it from Go.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "master/logger.h"
#include "model/options.h"

static char folder[] = "/tmp/natsd-test-logger.XXXXXX";
static char path[128], text[1 << 20], error[512];
static struct options options;

static char *
writable(const char *constant)
{
	return (char *)(uintptr_t)constant;
}

static int
setup(void **state)
{
	(void)state;
	strncpy(folder, "/tmp/natsd-test-logger.XXXXXX", sizeof(folder));
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/log", folder);
	options = (struct options){ .logtime = true, .log_file = path };
	return 0;
}

static int
teardown(void **state)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;

	(void)state;
	logger_file_close();
	logger_syslog_close();
	while ((entry = readdir(dir)) != NULL)
		(void)unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
	assert_int_equal(rmdir(folder), 0);
	log_backend = log_to_stderr;
	log_level_debug = log_level_trace = false;
	return 0;
}

static const char *
contents(const char *name)
{
	int fd = open(name, O_RDONLY);
	ssize_t n;

	assert_true(fd >= 0);
	n = read(fd, text, sizeof(text) - 1);
	assert_true(n >= 0);
	text[n] = '\0';
	close(fd);
	return text;
}

static void
assert_matches(const char *what, const char *pattern)
{
	regex_t regex;

	assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
	if (regexec(&regex, what, 0, NULL, 0) != 0)
		fail_msg("\"%s\" does not match %s", what, pattern);
	regfree(&regex);
}

static void
test_text(void **state)
{
	static const char *const levels[] = { "INF", "ERR", "WRN", "DBG", "TRC", "FTL" };
	char pattern[1024] = "^", pid[16];

	(void)state;
	options.debug = options.trace = true;
	assert_true(logger_open(&options, "natsd", error, sizeof(error)));
	log_notice("one %d", 1);
	log_error("%s", "two");
	log_warn("three");
	log_debug("four");
	log_trace("five");
	log_fatal("six");
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	for (size_t i = 0; i < 6; i++) {
		static const char *const words[] = { "one 1", "two", "three", "four", "five", "six" };
		size_t n = strlen(pattern);

		snprintf(pattern + n, sizeof(pattern) - n,
		    "\\[%s\\] [0-9]{4}/[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{6} \\[%s\\] %s\n", pid, levels[i],
		    words[i]);
	}
	strncat(pattern, "$", 2);
	assert_matches(contents(path), pattern);
}

static void
test_without_time(void **state)
{
	char expected[64];
	struct stat st;

	(void)state;
	options.logtime = false;
	assert_true(logger_open(&options, "natsd", error, sizeof(error)));
	log_debug("not asked for");
	log_notice("x");
	snprintf(expected, sizeof(expected), "[%d] [INF] x\n", (int)getpid());
	assert_string_equal(contents(path), expected);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777 & ~0640u, 0);
}

static void
test_utc(void **state)
{
	char expected[64];
	struct logger_clock utc;

	(void)state;
	setenv("TZ", "XYZ-5:30", 1);
	tzset();
	options.logtime_utc = true;
	assert_true(logger_open(&options, "natsd", error, sizeof(error)));
	log_notice("x");
	utc = logger_clock(true);
	snprintf(expected, sizeof(expected), "%04d/%02d/%02d %02d:%02d:", utc.calendar.tm_year + 1900, utc.calendar.tm_mon + 1,
	    utc.calendar.tm_mday, utc.calendar.tm_hour, utc.calendar.tm_min);
	assert_non_null(strstr(contents(path), expected));
	unsetenv("TZ");
	tzset();
}

/* Nothing in a line can end it, forge another, or steer a terminal. */
static void
test_control_bytes(void **state)
{
	static const char evil[] = "a\nb\r\033[2Jc\0d\x7f\xc2\x9b"
				   "e\xff\xc3\xa9\t\"\\";
	static char large[200000];

	(void)state;
	options.logtime = false;
	assert_true(logger_open(&options, "natsd", error, sizeof(error)));
	logger_write(LOG_LEVEL_ERROR, evil, sizeof(evil) - 1);
	assert_non_null(strstr(contents(path), "[ERR] a\\x0ab\\x0d\\x1b[2Jc\\x00d\\x7f\\u009be\\xff\xc3\xa9\t\"\\\n"));
	memset(large, 1, sizeof(large));
	logger_write(LOG_LEVEL_ERROR, large, sizeof(large));
	contents(path);
	assert_true(strlen(text) < 70000);
	assert_ptr_equal(strchr(strchr(text, '\n') + 1, '\n'), text + strlen(text) - 1);
}

static void
test_json(void **state)
{
	(void)state;
	options.log_format = OPTIONS_LOG_JSON;
	assert_true(logger_open(&options, "natsd", error, sizeof(error)));
	log_warn("say \"%s\"", "\001<");
	assert_matches(contents(path),
	    "^\\{\"time\":\"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\.[0-9]{6}Z\",\"level\":\"warn\",\"pid\":[0-9]+,"
	    "\"message\":\"say \\\\\"\\\\\\\\x01\\\\u003c\\\\\"\"\\}\n$");
}

static void
test_reopen(void **state)
{
	char moved[160];

	(void)state;
	options.logtime = false;
	assert_true(logger_open(&options, "natsd", error, sizeof(error)));
	log_notice("old");
	snprintf(moved, sizeof(moved), "%s.moved", path);
	assert_int_equal(rename(path, moved), 0);
	log_notice("still old");
	logger_reopen(&options);
	assert_non_null(strstr(contents(path), "[INF] File log re-opened\n"));
	assert_null(strstr(text, "old"));
	assert_non_null(strstr(contents(moved), "still old"));
	options.log_file = writable("/nonexistent/folder/log");
	logger_reopen(&options);
	assert_non_null(strstr(contents(path), "[ERR] File log not re-opened: error opening file: open /nonexistent/folder/log: "));
}

static void
test_no_file(void **state)
{
	(void)state;
	options.log_file = writable("/nonexistent/folder/log");
	assert_false(logger_open(&options, "natsd", error, sizeof(error)));
	assert_string_equal(error, "error opening file: open /nonexistent/folder/log: no such file or directory");
}

static unsigned
count_backups(void)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	unsigned count = 0;

	while ((entry = readdir(dir)) != NULL)
		count += strncmp(entry->d_name, "log.", 4) == 0;
	closedir(dir);
	return count;
}

static void
test_rotation(void **state)
{
	char other[160];

	(void)state;
	options.log_size_limit = 2000;
	options.log_max_num = 4;
	snprintf(other, sizeof(other), "%s.2026.11.24", path); /* nobody's backup: stays */
	assert_true(close(open(other, O_CREAT | O_WRONLY, 0600)) == 0);
	assert_true(logger_open(&options, "natsd", error, sizeof(error)));
	for (int i = 0; i < 30; i++)
		log_notice("line %d of many that fill the file", i);
	assert_int_equal(count_backups(), 1 + 1);
	assert_non_null(strstr(contents(path), "[INF] Rotated log, backup saved as \"/tmp/"));
	for (int i = 0; i < 300; i++)
		log_notice("line %d of many that fill the file", i);
	assert_int_equal(count_backups(), 3 + 1); /* log_max_num counts the log itself */
	assert_true(strlen(contents(path)) < 2500);
	assert_non_null(strstr(text, "[INF] Purged log file \"log."));
	logger_reopen(&options); /* the limit stays in force */
	for (int i = 0; i < 100; i++)
		log_notice("line %d of many that fill the file", i);
	assert_int_equal(count_backups(), 3 + 1);
}

static void
test_already_too_large(void **state)
{
	(void)state;
	assert_true(logger_open(&options, "natsd", error, sizeof(error)));
	for (int i = 0; i < 30; i++)
		log_notice("line %d of many that fill the file", i);
	logger_file_close();
	options.log_size_limit = 100;
	assert_true(logger_open(&options, "natsd", error, sizeof(error)));
	assert_non_null(strstr(contents(path), "Rotating logfile..."));
	log_notice("over");
	assert_int_equal(count_backups(), 1);
}

/* ---- syslog ---- */

static const char *
receive(int fd)
{
	ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

	assert_true(n > 0);
	text[n] = '\0';
	return text;
}

static void
test_remote(void **state)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);
	char url[64], host[64];
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	snprintf(url, sizeof(url), "udp://127.0.0.1:%d", ntohs(address.sin_port));
	options.log_file = NULL;
	options.remote_syslog = url;
	assert_true(logger_open(&options, "nats-server", error, sizeof(error)));
	log_error("oh\nno");
	gethostname(host, sizeof(host));
	assert_matches(receive(fd),
	    "^<3>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(Z|[+-][0-9]{2}:[0-9]{2}) [^ ]+ nats-server\\[[0-9]+\\]: oh no\n$");
	assert_non_null(strstr(text, host));
	log_notice("x");
	assert_matches(receive(fd), "^<5>");
	log_warn("x");
	assert_matches(receive(fd), "^<4>");
	log_fatal("x");
	assert_matches(receive(fd), "^<2>");
	close(fd);
}

static void
test_remote_path(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char url[256];
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), one, again;

	(void)state;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", folder);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 4), 0);
	snprintf(url, sizeof(url), "unix://%s", address.sun_path);
	options.log_file = NULL;
	options.remote_syslog = url;
	assert_true(logger_open(&options, "nats-server", error, sizeof(error)));
	one = accept(fd, NULL, NULL);
	log_notice("here");
	assert_matches(receive(one), "^<5>[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8} nats-server\\[[0-9]+\\]: here\n$");
	close(one); /* the collector starts again */
	log_notice("lost with the old connection, or not");
	log_notice("after");
	again = accept(fd, NULL, NULL);
	assert_true(again >= 0);
	assert_non_null(strstr(receive(again), "\n"));
	close(again);
	close(fd);
}

static void
test_bad_remote(void **state)
{
	static const char *const bad[] = { "udp://", "tcp://nowhere", "http://127.0.0.1:1", "127.0.0.1:514",
		"unix:///nonexistent/socket", "tcp://127.0.0.1:1" };

	(void)state;
	options.log_file = NULL;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		options.remote_syslog = writable(bad[i]);
		error[0] = '\0';
		assert_false(logger_open(&options, "nats-server", error, sizeof(error)));
		assert_true(error[0] != '\0');
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_text, setup, teardown),
		cmocka_unit_test_setup_teardown(test_without_time, setup, teardown),
		cmocka_unit_test_setup_teardown(test_utc, setup, teardown),
		cmocka_unit_test_setup_teardown(test_control_bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_json, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reopen, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rotation, setup, teardown),
		cmocka_unit_test_setup_teardown(test_already_too_large, setup, teardown),
		cmocka_unit_test_setup_teardown(test_remote, setup, teardown),
		cmocka_unit_test_setup_teardown(test_remote_path, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_remote, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
