/*
 * ring.c: bytes come out as they went in, nothing is overrun, and every impossible word of the other side is noticed.
 * R-b of RELIABILITY 4 (a good writer under ThreadSanitizer) and the ring's part of R-e (who may map what how).
 */
#include <sys/mman.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "mesh_helper.h"

#define SIZE ((size_t)4096)

/* Two halves in plain memory, each with its data twice as long instead of mapped twice: enough where nothing wraps. */
struct pair {
	int fd[2];
	void *half[2]; /* writable */
	struct ring_out out;
	struct ring_in in;
};

/* Member 0 writes to member 1; both see the same addresses, so that ThreadSanitizer can follow. */
static void
pair_open(struct pair *pair, size_t size)
{
	for (int i = 0; i < 2; i++) {
		pair->fd[i] = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		assert_true(pair->fd[i] >= 0);
		assert_int_equal(ftruncate(pair->fd[i], (off_t)ring_file_size(size)), 0);
		pair->half[i] = ring_map(pair->fd[i], size, true);
		assert_non_null(pair->half[i]);
	}
	ring_out_init(&pair->out, pair->half[0], pair->half[1], size);
	ring_in_init(&pair->in, pair->half[1], pair->half[0], size);
}

static void
pair_close(struct pair *pair, size_t size)
{
	for (int i = 0; i < 2; i++) {
		ring_unmap(pair->half[i], size);
		close(pair->fd[i]);
	}
}

static struct ring_control *
control(struct pair *pair, int half)
{
	return pair->half[half];
}

static void
sizes(void **state)
{
	(void)state;
	assert_true(ring_size_valid(4096));
	assert_true(ring_size_valid(MESH_RING_SIZE_MIN));
	assert_true(ring_size_valid(MESH_RING_SIZE_MAX));
	assert_false(ring_size_valid(0));
	assert_false(ring_size_valid(2048));
	assert_false(ring_size_valid(4096 + 8));
	assert_false(ring_size_valid((size_t)2 << 30));
	assert_int_equal(ring_record_size(0), 8);
	assert_int_equal(ring_record_size(1), 16);
	assert_int_equal(ring_record_size(8), 16);
	assert_int_equal(ring_record_size(9), 24);
	assert_true(offsetof(struct ring_control, tail) - offsetof(struct ring_control, head) >= 128);
}

/* Put n bytes of a sequence that any position determines. */
static void
write_pattern(uint8_t *to, size_t n, uint32_t *seed)
{
	for (size_t i = 0; i < n; i++)
		to[i] = (uint8_t)((*seed += 7) >> 3);
}

static void
check_pattern(const uint8_t *from, size_t n, uint32_t *seed)
{
	for (size_t i = 0; i < n; i++)
		assert_int_equal(from[i], (uint8_t)((*seed += 7) >> 3));
}

/* Random sizes, many times around: what was reserved and filled comes out, in the same batches, and never more than fits. */
static void
around(void **state)
{
	struct pair pair;
	uint32_t seed_in = 1, seed_out = 1;
	uint64_t number = 0, taken = 0;
	size_t sizes_open = 0, filled = 0;
	uint8_t copy[SIZE];

	(void)state;
	srandom(1);
	pair_open(&pair, SIZE);
	for (int step = 0; step < 200000; step++) {
		size_t total = 8 * (1 + (size_t)random() % 40);
		uint8_t *to;
		struct ring_batch batch;

		if (random() % 3 != 0) {
			bool opens = !pair.out.open;

			if ((to = ring_reserve(&pair.out, total)) == NULL) {
				assert_true(filled + sizes_open + total + (opens ? 32 : 0) > SIZE);
			} else {
				sizes_open += total + (opens ? 32 : 0);
				write_pattern(to, total, &seed_in);
			}
			assert_int_equal(ring_open_size(&pair.out), sizes_open);
		} else if (pair.out.open && random() % 2 == 0) {
			number += 1 + (uint64_t)random() % 3;
			ring_close(&pair.out, number, number);
			filled += sizes_open;
			sizes_open = 0;
		} else {
			assert_true(ring_look(&pair.in));
			while (ring_next(&pair.in, number, &batch) == RING_BATCH) {
				assert_true(batch.number > taken);
				taken = batch.number;
				assert_int_equal(batch.stamp, batch.number);
				ring_copy(&pair.in, 0, copy, batch.size);
				check_pattern(copy, batch.size, &seed_out);
				ring_advance(&pair.in, batch.size);
				filled -= batch.size + 32;
			}
			ring_publish(&pair.in);
			assert_false(ring_publish(&pair.in));
			assert_int_equal(filled, 0);
		}
		assert_true(filled + sizes_open <= SIZE);
	}
	assert_true(taken > 1000);
	assert_false(pair.out.broken);
	pair_close(&pair, SIZE);
}

