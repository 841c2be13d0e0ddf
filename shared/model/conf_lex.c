/*
 * The scanner of the configuration language: one function per state, each reads some characters and names the next state.
 * conf_parse.c calls it item by item. It owns no memory but what the arena gives, keeps every index inside the input, and never
 * fails on input: a bad character becomes an item of type CONF_ITEM_ERROR with the text nats-server would give (its NUL at the end
 * of input reads EOF here).
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/text.h"
#include "model/conf_lex.h"

#define END_OF_INPUT 0

enum lex_state {
	LEX_TOP,
	LEX_TOP_VALUE_END,
	LEX_BLOCK_START,
	LEX_BLOCK_VALUE_END,
	LEX_BLOCK_END,
	LEX_KEY_START,
	LEX_KEY,
	LEX_KEY_END,
	LEX_INCLUDE,
	LEX_VALUE,
	LEX_ARRAY_VALUE,
	LEX_ARRAY_VALUE_END,
	LEX_MAP_KEY_START,
	LEX_MAP_KEY,
	LEX_MAP_KEY_END,
	LEX_MAP_VALUE,
	LEX_MAP_VALUE_END,
	LEX_SINGLE_QUOTED,
	LEX_DOUBLE_QUOTED,
	LEX_STRING,
	LEX_TEXT_BLOCK,
	LEX_NUMBER,
	LEX_COMMENT,
	LEX_STOP,
	LEX_STATES
};

typedef enum lex_state lex_function(struct conf_lexer *);

bool
conf_lex_digit(uint32_t character)
{
	/* Unicode 15, general category Nd. */
	static const uint32_t ranges[][2] = { { 0x30, 0x39 }, { 0x660, 0x669 }, { 0x6f0, 0x6f9 }, { 0x7c0, 0x7c9 },
		{ 0x966, 0x96f }, { 0x9e6, 0x9ef }, { 0xa66, 0xa6f }, { 0xae6, 0xaef }, { 0xb66, 0xb6f }, { 0xbe6, 0xbef },
		{ 0xc66, 0xc6f }, { 0xce6, 0xcef }, { 0xd66, 0xd6f }, { 0xde6, 0xdef }, { 0xe50, 0xe59 }, { 0xed0, 0xed9 },
		{ 0xf20, 0xf29 }, { 0x1040, 0x1049 }, { 0x1090, 0x1099 }, { 0x17e0, 0x17e9 }, { 0x1810, 0x1819 },
		{ 0x1946, 0x194f }, { 0x19d0, 0x19d9 }, { 0x1a80, 0x1a89 }, { 0x1a90, 0x1a99 }, { 0x1b50, 0x1b59 },
		{ 0x1bb0, 0x1bb9 }, { 0x1c40, 0x1c49 }, { 0x1c50, 0x1c59 }, { 0xa620, 0xa629 }, { 0xa8d0, 0xa8d9 },
		{ 0xa900, 0xa909 }, { 0xa9d0, 0xa9d9 }, { 0xa9f0, 0xa9f9 }, { 0xaa50, 0xaa59 }, { 0xabf0, 0xabf9 },
		{ 0xff10, 0xff19 }, { 0x104a0, 0x104a9 }, { 0x10d30, 0x10d39 }, { 0x11066, 0x1106f }, { 0x110f0, 0x110f9 },
		{ 0x11136, 0x1113f }, { 0x111d0, 0x111d9 }, { 0x112f0, 0x112f9 }, { 0x11450, 0x11459 }, { 0x114d0, 0x114d9 },
		{ 0x11650, 0x11659 }, { 0x116c0, 0x116c9 }, { 0x11730, 0x11739 }, { 0x118e0, 0x118e9 }, { 0x11950, 0x11959 },
		{ 0x11c50, 0x11c59 }, { 0x11d50, 0x11d59 }, { 0x11da0, 0x11da9 }, { 0x11f50, 0x11f59 }, { 0x16a60, 0x16a69 },
		{ 0x16ac0, 0x16ac9 }, { 0x16b50, 0x16b59 }, { 0x1d7ce, 0x1d7ff }, { 0x1e140, 0x1e149 }, { 0x1e2f0, 0x1e2f9 },
		{ 0x1e4f0, 0x1e4f9 }, { 0x1e950, 0x1e959 }, { 0x1fbf0, 0x1fbf9 } };
	size_t i;

	if (character < 0x80)
		return character >= '0' && character <= '9';
	for (i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		if (character >= ranges[i][0] && character <= ranges[i][1])
			return true;
	}
	return false;
}

