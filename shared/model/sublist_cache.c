/*
 * Remembered results of trie walks, by subject: which wildcard nodes it reaches.  A result is good as long as no wildcard pattern
 * came or went; subscriptions on patterns that exist already, and literals, change nothing here.
 *
 * Pairs of entries, found by the hash the caller has already made.  It starts small, doubles when it throws out good entries, and
 * ends at SUBLIST_CACHE_MAX entries and SUBLIST_CACHE_BYTES.  Each entry keeps its block for the next result that fits.
 */
#include "model/sublist_private.h"

#include "base/memory.h"

#define CACHE_START 16U
#define CACHE_BLOCK_MIN 64U
#define CACHE_BLOCK_MAX (SUBLIST_CACHE_BYTES / 64)

void
sublist_cache_init(struct cache *cache, bool enabled)
{
	memset(cache, 0, sizeof(*cache));
	cache->enabled = enabled;
	cache->generation = 1;
}

void
sublist_cache_free(struct cache *cache)
{
	for (uint32_t i = 0; i < cache->size; i++)
		memory_free(cache->entries[i].block);
	memory_free(cache->entries);
	cache->entries = NULL;
	cache->size = cache->evicted = 0;
	cache->bytes = 0;
}

static struct cache_entry *
cache_pair(const struct cache *cache, uint32_t hash)
{
	return &cache->entries[(hash >> 4) & (cache->size - 2)];
}

static const char *
entry_subject(const struct cache_entry *entry)
{
	return (const char *)entry->block + entry->count * sizeof(struct sublist_node *);
}

const struct cache_entry *
sublist_cache_find(struct cache *cache, const char *subject, size_t length, uint32_t hash)
{
	const struct cache_entry *entry;

	if (cache->size == 0)
		return NULL;
	entry = cache_pair(cache, hash);
	for (int i = 0; i < 2; i++, entry++)
		if (entry->hash == hash && entry->generation == cache->generation && entry->length == length &&
		    memcmp(entry_subject(entry), subject, length) == 0)
			return entry;
	return NULL;
}

static void
cache_resize(struct cache *cache, uint32_t size)
{
	struct cache_entry *entries = memory_array(size, sizeof(entries[0]));

	if (entries == NULL)
		return;
	sublist_cache_free(cache);
	cache->entries = entries;
	cache->size = size;
	cache->bytes = size * sizeof(entries[0]);
}

static bool
entry_room(struct cache *cache, struct cache_entry *entry, size_t size)
{
	size_t room = CACHE_BLOCK_MIN;

	if (entry->room >= size)
		return true;
	while (room < size)
		room *= 2;
	if (cache->bytes - entry->room + room > SUBLIST_CACHE_BYTES)
		return false;
	memory_free(entry->block);
	cache->bytes -= entry->room;
	entry->room = 0;
	entry->block = memory_alloc(room);
	if (entry->block == NULL)
		return false;
	entry->room = (uint32_t)room;
	cache->bytes += room;
	return true;
}

void
sublist_cache_store(
    struct cache *cache, const char *subject, size_t length, uint32_t hash, struct sublist_node *const *nodes, uint32_t count)
{
	size_t size = count * sizeof(nodes[0]) + length;
	struct cache_entry *entry;

	if (!cache->enabled || size > CACHE_BLOCK_MAX)
		return;
	if (cache->size == 0 || (cache->evicted >= cache->size && cache->size < SUBLIST_CACHE_MAX))
		cache_resize(cache, cache->size == 0 ? CACHE_START : cache->size * 2);
	if (cache->size == 0)
		return;
	entry = cache_pair(cache, hash);
	if (entry->generation == cache->generation && entry[1].generation != cache->generation)
		entry++;
	else if (entry->generation == cache->generation && (++cache->turn & 1) != 0)
		entry++;
	cache->evicted += entry->generation == cache->generation && cache->evicted < UINT32_MAX;
	entry->generation = 0;
	if (!entry_room(cache, entry, size))
		return;
	entry->generation = cache->generation;
	entry->hash = hash;
	entry->length = (uint32_t)length;
	entry->count = count;
	if (count > 0)
		memcpy(entry->block, nodes, count * sizeof(nodes[0]));
	memcpy((char *)entry->block + count * sizeof(nodes[0]), subject, length);
}

uint32_t
sublist_cache_count(const struct cache *cache)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < cache->size; i++)
		count += cache->entries[i].generation == cache->generation;
	return count;
}
