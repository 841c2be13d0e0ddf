/*
 * The mesh, a member's side: attaching, peers that come and go, putting records, the commit, sleeping.  See mesh.h.
 * The reading of rings is in mesh_drain.c.
 */
#include <sys/mman.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/memory.h"
#include "ipc/mesh.h"
#include "ipc/mesh_private.h"

/* ---- attaching ----------------------------------------------------------------------------------------------------------- */

/* What is above the high mark stops our clients until it is below the low mark. */
static size_t
mesh_high_mark(const struct mesh *mesh)
{
	return mesh->ring_size;
}

static size_t
mesh_low_mark(const struct mesh *mesh)
{
	return mesh->ring_size / 4;
}

static void *
mesh_map_control(int descriptor, int protection)
{
	void *page = mmap(NULL, MESH_CONTROL_SIZE, protection, MAP_SHARED, descriptor, 0);

	return page == MAP_FAILED ? NULL : page;
}

static void
mesh_unmap_control(const void *page)
{
	int result = munmap((void *)(uintptr_t)page, MESH_CONTROL_SIZE);

	CHECK(result == 0);
}

struct mesh *
mesh_attach(unsigned member, size_t ring_size, struct mesh_own *own, mesh_record *record, void *arg)
{
	struct mesh *mesh = memory_zalloc(sizeof(*mesh));
	int saved;

	CHECK(member < MESH_MEMBERS_MAX && ring_size_valid(ring_size));
	if (mesh == NULL) {
		mesh_close_own(own);
		errno = ENOMEM;
		return NULL;
	}
	*mesh = (struct mesh){ .member = member, .violator = -1, .ring_size = ring_size, .record = record, .arg = arg };
	mesh->bell = own->bell;
	own->bell = -1;
	mesh->chunk = memory_alloc(MESH_CHUNK);
	mesh->sink = memory_alloc(ring_record_size(mesh_record_max(mesh)));
	errno = ENOMEM;
	if (mesh->chunk != NULL && mesh->sink != NULL)
		mesh->control = mesh_map_control(own->control, PROT_READ | PROT_WRITE);
	saved = errno;
	mesh_close_own(own);
	if (mesh->control == NULL) {
		mesh_detach(mesh);
		errno = saved;
		return NULL;
	}
	return mesh;
}

void
mesh_detach(struct mesh *mesh)
{
	if (mesh == NULL)
		return;
	for (unsigned member = 0; member < MESH_MEMBERS_MAX; member++)
		mesh_peer_down(mesh, member);
	if (mesh->control != NULL)
		mesh_unmap_control(mesh->control);
	(void)close(mesh->bell);
	memory_free(mesh->chunk);
	memory_free(mesh->sink);
	memory_free(mesh);
}

/* ---- peers --------------------------------------------------------------------------------------------------------------- */

static void
mesh_peer_free(struct mesh *mesh, struct mesh_peer *peer)
{
	if (peer->control != NULL)
		mesh_unmap_control(peer->control);
	if (peer->own_half != NULL)
		ring_unmap(peer->own_half, mesh->ring_size);
	if (peer->peer_half != NULL)
		ring_unmap(peer->peer_half, mesh->ring_size);
	if (peer->bell != -1)
		(void)close(peer->bell);
	blob_release(peer->join);
	CHECK(peer->overflow.bytes == 0);
	overflow_trim(&peer->overflow);
	memory_free(peer);
}

static bool
mesh_peer_map(struct mesh *mesh, struct mesh_peer *peer, struct mesh_link *link)
{
	if ((peer->control = mesh_map_control(link->control, PROT_READ)) == NULL ||
	    (peer->own_half = ring_map(link->out, mesh->ring_size, true)) == NULL ||
	    (peer->peer_half = ring_map(link->in, mesh->ring_size, false)) == NULL)
		return false;
	peer->bell = link->bell;
	link->bell = -1;
	ring_out_init(&peer->out, peer->own_half, peer->peer_half, mesh->ring_size);
	ring_in_init(&peer->in, peer->own_half, peer->peer_half, mesh->ring_size);
	return true;
}

