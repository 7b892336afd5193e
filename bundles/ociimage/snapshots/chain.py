"""Unpacked layers by chain id: a layer on top of those below it, which all images with the same ones share.

Spec: image-spec config.md, "Layer ChainID"

    layers/HEX/diff         what the layer holds, in overlayfs's form
    layers/HEX/layer.json   {"diff_id", "parent" (chain id or ""), "blob" (descriptor), "size" (bytes of its files),
                             "tar" (bytes of its tar), "entries", "opaque"}
    layers/HEX.lock         held by whoever unpacks it
"""

from __future__ import annotations

from ociimage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from ociimage.store import Store


def chain_ids(diff_ids: Sequence[str]) -> list[str]:
    """The chain id of each layer, from the lowest on."""
    import hashlib

    chain: list[str] = []
    for diff_id in diff_ids:
        if chain:
            diff_id = f"sha256:{hashlib.sha256(f'{chain[-1]} {diff_id}'.encode()).hexdigest()}"
        chain.append(diff_id)
    return chain


def layer_path(store: Store, chain: str) -> str:
    """The unpacked layer's directory."""
    return f"{store.root}/layers/{chain[7:]}"


def layer_record(store: Store, chain: str) -> dict[str, Any]:
    """What layer.json says; {} for a layer that is not unpacked."""
    return files.read_object(f"{layer_path(store, chain)}/layer.json")


def layer_size(store: Store, chain: str, otherwise: int) -> int:
    """Bytes of the files in the layer, if it is unpacked."""
    size = layer_record(store, chain).get("size", otherwise)
    return size if isinstance(size, int) else otherwise


def is_rootless() -> bool:
    """Whether this process is in a user namespace of its own, whose root is nobody special outside."""
    return files.read("/proc/self/uid_map").split() != [b"0", b"0", b"4294967295"]
