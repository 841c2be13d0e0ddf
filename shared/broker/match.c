/*
 * A memo in front of the sublist: publishers use few subjects at a time, so what the last look-ups found is kept per (account,
 * subject) until any interest of that account changes. Direct mapped by a cheap hash: who aims for collisions only gets the
 * ordinary look-up. A subject found here has been checked before, see publish_record.
 */
#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "broker/broker_private.h"

enum { MEMO_ENTRIES = 256, MEMO_NODES = 4, MEMO_SUBJECT_MAX = 64 };

struct broker_memo {
	const struct broker_account *account;
	uint64_t changes;
	struct sublist_result result; /* its nodes are those below */
	struct sublist_node *nodes[MEMO_NODES];
	uint32_t length;
	char subject[MEMO_SUBJECT_MAX];
};

static inline uint64_t
memo_load(const char *from, size_t n)
{
	uint64_t word = 0;

	memcpy(&word, from, n);
	return word;
}

static inline unsigned
memo_place(const char *subject, size_t n)
{
	uint64_t word;

	if (n >= 8)
		word = memo_load(subject, 8) * UINT64_C(0x9e3779b97f4a7c15) ^ memo_load(subject + n - 8, 8);
	else if (n >= 4)
		word = memo_load(subject, 4) << 32 | memo_load(subject + n - 4, 4);
	else
		word = (uint64_t)(uint8_t)subject[0] << 16 | (uint64_t)(uint8_t)subject[n / 2] << 8 | (uint8_t)subject[n - 1];
	return (unsigned)(((word ^ n) * UINT64_C(0xff51afd7ed558ccd)) >> 56);
}

/* Equal? n > 0. Words that may overlap; a call of memcmp costs more for the usual lengths. */
static inline bool
memo_same(const char *a, const char *b, size_t n)
{
	size_t at;

	if (n < 8)
		return n >= 4 ? memo_load(a, 4) == memo_load(b, 4) && memo_load(a + n - 4, 4) == memo_load(b + n - 4, 4)
			      : memcmp(a, b, n) == 0;
	for (at = 0; at + 8 <= n; at += 8)
		if (memo_load(a + at, 8) != memo_load(b + at, 8))
			return false;
	return memo_load(a + n - 8, 8) == memo_load(b + n - 8, 8);
}

bool
match_create(struct broker *broker)
{
	CHECK(MEMO_ENTRIES == 1 << 8);
	broker->memos = memory_array(MEMO_ENTRIES, sizeof(*broker->memos));
	return broker->memos != NULL;
}

void
match_free(struct broker *broker)
{
	memory_free(broker->memos);
}

static void
memo_keep(struct broker_memo *memo, const struct broker_account *account, const char *subject, size_t n,
    const struct sublist_result *result)
{
	memo->account = account;
	memo->changes = account->changes;
	memo->length = (uint32_t)n;
	memcpy(memo->subject, subject, n);
	memo->result = *result;
	memo->result.nodes = memo->nodes;
	memo->result.room = MEMO_NODES;
	if (result->count > 0)
		memcpy(memo->nodes, result->nodes, result->count * sizeof(memo->nodes[0]));
}

const struct sublist_result *
match_known(struct broker *broker, const struct broker_account *account, const char *subject, size_t n)
{
	const struct broker_memo *memo;

	if (n == 0 || n > MEMO_SUBJECT_MAX)
		return NULL;
	memo = &broker->memos[memo_place(subject, n)];
	if (memo->account != account || memo->changes != account->changes || memo->length != n ||
	    !memo_same(memo->subject, subject, n))
		return NULL;
	return &memo->result;
}

const struct sublist_result *
match_look(struct broker *broker, const struct broker_account *account, const char *subject, size_t n)
{
	struct sublist_result *result = &broker->result;

	if (sublist_match(account->list, subject, n, result) && n > 0 && n <= MEMO_SUBJECT_MAX && result->count <= MEMO_NODES)
		memo_keep(&broker->memos[memo_place(subject, n)], account, subject, n, result);
	return result;
}
