/*
 * HTTP heads: accepted and refused as by nats-server's monitoring port (status and text seen there), whole and byte by byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/http.h"

static const struct {
	const char *head;
	const char *path;  /* NULL: refused */
	const char *query; /* refused: what Go adds behind the status text */
	unsigned status;
	bool keep_alive;
} rows[] = {
	{ "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", "/healthz", "", 0, true },
	{ "GET /healthz HTTP/1.1\nHost: x\n\n", "/healthz", "", 0, true },
	{ "FOO /connz?a=1&b=2 HTTP/1.1\r\nhost: x\r\n\r\n", "/connz", "a=1&b=2", 0, true },
	{ "GET / HTTP/1.0\r\n\r\n", "/", "", 0, false },
	{ "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "/", "", 0, true },
	{ "GET / HTTP/1.1\r\nHost: x\r\nConnection: foo, Close\r\n\r\n", "/", "", 0, false },
	{ "GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", "/", "", 0, false },
	{ "GET //varz HTTP/1.1\r\nHost: x\r\n\r\n", "//varz", "", 0, true },
	{ "GET /heal%74hz HTTP/1.1\r\nHost: x\r\n\r\n", "/healthz", "", 0, true },
	{ "GET http://foo/healthz?x HTTP/1.1\r\nHost: x\r\n\r\n", "/healthz", "x", 0, true },
	{ "GET http://foo HTTP/1.1\r\nHost: x\r\n\r\n", "", "", 0, true },
	{ "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "*", "", 0, true },
	{ "GET / HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n", "/", "", 0, true },
	{ "GET /healthz HTTP/1.1\r\n\r\n", NULL, "missing required Host header", 400, false },
	{ "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", NULL, "malformed Host header", 400, false },
	{ "GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", NULL, NULL, 400, false },
	{ "GET /healthz\r\n\r\n", NULL, NULL, 400, false },
	{ "GET / HTTP/2.0\r\nHost: x\r\n\r\n", NULL, "unsupported protocol version", 505, false },
	{ "GET / HTTP/1.1 \r\nHost: x\r\n\r\n", NULL, NULL, 400, false },
	{ "GET  / HTTP/1.1\r\nHost: x\r\n\r\n", NULL, NULL, 400, false },
	{ "GET / HTTP/x.1\r\nHost: x\r\n\r\n", NULL, NULL, 400, false },
	{ "G@T / HTTP/1.1\r\nHost: x\r\n\r\n", NULL, NULL, 400, false },
	{ "GET healthz HTTP/1.1\r\nHost: x\r\n\r\n", NULL, NULL, 400, false },
	{ "GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", NULL, NULL, 400, false },
	{ "GET /%4 HTTP/1.1\r\nHost: x\r\n\r\n", NULL, NULL, 400, false },
	{ "GET / HTTP/1.1\r\nHost: x\r\nbad header\r\n\r\n", NULL, NULL, 400, false },
	{ "GET / HTTP/1.1\r\nHost: x\r\nbad : x\r\n\r\n", NULL, "invalid header name", 400, false },
	{ "GET / HTTP/1.1\r\n Host: x\r\n\r\n", NULL, NULL, 400, false },
	{ "GET / HTTP/1.1\r\nHost: x\r\nX: a\x01\r\n\r\n", NULL, NULL, 400, false },
	{ "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", NULL, NULL, 400, false },
	{ "\r\n", NULL, NULL, 400, false },
	{ "\n", NULL, NULL, 400, false },
};

static void
test_heads(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t size = strlen(rows[i].head);
		struct http_parser parser = { 0 };
		struct http_parser drip = { 0 };
		struct http_request request;
		enum http_result result;

		for (size_t n = 0; n < size; n++)
			assert_int_equal(http_parse(&drip, rows[i].head, n, &request), HTTP_MORE);
		assert_int_equal(
		    http_parse(&drip, rows[i].head, size, &request), http_parse(&parser, rows[i].head, size, &request));
		parser.scanned = 0;
		result = http_parse(&parser, rows[i].head, size, &request);
		if (rows[i].path == NULL) {
			assert_int_equal(result, HTTP_BAD);
			assert_int_equal(request.status, rows[i].status);
			assert_int_equal(request.detail != NULL, rows[i].query != NULL);
			if (rows[i].query != NULL)
				assert_string_equal(request.detail, rows[i].query);
			continue;
		}
		assert_int_equal(result, HTTP_REQUEST);
		assert_int_equal(request.consumed, size);
		assert_string_equal(request.path, rows[i].path);
		assert_int_equal(request.query_length, strlen(rows[i].query));
		if (request.query_length > 0)
			assert_memory_equal(request.query, rows[i].query, request.query_length);
		assert_int_equal(request.keep_alive, rows[i].keep_alive);
	}
}

static void
test_headers_and_body(void **state)
{
	static const char head[] = "HEAD / HTTP/1.1\r\nHost: x\r\nContent-Length:  12 \r\nAccept-Encoding:\t gzip, br\r\n\r\nbody";
	struct http_parser parser = { 0 };
	struct http_request request;
	const char *value;
	size_t n;

	(void)state;
	assert_int_equal(http_parse(&parser, head, sizeof(head) - 1, &request), HTTP_REQUEST);
	assert_int_equal(request.consumed, sizeof(head) - 1 - 4);
	assert_int_equal(request.content_length, 12);
	assert_true(request.is_head);
	assert_true(http_header(&request, "accept-encoding", &value, &n));
	assert_int_equal(n, 8);
	assert_memory_equal(value, "gzip, br", 8);
	assert_false(http_header(&request, "Accept", &value, &n));
}

static void
test_query(void **state)
{
	static const char head[] = "GET /x?a=1&b=x%20y+z&a=2&bad=%zz&semi=1;2&empty=&flag&na%6De=v&=x HTTP/1.0\r\n\r\n";
	struct http_parser parser = { 0 };
	struct http_request request;
	char value[8];
	size_t n;

	(void)state;
	assert_int_equal(http_parse(&parser, head, sizeof(head) - 1, &request), HTTP_REQUEST);
	assert_true(http_query(&request, "a", value, sizeof(value), &n));
	assert_string_equal(value, "1");
	assert_true(http_query(&request, "b", value, sizeof(value), &n));
	assert_string_equal(value, "x y z");
	assert_int_equal(n, 5);
	assert_false(http_query(&request, "b", value, 5, &n));
	assert_false(http_query(&request, "bad", value, sizeof(value), NULL));
	assert_false(http_query(&request, "semi", value, sizeof(value), NULL));
	assert_true(http_query(&request, "empty", value, sizeof(value), NULL));
	assert_string_equal(value, "");
	assert_true(http_query(&request, "flag", value, sizeof(value), NULL));
	assert_true(http_query(&request, "name", value, sizeof(value), NULL));
	assert_false(http_query(&request, "missing", value, sizeof(value), NULL));
	assert_string_equal(value, "");
}

static void
test_too_large(void **state)
{
	size_t size = HTTP_HEAD_MAX + 10;
	char *head = malloc(size);
	struct http_parser parser = { 0 };
	struct http_request request;

	(void)state;
	assert_non_null(head);
	memset(head, 'a', size);
	memcpy(head, "GET / HTTP/1.1\r\nX:", 18);
	assert_int_equal(http_parse(&parser, head, HTTP_HEAD_MAX, &request), HTTP_MORE);
	assert_int_equal(http_parse(&parser, head, HTTP_HEAD_MAX + 1, &request), HTTP_BAD);
	assert_int_equal(request.status, 431);
	/* A path beyond ours is no page. */
	memcpy(head, "GET /", 5);
	memcpy(head + 2000, " HTTP/1.0\r\n\r\n", 13);
	memset(head + 5, 'a', 1995);
	parser.scanned = 0;
	assert_int_equal(http_parse(&parser, head, 2013, &request), HTTP_REQUEST);
	assert_string_equal(request.path, "");
	assert_int_equal(request.path_length, 0);
	free(head);
}

static void
test_answers(void **state)
{
	static const char expected[] = "HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nContent-Type: application/json\r\n"
				       "Date: Tue, 24 Nov 2026 13:26:52 GMT\r\nContent-Length: 15\r\n\r\n";
	static const char closing[] = "HTTP/1.1 404 Not Found\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Length: 0\r\n"
				      "Connection: close\r\n\r\n";
	static const char kept[] = "HTTP/1.0 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Length: 0\r\n"
				   "Connection: keep-alive\r\n\r\n";
	static const char bad[] =
	    "HTTP/1.1 400 Bad Request: missing required Host header\r\nContent-Type: text/plain; charset=utf-8\r\n"
	    "Connection: close\r\n\r\n400 Bad Request: missing required Host header";
	struct http_head head = { .status = 200,
		.keep_alive = true,
		.content_type = "application/json",
		.extra = "Access-Control-Allow-Origin: *\r\n",
		.date = INT64_C(1795526812123456789),
		.content_length = 15 };
	char out[512];

	(void)state;
	assert_int_equal(http_head_write(&head, out, sizeof(out)), sizeof(expected) - 1);
	assert_string_equal(out, expected);
	assert_int_equal(http_head_write(&head, out, sizeof(expected) - 1), 0);
	head = (struct http_head){ .status = 404 };
	assert_int_equal(http_head_write(&head, out, sizeof(out)), sizeof(closing) - 1);
	assert_string_equal(out, closing);
	head = (struct http_head){ .status = 200, .version_1_0 = true, .keep_alive = true };
	assert_int_equal(http_head_write(&head, out, sizeof(out)), sizeof(kept) - 1);
	assert_string_equal(out, kept);
	assert_int_equal(http_error_write(400, "missing required Host header", out, sizeof(out)), sizeof(bad) - 1);
	assert_string_equal(out, bad);
	assert_int_equal(http_error_write(400, NULL, out, 10), 0);
	assert_string_equal(http_status_text(999), "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_heads),
		cmocka_unit_test(test_headers_and_body),
		cmocka_unit_test(test_query),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
