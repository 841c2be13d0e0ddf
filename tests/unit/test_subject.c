/*
 * Unit tests of shared/model/subject.c: tables of what nats-server's functions answer, and its known differences from them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>
#include <string.h>

#include "model/subject.h"

struct valid_row {
	const char *subject;
	bool valid, publish, literal, subscribe, wildcard;
};

/* sublist_test.go TestSublistValidSubjects, TestSublistValidLiteralSubjects, TestSubjectIsLiteral */
static const struct valid_row valid_rows[] = {
	{ "", false, false, false, false, false },
	{ ".", false, false, false, false, false },
	{ ".foo", false, false, false, false, false },
	{ "foo.", false, false, false, false, false },
	{ "foo..bar", false, false, false, false, false },
	{ ">.bar", false, false, false, false, true },
	{ "foo.>.bar", false, false, false, false, true },
	{ "foo", true, true, true, true, false },
	{ "foo.bar.*", true, false, false, true, true },
	{ "foo.bar.>", true, false, false, true, true },
	{ "*", true, false, false, true, true },
	{ ">", true, false, false, true, true },
	{ "*.>", true, false, false, true, true },
	{ "foo*", true, true, true, true, false },
	{ "foo.**", true, true, true, true, false },
	{ "foo.*bar", true, true, true, true, false },
	{ "foo>", true, true, true, true, false },
	{ "foo.>>", true, true, true, true, false },
	{ "foo.>bar", true, true, true, true, false },
	{ ">bar", true, true, true, true, false },
	{ "foo>.bar", true, true, true, true, false },
	{ " ", false, false, true, false, false },
	{ "a b", false, false, true, false, false },
	{ "a.\t", false, false, true, false, false },
	{ "a\nb.c", false, false, true, false, false },
	{ "a.b\r", false, false, true, false, false },
	/* The protocol can carry a form feed, and nats-server takes the subscription. */
	{ "a\fb", false, false, true, true, false },
};

static void
test_valid(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(valid_rows) / sizeof(valid_rows[0]); i++) {
		const struct valid_row *row = &valid_rows[i];
		size_t length = strlen(row->subject);
		bool wildcard;

		if (subject_valid(row->subject, length) != row->valid ||
		    subject_valid_publish(row->subject, length) != row->publish ||
		    subject_valid_literal(row->subject, length) != row->literal ||
		    subject_valid_subscribe(row->subject, length, &wildcard) != row->subscribe ||
		    (row->subscribe && wildcard != row->wildcard) || subject_has_wildcard(row->subject, length) != row->wildcard)
			fail_msg("subject \"%s\"", row->subject);
	}
}

static void
test_tokens(void **state)
{
	const char *token;
	size_t length;

	(void)state;
	assert_int_equal(subject_token_count("", 0), 0);
	assert_int_equal(subject_token_count("a", 1), 1);
	assert_int_equal(subject_token_count("a.b.", 4), 3);
	assert_true(subject_token_at("foo.bar.baz.*", 13, 1, &token, &length));
	assert_true(length == 3 && memcmp(token, "foo", 3) == 0);
	assert_true(subject_token_at("foo.bar.baz.*", 13, 4, &token, &length));
	assert_true(length == 1 && token[0] == '*');
	assert_false(subject_token_at("foo.bar.baz.*", 13, 5, &token, &length));
	assert_int_equal(length, 0);
}

struct pair_row {
	const char *a, *b;
	bool matches, subset, collide;
};

