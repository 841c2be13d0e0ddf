"""What every black box test shares: the path to the harness, and servers that end with their test."""
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

import harness  # noqa: E402


@pytest.fixture
def servers():
    """start(config, **options) -> Server; all of them are stopped and checked when the test ends."""
    started = []

    def start(config='', **options):
        server = harness.Server(config, **options)
        started.append(server)
        return server
    yield start
    for server in started:
        server.close()


@pytest.fixture(params=['natsd', 'nats-server'])
def either(request, servers):
    """As servers, but the test runs twice: on natsd with 3 workers, and on nats-server, which shows that it asks for the right thing."""
    def start(config='', **options):
        if request.param == 'nats-server':
            return servers(config, binary=harness.GO, **options)
        return servers(config, **{'workers': 3, **options})
    start.go = request.param == 'nats-server'
    return start
