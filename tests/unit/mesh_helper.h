/*
 * For tests of the mesh: a whole mesh of a few members inside one process, and what each of them received.
 */
#ifndef TESTS_MESH_HELPER_H
#define TESTS_MESH_HELPER_H

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ipc/mesh.h"
#include "ipc/mesh_private.h"

#define HELPER_MEMBERS 8

struct received {
	unsigned from;
	uint16_t kind;
	size_t length;
	uint8_t first; /* byte of the body */
};

struct seat {
	struct mesh *mesh;
	struct mesh_member kept; /* master's copy */
	struct received *records;
	size_t count, room;
	bool (*also)(struct seat *, unsigned member, uint16_t kind, const uint8_t *body, size_t length, struct blob *blob);
	void *arg;
};

struct table {
	unsigned members;
	size_t ring_size;
	struct seat seats[HELPER_MEMBERS];
};

static bool
seat_record(void *arg, unsigned member, uint16_t kind, const uint8_t *body, size_t length, struct blob *blob)
{
	struct seat *seat = arg;

	if (seat->count == seat->room) {
		seat->room = seat->room == 0 ? 64 : seat->room * 2;
		seat->records = realloc(seat->records, seat->room * sizeof(*seat->records));
		assert_non_null(seat->records);
	}
	seat->records[seat->count++] = (struct received){ member, kind, length, length > 0 ? body[0] : 0 };
	return seat->also == NULL || seat->also(seat, member, kind, body, length, blob);
}

static inline void
seat_attach(struct table *table, unsigned member)
{
	struct seat *seat = &table->seats[member];
	struct mesh_own own;

	assert_int_equal(mesh_create_member(&seat->kept), 0);
	mesh_take_own(&seat->kept, &own);
	seat->mesh = mesh_attach(member, table->ring_size, &own, seat_record, seat);
	assert_non_null(seat->mesh);
	assert_int_equal(own.control, -1);
	assert_int_equal(own.bell, -1);
}

static inline void
seat_link(struct table *table, unsigned a, unsigned b)
{
	struct mesh_link for_a, for_b;

	assert_int_equal(mesh_create_link(&table->seats[a].kept, &table->seats[b].kept, table->ring_size, &for_a, &for_b), 0);
	assert_int_equal(mesh_peer_up(table->seats[a].mesh, b, &for_a), 0);
	assert_int_equal(mesh_peer_up(table->seats[b].mesh, a, &for_b), 0);
	assert_int_equal(for_a.control & for_a.bell & for_a.out & for_a.in, -1);
}

static inline void
seat_leave(struct seat *seat)
{
	mesh_detach(seat->mesh);
	mesh_close_member(&seat->kept);
	free(seat->records);
	*seat = (struct seat){ 0 };
}

static inline void
table_open(struct table *table, unsigned members, size_t ring_size)
{
	*table = (struct table){ .members = members, .ring_size = ring_size };
	for (unsigned m = 0; m < members; m++)
		seat_attach(table, m);
	for (unsigned a = 0; a < members; a++)
		for (unsigned b = a + 1; b < members; b++)
			seat_link(table, a, b);
}

static inline void
table_close(struct table *table)
{
	for (unsigned m = 0; m < table->members; m++)
		if (table->seats[m].mesh != NULL)
			seat_leave(&table->seats[m]);
}

static inline void
seat_put(struct seat *seat, unsigned to, uint16_t kind, uint8_t fill, size_t length)
{
	uint8_t *body = mesh_put(seat->mesh, to, kind, length);

	assert_non_null(body);
	memset(body, fill, length);
}

#endif
