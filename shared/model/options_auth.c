/*
 * Authorization blocks: the single user, the list of users, permissions, the auth callout.
 * Rows of options.def call it; options_account.c, options_cluster.c and options_leaf.c use it for the blocks that look alike.
 * It owns nothing. Rules come from nats-server's server/opts.go (parseAuthorization, parseUsers, parseUserPermissions).
 */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/map.h"
#include "model/nkey.h"
#include "model/options_private.h"
#include "model/subject.h"

#define AUTH_TIMEOUT_HIGH 60.0

/* publish or subscribe of a permissions block. */
struct auth_rules {
	struct options_subject_rules *rules;
	bool queues;
};

struct auth_callout {
	char *issuer;
	size_t users;
};

static const struct {
	const char *name;
	enum options_connection bit;
} connection_names[] = {
	{ "standard", OPTIONS_CONNECTION_STANDARD },
	{ "websocket", OPTIONS_CONNECTION_WEBSOCKET },
	{ "leafnode", OPTIONS_CONNECTION_LEAFNODE },
	{ "leafnode_ws", OPTIONS_CONNECTION_LEAFNODE_WS },
	{ "mqtt", OPTIONS_CONNECTION_MQTT },
	{ "mqtt_ws", OPTIONS_CONNECTION_MQTT_WS },
	{ "in_process", OPTIONS_CONNECTION_IN_PROCESS },
};

static bool
auth_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The next word of text, or NULL; *text moves behind it. */
static char *
auth_word(struct options_build *build, const char **text)
{
	const char *start;

	CHECK(text != NULL && *text != NULL);
	while (auth_blank(**text))
		(*text)++;
	start = *text;
	while (**text != '\0' && !auth_blank(**text))
		(*text)++;
	return *text == start ? NULL : options_copy(build, start, (size_t)(*text - start));
}

/* Takes "subject" or, where queues are allowed, "subject queue". False when the subject is not valid: then it is kept whole. */
static void
auth_split_subject(struct options_build *build, char *text, bool queues, struct options_subject *out)
{
	const char *rest = text;
	char *subject, *queue;

	CHECK(text != NULL && out != NULL);
	*out = (struct options_subject){ .subject = text };
	if (!queues || subject_valid(text, strlen(text)))
		return;
	subject = auth_word(build, &rest);
	queue = auth_word(build, &rest);
	if (subject != NULL && queue != NULL && auth_word(build, &rest) == NULL)
		*out = (struct options_subject){ .subject = subject, .queue = queue };
}

bool
options_check_subjects(struct options_build *build, const struct options_subjects *subjects, const char **error)
{
	const struct options_subject *item;
	size_t i;

	CHECK(subjects != NULL && error != NULL);
	for (i = 0; i < subjects->length; i++) {
		item = &subjects->items[i];
		if (!subject_valid(item->subject, strlen(item->subject)))
			*error = options_format(build, "subject %s is not a valid subject", options_quote(build, item->subject));
		else if (item->queue != NULL && !subject_valid(item->queue, strlen(item->queue)))
			*error = options_format(build, "queue %s is not a valid queue", options_quote(build, item->queue));
		else
			continue;
		return false;
	}
	return true;
}

bool
options_parse_subjects(struct options_build *build, const struct conf_value *value, bool queues, struct options_subjects *out)
{
	const struct conf_value *item = value;
	const char *error;
	size_t i, length = 1;
	char *text;

	CHECK(build != NULL && value != NULL);
	*out = (struct options_subjects){ 0 };
	if (value->type == CONF_ARRAY) {
		length = value->length;
	} else if (value->type != CONF_STRING) {
		options_error(build, value, "Expected subject permissions to be a subject, or array of subjects, got %s",
		    options_type_name(value));
		return false;
	}
	out->items = options_array(build, length, sizeof(out->items[0]));
	for (i = 0; i < length; i++) {
		if (value->type == CONF_ARRAY)
			item = value->entries[i].value;
		if (item->type != CONF_STRING) {
			options_error(build, item, "Subject in permissions array cannot be cast to string");
			return false;
		}
		if (!options_want_string(build, item, &text))
			return false;
		auth_split_subject(build, text, queues, &out->items[i]);
	}
	out->length = length;
	out->set = length > 0; /* an empty list restricts nothing, as in nats-server */
	if (!options_check_subjects(build, out, &error)) {
		options_error(build, value, "%s", error);
		return false;
	}
	return true;
}

