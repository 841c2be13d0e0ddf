/*
 * The monitoring listener of a watch worker built by hand: requests over real sockets, pages byte by byte, limits.
 */
#include <sys/socket.h>

#include <netinet/in.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "tests/unit/worker_stubs.h"
#include "worker/monitor.h"
#include "worker/worker.h"

static const char *const test_tags[] = { "a:b", "c" };
static const struct snapshot_pair test_metadata[] = { { "zz", "1" }, { "aa", "<two>" } };
static const struct snapshot_pair test_flags[] = { { "js_ack_fc_v2", "true" } };

static struct worker_config test_config;
static struct role test_role;
static struct worker test_worker;
static struct loop_io test_listening;
static struct counters test_pages[3];
static uint16_t test_port;

static void
config_fill(struct worker_config *config)
{
#define TEXT(name) config->name = "";
#define FLAG(name)
#define NUMBER(name)
#define TEXTS(name)
#define PAIRS(name)
#define FIELD(kind, name, text) kind(name)
#include "ipc/snapshot.def"
#undef FIELD
#undef TEXT
#undef FLAG
#undef NUMBER
#undef TEXTS
#undef PAIRS
	config->server_id = config->server_name = "NID";
	config->version = "2.15.2";
	config->go = "natsd-0";
	config->host = config->http_host = "127.0.0.1";
	config->port = 4222;
	config->http_port = 8222;
	config->max_connections = 65536;
	config->ping_interval = 120 * LOOP_SECOND;
	config->ping_max = 2;
	config->auth_timeout = LOOP_SECOND / 2;
	config->max_control_line = 4096;
	config->max_payload = 1048576;
	config->max_pending = 67108864;
	config->write_deadline = 10 * LOOP_SECOND;
	config->write_timeout = OPTIONS_WRITE_TIMEOUT_RETRY;
	config->started_wall = INT64_C(1795000000) * LOOP_SECOND + 120000000;
	config->config_loaded_wall = INT64_C(1795000000) * LOOP_SECOND;
	config->started_monotonic = clock_monotonic() - (INT64_C(366) * 86400 + 3600 + 2) * LOOP_SECOND;
	config->config_digest = "sha256:x";
	config->system_account = "$SYS";
	config->tags = (struct snapshot_texts){ 2, test_tags };
	config->metadata = (struct snapshot_pairs){ 2, test_metadata };
	config->feature_flags = (struct snapshot_pairs){ 1, test_flags };
}

static int
setup(void **state)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	(void)state;
	config_fill(&test_config);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 512), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	test_port = ntohs(address.sin_port);
	memset(&test_worker, 0, sizeof(test_worker));
	test_role.workers = 2;
	test_role.layers = SANDBOX_NO_NEW_PRIVS;
	test_role.counters = &test_pages[0];
	test_role.all_counters[1] = &test_pages[1];
	test_role.all_counters[MESH_MEMBERS_MAX] = &test_pages[2];
	test_role.listeners[0].kind = LISTENER_CLIENT;
	test_role.listeners[1].kind = LISTENER_MONITOR;
	test_role.listeners[1].fd = fd;
	test_role.listener_count = 2;
	test_worker.role = &test_role;
	test_worker.config = &test_config;
	test_worker.counters = &test_pages[0];
	test_worker.loop = loop_create();
	test_worker.read_buffer = memory_alloc(WORKER_READ_SIZE);
	test_worker.listen_ios = &test_listening;
	monitor_start(&test_worker);
	assert_non_null(test_worker.monitor);
	return 0;
}

