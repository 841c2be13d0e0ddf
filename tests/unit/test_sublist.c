/*
 * Unit tests of shared/model/sublist: what nats-server's own tests state about its sublist, the rules beyond it (remote interest,
 * edges, views), and random runs beside a brute-force model.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/memory.h"
#include "model/sublist_slab.h"
#include "tests/unit/sublist_model.h"

struct fixture {
	struct sublist *list;
	struct sublist_result result;
	struct sublist_sub subs[64];
};

static int
setup_with(void **state, bool cache)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->list = sublist_create(cache);
	assert_non_null(f->list);
	*state = f;
	return 0;
}

static int
setup(void **state)
{
	return setup_with(state, true);
}

static int
setup_no_cache(void **state)
{
	return setup_with(state, false);
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	sublist_free(f->list);
	sublist_result_free(&f->result);
	free(f);
	return 0;
}

static void
put(struct fixture *f, unsigned i, const char *subject, const char *queue)
{
	assert_int_equal(
	    sublist_insert(f->list, subject, strlen(subject), queue, queue != NULL ? strlen(queue) : 0, &f->subs[i], NULL),
	    SUBLIST_OK);
}

static void
take(struct fixture *f, unsigned i)
{
	sublist_remove(f->list, &f->subs[i], NULL);
}

static struct sublist_result *
match(struct fixture *f, const char *subject)
{
	assert_true(sublist_match(f->list, subject, strlen(subject), &f->result));
	return &f->result;
}

/* The matched nodes' subjects are these, in any order. */
static void
reaches(struct fixture *f, const char *subject, unsigned count, ...)
{
	struct sublist_result *result = match(f, subject);
	va_list arguments;

	assert_int_equal(result->count, count);
	va_start(arguments, count);
	for (unsigned i = 0; i < count; i++) {
		const char *want = va_arg(arguments, const char *);
		bool found = false;

		for (unsigned j = 0; j < result->count; j++)
			found = found ||
			    (result->nodes[j]->length == strlen(want) &&
				memcmp(result->nodes[j]->subject, want, strlen(want)) == 0);
		if (!found)
			fail_msg("%s does not reach %s", subject, want);
	}
	va_end(arguments);
}

static uint64_t
nodes_of(struct fixture *f)
{
	struct sublist_stats stats;

	sublist_stats(f->list, &stats);
	return stats.num_nodes;
}

/* ---- what sublist_test.go states ---- */

static void
test_literals(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(sublist_count(f->list), 0);
	put(f, 0, "foo", NULL);
	put(f, 1, "foo.bar.baz", NULL);
	put(f, 2, "bar", NULL);
	assert_int_equal(sublist_count(f->list), 3);
	reaches(f, "foo", 1, "foo");
	reaches(f, "foo.bar.baz", 1, "foo.bar.baz");
	reaches(f, "foo.bar", 0);
	reaches(f, "", 0);
	assert_ptr_equal(sublist_node_subs(match(f, "foo")->nodes[0])[0], &f->subs[0]);
}

static void
test_wildcards(void **state)
{
	struct fixture *f = *state;

	put(f, 0, "a.b.c", NULL);
	put(f, 1, "a.*.c", NULL);
	reaches(f, "a.b.c", 2, "a.b.c", "a.*.c");
	put(f, 2, "a.b.*", NULL);
	put(f, 3, "a.>", NULL);
	put(f, 4, "*.b.*", NULL);
	put(f, 5, ">", NULL);
	reaches(f, "a.b.c", 6, "a.b.c", "a.*.c", "a.b.*", "a.>", "*.b.*", ">");
	reaches(f, "a.c", 2, "a.>", ">");
	reaches(f, "a", 1, ">");
	reaches(f, "x.b.y", 2, "*.b.*", ">");
	take(f, 5);
	reaches(f, "a", 0);
	take(f, 3);
	reaches(f, "a.c", 0);
	take(f, 1);
	take(f, 2);
	take(f, 4);
	reaches(f, "a.b.c", 1, "a.b.c");
	take(f, 0);
	assert_int_equal(nodes_of(f), 0);
	assert_int_equal(sublist_count(f->list), 0);
}

/* sublist_test.go TestSublistTwoTokenPubMatchSingleTokenSub */
static void
test_two_tokens_do_not_reach_one(void **state)
{
	struct fixture *f = *state;

	put(f, 0, "foo", NULL);
	reaches(f, "foo", 1, "foo");
	reaches(f, "foo.bar", 0);
	put(f, 1, "*", NULL);
	reaches(f, "foo.bar", 0);
	reaches(f, "foo", 2, "foo", "*");
}

