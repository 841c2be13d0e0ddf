/*
 * What the unit tests of configuration, options and reload share: a file system that is a table, and an environment that is one.
 */
#ifndef TESTS_OPTIONS_HELPER_H
#define TESTS_OPTIONS_HELPER_H

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "model/flags.h"
#include "model/options.h"

struct helper_file {
	const char *name;
	const char *text;
};

static const struct helper_file *helper_files;     /* ends with a NULL name */
static const struct helper_file *helper_variables; /* the same; may be NULL */

static bool
helper_read(void *arg, const char *path, struct arena *arena, const char **data, size_t *length, char *error, size_t size)
{
	const struct helper_file *file;

	(void)arg;
	for (file = helper_files; file != NULL && file->name != NULL; file++) {
		if (strcmp(file->name, path) == 0) {
			*length = strlen(file->text);
			*data = arena_strdup(arena, file->text, *length);
			return *data != NULL;
		}
	}
	snprintf(error, size, "open %s: no such file or directory", path);
	return false;
}

static const char *
helper_variable(void *arg, const char *name)
{
	const struct helper_file *variable;

	(void)arg;
	for (variable = helper_variables; variable != NULL && variable->name != NULL; variable++) {
		if (strcmp(variable->name, name) == 0)
			return variable->text;
	}
	return NULL;
}

static int
helper_directory(void *arg, const char *path)
{
	(void)arg;
	return strcmp(path, "file") == 0 ? 0 : -1;
}

static const struct options_source helper_source = {
	.conf = { .read_file = helper_read, .get_variable = helper_variable },
	.check_directory = helper_directory,
};

/* Options of a text, with flags (a NULL-ended list behind argv[0]) over it; NULL after an error, whose report is then the caller's.
 */
static inline struct options *
helper_load(const char *text, char *const flags[], struct options_report *report)
{
	const struct helper_file files[] = { { "f.conf", text }, { NULL, NULL } };
	char *argv[16] = { "natsd", "-c", "f.conf" };
	int argc = text != NULL ? 3 : 1;
	struct flags *parsed;
	struct options *options;

	for (; flags != NULL && *flags != NULL; flags++)
		argv[argc++] = *flags;
	helper_files = files;
	parsed = flags_parse(argc, argv);
	options = options_load(parsed, &helper_source, report);
	flags_free(parsed);
	helper_files = NULL;
	return options;
}

#endif
