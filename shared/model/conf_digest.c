/*
 * The digest of a configuration: SHA-256 of its tree as Go's json.Encoder writes it (keys sorted, HTML characters escaped, a
 * newline at the end). options.c calls it. It owns its buffer, which is bounded: a tree whose variables multiply each other has no
 * digest.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/check.h"
#include "base/json.h"
#include "base/memory.h"
#include "model/conf_tree.h"

#define DIGEST_TEXT_MAX ((size_t)64 << 20)

static bool digest_value(struct json_writer *, const struct conf_value *, unsigned);

static int
digest_compare(const void *a, const void *b)
{
	const struct conf_entry *left = *(const struct conf_entry *const *)a, *right = *(const struct conf_entry *const *)b;
	size_t length = left->key_length < right->key_length ? left->key_length : right->key_length;
	int order = memcmp(left->key, right->key, length);

	if (order != 0)
		return order;
	return left->key_length < right->key_length ? -1 : left->key_length > right->key_length;
}

static bool
digest_map(struct json_writer *w, const struct conf_value *map, unsigned depth)
{
	const struct conf_entry **sorted = NULL;
	bool good = true;
	size_t i;

	CHECK(map->type == CONF_MAP);
	if (map->length > 0) {
		sorted = memory_alloc(map->length * sizeof(*sorted));
		if (sorted == NULL)
			return false;
		for (i = 0; i < map->length; i++)
			sorted[i] = &map->entries[i];
		qsort(sorted, map->length, sizeof(*sorted), digest_compare);
	}
	json_object_begin(w);
	for (i = 0; good && i < map->length; i++) {
		json_key(w, sorted[i]->key);
		good = digest_value(w, sorted[i]->value, depth + 1);
	}
	if (good)
		json_object_end(w);
	memory_free(sorted);
	return good;
}

static bool
digest_value(struct json_writer *w, const struct conf_value *value, unsigned depth)
{
	bool good = true;
	size_t i;

	CHECK(value != NULL);
	if (depth > CONF_DEPTH_MAX || w->failed)
		return false;
	switch (value->type) {
	case CONF_BOOL: json_bool(w, value->boolean); break;
	case CONF_INTEGER: json_i64(w, value->integer); break;
	case CONF_FLOAT: json_double(w, value->number); break;
	case CONF_STRING:
	case CONF_TIME: json_string_n(w, value->string, value->length); break;
	case CONF_ARRAY:
		json_array_begin(w);
		for (i = 0; good && i < value->length; i++)
			good = digest_value(w, value->entries[i].value, depth + 1);
		if (good)
			json_array_end(w);
		break;
	case CONF_MAP: good = digest_map(w, value, depth); break;
	}
	return good && !w->failed;
}

bool
conf_digest(const struct conf_value *tree, char digest[CONF_DIGEST_SIZE])
{
	unsigned char hash[crypto_hash_sha256_BYTES];
	crypto_hash_sha256_state state;
	struct json_writer w;
	size_t i, at;
	bool good;

	CHECK(tree != NULL && tree->type == CONF_MAP);
	json_writer_init_growing(&w, DIGEST_TEXT_MAX, 0);
	good = digest_value(&w, tree, 0);
	if (good) {
		crypto_hash_sha256_init(&state);
		crypto_hash_sha256_update(&state, (const unsigned char *)w.start, json_written(&w));
		crypto_hash_sha256_update(&state, (const unsigned char *)"\n", 1);
		crypto_hash_sha256_final(&state, hash);
		at = (size_t)snprintf(digest, CONF_DIGEST_SIZE, "sha256:");
		for (i = 0; i < sizeof(hash); i++)
			at += (size_t)snprintf(digest + at, CONF_DIGEST_SIZE - at, "%02x", hash[i]);
		CHECK(at < CONF_DIGEST_SIZE);
	}
	json_writer_free(&w);
	return good;
}
