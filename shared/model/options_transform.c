/*
 * Whether one subject can be mapped to another: destinations with $1, {{wildcard(1)}}, {{partition(10,1)}} and the like.
 * options_account.c calls it to check mappings and imports; nothing is kept. Rules come from nats-server's
 * server/subject_transform.go.
 */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "model/options_private.h"

enum transform_type {
	TRANSFORM_NONE,
	TRANSFORM_WILDCARD,
	TRANSFORM_PARTITION,
	TRANSFORM_SPLIT,
	TRANSFORM_RANDOM,
	TRANSFORM_TWO_NUMBERS, /* SplitFromLeft and its kin: an index and a number */
};

#define TRANSFORM_ARGUMENTS_MAX 64

/* A capital letter in a name may be written small. */
static const struct {
	const char *name;
	enum transform_type type;
} transform_functions[] = {
	{ "Wildcard", TRANSFORM_WILDCARD },
	{ "Partition", TRANSFORM_PARTITION },
	{ "SplitFromLeft", TRANSFORM_TWO_NUMBERS },
	{ "SplitFromRight", TRANSFORM_TWO_NUMBERS },
	{ "SliceFromLeft", TRANSFORM_TWO_NUMBERS },
	{ "SliceFromRight", TRANSFORM_TWO_NUMBERS },
	{ "Right", TRANSFORM_TWO_NUMBERS },
	{ "Left", TRANSFORM_TWO_NUMBERS },
	{ "Split", TRANSFORM_SPLIT },
	{ "Random", TRANSFORM_RANDOM },
};

/* A destination token, taken apart. */
struct transform_token {
	enum transform_type type;
	int64_t indexes[TRANSFORM_ARGUMENTS_MAX];
	size_t indexes_length;
};

#define TRANSFORM_BAD "invalid mapping destination"
static const char text_invalid[] = TRANSFORM_BAD ": invalid transform";
static const char text_unknown[] = TRANSFORM_BAD ": unknown function";
static const char text_few[] = TRANSFORM_BAD ": not enough arguments passed to the function";
static const char text_many[] = TRANSFORM_BAD ": too many arguments passed to the function";
static const char text_argument[] = TRANSFORM_BAD ": function argument is invalid or in the wrong format";
static const char text_range[] = TRANSFORM_BAD ": wildcard index out of range";
static const char text_import[] = TRANSFORM_BAD ": the only mapping function allowed for import transforms is {{Wildcard()}}";
static const char text_unused[] = TRANSFORM_BAD ": not using all of the token wildcard(s)";

static bool
transform_is_mustache(const char *token)
{
	size_t length = strlen(token);

	return length > 4 && strncmp(token, "{{", 2) == 0 && strcmp(token + length - 2, "}}") == 0;
}

/* Go's \s */
static size_t
transform_blanks(const char *text)
{
	return strspn(text, " \t\n\f\r");
}

static bool
transform_name_is(const char *text, size_t length, const char *name)
{
	size_t i;

	if (length != strlen(name))
		return false;
	for (i = 0; i < length; i++) {
		if (text[i] != name[i] && !(name[i] >= 'A' && name[i] <= 'Z' && text[i] == (name[i] | 0x20)))
			return false;
	}
	return true;
}

/* The function of a {{...}} token, and what stands between its brackets; false when there is no such function. */
static bool
transform_function(struct options_build *build, const char *token, enum transform_type *type, char **arguments)
{
	const char *name = token + 2 + transform_blanks(token + 2), *open = strchr(name, '('), *close = strrchr(token, ')');
	const char *end;
	size_t i;

	CHECK(transform_is_mustache(token));
	if (open == NULL || close == NULL || close < open || strcmp(close + 1 + transform_blanks(close + 1), "}}") != 0)
		return false;
	for (end = open; end > name && strchr(" \t\n\f\r", end[-1]) != NULL; end--)
		continue;
	for (i = 0; i < sizeof(transform_functions) / sizeof(transform_functions[0]); i++) {
		if (!transform_name_is(name, (size_t)(end - name), transform_functions[i].name))
			continue;
		*type = transform_functions[i].type;
		*arguments = options_copy(build, open + 1, (size_t)(close - open - 1));
		return true;
	}
	return false;
}

