/*
 * natsd-worker: start and the turn. A turn drains the mesh, waits, lets the callbacks read and obey, then commits to the mesh
 * and only then writes to the sockets (ARCHITECTURE 2). Everything it needs comes over fd 3, see ipc/role.h.
 */
#include "worker.h"

#include <stdlib.h>

#include <sodium.h>

#include "base/memory.h"

#define WORKER_STUCK_PATIENCE (5 * LOOP_SECOND)

static bool
worker_record(void *arg, unsigned member, uint16_t kind, const uint8_t *body, size_t length, struct blob *blob)
{
	struct worker *worker = arg;

	if (!broker_record(worker->broker, member, kind, body, length, blob))
		return false;
	if (__builtin_expect(worker->finished_count > 0, 0))
		subscribe_finish(worker);
	return true;
}

void
worker_awake(struct worker *worker)
{
	if (worker->mesh->asleep)
		mesh_sleep_end(worker->mesh);
}

/* One drain within its budget. What it put for sockets is written in between, so that no receiver looks slow who only was not
 * served. */
static void
worker_drain_some(struct worker *worker)
{
	enum mesh_result result;
	unsigned times = 0;

	do {
		while ((result = mesh_drain(worker->mesh, WORKER_DRAIN_BUDGET)) == MESH_VIOLATION)
			role_violation(worker->role, (unsigned)worker->mesh->violator, worker->mesh->violation);
		if (result == MESH_BUDGET && worker->turn_output > WORKER_TURN_OUTPUT)
			worker_commit(worker);
	} while (result == MESH_BUDGET && ++times < WORKER_DRAIN_TIMES);
	worker->behind = result == MESH_BUDGET;
}

void
worker_drain(struct worker *worker)
{
	worker_awake(worker);
	worker_drain_some(worker);
	while (worker->behind) {
		worker_commit(worker);
		worker_drain_some(worker);
	}
}

void
worker_commit(struct worker *worker)
{
	(void)mesh_commit(worker->mesh);
	if (!LIST_EMPTY(&worker->held))
		client_release_held(worker);
	if (!LIST_EMPTY(&worker->paused) && worker->mesh->overflow_bytes == 0)
		client_resume_paused(worker);
	client_flush_touched(worker);
}

static void
worker_bell(struct loop_io *io, uint32_t events)
{
	struct worker *worker = io->arg;

	(void)events;
	worker_awake(worker);
	mesh_bell_clear(worker->mesh);
}

void
worker_open(struct worker *worker)
{
	if (worker->listen_ios == NULL && worker->policy_known && broker_is_synced(worker->broker) && !worker->lame_duck &&
	    !worker->draining) {
		accept_start(worker);
		control_status(worker, WORKER_ACCEPTING);
	}
}

static void
worker_synced(void *arg)
{
	worker_open(arg);
}

/* Nothing but this timer since the last time: what is spare goes back to the system, once. */
static void
worker_rest(struct worker *worker)
{
	if (!worker->trim)
		return;
	worker->trim = false;
	output_trim();
	blob_trim(0);
	mesh_trim(worker->mesh);
	memory_trim();
}

/* Numbers that others read from our page. */
static void
worker_sample(struct loop_timer *timer)
{
	struct worker *worker = timer->arg;
	const struct permission_counters *permissions = permission_counters();
	const struct mesh_counters *mesh = &worker->mesh->counters;
	int stuck = mesh_stuck(worker->mesh, loop_now(worker->loop), WORKER_STUCK_PATIENCE);

	if (stuck >= 0)
		role_violation(worker->role, (unsigned)stuck, "does not read its ring");
	leave_trim_connections(worker);
	counters_sample(worker->counters);
	COUNTERS_SET(worker->counters, permission_cache_hits, permissions->publish_hits + permissions->deny_hits);
	COUNTERS_SET(worker->counters, permission_cache_misses, permissions->publish_misses + permissions->deny_misses);
	COUNTERS_SET(worker->counters, ring_records_in, mesh->records_in);
	COUNTERS_SET(worker->counters, ring_records_out, mesh->records_out);
	COUNTERS_SET(worker->counters, ring_full, mesh->full);
	COUNTERS_SET(worker->counters, ring_overflow_bytes, worker->mesh->overflow_bytes);
	COUNTERS_SET(worker->counters, ring_violations, mesh->violations);
	COUNTERS_SET(worker->counters, bells, mesh->bells);
	COUNTERS_SET(worker->counters, log_dropped, log_dropped());
	if (COUNTERS_GET(worker->counters, turns) <= worker->turns_sampled + 1)
		worker_rest(worker);
	worker->turns_sampled = COUNTERS_GET(worker->counters, turns);
	CHECK(loop_timer_set(worker->loop, timer, loop_now(worker->loop) + LOOP_SECOND));
}

