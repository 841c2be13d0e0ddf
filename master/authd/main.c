/*
 * main.c: authd's start and loop.  Between any two password checks the loop looks at all channels once, so that cheap logins never
 * wait for more than one expensive one.
 */
#include "authd.h"

#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"

#define SAMPLE_INTERVAL LOOP_SECOND

struct authd authd;

static struct channel_frame frame;
static struct loop_timer sample_timer;

struct channel *
authd_channel(unsigned worker)
{
	struct channel *channel;

	CHECK(worker < AUTHD_WORKERS_MAX);
	channel = &authd.role->workers_channel[worker];
	return channel->fd >= 0 && !channel->broken ? channel : NULL;
}

void
authd_watch(unsigned worker)
{
	struct loop_io *io = &authd.worker_io[worker];
	struct channel *channel = authd_channel(worker);

	if (channel != NULL && io->fd == channel->fd)
		loop_io_set(authd.loop, io, LOOP_READ | (channel_waiting(channel) ? LOOP_WRITE : 0));
}

static void
worker_gone(unsigned worker)
{
	struct channel *channel = &authd.role->workers_channel[worker];

	if (authd.worker_io[worker].fd >= 0)
		loop_io_remove(authd.loop, &authd.worker_io[worker]);
	authd.worker_io[worker].fd = -1;
	if (channel->fd >= 0)
		channel_close(channel);
	passwords_cancel_worker(worker);
}

static bool
handle(unsigned worker)
{
	struct message_auth_request request;
	struct message_auth_cancel cancel;

	switch (frame.type) {
	case MESSAGE_AUTH_REQUEST:
		if (!message_auth_request_read(&frame, &request))
			return false;
		COUNTERS_ADD(authd.role->counters, auth_requests, 1);
		decide(worker, &request);
		return true;
	case MESSAGE_AUTH_CANCEL:
		if (!message_auth_cancel_read(&frame, &cancel))
			return false;
		passwords_cancel(&(const struct asker){ worker, cancel.client_index, cancel.client_generation });
		return true;
	default: return false;
	}
}

/* A bounded number of frames per turn, so that one worker's flood leaves room for the others. */
static void
worker_ready(struct loop_io *io, uint32_t events)
{
	unsigned worker = (unsigned)(io - authd.worker_io);
	struct channel *channel = authd_channel(worker);

	if (channel == NULL)
		return;
	if ((events & LOOP_WRITE) != 0)
		(void)channel_flush(channel);
	for (int i = 0; i < 64; i++) {
		enum channel_result result = channel_receive(channel, &frame);

		if (result == CHANNEL_EMPTY)
			break;
		if (result == CHANNEL_FRAME && handle(worker))
			continue;
		if (result != CHANNEL_CLOSED)
			role_violation(authd.role, worker, result == CHANNEL_FRAME ? "odd login message" : channel->reason);
		worker_gone(worker);
		return;
	}
	memory_wipe(frame.body, frame.length);
	authd_watch(worker);
}

static void
worker_new(unsigned worker)
{
	struct loop_io *io = &authd.worker_io[worker];

	passwords_cancel_worker(worker);
	*io = (struct loop_io){ .fd = authd.role->workers_channel[worker].fd, .ready = worker_ready };
	CHECK(loop_io_add(authd.loop, io, LOOP_READ) == 0);
	permissions_worker_new(worker);
	accounts_worker_new(worker);
	logins_tell_policy(worker);
}

static void
before_replace(void *arg, int fd)
{
	(void)arg;
	for (unsigned i = 0; i < AUTHD_WORKERS_MAX; i++)
		if (authd.worker_io[i].fd == fd) {
			loop_io_remove(authd.loop, &authd.worker_io[i]);
			authd.worker_io[i].fd = -1;
		}
}

static void
config_new(void)
{
	struct authd_config *old_config = role_take_old_authd_config(authd.role);
	struct logins old = authd.logins, fresh;

	permissions_reload_begin();
	if (!logins_load(authd.role->authd_config, &fresh)) {
		log_fatal("authd: out of memory for the users of the configuration");
		role_leave(1);
	}
	authd.logins = fresh;
	for (unsigned i = 0; i < AUTHD_WORKERS_MAX; i++)
		if (authd_channel(i) != NULL)
			logins_tell_policy(i);
	logins_revoke(&old, &authd.logins);
	permissions_reload_end();
	logins_free(&old);
	snapshot_authd_free(old_config);
	role_config_done(authd.role);
}

static void
master_ready(struct loop_io *io, uint32_t events)
{
	static struct channel_frame from_master;
	unsigned member;

	if ((events & LOOP_WRITE) != 0)
		(void)channel_flush(&authd.role->master);
	for (;;) {
		switch (role_receive(authd.role, &from_master, &member, before_replace, NULL)) {
		case ROLE_EVENT_NOTHING:
			loop_io_set(authd.loop, io, LOOP_READ | (channel_waiting(&authd.role->master) ? LOOP_WRITE : 0));
			return;
		case ROLE_EVENT_WORKER: worker_new(member); break;
		case ROLE_EVENT_CONFIG: config_new(); break;
		case ROLE_EVENT_DRAIN:
		case ROLE_EVENT_GONE: role_leave(0);
		default: break;
		}
	}
}

static void
sample(struct loop_timer *timer)
{
	counters_sample(authd.role->counters);
	CHECK(loop_timer_set(authd.loop, timer, loop_now(authd.loop) + SAMPLE_INTERVAL));
}

int
main(int argc, char **argv)
{
	authd.role = role_start(ROLE_AUTHD, argc, argv, NULL, NULL);
	authd.loop = loop_create();
	CHECK(authd.loop != NULL);
	if (!logins_load(authd.role->authd_config, &authd.logins)) {
		log_fatal("authd: out of memory for the users of the configuration");
		role_leave(1);
	}
	for (unsigned i = 0; i < AUTHD_WORKERS_MAX; i++) {
		authd.worker_io[i].fd = -1;
		if (authd_channel(i) != NULL)
			worker_new(i);
	}
	authd.master_io = (struct loop_io){ .fd = authd.role->master.fd, .ready = master_ready };
	CHECK(loop_io_add(authd.loop, &authd.master_io, LOOP_READ) == 0);
	sample_timer.fire = sample;
	sample(&sample_timer);
	role_ready(authd.role);
	for (;;) {
		CHECK(loop_wait(authd.loop, passwords_waiting() ? 0 : LOOP_FOREVER) >= 0);
		passwords_step();
	}
}
