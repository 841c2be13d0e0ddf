/*
 * Queue groups of one message: gathered by name over all patterns that match, and the draw of one receiver by weight over all
 * members of the mesh. Used by publish.c only. A subject may have very many groups: beyond a few they are found by a hash.
 */
#include <string.h>

#include "base/check.h"
#include "base/loop.h"
#include "base/map.h"
#include "base/memory.h"
#include "broker/broker_private.h"

#define GROUP_NONE UINT32_MAX

enum { GROUP_FEW = 16 /* so many are searched one by one */ };

static bool
group_room(struct broker *broker)
{
	struct broker_group *groups;
	struct broker_group_queue *queues;
	uint32_t size;

	if (broker->groups_count == broker->groups_size) {
		size = broker->groups_size == 0 ? 16 : broker->groups_size * 2;
		if ((groups = memory_realloc(broker->groups, size * sizeof(*groups))) == NULL)
			return false;
		broker->groups = groups;
		broker->groups_size = size;
	}
	if (broker->group_queues_count == broker->group_queues_size) {
		size = broker->group_queues_size == 0 ? 16 : broker->group_queues_size * 2;
		if ((queues = memory_realloc(broker->group_queues, size * sizeof(*queues))) == NULL)
			return false;
		broker->group_queues = queues;
		broker->group_queues_size = size;
	}
	return true;
}

static bool
group_is(const struct broker_group *group, const char *name, size_t n)
{
	return group->name->length == n && memcmp(group->name->text, name, n) == 0;
}

/* Slots of the hash: number of the group plus one, 0 free; open addressing. Where the name is or would be. */
static uint32_t *
group_slot(const struct broker *broker, const char *name, size_t n)
{
	uint32_t mask = broker->group_slots_size - 1, at = map_hash(name, n) & mask;

	while (broker->group_slots[at] != 0 && !group_is(&broker->groups[broker->group_slots[at] - 1], name, n))
		at = (at + 1) & mask;
	return &broker->group_slots[at];
}

/* Room for twice the groups there are. Without memory the search stays one by one. */
static void
group_index(struct broker *broker)
{
	uint32_t size = broker->group_slots_size == 0 ? GROUP_FEW * 4 : broker->group_slots_size, i;
	uint32_t *slots;

	while (size < broker->groups_count * 4)
		size *= 2;
	if (size != broker->group_slots_size) {
		if ((slots = memory_realloc(broker->group_slots, size * sizeof(*slots))) == NULL) {
			broker->group_indexed = false;
			return;
		}
		broker->group_slots = slots;
		broker->group_slots_size = size;
	}
	memset(broker->group_slots, 0, size * sizeof(*slots));
	for (i = 0; i < broker->groups_count; i++)
		*group_slot(broker, broker->groups[i].name->text, broker->groups[i].name->length) = i + 1;
	broker->group_indexed = true;
}

struct broker_group *
group_find(const struct broker *broker, const char *name, size_t n)
{
	uint32_t i;

	if (broker->group_indexed) {
		i = *group_slot(broker, name, n);
		return i == 0 ? NULL : &broker->groups[i - 1];
	}
	for (i = 0; i < broker->groups_count; i++)
		if (group_is(&broker->groups[i], name, n))
			return &broker->groups[i];
	return NULL;
}

static struct broker_group *
group_new(struct broker *broker, const struct sublist_name *name)
{
	struct broker_group *group = &broker->groups[broker->groups_count++];

	group->name = name;
	group->weight = 0;
	group->first_queue = GROUP_NONE;
	group->member = -1;
	if (broker->groups_count == GROUP_FEW || (broker->group_indexed && broker->groups_count * 2 > broker->group_slots_size))
		group_index(broker);
	else if (broker->group_indexed)
		*group_slot(broker, name->text, name->length) = broker->groups_count;
	return group;
}

