/*
 * Keys at the top of the configuration, and in the natsd block, that need more than a type check.
 * Rows of options.def call it. It owns nothing. Rules come from nats-server's server/opts.go (processConfigFileLine).
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/text.h"
#include "model/conf_lex.h"
#include "model/nkey.h"
#include "model/options_private.h"

#define LAME_DUCK_MIN (30 * OPTIONS_SECOND)
#define SUBSCRIPTION_TOKENS_MAX 255

void
options_server_name(const struct option_setting *setting)
{
	char *name;

	if (!options_want_string(setting->build, setting->value, &name))
		return;
	if (strchr(name, ' ') != NULL)
		options_error(setting->build, setting->value, "server name cannot contain spaces");
	else
		setting->build->options->server_name = name;
}

/* Adds a tag once, trimmed and in lower case. */
static void
top_add_tag(struct options_build *build, struct options_list *tags, const char *text)
{
	size_t i, start = 0, end = strlen(text);
	char *tag;

	while (start < end && conf_lex_space((unsigned char)text[start]) && (unsigned char)text[start] < 0x80)
		start++;
	while (end > start && conf_lex_space((unsigned char)text[end - 1]) && (unsigned char)text[end - 1] < 0x80)
		end--;
	if (start == end)
		return;
	tag = options_copy(build, text + start, end - start);
	for (i = 0; tag[i] != '\0'; i++) {
		if (tag[i] >= 'A' && tag[i] <= 'Z')
			tag[i] = (char)(tag[i] | 0x20);
	}
	for (i = 0; i < tags->length; i++) {
		if (strcmp(tags->items[i], tag) == 0)
			return;
	}
	tags->items[tags->length++] = tag;
}

void
options_server_tags(const struct option_setting *setting)
{
	struct options_build *build = setting->build;
	const struct conf_value *value = setting->value, *item = value;
	struct options_list *tags = &build->options->server_tags;
	size_t i, length = value->type == CONF_ARRAY ? value->length : 1;
	char *text;

	*tags = (struct options_list){ .items = options_array(build, length, sizeof(tags->items[0])) };
	for (i = 0; i < length; i++) {
		if (value->type == CONF_ARRAY)
			item = value->entries[i].value;
		if (item->type != CONF_STRING) {
			options_error(build, value, "error parsing tags: unsupported type %s", options_type_name(item));
			return;
		}
		if (options_want_string(build, item, &text))
			top_add_tag(build, tags, text);
	}
}

static int
top_compare_pairs(const void *a, const void *b)
{
	return strcmp(((const struct options_pair *)a)->name, ((const struct options_pair *)b)->name);
}

void
options_server_metadata(const struct option_setting *setting)
{
	struct options_build *build = setting->build;
	const struct conf_value *value = setting->value;
	struct options_pairs *pairs = &build->options->server_metadata;
	size_t i;

	if (value->type != CONF_MAP) {
		options_error(build, value, "error parsing metadata: unsupported type %s", options_type_name(value));
		return;
	}
	*pairs = (struct options_pairs){ .items = options_array(build, value->length, sizeof(pairs->items[0])) };
	for (i = 0; i < value->length; i++) {
		pairs->items[pairs->length].name = options_copy(build, value->entries[i].key, value->entries[i].key_length);
		if (options_want_string(build, value->entries[i].value, &pairs->items[pairs->length].value))
			pairs->length++;
	}
	if (pairs->length > 0)
		qsort(pairs->items, pairs->length, sizeof(pairs->items[0]), top_compare_pairs);
}

void
options_feature_flags(const struct option_setting *setting)
{
	struct options_build *build = setting->build;
	const struct conf_value *value = setting->value, *item;
	struct options_pairs *pairs = &build->options->feature_flags;
	size_t i;

	if (value->type != CONF_MAP) {
		options_error(build, value, "error parsing feature flags: unsupported type %s", options_type_name(value));
		return;
	}
	*pairs = (struct options_pairs){ .items = options_array(build, value->length, sizeof(pairs->items[0])) };
	for (i = 0; i < value->length; i++) {
		item = value->entries[i].value;
		if (item->type != CONF_BOOL) {
			options_error(build, item, "error parsing feature flag %s: expected bool, got %s",
			    options_quote(build, value->entries[i].key), options_type_name(item));
			continue;
		}
		pairs->items[pairs->length].name = options_copy(build, value->entries[i].key, value->entries[i].key_length);
		pairs->items[pairs->length++].value = options_format(build, "%s", item->boolean ? "true" : "false");
	}
	if (pairs->length > 0)
		qsort(pairs->items, pairs->length, sizeof(pairs->items[0]), top_compare_pairs);
}

void
options_http(const struct option_setting *setting)
{
	struct options *options = setting->build->options;

	options_want_listen(setting->build, setting->value, &options->http);
}

void
options_https(const struct option_setting *setting)
{
	struct options *options = setting->build->options;
	struct options_address address = { 0 };

	if (!options_want_listen(setting->build, setting->value, &address))
		return;
	options->http.host = address.host;
	options->https_port = address.port;
}

void
options_max_connections(const struct option_setting *setting)
{
	int64_t value;

	if (options_want_int(setting->build, setting->value, &value))
		setting->build->options->max_connections = value == 0 ? -1 : options_int(value);
}

void
options_max_subscription_tokens(const struct option_setting *setting)
{
	int64_t value;

	if (!options_want_int(setting->build, setting->value, &value))
		return;
	if (value > SUBSCRIPTION_TOKENS_MAX)
		options_error(setting->build, setting->value, "%s value is too big", setting->key);
	else if (value <= 0)
		options_error(setting->build, setting->value, "%s value can not be negative", setting->key);
	else
		setting->build->options->max_subscription_tokens = (int)value;
}

