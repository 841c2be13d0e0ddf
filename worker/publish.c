/*
 * PUB and HPUB: the checks of nats-server (client.go processPub, processInboundClientMsg) in their order, then the broker.
 */
#include "worker.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "ipc/panic.h"
#include "model/subject.h"

static void
publish_refuse(struct client *client, const char *what, const char *log_what, const char *subject, size_t n)
{
	char quoted[CLIENT_ERROR_MAX / 2], text[CLIENT_ERROR_MAX];

	COUNTERS_ADD(client->worker->counters, permission_violations, 1);
	(void)text_quote(quoted, sizeof(quoted), subject, n);
	(void)snprintf(text, sizeof(text), "Permissions Violation for Publish%s %s", what, quoted);
	client_error(client, text);
	client_log(LOG_LEVEL_ERROR, client, "Publish Violation - %s %s", log_what, quoted);
}

static bool
publish_allowed(struct client *client, const struct nats_command *command)
{
	bool system = client->account->number == BROKER_ACCOUNT_SYSTEM;

	if (client->permissions != NULL &&
	    !permission_publish_or_reply(
		client->permissions, client->replies, command->subject, command->subject_length, loop_now(client->worker->loop))) {
		publish_refuse(client, " to", "Subject", command->subject, command->subject_length);
		return false;
	}
	if ((command->subject[0] == '_' || command->subject[0] == '$') &&
	    subject_is_reserved_publish(command->subject, command->subject_length, system)) {
		publish_refuse(client, " to", "Subject", command->subject, command->subject_length);
		return false;
	}
	if (command->reply != NULL && (command->reply[0] == '_' || command->reply[0] == '$') &&
	    subject_is_reserved_reply(command->reply, command->reply_length)) {
		publish_refuse(client, " with Reply of", "Reply", command->reply, command->reply_length);
		return false;
	}
	return true;
}

static bool
publish_is_own(void *client, const struct sublist_sub *entry)
{
	return ((const struct subscription *)(const void *)entry)->client == client;
}

/* Nobody was there for a request: the requester hears so at once. */
static void
publish_no_responders(struct client *client, const struct nats_command *command)
{
	const struct subscription *sub = (const void *)broker_find(
	    client->worker->broker, client->account, command->reply, command->reply_length, publish_is_own, client);
	char line[64];
	unsigned size = 32 + command->subject_length;
	int n;

	if (sub == NULL)
		return;
	COUNTERS_ADD(client->worker->counters, no_responders, 1);
	client_put(client, "HMSG ", 5);
	client_put(client, command->reply, command->reply_length);
	client_put(client, " ", 1);
	client_put(client, sub->sid, sub->sid_length);
	n = snprintf(line, sizeof(line), " %u %u\r\nNATS/1.0 503\r\nNats-Subject: ", size, size);
	CHECK(n > 0 && (size_t)n < sizeof(line));
	client_put(client, line, (size_t)n);
	client_put(client, command->subject, command->subject_length);
	client_put(client, "\r\n\r\n\r\n", 6);
}

static void
publish_message(const struct client *client, const struct nats_command *command, struct broker_message *message)
{
	const struct blob *tail = client->tail;

	message->subject = command->subject;
	message->subject_length = command->subject_length;
	message->reply = command->reply;
	message->reply_length = command->reply_length;
	message->header_text = command->header_size > 0 ? command->header_text : NULL;
	message->header_text_length = (uint8_t)command->header_text_length;
	message->size_text = command->size_text;
	message->size_text_length = (uint8_t)command->size_text_length;
	message->payload = command->payload;
	message->header_size = command->header_size;
	message->total_size = command->total_size;
	message->origin_index = client->index;
	message->origin_generation = client->generation;
	message->origin_member = client->worker->mesh->member;
	message->passed_on = false;
	message->origin = (void *)(uintptr_t)client;
	message->blob = NULL;
	message->blob_offset = 0;
	if (tail != NULL && message->total_size > BROKER_COPY_MAX && message->payload >= tail->data &&
	    message->payload < tail->data + tail->capacity) {
		message->blob = client->tail;
		message->blob_offset = (uint32_t)(message->payload - tail->data);
	}
}

void
publish_command(struct client *client, const struct nats_command *command)
{
	struct worker *worker = client->worker;
	UNINITIALIZED struct broker_message message;
	unsigned delivered;

	if (client->trace && log_level_trace) {
		client_trace(client, "<<-", nats_verb_name(command->verb), command->argument, command->argument_length);
		client_trace_payload(client, "<<-", command->payload, command->header_size, command->total_size);
	}
	if (client->pedantic && !subject_valid_literal(command->subject, command->subject_length))
		client_error(client, "Invalid Publish Subject");
	panic_context.subject = command->subject;
	panic_context.subject_length = command->subject_length;
	panic_context.message = command->payload;
	panic_context.message_length = command->total_size;
	client->in_messages++;
	client->in_bytes += command->total_size;
	COUNTERS_ADD(worker->counters, in_messages, 1);
	COUNTERS_ADD(worker->counters, in_bytes, command->total_size);
	if (client->state == CLIENT_CLOSING || !publish_allowed(client, command))
		return;
	if (client->verbose)
		client_ok(client);
	publish_message(client, command, &message);
	delivered = broker_publish(worker->broker, client->account, &message);
	if (__builtin_expect(worker->finished_count > 0, 0))
		subscribe_finish(worker);
	if (delivered == 0 && command->reply != NULL && client->no_responders && client->state != CLIENT_CLOSING)
		publish_no_responders(client, command);
}
