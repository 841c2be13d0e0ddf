/*
 * The client protocol: see nats.h.  A fast path splits the usual form of PUB and HPUB (single blanks, CRLF); everything else goes
 * through the general path, which walks a table of verbs and finds the very byte at which nats-server's state machine would
 * complain. Oddities of parser.go that clients can see and that are kept: the first byte behind the blanks belongs to the arguments
 * even if it is CR or LF; one CR anywhere in the arguments makes the last byte before LF go; PUB and HPUB split at blank and tab
 * only, SUB and UNSUB at CR and LF too.  HMSG from a client is refused when its line is over (Go lets an empty one pass if it comes
 * in one read, and complains about any other).
 */
#include "wire/nats.h"

#include <string.h>

#include "base/check.h"

#define NATS_SIZE_DIGITS 9 /* Go's parseSize takes no more */
#define NATS_ARGUMENTS_MAX 4
#define NATS_CRLF 2U

/* Numbers of parser.go's states that error lines in the log show. */
enum { NATS_STATE_START = 0, NATS_STATE_END_R = 41, NATS_STATE_END_N = 42 };

enum nats_form {
	NATS_FORM_BARE,  /* anything up to LF is ignored */
	NATS_FORM_BLANK, /* a blank, then arguments */
	NATS_FORM_OPEN   /* arguments, with or without a blank before */
};

/* state: Go's numbers after one byte and after two bytes of the name; from there they count up, blank state and argument state too.
 */
struct nats_row {
	enum nats_verb verb;
	enum nats_form form;
	uint8_t length;
	uint8_t state_one;
	uint8_t state_two;
	char name[8];
};

static const struct nats_row nats_rows[] = {
	{ NATS_PUB, NATS_FORM_BLANK, 3, 29, 30, "PUB" },
	{ NATS_HPUB, NATS_FORM_BLANK, 4, 18, 19, "HPUB" },
	{ NATS_SUB, NATS_FORM_BLANK, 3, 43, 44, "SUB" },
	{ NATS_UNSUB, NATS_FORM_BLANK, 5, 59, 60, "UNSUB" },
	{ NATS_PING, NATS_FORM_BARE, 4, 29, 34, "PING" },
	{ NATS_PONG, NATS_FORM_BARE, 4, 29, 37, "PONG" },
	{ NATS_CONNECT, NATS_FORM_OPEN, 7, 10, 11, "CONNECT" },
	{ NATS_OK, NATS_FORM_BARE, 3, 1, 2, "+OK" },
	{ NATS_ERR, NATS_FORM_BLANK, 4, 4, 5, "-ERR" },
	{ NATS_INFO, NATS_FORM_OPEN, 4, 71, 72, "INFO" },
	{ NATS_NONE, NATS_FORM_BLANK, 4, 18, 24, "HMSG" },
};

struct nats_span {
	const char *at;
	uint32_t length;
};

/* What the general path works on; error is NULL but for nats_explain. */
struct nats_look {
	struct nats_parser *parser;
	const struct nats_limits *limits;
	const uint8_t *data;
	size_t size;
	struct nats_command *out;
	struct nats_error *error;
	const struct nats_row *row;
};

const char *
nats_verb_name(enum nats_verb verb)
{
	for (size_t i = 0; i < sizeof(nats_rows) / sizeof(nats_rows[0]); i++)
		if (nats_rows[i].verb == verb && verb != NATS_NONE)
			return nats_rows[i].name;
	return "";
}

static bool
nats_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static uint8_t
nats_row_state(const struct nats_row *row, size_t matched)
{
	return (uint8_t)(matched == 0 ? NATS_STATE_START : matched == 1 ? row->state_one : row->state_two + matched - 2);
}

/* State while the arguments come in. */
static uint8_t
nats_argument_state(const struct nats_row *row)
{
	return (uint8_t)(nats_row_state(row, row->length) + (row->form == NATS_FORM_BLANK ? 2 : 1));
}

static enum nats_result
nats_unknown(const struct nats_look *look, size_t at, uint8_t state)
{
	CHECK(at < look->size);
	if (look->error != NULL) {
		look->error->at = (uint32_t)at;
		look->error->state = state;
	}
	return NATS_UNKNOWN_OPERATION;
}

