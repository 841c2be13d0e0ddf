/*
 * authd.h: the private header of authd, the process that decides logins.  It alone (beside master, which read them) holds
 * passwords; it has no network, no file, and one thread.
 *
 * Files: main.c (start, loop, channels), logins.c (from the configuration to logins, and what a reload means for them),
 * permissions.c (sets, numbered, told once to each worker), decide.c (one CONNECT), passwords.c (bcrypt, one at a time, fair by
 * source), accounts.c (numbers, grants).
 */
#ifndef AUTHD_AUTHD_H
#define AUTHD_AUTHD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "ipc/role.h"
#include "ipc/snapshot_fill.h"

enum {
	AUTHD_WORKERS_MAX = MESH_MEMBERS_MAX,
	AUTHD_ACCOUNTS_MAX = 65536,
	AUTHD_ADDRESS_SIZE = 64,
	AUTHD_SECRET_MAX = 72,       /* bytes of a password that bcrypt looks at */
	AUTHD_QUEUE_MAX = 8192,      /* logins that wait for a password check ... */
	AUTHD_QUEUE_SOURCE_MAX = 256 /* ... of one source */
};

enum login_kind { LOGIN_USER, LOGIN_SINGLE, LOGIN_TOKEN };

/* Who may log in. Number 0 is nobody: a client let in without a login. */
struct login {
	uint32_t number; /* the same after a reload and after a restart of authd */
	enum login_kind kind;
	const char *name; /* "" for the token */
	const char *password;
	uint32_t account;
	uint32_t connection_types;
	uint32_t permissions; /* number of the set, 0: everything is allowed */
	bool proxy_required;
};

struct logins {
	struct login *items; /* sorted by name; the token first */
	size_t count;
	bool required;
	const struct login *anonymous; /* who a client without credentials is (no_auth_user), or NULL */
	bool has_users;                /* a list of users, not a single one */
};

/* Handle of a client that waits for its verdict. */
struct asker {
	unsigned worker;
	uint32_t index, generation;
};

struct authd {
	struct role *role;
	struct loop *loop;
	struct loop_io master_io, worker_io[AUTHD_WORKERS_MAX];
	struct logins logins;
	bool draining;
};

extern struct authd authd;

/* ---- main.c ---- */

/* The channel to a worker, or NULL. */
struct channel *authd_channel(unsigned worker);
void authd_watch(unsigned worker);

/* ---- logins.c ---- */

bool logins_load(const struct authd_config *config, struct logins *logins);
void logins_free(struct logins *logins);
const struct login *logins_find(const struct logins *logins, const char *name, size_t length);
const struct login *logins_token(const struct logins *logins);
/* Tells the workers what becomes of the clients of each login. */
void logins_revoke(const struct logins *old, const struct logins *fresh);
void logins_tell_policy(unsigned worker);

/* ---- permissions.c ---- */

/* The number of the set, 0 for none, UINT32_MAX when memory is out. */
uint32_t permissions_number(const struct snapshot_permissions *permissions);
/* Sends the set before its first use. */
void permissions_tell(uint32_t number, unsigned worker);
void permissions_worker_new(unsigned worker);
/* Around a reload: sets that were not asked for between the two are forgotten, here and in the workers. */
void permissions_reload_begin(void);
void permissions_reload_end(void);

/* ---- accounts.c ---- */

/* "" and "$G" are ACCOUNT_GLOBAL. 0: too many, or no memory. */
uint32_t accounts_number(const char *name);
/* Before a verdict that lets a client of this worker into the account. */
void accounts_grant(uint32_t account, unsigned worker);
void accounts_worker_new(unsigned worker);

/* ---- decide.c ---- */

void decide(unsigned worker, const struct message_auth_request *request);
void decide_reply(const struct asker *asker, const struct login *login, const char *reason);

/* ---- passwords.c ---- */

/* Compares a plain one in constant time. */
bool password_equal(const char *stored, const char *given, size_t length);
/* Compares now, whatever it costs. */
bool password_matches(const char *stored, const char *given, size_t length);
/* Queues a comparison with a bcrypt hash; the verdict comes by decide_reply. False: the queue is full. */
bool passwords_ask(
    const struct asker *asker, uint32_t login, const char *source, size_t source_length, const char *given, size_t length);
void passwords_cancel(const struct asker *asker);
void passwords_cancel_worker(unsigned worker);
bool passwords_waiting(void);
/* Works on one. */
void passwords_step(void);

#endif
