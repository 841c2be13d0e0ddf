/*
 * The accounts block: accounts by name, their users and their single keys. options.c and rows of options.def call it; exports and
 * imports are in options_export.c and options_link.c, mappings in options_mapping.c. All but the users is checked and not kept,
 * until authd has its registry of accounts. Rules come from nats-server's server/opts.go (parseAccounts).
 */
#include <string.h>

#include "base/check.h"
#include "model/nkey.h"
#include "model/options_account.h"
#include "model/subject.h"

struct options_account_build *
options_find_account(const struct options_build *build, const char *name)
{
	struct options_account_build *account;

	CHECK(name != NULL);
	for (account = build->accounts; account != NULL; account = account->next) {
		if (strcmp(account->name, name) == 0)
			break;
	}
	return account;
}

bool
options_has_account(const struct options_build *build, const char *name)
{
	return options_find_account(build, name) != NULL;
}

static struct options_account_build *
account_create(struct options_build *build, const char *name)
{
	struct options_account_build *account = options_alloc(build, sizeof(*account)), **place;

	CHECK(name != NULL);
	account->name = name;
	account->last_export = &account->exports;
	account->last_import = &account->imports;
	for (place = &build->accounts; *place != NULL; place = &(*place)->next)
		continue;
	*place = account;
	return account;
}

void
options_account_users(const struct option_setting *setting)
{
	struct options_account_build *account = setting->target;

	CHECK(account != NULL);
	account->users_value = setting->value;
	options_parse_users(setting->build, setting->value, &account->auth);
}

void
options_account_permissions(const struct option_setting *setting)
{
	struct options_account_build *account = setting->target;

	CHECK(account != NULL);
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

	CHECK(account != NULL);
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

	CHECK(account != NULL);
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

	CHECK(account != NULL);
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

	CHECK(build != NULL && value != NULL);
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

	CHECK(build != NULL && value != NULL);
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
		options_link_accounts(build);
}
