/*
 * children.c: the life of a child: fork, exec by descriptor, log pipe, death, restart with back-off.
 * Owns the children of struct server.  What is said to them is in frames.c.
 */
#include "server.h"

#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "ipc/role.h"
#include "logger.h"

#define HIGH_FD 16 /* master's own descriptors stay clear of those a child gets */
#define LOG_PIPE_SIZE (256 * 1024)
#define BACK_OFF_FIRST (25 * LOOP_MILLISECOND)
#define NOBODY 65534

extern char **environ;

static void child_spawn(struct child *child);

/* Is it a file that root, or whoever we are, alone can change? We will run it. */
static int
open_program_in(const char *folder, const char *name)
{
	char path[4200];
	int fd, high;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	high = fcntl(fd, F_DUPFD_CLOEXEC, HIGH_FD);
	close(fd);
	return high;
}

/* Beside the running program (a build folder), else in the folder it was built for. */
static int
open_program(const char *name)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	int fd = -1;

	if (n > 0) {
		char *slash;

		self[n] = '\0';
		slash = strrchr(self, '/');
		if (slash != NULL) {
			*slash = '\0';
			fd = open_program_in(self, name);
		}
	}
	return fd >= 0 ? fd : open_program_in(NATSD_LIBEXECDIR, name);
}

/* The user a role runs as, from /etc/passwd alone: name services would bring their libraries into master. */
static void
find_user(struct role_program *program, const char *user)
{
	FILE *file = fopen("/etc/passwd", "re");
	const struct passwd *entry;

	program->uid = program->gid = NOBODY;
	while (file != NULL && (entry = fgetpwent(file)) != NULL)
		if (strcmp(entry->pw_name, user) == 0 && entry->pw_uid != 0 && entry->pw_gid != 0) {
			program->uid = entry->pw_uid;
			program->gid = entry->pw_gid;
			break;
		}
	if (file != NULL)
		fclose(file);
}

static bool
prepare_role(struct server *server, enum role_kind kind, const char *user, char *error, size_t size)
{
	struct role_program *program = &server->programs[kind];
	char name[32];

	snprintf(name, sizeof(name), "natsd-%s", role_name(kind));
	program->fd = open_program(name);
	if (program->fd < 0) {
		snprintf(error, size, "%s: %s (neither beside natsd nor in %s)", name, strerror(errno), NATSD_LIBEXECDIR);
		return false;
	}
	if (server->root)
		find_user(program, user);
	return true;
}

/* A folder that is empty for ever, since it has no name any more. -1: there is no place to make one. */
static int
open_empty_folder(void)
{
	static const char *const places[] = { "/tmp", "/run", "/dev/shm", "." };
	int fd = -1, high;

	for (size_t i = 0; fd < 0 && i < sizeof(places) / sizeof(places[0]); i++) {
		char path[64];

		snprintf(path, sizeof(path), "%s/natsd.XXXXXX", places[i]);
		if (mkdtemp(path) == NULL)
			continue;
		if (chmod(path, 0555) == 0)
			fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		(void)rmdir(path);
	}
	if (fd < 0)
		return -1;
	high = fcntl(fd, F_DUPFD_CLOEXEC, HIGH_FD);
	close(fd);
	return high;
}

static bool
child_create(struct server *server, struct child *child, enum role_kind kind, unsigned index)
{
	child->server = server;
	child->kind = kind;
	child->index = index;
	child->member = kind == ROLE_WORKER;
	child->counters_number = child->member ? index : MESH_MEMBERS_MAX;
	child->channel.fd = -1;
	child->log_io.fd = -1;
	child->mesh = (struct mesh_member){ -1, -1, -1, -1 };
	child->log_buffer = memory_alloc(SERVER_LOG_BUFFER);
	if (child->log_buffer == NULL || !counters_create(&child->counters_rw, &child->counters_ro))
		return false;
	child->panic_fd = panic_create();
	if (child->panic_fd < 0)
		return false;
	child->panic = panic_map(child->panic_fd);
	child->counters = counters_map(child->counters_rw, true);
	return child->panic != NULL && child->counters != NULL;
}

