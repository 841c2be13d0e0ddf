/*
 * The mesh: records between the processes that carry data (workers, later storaged and clusterd), one ring per ordered pair.
 *
 * Master makes the shared memory (mesh_create.c) and hands each member its descriptors; a member attaches and from then on speaks
 * to the others without master and without a lock.  Members do not trust each other: see ring.h for what is checked.
 *
 * It keeps the four rules of ARCHITECTURE.md section 2, on which the two promises to clients rest:
 *   1. one commit per turn: all records a member puts between two commits become visible to all others at once;
 *   2. drain takes a time T, then the commit words, then handles all batches stamped up to T in the order of their stamps;
 *   3. the CALLER drains at the start of a turn and again after each read from a socket, before acting on what it read
 *      (it goes on draining until MESH_DRAINED);
 *   4. the CALLER flushes sockets only after mesh_commit.
 *
 * One mesh per process, used by one thread.  Nothing here waits; no allocation, lock or system call per record.
 */
#ifndef IPC_MESH_H
#define IPC_MESH_H

#include <sys/uio.h>

#include "base/blob.h"
#include "ipc/overflow.h"
#include "ipc/ring.h"

#define MESH_MEMBERS_MAX 64
#define MESH_RING_SIZE_MIN (256u << 10)
#define MESH_RING_SIZE_MAX (4u << 20)
#define MESH_RINGS_BUDGET (256u << 20) /* bytes over all rings of the server */
#define MESH_SMALL_MAX 8192u           /* longer bodies come to the handler in a blob */
#define MESH_LARGE_MAX (65u << 20)     /* longest body of mesh_put_large: 64 MiB and slack for the broker's own fields */
#define MESH_OVERFLOW_MAX (64u << 20)  /* bytes over all overflow queues of a member; then records are refused */

/* ---- master's side: mesh_create.c ---------------------------------------------------------------------------------------- */

/*
 * What master keeps of one member while it lives.  The control page (commit word, sleeping word) is written by the member and
 * read by all others.  The bell is a pipe of one page: the member alone can read it (an eventfd could be read, and its wakes
 * stolen, by any peer), each peer gets an open description of its own (so O_NONBLOCK cannot be taken away from the others).
 */
struct mesh_member {
	int control_rw;
	int control_ro;
	int bell_read;
	int bell_write;
};

/* Descriptors that a member gets for itself; the array order is the order to send them in. */
#define MESH_OWN_DESCRIPTORS 2
struct mesh_own {
	int control; /* read-write */
	int bell;    /* reading end */
};

/* Descriptors that a member gets for one peer. */
#define MESH_LINK_DESCRIPTORS 4
struct mesh_link {
	int control; /* the peer's, read-only */
	int bell;    /* the peer's, writing end */
	int out;     /* our half, read-write */
	int in;      /* the peer's half, read-only */
};

/* Ring size for so many members: a power of two from the budget, within MESH_RING_SIZE_MIN .. MAX.  All rings of a mesh have it. */
size_t mesh_ring_size(unsigned members);

/* Make the shared memory of one member, anew at each start of it.  0, or -1 with errno and nothing left open. */
int mesh_create_member(struct mesh_member *);
void mesh_close_member(struct mesh_member *);

/*
 * A member's own descriptors, to be sent to it once.  control is moved out of struct mesh_member (becomes -1 there) and so is the
 * bell's reading end: master keeps no writable copy.
 */
void mesh_take_own(struct mesh_member *, struct mesh_own *);
void mesh_close_own(struct mesh_own *);

/*
 * Make both halves between two members: for_a goes to a (peer b), for_b to b.  All descriptors in them are the caller's to close
 * after sending.  Called anew when one of both was restarted.  0, or -1 with errno and nothing left open.
 */
int mesh_create_link(
    const struct mesh_member *a, const struct mesh_member *b, size_t ring_size, struct mesh_link *for_a, struct mesh_link *for_b);
void mesh_close_link(struct mesh_link *);

/*
 * Is CLOCK_MONOTONIC the same on all processors we may run on, finer than the way of a cache line?  Pairs of processors pass a word
 * to and fro for at most `budget` ns in all; false: one saw a time before the one it had been sent.  Called by master at start,
 * before anything is served; pins and unpins the calling thread, uses one thread for its duration.
 */
