"""Mounts: order, places, sources, types, and every option."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ociconformance import isolation, machine
from ociconformance.bundle import Config, bind, mount
from ociconformance.clauses.config import OPTIONS_MUST, OPTIONS_SHOULD
from ociconformance.container import Container
from ociconformance.probe import Mount, mount_at, mounts
from ociconformance.runtime import Identity
from ociconformance.testing import case, covers, unclaimed

_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 1, 2, 4, 8
_MS_REMOUNT, _MS_NOATIME, _MS_NODIRATIME, _MS_BIND, _MS_REC, _MS_PRIVATE, _MS_SHARED = (
    0x20, 0x400, 0x800, 0x1000, 0x4000, 1 << 18, 1 << 20,
)  # fmt: skip
_MS_STRICTATIME, _MS_NOSYMFOLLOW = 1 << 24, 0x100

ON_MOUNT: dict[str, tuple[list[str], set[str], set[str]]] = {
    "atime": (["noatime", "atime"], set(), {"noatime"}),
    "dev": (["nodev", "dev"], set(), {"nodev"}),
    "diratime": (["nodiratime", "diratime"], set(), {"nodiratime"}),
    "exec": (["noexec", "exec"], set(), {"noexec"}),
    "noatime": (["noatime"], {"noatime"}, {"relatime"}),
    "nodev": (["nodev"], {"nodev"}, set()),
    "nodiratime": (["nodiratime"], {"nodiratime"}, set()),
    "noexec": (["noexec"], {"noexec"}, set()),
    "nostrictatime": (["strictatime", "nostrictatime"], {"relatime"}, set()),
    "nosuid": (["nosuid"], {"nosuid"}, set()),
    "nosymfollow": (["nosymfollow"], {"nosymfollow"}, set()),
    "relatime": (["relatime"], {"relatime"}, {"noatime"}),
    "ro": (["ro"], {"ro"}, {"rw"}),
    "rw": (["ro", "rw"], {"rw"}, {"ro"}),
    "strictatime": (["strictatime"], set(), {"relatime", "noatime"}),
    "suid": (["nosuid", "suid"], set(), {"nosuid"}),
    "symfollow": (["nosymfollow", "symfollow"], set(), {"nosymfollow"}),
}
"""Options that show in mountinfo: what is configured, what is there then, and what isn't."""

ON_FILE_SYSTEM: dict[str, tuple[list[str], set[str], set[str]]] = {
    "async": (["sync", "async"], set(), {"sync"}),
    "dirsync": (["dirsync"], {"dirsync"}, set()),
    "lazytime": (["lazytime"], {"lazytime"}, set()),
    "nolazytime": (["lazytime", "nolazytime"], set(), {"lazytime"}),
    "sync": (["sync"], {"sync"}, set()),
}
"""As ON_MOUNT, for options of the file system."""

NOT_TO_BE_SEEN = ("defaults", "iversion", "loud", "noiversion", "norelatime", "silent")
"""Options of which it can only be seen that they aren't passed on to a file system, which would refuse them."""

RECURSIVE: dict[str, tuple[int, set[str], set[str]]] = {
    "ratime": (_MS_NOATIME, set(), {"noatime"}),
    "rdev": (_MS_NODEV, set(), {"nodev"}),
    "rdiratime": (_MS_NODIRATIME, set(), {"nodiratime"}),
    "rexec": (_MS_NOEXEC, set(), {"noexec"}),
    "rnoatime": (0, {"noatime"}, set()),
    "rnodiratime": (0, {"nodiratime"}, set()),
    "rnoexec": (0, {"noexec"}, set()),
    "rnorelatime": (0, set(), {"noatime"}),
    "rnostrictatime": (_MS_STRICTATIME, {"relatime"}, set()),
    "rnosuid": (0, {"nosuid"}, set()),
    "rnosymfollow": (0, {"nosymfollow"}, set()),
    "rrelatime": (_MS_NOATIME, {"relatime"}, {"noatime"}),
    "rro": (0, {"ro"}, {"rw"}),
    "rrw": (_MS_RDONLY, {"rw"}, {"ro"}),
    "rstrictatime": (0, set(), {"relatime", "noatime"}),
    "rsuid": (_MS_NOSUID, set(), {"nosuid"}),
    "rsymfollow": (_MS_NOSYMFOLLOW, set(), {"nosymfollow"}),
}
"""Recursive options: the flags of the mounts that are bound, what is there then, and what isn't."""


