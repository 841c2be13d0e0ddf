"""/varz, /healthz and the paths around them byte by byte against nats-server, once what must differ is replaced."""
import os
import re
import signal
import socket

import pytest

import harness
from rawclient import DEADLINE

# Values that belong to one server or one moment. http_port: natsd says the port it got, nats-server what was configured.
MOMENT = ['server_id', 'go', 'port', 'http_port', 'start', 'now', 'uptime', 'mem', 'cpu', 'config_load_time', 'config_digest', 'subscriptions']

CONFIGS = {
    'plain': '',
    'limits': 'max_payload: 1000\nmax_connections: 77\nmax_subscriptions: 9\nmax_control_line: 2048\nmax_pending: 123456\nping_interval: "1m30s"\n'
              'ping_max: 5\nwrite_deadline: "3s"\nmax_subscription_tokens: 4\n',
    'write_timeout': 'write_timeout: close\n',
    'write_timeout_retry': 'write_timeout: retry\n',
    'names': 'server_name: "a<b>&\\"c\\"\u00e9"\nserver_tags: ["Az:B", "c", "c", " d "]\nserver_metadata: {zz: "1", aa: "<two>", "m m": ""}\n',
    'flags': 'feature_flags { js_ack_fc_v2: true, js_raft_delete_range: false }\n',
    'auth': 'authorization { user: u, password: p, timeout: 0.5 }\n',
    'auth_whole': 'authorization { user: u, password: p, timeout: 7 }\n',
    'users': 'authorization { users: [{user: u, password: p}] }\n',
    'no_auth_user': 'authorization { users: [{user: u, password: p}] }\nno_auth_user: u\n',
    'advertise': 'client_advertise: "example.org:7000"\n',
    'any_address': 'listen: "0.0.0.0:-1"\n',
    'no_system_account': 'no_system_account: true\n',
    'lame_duck': 'lame_duck_duration: "40s"\nlame_duck_grace_period: "5s"\n',
}

VALUES = ['', '1', 't', 'T', 'TRUE', 'true', 'True', '0', 'f', 'F', 'FALSE', 'false', 'False', 'tRue', 'yes', '2', '%22', '%00', '%ff', '1+1', 'a%20b',
          '%c3%a9', 'x%0d%0ay', '1&details=0', 'y' * 300]
QUERIES = ['?%s=%s' % (name, value) for name in ('js-enabled', 'js-enabled-only', 'js-server-only', 'js-meta-only', 'details') for value in VALUES[:7]]
QUERIES += ['?details=' + value for value in VALUES]
QUERIES += ['?account=A', '?stream=S', '?consumer=C', '?account=A&stream=S', '?account=A&consumer=C', '?stream=S&consumer=C', '?account=&stream=S',
            '?account=A&stream=S&consumer=C', '?stream=S&details=1', '?consumer=C&details=true', '?details=1&account=A&consumer=C', '?stream=',
            '?stream=S;account=A', '?stream=%zz', '?=', '?&&&', '?stream', '?Stream=S', '?s%74ream=S', '?a=b?stream=S', '?stream=S#x', '?js-enabled=x&details=y']
PATHS = ['/', '//', '/.', '/..', '/./', '/x/..', '/x/../', '/healthz', '/healthz/', '/healthz/.', '/healthz/..', '//healthz', '/healthz//', '/Healthz', '/healthz%20',
         '/%2e/healthz', '/%2e%2e/healthz', '/%68%65althz', '/healthz?', '//healthz?', '//healthz?a=b&c=<d>', '/x//y', '/x/./y', '/x/../../y/', '/\u00e9//x', '/a%3f//x',
         '/a"//x', '/a%0d%0ab//x', '/a+b//x', "/a'//x", '/nope', '/varz/x', '/favicon.ico', '/*', '/a:b@c//d', '/~a//b;c,d', '/' + 'y' * 200 + '//x',
         'http://host/healthz', 'http://host', 'HTTP://host//healthz', 'healthz', '*', '/a b', '/\t', '']
METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'FOO', 'get']


def servers(config):
    text = 'http: "127.0.0.1:-1"\n' + ('' if 'server_name' in config else 'server_name: "mon"\n') + config
    return [harness.Server(text, binary=harness.GO), harness.Server(text, workers=2)]


@pytest.fixture(scope='module')
def both():
    pair = servers('')
    yield pair
    for server in pair:
        server.close()


def ask(server, method, target):
    """The answer of a connection of its own: (status line, headers without Date and Connection, body). Chunks are put together."""
    request = '%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' % (method, target)
    with socket.create_connection(('127.0.0.1', server.port_of('monitoring')), DEADLINE) as s:
        s.settimeout(DEADLINE)
        s.sendall(request.encode())
        data = b''
        while True:
            more = s.recv(65536)
            if not more:
                break
            data += more
    head, _, body = data.partition(b'\r\n\r\n')
    lines = head.decode('latin-1').split('\r\n')
    headers = dict(line.split(': ', 1) for line in lines[1:])
    headers.pop('Date', None)
    if headers.pop('Transfer-Encoding', None) == 'chunked':
        whole, rest = b'', body
        while rest:
            size, _, rest = rest.partition(b'\r\n')
            whole, rest = whole + rest[:int(size, 16)], rest[int(size, 16) + 2:]
        body = whole
        headers['Content-Length'] = str(len(body))
    return lines[0], headers, body


