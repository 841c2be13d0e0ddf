/*
 * The engine over the rows of options.def: finds the row of a key, checks its type, and puts the value where the row says.
 * The other options_*.c files call it for each block. It owns no state but the tables of rows and of blocks. What a value means
 * beyond its type is in the functions that rows name, what single values may be in options_value.c.
 */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "model/options_private.h"

#define TYPE(kind, where, text, function) \
	{ \
		kind, where, text, function \
	}
#define OF(field) offsetof(struct options, field)
#define LISTEN(field) TYPE(OPTION_LISTEN, OF(field), NULL, NULL)
#define STRING(field) TYPE(OPTION_STRING, OF(field), NULL, NULL)
#define INT(field) TYPE(OPTION_INT, OF(field), NULL, NULL)
#define INT64(field) TYPE(OPTION_INT64, OF(field), NULL, NULL)
#define SIZE32(field) TYPE(OPTION_SIZE32, OF(field), NULL, NULL)
#define BOOL(field) TYPE(OPTION_BOOL, OF(field), NULL, NULL)
#define DURATION(field) TYPE(OPTION_DURATION, OF(field), NULL, NULL)
#define STRING_IN(type, field) TYPE(OPTION_STRING, offsetof(struct type, field), NULL, NULL)
#define BOOL_IN(type, field) TYPE(OPTION_BOOL, offsetof(struct type, field), NULL, NULL)
#define TLS_FILE(field) TYPE(OPTION_TLS_FILE, offsetof(struct options_tls, field), NULL, NULL)
#define TLS_BOOL(field) TYPE(OPTION_TLS_BOOL, offsetof(struct options_tls, field), NULL, NULL)
#define BLOCK(name) TYPE(OPTION_MAP, OPTION_NOWHERE, "expected " name " to be a map/struct, got %s", NULL)
#define MAP(name, text) TYPE(OPTION_MAP, OPTION_NOWHERE, text, NULL)
#define CALL(name) TYPE(OPTION_CALL, OPTION_NOWHERE, NULL, name)
#define ANY(kind) TYPE(kind, OPTION_NOWHERE, NULL, NULL)
#define ANY_STRING ANY(OPTION_STRING)
#define ANY_BOOL ANY(OPTION_BOOL)
#define ANY_INT ANY(OPTION_INT)
#define ANY_DURATION ANY(OPTION_DURATION)
#define ANY_LISTEN ANY(OPTION_LISTEN)
#define ANY_STRINGS ANY(OPTION_STRINGS)
#define ANY_STORAGE ANY(OPTION_STORAGE)
#define ANY_COUNT ANY(OPTION_COUNT)
#define PEER_BOOL ANY(OPTION_PEER_BOOL)
#define PEER_STRING ANY(OPTION_PEER_STRING)
#define IGNORED ANY(OPTION_IGNORED)
#define FLAG ANY(OPTION_BOOL)
#define OPTION(block, key, aliases, type, reload, feature, doc) { block, key, aliases, type, reload, feature, doc },

const struct option_row option_rows[] = {
#include "model/options.def"
};
const size_t option_rows_length = sizeof(option_rows) / sizeof(option_rows[0]);

/* How blocks treat keys that no row names. Blocks that are not here: unknown field "x", unless some $variable uses it. */
static const struct {
	const char *block;
	const char *text; /* NULL: unknown keys are ignored */
	bool even_if_used;
} block_rules[] = {
	{ "tls", "error parsing tls config, unknown field %s", true },
	{ "tls.ocsp_peer", "error parsing tls peer config, unknown field [%s]", true },
	{ "ocsp_cache", "error parsing OCSP peer cache config, unknown field [%s]", true },
	{ "permissions", "Unknown field %s parsing permissions", false },
	{ "permissions.allow_responses", "Unknown field %s parsing permissions", false },
	{ "permissions.publish|subscribe",
	    "Unknown field name %s parsing subject permissions, only 'allow' or 'deny' are permitted", false },
	{ "authorization.auth_callout", "Unknown field %s parsing authorization callout", false },
	{ "accounts.*.limits", "Unknown field %s parsing account limits", false },
	{ "accounts.*.msg_trace", "Unknown field %s parsing account message trace map/struct", false },
	{ "mappings.*", "Unknown field %s for mapping destination", true },
	{ "ocsp", "error parsing ocsp config: unsupported field %s", true },
	{ "resolver", NULL, false },
	{ "leafnodes.remotes.jetstream_cluster_migrate", NULL, false },
};

/* Blocks whose keys must be written as they are. */
static const char *const exact_blocks[] = { "ocsp", "resolver", "leafnodes.remotes.jetstream_cluster_migrate" };

