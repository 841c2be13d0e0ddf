/*
 * Who wants what: accounts, subscriptions of this member, interest of the others. See broker.h.
 * Interest travels in the rings like messages do, so it keeps its order with them.
 */
#include <sys/uio.h>

#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/memory.h"
#include "broker/broker_private.h"

struct broker *
broker_create(struct mesh *mesh, const struct broker_calls *calls, bool cached)
{
	struct broker *broker;

	CHECK(calls->deliver != NULL);
	CHECK(calls->granted != NULL);
	if ((broker = memory_zalloc(sizeof(*broker))) == NULL)
		return NULL;
	broker->magic = BROKER_MAGIC;
	broker->mesh = mesh;
	broker->calls = *calls;
	broker->cached = cached;
	broker->self = mesh->member;
	if (!match_create(broker)) {
		memory_free(broker);
		return NULL;
	}
	CHECK(broker->self < MESH_MEMBERS_MAX);
	return broker;
}

void
broker_free(struct broker *broker)
{
	uint32_t i;

	if (broker == NULL)
		return;
	CHECK_OBJ(broker, BROKER_MAGIC);
	for (i = 0; i < broker->accounts_size; i++)
		if (broker->accounts[i] != NULL) {
			sublist_free(broker->accounts[i]->list);
			memory_free(broker->accounts[i]);
		}
	match_free(broker);
	memory_free(broker->accounts);
	memory_free(broker->groups);
	memory_free(broker->group_queues);
	memory_free(broker->group_slots);
	sublist_result_free(&broker->result);
	sublist_result_free(&broker->found);
	broker->magic = 0;
	memory_free(broker);
}

static bool
broker_accounts_grow(struct broker *broker, uint32_t number)
{
	struct broker_account **accounts;
	uint32_t size = broker->accounts_size == 0 ? 16 : broker->accounts_size;

	while (size <= number)
		size *= 2;
	if ((accounts = memory_realloc(broker->accounts, size * sizeof(*accounts))) == NULL)
		return false;
	memset(accounts + broker->accounts_size, 0, (size - broker->accounts_size) * sizeof(*accounts));
	broker->accounts = accounts;
	broker->accounts_size = size;
	return true;
}

struct broker_account *
broker_account(struct broker *broker, uint32_t number)
{
	struct broker_account *account;

	CHECK_OBJ(broker, BROKER_MAGIC);
	if (number < broker->accounts_size && broker->accounts[number] != NULL)
		return broker->accounts[number];
	if (number == 0 || number >= BROKER_ACCOUNTS_MAX)
		return NULL;
	if (number >= broker->accounts_size && !broker_accounts_grow(broker, number))
		return NULL;
	if ((account = memory_zalloc(sizeof(*account))) == NULL)
		return NULL;
	account->number = number;
	if ((account->list = sublist_create(broker->cached)) == NULL) {
		memory_free(account);
		return NULL;
	}
	broker->accounts[number] = account;
	return account;
}

void
broker_grant(struct broker *broker, uint32_t number, unsigned member)
{
	struct broker_account *account;

	CHECK(member < MESH_MEMBERS_MAX);
	if ((account = broker_account(broker, number)) != NULL)
		account->granted |= UINT64_C(1) << member;
}

static struct broker_account *
broker_granted_now(const struct broker *broker, uint32_t number, unsigned member)
{
	struct broker_account *account = number < broker->accounts_size ? broker->accounts[number] : NULL;

	return account != NULL && (account->granted & UINT64_C(1) << member) ? account : NULL;
}

struct broker_account *
broker_granted(struct broker *broker, uint32_t number, unsigned member)
{
	struct broker_account *account = broker_granted_now(broker, number, member);

	if (account == NULL && broker->calls.granted(broker->calls.arg, member, number))
		account = broker_granted_now(broker, number, member);
	return account;
}

/* A subject too long for one record of a small ring. */
static void
interest_tell_long(
    struct broker *broker, unsigned member, const struct broker_interest *interest, const char *subject, const char *queue)
{
	struct iovec pieces[] = {
		{ (void *)(uintptr_t)interest, sizeof(*interest) },
		{ (void *)(uintptr_t)subject, interest->subject_length },
		{ (void *)(uintptr_t)queue, interest->queue_length },
	};