bool
children_create(struct server *server, char *error, size_t size)
{
	CHECK(server->workers > 0 && server->workers <= MESH_MEMBERS_MAX);
	if (!prepare_role(server, ROLE_WORKER, "_natsd", error, size) || !prepare_role(server, ROLE_AUTHD, "_natsda", error, size))
		return false;
	server->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	server->empty_fd = open_empty_folder();
	server->child_count = server->workers + 1;
	server->children = memory_array(server->child_count, sizeof(*server->children));
	if (server->children == NULL || server->null_fd < 0) {
		snprintf(error, size, "%s", strerror(errno));
		return false;
	}
	for (unsigned i = 0; i < server->child_count; i++)
		if (!child_create(server, &server->children[i], i < server->workers ? ROLE_WORKER : ROLE_AUTHD,
			i < server->workers ? i : 0)) {
			snprintf(error, size, "shared memory: %s", strerror(errno));
			return false;
		}
	server->ring_size = mesh_ring_size(server->workers);
	/* What is on its way to a slow receiver when its publisher is held must fit into the last quarter of max_pending. */
	while (server->ring_size > MESH_RING_SIZE_MIN && (int64_t)server->ring_size > server->options->max_pending / 8)
		server->ring_size /= 2;
	return true;
}

/* ---- log pipe ---- */

static void
log_line(struct child *child, const char *line, size_t n)
{
	enum log_level level = LOG_LEVEL_ERROR;

	if (n > 0 && strchr("IEWDTF", line[0]) != NULL) {
		level = (enum log_level)line[0];
		line++;
		n--;
	}
	logger_write(level, line, n);
	if (level == LOG_LEVEL_FATAL && !child->server->stopping)
		server_stop(child->server, 1);
}

/* Writes the whole lines that have come; what has no end yet stays, unless nothing more can come or it is too long. */
static void
log_lines(struct child *child, bool last)
{
	char *start = child->log_buffer, *end = start + child->log_used, *stop;

	while ((stop = memchr(start, '\n', (size_t)(end - start))) != NULL) {
		log_line(child, start, (size_t)(stop - start));
		start = stop + 1;
	}
	if (start < end && (last || (start == child->log_buffer && child->log_used == SERVER_LOG_BUFFER))) {
		log_line(child, start, (size_t)(end - start));
		start = end;
	}
	child->log_used = (size_t)(end - start);
	memmove(child->log_buffer, start, child->log_used);
}

/* Reads once; false when nothing is left. */
static bool
log_read(struct child *child)
{
	ssize_t n;

	CHECK(child->log_used < SERVER_LOG_BUFFER);
	n = read(child->log_io.fd, child->log_buffer + child->log_used, SERVER_LOG_BUFFER - child->log_used);
	if (n <= 0)
		return n < 0 && errno == EINTR;
	child->log_used += (size_t)n;
	log_lines(child, false);
	return true;
}

static void
log_ready(struct loop_io *io, uint32_t events)
{
	struct child *child = io->arg;

	if (!log_read(child) && (events & LOOP_HANGUP) != 0) {
		loop_io_remove(child->server->loop, io);
		close(io->fd);
		io->fd = -1;
	}
}

static void
log_close(struct child *child)
{
	if (child->log_io.fd >= 0) {
		while (log_read(child))
			;
		loop_io_remove(child->server->loop, &child->log_io);
		close(child->log_io.fd);
		child->log_io.fd = -1;
	}
	log_lines(child, true);
}

/* ---- birth ---- */

static void
channel_ready(struct loop_io *io, uint32_t events)
{
	struct child *child = io->arg;

	if ((events & LOOP_WRITE) != 0)
		(void)channel_flush(&child->channel);
	if ((events & (LOOP_READ | LOOP_HANGUP)) != 0)
		frames_receive(child);
	frames_watch(child);
}

