/*
 * panic.c: see panic.h.  The handler calls only what is safe in a signal handler; master's half trusts nothing in the page.
 */
#include "ipc/panic.h"

#include <sys/mman.h>

#include <execinfo.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/check.h"
#include "base/text.h"
#include "ipc/sandbox.h"
#include "ipc/seal.h"

#define STACK_SIZE 65536

struct panic_context panic_context;

static struct panic_page *page;
static _Alignas(16) uint8_t handler_stack[STACK_SIZE];

extern const char __executable_start; /* put there by the linker */
extern const char etext;

static void
copy_text(char *to, size_t size, const char *from, size_t length)
{
	if (length >= size)
		length = size - 1;
	if (from != NULL && length > 0)
		memcpy(to, from, length);
	to[from != NULL ? length : 0] = '\0';
}

/* Bytes that may hold a CONNECT stay out of the record: they may hold a password. */
static bool
may_hold_secret(const uint8_t *message, size_t length)
{
	static const char word[] = "connect";
	const size_t n = sizeof(word) - 1;

	for (size_t at = 0; at + n <= length; at++)
		if (strncasecmp((const char *)message + at, word, n) == 0)
			return true;
	return false;
}

static void
record_frames(void)
{
	void *frames[48];
	int count = backtrace(frames, 48);

	page->frames = count < 0 ? 0 : (uint32_t)count;
	for (uint32_t i = 0; i < page->frames; i++) {
		uint64_t address = (uint64_t)(uintptr_t)frames[i];
		uint64_t start = (uint64_t)(uintptr_t)&__executable_start;

		if (address >= start && address < (uint64_t)(uintptr_t)&etext)
			address -= start;
		page->frame[i] = address;
	}
}

/* In order of risk: what cannot fail is in the page before pointers of the broken program are followed. */
static void
panic_handler(int number, siginfo_t *info, void *context)
{
	uint32_t length = panic_context.message_length;

	(void)context;
	page->signal_number = (uint32_t)number;
	page->address = number == SIGABRT ? 0 : (uint64_t)(uintptr_t)info->si_addr;
	page->message_length = 0;
	atomic_signal_fence(memory_order_seq_cst);
	page->magic = PANIC_MAGIC;
	record_frames();
	if (panic_context.label != NULL)
		copy_text(page->label, sizeof(page->label), panic_context.label, strnlen(panic_context.label, sizeof(page->label)));
	copy_text(page->subject, sizeof(page->subject), panic_context.subject, panic_context.subject_length);
	if (length > sizeof(page->message))
		length = sizeof(page->message);
	if (panic_context.message != NULL && !may_hold_secret(panic_context.message, length)) {
		memcpy(page->message, panic_context.message, length);
		page->message_length = length;
	}
	raise(number);
}

static void
panic_check(const char *text)
{
	copy_text(page->text, sizeof(page->text), text, strlen(text));
}

int
panic_create(void)
{
	return seal_create("natsd-panic", PANIC_SIZE);
}

struct panic_page *
panic_map(int fd)
{
	void *at = mmap(NULL, PANIC_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return at == MAP_FAILED ? NULL : at;
}

void
panic_install(struct panic_page *new_page)
{
#ifdef NATSD_SANITIZED
	static const int numbers[] = { SIGABRT }; /* the sanitizer tells more about the others */
#else
	static const int numbers[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL };
#endif
	struct sigaction action = { .sa_flags = (int)(SA_SIGINFO | SA_ONSTACK | SA_RESETHAND) };
	stack_t stack = { .ss_sp = handler_stack, .ss_size = sizeof(handler_stack) };
	void *frame;

	CHECK(new_page != NULL);
	page = new_page;
	memset(page, 0, sizeof(*page));
	check_panic = panic_check;
	backtrace(&frame, 1); /* loads its library now */
	sigaltstack(&stack, NULL);
	action.sa_sigaction = panic_handler;
	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		sigaction(numbers[i], &action, NULL);
}

struct report {
	void (*line)(void *arg, const char *text);
	void *arg;
};

static void
report_text(const struct report *report, const char *what, const void *text, size_t length)
{
	char escaped[2048], line[2200];

	if (length == 0)
		return;
	text_escape(escaped, sizeof(escaped), text, length);
	snprintf(line, sizeof(line), "panic record: %s %s", what, escaped);
	report->line(report->arg, line);
}

static void
report_frames(const struct report *report, const struct panic_page *copy)
{
	char line[1200];
	size_t at = 0;
	uint32_t frames = copy->frames;

	if (frames > sizeof(copy->frame) / sizeof(copy->frame[0]))
		frames = 0;
	for (uint32_t i = 0; i < frames && at < sizeof(line) - 24; i++)
		at += (size_t)snprintf(line + at, sizeof(line) - at, " %#llx", (unsigned long long)copy->frame[i]);
	if (at > 0)
		report_text(report, "backtrace", line + 1, at - 1);
}

bool
panic_report(struct panic_page *shared, void (*line)(void *arg, const char *text), void *arg)
{
	const struct report report = { line, arg };
	struct panic_page copy;
	char text[128];

	CHECK(shared != NULL && line != NULL);
	memcpy(&copy, shared, sizeof(copy));
	memset(shared, 0, sizeof(*shared));
	if (copy.magic != PANIC_MAGIC)
		return false;
	if (copy.message_length > sizeof(copy.message))
		copy.message_length = 0;
	snprintf(text, sizeof(text), "%s at %#llx", copy.signal_number < 64 ? strsignal((int)copy.signal_number) : "signal",
	    (unsigned long long)copy.address);
	report_text(&report, "signal", text, strlen(text));
	report_text(&report, "reason", copy.text, strnlen(copy.text, sizeof(copy.text)));
	report_text(&report, "connection", copy.label, strnlen(copy.label, sizeof(copy.label)));
	report_text(&report, "subject", copy.subject, strnlen(copy.subject, sizeof(copy.subject)));
	report_text(&report, "message", copy.message, copy.message_length > 256 ? 256 : copy.message_length);
	report_frames(&report, &copy);
	return true;
}