int
mesh_peer_up(struct mesh *mesh, unsigned member, struct mesh_link *link)
{
	struct mesh_peer *peer;
	int saved;

	CHECK(member < MESH_MEMBERS_MAX && member != mesh->member);
	mesh_peer_down(mesh, member);
	if ((peer = memory_zalloc(sizeof(*peer))) == NULL) {
		mesh_close_link(link);
		errno = ENOMEM;
		return -1;
	}
	peer->bell = -1;
	if (!mesh_peer_map(mesh, peer, link)) {
		saved = errno;
		mesh_close_link(link);
		mesh_peer_free(mesh, peer);
		errno = saved;
		return -1;
	}
	mesh_close_link(link);
	mesh->peers[member] = peer;
	mesh->commit[member] = &peer->control->commit;
	mesh->seen[member] = 0;
	mesh->up |= mesh_bit(member);
	return 0;
}

/* Nothing more goes to the member, and nothing of it is in the cut. */
static void
mesh_cut_off(struct mesh *mesh, unsigned member)
{
	struct mesh_peer *peer = mesh->peers[member];
	uint64_t bit = mesh_bit(member);

	mesh->overflow_bytes -= peer->overflow.bytes;
	overflow_clear(&peer->overflow);
	mesh->touched &= ~bit;
	mesh->loud &= ~bit;
	mesh->overflowing &= ~bit;
	mesh->congested &= ~bit;
	mesh->due &= ~bit;
	for (unsigned i = 0; i < mesh->active_count; i++)
		if (mesh->active[i] == member)
			mesh->active[i--] = mesh->active[--mesh->active_count];
}

void
mesh_peer_down(struct mesh *mesh, unsigned member)
{
	uint64_t bit = mesh_bit(member);

	CHECK(member < MESH_MEMBERS_MAX);
	CHECK(!mesh->draining);
	if (!(mesh->up & bit))
		return;
	mesh_cut_off(mesh, member);
	mesh_peer_free(mesh, mesh->peers[member]);
	mesh->peers[member] = NULL;
	mesh->commit[member] = NULL;
	mesh->up &= ~bit;
	mesh->broken &= ~bit;
	mesh->accused &= ~bit;
}

void
mesh_accuse(struct mesh *mesh, unsigned member, const char *reason)
{
	if (mesh->broken & mesh_bit(member))
		return;
	mesh_cut_off(mesh, member);
	mesh->peers[member]->reason = reason;
	mesh->broken |= mesh_bit(member);
	mesh->accused |= mesh_bit(member);
	mesh->counters.violations++;
}

/* ---- putting ------------------------------------------------------------------------------------------------------------- */

size_t
mesh_record_max(const struct mesh *mesh)
{
	return mesh->ring_size / 4 - RING_BATCH_HEADER - RING_RECORD_HEADER;
}

/* `limited`: not when the queues are at their limit; the later fragments of a series that was let in are not. */
static __attribute__((noinline)) uint8_t *
mesh_put_overflow(struct mesh *mesh, unsigned member, size_t total, bool limited)
{
	struct mesh_peer *peer = mesh->peers[member];
	uint64_t bit = mesh_bit(member);
	uint8_t *to = NULL;

	if (!limited || mesh->overflow_bytes < MESH_OVERFLOW_MAX)
		to = overflow_put(&peer->overflow, mesh->sequence + 1, total);
	if (to == NULL) {
		mesh->counters.refused++;
		return NULL;
	}
	mesh->counters.full++;
	mesh->overflow_bytes += total;
	mesh->overflowing |= bit;
	if (peer->overflow.bytes > mesh_high_mark(mesh))
		mesh->congested |= bit;
	if (peer->out.open)
		mesh->due |= bit;
	return to;
}

/*
 * The place of the record in ring or queue, header and padding written; NULL: refused.  standing: it is not limited, and its reader
 * need not wake for it.
 */
static inline uint8_t *
mesh_put_record(struct mesh *mesh, unsigned member, struct ring_record record, bool standing)
{
	struct mesh_peer *peer = mesh->peers[member];
	size_t total = ring_record_size(record.length);
	uint64_t bit = mesh_bit(member);
	uint8_t *to = NULL;

	if (__builtin_expect(!(mesh_live(mesh) & bit), 0))
		return mesh->sink;
	if (__builtin_expect(!(mesh->overflowing & bit), 1)) {
		if ((to = ring_reserve(&peer->out, total)) != NULL) {
			mesh->touched |= bit;
			if (ring_open_size(&peer->out) > mesh->ring_size / 2)
				mesh->due |= bit;
		} else if (peer->out.broken) {
			mesh_accuse(mesh, member, "impossible tail");
			return mesh->sink;
		}
	}
	if (to == NULL && (to = mesh_put_overflow(mesh, member, total, !standing && record.fragment <= MESH_FIRST)) == NULL)
		return NULL;
	if (!standing)
		mesh->loud |= bit;
	mesh->sequence++;
	mesh->counters.records_out++;
	mesh->counters.bytes_out += record.length;
	memset(to + total - RING_UNIT, 0, RING_UNIT);
	memcpy(to, &record, sizeof(record));
	return to + RING_RECORD_HEADER;
}

