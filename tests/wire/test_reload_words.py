"""Reload by its log: from one configuration to another on both servers, the same verdict in the same words."""
import re

import pytest

import harness

AUTH = 'authorization { users: [ { user: a, password: p } ] }\n'
CHANGES = [
    ('max_payload: 1000', 'max_payload: 2000'), ('max_payload: 1000', ''), ('max_control_line: 1000', 'max_control_line: 2000'),
    ('max_connections: 10', 'max_connections: 20'), ('max_connections: 10', ''), ('max_subscriptions: 5', 'max_subscriptions: 6'),
    ('max_subscription_tokens: 5', 'max_subscription_tokens: 6'), ('max_pending: 2MB', 'max_pending: 3MB'), ('ping_interval: "1m"', 'ping_interval: "2m"'),
    ('ping_max: 2', 'ping_max: 3'), ('write_deadline: "1s"', 'write_deadline: "2s"'), ('write_timeout: close', 'write_timeout: retry'),
    ('debug: false', 'debug: true'), ('trace: false', 'trace: true'), ('trace_verbose: false', 'trace_verbose: true'), ('trace_headers: false', 'trace_headers: true'),
    ('logtime: true', 'logtime: false'), ('logtime_utc: false', 'logtime_utc: true'), ('logfile_size_limit: 10000', 'logfile_size_limit: 20000'),
    ('logfile_max_num: 3', 'logfile_max_num: 4'), ('max_traced_msg_len: 10', 'max_traced_msg_len: 20'), ('syslog: false', 'syslog: false'),
    ('pid_file: "a.pid"', 'pid_file: "b.pid"'), ('server_name: a', 'server_name: b'), ('server_name: a', ''), ('server_tags: [a]', 'server_tags: [b]'),
    ('server_metadata: {a: b}', 'server_metadata: {a: c}'), ('client_advertise: "a:1"', 'client_advertise: "b:2"'), ('client_advertise: "a:1"', ''),
    ('lame_duck_duration: "30s"', 'lame_duck_duration: "40s"'), ('lame_duck_grace_period: "1s"', 'lame_duck_grace_period: "2s"'),
    ('no_header_support: false', 'no_header_support: true'), ('disable_sublist_cache: false', 'disable_sublist_cache: true'),
    ('no_fast_producer_stall: false', 'no_fast_producer_stall: true'), ('connect_error_reports: 5', 'connect_error_reports: 6'),
    ('reconnect_error_reports: 5', 'reconnect_error_reports: 6'), ('prof_port: 0', 'prof_port: 0'), ('', 'http: "127.0.0.1:-1"'), ('http_base_path: "/a"', 'http_base_path: "/b"'),
    ('authorization { token: a }', 'authorization { token: b }'), ('', 'authorization { token: b }'), ('authorization { token: a }', ''),
    ('authorization { user: a, password: b }', 'authorization { user: a, password: c }'), ('authorization { user: a, password: b }', 'authorization { user: c, password: b }'),
    ('authorization { timeout: 1 }', 'authorization { timeout: 2 }'), (AUTH, AUTH + 'no_auth_user: a'), (AUTH + 'no_auth_user: a', AUTH), (AUTH, ''),
    (AUTH, 'authorization { users: [ { user: b, password: p } ] }'), ('', AUTH), (AUTH, 'authorization { token: x }'),
    (AUTH, 'authorization { users: [ { user: a, password: p, permissions: { publish: x } } ] }'),
    ('', ''), ('max_payload: 1000', 'max_payload: 1000'), ('max_payload: 1000\nmax_pending: 2MB', 'max_payload: 2000\nmax_pending: 3MB\ndebug: true'),
    ('server_name: a\nmax_payload: 1000', 'server_name: b\nmax_payload: 2000'), ('', 'prt: 1'),
    ('', 'ping_interval: 10'), ('', 'max_payload: 10MB\nmax_pending: 1MB'), ('', 'max_payload: 9MB'), ('', 'authorization { token: x, user: y, password: z }'),
    ('allow_non_tls: false', 'allow_non_tls: false'),
]


def words(server, since):
    """The lines of a reload, without digest, folder, port and what is about a client; all but the first and last in any order."""
    lines = [re.sub(r'sha256:[0-9a-f]{64}', 'sha256', line) for line in server.log_lines(since)]
    lines = [line.replace(server.dir, 'DIR').replace(str(server.port), 'PORT') for line in lines]
    lines = [re.sub(r'^\[\d+\] ', '', line) for line in lines if ' - cid:' not in line and 'SYSTEM' not in line]
    return lines[:1] + sorted(lines[1:-1]) + lines[-1:]


def reload(config, change, binary):
    server = harness.Server(config + '\n', binary=binary, workers=2)
    try:
        before = len(server.log())
        server.write_config(change + '\n')
        server.send_signal(harness.signal.SIGHUP)
        server.wait_log(r'(Reloaded server configuration \(|Failed to reload server configuration: ).*\n', count=1)
        return words(server, before)
    finally:
        server.close()


@pytest.mark.parametrize('old,new', CHANGES)
def test_same_words(old, new):
    expected = reload(old, new, harness.GO)
    assert reload(old, new, harness.natsd_path()) == expected
