"""The only importer of the compiled module: calls that raise, in Python's own types.

The functions of launch.h are there in one of two ways: as a part of the interpreter, if it is the snapshot
(``build_calls.py``), or in cffi's module. That takes some time to load, so it is put off until the first call.
"""

from __future__ import annotations

import sys

from stave.plan.operations import CODES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any


class _Compiled:
    """`lib` of cffi's module, which is loaded when something of it is asked for."""

    __slots__ = ()

    def __getattr__(self, attribute: str) -> Any:
        from stave.native._native import lib

        if lib.stave_abi() != len(CODES):
            raise ImportError("the compiled part of stave is not of this version: install the package again")
        return getattr(lib, attribute)


if "_stave_calls" in sys.builtin_module_names:
    lib: Any = __import__("_stave_calls")

    def _pointer(kind: str, buffer: bytes | bytearray) -> Any:
        """What stands for a pointer to the buffer's items of this kind."""
        return buffer

    def _texts(texts: Sequence[str]) -> tuple[Any, object]:
        """What stands for a vector of texts that ends in NULL, and what has to be kept as long as it is used."""
        return [_path(text) for text in texts], None

else:
    lib = _Compiled()

    def _pointer(kind: str, buffer: bytes | bytearray) -> Any:
        from stave.native._native import ffi

        return ffi.from_buffer(kind, buffer)

    def _texts(texts: Sequence[str]) -> tuple[Any, object]:
        from stave.native._native import ffi

        kept = [ffi.new("char[]", _path(text)) for text in texts]
        return ffi.new("char *[]", [*kept, ffi.NULL]), kept


GO, WAITING, FORKED, CONSOLE, FAILED, TRACE, SECCOMP = 1, 2, 3, 4, 5, 6, 8
MESSAGE_HEAD, MESSAGE_SIZE = 16, 16 + 2048  # of struct message, without and with its detail


class Message:
    """One message of stave-init (``native/messages.h``).

    Attributes:
        type: one of the constants above; 0 is the end of file.
        operation: index into the container's operations.
        error: errno of a failure; 0 with `value` a wait status if a hook failed.
        detail: bytes after the fixed part.
        descriptor: one that came along, owned by whoever reads the message, or -1.
    """

    __slots__ = ("type", "operation", "error", "value", "detail", "descriptor")

    def __init__(
        self, type: int, operation: int, error: int, value: int, detail: bytes, descriptor: int
    ) -> None:
        self.type = type
        self.operation = operation
        self.error = error
        self.value = value
        self.detail = detail
        self.descriptor = descriptor


def check(result: int, what: str) -> int:
    """`result` itself, or the OSError that a negative one stands for."""
    if result < 0:
        import posix

        raise OSError(-result, posix.strerror(-result), what)
    return result


def init_image(directory: str) -> int:
    """A descriptor of stave-init, fit to be executed; `directory` serves where memfds may not be."""
    return check(lib.stave_init_image(_path(directory)), "stave-init")


def socket_pair() -> tuple[int, int]:
    """A connected pair of SOCK_SEQPACKET sockets."""
    ends = bytearray(8)
    check(lib.stave_socket_pair(_pointer("int[]", ends)), "socketpair")
    return _number(ends, 0), _number(ends, 4)


def listen(directory: int, name: str) -> int:
    """A listening SOCK_SEQPACKET socket `name` in the open directory, mode 0600."""
    return check(lib.stave_listen(directory, _path(name)), name)


def launch(
    image: int,
    arguments: Sequence[str],
    streams: Sequence[int],
    flags: int,
    preserve: int,
    kept: Sequence[int],
) -> int:
    """Starts stave-init and returns its pid; it has been executed when this returns."""
    texts, _kept = _texts(arguments)
    pid: int = lib.stave_launch(
        image,
        texts,
        _pointer("int[]", _numbers(streams)),
        flags,
        preserve,
        _pointer("int[]", _numbers(kept)),
        len(kept),
    )
    return check(pid, "clone")


def send_go(socket: int) -> None:
    """Lets stave-init go on; raises BrokenPipeError if it is gone."""
    check(lib.stave_send_go(socket), "stave-init")


def send_source(socket: int, mount: int) -> None:
    """Hands stave-init a detached mount for the next `bind` that takes one; raises BrokenPipeError if it is gone."""
    check(lib.stave_send_source(socket, mount), "stave-init")


def open_tree(namespace: int, path: str, recursive: bool, link: bool) -> int:
    """A detached clone of the mount at `path` as the open mount namespace has it, looked up with our own rights.

    Args:
        link: where the path ends in a symbolic link, that link is meant.
    """
    return check(lib.stave_open_tree(namespace, _path(path), recursive, link), path)


def user_namespace(uid_map: str, gid_map: str) -> int:
    """A descriptor of a new user namespace with these maps, in the text form of user_namespaces(7)."""
    return check(lib.stave_user_namespace(uid_map.encode(), gid_map.encode()), "user namespace")


