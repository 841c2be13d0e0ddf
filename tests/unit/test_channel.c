/*
 * channel.c and messages.c: frames, directions, descriptors, queues; and that no byte a peer sends does more than end the channel.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/socket.h>

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "ipc/channel.h"

static struct channel master, worker;
static struct channel_frame frame;

static int
setup(void **state)
{
	int fds[2];

	(void)state;
	assert_true(channel_pair(fds));
	channel_init(&master, fds[0], ROLE_MASTER, ROLE_WORKER);
	channel_init(&worker, fds[1], ROLE_WORKER, ROLE_MASTER);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	channel_close(&master);
	channel_close(&worker);
	return 0;
}

static void
test_message_arrives(void **state)
{
	const struct message_listener sent = { LISTENER_MONITOR, 8222, message_text("localhost") };
	struct message_listener got;
	int pipes[2];

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	assert_true(message_listener_send(&master, &sent, &pipes[0], 1));
	assert_int_equal(channel_receive(&worker, &frame), CHANNEL_FRAME);
	assert_int_equal(frame.type, MESSAGE_LISTENER);
	assert_int_equal(frame.nfds, 1);
	assert_true(fcntl(frame.fds[0], F_GETFD) & FD_CLOEXEC);
	assert_true(message_listener_read(&frame, &got));
	assert_int_equal(got.kind, LISTENER_MONITOR);
	assert_int_equal(got.port, 8222);
	assert_int_equal(got.host.length, 9);
	assert_memory_equal(got.host.at, "localhost", 9);
	assert_int_equal(write(pipes[1], "x", 1), 1);
	assert_int_equal(read(frame.fds[0], &(char){ 0 }, 1), 1);
	channel_frame_close(&frame);
	assert_int_equal(frame.nfds, 0);
	assert_int_equal(channel_receive(&worker, &frame), CHANNEL_EMPTY);
	close(pipes[0]);
	close(pipes[1]);
}

static void
test_every_field_kind(void **state)
{
	const struct message_start start = { .index = 7,
		.workers = 64,
		.ring_size = 1u << 20,
		.client_id_start = UINT64_MAX,
		.client_id_step = 1,
		.uid = 1,
		.gid = 2,
		.root = true,
		.require = false,
		.debug = true,
		.trace = false,
		.probe = 3,
		.probe_layers = 4 };
	const struct message_lame_duck lame = { INT64_MIN, INT64_MAX };
	struct message_start start_got;
	struct message_lame_duck lame_got;

	(void)state;
	assert_true(message_start_send(&master, &start, NULL, 0));
	assert_true(message_lame_duck_send(&master, &lame, NULL, 0));
	assert_int_equal(channel_receive(&worker, &frame), CHANNEL_FRAME);
	assert_true(message_start_read(&frame, &start_got));
	assert_int_equal(start_got.index, 7);
	assert_true(start_got.client_id_start == UINT64_MAX);
	assert_true(start_got.root && !start_got.require && start_got.debug);
	assert_int_equal(channel_receive(&worker, &frame), CHANNEL_FRAME);
	assert_true(message_lame_duck_read(&frame, &lame_got));
	assert_true(lame_got.duration_ns == INT64_MIN && lame_got.grace_ns == INT64_MAX);
}

static void
test_body_must_fit_exactly(void **state)
{
	struct message_peer_down got;

	(void)state;
	assert_true(channel_send(&master, MESSAGE_PEER_DOWN, "\1\0\0\0", 4, NULL, 0));
	assert_true(channel_send(&master, MESSAGE_PEER_DOWN, "\1\0\0\0\0", 5, NULL, 0));
	assert_true(channel_send(&master, MESSAGE_PEER_DOWN, "\1\0\0", 3, NULL, 0));
	assert_int_equal(channel_receive(&worker, &frame), CHANNEL_FRAME);
	assert_true(message_peer_down_read(&frame, &got));
	assert_int_equal(channel_receive(&worker, &frame), CHANNEL_FRAME);
	assert_false(message_peer_down_read(&frame, &got));
	assert_int_equal(channel_receive(&worker, &frame), CHANNEL_FRAME);
	assert_false(message_peer_down_read(&frame, &got));
}

static void
test_text_too_long_is_not_sent(void **state)
{
	static char large[CHANNEL_FRAME_MAX];
	struct message_status status = { WORKER_DRAINED, 1 };
	struct message_violation violation = { 0, { large, sizeof(large) } };

	(void)state;
	assert_false(message_violation_send(&worker, &violation, NULL, 0));
	assert_false(worker.broken);
	assert_true(message_status_send(&worker, &status, NULL, 0));
	assert_int_equal(channel_receive(&master, &frame), CHANNEL_FRAME);
	assert_int_equal(frame.type, MESSAGE_STATUS);
}

/* ---- the other end lies ---- */

