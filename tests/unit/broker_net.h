/*
 * A few brokers in one process over a real mesh: for test_broker.c and the fuzz target of their records. Each delivery is written
 * down; a node can be told to refuse them. Nobody waits: net_settle() drains and commits until nothing moves.
 */
#ifndef TESTS_UNIT_BROKER_NET_H
#define TESTS_UNIT_BROKER_NET_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/blob.h"
#include "base/check.h"
#include "base/loop.h"
#include "base/memory.h"
#include "broker/broker.h"
#include "broker/broker_private.h"
#include "ipc/mesh.h"

enum { NET_NODES_MAX = 4, NET_LOG_MAX = 4096 };

struct net_delivery {
	const struct sublist_sub *sub;
	char *subject, *reply, *header_text, *size_text; /* NULL: none */
	uint8_t *payload;
	uint32_t header_size, total_size, origin_index, origin_generation;
	unsigned origin_member;
	const void *origin;
	bool in_blob;
};

struct net;

struct net_node {
	struct net *net;
	unsigned member;
	bool up;
	struct mesh *mesh;
	struct mesh_member made;
	struct broker *broker;
	struct net_delivery log[NET_LOG_MAX];
	unsigned log_count;
	uint64_t deliveries; /* also those beyond the log */
	unsigned stalls, stall_index, stall_generation, synced, asked;
	uint32_t grant_when_asked;        /* an account that the owner grants once it is asked, 0: none */
	const struct sublist_sub *refuse; /* deliveries to it fail */
	bool refuse_all, keep;            /* keep: payloads are held as a slow receiver would */
	struct blob *kept[64];
	unsigned kept_count;
};

struct net {
	size_t ring_size;
	unsigned count;
	struct net_node nodes[NET_NODES_MAX];
};

static inline char *
net_text(const char *text, size_t n)
{
	return text == NULL ? NULL : memory_string(text, n);
}

static inline bool
net_deliver(void *arg, struct sublist_sub *sub, struct broker_message *message)
{
	struct net_node *node = arg;
	struct net_delivery *delivery;

	if (node->refuse_all || node->refuse == sub)
		return false;
	node->deliveries++;
	if (node->keep && node->kept_count < 64) {
		CHECK(broker_message_keep(message));
		node->kept[node->kept_count++] = blob_hold(message->blob);
	}
	if (node->log_count == NET_LOG_MAX)
		return true;
	delivery = &node->log[node->log_count++];
	delivery->sub = sub;
	delivery->subject = net_text(message->subject, message->subject_length);
	delivery->reply = net_text(message->reply, message->reply_length);
	delivery->header_text = net_text(message->header_text, message->header_text_length);
	delivery->size_text = net_text(message->size_text, message->size_text_length);
	delivery->payload = memory_alloc(message->total_size);
	CHECK(delivery->payload != NULL);
	memcpy(delivery->payload, message->payload, message->total_size);
	if (message->blob != NULL)
		CHECK(message->payload == message->blob->data + message->blob_offset);
	delivery->in_blob = message->blob != NULL;
	delivery->header_size = message->header_size;
	delivery->total_size = message->total_size;
	delivery->origin_index = message->origin_index;
	delivery->origin_generation = message->origin_generation;
	delivery->origin_member = message->origin_member;
	delivery->origin = message->origin;
	return true;
}

static inline void
net_stall(void *arg, uint32_t index, uint32_t generation)
{
	struct net_node *node = arg;

	node->stalls++;
	node->stall_index = index;
	node->stall_generation = generation;
}

static inline void
net_synced(void *arg)
{
	((struct net_node *)arg)->synced++;
}

static inline bool
net_granted(void *arg, unsigned member, uint32_t account)
{
	struct net_node *node = arg;

	node->asked++;
	if (account != node->grant_when_asked)
		return false;
	broker_grant(node->broker, account, member);
	return true;
}

static inline bool
net_record(void *arg, unsigned member, uint16_t kind, const uint8_t *body, size_t length, struct blob *blob)
{
	struct net_node *node = arg;

	return broker_record(node->broker, member, kind, body, length, blob);
}

static inline void
net_log_clear(struct net_node *node)
{
	unsigned i;

	for (i = 0; i < node->log_count; i++) {
		memory_free(node->log[i].subject);
		memory_free(node->log[i].reply);
		memory_free(node->log[i].header_text);
		memory_free(node->log[i].size_text);
		memory_free(node->log[i].payload);
	}
	for (i = 0; i < node->kept_count; i++)
		blob_release(node->kept[i]);
	node->log_count = node->kept_count = 0;
	node->deliveries = 0;
}

static inline void
net_log_clear_all(struct net *net)
{
	unsigned i;

	for (i = 0; i < net->count; i++)
		net_log_clear(&net->nodes[i]);
}

