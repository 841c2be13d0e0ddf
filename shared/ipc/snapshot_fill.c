/*
 * snapshot_fill.c: see snapshot_fill.h.  The rules are nats-server's (server.go: INFO; monitor.go: Varz).
 */
#include "ipc/snapshot_fill.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "model/options.h"

#define FILL_MAX (16u << 20)
#define HOST_MAX 512

static bool
given(const char *text)
{
	return text != NULL && text[0] != '\0';
}

const char *
join_host_port(const char *host, unsigned port, char *out, size_t size)
{
	snprintf(out, size, strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u", host, port);
	return out;
}

bool
password_is_bcrypt(const char *stored)
{
	/* ^\$2[abxy]\$\d{2}\$.* */
	return strncmp(stored, "$2", 2) == 0 && stored[2] != '\0' && strchr("abxy", stored[2]) != NULL && stored[3] == '$' &&
	    stored[4] >= '0' && stored[4] <= '9' && stored[5] >= '0' && stored[5] <= '9' && stored[6] == '$';
}

bool
passwords_are_plain(const struct options *options)
{
	if (given(options->password) && !password_is_bcrypt(options->password))
		return true;
	for (size_t i = 0; i < options->users_length; i++)
		if (options->users[i]->nkey == NULL && !password_is_bcrypt(options->users[i]->password))
			return true;
	return false;
}

static bool
fill_advertise(const struct options *options, const struct snapshot_facts *facts, struct worker_config *config)
{
	char host[HOST_MAX];
	int port;

	config->advertise_host = "";
	if (!given(options->client_advertise) ||
	    !options_parse_advertise(options->client_advertise, (int)facts->client_port, host, sizeof(host), &port))
		return true;
	config->advertise_host = arena_strdup(config->arena, host, strlen(host));
	config->advertise_port = port;
	return config->advertise_host != NULL;
}

/* getClientConnectURLs: the advertised address, or the host, or each global address of the machine. */
static bool
fill_connect_urls(const struct options *options, const struct snapshot_facts *facts, struct worker_config *config)
{
	bool advertised = config->advertise_host[0] != '\0', any;
	const char *host = advertised ? config->advertise_host : options->client.host;
	unsigned port = (unsigned)(advertised ? config->advertise_port : facts->client_port);
	const struct snapshot_texts one = { 1, &host }, *hosts;
	const char **urls;

	any = !advertised && (strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0);
	hosts = any ? &facts->global_addresses : &one;
	urls = arena_array(config->arena, (size_t)hosts->count + 1, sizeof(*urls));
	for (uint32_t i = 0; urls != NULL && i < hosts->count; i++) {
		char text[HOST_MAX + 16];

		join_host_port(hosts->items[i], port, text, sizeof(text));
		urls[i] = arena_strdup(config->arena, text, strlen(text));
		if (urls[i] == NULL)
			return false;
	}
	config->connect_urls = (struct snapshot_texts){ hosts->count, urls };
	return urls != NULL;
}

static bool
fill_pairs(struct arena *arena, const struct options_pairs *from, struct snapshot_pairs *to)
{
	struct snapshot_pair *items = arena_array(arena, from->length + 1, sizeof(*items));

	CHECK(from->length <= UINT32_MAX);
	for (size_t i = 0; items != NULL && i < from->length; i++)
		items[i] = (struct snapshot_pair){ from->items[i].name, from->items[i].value };
	*to = (struct snapshot_pairs){ (uint32_t)from->length, items };
	return items != NULL;
}

static void
fill_facts(const struct options *options, const struct snapshot_facts *facts, struct worker_config *config)
{
	config->server_id = facts->server_id;
	config->server_name = facts->server_name;
	config->version = facts->version;
	config->go = facts->build;
	config->xkey = facts->xkey;
	config->started_wall = facts->started_wall;
	config->started_monotonic = facts->started_monotonic;
	config->config_loaded_wall = facts->loaded_wall;
	config->pid = facts->pid;
	config->workers = facts->workers;
	config->port = facts->client_port;
	config->http_host = facts->http_host;
	config->http_port = facts->http_port;
	config->config_digest = options->digest;
	config->config_file = options->config_file;
	config->host = options->client.host;
	config->http_base_path = options->http_base_path;
	config->proxy_protocol = options->proxy_protocol;
	CHECK(options->server_tags.length <= UINT32_MAX);
	config->tags =
	    (struct snapshot_texts){ (uint32_t)options->server_tags.length, (const char *const *)options->server_tags.items };
}

static void
fill_limits(const struct options *options, struct worker_config *config)
{
	config->max_connections = options->max_connections;
	config->max_subscriptions = options->max_subscriptions;
	config->max_subscription_tokens = options->max_subscription_tokens;
	config->max_control_line = options->max_control_line;
	config->max_payload = options->max_payload;
	config->max_pending = options->max_pending;
	config->max_closed_clients = options->max_closed_clients;
	config->max_traced_msg_len = options->max_traced_msg_len;
	config->ping_interval = options->ping_interval;
	config->ping_max = options->ping_max;
	config->write_deadline = options->write_deadline;
	config->write_timeout = options->write_timeout;
	config->auth_timeout = (int64_t)(options->auth_timeout * 1e9);
	config->lame_duck_duration = options->lame_duck_duration;
	config->lame_duck_grace_period = options->lame_duck_grace_period;
	config->connect_error_reports = options->connect_error_reports;
	config->reconnect_error_reports = options->reconnect_error_reports;
}

static void
fill_switches(const struct options *options, struct worker_config *config)
{
	config->no_fast_producer_stall = options->no_fast_producer_stall;
	config->headers = !options->no_header_support;
	config->no_sublist_cache = options->no_sublist_cache;
	config->auth_required = options->users_length > 0 || given(options->username) || given(options->authorization);
	config->auth_block = options->auth_block;
	config->system_account = given(options->system_account) ? options->system_account
	    : options->no_system_account                        ? ""
								: "$SYS";
	config->debug = options->debug;
	config->trace = options->trace;
	config->trace_verbose = options->trace_verbose;
	config->trace_headers = options->trace_headers;
}

struct worker_config *
snapshot_worker_fill(const struct options *options, const struct snapshot_facts *facts)
{
	struct arena *arena = arena_create(FILL_MAX);
	struct worker_config *config = arena == NULL ? NULL : arena_alloc(arena, sizeof(*config));

	CHECK(options != NULL && facts != NULL);
	if (config != NULL) {
		config->arena = arena;
		fill_facts(options, facts, config);
		fill_limits(options, config);
		fill_switches(options, config);
		if (fill_advertise(options, facts, config) && fill_connect_urls(options, facts, config) &&
		    fill_pairs(arena, &options->server_metadata, &config->metadata) &&
		    fill_pairs(arena, &options->feature_flags, &config->feature_flags))
			return config;
	}
	arena_free(arena);
	return NULL;
}
