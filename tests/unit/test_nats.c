/*
 * The client protocol: what nats-server 2.15.2 does with these bytes (seen on the real server or in its parser.go), in one piece,
 * byte by byte and cut in two.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/nats.h"

static const struct nats_limits usual = { 4096, 1048576, true, false };

struct expected {
	const char *data;
	size_t size;
	enum nats_result result;
	enum nats_verb verb;
	const char *subject;
	const char *reply;
	const char *queue;
	const char *sid;
	const char *argument;
	const char *payload;
	uint32_t header_size;
	int64_t max;
};

#define ROW(text) text, sizeof(text) - 1

static const struct expected commands[] = {
	{ ROW("PING\r\n"), NATS_COMMAND, .verb = NATS_PING, .max = -1 },
	{ ROW("ping\n"), NATS_COMMAND, .verb = NATS_PING, .max = -1 },
	{ ROW("PINGX junk \r\r\n"), NATS_COMMAND, .verb = NATS_PING, .max = -1 },
	{ ROW("PoNg\r\n"), NATS_COMMAND, .verb = NATS_PONG, .max = -1 },
	{ ROW("+ok\r\n"), NATS_COMMAND, .verb = NATS_OK, .max = -1 },
	{ ROW("-ERR 'x y'\r\n"), NATS_COMMAND, .verb = NATS_ERR, .argument = "'x y'", .max = -1 },
	{ ROW("CONNECT {}\r\n"), NATS_COMMAND, .verb = NATS_CONNECT, .argument = "{}", .max = -1 },
	{ ROW("connect \t {}  \r\n"), NATS_COMMAND, .verb = NATS_CONNECT, .argument = "{}  ", .max = -1 },
	{ ROW("CONNECT{}\n"), NATS_COMMAND, .verb = NATS_CONNECT, .argument = "{}", .max = -1 },
	{ ROW("CONNECT\n{}\r\n"), NATS_COMMAND, .verb = NATS_CONNECT, .argument = "\n{}", .max = -1 },
	{ ROW("INFO {}\r\n"), NATS_COMMAND, .verb = NATS_INFO, .argument = "{}", .max = -1 },
	{ ROW("INFO\r\n"), NATS_COMMAND, .verb = NATS_INFO, .argument = "\r", .max = -1 },
	{ ROW("SUB foo 1\r\n"), NATS_COMMAND, NATS_SUB, "foo", NULL, NULL, "1", "foo 1", .max = -1 },
	{ ROW("sub\tfoo\tq \t 1 \r\n"), NATS_COMMAND, NATS_SUB, "foo", NULL, "q", "1", "foo\tq \t 1 ", .max = -1 },
	{ ROW("SUB \nfoo 1\n"), NATS_COMMAND, NATS_SUB, "foo", NULL, NULL, "1", "\nfoo 1", .max = -1 },
	{ ROW("SUB foo\r1\r\n"), NATS_COMMAND, NATS_SUB, "foo", NULL, NULL, "1", "foo\r1", .max = -1 },
	{ ROW("UNSUB 1\r\n"), NATS_COMMAND, NATS_UNSUB, .sid = "1", .argument = "1", .max = -1 },
	{ ROW("UNSUB 1 5\r\n"), NATS_COMMAND, NATS_UNSUB, .sid = "1", .argument = "1 5", .max = 5 },
	{ ROW("UNSUB 1 0\r\n"), NATS_COMMAND, NATS_UNSUB, .sid = "1", .argument = "1 0", .max = 0 },
	{ ROW("UNSUB 1 x\r\n"), NATS_COMMAND, NATS_UNSUB, .sid = "1", .argument = "1 x", .max = -1 },
	{ ROW("UNSUB 1 1234567890\r\n"), NATS_COMMAND, NATS_UNSUB, .sid = "1", .argument = "1 1234567890", .max = -1 },
	{ ROW("PUB foo 5\r\nhello\r\n"), NATS_COMMAND, NATS_PUB, "foo", NULL, NULL, NULL, "foo 5", "hello", .max = -1 },
	{ ROW("pub foo re.ply 5\r\nhello\r\n"), NATS_COMMAND, NATS_PUB, "foo", "re.ply", NULL, NULL, "foo re.ply 5", "hello",
	    .max = -1 },
	{ ROW("PUB foo 12 5\r\nhello\r\n"), NATS_COMMAND, NATS_PUB, "foo", "12", NULL, NULL, "foo 12 5", "hello", .max = -1 },
	{ ROW("PUB foo 12x 5\r\nhello\r\n"), NATS_COMMAND, NATS_PUB, "foo", "12x", NULL, NULL, "foo 12x 5", "hello", .max = -1 },
	{ ROW("PUB\t foo  \t5\t\nhello\r\n"), NATS_COMMAND, NATS_PUB, "foo", NULL, NULL, NULL, "foo  \t5\t", "hello", .max = -1 },
	{ ROW("PUB foo 0\r\n\r\n"), NATS_COMMAND, NATS_PUB, "foo", NULL, NULL, NULL, "foo 0", "", .max = -1 },
	{ ROW("PUB foo 1\n\n\r\n"), NATS_COMMAND, NATS_PUB, "foo", NULL, NULL, NULL, "foo 1", "\n", .max = -1 },
	{ ROW("PUB a\x01\xff 2\r\nhi\r\n"), NATS_COMMAND, NATS_PUB, "a\x01\xff", NULL, NULL, NULL, "a\x01\xff 2", "hi", .max = -1 },
	{ ROW("HPUB a 12 14\r\nNATS/1.0\r\n\r\nhi\r\n"), NATS_COMMAND, NATS_HPUB, "a", NULL, NULL, NULL, "a 12 14",
	    "NATS/1.0\r\n\r\nhi", .header_size = 12, .max = -1 },
	{ ROW("hpub a r 0 2\r\nhi\r\n"), NATS_COMMAND, NATS_HPUB, "a", "r", NULL, NULL, "a r 0 2", "hi", .max = -1 },
	{ ROW("HPUB\ta  r 2 2\nhi\r\n"), NATS_COMMAND, NATS_HPUB, "a", "r", NULL, NULL, "a  r 2 2", "hi", .header_size = 2,
	    .max = -1 },
};

/* For errors, argument is what the log quotes and subject the words before it; max is Go's number of the state. */
static const struct expected errors[] = {
	{ ROW("X"), NATS_UNKNOWN_OPERATION, .max = 0 },
	{ ROW("\r"), NATS_UNKNOWN_OPERATION, .max = 0 },
	{ ROW("M"), NATS_UNKNOWN_OPERATION, .max = 0 },
	{ ROW("R"), NATS_UNKNOWN_OPERATION, .max = 0 },
	{ ROW("A"), NATS_UNKNOWN_OPERATION, .max = 0 },
	{ ROW("L"), NATS_UNKNOWN_OPERATION, .max = 0 },
	{ ROW("PX"), NATS_UNKNOWN_OPERATION, .max = 29 },
	{ ROW("PUX"), NATS_UNKNOWN_OPERATION, .max = 30 },
	{ ROW("PUB\r"), NATS_UNKNOWN_OPERATION, .max = 31 },
	{ ROW("PIX"), NATS_UNKNOWN_OPERATION, .max = 34 },
	{ ROW("POX"), NATS_UNKNOWN_OPERATION, .max = 37 },
	{ ROW("HX"), NATS_UNKNOWN_OPERATION, .max = 18 },
	{ ROW("HPUBX"), NATS_UNKNOWN_OPERATION, .max = 21 },
	{ ROW("HMSGX"), NATS_UNKNOWN_OPERATION, .max = 26 },
	{ ROW("SUB\r"), NATS_UNKNOWN_OPERATION, .max = 45 },
	{ ROW("UNSUB\r"), NATS_UNKNOWN_OPERATION, .max = 63 },
	{ ROW("CONNECX"), NATS_UNKNOWN_OPERATION, .max = 15 },
	{ ROW("INFX"), NATS_UNKNOWN_OPERATION, .max = 73 },
	{ ROW("+X"), NATS_UNKNOWN_OPERATION, .max = 1 },
	{ ROW("-ERR\r"), NATS_UNKNOWN_OPERATION, .max = 7 },
	{ ROW("PUB a 2\r\nhiX"), NATS_UNKNOWN_OPERATION, .max = 41 },
	{ ROW("PUB a 2\r\nhi\rX"), NATS_UNKNOWN_OPERATION, .max = 42 },
	{ ROW("PUB a 0\r\n\n"), NATS_UNKNOWN_OPERATION, .max = 41 },
	{ ROW("HMSG a 1 2 2\r\n"), NATS_UNKNOWN_OPERATION, .max = 41 },
	{ ROW("PUB a\r\n"), NATS_BAD_ARGUMENTS, .subject = "processPub Parse Error", .argument = "a" },
	{ ROW("PUB \r\n"), NATS_BAD_ARGUMENTS, .subject = "processPub Parse Error", .argument = "\r" },
	{ ROW("PUB a b c 1\r\n"), NATS_BAD_ARGUMENTS, .subject = "processPub Parse Error", .argument = "a b c 1" },
	{ ROW("PUB a b c d 1\r\n"), NATS_BAD_ARGUMENTS, .subject = "processPub Parse Error", .argument = "a b c d 1" },
	{ ROW("PUB a -1\r\n"), NATS_BAD_ARGUMENTS, .subject = "processPub Bad or Missing Size", .argument = "a -1" },
	{ ROW("PUB a +1\r\n"), NATS_BAD_ARGUMENTS, .subject = "processPub Bad or Missing Size", .argument = "a +1" },
	{ ROW("PUB a 0000000001\r\n"), NATS_BAD_ARGUMENTS, .subject = "processPub Bad or Missing Size",
	    .argument = "a 0000000001" },
	{ ROW("PUB a 1x\r\n"), NATS_BAD_ARGUMENTS, .subject = "processPub Bad or Missing Size", .argument = "a 1x" },
	{ ROW("PUB a 2\r \n"), NATS_BAD_ARGUMENTS, .subject = "processPub Bad or Missing Size", .argument = "a 2\r" },
	{ ROW("PUB \na 2\r\n"), NATS_BAD_ARGUMENTS, .subject = "processPub Parse Error", .argument = "\na 2" },
	{ ROW("PUB a\rb 2\r\n"), NATS_BAD_ARGUMENTS, .subject = "processPub Parse Error", .argument = "a\rb 2" },
	{ ROW("PUB a b\rc 2\r\n"), NATS_BAD_ARGUMENTS, .subject = "processPub Parse Error", .argument = "a b\rc 2" },
	{ ROW("HPUB a 1\r\n"), NATS_BAD_ARGUMENTS, .subject = "processHeaderPub Parse Error", .argument = "a 1" },
	{ ROW("HPUB a x 1\r\n"), NATS_BAD_ARGUMENTS, .subject = "processHeaderPub Bad or Missing Header Size",
	    .argument = "a x 1" },
	{ ROW("HPUB a 1 x\r\n"), NATS_BAD_ARGUMENTS, .subject = "processHeaderPub Bad or Missing Total Size", .argument = "a 1 x" },
	{ ROW("HPUB a 2 1\r\n"), NATS_BAD_ARGUMENTS, .subject = "processHeaderPub Header Size larger then TotalSize",
	    .argument = "a 2 1" },
	{ ROW("SUB a\r\n"), NATS_BAD_ARGUMENTS, .subject = "processSub Parse Error", .argument = "a" },
	{ ROW("SUB a b c d\r\n"), NATS_BAD_ARGUMENTS, .subject = "processSub Parse Error", .argument = "a b c d" },
	{ ROW("UNSUB \r\n"), NATS_BAD_ARGUMENTS, .subject = "processUnsub Parse Error", .argument = "\r" },
	{ ROW("UNSUB 1 2 3\r\n"), NATS_BAD_ARGUMENTS, .subject = "processUnsub Parse Error", .argument = "1 2 3" },
	{ ROW("PUB a 1048577\r\n"), NATS_PAYLOAD_SIZE, .max = 0 },
	{ ROW("PUB a 999999999\r\n"), NATS_PAYLOAD_SIZE, .max = 0 },
	{ ROW("HPUB a 2 1048577\r\n"), NATS_PAYLOAD_SIZE, .max = 0 },
};

