/*
 * The broker inside each member of the mesh (workers now, storaged and clusterd later): per account, who wants what
 * (interest.c), and the publish engine that matches a message once and serves local receivers and other members (publish.c).
 *
 * Interest: own subscriptions one by one, those of the other members summed up per subject (one bit a member) and per
 * (subject, queue group) with a weight. The first local subscription on a subject is announced, the last one gone is taken
 * back, each change of a local queue group announces its new weight.
 *
 * A message goes to every local plain subscription that matches, to each other member with plain interest in one record, and
 * of each queue group (its name over all matching patterns) to one receiver on this server, drawn by weight over all members.
 *
 * Costs: a publish costs one look-up of its subject (hash for literals, cached walk for wildcards) plus its deliveries; it does
 * not grow with the number of connections or subscriptions. No allocation per message but for payloads over BROKER_COPY_MAX.
 */
#ifndef BROKER_BROKER_H
#define BROKER_BROKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/blob.h"
#include "ipc/mesh.h"
#include "model/sublist.h"

enum {
	BROKER_COPY_MAX = 4096,    /* payloads above this are kept in a blob and referenced */
	BROKER_ACCOUNT_GLOBAL = 1, /* $G */
	BROKER_ACCOUNT_SYSTEM = 2, /* $SYS */
	BROKER_ACCOUNTS_MAX = 1 << 20,
	BROKER_SUBJECT_MAX = 65535,
	BROKER_QUEUE_MAX = 4096,
	BROKER_HOPS_MAX = 16
};

/* What a record of the mesh is, in the kind field of mesh_put. */
enum broker_record {
	BROKER_RECORD_MESSAGE = 1,
	BROKER_RECORD_INTEREST = 2,
	BROKER_RECORD_SYNCED = 3, /* all interest of the sender has been told */
	BROKER_RECORD_STALL = 4   /* a receiver is slow: hold the publishing connection for a moment */
};

/* One message on its way. All pointers are valid during the call only, but for the blob, which may be held. */
struct broker_message {
	const char *subject;
	const char *reply;       /* NULL: none */
	const char *header_text; /* header size as the publisher wrote it; NULL: no header */
	const char *size_text;   /* total size as the publisher wrote it */
	const uint8_t *payload;  /* header block, then data; total_size bytes */
	struct blob *blob;       /* holds payload, or NULL */
	uint32_t blob_offset;    /* of payload in blob */
	uint32_t subject_length, reply_length;
	uint32_t header_size, total_size;
	uint8_t header_text_length, size_text_length;
	uint32_t origin_index, origin_generation; /* publishing connection, in the member it belongs to */
	unsigned origin_member;
	bool passed_on; /* came over another member than the publisher's */
	void *origin;   /* publishing connection if it is here, else NULL */
};

struct broker_account {
	uint32_t number;
	struct sublist *list;
	uint64_t granted; /* bit m: member m may speak for this account */
	uint64_t changes; /* of its interest; what was matched before the last one is void */
};

struct broker;

struct broker_calls {
	/* Puts the message into the output of the subscription's owner. False: not delivered (closing, echo, denied). */
	bool (*deliver)(void *arg, struct sublist_sub *, struct broker_message *);
	/* A connection of ours published something its receiver is too slow for. */
	void (*stall)(void *arg, uint32_t index, uint32_t generation);
	/* All members have told their interest since the start (or since the last peer came). */
	void (*synced)(void *arg);
	/* An account that member has not been granted: the grant may be under way; look, and say whether it is there now. */
	bool (*granted)(void *arg, unsigned member, uint32_t account);
	void *arg;
};

/* The broker of this member over an attached mesh. cached: the sublist's result cache is used. NULL: out of memory. */
struct broker *broker_create(struct mesh *, const struct broker_calls *, bool cached);
void broker_free(struct broker *);

/* The account of that number, made when new. Accounts are never removed while the process lives. NULL: out of memory or out of
 * range. */
struct broker_account *broker_account(struct broker *, uint32_t number);

/* authd says that member may speak for the account. */
void broker_grant(struct broker *, uint32_t account, unsigned member);

/* Adds a subscription and announces new interest. queue NULL: plain. */
enum sublist_status broker_subscribe(struct broker *, struct broker_account *, const char *subject, size_t n, const char *queue,
    size_t queue_length, struct sublist_sub *);

/* Takes a subscription back, and the interest when it was the last. */
void broker_unsubscribe(struct broker *, struct broker_account *, struct sublist_sub *);

/* Is all interest announced so far in the rings (not in an overflow queue)? A PONG waits for that (ARCHITECTURE 2). */
bool broker_settled(struct broker *);

/* The position in the mesh of the last interest announced, for mesh_reached_all(). */
uint64_t broker_position(const struct broker *);

/* Delivers a message of a local connection. Returns the number of receivers (another member counts as one). */
unsigned broker_publish(struct broker *, struct broker_account *, struct broker_message *);

/* The first local plain subscription that a message on the subject reaches and that is wanted, or NULL. */
struct sublist_sub *broker_find(struct broker *, struct broker_account *, const char *subject, size_t n,
    bool (*wanted)(void *arg, const struct sublist_sub *), void *arg);

/* Makes message->blob hold the payload (one copy, shared by all receivers); false when memory is out. */
bool broker_message_keep(struct broker_message *);

/* Tells the member that published the message that one of its receivers here is slow. */
void broker_stall(struct broker *, const struct broker_message *);

/* A record came from a member; false: it breaks the rules. blob (may be NULL) holds body. For mesh_drain's handler. */
bool broker_record(struct broker *, unsigned member, uint16_t kind, const uint8_t *body, size_t length, struct blob *);

/* A member came (all interest is told to it) or went (all its interest is dropped). */
void broker_peer_up(struct broker *, unsigned member);
void broker_peer_down(struct broker *, unsigned member);

/* Has every member that is up told all its interest? */
bool broker_is_synced(const struct broker *);

/* Local subscriptions in all accounts. */
uint64_t broker_subscriptions(const struct broker *);

/* For each account in use. */
void broker_each_account(struct broker *, void (*each)(void *arg, struct broker_account *), void *arg);

#endif
