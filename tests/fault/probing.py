"""Runs one probe of shared/ipc/probe.c in one role of the probes build and says what became of it."""
import os
import re
import subprocess

PROBES = os.environ.get('NATSD_PROBES_BIN')
NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']

NAMES = ['', 'open to read', 'open to write', 'create', 'TCP connect', 'connect to an abstract socket', 'socket', 'bind', 'execve', 'fork',
         'ptrace', 'process_vm_readv', 'kill', 'pidfd_open', 'setuid', 'map writable and executable', 'mprotect to executable', 'unshare',
         'setns', 'mount', 'io_uring', 'bpf', 'keyctl', 'userfaultfd', 'perf_event_open', 'a message of another role',
         'write to the counters of others']
LAST_CALL = 24          # the rows above it are system calls
WRONG_MESSAGE = 25
WRITE_COUNTERS = 26

NO_NEW_PRIVS, LIMITS, USER, ROOT, NETWORK, CAPABILITIES, LANDLOCK, SECCOMP = (1 << n for n in range(8))


def probe(role, number, root, without=0):
    """'killed' (by seccomp), 'denied' (an error came back), 'open' (it worked), or master's words."""
    command = ([] if root else NOBODY) + [PROBES, '-a', '127.0.0.1', '-p', '-1']
    server = subprocess.Popen(command, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, cwd='/',
                              env={**os.environ, 'NATSD_PROBE': '%s:%d:%d' % (role, number, without)})
    try:
        for line in server.stderr:
            match = re.search(r'\[ERR\] %s 0 \(pid \d+\) (.*)' % role, line)
            if match:
                words = match.group(1)
                return {'made a system call that its sandbox forbids': 'killed', 'left with status 70': 'denied',
                        'left with status 71': 'open'}.get(words, words)
        return 'nothing'
    finally:
        server.kill()
        server.stderr.close()
        server.wait()
