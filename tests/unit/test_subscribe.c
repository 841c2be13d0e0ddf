/*
 * SUB and UNSUB of a connection of a worker built by hand: the table of subscriptions by sid against a plain model, limits, texts,
 * and what is told to other members.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/broker_net.h"
#include "tests/unit/worker_stubs.h"

struct fixture {
	struct net *net;
	struct worker worker;
	struct worker_config config;
	struct counters counters;
	struct client client;
	char log[2048]; /* the last line */
};

static struct fixture *fixture;

static void
keep_line(enum log_level level, const char *text, size_t n)
{
	(void)level;
	(void)snprintf(fixture->log, sizeof(fixture->log), "%.*s", (int)n, text);
}

static int
setup(void **state)
{
	struct worker *worker;

	(void)state;
	fixture = memory_zalloc(sizeof(*fixture));
	fixture->net = net_create(2, (size_t)256 << 10);
	net_settle(fixture->net);
	worker = &fixture->worker;
	worker->config = &fixture->config;
	worker->counters = &fixture->counters;
	worker->mesh = fixture->net->nodes[0].mesh;
	worker->broker = fixture->net->nodes[0].broker;
	worker->loop = loop_create();
	LIST_INIT(&worker->held);
	LIST_INIT(&worker->paused);
	fixture->config.max_pending = 1 << 30;
	fixture->client.magic = CLIENT_MAGIC;
	fixture->client.state = CLIENT_ACTIVE;
	fixture->client.worker = worker;
	fixture->client.account = net_account(&fixture->net->nodes[0]);
	fixture->client.io.fd = -1;
	log_backend = keep_line;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	while (subscribe_drop(&fixture->client, 1000) > 0)
		continue;
	assert_null(fixture->client.subscriptions.slots);
	assert_int_equal(COUNTERS_GET(&fixture->counters, subscriptions), 0);
	assert_int_equal(broker_subscriptions(fixture->worker.broker), 0);
	output_clear(&fixture->client.output);
	output_trim();
	loop_free(fixture->worker.loop);
	net_settle(fixture->net);
	net_free(fixture->net);
	log_backend = log_to_stderr;
	memory_free(fixture);
	return 0;
}

static void
sub(const char *subject, const char *queue, const char *sid)
{
	struct nats_command command = { .verb = NATS_SUB, .subject = subject, .queue = queue, .sid = sid };

	command.subject_length = (uint32_t)strlen(subject);
	command.queue_length = queue == NULL ? 0 : (uint32_t)strlen(queue);
	command.sid_length = (uint32_t)strlen(sid);
	subscribe_sub(&fixture->client, &command);
}

static void
unsub(const char *sid, int64_t max)
{
	struct nats_command command = { .verb = NATS_UNSUB, .sid = sid, .max = max };

	command.sid_length = (uint32_t)strlen(sid);
	subscribe_unsub(&fixture->client, &command);
}

/* What was said to the client since the last call. */
static const char *
said(void)
{
	static char text[65536];
	const struct output_part *part;
	size_t n = 0;

	for (part = fixture->client.output.first; part != NULL; part = part->next) {
		memcpy(text + n, part->blob->data + part->start, part->end - part->start);
		n += part->end - part->start;
	}
	text[n] = '\0';
	output_clear(&fixture->client.output);
	return text;
}

static void
test_verbose_and_repeated_sid(void **state)
{
	struct sublist_node *node;

	(void)state;
	fixture->client.verbose = true;
	sub("a", NULL, "1");
	assert_string_equal(said(), "+OK\r\n");
	/* The same sid again: taken, and nothing happens. */
	sub("b", NULL, "1");
	assert_string_equal(said(), "+OK\r\n");
	assert_int_equal(fixture->client.subscriptions.used, 1);
	assert_null(sublist_find(fixture->client.account->list, "b", 1));
	unsub("2", -1);
	assert_string_equal(said(), "+OK\r\n");
	unsub("1", -1);
	assert_string_equal(said(), "+OK\r\n");
	assert_int_equal(fixture->client.subscriptions.used, 0);
	assert_null(fixture->client.subscriptions.slots);
	sub("a", "q", "1");
	node = sublist_find(fixture->client.account->list, "a", 1);
	assert_non_null(node);
	assert_int_equal(node->plain_count, 0);
	assert_int_equal(node->queues->local_count, 1);
}

static void
test_refusals(void **state)
{
	(void)state;
	sub("a..b", NULL, "1");
	assert_string_equal(said(), "-ERR 'Invalid Subject'\r\n");
	sub("a", "_sys_", "1");
	assert_string_equal(said(), "-ERR 'Permissions Violation for Subscription to \"a\" using queue \"_sys_\"'\r\n");
	assert_int_equal(COUNTERS_GET(&fixture->counters, permission_violations), 1);
	fixture->config.max_subscription_tokens = 2;
	sub("a.b.c", NULL, "1");
	assert_string_equal(said(), "-ERR 'Permissions Violation for Subscription to \"a.b.c\", too many tokens'\r\n");
	fixture->config.max_subscriptions = 1;
	sub("a.b", NULL, "1");
	assert_string_equal(said(), "");
	sub("a.c", NULL, "2");
	assert_string_equal(said(), "-ERR 'maximum subscriptions exceeded'\r\n");
	assert_non_null(strstr(fixture->log, "maximum subscriptions exceeded"));
	assert_int_equal(fixture->client.subscriptions.used, 1);
	assert_int_equal(fixture->client.state, CLIENT_ACTIVE);
}

