"""The random mode of the differential tester: random_cases.py [--cases N] [--seed S] [--first I]

Plays cases I .. I+N-1 of the seed on nats-server and natsd and prints each unexplained difference, shrunk.
Exit 1 where there was one. A case is found again by its number and the seed.
"""
import argparse
import sys
import time

import differential
import grammar
import script


class Runner:
    """Holds one pair of servers for each configuration of the grammar."""

    def __init__(self):
        self.pairs = {config: differential.Pair(config) for config in grammar.CONFIGS}

    def close(self):
        for pair in self.pairs.values():
            pair.close()

    def play(self, case):
        return self.pairs[case.config].run(case)

    def run(self, seed, numbers, most=5, progress=None):
        """The differences of these cases, at most this many, each shrunk."""
        wrong = []
        for i, number in enumerate(numbers):
            result = self.play(grammar.case(seed, number))
            if not result.same:
                wrong.append(self.shrink(result))
                print('seed %s\n%s\n' % (seed, wrong[-1]), flush=True)
                if len(wrong) >= most:
                    break
            if progress:
                progress(i + 1, wrong)
        return wrong

    def shrink(self, result):
        """Takes out steps, and single lines of what is sent, as long as the two servers still differ."""
        smaller = True
        while smaller:
            smaller = False
            for steps in filter(None, variants(result.case.steps)):
                again = self.play(script.Case(result.case.name, result.case.config, steps))
                if not again.same:
                    result, smaller = again, True
                    break
        return result


def variants(steps):
    for i, (client, verb, data) in enumerate(steps):
        yield steps[:i] + steps[i + 1:]
        lines = data.splitlines(True)
        if verb == 'send' and len(lines) > 1:
            for j in range(len(lines)):
                yield steps[:i] + [(client, verb, b''.join(lines[:j] + lines[j + 1:]))] + steps[i + 1:]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--cases', type=int, default=100000)
    parser.add_argument('--seed', default='1')
    parser.add_argument('--first', type=int, default=0)
    options = parser.parse_args()
    runner = Runner()
    began = time.monotonic()

    def progress(done, wrong):
        if done % 1000 == 0:
            print('%d cases, %d differences, %.0f s' % (done, len(wrong), time.monotonic() - began), flush=True)
    try:
        wrong = runner.run(options.seed, range(options.first, options.first + options.cases), 20, progress)
    finally:
        runner.close()
    print('%d random cases, %d unexplained differences' % (options.cases, len(wrong)))
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
