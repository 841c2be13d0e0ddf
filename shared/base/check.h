/*
 * Assertions that ship switched on.  CHECK states what this program alone controls; it is never used for bytes from outside.
 * A failed check tells check_panic (the ipc room writes the panic record there), then the log, and aborts the process.
 */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#include <stddef.h>

/* Called first with "file:line: check failed: condition"; NULL by default. It must not allocate. */
extern void (*check_panic)(const char *text);

/* Called next, to log the text; by default it is written to descriptor 2. */
extern void (*check_hook)(const char *text);

_Noreturn void check_failed(const char *file, int line, const char *condition);

#define CHECK(condition) (__builtin_expect(!(condition), 0) ? check_failed(__FILE__, __LINE__, #condition) : (void)0)

/*
 * For a local of the message path that is filled whole before it is read: spares it the zeroing that -ftrivial-auto-var-init adds.
 */
#define UNINITIALIZED __attribute__((uninitialized))

/* The object exists and carries its stamp: a struct with a field `magic`. */
#define CHECK_OBJ(object, stamp) CHECK((object) != NULL && (object)->magic == (stamp))

#endif
