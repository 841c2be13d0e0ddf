/*
 * Why a connection was closed, see closed.h.
 */
#include "model/closed.h"

#include <stddef.h>

struct closed_row {
	const char *text;
	bool flush;
};

static const struct closed_row closed_rows[] = {
	[CLOSED_NONE] = { "Unknown State", true },
#define CLOSED(name, flushes, words) [CLOSED_##name] = { words, flushes },
#include "model/closed.def"
#undef CLOSED
};

const char *
closed_text(enum closed_reason reason)
{
	if ((size_t)reason >= sizeof(closed_rows) / sizeof(closed_rows[0]))
		reason = CLOSED_NONE;
	return closed_rows[reason].text;
}

bool
closed_flushes(enum closed_reason reason)
{
	if ((size_t)reason >= sizeof(closed_rows) / sizeof(closed_rows[0]))
		reason = CLOSED_NONE;
	return closed_rows[reason].flush;
}
