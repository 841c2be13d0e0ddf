/*
 * Unit tests of shared/model/flags*.c: Go's flag syntax, what flags do to options, and the redaction of argv. Exit codes and texts
 * are those that nats-server 2.15.2 gave.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "options_helper.h"

static struct flags *
parse(const char *const arguments[])
{
	char *argv[16] = { "/usr/sbin/nats-server" };
	int argc = 1;

	for (; *arguments != NULL; arguments++)
		argv[argc++] = (char *)(uintptr_t)*arguments;
	return flags_parse(argc, argv);
}

static void
test_errors(void **state)
{
	static const struct {
		const char *arguments[4], *error;
		int exit_code;
	} rows[] = {
		{ { "-x", NULL }, "flag provided but not defined: -x\n", 0 },
		{ { "--foo=1", NULL }, "flag provided but not defined: -foo\n", 0 },
		{ { "-p", NULL }, "flag needs an argument: -p\n", 0 },
		{ { "-p", "x", NULL }, "invalid value \"x\" for flag -p: parse error\n", 0 },
		{ { "-p", "99999999999999999999", NULL },
		    "invalid value \"99999999999999999999\" for flag -p: value out of range\n", 0 },
		{ { "-D=maybe", NULL }, "invalid boolean value \"maybe\" for -D: parse error\n", 0 },
		{ { "--=x", NULL }, "bad flag syntax: --=x\n", 0 },
		{ { "---x", NULL }, "bad flag syntax: ---x\n", 0 },
		{ { "-D", "true", NULL }, "nats-server: unrecognized command: \"true\"\n", 1 },
		{ { "start", NULL }, "nats-server: unrecognized command: \"start\"\n", 1 },
		{ { "-t", NULL }, "nats-server: must specify [-c, --config] option to check configuration file syntax\n", 1 },
		{ { "-sl", "a=b=c", NULL }, "nats-server: invalid signal parameters: [c]\n", 1 },
	};
	struct flags *flags;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		flags = parse(rows[i].arguments);
		assert_int_equal(flags->action, FLAGS_PRINT);
		assert_string_equal(flags->standard_error, rows[i].error);
		assert_int_equal(flags->exit_code, rows[i].exit_code);
		assert_string_equal(flags->standard_output, rows[i].exit_code == 0 ? flags_usage() : "");
		flags_free(flags);
	}
}

static void
test_texts(void **state)
{
	static const struct {
		const char *arguments[4];
		const char *(*text)(void);
	} rows[] = {
		{ { "-v", NULL }, flags_version },
		{ { "--version", NULL }, flags_version },
		{ { "VERSION", NULL }, flags_version },
		{ { "-h", NULL }, flags_usage },
		{ { "--help", "-v=false", NULL }, flags_usage },
		{ { "help", NULL }, flags_usage },
		{ { "--", "Help", NULL }, flags_usage },
		{ { "--help_tls", NULL }, flags_tls_help },
	};
	struct flags *flags;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		flags = parse(rows[i].arguments);
		assert_int_equal(flags->action, FLAGS_PRINT);
		assert_int_equal(flags->exit_code, 0);
		assert_string_equal(flags->standard_output, rows[i].text());
		assert_string_equal(flags->standard_error, "");
		flags_free(flags);
	}
	assert_memory_equal(flags_version(), "nats-server: v2.15.2", 20);
	assert_memory_equal(flags_usage(), "\nUsage: ", 8);
}

static void
test_actions(void **state)
{
	struct flags *flags = parse((const char *const[]){ "-t", "-c", "a.conf", NULL });

	(void)state;
	assert_int_equal(flags->action, FLAGS_CHECK);
	assert_string_equal(flags->config_file, "a.conf");
	assert_string_equal(flags->program, "nats-server");
	flags_free(flags);
	flags = parse((const char *const[]){ "--signal", "reload=/run/x.pid", NULL });
	assert_int_equal(flags->action, FLAGS_SIGNAL);
	assert_string_equal(flags->signal_command, "reload");
	assert_string_equal(flags->signal_target, "/run/x.pid");
	flags_free(flags);
	flags = parse((const char *const[]){ "-sl=ldm", NULL });
	assert_string_equal(flags->signal_command, "ldm");
	assert_null(flags->signal_target);
	flags_free(flags);
	flags = parse((const char *const[]){ NULL });
	assert_int_equal(flags->action, FLAGS_RUN);
	assert_null(flags->config_file);
	flags_free(flags);
}

static void
test_apply(void **state)
{
	char *const flags[] = { "--addr", "127.0.0.1", "-p=0x10", "-m", "-1", "--name", "n1", "-DV=false", "-T=f",
		"-log_size_limit", "1_000", NULL };
	struct options_report report;
	struct options *options = helper_load("port: 1\nhost: x\ndebug: true\ntrace: true\nserver_name: n2\n", flags, &report);

	(void)state;
	assert_non_null(options);
	assert_string_equal(options->client.host, "127.0.0.1");
	assert_int_equal(options->client.port, 16);
	assert_int_equal(options->http.port, -1);
	assert_string_equal(options->http.host, "127.0.0.1");
	assert_string_equal(options->server_name, "n1");
	assert_false(options->debug || options->trace || options->logtime);
	assert_int_equal(options->log_size_limit, 1000);
	options_free(options);
	options_report_free(&report);
}

/* -DV, -DVV and -VV count after the others, wherever they stand. */
static void
test_trace_flags(void **state)
{
	static const struct {
		char *flags[4];
		bool debug, trace, verbose;
	} rows[] = {
		{ { "-D", NULL }, true, false, false },
		{ { "-V", NULL }, false, true, false },
		{ { "-VV", NULL }, false, true, true },
		{ { "-DV", NULL }, true, true, false },
		{ { "-DVV", NULL }, true, true, true },
		{ { "-DV=false", "-D", NULL }, false, false, false },
		{ { "-D=0", "-DVV=1", NULL }, true, true, true },
	};
	struct options_report report;
	struct options *options;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		options = helper_load(NULL, rows[i].flags, &report);
		assert_int_equal(options->debug, rows[i].debug);
		assert_int_equal(options->trace, rows[i].trace);
		assert_int_equal(options->trace_verbose, rows[i].verbose);
		options_free(options);
		options_report_free(&report);
	}
}

