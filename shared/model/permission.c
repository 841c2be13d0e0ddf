/*
 * Decisions over permissions, see permission.h.
 *
 * Each list is a sublist of its entries, so a decision costs one match however long the lists are.  A match takes wildcards in the
 * subject asked for as literal tokens, as nats-server does; where a subscription must be a subset of what is allowed, the
 * matching entries are looked at once more.  Decisions about publishing and delivery are remembered in small caches per set.
 */
#include "model/permission_private.h"

#include "base/map.h"
#include "base/memory.h"
#include "model/subject.h"

struct permission_counters permission_totals;

/* Matches are short-lived and never nest, so one result serves all sets. */
static struct sublist_result matched;

const struct permission_counters *
permission_counters(void)
{
	return &permission_totals;
}

/* ---- caches ---- */

static uint32_t
cell_hash(const char *subject, size_t length, const char *queue, size_t queue_length)
{
	uint32_t hash = map_hash(subject, length);

	return queue_length > 0 ? hash * 31 + map_hash(queue, queue_length) : hash;
}

static bool
cell_same(
    const struct permission_cell *cell, uint32_t hash, const char *subject, size_t length, const char *queue, size_t queue_length)
{
	return cell->used && cell->hash == hash && cell->length == length && cell->queue_length == queue_length &&
	    memcmp(cell->text, subject, length) == 0 &&
	    (queue_length == 0 || memcmp(cell->text + length, queue, queue_length) == 0);
}

/* The cell for this question, or NULL when it cannot be remembered.  *known: it holds the answer. */
static struct permission_cell *
cell_for(struct permission_cell **cells, uint32_t size, const char *subject, size_t length, const char *queue, size_t queue_length,
    bool *known)
{
	struct permission_cell *cell;
	uint32_t hash;

	*known = false;
	if (length > sizeof(cell->text) || queue_length > sizeof(cell->text) - length)
		return NULL;
	if (*cells == NULL && (*cells = memory_array(size, sizeof(**cells))) == NULL)
		return NULL;
	hash = cell_hash(subject, length, queue, queue_length);
	cell = &(*cells)[hash & (size - 1)];
	*known = cell_same(cell, hash, subject, length, queue, queue_length);
	if (*known)
		return cell;
	cell->used = false;
	cell->hash = hash;
	cell->length = (uint8_t)length;
	cell->queue_length = (uint8_t)queue_length;
	if (length > 0)
		memcpy(cell->text, subject, length);
	if (queue_length > 0)
		memcpy(cell->text + length, queue, queue_length);
	return cell;
}

static bool
cell_learn(struct permission_cell *cell, bool verdict)
{
	if (cell != NULL) {
		cell->used = true;
		cell->verdict = verdict;
	}
	return verdict;
}

/* ---- publishing ---- */

static bool
publish_decide(struct permission_set *set, const char *subject, size_t length)
{
	struct permission_list *allow = &set->lists[PERMISSION_PUBLISH_ALLOW];
	struct permission_list *deny = &set->lists[PERMISSION_PUBLISH_DENY];

	if (allow->given && (allow->index == NULL || !sublist_has_interest(allow->index, subject, length)))
		return false;
	return deny->index == NULL || !sublist_has_interest(deny->index, subject, length);
}

bool
permission_publish(struct permission_set *set, const char *subject, size_t length)
{
	struct permission_cell *cell;
	bool known;

	if (set == NULL)
		return true;
	CHECK_OBJ(set, PERMISSION_MAGIC);
	if (!set->lists[PERMISSION_PUBLISH_ALLOW].given && !set->lists[PERMISSION_PUBLISH_DENY].given)
		return true;
	cell = cell_for(&set->publish_cells, PERMISSION_PUBLISH_CACHE, subject, length, NULL, 0, &known);
	if (known) {
		permission_totals.publish_hits++;
		return cell->verdict;
	}
	permission_totals.publish_misses++;
	return cell_learn(cell, publish_decide(set, subject, length));
}

bool
permission_publish_or_reply(
    struct permission_set *set, struct permission_replies *replies, const char *subject, size_t length, int64_t now)
{
	if (permission_publish(set, subject, length))
		return true;
	return replies != NULL && permission_replies_check(replies, set, subject, length, now);
}

