/*
 * Brokers over a real mesh, in one process: interest, deliveries, queue draws, large messages, liars, members that come and go.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/broker_net.h"

#define RING_SMALL ((size_t)256 << 10)

/* Who has interest in a subject, as a node sees it: bit m for member m's plain interest. */
static uint64_t
members_of(struct net_node *node, const char *subject)
{
	struct sublist_node *found = sublist_find(net_account(node)->list, subject, strlen(subject));

	return found == NULL ? 0 : found->members;
}

static uint64_t
remote_weight(struct net_node *node, const char *subject)
{
	struct sublist_node *found = sublist_find(net_account(node)->list, subject, strlen(subject));

	return found == NULL || found->queues == NULL ? 0 : found->queues->remote_weight;
}

static void
test_interest_spreads(void **state)
{
	struct net *net = net_create(3, RING_SMALL);
	struct net_node *a = &net->nodes[0], *b = &net->nodes[1], *c = &net->nodes[2];
	struct sublist_sub one = { 0 }, two = { 0 };
	uint64_t records;

	(void)state;
	net_settle(net);
	assert_true(broker_is_synced(a->broker) && broker_is_synced(b->broker) && broker_is_synced(c->broker));
	assert_true(a->synced >= 1);
	records = a->mesh->counters.records_out;
	assert_int_equal(net_subscribe(a, "foo.*", NULL, &one), SUBLIST_OK);
	assert_int_equal(a->mesh->counters.records_out, records + 2);
	assert_int_equal(net_subscribe(a, "foo.*", NULL, &two), SUBLIST_OK);
	assert_int_equal(a->mesh->counters.records_out, records + 2);
	net_settle(net);
	assert_int_equal(members_of(b, "foo.*"), 1);
	assert_int_equal(members_of(c, "foo.*"), 1);
	assert_int_equal(members_of(a, "foo.*"), 0);
	net_unsubscribe(a, &one);
	net_settle(net);
	assert_int_equal(members_of(b, "foo.*"), 1);
	net_unsubscribe(a, &two);
	net_settle(net);
	assert_int_equal(members_of(b, "foo.*"), 0);
	assert_int_equal(broker_subscriptions(a->broker), 0);
	assert_int_equal(net_subscribe(a, "foo..bar", NULL, &one), SUBLIST_INVALID);
	net_free(net);
}

static void
test_queue_weights_spread(void **state)
{
	struct net *net = net_create(2, RING_SMALL);
	struct net_node *a = &net->nodes[0], *b = &net->nodes[1];
	struct sublist_sub subs[3] = { 0 };
	unsigned i;

	(void)state;
	for (i = 0; i < 3; i++) {
		assert_int_equal(net_subscribe(a, "jobs", "q", &subs[i]), SUBLIST_OK);
		net_settle(net);
		assert_int_equal(remote_weight(b, "jobs"), i + 1);
	}
	for (i = 3; i > 0; i--) {
		net_unsubscribe(a, &subs[i - 1]);
		net_settle(net);
		assert_int_equal(remote_weight(b, "jobs"), i - 1);
	}
	assert_null(sublist_find(net_account(b)->list, "jobs", 4));
	net_free(net);
}

static void
test_message_arrives_whole(void **state)
{
	struct net *net = net_create(3, RING_SMALL);
	struct net_node *a = &net->nodes[0], *b = &net->nodes[1], *c = &net->nodes[2];
	struct sublist_sub at_a[2] = { 0 }, at_b = { 0 }, at_c = { 0 };
	uint64_t records;

	(void)state;
	assert_int_equal(net_subscribe(a, "x.y", NULL, &at_a[0]), SUBLIST_OK);
	assert_int_equal(net_subscribe(a, "x.*", NULL, &at_a[1]), SUBLIST_OK);
	assert_int_equal(net_subscribe(b, ">", NULL, &at_b), SUBLIST_OK);
	assert_int_equal(net_subscribe(c, "x", NULL, &at_c), SUBLIST_OK);
	net_settle(net);
	records = b->mesh->counters.records_out;
	/* Its own subscriber, and one for the other member that wants it, though two subscriptions match there. */
	assert_int_equal(net_publish(b, "x.y", "re.ply", 14, "NATS/1.0\r\n\r\nabcd", 16), 2);
	assert_int_equal(b->mesh->counters.records_out, records + 1);
	net_settle(net);
	assert_int_equal(b->log_count, 1);
	assert_int_equal(a->log_count, 2);
	assert_int_equal(c->log_count, 0);
	for (unsigned i = 0; i < 2; i++) {
		struct net_delivery *delivery = &a->log[i];

		assert_string_equal(delivery->subject, "x.y");
		assert_string_equal(delivery->reply, "re.ply");
		assert_string_equal(delivery->header_text, "14");
		assert_string_equal(delivery->size_text, "16");
		assert_memory_equal(delivery->payload, "NATS/1.0\r\n\r\nabcd", 16);
		assert_int_equal(delivery->header_size, 14);
		assert_int_equal(delivery->total_size, 16);
		assert_int_equal(delivery->origin_member, 1);
		assert_int_equal(delivery->origin_index, 5);
		assert_int_equal(delivery->origin_generation, 9);
		assert_null(delivery->origin);
	}
	assert_ptr_equal(b->log[0].origin, b);
	assert_ptr_not_equal(a->log[0].sub, a->log[1].sub);
	net_log_clear_all(net);
	/* Nothing but a subject, and to nobody. */
	assert_int_equal(net_publish(c, "x.y", NULL, 0, "", 0), 2);
	net_settle(net);
	assert_int_equal(a->log_count, 2);
	assert_null(a->log[0].reply);
	assert_null(a->log[0].header_text);
	assert_int_equal(a->log[0].total_size, 0);
	net_unsubscribe(b, &at_b);
	net_settle(net);
	assert_int_equal(net_publish(c, "nobody", "r", 0, "abc", 3), 0);
	net_unsubscribe(a, &at_a[0]);
	net_unsubscribe(a, &at_a[1]);
	net_unsubscribe(c, &at_c);
	net_free(net);
	assert_int_equal(blob_used_bytes(), 0);
}

