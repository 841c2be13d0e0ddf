/*
 * Unit tests of shared/model/permission*.c: decisions as nats-server makes them (and stricter where BEHAVIOUR says so), tracked
 * replies, caches, encoding.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "model/permission.h"
#include "model/subject.h"

#define SECOND ((int64_t)1000 * 1000 * 1000)

/* A set of "pa:foo", "pd:", "sa:", "sd:" entries, separated by commas. */
static struct permission_set *
make(const char *text)
{
	struct permission_set *set = permission_set_create();

	assert_non_null(set);
	while (*text != '\0') {
		size_t length = strcspn(text, ",");
		enum permission_kind kind;

		assert_true(length > 3 && text[2] == ':');
		if (text[0] == 'p')
			kind = text[1] == 'a' ? PERMISSION_PUBLISH_ALLOW : PERMISSION_PUBLISH_DENY;
		else
			kind = text[1] == 'a' ? PERMISSION_SUBSCRIBE_ALLOW : PERMISSION_SUBSCRIBE_DENY;
		assert_int_equal(permission_set_add(set, kind, text + 3, length - 3), PERMISSION_OK);
		text += length + (text[length] == ',');
	}
	return set;
}

static bool
publish(struct permission_set *set, const char *subject)
{
	bool first = permission_publish(set, subject, strlen(subject));

	assert_true(permission_publish(set, subject, strlen(subject)) == first);
	return first;
}

static bool
subscribe(struct permission_set *set, const char *subject, const char *queue)
{
	return permission_subscribe(set, subject, strlen(subject), queue, queue != NULL ? strlen(queue) : 0);
}

static bool
checked(struct permission_set *set, const char *subject, const char *queue)
{
	return permission_deny_on_delivery(set, subject, strlen(subject), queue, queue != NULL ? strlen(queue) : 0);
}

static bool
withheld(struct permission_set *set, const char *subject, const char *queue)
{
	size_t n = queue != NULL ? strlen(queue) : 0;
	bool first = permission_delivery_denied(set, subject, strlen(subject), queue, n);

	assert_true(permission_delivery_denied(set, subject, strlen(subject), queue, n) == first);
	return first;
}

static void
test_no_permissions(void **state)
{
	struct permission_set *set = make("");

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct permission_set *which = i == 0 ? NULL : set;

		assert_true(publish(which, "foo"));
		assert_true(subscribe(which, ">", NULL));
		assert_true(subscribe(which, ">", "q"));
		assert_false(checked(which, ">", NULL));
		assert_false(withheld(which, "foo", NULL));
	}
	permission_set_release(set);
	permission_set_release(NULL);
	assert_null(permission_set_hold(NULL));
}

static void
test_publish(void **state)
{
	struct permission_set *set = make("pa:foo.*,pa:bar,pa:baz.>,pd:foo.secret,pd:baz.*.x");

	(void)state;
	assert_true(publish(set, "foo.a"));
	assert_false(publish(set, "foo.secret"));
	assert_false(publish(set, "foo"));
	assert_false(publish(set, "foo.a.b"));
	assert_true(publish(set, "bar"));
	assert_true(publish(set, "baz.1"));
	assert_true(publish(set, "baz.1.y"));
	assert_false(publish(set, "baz.1.x"));
	assert_false(publish(set, "other"));
	/* Wildcards in a published subject are literal. */
	assert_true(publish(set, "foo.*"));
	assert_true(publish(set, "baz.>"));
	assert_false(publish(set, "baz..1"));
	permission_set_release(set);
	set = make("pd:foo.>");
	assert_true(publish(set, "foo"));
	assert_false(publish(set, "foo.a"));
	permission_set_release(set);
}

