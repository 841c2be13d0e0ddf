/*
 * The cluster, gateway and compression blocks. Rows of options.def call it. They are checked and not kept, but for what flags and
 * other rules need, until clusterd exists. Rules come from nats-server's server/opts.go (parseCluster, parseGateway,
 * parseCompression).
 */
#include <string.h>

#include "base/check.h"
#include "model/options_private.h"

#define ROUTE_PING_MAX (30 * OPTIONS_SECOND)

/* A name without blanks that is not reserved, or NULL after an error. */
static char *
cluster_name(const struct option_setting *setting, const char *what)
{
	char *name;

	if (!options_want_string(setting->build, setting->value, &name))
		return NULL;
	if (strchr(name, ' ') != NULL)
		options_error(setting->build, setting->value, "%s name cannot contain spaces", what);
	else if (strcmp(name, OPTIONS_NO_CLUSTER) == 0)
		options_error(setting->build, setting->value, "cluster name is reserved");
	else
		return name;
	return NULL;
}

void
options_cluster_name(const struct option_setting *setting)
{
	char *name = cluster_name(setting, "cluster");

	if (name != NULL)
		setting->build->options->cluster_name = name;
}

void
options_gateway_name(const struct option_setting *setting)
{
	cluster_name(setting, "gateway");
}

void
options_cluster_routes(const struct option_setting *setting)
{
	if (setting->value->type != CONF_ARRAY)
		options_error(setting->build, setting->value, "expected a list, but got %s", options_type_name(setting->value));
	else
		options_want_urls(setting->build, setting->value, "route", NULL);
}

/* Subjects of a permissions block may not name queue groups here. */
static void
cluster_check_permissions(struct options_build *build, const struct conf_value *at, const struct options_permissions *permissions)
{
	static const char *const names[] = { "import allow", "import deny", "export allow", "export deny" };
	const struct options_subjects *lists[] = { &permissions->publish.allow, &permissions->publish.deny,
		&permissions->subscribe.allow, &permissions->subscribe.deny };
	size_t i, j;

	for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		for (j = 0; j < lists[i]->length; j++) {
			if (lists[i]->items[j].queue == NULL)
				continue;
			options_error(build, at, "cluster %s: subject %s is not a valid subject", names[i],
			    options_quote(
				build, options_format(build, "%s %s", lists[i]->items[j].subject, lists[i]->items[j].queue)));
			return;
		}
	}
}

static void
cluster_authorization(const struct option_setting *setting, const char *what, bool permissions)
{
	struct options_build *build = setting->build;
	struct options_auth auth;

	if (!options_parse_authorization(build, setting->value, &auth))
		return;
	if (auth.users_set)
		options_error(build, setting->value, "%s authorization does not allow multiple users", what);
	else if (auth.token[0] != '\0')
		options_error(build, setting->value, "%s authorization does not support tokens", what);
	else if (auth.callout)
		options_error(build, setting->value, "%s authorization does not support callouts", what);
	else if (permissions && auth.default_permissions != NULL) {
		cluster_check_permissions(build, setting->value, auth.default_permissions);
		options_warning(build, setting->value,
		    "invalid use of field %s: setting \"permissions\" within cluster authorization block is deprecated",
		    options_quote(build, setting->key));
	}
}

void
options_cluster_authorization(const struct option_setting *setting)
{
	cluster_authorization(setting, "Cluster", true);
}

void
options_gateway_authorization(const struct option_setting *setting)
{
	cluster_authorization(setting, "Gateway", false);
}

void
options_cluster_permissions(const struct option_setting *setting)
{
	const struct options_permissions *permissions = options_parse_permissions(setting->build, setting->value);

	if (permissions == NULL)
		return;
	if (permissions->responses)
		options_error(setting->build, setting->value, "Cluster permissions do not support dynamic responses");
	else
		cluster_check_permissions(setting->build, setting->value, permissions);
}

void
options_cluster_ping_interval(const struct option_setting *setting)
{
	int64_t interval;

	if (options_want_duration(setting->build, setting->value, "ping_interval", &interval) && interval > ROUTE_PING_MAX)
		options_warning(
		    setting->build, setting->value, "Cluster 'ping_interval' will reset to 30s which is the max for routes");
}

void
options_compression(const struct option_setting *setting)
{
	struct options_build *build = setting->build;

	if (setting->value->type == CONF_MAP)
		options_block(build, "compression", setting->value, NULL);
	else if (setting->value->type != CONF_STRING && setting->value->type != CONF_BOOL)
		options_error(build, setting->value, "field %s should be a boolean or a structure, got %s",
		    options_quote(build, setting->key), options_type_name(setting->value));
}

void
options_compression_thresholds(const struct option_setting *setting)
{
	struct options_build *build = setting->build;
	const struct conf_value *value = setting->value, *item;
	char error[160], *text;
	int64_t duration;
	size_t i;

	if (value->type != CONF_ARRAY) {
		options_error(build, value, "expected a list, but got %s", options_type_name(value));
		return;
	}
	for (i = 0; i < value->length; i++) {
		item = value->entries[i].value;
		if (!options_want_string(build, item, &text))
			return;
		if (!options_parse_duration(item, &duration, error)) {
			options_error(build, value, "%s", error);
			return;
		}
	}
}

void
options_gateways(const struct option_setting *setting)
{
	struct options_build *build = setting->build;
	const struct conf_value *value = setting->value, *item;
	size_t i;

	if (value->type != CONF_ARRAY) {
		options_error(build, value, "Expected gateways field to be an array, got %s", options_type_name(value));
		return;
	}
	for (i = 0; i < value->length; i++) {
		item = value->entries[i].value;
		if (item->type != CONF_MAP)
			options_error(build, item, "Expected gateway entry to be a map/struct, got %s", options_show(build, item));
		else
			options_block(build, "gateway.gateways", item, NULL);
	}
}

void
options_gateway_url(const struct option_setting *setting)
{
	char *text;

	options_want_url(setting->build, setting->value, "gateway", &text);
}

void
options_gateway_urls(const struct option_setting *setting)
{
	if (setting->value->type != CONF_ARRAY)
		options_error(setting->build, setting->value, "expected a list, but got %s", options_type_name(setting->value));
	else
		options_want_urls(setting->build, setting->value, "gateway", NULL);
}
