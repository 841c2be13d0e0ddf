/*
 * The leafnodes block. Rows of options.def call it. It is checked and not kept until clusterd exists.
 * Rules come from nats-server's server/opts.go (parseLeafNodes, parseRemoteLeafNodes) and server/leafnode.go (validateLeafNode...).
 */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/text.h"
#include "model/nkey.h"
#include "model/options_private.h"

/* Keys that make sense for the TLS connection to a proxy. */
static const char *const proxy_tls_keys[] = { "cert_file", "key_file", "ca_file", "insecure", "cipher_suites",
	"allow_insecure_cipher_suites", "curve_preferences", "min_version", "timeout", "cert_store", "cert_match_by", "cert_match",
	"cert_match_skip_invalid", "ca_certs_match", "certs", "certificates" };

/* The first number of a version, and the text behind it and a '.'; false when there is none. */
static bool
leaf_version_part(const char **text, int64_t *number, bool last)
{
	size_t digits = strspn(*text, "0123456789");
	uint64_t value;

	if (digits == 0 || (digits > 1 && (*text)[0] == '0') || !text_parse_u64(*text, digits, &value) || value > INT32_MAX)
		return false;
	*number = (int64_t)value;
	*text += digits;
	if (last)
		return true;
	if (**text != '.')
		return false;
	(*text)++;
	return true;
}

void
options_leaf_min_version(const struct option_setting *setting)
{
	int64_t major, minor, patch;
	char *version;
	const char *rest;
	bool good;

	if (!options_want_string(setting->build, setting->value, &version))
		return;
	rest = version[0] == 'v' ? version + 1 : version;
	good = leaf_version_part(&rest, &major, false) && leaf_version_part(&rest, &minor, false) &&
	    leaf_version_part(&rest, &patch, true) && (*rest == '\0' || *rest == '-' || *rest == '+');
	if (!good)
		options_error(setting->build, setting->value, "invalid leafnode's minimum version: invalid semver");
	else if (major < 2 || (major == 2 && minor < 8))
		options_error(setting->build, setting->value, "the minimum version should be at least 2.8.0");
}

void
options_leaf_nkey(const struct option_setting *setting)
{
	struct options_auth *auth = setting->target;

	CHECK(auth != NULL);
	if (!options_want_string(setting->build, setting->value, &auth->nkey))
		return;
	if (!nkey_public_valid(auth->nkey, strlen(auth->nkey), NKEY_USER))
		options_error(setting->build, setting->value, "Not a valid public nkey for leafnode authorization");
}

void
options_leaf_users(const struct option_setting *setting)
{
	struct options_build *build = setting->build;
	struct options_auth *auth = setting->target;
	const struct conf_value *value = setting->value, *item;
	struct options_user *user;
	size_t i;

	CHECK(auth != NULL);
	if (value->type != CONF_ARRAY) {
		options_error(build, value, "Expected users field to be an array, got %s", options_show(build, value));
		return;
	}
	auth->users = options_array(build, value->length, sizeof(auth->users[0]));
	for (i = 0; i < value->length; i++) {
		item = value->entries[i].value;
		if (item->type != CONF_MAP) {
			options_error(build, item, "Expected user entry to be a map/struct, got %s", options_show(build, item));
			continue;
		}
		user = options_alloc(build, sizeof(*user));
		user->name = options_copy(build, "", 0);
		options_block(build, "leafnodes.authorization.users", item, user);
		auth->users[auth->users_length++] = user;
	}
}

void
options_leaf_authorization(const struct option_setting *setting)
{
	struct options_build *build = setting->build;
	struct options_auth auth = { 0 };
	size_t i, j;

	if (setting->value->type != CONF_MAP) {
		options_error(build, setting->value, "expected a block, but got %s", options_type_name(setting->value));
		return;
	}
	options_block(build, "leafnodes.authorization", setting->value, &auth);
	if (auth.users_length == 0)
		return;
	if (auth.user != NULL && auth.user[0] != '\0') {
		options_error(build, setting->value, "can not have a single user/pass and a users array");
		return;
	}
	if (auth.nkey != NULL && auth.nkey[0] != '\0') {
		options_error(build, setting->value, "can not have a single nkey and a users array");
		return;
	}
	for (i = 0; i < auth.users_length; i++) {
		for (j = 0; j < i; j++) {
			if (strcmp(auth.users[i]->name, auth.users[j]->name) != 0)
				continue;
			options_error(build, setting->value, "duplicate user %s detected in leafnode authorization",
			    options_quote(build, auth.users[i]->name));
			return;
		}
	}
}

void
options_leaf_reconnect(const struct option_setting *setting)
{
	int64_t interval;

	options_want_duration(setting->build, setting->value, "reconnect", &interval);
}

