/*
 * mesh*.c where memory is short: each allocation of a scenario fails once (T5 of RELIABILITY 7). No process dies, nothing leaks, a
 * record is there or counted as lost, and the mesh goes on.  This file takes the place of base/memory.c.
 */
#include "base/memory.h"
#include "mesh_helper.h"

static size_t until_failure = SIZE_MAX, blocks;

static bool
fails(void)
{
	return until_failure != SIZE_MAX && until_failure-- == 0;
}

static void *
counted(void *block)
{
	blocks += block != NULL;
	return block;
}

void *
memory_alloc(size_t n)
{
	return fails() ? NULL : counted(malloc(n + (n == 0)));
}

void *
memory_zalloc(size_t n)
{
	return fails() ? NULL : counted(calloc(1, n + (n == 0)));
}

void
memory_free(void *block)
{
	blocks -= block != NULL;
	free(block);
}

/* What the archive's memory.c would be pulled in for. */
void *
memory_array(size_t count, size_t size)
{
	return memory_zalloc(count * size);
}

void *
memory_realloc(void *block, size_t n)
{
	return fails() ? NULL : realloc(block, n);
}

#define RING MESH_RING_SIZE_MIN
#define LARGE ((size_t)400000)

static uint8_t body[LARGE];

static bool
attach(struct seat *seat, unsigned member)
{
	struct mesh_own own;

	assert_int_equal(mesh_create_member(&seat->kept), 0);
	mesh_take_own(&seat->kept, &own);
	seat->mesh = mesh_attach(member, RING, &own, seat_record, seat);
	assert_int_equal(own.control & own.bell, -1);
	return seat->mesh != NULL;
}

static bool
link_up(struct seat *seats)
{
	struct mesh_link for_a, for_b;
	bool a, b;

	assert_int_equal(mesh_create_link(&seats[0].kept, &seats[1].kept, RING, &for_a, &for_b), 0);
	a = mesh_peer_up(seats[0].mesh, 1, &for_a) == 0;
	b = mesh_peer_up(seats[1].mesh, 0, &for_b) == 0;
	assert_int_equal(for_a.control & for_a.bell & for_a.out & for_a.in, -1);
	assert_int_equal(for_b.control & for_b.bell & for_b.out & for_b.in, -1);
	return a && b;
}

/* Small, long and large records, more than the ring holds. Returns how many were put. */
static size_t
talk(struct seat *seats)
{
	struct mesh *mesh = seats[0].mesh;
	const struct iovec iov = { body, LARGE };
	size_t put = 0;
	uint8_t *at;

	for (unsigned i = 0; i < 20; i++) {
		if ((at = mesh_put(mesh, 1, 1, 20000)) != NULL)
			memset(at, 0, 20000);
		put += at != NULL;
		if ((at = mesh_put_standing(mesh, 1, 2, 16)) != NULL)
			memset(at, 0, 16);
		put += at != NULL;
		put += mesh_put_large(mesh, 1, 3, &iov, 1);
		mesh_commit(mesh);
		if (i % 4 == 3)
			assert_int_not_equal(mesh_drain(seats[1].mesh, 3), MESH_VIOLATION);
	}
	while (mesh_commit(mesh))
		assert_int_equal(mesh_drain(seats[1].mesh, 1000000), MESH_DRAINED);
	assert_int_equal(mesh->overflow_bytes, 0);
	return put;
}

/* One run; true: it used fewer allocations than the one that was to fail. */
static bool
scenario(size_t failing)
{
	struct seat seats[2] = { { 0 }, { 0 } };
	size_t put;
	bool untouched;

	until_failure = failing;
	if (attach(&seats[0], 0) && attach(&seats[1], 1) && link_up(seats)) {
		put = talk(seats);
		assert_int_equal(seats[0].mesh->counters.refused, 60 - put);
		assert_int_equal(seats[1].count + seats[1].mesh->counters.discarded, put);
		assert_true(put >= 59);
		assert_true(seats[1].count + 1 >= put);
	}
	untouched = until_failure != SIZE_MAX;
	until_failure = SIZE_MAX;
	for (unsigned m = 0; m < 2; m++)
		if (seats[m].mesh != NULL || seats[m].kept.control_ro > 0)
			seat_leave(&seats[m]);
	blob_trim(0);
	assert_int_equal(blocks, 0);
	return untouched;
}

static void
each_allocation_fails(void **state)
{
	size_t n = 0;

	(void)state;
	while (!scenario(n))
		n++;
	assert_true(n > 20);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(each_allocation_fails) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
