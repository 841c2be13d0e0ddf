/*
 * Latency at a given rate, one publisher and one subscriber in different workers. Every 50 us the publisher sends what
 * is due, in one write: one message at 20,000/s, ten at 200,000/s. Each message carries the time just before its write;
 * when the socket was full, the time it was due (so a server that stalls the publisher is not flattered).
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include "bench.h"

#define TICK_NS 50000U
#define BATCH_MAX 4096U
#define WARM_UP 0.2 /* seconds, not counted */

struct pace {
	struct stream subscriber;
	struct conn publisher;
	struct samples samples;
	struct samples late; /* how late the generator itself was */
	char *lines;
	size_t each; /* bytes per message */
	size_t len;  /* of the batch being sent */
	size_t offset;
	uint64_t start_ns;
	uint64_t counted_ns; /* messages sent before are warm-up */
	uint64_t end_ns;
	uint64_t sent;
	uint64_t received;
	double rate;
	size_t size;
	int epoll;
	bool blocked;
};

static void
paced_open(struct pace *pace)
{
	static const char sub[] = "SUB bench.paced 1\r\n";
	struct epoll_event event = { .events = EPOLLIN };
	char head[64];
	size_t head_len;

	stream_setup(&pace->subscriber);
	net_open_on(&pace->subscriber.conn, 1);
	net_send_all(pace->subscriber.conn.fd, sub, sizeof(sub) - 1);
	net_sync(&pace->subscriber.conn);
	net_open_on(&pace->publisher, 0);
	pace->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (pace->epoll == -1 || epoll_ctl(pace->epoll, EPOLL_CTL_ADD, pace->subscriber.conn.fd, &event) == -1)
		err(1, "epoll");
	head_len = (size_t)snprintf(head, sizeof(head), "PUB bench.paced %zu\r\n", pace->size);
	pace->each = head_len + pace->size + 2;
	pace->lines = malloc(pace->each * BATCH_MAX);
	if (pace->lines == NULL)
		err(1, "lines");
	memset(pace->lines, 'x', pace->each * BATCH_MAX);
	for (char *at = pace->lines; at < pace->lines + pace->each * BATCH_MAX; at += pace->each) {
		memcpy(at, head, head_len);
		memcpy(at + pace->each - 2, "\r\n", 2);
	}
}

static uint64_t
paced_due_ns(const struct pace *pace, uint64_t message)
{
	return pace->start_ns + (uint64_t)((double)message * 1e9 / pace->rate);
}

/* Puts the time into the messages that are due and makes them the batch. */
static void
paced_fill(struct pace *pace, uint64_t now)
{
	uint64_t until = now < pace->end_ns ? now : pace->end_ns, stamp;
	size_t stamp_at = pace->each - 2 - pace->size;

	pace->len = pace->offset = 0;
	while (pace->len < BATCH_MAX * pace->each && paced_due_ns(pace, pace->sent) <= until) {
		stamp = pace->blocked ? paced_due_ns(pace, pace->sent) : now;
		if (pace->len == 0 && now >= pace->counted_ns)
			samples_add(&pace->late, now - paced_due_ns(pace, pace->sent));
		memcpy(pace->lines + pace->len + stamp_at, &stamp, sizeof(stamp));
		pace->len += pace->each;
		pace->sent++;
	}
}

static void
paced_publish(struct pace *pace)
{
	ssize_t n;

	if (pace->offset == pace->len) {
		paced_fill(pace, now_ns());
		pace->blocked = false;
	}
	if (pace->len == 0)
		return;
	n = send(pace->publisher.fd, pace->lines + pace->offset, pace->len - pace->offset, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n == -1 && errno != EAGAIN)
		err(1, "publisher's connection");
	pace->offset += n == -1 ? 0 : (size_t)n;
	if (pace->offset < pace->len)
		pace->blocked = true;
}

static void
paced_receive(struct pace *pace)
{
	struct message message;
	uint64_t now, stamp;

	if (!stream_fill(&pace->subscriber))
		return;
	now = now_ns();
	while (stream_next(&pace->subscriber, &message)) {
		if (message.len != pace->size)
			errx(1, "message of %zu bytes", message.len);
		memcpy(&stamp, message.payload, sizeof(stamp));
		pace->received++;
		if (stamp >= pace->counted_ns)
			samples_add(&pace->samples, now - stamp);
	}
}

/* Until a message comes or the next tick; with nothing more to send, until a message comes. */
static bool
paced_wait(const struct pace *pace, uint64_t tick_ns)
{
	uint64_t now = now_ns(), left = tick_ns > now ? tick_ns - now : 0;
	struct timespec timeout = { .tv_nsec = (long)left };
	struct epoll_event event;

	if (now >= pace->end_ns && pace->offset == pace->len)
		timeout = (struct timespec){ .tv_sec = BENCH_TIMEOUT_MS / 1000 };
	int n = epoll_pwait2(pace->epoll, &event, 1, &timeout, NULL);
	if (n == -1)
		err(1, "epoll_pwait2");
	if (n == 0 && timeout.tv_sec > 0)
		errx(1, "%llu messages lost", (unsigned long long)(pace->sent - pace->received));
	return n == 1;
}

static void
paced_turns(struct pace *pace)
{
	uint64_t tick_ns = pace->start_ns;

	while (now_ns() < pace->end_ns || pace->received < pace->sent || pace->offset < pace->len) {
		if (now_ns() >= tick_ns) {
			paced_publish(pace);
			while (tick_ns <= now_ns())
				tick_ns += TICK_NS;
		}
		if (paced_wait(pace, tick_ns))
			paced_receive(pace);
	}
}

int
paced_run(const struct bench_args *args)
{
	struct pace pace = { .rate = args->rate, .size = args->size };
	struct usage from, to;

	if (args->rate == 0 || args->size < sizeof(uint64_t))
		errx(2, "paced needs --rate, and room for a time in the payload");
	paced_open(&pace);
	samples_setup(&pace.samples, (size_t)(args->seconds * pace.rate) + BATCH_MAX);
	samples_setup(&pace.late, (size_t)(args->seconds * pace.rate) + BATCH_MAX);
	proc_usage(args->server_pid, &from);
	proc_usage(args->server_pid, &from);
	pace.start_ns = now_ns();
	pace.counted_ns = pace.start_ns + (uint64_t)(WARM_UP * 1e9);
	pace.end_ns = pace.counted_ns + (uint64_t)(args->seconds * 1e9);
	paced_turns(&pace);
	proc_usage(args->server_pid, &to);
	net_sync(&pace.subscriber.conn);
	printf("{");
	proc_print_usage(&from, &to, pace.received);
	printf(",");
	samples_print(&pace.samples, "");
	printf(",");
	samples_print(&pace.late, "late_");
	printf("}\n");
	return 0;
}
