/*
 * accounts.c: the numbers of accounts, and which worker may speak for which.  Numbers are never given again while authd lives.
 * Accounts with limits, imports and exports come with their own issue.
 */
#include "authd.h"

#include <string.h>

#include "base/check.h"
#include "base/memory.h"

struct account {
	char *name;
	uint64_t granted; /* bit w: worker w may speak for it */
};

static struct account *accounts; /* number - 1 */
static uint32_t account_count, account_room;

static bool
add(const char *name)
{
	struct account *more;

	if (account_count == AUTHD_ACCOUNTS_MAX)
		return false;
	if (account_count == account_room) {
		more = memory_realloc(accounts, (account_room + 64) * sizeof(*accounts));
		if (more == NULL)
			return false;
		accounts = more;
		account_room += 64;
	}
	accounts[account_count] = (struct account){ .name = memory_string(name, strlen(name)) };
	if (accounts[account_count].name == NULL)
		return false;
	account_count++;
	return true;
}

static bool
add_fixed(void)
{
	return account_count > 0 || (add("$G") && add("$SYS"));
}

static void
tell(uint32_t account, unsigned worker)
{
	const struct message_account message = { account, message_text(accounts[account - 1].name) };
	struct channel *channel = authd_channel(worker);

	if (channel != NULL)
		(void)message_account_send(channel, &message, NULL, 0);
}

uint32_t
accounts_number(const char *name)
{
	if (!add_fixed())
		return 0;
	if (name[0] == '\0')
		return ACCOUNT_GLOBAL;
	for (uint32_t i = 0; i < account_count; i++)
		if (strcmp(accounts[i].name, name) == 0)
			return i + 1;
	if (!add(name))
		return 0;
	for (unsigned i = 0; i < AUTHD_WORKERS_MAX; i++)
		tell(account_count, i);
	return account_count;
}

/* One worker hears that another may speak for the account. */
static void
tell_grant(unsigned worker, uint32_t account, unsigned member)
{
	const struct message_account_grant message = { account, member };
	struct channel *channel = authd_channel(worker);

	if (channel == NULL || worker == member)
		return;
	(void)message_account_grant_send(channel, &message, NULL, 0);
	authd_watch(worker);
}

void
accounts_grant(uint32_t account, unsigned worker)
{
	CHECK(account > 0 && account <= account_count);
	CHECK(worker < AUTHD_WORKERS_MAX);
	if ((accounts[account - 1].granted & UINT64_C(1) << worker) != 0)
		return;
	accounts[account - 1].granted |= UINT64_C(1) << worker;
	for (unsigned i = 0; i < AUTHD_WORKERS_MAX; i++)
		tell_grant(i, account, worker);
}

void
accounts_worker_new(unsigned worker)
{
	CHECK(worker < AUTHD_WORKERS_MAX);
	CHECK(add_fixed());
	for (uint32_t account = 1; account <= account_count; account++) {
		tell(account, worker);
		accounts[account - 1].granted &= ~(UINT64_C(1) << worker);
		for (unsigned i = 0; i < AUTHD_WORKERS_MAX; i++)
			if ((accounts[account - 1].granted & UINT64_C(1) << i) != 0)
				tell_grant(worker, account, i);
	}
	/* Internal work in the global account needs no login. */
	accounts_grant(ACCOUNT_GLOBAL, worker);
}
