/*
 * JSON as Go's encoding/json reads and writes it.  Reading: over yajl into a tree in an arena (numbers kept as text, depth limited,
 * size limited by the arena and by the caller).  Writing: compact or indented, into a fixed or a growing buffer.
 * Reading never looks beyond n bytes and copies everything: the input may go away.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

#define JSON_DEPTH_MAX 32

enum json_kind { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
	enum json_kind kind;
	uint32_t count;   /* children of an array or object */
	const char *text; /* string (decoded, invalid UTF-8 replaced as Go does) or number as written; NUL-ended */
	size_t length;
	const char *key; /* of a member of an object; NUL-ended; NULL otherwise */
	size_t key_length;
	struct json *first; /* children in the order of the input, duplicates kept */
	struct json *next;
};

/* Parses one JSON value with nothing but white space around it. depth: levels of arrays and objects allowed (1..JSON_DEPTH_MAX).
 * On failure false, and error[size] says why. */
bool json_parse(struct arena *arena, const void *text, size_t n, unsigned depth, struct json **out, char *error, size_t size);

/* Last member of that very name, or NULL (also if object is NULL or no object). */
const struct json *json_member(const struct json *object, const char *key);

/* Last member whose name folds to key (ASCII), as Go matches struct fields: `verboſe` is verbose. */
const struct json *json_member_fold(const struct json *object, const char *key);

/* Whether this member's name folds to key; for walks in the order of the input. */
bool json_key_fold(const struct json *member, const char *key);

/* The value as Go would store it into a field of that type; false = wrong type or out of range. NULL and null leave *out alone
 * (true). */
bool json_get_bool(const struct json *value, bool *out);
bool json_get_i64(const struct json *value, int64_t *out);
bool json_get_u64(const struct json *value, uint64_t *out);
bool json_get_double(const struct json *value, double *out);
bool json_get_text(const struct json *value, const char **out, size_t *length);

/* ---- writing ---- */

#define JSON_WRITER_MAGIC 0x4a535752U

struct json_writer {
	uint32_t magic;
	char *start;
	char *at;
	char *end;
	size_t max; /* a growing buffer never goes beyond */
	bool growing;
	bool failed; /* did not fit, or memory was short; sticky */
	bool after_key;
	uint8_t indent; /* blanks per level; 0 = compact */
	uint8_t depth;
	uint64_t filled; /* bit per level: something was written there */
};

/* Writes into buffer[size]. */
void json_writer_init(struct json_writer *w, char *buffer, size_t size, unsigned indent);

/* Writes into memory of its own, at most max bytes; json_writer_free, or take over w->start (memory_free). */
void json_writer_init_growing(struct json_writer *w, size_t max, unsigned indent);
void json_writer_free(struct json_writer *w);

/* Bytes so far. The text is not NUL-ended. */
size_t json_written(const struct json_writer *w);

/* Values go at the top, into an array, or after json_key; commas and line feeds come by themselves, as from Go's MarshalIndent. */
void json_object_begin(struct json_writer *w);
void json_object_end(struct json_writer *w);
void json_array_begin(struct json_writer *w);
void json_array_end(struct json_writer *w);
void json_key(struct json_writer *w, const char *key);
void json_string(struct json_writer *w, const char *text);
void json_string_n(struct json_writer *w, const char *text, size_t n);
void json_u64(struct json_writer *w, uint64_t value);
void json_i64(struct json_writer *w, int64_t value);
void json_double(struct json_writer *w, double value);
void json_bool(struct json_writer *w, bool value);
void json_null(struct json_writer *w);

/* A ready piece of JSON as one value (compact; it is not indented again). */
void json_raw(struct json_writer *w, const char *text, size_t n);

/* Key and value in one. The _some variants are Go's omitempty: nothing for "", 0, false. */
void json_member_string(struct json_writer *w, const char *key, const char *text);
void json_member_string_n(struct json_writer *w, const char *key, const char *text, size_t n);
void json_member_u64(struct json_writer *w, const char *key, uint64_t value);
void json_member_i64(struct json_writer *w, const char *key, int64_t value);
void json_member_double(struct json_writer *w, const char *key, double value);
void json_member_bool(struct json_writer *w, const char *key, bool value);
void json_some_string(struct json_writer *w, const char *key, const char *text);
void json_some_string_n(struct json_writer *w, const char *key, const char *text, size_t n);
void json_some_u64(struct json_writer *w, const char *key, uint64_t value);
void json_some_i64(struct json_writer *w, const char *key, int64_t value);
void json_some_bool(struct json_writer *w, const char *key, bool value);

#endif
