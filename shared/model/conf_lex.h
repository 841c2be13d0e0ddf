/*
 * Splits NATS configuration text into items (keys, values, braces), the way nats-server's conf/lex.go does, odd corners included.
 * Who calls it: conf_parse.c alone. It owns nothing: texts of items lie in the input or in the arena. It never reads outside the
 * input.
 */
#ifndef MODEL_CONF_LEX_H
#define MODEL_CONF_LEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

#define CONF_LEX_STACK 512
#define CONF_LEX_ERROR 160

enum conf_item_type {
	CONF_ITEM_ERROR,
	CONF_ITEM_EOF,
	CONF_ITEM_KEY,
	CONF_ITEM_COMMENT,
	CONF_ITEM_STRING,
	CONF_ITEM_BOOL,
	CONF_ITEM_INTEGER,
	CONF_ITEM_FLOAT,
	CONF_ITEM_TIME,
	CONF_ITEM_ARRAY_START,
	CONF_ITEM_ARRAY_END,
	CONF_ITEM_MAP_START,
	CONF_ITEM_MAP_END,
	CONF_ITEM_VARIABLE,
	CONF_ITEM_INCLUDE,
};

struct conf_item {
	enum conf_item_type type;
	const char *text; /* not NUL-terminated */
	size_t length;
	int line;
	int column;
};

struct conf_lexer {
	struct arena *arena;
	const char *input;
	size_t size;
	size_t start; /* where the current item begins */
	size_t at;
	size_t width; /* bytes of the last character read */
	int line;
	size_t line_start;      /* the newline before the current line (or 0) */
	size_t item_line_start; /* the same for the current item */
	uint8_t state;
	uint8_t string_state; /* where to go on after an escape */
	bool ready;           /* an item was made */
	struct conf_item item;
	uint8_t stack[CONF_LEX_STACK];
	unsigned depth;
	bool parts; /* the current string has escaped parts, kept in: */
	char *part;
	size_t part_length;
	size_t part_size;
	char error[CONF_LEX_ERROR];
};

void conf_lex_init(struct conf_lexer *lexer, struct arena *arena, const char *input, size_t size);

/* The next item. After CONF_ITEM_ERROR (text says why) or CONF_ITEM_EOF it must not be called again. */
struct conf_item conf_lex_next(struct conf_lexer *lexer);

/* Unicode's Nd class, which the language takes for digits. */
bool conf_lex_digit(uint32_t character);

/* Unicode's White_Space, which the language takes for blanks between keys. */
bool conf_lex_space(uint32_t character);

#endif