def tree(place: Path, flags: int = 0) -> Path:
    """A directory with a mount on it and another below that, both with these flags."""
    top = place / "tree"
    for name, directory in (("outer", top), ("inner", top / "below")):
        directory.mkdir(exist_ok=True)
        isolation.mount(name, directory, "tmpfs")
        (directory / name).write_text(name)
        (directory / "below").mkdir(exist_ok=True)
    if flags:
        # From the inside out, as one becomes read-only.
        for directory in (top / "below", top):
            isolation.mount("none", directory, flags=_MS_REMOUNT | _MS_BIND | flags)
    return top


def at(container: Container, *points: str) -> list[Mount]:
    """The topmost mounts at these places."""
    found = {mount.point: mount for mount in mounts(container.says("cat /proc/self/mountinfo"))}
    assert all(point in found for point in points), container.output
    return [found[point] for point in points]


@covers("config/mounts/order")
def test_order(container: Container, place: Path) -> None:
    """A later mount covers an earlier one, and is not covered by it."""
    for name in ("first", "second"):
        (place / name).mkdir()
        (place / name / "name").write_text(name)
    container.mount(bind(place / "first", "/tmp"), bind(place / "second", "/tmp"))
    container.mount(bind(place / "first", "/etc/deep"), mount("/etc", type="tmpfs"))
    said = container.says("cat /tmp/name; echo; ls /etc; cat /proc/self/mountinfo")
    assert said.startswith("second\n")
    points = [each.point for each in mounts("\n".join(said.splitlines()[1:]))]
    configured = [each["destination"] for each in container.config["mounts"]]
    assert [point for point in points if point in configured] == configured


@covers("config/mounts/order", "config/mounts/option/ro", "config/mounts/option/rw")
def test_options_of_a_covered_mount(container: Container, place: Path) -> None:
    """The options of a mount are its own, also if a later mount covers it."""
    container.mount(mount("/tmp", "ro", type="tmpfs", source="below"), bind(place, "/tmp"))
    said = container.says("cat /proc/self/mountinfo; touch /tmp/file && echo written")
    below, above = [each.options for each in mounts(said.removesuffix("written")) if each.point == "/tmp"]
    assert "ro" in below and "rw" in above and said.endswith("written")


@covers("config/mounts/destination/present", "config/mounts/source/bind")
def test_destination_is_made(container: Container, place: Path) -> None:
    """Places that are not there are made, directories for directories and files for files."""
    (place / "directory").mkdir()
    (place / "file").write_text("content")
    container.mount(
        bind(place / "directory", "/new/directory"),
        bind(place / "file", "/new/file"),
        mount("/new/tmpfs", type="tmpfs"),
    )
    assert container.says("cat /new/file; cd /new/directory; cd /new/tmpfs") == "content"


@covers("config/mounts/destination/relative-root")
def test_relative_destination(container: Container) -> None:
    """A relative destination counts from the root."""
    container.mount(mount("tmp/here", type="tmpfs", source="relative"))
    assert mount_at(container, "/tmp/here").source == "relative"


@covers("config/mounts/source/relative")
def test_relative_source(container: Container) -> None:
    """A relative source of a bind mount counts from the bundle, wherever the runtime is called."""
    (container.bundle / "data").mkdir()
    (container.bundle / "data" / "file").write_text("content")
    container.mount(bind("data", "/tmp"))
    container.script("cat /tmp/file")
    container.create(cwd="/")
    container.start().wait()
    assert container.output == "content"


@covers("config/mounts/source/bind")
def test_missing_source(container: Container) -> None:
    """A bind mount of what isn't there is an error."""
    container.mount(bind("/no/such/source", "/tmp"))
    container.refused()


@pytest.mark.parametrize("type", ["bind", "none", "anything", None])
@covers("config/mounts/type-bind", "config/mounts/option/bind")
def test_bind_type(container: Container, place: Path, type: str | None) -> None:
    """The type of a bind mount says nothing."""
    (place / "file").write_text("content")
    entry = {**bind(place, "/tmp"), "type": type}
    if type is None:
        del entry["type"]
    container.mount(entry)
    assert container.says("cat /tmp/file") == "content"


