/*
 * config.c: loads the configuration, makes of it what each role is told (snapshots), and replaces it on SIGHUP.
 * A reload that cannot be applied as a whole changes nothing.
 */
#include "server.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "ipc/sandbox.h"
#include "logger.h"
#include "model/flags.h"
#include "model/reload.h"

#define TEXT_MAX 4096

/* Options that master has let go of but a reload under way still needs. */
static struct options *replaced;
static bool reload_again;

static void
missing_text(const struct options *options, char *text, size_t size)
{
	struct conf_position at;
	const char *key;

	text[0] = '\0';
	if (!options_missing_feature(options, &at, &key))
		return;
	if (at.line > 0)
		snprintf(text, size, "%s:%d:%d: %s needs a feature that natsd does not have yet", at.file, at.line, at.column, key);
	else
		snprintf(text, size, "%s needs a feature that natsd does not have yet", key);
}

/* NULL with the reason, which may have several lines; with options, text holds warnings, as lines. */
static struct options *
load(const struct flags *flags, char *text, size_t size)
{
	struct options_report report;
	struct options *options = options_load(flags, &options_source_system, &report);
	bool good = options != NULL;

	snprintf(text, size, "%s", report.text == NULL ? "" : report.text);
	options_report_free(&report);
	if (good) {
		char reason[TEXT_MAX];

		missing_text(options, reason, sizeof(reason));
		if (reason[0] == '\0' && !options_validate(options, reason, sizeof(reason)))
			CHECK(reason[0] != '\0');
		good = reason[0] == '\0';
		if (!good)
			snprintf(text, size, "%s", reason);
	}
	if (good)
		return options;
	if (text[0] != '\0' && text[strlen(text) - 1] == '\n')
		text[strlen(text) - 1] = '\0';
	options_free(options);
	return NULL;
}

struct options *
config_load(const struct flags *flags)
{
	char text[TEXT_MAX];
	struct options *options = load(flags, text, sizeof(text));

	if (options == NULL)
		fprintf(stderr, "%s: %s\n", flags->program, text);
	else if (text[0] != '\0')
		fputs(text, stderr); /* warnings */
	return options;
}

/* ---- what workers are told ---- */

static void
fill_advertise(const char *advertise, int default_port, struct worker_config *config)
{
	static char host[512];
	int port;

	if (!options_parse_advertise(advertise, default_port, host, sizeof(host), &port))
		return;
	config->advertise_host = host;
	config->advertise_port = port;
}

/* getClientConnectURLs of nats-server: the advertised address, or the host, or each global address of the machine. */
static void
fill_connect_urls(const struct server *server, struct worker_config *config)
{
	static char urls[SERVER_ADDRESSES_MAX][SERVER_ADDRESS_SIZE + 256];
	static const char *items[SERVER_ADDRESSES_MAX];
	const char *host = server->options->client.host;
	uint32_t count = 0;
	bool any = strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;

	if (config->advertise_host[0] != '\0')
		join_host_port(config->advertise_host, (unsigned)config->advertise_port, urls[count++], sizeof(urls[0]));
	else if (!any)
		join_host_port(host, (unsigned)config->port, urls[count++], sizeof(urls[0]));
	else
		for (unsigned i = 0; i < server->address_count; i++)
			if (server->addresses_global[i])
				join_host_port(server->addresses[i], (unsigned)config->port, urls[count++], sizeof(urls[0]));
	for (uint32_t i = 0; i < count; i++)
		items[i] = urls[i];
	config->connect_urls = (struct snapshot_texts){ count, items };
}

static void
fill_identity(const struct server *server, struct worker_config *config)
{
	const struct options *options = server->options;

	config->server_id = server->id;
	config->server_name = server->name;
	config->version = NATS_VERSION;
	config->go = "natsd-" NATSD_VERSION;
	config->xkey = server->xkey;
	config->started_wall = server->started_wall;
	config->started_monotonic = server->started_monotonic;
	config->config_loaded_wall = server->loaded_wall;
	config->config_digest = options->digest;
	config->config_file = options->config_file;
	config->pid = getpid();
	config->workers = server->workers;
	CHECK(options->server_tags.length <= UINT32_MAX && options->server_metadata.length <= UINT32_MAX);
	config->tags =
	    (struct snapshot_texts){ (uint32_t)options->server_tags.length, (const char *const *)options->server_tags.items };
}

static struct snapshot_pairs
pairs(const struct options_pairs *from, struct snapshot_pair *items, size_t max)
{
	size_t count = from->length < max ? from->length : max;

	for (size_t i = 0; i < count; i++)
		items[i] = (struct snapshot_pair){ from->items[i].name, from->items[i].value };
	return (struct snapshot_pairs){ (uint32_t)count, items };
}

static void
fill_addresses(const struct server *server, struct worker_config *config)
{
	const struct options *options = server->options;
	const struct listener *client = listen_find(server, LISTENER_CLIENT), *monitor = listen_find(server, LISTENER_MONITOR);

	CHECK(client != NULL);
	config->host = options->client.host;
	config->port = client->port;
	config->advertise_host = "";
	if (options->client_advertise != NULL && options->client_advertise[0] != '\0')
		fill_advertise(options->client_advertise, client->port, config);
	fill_connect_urls(server, config);
	config->http_host = monitor != NULL ? monitor->host : "";
	config->http_port = monitor != NULL ? monitor->port : 0;
	config->http_base_path = options->http_base_path;
	config->proxy_protocol = options->proxy_protocol;
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
	config->no_fast_producer_stall = options->no_fast_producer_stall;
	config->headers = !options->no_header_support;
	config->no_sublist_cache = options->no_sublist_cache;
	config->connect_error_reports = options->connect_error_reports;
	config->reconnect_error_reports = options->reconnect_error_reports;
}