/* Splits arguments at commas and the blanks behind them. Returns how many there are; 0 when there are too many. */
static size_t
transform_split(char *text, char *arguments[TRANSFORM_ARGUMENTS_MAX])
{
	size_t count = 0;
	char *comma;

	CHECK(text != NULL);
	for (;;) {
		if (count == TRANSFORM_ARGUMENTS_MAX)
			return 0;
		arguments[count++] = text;
		comma = strchr(text, ',');
		if (comma == NULL)
			return count;
		*comma = '\0';
		text = comma + 1;
		text += transform_blanks(text);
	}
}

/* A number with blanks around it, up to max. */
static bool
transform_number(char *text, int64_t max, int64_t *out)
{
	size_t length;

	CHECK(text != NULL);
	while (*text == ' ')
		text++;
	length = strlen(text);
	while (length > 0 && text[length - 1] == ' ')
		text[--length] = '\0';
	return options_atoi(text, out) && *out <= max;
}

static const char *
transform_arguments(struct transform_token *out, char *arguments[], size_t count)
{
	int64_t number;
	size_t i;

	CHECK(count >= 1 && count <= TRANSFORM_ARGUMENTS_MAX);
	switch (out->type) {
	case TRANSFORM_WILDCARD:
		if (count == 1 && arguments[0][0] == '\0')
			return text_few;
		if (count != 1)
			return text_many;
		out->indexes_length = 1;
		return transform_number(arguments[0], INT64_MAX, &out->indexes[0]) ? NULL : text_argument;
	case TRANSFORM_PARTITION:
		for (i = 1; i < count; i++) {
			if (!transform_number(arguments[i], INT64_MAX, &out->indexes[i - 1]))
				return text_argument;
		}
		out->indexes_length = count - 1;
		return transform_number(arguments[0], INT32_MAX, &number) ? NULL : text_argument;
	case TRANSFORM_RANDOM:
		if (count != 1)
			return text_few;
		return transform_number(arguments[0], INT32_MAX, &number) ? NULL : text_argument;
	case TRANSFORM_SPLIT:
	case TRANSFORM_TWO_NUMBERS:
		if (count < 2)
			return text_few;
		if (count > 2)
			return text_many;
		out->indexes_length = 1;
		if (!transform_number(arguments[0], INT64_MAX, &out->indexes[0]))
			return text_argument;
		if (out->type == TRANSFORM_SPLIT)
			return strpbrk(arguments[1], " .") == NULL ? NULL : text_argument;
		return transform_number(arguments[1], INT32_MAX, &number) && number >= INT32_MIN ? NULL : text_argument;
	case TRANSFORM_NONE: break;
	}
	return text_unknown;
}

/* Takes a destination token apart: NULL, or what is wrong with it. */
static const char *
transform_token(struct options_build *build, const char *token, struct transform_token *out)
{
	char *arguments[TRANSFORM_ARGUMENTS_MAX], *text;
	size_t count;

	CHECK(token != NULL);
	out->type = TRANSFORM_NONE;
	out->indexes_length = 0;
	if (token[0] == '$' && options_atoi(token + 1, &out->indexes[0])) {
		out->type = TRANSFORM_WILDCARD;
		out->indexes_length = 1;
		return NULL;
	}
	if (!transform_is_mustache(token))
		return NULL;
	if (!transform_function(build, token, &out->type, &text))
		return text_unknown;
	count = transform_split(text, arguments);
	if (count == 0)
		return text_many;
	return transform_arguments(out, arguments, count);
}

/* Counts the wildcards of a subject; false when the subject has empty tokens or a '>' before its end. Blanks are not looked at. */
static bool
transform_subject(const char *subject, size_t *wildcards, bool *full)
{
	const char *token;
	size_t length;
	bool last = false;

	CHECK(subject != NULL);
	*wildcards = 0;
	*full = false;
	for (token = subject; !last; token += length + 1) {
		length = strcspn(token, ".");
		last = token[length] == '\0';
		if (length == 0 || *full)
			return false;
		if (length == 1 && *token == '>')
			*full = true;
		if (length == 1 && *token == '*')
			++*wildcards;
	}
	return true;
}

static const char *
transform_text(struct options_build *build, const char *error, const char *token)
{
	if (token[0] == '\0')
		return error;
	return options_format(build, "%s in %s", error, token);
}

