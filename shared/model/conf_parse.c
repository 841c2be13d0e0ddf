/*
 * Builds the tree of a configuration out of items: keys and values, variables, includes, size suffixes.
 * options.c calls it. It owns nothing: all memory is the arena's, files and environment come through struct conf_source.
 * It follows nats-server's conf/parse.go to the letter, since an equal tree gives an equal digest, but for: nesting and includes
 * have a limit and include cycles are an error; a number that overflows by its suffix is an error; each error names its place.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/map.h"
#include "base/text.h"
#include "model/conf_lex.h"
#include "model/conf_tree.h"

/* The key under which the value of an environment variable is parsed. */
#define PARSE_VARIABLE_KEY "pk"
#define PARSE_BCRYPT "2a$"
#define PARSE_INDEX_FROM 8 /* maps with more entries have an index */

struct parse_key {
	const char *text;
	size_t length;
	int line;
	int column;
};

/* Environment variables being parsed, to find cycles. */
struct parse_reference {
	const char *name;
	const struct parse_reference *outer;
};

struct parser {
	struct arena *arena;
	const struct conf_source *source;
	const char *file;
	const char *directory;
	const struct parser *outer; /* the parser of the including file, or NULL */
	const struct parse_reference *references;
	const struct conf_position *fixed; /* all values stand here (text of a variable), or NULL */
	unsigned level;                    /* includes and variables around this one */
	struct conf_lexer lexer;
	struct conf_value *contexts[CONF_DEPTH_MAX + 1];
	unsigned depth;
	struct parse_key *keys; /* keys whose value has not come yet */
	size_t keys_length;
	size_t keys_size;
	char *error;
	size_t error_size;
};

static struct conf_value *parse_text(struct parser *, const char *, size_t);

static bool parse_fail(struct parser *, const struct conf_item *, const char *, ...) __attribute__((format(printf, 3, 4)));

static bool
parse_fail(struct parser *p, const struct conf_item *item, const char *format, ...)
{
	va_list arguments;
	int used = 0;

	if (item != NULL && p->fixed != NULL)
		used = snprintf(p->error, p->error_size, "%s:%d:%d: ", p->fixed->file, p->fixed->line, p->fixed->column);
	else if (item != NULL)
		used = snprintf(p->error, p->error_size, "%s:%d:%d: ", p->file, item->line, item->column);
	if (used < 0 || (size_t)used >= p->error_size)
		return false;
	va_start(arguments, format);
	vsnprintf(p->error + used, p->error_size - (size_t)used, format, arguments);
	va_end(arguments);
	return false;
}

static struct conf_value *
parse_new(struct parser *p, const struct conf_item *item, enum conf_type type)
{
	struct conf_value *value = arena_alloc(p->arena, sizeof(*value));

	CHECK(item != NULL && p->file != NULL);
	if (value == NULL)
		return NULL;
	value->type = type;
	value->at.file = p->file;
	value->at.line = item->line;
	value->at.column = item->column;
	if (p->fixed != NULL)
		value->at = *p->fixed;
	return value;
}

static uint32_t
parse_slot(const struct conf_value *map, const char *key, size_t length)
{
	size_t slot = map_hash(key, length) & (map->index_size - 1);
	const struct conf_entry *entry;

	CHECK((map->index_size & (map->index_size - 1)) == 0);
	CHECK(map->index_size > map->length);
	for (; map->index[slot] != 0; slot = (slot + 1) & (map->index_size - 1)) {
		entry = &map->entries[map->index[slot] - 1];
		if (entry->key_length == length && memcmp(entry->key, key, length) == 0)
			break;
	}
	return (uint32_t)slot;
}

static struct conf_entry *
parse_find(const struct conf_value *map, const char *key, size_t length)
{
	uint32_t slot;
	size_t i;

	CHECK(map->type == CONF_MAP);
	if (map->index != NULL) {
		slot = parse_slot(map, key, length);
		return map->index[slot] != 0 ? &map->entries[map->index[slot] - 1] : NULL;
	}
	for (i = 0; i < map->length; i++) {
		if (map->entries[i].key_length == length && memcmp(map->entries[i].key, key, length) == 0)
			return &map->entries[i];
	}
	return NULL;
}

