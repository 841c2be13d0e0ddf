#!/usr/bin/env python3
"""check-docs.py [--write] - the tables in the sources against the manual pages. Called by tests/tidy.sh.

Derived: the tables of messages.def, counters.def and the sandbox stand in natsd-internals.7 between marks; they must be what the sources
give, and --write puts them there. Described by hand, but looked for: each key of options.def in natsd.conf.5, each flag of flags.def in
natsd.8, each path that README or a manual page names.
"""
import os
import re
import sys
import textwrap

INTERNALS = 'man/natsd-internals.7'
CONFIGURATION = 'man/natsd.conf.5'
COMMAND = 'man/natsd.8'


def read(path):
    return open(path, encoding='utf-8').read() if os.path.exists(path) else ''


def rows(path, macro):
    """The arguments of each MACRO(...) row of a .def file, as source text."""
    text = re.sub(r'/\*.*?\*/', ' ', read(path), flags=re.S)
    found = []
    for match in re.finditer(r'^\s*%s\(' % macro, text, re.M):
        depth, at, begin, arguments, quoted = 1, match.end(), match.end(), [], False
        while depth:
            c = text[at]
            if c == '"' and text[at - 1] != '\\':
                quoted = not quoted
            elif not quoted:
                depth += (c in '({') - (c in ')}')
                if (c == ',' and depth == 1) or depth == 0:
                    arguments.append(' '.join(text[begin:at].split()))
                    begin = at + 1
            at += 1
        found.append(arguments)
    return found


def unquoted(text):
    """A C string literal, maybe in several pieces, as its text."""
    return ''.join(re.findall(r'"((?:[^"\\]|\\.)*)"', text)).replace('\\"', '"').replace('\\\\', '\\')


def roff(text):
    """Text as lines of roff that fit into 80 columns and are no requests."""
    lines = textwrap.wrap(text.replace('\\', '\\e'), 78, break_long_words=False, break_on_hyphens=False)
    return '\n'.join('\\&' + line if line[:1] in ".'" else line for line in lines)


def messages():
    out = ['.Bl -tag -width Ds']
    for name, _, number, senders, receivers, descriptors, fields, text in rows('shared/ipc/messages.def', 'MSG'):
        way = '%s to %s' % tuple(' or '.join(part.strip().lower() for part in side.split('|')) for side in (senders, receivers))
        out.append('.It Dv %s Pq %s , %s%s' % (name, number, way, ', up to %s descriptors' % descriptors if descriptors != '0' else ''))
        out.append(roff(unquoted(text) + '.'))
        parts = re.findall(r'(\w+)\((\w+)\)', fields)
        if parts:
            out.append('.br')
            out.append(roff('Fields: ' + ', '.join('%s %s' % (kind.lower(), field) for kind, field in parts) + '.'))
    return out + ['.El']


def counters():
    out = ['.Bl -tag -width Ds']
    for row in rows('shared/ipc/counters.def', 'COUNTER'):
        out.append('.It Va %s' % row[0].lower())
        out.append(roff(unquoted(row[-1]) + '.'))
    return out + ['.El']


DERIVED = {'messages.def': messages, 'counters.def': counters}


def derived(write):
    page = read(INTERNALS)
    bad = []
    for mark, make in DERIVED.items():
        pattern = re.compile(r'(\.\\" begin %s\n)(.*?)(\.\\" end %s\n)' % (re.escape(mark), re.escape(mark)), re.S)
        match = pattern.search(page)
        if match is None:
            bad.append('%s: no place for the table of %s' % (INTERNALS, mark))
            continue
        table = '\n'.join(make()) + '\n'
        if match.group(2) != table:
            if not write:
                bad.append('%s: the table of %s is not what the source says: run tests/check-docs.py --write' % (INTERNALS, mark))
            page = page[:match.start(2)] + table + page[match.end(2):]
    if write:
        open(INTERNALS, 'w', encoding='utf-8').write(page)
    return bad


def main(arguments):
    bad = derived('--write' in arguments)
    print('\n'.join(bad), end='\n' if bad else '')
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
