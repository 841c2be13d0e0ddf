#!/usr/bin/env python3
"""tidy.py [FILE...] - the rules of the house that a machine can hold. Called by tests/tidy.sh.

Sources are looked at with comments and strings blanked out, so that a word in a sentence is no call. Prints FILE:LINE: rule, and
a line of figures; status 1 if any rule is broken. Exceptions stand in the tables below, each with its reason.
"""
import collections
import glob
import os
import re
import subprocess
import sys

FILE_MAX = 1200
FUNCTION_MAX = 100
LINE_MAX = 132
# Assertions per 1,000 lines, headers counted too: the goal, and for rooms that are not there yet what they must not fall below.
# Raise a figure when its room has more; a room without a row must meet the goal.
ASSERTIONS_GOAL = 30
ASSERTIONS_AT_LEAST = {
    'shared/base': 27,
    'shared/wire': 6,
    'shared/model': 25,
    'shared/ipc': 16,
    'shared/broker': 18,
    'master': 7,
    'master/authd': 13,
    'worker': 16,
}

# Which rooms a room may include, beside itself (ARCHITECTURE 8).
MAY_INCLUDE = {
    'shared/base': (),
    'shared/wire': ('base',),
    'shared/model': ('base',),
    'shared/ipc': ('base', 'wire', 'model'),
    'shared/broker': ('base', 'wire', 'model', 'ipc'),
    'master': ('base', 'wire', 'model', 'ipc', 'broker'),
    'master/authd': ('base', 'wire', 'model', 'ipc', 'broker'),
    'worker': ('base', 'wire', 'model', 'ipc', 'broker'),
}
ROOMS = {'shared/' + name: name for name in ('base', 'wire', 'model', 'ipc', 'broker')}
ROOMS.update({'master': 'master', 'master/authd': 'master/authd', 'worker': 'worker'})

# call: what to use instead
BANNED = {
    'strcpy': 'strlcpy', 'strcat': 'strlcat', 'sprintf': 'snprintf', 'vsprintf': 'vsnprintf', 'gets': 'fgets', 'strtok': 'a reader of bytes.h',
    'atoi': 'text_parse_u64', 'atol': 'text_parse_u64', 'alloca': 'an arena', 'system': 'execve', 'popen': 'execve',
    'rand': 'random_fast', 'signal': 'sigaction or loop_signals',
}
# call: (the only files that may, why)
ONE_DOOR = {
    'malloc': ('shared/base/memory.c', 'the one door to memory'),
    'calloc': ('shared/base/memory.c', 'the one door to memory'),
    'realloc': ('shared/base/memory.c', 'the one door to memory'),
    'free': ('shared/base/memory.c', 'the one door to memory'),
    'clock_gettime': ('shared/base/loop*.c shared/base/clock.c', 'the one door to time'),
    'gettimeofday': ('shared/base/loop*.c shared/base/clock.c', 'the one door to time'),
    'getrandom': ('shared/base/loop*.c shared/base/random.c', 'the one door to chance'),
    'arc4random': ('shared/base/loop*.c shared/base/random.c', 'the one door to chance'),
}
# file: {function: why it is longer}
LONG_FUNCTIONS = {}
# (file, call or include): why it may
ALLOWED = {}


def committed():
    """Files that git knows or would add."""
    out = subprocess.run(['git', 'ls-files', '--cached', '--others', '--exclude-standard'], capture_output=True, text=True, check=True)
    return [name for name in out.stdout.splitlines() if os.path.exists(name)]


