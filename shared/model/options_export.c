/*
 * Exports and imports of accounts, each by itself. Rows of options.def call it; what is read waits for options_link.c.
 * Rules come from nats-server's server/opts.go (parseAccountExports, parseAccountImports).
 */
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "model/options_account.h"

/* One entry of exports, before it is known what it is. */
struct account_export_entry {
	const struct conf_value *stream;
	const struct conf_value *service;
	const struct conf_value *response;
	const struct conf_value *threshold;
	const struct conf_value *latency;
	const struct conf_value *trace;
	struct account_export export;
};

static void
export_subject(const struct option_setting *setting, const struct conf_value **place, const char *what)
{
	if (setting->value->type != CONF_STRING)
		options_error(setting->build, setting->value, "Expected %s name to be string, got %s", what,
		    options_type_name(setting->value));
	else
		*place = setting->value;
}

void
options_export_stream(const struct option_setting *setting)
{
	struct account_export_entry *entry = setting->target;

	CHECK(entry != NULL);
	export_subject(setting, &entry->stream, "stream");
}

void
options_export_service(const struct option_setting *setting)
{
	struct account_export_entry *entry = setting->target;

	CHECK(entry != NULL);
	export_subject(setting, &entry->service, "service");
}

void
options_export_accounts(const struct option_setting *setting)
{
	struct options_build *build = setting->build;
	struct account_export_entry *entry = setting->target;

	CHECK(entry != NULL);
	if (setting->value->type != CONF_ARRAY)
		options_error(build, setting->value, "expected a list, but got %s", options_type_name(setting->value));
	else
		options_want_strings(build, setting->value, "accounts", &entry->export.accounts);
}

void
options_export_position(const struct option_setting *setting)
{
	struct account_export_entry *entry = setting->target;

	CHECK(entry != NULL);
	options_want_int(setting->build, setting->value, &entry->export.position);
}

void
options_export_response(const struct option_setting *setting)
{
	static const char *const words[] = { "single", "singleton", "stream", "chunk", "chunked" };
	struct options_build *build = setting->build;
	struct account_export_entry *entry = setting->target;
	const struct conf_value *value = setting->value;
	size_t i;

	CHECK(entry != NULL);
	if (entry->response != NULL) {
		options_error(build, value, "Duplicate response type definition");
		return;
	}
	entry->response = value;
	if (value->type != CONF_STRING) {
		options_error(build, value, "Expected response type to be string, got %s", options_type_name(value));
		return;
	}
	for (i = 0; i < sizeof(words) / sizeof(words[0]) && !options_key_is(value->string, words[i]); i++)
		continue;
	entry->export.singleton = i < 2;
	if (i == sizeof(words) / sizeof(words[0]))
		options_error(build, value, "Unknown response type: %s", options_quote(build, value->string));
}

void
options_export_threshold(const struct option_setting *setting)
{
	struct options_build *build = setting->build;
	struct account_export_entry *entry = setting->target;
	const struct conf_value *value = setting->value;
	char error[160];
	int64_t threshold;

	CHECK(entry != NULL);
	if (entry->threshold != NULL) {
		options_error(build, value, "Duplicate response threshold detected");
		return;
	}
	entry->threshold = value;
	if (value->type != CONF_STRING)
		options_error(
		    build, value, "Expected response threshold to be a parseable time duration, got %s", options_type_name(value));
	else if (!options_parse_duration(value, &threshold, error))
		options_error(build, value, "Expected response threshold to be a parseable time duration, got %s",
		    options_quote(build, value->string));
}

/* The sampling of a latency block; what is wrong with it is reported. */
static void
export_latency_sampling(struct options_build *build, const struct conf_value *value)
{
	int64_t sampling = value->integer;
	size_t length;
	char *text;

	CHECK(build != NULL && value != NULL);
	if (value->type == CONF_STRING) {
		text = options_copy(build, value->string, value->length);
		length = strspn(text, " \t\r\n");
		if (strncasecmp(text + length, "headers", 7) == 0 &&
		    text[length + 7 + strspn(text + length + 7, " \t\r\n")] == '\0')
			return;
		length = strlen(text);
		if (length > 0 && text[length - 1] == '%')
			text[length - 1] = '\0';
		if (!options_atoi(text, &sampling)) {
			options_error(build, value, "Failed to parse latency sample: strconv.Atoi: parsing %s: invalid syntax",
			    options_quote(build, text));
			return;
		}
	} else if (value->type != CONF_INTEGER) {
		options_error(
		    build, value, "Expected latency sample to be a string or map/struct, got %s", options_type_name(value));
		return;
	}
	if (sampling < 1 || sampling > 100)
		options_error(build, value, "bad sampling percentage, should be 1-100");
}

void
options_export_latency(const struct option_setting *setting)
{
	struct options_build *build = setting->build;
	struct account_export_entry *entry = setting->target;
	const struct conf_value *value = setting->value, *subject, *sampling;

	CHECK(entry != NULL);
	entry->latency = value;
	if (value->type == CONF_STRING) {
		entry->export.latency = value->string;
		return;
	}
	if (value->type != CONF_MAP) {
		options_error(
		    build, value, "Expected latency entry to be a map/struct or string, got %s", options_type_name(value));
		return;
	}
	sampling = conf_member(value, "sampling");
	if (sampling != NULL)
		export_latency_sampling(build, sampling);
	subject = conf_member(value, "subject");
	if (subject == NULL)
		options_error(build, value, "Latency subject required, but missing");
	else if (subject->type != CONF_STRING)
		options_error(build, subject, "Expected latency subject to be a string, got string");
	else
		entry->export.latency = subject->string;
}

