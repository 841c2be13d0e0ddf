/*
 * The loop on Linux: epoll and signalfd.  One epoll_wait per turn, level triggered; the events fetched are kept in the loop, so
 * that loop_io_remove can strike out what is still to be delivered.
 */
#include "base/loop.h"

#include <sys/epoll.h>
#include <sys/signalfd.h>

#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "base/check.h"
#include "base/loop_timer.h"
#include "base/memory.h"

#define LOOP_MAGIC 0x4c4f4f50U
#define LOOP_EVENTS 256

struct loop {
	uint32_t magic;
	int fd;
	int64_t now;
	struct loop_heap heap;
	int fetched; /* of events[] in this turn */
	int delivered;
	struct epoll_event events[LOOP_EVENTS];
};

struct loop *
loop_create(void)
{
	struct loop *loop = memory_zalloc(sizeof(*loop));

	if (loop == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	loop->fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->fd < 0) {
		memory_free(loop);
		return NULL;
	}
	loop->magic = LOOP_MAGIC;
	loop_heap_init(&loop->heap);
	loop->now = clock_monotonic();
	return loop;
}

void
loop_free(struct loop *loop)
{
	if (loop == NULL)
		return;
	CHECK_OBJ(loop, LOOP_MAGIC);
	loop_heap_free(&loop->heap);
	close(loop->fd);
	loop->magic = 0;
	memory_free(loop);
}

static uint32_t
loop_to_epoll(uint32_t events)
{
	CHECK((events & ~(LOOP_READ | LOOP_WRITE)) == 0);
	return ((events & LOOP_READ) != 0 ? EPOLLIN : 0U) | ((events & LOOP_WRITE) != 0 ? EPOLLOUT : 0U);
}

static uint32_t
loop_from_epoll(uint32_t events)
{
	return ((events & EPOLLIN) != 0 ? LOOP_READ : 0) | ((events & EPOLLOUT) != 0 ? LOOP_WRITE : 0) |
	    ((events & (EPOLLHUP | EPOLLERR)) != 0 ? LOOP_HANGUP : 0);
}

int
loop_io_add(struct loop *loop, struct loop_io *io, uint32_t events)
{
	struct epoll_event event = { .events = loop_to_epoll(events), .data.ptr = io };

	CHECK_OBJ(loop, LOOP_MAGIC);
	CHECK(io->fd >= 0 && io->ready != NULL);
	if (epoll_ctl(loop->fd, EPOLL_CTL_ADD, io->fd, &event) != 0)
		return -1;
	io->events = events;
	return 0;
}

void
loop_io_set(struct loop *loop, struct loop_io *io, uint32_t events)
{
	struct epoll_event event = { .events = loop_to_epoll(events), .data.ptr = io };

	CHECK_OBJ(loop, LOOP_MAGIC);
	if (io->events == events)
		return;
	/* It is watched, so this can only fail for want of kernel memory, which MOD does not take. */
	CHECK(epoll_ctl(loop->fd, EPOLL_CTL_MOD, io->fd, &event) == 0);
	io->events = events;
}

void
loop_io_remove(struct loop *loop, struct loop_io *io)
{
	CHECK_OBJ(loop, LOOP_MAGIC);
	CHECK(epoll_ctl(loop->fd, EPOLL_CTL_DEL, io->fd, NULL) == 0);
	io->events = 0;
	for (int i = loop->delivered; i < loop->fetched; i++)
		if (loop->events[i].data.ptr == io)
			loop->events[i].data.ptr = NULL;
}

bool
loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t deadline)
{
	CHECK_OBJ(loop, LOOP_MAGIC);
	return loop_heap_set(&loop->heap, timer, deadline);
}

void
loop_timer_stop(struct loop *loop, struct loop_timer *timer)
{
	CHECK_OBJ(loop, LOOP_MAGIC);
	loop_heap_stop(&loop->heap, timer);
}

/* epoll counts in milliseconds; rounding up, so that a timer is due when the wait is over. */
static int
loop_milliseconds(int64_t ns)
{
	int64_t ms;

	if (ns < 0)
		return -1;
	ms = ns / LOOP_MILLISECOND + (ns % LOOP_MILLISECOND != 0 ? 1 : 0);
	return ms > INT_MAX ? INT_MAX : (int)ms;
}

/* Calls what was fetched; anything may be added or removed meanwhile. */
static int
loop_deliver(struct loop *loop)
{
	int called = 0;

	while (loop->delivered < loop->fetched) {
		struct epoll_event event = loop->events[loop->delivered++];
		struct loop_io *io = event.data.ptr;

		if (io == NULL)
			continue;
		io->ready(io, loop_from_epoll(event.events));
		called++;
	}
	loop->delivered = loop->fetched = 0;
	return called;
}

int
loop_wait(struct loop *loop, int64_t timeout_ns)
{
	int64_t wait;
	int called;
	int n;

	CHECK_OBJ(loop, LOOP_MAGIC);
	CHECK(loop->fetched == 0); /* not from within a callback */
	wait = timeout_ns == 0 || loop->heap.count == 0 ? timeout_ns : loop_heap_wait(&loop->heap, clock_monotonic(), timeout_ns);
	n = epoll_wait(loop->fd, loop->events, LOOP_EVENTS, loop_milliseconds(wait));
	if (n < 0 && errno != EINTR)
		return -1;
	loop->now = clock_monotonic();
	loop->fetched = n > 0 ? n : 0;
	called = loop_deliver(loop);
	if (loop_heap_next(&loop->heap) <= loop->now)
		called += loop_heap_fire(&loop->heap, loop->now);
	return called;
}

int64_t
loop_now(const struct loop *loop)
{
	CHECK_OBJ(loop, LOOP_MAGIC);
	return loop->now;
}

int64_t
loop_update_now(struct loop *loop)
{
	CHECK_OBJ(loop, LOOP_MAGIC);
	loop->now = clock_monotonic();
	return loop->now;
}

int64_t
loop_next_deadline(const struct loop *loop)
{
	CHECK_OBJ(loop, LOOP_MAGIC);
	return loop_heap_next(&loop->heap);
}

size_t
loop_timer_count(const struct loop *loop)
{
	CHECK_OBJ(loop, LOOP_MAGIC);
	return loop->heap.count;
}

static void
loop_signals_ready(struct loop_io *io, uint32_t events)
{
	struct loop_signals *signals = io->arg;
	struct signalfd_siginfo info;

	(void)events;
	/* One per call: the callback may close the signals. */
	if (read(io->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		signals->caught(signals, (int)info.ssi_signo, (pid_t)info.ssi_pid);
}

int
loop_signals_open(struct loop *loop, struct loop_signals *signals, const sigset_t *mask)
{
	CHECK(signals->caught != NULL);
	if (sigprocmask(SIG_BLOCK, mask, NULL) != 0)
		return -1;
	signals->io.fd = signalfd(-1, mask, SFD_NONBLOCK | SFD_CLOEXEC);
	if (signals->io.fd < 0)
		return -1;
	signals->io.ready = loop_signals_ready;
	signals->io.arg = signals;
	if (loop_io_add(loop, &signals->io, LOOP_READ) != 0) {
		int saved = errno;

		close(signals->io.fd);
		signals->io.fd = -1;
		errno = saved;
		return -1;
	}
	return 0;
}

void
loop_signals_close(struct loop *loop, struct loop_signals *signals)
{
	if (signals->io.fd < 0)
		return;
	loop_io_remove(loop, &signals->io);
	close(signals->io.fd);
	signals->io.fd = -1;
}
