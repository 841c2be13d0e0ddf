/*
 * All settings of one server: what the configuration file and the command line ask for, typed and checked.
 * Who calls it: master (start, reload, -t), the tests. A struct options owns all its strings (one arena, freed at once) and never
 * changes after options_load(); a reload makes a new one and compares (reload.h). Nothing here opens files or sockets: see struct
 * options_source. Keys, types and rules are rows of options.def; their behaviour comes from nats-server's server/opts.go. Durations
 * are nanoseconds. Names of fields follow the configuration keys.
 */
#ifndef MODEL_OPTIONS_H
#define MODEL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/conf_tree.h"

struct arena;
struct flags;

#define OPTIONS_SECOND INT64_C(1000000000)

/* Defaults of nats-server (const.go); options_set_defaults() puts them where the file says nothing. */
#define OPTIONS_PORT 4222
#define OPTIONS_HOST "0.0.0.0"
#define OPTIONS_MAX_CONNECTIONS 65536
#define OPTIONS_MAX_CONTROL_LINE 4096
#define OPTIONS_MAX_PAYLOAD (1024 * 1024)
#define OPTIONS_MAX_PENDING (64 * 1024 * 1024)
#define OPTIONS_PING_INTERVAL (120 * OPTIONS_SECOND)
#define OPTIONS_PING_MAX 2
#define OPTIONS_WRITE_DEADLINE (10 * OPTIONS_SECOND)
#define OPTIONS_AUTH_TIMEOUT 2.0
#define OPTIONS_TLS_TIMEOUT 2.0
#define OPTIONS_LAME_DUCK_DURATION (120 * OPTIONS_SECOND)
#define OPTIONS_LAME_DUCK_GRACE (10 * OPTIONS_SECOND)
#define OPTIONS_MAX_CLOSED_CLIENTS 10000
#define OPTIONS_CONNECT_ERROR_REPORTS 3600
#define OPTIONS_RECONNECT_ERROR_REPORTS 1
#define OPTIONS_RESPONSES_MAX 1
#define OPTIONS_RESPONSES_EXPIRES (120 * OPTIONS_SECOND)
#define OPTIONS_WORKERS_MAX 64

enum options_write_timeout {
	OPTIONS_WRITE_TIMEOUT_DEFAULT,
	OPTIONS_WRITE_TIMEOUT_CLOSE,
	OPTIONS_WRITE_TIMEOUT_RETRY,
};

enum options_log_format { OPTIONS_LOG_TEXT, OPTIONS_LOG_JSON };

enum options_sandbox {
	OPTIONS_SANDBOX_BEST,    /* what the system and the rights of the caller allow */
	OPTIONS_SANDBOX_REQUIRE, /* refuse to run without all layers */
};

/* Kinds of connection a user may log in from: bits of options_user.connection_types. */
enum options_connection {
	OPTIONS_CONNECTION_STANDARD = 1 << 0,
	OPTIONS_CONNECTION_WEBSOCKET = 1 << 1,
	OPTIONS_CONNECTION_LEAFNODE = 1 << 2,
	OPTIONS_CONNECTION_LEAFNODE_WS = 1 << 3,
	OPTIONS_CONNECTION_MQTT = 1 << 4,
	OPTIONS_CONNECTION_MQTT_WS = 1 << 5,
	OPTIONS_CONNECTION_IN_PROCESS = 1 << 6,
	OPTIONS_CONNECTION_UNKNOWN = 1 << 7, /* a word the server does not know: options_validate() refuses it */
};

struct options_list {
	char **items;
	size_t length;
};

/* One subject of a permission, with the queue group it is bound to (subscribe only), or queue NULL. */
struct options_subject {
	char *subject;
	char *queue;
};

struct options_subjects {
	bool set; /* the list exists; an existing but empty allow list admits nothing */
	size_t length;
	struct options_subject *items;
};

struct options_subject_rules {
	bool set;
	struct options_subjects allow;
	struct options_subjects deny;
};

struct options_permissions {
	struct options_subject_rules publish;
	struct options_subject_rules subscribe;
	bool responses;            /* allow_responses */
	int responses_max;         /* below 0: no limit */
	int64_t responses_expires; /* below 0: never */
};

struct options_user {
	char *name;                              /* "" for an nkey user */
	char *password;                          /* plain or bcrypt */
	char *nkey;                              /* public user key, or NULL */
	char *account;                           /* NULL: the global account $G */
	struct options_permissions *permissions; /* NULL: everything is allowed */
	unsigned connection_types;               /* enum options_connection; 0: all */
	bool proxy_required;
	struct conf_position at;
};

struct options_address {
	char *host;
	int port;
};

struct options_pair {
	char *name;
	char *value;
};

struct options_pairs {
	struct options_pair *items; /* sorted by name */
	size_t length;
};

