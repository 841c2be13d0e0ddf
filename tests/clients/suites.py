#!/usr/bin/env python3
"""suites.py [--left-out] [SUITE...] - the unmodified suites natspy and natsjs-core against natsd, compared with what must pass.

What must pass is every test that expected-SUITE.txt beside the suites' runner names, but those of suite-left-out.txt
(each with its reason). Prints the tests that should have passed and did not, and for each suite a line
'N passed, N failed, N left out'. Exit 1 where one is missing. With --left-out the tests of the list are run instead, to
see which of them pass by now and are to be struck.

NATSD_BIN         natsd under test (default: the newest build)
NATSD_SUITES_RUN  the runner (default: ../shared/suites/run beside the tree)
"""
import fnmatch
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import harness  # noqa: E402

RUN = os.environ.get('NATSD_SUITES_RUN') or os.path.join(harness.ROOT, '..', 'shared', 'suites', 'run')
SUITES = ('natspy', 'natsjs-core')


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


def only(suite, names):
    """The runner's filter for these tests alone: the others would only wait for servers that do not start."""
    if suite == 'natspy':
        return ' or '.join(sorted({name.rpartition('.')[2].replace('::', ' and ') for name in names}))
    return '^(%s)$' % '|'.join(sorted(re.sub(r'([.*+?^${}()|\[\]\\/])', r'\\\1', name) for name in names))


def run(suite, names):
    """Runs these tests of a suite; returns {test: pass, fail or skip}."""
    server = os.path.join(HERE, 'suite-server')
    result = {}
    process = subprocess.Popen([sys.executable, RUN, suite, server, only(suite, names)], stdout=subprocess.PIPE, text=True,
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
    excused = {name for name in must if any(fnmatch.fnmatchcase(name, pattern) for pattern, _ in rows)}
    result = run(suite, must - excused)
    missing = sorted(name for name in must - excused if result.get(name) != 'pass')
    for name in missing:
        print('%s: did not pass: %s (%s)' % (suite, name, result.get(name, 'not run')))
    for pattern, _ in rows:
        if not any(fnmatch.fnmatchcase(name, pattern) for name in must):
            print('%s: no such test: %s' % (suite, pattern))
    passed = sum(result.get(name) == 'pass' for name in must - excused)
    print('%s: %d passed, %d failed, %d left out' % (suite, passed, len(missing), len(excused)), flush=True)
    return not missing and passed > 0


def look_over(suite):
    """Runs what is left out and prints what passes."""
    names = {name for name in expected(suite) if any(fnmatch.fnmatchcase(name, pattern) for pattern, _ in left_out(suite))}
    result = run(suite, names)
    for name in sorted(name for name in names if result.get(name) == 'pass'):
        print('%s: passes by now: %s' % (suite, name))
    return True


def main():
    words = sys.argv[1:]
    work = look_over if '--left-out' in words else judge
    return 0 if all([work(suite) for suite in [w for w in words if w != '--left-out'] or SUITES]) else 1


if __name__ == '__main__':
    sys.exit(main())
