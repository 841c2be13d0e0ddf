/*
 * Cursors over bytes: the one way to read what came from another process or the network, and to write what goes there.
 * Both keep a sticky error: read or write all fields, then ask once (bytes_done, bytes_written or the field `failed`).
 * After a failure every read returns 0 or NULL and every write does nothing.  Numbers are little endian.
 * They own nothing; the memory belongs to the caller.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/check.h"

struct bytes_reader {
	const uint8_t *at;
	const uint8_t *end;
	bool failed;
};

struct bytes_writer {
	uint8_t *at;
	uint8_t *end;
	uint8_t *start;
	bool failed;
};

/* Checked arithmetic: false on overflow, *out is then undefined. */
static inline bool
bytes_add(size_t a, size_t b, size_t *out)
{
	return !__builtin_add_overflow(a, b, out);
}

static inline bool
bytes_mul(size_t a, size_t b, size_t *out)
{
	return !__builtin_mul_overflow(a, b, out);
}

/* ---- reading ---- */

static inline void
bytes_reader_init(struct bytes_reader *r, const void *data, size_t n)
{
	CHECK(data != NULL || n == 0);
	r->at = data;
	r->end = n == 0 ? r->at : r->at + n;
	r->failed = false;
}

/* Bytes not yet read. */
static inline size_t
bytes_left(const struct bytes_reader *r)
{
	return (size_t)(r->end - r->at);
}

/* The next n bytes, in place, or NULL.  For n == 0 the result is not NULL unless the reader has failed or was empty from a NULL. */
static inline const uint8_t *
bytes_data(struct bytes_reader *r, size_t n)
{
	const uint8_t *data = r->at;

	if (r->failed || n > (size_t)(r->end - r->at)) {
		r->failed = true;
		return NULL;
	}
	r->at = n == 0 ? data : data + n;
	return data;
}

static inline uint8_t
bytes_u8(struct bytes_reader *r)
{
	const uint8_t *p = bytes_data(r, 1);

	return p != NULL ? *p : 0;
}

/* One byte that must be 0 or 1. */
static inline bool
bytes_bool(struct bytes_reader *r)
{
	uint8_t value = bytes_u8(r);

	if (value > 1)
		r->failed = true;
	return value == 1;
}

static inline uint16_t
bytes_u16(struct bytes_reader *r)
{
	const uint8_t *p = bytes_data(r, 2);

	return p != NULL ? (uint16_t)((unsigned)p[0] | (unsigned)p[1] << 8) : 0;
}

static inline uint32_t
bytes_u32(struct bytes_reader *r)
{
	const uint8_t *p = bytes_data(r, 4);

	return p != NULL ? (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24 : 0;
}

static inline uint64_t
bytes_u64(struct bytes_reader *r)
{
	uint64_t low = bytes_u32(r);
	uint64_t high = bytes_u32(r);

	return r->failed ? 0 : low | high << 32;
}

static inline int32_t
bytes_i32(struct bytes_reader *r)
{
	return (int32_t)bytes_u32(r);
}

static inline int64_t
bytes_i64(struct bytes_reader *r)
{
	return (int64_t)bytes_u64(r);
}

/* A u16 length and as many bytes, copied into to[size] with a NUL behind.  Fails when they do not fit or hold a NUL. */
bool bytes_string(struct bytes_reader *r, char *to, size_t size);

/* A u16 length and as many bytes (any), in place. On failure *data is NULL and *n is 0. */
bool bytes_view(struct bytes_reader *r, const char **data, size_t *n);

/* The same with a u32 length. */
bool bytes_view32(struct bytes_reader *r, const uint8_t **data, size_t *n);

/* True if nothing failed and nothing is left. */
static inline bool
bytes_done(const struct bytes_reader *r)
{
	return !r->failed && r->at == r->end;
}

/* ---- writing ---- */

static inline void
bytes_writer_init(struct bytes_writer *w, void *buffer, size_t n)
{
	CHECK(buffer != NULL || n == 0);
	w->start = w->at = buffer;
	w->end = n == 0 ? w->start : w->start + n;
	w->failed = false;
}

/* Room for n bytes, to be filled by the caller, or NULL. */
static inline uint8_t *
bytes_put_room(struct bytes_writer *w, size_t n)
{
	uint8_t *room = w->at;

	if (w->failed || n > (size_t)(w->end - w->at)) {
		w->failed = true;
		return NULL;
	}
	w->at = n == 0 ? room : room + n;
	return room;
}

static inline void
bytes_put_u8(struct bytes_writer *w, uint8_t value)
{
	uint8_t *p = bytes_put_room(w, 1);

	if (p != NULL)
		*p = value;
}

static inline void
bytes_put_bool(struct bytes_writer *w, bool value)
{
	bytes_put_u8(w, value ? 1 : 0);
}

static inline void
bytes_put_u16(struct bytes_writer *w, uint16_t value)
{
	uint8_t *p = bytes_put_room(w, 2);

	if (p != NULL) {
		p[0] = (uint8_t)value;
		p[1] = (uint8_t)(value >> 8);
	}
}

static inline void
bytes_put_u32(struct bytes_writer *w, uint32_t value)
{
	uint8_t *p = bytes_put_room(w, 4);

	if (p != NULL) {
		p[0] = (uint8_t)value;
		p[1] = (uint8_t)(value >> 8);
		p[2] = (uint8_t)(value >> 16);
		p[3] = (uint8_t)(value >> 24);
	}
}

static inline void
bytes_put_u64(struct bytes_writer *w, uint64_t value)
{
	uint8_t *p = bytes_put_room(w, 8);

	if (p != NULL)
		for (int i = 0; i < 8; i++)
			p[i] = (uint8_t)(value >> (8 * i));
}

static inline void
bytes_put_i32(struct bytes_writer *w, int32_t value)
{
	bytes_put_u32(w, (uint32_t)value);
}

static inline void
bytes_put_i64(struct bytes_writer *w, int64_t value)
{
	bytes_put_u64(w, (uint64_t)value);
}

/* n bytes without a length. */
static inline void
bytes_put_data(struct bytes_writer *w, const void *data, size_t n)
{
	uint8_t *p = bytes_put_room(w, n);

	if (p != NULL && n > 0)
		memcpy(p, data, n);
}

/* A u16 length and n bytes; fails above 65,535. */
void bytes_put_view(struct bytes_writer *w, const void *data, size_t n);

/* A u32 length and n bytes; fails above 4 GiB - 1. */
void bytes_put_view32(struct bytes_writer *w, const void *data, size_t n);

/* The bytes of a C string as bytes_put_view. NULL counts as "". */
void bytes_put_string(struct bytes_writer *w, const char *text);

/* Bytes written so far (those before a failure). */
static inline size_t
bytes_written(const struct bytes_writer *w)
{
	return (size_t)(w->at - w->start);
}

#endif