def blanked(text):
    """The text without the insides of comments and strings, line breaks kept."""
    def blank(match):
        piece = match.group(0)
        if piece[0] in '"\'':
            return piece[0] + re.sub(r'[^\n]', ' ', piece[1:-1]) + piece[0]
        return re.sub(r'[^\n]', ' ', piece)
    return re.sub(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|//[^\n]*|/\*.*?\*/', blank, text, flags=re.S)


def room_of(path):
    return os.path.dirname(path)


class Tidy:
    def __init__(self, names):
        self.names = names
        self.broken = 0
        self.lines, self.assertions = collections.Counter(), collections.Counter()
        self.figures = []

    def say(self, path, line, rule):
        self.broken += 1
        print('%s:%d: %s' % (path, line, rule))

    def source(self, path):
        text = open(path, encoding='utf-8').read()
        code = blanked(text)
        lines = text.split('\n')
        if len(lines) - 1 > FILE_MAX:
            self.say(path, FILE_MAX, 'file longer than %d lines' % FILE_MAX)
        if not text.startswith('/*'):
            self.say(path, 1, 'no contract: a file opens with a comment that says what it is for')
        for number, line in enumerate(lines, 1):
            width = len(line.expandtabs(8))
            if width > LINE_MAX:
                self.say(path, number, 'line of %d columns' % width)
            if line != line.rstrip():
                self.say(path, number, 'blanks at the end of the line')
        for match in re.finditer(r'\b(TODO|FIXME|XXX|HACK)\b', text):
            self.say(path, text.count('\n', 0, match.start()) + 1, match.group(0))
        self.functions(path, code)
        self.ghosts(path, text)
        if not path.startswith('tests/'):
            self.calls(path, code)
            self.includes(path, text)
            self.lines[room_of(path)] += len(lines)
            self.assertions[room_of(path)] += len(re.findall(r'\b(?:CHECK\w*|_Static_assert|static_assert)\s*\(', code))
        else:
            self.calls(path, code, BANNED)

    def functions(self, path, code):
        """KNF: a body opens and closes with a brace in the first column, the name stands at the start of a line before it."""
        name, begin = '?', 0
        for number, line in enumerate(code.split('\n'), 1):
            match = re.match(r'(\w+)\(', line)
            if match:
                name = match.group(1)
            if line.startswith('{'):
                begin = number
            elif line.startswith('}') and begin:
                length = number - begin + 1
                self.figures.append(length)
                if length > FUNCTION_MAX and name not in LONG_FUNCTIONS.get(path, {}):
                    self.say(path, begin, '%s has %d lines, more than %d' % (name, length, FUNCTION_MAX))
                begin = 0

    def calls(self, path, code, banned=None):
        for match in re.finditer(r'(?<![\w.>])(\w+)\s*\(', code):
            call = match.group(1)
            line = code.count('\n', 0, match.start()) + 1
            if (path, call) in ALLOWED:
                continue
            if call in BANNED:
                self.say(path, line, '%s: use %s' % (call, BANNED[call]))
            elif banned is None and call in ONE_DOOR:
                doors, why = ONE_DOOR[call]
                if path not in sum((glob.glob(d) for d in doors.split()), []):
                    self.say(path, line, '%s: %s is %s' % (call, why, doors))

    def includes(self, path, text):
        own = room_of(path)
        allowed = MAY_INCLUDE.get(own)
        if allowed is None:
            self.say(path, 1, 'a source in a room that tidy.py does not know')
            return
        for match in re.finditer(r'^[ \t]*#[ \t]*include[ \t]+"([^"]+)"', text, re.M):
            target = match.group(1)
            line = text.count('\n', 0, match.start()) + 1
            room = os.path.dirname(target)
            if (path, target) in ALLOWED:
                continue
            if room == '' and os.path.exists(os.path.join(own, target)):
                continue
            if room not in ROOMS.values():
                self.say(path, line, 'include "%s": write room/file.h' % target)
            elif room not in allowed and room != ROOMS[own]:
                self.say(path, line, 'include "%s": %s may not know %s' % (target, ROOMS[own], room))

    def ghosts(self, path, text):
        """File names in comments must be files of the tree (or of nats-server, when they say .go)."""
        for match in re.finditer(r'/\*.*?\*/|//[^\n]*', text, re.S):
            for word in re.finditer(r'(?<![\w<./-])([\w/-]+\.(?:c|h|def))\b(?!>)', match.group(0)):
                base = os.path.basename(word.group(1))
                if base not in self.names and not os.path.exists('/usr/include/' + word.group(1)):
                    line = text.count('\n', 0, match.start() + word.start()) + 1
                    self.say(path, line, 'a comment names %s, which is not there' % word.group(1))

    def tree(self, sources):
        """Rules over all files together: headers that nobody includes, stamps used twice."""
        texts = {path: open(path, encoding='utf-8').read() for path in sources}
        included = set()
        for text in texts.values():
            included.update(os.path.basename(t) for t in re.findall(r'#\s*include\s+"([^"]+)"', text))
        for path in texts:
            if path.endswith('.h') and os.path.basename(path) not in included:
                self.say(path, 1, 'nobody includes this header')
        stamps = {}
        for path, text in sorted(texts.items()):
            for match in re.finditer(r'#define\s+(\w+_MAGIC)\s+(?:UINT32_C\()?(0x[0-9a-fA-F]+)', text):
                other = stamps.setdefault(int(match.group(2), 16), (match.group(1), path))
                if other != (match.group(1), path):
                    self.say(path, text.count('\n', 0, match.start()) + 1, '%s has the stamp of %s in %s' % (match.group(1), *other))
        for room, lines in sorted(self.lines.items()):
            bound = ASSERTIONS_AT_LEAST.get(room, ASSERTIONS_GOAL)
            if self.assertions[room] * 1000 < bound * lines:
                self.say(room, 1, '%d assertions in %d lines: fewer than %d in 1,000' % (self.assertions[room], lines, bound))


def main(arguments):
    names = committed()
    sources = [n for n in names if n.endswith(('.c', '.h'))]
    tidy = Tidy({os.path.basename(n) for n in names})
    for path in arguments or sources:
        tidy.source(path)
    if not arguments:
        tidy.tree(sources)
        sizes = sorted(tidy.figures) or [0]
        lines = sum(tidy.lines.values())
        print('%d lines in %d files; functions: median %d, p95 %d, longest %d lines; assertions: %d per 1,000 lines' % (
            lines, len([s for s in sources if not s.startswith('tests/')]), sizes[len(sizes) // 2], sizes[len(sizes) * 95 // 100],
            sizes[-1], sum(tidy.assertions.values()) * 1000 // max(lines, 1)))
    return 1 if tidy.broken else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
