/*
 * role.c: a child starts only by the right frames in the right order, and an odd frame ends it; sandbox.c on the way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/mman.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "ipc/panic.h"
#include "ipc/role.h"
#include "model/options.h"

static struct channel channel;
static struct channel_frame frame;
static pid_t pid;
static int log_read, log_write, counters_rw, counters_ro, panic_fd, empty, config_fd;

/* In the child: what a role's main does. */
static _Noreturn void
child_main(int fd)
{
	struct role *role;
	struct pollfd wait;
	unsigned member;

	dup2(fd, ROLE_CHANNEL_FD);
	role = role_start(ROLE_AUTHD, 0, NULL, NULL, NULL);
	role_ready(role);
	wait = (struct pollfd){ .fd = role->master.fd, .events = POLLIN };
	for (;;) {
		enum role_event event;

		(void)poll(&wait, 1, -1);
		event = role_receive(role, &frame, &member, NULL, NULL);
		if (event == ROLE_EVENT_GONE)
			role_leave(0);
		if (event == ROLE_EVENT_DRAIN)
			role_leave(10);
		if (event == ROLE_EVENT_CONFIG) {
			snapshot_authd_free(role_take_old_authd_config(role));
			role_config_done(role);
		}
	}
}

static int
setup(void **state)
{
	static struct options options = { .auth_timeout = 1 };
	int fds[2], pipes[2];

	(void)state;
	assert_true(channel_pair(fds));
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	log_read = pipes[0];
	log_write = pipes[1];
	assert_true(counters_create(&counters_rw, &counters_ro));
	panic_fd = panic_create();
	empty = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	config_fd = snapshot_authd_create(&options);
	assert_true(panic_fd >= 0 && empty >= 0 && config_fd >= 0);
	fflush(stdout);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		child_main(fds[1]);
	close(fds[1]);
	channel_init(&channel, fds[0], ROLE_MASTER, ROLE_AUTHD);
	return 0;
}

static int
teardown(void **state)
{
	const int fds[] = { log_read, log_write, counters_rw, counters_ro, panic_fd, empty, config_fd };

	(void)state;
	channel_close(&channel);
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		close(fds[i]);
	if (pid > 0) {
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
	}
	return 0;
}

static void
send_start(void)
{
	const struct message_start start = { .workers = 2, .uid = 65534, .gid = 65534 };
	const int fds[] = { log_write, panic_fd, empty, counters_rw };

	assert_true(message_start_send(&channel, &start, fds, 4));
}

static void
send_config(uint64_t generation)
{
	const struct message_config config = { generation };

	assert_true(message_config_send(&channel, &config, &config_fd, 1));
}

static void
send_go(void)
{
	assert_true(channel_send(&channel, MESSAGE_GO, NULL, 0, NULL, 0));
}

/* Waits for a frame of the child; false when it is gone. */
static bool
hear(void)
{
	struct pollfd wait = { .fd = channel.fd, .events = POLLIN };
	enum channel_result result;

	while ((result = channel_receive(&channel, &frame)) == CHANNEL_EMPTY)
		assert_int_equal(poll(&wait, 1, 20000), 1);
	return result == CHANNEL_FRAME;
}

/* Exit status, or -1 for a signal. */
static int
end_of_child(void)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
start_child(void)
{
	struct message_ready ready;

	send_start();
	send_config(1);
	send_go();
	assert_true(hear());
	assert_int_equal(frame.type, MESSAGE_READY);
	assert_true(message_ready_read(&frame, &ready));
	assert_true((ready.layers & (SANDBOX_NO_NEW_PRIVS | SANDBOX_LIMITS)) == (SANDBOX_NO_NEW_PRIVS | SANDBOX_LIMITS));
#ifndef NATSD_SANITIZED
	assert_true(ready.layers & SANDBOX_SECCOMP);
#endif
}

static void
test_start_and_end(void **state)
{
	const struct message_check_alive question = { 42 };
	struct message_alive answer;
	struct message_config_done done;

	(void)state;
	start_child();
	assert_true(message_check_alive_send(&channel, &question, NULL, 0));
	assert_true(hear());
	assert_true(frame.type == MESSAGE_ALIVE && message_alive_read(&frame, &answer) && answer.number == 42);
	send_config(7);
	assert_true(hear());
	assert_true(frame.type == MESSAGE_CONFIG_DONE && message_config_done_read(&frame, &done) && done.generation == 7);
	assert_true(channel_send(&channel, MESSAGE_DRAIN, NULL, 0, NULL, 0));
	assert_int_equal(end_of_child(), 10);
}

