/*
 * CONNECT in, INFO out: see connect.h.  The fields of both stand in tables, the rules are Go's encoding/json's.
 */
#include "wire/connect.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/json.h"
#include "base/text.h"

/* ---- what Go accepts for a field ---- */

enum connect_kind {
	CONNECT_BOOL,
	CONNECT_INT, /* int64 */
	CONNECT_INT32,
	CONNECT_UINT64,
	CONNECT_BYTE,
	CONNECT_TEXT,
	CONNECT_TEXTS,     /* array of texts */
	CONNECT_PERMISSION /* object of allow and deny, arrays of texts */
};

struct connect_field {
	const char *name;
	enum connect_kind kind;
	size_t offset; /* in struct nats_connect; CONNECT_IGNORED = only checked */
};

#define CONNECT_IGNORED SIZE_MAX

static const struct connect_field connect_fields[] = {
	{ "echo", CONNECT_BOOL, offsetof(struct nats_connect, echo) },
	{ "verbose", CONNECT_BOOL, offsetof(struct nats_connect, verbose) },
	{ "pedantic", CONNECT_BOOL, offsetof(struct nats_connect, pedantic) },
	{ "tls_required", CONNECT_BOOL, offsetof(struct nats_connect, tls_required) },
	{ "nkey", CONNECT_TEXT, offsetof(struct nats_connect, nkey) },
	{ "jwt", CONNECT_TEXT, offsetof(struct nats_connect, jwt) },
	{ "sig", CONNECT_TEXT, offsetof(struct nats_connect, sig) },
	{ "auth_token", CONNECT_TEXT, offsetof(struct nats_connect, auth_token) },
	{ "user", CONNECT_TEXT, offsetof(struct nats_connect, user) },
	{ "pass", CONNECT_TEXT, offsetof(struct nats_connect, pass) },
	{ "name", CONNECT_TEXT, offsetof(struct nats_connect, name) },
	{ "lang", CONNECT_TEXT, offsetof(struct nats_connect, lang) },
	{ "version", CONNECT_TEXT, offsetof(struct nats_connect, version) },
	{ "protocol", CONNECT_INT, offsetof(struct nats_connect, protocol) },
	{ "account", CONNECT_TEXT, offsetof(struct nats_connect, account) },
	{ "new_account", CONNECT_BOOL, offsetof(struct nats_connect, new_account) },
	{ "headers", CONNECT_BOOL, offsetof(struct nats_connect, headers) },
	{ "no_responders", CONNECT_BOOL, offsetof(struct nats_connect, no_responders) },
	{ "import", CONNECT_PERMISSION, CONNECT_IGNORED },
	{ "export", CONNECT_PERMISSION, CONNECT_IGNORED },
	{ "remote_account", CONNECT_TEXT, offsetof(struct nats_connect, remote_account) },
	{ "proxy_sig", CONNECT_TEXT, offsetof(struct nats_connect, proxy_sig) },
};

