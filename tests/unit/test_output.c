/*
 * What waits for a connection: order and bytes against a plain model, partial writes over a socketpair with tiny buffers, memory.
 */
#include <sys/socket.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/loop.h"
#include "base/memory.h"
#include "worker/output.h"

struct pair {
	int near, far;
};

static struct pair
pair_create(void)
{
	struct pair pair;
	int fds[2], size = 4096;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	pair.near = fds[0];
	pair.far = fds[1];
	return pair;
}

static void
pair_close(struct pair pair)
{
	(void)close(pair.near);
	(void)close(pair.far);
}

static size_t
pair_read(struct pair pair, uint8_t *to, size_t size)
{
	ssize_t n = recv(pair.far, to, size, MSG_DONTWAIT);

	return n > 0 ? (size_t)n : 0;
}

static int
nothing_left(void **state)
{
	struct memory_stats stats;

	(void)state;
	output_trim();
	blob_trim(0);
	memory_get_stats(&stats);
	return blob_used_bytes() == 0 && stats.blocks == 0 ? 0 : -1;
}

static void
test_small_messages_share_a_part(void **state)
{
	struct output output = { 0 };
	struct pair pair = pair_create();
	uint8_t text[64];
	size_t written, i;

	(void)state;
	for (i = 0; i < 10; i++)
		assert_true(output_copy(&output, "abc", 3));
	assert_int_equal(output.pending, 30);
	assert_int_equal(output_parts(&output), 1);
	assert_int_equal(output_write(&output, pair.near, &written), OUTPUT_DONE);
	assert_int_equal(written, 30);
	assert_int_equal(output.pending, 0);
	assert_null(output.first);
	assert_null(output.last);
	assert_int_equal(blob_used_bytes(), 0);
	assert_int_equal(pair_read(pair, text, sizeof(text)), 30);
	assert_memory_equal(text, "abcabcabcabcabcabcabcabcabcabc", 30);
	/* Nothing to write is no error. */
	assert_int_equal(output_write(&output, pair.near, &written), OUTPUT_DONE);
	assert_int_equal(written, 0);
	pair_close(pair);
}

static void
test_reserve_and_advance(void **state)
{
	struct output output = { 0 };
	uint8_t *at, *next;

	(void)state;
	at = output_reserve(&output, 100);
	assert_non_null(at);
	assert_int_equal(output.pending, 0);
	memcpy(at, "12345", 5);
	output_advance(&output, 5);
	next = output_reserve(&output, 100);
	assert_ptr_equal(next, at + 5);
	output_advance(&output, 0);
	assert_int_equal(output.pending, 5);
	/* The largest stretch there is, in one piece. */
	at = output_reserve(&output, OUTPUT_RESERVE_MAX);
	assert_non_null(at);
	memset(at, 'x', OUTPUT_RESERVE_MAX);
	output_advance(&output, OUTPUT_RESERVE_MAX);
	assert_int_equal(output_parts(&output), 2);
	assert_int_equal(output.pending, 5 + OUTPUT_RESERVE_MAX);
	output_clear(&output);
	assert_int_equal(output.pending, 0);
	assert_int_equal(blob_used_bytes(), 0);
}

static void
test_reserved_but_unused_part_goes(void **state)
{
	struct output output = { 0 };
	struct pair pair = pair_create();
	size_t written;

	(void)state;
	assert_non_null(output_reserve(&output, 10));
	assert_int_equal(output_write(&output, pair.near, &written), OUTPUT_DONE);
	assert_null(output.first);
	assert_int_equal(blob_used_bytes(), 0);
	pair_close(pair);
}

