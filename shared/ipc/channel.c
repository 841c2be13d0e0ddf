/*
 * channel.c: see channel.h.  Owns the descriptor and the queue of a struct channel; called from one thread.
 */
#include "ipc/channel.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/memory.h"

/* A frame that waits for the peer to read; its descriptors are duplicates. */
struct channel_queued {
	STAILQ_ENTRY(channel_queued) next;
	unsigned nfds;
	int fds[CHANNEL_FDS_MAX];
	size_t length;
	uint8_t bytes[];
};

union control {
	struct cmsghdr header;
	uint8_t room[CMSG_SPACE(sizeof(int) * CHANNEL_FDS_MAX)];
};

__attribute__((format(printf, 2, 3))) static void
channel_break(struct channel *channel, const char *format, ...)
{
	va_list arguments;

	if (channel->broken)
		return;
	channel->broken = true;
	va_start(arguments, format);
	vsnprintf(channel->reason, sizeof(channel->reason), format, arguments);
	va_end(arguments);
}

/* A system call failed, or (0) the end of file came. */
static void
channel_lost(struct channel *channel, int number)
{
	channel->gone = !channel->broken && (number == 0 || number == EPIPE || number == ECONNRESET);
	channel_break(channel, "%s", number == 0 ? "end of file" : strerror(number));
}

void
channel_init(struct channel *channel, int fd, enum role_kind self, enum role_kind peer)
{
	CHECK(fd >= 0);
	CHECK(self < ROLE_KINDS && peer < ROLE_KINDS && self != peer);
	memset(channel, 0, sizeof(*channel));
	channel->magic = CHANNEL_MAGIC;
	channel->fd = fd;
	channel->self = self;
	channel->peer = peer;
	STAILQ_INIT(&channel->queue);
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) != 0)
		channel_break(channel, "descriptor: %s", strerror(errno));
}

bool
channel_pair(int fds[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0;
}

static void
channel_header(uint8_t header[CHANNEL_HEADER], unsigned type)
{
	struct bytes_writer w;

	bytes_writer_init(&w, header, CHANNEL_HEADER);
	bytes_put_u16(&w, (uint16_t)type);
	bytes_put_u16(&w, 0);
	bytes_put_u32(&w, message_table_hash());
	CHECK(!w.failed && bytes_written(&w) == CHANNEL_HEADER);
}

/* One sendmsg: true, or false with errno. */
static bool
channel_write(struct channel *channel, struct iovec *pieces, size_t count, const int *fds, unsigned nfds)
{
	struct msghdr message = { .msg_iov = pieces, .msg_iovlen = count };
	union control control;
	ssize_t sent;

	CHECK(nfds <= CHANNEL_FDS_MAX);
	if (nfds > 0) {
		memset(&control, 0, sizeof(control));
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int) * nfds);
		memcpy(CMSG_DATA(&control.header), fds, sizeof(int) * nfds);
	}
	do
		sent = sendmsg(channel->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	return sent >= 0;
}

static void
queued_free(struct channel_queued *queued)
{
	for (unsigned i = 0; i < queued->nfds; i++)
		close(queued->fds[i]);
	explicit_bzero(queued->bytes, queued->length);
	memory_free(queued);
}

static bool
channel_enqueue(struct channel *channel, const struct iovec *pieces, const int *fds, unsigned nfds)
{
	size_t length = pieces[0].iov_len + pieces[1].iov_len;
	struct channel_queued *queued;

	CHECK(length <= CHANNEL_FRAME_MAX);
	if (channel->queued_bytes + length > CHANNEL_QUEUE_MAX) {
		channel_break(channel, "%s does not read its channel", role_name(channel->peer));
		return false;
	}
	queued = memory_zalloc(sizeof(*queued) + length);
	if (queued == NULL) {
		channel_break(channel, "out of memory");
		return false;
	}
	queued->length = length;
	memcpy(queued->bytes, pieces[0].iov_base, pieces[0].iov_len);
	if (pieces[1].iov_len > 0)
		memcpy(queued->bytes + pieces[0].iov_len, pieces[1].iov_base, pieces[1].iov_len);
	for (; queued->nfds < nfds; queued->nfds++) {
		queued->fds[queued->nfds] = fcntl(fds[queued->nfds], F_DUPFD_CLOEXEC, 0);
		if (queued->fds[queued->nfds] < 0) {
			channel_break(channel, "descriptor: %s", strerror(errno));
			queued_free(queued);
			return false;
		}
	}
	STAILQ_INSERT_TAIL(&channel->queue, queued, next);
	channel->queued_bytes += length;
	if (channel->queued_bytes > CHANNEL_QUEUE_HIGH)
		channel->congested = true;
	return true;
}

bool
channel_send(struct channel *channel, unsigned type, const void *body, size_t length, const int *fds, unsigned nfds)
{
	uint8_t header[CHANNEL_HEADER];
	struct iovec pieces[2];

	CHECK_OBJ(channel, CHANNEL_MAGIC);
	CHECK(message_allowed(type, channel->self, channel->peer, nfds));
	CHECK(length <= CHANNEL_BODY_MAX);
	if (channel->broken)
		return false;
	channel_header(header, type);
	pieces[0] = (struct iovec){ header, sizeof(header) };
	pieces[1] = (struct iovec){ (void *)(uintptr_t)body, length };
	if (STAILQ_EMPTY(&channel->queue)) {
		if (channel_write(channel, pieces, 2, fds, nfds))
			return true;
		if (errno != EAGAIN) {
			channel_lost(channel, errno);
			return false;
		}
	}
	return channel_enqueue(channel, pieces, fds, nfds);
}