/* What was found for a subject is forgotten as soon as anybody's interest changes, here or elsewhere. */
static void
test_changes_are_seen_at_once(void **state)
{
	struct net *net = net_create(2, RING_SMALL);
	struct net_node *a = &net->nodes[0], *b = &net->nodes[1];
	struct sublist_sub at_a = { 0 }, at_b = { 0 }, queue = { 0 };
	unsigned round;

	(void)state;
	for (round = 0; round < 3; round++) {
		assert_int_equal(net_publish(b, "s", NULL, 0, "", 0), 0);
		assert_int_equal(net_subscribe(b, "s", NULL, &at_b), SUBLIST_OK);
		assert_int_equal(net_publish(b, "s", NULL, 0, "", 0), 1);
		assert_int_equal(net_subscribe(a, "s", NULL, &at_a), SUBLIST_OK);
		assert_int_equal(net_publish(a, "s", NULL, 0, "", 0), 1);
		net_settle(net);
		assert_int_equal(net_publish(a, "s", NULL, 0, "", 0), 2);
		assert_int_equal(net_publish(b, "s", NULL, 0, "", 0), 2);
		assert_int_equal(net_subscribe(a, "*", "q", &queue), SUBLIST_OK);
		net_settle(net);
		assert_int_equal(net_publish(b, "s", NULL, 0, "", 0), 3);
		net_unsubscribe(a, &at_a);
		net_unsubscribe(a, &queue);
		net_settle(net);
		assert_int_equal(net_publish(b, "s", NULL, 0, "", 0), 1);
		net_unsubscribe(b, &at_b);
		net_settle(net);
	}
	net_free(net);
}

static double
chi_square(const uint64_t *counts, const double *expected, unsigned n)
{
	double sum = 0, difference;
	unsigned i;

	for (i = 0; i < n; i++) {
		difference = (double)counts[i] - expected[i];
		sum += difference * difference / expected[i];
	}
	return sum;
}

/* One member with 1, one with 3 and the publisher's own with 2 subscriptions of one group over two patterns. */
static void
test_queue_draw_is_fair(void **state)
{
	enum { ROUNDS = 60000 };
	struct net *net = net_create(3, RING_SMALL);
	struct sublist_sub subs[6] = { 0 };
	static const unsigned where[6] = { 0, 1, 1, 1, 2, 2 };
	static const char *const patterns[6] = { "j.*", "j.x", "j.*", "j.x", "j.>", "j.x" };
	uint64_t counts[6] = { 0 };
	double expected[6];
	unsigned i, n, l;

	(void)state;
	random_fast_seed(1);
	for (i = 0; i < 6; i++) {
		expected[i] = ROUNDS / 6.0;
		assert_int_equal(net_subscribe(&net->nodes[where[i]], patterns[i], "workers", &subs[i]), SUBLIST_OK);
	}
	net_settle(net);
	for (i = 0; i < ROUNDS; i++) {
		assert_int_equal(net_publish(&net->nodes[2], "j.x", NULL, 0, "x", 1), 1);
		if (i % 500 < 499)
			continue;
		net_settle(net);
		for (n = 0; n < 3; n++) {
			for (l = 0; l < net->nodes[n].log_count; l++)
				counts[net->nodes[n].log[l].sub - subs]++;
			net_log_clear(&net->nodes[n]);
		}
	}
	/* 5 degrees of freedom: one in 10,000 lies above. */
	assert_true(chi_square(counts, expected, 6) < 25.7);
	assert_int_equal(counts[0] + counts[1] + counts[2] + counts[3] + counts[4] + counts[5], ROUNDS);
	net_free(net);
}

static void
test_queue_and_plain_in_one_record(void **state)
{
	struct net *net = net_create(2, RING_SMALL);
	struct net_node *a = &net->nodes[0], *b = &net->nodes[1];
	struct sublist_sub plain = { 0 }, one = { 0 }, two = { 0 };
	uint64_t records;

	(void)state;
	assert_int_equal(net_subscribe(a, "s", NULL, &plain), SUBLIST_OK);
	assert_int_equal(net_subscribe(a, "s", "one", &one), SUBLIST_OK);
	assert_int_equal(net_subscribe(a, "*", "two", &two), SUBLIST_OK);
	net_settle(net);
	records = b->mesh->counters.records_out;
	assert_int_equal(net_publish(b, "s", NULL, 0, "x", 1), 3);
	assert_int_equal(b->mesh->counters.records_out, records + 1);
	net_settle(net);
	assert_int_equal(a->log_count, 3);
	net_free(net);
}

