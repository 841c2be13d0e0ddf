/*
 * Operators, trusted keys and account resolvers. Rows of options.def call it. They are checked and not kept until authd knows JWTs.
 * Rules come from nats-server's server/opts.go. nats-server's -t creates the directory of a resolver: here nothing is created.
 */
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "model/nkey.h"
#include "model/options_private.h"

#define JWT_PREFIX "eyJ"

static void
operator_check(struct options_build *build, const struct conf_value *at, const char *text)
{
	char reason[CONF_ERROR_MAX];
	const char *data, *error;
	size_t length;

	if (build->source->conf.read_file(
		build->source->conf.arg, text, build->options->arena, &data, &length, reason, sizeof(reason))) {
		text = options_copy(build, data, length);
	} else if (strncmp(text, JWT_PREFIX, strlen(JWT_PREFIX)) != 0) {
		options_error(build, at, "error parsing operator JWT: %s", reason);
		return;
	}
	error = options_jwt_error(build, options_jwt_undecorate(build, text), OPTIONS_CLAIM_OPERATOR);
	if (error != NULL)
		options_error(build, at, "error parsing operator JWT: %s", error);
}

void
options_operator(const struct option_setting *setting)
{
	struct options_build *build = setting->build;
	const struct conf_value *value = setting->value, *item = value;
	size_t i, length = value->type == CONF_ARRAY ? value->length : 1;
	char *text;

	for (i = 0; i < length; i++) {
		if (value->type == CONF_ARRAY)
			item = value->entries[i].value;
		if (item->type != CONF_STRING)
			options_error(build, value, "error parsing operators: unsupported type %s", options_type_name(item));
		else if (options_want_string(build, item, &text))
			operator_check(build, value, text);
	}
}

void
options_trusted_keys(const struct option_setting *setting)
{
	struct options_build *build = setting->build;
	struct options_list keys;
	size_t i;

	if (!options_want_strings(build, setting->value, "trusted", &keys))
		return;
	for (i = 0; i < keys.length; i++) {
		if (!nkey_public_valid(keys.items[i], strlen(keys.items[i]), NKEY_OPERATOR))
			options_error(build, setting->value, "trust key %s required to be a valid public operator nkey",
			    options_quote(build, keys.items[i]));
	}
}

void
options_resolver_preload(const struct option_setting *setting)
{
	struct options_build *build = setting->build;
	const struct conf_value *value = setting->value, *item;
	size_t i;
	char *text;

	if (value->type != CONF_MAP) {
		options_error(build, value, "preload should be a map of account_public_key:account_jwt");
		return;
	}
	for (i = 0; i < value->length; i++) {
		item = value->entries[i].value;
		if (item->type != CONF_STRING)
			options_error(build, item, "preload map value should be a string JWT");
		else if (options_want_string(build, item, &text) && options_jwt_error(build, text, OPTIONS_CLAIM_ACCOUNT) != NULL)
			options_error(build, item, "invalid account JWT");
	}
}

/* The url of 'URL(http://...)', with or without quotes; "" when there is none. */
static char *
operator_resolver_url(struct options_build *build, const char *after)
{
	size_t length, rest;

	if (*after != '(')
		return options_copy(build, "", 0);
	after++;
	after += strspn(after, " \t\r\n\f");
	if (*after == '"')
		after++;
	length = strcspn(after, " \t\r\n\f\"");
	rest = length + (after[length] == '"');
	rest += strspn(after + rest, " \t\r\n\f");
	if (after[rest] == ')')
		return options_copy(build, after, length);
	while (length > 0 && after[length - 1] != ')')
		length--;
	return options_copy(build, after, length > 0 ? length - 1 : 0);
}

static void
operator_resolver_text(const struct option_setting *setting)
{
	struct options_build *build = setting->build;
	struct options_url url;
	const char *found;
	char *text;

	if (!options_want_string(build, setting->value, &text) || strcasestr(text, "mem") != NULL)
		return;
	found = strcasestr(text, "url");
	if (found == NULL) {
		options_error(build, setting->value,
		    "error parsing account resolver, should be MEM or  URL(\"url\") or a map containing dir and type "
		    "state=[FULL|CACHE])");
		return;
	}
	text = operator_resolver_url(build, found + 3);
	if (!options_url_parse(build, text, &url))
		options_error(build, setting->value, "error parsing account resolver url [%s]", options_quote(build, text));
}

static void
resolver_duration(const struct option_setting *setting, int64_t *out)
{
	char error[160], *text;

	if (options_want_string(setting->build, setting->value, &text) && !options_parse_duration(setting->value, out, error))
		options_error(setting->build, setting->value, "%s", error);
}

void
options_resolver_hard_delete(const struct option_setting *setting)
{
	struct options_resolver_block *resolver = setting->target;
	bool hard;

	CHECK(resolver != NULL);
	resolver->hard_delete_set = true;
	options_want_bool(setting->build, setting->value, &hard);
}

void
options_resolver_ttl(const struct option_setting *setting)
{
	struct options_resolver_block *resolver = setting->target;

	CHECK(resolver != NULL);
	resolver_duration(setting, &resolver->ttl);
}

void
options_resolver_interval(const struct option_setting *setting)
{
	struct options_resolver_block *resolver = setting->target;

	CHECK(resolver != NULL);
	resolver_duration(setting, &resolver->interval);
}

void
options_resolver_timeout(const struct option_setting *setting)
{
	int64_t timeout;

	resolver_duration(setting, &timeout);
}

static void
resolver_check_directory(struct options_build *build, const struct conf_value *at, const char *dir)
{
	if (dir == NULL || dir[0] == '\0')
		options_error(build, at, "dir has no value and needs to point to a directory");
	else if (build->source->check_directory(build->source->conf.arg, dir) == 0)
		options_error(build, at, "dir needs to point to an accessible directory");
}

static void
operator_resolver_block(const struct option_setting *setting)
{
	struct options_build *build = setting->build;
	struct options_resolver_block resolver = { 0 };
	const struct conf_value *at = setting->value;
	size_t errors = build->errors.length;
	const char *type;

	options_block(build, "resolver", at, &resolver);
	if (build->errors.length > errors)
		return;
	type = resolver.type != NULL ? resolver.type : "";
	if (options_key_is(type, "cache")) {
		resolver_check_directory(build, at, resolver.dir);
		if (resolver.interval != 0)
			options_error(build, at, "CACHE does not accept sync");
		if (resolver.allow_delete)
			options_error(build, at, "CACHE does not accept allow_delete");
		if (resolver.hard_delete_set)
			options_error(build, at, "CACHE does not accept hard_delete");
	} else if (options_key_is(type, "full")) {
		resolver_check_directory(build, at, resolver.dir);
		if (resolver.ttl != 0)
			options_error(build, at, "FULL does not accept ttl");
		if (resolver.hard_delete_set && !resolver.allow_delete)
			options_error(build, at, "hard_delete has no effect without delete");
	} else if (!options_key_is(type, "mem") && !options_key_is(type, "memory")) {
		options_error(build, at,
		    "error parsing account resolver, should be MEM or  URL(\"url\") or a map containing dir and type "
		    "state=[FULL|CACHE])");
	}
}

void
options_resolver(const struct option_setting *setting)
{
	if (setting->value->type == CONF_STRING)
		operator_resolver_text(setting);
	else if (setting->value->type == CONF_MAP)
		operator_resolver_block(setting);
	else
		options_error(setting->build, setting->value, "error parsing operator resolver, wrong type %s",
		    options_type_name(setting->value));
}
