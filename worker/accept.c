/*
 * Listeners and fair shares. All workers hold the same listening sockets; a worker watches them only while its number of
 * connections is not much above the smallest of all workers (their counters pages tell), so a new connection goes to one of
 * the least loaded. A worker that stops watching rings the bell of the least loaded one, so that somebody always watches.
 * Should the least loaded one hang (or lie about its number), another takes what waits after ACCEPT_PATIENCE.
 * At most ACCEPT_SLACK plus one in ACCEPT_SHARE connections lie between any two workers that accept.
 */
#include "worker.h"

#include <sys/socket.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

enum {
	ACCEPT_SLACK = 2,  /* connections that a worker may have more than another ... */
	ACCEPT_SHARE = 50, /* ... plus one for so many that the other has */
	ACCEPT_BURST = 64  /* taken in one go */
};

#define ACCEPT_PATIENCE (50 * LOOP_MILLISECOND)
#define ACCEPT_REST (10 * LOOP_MILLISECOND)

/* The smallest number of connections among the other workers that are up, and whose it is; -1: there are none. */
static int
accept_least(const struct worker *worker, uint64_t *connections)
{
	const struct counters *page;
	uint64_t value;
	unsigned i;
	int least = -1;

	for (i = 0; i < worker->role->workers; i++) {
		page = worker->role->all_counters[i];
		if (i == worker->role->index || page == NULL || !(worker->mesh->up & UINT64_C(1) << i))
			continue;
		value = COUNTERS_GET(page, connections);
		if (least == -1 || value < *connections) {
			*connections = value;
			least = (int)i;
		}
	}
	return least;
}

static bool
accept_my_turn(const struct worker *worker, int *least)
{
	uint64_t mine = COUNTERS_GET(worker->counters, connections), other = 0;

	*least = accept_least(worker, &other);
	return *least == -1 || mine <= other + ACCEPT_SLACK + other / ACCEPT_SHARE;
}

static void
accept_watch(struct worker *worker, bool watch)
{
	unsigned i;

	if (worker->listening == watch)
		return;
	worker->listening = watch;
	for (i = 0; i < worker->role->listener_count; i++)
		if (worker->role->listeners[i].kind == LISTENER_CLIENT)
			loop_io_set(worker->loop, &worker->listen_ios[i], watch ? LOOP_READ : 0);
}

static void accept_patience(struct loop_timer *timer);
static void accept_rested(struct loop_timer *timer);

/* Out of descriptors a moment ago? */
static bool
accept_resting(const struct worker *worker)
{
	return loop_timer_is_set(&worker->accept_timer) && worker->accept_timer.fire == accept_rested;
}

void
accept_balance(struct worker *worker)
{
	int least;

	if (worker->listen_ios == NULL || worker->lame_duck || worker->draining || accept_resting(worker))
		return;
	if (accept_my_turn(worker, &least)) {
		loop_timer_stop(worker->loop, &worker->accept_timer);
		accept_watch(worker, true);
		return;
	}
	if (!worker->listening && loop_timer_is_set(&worker->accept_timer))
		return;
	if (worker->listening) {
		accept_watch(worker, false);
		mesh_wake(worker->mesh, (unsigned)least);
	}
	worker->accept_timer.fire = accept_patience;
	(void)loop_timer_set(worker->loop, &worker->accept_timer, loop_now(worker->loop) + ACCEPT_PATIENCE);
}

/* Out of descriptors or memory: the listener rests until a connection closes or a moment has passed. */
static void
accept_failed(struct worker *worker, int error)
{
	if (error == EAGAIN || error == EWOULDBLOCK || error == EINTR || error == ECONNABORTED)
		return;
	COUNTERS_ADD(worker->counters, accept_paused, 1);
	log_error("Temporary Client Accept Error (%s), sleeping 10ms", strerror(error));
	accept_watch(worker, false);
	worker->accept_timer.fire = accept_rested;
	if (!loop_timer_set(worker->loop, &worker->accept_timer, loop_now(worker->loop) + ACCEPT_REST))
		accept_watch(worker, true);
}

static void
accept_rested(struct loop_timer *timer)
{
	accept_balance(timer->arg);
}

/* Takes one connection; false: none was there, or none can be taken now. */
static bool
accept_one(struct worker *worker, int listener)
{
	struct sockaddr_storage peer;
	socklen_t length = sizeof(peer);
	int fd = accept4(listener, (struct sockaddr *)&peer, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd == -1) {
		accept_failed(worker, errno);
		return false;
	}
	if (!client_create(worker, fd, &peer))
		(void)close(fd);
	return true;
}

static void
accept_ready(struct loop_io *io, uint32_t events)
{
	struct worker *worker = io->arg;
	int burst, least;

	(void)events;
	if (worker->behind)
		return;
	for (burst = 0; burst < ACCEPT_BURST && accept_my_turn(worker, &least); burst++)
		if (!accept_one(worker, io->fd))
			return;
	accept_balance(worker);
}

/* It was not our turn for a while: what waits all the same is taken, one at a time. */
static void
accept_patience(struct loop_timer *timer)
{
	struct worker *worker = timer->arg;
	unsigned i;

	if (worker->listen_ios == NULL)
		return;
	for (i = 0; i < worker->role->listener_count; i++)
		if (worker->role->listeners[i].kind == LISTENER_CLIENT && !worker->listening)
			(void)accept_one(worker, worker->listen_ios[i].fd);
	accept_balance(worker);
}

void
accept_start(struct worker *worker)
{
	struct role *role = worker->role;
	unsigned i;

	CHECK(worker->listen_ios == NULL);
	worker->listen_ios = memory_array(role->listener_count + 1, sizeof(*worker->listen_ios));
	CHECK(worker->listen_ios != NULL);
	worker->accept_timer.arg = worker;
	for (i = 0; i < role->listener_count; i++) {
		if (role->listeners[i].kind != LISTENER_CLIENT)
			continue;
		worker->listen_ios[i].fd = role->listeners[i].fd;
		worker->listen_ios[i].ready = accept_ready;
		worker->listen_ios[i].arg = worker;
		CHECK(loop_io_add(worker->loop, &worker->listen_ios[i], 0) == 0);
	}
	accept_balance(worker);
}

/* The descriptors go even where they were never watched: a connection must not wait in a queue that nobody empties. */
void
accept_stop(struct worker *worker)
{
	struct role *role = worker->role;
	unsigned i;

	loop_timer_stop(worker->loop, &worker->accept_timer);
	for (i = 0; i < role->listener_count; i++)
		if (role->listeners[i].kind == LISTENER_CLIENT && role->listeners[i].fd != -1) {
			if (worker->listen_ios != NULL)
				loop_io_remove(worker->loop, &worker->listen_ios[i]);
			(void)close(role->listeners[i].fd);
			role->listeners[i].fd = -1;
		}
	memory_free(worker->listen_ios);
	worker->listen_ios = NULL;
	worker->listening = false;
}
