/*
 * The worker's private header: the process that serves clients. One loop, one thread, no files, no new sockets.
 * A turn is: drain the mesh, wait for sockets, read, drain again, obey, commit to the mesh, write to the sockets
 * (the order behind the two promises of ARCHITECTURE 2).
 *
 * Files: main.c (start, turn), accept.c (listeners and fair shares), client.c (life of a connection), input.c (bytes to
 * commands), session.c (CONNECT and logins), subscribe.c (SUB, UNSUB), publish.c (PUB, HPUB), deliver.c (messages to
 * subscribers), output.c (what waits to be written), health.c (pings, deadlines), control.c (master and authd speak),
 * leave.c (lame duck, drain), inform.c (INFO), describe.c (how a connection is called in logs, traces).
 */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include <sys/queue.h>
#include <sys/socket.h>

#include <netinet/in.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/blob.h"
#include "base/check.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/map.h"
#include "broker/broker.h"
#include "ipc/counters.h"
#include "ipc/role.h"
#include "ipc/snapshot.h"
#include "model/closed.h"
#include "model/options.h"
#include "model/permission.h"
#include "wire/connect.h"
#include "wire/nats.h"

#include "output.h"

enum {
	CLIENT_MAGIC = 0x636c6974,
	SUBSCRIPTION_MAGIC = 0x73756273,
	WORKER_READ_SIZE = 262144,          /* one buffer for all connections */
	WORKER_UNAUTHENTICATED_READ = 4096, /* and no more than this at once from who has not logged in */
	WORKER_TURN_OUTPUT = 524288,        /* bytes for sockets after which what was read so far is committed and written */
	WORKER_DRAIN_BUDGET = 512,          /* records between two looks at what waits for the sockets ... */
	WORKER_DRAIN_TIMES = 16,            /* ... and so many times that in one turn */
	WORKER_REAP_SUBSCRIPTIONS = 20000,  /* subscriptions of closed connections removed in one turn */
	WORKER_TRIMS = 3,
	CLIENT_DESCRIPTION_MAX = 2048,
	CLIENT_ERROR_MAX = 8448 /* an -ERR text with a quoted subject */
};

#define CLIENT_FIRST_PING (2 * LOOP_SECOND)       /* server.go firstClientPingInterval */
#define CLIENT_RTT_INTERVAL (3600 * LOOP_SECOND)  /* const.go DEFAULT_RTT_MEASUREMENT_INTERVAL */
#define WORKER_LIMIT_LOG (2 * LOOP_SECOND)        /* account.go defaultMaxSubLimitReportThreshold */
#define CLIENT_STALL_SHORT (2 * LOOP_MILLISECOND) /* client.go stallClientMinDuration */
#define CLIENT_STALL_LONG (5 * LOOP_MILLISECOND)  /* client.go stallClientMaxDuration */

/* One subscription of one connection; its size counts, see subscribe.c. */
struct subscription {
	struct sublist_sub entry; /* first: the index of interest points here */
	struct client *client;
	uint32_t delivered; /* messages so far, sticks at its maximum */
	uint32_t maximum;   /* unsubscribe after so many, 0: no limit */
	unsigned sid_length : 14;
	unsigned check_deny : 1; /* deliveries go through the deny list first */
	unsigned finished : 1;   /* reached its maximum, on the worker's list of those to remove */
	char sid[];
};

/* Subscriptions of one connection by sid: open addressing, sized by powers of two. */
struct subscription_table {
	struct subscription **slots;
	uint32_t size; /* slots: 0 or a power of two */
	uint32_t used;
};

enum client_state {
	CLIENT_UNAUTHENTICATED, /* a login is needed first: nothing but CONNECT is obeyed */
	CLIENT_ASKED,           /* authd has the CONNECT, input waits */
	CLIENT_ACTIVE,
	CLIENT_CLOSING /* on the list of those to close at the end of the turn */
};