static void
same_text(const char *expected, const char *at, uint32_t n)
{
	if (expected == NULL) {
		assert_null(at);
		assert_int_equal(n, 0);
		return;
	}
	assert_non_null(at);
	assert_int_equal(n, strlen(expected));
	assert_memory_equal(at, expected, n);
}

static void
check_command(const struct expected *row, const struct nats_command *got)
{
	assert_int_equal(got->verb, row->verb);
	assert_int_equal(got->consumed, row->size);
	same_text(row->subject, got->subject, got->subject_length);
	same_text(row->reply, got->reply, got->reply_length);
	same_text(row->queue, got->queue, got->queue_length);
	same_text(row->sid, got->sid, got->sid_length);
	same_text(row->argument, got->argument, got->argument_length);
	same_text(row->payload, (const char *)got->payload, got->total_size);
	assert_int_equal(got->header_size, row->header_size);
	assert_int_equal(got->max, row->max);
}

/* The row's bytes on the heap, so that a sanitizer sees a byte too far. */
static uint8_t *
copy(const void *data, size_t size)
{
	uint8_t *block = malloc(size);

	assert_non_null(block);
	return memcpy(block, data, size);
}

static void
test_commands(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		struct nats_parser parser = { 0 };
		struct nats_command got;
		uint8_t *data = copy(commands[i].data, commands[i].size);

		assert_int_equal(nats_parse(&parser, &usual, data, commands[i].size, &got), NATS_COMMAND);
		check_command(&commands[i], &got);
		assert_int_equal(parser.need, 0);
		assert_int_equal(parser.scanned, 0);
		free(data);
	}
}

