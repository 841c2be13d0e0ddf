/*
 * Shared by the conf_lex*.c files only: the states of the scanner, and the steps they are made of.
 */
#ifndef MODEL_CONF_LEX_PRIVATE_H
#define MODEL_CONF_LEX_PRIVATE_H

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

static inline bool
conf_lex_blank(uint32_t c)
{
	return c == ' ' || c == '\t';
}

static inline bool
conf_lex_newline(uint32_t c)
{
	return c == '\n' || c == '\r';
}

static inline bool
conf_lex_separator(uint32_t c)
{
	return c == '=' || c == ':';
}

/* The next character, or END_OF_INPUT. */
uint32_t conf_lex_read(struct conf_lexer *);

/* Steps back by the width of the last character; a second call in a row steps by the same width again. */
void conf_lex_back(struct conf_lexer *);

/* The next character, which stays unread. */
uint32_t conf_lex_peek(struct conf_lexer *);

/* Forgets what was read since the last item. */
void conf_lex_ignore(struct conf_lexer *);

/* Adds text to the parts of an escaped string. */
void conf_lex_append(struct conf_lexer *, const char *text, size_t length);

/* Makes an item of what was read since the last one, with the parts of an escaped string before it. */
void conf_lex_emit(struct conf_lexer *, enum conf_item_type);

/* Makes an error item, and stops. */
enum lex_state conf_lex_error(struct conf_lexer *, const char *, ...) __attribute__((format(printf, 2, 3)));

/* A character as error texts show it. */
const char *conf_lex_show(uint32_t character, char shown[8]);

/* Goes to state, and to after when it is done. */
enum lex_state conf_lex_call(struct conf_lexer *, enum lex_state state, enum lex_state after);

/* Where to go now that a state is done. */
enum lex_state conf_lex_pop(struct conf_lexer *);

/* Ignores what was read and goes to state. */
enum lex_state conf_lex_skip(struct conf_lexer *, enum lex_state state);

/* At the end of the input, or an error if something was read. */
enum lex_state conf_lex_end(struct conf_lexer *);

/* True when c opens a comment: '#', or '/' followed by another one, which is read too. A lone '/' stays read. */
bool conf_lex_opens_comment(struct conf_lexer *, uint32_t c);

/* One function per state: reads, and says which state is next. */
enum lex_state conf_lex_state_top(struct conf_lexer *);
enum lex_state conf_lex_state_top_value_end(struct conf_lexer *);
enum lex_state conf_lex_state_block_start(struct conf_lexer *);
enum lex_state conf_lex_state_block_value_end(struct conf_lexer *);
enum lex_state conf_lex_state_block_end(struct conf_lexer *);
enum lex_state conf_lex_state_key_start(struct conf_lexer *);
enum lex_state conf_lex_state_key(struct conf_lexer *);
enum lex_state conf_lex_state_key_end(struct conf_lexer *);
enum lex_state conf_lex_state_include(struct conf_lexer *);
enum lex_state conf_lex_state_value(struct conf_lexer *);
enum lex_state conf_lex_state_array_value(struct conf_lexer *);
enum lex_state conf_lex_state_array_value_end(struct conf_lexer *);
enum lex_state conf_lex_state_map_key_start(struct conf_lexer *);
enum lex_state conf_lex_state_map_key(struct conf_lexer *);
enum lex_state conf_lex_state_map_key_end(struct conf_lexer *);
enum lex_state conf_lex_state_map_value(struct conf_lexer *);
enum lex_state conf_lex_state_map_value_end(struct conf_lexer *);
enum lex_state conf_lex_state_single_quoted(struct conf_lexer *);
enum lex_state conf_lex_state_double_quoted(struct conf_lexer *);
enum lex_state conf_lex_state_string(struct conf_lexer *);
enum lex_state conf_lex_state_text_block(struct conf_lexer *);
enum lex_state conf_lex_state_number(struct conf_lexer *);
enum lex_state conf_lex_state_comment(struct conf_lexer *);

#endif