static bool
key_is_alias(const char *key, const char *aliases, bool exact)
{
	char name[64];
	size_t length;

	for (; *aliases != '\0'; aliases += length + (aliases[length] == ',')) {
		length = strcspn(aliases, ",");
		CHECK(length > 0 && length < sizeof(name));
		memcpy(name, aliases, length);
		name[length] = '\0';
		if (exact ? strcmp(key, name) == 0 : options_key_is(key, name))
			return true;
	}
	return false;
}

static void
unknown_key(struct options_build *build, const char *block, const char *key, const struct conf_value *value)
{
	const char *text = "unknown field %s", *verb;
	bool even_if_used = false;
	size_t i;

	for (i = 0; i < sizeof(block_rules) / sizeof(block_rules[0]); i++) {
		if (strcmp(block_rules[i].block, block) == 0) {
			text = block_rules[i].text;
			even_if_used = block_rules[i].even_if_used;
		}
	}
	if (text == NULL || (value->used && !even_if_used))
		return;
	verb = strstr(text, "%s");
	CHECK(verb != NULL);
	options_error(build, value, "%.*s%s%s", (int)(verb - text), text, options_quote(build, key), verb + 2);
}

/* The address of a setting, or a place to throw the value away. */
static void *
setting_place(const struct option_setting *setting, void *scrap)
{
	if (setting->row->type.offset == OPTION_NOWHERE)
		return scrap;
	CHECK(setting->target != NULL);
	return (char *)setting->target + setting->row->type.offset;
}

static void
set_bool(const struct option_setting *setting)
{
	bool scrap;

	options_want_bool(setting->build, setting->value, setting_place(setting, &scrap));
}

static void
set_int(const struct option_setting *setting)
{
	int scrap, *place = setting_place(setting, &scrap);
	int64_t value;

	if (options_want_int(setting->build, setting->value, &value))
		*place = options_int(value);
}

static void
set_int64(const struct option_setting *setting)
{
	int64_t scrap;

	options_want_int(setting->build, setting->value, setting_place(setting, &scrap));
}

static void
set_size32(const struct option_setting *setting)
{
	int32_t scrap, *place = setting_place(setting, &scrap);
	int64_t value;

	if (!options_want_int(setting->build, setting->value, &value))
		return;
	if (value > INT32_MAX || value < INT32_MIN)
		options_error(setting->build, setting->value, "%s value is too big", setting->key);
	else
		*place = (int32_t)value;
}

static void
set_string(const struct option_setting *setting)
{
	char *scrap;

	options_want_string(setting->build, setting->value, setting_place(setting, &scrap));
}

static void
set_duration(const struct option_setting *setting)
{
	int64_t scrap;

	options_want_duration(setting->build, setting->value, setting->row->key, setting_place(setting, &scrap));
}

static void
set_listen(const struct option_setting *setting)
{
	struct options_address scrap;

	options_want_listen(setting->build, setting->value, setting_place(setting, &scrap));
}

static void
set_strings(const struct option_setting *setting)
{
	struct options_list scrap;

	options_want_strings(setting->build, setting->value, setting->row->key, setting_place(setting, &scrap));
}

static void
set_storage(const struct option_setting *setting)
{
	int64_t scrap;
	char error[160];

	if (!options_parse_storage(setting->build, setting->value, setting_place(setting, &scrap), error))
		options_error(setting->build, setting->value, "%s %s", setting->row->key, error);
}

static void
set_count(const struct option_setting *setting)
{
	struct options_build *build = setting->build;

	if (setting->value->type != CONF_INTEGER)
		options_error(build, setting->value, "Expected a parseable size for %s, got %s", options_quote(build, setting->key),
		    options_show(build, setting->value));
}

static void
set_tls_file(const struct option_setting *setting)
{
	if (setting->value->type != CONF_STRING)
		options_error(
		    setting->build, setting->value, "error parsing tls config, expected '%s' to be filename", setting->row->key);
	else
		set_string(setting);
}

static void
set_tls_bool(const struct option_setting *setting)
{
	if (setting->value->type != CONF_BOOL)
		options_error(
		    setting->build, setting->value, "error parsing tls config, expected '%s' to be a boolean", setting->row->key);
	else
		set_bool(setting);
}

static void
set_peer_bool(const struct option_setting *setting)
{
	if (setting->value->type != CONF_BOOL)
		unknown_key(setting->build, setting->row->block, setting->key, setting->value);
}