static void
not_before_its_commit(void **state)
{
	struct pair pair;
	struct ring_batch batch;

	(void)state;
	pair_open(&pair, SIZE);
	memset(ring_reserve(&pair.out, 16), 0, 16);
	assert_true(ring_look(&pair.in));
	assert_int_equal(ring_next(&pair.in, UINT64_MAX, &batch), RING_NOTHING);
	ring_close(&pair.out, 5, 1);
	assert_true(ring_look(&pair.in));
	assert_int_equal(ring_next(&pair.in, 4, &batch), RING_NOTHING);
	assert_int_equal(ring_next(&pair.in, 5, &batch), RING_BATCH);
	assert_int_equal(batch.size, 16);
	pair_close(&pair, SIZE);
}

static void
full_and_room(void **state)
{
	struct pair pair;
	struct ring_batch batch;

	(void)state;
	pair_open(&pair, SIZE);
	assert_null(ring_reserve(&pair.out, SIZE - 24));
	assert_false(ring_room(&pair.out, SIZE));
	assert_true(ring_room(&pair.out, SIZE - 32));
	memset(ring_reserve(&pair.out, SIZE - 32), 0, SIZE - 32);
	assert_null(ring_reserve(&pair.out, 8));
	ring_close(&pair.out, 1, 1);
	assert_false(ring_room(&pair.out, 8));
	assert_true(ring_look(&pair.in));
	assert_int_equal(ring_next(&pair.in, 1, &batch), RING_BATCH);
	ring_advance(&pair.in, SIZE / 2);
	assert_false(ring_room(&pair.out, 8));
	assert_true(ring_publish(&pair.in));
	assert_true(ring_room(&pair.out, SIZE / 2));
	assert_false(ring_room(&pair.out, SIZE / 2 + 8));
	pair_close(&pair, SIZE);
}

/* A reader that lies about its tail. */
static void
impossible_tail(void **state)
{
	static const uint64_t lies[] = { UINT64_MAX, 4097, 1, UINT64_MAX - 4096, 1ULL << 63 };
	struct pair pair;

	(void)state;
	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
		pair_open(&pair, SIZE);
		control(&pair, 1)->tail = lies[i];
		assert_null(ring_reserve(&pair.out, SIZE));
		assert_true(pair.out.broken);
		assert_null(ring_reserve(&pair.out, 8));
		assert_false(ring_room(&pair.out, 8));
		pair_close(&pair, SIZE);
	}
}

/* A writer that lies about its head. */
static void
impossible_head(void **state)
{
	static const uint64_t lies[] = { UINT64_MAX, 4097, UINT64_MAX - 4096, 1ULL << 63, 47 };
	struct pair pair;

	(void)state;
	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
		pair_open(&pair, SIZE);
		memset(ring_reserve(&pair.out, 16), 0, 16);
		ring_close(&pair.out, 1, 1);
		assert_true(ring_look(&pair.in));
		control(&pair, 0)->head = lies[i];
		assert_false(ring_look(&pair.in));
		assert_int_equal(pair.in.head, 48);
		pair_close(&pair, SIZE);
	}
}

/* A writer whose batch header cannot be: number, stamp, size, zero. */
static void
impossible_batch(void **state)
{
	static const struct {
		uint64_t number, stamp, size, zero;
	} lies[] = {
		{ 1, 10, 16, 0 }, /* number not above the last */
		{ 0, 10, 16, 0 },
		{ 2, 9, 16, 0 },  /* stamp below the last */
		{ 2, 10, 0, 0 },  /* empty */
		{ 2, 10, 24, 0 }, /* longer than what is there */
		{ 2, 10, 12, 0 }, /* not in units */
		{ 2, 10, UINT64_MAX, 0 },
		{ 2, 10, 1ULL << 32, 0 },
		{ 2, 10, (1ULL << 32) + 16, 0 },
		{ 2, 10, UINT64_MAX - 31, 0 },
		{ 2, 10, 16, 1 },
	};
	struct pair pair;
	struct ring_batch batch;

	(void)state;
	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
		uint64_t *header;

		pair_open(&pair, SIZE);
		memset(ring_reserve(&pair.out, 16), 0, 16);
		ring_close(&pair.out, 1, 10);
		memset(ring_reserve(&pair.out, 16), 0, 16);
		ring_close(&pair.out, 2, 10);
		assert_true(ring_look(&pair.in));
		assert_int_equal(ring_next(&pair.in, 2, &batch), RING_BATCH);
		ring_advance(&pair.in, 16);
		header = (void *)((uint8_t *)pair.half[0] + RING_CONTROL_SIZE + 48);
		assert_int_equal(header[0], 2);
		memcpy(header, &lies[i], sizeof(lies[i]));
		assert_int_equal(ring_next(&pair.in, 2, &batch), RING_BROKEN);
		pair_close(&pair, SIZE);
	}
}

/* A head in the middle of a header. */
static void
torn_head(void **state)
{
	struct pair pair;
	struct ring_batch batch;

	(void)state;
	for (uint64_t head = 1; head < 40; head++) {
		pair_open(&pair, SIZE);
		control(&pair, 0)->head = head;
		assert_true(ring_look(&pair.in));
		assert_int_equal(ring_next(&pair.in, UINT64_MAX, &batch), RING_BROKEN);
		pair_close(&pair, SIZE);
	}
}

