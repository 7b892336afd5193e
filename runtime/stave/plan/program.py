"""Programs: ordered operations, and the flat form in which stave-init reads them.

The flat form is little-endian and position independent::

    header      magic u32, version u32, size u32, operation count u32, flags u32, reserved u32
    operations  count x { code u32, argument count u32, offset of the arguments u32, reserved u32 }
    arguments   8 bytes each: a number, or { offset u32, length u32 } of a text, bytes or list
    pool        texts end in NUL (not counted in the length); a list is length x { offset u32, length u32 }

An offset of 0 means absent. ``native/program.c`` checks every offset and length before anything runs.
"""

from __future__ import annotations

from stave.plan.operations import CODES, CONTAINER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    Argument = int | str | bytes | Sequence[str] | None

MAGIC = 0x45564153
VERSION = 1
HEADER_SIZE = 24
TRACED = 1  # header flag: stave-init reports when each operation ended


class Operation:
    """One step: its name, the JSON pointer of the property it came from, its arguments.

    ``pointer`` is a JSON pointer into config.json ("/mounts/3"), or "" for what the runtime does of itself.
    """

    __slots__ = ("arguments", "name", "pointer")

    def __init__(self, name: str, pointer: str, arguments: tuple[Any, ...]) -> None:
        self.name = name
        self.pointer = pointer
        # Of the kinds that the table of operations says, which no type checker can follow.
        self.arguments = arguments

    def __repr__(self) -> str:
        return f"Operation({self.name!r}, {self.pointer!r}, {self.arguments!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Operation) and (
            (self.name, self.pointer, self.arguments) == (other.name, other.pointer, other.arguments)
        )

    __hash__ = None  # type: ignore[assignment]

    @property
    def in_container(self) -> bool:
        """Whether stave-init executes it, not the runtime."""
        return self.name in CODES


class Program:
    """The operations of one `create` or `exec`, in the order in which they happen on both sides."""

    __slots__ = ("operations",)

    def __init__(self) -> None:
        self.operations: list[Operation] = []

    def add(self, name: str, pointer: str, *arguments: Argument) -> None:
        """Append an operation; its arguments are checked when the Program is encoded."""
        self.operations.append(Operation(name, pointer, arguments))

    def __iter__(self) -> Iterator[Operation]:
        return iter(self.operations)

    def container_operations(self) -> list[Operation]:
        """What stave-init executes; a failure it reports is an index into this list."""
        return [operation for operation in self.operations if operation.name in CODES]


def encode(program: Program, descriptors: Mapping[str, int], flags: int = 0) -> bytes:
    """The flat form of the container's part.

    Args:
        descriptors: numbers of the descriptors that `f` arguments name, as the container will have them.
        flags: TRACED or 0.

    Raises:
        TypeError: an argument is not of its kind, or their number is wrong (a fault of the planner).
        ValueError: a text holds NUL.
    """
    operations = program.container_operations()
    table = bytearray()
    arguments = bytearray()
    pool = _Pool()
    arguments_start = HEADER_SIZE + 16 * len(operations)
    pool_start = arguments_start + 8 * sum(len(operation.arguments) for operation in operations)
    pool.base = pool_start
    for operation in operations:
        kinds = CONTAINER[operation.name][1]
        if len(kinds) != len(operation.arguments):
            raise TypeError(f"{operation.name} takes {len(kinds)} arguments, not {len(operation.arguments)}")
        table += _words(CODES[operation.name], len(kinds), arguments_start + len(arguments), 0)
        for kind, value in zip(kinds, operation.arguments, strict=True):
            if kind == "f":
                value = descriptors[value]
            arguments += pool.argument(operation.name, kind, value)
    size = pool_start + len(pool.data)
    return _words(MAGIC, VERSION, size, len(operations), flags, 0) + bytes(table + arguments + pool.data)


class _Pool:
    """Texts and bytes behind the arguments; equal ones are stored once."""

    __slots__ = ("base", "data", "known")

    def __init__(self) -> None:
        self.base = 0
        self.data = bytearray()
        self.known: dict[bytes, int] = {}

    def argument(self, name: str, kind: str, value: Argument) -> bytes:
        if kind in "if":
            if type(value) is not int:
                raise TypeError(f"{name}: {value!r} is not a number")
            return value.to_bytes(8, "little", signed=True)
        if value is None:
            return bytes(8)
        if kind == "t" and isinstance(value, str):
            return self.text(value)
        if kind == "b" and isinstance(value, bytes):
            return self.store(value)
        if kind == "l" and isinstance(value, (list, tuple)):
            items = b"".join([self.text(item) for item in value])
            self.data += bytes(-len(self.data) % 4)
            return _words(self.append(items), len(value))
        raise TypeError(f"{name}: {value!r} is not of kind {kind}")

    def text(self, value: str) -> bytes:
        data = value.encode("utf-8", "surrogateescape")
        if b"\0" in data:
            raise ValueError(f"{value!r} holds a NUL byte")
        return self.store(data)

    def store(self, data: bytes) -> bytes:
        offset = self.known.get(data)
        if offset is None:
            self.data += bytes(-len(self.data) % 8)
            offset = self.known[data] = self.append(data + b"\0")
        return _words(offset, len(data))

    def append(self, data: bytes) -> int:
        offset = self.base + len(self.data)
        self.data += data
        return offset


def _words(*values: int) -> bytes:
    return b"".join([value.to_bytes(4, "little") for value in values])
