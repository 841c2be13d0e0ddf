/*
 * SUB and UNSUB, and the table of a connection's subscriptions by sid. Order of the checks as in nats-server
 * (client.go processSubEx): permission, number of tokens, number of subscriptions, repeated sid, subject.
 * New interest that found a ring full holds the connection's output back until it is everywhere (a PONG would lie).
 */
#include "worker.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "model/subject.h"
#include "model/sublist_slab.h"

enum {
	SUBSCRIBE_TABLE_FIRST = 4,
	SUBSCRIBE_SID_MAX = (1 << 14) - 1 /* the field of 14 bits; longer ones need a max_control_line of 16 KiB */
};

/* A million of them are not unusual: a slab gives 48 bytes for one with a sid of six digits. */
static size_t
subscription_size(size_t sid_length)
{
	size_t size = offsetof(struct subscription, sid) + sid_length;

	return size < sizeof(struct subscription) ? sizeof(struct subscription) : size;
}

static void
subscription_free(struct subscription *sub)
{
	sublist_slab_free(sub, subscription_size(sub->sid_length));
}

static uint32_t
table_place(const struct subscription_table *table, const char *sid, size_t n)
{
	return map_hash(sid, n) & (table->size - 1);
}

static struct subscription *
table_find(const struct subscription_table *table, const char *sid, size_t n)
{
	struct subscription *sub;
	uint32_t at;

	if (table->used == 0)
		return NULL;
	for (at = table_place(table, sid, n); (sub = table->slots[at]) != NULL; at = (at + 1) & (table->size - 1))
		if (sub->sid_length == n && memcmp(sub->sid, sid, n) == 0)
			return sub;
	return NULL;
}

static void
table_place_sub(struct subscription_table *table, struct subscription *sub)
{
	uint32_t at = table_place(table, sub->sid, sub->sid_length);

	while (table->slots[at] != NULL)
		at = (at + 1) & (table->size - 1);
	table->slots[at] = sub;
}

static bool
table_resize(struct subscription_table *table, uint32_t size)
{
	struct subscription_table old = *table;
	uint32_t i;

	if (size == 0) {
		memory_free(table->slots);
		table->slots = NULL;
		table->size = 0;
		return true;
	}
	if ((table->slots = memory_array(size, sizeof(*table->slots))) == NULL) {
		*table = old;
		return false;
	}
	table->size = size;
	for (i = 0; i < old.size; i++)
		if (old.slots[i] != NULL)
			table_place_sub(table, old.slots[i]);
	memory_free(old.slots);
	return true;
}

/* Thirteen of sixteen slots may be in use, and one is always free: it ends each look-up. */
static uint32_t
table_limit(uint32_t size)
{
	return size < 16 ? size - 1 : size - size / 16 * 3;
}

static bool
table_add(struct subscription_table *table, struct subscription *sub)
{
	if (table->size == 0 && !table_resize(table, SUBSCRIBE_TABLE_FIRST))
		return false;
	if (table->used + 1 > table_limit(table->size) && !table_resize(table, table->size * 2))
		return false;
	table_place_sub(table, sub);
	table->used++;
	return true;
}

/* Open addressing without tombstones: what follows the gap moves up where it may. */
static void
table_remove(struct subscription_table *table, const struct subscription *sub)
{
	uint32_t mask = table->size - 1, gap = table_place(table, sub->sid, sub->sid_length), at, home;

	while (table->slots[gap] != sub)
		gap = (gap + 1) & mask;
	table->slots[gap] = NULL;
	for (at = (gap + 1) & mask; table->slots[at] != NULL; at = (at + 1) & mask) {
		home = table_place(table, table->slots[at]->sid, table->slots[at]->sid_length);
		if (((at - home) & mask) >= ((at - gap) & mask)) {
			table->slots[gap] = table->slots[at];
			table->slots[at] = NULL;
			gap = at;
		}
	}
	CHECK(table->used > 0);
	table->used--;
	if (table->used == 0)
		(void)table_resize(table, 0);
	else if (table->size > SUBSCRIBE_TABLE_FIRST && table->used < table->size / 8)
		(void)table_resize(table, table->size / 2);
}

struct subscription *
subscribe_next(const struct client *client, uint32_t *at)
{
	const struct subscription_table *table = &client->subscriptions;

	while (*at < table->size)
		if (table->slots[(*at)++] != NULL)
			return table->slots[*at - 1];
	return NULL;
}

static void
subscribe_queue_of(const struct subscription *sub, const char **queue, size_t *n)
{
	*queue = sub->entry.queue == NULL ? NULL : sub->entry.queue->name->text;
	*n = sub->entry.queue == NULL ? 0 : sub->entry.queue->name->length;
}

