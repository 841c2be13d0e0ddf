/*
 * The HTTP listener of the watch worker: its connections, from bytes to pages and back. It belongs to nobody's message path: a
 * connection gets one request served per turn, has one buffer, and is never waited for. How long what may last is nats-server's
 * (server.go startMonitoring: 5 s for a head, then no limit while nothing is asked), with limits of our own for what it leaves
 * open.
 */
#include "monitor.h"

#include <sys/socket.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

enum {
	MONITOR_BUFFER_FIRST = 4096,
	MONITOR_BUFFERED_MAX = 4 << 20, /* all unfinished heads together: one of the largest size, or many of the usual one */
	MONITOR_BODY_SKIP = 262144,     /* a longer body is not skipped, the connection is closed (Go's maxPostHandlerReadBytes) */
	MONITOR_ACCEPT_BURST = 16,
	MONITOR_HEAD_SIZE = MONITOR_TEXT_SIZE + 1024
};

#define MONITOR_HEAD_PATIENCE (5 * LOOP_SECOND)          /* server.go ReadHeaderTimeout */
#define MONITOR_WRITE_PATIENCE (30 * LOOP_SECOND)        /* nothing of an answer was taken for so long */
#define MONITOR_LINGER_PATIENCE (500 * LOOP_MILLISECOND) /* net/http rstAvoidanceDelay */
#define MONITOR_REST LOOP_SECOND

enum monitor_state {
	MONITOR_READING,  /* the next request comes in; idle while nothing of it is there */
	MONITOR_NEXT,     /* more is buffered, served next turn */
	MONITOR_WRITING,  /* the socket does not take all of the answer now */
	MONITOR_LINGERING /* all is said, the peer has a moment to read it */
};

struct monitor_connection {
	uint32_t magic;
	enum monitor_state state;
	struct monitor *monitor;
	TAILQ_ENTRY(monitor_connection) link;
	struct loop_io io;
	struct loop_timer timer; /* what it waits for now */
	struct http_parser parser;
	struct blob *input; /* NULL: nothing of a request is there */
	size_t input_length;
	uint64_t skip; /* bytes of a body that nobody wants */
	struct output output;
	bool close; /* after this answer */
};

static void monitor_serve(struct monitor_connection *);

static void
monitor_listen(struct monitor *monitor, bool listen)
{
	unsigned i;

	CHECK_OBJ(monitor, MONITOR_MAGIC);
	if (monitor->listening == listen)
		return;
	monitor->listening = listen;
	for (i = 0; i < monitor->listener_count; i++)
		loop_io_set(monitor->worker->loop, &monitor->listeners[i], listen ? LOOP_READ : 0);
}

/* ---- the end of a connection ---- */

static void
monitor_drop_input(struct monitor_connection *connection)
{
	if (connection->input == NULL)
		return;
	CHECK(connection->monitor->buffered >= connection->input->capacity);
	connection->monitor->buffered -= connection->input->capacity;
	blob_release(connection->input);
	connection->input = NULL;
	connection->input_length = 0;
}

static void
monitor_close(struct monitor_connection *connection)
{
	struct monitor *monitor = connection->monitor;

	CHECK_OBJ(connection, MONITOR_CONNECTION_MAGIC);
	loop_timer_stop(monitor->worker->loop, &connection->timer);
	loop_io_remove(monitor->worker->loop, &connection->io);
	(void)close(connection->io.fd);
	monitor_drop_input(connection);
	output_clear(&connection->output);
	TAILQ_REMOVE(&monitor->connections, connection, link);
	CHECK(monitor->connection_count > 0);
	monitor->connection_count--;
	connection->magic = 0;
	memory_free(connection);
	if (!loop_timer_is_set(&monitor->rest_timer))
		monitor_listen(monitor, true);
}

static void
monitor_late(struct loop_timer *timer)
{
	monitor_close(timer->arg);
}

static void
monitor_next_turn(struct loop_timer *timer)
{
	struct monitor_connection *connection = timer->arg;

	CHECK_OBJ(connection, MONITOR_CONNECTION_MAGIC);
	CHECK(connection->state == MONITOR_NEXT);
	connection->state = MONITOR_READING;
	monitor_serve(connection);
}