/* In the new process; between fork and exec only calls that are safe there. */
static _Noreturn void
child_exec(const struct child *child, int channel, pid_t parent)
{
	static const int ignored[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGPIPE, SIGTSTP, SIGTTIN, SIGTTOU };
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	char title[64], *arguments[] = { title, NULL }, *nothing[] = { NULL };
	sigset_t none;

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		sigaction(ignored[i], &ignore, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != parent)
		_exit(0);
	if (child->member)
		snprintf(title, sizeof(title), "natsd: %s %u", role_name(child->kind), child->index);
	else
		snprintf(title, sizeof(title), "natsd: %s", role_name(child->kind));
	if (dup2(channel, ROLE_CHANNEL_FD) < 0 || fcntl(ROLE_CHANNEL_FD, F_SETFD, 0) != 0)
		_exit(1);
	(void)dup2(child->server->null_fd, STDIN_FILENO);
	(void)dup2(child->server->null_fd, STDOUT_FILENO);
#ifdef NATSD_SANITIZED
	(void)nothing;
	execveat(child->server->programs[child->kind].fd, "", arguments, environ, AT_EMPTY_PATH);
#else
	execveat(child->server->programs[child->kind].fd, "", arguments, nothing, AT_EMPTY_PATH);
#endif
	fprintf(stderr, "natsd-%s: %s\n", role_name(child->kind), strerror(errno));
	_exit(1);
}

/* Returns the writing end of the child's log pipe, or -1. */
static int
child_fork(struct child *child)
{
	struct server *server = child->server;
	pid_t parent = getpid();
	int channel[2], pipes[2];

	CHECK(child->pid == 0);
	if (!channel_pair(channel))
		return -1;
	if (pipe2(pipes, O_CLOEXEC | O_NONBLOCK) != 0) {
		close(channel[0]);
		close(channel[1]);
		return -1;
	}
	(void)fcntl(pipes[0], F_SETPIPE_SZ, LOG_PIPE_SIZE);
	child->pid = fork();
	if (child->pid == 0)
		child_exec(child, channel[1], parent);
	close(channel[1]);
	if (child->pid < 0) {
		child->pid = 0;
		close(channel[0]);
		close(pipes[0]);
		close(pipes[1]);
		return -1;
	}
	child->ready = child->empty_handed = child->condemned = false;
	child->starts++;
	channel_init(&child->channel, channel[0], ROLE_MASTER, child->kind);
	child->channel_io = (struct loop_io){ .fd = channel[0], .ready = channel_ready, .arg = child };
	child->log_io = (struct loop_io){ .fd = pipes[0], .ready = log_ready, .arg = child };
	CHECK(loop_io_add(server->loop, &child->channel_io, LOOP_READ) == 0);
	CHECK(loop_io_add(server->loop, &child->log_io, LOOP_READ) == 0);
	return pipes[1];
}

void
children_start(struct server *server)
{
	int logs[MESH_MEMBERS_MAX + 1];

	/* All are forked first: they load their libraries while master makes what they share. */
	for (unsigned i = 0; i < server->child_count; i++)
		logs[i] = child_fork(&server->children[i]);
	for (unsigned i = 0; i < server->child_count; i++) {
		if (logs[i] < 0 || !frames_start(&server->children[i], logs[i])) {
			server_fatal(server, "%s %u cannot be started: %s", role_name(server->children[i].kind),
			    server->children[i].index, strerror(errno));
			return;
		}
	}
	for (unsigned i = 0; i < server->child_count; i++)
		frames_introduce(&server->children[i]);
	for (unsigned i = 0; i < server->child_count; i++)
		frames_go(&server->children[i]);
}

static void
child_spawn(struct child *child)
{
	int log = child_fork(child);

	if (log < 0 || !frames_start(child, log)) {
		log_error("%s %u cannot be started: %s", role_name(child->kind), child->index, strerror(errno));
		if (child->pid != 0)
			child_kill(child, "it could not be told what to do");
		else if (!loop_timer_set(child->server->loop, &child->respawn, loop_now(child->server->loop) + LOOP_SECOND))
			server_fatal(child->server, "out of memory");
		return;
	}
	frames_introduce(child);
	frames_go(child);
}