/* BEHAVIOUR, Accounts 1: a subscription must be a subset of an allowed one. */
static void
test_subscribe_subset(void **state)
{
	struct permission_set *set = make("sa:foo.*,sa:bar.>,sa:lit");

	(void)state;
	assert_true(subscribe(set, "foo.a", NULL));
	assert_true(subscribe(set, "foo.*", NULL));
	assert_false(subscribe(set, "foo.>", NULL));
	assert_false(subscribe(set, "foo.a.b", NULL));
	assert_true(subscribe(set, "bar.>", NULL));
	assert_true(subscribe(set, "bar.*.x", NULL));
	assert_false(subscribe(set, "bar", NULL));
	assert_false(subscribe(set, "*.a", NULL));
	assert_false(subscribe(set, ">", NULL));
	assert_true(subscribe(set, "lit", "q"));
	assert_false(subscribe(set, "li", "q"));
	permission_set_release(set);
	set = make("sa:*");
	assert_false(subscribe(set, ">", NULL));
	assert_false(subscribe(set, ">", "q"));
	assert_true(subscribe(set, "*", NULL));
	permission_set_release(set);
}

/* client.go canSubscribe, BEHAVIOUR Accounts 11 */
static void
test_subscribe_queues(void **state)
{
	struct permission_set *set = make("sa:foo v1");

	(void)state;
	assert_false(subscribe(set, "foo", NULL));
	assert_true(subscribe(set, "foo", "v1"));
	assert_false(subscribe(set, "foo", "v2"));
	permission_set_release(set);
	/* Both match: the queue entry decides. */
	set = make("sa:foo,sa:foo v1,sa:bar.>,sa:bar.* *.v,sa:baz v1.>");
	assert_true(subscribe(set, "foo", NULL));
	assert_true(subscribe(set, "foo", "v1"));
	assert_false(subscribe(set, "foo", "v2"));
	assert_true(subscribe(set, "bar.x.y", "any"));
	assert_false(subscribe(set, "bar.x", "any"));
	assert_true(subscribe(set, "bar.x", "a.v"));
	assert_true(subscribe(set, "bar.x", NULL));
	assert_true(subscribe(set, "baz", "v1.prod"));
	assert_true(subscribe(set, "baz", "v1.>"));
	assert_true(subscribe(set, "baz", "v1.*"));
	assert_false(subscribe(set, "baz", "v1"));
	/* "bar.>" as a subscription is no subset of "bar.*", yet that queue entry decides, as it does in nats-server. */
	assert_false(subscribe(set, "bar.>", "a.v"));
	assert_false(subscribe(set, "bar.>", "any"));
	assert_true(subscribe(set, "bar.>", NULL));
	permission_set_release(set);
}

/* client.go canSubscribe and loadMsgDenyFilterIfNeeded, checkDenySub */
static void
test_subscribe_deny(void **state)
{
	struct permission_set *set = make("sd:foo.*,sd:bar,sd:baz q1,sd:new.> *.x");

	(void)state;
	assert_false(subscribe(set, "foo.a", NULL));
	assert_false(subscribe(set, "foo.*", NULL));
	/* A deny of "foo.*" refuses "foo.>" whole. */
	assert_false(subscribe(set, "foo.>", NULL));
	assert_true(subscribe(set, "foo", NULL));
	assert_true(subscribe(set, "foo.*.a", NULL));
	assert_false(subscribe(set, "bar", NULL));
	assert_false(subscribe(set, "bar", "q"));
	assert_true(subscribe(set, "*", NULL));
	assert_true(subscribe(set, ">", NULL));
	assert_true(subscribe(set, "baz", NULL));
	assert_true(subscribe(set, "baz", "q2"));
	assert_false(subscribe(set, "baz", "q1"));
	assert_false(subscribe(set, "new.a", "b.x"));
	assert_true(subscribe(set, "new.a", "b.y"));

	assert_true(checked(set, "*", NULL));
	assert_true(checked(set, ">", NULL));
	assert_true(checked(set, "baz", "q2"));
	assert_false(checked(set, "baz", NULL));
	assert_false(checked(set, "other", "q"));
	assert_false(checked(set, "other.*.x", NULL));
	assert_true(checked(set, "*.a", NULL));

	assert_true(withheld(set, "bar", NULL));
	assert_true(withheld(set, "bar", "q"));
	assert_true(withheld(set, "foo.x", NULL));
	assert_false(withheld(set, "foo", NULL));
	assert_false(withheld(set, "baz", NULL));
	assert_true(withheld(set, "baz", "q1"));
	assert_false(withheld(set, "baz", "q2"));
	assert_true(withheld(set, "new.a", "b.x"));
	permission_set_release(set);
}

