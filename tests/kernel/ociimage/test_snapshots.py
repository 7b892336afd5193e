"""Root file systems of containers: layers on top of each other, shared, id-mapped, and out of others' reach."""

from __future__ import annotations

import io
import os
import stat
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from ociimage.archives.load import load
from ociimage.collect import collect
from ociimage.commit import commit
from ociimage.errors import ImageNotFound, SnapshotError
from ociimage.image import Image
from ociimage.snapshots import overlay
from ociimage.snapshots.snapshots import Snapshots
from ociimage.store import Store

from . import maker
from .maker import directory, entry, layer

MAPPINGS = [{"containerID": 0, "hostID": 100000, "size": 65536}]


def loaded(
    store: Store, place: Path, layers: Sequence[bytes], name: str = "docker.io/library/made:latest"
) -> Image:
    """An image of these layers."""
    path = place / "image.tar"
    path.write_bytes(layer(*(entry(n, data=d) for n, d in maker.Image(layers).layout(name).items())))
    [image] = load(store, str(path))
    return image


def needs_interface(way: str, mapped: bool = False) -> None:
    """Skips where the kernel does not have it: then the next one is used, which is tested there."""
    needed = {"descriptors": (6, 15) if mapped else (6, 13), "strings": (6, 5)}.get(way, (5, 12))
    if tuple(map(int, os.uname().release.split(".")[:2])) < needed:
        pytest.skip(f"Linux {needed[0]}.{needed[1]} is needed for {way}")


def as_user(uid: int, function: Callable[[], object]) -> int:
    """0 if the function runs through as this user and group without privileges, else 1."""
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            function()
            os._exit(0)
        except BaseException:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


BASE = layer(
    directory("etc", 0o750, uid=1, gid=2),
    entry("etc/a", data=b"lower a", uid=1, gid=2),
    entry("etc/b", data=b"lower b"),
    directory("dir"),
    entry("dir/x", data=b"lower x"),
    directory("merged"),
    entry("merged/low", data=b"low"),
    entry("su", data=b"#!", mode=0o4755),
)
UPPER = layer(
    entry("etc/a", data=b"upper a"),
    entry("etc/.wh.b"),
    directory("dir"),
    entry("dir/.wh..wh..opq"),
    entry("dir/y", data=b"upper y"),
    entry("merged/high", data=b"high"),
)


@pytest.mark.parametrize("way", overlay.WAYS)
@pytest.mark.parametrize("mappings", [[], MAPPINGS], ids=["host", "mapped"])
def test_layers_are_merged(
    store: Store, snapshots: Snapshots, place: Path, way: str, mappings: list[dict[str, int]]
) -> None:
    """Whichever interface of the kernel mounts them: whiteouts hide, opaque directories replace, others merge."""
    needs_interface(way, bool(mappings))
    image = loaded(store, place, [BASE, UPPER])
    snapshots.prepare("c1", image, mappings, mappings)  # type: ignore[arg-type]
    root = Path(snapshots.merged("c1"))
    overlay.mount(snapshots.overlay("c1"), str(root), [way])
    base = mappings[0]["hostID"] if mappings else 0
    assert (root / "etc/a").read_text() == "upper a"
    assert not (root / "etc/b").exists()
    assert sorted(os.listdir(root / "dir")) == ["y"]
    assert sorted(os.listdir(root / "merged")) == ["high", "low"]
    # The upper layer does not mention /etc: it looks as below.
    etc = (root / "etc").stat()
    assert (stat.S_IMODE(etc.st_mode), etc.st_uid, etc.st_gid) == (0o750, base + 1, base + 2)
    assert as_user(base, lambda: (root / "dir/z").write_text("new")) == 0
    assert (root / "dir/z").stat().st_uid == base
    assert snapshots.changes("c1") == [("C", "/dir"), ("A", "/dir/z")]
    snapshots.unmount("c1")
    assert not snapshots.is_mounted("c1")
    assert Path(snapshots.mount("c1")) == root
    assert (root / "dir/z").read_text() == "new"


