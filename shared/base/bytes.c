/*
 * The longer half of the byte cursors: texts with a length in front.  See bytes.h for the rules.
 */
#include "base/bytes.h"

bool
bytes_string(struct bytes_reader *r, char *to, size_t size)
{
	const char *data;
	size_t n;

	CHECK(to != NULL && size > 0);
	to[0] = '\0';
	if (!bytes_view(r, &data, &n))
		return false;
	if (n >= size || memchr(data, '\0', n) != NULL) {
		r->failed = true;
		return false;
	}
	memcpy(to, data, n);
	to[n] = '\0';
	return true;
}

bool
bytes_view(struct bytes_reader *r, const char **data, size_t *n)
{
	size_t length = bytes_u16(r);

	*data = (const char *)bytes_data(r, length);
	*n = r->failed ? 0 : length;
	return !r->failed;
}

bool
bytes_view32(struct bytes_reader *r, const uint8_t **data, size_t *n)
{
	size_t length = bytes_u32(r);

	*data = bytes_data(r, length);
	*n = r->failed ? 0 : length;
	return !r->failed;
}

void
bytes_put_view(struct bytes_writer *w, const void *data, size_t n)
{
	CHECK(data != NULL || n == 0);
	if (n > UINT16_MAX) {
		w->failed = true;
		return;
	}
	bytes_put_u16(w, (uint16_t)n);
	bytes_put_data(w, data, n);
}

void
bytes_put_view32(struct bytes_writer *w, const void *data, size_t n)
{
	CHECK(data != NULL || n == 0);
	if (n > UINT32_MAX) {
		w->failed = true;
		return;
	}
	bytes_put_u32(w, (uint32_t)n);
	bytes_put_data(w, data, n);
}

void
bytes_put_string(struct bytes_writer *w, const char *text)
{
	bytes_put_view(w, text, text != NULL ? strlen(text) : 0);
}
