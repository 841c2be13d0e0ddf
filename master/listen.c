/*
 * listen.c: binds the listening sockets (or takes them from the service manager) before any child starts.  Never accepts.
 */
#include "server.h"

#include <sys/socket.h>

#include <netinet/tcp.h>

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "base/text.h"
#include "ipc/snapshot_fill.h"
#include "logger.h"

#define BACKLOG 4096 /* as Go: the system's limit is lower or the same */
#define INHERITED_FIRST 3
#define PORT_PATIENCE (100 * LOOP_MILLISECOND)
#define PORT_PAUSE 2 /* ms */

static int
bind_address(const struct sockaddr *address, socklen_t length)
{
	int one = 1, zero = 0, saved;
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	/* What is accepted inherits TCP_NODELAY: a worker writes once a turn, and must not wait for acknowledgements in between. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0 &&
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == 0 &&
	    (address->sa_family != AF_INET6 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero)) == 0) &&
	    bind(fd, address, length) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

/* All addresses: one socket for both families where the system has both, as Go does it. */
static int
bind_any(uint16_t port)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_ANY_INIT };
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_ANY) };
	int fd = bind_address((struct sockaddr *)&six, sizeof(six));

	if (fd < 0 && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL))
		fd = bind_address((struct sockaddr *)&four, sizeof(four));
	return fd;
}

/* -1 and the reason in Go's words. */
static int
bind_once(const char *host, uint16_t port, char *error, size_t size)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV }, *found = NULL, *best;
	char service[8], address[300];
	int fd, result;

	join_host_port(host, port, address, sizeof(address));
	if (host[0] == '\0' || strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0)
		fd = bind_any(port);
	else {
		snprintf(service, sizeof(service), "%u", port);
		hints.ai_flags |= AI_NUMERICHOST; /* names only where it is one: looking them up loads libraries */
		result = getaddrinfo(host, service, &hints, &found);
		hints.ai_flags &= ~AI_NUMERICHOST;
		if (result == EAI_NONAME)
			result = getaddrinfo(host, service, &hints, &found);
		if (result != 0) {
			snprintf(error, size, "listen tcp: lookup %s: %s", host,
			    result == EAI_NONAME ? "no such host" : gai_strerror(result));
			return -1;
		}
		best = found;
		for (struct addrinfo *a = found; a != NULL; a = a->ai_next)
			if (a->ai_family == AF_INET) {
				best = a;
				break;
			}
		fd = bind_address(best->ai_addr, best->ai_addrlen);
		freeaddrinfo(found);
	}
	if (fd < 0) {
		int saved = errno;

		snprintf(error, size, "listen tcp %s: bind: %s", address, go_error(errno));
		errno = saved;
	}
	return fd;
}

/*
 * A server that was killed a moment ago may still hold the port through children that are about to notice: launchers that start
 * another at once must not meet that.
 */
static int
bind_host(const char *host, uint16_t port, char *error, size_t size)
{
	int64_t end = clock_monotonic() + PORT_PATIENCE;
	int fd;

	for (;;) {
		errno = 0;
		fd = bind_once(host, port, error, size);
		if (fd >= 0 || errno != EADDRINUSE || clock_monotonic() > end)
			return fd;
		(void)poll(NULL, 0, PORT_PAUSE);
	}
}

static uint16_t
port_of(int fd)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);

	if (getsockname(fd, (struct sockaddr *)&address, &length) != 0)
		return 0;
	if (address.ss_family == AF_INET6)
		return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
	return address.ss_family == AF_INET ? ntohs(((struct sockaddr_in *)&address)->sin_port) : 0;
}

static void
add(struct server *server, enum listener_kind kind, int fd, const char *host, bool inherited)
{
	struct listener *listener = &server->listeners[server->listener_count];

	CHECK(server->listener_count < SERVER_LISTENERS_MAX);
	CHECK(fd >= 0);
	listener->kind = kind;
	listener->fd = fd;
	listener->inherited = inherited;
	listener->port = port_of(fd);
	snprintf(listener->host, sizeof(listener->host), "%s", host);
	server->listener_count++;
}

