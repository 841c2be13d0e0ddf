/*
 * Memory that runs out inside the sublist and the permissions: this program has a base/memory.h of its own whose n-th request
 * fails.  Whatever fails, nothing changes and nothing is lost; sublist_free() itself checks that no byte is left over.
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
#include "base/memory.h"
#include "model/permission.h"
#include "model/sublist.h"

#define PATTERNS 40

static long requests_left = -1; /* before one fails; < 0: none does */
static unsigned long failures;
static long blocks;

static bool
refused(void)
{
	if (requests_left < 0 || requests_left-- > 0)
		return false;
	requests_left = -1;
	failures++;
	return true;
}

void *
memory_alloc(size_t n)
{
	void *block = refused() ? NULL : malloc(n > 0 ? n : 1);

	blocks += block != NULL;
	return block;
}

void *
memory_zalloc(size_t n)
{
	void *block = refused() ? NULL : calloc(1, n > 0 ? n : 1);

	blocks += block != NULL;
	return block;
}

void *
memory_array(size_t count, size_t size)
{
	return memory_zalloc(count * size);
}

void *
memory_realloc(void *block, size_t n)
{
	void *fresh = refused() ? NULL : realloc(block, n > 0 ? n : 1);

	blocks += fresh != NULL && block == NULL;
	return fresh;
}

char *
memory_string(const char *text, size_t n)
{
	char *copy = memory_zalloc(n + 1);

	if (copy != NULL && n > 0)
		memcpy(copy, text, n);
	return copy;
}

void
memory_free(void *block)
{
	blocks -= block != NULL;
	free(block);
}

void
memory_wipe(void *block, size_t n)
{
	explicit_bzero(block, n);
}

void
memory_get_stats(struct memory_stats *out)
{
	memset(out, 0, sizeof(*out));
	out->failures = failures;
}

/* Twelve tokens make a hashed place in the trie, long ones objects above the slab's sizes. */
static size_t
pattern(unsigned i, char *to, size_t size)
{
	int n;

	if (i % 8 == 7) {
		memset(to, 'x', 5000);
		n = snprintf(to + 5000, size - 5000, ".%u.*.y", i) + 5000;
	} else if (i % 2 == 0) {
		n = snprintf(to, size, "a.t%u.*.b.%u", i % 24, i);
	} else {
		n = snprintf(to, size, "literal.%u", i);
	}
	assert_true(n > 0 && (size_t)n < size);
	return (size_t)n;
}

struct interest {
	bool local, queued, remote, weighted;
};

static bool
count_node(void *arg, struct sublist_node *node)
{
	(void)node;
	(*(unsigned *)arg)++;
	return true;
}

/* The list holds what was granted, and reaches it. */
static void
holds(struct sublist *list, const struct interest *had)
{
	unsigned nodes = 0, want = 0, subs = 0;
	char text[8192];

	for (unsigned i = 0; i < PATTERNS; i++) {
		bool any = had[i].local || had[i].queued || had[i].remote || had[i].weighted;
		size_t n = pattern(i, text, sizeof(text));
		struct sublist_node *node = sublist_find(list, text, n);

		want += any;
		subs += had[i].local + had[i].queued;
		assert_true((node != NULL) == any);
		if (node == NULL)
			continue;
		assert_int_equal(node->plain_count, had[i].local);
		assert_int_equal(node->members, had[i].remote);
		assert_true((node->queues != NULL) == (had[i].queued || had[i].weighted));
		assert_true(sublist_has_interest(list, text, n));
	}
	sublist_all(list, count_node, &nodes);
	assert_int_equal(nodes, want);
	assert_int_equal(sublist_count(list), subs);
}

static bool
granted(enum sublist_status status)
{
	assert_true(status == SUBLIST_OK || status == SUBLIST_NO_MEMORY);
	return status == SUBLIST_OK;
}

/* Everything once, with request number "fails" refused; false when that many were never asked for. */
static bool
list_run(long fails)
{
	static struct sublist_sub plain[PATTERNS], queued[PATTERNS];
	struct interest had[PATTERNS] = { { false, false, false, false } };
	struct sublist_result result = { 0 };
	unsigned long before = failures;
	struct sublist *list;
	char text[8192];

	memset(plain, 0, sizeof(plain));
	memset(queued, 0, sizeof(queued));
	requests_left = fails;
	list = sublist_create(true);
	for (unsigned i = 0; list != NULL && i < PATTERNS; i++) {
		size_t n = pattern(i, text, sizeof(text));

		had[i].local = granted(sublist_insert(list, text, n, NULL, 0, &plain[i], NULL));
		had[i].queued = granted(sublist_insert(list, text, n, text, n, &queued[i], NULL));
		had[i].remote = granted(sublist_remote_add(list, text, n, 0));
		had[i].weighted = granted(sublist_remote_queue(list, text, n, "q", 1, i % 7, 2));
		(void)sublist_match(list, text, n, &result);
	}
	requests_left = -1;
	if (list != NULL)
		holds(list, had);
	for (unsigned i = 0; list != NULL && i < PATTERNS; i += 2)
		if (had[i].local) {
			sublist_remove(list, &plain[i], NULL);
			had[i].local = false;
		}
	if (list != NULL)
		holds(list, had);
	sublist_free(list);
	sublist_result_free(&result);
	return failures > before;
}

static void
test_list(void **state)
{
	long fails = 0;
	long start = blocks;

	(void)state;
	while (list_run(fails)) {
		assert_int_equal(blocks, start);
		fails++;
	}
	assert_in_range(fails, 20, 5000);
}

static bool
permission_run(long fails)
{
	struct permission_set *set = permission_set_create(), *decoded;
	struct permission_replies *replies;
	unsigned long before = failures;
	struct bytes_writer writer;
	struct bytes_reader reader;
	uint8_t bytes[512];

	assert_non_null(set);
	assert_int_equal(permission_set_add(set, PERMISSION_SUBSCRIBE_ALLOW, "a.* q", 5), PERMISSION_OK);
	assert_int_equal(permission_set_add(set, PERMISSION_PUBLISH_DENY, "a.>", 3), PERMISSION_OK);
	permission_set_responses(set, 1, 0);
	bytes_writer_init(&writer, bytes, sizeof(bytes));
	permission_set_encode(set, &writer);
	bytes_reader_init(&reader, bytes, bytes_written(&writer));
	requests_left = fails;
	decoded = permission_set_decode(&reader);
	/* Memory is short, the bytes are good. */
	assert_true(decoded != NULL || !reader.failed);
	replies = permission_replies_create();
	if (decoded != NULL && replies != NULL) {
		permission_replies_add(replies, decoded, "r", 1, 0);
		(void)permission_publish_or_reply(decoded, replies, "r", 1, 0);
		assert_false(permission_publish(decoded, "a.b", 3));
		assert_false(permission_subscribe(decoded, "b", 1, "q", 1));
	}
	requests_left = -1;
	permission_replies_free(replies);
	permission_set_release(decoded);
	permission_set_release(set);
	return failures > before;
}

static void
test_permissions(void **state)
{
	long fails = 0;

	(void)state;
	while (permission_run(fails))
		fails++;
	assert_in_range(fails, 10, 500);
	assert_int_equal(permission_counters()->sets, 0);
	assert_int_equal(permission_counters()->replies, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_permissions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
