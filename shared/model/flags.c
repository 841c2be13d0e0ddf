/*
 * Go's flag syntax over the table flags.def. Called by main() of master, which prints what is asked for and leaves.
 * A struct flags owns its arena; it keeps what was given, and flags_apply() sets it over options as often as asked (start, each
 * reload). Rules come from Go's package flag and nats-server's server/opts.go (ConfigureOptions).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/text.h"
#include "model/flags.h"
#include "model/options_private.h"

#define FLAGS_MEMORY_MAX ((size_t)16 << 20)

enum flag_type { STRING, INT, INT64, BOOL, OWN_STRING, OWN_INT, OWN_BOOL };

/* Values of flags that are no field of struct options. */
struct flags_fields {
	bool help, version, help_tls, check, trace_verbose, debug_trace, debug_trace_verbose, no_advertise, tls, tls_verify;
	int connect_retries;
	char *config, *signal, *routes, *cluster, *cluster_advertise, *tls_cert, *tls_key, *tls_ca;
};

struct flag_row {
	const char *name;
	enum flag_type type;
	size_t offset;
};

#define FIELD_STRING(field) offsetof(struct options, field)
#define FIELD_INT(field) offsetof(struct options, field)
#define FIELD_INT64(field) offsetof(struct options, field)
#define FIELD_BOOL(field) offsetof(struct options, field)
#define FIELD_OWN_STRING(field) offsetof(struct flags_fields, field)
#define FIELD_OWN_INT(field) offsetof(struct flags_fields, field)
#define FIELD_OWN_BOOL(field) offsetof(struct flags_fields, field)
#define FLAG(name, type, field, doc) { name, type, FIELD_##type(field) },
static const struct flag_row flag_rows[] = {
#include "model/flags.def"
};

struct flags_value {
	const struct flag_row *row;
	char *text;
	int64_t number; /* of INT, INT64 and BOOL */
	struct flags_value *next;
};

static const char *flags_format(struct flags *flags, const char *format, ...) __attribute__((format(printf, 2, 3)));

static const char *
flags_format(struct flags *flags, const char *format, ...)
{
	va_list arguments;
	char *text;
	int length;

	va_start(arguments, format);
	length = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	CHECK(length >= 0);
	text = arena_alloc(flags->arena, (size_t)length + 1);
	if (text == NULL)
		return "out of memory\n";
	va_start(arguments, format);
	vsnprintf(text, (size_t)length + 1, format, arguments);
	va_end(arguments);
	return text;
}

static const char *
flags_quote(struct flags *flags, const char *text)
{
	size_t size = strlen(text) * 10 + 3;
	char *quoted = arena_alloc(flags->arena, size);

	if (quoted == NULL)
		return "\"\"";
	text_quote(quoted, size, text, strlen(text));
	return quoted;
}

/* A digit's value in bases up to 16, or 16. */
static unsigned
flags_digit(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		return (unsigned)((c | 0x20) - 'a' + 10);
	return 16;
}

/* Go's strconv.ParseInt(text, 0, 64): 0x, 0b, 0o and 0 in front, '_' between digits. NULL, or what is wrong. */
static const char *
flags_parse_int(const char *text, int64_t *out)
{
	bool negative = *text == '-', digit = false, prefix = false, range = false;
	unsigned base = 10, value;
	uint64_t number = 0;

	CHECK(text != NULL && out != NULL);
	if (*text == '-' || *text == '+')
		text++;
	if (text[0] == '0' && text[1] != '\0') {
		prefix = true;
		base = (text[1] | 0x20) == 'x' ? 16 : (text[1] | 0x20) == 'b' ? 2 : 8;
		text += base != 8 || (text[1] | 0x20) == 'o' ? 2 : 1;
	}
	if (*text == '\0')
		return "parse error";
	for (; *text != '\0'; text++) {
		if (*text == '_' && (digit || prefix) && flags_digit(text[1]) < base) {
			digit = false;
			continue;
		}
		value = flags_digit(*text);
		if (value >= base)
			return "parse error";
		digit = true;
		range = range || __builtin_mul_overflow(number, base, &number) || __builtin_add_overflow(number, value, &number);
	}
	if (range || number > (uint64_t)INT64_MAX + (negative ? 1 : 0))
		return "value out of range";
	*out = negative ? (int64_t)-number : (int64_t)number;
	return NULL;
}

