/*
 * Header blocks of messages: see header.h.
 */
#include "wire/header.h"

#include <string.h>

#include "base/bytes.h"
#include "base/check.h"

#define HEADER_CRLF 2U

static const char header_status_503[] = "NATS/1.0 503\r\nNats-Subject: ";

/* Offset of key behind CRLF and before a colon, or SIZE_MAX. (Go gives up when the name, or a double of it, stands too close to
 * where it searches from, such as "A" in "NATS"; that is not copied.) */
static size_t
header_index(const uint8_t *block, size_t n, const char *key)
{
	size_t length = strlen(key);
	size_t offset = 0;

	CHECK(length > 0);
	while (offset < n) {
		const uint8_t *found = memmem(block + offset, n - offset, key, length);
		size_t index;

		if (found == NULL)
			return SIZE_MAX;
		index = (size_t)(found - block);
		if (index + length >= n)
			return SIZE_MAX;
		if (index >= HEADER_CRLF && memcmp(found - HEADER_CRLF, "\r\n", HEADER_CRLF) == 0 && found[length] == ':')
			return index;
		offset = index + 1;
	}
	return SIZE_MAX;
}

static size_t
header_line_end(const uint8_t *block, size_t n, size_t at)
{
	const uint8_t *end = at < n ? memmem(block + at, n - at, "\r\n", HEADER_CRLF) : NULL;

	return end != NULL ? (size_t)(end - block) : n;
}

bool
nats_header_find(const uint8_t *block, size_t n, const char *key, const uint8_t **value, size_t *length)
{
	size_t at = header_index(block, n, key);

	if (at == SIZE_MAX)
		return false;
	at += strlen(key) + 1;
	while (at < n && block[at] == ' ')
		at++;
	*value = block + at;
	*length = header_line_end(block, n, at) - at;
	return true;
}

size_t
nats_header_no_responders_size(size_t subject_length)
{
	return sizeof(header_status_503) - 1 + subject_length + 2 * HEADER_CRLF;
}

size_t
nats_header_no_responders(uint8_t *out, size_t size, const char *subject, size_t subject_length)
{
	struct bytes_writer w;

	bytes_writer_init(&w, out, size);
	bytes_put_data(&w, header_status_503, sizeof(header_status_503) - 1);
	bytes_put_data(&w, subject, subject_length);
	bytes_put_data(&w, "\r\n\r\n", 2 * HEADER_CRLF);
	return w.failed ? 0 : bytes_written(&w);
}

size_t
nats_header_remove(uint8_t *block, size_t n, const char *key)
{
	size_t at;

	while ((at = header_index(block, n, key)) != SIZE_MAX) {
		size_t end = header_line_end(block, n, at);

		if (end == n)
			return n;
		end += HEADER_CRLF;
		memmove(block + at, block + end, n - end);
		n -= end - at;
		if (n <= sizeof(NATS_HEADER_LINE "\r\n") - 1)
			return 0;
	}
	return n;
}

size_t
nats_header_append(const uint8_t *block, size_t n, const char *key, const char *value, size_t length, uint8_t *out, size_t size)
{
	struct bytes_writer w;

	bytes_writer_init(&w, out, size);
	if (n > HEADER_CRLF)
		bytes_put_data(&w, block, n - HEADER_CRLF);
	else
		bytes_put_data(&w, NATS_HEADER_LINE, sizeof(NATS_HEADER_LINE) - 1);
	bytes_put_data(&w, key, strlen(key));
	bytes_put_data(&w, ": ", 2);
	bytes_put_data(&w, value, length);
	bytes_put_data(&w, "\r\n\r\n", 2 * HEADER_CRLF);
	return w.failed ? 0 : bytes_written(&w);
}
