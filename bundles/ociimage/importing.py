"""Images of one layer, made from the tar of a root file system or from a directory."""

from __future__ import annotations

import os

from ociimage import media
from ociimage.changes import apply_changes
from ociimage.documents import Descriptor, Manifest
from ociimage.layers.compression import CHUNK, decompressed, recognise
from ociimage.reference import Reference, parse
from ociimage.snapshots.unpack import add_layer, record_chain
from ocispec import jsontext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any, BinaryIO

    from ociimage.image import Image
    from ociimage.layers.limits import Limits
    from ociimage.store import Store

    # Called with how many bytes of the source were read so far.
    Progress = Callable[[int], None]


def import_tar(
    store: Store,
    source: BinaryIO,
    name: str = "",
    *,
    changes: Sequence[str] = (),
    message: str = "",
    platform: dict[str, str] | None = None,
    progress: Progress | None = None,
    limits: Limits | None = None,
) -> Image:
    """An image of the tar that `source` reads: plain, or compressed by gzip, zstd, xz or bzip2.

    Args:
        name: the image's; "" for none.
        changes: lines such as `CMD ["sh"]` (ociimage.changes).
        message: becomes the history's comment.

    Raises: InvalidReference, InvalidLayer, InvalidOption
    """
    total = 0

    def read(size: int) -> bytes:
        nonlocal total
        data = source.read(CHUNK) or b""
        total += len(data)
        if progress is not None:
            progress(total)
        return data

    def pieces() -> Iterator[bytes]:
        first = [_filled(read)]
        return decompressed(lambda size: first.pop() if first else read(size), recognise(first[0]))

    return _import(store, pieces(), name, changes, message, platform, limits)


def import_directory(
    store: Store,
    path: str,
    name: str = "",
    *,
    changes: Sequence[str] = (),
    message: str = "",
    platform: dict[str, str] | None = None,
) -> Image:
    """An image of what is in a directory; mounts below it are not entered."""
    from ociimage.layers.tar_writer import tree

    return _import(store, tree(path, one_file_system=True), name, changes, message, platform, None)


def _import(
    store: Store,
    pieces: Iterable[bytes],
    name: str,
    changes: Sequence[str],
    message: str,
    platform: dict[str, str] | None,
    limits: Limits | None,
) -> Image:
    names = [parse(name)] if name else []
    container: dict[str, Any] = {}
    apply_changes(container, changes)
    with store.adding():
        layer, diff_id, chain = add_layer(store, pieces, [], limits=limits)
        config = new_config(platform or host_platform())
        config["config"] = container
        config["rootfs"] = {"type": "layers", "diff_ids": [diff_id]}
        config["history"] = [{"created": config["created"], "comment": message or "imported"}]
        image = put(store, config, [layer], names)
        record_chain(store, image.id, [chain])
    return image


def put(
    store: Store,
    config: dict[str, Any],
    layers: list[Descriptor],
    names: Iterable[Reference],
    annotations: dict[str, str] | None = None,
) -> Image:
    """Keeps the configuration and a manifest of it, and gives the image its names."""
    data = jsontext.dumps(config).encode()
    digest = store.blobs.put(data)
    manifest = Manifest(Descriptor(media.OCI_CONFIG, digest, len(data)), layers, annotations)
    platform = {key: config[key] for key in ("os", "architecture", "variant") if config.get(key)}
    return store.put_image(manifest, names, platform)


def new_config(platform: dict[str, str]) -> dict[str, Any]:
    """The beginning of a configuration made now."""
    return {"created": now(), **platform}


def now() -> str:
    """RFC 3339, as image-spec's config.md wants it; SOURCE_DATE_EPOCH makes it repeatable."""
    import time

    seconds = int(os.environ.get("SOURCE_DATE_EPOCH") or time.time())
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


# Go's names of what uname(2) calls the machine.
_ARCHITECTURES = {
    "x86_64": ("amd64", ""),
    "i386": ("386", ""),
    "i686": ("386", ""),
    "aarch64": ("arm64", "v8"),
    "armv7l": ("arm", "v7"),
    "armv6l": ("arm", "v6"),
    "ppc64le": ("ppc64le", ""),
    "riscv64": ("riscv64", ""),
    "s390x": ("s390x", ""),
    "loongarch64": ("loong64", ""),
    "mips64": ("mips64le", ""),
}


def host_platform() -> dict[str, str]:
    """os, architecture and variant of this machine, as image-spec's config.md names them."""
    architecture, variant = _ARCHITECTURES.get(os.uname().machine, (os.uname().machine, ""))
    platform = {"os": "linux", "architecture": architecture}
    if variant:
        platform["variant"] = variant
    return platform


def _filled(read: Callable[[int], bytes]) -> bytes:
    """The start of a stream, long enough to be recognised though a pipe may give a byte at a time."""
    data = b""
    while len(data) < 8:
        more = read(CHUNK)
        if not more:
            break
        data += more
    return data