/* The fields of Go's struct Info, for INFO lines that clients send. */
static const struct connect_field info_fields[] = {
	{ "server_id", CONNECT_TEXT, CONNECT_IGNORED },
	{ "server_name", CONNECT_TEXT, CONNECT_IGNORED },
	{ "version", CONNECT_TEXT, CONNECT_IGNORED },
	{ "proto", CONNECT_INT, CONNECT_IGNORED },
	{ "git_commit", CONNECT_TEXT, CONNECT_IGNORED },
	{ "go", CONNECT_TEXT, CONNECT_IGNORED },
	{ "host", CONNECT_TEXT, CONNECT_IGNORED },
	{ "port", CONNECT_INT, CONNECT_IGNORED },
	{ "headers", CONNECT_BOOL, CONNECT_IGNORED },
	{ "auth_required", CONNECT_BOOL, CONNECT_IGNORED },
	{ "tls_required", CONNECT_BOOL, CONNECT_IGNORED },
	{ "tls_verify", CONNECT_BOOL, CONNECT_IGNORED },
	{ "tls_available", CONNECT_BOOL, CONNECT_IGNORED },
	{ "max_payload", CONNECT_INT32, CONNECT_IGNORED },
	{ "jetstream", CONNECT_BOOL, CONNECT_IGNORED },
	{ "ip", CONNECT_TEXT, CONNECT_IGNORED },
	{ "client_id", CONNECT_UINT64, CONNECT_IGNORED },
	{ "client_ip", CONNECT_TEXT, CONNECT_IGNORED },
	{ "nonce", CONNECT_TEXT, CONNECT_IGNORED },
	{ "cluster", CONNECT_TEXT, CONNECT_IGNORED },
	{ "cluster_dynamic", CONNECT_BOOL, CONNECT_IGNORED },
	{ "domain", CONNECT_TEXT, CONNECT_IGNORED },
	{ "connect_urls", CONNECT_TEXTS, CONNECT_IGNORED },
	{ "ws_connect_urls", CONNECT_TEXTS, CONNECT_IGNORED },
	{ "ldm", CONNECT_BOOL, CONNECT_IGNORED },
	{ "compression", CONNECT_TEXT, CONNECT_IGNORED },
	{ "connect_info", CONNECT_BOOL, CONNECT_IGNORED },
	{ "remote_account", CONNECT_TEXT, CONNECT_IGNORED },
	{ "acc_is_sys", CONNECT_BOOL, CONNECT_IGNORED },
	{ "api_lvl", CONNECT_INT, CONNECT_IGNORED },
	{ "import", CONNECT_PERMISSION, CONNECT_IGNORED },
	{ "export", CONNECT_PERMISSION, CONNECT_IGNORED },
	{ "lnoc", CONNECT_BOOL, CONNECT_IGNORED },
	{ "lnocu", CONNECT_BOOL, CONNECT_IGNORED },
	{ "ln", CONNECT_BOOL, CONNECT_IGNORED },
	{ "info_on_connect", CONNECT_BOOL, CONNECT_IGNORED },
	{ "route_pool_size", CONNECT_INT, CONNECT_IGNORED },
	{ "route_pool_idx", CONNECT_INT, CONNECT_IGNORED },
	{ "route_account", CONNECT_TEXT, CONNECT_IGNORED },
	{ "route_acc_add_reqid", CONNECT_TEXT, CONNECT_IGNORED },
	{ "gossip_mode", CONNECT_BYTE, CONNECT_IGNORED },
	{ "gateway", CONNECT_TEXT, CONNECT_IGNORED },
	{ "gateway_urls", CONNECT_TEXTS, CONNECT_IGNORED },
	{ "gateway_url", CONNECT_TEXT, CONNECT_IGNORED },
	{ "gateway_cmd", CONNECT_BYTE, CONNECT_IGNORED },
	{ "gateway_cmd_payload", CONNECT_TEXT, CONNECT_IGNORED }, /* base64, which is not looked into */
	{ "gateway_nrp", CONNECT_BOOL, CONNECT_IGNORED },
	{ "gateway_iom", CONNECT_BOOL, CONNECT_IGNORED },
	{ "leafnode_urls", CONNECT_TEXTS, CONNECT_IGNORED },
	{ "xkey", CONNECT_TEXT, CONNECT_IGNORED },
};

static bool
connect_texts_valid(const struct json *value)
{
	if (value->kind == JSON_NULL)
		return true;
	if (value->kind != JSON_ARRAY)
		return false;
	for (const struct json *at = value->first; at != NULL; at = at->next)
		if (at->kind != JSON_STRING && at->kind != JSON_NULL)
			return false;
	return true;
}

