/*
 * Sublist: who wants which subject, for one account in one process.
 *
 * One node per distinct subject pattern.  All nodes are in one hash table by their subject; those with wildcards hang in a trie
 * of tokens as well.  So a message costs one hash look-up for the literal and, only where the list has wildcard patterns at all,
 * a walk of the trie, remembered per subject in a small cache that only the coming and going of wildcard patterns empties.
 *
 * A node holds the local subscriptions one by one, and the interest of the other mesh members summed up: a bit per member for
 * plain interest, a weight per member and queue group.
 *
 * Used by broker and storaged for routing and by permission.c as its index.  One thread.  It owns nodes, queues and names, never
 * the subscriptions (embedded in their owner's struct), and never looks at connections.  Memory comes from base/memory.h and
 * sublist_slab.h and goes back when it is empty.  No allocation in a match (but for a result or cache that still grows).
 */
#ifndef MODEL_SUBLIST_H
#define MODEL_SUBLIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SUBLIST_MEMBERS_MAX 64
#define SUBLIST_SUBJECT_MAX (1U << 20) /* longer ones are SUBLIST_INVALID; max_control_line comes long before */
#define SUBLIST_CACHE_MAX 1024         /* cached results (sublist.go slCacheMax) */
#define SUBLIST_CACHE_BYTES (4U << 20) /* and what they may use together */

struct sublist;
struct sublist_node;
struct sublist_queue;

enum sublist_status {
	SUBLIST_OK,
	SUBLIST_INVALID,   /* not a subject one can subscribe to (sublist.go ErrInvalidSubject) */
	SUBLIST_NO_MEMORY, /* nothing changed */
	SUBLIST_EXISTS,    /* remote interest told twice: nothing changed, a violation of the member */
	SUBLIST_NOT_FOUND  /* remote interest withdrawn that was not there: nothing changed, a violation too */
};

/* Embedded in the owner's subscription.  The list writes all of it; the owner only asks "node != NULL": is it in a list? */
struct sublist_sub {
	struct sublist_node *node;
	struct sublist_queue *queue; /* NULL: plain */
	uint32_t index;              /* place in the node's or queue's array */
};

/* A queue group's name: one object per name and list, so names are equal where pointers are. */
struct sublist_name {
	uint32_t hash;
	uint32_t length;
	uint32_t references;
	char text[];
};

struct sublist_weight {
	uint32_t member;
	uint32_t weight; /* never 0 */
};

/* One or many: use sublist_subs() to read. */
union sublist_subs {
	struct sublist_sub *one;
	struct sublist_sub **many;
};

/* One queue group on one pattern. */
struct sublist_queue {
	uint32_t hash;
	uint32_t local_count;
	union sublist_subs local;
	struct sublist_queue *next; /* of this node */
	struct sublist_queue *previous;
	struct sublist_node *node;
	struct sublist_name *name;
	struct sublist_weight *weights; /* weight_count of them, no order */
	uint64_t remote_weight;         /* their sum */
	uint8_t weight_count;
	uint8_t weight_room;
	uint8_t local_room; /* log2 of the array; 0: "one" */
};

/* One pattern.  Has at least one local subscription or some remote interest. */
struct sublist_node {
	uint32_t hash;
	uint32_t length;      /* of subject */
	uint32_t plain_count; /* local plain subscriptions */
	uint8_t plain_room;   /* log2 of the array; 0: "one" */
	bool wildcard;
	union sublist_subs plain;
	uint64_t members; /* bit m: mesh member m has plain interest */
	struct sublist_queue *queues;
	char subject[]; /* not terminated */
};

/* What a change did to the local interest; the views stay good until the next change of the list. */
struct sublist_change {
	const char *subject;
	const char *queue; /* NULL: plain */
	uint32_t subject_length;
	uint32_t queue_length;
	uint32_t local; /* local subscriptions on this (pattern, queue) after it: for a queue, its new weight */
	bool edge;      /* the first one came or the last one went */
};

/*
 * Owned by the caller, zeroed before first use, reused for ever, freed by sublist_result_free().  Nodes stay good until the next
 * change of the list (other matches, also nested ones, do no harm when each has its own result).
 */
struct sublist_result {
	struct sublist_node **nodes;
	uint32_t count;
	uint32_t room;
	uint64_t members;     /* plain remote interest, over all nodes */
	uint64_t plain_count; /* local plain subscriptions, over all nodes */
	uint64_t fanout;      /* receivers as sublist.go counts them: plain_count, members, and queue groups once per node */
	bool any_queue;       /* some node has a queue group */
};

