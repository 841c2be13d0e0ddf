/*
 * The publish engine: one match, then local receivers, one record for each other member, one draw per queue group.
 * See broker.h; the layout of the record is in broker_private.h.
 */
#include <sys/uio.h>

#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/text.h"
#include "broker/broker_private.h"

bool
broker_message_keep(struct broker_message *message)
{
	struct blob *blob;

	if (message->blob != NULL)
		return true;
	if ((blob = blob_create(message->total_size)) == NULL)
		return false;
	memcpy(blob->data, message->payload, message->total_size);
	message->blob = blob;
	message->blob_offset = 0;
	message->payload = blob->data;
	return true;
}

static uint8_t *
publish_append(uint8_t *to, const void *from, size_t n)
{
	memcpy(to, from, n);
	return to + n;
}

/* The names of the queue groups that the member delivers for. */
static uint8_t *
publish_queue_names(const struct broker *broker, unsigned member, struct broker_envelope *envelope, uint8_t *at)
{
	const struct broker_group *group;
	uint16_t length;
	uint32_t i;

	for (i = 0; i < broker->groups_count; i++) {
		group = &broker->groups[i];
		if (group->member != (int)member)
			continue;
		length = (uint16_t)group->name->length;
		at = publish_append(at, &length, sizeof(length));
		at = publish_append(at, group->name->text, length);
		envelope->queues++;
		envelope->queues_length += (uint32_t)(sizeof(length) + length);
	}
	return at;
}

/* Record pieces before the payload, written in place (to is aligned to 8). Returns the bytes put at to. */
static size_t
publish_envelope(const struct broker *broker, const struct broker_account *account, const struct broker_message *message,
    unsigned member, bool plain, unsigned hops, uint8_t *to)
{
	struct broker_envelope *envelope = (void *)to;
	uint8_t *at = to + sizeof(*envelope);

	envelope->account = account->number;
	envelope->origin_index = message->origin_index;
	envelope->origin_generation = message->origin_generation;
	envelope->header_size = message->header_size;
	envelope->total_size = message->total_size;
	envelope->queues_length = 0;
	envelope->subject_length = message->subject_length;
	envelope->reply_length = message->reply == NULL ? 0 : message->reply_length;
	envelope->queues = 0;
	envelope->header_text_length = message->header_text == NULL ? 0 : message->header_text_length;
	envelope->size_text_length = message->size_text_length;
	envelope->plain = plain ? 1 : 0;
	envelope->hops = (uint8_t)hops;
	envelope->origin_member = (uint8_t)message->origin_member;
	memset(envelope->zero, 0, sizeof(envelope->zero));
	at = publish_append(at, message->subject, message->subject_length);
	if (message->reply != NULL)
		at = publish_append(at, message->reply, message->reply_length);
	if (message->header_text != NULL)
		at = publish_append(at, message->header_text, message->header_text_length);
	at = publish_append(at, message->size_text, message->size_text_length);
	if (broker->groups_count > 0)
		at = publish_queue_names(broker, member, envelope, at);
	return (size_t)(at - to);
}

static size_t
publish_envelope_size(const struct broker *broker, const struct broker_message *message, unsigned member)
{
	size_t size = sizeof(struct broker_envelope) + message->subject_length + message->size_text_length;
	uint32_t i;

	if (message->reply != NULL)
		size += message->reply_length;
	if (message->header_text != NULL)
		size += message->header_text_length;
	for (i = 0; i < broker->groups_count; i++)
		if (broker->groups[i].member == (int)member)
			size += sizeof(uint16_t) + broker->groups[i].name->length;
	return size;
}

/* One record to another member, in fragments where it is large. */
static bool
publish_send(struct broker *broker, const struct broker_account *account, const struct broker_message *message, unsigned member,
    bool plain, unsigned hops)
{
	size_t head = publish_envelope_size(broker, message, member), put;
	struct iovec pieces[2];
	struct blob *blob;
	uint8_t *body;
	bool sent;

	if (head + message->total_size <= mesh_record_max(broker->mesh)) {
		if ((body = mesh_put(broker->mesh, member, BROKER_RECORD_MESSAGE, head + message->total_size)) == NULL)
			return false;
		put = publish_envelope(broker, account, message, member, plain, hops, body);
		CHECK(put == head);
		memcpy(body + put, message->payload, message->total_size);
		return true;
	}
	if (head + message->total_size > MESH_LARGE_MAX || (blob = blob_create(head)) == NULL)
		return false;
	put = publish_envelope(broker, account, message, member, plain, hops, blob->data);
	CHECK(put == head);
	pieces[0].iov_base = blob->data;
	pieces[0].iov_len = head;
	pieces[1].iov_base = (void *)(uintptr_t)message->payload;
	pieces[1].iov_len = message->total_size;
	sent = mesh_put_large(broker->mesh, member, BROKER_RECORD_MESSAGE, pieces, 2);
	blob_release(blob);
	return sent;
}