/* sublist_test.go TestSublistMatchLiterals, TestIsSubsetMatch, TestSublistSubjectCollide */
static const struct pair_row pair_rows[] = {
	{ "foo", "foo", true, true, true },
	{ "foo", "bar", false, false, false },
	{ "foo", "*", true, true, true },
	{ "foo", ">", true, true, true },
	{ "foo.bar", ">", true, true, true },
	{ "foo.bar", "foo.>", true, true, true },
	{ "foo.bar", "bar.>", false, false, false },
	{ "foo", "foo.>", false, false, false },
	{ "foo.bar", "foo", false, false, false },
	{ "foo", "foo.bar", false, false, false },
	{ "stats.test.22", "stats.*.*", true, true, true },
	{ "stats.test", "stats.test.*", false, false, false },
	{ "stats.test.foos", "stats.*", false, false, false },
	{ "stats.test.foos", "stats.*.*.foos", false, false, false },
	{ "stats.test.foos", "stats.test.foo", false, false, false },
	{ "*bar", "*bar", true, true, true },
	{ "foo.***.bar", "foo.***.bar", true, true, true },
	{ "foo>", "foo>", true, true, true },
	{ "foo.*", ">", true, true, true },
	{ "foo.*", "*.*", true, true, true },
	{ "foo.*", "foo.*", true, true, true },
	{ "foo.*", "foo.bar", false, false, true },
	{ "foo.>", ">", true, true, true },
	{ "foo.>", "*.>", true, true, true },
	{ "foo.>", "foo.>", true, true, true },
	{ "foo.>", "foo.bar", false, false, true },
	/* The hole of BEHAVIOUR, Accounts 1: as a message it would match, as a subscription it is no subset. */
	{ "foo.>", "foo.*", true, false, true },
	{ ">", "*", true, false, true },
	{ "foo..bar", "foo.*", false, false, false },
	{ "foo.*", "foo..bar", false, false, false },
	{ "foo..bar", ">", false, false, false },
	{ "foo.", "foo.>", false, false, false },
	{ "", ">", false, false, false },
	{ "foo.*", "foo.*.bar.>", false, false, false },
	{ "foo.*.bar.>", "foo.*", false, false, false },
	{ "foo.*", "foo.foo", false, false, true },
	{ "foo.*", "*.foo", false, false, true },
	{ "foo.bar.>", "*.bar.foo", false, false, true },
	{ "a.*.c", "a.b.*", false, false, true },
	{ "a.*.c", "a.b.d", false, false, false },
	{ "a.>", "a.b.c.d", false, false, true },
	{ "a.b", "a.>", true, true, true },
	/* nats-server looks at the first letter of a token only, here; a token "*foo" is no wildcard. */
	{ "a.b", "a.*foo", false, false, false },
	{ "a.*foo", "a.*", true, true, true },
};

static void
test_pairs(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(pair_rows) / sizeof(pair_rows[0]); i++) {
		const struct pair_row *row = &pair_rows[i];
		size_t a = strlen(row->a), b = strlen(row->b);

		if (subject_matches(row->a, a, row->b, b) != row->matches ||
		    subject_is_subset(row->a, a, row->b, b) != row->subset ||
		    subject_collide(row->a, a, row->b, b) != row->collide || subject_collide(row->b, b, row->a, a) != row->collide)
			fail_msg("\"%s\" and \"%s\"", row->a, row->b);
	}
}

static void
test_reserved(void **state)
{
	(void)state;
#define PUBLISH(text, system) subject_is_reserved_publish(text, sizeof(text) - 1, system)
#define REPLY(text) subject_is_reserved_reply(text, sizeof(text) - 1)
	assert_true(PUBLISH("_GR_.x", false));
	assert_true(PUBLISH("_GR_.x", true));
	assert_false(PUBLISH("_GR_.", false));
	assert_false(PUBLISH("_GR_", false));
	assert_true(PUBLISH("$GR.x", false));
	assert_false(PUBLISH("$GR.", false));
	assert_true(PUBLISH("$NRG.", false));
	assert_true(PUBLISH("$NRG.V.x", false));
	assert_false(PUBLISH("$NRG.V.x", true));
	assert_false(PUBLISH("$NRG", false));
	assert_false(PUBLISH("_R_.x", false));
	assert_false(PUBLISH("foo", false));
	assert_false(PUBLISH("", false));
	assert_true(REPLY("_R_."));
	assert_true(REPLY("_R_.x"));
	assert_false(REPLY("_R_"));
	assert_true(REPLY("$JS.ACK.x"));
	assert_false(REPLY("$JS.ACK."));
	assert_true(REPLY("_GR_.x"));
	assert_true(REPLY("$GR.x"));
	assert_false(REPLY("$NRG.x"));
	assert_false(REPLY("_INBOX.x"));
	assert_false(REPLY(""));
	assert_true(subject_is_reserved_queue("_sys_", 5));
	assert_false(subject_is_reserved_queue("_sys_x", 6));
	assert_false(subject_is_reserved_queue("", 0));
#undef PUBLISH
#undef REPLY
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid),
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_reserved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
