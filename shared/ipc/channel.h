/*
 * channel.h: typed frames of at most 16 KiB over a Unix SOCK_SEQPACKET pair, between two of our own processes.
 *
 * Used by master and every role, never on the path of a message.  The two ends have a role each, given by whoever made the
 * pair; what a frame says about itself is checked against messages.def by those roles.  Never blocks: a slow peer's frames
 * wait in a bounded queue with two marks.  Never interprets bodies.
 * A frame on the wire: u16 type, u16 zero, u32 hash of messages.def, body.
 */
#ifndef IPC_CHANNEL_H
#define IPC_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "ipc/messages.h"

#define CHANNEL_FRAME_MAX 16384
#define CHANNEL_HEADER 8
#define CHANNEL_BODY_MAX (CHANNEL_FRAME_MAX - CHANNEL_HEADER)
#define CHANNEL_FDS_MAX 16
#define CHANNEL_QUEUE_HIGH (1024 * 1024)    /* congested from here ... */
#define CHANNEL_QUEUE_LOW (128 * 1024)      /* ... until below here */
#define CHANNEL_QUEUE_MAX (8 * 1024 * 1024) /* more than this is a dead peer */
#define CHANNEL_MAGIC 0x4348414eu

struct channel_queued;

struct channel {
	uint32_t magic;
	int fd; /* -1 once closed */
	enum role_kind self, peer;
	bool congested;
	bool broken; /* the peer is gone or broke a rule; nothing more is sent or received */
	bool gone;   /* broken because the peer is gone */
	size_t queued_bytes;
	STAILQ_HEAD(channel_queue, channel_queued) queue;
	char reason[128]; /* why it is broken */
};

struct channel_frame {
	uint16_t type;
	uint16_t nfds;
	uint32_t length;          /* of body */
	int fds[CHANNEL_FDS_MAX]; /* the caller's from here on: take one by setting it to -1, then channel_frame_close */
	uint8_t body[CHANNEL_BODY_MAX] __attribute__((aligned(8)));
};

enum channel_result { CHANNEL_FRAME, CHANNEL_EMPTY, CHANNEL_CLOSED, CHANNEL_VIOLATION };

/* Takes over fd (made non-blocking, close-on-exec). */
void channel_init(struct channel *channel, int fd, enum role_kind self, enum role_kind peer);

/* A connected pair, both ends non-blocking and close-on-exec.  False with errno. */
bool channel_pair(int fds[2]);

/*
 * Sends, or queues behind what waits.  The descriptors stay the caller's (queued frames keep duplicates).  False: the peer is
 * gone or its queue is full, and channel->broken says so.  A type that self may not send is a failed CHECK.
 */
bool channel_send(struct channel *channel, unsigned type, const void *body, size_t length, const int *fds, unsigned nfds);

/* Sends what waits; call it when the descriptor is writable.  False: the peer is gone. */
bool channel_flush(struct channel *channel);

/* Is there anything waiting to be sent (so that the loop must watch for LOOP_WRITE)? */
bool channel_waiting(const struct channel *channel);

/*
 * The next frame.  CHANNEL_VIOLATION: the peer sent what messages.def does not allow it to (channel->reason): the caller
 * ends the less trusted end.  CHANNEL_CLOSED: end of file.  Descriptors of refused frames are closed.
 */
enum channel_result channel_receive(struct channel *channel, struct channel_frame *frame);

/* Closes the descriptors of a frame that nobody took. */
void channel_frame_close(struct channel_frame *frame);

/* Closes the descriptor and drops the queue.  The struct may be initialised again. */
void channel_close(struct channel *channel);

#endif
