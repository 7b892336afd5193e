"""Images read from archives.

Spec: image-spec image-layout.md; docker's archives have manifest.json, as `docker save` writes it since version 1.10.
"""

from __future__ import annotations

from ociimage import documents, media
from ociimage.archives.source import open_source, read
from ociimage.documents import Descriptor, Manifest
from ociimage.errors import DigestMismatch, InvalidImage, InvalidReference
from ociimage.image import is_image, matches
from ociimage.importing import host_platform
from ociimage.layers.compression import recognise
from ociimage.reference import Reference, parse
from ociimage.snapshots.chain import chain_ids
from ociimage.snapshots.unpack import add_layer, known_blob, record_chain, unpack_blob
from ociimage.store import REF_NAME
from ocispec import jsontext
from ocispec.errors import InvalidJSON

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, BinaryIO

    from ociimage.archives.source import Source
    from ociimage.image import Image
    from ociimage.layers.limits import Limits
    from ociimage.store import Store

    # Called with the layer's diff id, how many of its bytes were read, and how many there are (0 if unknown).
    Progress = Callable[[str, int, int], None]

CONTAINERD_NAME = "io.containerd.image.name"
_MAX_IMAGES = 1000


def load(
    store: Store,
    source: str | BinaryIO,
    *,
    progress: Progress | None = None,
    limits: Limits | None = None,
) -> list[Image]:
    """All images of an archive, with their names.

    Args:
        source: a path of a file or of a directory, or an open stream (which is closed).

    Raises: InvalidImage, DigestMismatch, InvalidLayer, OSError
    """
    store.create()
    with store.adding(), open_source(source, store.blobs.temporary) as archive:
        loading = _Loading(store, archive, progress, limits)
        if archive.has("manifest.json"):
            return loading.docker()
        if archive.has("index.json"):
            return loading.layout()
        raise InvalidImage(
            "this is no archive of images: it has neither manifest.json nor index.json; "
            "a root file system is brought in by import"
        )