/* sublist_test.go TestSublistInsertWithWildcardsAsLiterals */
static void
test_wildcard_letters_in_tokens(void **state)
{
	static const char *const subjects[] = { "foo.*-", "foo.>-" };
	struct fixture *f = *state;

	for (unsigned i = 0; i < 2; i++) {
		put(f, i, subjects[i], NULL);
		reaches(f, subjects[i], 1, subjects[i]);
		reaches(f, "foo.bar", 0);
	}
	take(f, 0);
	take(f, 1);
	assert_int_equal(nodes_of(f), 0);
}

static void
test_invalid_subjects(void **state)
{
	static const char *const bad[] = { "", ".", ".foo", "foo.", "foo..bar", "foo.bar..baz", "foo.>.bar", ">.foo", "a b",
		"a.\tb", "a\r", "a.\n" };
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(sublist_insert(f->list, bad[i], strlen(bad[i]), NULL, 0, &f->subs[0], NULL), SUBLIST_INVALID);
	assert_null(f->subs[0].node);
	assert_int_equal(sublist_remote_add(f->list, "a..b", 4, 1), SUBLIST_INVALID);
	assert_int_equal(sublist_remote_queue(f->list, "a..b", 4, "q", 1, 1, 1), SUBLIST_INVALID);
	assert_int_equal(sublist_remote_queue(f->list, "a", 1, "", 0, 1, 1), SUBLIST_INVALID);
	assert_int_equal(nodes_of(f), 0);
}

/* sublist_test.go TestSublistMatchWithEmptyTokens */
static void
test_empty_tokens_reach_nothing(void **state)
{
	static const char *const subjects[] = { ".foo", "..foo", "foo..", "foo.", "foo..bar", "foo...bar", ".", "" };
	struct fixture *f = *state;

	put(f, 0, ">", NULL);
	put(f, 1, ">", "queue");
	put(f, 2, "*.*", NULL);
	for (size_t i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++) {
		reaches(f, subjects[i], 0);
		assert_false(sublist_has_interest(f->list, subjects[i], strlen(subjects[i])));
	}
}

/* BEHAVIOUR, Client protocol 5 */
static void
test_wildcards_published_are_literal(void **state)
{
	struct fixture *f = *state;

	put(f, 0, "a.*", NULL);
	put(f, 1, "a.>", NULL);
	put(f, 2, ">", NULL);
	put(f, 3, "a.b", NULL);
	reaches(f, "a.*", 3, "a.*", "a.>", ">");
	reaches(f, "a.>", 3, "a.*", "a.>", ">");
	reaches(f, ">", 1, ">");
	reaches(f, "*", 1, ">");
	reaches(f, "a.b", 4, "a.*", "a.>", ">", "a.b");
}

/* sublist_test.go TestSublistBasicQueueResults */
static void
test_queues(void **state)
{
	struct fixture *f = *state;
	struct sublist_queue *queue;
	uint64_t plain, queues;

	put(f, 0, "foo", "bar");
	put(f, 1, "foo", "baz");
	put(f, 2, "foo", "bar");
	put(f, 3, "foo", NULL);
	assert_int_equal(match(f, "foo")->count, 1);
	assert_true(f->result.any_queue);
	assert_int_equal(f->result.plain_count, 1);
	sublist_num_interest(f->list, "foo", 3, &plain, &queues);
	assert_int_equal(plain, 1);
	assert_int_equal(queues, 3);
	queue = f->subs[0].queue;
	assert_ptr_equal(queue, f->subs[2].queue);
	assert_int_equal(queue->local_count, 2);
	take(f, 0);
	assert_ptr_equal(sublist_queue_subs(queue)[0], &f->subs[2]);
	take(f, 2);
	take(f, 1);
	assert_null(match(f, "foo")->nodes[0]->queues);
	assert_false(f->result.any_queue);
	take(f, 3);
	assert_int_equal(match(f, "foo")->count, 0);
}

