"""Programs on the npm packages @nats-io/transport-node and @nats-io/services against natsd (tests/clients/programs)."""
import os
import shutil
import subprocess

import pytest

import harness
from harness import until
from rawclient import DEADLINE

HERE = os.path.dirname(os.path.realpath(__file__))
MODULES = os.path.join(harness.CACHE, 'js', 'node_modules')
LONG = 6 * DEADLINE

pytestmark = pytest.mark.skipif(not (shutil.which('node') and os.path.isdir(os.path.join(MODULES, '@nats-io', 'transport-node'))),
                                reason='node or the nats.js packages could not be brought')


@pytest.fixture
def node(tmp_path):
    """node(program, *arguments) -> process; programs see the packages of the cache."""
    os.symlink(MODULES, tmp_path / 'node_modules')
    started = []

    def start(program, *arguments):
        shutil.copy(os.path.join(HERE, 'programs', program), tmp_path / program)
        with open(tmp_path / (program + '.out'), 'w') as out:
            process = subprocess.Popen(['node', program, *arguments], cwd=tmp_path, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
        process.out = tmp_path / (program + '.out')
        started.append(process)
        return process
    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize('program', ['core.mjs', 'requests.mjs'])
def test_program(server, node, program):
    process = node(program, server.url)
    assert process.wait(LONG) == 0, process.out.read_text()
    assert process.out.read_text().endswith('done\n')


def test_reconnect(servers, node):
    first = servers('', workers=2, name='nats-server')
    process = node('reconnect.mjs', first.url)
    until(lambda: 'connected' in process.out.read_text(), 'the connection', LONG)
    first.stop()
    second = servers('listen: "127.0.0.1:%d"\n' % first.port, workers=2, name='nats-server')
    until(lambda: '\nreconnect\n' in process.out.read_text(), 'the reconnection', LONG)
    client = second.client()

    def published():
        client.send('PUB again 4\r\nhere\r\n').ping()
        return 'done' in process.out.read_text()
    until(published, 'the message', LONG)
    assert process.wait(LONG) == 0 and 'got here' in process.out.read_text()
