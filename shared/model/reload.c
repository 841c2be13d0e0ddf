/*
 * The comparison of two struct options for a reload, row by row of reload.def. Called by master on SIGHUP; it applies nothing.
 * A struct reload owns its arena and points into neither struct options. Rules come from nats-server's server/reload.go
 * (diffOptions).
 */
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/text.h"
#include "model/options.h"
#include "model/reload.h"

#define RELOAD_MEMORY_MAX ((size_t)16 << 20)
#define RELOAD_VALUE_MAX 400

enum reload_type { STRING, INT, INT32, INT64, DURATION, BOOL, DOUBLE, LIST, PAIRS, WORD };
enum reload_action { LIVE, LIVE_IF_SET, REFUSE, ALWAYS, RANDOM_PORT, GONE_WITH_USER };

static const struct reload_row {
	const char *name;
	size_t offset;
	enum reload_type type;
	enum reload_action action;
	unsigned effects;
	const char *text;
} reload_rows[RELOAD_FIELDS] = {
#define RELOAD(id, name, field, type, action, effects, text) \
	[RELOAD_##id] = { name, offsetof(struct options, field), type, action, effects, text },
#include "model/reload.def"
#undef RELOAD
};

static const void *
reload_place(const struct options *options, const struct reload_row *row)
{
	CHECK(options != NULL && row->offset < sizeof(*options));
	return (const char *)options + row->offset;
}

static bool
reload_equal_lists(const struct options_list *a, const struct options_list *b)
{
	size_t i;

	for (i = 0; i < a->length && i < b->length; i++) {
		if (strcmp(a->items[i], b->items[i]) != 0)
			return false;
	}
	return a->length == b->length;
}

static bool
reload_equal_pairs(const struct options_pairs *a, const struct options_pairs *b)
{
	size_t i;

	for (i = 0; i < a->length && i < b->length; i++) {
		if (strcmp(a->items[i].name, b->items[i].name) != 0 || strcmp(a->items[i].value, b->items[i].value) != 0)
			return false;
	}
	return a->length == b->length;
}

static bool
reload_equal(const void *a, const void *b, enum reload_type type)
{
	CHECK(a != NULL && b != NULL);
	switch (type) {
	case STRING: return strcmp(*(char *const *)a, *(char *const *)b) == 0;
	case INT:
	case INT32:
	case WORD: return *(const int *)a == *(const int *)b;
	case INT64:
	case DURATION: return *(const int64_t *)a == *(const int64_t *)b;
	case BOOL: return *(const bool *)a == *(const bool *)b;
	case DOUBLE: return !(*(const double *)a < *(const double *)b || *(const double *)a > *(const double *)b);
	case LIST: return reload_equal_lists(a, b);
	case PAIRS: return reload_equal_pairs(a, b);
	}
	return false;
}

/* The word of an enumeration. */
static const char *
reload_word(enum reload_field field, int value)
{
	static const char *const timeouts[] = { "", "close", "retry" }, *const formats[] = { "text", "json" };
	static const char *const sandboxes[] = { "best", "require" };

	CHECK(value >= 0 && value < 3);
	switch (field) {
	case RELOAD_WRITE_TIMEOUT: return timeouts[value];
	case RELOAD_LOG_FORMAT: return formats[value];
	case RELOAD_SANDBOX: return sandboxes[value];
	default: return "";
	}
}

static void
reload_show_pairs(char *out, const struct options_pairs *pairs)
{
	size_t i, at = (size_t)snprintf(out, RELOAD_VALUE_MAX, "map[");

	for (i = 0; i < pairs->length && at < RELOAD_VALUE_MAX; i++)
		at += (size_t)snprintf(
		    out + at, RELOAD_VALUE_MAX - at, "%s%s:%s", i > 0 ? " " : "", pairs->items[i].name, pairs->items[i].value);
	if (at < RELOAD_VALUE_MAX)
		snprintf(out + at, RELOAD_VALUE_MAX - at, "]");
}

/* A value as Go's %v prints it. */
static void
reload_show(char out[RELOAD_VALUE_MAX], const void *place, enum reload_field field)
{
	switch (reload_rows[field].type) {
	case STRING: snprintf(out, RELOAD_VALUE_MAX, "%s", *(char *const *)place); break;
	case INT:
	case INT32: snprintf(out, RELOAD_VALUE_MAX, "%d", *(const int *)place); break;
	case INT64: snprintf(out, RELOAD_VALUE_MAX, "%lld", (long long)*(const int64_t *)place); break;
	case DURATION: text_duration_format(out, RELOAD_VALUE_MAX, *(const int64_t *)place); break;
	case BOOL: snprintf(out, RELOAD_VALUE_MAX, "%s", *(const bool *)place ? "true" : "false"); break;
	case DOUBLE: text_double(out, RELOAD_VALUE_MAX, *(const double *)place); break;
	case PAIRS: reload_show_pairs(out, place); break;
	case WORD: snprintf(out, RELOAD_VALUE_MAX, "%s", reload_word(field, *(const int *)place)); break;
	case LIST: out[0] = '\0'; break;
	}
}

/* Whether a changed row stops the reload. */
static bool
reload_refused(const struct options *running, const struct options *fresh, const struct reload_row *row)
{
	size_t i;

	CHECK(running != NULL && fresh != NULL);
	switch (row->action) {
	case LIVE:
	case LIVE_IF_SET:
	case ALWAYS: return false;
	case REFUSE: return true;
	case RANDOM_PORT: return fresh->client.port != 0;
	case GONE_WITH_USER:
		/* It may go, together with the user it names. */
		if (running->no_auth_user[0] == '\0' || fresh->no_auth_user[0] != '\0')
			return true;
		for (i = 0; i < fresh->users_length; i++) {
			if (strcmp(fresh->users[i]->name, running->no_auth_user) == 0)
				return true;
		}
		return false;
	}
	return true;
}

static void
reload_refuse(struct reload *reload, const struct options *running, const struct options *fresh, enum reload_field field)
{
	const struct reload_row *row = &reload_rows[field];
	char before[RELOAD_VALUE_MAX], after[RELOAD_VALUE_MAX];

	CHECK(reload->refusal[0] == '\0');
	reload_show(before, reload_place(running, row), field);
	reload_show(after, reload_place(fresh, row), field);
	snprintf(reload->refusal, sizeof(reload->refusal), "config reload not supported for %s: old=%s, new=%s", row->name, before,
	    after);
	reload->changes = NULL;
	reload->effects = RELOAD_NOTHING;
}

/* The notice of a change: the row's text with the new value in it. */
static const char *
reload_notice(struct reload *reload, const struct options *fresh, enum reload_field field)
{
	const struct reload_row *row = &reload_rows[field];
	const char *verb = strstr(row->text, "%s");
	char value[RELOAD_VALUE_MAX], text[RELOAD_VALUE_MAX + 128];

	CHECK(field < RELOAD_FIELDS);
	if (verb == NULL)
		return row->text;
	reload_show(value, reload_place(fresh, row), field);
	if (field == RELOAD_NO_FAST_PRODUCER_STALL)
		snprintf(value, sizeof(value), "%s", fresh->no_fast_producer_stall ? "not " : "");
	if (row->action == LIVE_IF_SET && value[0] == '\0')
		return "";
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(verb - row->text), row->text, value, verb + 2);
	return arena_strdup(reload->arena, text, strlen(text));
}

