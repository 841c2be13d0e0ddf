/*
 * Which page a request means, as Go's ServeMux decides it for nats-server (server.go startMonitoring), and the small pages: the
 * root page and /healthz. Any method counts as GET. A page only fills the answer; it never waits and never sees the connection.
 */
#include "monitor.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum {
	MONITOR_PATH_SIZE = HTTP_PATH_MAX * 3 + 1, /* a path with all its bytes as %XX */
	MONITOR_VALUE_SIZE = 1024                  /* a query parameter; a longer one counts as absent */
};

struct monitor_page {
	const char *path;  /* below http_base_path */
	const char *title; /* of the link on the root page, NULL: none */
	void (*fill)(struct monitor *, const struct http_request *, struct monitor_answer *);
};

static void monitor_root(struct monitor *, const struct http_request *, struct monitor_answer *);
static void monitor_healthz(struct monitor *, const struct http_request *, struct monitor_answer *);

/* By name: /varz lists the requests in this order. */
static const struct monitor_page monitor_pages[] = {
	{ "/", NULL, monitor_root },
	{ "/healthz", "Health Probe", monitor_healthz },
	{ "/varz", "General", monitor_varz },
};

#define MONITOR_PAGES (sizeof(monitor_pages) / sizeof(monitor_pages[0]))
_Static_assert(MONITOR_PAGES <= MONITOR_PAGES_MAX, "struct monitor counts each page");

const char *
monitor_next_count(const struct monitor *monitor, unsigned *row, uint64_t *count)
{
	for (; *row < MONITOR_PAGES; (*row)++)
		if (monitor->requests[*row] > 0) {
			*count = monitor->requests[*row];
			return monitor_pages[(*row)++].path;
		}
	return NULL;
}

static void
monitor_text(struct monitor_answer *answer, uint16_t status, const char *type, const char *extra)
{
	int n = snprintf(answer->extra, sizeof(answer->extra), "%s", extra);

	CHECK(n >= 0 && (size_t)n < sizeof(answer->extra));
	answer->status = status;
	answer->type = type;
	answer->text_length = strlen(answer->text);
}

/* net/http NotFound. */
static void
monitor_not_found(struct monitor_answer *answer)
{
	(void)snprintf(answer->text, sizeof(answer->text), "404 page not found\n");
	monitor_text(answer, 404, "text/plain; charset=utf-8", "X-Content-Type-Options: nosniff\r\n");
}

/* ---- paths ---- */

/* The end of the path without its last element. */
static size_t
monitor_path_parent(const char *path, size_t n)
{
	while (n > 0 && path[n - 1] != '/')
		n--;
	return n > 0 ? n - 1 : 0;
}

/* Go's cleanPath: rooted, no empty, "." and ".." elements; a slash at the end stays. Never longer than n + 1. */
static size_t
monitor_clean(const char *path, size_t n, char *out, size_t size)
{
	size_t at = 0, length = 0, end;

	CHECK(n + 2 <= size);
	while (at < n) {
		for (end = at; end < n && path[end] != '/'; end++)
			continue;
		if (end - at == 2 && memcmp(path + at, "..", 2) == 0)
			length = monitor_path_parent(out, length);
		else if (end > at && !(end - at == 1 && path[at] == '.')) {
			out[length++] = '/';
			memcpy(out + length, path + at, end - at);
			length += end - at;
		}
		at = end + 1;
	}
	if (length == 0 || (n > 0 && path[n - 1] == '/'))
		out[length++] = '/';
	CHECK(length <= n + 1 && out[0] == '/');
	out[length] = '\0';
	return length;
}

static bool
monitor_is_plain(char c, const char *others)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c != '\0' && strchr(others, c) != NULL);
}

