"""A flood of logins that each cost a bcrypt does not hold up others (RELIABILITY L11): the queue is fair by source address.

Nothing is timed: what counts is how much of the flood is still unanswered when the others are through.
"""
import selectors
import socket

FLOOD = 40
HASH = '$2b$09$XvLMJGfUQTHR5wbBIxe4hucx.t11IRoJzY3PBIldDUjH/ZODD.33C'   # of "right"
DEADLINE = 60


def connect(port, source, user, password):
    s = socket.create_connection(('127.0.0.1', port), DEADLINE, source_address=(source, 0))
    s.sendall(b'CONNECT {"verbose":false,"user":"%s","pass":"%s"}\r\nPING\r\n' % (user, password))
    return s


def read_until(s, word):
    data = b''
    while word not in data:
        piece = s.recv(4096)
        assert piece, data
        data += piece


def answered(flood):
    """How many of the flood have been refused (their sockets are readable to the end)."""
    count = 0
    with selectors.DefaultSelector() as selector:
        for s in flood:
            selector.register(s, selectors.EVENT_READ)
        for key, _ in selector.select(0):
            count += b'Authorization Violation' in key.fileobj.recv(65536, socket.MSG_PEEK)
    return count


def test_bcrypt_flood_delays_nobody_else(servers):
    server = servers('authorization { timeout: 60, users: [ {user: hard, password: "%s"}, {user: easy, password: plain} ] }'
                     % HASH, workers=2)
    flood = [connect(server.port, '127.0.0.2', b'hard', b'wrong%d' % i) for i in range(FLOOD)]
    try:
        for user, password in ((b'easy', b'plain'), (b'hard', b'right')):
            with connect(server.port, '127.0.0.3', user, password) as s:
                read_until(s, b'PONG')
            assert answered(flood) < FLOOD / 2, 'the flood was served first'
        for s in flood:
            read_until(s, b'Authorization Violation')
    finally:
        for s in flood:
            s.close()
