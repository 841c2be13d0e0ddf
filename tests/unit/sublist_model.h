/*
 * A sublist under test beside a model that does everything by brute force: plain arrays and a recursive comparison of tokens that
 * shares no code with shared/model.  A string of bytes steers both; after each step they must agree.
 *
 * Included by test_sublist.c (random bytes) and fuzz_sublist.c (the fuzzer's bytes).  A difference fails a CHECK.
 */
#ifndef TESTS_SUBLIST_MODEL_H
#define TESTS_SUBLIST_MODEL_H

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "model/sublist.h"

#define MODEL_SUBS 96
#define MODEL_REMOTES 80
#define MODEL_TEXT 64
#define MODEL_MEMBERS 4

struct model_sub {
	struct sublist_sub sub;
	bool in;
	char subject[MODEL_TEXT];
	char queue[8]; /* "": plain */
};

struct model_remote {
	bool in;
	char subject[MODEL_TEXT];
	char queue[8];
	unsigned member;
	uint32_t weight;
};

struct model {
	const uint8_t *data;
	size_t size;
	struct sublist *list;
	struct sublist_result result;
	unsigned tokens; /* size of the alphabet */
	uint64_t inserts, removes, matches;
	struct model_sub subs[MODEL_SUBS];
	struct model_remote remotes[MODEL_REMOTES];
	char pattern[MODEL_TEXT]; /* of a walk */
	unsigned met;
};

static inline unsigned
model_byte(struct model *m)
{
	if (m->size == 0)
		return 0;
	m->size--;
	return *m->data++;
}

/* Up to five tokens of a small alphabet, now and then an odd one. */
static inline void
model_subject(struct model *m, char *to, bool pattern)
{
	unsigned count = 1 + model_byte(m) % 5;
	size_t at = 0;

	for (unsigned i = 0; i < count; i++) {
		unsigned byte = model_byte(m);

		if (i > 0)
			to[at++] = '.';
		if (byte >= 250) {
			static const char *const odd[] = { "", ">", "*", "a b", "*x", ">>" };

			memcpy(to + at, odd[byte - 250], strlen(odd[byte - 250]));
			at += strlen(odd[byte - 250]);
		} else if (pattern && byte >= 190) {
			to[at++] = byte >= 235 && i + 1 == count ? '>' : '*';
		} else {
			to[at++] = (char)('a' + byte % m->tokens % 26);
			if (byte % m->tokens >= 26)
				to[at++] = (char)('a' + byte % m->tokens / 26);
		}
	}
	CHECK(at < MODEL_TEXT);
	to[at] = '\0';
}

static inline void
model_queue(struct model *m, char *to)
{
	unsigned byte = model_byte(m);

	to[0] = '\0';
	if (byte % 3 == 0) {
		to[0] = 'q';
		to[1] = (char)('0' + byte / 3 % 5);
		to[2] = '\0';
	}
}

static inline const char *
model_rest(const char *subject)
{
	const char *dot = strchr(subject, '.');

	return dot != NULL ? dot + 1 : NULL;
}

static inline size_t
model_token(const char *subject)
{
	return strcspn(subject, ".");
}

static inline bool
model_is(const char *subject, char wildcard)
{
	return subject[0] == wildcard && (subject[1] == '\0' || subject[1] == '.');
}

/* Can be subscribed to. */
static inline bool
model_valid(const char *subject)
{
	if (model_token(subject) == 0 || memchr(subject, ' ', model_token(subject)) != NULL)
		return false;
	if (model_rest(subject) == NULL)
		return true;
	return !model_is(subject, '>') && model_valid(model_rest(subject));
}

static inline bool
model_filled(const char *subject)
{
	return subject == NULL || (model_token(subject) > 0 && model_filled(model_rest(subject)));
}

static inline bool
model_reaches(const char *literal, const char *pattern)
{
	if (literal == NULL || pattern == NULL)
		return literal == pattern;
	if (model_is(pattern, '>'))
		return true;
	if (!model_is(pattern, '*') &&
	    (model_token(literal) != model_token(pattern) || memcmp(literal, pattern, model_token(literal)) != 0))
		return false;
	return model_reaches(model_rest(literal), model_rest(pattern));
}

