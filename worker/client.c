/*
 * Life of a connection: made when accepted, found by handle, closed at the end of a turn, and what is written to it.
 * A connection that closes is only marked; it is taken apart after the turn, so nobody holds a dead one in its hands.
 */
#include "worker.h"

#include <sys/socket.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

enum { CLIENT_NONE_FREE = UINT32_MAX };

static void client_ready(struct loop_io *io, uint32_t events);

static bool
client_slots_grow(struct worker *worker)
{
	struct client_slot *slots;
	uint32_t size = worker->clients_size == 0 ? 64 : worker->clients_size * 2, i;

	if ((slots = memory_realloc(worker->clients, size * sizeof(*slots))) == NULL)
		return false;
	for (i = worker->clients_size; i < size; i++) {
		slots[i].client = NULL;
		slots[i].generation = 1;
		slots[i].next_free = i + 1 < size ? i + 1 : CLIENT_NONE_FREE;
	}
	worker->clients_free = worker->clients_size;
	worker->clients = slots;
	worker->clients_size = size;
	return true;
}

static void
client_set_address(struct client *client, const struct sockaddr_storage *peer)
{
	const struct sockaddr_in *in = (const void *)peer;
	const struct sockaddr_in6 *in6 = (const void *)peer;

	if (peer->ss_family == AF_INET6) {
		client->address = in6->sin6_addr;
		client->port = ntohs(in6->sin6_port);
		return;
	}
	memset(&client->address, 0, sizeof(client->address));
	if (peer->ss_family == AF_INET) {
		client->address.s6_addr[10] = client->address.s6_addr[11] = 0xff;
		memcpy(client->address.s6_addr + 12, &in->sin_addr, 4);
		client->port = ntohs(in->sin_port);
	}
}

static struct client *
client_new(struct worker *worker)
{
	struct client_slot *slot;
	struct client *client;

	if ((worker->clients_size == 0 || worker->clients_free == CLIENT_NONE_FREE) && !client_slots_grow(worker))
		return NULL;
	if ((client = memory_zalloc(sizeof(*client))) == NULL)
		return NULL;
	slot = &worker->clients[worker->clients_free];
	client->magic = CLIENT_MAGIC;
	client->worker = worker;
	client->index = worker->clients_free;
	client->generation = slot->generation;
	CHECK(slot->client == NULL);
	slot->client = client;
	worker->clients_free = slot->next_free;
	worker->client_count++;
	return client;
}

bool
client_create(struct worker *worker, int fd, const struct sockaddr_storage *peer)
{
	struct client *client;

	if ((client = client_new(worker)) == NULL)
		return false;
	client_set_address(client, peer);
	client->io.fd = fd;
	client->io.ready = client_ready;
	client->io.arg = client;
	client->id = worker->next_id;
	worker->next_id += worker->role->client_id_step;
	client->started = client->last_input = loop_now(worker->loop);
	client->verbose = client->pedantic = client->echo = true;
	client->trace = worker->config->trace;
	COUNTERS_ADD(worker->counters, connections, 1);
	COUNTERS_ADD(worker->counters, connections_total, 1);
	if (loop_io_add(worker->loop, &client->io, LOOP_READ) == -1) {
		client->io.fd = -1;
		client_close(client, CLOSED_READ_ERROR);
		return false;
	}
	client_debug(client, "Client connection created");
	session_start(client);
	return true;
}

struct client *
client_find(struct worker *worker, uint32_t index, uint32_t generation)
{
	struct client *client;

	if (index >= worker->clients_size || (client = worker->clients[index].client) == NULL || client->generation != generation)
		return NULL;
	CHECK_OBJ(client, CLIENT_MAGIC);
	return client->state == CLIENT_CLOSING ? NULL : client;
}

void
client_each(struct worker *worker, void (*each)(struct client *, void *arg), void *arg)
{
	struct client *client;
	uint32_t i;

	for (i = 0; i < worker->clients_size; i++)
		if ((client = worker->clients[i].client) != NULL && client->state != CLIENT_CLOSING)
			each(client, arg);
}

