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
#include "ipc/snapshot_fill.h"
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

static struct worker_config *
fill(const struct server *server)
{
	const struct listener *client = listen_find(server, LISTENER_CLIENT), *monitor = listen_find(server, LISTENER_MONITOR);
	const char *global[SERVER_ADDRESSES_MAX];
	struct snapshot_facts facts = { .server_id = server->id,
		.server_name = server->name,
		.xkey = server->xkey,
		.version = NATS_VERSION,
		.build = "natsd-" NATSD_VERSION,
		.started_wall = server->started_wall,
		.started_monotonic = server->started_monotonic,
		.loaded_wall = server->loaded_wall,
		.pid = getpid(),
		.workers = server->workers,
		.http_host = "",
		.global_addresses = { 0, global } };

	CHECK(client != NULL);
	facts.client_port = client->port;
	if (monitor != NULL) {
		facts.http_host = monitor->host;
		facts.http_port = monitor->port;
	}
	for (unsigned i = 0; i < server->address_count; i++)
		if (server->addresses_global[i])
			global[facts.global_addresses.count++] = server->addresses[i];
	return snapshot_worker_fill(server->options, &facts);
}

bool
config_snapshot(struct server *server)
{
	struct worker_config *config = fill(server);
	int worker = config == NULL ? -1 : snapshot_worker_create(config);
	int authd = worker < 0 ? -1 : snapshot_authd_create(server->options);

	snapshot_worker_free(config);
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