struct conf_value *
conf_member(const struct conf_value *map, const char *key)
{
	const struct conf_entry *entry = parse_find(map, key, strlen(key));

	CHECK(map != NULL && key != NULL);
	return entry != NULL ? entry->value : NULL;
}

/* Rebuilds the index for twice the entries of now. */
static bool
parse_reindex(struct arena *arena, struct conf_value *map)
{
	size_t i, size = 16;

	CHECK(map->length <= map->capacity);
	while (size < map->capacity * 2)
		size *= 2;
	map->index = arena_array(arena, size, sizeof(map->index[0]));
	if (map->index == NULL)
		return false;
	map->index_size = size;
	for (i = 0; i < map->length; i++)
		map->index[parse_slot(map, map->entries[i].key, map->entries[i].key_length)] = (uint32_t)(i + 1);
	return true;
}

static struct conf_entry *
parse_append(struct arena *arena, struct conf_value *container)
{
	struct conf_entry *bigger;
	size_t capacity;

	CHECK(container->type == CONF_MAP || container->type == CONF_ARRAY);
	CHECK(container->length <= container->capacity);
	if (container->length == container->capacity) {
		capacity = container->capacity == 0 ? 4 : container->capacity * 2;
		bigger = arena_array(arena, capacity, sizeof(*bigger));
		if (bigger == NULL || capacity > UINT32_MAX)
			return NULL;
		if (container->length > 0)
			memcpy(bigger, container->entries, container->length * sizeof(*bigger));
		container->entries = bigger;
		container->capacity = capacity;
		if (container->type == CONF_MAP && capacity > PARSE_INDEX_FROM && !parse_reindex(arena, container))
			return NULL;
	}
	return &container->entries[container->length++];
}

/* map[key] = value: the last one with the same key stays. */
static bool
parse_put(struct parser *p, struct conf_value *map, const char *key, size_t length, struct conf_value *value)
{
	struct conf_entry *entry = parse_find(map, key, length);

	CHECK(map->type == CONF_MAP && value != NULL);
	if (entry == NULL) {
		entry = parse_append(p->arena, map);
		if (entry == NULL)
			return parse_fail(p, NULL, "configuration is too large");
		entry->key = key;
		entry->key_length = length;
		if (map->index != NULL)
			map->index[parse_slot(map, key, length)] = (uint32_t)map->length;
	}
	entry->value = value;
	return true;
}

static bool
parse_push_key(struct parser *p, const struct conf_item *item)
{
	struct parse_key *bigger;
	size_t size;

	CHECK(p->keys_length <= p->keys_size);
	if (p->keys_length == p->keys_size) {
		size = p->keys_size == 0 ? 16 : p->keys_size * 2;
		bigger = arena_array(p->arena, size, sizeof(*bigger));
		if (bigger == NULL)
			return parse_fail(p, item, "configuration is too large");
		if (p->keys_length > 0)
			memcpy(bigger, p->keys, p->keys_length * sizeof(*bigger));
		p->keys = bigger;
		p->keys_size = size;
	}
	p->keys[p->keys_length++] =
	    (struct parse_key){ .text = item->text, .length = item->length, .line = item->line, .column = item->column };
	return true;
}

/* Puts a value where it belongs: at the end of the array, or under the last key that waits for a value. */
static bool
parse_set(struct parser *p, const struct conf_item *item, struct conf_value *value)
{
	struct conf_value *context;
	struct conf_entry *entry;
	struct parse_key key;
	const char *text;

	CHECK(p->depth > 0);
	context = p->contexts[p->depth - 1];
	if (value == NULL)
		return parse_fail(p, item, "configuration is too large");
	if (context->type == CONF_ARRAY) {
		entry = parse_append(p->arena, context);
		if (entry == NULL)
			return parse_fail(p, item, "configuration is too large");
		entry->value = value;
		return true;
	}
	if (p->keys_length == 0)
		return parse_fail(p, item, "value without a key");
	key = p->keys[--p->keys_length];
	if (p->fixed == NULL && item->type != CONF_ITEM_INCLUDE) {
		value->at.line = key.line;
		value->at.column = key.column;
	}
	text = arena_strdup(p->arena, key.text, key.length);
	if (text == NULL)
		return parse_fail(p, item, "configuration is too large");
	return parse_put(p, context, text, key.length, value);
}

