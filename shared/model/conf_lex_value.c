/*
 * States of the scanner at values: lists, strings, numbers, times, addresses and texts in brackets.
 * conf_lex.c calls it. See there for what all states share.
 */
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "model/conf_lex_private.h"

static bool
lex_is_suffix(uint32_t c)
{
	return c != 0 && c < 0x80 && strchr("kKmMgGtTpPeE", (int)c) != NULL;
}

/* What ends a bare value inside a block. */
static bool
lex_ends_value(uint32_t c)
{
	return conf_lex_newline(c) || c == END_OF_INPUT || c == '}' || c == ';' || c == ',' || conf_lex_blank(c);
}

enum lex_state
conf_lex_state_value(struct conf_lexer *lx)
{
	uint32_t c;

	CHECK(lx->depth > 0);
	while (conf_lex_blank(c = conf_lex_read(lx)))
		conf_lex_ignore(lx);
	switch (c) {
	case '[':
		conf_lex_ignore(lx);
		conf_lex_emit(lx, CONF_ITEM_ARRAY_START);
		return LEX_ARRAY_VALUE;
	case '{':
		conf_lex_ignore(lx);
		conf_lex_emit(lx, CONF_ITEM_MAP_START);
		return LEX_MAP_KEY_START;
	case '\'': conf_lex_ignore(lx); return LEX_SINGLE_QUOTED;
	case '"':
		conf_lex_ignore(lx);
		lx->string_state = LEX_DOUBLE_QUOTED;
		return LEX_DOUBLE_QUOTED;
	case '(': conf_lex_ignore(lx); return LEX_TEXT_BLOCK;
	case '.': return conf_lex_error(lx, "Floats must start with a digit");
	default: break;
	}
	if (c == '-' || conf_lex_digit(c)) {
		conf_lex_back(lx);
		return LEX_NUMBER;
	}
	if (conf_lex_newline(c))
		return conf_lex_error(lx, "Expected value but found new line");
	conf_lex_back(lx);
	lx->string_state = LEX_STRING;
	return LEX_STRING;
}

enum lex_state
conf_lex_state_array_value(struct conf_lexer *lx)
{
	uint32_t c = conf_lex_read(lx);

	CHECK(lx->depth > 0);
	if (conf_lex_space(c))
		return conf_lex_skip(lx, LEX_ARRAY_VALUE);
	if (conf_lex_opens_comment(lx, c))
		return conf_lex_call(lx, LEX_COMMENT, LEX_ARRAY_VALUE);
	if (c == '/' || c == ',')
		return conf_lex_error(lx, "Unexpected array value terminator ','.");
	if (c == ']') {
		conf_lex_ignore(lx);
		conf_lex_emit(lx, CONF_ITEM_ARRAY_END);
		return conf_lex_pop(lx);
	}
	conf_lex_back(lx);
	return conf_lex_call(lx, LEX_VALUE, LEX_ARRAY_VALUE_END);
}

enum lex_state
conf_lex_state_array_value_end(struct conf_lexer *lx)
{
	char shown[8];
	uint32_t c = conf_lex_read(lx);

	if (conf_lex_blank(c))
		return conf_lex_skip(lx, LEX_ARRAY_VALUE_END);
	if (conf_lex_opens_comment(lx, c))
		return conf_lex_call(lx, LEX_COMMENT, LEX_ARRAY_VALUE_END);
	if (c == '/' || c == ',' || conf_lex_newline(c))
		return conf_lex_skip(lx, LEX_ARRAY_VALUE);
	if (c == ']') {
		conf_lex_ignore(lx);
		conf_lex_emit(lx, CONF_ITEM_ARRAY_END);
		return conf_lex_pop(lx);
	}
	return conf_lex_error(lx, "Expected an array value terminator \",\" or an array terminator \"]\", but got '%s' instead.",
	    conf_lex_show(c, shown));
}

static bool
lex_hex(uint8_t c, unsigned *value)
{
	if (c >= '0' && c <= '9')
		*value = (unsigned)(c - '0');
	else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		*value = (unsigned)((c | 0x20) - 'a' + 10);
	else
		return false;
	return true;
}

