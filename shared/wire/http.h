/*
 * HTTP/1.x for the monitoring listener: reads the head of one request, writes the head of an answer, as Go's net/http does it for
 * nats-server.  Any method is accepted (nats-server treats all as GET).  The reader keeps no bytes: it is shown the unread bytes of
 * a connection from the start of a request, again with more behind when it says HTTP_MORE.  No sockets, no allocation.
 */
#ifndef WIRE_HTTP_H
#define WIRE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_HEAD_MAX ((1U << 20) + 4096U) /* Go's DefaultMaxHeaderBytes and its slack */
#define HTTP_PATH_MAX 512U

struct http_parser {
	size_t scanned; /* bytes known not to hold the end of the head; zero it for each request */
};

enum http_result {
	HTTP_REQUEST,
	HTTP_MORE,
	HTTP_BAD /* answer with http_error(status, detail) and close */
};

/* Pointers go into the data. */
struct http_request {
	size_t consumed;         /* bytes of the head, final empty line included */
	uint64_t content_length; /* bytes of body behind it, to be skipped */
	const char *method;
	const char *raw_path; /* as it came, not decoded, without query */
	const char *query;    /* without '?'; length 0 if none */
	const char *headers;  /* lines behind the request line */
	uint32_t method_length;
	uint32_t raw_path_length;
	uint32_t query_length;
	uint32_t headers_length;
	uint16_t status;    /* HTTP_BAD: 400, 431, 505 */
	const char *detail; /* HTTP_BAD: what Go adds behind the status text, or NULL */
	bool version_1_0;
	bool keep_alive; /* the connection may be used again */
	bool is_head;    /* HEAD: no body in the answer */
	uint32_t path_length;
	char path[HTTP_PATH_MAX]; /* decoded, NUL-ended; "" when too long, which is no page's name */
};

enum http_result http_parse(struct http_parser *parser, const void *data, size_t n, struct http_request *out);

/* First value of a header, name in any case, white space around it taken off. False if absent. */
bool http_header(const struct http_request *request, const char *name, const char **value, size_t *length);

/* First value of a query parameter, decoded into out[size] and NUL-ended; *length may be NULL. False if it is absent, badly encoded
 * (Go drops such pairs), or does not fit. */
bool http_query(const struct http_request *request, const char *name, char *out, size_t size, size_t *length);

struct http_head {
	uint16_t status;
	bool version_1_0;
	bool keep_alive;
	const char *content_type; /* NULL: none */
	const char *extra;        /* ready lines "Name: value\r\n" before Content-Type, or NULL */
	int64_t date;             /* wall clock, nanoseconds */
	uint64_t content_length;
};

/* The head of an answer with its empty line, header order as Go's. Returns its length, 0 when it does not fit. */
size_t http_head_write(const struct http_head *head, char *out, size_t size);

/* The whole answer to a bad request, as Go's server sends it before closing. Returns its length, 0 when it does not fit. */
size_t http_error_write(uint16_t status, const char *detail, char *out, size_t size);

/* "Not Found" and so on; "" for a status not in the table. */
const char *http_status_text(uint16_t status);

#endif