void
client_close(struct client *client, enum closed_reason reason)
{
	struct worker *worker = client->worker;

	CHECK_OBJ(client, CLIENT_MAGIC);
	if (client->state == CLIENT_CLOSING)
		return;
	if (client->state == CLIENT_ASKED)
		control_cancel(client);
	client_debug(client, "Client connection closed: %s", closed_text(reason));
	if (reason == CLOSED_STALE_CONNECTION)
		COUNTERS_ADD(worker->counters, stale_connections, 1);
	client->closed = (uint8_t)reason;
	client->state = CLIENT_CLOSING;
	client->closing_next = worker->closing;
	worker->closing = client;
	loop_timer_stop(worker->loop, &client->timer);
	loop_timer_stop(worker->loop, &client->write_timer);
	loop_timer_stop(worker->loop, &client->stall_timer);
	if (client->io.fd >= 0)
		loop_io_remove(worker->loop, &client->io);
	if (client->held)
		LIST_REMOVE(client, held_link);
	if (client->paused)
		LIST_REMOVE(client, paused_link);
	client->held = client->paused = false;
	COUNTERS_SUB(worker->counters, connections, 1);
}

void
client_overrun(struct client *client)
{
	struct worker *worker = client->worker;

	COUNTERS_ADD(worker->counters, slow_consumers, 1);
	COUNTERS_ADD(worker->counters, slow_consumers_pending, 1);
	client_log(LOG_LEVEL_NOTICE, client, "Slow Consumer Detected: MaxPending of %lld Exceeded",
	    (long long)worker->config->max_pending);
	client_close(client, CLOSED_SLOW_CONSUMER_PENDING_BYTES);
}

void
client_put(struct client *client, const void *data, size_t n)
{
	if (client->state == CLIENT_CLOSING)
		return;
	if (!output_copy(&client->output, data, n)) {
		client_close(client, CLOSED_SLOW_CONSUMER_PENDING_BYTES);
		return;
	}
	client_touch(client);
	if (client->output.pending > (size_t)client->worker->config->max_pending)
		client_overrun(client);
}

void
client_put_text(struct client *client, const char *text)
{
	client_put(client, text, strlen(text));
}

