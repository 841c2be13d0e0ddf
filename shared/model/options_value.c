/*
 * Single values of a configuration: memory, messages, and the checks of types that rows of options.def and their functions share.
 * The options_*.c files call it. It owns nothing: all lies in the arena of the options being built.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/text.h"
#include "model/options_private.h"

void *
options_array(struct options_build *build, size_t count, size_t size)
{
	void *memory = arena_array(build->options->arena, count, size);

	CHECK(build->options != NULL);
	if (memory == NULL)
		longjmp(build->no_memory, 1);
	return memory;
}

void *
options_alloc(struct options_build *build, size_t size)
{
	return options_array(build, 1, size);
}

char *
options_copy(struct options_build *build, const char *text, size_t length)
{
	char *copy = arena_strdup(build->options->arena, text, length);

	CHECK(text != NULL);
	if (copy == NULL)
		longjmp(build->no_memory, 1);
	return copy;
}

char *
options_format(struct options_build *build, const char *format, ...)
{
	va_list arguments;
	char *text;
	int length;

	CHECK(format != NULL);
	va_start(arguments, format);
	length = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	CHECK(length >= 0);
	text = options_alloc(build, (size_t)length + 1);
	va_start(arguments, format);
	vsnprintf(text, (size_t)length + 1, format, arguments);
	va_end(arguments);
	return text;
}

char *
options_upper(struct options_build *build, const char *text)
{
	char *upper = options_copy(build, text, strlen(text)), *at;

	CHECK(text != NULL);
	for (at = upper; *at != '\0'; at++) {
		if (*at >= 'a' && *at <= 'z')
			*at = (char)(*at - 'a' + 'A');
	}
	return upper;
}

static void options_message(struct options_build *, struct options_messages *, const struct conf_value *, const char *, va_list)
    __attribute__((format(printf, 4, 0)));

static void
options_message(struct options_build *build, struct options_messages *messages, const struct conf_value *at, const char *format,
    va_list arguments)
{
	struct options_message *message = options_alloc(build, sizeof(*message));
	char place[256] = "";
	char *text;
	size_t size;
	int length;
	va_list again;

	va_copy(again, arguments);
	length = vsnprintf(NULL, 0, format, again);
	va_end(again);
	CHECK(length >= 0);
	if (at != NULL && at->at.file != NULL)
		snprintf(place, sizeof(place), "%s:%d:%d: ", at->at.file, at->at.line, at->at.column);
	size = strlen(place) + (size_t)length + 1;
	text = options_alloc(build, size);
	messages->length++;
	length = snprintf(text, size, "%s", place);
	vsnprintf(text + length, size - (size_t)length, format, arguments);
	message->text = text;
	*messages->last = message;
	messages->last = &message->next;
}

void
options_error(struct options_build *build, const struct conf_value *at, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	options_message(build, &build->errors, at, format, arguments);
	va_end(arguments);
}

void
options_warning(struct options_build *build, const struct conf_value *at, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	options_message(build, &build->warnings, at, format, arguments);
	va_end(arguments);
}

const char *
options_type_name(const struct conf_value *value)
{
	static const char *const names[] = {
		[CONF_BOOL] = "bool",
		[CONF_INTEGER] = "int64",
		[CONF_FLOAT] = "float64",
		[CONF_STRING] = "string",
		[CONF_TIME] = "time.Time",
		[CONF_ARRAY] = "[]interface {}",
		[CONF_MAP] = "map[string]interface {}",
	};

	CHECK(value->type < sizeof(names) / sizeof(names[0]));
	return names[value->type];
}

const char *
options_quote(struct options_build *build, const char *text)
{
	size_t length = strlen(text), size = length * 10 + 3;
	char *quoted = options_alloc(build, size);

	CHECK(text != NULL);
	text_quote(quoted, size, text, length);
	return quoted;
}

const char *
options_show(struct options_build *build, const struct conf_value *value)
{
	char text[64];

	CHECK(value != NULL);
	CHECK(build != NULL && value != NULL);
	switch (value->type) {
	case CONF_BOOL: return value->boolean ? "true" : "false";
	case CONF_INTEGER: snprintf(text, sizeof(text), "%lld", (long long)value->integer); break;
	case CONF_FLOAT: text_double(text, sizeof(text), value->number); break;
	case CONF_STRING:
	case CONF_TIME: return value->string;
	case CONF_ARRAY: return "[...]";
	case CONF_MAP: return "map[...]";
	}
	return options_copy(build, text, strlen(text));
}

int
options_int(int64_t value)
{
	if (value > INT32_MAX)
		return INT32_MAX;
	if (value < INT32_MIN)
		return INT32_MIN;
	return (int)value;
}

/* A character as Go's ToLower has it, as far as it can become an ASCII letter. */
static size_t
key_fold(const char *text, char *letter)
{
	if (strncmp(text, "\xe2\x84\xaa", 3) == 0) { /* KELVIN SIGN */
		*letter = 'k';
		return 3;
	}
	if (strncmp(text, "\xc4\xb0", 2) == 0) { /* LATIN CAPITAL LETTER I WITH DOT ABOVE */
		*letter = 'i';
		return 2;
	}
	*letter = *text >= 'A' && *text <= 'Z' ? (char)(*text | 0x20) : *text;
	return 1;
}

