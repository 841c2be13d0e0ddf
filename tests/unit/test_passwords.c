/*
 * passwords.c: bcrypt as Go computes it, and a queue in which sources take turns.
 */
#include "tests/unit/authd_helper.h"

#include <stdio.h>

#define HASH "XajjQvNhvvRt5GSeFk1xFeyqRrsxkhBkUiQeg0dt.wU1qD4aFDcga" /* of "allmine" */
#define HASH_FOUR "$2a$04$XajjQvNhvvRt5GSeFk1xFe"

static void
test_kinds(void **state)
{
	static const char *const hashes[] = { "$2a$10$x", "$2b$04$", "$2x$31$", "$2y$10$abc" },
				 *const plain[] = { "", "$", "$2", "$2a", "$2a$hello", "$2c$10$x", "2a$10$x", "$2a$1$x", "$2a$1x$x",
					 "$2a$10" };

	(void)state;
	for (size_t i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++)
		assert_true(password_is_bcrypt(hashes[i]));
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		assert_false(password_is_bcrypt(plain[i]));
}

static void
test_matches(void **state)
{
	static const char *const variants[] = { "$2a$10$" HASH, "$2b$10$" HASH, "$2x$10$" HASH, "$2y$10$" HASH };
	char stored[128];

	(void)state;
	for (size_t i = 0; i < 4; i++)
		assert_true(password_matches(variants[i], "allmine", 7));
	assert_false(password_matches(variants[0], "allminE", 7));
	assert_false(password_matches(variants[0], "allmine\0", 8));
	assert_false(password_matches(variants[0], "allmine\0x", 9));
	assert_false(password_matches(variants[0], "", 0));
	assert_false(password_matches("$2a$10$short", "short", 5));
	assert_false(password_matches("$2a$99$" HASH, "allmine", 7));
	snprintf(stored, sizeof(stored), "%sx", variants[0]);
	assert_false(password_matches(stored, "allmine", 7));
	assert_true(password_matches("plain", "plain", 5));
	assert_false(password_matches("plain", "plain\0", 6));
	assert_true(password_matches("", "", 0));
}

/* Bytes past 72 do not count (BEHAVIOUR, Accounts 9). */
static void
test_long(void **state)
{
	static const char stored[] = "$2b$04$8lTbHjjLDfXhd6oYm8lIUODq4sjINyzLub/E8bo79HMBn8Zbi9IXe";
	char secret[100];

	(void)state;
	memset(secret, 'x', sizeof(secret));
	assert_true(password_matches(stored, secret, 72));
	assert_true(password_matches(stored, secret, 73));
	assert_true(password_matches(stored, secret, 100));
	assert_false(password_matches(stored, secret, 71));
}

static const struct snapshot_user hashed = { .name = "u", .password = HASH_FOUR "yqRrsxkhBkUiQeg0dt.wU1qD4aFDcga", .account = "" };
static const struct authd_config config = { .user_count = 1, .users = &hashed };

static void
ask(unsigned worker, uint32_t index, const char *source)
{
	assert_true(passwords_ask(
	    &(const struct asker){ worker, index, 0 }, authd.logins.items[0].number, source, strlen(source), "wrong", 5));
}

/* The client whose verdict comes next. */
static uint32_t
answered(unsigned worker)
{
	struct message_auth_reply reply;

	passwords_step();
	assert_true(helper_heard(worker, MESSAGE_AUTH_REPLY));
	assert_true(message_auth_reply_read(&helper_frame, &reply));
	assert_false(reply.ok);
	return reply.client_index;
}

static void
test_sources_take_turns(void **state)
{
	(void)state;
	assert_true(logins_load(&config, &authd.logins));
	for (uint32_t i = 0; i < 50; i++)
		ask(0, i, "10.0.0.1");
	ask(0, 100, "10.0.0.2");
	ask(0, 101, "10.0.0.2");
	ask(0, 200, "10.0.0.3");
	assert_int_equal(answered(0), 0);
	assert_int_equal(answered(0), 100);
	assert_int_equal(answered(0), 200);
	assert_int_equal(answered(0), 1);
	assert_int_equal(answered(0), 101);
	assert_int_equal(answered(0), 2);
	assert_int_equal(answered(0), 3);
	assert_true(passwords_waiting());
	passwords_cancel_worker(0);
	assert_false(passwords_waiting());
	passwords_step();
	logins_free(&authd.logins);
}

static void
test_limits_and_cancels(void **state)
{
	const struct asker one = { 1, 5, 0 };

	(void)state;
	assert_true(logins_load(&config, &authd.logins));
	for (uint32_t i = 0; i < AUTHD_QUEUE_SOURCE_MAX; i++)
		ask(1, i, "10.0.0.1");
	assert_false(passwords_ask(&one, 1, "10.0.0.1", 8, "x", 1));
	ask(2, 1, "10.0.0.2");
	assert_false(passwords_ask(&one, 1, "10.0.0.9", 8, "a\0b", 3));
	passwords_cancel(&(const struct asker){ 1, 0, 0 });
	passwords_cancel(&(const struct asker){ 1, 1, 1 }); /* of another generation: somebody else */
	assert_int_equal(answered(1), 1);
	passwords_cancel_worker(1);
	assert_int_equal(answered(2), 1);
	assert_false(passwords_waiting());
	logins_free(&authd.logins);
}

static void
test_user_gone_meanwhile(void **state)
{
	(void)state;
	assert_true(logins_load(&config, &authd.logins));
	ask(1, 3, "10.0.0.1");
	logins_free(&authd.logins);
	assert_int_equal(answered(1), 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_matches),
		cmocka_unit_test(test_long),
		cmocka_unit_test_setup_teardown(test_sources_take_turns, helper_setup, helper_teardown),
		cmocka_unit_test_setup_teardown(test_limits_and_cancels, helper_setup, helper_teardown),
		cmocka_unit_test_setup_teardown(test_user_gone_meanwhile, helper_setup, helper_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
