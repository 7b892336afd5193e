"""Layers as other tools take them: those made here are kept as zstd, which docker before version 23 does not read."""

from __future__ import annotations

from ociimage import files, media
from ociimage.documents import Descriptor, Manifest
from ociimage.image import Image
from ociimage.layers.compression import CHUNK, Compressor, decompressed
from ociimage.snapshots.chain import layer_path, layer_record
from ocispec import jsontext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def make_portable(image: Image, progress: Callable[[str, int, int], None] | None = None) -> Image:
    """The image with layers as gzip; it takes the place of the one that it was, with the same id and names.

    One that came from a registry stays as it is, as it is known by its digest.
    """
    store = image.store
    if any("@" in name for name in image.names) or not any(map(_is_ours, image.manifest.layers)):
        return image
    with store.adding():
        layers = []
        for chain, layer in zip(image.chain, image.manifest.layers, strict=True):
            layers.append(_converted(image, layer, progress) if _is_ours(layer) else layer)
            if record := layer_record(store, chain):
                record["blob"] = layers[-1].to_json()
                data = jsontext.dumps(record).encode()
                files.write(f"{layer_path(store, chain)}/layer.json", data, store.blobs.temporary)
        manifest = Manifest(image.manifest.config, layers, image.manifest.annotations)
        data = manifest.to_bytes()
        old = image.descriptor
        new = Descriptor(manifest.media_type, store.blobs.put(data), len(data), old.platform)
        store.change(lambda entries: [_replaced(entry, old, new) for entry in entries])
    return Image(store, new, image.names)


def _is_ours(layer: Descriptor) -> bool:
    return media.LAYERS[layer.media_type] != "gzip"


def _replaced(entry: Descriptor, old: Descriptor, new: Descriptor) -> Descriptor:
    if entry.digest != old.digest:
        return entry
    return Descriptor(new.media_type, new.digest, new.size, new.platform, entry.annotations)


def _converted(
    image: Image, layer: Descriptor, progress: Callable[[str, int, int], None] | None
) -> Descriptor:
    writer = image.store.blobs.writer()
    compressor = Compressor("gzip", writer.write)
    done = 0
    try:
        with image.store.blobs.open(layer) as file:

            def read(size: int) -> bytes:
                nonlocal done
                data = file.read(CHUNK)
                done += len(data)
                if progress is not None:
                    progress(layer.digest, done, layer.size)
                return data

            for piece in decompressed(read, media.LAYERS[layer.media_type]):
                compressor.write(piece)
        compressor.finish()
        return Descriptor(media.layer("gzip"), writer.commit(), writer.size)
    finally:
        writer.close()
