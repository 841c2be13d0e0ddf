/*
 * mesh*.c: records arrive whole, in order and only after their commit; full rings wait without blocking; sleepers are woken;
 * members that come and go do not disturb the others (those that lie: test_mesh_lies.c).  All members live in this process; the
 * waking tests use threads.
 */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "mesh_helper.h"

#define SMALL ((size_t)4096)
#define MANY 1000000u

static uint8_t big[1 << 20];

static void
drained(struct seat *seat)
{
	assert_int_equal(mesh_drain(seat->mesh, MANY), MESH_DRAINED);
}

/* ---- records ------------------------------------------------------------------------------------------------------------- */

static void
not_before_commit(void **state)
{
	struct table t;

	(void)state;
	table_open(&t, 2, SMALL);
	assert_false(mesh_commit(t.seats[0].mesh));
	seat_put(&t.seats[0], 1, 7, 'a', 5);
	drained(&t.seats[1]);
	assert_int_equal(t.seats[1].count, 0);
	assert_true(mesh_commit(t.seats[0].mesh));
	assert_false(mesh_commit(t.seats[0].mesh));
	drained(&t.seats[1]);
	assert_int_equal(t.seats[1].count, 1);
	assert_int_equal(t.seats[1].records[0].kind, 7);
	assert_int_equal(t.seats[1].records[0].length, 5);
	assert_int_equal(t.seats[1].records[0].first, 'a');
	drained(&t.seats[1]);
	assert_int_equal(t.seats[1].count, 1);
	table_close(&t);
}

/* A body that says its own length, in every byte. */
static bool
check_filled(struct seat *seat, unsigned member, uint16_t kind, const uint8_t *body, size_t length, struct blob *blob)
{
	(void)seat;
	(void)member;
	(void)kind;
	for (size_t i = 0; i < length; i++)
		if (body[i] != (uint8_t)length)
			return false;
	return (length > MESH_SMALL_MAX) == (blob != NULL) && (blob == NULL || body == blob->data);
}

static void
all_lengths(void **state)
{
	static const size_t lengths[] = { 0, 1, 7, 8, 9, 255, 4096, 8191, 8192, 8193, 16384, 32768, 60000 };
	struct table t;
	size_t sent = 0;

	(void)state;
	table_open(&t, 2, MESH_RING_SIZE_MIN);
	t.seats[1].also = check_filled;
	for (int round = 0; round < 50; round++) {
		for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
			seat_put(&t.seats[0], 1, (uint16_t)i, (uint8_t)lengths[i], lengths[i]);
			sent++;
			if (i % 3 == 0)
				mesh_commit(t.seats[0].mesh);
		}
		seat_put(&t.seats[0], 1, 99, (uint8_t)mesh_record_max(t.seats[0].mesh), mesh_record_max(t.seats[0].mesh));
		sent++;
		mesh_commit(t.seats[0].mesh);
		drained(&t.seats[1]);
	}
	while (t.seats[0].mesh->overflow_bytes > 0) {
		mesh_commit(t.seats[0].mesh);
		drained(&t.seats[1]);
	}
	assert_int_equal(t.seats[1].count, sent);
	assert_int_equal(t.seats[1].mesh->counters.records_in, sent);
	assert_int_equal(t.seats[0].mesh->counters.records_out, sent);
	for (size_t i = 0, k = 0; i < sent; i++, k = k == 13 ? 0 : k + 1)
		assert_int_equal(t.seats[1].records[i].kind, k == 13 ? 99 : k);
	table_close(&t);
}

/* Every byte of a slot is written, the padding too. */
static void
no_padding_leaks(void **state)
{
	struct table t;
	const uint8_t *data;

	(void)state;
	table_open(&t, 2, SMALL);
	data = t.seats[0].mesh->peers[1]->out.data;
	memset(t.seats[0].mesh->peers[1]->out.data, 0xee, SMALL);
	seat_put(&t.seats[0], 1, 1, 'x', 3);
	seat_put(&t.seats[0], 1, 1, 'x', 0);
	mesh_commit(t.seats[0].mesh);
	for (size_t i = 0; i < 32 + 16 + 8; i++)
		if (i / 8 != 1) /* the stamp may be anything */
			assert_int_not_equal(data[i], 0xee);
	assert_int_equal(data[32 + 16 + 8], 0xee);
	table_close(&t);
}

