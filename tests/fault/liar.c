/*
 * R-d of RELIABILITY 4: a worker that lies.  It is natsd-worker in all but one thing: the last worker of a server, once it is in
 * its sandbox and master was told that it is ready, takes no clients but tells each other member a lie, picked at random from LIES,
 * again and again until it is ended; master starts the next one.  Linked by tests/fault/test_liar.py with -Wl,--wrap=role_ready
 * over the objects of natsd-worker.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "base/loop.h"
#include "broker/broker_private.h"
#include "ipc/mesh_private.h"
#include "ipc/role.h"

/* Deaths come slower than those that make master give up. */
#define FIRST_LIE (2500 * LOOP_MILLISECOND)
#define NEXT_LIE (300 * LOOP_MILLISECOND)

void __real_role_ready(struct role *role);
void __wrap_role_ready(struct role *role);

static const uint64_t odd_numbers[] = { 0, 1, 7, 8, 9, 47, 4095, 4096, 4097, 65535, 1 << 20, 1 << 22, (1 << 22) + 1, UINT32_MAX,
	1ULL << 32, (1ULL << 32) + 8, 1ULL << 63, UINT64_MAX - 4096, UINT64_MAX - 7, UINT64_MAX };
#define ODD_NUMBERS (sizeof(odd_numbers) / sizeof(*odd_numbers))

/* An honest record, so that there is something to lie about; returns where its batch begins. */
static uint8_t *
some_record(struct mesh *mesh, unsigned member, size_t length)
{
	struct ring_out *out = &mesh->peers[member]->out;
	uint8_t *batch = out->data + ((out->open ? out->batch : out->head) & (out->size - 1));
	uint8_t *body = mesh_put(mesh, member, BROKER_RECORD_SYNCED, length);

	if (body != NULL)
		memset(body, 0, length);
	return batch;
}

/* ---- the ring ------------------------------------------------------------------------------------------------------------ */

static void
lie_head(struct mesh *mesh, unsigned member, size_t n)
{
	struct ring_out *out = &mesh->peers[member]->out;

	(void)some_record(mesh, member, 0);
	mesh_commit(mesh);
	atomic_store(&out->own->head, n % 2 == 0 ? odd_numbers[n] : out->head + odd_numbers[n]);
	atomic_store(&mesh->control->commit, ++mesh->number);
}

static void
lie_commit(struct mesh *mesh, unsigned member, size_t n)
{
	(void)some_record(mesh, member, 0);
	mesh_commit(mesh);
	atomic_store(&mesh->control->commit, n % 2 == 0 ? odd_numbers[n] : mesh->number - odd_numbers[n]);
}

static void
lie_tail(struct mesh *mesh, unsigned member, size_t n)
{
	struct ring_in *in = &mesh->peers[member]->in;

	atomic_store(&in->own->tail, n % 2 == 0 ? odd_numbers[n] : in->tail + odd_numbers[n]);
}

static void
lie_batch(struct mesh *mesh, unsigned member, size_t n)
{
	uint8_t *batch = some_record(mesh, member, 8);

	mesh_commit(mesh);
	memcpy(batch + 8 * (n % 4), &odd_numbers[n], 8);
	atomic_store(&mesh->control->commit, ++mesh->number);
}

static void
lie_record(struct mesh *mesh, unsigned member, size_t n)
{
	uint8_t *batch = some_record(mesh, member, 64);
	struct ring_record record = { .length = (uint32_t)odd_numbers[n], .kind = (uint16_t)n };

	memcpy(batch + RING_BATCH_HEADER, &record, sizeof(record));
}

static void
lie_fragment(struct mesh *mesh, unsigned member, size_t n)
{
	uint8_t *batch = some_record(mesh, member, 64);
	struct ring_record record = { .length = 64, .kind = 1, .fragment = (uint16_t)(n % 2 == 0 ? MESH_FIRST : n) };

	memcpy(batch + RING_BATCH_HEADER, &record, sizeof(record));
	memcpy(batch + RING_BATCH_HEADER + RING_RECORD_HEADER, &odd_numbers[n], 8);
}