bool mesh_clock_check(int64_t budget);

/* ---- a member's side ----------------------------------------------------------------------------------------------------- */

enum mesh_result { MESH_DRAINED, MESH_BUDGET, MESH_VIOLATION };

/*
 * Called by mesh_drain for each record, in order.  body is private memory, valid during the call; for a body above MESH_SMALL_MAX
 * it lies in blob, which may be kept by blob_hold.  It may call mesh_put and mesh_commit, not mesh_drain or mesh_peer_*. false: no
 * honest member sends such a record; the drain ends with MESH_VIOLATION.
 */
typedef bool mesh_record(void *arg, unsigned member, uint16_t kind, const uint8_t *body, size_t length, struct blob *blob);

struct mesh_counters {
	uint64_t records_out, bytes_out; /* put, bodies */
	uint64_t records_in, bytes_in;   /* handled, bodies */
	uint64_t commits;                /* with something in them */
	uint64_t batches;                /* handled */
	uint64_t full;                   /* puts that found a ring full and went to its overflow queue */
	uint64_t refused;                /* records lost: overflow queues at their limit, or no memory */
	uint64_t discarded;              /* large records lost on arrival: no memory for them */
	uint64_t bells;                  /* rung */
	uint64_t future;                 /* batches with a stamp from the future */
	uint64_t violations;
};

struct mesh_peer;

struct mesh {
	/* To be read by the owner. */
	unsigned member;       /* our number */
	int violator;          /* member that broke a rule, with MESH_VIOLATION; -1 */
	const char *violation; /* which rule */
	uint64_t up;           /* bit m: member m is attached */
	size_t overflow_bytes; /* in all overflow queues, now */
	struct mesh_counters counters;

	/* Private to mesh*.c. */
	uint64_t broken;                  /* members that broke a rule: neither read nor written any more */
	uint64_t accused;                 /* broken, not yet told to the owner */
	uint64_t touched;                 /* rings with an open batch */
	uint64_t loud;                    /* of these: the reader is to be woken */
	uint64_t overflowing;             /* rings with something in the overflow queue */
	uint64_t congested;               /* overflow queues between their marks, coming from above */
	uint64_t due;                     /* rings half full of what is not committed */
	uint64_t sequence;                /* records put, over all members */
	uint64_t committed;               /* sequence at the last commit */
	uint64_t number;                  /* of the last commit */
	uint64_t stamp;                   /* of the last commit */
	uint64_t cut;                     /* T of the drain under way */
	uint8_t active[MESH_MEMBERS_MAX]; /* members with a batch in the cut, and how many: unordered */
	unsigned active_count;
	bool cut_open; /* a drain ended on its budget */
	bool left;     /* committed batches stamped after T remain */
	bool draining;
	bool asleep;
	size_t ring_size;
	mesh_record *record;
	void *arg;
	struct mesh_control *control;
	int bell;
	uint64_t sleep_count;
	uint8_t *chunk; /* records copied out of a ring */
	size_t chunk_want;
	uint8_t *sink;                                    /* body of a record to a member that is not up */
	const _Atomic uint64_t *commit[MESH_MEMBERS_MAX]; /* the peers' commit words */
	uint64_t seen[MESH_MEMBERS_MAX];                  /* as read for the last cut */
	struct mesh_peer *peers[MESH_MEMBERS_MAX];
};

/* Attach as `member`; takes over and closes the descriptors, also on failure.  NULL + errno. */
struct mesh *mesh_attach(unsigned member, size_t ring_size, struct mesh_own *, mesh_record *, void *arg);
void mesh_detach(struct mesh *);

/*
 * A peer was started (or is there at our start): map its rings; takes over and closes the descriptors, also on failure.
 * If the old one is still up it is taken down first.  0, or -1 + errno (the peer is then not up).
 */
int mesh_peer_up(struct mesh *, unsigned member, struct mesh_link *);

/*
 * A peer died: forget its rings and what waits for it.  To handle what it committed before it died, drain first.  Positions that
 * waited for it count as reached.
 */
void mesh_peer_down(struct mesh *, unsigned member);

/* ---- producing ----------------------------------------------------------------------------------------------------------- */

/* Longest body that mesh_put takes: a quarter of a ring minus headers. */
size_t mesh_record_max(const struct mesh *);

