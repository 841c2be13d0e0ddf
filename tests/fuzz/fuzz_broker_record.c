/*
 * Fuzz target: a broker that is told records by a lying member. The input is a row of records: kind (1 byte), length (2 bytes,
 * little endian), body. Whatever it says, the broker takes or refuses each as a whole, delivers nothing that would break a line of
 * the protocol, never sends on what an honest member would refuse, and forgets all of it when the liar goes.
 */
#include "tests/unit/broker_net.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct net *fuzz_net;

static struct broker *
fuzz_broker(struct net_node *node)
{
	struct broker_calls calls = { net_deliver, net_stall, net_synced, net_granted, node };
	struct broker *broker = broker_create(node->mesh, &calls, true);

	CHECK(broker != NULL);
	broker_grant(broker, BROKER_ACCOUNT_GLOBAL, 0);
	broker_grant(broker, BROKER_ACCOUNT_GLOBAL, 1);
	return broker;
}

/* New brokers over the same mesh, tied together again. */
static void
fuzz_begin(void)
{
	unsigned i;

	if (fuzz_net == NULL) {
		fuzz_net = net_create(2, (size_t)256 << 10);
		net_settle(fuzz_net);
	}
	for (i = 0; i < 2; i++) {
		broker_free(fuzz_net->nodes[i].broker);
		fuzz_net->nodes[i].broker = fuzz_broker(&fuzz_net->nodes[i]);
		fuzz_net->nodes[i].grant_when_asked = 3;
	}
	for (i = 0; i < 2; i++)
		broker_peer_up(fuzz_net->nodes[i].broker, 1 - i);
	net_settle(fuzz_net);
}

static bool
fuzz_breaks_line(const char *text)
{
	return text != NULL && text[strcspn(text, " \t\r\n")] != '\0';
}

static void
fuzz_check_log(struct net_node *node)
{
	const struct net_delivery *delivery;
	unsigned i;

	for (i = 0; i < node->log_count; i++) {
		delivery = &node->log[i];
		CHECK(!fuzz_breaks_line(delivery->subject) && !fuzz_breaks_line(delivery->reply));
		CHECK(strtoull(delivery->size_text, NULL, 10) == delivery->total_size);
		CHECK(delivery->header_size <= delivery->total_size);
		CHECK((delivery->header_text != NULL) == (delivery->header_size > 0));
		CHECK(delivery->header_text == NULL || strtoull(delivery->header_text, NULL, 10) == delivery->header_size);
	}
	net_log_clear(node);
}

/* In a block of its own, so that the sanitizer sees a step beyond; a long one in a blob, as the mesh gives it. */
static void
fuzz_record(struct net_node *node, uint16_t kind, const uint8_t *body, size_t length)
{
	struct blob *blob = NULL;
	uint8_t *copy = NULL;
	unsigned before = node->log_count;

	if (length > MESH_SMALL_MAX) {
		blob = blob_create(length);
		CHECK(blob != NULL);
		memcpy(blob->data, body, length);
	} else {
		copy = memory_alloc(length);
		CHECK(copy != NULL);
		memcpy(copy, body, length);
	}
	if (!broker_record(node->broker, 1, kind, blob != NULL ? blob->data : copy, length, blob))
		CHECK(node->log_count == before);
	blob_release(blob);
	memory_free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const subjects[] = { "a", "a.b", "a.*", ">", "q.q" };
	struct sublist_sub subs[10] = { 0 };
	struct net_node *node;
	struct sublist_stats stats;
	unsigned i;

	fuzz_begin();
	node = &fuzz_net->nodes[0];
	for (i = 0; i < 10; i++)
		CHECK(net_subscribe(node, subjects[i % 5], i < 5 ? NULL : "q", &subs[i]) == SUBLIST_OK);
	while (size >= 3) {
		size_t length = data[1] | (size_t)data[2] << 8;

		length = length < size - 3 ? length : size - 3;
		fuzz_record(node, data[0], data + 3, length);
		fuzz_check_log(node);
		data += 3 + length;
		size -= 3 + length;
	}
	/* With what it believes now, it still says nothing that others refuse. */
	for (i = 0; i < 5; i++)
		(void)net_publish(node, subjects[i], "r", 0, "x", 1);
	fuzz_check_log(node);
	for (i = 0; i < 10; i++)
		net_unsubscribe(node, &subs[i]);
	net_settle(fuzz_net);
	fuzz_check_log(node);
	broker_peer_down(node->broker, 1);
	sublist_stats(net_account(node)->list, &stats);
	CHECK(stats.num_nodes == 0 && stats.num_subscriptions == 0);
	CHECK(blob_used_bytes() == 0);
	return 0;
}
