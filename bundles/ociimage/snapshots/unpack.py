"""Layers are unpacked once, verified on the way, and then in their place as a whole."""

from __future__ import annotations

import os

from ociimage import media
from ociimage.errors import DigestMismatch, InvalidLayer
from ociimage.layers.compression import CHUNK, decompressed, recognise
from ociimage.layers.remove import remove_path
from ociimage.locks import Lock
from ociimage.snapshots.chain import chain_ids, is_rootless, layer_path, layer_record
from ocispec import jsontext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ociimage.documents import Descriptor
    from ociimage.image import Image
    from ociimage.layers.limits import Limits
    from ociimage.store import Store

# What a layer made here is kept as. zstd at its first level costs less time than writing the bytes it saves.
LOCAL_COMPRESSION = "zstd"


def unpack_image(store: Store, image: Image, *, limits: Limits | None = None) -> list[str]:
    """Unpacks the layers that are not yet, and returns the chain ids of all, from the lowest on.

    Raises: ImageNotFound, DigestMismatch, InvalidLayer
    """
    chain = chain_ids(image.diff_ids)
    with store.adding():
        for number, (diff_id, layer) in enumerate(zip(image.diff_ids, image.manifest.layers, strict=True)):
            unpack_blob(store, layer, diff_id, chain[: number + 1], limits=limits)
        record_chain(store, image.id, chain)
    return chain


def record_chain(store: Store, image_id: str, chain: Sequence[str]) -> None:
    """Notes that all layers of the image are unpacked, so that a container's start computes no chain ids.

    layers/HEX.image, with the image's id: {"layers": all chain ids, "lower": those that show}.
    """
    from ociimage import files

    lower: list[str] = []
    for each in chain:
        if layer_record(store, each).get("opaque"):
            # overlayfs looks at no mark of a layer's root.
            lower.clear()
        lower.append(each)
    data = jsontext.dumps({"layers": list(chain), "lower": lower}).encode()
    files.write(f"{store.root}/layers/{image_id[7:]}.image", data, store.blobs.temporary)


def unpack_blob(
    store: Store, layer: Descriptor, diff_id: str, chain: Sequence[str], *, limits: Limits | None = None
) -> None:
    """Unpacks a blob of the store as the layer `chain[-1]` on top of the others, unless it is there."""
    if layer_record(store, chain[-1]):
        return
    with store.blobs.open(layer) as file, Lock(f"{layer_path(store, chain[-1])}.lock"):
        if not layer_record(store, chain[-1]):
            _unpack(store, _chunks(file.read), layer, diff_id, chain, limits)


def known_blob(store: Store, chain: str) -> Descriptor | None:
    """The blob that an unpacked layer was made of, if both are here."""
    from ociimage.documents import parse_descriptor

    record = layer_record(store, chain)
    if "blob" not in record:
        return None
    blob = parse_descriptor(record["blob"], "layer.json")
    return blob if store.blobs.has(blob.digest, blob.size) else None


def _unpack(
    store: Store,
    pieces: Iterator[bytes],
    layer: Descriptor,
    diff_id: str,
    chain: Sequence[str],
    limits: Limits | None,
) -> None:
    import hashlib

    compression = media.LAYERS[layer.media_type]
    digest = hashlib.sha256()

    def uncompressed() -> Iterator[bytes]:
        start = next(pieces, b"")
        found = recognise(start)
        if start and compression != found:
            raise InvalidLayer(
                f"a layer announced as {compression or 'plain tar'} is {found or 'not compressed'}"
            )
        first = [start]
        # Pieces are as large as they come, whatever size is asked for.
        for piece in decompressed(lambda size: first.pop() if first else next(pieces, b""), found):
            digest.update(piece)
            yield piece

    with _Unpacking(store, chain[:-1]) as unpacking:
        unpacking.extract(uncompressed(), limits)
        found = f"sha256:{digest.hexdigest()}"
        if found != diff_id:
            raise DigestMismatch(f"a layer should unpack to {diff_id}, and is {found}")
        unpacking.place(diff_id, chain[-1], layer)


