/*
 * Monitoring over HTTP, shared by the monitor files of the watch worker only: monitor.c (listener and connections),
 * monitor_pages.c (which page a request means, and the small ones), monitor_varz.c (/varz).
 */
#ifndef WORKER_MONITOR_H
#define WORKER_MONITOR_H

#include <sys/queue.h>

#include "base/json.h"
#include "wire/http.h"

#include "worker.h"

enum {
	MONITOR_MAGIC = 0x6d6f6e69,
	MONITOR_CONNECTION_MAGIC = 0x6d636f6e,
	MONITOR_CONNECTIONS_MAX = 256,
	MONITOR_PAGES_MAX = 8,
	MONITOR_TEXT_SIZE = 8192, /* bodies that are no JSON; header lines of a page */
	MONITOR_BODY_MAX = 4 << 20
};

struct monitor_connection;
TAILQ_HEAD(monitor_connections, monitor_connection);

struct monitor {
	uint32_t magic;
	struct worker *worker;
	struct loop_io listeners[ROLE_LISTENERS_MAX];
	unsigned listener_count;
	bool listening;
	struct loop_timer rest_timer;           /* no descriptors: the listeners rest */
	struct monitor_connections connections; /* those that wait for a request the longest come first */
	unsigned connection_count;
	size_t buffered;                      /* bytes that unfinished heads hold, over all connections */
	uint64_t requests[MONITOR_PAGES_MAX]; /* by row of the table of pages */
	struct loop_timer usage_timer;        /* processor use of the last second */
	uint64_t usage_ns;
	int64_t usage_at;
	uint64_t usage_tenths; /* of a percent */
};

/* What a page answers. json, when anything is in it, is the body; else text. */
struct monitor_answer {
	uint16_t status;
	bool close;       /* the connection ends with it */
	const char *type; /* Content-Type, or NULL */
	size_t text_length;
	struct json_writer json;
	char extra[MONITOR_TEXT_SIZE]; /* more header lines, "" none */
	char text[MONITOR_TEXT_SIZE];
};

/* monitor_pages.c: the answer to a request. The caller frees answer->json. */
void monitor_answer_request(struct monitor *, const struct http_request *, struct monitor_answer *);

/* Walks over the pages asked for so far, by name: *row = 0 first; NULL at the end. */
const char *monitor_next_count(const struct monitor *, unsigned *row, uint64_t *count);

/* monitor_varz.c */
void monitor_varz(struct monitor *, const struct http_request *, struct monitor_answer *);
void monitor_usage_start(struct monitor *); /* begins to measure processor use */

#endif
