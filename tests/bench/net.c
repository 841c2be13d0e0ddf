/*
 * Connections of the load generator: dial, handshake, choice of the worker.
 * Called by every command. Dies with a message on any failure, since a half-measured row is worth nothing.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

#define HOLD_MAX 256           /* connections to wrong workers held while asking for the right one */
#define DIALS_PER_ADDRESS 4096 /* then the next source address, so that ports in TIME_WAIT never run out */

static struct {
	struct sockaddr_in server;
	unsigned workers;
	uint32_t source;
	unsigned dials;
} net;

static const char hello[] =
    "CONNECT {\"verbose\":false,\"pedantic\":false,\"tls_required\":false,\"name\":\"natsd-bench\",\"lang\":\"c\","
    "\"version\":\"1\",\"protocol\":1,\"echo\":true,\"headers\":true,\"no_responders\":true}\r\nPING\r\n";

/* CONNECT and PING, as a client sends them after INFO. */
const char *
net_hello(void)
{
	return hello;
}

void
net_setup(const struct bench_args *args)
{
	net.server.sin_family = AF_INET;
	net.server.sin_port = htons(args->port);
	net.server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	net.workers = args->workers;
	net.source = 0x7f010001U + ((uint32_t)getpid() % 200U) * 256U;
}

static void
net_bind_source(int fd)
{
	struct sockaddr_in source = { .sin_family = AF_INET };
	int on = 1;

	if (net.dials++ == DIALS_PER_ADDRESS) {
		net.dials = 0;
		net.source++;
	}
	source.sin_addr.s_addr = htonl(net.source);
	if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on)) == -1 ||
	    bind(fd, (struct sockaddr *)&source, sizeof(source)) == -1)
		err(1, "bind");
}

/* A connected socket; with nonblocking set, one whose connection is under way. -1 only when the server refuses. */
int
net_dial(bool nonblocking)
{
	int fd, on = 1;

	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | (nonblocking ? SOCK_NONBLOCK : 0), 0);
	if (fd == -1)
		err(1, "socket");
	net_bind_source(fd);
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == -1)
		err(1, "setsockopt");
	if (connect(fd, (struct sockaddr *)&net.server, sizeof(net.server)) == -1 && errno != EINPROGRESS) {
		if (errno != ECONNREFUSED)
			err(1, "connect");
		close(fd);
		return -1;
	}
	return fd;
}

bool
net_readable(int fd, int timeout_ms)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return poll(&pfd, 1, timeout_ms) == 1;
}

void
net_send_all(int fd, const void *data, size_t len)
{
	const char *at = data;
	ssize_t n;

	while (len > 0) {
		n = send(fd, at, len, MSG_NOSIGNAL);
		if (n <= 0)
			err(1, "send");
		at += n;
		len -= (size_t)n;
	}
}

/* One protocol line without its CR LF, byte by byte out of a peek: only for the few lines of a handshake. */
static size_t
net_read_line(int fd, char *line, size_t room)
{
	ssize_t n;
	char *end;
	size_t len;

	for (size_t seen = 0;;) {
		if (!net_readable(fd, BENCH_TIMEOUT_MS))
			errx(1, "no answer within %d ms", BENCH_TIMEOUT_MS);
		n = recv(fd, line, room, MSG_PEEK);
		if (n <= 0)
			errx(1, "connection closed by the server");
		end = memchr(line, '\n', (size_t)n);
		if (end != NULL)
			break;
		if ((size_t)n == room)
			errx(1, "line of more than %zu bytes", room);
		if ((size_t)n == seen)
			usleep(100);
		seen = (size_t)n;
	}
	len = (size_t)(end - line) + 1;
	if (recv(fd, line, len, 0) != (ssize_t)len)
		errx(1, "line lost");
	len -= len >= 2 && end[-1] == '\r' ? 2 : 1;
	line[len] = '\0';
	return len;
}

/* PING, then everything up to PONG. Messages still under way are an error: nothing may come that was not counted. */
void
net_sync(const struct conn *conn)
{
	char line[4096];

	net_send_all(conn->fd, "PING\r\n", 6);
	for (;;) {
		net_read_line(conn->fd, line, sizeof(line));
		if (strcmp(line, "PONG") == 0)
			return;
		if (strcmp(line, "PING") == 0)
			net_send_all(conn->fd, "PONG\r\n", 6);
		else if (strncmp(line, "INFO ", 5) != 0)
			errx(1, "PONG expected, got: %.80s", line);
	}
}

static uint64_t
net_client_id(const char *info)
{
	static const char key[] = "\"client_id\":";
	const char *at = strstr(info, key);

	return at == NULL ? 0 : strtoull(at + sizeof(key) - 1, NULL, 10);
}

/* An open connection. The second PONG proves that an INFO sent after the first one is out of the way. */
void
net_open(struct conn *conn)
{
	char line[4096];

	conn->fd = net_dial(false);
	if (conn->fd == -1)
		errx(1, "connection refused");
	net_read_line(conn->fd, line, sizeof(line));
	if (strncmp(line, "INFO ", 5) != 0)
		errx(1, "INFO expected, got: %.80s", line);
	conn->client_id = net_client_id(line);
	net_send_all(conn->fd, hello, sizeof(hello) - 1 - 6);
	net_sync(conn);
	net_sync(conn);
}

/*
 * An open connection in that worker (modulo the number of workers): natsd's client ids of worker i are congruent to
 * i + 1 modulo the number of workers. Connections that came to another one are held until done, so that the choice
 * of the least loaded worker moves on.
 */
void
net_open_on(struct conn *conn, unsigned worker)
{
	struct conn held[HOLD_MAX];
	unsigned n = 0;

	for (;;) {
		net_open(conn);
		if (net.workers == 1 || conn->client_id % net.workers == (worker + 1) % net.workers)
			break;
		if (n == HOLD_MAX)
			errx(1, "no connection to worker %u of %u after %u tries", worker % net.workers, net.workers, n);
		held[n++] = *conn;
	}
	while (n > 0)
		net_close(&held[--n]);
}

void
net_close(struct conn *conn)
{
	close(conn->fd);
	conn->fd = -1;
}
