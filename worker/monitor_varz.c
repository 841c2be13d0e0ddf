/*
 * /varz: what nats-server shows of a server without JetStream, clusters and the like, in its order and format (monitor.go struct
 * Varz), the counters of all processes added up, and what our sandbox consists of at the end. Numbers of other processes are only
 * shown.
 */
#include "monitor.h"

#include <sys/sysinfo.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"

enum {
	VARZ_TLS_TIMEOUT = 2, /* seconds, nats-server's default: TLS is not there yet */
	VARZ_INDENT = 2
};

#define VARZ_SUM(monitor, name) varz_sum(monitor, offsetof(struct counters, name) / sizeof(uint64_t))

/* The counter over all processes. */
static uint64_t
varz_sum(const struct monitor *monitor, size_t row)
{
	const struct role *role = monitor->worker->role;
	const struct counters *page;
	uint64_t sum = 0;
	size_t i;

	CHECK_OBJ(monitor, MONITOR_MAGIC);
	CHECK(role->counters != NULL);
	for (i = 0; i < sizeof(role->all_counters) / sizeof(role->all_counters[0]); i++) {
		page = i == role->index ? role->counters : role->all_counters[i];
		if (page != NULL)
			sum += counters_value(page, row);
	}
	return sum;
}

/* Asked for before main(), since a worker in its sandbox cannot. */
static int varz_processors;

static __attribute__((constructor)) void
varz_count_processors(void)
{
	varz_processors = get_nprocs();
}

/* ---- processor use: tenths of a percent over the last second, as pse samples it ---- */

static void
varz_usage(struct loop_timer *timer)
{
	struct monitor *monitor = timer->arg;
	struct loop *loop = monitor->worker->loop;
	uint64_t used = VARZ_SUM(monitor, cpu_ns);
	int64_t now = loop_now(loop), passed = now - monitor->usage_at;

	if (passed > 0 && used >= monitor->usage_ns)
		monitor->usage_tenths = (used - monitor->usage_ns) * 1000 / (uint64_t)passed;
	monitor->usage_ns = used;
	monitor->usage_at = now;
	CHECK(loop_timer_set(loop, timer, now + LOOP_SECOND));
}

void
monitor_usage_start(struct monitor *monitor)
{
	struct loop *loop = monitor->worker->loop;

	monitor->usage_timer.fire = varz_usage;
	monitor->usage_timer.arg = monitor;
	monitor->usage_at = loop_now(loop);
	CHECK(loop_timer_set(loop, &monitor->usage_timer, loop_now(loop) + LOOP_SECOND));
}

/* ---- values as Go writes them ---- */

/* RFC 3339 in UTC, without zeros at the end of the fraction. */
static void
varz_time(struct json_writer *json, const char *key, int64_t wall)
{
	time_t seconds = (time_t)(wall / LOOP_SECOND);
	char text[48], date[32];
	struct tm tm;
	int n;

	if (wall < 0 || gmtime_r(&seconds, &tm) == NULL || strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm) == 0)
		date[0] = '\0';
	n = snprintf(text, sizeof(text), "%s.%09d", date, (int)(wall % LOOP_SECOND));
	CHECK(n > 0 && (size_t)n < sizeof(text));
	while (text[n - 1] == '0')
		n--;
	if (text[n - 1] == '.')
		n--;
	(void)snprintf(text + n, sizeof(text) - (size_t)n, "Z");
	json_member_string(json, key, text);
}

/* monitor.go myUptime. */
static void
varz_uptime(struct json_writer *json, const char *key, int64_t ns)
{
	long long seconds = ns > 0 ? ns / LOOP_SECOND : 0, minutes = seconds / 60, hours = minutes / 60, days = hours / 24,
		  years = days / 365;
	char text[64];
	size_t at = 0;

	if (years > 0)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%lldy", years);
	if (days > 0)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%lldd", days % 365);
	if (hours > 0)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%lldh", hours % 24);
	if (minutes > 0)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%lldm", minutes % 60);
	CHECK(at < sizeof(text) - 4);
	(void)snprintf(text + at, sizeof(text) - at, "%llds", seconds % 60);
	json_member_string(json, key, text);
}

static void
varz_texts(struct json_writer *json, const char *key, const struct snapshot_texts *texts)
{
	uint32_t i;

	if (texts->count == 0)
		return;
	json_key(json, key);
	json_array_begin(json);
	for (i = 0; i < texts->count; i++)
		json_string(json, texts->items[i]);
	json_array_end(json);
}

