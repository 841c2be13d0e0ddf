/*
 * What the kernel says: CPU time and memory of all processes of the server, CPU time of the generator.
 * CPU time comes from each process's CPU clock (utime + stime of all its threads, in ns where /proc shows ticks).
 */
#include <ctype.h>
#include <dirent.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define PROCESSES_MAX 64
#define SETTLE_STEP_US 100000

static uint64_t
clock_ns(clockid_t clock)
{
	struct timespec ts;

	if (clock_gettime(clock, &ts) == -1)
		err(1, "clock_gettime");
	return (uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
}

uint64_t
now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* The parent of a process, or -1 when it is gone. The name in the stat line may hold anything, so go to its last ')'. */
static int
proc_parent(int pid)
{
	char path[64], text[1024];
	const char *at;
	int parent = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (file == NULL)
		return -1;
	if (fgets(text, sizeof(text), file) != NULL && (at = strrchr(text, ')')) != NULL && strlen(at) > 4)
		parent = (int)strtol(at + 4, NULL, 10);
	fclose(file);
	return parent;
}

static bool
proc_listed(const int *pids, size_t n, int pid)
{
	for (size_t i = 0; i < n; i++) {
		if (pids[i] == pid)
			return true;
	}
	return false;
}

/* The process and all its descendants. A child may have a lower number than its parent: go round until none is new. */
static size_t
proc_tree(int top, int *pids)
{
	struct dirent *entry;
	size_t n = 1, before;
	int pid;
	DIR *dir;

	pids[0] = top;
	dir = opendir("/proc");
	if (dir == NULL)
		err(1, "/proc");
	do {
		before = n;
		rewinddir(dir);
		while ((entry = readdir(dir)) != NULL && n < PROCESSES_MAX) {
			if (!isdigit((unsigned char)entry->d_name[0]))
				continue;
			pid = (int)strtol(entry->d_name, NULL, 10);
			if (!proc_listed(pids, n, pid) && proc_listed(pids, n, proc_parent(pid)))
				pids[n++] = pid;
		}
	} while (n > before);
	closedir(dir);
	return n;
}

/* The processes are looked up once: a server that replaces one during a row has failed that row. */
static uint64_t
proc_cpu(int top)
{
	static int pids[PROCESSES_MAX];
	static size_t n;
	uint64_t sum = 0;
	clockid_t clock;

	if (n == 0)
		n = proc_tree(top, pids);
	for (size_t i = 0; i < n; i++) {
		if (clock_getcpuclockid(pids[i], &clock) != 0)
			errx(1, "server process %d is gone", pids[i]);
		sum += clock_ns(clock);
	}
	return sum;
}

/* Time all processors were not idle, stolen by the host included; in ticks of 10 ms, so good for warnings only. */
static uint64_t
proc_busy(void)
{
	unsigned long long ticks[8] = { 0 };
	FILE *file = fopen("/proc/stat", "re");

	if (file == NULL)
		err(1, "/proc/stat");
	if (fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &ticks[0], &ticks[1], &ticks[2], &ticks[3], &ticks[4],
		&ticks[5], &ticks[6], &ticks[7]) != 8)
		errx(1, "/proc/stat is not as expected");
	fclose(file);
	return (ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6] + ticks[7]) * (1000000000U / (uint64_t)sysconf(_SC_CLK_TCK));
}

void
proc_usage(int server_pid, struct usage *usage)
{
	usage->wall_ns = now_ns();
	usage->own_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	usage->server_ns = server_pid == 0 ? 0 : proc_cpu(server_pid);
	usage->busy_ns = proc_busy();
}

/* The proportional set size: memory shared by several processes of the server counts once. */
static uint64_t
proc_pss(int pid)
{
	char path[64], line[256];
	uint64_t kib = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	file = fopen(path, "re");
	if (file == NULL)
		err(1, "%s", path);
	while (fgets(line, sizeof(line), file) != NULL) {
		if (strncmp(line, "Pss:", 4) == 0)
			kib = strtoull(line + 4, NULL, 10);
	}
	fclose(file);
	return kib * 1024;
}

/* Own memory of all processes of the server, in bytes (the kernel's socket buffers are not in it). */
uint64_t
proc_memory(int server_pid)
{
	int pids[PROCESSES_MAX];
	size_t n = proc_tree(server_pid, pids);
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += proc_pss(pids[i]);
	return sum;
}

/* The same once it stands still (half a second within 0.5 %), or after max_seconds. */
uint64_t
proc_memory_settled(int server_pid, double min_seconds, double max_seconds)
{
	uint64_t start = now_ns(), last = proc_memory(server_pid), memory, change;
	unsigned quiet = 0;
	double passed;

	do {
		usleep(SETTLE_STEP_US);
		memory = proc_memory(server_pid);
		change = memory > last ? memory - last : last - memory;
		quiet = change * 200 <= last ? quiet + 1 : 0;
		last = memory;
		passed = (double)(now_ns() - start) / 1e9;
	} while (passed < min_seconds || (quiet < 5 && passed < max_seconds));
	return last;
}

/* The JSON fields every timed row has; messages is what the CPU time is divided by. */
void
proc_print_usage(const struct usage *from, const struct usage *to, uint64_t messages)
{
	double wall = (double)(to->wall_ns - from->wall_ns);
	double server = (double)(to->server_ns - from->server_ns), own = (double)(to->own_ns - from->own_ns);
	double busy = (double)(to->busy_ns - from->busy_ns);
	double each = (double)(messages == 0 ? 1 : messages);

	printf(
	    "\"messages\":%llu,\"seconds\":%.4f,\"per_second\":%.1f,", (unsigned long long)messages, wall / 1e9, each * 1e9 / wall);
	printf("\"server_ns\":%.2f,\"own_ns\":%.2f,\"server_cores\":%.3f,\"own_cores\":%.3f,\"other_cores\":%.3f", server / each,
	    own / each, server / wall, own / wall, (busy - server - own) / wall);
}
