/*
 * F11 of RELIABILITY 7, R-a of RELIABILITY 4: a mesh member whose peer is hostile.  The input is a script for the peer: forged
 * batches and records, heads, commit words, tails, sleeping words, bytes anywhere in what it may write; in a storm, a thread
 * goes on writing while the victim reads.  The victim drains, puts, commits and sleeps; it must never touch what is not its own,
 * never hand out a record that is not in private memory, and go on with its honest peer.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "ipc/mesh.h"
#include "ipc/mesh_private.h"

enum { VICTIM, LIAR, HONEST, MEMBERS };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the storm writes: an offset into the liar's half and a value, over and over. */
#define BLOWS_MAX 64
struct blow {
	uint32_t offset;
	uint64_t value;
};

static struct {
	struct blow blows[BLOWS_MAX];
	unsigned count;
	uint8_t *half;
	size_t size;
	_Atomic bool on, running;
} storm;

static struct mesh_member kept[MEMBERS];
static struct mesh *meshes[MEMBERS];
static size_t ring_size;
static uint64_t heard, honest_heard, honest_sent;
static struct blob *held;
static volatile uint64_t sum;

static bool
hear(void *arg, unsigned member, uint16_t kind, const uint8_t *body, size_t length, struct blob *blob)
{
	uint64_t before = 0, after = 0;

	(void)arg;
	CHECK((blob != NULL) == (length > MESH_SMALL_MAX) || blob != NULL);
	CHECK(blob == NULL || (body == blob->data && length <= blob->capacity));
	CHECK(length <= MESH_LARGE_MAX);
	/* Private memory does not change while it is looked at. */
	for (size_t i = 0; i<length; i += length> 4096 ? 257 : 1)
		before += body[i];
	if (storm.on && heard % 32 == 0)
		sched_yield();
	for (size_t i = 0; i<length; i += length> 4096 ? 257 : 1)
		after += body[i];
	CHECK(before == after);
	sum += after;
	heard++;
	if (member == HONEST) {
		CHECK(length == 8 && body[0] == (uint8_t)honest_heard);
		honest_heard++;
		return true;
	}
	if (blob != NULL && kind % 2 == 0) {
		blob_release(held);
		held = blob_hold(blob);
	}
	return kind % 251 != 250;
}

static void *
storm_run(void *arg)
{
	for (;; sched_yield()) {
		if (!atomic_load(&storm.on))
			continue;
		atomic_store(&storm.running, true);
		for (unsigned i = 0; atomic_load_explicit(&storm.on, memory_order_relaxed); i = (i + 1) % storm.count) {
			volatile uint64_t *at = (void *)(storm.half + storm.blows[i].offset % (storm.size - 8) / 8 * 8);

			*at = storm.blows[i].value;
		}
		atomic_store(&storm.running, false);
	}
	return arg;
}

static void
storm_stop(void)
{
	atomic_store(&storm.on, false);
	while (atomic_load(&storm.running))
		sched_yield();
}

static void
storm_start(struct bytes_reader *r)
{
	static bool started;
	pthread_t thread;

	storm.count = 0;
	for (unsigned n = bytes_u8(r) % BLOWS_MAX + 1; storm.count < n; storm.count++)
		storm.blows[storm.count] = (struct blow){ bytes_u32(r), bytes_u64(r) };
	storm.half = meshes[LIAR]->peers[VICTIM]->own_half;
	storm.size = ring_file_size(ring_size);
	if (!started)
		CHECK(pthread_create(&thread, NULL, storm_run, NULL) == 0);
	started = true;
	atomic_store(&storm.on, true);
}

/* ---- members ------------------------------------------------------------------------------------------------------------- */

static void
attach(unsigned member)
{
	struct mesh_own own;

	CHECK(mesh_create_member(&kept[member]) == 0);
	mesh_take_own(&kept[member], &own);
	CHECK((meshes[member] = mesh_attach(member, ring_size, &own, hear, NULL)) != NULL);
}

static void
join(unsigned a, unsigned b)
{
	struct mesh_link for_a, for_b;

	CHECK(mesh_create_link(&kept[a], &kept[b], ring_size, &for_a, &for_b) == 0);
	CHECK(mesh_peer_up(meshes[a], b, &for_a) == 0);
	CHECK(mesh_peer_up(meshes[b], a, &for_b) == 0);
}

static void
leave(unsigned member)
{
	mesh_detach(meshes[member]);
	mesh_close_member(&kept[member]);
}

/* What master does when the liar was caught. */
static void
replace_liar(void)
{
	storm_stop();
	mesh_peer_down(meshes[VICTIM], LIAR);
	leave(LIAR);
	attach(LIAR);
	join(VICTIM, LIAR);
}

static void
drain(uint32_t budget)
{
	enum mesh_result result = mesh_drain(meshes[VICTIM], budget);

	if (result != MESH_VIOLATION)
		return;
	CHECK(meshes[VICTIM]->violator == LIAR);
	CHECK(meshes[VICTIM]->violation != NULL);
	replace_liar();
}

/* ---- the script ---------------------------------------------------------------------------------------------------------- */

