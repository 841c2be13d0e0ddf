/*
 * Sublist: matching a message's subject, and walks over all nodes; see sublist.h.
 */
#include "model/sublist_private.h"

#include "base/memory.h"
#include "model/subject.h"

#define RESULT_START 16U
#define WALK_CHEAP 3U /* a trie walk over so few places costs no more than the cache: not worth remembering */

static bool
result_grow(struct sublist_result *result)
{
	uint32_t room = result->room == 0 ? RESULT_START : result->room * 2;
	struct sublist_node **nodes;

	if (result->room > UINT32_MAX / 2 / sizeof(nodes[0]))
		return false;
	nodes = memory_realloc(result->nodes, room * sizeof(nodes[0]));
	if (nodes == NULL)
		return false;
	result->nodes = nodes;
	result->room = room;
	return true;
}

bool
sublist_result_add(struct sublist_result *result, struct sublist_node *node)
{
	if (result->count == result->room && !result_grow(result))
		return false;
	result->nodes[result->count++] = node;
	return true;
}

void
sublist_result_free(struct sublist_result *result)
{
	memory_free(result->nodes);
	memset(result, 0, sizeof(*result));
}

static bool
wildcards_match(struct sublist *list, const char *subject, size_t length, uint32_t hash, bool first, struct sublist_result *result)
{
	const struct cache_entry *entry = sublist_cache_find(&list->cache, subject, length, hash);
	uint32_t start = result->count;
	uint32_t visited;
	bool complete = true;

	if (entry != NULL) {
		list->cache_hits++;
		for (uint32_t i = 0; i < entry->count; i++)
			complete = sublist_result_add(result, ((struct sublist_node **)entry->block)[i]) && complete;
		return complete;
	}
	complete = sublist_trie_match(list, subject, length, first, result, &visited);
	if (complete && !first && visited > WALK_CHEAP)
		sublist_cache_store(
		    &list->cache, subject, length, hash, start == 0 ? result->nodes : result->nodes + start, result->count - start);
	return complete;
}

/* All nodes, or with "first" some of them: at least one if there is any. */
static bool
match_nodes(struct sublist *list, const char *subject, size_t length, bool first, struct sublist_result *result)
{
	struct sublist_node *node;
	bool complete = true;
	uint32_t hash;

	CHECK_OBJ(list, SUBLIST_MAGIC);
	CHECK(subject != NULL || length == 0);
	result->count = 0;
	if (length == 0 || length > SUBLIST_SUBJECT_MAX || sublist_table_count(&list->nodes) == 0)
		return true;
	hash = sublist_hash(subject, length);
	node = sublist_node_find(list, subject, length, hash);
	if (node != NULL && !node->wildcard)
		complete = sublist_result_add(result, node);
	if (list->wildcards == 0)
		list->cache_hits++;
	else if (!first || result->count == 0)
		complete = wildcards_match(list, subject, length, hash, first, result) && complete;
	return complete;
}

/* Sums up the nodes. */
static void
result_sum(struct sublist_result *result)
{
	uint64_t groups = 0;

	result->members = 0;
	result->plain_count = 0;
	for (uint32_t i = 0; i < result->count; i++) {
		const struct sublist_node *node = result->nodes[i];

		result->members |= node->members;
		result->plain_count += node->plain_count;
		for (const struct sublist_queue *queue = node->queues; queue != NULL; queue = queue->next)
			groups++;
	}
	result->any_queue = groups > 0;
	result->fanout = result->plain_count + groups + (uint64_t)__builtin_popcountll(result->members);
}

static void
count_match(struct sublist *list, const struct sublist_result *result)
{
	list->matches++;
	list->total_fanout += result->fanout;
	if (result->fanout > list->max_fanout)
		list->max_fanout = result->fanout;
}

bool
sublist_match(struct sublist *list, const char *subject, size_t length, struct sublist_result *result)
{
	bool complete = match_nodes(list, subject, length, false, result);

	result_sum(result);
	count_match(list, result);
	return complete;
}

void
sublist_count_hit(struct sublist *list, const struct sublist_result *result)
{
	CHECK_OBJ(list, SUBLIST_MAGIC);
	list->cache_hits++;
	count_match(list, result);
}

bool
sublist_has_interest(struct sublist *list, const char *subject, size_t length)
{
	(void)match_nodes(list, subject, length, true, &list->scratch);
	return list->scratch.count > 0;
}

void
sublist_num_interest(struct sublist *list, const char *subject, size_t length, uint64_t *plain, uint64_t *queues)
{
	struct sublist_result *result = &list->scratch;

	(void)match_nodes(list, subject, length, false, result);
	*plain = *queues = 0;
	for (uint32_t i = 0; i < result->count; i++) {
		const struct sublist_node *node = result->nodes[i];

		*plain += node->plain_count + (uint64_t)__builtin_popcountll(node->members);
		for (const struct sublist_queue *queue = node->queues; queue != NULL; queue = queue->next)
			*queues += queue->local_count + queue->remote_weight;
	}
}

struct sublist_node *
sublist_find(struct sublist *list, const char *pattern, size_t length)
{
	CHECK_OBJ(list, SUBLIST_MAGIC);
	CHECK(pattern != NULL || length == 0);
	if (length == 0 || length > SUBLIST_SUBJECT_MAX)
		return NULL;
	return sublist_node_find(list, pattern, length, sublist_hash(pattern, length));
}

void
sublist_reverse_match(
    struct sublist *list, const char *pattern, size_t length, bool (*each)(void *arg, struct sublist_node *node), void *arg)
{
	struct sublist_walk walk = { 0 };
	struct sublist_node *node;

	CHECK_OBJ(list, SUBLIST_MAGIC);
	while ((node = sublist_table_walk(&list->nodes, &walk)) != NULL)
		if (subject_collide(node->subject, node->length, pattern, length) && !each(arg, node))
			return;
}

void
sublist_all(struct sublist *list, bool (*each)(void *arg, struct sublist_node *node), void *arg)
{
	struct sublist_walk walk = { 0 };
	struct sublist_node *node;

	CHECK_OBJ(list, SUBLIST_MAGIC);
	while ((node = sublist_table_walk(&list->nodes, &walk)) != NULL)
		if (!each(arg, node))
			return;
}

uint64_t
sublist_count(const struct sublist *list)
{
	CHECK_OBJ(list, SUBLIST_MAGIC);
	return list->local_count;
}

void
sublist_stats(const struct sublist *list, struct sublist_stats *stats)
{
	CHECK_OBJ(list, SUBLIST_MAGIC);
	stats->num_subscriptions = list->local_count;
	stats->num_cache = sublist_cache_count(&list->cache);
	stats->num_inserts = list->inserts;
	stats->num_removes = list->removes;
	stats->num_matches = list->matches;
	stats->cache_hits = list->cache_hits;
	stats->max_fanout = list->max_fanout;
	stats->total_fanout = list->total_fanout;
	stats->num_nodes = sublist_table_count(&list->nodes);
	stats->num_wildcards = list->wildcards;
	stats->bytes = sizeof(*list) + list->bytes + list->cache.bytes + sublist_table_bytes(&list->nodes) +
	    sublist_table_bytes(&list->queues) + sublist_table_bytes(&list->names) + sublist_table_bytes(&list->trie.edges);
}
