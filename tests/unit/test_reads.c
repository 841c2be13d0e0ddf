/*
 * R-c of RELIABILITY 4: each word that another process may change is read once for each look at it, and what we write ourselves is
 * never read back.  Counted in the machine code as it runs: the shared pages are taken away, each access faults, is noted, runs
 * as a single step, and the pages are taken away again.  x86-64 Linux; elsewhere there is nothing to run.
 */
#include <sys/mman.h>

#include <signal.h>
#include <stdio.h>
#include <ucontext.h>

#include "mesh_helper.h"

#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)

#define SIZE ((size_t)4096)
#define NOTES 256
#define RANGES 8
#define TRAP_FLAG 0x100
#define FAULT_WRITE 2

struct range {
	uint8_t *at;
	size_t size;
	int protection;
};

static struct range ranges[RANGES];
static size_t range_count;
static struct {
	const uint8_t *at;
	bool write;
} notes[NOTES];
static volatile size_t note_count;

static void
protect(bool away)
{
	for (size_t i = 0; i < range_count; i++)
		if (mprotect(ranges[i].at, ranges[i].size, away ? PROT_NONE : ranges[i].protection) != 0)
			abort();
}

static void
faulted(int number, siginfo_t *info, void *arg)
{
	ucontext_t *context = arg;
	const uint8_t *at = info->si_addr;
	bool ours = false;

	(void)number;
	for (size_t i = 0; i < range_count; i++)
		ours |= at >= ranges[i].at && at < ranges[i].at + ranges[i].size;
	if (!ours || note_count == NOTES)
		abort();
	notes[note_count].at = at;
	notes[note_count].write = (context->uc_mcontext.gregs[REG_ERR] & FAULT_WRITE) != 0;
	note_count = note_count + 1;
	protect(false);
	context->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
}

static void
stepped(int number, siginfo_t *info, void *arg)
{
	ucontext_t *context = arg;

	(void)number;
	(void)info;
	context->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
	protect(true);
}

static void
watch(const void *at, size_t size, int protection)
{
	assert_true(range_count < RANGES);
	ranges[range_count++] = (struct range){ (uint8_t *)(uintptr_t)at, size, protection };
}

/* All that member `m` of a table shares: its own control page and halves, and those of its peer. */
static void
watch_member(struct table *t, unsigned m)
{
	struct mesh *mesh = t->seats[m].mesh;
	struct mesh_peer *peer = mesh->peers[!m];

	range_count = 0;
	watch(mesh->control, MESH_CONTROL_SIZE, PROT_READ | PROT_WRITE);
	watch(peer->control, MESH_CONTROL_SIZE, PROT_READ);
	watch(peer->own_half, ring_file_size(SIZE) + SIZE, PROT_READ | PROT_WRITE);
	watch(peer->peer_half, ring_file_size(SIZE) + SIZE, PROT_READ);
}

static void
begin(void)
{
	const struct sigaction segv = { .sa_sigaction = faulted, .sa_flags = SA_SIGINFO };
	const struct sigaction trap = { .sa_sigaction = stepped, .sa_flags = SA_SIGINFO };

	assert_int_equal(sigaction(SIGSEGV, &segv, NULL), 0);
	assert_int_equal(sigaction(SIGTRAP, &trap, NULL), 0);
	note_count = 0;
	protect(true);
}

static void
end(void)
{
	protect(false);
	(void)sigaction(SIGSEGV, &(const struct sigaction){ .sa_handler = SIG_DFL }, NULL);
	(void)sigaction(SIGTRAP, &(const struct sigaction){ .sa_handler = SIG_DFL }, NULL);
}

/* Accesses to bytes at .. at + size since begin. */
static size_t
count(const volatile void *at, size_t size, bool write)
{
	const uint8_t *from = (const uint8_t *)(uintptr_t)at;
	size_t n = 0;

	for (size_t i = 0; i < note_count; i++)
		n += notes[i].at >= from && notes[i].at < from + size && notes[i].write == write;
	return n;
}

#define READS(word) count(&(word), 8, false)
#define WRITES(word) count(&(word), 8, true)