void
client_error(struct client *client, const char *text)
{
	char line[CLIENT_ERROR_MAX + 16];
	int n;

	if (client->trace && log_level_trace)
		client_trace(client, "->>", "-ERR", text, strlen(text));
	n = snprintf(line, sizeof(line), "-ERR '%s'\r\n", text);
	CHECK(n > 0);
	client_put(client, line, (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1);
}

void
client_ok(struct client *client)
{
	if (!client->verbose)
		return;
	if (client->trace && log_level_trace)
		client_trace(client, "->>", "OK", NULL, 0);
	client_put(client, "+OK\r\n", 5);
}

void
client_watch(struct client *client)
{
	uint32_t events = 0;

	if (client->state == CLIENT_CLOSING)
		return;
	if (client->state != CLIENT_ASKED && !client->paused && !client->worker->draining &&
	    !loop_timer_is_set(&client->stall_timer))
		events |= LOOP_READ;
	if (client->write_blocked)
		events |= LOOP_WRITE;
	loop_io_set(client->worker->loop, &client->io, events);
}

static void
client_flush(struct client *client)
{
	enum output_result result;
	size_t written;

	if (client->held || client->state == CLIENT_CLOSING)
		return;
	result = output_write(&client->output, client->io.fd, &written);
	switch (result) {
	case OUTPUT_DONE:
		if (client->write_blocked) {
			client->write_blocked = false;
			health_write_done(client);
			client_watch(client);
		}
		break;
	case OUTPUT_BLOCKED:
		if (client->write_blocked)
			health_write_progress(client, written);
		else {
			client->write_blocked = true;
			health_write_blocked(client);
			client_watch(client);
		}
		break;
	case OUTPUT_FAILED: client_close(client, CLOSED_WRITE_ERROR); break;
	}
}

void
client_flush_touched(struct worker *worker)
{
	struct client *client;

	while ((client = worker->touched) != NULL) {
		worker->touched = client->touched_next;
		client->touched = false;
		if (!client->write_blocked)
			client_flush(client);
	}
	worker->turn_output = 0;
}

void
client_release_held(struct worker *worker)
{
	struct client *client, *next;

	for (client = LIST_FIRST(&worker->held); client != NULL; client = next) {
		next = LIST_NEXT(client, held_link);
		if (mesh_reached_all(worker->mesh, client->hold_position)) {
			LIST_REMOVE(client, held_link);
			client->held = false;
			client_touch(client);
		}
	}
}

void
client_resume_paused(struct worker *worker)
{
	struct client *client;

	while ((client = LIST_FIRST(&worker->paused)) != NULL) {
		LIST_REMOVE(client, paused_link);
		client->paused = false;
		client_watch(client);
	}
}

static void
client_ready(struct loop_io *io, uint32_t events)
{
	struct client *client = io->arg;

	CHECK_OBJ(client, CLIENT_MAGIC);
	if (client->state == CLIENT_CLOSING)
		return;
	if (events & LOOP_WRITE) {
		(void)mesh_commit(client->worker->mesh); /* what waits may tell of what was put since the last commit */
		client_flush(client);
	}
	if (client->state == CLIENT_CLOSING)
		return;
	if (events & LOOP_READ)
		input_ready(client);
	else if (events & LOOP_HANGUP)
		client_close(client, CLOSED_CLIENT_CLOSED);
}

bool
client_reap_subscriptions(struct worker *worker)
{
	struct client *client;
	uint32_t left = WORKER_REAP_SUBSCRIPTIONS;

	for (client = worker->closing; client != NULL && left > 0; client = client->closing_next)
		left -= subscribe_drop(client, left);
	for (client = worker->closing; client != NULL; client = client->closing_next)
		if (client->subscriptions.used > 0)
			return false;
	return true;
}

/* Last words, as far as the socket takes them; then input that nobody reads is thrown away, so that the kernel sends no reset
 * before them. */
static void
client_hang_up(struct client *client)
{
	size_t written;
	ssize_t n;
	int fd = client->io.fd, reads;

	if (fd < 0)
		return;
	if (closed_flushes((enum closed_reason)client->closed) && client->output.pending > 0) {
		(void)output_write(&client->output, fd, &written);
		(void)shutdown(fd, SHUT_WR);
		for (reads = 0; reads < 4; reads++) {
			n = recv(fd, client->worker->read_buffer, WORKER_READ_SIZE, MSG_DONTWAIT);
			if (n <= 0)
				break;
		}
	}
	(void)close(fd);
	client->io.fd = -1;
}

static void
client_free(struct client *client)
{
	struct worker *worker = client->worker;
	struct client_slot *slot = &worker->clients[client->index];

	CHECK(slot->client == client);
	CHECK(!client->touched);
	client_hang_up(client);
	output_clear(&client->output);
	blob_release(client->tail);
	permission_set_release(client->permissions);
	permission_replies_free(client->replies);
	memory_free(client->subscriptions.slots);
	memory_free(client->connect);
	memory_free(client->user);
	memory_free(client->label);
	slot->client = NULL;
	slot->generation++;
	slot->next_free = worker->clients_free;
	worker->clients_free = client->index;
	CHECK(worker->client_count > 0);
	worker->client_count--;
	client->magic = 0;
	memory_free(client);
}

void
client_reap(struct worker *worker)
{
	struct client **at = &worker->closing, *client;

	while ((client = *at) != NULL) {
		CHECK_OBJ(client, CLIENT_MAGIC);
		if (client->subscriptions.used > 0 || client->touched) {
			at = &client->closing_next;
			continue;
		}
		*at = client->closing_next;
		client_free(client);
	}
	if (worker->client_count == 0) {
		output_trim();
		blob_trim(0);
	}
}
