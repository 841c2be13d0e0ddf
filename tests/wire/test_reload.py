"""Reload by SIGHUP: what changes live, whom it closes and how, what is refused and by which words."""
import re
import signal

import pytest

import harness
from rawclient import errors, pump


def users(*rows):
    return 'authorization {\n users: [\n%s ]\n}\n' % ''.join('  { user: %s, password: %s%s }\n' % (
        u, p, ', permissions: ' + perms if perms else '') for u, p, perms in rows)


def test_reload_says_so(either):
    server = either('max_payload: 1000\n')
    before = len(server.log())
    server.reload('max_payload: 2000\n')
    lines = server.log_lines(before)
    assert lines[0] == '[INF] Trapped "hangup" signal' and '[INF] Reloaded: max_payload = 2000' in lines
    assert re.match(r'\[INF\] Reloaded server configuration \(sha256:[0-9a-f]{64}\)$', lines[-1])


def test_nothing_changed(either):
    server = either('max_payload: 1000\n')
    server.reload()
    client = server.client()
    client.ping()


@pytest.mark.parametrize('bad', ['max_payload: [\n', 'max_payload: "x"\n', 'unknown_key: 1\n', 'authorization { users: [ { user: a } ] \n'])
def test_broken_file_changes_nothing(either, bad):
    server = either('max_payload: 1000\nauthorization { token: t }\n')
    client = server.client(connect={'auth_token': 't'})
    client.ping()
    server.reload(bad, ok=False)
    client.ping()
    assert server.client(connect={'auth_token': 't'}).info['max_payload'] == 1000


def test_max_payload(either):
    """New connections hear of it, old ones are held to it, and get no INFO."""
    server = either('max_payload: 1000\n')
    old = server.client()
    old.ping()
    server.reload('max_payload: 10\n')
    assert server.client(connect=None).info['max_payload'] == 10
    old.send('PUB a 11\r\nxxxxxxxxxxx\r\n')
    ops = old.wait_closed()
    assert errors(ops) == ['Maximum Payload Violation']
    assert sum(op[0] == 'INFO' for op in ops) <= 1


def test_max_control_line(either):
    server = either('')
    server.reload('max_control_line: 64\n')
    new = server.client(connect='{"verbose":false}')
    new.send('SUB %s 1\r\n' % ('s' * 100))
    assert errors(new.wait_closed()) == ['maximum control line exceeded']


def test_debug_and_trace(either):
    server = either('')
    server.client().ping()
    assert '[DBG]' not in server.log()
    server.reload('debug: true\ntrace: true\n')
    server.client().ping()
    server.wait_log(r'\[DBG\] .*cid:\d+ - Client connection created')
    server.wait_log(r'\[TRC\] .*<<- \[PING\]')
    server.reload('')
    before = len(server.log())
    client = server.client()
    client.ping()
    client.close()
    server.reload()
    assert '[DBG]' not in server.log()[before:].replace('accept loop', '') and '[TRC]' not in server.log()[before:]


def test_token_added_closes_everybody(either):
    server = either('')
    old = server.client()
    old.ping()
    server.reload('authorization { token: t }\n')
    assert errors(old.wait_closed()) == ['Authorization Violation']
    assert errors(server.client().wait_closed()) == ['Authorization Violation']
    server.client(connect={'auth_token': 't'}).ping()


def test_token_removed_keeps_clients(either):
    server = either('authorization { token: t }\n')
    old = server.client(connect={'auth_token': 't'})
    old.ping()
    server.reload('')
    old.ping()
    server.client().ping()


def test_token_changed(either):
    server = either('authorization { token: t }\n')
    old = server.client(connect={'auth_token': 't'})
    old.ping()
    server.reload('authorization { token: u }\n')
    assert errors(old.wait_closed()) == ['Authorization Violation']
    server.client(connect={'auth_token': 'u'}).ping()


def test_single_user_changed_closes_silently(either):
    """BEHAVIOUR, configuration 6: a changed single user or password closes without -ERR."""
    server = either('authorization { user: u, password: p }\n')
    old = server.client(connect={'user': 'u', 'pass': 'p'})
    old.ping()
    server.reload('authorization { user: u, password: q }\n')
    assert errors(old.wait_closed()) in ([], ['Authorization Violation'])
    server.client(connect={'user': 'u', 'pass': 'q'}).ping()


def test_user_removed_and_password_changed(either):
    server = either(users(('a', 'p', None), ('b', 'p', None), ('c', 'p', None)))
    a, b, c = (server.client(connect={'user': u, 'pass': 'p'}) for u in 'abc')
    for x in (a, b, c):
        x.ping()
    server.reload(users(('a', 'p', None), ('b', 'new', None)))
    assert errors(b.wait_closed()) == ['Authorization Violation']
    assert errors(c.wait_closed()) == []
    a.ping()


