/*
 * authd_helper.h: what authd's main.c provides, for its unit tests: workers that are only the other ends of channels, and a way to
 * read what they were told.
 */
#ifndef TESTS_AUTHD_HELPER_H
#define TESTS_AUTHD_HELPER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "master/authd/authd.h"

#define HELPER_WORKERS 3

struct authd authd;
static struct role helper_role;
static struct counters helper_counters;
static struct channel helper_worker[HELPER_WORKERS];
static struct channel_frame helper_frame;

struct channel *
authd_channel(unsigned worker)
{
	struct channel *channel = &helper_role.workers_channel[worker];

	return worker < HELPER_WORKERS && channel->magic == CHANNEL_MAGIC && channel->fd >= 0 ? channel : NULL;
}

void
authd_watch(unsigned worker)
{
	assert_true(worker < HELPER_WORKERS);
}

static void
helper_connect(unsigned worker)
{
	int fds[2];

	assert_true(channel_pair(fds));
	channel_init(&helper_role.workers_channel[worker], fds[0], ROLE_AUTHD, ROLE_WORKER);
	channel_init(&helper_worker[worker], fds[1], ROLE_WORKER, ROLE_AUTHD);
}

static int
helper_setup(void **state)
{
	(void)state;
	authd.role = &helper_role;
	helper_role.counters = &helper_counters;
	for (unsigned i = 0; i < HELPER_WORKERS; i++) {
		helper_connect(i);
		permissions_worker_new(i);
		accounts_worker_new(i);
	}
	return 0;
}

static int
helper_teardown(void **state)
{
	(void)state;
	for (unsigned i = 0; i < HELPER_WORKERS; i++) {
		passwords_cancel_worker(i);
		channel_close(&helper_role.workers_channel[i]);
		channel_close(&helper_worker[i]);
	}
	return 0;
}

/* The next frame a worker got of this type; others are passed over. False: none. */
static inline bool
helper_heard(unsigned worker, enum message_type type)
{
	while (channel_receive(&helper_worker[worker], &helper_frame) == CHANNEL_FRAME)
		if (helper_frame.type == type)
			return true;
	return false;
}

/* Forgets all that was said so far. */
static inline void
helper_forget(void)
{
	for (unsigned i = 0; i < HELPER_WORKERS; i++)
		while (channel_receive(&helper_worker[i], &helper_frame) == CHANNEL_FRAME)
			;
}

static inline struct message_text
helper_text(const char *text)
{
	return message_text(text == NULL ? "" : text);
}

#endif
