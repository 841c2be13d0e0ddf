/*
 * snapshot.c and seal.c: what goes in comes out; what is not exactly a snapshot is refused, whatever its bytes are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/mman.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/loop.h"
#include "ipc/seal.h"
#include "ipc/snapshot.h"
#include "model/options.h"

static const char *const tags[] = { "a", "b:c", "" };
static const struct snapshot_pair metadata[] = { { "name", "value" }, { "", "" } };

static struct worker_config
filled(void)
{
	struct worker_config config = { .server_id = "NABC",
		.server_name = "name with \"quotes\" and \xff",
		.port = 65535,
		.max_payload = INT64_MIN,
		.ping_interval = INT64_MAX,
		.debug = true,
		.headers = true,
		.tags = { 3, tags },
		.metadata = { 2, metadata } };

	return config;
}

static void
test_worker(void **state)
{
	const struct worker_config config = filled();
	struct worker_config *got;
	int fd = snapshot_worker_create(&config);

	(void)state;
	assert_true(fd >= 0);
	got = snapshot_worker_read(fd);
	assert_non_null(got);
	assert_string_equal(got->server_id, "NABC");
	assert_string_equal(got->server_name, config.server_name);
	assert_string_equal(got->config_file, ""); /* NULL counts as empty */
	assert_int_equal(got->port, 65535);
	assert_true(got->max_payload == INT64_MIN && got->ping_interval == INT64_MAX);
	assert_true(got->debug && got->headers && !got->trace);
	assert_int_equal(got->tags.count, 3);
	assert_string_equal(got->tags.items[1], "b:c");
	assert_int_equal(got->connect_urls.count, 0);
	assert_int_equal(got->metadata.count, 2);
	assert_string_equal(got->metadata.items[0].value, "value");
	snapshot_worker_free(got);
	assert_null(snapshot_authd_read(fd)); /* of another kind */
	close(fd);
	snapshot_worker_free(NULL);
}

static struct options_subject subjects[] = { { (char *)(uintptr_t) "foo.*", NULL },
	{ (char *)(uintptr_t) "bar", (char *)(uintptr_t) "q" } };

static struct options *
options_with_users(void)
{
	static struct options_permissions permissions = {
		.subscribe = { .set = true, .allow = { true, 2, subjects }, .deny = { true, 0, NULL } },
		.responses = true,
		.responses_max = -1,
		.responses_expires = 5
	};
	static struct options_user plain = { .name = (char *)(uintptr_t) "u", .password = (char *)(uintptr_t) "p" },
				   narrow = { .name = (char *)(uintptr_t) "v",
					   .password = (char *)(uintptr_t) "",
					   .account = (char *)(uintptr_t) "A",
					   .connection_types = 5,
					   .permissions = &permissions },
				   key = { .name = (char *)(uintptr_t) "", .nkey = (char *)(uintptr_t) "UABC" };
	static struct options_user *users[] = { &plain, &key, &narrow };
	static struct options options;

	options = (struct options){ .users = users,
		.users_length = 3,
		.no_auth_user = (char *)(uintptr_t) "u",
		.auth_timeout = 1.5,
		.authorization = (char *)(uintptr_t) "" };
	return &options;
}

static void
test_authd(void **state)
{
	int fd = snapshot_authd_create(options_with_users());
	struct authd_config *got;

	(void)state;
	assert_true(fd >= 0);
	got = snapshot_authd_read(fd);
	assert_non_null(got);
	assert_null(got->username);
	assert_string_equal(got->token, "");
	assert_string_equal(got->no_auth_user, "u");
	assert_true(got->auth_timeout == 1500000000);
	assert_int_equal(got->user_count, 2);
	assert_string_equal(got->users[0].password, "p");
	assert_string_equal(got->users[0].account, "");
	assert_null(got->users[0].permissions);
	assert_int_equal(got->users[1].connection_types, 5);
	assert_non_null(got->users[1].permissions);
	assert_false(got->users[1].permissions->publish_allow.set);
	assert_int_equal(got->users[1].permissions->subscribe_allow.count, 2);
	assert_string_equal(got->users[1].permissions->subscribe_allow.items[1], "bar q");
	assert_true(got->users[1].permissions->subscribe_deny.set);
	assert_true(got->users[1].permissions->responses_max == -1);
	snapshot_authd_free(got);
	assert_null(snapshot_worker_read(fd));
	close(fd);
	snapshot_authd_free(NULL);
}

