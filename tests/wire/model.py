"""A brute-force model of core NATS: who must receive what, and a checker of what was received.

The world runs in rounds. In a round many connections change their subscriptions, all of them see a PONG, then many
connections publish at once without waiting for each other, all see a PONG again, and the books are compared:
plain subscriptions exactly once and in order for each publisher, queue groups one member for each message,
limits of UNSUB to the message, nothing else.
"""
import itertools
import random
from collections import Counter, defaultdict

from rawclient import DEADLINE, pump

TOKENS = ('a', 'b', 'c')
SUBJECTS = ['.'.join(t) for n in (1, 2, 3) for t in itertools.product(TOKENS, repeat=n)]


def matches(pattern, subject):
    """The definition: * is one token, > is one or more at the end."""
    p, s = pattern.split('.'), subject.split('.')
    if p[-1] == '>':
        return len(s) >= len(p) and all(x in ('*', y) for x, y in zip(p[:-1], s))
    return len(p) == len(s) and all(x in ('*', y) for x, y in zip(p, s))


class Subscription:
    def __init__(self, member, sid, pattern, queue, most):
        self.member, self.sid, self.pattern, self.queue, self.left = member, sid, pattern, queue, most
        self.subjects = {s for s in SUBJECTS if matches(pattern, s)}


class Member:
    """One connection with its subscriptions; received holds (sid, subject, publisher, number) of this round."""

    def __init__(self, client, number, echo):
        self.client, self.number, self.echo = client, number, echo
        self.subscriptions = {}
        self.next_sid = 1
        self.received = []
        self.pongs = 0
        self.pings = 0
        client.on_op = self.take

    def take(self, op):
        if op[0] == 'MSG':
            publisher, number = op[5].split()[:2]
            self.received.append((int(op[2]), op[1].decode()[2:], int(publisher), int(number)))
        elif op[0] == 'PONG':
            self.pongs += 1
        elif op[0] == '-ERR':
            raise AssertionError('-ERR %r' % (op[1],))

    def ping(self):
        self.client.send(b'PING\r\n')
        self.pings += 1


