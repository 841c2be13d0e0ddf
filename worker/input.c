/*
 * Bytes of a connection to commands. One read buffer serves all connections; only the broken-off end of a read is kept with its
 * connection, and a large payload is read straight into the blob that its receivers will reference.
 * After each read the mesh is drained before anything read is obeyed (ARCHITECTURE 2, rule 3).
 */
#include "worker.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "ipc/panic.h"

static void
input_pong(struct client *client, const struct nats_command *command)
{
	(void)command;
	if (client->trace && log_level_trace)
		client_trace(client, "<<-", "PONG", NULL, 0);
	health_pong(client);
}

static void
input_ping(struct client *client, const struct nats_command *command)
{
	(void)command;
	session_ping(client);
}

static void
input_ok(struct client *client, const struct nats_command *command)
{
	(void)client;
	(void)command;
}

static void
input_err(struct client *client, const struct nats_command *command)
{
	client_log(LOG_LEVEL_ERROR, client, "Client Error %.*s", (int)command->argument_length, command->argument);
	client_close(client, CLOSED_PARSE_ERROR);
}

static void
input_info(struct client *client, const struct nats_command *command)
{
	struct arena *arena = arena_create(1 << 20);

	if (arena == NULL || !nats_info_valid(arena, command->argument, command->argument_length))
		client_close(client, CLOSED_PROTOCOL_VIOLATION);
	arena_free(arena);
}

typedef void input_handler(struct client *, const struct nats_command *);

static input_handler *const input_handlers[] = {
	[NATS_NONE] = NULL,
	[NATS_CONNECT] = session_connect,
	[NATS_PUB] = publish_command,
	[NATS_HPUB] = publish_command,
	[NATS_SUB] = subscribe_sub,
	[NATS_UNSUB] = subscribe_unsub,
	[NATS_PING] = input_ping,
	[NATS_PONG] = input_pong,
	[NATS_OK] = input_ok,
	[NATS_ERR] = input_err,
	[NATS_INFO] = input_info,
};

/* A line that is refused for its arguments is traced all the same. */
static void
input_trace_refused(const struct client *client, const struct nats_error *error)
{
	static const char *const verbs[][2] = { { "processPub ", "PUB" }, { "processHeaderPub ", "HPUB" }, { "processSub ", "SUB" },
		{ "processUnsub ", "UNSUB" } };
	size_t i;

	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strncmp(error->problem, verbs[i][0], strlen(verbs[i][0])) == 0)
			client_trace(client, "<<-", verbs[i][1], error->argument, error->argument_length);
}

static void
input_log_problem(struct client *client, const struct nats_limits *limits, const uint8_t *data, size_t size)
{
	char quoted[NATS_CONTROL_LINE_SNIPPET_SIZE * 10 + 16];
	struct nats_error error;

	nats_explain(limits, data, size, &error);
	if (error.argument == NULL) {
		client_log(LOG_LEVEL_ERROR, client, "%s", error.problem);
		return;
	}
	if (client->trace && log_level_trace)
		input_trace_refused(client, &error);
	(void)text_quote(quoted, sizeof(quoted), error.argument,
	    error.argument_length < NATS_CONTROL_LINE_SNIPPET_SIZE ? error.argument_length : NATS_CONTROL_LINE_SNIPPET_SIZE);
	client_log(LOG_LEVEL_ERROR, client, "%s: %s", error.problem, quoted);
}

/* The PUB or HPUB line at the start of data. */
static void
input_trace_line(const struct client *client, const uint8_t *data, size_t size)
{
	bool headers = (data[0] | 0x20) == 'h';
	size_t from = headers ? 4 : 3, to;

	while (from < size && (data[from] == ' ' || data[from] == '\t'))
		from++;
	for (to = from; to < size && data[to] != '\r' && data[to] != '\n'; to++)
		continue;
	client_trace(client, "<<-", headers ? "HPUB" : "PUB", (const char *)data + from, to - from);
}

static void
input_unknown(struct client *client, const struct nats_limits *limits, const uint8_t *data, size_t size)
{
	char quoted[NATS_SNIPPET_SIZE * 10 + 16];
	const uint8_t *text;
	struct nats_error error;
	size_t n;

	nats_explain(limits, data, size, &error);
	nats_snippet(data, size, error.at, NATS_SNIPPET_SIZE, &text, &n);
	(void)text_quote(quoted, sizeof(quoted), text, n);
	client_error(client, "Unknown Protocol Operation");
	client_log(LOG_LEVEL_ERROR, client, "Client parser ERROR, state=%u, i=%u: proto='%s...'", error.state, error.at, quoted);
	client_close(client, CLOSED_PROTOCOL_VIOLATION);
}

