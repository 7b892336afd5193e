"""A new image of what a container has changed."""

from __future__ import annotations

import copy

from ociimage.changes import apply_changes
from ociimage.importing import now, put
from ociimage.reference import parse
from ociimage.snapshots.unpack import add_layer, record_chain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from ociimage.image import Image
    from ociimage.snapshots.snapshots import Snapshots


def commit(
    snapshots: Snapshots,
    container_id: str,
    name: str = "",
    *,
    config: dict[str, Any] | None = None,
    changes: Sequence[str] = (),
    author: str = "",
    message: str = "",
    created_by: str = "",
) -> Image:
    """An image of the container's image and one more layer. Whoever wants a container not to change meanwhile pauses it.

    Args:
        name: the new image's; "" for none.
        config: the container configuration that the image gets (Cmd, Env ...); None for the old image's.
        changes: lines such as `CMD ["sh"]` (ociimage.changes), applied to it.
        created_by: the command that made the changes, for the history.

    Raises: SnapshotError, InvalidReference, InvalidOption, ImageError
    """
    store = snapshots.store
    names = [parse(name)] if name else []
    with store.adding():
        base = snapshots.image(container_id)
        document = copy.deepcopy(base.config)
        if config is not None:
            document["config"] = copy.deepcopy(config)
        apply_changes(document["config"], changes)
        parents = snapshots.record(container_id)["layers"]
        layer, diff_id, chain = add_layer(store, snapshots.layer(container_id), parents)
        document["created"] = now()
        if author:
            document["author"] = author
        document["rootfs"]["diff_ids"] = [*base.diff_ids, diff_id]
        entry = {
            "created": document["created"],
            "author": author,
            "created_by": created_by,
            "comment": message,
        }
        document["history"] = [*document["history"], {key: value for key, value in entry.items() if value}]
        image = put(store, document, [*base.manifest.layers, layer], names)
        record_chain(store, image.id, [*parents, chain])
    return image