bool
conf_lex_space(uint32_t c)
{
	return (c >= '\t' && c <= '\r') || c == ' ' || c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) ||
	    c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

static bool
lex_is_blank(uint32_t c)
{
	return c == ' ' || c == '\t';
}

static bool
lex_is_newline(uint32_t c)
{
	return c == '\n' || c == '\r';
}

static bool
lex_is_separator(uint32_t c)
{
	return c == '=' || c == ':';
}

static bool
lex_is_suffix(uint32_t c)
{
	return c != 0 && c < 0x80 && strchr("kKmMgGtTpPeE", (int)c) != NULL;
}

/* What ends a bare value inside a block. */
static bool
lex_ends_value(uint32_t c)
{
	return lex_is_newline(c) || c == END_OF_INPUT || c == '}' || c == ';' || c == ',' || lex_is_blank(c);
}

static uint32_t
lex_next(struct conf_lexer *lx)
{
	uint32_t character;

	if (lx->at >= lx->size) {
		lx->width = 0;
		return END_OF_INPUT;
	}
	if (lx->input[lx->at] == '\n') {
		lx->line++;
		lx->line_start = lx->at;
	}
	lx->width = text_rune(lx->input + lx->at, lx->size - lx->at, &character);
	lx->at += lx->width;
	return character;
}

/* Steps back by the width of the last character; a second call in a row steps by the same width again. */
static void
lex_back(struct conf_lexer *lx)
{
	CHECK(lx->at >= lx->width);
	lx->at -= lx->width;
	if (lx->at < lx->size && lx->input[lx->at] == '\n')
		lx->line--;
}

static uint32_t
lex_peek(struct conf_lexer *lx)
{
	uint32_t character = lex_next(lx);

	lex_back(lx);
	return character;
}

static void
lex_ignore(struct conf_lexer *lx)
{
	lx->start = lx->at;
	lx->item_line_start = lx->line_start;
}

static void
lex_part_append(struct conf_lexer *lx, const char *text, size_t length)
{
	char *bigger;
	size_t size;

	if (length > lx->part_size - lx->part_length) {
		size = (lx->part_length + length) * 2 + 64;
		bigger = arena_alloc(lx->arena, size);
		if (bigger == NULL)
			return;
		if (lx->part_length > 0)
			memcpy(bigger, lx->part, lx->part_length);
		lx->part = bigger;
		lx->part_size = size;
	}
	if (length > 0)
		memcpy(lx->part + lx->part_length, text, length);
	lx->part_length += length;
}

/* Makes an item of what was read since start, with the parts of an escaped string before it. */
static void
lex_emit(struct conf_lexer *lx, enum conf_item_type type)
{
	CHECK(!lx->ready && lx->start <= lx->at && lx->at <= lx->size);
	lx->item.type = type;
	lx->item.text = lx->input + lx->start;
	lx->item.length = lx->at - lx->start;
	if (lx->parts) {
		lex_part_append(lx, lx->item.text, lx->item.length);
		lx->item.text = lx->part != NULL ? lx->part : "";
		lx->item.length = lx->part_length;
		lx->parts = false;
		lx->part = NULL;
		lx->part_length = lx->part_size = 0;
	}
	lx->item.line = lx->line;
	lx->item.column = (int)((int64_t)lx->at - (int64_t)lx->item_line_start - (int64_t)lx->item.length);
	lx->ready = true;
	lx->start = lx->at;
	lx->item_line_start = lx->line_start;
}

static enum lex_state lex_error(struct conf_lexer *, const char *, ...) __attribute__((format(printf, 2, 3)));

static enum lex_state
lex_error(struct conf_lexer *lx, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(lx->error, sizeof(lx->error), format, arguments);
	va_end(arguments);
	lx->item.type = CONF_ITEM_ERROR;
	lx->item.text = lx->error;
	lx->item.length = strlen(lx->error);
	lx->item.line = lx->line;
	lx->item.column = (int)((int64_t)lx->at - (int64_t)lx->line_start);
	lx->ready = true;
	return LEX_STOP;
}

/* A character as error texts show it. */
static const char *
lex_show(uint32_t c, char shown[8])
{
	size_t n;

	if (c == END_OF_INPUT)
		return "EOF";
	if (c == '\n')
		return "\\n";
	n = text_put_rune(shown, c);
	shown[n] = '\0';
	return shown;
}

