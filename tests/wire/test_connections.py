"""Where connections go: spread over the workers, ids, many of them at once."""
import resource

from collections import Counter


def more_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if hard < 8192 or hard == resource.RLIM_INFINITY else 8192, hard))


def test_thousand_connections_spread_over_four_workers(servers):
    more_files()
    server = servers('', workers=4)
    clients = [server.client() for _ in range(1000)]
    for c in clients:
        c.ping()
    spread = Counter(map(server.worker_of, clients))
    assert server.go or all(225 <= spread[w] <= 275 for w in range(4)), spread


def test_spread_stays_even_when_clients_leave(servers):
    """The clients of one worker leave; the next ones go there."""
    more_files()
    server = servers('', workers=4)
    if server.go:
        return
    clients = [server.client() for _ in range(400)]
    for c in clients:
        c.ping()
    for c in [c for c in clients if server.worker_of(c) == 1]:
        c.close()
    stayed = [c for c in clients if server.worker_of(c) != 1]
    for c in stayed:
        c.ping()
    came = [server.client() for _ in range(100)]
    for c in came:
        c.ping()
    spread = Counter(map(server.worker_of, stayed + came))
    assert all(85 <= spread[w] <= 115 for w in range(4)), spread


def test_client_ids_are_unique(servers):
    server = servers('', workers=4)
    ids = [server.client().id for _ in range(200)]
    assert len(set(ids)) == 200


def test_info_of_each_connection(servers):
    server = servers('', workers=4)
    infos = [server.client(connect=None).info for _ in range(20)]
    assert len({i['server_id'] for i in infos}) == 1 and len({i['server_name'] for i in infos}) == 1
    info = infos[0]
    assert info['server_id'][0] == 'N' and len(info['server_id']) == 56
    assert info['version'] == '2.15.2' and info['proto'] == 1 and info['headers'] is True
    assert info['port'] == server.port and info['client_ip'] == '127.0.0.1'
