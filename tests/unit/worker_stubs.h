/*
 * What worker/main.c gives to the other files of the worker, for tests that are linked with those but not with main().
 */
#ifndef TESTS_UNIT_WORKER_STUBS_H
#define TESTS_UNIT_WORKER_STUBS_H

#include <stdlib.h>

#include "worker/worker.h"

void
worker_awake(struct worker *worker)
{
	(void)worker;
}

void
worker_open(struct worker *worker)
{
	(void)worker;
}

void
worker_commit(struct worker *worker)
{
	(void)worker;
}

void
worker_drain(struct worker *worker)
{
	(void)worker;
}

_Noreturn void
worker_finish(struct worker *worker)
{
	(void)worker;
	abort();
}

#endif