static void
test_commands_in_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		const struct expected *row = &commands[i];
		struct nats_parser drip = { 0 };
		struct nats_command got;

		for (size_t n = 0; n < row->size; n++) {
			struct nats_parser parser = { 0 };
			uint8_t *data = copy(row->data, n + 1);

			assert_int_equal(nats_parse(&drip, &usual, data, n, &got), NATS_MORE);
			assert_int_equal(nats_parse(&parser, &usual, data, n, &got), NATS_MORE);
			free(data);
			assert_int_equal(nats_parse(&parser, &usual, (const uint8_t *)row->data, row->size, &got), NATS_COMMAND);
			check_command(row, &got);
		}
		assert_int_equal(nats_parse(&drip, &usual, (const uint8_t *)row->data, row->size, &got), NATS_COMMAND);
		check_command(row, &got);
	}
}

/* The last byte of each row is the one at which Go complains: before it all is well, and nothing behind it matters. */
static void
test_errors(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		const struct expected *row = &errors[i];
		struct nats_parser parser = { 0 };
		struct nats_command got;
		struct nats_error error;

		for (size_t n = 0; n < row->size; n++)
			assert_int_equal(nats_parse(&parser, &usual, (const uint8_t *)row->data, n, &got), NATS_MORE);
		assert_int_equal(nats_parse(&parser, &usual, (const uint8_t *)row->data, row->size, &got), row->result);
		nats_explain(&usual, (const uint8_t *)row->data, row->size, &error);
		if (row->result == NATS_UNKNOWN_OPERATION) {
			assert_int_equal(error.at, row->size - 1);
			assert_int_equal(error.state, row->max);
		} else if (row->result == NATS_BAD_ARGUMENTS) {
			assert_string_equal(error.problem, row->subject);
			same_text(row->argument, error.argument, error.argument_length);
		} else {
			assert_true(error.size > 1048576);
		}
	}
}

