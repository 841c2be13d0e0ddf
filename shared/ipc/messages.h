/*
 * messages.h: the messages of messages.def as C.
 *
 * For each row MSG(NAME, name, ...): MESSAGE_NAME, struct message_name, and
 *	bool message_name_send(struct channel *, const struct message_name *, const int *fds, unsigned nfds);
 *	bool message_name_read(const struct channel_frame *, struct message_name *);
 * send returns what channel_send returns (false also when the fields do not fit into a frame: check sizes of outside input first).
 * read is false when the body is not exactly one such message; the caller then treats the peer as a violator.  TEXT fields
 * are views: when sending, into the caller's memory; after a read, into the frame's body (valid while the frame is).
 */
#ifndef IPC_MESSAGES_H
#define IPC_MESSAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct channel;
struct channel_frame;

enum role_kind { ROLE_MASTER, ROLE_WORKER, ROLE_AUTHD, ROLE_STORAGED, ROLE_CLUSTERD, ROLE_KEYD, ROLE_KINDS };

/* "master", "worker", ... */
const char *role_name(enum role_kind kind);

struct message_text {
	const char *at;
	uint32_t length;
};

/* A message_text over a C string; NULL counts as empty. */
struct message_text message_text(const char *string);

/* LISTENER kind, AUTH_REQUEST kind */
enum listener_kind { LISTENER_CLIENT = 1, LISTENER_MONITOR = 2 };
/* STATUS state */
enum worker_state { WORKER_ACCEPTING = 1, WORKER_LAME_DUCK = 2, WORKER_DRAINED = 3 };
/* AUTH_REVOKE action (BEHAVIOUR, Configuration 6): close without a word, close with -ERR 'Authorization Violation', or stay with
 * other permissions */
enum revoke_action { REVOKE_CLOSE = 1, REVOKE_VIOLATION = 2, REVOKE_PERMISSIONS = 3 };
/* AUTH_REPLY connection_types, AUTH_POLICY connection_types: bits; 0 = all (Go: jwt.ConnectionTypeStandard ...) */
enum connection_type {
	CONNECTION_STANDARD = 1,
	CONNECTION_WEBSOCKET = 2,
	CONNECTION_LEAFNODE = 4,
	CONNECTION_LEAFNODE_WS = 8,
	CONNECTION_MQTT = 16,
	CONNECTION_MQTT_WS = 32,
	CONNECTION_IN_PROCESS = 64
};

/* The accounts that are always there. */
#define ACCOUNT_GLOBAL 1 /* $G */
#define ACCOUNT_SYSTEM 2 /* $SYS */

enum message_type {
#define MSG(NAME, name, number, senders, receivers, descriptors, fields, text) MESSAGE_##NAME = number,
#include "ipc/messages.def"
#undef MSG
	MESSAGE_TYPES_MAX = 64
};

#define FLAG(field) bool field;
#define U8(field) uint8_t field;
#define U16(field) uint16_t field;
#define U32(field) uint32_t field;
#define U64(field) uint64_t field;
#define I64(field) int64_t field;
#define TEXT(field) struct message_text field;
#define MSG(NAME, name, number, senders, receivers, descriptors, fields, text) \
	struct message_##name { \
		fields \
	}; \
	bool message_##name##_send(struct channel *channel, const struct message_##name *message, const int *fds, unsigned nfds); \
	bool message_##name##_read(const struct channel_frame *frame, struct message_##name *message);
#include "ipc/messages.def"
#undef MSG
#undef FLAG
#undef U8
#undef U16
#undef U32
#undef U64
#undef I64
#undef TEXT

/* "START", or "?" for a number that no message has. */
const char *message_type_name(unsigned type);

/* May sender send this type, with so many descriptors, to receiver?  The only place where directions are decided. */
bool message_allowed(unsigned type, enum role_kind sender, enum role_kind receiver, unsigned nfds);

/* Changes whenever messages.def does; every frame carries it. */
uint32_t message_table_hash(void);

#endif
