/*
 * The two promises of ARCHITECTURE 2, over 8 members in processes of their own and rings small enough to be full much of the time:
 *   1. what I subscribed is on when PONG comes, for publishers on any member;
 *   2. what caused my message comes before it.
 * Every member plays all parts at random, in turns as a worker takes them.  Clients are instant: what a member flushes to its
 * "sockets" lies at once on the socket of the member where the next client is connected.
 *
 * Usage: test_promises [rounds of each promise], in `make check` as many as ROUNDS.  tests/sim/promises.sh builds it with one of
 * the rules left out (MESH_WITHOUT_*) and expects it to fail.
 */
#include <sys/mman.h>
#include <sys/wait.h>

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "mesh_helper.h"

#define ROUNDS 100000
#define MEMBERS HELPER_MEMBERS
#define RING ((size_t)4096)
#define SOCKET 256 /* entries */
#define SECONDS 300
#define BURST 600
#define ASKED 256 /* more than a drain takes */

enum kind { INTEREST, CAUSE, ASK, EFFECT };

/* The body of every record. */
struct word {
	uint8_t origin;    /* the member where it began */
	uint8_t target;    /* who must see cause and effect */
	uint8_t suspended; /* the cause waits in a queue: no promise */
	uint64_t number;
};

/* What lies on a socket, on its way from one member (through a client) to another. */
struct entry {
	enum { PUBLISH, REQUEST } what;
	struct word word;
};

struct socket {
	alignas(128) _Atomic uint32_t written;
	alignas(128) _Atomic uint32_t read;
	struct entry entries[SOCKET];
};

struct shared {
	_Atomic uint64_t rounds[2];    /* of each promise, checked */
	_Atomic uint64_t waited, held; /* causes that found a ring full; PONGs held back */
	_Atomic bool over;
	char failure[200];
	struct socket sockets[MEMBERS][MEMBERS]; /* from, to */
};

struct player {
	struct mesh *mesh;
	struct shared *shared;
	unsigned me;
	uint64_t dice;
	uint64_t interest[MEMBERS]; /* newest known, by origin */
	uint64_t caused[MEMBERS];
	uint64_t my_interest, my_pong, pong_position;
	uint64_t my_causes[MEMBERS];
	struct word asked[ASKED];
	size_t asked_count;
	struct entry flush[64];
	unsigned flush_to[64];
	size_t flush_count;
	uint64_t checked[2], waited, held;
};

static uint64_t rounds_wanted = ROUNDS;

static uint64_t throw(struct player * p, uint64_t below)
{
	p->dice ^= p->dice << 13;
	p->dice ^= p->dice >> 7;
	p->dice ^= p->dice << 17;
	return (p->dice >> 20) % below;
}

/* Some member that is none of these. */
static unsigned
other(struct player *p, unsigned a, unsigned b)
{
	unsigned m;

	do
		m = (unsigned) throw(p, MEMBERS);
	while (m == a || m == b);
	return m;
}

static void
broken(struct player *p, const char *what, const struct word *w, uint64_t known)
{
	snprintf(p->shared->failure, sizeof(p->shared->failure), "member %u: %s %llu of member %u came before it (known: %llu)",
	    p->me, what, (unsigned long long)w->number, w->origin, (unsigned long long)known);
	_exit(1);
}

static void
say(struct player *p, unsigned to, enum kind kind, const struct word *w)
{
	uint8_t *body = (kind == INTEREST ? mesh_put_standing : mesh_put)(p->mesh, to, (uint16_t)kind, sizeof(*w));

	if (body == NULL)
		_exit(2);
	memcpy(body, w, sizeof(*w));
}