/* BEHAVIOUR, Client protocol 4: a group is its name over all patterns, so one name is one object. */
static void
test_queue_names_are_interned(void **state)
{
	struct fixture *f = *state;

	put(f, 0, "a.*", "q");
	put(f, 1, "a.b", "q");
	put(f, 2, "a.b", "r");
	assert_int_equal(match(f, "a.b")->count, 2);
	assert_ptr_equal(f->subs[0].queue->name, f->subs[1].queue->name);
	assert_ptr_not_equal(f->subs[2].queue->name, f->subs[1].queue->name);
	assert_int_equal(f->subs[0].queue->name->references, 2);
	take(f, 0);
	take(f, 1);
	put(f, 1, "a.b", "q");
	assert_int_equal(f->subs[1].queue->name->references, 1);
	assert_memory_equal(f->subs[1].queue->name->text, "q", 1);
}

static bool
count_nodes(void *arg, struct sublist_node *node)
{
	(void)node;
	(*(unsigned *)arg)++;
	return true;
}

static bool
count_one(void *arg, struct sublist_node *node)
{
	(void)node;
	(*(unsigned *)arg)++;
	return false;
}

static unsigned
reversed(struct fixture *f, const char *pattern)
{
	unsigned count = 0;

	sublist_reverse_match(f->list, pattern, strlen(pattern), count_nodes, &count);
	return count;
}

/* sublist_test.go TestSublistReverseMatch, TestSublistReverseMatchWider, TestSublistAll */
static void
test_reverse_match(void **state)
{
	static const char *const subjects[] = { "foo", "bar", "foo.bar", "foo.baz", "foo.bar.baz" };
	struct fixture *f = *state;
	unsigned count = 0;

	for (unsigned i = 0; i < 5; i++)
		put(f, i, subjects[i], NULL);
	assert_int_equal(reversed(f, "foo"), 1);
	assert_int_equal(reversed(f, "*"), 2);
	assert_int_equal(reversed(f, "baz"), 0);
	assert_int_equal(reversed(f, "foo.*"), 2);
	assert_int_equal(reversed(f, "*.*"), 2);
	assert_int_equal(reversed(f, "*.bar"), 1);
	assert_int_equal(reversed(f, "bar.*"), 0);
	assert_int_equal(reversed(f, "*.bat"), 0);
	assert_int_equal(reversed(f, "foo.>"), 3);
	assert_int_equal(reversed(f, ">"), 5);
	put(f, 5, "uplink.*.*.>", NULL);
	assert_int_equal(reversed(f, "uplink.1.*.*.>"), 1);
	assert_int_equal(reversed(f, "uplink.1.2.3.>"), 1);
	sublist_all(f->list, count_nodes, &count);
	assert_int_equal(count, 6);
	sublist_all(f->list, count_one, &count);
	assert_int_equal(count, 7);
}

/* sublist_test.go TestSublistNoCacheRemoveBatch, TestSublistRemoveWithLargeSubs */
static void
test_remove_batch(void **state)
{
	struct fixture *f = *state;
	struct sublist_sub *some[20] = { NULL };

	for (unsigned i = 0; i < 40; i++)
		put(f, i, i % 2 == 0 ? "foo" : "foo.*", NULL);
	for (unsigned i = 0; i < 10; i++)
		some[i * 2] = &f->subs[i * 4];
	sublist_remove_batch(f->list, some, 20, NULL, NULL);
	sublist_remove_batch(f->list, some, 20, NULL, NULL);
	assert_int_equal(sublist_count(f->list), 30);
	assert_int_equal(match(f, "foo")->plain_count, 10);
	assert_int_equal(match(f, "foo.x")->plain_count, 20);
	for (uint32_t i = 0; i < 10; i++)
		assert_int_equal(sublist_node_subs(match(f, "foo")->nodes[0])[i]->index, i);
}

static void
test_many_on_one_subject(void **state)
{
	struct fixture *f = *state;
	struct sublist_sub *subs = calloc(5000, sizeof(*subs));
	unsigned at = 0;

	assert_non_null(subs);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 5000; i++)
			assert_int_equal(sublist_insert(f->list, "plain", 5, NULL, 0, &subs[i], NULL), SUBLIST_OK);
		assert_int_equal(match(f, "plain")->plain_count, 5000);
		for (unsigned i = 0; i < 5000; i++, at = (at + 1777) % 5000)
			sublist_remove(f->list, &subs[at], NULL);
		assert_int_equal(nodes_of(f), 0);
	}
	free(subs);
}

/* ---- cache ---- */

