/*
 * The client protocol of NATS, from bytes to commands, exactly as nats-server's parser.go and the argument functions of client.go
 * see a client: same acceptance, and an error at the very byte where Go raises it.
 * The parser keeps no bytes.  It looks at the unconsumed bytes of a connection, from the start of a command; when the command is
 * not complete it says NATS_MORE and must be shown the same bytes again with more behind.  So a split anywhere equals one piece.
 * It is the hottest code of the server: it allocates nothing and copies nothing; results point into the data.
 */
#ifndef WIRE_NATS_H
#define WIRE_NATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nats_limits {
	uint32_t max_control_line;  /* bytes of arguments */
	int32_t max_payload;        /* -1 = no limit (jwt.NoLimit) */
	bool headers;               /* HPUB allowed: headers on in the server and in CONNECT */
	bool authorization_pending; /* no CONNECT yet, and one is required */
};

/* Zeroed at the start of a connection, and by nats_parse itself after each command. */
struct nats_parser {
	uint32_t need;    /* total bytes of the command under way once its payload size is known, else 0 */
	uint32_t scanned; /* leading bytes known to hold no end of the control line */
};

enum nats_verb {
	NATS_NONE,
	NATS_CONNECT,
	NATS_PUB,
	NATS_HPUB,
	NATS_SUB,
	NATS_UNSUB,
	NATS_PING,
	NATS_PONG,
	NATS_OK,  /* +OK: to be ignored */
	NATS_ERR, /* -ERR text: log it and close */
	NATS_INFO /* INFO {json}: ignored if nats_info_valid, else a silent close */
};

enum nats_result {
	NATS_COMMAND, /* one whole command, payload and its CRLF included; `consumed` bytes are done with */
	NATS_MORE,
	NATS_UNKNOWN_OPERATION, /* -ERR 'Unknown Protocol Operation', close as Protocol Violation */
	NATS_CONTROL_LINE,      /* -ERR 'maximum control line exceeded', close */
	NATS_PAYLOAD_SIZE,      /* -ERR 'Maximum Payload Violation', close */
	NATS_BAD_ARGUMENTS,     /* no -ERR, close as Protocol Violation */
	NATS_AUTHORIZATION /* first byte of any verb but CONNECT while authorization_pending: -ERR 'Authorization Violation', close
			    */
};

/* Filled only as far as the verb has the field; the rest is zero. Texts are not NUL-ended. */
struct nats_command {
	enum nats_verb verb;
	uint32_t consumed;
	const char *subject;
	const char *reply; /* NULL without one */
	const char *queue; /* NULL without one */
	const char *sid;
	const char *size_text;   /* PUB: the size as written; HPUB: the total size as written */
	const char *header_text; /* HPUB: the header size as written */
	const char *argument;    /* all arguments: CONNECT and INFO JSON, -ERR text, and for the trace PUB, HPUB, SUB, UNSUB */
	const uint8_t *payload;  /* headers first */
	int64_t max;             /* UNSUB: as Go's parseSize, -1 if absent or not a number of 1 to 9 digits */
	uint32_t subject_length;
	uint32_t reply_length;
	uint32_t queue_length;
	uint32_t sid_length;
	uint32_t size_text_length;
	uint32_t header_text_length;
	uint32_t argument_length;
	uint32_t header_size; /* bytes of payload that are headers; 0 for PUB */
	uint32_t total_size;  /* bytes of payload */
};

/* For the log, after an error result. */
struct nats_error {
	const char *problem;  /* NATS_BAD_ARGUMENTS: Go's words before the quoted argument, e.g. "processPub Parse Error" */
	const char *argument; /* to quote behind; NULL: `problem` is all (headers not supported) */
	uint32_t argument_length;
	uint32_t at;   /* offset of the byte from the start of the command (Go's i, less what was consumed of its buffer) */
	uint8_t state; /* Go's number of the parser's state */
	uint32_t size; /* NATS_PAYLOAD_SIZE: size asked for */
};

/* Looks at data[0..size). Only for NATS_COMMAND is *out filled. size may be 0 (NATS_MORE). */
enum nats_result nats_parse(
    struct nats_parser *parser, const struct nats_limits *limits, const uint8_t *data, size_t size, struct nats_command *out);

/* What nats_parse has to say about the error it just returned for the same arguments (a second, slower look). */
void nats_explain(const struct nats_limits *limits, const uint8_t *data, size_t size, struct nats_error *out);

/* Go's protoSnippet: which bytes behind `at` a log line shows, at most `max`; *n may be 0. */
void nats_snippet(const uint8_t *data, size_t size, size_t at, size_t max, const uint8_t **text, size_t *n);

#define NATS_SNIPPET_SIZE 32 /* parse errors */
#define NATS_CONTROL_LINE_SNIPPET_SIZE 128

/* Verb as in the protocol ("PUB"); "" for NATS_NONE. */
const char *nats_verb_name(enum nats_verb verb);

#endif
