/*
 * States of the scanner at keys: the top of a file, braces around it, keys, includes, and the end of each value of a block.
 * conf_lex.c calls it. See there for what all states share.
 */
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "model/conf_lex_private.h"

enum lex_state
conf_lex_state_top(struct conf_lexer *lx)
{
	uint32_t c = conf_lex_read(lx);

	if (conf_lex_space(c))
		return conf_lex_skip(lx, LEX_TOP);
	if (c == '{') {
		conf_lex_ignore(lx);
		return conf_lex_call(lx, LEX_BLOCK_START, LEX_TOP);
	}
	if (conf_lex_opens_comment(lx, c))
		return conf_lex_call(lx, LEX_COMMENT, LEX_TOP);
	if (c == '/' || c == END_OF_INPUT)
		return conf_lex_end(lx);
	conf_lex_back(lx);
	return conf_lex_call(lx, LEX_KEY_START, LEX_TOP_VALUE_END);
}

enum lex_state
conf_lex_state_top_value_end(struct conf_lexer *lx)
{
	char shown[8];
	uint32_t c = conf_lex_read(lx);

	if (conf_lex_opens_comment(lx, c))
		return conf_lex_call(lx, LEX_COMMENT, LEX_TOP);
	if (c == '/' || conf_lex_blank(c))
		return LEX_TOP_VALUE_END;
	if (conf_lex_newline(c) || c == END_OF_INPUT || c == ';' || c == ',' || c == '}')
		return conf_lex_skip(lx, LEX_TOP);
	return conf_lex_error(lx, "Expected a top-level value to end with a new line, comment or EOF, but got '%s' instead.",
	    conf_lex_show(c, shown));
}

enum lex_state
conf_lex_state_block_start(struct conf_lexer *lx)
{
	uint32_t c = conf_lex_read(lx);

	if (conf_lex_space(c))
		return conf_lex_skip(lx, LEX_BLOCK_START);
	if (c == '{') {
		conf_lex_ignore(lx);
		return conf_lex_call(lx, LEX_BLOCK_START, LEX_BLOCK_END);
	}
	if (c == '}') {
		conf_lex_ignore(lx);
		return conf_lex_pop(lx);
	}
	if (conf_lex_opens_comment(lx, c))
		return conf_lex_call(lx, LEX_COMMENT, LEX_BLOCK_START);
	if (c == '/' || c == END_OF_INPUT)
		return conf_lex_end(lx);
	conf_lex_back(lx);
	return conf_lex_call(lx, LEX_KEY_START, LEX_BLOCK_VALUE_END);
}

enum lex_state
conf_lex_state_block_value_end(struct conf_lexer *lx)
{
	char shown[8];
	uint32_t c = conf_lex_read(lx);

	if (conf_lex_opens_comment(lx, c))
		return conf_lex_call(lx, LEX_COMMENT, LEX_BLOCK_VALUE_END);
	if (c == '/' || conf_lex_blank(c))
		return LEX_BLOCK_VALUE_END;
	if (conf_lex_newline(c) || c == ';' || c == ',')
		return conf_lex_skip(lx, LEX_BLOCK_START);
	if (c == '}') {
		conf_lex_back(lx);
		return LEX_BLOCK_END;
	}
	return conf_lex_error(lx, "Expected a block-level value to end with a new line, comment or EOF, but got '%s' instead.",
	    conf_lex_show(c, shown));
}

enum lex_state
conf_lex_state_block_end(struct conf_lexer *lx)
{
	char shown[8];
	uint32_t c = conf_lex_read(lx);

	if (conf_lex_opens_comment(lx, c))
		return conf_lex_call(lx, LEX_COMMENT, LEX_BLOCK_START);
	if (c == '/' || conf_lex_newline(c) || conf_lex_blank(c))
		return LEX_BLOCK_END;
	if (c == ';' || c == ',')
		return conf_lex_skip(lx, LEX_BLOCK_START);
	if (c == '}') {
		conf_lex_ignore(lx);
		return conf_lex_pop(lx);
	}
	return conf_lex_error(lx, "Expected a block-level to end with a '}', but got '%s' instead.", conf_lex_show(c, shown));
}