static void
test_cache_follows_changes(void **state)
{
	struct fixture *f = *state;
	struct sublist_stats stats;

	put(f, 0, "a.*.c.d", NULL);
	put(f, 1, "a.b.*.d", NULL);
	put(f, 2, "*.b.c.*", NULL);
	put(f, 3, "a.b.c.d", NULL);
	for (unsigned i = 0; i < 3; i++)
		reaches(f, "a.b.c.d", 4, "a.*.c.d", "a.b.*.d", "*.b.c.*", "a.b.c.d");
	sublist_stats(f->list, &stats);
	assert_int_equal(stats.num_cache, 1);
	assert_int_equal(stats.cache_hits, 2);
	assert_int_equal(stats.max_fanout, 4);
	assert_int_equal(stats.total_fanout, 12);
	take(f, 3);
	reaches(f, "a.b.c.d", 3, "a.*.c.d", "a.b.*.d", "*.b.c.*");
	sublist_stats(f->list, &stats);
	assert_int_equal(stats.cache_hits, 3);
	take(f, 2);
	sublist_stats(f->list, &stats);
	assert_int_equal(stats.num_cache, 0);
	reaches(f, "a.b.c.d", 2, "a.*.c.d", "a.b.*.d");
	/* A second subscription on a pattern that is there voids nothing. */
	put(f, 4, "a.b.*.d", NULL);
	assert_int_equal(match(f, "a.b.c.d")->plain_count, 3);
	sublist_stats(f->list, &stats);
	assert_int_equal(stats.cache_hits, 4);
	sublist_count_hit(f->list, &f->result);
	sublist_stats(f->list, &stats);
	assert_int_equal(stats.cache_hits, 5);
	assert_int_equal(stats.num_matches, 7);
	assert_int_equal(stats.total_fanout, 12 + 3 + 2 + 3 + 3);
	put(f, 5, "a.b.>", NULL);
	reaches(f, "a.b.c.d", 3, "a.*.c.d", "a.b.*.d", "a.b.>");
}

static void
test_cache_is_bounded(void **state)
{
	struct fixture *f = *state;
	struct sublist_stats stats;
	char subject[64];

	put(f, 0, "*.*.x.*", NULL);
	put(f, 1, "a.*.x.>", NULL);
	put(f, 2, "a.b.*.>", NULL);
	for (unsigned round = 0; round < 2; round++)
		for (unsigned i = 0; i < 20000; i++) {
			snprintf(subject, sizeof(subject), "a.b.x.%u", i);
			assert_int_equal(match(f, subject)->count, 3);
		}
	sublist_stats(f->list, &stats);
	assert_in_range(stats.num_cache, SUBLIST_CACHE_MAX / 2, SUBLIST_CACHE_MAX);
	assert_true(stats.bytes < 1U << 20);
}

static void
test_no_cache(void **state)
{
	struct fixture *f = *state;
	struct sublist_stats stats;

	put(f, 0, "a.*.c.d", NULL);
	put(f, 1, "a.b.*.d", NULL);
	for (unsigned i = 0; i < 5; i++)
		reaches(f, "a.b.c.d", 2, "a.*.c.d", "a.b.*.d");
	sublist_stats(f->list, &stats);
	assert_int_equal(stats.num_cache, 0);
	assert_int_equal(stats.cache_hits, 0);
	assert_int_equal(stats.num_matches, 5);
}

/* ---- remote interest and changes ---- */

static void
test_remote_interest(void **state)
{
	struct fixture *f = *state;
	uint64_t plain, queues;

	assert_int_equal(sublist_remote_add(f->list, "a", 1, 3), SUBLIST_OK);
	assert_int_equal(sublist_remote_add(f->list, "a", 1, 3), SUBLIST_EXISTS);
	assert_int_equal(sublist_remote_add(f->list, "*", 1, 63), SUBLIST_OK);
	assert_int_equal(sublist_remote_queue(f->list, "a", 1, "q", 1, 5, 7), SUBLIST_OK);
	assert_int_equal(sublist_remote_queue(f->list, "a", 1, "q", 1, 6, 1), SUBLIST_OK);
	assert_int_equal(sublist_remote_queue(f->list, "a", 1, "q", 1, 5, 2), SUBLIST_OK);
	put(f, 0, "a", "q");
	assert_int_equal(match(f, "a")->count, 2);
	assert_int_equal(f->result.members, (uint64_t)1 << 63 | 1 << 3);
	assert_int_equal(f->subs[0].queue->remote_weight, 3);
	assert_int_equal(f->subs[0].queue->weight_count, 2);
	sublist_num_interest(f->list, "a", 1, &plain, &queues);
	assert_int_equal(plain, 2);
	assert_int_equal(queues, 4);
	assert_int_equal(sublist_count(f->list), 1);
	assert_int_equal(sublist_remote_queue(f->list, "a", 1, "q", 1, 4, 0), SUBLIST_NOT_FOUND);
	assert_int_equal(sublist_remote_remove(f->list, "a", 1, 4), SUBLIST_NOT_FOUND);
	assert_int_equal(sublist_remote_remove(f->list, "b", 1, 3), SUBLIST_NOT_FOUND);
	take(f, 0);
	assert_int_equal(sublist_remote_queue(f->list, "a", 1, "q", 1, 5, 0), SUBLIST_OK);
	assert_int_equal(sublist_remote_queue(f->list, "a", 1, "q", 1, 6, 0), SUBLIST_OK);
	assert_int_equal(sublist_remote_remove(f->list, "a", 1, 3), SUBLIST_OK);
	assert_int_equal(match(f, "a")->count, 1);
	sublist_member_down(f->list, 63);
	assert_int_equal(nodes_of(f), 0);
}