/* A key whose feature this natsd does not have yet. */
struct options_missing {
	const char *key;         /* "cluster", "authorization.auth_callout", or the flag "-js" */
	struct conf_position at; /* line 0 when it comes from the command line */
	struct options_missing *next;
};

struct options {
	struct arena *arena;
	char *config_file;               /* NULL without one */
	char digest[CONF_DIGEST_SIZE];   /* "" without a file */
	struct options_missing *missing; /* first by position */

	char *server_name;
	struct options_address client; /* port 0: any free one (after options_set_defaults) */
	char *client_advertise;
	struct options_address http; /* host also serves https; port 0: off, -1: any free one */
	int https_port;
	char *http_base_path;

	int max_connections;         /* -1 and 0 after defaults: nobody gets in, as in nats-server */
	int max_subscriptions;       /* 0 and -1: no limit */
	int max_subscription_tokens; /* 0: no limit */
	int32_t max_control_line;
	int32_t max_payload;
	int64_t max_pending;
	int max_closed_clients;
	int max_traced_msg_len;
	int64_t ping_interval;
	int ping_max;
	int64_t write_deadline;
	enum options_write_timeout write_timeout;
	int64_t lame_duck_duration;
	int64_t lame_duck_grace_period;
	bool no_fast_producer_stall;
	bool no_header_support;
	bool no_sublist_cache;
	bool proxy_protocol;
	int connect_error_reports;
	int reconnect_error_reports;

	bool auth_block; /* an authorization block exists */
	char *username;
	char *password;
	char *authorization; /* the token */
	double auth_timeout; /* seconds */
	bool proxy_required;
	struct options_user **users; /* of authorization and of all accounts, nkey users too, in file order */
	size_t users_length;
	char *no_auth_user;
	char *system_account;
	bool no_system_account;

	bool debug;
	bool trace;
	bool trace_verbose;
	bool trace_headers;
	bool logtime;
	bool logtime_utc;
	char *log_file;
	int64_t log_size_limit;
	int64_t log_max_num;
	bool syslog;
	char *remote_syslog;
	char *pid_file;
	char *ports_file_dir;
	int prof_port;
	int prof_block_rate;

	struct options_list server_tags; /* lower case, trimmed, each once, as they came */
	struct options_pairs server_metadata;
	struct options_pairs feature_flags; /* values "true" and "false" */

	/* The natsd block: our own additions. */
	int workers; /* 0: as many as processors, at most 8 */
	enum options_log_format log_format;
	enum options_sandbox sandbox;

	/* Of features still missing, what other rules need. */
	struct options_address cluster;
	char *cluster_name;
	bool jetstream;
	char *store_dir;
	bool tls;
};

/* What the functions below may see of the outside. */
struct options_source {
	struct conf_source conf;
	/* 1: a directory we may write to, 0: something else, -1: nothing there. */
	int (*check_directory)(void *arg, const char *path);
};

/* What a load has to say: lines that each end with a newline, warnings first, as nats-server prints them. */
struct options_report {
	char *text; /* in the arena of the report's owner: freed by options_report_free() */
	size_t errors;
	size_t warnings;
	struct arena *arena;
};

/* Default settings with no file and no flags; NULL when memory is out. */
struct options *options_create(void);

/* Gives everything back; NULL is allowed. */
void options_free(struct options *options);

/*
 * Reads the file the flags name (none: NULL or no -c), applies the flags over it, then the defaults.
 * NULL when there is an error; report holds errors and warnings in either case and must be freed.
 */
struct options *options_load(const struct flags *flags, const struct options_source *source, struct options_report *report);

/* Gives the text of a report back. */
void options_report_free(struct options_report *report);

/* Puts nats-server's defaults where nothing was said (setBaselineOptions). options_load() has done it already. */
void options_set_defaults(struct options *options);

/* The rules between settings (validateOptions): true, or false with one line in error. -t does not check them, starting does. */
bool options_validate(const struct options *options, char *error, size_t size);

/*
 * The first key (by position) that asks for a feature this natsd does not have yet: true, with its place and name.
 * Say "file:line:col: key needs a feature that natsd does not have yet" and do not start.
 */
bool options_missing_feature(const struct options *options, struct conf_position *at, const char **key);

/*
 * client_advertise taken apart (Go's parseHostPort): "host:port", "host" or "[v6]:port"; port 0 or -1, or none, is default_port.
 * False when it cannot be read or host has no room for it.
 */
bool options_parse_advertise(const char *text, int default_port, char *host, size_t size, int *port);

/* The verdict of -t: exit code, and the line(s) for stderr, each ending with a newline. program is the name to print in front. */
struct options_verdict {
	int exit_code;
	char *text;
	struct arena *arena;
};
void options_check_file(
    const char *program, const char *file, const struct options_source *source, struct options_verdict *verdict);
void options_verdict_free(struct options_verdict *verdict);

/* The door to the real file system and environment, for callers that may use them. */
extern const struct options_source options_source_system;

#endif
