/*
 * Messages one by one out of a connection, for the rows that look at each (requests, latencies, connections).
 * Answers the server's PING, passes over INFO and PONG; anything else but MSG ends the run.
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "bench.h"

#define STREAM_ROOM (256U << 10)

void
stream_setup(struct stream *stream)
{
	stream->start = stream->end = 0;
	stream->data = malloc(STREAM_ROOM);
	if (stream->data == NULL)
		err(1, "stream");
}

/* Reads once what is there, without waiting; false when nothing was. Messages handed out before are void after it. */
bool
stream_fill(struct stream *stream)
{
	ssize_t n;

	if (stream->start > 0) {
		memmove(stream->data, stream->data + stream->start, stream->end - stream->start);
		stream->end -= stream->start;
		stream->start = 0;
	}
	n = recv(stream->conn.fd, stream->data + stream->end, STREAM_ROOM - stream->end, MSG_DONTWAIT);
	if (n == -1 && errno == EAGAIN)
		return false;
	if (n <= 0)
		errx(1, "connection closed: %s", n == 0 ? "end of file" : strerror(errno));
	stream->end += (size_t)n;
	return true;
}

/* "MSG subject sid [reply] size": the size is the last word, the reply the fourth when there are five. */
static void
stream_parse(struct message *message, const char *line, size_t len)
{
	const char *words[5], *end = line + len, *at = line;
	size_t n = 0, last;

	while (n < 5 && at < end) {
		words[n++] = at;
		at = memchr(at, ' ', (size_t)(end - at));
		if (at == NULL)
			break;
		at++;
	}
	if (n < 4 || memcmp(line, "MSG ", 4) != 0)
		errx(1, "MSG expected, got: %.*s", (int)(len < 80 ? len : 80), line);
	last = n - 1;
	message->reply = n == 5 ? words[3] : NULL;
	message->reply_len = n == 5 ? (size_t)(words[4] - words[3]) - 1 : 0;
	message->len = 0;
	for (at = words[last]; at < end && *at >= '0' && *at <= '9' && message->len < STREAM_ROOM; at++)
		message->len = message->len * 10 + (size_t)(*at - '0');
}

/* The next whole message; false when more must be read first. */
bool
stream_next(struct stream *stream, struct message *message)
{
	const char *line, *end;
	size_t left, len;

	for (;;) {
		line = stream->data + stream->start;
		left = stream->end - stream->start;
		end = memchr(line, '\n', left);
		if (end == NULL || end == line)
			return false;
		len = (size_t)(end - line) + 1;
		if (line[0] == 'M') {
			stream_parse(message, line, len - 2);
			if (left < len + message->len + 2)
				return false;
			message->payload = line + len;
			stream->start += len + message->len + 2;
			return true;
		}
		if (len >= 6 && memcmp(line, "PING\r\n", 6) == 0)
			net_send_all(stream->conn.fd, "PONG\r\n", 6);
		else if (memcmp(line, "PONG", 4) != 0 && memcmp(line, "INFO", 4) != 0)
			errx(1, "unexpected: %.*s", (int)(len < 80 ? len : 80), line);
		stream->start += len;
	}
}