/* The drawn member's subscription has gone, or takes nothing: the group's message goes on to somebody else, not round for ever. */
static void
test_queue_is_passed_on(void **state)
{
	struct net *net = net_create(3, RING_SMALL);
	struct net_node *a = &net->nodes[0], *b = &net->nodes[1], *c = &net->nodes[2];
	struct sublist_sub at_a = { 0 }, at_c = { 0 };

	(void)state;
	assert_int_equal(net_subscribe(a, "s", "q", &at_a), SUBLIST_OK);
	assert_int_equal(net_subscribe(c, "s", "q", &at_c), SUBLIST_OK);
	net_settle(net);
	random_fast_seed(6);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(net_publish(b, "s", NULL, 0, "x", 1), 1);
	(void)mesh_commit(b->mesh);
	/* About half is on its way to a, which leaves the group. */
	net_unsubscribe(a, &at_a);
	net_settle(net);
	assert_int_equal(c->log_count, 100);
	assert_true(a->mesh->counters.records_in > 20);
	net_log_clear_all(net);

	assert_int_equal(net_subscribe(a, "s", "q", &at_a), SUBLIST_OK);
	net_settle(net);
	a->refuse_all = true;
	random_fast_seed(7);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(net_publish(b, "s", NULL, 0, "x", 1), 1);
	net_settle(net);
	assert_int_equal(c->log_count, 100);
	assert_int_equal(a->log_count, 0);
	/* Passed on by a: whose connection it was is still known. */
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(c->log[i].origin_member, 1);
		assert_int_equal(c->log[i].origin_index, 5);
	}
	net_log_clear_all(net);
	/* Nobody takes it: it ends after a few hops. */
	c->refuse_all = true;
	assert_int_equal(net_publish(b, "s", NULL, 0, "x", 1), 1);
	net_settle(net);
	assert_true(a->mesh->counters.records_out + c->mesh->counters.records_out < 200);
	net_free(net);
}

static void
test_local_member_of_group_refuses(void **state)
{
	struct net *net = net_create(2, RING_SMALL);
	struct net_node *a = &net->nodes[0], *b = &net->nodes[1];
	struct sublist_sub mine[2] = { 0 }, theirs = { 0 };

	(void)state;
	assert_int_equal(net_subscribe(a, "s", "q", &mine[0]), SUBLIST_OK);
	assert_int_equal(net_subscribe(a, "s", "q", &mine[1]), SUBLIST_OK);
	a->refuse = &mine[0];
	for (unsigned i = 0; i < 50; i++)
		assert_int_equal(net_publish(a, "s", NULL, 0, "x", 1), 1);
	assert_int_equal(a->log_count, 50);
	a->refuse_all = true;
	assert_int_equal(net_publish(a, "s", NULL, 0, "x", 1), 0);
	assert_int_equal(net_subscribe(b, "s", "q", &theirs), SUBLIST_OK);
	net_settle(net);
	for (unsigned i = 0; i < 50; i++)
		assert_int_equal(net_publish(a, "s", NULL, 0, "x", 1), 1);
	net_settle(net);
	assert_int_equal(b->log_count, 50);
	net_free(net);
}

static void
fill(uint8_t *payload, size_t n, unsigned seed)
{
	for (size_t i = 0; i < n; i++)
		payload[i] = (uint8_t)(i * 31 + i / 251 + seed);
}

/* From the largest that is copied to what takes hundreds of fragments; payloads may be held. */
static void
test_large_messages(void **state)
{
	static const size_t sizes[] = { BROKER_COPY_MAX, BROKER_COPY_MAX + 1, MESH_SMALL_MAX, 40000, 65400, 65500, 66000, 300000,
		1 << 20, 20 << 20 };
	struct net *net = net_create(2, RING_SMALL);
	struct net_node *a = &net->nodes[0], *b = &net->nodes[1];
	struct sublist_sub subs[2] = { 0 };
	uint8_t *payload = memory_alloc(20 << 20);
	unsigned i;

	(void)state;
	assert_int_equal(net_subscribe(a, "big", NULL, &subs[0]), SUBLIST_OK);
	assert_int_equal(net_subscribe(a, "*", "q", &subs[1]), SUBLIST_OK);
	net_settle(net);
	a->keep = true;
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		fill(payload, sizes[i], i);
		assert_int_equal(net_publish(b, "big", "reply", 100, payload, sizes[i]), 2);
		net_settle(net);
		assert_int_equal(a->log_count, 2);
		assert_int_equal(a->log[0].total_size, sizes[i]);
		assert_memory_equal(a->log[0].payload, payload, sizes[i]);
		assert_memory_equal(a->log[1].payload, payload, sizes[i]);
		assert_ptr_equal(a->kept[0], a->kept[1]);
		net_log_clear_all(net);
		assert_int_equal(blob_used_bytes(), 0);
	}
	/* Many at once: more than the ring, the order stays. */
	for (i = 0; i < 40; i++) {
		fill(payload, 100000, i);
		assert_int_equal(net_publish(b, "big", NULL, 0, payload, 100000), 2);
	}
	assert_true(b->mesh->overflow_bytes > 0);
	net_settle(net);
	assert_int_equal(a->log_count, 80);
	for (i = 0; i < 40; i++) {
		fill(payload, 100000, i);
		assert_memory_equal(a->log[i * 2].payload, payload, 100000);
	}
	memory_free(payload);
	net_free(net);
	assert_int_equal(blob_used_bytes(), 0);
}

