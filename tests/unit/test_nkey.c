/*
 * Unit tests of shared/model/nkey.c: keys that other tools made, round trips, damage.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>
#include <sodium.h>
#include <string.h>

#include "model/nkey.h"

/* Key pairs that nats-server's own tests use (auth_callout_test.go). */
struct known_pair {
	const char *seed, *public_key;
	enum nkey_type type;
};

static const struct known_pair known_pairs[] = {
	{ "SUAP277QP7U4JMFFPVZHLJYEQJ2UHOTYVEIZJYAWRJXQLP4FRSEHYZJJOU", "UBO2MQV67TQTVIRV3XFTEZOACM4WLOCMCDMAWN5QVN5PI2N6JHTVDRON",
	    NKEY_USER },
};

static void
test_known_pairs(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(known_pairs) / sizeof(known_pairs[0]); i++) {
		const struct known_pair *pair = &known_pairs[i];
		uint8_t seed[NKEY_KEY_SIZE], key[NKEY_KEY_SIZE], secret[NKEY_SECRET_SIZE], decoded[NKEY_KEY_SIZE];
		char text[NKEY_SEED_LENGTH + 1];
		enum nkey_type type;

		assert_true(nkey_seed_decode(pair->seed, strlen(pair->seed), &type, seed));
		assert_int_equal(type, pair->type);
		nkey_from_seed(seed, key, secret);
		nkey_public_encode(type, key, text);
		assert_string_equal(text, pair->public_key);
		nkey_seed_encode(type, seed, text);
		assert_string_equal(text, pair->seed);
		assert_true(nkey_public_decode(pair->public_key, strlen(pair->public_key), &type, decoded));
		assert_int_equal(type, pair->type);
		assert_memory_equal(decoded, key, sizeof(key));
	}
}

struct lettered {
	enum nkey_type type;
	char letter;
};

static const struct lettered lettered[] = {
	{ NKEY_ACCOUNT, 'A' },
	{ NKEY_CLUSTER, 'C' },
	{ NKEY_SERVER, 'N' },
	{ NKEY_OPERATOR, 'O' },
	{ NKEY_USER, 'U' },
	{ NKEY_CURVE, 'X' },
};

static void
test_round_trips(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lettered) / sizeof(lettered[0]); i++)
		for (int round = 0; round < 50; round++) {
			uint8_t key[NKEY_KEY_SIZE], back[NKEY_KEY_SIZE];
			char text[NKEY_PUBLIC_LENGTH + 1], seed[NKEY_SEED_LENGTH + 1];
			enum nkey_type type;

			randombytes_buf(key, sizeof(key));
			nkey_public_encode(lettered[i].type, key, text);
			assert_int_equal(strlen(text), NKEY_PUBLIC_LENGTH);
			assert_int_equal(text[0], lettered[i].letter);
			assert_true(nkey_public_decode(text, NKEY_PUBLIC_LENGTH, &type, back));
			assert_true(type == lettered[i].type && memcmp(key, back, sizeof(key)) == 0);
			assert_true(nkey_public_valid(text, NKEY_PUBLIC_LENGTH, lettered[i].type));
			assert_false(nkey_public_valid(text, NKEY_PUBLIC_LENGTH, lettered[(i + 1) % 6].type));
			nkey_seed_encode(lettered[i].type, key, seed);
			assert_true(seed[0] == 'S' && seed[1] == lettered[i].letter && strlen(seed) == NKEY_SEED_LENGTH);
			assert_true(nkey_seed_decode(seed, NKEY_SEED_LENGTH, &type, back));
			assert_true(type == lettered[i].type && memcmp(key, back, sizeof(key)) == 0);
			assert_false(nkey_public_decode(seed, NKEY_SEED_LENGTH, &type, back));
			assert_false(nkey_seed_decode(text, NKEY_PUBLIC_LENGTH, &type, back));
		}
}

/* Any one wrong character is found. */
static void
test_damage(void **state)
{
	const char *good = known_pairs[0].public_key;
	char text[NKEY_PUBLIC_LENGTH + 2];
	uint8_t key[NKEY_KEY_SIZE];
	enum nkey_type type;

	(void)state;
	for (unsigned i = 0; i < NKEY_PUBLIC_LENGTH; i++)
		for (unsigned c = 0; c < 256; c++) {
			memcpy(text, good, NKEY_PUBLIC_LENGTH);
			text[i] = (char)c;
			assert_true(nkey_public_decode(text, NKEY_PUBLIC_LENGTH, &type, key) == (text[i] == good[i]));
		}
	memcpy(text, good, NKEY_PUBLIC_LENGTH);
	text[NKEY_PUBLIC_LENGTH] = 'A';
	for (size_t length = 0; length <= NKEY_PUBLIC_LENGTH + 1; length++)
		assert_true(nkey_public_decode(text, length, &type, key) == (length == NKEY_PUBLIC_LENGTH));
	assert_false(nkey_public_decode(NULL, 0, &type, key));
	assert_false(nkey_seed_decode("", 0, &type, key));
}

static void
test_server_and_signatures(void **state)
{
	uint8_t seed[NKEY_KEY_SIZE], key[NKEY_KEY_SIZE], secret[NKEY_SECRET_SIZE], signature[NKEY_SIGNATURE_SIZE];
	char text[NKEY_PUBLIC_LENGTH + 1], again[NKEY_PUBLIC_LENGTH + 1];

	(void)state;
	nkey_server_create(text, seed);
	assert_true(nkey_public_valid(text, NKEY_PUBLIC_LENGTH, NKEY_SERVER));
	nkey_from_seed(seed, key, secret);
	nkey_public_encode(NKEY_SERVER, key, again);
	assert_string_equal(text, again);
	nkey_server_create(again, NULL);
	assert_string_not_equal(text, again);
	nkey_sign(secret, "nonce", 5, signature);
	assert_true(nkey_verify(key, "nonce", 5, signature, sizeof(signature)));
	assert_false(nkey_verify(key, "nonsense", 8, signature, sizeof(signature)));
	assert_false(nkey_verify(key, "nonce", 5, signature, sizeof(signature) - 1));
	signature[3] ^= 1;
	assert_false(nkey_verify(key, "nonce", 5, signature, sizeof(signature)));
}

static int
start(void **state)
{
	(void)state;
	return sodium_init() < 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_pairs),
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_server_and_signatures),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