/* What follows "\x": two hexadecimal digits. */
static enum lex_state
lex_escape_hex(struct conf_lexer *lx)
{
	unsigned high, low;
	char byte;

	if (conf_lex_newline(conf_lex_read(lx)) || conf_lex_newline(conf_lex_read(lx)))
		return conf_lex_error(lx, "Expected two hexadecimal digits after '\\x', but hit end of line");
	CHECK(lx->at >= 2);
	if (!lex_hex((uint8_t)lx->input[lx->at - 2], &high) || !lex_hex((uint8_t)lx->input[lx->at - 1], &low))
		return conf_lex_error(lx, "Expected two hexadecimal digits after '\\x', but got '%.2s'", lx->input + lx->at - 2);
	byte = (char)(high << 4 | low);
	conf_lex_append(lx, &byte, 1);
	lx->start = lx->at;
	return (enum lex_state)lx->string_state;
}

/* What follows a backslash in a string. The text before it was not taken yet. */
static enum lex_state
lex_escape(struct conf_lexer *lx)
{
	static const char from[] = "tnr\"\\", to[] = "\t\n\r\"\\";
	const char *found;
	char shown[8];
	uint32_t c;

	CHECK(lx->at > lx->start);
	conf_lex_append(lx, lx->input + lx->start, lx->at - 1 - lx->start);
	lx->parts = true;
	lx->start = lx->at;
	c = conf_lex_read(lx);
	if (c == 'x')
		return lex_escape_hex(lx);
	found = c > 0 && c < 0x80 ? strchr(from, (int)c) : NULL;
	if (found == NULL)
		return conf_lex_error(lx,
		    "Invalid escape character '%s'. Only the following escape characters are allowed: "
		    "\\xXX, \\t, \\n, \\r, \\\", \\\\.",
		    conf_lex_show(c, shown));
	conf_lex_append(lx, &to[found - from], 1);
	lx->start = lx->at;
	return (enum lex_state)lx->string_state;
}

/* A string whose opening quote was read; only in double quotes there are escapes. */
static enum lex_state
lex_quoted_string(struct conf_lexer *lx, uint32_t quote)
{
	uint32_t c;

	CHECK(quote == '"' || quote == '\'');
	CHECK(lx->start <= lx->at);
	for (c = conf_lex_read(lx); c != quote; c = conf_lex_read(lx)) {
		if (c == END_OF_INPUT)
			return conf_lex_end(lx);
		if (c == '\\' && quote == '"')
			return lex_escape(lx);
	}
	conf_lex_back(lx);
	conf_lex_emit(lx, CONF_ITEM_STRING);
	conf_lex_read(lx);
	conf_lex_ignore(lx);
	return conf_lex_pop(lx);
}

enum lex_state
conf_lex_state_single_quoted(struct conf_lexer *lx)
{
	return lex_quoted_string(lx, '\'');
}

enum lex_state
conf_lex_state_double_quoted(struct conf_lexer *lx)
{
	return lex_quoted_string(lx, '"');
}

static bool
lex_is_boolean(const struct conf_lexer *lx)
{
	static const char *const words[] = { "true", "false", "on", "off", "yes", "no" };
	size_t i, length = lx->at - lx->start;

	CHECK(lx->start <= lx->at);
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strlen(words[i]) == length && strncasecmp(lx->input + lx->start, words[i], length) == 0)
			return true;
	}
	return false;
}

/* A bare word: text, a boolean or a variable. */
enum lex_state
conf_lex_state_string(struct conf_lexer *lx)
{
	uint32_t c;

	CHECK(lx->start <= lx->at && lx->depth > 0);
	for (c = conf_lex_read(lx); !lex_ends_value(c) && c != ']'; c = conf_lex_read(lx)) {
		if (c == '\\')
			return lex_escape(lx);
		if (c == '\'') {
			conf_lex_back(lx);
			conf_lex_emit(lx, CONF_ITEM_STRING);
			conf_lex_read(lx);
			conf_lex_ignore(lx);
			return conf_lex_pop(lx);
		}
	}
	conf_lex_back(lx);
	if (!lx->parts && lex_is_boolean(lx)) {
		conf_lex_emit(lx, CONF_ITEM_BOOL);
	} else if (!lx->parts && lx->start < lx->at && lx->input[lx->start] == '$') {
		lx->start++;
		conf_lex_emit(lx, CONF_ITEM_VARIABLE);
	} else {
		conf_lex_emit(lx, CONF_ITEM_STRING);
	}
	return conf_lex_pop(lx);
}

/* Text between "(" and a ")" that stands alone on its line. At the end of the input the ")" stays in the text, as in nats-server.
 */