/* R-e: what each side holds does not let it do more than it should. */
static void
rights(void **state)
{
	struct mesh_member a, b;
	struct mesh_link for_a, for_b;
	void *mine, *theirs;
	char path[64];

	(void)state;
	assert_int_equal(mesh_create_member(&a), 0);
	assert_int_equal(mesh_create_member(&b), 0);
	assert_int_equal(mesh_create_link(&a, &b, SIZE, &for_a, &for_b), 0);
	/* Nobody changes the size: no SIGBUS for the other. */
	assert_int_equal(ftruncate(for_a.out, 4096), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(for_a.out, (off_t)ring_file_size(SIZE) + 4096), -1);
	assert_int_equal(fcntl(for_a.out, F_ADD_SEALS, F_SEAL_WRITE), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(for_a.in, 0), -1);
	assert_int_equal(fallocate(for_a.in, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), -1);
	/* The reader maps for reading only, and cannot change that. */
	assert_null(ring_map(for_a.in, SIZE, true));
	assert_int_equal(errno, EACCES);
	theirs = ring_map(for_a.in, SIZE, false);
	assert_non_null(theirs);
	assert_int_equal(mprotect(theirs, 4096, PROT_READ | PROT_WRITE), -1);
	assert_int_equal(errno, EACCES);
	mine = ring_map(for_b.out, SIZE, true);
	assert_non_null(mine);
	/* The same memory, and its data twice in a row. */
	((uint8_t *)mine)[RING_CONTROL_SIZE + 5] = 77;
	assert_int_equal(((uint8_t *)theirs)[RING_CONTROL_SIZE + 5], 77);
	assert_int_equal(((uint8_t *)theirs)[RING_CONTROL_SIZE + SIZE + 5], 77);
	((uint8_t *)mine)[RING_CONTROL_SIZE + SIZE + 6] = 78;
	assert_int_equal(((uint8_t *)theirs)[RING_CONTROL_SIZE + 6], 78);
	/* A writer that punches a hole makes zeros, which are no batch; nobody dies of it. */
	((struct ring_control *)mine)->head = 48;
	assert_int_equal(fallocate(for_b.out, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, RING_CONTROL_SIZE, (off_t)SIZE), 0);
	assert_int_equal(((uint8_t *)theirs)[RING_CONTROL_SIZE + 5], 0);
	ring_unmap(mine, SIZE);
	ring_unmap(theirs, SIZE);
	/* Without the powers of root, a read-only descriptor does not become a writable one. */
	if (geteuid() != 0) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", for_a.in);
		assert_int_equal(open(path, O_RDWR | O_CLOEXEC), -1);
	}
	mesh_close_link(&for_a);
	mesh_close_link(&for_b);
	mesh_close_member(&a);
	mesh_close_member(&b);
}

/* ---- R-b: a writer and a reader at once ---------------------------------------------------------------------------------- */

#define BUSY_BATCHES 30000

static void *
busy_writer(void *arg)
{
	struct pair *pair = arg;
	uint32_t seed = 9, dice = 12345;

	for (uint64_t number = 1; number <= BUSY_BATCHES; number++) {
		unsigned records = 1 + (dice = dice * 1103515245 + 12345) / 65536 % 8;

		for (unsigned i = 0; i < records; i++) {
			size_t total = 8 * (1 + (dice = dice * 1103515245 + 12345) / 65536 % 16);
			uint8_t *to;

			while ((to = ring_reserve(&pair->out, total)) == NULL && !pair->out.broken)
				sched_yield();
			if (to == NULL)
				return arg;
			write_pattern(to, total, &seed);
		}
		ring_close(&pair->out, number, number);
	}
	return NULL;
}

static void
busy(void **state)
{
	struct pair pair;
	struct ring_batch batch;
	pthread_t thread;
	uint64_t last = 0;
	uint32_t seed = 9;
	void *wrong;
	uint8_t copy[SIZE];

	(void)state;
	pair_open(&pair, SIZE);
	assert_int_equal(pthread_create(&thread, NULL, busy_writer, &pair), 0);
	while (last < BUSY_BATCHES) {
		enum ring_next next;

		assert_true(ring_look(&pair.in));
		while ((next = ring_next(&pair.in, UINT64_MAX, &batch)) == RING_BATCH) {
			assert_int_equal(batch.number, last + 1);
			last = batch.number;
			ring_copy(&pair.in, 0, copy, batch.size);
			check_pattern(copy, batch.size, &seed);
			ring_advance(&pair.in, batch.size);
			ring_publish(&pair.in);
		}
		assert_int_equal(next, RING_NOTHING);
		sched_yield();
	}
	assert_int_equal(pthread_join(thread, &wrong), 0);
	assert_null(wrong);
	pair_close(&pair, SIZE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes),
		cmocka_unit_test(around),
		cmocka_unit_test(not_before_its_commit),
		cmocka_unit_test(full_and_room),
		cmocka_unit_test(impossible_tail),
		cmocka_unit_test(impossible_head),
		cmocka_unit_test(impossible_batch),
		cmocka_unit_test(torn_head),
		cmocka_unit_test(rights),
		cmocka_unit_test(busy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
