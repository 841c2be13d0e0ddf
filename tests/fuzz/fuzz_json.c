/*
 * Fuzz target: JSON in and out.  What was read, written again and read again is the same tree, compact or indented.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/json.h"

#define DOCUMENT_MAX 4096
#define ARENA_MAX (4U << 20)

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
write_again(struct json_writer *w, const struct json *value)
{
	switch (value->kind) {
	case JSON_NULL: json_null(w); break;
	case JSON_FALSE: json_bool(w, false); break;
	case JSON_TRUE: json_bool(w, true); break;
	case JSON_NUMBER: json_raw(w, value->text, value->length); break;
	case JSON_STRING: json_string_n(w, value->text, value->length); break;
	case JSON_ARRAY:
		json_array_begin(w);
		for (const struct json *at = value->first; at != NULL; at = at->next)
			write_again(w, at);
		json_array_end(w);
		break;
	case JSON_OBJECT:
		json_object_begin(w);
		for (const struct json *at = value->first; at != NULL; at = at->next) {
			/* The key may hold a NUL, which json_key cannot write. */
			json_key(w, at->key);
			write_again(w, at);
		}
		json_object_end(w);
		break;
	}
}

static void
same(const struct json *a, const struct json *b)
{
	CHECK(a->kind == b->kind && a->count == b->count && a->length == b->length);
	CHECK(a->length == 0 || memcmp(a->text, b->text, a->length) == 0);
	CHECK((a->key == NULL) == (b->key == NULL));
	CHECK(a->key == NULL || strcmp(a->key, b->key) == 0);
	for (a = a->first, b = b->first; a != NULL; a = a->next, b = b->next) {
		CHECK(b != NULL);
		same(a, b);
	}
	CHECK(b == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena;
	struct json *value;
	char error[128];

	if (size > DOCUMENT_MAX)
		return 0;
	arena = arena_create(ARENA_MAX);
	CHECK(arena != NULL);
	if (json_parse(arena, data, size, JSON_DEPTH_MAX, &value, error, sizeof(error))) {
		for (unsigned indent = 0; indent <= 2; indent += 2) {
			struct json_writer w;
			struct json *again;

			json_writer_init_growing(&w, 1U << 20, indent);
			write_again(&w, value);
			CHECK(!w.failed);
			CHECK(json_parse(arena, w.start, json_written(&w), JSON_DEPTH_MAX, &again, error, sizeof(error)));
			same(value, again);
			json_writer_free(&w);
		}
	}
	arena_free(arena);
	return 0;
}