static int
connect_monitor(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons(test_port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void
turn(void)
{
	assert_true(loop_wait(test_worker.loop, LOOP_MILLISECOND) >= 0);
}

static void
say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Reads into text[size] until `wanted` bytes are there or the peer closed; -1: closed. Returns the length. */
static size_t
receive(int fd, char *text, size_t size, const char *until, bool *closed)
{
	size_t length = 0;
	unsigned turns;
	ssize_t n;

	*closed = false;
	text[0] = '\0';
	for (turns = 0; turns < 3000; turns++) {
		turn();
		n = recv(fd, text + length, size - 1 - length, MSG_DONTWAIT);
		if (n > 0)
			length += (size_t)n;
		text[length] = '\0';
		if (n == 0) {
			*closed = true;
			return length;
		}
		if (until != NULL && strstr(text, until) != NULL)
			return length;
	}
	fail_msg("no answer: %s", text);
	return 0;
}

/* One request on a connection of its own; the answer up to the close. Takes the Date line out. */
static const char *
ask(const char *request)
{
	static char answer[65536];
	bool closed;
	char *date, *end;
	int fd = connect_monitor();

	say(fd, request);
	(void)receive(fd, answer, sizeof(answer), NULL, &closed);
	assert_true(closed);
	close(fd);
	if ((date = strstr(answer, "Date: ")) != NULL) {
		end = strstr(date, "\r\n") + 2;
		memmove(date, end, strlen(end) + 1);
	}
	return answer;
}

#define CLOSE " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
#define HEADERS "Content-Type: application/json\r\n"

static void
test_healthz(void **state)
{
	(void)state;
	assert_string_equal(ask("GET /healthz" CLOSE),
	    "HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\n" HEADERS
	    "Content-Length: 15\r\nConnection: close\r\n\r\n{\"status\":\"ok\"}");
	assert_non_null(
	    strstr(ask("FOO /healthz?js-enabled-only=1&js-server-only=F&details=True" CLOSE), "\r\n\r\n{\"status\":\"ok\"}"));
	assert_string_equal(ask("HEAD /healthz" CLOSE),
	    "HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\n" HEADERS "Content-Length: 15\r\nConnection: "
	    "close\r\n\r\n");
	assert_non_null(strstr(ask("GET /healthz?js-meta-only=%22x%0a" CLOSE),
	    "\r\n\r\nError decoding boolean for 'js-meta-only': strconv.ParseBool: parsing \"\\\"x\\n\": invalid syntax"));
	assert_non_null(strstr(ask("GET /healthz?stream=x" CLOSE),
	    "\r\n\r\n{\"status\":\"error\",\"error\":\"\\\"account\\\" must not be empty when checking stream health\"}"));
	assert_non_null(strstr(ask("GET /healthz?stream=x&details=1" CLOSE),
	    "\r\n\r\n{\"status\":\"error\",\"errors\":[{\"type\":\"BAD_REQUEST\","
	    "\"error\":\"\\\"account\\\" must not be empty when checking stream health\"}]}"));
	assert_non_null(strstr(ask("GET /healthz?account=a&consumer=x" CLOSE),
	    "{\"status\":\"error\",\"error\":\"\\\"stream\\\" must not be empty when checking consumer health\"}"));
	assert_non_null(strstr(ask("GET /healthz?account=a&consumer=x&stream=y" CLOSE), "\r\n\r\n{\"status\":\"ok\"}"));
}

static void
test_healthz_not_listening(void **state)
{
	(void)state;
	test_worker.listen_ios = NULL;
	assert_string_equal(ask("GET /healthz" CLOSE),
	    "HTTP/1.1 500 Internal Server Error\r\nAccess-Control-Allow-Origin: *\r\n" HEADERS
	    "Content-Length: 81\r\nConnection: close\r\n\r\n"
	    "{\"status\":\"error\",\"error\":\"failed to be ready for connections after 1ms: server\"}");
	assert_non_null(strstr(ask("GET "
				   "/healthz?details=t" CLOSE),
	    "\"errors\":[{\"type\":\"CONNECTION\",\"error\":\"failed"));
	test_worker.listen_ios = &test_listening;
}

static void
test_paths(void **state)
{
	static const char not_found[] = "HTTP/1.1 404 Not Found\r\nX-Content-Type-Options: nosniff\r\nContent-Type: "
					"text/plain; "
					"charset=utf-8\r\nContent-Length: 19\r\nConnection: close\r\n\r\n404 page not "
					"found\n";

	(void)state;
	assert_string_equal(ask("GET /varz/" CLOSE), not_found);
	assert_string_equal(ask("GET /nope" CLOSE), not_found);
	assert_string_equal(ask("GET /jsz" CLOSE), not_found);
	assert_non_null(strstr(ask("GET /%68ealthz" CLOSE), "{\"status\":\"ok\"}"));
	assert_string_equal(ask("GET //varz?a=b&c" CLOSE),
	    "HTTP/1.1 307 Temporary Redirect\r\nLocation: /varz?a=b&c\r\nContent-Type: text/html; charset=utf-8\r\n"
	    "Content-Length: 51\r\n"
	    "Connection: close\r\n\r\n<a href=\"/varz?a=b&amp;c\">Temporary Redirect</a>.\n\n");
	assert_string_equal(ask("POST /a/../varz" CLOSE),
	    "HTTP/1.1 307 Temporary Redirect\r\nLocation: /varz\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
	assert_non_null(strstr(ask("GET /./x/.." CLOSE), "Location: /\r\n"));
	assert_non_null(strstr(ask("GET /../../varz" CLOSE), "Location: /varz\r\n"));
	assert_non_null(strstr(ask("GET /a//b/" CLOSE), "Location: /a/b/\r\n"));
	assert_non_null(strstr(ask("GET /a%0D%0Ab//\"x" CLOSE), "Location: /a%250D%250Ab/%2522x\r\n"));
	assert_string_equal(ask("GET *" CLOSE), "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
	assert_string_equal(ask("OPTIONS *" CLOSE), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
	assert_non_null(strstr(ask("GET /" CLOSE), "Content-Type: text/html; charset=utf-8\r\n"));
	assert_non_null(strstr(ask("GET /" CLOSE), "<a href=\"./varz\">"));
	assert_string_equal(ask("junk\r\n\r\n"),
	    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad "
	    "Request");
}

static void
test_base_path(void **state)
{
	(void)state;
	test_config.http_base_path = "a//b/";
	assert_non_null(strstr(ask("GET /a/b/healthz" CLOSE), "{\"status\":\"ok\"}"));
	assert_non_null(strstr(ask("GET /a/b" CLOSE), "<a href=\"./a/b/varz\">"));
	assert_non_null(strstr(ask("GET /healthz" CLOSE), " 404 "));
	assert_non_null(strstr(ask("GET /" CLOSE), " 404 "));
	assert_non_null(strstr(ask("GET /a/b/" CLOSE), " 404 "));
	assert_non_null(strstr(ask("GET /a/bhealthz" CLOSE), " 404 "));
	test_config.http_base_path = "";
}

/* Replaces what changes from run to run. */
static void
mask(char *body, const char *key, const char *value)
{
	char *at = strstr(body, key), *end, rest[8192];

	assert_non_null(at);
	at += strlen(key);
	end = strchr(at, '\n');
	if (end[-1] == ',')
		end--;
	(void)snprintf(rest, sizeof(rest), "%s%s", value, end);
	memcpy(at, rest, strlen(rest) + 1);
}

static void
test_varz(void **state)
{
	static char page[16384];
	const char *body;
	unsigned i;

	(void)state;
	memset(test_worker.monitor->requests, 0, sizeof(test_worker.monitor->requests));
	for (i = 0; i < 3; i++) {
		COUNTERS_SET(&test_pages[i], connections, i);
		COUNTERS_SET(&test_pages[i], connections_total, 1 + i);
		COUNTERS_SET(&test_pages[i], subscriptions, 10 + i);
		COUNTERS_SET(&test_pages[i], in_messages, 100 + i);
		COUNTERS_SET(&test_pages[i], in_bytes, 1000 + i);
		COUNTERS_SET(&test_pages[i], out_messages, UINT64_C(1) << 40);
		COUNTERS_SET(&test_pages[i], out_bytes, 2);
		COUNTERS_SET(&test_pages[i], slow_consumers, 3);
		COUNTERS_SET(&test_pages[i], stale_connections, 4);
		COUNTERS_SET(&test_pages[i], stalls, 5);
		COUNTERS_SET(&test_pages[i], resident_bytes, 1000);
	}
	body = strstr(ask("GET /varz" CLOSE), "\r\n\r\n") + 4;
	(void)snprintf(page, sizeof(page), "%s", body);
	mask(page, "\"now\": ", "N");
	mask(page, "\"cores\": ", "C");
	mask(page, "\"gomaxprocs\": ", "C");
	assert_string_equal(page,
	    "{\n  \"server_id\": \"NID\",\n  \"server_name\": \"NID\",\n  \"version\": \"2.15.2\",\n  \"proto\": 1,\n "
	    " \"go\": \"natsd-0\",\n"
	    "  \"host\": \"127.0.0.1\",\n  \"port\": 4222,\n  \"max_connections\": 65536,\n  \"ping_interval\": "
	    "120000000000,\n"
	    "  \"ping_max\": 2,\n  \"http_host\": \"127.0.0.1\",\n  \"http_port\": 8222,\n  \"http_base_path\": "
	    "\"\",\n  \"https_port\": 0,\n"
	    "  \"auth_timeout\": 0.5,\n  \"max_control_line\": 4096,\n  \"max_payload\": 1048576,\n  \"max_pending\": "
	    "67108864,\n"
	    "  \"cluster\": {},\n  \"gateway\": {},\n  \"leaf\": {},\n  \"mqtt\": {},\n  \"websocket\": {},\n  "
	    "\"jetstream\": {},\n"
	    "  \"tls_timeout\": 2,\n  \"write_deadline\": 10000000000,\n  \"write_timeout\": \"retry\",\n"
	    "  \"start\": \"2026-11-18T11:06:40.12Z\",\n  \"now\": N,\n  \"uptime\": \"1y1d1h0m2s\",\n  \"mem\": "
	    "3000,\n  \"cores\": C,\n"
	    "  \"gomaxprocs\": C,\n  \"cpu\": 0,\n  \"connections\": 3,\n  \"total_connections\": 6,\n  \"routes\": "
	    "0,\n  \"remotes\": 0,\n"
	    "  \"leafnodes\": 0,\n  \"in_msgs\": 303,\n  \"in_bytes\": 3003,\n  \"in_client_msgs\": 303,\n  "
	    "\"in_client_bytes\": 3003,\n"
	    "  \"out_msgs\": 3298534883328,\n  \"out_bytes\": 6,\n  \"out_client_msgs\": 3298534883328,\n  "
	    "\"out_client_bytes\": 6,\n"
	    "  \"slow_consumers\": 9,\n  \"stale_connections\": 12,\n  \"stalled_clients\": 15,\n  \"subscriptions\": 33,\n"
	    "  \"http_req_stats\": {\n    \"/varz\": 1\n  },\n  \"config_load_time\": \"2026-11-18T11:06:40Z\",\n"
	    "  \"config_digest\": \"sha256:x\",\n  \"tags\": [\n    \"a:b\",\n    \"c\"\n  ],\n"
	    "  \"metadata\": {\n    \"aa\": \"\\u003ctwo\\u003e\",\n    \"zz\": \"1\"\n  },\n"
	    "  \"feature_flags\": {\n    \"js_ack_fc_v2\": true,\n    \"js_api_reply_v2\": false,\n    "
	    "\"js_raft_delete_range\": true,\n"
	    "    \"js_snapshot_sources\": false\n  },\n  \"system_account\": \"$SYS\",\n"
	    "  \"slow_consumer_stats\": {\n    \"clients\": 9,\n    \"routes\": 0,\n    \"gateways\": 0,\n    "
	    "\"leafs\": 0\n  },\n"
	    "  \"stale_connection_stats\": {\n    \"clients\": 12,\n    \"routes\": 0,\n    \"gateways\": 0,\n    "
	    "\"leafs\": 0\n  },\n"
	    "  \"disk_io_wait_stats\": {\n    \"waiters\": 0,\n    \"waits\": 0,\n    \"wait_time\": 0,\n    "
	    "\"max_wait_time\": 0\n  },\n"
	    "  \"sandbox\": \"no new privileges\"\n}");
}

static void
test_keep_alive(void **state)
{
	static char text[65536];
	const char *third;
	int fd = connect_monitor();
	bool closed;

	(void)state;
	/* Three at once, the last one with a body in front of it. */
	say(fd,
	    "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nPOST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"
	    "abcdeGET /nope "
	    "HTTP/1.1\r\nHost: x\r\n\r\n");
	(void)receive(fd, text, sizeof(text), "404 page not found\n", &closed);
	assert_false(closed);
	third = strstr(text, "{\"status\":\"ok\"}HTTP/1.1 200 OK");
	assert_non_null(third);
	assert_non_null(strstr(third, "{\"status\":\"ok\"}HTTP/1.1 404"));
	assert_int_equal(test_worker.monitor->connection_count, 1);
	assert_int_equal(test_worker.monitor->buffered, 0);
	/* A head byte by byte, HTTP/1.0. */
	for (const char *at = "GET /healthz HTTP/1.0\n\n"; *at != '\0'; at++) {
		assert_int_equal(send(fd, at, 1, MSG_NOSIGNAL), 1);
		turn();
	}
	(void)receive(fd, text, sizeof(text), NULL, &closed);
	assert_true(closed);
	assert_memory_equal(text, "HTTP/1.0 200 OK\r\n", 17);
	close(fd);
}

static void
test_large_body_closes(void **state)
{
	(void)state;
	assert_non_null(
	    strstr(ask("POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\nabc"), "Connection: close\r\n"));
}

static void
test_large_head(void **state)
{
	static char request[HTTP_HEAD_MAX + 65536], text[4096];
	size_t sent = 0, length;
	int fd = connect_monitor();
	bool closed;
	ssize_t n;

	(void)state;
	length = (size_t)snprintf(request, sizeof(request), "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n");
	while (length < 900000)
		length += (size_t)snprintf(request + length, sizeof(request) - length, "X-%zu: %0500d\r\n", length, 1);
	length += (size_t)snprintf(request + length, sizeof(request) - length, "\r\n");
	while (sent < length) {
		n = send(fd, request + sent, length - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		sent += n > 0 ? (size_t)n : 0;
		turn();
	}
	(void)receive(fd, text, sizeof(text), NULL, &closed);
	assert_non_null(strstr(text, "{\"status\":\"ok\"}"));
	close(fd);
	/* The same without its end, and more than is allowed. */
	fd = connect_monitor();
	memset(request + length - 2, 'a', sizeof(request) - length + 2);
	for (sent = 0; sent<sizeof(request); sent += n> 0 ? (size_t)n : 0) {
		n = send(fd, request + sent, sizeof(request) - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		turn();
		if (n < 0 && errno != EAGAIN)
			break;
	}
	(void)receive(fd, text, sizeof(text), NULL, &closed);
	assert_memory_equal(text, "HTTP/1.1 431 ", 13);
	close(fd);
	while (test_worker.monitor->connection_count > 0)
		turn();
	assert_int_equal(test_worker.monitor->buffered, 0);
}

/* At the limit the one that has been idle the longest makes room; with nobody idle the listener waits. */
static void
test_connection_limit(void **state)
{
	int fds[MONITOR_CONNECTIONS_MAX + 1];
	char text[1024];
	bool closed;
	unsigned i;

	(void)state;
	for (i = 0; i < MONITOR_CONNECTIONS_MAX; i++) {
		fds[i] = connect_monitor();
		if (i == 7) {
			say(fds[i], "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
			(void)receive(fds[i], text, sizeof(text), "ok", &closed);
		}
	}
	while (test_worker.monitor->connection_count < MONITOR_CONNECTIONS_MAX)
		turn();
	fds[MONITOR_CONNECTIONS_MAX] = connect_monitor();
	(void)receive(fds[7], text, sizeof(text), NULL, &closed);
	assert_true(closed);
	close(fds[7]);
	fds[7] = connect_monitor();
	while (test_worker.monitor->listening)
		turn();
	close(fds[0]);
	say(fds[7], "GET /healthz" CLOSE);
	(void)receive(fds[7], text, sizeof(text), NULL, &closed);
	assert_non_null(strstr(text, "ok"));
	for (i = 1; i <= MONITOR_CONNECTIONS_MAX; i++)
		close(fds[i]);
	while (test_worker.monitor->connection_count > 0)
		turn();
	assert_true(test_worker.monitor->listening);
}

static void
test_mute_is_closed(void **state)
{
	char text[64];
	bool closed = false;
	int mute = connect_monitor(), half = connect_monitor();
	int64_t start = clock_monotonic();

	(void)state;
	assert_true(send(half, "GET /healthz HT", 15, MSG_NOSIGNAL) == 15);
	while (!closed && clock_monotonic() - start < 20 * LOOP_SECOND) {
		turn();
		closed = recv(mute, text, sizeof(text), MSG_DONTWAIT) == 0;
	}
	assert_true(closed);
	assert_in_range(clock_monotonic() - start, 4900 * LOOP_MILLISECOND, 15 * LOOP_SECOND);
	assert_int_equal(receive(half, text, sizeof(text), NULL, &closed), 0);
	assert_true(closed);
	close(mute);
	close(half);
}

static void
test_other_workers_do_not_serve(void **state)
{
	struct worker worker = { .role = &test_role };

	(void)state;
	test_role.index = 1;
	monitor_start(&worker);
	assert_null(worker.monitor);
	test_role.index = 0;
	test_role.listener_count = 1;
	monitor_start(&worker);
	assert_null(worker.monitor);
	test_role.listener_count = 2;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_healthz),
		cmocka_unit_test(test_healthz_not_listening),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_base_path),
		cmocka_unit_test(test_varz),
		cmocka_unit_test(test_keep_alive),
		cmocka_unit_test(test_large_body_closes),
		cmocka_unit_test(test_large_head),
		cmocka_unit_test(test_connection_limit),
		cmocka_unit_test(test_mute_is_closed),
		cmocka_unit_test(test_other_workers_do_not_serve),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
