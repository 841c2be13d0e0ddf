/*
 * Fuzz target F1: the client protocol.  Whatever the bytes, a stream cut at any place gives the same commands and the same end as
 * in one piece, the fast path says what the general path says, and no result points outside the data. Input: one byte of choices
 * (limits), then the stream.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "wire/nats.h"

#define STREAM_MAX 2048
#define EVERY_CUT_MAX 256 /* longer streams are cut at fewer places */

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* What came out of a stream so far. */
struct outcome {
	uint64_t digest; /* over all commands */
	uint32_t commands;
	size_t consumed;
	enum nats_result last;
	struct nats_parser parser;
};

static uint64_t
mix(uint64_t digest, const void *data, size_t n)
{
	const uint8_t *at = data;

	for (size_t i = 0; i < n; i++)
		digest = (digest ^ at[i]) * 0x100000001b3U;
	return (digest ^ n) * 0x100000001b3U;
}

static uint64_t
mix_text(uint64_t digest, const char *text, uint32_t n, const uint8_t *data, size_t size)
{
	if (text == NULL) {
		CHECK(n == 0);
		return mix(digest, "", 0);
	}
	CHECK((const uint8_t *)text >= data && n <= size && (const uint8_t *)text <= data + size - n);
	return mix(digest, text, n);
}

static uint64_t
mix_command(uint64_t digest, const struct nats_command *command, const uint8_t *data, size_t size)
{
	CHECK(command->verb != NATS_NONE && nats_verb_name(command->verb)[0] != '\0');
	CHECK(command->consumed > 0 && command->consumed <= size);
	CHECK(command->header_size <= command->total_size);
	digest = mix(digest, &command->verb, sizeof(command->verb));
	digest = mix(digest, &command->max, sizeof(command->max));
	digest = mix(digest, &command->header_size, sizeof(command->header_size));
	digest = mix_text(digest, command->subject, command->subject_length, data, size);
	digest = mix_text(digest, command->reply, command->reply_length, data, size);
	digest = mix_text(digest, command->queue, command->queue_length, data, size);
	digest = mix_text(digest, command->sid, command->sid_length, data, size);
	digest = mix_text(digest, command->size_text, command->size_text_length, data, size);
	digest = mix_text(digest, command->header_text, command->header_text_length, data, size);
	digest = mix_text(digest, command->argument, command->argument_length, data, size);
	return mix_text(digest, (const char *)command->payload, command->total_size, data, size);
}

static void
feed(struct outcome *outcome, const struct nats_limits *limits, const uint8_t *data, size_t size)
{
	while (outcome->last == NATS_COMMAND || outcome->last == NATS_MORE) {
		const uint8_t *rest = data + outcome->consumed;
		size_t left = size - outcome->consumed;
		struct nats_command command;

		outcome->last = nats_parse(&outcome->parser, limits, rest, left, &command);
		if (outcome->last != NATS_COMMAND)
			break;
		outcome->digest = mix_command(outcome->digest, &command, rest, left);
		outcome->commands++;
		outcome->consumed += command.consumed;
	}
}

static void
same(const struct outcome *a, const struct outcome *b)
{
	CHECK(a->last == b->last);
	CHECK(a->commands == b->commands);
	CHECK(a->consumed == b->consumed);
	CHECK(a->digest == b->digest);
}

/* The claim that the first byte is no LF switches the fast path off. */
static void
without_fast_path(const struct outcome *whole, const struct nats_limits *limits, const uint8_t *data, size_t size)
{
	struct outcome outcome = { 0 };

	while (outcome.last == NATS_COMMAND) {
		size_t left = size - outcome.consumed;
		struct nats_command command;

		if (left > 0 && data[outcome.consumed] != '\n')
			outcome.parser.scanned = 1;
		outcome.last = nats_parse(&outcome.parser, limits, data + outcome.consumed, left, &command);
		if (outcome.last != NATS_COMMAND)
			break;
		outcome.digest = mix_command(outcome.digest, &command, data + outcome.consumed, left);
		outcome.commands++;
		outcome.consumed += command.consumed;
	}
	same(whole, &outcome);
}

static void
explain(const struct outcome *whole, const struct nats_limits *limits, const uint8_t *data, size_t size)
{
	const uint8_t *text;
	struct nats_error error;
	size_t n;

	if (whole->last == NATS_MORE || whole->last == NATS_AUTHORIZATION)
		return;
	nats_explain(limits, data + whole->consumed, size - whole->consumed, &error);
	CHECK((whole->last == NATS_BAD_ARGUMENTS) == (error.problem != NULL));
	CHECK(error.at < size - whole->consumed);
	nats_snippet(data + whole->consumed, size - whole->consumed, error.at, NATS_SNIPPET_SIZE, &text, &n);
	CHECK(n <= NATS_SNIPPET_SIZE);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nats_limits limits = { 4096, 1048576, true, false };
	struct outcome whole = { 0 };
	struct outcome drip = { 0 };
	size_t step;

	if (size < 1 || size > STREAM_MAX)
		return 0;
	limits.max_control_line = (data[0] & 1) != 0 ? 16 : 4096;
	limits.max_payload = (data[0] & 2) != 0 ? 8 : (data[0] & 4) != 0 ? -1 : 1048576;
	limits.headers = (data[0] & 8) == 0;
	limits.authorization_pending = (data[0] & 16) != 0;
	data++;
	size--;
	feed(&whole, &limits, data, size);
	explain(&whole, &limits, data, size);
	without_fast_path(&whole, &limits, data, size);
	for (size_t n = 0; n <= size; n++)
		feed(&drip, &limits, data, n);
	same(&whole, &drip);
	step = size <= EVERY_CUT_MAX ? 1 : size / EVERY_CUT_MAX + 1;
	for (size_t cut = 0; cut < size; cut += step) {
		struct outcome outcome = { 0 };

		feed(&outcome, &limits, data, cut);
		feed(&outcome, &limits, data, size);
		same(&whole, &outcome);
	}
	return 0;
}