struct sublist_stats {              /* sublist.go SublistStats; fan-out is over the matches made, not over the cache */
	uint64_t num_subscriptions; /* local ones */
	uint64_t num_cache;
	uint64_t num_inserts;
	uint64_t num_removes;
	uint64_t num_matches;
	uint64_t cache_hits; /* matches that walked no trie: literals only, or found in the cache */
	uint64_t max_fanout;
	uint64_t total_fanout;  /* avg_fanout = total_fanout / num_matches */
	uint64_t num_nodes;     /* patterns, local and remote */
	uint64_t num_wildcards; /* of them with wildcards */
	uint64_t bytes;         /* memory in use */
};

/* NULL when there is no memory.  cache false: disable_sublist_cache. */
struct sublist *sublist_create(bool cache);

/* All subscriptions still in it are forgotten (their node is set to NULL).  NULL is fine. */
void sublist_free(struct sublist *list);

/*
 * Put a local subscription in, plain (queue NULL) or in a queue group (queue_length > 0).  The sub must not be in a list.
 * change may be NULL.  SUBLIST_OK, SUBLIST_INVALID or SUBLIST_NO_MEMORY.
 */
enum sublist_status sublist_insert(struct sublist *list, const char *subject, size_t length, const char *queue, size_t queue_length,
    struct sublist_sub *sub, struct sublist_change *change);

/* Take a local subscription out; it must be in this list.  change may be NULL. */
void sublist_remove(struct sublist *list, struct sublist_sub *sub, struct sublist_change *change);

/* Take many out (NULL pointers and those in no list are skipped); "gone" (may be NULL) is told of each. */
void sublist_remove_batch(struct sublist *list, struct sublist_sub *const *subs, size_t count,
    void (*gone)(void *arg, const struct sublist_change *change), void *arg);

/* Plain interest of another member: comes once and goes once per pattern. */
enum sublist_status sublist_remote_add(struct sublist *list, const char *subject, size_t length, unsigned member);
enum sublist_status sublist_remote_remove(struct sublist *list, const char *subject, size_t length, unsigned member);

/* Weight of another member's queue group on a pattern; 0: gone.  SUBLIST_NOT_FOUND when 0 and it had none. */
enum sublist_status sublist_remote_queue(struct sublist *list, const char *subject, size_t length, const char *queue,
    size_t queue_length, unsigned member, uint32_t weight);

/* Forget all interest of a member.  Walks the whole list. */
void sublist_member_down(struct sublist *list, unsigned member);

/*
 * All nodes a message on this subject reaches.  Wildcards in it are literal tokens; with an empty token it reaches nothing.
 * false: no memory for the result (it holds what fitted: count nodes).
 */
bool sublist_match(struct sublist *list, const char *subject, size_t length, struct sublist_result *result);
void sublist_result_free(struct sublist_result *result);

/* The caller used a result it had kept from an earlier match: counts in the statistics as a match from the cache. */
void sublist_count_hit(struct sublist *list, const struct sublist_result *result);

/* Would a message reach anybody, here or elsewhere?  Stops at the first. */
bool sublist_has_interest(struct sublist *list, const char *subject, size_t length);

/* How many: plain = local subscriptions + members; queues = local members + remote weights.  (sublist.go NumInterest) */
void sublist_num_interest(struct sublist *list, const char *subject, size_t length, uint64_t *plain, uint64_t *queues);

/* The node of exactly this pattern, or NULL. */
struct sublist_node *sublist_find(struct sublist *list, const char *pattern, size_t length);

/*
 * Calls "each" for every node whose pattern can share a literal with "pattern" (a literal node: is matched by it).  Looks at all
 * nodes.  "each" must not change the list; it returns false to stop.  (sublist.go ReverseMatch)
 */
void sublist_reverse_match(
    struct sublist *list, const char *pattern, size_t length, bool (*each)(void *arg, struct sublist_node *node), void *arg);

/* Every node, in no order; "each" as above.  (For INTEREST of a new member, /subsz.) */
void sublist_all(struct sublist *list, bool (*each)(void *arg, struct sublist_node *node), void *arg);

/* Local subscriptions in the list. */
uint64_t sublist_count(const struct sublist *list);
void sublist_stats(const struct sublist *list, struct sublist_stats *stats);

/* Array of a node's local plain subscriptions: plain_count of them. */
static inline struct sublist_sub *const *
sublist_node_subs(const struct sublist_node *node)
{
	return node->plain_room == 0 ? &node->plain.one : node->plain.many;
}

/* Array of a queue group's local subscriptions: local_count of them. */
static inline struct sublist_sub *const *
sublist_queue_subs(const struct sublist_queue *queue)
{
	return queue->local_room == 0 ? &queue->local.one : queue->local.many;
}

#endif
