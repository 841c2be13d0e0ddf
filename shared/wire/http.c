/*
 * HTTP/1.x heads: see http.h.
 */
#include "wire/http.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/text.h"

#define HTTP_NANOSECONDS INT64_C(1000000000)

static const struct {
	uint16_t status;
	const char *text;
} http_statuses[] = {
	{ 200, "OK" },
	{ 204, "No Content" },
	{ 307, "Temporary Redirect" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 431, "Request Header Fields Too Large" },
	{ 500, "Internal Server Error" },
	{ 503, "Service Unavailable" },
	{ 505, "HTTP Version Not Supported" },
};

struct http_span {
	const char *at;
	size_t length;
};

const char *
http_status_text(uint16_t status)
{
	for (size_t i = 0; i < sizeof(http_statuses) / sizeof(http_statuses[0]); i++)
		if (http_statuses[i].status == status)
			return http_statuses[i].text;
	return "";
}

static enum http_result
http_bad(struct http_request *out, uint16_t status, const char *detail)
{
	out->status = status;
	out->detail = detail;
	return HTTP_BAD;
}

static bool
http_token_byte(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool
http_is_token(struct http_span text)
{
	for (size_t i = 0; i < text.length; i++)
		if (!http_token_byte(text.at[i]))
			return false;
	return text.length > 0;
}

static struct http_span
http_trim(struct http_span text)
{
	while (text.length > 0 && (text.at[0] == ' ' || text.at[0] == '\t')) {
		text.at++;
		text.length--;
	}
	while (text.length > 0 && (text.at[text.length - 1] == ' ' || text.at[text.length - 1] == '\t'))
		text.length--;
	return text;
}

/* The next line of rest without its LF and CR, taken off. False at the end. */
static bool
http_line(struct http_span *rest, struct http_span *line)
{
	const char *end = rest->length > 0 ? memchr(rest->at, '\n', rest->length) : NULL;
	size_t length;

	if (end == NULL)
		return false;
	length = (size_t)(end - rest->at);
	*line = (struct http_span){ rest->at, length };
	if (length > 0 && end[-1] == '\r')
		line->length--;
	rest->at += length + 1;
	rest->length -= length + 1;
	return true;
}

/* Offset behind the empty line that ends the head, or 0. Lines end in CRLF or LF alone. */
static size_t
http_head_end(struct http_parser *parser, const char *data, size_t n)
{
	size_t at = parser->scanned;

	CHECK(at <= n);
	while (at < n) {
		const char *line = memchr(data + at, '\n', n - at);
		size_t behind;

		if (line == NULL)
			break;
		behind = (size_t)(line - data) + 1;
		if (behind < n && data[behind] == '\n')
			return behind + 1;
		if (behind + 1 < n && data[behind] == '\r' && data[behind + 1] == '\n')
			return behind + 2;
		if (behind + 1 >= n) {
			parser->scanned = behind - 1;
			return 0;
		}
		at = behind;
	}
	parser->scanned = n;
	return 0;
}

static int
http_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* %XX and, in queries, '+'. Returns the length, or SIZE_MAX for bad encoding; *fits says whether all of it is in out. */
static size_t
http_decode(struct http_span text, bool plus, char *out, size_t size, bool *fits)
{
	size_t length = 0;

	CHECK(size > 0);
	for (size_t i = 0; i < text.length; i++) {
		char c = text.at[i];

		if (c == '%') {
			int high = i + 2 < text.length ? http_hex(text.at[i + 1]) : -1;
			int low = i + 2 < text.length ? http_hex(text.at[i + 2]) : -1;

			if (high < 0 || low < 0)
				return SIZE_MAX;
			c = (char)(high << 4 | low);
			i += 2;
		} else if (plus && c == '+') {
			c = ' ';
		}
		if (length + 1 < size)
			out[length] = c;
		length++;
	}
	*fits = length + 1 <= size;
	out[*fits ? length : 0] = '\0';
	return length;
}

/* "/path?query", "http://host/path?query" or "*". */
static bool
http_target(struct http_span target, struct http_request *out)
{
	const char *question;
	size_t length;
	bool fits;

	for (size_t i = 0; i < target.length; i++)
		if ((unsigned char)target.at[i] < ' ' || target.at[i] == 0x7f)
			return false;
	if (target.length >= 7 && text_equal_fold(target.at, 7, "http://", 7)) {
		const char *slash = memchr(target.at + 7, '/', target.length - 7);
		const char *end = target.at + target.length;

		target = (struct http_span){ slash != NULL ? slash : end, slash != NULL ? (size_t)(end - slash) : 0 };
	} else if (target.length == 0 || (target.at[0] != '/' && !(target.length == 1 && target.at[0] == '*'))) {
		return false;
	}
	question = memchr(target.at, '?', target.length);
	if (question != NULL) {
		out->query = question + 1;
		out->query_length = (uint32_t)(target.length - (size_t)(question + 1 - target.at));
		target.length = (size_t)(question - target.at);
	}
	out->raw_path = target.at;
	out->raw_path_length = (uint32_t)target.length;
	length = http_decode(target, false, out->path, sizeof(out->path), &fits);
	if (length == SIZE_MAX)
		return false;
	out->path_length = fits ? (uint32_t)length : 0;
	return true;
}

static bool
http_is_preface(struct http_span line)
{
	static const char preface[] = "PRI * HTTP/2.0";

	return line.length == sizeof(preface) - 1 && memcmp(line.at, preface, sizeof(preface) - 1) == 0;
}

static enum http_result
http_request_line(struct http_span line, struct http_request *out)
{
	const char *first = memchr(line.at, ' ', line.length);
	const char *end = line.at + line.length;
	const char *second;
	struct http_span method, version;

	if (first == NULL || (second = memchr(first + 1, ' ', (size_t)(end - first - 1))) == NULL)
		return http_bad(out, 400, NULL);
	method = (struct http_span){ line.at, (size_t)(first - line.at) };
	version = (struct http_span){ second + 1, (size_t)(end - second - 1) };
	if (!http_is_token(method))
		return http_bad(out, 400, NULL);
	if (version.length != 8 || memcmp(version.at, "HTTP/", 5) != 0 || version.at[5] < '0' || version.at[5] > '9' ||
	    version.at[6] != '.' || version.at[7] < '0' || version.at[7] > '9')
		return http_bad(out, 400, NULL);
	if (!http_target((struct http_span){ first + 1, (size_t)(second - first - 1) }, out))
		return http_bad(out, 400, NULL);
	out->method = method.at;
	out->method_length = (uint32_t)method.length;
	out->is_head = method.length == 4 && memcmp(method.at, "HEAD", 4) == 0;
	out->version_1_0 = version.at[5] == '1' && version.at[7] == '0';
	/* Go lets the opening of HTTP/2 through, and then refuses "*" as for any method but OPTIONS. */
	if (version.at[5] != '1' && !http_is_preface(line))
		return http_bad(out, 505, "unsupported protocol version");
	return HTTP_REQUEST;
}

/* Every line is "token: value" without control bytes, or continues the one before. */
static enum http_result
http_check_headers(struct http_request *out)
{
	struct http_span rest = { out->headers, out->headers_length };
	struct http_span line;
	unsigned hosts = 0;

	for (bool first = true; http_line(&rest, &line) && line.length > 0; first = false) {
		const char *colon = memchr(line.at, ':', line.length);
		bool continued = line.at[0] == ' ' || line.at[0] == '\t';
		struct http_span name;

		for (size_t i = 0; i < line.length; i++)
			if (((unsigned char)line.at[i] < ' ' && line.at[i] != '\t') || line.at[i] == 0x7f)
				return http_bad(out, 400, NULL);
		if (continued && !first)
			continue;
		if (continued || colon == NULL)
			return http_bad(out, 400, NULL);
		name = (struct http_span){ line.at, (size_t)(colon - line.at) };
		if (!http_is_token(name))
			return http_bad(out, 400, name.length > 0 ? "invalid header name" : NULL);
		hosts += text_equal_fold(name.at, name.length, "host", 4) ? 1 : 0;
	}
	if (hosts > 1)
		return http_bad(out, 400, NULL);
	if (hosts == 0 && !out->version_1_0)
		return http_bad(out, 400, "missing required Host header");
	return HTTP_REQUEST;
}

static bool
http_host_valid(const char *host, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)host[i] <= ' ' || host[i] == 0x7f || strchr("\"<>\\^`{|}", host[i]) != NULL)
			return false;
	return true;
}

