/*
 * Why a connection was closed, by the names nats-server gives (server/client.go ClosedState). Rows in closed.def.
 */
#ifndef MODEL_CLOSED_H
#define MODEL_CLOSED_H

#include <stdbool.h>

enum closed_reason {
	CLOSED_NONE,
#define CLOSED(name, flush, text) CLOSED_##name,
#include "model/closed.def"
#undef CLOSED
	CLOSED_REASONS
};

/* The name in logs, /connz and events; "Unknown State" for numbers that are none. */
const char *closed_text(enum closed_reason);

/* Is what waits for the connection still written before it is closed? */
bool closed_flushes(enum closed_reason);

#endif