static bool
connect_permission_valid(const struct json *value)
{
	if (value->kind == JSON_NULL)
		return true;
	if (value->kind != JSON_OBJECT)
		return false;
	for (const struct json *at = value->first; at != NULL; at = at->next)
		if ((json_key_fold(at, "allow") || json_key_fold(at, "deny")) && !connect_texts_valid(at))
			return false;
	return true;
}

static bool
connect_int_valid(const struct json *value, int64_t least, int64_t most)
{
	int64_t number = least;

	return json_get_i64(value, &number) && number >= least && number <= most;
}

/* Whether the value fits the kind; if `to` is not NULL, also stores it there. null is fine and stores nothing. */
static bool
connect_store(const struct json *value, enum connect_kind kind, void *to)
{
	const char *text = NULL;
	size_t length = 0;
	bool flag;
	uint64_t number;
	int64_t integer;

	switch (kind) {
	case CONNECT_BOOL: return json_get_bool(value, to != NULL ? to : &flag);
	case CONNECT_INT: return json_get_i64(value, to != NULL ? to : &integer);
	case CONNECT_INT32: return connect_int_valid(value, INT32_MIN, INT32_MAX);
	case CONNECT_UINT64: return json_get_u64(value, &number);
	case CONNECT_BYTE: return connect_int_valid(value, 0, UINT8_MAX);
	case CONNECT_TEXTS: return connect_texts_valid(value);
	case CONNECT_PERMISSION: return connect_permission_valid(value);
	case CONNECT_TEXT: break;
	}
	if (!json_get_text(value, &text, &length) || length > UINT32_MAX)
		return false;
	if (to != NULL && text != NULL)
		*(struct nats_text *)to = (struct nats_text){ text, (uint32_t)length };
	return true;
}

/* Reads an object over *connect (NULL: only checks), member by member in the order of the input. */
static bool
connect_read(struct arena *arena, const char *text, size_t n, const struct connect_field *fields, size_t count,
    struct nats_connect *connect, char *error, size_t size)
{
	struct json *root;

	if (!json_parse(arena, text, n, JSON_DEPTH_MAX, &root, error, size))
		return false;
	if (root->kind == JSON_NULL)
		return true;
	if (root->kind != JSON_OBJECT) {
		snprintf(error, size, "JSON: not an object");
		return false;
	}
	for (const struct json *at = root->first; at != NULL; at = at->next) {
		for (size_t i = 0; i < count; i++) {
			void *to = fields[i].offset == CONNECT_IGNORED ? NULL : (char *)connect + fields[i].offset;

			if (!json_key_fold(at, fields[i].name))
				continue;
			if (!connect_store(at, fields[i].kind, to)) {
				snprintf(error, size, "JSON: wrong type of \"%s\"", fields[i].name);
				return false;
			}
			break;
		}
	}
	return true;
}

void
nats_connect_init(struct nats_connect *connect)
{
	*connect = (struct nats_connect){ .echo = true, .verbose = true, .pedantic = true };
}

bool
nats_connect_parse(struct arena *arena, const char *json, size_t n, struct nats_connect *connect, char *error, size_t size)
{
	struct nats_connect changed = *connect;

	CHECK(error != NULL && size > 0);
	if (!connect_read(
		arena, json, n, connect_fields, sizeof(connect_fields) / sizeof(connect_fields[0]), &changed, error, size))
		return false;
	*connect = changed;
	return true;
}

bool
nats_info_valid(struct arena *arena, const char *json, size_t n)
{
	char error[64];

	return connect_read(arena, json, n, info_fields, sizeof(info_fields) / sizeof(info_fields[0]), NULL, error, sizeof(error));
}

/* ---- keeping the texts ---- */

/* The text of row i, or NULL if the row is none. */
static struct nats_text *
connect_text(struct nats_connect *connect, size_t i)
{
	if (connect_fields[i].kind != CONNECT_TEXT)
		return NULL;
	return (struct nats_text *)(void *)((char *)connect + connect_fields[i].offset);
}

