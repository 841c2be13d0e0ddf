/*
 * panic.c: a crashing process leaves its story, without passwords; a page full of lies is only text to master.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/wait.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/loop.h"
#include "ipc/panic.h"
#include "ipc/sandbox.h"

static char lines[65536];

static void
collect(void *arg, const char *text)
{
	size_t n = strlen(lines);

	assert_ptr_equal(arg, lines);
	assert_null(strchr(text, '\n'));
	snprintf(lines + n, sizeof(lines) - n, "%s\n", text);
}

static bool
report(struct panic_page *page)
{
	lines[0] = '\0';
	return panic_report(page, collect, lines);
}

/* Runs crash() in a child that has the page; returns the signal it died of. */
static int
crash_in_child(struct panic_page **page, void (*crash)(void))
{
	int fd = panic_create(), status;
	pid_t pid;

	assert_true(fd >= 0);
	*page = panic_map(fd);
	assert_non_null(*page);
	pid = fork();
	if (pid == 0) {
		close(STDERR_FILENO); /* the check's own words */
		panic_install(panic_map(fd));
		panic_context.label = "127.0.0.1:1 - cid:7";
		panic_context.subject = "a.b";
		panic_context.subject_length = 3;
		panic_context.message = (const uint8_t *)"PUB a.b 2\r\nhi";
		panic_context.message_length = 13;
		crash();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(fd);
	assert_true(WIFSIGNALED(status));
	return WTERMSIG(status);
}

#ifndef NATSD_SANITIZED
static void
bad_pointer(void)
{
	int *volatile nowhere = (int *)(uintptr_t)16;

	*nowhere = 1;
}

static void
lost_stack(void)
{
	raise(SIGBUS);
}
#endif

static void
failed_check(void)
{
	CHECK(sizeof(int) == 5);
}

static void
with_password(void)
{
	panic_context.message = (const uint8_t *)"PING\r\nConnect {\"pass\":\"secret\"}";
	panic_context.message_length = 31;
	abort();
}

static void
test_crashes(void **state)
{
	struct panic_page *page;

	(void)state;
#ifndef NATSD_SANITIZED /* the sanitizer's own handlers come first there */
	assert_int_equal(crash_in_child(&page, bad_pointer), SIGSEGV);
	assert_true(report(page));
	assert_non_null(strstr(lines, "signal Segmentation fault at 0x10\n"));
	assert_int_equal(crash_in_child(&page, lost_stack), SIGBUS);
	assert_true(report(page));
#endif
	assert_int_equal(crash_in_child(&page, abort), SIGABRT);
	assert_true(report(page));
	assert_non_null(strstr(lines, "signal Aborted at 0\n"));
	assert_non_null(strstr(lines, "connection 127.0.0.1:1 - cid:7\n"));
	assert_non_null(strstr(lines, "subject a.b\n"));
	assert_non_null(strstr(lines, "message PUB a.b 2\\r\\nhi\n"));
	assert_non_null(strstr(lines, "backtrace 0x"));
	assert_false(report(page)); /* told once */
	assert_int_equal(crash_in_child(&page, failed_check), SIGABRT);
	assert_true(report(page));
	assert_non_null(strstr(lines, "check failed: sizeof(int) == 5\n"));
	assert_int_equal(crash_in_child(&page, with_password), SIGABRT);
	assert_true(report(page));
	assert_null(strstr(lines, "secret"));
	assert_null(strstr(lines, "message"));
}

static void
test_lies(void **state)
{
	static struct panic_page page;

	(void)state;
	assert_false(report(&page));
	for (int round = 0; round < 2000; round++) {
		random_bytes(&page, sizeof(page));
		page.magic = PANIC_MAGIC;
		if (round % 2 == 0)
			page.frames = random_fast_below(64);
		assert_true(report(&page));
		for (const char *c = lines; *c != '\0'; c++)
			assert_true((unsigned char)*c >= 0x20 || *c == '\n');
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crashes),
		cmocka_unit_test(test_lies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