/* False: no memory for a timer, and the connection is gone. */
static bool
monitor_wait(struct monitor_connection *connection, void (*fire)(struct loop_timer *), int64_t patience)
{
	struct loop *loop = connection->monitor->worker->loop;

	connection->timer.fire = fire;
	connection->timer.arg = connection;
	if (loop_timer_set(loop, &connection->timer, loop_now(loop) + patience))
		return true;
	monitor_close(connection);
	return false;
}

static void
monitor_watch(struct monitor_connection *connection, enum monitor_state state)
{
	static const uint32_t events[] = {
		[MONITOR_READING] = LOOP_READ,
		[MONITOR_NEXT] = 0,
		[MONITOR_WRITING] = LOOP_WRITE,
		[MONITOR_LINGERING] = LOOP_READ,
	};

	connection->state = state;
	loop_io_set(connection->monitor->worker->loop, &connection->io, events[state]);
}

/* ---- answers out ---- */

/* False: not all is out, or this was the last answer; the connection may be gone. */
static bool
monitor_flush(struct monitor_connection *connection)
{
	size_t written;

	CHECK_OBJ(connection, MONITOR_CONNECTION_MAGIC);
	CHECK(connection->state != MONITOR_LINGERING);
	switch (output_write(&connection->output, connection->io.fd, &written)) {
	case OUTPUT_DONE: break;
	case OUTPUT_BLOCKED:
		if ((written == 0 && connection->state == MONITOR_WRITING) ||
		    monitor_wait(connection, monitor_late, MONITOR_WRITE_PATIENCE))
			monitor_watch(connection, MONITOR_WRITING);
		return false;
	case OUTPUT_FAILED: monitor_close(connection); return false;
	}
	if (!connection->close) {
		loop_timer_stop(connection->monitor->worker->loop, &connection->timer);
		monitor_watch(connection, MONITOR_READING);
		return true;
	}
	(void)shutdown(connection->io.fd, SHUT_WR);
	monitor_drop_input(connection);
	if (monitor_wait(connection, monitor_late, MONITOR_LINGER_PATIENCE))
		monitor_watch(connection, MONITOR_LINGERING);
	return false;
}

static bool
monitor_put_answer(struct monitor_connection *connection, const struct http_request *request, const struct monitor_answer *answer)
{
	bool json = json_written(&answer->json) > 0;
	const char *body = json ? answer->json.start : answer->text;
	size_t length = json ? json_written(&answer->json) : answer->text_length, n;
	struct http_head head = {
		.status = answer->status,
		.version_1_0 = request->version_1_0,
		.keep_alive = !connection->close,
		.content_type = answer->type,
		.extra = answer->extra,
		.date = clock_wall(),
		.content_length = length,
	};
	char lines[MONITOR_HEAD_SIZE];

	n = http_head_write(&head, lines, sizeof(lines));
	CHECK(n > 0);
	return output_copy(&connection->output, lines, n) && (request->is_head || output_copy(&connection->output, body, length));
}

/* False: out of memory, the connection is gone. */
static bool
monitor_answer(struct monitor_connection *connection, const struct http_request *request)
{
	struct monitor_answer answer;
	bool put;

	if (request->content_length > MONITOR_BODY_SKIP)
		connection->close = true;
	else
		connection->skip = request->content_length;
	monitor_answer_request(connection->monitor, request, &answer);
	if (!request->keep_alive || answer.close)
		connection->close = true;
	put = !answer.json.failed && monitor_put_answer(connection, request, &answer);
	json_writer_free(&answer.json);
	if (!put)
		monitor_close(connection);
	return put;
}

static void
monitor_refuse(struct monitor_connection *connection, uint16_t status, const char *detail)
{
	char lines[512];
	size_t n = http_error_write(status, detail, lines, sizeof(lines));

	CHECK(n > 0);
	connection->close = true;
	if (!output_copy(&connection->output, lines, n))
		monitor_close(connection);
	else
		(void)monitor_flush(connection);
}

/* ---- requests in ---- */

