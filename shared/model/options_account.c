/*
 * Accounts and mappings: what they hold, and whether exports and imports fit each other.
 * options.c and rows of options.def call it. All but the users is checked and not kept, until authd has its registry of accounts.
 * Rules come from nats-server's server/opts.go (parseAccounts) and server/accounts.go.
 */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "model/nkey.h"
#include "model/options_private.h"
#include "model/subject.h"

#define ACCOUNT_CYCLE_DEPTH 1024

struct account_export {
	const char *subject;
	struct options_list accounts; /* that may import it; empty: all */
	int64_t position;             /* token that must be the importer's name */
	bool service;
	bool singleton;
	const char *latency; /* subject, or NULL */
	bool failed;         /* link only: not added */
	struct account_export *next;
};

struct account_import {
	struct options_account_build *account; /* that exports it; NULL until linked */
	const char *account_name;
	const char *subject;
	const char *to;
	const char *prefix;
	bool service;
	/* Once linked: */
	const char *from;
	struct account_import *next;
};

struct options_account_build {
	const char *name;
	const struct conf_value *users_value;
	struct options_auth auth;
	struct account_export *exports;
	struct account_export **last_export;
	struct account_import *imports; /* as the file has them */
	struct account_import **last_import;
	struct account_import *linked; /* those accepted so far */
	bool visited;
	bool trace_dest;
	bool trace_sampling;
	struct options_account_build *next;
};

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

static struct options_account_build *
account_find(const struct options_build *build, const char *name)
{
	struct options_account_build *account;

	for (account = build->accounts; account != NULL; account = account->next) {
		if (strcmp(account->name, name) == 0)
			break;
	}
	return account;
}

bool
options_has_account(const struct options_build *build, const char *name)
{
	return account_find(build, name) != NULL;
}

static struct options_account_build *
account_create(struct options_build *build, const char *name)
{
	struct options_account_build *account = options_alloc(build, sizeof(*account)), **place;

	account->name = name;
	account->last_export = &account->exports;
	account->last_import = &account->imports;
	for (place = &build->accounts; *place != NULL; place = &(*place)->next)
		continue;
	*place = account;
	return account;
}

/* ---- mappings ---- */

void
options_mapping_weight(const struct option_setting *setting)
{
	struct options_build *build = setting->build;
	struct options_mapping *mapping = setting->target;
	const struct conf_value *value = setting->value;
	int64_t weight = 0;
	size_t length;
	char *text;

	mapping->weight_set = true;
	mapping->failed = true;
	if (value->type == CONF_INTEGER) {
		weight = value->integer;
	} else if (value->type == CONF_STRING) {
		length = value->length > 0 && value->string[value->length - 1] == '%' ? value->length - 1 : value->length;
		text = options_copy(build, value->string, length);
		if (!options_atoi(text, &weight)) {
			options_error(build, value, "Invalid weight %s for mapping destination", options_quote(build, text));
			return;
		}
	} else {
		options_error(build, value, "Unknown entry type for weight of %s", options_show(build, value));
		return;
	}
	if (weight < 0 || weight > 100) {
		options_error(build, value, "Invalid weight %lld for mapping destination", (long long)weight);
		return;
	}
	mapping->weight = (int)weight;
	mapping->failed = false;
}

/* One destination block; false after an error. */
static bool
mapping_destination(struct options_build *build, const struct conf_value *value, struct options_mapping *mapping)
{
	size_t errors = build->errors.length;

	*mapping = (struct options_mapping){ .destination = options_copy(build, "", 0), .cluster = options_copy(build, "", 0) };
	if (value->type != CONF_MAP) {
		options_error(build, value, "Expected an entry for the mapping destination");
		return false;
	}
	options_block(build, "mappings.*", value, mapping);
	if (build->errors.length > errors)
		return false;
	if (!mapping->weight_set)
		options_error(
		    build, value, "Missing weight for mapping destination %s", options_quote(build, mapping->destination));
	return mapping->weight_set;
}

/* What is wrong with the destinations of a subject taken together, or NULL. */
static const char *
mapping_error(struct options_build *build, const char *subject, const struct options_mapping *mappings, size_t length)
{
	const char *error;
	int total;
	size_t i, j;

	for (i = 0; i < length; i++) {
		total = 0;
		for (j = 0; j <= i; j++) {
			if (j < i && strcmp(mappings[j].destination, mappings[i].destination) == 0)
				return options_format(
				    build, "duplicate entry for %s", options_quote(build, mappings[i].destination));
			if (strcmp(mappings[j].cluster, mappings[i].cluster) == 0)
				total += mappings[j].weight;
		}
		if (total > 100)
			return "total weight needs to be <= 100";
		error = options_mapping_error(build, subject, mappings[i].destination);
		if (error != NULL)
			return error;
	}
	return NULL;
}

