/*
 * Making permission sets, and taking them from one process to another; see permission.h.
 *
 * Encoded: u8 version, u8 bits (given lists by kind, then responses), i32 max, i64 ttl, then per kind u32 count and the entries as
 * two strings (u16 length): subject, queue.  Decoded sets are kept in a table by their bytes while somebody holds them.
 */
#include "model/permission_private.h"

#include "base/bytes.h"
#include "base/map.h"
#include "base/memory.h"
#include "model/sublist_table.h"
#include "model/subject.h"

#define ENCODING_VERSION 1
#define BIT_RESPONSES (1U << PERMISSION_KINDS)
#define TEXT_MAX 65535U

struct set_key {
	const uint8_t *bytes;
	size_t size;
};

static struct sublist_table known_sets;

struct permission_set *
permission_set_create(void)
{
	struct permission_set *set = memory_zalloc(sizeof(*set));

	if (set == NULL)
		return NULL;
	set->magic = PERMISSION_MAGIC;
	set->references = 1;
	permission_totals.sets++;
	return set;
}

struct permission_set *
permission_set_hold(struct permission_set *set)
{
	if (set == NULL)
		return NULL;
	CHECK_OBJ(set, PERMISSION_MAGIC);
	CHECK(set->references > 0 && set->references < UINT32_MAX);
	set->references++;
	return set;
}

static void
list_free(struct permission_list *list)
{
	sublist_free(list->index);
	for (uint32_t i = 0; i < list->count; i++)
		memory_free(list->entries[i]);
	memory_free(list->entries);
}

void
permission_set_release(struct permission_set *set)
{
	if (set == NULL)
		return;
	CHECK_OBJ(set, PERMISSION_MAGIC);
	CHECK(set->references > 0);
	if (--set->references > 0)
		return;
	if (set->known)
		sublist_table_remove(&known_sets, set);
	for (int kind = 0; kind < PERMISSION_KINDS; kind++)
		list_free(&set->lists[kind]);
	memory_free(set->publish_cells);
	memory_free(set->deny_cells);
	memory_free(set->encoded);
	set->magic = 0;
	CHECK(permission_totals.sets > 0);
	permission_totals.sets--;
	memory_free(set);
}

/* ---- entries ---- */

static bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static size_t
word_next(const char *text, size_t length, size_t *at)
{
	size_t start;

	while (*at < length && is_space(text[*at]))
		(*at)++;
	start = *at;
	while (*at < length && !is_space(text[*at]))
		(*at)++;
	return start;
}

/* Cuts "subject" or "subject queue"; false when it is neither.  (client.go splitSubjectQueue) */
static bool
entry_split(const char *text, size_t length, const char **subject, size_t *subject_length, const char **queue, size_t *queue_length)
{
	size_t at = 0, start;

	start = word_next(text, length, &at);
	*subject = text + start;
	*subject_length = at - start;
	start = word_next(text, length, &at);
	*queue = text + start;
	*queue_length = at - start;
	start = word_next(text, length, &at);
	if (start < length || !subject_valid(*subject, *subject_length))
		return false;
	return *queue_length == 0 || subject_valid(*queue, *queue_length);
}

static bool
list_room(struct permission_list *list)
{
	uint32_t room = list->room == 0 ? 4 : list->room * 2;
	struct permission_entry **entries;

	if (list->index == NULL && (list->index = sublist_create(false)) == NULL)
		return false;
	if (list->count < list->room)
		return true;
	entries = memory_realloc(list->entries, room * sizeof(entries[0]));
	if (entries == NULL)
		return false;
	list->entries = entries;
	list->room = room;
	return true;
}