bool
options_key_is(const char *key, const char *name)
{
	char letter;

	CHECK(key != NULL && name != NULL);
	for (; *name != '\0'; name++) {
		if (*key == '\0')
			return false;
		key += key_fold(key, &letter);
		if (letter != *name)
			return false;
	}
	return *key == '\0';
}

static bool
want_type(struct options_build *build, const struct conf_value *value, enum conf_type type, const char *wanted)
{
	static const char *const names[] = {
		[CONF_BOOL] = "a boolean",
		[CONF_INTEGER] = "an integer",
		[CONF_FLOAT] = "a decimal number",
		[CONF_STRING] = "a string",
		[CONF_TIME] = "a date",
		[CONF_ARRAY] = "a list",
		[CONF_MAP] = "a block",
	};

	CHECK(build != NULL && value != NULL);
	if (value->type == type)
		return true;
	options_error(build, value, "expected %s, but got %s", wanted, names[value->type]);
	return false;
}

bool
options_want_string(struct options_build *build, const struct conf_value *value, char **out)
{
	CHECK(out != NULL);
	if (!want_type(build, value, CONF_STRING, "a string"))
		return false;
	if (memchr(value->string, '\0', value->length) != NULL) {
		options_error(build, value, "a string cannot hold the byte \\x00");
		return false;
	}
	*out = options_copy(build, value->string, value->length);
	return true;
}

bool
options_want_bool(struct options_build *build, const struct conf_value *value, bool *out)
{
	CHECK(out != NULL);
	if (!want_type(build, value, CONF_BOOL, "true or false"))
		return false;
	*out = value->boolean;
	return true;
}

bool
options_want_int(struct options_build *build, const struct conf_value *value, int64_t *out)
{
	CHECK(out != NULL);
	if (!want_type(build, value, CONF_INTEGER, "an integer"))
		return false;
	*out = value->integer;
	return true;
}

bool
options_parse_duration(const struct conf_value *value, int64_t *out, char error[160])
{
	char reason[120];

	CHECK(value->type == CONF_STRING);
	if (text_duration_parse(value->string, value->length, out, reason, sizeof(reason)))
		return true;
	snprintf(error, 160, "time: %s", reason);
	return false;
}

bool
options_want_duration(struct options_build *build, const struct conf_value *value, const char *name, int64_t *out)
{
	char error[160];
	int64_t seconds;

	CHECK(name != NULL && out != NULL);
	CHECK(build != NULL && value != NULL);
	if (value->type == CONF_STRING) {
		if (options_parse_duration(value, out, error))
			return true;
		options_error(build, value, "error parsing %s: %s", name, error);
		return false;
	}
	if (!options_want_int(build, value, &seconds))
		return false;
	options_warning(
	    build, value, "invalid use of field %s: %s should be converted to a duration", options_quote(build, name), name);
	if (__builtin_mul_overflow(seconds, OPTIONS_SECOND, out)) {
		options_error(build, value, "error parsing %s: %lld seconds are too many", name, (long long)seconds);
		return false;
	}
	return true;
}