bool
channel_flush(struct channel *channel)
{
	struct channel_queued *queued;

	CHECK_OBJ(channel, CHANNEL_MAGIC);
	while (!channel->broken && (queued = STAILQ_FIRST(&channel->queue)) != NULL) {
		struct iovec piece = { queued->bytes, queued->length };

		if (!channel_write(channel, &piece, 1, queued->fds, queued->nfds)) {
			if (errno == EAGAIN)
				break;
			channel_lost(channel, errno);
			return false;
		}
		STAILQ_REMOVE_HEAD(&channel->queue, next);
		CHECK(channel->queued_bytes >= queued->length);
		channel->queued_bytes -= queued->length;
		queued_free(queued);
	}
	if (channel->queued_bytes < CHANNEL_QUEUE_LOW)
		channel->congested = false;
	return !channel->broken;
}

bool
channel_waiting(const struct channel *channel)
{
	CHECK_OBJ(channel, CHANNEL_MAGIC);
	return !channel->broken && !STAILQ_EMPTY(&channel->queue);
}

/* Takes the descriptors out of the control data; those beyond what a frame holds are closed. False: something else was in it. */
static bool
channel_take_fds(const struct msghdr *message, struct channel_frame *frame)
{
	bool good = (message->msg_flags & MSG_CTRUNC) == 0;

	frame->nfds = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR((struct msghdr *)(uintptr_t)message, c)) {
		size_t count;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || c->cmsg_len < CMSG_LEN(0)) {
			good = false;
			continue;
		}
		count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (frame->nfds < CHANNEL_FDS_MAX)
				frame->fds[frame->nfds++] = fd;
			else {
				close(fd);
				good = false;
			}
		}
	}
	return good;
}

/* Is what came a frame that this peer may send? */
static bool
channel_accept(struct channel *channel, const uint8_t header[CHANNEL_HEADER], size_t length, int flags, struct channel_frame *frame)
{
	struct bytes_reader r;
	uint16_t zero;
	uint32_t hash;

	if ((flags & MSG_TRUNC) != 0 || length < CHANNEL_HEADER) {
		channel_break(channel, "frame of a wrong size");
		return false;
	}
	bytes_reader_init(&r, header, CHANNEL_HEADER);
	frame->type = bytes_u16(&r);
	zero = bytes_u16(&r);
	hash = bytes_u32(&r);
	CHECK(bytes_done(&r));
	frame->length = (uint32_t)(length - CHANNEL_HEADER);
	if (hash != message_table_hash() || zero != 0) {
		channel_break(channel, "%s is of another build: its table of messages differs", role_name(channel->peer));
		return false;
	}
	if (!message_allowed(frame->type, channel->peer, channel->self, frame->nfds)) {
		channel_break(channel, "%s may not send message %u (%s) with %u descriptors to %s", role_name(channel->peer),
		    frame->type, message_type_name(frame->type), frame->nfds, role_name(channel->self));
		return false;
	}
	return true;
}

enum channel_result
channel_receive(struct channel *channel, struct channel_frame *frame)
{
	uint8_t header[CHANNEL_HEADER];
	struct iovec pieces[2] = { { header, sizeof(header) }, { frame->body, sizeof(frame->body) } };
	union control control;
	struct msghdr message = { .msg_iov = pieces, .msg_iovlen = 2, .msg_control = &control, .msg_controllen = sizeof(control) };
	ssize_t received;
	bool good;

	CHECK_OBJ(channel, CHANNEL_MAGIC);
	frame->type = 0;
	frame->nfds = 0;
	frame->length = 0;
	if (channel->broken)
		return CHANNEL_CLOSED;
	do
		received = recvmsg(channel->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (received < 0 && errno == EINTR);
	if (received < 0 && errno == EAGAIN)
		return CHANNEL_EMPTY;
	if (received <= 0) {
		channel_lost(channel, received == 0 ? 0 : errno);
		return CHANNEL_CLOSED;
	}
	good = channel_take_fds(&message, frame);
	if (good && channel_accept(channel, header, (size_t)received, message.msg_flags, frame))
		return CHANNEL_FRAME;
	channel_break(channel, "%s sent odd control data", role_name(channel->peer));
	channel_frame_close(frame);
	return CHANNEL_VIOLATION;
}

void
channel_frame_close(struct channel_frame *frame)
{
	CHECK(frame->nfds <= CHANNEL_FDS_MAX);
	for (unsigned i = 0; i < frame->nfds; i++)
		if (frame->fds[i] >= 0)
			close(frame->fds[i]);
	frame->nfds = 0;
}

void
channel_close(struct channel *channel)
{
	struct channel_queued *queued;

	CHECK_OBJ(channel, CHANNEL_MAGIC);
	while ((queued = STAILQ_FIRST(&channel->queue)) != NULL) {
		STAILQ_REMOVE_HEAD(&channel->queue, next);
		queued_free(queued);
	}
	channel->queued_bytes = 0;
	if (channel->fd >= 0)
		close(channel->fd);
	channel->fd = -1;
	channel->broken = true;
	if (channel->reason[0] == '\0')
		snprintf(channel->reason, sizeof(channel->reason), "closed");
}
