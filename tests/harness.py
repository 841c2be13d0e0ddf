"""Starts servers for the black box tests and speaks to them: used by tests/wire and tests/clients.

Server runs natsd, or the real nats-server to compare with, in a folder of its own, on ports the kernel chose.
It is ready when its ports file is there: then all ports are bound, and whoever connects is served in time.
Nothing in here sleeps for a fixed time: every wait is for a condition and has a deadline.

NATSD_BIN    the natsd under test (default: the newest build/*/natsd)
NATSD_CACHE  the folder with the peers nats-server and nats (default: ~/.cache/natsd-peers)
NATSD_SLOW   factor on all deadlines, for sanitizer builds
"""
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

from rawclient import Client, DEADLINE

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(HERE)
CACHE = os.environ.get('NATSD_CACHE') or os.path.expanduser('~/.cache/natsd-peers')
GO = os.path.join(CACHE, 'nats-server')
CLI = os.path.join(CACHE, 'nats')

# What must never be in the output of natsd, whatever a test does to it.
ALARMS = re.compile(r'AddressSanitizer|LeakSanitizer|runtime error:|CHECK failed|\[FTL\] .*panic|panic record|stack smashing')


def natsd_path():
    """The natsd under test, or None where nothing was built."""
    if os.environ.get('NATSD_BIN'):
        return os.path.realpath(os.environ['NATSD_BIN'])
    built = glob.glob(os.path.join(ROOT, 'build', '*', 'natsd'))
    return max(built, key=os.path.getmtime) if built else None


def is_go(path):
    """Whether the binary is a real nats-server (then the natsd { } block is left out of its configuration)."""
    try:
        return 'natsd' not in subprocess.run([path, '-v'], capture_output=True, text=True, timeout=DEADLINE).stdout
    except (OSError, subprocess.TimeoutExpired):
        return False


def until(condition, what='condition', timeout=DEADLINE):
    """Waits until condition() is true and returns its value."""
    end = time.monotonic() + timeout
    pause = 0.0005
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError('waited %.1f s in vain for %s' % (timeout, what))
        time.sleep(pause)
        pause = min(pause * 2, 0.02)


def children(pid):
    """{pid: command line} of the direct children of pid."""
    found = {}
    try:
        pids = open('/proc/%d/task/%d/children' % (pid, pid)).read().split()
    except OSError:
        return found
    for child in map(int, pids):
        try:
            title = open('/proc/%d/cmdline' % child, 'rb').read().replace(b'\0', b' ').strip().decode('utf-8', 'replace')
        except OSError:
            continue
        found[child] = title
    return found


