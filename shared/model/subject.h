/*
 * Subjects: dot separated tokens, the wildcards "*" (one token) and ">" (one or more tokens, last only).
 *
 * Pure functions over (pointer, length); nothing is allocated, nothing needs a NUL.  A wildcard is a wildcard only where it is
 * a token of its own: "foo*" is a literal.  Called by every room above; knows nothing about connections or accounts.
 */
#ifndef MODEL_SUBJECT_H
#define MODEL_SUBJECT_H

#include <stdbool.h>
#include <stddef.h>

/* The queue group that only the server itself may use (client.go). */
#define SUBJECT_QUEUE_SYSTEM "_sys_"

/* Walks over the tokens of a subject; an empty token is handed out like any other. */
struct subject_tokens {
	const char *at;
	const char *end;
	bool done;
};

/*
 * A subject as permissions, mappings and configurations take it: no empty token, ">" only at the end, no blank (space, \t, \n,
 * \f, \r) in any token.  Wildcards are allowed.  (sublist.go IsValidSubject)
 */
bool subject_valid(const char *subject, size_t length);

/* subject_valid() and no wildcard.  (sublist.go IsValidPublishSubject) */
bool subject_valid_publish(const char *subject, size_t length);

/* No empty token and no wildcard; blanks are not looked at: what "pedantic" asks of PUB.  (sublist.go IsValidLiteralSubject) */
bool subject_valid_literal(const char *subject, size_t length);

/*
 * May a subscription have this subject?  No empty token, ">" only at the end, no space, \t, \r, \n (which the protocol cannot
 * carry anyway).  Sets *wildcard.  (sublist.go Insert: "invalid subject")
 */
bool subject_valid_subscribe(const char *subject, size_t length, bool *wildcard);

/* Some token is "*" or ">", wherever it stands.  (sublist.go subjectHasWildcard) */
bool subject_has_wildcard(const char *subject, size_t length);

/* Number of tokens; 0 for the empty subject.  (sublist.go numTokens) */
size_t subject_token_count(const char *subject, size_t length);

/* The token number "index", counted from 1; false, and an empty token, when there is none.  (sublist.go tokenAt) */
bool subject_token_at(const char *subject, size_t length, size_t index, const char **token, size_t *token_length);

void subject_tokens_init(struct subject_tokens *tokens, const char *subject, size_t length);

/* The next token; false at the end.  The empty subject has one, empty, token. */
bool subject_tokens_next(struct subject_tokens *tokens, const char **token, size_t *token_length);

/*
 * Does a message on "literal" reach a subscription to "pattern"?  Wildcards in "literal" are plain text there: "a.*" reaches
 * "a.*", "a.>" and ">", not "a.b".  A literal with an empty token reaches nothing.  (sublist.go matchLevel)
 */
bool subject_matches(const char *literal, size_t literal_length, const char *pattern, size_t pattern_length);

/* Is all that "subject" can match also matched by "pattern"?  "a.*" is a subset of "a.>".  (sublist.go subjectIsSubsetMatch) */
bool subject_is_subset(const char *subject, size_t length, const char *pattern, size_t pattern_length);

/* Can one literal match both?  (sublist.go SubjectsCollide) */
bool subject_collide(const char *a, size_t a_length, const char *b, size_t b_length);

/*
 * Subjects that clients may not publish to, permissions or not: "_GR_." and "$GR." with something after them, and "$NRG." outside
 * the system account.  Answer: Permissions Violation for Publish.  (client.go processInboundClientMsg)
 */
bool subject_is_reserved_publish(const char *subject, size_t length, bool system_account);

/*
 * Replies that clients may not ask for: "_R_.", "$JS.ACK." with something after it, "_GR_." and "$GR." with something after it.
 * Answer: Permissions Violation for Publish with Reply.  (client.go isReservedReply)
 */
bool subject_is_reserved_reply(const char *reply, size_t length);

/* The queue group "_sys_".  Answer: Permissions Violation for Subscription.  (client.go processSub) */
bool subject_is_reserved_queue(const char *queue, size_t length);

#endif