static void
test_limits(void **state)
{
	struct nats_limits limits = usual;
	struct nats_parser parser = { 0 };
	struct nats_command got;
	struct nats_error error;
	static const char line[] = "PUB a 9\r\n123456789\r\n";
	static const char header_line[] = "HPUB a 2 9\r\n";

	(void)state;
	limits.max_payload = 8;
	assert_int_equal(nats_parse(&parser, &limits, (const uint8_t *)line, 9, &got), NATS_PAYLOAD_SIZE);
	limits.max_payload = 9;
	assert_int_equal(nats_parse(&parser, &limits, (const uint8_t *)line, sizeof(line) - 1, &got), NATS_COMMAND);
	limits.max_payload = -1;
	assert_int_equal(nats_parse(&parser, &limits, (const uint8_t *)"PUB a 999999999\r\n", 17, &got), NATS_MORE);
	assert_int_equal(parser.need, 17 + 999999999 + 2);
	parser = (struct nats_parser){ 0 };
	limits.headers = false;
	assert_int_equal(nats_parse(&parser, &limits, (const uint8_t *)header_line, 12, &got), NATS_BAD_ARGUMENTS);
	nats_explain(&limits, (const uint8_t *)header_line, 12, &error);
	assert_string_equal(error.problem, "message headers not supported");
	assert_null(error.argument);
}

static void
test_authorization(void **state)
{
	struct nats_limits limits = usual;
	struct nats_parser parser = { 0 };
	struct nats_command got;

	(void)state;
	limits.authorization_pending = true;
	assert_int_equal(nats_parse(&parser, &limits, (const uint8_t *)"", 0, &got), NATS_MORE);
	for (int c = 0; c < 256; c++) {
		uint8_t byte = (uint8_t)c;

		assert_int_equal(
		    nats_parse(&parser, &limits, &byte, 1, &got), c == 'C' || c == 'c' ? NATS_MORE : NATS_AUTHORIZATION);
	}
	assert_int_equal(nats_parse(&parser, &limits, (const uint8_t *)"CONNECT {}\r\n", 12, &got), NATS_COMMAND);
	assert_int_equal(nats_parse(&parser, &limits, (const uint8_t *)"CX", 2, &got), NATS_UNKNOWN_OPERATION);
}