def add_layer(
    store: Store,
    pieces: Iterable[bytes],
    parents: Sequence[str],
    *,
    diff_id: str = "",
    compression: str = LOCAL_COMPRESSION,
    limits: Limits | None = None,
) -> tuple[Descriptor, str, str]:
    """Keeps a new layer, whose uncompressed tar comes in pieces, and unpacks it at the same time.

    Args:
        parents: chain ids of the layers below it, from the lowest on.
        diff_id: what the layer has to be; "" if nobody knows yet.

    Returns: the blob's descriptor, the diff id, the chain id. The caller holds `store.adding()`.

    Raises: DigestMismatch, InvalidLayer
    """
    import hashlib

    from ociimage.documents import Descriptor
    from ociimage.layers.compression import Compressor

    digest = hashlib.sha256()
    writer = store.blobs.writer()
    compressor = Compressor(compression, writer.write, level=1)

    def kept() -> Iterator[bytes]:
        for piece in pieces:
            digest.update(piece)
            compressor.write(piece)
            yield piece
        compressor.finish()

    try:
        with _Unpacking(store, parents) as unpacking:
            unpacking.extract(kept(), limits)
            found = f"sha256:{digest.hexdigest()}"
            if diff_id not in ("", found):
                raise DigestMismatch(f"a layer should be {diff_id}, and is {found}")
            diff_id = found
            blob = Descriptor(media.layer(compression), writer.commit(), writer.size)
            chain = chain_ids([parents[-1], diff_id])[-1] if parents else diff_id
            with Lock(f"{layer_path(store, chain)}.lock"):
                if not layer_record(store, chain):
                    unpacking.place(diff_id, chain, blob)
    finally:
        writer.close()
    return blob, diff_id, chain


class _Unpacking:
    """A layer's directory under a temporary name, that is gone in the end unless it was put in its place."""

    def __init__(self, store: Store, parents: Sequence[str]) -> None:
        self._store = store
        self._parents = parents
        self._path = f"{store.blobs.temporary}/layer-{os.getpid()}-{os.urandom(8).hex()}"
        self._record: dict[str, object] = {}

    def __enter__(self) -> _Unpacking:
        os.mkdir(self._path, 0o700)
        os.mkdir(f"{self._path}/diff", 0o700)
        os.chmod(f"{self._path}/diff", 0o755)
        return self

    def __exit__(self, *error: object) -> None:
        if self._path:
            remove_path(self._path)

    def extract(self, pieces: Iterable[bytes], limits: Limits | None) -> None:
        """Unpacks the tar, and reads it to its end."""
        total = 0

        def counted() -> Iterator[bytes]:
            nonlocal total
            for piece in pieces:
                total += len(piece)
                yield piece

        from ociimage.layers.extract import Extractor
        from ociimage.layers.tar_reader import Stream, TarReader
        from ociimage.snapshots.pipeline import ahead

        opened: list[int] = []
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        try:
            for parent in reversed(self._parents):
                opened.append(os.open(f"{layer_path(self._store, parent)}/diff", flags))
            root = os.open(f"{self._path}/diff", flags)
            opened.append(root)
            _inherit(root, opened[:-1])
            extractor = Extractor(root, opened[:-1], rootless=is_rootless(), limits=limits)
            with ahead(counted()) as source:
                stream = Stream(source)
                extractor.extract(TarReader(stream, limits))
                stream.drain()
        finally:
            for descriptor in opened:
                os.close(descriptor)
        self._record = {
            "size": extractor.size,
            "tar": total,
            "entries": extractor.entries,
            "opaque": extractor.opaque,
        }

    def place(self, diff_id: str, chain: str, blob: Descriptor) -> None:
        """Moves the layer to where it is found. The caller holds its lock."""
        parent = self._parents[-1] if self._parents else ""
        with open(f"{self._path}/layer.json", "x") as file:
            value = {"diff_id": diff_id, "parent": parent, "blob": blob.to_json(), **self._record}
            file.write(jsontext.dumps(value))
        os.rename(self._path, layer_path(self._store, chain))
        self._path = ""


def _inherit(root: int, lower: Sequence[int]) -> None:
    """The root directory looks as in the layer below, unless the layer has an entry for it."""
    if lower:
        found = os.fstat(lower[0])
        os.fchown(root, found.st_uid, found.st_gid)
        os.fchmod(root, found.st_mode & 0o7777)


def _chunks(read: Callable[[int], bytes | None]) -> Iterator[bytes]:
    while piece := read(CHUNK):
        yield piece