static unsigned
publish_plain_local(struct broker *broker, const struct sublist_result *result, struct broker_message *message)
{
	struct sublist_sub *const *subs;
	unsigned delivered = 0;
	uint32_t i, s, count;

	for (i = 0; i < result->count; i++) {
		subs = sublist_node_subs(result->nodes[i]);
		count = result->nodes[i]->plain_count;
		for (s = 0; s < count; s++)
			delivered += broker->calls.deliver(broker->calls.arg, subs[s], message) ? 1 : 0;
	}
	return delivered;
}

static void
publish_release(struct broker_message *message, struct blob *given)
{
	if (message->blob != NULL && message->blob != given) {
		blob_release(message->blob);
		message->blob = NULL;
	}
}

unsigned
broker_publish(struct broker *broker, struct broker_account *account, struct broker_message *message)
{
	const struct sublist_result *result = match_known(broker, account, message->subject, message->subject_length);
	struct blob *given = message->blob;
	uint64_t members, plain;
	unsigned delivered = 0, member;
	uint32_t i;

	CHECK_OBJ(broker, BROKER_MAGIC);
	if (result == NULL) {
		/* What no other member would take goes nowhere: a subject without interest is here too. */
		if (message->subject_length > BROKER_SUBJECT_MAX)
			return 0;
		result = match_look(broker, account, message->subject, message->subject_length);
	}
	if (result->count == 0 || message->reply_length > BROKER_SUBJECT_MAX)
		return 0;
	if (result->plain_count > 0)
		delivered = publish_plain_local(broker, result, message);
	broker->groups_count = 0;
	plain = members = result->members & broker->up;
	if (result->any_queue) {
		group_gather(broker, result);
		for (i = 0; i < broker->groups_count; i++) {
			delivered += group_draw(broker, &broker->groups[i], message);
			if (broker->groups[i].member >= 0)
				members |= UINT64_C(1) << broker->groups[i].member;
		}
	}
	for (; members != 0; members &= members - 1) {
		member = (unsigned)__builtin_ctzll(members);
		if (publish_send(broker, account, message, member, (plain >> member & 1) != 0, 0) && (plain >> member & 1))
			delivered++;
	}
	publish_release(message, given);
	return delivered;
}

struct sublist_sub *
broker_find(struct broker *broker, struct broker_account *account, const char *subject, size_t n,
    bool (*wanted)(void *arg, const struct sublist_sub *), void *arg)
{
	struct sublist_sub *const *subs;
	uint32_t i, s;

	(void)sublist_match(account->list, subject, n, &broker->found);
	for (i = 0; i < broker->found.count; i++) {
		subs = sublist_node_subs(broker->found.nodes[i]);
		for (s = 0; s < broker->found.nodes[i]->plain_count; s++)
			if (wanted(arg, subs[s]))
				return subs[s];
	}
	return NULL;
}

void
broker_stall(struct broker *broker, const struct broker_message *message)
{
	struct broker_stall_record stall = { message->origin_index, message->origin_generation };
	uint8_t *body;

	if (!(broker->up & UINT64_C(1) << message->origin_member) || message->passed_on)
		return; /* a record that was passed on names its publisher only by hearsay */
	if ((body = mesh_put(broker->mesh, message->origin_member, BROKER_RECORD_STALL, sizeof(stall))) != NULL)
		memcpy(body, &stall, sizeof(stall));
}

/* ---- a record from another member ---- */

struct publish_queues {
	const uint8_t *names; /* u16 length and bytes each */
	size_t length;
	uint32_t count;
};

/* The size as text must say what the record's size field says, or the receivers' streams would be torn. */
static bool
publish_size_agrees(const char *text, size_t n, uint32_t size)
{
	uint64_t value;

	return n <= 20 && text_parse_u64(text, n, &value) && value == size;
}

/* As many names as there should be, each of a length that a name has. */
static bool
publish_queues_valid(const struct publish_queues *queues)
{
	struct bytes_reader reader;
	uint16_t length;
	uint32_t q;

	if (queues->count == 0)
		return queues->length == 0;
	bytes_reader_init(&reader, queues->names, queues->length);
	for (q = 0; q < queues->count && !reader.failed; q++) {
		length = bytes_u16(&reader);
		if (bytes_data(&reader, length) == NULL || length == 0 || length > BROKER_QUEUE_MAX)
			return false;
	}
	return bytes_done(&reader);
}

/* Takes the record apart; every length is checked against what there is. */
static bool
publish_parse(const uint8_t *body, size_t length, struct broker_envelope *envelope, struct broker_message *message,
    struct publish_queues *queues)
{
	struct bytes_reader reader;
	const uint8_t *at;