static bool
parse_set_string(struct parser *p, const struct conf_item *item, enum conf_type type, const char *text, size_t length)
{
	struct conf_value *value = parse_new(p, item, type);

	CHECK(type == CONF_STRING || type == CONF_TIME);
	if (value != NULL) {
		value->string = arena_strdup(p->arena, text, length);
		value->length = length;
		if (value->string == NULL)
			value = NULL;
	}
	return parse_set(p, item, value);
}

/* A size suffix as factor; 0 for what nats-server does not know (it then drops the value and its key waits on). */
static int64_t
parse_suffix(const char *text, size_t length)
{
	static const char letters[] = "kmgtpe";
	const char *letter;
	int64_t factor = 1, step;
	ptrdiff_t i;

	if (length == 0)
		return 1;
	letter = strchr(letters, text[0] | 0x20);
	if (letter == NULL || text[0] == '\0')
		return 0;
	if (length == 1)
		step = 1000;
	else if ((length == 2 && ((text[1] | 0x20) == 'b' || (text[1] | 0x20) == 'i')) ||
	    (length == 3 && (text[1] | 0x20) == 'i' && (text[2] | 0x20) == 'b'))
		step = 1024;
	else
		return 0;
	for (i = 0; i <= letter - letters; i++)
		factor *= step;
	return factor;
}

static bool
parse_integer(struct parser *p, const struct conf_item *item)
{
	struct conf_value *value;
	int64_t number, factor;
	size_t digits = 0, i;
	int length = (int)item->length;

	CHECK(item->length > 0);
	while (digits < item->length && ((item->text[digits] >= '0' && item->text[digits] <= '9') || item->text[digits] == '-'))
		digits++;
	for (i = 0; i < item->length; i++) {
		if ((uint8_t)item->text[i] >= 0x80)
			return parse_fail(p, item, "expected integer, but got '%.*s'", length, item->text);
	}
	factor = parse_suffix(item->text + digits, item->length - digits);
	if (!text_parse_i64(item->text, digits, &number) || (factor != 0 && __builtin_mul_overflow(number, factor, &number)))
		return parse_fail(p, item, "integer '%.*s' is out of the range", length, item->text);
	if (factor == 0)
		return true;
	value = parse_new(p, item, CONF_INTEGER);
	if (value != NULL)
		value->integer = number;
	return parse_set(p, item, value);
}

static bool
parse_float(struct parser *p, const struct conf_item *item)
{
	struct conf_value *value;
	const char *text = arena_strdup(p->arena, item->text, item->length);
	char *end;
	double number;

	CHECK(item->length > 0);
	if (text == NULL)
		return parse_fail(p, item, "configuration is too large");
	errno = 0;
	number = strtod(text, &end);
	if (*end != '\0')
		return parse_fail(p, item, "expected float, but got '%s'", text);
	if (errno == ERANGE && (number > 1 || number < -1))
		return parse_fail(p, item, "float '%s' is out of the range", text);
	value = parse_new(p, item, CONF_FLOAT);
	if (value != NULL)
		value->number = number;
	return parse_set(p, item, value);
}

static bool
parse_bool(struct parser *p, const struct conf_item *item)
{
	struct conf_value *value = parse_new(p, item, CONF_BOOL);

	CHECK(item->length >= 2);
	if (value != NULL) /* true, yes, on; the scanner lets nothing else through */
		value->boolean = strncasecmp(item->text, "t", 1) == 0 || strncasecmp(item->text, "y", 1) == 0 ||
		    strncasecmp(item->text, "on", 2) == 0;
	return parse_set(p, item, value);
}

static int
parse_two_digits(const char *text)
{
	return (text[0] - '0') * 10 + (text[1] - '0');
}