/* net/url's escaping of a path. Returns the length, 0 when it does not fit. */
static size_t
monitor_escape(const char *path, size_t n, char *out, size_t size)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t length = 0;
	unsigned char c;
	size_t i;

	for (i = 0; i < n; i++) {
		if (length + 4 > size)
			return 0;
		c = (unsigned char)path[i];
		if (monitor_is_plain(path[i], "-_.~$&+,/:;=@")) {
			out[length++] = path[i];
			continue;
		}
		out[length++] = '%';
		out[length++] = digits[c >> 4];
		out[length++] = digits[c & 15];
	}
	out[length] = '\0';
	return length;
}

/* net/url EscapedPath: as it came where that is well escaped, else escaped anew. Returns the length, SIZE_MAX when it does not fit.
 */
static size_t
monitor_escaped(const struct http_request *request, char *out, size_t size)
{
	size_t n;
	uint32_t i;

	for (i = 0; i < request->raw_path_length; i++)
		if (!monitor_is_plain(request->raw_path[i], "-_.~$&+,/:;=@!'()*[]%")) {
			n = monitor_escape(request->path, request->path_length, out, size);
			return n > 0 ? n : SIZE_MAX;
		}
	if (request->raw_path_length >= size)
		return SIZE_MAX;
	memcpy(out, request->raw_path, request->raw_path_length);
	out[request->raw_path_length] = '\0';
	return request->raw_path_length;
}