	bytes_reader_init(&reader, body, length);
	if ((at = bytes_data(&reader, sizeof(*envelope))) == NULL)
		return false;
	memcpy(envelope, at, sizeof(*envelope));
	message->blob = NULL;
	message->blob_offset = 0;
	message->origin = NULL;
	message->subject = (const char *)bytes_data(&reader, envelope->subject_length);
	message->reply = envelope->reply_length == 0 ? NULL : (const char *)bytes_data(&reader, envelope->reply_length);
	message->header_text =
	    envelope->header_text_length == 0 ? NULL : (const char *)bytes_data(&reader, envelope->header_text_length);
	message->size_text = (const char *)bytes_data(&reader, envelope->size_text_length);
	queues->names = bytes_data(&reader, envelope->queues_length);
	queues->length = envelope->queues_length;
	queues->count = envelope->queues;
	message->payload = bytes_data(&reader, envelope->total_size);
	if (!bytes_done(&reader) || envelope->subject_length == 0 || envelope->subject_length > BROKER_SUBJECT_MAX)
		return false;
	message->subject_length = envelope->subject_length;
	message->reply_length = envelope->reply_length;
	message->header_text_length = envelope->header_text_length;
	message->size_text_length = envelope->size_text_length;
	message->header_size = envelope->header_size;
	message->total_size = envelope->total_size;
	message->origin_index = envelope->origin_index;
	message->origin_generation = envelope->origin_generation;
	if (envelope->reply_length > BROKER_SUBJECT_MAX || envelope->header_size > envelope->total_size ||
	    (envelope->header_size > 0) != (message->header_text != NULL) || envelope->plain > 1 ||
	    envelope->hops > BROKER_HOPS_MAX || envelope->origin_member >= MESH_MEMBERS_MAX)
		return false;
	if (!publish_size_agrees(message->size_text, message->size_text_length, message->total_size) ||
	    (message->header_text != NULL &&
		!publish_size_agrees(message->header_text, message->header_text_length, message->header_size)))
		return false;
	if (!publish_queues_valid(queues))
		return false;
	return message->reply == NULL || broker_text_safe(message->reply, message->reply_length);
}

/* A queue group drawn for us: one local member of it, or, where they have all gone meanwhile, one elsewhere. */
static void
publish_queue_here(struct broker *broker, struct broker_account *account, struct broker_message *message,
    struct broker_group *group, unsigned hops)
{
	if (group_deliver_here(broker, group, message) || hops >= BROKER_HOPS_MAX)
		return;
	group_draw_elsewhere(broker, group);
	if (group->member >= 0)
		(void)publish_send(broker, account, message, (unsigned)group->member, false, hops + 1);
	group->member = -1;
}

static void
publish_queues_here(struct broker *broker, struct broker_account *account, struct broker_message *message,
    const struct sublist_result *result, const struct publish_queues *queues, unsigned hops)
{
	struct bytes_reader reader;
	struct broker_group *group;
	const uint8_t *name;
	uint16_t length;
	uint32_t q;

	group_gather(broker, result);
	bytes_reader_init(&reader, queues->names, queues->length);
	for (q = 0; q < queues->count; q++) {
		length = bytes_u16(&reader);
		name = bytes_data(&reader, length);
		if ((group = group_find(broker, (const char *)name, length)) != NULL)
			publish_queue_here(broker, account, message, group, hops);
	}
}

bool
publish_record(struct broker *broker, unsigned member, const uint8_t *body, size_t length, struct blob *blob)
{
	UNINITIALIZED struct broker_envelope envelope;
	UNINITIALIZED struct broker_message message;
	struct broker_account *account;
	struct publish_queues queues;
	const struct sublist_result *result;

	if (!publish_parse(body, length, &envelope, &message, &queues))
		return false;
	if ((account = broker_granted(broker, envelope.account, member)) == NULL)
		return false;
	message.origin_member = envelope.hops == 0 ? member : envelope.origin_member;
	message.passed_on = envelope.hops > 0;
	if (blob != NULL) {
		message.blob = blob;
		message.blob_offset = (uint32_t)(message.payload - blob->data);
	}
	result = match_known(broker, account, message.subject, message.subject_length);
	if (result == NULL) {
		if (!broker_text_safe(message.subject, message.subject_length))
			return false;
		result = match_look(broker, account, message.subject, message.subject_length);
	}
	if (envelope.plain && result->plain_count > 0)
		(void)publish_plain_local(broker, result, &message);
	if (queues.count > 0)
		publish_queues_here(broker, account, &message, result, &queues, envelope.hops);
	publish_release(&message, blob);
	return true;
}
