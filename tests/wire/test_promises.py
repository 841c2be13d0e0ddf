"""The two promises of ARCHITECTURE 2, from outside: many rounds over clients on different workers.

    What I subscribed is on when PONG comes.          test_subscribed_when_pong_comes
    What caused my message comes before it.           test_cause_before_effect

NATSD_PROMISES (default 20,000) is the number of rounds of each.
"""
import os
import random

import pytest

from rawclient import DEADLINE, pump

ROUNDS = int(os.environ.get('NATSD_PROMISES') or 20000)


@pytest.fixture(params=['quiet', 'noise'])
def world(request, servers):
    """A server with 8 workers; with noise two clients on each worker fill the rings with what nobody in the test wants."""
    server = servers('', workers=8)
    noise = []
    if request.param == 'noise':
        noise = [c for clients in server.clients_by_worker(1) for c in clients]
        for c in noise:
            c.send('SUB noise.x.%d 1\r\n' % (c.id % 4))
            c.ping()
            c.on_op = lambda op: None
    return server, noise


def make_noise(noise, chance):
    for c in noise:
        if len(c.unsent) < 100000 and chance.random() < 0.2:
            c.send(b'PUB noise.x.%d 2000\r\n%s\r\n' % (chance.randrange(4), b'n' * 2000) * 5)


def test_subscribed_when_pong_comes(world):
    """A subscribes and sees PONG; only then B, on another worker, publishes; A must get it."""
    server, noise = world
    by_worker = server.clients_by_worker(4)
    chance = random.Random(1)
    clients = [(w, c) for w, some in enumerate(by_worker) for c in some]
    takers, givers = clients[:len(clients) // 2], clients[len(clients) // 2:]
    state = {'started': 0, 'done': 0, 'missing': 0}
    waiting = {}

    def start(c, i):
        """The next round of taker c: a new subject, the old one given up."""
        n = state['started']
        state['started'] += 1
        waiting[c] = n
        c.send('UNSUB %d\r\nSUB p.%d %d\r\nPING\r\n' % (i, n, n))

    def taker(c, w):
        round_of = {'n': None}

        def take(op):
            if op[0] == 'PONG':
                round_of['n'] = waiting[c]
                giver = chance.choice([g for v, g in givers if v != w or len(by_worker) == 1])
                giver.send(b'PUB p.%d 1\r\nx\r\nPING\r\n' % round_of['n'])
                asked.setdefault(giver, []).append((c, round_of['n']))
            elif op[0] == 'MSG':
                assert int(op[2]) == waiting[c], 'a message of an old round'
                got.add(int(op[2]))
                state['done'] += 1
                if state['started'] < ROUNDS:
                    start(c, waiting[c])
        return take

    asked, got = {}, set()
    for w, c in takers:
        c.on_op = taker(c, w)
    for _, g in givers:
        g.on_op = lambda op: None
    for _, c in takers:
        start(c, 0)

    def finished():
        make_noise(noise, chance)
        return state['done'] >= ROUNDS
    everyone = [c for _, c in clients] + noise
    try:
        pump_until(everyone, finished)
    except TimeoutError:
        lost = sorted(set(range(state['started'])) - got)
        raise AssertionError('%d of %d rounds done, never delivered: %r' % (state['done'], ROUNDS, lost[:10]))


def pump_until(clients, condition):
    """pump, with a deadline for some turns at a time, so that it is about progress and not about speed."""
    while not condition():
        turns = iter(range(2000))
        pump(clients, lambda: condition() or next(turns, None) is None, 'rounds', DEADLINE)


def test_cause_before_effect(world):
    """A publishes cause, B answers it with effect; C, on a third worker, must see cause first, each time."""
    server, noise = world
    by_worker = server.clients_by_worker(3)
    chance = random.Random(2)
    workers = len(by_worker)
    triples = []
    for i in range(8):
        pick = [by_worker[(i + k) % workers][k] for k in range(3)] if workers >= 3 else [server.client() for _ in range(3)]
        triples.append(pick)
    state = {'done': 0, 'started': 0}

    def play(number, a, b, c):
        seen = {'cause': -1}

        def effect(op):
            if op[0] == 'MSG':
                b.send(b'PUB e.%d %d\r\n%s\r\n' % (number, len(op[5]), op[5]))

        def watch(op):
            if op[0] != 'MSG':
                return
            kind, n = op[1][:1], int(op[5])
            if kind == b'c':
                assert n == seen['cause'] + 1, 'cause %d after %d' % (n, seen['cause'])
                seen['cause'] = n
            else:
                assert n <= seen['cause'], 'effect %d came before its cause (last cause %d)' % (n, seen['cause'])
                state['done'] += 1
                if state['started'] < ROUNDS:
                    state['started'] += 1
                    a.send(b'PUB c.%d %d\r\n%d\r\n' % (number, len(str(n + 1)), n + 1))
        b.send('SUB c.%d 1\r\n' % number).ping()
        c.send('SUB *.%d 1\r\n' % number).ping()
        b.on_op, c.on_op = effect, watch

    for number, (a, b, c) in enumerate(triples):
        play(number, a, b, c)
    for number, (a, _, _) in enumerate(triples):
        state['started'] += 1
        a.send(b'PUB c.%d 1\r\n0\r\n' % number)

    def finished():
        make_noise(noise, chance)
        return state['done'] >= ROUNDS
    pump_until([x for t in triples for x in t] + noise, finished)