void
options_export_trace(const struct option_setting *setting)
{
	struct account_export_entry *entry = setting->target;
	bool trace;

	CHECK(entry != NULL);
	if (options_want_bool(setting->build, setting->value, &trace))
		entry->trace = setting->value;
}

static void
account_export(struct options_build *build, const struct conf_value *value, struct options_account_build *account)
{
	struct account_export_entry entry = { .export.singleton = true };
	struct account_export *export;
	size_t errors = build->errors.length;

	CHECK(build != NULL && value != NULL);
	if (value->type != CONF_MAP) {
		options_error(build, value, "Export Items should be a map with type entry, got %s", options_type_name(value));
		return;
	}
	options_block(build, "accounts.*.exports", value, &entry);
	if (entry.stream != NULL && entry.service != NULL)
		options_error(build, entry.service, "Detected service %s but already saw a stream",
		    options_quote(build, entry.service->string));
	if (entry.stream != NULL && (entry.response != NULL || entry.threshold != NULL))
		options_error(
		    build, entry.response != NULL ? entry.response : entry.threshold, "Detected response directive on non-service");
	if (entry.stream != NULL && entry.latency != NULL)
		options_error(build, entry.latency, "Detected latency directive on non-service");
	if (entry.stream != NULL && entry.trace != NULL)
		options_error(build, entry.trace, "Detected allow_trace directive on non-service");
	if (build->errors.length > errors || (entry.stream == NULL && entry.service == NULL))
		return;
	export = options_alloc(build, sizeof(*export));
	*export = entry.export;
	export->service = entry.service != NULL;
	export->subject = export->service ? entry.service->string : entry.stream->string;
	*account->last_export = export;
	account->last_export = &export->next;
}

void
options_account_exports(const struct option_setting *setting)
{
	const struct conf_value *value = setting->value;
	size_t i;

	if (value->type != CONF_ARRAY) {
		options_error(setting->build, value, "Exports should be an array, got %s", options_type_name(value));
		return;
	}
	for (i = 0; i < value->length; i++)
		account_export(setting->build, value->entries[i].value, setting->target);
}

/* ---- imports ---- */

void
options_import_stream(const struct option_setting *setting)
{
	struct options_import *import = setting->target;

	CHECK(import != NULL);
	import->stream = setting->value;
}

void
options_import_service(const struct option_setting *setting)
{
	struct options_import *import = setting->target;

	CHECK(import != NULL);
	import->service = setting->value;
}

void
options_import_to(const struct option_setting *setting)
{
	struct options_import *import = setting->target;

	CHECK(import != NULL);
	if (options_want_string(setting->build, setting->value, &import->to))
		import->to_value = setting->value;
}

void
options_import_trace(const struct option_setting *setting)
{
	struct options_import *import = setting->target;
	bool trace;

	CHECK(import != NULL);
	if (options_want_bool(setting->build, setting->value, &trace))
		import->trace = setting->value;
}

/* The account and subject an import names; false after an error. */
static bool
import_source(struct options_build *build, const struct conf_value *value, const char *what, struct options_import_source *source)
{
	if (value->type != CONF_MAP) {
		options_error(build, value, "%s entry should be an account map, got %s", what, options_type_name(value));
		return false;
	}
	options_block(build, "accounts.*.imports.stream|service", value, source);
	if (source->account != NULL && source->account[0] != '\0' && source->subject != NULL && source->subject[0] != '\0')
		return true;
	options_error(build, value, "Expect an account name and a subject");
	return false;
}

static void
account_import(struct options_build *build, const struct conf_value *value, struct options_account_build *account)
{
	struct options_import entry = { 0 };
	struct account_import *import, *other;
	bool service;

	CHECK(build != NULL && value != NULL);
	if (value->type != CONF_MAP) {
		options_error(build, value, "Import Items should be a map with type entry, got %s", options_type_name(value));
		return;
	}
	options_block(build, "accounts.*.imports", value, &entry);
	service = entry.service != NULL;
	if (service && entry.stream != NULL)
		options_error(build, entry.service, "Detected service but already saw a stream");
	if (service && entry.trace != NULL)
		options_error(build, entry.trace, "Detected allow_trace directive on a non-stream");
	if (entry.stream != NULL && entry.prefix != NULL && entry.prefix[0] != '\0' && entry.to_value != NULL)
		options_error(build, entry.to_value, "Stream import can not have a 'prefix' and a 'to' property");
	if (!service && entry.stream == NULL)
		return;
	if (!import_source(build, service ? entry.service : entry.stream, service ? "Service" : "Stream", &entry.source))
		return;
	import = options_alloc(build, sizeof(*import));
	import->service = service;
	import->account_name = entry.source.account;
	import->subject = entry.source.subject;
	import->prefix = entry.prefix != NULL ? entry.prefix : "";
	import->to = entry.to != NULL ? entry.to : "";
	if (service && import->to[0] == '\0')
		import->to = import->subject;
	for (other = account->imports; service && other != NULL; other = other->next) {
		if (other->service && strcmp(other->to, import->to) == 0 &&
		    strcmp(other->account_name, import->account_name) == 0) {
			options_error(build, value,
			    "Duplicate service import subject %s, previously used in import for account %s, subject %s",
			    options_quote(build, import->to), options_quote(build, other->account_name),
			    options_quote(build, other->subject));
			return;
		}
	}
	*account->last_import = import;
	account->last_import = &import->next;
}

void
options_account_imports(const struct option_setting *setting)
{
	const struct conf_value *value = setting->value;
	size_t i;

	if (value->type != CONF_ARRAY) {
		options_error(setting->build, value, "Imports should be an array, got %s", options_type_name(value));
		return;
	}
	for (i = 0; i < value->length; i++)
		account_import(setting->build, value->entries[i].value, setting->target);
}