@pytest.mark.parametrize(
    ("point", "type"),
    [
        case("/proc", "proc", covers="linux/filesystems/proc"),
        case("/sys", "sysfs", covers="linux/filesystems/sys"),
        case("/dev/pts", "devpts", covers="linux/filesystems/dev-pts"),
        case("/dev/shm", "tmpfs", covers="linux/filesystems/dev-shm"),
        case("/dev/mqueue", "mqueue", covers="config/mounts/type"),
    ],
)
@covers("config/mounts/type")
def test_types(container: Container, point: str, type: str) -> None:
    """A mount has the file system of its type."""
    container.mount(mount("/dev/mqueue", "nosuid", "noexec", "nodev", type="mqueue"))
    assert mount_at(container, point).type == type


@covers("config/mounts/source/device")
def test_source(container: Container) -> None:
    """The source of a mount that needs none is shown as it is."""
    container.mount(mount("/tmp", type="tmpfs", source="some-name"))
    assert mount_at(container, "/tmp").source == "some-name"


@covers("config/mounts/unknown-options")
def test_options_of_the_file_system(container: Container) -> None:
    """Options that are the file system's own reach it."""
    container.mount(mount("/tmp", "nosuid", "size=128k", "mode=1750", "nr_inodes=50", type="tmpfs"))
    said = container.says("cat /proc/self/mountinfo")
    options = next(each.super_options for each in mounts(said) if each.point == "/tmp")
    assert {"size=128k", "mode=1750", "nr_inodes=50"} <= options


@covers("config/mounts/unknown-options")
def test_option_that_nobody_knows(container: Container) -> None:
    """An option that not even the file system knows is an error."""
    container.mount(mount("/tmp", "no-such-option", type="tmpfs"))
    container.refused()


@pytest.mark.parametrize("name", [case(name, covers=f"config/mounts/option/{name}") for name in ON_MOUNT])
@pytest.mark.parametrize("kind", ["tmpfs", "bind"])
def test_option_of_a_mount(container: Container, place: Path, kind: str, name: str) -> None:
    """An option shows in the container's mountinfo, on a new file system and on a bind mount."""
    options, there, not_there = ON_MOUNT[name]
    entry = mount("/tmp", *options, type="tmpfs") if kind == "tmpfs" else bind(place, "/tmp", *options)
    container.mount(entry)
    found = mount_at(container, "/tmp").options
    assert there <= found and not not_there & found, found


@pytest.mark.parametrize(
    "name", [case(name, covers=f"config/mounts/option/{name}") for name in ON_FILE_SYSTEM]
)
def test_option_of_a_file_system(container: Container, name: str) -> None:
    """An option of the file system shows in mountinfo."""
    options, there, not_there = ON_FILE_SYSTEM[name]
    container.mount(mount("/tmp", *options, type="tmpfs"))
    found = mount_at(container, "/tmp").super_options
    assert there <= found and not not_there & found, found


@pytest.mark.parametrize(
    "name", [case(name, covers=f"config/mounts/option/{name}") for name in NOT_TO_BE_SEEN]
)
def test_option_without_a_trace(container: Container, name: str) -> None:
    """An option that does not show is known at least: a file system refuses unknown ones."""
    container.mount(mount("/tmp", name, type="tmpfs"))
    mount_at(container, "/tmp")


@covers("config/mounts/option/remount")
def test_remount(container: Container) -> None:
    """An existing mount gets new options."""
    container.mount(mount("/tmp", type="tmpfs"), mount("/tmp", "remount", "ro", "nosuid", type="tmpfs"))
    found = mount_at(container, "/tmp").options
    assert {"ro", "nosuid"} <= found


@covers("config/mounts/option/ro", "config/mounts/option/noexec", "config/mounts/option/nodev")
def test_options_have_their_effect(container: Container, place: Path) -> None:
    """What is read-only can't be written, noexec not executed, nodev not opened."""
    for name in ("read-only", "no-programs", "no-devices"):
        (place / name).mkdir()
    tool = place / "no-programs" / "tool"
    tool.write_text("#!/bin/sh\necho executed\n")
    tool.chmod(0o755)
    os.mknod(place / "no-devices" / "null", 0o20666, os.makedev(1, 3))
    container.mount(
        bind(place / "read-only", "/a", "ro"),
        bind(place / "no-programs", "/b", "noexec"),
        bind(place / "no-devices", "/c", "nodev"),
    )
    said = container.says("{ touch /a/x; /b/tool; cat /c/null; } 2>&1 || :")
    assert "Read-only file system" in said
    assert said.count("Permission denied") == 2
    assert "executed" not in said