/* Beyond what a record may be, or a member would take: the message reaches nobody elsewhere, and nobody is harmed. */
static void
test_too_large_is_lost(void **state)
{
	struct net *net = net_create(2, RING_SMALL);
	struct net_node *a = &net->nodes[0], *b = &net->nodes[1];
	struct sublist_sub sub = { 0 };
	uint8_t *payload = memory_zalloc(66 << 20);
	char *subject = memory_zalloc(70001);

	(void)state;
	memset(subject, 'x', 70000);
	assert_int_equal(net_subscribe(a, ">", NULL, &sub), SUBLIST_OK);
	net_settle(net);
	assert_int_equal(net_publish(b, "s", NULL, 0, payload, 66 << 20), 0);
	assert_int_equal(net_publish(b, subject, NULL, 0, payload, 1), 0);
	assert_int_equal(net_publish(b, "s", subject, 0, payload, 1), 0);
	assert_int_equal(net_subscribe(b, subject, NULL, &sub), SUBLIST_INVALID);
	subject[BROKER_SUBJECT_MAX] = '\0';
	assert_int_equal(net_publish(b, subject, subject, 0, payload, 1), 1);
	net_settle(net);
	assert_int_equal(a->log_count, 1);
	assert_string_equal(a->log[0].reply, subject);
	memory_free(subject);
	memory_free(payload);
	net_free(net);
}

/* The longest subjects and group names, which one record of the smallest ring does not hold. */
static void
test_longest_interest(void **state)
{
	struct net *net = net_create(2, RING_SMALL);
	struct net_node *a = &net->nodes[0], *b = &net->nodes[1];
	struct sublist_sub plain = { 0 }, queue = { 0 };
	char *subject = memory_zalloc(BROKER_SUBJECT_MAX + 1), *name = memory_zalloc(BROKER_QUEUE_MAX + 1);

	(void)state;
	memset(subject, 's', BROKER_SUBJECT_MAX);
	memset(name, 'q', BROKER_QUEUE_MAX);
	assert_int_equal(net_subscribe(a, subject, NULL, &plain), SUBLIST_OK);
	assert_int_equal(net_subscribe(a, subject, name, &queue), SUBLIST_OK);
	net_settle(net);
	assert_int_equal(members_of(b, subject), 1);
	assert_int_equal(remote_weight(b, subject), 1);
	assert_int_equal(net_publish(b, subject, NULL, 0, "x", 1), 2);
	net_settle(net);
	assert_int_equal(a->log_count, 2);
	net_unsubscribe(a, &plain);
	net_unsubscribe(a, &queue);
	net_settle(net);
	assert_null(sublist_find(net_account(b)->list, subject, BROKER_SUBJECT_MAX));
	memory_free(subject);
	memory_free(name);
	net_free(net);
}

/* More groups on one subject than 16 bits count. */
static void
test_very_many_groups(void **state)
{
	enum { GROUPS = 70000 };
	struct net *net = net_create(2, (size_t)4 << 20);
	struct net_node *a = &net->nodes[0], *b = &net->nodes[1];
	struct sublist_sub *subs = memory_array(GROUPS, sizeof(*subs));
	char name[16];
	int64_t start;

	(void)state;
	for (unsigned i = 0; i < GROUPS; i++) {
		(void)snprintf(name, sizeof(name), "q%u", i);
		assert_int_equal(net_subscribe(a, i % 2 == 0 ? "s" : "*", name, &subs[i]), SUBLIST_OK);
		if (i % 1000 == 0)
			net_settle(net);
	}
	net_settle(net);
	start = clock_monotonic();
	assert_int_equal(net_publish(b, "s", NULL, 0, "x", 1), GROUPS);
	net_settle(net);
	assert_int_equal(a->deliveries, GROUPS);
	assert_true(clock_monotonic() - start < 5 * LOOP_SECOND);
	net_free(net);
	memory_free(subs);
}

static void
test_members_come_and_go(void **state)
{
	struct net *net = net_create(3, RING_SMALL);
	struct net_node *a = &net->nodes[0], *b = &net->nodes[1], *c = &net->nodes[2];
	struct sublist_sub plain = { 0 }, queue = { 0 }, lost = { 0 };

	(void)state;
	assert_int_equal(net_subscribe(a, "s", NULL, &plain), SUBLIST_OK);
	assert_int_equal(net_subscribe(a, "s", "q", &queue), SUBLIST_OK);
	assert_int_equal(net_subscribe(b, "s", NULL, &lost), SUBLIST_OK);
	net_settle(net);
	assert_int_equal(net_publish(c, "s", NULL, 0, "x", 1), 3);
	net_settle(net);
	net_node_down(net, 1);
	assert_int_equal(net_publish(c, "s", NULL, 0, "x", 1), 2);
	net_settle(net);
	net_node_up(net, 1);
	assert_false(broker_is_synced(a->broker));
	assert_false(broker_is_synced(b->broker));
	net_settle(net);
	assert_true(broker_is_synced(a->broker) && broker_is_synced(b->broker));
	assert_true(b->synced > 0);
	/* The new one knows what the others want, and they have forgotten what the old one wanted. */
	assert_int_equal(members_of(b, "s"), 1);
	assert_int_equal(remote_weight(b, "s"), 1);
	assert_int_equal(members_of(c, "s"), 1);
	net_log_clear_all(net);
	assert_int_equal(net_publish(b, "s", NULL, 0, "x", 1), 2);
	net_settle(net);
	assert_int_equal(a->log_count, 2);
	net_free(net);
}

