"""Random scripts for the differential tester: mostly well-formed commands of up to three clients, some bent ones.

A case is a function of its number and the seed alone. What nats-server itself leaves to chance is not produced:
a queue group has one member, and order among the subscriptions of one client is evened out by the engine.
Bent input may leave the server inside a command, so it comes last and its client ends by half-closing.
"""
import random

import script

LIMITS = 'max_payload: 64\nmax_control_line: 128\nmax_subscriptions: 4\nmax_subscription_tokens: 5\n'
USERS = '''authorization {
  users: [
    { user: u0, password: p }
    { user: u1, password: p, permissions: { publish: { allow: ["*.a.>", "*.b", "*.r.*"] }, subscribe: { deny: ["*.c", "*.*.c"] } } }
    { user: u2, password: p, permissions: { publish: { deny: "*.a.*" }, subscribe: { allow: ["*.a", "*.b.>", "*.r.*"] } } }
    { user: u3, password: p, permissions: { publish: { deny: ">" }, subscribe: "*.>", allow_responses: true } }
  ]
}
'''
CONFIGS = ['', LIMITS, USERS]
TOKENS = ['a', 'b', 'c', 'dd', 'e-f', '1', 'A', '$', 'r']
BENT_BYTES = b' \t\r\n\0.*>aZ019+-{}"\xff\x80'


class Writer:
    """Draws one case."""

    def __init__(self, seed, number):
        self.random = random.Random('%s/%s' % (seed, number))
        self.number = number
        self.config = CONFIGS[number % len(CONFIGS)]
        self.groups = 0
        self.steps = []

    def one_of(self, *choices):
        return self.random.choice(choices)

    def chance(self, percent):
        return self.random.random() * 100 < percent

    def subject(self, wild, odd=4):
        tokens = [self.random.choice(TOKENS) for _ in range(self.random.choice([1, 1, 1, 2, 2, 3]))]
        if wild:
            tokens = ['*' if self.chance(20) else t for t in tokens]
            if self.chance(20):
                tokens[-1] = '>'
        if self.chance(odd):
            tokens.insert(self.random.randrange(len(tokens) + 1), self.one_of('', '*', '>', 'a*', '>b', 'x' * 70, 'é'))
        return '@.' + '.'.join(tokens)

    def blank(self):
        return self.one_of(' ', ' ', ' ', ' ', ' ', ' ', '\t', '  ', ' \t ') if self.chance(30) else ' '

    def line(self, verb, *words):
        if self.chance(15):
            verb = ''.join(self.one_of(c.lower(), c.upper()) for c in verb)
        out = verb
        for word in words:
            out += self.blank() + word
        out += self.one_of(' ', '\t') if words and self.chance(3) else ''
        return (out + ('\n' if self.chance(5) else '\r\n')).encode('utf-8')

    def connect(self, name):
        words = []
        for field, percent in (('verbose', 25), ('pedantic', 20)):
            words.append('"%s":%s' % (field, 'true' if self.chance(percent) else 'false'))
        headers = self.chance(85)
        words.append('"headers":%s' % str(headers).lower())
        if self.chance(70):
            words.append('"no_responders":%s' % ('true' if headers or self.chance(3) else 'false'))
        if self.chance(25):
            words.append('"echo":%s' % self.one_of('true', 'false'))
        if self.chance(80):
            words.append('"protocol":%d' % self.one_of(1, 1, 1, 0))
        if self.config == USERS:
            words.append('"user":"u%d","pass":"%s"' % (self.random.randrange(4), 'wrong' if self.chance(3) else 'p'))
        self.random.shuffle(words)
        return ('CONNECT {%s}\r\n' % ','.join(words)).encode()

    def size(self, n):
        return '0' * self.random.randrange(3) + str(n) if self.chance(5) else str(n)

    def payload(self):
        if self.chance(3):
            return bytes(self.random.randrange(256) for _ in range(self.random.randrange(200)))
        return self.one_of(b'', b'x', b'hello', b'\r\n', b'PING\r\n', b'a\r\nb', b'0123456789' * 3)

    def reply(self):
        return [self.subject(False)] if self.chance(30) else []

    def publish(self):
        body = self.payload()
        if self.chance(30):
            head = self.one_of(b'NATS/1.0\r\n\r\n', b'NATS/1.0\r\nA: b\r\n\r\n', b'', b'zz')
            return self.line('HPUB', self.subject(False), *self.reply(), self.size(len(head)),
                             self.size(len(head) + len(body))) + head + body + b'\r\n'
        return self.line('PUB', self.subject(False), *self.reply(), self.size(len(body))) + body + b'\r\n'

    def subscribe(self):
        group = []
        if self.chance(25):
            self.groups += 1
            group = ['%s%d' % (self.one_of('q', 'grp.', 'Q'), self.groups)]
        return self.line('SUB', self.subject(True), *group, self.one_of('1', '2', '3', '4', '5', 'x'))

    def unsubscribe(self):
        most = [self.one_of('0', '1', '1', '2', '3', '5', '-1', 'x', '007')] if self.chance(60) else []
        return self.line('UNSUB', self.one_of('1', '2', '3', '4', '5', 'x', '99'), *most)

    def command(self):
        draw = self.random.random() * 100
        if draw < 42:
            return self.publish()
        if draw < 75:
            return self.subscribe()
        if draw < 90:
            return self.unsubscribe()
        return self.line(self.one_of('PING', 'PING', 'PONG', '+OK'))

    def bend(self, data):
        """One or two small damages."""
        data = bytearray(data)
        for _ in range(self.one_of(1, 1, 2)):
            at = self.random.randrange(len(data))
            kind = self.random.randrange(4)
            if kind == 0:
                del data[at]
            elif kind == 1:
                data.insert(at, self.random.choice(BENT_BYTES))
            elif kind == 2:
                data[at] = self.random.choice(BENT_BYTES)
            else:
                del data[at:]
            if not data:
                break
        return bytes(data)

    def say(self, name, data):
        """Sends data, now and then in two reads."""
        if len(data) > 1 and self.chance(10):
            at = self.random.randrange(1, len(data))
            self.steps += [(name, 'send', data[:at]), (name, 'flush', b''), (name, 'send', data[at:])]
        else:
            self.steps.append((name, 'send', data))

    def case(self):
        names = 'ABC'[:self.one_of(1, 1, 2, 2, 3)]
        for name in names:
            self.say(name, b'' if self.config != USERS and self.chance(4) else self.connect(name))
        for _ in range(self.random.randrange(2, 7)):
            name = self.random.choice(names)
            self.say(name, b''.join(self.command() for _ in range(self.random.randrange(1, 5))))
        if self.chance(5):
            self.say(names[0], self.connect(names[0]) + self.command())
        if self.chance(60):
            self.bent_ending(names[0])
        return script.Case('random %d' % self.number, self.config, self.steps)

    def bent_ending(self, name):
        first = self.connect(name) if self.chance(10) else self.command()
        data = self.bend(first) + b''.join(self.command() for _ in range(self.random.randrange(3)))
        self.steps.append((name, 'open', b''))
        self.say(name, data)
        self.steps.append((name, 'end', b''))


def case(seed, number):
    return Writer(seed, number).case()
