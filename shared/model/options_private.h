/*
 * Shared by the options_*.c files only: the state of one load, and the helpers that check single values.
 */
#ifndef MODEL_OPTIONS_PRIVATE_H
#define MODEL_OPTIONS_PRIVATE_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/options.h"

#define OPTIONS_GLOBAL_ACCOUNT "$G"
#define OPTIONS_SYSTEM_ACCOUNT "$SYS"
#define OPTIONS_NO_CLUSTER "_" /* the cluster of leaf nodes that have none */

enum option_kind {
	OPTION_IGNORED, /* checked elsewhere, or not at all */
	OPTION_BOOL,
	OPTION_INT, /* int, values beyond its range are cut to it */
	OPTION_INT64,
	OPTION_SIZE32, /* int32_t, refused beyond */
	OPTION_STRING,
	OPTION_DURATION, /* a duration; or seconds, with a warning */
	OPTION_LISTEN,   /* struct options_address from "host:port" or a port */
	OPTION_STRINGS,  /* struct options_list from a text or a list */
	OPTION_STORAGE,  /* bytes, or a text that ends in K, M, G or T */
	OPTION_COUNT,    /* an integer, with nats-server's text for others */
	OPTION_TLS_FILE, /* a text or bool in a tls block, with its error texts */
	OPTION_TLS_BOOL,
	OPTION_PEER_BOOL, /* the same in the ocsp_peer and ocsp_cache blocks */
	OPTION_PEER_STRING,
	OPTION_MAP, /* a block of rows; text is the error for another type */
	OPTION_CALL,
};

enum option_reload { RELOAD_YES, RELOAD_NO, RELOAD_PARTLY };

enum option_feature {
	FEATURE_CORE,
	FEATURE_ACCOUNTS,
	FEATURE_CALLOUT,
	FEATURE_CLUSTER,
	FEATURE_GATEWAY,
	FEATURE_JETSTREAM,
	FEATURE_LEAFNODES,
	FEATURE_MAPPINGS,
	FEATURE_MQTT,
	FEATURE_NKEYS,
	FEATURE_OCSP,
	FEATURE_OPERATOR,
	FEATURE_PROXY,
	FEATURE_TLS,
	FEATURE_WEBSOCKET,
};

struct options_build;
struct option_row;

/* One key of a block: key is its spelling in the file, value what it is set to, target what the block fills (NULL: nothing). */
struct option_setting {
	struct options_build *build;
	const struct option_row *row;
	const char *key;
	struct conf_value *value;
	void *target;
};

typedef void option_function(const struct option_setting *);

struct option_type {
	enum option_kind kind;
	size_t offset; /* in the target, or OPTION_NOWHERE */
	const char *text;
	option_function *function;
};
#define OPTION_NOWHERE SIZE_MAX

struct option_row {
	const char *block;
	const char *key;
	const char *aliases;
	struct option_type type;
	enum option_reload reload;
	enum option_feature feature;
	const char *doc;
};

extern const struct option_row option_rows[];
extern const size_t option_rows_length;

/* One line of the report to come. */
struct options_message {
	const char *text;
	struct options_message *next;
};

struct options_messages {
	struct options_message *first;
	struct options_message **last;
	size_t length;
};

struct options_account_build;

/* A set of texts. */
struct options_names {
	const char **slots;
	size_t size;
	size_t length;
};

/* The state of one load. It owns nothing but what lies in the arena of its options, so it may be left at any point. */
struct options_build {
	jmp_buf no_memory; /* where to go when the arena is full */
	struct options *options;
	const struct options_source *source;
	struct options_messages errors;
	struct options_messages warnings;
	struct options_names names;             /* of all users and nkeys */
	struct conf_value *accounts_value;      /* the accounts block */
	struct options_account_build *accounts; /* in the order of the file */
	struct options_list callout_accounts;
};

/* What an authorization block fills. */
struct options_auth {
	char *user;
	char *password;
	char *token;
	char *nkey;
	double timeout;
	bool proxy_required;
	bool users_set;
	struct options_user **users; /* nkey users too */
	size_t users_length;
	struct options_permissions *default_permissions;
	bool callout;
};

/* What a tls block fills. */
struct options_tls {
	char *cert_file;
	char *key_file;
	char *ca_file;
	bool verify;
	bool map;
	bool insecure;
	bool allow_insecure;
	bool server_side; /* cluster and gateway: known urls may be checked */
	double timeout;
	const char *insecure_ciphers; /* names, joined by ", " */
	struct conf_value *certificates;
};

