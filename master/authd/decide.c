/*
 * decide.c: one CONNECT against the logins, in the order of nats-server's processClientOrLeafAuthentication.  Cheap checks come
 * first; only a right name with a bcrypt password goes into the queue.  Why a login was refused is for the log alone.
 */
#include "authd.h"

#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"

static bool
is_empty(struct message_text text)
{
	return text.length == 0;
}

void
decide_reply(const struct asker *asker, const struct login *login, const char *reason)
{
	struct message_auth_reply reply = { .client_index = asker->index, .client_generation = asker->generation };
	struct channel *channel = authd_channel(asker->worker);

	CHECK(login != NULL || reason != NULL);
	if (channel == NULL)
		return;
	if (login != NULL) {
		permissions_tell(login->permissions, asker->worker);
		accounts_grant(login->account, asker->worker);
		reply.ok = true;
		reply.login = login->number;
		reply.account = login->account;
		reply.permissions = login->permissions;
		reply.connection_types = login->connection_types;
		reply.max_subscriptions = reply.max_payload = -1;
		reply.user = message_text(login->name);
	} else {
		COUNTERS_ADD(authd.role->counters, auth_failures, 1);
		reply.reason = message_text(reason);
	}
	(void)message_auth_reply_send(channel, &reply, NULL, 0);
	authd_watch(asker->worker);
}

/* The login this CONNECT means, or NULL and the reason. */
static const struct login *
choose(const struct message_auth_request *request, const char **reason)
{
	const struct logins *logins = &authd.logins;
	const struct login *login = NULL, *token = logins_token(logins);

	if (logins->anonymous != NULL && is_empty(request->user) && is_empty(request->password) && is_empty(request->token))
		return logins->anonymous;
	if (!is_empty(request->user)) {
		login = logins_find(logins, request->user.at, request->user.length);
		*reason = "unknown user";
		if (login != NULL && login->kind == LOGIN_SINGLE && token != NULL)
			login = NULL;
		if (login == NULL && logins->has_users)
			return NULL;
	}
	if (login == NULL && token != NULL) {
		*reason = "wrong token";
		return is_empty(request->token) ? NULL : token;
	}
	if (login == NULL)
		*reason = is_empty(request->user) ? "no credentials" : "unknown user";
	return login;
}

static void
check_password(const struct asker *asker, const struct login *login, const struct message_auth_request *request)
{
	const struct message_text *secret = login->kind == LOGIN_TOKEN ? &request->token : &request->password;

	if (!password_is_bcrypt(login->password)) {
		bool good = password_equal(login->password, secret->at, secret->length);

		decide_reply(asker, good ? login : NULL, login->kind == LOGIN_TOKEN ? "wrong token" : "wrong password");
		return;
	}
	if (!passwords_ask(asker, login->number, request->address.at, request->address.length, secret->at, secret->length))
		decide_reply(asker, NULL, "too many logins of this source wait for a password check");
}

void
decide(unsigned worker, const struct message_auth_request *request)
{
	const struct asker asker = { worker, request->client_index, request->client_generation };
	const char *reason = "no login";
	const struct login *login;

	if (!authd.logins.required) {
		static const struct login open = { .name = "", .password = "", .account = ACCOUNT_GLOBAL };

		decide_reply(&asker, &open, NULL);
		return;
	}
	login = choose(request, &reason);
	if (login == NULL)
		decide_reply(&asker, NULL, reason);
	else if (login->connection_types != 0 && (login->connection_types & CONNECTION_STANDARD) == 0)
		decide_reply(&asker, NULL, "connection type not allowed");
	else if (login->proxy_required)
		decide_reply(&asker, NULL, "proxy connection required");
	else if (login == authd.logins.anonymous && is_empty(request->user) && is_empty(request->password) &&
	    is_empty(request->token))
		decide_reply(&asker, login, NULL);
	else
		check_password(&asker, login, request);
}