struct blob *kept;

static bool
keep_blob(struct seat *seat, unsigned member, uint16_t kind, const uint8_t *body, size_t length, struct blob *blob)
{
	(void)seat;
	(void)member;
	(void)kind;
	(void)body;
	(void)length;
	if (blob != NULL)
		kept = blob_hold(blob);
	return true;
}

static void
blob_kept(void **state)
{
	struct table t;

	(void)state;
	table_open(&t, 2, MESH_RING_SIZE_MIN);
	t.seats[1].also = keep_blob;
	seat_put(&t.seats[0], 1, 1, 'b', 20000);
	mesh_commit(t.seats[0].mesh);
	drained(&t.seats[1]);
	assert_non_null(kept);
	assert_int_equal(kept->references, 1);
	assert_int_equal(kept->data[19999], 'b');
	blob_release(kept);
	kept = NULL;
	table_close(&t);
	assert_int_equal(blob_used_bytes(), 0);
}

static void
oldest_first_over_rings(void **state)
{
	struct table t;

	(void)state;
	table_open(&t, 4, SMALL);
	for (unsigned i = 0; i < 30; i++) {
		struct seat *from = &t.seats[1 + i * 7 % 3];

		seat_put(from, 0, (uint16_t)i, 'o', 1);
		mesh_commit(from->mesh);
	}
	drained(&t.seats[0]);
	assert_int_equal(t.seats[0].count, 30);
	for (unsigned i = 0; i < 30; i++)
		assert_int_equal(t.seats[0].records[i].kind, i);
	table_close(&t);
}

/* A drain that meets its budget goes on with the same cut: what came later waits, in order, nothing twice. */
static void
budget(void **state)
{
	struct table t;

	(void)state;
	table_open(&t, 3, SMALL);
	for (unsigned i = 0; i < 20; i++)
		seat_put(&t.seats[1], 0, (uint16_t)i, 'o', 1);
	mesh_commit(t.seats[1].mesh);
	assert_int_equal(mesh_drain(t.seats[0].mesh, 7), MESH_BUDGET);
	assert_int_equal(t.seats[0].count, 7);
	assert_false(mesh_sleep_begin(t.seats[0].mesh));
	seat_put(&t.seats[2], 0, 20, 'o', 1);
	mesh_commit(t.seats[2].mesh);
	assert_int_equal(mesh_drain(t.seats[0].mesh, 7), MESH_BUDGET);
	assert_int_equal(t.seats[0].count, 14);
	assert_int_equal(mesh_drain(t.seats[0].mesh, 7), MESH_DRAINED);
	assert_int_equal(t.seats[0].count, 21);
	for (unsigned i = 0; i < 21; i++)
		assert_int_equal(t.seats[0].records[i].kind, i);
	table_close(&t);
}

/* ---- large records ------------------------------------------------------------------------------------------------------- */

static uint8_t
large_byte(size_t i)
{
	return (uint8_t)(i * 2654435761u >> 13);
}

static bool
check_large(struct seat *seat, unsigned member, uint16_t kind, const uint8_t *body, size_t length, struct blob *blob)
{
	(void)seat;
	(void)member;
	(void)kind;
	(void)blob;
	for (size_t i = 0; i < length; i += i < 64 || i + 64 > length ? 1 : 61)
		if (body[i] != large_byte(i))
			return false;
	return true;
}