struct options_import_source {
	char *account;
	char *subject;
};

struct options_import {
	char *prefix;
	char *to;
	struct conf_value *stream;
	struct conf_value *service;
	struct conf_value *trace;
	struct conf_value *to_value;
	struct options_import_source source;
};

struct options_mapping {
	char *destination;
	char *cluster;
	int weight;
	bool weight_set;
	bool failed;
};

struct options_resolver_block {
	char *type;
	char *dir;
	bool allow_delete;
	bool hard_delete_set;
	int64_t ttl;
	int64_t interval;
};

struct options_remote {
	char *account;
	char *credentials;
	char *nkey;
	struct options_list urls;
	bool tls;
	struct conf_value *proxy;
	char *proxy_url;
	char *proxy_user;
	char *proxy_password;
	int64_t proxy_timeout;
	bool proxy_tls;
	double proxy_tls_timeout;
};

/* ---- options_schema.c: rows ---- */

/* Checks every member of map against the rows of a block and puts the values into target. */
void options_block(struct options_build *, const char *block, const struct conf_value *map, void *target);

/* Copies text into the options' arena; as options_alloc(). */
char *options_copy(struct options_build *, const char *text, size_t length);

/* Zeroed memory of the options' arena. It never returns without: when memory is out, the load ends (see options_build.no_memory).
 */
void *options_alloc(struct options_build *, size_t size);
void *options_array(struct options_build *, size_t count, size_t size);

/* Reports an error at the value's place, or a warning about a key. at NULL: without a place. */
void options_error(struct options_build *, const struct conf_value *at, const char *, ...) __attribute__((format(printf, 3, 4)));
void options_warning(struct options_build *, const struct conf_value *at, const char *, ...) __attribute__((format(printf, 3, 4)));

/* Go's name of the value's type, for nats-server's error texts. */
const char *options_type_name(const struct conf_value *value);

/* sprintf and upper case into memory of the build. */
char *options_format(struct options_build *, const char *, ...) __attribute__((format(printf, 2, 3)));
char *options_upper(struct options_build *, const char *text);

/* The value as Go's %v prints it (blocks and lists shortened). Memory of the build. */
const char *options_show(struct options_build *, const struct conf_value *value);

/* Text in Go's %q. Memory of the build. */
const char *options_quote(struct options_build *, const char *text);

/* The value as a type, or an error and false. */
bool options_want_string(struct options_build *, const struct conf_value *, char **out);
bool options_want_bool(struct options_build *, const struct conf_value *, bool *out);
bool options_want_int(struct options_build *, const struct conf_value *, int64_t *out);

/* A duration given as text; false without a report, with Go's text in error. */
bool options_parse_duration(const struct conf_value *, int64_t *out, char error[160]);

/* A duration, or seconds with a warning (name goes into the texts). */
bool options_want_duration(struct options_build *, const struct conf_value *, const char *name, int64_t *out);

/* A bytes value: an integer, or a text ending in K, M, G, T. False with Go's text in error. */
bool options_parse_storage(struct options_build *, const struct conf_value *, int64_t *out, char error[160]);

/* A text or a list of texts; errors name the field. */
bool options_want_strings(struct options_build *, const struct conf_value *, const char *field, struct options_list *out);

/* Seconds as a float: integer, float, or duration text. where goes into the texts ("authorization", "tls"). */
bool options_want_seconds(struct options_build *, const struct conf_value *, const char *where, double *out);

/* An address as "host:port", or a port alone. */
bool options_want_listen(struct options_build *, const struct conf_value *, struct options_address *out);

/* Same key but for case, as Go's ToLower folds it. */
bool options_key_is(const char *key, const char *name);

/* Integer to int, cut to its range. */
int options_int(int64_t value);

/* ---- options_url.c ---- */

/* Whether Go's url.Parse takes the text (blanks around it cut off). Parts may be NULL when not wanted; memory of the build. */
struct options_url {
	char *scheme;
	char *user;
	char *password;
	char *host; /* with port */
	bool has_user;
	bool has_password;
};
bool options_url_parse(struct options_build *, const char *text, struct options_url *out);

/* Go's net.SplitHostPort. */
bool options_split_host_port(struct options_build *, const char *text, char **host, char **port);

/* Go's strconv.Atoi. */
bool options_atoi(const char *text, int64_t *out);