class World:
    """members of one server, random acts drawn from the seed, and the comparison."""

    def __init__(self, server, connections, seed):
        self.server, self.random = server, random.Random(seed)
        self.members = [self.join(i) for i in range(connections)]
        self.published = 0
        self.deliveries = 0

    def join(self, number):
        echo = number % 5 != 0
        return Member(self.server.client(echo=echo), number, echo)

    def alive(self):
        return [m for m in self.members if m.client.eof is None]

    def settle(self, who=None):
        """Everyone's PING is answered (or, in a round with a kill, the connection is gone)."""
        who = who or self.members
        for m in who:
            if m.client.eof is None:
                m.ping()
        pump([m.client for m in self.members], lambda: all(m.pongs >= m.pings or m.client.eof for m in who), 'all PONGs', DEADLINE * 3)

    def pattern(self):
        tokens = [self.random.choice(TOKENS + ('*',)) for _ in range(self.random.randrange(1, 4))]
        if self.random.random() < 0.25:
            tokens[-1] = '>'
        return '.'.join(tokens)

    def change_subscriptions(self, most):
        for m in self.members:
            out = []
            for sid in [s for s in m.subscriptions if self.random.random() < 0.3]:
                del m.subscriptions[sid]
                out.append('UNSUB %d\r\n' % sid)
            while len(m.subscriptions) < most and self.random.random() < 0.8:
                queue = self.random.choice((None, None, None, 'q1', 'q2', 'q3'))
                limit = self.random.randrange(1, 40) if self.random.random() < 0.25 else None
                sub = Subscription(m, m.next_sid, self.pattern(), queue, limit)
                m.subscriptions[sub.sid] = sub
                m.next_sid += 1
                out.append('SUB m.%s %s%d\r\n' % (sub.pattern, queue + ' ' if queue else '', sub.sid))
                if limit:
                    out.append('UNSUB %d %d\r\n' % (sub.sid, limit))
            m.client.send(''.join(out))
        self.settle()

    def publish(self, count, during=None):
        """count messages by random members in bursts; returns {publisher: [(number, subject)]} in order."""
        sent = defaultdict(list)
        for m in self.members:
            m.received = []
        bursts = []
        while count > 0:
            m, n = self.random.choice(self.members), min(count, self.random.randrange(1, 30))
            count -= n
            out = []
            for _ in range(n):
                subject = self.random.choice(SUBJECTS)
                self.published += 1
                body = b'%d %d %s' % (m.number, self.published, b'.' * self.random.choice((0, 0, 10, 300)))
                sent[m.number].append((self.published, subject))
                out.append(b'PUB m.%s %d\r\n%s\r\n' % (subject.encode(), len(body), body))
            bursts.append((m, b''.join(out)))
        for i, (m, data) in enumerate(bursts):
            m.client.send(data)
            if during and i == len(bursts) // 2:
                during()
            if i % 8 == 0:
                pump([x.client for x in self.members], lambda: True)
        self.settle()
        self.settle()
        return sent

    def check_round(self, sent):
        """The books of a round in which nobody was killed."""
        by_sid = {m.number: defaultdict(list) for m in self.members}
        for m in self.members:
            assert m.client.eof is None, 'connection %d was closed' % m.number
            self.deliveries += len(m.received)
            for sid, subject, publisher, number in m.received:
                by_sid[m.number][sid].append((publisher, number, subject))
        for m in self.members:
            strangers = set(by_sid[m.number]) - set(m.subscriptions)
            assert not strangers, 'connection %d got messages for sids %r that are gone' % (m.number, strangers)
            for sub in m.subscriptions.values():
                if not sub.queue:
                    self.check_plain(sub, sent, by_sid[m.number][sub.sid])
        self.check_queues(sent, by_sid)
        for m in self.members:
            for sub in list(m.subscriptions.values()):
                self.count_down(sub, len(by_sid[m.number][sub.sid]))

    def expected(self, sub, sent):
        return {p: [n for n, s in messages if s in sub.subjects] for p, messages in sent.items()
                if sub.member.echo or p != sub.member.number}

    def check_plain(self, sub, sent, got):
        expected = self.expected(sub, sent)
        total = sum(map(len, expected.values()))
        most = total if sub.left is None else min(total, sub.left)
        name = 'connection %d sid %d %s' % (sub.member.number, sub.sid, sub.pattern)
        assert len(got) == most, '%s: %d messages, expected %d of %d' % (name, len(got), most, total)
        for publisher in {p for p, _, _ in got}:
            numbers = [n for p, n, _ in got if p == publisher]
            assert numbers == expected[publisher][:len(numbers)], '%s: wrong order or messages of %d' % (name, publisher)

    def check_queues(self, sent, by_sid):
        """One member of each group for each message, while the group has a member that may take it.

        In order too, unless a member leaves by its limit meanwhile: what was on its way to the worker of that
        member is drawn again there, and the new member may have seen later messages by then.
        """
        for queue in ('q1', 'q2', 'q3'):
            subs = [s for m in self.members for s in m.subscriptions.values() if s.queue == queue]
            taken = Counter()
            settled = all(s.left is None for s in subs)
            for sub in subs:
                got = by_sid[sub.member.number][sub.sid]
                assert sub.left is None or len(got) <= sub.left, 'sid %d got %d, limit %d' % (sub.sid, len(got), sub.left)
                if settled:
                    self.check_order(sub, got)
                for publisher, number, subject in got:
                    assert subject in sub.subjects, 'sid %d %s got %s' % (sub.sid, sub.pattern, subject)
                    assert sub.member.echo or publisher != sub.member.number, 'own message %d came back to %d, members %r' % (
                        number, publisher, [(s.member.number, s.pattern, s.left) for s in subs])
                    taken[number] += 1
            assert not taken or max(taken.values()) == 1, 'queue %s: a message went to two members' % queue
            self.check_queue_complete(queue, subs, sent, taken)

    def check_order(self, sub, got):
        for publisher in {p for p, _, _ in got}:
            numbers = [n for p, n, _ in got if p == publisher]
            assert numbers == sorted(set(numbers)), 'queue %s connection %d sid %d: wrong order of %d: %r' % (
                sub.queue, sub.member.number, sub.sid, publisher, numbers)

    def check_queue_complete(self, queue, subs, sent, taken):
        """A message that an unlimited member could take has been taken by some member."""
        for publisher, messages in sent.items():
            for number, subject in messages:
                able = [s for s in subs if subject in s.subjects and (s.member.echo or s.member.number != publisher)]
                if number not in taken and any(s.left is None for s in able):
                    raise AssertionError('queue %s: message %d of %d on %s lost, members %r' % (
                        queue, number, publisher, subject, [(s.member.number, s.sid, s.pattern, s.left) for s in able]))

    def count_down(self, sub, got):
        if sub.left is not None:
            sub.left -= got
            if sub.left == 0:
                del sub.member.subscriptions[sub.sid]