/* More interest than an overflow queue may hold of messages: a member that starts anew learns all of it. */
static void
test_much_interest_for_a_new_member(void **state)
{
	enum { SUBSCRIPTIONS = 72000, LENGTH = 1000 };
	struct net *net = net_create(2, RING_SMALL);
	struct net_node *a = &net->nodes[0], *b = &net->nodes[1];
	struct sublist_sub *subs = memory_array(SUBSCRIPTIONS, sizeof(*subs));
	char subject[LENGTH + 1];
	unsigned i;

	(void)state;
	net_settle(net);
	net_node_down(net, 1);
	memset(subject, 's', LENGTH);
	subject[LENGTH] = '\0';
	for (i = 0; i < SUBSCRIPTIONS; i++) {
		(void)snprintf(subject, 8, "%07u", i);
		subject[7] = '.';
		assert_int_equal(net_subscribe(a, subject, NULL, &subs[i]), SUBLIST_OK);
	}
	net_node_up(net, 1);
	assert_true(a->mesh->overflow_bytes > MESH_OVERFLOW_MAX);
	assert_false(broker_settled(a->broker));
	net_settle(net);
	assert_true(broker_is_synced(b->broker));
	assert_int_equal(a->mesh->overflow_bytes, 0);
	assert_int_equal(members_of(b, subject), 1);
	net_free(net);
	memory_free(subs);
}

static void
test_stall_finds_the_publisher(void **state)
{
	struct net *net = net_create(2, RING_SMALL);
	struct net_node *a = &net->nodes[0], *b = &net->nodes[1];
	struct broker_message message = { .origin_index = 7, .origin_generation = 8, .origin_member = 1 };

	(void)state;
	broker_stall(a->broker, &message);
	net_settle(net);
	assert_int_equal(b->stalls, 1);
	assert_int_equal(b->stall_index, 7);
	assert_int_equal(b->stall_generation, 8);
	message.origin_member = 0;
	broker_stall(a->broker, &message);
	message.origin_member = 3;
	broker_stall(a->broker, &message);
	net_settle(net);
	assert_int_equal(a->stalls + b->stalls, 1);
	net_free(net);
}

static bool
is_wanted(void *arg, const struct sublist_sub *sub)
{
	return sub == arg;
}

static void
test_find(void **state)
{
	struct net *net = net_create(1, RING_SMALL);
	struct net_node *a = &net->nodes[0];
	struct sublist_sub one = { 0 }, two = { 0 }, queue = { 0 };

	(void)state;
	assert_int_equal(net_subscribe(a, "r.1", NULL, &one), SUBLIST_OK);
	assert_int_equal(net_subscribe(a, "r.*", NULL, &two), SUBLIST_OK);
	assert_int_equal(net_subscribe(a, "r.*", "q", &queue), SUBLIST_OK);
	assert_ptr_equal(broker_find(a->broker, net_account(a), "r.1", 3, is_wanted, &two), &two);
	assert_ptr_equal(broker_find(a->broker, net_account(a), "r.1", 3, is_wanted, &one), &one);
	assert_null(broker_find(a->broker, net_account(a), "r.2", 3, is_wanted, &one));
	assert_null(broker_find(a->broker, net_account(a), "r.1", 3, is_wanted, &queue));
	net_free(net);
}

/* A ring that is full: interest waits, so it is not settled, and then it is. */
static void
test_settled(void **state)
{
	struct net *net = net_create(2, RING_SMALL);
	struct net_node *a = &net->nodes[0], *b = &net->nodes[1];
	struct sublist_sub sub = { 0 }, late = { 0 };
	uint8_t payload[4000] = { 0 };

	(void)state;
	assert_int_equal(net_subscribe(b, "s", NULL, &sub), SUBLIST_OK);
	net_settle(net);
	assert_true(broker_settled(a->broker));
	while (a->mesh->overflow_bytes == 0)
		assert_int_equal(net_publish(a, "s", NULL, 0, payload, sizeof(payload)), 1);
	assert_int_equal(net_subscribe(a, "late", NULL, &late), SUBLIST_OK);
	(void)mesh_commit(a->mesh);
	assert_false(broker_settled(a->broker));
	assert_false(mesh_reached_all(a->mesh, broker_position(a->broker)));
	net_settle(net);
	assert_true(broker_settled(a->broker));
	assert_true(mesh_reached_all(a->mesh, broker_position(a->broker)));
	assert_int_equal(members_of(b, "late"), 1);
	net_free(net);
}

