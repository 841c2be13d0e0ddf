/*
 * CHECK: silent when it holds; otherwise tells the panic hook, then the log hook, and aborts, even if a hook fails in turn.
 */
#include <sys/wait.h>

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/check.h"

static int told[2];

static void
tell(const char *text)
{
	assert_int_equal(write(told[1], text, strlen(text)), (ssize_t)strlen(text));
}

static void
tell_and_fail(const char *text)
{
	tell(text);
	CHECK(text == NULL);
}

/* Runs the body in a child that fails a check; returns what its hooks wrote. */
static const char *
die(void (*panic)(const char *), void (*hook)(const char *))
{
	static char text[512];
	ssize_t n;
	int status;
	pid_t pid;

	assert_int_equal(pipe(told), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int answer = 41;

		check_panic = panic;
		check_hook = hook;
		CHECK(answer == 42);
		_exit(0);
	}
	close(told[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	n = read(told[0], text, sizeof(text) - 1);
	assert_true(n >= 0);
	text[n] = '\0';
	close(told[0]);
	return text;
}

static void
test_holds(void **state)
{
	struct {
		uint32_t magic;
	} object = { 7 };

	(void)state;
	CHECK(1 + 1 == 2);
	CHECK_OBJ(&object, 7);
}

static void
test_fails(void **state)
{
	const char *text;

	(void)state;
	text = die(tell, tell);
	assert_non_null(strstr(text, "test_check.c:"));
	assert_non_null(strstr(text, "check failed: answer == 42"));
	/* Both hooks, in this order. */
	assert_non_null(strstr(strstr(text, "answer == 42") + 1, "answer == 42"));
	text = die(NULL, tell);
	assert_non_null(strstr(text, "answer == 42"));
	assert_string_equal(die(NULL, NULL), "");
}

static void
test_fails_twice(void **state)
{
	const char *text = die(tell_and_fail, tell);

	(void)state;
	assert_non_null(strstr(text, "answer == 42"));
	assert_null(strstr(text, "text == NULL"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_holds),
		cmocka_unit_test(test_fails),
		cmocka_unit_test(test_fails_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
