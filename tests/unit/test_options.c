/*
 * Unit tests of shared/model/options*.c: what a configuration becomes, defaults, what is missing, rules between settings, the
 * verdict of -t. The verdict on some thousand files is compared with nats-server in tests/config.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "options_helper.h"

static struct options_report report;

static struct options *
load(const char *text)
{
	struct options *options = helper_load(text, NULL, &report);

	if (options == NULL)
		print_message("%s", report.text);
	assert_non_null(options);
	return options;
}

static void
unload(struct options *options)
{
	options_free(options);
	options_report_free(&report);
}

static void
test_defaults(void **state)
{
	struct options *options = load(NULL);

	(void)state;
	assert_string_equal(options->client.host, "0.0.0.0");
	assert_string_equal(options->http.host, "0.0.0.0");
	assert_int_equal(options->client.port, 4222);
	assert_int_equal(options->http.port, 0);
	assert_int_equal(options->max_connections, 65536);
	assert_int_equal(options->max_control_line, 4096);
	assert_int_equal(options->max_payload, 1048576);
	assert_int_equal(options->max_pending, 67108864);
	assert_int_equal(options->ping_interval, INT64_C(120000000000));
	assert_int_equal(options->ping_max, 2);
	assert_int_equal(options->write_deadline, INT64_C(10000000000));
	assert_int_equal(options->lame_duck_duration, INT64_C(120000000000));
	assert_int_equal(options->lame_duck_grace_period, INT64_C(10000000000));
	assert_true(options->auth_timeout > 1.9 && options->auth_timeout < 2.1);
	assert_true(options->logtime);
	assert_string_equal(options->server_name, "");
	assert_string_equal(options->digest, "");
	assert_null(options->config_file);
	assert_int_equal(options->workers, 0);
	unload(options);
}

static void
test_values(void **state)
{
	struct options *options =
	    load("listen: \"127.0.0.1:-1\"\nhttp: 8222\nmax_connections: 0\nmax_payload: 64KB\nping_interval: \"5s\"\n"
		 "server_name: s1\nserver_tags: [ \" A \", b, a ]\nserver_metadata { z: \"1\", y: \"2\" }\n"
		 "write_timeout: retry\nlogtime: false\ntrace_headers: true\n"
		 "natsd { workers: 3, log_format: json, sandbox: require }\n");

	(void)state;
	assert_string_equal(options->client.host, "127.0.0.1");
	assert_int_equal(options->client.port, 0);
	assert_int_equal(options->http.port, 8222);
	assert_string_equal(options->http.host, "127.0.0.1");
	assert_int_equal(options->max_connections, -1);
	assert_int_equal(options->max_payload, 65536);
	assert_int_equal(options->ping_interval, INT64_C(5000000000));
	assert_string_equal(options->server_name, "s1");
	assert_int_equal(options->server_tags.length, 2);
	assert_string_equal(options->server_tags.items[0], "a");
	assert_string_equal(options->server_tags.items[1], "b");
	assert_int_equal(options->server_metadata.length, 2);
	assert_string_equal(options->server_metadata.items[0].name, "y");
	assert_int_equal(options->write_timeout, OPTIONS_WRITE_TIMEOUT_RETRY);
	assert_false(options->logtime);
	assert_true(options->trace_headers && options->trace);
	assert_int_equal(options->workers, 3);
	assert_int_equal(options->log_format, OPTIONS_LOG_JSON);
	assert_int_equal(options->sandbox, OPTIONS_SANDBOX_REQUIRE);
	assert_string_equal(options->config_file, "f.conf");
	unload(options);
}

static void
test_users(void **state)
{
	struct options *options =
	    load("authorization {\n"
		 "  default_permissions { publish: [ \"d.>\" ] }\n"
		 "  users: [\n"
		 "    { user: a, password: b }\n"
		 "    { user: c, password: d, allowed_connection_types: [ STANDARD, mqtt ],\n"
		 "      permissions { publish: [], subscribe { allow: [ \"x q\", y ], deny: \"z\" }, allow_responses: true } }\n"
		 "    { user: e, password: f, permissions { allow_responses { max: -1, expires: \"-1s\" } } }\n"
		 "  ]\n"
		 "}\nno_auth_user: a\n");
	const struct options_permissions *permissions;
	char error[200];

	(void)state;
	assert_true(options->auth_block);
	assert_int_equal(options->users_length, 3);
	assert_string_equal(options->users[0]->name, "a");
	assert_string_equal(options->users[0]->password, "b");
	assert_int_equal(options->users[0]->connection_types, 0);
	assert_null(options->users[0]->account);
	permissions = options->users[0]->permissions;
	assert_true(permissions->publish.allow.set && !permissions->subscribe.set);
	assert_string_equal(permissions->publish.allow.items[0].subject, "d.>");
	assert_int_equal(options->users[1]->connection_types, OPTIONS_CONNECTION_STANDARD | OPTIONS_CONNECTION_MQTT);
	permissions = options->users[1]->permissions;
	assert_true(permissions->responses && permissions->publish.allow.set);
	assert_int_equal(permissions->publish.allow.length, 0);
	assert_int_equal(permissions->responses_max, 1);
	assert_int_equal(permissions->responses_expires, INT64_C(120000000000));
	assert_int_equal(permissions->subscribe.allow.length, 2);
	assert_string_equal(permissions->subscribe.allow.items[0].subject, "x");
	assert_string_equal(permissions->subscribe.allow.items[0].queue, "q");
	assert_null(permissions->subscribe.allow.items[1].queue);
	assert_true(permissions->subscribe.deny.set);
	permissions = options->users[2]->permissions;
	assert_int_equal(permissions->responses_max, -1);
	assert_int_equal(permissions->responses_expires, INT64_C(-1000000000));
	assert_true(options_validate(options, error, sizeof(error)));
	unload(options);
}

/* Without allow_responses, an empty list restricts nothing. */
static void
test_empty_list(void **state)
{
	struct options *options = load("authorization { users: [ { user: a, password: b, permissions { publish: [] } } ] }");

	(void)state;
	assert_true(options->users[0]->permissions->publish.set);
	assert_false(options->users[0]->permissions->publish.allow.set);
	unload(options);
}

