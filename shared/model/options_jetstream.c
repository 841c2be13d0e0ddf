/*
 * The jetstream block. Rows of options.def call it. It is checked and not kept until storaged exists.
 * Rules come from nats-server's server/opts.go (parseJetStream, parseJetStreamForAccount).
 */
#include <string.h>

#include "base/check.h"
#include "model/options_private.h"

#define CONCURRENT_IO_MIN 4
#define CONCURRENT_IO_MAX 8192

/* JetStream as true, false, "enabled" or "disabled"; false when it is a block, or after an error. */
static bool
jetstream_switch(struct options_build *build, const struct conf_value *value, bool *enabled)
{
	if (value->type == CONF_BOOL) {
		*enabled = value->boolean;
		return true;
	}
	if (value->type == CONF_STRING && (options_key_is(value->string, "enabled") || options_key_is(value->string, "enable"))) {
		*enabled = true;
		return true;
	}
	if (value->type == CONF_STRING && (options_key_is(value->string, "disabled") || options_key_is(value->string, "disable"))) {
		*enabled = false;
		return true;
	}
	if (value->type == CONF_STRING)
		options_error(build, value, "Expected 'enabled' or 'disabled' for string value, got '%s'", value->string);
	else if (value->type != CONF_MAP)
		options_error(build, value, "Expected map, bool or string to define JetStream, got %s", options_type_name(value));
	return false;
}

void
options_jetstream(const struct option_setting *setting)
{
	struct options *options = setting->build->options;

	if (jetstream_switch(setting->build, setting->value, &options->jetstream) || setting->value->type != CONF_MAP)
		return;
	options->jetstream = true;
	options_block(setting->build, "jetstream", setting->value, NULL);
}

void
options_account_jetstream(const struct option_setting *setting)
{
	bool enabled;

	if (!jetstream_switch(setting->build, setting->value, &enabled) && setting->value->type == CONF_MAP)
		options_block(setting->build, "accounts.*.jetstream", setting->value, NULL);
}

void
options_js_enabled(const struct option_setting *setting)
{
	options_want_bool(setting->build, setting->value, &setting->build->options->jetstream);
}

static void
jetstream_storage(const struct option_setting *setting, const char *name)
{
	char error[160];
	int64_t size;

	if (!options_parse_storage(setting->build, setting->value, &size, error))
		options_error(setting->build, setting->value, "%s %s", name, error);
}

void
options_js_max_memory(const struct option_setting *setting)
{
	jetstream_storage(setting, "max_mem_store");
}

void
options_js_max_file(const struct option_setting *setting)
{
	jetstream_storage(setting, "max_file_store");
}

void
options_js_sync(const struct option_setting *setting)
{
	int64_t interval;

	if (setting->value->type == CONF_STRING && options_key_is(setting->value->string, "always"))
		return;
	options_want_duration(setting->build, setting->value, setting->key, &interval);
}

void
options_js_strict(const struct option_setting *setting)
{
	if (setting->value->type != CONF_BOOL)
		options_error(setting->build, setting->value, "Expected 'true' or 'false' for bool value, got '%s'",
		    options_show(setting->build, setting->value));
}

void
options_js_cipher(const struct option_setting *setting)
{
	char *cipher;

	if (!options_want_string(setting->build, setting->value, &cipher))
		return;
	if (!options_key_is(cipher, "chacha") && !options_key_is(cipher, "chachapoly") && !options_key_is(cipher, "aes"))
		options_error(setting->build, setting->value, "Unknown cipher type: %s", options_quote(setting->build, cipher));
}

/* Durations of the limits blocks: errors come without a place in nats-server. */
void
options_js_duration(const struct option_setting *setting)
{
	char error[160], *text;
	int64_t duration;

	if (!options_want_string(setting->build, setting->value, &text))
		return;
	if (!options_parse_duration(setting->value, &duration, error))
		options_error(setting->build, setting->value, "%s", error);
}

static void
jetstream_absolute(const struct option_setting *setting)
{
	options_error(setting->build, setting->value, "Expected an absolute size for %s, got %s",
	    options_quote(setting->build, setting->key), options_show(setting->build, setting->value));
}

void
options_js_meta_compact(const struct option_setting *setting)
{
	if (setting->value->type != CONF_INTEGER || setting->value->integer < 0)
		jetstream_absolute(setting);
}

void
options_js_meta_compact_size(const struct option_setting *setting)
{
	char error[160];
	int64_t size;

	if (!options_parse_storage(setting->build, setting->value, &size, error))
		options_error(setting->build, setting->value, "%s %s", setting->row->key, error);
	else if (size < 0)
		jetstream_absolute(setting);
}

void
options_js_concurrent_io(const struct option_setting *setting)
{
	if (setting->value->type != CONF_INTEGER || setting->value->integer < CONCURRENT_IO_MIN ||
	    setting->value->integer > CONCURRENT_IO_MAX)
		options_error(setting->build, setting->value, "Expected an absolute size for %s between 4 and 8192, got %s",
		    options_quote(setting->build, setting->key), options_show(setting->build, setting->value));
}

void
options_js_max_bytes_required(const struct option_setting *setting)
{
	if (setting->value->type != CONF_BOOL)
		options_error(setting->build, setting->value, "Expected a parseable bool for %s, got %s",
		    options_quote(setting->build, setting->key), options_show(setting->build, setting->value));
}

void
options_js_cluster_traffic(const struct option_setting *setting)
{
	const struct conf_value *value = setting->value;

	if (value->type != CONF_STRING)
		options_error(setting->build, value, "Expected either 'system' or 'owner' string value for %s, got %s",
		    options_quote(setting->build, setting->key), options_show(setting->build, value));
	else if (strcmp(value->string, "system") != 0 && strcmp(value->string, "owner") != 0 && value->string[0] != '\0')
		options_error(setting->build, value, "Expected 'system' or 'owner' string value for %s, got %s",
		    options_quote(setting->build, setting->key), value->string);
}