bool
options_parse_storage(struct options_build *build, const struct conf_value *value, int64_t *out, char error[160])
{
	static const char letters[] = "KMGT";
	const char *letter;
	int64_t number;

	CHECK(build != NULL && value != NULL);
	if (value->type == CONF_INTEGER) {
		*out = value->integer;
		return true;
	}
	if (value->type != CONF_STRING) {
		snprintf(error, 160, "must be int64 or string");
		return false;
	}
	*out = 0;
	if (value->length == 0)
		return true;
	if (!text_parse_i64(value->string, value->length - 1, &number)) {
		snprintf(error, 160, "strconv.ParseInt: parsing %s: invalid syntax",
		    options_quote(build, options_copy(build, value->string, value->length - 1)));
		return false;
	}
	letter = strchr(letters, value->string[value->length - 1]);
	if (letter == NULL || *letter == '\0') {
		snprintf(error, 160, "sizes defined as strings must end in K, M, G, T");
		return false;
	}
	if (__builtin_mul_overflow(number, INT64_C(1) << (10 * (letter - letters + 1)), out)) {
		snprintf(error, 160, "size is out of the range");
		return false;
	}
	return true;
}

bool
options_want_listen(struct options_build *build, const struct conf_value *value, struct options_address *out)
{
	char *host, *port, *text;
	int64_t number;

	CHECK(build != NULL && value != NULL);
	if (value->type == CONF_INTEGER) {
		out->host = NULL;
		out->port = options_int(value->integer);
		return true;
	}
	if (value->type != CONF_STRING)
		options_error(build, value, "expected port or host:port, got %s", options_type_name(value));
	if (value->type != CONF_STRING || !options_want_string(build, value, &text))
		return false;
	if (!options_split_host_port(build, text, &host, &port)) {
		options_error(build, value, "could not parse address string %s", options_quote(build, text));
		return false;
	}
	if (!options_atoi(port, &number)) {
		options_error(build, value, "could not parse port %s", options_quote(build, port));
		return false;
	}
	out->host = host;
	out->port = options_int(number);
	return true;
}

bool
options_want_strings(struct options_build *build, const struct conf_value *value, const char *field, struct options_list *out)
{
	const struct conf_value *item;
	size_t i;

	CHECK(build != NULL && value != NULL);
	*out = (struct options_list){ 0 };
	if (value->type == CONF_STRING) {
		out->items = options_alloc(build, sizeof(out->items[0]));
		out->length = options_want_string(build, value, &out->items[0]) ? 1 : 0;
		return out->length == 1;
	}
	if (value->type != CONF_ARRAY) {
		options_error(build, value, "error parsing %s: unsupported type %s", field, options_type_name(value));
		return false;
	}
	out->items = options_array(build, value->length, sizeof(out->items[0]));
	for (i = 0; i < value->length; i++) {
		item = value->entries[i].value;
		if (item->type != CONF_STRING)
			options_error(
			    build, item, "error parsing %s: unsupported type in array %s", field, options_type_name(item));
		else if (options_want_string(build, item, &out->items[out->length]))
			out->length++;
	}
	return true;
}

bool
options_want_seconds(struct options_build *build, const struct conf_value *value, const char *where, double *out)
{
	char error[160];
	int64_t duration;

	CHECK(build != NULL && value != NULL);
	switch (value->type) {
	case CONF_INTEGER: *out = (double)value->integer; return true;
	case CONF_FLOAT: *out = value->number; return true;
	case CONF_STRING:
		if (!options_parse_duration(value, &duration, error)) {
			options_error(build, value, "error parsing %s config, 'timeout' %s", where, error);
			return false;
		}
		*out = (double)duration / (double)OPTIONS_SECOND;
		return true;
	default: options_error(build, value, "error parsing %s config, 'timeout' wrong type", where); return false;
	}
}
