/*
 * What master and authd say to this worker, and what it says to them. One row per message of authd; master's common ones
 * are done by ipc/role.c. An odd message from either ends this process: they are more trusted than we are.
 */
#include "worker.h"

#include <string.h>

#include "base/memory.h"

static void control_authd_ready(struct loop_io *io, uint32_t events);

static void
control_watch(struct worker *worker, struct loop_io *io, const struct channel *channel)
{
	if (io->fd >= 0)
		loop_io_set(worker->loop, io, LOOP_READ | (channel_waiting(channel) ? LOOP_WRITE : 0));
}

/* ---- authd ---- */

static bool
control_policy(struct worker *worker, const struct channel_frame *frame)
{
	struct message_auth_policy policy;

	if (!message_auth_policy_read(frame, &policy))
		return false;
	session_policy(worker, &policy);
	return true;
}

static bool
control_reply(struct worker *worker, const struct channel_frame *frame)
{
	struct message_auth_reply reply;

	if (!message_auth_reply_read(frame, &reply))
		return false;
	session_reply(worker, &reply);
	return true;
}

static bool
control_permissions(struct worker *worker, const struct channel_frame *frame)
{
	struct message_auth_permissions part;

	if (!message_auth_permissions_read(frame, &part))
		return false;
	session_permissions(worker, &part);
	return true;
}

static bool
control_forget(struct worker *worker, const struct channel_frame *frame)
{
	struct message_auth_forget forget;

	if (!message_auth_forget_read(frame, &forget))
		return false;
	session_forget(worker, forget.permissions);
	return true;
}

static bool
control_revoke(struct worker *worker, const struct channel_frame *frame)
{
	struct message_auth_revoke revoke;

	if (!message_auth_revoke_read(frame, &revoke))
		return false;
	session_revoke(worker, &revoke);
	return true;
}

static bool
control_account(struct worker *worker, const struct channel_frame *frame)
{
	struct message_account account;

	return message_account_read(frame, &account) && broker_account(worker->broker, account.account) != NULL;
}

static bool
control_grant(struct worker *worker, const struct channel_frame *frame)
{
	struct message_account_grant grant;

	if (!message_account_grant_read(frame, &grant) || grant.member >= MESH_MEMBERS_MAX)
		return false;
	broker_grant(worker->broker, grant.account, grant.member);
	return true;
}

struct control_row {
	unsigned type;
	bool (*handle)(struct worker *, const struct channel_frame *);
};

static const struct control_row control_rows[] = {
	{ MESSAGE_AUTH_POLICY, control_policy },
	{ MESSAGE_AUTH_REPLY, control_reply },
	{ MESSAGE_AUTH_PERMISSIONS, control_permissions },
	{ MESSAGE_AUTH_FORGET, control_forget },
	{ MESSAGE_AUTH_REVOKE, control_revoke },
	{ MESSAGE_ACCOUNT, control_account },
	{ MESSAGE_ACCOUNT_GRANT, control_grant },
};

static void
control_dispatch(struct worker *worker, struct channel_frame *frame)
{
	size_t i;

	for (i = 0; i < sizeof(control_rows) / sizeof(control_rows[0]); i++)
		if (control_rows[i].type == frame->type) {
			if (control_rows[i].handle(worker, frame))
				return;
			break;
		}
	log_error("odd message %s from authd", message_type_name(frame->type));
	role_leave(1);
}

static void
control_authd_gone(struct worker *worker)
{
	if (worker->authd_io.fd == -1)
		return;
	loop_io_remove(worker->loop, &worker->authd_io);
	worker->authd_io.fd = -1;
	channel_close(&worker->role->authd);
}

static void
control_poll_authd(struct worker *worker)
{
	enum channel_result result;

	while (worker->authd_io.fd != -1) {
		result = channel_receive(&worker->role->authd, worker->authd_frame);
		if (result == CHANNEL_EMPTY)
			return;
		if (result != CHANNEL_FRAME) {
			control_authd_gone(worker);
			return;
		}
		control_dispatch(worker, worker->authd_frame);
		channel_frame_close(worker->authd_frame);
	}
}

static void
control_authd_ready(struct loop_io *io, uint32_t events)
{
	struct worker *worker = io->arg;

	worker_awake(worker);
	if ((events & LOOP_WRITE) && !channel_flush(&worker->role->authd))
		control_authd_gone(worker);
	control_poll_authd(worker);
	control_watch(worker, &worker->authd_io, &worker->role->authd);
	worker_open(worker);
}

bool
control_granted(void *arg, unsigned member, uint32_t account)
{
	(void)member;
	(void)account;
	control_poll_authd(arg);
	return true;
}

static struct message_text
control_text(const struct nats_text *text)
{
	struct message_text out = { text->at, text->at == NULL ? 0 : text->length };

	return out;
}

