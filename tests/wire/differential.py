"""The engine of the differential tester: one script, the same bytes to nats-server and to natsd, the answers compared.

Pair holds the two servers of one configuration. run(case) plays a script on both in lock step and returns a
Result with the normalised answers of every client, its close and the close reason of the server's debug log.
What is different by intention stands in known.py; everything else is a difference to be explained.
"""
import itertools
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), '..'))

import harness  # noqa: E402
import known  # noqa: E402
from rawclient import DEADLINE, Client, Parser, pump  # noqa: E402
from sockdiag import SockDiag  # noqa: E402

# INFO fields that differ from server to server and connection to connection: only their presence and type count.
VOLATILE = ('server_id', 'server_name', 'version', 'go', 'git_commit', 'port', 'client_id', 'nonce', 'xkey')
COMMON = 'debug: true\nping_interval: "10m"\n'
FENCE = b'PING\r\n'
SIDES = ('nats-server', 'natsd')


class ReasonLog:
    """Reads the close reasons from a server's debug log as it grows."""

    LINE = re.compile(rb'cid:(\d+) - (?:.* - )?Client connection closed: (.*)')

    def __init__(self, path):
        self.file = open(path, 'rb')
        self.tail = b''
        self.reasons = {}

    def read(self):
        self.tail += self.file.read()
        complete, _, self.tail = self.tail.rpartition(b'\n')
        for m in self.LINE.finditer(complete):
            self.reasons[int(m.group(1))] = m.group(2).decode('latin-1')

    def take(self, client_id):
        def there():
            self.read()
            return client_id in self.reasons
        try:
            harness.until(there, 'close reason', DEADLINE / 2)
        except TimeoutError:
            return 'none in the log'
        return self.reasons.pop(client_id)


class Pair:
    """Two servers with the same configuration; natsd runs several workers."""

    def __init__(self, config, workers=3, other=None):
        text = COMMON + config
        self.servers = [harness.Server(text, binary=other, workers=workers)]
        try:
            self.servers.insert(0, harness.Server(text, binary=harness.GO))
        except (RuntimeError, TimeoutError):
            self.servers[0].close()
            raise
        self.logs = [ReasonLog(s.output) for s in self.servers]
        self.diag = SockDiag()
        self.count = 0

    def close(self):
        for s in self.servers:
            s.close()

    def run(self, case, reasons=True):
        self.count += 1
        return Play(self, case, b'w%d' % self.count, reasons).result()


class Result:
    """sides: for nats-server and natsd the list of (client, lines)."""

    def __init__(self, case, sides):
        self.case, self.sides = case, sides

    @property
    def same(self):
        return self.sides[0] == self.sides[1]

    def __str__(self):
        out = ['case: %s' % self.case.name]
        out += ['  %s %s %r' % (c, v, d) if v == 'send' else '  %s %s' % (c, v) for c, v, d in
                [(c, v, d if len(d) < 300 else d[:150] + b'...' + d[-100:]) for c, v, d in self.case.steps]]
        for side, clients in zip(SIDES, self.sides):
            out.append('%s:' % side)
            for client, lines in clients:
                out += ['  %s< %s' % (client, line if len(line) < 300 else line[:200] + '...' + line[-80:]) for line in lines]
        return '\n'.join(out)


