"""Master and its children: who may do what, who dies with whom, who comes back (RELIABILITY P3, P12, P13, P15, P16; ARCHITECTURE 7)."""
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

import harness
from harness import until

RELEASE = os.environ.get('NATSD_RELEASE_BIN') or harness.natsd_path()
IS_ROOT = os.geteuid() == 0


@pytest.fixture
def natsd(servers):
    """As servers, of the release build: the sanitizers need what the sandbox forbids."""
    def start(config='', **options):
        return servers(config, binary=RELEASE, **options)
    return start


def children(server):
    """{'worker 0': pid, 'authd': pid}"""
    return {title.removeprefix('natsd: '): pid for pid, title in harness.children(server.pid).items()}


def gone(pid):
    try:
        return open('/proc/%d/stat' % pid).read().rpartition(')')[2].split()[0] in 'ZX'
    except OSError:
        return True


def port_is_free(port):
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(('127.0.0.1', port))
        except OSError:
            return False
        return True


# ---- what they are --------------------------------------------------------------------------------------------------

def test_titles(natsd):
    server = natsd(workers=3)
    assert sorted(children(server)) == ['authd', 'worker 0', 'worker 1', 'worker 2']
    for pid in children(server).values():
        assert open('/proc/%d/comm' % pid).read() in ('natsd-worker\n', 'natsd-authd\n')


def test_text_addresses_differ(natsd):
    """P12: fork without exec would give all workers one layout."""
    server = natsd(workers=8)
    starts = set()
    for turn in range(3):
        pids = server.worker_pids().values()
        starts |= {open('/proc/%d/maps' % pid).readline().split('-')[0] for pid in pids}
        if turn < 2:
            server.stop()
            server = natsd(workers=8)
    assert len(starts) == 24


@pytest.mark.skipif(not IS_ROOT, reason='needs root: the files of a process that is not dumpable belong to root')
def test_descriptors(natsd):
    """P13: nothing but what the role needs, and no file at all."""
    server = natsd('http: "127.0.0.1:-1"', workers=3)
    until(lambda: all(len(os.listdir('/proc/%d/fd' % p)) <= 12 for p in server.worker_pids().values()), 'the end of the first connection')
    for title, pid in children(server).items():
        links = sorted(re.sub(r'\d+', 'N', os.readlink('/proc/%d/fd/%s' % (pid, fd))) for fd in os.listdir('/proc/%d/fd' % pid))
        pipes = links.count('pipe:[N]')
        sockets = links.count('socket:[N]')
        assert links.count('/dev/null') == 2
        assert links.count('anon_inode:[eventpoll]') == 1
        if title == 'authd':
            assert (sockets, pipes) == (1 + 3, 2)           # master, workers; log twice (standard error, too)
        else:
            assert (sockets, pipes) == (2 + 2, 2 + 1 + 2)   # master, authd, listeners; log, own bell, bells of the others
        others = set(links) - {'/dev/null', 'anon_inode:[eventpoll]', 'pipe:[N]', 'socket:[N]', '/memfd:natsd-mesh (deleted)'}
        assert others <= {'/proc/N/fd/pipe:[N]'}, others


def status(pid):
    return dict(line.rstrip('\n').split(':\t', 1) for line in open('/proc/%d/status' % pid) if ':\t' in line)


def test_rights_of_children(natsd):
    server = natsd(workers=2)
    for title, pid in children(server).items():
        s = status(pid)
        assert s['CapEff'] == s['CapPrm'] == s['CapInh'] == s['CapAmb'] == '0' * 16, title
        assert s['NoNewPrivs'] == '1' and s['Seccomp'] == '2', title
        if IS_ROOT:
            assert s['CapBnd'] == '0' * 16, title
            assert '0' not in s['Uid'].split() and '0' not in s['Gid'].split() and s['Groups'].strip() == '', title
            assert os.listdir('/proc/%d/root' % pid) == []
            assert os.readlink('/proc/%d/ns/net' % pid) != os.readlink('/proc/self/ns/net')
        limits = open('/proc/%d/limits' % pid).read()
        for name in ('file size', 'core file size', 'processes'):
            assert re.search(r'Max %s +0 +0 ' % name, limits), (title, name)