static bool
hear(void *arg, unsigned member, uint16_t kind, const uint8_t *body, size_t length, struct blob *blob)
{
	struct player *p = arg;
	struct word w;

	(void)blob;
	if (length != sizeof(w))
		return false;
	memcpy(&w, body, sizeof(w));
	switch ((enum kind)kind) {
	case INTEREST: p->interest[member] = w.number; break;
	case CAUSE: p->caused[member] = w.number; break;
	case ASK:
		if (p->asked_count == ASKED)
			return false;
		p->asked[p->asked_count++] = w;
		break;
	case EFFECT:
		if (w.suspended)
			break;
		if (p->caused[w.origin] < w.number)
			broken(p, "the effect of cause", &w, p->caused[w.origin]);
		p->checked[1]++;
		break;
	}
	return true;
}

/* ---- sockets ------------------------------------------------------------------------------------------------------------- */

/* Write to the socket, once flushed; a full one loses it. */
static void
later(struct player *p, unsigned to, struct entry entry)
{
	if (p->flush_count < 64) {
		p->flush[p->flush_count] = entry;
		p->flush_to[p->flush_count++] = to;
	}
}

static void
flush(struct player *p)
{
	for (size_t i = 0; i < p->flush_count; i++) {
		struct socket *s = &p->shared->sockets[p->me][p->flush_to[i]];
		uint32_t written = atomic_load_explicit(&s->written, memory_order_relaxed);

		if (written - atomic_load_explicit(&s->read, memory_order_acquire) == SOCKET)
			continue;
		s->entries[written % SOCKET] = p->flush[i];
		atomic_store_explicit(&s->written, written + 1, memory_order_release);
	}
	p->flush_count = 0;
}

static size_t
read_sockets(struct player *p, struct entry *entries, size_t room)
{
	size_t n = 0;

	for (unsigned from = 0; from < MEMBERS; from++) {
		struct socket *s = &p->shared->sockets[from][p->me];
		uint32_t read = atomic_load_explicit(&s->read, memory_order_relaxed);

		if (n < room && read != atomic_load_explicit(&s->written, memory_order_acquire)) {
			entries[n++] = s->entries[read % SOCKET];
			atomic_store_explicit(&s->read, read + 1, memory_order_release);
		}
	}
	return n;
}

/* ---- a turn -------------------------------------------------------------------------------------------------------------- */

static enum mesh_result
drain(struct player *p)
{
	enum mesh_result result = mesh_drain(p->mesh, 64);

	if (result == MESH_VIOLATION) {
		snprintf(p->shared->failure, sizeof(p->shared->failure), "member %d: %s", p->mesh->violator, p->mesh->violation);
		_exit(3);
	}
	/* The clients that were asked publish at once, here. */
	for (size_t i = 0; i < p->asked_count; i++)
		say(p, p->asked[i].target, EFFECT, &p->asked[i]);
	p->asked_count = 0;
	return result;
}

/* A client here acts: the publish of promise 1, or the one that is caused by another over a client's own way (promise 2). */
static void
act(struct player *p, const struct entry *e)
{
	if (e->what == REQUEST) {
		say(p, e->word.target, EFFECT, &e->word);
		return;
	}
	if (p->interest[e->word.origin] < e->word.number)
		broken(p, "a publish after the PONG of interest", &e->word, p->interest[e->word.origin]);
	p->checked[0]++;
}

/* SUB and PING: the interest goes to all, the PONG waits for its turn. */
static void
subscribe(struct player *p)
{
	struct word w = { .origin = (uint8_t)p->me, .number = ++p->my_interest };

	for (unsigned m = 0; m < MEMBERS; m++)
		if (m != p->me)
			say(p, m, INTEREST, &w);
	p->pong_position = mesh_position(p->mesh, 0);
}

/* A message to `target` and a request to another member, or to a client of our own who speaks to another member. */
static void
cause(struct player *p)
{
	unsigned target = other(p, p->me, p->me), asked = other(p, p->me, target);
	struct word w = { .origin = (uint8_t)p->me, .target = (uint8_t)target, .number = ++p->my_causes[target] };

	say(p, target, CAUSE, &w);
	w.suspended = (p->mesh->overflowing & mesh_bit(target)) != 0;
	p->waited += w.suspended;
	if (throw(p, 4) != 0)
		say(p, asked, ASK, &w);
	else
		later(p, asked, (struct entry){ REQUEST, w });
}