static void
worker_turn(struct worker *worker)
{
	int64_t timeout = LOOP_FOREVER;

	worker_drain_some(worker);
	worker_commit(worker);
	if (worker->behind || worker->closing != NULL || !mesh_sleep_begin(worker->mesh))
		timeout = 0;
	CHECK(loop_wait(worker->loop, timeout) >= 0);
	worker_awake(worker);
	(void)client_reap_subscriptions(worker);
	worker_commit(worker);
	if (worker->closing != NULL)
		client_reap(worker);
	accept_balance(worker);
	worker->trim = worker->trim || worker->turn_worked;
	worker->turn_worked = false;
	COUNTERS_ADD(worker->counters, turns, 1);
}

void
worker_finish(struct worker *worker)
{
	while (!client_reap_subscriptions(worker))
		continue;
	worker_commit(worker);
	client_reap(worker);
	control_status(worker, WORKER_DRAINED);
	role_leave(0);
}

static void
worker_init(struct worker *worker, struct role *role)
{
	struct broker_calls calls = { deliver_message, deliver_stall, worker_synced, control_granted, worker };

	worker->role = role;
	worker->config = role->worker_config;
	worker->counters = role->counters;
	worker->mesh = role->mesh;
	worker->next_id = role->client_id_start;
	worker->loop = loop_create();
	worker->read_buffer = memory_alloc(WORKER_READ_SIZE);
	worker->broker = broker_create(role->mesh, &calls, !role->worker_config->no_sublist_cache);
	CHECK(worker->loop != NULL && worker->read_buffer != NULL && worker->broker != NULL);
	CHECK(broker_account(worker->broker, BROKER_ACCOUNT_GLOBAL) != NULL);
	/* Every worker may speak for $G: one that starts while authd is away, or busy, has nobody to hear it from in time. */
	for (unsigned member = 0; member < role->workers; member++)
		broker_grant(worker->broker, BROKER_ACCOUNT_GLOBAL, member);
	map_init_u64(&worker->rights);
	LIST_INIT(&worker->held);
	LIST_INIT(&worker->paused);
}

int
main(int argc, char **argv)
{
	static struct worker the_worker;
	struct worker *worker = &the_worker;
	struct role *role = role_start(ROLE_WORKER, argc, argv, worker_record, worker);
	uint64_t members;

	if (sodium_init() == -1)
		role_leave(1);
	worker_init(worker, role);
	worker->bell_io.fd = mesh_bell_fd(worker->mesh);
	worker->bell_io.ready = worker_bell;
	worker->bell_io.arg = worker;
	CHECK(loop_io_add(worker->loop, &worker->bell_io, LOOP_READ) == 0);
	for (members = worker->mesh->up; members != 0; members &= members - 1)
		broker_peer_up(worker->broker, (unsigned)__builtin_ctzll(members));
	control_start(worker);
	monitor_start(worker);
	worker->sample_timer.fire = worker_sample;
	worker->sample_timer.arg = worker;
	CHECK(loop_timer_set(worker->loop, &worker->sample_timer, loop_now(worker->loop) + LOOP_SECOND));
	role_ready(role);
	worker_open(worker);
	for (;;)
		worker_turn(worker);
}
