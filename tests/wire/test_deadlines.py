"""What time does to a connection: login deadline, pings, stale and slow consumers, fast producers."""
import re
import time

import pytest

from rawclient import DEADLINE, errors, pump


def reason(server, client, timeout=DEADLINE):
    """The close reason in the debug log."""
    return server.wait_log(r'cid:%d - (?:.* - )?Client connection closed: (.*)' % client.id, timeout)[0].group(1)


def test_auth_timeout(either):
    """A mute client and one that drips its CONNECT are both cut, counted from accept."""
    server = either('authorization { token: t, timeout: 0.4 }\ndebug: true\n')
    mute, drip, good = (server.client(connect=None) for _ in range(3))
    began = time.monotonic()
    good.send('CONNECT {"verbose":false,"auth_token":"t"}\r\n').ping()
    text = iter('CONNECT {"verbose":false,' + '"x":1,' * 100000)
    drip.wait(lambda: drip.eof or drip.send(next(text)) is None, 'the close')
    mute.wait_closed()
    assert 0.3 < time.monotonic() - began < 0.4 + DEADLINE / 2
    for c in (mute, drip):
        assert reason(server, c) == 'Authentication Timeout'
    good.ping()


def test_auth_timeout_text(either):
    server = either('authorization { token: t, timeout: 0.2 }\n')
    assert errors(server.client(connect=None).wait_closed()) == ['Authentication Timeout']


def test_no_auth_no_timeout(either):
    """Without a login nobody is asked to CONNECT in time."""
    server = either('authorization { timeout: 0.2 }\n')
    mute = server.client(connect=None)
    began = time.monotonic()
    mute.wait(lambda: time.monotonic() - began > 0.6 or mute.eof)
    assert not mute.eof
    mute.ping()


def test_first_ping_comes_early(either):
    """The first PING of the server comes about two seconds after the connection, whatever the interval."""
    server = either('')
    client = server.client()
    client.ping()
    began = time.monotonic()
    client.wait_op('PING')
    assert 0.9 < time.monotonic() - began < 2.6 + DEADLINE / 4


def test_pings_at_the_interval_and_stale(either):
    """ping_max unanswered pings, then the connection is stale."""
    server = either('ping_interval: "200ms"\nping_max: 3\ndebug: true\n')
    client = server.client()
    client.ping()
    ops = client.wait_closed()
    assert [op[0] for op in ops if op[0] in ('PING', '-ERR')] == ['PING'] * 3 + ['-ERR'] and errors(ops) == ['Stale Connection']
    assert reason(server, client) == 'Stale Connection'


def test_answered_pings_keep_it_open(either):
    server = either('ping_interval: "100ms"\nping_max: 1\n')
    client = server.client()
    client.ping()
    for _ in range(6):
        client.wait_op('PING')
        client.send('PONG\r\n')
    client.ping()


def test_quiet_after_traffic(either):
    """Seconds of silence after traffic (spare memory goes back to the system then) close nothing."""
    server = either('')
    clients = [server.client() for _ in range(6)]
    for c in clients:
        c.send(b'SUB quiet 1\r\n' + b'PUB quiet 4000\r\n%s\r\n' % (b'q' * 4000) * 20)
    for c in clients:
        c.ping()
    began = time.monotonic()
    pump(clients, lambda: time.monotonic() - began > 4 or any(c.eof for c in clients), timeout=2 * DEADLINE)
    assert not any(c.eof for c in clients), server.log()[-500:]


def flood(server, subject, size, count):
    writer = server.client()
    for _ in range(count):
        writer.send(b'PUB %s %d\r\n%s\r\n' % (subject, size, b's' * size))
        writer.ping(6 * DEADLINE)


def test_slow_consumer_by_pending(either):
    """Who lets more than max_pending wait is cut; the publisher and the other subscriber are not."""
    server = either('max_pending: 200KB\nmax_payload: 100KB\nwrite_deadline: "5s"\ndebug: true\nhttp: "127.0.0.1:-1"\n')
    slow, other = server.client(), server.client()
    for c in (slow, other):
        c.send('SUB slow 1\r\n').ping()
    got = []
    other.on_op = lambda op: got.append(op) if op[0] == 'MSG' else None
    writer = server.client()
    for _ in range(400):
        writer.send(b'PUB slow 40000\r\n%s\r\n' % (b's' * 40000))
        writer.ping()
        other.read_some()
    other.wait(lambda: len(got) == 400 or other.eof, '400 messages')
    assert reason(server, slow) == 'Slow Consumer (Pending Bytes)'
    assert server.wait_log(r'cid:%d - "v1:test" - Slow Consumer Detected: MaxPending of 204800 Exceeded' % slow.id)
    slow.wait(lambda: slow.eof, 'the close')


def test_slow_consumer_by_deadline(either):
    """Who takes nothing for write_deadline is cut."""
    server = either('write_deadline: "300ms"\nmax_pending: 100MB\ndebug: true\n')
    slow = server.client()
    slow.send('SUB slow 1\r\n').ping()
    flood(server, b'slow', 500000, 20)
    assert reason(server, slow) == 'Slow Consumer (Write Deadline)'
    assert server.wait_log(r'cid:%d - "v1:test" - Slow Consumer Detected: WriteDeadline of 300ms exceeded with \d+ chunks of \d+ total bytes\.' % slow.id)


def test_slow_consumers_are_counted(either):
    server = either('write_deadline: "200ms"\nhttp: "127.0.0.1:-1"\n')
    slow = server.client()
    slow.send('SUB slow 1\r\n').ping()
    flood(server, b'slow', 500000, 20)
    server.wait_log('Slow Consumer Detected')
    body = server.get('/varz')[2]
    assert re.search(rb'"slow_consumers": 1,', body) and re.search(rb'"slow_consumer_stats": \{\s+"clients": 1,', body), body


def test_max_payload_reason(either):
    server = either('debug: true\n')
    client = server.client()
    client.send('PUB a 1048577\r\n')
    assert errors(client.wait_closed()) == ['Maximum Payload Violation']
    assert reason(server, client) == 'Maximum Message Payload Exceeded'


@pytest.mark.parametrize('data,why', [
    ('XYZ\r\n', 'Protocol Violation'), ('SUB\r\n', 'Protocol Violation'), ('PUB %s 1\r\n' % ('x' * 5000), 'Maximum Control Line Exceeded'),
    ('PUB a\r\n', 'Protocol Violation'), ('CONNECT {"protocol":9}\r\n', 'Bad Client Protocol Version'),
    ('CONNECT {"no_responders":true}\r\n', 'No Responders Requires Headers'), ('CONNECT {\r\n', 'Protocol Violation')])
def test_close_reasons(either, data, why):
    server = either('debug: true\n')
    client = server.client(connect=None)
    client.send(data)
    client.wait_closed()
    assert reason(server, client) == why


def test_fast_producer_is_held_back(either):
    """A reader that is slow but reads gets everything from a producer that is faster, since the producer waits."""
    server = either('max_pending: 2MB\n')
    reader, writer = server.client(), server.client()
    reader.send('SUB fast 1\r\n').ping()
    got = [0]
    reader.on_op = lambda op: got.__setitem__(0, got[0] + (op[0] == 'MSG'))
    burst = b'PUB fast 1000\r\n%s\r\n' % (b'f' * 1000) * 100
    for _ in range(100):
        writer.send(burst)
        while writer.unsent and not reader.eof:
            writer.write_some()
            reader.read_some()
        reader.read_some()
    reader.wait(lambda: got[0] == 10000 or reader.eof, '10,000 messages')
    assert got[0] == 10000
