/*
 * Fuzz target F4: a configuration file, from bytes to options. The input is the file; whatever else it names (includes,
 * certificates, JWTs) has the same contents, a bounded number of times. What loads must be whole: texts set, names known, equal to
 * itself on reload.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "model/flags.h"
#include "model/options.h"
#include "model/reload.h"

#define INPUT_MAX 16384
#define READS_MAX 12

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

struct input {
	const uint8_t *data;
	size_t size;
	unsigned reads;
};

static bool
read_input(void *arg, const char *path, struct arena *arena, const char **data, size_t *length, char *error, size_t size)
{
	struct input *input = arg;

	if (input->reads++ == READS_MAX) {
		snprintf(error, size, "open %s: no such file or directory", path);
		return false;
	}
	*data = arena_strdup(arena, (const char *)input->data, input->size);
	*length = input->size;
	return *data != NULL;
}

static const char *
get_variable(void *arg, const char *name)
{
	(void)arg;
	if (strcmp(name, "A") == 0)
		return "$B";
	if (strcmp(name, "B") == 0)
		return "[ { x: $A }, 1k, \"t\" ]";
	return strcmp(name, "HOME") == 0 ? "/home" : NULL;
}

static int
check_directory(void *arg, const char *path)
{
	(void)arg;
	return path[0] == '/' ? 1 : path[0] == '.' ? 0 : -1;
}

static void
check_options(const struct options *options)
{
	struct reload *reload = reload_compare(options, options);
	const struct reload_change *change;
	const struct options_user *user;
	struct conf_position at;
	const char *key;
	size_t i;

	CHECK(options->digest[0] != '\0' && options->client.host != NULL && options->no_auth_user != NULL);
	CHECK(options->max_payload != 0 && options->ping_interval != 0);
	for (i = 0; i < options->users_length; i++) {
		user = options->users[i];
		CHECK(user->name != NULL && user->password != NULL && (user->name[0] != '\0' || user->nkey != NULL));
	}
	CHECK(reload != NULL);
	for (change = reload->changes; change != NULL; change = change->next)
		CHECK(change->field == RELOAD_USERS || change->field == RELOAD_ACCOUNTS);
	reload_free(reload);
	if (options_missing_feature(options, &at, &key))
		CHECK(key[0] != '\0' && at.file != NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { .data = data, .size = size };
	struct options_source source = { .conf = { .arg = &input, .read_file = read_input, .get_variable = get_variable },
		.check_directory = check_directory };
	char *const argv[] = { "natsd", "-c", "f.conf" };
	struct options_report report;
	struct options *options;
	struct flags *flags;

	if (size > INPUT_MAX)
		return 0;
	flags = flags_parse(3, argv);
	CHECK(flags != NULL && flags->action == FLAGS_RUN);
	options = options_load(flags, &source, &report);
	CHECK((options == NULL) == (report.errors > 0));
	CHECK(report.text != NULL && (report.errors + report.warnings == 0) == (report.text[0] == '\0'));
	if (options != NULL)
		check_options(options);
	options_free(options);
	options_report_free(&report);
	flags_free(flags);
	return 0;
}