/* Reports urls of a list that cannot be parsed and warns of doubles; out (may be NULL) gets the good ones as they are written. */
void options_want_urls(struct options_build *, const struct conf_value *list, const char *type, struct options_list *out);
bool options_want_url(struct options_build *, const struct conf_value *, const char *type, char **text);

/* ---- options_auth.c ---- */

/* An authorization block; false when it is no block. */
bool options_parse_authorization(struct options_build *, const struct conf_value *, struct options_auth *);

/* A permissions block, or NULL after an error. */
struct options_permissions *options_parse_permissions(struct options_build *, const struct conf_value *);

/* Users of a list; false after an error that leaves none. */
bool options_parse_users(struct options_build *, const struct conf_value *, struct options_auth *);

/* Subjects given as a text or a list, checked. */
bool options_parse_subjects(struct options_build *, const struct conf_value *, bool queues, struct options_subjects *);

/* Go's checkPermSubjectArray: false, and its text in error, when a subject or queue is not valid. */
bool options_check_subjects(struct options_build *, const struct options_subjects *, const char **error);

/* Gives users without permissions the block's default_permissions. */
void options_apply_permissions(const struct options_auth *);

/* Appends users to those of the options, refusing names that are there already. at: where to report doubles. */
void options_add_users(struct options_build *, const struct conf_value *at, const struct options_auth *, const char *account);

/* ---- options_account.c, options_transform.c ---- */

/* Reads the accounts block, which waits until all other keys are known, and checks exports and imports against each other. */
void options_load_accounts(struct options_build *);

/* True when the accounts have one of this name. */
bool options_has_account(const struct options_build *, const char *name);

/* NULL when src can be mapped to dest (Go's NewSubjectTransform; strict: it can be reversed, as imports need), else what is wrong.
 */
const char *options_transform_error(struct options_build *, const char *src, const char *dest, bool strict);

/* The same for a mapping's destination (Go's ValidateMapping). */
const char *options_mapping_error(struct options_build *, const char *src, const char *dest);

/* "a.*.*" to "a.$1.$2", and back. */
char *options_transform_tokenize(struct options_build *, const char *subject);
char *options_transform_untokenize(struct options_build *, const char *subject);

/* ---- options_tls.c ---- */

/* A tls block with the files it names. Errors are reported at where they are found. */
bool options_parse_tls(struct options_build *, const struct conf_value *, bool server_side, struct options_tls *);

/* What is wrong with the files of a tls block whose keys are good, or NULL. */
const char *options_tls_files_error(struct options_build *, const struct options_tls *);

/* ---- options_jwt.c ---- */

enum options_claim { OPTIONS_CLAIM_OPERATOR, OPTIONS_CLAIM_ACCOUNT };

/* NULL when text is a JWT of this kind with a good signature, else what is wrong with it. */
const char *options_jwt_error(struct options_build *, const char *token, enum options_claim);

/* The JWT between the dashes of a decorated file, or the text itself. */
const char *options_jwt_undecorate(struct options_build *, const char *text);

/* Functions named in options.def. */
#define LISTEN(field)
#define STRING(field)
#define INT(field)
#define INT64(field)
#define SIZE32(field)
#define BOOL(field)
#define DURATION(field)
#define STRING_IN(type, field)
#define BOOL_IN(type, field)
#define TLS_FILE(field)
#define TLS_BOOL(field)
#define BLOCK(name)
#define MAP(name, text)
#define CALL(name) option_function name;
#define ANY_STRING
#define ANY_BOOL
#define ANY_INT
#define ANY_DURATION
#define ANY_LISTEN
#define ANY_STRINGS
#define ANY_STORAGE
#define ANY_COUNT
#define PEER_BOOL
#define PEER_STRING
#define IGNORED
#define FLAG
#define OPTION(block, key, aliases, type, reload, feature, doc) type
#include "model/options.def"
#undef OPTION
#undef LISTEN
#undef STRING
#undef INT
#undef INT64
#undef SIZE32
#undef BOOL
#undef DURATION
#undef STRING_IN
#undef BOOL_IN
#undef TLS_FILE
#undef TLS_BOOL
#undef BLOCK
#undef MAP
#undef CALL
#undef ANY_STRING
#undef ANY_BOOL
#undef ANY_INT
#undef ANY_DURATION
#undef ANY_LISTEN
#undef ANY_STRINGS
#undef ANY_STORAGE
#undef ANY_COUNT
#undef PEER_BOOL
#undef PEER_STRING
#undef IGNORED
#undef FLAG

#endif