uint8_t *
mesh_put(struct mesh *mesh, unsigned member, uint16_t kind, size_t length)
{
	CHECK(member < MESH_MEMBERS_MAX && member != mesh->member);
	CHECK(length <= mesh_record_max(mesh));
	return mesh_put_record(mesh, member, (struct ring_record){ .length = (uint32_t)length, .kind = kind }, false);
}

uint8_t *
mesh_put_standing(struct mesh *mesh, unsigned member, uint16_t kind, size_t length)
{
	CHECK(member < MESH_MEMBERS_MAX && member != mesh->member);
	CHECK(length <= mesh_record_max(mesh));
	return mesh_put_record(mesh, member, (struct ring_record){ .length = (uint32_t)length, .kind = kind }, true);
}

/* Takes bytes from a row of pieces. */
struct mesh_pieces {
	const struct iovec *iov;
	size_t used; /* of the first */
};

static void
mesh_pieces_copy(struct mesh_pieces *pieces, uint8_t *to, size_t n)
{
	while (n > 0) {
		size_t left = pieces->iov->iov_len - pieces->used;
		size_t part = left < n ? left : n;

		if (part > 0)
			memcpy(to, (const uint8_t *)pieces->iov->iov_base + pieces->used, part);
		to += part;
		n -= part;
		pieces->used += part;
		if (pieces->used == pieces->iov->iov_len) {
			pieces->iov++;
			pieces->used = 0;
		}
	}
}

/* A series of fragments is put as a whole or not at all: what the ring does not hold now must have its place in the queue. */
static bool
mesh_put_reserve(struct mesh *mesh, unsigned member, size_t length)
{
	struct mesh_peer *peer = mesh->peers[member];
	size_t count = (length + MESH_FIRST_HEADER) / mesh_record_max(mesh) + 1;
	size_t total = ring_record_size(length) + MESH_FIRST_HEADER + count * 2 * RING_RECORD_HEADER;

	if (!(mesh_live(mesh) & mesh_bit(member)))
		return true;
	if (!(mesh->overflowing & mesh_bit(member)) && ring_room(&peer->out, total))
		return true;
	if (mesh->overflow_bytes < MESH_OVERFLOW_MAX && overflow_reserve(&peer->overflow, total, count))
		return true;
	mesh->counters.refused++;
	return false;
}

static void
mesh_put_fragments(struct mesh *mesh, unsigned member, uint16_t kind, struct mesh_pieces *pieces, size_t length)
{
	size_t most = mesh_record_max(mesh);
	uint64_t whole = length;
	size_t head = MESH_FIRST_HEADER;

	for (size_t left = length; left > 0; head = 0) {
		size_t part = left < most - head ? left : most - head;
		uint16_t fragment = head > 0 ? MESH_FIRST : left == part ? MESH_LAST : MESH_MIDDLE;
		uint8_t *to = mesh_put_record(mesh, member,
		    (struct ring_record){ .length = (uint32_t)(head + part), .kind = kind, .fragment = fragment }, false);

		CHECK(to != NULL);
		memcpy(to, &whole, head);
		mesh_pieces_copy(pieces, to + head, part);
		left -= part;
	}
}

bool
mesh_put_large(struct mesh *mesh, unsigned member, uint16_t kind, const struct iovec *iov, int count)
{
	struct mesh_pieces pieces = { .iov = iov };
	size_t length = 0;
	bool fits = true;
	uint8_t *to;

	CHECK(member < MESH_MEMBERS_MAX && member != mesh->member);
	for (int i = 0; i < count; i++)
		fits = bytes_add(length, iov[i].iov_len, &length) && fits;
	CHECK(fits && length <= MESH_LARGE_MAX);
	if (length <= mesh_record_max(mesh)) {
		if ((to = mesh_put(mesh, member, kind, length)) != NULL)
			mesh_pieces_copy(&pieces, to, length);
		return to != NULL;
	}
	if (!mesh_put_reserve(mesh, member, length))
		return false;
	mesh_put_fragments(mesh, member, kind, &pieces, length);
	return true;
}

