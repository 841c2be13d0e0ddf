/*
 * From a configuration file and flags to checked options: loading, defaults, the verdict of -t.
 * Called by master. A struct options lies in one arena with all it points to, the tree of its file included. Opening files is left
 * to struct options_source. Rules between settings are in options_validate.c, rules of single settings in the rows of options.def.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/text.h"
#include "model/flags.h"
#include "model/options_private.h"

#define OPTIONS_MEMORY_MAX ((size_t)512 << 20)

struct options *
options_create(void)
{
	struct arena *arena = arena_create(OPTIONS_MEMORY_MAX);
	struct options *options;

	if (arena == NULL)
		return NULL;
	options = arena_alloc(arena, sizeof(*options));
	if (options == NULL) {
		arena_free(arena);
		return NULL;
	}
	options->arena = arena;
	options->logtime = true;
	return options;
}

void
options_free(struct options *options)
{
	if (options != NULL)
		arena_free(options->arena);
}

static void
default_int(int *field, int value)
{
	if (*field == 0)
		*field = value;
}

static void
default_int64(int64_t *field, int64_t value)
{
	if (*field == 0)
		*field = value;
}

static void
default_text(struct options *options, char **field, const char *value)
{
	if (*field == NULL || **field == '\0')
		*field = arena_strdup(options->arena, value, strlen(value));
}

void
options_set_defaults(struct options *options)
{
	char **const texts[] = { &options->server_name, &options->client_advertise, &options->http_base_path, &options->username,
		&options->password, &options->authorization, &options->no_auth_user, &options->system_account, &options->log_file,
		&options->remote_syslog, &options->pid_file, &options->ports_file_dir, &options->cluster.host,
		&options->cluster_name, &options->store_dir };
	size_t i;

	CHECK(options != NULL && options->arena != NULL);
	default_text(options, &options->client.host, OPTIONS_HOST);
	default_text(options, &options->http.host, options->client.host != NULL ? options->client.host : OPTIONS_HOST);
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		default_text(options, texts[i], "");
	if (options->client.port == -1)
		options->client.port = 0;
	else
		default_int(&options->client.port, OPTIONS_PORT);
	default_int(&options->max_connections, OPTIONS_MAX_CONNECTIONS);
	default_int(&options->ping_max, OPTIONS_PING_MAX);
	default_int(&options->max_control_line, OPTIONS_MAX_CONTROL_LINE);
	default_int(&options->max_payload, OPTIONS_MAX_PAYLOAD);
	default_int(&options->max_closed_clients, OPTIONS_MAX_CLOSED_CLIENTS);
	default_int(&options->connect_error_reports, OPTIONS_CONNECT_ERROR_REPORTS);
	default_int(&options->reconnect_error_reports, OPTIONS_RECONNECT_ERROR_REPORTS);
	default_int64(&options->max_pending, OPTIONS_MAX_PENDING);
	default_int64(&options->ping_interval, OPTIONS_PING_INTERVAL);
	default_int64(&options->write_deadline, OPTIONS_WRITE_DEADLINE);
	default_int64(&options->lame_duck_duration, OPTIONS_LAME_DUCK_DURATION);
	default_int64(&options->lame_duck_grace_period, OPTIONS_LAME_DUCK_GRACE);
	if (options->auth_timeout == 0)
		options->auth_timeout = OPTIONS_AUTH_TIMEOUT;
}

/* The system account comes first: other keys depend on it. */
static void
load_system_account(struct options_build *build, const struct conf_value *tree)
{
	const struct conf_value *value = conf_member(tree, "system_account");

	CHECK(tree->type == CONF_MAP);
	if (value == NULL)
		value = conf_member(tree, "system");
	if (value == NULL)
		return;
	if (value->type != CONF_STRING)
		options_error(build, value, "system account name must be a string");
	else
		options_want_string(build, value, &build->options->system_account);
}

static void
load_tree(struct options_build *build, const struct conf_value *tree)
{
	size_t i;

	CHECK(build->options->config_file != NULL);
	if (tree->length == 0)
		options_warning(build, NULL, "%s: config has no values or is empty", build->options->config_file);
	load_system_account(build, tree);
	options_block(build, "top", tree, build->options);
	options_load_accounts(build);
	for (i = 0; i < build->callout_accounts.length; i++) {
		if (!options_has_account(build, build->callout_accounts.items[i]))
			options_error(build, NULL, "auth_callout allowed account %s not found in configured accounts",
			    options_quote(build, build->callout_accounts.items[i]));
	}
}

static size_t
report_append(char *text, size_t at, const struct options_messages *messages)
{
	const struct options_message *message;
	size_t length;

	for (message = messages->first; message != NULL; message = message->next) {
		length = strlen(message->text);
		if (text != NULL) {
			memcpy(text + at, message->text, length);
			text[at + length] = '\n';
		}
		at += length + 1;
	}
	return at;
}

