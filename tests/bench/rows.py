"""The rows of the benchmark table: what natsd-bench is told, which figure counts, and the goal (issue 3, section 6).

A goal is ('ratio', x): natsd / nats-server must reach x (or stay under it where less is better), or ('value', x): natsd's own
figure. None: shown only.
"""
from dataclasses import dataclass, field


@dataclass
class Figure:
    """One line of the table: a field of natsd-bench's JSON."""
    key: str
    label: str
    unit: str = ''
    scale: float = 1.0
    more_is_better: bool = False
    goal: tuple = None


@dataclass
class Row:
    name: str
    title: str
    section: str
    command: list
    figures: list = field(default_factory=list)
    timed: bool = True          # takes --seconds
    variants: tuple = ('go', 'natsd', 'natsd1', 'natsd4')
    rounds_max: int = 99
    load: bool = True           # tells the generator's share of the machine


SECTIONS = [
    ('throughput', 'Throughput (deliveries per second; publish only: publications)'),
    ('requests', 'Request and reply'),
    ('latency', 'Latency at a given rate, 128 B'),
    ('memory', 'Memory of all processes (bytes; proportional set size, without the kernel\'s socket buffers)'),
    ('starting', 'Connections and start'),
    ('flat', 'Flat cost: 1 publisher, 1 subscriber, 128 B'),
]


def flow(name, title, arguments, ratio, cpu, section='throughput'):
    return Row(name, title, section, ['flow'] + arguments.split(), [
        Figure('per_second', '', '/s', more_is_better=True, goal=('ratio', ratio) if ratio else None),
        Figure('server_ns', 'server CPU per message', 'ns', goal=('ratio', cpu) if cpu else None),
    ])


def flat(name, title, arguments):
    row = flow(name, title, arguments, None, None, 'flat')
    row.variants = ('go', 'natsd')
    return row


def latency(name, rate):
    return Row(name, f'{rate:,}/s', 'latency', ['paced', '--rate', str(rate)], [
        Figure('p50_us', 'p50', 'us', goal=('ratio', 1.0)), Figure('p99_us', 'p99', 'us', goal=('ratio', 1.0)),
        Figure('server_ns', 'server CPU per message', 'ns'),
    ])


def memory(name, title, command, goal, back):
    figures = [Figure('bytes_each', '', 'B', goal=('value', goal)), Figure('kept_each', back, 'B')]
    row = Row(name, title, 'memory', command, figures, timed=False, rounds_max=3, load=False)
    row.variants = ('go', 'natsd', 'natsd4')
    return row


ROWS = [
    flow('pub16', 'publish only, 16 B', '--subs 0 --size 16', 3.5, 0.25),
    flow('pub128', 'publish only, 128 B', '--subs 0 --size 128', 3.3, 0.25),
    flow('one16', '1 to 1, 16 B', '--size 16', 5, 0.25),
    flow('one128', '1 to 1, 128 B', '--size 128', 3.5, 0.25),
    flow('one1k', '1 to 1, 1 KiB', '--size 1024', 1.4, 0.5),
    flow('one16k', '1 to 1, 16 KiB', '--size 16384', 1.15, 0.667),
    flow('one1m', '1 to 1, 1 MB', '--size 1048576', 1.5, 0.5),
    flow('fan4', '1 to 4, 128 B', '--subs 4', 3, 0.25),
    flow('four4', '4 to 4, 128 B', '--pubs 4 --subs 4', 2.8, 0.25),
    flow('fan16', '1 to 16, 128 B', '--subs 16', 3.3, 0.25),
    flow('wild100', '100 wildcard subscriptions on 4 connections, 1,000 subjects, 128 B',
         '--shape wild --subs 4 --filters 100 --subjects 1000', 2.7, 0.25),
    flow('subjects100k', '100,000 subjects, 1 to 1, 128 B', '--shape many --subjects 100000', 3.5, 0.25),
    Row('request1', '1 client', 'requests', ['request'], [
        Figure('p50_us', 'p50', 'us', goal=('ratio', 0.75)), Figure('p99_us', 'p99', 'us', goal=('ratio', 0.75)),
        Figure('server_ns', 'server CPU per request', 'us', 0.001),
    ]),
    Row('request10', '10 clients', 'requests', ['request', '--clients', '10'], [
        Figure('per_second', 'requests', '/s', more_is_better=True, goal=('ratio', 1.35)),
        Figure('server_ns', 'server CPU per request', 'us', 0.001),
    ]),
    latency('paced20k', 20000),
    latency('paced200k', 200000),
    memory('idle', 'idle connection (10,000)', ['idle', '--count', '10000'], 4096, 'kept when they are gone'),
    memory('subs_short', 'subscription, 9 B subjects (1 M)', ['subs', '--count', '1000000', '--shape', 'short'], 250,
           'kept when they are gone'),
    memory('subs_long', 'subscription, 53 B subjects of 6 tokens (1 M)', ['subs', '--count', '1000000', '--shape', 'long'], 500,
           'kept when they are gone'),
    Row('connect', 'new connections, 32 at a time', 'starting', ['connect', '--clients', '32'], [
        Figure('per_second', '', '/s', more_is_better=True, goal=('ratio', 3)),
        Figure('server_ns', 'server CPU each', 'us', 0.001),
    ]),
    Row('start', 'start to first INFO', 'starting', ['start', '--count', '5'], [
        Figure('p50_us', '', 'ms', 0.001, goal=('value', 20)),
    ], timed=False, load=False),
    flat('conns1', 'no other connection', ''),
    flat('conns1k', '1,000 other connections', '--idle 1000'),
    flat('conns10k', '10,000 other connections', '--idle 10000'),
    flat('subs1k', '1,000 subscriptions, 1,000 subjects', '--shape exact --subjects 1000 --filters 1000'),
    flat('subs100k', '100,000 subscriptions, 1,000 subjects', '--shape exact --subjects 1000 --filters 100000'),
    flat('subs1m', '1,000,000 subscriptions, 1,000 subjects', '--shape exact --subjects 1000 --filters 1000000'),
]