static void
test_account_users(void **state)
{
	struct options *options =
	    load("accounts { A { default_permissions { publish: x }, users: [ { user: a, password: b } ] } }\n"
		 "authorization { users: [ { user: c, password: d } ] }");

	(void)state;
	assert_int_equal(options->users_length, 2);
	assert_string_equal(options->users[0]->name, "c");
	assert_string_equal(options->users[1]->account, "A");
	assert_non_null(options->users[1]->permissions);
	unload(options);
}

static void
test_errors(void **state)
{
	static const struct {
		const char *text, *report;
	} rows[] = {
		{ "port: x", "f.conf:1:0: expected an integer, but got a string\n" },
		{ "authorization {\n  users: [\n    { user: a, pw: b }\n  ]\n}", "f.conf:3:16: unknown field \"pw\"\n" },
		{ "server_name: \"a\\x00b\"", "f.conf:1:0: a string cannot hold the byte \\x00\n" },
		{ "natsd { workers: 0 }", "f.conf:1:8: workers must be 1 to 64\n" },
		{ "natsd { log_format: xml }", "f.conf:1:8: log_format must be text or json\n" },
		{ "natsd { sandbox: no1 }", "f.conf:1:8: sandbox must be best or require\n" },
		{ "natsd { worker: 1 }", "f.conf:1:8: unknown field \"worker\"\n" },
		{ "natsd: 1", "f.conf:1:0: Expected natsd to be a map, got int64\n" },
		{ "max_payload: 3GB\nping_interval: 5",
		    "f.conf:2:1: invalid use of field \"ping_interval\": ping_interval should be "
		    "converted to a duration\nf.conf:1:0: max_payload value is too big\n" },
		{ "a: [", "f.conf:1:4: Parse error on line 1: 'Unexpected EOF.'\n" },
	};
	struct options *options;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		options = helper_load(rows[i].text, NULL, &report);
		if (i + 1 < sizeof(rows) / sizeof(rows[0]))
			assert_string_equal(report.text, rows[i].report);
		else
			assert_non_null(strstr(report.text, "Parse error on line 1"));
		assert_null(options);
		assert_true(report.errors > 0);
		options_report_free(&report);
	}
}

/* Warnings alone stop -t, not a start. */
static void
test_warnings(void **state)
{
	struct options *options = load("ping_interval: 5\n");

	(void)state;
	assert_int_equal(report.warnings, 1);
	assert_int_equal(report.errors, 0);
	assert_int_equal(options->ping_interval, INT64_C(5000000000));
	unload(options);
	options = load("");
	assert_int_equal(report.warnings, 1);
	assert_string_equal(report.text, "f.conf: config has no values or is empty\n");
	unload(options);
}