static void
pong(struct player *p)
{
	if (p->my_pong == p->my_interest)
		return;
#ifndef MESH_WITHOUT_COMMIT_FIRST
	if (!mesh_reached_all(p->mesh, p->pong_position)) {
		p->held++;
		return;
	}
#endif
	p->my_pong = p->my_interest;
	later(p, other(p, p->me, p->me), (struct entry){ PUBLISH, { .origin = (uint8_t)p->me, .number = p->my_interest } });
}

static bool
turn(struct player *p)
{
	struct entry entries[MEMBERS];
	size_t n = 0;

	if (drain(p) == MESH_DRAINED) {
		MESH_TEST_PAUSE();
		n = read_sockets(p, entries, MEMBERS);
	}
#ifndef MESH_WITHOUT_REDRAIN
	while (n > 0 && drain(p) != MESH_DRAINED)
		;
#endif
	for (size_t i = 0; i < n; i++)
		act(p, &entries[i]);
	if (!mesh_congested(p->mesh)) {
		if (p->my_pong == p->my_interest && throw(p, 2) == 0)
			subscribe(p);
		/* Now and then more than a ring takes. */
		for (uint64_t i = throw(p, 100) == 0 ? BURST : throw(p, 4); i > 0; i--)
			cause(p);
	}
#ifdef MESH_WITHOUT_COMMIT_FIRST
	pong(p);
	flush(p);
	MESH_TEST_PAUSE();
#endif
	mesh_commit(p->mesh);
	pong(p);
	flush(p);
	return n > 0;
}

static void
report(struct player *p)
{
	struct shared *s = p->shared;

	for (unsigned i = 0; i < 2; i++) {
		atomic_fetch_add(&s->rounds[i], p->checked[i]);
		p->checked[i] = 0;
	}
	atomic_fetch_add(&s->waited, p->waited);
	atomic_fetch_add(&s->held, p->held);
	p->waited = p->held = 0;
	if (s->rounds[0] >= rounds_wanted && s->rounds[1] >= rounds_wanted)
		s->over = true;
}

static _Noreturn void
play(struct table *table, struct shared *shared, unsigned me)
{
	static struct player player;

	player =
	    (struct player){ .mesh = table->seats[me].mesh, .shared = shared, .me = me, .dice = 0x9e3779b97f4a7c15 * (me + 1) };
	player.mesh->record = hear;
	player.mesh->arg = &player;
	for (uint64_t turns = 1; !shared->over; turns++) {
		turn(&player);
		if (turns % 64 == 0)
			report(&player);
		if (throw(&player, 8) == 0)
			sched_yield();
	}
	_exit(0);
}

static void
promises(void **state)
{
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct table table;
	pid_t children[MEMBERS];
	int status, failed = 0;

	(void)state;
	assert_true(shared != MAP_FAILED);
	table_open(&table, MEMBERS, RING);
	for (unsigned m = 0; m < MEMBERS; m++) {
		if ((children[m] = fork()) == 0) {
			alarm(SECONDS);
			play(&table, shared, m);
		}
		assert_true(children[m] > 0);
	}
	for (unsigned m = 0; m < MEMBERS; m++) {
		assert_int_equal(waitpid(-1, &status, 0) > 0, 1);
		if (status != 0) {
			failed++;
			shared->over = true;
		}
	}
	printf("rounds: %llu PONG, %llu cause; rings full for %llu causes, %llu turns held a PONG back\n",
	    (unsigned long long)shared->rounds[0], (unsigned long long)shared->rounds[1], (unsigned long long)shared->waited,
	    (unsigned long long)shared->held);
	if (failed > 0)
		fail_msg("%s", shared->failure[0] != '\0' ? shared->failure : "a member died");
	assert_true(shared->waited > 0);
	assert_true(shared->held > 0);
	table_close(&table);
	munmap(shared, sizeof(*shared));
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(promises) };

	if (argc > 1)
		rounds_wanted = strtoull(argv[1], NULL, 10);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
