/*
 * Fuzz target: the JSON of CONNECT and INFO as clients send them.  A refused document changes nothing, texts survive the move into
 * one block, the redacted trace text never shows the password that was read.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "wire/connect.h"

#define DOCUMENT_MAX 4096
#define ARENA_MAX (1U << 20)

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check_text(const struct nats_text *before, const struct nats_text *after)
{
	CHECK(before->length == after->length);
	CHECK((before->at == NULL) == (after->at == NULL));
	if (before->at == NULL)
		return;
	CHECK(memcmp(before->at, after->at, before->length) == 0);
	CHECK(after->at[after->length] == '\0');
}

static void
check_move(const struct nats_connect *connect)
{
	size_t size = nats_connect_text_size(connect);
	struct nats_connect moved = *connect;
	char *block = malloc(size + 1);

	CHECK(block != NULL);
	nats_connect_move(&moved, block, size);
	check_text(&connect->user, &moved.user);
	check_text(&connect->pass, &moved.pass);
	check_text(&connect->name, &moved.name);
	check_text(&connect->jwt, &moved.jwt);
	check_text(&connect->proxy_sig, &moved.proxy_sig);
	free(block);
}

/* A password of letters and digits that stands once in the document does not stand in the redacted text. */
static void
check_redacted(const struct nats_connect *connect, const char *document, size_t n)
{
	static char out[2 * DOCUMENT_MAX];
	const struct nats_text *pass = &connect->pass;
	size_t length = nats_connect_redact(document, n, out, sizeof(out));
	const char *first;

	CHECK(length <= sizeof(out));
	if (pass->length < 16)
		return;
	for (uint32_t i = 0; i < pass->length; i++)
		if ((pass->at[i] | 0x20) < 'a' || (pass->at[i] | 0x20) > 'z')
			return;
	first = memmem(document, n, pass->at, pass->length);
	if (first == NULL || memmem(first + 1, n - (size_t)(first + 1 - document), pass->at, pass->length) != NULL)
		return;
	CHECK(memmem(out, length, pass->at, pass->length) == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nats_connect connect, before;
	struct arena *arena;
	char error[128];

	if (size > DOCUMENT_MAX)
		return 0;
	arena = arena_create(ARENA_MAX);
	CHECK(arena != NULL);
	nats_connect_init(&connect);
	before = connect;
	if (nats_connect_parse(arena, (const char *)data, size, &connect, error, sizeof(error)))
		check_move(&connect);
	else
		CHECK(memcmp(&before, &connect, sizeof(connect)) == 0 && error[0] != '\0');
	check_redacted(&connect, (const char *)data, size);
	(void)nats_info_valid(arena, (const char *)data, size);
	arena_free(arena);
	return 0;
}
