"""A raw NATS client on a non-blocking socket: nothing of the protocol is hidden from the test.

Client.send takes any bytes; what arrives is kept as it came (Client.data) and cut into operations (Client.ops) by
Parser. pump() serves many clients at once, both directions, until a condition holds or the deadline passes.
Fast enough for hundreds of thousands of messages in one test.
"""
import errno
import json
import os
import re
import select
import socket
import time

SLOW = float(os.environ.get('NATSD_SLOW') or 1)
DEADLINE = 10 * SLOW
CONNECT = {'verbose': False, 'pedantic': False, 'protocol': 1, 'headers': True, 'no_responders': True, 'lang': 'test', 'version': '1'}


class Parser:
    """Cuts a server's bytes into operations.

    An operation is a tuple: ('MSG', subject, sid, reply or None, header bytes or None, payload bytes), or
    (verb, rest of line) for INFO, PING, PONG, +OK, -ERR, or ('?', line) for what is none of these.
    """

    def __init__(self):
        self.buffer = b''

    def feed(self, data):
        buffer = self.buffer + data if self.buffer else data
        ops, at, end = [], 0, len(buffer)
        while at < end:
            eol = buffer.find(b'\r\n', at)
            if eol < 0:
                break
            line = buffer[at:eol]
            after = eol + 2
            if line.startswith(b'MSG ') or line.startswith(b'HMSG '):
                words = line.split(b' ')
                headed = words[0] == b'HMSG'
                try:
                    total = int(words[-1])
                    head = int(words[-2]) if headed else 0
                except ValueError:
                    ops.append(('?', line))
                    at = after
                    continue
                if after + total + 2 > end:
                    break
                reply = words[3] if len(words) == (6 if headed else 5) else None
                ops.append(('MSG', words[1], words[2], reply, buffer[after:after + head] if headed else None,
                            buffer[after + head:after + total]))
                after += total + 2
            else:
                verb, _, rest = line.partition(b' ')
                name = verb.decode('latin-1')
                ops.append((name, rest) if name in ('INFO', 'PING', 'PONG', '+OK', '-ERR') else ('?', line))
            at = after
        self.buffer = buffer[at:]
        return ops


