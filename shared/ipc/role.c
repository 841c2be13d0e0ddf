/*
 * role.c: the start of every child, and what all children do with master's frames afterwards.  See role.h.
 * Owns the one struct role of the process.  An odd frame from master, or a descriptor that cannot be used, ends the process: master
 * starts a new one.
 */
#include "ipc/role.h"

#include <sys/mman.h>
#include <sys/prctl.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "ipc/panic.h"
#include "ipc/probe.h"

#define START_PATIENCE 10000 /* ms for master to say something */

enum { FD_LOG, FD_PANIC, FD_EMPTY, FD_COUNTERS };

static struct role role;
static struct channel_frame start_frame;
static struct message_start start;
static mesh_record *record_handler;
static void *record_arg;

void
role_leave(int status)
{
	_exit(status);
}

__attribute__((format(printf, 1, 2))) static _Noreturn void
role_fail(const char *format, ...)
{
	char text[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	log_error("%s %u: %s", role_name(role.kind), role.index, text);
	role_leave(1);
}

/* A child obeys its channel; signals for the group of processes are master's. */
static void
ignore_signals(void)
{
	static const int numbers[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGPIPE, SIGTSTP, SIGTTIN, SIGTTOU,
		SIGALRM };
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t none;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		sigaction(numbers[i], &ignore, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The next frame of the start; waits for it. */
static void
start_receive(void)
{
	struct pollfd wait = { .fd = role.master.fd, .events = POLLIN };
	enum channel_result result;

	while ((result = channel_receive(&role.master, &start_frame)) == CHANNEL_EMPTY)
		if (poll(&wait, 1, START_PATIENCE) == 0)
			role_leave(1);
	if (result == CHANNEL_CLOSED)
		role_leave(0);
	if (result != CHANNEL_FRAME)
		role_fail("%s", role.master.reason);
}

static int
take(struct channel_frame *frame, unsigned place)
{
	int fd;

	if (place >= frame->nfds)
		role_fail("%s came without descriptor %u", message_type_name(frame->type), place);
	fd = frame->fds[place];
	CHECK(fd >= 0);
	frame->fds[place] = -1;
	return fd;
}

static struct counters **
counters_place(unsigned member)
{
	if (member > MESH_MEMBERS_MAX)
		role_fail("counters of member %u", member);
	return (struct counters **)(uintptr_t)&role.all_counters[member];
}

static void
take_counters(struct channel_frame *frame)
{
	struct message_counters message;
	struct counters **place;
	int fd = take(frame, 0);

	if (!message_counters_read(frame, &message))
		role_fail("odd COUNTERS");
	place = counters_place(message.member);
	if (*place != NULL)
		munmap(*place, COUNTERS_SIZE);
	*place = counters_map(fd, false);
	close(fd);
	if (*place == NULL)
		role_fail("counters: %s", strerror(errno));
}

static void
take_config(struct channel_frame *frame)
{
	struct message_config message;
	int fd = take(frame, 0);

	if (!message_config_read(frame, &message))
		role_fail("odd CONFIG");
	role.config_generation = message.generation;
	if (role.kind == ROLE_AUTHD) {
		snapshot_authd_free(role.old_authd_config);
		role.old_authd_config = role.authd_config;
		role.authd_config = snapshot_authd_read(fd);
	} else {
		snapshot_worker_free(role.old_worker_config);
		role.old_worker_config = role.worker_config;
		role.worker_config = snapshot_worker_read(fd);
	}
	close(fd);
	if (role.kind == ROLE_AUTHD ? role.authd_config == NULL : role.worker_config == NULL)
		role_fail("the configuration cannot be read");
}

static void
take_listener(struct channel_frame *frame)
{
	struct message_listener message;
	struct role_listener *listener = &role.listeners[role.listener_count];

	if (!message_listener_read(frame, &message) || message.host.length >= ROLE_HOST_MAX ||
	    role.listener_count == ROLE_LISTENERS_MAX)
		role_fail("odd LISTENER");
	listener->kind = message.kind;
	listener->port = message.port;
	memcpy(listener->host, message.host.at, message.host.length);
	listener->host[message.host.length] = '\0';
	listener->fd = take(frame, 0);
	role.listener_count++;
}

/* Returns the member. */
static unsigned
take_peer_up(struct channel_frame *frame)
{
	struct message_peer_up message;

	if (!message_peer_up_read(frame, &message) || message.member >= MESH_MEMBERS_MAX)
		role_fail("odd PEER_UP");
	if (message.self) {
		struct mesh_own own = { take(frame, 0), take(frame, 1) };

		if (role.mesh != NULL || record_handler == NULL)
			role_fail("a second place in the mesh");
		role.mesh = mesh_attach(message.member, start.ring_size, &own, record_handler, record_arg);
		if (role.mesh == NULL)
			role_fail("mesh: %s", strerror(errno));
	} else {
		struct mesh_link link = { take(frame, 0), take(frame, 1), take(frame, 2), take(frame, 3) };

		if (role.mesh == NULL)
			role_fail("a peer before the own place in the mesh");
		if (mesh_peer_up(role.mesh, message.member, &link) != 0)
			role_fail("mesh, member %u: %s", message.member, strerror(errno));
	}
	return message.member;
}

static unsigned
take_peer_down(struct channel_frame *frame)
{
	struct message_peer_down message;

	if (!message_peer_down_read(frame, &message) || message.member >= MESH_MEMBERS_MAX || role.mesh == NULL)
		role_fail("odd PEER_DOWN");
	mesh_peer_down(role.mesh, message.member);
	return message.member;
}

static void
take_authd(struct channel_frame *frame)
{
	if (role.authd.fd >= 0)
		channel_close(&role.authd);
	channel_init(&role.authd, take(frame, 0), role.kind, ROLE_AUTHD);
}

static unsigned
take_worker(struct channel_frame *frame)
{
	struct message_worker_up message;
	struct channel *channel;

	if (!message_worker_up_read(frame, &message) || message.member >= MESH_MEMBERS_MAX)
		role_fail("odd WORKER_UP");
	channel = &role.workers_channel[message.member];
	if (channel->fd >= 0)
		channel_close(channel);
	channel_init(channel, take(frame, 0), role.kind, ROLE_WORKER);
	return message.member;
}

static void
take_log_levels(struct channel_frame *frame)
{
	struct message_log_levels message;

	if (!message_log_levels_read(frame, &message))
		role_fail("odd LOG_LEVELS");
	log_level_debug = message.debug;
	log_level_trace = message.trace;
}

/* START and its descriptors: from here on there are a log, a panic page and counters. */
static void
take_start(void)
{
	char name[16];
	int log, panic, counters;
	struct panic_page *page;

	start_receive();
	if (start_frame.type != MESSAGE_START || !message_start_read(&start_frame, &start) || start.workers > MESH_MEMBERS_MAX)
		role_fail("the first frame is no START");
	role.index = start.index;
	role.workers = start.workers;
	role.client_id_start = start.client_id_start;
	role.client_id_step = start.client_id_step;
	log = take(&start_frame, FD_LOG);
	if (dup2(log, STDERR_FILENO) < 0) /* what libraries say in their last moments comes into the log, too */
		role_fail("log: %s", strerror(errno));
	log_to_pipe(log);
	log_level_debug = start.debug;
	log_level_trace = start.trace;
	panic = take(&start_frame, FD_PANIC);
	page = panic_map(panic);
	close(panic);
	if (page == NULL)
		role_fail("panic page: %s", strerror(errno));
	panic_install(page);
	counters = take(&start_frame, FD_COUNTERS);
	role.counters = counters_map(counters, true);
	close(counters);
	if (role.counters == NULL)
		role_fail("counters: %s", strerror(errno));
	snprintf(name, sizeof(name), "natsd-%s", role_name(role.kind));
	(void)prctl(PR_SET_NAME, name, 0, 0, 0);
}

static void
take_parts(void)
{
	for (;;) {
		start_receive();
		switch (start_frame.type) {
		case MESSAGE_GO: return;
		case MESSAGE_CONFIG: take_config(&start_frame); break;
		case MESSAGE_COUNTERS: take_counters(&start_frame); break;
		case MESSAGE_LISTENER: take_listener(&start_frame); break;
		case MESSAGE_PEER_UP: (void)take_peer_up(&start_frame); break;
		case MESSAGE_PEER_DOWN: (void)take_peer_down(&start_frame); break;
		case MESSAGE_AUTHD_UP: take_authd(&start_frame); break;
		case MESSAGE_WORKER_UP: (void)take_worker(&start_frame); break;
		case MESSAGE_LOG_LEVELS: take_log_levels(&start_frame); break;
		case MESSAGE_DRAIN: role_leave(0);
		default: role_fail("%s before GO", message_type_name(start_frame.type));
		}
		channel_frame_close(&start_frame);
	}
}

static void
close_in(int empty)
{
	struct sandbox_plan plan = { .role = role.kind,
		.root = start.root,
		.uid = start.uid,
		.gid = start.gid,
		.empty_fd = empty,
		.descriptors = role.kind == ROLE_AUTHD ? MESH_MEMBERS_MAX + 64 : 0,
		.without = start.probe_layers };
	char reason[256];

	role.layers = sandbox_enter(&plan, reason, sizeof(reason));
	close(empty);
	if (start.require && role.layers != SANDBOX_ALL) {
		log_fatal("%s %u: sandbox: require is set, but not all layers are possible (%s)", role_name(role.kind), role.index,
		    reason[0] != '\0' ? reason : "not started as root");
		role_leave(1);
	}
	if (reason[0] != '\0')
		log_debug("%s %u: sandbox: %s", role_name(role.kind), role.index, reason);
}

struct role *
role_start(enum role_kind kind, int argc, char **argv, mesh_record *record, void *arg)
{
	int empty;

	(void)argc;
	(void)argv;
	CHECK(kind > ROLE_MASTER && kind < ROLE_KINDS);
	ignore_signals();
	if (fcntl(ROLE_CHANNEL_FD, F_GETFD) < 0) {
		fprintf(stderr, "natsd-%s is started by natsd, not by hand\n", role_name(kind));
		exit(1);
	}
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	close_range(ROLE_CHANNEL_FD + 1, ~0u, 0);
	role.kind = kind;
	record_handler = record;
	record_arg = arg;
	role.authd = (struct channel){ .fd = -1 };
	for (unsigned i = 0; i < MESH_MEMBERS_MAX; i++)
		role.workers_channel[i] = (struct channel){ .fd = -1 };
	channel_init(&role.master, ROLE_CHANNEL_FD, kind, ROLE_MASTER);
	take_start();
	empty = take(&start_frame, FD_EMPTY);
	tzset(); /* strftime and the like look for files only the first time */
	take_parts();
	if (kind == ROLE_AUTHD ? role.authd_config == NULL : role.worker_config == NULL || role.mesh == NULL)
		role_fail("GO came too early");
	close_in(empty);
	probe_run(start.probe, &role);
	return &role;
}

void
role_ready(struct role *self)
{
	const struct message_ready message = { self->layers };

	if (!message_ready_send(&self->master, &message, NULL, 0))
		role_leave(0);
}

/* A channel is about to be replaced: its descriptor must leave the loop first. */
static void
tell_replaced(const struct channel *channel, void (*before_replace)(void *arg, int fd), void *arg)
{
	if (channel->fd >= 0 && before_replace != NULL)
		before_replace(arg, channel->fd);
}

static void
answer_alive(const struct channel_frame *frame)
{
	struct message_check_alive question;
	struct message_alive answer;

	if (!message_check_alive_read(frame, &question))
		role_fail("odd CHECK_ALIVE");
	answer.number = question.number;
	(void)message_alive_send(&role.master, &answer, NULL, 0);
}

static enum role_event
role_handle(struct channel_frame *frame, unsigned *member, void (*before_replace)(void *arg, int fd), void *arg)
{
	struct message_worker_up worker;

	switch (frame->type) {
	case MESSAGE_COUNTERS: take_counters(frame); return ROLE_EVENT_HANDLED;
	case MESSAGE_LOG_LEVELS: take_log_levels(frame); return ROLE_EVENT_HANDLED;
	case MESSAGE_CHECK_ALIVE: answer_alive(frame); return ROLE_EVENT_HANDLED;
	case MESSAGE_CONFIG: take_config(frame); return ROLE_EVENT_CONFIG;
	case MESSAGE_PEER_UP: *member = take_peer_up(frame); return ROLE_EVENT_PEER_UP;
	case MESSAGE_PEER_DOWN: *member = take_peer_down(frame); return ROLE_EVENT_PEER_DOWN;
	case MESSAGE_AUTHD_UP:
		tell_replaced(&role.authd, before_replace, arg);
		take_authd(frame);
		return ROLE_EVENT_AUTHD;
	case MESSAGE_WORKER_UP:
		if (message_worker_up_read(frame, &worker) && worker.member < MESH_MEMBERS_MAX)
			tell_replaced(&role.workers_channel[worker.member], before_replace, arg);
		*member = take_worker(frame);
		return ROLE_EVENT_WORKER;
	case MESSAGE_LAME_DUCK: return ROLE_EVENT_LAME_DUCK;
	case MESSAGE_DRAIN: return ROLE_EVENT_DRAIN;
	default: role_fail("%s after GO", message_type_name(frame->type));
	}
}

enum role_event
role_receive(struct role *self, struct channel_frame *frame, unsigned *member, void (*before_replace)(void *arg, int fd), void *arg)
{
	enum role_event event;

	CHECK(self == &role);
	*member = 0;
	switch (channel_receive(&role.master, frame)) {
	case CHANNEL_EMPTY: return ROLE_EVENT_NOTHING;
	case CHANNEL_CLOSED: return ROLE_EVENT_GONE;
	case CHANNEL_VIOLATION: role_fail("%s", role.master.reason);
	case CHANNEL_FRAME: break;
	}
	event = role_handle(frame, member, before_replace, arg);
	channel_frame_close(frame);
	return event;
}

struct worker_config *
role_take_old_config(struct role *self)
{
	struct worker_config *old = self->old_worker_config;

	self->old_worker_config = NULL;
	return old;
}

struct authd_config *
role_take_old_authd_config(struct role *self)
{
	struct authd_config *old = self->old_authd_config;

	self->old_authd_config = NULL;
	return old;
}

void
role_config_done(struct role *self)
{
	const struct message_config_done message = { self->config_generation };

	(void)message_config_done_send(&self->master, &message, NULL, 0);
}

void
role_violation(struct role *self, unsigned member, const char *reason)
{
	const struct message_violation message = { member, message_text(reason) };

	CHECK(member < MESH_MEMBERS_MAX);
	(void)message_violation_send(&self->master, &message, NULL, 0);
}
