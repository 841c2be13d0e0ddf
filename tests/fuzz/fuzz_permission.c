/*
 * Fuzz target for permission sets: bytes as a worker gets them from another process.  What decodes must encode to the same bytes,
 * give the shared set the second time, and answer questions (made from the rest of the input) the same way from its caches; a
 * subscription that is allowed must be one whose every allow entry's rule holds.
 */
#include <stdlib.h>

#include "base/bytes.h"
#include "model/permission.h"
#include "model/subject.h"

#define QUESTION_MAX 24

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
encodes_to(const struct permission_set *set, const uint8_t *bytes, size_t size)
{
	struct bytes_writer writer;
	uint8_t *to = malloc(size + 1);

	CHECK(to != NULL);
	CHECK(permission_set_size(set) == size);
	bytes_writer_init(&writer, to, size);
	permission_set_encode(set, &writer);
	CHECK(!writer.failed && bytes_written(&writer) == size && memcmp(to, bytes, size) == 0);
	free(to);
}

/* Some entry of the list has this as a subset of its subject; with queue NULL only entries without one count. */
static bool
inside(const struct permission_set *set, enum permission_kind kind, const char *subject, size_t length, const char *queue)
{
	for (size_t i = 0; i < permission_set_count(set, kind); i++) {
		const char *entry, *entry_queue;
		size_t entry_length, queue_length;

		permission_set_entry(set, kind, i, &entry, &entry_length, &entry_queue, &queue_length);
		if (entry_queue != NULL && queue == NULL)
			continue;
		if (subject_is_subset(subject, length, entry, entry_length))
			return true;
	}
	return permission_set_count(set, kind) == 0;
}

static void
ask(struct permission_set *set, struct permission_replies *replies, const char *subject, size_t length, size_t queue_length,
    int64_t now)
{
	const char *queue = queue_length > 0 ? subject : NULL;
	bool publish = permission_publish(set, subject, length);
	bool denied = permission_delivery_denied(set, subject, length, queue, queue_length);

	CHECK(permission_publish(set, subject, length) == publish);
	CHECK(permission_delivery_denied(set, subject, length, queue, queue_length) == denied);
	if (permission_subscribe(set, subject, length, queue, queue_length)) {
		CHECK(inside(set, PERMISSION_SUBSCRIBE_ALLOW, subject, length, queue));
		CHECK(!denied);
	}
	(void)permission_deny_on_delivery(set, subject, length, queue, queue_length);
	permission_replies_add(replies, set, subject, length, now);
	(void)permission_publish_or_reply(set, replies, subject, length, now + 1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct permission_replies *replies = permission_replies_create();
	struct permission_set *set, *again;
	struct bytes_reader reader, second;
	int64_t now = 0;

	CHECK(replies != NULL);
	bytes_reader_init(&reader, data, size);
	set = permission_set_decode(&reader);
	if (set == NULL)
		CHECK(reader.failed);
	else
		encodes_to(set, data, (size_t)(reader.at - data));
	bytes_reader_init(&second, data, size);
	again = permission_set_decode(&second);
	CHECK(again == set);
	permission_set_release(again);
	while (set != NULL && bytes_left(&reader) > 0) {
		size_t length = bytes_u8(&reader) % QUESTION_MAX;
		const char *subject;

		if (length > bytes_left(&reader))
			length = bytes_left(&reader);
		subject = (const char *)bytes_data(&reader, length);
		now += (int64_t)length * 100 * 1000 * 1000;
		ask(set, replies, subject, length, length > 4 ? length % 5 : 0, now);
	}
	permission_replies_free(replies);
	permission_set_release(set);
	CHECK(permission_counters()->sets == 0 && permission_counters()->replies == 0);
	return 0;
}