static void
test_entries(void **state)
{
	static const char *const bad[] = { "", " ", "a b c", "a..b", "a >.b", ">.x", "a b.>.c" };
	struct permission_set *set = permission_set_create();
	const char *subject, *queue;
	size_t length, queue_length;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		for (unsigned kind = 0; kind < PERMISSION_KINDS; kind++)
			assert_int_equal(
			    permission_set_add(set, (enum permission_kind)kind, bad[i], strlen(bad[i])), PERMISSION_INVALID);
	assert_int_equal(permission_set_add(set, PERMISSION_PUBLISH_ALLOW, "a b", 3), PERMISSION_INVALID);
	/* A list with bad entries only is a list: it allows nothing. */
	assert_false(publish(set, "a"));
	assert_false(subscribe(set, "a", NULL));
	assert_int_equal(permission_set_add(set, PERMISSION_SUBSCRIBE_ALLOW, " a  b ", 6), PERMISSION_OK);
	assert_int_equal(permission_set_add(set, PERMISSION_PUBLISH_DENY, "x q", 3), PERMISSION_OK);
	assert_int_equal(permission_set_count(set, PERMISSION_SUBSCRIBE_ALLOW), 1);
	permission_set_entry(set, PERMISSION_SUBSCRIBE_ALLOW, 0, &subject, &length, &queue, &queue_length);
	assert_true(length == 1 && subject[0] == 'a' && queue_length == 1 && queue[0] == 'b');
	permission_set_entry(set, PERMISSION_PUBLISH_DENY, 0, &subject, &length, &queue, &queue_length);
	assert_true(length == 1 && subject[0] == 'x' && queue == NULL);
	assert_int_equal(permission_set_count(NULL, PERMISSION_PUBLISH_DENY), 0);
	permission_set_release(set);
}

/* ---- replies ---- */

struct answers {
	struct permission_set *set;
	struct permission_replies *replies;
};

static struct answers
answers(const char *text, int32_t max, int64_t ttl)
{
	struct answers a = { make(text), permission_replies_create() };

	permission_set_responses(a.set, max, ttl);
	assert_non_null(a.replies);
	return a;
}

static void
answers_end(struct answers *a)
{
	permission_replies_free(a->replies);
	permission_set_release(a->set);
}

static void
request(struct answers *a, const char *reply, int64_t now)
{
	permission_replies_add(a->replies, a->set, reply, strlen(reply), now);
}

static bool
answer(struct answers *a, const char *reply, int64_t now)
{
	return permission_publish_or_reply(a->set, a->replies, reply, strlen(reply), now);
}

static void
test_replies(void **state)
{
	struct answers a = answers("", 2, SECOND);
	int32_t max;
	int64_t ttl;

	(void)state;
	assert_true(permission_set_has_responses(a.set, &max, &ttl));
	assert_true(max == 2 && ttl == SECOND);
	/* With allow_responses and no publish list, nothing else may be published. */
	assert_false(answer(&a, "foo", 0));
	request(&a, "r", 0);
	assert_int_equal(permission_replies_count(a.replies), 1);
	assert_true(answer(&a, "r", 0));
	assert_true(answer(&a, "r", SECOND));
	assert_false(answer(&a, "r", SECOND));
	assert_int_equal(permission_replies_count(a.replies), 0);
	request(&a, "r", 0);
	assert_false(answer(&a, "r", SECOND + 1));
	assert_false(answer(&a, "r", 0));
	request(&a, "", 0);
	assert_int_equal(permission_replies_count(a.replies), 0);
	answers_end(&a);
}

/* BEHAVIOUR, Accounts 10: a second request with the same reply spends the budget. */
static void
test_replies_same_reply_twice(void **state)
{
	struct answers a = answers("", 0, 0);

	(void)state;
	request(&a, "r", 0);
	request(&a, "r", 0);
	assert_false(answer(&a, "r", 0));
	request(&a, "r", 0);
	assert_true(answer(&a, "r", 0));
	request(&a, "r", 0);
	request(&a, "r", 0);
	request(&a, "r", 0);
	assert_true(answer(&a, "r", 0));
	assert_false(answer(&a, "r", 0));
	answers_end(&a);
}

