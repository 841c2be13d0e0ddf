/*
 * Nodes, queue groups and names of a sublist, and the arrays of local subscriptions in them.  Called by the other sublist files.
 */
#include "model/sublist_private.h"

#include "model/sublist_slab.h"
#include "model/subject.h"

struct queue_key {
	const struct sublist_node *node;
	const struct sublist_name *name;
};

void *
sublist_object_alloc(struct sublist *list, size_t size)
{
	void *object = sublist_slab_alloc(size);

	if (object != NULL)
		list->bytes += sublist_slab_round(size);
	return object;
}

void
sublist_object_free(struct sublist *list, void *object, size_t size)
{
	if (object == NULL)
		return;
	CHECK(list->bytes >= sublist_slab_round(size));
	list->bytes -= sublist_slab_round(size);
	sublist_slab_free(object, size);
}

/* ---- arrays of subscriptions ---- */

static bool
subs_resize(struct sublist *list, union sublist_subs *subs, uint8_t *room, uint8_t new_room)
{
	size_t old_size = ((size_t)1 << *room) * sizeof(subs->many[0]);
	size_t new_size = ((size_t)1 << new_room) * sizeof(subs->many[0]);
	struct sublist_sub **many;

	many = sublist_slab_resize(*room == 0 ? NULL : subs->many, old_size, new_size);
	if (many == NULL)
		return false;
	if (*room == 0)
		many[0] = subs->one;
	else
		list->bytes -= sublist_slab_round(old_size);
	list->bytes += sublist_slab_round(new_size);
	subs->many = many;
	*room = new_room;
	return true;
}

bool
sublist_subs_add(struct sublist *list, union sublist_subs *subs, uint32_t *count, uint8_t *room, struct sublist_sub *sub)
{
	if (*count == 0) {
		CHECK(*room == 0);
		subs->one = sub;
	} else {
		if (*count == (uint32_t)1 << *room && (*room >= 31 || !subs_resize(list, subs, room, *room == 0 ? 2 : *room + 1)))
			return false;
		subs->many[*count] = sub;
	}
	sub->index = (*count)++;
	return true;
}

void
sublist_subs_remove(struct sublist *list, union sublist_subs *subs, uint32_t *count, uint8_t *room, uint32_t index)
{
	CHECK(index < *count);
	(*count)--;
	if (*room == 0) {
		subs->one = NULL;
		return;
	}
	subs->many[index] = subs->many[*count];
	subs->many[index]->index = index;
	if (*count <= 1) {
		struct sublist_sub *one = *count == 1 ? subs->many[0] : NULL;

		sublist_subs_free(list, subs, *room);
		subs->one = one;
		*room = 0;
	} else if (*room > 2 && *count <= (uint32_t)1 << (*room - 2)) {
		(void)subs_resize(list, subs, room, (uint8_t)(*room - 1));
	}
}

void
sublist_subs_free(struct sublist *list, union sublist_subs *subs, uint8_t room)
{
	if (room > 0)
		sublist_object_free(list, subs->many, ((size_t)1 << room) * sizeof(subs->many[0]));
}

/* ---- names ---- */

static bool
name_same(const void *object, const void *key)
{
	const struct sublist_name *name = object;
	const struct sublist_text *text = key;

	return name->length == text->length && memcmp(name->text, text->text, text->length) == 0;
}

static struct sublist_name *
name_find(const struct sublist *list, const char *queue, size_t length)
{
	struct sublist_text text = { queue, length };

	return sublist_table_find(&list->names, sublist_hash(queue, length), name_same, &text);
}

void
sublist_name_free(struct sublist *list, struct sublist_name *name)
{
	sublist_object_free(list, name, sizeof(*name) + name->length);
}

static struct sublist_name *
name_make(struct sublist *list, const char *queue, size_t length)
{
	struct sublist_name *name = sublist_object_alloc(list, sizeof(*name) + length);

	if (name == NULL)
		return NULL;
	name->hash = sublist_hash(queue, length);
	name->length = (uint32_t)length;
	name->references = 0;
	memcpy(name->text, queue, length);
	if (!sublist_table_insert(&list->names, name)) {
		sublist_name_free(list, name);
		return NULL;
	}
	return name;
}

static void
name_drop(struct sublist *list, struct sublist_name *name)
{
	if (name->references > 0)
		return;
	sublist_table_remove(&list->names, name);
	CHECK(list->grave_name == NULL);
	list->grave_name = name;
}

/* ---- queue groups ---- */

static bool
queue_same(const void *object, const void *key)
{
	const struct sublist_queue *queue = object;
	const struct queue_key *want = key;

	return queue->node == want->node && queue->name == want->name;
}

static uint32_t
queue_hash(const struct queue_key *key)
{
	uint64_t mixed = ((uint64_t)(uintptr_t)key->node >> 3) * 0x9e3779b97f4a7c15ULL;

	return key->name->hash ^ (uint32_t)(mixed >> 32);
}

struct sublist_queue *
sublist_queue_find(const struct sublist *list, const struct sublist_node *node, const char *queue, size_t length)
{
	struct queue_key key = { node, name_find(list, queue, length) };

	if (key.name == NULL)
		return NULL;
	return sublist_table_find(&list->queues, queue_hash(&key), queue_same, &key);
}