void
options_permission_allow(const struct option_setting *setting)
{
	struct auth_rules *rules = setting->target;
	struct options_subjects subjects;

	CHECK(rules != NULL);
	if (options_parse_subjects(setting->build, setting->value, rules->queues, &subjects))
		rules->rules->allow = subjects;
}

void
options_permission_deny(const struct option_setting *setting)
{
	struct auth_rules *rules = setting->target;
	struct options_subjects subjects;

	CHECK(rules != NULL);
	if (options_parse_subjects(setting->build, setting->value, rules->queues, &subjects))
		rules->rules->deny = subjects;
}

static void
auth_rules(const struct option_setting *setting, struct options_subject_rules *out, bool queues)
{
	struct options_subject_rules fresh = { 0 };
	struct auth_rules rules = { .rules = &fresh, .queues = queues };

	if (setting->value->type == CONF_MAP) {
		options_block(setting->build, "permissions.publish|subscribe", setting->value, &rules);
		fresh.set = setting->value->length > 0;
	} else {
		fresh.set = options_parse_subjects(setting->build, setting->value, queues, &fresh.allow);
	}
	*out = fresh;
}

void
options_permission_publish(const struct option_setting *setting)
{
	struct options_permissions *permissions = setting->target;

	CHECK(permissions != NULL);
	auth_rules(setting, &permissions->publish, false);
}

void
options_permission_subscribe(const struct option_setting *setting)
{
	struct options_permissions *permissions = setting->target;

	CHECK(permissions != NULL);
	auth_rules(setting, &permissions->subscribe, true);
}

void
options_permission_responses(const struct option_setting *setting)
{
	struct options_permissions *permissions = setting->target;

	CHECK(permissions != NULL);
	permissions->responses_max = OPTIONS_RESPONSES_MAX;
	permissions->responses_expires = OPTIONS_RESPONSES_EXPIRES;
	if (setting->value->type == CONF_BOOL) {
		permissions->responses = setting->value->boolean;
	} else if (setting->value->type != CONF_MAP) {
		options_error(setting->build, setting->value, "error parsing response permissions, expected a boolean or a map");
	} else {
		permissions->responses = true;
		options_block(setting->build, "permissions.allow_responses", setting->value, permissions);
	}
}

void
options_responses_max(const struct option_setting *setting)
{
	struct options_permissions *permissions = setting->target;
	int64_t max;

	CHECK(permissions != NULL);
	if (options_want_int(setting->build, setting->value, &max) && max != 0)
		permissions->responses_max = options_int(max);
}

void
options_responses_expires(const struct option_setting *setting)
{
	struct options_permissions *permissions = setting->target;
	char error[160];
	int64_t expires;

	CHECK(permissions != NULL);
	if (setting->value->type != CONF_STRING)
		options_error(setting->build, setting->value, "error parsing expires, not a duration string");
	else if (!options_parse_duration(setting->value, &expires, error))
		options_error(setting->build, setting->value, "error parsing expires: %s", error);
	else if (expires != 0)
		permissions->responses_expires = expires;
}

