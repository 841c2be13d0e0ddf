/*
 * The reading side of the mesh: the cut, the order of batches, records out of rings.  See mesh.h.
 *
 * A cut is a time T and, for each member, its commit word as read after T.  It holds all batches up to that word and stamped up to
 * T; it is closed under "caused by", since whoever saw a batch that we did not see took its stamp after T.  It is finite, so
 * a member that floods us cannot keep the others waiting for longer than one cut; a drain that meets its budget goes on with
 * the same cut next time.
 */
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "ipc/mesh.h"
#include "ipc/mesh_private.h"

/* ---- the cut ------------------------------------------------------------------------------------------------------------- */

#ifdef MESH_WITHOUT_ONE_COMMIT
/* Test builds: the wrong way, whatever a head shows counts. */
#define mesh_commit_word(mesh, member) UINT64_MAX

bool
mesh_moved(const struct mesh *mesh)
{
	return mesh_live(mesh) != 0;
}
#else
/* Read a member's commit word. Not inlined: its loads are counted. */
static __attribute__((noinline)) uint64_t
mesh_commit_word(const struct mesh *mesh, unsigned member)
{
	return atomic_load_explicit(mesh->commit[member], memory_order_acquire);
}

bool
mesh_moved(const struct mesh *mesh)
{
	if (mesh->left)
		return true;
	for (uint64_t members = mesh_live(mesh); members != 0; members &= members - 1) {
		unsigned member = (unsigned)__builtin_ctzll(members);

		if (atomic_load_explicit(mesh->commit[member], memory_order_acquire) != mesh->seen[member])
			return true;
	}
	return false;
}
#endif

/*
 * Is the batch in the cut?  A stamp that lies in the future even now is a lie and counts as T, so that it does not
 * block the ring; one between T and now is of the next cut.
 */
static bool
mesh_in_cut(struct mesh *mesh, struct ring_batch *batch)
{
#ifdef MESH_WITHOUT_CUT
	(void)mesh;
	(void)batch;
	return true;
#else
	if (batch->stamp <= mesh->cut)
		return true;
	if (batch->stamp <= mesh_time() + MESH_STAMP_SLACK)
		return false;
	mesh->counters.future++;
	batch->stamp = mesh->cut;
	return true;
#endif
}

/* Have the member's next batch at hand, if the cut holds one. */
static bool
mesh_next_batch(struct mesh *mesh, unsigned member)
{
	struct mesh_peer *peer = mesh->peers[member];

	if (peer->batch.size == 0) {
		switch (ring_next(&peer->in, peer->boundary, &peer->batch)) {
		case RING_NOTHING: return false;
		case RING_BROKEN: mesh_accuse(mesh, member, "impossible batch"); return false;
		case RING_BATCH: break;
		}
	}
	if (mesh_in_cut(mesh, &peer->batch))
		return true;
	mesh->left = true;
	return false;
}

/* Rule 2, first half: the time, then the words. */
static void
mesh_take_cut(struct mesh *mesh)
{
	bool left = mesh->left;

	CHECK(mesh->active_count == 0);
	mesh->cut_open = true;
	mesh->left = false;
	mesh->cut = mesh_time();
	for (uint64_t members = mesh_live(mesh); members != 0; members &= members - 1) {
		unsigned member = (unsigned)__builtin_ctzll(members);
		struct mesh_peer *peer = mesh->peers[member];
		uint64_t word = mesh_commit_word(mesh, member);

		MESH_TEST_PAUSE();
		if (word == mesh->seen[member] && !left)
			continue;
		if (word < mesh->seen[member] || !ring_look(&peer->in)) {
			mesh_accuse(mesh, member, word < mesh->seen[member] ? "commit word went back" : "impossible head");
			continue;
		}
		mesh->seen[member] = peer->boundary = word;
		if (mesh_next_batch(mesh, member))
			mesh->active[mesh->active_count++] = (uint8_t)member;
	}
}

/* Rule 2, second half: the oldest of the batches that are first in their rings. */
static unsigned
mesh_oldest(const struct mesh *mesh)
{
	unsigned oldest = 0;

#ifndef MESH_WITHOUT_STAMP_ORDER
	for (unsigned i = 1; i < mesh->active_count; i++)
		if (mesh->peers[mesh->active[i]]->batch.stamp < mesh->peers[mesh->active[oldest]]->batch.stamp)
			oldest = i;
#endif
	return oldest;
}

/* ---- records ------------------------------------------------------------------------------------------------------------- */

/* Hand one record over; blob, if any, is released after it. */
static bool
mesh_deliver(struct mesh *mesh, unsigned member, uint16_t kind, const uint8_t *body, size_t length, struct blob *blob)
{
	bool honest;

	mesh->counters.records_in++;
	mesh->counters.bytes_in += length;
	honest = mesh->record(mesh->arg, member, kind, body, length, blob);
	if (blob != NULL)
		blob_release(blob);
	if (!honest)
		mesh_accuse(mesh, member, "impossible record");
	/* The handler may have found the member out in another way. */
	return (mesh_live(mesh) & mesh_bit(member)) != 0;
}

