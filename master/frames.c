/*
 * frames.c: what master says to its children and hears from them.  Never looks into what children say to each other.
 * A send that fails needs no care here: the child is gone, and SIGCHLD will say so.
 */
#include "server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "base/text.h"

void
frames_watch(struct child *child)
{
	if (child->pid == 0 || child->channel.fd < 0)
		return;
	if (child->channel.broken) {
		/* Nothing more to hear; the end of the process comes as a signal. */
		loop_io_set(child->server->loop, &child->channel_io, 0);
		if (child->channel.gone)
			(void)kill(child->pid, SIGKILL);
		else
			child_kill(child, child->channel.reason);
		return;
	}
	loop_io_set(child->server->loop, &child->channel_io, LOOP_READ | (channel_waiting(&child->channel) ? LOOP_WRITE : 0));
}

#ifdef NATSD_SANDBOX_PROBES
/* NATSD_PROBE=role:number[:layers left out] asks the first process of a role to try what it must not be able to do. */
static void
ask_probe(const struct child *child, struct message_start *start)
{
	const char *wish = getenv("NATSD_PROBE");
	char role[32];
	unsigned number, without = 0;

	if (wish == NULL || sscanf(wish, "%31[a-z]:%u:%u", role, &number, &without) < 2)
		return;
	if (strcmp(role, role_name(child->kind)) != 0 || child->index != 0 || child->starts > 1)
		return;
	start->probe = number;
	start->probe_layers = without;
}
#endif

/* Ids of clients are given out by each worker on its own: index + 1 in steps of the number of workers, above all that were used. */
static uint64_t
client_id_start(const struct child *child)
{
	uint64_t used = COUNTERS_GET(child->counters, connections_total), start;

	if (__builtin_mul_overflow(used, child->server->workers, &start) || __builtin_add_overflow(start, child->index + 1, &start))
		return child->index + 1; /* a number no honest worker counts to */
	return start;
}

static void
send_start(struct child *child, int log_write)
{
	const struct server *server = child->server;
	const struct role_program *program = &server->programs[child->kind];
	struct message_start start = { .index = child->index,
		.workers = server->workers,
		.ring_size = (uint32_t)server->ring_size,
		.client_id_start = client_id_start(child),
		.client_id_step = server->workers,
		.uid = program->uid,
		.gid = program->gid,
		.root = server->root,
		.require = server->options->sandbox == OPTIONS_SANDBOX_REQUIRE,
		.debug = log_level_debug,
		.trace = log_level_trace };
	const int fds[] = { log_write, child->panic_fd, server->empty_fd >= 0 ? server->empty_fd : server->null_fd,
		child->counters_rw };

#ifdef NATSD_SANDBOX_PROBES
	ask_probe(child, &start);
#endif
	(void)message_start_send(&child->channel, &start, fds, 4);
}

static void
send_config(struct child *child)
{
	const struct server *server = child->server;
	const struct message_config config = { server->config_generation };
	int fd = child->kind == ROLE_AUTHD ? server->authd_config_fd : server->worker_config_fd;

	(void)message_config_send(&child->channel, &config, &fd, 1);
	frames_watch(child);
}

static void
send_counters(struct child *child)
{
	for (unsigned i = 0; i < child->server->child_count; i++) {
		const struct child *other = &child->server->children[i];
		const struct message_counters counters = { other->counters_number };

		(void)message_counters_send(&child->channel, &counters, &other->counters_ro, 1);
	}
}

static void
send_listeners(struct child *child)
{
	for (unsigned i = 0; i < child->server->listener_count; i++) {
		const struct listener *listener = &child->server->listeners[i];
		const struct message_listener message = { (uint8_t)listener->kind, listener->port, message_text(listener->host) };

		if (listener->fd >= 0)
			(void)message_listener_send(&child->channel, &message, &listener->fd, 1);
	}
}

