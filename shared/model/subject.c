/*
 * Rules of subjects, see subject.h.  Everything goes token by token; nothing is allocated.
 */
#include "model/subject.h"

#include <stdint.h>
#include <string.h>

#include "base/check.h"

static bool
token_is(const char *token, size_t length, char wildcard)
{
	return length == 1 && token[0] == wildcard;
}

static bool
token_equal(const char *a, size_t a_length, const char *b, size_t b_length)
{
	return a_length == b_length && memcmp(a, b, a_length) == 0;
}

static bool
has_prefix(const char *subject, size_t length, const char *prefix, size_t prefix_length)
{
	return length >= prefix_length && memcmp(subject, prefix, prefix_length) == 0;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r';
}

void
subject_tokens_init(struct subject_tokens *tokens, const char *subject, size_t length)
{
	CHECK(tokens != NULL);
	CHECK(subject != NULL || length == 0);
	tokens->at = subject != NULL ? subject : "";
	tokens->end = tokens->at + length;
	tokens->done = false;
}

bool
subject_tokens_next(struct subject_tokens *tokens, const char **token, size_t *token_length)
{
	const char *dot = tokens->at;

	if (tokens->done)
		return false;
	CHECK(tokens->at <= tokens->end);
	while (dot < tokens->end && *dot != '.')
		dot++;
	*token = tokens->at;
	*token_length = (size_t)(dot - tokens->at);
	if (dot == tokens->end)
		tokens->done = true;
	else
		tokens->at = dot + 1;
	return true;
}

/* The rest has no empty token. */
static bool
tokens_all_filled(struct subject_tokens tokens)
{
	const char *token;
	size_t length;

	while (subject_tokens_next(&tokens, &token, &length))
		if (length == 0)
			return false;
	return true;
}

bool
subject_valid(const char *subject, size_t length)
{
	struct subject_tokens tokens;
	const char *token;
	size_t token_length;
	bool full = false;

	subject_tokens_init(&tokens, subject, length);
	while (subject_tokens_next(&tokens, &token, &token_length)) {
		if (token_length == 0 || full)
			return false;
		full = token_is(token, token_length, '>');
		for (size_t i = 0; i < token_length; i++)
			if (is_blank(token[i]))
				return false;
	}
	return true;
}

bool
subject_valid_publish(const char *subject, size_t length)
{
	return subject_valid(subject, length) && !subject_has_wildcard(subject, length);
}

bool
subject_valid_literal(const char *subject, size_t length)
{
	struct subject_tokens tokens;
	const char *token;
	size_t token_length;

	subject_tokens_init(&tokens, subject, length);
	while (subject_tokens_next(&tokens, &token, &token_length))
		if (token_length == 0 || token_is(token, token_length, '*') || token_is(token, token_length, '>'))
			return false;
	return true;
}

bool
subject_valid_subscribe(const char *subject, size_t length, bool *wildcard)
{
	size_t start = 0;
	bool full = false;

	CHECK(subject != NULL || length == 0);
	CHECK(wildcard != NULL);
	*wildcard = false;
	for (size_t i = 0; i <= length; i++) {
		if (i < length && subject[i] != '.') {
			if (is_blank(subject[i]) && subject[i] != '\f')
				return false;
			continue;
		}
		if (i == start || full)
			return false;
		full = token_is(subject + start, i - start, '>');
		*wildcard = *wildcard || full || token_is(subject + start, i - start, '*');
		start = i + 1;
	}
	return true;
}

bool
subject_has_wildcard(const char *subject, size_t length)
{
	CHECK(subject != NULL || length == 0);
	for (size_t i = 0; i < length; i++)
		if ((subject[i] == '*' || subject[i] == '>') && (i == 0 || subject[i - 1] == '.') &&
		    (i + 1 == length || subject[i + 1] == '.'))
			return true;
	return false;
}

