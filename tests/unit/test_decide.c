/*
 * decide.c: what a CONNECT gets under each kind of configuration: the verdict table of nats-server (auth.go), and what the worker
 * hears.
 */
#include "tests/unit/authd_helper.h"

#include "base/bytes.h"
#include "model/permission.h"

static const char *const allowed[] = { "foo" };
static const struct snapshot_permissions narrow = { .publish_allow = { true, 1, allowed } };
static const struct snapshot_user users[] = {
	{ .name = "u", .password = "p", .account = "" },
	{ .name = "", .password = "nameless", .account = "" },
	{ .name = "empty", .password = "", .account = "" },
	{ .name = "n", .password = "p", .account = "A", .permissions = &narrow },
	{ .name = "ws", .password = "p", .account = "", .connection_types = CONNECTION_WEBSOCKET },
	{ .name = "std", .password = "p", .account = "", .connection_types = CONNECTION_STANDARD | CONNECTION_MQTT },
	{ .name = "proxied", .password = "p", .account = "", .proxy_required = true },
	{ .name = "hashed", .password = "$2a$04$XajjQvNhvvRt5GSeFk1xFeyqRrsxkhBkUiQeg0dt.wU1qD4aFDcga", .account = "" },
	{ .name = "broken", .password = "$2a$10$short", .account = "" },
	{ .name = "notquite", .password = "$2a$hello", .account = "" },
};

static const struct authd_config open_config = { .auth_timeout = 1 };
static const struct authd_config token_config = { .token = "t0ken" };
static const struct authd_config single_config = { .username = "u", .password = "p" };
static const struct authd_config users_config = { .user_count = sizeof(users) / sizeof(users[0]), .users = users };
static const struct authd_config anonymous_config = { .user_count = 4, .users = users, .no_auth_user = "n" };
static const struct authd_config lost_anonymous_config = { .user_count = 2, .users = users, .no_auth_user = "gone" };

static const struct {
	const char *what;
	const struct authd_config *config;
	const char *user, *password, *token, *nkey;
	bool ok;
	const char *name; /* as told, or the reason */
} cases[] = {
	{ "open", &open_config, NULL, NULL, NULL, NULL, true, "" },
	{ "open, with credentials", &open_config, "x", "y", "z", NULL, true, "" },
	{ "token", &token_config, NULL, NULL, "t0ken", NULL, true, "" },
	{ "token, wrong", &token_config, NULL, NULL, "t0keN", NULL, false, "wrong token" },
	{ "token, longer", &token_config, NULL, NULL, "t0ken ", NULL, false, "wrong token" },
	{ "token, missing", &token_config, NULL, NULL, NULL, NULL, false, "wrong token" },
	{ "token as password", &token_config, "t0ken", "t0ken", NULL, NULL, false, "wrong token" },
	{ "token beside a user", &token_config, "u", "p", "t0ken", NULL, true, "" },
	{ "single", &single_config, "u", "p", NULL, NULL, true, "u" },
	{ "single, wrong password", &single_config, "u", "P", NULL, NULL, false, "wrong password" },
	{ "single, wrong name", &single_config, "U", "p", NULL, NULL, false, "unknown user" },
	{ "single, nothing", &single_config, NULL, NULL, NULL, NULL, false, "no credentials" },
	{ "single, password alone", &single_config, NULL, "p", NULL, NULL, false, "no credentials" },
	{ "users", &users_config, "u", "p", NULL, NULL, true, "u" },
	{ "users, wrong password", &users_config, "u", "", NULL, NULL, false, "wrong password" },
	{ "users, start of the password", &users_config, "u", "pp", NULL, NULL, false, "wrong password" },
	{ "users, unknown", &users_config, "uu", "p", NULL, NULL, false, "unknown user" },
	{ "users, nothing", &users_config, NULL, NULL, NULL, NULL, false, "no credentials" },
	{ "users, nameless", &users_config, NULL, "nameless", NULL, NULL, false, "no credentials" },
	{ "users, empty password", &users_config, "empty", NULL, NULL, NULL, true, "empty" },
	{ "users, empty password, other given", &users_config, "empty", "x", NULL, NULL, false, "wrong password" },
	{ "users, other account", &users_config, "n", "p", NULL, NULL, true, "n" },
	{ "users, websocket only", &users_config, "ws", "p", NULL, NULL, false, "connection type not allowed" },
	{ "users, standard too", &users_config, "std", "p", NULL, NULL, true, "std" },
	{ "users, proxy", &users_config, "proxied", "p", NULL, NULL, false, "proxy connection required" },
	{ "users, no bcrypt after all", &users_config, "notquite", "$2a$hello", NULL, NULL, true, "notquite" },
	{ "users, unknown nkey", &users_config, NULL, NULL, NULL, "UABC", false, "no credentials" },
	{ "no_auth_user", &anonymous_config, NULL, NULL, NULL, NULL, true, "n" },
	{ "no_auth_user and an nkey", &anonymous_config, NULL, NULL, NULL, "UABC", true, "n" }, /* BEHAVIOUR, Accounts 7 */
	{ "no_auth_user, login given", &anonymous_config, "u", "p", NULL, NULL, true, "u" },
	{ "no_auth_user, wrong login", &anonymous_config, "u", "x", NULL, NULL, false, "wrong password" },
	{ "no_auth_user, password alone", &anonymous_config, NULL, "p", NULL, NULL, false, "no credentials" },
	{ "no_auth_user, token given", &anonymous_config, NULL, NULL, "t", NULL, false, "no credentials" },
	{ "no_auth_user that is not there", &lost_anonymous_config, NULL, NULL, NULL, NULL, false, "no credentials" },
};

