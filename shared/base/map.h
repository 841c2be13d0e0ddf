/*
 * Hash maps from bytes or from u64 to pointers: open addressing, linear probing, removal by shifting back (no tombstones).
 * There is no allocation per entry: a map of bytes asks the value itself for its key, so the owner of the value keeps the key
 * and must not change it while it is in the map.  Growing and shrinking are spread over the following calls, so no call stops
 * for long.  Hashing is SipHash-1-3 with a random key of the process: outsiders cannot aim for collisions.
 * A slot costs 12 bytes (20 in a u64 map); between 1/8 and 3/4 of the slots are in use.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Gives the key of a value that is in the map: its bytes and length. */
typedef const void *(*map_key_function)(const void *value, size_t *n);

struct map_table {
	void **values;
	uint64_t *numbers; /* keys of a u64 map, else NULL */
	uint32_t *hashes;  /* 0 = free slot */
	size_t mask;       /* slots - 1; slots are a power of two */
	size_t count;
};

struct map {
	uint32_t magic;
	map_key_function key_of; /* NULL: u64 keys */
	struct map_table now;
	struct map_table old; /* being emptied while a change of size is under way */
	size_t cursor;        /* slots of `old` below it are empty */
};

/* Starts an empty map; it owns no memory until the first put. */
void map_init(struct map *map, map_key_function key_of);
void map_init_u64(struct map *map);

/* Frees the slots, not the values; the map is then as after map_init. */
void map_free(struct map *map);

/* The same, but calls each(value, arg) for all values first (which may free them, and must not touch the map). */
void map_clear(struct map *map, void (*each)(void *value, void *arg), void *arg);

size_t map_count(const struct map *map);

/* Bytes of memory the slots take. */
size_t map_memory(const struct map *map);

/* The value, or NULL. */
void *map_get(struct map *map, const void *key, size_t n);
void *map_get_u64(struct map *map, uint64_t key);

/* Adds value (not NULL) under its key; the key must not be in the map yet (ask first). False when memory is short. */
bool map_put(struct map *map, void *value);
bool map_put_u64(struct map *map, uint64_t key, void *value);

/* Takes the entry out and returns its value, or NULL if there is none. For a bytes map the key may be that of the value itself. */
void *map_remove(struct map *map, const void *key, size_t n);
void *map_remove_u64(struct map *map, uint64_t key);

/* Walks over all values in no order: size_t at = 0; while ((value = map_next(map, &at)) != NULL) ...
 * The map must not be changed meanwhile. */
void *map_next(const struct map *map, size_t *at);

/* Some value, or NULL when the map is empty: for "take out until empty" loops. */
void *map_any(const struct map *map);

/* SipHash-1-3 of n bytes under key[2]. */
uint64_t map_hash_bytes(const uint64_t key[2], const void *data, size_t n);

/* The random key of this process, made at first use. */
const uint64_t *map_hash_key(void);

/* Variants for who has the hash already (map_hash of the same key). */
uint32_t map_hash(const void *key, size_t n);
void *map_get_hashed(struct map *map, uint32_t hash, const void *key, size_t n);

#endif