@pytest.mark.skipif(not IS_ROOT, reason='needs root: master has no capabilities otherwise')
def test_capabilities_of_master(natsd):
    """P3. CHOWN and the rest of root's rights are not there; FOWNER and DAC_READ_SEARCH neither."""
    names = {1: 'DAC_OVERRIDE', 5: 'KILL', 6: 'SETGID', 7: 'SETUID', 8: 'SETPCAP', 10: 'NET_BIND_SERVICE', 18: 'SYS_CHROOT', 21: 'SYS_ADMIN'}
    server = natsd()
    s = status(server.pid)
    mine = int(status(os.getpid())['CapEff'], 16)
    for field in ('CapEff', 'CapPrm', 'CapBnd'):
        assert int(s[field], 16) == sum(1 << n for n in names) & mine, field
    assert s['NoNewPrivs'] == '1'


def test_no_probes_in_release():
    """P16"""
    folder = os.path.dirname(RELEASE)
    for name in ('natsd', 'natsd-worker', 'natsd-authd'):
        path = os.path.join(folder, name)
        symbols = subprocess.run(['nm', path], capture_output=True, text=True).stdout
        assert symbols and not re.search(r'\bprobe_run\b|\bprobes\b', symbols), name
        assert b'NATSD_PROBE' not in open(path, 'rb').read(), name


# ---- who dies with whom ---------------------------------------------------------------------------------------------

def test_kill_of_master_takes_all(natsd):
    server = natsd('http: "127.0.0.1:-1"', workers=4)
    pids = list(children(server).values())
    ports = [server.port, server.port_of('monitoring')]
    client = server.client()
    server.process.kill()
    killed = time.monotonic()
    until(lambda: all(gone(pid) for pid in pids) and all(port_is_free(p) for p in ports), 'the end of all')
    assert time.monotonic() - killed < 0.1 * harness.DEADLINE / 10
    client.wait_closed()


def test_end_of_file_is_enough(natsd):
    """A child whose channel closes leaves, even if the signal of its parent's death never comes."""
    server = natsd(workers=2)
    pids = list(children(server).values())
    os.kill(server.pid, signal.SIGSTOP)
    try:
        assert not any(gone(pid) for pid in pids)
    finally:
        os.kill(server.pid, signal.SIGKILL)
    until(lambda: all(gone(pid) for pid in pids), 'the end of the children')


def test_children_ignore_signals(natsd):
    server = natsd(workers=2)
    before = children(server)
    for pid in before.values():
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE, signal.SIGQUIT):
            os.kill(pid, number)
    server.client().ping()
    assert children(server) == before


# ---- who comes back -------------------------------------------------------------------------------------------------

def test_worker_killed(natsd):
    """P15: the other workers' clients see nothing, a new worker serves within 100 ms, interest is right again."""
    server = natsd(workers=3)
    clients = server.clients_by_worker(1)
    for row in clients:
        row[0].send(b'SUB all.* 1\r\n')
        row[0].ping()
    victim = server.worker_pids()[1]
    os.kill(victim, signal.SIGKILL)
    killed = time.monotonic()
    until(lambda: server.worker_pids().get(1, victim) != victim, 'another worker 1')
    assert time.monotonic() - killed < 0.1 * harness.DEADLINE / 10
    clients[1][0].wait_closed()
    until(lambda: server.worker_of(server.client()) == 1, 'a client on the new worker')
    fresh = server.clients[-1]
    fresh.send(b'SUB all.* 1\r\n')
    fresh.ping()
    for place, sender in enumerate([clients[0][0], fresh, clients[2][0]]):
        sender.send(b'PUB all.%d 2\r\nhi\r\n' % place)
        for receiver in (clients[0][0], fresh, clients[2][0]):
            receiver.wait_op('MSG')
    for client in (clients[0][0], fresh, clients[2][0]):
        client.ping()


def test_authd_killed(natsd):
    """New logins wait for the next authd, who is in stays."""
    server = natsd('authorization {\n user: u\n password: p\n}', workers=2)
    login = {'user': 'u', 'pass': 'p'}
    old = server.client(connect=login)
    old.ping()
    victim = children(server)['authd']
    os.kill(victim, signal.SIGKILL)
    fresh = server.client(connect=login)
    fresh.ping()
    old.ping()
    assert children(server)['authd'] != victim