static enum nats_result
nats_bad(const struct nats_look *look, const char *problem, const struct nats_span *argument)
{
	if (look->error != NULL) {
		look->error->problem = problem;
		look->error->argument = argument != NULL ? argument->at : NULL;
		look->error->argument_length = argument != NULL ? argument->length : 0;
	}
	return NATS_BAD_ARGUMENTS;
}

static enum nats_result
nats_too_long(const struct nats_look *look, size_t start, size_t length)
{
	if (look->error != NULL) {
		look->error->state = look->row->form == NATS_FORM_BARE ? nats_row_state(look->row, look->row->length)
								       : nats_argument_state(look->row);
		look->error->argument = (const char *)look->data + start;
		look->error->argument_length = (uint32_t)length;
	}
	return NATS_CONTROL_LINE;
}

/* Number of arguments, at most NATS_ARGUMENTS_MAX + 1 (too many); the extra bytes cr and lf separate too for SUB and UNSUB. */
static unsigned
nats_split(const struct nats_span *line, bool lines, struct nats_span arguments[NATS_ARGUMENTS_MAX])
{
	const char *end = line->at + line->length;
	unsigned count = 0;

	for (const char *at = line->at; at < end;) {
		const char *start = at;

		while (at < end && !nats_blank((uint8_t)*at) && !(lines && (*at == '\r' || *at == '\n')))
			at++;
		if (at > start) {
			if (count == NATS_ARGUMENTS_MAX)
				return NATS_ARGUMENTS_MAX + 1;
			arguments[count++] = (struct nats_span){ start, (uint32_t)(at - start) };
		}
		if (at < end)
			at++;
	}
	return count;
}

/* Go's parseSize: 1 to 9 digits, else -1. */
static int64_t
nats_size(const struct nats_span *text)
{
	int64_t value = 0;

	if (text->length == 0 || text->length > NATS_SIZE_DIGITS)
		return -1;
	for (uint32_t i = 0; i < text->length; i++) {
		if (text->at[i] < '0' || text->at[i] > '9')
			return -1;
		value = value * 10 + (text->at[i] - '0');
	}
	return value;
}

static enum nats_result
nats_done(struct nats_parser *parser, struct nats_command *out, size_t consumed)
{
	CHECK(consumed > 0 && consumed <= UINT32_MAX);
	out->consumed = (uint32_t)consumed;
	parser->need = 0;
	parser->scanned = 0;
	return NATS_COMMAND;
}

/* The payload of out->total_size bytes and its CRLF, behind a control line of `line` bytes. */
static inline enum nats_result
nats_payload(const struct nats_look *look, size_t line)
{
	const uint8_t *payload = look->data + line;
	size_t have = look->size - line;
	size_t total = look->out->total_size;

	if (have >= total + NATS_CRLF && payload[total] == '\r' && payload[total + 1] == '\n') {
		look->out->payload = payload;
		return nats_done(look->parser, look->out, line + total + NATS_CRLF);
	}
	if (have > total && payload[total] != '\r')
		return nats_unknown(look, line + total, NATS_STATE_END_R);
	if (have > total + 1)
		return nats_unknown(look, line + total + 1, NATS_STATE_END_N);
	CHECK(line <= UINT32_MAX - total - NATS_CRLF);
	look->parser->need = (uint32_t)(line + total + NATS_CRLF);
	return NATS_MORE;
}