static void
varz_empty(struct json_writer *json, const char *key)
{
	json_key(json, key);
	json_object_begin(json);
	json_object_end(json);
}

static int
varz_pair_order(const void *a, const void *b)
{
	const struct snapshot_pair *left = a, *right = b;

	return strcmp(left->name, right->name);
}

/* A map: by name. */
static void
varz_metadata(struct json_writer *json, const struct snapshot_pairs *pairs)
{
	struct snapshot_pair *sorted;
	uint32_t i;

	if (pairs->count == 0 || (sorted = memory_array(pairs->count, sizeof(*sorted))) == NULL)
		return;
	memcpy(sorted, pairs->items, pairs->count * sizeof(*sorted));
	qsort(sorted, pairs->count, sizeof(*sorted), varz_pair_order);
	json_key(json, "metadata");
	json_object_begin(json);
	for (i = 0; i < pairs->count; i++)
		json_member_string(json, sorted[i].name, sorted[i].value);
	json_object_end(json);
	memory_free(sorted);
}

/* All flags that nats-server has (feature_flags.go), as configured or by default. */
static void
varz_feature_flags(struct json_writer *json, const struct snapshot_pairs *pairs)
{
	static const struct {
		const char *name;
		bool on;
	} flags[] = {
		{ "js_ack_fc_v2", false },
		{ "js_api_reply_v2", false },
		{ "js_raft_delete_range", true },
		{ "js_snapshot_sources", false },
	};
	uint32_t i, p;
	bool on;

	json_key(json, "feature_flags");
	json_object_begin(json);
	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		on = flags[i].on;
		for (p = 0; p < pairs->count; p++)
			if (strcmp(pairs->items[p].name, flags[i].name) == 0)
				on = strcmp(pairs->items[p].value, "true") == 0;
		json_member_bool(json, flags[i].name, on);
	}
	json_object_end(json);
}

/* By kind of connection: clients are all that there is yet. */
static void
varz_by_kind(struct json_writer *json, const char *key, uint64_t clients)
{
	json_key(json, key);
	json_object_begin(json);
	json_member_u64(json, "clients", clients);
	json_member_u64(json, "routes", 0);
	json_member_u64(json, "gateways", 0);
	json_member_u64(json, "leafs", 0);
	json_object_end(json);
}

/* ---- the page, part by part ---- */

static void
varz_identity(struct json_writer *json, const struct worker *worker)
{
	const struct worker_config *config = worker->config;
	bool advertise = config->advertise_host[0] != '\0';

	json_member_string(json, "server_id", config->server_id);
	json_member_string(json, "server_name", config->server_name);
	json_member_string(json, "version", config->version);
	json_member_u64(json, "proto", 1);
	json_some_string(json, "git_commit", config->git_commit);
	json_member_string(json, "go", config->go);
	json_member_string(json, "host", advertise ? config->advertise_host : config->host);
	json_member_i64(json, "port", advertise ? config->advertise_port : config->port);
	json_some_bool(json, "auth_required", worker->policy.required);
}

static void
varz_options(struct json_writer *json, const struct worker_config *config)
{
	static const char *const absent[] = { "cluster", "gateway", "leaf", "mqtt", "websocket", "jetstream" };
	static const char *const write_timeouts[] = {
		[OPTIONS_WRITE_TIMEOUT_DEFAULT] = "",
		[OPTIONS_WRITE_TIMEOUT_CLOSE] = "close",
		[OPTIONS_WRITE_TIMEOUT_RETRY] = "retry",
	};
	size_t i;

	json_member_i64(json, "max_connections", config->max_connections);
	json_some_i64(json, "max_subscriptions", config->max_subscriptions);
	json_member_i64(json, "ping_interval", config->ping_interval);
	json_member_i64(json, "ping_max", config->ping_max);
	json_member_string(json, "http_host", config->http_host);
	json_member_i64(json, "http_port", config->http_port);
	json_member_string(json, "http_base_path", config->http_base_path);
	json_member_i64(json, "https_port", 0);
	json_member_double(json, "auth_timeout", (double)config->auth_timeout / (double)LOOP_SECOND);
	json_member_i64(json, "max_control_line", config->max_control_line);
	json_member_i64(json, "max_payload", config->max_payload);
	json_member_i64(json, "max_pending", config->max_pending);
	for (i = 0; i < sizeof(absent) / sizeof(absent[0]); i++)
		varz_empty(json, absent[i]);
	json_member_u64(json, "tls_timeout", VARZ_TLS_TIMEOUT);
	json_member_i64(json, "write_deadline", config->write_deadline);
	if (config->write_timeout >= 0 && (size_t)config->write_timeout < sizeof(write_timeouts) / sizeof(write_timeouts[0]))
		json_some_string(json, "write_timeout", write_timeouts[config->write_timeout]);
}