static bool
top_write_timeout(const struct option_setting *setting, enum options_write_timeout *out)
{
	static const char *const words[] = {
		[OPTIONS_WRITE_TIMEOUT_DEFAULT] = "default",
		[OPTIONS_WRITE_TIMEOUT_CLOSE] = "close",
		[OPTIONS_WRITE_TIMEOUT_RETRY] = "retry",
	};
	char *text;
	size_t i;

	if (!options_want_string(setting->build, setting->value, &text))
		return false;
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(text, words[i]) == 0) {
			*out = (enum options_write_timeout)i;
			return true;
		}
	}
	options_error(setting->build, setting->value, "write_timeout must be 'default', 'close' or 'retry'");
	return false;
}

void
options_write_timeout(const struct option_setting *setting)
{
	top_write_timeout(setting, &setting->build->options->write_timeout);
}

void
options_other_write_timeout(const struct option_setting *setting)
{
	enum options_write_timeout checked;

	top_write_timeout(setting, &checked);
}

static bool
top_duration_text(const struct option_setting *setting, int64_t *out)
{
	char *text, error[160];

	if (!options_want_string(setting->build, setting->value, &text))
		return false;
	if (options_parse_duration(setting->value, out, error))
		return true;
	options_error(setting->build, setting->value, "error parsing %s: %s", setting->row->key, error);
	return false;
}

void
options_lame_duck_duration(const struct option_setting *setting)
{
	char shown[40];
	int64_t value;

	if (!top_duration_text(setting, &value))
		return;
	text_duration_format(shown, sizeof(shown), value);
	if (value < LAME_DUCK_MIN)
		options_error(setting->build, setting->value, "invalid lame_duck_duration of %s, minimum is 30 seconds", shown);
	else
		setting->build->options->lame_duck_duration = value;
}

void
options_lame_duck_grace_period(const struct option_setting *setting)
{
	int64_t value;

	if (!top_duration_text(setting, &value))
		return;
	if (value < 0)
		options_error(setting->build, setting->value, "invalid lame_duck_grace_period, needs to be positive");
	else
		setting->build->options->lame_duck_grace_period = value;
}

void
options_trace_verbose(const struct option_setting *setting)
{
	struct options *options = setting->build->options;

	if (options_want_bool(setting->build, setting->value, &options->trace_verbose))
		options->trace = options->trace_verbose;
}

void
options_trace_headers(const struct option_setting *setting)
{
	struct options *options = setting->build->options;

	if (options_want_bool(setting->build, setting->value, &options->trace_headers))
		options->trace = options->trace_headers;
}

/* At the top and in the jetstream block: only once. */
void
options_store_dir(const struct option_setting *setting)
{
	struct options *options = setting->build->options;

	if (options->store_dir != NULL && options->store_dir[0] != '\0')
		options_error(setting->build, setting->value, "Duplicate 'store_dir' configuration");
	else
		options_want_string(setting->build, setting->value, &options->store_dir);
}

void
options_default_js_domain(const struct option_setting *setting)
{
	struct options_build *build = setting->build;
	const struct conf_value *value = setting->value;
	char *domain;
	size_t i;

	if (value->type != CONF_MAP) {
		options_error(build, value, "error default_js_domain config: unsupported type %s", options_type_name(value));
		return;
	}
	for (i = 0; i < value->length; i++)
		options_want_string(build, value->entries[i].value, &domain);
}

void
options_proxies_trusted(const struct option_setting *setting)
{
	struct options_build *build = setting->build;
	const struct conf_value *value = setting->value, *item;
	size_t i;

	if (value->type != CONF_ARRAY) {
		options_error(build, value, "expected proxies' trusted field to be an array, got %s", options_type_name(value));
		return;
	}
	for (i = 0; i < value->length; i++) {
		item = value->entries[i].value;
		if (item->type != CONF_MAP)
			options_error(
			    build, item, "expected proxies' trusted entry to be a map/struct, got %s", options_type_name(item));
		else
			options_block(build, "proxies.trusted", item, NULL);
	}
}

void
options_proxy_key(const struct option_setting *setting)
{
	uint8_t raw[NKEY_KEY_SIZE];
	enum nkey_type type;
	char *key;

	if (!options_want_string(setting->build, setting->value, &key))
		return;
	if (!nkey_public_decode(key, strlen(key), &type, raw))
		options_error(setting->build, setting->value, "invalid proxy key %s", options_quote(setting->build, key));
}

/* ---- the natsd block ---- */

void
options_workers(const struct option_setting *setting)
{
	int64_t value;

	if (!options_want_int(setting->build, setting->value, &value))
		return;
	if (value < 1 || value > OPTIONS_WORKERS_MAX)
		options_error(setting->build, setting->value, "workers must be 1 to %d", OPTIONS_WORKERS_MAX);
	else
		setting->build->options->workers = (int)value;
}

void
options_log_format(const struct option_setting *setting)
{
	char *text;

	if (!options_want_string(setting->build, setting->value, &text))
		return;
	if (strcmp(text, "text") == 0)
		setting->build->options->log_format = OPTIONS_LOG_TEXT;
	else if (strcmp(text, "json") == 0)
		setting->build->options->log_format = OPTIONS_LOG_JSON;
	else
		options_error(setting->build, setting->value, "log_format must be text or json");
}

void
options_sandbox(const struct option_setting *setting)
{
	char *text;

	if (!options_want_string(setting->build, setting->value, &text))
		return;
	if (strcmp(text, "best") == 0)
		setting->build->options->sandbox = OPTIONS_SANDBOX_BEST;
	else if (strcmp(text, "require") == 0)
		setting->build->options->sandbox = OPTIONS_SANDBOX_REQUIRE;
	else
		options_error(setting->build, setting->value, "sandbox must be best or require");
}