/* A new place in the mesh for a new process. */
static bool
send_place(struct child *child)
{
	const struct message_peer_up message = { child->index, true };
	struct mesh_own own;

	if (mesh_create_member(&child->mesh) != 0)
		return false;
	mesh_take_own(&child->mesh, &own);
	(void)message_peer_up_send(&child->channel, &message, (const int[]){ own.control, own.bell }, MESH_OWN_DESCRIPTORS);
	mesh_close_own(&own);
	return true;
}

bool
frames_start(struct child *child, int log_write)
{
	CHECK(child->pid != 0);
	send_start(child, log_write);
	close(log_write);
	send_config(child);
	send_counters(child);
	if (child->kind == ROLE_WORKER)
		send_listeners(child);
	if (child->member && !send_place(child))
		return false;
	frames_watch(child);
	return true;
}

static void
send_link(struct child *to, const struct child *about, const struct mesh_link *link)
{
	const struct message_peer_up message = { about->index, false };

	(void)message_peer_up_send(
	    &to->channel, &message, (const int[]){ link->control, link->bell, link->out, link->in }, MESH_LINK_DESCRIPTORS);
	frames_watch(to);
}

static void
link_members(struct child *a, struct child *b)
{
	struct mesh_link for_a, for_b;

	if (mesh_create_link(&a->mesh, &b->mesh, a->server->ring_size, &for_a, &for_b) != 0) {
		server_fatal(a->server, "rings between workers %u and %u: %s", a->index, b->index, strerror(errno));
		return;
	}
	send_link(a, b, &for_a);
	send_link(b, a, &for_b);
	mesh_close_link(&for_a);
	mesh_close_link(&for_b);
}

static void
link_authd(struct child *authd, struct child *worker)
{
	const struct message_authd_up up = {};
	const struct message_worker_up worker_up = { worker->index };
	int pair[2];

	if (!channel_pair(pair)) {
		server_fatal(authd->server, "channel between authd and worker %u: %s", worker->index, strerror(errno));
		return;
	}
	(void)message_authd_up_send(&worker->channel, &up, &pair[0], 1);
	(void)message_worker_up_send(&authd->channel, &worker_up, &pair[1], 1);
	close(pair[0]);
	close(pair[1]);
	frames_watch(authd);
	frames_watch(worker);
}

void
frames_introduce(struct child *child)
{
	struct server *server = child->server;

	CHECK(!child->introduced);
	for (unsigned i = 0; i < server->child_count; i++) {
		struct child *other = &server->children[i];

		if (other == child || !other->introduced)
			continue;
		if (child->member && other->member)
			link_members(child, other);
		else if (child->kind == ROLE_AUTHD)
			link_authd(child, other);
		else if (other->kind == ROLE_AUTHD)
			link_authd(other, child);
	}
	child->introduced = true;
}

void
frames_go(struct child *child)
{
	const struct message_go go = {};

	(void)message_go_send(&child->channel, &go, NULL, 0);
	frames_watch(child);
}

void
frames_peer_down(struct child *gone)
{
	const struct message_peer_down message = { gone->index };

	for (unsigned i = 0; i < gone->server->child_count; i++) {
		struct child *child = &gone->server->children[i];

		if (child == gone || child->pid == 0 || !child->member || !child->introduced)
			continue;
		(void)message_peer_down_send(&child->channel, &message, NULL, 0);
		frames_watch(child);
	}
}

/* ---- to all ---- */

void
frames_drain(struct server *server)
{
	const struct message_drain drain = {};

	for (unsigned i = 0; i < server->child_count; i++) {
		struct child *child = &server->children[i];

		if (child->pid == 0)
			continue;
		(void)message_drain_send(&child->channel, &drain, NULL, 0);
		frames_watch(child);
	}
}

