/*
 * panic.h: the story a crashing process leaves in its panic page, which only it and master map.
 *
 * panic_install once (role_start does), panic_context as it works: pointers that are looked at only in a crash, so setting them
 * costs a store each.  Signals: SEGV, BUS, ABRT, FPE, ILL; a failed CHECK comes here first.  The handler writes the page and lets
 * the process die.
 */
#ifndef IPC_PANIC_H
#define IPC_PANIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PANIC_SIZE 8192

/* What the process is busy with. All may be NULL. label: NUL-ended. */
struct panic_context {
	const char *label; /* the connection */
	const char *subject;
	uint32_t subject_length;
	const uint8_t *message; /* the bytes being worked on */
	uint32_t message_length;
};

extern struct panic_context panic_context;

/* The page as it lies in shared memory; a file format: master checks every field. */
struct panic_page {
	_Alignas(8) uint32_t magic; /* PANIC_MAGIC once complete, written last */
	uint32_t signal_number;
	uint64_t address; /* of the fault */
	char text[256];   /* failed check, or "" */
	char label[256];
	char subject[512];
	uint8_t message[1024];
	uint32_t message_length;
	uint32_t frames;
	uint64_t frame[48]; /* return addresses, relative to the start of the program */
};

#define PANIC_MAGIC 0x50414e43u
_Static_assert(sizeof(struct panic_page) <= PANIC_SIZE, "the panic record must fit into its pages");

/* Master: a new page: one descriptor. -1 with errno. */
int panic_create(void);

/* Maps it; the descriptor stays open. NULL with errno. */
struct panic_page *panic_map(int fd);

/* The child: handlers and check_panic write into this page from now on. */
void panic_install(struct panic_page *page);

/* Master: lines for the log, one call per line, from a page of a dead child; false when there is no record. Clears it. */
bool panic_report(struct panic_page *page, void (*line)(void *arg, const char *text), void *arg);

#endif
