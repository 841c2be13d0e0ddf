/*
 * logins.c: who may log in, from authd's part of the configuration, and what a reload means for those who are in.
 * Texts belong to the configuration the logins were made from, which lives as long as they do.
 */
#include "authd.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"

#define FNV_START 2166136261u
#define FNV_PRIME 16777619u

/* Password hashes that a reload may compute to see whether only the spelling of a password changed. */
#define RELOAD_HASHES 16

static bool
given(const char *text)
{
	return text != NULL && text[0] != '\0';
}

static int
by_name(const void *a, const void *b)
{
	const struct login *x = a, *y = b;
	int order = (y->kind == LOGIN_TOKEN) - (x->kind == LOGIN_TOKEN);

	return order != 0 ? order : strcmp(x->name, y->name);
}

/* A number that depends on the name alone: workers keep it over a restart of authd. */
static uint32_t
number_of(const struct login *login)
{
	uint32_t hash = FNV_START ^ (login->kind == LOGIN_TOKEN ? 1u : 0u);

	for (const char *c = login->name; *c != '\0'; c++)
		hash = (hash ^ (uint8_t)*c) * FNV_PRIME;
	return hash == 0 ? 1 : hash;
}

static bool
number_taken(const struct logins *logins, size_t before, uint32_t number)
{
	for (size_t i = 0; i < before; i++)
		if (logins->items[i].number == number)
			return true;
	return false;
}

static int
by_number(const void *a, const void *b)
{
	const struct login *x = *(const struct login *const *)a, *y = *(const struct login *const *)b;

	return x->number != y->number ? (x->number > y->number) - (x->number < y->number) : strcmp(x->name, y->name);
}

/* Two names with the same number: the second moves on to the next free one.  Rare, so it may be slow. */
static bool
separate_numbers(struct logins *logins)
{
	const struct login **order = memory_array(logins->count + 1, sizeof(*order));

	if (order == NULL)
		return false;
	for (size_t i = 0; i < logins->count; i++)
		order[i] = &logins->items[i];
	if (logins->count > 1)
		qsort(order, logins->count, sizeof(*order), by_number);
	for (size_t i = 1; i < logins->count; i++) {
		struct login *login = &logins->items[order[i] - logins->items];

		if (order[i - 1]->number != order[i]->number)
			continue;
		while (login->number == 0 || number_taken(logins, logins->count, login->number + 1))
			login->number++;
		login->number++;
	}
	memory_free(order);
	return true;
}

static bool
add_user(struct logins *logins, const struct snapshot_user *user)
{
	struct login *login = &logins->items[logins->count++];

	*login = (struct login){ .kind = LOGIN_USER,
		.name = user->name,
		.password = user->password,
		.account = accounts_number(user->account),
		.connection_types = user->connection_types,
		.permissions = permissions_number(user->permissions),
		.proxy_required = user->proxy_required };
	return login->account != 0 && login->permissions != UINT32_MAX;
}

/* As nats-server's configureAuthorization: users, else the token, else a single user, else nobody needs a login. */
static bool
collect(const struct authd_config *config, struct logins *logins)
{
	if (config->user_count > 0) {
		logins->has_users = true;
		for (uint32_t i = 0; i < config->user_count; i++)
			if (!add_user(logins, &config->users[i]))
				return false;
	}
	/* Where there are users, too, these serve those that the list does not know (auth.go: simple auth comes last). */
	if (given(config->token))
		logins->items[logins->count++] = (struct login){ .kind = LOGIN_TOKEN,
			.name = "",
			.password = config->token,
			.account = ACCOUNT_GLOBAL,
			.proxy_required = config->proxy_required };
	else if (given(config->username))
		logins->items[logins->count++] = (struct login){ .kind = LOGIN_SINGLE,
			.name = config->username,
			.password = config->password == NULL ? "" : config->password,
			.account = ACCOUNT_GLOBAL,
			.proxy_required = config->proxy_required };
	return true;
}

bool
logins_load(const struct authd_config *config, struct logins *logins)
{
	memset(logins, 0, sizeof(*logins));
	logins->items = memory_array((size_t)config->user_count + 2, sizeof(*logins->items));
	if (logins->items == NULL || !collect(config, logins))
		return false;
	logins->required = logins->count > 0;
	if (logins->count > 1)
		qsort(logins->items, logins->count, sizeof(*logins->items), by_name);
	for (size_t i = 0; i < logins->count; i++)
		logins->items[i].number = number_of(&logins->items[i]);
	if (!separate_numbers(logins))
		return false;
	if (given(config->no_auth_user)) {
		const struct login *user = logins_find(logins, config->no_auth_user, strlen(config->no_auth_user));

		if (user != NULL && user->kind == LOGIN_USER)
			logins->anonymous = user;
	}
	return true;
}