static inline bool
model_collide(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	if (model_is(a, '>') || model_is(b, '>'))
		return true;
	if (!model_is(a, '*') && !model_is(b, '*') && (model_token(a) != model_token(b) || memcmp(a, b, model_token(a)) != 0))
		return false;
	return model_collide(model_rest(a), model_rest(b));
}

/* What the model knows of one pattern. */
struct model_node {
	unsigned plain, queued, remote_queues;
	uint64_t members;
	uint64_t weight; /* of all remote queue groups */
};

static inline struct model_node
model_node(const struct model *m, const char *subject)
{
	struct model_node node = { 0 };

	for (unsigned i = 0; i < MODEL_SUBS; i++)
		if (m->subs[i].in && strcmp(m->subs[i].subject, subject) == 0) {
			node.plain += m->subs[i].queue[0] == '\0';
			node.queued += m->subs[i].queue[0] != '\0';
		}
	for (unsigned i = 0; i < MODEL_REMOTES; i++) {
		const struct model_remote *remote = &m->remotes[i];

		if (!remote->in || strcmp(remote->subject, subject) != 0)
			continue;
		if (remote->queue[0] == '\0')
			node.members |= (uint64_t)1 << remote->member;
		node.remote_queues += remote->queue[0] != '\0';
		node.weight += remote->weight;
	}
	return node;
}

static inline bool
model_node_alive(const struct model_node *node)
{
	return node->plain + node->queued + node->remote_queues > 0 || node->members != 0;
}

static inline void
model_queue_holds(const struct model *m, const struct sublist_queue *queue, const char *subject)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < queue->local_count; i++) {
		const struct model_sub *sub = (const struct model_sub *)(const void *)sublist_queue_subs(queue)[i];

		CHECK(sub->in && sub->sub.queue == queue && sub->sub.index == i && strcmp(sub->subject, subject) == 0);
		CHECK(strlen(sub->queue) == queue->name->length && memcmp(sub->queue, queue->name->text, queue->name->length) == 0);
	}
	CHECK(queue->local_count > 0 || queue->weight_count > 0);
	for (unsigned i = 0; i < queue->weight_count; i++) {
		bool found = false;

		for (unsigned j = 0; j < MODEL_REMOTES; j++)
			found = found ||
			    (m->remotes[j].in && m->remotes[j].member == queue->weights[i].member &&
				m->remotes[j].weight == queue->weights[i].weight && strcmp(m->remotes[j].subject, subject) == 0 &&
				strlen(m->remotes[j].queue) == queue->name->length &&
				memcmp(m->remotes[j].queue, queue->name->text, queue->name->length) == 0);
		CHECK(found && queue->weights[i].weight > 0);
		sum += queue->weights[i].weight;
	}
	CHECK(sum == queue->remote_weight);
}

/* A node holds exactly what the model has for its pattern. */
static inline void
model_node_holds(const struct model *m, const struct sublist_node *node)
{
	char subject[MODEL_TEXT];
	struct model_node want;
	unsigned queued = 0, remote = 0;

	CHECK(node->length < sizeof(subject));
	memcpy(subject, node->subject, node->length);
	subject[node->length] = '\0';
	want = model_node(m, subject);
	CHECK(model_node_alive(&want));
	CHECK(node->plain_count == want.plain && node->members == want.members);
	for (uint32_t i = 0; i < node->plain_count; i++) {
		const struct model_sub *sub = (const struct model_sub *)(const void *)sublist_node_subs(node)[i];

		CHECK(sub->in && sub->queue[0] == '\0' && sub->sub.node == node && sub->sub.queue == NULL && sub->sub.index == i);
		CHECK(strcmp(sub->subject, subject) == 0);
	}
	for (const struct sublist_queue *queue = node->queues; queue != NULL; queue = queue->next) {
		CHECK(queue->node == node);
		model_queue_holds(m, queue, subject);
		queued += queue->local_count;
		remote += queue->weight_count;
		for (const struct sublist_queue *other = queue->next; other != NULL; other = other->next)
			CHECK(other->name != queue->name);
	}
	CHECK(queued == want.queued && remote == want.remote_queues);
}