static void
send_raw(int fd, unsigned type, unsigned zero, uint32_t hash, size_t length)
{
	uint8_t raw[CHANNEL_FRAME_MAX + 64] = { 0 };

	raw[0] = (uint8_t)type;
	raw[1] = (uint8_t)(type >> 8);
	raw[2] = (uint8_t)zero;
	memcpy(raw + 4, &hash, sizeof(hash));
	assert_int_equal(send(fd, raw, length, 0), length);
}

static void
test_wrong_frames(void **state)
{
	const struct {
		unsigned type, zero;
		uint32_t hash;
		size_t length;
	} lies[] = {
		{ MESSAGE_DRAIN, 0, message_table_hash(), 8 },        /* master's alone */
		{ MESSAGE_AUTH_REQUEST, 0, message_table_hash(), 8 }, /* to authd alone */
		{ MESSAGE_AUTH_REPLY, 0, message_table_hash(), 8 },   /* authd's alone */
		{ 0, 0, message_table_hash(), 8 },                    /* no message */
		{ MESSAGE_TYPES_MAX, 0, message_table_hash(), 8 },
		{ 0xffff, 0, message_table_hash(), 8 },
		{ MESSAGE_READY, 1, message_table_hash(), 12 },     /* reserved bytes */
		{ MESSAGE_READY, 0, message_table_hash() + 1, 12 }, /* another build */
		{ MESSAGE_READY, 0, message_table_hash(), 7 },      /* shorter than its head */
		{ MESSAGE_READY, 0, message_table_hash(), 1 },
		{ MESSAGE_READY, 0, message_table_hash(), CHANNEL_FRAME_MAX + 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		setup(NULL);
		send_raw(worker.fd, lies[i].type, lies[i].zero, lies[i].hash, lies[i].length);
		assert_int_equal(channel_receive(&master, &frame), CHANNEL_VIOLATION);
		assert_true(master.broken && !master.gone && master.reason[0] != '\0');
		assert_int_equal(channel_receive(&master, &frame), CHANNEL_CLOSED);
		assert_false(channel_send(&master, MESSAGE_DRAIN, NULL, 0, NULL, 0));
		teardown(NULL);
	}
	setup(NULL);
}

static void
test_descriptors_come_from_master_alone(void **state)
{
	uint8_t raw[8] = { MESSAGE_READY };
	uint32_t hash = message_table_hash();
	struct iovec piece = { raw, sizeof(raw) };
	union {
		struct cmsghdr header;
		uint8_t room[CMSG_SPACE(sizeof(int) * 40)];
	} control;
	struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control };
	int before;

	(void)state;
	memcpy(raw + 4, &hash, sizeof(hash));
	for (unsigned count = 1; count <= 40; count += 39) {
		setup(NULL);
		before = dup(0);
		close(before);
		memset(&control, 0, sizeof(control));
		message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
		control.header = (struct cmsghdr){
			.cmsg_len = CMSG_LEN(sizeof(int) * count), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS
		};
		for (unsigned i = 0; i < count; i++)
			memcpy(CMSG_DATA(&control.header) + i * sizeof(int), &(int){ worker.fd }, sizeof(int));
		assert_int_equal(sendmsg(worker.fd, &message, 0), 8);
		assert_int_equal(channel_receive(&master, &frame), CHANNEL_VIOLATION);
		assert_int_equal(dup(0), before); /* none of them stayed open */
		close(before);
		teardown(NULL);
	}
	setup(NULL);
}

/* ---- slow peers ---- */

static void
test_queue_has_two_marks(void **state)
{
	static char text[12000];
	struct message_violation violation = { 3, { text, sizeof(text) } };
	unsigned sent = 0, received = 0;
	struct message_violation got;

	(void)state;
	while (!worker.congested) {
		violation.member = sent;
		assert_true(message_violation_send(&worker, &violation, NULL, 0));
		sent++;
		assert_true(sent < 1000);
	}
	assert_true(channel_waiting(&worker));
	assert_true(worker.queued_bytes > CHANNEL_QUEUE_HIGH);
	while (channel_waiting(&worker)) {
		while (channel_receive(&master, &frame) == CHANNEL_FRAME) {
			assert_true(message_violation_read(&frame, &got));
			assert_int_equal(got.member, received);
			received++;
		}
		assert_true(channel_flush(&worker));
		if (worker.queued_bytes >= CHANNEL_QUEUE_LOW && worker.queued_bytes > CHANNEL_QUEUE_HIGH)
			assert_true(worker.congested);
	}
	assert_false(worker.congested);
	while (channel_receive(&master, &frame) == CHANNEL_FRAME)
		received++;
	assert_int_equal(received, sent);
}

