r"""Reads the case files of the differential tester (tests/wire/cases/*.case).

    # a comment; the first one says what the file is about
    %config                 configuration of both servers for the cases that follow, up to %end
    = name of a case
    %each x: a | b | c      the case once for each value of {x}; several lines multiply
    A+ {"echo":false}       CONNECT of client A: quiet, protocol 1, headers; the object changes fields
    A> SUB foo 1            a line of client A, CRLF is added
    A>> PUB foo 2\r\nhi     raw bytes of client A
    A flush                 send, and go on when the server has read it (so the next bytes come in another read)
    A sync                  send with a PING behind, wait for its PONG or the close; happens by itself when another
                            client speaks and at the end of the case
    A open                  send without that PING, now and for the rest of the case (for half a command, before CONNECT)
    A end                   send, half-close, read up to the server's close
    A gone                  send, wait for the server's close

Everywhere: @ is a word of its own for each case, {{text*N}} is repeated text, \r \n \t \0 \\ \xNN are bytes.
"""
import glob
import itertools
import json
import os
import re

QUIET = {'verbose': False, 'pedantic': False, 'protocol': 1, 'headers': True, 'no_responders': True}
ESCAPES = {b'r': b'\r', b'n': b'\n', b't': b'\t', b'0': b'\0', b'\\': b'\\'}


class Case:
    """steps: (client, verb, bytes); verb is one of send, flush, sync, open, end, gone."""

    def __init__(self, name, config, steps):
        self.name, self.config, self.steps = name, config, steps

    def __repr__(self):
        return self.name


def unescape(text):
    data = text.encode('latin-1')
    data = re.sub(rb'\{\{(.*?)\*(\d+)\}\}', lambda m: m.group(1) * int(m.group(2)), data)

    def byte(m):
        if m.group(1):
            return bytes([int(m.group(1), 16)])
        return ESCAPES[m.group(2)]
    return re.sub(rb'\\(?:x([0-9a-fA-F]{2})|(.))', byte, data)


def steps_of(lines, where):
    for line in lines:
        m = re.match(r'^([A-Z])(>>|>|\+| (?:flush|sync|open|end|gone)$)(.*)$', line)
        if not m:
            raise ValueError('%s: %r' % (where, line))
        client, verb, rest = m.group(1), m.group(2).strip(), m.group(3)
        if verb == '>':
            yield client, 'send', unescape(rest[1:] if rest.startswith(' ') else rest) + b'\r\n'
        elif verb == '>>':
            yield client, 'send', unescape(rest[1:] if rest.startswith(' ') else rest)
        elif verb == '+':
            fields = {**QUIET, **(json.loads(rest) if rest.strip() else {})}
            yield client, 'send', b'CONNECT ' + json.dumps(fields, separators=(',', ':')).encode() + b'\r\n'
        else:
            yield client, verb, b''


def expand(name, each, lines):
    """One (name, lines) for each combination of the values."""
    for values in itertools.product(*[v for _, v in each]):
        def fill(text):
            for (key, _), value in zip(each, values):
                text = text.replace('{%s}' % key, value)
            return text
        label = fill(name)
        if each and label == name:
            label += ' [%s]' % ','.join(v or 'none' for v in values)
        yield label, [fill(line) for line in lines]


def read(path):
    """All cases of one file."""
    topic = os.path.basename(path).rpartition('.')[0]
    cases, config, current, in_config = [], '', None, None

    def finish():
        if current:
            for label, lines in expand(current[0], current[1], current[2]):
                cases.append(Case('%s: %s' % (topic, label), config, list(steps_of(lines, '%s: %s' % (path, label)))))
    for raw in open(path, encoding='latin-1'):
        line = raw.rstrip('\n')
        if in_config is not None:
            if line == '%end':
                config, in_config = '\n'.join(in_config) + '\n', None
            else:
                in_config.append(line)
        elif line == '%config':
            finish()
            current, in_config = None, []
        elif line.startswith('= '):
            finish()
            current = (line[2:].strip(), [], [])
        elif line.startswith('%each '):
            key, _, values = line[6:].partition(':')
            current[1].append((key.strip(), [v.strip() for v in values.split(' | ')]))
        elif line.strip() and not line.startswith('#'):
            current[2].append(line)
    finish()
    return cases


def read_all(folder):
    return [case for path in sorted(glob.glob(os.path.join(folder, '*.case'))) for case in read(path)]