static void
test_member_down_among_many(void **state)
{
	struct fixture *f = *state;
	char subject[32];

	for (unsigned i = 0; i < 3000; i++) {
		snprintf(subject, sizeof(subject), i % 3 == 0 ? "s.%u.*" : "s.%u", i);
		assert_int_equal(sublist_remote_add(f->list, subject, strlen(subject), i % 2), SUBLIST_OK);
		assert_int_equal(sublist_remote_queue(f->list, subject, strlen(subject), "q", 1, i % 5, i + 1), SUBLIST_OK);
	}
	put(f, 0, "s.7", NULL);
	sublist_member_down(f->list, 0);
	assert_int_equal(nodes_of(f), 2700);
	for (unsigned member = 1; member < 5; member++)
		sublist_member_down(f->list, member);
	assert_int_equal(nodes_of(f), 1);
	reaches(f, "s.7", 1, "s.7");
}

static void
test_changes_tell_edges(void **state)
{
	struct fixture *f = *state;
	struct sublist_change change;

	sublist_insert(f->list, "a.*", 3, NULL, 0, &f->subs[0], &change);
	assert_true(change.edge && change.local == 1 && change.queue == NULL);
	sublist_insert(f->list, "a.*", 3, NULL, 0, &f->subs[1], &change);
	assert_true(!change.edge && change.local == 2);
	sublist_insert(f->list, "a.*", 3, "q", 1, &f->subs[2], &change);
	assert_true(change.edge && change.local == 1 && change.queue_length == 1);
	sublist_remove(f->list, &f->subs[1], &change);
	assert_true(!change.edge && change.local == 1);
	sublist_remove(f->list, &f->subs[0], &change);
	assert_true(change.edge && change.local == 0);
	/* The node and the name are gone, their bytes are still there for the announcement. */
	sublist_remove(f->list, &f->subs[2], &change);
	assert_true(change.edge && change.local == 0);
	assert_int_equal(change.subject_length, 3);
	assert_memory_equal(change.subject, "a.*", 3);
	assert_memory_equal(change.queue, "q", 1);
	assert_int_equal(nodes_of(f), 0);
}

static void
test_free_forgets_subs(void **state)
{
	struct fixture *f = *state;
	struct sublist *list = sublist_create(true);
	struct sublist_sub subs[3] = { { 0 } };

	(void)f;
	assert_int_equal(sublist_insert(list, "a", 1, NULL, 0, &subs[0], NULL), SUBLIST_OK);
	assert_int_equal(sublist_insert(list, "a", 1, "q", 1, &subs[1], NULL), SUBLIST_OK);
	assert_int_equal(sublist_insert(list, "*.b", 3, "q", 1, &subs[2], NULL), SUBLIST_OK);
	sublist_free(list);
	for (unsigned i = 0; i < 3; i++)
		assert_null(subs[i].node);
	sublist_free(NULL);
}

/* ---- sizes ---- */

