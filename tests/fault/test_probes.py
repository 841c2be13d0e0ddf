"""What a process in its sandbox cannot do, tried by itself (RELIABILITY, P4): each role, as root and not, with each layer taken out."""
import os

import pytest

from probing import (CAPABILITIES, LANDLOCK, LAST_CALL, LIMITS, NAMES, NETWORK, NO_NEW_PRIVS, PROBES, ROOT, SECCOMP, USER, WRITE_COUNTERS,
                     WRONG_MESSAGE, probe)

pytestmark = pytest.mark.skipif(not PROBES, reason='NATSD_PROBES_BIN is not set: tests/check.sh sets it')

ROLES = ['worker', 'authd']
IS_ROOT = os.geteuid() == 0
AS = [True, False] if IS_ROOT else [False]

# What opens when seccomp and one more layer are missing: the other layers, and what master denies itself, still hold the rest.
ALWAYS = {'socket', 'pidfd_open', 'map writable and executable', 'mprotect to executable'}
OPENS = [
    (SECCOMP, set()),
    (SECCOMP | LANDLOCK, {'bind'}),
    (SECCOMP | NETWORK, set()),
    (SECCOMP | ROOT, {'unshare'}),
    (SECCOMP | USER, {'fork', 'setuid'}),
    (SECCOMP | CAPABILITIES, set()),
    (SECCOMP | LIMITS, {'fork'}),
    (SECCOMP | NO_NEW_PRIVS, set()),
]


@pytest.mark.parametrize('root', AS)
@pytest.mark.parametrize('role', ROLES)
def test_every_probe_is_killed(role, root):
    found = {NAMES[n]: probe(role, n, root) for n in range(1, LAST_CALL + 1)}
    assert found == {name: 'killed' for name in NAMES[1:LAST_CALL + 1]}


@pytest.mark.skipif(not IS_ROOT, reason='needs root: all layers are possible only then')
@pytest.mark.parametrize('without,more', OPENS)
@pytest.mark.parametrize('role', ROLES)
def test_without_a_layer_the_others_hold(role, without, more):
    """May open: what the kernel gives to anybody, and what the missing layer was for. All else stays shut."""
    found = {NAMES[n] for n in range(1, LAST_CALL + 1) if probe(role, n, True, without) != 'denied'}
    assert found <= ALWAYS | more
    assert found >= more | {'socket', 'map writable and executable', 'mprotect to executable'}


@pytest.mark.parametrize('root', AS)
@pytest.mark.parametrize('role', ROLES)
def test_message_of_another_role_ends_the_sender(role, root):
    assert probe(role, WRONG_MESSAGE, root) == 'is ended: %s may not send message 21 (DRAIN) with 0 descriptors to master' % role


@pytest.mark.parametrize('root', AS)
@pytest.mark.parametrize('role', ROLES)
def test_counters_of_others_stay_read_only(role, root):
    """Twice over: mprotect is not allowed, and were it, the descriptors they were mapped from were read-only."""
    assert probe(role, WRITE_COUNTERS, root) == 'killed'
    assert probe(role, WRITE_COUNTERS, root, SECCOMP) == 'denied'
