/*
 * The log of a child: one record per line, long lines whole, a full pipe drops and counts, trace waits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"

static int pipe_fds[2];

static int
open_pipe(void **state)
{
	(void)state;
	assert_int_equal(pipe(pipe_fds), 0);
	log_to_pipe(pipe_fds[1]);
	return 0;
}

static int
close_pipe(void **state)
{
	(void)state;
	log_backend = log_to_stderr;
	log_level_debug = log_level_trace = false;
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	return 0;
}

static void
expect_line(const char *line)
{
	char got[256];
	ssize_t n = read(pipe_fds[0], got, sizeof(got) - 1);

	assert_true(n > 0);
	got[n] = '\0';
	assert_string_equal(got, line);
}

static int evaluated;

static int
count(void)
{
	return ++evaluated;
}

static void
test_records(void **state)
{
	(void)state;
	log_notice("hello %d", 1);
	expect_line("Ihello 1\n");
	log_error("two\nlines\n");
	expect_line("Etwo lines \n");
	log_warn("%s", "w");
	expect_line("Ww\n");
	log_fatal("f");
	expect_line("Ff\n");
	log_text(LOG_LEVEL_NOTICE, "", 0);
	expect_line("I\n");
	errno = EBADF;
	log_notice("keeps errno");
	assert_int_equal(errno, EBADF);
	expect_line("Ikeeps errno\n");
}

static void
test_levels(void **state)
{
	(void)state;
	log_debug("%d", count());
	log_trace("%d", count());
	assert_int_equal(evaluated, 0);
	log_level_debug = log_level_trace = true;
	log_debug("%d", count());
	expect_line("D1\n");
	log_trace("%d", count());
	expect_line("T2\n");
}

static void
test_full_pipe_drops(void **state)
{
	uint64_t before = log_dropped();
	uint64_t written = 0;
	char byte;

	(void)state;
	while (log_dropped() == before) {
		log_notice("0123456789012345678901234567890123456789");
		written++;
	}
	assert_true(written > 100);
	log_notice("0123456789012345678901234567890123456789");
	assert_int_equal(log_dropped(), before + 2);
	/* What is in the pipe are whole records. */
	for (uint64_t line = 1; line < written;) {
		assert_int_equal(read(pipe_fds[0], &byte, 1), 1);
		line += byte == '\n' ? 1 : 0;
	}
	fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK);
	assert_true(read(pipe_fds[0], &byte, 1) < 0);
}

/* Reads until the writer closes; returns the bytes. */
static void *
drain(void *arg)
{
	size_t *total = arg;
	char buffer[1000];
	ssize_t n;

	while ((n = read(pipe_fds[0], buffer, sizeof(buffer))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			total[buffer[i] == '\n' ? 1 : 0]++;
	}
	return NULL;
}

static void
test_long_and_trace_lines_are_whole(void **state)
{
	uint64_t before = log_dropped();
	size_t total[2] = { 0 };
	pthread_t thread;
	char *text = malloc(300000);

	(void)state;
	assert_non_null(text);
	memset(text, 'x', 299999);
	text[299999] = '\0';
	log_level_trace = true;
	assert_int_equal(pthread_create(&thread, NULL, drain, total), 0);
	for (int i = 0; i < 5000; i++)
		log_trace("a line of trace that must not get lost");
	log_trace("%s", text);
	log_trace("%.4094s", text);
	log_trace("%.4095s", text);
	close(pipe_fds[1]);
	pthread_join(thread, NULL);
	pipe_fds[1] = open("/dev/null", O_WRONLY);
	assert_int_equal(log_dropped(), before);
	assert_int_equal(total[1], 5003);
	assert_int_equal(total[0], 5000 * 39 + 300000 + 4095 + 4096);
	free(text);
}

static void
test_failed_check_is_logged(void **state)
{
	(void)state;
	check_hook("x.c:1: check failed: y");
	expect_line("Ex.c:1: check failed: y\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_records, open_pipe, close_pipe),
		cmocka_unit_test_setup_teardown(test_levels, open_pipe, close_pipe),
		cmocka_unit_test_setup_teardown(test_full_pipe_drops, open_pipe, close_pipe),
		cmocka_unit_test_setup_teardown(test_long_and_trace_lines_are_whole, open_pipe, close_pipe),
		cmocka_unit_test_setup_teardown(test_failed_check_is_logged, open_pipe, close_pipe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