/* Whether the comma separated value names the option. */
static bool
http_has_option(const char *value, size_t n, const char *option)
{
	const char *end = value + n;

	while (value < end) {
		const char *comma = memchr(value, ',', (size_t)(end - value));
		struct http_span part = { value, (size_t)((comma != NULL ? comma : end) - value) };

		part = http_trim(part);
		if (text_equal_fold(part.at, part.length, option, strlen(option)))
			return true;
		value = comma != NULL ? comma + 1 : end;
	}
	return false;
}

/* What the headers say about the connection and the body. */
static enum http_result
http_framing(struct http_request *out)
{
	const char *value;
	size_t n;

	if (http_header(out, "Host", &value, &n) && !http_host_valid(value, n))
		return http_bad(out, 400, "malformed Host header");
	out->keep_alive = !out->version_1_0;
	if (http_header(out, "Connection", &value, &n)) {
		if (http_has_option(value, n, "close"))
			out->keep_alive = false;
		else if (http_has_option(value, n, "keep-alive"))
			out->keep_alive = true;
	}
	if (http_header(out, "Content-Length", &value, &n) && !text_parse_u64(value, n, &out->content_length))
		return http_bad(out, 400, NULL);
	/* The end of such a body is not looked for: the answer comes at once, then the connection closes. */
	if (http_header(out, "Transfer-Encoding", &value, &n) || http_header(out, "Expect", &value, &n)) {
		out->content_length = 0;
		out->keep_alive = false;
	}
	return HTTP_REQUEST;
}

