/*
 * Fuzz target: heads of HTTP requests.  A head shown byte by byte ends as in one piece, and queries never write out of bounds.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "wire/http.h"

#define HEAD_MAX 2048

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_parser parser = { 0 };
	struct http_parser drip = { 0 };
	struct http_request whole, request = { 0 };
	enum http_result result, last = HTTP_MORE;
	char answer[512];
	char value[8];

	if (size > HEAD_MAX)
		return 0;
	result = http_parse(&parser, data, size, &whole);
	for (size_t n = 0; n <= size && last == HTTP_MORE; n++)
		last = http_parse(&drip, data, n, &request);
	CHECK(result == last);
	if (result == HTTP_BAD) {
		CHECK(whole.status == request.status);
		CHECK(http_error_write(whole.status, whole.detail, answer, sizeof(answer)) > 0);
	}
	if (result != HTTP_REQUEST)
		return 0;
	CHECK(whole.consumed == request.consumed && whole.consumed <= size);
	CHECK(whole.content_length == request.content_length && whole.keep_alive == request.keep_alive);
	CHECK(whole.path_length == request.path_length && whole.path_length < sizeof(whole.path));
	CHECK(memcmp(whole.path, request.path, whole.path_length + 1) == 0);
	if (!http_query(&whole, "a", value, sizeof(value), NULL))
		CHECK(strlen(value) < sizeof(value));
	return 0;
}