static bool
lex_push(struct conf_lexer *lx, enum lex_state state)
{
	if (lx->depth == CONF_LEX_STACK)
		return false;
	lx->stack[lx->depth++] = (uint8_t)state;
	return true;
}

static enum lex_state
lex_pop(struct conf_lexer *lx)
{
	if (lx->depth == 0)
		return lex_error(lx, "Unexpected end of a value.");
	return (enum lex_state)lx->stack[--lx->depth];
}

/* Goes to state and comes back to "after" when it is done. */
static enum lex_state
lex_call(struct conf_lexer *lx, enum lex_state state, enum lex_state after)
{
	if (!lex_push(lx, after))
		return lex_error(lx, "Values are nested too deeply.");
	return state;
}

static enum lex_state
lex_skip(struct conf_lexer *lx, enum lex_state state)
{
	lex_ignore(lx);
	return state;
}

static enum lex_state
lex_end(struct conf_lexer *lx)
{
	if (lx->at > lx->start)
		return lex_error(lx, "Unexpected EOF.");
	lex_emit(lx, CONF_ITEM_EOF);
	return LEX_STOP;
}

/* True when c opens a comment: '#', or '/' followed by another one, which is read too. A lone '/' stays read. */
static bool
lex_opens_comment(struct conf_lexer *lx, uint32_t c)
{
	if (c == '#')
		return true;
	if (c != '/')
		return false;
	if (lex_next(lx) == '/')
		return true;
	lex_back(lx);
	return false;
}

static enum lex_state
lex_comment(struct conf_lexer *lx)
{
	uint32_t c;

	lex_ignore(lx);
	for (c = lex_peek(lx); !lex_is_newline(c) && c != END_OF_INPUT; c = lex_peek(lx))
		lex_next(lx);
	lex_emit(lx, CONF_ITEM_COMMENT);
	return lex_pop(lx);
}

static enum lex_state
lex_top(struct conf_lexer *lx)
{
	uint32_t c = lex_next(lx);

	if (conf_lex_space(c))
		return lex_skip(lx, LEX_TOP);
	if (c == '{') {
		lex_ignore(lx);
		return lex_call(lx, LEX_BLOCK_START, LEX_TOP);
	}
	if (lex_opens_comment(lx, c))
		return lex_call(lx, LEX_COMMENT, LEX_TOP);
	if (c == '/' || c == END_OF_INPUT)
		return lex_end(lx);
	lex_back(lx);
	return lex_call(lx, LEX_KEY_START, LEX_TOP_VALUE_END);
}

static enum lex_state
lex_top_value_end(struct conf_lexer *lx)
{
	char shown[8];
	uint32_t c = lex_next(lx);

	if (lex_opens_comment(lx, c))
		return lex_call(lx, LEX_COMMENT, LEX_TOP);
	if (c == '/' || lex_is_blank(c))
		return LEX_TOP_VALUE_END;
	if (lex_is_newline(c) || c == END_OF_INPUT || c == ';' || c == ',' || c == '}')
		return lex_skip(lx, LEX_TOP);
	return lex_error(
	    lx, "Expected a top-level value to end with a new line, comment or EOF, but got '%s' instead.", lex_show(c, shown));
}

static enum lex_state
lex_block_start(struct conf_lexer *lx)
{
	uint32_t c = lex_next(lx);

	if (conf_lex_space(c))
		return lex_skip(lx, LEX_BLOCK_START);
	if (c == '{') {
		lex_ignore(lx);
		return lex_call(lx, LEX_BLOCK_START, LEX_BLOCK_END);
	}
	if (c == '}') {
		lex_ignore(lx);
		return lex_pop(lx);
	}
	if (lex_opens_comment(lx, c))
		return lex_call(lx, LEX_COMMENT, LEX_BLOCK_START);
	if (c == '/' || c == END_OF_INPUT)
		return lex_end(lx);
	lex_back(lx);
	return lex_call(lx, LEX_KEY_START, LEX_BLOCK_VALUE_END);
}

static enum lex_state
lex_block_value_end(struct conf_lexer *lx)
{
	char shown[8];
	uint32_t c = lex_next(lx);

	if (lex_opens_comment(lx, c))
		return lex_call(lx, LEX_COMMENT, LEX_BLOCK_VALUE_END);
	if (c == '/' || lex_is_blank(c))
		return LEX_BLOCK_VALUE_END;
	if (lex_is_newline(c) || c == ';' || c == ',')
		return lex_skip(lx, LEX_BLOCK_START);
	if (c == '}') {
		lex_back(lx);
		return LEX_BLOCK_END;
	}
	return lex_error(
	    lx, "Expected a block-level value to end with a new line, comment or EOF, but got '%s' instead.", lex_show(c, shown));
}