static struct sublist_queue *
queue_make(struct sublist *list, const struct queue_key *key, struct sublist_node *node, struct sublist_name *name)
{
	struct sublist_queue *queue = sublist_object_alloc(list, sizeof(*queue));

	if (queue == NULL)
		return NULL;
	memset(queue, 0, sizeof(*queue));
	queue->hash = queue_hash(key);
	queue->node = node;
	queue->name = name;
	if (!sublist_table_insert(&list->queues, queue)) {
		sublist_object_free(list, queue, sizeof(*queue));
		return NULL;
	}
	name->references++;
	queue->next = node->queues;
	if (queue->next != NULL)
		queue->next->previous = queue;
	node->queues = queue;
	return queue;
}

struct sublist_queue *
sublist_queue_get(struct sublist *list, struct sublist_node *node, const char *queue, size_t length)
{
	struct sublist_name *name = name_find(list, queue, length);
	struct queue_key key;
	struct sublist_queue *found;

	if (name == NULL && (name = name_make(list, queue, length)) == NULL)
		return NULL;
	key.node = node;
	key.name = name;
	found = sublist_table_find(&list->queues, queue_hash(&key), queue_same, &key);
	if (found == NULL)
		found = queue_make(list, &key, node, name);
	if (found == NULL)
		name_drop(list, name);
	return found;
}

void
sublist_queue_free(struct sublist *list, struct sublist_queue *queue)
{
	sublist_subs_free(list, &queue->local, queue->local_room);
	sublist_weights_free(list, queue);
	sublist_object_free(list, queue, sizeof(*queue));
}

void
sublist_queue_drop(struct sublist *list, struct sublist_queue *queue)
{
	struct sublist_name *name = queue->name;

	if (queue->local_count > 0 || queue->weight_count > 0)
		return;
	CHECK(queue->remote_weight == 0);
	if (queue->previous != NULL)
		queue->previous->next = queue->next;
	else
		queue->node->queues = queue->next;
	if (queue->next != NULL)
		queue->next->previous = queue->previous;
	sublist_table_remove(&list->queues, queue);
	sublist_queue_free(list, queue);
	CHECK(name->references > 0);
	name->references--;
	name_drop(list, name);
}

/* ---- nodes ---- */

static bool
node_same(const void *object, const void *key)
{
	const struct sublist_node *node = object;
	const struct sublist_text *text = key;

	return node->length == text->length && memcmp(node->subject, text->text, text->length) == 0;
}

struct sublist_node *
sublist_node_find(const struct sublist *list, const char *subject, size_t length, uint32_t hash)
{
	struct sublist_text text = { subject, length };

	return sublist_table_find(&list->nodes, hash, node_same, &text);
}

void
sublist_node_free(struct sublist *list, struct sublist_node *node)
{
	sublist_subs_free(list, &node->plain, node->plain_room);
	sublist_object_free(list, node, sizeof(*node) + node->length);
}

static struct sublist_node *
node_make(struct sublist *list, const char *subject, size_t length, uint32_t hash, bool wildcard)
{
	struct sublist_node *node = sublist_object_alloc(list, sizeof(*node) + length);

	if (node == NULL)
		return NULL;
	memset(node, 0, sizeof(*node));
	node->hash = hash;
	node->length = (uint32_t)length;
	node->wildcard = wildcard;
	memcpy(node->subject, subject, length);
	if (!sublist_table_insert(&list->nodes, node)) {
		sublist_node_free(list, node);
		return NULL;
	}
	if (!wildcard)
		return node;
	if (!sublist_trie_insert(list, node)) {
		sublist_table_remove(&list->nodes, node);
		sublist_node_free(list, node);
		return NULL;
	}
	list->wildcards++;
	sublist_cache_void(&list->cache);
	return node;
}

enum sublist_status
sublist_node_get(struct sublist *list, const char *subject, size_t length, struct sublist_node **node)
{
	bool wildcard;
	uint32_t hash;

	if (length > SUBLIST_SUBJECT_MAX || !subject_valid_subscribe(subject, length, &wildcard))
		return SUBLIST_INVALID;
	hash = sublist_hash(subject, length);
	*node = sublist_node_find(list, subject, length, hash);
	if (*node == NULL)
		*node = node_make(list, subject, length, hash, wildcard);
	if (*node == NULL)
		return SUBLIST_NO_MEMORY;
	CHECK((*node)->wildcard == wildcard);
	return SUBLIST_OK;
}

bool
sublist_node_drop(struct sublist *list, struct sublist_node *node, bool still)
{
	if (node->plain_count > 0 || node->members != 0 || node->queues != NULL)
		return false;
	if (node->wildcard) {
		CHECK(list->wildcards > 0);
		list->wildcards--;
		sublist_trie_remove(list, node);
		sublist_cache_void(&list->cache);
	}
	if (still)
		sublist_table_remove_still(&list->nodes, node);
	else
		sublist_table_remove(&list->nodes, node);
	CHECK(list->grave_node == NULL);
	list->grave_node = node;
	return true;
}

void
sublist_bury(struct sublist *list)
{
	if (list->grave_node != NULL)
		sublist_node_free(list, list->grave_node);
	if (list->grave_name != NULL)
		sublist_name_free(list, list->grave_name);
	list->grave_node = NULL;
	list->grave_name = NULL;
}
