/*
 * The end of a failed CHECK: tell the panic record, tell the log, abort.  Called from anywhere in any state, so it uses the stack
 * only, and a second failure on the way aborts at once.
 */
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void check_write(const char *text);

void (*check_panic)(const char *text);
void (*check_hook)(const char *text) = check_write;

static void
check_write(const char *text)
{
	char line[512];
	int n = snprintf(line, sizeof(line), "%s\n", text);

	/* Nothing is left to do about a failure to write. */
	if (n > 0 && write(STDERR_FILENO, line, (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1) < 0)
		return;
}

void
check_failed(const char *file, int line, const char *condition)
{
	static int failing;
	char text[480];

	if (failing++)
		abort();
	snprintf(text, sizeof(text), "%s:%d: check failed: %s", file, line, condition);
	if (check_panic != NULL)
		check_panic(text);
	if (check_hook != NULL)
		check_hook(text);
	abort();
}
