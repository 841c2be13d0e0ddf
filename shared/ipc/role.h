/*
 * role.h: how every child of master starts, in the same order, and what it holds afterwards.
 *
 * main() of a role calls role_start first: fd 3 is the channel to master; everything else comes over it.  When role_start returns,
 * the process is in its sandbox and READY has been sent; only then may bytes from outside be read.  A child obeys its channel and
 * no signal: end of file on it means master is gone, and the child leaves at once (role_leave).
 */
#ifndef IPC_ROLE_H
#define IPC_ROLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc/channel.h"
#include "ipc/counters.h"
#include "ipc/mesh.h"
#include "ipc/messages.h"
#include "ipc/sandbox.h"
#include "ipc/snapshot.h"

#define ROLE_CHANNEL_FD 3
#define ROLE_LISTENERS_MAX 16
#define ROLE_HOST_MAX 256

struct role_listener {
	enum listener_kind kind;
	int fd;
	uint16_t port;
	char host[ROLE_HOST_MAX];
};

struct role {
	enum role_kind kind;
	unsigned index;           /* a worker's number, and its member number in the mesh */
	unsigned workers;         /* mesh members 0 .. workers - 1 are workers */
	uint64_t client_id_start; /* the next client id to give out ... */
	uint64_t client_id_step;  /* ... and the distance to the one after */
	unsigned layers;          /* enum sandbox_layer, active ones */
	bool mesh_member;
	struct channel master;
	struct channel authd;                                      /* worker: fd -1 while there is none */
	struct channel workers_channel[MESH_MEMBERS_MAX];          /* authd: fd -1 where there is none */
	struct mesh *mesh;                                         /* NULL in authd */
	struct counters *counters;                                 /* own page */
	const struct counters *all_counters[MESH_MEMBERS_MAX + 1]; /* by member; authd's is the last; NULL where there is none */
	struct role_listener listeners[ROLE_LISTENERS_MAX];
	unsigned listener_count;
	struct worker_config *worker_config;     /* of a worker, else NULL */
	struct authd_config *authd_config;       /* of authd, else NULL */
	struct worker_config *old_worker_config; /* see role_take_old_config */
	struct authd_config *old_authd_config;
	uint64_t config_generation;
};

/*
 * Never returns without success: on any failure it says why in the log and exits. Ends in the sandbox.  record and arg: for
 * mesh_attach (NULL in authd); nothing is drained before the role does it.
 */
struct role *role_start(enum role_kind kind, int argc, char **argv, mesh_record *record, void *arg);

/* Tells master that the main loop begins. */
void role_ready(struct role *role);

enum role_event {
	ROLE_EVENT_NOTHING,   /* no frame is waiting */
	ROLE_EVENT_HANDLED,   /* role.c did all there was to do (levels of the log, counters) */
	ROLE_EVENT_CONFIG,    /* a new configuration is in place; the old one is role_take_old_config's to give */
	ROLE_EVENT_AUTHD,     /* role->authd was replaced: watch the new descriptor, ask again what was asked */
	ROLE_EVENT_WORKER,    /* authd: role->workers_channel[member] was replaced */
	ROLE_EVENT_PEER_UP,   /* mesh_peer_up was called for member */
	ROLE_EVENT_PEER_DOWN, /* mesh_peer_down was called for member */
	ROLE_EVENT_LAME_DUCK,
	ROLE_EVENT_DRAIN, /* the frame says more */
	ROLE_EVENT_GONE   /* end of file: call role_leave */
};

/*
 * Takes the next frame from master and does what is common to all roles.  before_replace is called with the descriptor of a channel
 * that is about to be closed (so that the role can take it out of its loop), may be NULL.  Anything odd ends the process.
 */
enum role_event role_receive(
    struct role *role, struct channel_frame *frame, unsigned *member, void (*before_replace)(void *arg, int fd), void *arg);

/* The configuration that ROLE_EVENT_CONFIG replaced: the caller's to free. */
struct worker_config *role_take_old_config(struct role *role);
struct authd_config *role_take_old_authd_config(struct role *role);

/* Tells master that the configuration in place is in force. */
void role_config_done(struct role *role);

/* Reports a lying peer; master ends it and sends PEER_DOWN. */
void role_violation(struct role *role, unsigned member, const char *reason);

/* Ends the process without ceremony. */
_Noreturn void role_leave(int status);

#endif