static void
test_references(void **state)
{
	struct output first = { 0 }, second = { 0 };
	struct pair pair = pair_create();
	struct blob *blob = blob_create(1000);
	uint8_t text[2000];
	size_t written;

	(void)state;
	memset(blob->data, 'p', 1000);
	memcpy(blob->data + 100, "payload", 7);
	assert_true(output_copy(&first, "<", 1));
	assert_true(output_reference(&first, blob, 100, 7));
	assert_true(output_copy(&first, ">", 1));
	assert_true(output_reference(&second, blob, 100, 7));
	assert_true(output_reference(&second, blob, 0, 0));
	assert_int_equal(blob->references, 4);
	blob_release(blob);
	/* What is appended never goes into the shared blob. */
	assert_int_equal(output_parts(&first), 3);
	assert_int_equal(output_write(&first, pair.near, &written), OUTPUT_DONE);
	assert_int_equal(written, 9);
	assert_int_equal(pair_read(pair, text, sizeof(text)), 9);
	assert_memory_equal(text, "<payload>", 9);
	assert_int_equal(output_write(&second, pair.near, &written), OUTPUT_DONE);
	assert_int_equal(pair_read(pair, text, sizeof(text)), 7);
	assert_memory_equal(text, "payload", 7);
	assert_int_equal(blob_used_bytes(), 0);
	/* An empty reference alone. */
	blob = blob_create(10);
	assert_true(output_reference(&first, blob, 10, 0));
	blob_release(blob);
	assert_int_equal(output_write(&first, pair.near, &written), OUTPUT_DONE);
	assert_int_equal(blob_used_bytes(), 0);
	pair_close(pair);
}

static void
test_blocked_and_failed(void **state)
{
	struct output output = { 0 };
	struct pair pair = pair_create();
	static uint8_t data[200000], got[200000];
	size_t written, sent = 0, received = 0, n;
	unsigned rounds = 0;
	enum output_result result;

	(void)state;
	for (n = 0; n < sizeof(data); n++)
		data[n] = (uint8_t)(n * 7 + n / 250);
	assert_true(output_copy(&output, data, sizeof(data)));
	do {
		result = output_write(&output, pair.near, &written);
		sent += written;
		assert_int_equal(output.pending, sizeof(data) - sent);
		assert_true(result == (output.pending > 0 ? OUTPUT_BLOCKED : OUTPUT_DONE));
		received += pair_read(pair, got + received, 3000);
		rounds++;
	} while (result == OUTPUT_BLOCKED);
	assert_true(rounds > 5);
	while ((n = pair_read(pair, got + received, sizeof(got) - received)) > 0)
		received += n;
	assert_int_equal(received, sizeof(data));
	assert_memory_equal(got, data, sizeof(data));
	/* The other end goes away: no signal, an error, and what waits is kept until it is cleared. */
	assert_true(output_copy(&output, data, 100));
	(void)close(pair.far);
	assert_int_equal(output_write(&output, pair.near, &written), OUTPUT_FAILED);
	assert_int_equal(errno, EPIPE);
	assert_int_equal(written, 0);
	assert_int_equal(output.pending, 100);
	output_clear(&output);
	(void)close(pair.near);
}

