"""Compressed streams, challenges of registries, credentials, lines of `commit -c`."""

from __future__ import annotations

import base64
import bz2
import gzip
import json
import lzma
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from ociimage.changes import apply_changes
from ociimage.errors import InvalidLayer, InvalidOption, RegistryError
from ociimage.layers.compression import CHUNK, Compressor, decompressed, recognise
from ociimage.registry import credentials
from ociimage.registry.challenge import parse_challenges
from ociimage.registry.credentials import Credentials
from ociimage.registry.settings import Registries, load

CONTENT = os.urandom(1000) * 300
COMPRESSED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "xz": lzma.compress,
    "bzip2": bz2.compress,
    "": bytes,
}


def unpacked(data: bytes, compression: str, size: int = 7777) -> bytes:
    """The content of a stream that comes in pieces of `size` bytes."""
    position = 0

    def read(_: int) -> bytes:
        nonlocal position
        position += size
        return data[position - size : position]

    return b"".join(decompressed(read, compression))


@pytest.mark.parametrize("name", sorted(COMPRESSED))
def test_streams_are_recognised_and_decompressed(name: str) -> None:
    """However they are cut; several members are one stream, and zeros after them are padding."""
    data = COMPRESSED[name](CONTENT)
    assert recognise(data) == name
    assert unpacked(data, name) == CONTENT
    if name:
        assert unpacked(data + COMPRESSED[name](b"more"), name) == CONTENT + b"more"
    if name in ("gzip", "xz", "bzip2"):
        assert unpacked(data + bytes(3000), name) == CONTENT


@pytest.mark.parametrize("name", sorted(set(COMPRESSED) - {""}))
def test_broken_streams_are_refused(name: str) -> None:
    """Cut short, with a flipped bit, or followed by something else."""
    data = COMPRESSED[name](CONTENT)
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 1
    for broken in (data[:-5], data + b"trailing", bytes(flipped), data[:4]):
        with pytest.raises(InvalidLayer):
            assert unpacked(broken, name) != CONTENT, "not noticed here: the digest of the content tells"
            raise InvalidLayer


@pytest.mark.parametrize("name", ["gzip", "zstd", "xz", "bzip2"])
def test_a_bomb_comes_in_small_pieces(name: str) -> None:
    """16 MiB of zeros never take more than a piece of memory at once."""
    bomb = COMPRESSED[name](bytes(16 << 20))
    taken = [bomb]
    pieces = decompressed(lambda size: taken.pop() if taken else b"", name)
    assert max(map(len, pieces)) <= CHUNK


@pytest.mark.parametrize("name", ["gzip", "zstd", ""])
def test_what_is_compressed_is_the_same_each_time(name: str) -> None:
    """No times and no names are in it, whatever pieces it is written in."""
    results = []
    for size in (1000, 4096):
        out: list[bytes] = []
        compressor = Compressor(name, out.append)
        for position in range(0, len(CONTENT), size):
            compressor.write(CONTENT[position : position + size])
        compressor.finish()
        results.append(b"".join(out))
        assert unpacked(results[-1], name) == CONTENT
    assert results[0] == results[1]


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("", []),
        ("Basic realm=x", [("basic", {"realm": "x"})]),
        (
            'Bearer realm="https://a/t?x=1,2",service="s \\"q\\"", scope="r:a:pull"',
            [("bearer", {"realm": "https://a/t?x=1,2", "service": 's "q"', "scope": "r:a:pull"})],
        ),
        (
            'Negotiate, Basic realm="a", charset="UTF-8"',
            [("negotiate", {}), ("basic", {"realm": "a", "charset": "UTF-8"})],
        ),
        ('Bearer realm="never ends', [("bearer", {"realm": "never ends"})]),
        ("=,=", []),
    ],
)
def test_challenges_are_read(header: str, found: list[tuple[str, dict[str, str]]]) -> None:
    """Several in a header, with quotes and without; nothing makes it fail."""
    assert parse_challenges(header) == found