static void
large(void **state)
{
	static const size_t lengths[] = { 1, 1000, 65495, 65496, 65497, 65536, 70000, 131000, 300000, 1 << 20, 3000001 };
	struct table t;
	size_t most = 3000001;
	uint8_t *body = malloc(most);

	(void)state;
	assert_non_null(body);
	for (size_t i = 0; i < most; i++)
		body[i] = large_byte(i);
	table_open(&t, 3, MESH_RING_SIZE_MIN);
	t.seats[1].also = t.seats[2].also = check_large;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		size_t cut = lengths[i] / 3;
		const struct iovec iov[] = { { body, cut }, { body + cut, 0 }, { body + cut, lengths[i] - cut } };

		assert_true(mesh_put_large(t.seats[0].mesh, 1, (uint16_t)i, iov, 3));
		assert_true(mesh_put_large(t.seats[0].mesh, 2, (uint16_t)i, iov, 3));
		seat_put(&t.seats[0], 1, (uint16_t)(1000 + i), large_byte(0), 1);
	}
	while (mesh_commit(t.seats[0].mesh)) {
		assert_int_not_equal(mesh_drain(t.seats[1].mesh, 5), MESH_VIOLATION);
		drained(&t.seats[1]);
		drained(&t.seats[2]);
	}
	assert_int_equal(t.seats[0].mesh->overflow_bytes, 0);
	assert_int_equal(t.seats[1].count, 22);
	assert_int_equal(t.seats[2].count, 11);
	for (size_t i = 0; i < 11; i++) {
		assert_int_equal(t.seats[1].records[2 * i].kind, i);
		assert_int_equal(t.seats[1].records[2 * i].length, lengths[i]);
		assert_int_equal(t.seats[1].records[2 * i + 1].kind, 1000 + i);
		assert_int_equal(t.seats[2].records[i].length, lengths[i]);
	}
	assert_int_equal(t.seats[0].mesh->counters.violations, 0);
	table_close(&t);
	assert_int_equal(blob_used_bytes(), 0);
	free(body);
}

/* ---- full rings ---------------------------------------------------------------------------------------------------------- */

static void
overflow_keeps_order(void **state)
{
	struct table t;
	struct mesh *mesh;
	uint64_t early, late;

	(void)state;
	table_open(&t, 3, SMALL);
	mesh = t.seats[0].mesh;
	seat_put(&t.seats[0], 1, 0, 'x', 100);
	early = mesh_position(mesh, 1);
	assert_false(mesh_reached(mesh, 1, early));
	mesh_commit(mesh);
	assert_true(mesh_reached(mesh, 1, early));
	assert_true(mesh_reached_all(mesh, early));
	for (unsigned i = 1; i < 200; i++) {
		seat_put(&t.seats[0], 1, (uint16_t)i, 'x', 100);
		if (i == 30)
			assert_true(mesh_due(mesh));
	}
	late = mesh_position(mesh, 1);
	assert_true(mesh_congested(mesh));
	assert_true(mesh->overflow_bytes > SMALL);
	seat_put(&t.seats[0], 2, 1, 'y', 100); /* the other ring is not concerned */
	mesh_commit(mesh);
	assert_false(mesh_due(mesh));
	assert_true(mesh_reached(mesh, 1, early));
	assert_false(mesh_reached(mesh, 1, late));
	assert_true(mesh_reached(mesh, 2, late));
	assert_false(mesh_reached_all(mesh, late));
	assert_true(mesh_reached_all(mesh, early));
	drained(&t.seats[2]);
	assert_int_equal(t.seats[2].count, 1);
	/* Congested until the low mark. */
	while (mesh->overflow_bytes > 0) {
		if (mesh->overflow_bytes > SMALL / 4)
			assert_true(mesh_congested(mesh));
		drained(&t.seats[1]);
		mesh_commit(mesh);
		if (mesh->overflow_bytes < SMALL / 4)
			assert_false(mesh_congested(mesh));
	}
	assert_true(mesh_reached_all(mesh, late));
	mesh_trim(mesh);
	drained(&t.seats[1]);
	assert_int_equal(t.seats[1].count, 200);
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(t.seats[1].records[i].kind, i);
	table_close(&t);
}

