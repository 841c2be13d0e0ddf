/*
 * Leaving in good order. Lame duck: no new connections, the clients hear it in INFO, and after the grace time they are closed
 * one by one over the duration (server.go lameDuckMode). Drain: nothing more is read, what waits is written, then all close.
 */
#include "worker.h"

#include "base/memory.h"

#define LEAVE_DRAIN_MOST (3 * LOOP_SECOND)        /* a client that does not read what waits for it is not waited for longer */
#define LEAVE_DRAIN_LEAST (20 * LOOP_MILLISECOND) /* what the other workers have for our clients still comes in */
#define LEAVE_DRAIN_LOOK (5 * LOOP_MILLISECOND)

struct leave {
	struct worker *worker;
	struct loop_timer timer;
	int64_t interval;
	int64_t deadline;
	int64_t earliest;
	uint32_t at; /* place in the client slots */
	uint32_t batch;
};

static struct leave *
leave_get(struct worker *worker)
{
	if (worker->leave == NULL) {
		worker->leave = memory_zalloc(sizeof(*worker->leave));
		CHECK(worker->leave != NULL);
		worker->leave->worker = worker;
		worker->leave->timer.arg = worker->leave;
	}
	return worker->leave;
}

static void
leave_arm(struct leave *leave, int64_t delay)
{
	CHECK(loop_timer_set(leave->worker->loop, &leave->timer, loop_now(leave->worker->loop) + delay));
}

static struct client *
leave_next(struct leave *leave)
{
	struct worker *worker = leave->worker;
	struct client *client;

	while (leave->at < worker->clients_size) {
		client = worker->clients[leave->at++].client;
		if (client != NULL && client->state != CLIENT_CLOSING)
			return client;
	}
	return NULL;
}

static void
leave_close_some(struct loop_timer *timer)
{
	struct leave *leave = timer->arg;
	struct client *client;
	uint32_t closed;

	for (closed = 0; closed < leave->batch; closed++) {
		if ((client = leave_next(leave)) == NULL) {
			control_status(leave->worker, WORKER_DRAINED);
			return;
		}
		client_close(client, CLOSED_SERVER_SHUTDOWN);
	}
	leave_arm(leave, leave->interval / 2 + (leave->interval > 1 ? (int64_t)(random_fast() % (uint64_t)leave->interval) : 0));
}

void
leave_lame_duck(struct worker *worker, int64_t duration, int64_t grace)
{
	struct leave *leave = leave_get(worker);

	if (worker->lame_duck || worker->draining)
		return;
	accept_stop(worker);
	worker->lame_duck = true;
	control_status(worker, WORKER_LAME_DUCK);
	if (worker->client_count == 0) {
		control_status(worker, WORKER_DRAINED);
		return;
	}
	inform_all(worker);
	if (grace < 0)
		grace = -grace;
	duration -= grace;
	if (duration <= 0)
		duration = LOOP_SECOND;
	leave->interval = duration / worker->client_count;
	leave->batch = 1;
	if (leave->interval > LOOP_SECOND)
		leave->interval = LOOP_SECOND;
	if (leave->interval < LOOP_MILLISECOND) {
		leave->batch = (uint32_t)(LOOP_MILLISECOND / (leave->interval > 0 ? leave->interval : 1));
		leave->interval = LOOP_MILLISECOND;
	}
	leave->timer.fire = leave_close_some;
	leave_arm(leave, grace);
}

static void
leave_count_pending(struct client *client, void *arg)
{
	*(size_t *)arg += client->output.pending;
}

static void
leave_close(struct client *client, void *arg)
{
	(void)arg;
	client_close(client, CLOSED_SERVER_SHUTDOWN);
}

static void
leave_drain_look(struct loop_timer *timer)
{
	struct leave *leave = timer->arg;
	struct worker *worker = leave->worker;
	int64_t now = loop_now(worker->loop);
	size_t pending = 0;

	client_each(worker, leave_count_pending, &pending);
	if (now < leave->earliest || (pending > 0 && now < leave->deadline)) {
		leave_arm(leave, LEAVE_DRAIN_LOOK);
		return;
	}
	client_each(worker, leave_close, NULL);
	worker_finish(worker);
}

static void
leave_stop_reading(struct client *client, void *arg)
{
	(void)arg;
	client_watch(client);
}

void
leave_drain(struct worker *worker)
{
	struct leave *leave = leave_get(worker);

	if (worker->draining)
		return;
	accept_stop(worker);
	worker->draining = true;
	client_each(worker, leave_stop_reading, NULL);
	leave->timer.fire = leave_drain_look;
	leave->earliest = loop_now(worker->loop) + (worker->client_count == 0 ? 0 : LEAVE_DRAIN_LEAST);
	leave->deadline = loop_now(worker->loop) + LEAVE_DRAIN_MOST;
	leave_arm(leave, 0);
}

/*
 * max_connections was lowered: all workers see the same numbers and close their shares of what is too much, the first ones
 * one more each, as far as the division leaves a rest.
 */
static uint64_t
leave_share(const struct worker *worker, uint64_t most)
{
	uint64_t counts[MESH_MEMBERS_MAX], total = 0, over, rest, share = 0;
	unsigned i;

	for (i = 0; i < worker->role->workers; i++) {
		counts[i] = worker->role->all_counters[i] == NULL ? 0 : COUNTERS_GET(worker->role->all_counters[i], connections);
		total += counts[i];
	}
	if (total <= most)
		return 0;
	rest = over = total - most;
	for (i = 0; i < worker->role->workers; i++)
		rest -= over * counts[i] / total;
	for (i = 0; i <= worker->role->index; i++) {
		share = over * counts[i] / total;
		if (rest > 0 && share < counts[i]) {
			share++;
			rest--;
		}
	}
	return share;
}

/*
 * The workers do this at slightly different moments, so one may see what another has closed already and close less than its
 * share: looked at a few times more (worker->trims_left, each second).
 */
void
leave_trim_connections(struct worker *worker)
{
	struct client *client;
	uint64_t over;
	uint32_t i;

	if (worker->config->max_connections <= 0 || worker->trims_left == 0)
		return;
	worker->trims_left--;
	over = leave_share(worker, (uint64_t)worker->config->max_connections);
	for (i = 0; i < worker->clients_size && over > 0; i++)
		if ((client = worker->clients[i].client) != NULL && client->state != CLIENT_CLOSING) {
			client_error(client, "maximum connections exceeded");
			client_close(client, CLOSED_MAX_CONNECTIONS_EXCEEDED);
			over--;
		}
}