static enum lex_state
lex_block_end(struct conf_lexer *lx)
{
	char shown[8];
	uint32_t c = lex_next(lx);

	if (lex_opens_comment(lx, c))
		return lex_call(lx, LEX_COMMENT, LEX_BLOCK_START);
	if (c == '/' || lex_is_newline(c) || lex_is_blank(c))
		return LEX_BLOCK_END;
	if (c == ';' || c == ',')
		return lex_skip(lx, LEX_BLOCK_START);
	if (c == '}') {
		lex_ignore(lx);
		return lex_pop(lx);
	}
	return lex_error(lx, "Expected a block-level to end with a '}', but got '%s' instead.", lex_show(c, shown));
}

/* A key between quotes, whose opening quote was just read: no escapes in it. */
static enum lex_state
lex_quoted_key(struct conf_lexer *lx, uint32_t quote, bool in_map)
{
	uint32_t c;

	lex_ignore(lx);
	for (c = lex_peek(lx); c != quote; c = lex_peek(lx)) {
		if (c == END_OF_INPUT) {
			if (!in_map)
				return lex_end(lx);
			return lex_error(lx, "Unexpected EOF processing %squoted map key.", quote == '"' ? "double " : "");
		}
		lex_next(lx);
	}
	lex_emit(lx, CONF_ITEM_KEY);
	lex_next(lx);
	return lex_skip(lx, in_map ? LEX_MAP_KEY_END : LEX_KEY_END);
}

static enum lex_state
lex_key_start(struct conf_lexer *lx)
{
	char shown[8];
	uint32_t c = lex_peek(lx);

	if (lex_is_separator(c))
		return lex_error(lx, "Unexpected key separator '%s'", lex_show(c, shown));
	if (conf_lex_space(c)) {
		lex_next(lx);
		return lex_skip(lx, LEX_KEY_START);
	}
	if (c == '"' || c == '\'') {
		lex_next(lx);
		return lex_quoted_key(lx, c, false);
	}
	lex_ignore(lx);
	lex_next(lx);
	return LEX_KEY;
}

/* A bare word followed by a blank: the keyword include, or a key. after is pushed before the file name is read. */
static enum lex_state
lex_keyword_or_key(struct conf_lexer *lx, bool in_map)
{
	if (lx->at - lx->start == 7 && strncasecmp(lx->input + lx->start, "include", 7) == 0) {
		lex_ignore(lx);
		if (in_map)
			return lex_call(lx, LEX_INCLUDE, LEX_MAP_VALUE_END);
		return LEX_INCLUDE;
	}
	lex_emit(lx, CONF_ITEM_KEY);
	return in_map ? LEX_MAP_KEY_END : LEX_KEY_END;
}

static enum lex_state
lex_key(struct conf_lexer *lx)
{
	uint32_t c;

	for (c = lex_peek(lx); !lex_is_separator(c) && c != END_OF_INPUT; c = lex_peek(lx)) {
		if (conf_lex_space(c))
			return lex_keyword_or_key(lx, false);
		lex_next(lx);
	}
	lex_emit(lx, CONF_ITEM_KEY);
	return LEX_KEY_END;
}

static enum lex_state
lex_key_end(struct conf_lexer *lx)
{
	uint32_t c = lex_next(lx);

	if (conf_lex_space(c))
		return lex_skip(lx, LEX_KEY_END);
	if (lex_is_separator(c))
		return lex_skip(lx, LEX_VALUE);
	if (c == END_OF_INPUT) {
		lex_emit(lx, CONF_ITEM_EOF);
		return LEX_STOP;
	}
	lex_back(lx);
	return LEX_VALUE;
}

/* The file name of an include between quotes, whose opening quote was just read. */
static enum lex_state
lex_include_quoted(struct conf_lexer *lx, uint32_t quote)
{
	uint32_t c;

	lex_ignore(lx);
	for (c = lex_next(lx); c != quote; c = lex_next(lx)) {
		if (c == END_OF_INPUT)
			return lex_error(lx, "Unexpected EOF in %squoted include", quote == '"' ? "double " : "");
	}
	lex_back(lx);
	lex_emit(lx, CONF_ITEM_INCLUDE);
	lex_next(lx);
	lex_ignore(lx);
	return lex_pop(lx);
}