struct options_permissions *
options_parse_permissions(struct options_build *build, const struct conf_value *value)
{
	struct options_permissions *permissions;

	CHECK(build != NULL && value != NULL);
	if (value->type != CONF_MAP) {
		options_error(build, value, "Expected permissions to be a map/struct, got %s", options_show(build, value));
		return NULL;
	}
	permissions = options_alloc(build, sizeof(*permissions));
	options_block(build, "permissions", value, permissions);
	if (permissions->responses) {
		/* Who may answer may not publish at will, unless the block says so. */
		permissions->publish.set = true;
		permissions->publish.allow.set = true;
	}
	return permissions;
}

void
options_user_permissions(const struct option_setting *setting)
{
	struct options_user *user = setting->target;

	CHECK(user != NULL);
	user->permissions = options_parse_permissions(setting->build, setting->value);
}

void
options_user_connection_types(const struct option_setting *setting)
{
	struct options_build *build = setting->build;
	struct options_user *user = setting->target;
	struct options_list list;
	const char *unknown = NULL;
	size_t i, j;

	CHECK(user != NULL);
	if (!options_want_strings(build, setting->value, "allowed connection types", &list))
		return;
	for (i = 0; i < list.length; i++) {
		for (j = 0; j < sizeof(connection_names) / sizeof(connection_names[0]); j++) {
			if (options_key_is(list.items[i], connection_names[j].name))
				break;
		}
		if (j < sizeof(connection_names) / sizeof(connection_names[0]))
			user->connection_types |= connection_names[j].bit;
		else
			unknown = options_format(build, "%s%s%s", unknown != NULL ? unknown : "", unknown != NULL ? " " : "",
			    options_quote(build, options_upper(build, list.items[i])));
	}
	if (unknown != NULL)
		options_error(build, setting->value, "invalid connection types [%s]", unknown);
}

/* One entry of a list of users; NULL after an error. */
static struct options_user *
auth_parse_user(struct options_build *build, const struct conf_value *value)
{
	struct options_user *user;
	const struct conf_value *last;

	CHECK(build != NULL && value != NULL);
	if (value->type != CONF_MAP) {
		options_error(build, value, "Expected user entry to be a map/struct, got %s", options_show(build, value));
		return NULL;
	}
	user = options_alloc(build, sizeof(*user));
	user->at = value->at;
	options_block(build, "authorization.users", value, user);
	last = value->length > 0 ? value->entries[value->length - 1].value : value;
	if (user->nkey != NULL && user->nkey[0] == '\0')
		user->nkey = NULL;
	if (user->nkey == NULL && (user->name == NULL || user->name[0] == '\0')) {
		options_error(build, last, "User entry requires a user");
		return NULL;
	}
	if (user->nkey != NULL && !nkey_public_valid(user->nkey, strlen(user->nkey), NKEY_USER)) {
		options_error(build, last, "Not a valid public nkey for a user");
		return NULL;
	}
	if (user->nkey != NULL &&
	    ((user->name != NULL && user->name[0] != '\0') || (user->password != NULL && user->password[0] != '\0'))) {
		options_error(build, last, "Nkey users do not take usernames or passwords");
		return NULL;
	}
	if (user->name == NULL)
		user->name = options_copy(build, "", 0);
	if (user->password == NULL)
		user->password = options_copy(build, "", 0);
	return user;
}

bool
options_parse_users(struct options_build *build, const struct conf_value *value, struct options_auth *auth)
{
	struct options_user *user;
	size_t i;

	CHECK(build != NULL && value != NULL);
	if (value->type != CONF_ARRAY) {
		options_error(build, value, "Expected users field to be an array, got %s", options_show(build, value));
		return false;
	}
	auth->users_set = true;
	auth->users_length = 0;
	auth->users = options_array(build, value->length, sizeof(auth->users[0]));
	for (i = 0; i < value->length; i++) {
		user = auth_parse_user(build, value->entries[i].value);
		if (user != NULL)
			auth->users[auth->users_length++] = user;
	}
	return true;
}

void
options_auth_users(const struct option_setting *setting)
{
	options_parse_users(setting->build, setting->value, setting->target);
}