def normal(page):
    """/varz with what must differ replaced; our own field at the end taken out."""
    text = re.sub(r',\n  "sandbox": "[^"\n]*"(?=\n})', '', page.decode())
    for name in MOMENT:
        text = re.sub(r'(?m)^(  "%s": )(.*?)(,?)$' % name, r'\1X\3', text)
    return text


@pytest.mark.parametrize('name', CONFIGS)
def test_varz_bytes(name):
    pair = servers(CONFIGS[name])
    try:
        for _ in range(2):
            for server in pair:
                assert ask(server, 'GET', '/healthz')[0] == 'HTTP/1.1 200 OK'
            theirs, ours = (ask(server, 'GET', '/varz') for server in pair)
            assert normal(ours[2]) == normal(theirs[2])
            assert ours[0] == theirs[0]
            for answer in (theirs, ours):
                assert int(answer[1].pop('Content-Length')) == len(answer[2])
            assert ours[1] == theirs[1]
    finally:
        for server in pair:
            server.close()


def test_varz_formats(both):
    """What is replaced above has at least the same form."""
    forms = {'start': r'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z"', 'now': r'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z"', 'uptime': r'"(\d+m)?\d+s"',
             'mem': r'[1-9]\d+', 'cpu': r'\d+(\.\d)?', 'subscriptions': r'\d+', 'config_digest': r'"sha256:[0-9a-f]{64}"',
             'config_load_time': r'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z"', 'server_id': r'"N[A-Z2-7]{55}"'}
    for server in both:
        page = ask(server, 'GET', '/varz')[2].decode()
        for name, form in forms.items():
            assert re.search(r'(?m)^  "%s": %s,?$' % (name, form), page), (name, page)
    assert re.search(r'"sandbox": ".+"', page) or both[1].go


def test_varz_digest_and_reload():
    """The digest is nats-server's, and a reload gives new values, a new load time, and the same start."""
    config = 'http: "127.0.0.1:-1"\nserver_name: "mon"\nlisten: "127.0.0.1:-1"\nmax_payload: %d\n'
    pair = [harness.Server(config % 1000, binary=harness.GO), harness.Server(config % 1000)]
    try:
        field = lambda page, name: re.search(r'(?m)^  "%s": (.*?),?$' % name, page).group(1)
        before = [ask(server, 'GET', '/varz')[2].decode() for server in pair]
        assert field(before[0], 'config_digest') == field(before[1], 'config_digest')
        for server in pair:
            server.reload(config % 2000)
        after = [ask(server, 'GET', '/varz')[2].decode() for server in pair]
        assert field(after[0], 'config_digest') == field(after[1], 'config_digest') != field(before[0], 'config_digest')
        for old, new in zip(before, after):
            assert field(new, 'max_payload') == '2000' and field(old, 'max_payload') == '1000'
            assert field(new, 'config_load_time') > field(old, 'config_load_time') and field(new, 'start') == field(old, 'start')
    finally:
        for server in pair:
            server.close()


def test_varz_counts_all_workers():
    """Connections, messages and subscriptions over four workers are added up as one server's."""
    pair = [harness.Server('http: "127.0.0.1:-1"\n', binary=harness.GO), harness.Server('http: "127.0.0.1:-1"\n', workers=4)]
    try:
        pages = []
        for server in pair:
            clients = [c for place in server.clients_by_worker(2) for c in place]
            total = len(clients)
            clients += [server.client() for _ in range(8 - total)]
            for number, client in enumerate(clients):
                client.send('SUB many.%d 1\r\nSUB many.> 2\r\n' % number).ping()
            for number, client in enumerate(clients):
                client.send('PUB many.%d 5\r\nhello\r\n' % number)
            for client in clients:
                client.wait_msgs(9)
            pages.append(ask(server, 'GET', '/varz')[2].decode())
        for name in ('connections', 'in_msgs', 'in_bytes', 'in_client_msgs', 'in_client_bytes', 'out_msgs', 'out_bytes', 'out_client_msgs', 'out_client_bytes'):
            theirs, ours = (re.search(r'(?m)^  "%s": (\d+)' % name, page).group(1) for page in pages)
            assert ours == theirs, name
        assert re.search(r'"subscriptions": (\d+)', pages[1]).group(1) == '16'
    finally:
        for server in pair:
            server.close()


@pytest.mark.parametrize('query', QUERIES)
def test_healthz_bytes(both, query):
    assert ask(both[1], 'GET', '/healthz' + query) == ask(both[0], 'GET', '/healthz' + query)


