/*
 * command.c: `--signal CMD[=PID|FILE|PATTERN*]`: finds the running server and sends it a signal, with nats-server's rules and texts
 * (server/signal.go).  Processes are looked up in /proc, as pgrep does it.
 */
#include "server.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/text.h"

enum { PIDS_MAX = 4096, PID_TEXT = 4096 };

static const struct {
	const char *name;
	int number;
} commands[] = { { "stop", SIGKILL }, { "quit", SIGINT }, { "term", SIGTERM }, { "reopen", SIGUSR1 }, { "reload", SIGHUP },
	{ "ldm", SIGUSR2 } };

struct command {
	const char *program, *name;
	char expression[PID_TEXT]; /* pid, or the start of pids and '*' */
	bool pattern;
	pid_t pids[PIDS_MAX];
	size_t count;
};

static int
fail(const struct command *command, const char *text)
{
	fprintf(stderr, "%s: %s\n", command->program, text);
	return 1;
}

static size_t
read_whole(const char *path, char *out, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t n;

	if (fd < 0)
		return 0;
	n = read(fd, out, size - 1);
	close(fd);
	out[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

/* Is it a running server: by the name of its program, which ours has either way; children are called natsd-<role>. */
static bool
is_server(const char *name)
{
	return strstr(name, "nats-server") != NULL || strcmp(name, "natsd\n") == 0;
}

static int
by_number(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

static bool
find_servers(struct command *command)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	if (proc == NULL)
		return false;
	while ((entry = readdir(proc)) != NULL && command->count < PIDS_MAX) {
		char path[300], name[64];
		uint64_t pid;

		if (!text_parse_u64(entry->d_name, strlen(entry->d_name), &pid) || pid == (uint64_t)getpid() || pid > INT32_MAX)
			continue;
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		if (read_whole(path, name, sizeof(name)) > 0 && is_server(name))
			command->pids[command->count++] = (pid_t)pid;
	}
	closedir(proc);
	qsort(command->pids, command->count, sizeof(command->pids[0]), by_number);
	return true;
}

/* A target that names a readable file stands for what is in it. */
static void
set_expression(struct command *command, const char *target)
{
	size_t n;

	if (target == NULL)
		target = "";
	if (target[0] == '\0' || read_whole(target, command->expression, sizeof(command->expression)) == 0)
		snprintf(command->expression, sizeof(command->expression), "%s", target);
	n = strlen(command->expression);
	if (n > 0 && command->expression[n - 1] == '*') {
		command->expression[n - 1] = '\0';
		command->pattern = true;
	}
}

static int
find_targets(struct command *command)
{
	char text[PID_TEXT * 2];
	uint64_t pid = 0;

	if (command->expression[0] != '\0') {
		if (!text_parse_u64(command->expression, strlen(command->expression), &pid) || pid > INT32_MAX) {
			snprintf(text, sizeof(text), "invalid pid: %s", command->expression);
			return fail(command, text);
		}
		command->pids[command->count++] = (pid_t)pid;
	}
	if (command->expression[0] == '\0' || command->pattern) {
		command->count = 0;
		if (!find_servers(command))
			return fail(command, "unable to resolve pid, try providing one");
	}
	if (command->count > 1 && !command->pattern) {
		size_t at = (size_t)snprintf(text, sizeof(text), "multiple nats-server processes running:");

		for (size_t i = 0; i < command->count && at < sizeof(text) - 16; i++)
			at += (size_t)snprintf(text + at, sizeof(text) - at, "\n%d", (int)command->pids[i]);
		return fail(command, text);
	}
	return command->count == 0 ? fail(command, "no nats-server processes running") : 0;
}

static int
send_all(const struct command *command, int number)
{
	char errors[PID_TEXT * 2] = "";
	size_t at = 0;

	for (size_t i = 0; i < command->count; i++) {
		char pid[16];

		snprintf(pid, sizeof(pid), "%d", (int)command->pids[i]);
		if (command->pattern && strncmp(pid, command->expression, strlen(command->expression)) != 0)
			continue;
		if (kill(command->pids[i], number) != 0 && at < sizeof(errors) - 128)
			at += (size_t)snprintf(errors + at, sizeof(errors) - at, "\nsignal \"%s\" %s: %s", command->name, pid,
			    errno == ESRCH ? "no such process" : "operation not permitted");
	}
	return at > 0 ? fail(command, errors) : 0;
}

int
command_run(const char *program, const char *name, const char *target)
{
	static struct command command;
	char text[512], quoted[400];
	int result;

	CHECK(program != NULL && name != NULL);
	command.program = program;
	command.name = name;
	set_expression(&command, target);
	result = find_targets(&command);
	if (result != 0)
		return result;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(commands[i].name, name) == 0)
			return send_all(&command, commands[i].number);
	text_quote(quoted, sizeof(quoted), name, strlen(name));
	snprintf(text, sizeof(text), "unknown signal %s", quoted);
	return fail(&command, text);
}