/* The subject of entry number i (subscriptions, then remote interest) if no earlier entry in use has it too, else NULL. */
static inline const char *
model_distinct(const struct model *m, unsigned i)
{
	bool in = i < MODEL_SUBS ? m->subs[i].in : m->remotes[i - MODEL_SUBS].in;
	const char *subject = i < MODEL_SUBS ? m->subs[i].subject : m->remotes[i - MODEL_SUBS].subject;

	if (!in)
		return NULL;
	for (unsigned j = 0; j < i && j < MODEL_SUBS; j++)
		if (m->subs[j].in && strcmp(m->subs[j].subject, subject) == 0)
			return NULL;
	for (unsigned j = MODEL_SUBS; j < i; j++)
		if (m->remotes[j - MODEL_SUBS].in && strcmp(m->remotes[j - MODEL_SUBS].subject, subject) == 0)
			return NULL;
	return subject;
}

static inline void
model_step_match(struct model *m)
{
	char subject[MODEL_TEXT];
	unsigned count = 0, groups = 0;
	uint64_t plain = 0, queues = 0, members = 0, plain_all = 0;
	uint64_t got_plain, got_queues;
	bool filled;

	model_subject(m, subject, model_byte(m) % 8 == 0);
	filled = model_filled(subject);
	for (unsigned i = 0; i < MODEL_SUBS + MODEL_REMOTES; i++) {
		const char *pattern = i < MODEL_SUBS ? m->subs[i].subject : m->remotes[i - MODEL_SUBS].subject;
		struct model_node node;

		if (!filled || !model_reaches(subject, pattern) || model_distinct(m, i) == NULL)
			continue;
		node = model_node(m, pattern);
		count++;
		plain += node.plain + (unsigned)__builtin_popcountll(node.members);
		plain_all += node.plain;
		members |= node.members;
		queues += node.queued + node.weight;
		groups += node.queued + node.remote_queues;
	}
	CHECK(sublist_has_interest(m->list, subject, strlen(subject)) == (count > 0));
	CHECK(sublist_match(m->list, subject, strlen(subject), &m->result));
	m->matches++;
	CHECK(m->result.count == count && m->result.members == members && m->result.plain_count == plain_all);
	CHECK(m->result.any_queue == (groups > 0));
	for (uint32_t i = 0; i < m->result.count; i++) {
		char pattern[MODEL_TEXT];

		model_node_holds(m, m->result.nodes[i]);
		memcpy(pattern, m->result.nodes[i]->subject, m->result.nodes[i]->length);
		pattern[m->result.nodes[i]->length] = '\0';
		CHECK(model_reaches(subject, pattern));
		for (uint32_t j = 0; j < i; j++)
			CHECK(m->result.nodes[j] != m->result.nodes[i]);
	}
	sublist_num_interest(m->list, subject, strlen(subject), &got_plain, &got_queues);
	CHECK(got_plain == plain && got_queues == queues);
}

static inline bool
model_meet(void *arg, struct sublist_node *node)
{
	struct model *m = arg;
	char subject[MODEL_TEXT];

	model_node_holds(m, node);
	memcpy(subject, node->subject, node->length);
	subject[node->length] = '\0';
	CHECK(m->pattern[0] == '\0' || model_collide(subject, m->pattern));
	m->met++;
	return true;
}

static inline void
model_step_walk(struct model *m)
{
	unsigned all = 0, colliding = 0;

	for (unsigned i = 0; i < MODEL_SUBS + MODEL_REMOTES; i++) {
		const char *subject = model_distinct(m, i);

		all += subject != NULL;
	}
	m->met = 0;
	m->pattern[0] = '\0';
	sublist_all(m->list, model_meet, m);
	CHECK(m->met == all);
	model_subject(m, m->pattern, true);
	if (!model_valid(m->pattern))
		return;
	for (unsigned i = 0; i < MODEL_SUBS + MODEL_REMOTES; i++) {
		const char *subject = model_distinct(m, i);

		colliding += subject != NULL && model_collide(subject, m->pattern);
	}
	m->met = 0;
	sublist_reverse_match(m->list, m->pattern, strlen(m->pattern), model_meet, m);
	CHECK(m->met == colliding);
}

static inline unsigned
model_like(const struct model *m, const struct model_sub *like)
{
	unsigned count = 0;

	for (unsigned i = 0; i < MODEL_SUBS; i++)
		count +=
		    m->subs[i].in && strcmp(m->subs[i].subject, like->subject) == 0 && strcmp(m->subs[i].queue, like->queue) == 0;
	return count;
}