void
control_ask(struct client *client, const struct nats_connect *connect)
{
	struct worker *worker = client->worker;
	struct message_auth_request request;
	char address[INET6_ADDRSTRLEN];

	client_address_text(client, address, sizeof(address));
	memset(&request, 0, sizeof(request));
	request.client_index = client->index;
	request.client_generation = client->generation;
	request.client_id = client->id;
	request.kind = LISTENER_CLIENT;
	request.address = message_text(address);
	request.user = control_text(&connect->user);
	request.password = control_text(&connect->pass);
	request.token = control_text(&connect->auth_token);
	request.nkey = control_text(&connect->nkey);
	request.signature = control_text(&connect->sig);
	request.name = control_text(&connect->name);
	request.nonce = message_text(client->nonce);
	COUNTERS_ADD(worker->counters, auth_requests, 1);
	if (worker->authd_io.fd == -1)
		return; /* asked again when authd is back, see control_ask_again */
	if (!message_auth_request_send(&worker->role->authd, &request, NULL, 0)) {
		if (worker->role->authd.broken)
			control_authd_gone(worker);
		else
			session_violation(client, CLOSED_AUTHENTICATION_VIOLATION); /* does not fit into a frame */
		return;
	}
	control_watch(worker, &worker->authd_io, &worker->role->authd);
}

void
control_cancel(struct client *client)
{
	struct worker *worker = client->worker;
	struct message_auth_cancel cancel = { client->index, client->generation };

	if (worker->authd_io.fd != -1)
		(void)message_auth_cancel_send(&worker->role->authd, &cancel, NULL, 0);
}

static void
control_ask_again(struct client *client, void *arg)
{
	(void)arg;
	if (client->state == CLIENT_ASKED)
		control_ask(client, client->connect);
}

static void
control_authd_up(struct worker *worker)
{
	worker->authd_io.fd = worker->role->authd.fd;
	worker->authd_io.ready = control_authd_ready;
	worker->authd_io.arg = worker;
	CHECK(loop_io_add(worker->loop, &worker->authd_io, LOOP_READ) == 0);
	client_each(worker, control_ask_again, NULL);
}

/* ---- master ---- */

static void
control_before_replace(void *arg, int fd)
{
	struct worker *worker = arg;

	if (worker->authd_io.fd == fd) {
		loop_io_remove(worker->loop, &worker->authd_io);
		worker->authd_io.fd = -1;
	}
}

static void
control_trace(struct client *client, void *arg)
{
	(void)arg;
	client->trace = client->worker->config->trace;
}

static void
control_config(struct worker *worker)
{
	struct worker_config *old = role_take_old_config(worker->role);

	worker->config = worker->role->worker_config;
	snapshot_worker_free(old);
	client_each(worker, control_trace, NULL);
	worker->trims_left = WORKER_TRIMS;
	leave_trim_connections(worker);
	control_poll_authd(worker); /* what became of whose login comes before "Reloaded" */
	role_config_done(worker->role);
}

static void
control_lame_duck(struct worker *worker)
{
	struct message_lame_duck lame_duck;

	if (!message_lame_duck_read(worker->frame, &lame_duck))
		role_leave(1);
	leave_lame_duck(worker, lame_duck.duration_ns, lame_duck.grace_ns);
}

static void
control_master_event(struct worker *worker, enum role_event event, unsigned member)
{
	switch (event) {
	case ROLE_EVENT_NOTHING:
	case ROLE_EVENT_HANDLED:
	case ROLE_EVENT_WORKER: break;
	case ROLE_EVENT_CONFIG: control_config(worker); break;
	case ROLE_EVENT_AUTHD: control_authd_up(worker); break;
	case ROLE_EVENT_PEER_UP: broker_peer_up(worker->broker, member); break;
	case ROLE_EVENT_PEER_DOWN: broker_peer_down(worker->broker, member); break;
	case ROLE_EVENT_LAME_DUCK: control_lame_duck(worker); break;
	case ROLE_EVENT_DRAIN: leave_drain(worker); break;
	case ROLE_EVENT_GONE: role_leave(0);
	}
}

static void
control_master_ready(struct loop_io *io, uint32_t events)
{
	struct worker *worker = io->arg;
	enum role_event event;
	unsigned member;

	worker_awake(worker);
	if ((events & LOOP_WRITE) && !channel_flush(&worker->role->master))
		role_leave(0);
	do {
		event = role_receive(worker->role, worker->frame, &member, control_before_replace, worker);
		control_master_event(worker, event, member);
		channel_frame_close(worker->frame);
	} while (event != ROLE_EVENT_NOTHING);
	control_watch(worker, &worker->master_io, &worker->role->master);
	worker_open(worker);
}

void
control_status(struct worker *worker, enum worker_state state)
{
	struct message_status status = { (uint8_t)state, worker->client_count };

	(void)message_status_send(&worker->role->master, &status, NULL, 0);
	(void)channel_flush(&worker->role->master);
}

void
control_start(struct worker *worker)
{
	worker->frame = memory_zalloc(sizeof(*worker->frame));
	worker->authd_frame = memory_zalloc(sizeof(*worker->authd_frame));
	CHECK(worker->frame != NULL && worker->authd_frame != NULL);
	worker->master_io.fd = worker->role->master.fd;
	worker->master_io.ready = control_master_ready;
	worker->master_io.arg = worker;
	CHECK(loop_io_add(worker->loop, &worker->master_io, LOOP_READ) == 0);
	worker->authd_io.fd = -1;
	if (worker->role->authd.fd != -1)
		control_authd_up(worker);
}