static void
test_end_of_file(void **state)
{
	(void)state;
	start_child();
	channel_close(&channel);
	assert_int_equal(end_of_child(), 0);
}

static void
test_end_of_file_before_start(void **state)
{
	(void)state;
	send_start();
	channel_close(&channel);
	assert_int_equal(end_of_child(), 0);
}

static void
test_signals_are_master_s(void **state)
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGPIPE, SIGTSTP };

	(void)state;
	start_child();
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		assert_int_equal(kill(pid, numbers[i]), 0);
	channel_close(&channel);
	assert_int_equal(end_of_child(), 0);
}

static void
go_first(void)
{
	send_go();
}

static void
go_without_config(void)
{
	send_start();
	send_go();
}

static void
start_without_descriptors(void)
{
	const struct message_start start = { .workers = 1 };

	assert_true(message_start_send(&channel, &start, &log_write, 1));
}

static void
too_many_workers(void)
{
	const struct message_start start = { .workers = MESH_MEMBERS_MAX + 1 };
	const int fds[] = { log_write, panic_fd, empty, counters_rw };

	assert_true(message_start_send(&channel, &start, fds, 4));
}

static void
config_that_is_none(void)
{
	const struct message_config config = { 1 };

	send_start();
	assert_true(message_config_send(&channel, &config, &counters_ro, 1));
	send_go();
}

static void
config_without_descriptor(void)
{
	const struct message_config config = { 1 };

	send_start();
	assert_true(message_config_send(&channel, &config, NULL, 0));
	send_go();
}

static void
counters_out_of_range(void)
{
	const struct message_counters counters = { MESH_MEMBERS_MAX + 1 };

	send_start();
	assert_true(message_counters_send(&channel, &counters, &counters_ro, 1));
}

static void
worker_out_of_range(void)
{
	const struct message_worker_up up = { MESH_MEMBERS_MAX };

	send_start();
	assert_true(message_worker_up_send(&channel, &up, &counters_ro, 1));
}

static void
start_again(void)
{
	start_child();
	send_start();
}

static void
go_again(void)
{
	start_child();
	send_go();
}

static void
short_log_levels(void)
{
	start_child();
	assert_true(channel_send(&channel, MESSAGE_LOG_LEVELS, "\1", 1, NULL, 0));
}

static void
test_odd_frames(void **state)
{
	static void (*const odd[])(void) = { go_first, go_without_config, start_without_descriptors, too_many_workers,
		config_that_is_none, config_without_descriptor, counters_out_of_range, worker_out_of_range, start_again, go_again,
		short_log_levels };

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		setup(NULL);
		odd[i]();
		while (hear())
			assert_int_equal(frame.type, MESSAGE_READY);
		assert_int_equal(end_of_child(), 1);
		teardown(NULL);
	}
	setup(NULL);
}

static void
test_layers_text(void **state)
{
	char text[256];

	(void)state;
	assert_string_equal(sandbox_layers_text(0, text, sizeof(text)), "");
	assert_string_equal(sandbox_layers_text(SANDBOX_SECCOMP | SANDBOX_USER, text, sizeof(text)), "user, seccomp");
	assert_true(strlen(sandbox_layers_text(SANDBOX_ALL, text, sizeof(text))) < 200);
	assert_true(strlen(sandbox_layers_text(SANDBOX_ALL, text, 20)) < 20);
}

static void
test_calls(void **state)
{
	static const char *const never[] = { "open", "openat", "socket", "connect", "bind", "listen", "execve", "fork", "clone",
		"ptrace", "kill", "pidfd_open", "fallocate", "ftruncate", "memfd_create", "prctl", "ioctl", "fstat", "dup2" };
	const char *names[128];

	(void)state;
	for (enum role_kind role = ROLE_WORKER; role <= ROLE_AUTHD; role++) {
		size_t count = sandbox_calls(role, names, 128);

		assert_true(count > 15 && count < 50);
		for (size_t i = 0; i < count; i++)
			for (size_t k = 0; k < sizeof(never) / sizeof(never[0]); k++)
				assert_string_not_equal(names[i], never[k]);
	}
	assert_true(sandbox_calls(ROLE_AUTHD, names, 128) < sandbox_calls(ROLE_WORKER, names, 128));
	assert_int_equal(sandbox_calls(ROLE_KEYD, names, 128), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_start_and_end, setup, teardown),
		cmocka_unit_test_setup_teardown(test_end_of_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_end_of_file_before_start, setup, teardown),
		cmocka_unit_test_setup_teardown(test_signals_are_master_s, setup, teardown),
		cmocka_unit_test_teardown(test_odd_frames, teardown),
		cmocka_unit_test(test_layers_text),
		cmocka_unit_test(test_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
