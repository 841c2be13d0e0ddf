/*
 * What waits to be written to one connection, see output.h. Part headers come from a free list,
 * blobs from theirs: writing a message allocates nothing once the process is warm.
 */
#include "output.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <string.h>

#include "base/memory.h"

enum {
	OUTPUT_SHORT_SIZE = 512 - sizeof(struct blob),
	OUTPUT_FIRST_SIZE = 2048 - sizeof(struct blob),
	OUTPUT_LARGEST_SIZE = 65536 - sizeof(struct blob),
	OUTPUT_VECTORS = 64,
	OUTPUT_SPARE_MAX = 4096
};

static struct output_part *output_spare;
static unsigned output_spares;

static struct output_part *
output_part_create(void)
{
	struct output_part *part = output_spare;

	if (part == NULL)
		return memory_alloc(sizeof(*part));
	output_spare = part->next;
	output_spares--;
	return part;
}

static void
output_part_free(struct output_part *part)
{
	blob_release(part->blob);
	if (output_spares >= OUTPUT_SPARE_MAX) {
		memory_free(part);
		return;
	}
	part->next = output_spare;
	output_spare = part;
	output_spares++;
}

static void
output_link(struct output *output, struct output_part *part)
{
	part->next = NULL;
	if (output->last != NULL)
		output->last->next = part;
	else
		output->first = part;
	output->last = part;
}

/*
 * Behind a stretch that is full comes one of twice its size. Behind a reference only a line end and the next message's line are
 * sure to come: with a large stretch there, a receiver of 5 KiB messages that falls behind would cost 64 KiB for each.
 */
static size_t
output_next_size(const struct output_part *last)
{
	size_t size;

	if (last == NULL)
		return OUTPUT_FIRST_SIZE;
	if (!last->appendable)
		return OUTPUT_SHORT_SIZE;
	size = last->blob->capacity * (size_t)2 + sizeof(struct blob);
	return size < OUTPUT_LARGEST_SIZE ? size : OUTPUT_LARGEST_SIZE;
}

bool
output_extend(struct output *output, size_t n)
{
	struct output_part *part;
	size_t size = output_next_size(output->last);

	if (size < n)
		size = n;
	if ((part = output_part_create()) == NULL)
		return false;
	if ((part->blob = blob_create(size)) == NULL) {
		output_part_free(part);
		return false;
	}
	part->start = part->end = 0;
	part->appendable = true;
	output_link(output, part);
	return true;
}

bool
output_reference(struct output *output, struct blob *blob, uint32_t start, uint32_t length)
{
	struct output_part *part;

	CHECK(start <= blob->capacity);
	CHECK(length <= blob->capacity - start);
	if ((part = output_part_create()) == NULL)
		return false;
	part->blob = blob_hold(blob);
	part->start = start;
	part->end = start + length;
	part->appendable = false;
	output_link(output, part);
	output->pending += length;
	return true;
}

bool
output_copy(struct output *output, const void *data, size_t n)
{
	const uint8_t *from = data;
	uint8_t *to;
	size_t piece;

	while (n > 0) {
		piece = n < OUTPUT_RESERVE_MAX ? n : OUTPUT_RESERVE_MAX;
		if ((to = output_reserve(output, piece)) == NULL)
			return false;
		memcpy(to, from, piece);
		output_advance(output, piece);
		from += piece;
		n -= piece;
	}
	return true;
}

/* n bytes went out: drop the parts that are through. */
static void
output_consume(struct output *output, size_t n)
{
	struct output_part *part;
	size_t left;

	CHECK(n <= output->pending);
	output->pending -= n;
	while ((part = output->first) != NULL) {
		left = part->end - part->start;
		if (n < left) {
			part->start += (uint32_t)n;
			return;
		}
		n -= left;
		output->first = part->next;
		if (output->first == NULL)
			output->last = NULL;
		output_part_free(part);
	}
	CHECK(n == 0);
}

static size_t
output_gather(const struct output *output, struct iovec *vectors, size_t *bytes)
{
	const struct output_part *part;
	size_t count = 0;

	*bytes = 0;
	for (part = output->first; part != NULL && count < OUTPUT_VECTORS; part = part->next) {
		vectors[count].iov_base = part->blob->data + part->start;
		vectors[count].iov_len = part->end - part->start;
		*bytes += vectors[count].iov_len;
		count++;
	}
	return count;
}

enum output_result
output_write(struct output *output, int fd, size_t *written)
{
	struct iovec vectors[OUTPUT_VECTORS];
	struct msghdr message;
	size_t count, bytes;
	ssize_t n;

	*written = 0;
	while (output->pending > 0) {
		count = output_gather(output, vectors, &bytes);
		CHECK(count > 0);
		if (count == 1)
			n = send(fd, vectors[0].iov_base, vectors[0].iov_len, MSG_NOSIGNAL | MSG_DONTWAIT);
		else {
			memset(&message, 0, sizeof(message));
			message.msg_iov = vectors;
			message.msg_iovlen = count;
			n = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
		}
		if (n < 0) {
			if (errno == EINTR)
				continue;
			return errno == EAGAIN || errno == EWOULDBLOCK ? OUTPUT_BLOCKED : OUTPUT_FAILED;
		}
		CHECK((size_t)n <= bytes);
		*written += (size_t)n;
		output_consume(output, (size_t)n);
		if ((size_t)n < bytes)
			return OUTPUT_BLOCKED;
	}
	if (output->first != NULL)
		output_consume(output, 0);
	return OUTPUT_DONE;
}

void
output_clear(struct output *output)
{
	struct output_part *part;

	while ((part = output->first) != NULL) {
		output->first = part->next;
		output_part_free(part);
	}
	output->last = NULL;
	output->pending = 0;
}

void
output_trim(void)
{
	struct output_part *part;

	while ((part = output_spare) != NULL) {
		output_spare = part->next;
		memory_free(part);
	}
	output_spares = 0;
}

unsigned
output_parts(const struct output *output)
{
	const struct output_part *part;
	unsigned count = 0;

	for (part = output->first; part != NULL; part = part->next)
		count++;
	return count;
}