static void
lie_bell(struct mesh *mesh, unsigned member, size_t n)
{
	for (unsigned i = 0; i < 20000; i++) {
		if (i % 100 == 0)
			atomic_store(&mesh->control->sleeping, (uint64_t)i << 2 | (n & 3));
		if (write(mesh->peers[member]->bell, "", 1) == -1 && n % 2 == 0)
			(void)some_record(mesh, member, 0);
	}
}

static void
lie_stamp(struct mesh *mesh, unsigned member, size_t n)
{
	mesh->stamp = odd_numbers[n * 2 % ODD_NUMBERS];
	(void)some_record(mesh, member, 0);
	mesh_commit(mesh);
	mesh->stamp = odd_numbers[n];
	(void)some_record(mesh, member, 0);
}

/* The ring full of records that say nothing, again and again. */
static void
lie_flood(struct mesh *mesh, unsigned member, size_t n)
{
	for (unsigned i = 0; i < 20; i++) {
		while (mesh->overflow_bytes == 0)
			(void)some_record(mesh, member, n * 8);
		mesh_commit(mesh);
	}
}

/* ---- the records --------------------------------------------------------------------------------------------------------- */

static void
lie_kind(struct mesh *mesh, unsigned member, size_t n)
{
	static const uint16_t kinds[] = { 0, 5, 6, 100, 255, 256, 32768, 65535 };
	uint8_t *body = mesh_put(mesh, member, kinds[n], n);

	memset(body, 0xff, n);
}

/* A good message to a subject nobody has, of which one field is a lie. */
static void
lie_message(struct mesh *mesh, unsigned member, size_t n)
{
	static const char subject[] = "liar.subject", reply[] = "liar.reply";
	struct broker_envelope e = { .account = BROKER_ACCOUNT_GLOBAL,
		.subject_length = sizeof(subject) - 1,
		.reply_length = sizeof(reply) - 1,
		.size_text_length = 1,
		.total_size = 5,
		.plain = 1 };
	size_t length = sizeof(e) + e.subject_length + e.reply_length + 1 + 5;
	uint8_t *body;

	switch (n % 10) {
	case 0: e.account = n < 20 ? 77 : BROKER_ACCOUNT_SYSTEM; break;
	case 1: e.subject_length = n < 20 ? UINT32_MAX : 0; break;
	case 2: e.reply_length = n < 20 ? UINT32_MAX : 4096; break;
	case 3: e.total_size = n < 20 ? UINT32_MAX : 6; break;
	case 4: e.header_size = n < 20 ? UINT32_MAX : 6; break;
	case 5: e.queues_length = n < 20 ? UINT32_MAX : 3; break;
	case 6: e.queues = n < 20 ? UINT32_MAX : 1; break;
	case 7: e.hops = n < 20 ? 255 : BROKER_HOPS_MAX; break;
	case 8: e.size_text_length = n < 20 ? 255 : 0; break;
	case 9: e.account = n < 20 ? 0 : UINT32_MAX; break;
	}
	if (n >= 30)
		length -= n - 29; /* cut off */
	body = mesh_put(mesh, member, BROKER_RECORD_MESSAGE, length);
	memset(body, n % 2 == 0 ? '5' : '\n', length);
	memcpy(body, &e, length < sizeof(e) ? length : sizeof(e));
	if (n % 3 != 0)
		memcpy(body + sizeof(e), subject, sizeof(subject) - 1);
}