static bool
parse_time(struct parser *p, const struct conf_item *item)
{
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	const char *text = item->text;
	int year, month, day, last;
	size_t i;
	bool good = item->length == strlen("2006-01-02T15:04:05Z");

	for (i = 0; good && i < item->length; i++)
		good = (uint8_t)text[i] < 0x80;
	if (good) {
		year = parse_two_digits(text) * 100 + parse_two_digits(text + 2);
		month = parse_two_digits(text + 5);
		day = parse_two_digits(text + 8);
		good = month >= 1 && month <= 12;
		last = good ? days[month - 1] : 0;
		if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
			last++;
		good = good && day >= 1 && day <= last && parse_two_digits(text + 11) < 24 && parse_two_digits(text + 14) < 60 &&
		    parse_two_digits(text + 17) < 60;
	}
	if (!good)
		return parse_fail(p, item, "expected Zulu formatted DateTime, but got '%.*s'", (int)item->length, item->text);
	return parse_set_string(p, item, CONF_TIME, item->text, item->length);
}

static bool
parse_open(struct parser *p, const struct conf_item *item, enum conf_type type)
{
	struct conf_value *value = parse_new(p, item, type);

	CHECK(type == CONF_MAP || type == CONF_ARRAY);
	if (value == NULL)
		return parse_fail(p, item, "configuration is too large");
	if (p->depth == sizeof(p->contexts) / sizeof(p->contexts[0]))
		return parse_fail(p, item, "blocks are nested more than %d deep", CONF_DEPTH_MAX);
	p->contexts[p->depth++] = value;
	return true;
}

static bool
parse_close(struct parser *p, const struct conf_item *item)
{
	struct conf_value *value;

	CHECK(p->depth > 0);
	if (p->depth <= 1)
		return parse_fail(p, item, "end of a block that was never opened");
	value = p->contexts[--p->depth];
	if (p->fixed == NULL) {
		value->at.line = item->line;
		value->at.column = item->column;
	}
	return parse_set(p, item, value);
}

/* Parses the value of an environment variable. found is false when there is none. */
static bool
parse_environment(struct parser *p, const struct conf_item *item, const char *name, struct conf_value **found)
{
	struct parse_reference reference = { .name = name, .outer = p->references };
	struct conf_position at = { .file = p->file, .line = item->line, .column = item->column };
	const struct parse_reference *outer;
	struct conf_value *tree;
	struct parser *inner;
	const char *value;
	char *text;
	size_t length;

	CHECK(*found == NULL && name != NULL);
	for (outer = p->references; outer != NULL; outer = outer->outer) {
		if (strcmp(outer->name, name) == 0)
			return parse_fail(p, item,
			    "variable reference for '%s' on line %d could not be parsed: variable reference cycle for '%s'", name,
			    item->line, name);
	}
	value = p->source->get_variable(p->source->arg, name);
	if (value == NULL)
		return true;
	length = strlen(PARSE_VARIABLE_KEY "=") + strlen(value);
	text = arena_alloc(p->arena, length + 1);
	inner = arena_alloc(p->arena, sizeof(*inner));
	if (text == NULL || inner == NULL)
		return parse_fail(p, item, "configuration is too large");
	if (p->level == CONF_INCLUDE_MAX)
		return parse_fail(p, item, "variables refer to each other more than %d deep", CONF_INCLUDE_MAX);
	snprintf(text, length + 1, PARSE_VARIABLE_KEY "=%s", value);
	*inner = (struct parser){ .arena = p->arena,
		.source = p->source,
		.file = p->file,
		.directory = ".",
		.outer = p,
		.references = &reference,
		.fixed = p->fixed != NULL ? p->fixed : &at,
		.level = p->level + 1,
		.error = p->error,
		.error_size = p->error_size };
	tree = parse_text(inner, text, length);
	if (tree == NULL)
		return false;
	*found = conf_member(tree, PARSE_VARIABLE_KEY);
	return true;
}