@pytest.mark.parametrize('path', PATHS)
@pytest.mark.parametrize('method', ['GET', 'POST'])
def test_paths_bytes(both, method, path):
    theirs, ours = ask(both[0], method, path), ask(both[1], method, path)
    if theirs[2].startswith(b'<html'):
        # The root page is our own.
        theirs, ours = ((answer[0], answer[1]['Content-Type'], answer[2][:0]) for answer in (theirs, ours))
    assert ours == theirs


@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize('path', ['/healthz', '/nope', '//healthz', '/healthz?details=x'])
def test_methods_bytes(both, method, path):
    theirs, ours = ask(both[0], method, path), ask(both[1], method, path)
    if method == 'HEAD' and 'Content-Length' not in theirs[1]:
        ours[1].pop('Content-Length')
    assert ours == theirs


@pytest.mark.parametrize('base', ['/nats', 'nats', '/nats/', '/a//b/../c', '/'])
def test_base_path_bytes(base):
    pair = servers('http_base_path: "%s"\n' % base)
    try:
        clean = {'/nats/': '/nats', 'nats': '/nats', '/a//b/../c': '/a/c', '/': ''}.get(base, base)
        for path in (clean + '/healthz', clean + '/varz/', clean or '/', clean + '/', '/healthz', '/', '/nats', clean + '//healthz', clean + 'healthz'):
            theirs, ours = (ask(server, 'GET', path) for server in pair)
            if theirs[2].startswith(b'<html'):
                assert (ours[0], ours[1]['Content-Type']) == (theirs[0], theirs[1]['Content-Type'])
            else:
                assert ours == theirs, path
        theirs, ours = (ask(server, 'GET', clean + '/varz') for server in pair)
        assert normal(ours[2]) == normal(theirs[2])
    finally:
        for server in pair:
            server.close()


def test_root_page_links_answer(both):
    """Every link of the root page leads to a page that is there."""
    page = ask(both[1], 'GET', '/')[2].decode()
    links = re.findall(r'href="\.([^"]*)"', page)
    assert '/varz' in links and '/healthz' in links
    for link in links:
        assert ask(both[1], 'GET', link)[0] == 'HTTP/1.1 200 OK'


def test_lame_duck_is_unhealthy():
    """In lame duck mode there is no listener for clients any more: 500 from both, with and without details."""
    config = 'http: "127.0.0.1:-1"\nlame_duck_duration: "30s"\nlame_duck_grace_period: "20s"\n'
    pair = [harness.Server(config, binary=harness.GO), harness.Server(config, workers=2)]
    try:
        for server in pair:
            server.client().ping()
            server.process.send_signal(signal.SIGUSR2)
            harness.until(lambda: ask(server, 'GET', '/healthz')[0] != 'HTTP/1.1 200 OK', 'lame duck')
        for path in ('/healthz', '/healthz?details=1', '/healthz?js-server-only=1'):
            assert ask(pair[1], 'GET', path) == ask(pair[0], 'GET', path)
    finally:
        # nats-server in lame duck mode does not listen to SIGTERM.
        for server in pair:
            server.stop(signal.SIGKILL)
            server.close()


def test_watch_worker_killed():
    """The worker that serves monitoring dies: the next one serves it on the same port, and totals go on from where they were."""
    with harness.Server('http: "127.0.0.1:-1"\n', workers=2) as server:
        field = lambda name: int(re.search(r'(?m)^  "%s": (\d+)' % name, ask(server, 'GET', '/varz')[2].decode()).group(1))
        clients = [c for place in server.clients_by_worker(2) for c in place]
        for client in clients:
            client.send('PUB a 5\r\nhello\r\n').ping()
        before = {name: field(name) for name in ('total_connections', 'in_msgs', 'in_bytes', 'connections')}
        assert before['in_msgs'] == 4 and before['connections'] == 4
        pid = server.worker_pids()[0]
        os.kill(pid, signal.SIGKILL)

        def answers():
            try:
                return ask(server, 'GET', '/healthz')[2] == b'{"status":"ok"}'
            except (OSError, ValueError):
                return False
        harness.until(lambda: server.worker_pids().get(0, pid) != pid, 'a new worker')
        harness.until(answers, 'monitoring')
        harness.until(lambda: field('connections') == 2, 'two connections')
        assert field('in_msgs') == before['in_msgs'] and field('total_connections') >= before['total_connections']


def test_flood_of_connections_keeps_clients_served(both):
    """Far more monitoring connections than natsd keeps: clients notice nothing, and monitoring answers afterwards."""
    server = both[1]
    client = server.client()
    crowd = []
    try:
        for _ in range(400):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(('127.0.0.1', server.port_of('monitoring')))
            crowd.append(s)
            if len(crowd) % 50 == 0:
                client.ping()
    finally:
        for s in crowd:
            s.close()
    client.ping()
    assert ask(server, 'GET', '/healthz')[2] == b'{"status":"ok"}'
