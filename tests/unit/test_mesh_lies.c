/*
 * Members that lie: each rule of the mesh and what happens to who breaks it.  It is named once, then neither heard nor spoken to;
 * the others go on; another takes its place.
 */
#include "mesh_helper.h"

#define SMALL ((size_t)4096)
#define MANY 1000000u

static void
drained(struct seat *seat)
{
	assert_int_equal(mesh_drain(seat->mesh, MANY), MESH_DRAINED);
}

/* A flood with lying old stamps delays others by one cut at most. */
static void
flood_does_not_starve(void **state)
{
	struct table t;
	struct mesh *liar;

	(void)state;
	table_open(&t, 3, SMALL);
	liar = t.seats[1].mesh;
	liar->stamp = 1;
	seat_put(&t.seats[2], 0, 500, 'h', 1);
	mesh_commit(t.seats[2].mesh);
	for (unsigned turn = 0; turn < 100 && t.seats[0].mesh->counters.batches < 1000; turn++) {
		while (liar->overflow_bytes == 0)
			seat_put(&t.seats[1], 0, 1, 'f', 8);
		mesh_commit(liar);
		(void)mesh_drain(t.seats[0].mesh, 10);
		for (size_t i = 0; i < t.seats[0].count; i++)
			if (t.seats[0].records[i].kind == 500) {
				table_close(&t);
				return;
			}
	}
	fail_msg("starved");
}

/* What member 1 of a table of 3 writes to shared memory, with one record of 16 bytes to 0 committed and not yet read. */
struct lie {
	const char *name;
	void (*tell)(struct mesh *liar, uint8_t *batch);
};

static void
set64(uint8_t *at, uint64_t value)
{
	memcpy(at, &value, sizeof(value));
}

static void
set_record(uint8_t *batch, uint32_t length, uint16_t kind, uint16_t fragment)
{
	const struct ring_record record = { length, kind, fragment };

	memcpy(batch + RING_BATCH_HEADER, &record, sizeof(record));
}

static void
head_ahead(struct mesh *m, uint8_t *b)
{
	(void)b;
	m->peers[0]->out.own->head = 5000;
}
static void
head_back(struct mesh *m, uint8_t *b)
{
	(void)b;
	m->peers[0]->out.own->head = UINT64_MAX;
}
static void
head_torn(struct mesh *m, uint8_t *b)
{
	(void)b;
	m->peers[0]->out.own->head = 56 + 37;
}
static void
batch_zero(struct mesh *m, uint8_t *b)
{
	(void)m;
	memset(b, 0, 56);
}
static void
batch_empty(struct mesh *m, uint8_t *b)
{
	(void)m;
	set64(b + 16, 0);
}
static void
batch_huge(struct mesh *m, uint8_t *b)
{
	(void)m;
	set64(b + 16, UINT64_MAX);
}
static void
batch_odd(struct mesh *m, uint8_t *b)
{
	(void)m;
	set64(b + 16, 23);
}
static void
batch_flag(struct mesh *m, uint8_t *b)
{
	(void)m;
	set64(b + 24, 1);
}
static void
length_minus_one(struct mesh *m, uint8_t *b)
{
	(void)m;
	set_record(b, UINT32_MAX, 1, 0);
}
static void
length_past_batch(struct mesh *m, uint8_t *b)
{
	(void)m;
	set_record(b, 17, 1, 0);
}
static void
length_wraps(struct mesh *m, uint8_t *b)
{
	(void)m;
	set_record(b, UINT32_MAX - 6, 1, 0);
}
static void
length_short(struct mesh *m, uint8_t *b)
{
	(void)m;
	memset(b + 32, 0xff, 24);
	set_record(b, 3, 1, 0);
}
static void
fragment_unknown(struct mesh *m, uint8_t *b)
{
	(void)m;
	set_record(b, 16, 1, 9);
}
static void
fragment_middle(struct mesh *m, uint8_t *b)
{
	(void)m;
	set_record(b, 16, 1, MESH_MIDDLE);
}
static void
fragment_last(struct mesh *m, uint8_t *b)
{
	(void)m;
	set_record(b, 16, 1, MESH_LAST);
}
static void
fragment_huge(struct mesh *m, uint8_t *b)
{
	(void)m;
	set_record(b, 16, 1, MESH_FIRST);
	set64(b + 40, UINT64_MAX);
}
static void
fragment_whole(struct mesh *m, uint8_t *b)
{
	(void)m;
	set_record(b, 16, 1, MESH_FIRST);
	set64(b + 40, 8);
}
static void
fragment_empty(struct mesh *m, uint8_t *b)
{
	(void)m;
	set_record(b, 8, 1, MESH_FIRST);
}
static void
commit_back(struct mesh *m, uint8_t *b)
{
	(void)b;
	m->control->commit = 0;
}
static void
kind_refused(struct mesh *m, uint8_t *b)
{
	(void)m;
	set_record(b, 16, 666, 0);
}

