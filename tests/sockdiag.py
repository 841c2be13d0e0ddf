"""Asks the kernel (NETLINK_SOCK_DIAG) how many bytes the peer of a loopback connection has not read yet.

So a test can wait until the server has taken a piece before it sends the next one, instead of sleeping.
"""
import socket
import struct

NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
NLM_F_REQUEST = 1
ALL_STATES = 0xffffffff
NO_COOKIE = 0xffffffff


class SockDiag:
    def __init__(self):
        self.netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, NETLINK_SOCK_DIAG)
        self.netlink.settimeout(5)

    def unread(self, client):
        """Bytes in the receive queue of the server's end of this Client, or 0 where that end is gone."""
        sport, dport = client.remote[1], client.local[1]
        address = socket.inet_aton('127.0.0.1') + bytes(12)
        identity = struct.pack('!HH', sport, dport) + address + address + struct.pack('=III', 0, NO_COOKIE, NO_COOKIE)
        request = struct.pack('=BBBBI', socket.AF_INET, socket.IPPROTO_TCP, 0, 0, ALL_STATES) + identity
        self.netlink.send(struct.pack('=IHHII', 16 + len(request), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, 0, 0) + request)
        answer = self.netlink.recv(4096)
        kind = struct.unpack_from('=H', answer, 4)[0]
        if kind != SOCK_DIAG_BY_FAMILY:
            return 0
        return struct.unpack_from('=I', answer, 16 + 4 + 48 + 4)[0]
