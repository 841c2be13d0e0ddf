/*
 * Clocks and random numbers, behind loop.h: nobody else asks the system for the time or for chance.
 */
#include "base/loop.h"

#include <sys/random.h>

#include <errno.h>
#include <time.h>

#include "base/check.h"

static int64_t
clock_read(clockid_t clock)
{
	struct timespec ts;

	CHECK(clock_gettime(clock, &ts) == 0);
	return (int64_t)ts.tv_sec * LOOP_SECOND + ts.tv_nsec;
}

int64_t
clock_monotonic(void)
{
	return clock_read(CLOCK_MONOTONIC);
}

int64_t
clock_wall(void)
{
	return clock_read(CLOCK_REALTIME);
}

void
random_bytes(void *to, size_t n)
{
	uint8_t *at = to;

	CHECK(to != NULL || n == 0);
	while (n > 0) {
		ssize_t got = getrandom(at, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		CHECK(got > 0);
		at += got;
		n -= (size_t)got;
	}
}

uint64_t
random_u64(void)
{
	uint64_t value;

	random_bytes(&value, sizeof(value));
	return value;
}

/* xoshiro256** (public domain, Blackman and Vigna); all zero = not seeded yet. */
static uint64_t random_state[4];

static uint64_t
random_rotate(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

void
random_fast_seed(uint64_t seed)
{
	/* splitmix64 spreads the seed over the state, which is never all zero then. */
	for (int i = 0; i < 4; i++) {
		uint64_t z = seed += 0x9e3779b97f4a7c15U;

		z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
		z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
		random_state[i] = z ^ (z >> 31);
	}
}

uint64_t
random_fast(void)
{
	uint64_t *s = random_state;
	uint64_t result;
	uint64_t t;

	if (__builtin_expect((s[0] | s[1] | s[2] | s[3]) == 0, 0))
		random_fast_seed(random_u64());
	result = random_rotate(s[1] * 5, 7) * 9;
	t = s[1] << 17;
	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = random_rotate(s[3], 45);
	return result;
}

uint32_t
random_fast_below(uint32_t bound)
{
	uint64_t product;
	uint32_t floor;

	CHECK(bound > 0);
	product = (random_fast() >> 32) * bound;
	if ((uint32_t)product >= bound)
		return (uint32_t)(product >> 32);
	/* Draws below 2^32 mod bound would favour small results. */
	floor = (uint32_t)-bound % bound;
	while ((uint32_t)product < floor)
		product = (random_fast() >> 32) * bound;
	return (uint32_t)(product >> 32);
}
