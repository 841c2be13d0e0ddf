"""What an operator and a launcher see: files, signals, exit codes, lame duck, drain."""
import json
import os
import re
import signal
import socket
import subprocess

import pytest

import harness
from harness import until
from rawclient import DEADLINE, errors

LAME_DUCK = 'lame_duck_duration: "30s"\nlame_duck_grace_period: "100ms"\n'


def test_ports_file(either):
    server = either('http: "127.0.0.1:-1"\n', name='nats-server')
    path = server.ports_file()
    text = open(path).read()
    ports = json.loads(text)
    assert text == '{"nats":["nats://127.0.0.1:%d"],"monitoring":["http://127.0.0.1:%d"]}' % (
        server.port_of('nats'), server.port_of('monitoring'))
    assert os.path.basename(path) == 'nats-server_%d.ports' % server.process.pid and list(ports) == ['nats', 'monitoring']
    assert server.stop() == 0
    assert not os.path.exists(path)


def test_pid_file(either):
    server = either('pid_file: "a.pid"\n')
    path = os.path.join(server.dir, 'a.pid')
    assert open(path).read() == str(server.process.pid)
    assert os.stat(path).st_mode & 0o777 in (0o600, 0o644)


@pytest.mark.parametrize('number,code,said', [
    (signal.SIGINT, 0, 'Trapped "interrupt" signal'), (signal.SIGTERM, 0, 'Trapped "terminated" signal')])
def test_stop_signals(either, number, code, said):
    server = either('')
    client = server.client()
    client.ping()
    assert server.stop(number) == code
    lines = [line for line in server.log_lines() if 'accept loop' not in line]
    assert ['[INF] ' + said, '[INF] Initiating Shutdown...', '[INF] Server Exiting..'] == lines[-3:]


def test_stop_flushes_what_is_pending(either):
    """A subscriber that did not read yet gets all that was published before SIGTERM."""
    server = either('')
    reader = server.client()
    reader.send('SUB much 1\r\n').ping()
    writer = server.client()
    for _ in range(60):
        writer.send(b'PUB much 50000\r\n%s\r\n' % (b'm' * 50000))
    writer.ping()
    server.send_signal(signal.SIGTERM)
    reader.wait(lambda: reader.eof, 'the close')
    got = sum(op[0] == 'MSG' for op in reader.ops)
    assert server.wait_exit() == 0
    assert got == 60 or server.go, '%d of 60 messages' % got


def test_same_port_at_once_after_kill(either):
    server = either('')
    port = server.port
    server.process.kill()
    server.process.wait()
    again = either('listen: "127.0.0.1:%d"\n' % port)
    assert again.port == port


def test_port_taken(either):
    first = either('')
    second = either('listen: "127.0.0.1:%d"\n' % first.port, wait=False)
    assert second.wait_exit() == 1
    assert re.search(r'\[FTL\] Error listening on port: 127.0.0.1:%d, .*address already in use' % first.port, second.log()), second.log()


def test_lame_duck(either):
    server = either(LAME_DUCK)
    old = server.client()
    old.ping()
    deaf = server.client(protocol=0)
    deaf.ping()
    server.send_signal(signal.SIGUSR2)
    server.wait_log('Entering lame duck mode, stop accepting new clients')
    info = json.loads(old.wait_op('INFO')[1]) if not old.ops else None
    infos = [json.loads(op[1]) for op in old.ops if op[0] == 'INFO']
    old.wait(lambda: old.eof, 'the close', 5 * DEADLINE)
    infos += [json.loads(op[1]) for op in old.ops if op[0] == 'INFO'] + ([info] if info else [])
    assert any(i.get('ldm') is True for i in infos), infos
    assert server.wait_exit(5 * DEADLINE) == 0
    assert [line for line in server.log_lines() if 'accept loop' not in line][-5:] == [
        '[INF] Trapped "user defined signal 2" signal', '[INF] Entering lame duck mode, stop accepting new clients',
        '[INF] Closing existing clients', '[INF] Initiating Shutdown...', '[INF] Server Exiting..']
    assert not any(op[0] == 'INFO' and b'ldm' in op[1] for op in deaf.wait_closed())


def test_lame_duck_refuses_new_clients(either):
    server = either('lame_duck_duration: "30s"\nlame_duck_grace_period: "20s"\n')
    old = server.client()
    old.ping()
    server.send_signal(signal.SIGUSR2)
    server.wait_log('Entering lame duck mode')
    old.wait(lambda: any(op[0] == 'INFO' and b'"ldm":true' in op[1] for op in old.ops), 'INFO with ldm')

    def refused():
        try:
            socket.create_connection(('127.0.0.1', server.port), 1).close()
        except ConnectionRefusedError:
            return True
        return False
    until(refused, 'refusal of new connections')
    server.send_signal(signal.SIGTERM)
    server.wait_log('Trapped "terminated" signal')
    old.send('SUB still 1\r\nPUB still 2\r\nhi\r\n')
    assert old.wait_msg()[5] == b'hi', 'SIGTERM cut the lame duck short'
    assert server.stop(signal.SIGINT) == 0


def test_lame_duck_without_clients_ends_at_once(either):
    server = either(LAME_DUCK)
    server.send_signal(signal.SIGUSR2)
    assert server.wait_exit() == 0