/* The trie hashes wide places; deep patterns need no recursion. */
static void
test_wide_and_deep(void **state)
{
	struct fixture *f = *state;
	static struct sublist_sub subs[2000];
	char deep[2048], subject[64];
	unsigned at = 0;

	for (unsigned i = 0; i < 2000; i++) {
		snprintf(subject, sizeof(subject), "wide.%u.*", i);
		assert_int_equal(sublist_insert(f->list, subject, strlen(subject), NULL, 0, &subs[i], NULL), SUBLIST_OK);
	}
	for (unsigned i = 0; i < 2000; i++) {
		snprintf(subject, sizeof(subject), "wide.%u.x", i);
		assert_int_equal(match(f, subject)->count, 1);
		assert_ptr_equal(sublist_node_subs(f->result.nodes[0])[0], &subs[i]);
	}
	memset(deep, '*', sizeof(deep));
	for (unsigned i = 1; i < sizeof(deep); i += 2)
		deep[i] = '.';
	assert_int_equal(sublist_insert(f->list, deep, sizeof(deep) - 1, NULL, 0, &f->subs[0], NULL), SUBLIST_OK);
	assert_int_equal(sublist_insert(f->list, "*.>", 3, NULL, 0, &f->subs[1], NULL), SUBLIST_OK);
	memset(deep, 'a', sizeof(deep));
	for (unsigned i = 1; i < sizeof(deep); i += 2)
		deep[i] = '.';
	assert_true(sublist_match(f->list, deep, sizeof(deep) - 1, &f->result));
	assert_int_equal(f->result.count, 2);
	assert_true(sublist_match(f->list, deep, sizeof(deep) - 3, &f->result));
	assert_int_equal(f->result.count, 1);
	for (unsigned i = 0; i < 2000; i++, at = (at + 777) % 2000)
		sublist_remove(f->list, &subs[at], NULL);
	take(f, 0);
	assert_int_equal(nodes_of(f), 1);
}

/* A message with more tokens than any pattern. */
static void
test_longer_than_patterns(void **state)
{
	struct fixture *f = *state;

	put(f, 0, "*.b", NULL);
	reaches(f, "a.b.c", 0);
	reaches(f, "a.b.c.d.e.f", 0);
	reaches(f, "a.b", 1, "*.b");
	take(f, 0);
	put(f, 0, ">", NULL);
	reaches(f, "a.b.c.d.e.f", 1, ">");
	take(f, 0);
	put(f, 0, "*", NULL);
	reaches(f, "a.b", 0);
}

/* Many patterns that all match: the result grows. */
static void
test_large_result(void **state)
{
	struct fixture *f = *state;
	static struct sublist_sub subs[1024];
	char pattern[32];

	for (unsigned i = 0; i < 1024; i++) {
		size_t at = 0;

		for (unsigned bit = 0; bit < 10; bit++) {
			pattern[at++] = (i >> bit & 1) != 0 ? '*' : 'a';
			pattern[at++] = '.';
		}
		assert_int_equal(sublist_insert(f->list, pattern, at - 1, NULL, 0, &subs[i], NULL), SUBLIST_OK);
	}
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(match(f, "a.a.a.a.a.a.a.a.a.a")->count, 1024);
	assert_int_equal(match(f, "a.a.a.a.a.a.a.a.a.b")->count, 512);
	assert_true(sublist_has_interest(f->list, "b.b.b.b.b.b.b.b.b.b", 19));
	sublist_remove_batch(f->list, (struct sublist_sub *[]){ &subs[1023] }, 1, NULL, NULL);
	assert_int_equal(match(f, "b.b.b.b.b.b.b.b.b.b")->count, 0);
	/* The subs are static, the list goes first. */
	for (unsigned i = 0; i < 1023; i++)
		sublist_remove(f->list, &subs[i], NULL);
}

/* Memory comes back, and a short literal costs what the design says. */
static void
test_memory(void **state)
{
	enum { COUNT = 50000 };
	struct fixture *f = *state;
	struct sublist_sub *subs = calloc(COUNT, sizeof(*subs));
	size_t held = sublist_slab_held() - sublist_slab_idle();
	struct sublist_stats before, full, after;
	struct memory_stats memory_before, memory_after;
	char subject[16];

	assert_non_null(subs);
	memory_get_stats(&memory_before);
	sublist_stats(f->list, &before);
	for (unsigned i = 0; i < COUNT; i++) {
		snprintf(subject, sizeof(subject), "sub.%06u", i);
		assert_int_equal(sublist_insert(f->list, subject, 10, NULL, 0, &subs[i], NULL), SUBLIST_OK);
	}
	sublist_stats(f->list, &full);
	assert_true((full.bytes - before.bytes) / COUNT <= 56 + 20);
	for (unsigned i = 0; i < COUNT; i++)
		sublist_remove(f->list, &subs[i], NULL);
	/* One node is kept for the views of the last change. */
	sublist_insert(f->list, "x", 1, NULL, 0, &subs[0], NULL);
	sublist_remove(f->list, &subs[0], NULL);
	sublist_stats(f->list, &after);
	assert_true(after.bytes <= before.bytes + 64);
	assert_true(sublist_slab_held() - sublist_slab_idle() <= held + 65536);
	memory_get_stats(&memory_after);
	assert_true(memory_after.bytes <= memory_before.bytes + 4096);
	free(subs);
}