static inline void
model_change_is(const struct model *m, const struct model_sub *sub, const struct sublist_change *change, bool edge)
{
	CHECK(change->subject_length == strlen(sub->subject) && memcmp(change->subject, sub->subject, change->subject_length) == 0);
	CHECK((change->queue == NULL) == (sub->queue[0] == '\0') && change->queue_length == strlen(sub->queue));
	CHECK(change->queue == NULL || memcmp(change->queue, sub->queue, change->queue_length) == 0);
	CHECK(change->local == model_like(m, sub) && change->edge == edge);
}

static inline void
model_remove(struct model *m, struct model_sub *sub)
{
	struct sublist_change change;

	sublist_remove(m->list, &sub->sub, &change);
	CHECK(sub->sub.node == NULL);
	sub->in = false;
	m->removes++;
	model_change_is(m, sub, &change, model_like(m, sub) == 0);
}

static inline void
model_step_local(struct model *m)
{
	struct model_sub *sub = &m->subs[model_byte(m) % MODEL_SUBS];
	struct sublist_change change;
	enum sublist_status status;

	if (sub->in) {
		model_remove(m, sub);
		return;
	}
	model_subject(m, sub->subject, true);
	model_queue(m, sub->queue);
	status = sublist_insert(m->list, sub->subject, strlen(sub->subject), sub->queue[0] != '\0' ? sub->queue : NULL,
	    strlen(sub->queue), &sub->sub, &change);
	CHECK(status == (model_valid(sub->subject) ? SUBLIST_OK : SUBLIST_INVALID));
	if (status != SUBLIST_OK)
		return;
	sub->in = true;
	m->inserts++;
	model_change_is(m, sub, &change, model_like(m, sub) == 1);
}

static inline struct model_remote *
model_remote_find(struct model *m, const char *subject, const char *queue, unsigned member)
{
	for (unsigned i = 0; i < MODEL_REMOTES; i++)
		if (m->remotes[i].in && m->remotes[i].member == member && strcmp(m->remotes[i].subject, subject) == 0 &&
		    strcmp(m->remotes[i].queue, queue) == 0)
			return &m->remotes[i];
	return NULL;
}

static inline struct model_remote *
model_remote_make(struct model *m, const char *subject, const char *queue, unsigned member)
{
	for (unsigned i = 0; i < MODEL_REMOTES; i++)
		if (!m->remotes[i].in) {
			m->remotes[i].in = true;
			m->remotes[i].member = member;
			m->remotes[i].weight = 0;
			memcpy(m->remotes[i].subject, subject, strlen(subject) + 1);
			memcpy(m->remotes[i].queue, queue, strlen(queue) + 1);
			return &m->remotes[i];
		}
	return NULL;
}

static inline bool
model_remotes_full(const struct model *m)
{
	for (unsigned i = 0; i < MODEL_REMOTES; i++)
		if (!m->remotes[i].in)
			return false;
	return true;
}

static inline void
model_remote_apply(struct model *m, const char *subject, const char *queue, unsigned member, uint32_t weight, bool add)
{
	struct model_remote *remote = model_remote_find(m, subject, queue, member);
	enum sublist_status want = add ? SUBLIST_EXISTS : SUBLIST_OK;
	enum sublist_status status;

	if (queue[0] != '\0') {
		status = sublist_remote_queue(m->list, subject, strlen(subject), queue, strlen(queue), member, add ? weight : 0);
		want = SUBLIST_OK;
	} else if (add) {
		status = sublist_remote_add(m->list, subject, strlen(subject), member);
	} else {
		status = sublist_remote_remove(m->list, subject, strlen(subject), member);
	}
	if (remote == NULL)
		want = !add ? SUBLIST_NOT_FOUND : model_valid(subject) ? SUBLIST_OK : SUBLIST_INVALID;
	CHECK(status == want);
	if (status != SUBLIST_OK)
		return;
	if (remote == NULL)
		remote = model_remote_make(m, subject, queue, member);
	CHECK(remote != NULL);
	remote->in = add;
	remote->weight = queue[0] != '\0' && add ? weight : 0;
}