/* html.EscapeString as net/http does it for the body of a redirect. */
static size_t
monitor_html(const char *text, char *out, size_t size)
{
	static const char *const words[] = { ['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;", ['"'] = "&#34;", ['\''] = "&#39;" };
	const char *word;
	size_t length = 0, n;

	for (; *text != '\0'; text++) {
		word = (unsigned char)*text < sizeof(words) / sizeof(words[0]) ? words[(unsigned char)*text] : NULL;
		n = word == NULL ? 1 : strlen(word);
		if (length + n >= size)
			return 0;
		memcpy(out + length, word == NULL ? text : word, n);
		length += n;
	}
	out[length] = '\0';
	return length;
}

/* 307 to the clean form. Escaped twice, since Go cleans the escaped path and escapes the result. A query too long for us is
 * answered 404. */
static void
monitor_redirect(const struct http_request *request, const char *clean, size_t length, struct monitor_answer *answer)
{
	bool get = request->method_length == 3 && memcmp(request->method, "GET", 3) == 0;
	char url[MONITOR_TEXT_SIZE / 2], html[MONITOR_TEXT_SIZE - 64], query[MONITOR_TEXT_SIZE / 4] = "";
	char extra[MONITOR_TEXT_SIZE];
	size_t n = monitor_escape(clean, length, url, sizeof(url));
	uint32_t i;

	if (request->query_length >= sizeof(query) - 1 || n == 0 || n + request->query_length + 2 > sizeof(url)) {
		monitor_not_found(answer);
		return;
	}
	if (request->query_length > 0) {
		(void)snprintf(query, sizeof(query), "?%.*s", (int)request->query_length, request->query);
		for (i = 0; query[i] != '\0'; i++)
			if ((unsigned char)query[i] >= 0x80) {
				monitor_not_found(answer);
				return;
			}
	}
	(void)snprintf(url + n, sizeof(url) - n, "%s", query);
	(void)snprintf(extra, sizeof(extra), "Location: %s\r\n", url);
	answer->text[0] = '\0';
	if (get && monitor_html(url, html, sizeof(html)) > 0)
		(void)snprintf(answer->text, sizeof(answer->text), "<a href=\"%s\">Temporary Redirect</a>.\n\n", html);
	monitor_text(answer, 307, get || request->is_head ? "text/html; charset=utf-8" : NULL, extra);
}

/* Is the path that of the page, below the base path? */
static bool
monitor_is_page(const char *base, size_t base_length, const char *page, const char *path, size_t length)
{
	size_t page_length = strlen(page);

	CHECK(base_length > 0 && base[0] == '/');
	CHECK(page[0] == '/');
	if (base_length == 1)
		base_length = 0;
	else if (page_length == 1)
		page_length = 0; /* path.Join(base, "/") is base */
	return length == base_length + page_length && memcmp(path, base, base_length) == 0 &&
	    memcmp(path + base_length, page, page_length) == 0;
}

/* opts.go normalizeBasePath; without the slash at the end. */
static size_t
monitor_base(const struct monitor *monitor, char *out, size_t size)
{
	const char *base = monitor->worker->config->http_base_path;
	size_t n = strlen(base), length;

	if (n + 2 > size)
		return monitor_clean("", 0, out, size);
	length = monitor_clean(base, n, out, size);
	if (length > 1 && out[length - 1] == '/')
		out[--length] = '\0';
	return length;
}

/* "*" names the whole server: net/http knows OPTIONS of it, and nothing else. */
static void
monitor_star(const struct http_request *request, struct monitor_answer *answer)
{
	bool options = request->method_length == 7 && memcmp(request->method, "OPTIONS", 7) == 0;

	answer->close = !options;
	monitor_text(answer, options ? 200 : 400, NULL, "");
}

void
monitor_answer_request(struct monitor *monitor, const struct http_request *request, struct monitor_answer *answer)
{
	char escaped[MONITOR_PATH_SIZE], clean[MONITOR_PATH_SIZE + 2], base[HTTP_PATH_MAX];
	size_t n = monitor_escaped(request, escaped, sizeof(escaped)), length, base_length;
	unsigned i;

	CHECK_OBJ(monitor, MONITOR_MAGIC);
	answer->status = 200;
	answer->close = false;
	answer->type = "application/json";
	answer->extra[0] = answer->text[0] = '\0';
	answer->text_length = 0;
	json_writer_init_growing(&answer->json, MONITOR_BODY_MAX, 0);
	if (request->path_length == 1 && request->path[0] == '*') {
		monitor_star(request, answer);
		return;
	}
	if (n == SIZE_MAX) {
		monitor_not_found(answer);
		return;
	}
	length = monitor_clean(escaped, n, clean, sizeof(clean));
	if (length != n || memcmp(clean, escaped, n) != 0) {
		monitor_redirect(request, clean, length, answer);
		return;
	}
	base_length = monitor_base(monitor, base, sizeof(base));
	for (i = 0; i < MONITOR_PAGES; i++)
		if (monitor_is_page(base, base_length, monitor_pages[i].path, request->path, request->path_length)) {
			monitor->requests[i]++;
			(void)snprintf(answer->extra, sizeof(answer->extra), "Access-Control-Allow-Origin: *\r\n");
			monitor_pages[i].fill(monitor, request, answer);
			return;
		}
	monitor_not_found(answer);
}

/* ---- the root page ---- */

static void
monitor_root(struct monitor *monitor, const struct http_request *request, struct monitor_answer *answer)
{
	const struct worker_config *config = monitor->worker->config;
	char base[HTTP_PATH_MAX], html[HTTP_PATH_MAX * 6];
	size_t base_length = monitor_base(monitor, base, sizeof(base)), at;
	unsigned i;
	int n;

	(void)request;
	if (base_length == 1)
		base[0] = '\0';
	(void)monitor_html(base, html, sizeof(html));
	at = (size_t)snprintf(answer->text, sizeof(answer->text),
	    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>natsd</title>\n</head>\n<body>\n"
	    "<h1>%s, as nats-server v%s</h1>\n<ul>\n",
	    config->go, config->version);
	for (i = 0; i < MONITOR_PAGES; i++) {
		if (monitor_pages[i].title == NULL)
			continue;
		CHECK(at < sizeof(answer->text));
		n = snprintf(answer->text + at, sizeof(answer->text) - at, "<li><a href=\".%s%s\">%s</a> %s</li>\n", html,
		    monitor_pages[i].path, monitor_pages[i].title, monitor_pages[i].path);
		CHECK(n > 0);
		at += (size_t)n;
	}
	CHECK(at < sizeof(answer->text));
	(void)snprintf(answer->text + at, sizeof(answer->text) - at, "</ul>\n</body>\n</html>\n");
	monitor_text(answer, 200, "text/html; charset=utf-8", "");
}

/* ---- /healthz ---- */

/* strconv.ParseBool. */
static bool
monitor_parse_bool(const char *text, bool *value)
{
	static const char *const trues[] = { "1", "t", "T", "TRUE", "true", "True" };
	static const char *const falses[] = { "0", "f", "F", "FALSE", "false", "False" };
	size_t i;

	for (i = 0; i < sizeof(trues) / sizeof(trues[0]); i++)
		if (strcmp(text, trues[i]) == 0 || strcmp(text, falses[i]) == 0) {
			*value = strcmp(text, trues[i]) == 0;
			return true;
		}
	return false;
}

/* monitor.go decodeBool; false: the answer says what is wrong. */
static bool
monitor_query_bool(const struct http_request *request, const char *name, bool *value, struct monitor_answer *answer)
{
	char text[MONITOR_VALUE_SIZE], quoted[MONITOR_VALUE_SIZE * 4 + 3];
	size_t n;

	*value = false;
	if (!http_query(request, name, text, sizeof(text), &n) || n == 0 || monitor_parse_bool(text, value))
		return true;
	(void)text_quote(quoted, sizeof(quoted), text, n);
	(void)snprintf(answer->text, sizeof(answer->text),
	    "Error decoding boolean for '%s': strconv.ParseBool: parsing %s: invalid syntax", name, quoted);
	monitor_text(answer, 400, "text/plain; charset=utf-8", "");
	return false;
}

static bool
monitor_query_given(const struct http_request *request, const char *name)
{
	char text[MONITOR_VALUE_SIZE];

	return http_query(request, name, text, sizeof(text), NULL) && text[0] != '\0';
}

/* What is wrong, NULL: nothing. The checks of monitor.go healthz that come without JetStream. */
static const char *
monitor_health(const struct worker *worker, const struct http_request *request, uint16_t *status, const char **type)
{
	*status = 400;
	*type = "BAD_REQUEST";
	if (!monitor_query_given(request, "account") && monitor_query_given(request, "stream"))
		return "\"account\" must not be empty when checking stream health";
	if (!monitor_query_given(request, "stream") && monitor_query_given(request, "consumer"))
		return "\"stream\" must not be empty when checking consumer health";
	*status = 500;
	*type = "CONNECTION";
	if (worker->listen_ios == NULL)
		return "failed to be ready for connections after 1ms: server";
	*status = 200;
	return NULL;
}

static void
monitor_healthz(struct monitor *monitor, const struct http_request *request, struct monitor_answer *answer)
{
	static const char *const names[] = { "js-enabled", "js-enabled-only", "js-server-only", "js-meta-only", "details" };
	bool values[sizeof(names) / sizeof(names[0])];
	struct json_writer *json = &answer->json;
	const char *problem, *type;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!monitor_query_bool(request, names[i], &values[i], answer))
			return;
		if (i == 0 && values[0])
			log_warn("Healthcheck: js-enabled deprecated, use js-enabled-only instead");
	}
	problem = monitor_health(monitor->worker, request, &answer->status, &type);
	json_object_begin(json);
	json_member_string(json, "status", problem == NULL ? "ok" : "error");
	if (problem != NULL && values[4]) {
		log_warn("Healthcheck failed: 1 errors");
		json_key(json, "errors");
		json_array_begin(json);
		json_object_begin(json);
		json_member_string(json, "type", type);
		json_member_string(json, "error", problem);
		json_object_end(json);
		json_array_end(json);
	} else if (problem != NULL) {
		char quoted[256];

		(void)text_quote(quoted, sizeof(quoted), problem, strlen(problem));
		log_warn("Healthcheck failed: %s", quoted);
		json_member_string(json, "error", problem);
	}
	json_object_end(json);
}
