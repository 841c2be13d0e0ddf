"""The nats command line client against natsd: pub, sub, req, reply, rtt, bench, latency, service."""
import json
import os
import re
import subprocess

import pytest

from harness import until
from rawclient import DEADLINE

LONG = 6 * DEADLINE


class Cli:
    """Runs nats commands against one server; background ones write to files and are ended with the test."""

    def __init__(self, path, server, folder):
        self.path, self.server, self.folder, self.running = path, server, folder, []
        self.env = {**os.environ, 'HOME': str(folder), 'XDG_CONFIG_HOME': str(folder), 'NATS_URL': server.url, 'NO_COLOR': '1', 'TERM': 'dumb'}

    def __call__(self, *words, data=None, code=0):
        done = subprocess.run([self.path, '--no-context', *words], input=data, capture_output=True, text=True, timeout=LONG, env=self.env)
        assert done.returncode == code, (words, done.stdout, done.stderr)
        return done.stdout + done.stderr

    def background(self, *words):
        out = self.folder / ('out%d' % len(self.running))
        with open(out, 'w') as f:
            self.running.append(subprocess.Popen([self.path, '--no-context', *words], stdout=f, stderr=f, stdin=subprocess.DEVNULL, env=self.env))
        return self.running[-1], out

    def end(self):
        for process in self.running:
            process.kill()
            process.wait()


@pytest.fixture
def nats(cli, server, tmp_path):
    runner = Cli(cli, server, tmp_path)
    yield runner
    runner.end()


def subscribed(server, subject):
    """Waits until a request on the subject finds somebody, by the absence of a 503."""
    client = server.client()
    client.send('SUB _probe 1\r\n')

    def listening():
        client.send('PUB %s _probe 0\r\n\r\n' % subject)
        return not any(op[4] and b'503' in op[4] for op in client.ping() if op[0] == 'MSG')
    until(listening, 'a subscriber of %s' % subject, LONG)
    client.close()


def test_pub_and_sub(nats, server):
    process, out = nats.background('sub', 'greet.*', '--count', '3')
    until(lambda: 'Subscribing on greet.*' in out.read_text(), 'the subscriber', LONG)
    listener = server.client()
    subscribed(server, 'greet.probe')
    for name in ('joe', 'ann'):
        assert 'Published 5 bytes to "greet.%s"' % name in nats('pub', 'greet.' + name, 'hello')
    process.wait(LONG)
    text = out.read_text()
    assert 'Received on "greet.joe"' in text and 'Received on "greet.ann"' in text and text.count('hello') == 2
    listener.close()


def test_pub_with_headers_and_count(nats, server):
    client = server.client()
    client.send('SUB many 1\r\n').ping()
    nats('pub', 'many', '-H', 'Kind:test', '--count', '100', 'message {{Count}}')
    messages = client.wait_msgs(100, LONG)
    assert [m[5] for m in messages] == [b'message %d' % i for i in range(1, 101)]
    assert all(b'Kind: test\r\n' in m[4] for m in messages)


def test_sub_with_queue(nats, server):
    """Forty jobs over a queue group of two: each goes to one of them, both get some."""
    outs = [nats.background('sub', 'work', '--queue', 'team')[1] for _ in range(2)]
    for out in outs:
        until(lambda out=out: 'Subscribing on' in out.read_text(), 'the subscriber', LONG)

    def counts():
        nats('pub', 'work', '--count', '40', 'job {{Count}}')
        until(lambda: sum(out.read_text().count('job ') for out in outs) % 40 == 0, 'all jobs', LONG)
        return [out.read_text().count('job ') for out in outs]
    subscribed(server, 'work')
    until(lambda: all(counts()), 'both to get jobs', LONG)


def test_request_and_reply(nats, server):
    nats.background('reply', 'help', 'I can help: {{Request}}')
    subscribed(server, 'help')
    out = nats('req', 'help', 'me', '--count', '3')
    assert out.count('I can help: me') == 3


def test_request_without_responders(nats):
    assert 'No responders are available' in nats('req', 'nobody', 'x', '--timeout', '5s')


def test_reply_by_command(nats, server):
    nats.background('reply', 'sum', '--command', 'echo counted {{1}}')
    nats.background('reply', 'sum.*', '--command', 'echo counted {{1}}')
    subscribed(server, 'sum.1')
    assert 'counted' in nats('req', 'sum.1', 'x')


def test_rtt(nats, server):
    out = nats('rtt', '5')
    assert server.url in out and re.search(r'\d+(\.\d+)?(µs|ms)', out)


def test_bench_pub_and_sub(nats, server):
    process, out = nats.background('bench', 'sub', 'bench', '--clients', '2', '--msgs', '20000', '--size', '64', '--no-progress')
    subscribed(server, 'bench')
    published = nats('bench', 'pub', 'bench', '--clients', '2', '--msgs', '20000', '--size', '64', '--no-progress')
    assert re.search(r'msgs/sec', published), published
    process.wait(LONG)
    assert re.search(r'msgs/sec', out.read_text()), out.read_text()


def test_bench_service(nats, server):
    process, out = nats.background('bench', 'service', 'serve', 'echo', '--clients', '2', '--size', '16', '--no-progress')
    subscribed(server, 'echo')
    answer = nats('bench', 'service', 'request', 'echo', '--clients', '2', '--msgs', '2000', '--size', '16', '--no-progress')
    assert re.search(r'msgs/sec', answer), answer


def test_latency(nats, server):
    out = nats('latency', '--server-b', server.url, '--duration', '2s', '--rate', '500', '--size', '128')
    assert 'HDR Percentiles' in out or 'Percentiles' in out, out


def test_service(nats, server):
    nats.background('service', 'serve', 'adder')
    subscribed(server, '$SRV.PING.adder')
    assert 'adder' in nats('service', 'ping')
    assert 'adder' in nats('service', 'list')
    assert json.loads(nats('service', 'info', 'adder', '--json'))
    assert 'adder' in nats('service', 'stats', 'adder')


def test_login(nats, servers, cli, tmp_path):
    server = servers('authorization { users: [ { user: u, password: p, permissions: { publish: ok } } ] }\n', workers=2, name='nats-server')
    own = Cli(cli, server, tmp_path)
    own('pub', 'ok', 'x', '--user', 'u', '--password', 'p')
    assert 'Authorization Violation' in own('pub', 'ok', 'x', '--user', 'u', '--password', 'wrong', code=1)
    own.end()