static void
test_large(void **state)
{
	enum { COUNT = 50000 };
	static const char *items[COUNT];
	struct worker_config config = filled(), *got;
	int fd;

	(void)state;
	for (size_t i = 0; i < COUNT; i++)
		items[i] = "nats://a.host.with.a.long.name.example.com:4222";
	config.connect_urls = (struct snapshot_texts){ COUNT, items };
	fd = snapshot_worker_create(&config);
	assert_true(fd >= 0);
	got = snapshot_worker_read(fd);
	assert_non_null(got);
	assert_int_equal(got->connect_urls.count, COUNT);
	snapshot_worker_free(got);
	close(fd);
}

static size_t
contents(int fd, uint8_t *out, size_t max)
{
	ssize_t n = pread(fd, out, max, 0);

	assert_true(n > 0 && (size_t)n < max);
	return (size_t)n;
}

/* Every cut, and every byte turned into others: refused or read, but never more than that. */
static void
test_damage(void **state)
{
	static uint8_t good[65536], bad[65536];
	const struct worker_config config = filled();
	int fds[2] = { snapshot_worker_create(&config), snapshot_authd_create(options_with_users()) };

	(void)state;
	for (int kind = 0; kind < 2; kind++) {
		size_t n = contents(fds[kind], good, sizeof(good));

		for (size_t at = 0; at < 2 * n; at++) {
			size_t length = at < n ? at : n;
			int fd;

			memcpy(bad, good, n);
			if (at >= n)
				bad[at - n] ^= (uint8_t)(1u << random_fast_below(8));
			fd = length == 0 ? -1 : seal_create_with("test", bad, length);
			if (kind == 0)
				snapshot_worker_free(snapshot_worker_read(fd));
			else
				snapshot_authd_free(snapshot_authd_read(fd));
			if (at < n)
				assert_null(kind == 0 ? (void *)snapshot_worker_read(fd) : (void *)snapshot_authd_read(fd));
			if (fd >= 0)
				close(fd);
		}
		close(fds[kind]);
	}
}

static void
test_only_sealed(void **state)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	const struct worker_config config = filled();
	int good = snapshot_worker_create(&config);
	static uint8_t bytes[65536];
	size_t n = contents(good, bytes, sizeof(bytes)), size;

	(void)state;
	assert_int_equal(write(fd, bytes, n), n);
	assert_null(snapshot_worker_read(fd)); /* master could still change it */
	assert_false(seal_is_constant(fd, &size));
	assert_true(seal_is_constant(good, &size));
	assert_int_equal(size, n);
	assert_int_equal(pwrite(good, "x", 1, 0), -1);
	assert_int_equal(ftruncate(good, 1), -1);
	assert_int_equal(fallocate(good, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), -1);
	assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, good, 0), MAP_FAILED);
	close(fd);
	close(good);
}

static void
test_seal_sizes(void **state)
{
	int fd = seal_create("test", 8192), again = seal_reopen(fd);
	size_t size;

	(void)state;
	assert_true(fd >= 0 && again >= 0);
	assert_int_equal(ftruncate(fd, 4096), -1);
	assert_int_equal(ftruncate(fd, 16384), -1);
	assert_int_equal(pwrite(fd, "x", 1, 0), 1);
	assert_int_equal(pwrite(again, "x", 1, 0), -1);
	assert_ptr_equal(mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, again, 0), MAP_FAILED);
	assert_false(seal_is_constant(fd, &size));
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	close(fd);
	close(again);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_worker),
		cmocka_unit_test(test_authd),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_only_sealed),
		cmocka_unit_test(test_seal_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
