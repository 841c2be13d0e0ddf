/*
 * Tracked replies of allow_responses, per connection: a table by subject and a queue by age.  See permission.h.
 *
 * nats-server leaves a reply whose answers are spent in its map until the next pruning; here it goes at once, which cannot be told
 * apart from outside, and keeps the queue ordered by age alone.
 */
#include "model/permission_private.h"

#include "base/map.h"
#include "base/memory.h"
#include "model/sublist_slab.h"
#include "model/sublist_table.h"

#define REPLIES_MAGIC 0x9e91e555U
#define PRUNE_INTERVAL (1000LL * 1000 * 1000)

struct reply {
	uint32_t hash;
	uint32_t length;
	struct reply *older;
	struct reply *newer;
	int64_t added;
	uint32_t spent;
	char subject[];
};

struct permission_replies {
	uint32_t magic;
	uint32_t added_since_prune;
	struct sublist_table table;
	struct reply *oldest;
	struct reply *newest;
	int64_t pruned;
};

struct reply_key {
	const char *subject;
	size_t length;
};

static bool
reply_same(const void *object, const void *key)
{
	const struct reply *reply = object;
	const struct reply_key *want = key;

	return reply->length == want->length && memcmp(reply->subject, want->subject, want->length) == 0;
}

static struct reply *
reply_find(const struct permission_replies *replies, const char *subject, size_t length, uint32_t hash)
{
	struct reply_key key = { subject, length };

	return sublist_table_find(&replies->table, hash, reply_same, &key);
}

struct permission_replies *
permission_replies_create(void)
{
	struct permission_replies *replies = memory_zalloc(sizeof(*replies));

	if (replies != NULL)
		replies->magic = REPLIES_MAGIC;
	return replies;
}

static void
reply_drop(struct permission_replies *replies, struct reply *reply)
{
	if (reply->older != NULL)
		reply->older->newer = reply->newer;
	else
		replies->oldest = reply->newer;
	if (reply->newer != NULL)
		reply->newer->older = reply->older;
	else
		replies->newest = reply->older;
	sublist_table_remove(&replies->table, reply);
	sublist_slab_free(reply, sizeof(*reply) + reply->length);
	CHECK(permission_totals.replies > 0);
	permission_totals.replies--;
}

void
permission_replies_free(struct permission_replies *replies)
{
	if (replies == NULL)
		return;
	CHECK_OBJ(replies, REPLIES_MAGIC);
	while (replies->oldest != NULL)
		reply_drop(replies, replies->oldest);
	CHECK(sublist_table_count(&replies->table) == 0);
	replies->magic = 0;
	memory_free(replies);
}

size_t
permission_replies_count(const struct permission_replies *replies)
{
	CHECK_OBJ(replies, REPLIES_MAGIC);
	return sublist_table_count(&replies->table);
}

static bool
reply_expired(const struct reply *reply, const struct permission_set *set, int64_t now)
{
	return set->responses_ttl > 0 && now - reply->added > set->responses_ttl;
}

bool
permission_replies_check(
    struct permission_replies *replies, const struct permission_set *set, const char *subject, size_t length, int64_t now)
{
	struct reply *reply;
	bool allowed;

	CHECK_OBJ(replies, REPLIES_MAGIC);
	if (set == NULL || !set->responses)
		return false;
	CHECK_OBJ(set, PERMISSION_MAGIC);
	reply = reply_find(replies, subject, length, map_hash(subject, length));
	if (reply == NULL)
		return false;
	allowed = !reply_expired(reply, set, now);
	reply->spent++;
	if (!allowed || (set->responses_max > 0 && reply->spent >= (uint32_t)set->responses_max))
		reply_drop(replies, reply);
	return allowed;
}

static void
reply_track(struct permission_replies *replies, const char *subject, size_t length, int64_t now)
{
	uint32_t hash = map_hash(subject, length);
	struct reply *reply;

	CHECK(reply_find(replies, subject, length, hash) == NULL);
	reply = sublist_slab_alloc(sizeof(*reply) + length);
	if (reply == NULL)
		return;
	reply->hash = hash;
	reply->length = (uint32_t)length;
	reply->added = now;
	reply->spent = 0;
	memcpy(reply->subject, subject, length);
	if (!sublist_table_insert(&replies->table, reply)) {
		sublist_slab_free(reply, sizeof(*reply) + length);
		return;
	}
	reply->newer = NULL;
	reply->older = replies->newest;
	if (reply->older != NULL)
		reply->older->newer = reply;
	else
		replies->oldest = reply;
	replies->newest = reply;
	permission_totals.replies++;
	replies->added_since_prune++;
}

void
permission_replies_add(
    struct permission_replies *replies, struct permission_set *set, const char *reply, size_t length, int64_t now)
{
	CHECK_OBJ(replies, REPLIES_MAGIC);
	if (length == 0 || length > SUBLIST_SUBJECT_MAX || set == NULL || !set->responses)
		return;
	if (permission_publish_or_reply(set, replies, reply, length, now))
		return;
	if (sublist_table_count(&replies->table) >= PERMISSION_REPLIES_MAX) {
		reply_drop(replies, replies->oldest);
		permission_totals.replies_dropped++;
	}
	reply_track(replies, reply, length, now);
	if (replies->added_since_prune > PERMISSION_REPLIES_PRUNE || now - replies->pruned > PRUNE_INTERVAL)
		permission_replies_prune(replies, set, now);
}

void
permission_replies_prune(struct permission_replies *replies, const struct permission_set *set, int64_t now)
{
	CHECK_OBJ(replies, REPLIES_MAGIC);
	replies->added_since_prune = 0;
	replies->pruned = now;
	if (set == NULL || !set->responses)
		return;
	while (replies->oldest != NULL && reply_expired(replies->oldest, set, now))
		reply_drop(replies, replies->oldest);
}
