#!/usr/bin/env python3
"""check-docs.py [--write] - the tables in the sources against the manual pages. Called by tests/tidy.sh.

Derived: the tables of messages.def, counters.def and sandbox.def in natsd-internals.7, and those of refused keys and of keys that a reload
may change (options.def) in natsd.conf.5. They stand between marks and must be what the sources give; --write puts them there.
Written by hand, but looked for: each key natsd takes (options.def) in natsd.conf.5, each flag (flags.def) in natsd.8, and that each
path README names is there.
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


ROLES = {'EVERY': 'every child', 'WORKER': 'worker', 'AUTHD': 'authd'}


def sandbox():
    out = ['.Bl -tag -width Ds']
    for name, roles, arguments, reason in rows('shared/ipc/sandbox.def', 'CALL'):
        who = ' or '.join(ROLES.get(r.strip(), r.strip().lower()) for r in roles.split('|'))
        out.append('.It Fn %s Pq %s%s' % (name, who, '' if arguments == 'ANY' else ', ' + condition(arguments)))
        function = re.fullmatch(r'(\w+)\(\)', unquoted(reason))
        out.append('.Fn %s .' % function.group(1) if function else roff(unquoted(reason) + '.'))
    out += ['.El', '.Pp', 'Denied to master:']
    return out + [roff(', '.join(row[0] for row in rows('shared/ipc/sandbox.def', 'DENY')) + '.')]


def condition(arguments):
    kind, *values = re.findall(r'\w+', arguments)
    number = 'argument %d' % (int(values[0]) + 1)
    if kind == 'EQUAL':
        return '%s is %s' % (number, values[1])
    if kind == 'MASKED':
        return '%s without %s' % (number, values[1]) if values[2] == '0' else '%s with %s = %s' % (number, values[1], values[2])
    if kind == 'OWN':
        return '%s is its own id' % number
    raise ValueError('a kind of condition that check-docs.py does not know: ' + arguments)


# The blocks whose features are there; what stands in others is behind a key that is refused.
TAKEN = ('top', 'natsd', 'authorization', 'authorization.users', 'permissions', 'permissions.publish|subscribe',
         'permissions.allow_responses')


def options(wanted):
    """[(block, key, aliases, reload, feature, doc)] of the rows in TAKEN blocks that wanted(feature) wants."""
    found = []
    for block, key, aliases, _, reload, feature, doc in rows('shared/model/options.def', 'OPTION'):
        if unquoted(block) in TAKEN and wanted(feature):
            found.append((unquoted(block), unquoted(key), [a for a in unquoted(aliases).split(',') if a], reload, feature, unquoted(doc)))
    return found


def refused():
    out = ['.Bl -tag -width Ds']
    for block, key, aliases, _, _, doc in options(lambda feature: feature != 'FEATURE_CORE'):
        out.append('.It Ic %s' % ' , '.join([key if block == 'top' else block + '.' + key] + aliases))
        out.append(roff(doc + '.'))
    return out + ['.El']


def reloadable():
    keys = [(key, reload) for block, key, _, reload, _, _ in options(lambda feature: feature == 'FEATURE_CORE') if block == 'top']
    return [line for key, reload in keys if reload != 'RELOAD_NO' for line in ('.Ic %s ,' % key,)][:-1] + [
        '.Ic %s .' % [key for key, reload in keys if reload != 'RELOAD_NO'][-1]]


DERIVED = {
    'messages.def': (INTERNALS, messages), 'counters.def': (INTERNALS, counters), 'sandbox.def': (INTERNALS, sandbox),
    'refused keys': (CONFIGURATION, refused), 'reloadable keys': (CONFIGURATION, reloadable),
}


def derived(write):
    bad = []
    for mark, (path, make) in DERIVED.items():
        page = read(path)
        pattern = re.compile(r'(\.\\" begin %s\n)(.*?)(\.\\" end %s\n)' % (re.escape(mark), re.escape(mark)), re.S)
        match = pattern.search(page)
        if match is None:
            bad.append('%s: no place for the table of %s' % (path, mark))
            continue
        table = '\n'.join(make()) + '\n'
        if match.group(2) == table:
            continue
        if write:
            open(path, 'w', encoding='utf-8').write(page[:match.start(2)] + table + page[match.end(2):])
        else:
            bad.append('%s: the table of %s is not what the source says: run tests/check-docs.py --write' % (path, mark))
    return bad


def words_of(page, macro):
    """Every word on the lines of the page that use this macro."""
    return {word for line in page.splitlines() if re.match(r'\.(It )?%s ' % macro, line) for word in line.split()}


def described():
    bad = []
    keys = words_of(read(CONFIGURATION), 'Ic')
    for block, key, aliases, _, _, _ in options(lambda feature: feature == 'FEATURE_CORE'):
        bad += ['%s: %s of the block %s is not described' % (CONFIGURATION, name, block) for name in [key] + aliases if name not in keys]
    flags = set(re.findall(r'Fl (\w+)', read(COMMAND)))
    flags |= set(re.findall(r'Fl -(\w+)', read(COMMAND)))
    for row in rows('shared/model/flags.def', 'FLAG'):
        if unquoted(row[0]) not in flags:
            bad.append('%s: the flag %s is not described' % (COMMAND, unquoted(row[0])))
    return bad


def paths():
    """README names folders and files of the tree as folder/... words."""
    found = re.findall(r'(?<![\w./~{}-])((?:shared|master|worker|man|etc|tests)/[\w./-]*\w/?)', read('README'))
    return ['README: %s is not there' % path for path in found if not os.path.exists(path)]


def main(arguments):
    bad = derived('--write' in arguments) + described() + paths()
    print('\n'.join(bad), end='\n' if bad else '')
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
