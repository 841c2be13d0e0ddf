/*
 * messages.c: encode, decode, names and directions of the messages, all derived from messages.def.  Owns nothing.
 */
#include "ipc/messages.h"

#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "ipc/channel.h"

enum {
	MASTER = 1 << ROLE_MASTER,
	WORKER = 1 << ROLE_WORKER,
	AUTHD = 1 << ROLE_AUTHD,
	MEMBER = WORKER | 1 << ROLE_STORAGED | 1 << ROLE_CLUSTERD,
	CHILD = MEMBER | AUTHD | 1 << ROLE_KEYD
};

static const struct message_row {
	const char *name;
	unsigned senders, receivers, descriptors;
} message_rows[MESSAGE_TYPES_MAX] = {
#define MSG(NAME, name, number, senders, receivers, descriptors, fields, text) \
	[number] = { #NAME, senders, receivers, descriptors },
#include "ipc/messages.def"
#undef MSG
};

#define MSG(NAME, name, number, senders, receivers, descriptors, fields, text) \
	_Static_assert((number) > 0 && (number) < MESSAGE_TYPES_MAX, "message numbers run from 1 to MESSAGE_TYPES_MAX - 1"); \
	_Static_assert((descriptors) <= CHANNEL_FDS_MAX, "a frame takes no more descriptors"); \
	_Static_assert((descriptors) == 0 || (senders) == MASTER, "descriptors come from master alone");
#include "ipc/messages.def"
#undef MSG

const char *
role_name(enum role_kind kind)
{
	static const char *const names[ROLE_KINDS] = { "master", "worker", "authd", "storaged", "clusterd", "keyd" };

	CHECK(kind < ROLE_KINDS);
	return names[kind];
}

struct message_text
message_text(const char *string)
{
	struct message_text text = { string, 0 };

	if (string != NULL) {
		size_t length = strlen(string);

		CHECK(length <= UINT32_MAX);
		text.length = (uint32_t)length;
	}
	return text;
}

const char *
message_type_name(unsigned type)
{
	return type < MESSAGE_TYPES_MAX && message_rows[type].name != NULL ? message_rows[type].name : "?";
}

bool
message_allowed(unsigned type, enum role_kind sender, enum role_kind receiver, unsigned nfds)
{
	const struct message_row *row;

	CHECK(sender < ROLE_KINDS && receiver < ROLE_KINDS);
	if (type >= MESSAGE_TYPES_MAX)
		return false;
	row = &message_rows[type];
	return row->name != NULL && (row->senders & 1u << sender) != 0 && (row->receivers & 1u << receiver) != 0 &&
	    nfds <= row->descriptors;
}

uint32_t
message_table_hash(void)
{
#define MSG(...) #__VA_ARGS__ ";"
	static const char table[] =
#include "ipc/messages.def"
	    ;
#undef MSG
	static uint32_t hash;

	if (hash == 0) {
		hash = 2166136261u; /* FNV-1a */
		for (const char *c = table; *c != '\0'; c++)
			hash = (hash ^ (uint8_t)*c) * 16777619u;
	}
	return hash;
}

static void
put_text(struct bytes_writer *w, struct message_text text)
{
	bytes_put_view(w, text.at, text.length);
}

static struct message_text
get_text(struct bytes_reader *r)
{
	struct message_text text = { "", 0 };
	const char *at;
	size_t length;

	if (bytes_view(r, &at, &length)) {
		text.at = at;
		text.length = (uint32_t)length;
	}
	return text;
}

/* A frame's body under construction; one thread, one message at a time. */
static uint8_t body[CHANNEL_BODY_MAX];

#define FLAG(field) bytes_put_bool(&w, message->field);
#define U8(field) bytes_put_u8(&w, message->field);
#define U16(field) bytes_put_u16(&w, message->field);
#define U32(field) bytes_put_u32(&w, message->field);
#define U64(field) bytes_put_u64(&w, message->field);
#define I64(field) bytes_put_i64(&w, message->field);
#define TEXT(field) put_text(&w, message->field);
#define MSG(NAME, name, number, senders, receivers, descriptors, fields, text) \
	bool message_##name##_send(struct channel *channel, const struct message_##name *message, const int *fds, unsigned nfds) \
	{ \
		struct bytes_writer w; \
		bool sent; \
\
		(void)message; \
		bytes_writer_init(&w, body, sizeof(body)); \
		fields; \
		sent = !w.failed && channel_send(channel, number, body, bytes_written(&w), fds, nfds); \
		explicit_bzero(body, bytes_written(&w)); \
		return sent; \
	}
#include "ipc/messages.def"
#undef MSG
#undef FLAG
#undef U8
#undef U16
#undef U32
#undef U64
#undef I64
#undef TEXT

#define FLAG(field) message->field = bytes_bool(&r);
#define U8(field) message->field = bytes_u8(&r);
#define U16(field) message->field = bytes_u16(&r);
#define U32(field) message->field = bytes_u32(&r);
#define U64(field) message->field = bytes_u64(&r);
#define I64(field) message->field = bytes_i64(&r);
#define TEXT(field) message->field = get_text(&r);
#define MSG(NAME, name, number, senders, receivers, descriptors, fields, text) \
	bool message_##name##_read(const struct channel_frame *frame, struct message_##name *message) \
	{ \
		struct bytes_reader r; \
\
		CHECK(frame->type == (number)); \
		(void)message; \
		bytes_reader_init(&r, frame->body, frame->length); \
		fields; \
		return bytes_done(&r); \
	}
#include "ipc/messages.def"
#undef MSG
