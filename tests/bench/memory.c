/*
 * Memory rows: what an idle connection and a subscription cost, over all processes of the server, and what is given
 * back when they are gone. Memory is read once it stands still.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define SUBS_CONNS 10
#define SUBJECT_MAX 160
#define SETTLE_MIN 1.0 /* seconds */
#define SETTLE_MAX 6.0

struct memory_result {
	uint64_t before;
	uint64_t with;
	uint64_t after;
	double add_seconds;
	double remove_seconds;
};

static void
memory_print(const struct memory_result *result, unsigned count)
{
	printf("{\"count\":%u,\"bytes_each\":%.1f,\"kept_each\":%.1f,\"before_kib\":%llu,\"with_kib\":%llu,\"after_kib\":%llu,"
	       "\"added_per_second\":%.0f,\"removed_per_second\":%.0f}\n",
	    count, ((double)result->with - (double)result->before) / count,
	    ((double)result->after - (double)result->before) / count, (unsigned long long)result->before / 1024,
	    (unsigned long long)result->with / 1024, (unsigned long long)result->after / 1024, count / result->add_seconds,
	    count / result->remove_seconds);
}

static double
memory_seconds(uint64_t since_ns)
{
	return (double)(now_ns() - since_ns) / 1e9;
}

int
idle_run(const struct bench_args *args)
{
	struct conn *conns = calloc(args->count, sizeof(conns[0])), witness;
	struct memory_result result;
	uint64_t start;

	if (args->server_pid == 0 || args->count == 0 || conns == NULL)
		errx(2, "idle needs --pid and --count");
	net_open(&witness);
	result.before = proc_memory_settled(args->server_pid, SETTLE_MIN, SETTLE_MAX);
	start = now_ns();
	for (unsigned i = 0; i < args->count; i++)
		net_open(&conns[i]);
	result.add_seconds = memory_seconds(start);
	result.with = proc_memory_settled(args->server_pid, SETTLE_MIN, SETTLE_MAX);
	start = now_ns();
	for (unsigned i = 0; i < args->count; i++)
		net_close(&conns[i]);
	net_sync(&witness);
	result.remove_seconds = memory_seconds(start);
	result.after = proc_memory_settled(args->server_pid, SETTLE_MIN, SETTLE_MAX);
	memory_print(&result, args->count);
	return 0;
}

/* "s.1234567", or a subject of six tokens (53 bytes) as fleets of devices use them. */
static int
subs_subject(bool is_long, unsigned number, char *subject)
{
	if (!is_long)
		return snprintf(subject, SUBJECT_MAX, "s.%07u", number);
	return snprintf(
	    subject, SUBJECT_MAX, "fleet.eu-west-%u.site-%03u.device-%07u.sensor.temperature", number % 3, number % 1000, number);
}

/* Sends the SUB or UNSUB lines of all subscriptions, spread over the connections. */
static void
subs_send(struct conn *conns, unsigned count, bool is_long, bool subscribe)
{
	char lines[64 << 10], subject[SUBJECT_MAX];
	unsigned each = count / SUBS_CONNS;
	size_t len;

	for (unsigned c = 0; c < SUBS_CONNS; c++) {
		len = 0;
		for (unsigned i = 0; i < each; i++) {
			subs_subject(is_long, c * each + i, subject);
			if (subscribe)
				len += (size_t)snprintf(lines + len, sizeof(lines) - len, "SUB %s %u\r\n", subject, i + 1);
			else
				len += (size_t)snprintf(lines + len, sizeof(lines) - len, "UNSUB %u\r\n", i + 1);
			if (len > sizeof(lines) - 2 * SUBJECT_MAX || i + 1 == each) {
				net_send_all(conns[c].fd, lines, len);
				len = 0;
			}
		}
	}
	for (unsigned c = 0; c < SUBS_CONNS; c++)
		net_sync(&conns[c]);
}

int
subs_run(const struct bench_args *args)
{
	bool is_long = strcmp(args->shape, "long") == 0;
	struct conn conns[SUBS_CONNS];
	struct memory_result result;
	uint64_t start;

	if (args->server_pid == 0 || args->count == 0 || args->count % SUBS_CONNS != 0)
		errx(2, "subs needs --pid, and a --count that %d divides", SUBS_CONNS);
	for (unsigned c = 0; c < SUBS_CONNS; c++)
		net_open(&conns[c]);
	result.before = proc_memory_settled(args->server_pid, SETTLE_MIN, SETTLE_MAX);
	start = now_ns();
	subs_send(conns, args->count, is_long, true);
	result.add_seconds = memory_seconds(start);
	result.with = proc_memory_settled(args->server_pid, SETTLE_MIN, SETTLE_MAX);
	start = now_ns();
	subs_send(conns, args->count, is_long, false);
	result.remove_seconds = memory_seconds(start);
	result.after = proc_memory_settled(args->server_pid, SETTLE_MIN, SETTLE_MAX);
	memory_print(&result, args->count);
	return 0;
}