/* A PUB or HPUB line split into `count` arguments. */
static inline enum nats_result
nats_publish(
    const struct nats_look *look, const struct nats_span *line, const struct nats_span *arguments, unsigned count, size_t consumed)
{
	bool headers = look->row->verb == NATS_HPUB;
	unsigned sizes = headers ? 2 : 1;
	struct nats_command *out = look->out;
	int64_t header_size = 0;
	int64_t total_size;

	if (headers && !look->limits->headers)
		return nats_bad(look, "message headers not supported", NULL);
	if (count != 1 + sizes && count != 2 + sizes)
		return nats_bad(look, headers ? "processHeaderPub Parse Error" : "processPub Parse Error", line);
	if (headers)
		header_size = nats_size(&arguments[count - 2]);
	total_size = nats_size(&arguments[count - 1]);
	if (header_size < 0)
		return nats_bad(look, "processHeaderPub Bad or Missing Header Size", line);
	if (total_size < 0)
		return nats_bad(
		    look, headers ? "processHeaderPub Bad or Missing Total Size" : "processPub Bad or Missing Size", line);
	if (header_size > total_size)
		return nats_bad(look, "processHeaderPub Header Size larger then TotalSize", line);
	if (look->limits->max_payload != -1 && total_size > look->limits->max_payload) {
		if (look->error != NULL)
			look->error->size = (uint32_t)total_size;
		return NATS_PAYLOAD_SIZE;
	}
	out->subject = arguments[0].at;
	out->subject_length = arguments[0].length;
	if (count == 2 + sizes) {
		out->reply = arguments[1].at;
		out->reply_length = arguments[1].length;
	}
	if (headers) {
		out->header_text = arguments[count - 2].at;
		out->header_text_length = arguments[count - 2].length;
	}
	out->size_text = arguments[count - 1].at;
	out->size_text_length = arguments[count - 1].length;
	out->header_size = (uint32_t)header_size;
	out->total_size = (uint32_t)total_size;
	return nats_payload(look, consumed);
}

static enum nats_result
nats_take_subscribe(const struct nats_look *look, const struct nats_span *line, size_t consumed)
{
	struct nats_span arguments[NATS_ARGUMENTS_MAX];
	struct nats_command *out = look->out;
	unsigned count = nats_split(line, true, arguments);

	if (count != 2 && count != 3)
		return nats_bad(look, "processSub Parse Error", line);
	out->subject = arguments[0].at;
	out->subject_length = arguments[0].length;
	if (count == 3) {
		out->queue = arguments[1].at;
		out->queue_length = arguments[1].length;
	}
	out->sid = arguments[count - 1].at;
	out->sid_length = arguments[count - 1].length;
	return nats_done(look->parser, out, consumed);
}

static enum nats_result
nats_take_unsubscribe(const struct nats_look *look, const struct nats_span *line, size_t consumed)
{
	struct nats_span arguments[NATS_ARGUMENTS_MAX];
	struct nats_command *out = look->out;
	unsigned count = nats_split(line, true, arguments);

	if (count != 1 && count != 2)
		return nats_bad(look, "processUnsub Parse Error", line);
	out->sid = arguments[0].at;
	out->sid_length = arguments[0].length;
	out->max = count == 2 ? nats_size(&arguments[1]) : -1;
	return nats_done(look->parser, out, consumed);
}

/*
 * Does a subject or reply hold a line end?  Go hands such a message on, and it breaks the lines of whoever receives it: a client
 * could put commands into the streams of others.  Here it is refused.
 */
static bool
nats_breaks_lines(const struct nats_span *arguments, unsigned count)
{
	for (unsigned i = 0; i + 1 < count && i < NATS_ARGUMENTS_MAX; i++)
		if (memchr(arguments[i].at, '\r', arguments[i].length) != NULL ||
		    memchr(arguments[i].at, '\n', arguments[i].length) != NULL)
			return true;
	return false;
}

/* The general path of PUB and HPUB. */
static enum nats_result
nats_take_publish(const struct nats_look *look, const struct nats_span *line, size_t consumed)
{
	struct nats_span arguments[NATS_ARGUMENTS_MAX];
	unsigned count = nats_split(line, false, arguments);

	if (nats_breaks_lines(arguments, count))
		return nats_bad(look, "processPub Parse Error", line);
	return nats_publish(look, line, arguments, count, consumed);
}

/* A whole control line: its arguments, and how many bytes it takes with LF. */
static enum nats_result
nats_take_line(const struct nats_look *look, const struct nats_span *line, size_t consumed)
{
	struct nats_command *out = look->out;

	out->verb = look->row->verb;
	out->argument = line->at;
	out->argument_length = line->length;
	switch (look->row->verb) {
	case NATS_PUB:
	case NATS_HPUB: return nats_take_publish(look, line, consumed);
	case NATS_NONE: return nats_unknown(look, consumed - 1, NATS_STATE_END_R);
	case NATS_SUB: return nats_take_subscribe(look, line, consumed);
	case NATS_UNSUB: return nats_take_unsubscribe(look, line, consumed);
	default: return nats_done(look->parser, out, consumed);
	}
}