/* Replaces $name by the value it has so far: innermost block first, then the environment. */
static bool
parse_variable(struct parser *p, const struct conf_item *item)
{
	struct conf_value *value, *found = NULL;
	struct conf_entry *entry;
	const char *name = arena_strdup(p->arena, item->text, item->length);
	char *text;
	unsigned i;

	if (name == NULL)
		return parse_fail(p, item, "configuration is too large");
	if (strncmp(name, PARSE_BCRYPT, strlen(PARSE_BCRYPT)) == 0) {
		text = arena_alloc(p->arena, item->length + 2);
		if (text == NULL)
			return parse_fail(p, item, "configuration is too large");
		text[0] = '$';
		memcpy(text + 1, item->text, item->length);
		return parse_set_string(p, item, CONF_STRING, text, item->length + 1);
	}
	for (i = p->depth; i > 0 && found == NULL; i--) {
		if (p->contexts[i - 1]->type != CONF_MAP)
			continue;
		entry = parse_find(p->contexts[i - 1], item->text, item->length);
		if (entry != NULL)
			found = entry->value;
	}
	if (found == NULL && !parse_environment(p, item, name, &found))
		return false;
	if (found == NULL)
		return parse_fail(p, item, "variable reference for '%s' on line %d can not be found", name, item->line);
	found->used = true;
	value = parse_new(p, item, found->type);
	if (value != NULL) {
		struct conf_position at = value->at;

		*value = *found;
		value->used = false;
		value->at = at;
	}
	return parse_set(p, item, value);
}

/* Go's filepath.Clean of a path, in place: it never gets longer, but for "" that becomes "." (path needs 2 bytes). */
static void
parse_clean_path(char *path)
{
	size_t at, least, length; /* bytes kept; bytes of them that no ".." may take away */
	bool rooted = path[0] == '/', up;
	const char *from;

	CHECK(path != NULL);
	at = least = rooted ? 1 : 0;
	for (from = path + strspn(path, "/"); *from != '\0'; from += length, from += strspn(from, "/")) {
		length = strcspn(from, "/");
		if (length == 1 && from[0] == '.')
			continue;
		up = length == 2 && from[0] == '.' && from[1] == '.';
		if (up && at > least) {
			while (at > least && path[at - 1] != '/')
				at--;
			if (at > least)
				at--;
			continue;
		}
		if (up && rooted)
			continue;
		if (at > (rooted ? 1 : 0))
			path[at++] = '/';
		memmove(path + at, from, length);
		at += length;
		if (up)
			least = at;
	}
	if (at == 0)
		path[at++] = '.';
	path[at] = '\0';
}

/* The directory of a file, cleaned: Go's filepath.Dir. */
static char *
parse_directory(struct arena *arena, const char *file)
{
	const char *slash = strrchr(file, '/');
	char *directory = arena_strdup(arena, file, slash != NULL ? (size_t)(slash - file) + 1 : 0);

	CHECK(file != NULL);
	if (directory != NULL && directory[0] == '\0')
		directory = arena_strdup(arena, ".", 1);
	else if (directory != NULL)
		parse_clean_path(directory);
	return directory;
}

/* Reads and parses a file as a tree of its own. outer is the parser that includes it, or NULL. */
static struct conf_value *
parse_file(
    struct arena *arena, const struct conf_source *source, const struct parser *outer, const char *path, char *error, size_t size)
{
	const struct parser *other;
	struct parser *p = arena_alloc(arena, sizeof(*p));
	const char *data;
	size_t length;

	CHECK(path != NULL && path[0] != '\0');
	for (other = outer; other != NULL; other = other->outer) {
		if (strcmp(other->file, path) == 0 && other->fixed == NULL) {
			snprintf(error, size, "file %s includes itself", path);
			return NULL;
		}
	}
	if (!source->read_file(source->arg, path, arena, &data, &length, error, size))
		return NULL;
	if (p == NULL || (p->directory = parse_directory(arena, path)) == NULL) {
		snprintf(error, size, "configuration is too large");
		return NULL;
	}
	p->arena = arena;
	p->source = source;
	p->file = path;
	p->outer = outer;
	p->references = outer != NULL ? outer->references : NULL;
	p->level = outer != NULL ? outer->level + 1 : 0;
	p->error = error;
	p->error_size = size;
	return parse_text(p, data, length);
}

