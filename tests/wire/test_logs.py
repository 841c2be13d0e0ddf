"""The log, line by line: the same scripts with trace on at both servers, all lines about a client compared.

Format, levels, prefixes, redaction, quoting, truncation are held to nats-server's; only process id, time, addresses
and client numbers are evened out.
"""
import json
import os
import re
import signal
import socket
import time

import pytest

import differential
import harness
import script
from rawclient import DEADLINE

PREFIX = re.compile(r'^\[(\d+)\] \d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d{6} \[(INF|WRN|ERR|DBG|TRC|FTL)\] ')
CASES = script.read(os.path.join(os.path.dirname(os.path.realpath(__file__)), 'logs', 'trace.case'))


def client_lines(text, ids):
    """{place of the client among ids: its lines}, evened out."""
    found = {i: [] for i in range(len(ids))}
    for line in text.splitlines():
        m = re.search(r'(?:127\.0\.0\.1|\[::1\]):\d+ - cid:(\d+) - ', line)
        if m and int(m.group(1)) in ids:
            assert PREFIX.match(line), line
            line = PREFIX.sub(r'[\2] ', line).replace(m.group(0), 'CLIENT ')
            line = re.sub(r'"(server_id|server_name|version|go|git_commit|xkey|nonce)":"[^"]*"', r'"\1":"X"', line)
            line = re.sub(r'"(port|client_id)":\d+', r'"\1":0', line)
            found[ids.index(int(m.group(1)))].append(line)
    return found


def without_chance(lines):
    """Without what is chance (when the server itself sends PING, RTT), of the build (git_commit), or meant: where in
    the read a wrong byte was, the words about bad JSON, and bearer JWTs, which nats-server writes out."""
    out = []
    for line in lines:
        if 'Ping Timer' in line or 'rtt' in line.lower() or '->> [PING]' in line:
            continue
        line = re.sub(r', i=\d+: ', ', i=N: ', line.replace(',"git_commit":"X"', ''))
        line = re.sub(r'"jwt":"[^"]*"', '"jwt":"X"', line)
        out.append(re.sub(r'^(\[ERR\] CLIENT) (unexpected end of JSON|json: |JSON: ).*', r'\1 bad JSON', line))
    return out


@pytest.mark.parametrize('case', CASES, ids=lambda c: c.name)
def test_lines_about_clients(case):
    """natsd hides a CONNECT with escapes in its JSON whole, since a secret could hide behind one."""
    pair = differential.Pair('trace: true\n' + case.config, workers=2)
    try:
        play = differential.Play(pair, case, b'w', True)
        result = play.result()
        assert result.same, str(result)
        sides = []
        for i, server in enumerate(pair.servers):
            server.stop()
            ids = [both[i].ids[0] for both in play.actors.values()]
            lines = client_lines(server.log(), ids)
            sides.append({n: without_chance(lines[n]) for n in lines})
        for n, lines in sides[1].items():
            hidden = [i for i, line in enumerate(lines) if line.endswith('<<- [CONNECT [REDACTED]]')]
            for i in hidden:
                assert '\\' in sides[0][n][i]
                lines[i] = sides[0][n][i]
        assert sides[1] == sides[0]
    finally:
        pair.close()


@pytest.mark.parametrize('options,pattern', [
    ('', r'\[%(pid)d\] \d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d{6} \[INF\] Server is ready'), ('logtime: false\n', r'\[%(pid)d\] \[INF\] Server is ready'),
    ('logtime_utc: true\n', r'\[%(pid)d\] \d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d{6} \[INF\] Server is ready')])
def test_prefix(either, options, pattern):
    server = either(options)
    assert re.search('(?m)^' + pattern % {'pid': server.pid} + '$', server.log()), server.log()


def test_time_in_utc(either):
    before = time.strftime('%Y/%m/%d %H:%M:%S', time.gmtime())
    server = either('logtime_utc: true\n', env={'TZ': 'Asia/Kathmandu'})
    stamp = re.search(r'(?m)^\[\d+\] (\d{4}/\d\d/\d\d \d\d:\d\d:\d\d)\.', server.log()).group(1)
    assert before <= stamp <= time.strftime('%Y/%m/%d %H:%M:%S', time.gmtime()), stamp