static enum permission_status
list_add(struct permission_list *list, const char *subject, size_t length, const char *queue, size_t queue_length)
{
	struct permission_entry *entry;
	enum sublist_status status;

	if (length > TEXT_MAX || queue_length > TEXT_MAX)
		return PERMISSION_INVALID;
	if (list->count >= PERMISSION_ENTRIES_MAX)
		return PERMISSION_FULL;
	if (!list_room(list) || (entry = memory_zalloc(sizeof(*entry) + length + queue_length)) == NULL)
		return PERMISSION_NO_MEMORY;
	entry->length = (uint32_t)length;
	entry->queue_length = (uint32_t)queue_length;
	memcpy(entry->text, subject, length);
	if (queue_length > 0)
		memcpy(entry->text + length, queue, queue_length);
	status = sublist_insert(
	    list->index, entry->text, length, queue_length > 0 ? entry->text + length : NULL, queue_length, &entry->sub, NULL);
	if (status != SUBLIST_OK) {
		memory_free(entry);
		return status == SUBLIST_INVALID ? PERMISSION_INVALID : PERMISSION_NO_MEMORY;
	}
	list->entries[list->count++] = entry;
	return PERMISSION_OK;
}

enum permission_status
permission_set_add(struct permission_set *set, enum permission_kind kind, const char *text, size_t length)
{
	const char *subject, *queue;
	size_t subject_length, queue_length;
	struct permission_list *list;

	CHECK_OBJ(set, PERMISSION_MAGIC);
	CHECK((unsigned)kind < PERMISSION_KINDS);
	CHECK(!set->known && set->references == 1);
	list = &set->lists[kind];
	list->given = true;
	if (kind == PERMISSION_PUBLISH_ALLOW) {
		if (!subject_valid(text, length))
			return PERMISSION_INVALID;
		return list_add(list, text, length, NULL, 0);
	}
	if (!entry_split(text, length, &subject, &subject_length, &queue, &queue_length))
		return PERMISSION_INVALID;
	if (kind == PERMISSION_PUBLISH_DENY)
		queue_length = 0;
	return list_add(list, subject, subject_length, queue, queue_length);
}

void
permission_set_responses(struct permission_set *set, int32_t max, int64_t ttl)
{
	CHECK_OBJ(set, PERMISSION_MAGIC);
	CHECK(!set->known && set->references == 1);
	set->responses = true;
	set->responses_max = max == 0 ? PERMISSION_RESPONSES_MAX : max;
	set->responses_ttl = ttl == 0 ? PERMISSION_RESPONSES_TTL : ttl;
	set->lists[PERMISSION_PUBLISH_ALLOW].given = true;
}

/* ---- looking at it ---- */

size_t
permission_set_count(const struct permission_set *set, enum permission_kind kind)
{
	CHECK((unsigned)kind < PERMISSION_KINDS);
	return set == NULL ? 0 : set->lists[kind].count;
}

void
permission_set_entry(const struct permission_set *set, enum permission_kind kind, size_t index, const char **subject,
    size_t *length, const char **queue, size_t *queue_length)
{
	const struct permission_entry *entry;

	CHECK_OBJ(set, PERMISSION_MAGIC);
	CHECK((unsigned)kind < PERMISSION_KINDS && index < set->lists[kind].count);
	entry = set->lists[kind].entries[index];
	*subject = entry->text;
	*length = entry->length;
	*queue = entry->queue_length > 0 ? entry->text + entry->length : NULL;
	*queue_length = entry->queue_length;
}

bool
permission_set_has_responses(const struct permission_set *set, int32_t *max, int64_t *ttl)
{
	if (set == NULL || !set->responses)
		return false;
	CHECK_OBJ(set, PERMISSION_MAGIC);
	*max = set->responses_max;
	*ttl = set->responses_ttl;
	return true;
}

/* ---- encoding ---- */

size_t
permission_set_size(const struct permission_set *set)
{
	size_t size = 1 + 1 + 4 + 8;

	CHECK_OBJ(set, PERMISSION_MAGIC);
	for (int kind = 0; kind < PERMISSION_KINDS; kind++) {
		const struct permission_list *list = &set->lists[kind];

		size += 4;
		for (uint32_t i = 0; i < list->count; i++)
			size += 2 + 2 + (size_t)list->entries[i]->length + list->entries[i]->queue_length;
	}
	return size;
}