static enum lex_state
lex_include(struct conf_lexer *lx)
{
	uint32_t c;

	while (lex_is_blank(c = lex_next(lx)))
		lex_ignore(lx);
	if (c == '\'' || c == '"')
		return lex_include_quoted(lx, c);
	if (c == '[')
		return lex_error(lx, "Expected include value but found start of an array");
	if (c == '{')
		return lex_error(lx, "Expected include value but found start of a map");
	if (c == '(')
		return lex_error(lx, "Expected include value but found start of a block");
	if (conf_lex_digit(c) || c == '-')
		return lex_error(lx, "Expected include value but found start of a number");
	if (c == '\\')
		return lex_error(lx, "Expected include value but found escape sequence");
	if (lex_is_newline(c))
		return lex_error(lx, "Expected include value but found new line");
	lex_back(lx);
	for (c = lex_next(lx); c != '\''; c = lex_next(lx)) {
		if (lex_is_newline(c) || c == END_OF_INPUT || c == ';' || c == '}' || lex_is_blank(c)) {
			lex_back(lx);
			lex_emit(lx, CONF_ITEM_INCLUDE);
			return lex_pop(lx);
		}
	}
	lex_back(lx);
	lex_emit(lx, CONF_ITEM_INCLUDE);
	lex_next(lx);
	lex_ignore(lx);
	return lex_pop(lx);
}

static enum lex_state
lex_value(struct conf_lexer *lx)
{
	uint32_t c;

	while (lex_is_blank(c = lex_next(lx)))
		lex_ignore(lx);
	switch (c) {
	case '[':
		lex_ignore(lx);
		lex_emit(lx, CONF_ITEM_ARRAY_START);
		return LEX_ARRAY_VALUE;
	case '{':
		lex_ignore(lx);
		lex_emit(lx, CONF_ITEM_MAP_START);
		return LEX_MAP_KEY_START;
	case '\'': lex_ignore(lx); return LEX_SINGLE_QUOTED;
	case '"':
		lex_ignore(lx);
		lx->string_state = LEX_DOUBLE_QUOTED;
		return LEX_DOUBLE_QUOTED;
	case '(': lex_ignore(lx); return LEX_TEXT_BLOCK;
	case '.': return lex_error(lx, "Floats must start with a digit");
	default: break;
	}
	if (c == '-' || conf_lex_digit(c)) {
		lex_back(lx);
		return LEX_NUMBER;
	}
	if (lex_is_newline(c))
		return lex_error(lx, "Expected value but found new line");
	lex_back(lx);
	lx->string_state = LEX_STRING;
	return LEX_STRING;
}

static enum lex_state
lex_array_value(struct conf_lexer *lx)
{
	uint32_t c = lex_next(lx);

	if (conf_lex_space(c))
		return lex_skip(lx, LEX_ARRAY_VALUE);
	if (lex_opens_comment(lx, c))
		return lex_call(lx, LEX_COMMENT, LEX_ARRAY_VALUE);
	if (c == '/' || c == ',')
		return lex_error(lx, "Unexpected array value terminator ','.");
	if (c == ']') {
		lex_ignore(lx);
		lex_emit(lx, CONF_ITEM_ARRAY_END);
		return lex_pop(lx);
	}
	lex_back(lx);
	return lex_call(lx, LEX_VALUE, LEX_ARRAY_VALUE_END);
}

static enum lex_state
lex_array_value_end(struct conf_lexer *lx)
{
	char shown[8];
	uint32_t c = lex_next(lx);

	if (lex_is_blank(c))
		return lex_skip(lx, LEX_ARRAY_VALUE_END);
	if (lex_opens_comment(lx, c))
		return lex_call(lx, LEX_COMMENT, LEX_ARRAY_VALUE_END);
	if (c == '/' || c == ',' || lex_is_newline(c))
		return lex_skip(lx, LEX_ARRAY_VALUE);
	if (c == ']') {
		lex_ignore(lx);
		lex_emit(lx, CONF_ITEM_ARRAY_END);
		return lex_pop(lx);
	}
	return lex_error(
	    lx, "Expected an array value terminator \",\" or an array terminator \"]\", but got '%s' instead.", lex_show(c, shown));
}