/* Copies, stretches, references and writes of all sizes in random order: what arrives is what was put, and memory comes back. */
static void
test_random_against_model(void **state)
{
	enum { TOTAL = 4 << 20 };
	struct output output = { 0 };
	struct pair pair = pair_create();
	uint8_t *model = memory_alloc(TOTAL), *got = memory_alloc(TOTAL), *at;
	size_t put = 0, received = 0, sent = 0, written, n, start;
	struct blob *shared = blob_create(100000);
	unsigned i;

	(void)state;
	random_fast_seed(4242);
	for (i = 0; i < TOTAL; i++)
		model[i] = (uint8_t)random_fast();
	while (put + 100000 < TOTAL) {
		n = random_fast_below(random_fast_below(4) == 0 ? 40000 : 300);
		switch (random_fast_below(5)) {
		case 0:
			assert_true(output_copy(&output, model + put, n));
			put += n;
			break;
		case 1:
			n = n < OUTPUT_RESERVE_MAX ? n : OUTPUT_RESERVE_MAX;
			at = output_reserve(&output, n + random_fast_below((uint32_t)(OUTPUT_RESERVE_MAX - n + 1)));
			assert_non_null(at);
			memcpy(at, model + put, n);
			output_advance(&output, n);
			put += n;
			break;
		case 2:
			start = random_fast_below(1000);
			if (shared->references > 1) {
				blob_release(shared);
				shared = blob_create(100000);
			}
			memcpy(shared->data + start, model + put, n);
			assert_true(output_reference(&output, shared, (uint32_t)start, (uint32_t)n));
			put += n;
			break;
		case 3:
			assert_int_not_equal(output_write(&output, pair.near, &written), OUTPUT_FAILED);
			sent += written;
			break;
		default: received += pair_read(pair, got + received, n);
		}
		assert_int_equal(output.pending, put - sent);
	}
	while (received < put) {
		assert_int_not_equal(output_write(&output, pair.near, &written), OUTPUT_FAILED);
		received += pair_read(pair, got + received, TOTAL - received);
	}
	assert_int_equal(received, put);
	assert_memory_equal(got, model, put);
	assert_null(output.first);
	blob_release(shared);
	memory_free(model);
	memory_free(got);
	pair_close(pair);
}

/* More parts than one system call takes. */
static void
test_many_parts(void **state)
{
	struct output output = { 0 };
	struct pair pair = pair_create();
	struct blob *blob = blob_create(10);
	uint8_t got[3000];
	size_t written, received = 0;
	unsigned i;

	(void)state;
	memcpy(blob->data, "0123456789", 10);
	for (i = 0; i < 300; i++)
		assert_true(output_reference(&output, blob, i % 10, 1));
	blob_release(blob);
	while (output.pending > 0 || received < 300) {
		assert_int_not_equal(output_write(&output, pair.near, &written), OUTPUT_FAILED);
		received += pair_read(pair, got + received, sizeof(got) - received);
	}
	for (i = 0; i < 300; i++)
		assert_int_equal(got[i], '0' + i % 10);
	pair_close(pair);
}

/* What a receiver of referenced payloads costs beside them, and one of many small messages. */
static void
test_memory_of_a_slow_receiver(void **state)
{
	struct output output = { 0 };
	struct blob *blob = blob_create(5000);
	size_t own = blob_used_bytes();
	unsigned i;

	(void)state;
	for (i = 0; i < 1000; i++) {
		assert_non_null(output_reserve(&output, 60));
		output_advance(&output, 40);
		assert_true(output_reference(&output, blob, 0, 5000));
		assert_true(output_copy(&output, "\r\n", 2));
	}
	assert_true(blob_used_bytes() - own <= 1000 * 512 + 4096);
	output_clear(&output);
	blob_release(blob);
	for (i = 0; i < 100000; i++)
		assert_true(output_copy(&output, "MSG subject 1 16\r\n0123456789abcdef\r\n", 36));
	assert_true(blob_used_bytes() <= output.pending + 65536 + 65536 / 8);
	output_clear(&output);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_small_messages_share_a_part, nothing_left, nothing_left),
		cmocka_unit_test_setup_teardown(test_reserve_and_advance, nothing_left, nothing_left),
		cmocka_unit_test_setup_teardown(test_reserved_but_unused_part_goes, nothing_left, nothing_left),
		cmocka_unit_test_setup_teardown(test_references, nothing_left, nothing_left),
		cmocka_unit_test_setup_teardown(test_blocked_and_failed, nothing_left, nothing_left),
		cmocka_unit_test_setup_teardown(test_random_against_model, nothing_left, nothing_left),
		cmocka_unit_test_setup_teardown(test_many_parts, nothing_left, nothing_left),
		cmocka_unit_test_setup_teardown(test_memory_of_a_slow_receiver, nothing_left, nothing_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