@pytest.mark.parametrize(
    ("option", "visible"),
    [
        case("bind", False, covers="config/mounts/option/bind"),
        case("rbind", True, covers="config/mounts/option/rbind"),
    ],
)
def test_mounts_below(container: Container, place: Path, option: str, visible: bool) -> None:
    """rbind takes the mounts below the source along, and bind doesn't."""
    entry = bind(tree(place), "/tmp")
    entry["options"] = [option]
    container.mount(entry)
    said = container.says("cat /tmp/outer; ls /tmp/below")
    assert said.startswith("outer") and ("inner" in said) == visible


@covers("config/mounts/option/ro")
def test_ro_is_not_recursive(container: Container, place: Path) -> None:
    """ro on an rbind is for the mount itself, and not for those below."""
    container.mount({**bind(tree(place), "/tmp"), "options": ["rbind", "ro"]})
    top, below = at(container, "/tmp", "/tmp/below")
    assert "ro" in top.options and "rw" in below.options


_PROPAGATION: list[tuple[str, set[str], set[str]]] = [
    ("private", set(), {"shared", "master", "unbindable"}),
    ("shared", {"shared"}, {"unbindable"}),
    ("slave", {"master"}, {"shared"}),
    ("unbindable", {"unbindable"}, {"shared", "master"}),
]


@pytest.mark.parametrize(
    ("mode", "there", "not_there"),
    [case(*row, covers=f"config/mounts/option/{row[0]}") for row in _PROPAGATION],
)
def test_propagation(
    container: Container, place: Path, mode: str, there: set[str], not_there: set[str]
) -> None:
    """A bind mount has the propagation that its options say."""
    source = tree(place)
    isolation.mount("none", source, flags=_MS_SHARED)
    container.mount({**bind(source, "/tmp"), "options": ["bind", mode]})
    found = mount_at(container, "/tmp").propagation
    assert there <= found and not not_there & found, found


@pytest.mark.parametrize(
    ("mode", "there", "not_there"),
    [case(*row, covers=f"config/mounts/option/r{row[0]}", id=f"r{row[0]}") for row in _PROPAGATION],
)
def test_recursive_propagation(
    container: Container, place: Path, mode: str, there: set[str], not_there: set[str]
) -> None:
    """The propagation goes for the mounts below as well."""
    source = tree(place)
    isolation.mount("none", source, flags=_MS_SHARED | _MS_REC)
    container.mount({**bind(source, "/tmp"), "options": ["rbind", f"r{mode}"]})
    for found in at(container, "/tmp", "/tmp/below"):
        assert there <= found.propagation and not not_there & found.propagation, found


@pytest.mark.parametrize("name", [case(name, covers=f"config/mounts/option/{name}") for name in RECURSIVE])
def test_recursive_option(container: Container, place: Path, name: str) -> None:
    """A recursive option shows on the mount and on those below."""
    flags, there, not_there = RECURSIVE[name]
    container.mount({**bind(tree(place, flags), "/tmp"), "options": ["rbind", name]})
    for found in at(container, "/tmp", "/tmp/below"):
        assert there <= found.options and not not_there & found.options, found


@covers("config/mounts/option/defaults")
def test_every_option_has_a_test() -> None:
    """The tables here and the specification's are the same."""
    tested = {*ON_MOUNT, *ON_FILE_SYSTEM, *NOT_TO_BE_SEEN, *RECURSIVE, "bind", "rbind", "remount"}
    tested |= {f"{prefix}{row[0]}" for row in _PROPAGATION for prefix in ("", "r")}
    assert tested == {*OPTIONS_MUST, *OPTIONS_SHOULD}


MAPPINGS = [{"containerID": 0, "hostID": 5000, "size": 100}]


def owners(container: Container, place: Path, entry: Config, *names: str) -> list[str]:
    """The owners of files in a tree that belongs to 3:4, as the container sees them through a mount."""
    for path in (place / "tree" / "outer", place / "tree" / "below" / "inner"):
        os.chown(path, 3, 4)
    container.mount(entry)
    said = container.says(f"for each in {' '.join(names)}; do stat -c %u:%g /tmp/$each; done").split()
    if said == ["3:4"] * len(names):
        raise AssertionError("the mount is not mapped")
    return said