class _Loading:
    def __init__(
        self, store: Store, archive: Source, progress: Progress | None, limits: Limits | None
    ) -> None:
        self._store = store
        self._archive = archive
        self._progress = progress
        self._limits = limits

    # docker's form

    def docker(self) -> list[Image]:
        """Of each entry of manifest.json."""
        try:
            entries = jsontext.loads(read(self._archive, "manifest.json", documents.MAX_DOCUMENT))
        except InvalidJSON as error:
            raise InvalidImage(f"manifest.json in the archive: {error}") from error
        if not isinstance(entries, list) or not 0 < len(entries) <= _MAX_IMAGES:
            raise InvalidImage("manifest.json in the archive is no list of images")
        return [self._docker_image(entry) for entry in entries]

    def _docker_image(self, entry: object) -> Image:
        if not isinstance(entry, dict):
            raise InvalidImage("manifest.json in the archive holds what is no image")
        layers = _texts(entry, "Layers")
        path = entry.get("Config")
        if not isinstance(path, str):
            raise InvalidImage("manifest.json in the archive: Config is no name")
        data = read(self._archive, path, documents.MAX_DOCUMENT)
        config = documents.parse_config(data, len(layers), path)
        names = [parse(name) for name in _texts(entry, "RepoTags")]
        chain = chain_ids(config["rootfs"]["diff_ids"])
        kept = [
            self._docker_layer(name, diff_id, chain[: number + 1])
            for number, (name, diff_id) in enumerate(zip(layers, config["rootfs"]["diff_ids"], strict=True))
        ]
        digest = self._store.blobs.put(data)
        manifest = Manifest(Descriptor(media.OCI_CONFIG, digest, len(data)), kept)
        return self._keep(manifest.to_bytes(), manifest, config, names, chain)

    def _docker_layer(self, name: str, diff_id: str, chain: list[str]) -> Descriptor:
        """Keeps one layer: plain ones compressed, others as they are."""
        known = known_blob(self._store, chain[-1])
        if known is not None:
            return known
        pieces = self._observed(self._archive.pieces(name), diff_id, 0)
        start = next(pieces, b"")
        compression = recognise(start)
        if not compression:
            blob, _, _ = add_layer(
                self._store, _again(start, pieces), chain[:-1], diff_id=diff_id, limits=self._limits
            )
            return blob
        if compression not in ("gzip", "zstd"):
            raise InvalidImage(f"{name} in the archive is compressed by {compression}, which layers are not")
        blob = self._blob(_again(start, pieces), media.layer(compression))
        unpack_blob(self._store, blob, diff_id, chain, limits=self._limits)
        return blob

    # The specification's form

    def layout(self) -> list[Image]:
        """Of each manifest in index.json; of an index in it the one for this machine."""
        data = read(self._archive, "index.json", documents.MAX_DOCUMENT)
        entries = documents.parse_index(data, what="index.json")
        if not entries:
            raise InvalidImage("index.json in the archive names no image")
        return [self._layout_image(entry, _names(entry)) for entry in entries[:_MAX_IMAGES]]

    def _layout_image(self, entry: Descriptor, names: list[Reference]) -> Image:
        data = self._document(entry)
        if entry.media_type in media.INDEXES:
            inner = documents.parse_index(data, entry.media_type, entry.digest)
            return self._layout_image(self._chosen(inner), names)
        manifest = documents.parse_manifest(data, entry.media_type, entry.digest)
        config_data = self._document(manifest.config)
        config = documents.parse_config(config_data, len(manifest.layers), manifest.config.digest)
        self._store.blobs.put(config_data)
        diff_ids = config["rootfs"]["diff_ids"]
        chain = chain_ids(diff_ids)
        for number, (layer, diff_id) in enumerate(zip(manifest.layers, diff_ids, strict=True)):
            if not self._store.blobs.has(layer.digest, layer.size):
                pieces = self._observed(self._archive.pieces(_blob_name(layer.digest)), diff_id, layer.size)
                self._blob(pieces, layer.media_type, layer)
            unpack_blob(self._store, layer, diff_id, chain[: number + 1], limits=self._limits)
        return self._keep(data, manifest, config, names, chain)

    def _chosen(self, entries: list[Descriptor]) -> Descriptor:
        """The image of an index that is for this machine and in the archive; else any that is there."""
        there = [each for each in entries if is_image(each) and self._archive.has(_blob_name(each.digest))]
        if not there:
            raise InvalidImage("an index in the archive names no image that is there")
        wanted = host_platform()
        wanted.pop("variant", None)
        return next((each for each in there if matches(each.platform, wanted)), there[0])

    def _document(self, descriptor: Descriptor) -> bytes:
        data = read(self._archive, _blob_name(descriptor.digest), documents.MAX_DOCUMENT)
        import hashlib

        found = f"sha256:{hashlib.sha256(data).hexdigest()}"
        if found != descriptor.digest or len(data) != descriptor.size:
            raise DigestMismatch(f"expected {descriptor.digest} in the archive, and found {found}")
        return data

    # Both

    def _blob(
        self, pieces: Iterator[bytes], media_type: str, expected: Descriptor | None = None
    ) -> Descriptor:
        writer = self._store.blobs.writer()
        try:
            for piece in pieces:
                writer.write(piece)
                if expected is not None and writer.size > expected.size:
                    break
            digest = writer.commit(*((expected.digest, expected.size) if expected else ()))
            return Descriptor(media_type, digest, writer.size)
        finally:
            writer.close()

    def _observed(self, pieces: Iterator[bytes], diff_id: str, total: int) -> Iterator[bytes]:
        done = 0
        for piece in pieces:
            done += len(piece)
            if self._progress is not None:
                self._progress(diff_id, done, total)
            yield piece

    def _keep(
        self,
        data: bytes,
        manifest: Manifest,
        config: dict[str, Any],
        names: list[Reference],
        chain: list[str],
    ) -> Image:
        platform = {key: config[key] for key in ("os", "architecture", "variant") if config.get(key)}
        image = self._store.put_manifest(data, manifest.media_type, names, platform)
        record_chain(self._store, image.id, chain)
        return image


def _again(start: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if start:
        yield start
    yield from rest


def _blob_name(digest: str) -> str:
    return f"blobs/sha256/{digest[7:]}"


def _names(entry: Descriptor) -> list[Reference]:
    """containerd's full name; else the layout's, if it is a name with its tag rather than the tag alone."""
    for text in (entry.annotations.get(CONTAINERD_NAME, ""), entry.annotations.get(REF_NAME, "")):
        if "/" in text or ":" in text:
            try:
                return [parse(text)]
            except InvalidReference:
                continue
    return []


def _texts(entry: dict[str, Any], name: str) -> list[str]:
    items = entry.get(name) or []
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise InvalidImage(f"manifest.json in the archive: {name} is no list of strings")
    if len(items) > documents.MAX_LAYERS:
        raise InvalidImage(
            f"manifest.json in the archive: {name} has more than {documents.MAX_LAYERS} entries"
        )
    return items
