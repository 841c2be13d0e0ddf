"""The client tests run against natsd installed under the name nats-server, with two workers."""
import os

import pytest

import harness


@pytest.fixture
def server(servers):
    return servers('', workers=2, name='nats-server')


def need(peer, there):
    """Leaves a test out where its peer could not be brought; .ci/run demands that all are there."""
    if not there:
        pytest.skip('%s could not be brought into %s' % (peer, harness.CACHE))


@pytest.fixture
def cli():
    need('the nats command line client', os.access(harness.CLI, os.X_OK))
    return harness.CLI