static void
test_replies_no_limits(void **state)
{
	struct answers a = answers("pa:ok.>", -1, -1);

	(void)state;
	request(&a, "ok.reply", 0);
	assert_int_equal(permission_replies_count(a.replies), 0);
	assert_true(answer(&a, "ok.reply", 0));
	request(&a, "r", 0);
	for (int i = 0; i < 1000; i++)
		assert_true(answer(&a, "r", SECOND * i * 1000));
	answers_end(&a);
}

static void
test_replies_prune_and_bound(void **state)
{
	struct answers a = answers("", 1, 10 * SECOND);
	uint64_t dropped = permission_counters()->replies_dropped;
	char reply[32];

	(void)state;
	for (int i = 0; i < 100; i++) {
		snprintf(reply, sizeof(reply), "r.%d", i);
		request(&a, reply, SECOND * i);
	}
	/* The last addition came more than a second after the last pruning. */
	assert_in_range(permission_replies_count(a.replies), 11, 12);
	permission_replies_prune(a.replies, a.set, 200 * SECOND);
	assert_int_equal(permission_replies_count(a.replies), 0);
	for (unsigned i = 0; i < PERMISSION_REPLIES_MAX + 10; i++) {
		snprintf(reply, sizeof(reply), "r.%u", i);
		request(&a, reply, 201 * SECOND);
	}
	assert_int_equal(permission_replies_count(a.replies), PERMISSION_REPLIES_MAX);
	assert_int_equal(permission_counters()->replies_dropped - dropped, 10);
	assert_false(answer(&a, "r.9", 201 * SECOND));
	assert_true(answer(&a, "r.10", 201 * SECOND));
	assert_int_equal(permission_counters()->replies, PERMISSION_REPLIES_MAX - 1);
	answers_end(&a);
	assert_int_equal(permission_counters()->replies, 0);
}

/* ---- caches ---- */

static void
test_caches(void **state)
{
	struct permission_set *set = make("pa:foo.>,sd:bar.*");
	struct permission_counters before = *permission_counters();
	char subject[200];

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_true(permission_publish(set, "foo.a", 5));
	assert_int_equal(permission_counters()->publish_hits - before.publish_hits, 4);
	assert_int_equal(permission_counters()->publish_misses - before.publish_misses, 1);
	for (int i = 0; i < 5; i++)
		assert_true(permission_delivery_denied(set, "bar.a", 5, "q", 1));
	assert_int_equal(permission_counters()->deny_hits - before.deny_hits, 4);
	/* Too long to be remembered, and still right. */
	memset(subject, 'x', sizeof(subject));
	memcpy(subject, "foo.", 4);
	for (int i = 0; i < 3; i++)
		assert_true(permission_publish(set, subject, sizeof(subject)));
	memcpy(subject, "bar.", 4);
	assert_false(permission_publish(set, subject, sizeof(subject)));
	assert_true(permission_delivery_denied(set, subject, sizeof(subject), subject, sizeof(subject)));
	/* Subject and queue side by side are not mixed up. */
	assert_true(permission_delivery_denied(set, "bar.a", 5, "bq", 2));
	assert_false(permission_delivery_denied(set, "bar.a.b", 7, "q", 1));
	for (unsigned i = 0; i < 2000; i++) {
		int n = snprintf(subject, sizeof(subject), "%s.%u", i % 2 == 0 ? "foo" : "bar", i / 2);

		assert_true(permission_publish(set, subject, (size_t)n) == (i % 2 == 0));
		assert_true(permission_delivery_denied(set, subject, (size_t)n, NULL, 0) == (i % 2 != 0));
	}
	permission_set_release(set);
}

/* ---- encoding ---- */

static size_t
encode(struct permission_set *set, uint8_t *to, size_t size)
{
	struct bytes_writer writer;

	bytes_writer_init(&writer, to, size);
	permission_set_encode(set, &writer);
	assert_false(writer.failed);
	assert_int_equal(bytes_written(&writer), permission_set_size(set));
	return bytes_written(&writer);
}