static const char *
flags_parse_bool(const char *text, int64_t *out)
{
	static const char *const words[] = { "1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False" };
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(text, words[i]) == 0) {
			*out = i < 6;
			return NULL;
		}
	}
	return "parse error";
}

static bool
flags_is_bool(const struct flag_row *row)
{
	return row->type == BOOL || row->type == OWN_BOOL;
}

/* Go's flag package writes the text, then calls usage, which prints the help and leaves with 0. */
static void
flags_fail(struct flags *flags, const char *text)
{
	CHECK(text != NULL);
	flags->action = FLAGS_PRINT;
	flags->exit_code = 0;
	flags->standard_error = text;
	flags->standard_output = flags_usage();
}

/* Keeps the value of a flag; false after a failure. */
static bool
flags_keep(struct flags *flags, const struct flag_row *row, const char *text)
{
	struct flags_value *value = arena_alloc(flags->arena, sizeof(*value)), **place;
	const char *error = NULL;

	CHECK(row != NULL && text != NULL);
	if (value == NULL || (value->text = arena_strdup(flags->arena, text, strlen(text))) == NULL) {
		flags_fail(flags, "out of memory\n");
		return false;
	}
	value->row = row;
	if (flags_is_bool(row))
		error = flags_parse_bool(text, &value->number);
	else if (row->type == INT || row->type == INT64 || row->type == OWN_INT)
		error = flags_parse_int(text, &value->number);
	if (error != NULL && flags_is_bool(row)) {
		flags_fail(flags,
		    flags_format(flags, "invalid boolean value %s for -%s: %s\n", flags_quote(flags, text), row->name, error));
		return false;
	}
	if (error != NULL) {
		flags_fail(
		    flags, flags_format(flags, "invalid value %s for flag -%s: %s\n", flags_quote(flags, text), row->name, error));
		return false;
	}
	for (place = &flags->values; *place != NULL; place = &(*place)->next)
		continue;
	*place = value;
	return true;
}

static const struct flag_row *
flags_find(const char *name, size_t length)
{
	size_t i;

	CHECK(name != NULL);
	for (i = 0; i < sizeof(flag_rows) / sizeof(flag_rows[0]); i++) {
		if (strlen(flag_rows[i].name) == length && strncmp(flag_rows[i].name, name, length) == 0)
			return &flag_rows[i];
	}
	return NULL;
}

/* Reads flags up to the first word; *at is then its index. False after a failure. */
static bool
flags_read(struct flags *flags, int argc, char *const argv[], int *at)
{
	const struct flag_row *row;
	const char *argument, *name, *equals;
	size_t length;

	CHECK(*at >= 1);
	for (; *at < argc; ++*at) {
		argument = argv[*at];
		if (argument[0] != '-' || argument[1] == '\0')
			return true;
		if (strcmp(argument, "--") == 0) {
			++*at;
			return true;
		}
		name = argument + (argument[1] == '-' ? 2 : 1);
		if (name[0] == '-' || name[0] == '=') {
			flags_fail(flags, flags_format(flags, "bad flag syntax: %s\n", argument));
			return false;
		}
		equals = strchr(name + 1, '=');
		length = equals != NULL ? (size_t)(equals - name) : strlen(name);
		row = flags_find(name, length);
		if (row == NULL) {
			flags_fail(flags, flags_format(flags, "flag provided but not defined: -%.*s\n", (int)length, name));
			return false;
		}
		if (equals == NULL && !flags_is_bool(row) && *at + 1 == argc) {
			flags_fail(flags, flags_format(flags, "flag needs an argument: -%s\n", row->name));
			return false;
		}
		if (equals == NULL && !flags_is_bool(row))
			++*at;
		if (!flags_keep(flags, row, equals != NULL ? equals + 1 : flags_is_bool(row) ? "true" : argv[*at]))
			return false;
	}
	return true;
}

/*
 * Sets the fields of one owner in the order the flags were given: struct options (build is then given, and texts are copied into
 * it) or struct flags_fields (build is NULL).
 */
static void
flags_set(const struct flags *flags, void *owner, struct options_build *build)
{
	const struct flags_value *value;
	char *place;

	for (value = flags->values; value != NULL; value = value->next) {
		if ((value->row->type >= OWN_STRING) != (build == NULL))
			continue;
		place = (char *)owner + value->row->offset;
		switch (value->row->type) {
		case STRING: *(char **)(void *)place = options_copy(build, value->text, strlen(value->text)); break;
		case OWN_STRING: *(char **)(void *)place = value->text; break;
		case INT:
		case OWN_INT: *(int *)(void *)place = options_int(value->number); break;
		case INT64: *(int64_t *)(void *)place = value->number; break;
		case BOOL:
		case OWN_BOOL: *(bool *)(void *)place = value->number != 0; break;
		}
	}
}

