/*
 * logger_syslog.c: syslog, local or remote (udp://, tcp://, unix://), framed as Go's log/syslog frames it, since that is what
 * people's collectors were set up for.  Owned by logger.c.  A connection that breaks is made again once per line; never waits
 * longer than a second.
 */
#include "logger.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"

#define DAEMON (3 << 3)
#define HOST_SIZE 256

enum transport { UNIX_LOCAL, UNIX_PATH, UDP, TCP };

static struct {
	int fd;
	enum transport transport;
	char host[HOST_SIZE], port[16], path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	char tag[64], hostname[HOST_SIZE];
} syslog_to = { .fd = -1 };

static int
severity(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_FATAL: return 2;
	case LOG_LEVEL_ERROR: return 3;
	case LOG_LEVEL_WARN: return 4;
	case LOG_LEVEL_DEBUG: return 7;
	case LOG_LEVEL_NOTICE:
	case LOG_LEVEL_TRACE: break;
	}
	return 5;
}

static int
connect_unix(const char *path, int type)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static int
connect_local(void)
{
	static const char *const paths[] = { "/dev/log", "/var/run/syslog", "/var/run/log" };

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		int fd = connect_unix(paths[i], SOCK_DGRAM);

		if (fd < 0)
			fd = connect_unix(paths[i], SOCK_STREAM);
		if (fd >= 0)
			return fd;
	}
	return -1;
}

static int
connect_network(int type)
{
	struct addrinfo hints = { .ai_socktype = type }, *found, *a;
	int fd = -1;

	if (getaddrinfo(syslog_to.host, syslog_to.port, &hints, &found) != 0) {
		errno = EHOSTUNREACH;
		return -1;
	}
	for (a = found; a != NULL && fd < 0; a = a->ai_next) {
		struct timeval second = { 1, 0 };

		fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
		if (fd < 0)
			continue;
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof(second));
		if (connect(fd, a->ai_addr, a->ai_addrlen) != 0) {
			close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(found);
	return fd;
}

static bool
connect_again(void)
{
	if (syslog_to.fd >= 0)
		close(syslog_to.fd);
	switch (syslog_to.transport) {
	case UNIX_LOCAL: syslog_to.fd = connect_local(); break;
	case UNIX_PATH: syslog_to.fd = connect_unix(syslog_to.path, SOCK_STREAM); break;
	case UDP: syslog_to.fd = connect_network(SOCK_DGRAM); break;
	case TCP: syslog_to.fd = connect_network(SOCK_STREAM); break;
	}
	return syslog_to.fd >= 0;
}

/* "host:port", "[v6]:port". */
static bool
split_address(const char *address)
{
	const char *colon = strrchr(address, ':');
	size_t n;

	if (colon == NULL || colon == address)
		return false;
	n = (size_t)(colon - address);
	if (address[0] == '[' && address[n - 1] == ']') {
		address++;
		n -= 2;
	}
	if (n >= sizeof(syslog_to.host) || strlen(colon + 1) >= sizeof(syslog_to.port))
		return false;
	memcpy(syslog_to.host, address, n);
	syslog_to.host[n] = '\0';
	snprintf(syslog_to.port, sizeof(syslog_to.port), "%s", colon + 1);
	return true;
}

static bool
parse_remote(const char *remote)
{
	if (strncmp(remote, "udp://", 6) == 0 || strncmp(remote, "tcp://", 6) == 0) {
		syslog_to.transport = remote[0] == 'u' ? UDP : TCP;
		return split_address(remote + 6);
	}
	if (strncmp(remote, "unix://", 7) != 0 || strlen(remote + 7) >= sizeof(syslog_to.path))
		return false;
	syslog_to.transport = UNIX_PATH;
	snprintf(syslog_to.path, sizeof(syslog_to.path), "%s", remote + 7);
	return true;
}

bool
logger_syslog_open(const char *remote, const char *tag, char *error, size_t size)
{
	CHECK(tag != NULL);
	logger_syslog_close();
	syslog_to.transport = UNIX_LOCAL;
	if (remote != NULL && remote[0] != '\0' && !parse_remote(remote)) {
		snprintf(error, size, "error invalid network type or address: \"%s\"", remote);
		return false;
	}
	snprintf(syslog_to.tag, sizeof(syslog_to.tag), "%s", tag);
	if (gethostname(syslog_to.hostname, sizeof(syslog_to.hostname)) != 0)
		snprintf(syslog_to.hostname, sizeof(syslog_to.hostname), "localhost");
	syslog_to.hostname[sizeof(syslog_to.hostname) - 1] = '\0';
	if (connect_again())
		return true;
	snprintf(error, size, "error connecting to syslog: \"%s\"", go_error(errno));
	return false;
}

/* Go's local form has time.Stamp and no host, the network form RFC 3339 and the host; facility daemon only for the local syslog. */
static size_t
format(enum log_level level, const char *text, size_t n, char *out, size_t size)
{
	bool local = syslog_to.transport == UNIX_LOCAL || syslog_to.transport == UNIX_PATH;
	int priority = (syslog_to.transport == UNIX_LOCAL ? DAEMON : 0) | severity(level);
	struct logger_clock now = logger_clock(false);
	char stamp[64], zone[8];
	size_t at;

	strftime(stamp, sizeof(stamp), local ? "%b %e %H:%M:%S" : "%Y-%m-%dT%H:%M:%S", &now.calendar);
	if (local)
		at = (size_t)snprintf(out, size, "<%d>%s %s[%d]: ", priority, stamp, syslog_to.tag, (int)getpid());
	else {
		strftime(zone, sizeof(zone), "%z", &now.calendar);
		if (strcmp(zone, "+0000") == 0)
			at = (size_t)snprintf(
			    out, size, "<%d>%sZ %s %s[%d]: ", priority, stamp, syslog_to.hostname, syslog_to.tag, (int)getpid());
		else
			at = (size_t)snprintf(out, size, "<%d>%s%.3s:%s %s %s[%d]: ", priority, stamp, zone, zone + 3,
			    syslog_to.hostname, syslog_to.tag, (int)getpid());
	}
	CHECK(at < size);
	if (n > size - at - 1)
		n = size - at - 1;
	memcpy(out + at, text, n);
	out[at + n] = '\n';
	return at + n + 1;
}

void
logger_syslog_write(enum log_level level, const char *text, size_t n)
{
	static char line[LOGGER_LINE_MAX];
	size_t length = format(level, text, n, line, sizeof(line));

	if (syslog_to.fd >= 0 && send(syslog_to.fd, line, length, MSG_NOSIGNAL) >= 0)
		return;
	if (connect_again())
		(void)send(syslog_to.fd, line, length, MSG_NOSIGNAL);
}

void
logger_syslog_close(void)
{
	if (syslog_to.fd >= 0)
		close(syslog_to.fd);
	syslog_to.fd = -1;
}
