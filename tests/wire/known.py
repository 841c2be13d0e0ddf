"""The differences between natsd and nats-server 2.15.2 that are meant, each with its reason.

explain() takes a Result that is not the same on both sides. A row of EVEN evens out single lines; a row of WHOLE
explains a case as a whole, since after a refusal everything behind it differs. What is left is unexplained.
"""
import re

PEDANTIC = "-ERR 'Invalid Publish Subject'"
STATUS = re.compile(r"^(HMSG \S+) \S+ (- b'NATS/1\.0 503)")


def bytes_of(case, client=None):
    """All that the client (or everybody) sends."""
    return b''.join(data for name, verb, data in case.steps if verb == 'send' and client in (None, name))


def build_fields(lines, case):
    return [re.sub(r' git_commit=str', '', line) if line.startswith('INFO ') else line for line in lines]


def pedantic_once(lines, case):
    return [line for i, line in enumerate(lines) if line != PEDANTIC or i == 0 or lines[i - 1] != PEDANTIC]


def pedantic_unfinished(lines, case):
    """nats-server complains when the line of a PUB is over, natsd when its payload is there: seen where none comes."""
    unknown = "-ERR 'Unknown Protocol Operation'"
    end = len(lines) - (2 if lines[-2:-1] == [unknown] else 1)
    return lines[:end - 1] + lines[end:] if end and lines[end - 1] == PEDANTIC else lines


def any_receiver_of_503(lines, case):
    if len(re.findall(rb'(?i)\bSUB[ \t]', bytes_of(case))) < 2:
        return lines
    return [STATUS.sub(r'\1 any \2', line) for line in lines]


EVEN = [
    ('INFO: git_commit is a field of release builds', build_fields),
    ('BEHAVIOUR, client protocol 5: nats-server repeats the -ERR of a pedantic PUB when a read splits the message', pedantic_once),
    ('the -ERR of a pedantic PUB comes with the whole command', pedantic_unfinished),
    ('chance: of several own subscriptions on the reply subject nats-server picks any one for the 503', any_receiver_of_503),
]


def refused(result, ending):
    """The clients that natsd closed, with these words in the last line, and nats-server did not close at that point."""
    return [name for (name, go), (_, natsd) in zip(*result.sides) if go != natsd and any(ending in line for line in natsd[-2:])]


def nested_json(result):
    """Deeper JSON than anybody writes: natsd's reader stops at 32 levels, nats-server's at 10,000."""
    def depth(data):
        most = level = 0
        for byte in data:
            level += (byte in b'[{') - (byte in b']}')
            most = max(most, level)
        return most
    return any(depth(bytes_of(result.case, name)) > 32 for name in refused(result, 'Protocol Violation'))


def blanks_count(result):
    """max_control_line bounds the memory of a line, blanks in front of the arguments included; nats-server skips those."""
    return any(re.search(rb'(?i)\b(H?PUB|(UN)?SUB|CONNECT)[ \t]{30,}', bytes_of(result.case, name))
               for name in refused(result, 'Maximum Control Line Exceeded'))


def line_end_in_argument(result):
    """A CR or LF inside a subject or reply is refused: nats-server hands it on into the streams of all receivers."""
    inside = re.compile(rb'(?i)\bH?PUB[ \t]+(\r?\n|[^\n]*\r[^\n])')
    return any(inside.search(bytes_of(result.case, name)) for name in refused(result, 'Protocol Violation'))


def server_verb(result):
    """HMSG from a client is refused at the end of its line; nats-server lets an empty one pass if it comes in one read."""
    return any(re.search(rb'(?i)HMSG[ \t]', bytes_of(result.case, name)) for name in refused(result, 'Protocol Violation'))


def carriage_return_split(result):
    """nats-server drops a lone CR from arguments that come in two reads, and keeps it in one; natsd always keeps it."""
    cut = {name for name, verb, _ in result.case.steps if verb in ('flush', 'open')}
    differ = [name for (name, go), (_, natsd) in zip(*result.sides) if go != natsd]
    return any(re.search(rb'\r[^\n]', bytes_of(result.case, name)) for name in differ if name in cut)


def subset_hole(result):
    """BEHAVIOUR, accounts 1: allowed foo.* admits SUB foo.> in nats-server; natsd refuses what is no subset."""
    refusal = re.compile(r'^-ERR \'Permissions Violation for Subscription to "[^"]*(\*|>)[^"]*"')
    return any(refusal.match(line) and line not in go for (_, go), (_, natsd) in zip(*result.sides) for line in natsd)


def login_twice(result):
    """A second CONNECT without a password is a login without one: a worker keeps no password; nats-server keeps the earlier one."""
    return any(bytes_of(result.case, name).upper().count(b'CONNECT') > 1 for name in refused(result, 'Authentication Failure'))


WHOLE = [nested_json, blanks_count, line_end_in_argument, server_verb, carriage_return_split, subset_hole,
         login_twice]


def explain(result):
    """Evens out what is meant; returns the result."""
    if result.same:
        return result
    for _, even_out in EVEN:
        result.sides = [[(name, even_out(lines, result.case)) for name, lines in side] for side in result.sides]
    if not result.same and any(row(result) for row in WHOLE):
        result.sides = [result.sides[0], result.sides[0]]
    return result