static const struct lie lies[] = {
	{ "impossible head", head_ahead },
	{ "impossible head", head_back },
	{ "impossible batch", head_torn },
	{ "impossible batch", batch_zero },
	{ "impossible batch", batch_empty },
	{ "impossible batch", batch_huge },
	{ "impossible batch", batch_odd },
	{ "impossible batch", batch_flag },
	{ "record longer than its batch", length_minus_one },
	{ "record longer than its batch", length_past_batch },
	{ "record longer than its batch", length_wraps },
	{ "record longer than its batch", length_short },
	{ "impossible fragment", fragment_unknown },
	{ "impossible fragment", fragment_middle },
	{ "impossible fragment", fragment_last },
	{ "impossible fragment", fragment_huge },
	{ "impossible fragment", fragment_whole },
	{ "impossible fragment", fragment_empty },
	{ "commit word went back", commit_back },
	{ "impossible record", kind_refused },
};

static bool
refuse_666(struct seat *seat, unsigned member, uint16_t kind, const uint8_t *body, size_t length, struct blob *blob)
{
	(void)seat;
	(void)member;
	(void)body;
	(void)length;
	(void)blob;
	return kind != 666;
}

static void
liars(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
		struct table t;
		struct mesh *victim;

		table_open(&t, 3, SMALL);
		victim = t.seats[0].mesh;
		t.seats[0].also = refuse_666;
		seat_put(&t.seats[1], 0, 7, 'l', 16); /* an honest beginning */
		mesh_commit(t.seats[1].mesh);
		drained(&t.seats[0]);
		seat_put(&t.seats[1], 0, 7, 'l', 16);
		mesh_commit(t.seats[1].mesh);
		lies[i].tell(t.seats[1].mesh, t.seats[1].mesh->peers[0]->out.data + 56);
		seat_put(&t.seats[2], 0, 8, 'h', 16);
		mesh_commit(t.seats[2].mesh);
		assert_int_equal(mesh_drain(victim, MANY), MESH_VIOLATION);
		assert_int_equal(victim->violator, 1);
		assert_string_equal(victim->violation, lies[i].name);
		assert_int_equal(victim->counters.violations, 1);
		/* Told once; the liar is neither heard nor spoken to, the others are. */
		drained(&t.seats[0]);
		assert_int_equal(t.seats[0].records[t.seats[0].count - 1].kind, 8);
		seat_put(&t.seats[0], 1, 1, 'x', 1);
		seat_put(&t.seats[1], 0, 1, 'x', 1);
		mesh_commit(t.seats[1].mesh);
		assert_false(mesh_commit(victim));
		drained(&t.seats[0]);
		assert_true(mesh_sleep_begin(victim));
		mesh_sleep_end(victim);
		/* Master puts another in its place. */
		seat_leave(&t.seats[1]);
		seat_attach(&t, 1);
		seat_link(&t, 0, 1);
		seat_link(&t, 1, 2);
		seat_put(&t.seats[1], 0, 9, 'n', 1);
		mesh_commit(t.seats[1].mesh);
		drained(&t.seats[0]);
		assert_int_equal(t.seats[0].records[t.seats[0].count - 1].kind, 9);
		table_close(&t);
	}
}

/* A record as the liar likes it; a first fragment says how long the whole will be. */
static void
put_raw(struct mesh *mesh, unsigned to, struct ring_record record, uint64_t whole)
{
	size_t total = ring_record_size(record.length);
	uint8_t *at = ring_reserve(&mesh->peers[to]->out, total);

	if (at == NULL)
		abort();
	memset(at, 0, total);
	memcpy(at, &record, sizeof(record));
	if (record.fragment == MESH_FIRST)
		memcpy(at + RING_RECORD_HEADER, &whole, sizeof(whole));
	mesh->touched |= mesh_bit(to);
}

