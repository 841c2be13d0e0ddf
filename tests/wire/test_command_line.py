"""Flags, words and exit codes: the same command lines to natsd, under the name nats-server, and to nats-server."""
import os
import re
import subprocess

import pytest

import harness
from rawclient import DEADLINE

# Command lines that end by themselves. {good}, {bad}... are configuration files, {dir} the folder with them.
ENDING = '''
-v | --v | -version | --version | version | -version=true | -h | -help | --help | help | -help_tls
-foo | --foo | -p | -p x | --p=x | -p= | -m x | -D true | -D=maybe | -D=2 | word | - | -- x | -DVX | -logtime=x | -log_size_limit x
-t | -t -c {missing} | -c {missing} | -t -c {good} | -t --config {good} | -t -c {warning} | -t -c {empty} | -t -c {comment} | -t -c {braces}
-t -c {unknown} | -c {unknown} | -t -c {syntax} | -c {syntax} | -t -c {type} | -t -c {dir} | -t -c {include} | -t -c {noinclude}
-t -c {semantic} | -c {semantic}
-sl nope=1 | --signal nope=1 | --signal reload=99999999 | --signal stop={missing} | --signal=ldm=x
-p 1 -p -1 -v | -auth x -v | -user u -pass p -v | -n x -v | -name x -v | -a 127.0.0.1 -v | -addr h -v | -net h -v | -T=false -v | -logtime_utc -v
-DV -v | -DVV -v | -VV -v | -V -v | -D -v | -js -v | -jetstream -v | -sd x -v | -ms 1 -v | -https_port 1 -v | -http_port 1 -v | -no_advertise -v
-connect_retries 3 -v | -profile 1 -v | -max_traced_msg_len 5 -v | -client_advertise x -v | -cluster x -v | -r x -v | -s -v | -P x -v | -l x -v
-v word | word -v | help word | version word | help -v | -h -v | -v -h | -c {good} -v | -c {missing} -v | -config
-server_name a\\ b -p -1 | -p -1 -l {dir}/no/log
'''
FILES = {
    'good': 'port: -1\n', 'warning': 'ping_interval: 10\n', 'empty': '', 'comment': '# nothing\n', 'braces': '{}\n', 'unknown': 'prt: 1\n',
    'syntax': 'port: [\n', 'type': 'port: "x"\nmax_payload: []\n', 'include': 'include "good.conf"\n', 'noinclude': 'include "gone.conf"\n',
    'semantic': 'port: -1\nmax_payload: 10MB\nmax_pending: 1MB\n',
}
LINES = [line.strip() for line in ENDING.replace('\n', ' | ').split(' | ') if line.strip()]


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    to = tmp_path_factory.mktemp('flags')
    for name, text in FILES.items():
        (to / (name + '.conf')).write_text(text)
    for side, binary in (('natsd', harness.natsd_path()), ('go', harness.GO)):
        (to / side).mkdir()
        os.symlink(binary, to / side / 'nats-server')
    return to


def run(folder, side, line):
    """(exit code, stdout, lines of stderr, sorted: nats-server visits keys in any order).

    natsd puts file, line and column before more of its errors, and has words of its own for wrong types.
    """
    words = [re.sub(r'\\ ', ' ', w) for w in re.split(r'(?<!\\) ', line)]
    names = {name: name + '.conf' for name in FILES}
    words = [w.format(missing='missing.conf', dir=str(folder), **names) for w in words]
    done = subprocess.run([str(folder / side / 'nats-server'), *words], cwd=folder, capture_output=True, text=True, timeout=DEADLINE,
                          stdin=subprocess.DEVNULL)
    err = re.sub(r'^(\[\d+\] )?\d{4}/\d\d/\d\d \S+ ', '', done.stderr)
    lines = sorted(filter(None, re.sub(r'^nats-server: ', '', err).splitlines()))
    if side == 'natsd':
        lines = [re.sub(r'^noinclude.conf:1:9: ', '', text) for text in lines]
    return done.returncode, done.stdout, '\n'.join(lines)


@pytest.mark.parametrize('line', LINES)
def test_command_line(folder, line):
    code, out, err = run(folder, 'go', line)
    our_code, our_out, our_err = run(folder, 'natsd', line)
    assert our_code == code, (our_out, our_err, err)
    if not re.search(r'\{(syntax|type)\}', line):
        assert our_err == err
    elif our_err != err:
        assert re.match(r'\w+\.conf:\d+:\d+: ', our_err)
    if out.startswith('nats-server: v'):
        assert our_out.startswith(out.strip())
    else:
        assert bool(our_out) == bool(out), our_out


def test_help_names_every_flag(folder):
    """The usage is in our own words, but knows the same flags."""
    flags = {}
    for side in ('go', 'natsd'):
        flags[side] = set(re.findall(r'(?<![\w-])--?([a-zA-Z][a-zA-Z_]*)', run(folder, side, '-h')[1]))
    assert flags['go'] - flags['natsd'] == set()


def test_digest_is_the_same(folder):
    for name in ('good', 'include', 'semantic'):
        line = '-t -c {%s}' % name
        assert run(folder, 'natsd', line)[2] == run(folder, 'go', line)[2]


def test_version_of_natsd_itself():
    out = subprocess.run([harness.natsd_path(), '-v'], capture_output=True, text=True, timeout=DEADLINE).stdout
    if not harness.is_go(harness.natsd_path()):
        assert 'v2.15.2' in out and re.search(r'natsd.*\d+\.\d+\.\d+', out), out
