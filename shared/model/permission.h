/*
 * Permissions of a user, compiled: may this connection publish here, subscribe there, answer that.
 *
 * A set is built by authd (permission_set_create, _add, _responses), encoded into a login answer, decoded by the worker, and then
 * shared by reference between all connections that have the same rights (permission_set_decode gives back the set it already
 * has for the same bytes).  It never changes once in use, but for its caches.  The tracked replies of allow_responses belong to
 * one connection: struct permission_replies.  A connection without permissions has a NULL set: everything is allowed.
 *
 * Knows subjects only; never logs, never looks at a clock.
 */
#ifndef MODEL_PERMISSION_H
#define MODEL_PERMISSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes_reader;
struct bytes_writer;

#define PERMISSION_ENTRIES_MAX 65536U                         /* per list */
#define PERMISSION_PUBLISH_CACHE 128U                         /* client.go maxPermCacheSize */
#define PERMISSION_DENY_CACHE 256U                            /* client.go maxDenyPermCacheSize */
#define PERMISSION_REPLIES_PRUNE 4096U                        /* client.go replyPermLimit */
#define PERMISSION_REPLIES_MAX 65536U                         /* ours: the oldest tracked reply goes first */
#define PERMISSION_RESPONSES_MAX 1                            /* const.go DEFAULT_ALLOW_RESPONSE_MAX_MSGS */
#define PERMISSION_RESPONSES_TTL (120LL * 1000 * 1000 * 1000) /* ns, DEFAULT_ALLOW_RESPONSE_EXPIRATION */

enum permission_kind {
	PERMISSION_PUBLISH_ALLOW,
	PERMISSION_PUBLISH_DENY,
	PERMISSION_SUBSCRIBE_ALLOW,
	PERMISSION_SUBSCRIBE_DENY,
	PERMISSION_KINDS
};

enum permission_status {
	PERMISSION_OK,
	PERMISSION_INVALID, /* not a subject, or not "subject queue": skipped; an allow list still counts as given */
	PERMISSION_NO_MEMORY,
	PERMISSION_FULL
};

struct permission_set;
struct permission_replies;

/* An empty set (everything allowed) with one reference, or NULL.  Not yet to be shared. */
struct permission_set *permission_set_create(void);
struct permission_set *permission_set_hold(struct permission_set *set); /* one more reference; NULL is fine */
void permission_set_release(struct permission_set *set);                /* NULL is fine */

/*
 * Add one entry as the configuration writes it: "subject", or for subscribe lists "subject queue".  A publish deny with a queue
 * keeps its subject.  (client.go setPermissions)
 */
enum permission_status permission_set_add(struct permission_set *set, enum permission_kind kind, const char *text, size_t length);

/* allow_responses.  max < 0: no limit, 0: the default; ttl (ns) likewise.  Takes the "everything" from an absent publish allow
 * list. */
void permission_set_responses(struct permission_set *set, int32_t max, int64_t ttl);

/*
 * Bytes of a set; decode gives a set with one more reference: a known one when the bytes are the same.  NULL when the bytes are
 * bad (reader->failed is set) or there is no memory (it is not).  encode fails through writer->failed.
 */
void permission_set_encode(const struct permission_set *set, struct bytes_writer *writer);
struct permission_set *permission_set_decode(struct bytes_reader *reader);
size_t permission_set_size(const struct permission_set *set); /* bytes encode will write */

/* For $SYS.REQ.USER.INFO and /connz: the entries as given.  queue is NULL when there is none. */
size_t permission_set_count(const struct permission_set *set, enum permission_kind kind);
void permission_set_entry(const struct permission_set *set, enum permission_kind kind, size_t index, const char **subject,
    size_t *length, const char **queue, size_t *queue_length);
bool permission_set_has_responses(const struct permission_set *set, int32_t *max, int64_t *ttl);

/*
 * May a message be published to this subject, replies apart?  Some allow entry must match (if there is an allow list), no deny
 * entry may.  (client.go pubAllowedFullCheck)
 */
bool permission_publish(struct permission_set *set, const char *subject, size_t length);

/* The same, then the tracked replies (may be NULL) are asked: an answer spends from its budget.  now: monotonic ns. */
bool permission_publish_or_reply(
    struct permission_set *set, struct permission_replies *replies, const char *subject, size_t length, int64_t now);

/*
 * May one subscribe?  queue NULL: plain.  Stricter than nats-server: the subject must be a subset of an allow entry (there "SUB
 * foo.>" passes an allow of "foo.*").  Deny as in client.go canSubscribe: wildcards in the subject count as literal tokens.  If
 * plain and queue entries of the allow list both match, the queue entries decide.
 */
bool permission_subscribe(struct permission_set *set, const char *subject, size_t length, const char *queue, size_t queue_length);

/*
 * Must the deliveries of this (allowed) subscription be checked one by one, since a deny entry overlaps it?  Keep the answer
 * with the subscription.  (client.go loadMsgDenyFilterIfNeeded)
 */
bool permission_deny_on_delivery(
    struct permission_set *set, const char *subject, size_t length, const char *queue, size_t queue_length);

/* The check itself: true = do not deliver a message on this subject to a subscription with this queue.  (client.go checkDenySub) */
bool permission_delivery_denied(
    struct permission_set *set, const char *subject, size_t length, const char *queue, size_t queue_length);

struct permission_counters {
	uint64_t publish_hits;
	uint64_t publish_misses;
	uint64_t deny_hits;
	uint64_t deny_misses;
	uint64_t sets;            /* sets alive in this process */
	uint64_t replies;         /* replies tracked */
	uint64_t replies_dropped; /* forgotten at PERMISSION_REPLIES_MAX */
};

/* Totals of this process. */
const struct permission_counters *permission_counters(void);

/* Replies one connection may answer to.  Create only when permission_set_has_responses().  NULL: no memory. */
struct permission_replies *permission_replies_create(void);
void permission_replies_free(struct permission_replies *replies);

/*
 * A message with this reply was delivered to the connection: track it, unless publishing there is allowed anyway.  A reply that
 * is tracked already spends one of its answers, as in nats-server (client.go deliverMsg).  Prunes by itself.
 */
void permission_replies_add(
    struct permission_replies *replies, struct permission_set *set, const char *reply, size_t length, int64_t now);

/* May the connection answer there?  Spends one answer when yes.  (client.go responseAllowed) */
bool permission_replies_check(
    struct permission_replies *replies, const struct permission_set *set, const char *subject, size_t length, int64_t now);

/* Forget what is older than the ttl. */
void permission_replies_prune(struct permission_replies *replies, const struct permission_set *set, int64_t now);
size_t permission_replies_count(const struct permission_replies *replies);

#endif
