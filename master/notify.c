/*
 * notify.c: readiness for service managers: sd_notify(3) by hand, and a descriptor for s6 and dinit (--ready-fd).
 */
#include "server.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/text.h"

static struct sockaddr_un socket_address;
static socklen_t socket_length; /* 0: nobody listens */
static int ready = -1;
static int64_t watchdog;

void
notify_open(int ready_fd)
{
	const char *path = getenv("NOTIFY_SOCKET"), *microseconds = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	uint64_t value;

	ready = ready_fd;
	if (ready >= 0)
		(void)fcntl(ready, F_SETFD, FD_CLOEXEC);
	if (path != NULL && (path[0] == '/' || path[0] == '@') && strlen(path) < sizeof(socket_address.sun_path)) {
		socket_address.sun_family = AF_UNIX;
		memcpy(socket_address.sun_path, path, strlen(path));
		if (path[0] == '@')
			socket_address.sun_path[0] = '\0';
		socket_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	}
	if (microseconds != NULL && text_parse_u64(microseconds, strlen(microseconds), &value) && value > 0 &&
	    value < INT64_MAX / 1000) {
		watchdog = (int64_t)value * 1000;
		if (pid != NULL && (!text_parse_u64(pid, strlen(pid), &value) || value != (uint64_t)getpid()))
			watchdog = 0;
	}
}

void
notify_send(const char *state)
{
	int fd;

	CHECK(state != NULL);
	if (socket_length == 0)
		return;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	(void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&socket_address, socket_length);
	close(fd);
}

void
notify_ready(void)
{
	char text[64];

	snprintf(text, sizeof(text), "READY=1\nMAINPID=%d", (int)getpid());
	notify_send(text);
	if (ready < 0)
		return;
	(void)!write(ready, "\n", 1);
	close(ready);
	ready = -1;
}

int64_t
notify_watchdog(void)
{
	return watchdog;
}
