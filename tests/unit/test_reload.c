/*
 * Unit tests of shared/model/reload.c: which changes are taken live, in nats-server's order and words, and which stop a reload.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "model/reload.h"
#include "options_helper.h"

#define ALWAYS "Reloaded: authorization users\nReloaded: accounts\n"

static struct options *
load(const char *text)
{
	struct options_report report;
	struct options *options = helper_load(text, NULL, &report);

	assert_non_null(options);
	options_report_free(&report);
	return options;
}

/* Compares two texts: the notices, one a line, or the refusal. */
static void
compare(const char *before, const char *after, char *out, size_t size, unsigned *effects)
{
	struct options *running = load(before), *fresh = load(after);
	struct reload *reload = reload_compare(running, fresh);
	const struct reload_change *change;
	size_t at;

	assert_non_null(reload);
	at = (size_t)snprintf(out, size, "%s", reload->refusal);
	if (reload->refusal[0] != '\0')
		assert_null(reload->changes);
	for (change = reload->changes; change != NULL; change = change->next)
		at += (size_t)snprintf(out + at, size - at, "%s\n", change->text);
	assert_true(at < size);
	*effects = reload->effects;
	reload_free(reload);
	options_free(running);
	options_free(fresh);
}

static void
test_live(void **state)
{
	static const struct {
		const char *before, *after, *notices;
		unsigned effects;
	} rows[] = {
		{ "port: 1", "port: 1", ALWAYS, RELOAD_AUTHORIZATION },
		{ "port: 1", "port: -1", ALWAYS, RELOAD_AUTHORIZATION },
		{ "port: 1", "trace: true\ndebug: true\nport: 1", "Reloaded: trace = true\nReloaded: debug = true\n" ALWAYS,
		    RELOAD_AUTHORIZATION | RELOAD_LOGGING | RELOAD_TRACE_LEVEL },
		{ "port: 1", "port: 1\nclient_advertise: \"a:1\"", "Reload: client_advertise = a:1\n" ALWAYS,
		    RELOAD_AUTHORIZATION },
		{ "port: 1", "port: 1\nping_interval: \"90s\"\nping_max: 5",
		    ALWAYS "Reloaded: ping_interval = 1m30s\nReloaded: ping_max = 5\n", RELOAD_AUTHORIZATION },
		{ "port: 1", "port: 1\nauthorization { user: a, password: b, timeout: 0.5 }",
		    ALWAYS
		    "Reloaded: authorization username\nReloaded: authorization password\nReloaded: authorization timeout = 0.5\n",
		    RELOAD_AUTHORIZATION },
		{ "port: 1", "port: 1\nno_fast_producer_stall: true", ALWAYS "Reloaded: fast producers will not be stalled\n",
		    RELOAD_AUTHORIZATION },
		{ "port: 1\nno_fast_producer_stall: true", "port: 1", ALWAYS "Reloaded: fast producers will be stalled\n",
		    RELOAD_AUTHORIZATION },
		{ "port: 1\npid_file: x", "port: 1", ALWAYS "\n", RELOAD_AUTHORIZATION },
		{ "port: 1", "port: 1\npid_file: x\nlog_file: y\nserver_tags: a\nserver_metadata { b: c }",
		    ALWAYS "Reloaded: pid_file = x\nReloaded: log_file = y\nReloaded: tags\nReloaded: metadata\n",
		    RELOAD_AUTHORIZATION | RELOAD_LOGGING | RELOAD_STATSZ },
		{ "port: 1", "port: 1\nmax_connections: 0\nmax_payload: 1000\nmax_control_line: 2000\nwrite_deadline: \"3s\"",
		    "Reloaded: max_connections = -1\n" ALWAYS
		    "Reloaded: max_control_line = 2000\nReloaded: max_payload = 1000\nReloaded: write_deadline = 3s\n",
		    RELOAD_AUTHORIZATION },
		{ "no_auth_user: a\nauthorization { users: [ { user: a, password: b } ] }",
		    "authorization { users: [ { user: c, password: d } ] }", ALWAYS, RELOAD_AUTHORIZATION },
	};
	char found[1024];
	unsigned effects;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		compare(rows[i].before, rows[i].after, found, sizeof(found), &effects);
		assert_string_equal(found, rows[i].notices);
		assert_int_equal(effects, rows[i].effects);
	}
}

static void
test_refused(void **state)
{
	static const struct {
		const char *before, *after, *refusal;
	} rows[] = {
		{ "host: \"127.0.0.1\"", "host: \"0.0.0.0\"", "config reload not supported for Host: old=127.0.0.1, new=0.0.0.0" },
		{ "port: 1", "port: 2", "config reload not supported for Port: old=1, new=2" },
		{ "server_name: a", "server_name: b", "config reload not supported for ServerName: old=a, new=b" },
		{ "max_pending: 2000000", "max_pending: 3000000\ntrace: true",
		    "config reload not supported for MaxPending: old=2000000, new=3000000" },
		{ "lame_duck_duration: \"60s\"", "lame_duck_duration: \"90s\"",
		    "config reload not supported for LameDuckDuration: old=1m0s, new=1m30s" },
		{ "port: 1", "port: 1\nwrite_timeout: close", "config reload not supported for WriteTimeout: old=, new=close" },
		{ "port: 1", "port: 1\nfeature_flags { b: true, a: false }",
		    "config reload not supported for FeatureFlags: old=map[], new=map[a:false b:true]" },
		{ "port: 1", "port: 1\nno_header_support: true",
		    "config reload not supported for NoHeaderSupport: old=false, new=true" },
		{ "port: 1", "port: 1\nnatsd { workers: 2 }", "config reload not supported for natsd.workers: old=0, new=2" },
		{ "authorization { users: [ { user: a, password: b } ] }",
		    "no_auth_user: a\nauthorization { users: [ { user: a, password: b } ] }",
		    "config reload not supported for NoAuthUser: old=, new=a" },
		{ "no_auth_user: a\nauthorization { users: [ { user: a, password: b } ] }",
		    "authorization { users: [ { user: a, password: b } ] }",
		    "config reload not supported for NoAuthUser: old=a, new=" },
		{ "port: 1", "port: 1\nmax_payload: 2000\nmax_pending: 1000",
		    "max_payload (2000) cannot be higher than max_pending (1000)" },
	};
	char found[1024];
	unsigned effects;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		compare(rows[i].before, rows[i].after, found, sizeof(found), &effects);
		assert_string_equal(found, rows[i].refusal);
		assert_int_equal(effects, RELOAD_NOTHING);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_live),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