struct client {
	uint32_t magic;
	uint32_t index; /* its place in worker->clients; with generation the handle others know it by */
	uint32_t generation;
	enum client_state state;
	struct loop_io io;
	struct loop_timer timer;       /* login deadline, then pings */
	struct loop_timer write_timer; /* write deadline, while output waits for the socket */
	struct loop_timer stall_timer; /* not read until then, since a receiver is slow */
	struct worker *worker;
	struct broker_account *account;
	struct permission_set *permissions; /* NULL: everything is allowed */
	struct permission_replies *replies; /* NULL: no allow_responses */
	struct output output;
	struct client *touched_next; /* has output to write this turn */
	struct client *closing_next;
	LIST_ENTRY(client) held_link;
	LIST_ENTRY(client) paused_link;
	struct subscription_table subscriptions;
	struct nats_parser parser;
	struct blob *tail; /* the broken-off end of a read */
	uint32_t tail_length;
	uint32_t login;         /* authd's number of the user, 0: none */
	uint64_t id;            /* cid */
	uint64_t hold_position; /* held: output waits until interest up to here is in all rings */
	size_t write_goal;      /* bytes that must go out before the write deadline starts anew */
	int64_t started;        /* monotonic ns */
	int64_t last_input;
	int64_t ping_sent; /* monotonic ns, 0: none yet */
	int64_t rtt;       /* ns, 0: unknown */
	int64_t stalled;   /* ns of stall given to it since its last read */
	uint64_t in_messages, in_bytes, out_messages, out_bytes;
	struct nats_connect *connect; /* texts of CONNECT for descriptions, NULL before; one block */
	char *user;                   /* as authd calls it, NULL: none */
	char *label;                  /* what the log adds to address and cid, from the first CONNECT on; NULL: nothing */
	char nonce[16];               /* "" where none was given */
	struct in6_addr address;      /* v4 as mapped */
	uint16_t port;
	uint8_t pings_out;
	uint8_t protocol;
	uint8_t closed; /* enum closed_reason */
	bool touched, held, paused, verbose, pedantic, echo, headers, no_responders, connected, first_pong, slow, trace;
	bool write_blocked; /* the socket took no more */
};

LIST_HEAD(client_list, client);

/* A permission set as authd numbers it. */
struct rights {
	uint32_t number;
	uint32_t size, received; /* bytes of its encoding */
	uint8_t *encoded;        /* NULL once complete */
	struct permission_set *set;
};

struct client_slot {
	struct client *client; /* NULL: free */
	uint32_t generation;   /* of the present or next client */
	uint32_t next_free;
};

struct worker {
	struct role *role;
	struct loop *loop;
	struct broker *broker;
	struct mesh *mesh;
	struct counters *counters;
	const struct worker_config *config;
	struct client_slot *clients;
	uint32_t clients_size, clients_free; /* head of the free list */
	uint32_t client_count;
	uint64_t next_id;
	struct client *touched, *closing;
	struct client_list held, paused;
	struct subscription **finished; /* reached their maximum in this publish */
	uint32_t finished_count, finished_size;
	size_t turn_output; /* bytes put for sockets since the last flush */
	uint8_t *read_buffer;
	struct loop_io master_io, authd_io, bell_io;
	struct loop_io *listen_ios;
	struct map rights;                 /* struct rights by number */
	struct message_auth_policy policy; /* its texts are not kept but for policy_user */
	char *policy_user;
	bool policy_known;
	bool behind; /* the last drain met its budget: no client is read this turn */
	bool listening;
	bool lame_duck, draining;
	uint8_t trims_left;      /* looks still to be taken at max_connections after a reload, see leave.c */
	bool turn_worked, trim;  /* a socket was read; spare memory is to be given back when all is quiet */
	struct leave *leave;     /* of leave.c, NULL until it comes to that */
	struct monitor *monitor; /* of monitor.c, NULL but in the watch worker */
	struct loop_timer accept_timer, sample_timer;
	uint64_t turns_sampled;
	int64_t limit_logged;        /* when "maximum subscriptions exceeded" was logged last */
	struct channel_frame *frame; /* what was received last from master */
	struct channel_frame *authd_frame;
};

/* describe.c: how a connection is called in the log, and traces. */
const char *client_description(const struct client *, char *buffer, size_t size); /* 127.0.0.1:1 - cid:5 - "v1:lang:name" */
void client_set_label(struct client *);                                           /* from its CONNECT, before that is wiped */
const char *client_login_text(const struct client *, char *buffer, size_t size);  /* User "name"; NULL: it brought no login */
void client_address_text(const struct client *, char *buffer, size_t size);       /* without port */
void client_log(enum log_level, const struct client *, const char *format, ...) __attribute__((format(printf, 3, 4)));
void client_trace(const struct client *, const char *direction, const char *verb, const char *text, size_t n);
void client_trace_payload(const struct client *, const char *direction, const uint8_t *payload, size_t header_size, size_t n);
#define client_debug(client, ...) \
	(__builtin_expect(log_level_debug, 0) ? client_log(LOG_LEVEL_DEBUG, client, __VA_ARGS__) : (void)0)

/* client.c: life of a connection, and what is written to it. */
bool client_create(struct worker *, int fd, const struct sockaddr_storage *peer);
struct client *client_find(struct worker *, uint32_t index, uint32_t generation);
void client_close(
    struct client *, enum closed_reason); /* done at the end of the turn; what waits is still written where the reason allows */
