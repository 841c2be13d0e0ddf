"""Random scripts: a few thousand in make check; random_cases.py --cases 100000 is the long run.

NATSD_CASES and NATSD_SEED choose number and seed.
"""
import os

import random_cases


def test_random_cases():
    cases, seed = int(os.environ.get('NATSD_CASES') or 4000), os.environ.get('NATSD_SEED') or '1'
    runner = random_cases.Runner()
    try:
        wrong = runner.run(seed, range(cases))
    finally:
        runner.close()
    assert not wrong, 'seed %s\n%s' % (seed, '\n'.join(map(str, wrong)))
