/*
 * main.c: the command line of natsd: what is asked for, and what is done about it.  Nothing of it needs privilege.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/text.h"
#include "model/flags.h"
#include "server.h"

/* Takes --ready-fd N (ours alone, for s6 and dinit) out of the arguments; -1 without it, -2 when it makes no sense. */
static int
take_ready_fd(int *argc, char **argv)
{
	static const char name[] = "-ready-fd";
	int found = -1, kept = 1;

	for (int i = 1; i < *argc; i++) {
		const char *word = argv[i] + (strncmp(argv[i], "--", 2) == 0), *value = NULL;
		uint64_t number;

		if (strcmp(word, name) == 0)
			value = i + 1 < *argc ? argv[++i] : "";
		else if (strncmp(word, name, sizeof(name) - 1) == 0 && word[sizeof(name) - 1] == '=')
			value = word + sizeof(name);
		if (value == NULL) {
			argv[kept++] = argv[i];
			continue;
		}
		if (!text_parse_u64(value, strlen(value), &number) || number < 1 || number > 1024)
			return -2;
		found = (int)number;
	}
	argv[kept] = NULL;
	*argc = kept;
	return found;
}

static int
check_file(const struct flags *flags)
{
	struct options_verdict verdict;
	int code;

	options_check_file(flags->program, flags->config_file, &options_source_system, &verdict);
	fputs(verdict.text, stderr);
	code = verdict.exit_code;
	options_verdict_free(&verdict);
	return code;
}

int
main(int argc, char **argv)
{
	int ready_fd = take_ready_fd(&argc, argv);
	struct flags *flags = flags_parse(argc, argv);
	struct options *options;
	int code = 1;

	if (flags == NULL || ready_fd == -2 || sodium_init() < 0) {
		fprintf(stderr, "natsd: %s\n", ready_fd == -2 ? "--ready-fd needs the number of a descriptor" : "out of memory");
		return 1;
	}
	switch (flags->action) {
	case FLAGS_PRINT:
		fputs(flags->standard_error, stderr);
		fputs(flags->standard_output, stdout);
		code = flags->exit_code;
		break;
	case FLAGS_CHECK: code = check_file(flags); break;
	case FLAGS_SIGNAL: code = command_run(flags->program, flags->signal_command, flags->signal_target); break;
	case FLAGS_RUN:
		options = config_load(flags);
		if (options == NULL)
			break;
		flags_redact(argc, argv);
		notify_open(ready_fd);
		code = server_run(flags, options);
		break;
	}
	flags_free(flags);
	return code;
}
