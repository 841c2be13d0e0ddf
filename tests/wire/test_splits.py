"""Every split: each stream of tests/wire/splits cut in two at every position, and sent byte by byte.

The server is known to have read the first part before the second one is sent (the kernel says so), so each
position really is the end of a read.
"""
import os

import pytest

import differential
import script

STREAMS = script.read(os.path.join(os.path.dirname(os.path.realpath(__file__)), 'splits', 'streams.case'))


def cut(case, positions):
    """The case with client A's bytes cut at these positions; the others and the ending stay as they are."""
    whole = b''.join(d for c, v, d in case.steps if c == 'A' and v == 'send')
    before = [s for s in case.steps if s[0] != 'A']
    after = [s for s in case.steps if s[0] == 'A' and s[1] != 'send']
    parts, last = [], 0
    for p in positions:
        parts += [('A', 'send', whole[last:p]), ('A', 'flush', b'')]
        last = p
    parts.append(('A', 'send', whole[last:]))
    return script.Case('%s, cut at %s' % (case.name, positions), case.config, before + parts + after)


def length(case):
    return sum(len(d) for c, v, d in case.steps if c == 'A' and v == 'send')


@pytest.fixture(scope='module')
def pairs():
    kept = {}

    def pair(config):
        if config not in kept:
            kept[config] = differential.Pair(config)
        return kept[config]
    yield pair
    for old in kept.values():
        old.close()


def differences(pair, cases):
    return [result for result in map(pair.run, cases) if not result.same]


@pytest.mark.parametrize('stream', STREAMS, ids=lambda c: c.name)
def test_every_split(pairs, stream):
    wrong = differences(pairs(stream.config), (cut(stream, [i]) for i in range(1, length(stream))))
    assert not wrong, '%d of %d positions\n%s' % (len(wrong), length(stream) - 1, '\n'.join(map(str, wrong[:3])))


@pytest.mark.parametrize('stream', STREAMS, ids=lambda c: c.name)
def test_byte_by_byte(pairs, stream):
    wrong = differences(pairs(stream.config), [cut(stream, list(range(1, length(stream))))])
    assert not wrong, '\n'.join(map(str, wrong))


def test_a_dozen_streams():
    assert len(STREAMS) >= 12