/* A series that begins well, and then a record that does not belong there; the last row is good. */
static void
fragment_liars(void **state)
{
	static const struct {
		struct ring_record next;
		const char *verdict;
	} rows[] = {
		{ { 10, 7, MESH_WHOLE }, "record inside a series of fragments" },
		{ { 3000, 7, MESH_WHOLE }, "record inside a series of fragments" },
		{ { 108, 7, MESH_FIRST }, "impossible fragment" },
		{ { 50, 8, MESH_MIDDLE }, "impossible fragment" },  /* of another kind */
		{ { 0, 7, MESH_MIDDLE }, "impossible fragment" },   /* nothing */
		{ { 100, 7, MESH_MIDDLE }, "impossible fragment" }, /* completes it, but is not the last */
		{ { 99, 7, MESH_LAST }, "impossible fragment" },    /* does not complete it */
		{ { 101, 7, MESH_LAST }, "impossible fragment" },   /* too much */
		{ { 50, 7, MESH_FRAGMENT_END }, "impossible fragment" },
		{ { 100, 7, MESH_LAST }, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct table t;
		struct mesh *victim;

		table_open(&t, 2, SMALL);
		victim = t.seats[0].mesh;
		put_raw(t.seats[1].mesh, 0, (struct ring_record){ 108, 7, MESH_FIRST }, 200);
		mesh_commit(t.seats[1].mesh);
		drained(&t.seats[0]);
		put_raw(t.seats[1].mesh, 0, rows[i].next, 200);
		mesh_commit(t.seats[1].mesh);
		if (rows[i].verdict != NULL) {
			assert_int_equal(mesh_drain(victim, MANY), MESH_VIOLATION);
			assert_string_equal(victim->violation, rows[i].verdict);
			assert_int_equal(t.seats[0].count, 0);
		} else {
			drained(&t.seats[0]);
			assert_int_equal(t.seats[0].records[0].length, 200);
		}
		table_close(&t);
		assert_int_equal(blob_used_bytes(), 0);
	}
}

/* A reader that lies about its tail is found out by the next put that needs room, or by the commit that wants to flush. */
static void
tail_liar(void **state)
{
	struct table t;
	struct mesh *victim;

	(void)state;
	for (unsigned flush = 0; flush < 2; flush++) {
		table_open(&t, 3, SMALL);
		victim = t.seats[0].mesh;
		if (flush) {
			while (victim->overflow_bytes == 0)
				seat_put(&t.seats[0], 1, 1, 'x', 100);
			mesh_commit(victim);
		}
		t.seats[1].mesh->peers[0]->in.own->tail = 1ULL << 40;
		for (unsigned i = 0; i < 100; i++)
			seat_put(&t.seats[0], 1, 1, 'x', 100);
		mesh_commit(victim);
		assert_int_equal(victim->overflow_bytes, 0);
		assert_int_equal(mesh_drain(victim, MANY), MESH_VIOLATION);
		assert_int_equal(victim->violator, 1);
		assert_string_equal(victim->violation, "impossible tail");
		drained(&t.seats[0]);
		table_close(&t);
	}
}

/* A stamp from the future counts as now; one that goes back within a ring is a lie. */
static void
stamps(void **state)
{
	struct table t;

	(void)state;
	table_open(&t, 3, SMALL);
	t.seats[1].mesh->stamp = UINT64_MAX - 10;
	seat_put(&t.seats[1], 0, 1, 'x', 1);
	mesh_commit(t.seats[1].mesh);
	seat_put(&t.seats[2], 0, 2, 'x', 1);
	mesh_commit(t.seats[2].mesh);
	drained(&t.seats[0]);
	assert_int_equal(t.seats[0].count, 2);
	assert_int_equal(t.seats[0].mesh->counters.future, 1);
	t.seats[1].mesh->stamp = 1;
	seat_put(&t.seats[1], 0, 1, 'x', 1);
	mesh_commit(t.seats[1].mesh);
	assert_int_equal(mesh_drain(t.seats[0].mesh, MANY), MESH_VIOLATION);
	/* Just ahead of our clock: not in this cut, but in one soon after. */
	t.seats[2].mesh->stamp = (uint64_t)clock_monotonic() + 200000;
	seat_put(&t.seats[2], 0, 3, 'x', 1);
	mesh_commit(t.seats[2].mesh);
	while (t.seats[0].count < 3) {
		drained(&t.seats[0]);
		if (t.seats[0].count < 3)
			assert_false(mesh_sleep_begin(t.seats[0].mesh));
	}
	assert_int_equal(t.seats[0].mesh->counters.future, 1);
	table_close(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flood_does_not_starve),
		cmocka_unit_test(liars),
		cmocka_unit_test(fragment_liars),
		cmocka_unit_test(tail_liar),
		cmocka_unit_test(stamps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