static void
lie_interest(struct mesh *mesh, unsigned member, size_t n)
{
	static const char *const subjects[] = { "a..b", ".", "*a", "a b", "a.>.b", "a\r\nPUB x 0\r\n", "", "a.", ">.>", "\t" };
	const char *subject = subjects[n % 10];
	struct broker_interest interest = { .account = n < 10 ? BROKER_ACCOUNT_GLOBAL : 4242,
		.weight = n < 10 ? 1 : UINT32_MAX,
		.subject_length = (uint32_t)strlen(subject) + (n % 4 == 3 ? 100 : 0),
		.queue_length = n % 5 == 4 ? UINT32_MAX : 0 };
	size_t length = sizeof(interest) + strlen(subject);
	uint8_t *body = mesh_put(mesh, member, BROKER_RECORD_INTEREST, length);

	memcpy(body, &interest, sizeof(interest));
	memcpy(body + sizeof(interest), subject, strlen(subject));
}

/* Connections of others, and such as never were. */
static void
lie_stall(struct mesh *mesh, unsigned member, size_t n)
{
	struct broker_stall_record stall = { .index = (uint32_t)odd_numbers[n], .generation = (uint32_t)n };
	size_t length = n % 4 == 3 ? n : sizeof(stall);
	uint8_t *body = mesh_put(mesh, member, BROKER_RECORD_STALL, length);

	memset(body, 0, length);
	memcpy(body, &stall, length < sizeof(stall) ? length : sizeof(stall));
}

static const struct {
	const char *name;
	size_t count;
	void (*tell)(struct mesh *, unsigned member, size_t n);
} lies[] = {
	{ "head", ODD_NUMBERS, lie_head },
	{ "commit", ODD_NUMBERS, lie_commit },
	{ "tail", ODD_NUMBERS, lie_tail },
	{ "batch", ODD_NUMBERS, lie_batch },
	{ "record", ODD_NUMBERS, lie_record },
	{ "fragment", ODD_NUMBERS, lie_fragment },
	{ "bell", 4, lie_bell },
	{ "stamp", ODD_NUMBERS / 2, lie_stamp },
	{ "flood", 4, lie_flood },
	{ "kind", 8, lie_kind },
	{ "message", 40, lie_message },
	{ "interest", 20, lie_interest },
	{ "stall", 12, lie_stall },
};

static void
tell_one(struct mesh *mesh, unsigned member)
{
	size_t total = 0, pick;

	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++)
		total += lies[i].count;
	pick = random_fast_below((uint32_t)total);
	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
		if (pick < lies[i].count) {
			log_notice("lie %s %zu of %zu to member %u", lies[i].name, pick, total, member);
			lies[i].tell(mesh, member, pick);
			return;
		}
		pick -= lies[i].count;
	}
}

/* What master says is obeyed; to stop means to leave. */
static void
obey(struct loop_io *io, uint32_t events)
{
	static struct channel_frame frame;
	enum role_event event;
	unsigned member;

	(void)events;
	do {
		event = role_receive(io->arg, &frame, &member, NULL, NULL);
		if (event == ROLE_EVENT_DRAIN || event == ROLE_EVENT_GONE)
			role_leave(0);
	} while (event != ROLE_EVENT_NOTHING);
}

static void
wait_until(struct loop *loop, int64_t deadline)
{
	while (clock_monotonic() < deadline)
		(void)loop_wait(loop, deadline - clock_monotonic());
}

static _Noreturn void
live_by_lying(struct role *role)
{
	struct loop *loop = loop_create();
	struct loop_io master = { .fd = role->master.fd, .ready = obey, .arg = role };

	CHECK(loop != NULL && loop_io_add(loop, &master, LOOP_READ) == 0);
	mesh_commit(role->mesh);
	wait_until(loop, clock_monotonic() + FIRST_LIE);
	for (;;) {
		for (uint64_t members = role->mesh->up; members != 0; members &= members - 1)
			tell_one(role->mesh, (unsigned)__builtin_ctzll(members));
		mesh_commit(role->mesh);
		wait_until(loop, clock_monotonic() + NEXT_LIE);
	}
}

void
__wrap_role_ready(struct role *role)
{
	__real_role_ready(role);
	if (role->index == role->workers - 1)
		live_by_lying(role);
}
