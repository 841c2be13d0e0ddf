/*
 * probe.c: see probe.h.  Each probe is a row: what it tries, and a function that returns true when the system let it.
 */
#include "ipc/probe.h"

#ifdef NATSD_SANDBOX_PROBES

#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "ipc/role.h"

/* Larger than the kernel's own structs, so that only rights decide. */
static uint64_t zeros[64];

static bool
open_read(void)
{
	return open("/etc/passwd", O_RDONLY) >= 0;
}

static bool
open_write(void)
{
	return open("/dev/shm", O_RDWR | O_TMPFILE, 0600) >= 0;
}

static bool
open_create(void)
{
	return open("/tmp/natsd-probe", O_WRONLY | O_CREAT, 0600) >= 0;
}

static bool
connect_tcp(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	/* Refused by the other end is let through by the sandbox. */
	return fd >= 0 && (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 || errno == ECONNREFUSED);
}

static bool
connect_abstract(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "\0natsd-probe" };
	socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 12);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	return fd >= 0 && connect(fd, (struct sockaddr *)&address, length) == 0;
}

static bool
open_socket(void)
{
	return socket(AF_INET, SOCK_DGRAM, 0) >= 0;
}

static bool
bind_tcp(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
}

static bool
run_program(void)
{
	char *arguments[] = { NULL };

	execve("/bin/true", arguments, arguments);
	return false; /* had it worked, the status would be that of /bin/true: 0, which is no probe's */
}

static bool
fork_process(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid > 0;
}

static bool
trace_parent(void)
{
	return ptrace(PTRACE_SEIZE, getppid(), NULL, NULL) == 0;
}

static bool
read_parent(void)
{
	struct iovec local = { zeros, 8 }, remote = { (void *)&zeros, 8 };

	return process_vm_readv(getppid(), &local, 1, &remote, 1, 0) >= 0 || errno == EFAULT;
}

static bool
signal_parent(void)
{
	return kill(getppid(), 0) == 0;
}

static bool
pidfd_parent(void)
{
	return syscall(SYS_pidfd_open, getppid(), 0) >= 0;
}

static bool
become_root(void)
{
	return setuid(0) == 0;
}

static bool
map_executable(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}

static bool
make_executable(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return page != MAP_FAILED && mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0;
}

static bool
new_namespace(void)
{
	return unshare(CLONE_NEWNS) == 0 || unshare(CLONE_NEWUSER) == 0;
}

static bool
enter_namespace(void)
{
	long fd = syscall(SYS_pidfd_open, getppid(), 0);

	return fd >= 0 && setns((int)fd, CLONE_NEWNET) == 0;
}

static bool
mount_folder(void)
{
	return mount("none", "/", "tmpfs", 0, NULL) == 0;
}

static bool
io_uring(void)
{
	return syscall(SYS_io_uring_setup, 4, zeros) >= 0;
}

static bool
bpf_map(void)
{
	union bpf_attr attributes;

	memset(&attributes, 0, sizeof(attributes));
	attributes.map_type = BPF_MAP_TYPE_ARRAY;
	attributes.key_size = 4;
	attributes.value_size = 4;
	attributes.max_entries = 1;
	return syscall(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof(attributes)) >= 0;
}

static bool
key_ring(void)
{
	return syscall(SYS_keyctl, 1 /* KEYCTL_JOIN_SESSION_KEYRING */, NULL) >= 0;
}

static bool
page_faults(void)
{
	return syscall(SYS_userfaultfd, 1 /* UFFD_USER_MODE_ONLY */) >= 0;
}

static bool
perf_events(void)
{
	struct perf_event_attr attributes = { .type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attributes),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.exclude_kernel = 1,
		.exclude_hv = 1 };

	return syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0UL) >= 0;
}

static struct role *probe_role;

/* A frame that only master may send: it must end this process, not be obeyed. */
static bool
wrong_message(void)
{
	struct {
		uint16_t type, zero;
		uint32_t hash;
		uint64_t body;
	} frame = { MESSAGE_DRAIN, 0, message_table_hash(), 0 };
	struct iovec piece = { &frame, 8 };
	struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1 };

	if (sendmsg(probe_role->master.fd, &message, MSG_NOSIGNAL) != 8)
		return false;
	piece = (struct iovec){ zeros, sizeof(zeros) };
	while (recvmsg(probe_role->master.fd, &message, 0) > 0 || errno == EAGAIN)
		;
	return false;
}

static bool
write_counters_of_others(void)
{
	for (unsigned i = 0; i <= MESH_MEMBERS_MAX; i++) {
		void *page = (void *)(uintptr_t)probe_role->all_counters[i];

		if (page != NULL && mprotect(page, COUNTERS_SIZE, PROT_READ | PROT_WRITE) == 0)
			return true;
	}
	return false;
}

static bool (*const probes[])(void) = {
	NULL,
	open_read,
	open_write,
	open_create,
	connect_tcp,
	connect_abstract,
	open_socket,
	bind_tcp,
	run_program,
	fork_process,
	trace_parent,
	read_parent,
	signal_parent,
	pidfd_parent,
	become_root,
	map_executable,
	make_executable,
	new_namespace,
	enter_namespace,
	mount_folder,
	io_uring,
	bpf_map,
	key_ring,
	page_faults,
	perf_events,
	wrong_message,
	write_counters_of_others,
};

void
probe_run(uint32_t number, struct role *role)
{
	if (number == 0)
		return;
	CHECK(number < sizeof(probes) / sizeof(probes[0]));
	probe_role = role;
	if (probes[number]())
		_exit(PROBE_OPEN);
	_exit(PROBE_DENIED);
}

#endif
