/*
 * Request and reply: every client has one request in flight; one responder answers them all. One thread, as with one
 * client only one side has work at a time. Clients sit in workers 0, 1, ...; the responder sits in worker 1.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "bench.h"

#define PAYLOAD 16
#define SAMPLES_MAX 4000000
#define REPLIES_ROOM (64U << 10)

struct requester {
	struct stream stream;
	char line[128]; /* the request; its payload holds the sequence */
	size_t len;
	uint64_t sent_ns;
	uint32_t sequence;
};

struct exchange {
	struct requester requesters[BENCH_CONNS_MAX];
	struct stream responder;
	struct samples samples;
	unsigned clients;
	unsigned in_flight;
	uint64_t answered;
	uint64_t end_ns;
	int epoll;
	char replies[REPLIES_ROOM];
};

static void
request_watch(const struct exchange *exchange, int fd, unsigned number)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = number };

	if (epoll_ctl(exchange->epoll, EPOLL_CTL_ADD, fd, &event) == -1)
		err(1, "epoll_ctl");
}

static void
request_open(struct exchange *exchange)
{
	static const char sub[] = "SUB bench.service 1\r\n";
	char line[64];

	exchange->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (exchange->epoll == -1)
		err(1, "epoll_create1");
	stream_setup(&exchange->responder);
	net_open_on(&exchange->responder.conn, 1);
	net_send_all(exchange->responder.conn.fd, sub, sizeof(sub) - 1);
	net_sync(&exchange->responder.conn);
	request_watch(exchange, exchange->responder.conn.fd, BENCH_CONNS_MAX);
	for (unsigned i = 0; i < exchange->clients; i++) {
		struct requester *requester = &exchange->requesters[i];

		stream_setup(&requester->stream);
		net_open_on(&requester->stream.conn, i);
		int n = snprintf(line, sizeof(line), "SUB _INBOX.bench.%u 1\r\n", i);
		net_send_all(requester->stream.conn.fd, line, (size_t)n);
		net_sync(&requester->stream.conn);
		request_watch(exchange, requester->stream.conn.fd, i);
		requester->len = (size_t)snprintf(
		    requester->line, sizeof(requester->line), "PUB bench.service _INBOX.bench.%u %d\r\n%016u\r\n", i, PAYLOAD, 0);
	}
}

static void
request_send(struct exchange *exchange, struct requester *requester)
{
	char text[PAYLOAD + 1];

	snprintf(text, sizeof(text), "%016u", ++requester->sequence);
	memcpy(requester->line + requester->len - 2 - PAYLOAD, text, PAYLOAD);
	exchange->in_flight++;
	requester->sent_ns = now_ns();
	net_send_all(requester->stream.conn.fd, requester->line, requester->len);
}

/* All requests that came with one read are answered with one write. */
static void
request_respond(struct exchange *exchange)
{
	struct stream *stream = &exchange->responder;
	struct message message;
	size_t len = 0;

	if (!stream_fill(stream))
		return;
	while (stream_next(stream, &message)) {
		if (message.reply == NULL || message.len != PAYLOAD || len + 256 > REPLIES_ROOM)
			errx(1, "not a request");
		len += (size_t)snprintf(exchange->replies + len, REPLIES_ROOM - len, "PUB %.*s %d\r\n%.*s\r\n",
		    (int)message.reply_len, message.reply, PAYLOAD, PAYLOAD, message.payload);
	}
	if (len > 0)
		net_send_all(stream->conn.fd, exchange->replies, len);
}

static void
request_answered(struct exchange *exchange, struct requester *requester)
{
	struct message message;
	char text[PAYLOAD + 1];
	uint64_t now;

	if (!stream_fill(&requester->stream) || !stream_next(&requester->stream, &message))
		return;
	now = now_ns();
	snprintf(text, sizeof(text), "%016u", requester->sequence);
	if (message.len != PAYLOAD || memcmp(message.payload, text, PAYLOAD) != 0)
		errx(1, "not the reply to request %u", requester->sequence);
	samples_add(&exchange->samples, now - requester->sent_ns);
	exchange->answered++;
	exchange->in_flight--;
	if (now < exchange->end_ns)
		request_send(exchange, requester);
}

static void
request_turns(struct exchange *exchange)
{
	struct epoll_event events[BENCH_CONNS_MAX + 1];
	int n;

	while (exchange->in_flight > 0) {
		n = epoll_wait(exchange->epoll, events, BENCH_CONNS_MAX + 1, BENCH_TIMEOUT_MS);
		if (n <= 0)
			errx(1, "%u requests without a reply", exchange->in_flight);
		for (int i = 0; i < n; i++) {
			if (events[i].data.u32 == BENCH_CONNS_MAX)
				request_respond(exchange);
			else
				request_answered(exchange, &exchange->requesters[events[i].data.u32]);
		}
	}
}

static void
request_round(struct exchange *exchange, double seconds)
{
	exchange->answered = 0;
	exchange->samples.count = 0;
	exchange->end_ns = now_ns() + (uint64_t)(seconds * 1e9);
	for (unsigned i = 0; i < exchange->clients; i++)
		request_send(exchange, &exchange->requesters[i]);
	request_turns(exchange);
}

int
request_run(const struct bench_args *args)
{
	struct exchange *exchange = calloc(1, sizeof(*exchange));
	struct usage from, to;

	if (exchange == NULL)
		err(1, "exchange");
	exchange->clients = args->clients;
	samples_setup(&exchange->samples, SAMPLES_MAX);
	request_open(exchange);
	proc_usage(args->server_pid, &from);
	request_round(exchange, args->seconds / 10); /* warm up */
	proc_usage(args->server_pid, &from);
	request_round(exchange, args->seconds);
	proc_usage(args->server_pid, &to);
	printf("{");
	proc_print_usage(&from, &to, exchange->answered);
	printf(",");
	samples_print(&exchange->samples, "");
	printf("}\n");
	return 0;
}