bool
subscribe_allowed(const struct client *client, const struct subscription *sub)
{
	const char *queue;
	size_t n;

	if (client->permissions == NULL)
		return true;
	subscribe_queue_of(sub, &queue, &n);
	return permission_subscribe(client->permissions, sub->entry.node->subject, sub->entry.node->length, queue, n);
}

void
subscribe_violation_text(const struct subscription *sub, char *subject, size_t subject_size, char *text, size_t text_size)
{
	char quoted[CLIENT_ERROR_MAX / 2], group[1024];
	const char *queue;
	size_t n;

	subscribe_queue_of(sub, &queue, &n);
	(void)text_quote(quoted, sizeof(quoted), sub->entry.node->subject, sub->entry.node->length);
	if (queue == NULL)
		(void)snprintf(subject, subject_size, "%s", quoted);
	else {
		(void)text_quote(group, sizeof(group), queue, n);
		(void)snprintf(subject, subject_size, "%s using queue %s", quoted, group);
	}
	(void)text_quote(group, sizeof(group), sub->sid, sub->sid_length);
	(void)snprintf(text, text_size, "Permissions Violation for Subscription to %s (sid %s)", subject, group);
}

static void
subscribe_refuse(struct client *client, const struct nats_command *command)
{
	char subject[CLIENT_ERROR_MAX / 2], queue[CLIENT_ERROR_MAX / 4], text[CLIENT_ERROR_MAX];

	COUNTERS_ADD(client->worker->counters, permission_violations, 1);
	(void)text_quote(subject, sizeof(subject), command->subject, command->subject_length);
	if (command->queue == NULL) {
		(void)snprintf(text, sizeof(text), "Permissions Violation for Subscription to %s", subject);
		client_error(client, text);
		client_log(LOG_LEVEL_ERROR, client, "Subscription Violation - Subject %s, SID %.*s", subject,
		    (int)command->sid_length, command->sid);
		return;
	}
	(void)text_quote(queue, sizeof(queue), command->queue, command->queue_length);
	(void)snprintf(text, sizeof(text), "Permissions Violation for Subscription to %s using queue %s", subject, queue);
	client_error(client, text);
	client_log(LOG_LEVEL_ERROR, client, "Subscription Violation - Subject %s, Queue: %s, SID %.*s", subject, queue,
	    (int)command->sid_length, command->sid);
}

static void
subscribe_too_many_tokens(struct client *client, const struct nats_command *command)
{
	char subject[CLIENT_ERROR_MAX / 2], text[CLIENT_ERROR_MAX];

	(void)text_quote(subject, sizeof(subject), command->subject, command->subject_length);
	(void)snprintf(text, sizeof(text), "Permissions Violation for Subscription to %s, too many tokens", subject);
	client_error(client, text);
	client_log(LOG_LEVEL_ERROR, client, "Subscription Violation Too Many Tokens - Subject %s, SID %.*s", subject,
	    (int)command->sid_length, command->sid);
}

/* Not for each one of a flood. */
static void
subscribe_log_limit(const struct client *client)
{
	struct worker *worker = client->worker;
	int64_t now = loop_now(worker->loop);

	if (worker->limit_logged != 0 && now - worker->limit_logged < WORKER_LIMIT_LOG)
		return;
	worker->limit_logged = now;
	client_log(LOG_LEVEL_ERROR, client, "maximum subscriptions exceeded");
}

/* False: refused, and the client knows. */
static bool
subscribe_check(struct client *client, const struct nats_command *command)
{
	const struct worker_config *config = client->worker->config;

	if ((client->permissions != NULL &&
		!permission_subscribe(
		    client->permissions, command->subject, command->subject_length, command->queue, command->queue_length)) ||
	    (command->queue != NULL && subject_is_reserved_queue(command->queue, command->queue_length))) {
		subscribe_refuse(client, command);
		return false;
	}
	if (config->max_subscription_tokens > 0 &&
	    subject_token_count(command->subject, command->subject_length) > (size_t)config->max_subscription_tokens) {
		subscribe_too_many_tokens(client, command);
		return false;
	}
	if (config->max_subscriptions > 0 && client->subscriptions.used >= (uint64_t)config->max_subscriptions) {
		subscribe_log_limit(client);
		client_error(client, "maximum subscriptions exceeded");
		return false;
	}
	return true;
}

/* Interest of this connection waits for room in some ring: so does all that is said to it from now on. */
static void
subscribe_hold(struct client *client)
{
	struct worker *worker = client->worker;

	client->hold_position = broker_position(worker->broker);
	if (client->held)
		return;
	client->held = true;
	LIST_INSERT_HEAD(&worker->held, client, held_link);
}

