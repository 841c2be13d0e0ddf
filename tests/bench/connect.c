/*
 * New connections per second (connect, INFO, CONNECT and PING, PONG, close; that many at a time), and the time from
 * the start of a server to its first INFO.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define ANSWER_ROOM 8192
#define DIAL_EVERY_US 100

struct visit {
	int fd;
	bool greeted; /* INFO has come, CONNECT is sent */
	size_t len;
	char answer[ANSWER_ROOM];
};

static void
connect_dial(int epoll, struct visit *visit)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = visit };

	visit->fd = net_dial(true);
	visit->greeted = false;
	visit->len = 0;
	if (visit->fd == -1)
		errx(1, "connection refused");
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, visit->fd, &event) == -1)
		err(1, "epoll_ctl");
}

/* Reads what is there; true when PONG has come. */
static bool
connect_read(struct visit *visit)
{
	ssize_t n;

	n = recv(visit->fd, visit->answer + visit->len, ANSWER_ROOM - visit->len, MSG_DONTWAIT);
	if (n == -1 && errno == EAGAIN)
		return false;
	if (n <= 0)
		errx(1, "connection closed: %s", n == 0 ? "end of file" : strerror(errno));
	visit->len += (size_t)n;
	if (memchr(visit->answer, '\n', visit->len) == NULL)
		return false;
	if (!visit->greeted) {
		if (memcmp(visit->answer, "INFO ", 5) != 0)
			errx(1, "INFO expected, got: %.40s", visit->answer);
		net_send_all(visit->fd, net_hello(), strlen(net_hello()));
		visit->greeted = true;
		visit->len = 0;
		return false;
	}
	return memmem(visit->answer, visit->len, "PONG\r\n", 6) != NULL;
}

static uint64_t
connect_turns(int epoll, uint64_t end_ns)
{
	struct epoll_event events[BENCH_CONNS_MAX];
	uint64_t done = 0;
	int n;

	while (now_ns() < end_ns) {
		n = epoll_wait(epoll, events, BENCH_CONNS_MAX, BENCH_TIMEOUT_MS);
		if (n <= 0)
			errx(1, "no answer to a new connection");
		for (int i = 0; i < n; i++) {
			struct visit *visit = events[i].data.ptr;

			if (!connect_read(visit))
				continue;
			close(visit->fd);
			done++;
			connect_dial(epoll, visit);
		}
	}
	return done;
}

int
connect_run(const struct bench_args *args)
{
	struct visit *visits = calloc(args->clients, sizeof(visits[0]));
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct usage from, to;
	uint64_t done;

	if (visits == NULL || epoll == -1)
		err(1, "connect");
	for (unsigned i = 0; i < args->clients; i++)
		connect_dial(epoll, &visits[i]);
	proc_usage(args->server_pid, &from);
	connect_turns(epoll, from.wall_ns + 100000000); /* warm up */
	proc_usage(args->server_pid, &from);
	done = connect_turns(epoll, from.wall_ns + (uint64_t)(args->seconds * 1e9));
	proc_usage(args->server_pid, &to);
	printf("{");
	proc_print_usage(&from, &to, done);
	printf("}\n");
	return 0;
}

static pid_t
start_spawn(char *const *command)
{
	pid_t pid = fork();
	int null;

	if (pid == -1)
		err(1, "fork");
	if (pid > 0)
		return pid;
	null = open("/dev/null", O_RDWR);
	if (null == -1 || dup2(null, 1) == -1 || dup2(null, 2) == -1)
		_exit(126);
	execv(command[0], command);
	_exit(127);
}

static uint64_t
start_once(char *const *command)
{
	uint64_t start = now_ns(), passed;
	pid_t pid = start_spawn(command);
	int fd, status;

	while ((fd = net_dial(false)) == -1) {
		if (now_ns() - start > BENCH_TIMEOUT_MS * 1000000ULL || waitpid(pid, &status, WNOHANG) == pid)
			errx(1, "the server did not start");
		usleep(DIAL_EVERY_US);
	}
	if (!net_readable(fd, BENCH_TIMEOUT_MS))
		errx(1, "no INFO");
	passed = now_ns() - start;
	close(fd);
	if (kill(pid, SIGTERM) == -1 || waitpid(pid, &status, 0) == -1)
		err(1, "stop");
	return passed;
}

/* Starts the command --count times, one after the other. */
int
start_run(const struct bench_args *args)
{
	unsigned count = args->count == 0 ? 1 : args->count;
	struct samples samples;

	if (args->command[0] == NULL)
		errx(2, "start needs a command");
	samples_setup(&samples, count);
	for (unsigned i = 0; i < count; i++)
		samples_add(&samples, start_once(args->command));
	printf("{");
	samples_print(&samples, "");
	printf("}\n");
	return 0;
}