/* Arguments of exactly the limit pass, with CRLF and with LF; one more does not, and is refused before the line ends. */
static void
test_control_line(void **state)
{
	static const char *const verbs[] = { "SUB ", "UNSUB ", "PUB ", "HPUB ", "CONNECT ", "INFO ", "-ERR ", "HMSG " };
	static uint8_t line[8192];

	(void)state;
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		size_t start = strlen(verbs[i]);
		struct nats_parser parser = { 0 };
		struct nats_command got;
		struct nats_error error;

		memset(line, 'x', sizeof(line));
		memcpy(line, verbs[i], start);
		assert_int_equal(nats_parse(&parser, &usual, line, start + 4096, &got), NATS_MORE);
		assert_int_equal(nats_parse(&parser, &usual, line, start + 4097, &got), NATS_CONTROL_LINE);
		nats_explain(&usual, line, start + 4097, &error);
		assert_int_equal(error.argument_length, 4097);
		memcpy(line + start + 4096, "\r\n", 2);
		parser = (struct nats_parser){ 0 };
		assert_int_not_equal(nats_parse(&parser, &usual, line, start + 4098, &got), NATS_CONTROL_LINE);
		memcpy(line + start + 4096, "x\r\n", 3);
		parser = (struct nats_parser){ 0 };
		assert_int_equal(nats_parse(&parser, &usual, line, start + 4099, &got), NATS_CONTROL_LINE);
	}
	/* Ours: blanks before the arguments and junk behind PING have a limit too. */
	memset(line, ' ', sizeof(line));
	memcpy(line, "PUB", 3);
	struct nats_parser parser = { 0 };
	struct nats_command got;

	assert_int_equal(nats_parse(&parser, &usual, line, 4100, &got), NATS_MORE);
	assert_int_equal(nats_parse(&parser, &usual, line, 4101, &got), NATS_CONTROL_LINE);
	memcpy(line, "PING", 4);
	parser = (struct nats_parser){ 0 };
	assert_int_equal(nats_parse(&parser, &usual, line, 4 + 4097, &got), NATS_MORE);
	assert_int_equal(nats_parse(&parser, &usual, line, 4 + 4098, &got), NATS_CONTROL_LINE);
}

static void
test_need_and_scanned(void **state)
{
	struct nats_parser parser = { 0 };
	struct nats_command got;
	static const char line[] = "PUB subject 10\r\n0123456789\r\n";

	(void)state;
	assert_int_equal(nats_parse(&parser, &usual, (const uint8_t *)line, 10, &got), NATS_MORE);
	assert_int_equal(parser.need, 0);
	assert_int_equal(parser.scanned, 10);
	assert_int_equal(nats_parse(&parser, &usual, (const uint8_t *)line, 16, &got), NATS_MORE);
	assert_int_equal(parser.need, 28);
	assert_int_equal(nats_parse(&parser, &usual, (const uint8_t *)line, 28, &got), NATS_COMMAND);
	assert_int_equal(got.consumed, 28);
	assert_int_equal(got.size_text_length, 2);
	assert_memory_equal(got.size_text, "10", 2);
	assert_int_equal(nats_parse(&parser, &usual, (const uint8_t *)"HPUB a 03 010\r\n0123456789\r\n", 27, &got), NATS_COMMAND);
	same_text("03", got.header_text, got.header_text_length);
	same_text("010", got.size_text, got.size_text_length);
}

static void
test_snippet(void **state)
{
	static const uint8_t data[] = "0123456789";
	const uint8_t *text;
	size_t n;

	(void)state;
	nats_snippet(data, 10, 2, 4, &text, &n);
	assert_ptr_equal(text, data + 2);
	assert_int_equal(n, 4);
	nats_snippet(data, 10, 6, 4, &text, &n);
	assert_int_equal(n, 4);
	/* As Go: cut at the end, the last byte goes too. */
	nats_snippet(data, 10, 7, 4, &text, &n);
	assert_int_equal(n, 2);
	nats_snippet(data, 10, 9, 32, &text, &n);
	assert_int_equal(n, 0);
	nats_snippet(data, 10, 10, 32, &text, &n);
	assert_int_equal(n, 0);
}

static void
test_names(void **state)
{
	(void)state;
	assert_string_equal(nats_verb_name(NATS_HPUB), "HPUB");
	assert_string_equal(nats_verb_name(NATS_ERR), "-ERR");
	assert_string_equal(nats_verb_name(NATS_NONE), "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_commands_in_pieces),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_authorization),
		cmocka_unit_test(test_control_line),
		cmocka_unit_test(test_need_and_scanned),
		cmocka_unit_test(test_snippet),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