static void
test_missing(void **state)
{
	static const struct {
		char *flags[4];
		const char *key, *error;
	} rows[] = {
		{ { "-js", NULL }, "-js", NULL },
		{ { "-js=false", NULL }, NULL, NULL },
		{ { "--cluster", "nats://u:p@127.0.0.1:-1", NULL }, "-cluster", NULL },
		{ { "--cluster", "", NULL }, NULL, NULL },
		{ { "--cluster", "nats://u@127.0.0.1:1", NULL }, NULL, "expected cluster password to be set\n" },
		{ { "--cluster", "nats://127.0.0.1", NULL }, NULL, "address 127.0.0.1: missing port in address\n" },
		{ { "--routes", "nats://a:1", NULL }, NULL, "solicited routes require cluster capabilities, e.g. --cluster\n" },
		{ { "--routes", "nats://a:1", "--cluster=nats://b:1", NULL }, "-cluster", NULL },
		{ { "-ms", "1", NULL }, "-https_port", NULL },
		{ { "--tls", NULL }, NULL, "TLS Server certificate must be present and valid\n" },
		{ { "--tlscert=c", NULL }, NULL, "TLS Server private key must be present and valid\n" },
		{ { "--tlscert=c", "--tlskey=k", NULL }, NULL,
		    "error parsing X509 certificate/key pair: open c: no such file or directory\n" },
		{ { "--tls=false", "--tlscert=c", NULL }, NULL, NULL },
		{ { "--cluster_name", "c", "-sd=/x", NULL }, NULL, NULL },
	};
	struct options_report report;
	struct conf_position at;
	struct options *options;
	const char *key;
	size_t i;
	bool missing;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		options = helper_load(NULL, rows[i].flags, &report);
		if (rows[i].error != NULL) {
			assert_null(options);
			assert_string_equal(report.text, rows[i].error);
		} else {
			assert_non_null(options);
			missing = options_missing_feature(options, &at, &key);
			assert_int_equal(missing, rows[i].key != NULL);
			if (missing) {
				assert_string_equal(key, rows[i].key);
				assert_int_equal(at.line, 0);
			}
		}
		options_free(options);
		options_report_free(&report);
	}
}

static void
test_redact(void **state)
{
	static const struct {
		const char *before, *after, *next, *next_after;
	} rows[] = {
		{ "--pass=secretsecret", "--pass=[REDACTED]", "x", "x" },
		{ "--user", "--user", "abc", "[RE" },
		{ "-auth", "-auth", "", "" },
		{ "--authx=secret", "--authx=secret", "x", "x" },
		{ "--routes=nats://user:password@a:1,nats://b:2,nats://u:p@c:3",
		    "--routes=nats://[REDACTED]@a:1,nats://b:2,nats://[RE@c:3", "x", "x" },
		{ "--cluster", "--cluster", "nats://user:password@h:1", "nats://[REDACTED]@h:1" },
		{ "-cluster_listen=nats://h:1", "-cluster_listen=nats://h:1", "x", "x" },
	};
	char first[80], second[80], *argv[3] = { "natsd", first, second };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(first, sizeof(first), "%s", rows[i].before);
		snprintf(second, sizeof(second), "%s", rows[i].next);
		flags_redact(3, argv);
		assert_string_equal(first, rows[i].after);
		assert_string_equal(second, rows[i].next_after);
	}
	snprintf(first, sizeof(first), "--pass");
	flags_redact(2, argv);
	assert_string_equal(first, "--pass");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_actions),
		cmocka_unit_test(test_apply),
		cmocka_unit_test(test_trace_flags),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_redact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
