/*
 * server.c: the life of the server: start, signals, lame duck, stop.  Lines of the log are nats-server's, since launchers wait for
 * them.
 */
#include "server.h"

#include <sys/resource.h>

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "ipc/sandbox.h"
#include "ipc/snapshot_fill.h"
#include "logger.h"
#include "model/flags.h"

#define PAYLOAD_DISCOURAGED (8 * 1024 * 1024)
#define CLOCK_CHECK_BUDGET (200 * LOOP_MICROSECOND)

void
server_fatal(struct server *server, const char *format, ...)
{
	char text[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (!server->stopping)
		log_fatal("%s", text);
	server_stop(server, 1);
}

/* ---- stop ---- */

static void
finish(struct server *server)
{
	if (server->finished)
		return;
	server->finished = true;
	files_remove(server);
	if (server->exit_code == 0)
		log_notice("Server Exiting..");
}

static void
stop_patience_ends(struct loop_timer *timer)
{
	struct server *server = timer->arg;

	for (unsigned i = 0; i < server->child_count; i++)
		child_kill(&server->children[i], "it takes too long to stop");
}

void
server_stop(struct server *server, int exit_code)
{
	if (exit_code > server->exit_code)
		server->exit_code = exit_code;
	if (server->stopping)
		return;
	server->stopping = true;
	if (server->exit_code == 0)
		log_notice("Initiating Shutdown...");
	notify_send("STOPPING=1");
	listen_close(server, true);
	frames_drain(server);
	server->stop_timer = (struct loop_timer){ .fire = stop_patience_ends, .arg = server };
	if (!loop_timer_set(server->loop, &server->stop_timer, clock_monotonic() + SERVER_STOP_PATIENCE))
		stop_patience_ends(&server->stop_timer);
	if (!children_running(server))
		finish(server);
}

void
server_child_gone(struct server *server)
{
	if (server->stopping) {
		if (!children_running(server))
			finish(server);
		return;
	}
	CHECK(server->lame_duck);
	for (unsigned i = 0; i < server->workers; i++)
		if (server->children[i].pid != 0 && !server->children[i].empty_handed)
			return;
	server_stop(server, 0);
}

/* ---- signals ---- */

static void
grace_ends(struct loop_timer *timer)
{
	struct server *server = timer->arg;

	if (!server->stopping)
		log_notice("Closing existing clients");
}

static void
enter_lame_duck(struct server *server)
{
	uint64_t clients = 0;
	char text[64];

	if (server->stopping || server->lame_duck)
		return;
	log_notice("Entering lame duck mode, stop accepting new clients");
	server->lame_duck = true;
	snprintf(text, sizeof(text), "STOPPING=1\nEXTEND_TIMEOUT_USEC=%lld",
	    (long long)(server->options->lame_duck_duration + server->options->lame_duck_grace_period + SERVER_STOP_PATIENCE) /
		1000);
	notify_send(text);
	listen_close(server, false);
	for (unsigned i = 0; i < server->workers; i++)
		clients += COUNTERS_GET(server->children[i].counters, connections);
	if (clients == 0) {
		server_stop(server, 0);
		return;
	}
	frames_lame_duck(server);
	server->lame_duck_timer = (struct loop_timer){ .fire = grace_ends, .arg = server };
	(void)loop_timer_set(server->loop, &server->lame_duck_timer, clock_monotonic() + server->options->lame_duck_grace_period);
}

static const char *
signal_text(int number)
{
	switch (number) {
	case SIGINT: return "interrupt";
	case SIGTERM: return "terminated";
	case SIGUSR1: return "user defined signal 1";
	case SIGUSR2: return "user defined signal 2";
	case SIGHUP: return "hangup";
	default: return "unknown";
	}
}

static void
caught(struct loop_signals *signals, int number, pid_t sender)
{
	struct server *server = signals->arg;

	(void)sender;
	if (number == SIGCHLD) {
		children_reap(server);
		return;
	}
	log_notice("Trapped \"%s\" signal", signal_text(number));
	switch (number) {
	case SIGINT:
		if (server->stopping)
			stop_patience_ends(&server->stop_timer);
		server_stop(server, 0);
		break;
	case SIGTERM:
		if (!server->lame_duck)
			server_stop(server, 0);
		break;
	case SIGUSR1: logger_reopen(server->options); break;
	case SIGUSR2: enter_lame_duck(server); break;
	case SIGHUP:
		if (!server->stopping)
			config_reload(server);
		break;
	default: break;
	}
}

static bool
watch_signals(struct server *server)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGHUP, SIGCHLD };
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t mask;

	sigemptyset(&mask);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		sigaddset(&mask, numbers[i]);
	sigaction(SIGPIPE, &ignore, NULL);
	server->signals.caught = caught;
	server->signals.arg = server;
	return loop_signals_open(server->loop, &server->signals, &mask) == 0;
}

/* ---- readiness and watchdog ---- */

static void
watchdog_fires(struct loop_timer *timer)
{
	struct server *server = timer->arg;
	bool all = true;

	for (unsigned i = 0; i < server->child_count; i++)
		all = all && server->children[i].pid != 0 && server->children[i].alive == server->watchdog_number;
	if (all)
		notify_send("WATCHDOG=1");
	server->watchdog_number++;
	frames_check_alive(server);
	(void)loop_timer_set(server->loop, timer, clock_monotonic() + server->watchdog_interval / 4);
}

