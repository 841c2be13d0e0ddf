#!/usr/bin/env python3
"""run.py: the benchmark table, natsd against nats-server in turn. `make bench` calls it; the rows stand in rows.py.

Each round of a row starts each server afresh, one at a time, and runs natsd-bench once; medians of the rounds are shown. A whole run
puts the table into RESULTS.md, between its two marks, and leaves the text around it alone.

    run.py                                   all rows, 5 rounds, writes RESULTS.md
    run.py --quick --rows pub16,one128       3 short rounds of natsd and nats-server, prints
    run.py --servers go --rows one128 -v     each run's figures

Environment: NATSD_BIN (default: the release build), NATSD_BENCH (beside it), NATSD_CACHE (where nats-server is).
"""
import argparse
import contextlib
import datetime
import glob
import json
import os
import platform
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from rows import ROWS, SECTIONS

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
RESULTS = os.path.join(HERE, 'RESULTS.md')
MARKS = ('<!-- table -->', '<!-- end of table -->')
TITLES = {'go': 'nats-server', 'natsd': 'natsd', 'natsd1': '1 worker', 'natsd4': '4 workers'}
START_SECONDS = 10
RUN_SECONDS = 180
OTHERS_MAX = 0.15            # CPUs that other programs may take before the figures count for nothing


class Failed(Exception):
    """A run that gave no figure."""


def release_program(name):
    found = glob.glob(os.path.join(ROOT, 'build', '*-release', name))
    return max(found, key=os.path.getmtime) if found else os.path.join(ROOT, 'build', 'gcc-release', name)


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def answers(port):
    """Whether a server on that port has sent INFO."""
    with contextlib.suppress(OSError), socket.create_connection(('127.0.0.1', port), 2) as s:
        s.settimeout(2)
        return s.recv(4) == b'INFO'
    return False


class Server:
    """One variant: how it is started, and its process while a row runs."""

    def __init__(self, variant, programs, folder):
        self.variant = variant
        self.folder = folder
        self.port = free_port()
        if variant == 'go':
            self.workers = 1
            self.argv = [programs['go']]
        else:
            self.workers = int(variant[5:] or min(8, os.cpu_count()))
            self.argv = [programs['natsd']]
            if variant != 'natsd':
                self.argv += ['-c', self.configuration()]
        self.argv += ['-a', '127.0.0.1', '-p', str(self.port)]

    def configuration(self):
        path = os.path.join(self.folder, f'{self.variant}.conf')
        with open(path, 'w', encoding='ascii') as f:
            f.write('natsd { workers: %d }\n' % self.workers)
        return path

    def __enter__(self):
        self.log = open(os.path.join(self.folder, f'{self.variant}.log'), 'w+', encoding='utf-8', errors='replace')
        self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, cwd=self.folder)
        end = time.monotonic() + START_SECONDS
        while not answers(self.port):
            if self.process.poll() is not None or time.monotonic() > end:
                text = self.log_end()
                self.__exit__()
                raise Failed(f'{self.variant} did not start: {text}')
            time.sleep(0.005)
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()

    def log_end(self):
        self.log.seek(0)
        return self.log.read()[-600:]


def generator(programs, row, arguments, command=()):
    argv = [programs['bench'], row.command[0]] + arguments + row.command[1:] + list(command)
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=RUN_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise Failed(f'no end within {RUN_SECONDS} s') from None
    if done.returncode != 0:
        raise Failed(done.stderr.strip() or f'exit status {done.returncode}')
    return json.loads(done.stdout)


def measure(programs, row, variant, seconds):
    """One run of one row against one server, started for it."""
    with tempfile.TemporaryDirectory(prefix='natsd-bench.') as folder:
        server = Server(variant, programs, folder)
        arguments = ['-p', str(server.port), '--workers', str(server.workers)]
        if row.command[0] == 'start':
            return generator(programs, row, arguments, ['--'] + server.argv)
        if row.timed:
            arguments += ['--seconds', str(seconds)]
        with server:
            try:
                return generator(programs, row, arguments + ['--pid', str(server.process.pid)])
            except Failed as why:
                raise Failed(f'{why}\n{server.log_end()}') from None