@covers("config/mounts/option/tmpcopyup")
def test_copied_up(container: Container, identity: Identity) -> None:
    """A runtime that takes tmpcopyup fills the tmpfs with what it covers: kinds, modes, owners, links; a copy."""
    if identity.features and "tmpcopyup" not in (identity.features.get("mountOptions") or ()):
        unclaimed("mountOptions has no tmpcopyup")
    covered = container.rootfs / "covered"
    (covered / "below").mkdir(parents=True)
    (covered / "below" / "file").write_text("content")
    (covered / "below" / "file").chmod(0o644)
    os.chown(covered / "below" / "file", 3, 4)
    (covered / "link").symlink_to("below/file")
    container.mount(mount("/covered", "tmpcopyup", type="tmpfs"))
    said = container.says("cd /covered; cat link; stat -c ' %a %u:%g' below/file; readlink link; touch new")
    assert said.splitlines() == ["content 644 3:4", "below/file"]
    assert not (covered / "new").exists()


@pytest.fixture
def idmap(identity: Identity) -> None:
    """The runtime does not say that it has no mapped mounts, and the kernel can map the IDs of a tmpfs."""
    extensions = ((identity.features or {}).get("linux") or {}).get("mountExtensions") or {}
    if not (extensions.get("idmap") or {}).get("enabled", True):
        unclaimed("mountExtensions.idmap")
    if machine.kernel() < (6, 3):
        pytest.skip("the kernel does not map IDs of a tmpfs, which root file systems are on here")


@pytest.mark.usefixtures("idmap")
@pytest.mark.parametrize(
    ("option", "kind", "names", "expected"),
    [
        case(
            "idmap", "bind", ["outer"], ["5003:5004"],
            covers=("config/mounts/option/idmap", "config/mounts/idmap/applied", "config/mounts/idmap/own-mappings"),
        ),
        case(
            "idmap", "rbind", ["outer", "below/inner"], ["5003:5004", "3:4"],
            covers=("config/mounts/option/idmap", "config/mounts/idmap/applied"),
        ),
        case(
            "ridmap", "rbind", ["outer", "below/inner"], ["5003:5004", "5003:5004"],
            covers=("config/mounts/option/ridmap", "config/mounts/ridmap/applied", "config/mounts/ridmap/own-mappings"),
        ),
    ],
)  # fmt: skip
def test_mapped_mount(
    container: Container, place: Path, option: str, kind: str, names: list[str], expected: list[str]
) -> None:
    """The owners of files are mapped as the mount says, below it only with ridmap."""
    entry = {
        **bind(tree(place), "/tmp"),
        "options": [kind, option],
        "uidMappings": MAPPINGS,
        "gidMappings": MAPPINGS,
    }
    assert owners(container, place, entry, *names) == expected


@pytest.mark.usefixtures("idmap")
@covers("config/mounts/mappings")
def test_mapped_mount_without_an_option(container: Container, place: Path) -> None:
    """The mappings are enough, without idmap."""
    entry = {**bind(tree(place), "/tmp"), "uidMappings": MAPPINGS, "gidMappings": MAPPINGS}
    assert owners(container, place, entry, "outer") == ["5003:5004"]


@pytest.mark.usefixtures("idmap")
@covers("config/mounts/idmap/container-mappings", "config/mounts/ridmap/container-mappings")
@pytest.mark.parametrize("option", ["idmap", "ridmap"])
def test_mapping_of_the_container(container: Container, place: Path, option: str) -> None:
    """Without mappings of its own a mount gets those of the container, or is refused."""
    source = tree(place)
    os.chown(source / "outer", 3, 4)
    container.user_namespace()
    container.mount({**bind(source, "/tmp"), "options": ["rbind", option]})
    container.script("stat -c %u:%g /tmp/outer")
    if container.try_create().status == 0:
        container.start().wait()
        assert container.output == "3:4"


@pytest.mark.parametrize(
    "option",
    [
        case("idmap", covers="config/mounts/idmap/no-mappings"),
        case("ridmap", covers="config/mounts/ridmap/no-mappings"),
    ],
)
def test_no_mapping_at_all(container: Container, place: Path, option: str) -> None:
    """Without mappings of its own and without a user namespace a mount with idmap is refused."""
    container.mount({**bind(place, "/tmp"), "options": ["rbind", option]})
    container.refused()


@covers("config/mounts/mappings-both")
@pytest.mark.parametrize("alone", ["uidMappings", "gidMappings"])
def test_one_mapping_alone(container: Container, place: Path, alone: str) -> None:
    """uidMappings without gidMappings, or the other way round, are refused."""
    container.mount({**bind(place, "/tmp"), "options": ["bind", "idmap"], alone: MAPPINGS})
    container.refused()
