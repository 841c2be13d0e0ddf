/*
 * The two JSON documents of a client connection: CONNECT in, INFO out.
 * CONNECT is read as Go's json.Unmarshal into ClientOpts (client.go) reads it: names fold case, null keeps what was there, the last
 * duplicate wins, a wrong type refuses all, unknown names are skipped.  INFO is written in the order of Go's struct Info
 * (server.go). Texts are views: who owns the memory is said at each function.
 */
#ifndef WIRE_CONNECT_H
#define WIRE_CONNECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

struct nats_text {
	const char *at; /* NUL-ended when it comes from nats_connect_parse; NULL = never set */
	uint32_t length;
};

struct nats_connect {
	bool echo;
	bool verbose;
	bool pedantic;
	bool tls_required;
	bool new_account;
	bool headers;
	bool no_responders;
	int64_t protocol; /* 0 or 1 is right; the caller refuses others */
	struct nats_text nkey;
	struct nats_text jwt;
	struct nats_text sig;
	struct nats_text auth_token;
	struct nats_text user;
	struct nats_text pass;
	struct nats_text name;
	struct nats_text lang;
	struct nats_text version;
	struct nats_text account;
	struct nats_text remote_account;
	struct nats_text proxy_sig;
};

/* As before the first CONNECT: verbose, pedantic and echo are on. */
void nats_connect_init(struct nats_connect *connect);

/* Reads the argument of CONNECT over what is in *connect (a second CONNECT keeps what it does not name). New texts live in the
 * arena. False: bad JSON or a wrong type, error[size] says what; *connect is then unchanged. */
bool nats_connect_parse(struct arena *arena, const char *json, size_t n, struct nats_connect *connect, char *error, size_t size);

/* Bytes nats_connect_move needs for all texts, each with a NUL. */
size_t nats_connect_text_size(const struct nats_connect *connect);

/* Copies all texts to `to` and lets the views point there. */
void nats_connect_move(struct nats_connect *connect, char *to, size_t size);

/* A copy of CONNECT's argument with the values of pass, auth_token, jwt, sig... replaced by [REDACTED], for the trace log, as Go's
 * removeSecretsFromTrace. Returns the length; cut at size. */
size_t nats_connect_redact(const char *json, size_t n, char *out, size_t size);

struct nats_info {
	const char *server_id;
	const char *server_name;
	const char *version;
	int proto;
	const char *git_commit;
	const char *go; /* a C server still sends a text */
	const char *host;
	int port;
	bool headers;
	bool auth_required;
	bool tls_required;
	bool tls_verify;
	bool tls_available;
	int32_t max_payload;
	bool jetstream;
	const char *ip;
	uint64_t client_id;
	const char *client_ip;
	const char *nonce;
	const char *cluster;
	bool cluster_dynamic;
	const char *domain;
	const char *const *connect_urls;
	size_t connect_url_count;
	const char *const *ws_connect_urls;
	size_t ws_connect_url_count;
	bool lame_duck; /* ldm */
	const char *compression;
	bool connect_info;
	const char *remote_account;
	bool account_is_system; /* acc_is_sys */
	int api_level;          /* api_lvl */
	const char *xkey;
};

/* Writes "INFO {json} \r\n" (Go puts a blank before CRLF). Returns its length; 0 when it does not fit. NULL texts count as "". */
size_t nats_info_write(const struct nats_info *info, char *out, size_t size);

/* Whether the argument of an INFO that a client sent is one Go would take (and ignore). */
bool nats_info_valid(struct arena *arena, const char *json, size_t n);

#endif