def make_slave(mount: int) -> None:
    """What is mounted in the detached tree from now on does not show where it was cloned from."""
    check(lib.stave_make_slave(mount), "mount_setattr")


def map_ids(mount: int, user_namespace: int, recursive: bool) -> None:
    """The detached mount, or with `recursive` all of its tree, shows its files' owners through the namespace."""
    check(lib.stave_map_ids(mount, user_namespace, recursive), "mount_setattr")


def receive(socket: int) -> Message:
    """The next message; blocks."""
    message, descriptor = bytearray(MESSAGE_SIZE), bytearray(4)
    into = _pointer("struct message[]", message)
    length = check(lib.stave_receive(socket, into, _pointer("int[]", descriptor)), "stave-init")
    kind, operation, error, value = (_number(message, at) for at in (0, 4, 8, 12))
    detail = bytes(message[MESSAGE_HEAD : max(length, MESSAGE_HEAD)])
    return Message(kind, operation, error, value, detail, _number(descriptor, 0))


def send_descriptor(path: str, descriptor: int, name: str) -> None:
    """Sends a terminal's master to the console socket at `path`."""
    check(lib.stave_send_descriptor(_path(path), descriptor, name.encode()), path)


def set_rlimit(pid: int, resource: int, soft: int, hard: int) -> None:
    """Sets a limit of another process (prlimit(2)); 2**64-1 is no limit."""
    check(lib.stave_set_rlimit(pid, resource, soft, hard), "prlimit")


def set_scheduler(
    pid: int, policy: int, flags: int, nice: int, priority: int, runtime: int, deadline: int, period: int
) -> None:
    """Sets the scheduler of another process (sched_setattr(2)); the last three are in nanoseconds."""
    result = lib.stave_set_scheduler(pid, policy, flags, nice, priority, runtime, deadline, period)
    check(result, "sched_setattr")


def set_io_priority(pid: int, priority: int) -> None:
    """Sets the I/O priority of another process (ioprio_set(2))."""
    check(lib.stave_set_io_priority(pid, priority), "ioprio_set")


def set_affinity(pid: int, mask: bytes) -> None:
    """Sets the CPUs that another process may run on (sched_setaffinity(2)); bit n of the mask is CPU n."""
    check(lib.stave_set_affinity(pid, mask, len(mask)), "sched_setaffinity")


def bpf(command: int, attributes: bytearray, pointers: Sequence[tuple[int, bytes | bytearray]]) -> int:
    """bpf(2): a descriptor or 0. The address of each buffer goes into the attributes at its offset.

    The kernel writes its answers into `attributes` and the buffers.
    """
    into = _pointer("char[]", attributes)
    for offset, buffer in pointers:
        check(lib.stave_put_address(into, offset, _pointer("char[]", buffer)), "bpf")
    return check(lib.stave_bpf(command, into, len(attributes)), "bpf")


def unmount(path: str) -> None:
    """The topmost mount at an absolute path without links is gone, with all that is mounted in it, if need be once
    nobody uses it; other mounts of the same file systems stay."""
    check(lib.stave_unmount(_path(path)), path)


def namespace_type(descriptor: int) -> int:
    """The CLONE_NEW* bit of an open namespace file; OSError ENOTTY if it is none."""
    return check(lib.stave_namespace_type(descriptor), "namespace")


def open_in_root(root: int, path: str) -> int:
    """An O_PATH descriptor of `path` as a process would find it whose root is the open directory; raises OSError."""
    return check(lib.stave_open_in_root(root, _path(path)), path)


def isolate_root(path: str) -> None:
    """Gives this process a mount namespace of its own, in which the directory `path` is a mount point."""
    check(lib.stave_isolate_root(_path(path)), path)


def spawn(
    path: str, arguments: Sequence[str], environment: Sequence[str], input: int, output: int, directory: str
) -> int:
    """Runs a program in a directory, with nothing open but its standard streams; returns its pid."""
    texts, _kept_texts = _texts(arguments)
    variables, _kept_variables = _texts(environment)
    pid: int = lib.stave_spawn(_path(path), texts, variables, input, output, _path(directory))
    return check(pid, path)


def set_subreaper(value: bool) -> None:
    """Makes this process the parent of the orphans below it, or no longer."""
    check(lib.stave_set_subreaper(value), "PR_SET_CHILD_SUBREAPER")


def supervise(pid: int, master: int, ready_from: int, ready_to: int) -> int:
    """Waits for `pid` in the foreground; returns its wait status. `master` is -1 without a terminal."""
    return check(lib.stave_supervise(pid, master, ready_from, ready_to), "wait")


def _path(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _number(data: bytearray, at: int) -> int:
    """An int of C."""
    return int.from_bytes(data[at : at + 4], sys.byteorder, signed=True)


def _numbers(values: Sequence[int]) -> bytes:
    return b"".join([value.to_bytes(4, sys.byteorder, signed=True) for value in values])