static void
set_peer_string(const struct option_setting *setting)
{
	if (setting->value->type != CONF_STRING)
		unknown_key(setting->build, setting->row->block, setting->key, setting->value);
}

static void
set_map(const struct option_setting *setting)
{
	struct options_build *build = setting->build;
	const char *text = setting->row->type.text, *verb;
	char block[64];
	int length;

	CHECK(text != NULL);
	if (setting->value->type != CONF_MAP) {
		verb = strchr(text, '%');
		CHECK(verb != NULL && (verb[1] == 's' || verb[1] == 'v'));
		options_error(build, setting->value, "%.*s%s%s", (int)(verb - text), text,
		    verb[1] == 's' ? options_type_name(setting->value) : options_show(build, setting->value), verb + 2);
		return;
	}
	length = strcmp(setting->row->block, "top") == 0
	    ? snprintf(block, sizeof(block), "%s", setting->row->key)
	    : snprintf(block, sizeof(block), "%s.%s", setting->row->block, setting->row->key);
	CHECK(length > 0 && (size_t)length < sizeof(block));
	options_block(build, block, setting->value, setting->target);
}

static void
set_nothing(const struct option_setting *setting)
{
	CHECK(setting->row->type.kind == OPTION_IGNORED);
}

static void
set_call(const struct option_setting *setting)
{
	setting->row->type.function(setting);
}

static option_function *const set_functions[] = {
	[OPTION_IGNORED] = set_nothing,
	[OPTION_BOOL] = set_bool,
	[OPTION_INT] = set_int,
	[OPTION_INT64] = set_int64,
	[OPTION_SIZE32] = set_size32,
	[OPTION_STRING] = set_string,
	[OPTION_DURATION] = set_duration,
	[OPTION_LISTEN] = set_listen,
	[OPTION_STRINGS] = set_strings,
	[OPTION_STORAGE] = set_storage,
	[OPTION_COUNT] = set_count,
	[OPTION_TLS_FILE] = set_tls_file,
	[OPTION_TLS_BOOL] = set_tls_bool,
	[OPTION_PEER_BOOL] = set_peer_bool,
	[OPTION_PEER_STRING] = set_peer_string,
	[OPTION_MAP] = set_map,
	[OPTION_CALL] = set_call,
};

/* Remembers that a key asks for a feature that is missing; "off" in any form asks for nothing. */
static void
note_missing(const struct option_setting *setting)
{
	struct options *options = setting->build->options;
	const struct conf_value *value = setting->value;
	struct options_missing *missing, **place;
	const char *block = setting->row->block;
	char key[96];

	if ((value->type == CONF_BOOL && !value->boolean) ||
	    (value->type == CONF_STRING && (options_key_is(value->string, "disabled") || options_key_is(value->string, "disable"))))
		return;
	snprintf(key, sizeof(key), "%s%s%s", strcmp(block, "top") == 0 ? "" : block, strcmp(block, "top") == 0 ? "" : ".",
	    setting->row->key);
	missing = options_alloc(setting->build, sizeof(*missing));
	missing->key = options_copy(setting->build, key, strlen(key));
	missing->at = value->at;
	for (place = &options->missing; *place != NULL; place = &(*place)->next)
		continue;
	*place = missing;
}

void
options_block(struct options_build *build, const char *block, const struct conf_value *map, void *target)
{
	struct option_setting setting = { .build = build, .target = target };
	const struct option_row *first = NULL, *row, *end = option_rows + option_rows_length;
	bool exact = false;
	size_t i;

	CHECK(map->type == CONF_MAP);
	for (i = 0; i < sizeof(exact_blocks) / sizeof(exact_blocks[0]); i++)
		exact = exact || strcmp(exact_blocks[i], block) == 0;
	for (row = option_rows; row < end && first == NULL; row++) {
		if (strcmp(row->block, block) == 0)
			first = row;
	}
	CHECK(first != NULL);
	for (i = 0; i < map->length; i++) {
		setting.key = map->entries[i].key;
		setting.value = map->entries[i].value;
		for (row = first; row < end && strcmp(row->block, block) == 0; row++) {
			if ((exact ? strcmp(setting.key, row->key) == 0 : options_key_is(setting.key, row->key)) ||
			    key_is_alias(setting.key, row->aliases, exact))
				break;
		}
		if (row == end || strcmp(row->block, block) != 0) {
			unknown_key(build, block, setting.key, setting.value);
			continue;
		}
		setting.row = row;
		CHECK(row->type.kind < sizeof(set_functions) / sizeof(set_functions[0]));
		if (row->feature != FEATURE_CORE)
			note_missing(&setting);
		set_functions[row->type.kind](&setting);
	}
}