static void
test_accounts_are_apart(void **state)
{
	struct net *net = net_create(2, RING_SMALL);
	struct net_node *a = &net->nodes[0], *b = &net->nodes[1];
	struct sublist_sub global = { 0 }, other = { 0 };

	(void)state;
	assert_null(broker_account(a->broker, 0));
	assert_null(broker_account(a->broker, BROKER_ACCOUNTS_MAX));
	broker_grant(b->broker, 77, 0);
	assert_int_equal(net_subscribe(a, "s", NULL, &global), SUBLIST_OK);
	assert_int_equal(broker_subscribe(a->broker, broker_account(a->broker, 77), "t", 1, NULL, 0, &other), SUBLIST_OK);
	net_settle(net);
	assert_int_equal(net_publish(b, "t", NULL, 0, "x", 1), 0);
	assert_int_equal(net_publish(b, "s", NULL, 0, "x", 1), 1);
	assert_int_equal(broker_subscriptions(a->broker), 2);
	net_free(net);
}

/* ---- liars: each field of each record, one at a time ---- */

struct record {
	uint16_t kind;
	struct broker_envelope envelope;
	struct broker_interest interest;
	const char *subject, *reply, *header_text, *size_text;
	uint8_t queues[64];
	const char *payload;
	size_t cut, more; /* bytes taken off the end, or added there */
};

static const struct record honest_message = {
	.kind = BROKER_RECORD_MESSAGE,
	.envelope = { .account = BROKER_ACCOUNT_GLOBAL,
	    .origin_index = 1,
	    .origin_generation = 2,
	    .header_size = 4,
	    .total_size = 7,
	    .queues_length = 3,
	    .subject_length = 3,
	    .reply_length = 1,
	    .queues = 1,
	    .header_text_length = 1,
	    .size_text_length = 1,
	    .plain = 1,
	    .hops = 0 },
	.subject = "s.t",
	.reply = "r",
	.header_text = "4",
	.size_text = "7",
	.queues = { 1, 0, 'q' },
	.payload = "headabc",
};

static const struct record honest_interest = {
	.kind = BROKER_RECORD_INTEREST,
	.interest = { .account = BROKER_ACCOUNT_GLOBAL, .weight = 1, .subject_length = 3, .queue_length = 0 },
	.subject = "a.b",
	.reply = "q",
};

static size_t
record_bytes(const struct record *record, uint8_t *to)
{
	uint8_t *at = to;
	size_t n =
	    record->envelope.queues_length < sizeof(record->queues) ? record->envelope.queues_length : sizeof(record->queues);

#define APPEND(from, length) (memcpy(at, from, length), at += (length))
	if (record->kind == BROKER_RECORD_INTEREST) {
		APPEND(&record->interest, sizeof(record->interest));
		APPEND(record->subject, strlen(record->subject));
		if (record->interest.queue_length > 0)
			APPEND(record->reply, strlen(record->reply));
	} else if (record->kind == BROKER_RECORD_MESSAGE) {
		APPEND(&record->envelope, sizeof(record->envelope));
		APPEND(record->subject, strlen(record->subject));
		APPEND(record->reply, strlen(record->reply));
		APPEND(record->header_text, strlen(record->header_text));
		APPEND(record->size_text, strlen(record->size_text));
		APPEND(record->queues, n);
		APPEND(record->payload, strlen(record->payload));
	}
#undef APPEND
	memset(at, 0, record->more);
	return (size_t)(at - to) + record->more - record->cut;
}

/* Given to a new node as if member 1 had sent it, in a block of its exact size. */
static bool
told(struct net_node *node, const struct record *record)
{
	uint8_t bytes[512], *body;
	size_t n = record_bytes(record, bytes);
	bool honest;

	body = memory_alloc(n);
	memcpy(body, bytes, n);
	honest = broker_record(node->broker, 1, record->kind, body, n, NULL);
	memory_free(body);
	return honest;
}

