/*
 * Latency samples: kept one by one and sorted at the end, so percentiles are exact.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"

void
samples_setup(struct samples *samples, size_t room)
{
	samples->count = 0;
	samples->room = room;
	samples->ns = calloc(room, sizeof(samples->ns[0]));
	if (samples->ns == NULL)
		err(1, "samples");
}

/* Beyond the room samples are dropped; 4 s is the longest told apart. */
void
samples_add(struct samples *samples, uint64_t ns)
{
	if (samples->count < samples->room)
		samples->ns[samples->count++] = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
}

static int
samples_order(const void *a, const void *b)
{
	const uint32_t *left = a, *right = b;

	return *left < *right ? -1 : *left > *right;
}

static double
samples_at(const struct samples *samples, double part)
{
	size_t at = (size_t)(part * (double)samples->count);

	if (samples->count == 0)
		return 0;
	return (double)samples->ns[at < samples->count ? at : samples->count - 1] / 1000.0;
}

/* JSON fields in microseconds. Sorts, then frees the samples. */
void
samples_print(struct samples *samples, const char *prefix)
{
	qsort(samples->ns, samples->count, sizeof(samples->ns[0]), samples_order);
	printf("\"%sp50_us\":%.1f,\"%sp90_us\":%.1f,\"%sp99_us\":%.1f,\"%smax_us\":%.1f,\"%ssamples\":%zu", prefix,
	    samples_at(samples, 0.5), prefix, samples_at(samples, 0.9), prefix, samples_at(samples, 0.99), prefix,
	    samples_at(samples, 1.0), prefix, samples->count);
	free(samples->ns);
	samples->ns = NULL;
}
