/*
 * CONNECT, PING and logins. Who needs no login is let in at once by the policy authd told beforehand; all others wait for
 * authd's answer, and so does what they sent behind their CONNECT. The true reason of a refusal goes to the log only.
 */
#include "worker.h"

#include <string.h>

#include <sodium.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/memory.h"

enum { SESSION_RIGHTS_MAX = 1 << 20 };

static struct rights *
session_rights(struct worker *worker, uint32_t number)
{
	return number == 0 ? NULL : map_get_u64(&worker->rights, number);
}

/* Gives the connection the permissions of that number; false when they are not known (authd says them first). */
static bool
session_set_permissions(struct client *client, uint32_t number)
{
	struct rights *rights = session_rights(client->worker, number);
	int32_t most;
	int64_t expires;

	if (number != 0 && (rights == NULL || rights->set == NULL))
		return false;
	permission_set_release(client->permissions);
	client->permissions = rights == NULL ? NULL : permission_set_hold(rights->set);
	permission_replies_free(client->replies);
	client->replies = NULL;
	if (client->permissions != NULL && permission_set_has_responses(client->permissions, &most, &expires) &&
	    (client->replies = permission_replies_create()) == NULL)
		return false;
	return true;
}

static void
session_nonce(struct client *client)
{
	uint8_t raw[11];

	random_bytes(raw, sizeof(raw));
	(void)sodium_bin2base64(client->nonce, sizeof(client->nonce), raw, sizeof(raw), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

void
session_start(struct client *client)
{
	struct worker *worker = client->worker;
	const struct worker_config *config = worker->config;
	uint64_t total = COUNTERS_GET(worker->counters, connections);
	unsigned i;

	for (i = 0; i < worker->role->workers; i++)
		if (i != worker->role->index && worker->role->all_counters[i] != NULL)
			total += COUNTERS_GET(worker->role->all_counters[i], connections);
	if (worker->policy.nonce)
		session_nonce(client);
	client->account = broker_account(worker->broker, BROKER_ACCOUNT_GLOBAL);
	client->state = worker->policy.required ? CLIENT_UNAUTHENTICATED : CLIENT_ACTIVE;
	inform_send(client, false);
	if (config->max_connections <= 0 || total > (uint64_t)config->max_connections) {
		COUNTERS_ADD(worker->counters, refused_connections, 1);
		client_error(client, "maximum connections exceeded");
		client_log(LOG_LEVEL_ERROR, client, "maximum connections exceeded");
		client_close(client, CLOSED_MAX_CONNECTIONS_EXCEEDED);
		return;
	}
	if (worker->policy.required)
		health_login_deadline(client);
	else
		health_ping_later(client);
}

void
session_violation(struct client *client, enum closed_reason reason)
{
	char description[CLIENT_DESCRIPTION_MAX], text[CLIENT_DESCRIPTION_MAX];
	const char *login = client_login_text(client, text, sizeof(text));

	COUNTERS_ADD(client->worker->counters, auth_failures, 1);
	(void)client_description(client, description, sizeof(description));
	log_error("%s - authentication error%s%s", description, login == NULL ? "" : " - ", login == NULL ? "" : login);
	client_error(client, "Authorization Violation");
	client_close(client, reason);
}

/* Takes over what CONNECT said: flags, and the texts that describe the program. */
static bool
session_take(struct client *client, const struct nats_connect *connect)
{
	struct nats_connect *kept;
	size_t size = nats_connect_text_size(connect);

	if ((kept = memory_alloc(sizeof(*kept) + size)) == NULL)
		return false;
	*kept = *connect;
	nats_connect_move(kept, (char *)(kept + 1), size);
	memory_free(client->connect);
	client->connect = kept;
	client->echo = connect->echo;
	client->verbose = connect->verbose;
	client->pedantic = connect->pedantic;
	client->headers = client->worker->config->headers && connect->headers;
	client->no_responders = connect->no_responders;
	client->protocol = connect->protocol == 1 ? 1 : 0;
	return true;
}

/* What only the login needed is not kept with the connection. */
static void
session_wipe(struct client *client)
{
	struct nats_text *const secrets[] = { &client->connect->pass, &client->connect->auth_token, &client->connect->jwt,
		&client->connect->sig, &client->connect->nkey, &client->connect->proxy_sig };
	size_t i;

	for (i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++)
		if (secrets[i]->at != NULL) {
			memory_wipe((void *)(uintptr_t)secrets[i]->at, secrets[i]->length);
			secrets[i]->length = 0;
		}
}

/* The login is good: the last checks of CONNECT, then the connection is open. */
static void
session_welcome(struct client *client)
{
	const struct nats_connect *connect = client->connect;
	int64_t protocol = connect->protocol;

	client->state = CLIENT_ACTIVE;
	if (!client->connected)
		client_set_label(client);
	client->connected = true;
	session_wipe(client);
	if (connect->new_account || connect->account.length > 0) {
		session_violation(client, CLOSED_AUTHENTICATION_VIOLATION);
		return;
	}
	if (protocol < 0 || protocol > 1) {
		client_error(client, "invalid client protocol");
		client_close(client, CLOSED_BAD_CLIENT_PROTOCOL_VERSION);
		client_log(LOG_LEVEL_ERROR, client, "invalid client protocol");
		return;
	}
	if (client->no_responders && !client->headers) {
		client_error(client, "no responders requires headers support");
		client_close(client, CLOSED_NO_RESPONDERS_REQUIRES_HEADERS);
		client_log(LOG_LEVEL_ERROR, client, "no responders requires headers support");
		return;
	}
	client_ok(client);
}

/* As the policy says for who brings no credentials: everybody, or no_auth_user. */
static bool
session_let_in(struct client *client)
{
	struct worker *worker = client->worker;

	if (worker->policy.anonymous) {
		memory_free(client->user);
		client->user = worker->policy_user == NULL ? NULL : memory_string(worker->policy_user, strlen(worker->policy_user));
		client->login = worker->policy.login;
	}
	if (session_set_permissions(client, worker->policy.permissions))
		return true;
	session_violation(client, CLOSED_AUTHENTICATION_VIOLATION);
	return false;
}

bool
session_without_connect(struct client *client)
{
	if (!client->worker->policy.anonymous)
		return false;
	if (!session_let_in(client))
		return false;
	client->state = CLIENT_ACTIVE;
	client->connected = true;
	health_ping_later(client);
	return true;
}

static bool
session_has_credentials(const struct nats_connect *connect)
{
	return connect->user.length > 0 || connect->pass.length > 0 || connect->auth_token.length > 0 || connect->nkey.length > 0 ||
	    connect->jwt.length > 0;
}

static void
session_trace_connect(struct client *client, const struct nats_command *command)
{
	size_t size = (size_t)command->argument_length * 2 + 64, n;
	char *text = memory_alloc(size);

	if (text == NULL)
		return;
	n = nats_connect_redact(command->argument, command->argument_length, text, size);
	client_trace(client, "<<-", "CONNECT", text, n);
	memory_free(text);
}

void
session_connect(struct client *client, const struct nats_command *command)
{
	struct worker *worker = client->worker;
	struct nats_connect connect;
	struct arena *arena;
	char error[128];
	bool parsed, first = !client->connected;

	if (client->trace && log_level_trace)
		session_trace_connect(client, command);
	if (client->connect == NULL)
		nats_connect_init(&connect);
	else
		connect = *client->connect;
	arena = arena_create((size_t)command->argument_length * 64 + 65536);
	parsed =
	    arena != NULL && nats_connect_parse(arena, command->argument, command->argument_length, &connect, error, sizeof(error));
	if (!parsed || !session_take(client, &connect)) {
		arena_free(arena);
		client_log(LOG_LEVEL_ERROR, client, "%s", parsed ? "out of memory" : error);
		client_close(client, CLOSED_PROTOCOL_VIOLATION);
		return;
	}
	arena_free(arena);
	client->rtt = clock_monotonic() - client->started;
	health_first_ping(client);
	if (!first)
		(void)subscribe_drop(client, UINT32_MAX);
	if (!worker->policy.required || (worker->policy.anonymous && !session_has_credentials(client->connect))) {
		if (session_let_in(client))
			session_welcome(client);
		return;
	}
	client->state = CLIENT_ASKED;
	client_watch(client);
	control_ask(client, client->connect);
}

void
session_reply(struct worker *worker, const struct message_auth_reply *reply)
{
	struct client *client = client_find(worker, reply->client_index, reply->client_generation);
	struct broker_account *account;

	if (client == NULL || client->state != CLIENT_ASKED)
		return;
	client->state = CLIENT_ACTIVE;
	account = reply->ok ? broker_account(worker->broker, reply->account) : NULL;
	if (account == NULL || !session_set_permissions(client, reply->permissions)) {
		session_violation(client, CLOSED_AUTHENTICATION_VIOLATION);
		return;
	}
	client->account = account;
	client->login = reply->login;
	if (reply->user.length > 0) {
		memory_free(client->user);
		client->user = memory_string(reply->user.at, reply->user.length);
	}
	session_welcome(client);
	if (client->state != CLIENT_CLOSING)
		input_resume(client);
}

void
session_ping(struct client *client)
{
	bool inform;

	if (client->trace && log_level_trace) {
		client_trace(client, "<<-", "PING", NULL, 0);
		client_trace(client, "->>", "PONG", NULL, 0);
	}
	client_put(client, "PONG\r\n", 6);
	if (!client->connected || client->first_pong)
		return;
	client->first_pong = true;
	inform = client->protocol >= 1;
	if (inform)
		inform_send(client, true);
}

void
session_policy(struct worker *worker, const struct message_auth_policy *policy)
{
	memory_free(worker->policy_user);
	worker->policy_user = policy->user.length == 0 ? NULL : memory_string(policy->user.at, policy->user.length);
	worker->policy = *policy;
	memset(&worker->policy.user, 0, sizeof(worker->policy.user));
	worker->policy_known = true;
}

void
session_permissions(struct worker *worker, const struct message_auth_permissions *part)
{
	struct rights *rights = session_rights(worker, part->permissions);
	struct bytes_reader reader;

	if (rights == NULL) {
		CHECK(part->permissions != 0 && part->offset == 0);
		rights = memory_zalloc(sizeof(*rights));
		CHECK(rights != NULL);
		rights->number = part->permissions;
		rights->size = part->size;
		CHECK(part->size <= SESSION_RIGHTS_MAX * 16);
		rights->encoded = memory_alloc(part->size);
		CHECK(rights->encoded != NULL);
		CHECK(map_put_u64(&worker->rights, part->permissions, rights));
	}
	CHECK(rights->encoded != NULL && part->size == rights->size && part->offset == rights->received);
	CHECK(part->part.length <= rights->size - rights->received);
	memcpy(rights->encoded + rights->received, part->part.at, part->part.length);
	rights->received += part->part.length;
	if (rights->received < rights->size)
		return;
	bytes_reader_init(&reader, rights->encoded, rights->size);
	rights->set = permission_set_decode(&reader);
	CHECK(rights->set != NULL && bytes_done(&reader));
	memory_free(rights->encoded);
	rights->encoded = NULL;
}

void
session_forget(struct worker *worker, uint32_t number)
{
	struct rights *rights = session_rights(worker, number);

	if (rights == NULL)
		return;
	(void)map_remove_u64(&worker->rights, number);
	permission_set_release(rights->set);
	memory_free(rights->encoded);
	memory_free(rights);
}

/* After a reload: subscriptions that the new permissions do not allow go, with Go's words; the connection stays. */
static void
session_check_subscriptions(struct client *client)
{
	struct subscription *sub, **gone;
	uint32_t at = 0, count = 0, i;
	char text[CLIENT_ERROR_MAX], subject[4096];

	if (client->permissions == NULL || client->subscriptions.used == 0)
		return;
	if ((gone = memory_array(client->subscriptions.used, sizeof(*gone))) == NULL) {
		client_close(client, CLOSED_AUTHENTICATION_VIOLATION);
		return;
	}
	while ((sub = subscribe_next(client, &at)) != NULL)
		if (!subscribe_allowed(client, sub))
			gone[count++] = sub;
	for (i = 0; i < count; i++) {
		subscribe_violation_text(gone[i], subject, sizeof(subject), text, sizeof(text));
		client_error(client, text);
		log_notice("Removed sub %s (sid \"%.*s\") for %s - not authorized", subject, gone[i]->sid_length, gone[i]->sid,
		    client->user == NULL ? "N/A" : client->user);
		subscribe_remove(client, gone[i]);
	}
	memory_free(gone);
}

struct session_revoke_walk {
	const struct message_auth_revoke *revoke;
};

static void
session_revoke_one(struct client *client, void *arg)
{
	const struct message_auth_revoke *revoke = ((struct session_revoke_walk *)arg)->revoke;

	if (client->login != revoke->login || !client->connected)
		return;
	switch ((enum revoke_action)revoke->action) {
	case REVOKE_CLOSE: client_close(client, CLOSED_AUTHENTICATION_VIOLATION); return;
	case REVOKE_VIOLATION: session_violation(client, CLOSED_AUTHENTICATION_VIOLATION); return;
	case REVOKE_PERMISSIONS:
		if (session_set_permissions(client, revoke->permissions))
			session_check_subscriptions(client);
		else
			client_close(client, CLOSED_AUTHENTICATION_VIOLATION);
		return;
	}
	CHECK(false);
}

void
session_revoke(struct worker *worker, const struct message_auth_revoke *revoke)
{
	struct session_revoke_walk walk = { revoke };

	client_each(worker, session_revoke_one, &walk);
}