class Server:
    """One server process. config is text; 'listen' is added unless config has a listen or port of its own."""

    def __init__(self, config='', binary=None, args=(), workers=None, name=None, natsd_block='', env=None, wait=True, listen=True):
        self.binary = binary or natsd_path()
        if not self.binary:
            raise RuntimeError('no natsd to test: build it, or name one in NATSD_BIN')
        self.go = is_go(self.binary)
        self.workers, self.natsd_block = workers, natsd_block
        self.dir = tempfile.mkdtemp(prefix='natsd-test-')
        self.conf = os.path.join(self.dir, 'server.conf')
        self.name = name or ('nats-server' if self.go else 'natsd')
        self.listen = listen
        self.ports = {}
        self.clients = []
        self.write_config(config)
        program = self.binary
        if os.path.basename(program) != self.name:
            program = os.path.join(self.dir, self.name)
            os.symlink(self.binary, program)
        self.output = os.path.join(self.dir, 'output')
        self.argv = [program, '-c', self.conf, '--ports_file_dir', self.dir, *args]
        with open(self.output, 'ab') as out:
            self.process = subprocess.Popen(self.argv, stdout=out, stderr=out, stdin=subprocess.DEVNULL, cwd=self.dir,
                                            env={**os.environ, **(env or {})})
        self.pid = self.process.pid
        if wait:
            try:
                self.wait_ready()
            except BaseException:
                self.process.kill()
                self.process.wait()
                raise

    def write_config(self, config):
        """Writes the configuration file; for natsd with its own block, for nats-server without."""
        text = config
        if self.listen and not re.search(r'(?m)^\s*(listen|port|host)\b', config):
            text = 'listen: "127.0.0.1:-1"\n' + text
        if not self.go and (self.workers or self.natsd_block):
            lines = ['workers: %d' % self.workers] if self.workers else []
            text += '\nnatsd {\n  %s\n}\n' % '\n  '.join(lines + ([self.natsd_block] if self.natsd_block else []))
        temporary = self.conf + '.new'
        with open(temporary, 'w') as f:
            f.write(text)
        os.rename(temporary, self.conf)

    def ports_file(self):
        return os.path.join(self.dir, '%s_%d.ports' % (self.name, self.pid))

    def wait_ready(self):
        def ready():
            if self.process.poll() is not None:
                raise RuntimeError('server ended with %s:\n%s' % (self.process.returncode, self.log()))
            try:
                self.ports = json.load(open(self.ports_file()))
            except (OSError, ValueError):
                return False
            return True
        try:
            until(ready, 'the ports file of %s' % self.binary)
        except TimeoutError as error:
            raise TimeoutError('%s\n%s' % (error, self.log()))
        self.port = self.port_of('nats')

    def port_of(self, kind):
        return int(self.ports[kind][0].rpartition(':')[2].strip('/'))

    @property
    def url(self):
        return 'nats://127.0.0.1:%d' % self.port

    def client(self, **options):
        """A connected raw client, closed together with the server."""
        c = Client(self.port, **options)
        self.clients.append(c)
        return c

    def worker_of(self, client):
        """Which worker a client is on: the ids of worker i's clients are i + 1 modulo the number of workers."""
        return 0 if self.go or not self.workers else (client.id - 1) % self.workers

    def clients_by_worker(self, each, **options):
        """[[clients of worker 0], ...]: this many raw clients on every worker; on nats-server as if it had workers."""
        want = self.workers or 1
        found, surplus = [[] for _ in range(want)], []
        for turn in range(want * each * 4):
            if all(len(p) == each for p in found):
                break
            c = self.client(**options)
            place = found[turn % want if self.go else self.worker_of(c)]
            (place if len(place) < each else surplus).append(c)
        assert all(len(p) == each for p in found), 'clients of the workers: %r' % [len(p) for p in found]
        for c in surplus:
            c.close()
        return found

    def log(self):
        with open(self.output, errors='replace') as f:
            return f.read()

    def wait_log(self, pattern, timeout=DEADLINE, count=1):
        """Waits until the output holds count matches of the regular expression; returns the list of matches."""
        def search():
            found = list(re.finditer(pattern, self.log()))
            return found if len(found) >= count else None
        try:
            return until(search, 'log line %r' % pattern, timeout)
        except TimeoutError as error:
            raise TimeoutError('%s in\n%s' % (error, self.log()[-4000:]))

    def reload(self, config=None, ok=True):
        """SIGHUP after writing config; waits until the server says how it went."""
        words = r'Reloaded server configuration|Failed to reload server configuration'
        before = len(re.findall(words, self.log()))
        if config is not None:
            self.write_config(config)
        os.kill(self.pid, signal.SIGHUP)
        last = self.wait_log(words, count=before + 1)[-1].group()
        assert last.startswith('Reloaded') == ok, self.log()[-2000:]

    def worker_pids(self):
        """{number: pid} of natsd's workers, by their process titles 'natsd: worker N'."""
        found = {}
        for pid, title in children(self.pid).items():
            match = re.search(r'worker (\d+)', title)
            if match:
                found[int(match.group(1))] = pid
        return found

    def log_lines(self, since=0):
        """The output from byte since on, without process id and time, as a list of lines."""
        return [re.sub(r'^\[\d+\] \d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d{6} ', '', line) for line in self.log()[since:].splitlines()]

    def get(self, path):
        """(status, headers, body) of a page of the monitoring listener."""
        request = urllib.request.Request('http://127.0.0.1:%d%s' % (self.port_of('monitoring'), path))
        try:
            with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def send_signal(self, number):
        os.kill(self.pid, number)

    def wait_exit(self, timeout=DEADLINE):
        return self.process.wait(timeout)

    def stop(self, sig=signal.SIGTERM, timeout=DEADLINE):
        """Stops the server and returns its exit code (negative: the signal it died of)."""
        if self.process.poll() is None:
            self.process.send_signal(sig)
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(timeout)
                raise TimeoutError('no end after signal %d:\n%s' % (sig, self.log()[-4000:]))
            finally:
                for c in self.clients:
                    c.close()
                self.clients = []
        return self.process.returncode

    def close(self):
        """End of a test: stop, look for alarms in the output, remove the folder."""
        try:
            self.stop()
            alarm = None if self.go else ALARMS.search(self.log())
            assert not alarm, self.log()[-6000:]
        finally:
            shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is None:
            self.close()
            return
        try:
            self.close()
        except (AssertionError, TimeoutError):
            pass
