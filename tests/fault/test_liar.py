"""R-d: one worker lies to the others over the rings (liar.c). They serve their clients as if nothing was, master ends the liar.

Each start of the liar tells every other worker a lie picked at random, and goes on until it is ended. NATSD_LIES: how many lies to
hear (default 12, some 15 seconds; 1300 tells all but one or two of the 218).
"""
import os
import re
import shutil
import subprocess
import time

import pytest

from harness import ROOT, until

RELEASE = os.environ.get('NATSD_RELEASE_BIN') or os.path.join(ROOT, 'build', 'gcc-release', 'natsd')
LIES = int(os.environ.get('NATSD_LIES', '12'))
WORKERS = 4
BATCH = 500
PAUSE = 0.01


@pytest.fixture
def lying_natsd(tmp_path):
    """A folder with natsd and authd of the release build, and the liar in the worker's place."""
    built = os.path.dirname(RELEASE)
    makefile = open(os.path.join(ROOT, 'GNUmakefile')).read()
    libraries = re.search(r'(?m)^LIBS_natsd-worker\s*=(.*)$', makefile).group(1).split()
    archives = ['natsd-worker.a'] + ['lib%s.a' % name for name in ('broker', 'ipc', 'model', 'wire', 'base')]
    for name in 'natsd', 'natsd-authd':
        shutil.copy(os.path.join(built, name), tmp_path / name)
    subprocess.run([os.environ.get('CC', 'gcc'), '-std=gnu11', '-O2', '-fPIE', '-pie', '-D_GNU_SOURCE', '-Ishared', '-I.',
                    '-Wl,--wrap=role_ready', '-o', str(tmp_path / 'natsd-worker'), 'tests/fault/liar.c',
                    os.path.join(built, 'obj', 'worker', 'main.o'), *(os.path.join(built, name) for name in archives), *libraries],
                   cwd=ROOT, check=True)
    return str(tmp_path / 'natsd')


def told(server):
    return re.findall(r'lie (\w+) (\d+) of \d+ to member (\d+)', server.log())


def one_on_each(server, workers):
    """{worker: client}, on these workers."""
    found = {}
    while not set(workers) <= set(found):
        client = server.client()
        found.setdefault(server.worker_of(client), client)
    return {n: found[n] for n in workers}


def test_liar(servers, lying_natsd):
    # The raw clients answer no PING.
    server = servers('ping_interval: "1h"\n', binary=lying_natsd, workers=WORKERS)
    honest = list(range(WORKERS - 1))

    def pids():
        return {n: pid for n, pid in server.worker_pids().items() if n in honest}
    until(lambda: len(pids()) == len(honest), 'the workers')
    before = pids()
    subscribers, publishers = one_on_each(server, honest), one_on_each(server, honest)
    for n, client in subscribers.items():
        client.send('SUB honest.%d 1\r\n' % n)
        client.ping()
    sent = 0
    end = time.monotonic() + 60 + 2 * LIES
    while len(told(server)) < LIES:
        assert time.monotonic() < end, server.log()[-4000:]
        time.sleep(PAUSE)  # between rounds of traffic, not for anything
        # Everybody's messages cross a ring, and come complete and in order.
        for n in honest:
            publishers[(n + 1) % len(honest)].send(''.join('PUB honest.%d 8\r\n%08d\r\n' % (n, sent + i) for i in range(BATCH)))
        for n in honest:
            payloads = [bytes(message[5]) for message in subscribers[n].wait_msgs(BATCH)]
            assert payloads == [b'%08d' % (sent + i) for i in range(BATCH)]
        sent += BATCH
    # The honest ones are the same processes as ever; the liar was ended, and is back.
    assert pids() == before
    lies = told(server)
    ended = re.findall(r'worker %d \(pid \d+\) is ended: worker \d says it broke a rule of the rings: "([^"]*)"' % (WORKERS - 1),
                       server.log())
    print('%d lies, %d different, for %d of which the liar was ended (%s); %d messages' % (
        len(lies), len({lie[:2] for lie in lies}), len(ended), ', '.join(sorted(set(ended))), sent * len(honest)))
    assert LIES < 12 or ended
