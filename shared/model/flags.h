/*
 * The command line in Go's flag syntax: 66 spellings of cli-flags.tsv, rows of flags.def.
 * Who calls it: main() of master. It never prints, exits or reads a file: it says what to do and what to print.
 */
#ifndef MODEL_FLAGS_H
#define MODEL_FLAGS_H

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct options;
struct options_source;

/* The level of nats-server we claim: clients choose features by it. */
#define FLAGS_COMPATIBLE_VERSION "2.15.2"

enum flags_action {
	FLAGS_RUN,    /* start the server */
	FLAGS_CHECK,  /* -t: options_check_file(config_file) and leave */
	FLAGS_SIGNAL, /* --signal: signal_command to signal_target, and leave */
	FLAGS_PRINT,  /* print the texts and leave with exit_code: help, version, or an error in the flags */
};

struct flags_value;

struct flags {
	struct arena *arena;
	enum flags_action action;
	int exit_code;               /* of FLAGS_PRINT */
	const char *standard_output; /* texts to print first; "" for nothing */
	const char *standard_error;
	const char *config_file;    /* NULL when none was given */
	const char *signal_command; /* "ldm", "stop", ...: not checked here */
	const char *signal_target;  /* after '=': a pid, a file or a pattern; NULL when none was given */
	struct flags_value *values; /* flags that were given, in the order given */
	const char *program;        /* name for messages: the last part of argv[0] */
};

/* Reads argv. NULL only when memory is out. The result keeps no pointer into argv. */
struct flags *flags_parse(int argc, char *const argv[]);
void flags_free(struct flags *flags);

/*
 * Sets over options what the flags say (call before options_set_defaults). False with one line in error when a flag cannot be
 * applied (a bad --cluster url, -tls without certificate, routes without cluster).
 */
bool flags_apply(const struct flags *flags, const struct options_source *source, struct options *options, char *error, size_t size);

/* What -v, -h and --help_tls print. */
const char *flags_version(void);
const char *flags_usage(void);
const char *flags_tls_help(void);

/*
 * Overwrites secrets in argv in place (never longer than they were): values of --user, --pass and --auth, and the user part of the
 * urls of --routes, --cluster and --cluster_listen. Go's RedactArgs, kept within the bytes that are there.
 */
void flags_redact(int argc, char *argv[]);

#endif