static struct message_auth_request
request_of(size_t i)
{
	return (struct message_auth_request){ .client_index = 7,
		.client_generation = 9,
		.address = message_text("10.0.0.1"),
		.user = helper_text(cases[i].user),
		.password = helper_text(cases[i].password),
		.token = helper_text(cases[i].token),
		.nkey = helper_text(cases[i].nkey),
		.signature = helper_text(NULL),
		.jwt = helper_text(NULL),
		.name = helper_text("test"),
		.nonce = helper_text(NULL) };
}

static void
test_verdicts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct message_auth_request request = request_of(i);
		struct message_auth_reply reply;

		helper_forget();
		assert_true(logins_load(cases[i].config, &authd.logins));
		decide(1, &request);
		if (!helper_heard(1, MESSAGE_AUTH_REPLY))
			fail_msg("%s: no answer", cases[i].what);
		assert_true(message_auth_reply_read(&helper_frame, &reply));
		assert_int_equal(reply.client_index, 7);
		assert_int_equal(reply.client_generation, 9);
		if (reply.ok != cases[i].ok)
			fail_msg("%s: %d", cases[i].what, reply.ok);
		const struct message_text *said = reply.ok ? &reply.user : &reply.reason;

		if (said->length != strlen(cases[i].name) || memcmp(said->at, cases[i].name, said->length) != 0)
			fail_msg("%s: \"%.*s\"", cases[i].what, (int)said->length, said->at);
		assert_true(reply.ok || (reply.account == 0 && reply.login == 0 && reply.permissions == 0));
		assert_false(helper_heard(0, MESSAGE_AUTH_REPLY));
		logins_free(&authd.logins);
	}
}

/* What a login with permissions brings: the set before its number, the account before its use, the grant to all others. */
static void
test_what_comes_before_a_verdict(void **state)
{
	const struct message_auth_request request = { .client_index = 1, .user = message_text("n"), .password = message_text("p") };
	struct message_auth_permissions part;
	struct message_auth_reply reply;
	struct message_account account;
	struct message_account_grant grant;
	struct permission_set *set;
	struct bytes_reader r;

	(void)state;
	assert_true(logins_load(&users_config, &authd.logins));
	assert_true(helper_heard(0, MESSAGE_ACCOUNT));
	do
		assert_true(message_account_read(&helper_frame, &account));
	while (account.name.at[0] == '$' && helper_heard(0, MESSAGE_ACCOUNT));
	assert_memory_equal(account.name.at, "A", 1);
	helper_forget();
	decide(2, &request);
	assert_int_equal(channel_receive(&helper_worker[2], &helper_frame), CHANNEL_FRAME);
	assert_true(message_auth_permissions_read(&helper_frame, &part));
	assert_int_equal(part.offset, 0);
	assert_int_equal(part.size, part.part.length);
	bytes_reader_init(&r, part.part.at, part.part.length);
	set = permission_set_decode(&r);
	assert_non_null(set);
	assert_true(permission_publish(set, "foo", 3));
	assert_false(permission_publish(set, "bar", 3));
	permission_set_release(set);
	assert_int_equal(channel_receive(&helper_worker[2], &helper_frame), CHANNEL_FRAME);
	assert_true(message_auth_reply_read(&helper_frame, &reply));
	assert_int_equal(reply.permissions, part.permissions);
	assert_int_equal(reply.account, account.account);
	for (unsigned other = 0; other < 2; other++) {
		assert_true(helper_heard(other, MESSAGE_ACCOUNT_GRANT));
		assert_true(message_account_grant_read(&helper_frame, &grant));
		assert_int_equal(grant.account, reply.account);
		assert_int_equal(grant.member, 2);
	}
	decide(2, &request); /* once is enough */
	assert_int_equal(channel_receive(&helper_worker[2], &helper_frame), CHANNEL_FRAME);
	assert_int_equal(helper_frame.type, MESSAGE_AUTH_REPLY);
	assert_false(helper_heard(0, MESSAGE_ACCOUNT_GRANT));
	logins_free(&authd.logins);
}

static void
test_policy(void **state)
{
	struct message_auth_policy policy;

	(void)state;
	assert_true(logins_load(&open_config, &authd.logins));
	logins_tell_policy(0);
	assert_true(helper_heard(0, MESSAGE_AUTH_POLICY));
	assert_true(message_auth_policy_read(&helper_frame, &policy));
	assert_true(!policy.required && !policy.anonymous && policy.account == ACCOUNT_GLOBAL && policy.login == 0);
	logins_free(&authd.logins);
	assert_true(logins_load(&anonymous_config, &authd.logins));
	logins_tell_policy(0);
	assert_true(helper_heard(0, MESSAGE_AUTH_PERMISSIONS));
	assert_true(helper_heard(0, MESSAGE_AUTH_POLICY));
	assert_true(message_auth_policy_read(&helper_frame, &policy));
	assert_true(policy.required && policy.anonymous && policy.login != 0 && policy.permissions != 0);
	assert_memory_equal(policy.user.at, "n", 1);
	logins_free(&authd.logins);
	assert_true(logins_load(&token_config, &authd.logins));
	logins_tell_policy(0);
	assert_true(helper_heard(0, MESSAGE_AUTH_POLICY));
	assert_true(message_auth_policy_read(&helper_frame, &policy));
	assert_true(policy.required && !policy.anonymous);
	logins_free(&authd.logins);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_what_comes_before_a_verdict, helper_setup, helper_teardown),
		cmocka_unit_test_setup_teardown(test_verdicts, helper_setup, helper_teardown),
		cmocka_unit_test_setup_teardown(test_policy, helper_setup, helper_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