static bool
mesh_take_long(struct mesh *mesh, unsigned member, const struct ring_record *record)
{
	struct blob *blob = blob_create(record->length);

	if (blob == NULL) {
		mesh->counters.discarded++;
		return true;
	}
	ring_copy(&mesh->peers[member]->in, RING_RECORD_HEADER, blob->data, record->length);
	return mesh_deliver(mesh, member, record->kind, blob->data, record->length, blob);
}

/* The first fragment says how long the whole will be. */
static bool
mesh_join_begin(struct mesh *mesh, struct mesh_peer *peer, const struct ring_record *record)
{
	uint64_t whole;

	if (record->length <= MESH_FIRST_HEADER)
		return false;
	ring_copy(&peer->in, RING_RECORD_HEADER, &whole, sizeof(whole));
	if (whole > MESH_LARGE_MAX || whole <= record->length - MESH_FIRST_HEADER)
		return false;
	peer->join_size = (size_t)whole;
	peer->join_filled = 0;
	peer->join_kind = record->kind;
	if ((peer->join = blob_create(peer->join_size)) == NULL)
		mesh->counters.discarded++;
	return true;
}

static bool
mesh_join_end(struct mesh *mesh, unsigned member)
{
	struct mesh_peer *peer = mesh->peers[member];
	struct blob *blob = peer->join;
	size_t size = peer->join_size;

	peer->join = NULL;
	peer->join_size = 0;
	return blob == NULL || mesh_deliver(mesh, member, peer->join_kind, blob->data, size, blob);
}

/* One fragment of a large record: in order, of one kind, and exactly as long in all as the first one said. */
static bool
mesh_take_fragment(struct mesh *mesh, unsigned member, const struct ring_record *record)
{
	struct mesh_peer *peer = mesh->peers[member];
	size_t offset = 0, filled;
	bool good;

	if (record->fragment == MESH_FIRST) {
		good = peer->join_size == 0 && mesh_join_begin(mesh, peer, record);
		offset = MESH_FIRST_HEADER;
	} else {
		good = peer->join_size != 0 && record->fragment < MESH_FRAGMENT_END && record->kind == peer->join_kind &&
		    record->length > 0;
	}
	good = good && bytes_add(peer->join_filled, record->length - offset, &filled) && filled <= peer->join_size &&
	    (filled == peer->join_size) == (record->fragment == MESH_LAST);
	if (!good) {
		mesh_accuse(mesh, member, "impossible fragment");
		return false;
	}
	if (peer->join != NULL)
		ring_copy(&peer->in, RING_RECORD_HEADER + offset, peer->join->data + peer->join_filled, record->length - offset);
	peer->join_filled = filled;
	return record->fragment != MESH_LAST || mesh_join_end(mesh, member);
}

/* A part of a ring, copied out: everything is decided on the copy. */
struct mesh_chunk {
	size_t have, at;
};

static void
mesh_fill(struct mesh *mesh, const struct mesh_peer *peer, struct mesh_chunk *chunk, size_t want)
{
	chunk->have = peer->batch.size < want ? peer->batch.size : want;
	chunk->at = 0;
	ring_copy(&peer->in, 0, mesh->chunk, chunk->have);
}

/* Handle the record at the head of the chunk, whose header was copied to `record` and fits the batch; false: the member is out. */
static bool
mesh_take_record(struct mesh *mesh, unsigned member, const struct ring_record *record, struct mesh_chunk *chunk)
{
	struct mesh_peer *peer = mesh->peers[member];
	size_t total = ring_record_size(record->length);
	bool live;

	if (record->fragment != MESH_WHOLE) {
		live = mesh_take_fragment(mesh, member, record);
	} else if (peer->join_size != 0) {
		mesh_accuse(mesh, member, "record inside a series of fragments");
		return false;
	} else if (record->length > MESH_SMALL_MAX) {
		live = mesh_take_long(mesh, member, record);
	} else {
		live = mesh_deliver(mesh, member, record->kind, mesh->chunk + chunk->at + RING_RECORD_HEADER, record->length, NULL);
	}
	if (!live)
		return false;
	if (record->length > MESH_SMALL_MAX || record->fragment != MESH_WHOLE) {
		chunk->have = chunk->at = 0;
		mesh->chunk_want = MESH_CHUNK_LEAST;
	} else {
		chunk->at += total;
	}
	ring_advance(&peer->in, total);
	peer->batch.size -= (uint32_t)total;
	return true;
}

static bool
mesh_is_small(const struct ring_record *record)
{
	return record->fragment == MESH_WHOLE && record->length <= MESH_SMALL_MAX;
}

/* A record costs one, and one more for each page of it. */
static void
mesh_spend(uint32_t *budget, const struct ring_record *record)
{
	uint32_t cost = 1 + record->length / 4096;

	*budget = *budget > cost ? *budget - cost : 0;
}

