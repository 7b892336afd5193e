"""The functions of launch.h as the snapshot has them: generated, with the same declarations as cffi's."""

from __future__ import annotations

import errno
import importlib.machinery
import importlib.util
import os
import re
import socket
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from stave.native import build, build_calls
from stave.native.module import MESSAGE_HEAD, MESSAGE_SIZE

from .sanitized import NATIVE


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The generated module, as a shared object, so that this interpreter can load it."""
    directory = tmp_path_factory.mktemp("calls")
    build.HERE = str(NATIVE)  # the installed package is without the C sources
    build.write_operations_header(str(directory))
    build.build_init(str(directory))
    (directory / "calls.c").write_text(build_calls.calls_source())
    includes = [f"-I{NATIVE}", f"-I{directory}", f"-I{sysconfig.get_path('include')}"]
    sources = [directory / "calls.c", *(NATIVE / name for name in build.OURS)]
    program = directory / f"{build_calls.MODULE}.so"
    flags = [*build.WARNINGS, "-fPIC", "-shared", *includes]
    command: list[str | Path] = [*build.compiler(), *flags, "-o", program, *sources]
    subprocess.run(command, check=True)
    loader = importlib.machinery.ExtensionFileLoader(build_calls.MODULE, str(program))
    spec = importlib.util.spec_from_file_location(build_calls.MODULE, program, loader=loader)
    assert spec
    return importlib.util.module_from_spec(spec)


def test_all_functions(calls: Any) -> None:
    """All that launch.h declares is there, as in cffi's module."""
    from stave.native._native import lib

    declared = re.findall(r"^int (stave_\w+)\(", (NATIVE / "launch.h").read_text(), re.MULTILINE)
    assert {name for name in dir(calls) if name.startswith("stave_")} == set(declared)
    assert {name for name in dir(lib) if name.startswith("stave_")} == set(declared)
    assert calls.stave_abi() == lib.stave_abi()


def test_sizes() -> None:
    """A message has room for what the C side writes."""
    from stave.native._native import ffi

    assert ffi.sizeof("struct message") == MESSAGE_SIZE
    assert ffi.offsetof("struct message", "detail") == MESSAGE_HEAD


def test_numbers_and_buffers(calls: Any) -> None:
    """Numbers, texts and buffers arrive, and what is written into a buffer comes back."""
    ends = bytearray(8)
    assert calls.stave_socket_pair(ends) == 0
    ours, theirs = (int.from_bytes(ends[at : at + 4], "little") for at in (0, 4))
    try:
        assert calls.stave_send_go(theirs) == 0
        message, descriptor = bytearray(MESSAGE_SIZE), bytearray(4)
        assert calls.stave_receive(ours, message, descriptor) == MESSAGE_HEAD
        assert (message[0], bytes(descriptor)) == (1, b"\xff" * 4)
        assert calls.stave_namespace_type(ours) == -errno.ENOTTY
    finally:
        os.close(ours)
        os.close(theirs)
    attributes = bytearray(24)
    assert calls.stave_put_address(attributes, 8, attributes) == 0
    assert bytes(attributes[:8] + attributes[16:]) == bytes(16) != bytes(attributes[8:]) + bytes(8)
    assert calls.stave_set_rlimit(0, -1, 2**64 - 1, 2**64 - 1) == -errno.EINVAL


def test_vectors_of_texts(calls: Any) -> None:
    """A program gets its arguments and its environment."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        arguments, environment = [b"sh", b"-c", b'echo "$0 $1 $A"; pwd', b"\xff", b"two"], [b"A=B"]
        pid = calls.stave_spawn(b"/bin/sh", arguments, environment, 0, theirs.fileno(), b"/")
        assert pid > 0
        assert os.waitpid(pid, 0)[1] == 0
        assert ours.recv(100, socket.MSG_WAITALL | socket.MSG_DONTWAIT) == b"\xff two B\n/\n"


@pytest.mark.parametrize(
    "arguments",
    [
        (b"/bin/true", (), [], 0, 1, b"/"),
        (b"/bin/true", [b"true", "text"], [], 0, 1, b"/"),
        (b"/bin/true", [b"true", b"a\0b"], [], 0, 1, b"/"),
        (b"/bin/true", [b"true"], [None], 0, 1, b"/"),
        (b"/bin/true", [b"true"], [b"A=B"], 0, 1, b"/\0"),
        (b"/bin/true", [b"true"], [b"A=B"], 0, 2**31, b"/"),
        ("/bin/true", [b"true"], [b"A=B"], 0, 1, b"/"),
        (b"/bin/true", [b"true"]),
    ],
)
def test_wrong_arguments(calls: Any, arguments: tuple[object, ...]) -> None:
    """Whatever is no such argument is an error, and nothing is called."""
    with pytest.raises((TypeError, ValueError, OverflowError)):
        calls.stave_spawn(*arguments)


def test_a_buffer_that_cannot_be_written_to(calls: Any) -> None:
    """What C writes to has to be writable."""
    with pytest.raises(TypeError):
        calls.stave_socket_pair(bytes(8))


def test_unknown_types() -> None:
    """A declaration that the generator does not understand stops the build."""
    with pytest.raises(ValueError, match="stave_new: a parameter of type char \\*\\*\\*"):
        build_calls._function("stave_new", "int one, char ***two")