void
frames_lame_duck(struct server *server)
{
	const struct message_lame_duck message = { server->options->lame_duck_duration, server->options->lame_duck_grace_period };

	for (unsigned i = 0; i < server->workers; i++) {
		struct child *child = &server->children[i];

		if (child->pid == 0)
			continue;
		(void)message_lame_duck_send(&child->channel, &message, NULL, 0);
		frames_watch(child);
	}
}

void
frames_config(struct server *server, bool authd)
{
	for (unsigned i = 0; i < server->child_count; i++)
		if (server->children[i].pid != 0 && (server->children[i].kind == ROLE_AUTHD) == authd)
			send_config(&server->children[i]);
}

void
frames_log_levels(struct server *server)
{
	const struct message_log_levels message = { server->options->debug, server->options->trace,
		server->options->trace_verbose };

	for (unsigned i = 0; i < server->child_count; i++) {
		struct child *child = &server->children[i];

		if (child->pid == 0)
			continue;
		(void)message_log_levels_send(&child->channel, &message, NULL, 0);
		frames_watch(child);
	}
}

void
frames_check_alive(struct server *server)
{
	const struct message_check_alive message = { server->watchdog_number };

	for (unsigned i = 0; i < server->child_count; i++) {
		struct child *child = &server->children[i];

		if (child->pid == 0)
			continue;
		(void)message_check_alive_send(&child->channel, &message, NULL, 0);
		frames_watch(child);
	}
}

/* ---- from children ---- */

static bool
heard_ready(struct child *child, const struct channel_frame *frame)
{
	struct message_ready message;

	if (!message_ready_read(frame, &message))
		return false;
	child->ready = true;
	child->layers = message.layers;
	child->config_generation = child->server->config_generation;
	server_child_ready(child->server);
	return true;
}

static bool
heard_config_done(struct child *child, const struct channel_frame *frame)
{
	struct message_config_done message;

	if (!message_config_done_read(frame, &message))
		return false;
	child->config_generation = message.generation;
	config_reload_step(child->server);
	return true;
}

static bool
heard_status(struct child *child, const struct channel_frame *frame)
{
	struct message_status message;

	if (!message_status_read(frame, &message))
		return false;
	if (message.state == WORKER_DRAINED && child->server->lame_duck) {
		child->empty_handed = true;
		server_child_gone(child->server);
	}
	return true;
}

/* The word of one process against that of another: the accused goes, as ARCHITECTURE 2 wants it, and the log names both. */
static bool
heard_violation(struct child *child, const struct channel_frame *frame)
{
	struct message_violation message;
	char quoted[256], reason[400];

	if (!message_violation_read(frame, &message) || message.member >= child->server->workers || message.member == child->index)
		return false;
	text_quote(quoted, sizeof(quoted), message.reason.at, message.reason.length);
	snprintf(
	    reason, sizeof(reason), "%s %u says it broke a rule of the rings: %s", role_name(child->kind), child->index, quoted);
	child_kill(&child->server->children[message.member], reason);
	return true;
}

static bool
heard_alive(struct child *child, const struct channel_frame *frame)
{
	struct message_alive message;

	if (!message_alive_read(frame, &message))
		return false;
	child->alive = message.number;
	return true;
}

static bool
hear(struct child *child, const struct channel_frame *frame)
{
	switch (frame->type) {
	case MESSAGE_READY: return heard_ready(child, frame);
	case MESSAGE_CONFIG_DONE: return heard_config_done(child, frame);
	case MESSAGE_STATUS: return heard_status(child, frame);
	case MESSAGE_VIOLATION: return heard_violation(child, frame);
	case MESSAGE_ALIVE: return heard_alive(child, frame);
	default: return false;
	}
}

void
frames_receive(struct child *child)
{
	static struct channel_frame frame;
	char reason[64];

	while (child->pid != 0 && channel_receive(&child->channel, &frame) == CHANNEL_FRAME) {
		if (hear(child, &frame))
			continue;
		snprintf(reason, sizeof(reason), "odd %s", message_type_name(frame.type));
		child_kill(child, reason);
		return;
	}
}
