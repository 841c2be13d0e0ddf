/*
 * snapshot.h: a role's part of the configuration, handed over as a sealed, read-only memfd.
 *
 * Master encodes (snapshot_*_create), a role decodes at its start and on every CONFIG message.  A decoded configuration never
 * changes and lives in one mapping plus one block; a reload gives a new one.  Each role gets what it needs and no more: only
 * authd_config holds passwords.
 */
#ifndef IPC_SNAPSHOT_H
#define IPC_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

struct snapshot_texts {
	uint32_t count;
	const char *const *items; /* NUL-ended */
};

struct snapshot_pair {
	const char *name, *value;
};

struct snapshot_pairs {
	uint32_t count;
	const struct snapshot_pair *items;
};

struct worker_config {
	struct arena *arena; /* owns all texts */
#define TEXT(name) const char *name;
#define FLAG(name) bool name;
#define NUMBER(name) int64_t name;
#define TEXTS(name) struct snapshot_texts name;
#define PAIRS(name) struct snapshot_pairs name;
#define FIELD(kind, name, text) kind(name)
#include "ipc/snapshot.def"
#undef FIELD
#undef TEXT
#undef FLAG
#undef NUMBER
#undef TEXTS
#undef PAIRS
};

struct snapshot_subjects {
	bool set; /* the list exists, even if it is empty */
	uint32_t count;
	const char *const *items; /* "subject" or, for subscribe lists, "subject queue" */
};

struct snapshot_permissions {
	struct snapshot_subjects publish_allow, publish_deny, subscribe_allow, subscribe_deny;
	bool responses;
	int64_t responses_max;     /* below 0: no limit */
	int64_t responses_expires; /* ns, below 0: never */
};

struct snapshot_user {
	const char *name;
	const char *password;      /* plain or bcrypt */
	const char *account;       /* "" is $G */
	uint32_t connection_types; /* enum connection_type; 0: all */
	bool proxy_required;
	const struct snapshot_permissions *permissions; /* NULL: everything is allowed */
};

struct authd_config {
	struct arena *arena;                     /* owns all; wiped when freed */
	const char *username, *password, *token; /* NULL: not configured */
	const char *no_auth_user;                /* NULL: none */
	bool auth_block;
	bool proxy_required;
	int64_t auth_timeout; /* ns */
	uint32_t user_count;
	const struct snapshot_user *users;
};

struct options;

/* Master: a sealed memfd, read-only to whoever maps it; -1 with errno. The worker's is encoded from a filled struct. */
int snapshot_worker_create(const struct worker_config *config);
int snapshot_authd_create(const struct options *options);

/* A role: decodes what the memfd holds. NULL when it is not sealed, damaged, or memory is short. The descriptor stays the caller's.
 */
struct worker_config *snapshot_worker_read(int fd);
struct authd_config *snapshot_authd_read(int fd);

/* NULL is fine. authd's is wiped first. */
void snapshot_worker_free(struct worker_config *config);
void snapshot_authd_free(struct authd_config *config);

#endif