static void
flags_print(struct flags *flags, const char *text)
{
	CHECK(text != NULL);
	flags->action = FLAGS_PRINT;
	flags->exit_code = 0;
	flags->standard_output = text;
}

static void
flags_refuse(struct flags *flags, const char *text)
{
	flags->action = FLAGS_PRINT;
	flags->exit_code = 1;
	flags->standard_error = flags_format(flags, "%s: %s\n", flags->program, text);
}

/* The words help and version, in any case; nothing else. */
static void
flags_word(struct flags *flags, const char *word)
{
	if (options_key_is(word, "version"))
		flags_print(flags, flags_version());
	else if (options_key_is(word, "help"))
		flags_print(flags, flags_usage());
	else
		flags_refuse(flags, flags_format(flags, "unrecognized command: %s", flags_quote(flags, word)));
}

static void
flags_replace(char *text, char from, char to)
{
	while ((text = strchr(text, from)) != NULL)
		*text++ = to;
}

static void
flags_signal(struct flags *flags, const char *signal)
{
	const char *equals = strchr(signal, '='), *more = equals != NULL ? strchr(equals + 1, '=') : NULL;
	char *words;

	CHECK(signal[0] != '\0');
	if (more != NULL) {
		words = arena_strdup(flags->arena, more + 1, strlen(more + 1));
		if (words != NULL)
			flags_replace(words, '=', ' ');
		flags_refuse(flags, flags_format(flags, "invalid signal parameters: [%s]", words != NULL ? words : ""));
		return;
	}
	flags->action = FLAGS_SIGNAL;
	flags->signal_command = signal;
	if (equals != NULL) {
		flags->signal_command = flags_format(flags, "%.*s", (int)(equals - signal), signal);
		flags->signal_target = equals + 1;
	}
}

static const char *
flags_program(const char *path)
{
	const char *slash = path != NULL ? strrchr(path, '/') : NULL;

	if (path == NULL || *path == '\0')
		return "natsd";
	return slash != NULL && slash[1] != '\0' ? slash + 1 : path;
}

struct flags *
flags_parse(int argc, char *const argv[])
{
	struct arena *arena = arena_create(FLAGS_MEMORY_MAX);
	struct flags *flags = arena != NULL ? arena_alloc(arena, sizeof(*flags)) : NULL;
	struct flags_fields fields = { 0 };
	int at = 1;

	CHECK(argc >= 0 && argv != NULL);
	if (flags == NULL) {
		arena_free(arena);
		return NULL;
	}
	flags->arena = arena;
	flags->standard_output = flags->standard_error = "";
	flags->program = flags_format(flags, "%s", flags_program(argc > 0 ? argv[0] : NULL));
	if (!flags_read(flags, argc, argv, &at))
		return flags;
	flags_set(flags, &fields, NULL);
	if (fields.config != NULL && fields.config[0] != '\0')
		flags->config_file = fields.config;
	if (fields.version)
		flags_print(flags, flags_version());
	else if (fields.help)
		flags_print(flags, flags_usage());
	else if (fields.help_tls)
		flags_print(flags, flags_tls_help());
	else if (at < argc)
		flags_word(flags, argv[at]);
	else if (fields.signal != NULL && fields.signal[0] != '\0')
		flags_signal(flags, fields.signal);
	else if (fields.check && flags->config_file == NULL)
		flags_refuse(flags, "must specify [-c, --config] option to check configuration file syntax");
	else if (fields.check)
		flags->action = FLAGS_CHECK;
	return flags;
}

void
flags_free(struct flags *flags)
{
	if (flags != NULL)
		arena_free(flags->arena);
}

static bool
flags_given(const struct flags *flags, const char *name)
{
	const struct flags_value *value;

	for (value = flags->values; value != NULL; value = value->next) {
		if (strcmp(value->row->name, name) == 0)
			return true;
	}
	return false;
}

