"""HTTP of the monitoring listener: request lines, odd heads, keep-alive, limits (the pages: test_monitor.py), against nats-server."""
import json
import re
import socket

import pytest

import harness
from rawclient import DEADLINE

CONFIG = 'http: "127.0.0.1:-1"\nserver_name: "mon"\n'
REQUESTS = [
    'GET /healthz HTTP/1.1', 'GET /healthz HTTP/1.0', 'HEAD /healthz HTTP/1.1', 'POST /healthz HTTP/1.1', 'FOO /healthz HTTP/1.1', 'GET /healthz/ HTTP/1.1',
    'GET //healthz HTTP/1.1', 'GET /nothing HTTP/1.1', 'GET /varz/ HTTP/1.1', 'GET /healthz?js-server-only=true HTTP/1.1', 'GET /healthz?js-enabled-only=true HTTP/1.1',
    'GET /healthz?x=%zz HTTP/1.1', 'GET healthz HTTP/1.1', 'GET /healthz HTTP/2.0', 'GET /healthz', 'GET  /healthz HTTP/1.1', 'get /healthz HTTP/1.1',
    'GET /../healthz HTTP/1.1', 'GET /./healthz HTTP/1.1', 'GET /health%7a HTTP/1.1', 'OPTIONS * HTTP/1.1', 'PRI * HTTP/2.0',
]


@pytest.fixture(scope='module')
def both():
    pair = [harness.Server(CONFIG, binary=harness.GO), harness.Server(CONFIG, workers=2)]
    yield pair
    for server in pair:
        server.close()


def ask(server, request):
    """The answer to raw bytes, up to the close or the announced end: (status line, headers without Date, body)."""
    with socket.create_connection(('127.0.0.1', server.port_of('monitoring')), DEADLINE) as s:
        s.settimeout(DEADLINE)
        s.sendall(request)
        data = b''
        while True:
            try:
                more = s.recv(65536)
            except ConnectionResetError:
                break
            if not more:
                break
            data += more
    head, _, body = data.partition(b'\r\n\r\n')
    lines = head.decode('latin-1').split('\r\n')
    return lines[0], sorted(line for line in lines[1:] if not line.startswith('Date: ')), body


@pytest.mark.parametrize('line', REQUESTS)
def test_http(both, line):
    request = ('%s\r\nHost: localhost\r\nConnection: close\r\n\r\n' % line).encode()
    assert ask(both[1], request) == ask(both[0], request)


@pytest.mark.parametrize('request_bytes', [
    b'GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n', b'GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n',
    b'GET /healthz HTTP/1.1\nHost: a\nConnection: close\n\n', b'GET /healthz HTTP/1.1\r\nHost: a\r\nBad Header: x\r\nConnection: close\r\n\r\n',
    b'GET /healthz HTTP/1.1\r\nHost: a\r\n: x\r\nConnection: close\r\n\r\n', b'\x16\x03\x01\x00\x05hello\r\n\r\n', b'GET /healthz HTTP/1.1\r\nHost: a\r\nNo colon\r\n\r\n'])
def test_http_odd_heads(both, request_bytes):
    assert ask(both[1], request_bytes) == ask(both[0], request_bytes)


def test_keep_alive(both):
    request = b'GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n' * 3 + b'GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'
    answers = []
    for server in both:
        status, headers, body = ask(server, request)
        answers.append((status, headers, len(re.findall(b'HTTP/1.1 200 OK', body)), body.count(b'{"status":"ok"}')))
    assert answers[1] == answers[0]


def test_head_too_large_and_unfinished(both):
    """1 MiB of headers is too much; half a head is given up after five seconds."""
    request = b'GET /healthz HTTP/1.1\r\nHost: a\r\n' + b''.join(b'X-%d: %s\r\n' % (i, b'y' * 1000) for i in range(1200)) + b'\r\n'
    assert ask(both[1], request)[0] == ask(both[0], request)[0]
    assert ask(both[1], b'GET /healthz HTTP/1.1\r\nHost: a\r\n')[0] == ''


def varz(server):
    status, headers, body = server.get('/varz')
    assert status == 200 and headers['Content-Type'] == 'application/json'
    return json.loads(body)


def test_varz_values(either):
    server = either(CONFIG + 'max_payload: 1000\nmax_connections: 77\nping_max: 5\n')
    client, other = server.client(), server.client()
    client.send('SUB a 1\r\nSUB b 2\r\n').ping()
    base = varz(server)
    for _ in range(10):
        other.send('PUB a 5\r\nhello\r\n')
    other.ping()
    client.wait_msgs(10)
    page = varz(server)
    assert (page['connections'], page['max_payload'], page['max_connections'], page['ping_max']) == (2, 1000, 77, 5)
    assert (page['in_msgs'] - base['in_msgs'], page['out_msgs'] - base['out_msgs']) == (10, 10)
    assert (page['in_bytes'] - base['in_bytes'], page['out_bytes'] - base['out_bytes']) == (50, 50)
    assert page['total_connections'] >= 2 and page['server_name'] == 'mon' and page['port'] == server.port
    assert page['http_req_stats']['/varz'] == 2
    client.send('UNSUB 1\r\n').ping()
    assert varz(server)['subscriptions'] == page['subscriptions'] - 1
    other.close()
    harness.until(lambda: varz(server)['connections'] == 1, 'one connection')


def test_monitor_by_flag(either):
    server = either('', args=['-m', '-1'])
    assert server.get('/healthz')[0] == 200