/* Takes n bytes off the front of the input. */
static void
monitor_consume(struct monitor_connection *connection, size_t n)
{
	CHECK(n <= connection->input_length);
	connection->input_length -= n;
	connection->parser.scanned = 0;
	if (connection->input_length == 0)
		monitor_drop_input(connection);
	else
		memmove(connection->input->data, connection->input->data + n, connection->input_length);
}

/* Room for more of a head; false: it is too long, or others hold too much. */
static bool
monitor_grow(struct monitor_connection *connection)
{
	struct monitor *monitor = connection->monitor;
	size_t size = connection->input == NULL ? MONITOR_BUFFER_FIRST : connection->input->capacity * (size_t)2;
	struct blob *blob;

	if (size > HTTP_HEAD_MAX * (size_t)2 || monitor->buffered + size > MONITOR_BUFFERED_MAX ||
	    (blob = blob_create(size)) == NULL)
		return false;
	if (connection->input != NULL) {
		memcpy(blob->data, connection->input->data, connection->input_length);
		monitor->buffered -= connection->input->capacity;
		blob_release(connection->input);
	}
	connection->input = blob;
	monitor->buffered += blob->capacity;
	CHECK(connection->input_length < blob->capacity);
	return true;
}

/* A head is there, or some of it. */
static void
monitor_parse(struct monitor_connection *connection)
{
	struct http_request request;

	CHECK(connection->input != NULL && connection->input_length <= connection->input->capacity);
	CHECK(connection->output.pending == 0 && !connection->close);
	switch (http_parse(&connection->parser, connection->input->data, connection->input_length, &request)) {
	case HTTP_MORE:
		if (connection->input_length == connection->input->capacity && !monitor_grow(connection))
			monitor_refuse(connection, 431, NULL);
		else if (!loop_timer_is_set(&connection->timer))
			(void)monitor_wait(connection, monitor_late, MONITOR_HEAD_PATIENCE);
		return;
	case HTTP_BAD: monitor_refuse(connection, request.status, request.detail); return;
	case HTTP_REQUEST: break;
	}
	CHECK(request.consumed > 0);
	if (!monitor_answer(connection, &request))
		return;
	monitor_consume(connection, request.consumed);
	if (!monitor_flush(connection))
		return;
	TAILQ_REMOVE(&connection->monitor->connections, connection, link);
	TAILQ_INSERT_TAIL(&connection->monitor->connections, connection, link);
	if (connection->input_length > 0 && monitor_wait(connection, monitor_next_turn, 0))
		monitor_watch(connection, MONITOR_NEXT);
}

/* Looks at what is buffered: what is left of a body first. */
static void
monitor_serve(struct monitor_connection *connection)
{
	size_t n;

	CHECK(connection->state == MONITOR_READING);
	if (connection->skip > 0) {
		n = connection->skip < connection->input_length ? (size_t)connection->skip : connection->input_length;
		connection->skip -= n;
		monitor_consume(connection, n);
	}
	if (connection->input_length > 0)
		monitor_parse(connection);
	else
		monitor_watch(connection, MONITOR_READING);
}

static void
monitor_read(struct monitor_connection *connection)
{
	ssize_t n;

	if (connection->input == NULL && !monitor_grow(connection)) {
		monitor_close(connection);
		return;
	}
	n = recv(connection->io.fd, connection->input->data + connection->input_length,
	    connection->input->capacity - connection->input_length, MSG_DONTWAIT);
	if (n > 0) {
		connection->input_length += (size_t)n;
		monitor_serve(connection);
		return;
	}
	if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
		monitor_close(connection);
		return;
	}
	if (connection->input_length == 0)
		monitor_drop_input(connection);
}

/* What still comes is thrown away, so that the kernel sends no reset before the answer is read. */
static void
monitor_linger(struct monitor_connection *connection)
{
	ssize_t n = recv(connection->io.fd, connection->monitor->worker->read_buffer, WORKER_READ_SIZE, MSG_DONTWAIT);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
		monitor_close(connection);
}