def test_an_image_may_have_very_many_layers(store: Store, snapshots: Snapshots, place: Path) -> None:
    """More than fit into one page of options, or into docker's 127, by descriptors and by names."""
    needs_interface("descriptors")
    layers = [layer(entry(f"file{number}", data=b"%d" % number)) for number in range(250)]
    snapshots.prepare("c1", loaded(store, place, layers))
    for way in overlay.WAYS[:2]:
        overlay.mount(snapshots.overlay("c1"), snapshots.merged("c1"), [way])
        assert len(os.listdir(snapshots.merged("c1"))) == 250
        snapshots.unmount("c1")


def test_too_many_layers_are_an_error_that_says_so(place: Path) -> None:
    """500 are overlayfs's own limit; mount(2) has one page."""
    with pytest.raises(SnapshotError, match="more than the 500"):
        overlay.mount(overlay.Layers([str(place)] * 501, ""), str(place))
    with pytest.raises(SnapshotError, match="too many for this kernel"):
        overlay.mount(overlay.Layers([str(place)] * 300, ""), str(place), ["mount"])


def test_an_opaque_root_hides_all_layers_below(store: Store, snapshots: Snapshots, place: Path) -> None:
    """Which overlayfs would not see by itself."""
    image = loaded(store, place, [BASE, layer(entry(".wh..wh..opq"), entry("only", data=b"x"))])
    snapshots.prepare("c1", image)
    assert os.listdir(snapshots.mount("c1")) == ["only"]


def test_an_image_without_layers_is_an_empty_root(store: Store, snapshots: Snapshots, place: Path) -> None:
    """As `FROM scratch` alone."""
    snapshots.prepare("c1", loaded(store, place, []))
    assert os.listdir(snapshots.mount("c1")) == []


def test_layers_are_shared(store: Store, snapshots: Snapshots, place: Path) -> None:
    """Images with the same lowest layers, and containers whatever their user namespaces, use the same files."""
    one = loaded(store, place, [BASE, UPPER], "docker.io/library/one:1")
    two = loaded(store, place, [BASE], "docker.io/library/two:1")
    unpacked = {name for name in os.listdir(f"{store.root}/layers") if len(name) == 64}
    assert unpacked == {chain[7:] for chain in one.chain}
    snapshots.prepare("c1", one)
    snapshots.prepare("c2", two, MAPPINGS, MAPPINGS)  # type: ignore[arg-type]
    inodes = [os.stat(f"{snapshots.mount(each)}/su").st_ino for each in ("c1", "c2")]
    assert inodes[0] == inodes[1] == os.stat(f"{store.root}/layers/{two.chain[0][7:]}/diff/su").st_ino
    assert os.stat(f"{snapshots.merged('c2')}/su").st_uid == 100000


def test_nobody_else_reaches_what_is_in_images(store: Store, snapshots: Snapshots, place: Path) -> None:
    """A set-user-id program of an image is not for users of the host (CVE-2021-41103); a container's root comes through."""
    image = loaded(store, place, [BASE])
    snapshots.prepare("c1", image)
    snapshots.prepare("c2", image, MAPPINGS, MAPPINGS)  # type: ignore[arg-type]
    paths = [f"{snapshots.mount(each)}/su" for each in ("c1", "c2")]
    paths += [f"{store.root}/layers/{image.chain[0][7:]}/diff/su", store.blobs.path(image.id)]
    for path in paths:
        assert stat.S_ISREG(os.stat(path).st_mode)
        assert as_user(65534, lambda path=path: os.stat(path)) == 1, path  # type: ignore[misc]
    assert as_user(100000, lambda: os.stat(paths[1])) == 0
    assert as_user(100000, lambda: os.stat(paths[0])) == 1
    for directory_, _, files in os.walk(store.root):
        if "/diff" in directory_ or "/merged" in directory_ or "/upper" in directory_:
            continue
        assert not os.stat(directory_).st_mode & 0o066, directory_
        for name in files:
            assert not os.lstat(f"{directory_}/{name}").st_mode & 0o077 or "/layers/" in directory_, name


def test_a_container_is_there_once(store: Store, snapshots: Snapshots, place: Path) -> None:
    """A second of the same id is refused, and so is what is no id; removing is for ever."""
    image = loaded(store, place, [BASE])
    snapshots.prepare("c1", image)
    with pytest.raises(SnapshotError, match="there already"):
        snapshots.prepare("c1", image)
    for name in ("", ".", "..", "a/b", "../x", "a\0", "-x"):
        with pytest.raises(SnapshotError, match="no id"):
            snapshots.prepare(name, image)
    snapshots.mount("c1")
    snapshots.remove("c1")
    snapshots.remove("c1")
    assert not snapshots.exists("c1")
    with pytest.raises(SnapshotError):
        snapshots.mount("c1")


