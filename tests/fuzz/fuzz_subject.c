/*
 * Fuzz target for the algebra of subjects: two subjects, cut at the first newline, in a small alphabet; each answer is held
 * against the recursive model of the sublist's tests, and "subset" against what it means: every message that reaches the one
 * subject reaches the other.
 */
#include "tests/unit/sublist_model.h"

#include "model/subject.h"

#define SUBJECT_SIZE 128

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t
subject_from(const uint8_t *data, size_t size, char *to)
{
	static const char alphabet[] = "ab.*>. \tc*\f.>ab.";
	size_t n = 0;

	for (; n < size && data[n] != '\n' && n < SUBJECT_SIZE - 1; n++)
		to[n] = data[n] >= 0x20 && data[n] < 0x7f ? (char)data[n] : alphabet[data[n] & 15];
	to[n] = '\0';
	return n;
}

/* A message that only the wildcards of this pattern let through: fresh words for "*" and, "more" of them, for ">". */
static size_t
subject_witness(const char *pattern, size_t more, char *to, size_t room)
{
	size_t at = 0;

	for (const char *rest = pattern; rest != NULL; rest = model_rest(rest)) {
		size_t words = model_is(rest, '>') ? more : 1;
		bool wild = model_is(rest, '>') || model_is(rest, '*');

		for (size_t i = 0; i < words; i++) {
			size_t length = wild ? 4 : model_token(rest);

			CHECK(at + length + 1 < room);
			if (at > 0)
				to[at++] = '.';
			memcpy(to + at, wild ? "\x01new" : rest, length);
			at += length;
		}
	}
	to[at] = '\0';
	return at;
}

static void
subset_means(const char *a, size_t a_length, const char *b, size_t b_length)
{
	size_t tokens = subject_token_count(b, b_length) + 1;
	char witness[SUBJECT_SIZE * 8];
	bool all = true;

	for (size_t more = 1; more <= tokens; more++) {
		size_t length = subject_witness(a, more, witness, sizeof(witness));

		CHECK(subject_matches(witness, length, a, a_length));
		all = all && subject_matches(witness, length, b, b_length);
	}
	CHECK(subject_is_subset(a, a_length, b, b_length) == all);
	CHECK(!all || subject_collide(a, a_length, b, b_length));
	/* As text it matches even more. */
	CHECK(!all || subject_matches(a, a_length, b, b_length));
}

static void
subject_alone(const char *a, size_t length)
{
	bool wildcard, any = false;
	size_t count = 0;

	for (const char *rest = a; rest != NULL; rest = model_rest(rest)) {
		const char *token;
		size_t token_length;

		any = any || model_is(rest, '*') || model_is(rest, '>');
		count++;
		CHECK(subject_token_at(a, length, count, &token, &token_length));
		CHECK(token == rest && token_length == model_token(rest));
	}
	CHECK(subject_token_count(a, length) == (length == 0 ? 0 : count));
	CHECK(subject_has_wildcard(a, length) == any);
	CHECK(subject_valid_literal(a, length) == (model_filled(a) && !any));
	CHECK(subject_valid_publish(a, length) == (subject_valid(a, length) && !any));
	CHECK(subject_valid_subscribe(a, length, &wildcard) || !subject_valid(a, length));
	CHECK(!subject_valid(a, length) || (wildcard == any && model_valid(a)));
	if (strpbrk(a, " \t\r\f") == NULL)
		CHECK(
		    subject_valid(a, length) == model_valid(a) && subject_valid_subscribe(a, length, &wildcard) == model_valid(a));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char a[SUBJECT_SIZE], b[SUBJECT_SIZE];
	size_t a_length = subject_from(data, size, a), b_length = 0;

	b[0] = '\0';
	if (a_length < size)
		b_length = subject_from(data + a_length + 1, size - a_length - 1, b);
	subject_alone(a, a_length);
	subject_alone(b, b_length);
	CHECK(subject_collide(a, a_length, b, b_length) == subject_collide(b, b_length, a, a_length));
	if (!model_valid(b))
		return 0;
	CHECK(subject_matches(a, a_length, b, b_length) == (model_filled(a) && model_reaches(a, b)));
	if (!model_valid(a))
		return 0;
	CHECK(subject_collide(a, a_length, b, b_length) == model_collide(a, b));
	subset_means(a, a_length, b, b_length);
	return 0;
}
