/*
 * What a new configuration changes against the running one: a pure comparison, row by row of reload.def.
 * Who calls it: master on SIGHUP. It applies nothing. Rules and texts come from nats-server's server/reload.go; nats-server forgets
 * some flags on reload (-n, --logtime_utc, ...): here the flags are applied again in full, so they stay.
 */
#ifndef MODEL_RELOAD_H
#define MODEL_RELOAD_H

#include <stdbool.h>
#include <stddef.h>

struct options;

enum reload_field {
#define RELOAD(id, ...) RELOAD_##id,
#include "model/reload.def"
#undef RELOAD
	RELOAD_FIELDS
};

/* What the server must do for a change. */
enum reload_effect {
	RELOAD_NOTHING = 0,
	RELOAD_LOGGING = 1 << 0,       /* open the log again with the new settings */
	RELOAD_TRACE_LEVEL = 1 << 1,   /* tell workers the trace level */
	RELOAD_AUTHORIZATION = 1 << 2, /* check every client's login again */
	RELOAD_STATSZ = 1 << 3,        /* publish the server's statz */
};

struct arena;

struct reload_change {
	enum reload_field field;
	unsigned effects; /* enum reload_effect */
	const char *text; /* the notice to log once applied: "Reloaded: trace = true"; "" for none */
	struct reload_change *next;
};

struct reload {
	struct arena *arena;
	struct reload_change *changes; /* in the order nats-server logs them */
	unsigned effects;              /* of all changes together */
	char refusal[1024];            /* "" or why the whole reload is refused */
};

/* Validates fresh (options_validate) and compares. The result (never NULL but when memory is out) must be freed; a refusal comes
 * without changes. */
struct reload *reload_compare(const struct options *running, const struct options *fresh);
void reload_free(struct reload *reload);

#endif