/* Makes the node anew and ties it to those that are up; everybody speaks for the global account. */
static inline void
net_node_up(struct net *net, unsigned member)
{
	struct net_node *node = &net->nodes[member], *other;
	struct broker_calls calls = { net_deliver, net_stall, net_synced, net_granted, node };
	struct mesh_own own;
	struct mesh_link mine, theirs;
	unsigned i;

	memset(node, 0, sizeof(*node));
	node->net = net;
	node->member = member;
	CHECK(mesh_create_member(&node->made) == 0);
	mesh_take_own(&node->made, &own);
	node->mesh = mesh_attach(member, net->ring_size, &own, net_record, node);
	CHECK(node->mesh != NULL);
	node->broker = broker_create(node->mesh, &calls, true);
	CHECK(node->broker != NULL);
	for (i = 0; i < net->count; i++) {
		broker_grant(node->broker, BROKER_ACCOUNT_GLOBAL, i);
		if (i == member || !net->nodes[i].up)
			continue;
		other = &net->nodes[i];
		CHECK(mesh_create_link(&node->made, &other->made, net->ring_size, &mine, &theirs) == 0);
		CHECK(mesh_peer_up(node->mesh, i, &mine) == 0);
		CHECK(mesh_peer_up(other->mesh, member, &theirs) == 0);
		broker_peer_up(node->broker, i);
		broker_peer_up(other->broker, member);
	}
	node->up = true;
}

static inline void
net_node_down(struct net *net, unsigned member)
{
	struct net_node *node = &net->nodes[member];
	unsigned i;

	node->up = false;
	for (i = 0; i < net->count; i++)
		if (net->nodes[i].up) {
			mesh_peer_down(net->nodes[i].mesh, member);
			broker_peer_down(net->nodes[i].broker, member);
		}
	net_log_clear(node);
	broker_free(node->broker);
	mesh_detach(node->mesh);
	mesh_close_member(&node->made);
}

static inline struct net *
net_create(unsigned count, size_t ring_size)
{
	struct net *net = memory_zalloc(sizeof(*net));
	unsigned i;

	CHECK(net != NULL && count <= NET_NODES_MAX);
	net->count = count;
	net->ring_size = ring_size;
	for (i = 0; i < count; i++)
		net_node_up(net, i);
	return net;
}

static inline void
net_free(struct net *net)
{
	unsigned i;

	for (i = 0; i < net->count; i++)
		if (net->nodes[i].up)
			net_node_down(net, i);
	memory_free(net);
}

/* One node handles what came; returns the member that broke a rule, or -1. */
static inline int
net_drain(struct net_node *node)
{
	enum mesh_result result;

	while ((result = mesh_drain(node->mesh, 1000)) == MESH_BUDGET)
		(void)mesh_commit(node->mesh);
	return result == MESH_VIOLATION ? node->mesh->violator : -1;
}

/* Until nothing moves any more; nobody may break a rule. */
static inline void
net_settle(struct net *net)
{
	bool moved = true;
	uint64_t before;
	unsigned i;

	while (moved) {
		moved = false;
		for (i = 0; i < net->count; i++) {
			if (!net->nodes[i].up)
				continue;
			before = net->nodes[i].mesh->counters.records_in;
			CHECK(net_drain(&net->nodes[i]) == -1);
			if (mesh_commit(net->nodes[i].mesh) || before != net->nodes[i].mesh->counters.records_in ||
			    net->nodes[i].mesh->overflow_bytes > 0)
				moved = true;
		}
	}
}

static inline struct broker_account *
net_account(struct net_node *node)
{
	return broker_account(node->broker, BROKER_ACCOUNT_GLOBAL);
}

static inline enum sublist_status
net_subscribe(struct net_node *node, const char *subject, const char *queue, struct sublist_sub *sub)
{
	return broker_subscribe(
	    node->broker, net_account(node), subject, strlen(subject), queue, queue == NULL ? 0 : strlen(queue), sub);
}

static inline void
net_unsubscribe(struct net_node *node, struct sublist_sub *sub)
{
	broker_unsubscribe(node->broker, net_account(node), sub);
}

/* A message of a connection of the node: number 5 of generation 9. */
static inline unsigned
net_publish(struct net_node *node, const char *subject, const char *reply, uint32_t header_size, const void *payload, size_t n)
{
	struct broker_message message = { .subject = subject, .reply = reply };
	char header_text[16], size_text[16];

	(void)snprintf(header_text, sizeof(header_text), "%u", header_size);
	(void)snprintf(size_text, sizeof(size_text), "%zu", n);
	message.subject_length = (uint32_t)strlen(subject);
	message.reply_length = reply == NULL ? 0 : (uint32_t)strlen(reply);
	message.header_text = header_size > 0 ? header_text : NULL;
	message.header_text_length = (uint8_t)(header_size > 0 ? strlen(header_text) : 0);
	message.size_text = size_text;
	message.size_text_length = (uint8_t)strlen(size_text);
	message.payload = payload;
	message.header_size = header_size;
	message.total_size = (uint32_t)n;
	message.origin_index = 5;
	message.origin_generation = 9;
	message.origin_member = node->member;
	message.origin = node;
	return broker_publish(node->broker, net_account(node), &message);
}

#endif
