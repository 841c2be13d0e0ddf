/*
 * Reading JSON: yajl splits and checks the text, this file builds the tree in the caller's arena and makes the differences to Go's
 * encoding/json vanish (white space, surrogates, invalid UTF-8).  Writing is in json_write.c.
 */
#include "base/json.h"

#include <yajl/yajl_parse.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/memory.h"
#include "base/text.h"

struct json_level {
	struct json *parent;
	struct json *last;
};

struct json_reader {
	struct arena *arena;
	yajl_handle yajl;
	const char *text;
	size_t n;
	unsigned depth_max;
	unsigned depth;
	const char *problem; /* ours, when a callback refuses */
	const char *key;
	size_t key_length;
	struct json *root;
	bool finishing; /* all of the text has been shown to yajl */
	size_t end;     /* offset behind the root value */
	struct json_level levels[JSON_DEPTH_MAX];
};

/* Four hexadecimal digits, which yajl has checked. */
static uint32_t
json_hex(const char *at)
{
	uint32_t value = 0;

	for (int i = 0; i < 4; i++) {
		uint32_t c = (unsigned char)at[i];

		value = value << 4 | (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	return value;
}

/* Decodes \uXXXX at raw[at + 1..]; returns how many bytes behind the backslash it took. */
static size_t
json_unicode(const char *raw, size_t at, size_t n, uint32_t *rune)
{
	CHECK(at + 6 <= n);
	*rune = json_hex(raw + at + 2);
	if (*rune < 0xd800 || *rune > 0xdfff)
		return 5;
	if (*rune < 0xdc00 && at + 12 <= n && raw[at + 6] == '\\' && raw[at + 7] == 'u') {
		uint32_t low = json_hex(raw + at + 8);

		if (low >= 0xdc00 && low <= 0xdfff) {
			*rune = 0x10000 + ((*rune - 0xd800) << 10) + (low - 0xdc00);
			return 11;
		}
	}
	*rune = 0xfffd;
	return 5;
}

/* The raw text between the quotes to plain UTF-8. It never grows but for invalid bytes (1 becomes 3). */
static size_t
json_decode(const char *raw, size_t n, char *to)
{
	size_t length = 0;
	size_t at = 0;

	while (at < n) {
		uint32_t rune;

		if (raw[at] != '\\') {
			at += text_rune(raw + at, n - at, &rune);
			length += text_put_rune(to + length, rune);
			continue;
		}
		CHECK(at + 1 < n);
		switch (raw[at + 1]) {
		case 'b': to[length++] = '\b'; break;
		case 'f': to[length++] = '\f'; break;
		case 'n': to[length++] = '\n'; break;
		case 'r': to[length++] = '\r'; break;
		case 't': to[length++] = '\t'; break;
		case 'u':
			at += json_unicode(raw, at, n, &rune) - 1;
			length += text_put_rune(to + length, rune);
			break;
		default: to[length++] = raw[at + 1]; break;
		}
		at += 2;
	}
	return length;
}

/* The string token that ends where yajl stands: back from its closing quote to the opening one, the first not behind a backslash.
 */
static bool
json_take_string(struct json_reader *reader, const char **out, size_t *length)
{
	size_t end = yajl_get_bytes_consumed(reader->yajl);
	size_t start;
	size_t extra = 0;
	char *to;

	CHECK(end >= 2 && end <= reader->n && reader->text[end - 1] == '"');
	end--;
	for (start = end; start > 0; start--) {
		size_t slashes = 0;

		if (reader->text[start - 1] != '"')
			continue;
		while (slashes + 1 < start && reader->text[start - 2 - slashes] == '\\')
			slashes++;
		if (slashes % 2 == 0)
			break;
	}
	CHECK(start > 0);
	for (size_t i = start; i < end; i++)
		extra += (unsigned char)reader->text[i] >= 0x80 ? 2 : 0;
	to = arena_alloc(reader->arena, end - start + extra + 4);
	if (to == NULL) {
		reader->problem = "too large";
		return false;
	}
	*length = json_decode(reader->text + start, end - start, to);
	*out = to;
	return true;
}

static struct json *
json_add(struct json_reader *reader, enum json_kind kind)
{
	struct json *value = arena_alloc(reader->arena, sizeof(*value));
	struct json_level *level;

	if (value == NULL) {
		reader->problem = "too large";
		return NULL;
	}
	value->kind = kind;
	value->key = reader->key;
	value->key_length = reader->key_length;
	reader->key = NULL;
	reader->key_length = 0;
	if (reader->depth == 0) {
		reader->root = value;
		reader->end = reader->finishing ? reader->n : yajl_get_bytes_consumed(reader->yajl);
		return value;
	}
	level = &reader->levels[reader->depth - 1];
	if (level->last != NULL)
		level->last->next = value;
	else
		level->parent->first = value;
	level->last = value;
	level->parent->count++;
	return value;
}

static int
json_on_null(void *arg)
{
	return json_add(arg, JSON_NULL) != NULL;
}

static int
json_on_boolean(void *arg, int value)
{
	return json_add(arg, value ? JSON_TRUE : JSON_FALSE) != NULL;
}

static int
json_on_number(void *arg, const char *text, size_t n)
{
	struct json_reader *reader = arg;
	struct json *value = json_add(reader, JSON_NUMBER);

	if (value == NULL)
		return 0;
	value->text = arena_strdup(reader->arena, text, n);
	value->length = n;
	if (value->text == NULL)
		reader->problem = "too large";
	return value->text != NULL;
}

static int
json_on_string(void *arg, const unsigned char *text, size_t n)
{
	struct json *value = json_add(arg, JSON_STRING);

	(void)text;
	(void)n;
	return value != NULL && json_take_string(arg, &value->text, &value->length);
}

static int
json_on_key(void *arg, const unsigned char *text, size_t n)
{
	struct json_reader *reader = arg;

	(void)text;
	(void)n;
	return json_take_string(reader, &reader->key, &reader->key_length);
}

static int
json_open(struct json_reader *reader, enum json_kind kind)
{
	struct json *value;

	if (reader->depth >= reader->depth_max) {
		reader->problem = "nested too deep";
		return 0;
	}
	value = json_add(reader, kind);
	if (value == NULL)
		return 0;
	reader->levels[reader->depth++] = (struct json_level){ value, NULL };
	return 1;
}

static int
json_on_object(void *arg)
{
	return json_open(arg, JSON_OBJECT);
}

static int
json_on_array(void *arg)
{
	return json_open(arg, JSON_ARRAY);
}

static int
json_on_close(void *arg)
{
	struct json_reader *reader = arg;

	CHECK(reader->depth > 0);
	reader->depth--;
	reader->end = yajl_get_bytes_consumed(reader->yajl);
	return 1;
}

static void *
json_yajl_alloc(void *arg, size_t n)
{
	(void)arg;
	return memory_alloc(n);
}

static void *
json_yajl_realloc(void *arg, void *block, size_t n)
{
	(void)arg;
	return memory_realloc(block, n);
}

static void
json_yajl_free(void *arg, void *block)
{
	(void)arg;
	memory_free(block);
}

static bool
json_refuse(const struct json_reader *reader, char *error, size_t size)
{
	unsigned char *text = NULL;

	if (reader->problem != NULL) {
		snprintf(error, size, "JSON: %s", reader->problem);
		return false;
	}
	if (reader->yajl != NULL)
		text = yajl_get_error(reader->yajl, 0, NULL, 0);
	snprintf(error, size, "JSON: %s", text != NULL ? (const char *)text : "out of memory");
	if (text != NULL)
		yajl_free_error(reader->yajl, text);
	error[strcspn(error, "\n")] = '\0';
	return false;
}

/* The whole text through yajl, and nothing but white space behind the value: yajl itself lets half a token pass there. */
static bool
json_run(struct json_reader *reader)
{
	if (yajl_parse(reader->yajl, (const unsigned char *)reader->text, reader->n) != yajl_status_ok)
		return false;
	reader->finishing = true;
	if (yajl_complete_parse(reader->yajl) != yajl_status_ok)
		return false;
	CHECK(reader->root != NULL && reader->depth == 0 && reader->end <= reader->n);
	for (size_t i = reader->end; i < reader->n; i++)
		if (strchr(" \t\r\n", reader->text[i]) == NULL || reader->text[i] == '\0') {
			reader->problem = "trailing garbage";
			return false;
		}
	return true;
}

bool
json_parse(struct arena *arena, const void *text, size_t n, unsigned depth, struct json **out, char *error, size_t size)
{
	static const yajl_callbacks callbacks = {
		.yajl_null = json_on_null,
		.yajl_boolean = json_on_boolean,
		.yajl_number = json_on_number,
		.yajl_string = json_on_string,
		.yajl_start_map = json_on_object,
		.yajl_map_key = json_on_key,
		.yajl_end_map = json_on_close,
		.yajl_start_array = json_on_array,
		.yajl_end_array = json_on_close,
	};
	yajl_alloc_funcs memory = { json_yajl_alloc, json_yajl_realloc, json_yajl_free, NULL };
	struct json_reader reader = { .arena = arena, .text = text, .n = n, .depth_max = depth };
	bool good;

	CHECK(depth >= 1 && depth <= JSON_DEPTH_MAX);
	CHECK(error != NULL && size > 0);
	/* yajl takes these for white space, JSON does not; in strings they are wrong too. */
	if (n > 0 && (memchr(text, '\v', n) != NULL || memchr(text, '\f', n) != NULL)) {
		reader.problem = "invalid character";
		return json_refuse(&reader, error, size);
	}
	reader.yajl = yajl_alloc(&callbacks, &memory, &reader);
	if (reader.yajl == NULL)
		return json_refuse(&reader, error, size);
	yajl_config(reader.yajl, yajl_dont_validate_strings, 1);
	good = json_run(&reader);
	if (good)
		*out = reader.root;
	else
		json_refuse(&reader, error, size);
	yajl_free(reader.yajl);
	return good;
}

/* ---- looking at the tree ---- */

const struct json *
json_member(const struct json *object, const char *key)
{
	const struct json *found = NULL;
	size_t n = strlen(key);

	if (object == NULL || object->kind != JSON_OBJECT)
		return NULL;
	for (const struct json *at = object->first; at != NULL; at = at->next)
		if (at->key_length == n && memcmp(at->key, key, n) == 0)
			found = at;
	return found;
}

bool
json_key_fold(const struct json *member, const char *key)
{
	size_t at = 0;

	CHECK(member->key != NULL);
	for (; *key != '\0'; key++) {
		const char *text = member->key + at;
		size_t left = member->key_length - at;
		char letter = (char)(*key | 0x20);

		if (left == 0)
			return false;
		if (text_equal_fold(text, 1, key, 1))
			at++;
		else if (letter == 's' && left >= 2 && memcmp(text, "\xc5\xbf", 2) == 0) /* long s */
			at += 2;
		else if (letter == 'k' && left >= 3 && memcmp(text, "\xe2\x84\xaa", 3) == 0) /* Kelvin sign */
			at += 3;
		else
			return false;
	}
	return at == member->key_length;
}

const struct json *
json_member_fold(const struct json *object, const char *key)
{
	const struct json *found = NULL;

	if (object == NULL || object->kind != JSON_OBJECT)
		return NULL;
	for (const struct json *at = object->first; at != NULL; at = at->next)
		if (json_key_fold(at, key))
			found = at;
	return found;
}

bool
json_get_bool(const struct json *value, bool *out)
{
	if (value == NULL || value->kind == JSON_NULL)
		return true;
	if (value->kind != JSON_TRUE && value->kind != JSON_FALSE)
		return false;
	*out = value->kind == JSON_TRUE;
	return true;
}

bool
json_get_i64(const struct json *value, int64_t *out)
{
	if (value == NULL || value->kind == JSON_NULL)
		return true;
	return value->kind == JSON_NUMBER && text_parse_i64(value->text, value->length, out);
}

bool
json_get_u64(const struct json *value, uint64_t *out)
{
	if (value == NULL || value->kind == JSON_NULL)
		return true;
	return value->kind == JSON_NUMBER && text_parse_u64(value->text, value->length, out);
}

bool
json_get_double(const struct json *value, double *out)
{
	double number;

	if (value == NULL || value->kind == JSON_NULL)
		return true;
	if (value->kind != JSON_NUMBER)
		return false;
	errno = 0;
	number = strtod(value->text, NULL);
	if (errno == ERANGE && (number > 1 || number < -1))
		return false;
	*out = number;
	return true;
}

bool
json_get_text(const struct json *value, const char **out, size_t *length)
{
	if (value == NULL || value->kind == JSON_NULL)
		return true;
	if (value->kind != JSON_STRING)
		return false;
	*out = value->text;
	*length = value->length;
	return true;
}
