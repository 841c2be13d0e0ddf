/*
 * Interest of the other mesh members in a sublist: a bit per member for plain interest, a weight per member and queue group.
 * What they tell is checked here against what they told before; the caller decides what a contradiction means.
 */
#include "model/sublist_private.h"

static size_t
weights_size(uint8_t room)
{
	return (size_t)room * sizeof(struct sublist_weight);
}

void
sublist_weights_free(struct sublist *list, struct sublist_queue *queue)
{
	if (queue->weights != NULL)
		sublist_object_free(list, queue->weights, weights_size(queue->weight_room));
	queue->weights = NULL;
	queue->weight_room = 0;
}

static struct sublist_weight *
weight_find(const struct sublist_queue *queue, unsigned member)
{
	for (unsigned i = 0; i < queue->weight_count; i++)
		if (queue->weights[i].member == member)
			return &queue->weights[i];
	return NULL;
}

static struct sublist_weight *
weight_add(struct sublist *list, struct sublist_queue *queue, unsigned member)
{
	struct sublist_weight *weight;

	CHECK(queue->weight_count < SUBLIST_MEMBERS_MAX);
	if (queue->weight_count == queue->weight_room) {
		uint8_t room = queue->weight_room == 0 ? 2 : (uint8_t)(queue->weight_room * 2);
		struct sublist_weight *weights = sublist_object_alloc(list, weights_size(room));

		if (weights == NULL)
			return NULL;
		if (queue->weight_count > 0)
			memcpy(weights, queue->weights, weights_size(queue->weight_count));
		sublist_weights_free(list, queue);
		queue->weights = weights;
		queue->weight_room = room;
	}
	weight = &queue->weights[queue->weight_count++];
	weight->member = member;
	weight->weight = 0;
	return weight;
}

static void
weight_remove(struct sublist *list, struct sublist_queue *queue, struct sublist_weight *weight)
{
	CHECK(queue->remote_weight >= weight->weight);
	queue->remote_weight -= weight->weight;
	*weight = queue->weights[--queue->weight_count];
	if (queue->weight_count == 0)
		sublist_weights_free(list, queue);
}

enum sublist_status
sublist_remote_add(struct sublist *list, const char *subject, size_t length, unsigned member)
{
	struct sublist_node *node;
	enum sublist_status status;
	uint64_t bit = (uint64_t)1 << member;

	CHECK_OBJ(list, SUBLIST_MAGIC);
	CHECK(member < SUBLIST_MEMBERS_MAX);
	sublist_bury(list);
	status = sublist_node_get(list, subject, length, &node);
	if (status != SUBLIST_OK)
		return status;
	if ((node->members & bit) != 0)
		return SUBLIST_EXISTS;
	node->members |= bit;
	return SUBLIST_OK;
}

enum sublist_status
sublist_remote_remove(struct sublist *list, const char *subject, size_t length, unsigned member)
{
	struct sublist_node *node = sublist_find(list, subject, length);
	uint64_t bit = (uint64_t)1 << member;

	CHECK(member < SUBLIST_MEMBERS_MAX);
	sublist_bury(list);
	if (node == NULL || (node->members & bit) == 0)
		return SUBLIST_NOT_FOUND;
	node->members &= ~bit;
	(void)sublist_node_drop(list, node, false);
	return SUBLIST_OK;
}

static enum sublist_status
queue_gone(struct sublist *list, const char *subject, size_t length, const char *name, size_t name_length, unsigned member)
{
	struct sublist_node *node = sublist_find(list, subject, length);
	struct sublist_queue *queue = node != NULL ? sublist_queue_find(list, node, name, name_length) : NULL;
	struct sublist_weight *weight = queue != NULL ? weight_find(queue, member) : NULL;

	if (weight == NULL)
		return SUBLIST_NOT_FOUND;
	weight_remove(list, queue, weight);
	sublist_queue_drop(list, queue);
	(void)sublist_node_drop(list, node, false);
	return SUBLIST_OK;
}

enum sublist_status
sublist_remote_queue(struct sublist *list, const char *subject, size_t length, const char *name, size_t name_length,
    unsigned member, uint32_t weight)
{
	struct sublist_weight *entry = NULL;
	struct sublist_queue *queue;
	struct sublist_node *node;
	enum sublist_status status;

	CHECK_OBJ(list, SUBLIST_MAGIC);
	CHECK(member < SUBLIST_MEMBERS_MAX);
	sublist_bury(list);
	if (name_length == 0 || name_length > SUBLIST_SUBJECT_MAX)
		return SUBLIST_INVALID;
	if (weight == 0)
		return queue_gone(list, subject, length, name, name_length, member);
	status = sublist_node_get(list, subject, length, &node);
	if (status != SUBLIST_OK)
		return status;
	queue = sublist_queue_get(list, node, name, name_length);
	if (queue != NULL && (entry = weight_find(queue, member)) == NULL && (entry = weight_add(list, queue, member)) == NULL)
		sublist_queue_drop(list, queue);
	if (entry == NULL) {
		(void)sublist_node_drop(list, node, false);
		return SUBLIST_NO_MEMORY;
	}
	queue->remote_weight += weight;
	queue->remote_weight -= entry->weight;
	entry->weight = weight;
	return SUBLIST_OK;
}

void
sublist_member_down(struct sublist *list, unsigned member)
{
	uint64_t bit = (uint64_t)1 << member;
	struct sublist_walk walk = { 0 };
	struct sublist_node *node;

	CHECK_OBJ(list, SUBLIST_MAGIC);
	CHECK(member < SUBLIST_MEMBERS_MAX);
	sublist_bury(list);
	while ((node = sublist_table_walk(&list->nodes, &walk)) != NULL) {
		struct sublist_queue *next;

		node->members &= ~bit;
		for (struct sublist_queue *queue = node->queues; queue != NULL; queue = next) {
			struct sublist_weight *weight = weight_find(queue, member);

			next = queue->next;
			if (weight == NULL)
				continue;
			weight_remove(list, queue, weight);
			sublist_queue_drop(list, queue);
			sublist_bury(list);
		}
		if (sublist_node_drop(list, node, true))
			walk.at--;
		sublist_bury(list);
	}
	sublist_table_settle(&list->nodes);
}