void
options_auth_permissions(const struct option_setting *setting)
{
	struct options_auth *auth = setting->target;

	CHECK(auth != NULL);
	auth->default_permissions = options_parse_permissions(setting->build, setting->value);
}

/* Seconds for a login, with a warning when they look like a mistake. */
static void
auth_timeout(const struct option_setting *setting, const char *where)
{
	struct options_auth *auth = setting->target;
	struct options_build *build = setting->build;

	CHECK(auth != NULL);
	if (!options_want_seconds(build, setting->value, where, &auth->timeout))
		return;
	if (auth->timeout > AUTH_TIMEOUT_HIGH)
		options_warning(build, setting->value,
		    "invalid use of field %s: timeout of %s (%f seconds) is high, consider keeping it under 60 seconds. "
		    "possibly caused by unquoted duration; use '1m' instead of 1m, for example",
		    options_quote(build, setting->key), options_show(build, setting->value), auth->timeout);
}

void
options_auth_timeout(const struct option_setting *setting)
{
	auth_timeout(setting, "authorization");
}

void
options_leaf_timeout(const struct option_setting *setting)
{
	auth_timeout(setting, "leafnode authorization");
}

void
options_apply_permissions(const struct options_auth *auth)
{
	size_t i;

	for (i = 0; i < auth->users_length; i++) {
		if (auth->users[i]->permissions == NULL)
			auth->users[i]->permissions = auth->default_permissions;
	}
}

bool
options_parse_authorization(struct options_build *build, const struct conf_value *value, struct options_auth *auth)
{
	*auth = (struct options_auth){
		.user = options_copy(build, "", 0), .password = options_copy(build, "", 0), .token = options_copy(build, "", 0)
	};
	if (value->type != CONF_MAP) {
		options_error(build, value, "expected a block, but got %s", options_type_name(value));
		return false;
	}
	options_block(build, "authorization", value, auth);
	options_apply_permissions(auth);
	return true;
}

/* ---- auth callout: checked, not kept, since the feature is missing ---- */

static void
callout_names(const struct option_setting *setting, const char *field, struct options_list *out)
{
	struct options_build *build = setting->build;
	const struct conf_value *value = setting->value;
	size_t i;

	*out = (struct options_list){ 0 };
	if (value->type != CONF_ARRAY) {
		options_error(build, value, "Expected %s field to be an array, got %s", field, options_type_name(value));
		return;
	}
	out->items = options_array(build, value->length, sizeof(out->items[0]));
	for (i = 0; i < value->length; i++) {
		if (options_want_string(build, value->entries[i].value, &out->items[out->length]))
			out->length++;
	}
}

void
options_callout_issuer(const struct option_setting *setting)
{
	struct auth_callout *callout = setting->target;

	CHECK(callout != NULL);
	if (!options_want_string(setting->build, setting->value, &callout->issuer))
		return;
	if (!nkey_public_valid(callout->issuer, strlen(callout->issuer), NKEY_ACCOUNT))
		options_error(setting->build, setting->value, "Expected callout user to be a valid public account nkey, got %s",
		    options_quote(setting->build, callout->issuer));
}

void
options_callout_xkey(const struct option_setting *setting)
{
	char *key;

	if (!options_want_string(setting->build, setting->value, &key))
		return;
	if (!nkey_public_valid(key, strlen(key), NKEY_CURVE))
		options_error(setting->build, setting->value, "Expected callout xkey to be a valid public xkey, got %s",
		    options_quote(setting->build, key));
}

void
options_callout_users(const struct option_setting *setting)
{
	struct auth_callout *callout = setting->target;
	struct options_list users;

	CHECK(callout != NULL);
	callout_names(setting, "auth_users", &users);
	callout->users = users.length;
}

void
options_callout_accounts(const struct option_setting *setting)
{
	callout_names(setting, "allowed accounts", &setting->build->callout_accounts);
}