class Client:
    """connect: a dict or text for CONNECT (default: CONNECT above), or None to send nothing at all."""

    def __init__(self, port, connect=(), host='127.0.0.1', info=True, **fields):
        self.socket = socket.create_connection((host, port), DEADLINE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.local = self.socket.getsockname()
        self.remote = self.socket.getpeername()
        self.parser = Parser()
        self.ops = []
        self.unsent = bytearray()
        self.eof = None
        self.keep = False
        self.data = bytearray()
        self.on_op = None
        self.info = {}
        if info:
            first = self.wait_op('INFO')
            self.info = json.loads(first[1])
        if connect is not None:
            self.send('CONNECT %s\r\n' % (connect if isinstance(connect, str) else
                                          json.dumps({**CONNECT, **dict(connect), **fields})))

    @property
    def id(self):
        return self.info['client_id']

    def fileno(self):
        return self.socket.fileno()

    def send(self, data):
        """Sends what the socket takes now; the rest goes out with the next pump."""
        self.unsent += data.encode('latin-1') if isinstance(data, str) else data
        self.write_some()
        return self

    def write_some(self):
        while self.unsent and self.eof is None:
            try:
                n = self.socket.send(self.unsent)
            except BlockingIOError:
                return
            except OSError:
                self.unsent.clear()
                return
            del self.unsent[:n]

    def read_some(self):
        """Reads what is there; new operations go to on_op, if set, else to ops."""
        try:
            data = self.socket.recv(262144)
        except BlockingIOError:
            return
        except OSError as error:
            self.eof = errno.errorcode.get(error.errno, 'error')
            return
        if not data:
            self.eof = 'EOF'
            return
        if self.keep:
            self.data += data
        ops = self.parser.feed(data)
        if self.on_op:
            for op in ops:
                self.on_op(op)
        else:
            self.ops += ops

    def wait(self, condition, what='', timeout=DEADLINE):
        """Pumps until condition() is true; returns its value."""
        return pump([self], condition, what, timeout)

    def wait_op(self, verb, timeout=DEADLINE):
        """Takes the operations up to and with the next one of this verb; returns that one."""
        seen = 0

        def found():
            nonlocal seen
            while seen < len(self.ops):
                if self.ops[seen][0] == verb:
                    return seen + 1
                seen += 1
            if self.eof:
                raise ConnectionError('closed (%s) while waiting for %s, saw %r' % (self.eof, verb, self.ops[-5:]))
            return 0
        n = self.wait(found, '%s, saw %r' % (verb, self.ops[-5:]), timeout)
        op = self.ops[n - 1]
        del self.ops[:n]
        return op

    def wait_msg(self, timeout=DEADLINE):
        return self.wait_op('MSG', timeout)

    def wait_msgs(self, count, timeout=DEADLINE):
        """Waits until count messages are there; takes all operations and returns the messages."""
        def enough():
            if self.eof:
                raise ConnectionError('closed (%s)' % self.eof)
            return sum(op[0] == 'MSG' for op in self.ops) >= count
        self.wait(enough, '%d messages' % count, timeout)
        messages = [op for op in self.ops if op[0] == 'MSG']
        self.ops.clear()
        return messages

    def ping(self, timeout=DEADLINE):
        """PING, and all that came before its PONG (the operations, without the PONG, without INFO)."""
        self.ops, waiting = [], self.ops
        self.send('PING\r\n')
        seen = 0

        def found():
            nonlocal seen
            while seen < len(self.ops):
                if self.ops[seen][0] == 'PONG':
                    return True
                seen += 1
            if self.eof:
                raise ConnectionError('closed (%s) while waiting for PONG, saw %r' % (self.eof, self.ops[-5:]))
            return False
        self.wait(found, 'PONG, saw %r' % (self.ops[-5:],), timeout)
        before = waiting + self.ops[:seen]
        self.ops = self.ops[seen + 1:]
        return [op for op in before if op[0] != 'INFO']

    def wait_closed(self, timeout=DEADLINE):
        """Waits for the server's close; returns all operations that were left."""
        self.wait(lambda: self.eof, 'close, saw %r' % (self.ops[-5:],), timeout)
        ops, self.ops = self.ops, []
        return ops

    def half_close(self):
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self.socket.close()
        if self.eof is None:
            self.eof = 'closed here'


def pump(clients, condition, what='', timeout=DEADLINE):
    """Writes and reads for all clients until condition() is true; returns its value."""
    end = time.monotonic() + timeout
    value = condition()
    if value:
        return value
    poll = select.poll()
    by_fd = {}
    for c in clients:
        if c.eof is None:
            by_fd[c.fileno()] = c
            poll.register(c.fileno(), select.POLLIN | (select.POLLOUT if c.unsent else 0))
    while True:
        left = end - time.monotonic()
        if left <= 0:
            raise TimeoutError('waited %.1f s in vain for %s' % (timeout, what))
        for fd, events in poll.poll(min(left, 0.25) * 1000):
            c = by_fd[fd]
            if events & select.POLLOUT:
                c.write_some()
            if events & ~select.POLLOUT:
                c.read_some()
                if c.eof is not None:
                    poll.unregister(fd)
                    del by_fd[fd]
                    continue
            poll.modify(fd, select.POLLIN | (select.POLLOUT if c.unsent else 0))
        value = condition()
        if value:
            return value


def text(op):
    """An operation in one readable line."""
    if op[0] != 'MSG':
        return b' '.join([op[0].encode()] + [w for w in op[1:] if w]).decode('latin-1')
    return '%s %s sid=%s reply=%s %r%r' % (op[0], op[1].decode('latin-1'), op[2].decode('latin-1'), op[3], op[4] or b'', op[5])


def errors(ops):
    """The texts of all -ERR among the operations, without the quotes."""
    return [re.sub(r"^'|'$", '', op[1].decode('latin-1')) for op in ops if op[0] == '-ERR']
