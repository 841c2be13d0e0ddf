/*
 * Sublist: making it, and local subscriptions; see sublist.h.
 */
#include "model/sublist_private.h"

#include "base/memory.h"

struct sublist *
sublist_create(bool cache)
{
	struct sublist *list = memory_zalloc(sizeof(*list));

	if (list == NULL)
		return NULL;
	list->magic = SUBLIST_MAGIC;
	sublist_cache_init(&list->cache, cache);
	return list;
}

static void
subs_forget(struct sublist_sub *const *subs, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		subs[i]->node = NULL;
		subs[i]->queue = NULL;
	}
}

void
sublist_free(struct sublist *list)
{
	struct sublist_walk nodes = { 0 }, names = { 0 };
	struct sublist_node *node;
	struct sublist_name *name;

	if (list == NULL)
		return;
	CHECK_OBJ(list, SUBLIST_MAGIC);
	sublist_bury(list);
	sublist_trie_free(list);
	while ((node = sublist_table_walk(&list->nodes, &nodes)) != NULL) {
		subs_forget(sublist_node_subs(node), node->plain_count);
		while (node->queues != NULL) {
			struct sublist_queue *queue = node->queues;

			node->queues = queue->next;
			subs_forget(sublist_queue_subs(queue), queue->local_count);
			sublist_queue_free(list, queue);
		}
		sublist_node_free(list, node);
	}
	while ((name = sublist_table_walk(&list->names, &names)) != NULL)
		sublist_name_free(list, name);
	sublist_table_free(&list->nodes);
	sublist_table_free(&list->queues);
	sublist_table_free(&list->names);
	sublist_cache_free(&list->cache);
	sublist_result_free(&list->scratch);
	CHECK(list->bytes == 0);
	list->magic = 0;
	memory_free(list);
}

static void
change_fill(
    struct sublist_change *change, const struct sublist_node *node, const struct sublist_name *name, uint32_t local, bool edge)
{
	if (change == NULL)
		return;
	change->subject = node->subject;
	change->subject_length = node->length;
	change->queue = name != NULL ? name->text : NULL;
	change->queue_length = name != NULL ? name->length : 0;
	change->local = local;
	change->edge = edge;
}

static enum sublist_status
insert_plain(struct sublist *list, struct sublist_node *node, struct sublist_sub *sub, struct sublist_change *change)
{
	if (!sublist_subs_add(list, &node->plain, &node->plain_count, &node->plain_room, sub)) {
		(void)sublist_node_drop(list, node, false);
		return SUBLIST_NO_MEMORY;
	}
	sub->queue = NULL;
	change_fill(change, node, NULL, node->plain_count, node->plain_count == 1);
	return SUBLIST_OK;
}

static enum sublist_status
insert_queue(struct sublist *list, struct sublist_node *node, const char *name, size_t length, struct sublist_sub *sub,
    struct sublist_change *change)
{
	struct sublist_queue *queue = sublist_queue_get(list, node, name, length);

	if (queue == NULL) {
		(void)sublist_node_drop(list, node, false);
		return SUBLIST_NO_MEMORY;
	}
	if (!sublist_subs_add(list, &queue->local, &queue->local_count, &queue->local_room, sub)) {
		sublist_queue_drop(list, queue);
		(void)sublist_node_drop(list, node, false);
		return SUBLIST_NO_MEMORY;
	}
	sub->queue = queue;
	change_fill(change, node, queue->name, queue->local_count, queue->local_count == 1);
	return SUBLIST_OK;
}

enum sublist_status
sublist_insert(struct sublist *list, const char *subject, size_t length, const char *queue, size_t queue_length,
    struct sublist_sub *sub, struct sublist_change *change)
{
	struct sublist_node *node;
	enum sublist_status status;

	CHECK_OBJ(list, SUBLIST_MAGIC);
	CHECK(sub != NULL && sub->node == NULL);
	CHECK(queue == NULL || queue_length > 0);
	sublist_bury(list);
	if (queue_length > SUBLIST_SUBJECT_MAX)
		return SUBLIST_INVALID;
	status = sublist_node_get(list, subject, length, &node);
	if (status != SUBLIST_OK)
		return status;
	if (queue == NULL)
		status = insert_plain(list, node, sub, change);
	else
		status = insert_queue(list, node, queue, queue_length, sub, change);
	if (status != SUBLIST_OK)
		return status;
	sub->node = node;
	list->local_count++;
	list->inserts++;
	return SUBLIST_OK;
}

void
sublist_remove(struct sublist *list, struct sublist_sub *sub, struct sublist_change *change)
{
	struct sublist_queue *queue = sub->queue;
	struct sublist_node *node = sub->node;
	uint32_t index = sub->index;

	CHECK_OBJ(list, SUBLIST_MAGIC);
	CHECK(node != NULL && list->local_count > 0);
	sublist_bury(list);
	if (queue == NULL) {
		CHECK(index < node->plain_count && sublist_node_subs(node)[index] == sub);
		sublist_subs_remove(list, &node->plain, &node->plain_count, &node->plain_room, index);
		change_fill(change, node, NULL, node->plain_count, node->plain_count == 0);
	} else {
		CHECK(queue->node == node && index < queue->local_count && sublist_queue_subs(queue)[index] == sub);
		sublist_subs_remove(list, &queue->local, &queue->local_count, &queue->local_room, index);
		change_fill(change, node, queue->name, queue->local_count, queue->local_count == 0);
		sublist_queue_drop(list, queue);
	}
	sub->node = NULL;
	sub->queue = NULL;
	(void)sublist_node_drop(list, node, false);
	list->local_count--;
	list->removes++;
}

void
sublist_remove_batch(struct sublist *list, struct sublist_sub *const *subs, size_t count,
    void (*gone)(void *arg, const struct sublist_change *change), void *arg)
{
	struct sublist_change change;

	for (size_t i = 0; i < count; i++) {
		if (subs[i] == NULL || subs[i]->node == NULL)
			continue;
		sublist_remove(list, subs[i], &change);
		if (gone != NULL)
			gone(arg, &change);
	}
}