static void
respawn_fire(struct loop_timer *timer)
{
	struct child *child = timer->arg;

	if (!child->server->stopping && !child->server->lame_duck && child->pid == 0)
		child_spawn(child);
}

/* ---- death ---- */

void
child_kill(struct child *child, const char *reason)
{
	if (child->pid == 0 || child->condemned)
		return;
	log_error("%s %u (pid %d) is ended: %s", role_name(child->kind), child->index, (int)child->pid, reason);
	child->condemned = true;
	(void)kill(child->pid, SIGKILL);
}

static void
describe(const struct child *child, int status, char *out, size_t size)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		snprintf(out, size, "made a system call that its sandbox forbids");
	else if (WIFSIGNALED(status))
		snprintf(out, size, "was ended by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		snprintf(out, size, "left with status %d", WEXITSTATUS(status));
	CHECK(child->pid != 0);
}

/* How often has this role died of late?  Counts this death. */
static unsigned
recent_deaths(struct role_program *program, int64_t now)
{
	unsigned recent = 0;

	program->deaths[program->deaths_count++ % SERVER_DEATHS_MAX] = now;
	for (unsigned i = 0; i < SERVER_DEATHS_MAX && i < program->deaths_count; i++)
		recent += now - program->deaths[i] < SERVER_DEATHS_WINDOW;
	return recent;
}

static void
panic_line(void *arg, const char *text)
{
	const struct child *child = arg;

	log_error("%s %u: %s", role_name(child->kind), child->index, text);
}

static void
restart_later(struct child *child)
{
	struct server *server = child->server;
	int64_t now = clock_monotonic();
	unsigned recent = recent_deaths(&server->programs[child->kind], now);

	if (recent >= SERVER_DEATHS_MAX) {
		server_fatal(server, "%s died %u times in %d seconds", role_name(child->kind), recent,
		    (int)(SERVER_DEATHS_WINDOW / LOOP_SECOND));
		return;
	}
	COUNTERS_ADD(child->counters, restarts, 1);
	child->respawn.fire = respawn_fire;
	child->respawn.arg = child;
	if (recent <= 1)
		child_spawn(child);
	else if (!loop_timer_set(server->loop, &child->respawn, now + (BACK_OFF_FIRST << recent)))
		server_fatal(server, "out of memory");
}

static void
child_died(struct child *child, int status)
{
	struct server *server = child->server;
	bool wanted = server->stopping || (server->lame_duck && WIFEXITED(status) && WEXITSTATUS(status) == 0);
	char text[128];

	log_close(child);
	describe(child, status, text, sizeof(text));
	if (!wanted || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		log_error("%s %u (pid %d) %s", role_name(child->kind), child->index, (int)child->pid, text);
	(void)panic_report(child->panic, panic_line, child);
	loop_io_remove(server->loop, &child->channel_io);
	channel_close(&child->channel);
	counters_reset_gauges(child->counters);
	child->pid = 0;
	child->ready = false;
	child->introduced = false;
	if (child->member) {
		mesh_close_member(&child->mesh);
		if (!server->stopping)
			frames_peer_down(child);
	}
	if (server->stopping || server->lame_duck)
		server_child_gone(server);
	else
		restart_later(child);
}

void
children_reap(struct server *server)
{
	int status;
	pid_t pid;

	/* Also strangers, for whoever runs us as process 1. */
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (unsigned i = 0; i < server->child_count; i++)
			if (server->children[i].pid == pid) {
				child_died(&server->children[i], status);
				break;
			}
}

bool
children_running(const struct server *server)
{
	for (unsigned i = 0; i < server->child_count; i++)
		if (server->children[i].pid != 0)
			return true;
	return false;
}

void
children_free(struct server *server)
{
	CHECK(!children_running(server));
	for (unsigned i = 0; i < server->child_count; i++) {
		loop_timer_stop(server->loop, &server->children[i].respawn);
		memory_free(server->children[i].log_buffer);
	}
	memory_free(server->children);
	server->children = NULL;
	server->child_count = 0;
}
