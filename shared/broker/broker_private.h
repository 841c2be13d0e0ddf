/*
 * Shared by the files of the broker only: the struct behind struct broker, and the layout of its records in the rings.
 * Records are read by memcpy into these structs after their length was checked; they have no holes.
 */
#ifndef BROKER_BROKER_PRIVATE_H
#define BROKER_BROKER_PRIVATE_H

#include <string.h>

#include "broker/broker.h"

enum { BROKER_MAGIC = 0x62726f6b };

/* INTEREST: this, subject, queue. */
struct broker_interest {
	uint32_t account;
	uint32_t weight; /* queue group: members there now, 0 none; plain: 1 or 0 */
	uint32_t subject_length;
	uint32_t queue_length; /* 0: plain */
};
_Static_assert(sizeof(struct broker_interest) == 16, "no holes");

/* MESSAGE: this, subject, reply, header text, size text, queue names (u16 length and bytes each), payload. */
struct broker_envelope {
	uint32_t account;
	uint32_t origin_index;
	uint32_t origin_generation;
	uint32_t header_size;
	uint32_t total_size;
	uint32_t queues_length; /* bytes of all queue names with their lengths */
	uint32_t subject_length;
	uint32_t reply_length;
	uint32_t queues;
	uint8_t header_text_length;
	uint8_t size_text_length;
	uint8_t plain;         /* 1: plain subscriptions get it */
	uint8_t hops;          /* times it was handed on, since the members of a queue group had gone */
	uint8_t origin_member; /* whose connection published it; only believed for what that connection is spared */
	uint8_t zero[3];
};
_Static_assert(sizeof(struct broker_envelope) == 44, "no holes");

/* STALL. */
struct broker_stall_record {
	uint32_t index;
	uint32_t generation;
};

/* One queue group that a message reaches, gathered over all matching patterns. */
struct broker_group {
	const struct sublist_name *name;
	uint64_t weight;
	uint32_t first_queue; /* chain through struct broker_group_queue */
	int member;           /* drawn: the other member that delivers, or -1 */
};

struct broker_group_queue {
	struct sublist_queue *queue;
	uint32_t next;
};

struct broker {
	uint32_t magic;
	unsigned self;
	bool cached;
	struct mesh *mesh;
	struct broker_calls calls;
	struct broker_account **accounts;
	uint32_t accounts_size;
	uint64_t up;               /* bit m: member m is there */
	uint64_t synced;           /* bit m: it has told all its interest */
	uint64_t position;         /* in the mesh, of the last interest announced */
	struct broker_memo *memos; /* of match.c */
	struct sublist_result result;
	struct sublist_result found; /* of broker_find, which may come within a publish */
	struct broker_group *groups;
	struct broker_group_queue *group_queues;
	uint32_t groups_count, groups_size, group_queues_count, group_queues_size;
	uint32_t *group_slots; /* hash over the groups, where they are many */
	uint32_t group_slots_size;
	bool group_indexed;
};

/*
 * Bytes from another member that will stand in the protocol: none that ends a word or a line there (a liar could put in commands).
 * Eight bytes at a time are looked at for anything up to a blank; only where there is such a byte, which one.
 */
static inline bool
broker_text_safe(const char *text, size_t n)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), highs = UINT64_C(0x8080808080808080);
	uint64_t word, low = 0;
	unsigned bad = 0;
	size_t i;

	for (i = 0; i + sizeof(word) <= n; i += sizeof(word)) {
		memcpy(&word, text + i, sizeof(word));
		low |= (word - ones * 0x21) & ~word & highs;
	}
	if (__builtin_expect(low != 0, 0))
		i = 0;
	for (; i < n; i++)
		bad |= (unsigned)(text[i] == ' ') | (unsigned)(text[i] == '\t') | (unsigned)(text[i] == '\r') |
		    (unsigned)(text[i] == '\n');
	return bad == 0;
}

/* match.c: what a subject reaches, from the memo alone (NULL: not there), or from the sublist. Good until the account's interest
 * changes. */
bool match_create(struct broker *);
void match_free(struct broker *);
const struct sublist_result *match_known(struct broker *, const struct broker_account *, const char *subject, size_t n);
const struct sublist_result *match_look(struct broker *, const struct broker_account *, const char *subject, size_t n);

/* interest.c: what an INTEREST record says. False: it breaks the rules. */
bool interest_record(struct broker *, unsigned member, const uint8_t *body, size_t length);

/* group.c: the queue groups of the message under way. */
void group_gather(struct broker *, const struct sublist_result *);
struct broker_group *group_find(const struct broker *, const char *name, size_t n); /* NULL: it does not reach that group */
/* The draw: one receiver of the group over the whole server; group->member is set when it is elsewhere. 0: nobody is there. */
unsigned group_draw(const struct broker *, struct broker_group *, struct broker_message *);
bool group_deliver_here(const struct broker *, const struct broker_group *, struct broker_message *);
void group_draw_elsewhere(const struct broker *, struct broker_group *); /* sets group->member, -1: nobody */

/* publish.c: a MESSAGE record. False: it breaks the rules. */
bool publish_record(struct broker *, unsigned member, const uint8_t *body, size_t length, struct blob *);

/* The account, if member may speak for it; asks the owner where that is not known yet. NULL: it may not. */
struct broker_account *broker_granted(struct broker *, uint32_t account, unsigned member);

#endif