/* A batch with a good header around bytes of the script. */
static void
forge(struct bytes_reader *r)
{
	struct ring_out *out = &meshes[LIAR]->peers[VICTIM]->out;
	size_t size = (bytes_u8(r) % 64u + 1) * RING_UNIT;
	const uint8_t *bytes = bytes_data(r, size);
	uint8_t *to;

	if (bytes == NULL || meshes[LIAR]->touched != 0 || (to = ring_reserve(out, size)) == NULL)
		return;
	memcpy(to, bytes, size);
	meshes[LIAR]->touched |= mesh_bit(VICTIM);
	mesh_commit(meshes[LIAR]);
}

/* One record with a header of the script's choice and a body of one byte repeated. */
static void
forge_record(struct bytes_reader *r)
{
	struct ring_out *out = &meshes[LIAR]->peers[VICTIM]->out;
	struct ring_record record = { .length = bytes_u16(r), .kind = bytes_u8(r), .fragment = bytes_u8(r) % 5 };
	uint64_t whole = bytes_u32(r);
	size_t size = ring_record_size(record.length);
	uint8_t *to;

	if ((to = ring_reserve(out, size)) == NULL)
		return;
	memset(to, 0x11, size);
	memcpy(to, &record, sizeof(record));
	if (record.fragment == MESH_FIRST && record.length >= 8)
		memcpy(to + RING_RECORD_HEADER, &whole, sizeof(whole));
	meshes[LIAR]->touched |= mesh_bit(VICTIM);
}

static void
honest(size_t records)
{
	for (size_t i = 0; i < records && !mesh_congested(meshes[HONEST]); i++) {
		uint8_t *body = mesh_put(meshes[HONEST], VICTIM, 1, 8);

		memset(body, (int)(uint8_t)honest_sent++, 8);
	}
	mesh_commit(meshes[HONEST]);
}

static void
victim_puts(size_t length)
{
	uint8_t *body = mesh_put(meshes[VICTIM], LIAR, 1, length % (mesh_record_max(meshes[VICTIM]) + 1));

	if (body != NULL)
		memset(body, 1, length % (mesh_record_max(meshes[VICTIM]) + 1));
	mesh_commit(meshes[VICTIM]);
}

static void
victim_sleeps(void)
{
	mesh_commit(meshes[VICTIM]);
	if (mesh_sleep_begin(meshes[VICTIM]))
		mesh_sleep_end(meshes[VICTIM]);
	mesh_bell_clear(meshes[VICTIM]);
}

/* Many small records, read while more come, and while the storm blows. */
static void
flood(size_t records, size_t length)
{
	for (size_t i = 0; i < records; i++) {
		uint8_t *body = mesh_put(meshes[LIAR], VICTIM, (uint16_t)(i % 250), length);

		if (body != NULL)
			memset(body, 3, length);
		if (i % 16 == 15) {
			mesh_commit(meshes[LIAR]);
			drain(100);
		}
	}
	(void)mesh_drain(meshes[LIAR], 100);
}

static void
step(struct bytes_reader *r)
{
	struct mesh *liar = meshes[LIAR];
	struct mesh_peer *peer = liar->peers[VICTIM];
	uint32_t at;

	switch (bytes_u8(r) % 16) {
	case 0: forge(r); break;
	case 1: forge_record(r); break;
	case 2: mesh_commit(liar); break;
	case 3: atomic_store(&peer->out.own->head, peer->out.head + (uint64_t)(int64_t)(int8_t)bytes_u8(r)); break;
	case 4: atomic_store(&peer->out.own->head, bytes_u64(r)); break;
	case 5: atomic_store(&liar->control->commit, bytes_u64(r)); break;
	case 6: atomic_store(&liar->control->sleeping, bytes_u64(r)); break;
	case 7: atomic_store(&peer->in.own->tail, bytes_u64(r)); break;
	case 8:
		at = bytes_u32(r) % (uint32_t)ring_size / 8 * 8;
		bytes_put_u64(&(struct bytes_writer){ .at = peer->out.data + at, .end = peer->out.data + at + 8 }, bytes_u64(r));
		break;
	case 9: liar->stamp = bytes_u64(r); break;
	case 10: drain(bytes_u8(r) + 1u); break;
	case 11: victim_puts(bytes_u16(r)); break;
	case 12: victim_sleeps(); break;
	case 13: honest(bytes_u8(r)); break;
	case 14:
		storm_stop();
		storm_start(r);
		break;
	case 15: flood(bytes_u8(r) * 4u, bytes_u8(r)); break;
	}
}

static void
say_heard(void)
{
	fprintf(stderr, "records heard: %llu\n", (unsigned long long)heard);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool told;
	struct bytes_reader r;

	if (!told)
		told = atexit(say_heard) == 0;
	if (size < 2)
		return 0;
	bytes_reader_init(&r, data, size);
	ring_size = bytes_u8(&r) % 2 == 0 ? 4096 : 65536;
	honest_heard = honest_sent = 0;
	for (unsigned m = 0; m < MEMBERS; m++)
		attach(m);
	join(VICTIM, LIAR);
	join(VICTIM, HONEST);
	while (!r.failed && r.at < r.end)
		step(&r);
	storm_stop();
	for (unsigned i = 0; i < 100000 && (honest_heard < honest_sent || meshes[HONEST]->overflow_bytes > 0); i++) {
		drain(1000);
		mesh_commit(meshes[HONEST]);
	}
	CHECK(honest_heard == honest_sent);
	for (unsigned m = 0; m < MEMBERS; m++)
		leave(m);
	blob_release(held);
	held = NULL;
	return 0;
}
