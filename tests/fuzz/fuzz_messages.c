/*
 * What one of our processes may be told by a broken one: frames of every type (messages.c), login requests (decide.c and what it
 * calls), panic records and snapshots.  The first byte chooses, the rest is the body.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/memory.h"
#include "ipc/channel.h"
#include "ipc/panic.h"
#include "ipc/seal.h"
#include "ipc/snapshot.h"
#include "master/authd/authd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PANIC = 200, WORKER_SNAPSHOT, AUTHD_SNAPSHOT, LOGIN };

struct authd authd;
static struct role role;
static struct counters counters;
static struct channel_frame frame;

/* authd without workers: what it says goes nowhere. */
struct channel *
authd_channel(unsigned worker)
{
	(void)worker;
	return NULL;
}

void
authd_watch(unsigned worker)
{
	(void)worker;
}

/* A view must lie inside the frame, whatever it says. */
static void
check_text(struct message_text text)
{
	const uint8_t *at = (const uint8_t *)text.at;

	CHECK(text.length == 0 || (at >= frame.body && at + text.length <= frame.body + frame.length));
}

static void
read_all(void)
{
#define FLAG(field)
#define U8(field)
#define U16(field)
#define U32(field)
#define U64(field)
#define I64(field)
#define TEXT(field) check_text(message.field);
#define MSG(NAME, name, number, senders, receivers, descriptors, fields, text) \
	if (frame.type == (number)) { \
		struct message_##name message; \
\
		if (message_##name##_read(&frame, &message)) { \
			fields; \
		} \
	}
#include "ipc/messages.def"
#undef MSG
}

static void
ignore_line(void *arg, const char *text)
{
	CHECK(arg == NULL && strchr(text, '\n') == NULL);
}

static void
read_panic(const uint8_t *data, size_t size)
{
	static struct panic_page page;

	memset(&page, 0, sizeof(page));
	memcpy(&page, data, size < sizeof(page) ? size : sizeof(page));
	page.magic = PANIC_MAGIC;
	CHECK(panic_report(&page, ignore_line, NULL));
}

static void
read_snapshot(const uint8_t *data, size_t size, bool of_authd)
{
	int fd = size == 0 ? -1 : seal_create_with("fuzz", data, size);

	if (fd < 0)
		return;
	if (of_authd) {
		struct authd_config *config = snapshot_authd_read(fd);
		struct logins logins;

		if (config != NULL && logins_load(config, &logins))
			logins_free(&logins);
		snapshot_authd_free(config);
	} else
		snapshot_worker_free(snapshot_worker_read(fd));
	close(fd);
}

static void
login(const uint8_t *data, size_t size)
{
	static const struct snapshot_user users[] = { { .name = "u", .password = "p", .account = "" },
		{ .name = "h", .password = "$2a$04$XajjQvNhvvRt5GSeFk1xFeyqRrsxkhBkUiQeg0dt.wU1qD4aFDcga", .account = "" } };
	static const struct authd_config config = { .user_count = 2, .users = users };
	struct message_auth_request request;

	if (authd.role == NULL) {
		authd.role = &role;
		role.counters = &counters;
		CHECK(logins_load(&config, &authd.logins));
	}
	frame.type = MESSAGE_AUTH_REQUEST;
	frame.length = (uint32_t)size;
	memcpy(frame.body, data, size);
	if (!message_auth_request_read(&frame, &request))
		return;
	decide(0, &request);
	passwords_cancel(&(const struct asker){ 0, request.client_index, request.client_generation });
	CHECK(!passwords_waiting());
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size - 1 > CHANNEL_BODY_MAX)
		return 0;
	switch (data[0]) {
	case PANIC: read_panic(data + 1, size - 1); break;
	case WORKER_SNAPSHOT: read_snapshot(data + 1, size - 1, false); break;
	case AUTHD_SNAPSHOT: read_snapshot(data + 1, size - 1, true); break;
	case LOGIN: login(data + 1, size - 1); break;
	default:
		frame.type = data[0];
		frame.length = (uint32_t)(size - 1);
		memcpy(frame.body, data + 1, size - 1);
		read_all();
	}
	return 0;
}