static void
account_mapping(struct options_build *build, const char *subject, const struct conf_value *value)
{
	struct options_mapping *mappings;
	const char *error;
	char *text;
	size_t i, length = 0;

	if (value->type == CONF_STRING) {
		if (!options_want_string(build, value, &text))
			return;
		error = options_mapping_error(build, subject, text);
		if (error != NULL)
			options_error(build, value, "Error adding mapping for %s to %s : %s", options_quote(build, subject),
			    options_quote(build, text), error);
		return;
	}
	mappings = options_array(build, value->type == CONF_ARRAY ? value->length : 1, sizeof(mappings[0]));
	if (value->type != CONF_ARRAY && mapping_destination(build, value, &mappings[0]))
		length = 1;
	for (i = 0; value->type == CONF_ARRAY && i < value->length; i++) {
		if (mapping_destination(build, value->entries[i].value, &mappings[length]))
			length++;
	}
	error = mapping_error(build, subject, mappings, length);
	if (error != NULL)
		options_error(build, value, "Error adding mapping for %s : %s", options_quote(build, subject), error);
}

static void
account_mappings(struct options_build *build, const struct conf_value *value)
{
	size_t i;

	if (value->type != CONF_MAP) {
		options_error(build, value, "expected a block, but got %s", options_type_name(value));
		return;
	}
	for (i = 0; i < value->length; i++) {
		if (!subject_valid(value->entries[i].key, value->entries[i].key_length))
			options_error(
			    build, value, "Subject %s is not a valid subject", options_quote(build, value->entries[i].key));
		else
			account_mapping(build, value->entries[i].key, value->entries[i].value);
	}
}

void
options_mappings(const struct option_setting *setting)
{
	account_mappings(setting->build, setting->value);
}

void
options_account_mappings(const struct option_setting *setting)
{
	account_mappings(setting->build, setting->value);
}

/* ---- single keys of an account ---- */

void
options_account_users(const struct option_setting *setting)
{
	struct options_account_build *account = setting->target;

	account->users_value = setting->value;
	options_parse_users(setting->build, setting->value, &account->auth);
}

void
options_account_permissions(const struct option_setting *setting)
{
	struct options_account_build *account = setting->target;

	account->auth.default_permissions = options_parse_permissions(setting->build, setting->value);
}

void
options_account_nkey(const struct option_setting *setting)
{
	const struct conf_value *value = setting->value;

	if (value->type != CONF_STRING || !nkey_public_valid(value->string, value->length, NKEY_ACCOUNT))
		options_error(setting->build, value, "Not a valid public nkey for an account: %s",
		    options_quote(setting->build, options_show(setting->build, value)));
}

static void
account_trace_dest(const struct option_setting *setting)
{
	struct options_account_build *account = setting->target;
	const struct conf_value *value = setting->value;

	if (value->type != CONF_STRING)
		options_error(setting->build, value, "Field %s should be a string, got %s",
		    options_quote(setting->build, setting->key), options_type_name(value));
	else if (!subject_valid_publish(value->string, value->length))
		options_error(
		    setting->build, value, "Trace destination %s is not valid", options_quote(setting->build, value->string));
	else
		account->trace_dest = true;
}

void
options_trace_dest(const struct option_setting *setting)
{
	account_trace_dest(setting);
}

void
options_trace_sampling(const struct option_setting *setting)
{
	struct options_account_build *account = setting->target;
	struct options_build *build = setting->build;
	const struct conf_value *value = setting->value;
	int64_t sampling = value->integer;
	size_t length;

	if (value->type == CONF_STRING) {
		length = value->length > 0 && value->string[value->length - 1] == '%' ? value->length - 1 : value->length;
		if (!options_atoi(options_copy(build, value->string, length), &sampling)) {
			options_error(
			    build, value, "Invalid trace destination sampling value %s", options_quote(build, value->string));
			return;
		}
	} else if (value->type != CONF_INTEGER) {
		options_error(build, value, "Trace destination sampling field %s should be an integer or a percentage, got %s",
		    options_quote(build, setting->key), options_type_name(value));
		return;
	}
	if (sampling <= 0 || sampling > 100)
		options_error(
		    build, value, "Ttrace destination sampling value %lld is invalid, needs to be [1..100]", (long long)sampling);
	else
		account->trace_sampling = true;
}