void
logins_free(struct logins *logins)
{
	memory_free(logins->items);
	memset(logins, 0, sizeof(*logins));
}

const struct login *
logins_token(const struct logins *logins)
{
	return logins->count > 0 && logins->items[0].kind == LOGIN_TOKEN ? &logins->items[0] : NULL;
}

const struct login *
logins_find(const struct logins *logins, const char *name, size_t length)
{
	size_t low = logins_token(logins) != NULL ? 1 : 0, high = logins->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const char *candidate = logins->items[middle].name;
		size_t n = strlen(candidate), common = n < length ? n : length;
		int order = common == 0 ? 0 : memcmp(name, candidate, common);

		if (order == 0)
			order = (length > n) - (length < n);
		if (order == 0)
			return &logins->items[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

void
logins_tell_policy(unsigned worker)
{
	struct message_auth_policy policy = { .required = authd.logins.required, .account = ACCOUNT_GLOBAL };
	const struct login *anonymous = authd.logins.anonymous;
	struct channel *channel = authd_channel(worker);

	if (channel == NULL)
		return;
	if (anonymous != NULL) {
		policy.anonymous = true;
		policy.login = anonymous->number;
		policy.account = anonymous->account;
		policy.permissions = anonymous->permissions;
		policy.connection_types = anonymous->connection_types;
		policy.user = message_text(anonymous->name);
		permissions_tell(anonymous->permissions, worker);
	}
	if (anonymous != NULL || !policy.required)
		accounts_grant(policy.account, worker);
	(void)message_auth_policy_send(channel, &policy, NULL, 0);
	authd_watch(worker);
}

/* ---- reload ---- */

static void
revoke_all(uint32_t login, enum revoke_action action, uint32_t permissions)
{
	const struct message_auth_revoke message = { login, (uint8_t)action, permissions, message_text("") };

	for (unsigned i = 0; i < AUTHD_WORKERS_MAX; i++) {
		struct channel *channel = authd_channel(i);

		if (channel == NULL)
			continue;
		permissions_tell(permissions, i);
		(void)message_auth_revoke_send(channel, &message, NULL, 0);
		authd_watch(i);
	}
}

/* Would what logged in before still log in?  A password may have been replaced by its hash. */
static bool
same_password(const char *old, const char *fresh, unsigned *hashes)
{
	bool old_hash = password_is_bcrypt(old), fresh_hash = password_is_bcrypt(fresh);

	if (strcmp(old, fresh) == 0)
		return true;
	if (old_hash == fresh_hash || (*hashes)++ >= RELOAD_HASHES)
		return false;
	return old_hash ? password_matches(old, fresh, strlen(fresh)) : password_matches(fresh, old, strlen(old));
}

/* BEHAVIOUR, Configuration 6, and nats-server's reloadAuthorization. */
static void
revoke_one(const struct login *old, const struct logins *fresh, unsigned *hashes)
{
	bool token = old->kind == LOGIN_TOKEN;
	const struct login *now = token ? logins_token(fresh) : logins_find(fresh, old->name, strlen(old->name));

	if (now == NULL) {
		if (!token)
			revoke_all(old->number, REVOKE_CLOSE, 0);
		else if (fresh->required)
			revoke_all(old->number, REVOKE_VIOLATION, 0);
	} else if (now->account != old->account)
		revoke_all(old->number, REVOKE_CLOSE, 0);
	else if (now->connection_types != 0 && (now->connection_types & CONNECTION_STANDARD) == 0)
		revoke_all(old->number, REVOKE_VIOLATION, 0);
	else if (!same_password(old->password, now->password, hashes))
		revoke_all(
		    old->number, old->kind == LOGIN_SINGLE && now->kind == LOGIN_SINGLE ? REVOKE_CLOSE : REVOKE_VIOLATION, 0);
	else if (now->number != old->number)
		revoke_all(old->number, REVOKE_CLOSE, 0);
	else if (now->permissions != old->permissions)
		revoke_all(old->number, REVOKE_PERMISSIONS, now->permissions);
}

void
logins_revoke(const struct logins *old, const struct logins *fresh)
{
	unsigned hashes = 0;

	if (fresh->required && !old->required)
		revoke_all(0, REVOKE_VIOLATION, 0);
	for (size_t i = 0; i < old->count; i++)
		revoke_one(&old->items[i], fresh, &hashes);
}
