/*
 * Fair shares of new connections: who listens, by the numbers on the workers' counters pages; and rest when descriptors are out.
 */
#include <sys/resource.h>
#include <sys/socket.h>

#include <netinet/in.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/broker_net.h"
#include "tests/unit/worker_stubs.h"

enum { WORKERS = 4 };

struct place {
	struct worker worker;
	struct role role;
	struct counters counters;
};

static struct net *net;
static struct place *places;
static struct worker_config config;
static int listening_fd;
static unsigned lines; /* logged */

static void
count_line(enum log_level level, const char *text, size_t n)
{
	(void)level;
	(void)text;
	(void)n;
	lines++;
}

static int
setup(void **state)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct worker *worker;
	unsigned i, j;

	(void)state;
	net = net_create(WORKERS, (size_t)256 << 10);
	net_settle(net);
	places = memory_array(WORKERS, sizeof(*places));
	listening_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listening_fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listening_fd, 16), 0);
	for (i = 0; i < WORKERS; i++) {
		worker = &places[i].worker;
		worker->role = &places[i].role;
		worker->config = &config;
		worker->counters = places[i].role.counters = &places[i].counters;
		worker->mesh = net->nodes[i].mesh;
		worker->broker = net->nodes[i].broker;
		worker->loop = loop_create();
		worker->role->index = i;
		worker->role->workers = WORKERS;
		worker->role->listener_count = 1;
		worker->role->listeners[0].kind = LISTENER_CLIENT;
		worker->role->listeners[0].fd = dup(listening_fd);
		for (j = 0; j < WORKERS; j++)
			worker->role->all_counters[j] = &places[j].counters;
		accept_start(worker);
	}
	lines = 0;
	log_backend = count_line;
	return 0;
}

static int
teardown(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < WORKERS; i++) {
		accept_stop(&places[i].worker);
		assert_int_equal(places[i].role.listeners[0].fd, -1);
		loop_free(places[i].worker.loop);
	}
	(void)close(listening_fd);
	memory_free(places);
	net_free(net);
	log_backend = log_to_stderr;
	return 0;
}

static void
set(unsigned worker, uint64_t connections)
{
	COUNTERS_SET(&places[worker].counters, connections, connections);
}

static bool
listens(unsigned worker)
{
	accept_balance(&places[worker].worker);
	return places[worker].worker.listening;
}

static void
test_who_listens(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < WORKERS; i++)
		assert_true(listens(i));
	/* Two more than the least are fine, three are not. */
	set(0, 2);
	assert_true(listens(0));
	set(0, 3);
	assert_false(listens(0));
	assert_true(listens(1));
	set(1, 1);
	set(2, 1);
	assert_false(listens(0));
	set(3, 1);
	assert_true(listens(0));
	/* And one for each fifty that the least has. */
	for (i = 1; i < WORKERS; i++)
		set(i, 100);
	set(0, 104);
	assert_true(listens(0));
	set(0, 105);
	assert_false(listens(0));
}

static void
test_members_that_are_gone_do_not_count(void **state)
{
	(void)state;
	set(0, 50);
	set(1, 50);
	set(2, 50);
	assert_false(listens(0));
	net_node_down(net, 3);
	assert_true(listens(0));
	/* A page that is not there, and a worker alone. */
	places[0].role.all_counters[1] = places[0].role.all_counters[2] = NULL;
	set(0, 1000000);
	assert_true(listens(0));
}

static void
test_none_while_leaving(void **state)
{
	(void)state;
	places[0].worker.lame_duck = true;
	set(0, 1000);
	assert_true(listens(0)); /* not touched: accept_stop is what ends it */
	places[0].worker.lame_duck = false;
	places[1].worker.draining = true;
	set(1, 1000);
	assert_true(listens(1));
}

/* A thousand connections, each taken by the fullest of those that listen: still nearly even, and somebody always listens. */
static void
test_spread(void **state)
{
	unsigned i, w, taker;
	uint64_t counts[WORKERS] = { 0 };

	(void)state;
	for (i = 0; i < 1000; i++) {
		taker = WORKERS;
		for (w = 0; w < WORKERS; w++)
			if (listens(w) && (taker == WORKERS || counts[w] > counts[taker]))
				taker = w;
		assert_true(taker < WORKERS);
		set(taker, ++counts[taker]);
	}
	for (w = 0; w < WORKERS; w++)
		assert_in_range(counts[w], 225, 275);
}

static void
test_rests_without_descriptors(void **state)
{
	struct sockaddr_in address;
	socklen_t length = sizeof(address);
	struct worker *worker = &places[0].worker;
	struct rlimit limit, none;
	int client, copies[3], i;
	int64_t start;

	(void)state;
	assert_int_equal(getsockname(listening_fd, (struct sockaddr *)&address, &length), 0);
	client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof(address)), 0);
	for (i = 0; i < 3; i++)
		copies[i] = dup(client);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = (rlim_t)copies[2];
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	start = clock_monotonic();
	/* As the main loop does it: each turn ends with a look at the shares. */
	while (clock_monotonic() - start < 55 * LOOP_MILLISECOND) {
		assert_true(loop_wait(worker->loop, LOOP_MILLISECOND) >= 0);
		accept_balance(worker);
	}
	assert_in_range(lines, 1, 12);
	assert_int_equal(COUNTERS_GET(&places[0].counters, accept_paused), lines);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	/* Somebody else takes it, then all goes on. */
	assert_true((i = accept(listening_fd, NULL, NULL)) >= 0);
	(void)close(i);
	start = clock_monotonic();
	while (!worker->listening && clock_monotonic() - start < LOOP_SECOND)
		assert_true(loop_wait(worker->loop, LOOP_MILLISECOND) >= 0);
	assert_true(worker->listening);
	for (i = 0; i < 3; i++)
		(void)close(copies[i]);
	(void)close(client);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_who_listens),
		TEST(test_members_that_are_gone_do_not_count),
		TEST(test_none_while_leaving),
		TEST(test_spread),
		TEST(test_rests_without_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