void
options_account_trace(const struct option_setting *setting)
{
	struct options_account_build *account = setting->target;
	const struct conf_value *value = setting->value;

	if (value->type == CONF_STRING) {
		account_trace_dest(setting);
	} else if (value->type == CONF_MAP) {
		options_block(setting->build, "accounts.*.msg_trace", value, account);
		if (account->trace_sampling && !account->trace_dest)
			options_warning(setting->build, value, "Trace destination sampling ignored since no destination was set");
	} else {
		options_error(setting->build, value, "Expected account message trace %s to be a string or a map/struct, got %s",
		    options_quote(setting->build, setting->key), options_type_name(value));
	}
}

/* ---- exports ---- */

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

	export_subject(setting, &entry->stream, "stream");
}

void
options_export_service(const struct option_setting *setting)
{
	struct account_export_entry *entry = setting->target;

	export_subject(setting, &entry->service, "service");
}

void
options_export_accounts(const struct option_setting *setting)
{
	struct options_build *build = setting->build;
	struct account_export_entry *entry = setting->target;

	if (setting->value->type != CONF_ARRAY)
		options_error(build, setting->value, "expected a list, but got %s", options_type_name(setting->value));
	else
		options_want_strings(build, setting->value, "accounts", &entry->export.accounts);
}

void
options_export_position(const struct option_setting *setting)
{
	struct account_export_entry *entry = setting->target;

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

	if (options_want_bool(setting->build, setting->value, &trace))
		entry->trace = setting->value;
}

static void
account_export(struct options_build *build, const struct conf_value *value, struct options_account_build *account)
{
	struct account_export_entry entry = { .export.singleton = true };
	struct account_export *export;
	size_t errors = build->errors.length;

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

	import->stream = setting->value;
}

void
options_import_service(const struct option_setting *setting)
{
	struct options_import *import = setting->target;

	import->service = setting->value;
}

void
options_import_to(const struct option_setting *setting)
{
	struct options_import *import = setting->target;

	if (options_want_string(setting->build, setting->value, &import->to))
		import->to_value = setting->value;
}

