/*
 * Inside the sublist: what its files share.  Included by sublist*.c only.
 *
 *   sublist.c         making, local subscriptions
 *   sublist_node.c    nodes, queue groups, names, arrays of subscriptions
 *   sublist_remote.c  interest of other members
 *   sublist_match.c   matching and walking
 *   sublist_trie.c    the wildcard patterns as a trie of tokens
 *   sublist_cache.c   results of trie walks by subject
 */
#ifndef MODEL_SUBLIST_PRIVATE_H
#define MODEL_SUBLIST_PRIVATE_H

#include <string.h>

#include "base/check.h"
#include "base/map.h"
#include "model/sublist.h"
#include "model/sublist_table.h"

#define SUBLIST_MAGIC 0x5ab11575U

/* A piece of a subject, or a whole one, as key of a look-up. */
struct sublist_text {
	const char *text;
	size_t length;
};

/*
 * A place in the trie, reached by literal tokens and "*".  Patterns that end in "*" or ">" hang at the place before, so an inbox
 * "_INBOX.x.*" costs one trie node of its own.
 */
struct trie_node {
	uint32_t hash;     /* of (parent, token) once the parent is hashed */
	uint32_t children; /* literal ones */
	struct trie_node *parent;
	struct trie_node *first; /* literal children, a list */
	struct trie_node *next;
	struct trie_node *previous;
	struct trie_node *any;     /* child by "*", for patterns that go on */
	struct sublist_node *here; /* pattern that ends here with a literal token */
	struct sublist_node *star; /* pattern that ends here with ".*" */
	struct sublist_node *full; /* pattern that ends here with ".>" */
	uint32_t length;
	bool hashed; /* the children are in the table of edges */
	bool by_any; /* parent->any, not one of its list */
	char token[];
};

struct trie_token {
	const char *text;
	uint32_t length;
	uint32_t hash; /* 0: not made yet */
};

struct trie_visit {
	struct trie_node *node;
	uint32_t depth;
};

struct trie {
	struct trie_node *root; /* NULL: no patterns */
	struct sublist_table edges;
	uint32_t levels;           /* tokens of the longest pattern so far: size of the scratch below */
	struct trie_token *tokens; /* scratch of a walk */
	struct trie_visit *visits;
};

/* One remembered result: the nodes, then the subject's bytes. */
struct cache_entry {
	uint64_t generation;
	uint32_t hash;
	uint32_t length;
	uint32_t count;
	uint32_t room; /* bytes of block */
	void *block;
};

struct cache {
	bool enabled;
	uint64_t generation;         /* entries of another one are void; starts at 1 */
	struct cache_entry *entries; /* size of them, pairs */
	uint32_t size;
	uint32_t evicted; /* good entries thrown out since the last change of size */
	uint32_t turn;
	size_t bytes;
};

struct sublist {
	uint32_t magic;
	uint32_t wildcards; /* wildcard nodes */
	struct sublist_table nodes;
	struct sublist_table queues;
	struct sublist_table names;
	struct trie trie;
	struct cache cache;
	struct sublist_result scratch;
	struct sublist_node *grave_node; /* freed at the next change, since sublist_change points into it */
	struct sublist_name *grave_name;
	size_t bytes; /* of objects, without tables and cache */
	uint64_t local_count;
	uint64_t inserts;
	uint64_t removes;
	uint64_t matches;
	uint64_t cache_hits;
	uint64_t max_fanout;
	uint64_t total_fanout;
};

static inline uint32_t
sublist_hash(const char *text, size_t length)
{
	return map_hash(text, length);
}

/* sublist_node.c: memory that counts */
void *sublist_object_alloc(struct sublist *list, size_t size);
void sublist_object_free(struct sublist *list, void *object, size_t size);

/* Node of this pattern: existing, or made.  Status is SUBLIST_OK, SUBLIST_INVALID or SUBLIST_NO_MEMORY. */
enum sublist_status sublist_node_get(struct sublist *list, const char *subject, size_t length, struct sublist_node **node);
struct sublist_node *sublist_node_find(const struct sublist *list, const char *subject, size_t length, uint32_t hash);

/* Takes the node out if nothing holds it (it is buried, not freed).  still: within a walk over the nodes.  true: it went. */
bool sublist_node_drop(struct sublist *list, struct sublist_node *node, bool still);
void sublist_node_free(struct sublist *list, struct sublist_node *node);

/* Queue groups on a node.  queue_drop frees it, and buries its name, if nothing holds it. */
struct sublist_queue *sublist_queue_find(
    const struct sublist *list, const struct sublist_node *node, const char *queue, size_t length);
struct sublist_queue *sublist_queue_get(struct sublist *list, struct sublist_node *node, const char *queue, size_t length);
void sublist_queue_drop(struct sublist *list, struct sublist_queue *queue);
void sublist_queue_free(struct sublist *list, struct sublist_queue *queue);
void sublist_name_free(struct sublist *list, struct sublist_name *name);

/* Frees what the last change left for its views.  Each change begins with it. */
void sublist_bury(struct sublist *list);

/* Array of local subscriptions. */
bool sublist_subs_add(struct sublist *list, union sublist_subs *subs, uint32_t *count, uint8_t *room, struct sublist_sub *sub);
void sublist_subs_remove(struct sublist *list, union sublist_subs *subs, uint32_t *count, uint8_t *room, uint32_t index);
void sublist_subs_free(struct sublist *list, union sublist_subs *subs, uint8_t room);

/* sublist_remote.c */
void sublist_weights_free(struct sublist *list, struct sublist_queue *queue);

/* sublist_match.c: false when there is no memory. */
bool sublist_result_add(struct sublist_result *result, struct sublist_node *node);

/* sublist_trie.c.  false: no memory, nothing changed. */
bool sublist_trie_insert(struct sublist *list, struct sublist_node *node);
void sublist_trie_remove(struct sublist *list, struct sublist_node *node);

/*
 * Adds the wildcard nodes that match to result (only the first, when first).  *visited: places looked at, a measure of the cost.
 * false: no memory for the result.
 */
bool sublist_trie_match(
    struct sublist *list, const char *subject, size_t length, bool first, struct sublist_result *result, uint32_t *visited);

/* Frees all of the trie at once (the nodes' memory is the caller's matter). */
void sublist_trie_free(struct sublist *list);

/* sublist_cache.c */
void sublist_cache_init(struct cache *cache, bool enabled);
void sublist_cache_free(struct cache *cache);
const struct cache_entry *sublist_cache_find(struct cache *cache, const char *subject, size_t length, uint32_t hash);
void sublist_cache_store(
    struct cache *cache, const char *subject, size_t length, uint32_t hash, struct sublist_node *const *nodes, uint32_t count);
uint32_t sublist_cache_count(const struct cache *cache);

/* All entries become void: a wildcard pattern came or went. */
static inline void
sublist_cache_void(struct cache *cache)
{
	cache->generation++;
}

#endif