/* What is wrong with one token of a destination, given the wildcards of the source, or NULL. */
static const char *
transform_check_token(struct options_build *build, const char *token, const struct transform_token *parts, bool source_wild,
    size_t wildcards, bool strict)
{
	size_t i;

	if (!source_wild) {
		if (parts->type == TRANSFORM_NONE || parts->type == TRANSFORM_RANDOM || parts->type == TRANSFORM_PARTITION)
			return NULL;
		return transform_text(build, text_range, token);
	}
	if (strict && parts->type != TRANSFORM_NONE && parts->type != TRANSFORM_WILDCARD)
		return transform_text(build, text_import, token);
	for (i = 0; i < parts->indexes_length; i++) {
		if (parts->indexes[i] > (int64_t)wildcards)
			return options_format(build, "%s in %s: [%lld]", text_range, token, (long long)parts->indexes[i]);
	}
	return NULL;
}

const char *
options_transform_error(struct options_build *build, const char *src, const char *dest, bool strict)
{
	size_t wildcards, dest_wildcards, length, used = 0;
	struct transform_token parts;
	bool full, dest_full, last = false;
	const char *at, *error, *token;

	CHECK(src != NULL && dest != NULL);
	if (dest[0] == '\0')
		return NULL;
	if (src[0] == '\0')
		src = ">";
	if (!transform_subject(src, &wildcards, &full) || !transform_subject(dest, &dest_wildcards, &dest_full) ||
	    dest_wildcards > 0 || full != dest_full)
		return "invalid subject";
	for (at = dest; !last; at += length + 1) {
		length = strcspn(at, ".");
		last = at[length] == '\0';
		token = options_copy(build, at, length);
		error = transform_token(build, token, &parts);
		if (error != NULL)
			return transform_text(build, error, token);
		error = transform_check_token(build, token, &parts, wildcards > 0 || full, wildcards, strict);
		if (error != NULL)
			return error;
		used += parts.indexes_length;
	}
	if (strict && used < wildcards)
		return transform_text(build, text_unused, dest);
	return NULL;
}

const char *
options_mapping_error(struct options_build *build, const char *src, const char *dest)
{
	enum transform_type type;
	const char *at, *token;
	char *arguments;
	size_t length;
	bool full = false, last = false;

	CHECK(src != NULL && dest != NULL);
	if (dest[0] == '\0')
		return NULL;
	for (at = dest; !last; at += length + 1) {
		length = strcspn(at, ".");
		last = at[length] == '\0';
		token = options_copy(build, at, length);
		if (length == 0 || full)
			return transform_text(build, text_invalid, token);
		if (transform_is_mustache(token)) {
			if (!transform_function(build, token, &type, &arguments))
				return transform_text(build, text_unknown, token);
			continue;
		}
		if (length == 1 && token[0] == '>')
			full = true;
		else if (strpbrk(token, "\t\n\f\r ") != NULL)
			return text_invalid;
	}
	return options_transform_error(build, src, dest, false);
}

char *
options_transform_tokenize(struct options_build *build, const char *subject)
{
	const char *at;
	char *text = options_copy(build, "", 0);
	size_t length, number = 0;
	bool last = false;

	CHECK(subject != NULL);
	for (at = subject; !last; at += length + 1) {
		length = strcspn(at, ".");
		last = at[length] == '\0';
		if (length == 1 && *at == '*')
			text = options_format(build, "%s$%zu%s", text, ++number, last ? "" : ".");
		else
			text = options_format(build, "%s%.*s%s", text, (int)length, at, last ? "" : ".");
	}
	return text;
}

char *
options_transform_untokenize(struct options_build *build, const char *subject)
{
	struct transform_token parts;
	const char *at, *token;
	char *text = options_copy(build, "", 0);
	size_t length;
	bool last = false, place;

	CHECK(subject != NULL);
	for (at = subject; !last; at += length + 1) {
		length = strcspn(at, ".");
		last = at[length] == '\0';
		token = options_copy(build, at, length);
		place = token[0] == '$' && token[1] >= '1' && token[1] <= '9';
		if (!place && transform_is_mustache(token))
			place = transform_token(build, token, &parts) == NULL && parts.type == TRANSFORM_WILDCARD;
		text = options_format(build, "%s%s%s", text, place ? "*" : token, last ? "" : ".");
	}
	return text;
}
