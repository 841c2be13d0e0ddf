/*
 * Inside permissions: what permission.c (decisions), permission_set.c (making, encoding) and permission_replies.c share.
 */
#ifndef MODEL_PERMISSION_PRIVATE_H
#define MODEL_PERMISSION_PRIVATE_H

#include <string.h>

#include "base/check.h"
#include "model/permission.h"
#include "model/sublist.h"

#define PERMISSION_MAGIC 0x9e241155U

/* One entry of a list, as given: the subject's bytes, then the queue's. */
struct permission_entry {
	struct sublist_sub sub;
	uint32_t length;
	uint32_t queue_length; /* 0: none */
	char text[];
};

struct permission_list {
	struct sublist *index; /* of the entries; NULL: none */
	struct permission_entry **entries;
	uint32_t count;
	uint32_t room;
	bool given; /* there is such a list, if only with invalid entries */
};

/* One remembered decision; a cache line. */
struct permission_cell {
	uint32_t hash;
	bool used;
	bool verdict;
	uint8_t length;
	uint8_t queue_length;
	char text[56]; /* subject, then queue */
};

struct permission_set {
	uint32_t hash; /* of encoded; first, for the table of known sets */
	uint32_t magic;
	uint32_t references;
	bool known; /* in the table of known sets */
	bool responses;
	int32_t responses_max; /* < 0: no limit */
	int64_t responses_ttl; /* ns; < 0: no limit */
	struct permission_list lists[PERMISSION_KINDS];
	struct permission_cell *publish_cells;
	struct permission_cell *deny_cells;
	uint8_t *encoded; /* of a known set */
	size_t encoded_size;
};

extern struct permission_counters permission_totals;

#endif