class Table:
    """All runs so far: (row, variant) to the list of their JSON objects."""

    def __init__(self, rows, variants):
        self.rows = rows
        self.variants = variants
        self.runs = {}
        self.failures = []

    def add(self, row, variant, result):
        self.runs.setdefault((row.name, variant), []).append(result)

    def median(self, row, variant, key):
        values = [run[key] for run in self.runs.get((row.name, variant), []) if key in run]
        return statistics.median(values) if values else None

    def verdict(self, row, figure):
        """Whether natsd with its default number of workers reaches the goal; None when there is none or no figure."""
        own = self.median(row, 'natsd', figure.key)
        if figure.goal is None or own is None:
            return None
        kind, goal = figure.goal
        if kind == 'value':
            return own * figure.scale <= goal
        go = self.median(row, 'go', figure.key)
        if not go:
            return None
        return own / go >= goal if figure.more_is_better else own / go <= goal

    def line(self, row, figure):
        go = self.median(row, 'go', figure.key)
        cells = [f'{row.title}{": " if figure.label else ""}{figure.label}', goal_text(figure), number(go, figure)]
        for variant in self.variants[1:]:
            own = self.median(row, variant, figure.key)
            ratio = f' ({own / go:.2f})' if own is not None and go and go > 0 else ''
            cells.append(number(own, figure) + ratio)
        cells.append({None: '', True: 'yes', False: '**no**'}[self.verdict(row, figure)])
        cells.append(self.load(row))
        return '| ' + ' | '.join(cells) + ' |'

    def load(self, row):
        """Processors the generator and the server took, nats-server first, then natsd."""
        if not row.load:
            return ''
        pairs = []
        for variant in self.variants[:2]:
            own, server = (self.median(row, variant, key) for key in ('own_cores', 'server_cores'))
            pairs.append('-' if own is None else f'{own:.2f}+{server:.2f}')
        return ', '.join(pairs)

    def disturbance(self):
        """The most CPUs that anything else took during a row (median of its runs), and that row."""
        found = [(self.median(row, v, 'other_cores') or 0, row.name) for row in self.rows for v in self.variants]
        return max(found, default=(0, ''))

    def markdown(self):
        titles = ['work', 'goal', TITLES['go']] + [TITLES[v] for v in self.variants[1:]] + ['reached', 'generator + server CPUs']
        out = []
        for section, title in SECTIONS:
            rows = [row for row in self.rows if row.section == section]
            if rows:
                out += ['', f'### {title}', '', '| ' + ' | '.join(titles) + ' |', '|---' * len(titles) + '|']
                out += [self.line(row, figure) for row in rows for figure in row.figures]
        return '\n'.join(out) + '\n'


def number(value, figure):
    if value is None:
        return '-'
    value *= figure.scale
    if figure.unit == '/s':
        return f'{value / 1e6:.2f} M/s' if value >= 1e6 else f'{value:,.0f}/s'
    return f'{value:,.1f} {figure.unit}' if abs(value) < 1000 else f'{value:,.0f} {figure.unit}'


def goal_text(figure):
    if figure.goal is None:
        return ''
    kind, goal = figure.goal
    if kind == 'value':
        return f'<= {goal:,} {figure.unit}'
    return f'>= {goal:g}x' if figure.more_is_better else f'<= {goal:g}x'


def first_line(command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT).stdout.strip().splitlines()[0]
    except (OSError, IndexError):
        return 'unknown'


def machine():
    with open('/proc/cpuinfo', encoding='ascii') as f:
        model = next((line.split(':', 1)[1].strip() for line in f if line.startswith('model name')), 'unknown')
    with open('/proc/sys/net/ipv4/tcp_congestion_control', encoding='ascii') as f:
        congestion = f.read().strip()
    pages = os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')
    return f'{os.cpu_count()} x {model}, {pages / 2 ** 30:.0f} GiB, Linux {platform.release()}, loopback, TCP {congestion}'


def heading(programs, rounds, seconds, other):
    version = first_line([programs['natsd'], '-v']) if os.path.exists(programs['natsd']) else 'natsd not built'
    return '\n'.join([
        f'- Date: {datetime.date.today().isoformat()}, commit {first_line(["git", "rev-parse", "--short", "HEAD"])}',
        f'- Machine: {machine()}',
        f'- Servers: {version}; {first_line([programs["go"], "-v"])}',
        f'- Medians of {rounds} rounds of {seconds:g} s (memory rows at most 3), servers in turn, each started afresh; in brackets natsd / '
        'nats-server',
        f'- Other programs took at most {max(0, other):.2f} CPUs during a row', '',
    ])