void client_put(struct client *, const void *data, size_t n); /* protocol text, copied; watches max_pending */
void client_put_text(struct client *, const char *text);
void client_error(struct client *, const char *text); /* -ERR 'text' */
void client_ok(struct client *);                      /* +OK if verbose */
void client_watch(struct client *);                   /* tells the loop what to watch, from the client's state */
void client_overrun(struct client *);                 /* max_pending was passed: closes */
void client_flush_touched(struct worker *);
void client_release_held(struct worker *);       /* after a commit: output whose interest is everywhere now */
void client_resume_paused(struct worker *);      /* the mesh has room again */
bool client_reap_subscriptions(struct worker *); /* false: more is left for the next turn */
void client_reap(struct worker *);               /* writes the last words, closes, frees */
void client_each(struct worker *, void (*each)(struct client *, void *arg), void *arg);

static inline void
client_touch(struct client *client)
{
	if (!client->touched) {
		client->touched = true;
		client->touched_next = client->worker->touched;
		client->worker->touched = client;
	}
}

/* input.c: bytes to commands. */
void input_ready(struct client *);  /* the socket is readable */
void input_resume(struct client *); /* goes on with what waited, after authd's answer */

/* session.c: CONNECT and logins, PING. */
void session_start(struct client *); /* INFO, deadlines */
void session_connect(struct client *, const struct nats_command *);
bool session_without_connect(struct client *); /* its first command is another one: in as no_auth_user, if there is one */
void session_ping(struct client *);
void session_violation(struct client *, enum closed_reason); /* -ERR 'Authorization Violation' */
void session_reply(struct worker *, const struct message_auth_reply *);
void session_revoke(struct worker *, const struct message_auth_revoke *);
void session_policy(struct worker *, const struct message_auth_policy *);
void session_permissions(struct worker *, const struct message_auth_permissions *);
void session_forget(struct worker *, uint32_t number);

/* subscribe.c: SUB and UNSUB. */
void subscribe_sub(struct client *, const struct nats_command *);
void subscribe_unsub(struct client *, const struct nats_command *);
void subscribe_finish(struct worker *);                                   /* removes those that reached their maximum */
uint32_t subscribe_drop(struct client *, uint32_t most);                  /* removes all, at most so many now; returns how many */
struct subscription *subscribe_next(const struct client *, uint32_t *at); /* walks over all: at = 0 first; NULL at the end */
void subscribe_remove(struct client *, struct subscription *);
bool subscribe_allowed(const struct client *, const struct subscription *); /* by the permissions it has now */
/* "Permissions Violation for Subscription to ... (sid ...)", and the quoted subject (with its queue) alone. */
void subscribe_violation_text(const struct subscription *, char *subject, size_t subject_size, char *text, size_t text_size);

/* publish.c: PUB and HPUB. */
void publish_command(struct client *, const struct nats_command *);

/* deliver.c: a message to a subscription of ours. */
bool deliver_message(void *worker, struct sublist_sub *, struct broker_message *);
void deliver_stall(void *worker, uint32_t index, uint32_t generation); /* hold this publisher for a moment */

/* health.c: pings and deadlines. */
void health_login_deadline(struct client *);
void health_first_ping(struct client *);
void health_ping_later(struct client *);
void health_pong(struct client *);
void health_write_blocked(struct client *);
void health_write_progress(struct client *, size_t written);
void health_write_done(struct client *);
void health_stall(struct client *); /* not read for a moment */

/* inform.c: INFO. */
void inform_send(struct client *, bool connect_info);
void inform_all(struct worker *); /* INFO again to all that understand it, e.g. for lame duck */

/* accept.c: listeners and fair shares. */
void accept_start(struct worker *);
void accept_stop(struct worker *);
void accept_balance(struct worker *); /* each turn: listen or not, by the number of connections here and elsewhere */

/* control.c: master and authd speak. */
void control_start(struct worker *);
void control_ask(struct client *, const struct nats_connect *); /* the login goes to authd */
void control_cancel(struct client *);
void control_status(struct worker *, enum worker_state);
bool control_granted(void *worker, unsigned member, uint32_t account);

/* leave.c: lame duck and drain. */
void leave_lame_duck(struct worker *, int64_t duration, int64_t grace);
void leave_drain(struct worker *);
void leave_trim_connections(struct worker *); /* after a reload lowered max_connections */

/* monitor.c: the HTTP listener of the watch worker. */
void monitor_start(struct worker *);

/* main.c */
void worker_awake(struct worker *);            /* first thing in each callback: others need not ring any more */
void worker_open(struct worker *);             /* listens once logins and all interest are known */
_Noreturn void worker_finish(struct worker *); /* writes the last words, tells master, leaves */
void worker_commit(struct worker *);           /* commit to the mesh, then write to the sockets: may come within a turn */
void worker_drain(struct worker *);            /* handles what the mesh has; sets worker->behind when it was too much */

#endif