/* Adds a pattern's queue group to the group of that name. */
static void
group_add(struct broker *broker, struct sublist_queue *queue)
{
	struct broker_group *group;

	if (!group_room(broker))
		return;
	if ((group = group_find(broker, queue->name->text, queue->name->length)) == NULL)
		group = group_new(broker, queue->name);
	CHECK(group->name == queue->name);
	group->weight += queue->local_count + queue->remote_weight;
	broker->group_queues[broker->group_queues_count].queue = queue;
	broker->group_queues[broker->group_queues_count].next = group->first_queue;
	group->first_queue = broker->group_queues_count++;
}

void
group_gather(struct broker *broker, const struct sublist_result *result)
{
	struct sublist_queue *queue;
	uint32_t i;

	broker->groups_count = broker->group_queues_count = 0;
	broker->group_indexed = false;
	for (i = 0; i < result->count; i++)
		for (queue = result->nodes[i]->queues; queue != NULL; queue = queue->next)
			group_add(broker, queue);
}

/* Some local subscription of the group, from the one at place start on. */
static bool
group_deliver_local(const struct broker *broker, const struct broker_group *group, uint64_t start, struct broker_message *message)
{
	const struct broker_group_queue *part;
	struct sublist_sub *const *subs;
	uint64_t total = 0, place, skipped;
	uint32_t i, at;

	for (i = group->first_queue; i != GROUP_NONE; i = broker->group_queues[i].next)
		total += broker->group_queues[i].queue->local_count;
	for (place = 0; place < total; place++) {
		skipped = (start + place) % total;
		for (at = group->first_queue; at != GROUP_NONE; at = part->next) {
			part = &broker->group_queues[at];
			if (skipped < part->queue->local_count) {
				subs = sublist_queue_subs(part->queue);
				if (broker->calls.deliver(broker->calls.arg, subs[skipped], message))
					return true;
				break;
			}
			skipped -= part->queue->local_count;
		}
	}
	return false;
}

/* The member at place among the weights of the other members, or -1. */
static int
group_remote_at(const struct broker *broker, const struct broker_group *group, uint64_t place)
{
	const struct sublist_queue *queue;
	uint32_t at, w;

	for (at = group->first_queue; at != GROUP_NONE; at = broker->group_queues[at].next) {
		queue = broker->group_queues[at].queue;
		for (w = 0; w < queue->weight_count; w++) {
			if (place < queue->weights[w].weight)
				return (int)queue->weights[w].member;
			place -= queue->weights[w].weight;
		}
	}
	return -1;
}

static uint64_t
group_local_weight(const struct broker *broker, const struct broker_group *group)
{
	uint64_t weight = 0;
	uint32_t at;

	for (at = group->first_queue; at != GROUP_NONE; at = broker->group_queues[at].next)
		weight += broker->group_queues[at].queue->local_count;
	return weight;
}

/* A member other than this one, by weight, into group->member; -1: nobody. */
void
group_draw_elsewhere(const struct broker *broker, struct broker_group *group)
{
	uint64_t remote = group->weight - group_local_weight(broker, group);

	group->member = remote == 0 ? -1 : group_remote_at(broker, group, random_fast() % remote);
	if (group->member >= 0 && !(broker->up & UINT64_C(1) << group->member))
		group->member = -1;
}

bool
group_deliver_here(const struct broker *broker, const struct broker_group *group, struct broker_message *message)
{
	uint64_t local = group_local_weight(broker, group);

	return local > 0 && group_deliver_local(broker, group, random_fast() % local, message);
}

unsigned
group_draw(const struct broker *broker, struct broker_group *group, struct broker_message *message)
{
	uint64_t local = group_local_weight(broker, group), place;

	CHECK(group->weight > 0);
	place = group->weight <= UINT32_MAX ? random_fast_below((uint32_t)group->weight) : random_fast() % group->weight;
	if (place < local && group_deliver_local(broker, group, place, message))
		return 1;
	group_draw_elsewhere(broker, group);
	if (group->member >= 0)
		return 1;
	return place >= local && local > 0 && group_deliver_local(broker, group, 0, message) ? 1 : 0;
}