static void
test_unsub_with_maximum(void **state)
{
	uint32_t at = 0;
	struct subscription *one;

	(void)state;
	sub("a", NULL, "1");
	one = subscribe_next(&fixture->client, &at);
	assert_non_null(one);
	unsub("1", 5);
	assert_int_equal(one->maximum, 5);
	one->delivered = 5;
	unsub("1", 6);
	assert_int_equal(one->maximum, 6);
	/* Reached already: at once. */
	unsub("1", 5);
	assert_int_equal(fixture->client.subscriptions.used, 0);
	sub("a", NULL, "1");
	unsub("1", 0);
	assert_int_equal(fixture->client.subscriptions.used, 0);
	sub("a", NULL, "1");
	unsub("1", -1);
	assert_int_equal(fixture->client.subscriptions.used, 0);
	unsub("1", 3);
	assert_int_equal(COUNTERS_GET(&fixture->counters, subscriptions), 0);
}

/* Interest that finds the ring full holds back what is said to this client. */
static void
test_held_while_the_ring_is_full(void **state)
{
	struct net_node *a = &fixture->net->nodes[0], *b = &fixture->net->nodes[1];
	struct sublist_sub other = { 0 };
	uint8_t payload[4000] = { 0 };

	(void)state;
	assert_int_equal(net_subscribe(b, "s", NULL, &other), SUBLIST_OK);
	net_settle(fixture->net);
	sub("before", NULL, "1");
	assert_false(fixture->client.held);
	while (a->mesh->overflow_bytes == 0)
		(void)net_publish(a, "s", NULL, 0, payload, sizeof(payload));
	sub("late", NULL, "2");
	assert_true(fixture->client.held);
	(void)mesh_commit(a->mesh);
	client_release_held(&fixture->worker);
	assert_true(fixture->client.held);
	net_settle(fixture->net);
	client_release_held(&fixture->worker);
	assert_false(fixture->client.held);
	assert_non_null(sublist_find(net_account(b)->list, "late", 4));
	net_unsubscribe(b, &other);
}

/* The sids of a client in random order against flags: every one found, none twice, and memory follows. */
static void
test_table_against_model(void **state)
{
	enum { SIDS = 3000, STEPS = 60000 };
	static bool there[SIDS];
	struct subscription *found;
	unsigned count = 0, step, seen, number;
	uint32_t at;
	char sid[16];

	(void)state;
	random_fast_seed(99);
	memset(there, 0, sizeof(there));
	for (step = 0; step < STEPS; step++) {
		/* It grows in the first third and empties in the last. */
		bool add = random_fast_below(100) < (step < STEPS / 3 ? 70U : step < STEPS / 3 * 2 ? 50U : 20U);

		number = random_fast_below(SIDS);
		(void)snprintf(sid, sizeof(sid), "%u", number);
		if (add)
			sub("many", NULL, sid);
		else
			unsub(sid, -1);
		count += (add && !there[number] ? 1U : 0U) - (!add && there[number] ? 1U : 0U);
		there[number] = add;
		assert_int_equal(fixture->client.subscriptions.used, count);
		if (step % 1000 != 0)
			continue;
		at = seen = 0;
		while ((found = subscribe_next(&fixture->client, &at)) != NULL) {
			(void)snprintf(sid, sizeof(sid), "%.*s", found->sid_length, found->sid);
			assert_true(there[strtoul(sid, NULL, 10)]);
			seen++;
		}
		assert_int_equal(seen, count);
		assert_true(fixture->client.subscriptions.size <= 4 || fixture->client.subscriptions.size <= count * 8 + 8);
		assert_true(fixture->client.subscriptions.size - fixture->client.subscriptions.size / 16 * 3 >= count);
		assert_int_equal(COUNTERS_GET(&fixture->counters, subscriptions), count);
	}
	assert_true(count > 0);
}

/* A connection that closes drops its subscriptions some at a time. */
static void
test_drop_in_slices(void **state)
{
	unsigned i, dropped = 0, n;
	char sid[16];

	(void)state;
	for (i = 0; i < 1000; i++) {
		(void)snprintf(sid, sizeof(sid), "s%u", i);
		sub(i % 2 == 0 ? "x" : "y.*", i % 3 == 0 ? "q" : NULL, sid);
	}
	net_settle(fixture->net);
	while ((n = subscribe_drop(&fixture->client, 70)) > 0) {
		assert_true(n <= 70);
		dropped += n;
		assert_int_equal(fixture->client.subscriptions.used, 1000 - dropped);
		assert_int_equal(broker_subscriptions(fixture->worker.broker), 1000 - dropped);
	}
	assert_int_equal(dropped, 1000);
	net_settle(fixture->net);
	assert_null(sublist_find(net_account(&fixture->net->nodes[1])->list, "x", 1));
	assert_null(sublist_find(net_account(&fixture->net->nodes[1])->list, "y.*", 3));
}

/* Sids are any bytes, and long ones are fine. */
static void
test_odd_sids(void **state)
{
	static char longest[1 << 14];

	(void)state;
	sub("a", NULL, "\x01\xff");
	sub("b", NULL, "0");
	sub("c", NULL, "00");
	assert_int_equal(fixture->client.subscriptions.used, 3);
	unsub("0", -1);
	assert_null(sublist_find(fixture->client.account->list, "b", 1));
	assert_non_null(sublist_find(fixture->client.account->list, "c", 1));
	memset(longest, 's', sizeof(longest) - 1);
	sub("d", NULL, longest);
	assert_int_equal(fixture->client.subscriptions.used, 3);
	unsub(longest, -1);
	assert_int_equal(fixture->client.subscriptions.used, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_verbose_and_repeated_sid),
		TEST(test_refusals),
		TEST(test_unsub_with_maximum),
		TEST(test_held_while_the_ring_is_full),
		TEST(test_table_against_model),
		TEST(test_drop_in_slices),
		TEST(test_odd_sids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