static inline void
model_step_remote(struct model *m)
{
	char subject[MODEL_TEXT], queue[8];
	unsigned member = model_byte(m) % MODEL_MEMBERS;
	unsigned how = model_byte(m);

	if (how % 4 == 0 || model_remotes_full(m)) {
		struct model_remote *remote = &m->remotes[model_byte(m) % MODEL_REMOTES];

		memcpy(subject, remote->subject, sizeof(subject));
		memcpy(queue, remote->queue, sizeof(queue));
		member = remote->in ? remote->member : member;
		if (subject[0] != '\0')
			model_remote_apply(m, subject, queue, member, 0, false);
		return;
	}
	model_subject(m, subject, true);
	model_queue(m, queue);
	model_remote_apply(m, subject, queue, member, 1 + how % 7, how % 16 != 1);
}

static inline void
model_step_down(struct model *m)
{
	unsigned member = model_byte(m) % MODEL_MEMBERS;

	sublist_member_down(m->list, member);
	for (unsigned i = 0; i < MODEL_REMOTES; i++)
		if (m->remotes[i].in && m->remotes[i].member == member) {
			m->remotes[i].in = false;
			m->remotes[i].weight = 0;
		}
}

static inline void
model_gone(void *arg, const struct sublist_change *change)
{
	CHECK(change->subject_length > 0);
	(*(unsigned *)arg)++;
}

static inline void
model_step_batch(struct model *m)
{
	unsigned first = model_byte(m) % MODEL_SUBS, count = model_byte(m) % 32, in = 0, told = 0;
	struct sublist_sub *subs[32];

	for (unsigned i = 0; i < count; i++) {
		struct model_sub *sub = &m->subs[(first + i) % MODEL_SUBS];

		subs[i] = i % 7 == 6 && !sub->in ? NULL : &sub->sub;
		in += sub->in;
		sub->in = false;
	}
	sublist_remove_batch(m->list, subs, count, model_gone, &told);
	CHECK(told == in);
	m->removes += in;
}

static inline void
model_step_count(struct model *m)
{
	struct sublist_stats stats;
	unsigned in = 0, nodes = 0, wildcards = 0;

	for (unsigned i = 0; i < MODEL_SUBS; i++)
		in += m->subs[i].in;
	for (unsigned i = 0; i < MODEL_SUBS + MODEL_REMOTES; i++) {
		const char *subject = model_distinct(m, i);

		nodes += subject != NULL;
		for (const char *rest = subject; rest != NULL; rest = model_rest(rest))
			if (model_is(rest, '*') || model_is(rest, '>')) {
				wildcards++;
				break;
			}
	}
	sublist_stats(m->list, &stats);
	CHECK(sublist_count(m->list) == in && stats.num_subscriptions == in);
	CHECK(stats.num_nodes == nodes && stats.num_wildcards == wildcards);
	CHECK(stats.num_inserts == m->inserts && stats.num_removes == m->removes && stats.num_matches == m->matches);
	CHECK(stats.num_cache <= SUBLIST_CACHE_MAX);
	CHECK(stats.cache_hits <= stats.num_matches * 3);
}

static inline void
model_step(struct model *m)
{
	unsigned op = model_byte(m);

	if (op < 110)
		model_step_local(m);
	else if (op < 150)
		model_step_remote(m);
	else if (op < 235)
		model_step_match(m);
	else if (op < 245)
		model_step_batch(m);
	else if (op < 248)
		model_step_down(m);
	else if (op < 252)
		model_step_walk(m);
	else
		model_step_count(m);
}

/* The whole run; the list must end without a byte left over (sublist_free checks that). */
static inline void
model_run(const uint8_t *data, size_t size)
{
	struct model *m = calloc(1, sizeof(*m));
	unsigned flags;

	CHECK(m != NULL);
	m->data = data;
	m->size = size;
	flags = model_byte(m);
	m->tokens = (flags & 2) != 0 ? 60 : (flags & 4) != 0 ? 3 : 12;
	m->list = sublist_create((flags & 1) == 0);
	CHECK(m->list != NULL);
	while (m->size > 0)
		model_step(m);
	if ((flags & 8) != 0) {
		for (unsigned i = 0; i < MODEL_SUBS; i++)
			if (m->subs[i].in)
				model_remove(m, &m->subs[i]);
		for (unsigned member = 0; member < MODEL_MEMBERS; member++)
			sublist_member_down(m->list, member);
		memset(m->remotes, 0, sizeof(m->remotes));
		model_step_count(m);
	}
	sublist_free(m->list);
	for (unsigned i = 0; i < MODEL_SUBS; i++)
		CHECK(m->subs[i].sub.node == NULL);
	sublist_result_free(&m->result);
	free(m);
}

#endif
