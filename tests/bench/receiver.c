/*
 * Subscriber side of the throughput rows. All its messages have one length, so most of the stream is thrown away in
 * the kernel (MSG_TRUNC) and only counted; the first reads, every 64th read and the end are read and verified.
 * Called by flow.c. At the end the count is exact: the bytes must end with a whole message, and nothing may follow.
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "bench.h"

#define WINDOW (64U << 10)
#define SKIP_MAX (16U << 20) /* never touched: the kernel only checks the addresses */
#define FIRST_LOOKS 8
#define LOOK_EVERY 64
#define EXTEND_MS 200

static const char prefix[] = "MSG bench.";

static char *
receiver_buffer(void)
{
	static char *buffer;

	if (buffer == NULL && (buffer = malloc(SKIP_MAX)) == NULL)
		err(1, "buffer");
	return buffer;
}

void
receiver_setup(struct receiver *receiver, const struct plan *plan)
{
	plan_frame(plan, &receiver->frame);
	receiver->expected = UINT64_MAX;
	receiver->cycle = 0;
	receiver->bytes = receiver->calls = receiver->looked_at = 0;
	receiver->pings = 0;
}

/* The message before ends where this one begins, and the index in its payload is its place in the publisher's block. */
static void
receiver_check(struct receiver *receiver, const char *window, size_t at)
{
	const struct frame *frame = &receiver->frame;
	unsigned long long number = (receiver->bytes + at - 6ULL * receiver->pings) / frame->len;
	const char *payload = window + at + frame->head_len;
	char text[16];

	receiver->looked_at++;
	if (at >= 2 && memcmp(window + at - 2, "\r\n", 2) != 0)
		errx(1, "message %llu does not end in CR LF", number);
	if (receiver->cycle == 0 || frame->len - frame->head_len < 10)
		return;
	snprintf(text, sizeof(text), "%08x", (unsigned)(number % receiver->cycle));
	if (memcmp(payload, text, 8) != 0)
		errx(1, "message %llu is not in its place: %.8s instead of %s", number, payload, text);
}

static bool
receiver_is_head(const struct frame *frame, const char *at)
{
	return memcmp(at, prefix, sizeof(prefix) - 1) == 0 &&
	    memcmp(at + frame->head_len - frame->tail_len, frame->tail, frame->tail_len) == 0;
}

static void
receiver_found_ping(struct receiver *receiver)
{
	receiver->pings++;
	net_send_all(receiver->conn.fd, "PONG\r\n", 6);
}

/* Where the first message starts in a window that begins at this place of the stream, given the PINGs known so far. */
static size_t
receiver_first(const struct receiver *receiver)
{
	size_t past = (size_t)((receiver->bytes - 6ULL * receiver->pings) % receiver->frame.len);

	return past == 0 ? 0 : receiver->frame.len - past;
}

/* Reads on until the window has so many bytes, as a header was cut off at its end; false when they do not come. */
static bool
receiver_extend(const struct receiver *receiver, char *window, size_t *len, size_t until)
{
	ssize_t n;

	while (*len < until) {
		if (!net_readable(receiver->conn.fd, EXTEND_MS))
			return false;
		n = recv(receiver->conn.fd, window + *len, until - *len, MSG_DONTWAIT);
		if (n <= 0)
			return false;
		*len += (size_t)n;
	}
	return true;
}

/*
 * Verifies every header in the window, and returns its length, which grows when the last header was cut off. A PING that
 * went by unseen shifts the boundaries by its length: the first look that does not fit tries that before it gives up.
 */
static size_t
receiver_look(struct receiver *receiver, char *window, size_t len)
{
	const struct frame *frame = &receiver->frame;
	size_t at = receiver_first(receiver), need, body = frame->len - frame->head_len;
	unsigned tries = 0;
	bool sure = false;

	while (at < len) {
		need = window[at] == 'P' ? 6 : frame->head_len + (body < 8 ? body : 8);
		if (!receiver_extend(receiver, window, &len, at + need))
			break;
		if (memcmp(window + at, "PING\r\n", 6) == 0) {
			receiver_found_ping(receiver);
			at += 6;
		} else if (receiver_is_head(frame, window + at)) {
			receiver_check(receiver, window, at);
			sure = true;
			at += frame->len;
		} else if (!sure && tries++ < 3) {
			receiver_found_ping(receiver);
			at = receiver_first(receiver);
		} else {
			errx(1, "message expected at byte %llu, got: %.40s", (unsigned long long)(receiver->bytes + at),
			    window + at);
		}
	}
	return len;
}

static uint64_t
receiver_left(const struct receiver *receiver)
{
	if (receiver->expected == UINT64_MAX)
		return UINT64_MAX;
	return receiver->expected * receiver->frame.len + 6ULL * receiver->pings - receiver->bytes;
}

/* How much may be thrown away unread now; 0: look at what comes next. */
static size_t
receiver_skip(const struct receiver *receiver)
{
	uint64_t left = receiver_left(receiver), keep = receiver->frame.len + WINDOW;

	if (receiver->calls < FIRST_LOOKS || receiver->calls % LOOK_EVERY == 0 || left <= keep)
		return 0;
	return left - keep > SKIP_MAX ? SKIP_MAX : (size_t)(left - keep);
}

/* Reads once what is there; true when the last expected message is complete. */
bool
receiver_read(struct receiver *receiver)
{
	char *buffer = receiver_buffer();
	uint64_t left = receiver_left(receiver);
	size_t skip = receiver_skip(receiver);
	ssize_t n;

	if (left == 0)
		return true;
	if (skip > 0)
		n = recv(receiver->conn.fd, buffer, skip, MSG_TRUNC | MSG_DONTWAIT);
	else
		n = recv(receiver->conn.fd, buffer, left < WINDOW ? (size_t)left : WINDOW, MSG_DONTWAIT);
	if (n == -1 && errno == EAGAIN)
		return false;
	if (n <= 0)
		errx(1, "subscriber's connection closed: %s", n == 0 ? "end of file" : strerror(errno));
	receiver->bytes += skip == 0 ? receiver_look(receiver, buffer, (size_t)n) : (size_t)n;
	receiver->calls++;
	return receiver_left(receiver) == 0;
}