def test_permissions_taken_away(either):
    """The subscription goes with an -ERR that names its sid; the connection stays; publishing is refused from then on."""
    server = either(users(('a', 'p', None), ('b', 'p', None)))
    a, b = (server.client(connect={'user': u, 'pass': 'p'}) for u in 'ab')
    a.send('SUB keep 1\r\nSUB lose 2\r\nSUB lose q 3\r\n').ping()
    b.ping()
    server.reload(users(('a', 'p', '{ publish: ok, subscribe: keep }'), ('b', 'p', None)))
    a.wait(lambda: len(errors(a.ops)) >= 2 or a.eof, 'two errors')
    assert sorted(errors(a.ping())) == ['Permissions Violation for Subscription to "lose" (sid "2")',
                                        'Permissions Violation for Subscription to "lose" using queue "q" (sid "3")']
    b.send('PUB keep 1\r\nk\r\nPUB lose 1\r\nl\r\n').ping()
    assert [op[2] for op in a.ping() if op[0] == 'MSG'] == [b'1']
    a.send('PUB nok 1\r\nx\r\nPUB ok 1\r\nx\r\n')
    assert errors(a.ping()) == ['Permissions Violation for Publish to "nok"']


def test_permissions_given(either):
    server = either(users(('a', 'p', '{ publish: x, subscribe: x }')))
    a = server.client(connect={'user': 'a', 'pass': 'p'})
    a.send('SUB y 1\r\n')
    assert errors(a.ping()) == ['Permissions Violation for Subscription to "y"']
    server.reload(users(('a', 'p', '{ publish: [x, y], subscribe: [x, y] }')))
    a.send('SUB y 2\r\nPUB y 1\r\nz\r\n')
    assert a.wait_msg()[5] == b'z'


def test_max_connections_lowered(either):
    server = either('max_connections: 10\n')
    clients = [server.client() for _ in range(6)]
    for c in clients:
        c.ping()
    server.reload('max_connections: 2\n')
    pump(clients, lambda: sum(c.eof is not None for c in clients) >= 4, 'four closes')
    gone = [c for c in clients if c.eof]
    assert len(gone) == 4 and all(errors(c.ops) == ['maximum connections exceeded'] for c in gone)
    refused = server.client(connect=None, info=False)
    assert errors(refused.wait_closed()) == ['maximum connections exceeded']


def test_max_connections_raised(either):
    server = either('max_connections: 1\n')
    first = server.client()
    first.ping()
    assert errors(server.client(connect=None, info=False).wait_closed()) == ['maximum connections exceeded']
    server.reload('max_connections: 2\n')

    def gets_in():
        """Not before the server has forgotten the refused one."""
        client = server.client(connect=None, info=False)
        client.send('CONNECT {"verbose":false}\r\nPING\r\n')
        client.wait(lambda: client.eof or any(op[0] == 'PONG' for op in client.ops), 'PONG or the close')
        return not client.eof
    harness.until(gets_in, 'a second connection')


def test_ping_interval(either):
    server = either('ping_interval: "10m"\n')
    client = server.client()
    client.ping()
    server.reload('ping_interval: "100ms"\nping_max: 50\n')
    fresh = server.client()
    fresh.ping()
    for _ in range(3):
        fresh.wait_op('PING')
        fresh.send('PONG\r\n')


def test_auth_timeout(either):
    server = either('authorization { token: t, timeout: 30 }\n')
    server.reload('authorization { token: t, timeout: 0.2 }\n')
    assert errors(server.client(connect=None).wait_closed()) == ['Authentication Timeout']


def test_log_file_added(either, tmp_path):
    server = either('')
    path = tmp_path / 'new.log'
    server.write_config('logfile: "%s"\n' % path)
    server.send_signal(signal.SIGHUP)
    harness.until(lambda: path.exists() and 'Reloaded server configuration' in path.read_text(), 'the new log')
    server.client().ping()


def test_client_advertise(either):
    server = either('client_advertise: "a.example:4222"\n')
    old = server.client()
    old.ping()
    server.reload('client_advertise: "b.example:5222"\n')
    new = server.client()
    assert (new.info['host'], new.info['port']) == ('b.example', 5222)
    assert not [op for op in old.ping() if op[0] == 'INFO']


def test_messages_flow_during_reloads(either):
    """Ten reloads under traffic lose nothing and change no order."""
    server = either('max_payload: 100000\n')
    a, b = server.client(), server.client()
    a.send('SUB flow 1\r\n').ping()
    sent = 0
    for turn in range(10):
        for _ in range(100):
            b.send('PUB flow %d\r\n%d\r\n' % (len(str(sent)), sent))
            sent += 1
        server.reload('max_payload: %d\n' % (100000 + turn))
    b.ping()
    got = [int(op[5]) for op in a.wait_msgs(sent)]
    assert got == list(range(sent))