size_t
nats_connect_text_size(const struct nats_connect *connect)
{
	struct nats_connect copy = *connect;
	size_t size = 0;

	for (size_t i = 0; i < sizeof(connect_fields) / sizeof(connect_fields[0]); i++) {
		const struct nats_text *text = connect_text(&copy, i);

		if (text != NULL && text->at != NULL)
			size += (size_t)text->length + 1;
	}
	return size;
}

void
nats_connect_move(struct nats_connect *connect, char *to, size_t size)
{
	size_t at = 0;

	for (size_t i = 0; i < sizeof(connect_fields) / sizeof(connect_fields[0]); i++) {
		struct nats_text *text = connect_text(connect, i);

		if (text == NULL || text->at == NULL)
			continue;
		CHECK(text->length < size - at);
		memcpy(to + at, text->at, text->length);
		to[at + text->length] = '\0';
		text->at = to + at;
		at += (size_t)text->length + 1;
	}
	CHECK(at <= size);
}

/* ---- trace without secrets ---- */

#define REDACT_TAIL 64U /* what may stand between a word such as pass and its quote or colon */

static const struct {
	const char *word;
	bool prefix; /* any place, any tail: pass, password, auth_token_2 */
} redact_words[] = {
	{ "auth_token", true },
	{ "pass", true },
	{ "proxy_sig", false },
	{ "nkey", false },
	{ "sig", false },
	{ "jwt", false },
};

static bool
redact_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

/* From behind a name: optional quote, colon or equals sign, optional quote. True: *at is where the value starts. */
static bool
redact_separator(const char *json, size_t n, size_t *at, bool *quoted)
{
	size_t i = *at;

	if (i < n && json[i] == '"')
		i++;
	while (i < n && redact_space(json[i]))
		i++;
	if (i == n || (json[i] != ':' && json[i] != '='))
		return false;
	i++;
	while (i < n && redact_space(json[i]))
		i++;
	*quoted = i < n && json[i] == '"';
	*at = i + (*quoted ? 1 : 0);
	return true;
}

/* Whether a secret's name starts at json[at]; then *value is where its value starts. */
static bool
redact_name(const char *json, size_t n, size_t at, size_t *value, bool *quoted)
{
	char before = at > 0 ? json[at - 1] : ' ';
	bool word_start = !((before >= 'a' && before <= 'z') || (before >= 'A' && before <= 'Z') ||
	    (before >= '0' && before <= '9') || before == '_');

	for (size_t i = 0; i < sizeof(redact_words) / sizeof(redact_words[0]); i++) {
		size_t length = strlen(redact_words[i].word);
		size_t tail = redact_words[i].prefix ? REDACT_TAIL : 0;

		if (length > n - at || !text_equal_fold(json + at, length, redact_words[i].word, length))
			continue;
		if (!redact_words[i].prefix && !word_start)
			continue;
		for (size_t skip = 0; skip <= tail && at + length + skip <= n; skip++) {
			*value = at + length + skip;
			if (redact_separator(json, n, value, quoted))
				return true;
			if (at + length + skip < n && redact_space(json[at + length + skip]))
				break;
		}
	}
	return false;
}

static size_t
redact_value_end(const char *json, size_t n, size_t at, bool quoted)
{
	for (; at < n; at++) {
		if (quoted && json[at] == '\\' && at + 1 < n)
			at++;
		else if (json[at] == '"' || (!quoted && memchr(",\r\n}", json[at], 4) != NULL))
			break;
	}
	return at;
}

static size_t
redact_put(char *out, size_t size, size_t length, const char *text, size_t n)
{
	size_t room = length < size ? size - length : 0;

	memcpy(out + length, text, n < room ? n : room);
	return length + (n < room ? n : room);
}