static void
test_peer_that_never_reads_is_given_up(void **state)
{
	static char text[12000];
	const struct message_violation violation = { 3, { text, sizeof(text) } };
	unsigned sent = 0;

	(void)state;
	while (message_violation_send(&worker, &violation, NULL, 0))
		assert_true(++sent < 2000);
	assert_true(worker.broken && !worker.gone);
	assert_string_equal(worker.reason, "master does not read its channel");
	assert_true(worker.queued_bytes <= CHANNEL_QUEUE_MAX);
	assert_false(channel_waiting(&worker));
}

static void
test_queued_descriptors_survive_their_owner(void **state)
{
	static char host[200];
	struct message_listener listener = { LISTENER_CLIENT, 1, { host, sizeof(host) } };
	int pipes[2];
	unsigned sent = 0, received = 0;

	(void)state;
	while (master.queued_bytes < 4096) {
		assert_int_equal(pipe(pipes), 0);
		assert_int_equal(write(pipes[1], "x", 1), 1);
		assert_true(message_listener_send(&master, &listener, &pipes[0], 1));
		close(pipes[0]);
		close(pipes[1]);
		sent++;
	}
	while (received < sent) {
		while (channel_receive(&worker, &frame) == CHANNEL_FRAME) {
			assert_int_equal(frame.nfds, 1);
			assert_int_equal(read(frame.fds[0], &(char){ 0 }, 1), 1);
			channel_frame_close(&frame);
			received++;
		}
		assert_true(channel_flush(&master));
	}
}

static void
test_peer_gone(void **state)
{
	(void)state;
	channel_close(&worker);
	assert_int_equal(channel_receive(&master, &frame), CHANNEL_CLOSED);
	assert_true(master.broken && master.gone);
	assert_string_equal(master.reason, "end of file");
	assert_false(channel_send(&master, MESSAGE_DRAIN, NULL, 0, NULL, 0));
	assert_false(channel_flush(&master));
}

/* ---- the table ---- */

static void
test_table(void **state)
{
	(void)state;
	assert_string_equal(message_type_name(MESSAGE_START), "START");
	assert_string_equal(message_type_name(0), "?");
	assert_string_equal(message_type_name(UINT32_MAX), "?");
	assert_true(message_table_hash() != 0);
	assert_int_equal(message_table_hash(), message_table_hash());
	assert_true(message_allowed(MESSAGE_START, ROLE_MASTER, ROLE_AUTHD, 4));
	assert_false(message_allowed(MESSAGE_START, ROLE_MASTER, ROLE_AUTHD, 5));
	assert_false(message_allowed(MESSAGE_START, ROLE_MASTER, ROLE_MASTER, 0));
	assert_false(message_allowed(MESSAGE_VIOLATION, ROLE_AUTHD, ROLE_MASTER, 1));
	assert_true(message_allowed(MESSAGE_AUTH_REQUEST, ROLE_WORKER, ROLE_AUTHD, 0));
	for (unsigned type = 0; type <= MESSAGE_TYPES_MAX; type++)
		for (unsigned from = ROLE_WORKER; from < ROLE_KINDS; from++)
			for (unsigned to = 0; to < ROLE_KINDS; to++)
				assert_false(message_allowed(type, from, to, 1)); /* descriptors come from master alone */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_message_arrives, setup, teardown),
		cmocka_unit_test_setup_teardown(test_every_field_kind, setup, teardown),
		cmocka_unit_test_setup_teardown(test_body_must_fit_exactly, setup, teardown),
		cmocka_unit_test_setup_teardown(test_text_too_long_is_not_sent, setup, teardown),
		cmocka_unit_test_teardown(test_wrong_frames, teardown),
		cmocka_unit_test_teardown(test_descriptors_come_from_master_alone, teardown),
		cmocka_unit_test_setup_teardown(test_queue_has_two_marks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_peer_that_never_reads_is_given_up, setup, teardown),
		cmocka_unit_test_setup_teardown(test_queued_descriptors_survive_their_owner, setup, teardown),
		cmocka_unit_test_setup_teardown(test_peer_gone, setup, teardown),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
