/*
 * A message to a subscription of ours: the MSG or HMSG line and the payload into the connection's output.
 * Small payloads are copied behind their line, larger ones referenced. The hottest code beside the parser.
 */
#include "worker.h"

#include <string.h>

#include "base/memory.h"
#include "base/text.h"

/* The subscription has had its last message; it is removed once the present publish is through. */
static void
deliver_last(struct worker *worker, struct subscription *sub)
{
	struct subscription **list;
	uint32_t size;

	if (sub->finished)
		return;
	if (worker->finished_count == worker->finished_size) {
		size = worker->finished_size == 0 ? 64 : worker->finished_size * 2;
		if ((list = memory_realloc(worker->finished, size * sizeof(*list))) == NULL)
			return;
		worker->finished = list;
		worker->finished_size = size;
	}
	client_debug(sub->client, "Auto-unsubscribe limit of %u reached for sid '%.*s'", sub->maximum, sub->sid_length, sub->sid);
	sub->finished = true;
	worker->finished[worker->finished_count++] = sub;
}

static inline uint8_t *
deliver_append(uint8_t *to, const void *from, size_t n)
{
	memcpy(to, from, n);
	return to + n;
}

/* Without headers a client gets the payload with the header cut off, and its size anew. */
static size_t
deliver_size_text(const struct broker_message *message, bool headers, char *text)
{
	if (headers || message->header_size == 0) {
		memcpy(text, message->size_text, message->size_text_length);
		return message->size_text_length;
	}
	return text_u64(text, message->total_size - message->header_size);
}

/* "MSG subject sid [reply] [header size] size\r\n", and the payload behind where it is small. Returns NULL when memory is out. */
static uint8_t *
deliver_line(const struct subscription *sub, const struct broker_message *message, bool headers, uint8_t *to)
{
	UNINITIALIZED char size_text[24];
	size_t n;

	if (headers)
		*to++ = 'H';
	to = deliver_append(to, "MSG ", 4);
	to = deliver_append(to, message->subject, message->subject_length);
	*to++ = ' ';
	to = deliver_append(to, sub->sid, sub->sid_length);
	*to++ = ' ';
	if (message->reply != NULL) {
		to = deliver_append(to, message->reply, message->reply_length);
		*to++ = ' ';
	}
	if (headers) {
		to = deliver_append(to, message->header_text, message->header_text_length);
		*to++ = ' ';
	}
	n = deliver_size_text(message, headers, size_text);
	to = deliver_append(to, size_text, n);
	return deliver_append(to, "\r\n", 2);
}

/* A line that is too long for one stretch of output, e.g. a subject of many kilobytes: piece by piece. */
static bool
deliver_put_long(struct client *client, const struct subscription *sub, struct broker_message *message)
{
	struct output *output = &client->output;
	bool headers = message->header_size > 0 && client->headers;
	uint32_t skip = client->headers ? 0 : message->header_size;
	char size_text[24];
	size_t n = deliver_size_text(message, headers, size_text);

	return output_copy(output, headers ? "HMSG " : "MSG ", headers ? 5 : 4) &&
	    output_copy(output, message->subject, message->subject_length) && output_copy(output, " ", 1) &&
	    output_copy(output, sub->sid, sub->sid_length) && output_copy(output, " ", 1) &&
	    (message->reply == NULL ||
		(output_copy(output, message->reply, message->reply_length) && output_copy(output, " ", 1))) &&
	    (!headers || (output_copy(output, message->header_text, message->header_text_length) && output_copy(output, " ", 1))) &&
	    output_copy(output, size_text, n) && output_copy(output, "\r\n", 2) &&
	    output_copy(output, message->payload + skip, message->total_size - skip) && output_copy(output, "\r\n", 2);
}

/* Everything into the output; false when memory is out. */
static bool
deliver_put(struct client *client, const struct subscription *sub, struct broker_message *message)
{
	struct output *output = &client->output;
	bool headers = message->header_size > 0 && client->headers;
	uint32_t skip = client->headers ? 0 : message->header_size, size = message->total_size - skip;
	size_t room = (size_t)message->subject_length + message->reply_length + sub->sid_length + 64;
	uint8_t *start, *at;

	if (room > OUTPUT_RESERVE_MAX / 2)
		return deliver_put_long(client, sub, message);
	if (size <= OUTPUT_COPY_MAX)
		room += size + 2;
	if ((start = output_reserve(output, room)) == NULL)
		return false;
	at = deliver_line(sub, message, headers, start);
	if (size <= OUTPUT_COPY_MAX) {
		at = deliver_append(at, message->payload + skip, size);
		at = deliver_append(at, "\r\n", 2);
		output_advance(output, (size_t)(at - start));
		return true;
	}
	output_advance(output, (size_t)(at - start));
	return broker_message_keep(message) && output_reference(output, message->blob, message->blob_offset + skip, size) &&
	    output_copy(output, "\r\n", 2);
}