static void
start_watchdog(struct server *server)
{
	server->watchdog_interval = notify_watchdog();
	if (server->watchdog_interval <= 0)
		return;
	server->watchdog_timer = (struct loop_timer){ .fire = watchdog_fires, .arg = server };
	watchdog_fires(&server->watchdog_timer);
}

static void
log_sandbox(const struct server *server)
{
	unsigned layers = SANDBOX_ALL;
	char text[256];

	for (unsigned i = 0; i < server->child_count; i++)
		layers &= server->children[i].layers;
	log_notice("  Sandbox:  %u worker%s and authd, each with: %s", server->workers, server->workers == 1 ? "" : "s",
	    layers == 0 ? "nothing" : sandbox_layers_text(layers, text, sizeof(text)));
}

void
server_child_ready(struct server *server)
{
	if (server->announced || server->stopping)
		return;
	for (unsigned i = 0; i < server->child_count; i++)
		if (!server->children[i].ready)
			return;
	server->announced = true;
	log_sandbox(server);
	files_write_ports(server);
	log_notice("Server is ready");
	notify_ready();
	start_watchdog(server);
}

/* ---- start ---- */

/* As nats-server: from the file or the flags, else the id. */
static void
choose_identity(struct server *server)
{
	uint8_t public_key[crypto_box_PUBLICKEYBYTES], secret_key[crypto_box_SECRETKEYBYTES];

	nkey_server_create(server->id, NULL);
	crypto_box_keypair(public_key, secret_key);
	nkey_public_encode(NKEY_CURVE, public_key, server->xkey);
	memory_wipe(secret_key, sizeof(secret_key));
}

static unsigned
choose_workers(const struct options *options)
{
	cpu_set_t set;
	int processors = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

	if (options->workers > 0)
		return (unsigned)options->workers;
	if (processors > SERVER_WORKERS_DEFAULT_MAX)
		processors = SERVER_WORKERS_DEFAULT_MAX;
	return processors < 1 ? 1 : (unsigned)processors;
}

static void
banner(const struct server *server)
{
	const struct options *options = server->options;

	log_notice("Starting nats-server");
	log_notice("  Version:  %s", NATS_VERSION);
	log_notice("  Git:      [not set]");
	log_debug("  Go build: natsd-%s", NATSD_VERSION);
	log_notice("  Name:     %s", server->name);
	log_notice("  ID:       %s", server->id);
	if (passwords_are_plain(options))
		log_warn("Plaintext passwords detected, use nkeys or bcrypt");
	if (options->config_file != NULL && options->digest[0] != '\0')
		log_notice("Using configuration file: %s (%s)", options->config_file, options->digest);
	else if (options->config_file != NULL)
		log_notice("Using configuration file: %s", options->config_file);
	if (options->max_payload > PAYLOAD_DISCOURAGED)
		log_warn("Maximum payloads over 8.00 MB are generally discouraged and could lead to poor performance");
}

/* Descriptors: as many as allowed, for children get what we have. */
static void
raise_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static bool
start(struct server *server)
{
	char error[1024];

	if (!logger_open(server->options, server->program, error, sizeof(error))) {
		fprintf(stderr, "%s: %s\n", server->program, error);
		server->exit_code = 1;
		return false;
	}
	banner(server);
	addresses_read(server);
	if (!files_write_pid(server))
		return false;
	if (!listen_open(server, error, sizeof(error)) || !children_create(server, error, sizeof(error))) {
		server_fatal(server, "%s", error);
		return false;
	}
	if (server->workers > 1 && !mesh_clock_check(CLOCK_CHECK_BUDGET))
		log_warn("The clocks of the processors differ: messages of different clients may arrive in an unexpected order");
	if (!config_snapshot(server)) {
		server_fatal(server, "configuration snapshot: %s", strerror(errno));
		return false;
	}
	children_start(server);
	return !server->stopping;
}

int
server_run(const struct flags *flags, struct options *options)
{
	static struct server server;

	server.flags = flags;
	server.options = options;
	server.program = flags->program;
	server.root = geteuid() == 0;
	server.started_wall = server.loaded_wall = clock_wall();
	server.started_monotonic = clock_monotonic();
	server.empty_fd = server.null_fd = server.worker_config_fd = server.authd_config_fd = -1;
	server.loop = loop_create();
	CHECK(server.loop != NULL && watch_signals(&server));
	raise_limits();
	(void)sandbox_master();
	choose_identity(&server);
	server.name = options->server_name != NULL && options->server_name[0] != '\0'
	    ? memory_string(options->server_name, strlen(options->server_name))
	    : server.id;
	CHECK(server.name != NULL);
	server.workers = choose_workers(options);
	if (!start(&server) && !children_running(&server)) {
		files_remove(&server);
		return server.exit_code;
	}
	while (!server.finished)
		if (loop_wait(server.loop, LOOP_FOREVER) < 0)
			server_fatal(&server, "event loop: %s", strerror(errno));
	children_free(&server);
	loop_signals_close(server.loop, &server.signals);
	loop_free(server.loop);
	options_free(server.options);
	return server.exit_code;
}