#define REFUSED(change) \
	do { \
		struct record record = honest; \
		change; \
		if (told(a, &record)) \
			fail_msg("taken: %s", #change); \
		assert_int_equal(a->log_count, 0); \
	} while (0)

#define TAKEN(change) \
	do { \
		struct record record = honest; \
		change; \
		if (!told(a, &record)) \
			fail_msg("refused: %s", #change); \
		net_log_clear(a); \
	} while (0)

static void
test_hostile_messages(void **state)
{
	struct net *net = net_create(2, RING_SMALL);
	struct net_node *a = &net->nodes[0];
	struct record honest = honest_message;
	struct sublist_sub plain = { 0 }, queue = { 0 };
	size_t cut;

	(void)state;
	assert_int_equal(net_subscribe(a, "*.t", NULL, &plain), SUBLIST_OK);
	assert_int_equal(net_subscribe(a, "*.t", "q", &queue), SUBLIST_OK);
	assert_true(told(a, &honest));
	assert_int_equal(a->log_count, 2);
	assert_string_equal(a->log[1].subject, "s.t");
	net_log_clear(a);

	REFUSED(record.envelope.account = 0);
	REFUSED(record.envelope.account = 5);
	REFUSED(record.envelope.account = BROKER_ACCOUNTS_MAX);
	REFUSED(record.envelope.account = UINT32_MAX);
	REFUSED(record.envelope.header_size = 3);
	REFUSED(record.envelope.header_size = 8; record.header_text = "8");
	REFUSED(record.envelope.header_size = UINT32_MAX);
	REFUSED(record.envelope.header_size = 0);
	REFUSED(record.envelope.header_size = 0; record.header_text = "0");
	REFUSED(record.envelope.total_size = 6);
	REFUSED(record.envelope.total_size = 8);
	REFUSED(record.envelope.total_size = UINT32_MAX);
	REFUSED(record.envelope.total_size = 0);
	REFUSED(record.envelope.queues_length = 2);
	REFUSED(record.envelope.queues_length = 4);
	REFUSED(record.envelope.queues_length = UINT32_MAX);
	REFUSED(record.envelope.subject_length = 0);
	REFUSED(record.envelope.subject_length = 2);
	REFUSED(record.envelope.subject_length = 4);
	REFUSED(record.envelope.subject_length = UINT32_MAX);
	REFUSED(record.envelope.reply_length = 0);
	REFUSED(record.envelope.reply_length = 2);
	REFUSED(record.envelope.reply_length = UINT32_MAX);
	REFUSED(record.envelope.header_text_length = 0);
	REFUSED(record.envelope.header_text_length = 0; record.header_text = "");
	REFUSED(record.envelope.header_text_length = 2);
	REFUSED(record.envelope.header_text_length = 255);
	REFUSED(record.envelope.size_text_length = 0);
	REFUSED(record.envelope.size_text_length = 0; record.size_text = "");
	REFUSED(record.envelope.size_text_length = 2);
	REFUSED(record.envelope.size_text_length = 255);
	REFUSED(record.envelope.plain = 2);
	REFUSED(record.envelope.plain = 255);
	REFUSED(record.envelope.hops = BROKER_HOPS_MAX + 1);
	REFUSED(record.envelope.hops = 255);
	REFUSED(record.envelope.origin_member = MESH_MEMBERS_MAX);
	REFUSED(record.envelope.origin_member = 255);
	/* What would stand in the protocol. */
	REFUSED(record.size_text = "8");
	REFUSED(record.size_text = "x");
	REFUSED(record.size_text = "+7"; record.envelope.size_text_length = 2);
	REFUSED(record.size_text = "000000000000000000007"; record.envelope.size_text_length = 21);
	REFUSED(record.header_text = "5");
	REFUSED(record.header_text = " ");
	REFUSED(record.subject = "s t");
	REFUSED(record.subject = "\tst");
	REFUSED(record.subject = "st\r");
	REFUSED(record.subject = "s\nt");
	REFUSED(record.subject = "longer.than.a.word\r\n+OK"; record.envelope.subject_length = 23);
	REFUSED(record.reply = " ");
	REFUSED(record.reply = "\r");
	REFUSED(record.reply = "\n");
	REFUSED(record.reply = "\t");
	for (cut = 1; cut <= sizeof(struct broker_envelope) + 16; cut++)
		REFUSED(record.cut = cut);
	REFUSED(record.more = 1);
	REFUSED(record.kind = 0);
	REFUSED(record.kind = 5);
	REFUSED(record.kind = UINT16_MAX);

	TAKEN(record.envelope.hops = BROKER_HOPS_MAX);
	TAKEN(record.envelope.hops = 1; record.envelope.origin_member = 0);
	TAKEN(record.envelope.plain = 0);
	TAKEN(record.size_text = "00000000000000000007"; record.envelope.size_text_length = 20);
	TAKEN(record.subject = "\x01.\xff");
	net_free(net);
}

static void
test_hostile_queue_names(void **state)
{
	struct net *net = net_create(2, RING_SMALL);
	struct net_node *a = &net->nodes[0];
	struct record honest = honest_message;

	(void)state;
	TAKEN(record.envelope.queues = 0; record.envelope.queues_length = 0);
	TAKEN(record.queues[2] = 'z');
	REFUSED(record.envelope.queues = 2);
	REFUSED(record.envelope.queues = UINT32_MAX);
	REFUSED(record.queues[0] = 0);
	REFUSED(record.queues[0] = 2);
	REFUSED(record.queues[1] = 0xff);
	REFUSED(record.envelope.queues_length = 4; record.queues[3] = 1);
	REFUSED(record.envelope.queues_length = 1);
	REFUSED(record.envelope.queues = 0);
	net_free(net);
}

static void
test_hostile_interest(void **state)
{
	struct net *net = net_create(2, RING_SMALL);
	struct net_node *a = &net->nodes[0];
	struct record honest = honest_interest;
	size_t cut;

	(void)state;
	REFUSED(record.interest.account = 0);
	REFUSED(record.interest.account = 9);
	REFUSED(record.interest.account = BROKER_ACCOUNTS_MAX);
	REFUSED(record.interest.account = UINT32_MAX);
	REFUSED(record.interest.subject_length = 0);
	REFUSED(record.interest.subject_length = 0; record.subject = "");
	REFUSED(record.interest.subject_length = 2);
	REFUSED(record.interest.subject_length = 4);
	REFUSED(record.interest.subject_length = UINT32_MAX);
	REFUSED(record.interest.subject_length = UINT32_MAX; record.interest.queue_length = UINT32_MAX);
	REFUSED(record.interest.queue_length = 2);
	REFUSED(record.interest.queue_length = UINT32_MAX);
	REFUSED(record.interest.weight = 0); /* takes back what was never told */
	REFUSED(record.interest.weight = 0; record.interest.queue_length = 1);
	REFUSED(record.subject = "a b");
	REFUSED(record.subject = "a\rb");
	REFUSED(record.subject = "a\nb");
	REFUSED(record.subject = "a\tb");
	REFUSED(record.subject = "a..");
	REFUSED(record.subject = ".a.");
	REFUSED(record.subject = ">.a");
	REFUSED(record.interest.queue_length = 1; record.reply = " ");
	REFUSED(record.interest.queue_length = 1; record.reply = "\n");
	for (cut = 1; cut <= sizeof(struct broker_interest) + 3; cut++)
		REFUSED(record.cut = cut);
	REFUSED(record.more = 1);
	assert_true(told(a, &honest));
	REFUSED((void)record); /* told twice */
	TAKEN(record.interest.weight = 0);
	REFUSED(record.interest.weight = 0);
	TAKEN(record.interest.weight = UINT32_MAX); /* plain: any number is one */
	TAKEN(record.interest.queue_length = 1; record.interest.weight = UINT32_MAX);
	TAKEN(record.interest.queue_length = 1; record.interest.weight = 5);
	TAKEN(record.interest.queue_length = 1; record.interest.weight = 0);
	REFUSED(record.interest.queue_length = 1; record.interest.weight = 0);
	net_free(net);
}

static void
test_hostile_others(void **state)
{
	struct net *net = net_create(2, RING_SMALL);
	struct net_node *a = &net->nodes[0];
	uint8_t body[16] = { 0 };
	unsigned i;

	(void)state;
	assert_false(broker_record(a->broker, 1, BROKER_RECORD_SYNCED, body, 1, NULL));
	assert_true(broker_record(a->broker, 1, BROKER_RECORD_SYNCED, body, 0, NULL));
	assert_false(broker_record(a->broker, 1, BROKER_RECORD_SYNCED, body, 0, NULL));
	for (i = 0; i < sizeof(body); i++)
		assert_int_equal(broker_record(a->broker, 1, BROKER_RECORD_STALL, body, i, NULL), i == 8);
	net_free(net);
}

/* An account that the member may not speak for: the owner is asked each time, and no account comes into being. */
static void
test_grants(void **state)
{
	struct net *net = net_create(2, RING_SMALL);
	struct net_node *a = &net->nodes[0];
	struct record honest = honest_interest;

	(void)state;
	REFUSED(record.interest.account = 1000000);
	assert_int_equal(a->asked, 1);
	assert_true(a->broker->accounts_size < 1000);
	honest.interest.account = 40;
	REFUSED((void)record);
	a->grant_when_asked = 40;
	assert_true(told(a, &honest));
	assert_int_equal(a->asked, 3);
	honest = honest_message;
	TAKEN(record.envelope.account = 40);
	assert_int_equal(a->asked, 3);
	net_free(net);
}

/* A lie in a ring: the member is named, the others go on. */
static void
test_liar_is_named(void **state)
{
	struct net *net = net_create(3, RING_SMALL);
	struct net_node *a = &net->nodes[0], *b = &net->nodes[1], *c = &net->nodes[2];
	struct sublist_sub sub = { 0 };
	uint8_t *body;

	(void)state;
	assert_int_equal(net_subscribe(a, "s", NULL, &sub), SUBLIST_OK);
	net_settle(net);
	body = mesh_put(b->mesh, 0, BROKER_RECORD_MESSAGE, 100);
	memset(body, 0xff, 100);
	(void)mesh_commit(b->mesh);
	assert_int_equal(net_drain(a), 1);
	net_node_down(net, 1);
	assert_int_equal(net_publish(c, "s", NULL, 0, "x", 1), 1);
	net_settle(net);
	assert_int_equal(a->log_count, 1);
	net_free(net);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_interest_spreads),
		cmocka_unit_test(test_queue_weights_spread),
		cmocka_unit_test(test_message_arrives_whole),
		cmocka_unit_test(test_changes_are_seen_at_once),
		cmocka_unit_test(test_queue_draw_is_fair),
		cmocka_unit_test(test_queue_and_plain_in_one_record),
		cmocka_unit_test(test_queue_is_passed_on),
		cmocka_unit_test(test_local_member_of_group_refuses),
		cmocka_unit_test(test_large_messages),
		cmocka_unit_test(test_too_large_is_lost),
		cmocka_unit_test(test_longest_interest),
		cmocka_unit_test(test_very_many_groups),
		cmocka_unit_test(test_members_come_and_go),
		cmocka_unit_test(test_much_interest_for_a_new_member),
		cmocka_unit_test(test_stall_finds_the_publisher),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_settled),
		cmocka_unit_test(test_accounts_are_apart),
		cmocka_unit_test(test_hostile_messages),
		cmocka_unit_test(test_hostile_queue_names),
		cmocka_unit_test(test_hostile_interest),
		cmocka_unit_test(test_hostile_others),
		cmocka_unit_test(test_grants),
		cmocka_unit_test(test_liar_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
