/*
 * The main() of a fuzz target outside libFuzzer: replays files.
 *
 * Usage: fuzz_NAME FILE|FOLDER...  Each file is given to the target once, and so is the empty input.  'make check' runs it over
 * the seeds under sanitizers; a crash of the fuzzer is looked at by giving it the file it left.  When the target aborts, the name
 * of the input under way is printed.  Called by nobody else; never writes a file.
 */
#include <sys/stat.h>

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);
int LLVMFuzzerInitialize(int *, char ***) __attribute__((weak));

static char current[PATH_MAX] = "the empty input";
static size_t inputs;

/* Sanitizers report first, and come here by the abort() that tests/check.sh asks them for. */
static void
tell(int number)
{
	(void)!write(STDERR_FILENO, "died at ", 8);
	(void)!write(STDERR_FILENO, current, strlen(current));
	(void)!write(STDERR_FILENO, "\n", 1);
	_exit(128 + number);
}

static void
fail(const char *path)
{
	perror(path);
	exit(2);
}

static void
replay_file(const char *path, size_t size)
{
	uint8_t *data = malloc(size == 0 ? 1 : size); /* its own block, so that the sanitizer sees an overrun by one */
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (data == NULL || fd == -1 || read(fd, data, size) != (ssize_t)size)
		fail(path);
	close(fd);
	snprintf(current, sizeof current, "%s", path);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	inputs++;
}

static void
replay(const char *path)
{
	struct dirent **names;
	struct stat status;
	char inner[PATH_MAX];
	int count;

	if (stat(path, &status) == -1)
		fail(path);
	if (!S_ISDIR(status.st_mode)) {
		replay_file(path, (size_t)status.st_size);
		return;
	}
	if ((count = scandir(path, &names, NULL, alphasort)) == -1)
		fail(path);
	for (int i = 0; i < count; i++) {
		if (names[i]->d_name[0] != '.' &&
		    snprintf(inner, sizeof inner, "%s/%s", path, names[i]->d_name) < (int)sizeof inner)
			replay(inner);
		free(names[i]);
	}
	free(names);
}

int
main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = tell };

	sigaction(SIGABRT, &action, NULL);
	if (LLVMFuzzerInitialize != NULL)
		LLVMFuzzerInitialize(&argc, &argv);
	LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
	inputs++;
	for (int i = 1; i < argc; i++)
		replay(argv[i]);
	printf("%zu inputs\n", inputs);
	return 0;
}