static void
fill_rest(const struct options *options, struct worker_config *config)
{
	config->auth_required = options->users_length > 0 || options->username != NULL || options->authorization != NULL;
	config->auth_block = options->auth_block;
	config->system_account = options->system_account;
	if (config->system_account[0] == '\0' && !options->no_system_account)
		config->system_account = "$SYS";
	config->debug = options->debug;
	config->trace = options->trace;
	config->trace_verbose = options->trace_verbose;
	config->trace_headers = options->trace_headers;
}

bool
config_snapshot(struct server *server)
{
	static struct snapshot_pair metadata[256], features[64];
	struct worker_config config = { 0 };
	int worker, authd;

	fill_identity(server, &config);
	fill_addresses(server, &config);
	fill_limits(server->options, &config);
	fill_rest(server->options, &config);
	config.metadata = pairs(&server->options->server_metadata, metadata, sizeof(metadata) / sizeof(metadata[0]));
	config.feature_flags = pairs(&server->options->feature_flags, features, sizeof(features) / sizeof(features[0]));
	worker = snapshot_worker_create(&config);
	authd = worker < 0 ? -1 : snapshot_authd_create(server->options);
	if (authd < 0) {
		if (worker >= 0)
			close(worker);
		return false;
	}
	if (server->worker_config_fd >= 0)
		close(server->worker_config_fd);
	if (server->authd_config_fd >= 0)
		close(server->authd_config_fd);
	server->worker_config_fd = worker;
	server->authd_config_fd = authd;
	server->config_generation++;
	return true;
}

/* ---- reload ---- */

static void
refuse(const char *reason)
{
	log_error("Failed to reload server configuration: %s", reason);
	notify_ready();
}

static void
finish(struct server *server)
{
	server->reloading = false;
	loop_timer_stop(server->loop, &server->reload_timer);
	options_free(replaced);
	replaced = NULL;
	if (server->options->digest[0] != '\0')
		log_notice("Reloaded server configuration (%s)", server->options->digest);
	else
		log_notice("Reloaded server configuration");
	notify_ready();
	if (reload_again) {
		reload_again = false;
		config_reload(server);
	}
}

static bool
all_done(const struct server *server, enum role_kind kind)
{
	for (unsigned i = 0; i < server->child_count; i++) {
		const struct child *child = &server->children[i];

		if (child->kind == kind && child->pid != 0 && child->ready && child->config_generation < server->config_generation)
			return false;
	}
	return true;
}

/* authd comes first: what it decides about logins reaches the workers before their own part. */
void
config_reload_step(struct server *server)
{
	if (!server->reloading || !all_done(server, ROLE_AUTHD))
		return;
	if (!server->reload_workers) {
		server->reload_workers = true;
		frames_config(server, false);
		return;
	}
	if (all_done(server, ROLE_WORKER))
		finish(server);
}

static void
patience_ends(struct loop_timer *timer)
{
	struct server *server = timer->arg;

	log_warn("Not all processes have confirmed the new configuration yet");
	if (!server->reload_workers)
		frames_config(server, false);
	finish(server);
}

/* Everything that can fail comes before the first visible change. */
static void
apply(struct server *server, struct options *fresh, const struct reload *reload)
{
	struct options *old = server->options;
	char error[TEXT_MAX];

	if ((reload->effects & RELOAD_LOGGING) != 0 && !logger_open(fresh, server->program, error, sizeof(error))) {
		options_free(fresh);
		refuse(error);
		return;
	}
	server->options = fresh;
	server->loaded_wall = clock_wall();
	if (!config_snapshot(server)) {
		server->options = old;
		options_free(fresh);
		refuse(strerror(errno));
		return;
	}
	log_level_debug = fresh->debug;
	log_level_trace = fresh->trace;
	for (const struct reload_change *change = reload->changes; change != NULL; change = change->next)
		log_notice("%s", change->text);
	replaced = old;
	server->reloading = true;
	server->reload_workers = false;
	frames_log_levels(server);
	frames_config(server, true);
	server->reload_timer.fire = patience_ends;
	server->reload_timer.arg = server;
	if (!loop_timer_set(server->loop, &server->reload_timer, clock_monotonic() + SERVER_RELOAD_PATIENCE))
		server_fatal(server, "out of memory");
	config_reload_step(server);
}

void
config_reload(struct server *server)
{
	char text[TEXT_MAX];
	struct options *fresh;
	struct reload *reload;

	if (server->reloading) {
		reload_again = true;
		return;
	}
	notify_send("RELOADING=1");
	if (server->options->config_file == NULL) {
		refuse("can only reload config when a file is provided using -c or --config");
		return;
	}
	fresh = load(server->flags, text, sizeof(text));
	if (fresh == NULL) {
		text[strcspn(text, "\n") + 1 < sizeof(text) && text[strlen(text) - 1] == '\n' ? strlen(text) - 1 : strlen(text)] =
		    '\0';
		refuse(text);
		return;
	}
	if (fresh->client.port == 0)
		fresh->client.port = server->options->client.port;
	reload = reload_compare(server->options, fresh);
	if (reload == NULL || reload->refusal[0] != '\0') {
		options_free(fresh);
		refuse(reload == NULL ? "out of memory" : reload->refusal);
	} else
		apply(server, fresh, reload);
	reload_free(reload);
}