enum http_result
http_parse(struct http_parser *parser, const void *data, size_t n, struct http_request *out)
{
	struct http_span rest, line;
	enum http_result result;
	size_t end;

	memset(out, 0, sizeof(*out));
	end = n > 0 ? http_head_end(parser, data, n) : 0;
	if (end > HTTP_HEAD_MAX || (end == 0 && n > HTTP_HEAD_MAX))
		return http_bad(out, 431, NULL);
	rest = (struct http_span){ data, end > 0 ? end : n };
	/* An empty first line is an error whatever follows. */
	if (end == 0 && !(n >= 2 && (memcmp(data, "\r\n", 2) == 0)) && !(n >= 1 && rest.at[0] == '\n'))
		return HTTP_MORE;
	if (!http_line(&rest, &line) || line.length == 0)
		return http_bad(out, 400, NULL);
	result = http_request_line(line, out);
	if (result != HTTP_REQUEST)
		return result;
	out->headers = rest.at;
	out->headers_length = (uint32_t)rest.length;
	out->consumed = end;
	result = http_check_headers(out);
	return result == HTTP_REQUEST ? http_framing(out) : result;
}

bool
http_header(const struct http_request *request, const char *name, const char **value, size_t *length)
{
	struct http_span rest = { request->headers, request->headers_length };
	struct http_span line;

	while (http_line(&rest, &line) && line.length > 0) {
		const char *colon = memchr(line.at, ':', line.length);
		struct http_span found;

		if (colon == NULL || !text_equal_fold(line.at, (size_t)(colon - line.at), name, strlen(name)))
			continue;
		found = http_trim((struct http_span){ colon + 1, line.length - (size_t)(colon + 1 - line.at) });
		*value = found.at;
		*length = found.length;
		return true;
	}
	return false;
}

/* One "name=value" pair of a query; bad encoding or a semicolon makes Go drop it. */
static bool
http_pair(struct http_span pair, const char *name, char *out, size_t size, size_t *length, bool *fits)
{
	const char *equals = memchr(pair.at, '=', pair.length);
	struct http_span key = { pair.at, equals != NULL ? (size_t)(equals - pair.at) : pair.length };
	struct http_span value = { equals != NULL ? equals + 1 : "", equals != NULL ? pair.length - key.length - 1 : 0 };
	char decoded[64];
	size_t n;

	if (memchr(pair.at, ';', pair.length) != NULL)
		return false;
	n = http_decode(key, true, decoded, sizeof(decoded), fits);
	if (n == SIZE_MAX || !*fits || n != strlen(name) || memcmp(decoded, name, n) != 0)
		return false;
	*length = http_decode(value, true, out, size, fits);
	return *length != SIZE_MAX;
}

bool
http_query(const struct http_request *request, const char *name, char *out, size_t size, size_t *length)
{
	const char *at = request->query;
	const char *end = request->query_length > 0 ? at + request->query_length : at;

	CHECK(out != NULL && size > 0);
	while (at != NULL && at < end) {
		const char *next = memchr(at, '&', (size_t)(end - at));
		struct http_span pair = { at, (size_t)((next != NULL ? next : end) - at) };
		size_t n;
		bool fits;

		if (pair.length > 0 && http_pair(pair, name, out, size, &n, &fits)) {
			if (length != NULL)
				*length = n;
			return fits;
		}
		at = next != NULL ? next + 1 : end;
	}
	out[0] = '\0';
	return false;
}

size_t
http_head_write(const struct http_head *head, char *out, size_t size)
{
	time_t seconds = (time_t)(head->date / HTTP_NANOSECONDS);
	const char *connection = "";
	char date[64];
	struct tm tm;
	int n;

	CHECK(http_status_text(head->status)[0] != '\0');
	if (gmtime_r(&seconds, &tm) == NULL || strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm) == 0)
		date[0] = '\0';
	if (!head->keep_alive && !head->version_1_0)
		connection = "Connection: close\r\n";
	else if (head->keep_alive && head->version_1_0)
		connection = "Connection: keep-alive\r\n";
	n = snprintf(out, size, "HTTP/1.%d %u %s\r\n%s%s%s%sDate: %s\r\nContent-Length: %llu\r\n%s\r\n", head->version_1_0 ? 0 : 1,
	    head->status, http_status_text(head->status), head->extra != NULL ? head->extra : "",
	    head->content_type != NULL ? "Content-Type: " : "", head->content_type != NULL ? head->content_type : "",
	    head->content_type != NULL ? "\r\n" : "", date, (unsigned long long)head->content_length, connection);
	return n > 0 && (size_t)n < size ? (size_t)n : 0;
}

size_t
http_error_write(uint16_t status, const char *detail, char *out, size_t size)
{
	const char *colon = detail != NULL ? ": " : "";
	char line[128];
	int n;

	CHECK(http_status_text(status)[0] != '\0');
	snprintf(line, sizeof(line), "%u %s%s%s", status, http_status_text(status), colon, detail != NULL ? detail : "");
	n = snprintf(
	    out, size, "HTTP/1.1 %s\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n%s", line, line);
	return n > 0 && (size_t)n < size ? (size_t)n : 0;
}
