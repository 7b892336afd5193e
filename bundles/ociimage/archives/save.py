"""Images written to archives. The same images give the same bytes.

docker-archive  manifest.json, configurations and plain layers, for docker, podman, skopeo of any age
oci-archive     an OCI image layout, with blobs as they are in the store
"""

from __future__ import annotations

import os
import stat

from ociimage import media
from ociimage.archives.load import CONTAINERD_NAME
from ociimage.documents import Descriptor
from ociimage.errors import InvalidOption
from ociimage.layers.compression import CHUNK, decompressed
from ociimage.layers.tar_writer import header
from ociimage.reference import parse
from ociimage.snapshots.chain import layer_record
from ociimage.store import REF_NAME
from ocispec import jsontext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any

    from ociimage.image import Image

FORMATS = ("docker-archive", "oci-archive", "oci-dir")
_END = bytes(1024)


def save(
    images: Sequence[tuple[Image, Sequence[str]]],
    write: Callable[[bytes], object],
    form: str = "docker-archive",
) -> None:
    """Writes an archive of images, each with the full names that it is to have there.

    Raises: InvalidOption for an unknown form; ImageNotFound
    """
    if form == "docker-archive":
        _save_docker(images, write)
    elif form == "oci-archive":
        _save_layout(images, write)
    else:
        raise InvalidOption(f"{form!r} is no form of an archive: {', '.join(FORMATS)}")


def save_directory(images: Sequence[tuple[Image, Sequence[str]]], path: str) -> None:
    """Writes an OCI image layout into a directory, which is made if it is not there, and was empty if it is."""
    os.makedirs(path, exist_ok=True)
    if os.listdir(path):
        raise InvalidOption(f"{path} is not empty")
    for name, _, pieces in _layout(images):
        os.makedirs(os.path.dirname(f"{path}/{name}"), exist_ok=True)
        with open(f"{path}/{name}", "xb") as file:
            for piece in pieces:
                file.write(piece)


def _save_layout(images: Sequence[tuple[Image, Sequence[str]]], write: Callable[[bytes], object]) -> None:
    for name, size, pieces in _layout(images):
        _file(write, name, size, pieces)
    write(_END)


def _layout(images: Sequence[tuple[Image, Sequence[str]]]) -> Iterator[tuple[str, int, Iterable[bytes]]]:
    """Name, size and content of each file."""
    marker = b'{"imageLayoutVersion":"1.0.0"}'
    yield "oci-layout", len(marker), [marker]
    entries = []
    written: set[str] = set()
    for image, names in images:
        for blob in [image.descriptor, image.manifest.config, *image.manifest.layers]:
            if blob.digest not in written:
                written.add(blob.digest)
                yield f"blobs/sha256/{blob.digest[7:]}", blob.size, _blob(image, blob)
        entry = image.descriptor
        for name in names or [""]:
            annotations = {REF_NAME: name, CONTAINERD_NAME: name} if name else {}
            described = Descriptor(entry.media_type, entry.digest, entry.size, entry.platform, annotations)
            entries.append(described.to_json())
    index = {"schemaVersion": 2, "mediaType": media.OCI_INDEX, "manifests": entries}
    data = jsontext.dumps(index).encode()
    yield "index.json", len(data), [data]


def _save_docker(images: Sequence[tuple[Image, Sequence[str]]], write: Callable[[bytes], object]) -> None:
    entries: list[dict[str, Any]] = []
    written: set[str] = set()
    for image, names in images:
        layers = []
        for chain, diff_id, layer in zip(image.chain, image.diff_ids, image.manifest.layers, strict=True):
            name = f"{diff_id[7:]}.tar"
            layers.append(name)
            if name not in written:
                written.add(name)
                size = layer_record(image.store, chain).get("tar")
                if size is None:
                    size = sum(map(len, _plain(image, layer)))
                _file(write, name, size, _plain(image, layer))
        config = f"{image.id[7:]}.json"
        if config not in written:
            written.add(config)
            _file(write, config, image.manifest.config.size, _blob(image, image.manifest.config))
        tags = [parse(name).familiar for name in names]
        entries.append({"Config": config, "RepoTags": tags or None, "Layers": layers})
    data = jsontext.dumps(entries).encode()
    _file(write, "manifest.json", len(data), [data])
    write(_END)


def _file(write: Callable[[bytes], object], name: str, size: int, pieces: Iterable[bytes]) -> None:
    found = os.stat_result((stat.S_IFREG | 0o644, 0, 0, 0, 0, 0, size, 0, 0, 0))
    write(header(name.encode(), b"0", found, size=size))
    for piece in pieces:
        write(piece)
    if size % 512:
        write(bytes(-size % 512))


def _blob(image: Image, blob: Descriptor) -> Iterator[bytes]:
    with image.store.blobs.open(blob) as file:
        while piece := file.read(CHUNK):
            yield piece


def _plain(image: Image, layer: Descriptor) -> Iterator[bytes]:
    """The layer's tar."""
    pieces = _blob(image, layer)
    return decompressed(lambda size: next(pieces, b""), media.LAYERS[layer.media_type])