static void
input_refuse(struct client *client, enum nats_result result, const struct nats_limits *limits, const uint8_t *data, size_t size)
{
	struct nats_error error;

	switch (result) {
	case NATS_UNKNOWN_OPERATION: input_unknown(client, limits, data, size); break;
	case NATS_CONTROL_LINE:
		client_error(client, "maximum control line exceeded");
		client_close(client, CLOSED_MAX_CONTROL_LINE_EXCEEDED);
		client_log(LOG_LEVEL_ERROR, client, "maximum control line exceeded");
		break;
	case NATS_PAYLOAD_SIZE:
		if (client->trace && log_level_trace)
			input_trace_line(client, data, size);
		nats_explain(limits, data, size, &error);
		client_log(LOG_LEVEL_ERROR, client, "maximum payload exceeded: %u vs %d", error.size, limits->max_payload);
		client_error(client, "Maximum Payload Violation");
		client_close(client, CLOSED_MAX_PAYLOAD_EXCEEDED);
		break;
	case NATS_AUTHORIZATION: session_violation(client, CLOSED_AUTHENTICATION_VIOLATION); break;
	case NATS_BAD_ARGUMENTS:
		input_log_problem(client, limits, data, size);
		client_close(client, CLOSED_PROTOCOL_VIOLATION);
		break;
	case NATS_COMMAND:
	case NATS_MORE: CHECK(false);
	}
}

static void
input_limits(const struct client *client, struct nats_limits *limits)
{
	const struct worker_config *config = client->worker->config;

	limits->max_control_line = (uint32_t)config->max_control_line;
	limits->max_payload = (int32_t)config->max_payload;
	limits->headers = client->headers;
	limits->authorization_pending = client->state == CLIENT_UNAUTHENTICATED;
}

/* Keeps what is left of a read with its connection; room for the whole command where its size is known. */
static void
input_keep(struct client *client, const uint8_t *data, size_t size)
{
	size_t want = size;
	struct blob *blob;

	if (size == 0) {
		blob_release(client->tail);
		client->tail = NULL;
		client->tail_length = 0;
		return;
	}
	if (client->parser.need > want)
		want = client->parser.need;
	if (client->tail != NULL && client->tail->references == 1 && client->tail->capacity >= want) {
		memmove(client->tail->data, data, size);
		client->tail_length = (uint32_t)size;
		return;
	}
	if ((blob = blob_create(want)) == NULL) {
		client_close(client, CLOSED_READ_ERROR);
		return;
	}
	memcpy(blob->data, data, size);
	blob_release(client->tail);
	client->tail = blob;
	client->tail_length = (uint32_t)size;
}

/* Obeys commands in data; returns how many bytes are done with. */
static size_t
input_obey(struct client *client, const uint8_t *data, size_t size)
{
	struct worker *worker = client->worker;
	struct nats_command command;
	struct nats_limits limits;
	enum nats_result result;
	size_t at = 0;

	if (__builtin_expect(client->state == CLIENT_UNAUTHENTICATED && size > 0 && (data[0] | 0x20) != 'c', 0))
		(void)session_without_connect(client);
	input_limits(client, &limits);
	while (at < size && client->state != CLIENT_CLOSING) {
		result = nats_parse(&client->parser, &limits, data + at, size - at, &command);
		if (result == NATS_MORE)
			break;
		if (result != NATS_COMMAND) {
			input_refuse(client, result, &limits, data + at, size - at);
			break;
		}
		at += command.consumed;
		input_handlers[command.verb](client, &command);
		if (__builtin_expect(client->state != CLIENT_ACTIVE, 0)) {
			if (client->state == CLIENT_CLOSING || client->state == CLIENT_ASKED)
				break;
		}
		if (command.verb == NATS_CONNECT)
			input_limits(client, &limits);
		if (command.verb != NATS_PONG)
			client->last_input = loop_now(worker->loop);
		if (__builtin_expect(worker->turn_output > WORKER_TURN_OUTPUT || mesh_due(worker->mesh), 0))
			worker_commit(worker);
	}
	return at;
}

/* Obeys what is in the tail, e.g. a large message that is complete now. */
static void
input_tail(struct client *client)
{
	struct blob *blob = client->tail;
	size_t size = client->tail_length, done;

	if (blob == NULL)
		return;
	(void)blob_hold(blob);
	done = input_obey(client, blob->data, size);
	if (client->state != CLIENT_CLOSING)
		input_keep(client, blob->data + done, size - done);
	blob_release(blob);
}