def test_credentials_are_dockers(tmp_path: Path) -> None:
    """Found by the registry's name in all the ways that docker and podman write it; kept with mode 0600."""
    path = tmp_path / "docker/config.json"
    auth = base64.b64encode(b"me:pass:word").decode()
    path.parent.mkdir()
    auths: dict[str, Any] = {
        "https://index.docker.io/v1/": {"auth": auth},
        "https://one.example/v2/": {"auth": auth},
        "two.example:5000": {"username": "u", "password": "p"},
        "three.example": {"identitytoken": "t"},
        "four.example": {},
    }
    path.write_text(json.dumps({"auths": auths, "other": 1}))
    for domain, expected in {
        "docker.io": ("me", "pass:word", ""),
        "one.example": ("me", "pass:word", ""),
        "two.example:5000": ("u", "p", ""),
        "three.example": ("", "", "t"),
    }.items():
        found = credentials.find(domain, str(path))
        assert found is not None and (found.user, found.password, found.token) == expected
    for domain in ("four.example", "two.example", "example", "five.example"):
        assert credentials.find(domain, str(path)) is None
    credentials.store("five.example", Credentials("a", "b"), str(path))
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text())["other"] == 1
    found = credentials.find("five.example", str(path))
    assert found is not None and found.basic() == "Basic " + base64.b64encode(b"a:b").decode()
    assert credentials.erase("five.example", str(path)) and not credentials.erase("five.example", str(path))
    assert credentials.find("five.example", str(path)) is None
    for broken in ("[]", "{", '{"auths": {"x.y": {"auth": "%%%"}}}'):
        path.write_text(broken)
        with pytest.raises(RegistryError):
            credentials.find("x.y", str(path))
    assert credentials.find("x.y", str(tmp_path / "none")) is None


def test_credential_helpers_are_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a registry, or of all; one that has none says so, and a name is no path."""
    helper = tmp_path / "docker-credential-test"
    helper.write_text(
        "#!/bin/sh\nread server\ncase $1:$server in\n"
        'get:a.example) echo \'{"Username": "me", "Secret": "s"}\';;\n'
        'get:b.example) echo \'{"Username": "<token>", "Secret": "t"}\';;\n'
        "get:c.example) echo credentials not found in native keychain; exit 1;;\n"
        "*) echo broken; exit 1;;\nesac\n"
    )
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"credsStore": "test", "credHelpers": {"e.example": "../evil"}}))
    found = credentials.find("a.example", str(path))
    assert found is not None and (found.user, found.password) == ("me", "s")
    found = credentials.find("b.example", str(path))
    assert found is not None and found.token == "t"
    assert credentials.find("c.example", str(path)) is None
    for domain in ("d.example", "e.example"):
        with pytest.raises(RegistryError):
            credentials.find(domain, str(path))


def test_loopback_and_what_the_administrator_lists_need_no_certificate(tmp_path: Path) -> None:
    """By name, by address and by network; others do."""
    settings = Registries(insecure=["lab.example", "other.example:5000", "10.1.0.0/16"])
    for domain in (
        "localhost:5000",
        "127.0.0.1",
        "[::1]:5000",
        "lab.example:1",
        "other.example:5000",
        "10.1.2.3:80",
    ):
        assert settings.is_insecure(domain), domain
    for domain in ("docker.io", "other.example", "10.2.0.1", "localhost.example", "example:127"):
        assert not settings.is_insecure(domain), domain
    path = tmp_path / "registries.json"
    assert load(str(path)).mirrors == {}
    path.write_text('{"mirrors": {"docker.io": ["https://m"]}, "insecure": ["a"]}')
    assert load(str(path)).mirrors == {"docker.io": ["https://m"]}
    for broken in ("[]", "{", '{"mirrors": {"a": 1}}', '{"insecure": [1]}'):
        path.write_text(broken)
        with pytest.raises(RegistryError):
            load(str(path))


def test_changes_are_a_dockerfiles() -> None:
    """Each instruction has docker's effect on the configuration."""
    config: dict[str, Any] = {"Env": ["A=1", "B=2"], "WorkingDir": "/srv", "Labels": {"a": "b"}}
    apply_changes(
        config,
        [
            'CMD ["sh", "-c", "true"]',
            "entrypoint echo $HOME",
            'ENV A=9 C="x y"',
            "ENV D e f",
            "EXPOSE 80 53/udp 90-91",
            "LABEL c=d",
            "USER me:us",
            'VOLUME ["/a", "/b"]',
            "VOLUME /c",
            "WORKDIR sub",
            "STOPSIGNAL SIGINT",
            "ONBUILD RUN true",
            'SHELL ["/bin/bash"]',
        ],
    )
    assert config == {
        "Cmd": ["sh", "-c", "true"],
        "Entrypoint": ["/bin/sh", "-c", "echo $HOME"],
        "Env": ["B=2", "A=9", "C=x y", "D=e f"],
        "ExposedPorts": {"80/tcp": {}, "53/udp": {}, "90/tcp": {}, "91/tcp": {}},
        "Labels": {"a": "b", "c": "d"},
        "User": "me:us",
        "Volumes": {"/a": {}, "/b": {}, "/c": {}},
        "WorkingDir": "/srv/sub",
        "StopSignal": "SIGINT",
        "OnBuild": ["RUN true"],
        "Shell": ["/bin/bash"],
    }
    for line in (
        "",
        "RUN true",
        "CMD",
        "CMD [1]",
        "CMD [",
        "ENV A",
        'ENV A="',
        "EXPOSE x",
        "EXPOSE 0",
        "EXPOSE 1/x",
    ):
        with pytest.raises(InvalidOption):
            apply_changes({}, [line])
