"""mounts add and mounts remove: mounts of a container that lives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .driver import Container
from .host import mounted
from .test_user_namespaces import with_user_namespace


@pytest.fixture
def source(directory: Path) -> Path:
    """A directory with a file."""
    (directory / "source").mkdir()
    (directory / "source/file").write_text("seen\n")
    return directory / "source"


def write(directory: Path, *mounts: dict[str, Any]) -> Path:
    """A file that lists the mounts."""
    file = directory / "mounts.json"
    file.write_text(json.dumps(mounts))
    return file


def change(container: Container, action: str, file: Path) -> None:
    """`mounts` has done it."""
    container.stave("mounts", action, container.id, file)


@pytest.mark.parametrize("mapped", [False, True])
def test_add_and_remove(container: Container, source: Path, directory: Path, mapped: bool) -> None:
    """A directory of the host and a new file system are there for all processes, and go again."""
    if mapped:
        with_user_namespace(container)
    container.launch()
    bind = {"destination": "/data", "source": "source", "options": ["bind", "ro"]}
    tmpfs = {"destination": "/scratch", "type": "tmpfs", "options": ["size=64k"]}
    file = write(directory, bind, tmpfs)
    container.stave("mounts", "add", container.id, file, cwd=directory)
    script = (
        "cat /data/file; touch /data/x 2>/dev/null || echo refused; grep -c ' /scratch tmpfs' /proc/mounts"
    )
    assert container.exec_says("sh", "-c", script) == "seen\nrefused\n1"
    change(container, "remove", file)
    assert container.exec_says(
        "sh", "-c", "ls /data /scratch; grep -c '/data\\|/scratch' /proc/mounts || true"
    ) == ("/data:\n\n/scratch:\n0")


def test_mapped_owners(container: Container, source: Path, directory: Path) -> None:
    """idmap takes the mappings of a container that lives."""
    with_user_namespace(container)
    container.launch()
    mounts = [
        {"destination": "/mapped", "source": str(source), "options": ["bind", "idmap"]},
        {"destination": "/plain", "source": str(source), "options": ["bind"]},
    ]
    change(container, "add", write(directory, *mounts))
    assert container.exec_says("stat", "-c", "%u", "/mapped/file", "/plain/file") == "0\n65534"


def test_a_whole_tree(container: Container, source: Path, directory: Path) -> None:
    """rbind takes along what is mounted below."""
    container.launch()
    (source / "below").mkdir()
    with mounted(source / "below", "-t", "tmpfs", "none"):
        (source / "below/deep").write_text("deep")
        bind = {"destination": "/d", "source": str(source), "options": ["rbind"]}
        change(container, "add", write(directory, bind))
        assert container.exec_says("cat", "/d/below/deep") == "deep"


def test_what_is_mounted_there_later(container: Container, source: Path, directory: Path) -> None:
    """A mount that the container makes in what was added does not reach the host."""
    sets = ("bounding", "effective", "permitted")
    container.process["capabilities"] = dict.fromkeys(sets, ["CAP_SYS_ADMIN"])
    container.launch()
    with mounted(source, "--bind", str(source)):
        bind = {"destination": "/d", "source": str(source), "options": ["bind"]}
        change(container, "add", write(directory, bind))
        container.exec("mount", "-t", "tmpfs", "none", "/d")
        assert (source / "file").read_text() == "seen\n"


def test_links_lead_nowhere(container: Container, source: Path, directory: Path) -> None:
    """Links of the container's are followed within its root."""
    container.launch()
    (container.rootfs / "out").symlink_to("../../../../../../tmp")
    bind = {"destination": "/out/place", "source": str(source), "options": ["bind"]}
    change(container, "add", write(directory, bind))
    assert container.exec_says("cat", "/tmp/place/file") == "seen"


def test_missing_source(container: Container, directory: Path) -> None:
    """A failure names the mount."""
    container.launch()
    file = write(directory, {"destination": "/d", "source": "/no/such", "options": ["bind"]})
    line = container.stave.fails("mounts", "add", container.id, file)
    assert line.endswith('mounts[0] "/d": bind: open source /no/such: No such file or directory')


def test_nothing_to_remove(container: Container, directory: Path) -> None:
    """Where nothing is mounted there is nothing to remove."""
    container.launch()
    line = container.stave.fails("mounts", "remove", container.id, write(directory, {"destination": "/bin"}))
    assert line.endswith('mounts[0] "/bin": unmount (nothing is mounted there): Invalid argument')


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"destination": "/d"}', "the file has to hold a list of mounts"),
        ("[1]", "/mounts/0"),
        ('[{"source": "/x"}]', "destination"),
        ("[", "mounts.json"),
    ],
)
def test_wrong_file(container: Container, directory: Path, text: str, reason: str) -> None:
    """What is no list of mounts is refused, by its name."""
    container.launch()
    (directory / "mounts.json").write_text(text)
    line = container.stave("mounts", "add", container.id, directory / "mounts.json", status=1).errors
    assert reason in line and "mounts.json" in line


def test_stopped_container(container: Container, directory: Path) -> None:
    """A container that has ended has no mounts any more."""
    container.runs("true")
    container.run("--keep")
    line = container.stave.fails("mounts", "remove", container.id, write(directory))
    assert line.endswith("container not running")
