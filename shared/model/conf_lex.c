/*
 * The scanner of the configuration language: one function per state, each reads some characters and names the next state. The
 * states are in conf_lex_key.c (keys and what stands around them) and conf_lex_value.c; here are what they share and the loop over
 * them. conf_parse.c calls it item by item. It owns no memory but what the arena gives, keeps every index inside the input, and
 * never fails on input: a bad character becomes an item of type CONF_ITEM_ERROR with the text nats-server would give (its NUL at
 * the end of input reads EOF here).
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/text.h"
#include "model/conf_lex_private.h"

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

uint32_t
conf_lex_read(struct conf_lexer *lx)
{
	uint32_t character;

	CHECK(lx->at <= lx->size);
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
void
conf_lex_back(struct conf_lexer *lx)
{
	CHECK(lx->at >= lx->width);
	lx->at -= lx->width;
	if (lx->at < lx->size && lx->input[lx->at] == '\n')
		lx->line--;
}

uint32_t
conf_lex_peek(struct conf_lexer *lx)
{
	uint32_t character = conf_lex_read(lx);

	conf_lex_back(lx);
	return character;
}

void
conf_lex_ignore(struct conf_lexer *lx)
{
	CHECK(lx->start <= lx->at && lx->at <= lx->size);
	lx->start = lx->at;
	lx->item_line_start = lx->line_start;
}

void
conf_lex_append(struct conf_lexer *lx, const char *text, size_t length)
{
	char *bigger;
	size_t size;

	CHECK(lx->part_length <= lx->part_size);
	CHECK(text != NULL || length == 0);
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
void
conf_lex_emit(struct conf_lexer *lx, enum conf_item_type type)
{
	CHECK(!lx->ready && lx->start <= lx->at && lx->at <= lx->size);
	lx->item.type = type;
	lx->item.text = lx->input + lx->start;
	lx->item.length = lx->at - lx->start;
	if (lx->parts) {
		conf_lex_append(lx, lx->item.text, lx->item.length);
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

enum lex_state
conf_lex_error(struct conf_lexer *lx, const char *format, ...)
{
	va_list arguments;

	CHECK(!lx->ready && format != NULL);
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
const char *
conf_lex_show(uint32_t c, char shown[8])
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

enum lex_state
conf_lex_pop(struct conf_lexer *lx)
{
	CHECK(lx->depth <= CONF_LEX_STACK);
	if (lx->depth == 0)
		return conf_lex_error(lx, "Unexpected end of a value.");
	return (enum lex_state)lx->stack[--lx->depth];
}

/* Goes to state and comes back to "after" when it is done. */
enum lex_state
conf_lex_call(struct conf_lexer *lx, enum lex_state state, enum lex_state after)
{
	CHECK(state < LEX_STOP && after < LEX_STOP);
	if (!lex_push(lx, after))
		return conf_lex_error(lx, "Values are nested too deeply.");
	return state;
}

enum lex_state
conf_lex_skip(struct conf_lexer *lx, enum lex_state state)
{
	CHECK(state < LEX_STOP);
	conf_lex_ignore(lx);
	return state;
}

enum lex_state
conf_lex_end(struct conf_lexer *lx)
{
	CHECK(lx->start <= lx->at);
	if (lx->at > lx->start)
		return conf_lex_error(lx, "Unexpected EOF.");
	conf_lex_emit(lx, CONF_ITEM_EOF);
	return LEX_STOP;
}

/* True when c opens a comment: '#', or '/' followed by another one, which is read too. A lone '/' stays read. */
bool
conf_lex_opens_comment(struct conf_lexer *lx, uint32_t c)
{
	CHECK(c != '/' || lx->at > 0);
	if (c == '#')
		return true;
	if (c != '/')
		return false;
	if (conf_lex_read(lx) == '/')
		return true;
	conf_lex_back(lx);
	return false;
}

enum lex_state
conf_lex_state_comment(struct conf_lexer *lx)
{
	uint32_t c;

	CHECK(lx->depth > 0);
	conf_lex_ignore(lx);
	for (c = conf_lex_peek(lx); !conf_lex_newline(c) && c != END_OF_INPUT; c = conf_lex_peek(lx))
		conf_lex_read(lx);
	conf_lex_emit(lx, CONF_ITEM_COMMENT);
	return conf_lex_pop(lx);
}

static enum lex_state (*const lex_functions[LEX_STATES])(struct conf_lexer *) = {
	[LEX_TOP] = conf_lex_state_top,
	[LEX_TOP_VALUE_END] = conf_lex_state_top_value_end,
	[LEX_BLOCK_START] = conf_lex_state_block_start,
	[LEX_BLOCK_VALUE_END] = conf_lex_state_block_value_end,
	[LEX_BLOCK_END] = conf_lex_state_block_end,
	[LEX_KEY_START] = conf_lex_state_key_start,
	[LEX_KEY] = conf_lex_state_key,
	[LEX_KEY_END] = conf_lex_state_key_end,
	[LEX_INCLUDE] = conf_lex_state_include,
	[LEX_VALUE] = conf_lex_state_value,
	[LEX_ARRAY_VALUE] = conf_lex_state_array_value,
	[LEX_ARRAY_VALUE_END] = conf_lex_state_array_value_end,
	[LEX_MAP_KEY_START] = conf_lex_state_map_key_start,
	[LEX_MAP_KEY] = conf_lex_state_map_key,
	[LEX_MAP_KEY_END] = conf_lex_state_map_key_end,
	[LEX_MAP_VALUE] = conf_lex_state_map_value,
	[LEX_MAP_VALUE_END] = conf_lex_state_map_value_end,
	[LEX_SINGLE_QUOTED] = conf_lex_state_single_quoted,
	[LEX_DOUBLE_QUOTED] = conf_lex_state_double_quoted,
	[LEX_STRING] = conf_lex_state_string,
	[LEX_TEXT_BLOCK] = conf_lex_state_text_block,
	[LEX_NUMBER] = conf_lex_state_number,
	[LEX_COMMENT] = conf_lex_state_comment,
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