/* A key between quotes, whose opening quote was just read: no escapes in it. */
static enum lex_state
lex_quoted_key(struct conf_lexer *lx, uint32_t quote, bool in_map)
{
	uint32_t c;

	CHECK(quote == '"' || quote == '\'');
	conf_lex_ignore(lx);
	for (c = conf_lex_peek(lx); c != quote; c = conf_lex_peek(lx)) {
		if (c == END_OF_INPUT) {
			if (!in_map)
				return conf_lex_end(lx);
			return conf_lex_error(lx, "Unexpected EOF processing %squoted map key.", quote == '"' ? "double " : "");
		}
		conf_lex_read(lx);
	}
	conf_lex_emit(lx, CONF_ITEM_KEY);
	conf_lex_read(lx);
	return conf_lex_skip(lx, in_map ? LEX_MAP_KEY_END : LEX_KEY_END);
}

enum lex_state
conf_lex_state_key_start(struct conf_lexer *lx)
{
	char shown[8];
	uint32_t c = conf_lex_peek(lx);

	CHECK(lx->depth > 0);
	if (conf_lex_separator(c))
		return conf_lex_error(lx, "Unexpected key separator '%s'", conf_lex_show(c, shown));
	if (conf_lex_space(c)) {
		conf_lex_read(lx);
		return conf_lex_skip(lx, LEX_KEY_START);
	}
	if (c == '"' || c == '\'') {
		conf_lex_read(lx);
		return lex_quoted_key(lx, c, false);
	}
	conf_lex_ignore(lx);
	conf_lex_read(lx);
	return LEX_KEY;
}

/* A bare word followed by a blank: the keyword include, or a key. after is pushed before the file name is read. */
static enum lex_state
lex_keyword_or_key(struct conf_lexer *lx, bool in_map)
{
	CHECK(lx->at >= lx->start);
	if (lx->at - lx->start == 7 && strncasecmp(lx->input + lx->start, "include", 7) == 0) {
		conf_lex_ignore(lx);
		if (in_map)
			return conf_lex_call(lx, LEX_INCLUDE, LEX_MAP_VALUE_END);
		return LEX_INCLUDE;
	}
	conf_lex_emit(lx, CONF_ITEM_KEY);
	return in_map ? LEX_MAP_KEY_END : LEX_KEY_END;
}

enum lex_state
conf_lex_state_key(struct conf_lexer *lx)
{
	uint32_t c;

	CHECK(lx->at >= lx->start);
	for (c = conf_lex_peek(lx); !conf_lex_separator(c) && c != END_OF_INPUT; c = conf_lex_peek(lx)) {
		if (conf_lex_space(c))
			return lex_keyword_or_key(lx, false);
		conf_lex_read(lx);
	}
	conf_lex_emit(lx, CONF_ITEM_KEY);
	return LEX_KEY_END;
}

enum lex_state
conf_lex_state_key_end(struct conf_lexer *lx)
{
	uint32_t c = conf_lex_read(lx);

	if (conf_lex_space(c))
		return conf_lex_skip(lx, LEX_KEY_END);
	if (conf_lex_separator(c))
		return conf_lex_skip(lx, LEX_VALUE);
	if (c == END_OF_INPUT) {
		conf_lex_emit(lx, CONF_ITEM_EOF);
		return LEX_STOP;
	}
	conf_lex_back(lx);
	return LEX_VALUE;
}

/* The file name of an include between quotes, whose opening quote was just read. */
static enum lex_state
lex_include_quoted(struct conf_lexer *lx, uint32_t quote)
{
	uint32_t c;

	CHECK(quote == '"' || quote == '\'');
	conf_lex_ignore(lx);
	for (c = conf_lex_read(lx); c != quote; c = conf_lex_read(lx)) {
		if (c == END_OF_INPUT)
			return conf_lex_error(lx, "Unexpected EOF in %squoted include", quote == '"' ? "double " : "");
	}
	conf_lex_back(lx);
	conf_lex_emit(lx, CONF_ITEM_INCLUDE);
	conf_lex_read(lx);
	conf_lex_ignore(lx);
	return conf_lex_pop(lx);
}

enum lex_state
conf_lex_state_include(struct conf_lexer *lx)
{
	uint32_t c;

	CHECK(lx->depth > 0);
	while (conf_lex_blank(c = conf_lex_read(lx)))
		conf_lex_ignore(lx);
	if (c == '\'' || c == '"')
		return lex_include_quoted(lx, c);
	if (c == '[')
		return conf_lex_error(lx, "Expected include value but found start of an array");
	if (c == '{')
		return conf_lex_error(lx, "Expected include value but found start of a map");
	if (c == '(')
		return conf_lex_error(lx, "Expected include value but found start of a block");
	if (conf_lex_digit(c) || c == '-')
		return conf_lex_error(lx, "Expected include value but found start of a number");
	if (c == '\\')
		return conf_lex_error(lx, "Expected include value but found escape sequence");
	if (conf_lex_newline(c))
		return conf_lex_error(lx, "Expected include value but found new line");
	conf_lex_back(lx);
	for (c = conf_lex_read(lx); c != '\''; c = conf_lex_read(lx)) {
		if (conf_lex_newline(c) || c == END_OF_INPUT || c == ';' || c == '}' || conf_lex_blank(c)) {
			conf_lex_back(lx);
			conf_lex_emit(lx, CONF_ITEM_INCLUDE);
			return conf_lex_pop(lx);
		}
	}
	conf_lex_back(lx);
	conf_lex_emit(lx, CONF_ITEM_INCLUDE);
	conf_lex_read(lx);
	conf_lex_ignore(lx);
	return conf_lex_pop(lx);
}

