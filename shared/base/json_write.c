/*
 * Writing JSON as Go's encoding/json does: its escapes, its numbers, and the layout of MarshalIndent.  See json.h.
 */
#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "base/text.h"

#define JSON_FIRST 512U /* bytes of a growing buffer */
#define JSON_LEVELS 64U

static bool
json_grow(struct json_writer *w, size_t n)
{
	size_t used = (size_t)(w->at - w->start);
	size_t size = w->start != NULL ? (size_t)(w->end - w->start) * 2 : JSON_FIRST;
	size_t least;
	char *buffer;

	if (__builtin_add_overflow(used, n, &least) || least > w->max)
		return false;
	if (size < least)
		size = least;
	if (size > w->max)
		size = w->max;
	buffer = memory_realloc(w->start, size);
	if (buffer == NULL)
		return false;
	w->start = buffer;
	w->at = buffer + used;
	w->end = buffer + size;
	return true;
}

/* Room for n bytes, or NULL once the writer has failed. */
static char *
json_room(struct json_writer *w, size_t n)
{
	char *room;

	CHECK_OBJ(w, JSON_WRITER_MAGIC);
	if (w->failed)
		return NULL;
	if ((size_t)(w->end - w->at) < n && !(w->growing && json_grow(w, n))) {
		w->failed = true;
		return NULL;
	}
	room = w->at;
	w->at += n;
	return room;
}

static void
json_put(struct json_writer *w, const char *text, size_t n)
{
	char *room = n > 0 ? json_room(w, n) : NULL;

	if (room != NULL)
		memcpy(room, text, n);
}

static void
json_new_line(struct json_writer *w)
{
	size_t blanks = (size_t)w->depth * w->indent;
	char *room;

	if (w->indent == 0)
		return;
	room = json_room(w, blanks + 1);
	if (room == NULL)
		return;
	room[0] = '\n';
	memset(room + 1, ' ', blanks);
}

/* What comes before any value or key: a comma, a new line. */
static void
json_before(struct json_writer *w)
{
	uint64_t bit;

	CHECK_OBJ(w, JSON_WRITER_MAGIC);
	if (w->after_key) {
		w->after_key = false;
		return;
	}
	if (w->depth == 0)
		return;
	bit = UINT64_C(1) << w->depth;
	if ((w->filled & bit) != 0)
		json_put(w, ",", 1);
	w->filled |= bit;
	json_new_line(w);
}

static void
json_begin(struct json_writer *w, const char *bracket)
{
	json_before(w);
	json_put(w, bracket, 1);
	CHECK(w->depth + 1U < JSON_LEVELS);
	w->depth++;
	w->filled &= ~(UINT64_C(1) << w->depth);
}

static void
json_end(struct json_writer *w, const char *bracket)
{
	bool filled;

	CHECK_OBJ(w, JSON_WRITER_MAGIC);
	CHECK(w->depth > 0 && !w->after_key);
	filled = (w->filled & UINT64_C(1) << w->depth) != 0;
	w->depth--;
	if (filled)
		json_new_line(w);
	json_put(w, bracket, 1);
}

void
json_writer_init(struct json_writer *w, char *buffer, size_t size, unsigned indent)
{
	CHECK(buffer != NULL && indent <= 16);
	*w = (struct json_writer){ .magic = JSON_WRITER_MAGIC,
		.start = buffer,
		.at = buffer,
		.end = buffer + size,
		.max = size,
		.indent = (uint8_t)indent };
}

void
json_writer_init_growing(struct json_writer *w, size_t max, unsigned indent)
{
	CHECK(indent <= 16);
	*w = (struct json_writer){ .magic = JSON_WRITER_MAGIC, .max = max, .growing = true, .indent = (uint8_t)indent };
}

void
json_writer_free(struct json_writer *w)
{
	CHECK_OBJ(w, JSON_WRITER_MAGIC);
	if (w->growing)
		memory_free(w->start);
	w->start = w->at = w->end = NULL;
	w->magic = 0;
}

size_t
json_written(const struct json_writer *w)
{
	CHECK_OBJ(w, JSON_WRITER_MAGIC);
	return (size_t)(w->at - w->start);
}

void
json_object_begin(struct json_writer *w)
{
	json_begin(w, "{");
}

void
json_object_end(struct json_writer *w)
{
	json_end(w, "}");
}

void
json_array_begin(struct json_writer *w)
{
	json_begin(w, "[");
}

void
json_array_end(struct json_writer *w)
{
	json_end(w, "]");
}