/* How many bytes of the data are the name of the row, in any case. */
static size_t
nats_match(const struct nats_row *row, const uint8_t *data, size_t size)
{
	size_t i = 0;

	while (i < row->length && i < size) {
		uint8_t c = data[i];

		if (c >= 'a' && c <= 'z')
			c = (uint8_t)(c - ('a' - 'A'));
		if (c != (uint8_t)row->name[i])
			break;
		i++;
	}
	return i;
}

/* The row that shares most with the data; *matched says how much. */
static const struct nats_row *
nats_find_row(const uint8_t *data, size_t size, size_t *matched)
{
	const struct nats_row *best = &nats_rows[0];

	*matched = 0;
	for (size_t i = 0; i < sizeof(nats_rows) / sizeof(nats_rows[0]); i++) {
		size_t n;

		if (((uint8_t)nats_rows[i].name[0] ^ data[0]) & 0xdf)
			continue;
		n = nats_match(&nats_rows[i], data, size);

		if (n > *matched) {
			*matched = n;
			best = &nats_rows[i];
		}
	}
	return best;
}

/* LF at or behind `from`, or NULL; remembers what was searched. */
static const uint8_t *
nats_line_end(const struct nats_look *look, size_t from)
{
	const uint8_t *end;

	if (from < look->parser->scanned)
		from = look->parser->scanned;
	if (from >= look->size)
		return NULL;
	end = memchr(look->data + from, '\n', look->size - from);
	if (end == NULL && look->size <= UINT32_MAX)
		look->parser->scanned = (uint32_t)look->size;
	return end;
}

/* Arguments start at data[start], which exists, and go to LF. */
static enum nats_result
nats_arguments(const struct nats_look *look, size_t start)
{
	const uint8_t *end = nats_line_end(look, start + 1);
	size_t length = (end != NULL ? (size_t)(end - look->data) : look->size) - start;

	/* The first byte counts as an argument even if it is CR. */
	if (length > 1 && memchr(look->data + start + 1, '\r', length - 1) != NULL)
		length--;
	if (length > look->limits->max_control_line)
		return nats_too_long(look, start, length);
	if (end == NULL)
		return NATS_MORE;
	return nats_take_line(
	    look, &(struct nats_span){ (const char *)look->data + start, (uint32_t)length }, (size_t)(end - look->data) + 1);
}

/* PING, PONG, +OK: the rest of the line is ignored. Go sets no limit to it; ours is that of other lines. */
static enum nats_result
nats_bare(const struct nats_look *look, size_t start)
{
	const uint8_t *end = nats_line_end(look, start);
	size_t length = (end != NULL ? (size_t)(end - look->data) : look->size) - start;

	if (length > (size_t)look->limits->max_control_line + 1)
		return nats_too_long(look, start, length);
	if (end == NULL)
		return NATS_MORE;
	look->out->verb = look->row->verb;
	return nats_done(look->parser, look->out, start + length + 1);
}

static enum nats_result
nats_general(struct nats_look *look)
{
	size_t matched;
	size_t at;

	look->row = nats_find_row(look->data, look->size, &matched);
	if (matched < look->row->length)
		return matched == look->size ? NATS_MORE : nats_unknown(look, matched, nats_row_state(look->row, matched));
	if (look->row->form == NATS_FORM_BARE)
		return nats_bare(look, matched);
	if (look->row->form == NATS_FORM_BLANK && matched < look->size && !nats_blank(look->data[matched]))
		return nats_unknown(look, matched, nats_row_state(look->row, matched));
	for (at = matched; at < look->size && nats_blank(look->data[at]); at++)
		;
	/* Go takes any number of blanks. */
	if (at - matched > (size_t)look->limits->max_control_line + 1)
		return nats_too_long(look, matched, at - matched);
	if (at == look->size)
		return NATS_MORE;
	return nats_arguments(look, at);
}

/* Whether data (4 bytes at least) starts with the four letters, in any case. */
static inline bool
nats_starts(const uint8_t *data, const char letters[4])
{
	uint32_t word, mask, want;

	memcpy(&word, data, 4);
	memcpy(&mask, "\xdf\xdf\xdf\xdf", 4);
	memcpy(&want, letters, 4);
	return (word & mask) == want;
}

