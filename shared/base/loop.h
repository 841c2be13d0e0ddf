/*
 * The event loop, and the only door to time and chance: descriptors, timers, signals, clocks, random numbers.
 * One thread, one loop.  Nothing here allocates per turn; timers sit in a heap of pointers that grows by doubling.
 * Times are nanoseconds: monotonic for deadlines, wall (since 1970) for what people read.
 */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <sys/types.h>

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOOP_SECOND INT64_C(1000000000)
#define LOOP_MILLISECOND INT64_C(1000000)
#define LOOP_MICROSECOND INT64_C(1000)
#define LOOP_FOREVER INT64_C(-1)

/* Events of a descriptor. HANGUP (peer gone, or error) is always reported, the others when asked for. Level triggered. */
#define LOOP_READ 1U
#define LOOP_WRITE 2U
#define LOOP_HANGUP 4U

struct loop;

/* A watched descriptor, embedded by its owner. Set fd, ready and arg, then loop_io_add. */
struct loop_io {
	int fd;
	uint32_t events; /* LOOP_READ | LOOP_WRITE as watched now; managed here */
	void (*ready)(struct loop_io *io, uint32_t events);
	void *arg;
};

/* A timer, embedded by its owner: zero it, set fire and arg, then loop_timer_set. */
struct loop_timer {
	int64_t deadline;
	void (*fire)(struct loop_timer *timer);
	void *arg;
	uint32_t position; /* 0 = not set; managed here */
};

/* Signals as events; what `mask` holds is blocked and delivered to the callback. */
struct loop_signals {
	struct loop_io io;
	void (*caught)(struct loop_signals *signals, int signal_number, pid_t sender);
	void *arg;
};

/* NULL with errno set on failure. */
struct loop *loop_create(void);

/* Descriptors still watched are left open; they belong to their owners. */
void loop_free(struct loop *loop);

/* Starts watching io->fd. 0, or -1 with errno. A descriptor may be watched once. */
int loop_io_add(struct loop *loop, struct loop_io *io, uint32_t events);

/* Changes the events; no system call when they are the same. */
void loop_io_set(struct loop *loop, struct loop_io *io, uint32_t events);

/* Stops watching; call it before close(). Safe in any callback: events already fetched for this io are not delivered. */
void loop_io_remove(struct loop *loop, struct loop_io *io);

/* (Re)arms the timer for a monotonic deadline. False when memory is short (only possible if it was not set before). */
bool loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t deadline);

/* Nothing if it is not set. Safe in any callback. */
void loop_timer_stop(struct loop *loop, struct loop_timer *timer);

static inline bool
loop_timer_is_set(const struct loop_timer *timer)
{
	return timer->position != 0;
}

/* One turn: waits at most timeout_ns (0 = do not wait, LOOP_FOREVER = until something happens), but not past the first deadline;
 * then calls what is ready and fires the due timers (each at most once per turn, in order of their deadlines).
 * Returns the number of descriptors that were ready plus timers fired; -1 with errno on a failure other than EINTR (0). */
int loop_wait(struct loop *loop, int64_t timeout_ns);

/* Monotonic time of this turn: read once after each wait. */
int64_t loop_now(const struct loop *loop);

/* Reads the clock again (after long work) and returns it. */
int64_t loop_update_now(struct loop *loop);

/* Deadline of the next timer, or INT64_MAX. */
int64_t loop_next_deadline(const struct loop *loop);

size_t loop_timer_count(const struct loop *loop);

/* Blocks the signals of mask and watches for them. 0, or -1 with errno. */
int loop_signals_open(struct loop *loop, struct loop_signals *signals, const sigset_t *mask);
void loop_signals_close(struct loop *loop, struct loop_signals *signals);

/* ---- clocks ---- */

int64_t clock_monotonic(void);
int64_t clock_wall(void);

/* ---- chance ---- */

/* From the kernel; never fails (the process aborts if the kernel has none). For keys, nonces and ids. */
void random_bytes(void *to, size_t n);
uint64_t random_u64(void);

/* A fast generator seeded from the kernel, for draws among queue members and jitter. Not for secrets. */
uint64_t random_fast(void);

/* 0 .. bound - 1, without bias; bound > 0. */
uint32_t random_fast_below(uint32_t bound);

/* For tests: makes random_fast repeatable. */
void random_fast_seed(uint64_t seed);

#endif