/* ---- remotes ---- */

void
options_remote_urls(const struct option_setting *setting)
{
	struct options_build *build = setting->build;
	struct options_remote *remote = setting->target;
	const struct conf_value *value = setting->value;
	char *text;

	CHECK(remote != NULL);
	if (value->type == CONF_ARRAY) {
		options_want_urls(build, value, "leafnode", &remote->urls);
	} else if (value->type == CONF_STRING) {
		if (!options_want_url(build, value, "leafnode", &text))
			return;
		remote->urls.items = options_alloc(build, sizeof(remote->urls.items[0]));
		remote->urls.items[0] = text;
		remote->urls.length = 1;
	} else {
		options_error(
		    build, value, "Expected remote leafnode url to be an array or string, got %s", options_show(build, value));
	}
}

/* Both creds and nkey: one error, whichever comes second. */
static void
remote_check_keys(const struct option_setting *setting)
{
	const struct options_remote *remote = setting->target;

	CHECK(remote != NULL);
	if (remote->credentials != NULL && remote->credentials[0] != '\0' && remote->nkey != NULL && remote->nkey[0] != '\0')
		options_error(setting->build, setting->value, "Remote leafnode can not have both creds and nkey defined");
}

void
options_remote_credentials(const struct option_setting *setting)
{
	struct options_build *build = setting->build;
	struct options_remote *remote = setting->target;
	const char *home;

	CHECK(remote != NULL);
	if (!options_want_string(build, setting->value, &remote->credentials))
		return;
	if (remote->credentials[0] == '~') {
		home = build->source->conf.get_variable(build->source->conf.arg, "HOME");
		if (home == NULL || home[0] == '\0')
			options_error(build, setting->value, "failed to get home dir, require $HOME");
	}
	remote_check_keys(setting);
}

void
options_remote_nkey(const struct option_setting *setting)
{
	struct options_remote *remote = setting->target;
	uint8_t seed[NKEY_KEY_SIZE];
	enum nkey_type type;
	char *text;

	CHECK(remote != NULL);
	if (!options_want_string(setting->build, setting->value, &text))
		return;
	if (!nkey_seed_decode(text, strlen(text), &type, seed) || type != NKEY_USER) {
		options_error(setting->build, setting->value, "Remote leafnode nkey is not a valid seed");
		return;
	}
	explicit_bzero(seed, sizeof(seed));
	remote->nkey = text;
	remote_check_keys(setting);
}

void
options_remote_tls(const struct option_setting *setting)
{
	struct options_remote *remote = setting->target;
	struct options_tls tls;

	CHECK(remote != NULL);
	remote->tls = options_parse_tls(setting->build, setting->value, false, &tls);
}

void
options_remote_deny(const struct option_setting *setting)
{
	struct options_subjects subjects;

	options_parse_subjects(setting->build, setting->value, false, &subjects);
}

void
options_remote_migrate(const struct option_setting *setting)
{
	if (setting->value->type == CONF_MAP)
		options_block(setting->build, "leafnodes.remotes.jetstream_cluster_migrate", setting->value, NULL);
	else if (setting->value->type != CONF_BOOL)
		options_error(setting->build, setting->value, "Expected boolean or map for jetstream_cluster_migrate, got %s",
		    options_type_name(setting->value));
}

void
options_remote_proxy(const struct option_setting *setting)
{
	struct options_remote *remote = setting->target;

	CHECK(remote != NULL);
	if (setting->value->type != CONF_MAP) {
		options_error(
		    setting->build, setting->value, "Expected proxy to be a map, got %s", options_type_name(setting->value));
		return;
	}
	remote->proxy = setting->value;
	options_block(setting->build, "leafnodes.remotes.proxy", setting->value, remote);
}

void
options_proxy_timeout(const struct option_setting *setting)
{
	struct options_remote *remote = setting->target;

	CHECK(remote != NULL);
	options_want_duration(setting->build, setting->value, "proxy timeout", &remote->proxy_timeout);
}

void
options_proxy_tls(const struct option_setting *setting)
{
	struct options_build *build = setting->build;
	struct options_remote *remote = setting->target;
	const struct conf_value *value = setting->value;
	struct options_tls tls;
	bool good = true;
	size_t i, j;

	CHECK(remote != NULL);
	for (i = 0; value->type == CONF_MAP && i < value->length; i++) {
		for (j = 0; j < sizeof(proxy_tls_keys) / sizeof(proxy_tls_keys[0]); j++) {
			if (options_key_is(value->entries[i].key, proxy_tls_keys[j]))
				break;
		}
		if (j < sizeof(proxy_tls_keys) / sizeof(proxy_tls_keys[0]))
			continue;
		options_error(build, value->entries[i].value, "%s is not supported for proxy TLS",
		    options_quote(build, value->entries[i].key));
		good = false;
	}
	if (!good || !options_parse_tls(build, value, false, &tls))
		return;
	remote->proxy_tls = true;
	remote->proxy_tls_timeout = tls.timeout;
}

