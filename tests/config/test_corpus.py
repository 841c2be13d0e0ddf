"""natsd -t against nats-server -t: the same verdict, the same digest for what is valid, the same text for what is not.

Two collections: corpus/*.txt, our own cases, each "=== name" and its text ([words] behind the name: the texts differ, and only the
verdict counts); and every configuration in nats-server's own tests (extract.py). Verdicts of nats-server are kept in the cache folder,
since they do not change.
"""
import concurrent.futures
import glob
import hashlib
import json
import os
import re
import subprocess

import pytest

import extract
import harness

HERE = os.path.dirname(os.path.realpath(__file__))
TIMEOUT = 60 * float(os.environ.get('NATSD_SLOW') or 1)
BINARY = os.environ.get('NATSD_RELEASE_BIN') or harness.natsd_path()
VARIABLES = {
    'PATH': os.environ.get('PATH', ''), 'HOME': '/nonexistent',
    'CONF_TEST_TEXT': '"from the environment"', 'CONF_TEST_PORT': '4333', 'CONF_TEST_BLOCK': '{ a: "b", c: "d" }',
    'CONF_TEST_LOOP_A': '$CONF_TEST_LOOP_B', 'CONF_TEST_LOOP_B': '$CONF_TEST_LOOP_A', 'CONF_TEST_BROKEN': '[ "a"',
}
# What natsd says in its own words: nats-server prints a Go panic, or a NUL for the end of the input.
OWN_WORDS = re.compile(r'interface conversion|invalid memory address|\x00')
RETRIES = 8
PLACE = re.compile(r'^\S*:-?\d+:-?\d+: ')

pytestmark = pytest.mark.skipif(not os.path.exists(harness.GO), reason='nats-server was not brought')


def own_cases():
    """(name, text, words) of all cases in corpus/."""
    cases = []
    for path in sorted(glob.glob(os.path.join(HERE, 'corpus', '*.txt'))):
        with open(path, encoding='utf-8', newline='') as file:
            parts = re.split(r'^=== (.*?)( \[words\])?\n', file.read(), flags=re.M)
        for name, words, text in zip(parts[1::3], parts[2::3], parts[3::3]):
            cases.append(pytest.param(text, words is not None, id='%s: %s' % (os.path.basename(path)[:-4], name)))
    return cases


class Verdicts:
    """What nats-server says, remembered between runs."""

    def __init__(self):
        self.path = os.path.join(harness.CACHE, 'config-verdicts.json')
        self.known = {}
        self.fresh = False
        if os.path.exists(self.path):
            with open(self.path, encoding='utf-8') as file:
                self.known = json.load(file)

    def get(self, folder, path, text):
        key = hashlib.sha256(repr((extract.MODULE, sorted(VARIABLES.items())[:2], path, text)).encode()).hexdigest()
        if key not in self.known:
            self.known[key] = run(harness.GO, folder, path)
            self.fresh = True
        return tuple(self.known[key])

    def save(self):
        if self.fresh:
            with open(self.path + '.new', 'w', encoding='utf-8') as file:
                json.dump(self.known, file)
            os.replace(self.path + '.new', self.path)


def run(binary, folder, path):
    """(exit code, what it says on stderr without its name)"""
    done = subprocess.run([binary, '-t', '-c', path], cwd=folder, env=VARIABLES, capture_output=True, timeout=TIMEOUT)
    text = done.stderr.decode('utf-8', 'replace')
    return done.returncode, re.sub(r'^(natsd|nats-server): ', '', text)


def lines(text, strip):
    """The lines of a verdict, sorted, since Go reports errors in random order."""
    return sorted(PLACE.sub('', line) if strip else line for line in text.strip('\n').split('\n'))


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """The folder to run in: nats-server's own where it can be had, so that its certificates are there."""
    path = str(tmp_path_factory.mktemp('config'))
    server = extract.copy_tree(path)
    if server is None:
        server = os.path.join(path, 'server')
        os.makedirs(server)
    for name in glob.glob(os.path.join(HERE, 'corpus', '*.inc')):
        with open(name, encoding='utf-8') as source, open(os.path.join(server, os.path.basename(name)), 'w', encoding='utf-8') as copy:
            copy.write(source.read())
    return server


@pytest.fixture(scope='module')
def verdicts():
    kept = Verdicts()
    yield kept
    kept.save()


@pytest.mark.parametrize('text, words', own_cases())
def test_own_case(text, words, folder, verdicts):
    if '../test/configs' in text and not os.path.isdir(os.path.join(folder, '../test/configs')):
        pytest.skip('the source of nats-server was not brought')
    with open(os.path.join(folder, 'own.conf'), 'w', encoding='utf-8', newline='') as file:
        file.write(text)
    code, wanted = verdicts.get(folder, 'own.conf', text)
    got_code, got = run(BINARY, folder, 'own.conf')
    assert got_code == code, 'natsd says %d: %s; nats-server %d: %s' % (got_code, got, code, wanted)
    if code == 0:
        assert got == wanted
    elif not words and not OWN_WORDS.search(wanted):
        strip = PLACE.match(wanted) is None
        assert lines(got, strip) == lines(wanted, strip)


def test_configurations_of_nats_server(folder, verdicts):
    if extract.module_folder() is None:
        pytest.skip('the source of nats-server was not brought')
    cases = [(path, None) for path in extract.files(os.path.dirname(folder))]
    for number, text in enumerate(extract.texts().values()):
        path = 'case%d.conf' % number
        with open(os.path.join(folder, path), 'w', encoding='utf-8', errors='surrogateescape', newline='') as file:
            file.write(text)
        cases.append((path, text))

    def compare(case):
        path, text = case
        code, wanted = verdicts.get(folder, path, text)
        got_code, got = run(BINARY, folder, path)
        # Go walks maps in random order, and some verdicts hang on it: then nats-server is asked again.
        for _ in range(RETRIES):
            if (code, got) == (got_code, wanted) or code == got_code != 0:
                return None
            code, wanted = run(harness.GO, folder, path)
        if code != got_code or (code == 0 and got != wanted):
            return '%s\n%s\nnats-server %d: %s\nnatsd %d: %s' % (path, text, code, wanted, got_code, got)
        return None

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        different = [found for found in pool.map(compare, cases) if found]
    assert len(cases) > 300
    assert not different, '%d of %d differ:\n%s' % (len(different), len(cases), '\n\n'.join(different[:5]))
