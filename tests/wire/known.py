"""The differences between natsd and nats-server 2.15.2 that are meant, each with its reason.

explain() takes a Result and evens out what one of the rows below covers; whatever is left is unexplained.
A row is (reason, function(lines of nats-server, lines of natsd, case) -> the two lists evened out).
"""
import re


def info_build(go, natsd, case):
    """git_commit is a field of release builds only; ours says in 'go' what it is."""
    def strip(lines):
        return [re.sub(r' git_commit=str', '', line) if line.startswith('INFO ') else line for line in lines]
    return strip(go), strip(natsd)


def pedantic_twice(go, natsd, case):
    """nats-server repeats the -ERR of a pedantic PUB when a read splits the message."""
    error = "-ERR 'Invalid Publish Subject'"
    if error not in go or go.count(error) == natsd.count(error):
        return go, natsd

    def once(lines):
        return [line for i, line in enumerate(lines) if line != error or i == 0 or lines[i - 1] != error]
    return once(go), once(natsd)


def no_responders_receiver(go, natsd, case):
    """Of several own subscriptions on the reply subject nats-server picks any one for the 503."""
    status = re.compile(r"^(HMSG \S+) \S+ (- b'NATS/1\.0 503)")
    if sum(len(re.findall(rb'(?i)\bSUB[ \t]', data)) for _, _, data in case.steps) < 2:
        return go, natsd

    def any_sid(lines):
        return [status.sub(r'\1 any \2', line) for line in lines]
    return any_sid(go), any_sid(natsd)


ROWS = [
    ('INFO: build fields (issue 3, section 4: own version in the field go)', info_build),
    ('BEHAVIOUR, client protocol 5: the -ERR of a pedantic PUB comes once', pedantic_twice),
    ('chance: which of the own subscriptions gets the 503', no_responders_receiver),
]


def explain(result):
    for _, even_out in ROWS:
        left, right = [], []
        for (name, go), (_, natsd) in zip(*result.sides):
            go, natsd = even_out(go, natsd, result.case)
            left.append((name, go))
            right.append((name, natsd))
        result.sides = [left, right]
    return result