/* What is wrong with the proxy of a remote, or NULL. */
static const char *
remote_proxy_error(struct options_build *build, const struct options_remote *remote)
{
	struct options_url url;
	bool user = remote->proxy_user != NULL && remote->proxy_user[0] != '\0';
	bool password = remote->proxy_password != NULL && remote->proxy_password[0] != '\0';
	size_t i;

	if (remote->proxy_url == NULL || remote->proxy_url[0] == '\0') {
		if (user || password || remote->proxy_timeout != 0 || remote->proxy_tls || remote->proxy_tls_timeout != 0)
			return "proxy URL must be specified when other proxy options are set";
		return NULL;
	}
	if (!options_url_parse(build, remote->proxy_url, &url))
		return "invalid proxy URL";
	if (strcmp(url.scheme, "http") != 0 && strcmp(url.scheme, "https") != 0)
		return options_format(build, "proxy URL scheme must be http or https, got: %s", url.scheme);
	if (url.host[0] == '\0')
		return "proxy URL must specify a host";
	if (remote->proxy_tls && strcmp(url.scheme, "https") != 0)
		return options_format(build, "proxy TLS configuration requires an https proxy URL, got: %s", url.scheme);
	if (remote->proxy_timeout < 0)
		return "proxy timeout must be >= 0";
	if (remote->proxy_tls_timeout < 0)
		return "proxy TLS timeout must be >= 0";
	if (user != password)
		return "proxy username and password must both be specified or both be empty";
	for (i = 0; i < remote->urls.length; i++) {
		if (!remote->tls && options_url_parse(build, remote->urls.items[i], &url) && strcmp(url.scheme, "wss") == 0)
			return options_format(build,
			    "proxy is configured but remote URL %s requires TLS and no TLS configuration is provided. When using "
			    "proxy with TLS endpoints, ensure TLS is properly configured for the leafnode remote",
			    remote->urls.items[i]);
	}
	return NULL;
}

/* Two remotes are the same when urls, account and keys are. */
static bool
remote_equal(const struct options_remote *a, const struct options_remote *b)
{
	const char *a_texts[] = { a->account, a->credentials, a->nkey }, *b_texts[] = { b->account, b->credentials, b->nkey };
	const char *left, *right;
	size_t i;

	for (i = 0; i < 3; i++) {
		left = a_texts[i] != NULL ? a_texts[i] : "";
		right = b_texts[i] != NULL ? b_texts[i] : "";
		if (i == 0) {
			left = left[0] != '\0' ? left : OPTIONS_GLOBAL_ACCOUNT;
			right = right[0] != '\0' ? right : OPTIONS_GLOBAL_ACCOUNT;
		}
		if (strcmp(left, right) != 0)
			return false;
	}
	for (i = 0; i < a->urls.length && i < b->urls.length; i++) {
		if (strcmp(a->urls.items[i], b->urls.items[i]) != 0)
			return false;
	}
	return a->urls.length == b->urls.length;
}

void
options_leaf_remotes(const struct option_setting *setting)
{
	struct options_build *build = setting->build;
	const struct conf_value *value = setting->value, *item;
	struct options_remote *remotes;
	const char *error;
	size_t i, j, length = 0;

	if (value->type != CONF_ARRAY) {
		options_error(build, value, "Expected remotes field to be an array, got %s", options_type_name(value));
		return;
	}
	remotes = options_array(build, value->length, sizeof(remotes[0]));
	for (i = 0; i < value->length; i++) {
		item = value->entries[i].value;
		if (item->type != CONF_MAP) {
			options_error(
			    build, item, "Expected remote leafnode entry to be a map/struct, got %s", options_show(build, item));
			continue;
		}
		options_block(build, "leafnodes.remotes", item, &remotes[length]);
		error = remote_proxy_error(build, &remotes[length]);
		if (error != NULL) {
			options_error(build, remotes[length].proxy, "%s", error);
			remotes[length] = (struct options_remote){ 0 };
			continue;
		}
		for (j = 0; j < length && !remote_equal(&remotes[j], &remotes[length]); j++)
			continue;
		if (j < length)
			options_error(build, item, "duplicate remote, account=%s",
			    options_quote(build, remotes[j].account != NULL ? remotes[j].account : OPTIONS_GLOBAL_ACCOUNT));
		length++;
	}
}