/* The arguments of a line in its usual form, from `from` on: single blanks between, no other byte below blank, CRLF.
 * Returns their number and the length of the line with CRLF; 0 if it has another form or is not all there. */
static inline unsigned
nats_split_usual(const uint8_t *data, size_t size, size_t from, struct nats_span arguments[NATS_ARGUMENTS_MAX], size_t *line)
{
	const uint8_t *end = data + size;
	const uint8_t *at = data + from;

	for (unsigned count = 0; count < NATS_ARGUMENTS_MAX;) {
		const uint8_t *start = at;

		while (at<end && * at> ' ')
			at++;
		if (at == start || end - at < 2)
			return 0;
		arguments[count++] = (struct nats_span){ (const char *)start, (uint32_t)(at - start) };
		if (at[0] == '\r' && at[1] == '\n') {
			*line = (size_t)(at - data) + NATS_CRLF;
			return count;
		}
		if (*at++ != ' ')
			return 0;
	}
	return 0;
}

/* PUB and HPUB in their usual form; false: to be looked at in general. */
static inline bool
nats_fast_publish(struct nats_look *look, enum nats_result *result)
{
	struct nats_span arguments[NATS_ARGUMENTS_MAX];
	const uint8_t *data = look->data;
	struct nats_span span;
	unsigned count;
	size_t from;
	size_t line;

	if (nats_starts(data, "PUB\0") && data[3] == ' ')
		from = 4;
	else if (nats_starts(data, "HPUB") && data[4] == ' ')
		from = 5;
	else
		return false;
	count = nats_split_usual(data, look->size, from, arguments, &line);
	if (count == 0 || line - NATS_CRLF - from > look->limits->max_control_line)
		return false;
	look->row = from == 4 ? &nats_rows[0] : &nats_rows[1];
	span = (struct nats_span){ (const char *)data + from, (uint32_t)(line - NATS_CRLF - from) };
	look->out->verb = look->row->verb;
	look->out->argument = span.at;
	look->out->argument_length = span.length;
	*result = nats_publish(look, &span, arguments, count, line);
	return true;
}

/* Field by field: compilers turn this into a few wide stores, and a memset of this size into something slower. */
static inline void
nats_clear(struct nats_command *out)
{
	out->verb = NATS_NONE;
	out->consumed = 0;
	out->subject = NULL;
	out->reply = NULL;
	out->queue = NULL;
	out->sid = NULL;
	out->size_text = NULL;
	out->header_text = NULL;
	out->argument = NULL;
	out->payload = NULL;
	out->max = -1;
	out->subject_length = 0;
	out->reply_length = 0;
	out->queue_length = 0;
	out->sid_length = 0;
	out->size_text_length = 0;
	out->header_text_length = 0;
	out->argument_length = 0;
	out->header_size = 0;
	out->total_size = 0;
}

enum nats_result
nats_parse(struct nats_parser *parser, const struct nats_limits *limits, const uint8_t *data, size_t size, struct nats_command *out)
{
	struct nats_look look = { parser, limits, data, size, out, NULL, NULL };
	enum nats_result result;

	/* But for the CR, a payload under way cannot change its verdict before its last byte. */
	if (size == 0 || (parser->need > 1 && size < parser->need - 1))
		return NATS_MORE;
	if (limits->authorization_pending && (data[0] & 0xdf) != 'C')
		return NATS_AUTHORIZATION;
	nats_clear(out);
	if (size > 4 && parser->scanned == 0 && nats_fast_publish(&look, &result))
		return result;
	return nats_general(&look);
}

void
nats_explain(const struct nats_limits *limits, const uint8_t *data, size_t size, struct nats_error *out)
{
	struct nats_parser parser = { 0 };
	struct nats_command command = { .max = -1 };
	struct nats_look look = { &parser, limits, data, size, &command, out, NULL };

	memset(out, 0, sizeof(*out));
	if (size > 0)
		(void)nats_general(&look);
}

void
nats_snippet(const uint8_t *data, size_t size, size_t at, size_t max, const uint8_t **text, size_t *n)
{
	size_t stop;

	*text = data;
	*n = 0;
	if (at >= size)
		return;
	/* Go leaves out the last byte when it is near the end. */
	stop = max > size - at ? size - 1 : at + max;
	*text = data + at;
	*n = stop > at ? stop - at : 0;
}
