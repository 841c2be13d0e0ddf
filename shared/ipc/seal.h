/*
 * seal.h: memfds that cannot change their size any more, the only kind of memory our processes share outside of the rings.
 */
#ifndef IPC_SEAL_H
#define IPC_SEAL_H

#include <stdbool.h>
#include <stddef.h>

/* A zeroed memfd of that size, sealed against growing, shrinking and further seals; not executable. -1 with errno. */
int seal_create(const char *name, size_t size);

/* The same with contents, sealed against writing too. -1 with errno. */
int seal_create_with(const char *name, const void *data, size_t size);

/* A second, read-only descriptor of a memfd (needs /proc). -1 with errno. */
int seal_reopen(int fd);

/* Is it a memfd that nobody can write, shrink or grow; its size. */
bool seal_is_constant(int fd, size_t *size);

#endif