void
options_import_trace(const struct option_setting *setting)
{
	struct options_import *import = setting->target;
	bool trace;

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

/* ---- exports and imports against each other ---- */

static bool
link_subset(const char *subject, const char *pattern)
{
	return subject_is_subset(subject, strlen(subject), pattern, strlen(pattern));
}

/* What is wrong with an export, or NULL. */
static const char *
link_export_error(const struct account_export *export)
{
	const char *token;
	size_t length;

	if (export->position <= 0)
		return NULL;
	if (!subject_token_at(export->subject, strlen(export->subject), (size_t) export->position, &token, &length) ||
	    length != 1 || *token != '*')
		return "sublist: invalid subject";
	return NULL;
}

/* What is wrong with the latency of a service, or NULL. */
static const char *
link_latency_error(const struct options_account_build *account, const struct account_export *export)
{
	const struct account_export *other;

	if (!subject_valid_publish(export->latency, strlen(export->latency)))
		return "invalid publish subject";
	for (other = account->exports; other != NULL; other = other->next) {
		if (other->service && !other->failed && link_subset(export->latency, other->subject))
			return "invalid publish subject";
	}
	return export->singleton ? NULL : "bad service response type";
}

static void
link_export(struct options_build *build, struct options_account_build *account, struct account_export *export)
{
	const char *what = export->service ? "service" : "stream", *error;
	size_t i;

	for (i = 0; i < export->accounts.length; i++) {
		if (!options_has_account(build, export->accounts.items[i]))
			options_error(build, build->accounts_value, "%s account not defined for %s export",
			    options_quote(build, export->accounts.items[i]), what);
	}
	error = link_export_error(export);
	if (error != NULL) {
		export->failed = true;
		options_error(build, build->accounts_value, "Error adding %s export %s: %s", what,
		    options_quote(build, export->subject), error);
		return;
	}
	if (!export->service || export->latency == NULL)
		return;
	if (build->options->no_system_account)
		options_error(build, build->accounts_value,
		    "Error adding service latency sampling for %s: system account not setup",
		    options_quote(build, export->subject));
	else if ((error = link_latency_error(account, export)) != NULL)
		options_error(build, build->accounts_value, "Error adding service latency sampling for %s on subject %s: %s",
		    options_quote(build, export->subject), options_quote(build, export->latency), error);
}

/* May the account named importer import a subject from this one? */
static bool
link_authorized(const struct options_account_build *account, const char *importer, const char *subject, bool service)
{
	const struct account_export *export, *found = NULL;
	const char *token;
	size_t i, length;
	bool exact = false;

	for (export = account->exports; export != NULL && !exact; export = export->next) {
		if (export->service != service || export->failed)
			continue;
		exact = strcmp(export->subject, subject) == 0;
		if (exact || (found == NULL && link_subset(subject, export->subject)))
			found = export;
	}
	if (found == NULL)
		return false;
	if (found->position > 0)
		return !exact && subject_token_at(subject, strlen(subject), (size_t)found->position, &token, &length) &&
		    length == strlen(importer) && memcmp(token, importer, length) == 0;
	for (i = 0; i < found->accounts.length; i++) {
		if (strcmp(found->accounts.items[i], importer) == 0)
			return true;
	}
	return found->accounts.length == 0;
}

static bool
link_exports_stream(const struct options_account_build *account, const char *subject)
{
	const struct account_export *export;

	for (export = account->exports; export != NULL; export = export->next) {
		if (!export->service && !export->failed && link_subset(subject, export->subject))
			return true;
	}
	return false;
}

/* Follows imports from an account on; what is wrong (a cycle), or NULL. Recursion is as deep as accounts visited, at most the
 * limit. */
static const char *
link_cycle(struct options_account_build *account, const char *subject, bool service, unsigned depth)
{
	const struct account_import *import;
	const char *error, *mine, *next;

	if (depth >= ACCOUNT_CYCLE_DEPTH)
		return "search cycle depth exhausted";
	if (!service && !link_exports_stream(account, subject))
		return NULL;
	for (import = account->linked; import != NULL; import = import->next) {
		mine = service ? import->subject : import->to;
		if (import->service != service || !subject_collide(subject, strlen(subject), mine, strlen(mine)))
			continue;
		if (import->account->visited)
			return "import forms a cycle";
		account->visited = true;
		next = service ? import->from : import->to;
		next = link_subset(next, subject) ? next : subject;
		error = link_cycle(import->account, next, service, depth + 1);
		if (error != NULL)
			return error;
	}
	return NULL;
}

static const char *
link_cycle_error(
    struct options_build *build, struct options_account_build *account, struct account_import *import, const char *subject)
{
	struct options_account_build *other;

	for (other = build->accounts; other != NULL; other = other->next)
		other->visited = false;
	account->visited = true;
	return link_cycle(import->account, subject, import->service, 1);
}

/* What is wrong with a stream import, or NULL. Its local subject ends up in import->to. */
static const char *
link_stream_error(struct options_build *build, struct options_account_build *account, struct account_import *import)
{
	const struct account_import *other;
	const char *error, *to = import->to;
	size_t length = strlen(import->prefix);

	if (!subject_valid(import->subject, strlen(import->subject)) ||
	    !link_authorized(import->account, account->name, import->subject, false))
		return "stream import not authorized";
	if (length > 0) {
		if (subject_has_wildcard(import->prefix, length))
			return "stream import prefix can not contain wildcard tokens";
		to = options_format(build, "%s%s%s", import->prefix, import->prefix[length - 1] == '.' ? "" : ".", import->subject);
	}
	if (to[0] == '\0')
		to = import->subject;
	if ((error = link_cycle_error(build, account, import, to)) != NULL ||
	    (error = link_cycle_error(build, account, import, import->subject)) != NULL)
		return error;
	if (subject_has_wildcard(import->subject, strlen(import->subject)) && strcmp(to, import->subject) != 0) {
		error = options_transform_error(build, import->subject, options_transform_tokenize(build, to), true);
		if (error != NULL)
			return options_format(build,
			    "failed to create mapping transform for stream import subject from %s to %s: %s",
			    options_quote(build, import->subject), options_quote(build, to), error);
		to = options_transform_untokenize(build, to);
	}
	import->to = to;
	for (other = account->linked; other != NULL; other = other->next) {
		if (!other->service && other->account == import->account && strcmp(other->subject, import->subject) == 0)
			return "stream import already exists";
	}
	return NULL;
}

/* What is wrong with a service import, or NULL. */
static const char *
link_service_error(struct options_build *build, struct options_account_build *account, struct account_import *import)
{
	const struct account_import *other;
	const char *error, *from = import->to, *to = import->subject;
	bool wild = subject_has_wildcard(to, strlen(to));

	if (!subject_valid(from, strlen(from)) || !subject_valid(to, strlen(to)))
		return "sublist: invalid subject";
	if (!link_authorized(import->account, account->name, to, true))
		return "service import not authorized";
	error = link_cycle_error(build, account, import, wild ? options_transform_untokenize(build, from) : from);
	if (error != NULL)
		return error;
	for (other = account->linked; other != NULL; other = other->next) {
		if (other->service && other->account == import->account && strcmp(other->from, from) == 0)
			return options_format(build,
			    "duplicate service import subject %s, previously used in import for account %s, subject %s",
			    options_quote(build, from), options_quote(build, other->account_name),
			    options_quote(build, other->subject));
	}
	import->from = from;
	if (wild && strcmp(to, from) != 0) {
		error = options_transform_error(
		    build, options_transform_untokenize(build, to), options_transform_tokenize(build, from), true);
		if (error != NULL)
			return options_format(build,
			    "failed to create mapping transform for service import subject from %s to %s: %s",
			    options_quote(build, from), options_quote(build, to), error);
		import->from = options_transform_untokenize(build, from);
	}
	return NULL;
}

static void
link_import(struct options_build *build, struct options_account_build *account, struct account_import *import)
{
	const char *what = import->service ? "service" : "stream", *error;
	struct account_import *linked;

	import->account = account_find(build, import->account_name);
	if (import->account == NULL) {
		options_error(build, build->accounts_value, "%s account not defined for %s import",
		    options_quote(build, import->account_name), what);
		return;
	}
	error = import->service ? link_service_error(build, account, import) : link_stream_error(build, account, import);
	if (error != NULL) {
		options_error(build, build->accounts_value, "Error adding %s import %s: %s", what,
		    options_quote(build, import->subject), error);
		return;
	}
	linked = options_alloc(build, sizeof(*linked));
	*linked = *import;
	linked->next = account->linked;
	account->linked = linked;
}

static void
account_link(struct options_build *build)
{
	struct options_account_build *account;
	struct account_export *export;
	struct account_import *import;
	int services;

	for (services = 0; services <= 1; services++) {
		for (account = build->accounts; account != NULL; account = account->next) {
			for (export = account->exports; export != NULL; export = export->next) {
				if (export->service == (services == 1))
					link_export(build, account, export);
			}
		}
	}
	for (services = 0; services <= 1; services++) {
		for (account = build->accounts; account != NULL; account = account->next) {
			for (import = account->imports; import != NULL; import = import->next) {
				if (import->service == (services == 1))
					link_import(build, account, import);
			}
		}
	}
}

/* ---- the accounts block ---- */

void
options_accounts(const struct option_setting *setting)
{
	setting->build->accounts_value = setting->value;
}

static void
account_load(struct options_build *build, const char *name, const struct conf_value *value)
{
	const struct options *options = build->options;
	struct options_account_build *account;

	if (value->used)
		return;
	if (value->type != CONF_MAP) {
		options_error(build, value, "Expected map entries for accounts");
		return;
	}
	if (strcmp(name, OPTIONS_GLOBAL_ACCOUNT) == 0) {
		options_error(build, value, "%s is a Reserved Account", options_quote(build, name));
		return;
	}
	account = account_create(build, name);
	options_block(build, "accounts.*", value, account);
	if (account->auth.users_length == 0)
		return;
	if (options->username != NULL && options->username[0] != '\0') {
		options_error(build, account->users_value, "Can not have a single user/pass and accounts");
		return;
	}
	if (options->authorization != NULL && options->authorization[0] != '\0') {
		options_error(build, account->users_value, "Can not have a token and accounts");
		return;
	}
	options_apply_permissions(&account->auth);
	options_add_users(build, account->users_value, &account->auth, name);
}

static void
account_name(struct options_build *build, const struct conf_value *value)
{
	char *name;

	if (!options_want_string(build, value, &name))
		return;
	if (strcmp(name, OPTIONS_GLOBAL_ACCOUNT) == 0)
		options_error(build, value, "%s is a Reserved Account", options_quote(build, name));
	else if (options_has_account(build, name))
		options_error(build, value, "Duplicate Account Entry: %s", name);
	else
		account_create(build, name);
}

void
options_load_accounts(struct options_build *build)
{
	const struct conf_value *value = build->accounts_value;
	size_t i;

	if (value == NULL || (value->type != CONF_ARRAY && value->type != CONF_MAP))
		return;
	for (i = 0; i < value->length; i++) {
		if (value->type == CONF_ARRAY)
			account_name(build, value->entries[i].value);
		else
			account_load(build, value->entries[i].key, value->entries[i].value);
	}
	if (build->errors.length == 0)
		account_link(build);
}