/* False when memory is out. */
static bool
reload_add(struct reload *reload, const struct options *fresh, enum reload_field field, struct reload_change ***last)
{
	struct reload_change *change;

	CHECK(**last == NULL);
	if (reload_rows[field].action == RANDOM_PORT || reload_rows[field].action == GONE_WITH_USER)
		return true;
	change = arena_alloc(reload->arena, sizeof(*change));
	if (change == NULL)
		return false;
	change->field = field;
	change->effects = reload_rows[field].effects;
	change->text = reload_notice(reload, fresh, field);
	reload->effects |= change->effects;
	**last = change;
	*last = &change->next;
	return change->text != NULL;
}

struct reload *
reload_compare(const struct options *running, const struct options *fresh)
{
	struct arena *arena = arena_create(RELOAD_MEMORY_MAX);
	struct reload *reload = arena != NULL ? arena_alloc(arena, sizeof(*reload)) : NULL;
	const struct reload_row *row;
	struct reload_change **last;
	enum reload_field field;

	CHECK(running != NULL && fresh != NULL);
	if (reload == NULL) {
		arena_free(arena);
		return NULL;
	}
	reload->arena = arena;
	last = &reload->changes;
	if (!options_validate(fresh, reload->refusal, sizeof(reload->refusal)))
		return reload;
	for (field = 0; field < RELOAD_FIELDS; field++) {
		row = &reload_rows[field];
		CHECK(row->name != NULL);
		if (row->action != ALWAYS && reload_equal(reload_place(running, row), reload_place(fresh, row), row->type))
			continue;
		if (reload_refused(running, fresh, row)) {
			reload_refuse(reload, running, fresh, field);
			return reload;
		}
		if (!reload_add(reload, fresh, field, &last)) {
			arena_free(arena);
			return NULL;
		}
	}
	return reload;
}

void
reload_free(struct reload *reload)
{
	if (reload != NULL)
		arena_free(reload->arena);
}