size_t
subject_token_count(const char *subject, size_t length)
{
	size_t count = 1;

	CHECK(subject != NULL || length == 0);
	if (length == 0)
		return 0;
	for (size_t i = 0; i < length; i++)
		count += subject[i] == '.';
	return count;
}

bool
subject_token_at(const char *subject, size_t length, size_t index, const char **token, size_t *token_length)
{
	struct subject_tokens tokens;

	CHECK(index > 0);
	subject_tokens_init(&tokens, subject, length);
	while (subject_tokens_next(&tokens, token, token_length))
		if (--index == 0)
			return true;
	*token = "";
	*token_length = 0;
	return false;
}

bool
subject_matches(const char *literal, size_t literal_length, const char *pattern, size_t pattern_length)
{
	struct subject_tokens left, right;
	const char *token, *want;
	size_t token_length, want_length;

	subject_tokens_init(&left, literal, literal_length);
	subject_tokens_init(&right, pattern, pattern_length);
	while (subject_tokens_next(&right, &want, &want_length)) {
		if (right.done && token_is(want, want_length, '>'))
			return !left.done && tokens_all_filled(left);
		if (!subject_tokens_next(&left, &token, &token_length) || token_length == 0)
			return false;
		if (!token_is(want, want_length, '*') && !token_equal(token, token_length, want, want_length))
			return false;
	}
	return left.done;
}

bool
subject_is_subset(const char *subject, size_t length, const char *pattern, size_t pattern_length)
{
	struct subject_tokens left, right;
	const char *token, *want;
	size_t token_length, want_length;

	subject_tokens_init(&left, subject, length);
	subject_tokens_init(&right, pattern, pattern_length);
	while (subject_tokens_next(&right, &want, &want_length)) {
		if (want_length == 0)
			return false;
		if (right.done && token_is(want, want_length, '>'))
			return !left.done && tokens_all_filled(left);
		if (!subject_tokens_next(&left, &token, &token_length) || token_length == 0)
			return false;
		if (token_is(token, token_length, '>'))
			return false;
		if (!token_is(want, want_length, '*') && !token_equal(token, token_length, want, want_length))
			return false;
	}
	return left.done;
}

bool
subject_collide(const char *a, size_t a_length, const char *b, size_t b_length)
{
	struct subject_tokens left, right;
	const char *token, *other;
	size_t token_length, other_length;

	subject_tokens_init(&left, a, a_length);
	subject_tokens_init(&right, b, b_length);
	if (!tokens_all_filled(left) || !tokens_all_filled(right))
		return false;
	while (!left.done && !right.done) {
		(void)subject_tokens_next(&left, &token, &token_length);
		(void)subject_tokens_next(&right, &other, &other_length);
		if (token_is(token, token_length, '>') || token_is(other, other_length, '>'))
			return true;
		if (!token_is(token, token_length, '*') && !token_is(other, other_length, '*') &&
		    !token_equal(token, token_length, other, other_length))
			return false;
	}
	return left.done && right.done;
}

bool
subject_is_reserved_publish(const char *subject, size_t length, bool system_account)
{
	CHECK(subject != NULL || length == 0);
	if (length > 5 && has_prefix(subject, length, "_GR_.", 5))
		return true;
	if (length > 4 && has_prefix(subject, length, "$GR.", 4))
		return true;
	return !system_account && has_prefix(subject, length, "$NRG.", 5);
}

bool
subject_is_reserved_reply(const char *reply, size_t length)
{
	CHECK(reply != NULL || length == 0);
	if (has_prefix(reply, length, "_R_.", 4))
		return true;
	if (length > 8 && has_prefix(reply, length, "$JS.ACK.", 8))
		return true;
	return subject_is_reserved_publish(reply, length, true);
}

bool
subject_is_reserved_queue(const char *queue, size_t length)
{
	CHECK(queue != NULL || length == 0);
	return token_equal(queue, length, SUBJECT_QUEUE_SYSTEM, sizeof(SUBJECT_QUEUE_SYSTEM) - 1);
}