/* Positions follow the records themselves, not the state of the queue when they were asked for. */
static void
positions(void **state)
{
	struct table t;
	struct mesh *mesh;
	uint64_t at[300];
	size_t reached = 0;

	(void)state;
	table_open(&t, 2, SMALL);
	mesh = t.seats[0].mesh;
	for (unsigned i = 0; i < 300; i++) {
		seat_put(&t.seats[0], 1, 0, 'x', 100);
		at[i] = mesh_position(mesh, 1);
	}
	while (reached < 300) {
		mesh_commit(mesh);
		drained(&t.seats[1]);
		for (reached = 0; reached < 300 && mesh_reached(mesh, 1, at[reached]); reached++)
			;
		assert_int_equal(reached, t.seats[1].count);
	}
	table_close(&t);
}

static void
refused_at_the_limit(void **state)
{
	struct table t;
	struct mesh *mesh;
	size_t put = 0;
	const struct iovec iov = { big, sizeof(big) };

	(void)state;
	table_open(&t, 2, MESH_RING_SIZE_MIN);
	mesh = t.seats[0].mesh;
	while (mesh_put_large(mesh, 1, 1, &iov, 1))
		put++;
	assert_true(put >= 64 && put < 70);
	assert_null(mesh_put(mesh, 1, 1, 10));
	assert_int_equal(mesh->counters.refused, 2);
	assert_true(mesh->overflow_bytes <= MESH_OVERFLOW_MAX + (2 << 20));
	for (size_t i = 0; i < 2000 && mesh->overflow_bytes > 0; i++) {
		mesh_commit(mesh);
		drained(&t.seats[1]);
	}
	assert_int_equal(t.seats[1].count, put);
	assert_non_null(mesh_put(mesh, 1, 1, 10));
	mesh_commit(mesh);
	table_close(&t);
}

/* Two members that flood each other, nobody reads until its own ring is full: nothing blocks, all arrives. */
static void
two_full_rings(void **state)
{
	struct table t;

	(void)state;
	table_open(&t, 2, SMALL);
	for (unsigned i = 0; i < 5000; i++)
		for (unsigned m = 0; m < 2; m++)
			seat_put(&t.seats[m], !m, (uint16_t)i, 'x', 50);
	for (unsigned i = 0; i < 1000; i++)
		for (unsigned m = 0; m < 2; m++) {
			mesh_commit(t.seats[m].mesh);
			(void)mesh_drain(t.seats[m].mesh, 50);
		}
	for (unsigned m = 0; m < 2; m++) {
		assert_int_equal(t.seats[m].count, 5000);
		for (unsigned i = 0; i < 5000; i++)
			assert_int_equal(t.seats[m].records[i].kind, i);
	}
	table_close(&t);
}

static void
stuck(void **state)
{
	struct table t;
	struct mesh *mesh;

	(void)state;
	table_open(&t, 3, SMALL);
	mesh = t.seats[0].mesh;
	for (unsigned i = 0; i < 100; i++)
		seat_put(&t.seats[0], 2, 0, 'x', 100);
	mesh_commit(mesh);
	assert_int_equal(mesh_stuck(mesh, clock_monotonic(), 1000 * LOOP_SECOND), -1);
	assert_int_equal(mesh_stuck(mesh, clock_monotonic() + 2 * LOOP_SECOND, LOOP_SECOND), 2);
	mesh_peer_down(mesh, 2);
	assert_int_equal(mesh_stuck(mesh, clock_monotonic() + 2 * LOOP_SECOND, LOOP_SECOND), -1);
	table_close(&t);
}

/* ---- sleeping ------------------------------------------------------------------------------------------------------------ */