enum lex_state
conf_lex_state_text_block(struct conf_lexer *lx)
{
	uint32_t c;

	CHECK(lx->at > 0);
	for (c = conf_lex_read(lx); c != END_OF_INPUT; c = conf_lex_read(lx)) {
		if (c != ')')
			continue;
		conf_lex_back(lx);
		conf_lex_back(lx);
		c = conf_lex_read(lx);
		conf_lex_read(lx);
		if (c != '\n')
			continue;
		c = conf_lex_read(lx);
		if (c != '\n' && c != END_OF_INPUT) {
			conf_lex_back(lx);
			continue;
		}
		conf_lex_back(lx);
		conf_lex_back(lx);
		conf_lex_emit(lx, CONF_ITEM_STRING);
		conf_lex_read(lx);
		conf_lex_ignore(lx);
		return conf_lex_pop(lx);
	}
	return conf_lex_error(lx, "Unexpected EOF processing block.");
}

/* The rest of a time, after its year and '-': 01-02T15:04:05Z. */
static enum lex_state
lex_time(struct conf_lexer *lx)
{
	char shown[8];
	const char *format;
	uint32_t c;

	CHECK(lx->at - lx->start == 5);
	for (format = "00-00T00:00:00Z"; *format != '\0'; format++) {
		c = conf_lex_read(lx);
		if (*format == '0' && !conf_lex_digit(c))
			return conf_lex_error(
			    lx, "Expected digit in ISO8601 datetime, but found '%s' instead.", conf_lex_show(c, shown));
		if (*format != '0' && c != (uint32_t)*format)
			return conf_lex_error(
			    lx, "Expected '%c' in ISO8601 datetime, but found '%s' instead.", *format, conf_lex_show(c, shown));
	}
	conf_lex_emit(lx, CONF_ITEM_TIME);
	return conf_lex_pop(lx);
}

/* After the point of a number: a fraction, or an address such as 127.0.0.1:4222. */
static enum lex_state
lex_float(struct conf_lexer *lx)
{
	char shown[8];
	uint32_t c = conf_lex_read(lx);

	CHECK(lx->at > lx->start);
	if (!conf_lex_digit(c))
		return conf_lex_error(lx, "Floats must have a digit after the '.', but got '%s' instead.", conf_lex_show(c, shown));
	while (conf_lex_digit(c))
		c = conf_lex_read(lx);
	if (c == '.') {
		do
			c = conf_lex_read(lx);
		while (conf_lex_digit(c) || c == '.' || c == ':' || c == '-');
		conf_lex_back(lx);
		conf_lex_emit(lx, CONF_ITEM_STRING);
		return conf_lex_pop(lx);
	}
	conf_lex_back(lx);
	conf_lex_emit(lx, CONF_ITEM_FLOAT);
	return conf_lex_pop(lx);
}

/* After a size suffix such as the k of 1kb. */
static enum lex_state
lex_suffix(struct conf_lexer *lx)
{
	uint32_t c;

	CHECK(lx->at > lx->start);
	do
		c = conf_lex_read(lx);
	while (c == 'b' || c == 'B' || c == 'i' || c == 'I');
	conf_lex_back(lx);
	if (lex_ends_value(c)) {
		conf_lex_emit(lx, CONF_ITEM_INTEGER);
		return conf_lex_pop(lx);
	}
	lx->string_state = LEX_STRING;
	return LEX_STRING;
}

/* A value that starts with a digit or '-': a number, a time, an address, or text after all. */
enum lex_state
conf_lex_state_number(struct conf_lexer *lx)
{
	char shown[8];
	bool negative;
	uint32_t c = conf_lex_read(lx);

	CHECK(lx->start < lx->at && !lx->parts);
	negative = c == '-';
	if (negative)
		c = conf_lex_read(lx);
	if (!conf_lex_digit(c)) {
		if (c == '.')
			return conf_lex_error(lx, "Floats must start with a digit, not '.'.");
		return conf_lex_error(lx, "Expected a digit but got '%s'.", conf_lex_show(c, shown));
	}
	while (conf_lex_digit(c))
		c = conf_lex_read(lx);
	if (c == '.')
		return lex_float(lx);
	if (lex_is_suffix(c))
		return lex_suffix(lx);
	if (!negative && c == '-') {
		if (lx->at - lx->start != 5)
			return conf_lex_error(lx, "All ISO8601 dates must be in full Zulu form.");
		return lex_time(lx);
	}
	if (!negative && !lex_ends_value(c)) {
		lx->string_state = LEX_STRING;
		return LEX_STRING;
	}
	conf_lex_back(lx);
	conf_lex_emit(lx, CONF_ITEM_INTEGER);
	return conf_lex_pop(lx);
}
