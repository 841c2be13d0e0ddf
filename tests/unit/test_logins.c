/*
 * logins.c: numbers that stay, look-ups, and what a reload means for the clients of each login (BEHAVIOUR, Configuration 6).
 */
#include "tests/unit/authd_helper.h"

#include <stdio.h>

#define HASH_OF_ALLMINE "$2a$10$XajjQvNhvvRt5GSeFk1xFeyqRrsxkhBkUiQeg0dt.wU1qD4aFDcga"

static const char *const foo[] = { "foo" }, *const bar[] = { "bar" };
static const struct snapshot_permissions on_foo = { .publish_allow = { true, 1, foo } },
					 on_bar = { .publish_allow = { true, 1, bar } };

static const struct snapshot_user before[] = { { .name = "u", .password = "p", .account = "" },
	{ .name = "v", .password = "allmine", .account = "", .permissions = &on_foo } };
static const struct snapshot_user no_u[] = { { .name = "v", .password = "allmine", .account = "", .permissions = &on_foo } };
static const struct snapshot_user changed[] = { { .name = "u", .password = "other", .account = "" },
	{ .name = "v", .password = "allmine", .account = "", .permissions = &on_bar } };
static const struct snapshot_user moved[] = { { .name = "u", .password = "other", .account = "A" },
	{ .name = "v", .password = "allmine", .account = "" } };
static const struct snapshot_user typed[] = { { .name = "u", .password = "p", .account = "", .connection_types = CONNECTION_MQTT },
	{ .name = "v", .password = HASH_OF_ALLMINE, .account = "", .permissions = &on_foo } };

#define USERS(list) \
	{ \
		.user_count = sizeof(list) / sizeof(list[0]), .users = list \
	}

static const struct authd_config open_config, users_before = USERS(before), users_no_u = USERS(no_u),
					      users_changed = USERS(changed), users_moved = USERS(moved),
					      users_typed = USERS(typed);
static const struct authd_config token = { .token = "t" }, other_token = { .token = "x" },
				 single = { .username = "u", .password = "p" }, single_other = { .username = "u", .password = "q" },
				 single_renamed = { .username = "w", .password = "p" },
				 single_hashed = { .username = "v", .password = HASH_OF_ALLMINE };

/* what, from, to, and for each revocation "name action", in order; "-" is who came in without a login, "token" the token. */
static const struct {
	const struct authd_config *from, *to;
	const char *expected;
} reloads[] = {
	{ &users_before, &users_before, "" },
	{ &users_before, &users_no_u, "u close, " },
	{ &users_before, &users_changed, "u violation, v permissions, " },
	{ &users_before, &users_moved, "u close, v permissions, " },
	{ &users_before, &users_typed, "u violation, " }, /* v's password was only hashed */
	{ &users_typed, &users_before, "" },
	{ &users_before, &open_config, "u close, v close, " },
	{ &users_before, &token, "u close, v close, " },
	{ &users_before, &single, "v close, " },
	{ &users_before, &single_hashed, "u close, v permissions, " },
	{ &open_config, &users_before, "- violation, " },
	{ &open_config, &token, "- violation, " },
	{ &open_config, &open_config, "" },
	{ &token, &token, "" },
	{ &token, &other_token, "token violation, " },
	{ &token, &open_config, "" },
	{ &token, &users_before, "token violation, " },
	{ &single, &single, "" },
	{ &single, &single_other, "u close, " },
	{ &single, &single_renamed, "u close, " },
	{ &single, &open_config, "u close, " },
	{ &single, &users_before, "" },
	{ &single_other, &users_before, "u violation, " },
};

static const char *
name_of(const struct logins *logins, uint32_t number)
{
	for (size_t i = 0; i < logins->count; i++)
		if (logins->items[i].number == number)
			return logins->items[i].kind == LOGIN_TOKEN ? "token" : logins->items[i].name;
	return number == 0 ? "-" : "?";
}

static void
test_reload(void **state)
{
	static const char *const actions[] = { "?", "close", "violation", "permissions" };

	(void)state;
	for (size_t i = 0; i < sizeof(reloads) / sizeof(reloads[0]); i++) {
		struct message_auth_revoke revoke;
		struct logins old, fresh;
		char found[256] = "";

		assert_true(logins_load(reloads[i].from, &old));
		permissions_reload_begin();
		assert_true(logins_load(reloads[i].to, &fresh));
		helper_forget();
		logins_revoke(&old, &fresh);
		while (helper_heard(1, MESSAGE_AUTH_REVOKE)) {
			size_t n = strlen(found);

			assert_true(message_auth_revoke_read(&helper_frame, &revoke));
			snprintf(found + n, sizeof(found) - n, "%s %s, ", name_of(&old, revoke.login), actions[revoke.action & 3]);
		}
		if (strcmp(found, reloads[i].expected) != 0)
			fail_msg("reload %zu: \"%s\", not \"%s\"", i, found, reloads[i].expected);
		permissions_reload_end();
		logins_free(&old);
		logins_free(&fresh);
	}
}

static void
test_forgotten_permissions(void **state)
{
	struct logins old, fresh;
	struct message_auth_forget forget;
	uint32_t number;

	(void)state;
	assert_true(logins_load(&users_before, &old));
	number = logins_find(&old, "v", 1)->permissions;
	assert_true(number != 0);
	permissions_tell(number, 0);
	permissions_reload_begin();
	assert_true(logins_load(&users_changed, &fresh));
	permissions_reload_end();
	assert_true(logins_find(&fresh, "v", 1)->permissions != number);
	assert_true(helper_heard(0, MESSAGE_AUTH_FORGET));
	assert_true(message_auth_forget_read(&helper_frame, &forget));
	assert_int_equal(forget.permissions, number);
	assert_false(helper_heard(1, MESSAGE_AUTH_FORGET)); /* it never knew */
	logins_free(&old);
	logins_free(&fresh);
}

/* Ten thousand users: all found, numbers unique, the same after another load in another order. */
static void
test_many(void **state)
{
	enum { COUNT = 10000 };
	static struct snapshot_user users[COUNT], shuffled[COUNT];
	static char names[COUNT][16];
	const struct authd_config config = { .user_count = COUNT, .users = users },
				  again = { .user_count = COUNT, .users = shuffled };
	struct logins logins, other;

	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		snprintf(names[i], sizeof(names[i]), "user%zu", i);
		users[i] = (struct snapshot_user){ .name = names[i], .password = "p", .account = "" };
		shuffled[COUNT - 1 - i] = users[i];
	}
	assert_true(logins_load(&config, &logins));
	assert_true(logins_load(&again, &other));
	for (size_t i = 0; i < COUNT; i++) {
		const struct login *login = logins_find(&logins, names[i], strlen(names[i]));

		assert_non_null(login);
		assert_string_equal(login->name, names[i]);
		assert_true(login->number != 0);
		assert_int_equal(login->number, logins_find(&other, names[i], strlen(names[i]))->number);
	}
	assert_null(logins_find(&logins, "user", 4));
	assert_null(logins_find(&logins, "user1\0", 6));
	assert_null(logins_find(&logins, "", 0));
	assert_null(logins_token(&logins));
	logins_free(&logins);
	logins_free(&other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_reload, helper_setup, helper_teardown),
		cmocka_unit_test_setup_teardown(test_forgotten_permissions, helper_setup, helper_teardown),
		cmocka_unit_test_setup_teardown(test_many, helper_setup, helper_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
