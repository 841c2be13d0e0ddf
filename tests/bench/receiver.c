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

/* The index a publisher wrote into the payload must be the place of the message in its block. */
static void
receiver_check_index(const struct receiver *receiver, const char *payload, uint64_t number)
{
	char text[16];

	if (receiver->cycle == 0 || receiver->frame.len - receiver->frame.head_len < 10)
		return;
	snprintf(text, sizeof(text), "%08x", (unsigned)(number % receiver->cycle));
	if (memcmp(payload, text, 8) != 0)
		errx(1, "message %llu is not in its place: %.8s instead of %s", (unsigned long long)number, payload, text);
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

/*
 * Verifies every header that lies whole in the window. A PING that went by unseen shifts the boundaries by its length:
 * the first look that does not fit tries that before it gives up.
 */
static void
receiver_look(struct receiver *receiver, const char *window, size_t len)
{
	const struct frame *frame = &receiver->frame;
	size_t at = receiver_first(receiver);
	unsigned tries = 0;
	uint64_t number;
	bool sure = false;

	while (at + frame->head_len + 8 <= len) {
		if (receiver_is_head(frame, window + at)) {
			number = (receiver->bytes + at - 6ULL * receiver->pings) / frame->len;
			receiver_check_index(receiver, window + at + frame->head_len, number);
			if (at >= 2 && memcmp(window + at - 2, "\r\n", 2) != 0)
				errx(1, "message %llu does not end in CR LF", (unsigned long long)number);
			receiver->looked_at++;
			sure = true;
			at += frame->len;
		} else if (memcmp(window + at, "PING\r\n", 6) == 0) {
			receiver_found_ping(receiver);
			at += 6;
		} else if (!sure && tries++ < 3) {
			receiver_found_ping(receiver);
			at = receiver_first(receiver);
		} else {
			errx(1, "message expected at byte %llu, got: %.40s", (unsigned long long)(receiver->bytes + at),
			    window + at);
		}
	}
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
	if (skip == 0)
		receiver_look(receiver, buffer, (size_t)n);
	receiver->bytes += (uint64_t)n;
	receiver->calls++;
	return receiver_left(receiver) == 0;
}
