"""One image of a store."""

from __future__ import annotations

from ociimage import documents, media
from ociimage.documents import Descriptor, Manifest
from ociimage.errors import ImageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ociimage.store import Store


class Image:
    """An image; its documents are read when they are asked for.

    Attributes:
        store: where it is.
        descriptor: of its manifest.
        names: its full names, tags and digests (`docker.io/library/busybox:latest`).
    """

    def __init__(self, store: Store, descriptor: Descriptor, names: list[str]) -> None:
        self.store = store
        self.descriptor = descriptor
        self.names = names
        self._manifest: Manifest | None = None
        self._config: dict[str, Any] | None = None

    @property
    def digest(self) -> str:
        """The manifest's."""
        return self.descriptor.digest

    @property
    def manifest(self) -> Manifest:
        """Raises: ImageNotFound, InvalidImage"""
        if self._manifest is None:
            data = self.store.blobs.read(self.digest, documents.MAX_DOCUMENT)
            self._manifest = documents.parse_manifest(data, self.descriptor.media_type, self.digest)
        return self._manifest

    @property
    def config(self) -> dict[str, Any]:
        """The whole configuration document, checked. Raises: ImageNotFound, InvalidImage"""
        if self._config is None:
            data = self.store.blobs.read(self.id, documents.MAX_DOCUMENT)
            self._config = documents.parse_config(data, len(self.manifest.layers), self.id)
        return self._config

    @property
    def container_config(self) -> dict[str, Any]:
        """What the image says about its containers: Env, Cmd, User ... as the documents spell them."""
        config: dict[str, Any] = self.config["config"]
        return config

    @property
    def id(self) -> str:
        """The digest of the configuration: the same for all ways to compress the layers."""
        return self.manifest.config.digest

    @property
    def identity(self) -> str:
        """Its id; of an image whose manifest is lost or broken, the manifest's digest."""
        try:
            return self.id
        except ImageError:
            return self.digest

    @property
    def short_id(self) -> str:
        """Its first twelve digits."""
        return self.identity[7:19]

    @property
    def diff_ids(self) -> list[str]:
        """Digests of the uncompressed layers, from the lowest on."""
        ids: list[str] = self.config["rootfs"]["diff_ids"]
        return ids

    @property
    def tags(self) -> list[str]:
        """The names that are no digests, in full."""
        return [name for name in self.names if "@" not in name]

    @property
    def platform(self) -> dict[str, str]:
        """os, architecture, and variant if there is one."""
        config = self.config
        platform = {"os": config.get("os") or "linux", "architecture": config.get("architecture") or ""}
        if config.get("variant"):
            platform["variant"] = config["variant"]
        return platform

    @property
    def size(self) -> int:
        """Bytes of all layers: unpacked, or as they are stored if they are not unpacked."""
        from ociimage.snapshots.chain import layer_size

        return sum(
            layer_size(self.store, chain, descriptor.size)
            for chain, descriptor in zip(self.chain, self.manifest.layers, strict=True)
        )

    @property
    def chain(self) -> list[str]:
        """The chain ids of its layers, from the lowest on."""
        from ociimage.snapshots.chain import chain_ids

        return chain_ids(self.diff_ids)

    def history(self) -> list[dict[str, Any]]:
        """How it came about, newest first: created, created_by, author, comment, empty_layer, size (bytes).

        Layers that the configuration has no words for are added, so that all sizes are there.
        """
        from ociimage.snapshots.chain import layer_size

        sizes = [
            layer_size(self.store, chain, descriptor.size)
            for chain, descriptor in zip(self.chain, self.manifest.layers, strict=True)
        ]
        rows: list[dict[str, Any]] = []
        for item in self.config["history"]:
            empty = bool(item.get("empty_layer"))
            rows.append({**item, "size": 0 if empty or not sizes else sizes.pop(0)})
        rows.extend({"created_by": "", "size": size} for size in sizes)
        return rows[::-1]

    def inspect(self) -> dict[str, Any]:
        """What `image inspect` shows, with docker's names."""
        from ociimage.reference import parse

        config, size = self.config, self.size
        return {
            "Id": self.id,
            "RepoTags": [parse(name).familiar for name in self.tags],
            "RepoDigests": [parse(name).familiar for name in self.names if "@" in name],
            "Digest": self.digest,
            "Parent": "",
            "Comment": config["history"][-1].get("comment", "") if config["history"] else "",
            "Created": config.get("created") or "",
            "Author": config.get("author") or "",
            "Architecture": config.get("architecture") or "",
            "Variant": config.get("variant") or "",
            "Os": config.get("os") or "",
            "Size": size,
            "VirtualSize": size,
            "Config": self.container_config,
            "RootFS": {"Type": "layers", "Layers": self.diff_ids},
            "ManifestType": self.descriptor.media_type,
            "Layers": [layer.to_json() for layer in self.manifest.layers],
            "Annotations": self.manifest.annotations,
            "History": config["history"],
        }


def matches(platform: dict[str, Any], wanted: dict[str, str]) -> bool:
    """Whether an index's platform is the wanted one; a property that is not asked for may be anything."""
    return all(str(platform.get(name) or "") == value for name, value in wanted.items() if value)


def is_image(descriptor: Descriptor) -> bool:
    """Whether the descriptor is one of a manifest (an index's entry may be an attestation or an index)."""
    return descriptor.media_type in media.MANIFESTS and descriptor.platform.get("os") != "unknown"