static void
varz_process(struct json_writer *json, const struct monitor *monitor)
{
	const struct worker_config *config = monitor->worker->config;

	varz_time(json, "start", config->started_wall);
	varz_time(json, "now", clock_wall());
	varz_uptime(json, "uptime", clock_monotonic() - config->started_monotonic);
	json_member_u64(json, "mem", VARZ_SUM(monitor, resident_bytes));
	json_member_i64(json, "cores", varz_processors);
	json_member_i64(json, "gomaxprocs", varz_processors);
	json_member_double(json, "cpu", (double)monitor->usage_tenths / 10);
}

static void
varz_traffic(struct json_writer *json, const struct monitor *monitor)
{
	json_member_u64(json, "connections", VARZ_SUM(monitor, connections));
	json_member_u64(json, "total_connections", VARZ_SUM(monitor, connections_total));
	json_member_u64(json, "routes", 0);
	json_member_u64(json, "remotes", 0);
	json_member_u64(json, "leafnodes", 0);
	json_member_u64(json, "in_msgs", VARZ_SUM(monitor, in_messages));
	json_member_u64(json, "in_bytes", VARZ_SUM(monitor, in_bytes));
	json_member_u64(json, "in_client_msgs", VARZ_SUM(monitor, in_messages));
	json_member_u64(json, "in_client_bytes", VARZ_SUM(monitor, in_bytes));
	json_member_u64(json, "out_msgs", VARZ_SUM(monitor, out_messages));
	json_member_u64(json, "out_bytes", VARZ_SUM(monitor, out_bytes));
	json_member_u64(json, "out_client_msgs", VARZ_SUM(monitor, out_messages));
	json_member_u64(json, "out_client_bytes", VARZ_SUM(monitor, out_bytes));
	json_member_u64(json, "slow_consumers", VARZ_SUM(monitor, slow_consumers));
	json_member_u64(json, "stale_connections", VARZ_SUM(monitor, stale_connections));
	json_member_u64(json, "stalled_clients", VARZ_SUM(monitor, stalls));
	json_member_u64(json, "subscriptions", VARZ_SUM(monitor, subscriptions));
}

static void
varz_requests(struct json_writer *json, const struct monitor *monitor)
{
	const char *name;
	unsigned row = 0;
	uint64_t count;

	json_key(json, "http_req_stats");
	json_object_begin(json);
	while ((name = monitor_next_count(monitor, &row, &count)) != NULL)
		json_member_u64(json, name, count);
	json_object_end(json);
}

static void
varz_rest(struct json_writer *json, const struct monitor *monitor)
{
	const struct worker_config *config = monitor->worker->config;

	varz_requests(json, monitor);
	varz_time(json, "config_load_time", config->config_loaded_wall);
	json_member_string(json, "config_digest", config->config_digest);
	varz_texts(json, "tags", &config->tags);
	varz_metadata(json, &config->metadata);
	varz_feature_flags(json, &config->feature_flags);
	json_some_string(json, "system_account", config->system_account);
	varz_by_kind(json, "slow_consumer_stats", VARZ_SUM(monitor, slow_consumers));
	varz_by_kind(json, "stale_connection_stats", VARZ_SUM(monitor, stale_connections));
	json_key(json, "disk_io_wait_stats");
	json_object_begin(json);
	json_member_u64(json, "waiters", 0);
	json_member_u64(json, "waits", 0);
	json_member_u64(json, "wait_time", 0);
	json_member_u64(json, "max_wait_time", 0);
	json_object_end(json);
}

void
monitor_varz(struct monitor *monitor, const struct http_request *request, struct monitor_answer *answer)
{
	struct json_writer *json = &answer->json;
	char layers[256];

	(void)request;
	CHECK(json_written(json) == 0);
	CHECK(varz_processors > 0);
	json_writer_init_growing(json, MONITOR_BODY_MAX, VARZ_INDENT);
	json_object_begin(json);
	varz_identity(json, monitor->worker);
	varz_options(json, monitor->worker->config);
	varz_process(json, monitor);
	varz_traffic(json, monitor);
	varz_rest(json, monitor);
	json_member_string(json, "sandbox", sandbox_layers_text(monitor->worker->role->layers, layers, sizeof(layers)));
	json_object_end(json);
}
