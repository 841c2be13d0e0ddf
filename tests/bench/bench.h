/*
 * natsd-bench: load generator for NATS servers, raw protocol over TCP.
 *
 * For: the table of tests/bench/RESULTS.md; run.py starts a server, then this program once per row.
 * Owns: its sockets and what it measured; prints one JSON object on stdout per run.
 * Never: includes or links anything of natsd: the server under test is only a port and a process id.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BENCH_CONNS_MAX 64
#define BENCH_TIMEOUT_MS 30000

/* What the command line asked for; every command reads the fields it needs. */
struct bench_args {
	const char *shape; /* flow: same, wild, many, exact; subs: short, long */
	uint16_t port;
	int server_pid;   /* top process of the server; 0: do not measure it */
	unsigned workers; /* worker processes of the server, 1 when it has none */
	unsigned pubs;
	unsigned subs;
	unsigned subjects; /* distinct subjects published to */
	unsigned filters;  /* subscriptions, over all subscribers together */
	unsigned idle;     /* connections that only stand there */
	unsigned clients;  /* requesters, or connections being opened at a time */
	unsigned count;
	unsigned rate; /* messages per second */
	size_t size;   /* payload bytes */
	double seconds;
	char *const *command; /* start: the server's argv */
};

struct conn {
	int fd;
	uint64_t client_id;
};

/* net.c: connections. All of them die with a message on any failure. */
void net_setup(const struct bench_args *);
int net_dial(bool nonblocking);
void net_open(struct conn *);
void net_open_on(struct conn *, unsigned worker);
void net_close(struct conn *);
void net_send_all(int fd, const void *data, size_t len);
void net_sync(const struct conn *);
bool net_readable(int fd, int timeout_ms);
const char *net_hello(void);

/* proc.c: what the kernel says about the server and about us. */
struct usage {
	uint64_t wall_ns;
	uint64_t server_ns; /* CPU time, all processes of the server */
	uint64_t own_ns;    /* CPU time of this program */
	uint64_t busy_ns;   /* all processors, idle time left out */
};

uint64_t now_ns(void);
void proc_usage(int server_pid, struct usage *);
uint64_t proc_memory(int server_pid);
uint64_t proc_memory_settled(int server_pid, double min_seconds, double max_seconds);
void proc_print_usage(const struct usage *from, const struct usage *to, uint64_t messages);

/* plan.c: subjects, subscriptions and prebuilt blocks of the throughput rows. */
enum shape { SHAPE_SAME, SHAPE_WILD, SHAPE_MANY, SHAPE_EXACT };

struct plan {
	enum shape shape;
	unsigned pubs;
	unsigned subs;
	unsigned subjects;
	unsigned filters;
	size_t size;
};

struct block {
	char *data;
	size_t len;
	uint32_t msgs;
};

/* How a message looks to a subscriber: every one has the same length. */
struct frame {
	size_t len;
	size_t head_len;
	char tail[32]; /* end of the header line: " 128\r\n" */
	size_t tail_len;
};

void plan_make(struct plan *, const struct bench_args *);
void plan_block(const struct plan *, struct block *);
void plan_frame(const struct plan *, struct frame *);
void plan_subscribe(const struct plan *, const struct conn *, unsigned receiver);
uint64_t plan_share(const struct plan *, uint64_t published);

/* receiver.c: counts messages of one length by counting bytes, and looks at some of them. */
struct receiver {
	struct conn conn;
	struct frame frame;
	uint32_t cycle; /* messages per block where their index can be checked, else 0 */
	uint64_t bytes;
	uint64_t expected; /* messages; UINT64_MAX until the publishers stopped */
	uint64_t calls;
	uint64_t looked_at; /* messages whose header was verified */
	unsigned pings;     /* PING lines from the server among the messages */
};

void receiver_setup(struct receiver *, const struct plan *);
bool receiver_read(struct receiver *);

/* Commands. */
int flow_run(const struct bench_args *);
int request_run(const struct bench_args *);
int paced_run(const struct bench_args *);
int idle_run(const struct bench_args *);
int subs_run(const struct bench_args *);
int connect_run(const struct bench_args *);
int start_run(const struct bench_args *);

/* stream.c: messages one by one, for the rows that look at each. */
struct message {
	const char *reply; /* not terminated */
	size_t reply_len;
	const char *payload;
	size_t len;
};

struct stream {
	struct conn conn;
	char *data;
	size_t start;
	size_t end;
};

void stream_setup(struct stream *);
bool stream_fill(struct stream *);
bool stream_next(struct stream *, struct message *);

/* samples.c: latencies in ns. */
struct samples {
	uint32_t *ns;
	size_t count;
	size_t room;
};

void samples_setup(struct samples *, size_t room);
void samples_add(struct samples *, uint64_t ns);
void samples_print(struct samples *, const char *prefix);

#endif