def test_what_a_container_uses_stays(store: Store, snapshots: Snapshots, place: Path) -> None:
    """Its image's last name may go; commit still works, and afterwards nothing is left."""
    image = loaded(store, place, [BASE])
    snapshots.prepare("c1", image)
    store.remove("made", force=True)
    with pytest.raises(ImageNotFound):
        store.resolve("made")
    (Path(snapshots.mount("c1")) / "new").write_text("x")
    made = commit(snapshots, "c1", "made:2")
    assert made.diff_ids[:-1] == image.diff_ids
    snapshots.remove("c1")
    store.remove("made:2")
    assert os.listdir(f"{store.root}/blobs/sha256") == []
    assert os.listdir(f"{store.root}/layers") == []


def test_volatile_mounts_can_be_mounted_again(store: Store, snapshots: Snapshots, place: Path) -> None:
    """Though overlayfs itself refuses a directory that was."""
    snapshots.prepare("c1", loaded(store, place, [BASE]))
    for _ in range(2):
        root = snapshots.mount("c1", volatile=True)
        mounts = Path("/proc/self/mounts").read_text()
        assert f"{root} overlay" in mounts and "volatile" in mounts
        snapshots.unmount("c1")


@pytest.mark.parametrize("mappings", [[], MAPPINGS], ids=["host", "mapped"])
def test_commit_and_back(
    store: Store, snapshots: Snapshots, place: Path, mappings: list[dict[str, int]]
) -> None:
    """What a container has changed is a layer that gives the same tree again, with the ids of the container."""
    base = mappings[0]["hostID"] if mappings else 0
    snapshots.prepare("c1", loaded(store, place, [BASE, UPPER]), mappings, mappings)  # type: ignore[arg-type]
    root = Path(snapshots.mount("c1"))
    (root / "new").mkdir(mode=0o700)
    (root / "new/file").write_bytes(os.urandom(3 << 20))
    os.link(root / "new/file", root / "new/hard")
    os.chown(root / "new/file", base + 7, base + 8)
    (root / "new/file").chmod(0o6711)
    os.setxattr(root / "new/file", "user.mine", b"1")
    os.mkfifo(root / "pipe")
    os.mknod(root / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    (root / ("n" * 120)).symlink_to("t" * 150)
    (root / "dir/y").unlink()
    (root / "dir").rmdir()
    (root / "dir").mkdir()
    (root / "etc/a").rename(root / "etc/c")
    (root / "su").unlink()
    (root / "su").mkdir()
    for path in root.rglob("*"):
        if path.lstat().st_uid < base:  # made by the test itself, which is not in the container
            os.chown(path, base, base, follow_symlinks=False)
    wanted = tree(root, base)
    image = commit(
        snapshots, "c1", "made:2", author="me", message="why", created_by="sh", changes=["ENV A=b"]
    )
    again = commit(snapshots, "c1", "made:3")
    assert again.diff_ids == image.diff_ids, "the same changes are the same layer"
    snapshots.prepare("c2", image)
    assert tree(Path(snapshots.mount("c2")), 0) == wanted
    assert image.container_config["Env"] == ["A=b"]
    assert (image.config["author"], image.config["history"][-1]["comment"]) == ("me", "why")
    listed = subprocess.run(
        ["tar", "-tf", "-"], input=b"".join(snapshots.layer("c1")), capture_output=True, check=True
    ).stdout.decode()
    assert "dir/.wh..wh..opq" in listed and "etc/.wh.a" in listed


def tree(root: Path, base: int) -> list[tuple[object, ...]]:
    """Everything that tells trees apart, with ids as seen inside; times to the second."""
    found: list[tuple[object, ...]] = []
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        link = os.readlink(path) if path.is_symlink() else ""
        xattrs = [name for name in os.listxattr(path, follow_symlinks=False) if name.startswith("user.")]
        found.append(
            (str(path.relative_to(root)), oct(status.st_mode), status.st_uid - base, status.st_gid - base)
            + (status.st_rdev, int(status.st_mtime), content, link, xattrs, status.st_nlink if content else 0)
        )
    return found


def test_a_running_container_cannot_lead_commit_astray(
    store: Store, snapshots: Snapshots, place: Path
) -> None:
    """A directory that is swapped for a link while it is read gives nothing of the host."""
    secret = place / "secret"
    secret.mkdir()
    (secret / "x").write_text("SECRET OF THE HOST")
    snapshots.prepare("c1", loaded(store, place, [BASE]))
    upper = Path(snapshots.upper("c1"))
    (upper / "swap").mkdir()
    (upper / "swap/x").write_text("inside")
    (upper / "link").symlink_to(secret)
    code = (
        "import ctypes, sys\n"
        "libc = ctypes.CDLL(None)\n"
        "print(flush=True)\n"
        "while True: libc.renameat2(-100, sys.argv[1].encode(), -100, sys.argv[2].encode(), 2)\n"
    )
    swapper = subprocess.Popen(
        ["python3", "-c", code, str(upper / "swap"), str(upper / "link")], stdout=subprocess.PIPE
    )
    try:
        assert swapper.stdout is not None
        swapper.stdout.readline()
        for _ in range(200):
            assert b"SECRET" not in b"".join(snapshots.layer("c1"))
    finally:
        swapper.kill()
        swapper.wait()
        assert swapper.stdout is not None
        swapper.stdout.close()


def test_the_layer_of_an_import_is_its_directory(store: Store, snapshots: Snapshots, place: Path) -> None:
    """A directory, and its tar however compressed, give the same tree; of a stream that is no tar nothing is kept."""
    from ociimage.errors import InvalidLayer
    from ociimage.importing import import_directory, import_tar

    source = place / "source"
    (source / "a/b").mkdir(parents=True)
    (source / "a/b/file").write_text("x")
    (source / "link").symlink_to("a")
    images = [import_directory(store, str(source), "made:dir", changes=["USER me"])]
    for flag in ("--gzip", "--zstd", "--xz", "--bzip2", "--no-auto-compress"):
        data = subprocess.run(
            ["tar", "-C", source, flag, "-cf", "-", "."], capture_output=True, check=True
        ).stdout
        with open(place / "file.tar", "wb+", buffering=0) as file:
            file.write(data)
            file.seek(0)
            images.append(import_tar(store, file, f"made:{flag.strip('-')}"))
    trees = []
    for number, image in enumerate(images):
        snapshots.prepare(f"c{number}", image)
        trees.append(tree(Path(snapshots.mount(f"c{number}")), 0))
    assert all(each == trees[0] for each in trees)
    assert images[0].container_config == {"User": "me"}
    for bad in (b"", b"x" * 5000, layer(entry("../x"))[:-1024], layer(entry("ok"), entry("../x"))):
        before = sorted(os.listdir(f"{store.root}/blobs/sha256"))
        with pytest.raises(InvalidLayer):
            import_tar(store, io.BytesIO(bad), "made:bad")
        assert sorted(os.listdir(f"{store.root}/blobs/sha256")) == before


def test_what_a_killed_process_leaves_is_collected(store: Store, snapshots: Snapshots, place: Path) -> None:
    """At whatever moment of an import it was killed."""
    store.create()
    source = place / "big.tar"
    with open(source, "wb") as file:
        for number in range(3000):
            file.write(entry(f"d{number % 50}/f{number}", data=os.urandom(2000)))
        file.write(maker.END)
    for delay in range(1, 13):
        pid = os.fork()
        if pid == 0:
            from ociimage.importing import import_tar

            with open(source, "rb", buffering=0) as file:
                import_tar(Store(store.root), file, f"made:{delay}")
            os._exit(0)
        try:
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            select_for(delay * 0.02)
        finally:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
        collect(store)
        assert os.listdir(f"{store.root}/tmp") == []
        assert {image.id[7:] for image in store.images()} == {
            name.removesuffix(".image")
            for name in os.listdir(f"{store.root}/layers")
            if name.endswith(".image")
        }
        for image in store.images():
            assert len(image.history()) == 1


def select_for(seconds: float) -> None:
    """Lets the child work for a while: here the moment of the kill is what is tested."""
    import select

    select.select([], [], [], seconds)