static void
test_encoding(void **state)
{
	struct permission_set *set = make("pa:foo.*,pd:foo.b,sa:x,sa:x q,sd:y.> q.*"), *again, *twice;
	uint64_t sets = permission_counters()->sets;
	struct bytes_reader reader;
	uint8_t bytes[512], other[512];
	size_t n;
	int32_t max;
	int64_t ttl;

	(void)state;
	permission_set_responses(set, -1, 5);
	n = encode(set, bytes, sizeof(bytes));
	bytes[n] = 77;
	bytes_reader_init(&reader, bytes, n + 1);
	again = permission_set_decode(&reader);
	assert_non_null(again);
	assert_int_equal(bytes_left(&reader), 1);
	bytes_reader_init(&reader, bytes, n);
	twice = permission_set_decode(&reader);
	assert_ptr_equal(again, twice);
	assert_int_equal(permission_counters()->sets, sets + 1);
	assert_int_equal(encode(again, other, sizeof(other)), n);
	assert_memory_equal(bytes, other, n);
	assert_true(permission_set_has_responses(again, &max, &ttl) && max == -1 && ttl == 5);
	assert_true(publish(again, "foo.a"));
	assert_false(publish(again, "foo.b"));
	assert_false(subscribe(again, "x", "r"));
	permission_set_release(set);
	permission_set_release(again);
	assert_true(subscribe(twice, "x", "q"));
	permission_set_release(twice);
	assert_int_equal(permission_counters()->sets, sets - 1);
	bytes_reader_init(&reader, bytes, n);
	again = permission_set_decode(&reader);
	assert_non_null(again);
	permission_set_release(again);
}

static void
entries_are_valid(const struct permission_set *set)
{
	for (unsigned kind = 0; kind < PERMISSION_KINDS; kind++)
		for (size_t i = 0; i < permission_set_count(set, (enum permission_kind)kind); i++) {
			const char *subject, *queue;
			size_t length, queue_length;

			permission_set_entry(set, (enum permission_kind)kind, i, &subject, &length, &queue, &queue_length);
			assert_true(subject_valid(subject, length));
			assert_true(queue == NULL || (kind >= PERMISSION_SUBSCRIBE_ALLOW && subject_valid(queue, queue_length)));
		}
}

/* Every truncation fails; every changed byte fails or makes a set that encodes to the same bytes. */
static void
test_bad_encodings(void **state)
{
	struct permission_set *set = make("pa:foo.*,pd:foo.b,sa:x,sa:x q,sd:y.> q.*");
	uint8_t bytes[512], other[512];
	struct bytes_reader reader;
	size_t n;

	(void)state;
	permission_set_responses(set, 3, 5);
	n = encode(set, bytes, sizeof(bytes));
	permission_set_release(set);
	for (size_t i = 0; i < n; i++) {
		bytes_reader_init(&reader, bytes, i);
		assert_null(permission_set_decode(&reader));
		assert_true(reader.failed);
	}
	for (size_t i = 0; i < n; i++)
		for (unsigned value = 0; value < 256; value++) {
			uint8_t old = bytes[i];

			bytes[i] = (uint8_t)value;
			bytes_reader_init(&reader, bytes, n);
			set = permission_set_decode(&reader);
			if (set == NULL) {
				assert_true(reader.failed);
			} else {
				size_t used = n - bytes_left(&reader);

				assert_int_equal(encode(set, other, sizeof(other)), used);
				assert_memory_equal(bytes, other, used);
				entries_are_valid(set);
			}
			permission_set_release(set);
			bytes[i] = old;
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_permissions),
		cmocka_unit_test(test_publish),
		cmocka_unit_test(test_subscribe_subset),
		cmocka_unit_test(test_subscribe_queues),
		cmocka_unit_test(test_subscribe_deny),
		cmocka_unit_test(test_entries),
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_replies_same_reply_twice),
		cmocka_unit_test(test_replies_no_limits),
		cmocka_unit_test(test_replies_prune_and_bound),
		cmocka_unit_test(test_caches),
		cmocka_unit_test(test_encoding),
		cmocka_unit_test(test_bad_encodings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
