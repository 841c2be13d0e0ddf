#!/usr/bin/env python3
"""suites.py [SUITE...] - the unmodified suites natspy and natsjs-core against natsd, compared with what must pass.

What must pass is every test that expected-SUITE.txt beside the suites' runner names, but those of suite-left-out.txt
(each with its reason). Prints the tests that should have passed and did not, those left out that pass by now (they are
to be struck from the list), and a line 'N passed, N failed, N left out' for each suite. Exit 1 where one is missing.

NATSD_BIN         natsd under test (default: the newest build)
NATSD_SUITES_RUN  the runner (default: ../shared/suites/run beside the tree)
"""
import fnmatch
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import harness  # noqa: E402

RUN = os.environ.get('NATSD_SUITES_RUN') or os.path.join(harness.ROOT, '..', 'shared', 'suites', 'run')
SUITES = ('natspy', 'natsjs-core')
# What is left out whole is not run, since it would only wait for servers that do not start.
FILTERS = {
    'natspy': 'not test_js and not websocket and not TLS and not nkeys and not ClusterDiscovery',
    'natsjs-core': '^(?!ws - )',
}


def left_out(suite):
    """[(pattern, reason)] of the list, which has lines SUITE<tab>PATTERN<tab>REASON."""
    rows = []
    for line in open(os.path.join(HERE, 'suite-left-out.txt')):
        if line.strip() and not line.startswith('#'):
            name, pattern, reason = line.rstrip('\n').split('\t')
            if name == suite:
                rows.append((pattern, reason))
    return rows


def expected(suite):
    path = os.path.join(os.path.dirname(os.path.realpath(RUN)), 'expected-%s.txt' % suite)
    return {line[5:].rstrip('\n') for line in open(path)}


def run(suite):
    """Runs one suite; returns {test: pass, fail or skip}."""
    server = os.path.join(HERE, 'suite-server')
    result = {}
    process = subprocess.Popen([sys.executable, RUN, suite, server, FILTERS[suite]], stdout=subprocess.PIPE, text=True,
                               env={**os.environ, 'NATSD_BIN': harness.natsd_path()})
    for line in process.stdout:
        kind, _, name = line.rstrip('\n').partition(' ')
        if kind in ('pass', 'fail', 'skip') and result.get(name) != 'fail':
            result[name] = kind
    process.wait()
    return result


def judge(suite):
    """True where all that must pass did."""
    rows, must = left_out(suite), expected(suite)
    result = run(suite)
    excused = {name for name in must if any(fnmatch.fnmatchcase(name, pattern) for pattern, _ in rows)}
    missing = sorted(name for name in must - excused if result.get(name) != 'pass')
    for name in missing:
        print('%s: did not pass: %s (%s)' % (suite, name, result.get(name, 'not run')))
    for pattern, reason in rows:
        names = [name for name in must if fnmatch.fnmatchcase(name, pattern)]
        if not names:
            print('%s: no such test: %s' % (suite, pattern))
        elif all(result.get(name) == 'pass' for name in names):
            print('%s: passes by now, strike it: %s (%s)' % (suite, pattern, reason))
    passed = sum(result.get(name) == 'pass' for name in must - excused)
    print('%s: %d passed, %d failed, %d left out' % (suite, passed, len(missing), len(excused)), flush=True)
    return not missing and passed > 0


def main():
    return 0 if all([judge(suite) for suite in sys.argv[1:] or SUITES]) else 1


if __name__ == '__main__':
    sys.exit(main())