def test_rotation(either):
    """At logfile_size_limit the file is put aside under its time, a new one begun, logfile_max_num of them kept."""
    server = either('logfile: "rot.log"\nlogfile_size_limit: 2000\nlogfile_max_num: 3\ndebug: true\n')

    def files():
        return sorted(f for f in os.listdir(server.dir) if f.startswith('rot.log'))
    for _ in range(60):
        client = server.client()
        client.ping()
        client.close()
    harness.until(lambda: len(files()) == 3, 'three files')
    harness.until(lambda: all(os.path.getsize(os.path.join(server.dir, f)) < 3000 for f in files()), 'small files')
    aside = [f for f in files() if f != 'rot.log']
    assert all(re.match(r'rot\.log\.\d{4}\.\d\d\.\d\d\.\d\d\.\d\d\.\d\d\.\d{9}$', f) for f in aside), aside


def test_no_debug_without_being_asked(either):
    server = either('')
    client = server.client()
    client.send('SUB a 1\r\nPUB a 1\r\nx\r\n').ping()
    server.stop(signal.SIGINT)
    assert '[DBG]' not in server.log() and '[TRC]' not in server.log()


@pytest.mark.parametrize('flag,levels', [('-D', {'DBG'}), ('-V', {'TRC'}), ('-DV', {'DBG', 'TRC'}), ('-DVV', {'DBG', 'TRC'})])
def test_flags_of_the_log(either, flag, levels):
    server = either('', args=[flag])
    client = server.client()
    client.send('SUB a 1\r\n').ping()
    client.close()
    server.stop(signal.SIGINT)
    assert {m for m in re.findall(r'\[(DBG|TRC)\]', server.log())} == levels


def test_control_bytes_cannot_forge_lines(either):
    """What a client sends appears quoted; it cannot start a line of its own."""
    server = either('debug: true\ntrace: true\n')
    client = server.client(connect=None)
    client.send('CONNECT {"verbose":false,"name":"x\\n[1] 2026/01/01 00:00:00.000000 [INF] forged","lang":"\\u001b[31m"}\r\n')
    client.send(b'SUB a\x1b[2J\x07 1\r\nJUNK\x00\x1b\r\n')
    client.wait_closed()
    server.wait_log('Client connection closed')
    assert not re.search(r'(?m)^\[1\] 2026', server.log())


def syslog_messages(start, url_of, receive):
    """What a server writes to a remote syslog from its start to its stop, evened out."""
    server = start(url_of)
    server.client().ping()
    server.stop(signal.SIGINT)
    lines = []
    for data in receive(server):
        text = data.decode().rstrip('\n')
        text = re.sub(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)', 'TIME', text).replace('[%d]' % server.pid, '[PID]')
        text = re.sub(r'N[A-Z2-7]{55}', 'ID', text).replace(server.dir, 'DIR').replace(str(server.port), 'PORT')
        lines.append(re.sub(r'sha256:[0-9a-f]{64}', 'sha256', text))
    return [line for line in lines if 'Sandbox' not in line]


def test_remote_syslog_over_udp(servers):
    """The same datagrams as nats-server: priority, time, host, tag and text."""
    sides = []
    for binary in (harness.GO, harness.natsd_path()):
        box = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        box.bind(('127.0.0.1', 0))
        box.settimeout(DEADLINE)
        url = 'udp://127.0.0.1:%d' % box.getsockname()[1]

        def receive(server):
            got = []
            while not got or b'Server Exiting' not in got[-1]:
                got.append(box.recv(65536))
            return got
        sides.append(syslog_messages(lambda u: servers('', binary=binary, args=['-r', u], name='nats-server'), url, receive))
        box.close()
    assert sides[1] == sides[0]


def test_json_log(servers):
    """natsd { log_format: json }: each line an object with time, level and text."""
    server = servers('', natsd_block='log_format: json', workers=2)
    if server.go:
        pytest.skip('an addition of natsd')
    server.client().ping()
    server.stop(signal.SIGINT)
    lines = [json.loads(line) for line in server.log().splitlines()]
    assert len(lines) > 5 and len({tuple(sorted(line)) for line in lines}) <= 2
    assert any('Server is ready' in line.values() for line in lines), lines[:3]