def write_results(text):
    before, after = '# natsd: measured against nats-server\n\n', '\n'
    if os.path.exists(RESULTS):
        with open(RESULTS, encoding='utf-8') as f:
            old = f.read()
        if MARKS[0] in old and MARKS[1] in old:
            before, after = old.split(MARKS[0])[0], old.split(MARKS[1])[1]
    with open(RESULTS, 'w', encoding='utf-8') as f:
        f.write(f'{before}{MARKS[0]}\n{text}\n{MARKS[1]}{after}')


def run_rows(table, programs, args):
    for row in table.rows:
        variants = [v for v in table.variants if v in row.variants]
        for _ in range(min(args.rounds, row.rounds_max)):
            for variant in variants:
                try:
                    result = measure(programs, row, variant, args.seconds)
                except Failed as why:
                    table.failures.append(f'{row.name}, {TITLES[variant]}: {why}')
                    print(f'{row.name} {variant}: {why}', file=sys.stderr)
                    continue
                table.add(row, variant, result)
                if args.verbose:
                    print(f'{row.name} {variant} {json.dumps(result)}', flush=True)
        for figure in row.figures:
            print(f'{row.name:13s}{table.line(row, figure)}', flush=True)


def parse_arguments():
    parser = argparse.ArgumentParser(description='natsd against nats-server, row by row')
    parser.add_argument('--rows', help='names with commas between; default all: ' + ' '.join(row.name for row in ROWS))
    parser.add_argument('--rounds', type=int)
    parser.add_argument('--seconds', type=float, help='of each timed run')
    parser.add_argument('--servers', default='go,natsd,natsd1,natsd4', help='which of go, natsd, natsd1, natsd4 (or any number)')
    parser.add_argument('--quick', action='store_true', help='3 rounds of 0.4 s, natsd with its default workers only')
    parser.add_argument('--json', metavar='FILE', help='keep the figures of every run')
    parser.add_argument('-v', '--verbose', action='store_true')
    args = parser.parse_args()
    args.whole = not (args.rows or args.quick) and args.servers == parser.get_default('servers')
    if args.quick and args.servers == parser.get_default('servers'):
        args.servers = 'go,natsd'
    args.rounds = args.rounds or (3 if args.quick else 5)
    args.seconds = args.seconds or (0.4 if args.quick else 1.0)
    return args


def main():
    args = parse_arguments()
    natsd = os.environ.get('NATSD_BIN') or release_program('natsd')
    programs = {
        'natsd': os.path.abspath(natsd),
        'bench': os.path.abspath(os.environ.get('NATSD_BENCH') or release_program('natsd-bench')),
        'go': os.path.join(os.environ.get('NATSD_CACHE') or os.path.expanduser('~/.cache/natsd-peers'), 'nats-server'),
    }
    names = args.rows.split(',') if args.rows else [row.name for row in ROWS]
    unknown = set(names) - {row.name for row in ROWS}
    if unknown:
        sys.exit(f'no such row: {", ".join(sorted(unknown))}')
    wanted = {'bench'} | {'go' if server == 'go' else 'natsd' for server in args.servers.split(',')}
    for program in sorted(wanted):
        if not os.access(programs[program], os.X_OK):
            sys.exit(f'{programs[program]} is not there: `make all bench-tool` builds natsd, tests/peers/bring.sh brings nats-server')
    table = Table([row for row in ROWS if row.name in names], args.servers.split(','))
    run_rows(table, programs, args)
    other, where = table.disturbance()
    if other > OTHERS_MAX:
        print(f'warning: other programs took {other:.2f} CPUs during {where}: these figures are worth little', file=sys.stderr)
    text = heading(programs, args.rounds, args.seconds, other) + table.markdown()
    if args.whole and not table.failures:
        write_results(text)
        print(f'\nwritten: {RESULTS}')
    elif not args.quick:
        print('\n' + text)
    if args.json:
        with open(args.json, 'w', encoding='utf-8') as f:
            json.dump({f'{row} {variant}': runs for (row, variant), runs in table.runs.items()}, f, indent=1)
    for failure in table.failures:
        print(f'FAILED {failure}', file=sys.stderr)
    sys.exit(1 if table.failures else 0)


if __name__ == '__main__':
    main()