/* ---- the commit ---------------------------------------------------------------------------------------------------------- */

/* Move what finds room from the queue to the ring. */
static void
mesh_flush(struct mesh *mesh, unsigned member)
{
	struct mesh_peer *peer = mesh->peers[member];
	uint64_t bit = mesh_bit(member);
	size_t before = peer->overflow.bytes;
	const uint8_t *from;
	uint64_t sequence;
	size_t total;
	uint8_t *to;

	while (
	    (from = overflow_first(&peer->overflow, &total, &sequence)) != NULL && (to = ring_reserve(&peer->out, total)) != NULL) {
		memcpy(to, from, total);
		overflow_pop(&peer->overflow);
		mesh->touched |= bit;
		mesh->loud |= bit;
	}
	if (peer->out.broken) {
		mesh->overflow_bytes -= before - peer->overflow.bytes;
		mesh_accuse(mesh, member, "impossible tail");
		return;
	}
	mesh->overflow_bytes -= before - peer->overflow.bytes;
	if (peer->overflow.bytes != before || peer->waiting_since == 0)
		peer->waiting_since = clock_monotonic();
	if (peer->overflow.bytes < mesh_low_mark(mesh))
		mesh->congested &= ~bit;
	if (peer->overflow.bytes == 0) {
		mesh->overflowing &= ~bit;
		peer->waiting_since = 0;
	}
}

void
mesh_ring_bell(struct mesh *mesh, struct mesh_peer *peer, enum mesh_sleep least)
{
	uint64_t word = atomic_load_explicit(&peer->control->sleeping, memory_order_relaxed);
	ssize_t n;

	if ((word & MESH_SLEEP_MASK) < least || word == peer->rung)
		return;
	peer->rung = word;
	mesh->counters.bells++;
	/* A full pipe rings already; nothing else can fail that would matter more than a late wake. */
	n = write(peer->bell, "", 1);
	(void)n;
}

void
mesh_wake(struct mesh *mesh, unsigned member)
{
	CHECK(member < MESH_MEMBERS_MAX);
	if (!(mesh_live(mesh) & mesh_bit(member)))
		return;
	atomic_thread_fence(memory_order_seq_cst);
	mesh_ring_bell(mesh, mesh->peers[member], MESH_ASLEEP);
}

#ifdef MESH_WITHOUT_ONE_COMMIT
/* Test builds: the wrong way, one ring after the other becomes visible. */
static void
mesh_make_visible(struct mesh *mesh)
{
	for (uint64_t rings = mesh->touched; rings != 0; rings &= rings - 1) {
		ring_close(&mesh->peers[__builtin_ctzll(rings)]->out, mesh->number, mesh->stamp);
		MESH_TEST_PAUSE();
	}
}
#else
/* Rule 1: heads first, which nobody obeys yet; then one store that makes the whole turn visible to all. */
static void
mesh_make_visible(struct mesh *mesh)
{
	for (uint64_t rings = mesh->touched; rings != 0; rings &= rings - 1) {
		ring_close(&mesh->peers[__builtin_ctzll(rings)]->out, mesh->number, mesh->stamp);
		MESH_TEST_PAUSE();
	}
	atomic_store_explicit(&mesh->control->commit, mesh->number, memory_order_release);
}
#endif

/* Which of the rings that got something have readers to be woken: those with more than standing records, and those that fill up. */
static uint64_t
mesh_to_wake(const struct mesh *mesh, uint64_t touched)
{
	uint64_t wake = touched & mesh->loud;

	for (uint64_t rings = touched & ~wake; rings != 0; rings &= rings - 1) {
		struct ring_out *out = &mesh->peers[__builtin_ctzll(rings)]->out;

		if (!ring_room(out, out->size / 4 * 3))
			wake |= rings & -rings;
	}
	return wake;
}