static enum lex_state
lex_map_end(struct conf_lexer *lx)
{
	lex_ignore(lx);
	lex_emit(lx, CONF_ITEM_MAP_END);
	return lex_pop(lx);
}

static enum lex_state
lex_map_key_start(struct conf_lexer *lx)
{
	char shown[8];
	uint32_t c = lex_peek(lx);

	if (lex_is_separator(c))
		return lex_error(lx, "Unexpected key separator '%s'.", lex_show(c, shown));
	if (c == ']')
		return lex_error(lx, "Unexpected array end '%s' processing map.", lex_show(c, shown));
	if (c == END_OF_INPUT)
		return lex_error(lx, "Unexpected EOF processing map.");
	if (conf_lex_space(c)) {
		lex_next(lx);
		return lex_skip(lx, LEX_MAP_KEY_START);
	}
	if (c == '}') {
		lex_next(lx);
		return lex_map_end(lx);
	}
	if (c == '"' || c == '\'') {
		lex_next(lx);
		return lex_quoted_key(lx, c, true);
	}
	if (c == '#' || c == '/') {
		lex_next(lx);
		if (lex_opens_comment(lx, c))
			return lex_call(lx, LEX_COMMENT, LEX_MAP_KEY_START);
	}
	lex_ignore(lx);
	lex_next(lx);
	return LEX_MAP_KEY;
}

static enum lex_state
lex_map_key(struct conf_lexer *lx)
{
	uint32_t c;

	for (c = lex_peek(lx); !lex_is_separator(c); c = lex_peek(lx)) {
		if (c == END_OF_INPUT)
			return lex_error(lx, "Unexpected EOF processing map key.");
		if (conf_lex_space(c))
			return lex_keyword_or_key(lx, true);
		lex_next(lx);
	}
	lex_emit(lx, CONF_ITEM_KEY);
	return LEX_MAP_KEY_END;
}

static enum lex_state
lex_map_key_end(struct conf_lexer *lx)
{
	uint32_t c = lex_next(lx);

	if (conf_lex_space(c))
		return lex_skip(lx, LEX_MAP_KEY_END);
	if (lex_is_separator(c))
		return lex_skip(lx, LEX_MAP_VALUE);
	lex_back(lx);
	return LEX_MAP_VALUE;
}

static enum lex_state
lex_map_value(struct conf_lexer *lx)
{
	uint32_t c = lex_next(lx);

	if (conf_lex_space(c))
		return lex_skip(lx, LEX_MAP_VALUE);
	if (c == ',')
		return lex_error(lx, "Unexpected map value terminator \",\".");
	if (c == '}')
		return lex_map_end(lx);
	lex_back(lx);
	return lex_call(lx, LEX_VALUE, LEX_MAP_VALUE_END);
}

static enum lex_state
lex_map_value_end(struct conf_lexer *lx)
{
	char shown[8];
	uint32_t c = lex_next(lx);

	if (lex_is_blank(c))
		return lex_skip(lx, LEX_MAP_VALUE_END);
	if (lex_opens_comment(lx, c))
		return lex_call(lx, LEX_COMMENT, LEX_MAP_VALUE_END);
	if (c == '/' || c == ';' || c == ',' || lex_is_newline(c))
		return lex_skip(lx, LEX_MAP_KEY_START);
	if (c == '}')
		return lex_map_end(lx);
	return lex_error(
	    lx, "Expected a map value terminator \",\" or a map terminator \"}\", but got '%s' instead.", lex_show(c, shown));
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

	if (lex_is_newline(lex_next(lx)) || lex_is_newline(lex_next(lx)))
		return lex_error(lx, "Expected two hexadecimal digits after '\\x', but hit end of line");
	CHECK(lx->at >= 2);
	if (!lex_hex((uint8_t)lx->input[lx->at - 2], &high) || !lex_hex((uint8_t)lx->input[lx->at - 1], &low))
		return lex_error(lx, "Expected two hexadecimal digits after '\\x', but got '%.2s'", lx->input + lx->at - 2);
	byte = (char)(high << 4 | low);
	lex_part_append(lx, &byte, 1);
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
	lex_part_append(lx, lx->input + lx->start, lx->at - 1 - lx->start);
	lx->parts = true;
	lx->start = lx->at;
	c = lex_next(lx);
	if (c == 'x')
		return lex_escape_hex(lx);
	found = c > 0 && c < 0x80 ? strchr(from, (int)c) : NULL;
	if (found == NULL)
		return lex_error(lx,
		    "Invalid escape character '%s'. Only the following escape characters are allowed: "
		    "\\xXX, \\t, \\n, \\r, \\\", \\\\.",
		    lex_show(c, shown));
	lex_part_append(lx, &to[found - from], 1);
	lx->start = lx->at;
	return (enum lex_state)lx->string_state;
}

