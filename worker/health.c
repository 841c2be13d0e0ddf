/*
 * Deadlines of a connection: login, pings, write deadline, stall of a fast publisher. Times and texts as nats-server's
 * (client.go processPingTimer, handleWriteTimeout, stalledWait).
 */
#include "worker.h"

#include "base/text.h"

static void
health_arm(struct client *client, struct loop_timer *timer, void (*fire)(struct loop_timer *), int64_t delay)
{
	timer->fire = fire;
	timer->arg = client;
	if (!loop_timer_set(client->worker->loop, timer, loop_now(client->worker->loop) + delay))
		client_close(client, CLOSED_STALE_CONNECTION);
}

static void
health_login_late(struct loop_timer *timer)
{
	struct client *client = timer->arg;

	CHECK_OBJ(client, CLIENT_MAGIC);
	COUNTERS_ADD(client->worker->counters, auth_timeouts, 1);
	client_error(client, "Authentication Timeout");
	client_debug(client, "Authentication Timeout");
	client_close(client, CLOSED_AUTHENTICATION_TIMEOUT);
}

void
health_login_deadline(struct client *client)
{
	health_arm(client, &client->timer, health_login_late, client->worker->config->auth_timeout);
}

static void
health_stale(struct client *client)
{
	client_debug(client, "Stale Client Connection - Closing");
	client_put_text(client, "-ERR 'Stale Connection'\r\n");
	client_close(client, CLOSED_STALE_CONNECTION);
}

static void
health_send_ping(struct client *client, int64_t now)
{
	client->ping_sent = now;
	client->pings_out++;
	if (client->trace && log_level_trace)
		client_trace(client, "->>", "PING", NULL, 0);
	client_put(client, "PING\r\n", 6);
}

static void
health_ping_due(struct loop_timer *timer)
{
	struct client *client = timer->arg;
	const struct worker_config *config = client->worker->config;
	int64_t now = loop_now(client->worker->loop), idle = now - client->last_input;
	bool need_rtt = client->rtt == 0 || now - client->ping_sent > CLIENT_RTT_INTERVAL;
	char text[32];

	CHECK_OBJ(client, CLIENT_MAGIC);
	client_debug(client, "Client Ping Timer");
	if (idle < config->ping_interval && !need_rtt) {
		(void)text_duration_format(text, sizeof(text), (idle + LOOP_SECOND / 2) / LOOP_SECOND * LOOP_SECOND);
		client_debug(client, "Delaying PING due to remote client data or ping %s ago", text);
	} else {
		if (client->pings_out + 1 > config->ping_max) {
			health_stale(client);
			return;
		}
		health_send_ping(client, now);
	}
	health_ping_later(client);
}

void
health_ping_later(struct client *client)
{
	if (client->state != CLIENT_CLOSING)
		health_arm(client, &client->timer, health_ping_due, client->worker->config->ping_interval);
}

void
health_first_ping(struct client *client)
{
	int64_t delay = client->worker->config->ping_interval;

	if (delay > CLIENT_FIRST_PING)
		delay = CLIENT_FIRST_PING;
	if (delay >= 5)
		delay += (int64_t)(random_fast() % (uint64_t)(delay / 5));
	health_arm(client, &client->timer, health_ping_due, delay);
}

void
health_pong(struct client *client)
{
	client->pings_out = 0;
	if (client->ping_sent != 0)
		client->rtt = clock_monotonic() - client->ping_sent;
}

/* ---- the write deadline ---- */

static void
health_write_late(struct loop_timer *timer)
{
	struct client *client = timer->arg;
	struct worker *worker = client->worker;
	char text[32];
	bool close = worker->config->write_timeout != OPTIONS_WRITE_TIMEOUT_RETRY || client->write_goal >= client->output.pending;

	CHECK_OBJ(client, CLIENT_MAGIC);
	if (!client->connected && worker->policy.required) {
		client_close(client, CLOSED_SLOW_CONSUMER_WRITE_DEADLINE);
		return;
	}
	COUNTERS_ADD(worker->counters, slow_consumers, 1);
	COUNTERS_ADD(worker->counters, slow_consumers_deadline, 1);
	(void)text_duration_format(text, sizeof(text), worker->config->write_deadline);
	client_log(LOG_LEVEL_NOTICE, client, "Slow Consumer %s: WriteDeadline of %s exceeded with %u chunks of %zu total bytes.",
	    client->slow ? "State" : "Detected", text, output_parts(&client->output), client->output.pending);
	if (close) {
		client_close(client, CLOSED_SLOW_CONSUMER_WRITE_DEADLINE);
		return;
	}
	client->slow = true;
	health_write_blocked(client);
}

void
health_write_blocked(struct client *client)
{
	client->write_goal = client->output.pending;
	health_arm(client, &client->write_timer, health_write_late, client->worker->config->write_deadline);
}

void
health_write_progress(struct client *client, size_t written)
{
	if (written < client->write_goal)
		client->write_goal -= written;
	else
		health_write_blocked(client);
}

void
health_write_done(struct client *client)
{
	loop_timer_stop(client->worker->loop, &client->write_timer);
	client->slow = false;
}

/* ---- a fast publisher is held ---- */

static void
health_stall_over(struct loop_timer *timer)
{
	struct client *client = timer->arg;

	CHECK_OBJ(client, CLIENT_MAGIC);
	client_watch(client);
}

void
health_stall(struct client *client)
{
	health_arm(client, &client->stall_timer, health_stall_over, CLIENT_STALL_SHORT);
	client_watch(client);
}
