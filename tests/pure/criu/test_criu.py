"""The conversation with criu: messages, log, and a program that plays its part."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import pytest

from stave.container.criu_options import CriuOptions, Directories, fill
from stave.criu import messages
from stave.criu.client import Criu, CriuError, with_excerpt
from stave.criu.log import errors, excerpt
from stave.errors import Error

LOG = """\
(00.001000) Version: 3.17.1 (gitid 0)
(00.016429) Warn  (criu/kerndat.c:1009): not there
(00.100000)      1: Error (criu/files.c:12): first cause
(00.100001)      1: Error (criu/files.c:12): first cause
(00.100010) Error (criu/sk-inet.c:77): inet: Connected TCP socket, consider using --tcp-established option.
(00.200000) Error (criu/cr-dump.c:1788): Dumping FAILED.
"""


def test_log() -> None:
    """The errors of a log stand without time and pid, once each, and without the summary."""
    assert errors(LOG) == [
        "Error (criu/files.c:12): first cause",
        "Error (criu/sk-inet.c:77): inet: Connected TCP socket, consider using --tcp-established option.",
    ]
    assert errors("") == []
    assert len(errors("\n".join(f"Error {number}" for number in range(100)))) == 5


def test_no_log(tmp_path: Path) -> None:
    """Without a log there is nothing to cite."""
    assert excerpt(str(tmp_path / "none")) == []


def test_excerpt(tmp_path: Path) -> None:
    """The error names the log, and ends with what it says."""
    log = tmp_path / "dump.log"
    log.write_text(LOG)
    text = str(with_excerpt(CriuError("criu refused"), "checkpoint", str(log)))
    assert text.startswith(
        f"checkpoint: criu refused (the log is {log}): Error (criu/files.c:12): first cause / "
    )
    assert text.endswith("--tcp-established option.")


def test_messages() -> None:
    """Messages have the encoded form that protobuf gives those fields: key (number * 8 + type), then value."""
    kinds = messages.Messages()
    request = kinds.Request(type=messages.RESTORE)
    request.opts.images_dir_fd = 5
    request.opts.ext_mnt.add(key="a", val="b")
    request.opts.lsm_mount_context = "c"
    data = request.SerializeToString()
    options = b"\x08\x05" + b"\xba\x01\x06\x0a\x01a\x12\x01b" + b"\xfa\x03\x01c"
    assert data == b"\x08\x02\x12" + bytes([len(options)]) + options
    response = kinds.Response()
    response.ParseFromString(b"\x08\x06\x10\x01\x2a\x07\x0a\x03abc\x10\x09")
    assert (response.type, response.success) == (messages.NOTIFY, True)
    assert (response.notify.script, response.notify.pid) == ("abc", 9)


PART = f"#!{sys.executable}\n" + textwrap.dedent(
    """
    import os, socket, sys
    sys.path[:0] = {path!r}
    from stave.criu import messages
    kinds = messages.Messages()
    peer = socket.socket(fileno=int(sys.argv[2]))
    request = kinds.Request.FromString(peer.recv(65536))
    def answer(**fields):
        return kinds.Response(type=request.type, success=True, **fields)
    if request.type == messages.VERSION:
        reply = answer(version={version!r})
    elif request.type == messages.FEATURE_CHECK:
        reply = answer(features={{"mem_track": True, "lazy_pages": False}})
    else:
        for script, pid in (("post-restore", 42), ("post-resume", 0)):
            notice = kinds.Response(type=messages.NOTIFY, success=True, notify={{"script": script, "pid": pid}})
            with open("/dev/null") as null:
                socket.send_fds(peer, [notice.SerializeToString()], [null.fileno()])
            reply = kinds.Request.FromString(peer.recv(65536))
            assert reply.type == messages.NOTIFY and reply.notify_success
        reply = answer(restore={{"pid": 42}})
        if request.opts.shell_job:
            reply = kinds.Response(type=request.type, success=False, cr_errno=2, cr_errmsg="Error (x): no\\n")
    peer.send(reply.SerializeToString())
    """
)


@pytest.fixture
def part(tmp_path: Path) -> Path:
    """A program that speaks as criu does."""
    return write_part(tmp_path, 4, 1)


def write_part(directory: Path, major: int, minor: int) -> Path:
    """The program, which says that it is of this version."""
    program = directory / "criu"
    version = {"major_number": major, "minor_number": minor}
    program.write_text(PART.format(path=sys.path, version=version))
    program.chmod(0o755)
    return program


def test_conversation(part: Path) -> None:
    """Notices come with their descriptors, are waited for, and before the response; nothing stays open."""
    before = len(os.listdir("/proc/self/fd"))
    criu = Criu(str(part))
    assert criu.version == (4, 1, 0)
    seen = []

    def notice(script: str, pid: int, descriptors: list[int]) -> None:
        seen.append(
            (script, pid, [os.path.samestat(os.fstat(each), os.stat("/dev/null")) for each in descriptors])
        )

    process = criu.begin(stdin=subprocess.DEVNULL)
    response = process.carry_out(criu.request(messages.RESTORE), notice)
    process.end()
    assert response.restore.pid == 42
    assert seen == [("post-restore", 42, [True]), ("post-resume", 0, [True])]
    assert len(os.listdir("/proc/self/fd")) == before


def test_failure(part: Path) -> None:
    """What criu says of its failure is in the error; a notice that cannot be taken care of is one as well."""
    criu = Criu(str(part))
    request = criu.request(messages.RESTORE)
    request.opts.shell_job = True
    process = criu.begin(stdin=subprocess.DEVNULL)
    with pytest.raises(CriuError, match=r"^criu refused: Error \(x\): no: No such file or directory$"):
        process.carry_out(request, lambda *_: None)
    process.end()

    def refuse(*_: object) -> None:
        raise Error("no")

    process = criu.begin(stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with pytest.raises(Error, match="^no$"):
        process.carry_out(request, refuse)
    process.end()


def test_features(part: Path) -> None:
    """A feature that criu lacks is named with what needs it."""
    criu = Criu(str(part))
    criu.require("mem_track", "--pre-dump")
    with pytest.raises(Error, match="--lazy-pages needs criu's feature lazy_pages"):
        criu.require("lazy_pages", "--lazy-pages")


def test_versions(tmp_path: Path) -> None:
    """A criu that is too old is refused."""
    with pytest.raises(Error, match="is version 3.14.0, older than 3.15.0"):
        Criu(str(write_part(tmp_path, 3, 14)))


def test_missing(tmp_path: Path) -> None:
    """A criu that is not there is an error with the cure."""
    with pytest.raises(Error, match="none is not installed: install the package criu"):
        Criu(str(tmp_path / "none"))


def test_silent(tmp_path: Path) -> None:
    """A criu that says nothing is cited from its standard error."""
    program = tmp_path / "criu"
    program.write_text("#!/bin/sh\necho broken >&2\n")
    program.chmod(0o755)
    with pytest.raises(Error, match="criu has ended without an answer: broken$"):
        Criu(str(program))


def test_without_protobuf(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the protobuf package the error says what to install."""
    for name in [name for name in sys.modules if name.startswith("google")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "google.protobuf", None)
    with pytest.raises(Error, match="install the Python package protobuf"):
        messages.Messages()


@pytest.mark.parametrize(
    ("annotations", "file"),
    [
        ({}, "/etc/criu/stave.conf"),
        ({"org.criu.config": "/etc/criu/mine.conf"}, "/etc/criu/mine.conf"),
        ({"org.criu.config": ""}, None),
    ],
)
def test_settings_by_annotation(tmp_path: Path, annotations: dict[str, str], file: str | None) -> None:
    """criu is told of the runtime's file of settings, of the annotation's, or of none."""
    options = CriuOptions(images=str(tmp_path), log_warning=lambda _: None)
    directories = Directories(options, "dump.log", make=False)
    told = SimpleNamespace()
    try:
        fill(told, options, directories, "/rootfs", annotations)
    finally:
        directories.close()
    assert getattr(told, "config_file", None) == file