def test_reopen_log(either):
    server = either('logfile: "log.txt"\n')
    path = os.path.join(server.dir, 'log.txt')
    assert os.stat(path).st_mode & 0o777 == 0o640
    assert 'Server is ready' in open(path).read() and 'Server is ready' not in server.log()
    os.rename(path, path + '.old')
    server.send_signal(signal.SIGUSR1)
    until(lambda: os.path.exists(path) and 'File log re-opened' in open(path).read(), 'the new log')
    client = server.client()
    client.ping()
    assert server.stop() == 0
    assert 'Initiating Shutdown' in open(path).read() and 'Initiating Shutdown' not in open(path + '.old').read()


def signal_command(server, *words):
    return subprocess.run([server.argv[0], *words], capture_output=True, text=True, timeout=DEADLINE, cwd=server.dir)


@pytest.mark.parametrize('by_file', [False, True])
def test_signal_command(either, by_file):
    """--signal reload, reopen, ldm and the stops, by process id and by pid file."""
    server = either('pid_file: "a.pid"\nlogfile: "log.txt"\n' + LAME_DUCK, name='nats-server')
    target = os.path.join(server.dir, 'a.pid') if by_file else str(server.pid)
    path = os.path.join(server.dir, 'log.txt')

    def said(text):
        until(lambda: text in open(path).read(), text)
    for command, text in (('reload', 'Reloaded server configuration'), ('reopen', 'File log re-opened'), ('ldm', 'Entering lame duck mode')):
        done = signal_command(server, '--signal', '%s=%s' % (command, target))
        assert (done.returncode, done.stdout, done.stderr) == (0, '', ''), command
        said(text)
    assert server.wait_exit() == 0


@pytest.mark.parametrize('command,code', [('quit', 0), ('term', 0), ('stop', -signal.SIGKILL)])
def test_signal_command_ends(either, command, code):
    server = either('', name='nats-server')
    children = harness.children(server.pid)
    assert signal_command(server, '-sl', '%s=%d' % (command, server.pid)).returncode == 0
    assert server.wait_exit() == code
    until(lambda: not any(os.path.exists('/proc/%d' % pid) for pid in children), 'the end of the children')


def test_names_of_children(either):
    """Nobody but the server itself answers to pgrep nats-server."""
    server = either('', name='nats-server')
    titles = harness.children(server.pid)
    assert server.go or len(titles) >= 4, titles
    assert not any('nats-server' in title for title in titles.values()), titles
    for pid in titles:
        assert 'nats-server' not in open('/proc/%d/comm' % pid).read()


def test_flags_over_the_file(either):
    server = either('server_name: "from_file"\nmax_payload: 1000\n', args=['-n', 'from_flag', '-D'])
    assert server.client().info['server_name'] == 'from_flag'
    server.wait_log(r'\[DBG\]')


@pytest.mark.parametrize('args,connect,good', [
    (['-auth', 't'], {'auth_token': 't'}, True), (['-auth', 't'], {}, False), (['--user', 'u', '--pass', 'p'], {'user': 'u', 'pass': 'p'}, True),
    (['--user', 'u', '--pass', 'p'], {'user': 'u', 'pass': 'x'}, False)])
def test_login_by_flags(either, args, connect, good):
    server = either('', args=args)
    client = server.client(connect=connect)
    if good:
        client.ping()
    else:
        assert errors(client.wait_closed()) == ['Authorization Violation']


def test_secrets_not_in_argv(either):
    server = either('', args=['-auth', 'verysecret'])
    line = open('/proc/%d/cmdline' % server.pid, 'rb').read()
    assert server.go or b'verysecret' not in line


def test_start_and_listening_lines(either):
    server = either('http: "127.0.0.1:-1"\nserver_name: "lines"\n')
    log = server.log()
    assert re.search(r'(?m)^\[%d\] \d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d{6} \[INF\] Starting nats-server$' % server.pid, log), log
    lines = server.log_lines()
    assert '[INF] Listening for client connections on 127.0.0.1:%d' % server.port in lines
    assert '[INF] Starting http monitor on 127.0.0.1:%d' % server.port_of('monitoring') in lines
    assert lines.index('[INF] Server is ready') > lines.index('[INF] Listening for client connections on 127.0.0.1:%d' % server.port)
    assert '[INF]   Version:  2.15.2' in lines and '[INF]   Name:     lines' in lines
    assert any(re.match(r'\[INF\]   ID:       N[A-Z2-7]{55}$', line) for line in lines)
    assert any(re.match(r'\[INF\] Using configuration file: .* \(sha256:[0-9a-f]{64}\)$', line) for line in lines)


def test_not_yet_there_is_refused_by_name():
    """A configuration that asks for what is missing stops the start with one line that names the key."""
    if harness.is_go(harness.natsd_path()):
        pytest.skip('about natsd alone')
    for key, text in (('jetstream', 'jetstream: true\n'), ('cluster', 'cluster { listen: "127.0.0.1:-1" }\n'), ('leafnodes', 'leafnodes { port: -1 }\n'),
                      ('gateway', 'gateway { name: a, listen: "127.0.0.1:-1" }\n'), ('websocket', 'websocket { port: -1, no_tls: true }\n'),
                      ('mqtt', 'mqtt { port: -1 }\n')):
        server = harness.Server(text, wait=False)
        assert server.wait_exit() == 1
        assert key in server.log() and len(server.log().splitlines()) <= 8, server.log()
        server.close()
