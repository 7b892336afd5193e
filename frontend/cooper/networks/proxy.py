"""The user-space part of published ports: one process per container that has some.

It holds the host's ports, so that no other program takes them, and listens on them. The kernel translates nearly
all connections before they get here; what arrives are those to ::1, which cannot be translated, those from one
family to the other, all from outside where the host filters what comes in to it, and all if our rules are gone.

A connection is two threads that splice; a UDP client is one thread until it has been silent for a while.
"""

from __future__ import annotations

import _socket
import posix

from cooper.errors import Conflict, Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cooper.networks.requests import PortRequest
    from cooper.networks.rules import Published

BACKLOG = 512
PIPE_BYTES = 1 << 20
UDP_IDLE_SECONDS = 90.0
UDP_BYTES = 65535
CONNECT_SECONDS = 30.0
STACK_BYTES = 256 * 1024
EPHEMERAL_TRIES = 32
# linux/in.h, linux/in6.h, linux/fcntl.h
IP_PKTINFO, IPV6_RECVPKTINFO, IPV6_PKTINFO = 8, 49, 50
F_SETPIPE_SZ = 1031
EADDRINUSE, EADDRNOTAVAIL, EACCES = 98, 99, 13


def reserve(request: PortRequest, addresses: Sequence[str]) -> tuple[int, list[_socket.socket]]:
    """The first port of the request that is free at all of the addresses, with the sockets that hold it.

    Raises: Conflict if none is free; Error for an address that the host does not have.
    """
    if not request.host_address and not _has_ipv6():
        addresses = [address for address in addresses if ":" not in address]
    first, last = request.host_ports
    failure: OSError | None = None
    for port in range(first, last + 1) if first else [0] * EPHEMERAL_TRIES:
        sockets: list[_socket.socket] = []
        try:
            for address in addresses:
                sockets.append(_bind(request.protocol, address, port))
                port = sockets[-1].getsockname()[1]
            return port, sockets
        except OSError as error:
            failure = error
            for each in sockets:
                each.close()
            if error.errno == EADDRNOTAVAIL:
                raise Error(f"publish {request!r}: the host has no address {request.host_address}") from error
            if error.errno != EADDRINUSE:
                raise Error(f"publish {request!r}: {error.strerror}") from error
    raise Conflict(f"publish {request!r}: the port is in use on the host") from failure


def _has_ipv6() -> bool:
    """Whether the kernel has it: with ``ipv6.disable=1`` there are no such sockets."""
    return posix.access("/proc/sys/net/ipv6", posix.F_OK)