	CHECK(mesh_put_large(broker->mesh, member, BROKER_RECORD_INTEREST, pieces, interest->queue_length > 0 ? 3 : 2));
}

/* Tells one member; without memory for that the promise to subscribers could not be kept, so the process gives up. */
static void
interest_tell(struct broker *broker, unsigned member, uint32_t account, const char *subject, size_t subject_length,
    const char *queue, size_t queue_length, uint32_t weight)
{
	struct broker_interest interest;
	size_t size = sizeof(interest) + subject_length + queue_length;
	uint8_t *body;

	CHECK(member != broker->self);
	interest.account = account;
	interest.weight = weight;
	interest.subject_length = (uint32_t)subject_length;
	interest.queue_length = (uint32_t)queue_length;
	if (__builtin_expect(size > mesh_record_max(broker->mesh), 0))
		interest_tell_long(broker, member, &interest, subject, queue);
	else {
		body = mesh_put_standing(broker->mesh, member, BROKER_RECORD_INTEREST, size);
		CHECK(body != NULL);
		memcpy(body, &interest, sizeof(interest));
		memcpy(body + sizeof(interest), subject, subject_length);
		if (queue_length > 0)
			memcpy(body + sizeof(interest) + subject_length, queue, queue_length);
	}
	broker->position = mesh_position(broker->mesh, member);
}

static void
interest_changed(struct broker *broker, uint32_t account, const struct sublist_change *change)
{
	uint64_t members;
	uint32_t weight = change->local;

	if (change->queue == NULL) {
		if (!change->edge)
			return;
		weight = change->local > 0 ? 1 : 0;
	}
	for (members = broker->up; members != 0; members &= members - 1)
		interest_tell(broker, (unsigned)__builtin_ctzll(members), account, change->subject, change->subject_length,
		    change->queue, change->queue_length, weight);
}

enum sublist_status
broker_subscribe(struct broker *broker, struct broker_account *account, const char *subject, size_t n, const char *queue,
    size_t queue_length, struct sublist_sub *sub)
{
	struct sublist_change change;
	enum sublist_status status;

	CHECK_OBJ(broker, BROKER_MAGIC);
	if (n > BROKER_SUBJECT_MAX || queue_length > BROKER_QUEUE_MAX)
		return SUBLIST_INVALID;
	account->changes++;
	status = sublist_insert(account->list, subject, n, queue, queue_length, sub, &change);
	if (status == SUBLIST_OK)
		interest_changed(broker, account->number, &change);
	return status;
}

void
broker_unsubscribe(struct broker *broker, struct broker_account *account, struct sublist_sub *sub)
{
	struct sublist_change change;

	CHECK_OBJ(broker, BROKER_MAGIC);
	account->changes++;
	sublist_remove(account->list, sub, &change);
	interest_changed(broker, account->number, &change);
}

bool
broker_settled(struct broker *broker)
{
	return mesh_reached_all(broker->mesh, broker->position);
}

uint64_t
broker_position(const struct broker *broker)
{
	return broker->position;
}

bool
interest_record(struct broker *broker, unsigned member, const uint8_t *body, size_t length)
{
	struct broker_interest interest;
	struct broker_account *account;
	const char *subject, *queue;
	enum sublist_status status;
	size_t total;

	if (length < sizeof(interest))
		return false;
	memcpy(&interest, body, sizeof(interest));
	if (!bytes_add(sizeof(interest) + (size_t)interest.subject_length, interest.queue_length, &total) || total != length)
		return false;
	if (interest.subject_length == 0 || interest.subject_length > BROKER_SUBJECT_MAX ||
	    interest.queue_length > BROKER_QUEUE_MAX)
		return false;
	if ((account = broker_granted(broker, interest.account, member)) == NULL)
		return false;
	subject = (const char *)body + sizeof(interest);
	queue = subject + interest.subject_length;
	if (!broker_text_safe(subject, interest.subject_length) || !broker_text_safe(queue, interest.queue_length))
		return false;
	account->changes++;
	if (interest.queue_length > 0)
		status = sublist_remote_queue(
		    account->list, subject, interest.subject_length, queue, interest.queue_length, member, interest.weight);
	else if (interest.weight > 0)
		status = sublist_remote_add(account->list, subject, interest.subject_length, member);
	else
		status = sublist_remote_remove(account->list, subject, interest.subject_length, member);
	CHECK(status != SUBLIST_NO_MEMORY); /* without it the interest map would lie: start anew */
	return status == SUBLIST_OK;
}

