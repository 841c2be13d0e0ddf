/*
 * counters.c: the shared pages of counters: made by master, mapped by everybody.  See counters.h.
 */
#include "ipc/counters.h"

#include <sys/mman.h>
#include <sys/resource.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "ipc/seal.h"

#define TOTAL false
#define GAUGE true

static const struct counters_row rows[] = {
#define COUNTER(name, kind, text) { #name, text, kind },
#include "ipc/counters.def"
#undef COUNTER
};

#define COUNTERS_ROWS (sizeof(rows) / sizeof(rows[0]))

_Static_assert(
    sizeof(struct counters) == COUNTERS_ROWS * sizeof(uint64_t), "the page is an array of numbers in the order of the table");

const struct counters_row *
counters_table(size_t *count)
{
	*count = COUNTERS_ROWS;
	return rows;
}

static const _Atomic uint64_t *
counters_at(const struct counters *page, size_t row)
{
	CHECK(page != NULL);
	CHECK(row < COUNTERS_ROWS);
	return (const _Atomic uint64_t *)page + row;
}

uint64_t
counters_value(const struct counters *page, size_t row)
{
	return atomic_load_explicit(counters_at(page, row), memory_order_relaxed);
}

bool
counters_create(int *writable, int *read_only)
{
	*writable = seal_create("natsd-counters", COUNTERS_SIZE);
	if (*writable < 0)
		return false;
	*read_only = seal_reopen(*writable);
	if (*read_only >= 0)
		return true;
	close(*writable);
	*writable = -1;
	return false;
}

struct counters *
counters_map(int fd, bool writable)
{
	void *page = mmap(NULL, COUNTERS_SIZE, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);

	return page == MAP_FAILED ? NULL : page;
}

void
counters_reset_gauges(struct counters *page)
{
	for (size_t row = 0; row < COUNTERS_ROWS; row++)
		if (rows[row].gauge)
			atomic_store_explicit((_Atomic uint64_t *)(uintptr_t)counters_at(page, row), 0, memory_order_relaxed);
}

void
counters_sample(struct counters *page)
{
	struct memory_stats stats;
	struct rusage usage;

	memory_get_stats(&stats);
	COUNTERS_SET(page, memory_bytes, stats.bytes);
	COUNTERS_SET(page, memory_failures, stats.failures);
	COUNTERS_SET(page, log_dropped, log_dropped());
	if (getrusage(RUSAGE_SELF, &usage) == 0) {
		COUNTERS_SET(page, cpu_ns,
		    (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * UINT64_C(1000000000) +
			(uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000);
		COUNTERS_SET(page, resident_bytes, (uint64_t)usage.ru_maxrss * 1024);
	}
}