static void
reader(void **state)
{
	struct table t;
	struct mesh *mesh;
	struct mesh_peer *peer;
	const uint8_t *data;
	uint8_t copy[64];
	size_t one_copy;

	(void)state;
	table_open(&t, 2, SIZE);
	mesh = t.seats[1].mesh;
	peer = mesh->peers[0];
	data = peer->in.data;
	/* What a copy of the record's bytes costs by itself. */
	watch_member(&t, 1);
	begin();
	ring_copy(&peer->in, 0, copy, 40);
	end();
	one_copy = note_count;
	/* No news: one look at the commit word. */
	begin();
	assert_int_equal(mesh_drain(mesh, 100), MESH_DRAINED);
	end();
	assert_int_equal(note_count, 1);
	assert_int_equal(READS(peer->control->commit), 1);
	/* News: a look whether there is any, and the one that is obeyed. */
	seat_put(&t.seats[0], 1, 1, 'r', 32);
	mesh_commit(t.seats[0].mesh);
	begin();
	assert_int_equal(mesh_drain(mesh, 100), MESH_DRAINED);
	end();
	assert_int_equal(READS(peer->control->commit), 2);
	assert_int_equal(READS(peer->in.peer->head), 1);
	for (size_t word = 0; word < 32; word += 8)
		assert_int_equal(count(data + word, 8, false), 1);
	assert_int_equal(count(data + 32, 40, false), one_copy);
	assert_int_equal(WRITES(peer->in.own->tail), 1);
	assert_int_equal(READS(peer->control->sleeping), 1);
	assert_int_equal(note_count, 2 + 1 + 4 + one_copy + 1 + 1);
	table_close(&t);
}

static void
writer(void **state)
{
	struct table t;
	struct mesh *mesh;
	struct mesh_peer *peer;
	uint8_t *body;

	(void)state;
	table_open(&t, 2, SIZE);
	mesh = t.seats[0].mesh;
	peer = mesh->peers[1];
	watch_member(&t, 0);
	/* Room is known: nothing of the peer is read, nothing of ours read back. */
	begin();
	body = mesh_put(mesh, 1, 1, 32);
	end();
	assert_true(note_count > 0);
	assert_int_equal(count(peer->own_half, ring_file_size(SIZE) + SIZE, true), note_count);
	memset(body, 'w', 32);
	begin();
	assert_true(mesh_commit(mesh));
	end();
	assert_int_equal(WRITES(mesh->control->commit), 1);
	assert_int_equal(WRITES(peer->out.own->head), 1);
	assert_int_equal(READS(peer->control->sleeping), 1);
	assert_int_equal(count(mesh->control, MESH_CONTROL_SIZE, false), 0);
	assert_int_equal(count(peer->own_half, ring_file_size(SIZE) + SIZE, false), 0);
	assert_int_equal(count(peer->peer_half, ring_file_size(SIZE) + SIZE, false), 0);
	/* A full ring: one look at the tail. */
	while (ring_room(&peer->out, 900))
		seat_put(&t.seats[0], 1, 1, 'w', 800);
	begin();
	body = mesh_put(mesh, 1, 1, 900);
	end();
	assert_non_null(body);
	assert_int_equal(mesh->overflowing, mesh_bit(1));
	assert_int_equal(READS(peer->out.peer->tail), 1);
	assert_int_equal(note_count, 1);
	table_close(&t);
}

static void
sleeper(void **state)
{
	struct table t;
	struct mesh *mesh;

	(void)state;
	table_open(&t, 2, SIZE);
	mesh = t.seats[1].mesh;
	watch_member(&t, 1);
	begin();
	assert_true(mesh_sleep_begin(mesh));
	mesh_sleep_end(mesh);
	end();
	assert_int_equal(READS(mesh->peers[0]->control->commit), 2);
	assert_int_equal(WRITES(mesh->control->sleeping), 2);
	assert_int_equal(note_count, 4);
	table_close(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reader),
		cmocka_unit_test(writer),
		cmocka_unit_test(sleeper),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

static void
not_here(void **state)
{
	(void)state;
	skip(); /* single steps are x86-64's, and ThreadSanitizer takes the signals */
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(not_here) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