static void
deliver_trace(const struct client *client, const struct subscription *sub, const struct broker_message *message)
{
	uint8_t line[OUTPUT_RESERVE_MAX];
	bool headers = message->header_size > 0 && client->headers;
	uint32_t skip = client->headers ? 0 : message->header_size;
	const uint8_t *end;

	if ((size_t)message->subject_length + message->reply_length + sub->sid_length + 64 > sizeof(line))
		return;
	end = deliver_line(sub, message, headers, line);
	client_trace(client, "->>", "", (const char *)line, (size_t)(end - line) - 2);
	client_trace_payload(
	    client, "->>", message->payload + skip, headers ? message->header_size : 0, message->total_size - skip);
}

/* The receiver has more than three quarters of what may wait: the publisher is held for a moment. */
static void
deliver_slow(struct worker *worker, const struct client *receiver, struct broker_message *message)
{
	struct client *publisher = message->origin;

	if (publisher == NULL)
		broker_stall(worker->broker, message);
	else if (publisher != receiver)
		deliver_stall(worker, publisher->index, publisher->generation);
}

void
deliver_stall(void *arg, uint32_t index, uint32_t generation)
{
	struct worker *worker = arg;
	struct client *publisher = client_find(worker, index, generation);

	if (publisher == NULL || publisher->state != CLIENT_ACTIVE || loop_timer_is_set(&publisher->stall_timer))
		return;
	COUNTERS_ADD(worker->counters, stalls, 1);
	health_stall(publisher);
}

static bool
deliver_permitted(
    struct worker *worker, struct client *client, const struct subscription *sub, const struct broker_message *message)
{
	const struct sublist_queue *queue = sub->entry.queue;

	(void)worker;
	return client->permissions == NULL ||
	    !permission_delivery_denied(client->permissions, message->subject, message->subject_length,
		queue == NULL ? NULL : queue->name->text, queue == NULL ? 0 : queue->name->length);
}

/* Is it the client's own message, here or come back over another worker that a queue group was drawn in? */
static bool
deliver_is_origin(const struct worker *worker, const struct client *client, const struct broker_message *message)
{
	return message->origin_member == worker->mesh->member && message->origin_index == client->index &&
	    message->origin_generation == client->generation;
}

bool
deliver_message(void *arg, struct sublist_sub *entry, struct broker_message *message)
{
	struct worker *worker = arg;
	struct subscription *sub = (struct subscription *)entry;
	struct client *client = sub->client;
	size_t before = client->output.pending;

	if (client->state == CLIENT_CLOSING || sub->finished || (!client->echo && deliver_is_origin(worker, client, message)))
		return false;
	if (sub->check_deny && !deliver_permitted(worker, client, sub, message))
		return false;
	if (sub->delivered < UINT32_MAX)
		sub->delivered++;
	if (sub->maximum > 0 && sub->delivered >= sub->maximum)
		deliver_last(worker, sub);
	if (before > (size_t)worker->config->max_pending / 4 * 3) {
		if (worker->config->no_fast_producer_stall)
			return false;
		deliver_slow(worker, client, message);
	}
	if (!deliver_put(client, sub, message)) {
		client_overrun(client);
		return false;
	}
	client->out_messages++;
	client->out_bytes += client->headers ? message->total_size : message->total_size - message->header_size;
	COUNTERS_ADD(worker->counters, out_messages, 1);
	COUNTERS_ADD(
	    worker->counters, out_bytes, client->headers ? message->total_size : message->total_size - message->header_size);
	worker->turn_output += client->output.pending - before;
	client_touch(client);
	if (client->output.pending > (size_t)worker->config->max_pending) {
		client_overrun(client);
		return true;
	}
	if (client->replies != NULL && message->reply != NULL)
		permission_replies_add(
		    client->replies, client->permissions, message->reply, message->reply_length, loop_now(worker->loop));
	if (client->trace && log_level_trace)
		deliver_trace(client, sub, message);
	return true;
}