bool
mesh_commit(struct mesh *mesh)
{
	uint64_t now, touched;

	for (uint64_t rings = mesh->overflowing; rings != 0; rings &= rings - 1)
		mesh_flush(mesh, (unsigned)__builtin_ctzll(rings));
	mesh->committed = mesh->sequence;
	if ((touched = mesh->touched) == 0)
		return false;
	now = mesh_time();
	mesh->stamp = now > mesh->stamp ? now : mesh->stamp + 1;
	mesh->number++;
	MESH_TEST_PAUSE();
	mesh_make_visible(mesh);
	touched = mesh_to_wake(mesh, touched);
	mesh->touched = mesh->loud = mesh->due = 0;
	mesh->counters.commits++;
	/* Either a receiver that goes to sleep sees the commit word, or we see its sleeping word: mesh_sleep_begin. */
	atomic_thread_fence(memory_order_seq_cst);
	for (uint64_t rings = touched; rings != 0; rings &= rings - 1)
		mesh_ring_bell(mesh, mesh->peers[__builtin_ctzll(rings)], MESH_ASLEEP);
	return true;
}

bool
mesh_reached(const struct mesh *mesh, unsigned member, uint64_t position)
{
	uint64_t sequence;
	size_t total;

	CHECK(member < MESH_MEMBERS_MAX);
	if (!(mesh_live(mesh) & mesh_bit(member)))
		return true;
	if (position > mesh->committed)
		return false;
	if (!(mesh->overflowing & mesh_bit(member)))
		return true;
	return overflow_first(&mesh->peers[member]->overflow, &total, &sequence) == NULL || sequence > position;
}

bool
mesh_reached_all(const struct mesh *mesh, uint64_t position)
{
	if (position > mesh->committed)
		return mesh_live(mesh) == 0;
	for (uint64_t rings = mesh->overflowing; rings != 0; rings &= rings - 1)
		if (!mesh_reached(mesh, (unsigned)__builtin_ctzll(rings), position))
			return false;
	return true;
}

void
mesh_trim(struct mesh *mesh)
{
	for (uint64_t members = mesh->up & ~mesh->overflowing; members != 0; members &= members - 1)
		overflow_trim(&mesh->peers[__builtin_ctzll(members)]->overflow);
}

int
mesh_stuck(const struct mesh *mesh, int64_t now, int64_t patience)
{
	for (uint64_t rings = mesh->overflowing; rings != 0; rings &= rings - 1) {
		unsigned member = (unsigned)__builtin_ctzll(rings);
		const struct mesh_peer *peer = mesh->peers[member];

		if (peer->waiting_since != 0 && now - peer->waiting_since > patience)
			return (int)member;
	}
	return -1;
}

/* ---- sleeping ------------------------------------------------------------------------------------------------------------ */

/* Some ring whose queue waits is half empty: worth another commit. */
static bool
mesh_has_room(struct mesh *mesh)
{
	for (uint64_t rings = mesh->overflowing; rings != 0; rings &= rings - 1) {
		struct mesh_peer *peer = mesh->peers[__builtin_ctzll(rings)];

		if (ring_room(&peer->out, mesh->ring_size / 2) || peer->out.broken)
			return true;
	}
	return false;
}

bool
mesh_sleep_begin(struct mesh *mesh)
{
	enum mesh_sleep state = mesh->overflowing != 0 ? MESH_ASLEEP_FULL : MESH_ASLEEP;

	CHECK(!mesh->asleep && !mesh->draining);
	CHECK(mesh->touched == 0);
	if (mesh->cut_open || mesh->accused != 0 || mesh_moved(mesh))
		return false;
	mesh->sleep_count++;
	atomic_store_explicit(
	    &mesh->control->sleeping, mesh->sleep_count << MESH_SLEEP_SHIFT | (uint64_t)state, memory_order_relaxed);
	mesh->asleep = true;
	/* Either we see the commit word or the tail, or whoever moved it sees that we sleep. */
	atomic_thread_fence(memory_order_seq_cst);
	if (!mesh_moved(mesh) && !mesh_has_room(mesh))
		return true;
	mesh_sleep_end(mesh);
	return false;
}

void
mesh_sleep_end(struct mesh *mesh)
{
	CHECK(mesh->asleep);
	mesh->asleep = false;
	atomic_store_explicit(&mesh->control->sleeping, MESH_AWAKE, memory_order_relaxed);
}

int
mesh_bell_fd(const struct mesh *mesh)
{
	return mesh->bell;
}

void
mesh_bell_clear(struct mesh *mesh)
{
	uint8_t bytes[4096];
	ssize_t n = read(mesh->bell, bytes, sizeof(bytes));

	(void)n;
}