class Play:
    """One run of one case on both servers."""

    def __init__(self, pair, case, word, reasons):
        self.pair, self.case, self.word, self.reasons = pair, case, word, reasons
        self.actors, self.pending, self.said, self.unfenced = {}, {}, {}, set()
        self.speaker = None

    def actor(self, name):
        if name not in self.actors:
            self.actors[name] = both = [Client(s.port, connect=None, info=False) for s in self.pair.servers]
            for c in both:
                c.keep = True
            pump(both, lambda: all(c.ops or c.eof for c in both), 'INFO')
            self.pending[name], self.said[name] = bytearray(), bytearray()
        return self.actors[name]

    def deliver(self, name, tail=b''):
        data = bytes(self.pending[name]) + tail
        self.pending[name].clear()
        self.said[name] += data
        for c in self.actors[name]:
            c.send(data)

    def fence(self, name):
        """Sends what is pending with a PING behind and waits for its PONG, on both servers."""
        both = self.actors[name]
        self.deliver(name, FENCE)
        expected = pings(bytes(self.said[name]))

        def answered():
            return all(c.eof or sum(op[0] == 'PONG' for op in c.ops) >= expected for c in both)
        try:
            pump(both, answered, 'PONG', DEADLINE / 4)
        except TimeoutError:
            pass

    def finish(self, name, half_close):
        both = self.actors[name]
        if self.pending[name]:
            self.deliver(name)
        if half_close:
            try:
                pump(both, lambda: not any(c.unsent and c.eof is None for c in both), 'sending')
            except TimeoutError:
                pass
            for c in both:
                c.half_close()
        try:
            pump(both, lambda: all(c.eof for c in both), 'close', DEADLINE / 4)
        except TimeoutError:
            pass
        for c in both:
            c.ended = True

    def flush(self, name):
        self.deliver(name)
        for c in self.actors[name]:
            pump([c], lambda c=c: not c.unsent or c.eof, 'sending')
            harness.until(lambda c=c: self.pair.diag.unread(c) == 0 or c.eof, 'the server to read')

    def step(self, name, verb, data):
        if self.speaker not in (None, name) and self.pending[self.speaker] and self.speaker not in self.unfenced:
            self.fence(self.speaker)
        self.actor(name)
        self.speaker = name
        if verb == 'send':
            self.pending[name] += data.replace(b'@', self.word)
        elif verb == 'flush':
            self.flush(name)
        elif verb == 'sync':
            self.fence(name)
        elif verb == 'open':
            self.unfenced.add(name)
            self.flush(name)
        else:
            self.finish(name, verb == 'end')

    def result(self):
        for name, verb, data in self.case.steps:
            self.step(name, verb, data)
        others = [name for name in self.actors if name != self.speaker]
        for name in [self.speaker] + others:
            if name not in self.unfenced and not hasattr(self.actors[name][0], 'ended'):
                self.fence(name)
        closed_before = {name: ['by the server' if c.eof else 'at the end' for c in both] for name, both in self.actors.items()}
        for name, both in self.actors.items():
            if not hasattr(both[0], 'ended'):
                self.finish(name, True)
        sides = []
        for i in range(2):
            clients = []
            for name, both in self.actors.items():
                clients.append((name, self.lines(i, both[i]) + self.ending(i, both[i], closed_before[name][i])))
            sides.append(clients)
        for both in self.actors.values():
            for c in both:
                c.close()
        return known.explain(Result(self.case, sides))

    def lines(self, side, client):
        parser = Parser()
        ops = parser.feed(bytes(client.data))
        client.ids = []
        lines = [normal(op, client.ids) for op in fan_out_sorted(ops) if op[0] != 'PING']
        if parser.buffer:
            lines.append('half an operation: %r' % parser.buffer[:200])
        return lines

    def ending(self, side, client, when):
        if not client.eof:
            return ['still open']
        if not self.reasons or not client.ids:
            return ['closed %s' % when]
        return ['closed %s: %s' % (when, self.pair.logs[side].take(client.ids[0]))]


def pings(stream):
    """How many PONGs a server owes for this stream of a client's well-formed commands."""
    count, at = 0, 0
    while True:
        eol = stream.find(b'\n', at)
        if eol < 0:
            return count
        words = stream[at:eol].split()
        at = eol + 1
        verb = words[0].upper() if words else b''
        count += verb.startswith(b'PING')
        if verb in (b'PUB', b'HPUB') and words[-1].isdigit():
            at += int(words[-1]) + 2


def fan_out_sorted(ops):
    """One message to several subscriptions of a client has no fixed order among them: sorted by sid."""
    out = []
    for _, run in itertools.groupby(ops, lambda op: (op[1], op[3:]) if op[0] == 'MSG' else id(op)):
        run = list(run)
        out += sorted(run, key=lambda op: op[2]) if len(run) > 1 else run
    return out


def normal(op, ids):
    """An operation as a line, without what changes from run to run; collects client ids."""
    if op[0] == 'INFO':
        try:
            info = json.loads(op[1])
        except ValueError:
            return 'INFO %r' % op[1]
        if 'client_id' in info:
            ids.append(info['client_id'])
        volatile = set(VOLATILE)
        if info.get('server_name') != info.get('server_id'):
            volatile.discard('server_name')
        if info.get('host') != '127.0.0.1':
            volatile.discard('port')
        shape = ['%s=%s' % (k, type(v).__name__ if k in volatile else json.dumps(v)) for k, v in info.items()]
        return 'INFO ' + ' '.join(shape) + (' +blank' if op[1].endswith(b' ') else '')
    if op[0] == 'MSG':
        head, body = op[4], op[5]
        return ' '.join(['MSG' if head is None else 'HMSG', op[1].decode('latin-1'), op[2].decode('latin-1'),
                         '-' if op[3] is None else op[3].decode('latin-1'), repr(head), repr(body)])
    return ' '.join([op[0]] + [w.decode('latin-1') for w in op[1:] if w]) if op[0] != '?' else '? %r' % op[1]
