/*
 * Master's side of the mesh: makes the shared memory and the bells, and sorts the descriptors for each member.
 * Called by master only, at start and when a member is restarted.  Keeps no memory mapped and nothing writable.
 */
#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/check.h"
#include "ipc/mesh.h"
#include "ipc/mesh_private.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* Linux 6.3 */
#endif

static void
close_one(int *descriptor)
{
	int saved = errno;

	if (*descriptor != -1)
		(void)close(*descriptor);
	*descriptor = -1;
	errno = saved;
}

size_t
mesh_ring_size(unsigned members)
{
	size_t rings = (size_t)members * (members > 1 ? members - 1 : 1);
	size_t size = MESH_RING_SIZE_MAX;

	CHECK(members >= 1 && members <= MESH_MEMBERS_MAX);
	while (size > MESH_RING_SIZE_MIN && size * rings > MESH_RINGS_BUDGET)
		size /= 2;
	CHECK(ring_size_valid(size));
	return size;
}

/* The same file or pipe with another open description: rights and flags of its own. */
static int
reopen(int descriptor, int flags)
{
	char path[32];
	int n = snprintf(path, sizeof(path), "/proc/self/fd/%d", descriptor);

	CHECK(n > 0 && (size_t)n < sizeof(path));
	return open(path, flags | O_CLOEXEC);
}

/*
 * Sealed memory of a fixed size.  The mode lets its owner reopen it for reading only, so that who gets the read-only descriptor
 * cannot make it a writable one.
 */
static int
create_memory(const char *name, size_t size, int *rw, int *ro)
{
	*ro = -1;
	*rw = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
	if (*rw == -1 && errno == EINVAL)
		*rw = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (*rw == -1)
		return -1;
	if (ftruncate(*rw, (off_t)size) == 0 && fchmod(*rw, 0400) == 0 &&
	    fcntl(*rw, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0 && (*ro = reopen(*rw, O_RDONLY)) != -1)
		return 0;
	close_one(rw);
	return -1;
}

int
mesh_create_member(struct mesh_member *member)
{
	int ends[2];

	*member = (struct mesh_member){ -1, -1, -1, -1 };
	if (create_memory("natsd-mesh", MESH_CONTROL_SIZE, &member->control_rw, &member->control_ro) == -1)
		return -1;
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) == -1) {
		mesh_close_member(member);
		return -1;
	}
	member->bell_read = ends[0];
	member->bell_write = ends[1];
	/* One page is enough: a full pipe is a bell that rings. */
	(void)fcntl(member->bell_write, F_SETPIPE_SZ, 4096);
	return 0;
}

void
mesh_close_member(struct mesh_member *member)
{
	close_one(&member->control_rw);
	close_one(&member->control_ro);
	close_one(&member->bell_read);
	close_one(&member->bell_write);
}

void
mesh_take_own(struct mesh_member *member, struct mesh_own *own)
{
	CHECK(member->control_rw != -1 && member->bell_read != -1);
	own->control = member->control_rw;
	own->bell = member->bell_read;
	member->control_rw = member->bell_read = -1;
}

void
mesh_close_own(struct mesh_own *own)
{
	close_one(&own->control);
	close_one(&own->bell);
}

void
mesh_close_link(struct mesh_link *link)
{
	close_one(&link->control);
	close_one(&link->bell);
	close_one(&link->out);
	close_one(&link->in);
}

/* The part of a link that belongs to the peer itself. */
static int
open_peer(const struct mesh_member *peer, struct mesh_link *link)
{
	if ((link->control = reopen(peer->control_ro, O_RDONLY)) == -1)
		return -1;
	return (link->bell = reopen(peer->bell_write, O_WRONLY | O_NONBLOCK)) == -1 ? -1 : 0;
}

int
mesh_create_link(
    const struct mesh_member *a, const struct mesh_member *b, size_t ring_size, struct mesh_link *for_a, struct mesh_link *for_b)
{
	size_t size = ring_file_size(ring_size);

	*for_a = *for_b = (struct mesh_link){ -1, -1, -1, -1 };
	if (open_peer(b, for_a) == 0 && open_peer(a, for_b) == 0 &&
	    create_memory("natsd-ring", size, &for_a->out, &for_b->in) == 0 &&
	    create_memory("natsd-ring", size, &for_b->out, &for_a->in) == 0)
		return 0;
	mesh_close_link(for_a);
	mesh_close_link(for_b);
	return -1;
}