void
permission_set_encode(const struct permission_set *set, struct bytes_writer *writer)
{
	unsigned bits = 0;

	CHECK_OBJ(set, PERMISSION_MAGIC);
	for (unsigned kind = 0; kind < PERMISSION_KINDS; kind++)
		bits |= set->lists[kind].given ? 1U << kind : 0;
	bytes_put_u8(writer, ENCODING_VERSION);
	bytes_put_u8(writer, (uint8_t)(bits | (set->responses ? BIT_RESPONSES : 0)));
	bytes_put_i32(writer, set->responses_max);
	bytes_put_i64(writer, set->responses_ttl);
	for (int kind = 0; kind < PERMISSION_KINDS; kind++) {
		const struct permission_list *list = &set->lists[kind];

		bytes_put_u32(writer, list->count);
		for (uint32_t i = 0; i < list->count; i++) {
			const struct permission_entry *entry = list->entries[i];

			bytes_put_view(writer, entry->text, entry->length);
			bytes_put_view(writer, entry->text + entry->length, entry->queue_length);
		}
	}
}

/* An entry from outside must be one that permission_set_add would have made. */
static bool
list_decode(struct permission_set *set, unsigned kind, struct bytes_reader *reader, bool *memory)
{
	bool queues = kind == PERMISSION_SUBSCRIBE_ALLOW || kind == PERMISSION_SUBSCRIBE_DENY;
	struct permission_list *list = &set->lists[kind];
	uint32_t count = bytes_u32(reader);

	if (reader->failed || count > PERMISSION_ENTRIES_MAX || (count > 0 && !list->given))
		return false;
	for (uint32_t i = 0; i < count; i++) {
		enum permission_status status;
		const char *subject, *queue;
		size_t length, queue_length;

		if (!bytes_view(reader, &subject, &length) || !bytes_view(reader, &queue, &queue_length))
			return false;
		if (!subject_valid(subject, length) || (queue_length > 0 && (!queues || !subject_valid(queue, queue_length))))
			return false;
		status = list_add(list, subject, length, queue, queue_length);
		if (status == PERMISSION_NO_MEMORY)
			*memory = false;
		if (status != PERMISSION_OK)
			return false;
	}
	return true;
}

static bool
set_decode(struct permission_set *set, struct bytes_reader *reader, bool *memory)
{
	uint8_t version = bytes_u8(reader);
	unsigned bits = bytes_u8(reader);

	set->responses_max = bytes_i32(reader);
	set->responses_ttl = bytes_i64(reader);
	set->responses = (bits & BIT_RESPONSES) != 0;
	if (reader->failed || version != ENCODING_VERSION || bits >= BIT_RESPONSES << 1)
		return false;
	if (set->responses != (set->responses_max != 0) || set->responses != (set->responses_ttl != 0))
		return false;
	if (set->responses && (bits & 1U << PERMISSION_PUBLISH_ALLOW) == 0)
		return false;
	for (unsigned kind = 0; kind < PERMISSION_KINDS; kind++) {
		set->lists[kind].given = (bits & 1U << kind) != 0;
		if (!list_decode(set, kind, reader, memory))
			return false;
	}
	return true;
}

static bool
set_same(const void *object, const void *key)
{
	const struct permission_set *set = object;
	const struct set_key *want = key;

	return set->encoded_size == want->size && memcmp(set->encoded, want->bytes, want->size) == 0;
}

/* Without memory for it the set is as good, but not shared. */
static void
set_make_known(struct permission_set *set, const struct set_key *key, uint32_t hash)
{
	set->encoded = memory_alloc(key->size);
	if (set->encoded == NULL)
		return;
	memcpy(set->encoded, key->bytes, key->size);
	set->encoded_size = key->size;
	set->hash = hash;
	set->known = sublist_table_insert(&known_sets, set);
}

struct permission_set *
permission_set_decode(struct bytes_reader *reader)
{
	struct set_key key = { reader->at, 0 };
	struct permission_set *set, *known;
	bool memory = true;
	uint32_t hash;

	set = permission_set_create();
	if (set == NULL)
		return NULL;
	if (!set_decode(set, reader, &memory)) {
		reader->failed = reader->failed || memory;
		permission_set_release(set);
		return NULL;
	}
	key.size = (size_t)(reader->at - key.bytes);
	hash = map_hash(key.bytes, key.size);
	known = sublist_table_find(&known_sets, hash, set_same, &key);
	if (known != NULL) {
		permission_set_release(set);
		return permission_set_hold(known);
	}
	set_make_known(set, &key, hash);
	return set;
}