void
options_auth_callout(const struct option_setting *setting)
{
	struct options_build *build = setting->build;
	struct options_auth *auth = setting->target;
	struct auth_callout callout = { 0 };
	const struct conf_value *value = setting->value, *last;

	CHECK(auth != NULL);
	if (value->type != CONF_MAP) {
		options_error(
		    build, value, "Expected authorization callout to be a map/struct, got %s", options_show(build, value));
		return;
	}
	auth->callout = true;
	options_block(build, "authorization.auth_callout", value, &callout);
	last = value->length > 0 ? value->entries[value->length - 1].value : value;
	if (callout.issuer == NULL || callout.issuer[0] == '\0')
		options_error(build, last, "Authorization callouts require an issuer to be specified");
	else if (callout.users == 0)
		options_error(build, last, "Authorization callouts require authorized users to be specified");
}

/* ---- users of the whole server ---- */

/* Adds a name; false when it is there already. */
static bool
auth_add_name(struct options_build *build, const char *name)
{
	struct options_names *names = &build->names;
	const char **old = names->slots;
	size_t i, slot, old_size = names->size;

	CHECK(name != NULL && names->length <= names->size);
	if (names->length * 2 >= names->size) {
		names->size = old_size == 0 ? 32 : old_size * 2;
		names->slots = options_array(build, names->size, sizeof(names->slots[0]));
		names->length = 0;
		for (i = 0; i < old_size; i++) {
			if (old[i] != NULL)
				auth_add_name(build, old[i]);
		}
	}
	slot = map_hash(name, strlen(name)) & (names->size - 1);
	for (; names->slots[slot] != NULL; slot = (slot + 1) & (names->size - 1)) {
		if (strcmp(names->slots[slot], name) == 0)
			return false;
	}
	names->slots[slot] = name;
	names->length++;
	return true;
}

void
options_add_users(struct options_build *build, const struct conf_value *at, const struct options_auth *auth, const char *account)
{
	struct options *options = build->options;
	struct options_user **bigger, *user;
	const char *name;
	size_t i;

	CHECK(at != NULL && auth != NULL);
	if (auth->users_length == 0)
		return;
	bigger = options_array(build, options->users_length + auth->users_length, sizeof(bigger[0]));
	if (options->users_length > 0)
		memcpy(bigger, options->users, options->users_length * sizeof(bigger[0]));
	options->users = bigger;
	for (i = 0; i < auth->users_length; i++) {
		user = auth->users[i];
		name = user->nkey != NULL ? user->nkey : user->name;
		if (!auth_add_name(build, name)) {
			options_error(build, at, "Duplicate %s %s detected", user->nkey != NULL ? "nkey" : "user",
			    options_quote(build, name));
			continue;
		}
		if (account != NULL)
			user->account = options_copy(build, account, strlen(account));
		options->users[options->users_length++] = user;
	}
}

void
options_authorization(const struct option_setting *setting)
{
	struct options_build *build = setting->build;
	struct options *options = build->options;
	struct options_auth auth;
	bool single;

	if (!options_parse_authorization(build, setting->value, &auth))
		return;
	options->auth_block = true;
	options->username = auth.user;
	options->password = auth.password;
	options->authorization = auth.token;
	options->auth_timeout = auth.timeout;
	options->proxy_required = auth.proxy_required;
	single = auth.user[0] != '\0' || auth.password[0] != '\0';
	if (single && auth.token[0] != '\0') {
		options_error(build, setting->value, "Cannot have a user/pass and token");
	} else if (auth.users_set && auth.user[0] != '\0') {
		options_error(build, setting->value, "Can not have a single user/pass and a users array");
	} else if (auth.users_set && auth.token[0] != '\0') {
		options_error(build, setting->value, "Can not have a token and a users array");
	} else {
		options_add_users(build, setting->value, &auth, NULL);
	}
}