static void
monitor_ready(struct loop_io *io, uint32_t events)
{
	struct monitor_connection *connection = io->arg;

	CHECK_OBJ(connection, MONITOR_CONNECTION_MAGIC);
	worker_awake(connection->monitor->worker);
	if (connection->state == MONITOR_LINGERING && (events & LOOP_READ))
		monitor_linger(connection);
	else if (connection->state == MONITOR_READING && (events & LOOP_READ))
		monitor_read(connection);
	else if (connection->state == MONITOR_WRITING && (events & LOOP_WRITE)) {
		if (monitor_flush(connection))
			monitor_serve(connection);
	} else if (events & LOOP_HANGUP)
		monitor_close(connection);
}

/* ---- accepting ---- */

/* The connection that has waited for its next request the longest: it makes room for a new one. NULL: all are busy. */
static struct monitor_connection *
monitor_idle(const struct monitor *monitor)
{
	struct monitor_connection *connection;

	TAILQ_FOREACH(connection, &monitor->connections, link)
		if (connection->state == MONITOR_READING && connection->input == NULL && !loop_timer_is_set(&connection->timer))
			return connection;
	return NULL;
}

static bool
monitor_connect(struct monitor *monitor, int fd)
{
	struct monitor_connection *connection = memory_zalloc(sizeof(*connection));

	if (connection == NULL)
		return false;
	connection->magic = MONITOR_CONNECTION_MAGIC;
	connection->monitor = monitor;
	connection->io.fd = fd;
	connection->io.ready = monitor_ready;
	connection->io.arg = connection;
	if (loop_io_add(monitor->worker->loop, &connection->io, LOOP_READ) == -1) {
		memory_free(connection);
		return false;
	}
	TAILQ_INSERT_TAIL(&monitor->connections, connection, link);
	monitor->connection_count++;
	(void)monitor_wait(connection, monitor_late, MONITOR_HEAD_PATIENCE);
	return true;
}

static void
monitor_rested(struct loop_timer *timer)
{
	monitor_listen(timer->arg, true);
}

static void
monitor_accept(struct loop_io *io, uint32_t events)
{
	struct monitor *monitor = io->arg;
	struct loop *loop = monitor->worker->loop;
	struct monitor_connection *idle;
	int fd, burst;
	bool full;

	(void)events;
	CHECK_OBJ(monitor, MONITOR_MAGIC);
	worker_awake(monitor->worker);
	for (burst = 0; burst < MONITOR_ACCEPT_BURST; burst++) {
		full = monitor->connection_count == MONITOR_CONNECTIONS_MAX;
		idle = full ? monitor_idle(monitor) : NULL;
		if (full && idle == NULL) {
			monitor_listen(monitor, false);
			return;
		}
		fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd == -1) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
				monitor_listen(monitor, !loop_timer_set(loop, &monitor->rest_timer, loop_now(loop) + MONITOR_REST));
				log_error("monitoring: accept: %s", strerror(errno));
			}
			return;
		}
		if (full)
			monitor_close(idle);
		if (!monitor_connect(monitor, fd))
			(void)close(fd);
	}
}

void
monitor_start(struct worker *worker)
{
	struct monitor *monitor;
	struct role *role = worker->role;
	unsigned i;

	if (role->index != 0)
		return;
	for (i = 0; i < role->listener_count && role->listeners[i].kind != LISTENER_MONITOR; i++)
		continue;
	if (i == role->listener_count)
		return;
	monitor = memory_zalloc(sizeof(*monitor));
	CHECK(monitor != NULL);
	monitor->magic = MONITOR_MAGIC;
	monitor->worker = worker;
	TAILQ_INIT(&monitor->connections);
	monitor->rest_timer.fire = monitor_rested;
	monitor->rest_timer.arg = monitor;
	for (; i < role->listener_count; i++) {
		struct loop_io *io = &monitor->listeners[monitor->listener_count];

		if (role->listeners[i].kind != LISTENER_MONITOR)
			continue;
		io->fd = role->listeners[i].fd;
		io->ready = monitor_accept;
		io->arg = monitor;
		CHECK(loop_io_add(worker->loop, io, LOOP_READ) == 0);
		monitor->listener_count++;
	}
	monitor->listening = true;
	monitor_usage_start(monitor);
	worker->monitor = monitor;
}