/* A string whose opening quote was read; only in double quotes there are escapes. */
static enum lex_state
lex_quoted_string(struct conf_lexer *lx, uint32_t quote)
{
	uint32_t c;

	for (c = lex_next(lx); c != quote; c = lex_next(lx)) {
		if (c == END_OF_INPUT)
			return lex_end(lx);
		if (c == '\\' && quote == '"')
			return lex_escape(lx);
	}
	lex_back(lx);
	lex_emit(lx, CONF_ITEM_STRING);
	lex_next(lx);
	lex_ignore(lx);
	return lex_pop(lx);
}

static enum lex_state
lex_single_quoted(struct conf_lexer *lx)
{
	return lex_quoted_string(lx, '\'');
}

static enum lex_state
lex_double_quoted(struct conf_lexer *lx)
{
	return lex_quoted_string(lx, '"');
}

static bool
lex_is_boolean(const struct conf_lexer *lx)
{
	static const char *const words[] = { "true", "false", "on", "off", "yes", "no" };
	size_t i, length = lx->at - lx->start;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strlen(words[i]) == length && strncasecmp(lx->input + lx->start, words[i], length) == 0)
			return true;
	}
	return false;
}

/* A bare word: text, a boolean or a variable. */
static enum lex_state
lex_string(struct conf_lexer *lx)
{
	uint32_t c;

	for (c = lex_next(lx); !lex_ends_value(c) && c != ']'; c = lex_next(lx)) {
		if (c == '\\')
			return lex_escape(lx);
		if (c == '\'') {
			lex_back(lx);
			lex_emit(lx, CONF_ITEM_STRING);
			lex_next(lx);
			lex_ignore(lx);
			return lex_pop(lx);
		}
	}
	lex_back(lx);
	if (!lx->parts && lex_is_boolean(lx)) {
		lex_emit(lx, CONF_ITEM_BOOL);
	} else if (!lx->parts && lx->start < lx->at && lx->input[lx->start] == '$') {
		lx->start++;
		lex_emit(lx, CONF_ITEM_VARIABLE);
	} else {
		lex_emit(lx, CONF_ITEM_STRING);
	}
	return lex_pop(lx);
}

/* Text between "(" and a ")" that stands alone on its line. At the end of the input the ")" stays in the text, as in nats-server.
 */
static enum lex_state
lex_text_block(struct conf_lexer *lx)
{
	uint32_t c;

	for (c = lex_next(lx); c != END_OF_INPUT; c = lex_next(lx)) {
		if (c != ')')
			continue;
		lex_back(lx);
		lex_back(lx);
		c = lex_next(lx);
		lex_next(lx);
		if (c != '\n')
			continue;
		c = lex_next(lx);
		if (c != '\n' && c != END_OF_INPUT) {
			lex_back(lx);
			continue;
		}
		lex_back(lx);
		lex_back(lx);
		lex_emit(lx, CONF_ITEM_STRING);
		lex_next(lx);
		lex_ignore(lx);
		return lex_pop(lx);
	}
	return lex_error(lx, "Unexpected EOF processing block.");
}

/* The rest of a time, after its year and '-': 01-02T15:04:05Z. */
static enum lex_state
lex_time(struct conf_lexer *lx)
{
	char shown[8];
	const char *format;
	uint32_t c;

	for (format = "00-00T00:00:00Z"; *format != '\0'; format++) {
		c = lex_next(lx);
		if (*format == '0' && !conf_lex_digit(c))
			return lex_error(lx, "Expected digit in ISO8601 datetime, but found '%s' instead.", lex_show(c, shown));
		if (*format != '0' && c != (uint32_t)*format)
			return lex_error(
			    lx, "Expected '%c' in ISO8601 datetime, but found '%s' instead.", *format, lex_show(c, shown));
	}
	lex_emit(lx, CONF_ITEM_TIME);
	return lex_pop(lx);
}