struct interest_walk {
	struct broker *broker;
	uint32_t account;
	unsigned member;
};

static bool
interest_tell_node(void *arg, struct sublist_node *node)
{
	struct interest_walk *walk = arg;
	struct sublist_queue *queue;

	if (node->plain_count > 0)
		interest_tell(walk->broker, walk->member, walk->account, node->subject, node->length, NULL, 0, 1);
	for (queue = node->queues; queue != NULL; queue = queue->next)
		if (queue->local_count > 0)
			interest_tell(walk->broker, walk->member, walk->account, node->subject, node->length, queue->name->text,
			    queue->name->length, queue->local_count);
	return true;
}

void
broker_peer_up(struct broker *broker, unsigned member)
{
	struct interest_walk walk = { broker, 0, member };
	uint32_t i;

	CHECK(member < MESH_MEMBERS_MAX);
	CHECK(member != broker->self);
	broker->up |= UINT64_C(1) << member;
	broker->synced &= ~(UINT64_C(1) << member);
	for (i = 0; i < broker->accounts_size; i++)
		if (broker->accounts[i] != NULL) {
			walk.account = i;
			sublist_all(broker->accounts[i]->list, interest_tell_node, &walk);
		}
	/* It wakes its reader, who waits for it; where the queue is beyond its limit, what comes out of it wakes anyway. */
	CHECK(mesh_put(broker->mesh, member, BROKER_RECORD_SYNCED, 0) != NULL ||
	    mesh_put_standing(broker->mesh, member, BROKER_RECORD_SYNCED, 0) != NULL);
}

void
broker_peer_down(struct broker *broker, unsigned member)
{
	uint32_t i;

	CHECK(member < MESH_MEMBERS_MAX);
	broker->up &= ~(UINT64_C(1) << member);
	broker->synced &= ~(UINT64_C(1) << member);
	for (i = 0; i < broker->accounts_size; i++)
		if (broker->accounts[i] != NULL) {
			broker->accounts[i]->changes++;
			sublist_member_down(broker->accounts[i]->list, member);
		}
}

bool
broker_is_synced(const struct broker *broker)
{
	return (broker->up & ~broker->synced) == 0;
}

uint64_t
broker_subscriptions(const struct broker *broker)
{
	uint64_t count = 0;
	uint32_t i;

	for (i = 0; i < broker->accounts_size; i++)
		if (broker->accounts[i] != NULL)
			count += sublist_count(broker->accounts[i]->list);
	return count;
}

void
broker_each_account(struct broker *broker, void (*each)(void *arg, struct broker_account *), void *arg)
{
	uint32_t i;

	for (i = 0; i < broker->accounts_size; i++)
		if (broker->accounts[i] != NULL)
			each(arg, broker->accounts[i]);
}

bool
broker_record(struct broker *broker, unsigned member, uint16_t kind, const uint8_t *body, size_t length, struct blob *blob)
{
	struct broker_stall_record stall;

	CHECK_OBJ(broker, BROKER_MAGIC);
	CHECK(member < MESH_MEMBERS_MAX);
	switch ((enum broker_record)kind) {
	case BROKER_RECORD_MESSAGE: return publish_record(broker, member, body, length, blob);
	case BROKER_RECORD_INTEREST: return interest_record(broker, member, body, length);
	case BROKER_RECORD_SYNCED:
		if (length != 0 || (broker->synced & UINT64_C(1) << member))
			return false;
		broker->synced |= UINT64_C(1) << member;
		if (broker_is_synced(broker) && broker->calls.synced != NULL)
			broker->calls.synced(broker->calls.arg);
		return true;
	case BROKER_RECORD_STALL:
		if (length != sizeof(stall))
			return false;
		memcpy(&stall, body, sizeof(stall));
		broker->calls.stall(broker->calls.arg, stall.index, stall.generation);
		return true;
	}
	return false;
}
