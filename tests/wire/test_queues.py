"""Queue groups over all workers: a fair draw, one receiver for each message, limits of UNSUB exact."""
from collections import Counter

import pytest

from rawclient import pump

MESSAGES = 100000
# 99.999 % quantiles of chi-square by degrees of freedom: a fair draw fails once in 100,000 runs.
CHI_SQUARE = {9: 39.3, 3: 25.9}


def chi_square(counts):
    even = sum(counts) / len(counts)
    return sum((n - even) ** 2 / even for n in counts)


def members_on(server, numbers):
    """Clients by worker, numbers[i] of them on worker i."""
    found = server.clients_by_worker(max(numbers) if server.workers else sum(numbers))
    if len(found) == 1:
        return [c for clients in found for c in clients[:sum(numbers)]]
    return [c for clients, n in zip(found, numbers) for c in clients[:n]]


def count_on(clients):
    """Counters of arrived messages, one for each client."""
    counts = Counter()
    for c in clients:
        def take(op, c=c):
            if op[0] == 'MSG':
                counts[c] += 1
            elif op[0] == 'PONG':
                counts[c, 'pong'] += 1
        c.on_op = take
    return counts


def settle(clients, counts):
    before = {c: counts[c, 'pong'] for c in clients}
    for c in clients:
        c.send('PING\r\n')
    pump(clients, lambda: all(counts[c, 'pong'] > before[c] for c in clients), 'all PONGs', 60)


@pytest.mark.parametrize('publisher_worker', [0, 3])
def test_fair_draw(servers, publisher_worker):
    server = servers('', workers=4)
    members = members_on(server, [4, 3, 2, 1])
    counts = count_on(members)
    for c in members:
        c.send('SUB draw grp 1\r\n')
    settle(members, counts)
    publisher = server.clients_by_worker(1)[0 if server.go else publisher_worker][0]
    publisher.on_op = lambda op: counts.update([(publisher, 'pong')] if op[0] == 'PONG' else [])
    burst = b'PUB draw 4\r\nabcd\r\n' * 1000
    for _ in range(MESSAGES // 1000):
        publisher.send(burst)
        pump([publisher] + members, lambda: not publisher.unsent, 'sending')
    settle([publisher], counts)
    settle(members, counts)
    got = [counts[c] for c in members]
    assert sum(got) == MESSAGES, got
    assert chi_square(got) < CHI_SQUARE[len(got) - 1], 'chi-square %.1f of %r' % (chi_square(got), got)


def test_fair_draw_over_two_patterns(servers):
    """A group is its name over all patterns that match: four members on three patterns share evenly."""
    server = servers('', workers=4)
    members = members_on(server, [1, 1, 1, 1])
    counts = count_on(members)
    for c, pattern in zip(members, ('two.a', 'two.*', 'two.>', 'two.a')):
        c.send('SUB %s grp 1\r\n' % pattern)
    settle(members, counts)
    publisher = server.client()
    for _ in range(20):
        publisher.send(b'PUB two.a 1\r\nx\r\n' * 1000)
        publisher.ping()
    settle(members, counts)
    got = [counts[c] for c in members]
    assert sum(got) == 20000 and chi_square(got) < CHI_SQUARE[3], got


def test_limit_is_exact_over_workers(servers):
    """Publishers on all workers race towards one subscription with a limit."""
    server = servers('', workers=4)
    publishers = [c for clients in server.clients_by_worker(2) for c in clients]
    counts = count_on(publishers)
    for turn in range(100):
        taker = server.client()
        limit = turn * 7 % 90 + 1
        taker.send('SUB limit.%d 1\r\nUNSUB 1 %d\r\n' % (turn, limit))
        taker.ping()
        for p in publishers:
            p.send(b'PUB limit.%d 1\r\nx\r\n' % turn * 20)
        settle(publishers, counts)
        got = [op for op in taker.ping() if op[0] == 'MSG']
        assert len(got) == limit, 'turn %d: %d messages, limit %d' % (turn, len(got), limit)
        taker.close()


def test_queue_limit_is_exact_over_workers(servers):
    """Members with limits leave one after the other; nothing is lost while an unlimited one is there."""
    server = servers('', workers=4)
    by_worker = server.clients_by_worker(3)
    publishers = [clients[0] for clients in by_worker]
    members = [c for clients in by_worker for c in clients[1:]] if len(by_worker) > 1 else by_worker[0][1:]
    counts = count_on(publishers + members)
    for turn in range(50):
        before = {c: counts[c] for c in members}
        limits = [None] + [turn % 17 + i + 1 for i in range(len(members) - 1)]
        for c, limit in zip(members, limits):
            c.send('SUB ql.%d grp %d\r\n' % (turn, turn + 1) + ('UNSUB %d %d\r\n' % (turn + 1, limit) if limit else ''))
        settle(members, counts)
        for p in publishers:
            p.send(b'PUB ql.%d 1\r\nx\r\n' % turn * 100)
        settle(publishers, counts)
        # A message that meets a member which is gone is handed on, maybe more than once: that takes turns of other workers.
        for _ in range(20):
            settle(members, counts)
            got = [counts[c] - before[c] for c in members]
            if sum(got) >= 100 * len(publishers):
                break
        assert sum(got) == 100 * len(publishers), 'turn %d: %r of limits %r' % (turn, got, limits)
        assert all(limit is None or n <= limit for n, limit in zip(got, limits)), (got, limits)


def test_members_come_and_go(servers):
    """While members join and leave, each message goes to exactly one as long as one stays."""
    server = servers('', workers=4)
    by_worker = server.clients_by_worker(2)
    everyone = [c for clients in by_worker for c in clients]
    stay, others = everyone[0], everyone[1:]
    publisher = server.client()
    counts = count_on(everyone + [publisher])
    stay.send('SUB churn grp 1\r\n')
    settle([stay], counts)
    for turn in range(300):
        c = others[turn % len(others)]
        c.send(b'SUB churn grp 1\r\n' if turn // len(others) % 2 == 0 else b'UNSUB 1\r\n')
        publisher.send(b'PUB churn 1\r\nx\r\n' * 50)
        pump(everyone + [publisher], lambda: True)
    settle([publisher], counts)
    settle(everyone, counts)
    assert sum(counts[c] for c in everyone) == 300 * 50