static void
test_missing(void **state)
{
	static const struct {
		const char *text, *key;
		int line;
	} rows[] = {
		{ "port: 1\ncluster { port: 1 }\njetstream: true", "cluster", 2 },
		{ "jetstream: enabled", "jetstream", 1 },
		{ "jetstream: disabled", NULL, 0 },
		{ "jetstream: false\nocsp: false\nproxy_protocol: false\nallow_non_tls: false", NULL, 0 },
		{ "accounts { A {} }", "accounts", 1 },
		{ "mappings { a: b }", "mappings", 1 },
		{ "websocket {}", "websocket", 1 },
		{ "mqtt {}", "mqtt", 1 },
		{ "leafnodes {}", "leafnodes", 1 },
		{ "gateway {}", "gateway", 1 },
		{ "tls {}", "tls", 1 },
		{ "https: 1", "https", 1 },
		{ "trusted: []", "trusted_keys", 1 },
		{ "resolver: MEM", "resolver", 1 },
		{ "proxy_protocol: true", "proxy_protocol", 1 },
		{ "system_account: S", "system_account", 1 },
		{ "authorization {\nuser: a\nproxy_required: true }", "authorization.proxy_required", 3 },
		{ "store_dir: x\nno_sys_acc: true\nprof_port: 1\nnatsd { workers: 1 }", NULL, 0 },
	};
	struct conf_position at;
	struct options *options;
	const char *key;
	size_t i;
	bool missing;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		options = load(rows[i].text);
		missing = options_missing_feature(options, &at, &key);
		assert_int_equal(missing, rows[i].key != NULL);
		if (missing) {
			assert_string_equal(key, rows[i].key);
			assert_string_equal(at.file, "f.conf");
			assert_int_equal(at.line, rows[i].line);
		}
		unload(options);
	}
}

static void
test_validate(void **state)
{
	static const struct {
		const char *text, *error;
	} rows[] = {
		{ "port: 1", "" },
		{ "lame_duck_duration: \"30s\"\nlame_duck_grace_period: \"30s\"",
		    "lame duck grace period (30s) should be strictly lower than lame duck duration (30s)" },
		{ "max_payload: 2000\nmax_pending: 1000", "max_payload (2000) cannot be higher than max_pending (1000)" },
		{ "no_auth_user: a", "no_auth_user: \"a\" present, but users/nkeys are not defined" },
		{ "no_auth_user: a\nauthorization { users: [ { user: b, password: c } ] }",
		    "no_auth_user: \"a\" not present as user or nkey in authorization block or account configuration" },
		{ "client_advertise: \"a:x\"", "invalid ClientAdvertise value of a:x" },
	};
	struct options *options;
	char error[300];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		options = load(rows[i].text);
		assert_int_equal(options_validate(options, error, sizeof(error)), rows[i].error[0] == '\0');
		assert_string_equal(error, rows[i].error);
		unload(options);
	}
}

static void
test_advertise(void **state)
{
	static const struct {
		const char *text, *host;
		int port;
	} rows[] = {
		{ "a:1", "a", 1 },
		{ "a", "a", 4222 },
		{ "a:0", "a", 4222 },
		{ "a:-1", "a", 4222 },
		{ " a : 5 ", "a", 5 },
		{ "[::1]:7", "::1", 7 },
		{ "[::1]", "::1", 4222 },
		{ "", NULL, 0 },
		{ "a:b", NULL, 0 },
		{ "a:1:2", NULL, 0 },
		{ "[::1", NULL, 0 },
		{ "[::1]x", NULL, 0 },
		{ "longer than it may be", NULL, 0 },
	};
	char host[16];
	size_t i;
	int port;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(options_parse_advertise(rows[i].text, 4222, host, sizeof(host), &port), rows[i].host != NULL);
		if (rows[i].host != NULL) {
			assert_string_equal(host, rows[i].host);
			assert_int_equal(port, rows[i].port);
		}
	}
}

static void
test_verdict(void **state)
{
	static const struct helper_file files[] = { { "good.conf", "a: 1\nb: $a\nport: $b\n" },
		{ "warn.conf", "ping_interval: 5\n" }, { "bad.conf", "prt: 1\n" }, { NULL, NULL } };
	struct options_verdict verdict;

	(void)state;
	helper_files = files;
	options_check_file("natsd", "good.conf", &helper_source, &verdict);
	assert_int_equal(verdict.exit_code, 0);
	assert_memory_equal(verdict.text, "natsd: configuration file good.conf is valid (sha256:", 53);
	options_verdict_free(&verdict);
	options_check_file("natsd", "warn.conf", &helper_source, &verdict);
	assert_int_equal(verdict.exit_code, 1);
	assert_string_equal(verdict.text,
	    "natsd: warn.conf:1:0: invalid use of field \"ping_interval\": ping_interval should be converted to a duration\n");
	options_verdict_free(&verdict);
	options_check_file("natsd", "bad.conf", &helper_source, &verdict);
	assert_int_equal(verdict.exit_code, 1);
	assert_string_equal(verdict.text, "natsd: bad.conf:1:0: unknown field \"prt\"\n");
	options_verdict_free(&verdict);
	options_check_file("natsd", "none.conf", &helper_source, &verdict);
	assert_int_equal(verdict.exit_code, 1);
	assert_string_equal(verdict.text, "natsd: open none.conf: no such file or directory\n");
	options_verdict_free(&verdict);
	helper_files = NULL;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_users),
		cmocka_unit_test(test_empty_list),
		cmocka_unit_test(test_account_users),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_warnings),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_validate),
		cmocka_unit_test(test_advertise),
		cmocka_unit_test(test_verdict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