static void
test_slab_sizes(void **state)
{
	(void)state;
	for (size_t size = 0; size <= SUBLIST_SLAB_MAX + 8; size += size < 300 ? 1 : 37) {
		char *objects[40];

		assert_true(sublist_slab_round(size) >= size && sublist_slab_round(size) <= size + 8 + size / 4);
		for (unsigned i = 0; i < 40; i++) {
			objects[i] = sublist_slab_alloc(size);
			assert_non_null(objects[i]);
			assert_int_equal((uintptr_t)objects[i] & 7, 0);
			memset(objects[i], (int)i, size);
		}
		for (unsigned i = 0; i < 40; i++) {
			for (size_t j = 0; j < size; j++)
				assert_int_equal(objects[i][j], (char)i);
			sublist_slab_free(objects[i], size);
		}
	}
	sublist_slab_free(NULL, 8);
}

/* Objects freed in full chunks are handed out again before new chunks are made. */
static void
test_slab_reuse(void **state)
{
	enum { COUNT = 8000, SIZE = 48 };
	void **objects = calloc(COUNT, sizeof(objects[0]));
	size_t held;

	(void)state;
	assert_non_null(objects);
	for (unsigned i = 0; i < COUNT; i++)
		assert_non_null(objects[i] = sublist_slab_alloc(SIZE));
	held = sublist_slab_held();
	for (unsigned round = 0; round < 4; round++) {
		for (unsigned i = round; i < COUNT; i += 5)
			sublist_slab_free(objects[i], SIZE);
		for (unsigned i = round; i < COUNT; i += 5)
			assert_non_null(objects[i] = sublist_slab_alloc(SIZE));
	}
	assert_int_equal(sublist_slab_held(), held);
	for (unsigned i = 0; i < COUNT; i++)
		sublist_slab_free(objects[i], SIZE);
	assert_true(sublist_slab_held() - sublist_slab_idle() <= held / 4);
	free(objects);
}

/* ---- random runs ---- */

static void
test_model(void **state)
{
	uint64_t x = 0x9e3779b97f4a7c15;
	uint8_t bytes[4000];

	(void)state;
	for (unsigned run = 0; run < 48; run++) {
		for (size_t i = 0; i < sizeof(bytes); i++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			bytes[i] = (uint8_t)(x >> 24);
		}
		bytes[0] = (uint8_t)run;
		model_run(bytes, sizeof(bytes));
	}
}

#define BOTH(test) \
	cmocka_unit_test_setup_teardown(test, setup, teardown), \
	{ \
#test "_no_cache", test, setup_no_cache, teardown, NULL \
	}
#define CACHED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(test_literals),
		BOTH(test_wildcards),
		BOTH(test_two_tokens_do_not_reach_one),
		BOTH(test_wildcard_letters_in_tokens),
		BOTH(test_invalid_subjects),
		BOTH(test_empty_tokens_reach_nothing),
		BOTH(test_wildcards_published_are_literal),
		BOTH(test_queues),
		BOTH(test_queue_names_are_interned),
		BOTH(test_reverse_match),
		BOTH(test_remove_batch),
		BOTH(test_many_on_one_subject),
		CACHED(test_cache_follows_changes),
		CACHED(test_cache_is_bounded),
		cmocka_unit_test_setup_teardown(test_no_cache, setup_no_cache, teardown),
		BOTH(test_remote_interest),
		BOTH(test_member_down_among_many),
		BOTH(test_changes_tell_edges),
		CACHED(test_free_forgets_subs),
		BOTH(test_wide_and_deep),
		BOTH(test_longer_than_patterns),
		BOTH(test_large_result),
		CACHED(test_memory),
		cmocka_unit_test(test_slab_sizes),
		cmocka_unit_test(test_slab_reuse),
		cmocka_unit_test(test_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
