/*
 * snapshot_fill.h: from the options and a few facts that master alone knows to what a worker is told.  Pure; called by master.
 */
#ifndef IPC_SNAPSHOT_FILL_H
#define IPC_SNAPSHOT_FILL_H

#include <stddef.h>
#include <stdint.h>

#include "ipc/snapshot.h"

struct options;

struct snapshot_facts {
	const char *server_id, *server_name, *xkey, *version, *build;
	int64_t started_wall, started_monotonic, loaded_wall;
	int64_t pid, workers;
	int64_t client_port, http_port; /* as bound; http_port 0: none */
	const char *http_host;
	struct snapshot_texts global_addresses; /* of this machine's interfaces, for connect_urls */
};

/* NULL when memory is short. The result borrows texts from both arguments; free it with snapshot_worker_free before them. */
struct worker_config *snapshot_worker_fill(const struct options *options, const struct snapshot_facts *facts);

/* Is a stored password (or token) a bcrypt hash?  (auth.go isBcrypt) */
bool password_is_bcrypt(const char *stored);

/* Does some user, or the single one, have a password that is not hashed?  (auth.go checkAuthforWarnings) */
bool passwords_are_plain(const struct options *options);

/* "host:port", "[v6]:port" (Go's net.JoinHostPort). Returns out. */
const char *join_host_port(const char *host, unsigned port, char *out, size_t size);

#endif
