/*
 * What mesh.c and mesh_drain.c share.  Nobody else includes this, but their own tests.
 */
#ifndef IPC_MESH_PRIVATE_H
#define IPC_MESH_PRIVATE_H

#include <stdalign.h>

#include "base/loop.h"
#include "ipc/mesh.h"

#define MESH_CHUNK ((size_t)32 << 10)     /* copied out of a ring at once, at most */
#define MESH_CHUNK_LEAST ((size_t)512)    /* at least, where the batch has it: more would be wasted before a large record */
#define MESH_STAMP_SLACK INT64_C(1000000) /* ns; a stamp further ahead of our clock is a lie */

/* What ring_record.fragment says. */
enum mesh_fragment { MESH_WHOLE, MESH_FIRST, MESH_MIDDLE, MESH_LAST, MESH_FRAGMENT_END };

/* The first fragment begins with the size of the whole body. */
#define MESH_FIRST_HEADER 8u

/*
 * One page per member, written by it, read by all others.
 * sleeping: bits 0-1 the state, above them a count, so that a bell is rung once per sleep.
 */
struct mesh_control {
	alignas(RING_LINE) _Atomic uint64_t commit;
	alignas(RING_LINE) _Atomic uint64_t sleeping;
};

#define MESH_CONTROL_SIZE 4096u
_Static_assert(sizeof(struct mesh_control) <= MESH_CONTROL_SIZE, "one page");

enum mesh_sleep { MESH_AWAKE, MESH_ASLEEP, MESH_ASLEEP_FULL /* and waiting for room in a ring */ };
#define MESH_SLEEP_MASK 3u
#define MESH_SLEEP_SHIFT 2

struct mesh_peer {
	/* To the peer. */
	struct ring_out out;
	struct overflow overflow;
	int64_t waiting_since; /* overflow not empty and not moving since; 0 */
	/* From the peer. */
	struct ring_in in;
	struct ring_batch batch; /* under way; size 0: none */
	uint64_t boundary;       /* commit word of the cut */
	/* A large record, on its way in fragments. */
	struct blob *join;
	size_t join_size, join_filled; /* join_size 0: no series is open */
	uint16_t join_kind;
	/* Both. */
	const struct mesh_control *control;
	uint64_t rung; /* the sleep it was rung out of */
	int bell;
	void *own_half;
	const void *peer_half;
	const char *reason; /* why it is broken */
};

static inline uint64_t
mesh_bit(unsigned member)
{
	return UINT64_C(1) << member;
}

/* Members that are attached and have kept the rules. */
static inline uint64_t
mesh_live(const struct mesh *mesh)
{
	return mesh->up & ~mesh->broken;
}

/* The time, read after everything before it and before everything after it in program order. */
static inline uint64_t
mesh_time(void)
{
	uint64_t now = (uint64_t)clock_monotonic();

#if defined(__x86_64__)
	__builtin_ia32_lfence();
#elif defined(__aarch64__)
	__asm__ volatile("isb" : : : "memory");
#else
	atomic_thread_fence(memory_order_seq_cst);
#endif
	return now;
}

/* The member broke a rule: from now on its rings are neither read nor written. */
void mesh_accuse(struct mesh *, unsigned member, const char *reason);

/* Ring the member's bell if it sleeps in one of the states from `least` on. The caller has put a full fence before. */
void mesh_ring_bell(struct mesh *, struct mesh_peer *, enum mesh_sleep least);

/* Is there something to drain? */
bool mesh_moved(const struct mesh *);

/* Test builds (tests/sim/promises.sh) stop here for a while, to widen the windows between steps, and leave out a rule:
 * MESH_WITHOUT_*. */
#ifdef MESH_TEST
void mesh_test_pause(void);
#define MESH_TEST_PAUSE() mesh_test_pause()
#else
#define MESH_TEST_PAUSE() ((void)0)
#endif

#endif