size_t
nats_connect_redact(const char *json, size_t n, char *out, size_t size)
{
	static const char hidden[] = "[REDACTED]";
	size_t plain = 0; /* start of what is not yet copied */
	size_t length = 0;
	size_t at = 0;

	CHECK(json != NULL || n == 0);
	/* A name may be written with escapes or letters that fold to ASCII: then nothing is shown. */
	for (size_t i = 0; i + 1 < n; i++)
		if ((json[i] == '\\' && json[i + 1] == 'u') || memcmp(json + i, "\xc5\xbf", 2) == 0 ||
		    memcmp(json + i, "\xe2\x84", 2) == 0)
			return redact_put(out, size, 0, hidden, sizeof(hidden) - 1);
	while (at < n) {
		size_t value;
		bool quoted;

		if (!redact_name(json, n, at, &value, &quoted)) {
			at++;
			continue;
		}
		length = redact_put(out, size, length, json + plain, value - plain);
		length = redact_put(out, size, length, hidden, sizeof(hidden) - 1);
		plain = at = redact_value_end(json, n, value, quoted);
	}
	return n > 0 ? redact_put(out, size, length, json + plain, n - plain) : 0;
}

/* ---- INFO ---- */

static void
info_texts(struct json_writer *w, const char *key, const char *const *texts, size_t count)
{
	if (count == 0)
		return;
	json_key(w, key);
	json_array_begin(w);
	for (size_t i = 0; i < count; i++)
		json_string(w, texts[i]);
	json_array_end(w);
}

size_t
nats_info_write(const struct nats_info *info, char *out, size_t size)
{
	static const char head[] = "INFO ";
	static const char tail[] = " \r\n";
	struct json_writer w;
	size_t n;

	if (size < sizeof(head) + sizeof(tail))
		return 0;
	memcpy(out, head, sizeof(head) - 1);
	json_writer_init(&w, out + sizeof(head) - 1, size - (sizeof(head) - 1) - (sizeof(tail) - 1), 0);
	json_object_begin(&w);
	json_member_string(&w, "server_id", info->server_id);
	json_member_string(&w, "server_name", info->server_name);
	json_member_string(&w, "version", info->version);
	json_member_i64(&w, "proto", info->proto);
	json_some_string(&w, "git_commit", info->git_commit);
	json_member_string(&w, "go", info->go);
	json_member_string(&w, "host", info->host);
	json_member_i64(&w, "port", info->port);
	json_member_bool(&w, "headers", info->headers);
	json_some_bool(&w, "auth_required", info->auth_required);
	json_some_bool(&w, "tls_required", info->tls_required);
	json_some_bool(&w, "tls_verify", info->tls_verify);
	json_some_bool(&w, "tls_available", info->tls_available);
	json_member_i64(&w, "max_payload", info->max_payload);
	json_some_bool(&w, "jetstream", info->jetstream);
	json_some_string(&w, "ip", info->ip);
	json_some_u64(&w, "client_id", info->client_id);
	json_some_string(&w, "client_ip", info->client_ip);
	json_some_string(&w, "nonce", info->nonce);
	json_some_string(&w, "cluster", info->cluster);
	json_some_bool(&w, "cluster_dynamic", info->cluster_dynamic);
	json_some_string(&w, "domain", info->domain);
	info_texts(&w, "connect_urls", info->connect_urls, info->connect_url_count);
	info_texts(&w, "ws_connect_urls", info->ws_connect_urls, info->ws_connect_url_count);
	json_some_bool(&w, "ldm", info->lame_duck);
	json_some_string(&w, "compression", info->compression);
	json_some_bool(&w, "connect_info", info->connect_info);
	json_some_string(&w, "remote_account", info->remote_account);
	json_some_bool(&w, "acc_is_sys", info->account_is_system);
	json_some_i64(&w, "api_lvl", info->api_level);
	json_some_string(&w, "xkey", info->xkey);
	json_object_end(&w);
	if (w.failed)
		return 0;
	n = sizeof(head) - 1 + json_written(&w);
	memcpy(out + n, tail, sizeof(tail) - 1);
	return n + sizeof(tail) - 1;
}