static bool
rings(struct seat *seat)
{
	struct pollfd p = { .fd = mesh_bell_fd(seat->mesh), .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static void
bell(void **state)
{
	struct table t;

	(void)state;
	table_open(&t, 3, SMALL);
	seat_put(&t.seats[0], 1, 0, 'x', 1);
	mesh_commit(t.seats[0].mesh);
	assert_false(rings(&t.seats[1])); /* it is awake */
	assert_false(mesh_sleep_begin(t.seats[1].mesh));
	drained(&t.seats[1]);
	assert_true(mesh_sleep_begin(t.seats[1].mesh));
	assert_false(rings(&t.seats[1]));
	seat_put(&t.seats[0], 2, 0, 'x', 1); /* not for it */
	mesh_commit(t.seats[0].mesh);
	assert_false(rings(&t.seats[1]));
	for (unsigned i = 0; i < 3; i++) { /* once per sleep */
		seat_put(&t.seats[0], 1, 0, 'x', 1);
		mesh_commit(t.seats[0].mesh);
	}
	assert_true(rings(&t.seats[1]));
	assert_int_equal(t.seats[0].mesh->counters.bells, 1);
	mesh_sleep_end(t.seats[1].mesh);
	mesh_bell_clear(t.seats[1].mesh);
	assert_false(rings(&t.seats[1]));
	drained(&t.seats[1]);
	assert_true(mesh_sleep_begin(t.seats[1].mesh)); /* the next sleep rings anew */
	seat_put(&t.seats[0], 1, 0, 'x', 1);
	mesh_commit(t.seats[0].mesh);
	assert_true(rings(&t.seats[1]));
	mesh_sleep_end(t.seats[1].mesh);
	table_close(&t);
}

static void
standing(struct seat *seat, unsigned to, size_t length)
{
	uint8_t *body = mesh_put_standing(seat->mesh, to, 1, length);

	assert_non_null(body);
	memset(body, 's', length);
}

/* Nobody is woken for standing records, until they fill a quarter of the ring, or for other records with them. */
static void
standing_wakes_late(void **state)
{
	struct table t;
	size_t put = 0;

	(void)state;
	table_open(&t, 2, SMALL);
	assert_true(mesh_sleep_begin(t.seats[1].mesh));
	for (; put < 8; put++) {
		standing(&t.seats[0], 1, 80);
		mesh_commit(t.seats[0].mesh);
		assert_false(rings(&t.seats[1]));
	}
	mesh_sleep_end(t.seats[1].mesh);
	assert_false(mesh_sleep_begin(t.seats[1].mesh)); /* but who is awake sees them */
	drained(&t.seats[1]);
	assert_int_equal(t.seats[1].count, put);
	assert_true(mesh_sleep_begin(t.seats[1].mesh));
	for (; put < 18; put++) {
		standing(&t.seats[0], 1, 80);
		mesh_commit(t.seats[0].mesh);
	}
	assert_true(rings(&t.seats[1]));
	mesh_sleep_end(t.seats[1].mesh);
	mesh_bell_clear(t.seats[1].mesh);
	drained(&t.seats[1]);
	assert_true(mesh_sleep_begin(t.seats[1].mesh));
	standing(&t.seats[0], 1, 80);
	seat_put(&t.seats[0], 1, 2, 'x', 1);
	mesh_commit(t.seats[0].mesh);
	assert_true(rings(&t.seats[1]));
	mesh_sleep_end(t.seats[1].mesh);
	mesh_bell_clear(t.seats[1].mesh);
	drained(&t.seats[1]);
	assert_true(mesh_sleep_begin(t.seats[1].mesh));
	mesh_wake(t.seats[0].mesh, 1);
	assert_true(rings(&t.seats[1]));
	mesh_sleep_end(t.seats[1].mesh);
	table_close(&t);
}

/* Standing records are not refused where others are, and keep their place among them. */
static void
standing_is_not_refused(void **state)
{
	struct table t;
	struct mesh *mesh;
	size_t put = 0;

	(void)state;
	table_open(&t, 2, MESH_RING_SIZE_MIN);
	mesh = t.seats[0].mesh;
	for (; mesh->overflow_bytes < MESH_OVERFLOW_MAX; put++)
		seat_put(&t.seats[0], 1, 1, 'x', mesh_record_max(mesh));
	assert_null(mesh_put(mesh, 1, 1, 10));
	for (unsigned i = 0; i < 1000; i++, put++)
		standing(&t.seats[0], 1, 100);
	assert_null(mesh_put(mesh, 1, 1, 10));
	for (size_t i = 0; i < 2000 && mesh->overflow_bytes > 0; i++) {
		mesh_commit(mesh);
		drained(&t.seats[1]);
	}
	drained(&t.seats[1]);
	assert_int_equal(t.seats[1].count, put);
	for (size_t i = 0; i < put; i++)
		assert_int_equal(t.seats[1].records[i].first, i < put - 1000 ? 'x' : 's');
	table_close(&t);
}

/* A peer that rings without end fills a pipe of one page, and that is all. */
static void
bell_storm(void **state)
{
	struct table t;
	int fd;
	unsigned n = 0;

	(void)state;
	table_open(&t, 2, SMALL);
	fd = t.seats[0].mesh->peers[1]->bell;
	while (n < 100000 && write(fd, "", 1) == 1)
		n++;
	assert_true(n <= 65536);
	assert_true(mesh_sleep_begin(t.seats[1].mesh));
	seat_put(&t.seats[0], 1, 0, 'x', 1);
	mesh_commit(t.seats[0].mesh);
	mesh_sleep_end(t.seats[1].mesh);
	while (rings(&t.seats[1]))
		mesh_bell_clear(t.seats[1].mesh);
	/* It cannot listen at the other's door. */
	assert_int_equal(read(fd, &(char){ 0 }, 1), -1);
	table_close(&t);
}

/* A writer that sleeps over a full ring is woken when there is room. */
static void
woken_by_room(void **state)
{
	struct table t;

	(void)state;
	table_open(&t, 2, SMALL);
	while (t.seats[0].mesh->overflow_bytes == 0)
		seat_put(&t.seats[0], 1, 0, 'x', 100);
	mesh_commit(t.seats[0].mesh);
	assert_true(mesh_sleep_begin(t.seats[0].mesh));
	assert_int_equal(mesh_drain(t.seats[1].mesh, 2), MESH_BUDGET);
	assert_false(rings(&t.seats[0])); /* not yet half empty */
	drained(&t.seats[1]);
	assert_true(rings(&t.seats[0]));
	mesh_sleep_end(t.seats[0].mesh);
	assert_false(mesh_sleep_begin(t.seats[0].mesh)); /* there is room */
	assert_true(mesh_commit(t.seats[0].mesh));
	assert_true(mesh_sleep_begin(t.seats[0].mesh));
	mesh_sleep_end(t.seats[0].mesh);
	table_close(&t);
}

struct player {
	struct table *table;
	unsigned me;
	unsigned goal, sent;
	const char *failed;
};

/* Has it anything to do but wait? */
static bool
player_busy(const struct player *player)
{
	return player->sent < player->goal && !mesh_congested(player->table->seats[player->me].mesh);
}

static bool
player_done(const struct player *player)
{
	const struct seat *seat = &player->table->seats[player->me];

	return player->sent == player->goal && seat->count >= player->goal && seat->mesh->overflow_bytes == 0;
}

/* Wait for news, as a worker does: sleep, bell, drain, commit. */
static void
player_wait(struct player *player)
{
	struct mesh *mesh = player->table->seats[player->me].mesh;
	struct pollfd p = { .fd = mesh_bell_fd(mesh), .events = POLLIN };

	mesh_commit(mesh);
	if (player_done(player) || player_busy(player) || !mesh_sleep_begin(mesh))
		return;
	/* Long enough that a lost wake is no accident of scheduling. */
	if (poll(&p, 1, 20000) != 1)
		player->failed = "nobody woke it";
	mesh_sleep_end(mesh);
	mesh_bell_clear(mesh);
}

/* Send `goal` records as fast as room allows, in turns of a few; the neighbour sends to us. */
static void *
player_run(void *arg)
{
	struct player *player = arg;
	struct seat *seat = &player->table->seats[player->me];
	unsigned to = (player->me + 1) % player->table->members;

	while (player->failed == NULL && !player_done(player)) {
		if (mesh_drain(seat->mesh, 20) == MESH_VIOLATION)
			player->failed = seat->mesh->violation;
		for (unsigned i = 0; i < 5 && player_busy(player); i++)
			memset(mesh_put(seat->mesh, to, (uint16_t)player->sent++, 60), 'p', 60);
		if (!player_busy(player))
			player_wait(player);
		mesh_commit(seat->mesh);
	}
	return NULL;
}

/* Members in a circle, rings small enough to be full all the time: nobody sleeps for ever. */
static void
no_lost_wake(void **state)
{
	struct table t;
	struct player players[4];
	pthread_t threads[4];

	(void)state;
	table_open(&t, 4, SMALL);
	for (unsigned m = 0; m < 4; m++) {
		players[m] = (struct player){ .table = &t, .me = m, .goal = 40000 };
		assert_int_equal(pthread_create(&threads[m], NULL, player_run, &players[m]), 0);
	}
	for (unsigned m = 0; m < 4; m++)
		assert_int_equal(pthread_join(threads[m], NULL), 0);
	for (unsigned m = 0; m < 4; m++) {
		if (players[m].failed != NULL)
			fail_msg("member %u: %s", m, players[m].failed);
		assert_int_equal(t.seats[m].count, 40000);
		for (unsigned i = 0; i < 40000; i++)
			assert_int_equal(t.seats[m].records[i].kind, i & 0xffff);
	}
	table_close(&t);
}

/* ---- members that come and go -------------------------------------------------------------------------------------------- */

static void
comes_back(void **state)
{
	struct table t;
	uint64_t position;

	(void)state;
	table_open(&t, 3, SMALL);
	for (unsigned round = 0; round < 20; round++) {
		size_t had = t.seats[0].count;

		/* 1 dies with records under way in all directions, some of them in queues. */
		for (unsigned i = 0; i < 100; i++) {
			seat_put(&t.seats[0], 1, 1, 'x', 100);
			seat_put(&t.seats[1], 2, 1, 'x', 100);
			seat_put(&t.seats[2], 0, 2, 'y', 8);
		}
		position = mesh_position(t.seats[0].mesh, 1);
		mesh_commit(t.seats[0].mesh);
		mesh_commit(t.seats[1].mesh);
		(void)mesh_drain(t.seats[2].mesh, 3); /* in the middle of a cut */
		assert_false(mesh_reached_all(t.seats[0].mesh, position));
		seat_leave(&t.seats[1]);
		mesh_peer_down(t.seats[0].mesh, 1);
		mesh_peer_down(t.seats[2].mesh, 1);
		mesh_peer_down(t.seats[2].mesh, 1); /* twice is once */
		assert_true(mesh_reached_all(t.seats[0].mesh, position));
		assert_int_equal(t.seats[0].mesh->overflow_bytes, 0);
		assert_false(mesh_congested(t.seats[0].mesh));
		/* Records to nobody. */
		seat_put(&t.seats[0], 1, 1, 'x', mesh_record_max(t.seats[0].mesh));
		assert_true(mesh_put_large(t.seats[0].mesh, 1, 1, &(struct iovec){ big, sizeof(big) }, 1));
		mesh_wake(t.seats[0].mesh, 1);
		assert_true(mesh_reached(t.seats[0].mesh, 1, UINT64_MAX));
		assert_false(mesh_commit(t.seats[0].mesh));
		/* The others go on. */
		mesh_commit(t.seats[2].mesh);
		while (t.seats[2].mesh->overflow_bytes > 0) {
			drained(&t.seats[0]);
			mesh_commit(t.seats[2].mesh);
		}
		drained(&t.seats[0]);
		drained(&t.seats[2]);
		assert_int_equal(t.seats[0].count, had + 100);
		/* It is back, with new rings, and begins anew. */
		seat_attach(&t, 1);
		seat_link(&t, 0, 1);
		seat_link(&t, 1, 2);
		seat_put(&t.seats[0], 1, 3, 'n', 5);
		mesh_commit(t.seats[0].mesh);
		drained(&t.seats[1]);
		assert_int_equal(t.seats[1].count, 1);
		seat_put(&t.seats[1], 0, 4, 'n', 5);
		mesh_commit(t.seats[1].mesh);
	}
	table_close(&t);
}

static void
what_was_committed_survives(void **state)
{
	struct table t;

	(void)state;
	table_open(&t, 2, SMALL);
	seat_put(&t.seats[0], 1, 1, 'x', 100);
	mesh_commit(t.seats[0].mesh);
	seat_put(&t.seats[0], 1, 2, 'x', 100); /* never committed */
	seat_leave(&t.seats[0]);
	drained(&t.seats[1]);
	mesh_peer_down(t.seats[1].mesh, 0);
	assert_int_equal(t.seats[1].count, 1);
	table_close(&t);
}

/* ---- putting from within the handler, failing to attach, sizes ----------------------------------------------------------- */

static bool
echo(struct seat *seat, unsigned member, uint16_t kind, const uint8_t *body, size_t length, struct blob *blob)
{
	uint8_t *to;

	(void)blob;
	if (kind == 0)
		return true;
	to = mesh_put(seat->mesh, member, (uint16_t)(kind - 1), length);
	if (to != NULL)
		memcpy(to, body, length);
	return to != NULL;
}

static void
put_while_draining(void **state)
{
	struct table t;

	(void)state;
	table_open(&t, 2, SMALL);
	t.seats[0].also = t.seats[1].also = echo;
	for (unsigned i = 0; i < 100; i++)
		seat_put(&t.seats[0], 1, 100, 'e', 200);
	for (unsigned i = 0; i < 1000; i++)
		for (unsigned m = 0; m < 2; m++) {
			mesh_commit(t.seats[m].mesh);
			assert_int_not_equal(mesh_drain(t.seats[m].mesh, MANY), MESH_VIOLATION);
		}
	assert_int_equal(t.seats[0].count, 50 * 100);
	assert_int_equal(t.seats[1].count, 51 * 100);
	table_close(&t);
}

static void
cannot_attach(void **state)
{
	struct table t;
	struct mesh_own own = { .control = -1, .bell = -1 };
	struct mesh_link link = { -1, -1, -1, -1 };

	(void)state;
	assert_null(mesh_attach(0, SMALL, &own, seat_record, NULL));
	table_open(&t, 2, SMALL);
	mesh_peer_down(t.seats[0].mesh, 1);
	assert_int_equal(mesh_peer_up(t.seats[0].mesh, 1, &link), -1);
	assert_int_equal(t.seats[0].mesh->up, 0);
	assert_int_equal(mesh_create_link(&t.seats[0].kept, &(struct mesh_member){ -1, -1, -1, -1 }, SMALL, &link, &link), -1);
	table_close(&t);
}

static void
ring_sizes(void **state)
{
	(void)state;
	for (unsigned n = 1; n <= MESH_MEMBERS_MAX; n++) {
		size_t size = mesh_ring_size(n);

		assert_true(ring_size_valid(size));
		assert_true(size >= MESH_RING_SIZE_MIN && size <= MESH_RING_SIZE_MAX);
		assert_true(size == MESH_RING_SIZE_MIN || size * n * (n - 1) <= MESH_RINGS_BUDGET);
	}
	assert_int_equal(mesh_ring_size(8), 4 << 20);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(not_before_commit),
		cmocka_unit_test(all_lengths),
		cmocka_unit_test(no_padding_leaks),
		cmocka_unit_test(blob_kept),
		cmocka_unit_test(oldest_first_over_rings),
		cmocka_unit_test(budget),
		cmocka_unit_test(large),
		cmocka_unit_test(overflow_keeps_order),
		cmocka_unit_test(positions),
		cmocka_unit_test(refused_at_the_limit),
		cmocka_unit_test(two_full_rings),
		cmocka_unit_test(stuck),
		cmocka_unit_test(bell),
		cmocka_unit_test(standing_wakes_late),
		cmocka_unit_test(standing_is_not_refused),
		cmocka_unit_test(bell_storm),
		cmocka_unit_test(woken_by_room),
		cmocka_unit_test(no_lost_wake),
		cmocka_unit_test(comes_back),
		cmocka_unit_test(what_was_committed_survives),
		cmocka_unit_test(put_while_draining),
		cmocka_unit_test(cannot_attach),
		cmocka_unit_test(ring_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
