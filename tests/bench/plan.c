/*
 * What the throughput rows publish and subscribe to: subjects, SUB lines, and the prebuilt block of PUBs every
 * publisher sends again and again. Within a plan all messages have the same length, so receivers may count bytes.
 *
 *	same	every message to one subject, every subscriber gets all
 *	wild	filters "bench.NNN.*" dealt out over the subscribers, each message matches one of them
 *	many	that many distinct subjects, every subscriber has "bench.*"
 *	exact	filters are exact subjects, 1,000 of them (spread evenly) are published to
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define BLOCK_MIN (256U << 10)
#define SUBJECT_MAX 64

void
plan_make(struct plan *plan, const struct bench_args *args)
{
	static const char *const names[] = { "same", "wild", "many", "exact" };
	unsigned shape;

	for (shape = 0; shape < 4 && strcmp(names[shape], args->shape) != 0; shape++)
		continue;
	if (shape == 4)
		errx(2, "no such shape: %s", args->shape);
	*plan = (struct plan){
		.shape = (enum shape)shape,
		.pubs = args->pubs,
		.subs = args->subs,
		.subjects = args->subjects,
		.filters = args->filters,
		.size = args->size,
	};
	if (plan->pubs == 0 || plan->subjects == 0 || plan->filters == 0)
		errx(2, "publishers, subjects and filters must not be 0");
	if (plan->shape == SHAPE_WILD &&
	    (plan->subs == 0 || plan->filters > 900 || plan->filters % plan->subs != 0 || plan->subjects % plan->filters != 0))
		errx(2, "wild: subscribers must divide filters (at most 900), and filters must divide subjects");
	if (plan->shape == SHAPE_EXACT && (plan->subs != 1 || plan->filters < plan->subjects))
		errx(2, "exact: one subscriber, and at least as many filters as subjects");
}

/* The subject of the i-th message of a cycle. */
static size_t
plan_subject(const struct plan *plan, unsigned i, char *subject)
{
	int n = 0;

	switch (plan->shape) {
	case SHAPE_SAME: n = snprintf(subject, SUBJECT_MAX, "bench.same"); break;
	case SHAPE_WILD: n = snprintf(subject, SUBJECT_MAX, "bench.%03u.%04u", i % plan->filters, i / plan->filters); break;
	case SHAPE_MANY: n = snprintf(subject, SUBJECT_MAX, "bench.%07u", i); break;
	case SHAPE_EXACT: n = snprintf(subject, SUBJECT_MAX, "bench.%07u", i * (plan->filters / plan->subjects)); break;
	}
	return (size_t)n;
}

static unsigned
plan_sid(const struct plan *plan, unsigned filter)
{
	if (plan->shape == SHAPE_WILD)
		return 100 + filter;
	return plan->shape == SHAPE_EXACT ? 1000000 + filter : 1;
}

void
plan_block(const struct plan *plan, struct block *block)
{
	char subject[SUBJECT_MAX], head[SUBJECT_MAX + 32];
	unsigned cycle = plan->shape == SHAPE_SAME ? 1 : plan->subjects, cycles;
	size_t each, at = 0;

	each = (size_t)snprintf(head, sizeof(head), "PUB  %zu\r\n", plan->size) + plan_subject(plan, 0, subject) + plan->size + 2;
	cycles = (unsigned)((BLOCK_MIN + each * cycle - 1) / (each * cycle));
	block->msgs = cycles * cycle;
	block->len = each * block->msgs;
	block->data = malloc(block->len + 1);
	if (block->data == NULL)
		err(1, "block");
	memset(block->data, 'x', block->len);
	for (unsigned i = 0; i < block->msgs; i++, at += each) {
		plan_subject(plan, i % cycle, subject);
		int n = snprintf(head, sizeof(head), "PUB %s %zu\r\n", subject, plan->size);
		memcpy(block->data + at, head, (size_t)n);
		if (plan->size >= 8) {
			snprintf(head, sizeof(head), "%08x", i);
			memcpy(block->data + at + n, head, 8);
		}
		memcpy(block->data + at + each - 2, "\r\n", 2);
	}
}

void
plan_frame(const struct plan *plan, struct frame *frame)
{
	char subject[SUBJECT_MAX], head[SUBJECT_MAX + 64];

	plan_subject(plan, 0, subject);
	frame->head_len = (size_t)snprintf(head, sizeof(head), "MSG %s %u %zu\r\n", subject, plan_sid(plan, 0), plan->size);
	frame->len = frame->head_len + plan->size + 2;
	frame->tail_len = (size_t)snprintf(frame->tail, sizeof(frame->tail), " %zu\r\n", plan->size);
}

/* The filter text of that number; only wild and exact have more than one per subscriber. */
static void
plan_filter(const struct plan *plan, unsigned filter, char *text)
{
	if (plan->shape == SHAPE_SAME)
		snprintf(text, SUBJECT_MAX, "bench.same");
	else if (plan->shape == SHAPE_MANY)
		snprintf(text, SUBJECT_MAX, "bench.*");
	else if (plan->shape == SHAPE_WILD)
		snprintf(text, SUBJECT_MAX, "bench.%03u.*", filter);
	else
		snprintf(text, SUBJECT_MAX, "bench.%07u", filter);
}

/* Sends the SUB lines of one subscriber and waits until they are in force. */
void
plan_subscribe(const struct plan *plan, const struct conn *conn, unsigned receiver)
{
	bool dealt = plan->shape == SHAPE_WILD || plan->shape == SHAPE_EXACT;
	char filter[SUBJECT_MAX], lines[64 << 10];
	size_t len = 0;

	for (unsigned f = dealt ? receiver : 0; f < (dealt ? plan->filters : 1); f += plan->subs) {
		plan_filter(plan, f, filter);
		len += (size_t)snprintf(lines + len, sizeof(lines) - len, "SUB %s %u\r\n", filter, plan_sid(plan, f));
		if (len > sizeof(lines) - 2 * SUBJECT_MAX) {
			net_send_all(conn->fd, lines, len);
			len = 0;
		}
	}
	net_send_all(conn->fd, lines, len);
	net_sync(conn);
}

/* How many of the published messages each subscriber must get. */
uint64_t
plan_share(const struct plan *plan, uint64_t published)
{
	return plan->shape == SHAPE_WILD ? published / plan->subs : published;
}