/* ---- subscribing ---- */

static bool
queue_matches(const char *queue, size_t length, const struct sublist_name *name)
{
	if (name->length == length && memcmp(name->text, queue, length) == 0)
		return true;
	return subject_has_wildcard(name->text, name->length) && subject_is_subset(queue, length, name->text, name->length);
}

static bool
node_queue_matches(const struct sublist_node *node, const char *queue, size_t length)
{
	for (const struct sublist_queue *entry = node->queues; entry != NULL; entry = entry->next)
		if (queue_matches(queue, length, entry->name))
			return true;
	return false;
}

/* Queue entries that match decide for a queue subscription; an entry allows only what is a subset of it. */
static bool
subscribe_allowed(struct permission_list *allow, const char *subject, size_t length, const char *queue, size_t queue_length)
{
	bool plain = false, named = false;

	if (!allow->given)
		return true;
	if (allow->index == NULL || !sublist_match(allow->index, subject, length, &matched))
		return false;
	for (uint32_t i = 0; i < matched.count; i++) {
		const struct sublist_node *node = matched.nodes[i];

		if (!subject_is_subset(subject, length, node->subject, node->length))
			continue;
		plain = plain || node->plain_count > 0;
		named = named || (queue != NULL && node_queue_matches(node, queue, queue_length));
	}
	return queue != NULL && matched.any_queue ? named : plain;
}

/* The deny list for a subscription, and for a delivery: plain entries first, then queue entries. */
static bool
denied(struct permission_list *deny, const char *subject, size_t length, const char *queue, size_t queue_length)
{
	if (deny->index == NULL)
		return false;
	if (!sublist_match(deny->index, subject, length, &matched))
		return true;
	if (matched.plain_count > 0)
		return true;
	for (uint32_t i = 0; queue != NULL && i < matched.count; i++)
		if (node_queue_matches(matched.nodes[i], queue, queue_length))
			return true;
	return false;
}

bool
permission_subscribe(struct permission_set *set, const char *subject, size_t length, const char *queue, size_t queue_length)
{
	if (set == NULL)
		return true;
	CHECK_OBJ(set, PERMISSION_MAGIC);
	CHECK(queue == NULL || queue_length > 0);
	return subscribe_allowed(&set->lists[PERMISSION_SUBSCRIBE_ALLOW], subject, length, queue, queue_length) &&
	    !denied(&set->lists[PERMISSION_SUBSCRIBE_DENY], subject, length, queue, queue_length);
}

static bool
stop_at_first(void *arg, struct sublist_node *node)
{
	(void)node;
	*(bool *)arg = true;
	return false;
}

bool
permission_deny_on_delivery(struct permission_set *set, const char *subject, size_t length, const char *queue, size_t queue_length)
{
	struct permission_list *deny;
	bool overlaps = false;

	if (set == NULL)
		return false;
	CHECK_OBJ(set, PERMISSION_MAGIC);
	CHECK(queue == NULL || queue_length > 0);
	deny = &set->lists[PERMISSION_SUBSCRIBE_DENY];
	if (deny->index == NULL || (queue == NULL && !subject_has_wildcard(subject, length)))
		return false;
	sublist_reverse_match(deny->index, subject, length, stop_at_first, &overlaps);
	return overlaps;
}

bool
permission_delivery_denied(struct permission_set *set, const char *subject, size_t length, const char *queue, size_t queue_length)
{
	struct permission_list *deny;
	struct permission_cell *cell;
	bool known;

	if (set == NULL)
		return false;
	CHECK_OBJ(set, PERMISSION_MAGIC);
	CHECK(queue == NULL || queue_length > 0);
	deny = &set->lists[PERMISSION_SUBSCRIBE_DENY];
	if (deny->index == NULL)
		return false;
	cell = cell_for(&set->deny_cells, PERMISSION_DENY_CACHE, subject, length, queue, queue_length, &known);
	if (known) {
		permission_totals.deny_hits++;
		return cell->verdict;
	}
	permission_totals.deny_misses++;
	return cell_learn(cell, denied(deny, subject, length, queue, queue_length));
}