/* After the point of a number: a fraction, or an address such as 127.0.0.1:4222. */
static enum lex_state
lex_float(struct conf_lexer *lx)
{
	char shown[8];
	uint32_t c = lex_next(lx);

	if (!conf_lex_digit(c))
		return lex_error(lx, "Floats must have a digit after the '.', but got '%s' instead.", lex_show(c, shown));
	while (conf_lex_digit(c))
		c = lex_next(lx);
	if (c == '.') {
		do
			c = lex_next(lx);
		while (conf_lex_digit(c) || c == '.' || c == ':' || c == '-');
		lex_back(lx);
		lex_emit(lx, CONF_ITEM_STRING);
		return lex_pop(lx);
	}
	lex_back(lx);
	lex_emit(lx, CONF_ITEM_FLOAT);
	return lex_pop(lx);
}

/* After a size suffix such as the k of 1kb. */
static enum lex_state
lex_suffix(struct conf_lexer *lx)
{
	uint32_t c;

	do
		c = lex_next(lx);
	while (c == 'b' || c == 'B' || c == 'i' || c == 'I');
	lex_back(lx);
	if (lex_ends_value(c)) {
		lex_emit(lx, CONF_ITEM_INTEGER);
		return lex_pop(lx);
	}
	lx->string_state = LEX_STRING;
	return LEX_STRING;
}

/* A value that starts with a digit or '-': a number, a time, an address, or text after all. */
static enum lex_state
lex_number(struct conf_lexer *lx)
{
	char shown[8];
	bool negative;
	uint32_t c = lex_next(lx);

	negative = c == '-';
	if (negative)
		c = lex_next(lx);
	if (!conf_lex_digit(c)) {
		if (c == '.')
			return lex_error(lx, "Floats must start with a digit, not '.'.");
		return lex_error(lx, "Expected a digit but got '%s'.", lex_show(c, shown));
	}
	while (conf_lex_digit(c))
		c = lex_next(lx);
	if (c == '.')
		return lex_float(lx);
	if (lex_is_suffix(c))
		return lex_suffix(lx);
	if (!negative && c == '-') {
		if (lx->at - lx->start != 5)
			return lex_error(lx, "All ISO8601 dates must be in full Zulu form.");
		return lex_time(lx);
	}
	if (!negative && !lex_ends_value(c)) {
		lx->string_state = LEX_STRING;
		return LEX_STRING;
	}
	lex_back(lx);
	lex_emit(lx, CONF_ITEM_INTEGER);
	return lex_pop(lx);
}

static lex_function *const lex_functions[LEX_STATES] = {
	[LEX_TOP] = lex_top,
	[LEX_TOP_VALUE_END] = lex_top_value_end,
	[LEX_BLOCK_START] = lex_block_start,
	[LEX_BLOCK_VALUE_END] = lex_block_value_end,
	[LEX_BLOCK_END] = lex_block_end,
	[LEX_KEY_START] = lex_key_start,
	[LEX_KEY] = lex_key,
	[LEX_KEY_END] = lex_key_end,
	[LEX_INCLUDE] = lex_include,
	[LEX_VALUE] = lex_value,
	[LEX_ARRAY_VALUE] = lex_array_value,
	[LEX_ARRAY_VALUE_END] = lex_array_value_end,
	[LEX_MAP_KEY_START] = lex_map_key_start,
	[LEX_MAP_KEY] = lex_map_key,
	[LEX_MAP_KEY_END] = lex_map_key_end,
	[LEX_MAP_VALUE] = lex_map_value,
	[LEX_MAP_VALUE_END] = lex_map_value_end,
	[LEX_SINGLE_QUOTED] = lex_single_quoted,
	[LEX_DOUBLE_QUOTED] = lex_double_quoted,
	[LEX_STRING] = lex_string,
	[LEX_TEXT_BLOCK] = lex_text_block,
	[LEX_NUMBER] = lex_number,
	[LEX_COMMENT] = lex_comment,
};

void
conf_lex_init(struct conf_lexer *lx, struct arena *arena, const char *input, size_t size)
{
	CHECK(arena != NULL && (input != NULL || size == 0));
	memset(lx, 0, sizeof(*lx));
	lx->arena = arena;
	lx->input = input;
	lx->size = size;
	lx->line = 1;
	lx->state = LEX_TOP;
}

struct conf_item
conf_lex_next(struct conf_lexer *lx)
{
	CHECK(lx->state != LEX_STOP);
	lx->ready = false;
	while (!lx->ready) {
		CHECK(lx->state < LEX_STATES && lex_functions[lx->state] != NULL);
		lx->state = (uint8_t)lex_functions[lx->state](lx);
	}
	return lx->item;
}
