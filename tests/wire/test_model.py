"""Random subscriptions, queue groups, limits and publishes over 40 connections and 8 workers against the model.

NATSD_ROUNDS (default 30) and NATSD_SEED choose length and chance.
"""
import os
import signal
from collections import defaultdict

import harness
import model
import pytest

ROUNDS = int(os.environ.get('NATSD_ROUNDS') or 30)
SEED = os.environ.get('NATSD_SEED') or '1'
WORKERS = 8


def test_random_world(servers):
    world = model.World(servers('', workers=WORKERS), 40, SEED)
    for _ in range(ROUNDS):
        world.change_subscriptions(4)
        world.check_round(world.publish(600))
    assert world.deliveries > ROUNDS * 1000


def test_random_world_on_one_worker(servers):
    world = model.World(servers('', workers=1), 10, SEED)
    for _ in range(10):
        world.change_subscriptions(4)
        world.check_round(world.publish(300))


def check_after_kill(world, sent, lost):
    """What holds even in the round of a kill: no duplicates for anybody, and for plain subscriptions on other workers
    order, no holes, and every message of each publisher who is on another worker too."""
    for m in world.members:
        if m.client.eof:
            continue
        got = defaultdict(list)
        for sid, subject, publisher, number in m.received:
            got[sid, publisher].append(number)
        for sid, sub in m.subscriptions.items():
            for publisher, expected in world.expected(sub, sent).items():
                numbers = got[sid, publisher]
                name = 'connection %d sid %d %s %s of %d' % (m.number, sid, sub.pattern, sub.queue, publisher)
                assert len(numbers) == len(set(numbers)) and set(numbers) <= set(expected), '%s: %r' % (name, numbers)
                if not sub.queue and sub.left is None:
                    assert numbers == expected[:len(numbers)], 'a hole: ' + name
                    assert publisher in lost or numbers == expected, 'lost: ' + name
        assert set(s for s, _, _, _ in m.received) <= set(m.subscriptions)


def rejoin(world):
    """Everybody who lost his connection comes back without subscriptions; limits are forgotten by starting anew."""
    for m in list(world.members):
        if m.client.eof:
            world.members[m.number] = world.join(m.number)
        else:
            limited = [s for s in m.subscriptions.values() if s.left is not None]
            for sub in limited:
                del m.subscriptions[sub.sid]
            m.client.send(''.join('UNSUB %d\r\n' % s.sid for s in limited))
    world.settle()


@pytest.mark.parametrize('victims', [(0, 3, 6), (7, 4, 1)])
def test_workers_killed(servers, victims):
    """Three workers of eight die one after the other (five deaths in ten seconds would end the server)."""
    server = servers('', workers=WORKERS)
    if server.go:
        pytest.skip('nats-server has no workers to kill')
    world = model.World(server, 40, SEED)
    for victim in victims:
        world.change_subscriptions(4)
        pid = server.worker_pids()[victim]
        lost = {m.number for m in world.members if server.worker_of(m.client) == victim}
        sent = world.publish(600, during=lambda: os.kill(pid, signal.SIGKILL))
        harness.until(lambda: server.worker_pids().get(victim, pid) != pid, 'a new worker %d' % victim)
        model.pump([m.client for m in world.members], lambda: all(world.members[n].client.eof for n in lost), 'closes')
        assert {m.number for m in world.members if m.client.eof} == lost, 'others than the clients of worker %d closed' % victim
        check_after_kill(world, sent, lost)
        rejoin(world)
        world.change_subscriptions(4)
        world.check_round(world.publish(600))