static struct subscription *
subscribe_create(struct client *client, const struct nats_command *command)
{
	struct subscription *sub;

	if (command->sid_length > SUBSCRIBE_SID_MAX || (sub = sublist_slab_alloc(subscription_size(command->sid_length))) == NULL)
		return NULL;
	memset(sub, 0, sizeof(*sub));
	sub->client = client;
	sub->sid_length = command->sid_length & SUBSCRIBE_SID_MAX;
	memcpy(sub->sid, command->sid, command->sid_length);
	sub->check_deny = client->permissions != NULL &&
	    permission_deny_on_delivery(
		client->permissions, command->subject, command->subject_length, command->queue, command->queue_length);
	return sub;
}

void
subscribe_sub(struct client *client, const struct nats_command *command)
{
	struct worker *worker = client->worker;
	struct subscription *sub;
	enum sublist_status status;

	if (client->trace && log_level_trace)
		client_trace(client, "<<-", "SUB", command->argument, command->argument_length);
	if (!subscribe_check(client, command))
		return;
	if (table_find(&client->subscriptions, command->sid, command->sid_length) != NULL) {
		client_ok(client);
		return;
	}
	if ((sub = subscribe_create(client, command)) == NULL) {
		client_close(client, CLOSED_MAX_SUBSCRIPTIONS_EXCEEDED);
		return;
	}
	status = broker_subscribe(worker->broker, client->account, command->subject, command->subject_length, command->queue,
	    command->queue_length, &sub->entry);
	if (status != SUBLIST_OK) {
		subscription_free(sub);
		if (status == SUBLIST_INVALID)
			client_error(client, "Invalid Subject");
		else
			client_close(client, CLOSED_MAX_SUBSCRIPTIONS_EXCEEDED);
		return;
	}
	if (!table_add(&client->subscriptions, sub)) {
		broker_unsubscribe(worker->broker, client->account, &sub->entry);
		subscription_free(sub);
		client_close(client, CLOSED_MAX_SUBSCRIPTIONS_EXCEEDED);
		return;
	}
	COUNTERS_ADD(worker->counters, subscriptions, 1);
	client_ok(client);
	if (!mesh_congested(worker->mesh) && worker->mesh->overflow_bytes == 0)
		return;
	subscribe_hold(client);
}

void
subscribe_remove(struct client *client, struct subscription *sub)
{
	struct worker *worker = client->worker;

	if (client->trace && log_level_trace)
		client_trace(client, "<->", "DELSUB", sub->sid, sub->sid_length);
	CHECK(sub->client == client);
	table_remove(&client->subscriptions, sub);
	broker_unsubscribe(worker->broker, client->account, &sub->entry);
	COUNTERS_SUB(worker->counters, subscriptions, 1);
	subscription_free(sub);
}

void
subscribe_unsub(struct client *client, const struct nats_command *command)
{
	struct subscription *sub = table_find(&client->subscriptions, command->sid, command->sid_length);

	if (client->trace && log_level_trace)
		client_trace(client, "<<-", "UNSUB", command->argument, command->argument_length);
	client_ok(client);
	if (sub == NULL)
		return;
	if (command->max > 0 && command->max <= UINT32_MAX && (uint64_t)command->max > sub->delivered) {
		sub->maximum = (uint32_t)command->max;
		return;
	}
	subscribe_remove(client, sub);
}

void
subscribe_finish(struct worker *worker)
{
	struct subscription *sub;
	uint32_t i;

	for (i = 0; i < worker->finished_count; i++) {
		sub = worker->finished[i];
		subscribe_remove(sub->client, sub);
	}
	worker->finished_count = 0;
}

uint32_t
subscribe_drop(struct client *client, uint32_t most)
{
	struct worker *worker = client->worker;
	struct subscription_table *table = &client->subscriptions;
	struct subscription *sub;
	uint32_t dropped = 0, i;

	for (i = table->size; i > 0 && dropped < most; i--)
		if ((sub = table->slots[i - 1]) != NULL) {
			table->slots[i - 1] = NULL;
			table->used--;
			dropped++;
			if (client->trace && log_level_trace)
				client_trace(client, "<->", "DELSUB", sub->sid, sub->sid_length);
			broker_unsubscribe(worker->broker, client->account, &sub->entry);
			subscription_free(sub);
		}
	table->size = i; /* no look-up comes any more: all is dropped now, or the connection is closing */
	COUNTERS_SUB(worker->counters, subscriptions, dropped);
	if (table->used == 0)
		(void)table_resize(table, 0);
	return dropped;
}
