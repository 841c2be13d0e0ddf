/*
 * The NATS configuration language as a tree with positions.
 * Who calls it: options.c (tree to options), the tests. All memory belongs to the arena given to conf_parse(); nothing here opens a
 * file, reads the environment or keeps state: both come through struct conf_source, so the parser runs in a throw-away process and
 * under the fuzzer. Behaviour comes from nats-server's conf/lex.go and conf/parse.go; what differs on purpose is said in
 * conf_parse.c.
 */
#ifndef MODEL_CONF_TREE_H
#define MODEL_CONF_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

#define CONF_DEPTH_MAX 60   /* blocks and arrays within each other */
#define CONF_INCLUDE_MAX 32 /* files that include each other */
#define CONF_ERROR_MAX 1024 /* bytes of an error text */

/* Where something stands. line counts from 1; column as nats-server counts it. file is "" for text without a file. */
struct conf_position {
	const char *file;
	int line;
	int column;
};

enum conf_type {
	CONF_BOOL,
	CONF_INTEGER,
	CONF_FLOAT,
	CONF_STRING,
	CONF_TIME, /* in string, as written: 2006-01-02T15:04:05Z */
	CONF_ARRAY,
	CONF_MAP,
};

struct conf_entry {
	const char *key;
	size_t key_length;
	struct conf_value *value;
};

/* One value. An array holds entries without keys. Entries of a map stand in the order of their first appearance, each key once. */
struct conf_value {
	enum conf_type type;
	bool used; /* some $variable refers to it: then an unknown key is no error */
	bool boolean;
	int64_t integer;
	double number;
	const char *string; /* NUL-terminated, but may hold NULs: see length */
	size_t length;      /* bytes of string, or entries of an array or map */
	size_t capacity;
	struct conf_entry *entries;
	uint32_t *index; /* of a large map: open addressing, entry number + 1 */
	size_t index_size;
	struct conf_position at; /* of the key for members, of the value for elements of arrays */
};

/* The outside world as the parser may see it. */
struct conf_source {
	void *arg;
	/* Reads a whole file into the arena. On failure returns false and puts "open x: no such file or directory" into error. */
	bool (*read_file)(
	    void *arg, const char *path, struct arena *arena, const char **data, size_t *length, char *error, size_t size);
	/* The value of an environment variable, or NULL. */
	const char *(*get_variable)(void *arg, const char *name);
};

/* Parses the file at path and all it includes. NULL on error, with one line of text in error. */
struct conf_value *conf_parse_file(
    struct arena *arena, const struct conf_source *source, const char *path, char *error, size_t size);

/* The same for text without a file; includes are relative to the working directory. */
struct conf_value *conf_parse_text(
    struct arena *arena, const struct conf_source *source, const char *text, size_t length, char *error, size_t size);

/* The member of a map by its exact key, or NULL. */
struct conf_value *conf_member(const struct conf_value *map, const char *key);

/*
 * SHA-256 of the tree as Go's json.Encoder writes it, in the form nats-server -t prints: "sha256:" and 64 hex digits.
 * False when the tree is too large to be written out (variables that multiply each other).
 */
#define CONF_DIGEST_SIZE 72
bool conf_digest(const struct conf_value *tree, char digest[CONF_DIGEST_SIZE]);

#endif