static void
input_more(struct client *client, const uint8_t *data, size_t size)
{
	size_t done, missing;
	struct blob *blob;

	if (client->tail != NULL && size > 0) {
		/* a tail and the bytes behind it: bring them together, the command's own size if it is known */
		missing = client->parser.need > client->tail_length ? client->parser.need - client->tail_length : size;
		if (missing > size)
			missing = size;
		if (client->tail->capacity - client->tail_length < missing || client->tail->references > 1) {
			if ((blob = blob_create((client->tail_length + missing) * 2)) == NULL) {
				client_close(client, CLOSED_READ_ERROR);
				return;
			}
			memcpy(blob->data, client->tail->data, client->tail_length);
			blob_release(client->tail);
			client->tail = blob;
		}
		memcpy(client->tail->data + client->tail_length, data, missing);
		client->tail_length += (uint32_t)missing;
		input_tail(client);
		data += missing;
		size -= missing;
		if (client->state == CLIENT_CLOSING || size == 0)
			return;
		input_more(client, data, size);
		return;
	}
	done = client->state == CLIENT_ASKED ? 0 : input_obey(client, data, size);
	if (client->state != CLIENT_CLOSING)
		input_keep(client, data + done, size - done);
}

static void
input_read_failed(struct client *client, ssize_t n)
{
	if (n == 0) {
		client_close(client, CLOSED_CLIENT_CLOSED);
		return;
	}
	if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
		return;
	if (errno != ECONNRESET)
		client_log(LOG_LEVEL_ERROR, client, "read error: %s", strerror(errno));
	client_close(client, errno == ECONNRESET ? CLOSED_CLIENT_CLOSED : CLOSED_READ_ERROR);
}

/* Reads into the tail's own room first (the rest of a large message), then into the common buffer. */
static ssize_t
input_read(struct client *client, size_t *into_tail)
{
	struct worker *worker = client->worker;
	struct iovec pieces[2];
	struct msghdr message;
	size_t limit = client->state == CLIENT_ACTIVE ? WORKER_READ_SIZE : WORKER_UNAUTHENTICATED_READ;

	*into_tail = 0;
	if (client->tail == NULL || client->parser.need <= client->tail_length || client->tail->references > 1 ||
	    client->tail->capacity < client->parser.need)
		return recv(client->io.fd, worker->read_buffer, limit, MSG_DONTWAIT);
	*into_tail = client->parser.need - client->tail_length;
	pieces[0].iov_base = client->tail->data + client->tail_length;
	pieces[0].iov_len = *into_tail;
	pieces[1].iov_base = worker->read_buffer;
	pieces[1].iov_len = limit;
	memset(&message, 0, sizeof(message));
	message.msg_iov = pieces;
	message.msg_iovlen = 2;
	return recvmsg(client->io.fd, &message, MSG_DONTWAIT);
}

/* For the panic record, should the process die of what it reads now. No bytes of it: a CONNECT holds passwords. */
static void
input_note(const struct client *client)
{
	static char label[32] = "cid:";
	size_t length = text_u64(label + 4, client->id);

	label[4 + length] = '\0';
	panic_context.label = label;
	panic_context.subject = NULL;
	panic_context.message = NULL;
}

void
input_ready(struct client *client)
{
	struct worker *worker = client->worker;
	size_t into_tail, size;
	ssize_t n;

	if (worker->behind)
		return;
	if (worker->mesh->overflow_bytes > 0) { /* some ring is full: what is read now would only wait elsewhere */
		if (!client->paused) {
			client->paused = true;
			LIST_INSERT_HEAD(&worker->paused, client, paused_link);
			client_watch(client);
		}
		return;
	}
	n = input_read(client, &into_tail);
	if (n <= 0) {
		input_read_failed(client, n);
		return;
	}
	input_note(client);
	worker->turn_worked = true;
	client->stalled = 0;
	worker_drain(worker);
	if (client->state == CLIENT_CLOSING)
		return;
	size = (size_t)n;
	if (into_tail > 0) {
		if (into_tail > size)
			into_tail = size;
		client->tail_length += (uint32_t)into_tail;
		size -= into_tail;
		if (client->tail_length + 1 >= client->parser.need) /* the CR behind the payload is looked at as soon as it comes */
			input_tail(client);
	}
	if (size > 0 && client->state != CLIENT_CLOSING)
		input_more(client, worker->read_buffer, size);
}

void
input_resume(struct client *client)
{
	client_watch(client);
	input_tail(client);
}