/*
 * Handle the batch at hand.  The chunk's size doubles while records are small.  A header is read from the chunk only, and again
 * after a refill: what counts is always one copy.
 */
static enum mesh_result
mesh_take_batch(struct mesh *mesh, unsigned member, uint32_t *budget)
{
	struct mesh_peer *peer = mesh->peers[member];
	struct mesh_chunk chunk = { 0, 0 };
	struct ring_record record;

	while (peer->batch.size > 0) {
		if (*budget == 0)
			return MESH_BUDGET;
		if (chunk.have - chunk.at < RING_RECORD_HEADER) {
			mesh->chunk_want = mesh->chunk_want * 2 < MESH_CHUNK ? mesh->chunk_want * 2 : MESH_CHUNK;
			if (mesh->chunk_want < MESH_CHUNK_LEAST)
				mesh->chunk_want = MESH_CHUNK_LEAST;
			mesh_fill(mesh, peer, &chunk, mesh->chunk_want);
		}
		memcpy(&record, mesh->chunk + chunk.at, sizeof(record));
		if (ring_record_size(record.length) > peer->batch.size) {
			mesh_accuse(mesh, member, "record longer than its batch");
			return MESH_VIOLATION;
		}
		if (mesh_is_small(&record) && ring_record_size(record.length) > chunk.have - chunk.at) {
			mesh_fill(mesh, peer, &chunk, MESH_CHUNK);
			memcpy(&record, mesh->chunk, sizeof(record));
			if (!mesh_is_small(&record) || ring_record_size(record.length) > chunk.have) {
				mesh_accuse(mesh, member, "record changed while it was read");
				return MESH_VIOLATION;
			}
		}
		if (!mesh_take_record(mesh, member, &record, &chunk))
			return MESH_VIOLATION;
		mesh_spend(budget, &record);
	}
	return MESH_DRAINED;
}

/* ---- room ---------------------------------------------------------------------------------------------------------------- */

/*
 * Tell the writers how far we are.  One that sleeps with something in its queue for us is woken once its ring is half empty;
 * the fence pairs with the one in mesh_sleep_begin.
 */
static void
mesh_publish(struct mesh *mesh)
{
	uint64_t published = 0;

	for (uint64_t members = mesh_live(mesh); members != 0; members &= members - 1)
		if (ring_publish(&mesh->peers[__builtin_ctzll(members)]->in))
			published |= members & -members;
	if (published == 0)
		return;
	atomic_thread_fence(memory_order_seq_cst);
	for (; published != 0; published &= published - 1) {
		struct mesh_peer *peer = mesh->peers[__builtin_ctzll(published)];

		if (peer->in.head - peer->in.tail <= mesh->ring_size / 2)
			mesh_ring_bell(mesh, peer, MESH_ASLEEP_FULL);
	}
}

/* ---- the drain ----------------------------------------------------------------------------------------------------------- */

/* All of the cut, oldest first. */
static enum mesh_result
mesh_take_all(struct mesh *mesh, uint32_t *budget)
{
	while (mesh->active_count > 0) {
		unsigned i = mesh_oldest(mesh);
		unsigned member = mesh->active[i];
		struct mesh_peer *peer = mesh->peers[member];

		if (mesh_take_batch(mesh, member, budget) == MESH_BUDGET)
			return MESH_BUDGET;
		if (mesh->accused != 0)
			return MESH_VIOLATION;
		mesh->counters.batches++;
		if (peer->in.tail - peer->in.published >= mesh->ring_size / 4)
			mesh_publish(mesh);
		if (!mesh_next_batch(mesh, member) && !(mesh->broken & mesh_bit(member)))
			mesh->active[i] = mesh->active[--mesh->active_count];
	}
	return MESH_DRAINED;
}

/* Name one member that broke a rule. */
static enum mesh_result
mesh_name_violator(struct mesh *mesh)
{
	unsigned member = (unsigned)__builtin_ctzll(mesh->accused);

	mesh->accused &= mesh->accused - 1;
	mesh->violator = (int)member;
	mesh->violation = mesh->peers[member]->reason;
	return MESH_VIOLATION;
}

enum mesh_result
mesh_drain(struct mesh *mesh, uint32_t budget)
{
	enum mesh_result result = MESH_DRAINED;
	bool fresh = false;

	CHECK(!mesh->draining);
	CHECK(budget > 0);
	if (mesh->accused != 0)
		return mesh_name_violator(mesh);
	if (!mesh->cut_open && !mesh_moved(mesh))
		return MESH_DRAINED;
	mesh->draining = true;
	/* A cut left by the last drain first; but only one taken in this call holds all that was there when it began. */
	while (result == MESH_DRAINED && !fresh) {
		if (!mesh->cut_open) {
			mesh_take_cut(mesh);
			fresh = true;
		}
		if ((result = mesh_take_all(mesh, &budget)) == MESH_DRAINED)
			mesh->cut_open = false;
	}
	mesh_publish(mesh);
	mesh->draining = false;
	return mesh->accused != 0 ? mesh_name_violator(mesh) : result;
}
