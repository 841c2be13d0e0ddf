/*
 * Throughput rows: publishers send a prebuilt block again and again as fast as the socket takes it, for the given
 * time; the clock stops when the last message has been received (without subscribers: when PONG comes).
 * One thread, epoll. Publishers sit in workers 0, 1, ...; subscribers in 1, 2, ...
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "bench.h"

#define SEND_MAX (1U << 20)

struct publisher {
	struct conn conn;
	size_t offset;   /* in the block */
	uint64_t blocks; /* sent whole */
	bool stopped;
};

struct flow {
	struct plan plan;
	struct block block;
	struct publisher publishers[BENCH_CONNS_MAX];
	struct receiver receivers[BENCH_CONNS_MAX];
	bool done[BENCH_CONNS_MAX];
	unsigned publishing;
	unsigned receiving;
	int epoll;
};

static void
flow_watch(const struct flow *flow, int fd, uint32_t events, uint64_t number)
{
	struct epoll_event event = { .events = events, .data.u64 = number };

	if (epoll_ctl(flow->epoll, EPOLL_CTL_ADD, fd, &event) == -1)
		err(1, "epoll_ctl");
}

/* Connections that stand there while others work, each with a subscription of its own. */
static void
flow_open_idle(unsigned count)
{
	struct conn conn;
	char line[64];

	for (unsigned i = 0; i < count; i++) {
		net_open(&conn);
		int n = snprintf(line, sizeof(line), "SUB idle.%u 1\r\n", i);
		net_send_all(conn.fd, line, (size_t)n);
	}
}

static void
flow_open(struct flow *flow, const struct bench_args *args)
{
	const struct plan *plan = &flow->plan;

	flow->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (flow->epoll == -1)
		err(1, "epoll_create1");
	flow_open_idle(args->idle);
	for (unsigned i = 0; i < plan->subs; i++) {
		struct receiver *receiver = &flow->receivers[i];

		net_open_on(&receiver->conn, i + 1);
		plan_subscribe(plan, &receiver->conn, i);
		receiver_setup(receiver, plan);
		if (plan->pubs == 1 && plan_share(plan, 1000) == 1000)
			receiver->cycle = flow->block.msgs;
		flow_watch(flow, receiver->conn.fd, EPOLLIN, BENCH_CONNS_MAX + i);
	}
	for (unsigned i = 0; i < plan->pubs; i++) {
		net_open_on(&flow->publishers[i].conn, i);
		flow_watch(flow, flow->publishers[i].conn.fd, EPOLLOUT, i);
	}
	flow->publishing = plan->pubs;
	flow->receiving = plan->subs;
}

static uint64_t
flow_published(const struct flow *flow)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < flow->plan.pubs; i++)
		sum += flow->publishers[i].blocks * flow->block.msgs;
	return sum;
}

static void
flow_publisher_stops(struct flow *flow, struct publisher *publisher)
{
	if (epoll_ctl(flow->epoll, EPOLL_CTL_DEL, publisher->conn.fd, NULL) == -1)
		err(1, "epoll_ctl");
	publisher->stopped = true;
	if (--flow->publishing > 0)
		return;
	for (unsigned i = 0; i < flow->plan.subs; i++)
		flow->receivers[i].expected = plan_share(&flow->plan, flow_published(flow));
}

static void
flow_publish(struct flow *flow, struct publisher *publisher, bool time_is_up)
{
	const struct block *block = &flow->block;
	size_t len = block->len - publisher->offset;
	ssize_t n;

	n = send(publisher->conn.fd, block->data + publisher->offset, len < SEND_MAX ? len : SEND_MAX, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n == -1 && errno == EAGAIN)
		return;
	if (n == -1)
		err(1, "publisher's connection");
	publisher->offset += (size_t)n;
	if (publisher->offset < block->len)
		return;
	publisher->offset = 0;
	publisher->blocks++;
	if (time_is_up)
		flow_publisher_stops(flow, publisher);
}

static void
flow_receive(struct flow *flow, unsigned i)
{
	if (flow->done[i] || !receiver_read(&flow->receivers[i]))
		return;
	flow->done[i] = true;
	flow->receiving--;
}

static void
flow_turns(struct flow *flow, uint64_t end_ns)
{
	struct epoll_event events[2 * BENCH_CONNS_MAX];
	bool time_is_up;
	int n;

	while (flow->publishing > 0 || flow->receiving > 0) {
		n = epoll_wait(flow->epoll, events, 2 * BENCH_CONNS_MAX, BENCH_TIMEOUT_MS);
		if (n <= 0)
			errx(1, "nothing moves: %u publishers, %u subscribers unfinished", flow->publishing, flow->receiving);
		time_is_up = now_ns() >= end_ns;
		for (int i = 0; i < n; i++) {
			uint64_t number = events[i].data.u64;

			if (number >= BENCH_CONNS_MAX)
				flow_receive(flow, (unsigned)(number - BENCH_CONNS_MAX));
			else
				flow_publish(flow, &flow->publishers[number], time_is_up);
		}
	}
}

static void
flow_print(const struct flow *flow, const struct usage *from, const struct usage *to)
{
	uint64_t messages = flow_published(flow), looked_at = 0;

	if (flow->plan.subs > 0 && flow->plan.shape != SHAPE_WILD)
		messages *= flow->plan.subs;
	for (unsigned i = 0; i < flow->plan.subs; i++)
		looked_at += flow->receivers[i].looked_at;
	printf("{\"published\":%llu,\"looked_at\":%llu,", (unsigned long long)flow_published(flow), (unsigned long long)looked_at);
	proc_print_usage(from, to, messages);
	printf("}\n");
}

/* messages counts deliveries; without subscribers, publications. */
int
flow_run(const struct bench_args *args)
{
	struct flow *flow = calloc(1, sizeof(*flow));
	struct usage from, to;

	if (flow == NULL)
		err(1, "flow");
	plan_make(&flow->plan, args);
	plan_block(&flow->plan, &flow->block);
	flow_open(flow, args);
	proc_usage(args->server_pid, &from); /* finds the processes, */
	proc_usage(args->server_pid, &from); /* measures */
	flow_turns(flow, from.wall_ns + (uint64_t)(args->seconds * 1e9));
	for (unsigned i = 0; flow->plan.subs == 0 && i < flow->plan.pubs; i++)
		net_sync(&flow->publishers[i].conn);
	proc_usage(args->server_pid, &to);
	for (unsigned i = 0; i < flow->plan.subs; i++)
		net_sync(&flow->receivers[i].conn);
	flow_print(flow, &from, &to);
	free(flow->block.data);
	free(flow);
	return 0;
}
