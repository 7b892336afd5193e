"""The flat form of Programs, read back by a decoder that knows only what the format's description says."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stave.plan.operations import CODES, CONTAINER, RUNTIME, WAITS
from stave.plan.program import HEADER_SIZE, MAGIC, TRACED, VERSION, Operation, Program, encode


class Decoder:
    """Reads a flat Program; every offset and length must lie inside it."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        magic, version, size, self.count, self.flags, reserved = struct.unpack_from("<6I", data)
        assert (magic, version, size, reserved) == (MAGIC, VERSION, len(data), 0)

    def operations(self) -> list[tuple[str, list[Any]]]:
        names = list(CONTAINER)
        result = []
        for index in range(self.count):
            code, count, offset, reserved = struct.unpack_from("<4I", self.data, HEADER_SIZE + 16 * index)
            kinds = CONTAINER[names[code]][1]
            assert (count, reserved) == (len(kinds), 0)
            assert offset % 8 == 0
            result.append(
                (names[code], [self.argument(kind, offset + 8 * i) for i, kind in enumerate(kinds)])
            )
        return result

    def argument(self, kind: str, at: int) -> Any:
        if kind in "if":
            return struct.unpack_from("<q", self.data, at)[0]
        offset, length = struct.unpack_from("<2I", self.data, at)
        if offset == 0:
            assert length == 0
            return None
        if kind == "l":
            assert offset % 4 == 0
            return [self.text(offset + 8 * index) for index in range(length)]
        return self.text(at) if kind == "t" else self.content(at)

    def text(self, at: int) -> str:
        content = self.content(at)
        assert b"\0" not in content
        return content.decode("utf-8", "surrogateescape")

    def content(self, at: int) -> bytes:
        offset, length = struct.unpack_from("<2I", self.data, at)
        assert offset > 0
        assert offset % 8 == 0, "instructions of filters are read where they lie"
        assert offset + length < len(self.data)
        assert self.data[offset + length] == 0
        return self.data[offset : offset + length]


def program_of(*operations: tuple[Any, ...]) -> Program:
    """A Program of these operations, given as (name, argument, ...)."""
    program = Program()
    for name, *arguments in operations:
        program.add(name, "", *arguments)
    return program


def round_trip(*operations: tuple[Any, ...], **descriptors: int) -> list[tuple[str, list[Any]]]:
    """What the decoder finds in the encoded operations."""
    return Decoder(encode(program_of(*operations), descriptors)).operations()


def test_empty() -> None:
    """A Program without operations is a header."""
    data = encode(Program(), {})
    assert len(data) == HEADER_SIZE
    assert Decoder(data).operations() == []


def test_header_flags() -> None:
    """Flags stand in the header."""
    assert Decoder(encode(Program(), {}, TRACED)).flags == TRACED


def test_order() -> None:
    """Operations keep their order; the runtime's own are not in the flat form."""
    operations = [("fork",), ("clone", 0), ("set_dumpable", 1), ("make_cgroup", "/x"), ("fork",)]
    assert round_trip(*operations) == [("fork", []), ("set_dumpable", [1]), ("fork", [])]


@pytest.mark.parametrize("number", [0, 1, -1, 2**31, 2**32 - 1, 2**63 - 1, -(2**63)])
def test_numbers(number: int) -> None:
    """Numbers are signed, of 64 bits."""
    assert round_trip(("unshare", number)) == [("unshare", [number])]


@pytest.mark.parametrize("text", ["", "a", "/a b/c", "ä€😀", "\udc80\udcff", "x" * 100_000, "new\nline"])
def test_texts(text: str) -> None:
    """Texts are UTF-8; bytes that are not survive as they came."""
    assert round_trip(("set_hostname", text)) == [("set_hostname", [text])]


@pytest.mark.parametrize("data", [b"", b"\0", b"a\0b", bytes(range(256)) * 16])
def test_bytes(data: bytes) -> None:
    """Bytes may be any, empty included."""
    assert round_trip(("load_seccomp", data, 1)) == [("load_seccomp", [data, 1])]


@pytest.mark.parametrize("items", [[], [""], ["a"], ["a", "a", ""], [f"item {n}" for n in range(1000)]])
def test_lists(items: list[str]) -> None:
    """Lists keep their order and may be empty, which is not absent."""
    assert round_trip(("execute", items, [])) == [("execute", [items, []])]
    assert round_trip(("execute", tuple(items), [])) == [("execute", [items, []])]


