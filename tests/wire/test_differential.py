"""Scripted cases: every case of tests/wire/cases to both servers, answers and closings must agree."""
import os

import pytest

import differential
import harness
import script

CASES = script.read_all(os.path.join(os.path.dirname(os.path.realpath(__file__)), 'cases'))


@pytest.fixture(scope='module')
def pairs():
    """pair(config): the servers of that configuration; cases are ordered by it, so one pair is kept."""
    kept = {}

    def pair(config):
        if config not in kept:
            for old in kept.values():
                old.close()
            kept.clear()
            kept[config] = differential.Pair(config)
        return kept[config]
    yield pair
    for old in kept.values():
        old.close()


@pytest.mark.parametrize('case', sorted(CASES, key=lambda c: c.config), ids=lambda c: c.name)
def test_same_answers(pairs, case):
    result = pairs(case.config).run(case)
    assert result.same, '\n' + str(result)
    lines = [line for _, client in result.sides[0] for line in client]
    assert 'still open' not in lines and 'none in the log' not in ' '.join(lines), str(result)


def test_enough_cases():
    assert len(CASES) >= 400


def test_peer_version():
    with harness.Server(binary=harness.GO) as server:
        assert server.client().info['version'] == '2.15.2'
