"""Images of an ordinary user: everything in a user namespace, whose root is nobody outside."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ociimage.archives.load import load
from ociimage.commit import commit
from ociimage.errors import ImageError, InvalidLayer
from ociimage.snapshots import overlay
from ociimage.snapshots.snapshots import Snapshots
from ociimage.store import Store

from .. import host
from .maker import Image, directory, entry, layer

_CLONE_NEWNS, _CLONE_NEWUSER = 0x20000, 0x10000000
_LIBC = ctypes.CDLL(None, use_errno=True)
BASE = layer(
    directory("etc"),
    entry("etc/gone", data=b"x"),
    directory("opaque"),
    entry("opaque/low", data=b"low"),
    entry("owned", data=b"x", uid=1000, gid=1001, mode=0o4755),
)
UPPER = layer(entry("etc/.wh.gone"), entry("opaque/.wh..wh..opq"), entry("opaque/high", data=b"high"))


def in_user_namespace(function: Callable[[], None]) -> None:
    """The function runs through as root of a user namespace and of its mounts, with 2000 ids from 100000 on."""
    ready, go = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            if _LIBC.unshare(_CLONE_NEWUSER | _CLONE_NEWNS) < 0:
                raise OSError(ctypes.get_errno(), "unshare")
            os.write(ready[1], b"x")
            os.read(go[0], 1)
            os.setresgid(0, 0, 0)
            os.setresuid(0, 0, 0)
            os.setgroups([])
            function()
            os._exit(0)
        except BaseException:
            import traceback

            traceback.print_exc()
            os._exit(1)
    os.read(ready[0], 1)
    for name in ("uid_map", "gid_map"):
        Path(f"/proc/{pid}/{name}").write_text("0 100000 2000")
    os.write(go[1], b"x")
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    for descriptor in (*ready, *go):
        os.close(descriptor)
    assert status == 0


def archive_of(place: Path, *layers: bytes) -> str:
    """An image's archive that everybody may read."""
    path = place / "image.tar"
    path.write_bytes(Image(layers).docker_archive())
    path.chmod(0o644)
    return str(path)


@pytest.fixture
def home(place: Path) -> Path:
    """A directory of the user's."""
    place.chmod(0o755)
    made = place / "home"
    made.mkdir()
    os.chown(made, 100000, 100000)
    return made


@pytest.mark.parametrize("way", ["native", "fuse-overlayfs"])
def test_layers_are_unpacked_merged_and_committed(place: Path, home: Path, way: str) -> None:
    """With overlayfs's notes in user.overlay; by the kernel, or by fuse-overlayfs where that has none for users."""
    if way == "fuse-overlayfs" and not (shutil.which(way) and os.path.exists("/dev/fuse")):
        pytest.skip("fuse-overlayfs is not installed, or there is no /dev/fuse")
    archive = archive_of(place, BASE, UPPER)

    def work() -> None:
        store = Store(f"{home}/images")
        [image] = load(store, archive)
        snapshots = Snapshots(store)
        snapshots.prepare("c1", image)
        if way == "native":
            root = Path(snapshots.mount("c1"))
        else:
            overlay.mount_fuse(snapshots.overlay("c1"), snapshots.merged("c1"))
            root = Path(snapshots.merged("c1"))
        assert os.listdir(root / "etc") == []
        assert os.listdir(root / "opaque") == ["high"]
        owned = (root / "owned").stat()
        assert (owned.st_uid, owned.st_gid, stat.S_IMODE(owned.st_mode)) == (1000, 1001, 0o4755)
        (root / "new").write_text("new")
        os.chown(root / "new", 500, 500)
        (root / "opaque/high").unlink()
        found = {path: kind for kind, path in snapshots.changes("c1")}
        assert found["/new"] == "A" and found["/opaque/high"] == "D"
        made = commit(snapshots, "c1", "made:2")
        snapshots.unmount("c1")
        snapshots.prepare("c2", made)
        again = Path(snapshots.mount("c2"))
        assert os.listdir(again / "opaque") == [] and (again / "new").stat().st_uid == 500
        for each in ("c1", "c2"):
            snapshots.remove(each)
        store.remove("made:2")
        store.remove("made")
        assert os.listdir(store.blobs.directory) == []

    with fuse_for_users(place) if way == "fuse-overlayfs" else contextlib.nullcontext():
        in_user_namespace(work)


@contextlib.contextmanager
def fuse_for_users(place: Path) -> Iterator[None]:
    """/dev/fuse as most machines have it: for everybody."""
    os.mknod(place / "fuse", stat.S_IFCHR, os.stat("/dev/fuse").st_rdev)
    (place / "fuse").chmod(0o666)
    with host.mounted(Path("/dev/fuse"), "--bind", place / "fuse"):
        yield


def test_what_a_user_cannot_have_is_explained(place: Path, home: Path) -> None:
    """A device, and an owner beyond the user's ids; nothing of the image is left."""
    device = archive_of(place, layer(entry("dev/null", b"3", device=(1, 3))))
    owner = str(place / "owner.tar")
    Path(owner).write_bytes(Image([layer(entry("x", data=b"x", uid=70000))]).docker_archive())
    os.chmod(owner, 0o644)

    def work() -> None:
        store = Store(f"{home}/images")
        with pytest.raises(InvalidLayer, match="only root can make"):
            load(store, device)
        with pytest.raises(ImageError, match="subuid"):
            load(store, owner)
        assert store.images() == [] and os.listdir(store.blobs.temporary) == []

    in_user_namespace(work)