def test_authd_stopped(natsd):
    """A login that authd has been asked for is asked again of the next one."""
    server = natsd('authorization {\n user: u\n password: p\n}', workers=2)
    victim = children(server)['authd']
    os.kill(victim, signal.SIGSTOP)
    client = server.client(connect=None)
    client.send(b'CONNECT {"user":"u","pass":"p"}\r\nPING\r\n')
    os.kill(victim, signal.SIGKILL)
    client.wait_op('PONG')


def test_client_ids_go_on(natsd):
    server = natsd(workers=2)
    ids = [server.client().id for _ in range(20)]
    for pid in server.worker_pids().values():
        os.kill(pid, signal.SIGKILL)
    until(lambda: len([p for p in server.worker_pids().values() if not gone(p)]) == 2, 'two workers')
    ids += [server.client().id for _ in range(20)]
    assert len(set(ids)) == 40


def run_until_exit(config='', args=(), env=None):
    return harness.Server(config, binary=RELEASE, workers=2, args=args, env=env)


def test_five_deaths_end_the_server():
    server = run_until_exit()
    try:
        deaths = 0
        while server.process.poll() is None and deaths < 20:
            for pid in list(server.worker_pids().values())[:1]:
                try:
                    os.kill(pid, signal.SIGKILL)
                except OSError:
                    continue
                deaths += 1
                until(lambda: gone(pid) or server.process.poll() is not None, 'a death')
        assert server.wait_exit() == 1
        assert '[FTL] worker died 5 times in 10 seconds' in server.log()
        assert deaths == 5
        assert not os.path.exists(server.ports_file())
    finally:
        server.process.kill()


def test_back_off():
    """The first death is mended at once, the third takes longer."""
    server = run_until_exit()
    try:
        pauses = []
        for _ in range(3):
            victim = server.worker_pids()[0]
            os.kill(victim, signal.SIGKILL)
            start = time.monotonic()
            until(lambda: server.worker_pids().get(0, victim) != victim, 'another worker')
            pauses.append(time.monotonic() - start)
        assert pauses[2] > 0.15 > pauses[0]
    finally:
        server.process.kill()
        server.wait_exit()


def test_panic_record():
    """What a crashing worker was at comes into the log, but never a password."""
    server = run_until_exit('authorization {\n user: u\n password: s3cretcanary\n}')
    try:
        client = server.client(connect={'user': 'u', 'pass': 's3cretcanary', 'name': 'me'})
        client.ping()
        for pid in server.worker_pids().values():
            os.kill(pid, signal.SIGSEGV)
        os.kill(children(server)['authd'], signal.SIGABRT)
        server.wait_log('worker 0: panic record: signal Segmentation fault')
        server.wait_log('worker 1: panic record: signal Segmentation fault')
        server.wait_log('authd 0: panic record: signal Aborted')
        server.wait_log('panic record: backtrace 0x')
        server.client(connect={'user': 'u', 'pass': 's3cretcanary'}).ping()
        assert 's3cretcanary' not in server.log()
    finally:
        server.process.kill()
        server.wait_exit()


def test_half_a_line_of_a_dying_child_is_logged(natsd):
    server = natsd(workers=1)
    assert 'Server is ready' in server.log()


# ---- service managers -----------------------------------------------------------------------------------------------

class Notify:
    """The service manager's end of sd_notify."""

    def __init__(self, folder):
        self.path = os.path.join(folder, 'notify')
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(harness.DEADLINE)

    def wait(self, word):
        while True:
            lines = self.socket.recv(4096).decode().split('\n')
            if word in lines:
                return lines


def test_notify(natsd, tmp_path):
    notify = Notify(str(tmp_path))
    server = natsd(env={'NOTIFY_SOCKET': notify.path})
    assert 'MAINPID=%d' % server.pid in notify.wait('READY=1')
    server.send_signal(signal.SIGHUP)
    notify.wait('RELOADING=1')
    notify.wait('READY=1')
    server.send_signal(signal.SIGTERM)
    notify.wait('STOPPING=1')
    assert server.wait_exit() == 0


def test_watchdog(natsd, tmp_path):
    """A sign of life is given as long as every child answers, and no longer."""
    notify = Notify(str(tmp_path))
    server = natsd(workers=2, env={'NOTIFY_SOCKET': notify.path, 'WATCHDOG_USEC': '400000'})
    notify.wait('WATCHDOG=1')
    notify.wait('WATCHDOG=1')
    stopped = children(server)['worker 1']
    os.kill(stopped, signal.SIGSTOP)
    try:
        notify.socket.settimeout(0.5)
        silent = False
        for _ in range(8):
            try:
                notify.socket.recv(4096)
            except TimeoutError:
                silent = True
                break
        assert silent
    finally:
        os.kill(stopped, signal.SIGCONT)
    notify.socket.settimeout(harness.DEADLINE)
    notify.wait('WATCHDOG=1')