/*
 * Where to write the body of a new record to `member`, `length` bytes (0 .. mesh_record_max; never NULL for 0), complete before the
 * next call of any mesh function.  It lies in the ring, or in the ring's overflow queue when the ring is full; to a member that is
 * not up, or that broke a rule, it goes nowhere.  NULL: refused, since the overflow queues hold MESH_OVERFLOW_MAX bytes or memory
 * is out: the record is lost and counted.
 * It never commits: one message may go to several members, and must become visible to all of them at once.
 */
uint8_t *mesh_put(struct mesh *, unsigned member, uint16_t kind, size_t length);

/*
 * The same for standing facts, such as interest: never refused at MESH_OVERFLOW_MAX (their sum is bounded by what the sender itself
 * holds; NULL only when memory is out), and a sleeping receiver is not woken for them: it drains before it acts on anything anyway
 * (rule 3).  It is woken once a quarter of the ring is filled.
 */
uint8_t *mesh_put_standing(struct mesh *, unsigned member, uint16_t kind, size_t length);

/* The same as mesh_put for a body in pieces and of any size to MESH_LARGE_MAX, in fragments if need be.  false: refused as a whole.
 */
bool mesh_put_large(struct mesh *, unsigned member, uint16_t kind, const struct iovec *, int count);

/* Some ring is half full of uncommitted records: commit now, between two messages, without waiting for the end of the turn. */
static inline bool
mesh_due(const struct mesh *mesh)
{
	return mesh->due != 0;
}

/*
 * End of the turn: moves from overflow queues what finds room, gives everything put one number and one stamp, makes it visible, and
 * rings the bells of sleeping receivers.  Legal at any time between two messages.  false: there was nothing.
 */
bool mesh_commit(struct mesh *);

/*
 * A position in the order of all records put so far; take it after the put in question.  mesh_reached: all records to `member` up
 * to that position are in its ring and committed, none waits in the overflow queue; mesh_reached_all: for every member. So a PONG
 * may go out when mesh_reached_all(position after the last interest put).
 */
static inline uint64_t
mesh_position(const struct mesh *mesh, unsigned member)
{
	(void)member;
	return mesh->sequence;
}
bool mesh_reached(const struct mesh *, unsigned member, uint64_t position);
bool mesh_reached_all(const struct mesh *, uint64_t position);

/* Back-pressure: some overflow queue has been above its high mark (a ring's size) and not yet below its low mark (a quarter). */
static inline bool
mesh_congested(const struct mesh *mesh)
{
	return mesh->congested != 0;
}

/*
 * The member whose overflow queue has not moved for longer than `patience` ns, or -1: it hangs (stopped, looping) and holds up our
 * clients; the owner reports it to master.
 */
int mesh_stuck(const struct mesh *, int64_t now, int64_t patience);

/* Give back memory kept for full rings; for a process that has been idle. */
void mesh_trim(struct mesh *);

/* ---- consuming ----------------------------------------------------------------------------------------------------------- */

/*
 * Handle what the others committed, at most about `budget` records.  Without news it costs one load per member and no clock.
 * MESH_DRAINED: all that was committed when it was called has been handled.  MESH_BUDGET: not all; call it again before acting on
 * anything read from a socket.  MESH_VIOLATION: mesh->violator broke a rule (mesh->violation); it is neither read nor written any
 * more, the others are; report it to master and call again.
 */
enum mesh_result mesh_drain(struct mesh *, uint32_t budget);

/* ---- sleeping ------------------------------------------------------------------------------------------------------------ */

/*
 * Before a wait that may last: tell the others to ring.  false: something came meanwhile, do not wait.  Commit first.
 * After a wait that begun so: mesh_sleep_end.  The bell is for the reading set of that wait; when it is readable, mesh_bell_clear,
 * then drain and commit (the bell also rings when a full ring has room again).
 */
bool mesh_sleep_begin(struct mesh *);
void mesh_sleep_end(struct mesh *);
int mesh_bell_fd(const struct mesh *);

/* Rings a sleeping member's bell though there is no record for it (it should look at what it shares with us otherwise). */
void mesh_wake(struct mesh *, unsigned member);
void mesh_bell_clear(struct mesh *);

#endif
