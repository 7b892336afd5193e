"""What nothing refers to any more is removed: blobs, unpacked layers, and what killed processes left."""

from __future__ import annotations

import os

from ociimage import files
from ociimage.errors import ImageError
from ociimage.layers.remove import remove_path
from ociimage.locks import Lock
from ociimage.reference import is_digest
from ociimage.snapshots.snapshots import Snapshots, users

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ociimage.image import Image
    from ociimage.store import Store


def collect(store: Store) -> int:
    """Removes all garbage, and returns how many bytes of blobs and layers that were.

    While somebody adds content nothing is removed: what is garbage by then goes the next time.
    """
    if not os.path.exists(f"{store.root}/oci-layout"):
        return 0
    with Lock(f"{store.root}/content.lock", wait=False) as lock:
        if not lock.held:
            return 0
        blobs, layers, records = _needed(store)
        freed = 0
        for digest in list(store.blobs.list()):
            if digest not in blobs:
                freed += store.blobs.remove(digest) if is_digest(digest) else 0
        for name in os.listdir(f"{store.root}/layers"):
            path = f"{store.root}/layers/{name}"
            if name.endswith(".image"):
                if name not in records:
                    os.unlink(path)
            elif name.endswith(".lock"):
                os.unlink(path)
            elif name not in layers:
                freed += _remove_layer(store, path)
        for name in os.listdir(store.blobs.temporary):
            remove_path(f"{store.blobs.temporary}/{name}")
        return freed


def _remove_layer(store: Store, path: str) -> int:
    """Moves it away first: a layer is there as a whole or not at all."""
    size = files.read_object(f"{path}/layer.json").get("size", 0)
    gone = f"{store.blobs.temporary}/gone-{os.urandom(8).hex()}"
    os.rename(path, gone)
    remove_path(gone)
    return size if isinstance(size, int) else 0


def _needed(store: Store) -> tuple[set[str], set[str], set[str]]:
    """Digests of blobs, names of layers and names of records that images or containers need."""
    blobs: set[str] = set()
    layers: set[str] = set()
    records: set[str] = set()
    snapshots = Snapshots(store)
    containers = [each for each in snapshots.ids() if snapshots.exists(each)]
    for image in [*store.images(), *map(snapshots.image, containers)]:
        blobs.add(image.digest)
        try:
            manifest = image.manifest
            blobs.add(manifest.config.digest)
            blobs.update(layer.digest for layer in manifest.layers)
            layers.update(chain[7:] for chain in image.chain)
            records.add(f"{image.id[7:]}.image")
        except ImageError:
            continue  # parts of it are missing; its name stays until it is removed or pulled again
    for each in containers:
        layers.update(chain[7:] for chain in snapshots.record(each)["layers"])
    return blobs, layers, records


def prune(
    store: Store,
    *,
    all_unused: bool = False,
    in_use: Iterable[str] | None = None,
    accept: Callable[[Image], bool] = lambda image: True,
) -> tuple[list[str], list[str], int]:
    """Removes images without a name; with `all_unused` each one whose id is not in `in_use`, or that no container uses.

    Args:
        accept: which of these; not asked of images that are damaged, which go.

    Returns: names taken away, ids removed, bytes freed.
    """
    used = set(users(store) if in_use is None else in_use)
    doomed = [image for image in store.images() if all_unused or not image.names]
    doomed = [image for image in doomed if image.identity not in used and _accepted(image, accept)]
    digests = {image.digest for image in doomed}
    if digests:
        store.change(lambda entries: [entry for entry in entries if entry.digest not in digests])
    return (
        [name for image in doomed for name in image.names],
        [image.identity for image in doomed],
        collect(store),
    )


def _accepted(image: Image, accept: Callable[[Image], bool]) -> bool:
    try:
        return accept(image)
    except ImageError:
        return True


def usage(store: Store, in_use: Iterable[str] | None = None) -> dict[str, int]:
    """What `system df` shows of images, in bytes and numbers.

    `images`, `active` (used by containers), `size` (blobs and unpacked layers, each once), `reclaimable` (what
    would be free if all unused images were removed).
    """
    if not os.path.exists(f"{store.root}/oci-layout"):
        return {"images": 0, "active": 0, "size": 0, "reclaimable": 0}
    used = set(users(store) if in_use is None else in_use)
    images = store.images()
    sizes = {digest: store.blobs.size(digest) for digest in store.blobs.list() if is_digest(digest)}
    for name in os.listdir(f"{store.root}/layers"):
        record = files.read_object(f"{store.root}/layers/{name}/layer.json") if len(name) == 64 else {}
        if record:
            sizes[f"layer:{name}"] = int(record.get("size", 0))
    needed: set[str] = set()
    active = 0
    for image in images:
        try:
            if image.id not in used:
                continue
            active += 1
            needed.update([image.digest, image.id, *(layer.digest for layer in image.manifest.layers)])
            needed.update(f"layer:{chain[7:]}" for chain in image.chain)
        except ImageError:
            continue
    total = sum(sizes.values())
    return {
        "images": len(images),
        "active": active,
        "size": total,
        "reclaimable": total - sum(sizes.get(name, 0) for name in needed),
    }
