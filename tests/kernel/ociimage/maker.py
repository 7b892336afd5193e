"""Layers written byte by byte: no library stands between a test and what a hostile layer holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

END = bytes(1024)
OCI = "application/vnd.oci.image"


def entry(
    name: bytes | str,
    kind: bytes = b"0",
    data: bytes = b"",
    *,
    link: bytes | str = b"",
    mode: int = 0o644,
    uid: int = 0,
    gid: int = 0,
    mtime: int = 1_600_000_000,
    device: tuple[int, int] = (0, 0),
    pax: dict[str, bytes] | None = None,
) -> bytes:
    """One entry; names that do not fit, and huge ids, go into a pax header."""
    name = name.encode() if isinstance(name, str) else name
    link = link.encode() if isinstance(link, str) else link
    records = dict(pax or {})
    if len(name) > 100:
        records["path"], name = name, name[:100]
    if len(link) > 100:
        records["linkpath"], link = link, link[:100]
    for key, value in (("uid", uid), ("gid", gid)):
        if value > 0o7777777:
            records[key] = str(value).encode()
    start = name.ljust(100, b"\0") + b"%07o\0%07o\0%07o\0%011o\0%011o\0" % (
        *(mode, min(uid, 0o7777777), min(gid, 0o7777777)),
        *(len(data), mtime),
    )
    rest = kind + link.ljust(100, b"\0") + b"ustar\00000" + bytes(64) + b"%07o\0%07o\0" % device
    rest = rest.ljust(356, b"\0")
    block = start + b"%06o\0 " % (sum(start) + sum(rest) + 256) + rest + data + bytes(-len(data) % 512)
    return (header_of(records) if records else b"") + block


def header_of(records: dict[str, bytes]) -> bytes:
    """A pax extended header."""
    body = b""
    for key, value in records.items():
        length = len(key) + len(value) + 3
        total = length + len(str(length + len(str(length))))
        body += b"%d %b=%b\n" % (total, key.encode(), value)
    return entry(b"pax", b"x", body)


def directory(name: str, mode: int = 0o755, **more: Any) -> bytes:
    """A directory."""
    return entry(name, b"5", mode=mode, **more)


def symlink(name: str, target: str) -> bytes:
    """A symbolic link."""
    return entry(name, b"2", link=target, mode=0o777)


def layer(*entries: bytes) -> bytes:
    """A whole tar."""
    return b"".join(entries) + END


def digest(data: bytes) -> str:
    """Of the content."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


class Image:
    """An image as its documents and blobs.

    Attributes:
        blobs: content by digest.
        manifest, config: as bytes.
    """

    def __init__(
        self, layers: Sequence[bytes], *, wrong: dict[str, Any] | None = None, **config: Any
    ) -> None:
        document = {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Cmd": ["sh"], **config},
            "rootfs": {"type": "layers", "diff_ids": [digest(each) for each in layers]},
            **(wrong or {}),
        }
        self.config = json.dumps(document).encode()
        self.blobs = {digest(data): data for data in (self.config, *layers)}
        self.document: dict[str, Any] = {
            "schemaVersion": 2,
            "mediaType": f"{OCI}.manifest.v1+json",
            "config": {
                "mediaType": f"{OCI}.config.v1+json",
                "digest": digest(self.config),
                "size": len(self.config),
            },
            "layers": [
                {"mediaType": f"{OCI}.layer.v1.tar", "digest": digest(each), "size": len(each)}
                for each in layers
            ],
        }

    @property
    def manifest(self) -> bytes:
        """The manifest's bytes."""
        return json.dumps(self.document).encode()

    def layout(self, name: str = "docker.io/library/made:latest") -> dict[str, bytes]:
        """The files of an OCI image layout."""
        index = {
            "schemaVersion": 2,
            "manifests": [
                {
                    "mediaType": self.document["mediaType"],
                    "digest": digest(self.manifest),
                    "size": len(self.manifest),
                    "annotations": {"org.opencontainers.image.ref.name": name},
                }
            ],
        }
        files = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": json.dumps(index).encode()}
        for each, data in {**self.blobs, digest(self.manifest): self.manifest}.items():
            files[f"blobs/sha256/{each[7:]}"] = data
        return files

    def archive(self) -> bytes:
        """The same in a tar."""
        return layer(*(entry(name, data=data) for name, data in self.layout().items()))

    def docker_archive(self, name: str = "made:latest") -> bytes:
        """What `docker save` writes."""
        layers = [each["digest"] for each in self.document["layers"]]
        manifest = [
            {
                "Config": "config.json",
                "RepoTags": [name],
                "Layers": [f"{each[7:]}/layer.tar" for each in layers],
            }
        ]
        return layer(
            *(entry(f"{each[7:]}/layer.tar", data=self.blobs[each]) for each in dict.fromkeys(layers)),
            entry("config.json", data=self.config),
            entry("manifest.json", data=json.dumps(manifest).encode()),
        )