/* The members of an included file become members of the current block. */
static bool
parse_include(struct parser *p, const struct conf_item *item)
{
	char inner_error[CONF_ERROR_MAX];
	struct conf_value *tree;
	struct conf_item key = *item;
	size_t i, length;
	char *path;

	CHECK(p->directory != NULL);
	if (p->level == CONF_INCLUDE_MAX)
		return parse_fail(p, item, "files include each other more than %d deep", CONF_INCLUDE_MAX);
	length = strlen(p->directory) + 1 + item->length;
	path = arena_alloc(p->arena, length + 1);
	if (path == NULL)
		return parse_fail(p, item, "configuration is too large");
	snprintf(path, length + 1, "%s/%.*s", p->directory, (int)item->length, item->text);
	parse_clean_path(path);
	tree = parse_file(p->arena, p->source, p, path, inner_error, sizeof(inner_error));
	if (tree == NULL)
		return parse_fail(p, item, "error parsing include file '%.*s', %s", (int)item->length, item->text, inner_error);
	for (i = 0; i < tree->length; i++) {
		key.text = tree->entries[i].key;
		key.length = tree->entries[i].key_length;
		if (!parse_push_key(p, &key) || !parse_set(p, item, tree->entries[i].value))
			return false;
	}
	return true;
}

static bool
parse_item(struct parser *p, const struct conf_item *item)
{
	switch (item->type) {
	case CONF_ITEM_ERROR:
		return parse_fail(p, item, "Parse error on line %d: '%.*s'", item->line, (int)item->length, item->text);
	case CONF_ITEM_KEY: return parse_push_key(p, item);
	case CONF_ITEM_COMMENT: return true;
	case CONF_ITEM_STRING: return parse_set_string(p, item, CONF_STRING, item->text, item->length);
	case CONF_ITEM_BOOL: return parse_bool(p, item);
	case CONF_ITEM_INTEGER: return parse_integer(p, item);
	case CONF_ITEM_FLOAT: return parse_float(p, item);
	case CONF_ITEM_TIME: return parse_time(p, item);
	case CONF_ITEM_ARRAY_START: return parse_open(p, item, CONF_ARRAY);
	case CONF_ITEM_MAP_START: return parse_open(p, item, CONF_MAP);
	case CONF_ITEM_ARRAY_END:
	case CONF_ITEM_MAP_END: return parse_close(p, item);
	case CONF_ITEM_VARIABLE: return parse_variable(p, item);
	case CONF_ITEM_INCLUDE: return parse_include(p, item);
	case CONF_ITEM_EOF: break;
	}
	CHECK(item->type != CONF_ITEM_EOF);
	return false;
}

static struct conf_value *
parse_text(struct parser *p, const char *text, size_t length)
{
	struct conf_item item, last = { .type = CONF_ITEM_COMMENT };

	CHECK(text != NULL && p->depth == 0);
	conf_lex_init(&p->lexer, p->arena, text, length);
	item = (struct conf_item){ .line = 1 };
	if (!parse_open(p, &item, CONF_MAP))
		return NULL;
	for (item = conf_lex_next(&p->lexer); item.type != CONF_ITEM_EOF; item = conf_lex_next(&p->lexer)) {
		if (!parse_item(p, &item))
			return NULL;
		last = item;
	}
	/* A last key without value is only fine when it is the '}' that closes a JSON-like file. */
	if (last.type == CONF_ITEM_KEY && !(last.length == 1 && last.text[0] == '}')) {
		parse_fail(p, NULL, "config is invalid (%s:%d:%d)", p->file, item.line, item.column);
		return NULL;
	}
	if (arena_failed(p->arena)) {
		parse_fail(p, NULL, "configuration is too large");
		return NULL;
	}
	return p->contexts[0];
}

struct conf_value *
conf_parse_file(struct arena *arena, const struct conf_source *source, const char *path, char *error, size_t size)
{
	CHECK(arena != NULL && path != NULL && size > 0);
	error[0] = '\0';
	return parse_file(arena, source, NULL, path, error, size);
}

struct conf_value *
conf_parse_text(struct arena *arena, const struct conf_source *source, const char *text, size_t length, char *error, size_t size)
{
	struct parser *p = arena_alloc(arena, sizeof(*p));

	CHECK(text != NULL && size > 0);
	error[0] = '\0';
	if (p == NULL) {
		snprintf(error, size, "configuration is too large");
		return NULL;
	}
	*p = (struct parser){ .arena = arena, .source = source, .file = "", .directory = ".", .error = error, .error_size = size };
	return parse_text(p, text, length);
}