/* One rune that may not stand for itself. */
static void
json_put_escape(struct json_writer *w, uint32_t rune)
{
	static const char from[] = "\"\\\b\f\n\r\t";
	static const char to[] = "\"\\bfnrt";
	const char *short_form = rune != 0 && rune < 0x80 ? strchr(from, (int)rune) : NULL;
	char code[8];

	if (short_form != NULL) {
		code[0] = '\\';
		code[1] = to[short_form - from];
		json_put(w, code, 2);
		return;
	}
	snprintf(code, sizeof(code), "\\u%04x", rune & 0xffff);
	json_put(w, code, 6);
}

static void
json_put_string(struct json_writer *w, const char *text, size_t n)
{
	size_t plain = 0; /* start of what is not yet copied */
	size_t at = 0;

	json_put(w, "\"", 1);
	while (at < n) {
		uint32_t rune;
		size_t length = text_rune(text + at, n - at, &rune);
		bool special = rune < 0x20 || rune == '"' || rune == '\\' || rune == '<' || rune == '>' || rune == '&' ||
		    rune == 0x2028 || rune == 0x2029 || (rune == 0xfffd && length == 1);

		if (special) {
			json_put(w, text + plain, at - plain);
			json_put_escape(w, rune);
			plain = at + length;
		}
		at += length;
	}
	json_put(w, text + plain, n - plain);
	json_put(w, "\"", 1);
}

void
json_key(struct json_writer *w, const char *key)
{
	CHECK_OBJ(w, JSON_WRITER_MAGIC);
	CHECK(w->depth > 0 && !w->after_key);
	json_before(w);
	json_put_string(w, key, strlen(key));
	json_put(w, ": ", w->indent > 0 ? 2 : 1);
	w->after_key = true;
}

void
json_string_n(struct json_writer *w, const char *text, size_t n)
{
	CHECK(text != NULL || n == 0);
	json_before(w);
	json_put_string(w, n > 0 ? text : "", n);
}

void
json_string(struct json_writer *w, const char *text)
{
	json_string_n(w, text, text != NULL ? strlen(text) : 0);
}

void
json_u64(struct json_writer *w, uint64_t value)
{
	char digits[24];

	json_before(w);
	json_put(w, digits, text_u64(digits, value));
}

void
json_i64(struct json_writer *w, int64_t value)
{
	char digits[24];

	json_before(w);
	json_put(w, digits, text_i64(digits, value));
}

void
json_double(struct json_writer *w, double value)
{
	char digits[40];

	CHECK(isfinite(value));
	json_before(w);
	json_put(w, digits, text_double(digits, sizeof(digits), value));
}

void
json_bool(struct json_writer *w, bool value)
{
	json_before(w);
	json_put(w, value ? "true" : "false", value ? 4 : 5);
}

void
json_null(struct json_writer *w)
{
	json_before(w);
	json_put(w, "null", 4);
}

void
json_raw(struct json_writer *w, const char *text, size_t n)
{
	CHECK(text != NULL && n > 0);
	json_before(w);
	json_put(w, text, n);
}

void
json_member_string(struct json_writer *w, const char *key, const char *text)
{
	json_key(w, key);
	json_string(w, text);
}

void
json_member_string_n(struct json_writer *w, const char *key, const char *text, size_t n)
{
	json_key(w, key);
	json_string_n(w, text, n);
}

void
json_member_u64(struct json_writer *w, const char *key, uint64_t value)
{
	json_key(w, key);
	json_u64(w, value);
}

void
json_member_i64(struct json_writer *w, const char *key, int64_t value)
{
	json_key(w, key);
	json_i64(w, value);
}

void
json_member_double(struct json_writer *w, const char *key, double value)
{
	json_key(w, key);
	json_double(w, value);
}

void
json_member_bool(struct json_writer *w, const char *key, bool value)
{
	json_key(w, key);
	json_bool(w, value);
}

void
json_some_string(struct json_writer *w, const char *key, const char *text)
{
	if (text != NULL && text[0] != '\0')
		json_member_string(w, key, text);
}

void
json_some_string_n(struct json_writer *w, const char *key, const char *text, size_t n)
{
	if (n > 0)
		json_member_string_n(w, key, text, n);
}

void
json_some_u64(struct json_writer *w, const char *key, uint64_t value)
{
	if (value != 0)
		json_member_u64(w, key, value);
}

void
json_some_i64(struct json_writer *w, const char *key, int64_t value)
{
	if (value != 0)
		json_member_i64(w, key, value);
}

void
json_some_bool(struct json_writer *w, const char *key, bool value)
{
	if (value)
		json_member_bool(w, key, value);
}