def test_socket_activation(tmp_path):
    listening = socket.socket()
    listening.bind(('127.0.0.1', 0))
    listening.listen()
    port = listening.getsockname()[1]
    monitor = socket.socket()
    monitor.bind(('127.0.0.1', 0))
    monitor.listen()

    def hand_over():
        a, b = os.dup(listening.fileno()), os.dup(monitor.fileno())
        os.dup2(a, 3)
        os.dup2(b, 4)
        os.environ['LISTEN_PID'] = str(os.getpid())

    script = 'import os,sys\nos.environ["LISTEN_PID"] = str(os.getpid())\nos.execv(sys.argv[1], sys.argv[1:])'
    read, write = os.pipe()
    fds = [listening.fileno(), monitor.fileno(), write]
    # The shell moves the descriptors to where systemd puts them.
    shell = 'exec 3<&%d 4<&%d 9>&%d; exec python3 -c \'%s\' %s -a 127.0.0.1 -p 1 --ready-fd 9 --ports_file_dir %s' % (
        *fds, script, RELEASE, tmp_path)
    server = subprocess.Popen(['bash', '-c', shell], pass_fds=fds, stderr=subprocess.PIPE, text=True,
                              env={**os.environ, 'LISTEN_FDS': '2', 'LISTEN_FDNAMES': 'client:monitor'})
    try:
        os.close(write)
        assert os.read(read, 10) == b'\n'
        ports = json.load(open(os.path.join(tmp_path, 'natsd_%d.ports' % server.pid)))
        assert ports['nats'] == ['nats://127.0.0.1:%d' % port]
        with socket.create_connection(('127.0.0.1', port)) as s:
            assert s.recv(4096).startswith(b'INFO ')
    finally:
        server.terminate()
        assert server.wait(harness.DEADLINE) == 0
        os.close(read)


def test_socket_activation_refuses_unknown_names(tmp_path):
    listening = socket.socket()
    listening.bind(('127.0.0.1', 0))
    listening.listen()
    shell = ('exec 3<&%d; exec python3 -c \'import os,sys\nos.environ["LISTEN_PID"] = str(os.getpid())\nos.execv(sys.argv[1], sys.argv[1:])\''
             ' %s -a 127.0.0.1 -p -1' % (listening.fileno(), RELEASE))
    done = subprocess.run(['bash', '-c', shell], pass_fds=[listening.fileno()], capture_output=True, text=True, timeout=harness.DEADLINE,
                          env={**os.environ, 'LISTEN_FDS': '2', 'LISTEN_FDNAMES': 'client:cluster'})
    assert done.returncode == 1
    assert '[FTL] LISTEN_F' in done.stderr


def test_logins_wait_no_longer_than_one_check(natsd):
    """RELIABILITY L11: a flood of bcrypt checks from one address does not delay plain logins, nor bcrypt logins from another."""
    config = '''authorization {
  users: [
    { user: slow, password: "$2a$10$dtVkxbN0aW0EEEFYHvWJVOYYYX.3VkSPQJGvhk0DXCdpbQvGh8SSW" }
    { user: quick, password: plain }
  ]
}'''
    server = natsd(config, workers=2)
    flood = []
    stop = threading.Event()

    def attack():
        while not stop.is_set():
            try:
                s = socket.create_connection(('127.0.0.1', server.port))
                s.sendall(b'CONNECT {"user":"slow","pass":"wrong"}\r\n')
                flood.append(s)
            except OSError:
                return
            if len(flood) > 60:
                flood.pop(0).close()
            time.sleep(0.01)
    thread = threading.Thread(target=attack)
    thread.start()
    try:
        until(lambda: len(flood) > 30, 'the flood')
        times = []
        for _ in range(20):
            start = time.monotonic()
            client = server.client(connect={'user': 'quick', 'pass': 'plain'})
            client.ping()
            times.append(time.monotonic() - start)
            client.close()
        assert sorted(times)[-2] < 0.5 * harness.DEADLINE / 10, times
    finally:
        stop.set()
        thread.join()
        for s in flood:
            s.close()
