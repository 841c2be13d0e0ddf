/*
 * server.h: master's private header: one server, its children, and what the files of this room say to each other.
 *
 * master parses nothing that comes from the network.  Its verbs are few: read the configuration, bind, start and replace children,
 * hand them descriptors, write the log, take signals, stop.  Files: main.c (command line), server.c (start, signals, stop),
 * children.c (life of a child), frames.c (what is said to children, and what they say), listen.c (sockets), config.c (load,
 * snapshot, reload), addresses.c (interfaces), files.c (pid and ports file), notify.c (service managers), command.c (--signal),
 * logger*.c.
 */
#ifndef MASTER_SERVER_H
#define MASTER_SERVER_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "ipc/channel.h"
#include "ipc/counters.h"
#include "ipc/mesh.h"
#include "ipc/panic.h"
#include "ipc/snapshot.h"
#include "model/nkey.h"
#include "model/options.h"

#define NATS_VERSION "2.15.2" /* whose behaviour we offer */

enum {
	SERVER_LISTENERS_MAX = 4,
	SERVER_WORKERS_DEFAULT_MAX = 8,
	SERVER_DEATHS_MAX = 5, /* of one role ... */
	SERVER_LOG_BUFFER = 65536,
	SERVER_ADDRESSES_MAX = 64,
	SERVER_ADDRESS_SIZE = 80
};

#define SERVER_DEATHS_WINDOW (10 * LOOP_SECOND) /* ... within this time end the server */
#define SERVER_STOP_PATIENCE (5 * LOOP_SECOND)  /* for children to flush and leave */
#define SERVER_RELOAD_PATIENCE (2 * LOOP_SECOND)

struct server;

struct listener {
	enum listener_kind kind;
	int fd;         /* -1: closed */
	bool inherited; /* from the service manager */
	char host[256]; /* as configured */
	uint16_t port;  /* as bound */
};

/* A place for a process: it outlives the processes that fill it one after the other. */
struct child {
	struct server *server;
	enum role_kind kind;
	unsigned index;           /* among its kind */
	unsigned counters_number; /* in COUNTERS frames */
	pid_t pid;                /* 0: nobody */
	bool member;              /* has a place in the mesh */
	bool introduced;          /* tied to the others that run */
	bool ready, empty_handed /* lame duck: no clients left */, condemned;
	unsigned layers;
	struct channel channel;
	struct loop_io channel_io, log_io;
	char *log_buffer;
	size_t log_used;
	struct counters *counters;
	int counters_rw, counters_ro, panic_fd;
	struct panic_page *panic;
	struct mesh_member mesh;
	struct loop_timer respawn;
	uint64_t config_generation; /* last one in force */
	uint64_t alive;             /* last number answered */
	uint64_t starts;
};

struct role_program {
	int fd; /* the binary, opened at the start */
	uid_t uid;
	gid_t gid;
	int64_t deaths[SERVER_DEATHS_MAX]; /* monotonic, a ring */
	unsigned deaths_count;
};

struct server {
	struct loop *loop;
	struct loop_signals signals;
	const struct flags *flags;
	const char *program;
	struct options *options;
	bool root;
	int empty_fd; /* an empty folder without a name, for chroot */
	int null_fd;
	char id[NKEY_PUBLIC_LENGTH + 1], xkey[NKEY_PUBLIC_LENGTH + 1];
	const char *name;
	int64_t started_wall, started_monotonic, loaded_wall;
	struct listener listeners[SERVER_LISTENERS_MAX];
	unsigned listener_count;
	char addresses[SERVER_ADDRESSES_MAX][SERVER_ADDRESS_SIZE]; /* of the interfaces, at the start */
	bool addresses_global[SERVER_ADDRESSES_MAX];
	unsigned address_count;
	struct role_program programs[ROLE_KINDS];
	struct child *children; /* workers first, authd last */
	unsigned child_count, workers;
	size_t ring_size;
	int worker_config_fd, authd_config_fd;
	uint64_t config_generation;
	bool reloading, reload_workers /* authd has confirmed */;
	bool announced, stopping, lame_duck;
	int exit_code;
	bool finished;
	struct loop_timer stop_timer, lame_duck_timer, reload_timer, watchdog_timer;
	uint64_t watchdog_number;
	int64_t watchdog_interval; /* 0: none */
	const char *ports_file;    /* written, to be removed */
	bool pid_file_written;
};

/* ---- server.c ---- */

/* Runs until the end; returns the exit code. */
int server_run(const struct flags *flags, struct options *options);
/* Ends the server with an error, as nats-server's Fatalf. */
void server_fatal(struct server *server, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Children are told to flush and leave; server_run returns when they have. */
void server_stop(struct server *server, int exit_code);
/* A child came into its main loop, left for good, or has no clients any more. */
void server_child_ready(struct server *server);
void server_child_gone(struct server *server);

/* ---- children.c ---- */

bool children_create(struct server *server, char *error, size_t size);
void children_start(struct server *server);
void children_reap(struct server *server);
void child_kill(struct child *child, const char *reason);
bool children_running(const struct server *server);
void children_free(struct server *server);

/* ---- frames.c ---- */

/* Everything between START and GO. False: the child is lost. */
bool frames_start(struct child *child, int log_write);
/* Ties the child to all others that run: rings, channels to authd. */
void frames_introduce(struct child *child);
void frames_go(struct child *child);
void frames_peer_down(struct child *gone);
void frames_receive(struct child *child);
void frames_drain(struct server *server);
void frames_lame_duck(struct server *server);
void frames_config(struct server *server, bool authd);
void frames_log_levels(struct server *server);
void frames_check_alive(struct server *server);
/* Watches for what the channel needs now. */
void frames_watch(struct child *child);

/* ---- listen.c ---- */

bool listen_open(struct server *server, char *error, size_t size);
void listen_close(struct server *server, bool all); /* all: monitoring, too */
const struct listener *listen_find(const struct server *server, enum listener_kind kind);

/* ---- config.c ---- */

/* Loads file and flags for the start; what there is to say goes to standard error. NULL: not usable. */
struct options *config_load(const struct flags *flags);
/* Makes the snapshots of the options in force. */
bool config_snapshot(struct server *server);
void config_reload(struct server *server);
void config_reload_step(struct server *server); /* a child confirmed */

/* ---- addresses.c, files.c, notify.c, command.c ---- */

void addresses_read(struct server *server);
bool files_write_pid(struct server *server);
void files_write_ports(struct server *server);
void files_remove(struct server *server);
void notify_open(int ready_fd);
void notify_send(const char *state);
void notify_ready(void);
int64_t notify_watchdog(void); /* ns between signs of life, 0: nobody asks */
int command_run(const char *program, const char *command, const char *target);

#endif