/* Puts warnings and errors into the report, each line ended. */
static void
report_fill(struct options_report *report, const struct options_build *build)
{
	size_t size = report_append(NULL, 0, &build->warnings);

	size = report_append(NULL, size, &build->errors);
	report->arena = arena_create(size + 4096);
	report->text = report->arena != NULL ? arena_alloc(report->arena, size + 1) : NULL;
	report->errors = build->errors.length;
	report->warnings = build->warnings.length;
	if (report->text != NULL)
		report_append(report->text, report_append(report->text, 0, &build->warnings), &build->errors);
}

/* A report of one error. */
static void
report_error(struct options_report *report, const char *text)
{
	size_t length = strlen(text);

	CHECK(report->text == NULL);
	report->errors = 1;
	report->warnings = 0;
	report->arena = arena_create(length + 4096);
	report->text = report->arena != NULL ? arena_alloc(report->arena, length + 2) : NULL;
	if (report->text != NULL) {
		memcpy(report->text, text, length);
		report->text[length] = '\n';
	}
}

/* Reads the file into options. False when there is an error; the report is filled in any case. */
static bool
load_file(struct options *options, const char *file, const struct options_source *source, struct options_report *report)
{
	struct options_build build = { .options = options, .source = source };
	struct conf_value *tree;
	char error[CONF_ERROR_MAX];

	CHECK(source != NULL && file != NULL);
	build.errors.last = &build.errors.first;
	build.warnings.last = &build.warnings.first;
	options->config_file = arena_strdup(options->arena, file, strlen(file));
	if (options->config_file == NULL) {
		report_error(report, "out of memory");
		return false;
	}
	tree = conf_parse_file(options->arena, &source->conf, options->config_file, error, sizeof(error));
	if (tree == NULL) {
		report_error(report, error);
		return false;
	}
	if (!conf_digest(tree, options->digest)) {
		report_error(report, "configuration is too large: variables multiply it, or it is nested too deeply");
		return false;
	}
	if (setjmp(build.no_memory) != 0) {
		report_error(report, "configuration is too large");
		return false;
	}
	load_tree(&build, tree);
	report_fill(report, &build);
	return report->errors == 0;
}

struct options *
options_load(const struct flags *flags, const struct options_source *source, struct options_report *report)
{
	struct options *options = options_create();
	char error[CONF_ERROR_MAX];

	CHECK(source != NULL && report != NULL);
	*report = (struct options_report){ 0 };
	if (options == NULL) {
		report_error(report, "out of memory");
		return NULL;
	}
	if (flags != NULL && flags->config_file != NULL && !load_file(options, flags->config_file, source, report)) {
		options_free(options);
		return NULL;
	}
	if (flags != NULL && !flags_apply(flags, source, options, error, sizeof(error))) {
		options_report_free(report);
		report_error(report, error);
		options_free(options);
		return NULL;
	}
	options_set_defaults(options);
	if (arena_failed(options->arena)) {
		options_report_free(report);
		report_error(report, "out of memory");
		options_free(options);
		return NULL;
	}
	return options;
}

void
options_report_free(struct options_report *report)
{
	arena_free(report->arena);
	*report = (struct options_report){ 0 };
}

bool
options_missing_feature(const struct options *options, struct conf_position *at, const char **key)
{
	const struct options_missing *missing, *first = options->missing;

	CHECK(at != NULL && key != NULL);
	if (first == NULL)
		return false;
	for (missing = first->next; missing != NULL; missing = missing->next) {
		if (missing->at.line < first->at.line ||
		    (missing->at.line == first->at.line && missing->at.column < first->at.column))
			first = missing;
	}
	*at = first->at;
	*key = first->key;
	return true;
}

void
options_check_file(const char *program, const char *file, const struct options_source *source, struct options_verdict *verdict)
{
	struct options *options = options_create();
	struct options_report report = { 0 };
	const char *text = "out of memory";
	char *valid = NULL;
	size_t size;

	CHECK(program != NULL && file != NULL && verdict != NULL);
	*verdict = (struct options_verdict){ .exit_code = 1 };
	if (options != NULL && load_file(options, file, source, &report) && report.warnings == 0) {
		verdict->exit_code = 0;
		size = strlen(file) + CONF_DIGEST_SIZE + 64;
		valid = arena_alloc(options->arena, size);
		if (valid != NULL)
			snprintf(valid, size, "configuration file %s is valid (%s)", file, options->digest);
		text = valid != NULL ? valid : text;
	} else if (report.text != NULL) {
		text = report.text;
	}
	size = strlen(program) + strlen(text) + 8;
	verdict->arena = arena_create(size + 4096);
	verdict->text = verdict->arena != NULL ? arena_alloc(verdict->arena, size) : NULL;
	if (verdict->text != NULL)
		snprintf(verdict->text, size, "%s: %s%s", program, text, text == report.text ? "" : "\n");
	options_report_free(&report);
	options_free(options);
}

void
options_verdict_free(struct options_verdict *verdict)
{
	arena_free(verdict->arena);
	*verdict = (struct options_verdict){ 0 };
}
