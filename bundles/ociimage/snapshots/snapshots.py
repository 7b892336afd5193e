"""Root file systems of containers, by the container's id.

    containers/ID/upper, work       overlayfs's
    containers/ID/merged            where the root file system is mounted
    containers/ID/snapshot.json     {"manifest" (descriptor), "layers" (chain ids that are needed), "lower" (those that show),
                                     "maps" ([uid_map, gid_map] or null), "rootless"}

Layers have the ids of the image. With maps they are mounted id-mapped, so that nothing is ever changed in owner
and containers share the layers whatever their maps; only the upper directory has ids of the host.
"""

from __future__ import annotations

import os
import stat

from ociimage import files
from ociimage.errors import SnapshotError
from ociimage.native import syscalls
from ociimage.snapshots import overlay
from ociimage.snapshots.chain import is_rootless, layer_path
from ocispec import jsontext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from ociimage.image import Image
    from ociimage.store import Store
    from ocispec.types import IDMapping

_ID = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")


class Snapshots:
    """The containers' part of a store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def path(self, container_id: str) -> str:
        """The container's directory. Raises: SnapshotError for what is no id."""
        if not container_id or not _ID.issuperset(container_id) or container_id[0] in ".-":
            raise SnapshotError(f"{container_id!r} is no id of a container")
        return f"{self.store.root}/containers/{container_id}"

    def merged(self, container_id: str) -> str:
        """Where its root file system is, while it is mounted."""
        return f"{self.path(container_id)}/merged"

    def upper(self, container_id: str) -> str:
        """What it has written."""
        return f"{self.path(container_id)}/upper"

    def exists(self, container_id: str) -> bool:
        """Whether it was prepared, and not removed."""
        return os.path.exists(f"{self.path(container_id)}/snapshot.json")

    def ids(self) -> list[str]:
        """The ids of all."""
        try:
            return sorted(os.listdir(f"{self.store.root}/containers"))
        except FileNotFoundError:
            return []

    def prepare(
        self,
        container_id: str,
        image: Image,
        uid_mappings: Sequence[IDMapping] = (),
        gid_mappings: Sequence[IDMapping] = (),
    ) -> None:
        """Makes the container's directories, and unpacks the image's layers that are not yet.

        Args:
            uid_mappings, gid_mappings: of the container's user namespace; none for the host's ids.

        Raises: SnapshotError if there is such a container already; what unpacking raises.
        """
        path = self.path(container_id)
        with self.store.adding():
            layers, lower = self._layers(image)
            temporary = f"{self.store.blobs.temporary}/container-{os.getpid()}-{os.urandom(8).hex()}"
            os.mkdir(temporary, 0o700)
            try:
                self._fill(temporary, lower, uid_mappings, gid_mappings)
                record = {
                    "manifest": image.descriptor.to_json(),
                    "layers": layers,
                    "lower": lower,
                    "maps": [_map(uid_mappings), _map(gid_mappings)]
                    if uid_mappings or gid_mappings
                    else None,
                    "rootless": is_rootless(),
                }
                data = jsontext.dumps(record).encode()
                files.write(f"{temporary}/snapshot.json", data, self.store.blobs.temporary)
                os.rename(temporary, path)
            except OSError as error:
                _remove(temporary)
                if os.path.exists(path):
                    raise SnapshotError(f"container {container_id} is there already") from error
                raise

    def _layers(self, image: Image) -> tuple[list[str], list[str]]:
        """All chain ids of the image, and those that show, both from the lowest on."""
        record = files.read_object(f"{self.store.root}/layers/{image.id[7:]}.image")
        if not record:
            from ociimage.snapshots.unpack import unpack_image

            unpack_image(self.store, image)
            record = files.read_object(f"{self.store.root}/layers/{image.id[7:]}.image")
        return record["layers"], record["lower"]

    def _fill(
        self, path: str, lower: list[str], uids: Sequence[IDMapping], gids: Sequence[IDMapping]
    ) -> None:
        for name in ("upper", "work", "merged", *([] if lower else ["empty"])):
            os.mkdir(f"{path}/{name}", 0o700)
        # The root directory of the container is that of `upper`.
        top = os.stat(f"{layer_path(self.store, lower[-1])}/diff") if lower else None
        os.chown(
            f"{path}/upper",
            _outside(uids, top.st_uid if top is not None else 0),
            _outside(gids, top.st_gid if top is not None else 0),
        )
        os.chmod(f"{path}/upper", stat.S_IMODE(top.st_mode) if top is not None else 0o755)
        root_gid = _outside(gids, 0)
        if root_gid:
            # The container's root comes through to `merged`; nobody else does, so nobody runs a set-user-id
            # program of an image.
            os.chown(path, -1, root_gid)
            os.chmod(path, 0o710)
            os.chown(f"{path}/merged", -1, root_gid)
            os.chmod(f"{path}/merged", 0o710)

    def record(self, container_id: str) -> dict[str, Any]:
        """What snapshot.json says. Raises: SnapshotError"""
        record = files.read_object(f"{self.path(container_id)}/snapshot.json")
        if not record:
            raise SnapshotError(f"container {container_id} has no root file system")
        return record

    def image(self, container_id: str) -> Image:
        """The container's image, which stays while the container does, even without a name. Raises: SnapshotError"""
        from ociimage.documents import parse_descriptor
        from ociimage.image import Image

        descriptor = parse_descriptor(self.record(container_id)["manifest"], "snapshot.json")
        return Image(self.store, descriptor, self.store.names(descriptor.digest))

    def overlay(self, container_id: str, *, writable: bool = True, volatile: bool = False) -> overlay.Layers:
        """What the container's overlay is made of; without `writable` only the image."""
        record = self.record(container_id)
        path = self.path(container_id)
        lower = [f"{layer_path(self.store, chain)}/diff" for chain in reversed(record["lower"])]
        maps = record["maps"]
        return overlay.Layers(
            lower or [f"{path}/empty"],
            path if writable else "",
            (maps[0], maps[1]) if maps and writable else None,
            rootless=record["rootless"],
            volatile=volatile,
        )

    def is_mounted(self, container_id: str) -> bool:
        """Whether its root file system is."""
        path = self.path(container_id)
        try:
            return os.stat(f"{path}/merged").st_dev != os.stat(path).st_dev
        except FileNotFoundError:
            return False

    def mount(self, container_id: str, *, volatile: bool = False) -> str:
        """Mounts the root file system, if it is not, and returns where it is.

        Args:
            volatile: for a container that is removed when it ends: nothing is synced.

        Raises: SnapshotError
        """
        merged = self.merged(container_id)
        if self.is_mounted(container_id):
            return merged
        layers = self.overlay(container_id, volatile=volatile)
        self._forget_volatile(container_id)
        try:
            overlay.mount(layers, merged)
        except SnapshotError as error:
            cause = error.__cause__
            if not (layers.rootless and isinstance(cause, PermissionError)):
                raise
            overlay.mount_fuse(layers, merged)
        return merged

    def _forget_volatile(self, container_id: str) -> None:
        """After a volatile mount overlayfs mounts the directory again only without its mark."""
        mark = f"{self.path(container_id)}/work/work/incompat"
        if os.path.exists(mark):
            _remove(mark)

    def unmount(self, container_id: str) -> None:
        """Unmounts the root file system, if it is mounted; who still uses it keeps it. Raises: SnapshotError"""
        if not self.is_mounted(container_id):
            return
        try:
            syscalls.umount2(self.merged(container_id), syscalls.MNT_DETACH | syscalls.UMOUNT_NOFOLLOW)
        except OSError as error:
            raise SnapshotError(f"unmount {self.merged(container_id)}: {error.strerror}") from error

    def remove(self, container_id: str) -> None:
        """Unmounts and removes it; what is not there is no error."""
        path = self.path(container_id)
        self.unmount(container_id)
        gone = f"{self.store.blobs.temporary}/gone-{os.urandom(8).hex()}"
        if not os.path.exists(path):
            return
        with self.store.adding():
            try:
                os.rename(path, gone)
            except FileNotFoundError:
                return
            _remove(gone)

    def usage(self, container_id: str) -> int:
        """Bytes of the files that the container has written."""
        from ociimage.snapshots.difference import tree_size

        return tree_size(self.upper(container_id))

    def changes(self, container_id: str) -> list[tuple[str, str]]:
        """What the container has changed, by path: ("A", "C" or "D", path)."""
        from ociimage.snapshots.difference import changes

        return changes(self.overlay(container_id, writable=False), self.upper(container_id))

    def layer(self, container_id: str) -> Iterator[bytes]:
        """The tar of what it has changed, as a layer."""
        from ociimage.layers.tar_writer import changes

        record = self.record(container_id)
        return changes(self.upper(container_id), rootless=record["rootless"], maps=record["maps"])


def users(store: Store) -> dict[str, list[str]]:
    """The ids of the containers of each image, by the image's id."""
    snapshots = Snapshots(store)
    found: dict[str, list[str]] = {}
    for each in snapshots.ids():
        if snapshots.exists(each):
            found.setdefault(snapshots.image(each).identity, []).append(each)
    return found


def _map(mappings: Sequence[IDMapping]) -> str:
    return "\n".join(f"{each['containerID']} {each['hostID']} {each['size']}" for each in mappings)


def _outside(mappings: Sequence[IDMapping], inside: int) -> int:
    """The host's id for one of the container; of one that is not mapped, the one that stands for it."""
    for each in mappings:
        if each["containerID"] <= inside < each["containerID"] + each["size"]:
            return each["hostID"] + inside - each["containerID"]
    return 65534 if mappings else inside


def _remove(path: str) -> None:
    from ociimage.layers.remove import remove_path

    remove_path(path)
