"""A socket to the kernel's rtnetlink (netlink(7), rtnetlink(7)) or another protocol: requests go out, acknowledgements
and dumps come in.

What is in a request is the business of `links`, which packs the few that every container needs, and of `rtnl`,
where pyroute2 does.
"""

from __future__ import annotations

import _socket
import posix
import sys

from cooper.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# linux/netlink.h
NETLINK_ROUTE = 0
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 0x1, 0x4, 0x300
NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE = 0x100, 0x200, 0x400
NLMSG_ERROR, NLMSG_DONE = 2, 3
HEADER_BYTES = 16
RECEIVE_BYTES = 1 << 17
ORDER = sys.byteorder


class Request:
    """One message and what to call it when it fails.

    Args:
        text: what it does: "give eth0 the address 10.1.2.3/24".
        kind: RTM_NEWLINK and so on.
        flags: besides NLM_F_REQUEST and NLM_F_ACK.
        body: what follows the header.
        tolerate: errno values that are as good as success.
    """

    __slots__ = ("text", "kind", "flags", "body", "tolerate")

    def __init__(self, text: str, kind: int, flags: int, body: bytes, tolerate: Sequence[int] = ()) -> None:
        self.text = text
        self.kind = kind
        self.flags = flags
        self.body = body
        self.tolerate = tolerate


class Netlink:
    """A socket, which stays in the network namespace in which it was made."""

    __slots__ = ("_socket", "_sequence")

    def __init__(self, protocol: int = NETLINK_ROUTE) -> None:
        kind = _socket.SOCK_RAW | _socket.SOCK_CLOEXEC
        self._socket = _socket.socket(_socket.AF_NETLINK, kind, protocol)
        self._socket.bind((0, 0))
        self._sequence = 0

    def close(self) -> None:
        """The socket is closed."""
        self._socket.close()

    def __enter__(self) -> Netlink:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()

    def send(self, requests: Iterable[Request]) -> None:
        """All have been carried out, in order; they travel together.

        Raises: Error for the first that failed. Those after it may have been carried out.
        """
        waiting: dict[int, Request] = {}
        data = b""
        for request in requests:
            data += self._message(request.kind, request.flags | NLM_F_REQUEST | NLM_F_ACK, request.body)
            waiting[self._sequence] = request
        if not data:
            return
        self._socket.send(data)
        failure: Error | None = None
        while waiting:
            for kind, sequence, message in self._receive():
                if kind != NLMSG_ERROR or sequence not in waiting:
                    continue
                request = waiting.pop(sequence)
                number = _errno(message)
                if number and number not in request.tolerate and failure is None:
                    failure = Error(f"{request.text}: {posix.strerror(number)}")
        if failure:
            raise failure

    def dump(self, kind: int, body: bytes) -> list[bytes]:
        """The messages, with their headers, that answer a GET request for all objects."""
        self._socket.send(self._message(kind, NLM_F_REQUEST | NLM_F_DUMP, body))
        found: list[bytes] = []
        while True:
            for answer, sequence, message in self._receive():
                if sequence != self._sequence:
                    continue
                if answer == NLMSG_DONE:
                    return found
                if answer == NLMSG_ERROR:
                    raise Error(
                        f"list what the kernel has (message {kind:#x}): {posix.strerror(_errno(message))}"
                    )
                found.append(message)

    def _message(self, kind: int, flags: int, body: bytes) -> bytes:
        self._sequence += 1
        numbers = ((HEADER_BYTES + len(body), 4), (kind, 2), (flags, 2), (self._sequence, 4), (0, 4))
        header = b"".join(number.to_bytes(size, ORDER) for number, size in numbers)
        return header + body + bytes(-len(body) % 4)

    def _receive(self) -> list[tuple[int, int, bytes]]:
        """Type, sequence number and the whole of each message in one datagram."""
        data = self._socket.recv(RECEIVE_BYTES)
        found = []
        while len(data) >= HEADER_BYTES:
            length = int.from_bytes(data[:4], ORDER)
            kind = int.from_bytes(data[4:6], ORDER)
            found.append((kind, int.from_bytes(data[8:12], ORDER), data[:length]))
            data = data[(length + 3) & ~3 :]
        return found


def _errno(message: bytes) -> int:
    """What an NLMSG_ERROR says; 0 is an acknowledgement."""
    return -int.from_bytes(message[HEADER_BYTES : HEADER_BYTES + 4], ORDER, signed=True)


def index_of(interface: str) -> int:
    """The number of the interface of that name in this thread's namespace, 0 without one."""
    try:
        return _socket.if_nametoindex(interface)
    except OSError:
        return 0