def test_absent() -> None:
    """None is neither an empty text nor empty bytes."""
    assert round_trip(("make_symlink", None, "")) == [("make_symlink", [None, ""])]
    assert round_trip(("set_user", 1, 2, None, -1, 0)) == [("set_user", [1, 2, None, -1, 0])]


def test_descriptors() -> None:
    """A descriptor's name becomes its number."""
    program = program_of(("setns", "ns/net", 7), ("wait_for_start", "listener"))
    decoded = Decoder(encode(program, {"ns/net": 11, "listener": 5})).operations()
    assert decoded == [("setns", [11, 7]), ("wait_for_start", [5])]


def test_unknown_descriptor() -> None:
    """A descriptor that nobody opened is a fault of the caller's."""
    with pytest.raises(KeyError, match="ns/net"):
        encode(program_of(("setns", "ns/net", 7)), {})


def test_equal_texts_are_stored_once() -> None:
    """Repetition costs a reference only."""
    text = "x" * 1000
    assert len(encode(program_of(*[("set_hostname", text)] * 50), {})) < 3000


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        (("set_dumpable",), "takes 1 arguments, not 0"),
        (("fork", 1), "takes 0 arguments, not 1"),
        (("set_dumpable", "1"), "is not a number"),
        (("set_dumpable", True), "is not a number"),
        (("set_dumpable", None), "is not a number"),
        (("set_dumpable", 1.0), "is not a number"),
        (("set_hostname", b"x"), "is not of kind t"),
        (("set_hostname", 1), "is not of kind t"),
        (("set_hostname", ["x"]), "is not of kind t"),
        (("load_seccomp", "x", 1), "is not of kind b"),
        (("execute", "sh", []), "is not of kind l"),
    ],
)
def test_wrong_arguments(operation: tuple[Any, ...], message: str) -> None:
    """A mistake of the planner's is found here, by the operation's name, not by stave-init."""
    with pytest.raises(TypeError, match=f"{operation[0]}.*{message}"):
        encode(program_of(operation), {})


@pytest.mark.parametrize("operation", [("set_hostname", "a\0b"), ("execute", ["a\0"], [])])
def test_nul(operation: tuple[Any, ...]) -> None:
    """A text with NUL would be cut off by the kernel: it is refused."""
    with pytest.raises(ValueError, match="NUL"):
        encode(program_of(operation), {})


def test_number_out_of_range() -> None:
    """A number of more than 64 bits cannot be passed."""
    with pytest.raises(OverflowError):
        encode(program_of(("unshare", 2**63)), {})


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
arguments: dict[str, st.SearchStrategy[Any]] = {
    "i": st.integers(-(2**63), 2**63 - 1),
    "t": st.none() | texts,
    "b": st.none() | st.binary(),
    "l": st.none() | st.lists(texts),
    "f": st.just("listener"),
}
any_operation = st.sampled_from(sorted(CONTAINER)).flatmap(
    lambda name: st.tuples(st.just(name), *[arguments[kind] for kind in CONTAINER[name][1]])
)


@given(st.lists(any_operation, max_size=12))
def test_round_trip(operations: list[tuple[Any, ...]]) -> None:
    """Whatever is encoded is read back as it was, with all offsets inside and all texts terminated."""
    expected = [
        (name, [5 if kind == "f" else value for kind, value in zip(CONTAINER[name][1], values, strict=True)])
        for name, *values in operations
    ]
    assert round_trip(*operations, listener=5) == expected


def test_tables() -> None:
    """No name stands for two operations, codes are the positions, and every wait is the container's."""
    assert not CONTAINER.keys() & RUNTIME.keys()
    assert list(CODES.values()) == list(range(len(CONTAINER)))
    assert CONTAINER.keys() >= WAITS


@pytest.mark.parametrize(("name", "in_container"), [("fork", True), ("clone", False)])
def test_sides(name: str, in_container: bool) -> None:
    """An operation knows which side executes it."""
    assert Operation(name, "", ()).in_container == in_container


def test_equality() -> None:
    """Operations are equal if name, pointer and arguments are; they are shown in full."""
    operation = Operation("unshare", "/linux", (1,))
    assert operation == Operation("unshare", "/linux", (1,))
    assert operation != Operation("unshare", "", (1,))
    assert operation != "unshare"
    assert repr(operation) == "Operation('unshare', '/linux', (1,))"


def test_container_operations() -> None:
    """They are numbered as stave-init reports them: without the runtime's."""
    program = program_of(("clone", 0), ("fork",), ("make_cgroup", "/x"), ("become_root", 0))
    assert [each.name for each in program.container_operations()] == ["fork", "become_root"]
    assert [each.name for each in program] == ["clone", "fork", "make_cgroup", "become_root"]