static enum lex_state
lex_map_end(struct conf_lexer *lx)
{
	CHECK(lx->depth > 0);
	conf_lex_ignore(lx);
	conf_lex_emit(lx, CONF_ITEM_MAP_END);
	return conf_lex_pop(lx);
}

enum lex_state
conf_lex_state_map_key_start(struct conf_lexer *lx)
{
	char shown[8];
	uint32_t c = conf_lex_peek(lx);

	if (conf_lex_separator(c))
		return conf_lex_error(lx, "Unexpected key separator '%s'.", conf_lex_show(c, shown));
	if (c == ']')
		return conf_lex_error(lx, "Unexpected array end '%s' processing map.", conf_lex_show(c, shown));
	if (c == END_OF_INPUT)
		return conf_lex_error(lx, "Unexpected EOF processing map.");
	if (conf_lex_space(c)) {
		conf_lex_read(lx);
		return conf_lex_skip(lx, LEX_MAP_KEY_START);
	}
	if (c == '}') {
		conf_lex_read(lx);
		return lex_map_end(lx);
	}
	if (c == '"' || c == '\'') {
		conf_lex_read(lx);
		return lex_quoted_key(lx, c, true);
	}
	if (c == '#' || c == '/') {
		conf_lex_read(lx);
		if (conf_lex_opens_comment(lx, c))
			return conf_lex_call(lx, LEX_COMMENT, LEX_MAP_KEY_START);
	}
	conf_lex_ignore(lx);
	conf_lex_read(lx);
	return LEX_MAP_KEY;
}

enum lex_state
conf_lex_state_map_key(struct conf_lexer *lx)
{
	uint32_t c;

	CHECK(lx->at >= lx->start);
	for (c = conf_lex_peek(lx); !conf_lex_separator(c); c = conf_lex_peek(lx)) {
		if (c == END_OF_INPUT)
			return conf_lex_error(lx, "Unexpected EOF processing map key.");
		if (conf_lex_space(c))
			return lex_keyword_or_key(lx, true);
		conf_lex_read(lx);
	}
	conf_lex_emit(lx, CONF_ITEM_KEY);
	return LEX_MAP_KEY_END;
}

enum lex_state
conf_lex_state_map_key_end(struct conf_lexer *lx)
{
	uint32_t c = conf_lex_read(lx);

	if (conf_lex_space(c))
		return conf_lex_skip(lx, LEX_MAP_KEY_END);
	if (conf_lex_separator(c))
		return conf_lex_skip(lx, LEX_MAP_VALUE);
	conf_lex_back(lx);
	return LEX_MAP_VALUE;
}

enum lex_state
conf_lex_state_map_value(struct conf_lexer *lx)
{
	uint32_t c = conf_lex_read(lx);

	if (conf_lex_space(c))
		return conf_lex_skip(lx, LEX_MAP_VALUE);
	if (c == ',')
		return conf_lex_error(lx, "Unexpected map value terminator \",\".");
	if (c == '}')
		return lex_map_end(lx);
	conf_lex_back(lx);
	return conf_lex_call(lx, LEX_VALUE, LEX_MAP_VALUE_END);
}

enum lex_state
conf_lex_state_map_value_end(struct conf_lexer *lx)
{
	char shown[8];
	uint32_t c = conf_lex_read(lx);

	if (conf_lex_blank(c))
		return conf_lex_skip(lx, LEX_MAP_VALUE_END);
	if (conf_lex_opens_comment(lx, c))
		return conf_lex_call(lx, LEX_COMMENT, LEX_MAP_VALUE_END);
	if (c == '/' || c == ';' || c == ',' || conf_lex_newline(c))
		return conf_lex_skip(lx, LEX_MAP_KEY_START);
	if (c == '}')
		return lex_map_end(lx);
	return conf_lex_error(
	    lx, "Expected a map value terminator \",\" or a map terminator \"}\", but got '%s' instead.", conf_lex_show(c, shown));
}
