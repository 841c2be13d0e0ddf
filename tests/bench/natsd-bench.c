/*
 * Command line of natsd-bench: options into struct bench_args, then one command.
 * Called by run.py and by hand; see bench.h.
 */
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "bench.h"

struct command {
	const char *name;
	int (*run)(const struct bench_args *);
	const char *what;
};

static const struct command commands[] = {
	{ "flow", flow_run, "publish as fast as the socket takes, until all is received" },
	{ "request", request_run, "request and reply, one in flight per client" },
	{ "paced", paced_run, "latency at a given rate" },
	{ "idle", idle_run, "memory of connections" },
	{ "subs", subs_run, "memory of subscriptions" },
	{ "connect", connect_run, "new connections per second" },
	{ "start", start_run, "start of a server to its first INFO: start -p PORT -- COMMAND..." },
};

static const struct option options[] = {
	{ "port", required_argument, NULL, 'p' },
	{ "pid", required_argument, NULL, 'P' },
	{ "workers", required_argument, NULL, 'w' },
	{ "shape", required_argument, NULL, 'S' },
	{ "pubs", required_argument, NULL, 'a' },
	{ "subs", required_argument, NULL, 'b' },
	{ "subjects", required_argument, NULL, 'j' },
	{ "filters", required_argument, NULL, 'f' },
	{ "idle", required_argument, NULL, 'i' },
	{ "clients", required_argument, NULL, 'c' },
	{ "count", required_argument, NULL, 'n' },
	{ "rate", required_argument, NULL, 'r' },
	{ "size", required_argument, NULL, 's' },
	{ "seconds", required_argument, NULL, 't' },
	{ NULL, 0, NULL, 0 },
};

static void __attribute__((noreturn)) usage(void)
{
	fprintf(stderr, "usage: natsd-bench COMMAND -p PORT [--pid PID] [--workers N] [options] [-- COMMAND...]\n");
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(stderr, "\t%-8s %s\n", commands[i].name, commands[i].what);
	fprintf(stderr, "options:");
	for (size_t i = 0; options[i].name != NULL; i++)
		fprintf(stderr, " --%s", options[i].name);
	fprintf(stderr, "\n");
	exit(2);
}

static unsigned
number(const char *text, unsigned max)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || value > max)
		errx(2, "not a number from 0 to %u: %s", max, text);
	return (unsigned)value;
}

static double
seconds(const char *text)
{
	char *end;
	double value;

	value = strtod(text, &end);
	if (end == text || *end != '\0' || !(value > 0 && value <= 600))
		errx(2, "not a number of seconds: %s", text);
	return value;
}

static void
set_option(struct bench_args *args, int letter, const char *value)
{
	switch (letter) {
	case 'p': args->port = (uint16_t)number(value, 65535); break;
	case 'P': args->server_pid = (int)number(value, 1U << 30); break;
	case 'w': args->workers = number(value, 64); break;
	case 'S': args->shape = value; break;
	case 'a': args->pubs = number(value, BENCH_CONNS_MAX); break;
	case 'b': args->subs = number(value, BENCH_CONNS_MAX); break;
	case 'j': args->subjects = number(value, 1000000); break;
	case 'f': args->filters = number(value, 1000000); break;
	case 'i': args->idle = number(value, 15000); break;
	case 'c': args->clients = number(value, BENCH_CONNS_MAX); break;
	case 'n': args->count = number(value, 10000000); break;
	case 'r': args->rate = number(value, 10000000); break;
	case 's': args->size = number(value, 64U << 20); break;
	case 't': args->seconds = seconds(value); break;
	default: usage();
	}
}

/* Thousands of sockets, and timers that fire when asked. */
static void
setup_process(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
		err(1, "getrlimit");
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) == -1)
		err(1, "setrlimit");
	if (prctl(PR_SET_TIMERSLACK, 1UL) == -1)
		err(1, "prctl");
}

int
main(int argc, char **argv)
{
	struct bench_args args = {
		.shape = "same",
		.workers = 1,
		.pubs = 1,
		.subs = 1,
		.subjects = 1,
		.filters = 1,
		.clients = 1,
		.size = 128,
		.seconds = 1.0,
	};
	int letter;

	if (argc < 2)
		usage();
	optind = 2;
	while ((letter = getopt_long(argc, argv, "p:w:s:t:n:", options, NULL)) != -1)
		set_option(&args, letter, optarg);
	args.command = argv + optind;
	if (args.port == 0 || args.workers == 0)
		usage();
	setup_process();
	net_setup(&args);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(&args);
	}
	usage();
}