/* Asks for a feature that is missing, by its flag. */
static void
flags_missing(struct options_build *build, const char *flag)
{
	struct options_missing *missing = options_alloc(build, sizeof(*missing)), **place;

	CHECK(build->options != NULL);
	missing->key = flag;
	missing->at = (struct conf_position){ .file = "" };
	for (place = &build->options->missing; *place != NULL; place = &(*place)->next)
		continue;
	*place = missing;
}

/* -cluster: an url whose host and port are the route address, with or without user and password. */
static const char *
flags_cluster(struct options_build *build, const struct flags_fields *fields)
{
	size_t length = strlen(fields->cluster);
	bool random = length >= 3 && strcmp(fields->cluster + length - 3, ":-1") == 0;
	struct options_url url;
	char *host, *port, *text = fields->cluster;
	int64_t number;

	CHECK(fields->cluster != NULL);
	if (length == 0) {
		build->options->cluster.port = 0;
		return NULL;
	}
	if (random)
		text = options_format(build, "%.*s:0", (int)length - 3, fields->cluster);
	if (!options_url_parse(build, text, &url))
		return options_format(build, "parse %s: invalid url", options_quote(build, text));
	if (!options_split_host_port(build, url.host, &host, &port))
		return url.host[0] == '\0' ? "missing port in address"
					   : options_format(build, "address %s: missing port in address", url.host);
	if (!options_atoi(random ? "-1" : port, &number))
		return "expected integer";
	if (url.has_user && !url.has_password)
		return "expected cluster password to be set";
	build->options->cluster.host = host;
	build->options->cluster.port = options_int(number);
	flags_missing(build, "-cluster");
	return NULL;
}

/* The -tls flags: TLS is on when one of them was given, unless -tls=false. */
static const char *
flags_tls(struct options_build *build, const struct flags *flags, const struct flags_fields *fields)
{
	struct options_tls tls = { .cert_file = fields->tls_cert, .key_file = fields->tls_key, .ca_file = fields->tls_ca };
	bool off = flags_given(flags, "tls") && !fields->tls;
	bool any = fields->tls || flags_given(flags, "tlsverify") || fields->tls_cert != NULL || fields->tls_key != NULL ||
	    fields->tls_ca != NULL;

	if (off || !any)
		return NULL;
	if (tls.cert_file == NULL || tls.cert_file[0] == '\0')
		return "TLS Server certificate must be present and valid";
	if (tls.key_file == NULL || tls.key_file[0] == '\0')
		return "TLS Server private key must be present and valid";
	build->options->tls = true;
	flags_missing(build, "-tls");
	return options_tls_files_error(build, &tls);
}

static const char *
flags_apply_all(const struct flags *flags, struct options_build *build)
{
	struct options *options = build->options;
	struct flags_fields fields = { 0 };
	const char *error = NULL;

	flags_set(flags, options, build);
	flags_set(flags, &fields, NULL);
	if (flags_given(flags, "DV"))
		options->trace = options->debug = fields.debug_trace;
	if (flags_given(flags, "DVV"))
		options->trace = options->debug = options->trace_verbose = fields.debug_trace_verbose;
	if (flags_given(flags, "VV"))
		options->trace = options->trace_verbose = fields.trace_verbose;
	if ((flags_given(flags, "js") || flags_given(flags, "jetstream")) && options->jetstream)
		flags_missing(build, "-js");
	if ((flags_given(flags, "ms") || flags_given(flags, "https_port")) && options->https_port != 0)
		flags_missing(build, "-https_port");
	if (fields.cluster != NULL)
		error = flags_cluster(build, &fields);
	if (error == NULL)
		error = flags_tls(build, flags, &fields);
	if (error == NULL && fields.routes != NULL && fields.routes[0] != '\0') {
		if ((fields.cluster == NULL || fields.cluster[0] == '\0') && options->cluster.port == 0 &&
		    (options->cluster.host == NULL || options->cluster.host[0] == '\0'))
			return "solicited routes require cluster capabilities, e.g. --cluster";
		flags_missing(build, "-routes");
	}
	return error;
}

bool
flags_apply(const struct flags *flags, const struct options_source *source, struct options *options, char *error, size_t size)
{
	struct options_build build = { .options = options, .source = source };
	const char *text;

	CHECK(size > 0);
	error[0] = '\0';
	if (setjmp(build.no_memory) != 0)
		text = "out of memory";
	else
		text = flags_apply_all(flags, &build);
	if (text != NULL)
		snprintf(error, size, "%s", text);
	return text == NULL;
}