def _bind(protocol: str, address: str, port: int) -> _socket.socket:
    family = _socket.AF_INET6 if ":" in address else _socket.AF_INET
    kind = _socket.SOCK_STREAM if protocol == "tcp" else _socket.SOCK_DGRAM
    made = _socket.socket(family, kind | _socket.SOCK_CLOEXEC)
    try:
        if family == _socket.AF_INET6:
            made.setsockopt(_socket.IPPROTO_IPV6, _socket.IPV6_V6ONLY, 1)
        if protocol == "tcp":
            # Without it a restarted container would wait for its last connections' TIME_WAIT.
            made.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
        elif family == _socket.AF_INET6:
            made.setsockopt(_socket.IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
        else:
            made.setsockopt(_socket.IPPROTO_IP, IP_PKTINFO, 1)
        made.bind((address, port))
        if protocol == "tcp":
            made.listen(BACKLOG)
    except OSError:
        made.close()
        raise
    return made


def start(served: Sequence[tuple[_socket.socket, Published]], record: Callable[[int], None]) -> None:
    """A process serves the sockets. It runs on when this one ends; `record` is called with its pid before it serves.

    If this process is killed before `record` has returned, the other ends.
    """
    answer, tell = posix.pipe()
    wait, go = posix.pipe()
    child = posix.fork()
    if not child:
        try:
            if not posix.fork():
                posix.write(tell, str(posix.getpid()).encode())
                posix.close(go)
                if posix.read(wait, 1):
                    _serve(served)
        finally:
            posix._exit(0)
    posix.waitpid(child, 0)
    posix.close(tell)
    posix.close(wait)
    try:
        pid = posix.read(answer, 32)
        if not pid:
            raise Error("start the proxy of the published ports: it ended at once")
        record(int(pid))
        posix.write(go, b"g")
    finally:
        posix.close(answer)
        posix.close(go)


def _serve(served: Sequence[tuple[_socket.socket, Published]]) -> None:
    """Runs for as long as the container is connected."""
    import _signal
    import _thread
    import gc

    gc.freeze()
    posix.setsid()
    posix.chdir("/")
    for number in (_signal.SIGINT, _signal.SIGHUP, _signal.SIGTERM, _signal.SIGCHLD):
        _signal.signal(number, _signal.SIG_DFL)
    _signal.signal(_signal.SIGPIPE, _signal.SIG_IGN)
    _signal.pthread_sigmask(_signal.SIG_SETMASK, ())
    null = posix.open("/dev/null", posix.O_RDWR)
    for number in (0, 1, 2):
        posix.dup2(null, number)
    kept = {0, 1, 2, *(each.fileno() for each, _ in served)}
    for name in posix.listdir("/proc/self/fd"):
        if int(name) not in kept:
            try:
                posix.close(int(name))
            except OSError:
                pass  # the listing's own
    try:
        with open("/proc/self/comm", "w") as file:
            file.write("cooper-proxy")
    except OSError:
        pass
    _thread.stack_size(STACK_BYTES)
    for each, published in served:
        target = _target(published, each.family)
        work = _accept if each.type == _socket.SOCK_STREAM else _forward_datagrams
        _thread.start_new_thread(work, (each, target))
    while True:
        _signal.pause()


def _target(published: Published, family: int) -> tuple[int, tuple[str, int]]:
    """The container's address for a socket of the family: of the same one if it has such."""
    wanted = 6 if family == _socket.AF_INET6 else 4
    address = published.addresses.get(wanted) or next(iter(published.addresses.values()))
    there = _socket.AF_INET6 if ":" in address else _socket.AF_INET
    return there, (address, published.port.container_port)


def _accept(listener: _socket.socket, target: tuple[int, tuple[str, int]]) -> None:
    import _thread

    while True:
        try:
            descriptor, _ = listener._accept()  # type: ignore[attr-defined]
        except OSError:  # the client has gone, or descriptors have run out: others may come and go
            _pause()
            continue
        try:
            client = _socket.socket(fileno=descriptor)
            client.setblocking(True)
            _thread.start_new_thread(_connect, (client, target))
        except Exception:
            posix.close(descriptor)


def _pause() -> None:
    import select

    select.select([], [], [], 0.05)


def _connect(client: _socket.socket, target: tuple[int, tuple[str, int]]) -> None:
    import _thread

    try:
        server = _socket.socket(target[0], _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
        server.settimeout(CONNECT_SECONDS)
        server.connect(target[1])
        server.settimeout(None)
    except OSError:
        client.close()
        return
    for each in (client, server):
        each.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
    _thread.start_new_thread(_copy, (client, server))
    _copy(server, client)


def _copy(source: _socket.socket, target: _socket.socket) -> None:
    """Everything from one end is at the other, until it is closed or broken; then the other end knows, too."""
    import fcntl

    reading, writing = posix.pipe2(posix.O_CLOEXEC)
    try:
        fcntl.fcntl(writing, F_SETPIPE_SZ, PIPE_BYTES)
    except OSError:
        pass  # beyond the user's share of memory for pipes: the default does
    try:
        while count := posix.splice(source.fileno(), writing, PIPE_BYTES):
            while count:
                count -= posix.splice(reading, target.fileno(), count)
        target.shutdown(_socket.SHUT_WR)
    except OSError:
        for each in (source, target):
            try:
                each.shutdown(_socket.SHUT_RDWR)
            except OSError:
                pass  # closed by the other side
    finally:
        posix.close(reading)
        posix.close(writing)


def _forward_datagrams(listener: _socket.socket, target: tuple[int, tuple[str, int]]) -> None:
    import _thread

    flows: dict[object, _socket.socket] = {}
    level = _socket.IPPROTO_IPV6 if listener.family == _socket.AF_INET6 else _socket.IPPROTO_IP
    while True:
        try:
            data, control, _, client = listener.recvmsg(UDP_BYTES, 64)
        except OSError:
            continue  # an ICMP error of an earlier answer
        source = _answer_from(control, level)
        # A client that uses two addresses of the host is two.
        key = (client, source)
        flow = flows.get(key)
        try:
            if flow is None:
                flow = _socket.socket(target[0], _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC)
                flow.connect(target[1])
                flow.settimeout(UDP_IDLE_SECONDS)
                flows[key] = flow
                _thread.start_new_thread(_answer, (flow, listener, client, source, flows, key))
            flow.send(data)
        except (OSError, RuntimeError):
            continue  # datagrams may get lost


def _answer_from(control: list[tuple[int, int, bytes]], level: int) -> tuple[tuple[int, int, bytes], ...]:
    """The control message that sends an answer from the address that the question was sent to (ip(7), ipv6(7))."""
    for at, kind, data in control:
        if at == level == _socket.IPPROTO_IP and kind == IP_PKTINFO:
            return ((level, kind, bytes(4) + data[8:12] + bytes(4)),)
        if at == level and kind == IPV6_PKTINFO:
            return ((level, kind, data[:16] + bytes(4)),)
    return ()


def _answer(
    flow: _socket.socket,
    listener: _socket.socket,
    client: tuple[str, int],
    source: tuple[tuple[int, int, bytes], ...],
    flows: dict[object, _socket.socket],
    key: object,
) -> None:
    while True:
        try:
            data = flow.recv(UDP_BYTES)
            listener.sendmsg([data], source, 0, client)
        except TimeoutError:
            break
        except OSError:
            break  # nobody listens there; the client's next datagram tries again
    del flows[key]
    flow.close()