static bool
inherit_one(struct server *server, int fd, const char *name, size_t length, char *error, size_t size)
{
	int accepting = 0, flags = fcntl(fd, F_GETFL);
	socklen_t option = sizeof(accepting);

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepting, &option) != 0 || !accepting || flags < 0 ||
	    fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
		snprintf(error, size, "LISTEN_FDS: descriptor %d is no listening socket", fd);
		return false;
	}
	if (server->listener_count == SERVER_LISTENERS_MAX) {
		snprintf(error, size, "LISTEN_FDS: too many sockets");
		return false;
	}
	if (length == 0 || (length == 6 && strncmp(name, "client", 6) == 0))
		add(server, LISTENER_CLIENT, fd, server->options->client.host, true);
	else if (length == 7 && strncmp(name, "monitor", 7) == 0)
		add(server, LISTENER_MONITOR, fd, server->options->http.host, true);
	else {
		snprintf(error, size, "LISTEN_FDNAMES: \"%.*s\" is neither client nor monitor", (int)length, name);
		return false;
	}
	return true;
}

/* Sockets that systemd opened for us (sd_listen_fds(3)). A lone socket may have any of systemd's default names. */
static bool
inherit(struct server *server, char *error, size_t size)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS"), *names = getenv("LISTEN_FDNAMES");
	uint64_t n = 0, owner = 0;

	if (pid == NULL || count == NULL || !text_parse_u64(pid, strlen(pid), &owner) || owner != (uint64_t)getpid())
		return true;
	if (!text_parse_u64(count, strlen(count), &n) || n > SERVER_LISTENERS_MAX) {
		snprintf(error, size, "LISTEN_FDS: %s is not a number of sockets we can use", count);
		return false;
	}
	if (names == NULL || (n == 1 && strcmp(names, "client") != 0 && strcmp(names, "monitor") != 0))
		names = "";
	for (uint64_t i = 0; i < n; i++) {
		size_t length = strcspn(names, ":");

		if (!inherit_one(server, INHERITED_FIRST + (int)i, names, length, error, size))
			return false;
		names += length + (names[length] == ':');
	}
	return true;
}

const struct listener *
listen_find(const struct server *server, enum listener_kind kind)
{
	for (unsigned i = 0; i < server->listener_count; i++)
		if (server->listeners[i].kind == kind)
			return &server->listeners[i];
	return NULL;
}

static bool
open_monitor(struct server *server, char *error, size_t size)
{
	const struct options_address *http = &server->options->http;
	const char *host = http->host != NULL ? http->host : server->options->client.host;
	char address[300], reason[512];
	const struct listener *listener = listen_find(server, LISTENER_MONITOR);

	if (listener == NULL && http->port != 0) {
		int fd = bind_host(host, (uint16_t)(http->port < 0 ? 0 : http->port), reason, sizeof(reason));

		if (fd < 0) {
			snprintf(error, size, "Can't start monitoring: can't listen to the monitor port: %s", reason);
			return false;
		}
		add(server, LISTENER_MONITOR, fd, host, false);
		listener = listen_find(server, LISTENER_MONITOR);
	}
	if (listener != NULL)
		log_notice("Starting http monitor on %s", join_host_port(listener->host, listener->port, address, sizeof(address)));
	return true;
}

static bool
open_clients(struct server *server, char *error, size_t size)
{
	struct options_address *client = &server->options->client;
	char address[300], reason[512];
	const struct listener *listener = listen_find(server, LISTENER_CLIENT);

	if (listener == NULL) {
		int fd = bind_host(client->host, (uint16_t)(client->port < 0 ? 0 : client->port), reason, sizeof(reason));

		if (fd < 0) {
			snprintf(error, size, "Error listening on port: %s, \"%s\"",
			    join_host_port(client->host, (unsigned)(client->port < 0 ? 0 : client->port), address, sizeof(address)),
			    reason);
			return false;
		}
		add(server, LISTENER_CLIENT, fd, client->host, false);
		listener = listen_find(server, LISTENER_CLIENT);
	}
	client->port = listener->port;
	log_notice(
	    "Listening for client connections on %s", join_host_port(listener->host, listener->port, address, sizeof(address)));
	return true;
}

bool
listen_open(struct server *server, char *error, size_t size)
{
	return inherit(server, error, size) && open_monitor(server, error, size) && open_clients(server, error, size);
}

void
listen_close(struct server *server, bool all)
{
	for (unsigned i = 0; i < server->listener_count; i++) {
		struct listener *listener = &server->listeners[i];

		if (listener->fd < 0 || (!all && listener->kind == LISTENER_MONITOR))
			continue;
		close(listener->fd);
		listener->fd = -1;
	}
}
